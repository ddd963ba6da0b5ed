/*
 * condition.h - a dynamic consistency boundary: no event of some types and tags may be there.
 *
 *     {"none": {"types": ["SeatTaken"], "tags": ["course:7"]}, "after": 990}
 *     {"none": [ITEM, ITEM, ...]}
 *
 * ITEM is matched by an event that has one of the types (any, where there are none) and all of the
 * tags; the condition is violated by an event behind `after` (0: any) that one of its items is
 * matched by and that has not gone (life.h). An item without types and tags is matched by every
 * event: it wants an `after`, which may lie beyond the last event.
 *
 *     HOW IT IS JUDGED                                                          costs
 *     one of the item's tags has had its last event at or before `after`        nothing
 *     else: the events of its rarest tag, the newest first (walk.h), until      those events
 *     one matches or `after` is reached
 *     an item without tags: all events, the newest first                        those events
 *
 * It is judged twice: when it comes, beside all others, up to where ES ends by then; and for what
 * has been appended meanwhile once it is its turn. So a long look back holds nobody up, and still
 * nothing is between the judgement and the append.
 *
 * BOUNDS. CONDITION_LOOKS_MAX events a condition: past that it is not known (then `too_far`).
 */
#ifndef NONET_EVENTS_CONDITION_H
#define NONET_EVENTS_CONDITION_H

#include "base/arena.h"
#include "rooms/events/heads.h"
#include "rooms/events/walk.h"
#include "wire/json_write.h"

#define CONDITIONS_MAX 64u      /* of an append */
#define CONDITION_ITEMS_MAX 64u /* of a condition */
#define CONDITION_TEXTS_MAX 64u /* types of an item; tags of an item */
#define CONDITION_LOOKS_MAX 100000u

struct condition_item {
    slice *types, *tags;
    unsigned type_count, tag_count;
    struct tag_end **ends; /* of the tags */
    uint64_t clean_to;     /* no event up to it matches, but for those up to `after` */
    bool begun, violated;
    struct walk walk;
    uint64_t ceiling; /* of the walk: where ES ended when it began */
    /* Of the event that violates it. */
    uint64_t position;
    slice stream, type;
};

struct condition {
    struct condition_item *items;
    unsigned item_count;
    unsigned index; /* in `checks` */
    uint64_t after;
    unsigned looks;
    bool too_far;
};

struct conditions {
    struct condition *all;
    unsigned count, tag_count;
    unsigned at, item_at; /* which is being judged */
    struct head *held;    /* see head_hides */
};

/* The element INDEX of `checks`, which has a `none`. Texts are V's document's. 0, -ENOMEM, or
   -EINVAL with words in *E. */
must_use int condition_read(json_value v, unsigned index, struct arena *arena,
                            struct condition *ret_condition, struct error *e);

/* Judges all of them up to where ES ends now; all ends must be ready. 0; -EINPROGRESS: FETCH's done
   is called, later, then go on; -EAGAIN: go on when the pump has run; -EBADMSG; -ENOMEM. */
must_use int conditions_judge(struct conditions *conditions, struct fetch *fetch,
                              struct arena *arena);
void conditions_release(struct conditions *conditions);
bool conditions_violated(const struct conditions *conditions);
/* The first that is not known, and not violated either; NULL: there is none. */
const struct condition *conditions_unknown(const struct conditions *conditions);
/* An object for each violated item, inside an array. */
void conditions_write(const struct conditions *conditions, struct json_writer *w);

#endif
