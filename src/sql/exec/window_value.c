/*
 * window_value.c - the window functions proper, of all rows of a partition.
 */
#include "sql/exec/window.h"

static void give(struct windowed *f, size_t at, unsigned argument, size_t from) {
    f->result_null[at] = f->nulls[argument][from];
    if (!f->result_null[at])
        f->result[at] = f->cells[argument][from];
}

/* ---- places ------------------------------------------------------------------------------- */

static void rank_values(const struct layout *l, struct windowed *f) {
    for (size_t at = 0; at < l->count; at++) {
        union sql_cell *ret = &f->result[at];
        size_t before = l->peers[at];
        switch (f->plan->function) {
        case SQL_WINDOW_ROW_NUMBER:
            ret->i = (int64_t)at + 1;
            break;
        case SQL_WINDOW_RANK:
            ret->i = (int64_t)before + 1;
            break;
        case SQL_WINDOW_DENSE_RANK:
            ret->i = (int64_t)l->group[at] + 1;
            break;
        case SQL_WINDOW_PERCENT_RANK:
            ret->f = l->count > 1 ? (double)before / (double)(l->count - 1) : 0.0;
            break;
        default: /* CUME_DIST */
            ret->f = (double)l->peers_end[at] / (double)l->count;
            break;
        }
    }
}

/* The first `count % buckets` buckets have one row more. The first row says how many there are. */
static int ntile_values(const struct layout *l, struct windowed *f, struct sql_error *error) {
    if (l->count == 0)
        return 0;
    if (f->nulls[0][0]) {
        memset(f->result_null, 1, l->count);
        return 0;
    }
    int64_t buckets = f->cells[0][0].i;
    if (buckets <= 0)
        return sql_fail(error, "22014", "argument of ntile must be greater than zero");
    int64_t rows = (int64_t)l->count, small = rows / buckets, larger = rows % buckets;
    for (int64_t at = 0; at < rows; at++) {
        int64_t within = larger * (small + 1);
        f->result[at].i =
            at < within ? at / (small + 1) + 1 : larger + (at - within) / (small ? small : 1) + 1;
    }
    return 0;
}

/* lag and lead: value, by how many rows (1), what there is beyond the partition (NULL). */
static void shifted_values(const struct layout *l, struct windowed *f) {
    bool back = f->plan->function == SQL_WINDOW_LAG;
    int64_t count = (int64_t)l->count;
    for (size_t at = 0; at < l->count; at++) {
        bool given = f->plan->count > 1;
        int64_t by = 1, from;
        if (given && f->nulls[1][at]) {
            f->result_null[at] = 1;
            continue;
        }
        if (given)
            by = f->cells[1][at].i;
        bool beyond = back ? __builtin_sub_overflow((int64_t)at, by, &from)
                           : __builtin_add_overflow((int64_t)at, by, &from);
        if (!beyond && from >= 0 && from < count)
            give(f, at, 0, (size_t)from);
        else if (f->plan->count > 2)
            give(f, at, 2, at);
        else
            f->result_null[at] = 1;
    }
}

/* ---- of the frame ------------------------------------------------------------------------- */

/* The NTH place of the frame (from 1, or from its end) that EXCLUDE leaves in; count: none. */
static size_t nth_place(const struct window *w, const struct windowed *f, size_t at,
                        struct frame frame, int64_t nth, bool from_end) {
    if (f->plan->exclude == SQL_EXCLUDE_NOTHING) {
        if (nth > (int64_t)(frame.end - frame.start))
            return w->layout.count;
        return from_end ? frame.end - (size_t)nth : frame.start + (size_t)nth - 1;
    }
    for (size_t i = 0; i < frame.end - frame.start; i++) {
        size_t place = from_end ? frame.end - 1 - i : frame.start + i;
        if (!window_excludes(w, f, at, place) && --nth == 0)
            return place;
    }
    return w->layout.count;
}

static int frame_values(struct window *w, struct windowed *f, struct sql_error *error) {
    const struct layout *l = &w->layout;
    bool last = f->plan->function == SQL_WINDOW_LAST_VALUE;
    for (size_t at = 0; at < l->count; at++) {
        struct frame frame;
        int64_t nth = 1;
        int r = window_frame(w, f, at, &frame, error);
        if (r)
            return r;
        if (f->plan->function == SQL_WINDOW_NTH_VALUE) {
            if (f->nulls[1][at]) {
                f->result_null[at] = 1;
                continue;
            }
            nth = f->cells[1][at].i;
            if (nth <= 0)
                return sql_fail(error, "22016", "argument of nth_value must be greater than zero");
        }
        size_t place = nth_place(w, f, at, frame, nth, last);
        if (place < l->count)
            give(f, at, 0, place);
        else
            f->result_null[at] = 1;
    }
    return 0;
}

int window_compute(struct window *w, struct windowed *f, struct sql_error *error) {
    switch (f->plan->function) {
    case SQL_WINDOW_AGGREGATE:
        return window_aggregate(w, f, error);
    case SQL_WINDOW_NTILE:
        return ntile_values(&w->layout, f, error);
    case SQL_WINDOW_LAG:
    case SQL_WINDOW_LEAD:
        shifted_values(&w->layout, f);
        return 0;
    case SQL_WINDOW_FIRST_VALUE:
    case SQL_WINDOW_LAST_VALUE:
    case SQL_WINDOW_NTH_VALUE:
        return frame_values(w, f, error);
    default:
        rank_values(&w->layout, f);
        return 0;
    }
}
