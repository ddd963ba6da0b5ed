/*
 * stored_headers.h - the headers of a message that goes out as it is stored: its own, and behind
 * them where it stands in its stream, as direct get (ADR-31) and republishing have them.
 *
 *     Nats-Stream: ORDERS   Nats-Subject: order.1   Nats-Sequence: 17   Nats-Time-Stamp: ...
 */
#ifndef NONET_BUS_STORED_HEADERS_H
#define NONET_BUS_STORED_HEADERS_H

#include "base/buf.h"
#include "log/stream.h"

/* Begins a block in OUT, which is empty; more fields may follow, and nats_headers_end does. 0,
   -ENOMEM, -ENOBUFS. */
must_use int stored_headers_begin(struct buf *out, slice stream_name,
                                  const struct log_record *record);

#endif
