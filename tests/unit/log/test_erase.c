#include "log_kit.h"

#include "log/pin.h"
#include "log/stats.h"

/* Erased messages: no file of the log holds their bytes a while later, whatever happens between. */

#define SECRET "the secret that must go"

/* How often the files of the log hold TEXT. */
static unsigned on_disk(struct desk *desk, const char *text) {
    struct sim_image *image = sim_disk_save(desk->host);
    size_t len = strlen(text);
    const char *name;
    slice bytes;
    unsigned count = 0;
    for (unsigned i = 0; (name = sim_image_file(image, i, &bytes)); i++)
        for (size_t at = 0; strncmp(name, "log/", 4) == 0 && at + len <= bytes.len; at++)
            count += bytes.ptr[at] == text[0] && memcmp(bytes.ptr + at, text, len) == 0;
    sim_image_free(image);
    return count;
}

static bool is_erased(void *self) {
    return !log_stats(((struct desk *)self)->log).erasing;
}

static void wait_erased(struct desk *desk) {
    assert_true(sim_run_until(desk->sim, is_erased, desk, DESK_LIMIT));
}

static void erase(struct desk *desk, struct log_stream *stream, uint64_t sequence) {
    struct log_batch *batch = desk_begin(desk);
    assert_int_equal(log_batch_erase(batch, stream, sequence), 0);
    desk_commit(desk, batch);
    desk_sync(desk);
}

static void never(void *self, const struct error *error) {
    (void)self;
    print_error("%s: %s\n", error->place, error->message);
    fail();
}

static void verify(struct desk *desk) {
    struct log_verify_report report;
    struct error error = {0};
    assert_int_equal(log_verify(desk->host, "log", never, NULL, &report, &error), 0);
}

/* COUNT messages to each of the streams A and B by turns, SECRET in A among them; a checkpoint
   after each EVERY. The sequence of the secret. */
static uint64_t fill(struct desk *desk, unsigned count, unsigned every) {
    struct log_stream *a = desk_find(desk, "A"), *b = desk_find(desk, "B");
    uint64_t secret = 0;
    for (unsigned i = 1; i <= count; i++) {
        char payload[64];
        snprintf(payload, sizeof payload, "harmless %u", i);
        desk_append(desk, b, "other", payload);
        desk_append(desk, a, "x", payload);
        if (i == 3)
            secret = desk_append(desk, a, "x", SECRET);
        desk_sync(desk);
        if (every && i % every == 0)
            assert_int_equal(desk_checkpoint(desk), 0);
    }
    return secret;
}

static struct desk *made(uint64_t seed) {
    struct desk *desk = desk_new(seed, NULL);
    desk_open(desk);
    desk_stream(desk, "A");
    desk_stream(desk, "B");
    return desk;
}

/* The other messages of A and B are there, the secret is not. */
static void expect_rest(struct desk *desk, unsigned count, uint64_t secret) {
    struct log_stream *a = desk_find(desk, "A"), *b = desk_find(desk, "B");
    struct log_record record;
    assert_int_equal(desk_read(desk, a, secret, &record), -ENOENT);
    for (unsigned i = 1; i <= count; i++) {
        char payload[64];
        snprintf(payload, sizeof payload, "harmless %u", i);
        desk_expect(desk, b, i, "other", payload);
        desk_expect(desk, a, i < secret ? i : i + 1, "x", payload);
    }
}

static void test_every_copy_goes_from_journal_and_segments(void **state) {
    (void)state;
    struct desk *desk = made(1);
    uint64_t secret = fill(desk, 40, 5);
    assert_true(on_disk(desk, SECRET) > 4); /* the journal's, and one of each checkpoint */
    erase(desk, desk_find(desk, "A"), secret);
    wait_erased(desk);
    assert_int_equal(on_disk(desk, SECRET), 0);
    expect_rest(desk, 40, secret);
    desk_cut(desk);
    assert_int_equal(on_disk(desk, SECRET), 0);
    verify(desk);
    desk_open(desk);
    expect_rest(desk, 40, secret);
    desk_reopen(desk);
    wait_erased(desk);
    expect_rest(desk, 40, secret);
    desk_free(desk);
}

