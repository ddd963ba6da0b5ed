/*
 * append.h - what an append asks for, read from JSON; and the answer to it. Pure.
 *
 *     {"expect": "none", "events": [{"type": "Placed", "data": {...}}]}          one event stream
 *     {"appends": [{"stream": "order-42", "expect": 3, "events": [...]}, ...],   several, all or
 * none "checks": [{"stream": "stock-7", "expect": 12}]}                          not written,
 * checked
 *
 *     expect    "any" (the default where there are events), "none", "exists", or the revision that
 *               the last event must have; a check has no "any"
 *     event     id (made where there is none), type, data (any JSON) or data_base64 (bytes),
 *               tags: [text, ...], metadata: {...}, source, time (RFC 3339)
 *
 * An append without events only checks.
 */
#ifndef NONET_EVENTS_APPEND_H
#define NONET_EVENTS_APPEND_H

#include "base/arena.h"
#include "rooms/events/ids.h"
#include "rooms/events/lookup.h"
#include "wire/json.h"
#include "wire/json_write.h"

#define APPEND_STREAMS_MAX 256u /* of one append, checked ones included */
#define APPEND_EVENTS_MAX 4096u

enum expect { EXPECT_ANY, EXPECT_NONE, EXPECT_EXISTS, EXPECT_REVISION };

enum verdict {
    VERDICT_OPEN,
    VERDICT_FRESH,    /* to be appended, or a check that holds */
    VERDICT_REPEATED, /* has been appended before, all of it */
    VERDICT_WRONG,    /* the stream is not as expected */
    VERDICT_MIXED,    /* some of the ids have been there, others not */
};

/* One event stream of an append. */
struct append_part {
    slice name, subject;
    bool check; /* nothing is written to it */
    enum expect expect;
    uint64_t revision;
    struct event *events;
    bool *given; /* by index: the id is the client's */
    unsigned event_count;

    /* While it is judged. */
    struct head *head;
    enum verdict verdict;
    struct lookup lookup;
    uint64_t at;          /* of the comparison: the next record, 0 = not begun */
    unsigned seen, alike; /* events that were looked up or compared; of these with the same id */
    bool first_alike;
    /* When it is: 1-based numbers, and the sequence of the last. */
    uint64_t first, last, position;
};

struct append {
    struct append_part *parts; /* written ones first, as in the request */
    unsigned part_count, event_count;
    bool single; /* the answer is of the one stream */
};

/* NAME: the event stream of the short form, else empty. TIME: of events that bring none. IDS makes
   ids. Texts are ROOT's document's or ARENA's. 0, -ENOMEM, or -EINVAL with words in *E. */
must_use int append_read(json_value root, slice name, slice time, struct ids *ids,
                         struct arena *arena, struct append *ret_append, struct error *e);

enum outcome {
    OUTCOME_STORE,    /* all is as expected */
    OUTCOME_REPEATED, /* everything has been appended before, whatever has happened since */
    OUTCOME_CONFLICT,
};
/* Once every part has its verdict. */
enum outcome append_outcome(const struct append *append);

/* The answer's body; the status is returned: 200 (repeated), 201, 409. POSITION: ES's last. */
unsigned append_answer(const struct append *append, uint64_t position, struct json_writer *w);
/* A problem document (RFC 9457) without more. */
void append_problem(unsigned status, const char *detail, struct json_writer *w);

#endif
