#include "log_kit.h"

#include "log/compact.h"
#include "log/stats.h"

/* Space of dead messages is got back: segments, and blocks of streams in RAM. */

static void update_keys(struct desk *desk, struct log_stream *kv, unsigned updates, unsigned keys,
                        struct random *random, unsigned *versions) {
    char payload[1200], subject[16];
    struct log_batch *batch = NULL;
    for (unsigned i = 0; i < updates; i++) {
        if (!batch)
            batch = desk_begin(desk);
        unsigned key = (unsigned)random_below(random, keys);
        memset(payload, 'v', sizeof payload);
        snprintf(payload, sizeof payload, "%u=%u", key, ++versions[key]);
        snprintf(subject, sizeof subject, "k.%u", key);
        struct log_message message = {.subject = slice_str(subject),
                                      .payload = slice_make(payload, sizeof payload)};
        uint64_t sequence = 0;
        assert_int_equal(log_batch_append(batch, kv, &message, &sequence), 0);
        if (i % 20 != 19 && i + 1 != updates)
            continue;
        desk_commit(desk, batch);
        desk_sync(desk);
        batch = NULL;
    }
}

static void check_keys(struct desk *desk, struct log_stream *kv, unsigned keys,
                       const unsigned *versions) {
    unsigned alive = 0;
    for (unsigned key = 0; key < keys; key++) {
        char subject[16], expected[32];
        snprintf(subject, sizeof subject, "k.%u", key);
        struct log_subject_state found;
        bool there = log_subject(kv, slice_str(subject), &found);
        assert_int_equal(there, versions[key] > 0);
        if (!there)
            continue;
        alive++;
        assert_int_equal(found.messages, 1);
        struct log_record record;
        assert_int_equal(desk_read(desk, kv, found.last_sequence, &record), 0);
        snprintf(expected, sizeof expected, "%u=%u", key, versions[key]);
        assert_string_equal(record.payload.ptr, expected);
    }
    assert_int_equal(log_stream_state(kv).messages, alive);
}

static void test_segments_that_are_mostly_dead_are_emptied(void **state) {
    (void)state;
    enum { KEYS = 300 };
    static unsigned versions[KEYS];
    memset(versions, 0, sizeof versions);
    struct random random = random_make(1);
    struct desk *desk = desk_new(1, NULL);
    desk->options.cache_bytes = 64u << 10;
    desk_open(desk);
    struct log_stream *kv =
        desk_put(desk, "KV", (struct log_limits){.messages_per_subject_max = 1}, false);
    for (unsigned round = 0; round < 40; round++) {
        update_keys(desk, kv, 300, KEYS, &random, versions);
        assert_int_equal(desk_checkpoint(desk), 0);
        sim_run_for(desk->sim, SIM_SECOND);
    }
    /* 300 keys of 1,256 bytes weigh 377 kB; all that was ever written, 15 MB. */
    for (unsigned round = 0; round < 20; round++) {
        desk_write(desk, kv, "k.0", "0=0");
        versions[0] = 0;
        assert_int_equal(desk_checkpoint(desk), 0);
        sim_run_for(desk->sim, SIM_SECOND);
    }
    struct log_stats stats = log_stats(desk->log);
    if (stats.segment_bytes >= 2u << 20)
        print_error("segment bytes %llu\n", (unsigned long long)stats.segment_bytes);
    assert_true(stats.segment_bytes < 2u << 20);
    update_keys(desk, kv, 1, 1, &random, versions);
    check_keys(desk, kv, KEYS, versions);
    desk_cut(desk);
    desk_open(desk);
    check_keys(desk, desk_find(desk, "KV"), KEYS, versions);
    desk_reopen(desk);
    check_keys(desk, desk_find(desk, "KV"), KEYS, versions);
    desk_free(desk);
}

static void test_a_squeezed_block_still_answers_for_its_holes(void **state) {
    (void)state;
    struct desk *desk = desk_new(2, NULL);
    desk_open(desk);
    struct log_stream *a = desk_stream(desk, "A");
    char payload[200];
    for (unsigned i = 1; i <= 100; i++) {
        snprintf(payload, sizeof payload, "payload %u", i);
        desk_write(desk, a, "x", payload);
    }
    for (uint64_t s = 1; s <= 100; s++)
        if (s % 4)
            desk_delete(desk, a, s);
    assert_true(compact_block(stream_block(a, 0)));
    assert_int_equal(stream_block(a, 0)->count, 25);
    for (int round = 0; round < 3; round++) {
        for (uint64_t s = 1; s <= 100; s++) {
            struct log_record record;
            assert_int_equal(desk_read(desk, a, s, &record), s % 4 ? -ENOENT : 0);
        }
        assert_int_equal(log_stream_state(a).messages, 25);
        assert_int_equal(log_stream_state(a).deleted, 97 - 25);
        if (round == 0)
            assert_int_equal(desk_checkpoint(desk), 0);
        else
            desk_reopen(desk);
        a = desk_find(desk, "A");
    }
    /* The squeezed tail goes on. */
    assert_int_equal(desk_write(desk, a, "x", "more"), 101);
    desk_expect(desk, a, 101, "x", "more");
    desk_reopen(desk);
    desk_expect(desk, desk_find(desk, "A"), 101, "x", "more");
    desk_free(desk);
}

