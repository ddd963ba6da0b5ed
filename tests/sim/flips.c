/*
 * flips.c - flips bits of a small log, one at a time. See flips.h.
 *
 * What may go unnoticed: a bit in a sector of zeros that nothing uses, and the seal at the end of
 * the journal, which holds nothing: a bad last group counts as a torn tail.
 */
#include "flips.h"

#include "world.h"

#include <errno.h>
#include <inttypes.h>

#define SECTOR 4096u

static struct world world;

struct flip {
    const char *path;
    uint64_t offset;
    unsigned bit;
};

static _Noreturn void wrong(const struct flip *flip, const char *what) {
    campaign_fail(world.campaign, "%s offset %" PRIu64 " bit %u: %s", flip->path, flip->offset,
                  flip->bit, what);
}

static void write_small_log(struct campaign *campaign, uint64_t seed) {
    world_make(&world, campaign, seed);
    world.options.journal_file_bytes = 128u << 10; /* nothing is recycled: no bytes of old uses */
    world.options.journal_files = 4;
    world.options.checkpoint_idle_ns = 3600 * SIM_SECOND;
    world_recover(&world, false);
    world_live(&world, 25);
    world_checkpoint(&world);
    sim_run_for(world.sim, SIM_SECOND);
    world_live(&world, 15);
    world_stop(&world);
    world_leave(&world);
}

/* --- one flip --------------------------------------------------------------------------------- */

static void on_damage(void *self, const struct error *error) {
    unsigned *found = self;
    if (error->place[0] && error->message[0])
        ++*found;
}

/* Is the damage found, and named? */
static bool verify_finds(const struct flip *flip) {
    struct log_verify_report report = {0};
    struct error error = {0};
    unsigned found = 0;
    int failed = log_verify(world.host, WORLD_DIRECTORY, on_damage, &found, &report, &error);
    if (failed == -EBADMSG && found == 0 && !error.place[0])
        wrong(flip, "verify finds damage and does not say where");
    if (failed && failed != -EBADMSG && failed != -ENOTSUP)
        wrong(flip, "verify cannot read the log");
    return failed != 0;
}

static bool opens(const struct flip *flip) {
    struct error error = {0};
    int failed = io_group_create(world.host, 1, &world.group);
    check(failed == 0);
    sim_group_start(world.group, NULL, NULL);
    world.options.logger = NULL;
    world.faulty = true;
    world.fatal = world.stopped = false;
    for (unsigned i = 0; i < MODEL_OWNERS; i++)
        world.found[i].found = (struct model_owner){0};
    failed = log_open(io_group_loop(world.group, 0), &world.options, &world.log, &error);
    if (failed) {
        world.log = NULL;
        if (failed != -EBADMSG && failed != -ENOTSUP)
            wrong(flip, error_name(failed));
        if (!error.place[0] || !error.message[0])
            wrong(flip, "the log does not open, and does not say where it is damaged");
    }
    return failed == 0;
}

/* Every message is read as it was, or answers -EBADMSG; how many did. */
static unsigned count_damaged(const struct flip *flip, unsigned index, struct log_stream *stream) {
    const struct model_stream *expected = &world.shown.streams[index];
    struct log_stream_state state = log_stream_state(stream);
    unsigned damaged = 0;
    if (state.last_sequence != expected->last || state.first_sequence != expected->first)
        wrong(flip, "a stream was shortened");
    for (uint64_t s = expected->first; s <= expected->last; s++) {
        struct log_record record;
        int failed = world_read(&world, stream, s, &record);
        if (!failed && !model_lives(expected, s))
            wrong(flip, "a deleted message is back");
        if (!failed)
            world_check_record(&world, index, s, &record);
        else if (failed == -ENOENT && model_lives(expected, s))
            wrong(flip, "a message has vanished");
        else if (failed == -EBADMSG)
            damaged++;
        else if (failed != -ENOENT)
            wrong(flip, error_name(failed));
    }
    return damaged;
}

