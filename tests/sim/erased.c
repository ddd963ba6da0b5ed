/*
 * erased.c - what was erased is looked for on the disk.
 *
 * The oracle remembers the tags of messages whose erasing is on disk, acknowledged or found by a
 * recovery. Once the log says that it is done, no file may hold the beginning or the end of any of
 * them; and it must say so after a while.
 */
#include "world.h"

#include "log/stats.h"

#include <inttypes.h>

#define PIECE_BYTES 16u /* of a payload, enough to be told from all others */
#define LIMIT_NS (300 * SIM_SECOND)

void world_note_erased(struct world *world, const struct model_op *op) {
    const struct model_stream *stream = &world->shown.streams[op->stream];
    if (op->kind != MODEL_DELETE || !op->erase || !model_lives(stream, op->sequence) ||
        world->erased_count == WORLD_ERASED)
        return;
    uint64_t tag = model_at(stream, op->sequence)->tag;
    if (model_message(tag, 0).payload.len >= PIECE_BYTES)
        world->erased[world->erased_count++] = tag;
}

static bool holds(slice bytes, const char *piece) {
    const char *at = bytes.ptr, *end = bytes.ptr + bytes.len;
    while (end - at >= (ptrdiff_t)PIECE_BYTES &&
           (at = memchr(at, piece[0], (size_t)(end - at) - PIECE_BYTES + 1)) != NULL)
        if (memcmp(at++, piece, PIECE_BYTES) == 0)
            return true;
    return false;
}

static void look_for(struct world *world, const char *name, slice bytes, uint64_t tag) {
    slice payload = model_message(tag, 0).payload;
    if (holds(bytes, payload.ptr) || holds(bytes, payload.ptr + payload.len - PIECE_BYTES))
        campaign_fail(world->campaign, "%s still holds the erased message %" PRIx64 "\n%s", name,
                      tag, sim_log_text(world->host));
}

static bool is_done(void *self) {
    const struct world *world = self;
    return sim_host_down(world->host) || world->fatal || !log_stats(world->log).erasing;
}

void world_judge_erased(struct world *world) {
    bool done = sim_run_until(world->sim, is_done, world, LIMIT_NS);
    if (world->fatal || sim_host_down(world->host))
        return;
    if (!done)
        campaign_fail(world->campaign, "erasing does not end\n%s", sim_log_text(world->host));
    struct sim_image *image = sim_disk_save(world->host);
    const char *name;
    slice bytes;
    for (unsigned i = 0; (name = sim_image_file(image, i, &bytes)) != NULL; i++)
        for (unsigned t = 0; t < world->erased_count; t++)
            look_for(world, name, bytes, world->erased[t]);
    sim_image_free(image);
    world->campaign->checked += world->erased_count;
}
