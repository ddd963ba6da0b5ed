#include "bus_kit.h"

#include "base/buf.h"
#include "bus/stream_walk.h"

/* Walks: many messages of a stream for one request, from memory and from disk. */

#define FILL "a-subject-of-sixty-four-bytes-or-so-which-makes-records-longer--"

struct heard {
    unsigned done;
    int code;
    struct buf text; /* "sequence:pending " of each message */
    unsigned enough; /* messages; 0 = all */
    struct stream_walk_end end;
};

static bool on_each(void *self, const struct log_record *record, uint64_t pending,
                    uint64_t before) {
    struct heard *heard = self;
    char word[48];
    (void)before;
    int len = snprintf(word, sizeof word, "%llu:%llu ", (unsigned long long)record->sequence,
                       (unsigned long long)pending);
    assert_int_equal(buf_append(&heard->text, slice_make(word, (size_t)len)), 0);
    return heard->enough == 0 || --heard->enough > 0;
}

static void on_done(void *self, const struct stream_walk_end *end) {
    struct heard *heard = self;
    heard->done++;
    heard->end = *end;
    heard->end.error = NULL;
    heard->code = end->error ? end->error->code : 0;
}

static struct heard begin(void) {
    return (struct heard){.text = buf_make(1u << 20)};
}

static void end(struct heard *heard) {
    assert_int_equal(heard->done, 1);
    buf_free(&heard->text);
}

static void assert_walk(struct house *house, const struct stream_walk_options *options,
                        unsigned enough, int code, const char *text) {
    struct heard heard = begin();
    heard.enough = enough;
    stream_walk(kit_find(house, "S"), options, on_each, on_done, &heard);
    house_until(house, &heard.done);
    assert_int_equal(heard.code, code);
    assert_slice(buf_slice(&heard.text), text);
    end(&heard);
}

static struct house *open_filled(void) {
    struct house *house = house_open(7, 1);
    house_streams(house);
    assert_non_null(kit_stream(house, "{'name':'S','subjects':['s.>']}"));
    for (unsigned i = 0; i < 2; i++) {
        kit_fill(house, "s.a", 2);
        kit_fill(house, "s.b", 1);
    }
    return house; /* 1 a, 2 a, 3 b, 4 a, 5 a, 6 b */
}

static void test_a_walk_goes_through_what_matches(void **state) {
    (void)state;
    struct house *house = open_filled();
    for (unsigned life = 0; life < 2; life++) { /* in memory, then from disk */
        assert_walk(house, &(struct stream_walk_options){0}, 0, 0, "1:5 2:4 3:3 4:2 5:1 6:0 ");
        assert_walk(house, &(struct stream_walk_options){.subject = slice_lit("s.b")}, 0, 0,
                    "3:1 6:0 ");
        assert_walk(house, &(struct stream_walk_options){.subject = slice_lit("*.a"), .from = 2}, 2,
                    0, "2:2 4:1 ");
        assert_walk(house, &(struct stream_walk_options){.from = 7}, 0, 0, "");
        house_stop(house);
        house_streams(house);
    }
    house_close(house);
}

static void test_the_last_of_each_subject_now_and_then(void **state) {
    (void)state;
    struct house *house = open_filled();
    const slice both[] = {slice_lit("s.a"), slice_lit("s.>")};
    struct stream_walk_options options = {.last_of = both, .last_of_count = 2};
    for (unsigned life = 0; life < 2; life++) {
        options.up_to = 0;
        assert_walk(house, &options, 0, 0, "5:1 6:0 ");
        options.up_to = 5;
        assert_walk(house, &options, 0, 0, "3:1 5:0 ");
        options.up_to = 4;
        assert_walk(house, &options, 1, 0, "3:1 ");
        options.up_to = 2;
        assert_walk(house, &options, 0, 0, "2:0 ");
        options.from = 3;
        assert_walk(house, &options, 0, 0, "");
        options.from = 0;
        house_stop(house);
        house_streams(house);
    }
    house_close(house);
}

static void test_by_time(void **state) {
    (void)state;
    struct house *house = open_filled();
    struct log_record third;
    struct stream *stream = kit_find(house, "S");
    assert_int_equal(log_read(house->log, stream_log(stream), 3, &third), 0);
    int64_t time_ns = third.time_ns;
    const slice all = slice_lit(">");
    assert_walk(house, &(struct stream_walk_options){.from_time_ns = time_ns}, 0, 0,
                "3:3 4:2 5:1 6:0 ");
    assert_walk(house, &(struct stream_walk_options){.from_time_ns = INT64_MAX}, 0, 0, "");
    assert_walk(house,
                &(struct stream_walk_options){
                    .last_of = &all, .last_of_count = 1, .up_to_time_ns = time_ns},
                0, 0, "2:0 ");
    assert_walk(
        house,
        &(struct stream_walk_options){.last_of = &all, .last_of_count = 1, .up_to_time_ns = 1}, 0,
        0, "");
    house_close(house);
}

