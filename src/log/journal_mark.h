/*
 * journal_mark.h - the file journal/failed: "this group was not written well, do not believe it".
 *
 *      0             8        16       20      24
 *      | file number | offset | crc of | crc   |      little-endian; why it exists:
 *      |             |        | group  |       |      journal_write.c
 *
 * The group's own crc is part of the mark, so that a mark which outlived its use (its unlink was
 * lost in a power cut) can never hit another group that has since come to the same place.
 */
#ifndef NONET_LOG_JOURNAL_MARK_H
#define NONET_LOG_JOURNAL_MARK_H

#include "base/error.h"
#include "io/file.h"
#include "log/journal_format.h"

/* Leaves the mark for the encoded GROUP, as well as the disk allows. Any thread. */
void journal_mark_leave(struct io_host *host, const char *directory,
                        const struct journal_group *group, const char *bytes);

/* Where a mark is: wipes its group if it is still there, synced, and removes the mark. 0 (also
   without a mark), -EBADMSG (no mark of ours), or why it could not be done. */
must_use int journal_mark_obey(struct io_host *host, const char *directory,
                               struct error *ret_error);

/* For who obeys without changing anything: the mark; zeroed, which hits no group, where there is
   none or it cannot be read. */
struct journal_mark {
    uint64_t file, offset;
    uint32_t group_crc;
};
struct journal_mark journal_mark_read(struct io_host *host, const char *directory);
/* Is BYTES, the encoded GROUP, the one that MARK names? */
bool journal_mark_hits(const struct journal_mark *mark, const struct journal_group *group,
                       const char *bytes);

#endif
