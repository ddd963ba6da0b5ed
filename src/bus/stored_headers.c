/*
 * stored_headers.c - see stored_headers.h.
 *
 * A client's own fields come back byte by byte, and before ours: who looks for a field that both
 * have finds the client's, as with nats-server.
 */
#include "bus/stored_headers.h"

#include "base/clocktext.h"
#include "wire/nats_headers.h"

int stored_headers_begin(struct buf *out, slice stream_name, const struct log_record *record) {
    char time[CLOCKTEXT_SIZE];
    size_t time_len = clocktext_format(record->time_ns, time);
    int failed = nats_headers_begin_with(out, record->headers);
    if (!failed)
        failed = nats_headers_add(out, slice_lit("Nats-Stream"), stream_name);
    if (!failed)
        failed = nats_headers_add(out, slice_lit("Nats-Subject"), record->subject);
    if (!failed)
        failed = nats_headers_add_u64(out, slice_lit("Nats-Sequence"), record->sequence);
    if (!failed)
        failed = nats_headers_add(out, slice_lit("Nats-Time-Stamp"), slice_make(time, time_len));
    return failed;
}
