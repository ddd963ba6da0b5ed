#include "log_kit.h"

/* Reading streams, and what leaves them: limits, deletes, trims, age. */

static void fill(struct desk *desk, struct log_stream *stream, unsigned from, unsigned to,
                 unsigned subjects) {
    char payload[200], subject[32];
    struct log_batch *batch = desk_begin(desk);
    for (unsigned i = from; i <= to; i++) {
        snprintf(subject, sizeof subject, "s.%u", i % subjects);
        memset(payload, 'a' + (int)(i % 26), sizeof payload);
        struct log_message message = {.subject = slice_str(subject),
                                      .payload = slice_make(payload, sizeof payload),
                                      .time_ns = (int64_t)i * 1000};
        uint64_t sequence = 0;
        assert_int_equal(log_batch_append(batch, stream, &message, &sequence), 0);
        assert_int_equal(sequence, i);
        if (i % 50 == 0 || i == to) {
            desk_commit(desk, batch);
            desk_sync(desk);
            batch = i == to ? NULL : desk_begin(desk);
        }
    }
}

static uint64_t next(struct desk *desk, struct log_stream *stream, const char *filter,
                     uint64_t from) {
    struct log_record record;
    int failed = desk_seek(desk, stream, filter, from, &record);
    assert_true(failed == 0 || failed == -ENOENT);
    return failed ? 0 : record.sequence;
}

static struct log_subject_state subject_of(struct log_stream *stream, const char *subject) {
    struct log_subject_state out = {0};
    if (!log_subject(stream, slice_str(subject), &out))
        assert_int_equal(out.messages, 0);
    return out;
}

/* --- reading --------------------------------------------------------------------------------- */

static void test_a_seek_finds_the_next_match_in_memory_and_on_disk(void **state) {
    (void)state;
    struct desk *desk = desk_new(1, NULL);
    desk->options.cache_bytes = 1;
    desk_open(desk);
    struct log_stream *a = desk_stream(desk, "A");
    fill(desk, a, 1, 900, 10);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(next(desk, a, "", 1), 1);
        assert_int_equal(next(desk, a, "", 500), 500);
        assert_int_equal(next(desk, a, "s.3", 1), 3);
        assert_int_equal(next(desk, a, "s.3", 4), 13);
        assert_int_equal(next(desk, a, "s.*", 77), 77);
        assert_int_equal(next(desk, a, ">", 900), 900);
        assert_int_equal(next(desk, a, "s.0", 891), 900);
        assert_int_equal(next(desk, a, "s.1", 892), 0);
        assert_int_equal(next(desk, a, "s.11", 1), 0);
        assert_int_equal(next(desk, a, "", 901), 0);
        desk_reopen(desk);
        a = desk_find(desk, "A");
    }
    desk_free(desk);
}

static void test_a_long_seek_stops_now_and_then(void **state) {
    (void)state;
    struct desk *desk = desk_new(2, NULL);
    desk->options.cache_bytes = 16u << 20;
    desk_open(desk);
    struct log_stream *a = desk_stream(desk, "A");
    fill(desk, a, 1, 3000, 3000);
    struct log_record record;
    assert_int_equal(log_seek(desk->log, a, slice_lit("*.2500"), 1, &record), -EAGAIN);
    assert_int_equal(record.sequence, 1025);
    assert_int_equal(next(desk, a, "*.2500", 1), 2500);
    assert_int_equal(log_seek(desk->log, a, slice_lit("s.2500"), 1, &record), 0);
    desk_free(desk);
}

/* The sequences that SUBJECTS, several of them, give from FROM on, as text. */
static const char *seek_all(struct desk *desk, struct log_stream *stream,
                            const struct log_filter *filter, uint64_t from, char *out,
                            size_t size) {
    struct log_record record;
    size_t len = 0;
    out[0] = '\0';
    int failed;
    while ((failed = log_seek_any(desk->log, stream, filter, from, &record)) != -ENOENT) {
        assert_true(failed == 0 || failed == -EAGAIN);
        if (!failed)
            len += (size_t)snprintf(out + len, size - len, "%llu ",
                                    (unsigned long long)record.sequence);
        from = record.sequence + (failed ? 0 : 1);
    }
    return out;
}

