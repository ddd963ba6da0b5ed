/*
 * publish.h - what a publish into a stream says in its headers, and how it is judged. Inside the
 * engine only; the order of judgement is drawn in streams.h.
 *
 * A message is judged alone (capture.c), or as one of an atomic batch (publish_batch.c): then what
 * the messages before it in the batch will have added counts, too (struct publish_before).
 */
#ifndef NONET_BUS_PUBLISH_H
#define NONET_BUS_PUBLISH_H

#include "bus/stream.h"

/* The headers that streams look at. Of one that is repeated the first counts; an empty value is
   none: for all of them, as with nats-server. The slices point into the message's block. */
struct publish_headers {
    slice id, expected_stream, expected_last_id, rollup, ttl;
    slice expected_subject; /* whose last sequence is expected, empty: the message's; wildcards */
    slice batch_id, batch_sequence, batch_commit; /* of an atomic batch: publish_batch.h */
    uint64_t expected_sequence, expected_subject_sequence;
    bool has_sequence, has_subject_sequence, malformed;
    bool acknowledges; /* carries acknowledgements: publish_acks.h */
};
struct publish_headers publish_headers_read(slice block);
/* Of it `acknowledges` alone. */
bool publish_headers_acknowledge(slice block);

/* Of a batch, what is before a message: zeroed where it stands alone. */
struct publish_before {
    uint64_t messages; /* without those that replace one of their subject */
    uint64_t bytes;
    struct map subjects; /* written already -> how often; keys are the messages' */
};
/* MESSAGE, of SIZE bytes, is before the next one. 0 or -ENOMEM. */
must_use int publish_before_add(struct publish_before *before, struct stream *s,
                                const struct bus_message *message, uint64_t size);

/* Each: true, or false with why not in *E. */
/* S is not sealed, and takes so many bytes; publish_judge_form asks that first. */
bool publish_judge_size(const struct stream *s, const struct bus_message *m,
                        struct streams_error *e);
bool publish_judge_form(struct stream *s, const struct bus_message *m,
                        const struct publish_headers *h, struct streams_error *e);
bool publish_judge_expectations(struct stream *s, const struct bus_message *m,
                                const struct publish_headers *h,
                                const struct publish_before *before, struct streams_error *e);
bool publish_judge_rollup(const struct stream *s, const struct publish_headers *h,
                          struct streams_error *e);
/* SIZE: of the message, in bytes. */
bool publish_judge_discard_new(struct stream *s, const struct bus_message *m,
                               const struct publish_before *before, uint64_t size,
                               struct streams_error *e);

/* The acknowledgement, JSON, to REPLY; with ERROR a refusal. */
struct publish_answer {
    uint64_t sequence;
    bool duplicate;
    slice batch_id; /* of a batch, and how many messages it has; empty: none */
    size_t batch_count;
};
void publish_answer(struct streams *streams, slice reply, slice stream_name,
                    const struct publish_answer *answer, const struct streams_error *error);

/* False, with why the log has refused (a negative errno) in *E. */
bool publish_explain(int failed, struct streams_error *e);

#endif
