/*
 * append_answer.c - what an append is told (append.h).
 *
 *     {"stream":"order-42","first":4,"last":5,"position":1007,"duplicate":false}
 *     {"position":1008,"duplicate":false,"streams":[{"stream":..,"first":..,"last":..}, ...]}
 *     409 with every violation: {"check":"expect","stream":..,"expected":..,"actual":..}
 *                               {"check":"none","index":..,"item":..,"position":..,"type":..}
 *
 * `actual` and `expected` are revisions, or words: "none", "exists", "deleted", "tombstoned". Of a
 * stream that is "deleted" `revision` is its last one. A part that only checks has no first and
 * last; they are null where the events have gone and with them the knowledge. `position` is the
 * sequence in ES, dense in the order of commits.
 */
#include "rooms/events/append.h"

#include "wire/http1_write.h"

static void write_expected(const struct append_part *part, struct json_writer *w) {
    json_write_key(w, "expected");
    if (part->expect == EXPECT_REVISION)
        json_write_u64(w, part->revision);
    else
        json_write_text(w, expect_word(part->expect));
}

static void write_actual(const struct head *head, struct json_writer *w) {
    enum life_state state = life_state(head_life(head), head->number);
    json_write_key(w, "actual");
    if (state == LIFE_ALIVE)
        json_write_u64(w, head->number - 1);
    else
        json_write_text(w, state == LIFE_NEVER     ? "none"
                           : state == LIFE_DELETED ? "deleted"
                                                   : "tombstoned");
    if (state == LIFE_DELETED) {
        json_write_key(w, "revision");
        json_write_u64(w, head->number - 1);
    }
}

static void write_violation(const struct append_part *part, bool mixed, struct json_writer *w) {
    json_write_object(w);
    json_write_key(w, "check");
    json_write_text(w, mixed ? "ids" : "expect");
    json_write_key(w, "stream");
    json_write_string(w, part->name);
    write_expected(part, w);
    write_actual(part->head, w);
    if (mixed) {
        json_write_key(w, "detail");
        json_write_text(w, "some of these events have been appended before, others have not");
    }
    json_write_end(w);
}

static void write_problem(unsigned status, const char *detail, struct json_writer *w) {
    json_write_key(w, "type");
    json_write_text(w, "about:blank");
    json_write_key(w, "title");
    json_write_text(w, http1_reason(status));
    json_write_key(w, "status");
    json_write_u64(w, status);
    json_write_key(w, "detail");
    json_write_text(w, detail);
}

void append_problem(unsigned status, const char *detail, struct json_writer *w) {
    json_write_object(w);
    write_problem(status, detail, w);
    json_write_end(w);
}

static bool is_wrong(const struct append_part *part) {
    return part->verdict == VERDICT_WRONG || part->verdict == VERDICT_MIXED;
}

enum outcome append_parts_outcome(const struct append *append) {
    unsigned fresh = 0, repeated = 0, wrong = 0, wrong_checks = 0;
    for (unsigned i = 0; i < append->part_count; i++) {
        const struct append_part *part = &append->parts[i];
        wrong += is_wrong(part) && part->event_count;
        wrong_checks += is_wrong(part) && !part->event_count;
        fresh += part->verdict == VERDICT_FRESH && part->event_count;
        repeated += part->verdict == VERDICT_REPEATED;
    }
    if (wrong || (fresh && repeated))
        return OUTCOME_CONFLICT;
    if (repeated)
        return OUTCOME_REPEATED;
    return wrong_checks ? OUTCOME_CONFLICT : OUTCOME_STORE;
}

enum outcome append_outcome(const struct append *append) {
    enum outcome outcome = append_parts_outcome(append);
    if (outcome == OUTCOME_STORE && conditions_violated(&append->conditions))
        return OUTCOME_CONFLICT;
    return outcome;
}

/* Where some streams have got their events before and others not, both are told. */
static void write_violations(const struct append *append, struct json_writer *w) {
    bool fresh = false;
    for (unsigned i = 0; i < append->part_count; i++)
        fresh |= append->parts[i].verdict == VERDICT_FRESH && append->parts[i].event_count;
    json_write_key(w, "violations");
    json_write_array(w);
    for (unsigned i = 0; i < append->part_count; i++) {
        const struct append_part *part = &append->parts[i];
        bool repeated = fresh && part->verdict == VERDICT_REPEATED;
        if (is_wrong(part) || repeated)
            write_violation(part, part->verdict != VERDICT_WRONG, w);
    }
    conditions_write(&append->conditions, w);
    json_write_end(w);
}

static unsigned answer_conflict(const struct append *append, uint64_t position,
                                struct json_writer *w) {
    bool of_streams = append_parts_outcome(append) == OUTCOME_CONFLICT;
    json_write_object(w);
    write_problem(409,
                  append->parts && append->parts[0].writes
                      ? "nothing was changed: the event stream is not as expected"
                  : of_streams ? "nothing was appended: an event stream is not as expected"
                               : "nothing was appended: there is an event that a check rules out",
                  w);
    json_write_key(w, "position");
    json_write_u64(w, position);
    write_violations(append, w);
    json_write_end(w);
    return 409;
}

static void write_revision(struct json_writer *w, const char *key, uint64_t number) {
    json_write_key(w, key);
    if (number)
        json_write_u64(w, number - 1);
    else
        json_write_null(w);
}

static void write_part(const struct append_part *part, struct json_writer *w) {
    json_write_key(w, "stream");
    json_write_string(w, part->name);
    if (!part->event_count)
        return;
    write_revision(w, "first", part->first);
    write_revision(w, "last", part->last);
}

static void write_streams(const struct append *append, struct json_writer *w) {
    json_write_key(w, "streams");
    json_write_array(w);
    for (unsigned i = 0; i < append->part_count; i++) {
        json_write_object(w);
        write_part(&append->parts[i], w);
        json_write_end(w);
    }
    json_write_end(w);
}

unsigned append_answer(const struct append *append, uint64_t position, struct json_writer *w) {
    enum outcome outcome = append_outcome(append);
    if (outcome == OUTCOME_CONFLICT)
        return answer_conflict(append, position, w);
    uint64_t last = 0;
    for (unsigned i = 0; i < append->part_count; i++)
        if (append->parts[i].position > last)
            last = append->parts[i].position;
    json_write_object(w);
    if (append->single)
        write_part(&append->parts[0], w);
    json_write_key(w, "position");
    json_write_u64(w, last ? last : position);
    json_write_key(w, "duplicate");
    json_write_bool(w, outcome == OUTCOME_REPEATED);
    if (!append->single)
        write_streams(append, w);
    json_write_end(w);
    return outcome == OUTCOME_REPEATED || !append->event_count ? 200 : 201;
}
