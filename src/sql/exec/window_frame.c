/*
 * window_frame.c - where the frame of a row begins and ends, and what EXCLUDE leaves out of it.
 *
 *      ROWS      counts places          GROUPS   counts groups of peers
 *      RANGE     compares: order column -/+ offset; a NULL in order has the NULLs as its frame
 *
 * An offset that takes a value out of its type's range reaches past all rows.
 */
#include "sql/exec/window.h"

/* ---- offsets ------------------------------------------------------------------------------ */

static bool has_offset(enum sql_frame_bound bound) {
    return bound == SQL_FRAME_PRECEDING || bound == SQL_FRAME_FOLLOWING;
}

static bool is_negative(uint32_t oid, const union sql_cell *offset) {
    switch (sql_layout_of(oid)) {
    case SQL_LAYOUT_WORD:
        return offset->i < 0;
    case SQL_LAYOUT_FLOAT:
        return offset->f < 0;
    case SQL_LAYOUT_NUMERIC:
    case SQL_LAYOUT_INTERVAL: {
        static const union sql_cell zero = {.interval = {0, 0, 0}}; /* of numeric, too */
        return sql_value_compare(oid, offset, &zero) < 0;
    }
    default:
        return false;
    }
}

static int take_offset(struct window *w, const struct windowed *f, bool start, union sql_cell *ret,
                       struct sql_error *error) {
    const struct sql_plan_window *plan = f->plan;
    const struct sql_expr *e = start ? plan->start_offset : plan->end_offset;
    const char *which = start ? "starting" : "ending";
    if (!has_offset(start ? plan->start : plan->end))
        return 0;
    bool null;
    struct sql_exec *x = w->base.exec;
    int r = sql_evaluate_constant(e, &x->environment, &x->memory, ret, &null, error);
    if (r)
        return r;
    if (null)
        return sql_fail(error, "22004", "frame %s offset must not be null", which);
    if (!is_negative(e->type.oid, ret))
        return 0;
    if (plan->mode == SQL_FRAME_RANGE)
        return sql_fail(error, "22013", "invalid preceding or following size in window function");
    return sql_fail(error, "22013", "frame %s offset must not be negative", which);
}

int window_offsets(struct window *w, struct windowed *f, struct sql_error *error) {
    const struct sql_plan_window *plan = f->plan;
    const struct sql_plan *node = w->base.plan;
    int r = take_offset(w, f, true, &f->start_offset, error);
    if (r == 0)
        r = take_offset(w, f, false, &f->end_offset, error);
    if (r || !plan->plus)
        return r;
    const struct sql_expr *offset = plan->start_offset ? plan->start_offset : plan->end_offset;
    f->order_types[0] = w->base.input[0]->types[node->order[0].column];
    f->order_types[1] = offset ? offset->type : f->order_types[0];
    struct sql_call call = {.settings = w->base.exec->options.settings,
                            .types = f->order_types,
                            .count = 2,
                            .result = f->order_types[0]};
    f->plus = f->minus = call;
    return 0;
}

/* ---- ROWS and GROUPS ---------------------------------------------------------------------- */

/* AT moved by OFFSET, kept within 0 … COUNT. */
static size_t moved(size_t at, bool back, uint64_t offset, size_t count) {
    if (back)
        return offset > at ? 0 : at - offset;
    return offset > count - at ? count : at + offset;
}

static size_t rows_bound(const struct windowed *f, size_t at, bool start, size_t count) {
    enum sql_frame_bound bound = start ? f->plan->start : f->plan->end;
    uint64_t offset = (uint64_t)(start ? f->start_offset.i : f->end_offset.i);
    if (bound == SQL_FRAME_CURRENT)
        return start ? at : at + 1;
    bool back = bound == SQL_FRAME_PRECEDING;
    if (start)
        return moved(at, back, offset, count);
    return back ? (offset > at ? 0 : at + 1 - offset) : moved(at, false, offset, count - 1) + 1;
}

static size_t groups_bound(const struct layout *l, const struct windowed *f, size_t at,
                           bool start) {
    size_t group = rows_bound(f, l->group[at], start, l->groups);
    return l->group_at[group < l->groups ? group : l->groups];
}

