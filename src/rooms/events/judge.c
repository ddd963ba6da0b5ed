/*
 * judge.c - see judge.h.
 *
 * WHAT IS GONE (life.h) is judged by ids alone: their digests stay in the skeleton, the places of
 * events do not. So of a repetition that reaches below what is kept, the events that are there are
 * compared one by one, and the others are looked up: it is enough that they have been in the
 * stream.
 */
#include "rooms/events/judge.h"

#include <errno.h>

static uint64_t gone_of(const struct append_part *part) {
    return head_gone(part->head);
}

/* Is the id of event I of the part anywhere in the event stream? 0, -ENOENT (no, or it is none of
   the client's), or why that is not known. */
static int find_id(struct append_part *part, unsigned i, struct fetch *fetch) {
    if (!part->given[i])
        return -ENOENT;
    part->lookup.id = part->events[i].id;
    return lookup_step(&part->lookup, part->head, fetch);
}

/* --- behind a revision (anchors 2.2, strong) ---------------------------------------------- */

static void count(struct append_part *part, uint64_t index, bool alike) {
    part->alike += alike;
    part->first_alike |= index == 0 && alike;
}

static void compare_again(struct append_part *part) {
    part->at = 0;
    part->alike = part->seen = 0;
    part->first_alike = part->compared = false;
    part->gone = gone_of(part);
}

/* Those that are there, the newest first. */
static int compare_kept(struct append_part *part, struct fetch *fetch) {
    uint64_t lowest = part->first > part->gone ? part->first : part->gone + 1;
    uint64_t target = part->last < part->head->number ? part->last : part->head->number;
    if (target < lowest)
        return 0;
    if (!part->at)
        part->at = head_last(part->head);
    for (;;) {
        struct log_record record;
        struct event event;
        int failed = fetch_event(fetch, part->at, &record, &event);
        if (failed)
            return failed;
        if (event.number > target) {
            part->at = event_hop(&event, target);
            continue;
        }
        if (event.number < lowest)
            return -EBADMSG;
        uint64_t index = event.number - part->first;
        count(part, index, part->given[index] && slice_equal(event.id, part->events[index].id));
        if (event.number == part->last)
            part->position = part->at;
        if (event.number == lowest)
            return 0;
        part->at = event.before;
    }
}

static int compare_gone(struct append_part *part, struct fetch *fetch) {
    uint64_t behind = part->gone < part->last ? part->gone : part->last;
    while (part->first + part->seen <= behind) {
        unsigned i = part->seen;
        int result = find_id(part, i, fetch);
        if (result && result != -ENOENT)
            return result;
        count(part, i, result == 0);
        if (result == 0 && part->first + i == part->last)
            part->position = part->lookup.sequence;
        part->seen++;
        part->lookup = (struct lookup){0};
    }
    return 0;
}

/* Are the events behind EXPECTED those of the part? */
static int compare(struct append_part *part, struct fetch *fetch, uint64_t expected) {
    int failed = 0;
    part->first = expected + 1;
    part->last = expected + part->event_count;
    if (!part->begun)
        compare_again(part);
    part->begun = true;
    if (!part->compared)
        failed = compare_kept(part, fetch);
    if (failed == -EBADMSG && part->gone != gone_of(part)) { /* it has gone meanwhile */
        compare_again(part);
        failed = compare_kept(part, fetch);
    }
    part->compared = !failed;
    if (!failed)
        failed = compare_gone(part, fetch);
    if (failed)
        return failed;
    if (part->alike == part->event_count)
        part->verdict = VERDICT_REPEATED;
    else
        part->verdict = part->first_alike ? VERDICT_MIXED : VERDICT_WRONG;
    return 0;
}

/* --- wherever (anchors 2.2, weak; but for ever) ------------------------------------------- */

static int look_up(struct append_part *part, struct fetch *fetch) {
    while (part->seen < part->event_count) {
        unsigned i = part->seen;
        int result = find_id(part, i, fetch);
        if (result && result != -ENOENT)
            return result;
        part->seen++;
        if (result && i == 0)
            break;
        if (i == 0)
            part->first = part->lookup.number;
        if (!result) {
            part->alike++;
            part->last = part->lookup.number;
            if (part->lookup.sequence > part->position)
                part->position = part->lookup.sequence;
        }
        part->lookup = (struct lookup){0};
    }
    if (!part->alike)
        part->verdict = VERDICT_FRESH;
    else
        part->verdict = part->alike == part->event_count ? VERDICT_REPEATED : VERDICT_MIXED;
    return 0;
}

/* --- the judgement ------------------------------------------------------------------------ */

static bool fits(const struct append_part *part) {
    return life_fits(head_life(part->head), part->head->number, part->expect, part->revision,
                     part->event_count || part->writes);
}

/* `none` of a stream that has been deleted may be the repetition of either life's beginning. */
static bool is_anywhere(const struct append_part *part) {
    return part->expect != EXPECT_REVISION &&
           (part->expect != EXPECT_NONE || head_life(part->head)->deleted);
}

static int judge(struct append_part *part, struct fetch *fetch) {
    uint64_t there = part->head->number;
    int failed = 0;
    if (!part->event_count || head_life(part->head)->tombstoned) {
        part->verdict = fits(part) ? VERDICT_FRESH : VERDICT_WRONG;
        return 0;
    }
    if (is_anywhere(part)) {
        failed = look_up(part, fetch);
        if (!failed && part->verdict == VERDICT_FRESH && !fits(part))
            part->verdict = VERDICT_WRONG;
        return failed;
    }
    uint64_t expected = part->expect == EXPECT_NONE ? 0 : part->revision + 1;
    if (expected == there)
        part->verdict = VERDICT_FRESH;
    else if (expected > there || !part->given[0])
        part->verdict = VERDICT_WRONG;
    return part->verdict == VERDICT_OPEN ? compare(part, fetch, expected) : 0;
}

/* That something has been appended before is a promise: it must be on disk. */
int judge_part(struct append_part *part, struct fetch *fetch) {
    int failed = part->verdict == VERDICT_OPEN ? judge(part, fetch) : 0;
    if (!failed && part->verdict == VERDICT_REPEATED)
        failed = fetch_visible(fetch, part->position);
    return failed;
}
