#include "event_kit.h"

/* What an event stream keeps: limits, deletion, and what is expected of a stream that has been
   deleted (anchors/event_sourcing.md 2.1, every row). */

/* --- pure --------------------------------------------------------------------------------- */

struct row {
    enum expect expect;
    uint64_t revision;
    bool never, alive, deleted, tombstoned; /* holds; the streams have events 0 to 4 */
};

static void assert_row(const struct row *row, bool writes) {
    struct life never = {0}, alive = {.truncate_before = 2}, deleted = {0}, tombstoned = {0};
    life_delete(&deleted, 5);
    life_tombstone(&tombstoned, 5);
    assert_int_equal(life_fits(&never, 0, row->expect, row->revision, writes), row->never);
    assert_int_equal(life_fits(&alive, 5, row->expect, row->revision, writes), row->alive);
    assert_int_equal(life_fits(&deleted, 5, row->expect, row->revision, writes), row->deleted);
    assert_int_equal(life_fits(&tombstoned, 5, row->expect, row->revision, writes),
                     row->tombstoned);
}

static void test_every_row_of_the_table_of_expectations(void **state) {
    (void)state;
    static const struct row writing[] = {
        {EXPECT_ANY, 0, true, true, true, false},
        {EXPECT_NONE, 0, true, false, true, false},
        {EXPECT_EXISTS, 0, false, true, false, false},
        {EXPECT_REVISION, 4, false, true, true, false},
        {EXPECT_REVISION, 3, false, false, false, false},
        {EXPECT_REVISION, 5, false, false, false, false},
        {EXPECT_DELETED, 0, false, false, true, false},
        {EXPECT_TOMBSTONED, 0, false, false, false, false},
    };
    static const struct row checking[] = {
        {EXPECT_NONE, 0, true, false, true, true},
        {EXPECT_EXISTS, 0, false, true, false, false},
        {EXPECT_REVISION, 4, false, true, true, false},
        {EXPECT_DELETED, 0, false, false, true, false},
        {EXPECT_TOMBSTONED, 0, false, false, false, true},
    };
    for (size_t i = 0; i < array_count(writing); i++)
        assert_row(&writing[i], true);
    for (size_t i = 0; i < array_count(checking); i++)
        assert_row(&checking[i], false);
}

static void test_a_stream_that_has_only_limits_exists(void **state) {
    (void)state;
    struct life life = {0};
    life_limit(&life, 0, &(struct life_limits){.max_count = 5});
    assert_int_equal(life_state(&life, 0), LIFE_NEVER);
    assert_true(life_fits(&life, 0, EXPECT_EXISTS, 0, true));
    assert_true(life_fits(&life, 0, EXPECT_NONE, 0, true));
}

static void test_what_is_gone_stays_so(void **state) {
    (void)state;
    struct life life = {0};
    life_limit(&life, 10, &(struct life_limits){.max_count = 3});
    assert_int_equal(life_gone(&life, 10), 7);
    assert_int_equal(life_gone(&life, 11), 8);
    life_limit(&life, 11, &(struct life_limits){.truncate_before = 2});
    assert_int_equal(life_gone(&life, 11), 8);
    life_delete(&life, 12);
    assert_int_equal(life_gone(&life, 12), 12);
    life_limit(&life, 12, &(struct life_limits){0});
    assert_int_equal(life_gone(&life, 12), 12);
    assert_int_equal(life_state(&life, 12), LIFE_DELETED);
    assert_int_equal(life_state(&life, 13), LIFE_ALIVE);
}

static void test_a_life_is_read_as_it_was_written(void **state) {
    (void)state;
    struct life life = {.version = 3,
                        .max_count = 10,
                        .max_age_ns = 7,
                        .truncate_before = 5,
                        .floor = 2,
                        .deleted = 4,
                        .tombstoned = true,
                        .swept = 1030,
                        .mark = 9,
                        .clean = true,
                        .kept = {{1024, 17}, {1028, 99}},
                        .kept_count = 2};
    struct life read;
    struct buf text = buf_make(4096);
    memset(life.chain, 0xa5, sizeof life.chain);
    assert_int_equal(life_write(&life, &text), 0);
    assert_int_equal(life_read(buf_slice(&text), &read), 0);
    assert_memory_equal(&read, &life, sizeof life);
    buf_clear(&text);
    assert_int_equal(life_write(&(struct life){0}, &text), 0);
    assert_slice(buf_slice(&text), "{}");
    assert_int_equal(life_read(slice_lit("{}"), &read), 0);
    assert_int_equal(life_read(slice_lit("[]"), &read), -EBADMSG);
    assert_int_equal(life_read(slice_lit("{\"swept\":4}"), &read), -EBADMSG);
    assert_int_equal(life_read(slice_lit("{\"kept\":[1]}"), &read), -EBADMSG);
    buf_free(&text);
}