static void test_what_is_not_on_disk_yet_is_not_squeezed(void **state) {
    (void)state;
    struct desk *desk = desk_new(3, NULL);
    desk_open(desk);
    struct log_stream *a = desk_stream(desk, "A");
    for (unsigned i = 1; i <= 10; i++)
        desk_write(desk, a, "x", "y");
    struct log_batch *batch = desk_begin(desk);
    assert_int_equal(log_batch_delete(batch, a, 5), 0);
    desk_commit(desk, batch);
    assert_false(compact_block(stream_block(a, 0)));
    desk_expect(desk, a, 5, "x", "y");
    desk_sync(desk);
    desk_append(desk, a, "x", "y");
    assert_false(compact_block(stream_block(a, 0)));
    desk_sync(desk);
    assert_true(compact_block(stream_block(a, 0)));
    desk_free(desk);
}

static uint64_t read_all(struct desk *desk, struct log_stream *stream) {
    struct log_record record;
    uint64_t count = 0;
    for (uint64_t from = 1; desk_seek(desk, stream, "", from, &record) == 0;
         from = record.sequence + 1)
        count++;
    return count;
}

/* Every tenth key is written once, the others again and again: a few old messages in each block. */
static void churn(struct desk *desk, struct log_stream *kv, unsigned from, unsigned to) {
    char payload[400], subject[16];
    memset(payload, 'c', sizeof payload);
    struct log_batch *batch = NULL;
    for (unsigned i = from; i < to; i++) {
        if (!batch)
            batch = desk_begin(desk);
        snprintf(subject, sizeof subject, "k.%u", i % 50 == 0 ? i : i % 40);
        struct log_message message = {.subject = slice_str(subject),
                                      .payload = slice_make(payload, sizeof payload)};
        uint64_t sequence = 0;
        assert_int_equal(log_batch_append(batch, kv, &message, &sequence), 0);
        if (i % 100 != 99 && i + 1 != to)
            continue;
        desk_commit(desk, batch);
        desk_sync(desk);
        batch = NULL;
        if (i % 1000 == 999) {
            assert_int_equal(desk_checkpoint(desk), 0);
            sim_run_for(desk->sim, SIM_SECOND);
        }
    }
}

static void test_what_is_left_of_many_blocks_is_merged(void **state) {
    (void)state;
    struct desk *desk = desk_new(4, NULL);
    desk_open(desk);
    struct log_stream *kv =
        desk_put(desk, "KV", (struct log_limits){.messages_per_subject_max = 1}, false);
    churn(desk, kv, 0, 20000); /* 9 MB in 140 blocks; 440 keys stay, 200 kB */
    uint64_t expected = log_stream_state(kv).messages;
    assert_in_range(expected, 430, 445);
    for (int i = 0; i < 10; i++) {
        desk_write(desk, kv, "k.1", "again");
        assert_int_equal(desk_checkpoint(desk), 0);
        sim_run_for(desk->sim, SIM_SECOND);
    }
    assert_true(kv->count < 20);
    assert_true(log_stats(desk->log).segment_bytes < 1500000);
    unsigned maps = 0;
    for (uint32_t i = 0; i < kv->count; i++)
        maps += stream_block(kv, i)->map != NULL;
    assert_true(maps > 0);
    for (int round = 0; round < 3; round++) {
        assert_int_equal(log_stream_state(kv).messages, expected);
        assert_int_equal(read_all(desk, kv), expected);
        assert_int_equal(log_count(desk->log, kv, (slice){0}, 1), expected);
        struct log_record record;
        assert_int_equal(desk_read(desk, kv, 5001, &record), 0);
        assert_true(slice_equal(record.subject, slice_lit("k.5000")));
        assert_int_equal(desk_read(desk, kv, 5000, &record), -ENOENT);
        if (round == 0) {
            desk_reopen(desk);
        } else {
            desk_cut(desk);
            desk_open(desk);
        }
        kv = desk_find(desk, "KV");
    }
    struct log_verify_report report;
    desk_close(desk);
    assert_int_equal(log_verify(desk->host, "log", NULL, NULL, &report, NULL), 0);
    desk_open(desk);
    kv = desk_find(desk, "KV");
    /* Merged blocks lose messages like others, and the stream goes on behind them. */
    desk_delete(desk, kv, 5001);
    desk_delete(desk, kv, 5101);
    desk_write(desk, kv, "k.5050", "moved");
    assert_int_equal(log_stream_state(kv).messages, expected - 2);
    churn(desk, kv, 20000, 26000);
    expected = log_stream_state(kv).messages;
    assert_int_equal(read_all(desk, kv), expected);
    desk_cut(desk);
    desk_open(desk);
    assert_int_equal(read_all(desk, desk_find(desk, "KV")), expected);
    desk_free(desk);
}

static void test_a_slice_lives_till_the_next_turn_whatever_happens(void **state) {
    (void)state;
    struct desk *desk = desk_new(5, NULL);
    desk_open(desk);
    struct log_stream *a = desk_stream(desk, "A");
    for (unsigned i = 1; i <= 20; i++)
        desk_write(desk, a, "x", "some text that must not go away");
    desk_delete(desk, a, 7);
    struct log_record record;
    assert_int_equal(log_read(desk->log, a, 8, &record), 0);
    assert_true(compact_block(stream_block(a, 0)));
    assert_true(slice_equal(record.payload, slice_lit("some text that must not go away")));
    assert_int_equal(log_read(desk->log, a, 9, &record), 0);
    stream_block_remove(a, 0);
    assert_true(slice_equal(record.payload, slice_lit("some text that must not go away")));
    desk_free(desk);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_segments_that_are_mostly_dead_are_emptied),
        cmocka_unit_test(test_a_squeezed_block_still_answers_for_its_holes),
        cmocka_unit_test(test_what_is_not_on_disk_yet_is_not_squeezed),
        cmocka_unit_test(test_what_is_left_of_many_blocks_is_merged),
        cmocka_unit_test(test_a_slice_lives_till_the_next_turn_whatever_happens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
