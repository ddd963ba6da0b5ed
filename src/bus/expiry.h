/*
 * expiry.h - messages with a time of their own: streams with allow_msg_ttl (ADR-43).
 *
 *     Nats-TTL: 90 | 1h30m      goes so long after it was stored (whole seconds, at least one)
 *     Nats-TTL: never           stays, whatever max_age says
 *     none                      goes by max_age, as everywhere
 *
 * Where the stream has a subject_delete_marker_ttl, a message that expires as the last of its
 * subject leaves a marker: an empty message on that subject with Nats-Marker-Reason: MaxAge, so
 * that watchers hear of it; it has the marker's TTL itself, and leaves none.
 *
 * The times are kept in one heap a stream, 16 bytes for each message that has one, and one timer a
 * stream; they are read back from the messages' headers after a start, in the background. Such a
 * stream keeps max_age here as well, for what is never to go may lie before what is old. Expiring
 * is an ordinary deletion in the log, so recovery does not depend on the clock.
 *
 * A sealed stream loses nothing. Calls do nothing on streams without allow_msg_ttl.
 */
#ifndef NONET_BUS_EXPIRY_H
#define NONET_BUS_EXPIRY_H

#include "bus/stream.h"

#define EXPIRY_NEVER (-1)
#define EXPIRY_ENTRIES_MAX (64u << 20) /* messages with a TTL in one stream; then 503 (10023) */

/* The header's value in seconds; 0 = none; EXPIRY_NEVER. False: it is not one. */
bool expiry_parse(slice text, int64_t *ret_seconds);

/* Room for COUNT more times; before the messages are appended. 0, -ENOMEM or -ENOBUFS. */
must_use int expiry_reserve(struct stream *stream, size_t count);
/* SEQUENCE was appended AT_NS (wall clock) and is to go after TTL_S seconds. Within a reservation.
 */
void expiry_note(struct stream *stream, uint64_t sequence, int64_t at_ns, int64_t ttl_s);

/* Readers may see more of STREAM: its first message may be the first to grow old. */
void expiry_look(struct stream *stream);

/* Takes up STREAM as it is configured now, reading back the times of what it holds. */
void expiry_start(struct stream *stream);
void expiry_stop(struct stream *stream);

#endif
