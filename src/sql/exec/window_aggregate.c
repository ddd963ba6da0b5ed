/*
 * window_aggregate.c - aggregates over frames.
 *
 *      frame of row i     [--------)
 *      frame of row i+1      [--------)     rows come on the right, and leave on the left
 *
 * As long as the next frame only gains rows they are added to the state at hand. Rows that leave
 * are taken away where the aggregate can; else, and where EXCLUDE punches holes, the state is made
 * anew.
 */
#include "sql/exec/window.h"

#define STATE_ALIGN 16u
#define WORK_ASKED 4096u /* rows added or told between two questions whether to go on */

struct running {
    _Alignas(STATE_ALIGN) char state[128];
    struct frame frame; /* whose rows are in the state */
};

static void forget(const struct windowed *f, struct running *s) {
    if (f->plan->aggregate->release)
        f->plan->aggregate->release(s->state);
    memset(s->state, 0, sizeof s->state);
    s->frame = (struct frame){0, 0};
}

static int add(struct windowed *f, struct running *s, size_t place, int64_t weight) {
    const struct sql_aggregate *aggregate = f->plan->aggregate;
    union sql_cell cells[SQL_CALL_ARGUMENTS_MAX];
    uint8_t nulls[SQL_CALL_ARGUMENTS_MAX];
    bool some_null = false;
    if (f->counted && !f->counted[place])
        return 0;
    check(f->plan->count <= SQL_CALL_ARGUMENTS_MAX);
    for (unsigned i = 0; i < f->plan->count; i++) {
        nulls[i] = f->nulls[i][place];
        some_null |= nulls[i];
        cells[i] = f->cells[i][place];
    }
    if (some_null && !(aggregate->flags & SQL_LENIENT))
        return 0;
    f->call.nulls = nulls;
    return aggregate->add(&f->call, s->state, cells, weight);
}

/* Now and then: may the step go on? */
static int ask(struct window *w, struct windowed *f) {
    return ++w->worked % WORK_ASKED ? 0 : operator_go_on(&w->base, f->call.error);
}

static int add_frame(struct window *w, struct windowed *f, struct running *s, size_t at,
                     struct frame frame) {
    int r = 0;
    for (size_t place = frame.start; r == 0 && place < frame.end; place++) {
        if (!window_excludes(w, f, at, place))
            r = add(f, s, place, 1);
        if (r == 0)
            r = ask(w, f);
    }
    s->frame = frame;
    return r;
}

/* Brings the state to FRAME, the cheapest way there is. */
static int move_to(struct window *w, struct windowed *f, struct running *s, size_t at,
                   struct frame frame) {
    bool holes = f->plan->exclude != SQL_EXCLUDE_NOTHING;
    struct frame from = s->frame;
    bool overlaps = frame.start < from.end && frame.start >= from.start && frame.end >= from.end;
    bool leaves = frame.start > from.start;
    if (holes || !overlaps || (leaves && !f->plan->aggregate->invertible)) {
        forget(f, s);
        return add_frame(w, f, s, at, frame);
    }
    int r = 0;
    for (size_t place = from.start; r == 0 && place < frame.start; place++)
        r = add(f, s, place, -1);
    for (size_t place = from.end; r == 0 && place < frame.end; place++)
        r = add(f, s, place, 1);
    s->frame = frame;
    return r;
}

/* The state's value, in memory that outlives the state. */
static int take_result(struct window *w, struct windowed *f, const struct running *s, size_t at,
                       struct sql_error *error) {
    union sql_cell cell;
    f->call.null = false;
    int r = f->plan->aggregate->result_of(&f->call, s->state, &cell);
    f->result_null[at] = f->call.null;
    if (r || f->call.null)
        return r;
    return sql_value_copy(f->plan->type.oid, &cell, &w->arena, &f->result[at])
               ? sql_fail_memory(error)
               : 0;
}

int window_aggregate(struct window *w, struct windowed *f, struct sql_error *error) {
    struct running s = {.frame = {0, 0}};
    int r = 0;
    f->call.memory = &w->arena;
    f->call.error = error;
    for (size_t at = 0; r == 0 && at < w->layout.count; at++) {
        struct frame frame, before = s.frame;
        r = window_frame(w, f, at, &frame, error);
        if (r)
            break;
        bool same = at > 0 && frame.start == before.start && frame.end == before.end &&
                    f->plan->exclude == SQL_EXCLUDE_NOTHING;
        if (same) {
            f->result[at] = f->result[at - 1];
            f->result_null[at] = f->result_null[at - 1];
            continue;
        }
        r = move_to(w, f, &s, at, frame);
        if (r == 0)
            r = take_result(w, f, &s, at, error);
        if (r == 0)
            r = ask(w, f);
    }
    forget(f, &s);
    return r;
}
