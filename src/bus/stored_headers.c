/*
 * stored_headers.c - see stored_headers.h.
 *
 * The message's own block is copied as it is, but for the empty line at its end: a client's headers
 * come back byte by byte. Of one that ends otherwise, the fields that can be read come back.
 */
#include "bus/stored_headers.h"

#include "base/clocktext.h"
#include "wire/nats_headers.h"

#include <errno.h>

static int begin_own(struct buf *out, slice own) {
    struct nats_status status;
    struct nats_field field;
    if (slice_ends_with(own, slice_lit("\r\n\r\n")))
        return buf_append(out, slice_take(own, own.len - 2));
    int failed = nats_headers_begin(out, 0, (slice){0});
    if (!failed && nats_headers_parse(own, &status) == 0)
        while (!failed && nats_headers_next(&status.fields, &field))
            failed = nats_headers_add(out, field.key, field.value);
    return failed == -EINVAL ? 0 : failed; /* what cannot be written was no field */
}

int stored_headers_begin(struct buf *out, slice stream_name, const struct log_record *record) {
    char time[CLOCKTEXT_SIZE];
    size_t time_len = clocktext_format(record->time_ns, time);
    int failed = begin_own(out, record->headers);
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