/* --- the engine --------------------------------------------------------------------------- */

#define TWO "{'expect':'none','events':[{'type':'T','id':'a'},{'type':'T','id':'b'}]}"

static struct read_options of_stream(struct buf *subject, const char *name) {
    buf_clear(subject);
    assert_int_equal(event_subject(slice_str(name), subject), 0);
    return (struct read_options){.subject = buf_slice(subject)};
}

static unsigned status_of_read(struct event_house *eh, const char *name, unsigned *ret_count) {
    struct buf subject = buf_make(4096);
    struct read_options options = of_stream(&subject, name);
    struct event_page page = event_read_page(eh, &options);
    unsigned status = page.end.status;
    *ret_count = page.end.count;
    event_page_free(&page);
    buf_free(&subject);
    return status;
}

static void assert_reads(struct event_house *eh, const char *name, unsigned status,
                         unsigned count) {
    unsigned found;
    assert_int_equal(status_of_read(eh, name, &found), status);
    assert_int_equal(found, count);
}

static unsigned append(struct event_house *eh, const char *name, const char *expect,
                       const char *id) {
    char json[256];
    snprintf(json, sizeof json, "{'expect':%s,'events':[{'type':'T'%s%s%s}]}", expect,
             id ? ",'id':'" : "", id ? id : "", id ? "'" : "");
    return event_append(eh, name, json).status;
}

static unsigned check_only(struct event_house *eh, const char *name, const char *expect) {
    char json[256];
    snprintf(json, sizeof json, "{'checks':[{'stream':'%s','expect':%s}]}", name, expect);
    return event_append(eh, NULL, json).status;
}

static void assert_has(struct event_answer answer, const char *text) {
    if (slice_find_slice(answer.body, slice_str(text)) < 0)
        fail_msg("no %s in %.*s", text, slice_fmt(answer.body));
}

static void test_a_deleted_stream_goes_on_where_it_was(void **state) {
    (void)state;
    struct event_house *eh = event_house_open(1);
    assert_int_equal(event_append(eh, "a-1", TWO).status, 201);
    struct event_answer answer = event_life(eh, "a-1", LIFE_DELETE, "1", NULL);
    assert_int_equal(answer.status, 200);
    assert_has(answer, "\"state\":\"deleted\"");
    assert_has(answer, "\"truncate_before\":2");
    assert_has(answer, "\"events\":2");
    for (int life = 0; life < 2; life++) {
        assert_reads(eh, "a-1", 404, 0);
        assert_int_equal(append(eh, "a-1", "'exists'", NULL), 409);
        assert_int_equal(append(eh, "a-1", "0", NULL), 409);
        assert_int_equal(check_only(eh, "a-1", "'none'"), 200);
        assert_int_equal(check_only(eh, "a-1", "'deleted'"), 200);
        assert_int_equal(check_only(eh, "a-1", "1"), 200);
        assert_int_equal(check_only(eh, "a-1", "'exists'"), 409);
        event_house_again(eh, life ? EVENT_STOP : EVENT_KILL);
    }
    answer = event_append(eh, "a-1", "{'expect':'exists','events':[{'type':'T'}]}");
    assert_has(answer, "\"actual\":\"deleted\",\"revision\":1");
    assert_int_equal(append(eh, "a-1", "'none'", "c"), 201);
    assert_reads(eh, "a-1", 200, 1);
    assert_int_equal(append(eh, "a-1", "'none'", NULL), 409);
    assert_int_equal(append(eh, "a-1", "'none'", "c"), 200); /* the answer was lost */
    assert_int_equal(append(eh, "a-1", "'deleted'", NULL), 409);
    answer = event_life(eh, "a-1", LIFE_SHOW, NULL, NULL);
    assert_has(answer, "\"state\":\"alive\"");
    assert_has(answer, "\"first\":2,\"last\":2");
    event_house_close(eh);
}

static void test_each_word_brings_a_deleted_stream_back(void **state) {
    (void)state;
    static const char *const words[] = {"'any'", "'none'", "'deleted'", "1"};
    struct event_house *eh = event_house_open(1);
    for (unsigned i = 0; i < array_count(words); i++) {
        char name[8];
        snprintf(name, sizeof name, "a-%u", i);
        assert_int_equal(event_append(eh, name, TWO).status, 201);
        assert_int_equal(event_life(eh, name, LIFE_DELETE, NULL, NULL).status, 200);
        assert_int_equal(append(eh, name, words[i], "z"), 201);
        assert_reads(eh, name, 200, 1);
    }
    event_house_close(eh);
}

