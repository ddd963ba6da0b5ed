/*
 * cuts_journal.c - the journal under power cuts, kills and failed syncs, against an oracle.
 *
 * One run is one machine: batches of random size are committed, some are acknowledged, positions
 * are declared saved so that files are recycled, then the power goes at a random step of the disk
 * or between two events (or the process is killed, its page cache kept); recovery runs, perhaps cut
 * itself, and the oracle judges what it was given:
 *
 *      1 .... saved | every batch, whole, in order ............ | nothing
 *                                    acknowledged <=  recovered <= committed
 *
 * What was recovered has been shown to readers and so must never be lost again either.
 */
#include "campaign.h"
#include "log/journal.h"
#include "log/record.h"
#include "sim.h"

#include "base/hash.h"
#include "base/mem.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#define POSITIONS_MAX 4096
#define CUTS_A_RUN 24
#define DIRECTORY "data"

struct world {
    struct campaign *campaign;
    struct sim *sim;
    struct io_host *host;
    struct io_group *group;
    struct journal *journal;
    struct journal_options options;
    /* By position: how the batch was made; 0 records: without changes. */
    struct {
        uint64_t tag;
        uint32_t records;
    } made[POSITIONS_MAX];
    uint64_t committed, acknowledged, saved;
    uint64_t replayed; /* during an open: the last position given */
    bool failed;       /* on_failed was called in this life */
    bool closed;
};

static uint64_t below(struct world *world, uint64_t bound) {
    return sim_below(world->sim, bound);
}

/* --- batches ---------------------------------------------------------------------------------- */

/* Record INDEX of the batch made with TAG; its bytes follow from the two. */
static size_t payload_size(uint64_t tag, uint32_t index) {
    uint64_t dice = hash_mix64(tag + index);
    switch (dice & 15) {
    case 0:
        return (dice >> 8) % 20000;
    case 1:
    case 2:
    case 3:
        return (dice >> 8) % 4000;
    default:
        return (dice >> 8) % 200;
    }
}

static void fill_payload(uint64_t tag, uint32_t index, char *out, size_t size) {
    uint64_t word = hash_mix64(tag ^ ((uint64_t)index << 32));
    for (size_t i = 0; i < size; i += 8, word = word * UINT64_C(6364136223846793005) + 1)
        memcpy(out + i, &word, size - i < 8 ? size - i : 8);
}

static struct record make_record(uint64_t tag, uint32_t index, uint64_t position, char *payload) {
    size_t size = payload_size(tag, index);
    fill_payload(tag, index, payload, size);
    return (struct record){.kind = RECORD_MESSAGE,
                           .id = 1,
                           .sequence = index + 1,
                           .position = position,
                           .time_ns = (int64_t)(tag >> 1),
                           .subject = slice_lit("a.b"),
                           .payload = slice_make(payload, size)};
}

static char payload_room[20000], record_room[20100];

static void commit_batch(struct world *world) {
    uint64_t position;
    if (world->committed + 1 >= POSITIONS_MAX ||
        journal_batch_begin(world->journal, &position) != 0)
        return;
    if (position != world->committed + 1)
        campaign_fail(world->campaign, "position %" PRIu64 " is offered behind %" PRIu64, position,
                      world->committed);
    uint64_t tag = hash_mix64(position) + below(world, UINT64_MAX);
    uint32_t wanted = (uint32_t)below(world, 5), added = 0;
    for (; added < wanted; added++) {
        struct record record = make_record(tag, added, position, payload_room);
        char *room;
        if (journal_batch_room(world->journal, record_size(&record), false, &room))
            break;
        record_encode(&record, room);
        journal_batch_add(world->journal, record_size(&record));
    }
    if (added < wanted || below(world, 16) == 0) {
        journal_batch_abandon(world->journal);
        return;
    }
    journal_batch_commit(world->journal);
    world->committed = position;
    world->made[position].tag = tag;
    world->made[position].records = added;
}

/* --- what the journal tells ------------------------------------------------------------------- */

