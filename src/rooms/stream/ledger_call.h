/*
 * ledger_call.h - what the two ends of the ledger say to each other: ledger.c asks on the
 * database's loop, ledger_server.c answers on the stream shard.
 *
 *     _NONET.SQL.commit   u32 count | count times: u32 subject, u32 payload | their bytes …
 *     _NONET.SQL.read     struct ledger_ask | stream | subject
 *     _NONET.SQL.find     the same
 *     _NONET.SQL.trim     u64 sequence; is not answered
 *     _NONET.SQL.drop     u64 sequence | subject; the same
 *     every answer        struct ledger_answer | text
 *
 * Both ends are one process, so numbers stand as they lie in memory, at any address: they are moved
 * by memcpy. An answer that is short, or says other lengths than it has, is a bug.
 *
 * Records do not go with the answer: the asker names a PIECE of memory, which the server fills, so
 * that what was read is copied once, out of the log's blocks.
 *
 *     bytes   count times: struct ledger_item | its subject | headers | payload
 *
 * The asker holds a piece as long as it reads, the server from the ask to its answer; who lets go
 * last frees it. An ask that nobody has heard (-EHOSTUNREACH) is let go of by the asker.
 */
#ifndef NONET_STREAM_LEDGER_CALL_H
#define NONET_STREAM_LEDGER_CALL_H

#include "bus/private.h"
#include "rooms/stream/ledger.h"

#include <stdatomic.h>

#define LEDGER_CALL_COMMIT BUS_PRIVATE_PREFIX "SQL.commit"
#define LEDGER_CALL_READ BUS_PRIVATE_PREFIX "SQL.read"
#define LEDGER_CALL_FIND BUS_PRIVATE_PREFIX "SQL.find"
#define LEDGER_CALL_TRIM BUS_PRIVATE_PREFIX "SQL.trim"
#define LEDGER_CALL_DROP BUS_PRIVATE_PREFIX "SQL.drop"

/* How long the server keeps a reader that is at the end before it answers with nothing. */
#define LEDGER_WAIT_NS (10 * UINT64_C(1000000000))

/* One message of the log may make a piece that much larger. */
#define LEDGER_PIECE_BYTES_MAX (LEDGER_PIECE_BYTES + ((size_t)66 << 20))

struct ledger_piece {
    atomic_uint holds;
    struct buf bytes; /* of the one whose turn it is */
};

/* Held once; NULL without memory. */
struct ledger_piece *ledger_piece_new(void);
struct ledger_piece *ledger_piece_let_go(struct ledger_piece *p); /* NULL allowed; returns NULL */

struct ledger_ask {
    struct ledger_piece *piece; /* of a read, held for the server */
    uint64_t from;
    uint32_t stream_len, subject_len;
    bool wait;   /* where there is nothing yet */
    bool shown;  /* ledger_read_options */
    bool newest; /* from the last record of the subject on */
};

struct ledger_answer {
    int failed;          /* 0, or why: then `text` says it in words. -EAGAIN: ask again, later */
    uint32_t text_len;   /* `text`: the stream's name, or the words */
    uint32_t count;      /* records in the piece */
    uint64_t last;       /* there is nothing else up to here; of a commit: its first sequence */
    uint64_t first, end; /* the stream's first and last sequence */
    int64_t created_ns;  /* of the stream: another one of its name has another */
    uint64_t position;   /* of a commit; 0: not known */
    bool at_end;
};

struct ledger_item {
    uint64_t sequence, position;
    int64_t time_ns;
    uint32_t subject_len, headers_len, payload_len;
};

/* The next LEN bytes of *REST. */
static inline slice ledger_take(slice *rest, size_t len) {
    check(rest->len >= len);
    slice part = slice_take(*rest, len);
    *rest = slice_skip(*rest, len);
    return part;
}

#endif
