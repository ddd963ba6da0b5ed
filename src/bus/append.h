/*
 * append.h - judged messages on their way into a batch of the log. Inside the engine only.
 *
 *     append_put    the message, what its roll-up replaces, what participants add  -> the batch
 *     append_note   after that cannot fail any more: ids, times, republishing      -> memory
 *
 * One message (capture.c), or a group of them, which is stored whole or not at all
 * (publish_batch.c, stream_append_all). Between the two the batch is committed or abandoned.
 */
#ifndef NONET_BUS_APPEND_H
#define NONET_BUS_APPEND_H

#include "bus/publish.h"

enum rollup { ROLLUP_NONE, ROLLUP_SUBJECT, ROLLUP_ALL };

struct appending {
    uint64_t sequence; /* of the message, once it is put */
    uint64_t last;     /* of its subject before; where it is republished */
    int64_t ttl_s;     /* of the message; 0 = none */
    enum rollup rollup;
    bool more; /* the roll-up has left messages of the subject */
};

/* What H, which was judged, asks for. */
struct appending append_begin(struct stream *s, const struct bus_message *m,
                              const struct publish_headers *h);
/* 0; or a negative errno, with why in *E: then the batch has to be abandoned. */
must_use int append_put(struct stream *s, struct log_batch *batch, const struct bus_message *m,
                        int64_t now_ns, struct appending *a, struct streams_error *e);
/* It is about to be committed. Within expiry_reserve. */
void append_note(struct stream *s, const struct publish_headers *h, const struct appending *a,
                 int64_t now_ns);
/* ID is the stream's last message's, and is remembered where there is one. */
void append_note_id(struct stream *s, slice id, uint64_t sequence, int64_t now_ns);
/* It was committed: where the roll-up has left messages, the rest of them is removed. */
void append_rest(struct stream *s, const struct bus_message *m, const struct appending *a);

/* COUNT messages, in their order; 0 where the stream's judge has something to put beside. HEADERS
   of each, judged; NULL: ids and roll-ups mean nothing. */
struct append_group {
    const struct bus_message *messages;
    const struct publish_headers *headers;
    size_t count;
    int64_t now_ns;
    uint64_t first; /* the sequence of the first, once they are put */
    bool more;
};
/* As for one message; room for their times is reserved, too. */
must_use int append_group_put(struct stream *s, struct log_batch *batch, struct append_group *group,
                              struct streams_error *e);
void append_group_note(struct stream *s, const struct append_group *group);
void append_group_rest(struct stream *s, const struct append_group *group);

#endif