static void on_synced(void *self, uint64_t last_position) {
    struct world *world = self;
    if (sim_host_down(world->host))
        return; /* a ghost's word, which nobody hears */
    if (last_position > world->committed || last_position < world->acknowledged)
        campaign_fail(world->campaign, "synced up to %" PRIu64 " of %" PRIu64 ", was %" PRIu64,
                      last_position, world->committed, world->acknowledged);
    while (last_position > world->acknowledged && world->made[last_position].records == 0)
        last_position--; /* without changes: takes its position, promises nothing */
    if (last_position > world->acknowledged)
        world->acknowledged = last_position;
}

static void on_failed(void *self, const struct error *error) {
    struct world *world = self;
    (void)error;
    world->failed = true;
}

static int on_replay(void *self, uint64_t position, slice changes, uint32_t count,
                     struct error *ret_error) {
    struct world *world = self;
    (void)ret_error;
    for (uint64_t p = world->replayed + 1; p < position; p++)
        if (world->made[p].records > 0)
            campaign_fail(world->campaign, "position %" PRIu64 " comes without %" PRIu64, position,
                          p);
    if (position <= world->replayed || position > world->committed)
        campaign_fail(world->campaign, "position %" PRIu64 " behind %" PRIu64 " of %" PRIu64,
                      position, world->replayed, world->committed);
    world->replayed = position;
    if (count != world->made[position].records)
        campaign_fail(world->campaign, "position %" PRIu64 " has %u records, not %u", position,
                      count, world->made[position].records);
    for (uint32_t i = 0; i < count; i++) {
        struct record record = make_record(world->made[position].tag, i, position, payload_room);
        size_t size = record_size(&record);
        record_encode(&record, record_room);
        if (changes.len < size || memcmp(changes.ptr, record_room, size) != 0)
            campaign_fail(world->campaign, "position %" PRIu64 " record %u differs", position, i);
        changes = slice_skip(changes, size);
    }
    if (changes.len > 0)
        campaign_fail(world->campaign, "position %" PRIu64 " has bytes behind it", position);
    world->campaign->checked++;
    return 0;
}

/* --- lives ------------------------------------------------------------------------------------ */

static int try_open(struct world *world) {
    struct error error = {0};
    world->replayed = world->saved;
    world->failed = world->closed = false;
    int failed = io_group_create(world->host, 1, &world->group);
    check(failed == 0);
    sim_group_start(world->group, NULL, NULL);
    world->options.loop = io_group_loop(world->group, 0);
    world->options.from_position = world->saved;
    failed = io_dir_create(world->host, DIRECTORY);
    if (!failed)
        failed = io_dir_sync(world->host, "");
    if (!failed)
        failed = journal_open(&world->options, &world->journal, &error);
    if (failed && !sim_host_down(world->host)) {
        char text[1024];
        campaign_fail(world->campaign, "does not open: %s", error_text(&error, text, sizeof(text)));
    }
    return failed;
}

static void leave(struct world *world) {
    world->journal = journal_free(world->journal);
    world->group = io_group_free(world->group);
    if (sim_open_handles(world->sim) != 0)
        campaign_fail(world->campaign, "%u handles were left open", sim_open_handles(world->sim));
}

/* Opens until an open is not cut itself, then judges. */
static void recover(struct world *world) {
    for (;;) {
        if (sim_host_down(world->host))
            world->host = sim_host_restart(world->host);
        if (below(world, 4) == 0)
            sim_cut_at(world->host, 1 + below(world, 12));
        int failed = try_open(world);
        sim_cut_at(world->host, 0);
        if (!failed)
            break;
        world->campaign->cuts++;
        leave(world);
    }
    uint64_t position = journal_position(world->journal);
    if (position < world->acknowledged || position > world->committed || position < world->replayed)
        campaign_fail(world->campaign,
                      "recovered up to %" PRIu64 ", replayed %" PRIu64 ", acknowledged %" PRIu64
                      ", committed %" PRIu64,
                      position, world->replayed, world->acknowledged, world->committed);
    for (uint64_t p = world->replayed + 1; p <= position; p++)
        if (p > world->saved && world->made[p].records > 0)
            campaign_fail(world->campaign, "position %" PRIu64 " was not replayed", p);
    world->committed = position;
    if (world->replayed > world->acknowledged)
        world->acknowledged = world->replayed;
}