static void test_several_subjects_are_sought_and_counted_at_once(void **state) {
    (void)state;
    struct desk *desk = desk_new(2, NULL);
    desk_open(desk);
    struct log_stream *a = desk_stream(desk, "A");
    fill(desk, a, 1, 20, 10); /* s.1 .. s.9, s.0, s.1 .. s.9, s.0 */
    char out[256];
    slice literals[] = {slice_lit("s.7"), slice_lit("s.3"), slice_lit("x.1")};
    struct log_filter filter = log_filter_make(literals, 3);
    uint64_t count = log_count_any(desk->log, a, &filter, 1);
    assert_int_equal(count, 4);
    const char *found = seek_all(desk, a, &filter, 1, out, sizeof out);
    unsigned of_each = 0;
    for (const char *at = found; *at; at++)
        of_each += *at == ' ';
    assert_int_equal(of_each, 4);
    slice mixed[] = {slice_lit("s.3"), slice_lit("x.>"), slice_lit("*.9"), slice_lit("s.0")};
    filter = log_filter_make(mixed, 4);
    assert_int_equal(filter.wildcards, 2);
    assert_int_equal(log_count_any(desk->log, a, &filter, 1), 6);
    assert_true(log_filter_match(&filter, slice_lit("s.0")));
    assert_true(log_filter_match(&filter, slice_lit("t.9")));
    assert_false(log_filter_match(&filter, slice_lit("s.1")));
    filter = log_filter_make(literals, 0);
    assert_true(log_filter_match(&filter, slice_lit("anything")));
    assert_int_equal(log_count_any(desk->log, a, &filter, 11), 10);
    slice all = slice_lit(">"); /* is no wildcard to compare with, but all */
    filter = log_filter_make(&all, 1);
    assert_int_equal(filter.count, 0);
    assert_int_equal(log_count_any(desk->log, a, &filter, 11), 10);
    desk_free(desk);
}

static void test_a_time_is_found(void **state) {
    (void)state;
    struct desk *desk = desk_new(3, NULL);
    desk_open(desk);
    struct log_stream *a = desk_stream(desk, "A");
    uint64_t found = 0;
    assert_int_equal(log_seek_time(desk->log, a, 5, &found), 0);
    assert_int_equal(found, 1);
    fill(desk, a, 1, 700, 10);
    for (int round = 0; round < 2; round++) {
        static const struct {
            int64_t time;
            uint64_t sequence;
        } cases[] = {{0, 1},        {1000, 1},     {1001, 2},    {350000, 350},
                     {349999, 350}, {700000, 700}, {700001, 701}};
        for (unsigned i = 0; i < array_count(cases); i++) {
            int failed = log_seek_time(desk->log, a, cases[i].time, &found);
            if (failed == -EINPROGRESS) {
                assert_int_equal(desk_load(desk, a, found), 0);
                failed = log_seek_time(desk->log, a, cases[i].time, &found);
            }
            assert_int_equal(failed, 0);
            assert_int_equal(found, cases[i].sequence);
        }
        desk_reopen(desk);
        a = desk_find(desk, "A");
    }
    desk_free(desk);
}

static void test_counts_by_filter_and_start(void **state) {
    (void)state;
    struct desk *desk = desk_new(4, NULL);
    desk->options.cache_bytes = 16u << 20;
    desk_open(desk);
    struct log_stream *a = desk_stream(desk, "A");
    fill(desk, a, 1, 500, 10);
    struct log_batch *batch = desk_begin(desk);
    for (uint64_t s = 101; s <= 150; s++)
        assert_int_equal(log_batch_delete(batch, a, s), 0);
    desk_commit(desk, batch);
    desk_sync(desk);
    assert_int_equal(log_count(desk->log, a, (slice){0}, 0), 450);
    assert_int_equal(log_count(desk->log, a, slice_lit(">"), 1), 450);
    assert_int_equal(log_count(desk->log, a, (slice){0}, 101), 350);
    assert_int_equal(log_count(desk->log, a, (slice){0}, 126), 350);
    assert_int_equal(log_count(desk->log, a, (slice){0}, 100), 351);
    assert_int_equal(log_count(desk->log, a, (slice){0}, 501), 0);
    assert_int_equal(log_count(desk->log, a, slice_lit("s.3"), 1), 45);
    assert_int_equal(log_count(desk->log, a, slice_lit("s.3"), 250), 25);
    assert_int_equal(log_count(desk->log, a, slice_lit("s.*"), 250), 251);
    assert_int_equal(log_count(desk->log, a, slice_lit("x.*"), 1), 0);
    desk_free(desk);
}