static void test_what_is_only_deleted_stays_on_disk(void **state) {
    (void)state;
    struct desk *desk = made(2);
    uint64_t secret = fill(desk, 20, 5);
    desk_delete(desk, desk_find(desk, "A"), secret);
    assert_true(is_erased(desk));
    assert_int_equal(desk_checkpoint(desk), 0);
    sim_run_for(desk->sim, 60 * SIM_SECOND);
    assert_true(on_disk(desk, SECRET) > 0);
    desk_free(desk);
}

static void test_a_message_that_no_checkpoint_has_saved(void **state) {
    (void)state;
    struct desk *desk = made(3);
    uint64_t secret = fill(desk, 10, 0);
    assert_int_equal(on_disk(desk, SECRET), 1);
    erase(desk, desk_find(desk, "A"), secret);
    wait_erased(desk);
    assert_int_equal(on_disk(desk, SECRET), 0);
    expect_rest(desk, 10, secret);
    desk_free(desk);
}

/* COUNT messages of 3 kB each to B: full blocks, that stay where they are first saved. */
static void fill_blocks(struct desk *desk, unsigned count) {
    char large[3000];
    memset(large, 'l', sizeof large - 1);
    large[sizeof large - 1] = 0;
    while (count--)
        desk_write(desk, desk_find(desk, "B"), "old", large);
}

/* Its block has been saved to one segment after the other while it grew, and what else is in them
   is alive. Segments that have got nothing since the message came stay as they are. */
static void test_copies_in_many_segments(void **state) {
    (void)state;
    struct desk *desk = desk_new(4, NULL);
    desk->options.segment_bytes = 32768;
    desk_open(desk);
    struct log_stream *a = desk_stream(desk, "A");
    desk_stream(desk, "B");
    for (unsigned i = 0; i < 5; i++) {
        desk_write(desk, a, "x", "harmless");
        fill_blocks(desk, 24);
        assert_int_equal(desk_checkpoint(desk), 0);
    }
    uint64_t old = desk->log->segments.items[0]->number;
    uint64_t secret = desk_write(desk, a, "x", SECRET);
    for (unsigned i = 0; i < 5; i++) {
        desk_write(desk, a, "x", "harmless");
        fill_blocks(desk, 24);
        assert_int_equal(desk_checkpoint(desk), 0);
    }
    assert_true(on_disk(desk, SECRET) > 4);
    erase(desk, a, secret);
    wait_erased(desk);
    assert_int_equal(on_disk(desk, SECRET), 0);
    assert_int_equal(desk->log->segments.items[0]->number, old);
    struct log_record record;
    desk_expect(desk, a, secret + 1, "x", "harmless");
    for (uint64_t s = 1; s <= 240; s++)
        assert_int_equal(desk_read(desk, desk_find(desk, "B"), s, &record), 0);
    desk_free(desk);
}

static void test_first_last_and_only_messages(void **state) {
    (void)state;
    struct desk *desk = made(5);
    struct log_stream *a = desk_find(desk, "A");
    desk_write(desk, a, "x", SECRET);
    assert_int_equal(desk_checkpoint(desk), 0);
    erase(desk, a, 1); /* the only one */
    wait_erased(desk);
    assert_int_equal(on_disk(desk, SECRET), 0);
    desk_write(desk, a, "x", SECRET);
    desk_write(desk, a, "x", "between");
    desk_write(desk, a, "x", SECRET);
    assert_int_equal(desk_checkpoint(desk), 0);
    erase(desk, a, 2);
    erase(desk, a, 4);
    wait_erased(desk);
    assert_int_equal(on_disk(desk, SECRET), 0);
    desk_expect(desk, a, 3, "x", "between");
    assert_int_equal(desk_write(desk, a, "x", "on"), 5);
    desk_reopen(desk);
    a = desk_find(desk, "A");
    desk_expect(desk, a, 3, "x", "between");
    desk_expect(desk, a, 5, "x", "on");
    assert_int_equal(log_stream_state(a).messages, 2);
    desk_free(desk);
}

