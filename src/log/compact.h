/*
 * compact.h - space in segments (and of streams in RAM) that dead messages hold is got back.
 *
 * A segment of which less than half is alive is emptied: before each checkpoint the emptiest are
 * chosen, about as many bytes as the last checkpoint wrote; their blocks are loaded one after the
 * other, the dead records squeezed out, and the block counts as changed, so that the next
 * checkpoint writes it elsewhere. When no block refers to the segment it is removed. The work per
 * checkpoint is bounded, and nothing waits for it. Segments that hold erased messages (erase.h) are
 * emptied first, however much of them is alive; what cannot be squeezed there is moved as it is.
 */
#ifndef NONET_LOG_COMPACT_H
#define NONET_LOG_COMPACT_H

#include "log/stream_data.h"

#define COMPACT_BYTES (8u << 20)
#define COMPACT_LOADS_MAX 8u /* under way at a time: readers come first */
#define COMPACT_SQUEEZE_NS 1000000000u

/* Called before a checkpoint freezes: moves what is in memory, asks for what is not. */
void compact_step(struct log *log);
/* BLOCK, which compact_step has asked for, is in memory. */
void compact_move(struct block *block);
/* Asks for the next ones. */
void compact_pump(struct log *log);
/* STREAM, in RAM, has a block with little alive in it: squeezed within a second or two. */
void compact_later(struct log_stream *stream);
/* Is so little of BLOCK alive that squeezing pays? */
bool compact_worthwhile(const struct block *block);
/* Squeezes BLOCK, whose bytes are in memory; the cursor of its stream is forgotten. False where it
   cannot be (being written, damaged, deaths not on disk yet, nothing dead, no memory). */
bool compact_block(struct block *block);
/* BLOCK, in which nothing lives, leaves its stream, even if it is the tail; unless somebody may
   still look for something in it. */
void compact_leave(struct block *block);

/* Puts the living of BLOCK, the next behind INTO, into INTO, where both fit one block. INTO must be
   unsaved already. BLOCK is then freed. */
bool compact_merge(struct block *into, struct block *block);

#endif
