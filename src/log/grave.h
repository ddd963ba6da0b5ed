/*
 * grave.h - memory of blocks that are gone, kept for one more turn.
 *
 * What log_read gave out points into a block's bytes and is good until the loop's next turn. A
 * block that retention, a removed stream or compaction lets go of in between is therefore not freed
 * but buried, and freed when a turn has passed: it moves from `fresh` to `old` at one tick of a
 * timer and goes at the next. Nothing is allocated for it, the blocks themselves are the list.
 */
#ifndef NONET_LOG_GRAVE_H
#define NONET_LOG_GRAVE_H

#include "io/loop.h"
#include "log/block.h"

#define GRAVE_TICK_NS 1000000u

struct grave {
    struct io_loop *loop;
    struct list fresh, old;
    struct io_timer timer;
};

void grave_init(struct grave *grave, struct io_loop *loop);
/* BLOCK, which is in no list and array any more, is freed a turn later. */
void grave_add(struct grave *grave, struct block *block);
/* Everything goes now. */
void grave_free(struct grave *grave);

#endif
