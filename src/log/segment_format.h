/*
 * segment_format.h - the first sector of a segment file.
 *
 *      0          8         12       16        32       40               4092
 *      | NONETSEG | version | crc32c | log id  | number | zeros .......... |
 *
 * The log's id ties the file to its log, the number to its name: a file copied from elsewhere or
 * renamed is refused. The crc covers the sector behind it.
 */
#ifndef NONET_LOG_SEGMENT_FORMAT_H
#define NONET_LOG_SEGMENT_FORMAT_H

#include "io/file.h"
#include "log/segment.h"

void segment_header_encode(const uint8_t log_id[LOG_ID_SIZE], uint64_t number,
                           char out[SEGMENT_HEADER_SIZE]);
/* Reads and judges it: 0, -EBADMSG, -ENOTSUP (newer format) or a read error. Any thread. */
must_use int segment_header_check(struct io_file *file, const uint8_t log_id[LOG_ID_SIZE],
                                  uint64_t number);

#endif