static void test_loads_are_shared_and_can_be_given_up(void **state) {
    (void)state;
    struct desk *desk = desk_new(5, NULL);
    desk_open(desk);
    struct log_stream *a = desk_stream(desk, "A");
    fill(desk, a, 1, 300, 10);
    desk_reopen(desk);
    a = desk_find(desk, "A");
    struct log_record record;
    assert_int_equal(log_read(desk->log, a, 1, &record), -EINPROGRESS);
    struct log_load second = {.done = desk_on_loaded};
    desk->loaded = false;
    desk->load.done = desk_on_loaded;
    assert_int_equal(log_load(desk->log, a, 1, &second), 0);
    assert_int_equal(log_load(desk->log, a, 2, &desk->load), 0);
    log_load_cancel(desk->log, &second);
    memset(&second, 0xff, sizeof second);
    assert_true(sim_run_until(desk->sim, desk_has_loaded, desk, DESK_LIMIT));
    assert_int_equal(desk->load_failed, 0);
    assert_int_equal(log_read(desk->log, a, 1, &record), 0);
    /* Of a block that is there: done comes, but not from inside the call. */
    assert_int_equal(desk_load(desk, a, 2), 0);
    assert_int_equal(desk_load(desk, a, 100000), 0);
    desk_free(desk);
}

static bool visited[32];

static int visit(void *self, slice subject, const struct log_subject_state *found) {
    unsigned i = (unsigned)(subject.ptr[2] - '0');
    assert_int_equal(subject.len, 3);
    assert_false(visited[i]);
    visited[i] = true;
    assert_int_equal(found->messages, 10);
    assert_int_equal(found->last_sequence, i ? 90 + i : 100);
    return ++*(unsigned *)self == 100;
}

static void test_subjects_are_visited_by_filter(void **state) {
    (void)state;
    struct desk *desk = desk_new(6, NULL);
    desk_open(desk);
    struct log_stream *a = desk_stream(desk, "A");
    fill(desk, a, 1, 100, 10);
    unsigned count = 0;
    memset(visited, 0, sizeof visited);
    assert_int_equal(log_subject_each(a, slice_lit("s.*"), visit, &count), 0);
    assert_int_equal(count, 10);
    memset(visited, 0, sizeof visited);
    assert_int_equal(log_subject_each(a, slice_lit("s.4"), visit, &count), 0);
    assert_int_equal(count, 11);
    memset(visited, 0, sizeof visited);
    count = 99;
    assert_int_equal(log_subject_each(a, (slice){0}, visit, &count), 1);
    desk_free(desk);
}

/* --- deleting -------------------------------------------------------------------------------- */

static void test_a_deleted_message_is_shown_until_the_deletion_is_synced(void **state) {
    (void)state;
    struct desk *desk = desk_new(7, NULL);
    desk_open(desk);
    struct log_stream *a = desk_stream(desk, "A");
    for (int i = 0; i < 3; i++)
        desk_write(desk, a, "x", "y");
    for (uint64_t s = 1; s <= 2; s++) { /* the first and one in the middle */
        struct log_batch *batch = desk_begin(desk);
        assert_int_equal(log_batch_delete(batch, a, s + (s == 2)), 0);
        assert_int_equal(log_batch_delete(batch, a, s + (s == 2)), 0);
        desk_commit(desk, batch);
        assert_int_equal(log_stream_staged(a).messages, 3 - s);
        assert_int_equal(log_stream_state(a).messages, 4 - s);
        struct log_record record;
        assert_int_equal(log_read(desk->log, a, s + (s == 2), &record), 0);
        desk_sync(desk);
        assert_int_equal(log_read(desk->log, a, s + (s == 2), &record), -ENOENT);
        assert_int_equal(log_stream_state(a).messages, 3 - s);
    }
    struct log_stream_state now = log_stream_state(a);
    assert_int_equal(now.first_sequence, 2);
    assert_int_equal(now.last_sequence, 3);
    assert_int_equal(now.deleted, 1);
    desk_cut(desk);
    desk_open(desk);
    a = desk_find(desk, "A");
    assert_int_equal(log_stream_state(a).messages, 1);
    assert_int_equal(log_stream_state(a).first_sequence, 2);
    assert_int_equal(desk_write(desk, a, "x", "y"), 4);
    desk_free(desk);
}

