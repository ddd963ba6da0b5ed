/*
 * diversion.h - a stream with a judge of its own, as event streams have (rooms/events).
 *
 * What such a stream captures does not go into the log at once: the judge is given it, looks at
 * what it has to, on disk perhaps, and appends it then, with the headers that it wants it to have
 * (stream_append: expectations, ids, acknowledgement as for every publish), or refuses it. It may
 * also append of its own, several messages at once (stream_append_all). A participant (streams.h)
 * is for what must not wait and changes nothing of the message itself.
 *
 * A COMPANION is a stream that the judge alone writes to, in the same batches: what it must know
 * beside the messages. The two are one thing to everybody else: the companion is neither changed
 * nor deleted by itself, and goes with its stream, in the same commit.
 *
 * One stream of a node may have such a judge. On the stream shard only, like all of streams.h.
 */
#ifndef NONET_BUS_DIVERSION_H
#define NONET_BUS_DIVERSION_H

#include "bus/streams.h"

/* Takes what stream NAME captures before it is judged: ON_PUBLISH appends it, later perhaps and
   with other headers (stream_append), or refuses it (stream_refuse). One stream of a node may have
   such a judge (event streams); it stays over the stream's deletion and re-creation. One without a
   name ends it. */
struct stream_diversion {
    slice name, companion;
    void (*on_publish)(void *self, struct stream *stream, const struct bus_message *message);
    void (*on_visible)(void *self); /* one of the two streams has new messages for readers */
    /* Once a batch of stream NAME, behind its messages: adds to it. 0, or as log_batch_append:
       then nothing of the batch is stored. */
    int (*on_batch)(void *self, struct log_batch *batch);
    /* RECORD of stream NAME as a row of a table: one JSON document, appended to OUT. 0; 1: it is
       gone, readers do not see it; -EAGAIN: that has to be looked up, and is *HELD (NULL before the
       first call): ask again a little later; -EBADMSG, -ENOMEM, -ENOBUFS. */
    int (*show)(void *self, const struct log_record *record, void **held, struct buf *out);
    void (*show_end)(void *self, void *held); /* lets go of it */
    void *self;
};
void streams_divert(struct streams *streams, const struct stream_diversion *diversion);
/* Judges MESSAGE and appends it as if it had just been captured: the acknowledgement, also a
   refusal, goes to its reply. CARRIED: the headers it came with, whose acknowledgements of consumed
   messages (publish_acks.h) are committed with it; empty: none. The sequence; 0: refused, or a
   duplicate. */
uint64_t stream_append(struct stream *stream, const struct bus_message *message, slice carried);
/* Answers the publisher instead. */
void stream_refuse(struct stream *stream, slice reply, const struct streams_error *error);
/* Appends MESSAGES, all or none, with what participants and the judge add, in one batch. COUNT is 0
   only where the judge adds something; then there is no first sequence. No expectations or ids are
   judged, nobody is answered: DONE comes when they are on disk, or with what has failed. False with
   *E: nothing was appended, DONE does not come. Not from inside a receiver, who may have been
   handed a record: at the end of the turn. */
bool stream_append_all(struct stream *stream, const struct bus_message *messages, size_t count,
                       void (*done)(void *self, const struct streams_error *error), void *self,
                       uint64_t *ret_first_sequence, struct streams_error *e);
/* The judge's `show`; -ENOTSUP: STREAM has none. */
must_use int stream_show_row(struct stream *stream, const struct log_record *record, void **held,
                             struct buf *out);
void streams_show_row_end(struct streams *streams, void *held); /* NULL allowed */
/* The log that all streams are in; NULL before it is open and once they stop. */
struct log *streams_log(struct streams *streams);
/* Answers as the acknowledgement of a message that is on disk as SEQUENCE already; what CARRIED
   acknowledges and still is in flight is done before. */
void stream_answer_duplicate(struct stream *stream, slice reply, uint64_t sequence, slice carried);

#endif