static void test_too_many_subjects_are_refused(void **state) {
    (void)state;
    struct house *house = open_filled();
    for (unsigned i = 0; i < STREAM_WALK_SUBJECTS_MAX; i++) {
        char subject[24];
        snprintf(subject, sizeof subject, "s.many.%u", i);
        kit_fill(house, subject, 1);
    }
    const slice all = slice_lit(">");
    assert_walk(house, &(struct stream_walk_options){.last_of = &all, .last_of_count = 1}, 0, 413,
                "");
    house_close(house);
}

/* What is compared in one turn is bounded: filters with wildcards times subjects. */
static void test_too_many_comparisons_are_refused(void **state) {
    (void)state;
    struct house *house = open_filled();
    slice filters[STREAM_WALK_FILTERS_MAX];
    static char texts[STREAM_WALK_FILTERS_MAX][16];
    for (unsigned i = 0; i < STREAM_WALK_FILTERS_MAX; i++)
        filters[i] =
            slice_make(texts[i], (size_t)snprintf(texts[i], sizeof texts[i], "s.*.%u.x", i));
    struct stream_walk_options options = {.last_of = filters,
                                          .last_of_count = STREAM_WALK_FILTERS_MAX};
    assert_walk(house, &options, 0, 0, "");
    for (unsigned i = 0; i <= STREAM_WALK_COMPARISONS_MAX / STREAM_WALK_FILTERS_MAX; i++) {
        char subject[24];
        snprintf(subject, sizeof subject, "s.many.%u", i);
        say(house_last(house), subject, "");
        if (i % 64 == 0)
            house_run(house, 20 * SIM_MILLISECOND);
    }
    house_run(house, SIM_SECOND);
    assert_walk(house, &options, 0, 413, "");
    options.last_of_count = STREAM_WALK_FILTERS_MAX / 2;
    assert_walk(house, &options, 0, 0, "");
    house_close(house);
}

/* More than one turn and more than the cache holds, so that the walk waits in between. */
static struct house *open_long(void) {
    struct house *house = open_filled();
    for (unsigned i = 0; i < 40; i++)
        kit_fill(house, "s." FILL FILL, 50);
    house_stop(house);
    house_streams(house);
    return house;
}

static void test_a_long_walk_comes_to_its_end(void **state) {
    (void)state;
    struct house *house = open_long();
    struct heard heard = begin();
    stream_walk(kit_find(house, "S"), &(struct stream_walk_options){0}, on_each, on_done, &heard);
    assert_int_equal(heard.done, 0);
    house_until(house, &heard.done);
    assert_int_equal(heard.end.count, 2006);
    assert_int_equal(heard.end.last, 2006);
    assert_int_equal(heard.end.pending, 0);
    end(&heard);
    house_close(house);
}

static void test_a_stream_that_goes_ends_its_walks(void **state) {
    (void)state;
    struct house *house = open_long();
    struct heard heard = begin();
    stream_walk(kit_find(house, "S"), &(struct stream_walk_options){0}, on_each, on_done, &heard);
    assert_true(kit_delete_stream(house, "S"));
    house_until(house, &heard.done);
    assert_int_equal(heard.code, 404);
    end(&heard);
    house_close(house);
}

static void test_a_node_that_stops_ends_its_walks(void **state) {
    (void)state;
    struct house *house = open_long();
    struct heard heard = begin();
    stream_walk(kit_find(house, "S"), &(struct stream_walk_options){0}, on_each, on_done, &heard);
    house_rest(house);
    assert_int_equal(heard.code, 503);
    end(&heard);
    house_close(house);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_walk_goes_through_what_matches),
        cmocka_unit_test(test_the_last_of_each_subject_now_and_then),
        cmocka_unit_test(test_by_time),
        cmocka_unit_test(test_too_many_subjects_are_refused),
        cmocka_unit_test(test_too_many_comparisons_are_refused),
        cmocka_unit_test(test_a_long_walk_comes_to_its_end),
        cmocka_unit_test(test_a_stream_that_goes_ends_its_walks),
        cmocka_unit_test(test_a_node_that_stops_ends_its_walks),
    };
    return cmocka_run_group_tests_name("bus/walk", tests, NULL, NULL);
}
