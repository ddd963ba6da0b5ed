/*
 * recover.h - the two halves of recovery behind the checkpoint.
 *
 * SEGMENTS: every saved block is read once, in the order in which it lies on disk, to check it and
 * to count its messages' subjects (the tables are not saved: they are the one thing that can be
 * had again from the messages, and reading is fast). JOURNAL: every batch behind the checkpoint
 * goes through the same staging and applying as when it was new (batch.h).
 */
#ifndef NONET_LOG_RECOVER_H
#define NONET_LOG_RECOVER_H

#include "log/log_data.h"

/* Reads all blocks; removes segment files that no checkpoint names. Errors name the file. */
must_use int recover_segments(struct log *log, struct error *ret_error);
/* journal_options.replay; SELF is the log. */
must_use int recover_replay(void *self, uint64_t position, slice changes, uint32_t count,
                            struct error *ret_error);

#endif