static void test_a_block_that_is_on_disk_only(void **state) {
    (void)state;
    struct desk *desk = made(6);
    uint64_t secret = fill(desk, 30, 10);
    desk_reopen(desk); /* nothing is in memory now */
    erase(desk, desk_find(desk, "A"), secret);
    wait_erased(desk);
    assert_int_equal(on_disk(desk, SECRET), 0);
    expect_rest(desk, 30, secret);
    desk_free(desk);
}

/* Publishers do not stop for it, nor does it wait till they do. */
static void test_it_ends_while_others_publish(void **state) {
    (void)state;
    struct desk *desk = made(7);
    struct log_stream *a = desk_find(desk, "A");
    uint64_t secret = fill(desk, 20, 5);
    erase(desk, a, secret);
    unsigned appended = 0;
    while (!is_erased(desk)) {
        desk_append(desk, a, "x", "more");
        for (unsigned i = 0; i < 3; i++)
            (void)sim_step(desk->sim);
        if (desk->committed - desk->done > 30)
            desk_sync(desk);
        assert_true(++appended < 100000);
    }
    assert_int_equal(on_disk(desk, SECRET), 0);
    desk_sync(desk);
    expect_rest(desk, 20, secret);
    assert_true(log_stream_state(a).messages == 20 + appended);
    desk_free(desk);
}

static void test_many_at_once_are_one_round(void **state) {
    (void)state;
    struct desk *desk = made(8);
    struct log_stream *a = desk_find(desk, "A");
    for (unsigned i = 0; i < 200; i++)
        desk_write(desk, a, "x", i % 2 ? SECRET : "harmless");
    assert_int_equal(desk_checkpoint(desk), 0);
    uint64_t before = log_stats(desk->log).checkpoints;
    for (uint64_t s = 2; s <= 200; s += 2) {
        struct log_batch *batch = desk_begin(desk);
        assert_int_equal(log_batch_erase(batch, a, s), 0);
        desk_commit(desk, batch);
        if (s % 40 == 0)
            desk_sync(desk);
    }
    wait_erased(desk);
    assert_int_equal(on_disk(desk, SECRET), 0);
    assert_true(log_stats(desk->log).checkpoints - before < 20);
    assert_int_equal(log_stream_state(a).messages, 100);
    desk_free(desk);
}

/* A power cut at each step behind the acknowledgement, and one more while it is made good. */
static void test_a_power_cut_at_any_step(void **state) {
    (void)state;
    for (uint64_t steps = 1; steps <= 90; steps++) {
        struct desk *desk = made(1000 + steps);
        uint64_t secret = fill(desk, 12, 4);
        erase(desk, desk_find(desk, "A"), secret);
        sim_cut_at(desk->host, steps);
        while (!sim_host_down(desk->host) && !is_erased(desk))
            (void)sim_step(desk->sim);
        sim_cut_at(desk->host, 0);
        desk_cut(desk);
        verify(desk);
        desk_open(desk);
        expect_rest(desk, 12, secret);
        if (steps % 2) {
            sim_cut_at(desk->host, steps / 2 + 1);
            sim_run_for(desk->sim, SIM_SECOND);
            sim_cut_at(desk->host, 0);
            desk_cut(desk);
            desk_open(desk);
        }
        wait_erased(desk);
        assert_int_equal(on_disk(desk, SECRET), 0);
        expect_rest(desk, 12, secret);
        desk_reopen(desk);
        expect_rest(desk, 12, secret);
        desk_free(desk);
    }
}