static void test_the_last_and_first_of_a_subject_are_found_again_after_deletes(void **state) {
    (void)state;
    struct desk *desk = desk_new(8, NULL);
    desk->options.cache_bytes = 1;
    desk_open(desk);
    struct log_stream *a = desk_stream(desk, "A");
    fill(desk, a, 1, 700, 7);
    desk_reopen(desk);
    a = desk_find(desk, "A");
    desk_delete(desk, a, 696); /* s.3: 3 10 ... 696 */
    desk_delete(desk, a, 689);
    desk_delete(desk, a, 3);
    struct log_subject_state s3 = subject_of(a, "s.3");
    assert_int_equal(s3.messages, 97);
    assert_int_equal(s3.first_sequence, 10);
    assert_int_equal(s3.last_sequence, 682);
    for (unsigned i = 0; i < 97; i++)
        desk_delete(desk, a, 10 + 7 * i);
    assert_int_equal(subject_of(a, "s.3").messages, 0);
    assert_int_equal(log_stream_state(a).subjects, 6);
    assert_int_equal(log_stream_state(a).messages, 600);
    desk_free(desk);
}

static void test_a_trim_past_the_end_empties_and_moves_the_next_sequence(void **state) {
    (void)state;
    struct desk *desk = desk_new(9, NULL);
    desk_open(desk);
    struct log_stream *a = desk_stream(desk, "A");
    fill(desk, a, 1, 100, 10);
    desk_trim(desk, a, 51);
    assert_int_equal(log_stream_state(a).first_sequence, 51);
    assert_int_equal(log_stream_state(a).messages, 50);
    assert_int_equal(subject_of(a, "s.1").messages, 5);
    desk_trim(desk, a, 10);
    assert_int_equal(log_stream_state(a).messages, 50);
    struct log_batch *batch = desk_begin(desk);
    uint64_t sequence = 0;
    struct log_message message = desk_message("x", "y");
    assert_int_equal(log_batch_append(batch, a, &message, &sequence), 0);
    assert_int_equal(log_batch_trim(batch, a, 1000), 0);
    assert_int_equal(log_batch_append(batch, a, &message, &sequence), 0);
    assert_int_equal(sequence, 1000);
    desk_commit(desk, batch);
    desk_sync(desk);
    for (int round = 0; round < 2; round++) {
        struct log_stream_state now = log_stream_state(a);
        assert_int_equal(now.first_sequence, 1000);
        assert_int_equal(now.last_sequence, 1000);
        assert_int_equal(now.messages, 1);
        assert_int_equal(now.subjects, 1);
        assert_int_equal(now.deleted, 0);
        desk_expect(desk, a, 1000, "x", "y");
        desk_reopen(desk);
        a = desk_find(desk, "A");
    }
    desk_trim(desk, a, 2000);
    assert_int_equal(log_stream_state(a).messages, 0);
    assert_int_equal(log_stream_state(a).bytes, 0);
    desk_reopen(desk);
    assert_int_equal(desk_write(desk, desk_find(desk, "A"), "x", "y"), 2000);
    desk_free(desk);
}

/* --- limits ---------------------------------------------------------------------------------- */

static void test_messages_max_drops_the_oldest(void **state) {
    (void)state;
    struct desk *desk = desk_new(10, NULL);
    desk->options.cache_bytes = 1;
    desk_open(desk);
    struct log_stream *a = desk_put(desk, "A", (struct log_limits){.messages_max = 600}, false);
    fill(desk, a, 1, 600, 10);
    desk_reopen(desk);
    a = desk_find(desk, "A");
    fill(desk, a, 601, 1500, 10);
    struct log_stream_state now = log_stream_state(a);
    assert_int_equal(now.messages, 600);
    assert_int_equal(now.first_sequence, 901);
    assert_int_equal(now.subjects, 10);
    assert_int_equal(subject_of(a, "s.5").messages, 60);
    assert_int_equal(subject_of(a, "s.5").first_sequence, 905);
    desk_cut(desk);
    desk_open(desk);
    now = log_stream_state(desk_find(desk, "A"));
    assert_int_equal(now.messages, 600);
    assert_int_equal(now.first_sequence, 901);
    desk_free(desk);
}

