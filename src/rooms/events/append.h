/*
 * append.h - what an append asks for, read from JSON; and the answer to it. Pure.
 *
 * One event stream, or several of which all or none are written:
 *
 *     {"expect": "none", "events": [{"type": "Placed", "data": {...}}]}
 *     {"appends": [{"stream": "order-42", "expect": 3, "events": [...]}, ...]}
 *
 * Both may have checks, of what is not written:
 *
 *      "checks": [{"stream": "stock-7", "expect": 12},
 *                 {"none": {"types": ["Reserved"], "tags": ["seat:7"]}, "after": 990}]  condition.h
 *
 *     expect    "any" (the default where there are events), "none", "exists", the revision that the
 *               last event must have, or "deleted"; a check has no "any", but "tombstoned"
 *     event     id (made where there is none), type, data (any JSON) or data_base64 (bytes),
 *               tags: [text, ...], metadata: {...}, source, time (RFC 3339)
 *
 * An append without events only checks.
 */
#ifndef NONET_EVENTS_APPEND_H
#define NONET_EVENTS_APPEND_H

#include "base/arena.h"
#include "rooms/events/condition.h"
#include "rooms/events/ids.h"
#include "rooms/events/lookup.h"
#include "wire/json.h"
#include "wire/json_write.h"

#define APPEND_STREAMS_MAX 256u /* of one append, checked ones included */
#define APPEND_EVENTS_MAX 4096u
#define APPEND_TAGS_MAX 16384u /* of its events and conditions */

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
    bool writes; /* something else is to be changed by it (life_change.h) */

    /* While it is judged. */
    struct head *head;
    enum verdict verdict;
    struct lookup lookup;
    uint64_t at;          /* of the comparison: the next record, 0 = not begun */
    unsigned seen, alike; /* events that were looked up or compared; of these with the same id */
    bool first_alike, begun, compared;
    uint64_t gone; /* what was gone when the comparison began */
    /* When it is: 1-based numbers (0: gone, and nobody knows), and the sequence of the last, or of
       the record that knows its id. */
    uint64_t first, last, position;
};

struct append {
    struct append_part *parts; /* written ones first, as in the request */
    unsigned part_count, event_count;
    struct conditions conditions;
    bool single; /* the answer is of the one stream */

    /* While it is judged: the tags of its events, in their order, then those of its conditions. */
    struct tag_end **ends;
    unsigned event_end_count, end_count;
};

/* NAME: the event stream of the short form, else empty. TIME: of events that bring none. IDS makes
   ids. Texts are ROOT's document's or ARENA's. 0, -ENOMEM, or -EINVAL with words in *E. */
must_use int append_read(json_value root, slice name, slice time, struct ids *ids,
                         struct arena *arena, struct append *ret_append, struct error *e);

unsigned append_count_tags(const struct append *append);
/* Takes all ends; once, for it gives the events their keys. 0 or -ENOMEM. */
must_use int append_take_tags(struct append *append, struct engine *engine, struct arena *arena);
void append_give_tags(struct append *append);
/* 0, -EINPROGRESS, or why one of them cannot be read. */
must_use int append_tags_ready(const struct append *append);

enum outcome {
    OUTCOME_STORE,    /* all is as expected */
    OUTCOME_REPEATED, /* everything has been appended before, whatever has happened since */
    OUTCOME_CONFLICT,
};
/* Once every part has its verdict: of what the parts say; and with the conditions. What has been
   appended before is so, whatever the conditions say of it. */
enum outcome append_parts_outcome(const struct append *append);
enum outcome append_outcome(const struct append *append);

/* The answer's body; the status is returned: 200 (repeated), 201, 409. POSITION: ES's last. */
unsigned append_answer(const struct append *append, uint64_t position, struct json_writer *w);
/* `expect`: 0; -EINVAL; absent: untouched. */
must_use int append_read_expect(json_value v, enum expect *expect, uint64_t *revision);
/* A problem document (RFC 9457) without more. */
void append_problem(unsigned status, const char *detail, struct json_writer *w);

#endif