static void test_events_that_are_gone_are_not_appended_again(void **state) {
    (void)state;
    struct event_house *eh = event_house_open(1);
    assert_int_equal(event_append(eh, "a-1", TWO).status, 201);
    assert_int_equal(event_life(eh, "a-1", LIFE_DELETE, NULL, NULL).status, 200);
    assert_int_equal(event_append(eh, "a-1", TWO).status, 200);
    assert_int_equal(append(eh, "a-1", "'any'", "b"), 200);
    assert_int_equal(append(eh, "a-1", "0", "b"), 200);
    assert_int_equal(append(eh, "a-1", "0", "x"), 409);
    assert_int_equal(
        event_append(eh, "a-1", "{'events':[{'type':'T','id':'a'},{'type':'T','id':'y'}]}").status,
        409);
    assert_reads(eh, "a-1", 404, 0);
    event_house_close(eh);
}

static void test_a_tombstone_is_for_ever(void **state) {
    (void)state;
    struct event_house *eh = event_house_open(1);
    assert_int_equal(event_append(eh, "a-1", TWO).status, 201);
    assert_int_equal(event_life(eh, "a-1", LIFE_TOMBSTONE, "7", NULL).status, 409);
    assert_int_equal(event_life(eh, "a-1", LIFE_TOMBSTONE, "1", NULL).status, 200);
    assert_int_equal(event_life(eh, "b-1", LIFE_TOMBSTONE, NULL, NULL).status, 200);
    for (int life = 0; life < 2; life++) {
        static const char *const words[] = {"'any'", "'none'", "'exists'", "'deleted'", "1"};
        for (unsigned i = 0; i < array_count(words); i++) {
            assert_int_equal(append(eh, "a-1", words[i], "a"), 409);
            assert_int_equal(append(eh, "b-1", words[i], NULL), 409);
        }
        assert_reads(eh, "a-1", 410, 0);
        assert_reads(eh, "b-1", 410, 0);
        assert_int_equal(check_only(eh, "a-1", "'none'"), 200);
        assert_int_equal(check_only(eh, "a-1", "'tombstoned'"), 200);
        assert_int_equal(check_only(eh, "a-1", "'exists'"), 409);
        assert_int_equal(check_only(eh, "a-1", "'deleted'"), 409);
        assert_int_equal(event_life(eh, "a-1", LIFE_SHOW, NULL, NULL).status, 410);
        assert_int_equal(event_life(eh, "a-1", LIFE_DELETE, NULL, NULL).status, 409);
        assert_int_equal(event_life(eh, "a-1", LIFE_TOMBSTONE, NULL, NULL).status, 200);
        event_house_again(eh, life ? EVENT_STOP : EVENT_KILL);
    }
    assert_has(event_append(eh, "a-1", "{'events':[{'type':'T'}]}"), "\"actual\":\"tombstoned\"");
    catcher_clear(&eh->answers);
    unsigned number = event_publish(eh, "es.a.1", NULL, "x");
    catcher_wait(eh->house, &eh->answers, 1);
    assert_has(event_answer(eh, number), "deleted for ever");
    event_house_close(eh);
}

static void test_limits_are_replaced_as_a_whole(void **state) {
    (void)state;
    struct event_house *eh = event_house_open(1);
    struct life_change change = {.ask = LIFE_LIMIT, .version = 7};
    assert_int_equal(event_life(eh, "a-1", LIFE_SHOW, NULL, NULL).status, 404);
    assert_int_equal(event_life(eh, "a-1", LIFE_LIMIT, NULL, "{'max_count':1}").status, 200);
    assert_int_equal(check_only(eh, "a-1", "'exists'"), 200);
    assert_int_equal(event_append(eh, "a-1", TWO).status, 201);
    assert_reads(eh, "a-1", 200, 1);
    assert_int_equal(event_life(eh, "a-1", LIFE_LIMIT, NULL, "{'max_age':'1h'}").status, 200);
    struct event_answer answer = event_life(eh, "a-1", LIFE_SHOW, NULL, NULL);
    assert_has(answer, "\"limits\":{\"max_age\":\"1h\"}");
    assert_has(answer, "\"version\":2");
    assert_reads(eh, "a-1", 200, 1); /* what is gone does not come back */
    catcher_clear(&eh->answers);
    unsigned number = event_ask_life(eh, "a-1", &change, NULL, "{}");
    catcher_wait(eh->house, &eh->answers, 1);
    assert_int_equal(event_answer(eh, number).status, 412);
    assert_int_equal(event_life(eh, "a-1", LIFE_LIMIT, NULL, "{'truncate_before':3}").status, 400);
    assert_int_equal(event_life(eh, "a-1", LIFE_LIMIT, NULL, "{'max_size':3}").status, 400);
    assert_int_equal(event_life(eh, "a-1", LIFE_LIMIT, NULL, "{'max_age':'1ms'}").status, 400);
    assert_int_equal(event_life(eh, "a-1", LIFE_LIMIT, NULL, "{'max_count':0}").status, 400);
    assert_int_equal(event_life(eh, "a-1", LIFE_LIMIT, "5", "{}").status, 409);
    assert_int_equal(event_life(eh, "b-1", LIFE_DELETE, NULL, NULL).status, 404);
    event_house_close(eh);
}