static void test_bytes_max_drops_the_oldest_but_never_the_newest(void **state) {
    (void)state;
    struct desk *desk = desk_new(11, NULL);
    desk_open(desk);
    struct log_stream *a = desk_put(desk, "A", (struct log_limits){.bytes_max = 1000}, false);
    fill(desk, a, 1, 20, 1);
    struct log_stream_state now = log_stream_state(a);
    assert_true(now.bytes <= 1000 && now.bytes > 700);
    char payload[5000];
    memset(payload, 'p', sizeof payload - 1);
    payload[sizeof payload - 1] = 0;
    assert_int_equal(desk_write(desk, a, "big", payload), 21);
    now = log_stream_state(a);
    assert_int_equal(now.messages, 1);
    assert_int_equal(now.first_sequence, 21);
    desk_write(desk, a, "small", "1");
    now = log_stream_state(a);
    assert_int_equal(now.messages, 1);
    assert_int_equal(now.subjects, 1);
    desk_free(desk);
}

static void check_per_subject(struct desk *desk, uint64_t most) {
    struct log_stream *a =
        desk_put(desk, "A", (struct log_limits){.messages_per_subject_max = most}, false);
    fill(desk, a, 1, 1000, 10);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(log_stream_state(a).messages, 10 * most);
        for (unsigned i = 1; i < 10; i++) {
            char subject[8];
            snprintf(subject, sizeof subject, "s.%u", i);
            struct log_subject_state found = subject_of(a, subject);
            assert_int_equal(found.messages, most);
            assert_int_equal(found.last_sequence, 990 + i);
            assert_int_equal(found.first_sequence, 1000 - 10 * most + i);
        }
        desk_reopen(desk);
        a = desk_find(desk, "A");
    }
    fill(desk, a, 1001, 1010, 10);
    assert_int_equal(log_stream_state(a).messages, 10 * most);
    assert_int_equal(log_stream_state(a).first_sequence, 1011 - 10 * most);
}

static void test_messages_per_subject_max_drops_the_oldest_of_the_subject(void **state) {
    (void)state;
    static const uint64_t limits[] = {1, 2, 5, 64, 70};
    for (unsigned i = 0; i < array_count(limits); i++) {
        struct desk *desk = desk_new(12 + i, NULL);
        desk->options.cache_bytes = 1;
        desk_open(desk);
        check_per_subject(desk, limits[i]);
        desk_free(desk);
    }
}

static void test_the_old_value_of_a_key_is_shown_until_the_new_one_is(void **state) {
    (void)state;
    struct desk *desk = desk_new(20, NULL);
    desk_open(desk);
    struct log_stream *kv =
        desk_put(desk, "KV", (struct log_limits){.messages_per_subject_max = 1}, false);
    desk_write(desk, kv, "other", "0");
    desk_write(desk, kv, "key", "1");
    assert_int_equal(desk_append(desk, kv, "key", "2"), 3);
    desk_expect(desk, kv, 2, "key", "1");
    assert_int_equal(log_stream_state(kv).messages, 2);
    assert_int_equal(subject_of(kv, "key").last_sequence, 3);
    desk_sync(desk);
    desk_expect(desk, kv, 3, "key", "2");
    struct log_record record;
    assert_int_equal(log_read(desk->log, kv, 2, &record), -ENOENT);
    assert_int_equal(next(desk, kv, "key", 1), 3);
    desk_free(desk);
}

static void test_a_limit_that_is_lowered_takes_effect_at_once(void **state) {
    (void)state;
    struct desk *desk = desk_new(21, NULL);
    desk->options.cache_bytes = 1;
    desk_open(desk);
    struct log_stream *a = desk_stream(desk, "A");
    fill(desk, a, 1, 1000, 10);
    desk_reopen(desk);
    a = desk_put(desk, "A", (struct log_limits){.messages_per_subject_max = 20}, false);
    assert_int_equal(log_stream_state(a).messages, 200);
    assert_int_equal(log_stream_state(a).first_sequence, 801);
    a = desk_put(desk, "A", (struct log_limits){.messages_per_subject_max = 3}, false);
    assert_int_equal(log_stream_state(a).messages, 30);
    a = desk_put(desk, "A", (struct log_limits){.messages_max = 7}, false);
    assert_int_equal(log_stream_state(a).messages, 7);
    assert_int_equal(log_stream_state(a).first_sequence, 994);
    desk_cut(desk);
    desk_open(desk);
    a = desk_find(desk, "A");
    assert_int_equal(log_stream_state(a).messages, 7);
    assert_int_equal(log_stream_state(a).subjects, 7);
    desk_free(desk);
}

