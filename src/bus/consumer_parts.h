/*
 * consumer_parts.h - what the files of the consumers' engine (consumer_data.h) offer each other.
 *
 * The order of things at a delivery or an acknowledgement is always: first it is noted (which may
 * be refused, and then nothing has happened), then memory is changed (which cannot fail), then
 * strangers are called.
 */
#ifndef NONET_BUS_CONSUMER_PARTS_H
#define NONET_BUS_CONSUMER_PARTS_H

#include "bus/consumer_data.h"

/* --- consumer_state.c: each 0, or -ENOBUFS / -ENOMEM and nothing is noted (then do not do it).  */
must_use int consumer_note_delivered(struct consumer *c, uint64_t stream_sequence,
                                     uint64_t consumer_sequence);
must_use int consumer_note_redelivered(struct consumer *c, uint64_t stream_sequence,
                                       uint64_t consumer_sequence, uint32_t deliveries);
must_use int consumer_note_done(struct consumer *c, uint64_t stream_sequence);
must_use int consumer_note_done_up_to(struct consumer *c, uint64_t stream_sequence);
/* Publishes an empty message to REPLY once everything noted so far is on disk. */
void consumer_note_answer(struct consumer *c, slice reply);
/* Into BATCH: created, changed, removed. */
must_use int consumer_put_created(struct log_batch *batch, struct consumer *c);
must_use int consumer_put_changed(struct log_batch *batch, struct consumer *c,
                                  const struct consumer_config *config);
must_use int consumer_put_removed(struct log_batch *batch, uint64_t id);

must_use int consumer_note_parked(struct consumer *c, const struct consumer_parked *parked);
must_use int consumer_note_unparked(struct consumer *c, uint64_t stream_sequence);
/* A first delivery of KEY, or (consumer sequence 0) that the message waits for it. */
must_use int consumer_note_turn(struct consumer *c, uint64_t stream_sequence,
                                uint64_t consumer_sequence, uint64_t key);
/* consumer_order_ended(C, KEY) once everything noted so far is on disk; within a reservation. */
must_use int consumer_note_end_reserve(struct consumer *c, size_t count);
void consumer_note_end(struct consumer *c, uint64_t key);
/* consumer_recover.c: what the snapshot has as released is so, now that streams are there. */
must_use int consumers_release_restored(struct consumers *all); /* 0 or -ENOMEM */

/* --- consumer_park.c ---------------------------------------------------------------------- */
struct parked_message {
    int64_t time_ns;
    uint64_t deliveries;
    uint16_t reason_len;
    char reason[];
};
void consumer_park_init(struct consumer *c);
void consumer_park_free(struct consumer *c);
/* The message SEQUENCE, which is in flight, waits for somebody. 0, -ENOMEM, -ENOBUFS. */
must_use int consumer_park(struct consumer *c, uint64_t sequence, slice reason);
/* The same without noting it; no-op where it is not in flight. */
must_use int consumer_park_restore(struct consumer *c, const struct consumer_parked *parked);
/* It is done, or in flight again. */
void consumer_park_forget(struct consumer *c, uint64_t sequence);

/* --- consumer_start.c --------------------------------------------------------------------- */
/* Where a new consumer begins. 0; -EINPROGRESS with *ret_position to be loaded first; or why not.
 */
must_use int consumer_start_position(struct stream *stream, const struct consumer_config *config,
                                     uint64_t *ret_position);
/* Fills `lasts`. 0, -ENOMEM, -E2BIG past CONSUMER_LAST_MAX. */
must_use int consumer_start_find_lasts(struct consumer *c);

/* --- consumer_deliver.c ------------------------------------------------------------------- */
void consumer_deliver_init(struct consumer *c);
void consumer_deliver_cancel(struct consumer *c);
/* Something may have become deliverable. */
void consumer_wake(struct consumer *c);
/* Brings a message into memory; then there is a step. True where it is on its way. */
bool consumer_load(struct consumer *c, uint64_t sequence);
/* As many in flight as may be. */
bool consumer_is_stalled(const struct consumer *c);
/* How long a delivery, the DELIVERIES-th of its message, may take. */
uint64_t consumer_ack_wait(const struct consumer *c, uint32_t deliveries);