/* ---- RANGE -------------------------------------------------------------------------------- */

/* The first place of those known whose order is not before VALUE; AFTER: is behind it. */
static size_t range_search(const struct window *w, const union sql_cell *value, bool after) {
    const struct layout *l = &w->layout;
    const struct sql_sort_key *key = &w->base.plan->order[0];
    uint32_t oid = w->base.input[0]->types[key->column].oid;
    size_t low = l->known, high = l->known_end;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = sql_value_compare(oid, &l->order[middle], value);
        order = key->descending ? -order : order;
        if (order < 0 || (after && order == 0))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int range_bound(struct window *w, struct windowed *f, size_t at, bool start, size_t *ret,
                       struct sql_error *error) {
    const struct layout *l = &w->layout;
    enum sql_frame_bound bound = start ? f->plan->start : f->plan->end;
    if (bound == SQL_FRAME_CURRENT || l->order_null[at]) {
        *ret = start ? l->peers[at] : l->peers_end[at];
        return 0;
    }
    /* Preceding is towards smaller values, of a descending order towards larger ones. */
    bool back = bound == SQL_FRAME_PRECEDING;
    bool less = back != w->base.plan->order[0].descending;
    const struct sql_function *function = less ? f->plan->minus : f->plan->plus;
    struct sql_call *call = less ? &f->minus : &f->plus;
    const uint8_t no_nulls[2] = {0, 0};
    union sql_cell arguments[2] = {l->order[at], start ? f->start_offset : f->end_offset}, value;
    call->memory = &w->arena;
    call->error = error;
    call->nulls = no_nulls;
    call->null = false;
    int r;
    if (function->scalar) {
        r = function->scalar(call, arguments, &value);
    } else {
        struct sql_column columns[2] = {{&arguments[0], NULL, 0}, {&arguments[1], NULL, 0}};
        uint8_t null = 0;
        r = function->vector(call, columns, 1, &value, &null);
    }
    if (r && (strcmp(error->state, "22003") == 0 || strcmp(error->state, "22008") == 0)) {
        *ret = back ? l->known : l->known_end;
        return 0;
    }
    *ret = r ? 0 : range_search(w, &value, !start);
    return r;
}

/* ---- frames ------------------------------------------------------------------------------- */

static int frame_bound(struct window *w, struct windowed *f, size_t at, bool start, size_t *ret,
                       struct sql_error *error) {
    const struct layout *l = &w->layout;
    enum sql_frame_bound bound = start ? f->plan->start : f->plan->end;
    if (bound == SQL_FRAME_UNBOUNDED_PRECEDING || bound == SQL_FRAME_UNBOUNDED_FOLLOWING) {
        *ret = bound == SQL_FRAME_UNBOUNDED_PRECEDING ? 0 : l->count;
        return 0;
    }
    if (f->plan->mode == SQL_FRAME_RANGE)
        return range_bound(w, f, at, start, ret, error);
    *ret = f->plan->mode == SQL_FRAME_ROWS ? rows_bound(f, at, start, l->count)
                                           : groups_bound(l, f, at, start);
    return 0;
}

int window_frame(struct window *w, struct windowed *f, size_t at, struct frame *ret,
                 struct sql_error *error) {
    int r = frame_bound(w, f, at, true, &ret->start, error);
    if (r == 0)
        r = frame_bound(w, f, at, false, &ret->end, error);
    if (r == 0 && ret->end < ret->start)
        ret->end = ret->start;
    return r;
}

bool window_excludes(const struct window *w, const struct windowed *f, size_t at, size_t place) {
    const struct layout *l = &w->layout;
    bool peer = place >= l->peers[at] && place < l->peers_end[at];
    switch (f->plan->exclude) {
    case SQL_EXCLUDE_CURRENT:
        return place == at;
    case SQL_EXCLUDE_GROUP:
        return peer;
    case SQL_EXCLUDE_TIES:
        return peer && place != at;
    case SQL_EXCLUDE_NOTHING:
        break;
    }
    return false;
}
