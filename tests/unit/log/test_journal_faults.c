#include "journal_kit.h"

/* Every allocation and every io call fails, each in turn, once and for good: no crash, no leak, and
   nothing that was acknowledged is missing afterwards. */

enum { BATCHES = 24 };

/* Refusals are the caller's to bear: it goes on with the next batch. */
static void write_some(struct desk *desk) {
    for (int i = 0; i < BATCHES && !desk->failures; i++) {
        uint32_t size = i % 7 == 3 ? 70000 : i % 3 ? 3000 : 9000;
        int failed = desk_try_commit(desk, 1 + (uint32_t)i % 2, size, i % 5 == 4);
        assert_true(failed == 0 || failed == -ENOMEM || failed == -ENOSPC || failed == -EAGAIN ||
                    failed == -EROFS);
        if (i % 4 == 1)
            sim_run_for(desk->sim, 5 * SIM_MILLISECOND);
        if (i % 12 == 5) {
            desk_sync(desk);
            desk->options.from_position = desk->synced;
            if (!desk->failures)
                journal_recycle(desk->journal, desk->synced);
            desk_rest(desk);
        }
    }
}

static void no_more_faults(struct desk *desk) {
    mem_fail_at(0, false);
    sim_fail_io_at(desk->sim, 0, false);
}

/* After the faulty life: kill or cut, then a good one. */
static void judge(struct desk *desk, bool cut) {
    no_more_faults(desk);
    if (cut)
        desk_cut(desk);
    else
        desk_kill(desk);
    desk_open(desk);
    desk_write(desk, 1, 10);
    desk_close(desk);
    struct journal_report report;
    assert_int_equal(journal_verify(desk->host, "log", 0, NULL, NULL, &report, NULL), 0);
    assert_true(report.sealed);
    desk_free(desk);
}

/* One life with faults armed before the open. */
static void live(struct desk *desk) {
    struct error error = {0};
    if (desk_try_open(desk, &error) == 0) {
        write_some(desk);
        desk_close(desk);
    }
}

/* --- io --------------------------------------------------------------------------------------- */

static void fail_each_io_call(bool persistent, bool used_before) {
    for (uint64_t nth = 1;; nth++) {
        struct desk *desk = desk_new(nth, NULL);
        if (used_before) {
            desk_open(desk);
            write_some(desk);
            desk_cut(desk);
        }
        uint64_t before = sim_io_attempts(desk->sim);
        sim_fail_io_at(desk->sim, nth, persistent);
        live(desk);
        bool hit = sim_io_attempts(desk->sim) - before >= nth;
        if (!hit)
            assert_int_equal(desk->failures, 0);
        judge(desk, nth % 2);
        if (!hit) {
            assert_true(nth > 50);
            return;
        }
    }
}

static void test_each_io_call_fails_once(void **state) {
    (void)state;
    fail_each_io_call(false, false);
}

static void test_each_io_call_fails_for_good(void **state) {
    (void)state;
    fail_each_io_call(true, false);
}

static void test_each_io_call_of_a_second_life_fails_once(void **state) {
    (void)state;
    fail_each_io_call(false, true);
}

static void test_each_io_call_of_a_second_life_fails_for_good(void **state) {
    (void)state;
    fail_each_io_call(true, true);
}

/* --- memory ----------------------------------------------------------------------------------- */

static void fail_each_allocation(bool persistent, bool used_before) {
    for (unsigned long nth = 1;; nth++) {
        struct desk *desk = desk_new(nth, NULL);
        if (used_before) {
            desk_open(desk);
            write_some(desk);
            desk_cut(desk);
        }
        unsigned long before = mem_attempts();
        mem_fail_at(nth, persistent);
        live(desk);
        bool hit = mem_attempts() - before >= nth;
        assert_int_equal(desk->failures, 0); /* memory is no reason to stop */
        judge(desk, nth % 2);
        if (!hit) {
            assert_true(nth > 10);
            return;
        }
    }
}

static void test_each_allocation_fails_once(void **state) {
    (void)state;
    fail_each_allocation(false, false);
    fail_each_allocation(false, true);
}

static void test_each_allocation_fails_for_good(void **state) {
    (void)state;
    fail_each_allocation(true, false);
    fail_each_allocation(true, true);
}

static void test_a_batch_refused_for_memory_is_as_it_was(void **state) {
    (void)state;
    struct desk *desk = desk_new(1, NULL);
    desk_open(desk);
    desk_commit(desk, 1, 10); /* the forming group has its first buffer */
    uint64_t position;
    assert_int_equal(journal_batch_begin(desk->journal, &position), 0);
    assert_int_equal(desk_add(desk, position, 0, 1000, false), 0);
    size_t bytes = journal_batch_bytes(desk->journal);
    char *out;
    mem_fail_at(1, true);
    assert_int_equal(journal_batch_room(desk->journal, 1u << 20, false, &out), -ENOMEM);
    mem_fail_at(0, false);
    assert_int_equal(journal_batch_bytes(desk->journal), bytes);
    desk->lives[position] = desk->life;
    desk->sizes[position] = 1000;
    desk->changes[position] = 1;
    desk->committed = position;
    journal_batch_commit(desk->journal);
    desk_sync(desk);
    desk_cut(desk);
    desk_open(desk);
    assert_int_equal(desk->replayed, 2);
    desk_free(desk);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_io_call_fails_once),
        cmocka_unit_test(test_each_io_call_fails_for_good),
        cmocka_unit_test(test_each_io_call_of_a_second_life_fails_once),
        cmocka_unit_test(test_each_io_call_of_a_second_life_fails_for_good),
        cmocka_unit_test(test_each_allocation_fails_once),
        cmocka_unit_test(test_each_allocation_fails_for_good),
        cmocka_unit_test(test_a_batch_refused_for_memory_is_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
