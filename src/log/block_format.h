/*
 * block_format.h - a block as it lies in a segment.
 *
 *      | header, 64 bytes | the records, byte for byte as in memory |
 *
 * The header says whose the records are, where it stands and what their crc is, and has a crc of
 * its own; so a block that was damaged, or written to the wrong place, is found without the
 * checkpoint that refers to it. Records have their own crcs besides: what is whole in a damaged
 * block is salvaged.
 */
#ifndef NONET_LOG_BLOCK_FORMAT_H
#define NONET_LOG_BLOCK_FORMAT_H

#include "log/block.h"

#define BLOCK_HEADER_SIZE 64u

/* What stands before a block's records in its segment. */
struct block_header {
    uint32_t stream_id, count, length;
    uint32_t data_crc;
    uint64_t first, last;
    int64_t first_time, last_time;
    uint64_t offset; /* of the header in its file: a write gone astray is found */
};

void block_header_encode(const struct block_header *header, char *out);
/* 0 or -EBADMSG. */
must_use int block_header_decode(const char *bytes, struct block_header *ret_header);

/* Rebuilds a block from LENGTH bytes read from disk that failed their checksum: keeps each record
   that is whole, belongs to stream ID and comes in order; all others get a bit in `bad`, which the
   caller has allocated. block->bytes holds them. Returns the number of records lost. */
uint32_t block_salvage(struct block *block, uint32_t id);

#endif