static void test_a_kill_right_behind_the_acknowledgement(void **state) {
    (void)state;
    struct desk *desk = made(9);
    uint64_t secret = fill(desk, 20, 5);
    erase(desk, desk_find(desk, "A"), secret);
    desk_kill(desk);
    assert_true(on_disk(desk, SECRET) > 0);
    desk_open(desk);
    assert_false(is_erased(desk));
    wait_erased(desk);
    assert_int_equal(on_disk(desk, SECRET), 0);
    expect_rest(desk, 20, secret);
    desk_free(desk);
}

static void test_a_clean_stop_before_it_is_done(void **state) {
    (void)state;
    struct desk *desk = made(10);
    uint64_t secret = fill(desk, 20, 5);
    erase(desk, desk_find(desk, "A"), secret);
    desk_reopen(desk);
    assert_false(is_erased(desk));
    wait_erased(desk);
    assert_int_equal(on_disk(desk, SECRET), 0);
    expect_rest(desk, 20, secret);
    desk_free(desk);
}

static void on_pinned(void *self, int failed, struct log_pin *pin) {
    assert_int_equal(failed, 0);
    *(struct log_pin **)self = pin;
}

static bool is_pinned(void *self) {
    return *(struct log_pin **)self != NULL;
}

static void test_it_waits_for_a_copy_that_is_made(void **state) {
    (void)state;
    struct desk *desk = made(11);
    struct log_pin *asked, *pin = NULL;
    uint64_t secret = fill(desk, 20, 5);
    assert_int_equal(log_pin(desk->log, on_pinned, &pin, &asked), 0);
    assert_true(sim_run_until(desk->sim, is_pinned, &pin, DESK_LIMIT));
    erase(desk, desk_find(desk, "A"), secret);
    sim_run_for(desk->sim, 30 * SIM_SECOND);
    assert_false(is_erased(desk));
    log_unpin(pin);
    wait_erased(desk);
    assert_int_equal(on_disk(desk, SECRET), 0);
    expect_rest(desk, 20, secret);
    desk_free(desk);
}

static void test_it_is_done_when_the_disk_has_room_again(void **state) {
    (void)state;
    struct desk *desk = made(12);
    uint64_t secret = fill(desk, 20, 5);
    sim_disk_limit(desk->host, 1); /* what is there can still be written to */
    erase(desk, desk_find(desk, "A"), secret);
    sim_run_for(desk->sim, 60 * SIM_SECOND);
    assert_false(is_erased(desk));
    sim_disk_limit(desk->host, 0);
    wait_erased(desk);
    assert_int_equal(on_disk(desk, SECRET), 0);
    assert_int_equal(desk->fatals, 0);
    expect_rest(desk, 20, secret);
    desk_free(desk);
}

/* Whatever fails once on the way is tried again, here or after a restart. */
static void test_a_disk_that_fails_once(void **state) {
    (void)state;
    static const enum sim_call calls[] = {SIM_OPEN,   SIM_READ,   SIM_WRITE,    SIM_SYNC,
                                          SIM_RENAME, SIM_UNLINK, SIM_DIR_SYNC, SIM_ALLOCATE};
    unsigned fatals = 0, failures = 0;
    for (unsigned i = 0; i < array_count(calls); i++) {
        for (unsigned nth = 1; nth <= 12; nth++) {
            struct desk *desk = made(2000 + 100 * i + nth);
            uint64_t secret = fill(desk, 12, 4);
            erase(desk, desk_find(desk, "A"), secret);
            sim_disk_fail(desk->host, calls[i], nth, -EIO);
            (void)sim_run_until(desk->sim, is_erased, desk, 30 * SIM_SECOND);
            failures += log_stats(desk->log).checkpoints_failed > 0;
            fatals += desk->fatals;
            if (desk->fatals) {
                sim_run_for(desk->sim, SIM_SECOND);
                desk_kill(desk);
                desk_open(desk);
            }
            sim_disk_fail(desk->host, calls[i], 0, 0);
            wait_erased(desk);
            assert_int_equal(on_disk(desk, SECRET), 0);
            expect_rest(desk, 12, secret);
            desk_free(desk);
        }
    }
    assert_true(fatals > 0 && failures > 0);
}

