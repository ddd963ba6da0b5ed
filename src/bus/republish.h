/*
 * republish.h - what a stream stores is also published to another subject, for subscribers who want
 * to hear of it once it is stored.
 *
 *     stored and on disk ---> dest(subject)  the message, and in its headers Nats-Stream,
 *                                            Nats-Subject, Nats-Sequence, Nats-Time-Stamp and
 *                                            Nats-Last-Sequence: the one of that subject before
 *
 * The message is read back from the stream when readers may see it, so nobody hears of what a crash
 * could still take back; what was removed by then is passed over. At most once: what was stored
 * shortly before a crash is not republished afterwards. Who reads too slowly to be served from
 * memory does not hold up anybody: REPUBLISH_WAITING_MAX messages may wait, then the newest are
 * left out, and the log says so. Nothing is republished to where the node takes orders
 * (stream_subjects.h).
 */
#ifndef NONET_BUS_REPUBLISH_H
#define NONET_BUS_REPUBLISH_H

#include "bus/stream.h"

#define REPUBLISH_WAITING_MAX (1u << 20)

/* SEQUENCE was appended; LAST is what the subject's last was before. */
void republish_note(struct stream *stream, uint64_t sequence, uint64_t last);
/* Readers may see more of STREAM. */
void republish_on_visible(struct stream *stream);
void republish_stop(struct stream *stream);

#endif