/* The log has opened over the damage: is everything there, or missed by name? */
static bool is_whole(const struct flip *flip) {
    unsigned damaged = 0;
    for (unsigned i = 0; i < MODEL_STREAMS; i++) {
        struct log_stream *stream = log_stream_find(world.log, model_stream_name(i));
        if ((stream != NULL) != world.shown.streams[i].exists)
            wrong(flip, "a stream has come or gone");
        if (stream)
            damaged += count_damaged(flip, i, stream);
    }
    for (unsigned i = 0; i < MODEL_OWNERS; i++)
        if (memcmp(&world.found[i].found, &world.shown.owners[i], sizeof(struct model_owner)) != 0)
            wrong(flip, "an owner's state differs");
    return damaged == 0;
}

/* Returns whether anybody noticed. */
static bool try_flip(const struct sim_image *image, const struct flip *flip) {
    sim_disk_load(world.host, image);
    int failed = sim_flip_bit(world.host, flip->path, flip->offset, flip->bit);
    check(failed == 0);
    bool found = verify_finds(flip);
    bool opened = opens(flip);
    bool whole = opened && is_whole(flip);
    if (!whole && !found)
        wrong(flip, "the log is not whole, and verify finds nothing");
    world_leave(&world);
    return found;
}

/* --- all of them ------------------------------------------------------------------------------ */

static bool is_zero(slice bytes, uint64_t sector) {
    slice part = slice_take(slice_skip(bytes, sector * SECTOR), SECTOR);
    for (size_t i = 0; i < part.len; i++)
        if (part.ptr[i])
            return false;
    return true;
}

/* Flips in one sector; EACH-th bit on average. Returns whether one went unnoticed. */
static bool flip_sector(const struct sim_image *image, const char *path, slice bytes,
                        uint64_t sector, uint64_t each) {
    bool unnoticed = false;
    uint64_t end = (sector + 1) * SECTOR < bytes.len ? (sector + 1) * SECTOR : bytes.len;
    for (uint64_t bit = sector * SECTOR * 8; bit < end * 8; bit++) {
        if (each > 1 && world_below(&world, each) != 0)
            continue;
        struct flip flip = {path, bit / 8, (unsigned)(bit % 8)};
        unnoticed |= !try_flip(image, &flip);
        world.campaign->faults++;
    }
    return unnoticed;
}

/* The seal: the last sector in use of the journal's last file that has any. */
static bool is_seal(const char *path, slice bytes, uint64_t sector) {
    uint64_t last = sector + 1;
    while (last * SECTOR < bytes.len && is_zero(bytes, last))
        last++;
    return slice_ends_with(slice_str(path), slice_lit(".jnl")) && last * SECTOR >= bytes.len;
}

static uint64_t bits_of(const struct sim_image *image) {
    uint64_t bits = 0;
    slice bytes;
    for (unsigned i = 0; sim_image_file(image, i, &bytes); i++)
        for (uint64_t s = 0; s * SECTOR < bytes.len; s++)
            bits += is_zero(bytes, s) ? 0 : SECTOR * 8;
    return bits;
}

void flips_run(struct campaign *campaign, uint64_t seed) {
    write_small_log(campaign, seed);
    struct sim_image *image = sim_disk_save(world.host);
    uint64_t bits = bits_of(image), seals = 0;
    uint64_t each = campaign->cuts_wanted >= FLIPS_ALL ? 1 : bits / FLIPS_SAMPLE + 1;
    const char *path;
    slice bytes;
    for (unsigned i = 0; (path = sim_image_file(image, i, &bytes)) != NULL; i++) {
        for (uint64_t s = 0; s * SECTOR < bytes.len; s++) {
            if (is_zero(bytes, s) || !flip_sector(image, path, bytes, s, each))
                continue;
            if (seals++ > 0 || !is_seal(path, bytes, s))
                campaign_fail(campaign, "%s, sector %" PRIu64 ": holds bits nobody watches over",
                              path, s);
        }
    }
    sim_image_free(image);
    world_free(&world);
    campaign->cuts++;
}