static void test_messages_leave_when_they_are_old(void **state) {
    (void)state;
    struct desk *desk = desk_new(22, NULL);
    desk_open(desk);
    struct log_stream *a =
        desk_put(desk, "A", (struct log_limits){.age_max_ns = 10 * SIM_SECOND}, false);
    for (unsigned i = 0; i < 20; i++) {
        struct log_batch *batch = desk_begin(desk);
        struct log_message message = desk_message("x", "y");
        message.time_ns = io_loop_wall_ns(desk->loop);
        uint64_t sequence = 0;
        assert_int_equal(log_batch_append(batch, a, &message, &sequence), 0);
        desk_commit(desk, batch);
        sim_run_for(desk->sim, SIM_SECOND);
    }
    struct log_stream_state now = log_stream_state(a);
    assert_true(now.messages >= 9 && now.messages <= 12);
    assert_int_equal(now.last_sequence, 20);
    desk_reopen(desk);
    sim_run_for(desk->sim, 12 * SIM_SECOND);
    a = desk_find(desk, "A");
    assert_int_equal(log_stream_state(a).messages, 0);
    assert_int_equal(desk_write(desk, a, "x", "y"), 21);
    desk_free(desk);
}

static void test_streams_in_memory_keep_their_limits_and_give_memory_back(void **state) {
    (void)state;
    struct desk *desk = desk_new(23, NULL);
    desk_open(desk);
    struct log_stream *kv =
        desk_put(desk, "KV", (struct log_limits){.messages_per_subject_max = 1}, true);
    char subject[16];
    for (unsigned i = 0; i < 20000; i++) {
        snprintf(subject, sizeof subject, "k.%u", i < 500 ? i : i % 100);
        desk_append(desk, kv, subject, "some value of a key that changes often");
        if (i % 50 == 49)
            desk_sync(desk);
    }
    sim_run_for(desk->sim, 3 * SIM_SECOND);
    assert_int_equal(log_stream_state(kv).messages, 500);
    uint64_t held = 0;
    for (uint32_t i = 0; i < kv->count; i++)
        held += stream_block(kv, i)->capacity;
    assert_true(held < 200u << 10);
    desk_expect(desk, kv, 101, "k.100", "some value of a key that changes often");
    assert_int_equal(next(desk, kv, "k.499", 1), 500);
    desk_free(desk);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_seek_finds_the_next_match_in_memory_and_on_disk),
        cmocka_unit_test(test_a_long_seek_stops_now_and_then),
        cmocka_unit_test(test_several_subjects_are_sought_and_counted_at_once),
        cmocka_unit_test(test_a_time_is_found),
        cmocka_unit_test(test_counts_by_filter_and_start),
        cmocka_unit_test(test_loads_are_shared_and_can_be_given_up),
        cmocka_unit_test(test_subjects_are_visited_by_filter),
        cmocka_unit_test(test_a_deleted_message_is_shown_until_the_deletion_is_synced),
        cmocka_unit_test(test_the_last_and_first_of_a_subject_are_found_again_after_deletes),
        cmocka_unit_test(test_a_trim_past_the_end_empties_and_moves_the_next_sequence),
        cmocka_unit_test(test_messages_max_drops_the_oldest),
        cmocka_unit_test(test_bytes_max_drops_the_oldest_but_never_the_newest),
        cmocka_unit_test(test_messages_per_subject_max_drops_the_oldest_of_the_subject),
        cmocka_unit_test(test_the_old_value_of_a_key_is_shown_until_the_new_one_is),
        cmocka_unit_test(test_a_limit_that_is_lowered_takes_effect_at_once),
        cmocka_unit_test(test_messages_leave_when_they_are_old),
        cmocka_unit_test(test_streams_in_memory_keep_their_limits_and_give_memory_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
