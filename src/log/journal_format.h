/*
 * journal_format.h - the bytes of the journal's files. Pure: knows no file and no clock.
 *
 * A file is a header sector, then groups one behind the other, each on a 4 KiB sector:
 *
 *      0           8     12        16       24            32          40        4096
 *      | NONETJNL  | crc | version | log id | file number | file size | zeros   |
 *
 *      group   0       4     8             16       24             32       40      48     56
 *              | magic | crc | file number | log id | group number | offset | first | last |
 *              56       60     64        68      72              80                88
 *              | length | used | batches | flags | previous file | previous offset |
 *              then the batches up to USED, then zeros up to LENGTH, a multiple of 4 KiB
 *
 *      batch   0        4         8          16
 *              | length | changes | position | records (record.h) ...
 *
 * Each crc covers everything behind itself, padding included. A group says where it lies (file,
 * offset) and where its predecessor lies, so a write that landed elsewhere, a group of an earlier
 * use of the file and a group that has vanished are all seen. The log id is random and secret: a
 * message cannot carry bytes that pass for a group.
 *
 * Positions: FIRST is the predecessor's LAST + 1. The batches' positions rise within FIRST..LAST;
 * one that is missing there was a batch without changes. A seal has no batches.
 */
#ifndef NONET_LOG_JOURNAL_FORMAT_H
#define NONET_LOG_JOURNAL_FORMAT_H

#include "base/check.h"
#include "base/slice.h"
#include "log/journal.h"

#define JOURNAL_VERSION 1u
#define JOURNAL_GROUP_HEADER 88u
#define JOURNAL_BATCH_HEADER 16u

struct journal_header {
    uint64_t log_id, number, bytes;
};

/* Writes JOURNAL_SECTOR bytes at OUT. */
void journal_header_encode(const struct journal_header *header, char *out);
/* From JOURNAL_SECTOR bytes. 0, -EBADMSG or -ENOTSUP (a newer version). */
must_use int journal_header_decode(const char *sector, struct journal_header *ret_header);

enum journal_group_flag { JOURNAL_GROUP_SEAL = 1 };

struct journal_group {
    uint64_t log_id;
    uint64_t file, offset;                   /* where it lies */
    uint64_t number;                         /* from 1 */
    uint64_t first_position, last_position;  /* first = last + 1: none */
    uint64_t previous_file, previous_offset; /* 0, 0 of the very first group */
    uint32_t length;                         /* with header and padding */
    uint32_t used;                           /* header and batches */
    uint32_t batches;
    uint32_t flags;
};

static inline uint64_t journal_round_up(uint64_t bytes) {
    return (bytes + JOURNAL_SECTOR - 1) & ~(uint64_t)(JOURNAL_SECTOR - 1);
}

/* Writes the header before the batches that lie at BYTES + JOURNAL_GROUP_HEADER, the zeros behind
   them, and the crc. BYTES has GROUP->length bytes. */
void journal_group_encode(const struct journal_group *group, char *bytes);

/* Could a group of this log, file and offset begin at SECTOR (JOURNAL_SECTOR bytes), ROOM bytes
   before the end of its file? Nothing but the header is looked at, and the crc not yet. */
bool journal_group_peek(const char *sector, uint64_t log_id, uint64_t file, uint64_t offset,
                        uint64_t room, struct journal_group *ret_group);
/* BYTES are GROUP->length bytes, GROUP what peek found in them. 0, or -EBADMSG: the crc differs. */
must_use int journal_group_check(slice bytes, const struct journal_group *group);

struct journal_batch {
    uint64_t position;
    uint32_t changes;
    slice records;
};
/* Takes the first batch off REST, the bytes between a checked group's header and USED.
   0, -ENOENT at the end, or -EBADMSG: not a batch. */
must_use int journal_batch_next(slice *rest, struct journal_batch *ret_batch);

/* The room of HEADER bytes at OUT for a batch of RECORD_BYTES. */
void journal_batch_encode(uint64_t position, uint32_t changes, size_t record_bytes, char *out);

/* Are the batches of a checked group what its header says? 0 or -EBADMSG. */
must_use int journal_group_validate(slice bytes, const struct journal_group *group);

#endif