/* --- consumer_count.c: messages not delivered yet; exact unless it says QUICK. ------------ */
uint64_t consumer_count(struct consumer *c, bool quick);
void consumer_count_delivered(struct consumer *c, uint64_t sequence);
/* The position has moved over messages that do not count. */
static inline void consumer_count_forget(struct consumer *c) {
    c->counted.known = false;
}

/* --- consumer_pull.c ---------------------------------------------------------------------- */
/* A pull request that waits. */
struct consumer_request {
    struct list_node node;
    struct bus_route route;
    uint64_t expires_ns;                 /* loop clock; 0 = none */
    uint64_t heartbeat_ns, heartbeat_at; /* 0 = none */
    uint64_t bytes_left;
    uint32_t batch_left, delivered;
    bool no_wait, bytes_limited;
    const char *ending; /* while consumer_pull_settle tells it */
    uint16_t reply_len;
    char reply[];
};

/* The next request that can take SIZE bytes, taken out of the list; or NULL. */
struct consumer_request *consumer_pull_next(struct consumer *c, uint64_t size);
/* It got nothing after all: back to where it was. */
void consumer_pull_not_served(struct consumer *c, struct consumer_request *request, uint64_t size);
/* The request got its message: it waits for the next one or is over. C may be gone. */
void consumer_pull_served(struct consumer *c, struct consumer_request *request);
/* Ends what has expired or lost its interest, sends heartbeats, sets the timer. END_OF_STREAM:
   one-shot requests end too. */
void consumer_pull_settle(struct consumer *c, bool end_of_stream);
void consumer_pull_end_all(struct consumer *c, const char *why);
/* "NATS/1.0 " and FORMAT as the headers of an empty message to REPLY. */
void consumer_send_status(struct consumer *c, slice reply, const char *format, ...)
    printf_like(3, 4);

/* --- consumer_pace.c ---------------------------------------------------------------------- */
/* How long it is paused from now, 0 = it is not. */
int64_t consumer_pause_left(const struct consumer *c);
/* Waits for the end of the pause, if there is one; CHANGED: tells. */
void consumer_pause_start(struct consumer *c, bool changed);
void consumer_replay_start(struct consumer *c);
/* How long RECORD, the next one, has to wait. */
uint64_t consumer_replay_wait(const struct consumer *c, const struct log_record *record);
void consumer_replay_sent(struct consumer *c, const struct log_record *record);
/* The consumer waits for messages, room or receivers: from now on at once, if it has caught up. */
void consumer_replay_caught_up(struct consumer *c);

/* --- consumer_ack.c ----------------------------------------------------------------------- */
void consumer_ack_on_message(void *owner, struct bus_subscription *subscription,
                             const struct bus_message *message);
/* What the reply subject of a message says behind "$JS.ACK.<stream>.<consumer>."; false: bad. */
struct consumer_address {
    uint64_t deliveries, sequence, consumer_sequence;
};
bool consumer_ack_read(slice rest, struct consumer_address *ret_address);
/* SEQUENCE is done, and with ack_all all before it, as was noted. Within interest_reserve. */
void consumer_ack_take(struct consumer *c, uint64_t sequence);
/* How long ago ENTRY was delivered; an acknowledgement that is one of a sample is told. */
uint64_t consumer_ack_delay(const struct consumer *c, const struct pending_entry *entry);
void consumer_ack_sample(struct consumer *c, const struct consumer_address *address,
                         uint64_t delay_ns);
/* An entry is in flight until its deadline. */
void consumer_ack_watch(struct consumer *c, uint64_t deadline_ns);
void consumer_ack_start(struct consumer *c);
/* The message is done as if its client had said so. 0 or -ENOBUFS: it could not be noted. */
must_use int consumer_ack_drop(struct consumer *c, uint64_t sequence);
/* Everything in flight is due now. */
void consumer_ack_expire_all(struct consumer *c);
/* ENTRY's message has gone from the stream; those of all messages below its first one. */
void consumer_ack_forget(struct consumer *c, struct pending_entry *entry);
void consumer_ack_forget_trimmed(struct consumer *c);

#endif
