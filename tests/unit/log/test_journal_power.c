#include "journal_kit.h"

#include "base/number.h"

#include <stdlib.h>

/* Many short lives, each ended by a power cut, a kill or a clean stop at a moment of the seed's
   choice: what was acknowledged is there, once, in order, and nothing else is. JOURNAL_SEEDS in the
   environment runs more of them, JOURNAL_SEED a single one. */

enum { SEEDS = 1500, LIVES = 6 };

struct tally { /* what must really have happened, or the test proves nothing */
    unsigned cuts, kills, stops, recycled, refused, torn, unacknowledged;
};

static uint32_t random_size(struct desk *desk) {
    switch (sim_below(desk->sim, 8)) {
    case 0:
        return (uint32_t)sim_below(desk->sim, 30000);
    case 1:
        return (uint32_t)sim_below(desk->sim, 150000);
    default:
        return (uint32_t)sim_below(desk->sim, 3000);
    }
}

/* A burst of batches, some of them in one turn. */
static void burst(struct desk *desk, struct tally *tally) {
    uint64_t count = 1 + sim_below(desk->sim, 6);
    for (uint64_t i = 0; i < count && !desk->failures; i++) {
        uint32_t changes = (uint32_t)sim_below(desk->sim, 4);
        bool reserve = sim_below(desk->sim, 4) == 0;
        int failed = desk_try_commit(desk, changes, random_size(desk), reserve);
        assert_true(failed == 0 || failed == -EAGAIN || sim_host_down(desk->host));
        tally->refused += failed == -EAGAIN;
        if (sim_below(desk->sim, 2))
            sim_run_for(desk->sim, sim_below(desk->sim, SIM_MILLISECOND));
    }
}

static void live(struct desk *desk, struct tally *tally) {
    uint64_t bursts = sim_below(desk->sim, 12);
    for (uint64_t i = 0; i < bursts && !desk->failures && !sim_host_down(desk->host); i++) {
        burst(desk, tally);
        if (sim_below(desk->sim, 3) == 0)
            sim_run_for(desk->sim, sim_below(desk->sim, 80 * SIM_MILLISECOND));
        if (sim_below(desk->sim, 3) == 0 && !desk->failures) {
            desk->options.from_position = desk->synced; /* the checkpoint is on disk */
            journal_recycle(desk->journal, desk->synced);
            tally->recycled++;
        }
    }
}

static void end(struct desk *desk, struct tally *tally) {
    uint64_t how = sim_below(desk->sim, 4);
    tally->unacknowledged += desk->acknowledged < desk->committed;
    if (sim_host_down(desk->host) || how < 2) {
        tally->cuts++;
        desk_cut(desk);
    } else if (how == 2) {
        tally->kills++;
        desk_kill(desk);
    } else {
        tally->stops++;
        desk_close(desk);
        for (uint64_t bare = desk->acknowledged + 1; bare <= desk->committed; bare++)
            assert_int_equal(desk->changes[bare], 0);
    }
}

/* Opens; the power may go meanwhile, again and again. */
static void open_somehow(struct desk *desk, struct tally *tally) {
    for (int i = 0; i < 3; i++) {
        if (sim_below(desk->sim, 4) == 0)
            sim_cut_at(desk->host, 1 + sim_below(desk->sim, 12));
        struct error error = {0};
        int failed = desk_try_open(desk, &error);
        if (failed == 0)
            return;
        if (!sim_host_down(desk->host))
            print_message("open: %s: %s\n", error.place, error.message);
        assert_true(sim_host_down(desk->host));
        tally->torn++;
        desk_cut(desk);
    }
    desk_open(desk);
}

static void run(uint64_t seed, struct tally *tally) {
    struct sim_options options = {.sector_bytes = seed % 3 ? 4096 : 512,
                                  .tidy_sectors = seed % 5 == 0};
    struct desk *desk = desk_new(seed, &options);
    desk->options.files = 2 + (unsigned)(seed % 4);
    for (int life = 0; life < LIVES; life++) {
        open_somehow(desk, tally);
        if (sim_below(desk->sim, 2))
            sim_cut_at(desk->host, 1 + sim_below(desk->sim, 60));
        live(desk, tally);
        if (!sim_host_down(desk->host))
            sim_cut_at(desk->host, 0);
        end(desk, tally);
    }
    desk_open(desk);
    desk->options.from_position = desk->synced;
    journal_recycle(desk->journal, desk->synced);
    desk_rest(desk);
    desk_write(desk, 1, 10); /* there is always a way out of a full journal */
    desk_close(desk);
    struct journal_report report;
    struct error error = {0};
    assert_int_equal(journal_verify(desk->host, "log", 0, NULL, NULL, &report, &error), 0);
    assert_true(report.sealed);
    desk_free(desk);
}

static uint64_t setting(const char *name, uint64_t otherwise) {
    uint64_t number;
    const char *text = getenv(name);
    return text && number_parse_u64(slice_str(text), &number) == 0 ? number : otherwise;
}

static void test_nothing_acknowledged_is_lost_over_many_lives(void **state) {
    (void)state;
    struct tally tally = {0};
    uint64_t only = setting("JOURNAL_SEED", UINT64_MAX);
    if (only != UINT64_MAX) {
        run(only, &tally);
        return;
    }
    uint64_t seeds = setting("JOURNAL_SEEDS", SEEDS);
    for (uint64_t seed = 0; seed < seeds; seed++)
        run(seed, &tally);
    assert_true(tally.cuts > seeds && tally.kills > seeds / 4 && tally.stops > seeds / 4);
    assert_true(tally.recycled > seeds && tally.refused > 0);
    assert_true(tally.torn > 0 && tally.unacknowledged > seeds);
}

static void test_one_seed_is_one_run(void **state) {
    (void)state;
    struct tally first = {0}, second = {0};
    run(42, &first);
    run(42, &second);
    assert_memory_equal(&first, &second, sizeof first);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_acknowledged_is_lost_over_many_lives),
        cmocka_unit_test(test_one_seed_is_one_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