static void on_closed(void *self, int failed) {
    struct world *world = self;
    if (failed && !world->failed && !sim_host_down(world->host))
        campaign_fail(world->campaign, "close failed: %s", error_name(failed));
    world->closed = true;
}

static bool is_closed(void *self) {
    return ((struct world *)self)->closed;
}

static void close_cleanly(struct world *world) {
    uint64_t committed = world->committed;
    journal_close(world->journal, on_closed, world);
    bool closed = sim_run_until(world->sim, is_closed, world, 60 * SIM_SECOND);
    if (!closed)
        campaign_fail(world->campaign, "close does not end");
    while (committed > 0 && world->made[committed].records == 0)
        committed--;
    if (!sim_host_down(world->host) && !world->failed && world->acknowledged < committed)
        campaign_fail(world->campaign, "closed at %" PRIu64 " of %" PRIu64, world->acknowledged,
                      committed);
}

static void work(struct world *world) {
    switch (below(world, 12)) {
    case 0:
        if (world->acknowledged > world->saved) {
            world->saved += 1 + below(world, world->acknowledged - world->saved);
            journal_recycle(world->journal, world->saved);
        }
        break;
    case 1: /* long enough for a seal, now and then */
        sim_run_for(world->sim, below(world, 80 * SIM_MILLISECOND));
        break;
    case 2:
        sim_run_for(world->sim, below(world, SIM_MILLISECOND));
        break;
    case 3:
    case 4:
    case 5:
        for (uint64_t steps = below(world, 8); steps > 0; steps--)
            (void)sim_step(world->sim);
        break;
    default:
        commit_batch(world);
    }
}

static bool verify_hears_nothing(struct world *world) {
    struct journal_report report;
    struct error error = {0};
    int failed = journal_verify(world->host, DIRECTORY, 0, NULL, NULL, &report, &error);
    return failed == 0;
}

/* One life: work until the end that was drawn for it. */
static void live(struct world *world) {
    enum { CUT_AT_STEP, CUT_BETWEEN, KILL, CLOSE } end;
    uint64_t dice = below(world, 10);
    end = dice < 5 ? CUT_AT_STEP : dice < 8 ? CUT_BETWEEN : dice < 9 ? KILL : CLOSE;
    if (end == CUT_AT_STEP)
        sim_cut_at(world->host, 1 + below(world, 60));
    for (uint64_t left = 20 + below(world, 100); left > 0 && !sim_host_down(world->host); left--)
        work(world);
    if (end == CLOSE && !sim_host_down(world->host))
        close_cleanly(world);
    if (end == KILL || end == CLOSE) {
        world->campaign->kills += end == KILL;
        sim_kill(world->host);
    }
    sim_power_cut(world->host);
    world->campaign->cuts += end == CUT_AT_STEP || end == CUT_BETWEEN;
    if (world->failed && !sim_host_down(world->host))
        campaign_fail(world->campaign, "failed without a fault");
    leave(world);
    world->host = sim_host_restart(world->host);
    if (below(world, 8) == 0 && !verify_hears_nothing(world))
        campaign_fail(world->campaign, "verify finds damage where there is none");
}

static void run_one(struct campaign *campaign, uint64_t seed) {
    static struct world world;
    struct sim_options options = {.trace = campaign->trace ? stderr : NULL};
    memset(&world, 0, sizeof(world));
    world.campaign = campaign;
    world.sim = sim_create(seed, &options);
    world.host = sim_host_create(world.sim, "a");
    world.options = (struct journal_options){.directory = DIRECTORY,
                                             .file_bytes = JOURNAL_FILE_BYTES_MIN,
                                             .files = 2 + (unsigned)below(&world, 3),
                                             .replay = on_replay,
                                             .on_synced = on_synced,
                                             .on_failed = on_failed,
                                             .self = &world};
    for (int i = 0; i < CUTS_A_RUN; i++) {
        recover(&world);
        live(&world);
    }
    campaign_hash(campaign, sim_hash(world.sim));
    sim_free(world.sim);
}

int main(int argc, char **argv) {
    struct campaign campaign = campaign_make("sim_cuts_journal", argc, argv, 3000);
    campaign_run(&campaign, "cuts", run_one, campaign.cuts_wanted);
    return 0;
}