static void test_a_dry_run_changes_nothing(void **state) {
    (void)state;
    struct event_house *eh = event_house_open(1);
    struct life_change change = {.ask = LIFE_DELETE, .version = LIFE_ANY_VERSION, .dry_run = true};
    assert_int_equal(event_append(eh, "a-1", TWO).status, 201);
    catcher_clear(&eh->answers);
    unsigned number = event_ask_life(eh, "a-1", &change, NULL, NULL);
    catcher_wait(eh->house, &eh->answers, 1);
    assert_has(event_answer(eh, number), "\"events\":2,\"dry_run\":true");
    assert_reads(eh, "a-1", 200, 2);
    event_house_close(eh);
}

static void test_all_events_do_not_show_what_is_gone(void **state) {
    (void)state;
    struct event_house *eh = event_house_open(1);
    struct read_options options = {.from = 1};
    assert_int_equal(event_append(eh, "a-1", TWO).status, 201);
    assert_int_equal(event_append(eh, "b-1", TWO).status, 201);
    assert_int_equal(event_append(eh, "c-1", TWO).status, 201);
    assert_int_equal(event_life(eh, "a-1", LIFE_DELETE, NULL, NULL).status, 200);
    assert_int_equal(event_life(eh, "b-1", LIFE_LIMIT, NULL, "{'truncate_before':1}").status, 200);
    for (int life = 0; life < 2; life++) {
        for (int backwards = 0; backwards < 2; backwards++) {
            options.backwards = backwards;
            options.from = backwards ? UINT64_MAX : 1;
            struct event_page page = event_read_page(eh, &options);
            assert_int_equal(page.end.count, 3);
            assert_int_equal(slice_find_slice(page.end.lines, slice_lit("a-1")), -1);
            event_page_free(&page);
        }
        event_house_again(eh, EVENT_KILL);
    }
    event_house_close(eh);
}

static void test_events_grow_too_old(void **state) {
    (void)state;
    struct event_house *eh = event_house_open(1);
    assert_int_equal(event_append(eh, "a-1", TWO).status, 201);
    assert_int_equal(event_life(eh, "a-1", LIFE_LIMIT, NULL, "{'max_age':'10s'}").status, 200);
    assert_reads(eh, "a-1", 200, 2);
    house_run(eh->house, UINT64_C(8000000000));
    assert_int_equal(append(eh, "a-1", "1", NULL), 201);
    assert_reads(eh, "a-1", 200, 3);
    house_run(eh->house, UINT64_C(4000000000));
    assert_reads(eh, "a-1", 200, 1);
    house_run(eh->house, UINT64_C(9000000000));
    assert_reads(eh, "a-1", 200, 0);
    assert_int_equal(append(eh, "a-1", "2", NULL), 201);
    assert_reads(eh, "a-1", 200, 1);
    event_house_close(eh);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_row_of_the_table_of_expectations),
        cmocka_unit_test(test_a_stream_that_has_only_limits_exists),
        cmocka_unit_test(test_what_is_gone_stays_so),
        cmocka_unit_test(test_a_life_is_read_as_it_was_written),
        cmocka_unit_test(test_a_deleted_stream_goes_on_where_it_was),
        cmocka_unit_test(test_each_word_brings_a_deleted_stream_back),
        cmocka_unit_test(test_events_that_are_gone_are_not_appended_again),
        cmocka_unit_test(test_a_tombstone_is_for_ever),
        cmocka_unit_test(test_limits_are_replaced_as_a_whole),
        cmocka_unit_test(test_a_dry_run_changes_nothing),
        cmocka_unit_test(test_all_events_do_not_show_what_is_gone),
        cmocka_unit_test(test_events_grow_too_old),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