static void test_its_stream_is_removed_meanwhile(void **state) {
    (void)state;
    struct desk *desk = made(13);
    uint64_t secret = fill(desk, 20, 5);
    struct log_batch *batch = desk_begin(desk);
    assert_int_equal(log_batch_erase(batch, desk_find(desk, "A"), secret), 0);
    desk_commit(desk, batch);
    batch = desk_begin(desk);
    assert_int_equal(log_batch_remove_stream(batch, desk_find(desk, "A")), 0);
    desk_commit(desk, batch);
    wait_erased(desk);
    assert_int_equal(on_disk(desk, SECRET), 0);
    desk_expect(desk, desk_find(desk, "B"), 1, "other", "harmless 1");
    desk_free(desk);
}

static void test_a_stream_in_memory_has_nothing_to_erase(void **state) {
    (void)state;
    struct desk *desk = made(14);
    struct log_stream *m = desk_put(desk, "M", (struct log_limits){0}, true);
    uint64_t sequence = desk_write(desk, m, "x", SECRET);
    erase(desk, m, sequence);
    assert_true(is_erased(desk));
    struct log_record record;
    assert_int_equal(desk_read(desk, m, sequence, &record), -ENOENT);
    desk_free(desk);
}

/* A segment whose blocks are not all whole stays as it is, and that does not hold up the rest. */
static void test_a_damaged_block_keeps_its_segment(void **state) {
    (void)state;
    struct desk *desk = made(15);
    uint64_t secret = fill(desk, 20, 20);
    desk_close(desk);
    struct io_file *file = NULL;
    assert_int_equal(io_file_open(desk->host, "log/segments/00000001.seg", IO_FILE_WRITE, &file),
                     0);
    assert_int_equal(io_file_write(file, "!", 1, 4096 + 64 + 48), 0); /* the first message */
    io_file_close(file);
    desk_open(desk);
    erase(desk, desk_find(desk, "A"), secret);
    wait_erased(desk);
    assert_int_equal(on_disk(desk, SECRET), 1);
    struct log_record record;
    assert_int_equal(desk_read(desk, desk_find(desk, "A"), secret, &record), -ENOENT);
    desk_expect(desk, desk_find(desk, "A"), 2, "x", "harmless 2");
    desk_free(desk);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_copy_goes_from_journal_and_segments),
        cmocka_unit_test(test_what_is_only_deleted_stays_on_disk),
        cmocka_unit_test(test_a_message_that_no_checkpoint_has_saved),
        cmocka_unit_test(test_copies_in_many_segments),
        cmocka_unit_test(test_first_last_and_only_messages),
        cmocka_unit_test(test_a_block_that_is_on_disk_only),
        cmocka_unit_test(test_it_ends_while_others_publish),
        cmocka_unit_test(test_many_at_once_are_one_round),
        cmocka_unit_test(test_a_power_cut_at_any_step),
        cmocka_unit_test(test_a_kill_right_behind_the_acknowledgement),
        cmocka_unit_test(test_a_clean_stop_before_it_is_done),
        cmocka_unit_test(test_it_waits_for_a_copy_that_is_made),
        cmocka_unit_test(test_it_is_done_when_the_disk_has_room_again),
        cmocka_unit_test(test_a_disk_that_fails_once),
        cmocka_unit_test(test_its_stream_is_removed_meanwhile),
        cmocka_unit_test(test_a_stream_in_memory_has_nothing_to_erase),
        cmocka_unit_test(test_a_damaged_block_keeps_its_segment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
