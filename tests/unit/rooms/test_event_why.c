#include "event_kit.h"

#include "rooms/events/why.h"

/* The tree around an event, from the entries of its correlation. */

struct entry {
    const char *id, *causation;
};

/* Entry INDEX of ALL: position and revision are INDEX + 1. */
static void write_entry(struct buf *out, const struct entry *all, unsigned index) {
    assert_int_equal(buf_printf(out,
                                "{\"position\":%u,\"stream\":\"s-1\",\"revision\":%u,"
                                "\"id\":\"%s\",\"correlation\":\"c\"",
                                index + 1, index + 1, all[index].id),
                     0);
    if (all[index].causation)
        assert_int_equal(buf_printf(out, ",\"causation\":\"%s\"", all[index].causation), 0);
    assert_int_equal(buf_append(out, slice_lit("}")), 0);
}

/* "command| 0:a 1:b* 2:c |others": depth, id, * of the asked one. */
static void draw(const struct entry *all, unsigned count, unsigned asked, bool with_asked,
                 char *out, size_t size) {
    struct buf event = buf_make(4096), related = buf_make(1u << 20), text = buf_make(1u << 20);
    write_entry(&event, all, asked);
    assert_int_equal(buf_append_byte(&related, '['), 0);
    for (unsigned i = count; i-- > 0;) {
        if (i == asked && !with_asked)
            continue;
        if (related.len > 1)
            assert_int_equal(buf_append_byte(&related, ','), 0);
        write_entry(&related, all, i);
    }
    assert_int_equal(buf_append_byte(&related, ']'), 0);
    assert_int_equal(why_write(buf_slice(&event), buf_slice(&related), true, &text), 0);

    struct json_doc doc;
    slice word = {0};
    uint64_t number = 0;
    json_init(&doc);
    assert_int_equal(json_parse(&doc, buf_slice(&text)), 0);
    (void)!json_string(json_path(json_root(&doc), "command"), &word);
    size_t len = (size_t)snprintf(out, size, "%.*s|", slice_fmt(word));
    struct json_iterator i = json_each(json_path(json_root(&doc), "events"));
    while (json_next(&i)) {
        bool is_asked = false;
        assert_int_equal(json_u64(json_member(i.value, slice_lit("depth")), &number), 0);
        assert_int_equal(json_string(json_path(i.value, "event.id"), &word), 0);
        (void)!json_bool(json_member(i.value, slice_lit("asked")), &is_asked);
        len += (size_t)snprintf(out + len, size - len, " %u:%.*s%s", (unsigned)number,
                                slice_fmt(word), is_asked ? "*" : "");
    }
    assert_int_equal(json_u64(json_path(json_root(&doc), "others"), &number), 0);
    snprintf(out + len, size - len, " |%u", (unsigned)number);
    json_free(&doc);
    buf_free(&event);
    buf_free(&related);
    buf_free(&text);
}

static void assert_tree(const struct entry *all, unsigned count, unsigned asked,
                        const char *expected) {
    char drawn[65536];
    for (unsigned with = 0; with < 2; with++) {
        draw(all, count, asked, with != 0, drawn, sizeof drawn);
        assert_string_equal(drawn, expected);
    }
}

static void test_the_way_up_and_all_below(void **state) {
    (void)state;
    static const struct entry all[] = {{"a", "click"}, {"b", "a"}, {"c", "a"},
                                       {"d", "b"},     {"e", "b"}, {"f", "d"}};
    assert_tree(all, 6, 1, "click| 0:a 1:b* 2:d 3:f 2:e |1");
    assert_tree(all, 6, 0, "click| 0:a* 1:b 2:d 3:f 2:e 1:c |0");
    assert_tree(all, 6, 5, "click| 0:a 1:b 2:d 3:f* |2");
}

static void test_one_alone(void **state) {
    (void)state;
    static const struct entry all[] = {{"a", NULL}, {"b", NULL}, {"c", "elsewhere"}};
    assert_tree(all, 3, 0, "| 0:a* |2");
    assert_tree(all, 3, 2, "elsewhere| 0:c* |2");
    assert_tree(all, 1, 0, "| 0:a* |0");
}

/* Ids are unique within a stream only, and an event may name itself, or a later one. */
static void test_what_is_named_twice_or_backwards(void **state) {
    (void)state;
    static const struct entry all[] = {{"x", "y"}, {"x", NULL}, {"y", "x"}, {"z", "z"}};
    assert_tree(all, 4, 0, "y| 0:x* |3");
    assert_tree(all, 4, 2, "| 0:x 1:y* |2");
    assert_tree(all, 4, 3, "z| 0:z* |3");
}

static void test_a_long_chain_and_a_wide_tree(void **state) {
    (void)state;
    static struct entry all[WHY_EVENTS_MAX];
    static char ids[WHY_EVENTS_MAX][8];
    char drawn[65536];
    for (unsigned i = 0; i < WHY_EVENTS_MAX; i++) {
        snprintf(ids[i], sizeof ids[i], "n%u", i);
        all[i] = (struct entry){ids[i], i ? ids[i - 1] : NULL};
    }
    draw(all, WHY_EVENTS_MAX, 0, true, drawn, sizeof drawn);
    assert_non_null(strstr(drawn, " 999:n999 |0"));
    draw(all, WHY_EVENTS_MAX, 999, true, drawn, sizeof drawn);
    assert_non_null(strstr(drawn, " 998:n998 999:n999* |0"));
    for (unsigned i = 1; i < WHY_EVENTS_MAX; i++)
        all[i].causation = ids[0];
    draw(all, WHY_EVENTS_MAX, 0, true, drawn, sizeof drawn);
    assert_non_null(strstr(drawn, "| 0:n0* 1:n1 1:n2 "));
    assert_non_null(strstr(drawn, " 1:n999 |0"));
}

static void test_what_are_no_entries_is_refused(void **state) {
    (void)state;
    static const char *const wrong[][2] = {
        {"{}", "[]"},
        {"{\"position\":1,\"id\":\"a\"}", "{}"},
        {"{\"position\":1,\"id\":\"a\"}", "[{\"position\":2}]"},
        {"{\"position\":9,\"id\":\"a\"}",
         "[{\"position\":1,\"id\":\"b\"},{\"position\":2,\"id\":\"c\"}]"},
        {"{\"position\":1,\"id\":\"a\"", "[]"},
    };
    for (unsigned i = 0; i < array_count(wrong); i++) {
        struct buf out = buf_make(4096);
        assert_int_equal(why_write(slice_str(wrong[i][0]), slice_str(wrong[i][1]), true, &out),
                         -EINVAL);
        buf_free(&out);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_way_up_and_all_below),
        cmocka_unit_test(test_one_alone),
        cmocka_unit_test(test_what_is_named_twice_or_backwards),
        cmocka_unit_test(test_a_long_chain_and_a_wide_tree),
        cmocka_unit_test(test_what_are_no_entries_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
