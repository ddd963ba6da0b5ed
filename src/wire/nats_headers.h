/*
 * nats_headers.h - the header block of a NATS message (ADR-4).
 *
 *     NATS/1.0[ code[ description]]\r\n
 *     Key: value\r\n            any number, a key may repeat, its case is kept and matters
 *     \r\n
 *
 * To a server the block is part of the message: it is carried unread, and read only for the keys
 * that the server itself obeys. So reading is tolerant as in nats-server: a line without a colon
 * is passed over, blanks around a value are not part of it, a block cut short gives the fields
 * that are there. Writing is strict: a key or value that would break the block is refused.
 *
 * A block in memory is just its bytes; there is no table and no allocation. One lookup walks
 * the block; who wants several keys walks once with nats_headers_next().
 */
#ifndef NONET_WIRE_NATS_HEADERS_H
#define NONET_WIRE_NATS_HEADERS_H

#include "base/buf.h"

struct nats_field {
    slice key;
    slice value;
};

/* The first line of a block. */
struct nats_status {
    unsigned code;     /* 0 where the line has none */
    slice description; /* may be empty */
    slice fields;      /* the rest of the block: cursor for nats_headers_next */
};

/* Reads the first line. 0, or -EBADMSG where it is not "NATS/1." and a digit, where what follows
   is not a code of three digits, or where the line has no end. */
must_use int nats_headers_parse(slice block, struct nats_status *ret_status);

/* Takes the next field off *CURSOR. False at the empty line or the end of the bytes. */
bool nats_headers_next(slice *cursor, struct nats_field *ret_field);

/* The first value of KEY (case matters), in a block or in its fields. False: not there. */
bool nats_headers_get(slice block, slice key, slice *ret_value);

/* Begins a block: "NATS/1.0\r\n", with a CODE above 0 "NATS/1.0 code[ description]\r\n". */
must_use int nats_headers_begin(struct buf *b, unsigned code, slice description);

/* Begins a block with those of another, which may be empty: as they are, byte by byte; of one that
   is cut short, the fields that are there. -ENOBUFS, -ENOMEM. */
must_use int nats_headers_begin_with(struct buf *b, slice block);

/* Adds a field. -EINVAL: KEY is empty or holds anything but visible ASCII without ':', or VALUE
   holds CR or LF. -ENOBUFS, -ENOMEM. On failure nothing was added. */
must_use int nats_headers_add(struct buf *b, slice key, slice value);

/* The same with NUMBER in decimal digits. */
must_use int nats_headers_add_u64(struct buf *b, slice key, uint64_t number);

/* Closes the block with its empty line. */
must_use int nats_headers_end(struct buf *b);

/* Appends BLOCK without the fields named KEY; what is not a field is kept. -EBADMSG: not a block.
 */
must_use int nats_headers_copy_without(struct buf *b, slice block, slice key);

#endif
