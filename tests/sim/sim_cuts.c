/*
 * sim_cuts.c - the crash campaign: the log under power cuts, kills, faults of disk and memory.
 *
 *      cuts      lives that end at any step of the disk, again and again on one machine
 *      io        one life; each io call of it is failed once, in turn, and from there on for good
 *      memory    the same with every allocation
 *      flips     every bit of every file of a small log is flipped, in turn (flips.c)
 *
 * `make test` runs a few of each, `make crash` as many cuts as asked for.
 */
#include "flips.h"
#include "world.h"

#include "base/mem.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#define LIVES_A_RUN 20

static struct world world;

/* --- cuts ------------------------------------------------------------------------------------- */

static void draw_fault(void) {
    static const struct {
        enum sim_call call;
        int error;
    } faults[] = {{SIM_WRITE, -EIO},       {SIM_SYNC, -EIO},    {SIM_SYNC, -EIO},
                  {SIM_WRITE, -ENOSPC},    {SIM_OPEN, -EMFILE}, {SIM_READ, -EIO},
                  {SIM_ALLOCATE, -ENOSPC}, {SIM_RENAME, -EIO},  {SIM_UNLINK, -EIO},
                  {SIM_DIR_SYNC, -EIO},    {SIM_TRUNCATE, -EIO}};
    unsigned i = (unsigned)world_below(&world, array_count(faults));
    sim_disk_fail(world.host, faults[i].call, 1 + world_below(&world, 40), faults[i].error);
    world.faulty = true;
}

/* The disk has room for a little more, for this life. */
static void fill_disk(void) {
    uint64_t most = UINT64_C(1) << 40, left = 0;
    sim_disk_limit(world.host, most);
    if (io_free_bytes(world.host, WORLD_DIRECTORY, &left) == 0)
        sim_disk_limit(world.host, most - left + world_below(&world, 300000));
    world.faulty = true;
}

static void on_damage(void *self, const struct error *error) {
    char text[1024];
    (void)self;
    campaign_fail(world.campaign, "verify finds damage in a sound log: %s",
                  error_text(error, text, sizeof(text)));
}

static void verify_finds_nothing(void) {
    struct log_verify_report report;
    struct error error = {0};
    char text[1024];
    int failed = log_verify(world.host, WORLD_DIRECTORY, on_damage, NULL, &report, &error);
    if (failed)
        campaign_fail(world.campaign, "verify answers %s on a sound log: %s", error_name(failed),
                      error_text(&error, text, sizeof(text)));
}

/* Behind a failed sync the page cache holds a group that the disk does not; the journal leaves a
   mark for the next process. A kill within the moment before the mark is on disk, followed by a
   power cut, is the one chain of faults that recovery does not survive today: it is not drawn here.
 */
static void kill_process(void) {
    if (world.faulty)
        sim_run_for(world.sim, SIM_SECOND);
    sim_kill(world.host);
}

static void live_and_die(void) {
    enum { AT_A_STEP, BETWEEN, KILL, STOP } end;
    uint64_t dice = world_below(&world, 12);
    end = dice < 7 ? AT_A_STEP : dice < 9 ? BETWEEN : dice < 11 ? KILL : STOP;
    uint64_t trouble = world_below(&world, 16);
    if (trouble == 0)
        draw_fault();
    else if (trouble == 1)
        fill_disk();
    if (end == AT_A_STEP)
        sim_cut_at(world.host, 1 + world_below(&world, 80));
    world_live(&world, 10 + world_below(&world, 100));
    if (end == STOP && !sim_host_down(world.host))
        world_stop(&world);
    bool cut = sim_host_down(world.host) || end == AT_A_STEP || end == BETWEEN;
    if (cut)
        sim_power_cut(world.host);
    else
        kill_process();
    world.campaign->cuts += cut;
    world.campaign->kills += !cut && end == KILL;
    world_leave(&world);
    bool was_faulty = world.faulty;
    world.host = sim_host_restart(world.host);
    sim_disk_limit(world.host, 0);
    if (!was_faulty && world_below(&world, 8) == 0)
        verify_finds_nothing();
}

static void run_cuts(struct campaign *campaign, uint64_t seed) {
    world_make(&world, campaign, seed);
    for (int i = 0; i < LIVES_A_RUN; i++) {
        world_recover(&world, true);
        if (world_below(&world, 4) == 0 && !sim_host_down(world.host))
            world_judge_erased(&world);
        live_and_die();
    }
    world_recover(&world, false);
    world_judge_erased(&world);
    world_stop(&world);
    world_leave(&world);
    world_free(&world);
}

/* --- every io call, every allocation ---------------------------------------------------------- */

/* One life of seed SEED in which something fails, then one in which nothing does. Returns how many
   calls the first one made. */
static uint64_t life_with_fault(struct campaign *campaign, uint64_t seed, bool memory, uint64_t nth,
                                bool for_good) {
    world_make(&world, campaign, seed);
    uint64_t before = memory ? mem_attempts() : sim_io_attempts(world.sim);
    world.faulty = nth > 0;
    if (memory)
        mem_fail_at((unsigned long)nth, for_good);
    else
        sim_fail_io_at(world.sim, nth, for_good);
    if (world_open(&world) == 0) {
        world_live(&world, 60);
        world_checkpoint(&world);
        world_live(&world, 20);
        world_stop(&world);
    }
    uint64_t calls = (memory ? mem_attempts() : sim_io_attempts(world.sim)) - before;
    mem_fail_at(0, false);
    sim_fail_io_at(world.sim, 0, false);
    if (seed & 1)
        sim_kill(world.host);
    else
        sim_power_cut(world.host);
    world_leave(&world);
    world_recover(&world, false);
    world_live(&world, 5);
    world_stop(&world);
    world_leave(&world);
    world_free(&world);
    return calls;
}

static void run_faults(struct campaign *campaign, uint64_t seed) {
    bool memory = campaign->memory;
    uint64_t calls = life_with_fault(campaign, seed, memory, 0, false);
    for (uint64_t nth = 1; nth <= calls; nth++) {
        life_with_fault(campaign, seed, memory, nth, false);
        life_with_fault(campaign, seed, memory, nth, true);
    }
    campaign->faults += 2 * calls;
    campaign->cuts++;
}

int main(int argc, char **argv) {
    struct campaign campaign = campaign_make("sim_cuts", argc, argv, 2000);
    uint64_t fault_runs = 4 + campaign.cuts_wanted / 10000;
    campaign_run(&campaign, "cuts", run_cuts, campaign.cuts_wanted);
    campaign_run(&campaign, "io", run_faults, fault_runs);
    campaign.memory = true;
    campaign_run(&campaign, "memory", run_faults, fault_runs);
    campaign_run(&campaign, "flips", flips_run, 1);
    return 0;
}
