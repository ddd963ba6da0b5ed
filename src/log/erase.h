/*
 * erase.h - the bytes of erased messages leave the disk.
 *
 * A record of kind ERASE deletes a message as DELETE does, and promises that its bytes go. Copies
 * of it may lie in three places:
 *
 *      the journal's files    the group that brought it, and old groups behind the end of the tail
 *                             or in files made ahead (files are used again as they are)
 *      its block's segment    dead, between living neighbours
 *      other segments         where the block was saved before it grew or was moved
 *
 * None of them is overwritten in place: what lives beside it would be at stake if the power went.
 * What lives is moved away from it, with what the log has for that, and the file is then zeroed and
 * used again, or removed.
 *
 *      IDLE --something was erased, and that is on disk--> RETIRING --clean file there--> MARKING
 *       ^                                                                               | a batch
 *       '-- nothing is left, or more was erased -- SAVING <-----------------------------'
 *                                                 checkpoints, until nothing is left
 *
 *      RETIRING  the journal goes on in a file that has been zeros (journal_retire)
 *      MARKING   a batch in that file: so every older one can be covered by a checkpoint
 *      SAVING    each checkpoint squeezes the blocks of erased messages, empties the segments with
 *                copies as compaction does, and covers the journal's old files; those are zeroed
 *                on the journal's thread, emptied segments on the writer
 *
 * WHICH SEGMENTS. A copy that no block refers to lies only where a block has left (segment->left),
 * in segments that are shared or the stream's own, that got blocks after the message was committed
 * (segment->until). Of these all that lives is written anew, whether they hold a copy or not: at
 * most the living bytes of such segments, for all that was erased meanwhile together.
 *
 * The segment of a block that is noted is noted, too, at any time: its stream may be removed.
 *
 * A CRASH loses nothing of it: until a checkpoint covers the record, recovery reads it again;
 * from then on the checkpoint says it: `erasing`, the blocks, the segments. It is begun anew then.
 * A checkpoint copied meanwhile (pin.h) says it to who opens the copy.
 *
 * BOUNDS. One round at a time; it takes at most about a fifth of the time, so that erasing in a
 * loop does not take the disk from others. While a copy is made (pin.h) or the disk is full it
 * waits. A damaged block is never written anew, so its segment stays, and with it what was erased
 * there: that is said in the log, by file.
 */
#ifndef NONET_LOG_ERASE_H
#define NONET_LOG_ERASE_H

#include "log/segment.h"
#include "log/stream_data.h"

#define ERASE_TICK_NS 20000000u /* from the first erased message to the round; between steps */
#define ERASE_PAUSE_NS_MAX UINT64_C(10000000000)
#define ERASE_SHARE 4u /* it rests this many times as long as it works */

enum erasure_state { ERASE_IDLE, ERASE_RETIRING, ERASE_MARKING, ERASE_SAVING };

struct erasure {
    enum erasure_state state;
    bool pending;      /* files may hold what was erased */
    bool wanted;       /* ... since the journal was retired */
    uint64_t position; /* of the last batch that erased something */
    struct list blocks;
    struct io_timer timer;
    uint64_t left;     /* after the last step: blocks, segments and files to go */
    uint64_t pause_ns; /* before the next step */
    uint64_t began_ns, step_ns;
};

void erase_init(struct log *log);
/* Recovery is over. */
void erase_start(struct log *log);
void erase_stop(struct log *log);

/* Something was erased by the batch being applied; files may hold it. */
void erase_want(struct log *log);
/* Before SEQUENCE of STREAM is deleted: its block and the segments with copies are noted. */
void erase_mark(struct log_stream *stream, uint64_t sequence);
/* BLOCK is saved in its segment now; leaves it, or will have, in what a checkpoint freezes. */
void erase_come(const struct block *block);
void erase_left(const struct block *block);
/* What was written to SEGMENT is referred to by no block. */
void erase_unreferred(const struct log *log, struct segment *segment);

/* Before a checkpoint freezes: blocks with erased messages are squeezed, or asked for. */
void erase_step(struct log *log);
/* BLOCK, which is noted, is in memory: squeezes it, if that can be done now. */
void erase_block(struct block *block);
/* SEGMENT cannot be emptied: it holds a damaged block. Said, and given up. */
void erase_give_up(struct log *log, struct segment *segment);

#endif
