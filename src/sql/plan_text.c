/*
 * plan_text.c - EXPLAIN (plan.h): one line a node, children indented below it.
 *
 *   Join inner on (auction = id)                 state: both inputs' rows, kept for ever
 *     Scan bid (auction, price)
 *     Filter (category = 10)
 *       Scan auction (id, category)
 */
#include "base/mem.h"
#include "sql/catalog.h"
#include "sql/plan.h"

#include <errno.h>

#define try(call)                                                                                  \
    do {                                                                                           \
        int r_ = (call);                                                                           \
        if (r_ < 0)                                                                                \
            return r_;                                                                             \
    } while (0)

#define PLAN_TEXT_DEPTH_MAX 200u

struct writer {
    struct buf *out;
    bool *written; /* by a node's number: a shared one is told once */
    unsigned count;
};

static const char *const join_words[] = {
    [SQL_JOIN_INNER] = "inner",
    [SQL_JOIN_LEFT] = "left",
    [SQL_JOIN_RIGHT] = "right",
    [SQL_JOIN_FULL] = "full",
    [SQL_JOIN_SEMI] = "semi",
    [SQL_JOIN_ANTI] = "anti",
    [SQL_JOIN_ANTI_NULL] = "anti (NOT IN)",
    [SQL_JOIN_SCALAR] = "scalar",
};

static const char *const window_words[] = {
    [SQL_WINDOW_ROW_NUMBER] = "row_number",
    [SQL_WINDOW_RANK] = "rank",
    [SQL_WINDOW_DENSE_RANK] = "dense_rank",
    [SQL_WINDOW_PERCENT_RANK] = "percent_rank",
    [SQL_WINDOW_CUME_DIST] = "cume_dist",
    [SQL_WINDOW_NTILE] = "ntile",
    [SQL_WINDOW_LAG] = "lag",
    [SQL_WINDOW_LEAD] = "lead",
    [SQL_WINDOW_FIRST_VALUE] = "first_value",
    [SQL_WINDOW_LAST_VALUE] = "last_value",
    [SQL_WINDOW_NTH_VALUE] = "nth_value",
};

/* Names of the columns a node's expressions are over: of all its inputs, one after the other. */
static slice *input_names(const struct sql_plan *p, unsigned *ret_count) {
    unsigned count = 0;
    for (unsigned i = 0; i < p->inputs; i++)
        count += p->input[i]->columns;
    slice *names = mem_zalloc(count + 1, sizeof *names);
    unsigned at = 0;
    for (unsigned i = 0; names && i < p->inputs; i++)
        for (unsigned c = 0; c < p->input[i]->columns; c++)
            names[at++] = p->input[i]->column[c].name;
    *ret_count = count;
    return names;
}

static int write_exprs(struct buf *out, struct sql_expr *const *e, unsigned count,
                       const slice *names, unsigned name_count) {
    for (unsigned i = 0; i < count; i++) {
        try(i ? buf_append(out, slice_lit(", ")) : 0);
        try(sql_expr_text(e[i], names, name_count, out));
    }
    return 0;
}

static int write_column(struct buf *out, const struct sql_plan *p, unsigned column) {
    const struct sql_plan *in = p->input[0];
    return column < in->columns ? buf_append(out, in->column[column].name)
                                : buf_printf(out, "#%u", column);
}

static int write_scan(struct buf *out, const struct sql_plan *p) {
    try(buf_printf(out, "Scan %.*s (", slice_fmt(p->table->name)));
    for (unsigned i = 0; i < p->columns; i++)
        try(buf_printf(out, "%s%.*s", i ? ", " : "", slice_fmt(p->column[i].name)));
    try(buf_append_byte(out, ')'));
    for (unsigned i = 0; i < p->lookups; i++) {
        slice name = p->table->column[p->lookup_columns[i]].name;
        try(buf_printf(out, "%s%.*s = ", i ? " and " : " by index where ", slice_fmt(name)));
        try(sql_expr_text(p->lookup_values[i], NULL, 0, out));
    }
    return p->as_of_now ? buf_append(out, slice_lit(" as of now")) : 0;
}

static int write_join(struct buf *out, const struct sql_plan *p, const slice *names,
                      unsigned count) {
    unsigned left = p->input[0]->columns;
    try(buf_printf(out, "%s %s", p->kind == SQL_PLAN_APPLY ? "Apply" : "Join",
                   join_words[p->join]));
    for (unsigned i = 0; i < p->keys; i++) {
        try(buf_append(out, slice_str(i ? " and " : " on ")));
        try(sql_expr_text(p->left_key[i], names, left, out));
        try(buf_append(out, slice_str(p->keys_null_equal ? " is " : " = ")));
        try(sql_expr_text(p->right_key[i], names + left, count - left, out));
    }
    if (p->predicate) {
        try(buf_append(out, slice_str(" where ")));
        try(sql_expr_text(p->predicate, names, count, out));
    }
    return 0;
}

static int write_aggregate(struct buf *out, const struct sql_plan *p, const slice *names,
                           unsigned count) {
    try(buf_append(out, slice_lit("Aggregate")));
    for (unsigned i = 0; i < p->aggregates; i++) {
        const struct sql_plan_aggregate *a = &p->aggregate[i];
        try(buf_printf(out, "%s%s(%s", i ? ", " : " ",
                       a->aggregate ? a->aggregate->name : "grouping",
                       a->distinct ? "DISTINCT " : ""));
        try(write_exprs(out, a->arguments, a->count, names, count));
        try(buf_append_byte(out, ')'));
        if (a->filter) {
            try(buf_append(out, slice_lit(" FILTER ")));
            try(sql_expr_text(a->filter, names, count, out));
        }
    }
    if (p->groups) {
        try(buf_append(out, slice_lit(" by ")));
        try(write_exprs(out, p->group, p->groups, names, count));
    }
    return p->grouping_sets > 1 ? buf_printf(out, " in %u grouping sets", p->grouping_sets) : 0;
}

static int write_order(struct buf *out, const struct sql_plan *p) {
    for (unsigned i = 0; i < p->partitions; i++) {
        try(buf_append(out, slice_str(i ? ", " : " per ")));
        try(write_column(out, p, p->partition[i]));
    }
    for (unsigned i = 0; i < p->orders; i++) {
        try(buf_append(out, slice_str(i ? ", " : " in order of ")));
        try(write_column(out, p, p->order[i].column));
        try(p->order[i].descending ? buf_append(out, slice_lit(" DESC")) : 0);
    }
    return 0;
}

static int write_window(struct buf *out, const struct sql_plan *p, const slice *names,
                        unsigned count) {
    try(buf_append(out, slice_lit("Window")));
    for (unsigned i = 0; i < p->windows; i++) {
        const struct sql_plan_window *w = &p->window[i];
        try(buf_printf(out, "%s%s(", i ? ", " : " ",
                       w->aggregate ? w->aggregate->name : window_words[w->function]));
        try(write_exprs(out, w->arguments, w->count, names, count));
        try(buf_append_byte(out, ')'));
    }
    return write_order(out, p);
}

static int write_top(struct buf *out, const struct sql_plan *p) {
    static const char *const kinds[] = {"row_number", "rank", "dense_rank"};
    try(buf_printf(out, "Top by %s, limit ", kinds[p->top]));
    try(p->limit ? sql_expr_text(p->limit, NULL, 0, out) : buf_append(out, slice_lit("none")));
    if (p->offset) {
        try(buf_append(out, slice_lit(" offset ")));
        try(sql_expr_text(p->offset, NULL, 0, out));
    }
    return write_order(out, p);
}

static int write_sets(struct buf *out, const struct sql_plan *p, const slice *names,
                      unsigned count) {
    try(buf_append(out, slice_lit("Rows of")));
    for (unsigned i = 0; i < p->sets; i++) {
        const struct sql_plan_set *s = &p->set[i];
        try(buf_append(out, slice_str(i ? ", " : " ")));
        try(s->function ? buf_printf(out, "%s(", s->function->name) : 0);
        try(write_exprs(out, s->arguments, s->count, names, count));
        try(s->function ? buf_append_byte(out, ')') : 0);
    }
    return 0;
}

static int write_time(struct buf *out, const struct sql_plan *p) {
    if (p->kind == SQL_PLAN_SESSION)
        try(buf_printf(out, "Session of gap %lld us", (long long)p->gap));
    else
        try(buf_printf(out, "%s of %lld us", p->slide == p->size ? "Tumble" : "Hop",
                       (long long)p->size));
    try(p->slide != p->size && p->kind == SQL_PLAN_TUMBLE
            ? buf_printf(out, " each %lld us", (long long)p->slide)
            : 0);
    try(buf_append(out, slice_lit(" by ")));
    try(write_column(out, p, p->time_column));
    return write_order(out, p);
}

static int write_node(struct buf *out, const struct sql_plan *p, const slice *names,
                      unsigned count) {
    switch (p->kind) {
    case SQL_PLAN_SCAN:
        return write_scan(out, p);
    case SQL_PLAN_VALUES:
        return buf_printf(out, "Values, %u row%s", p->rows, p->rows == 1 ? "" : "s");
    case SQL_PLAN_SET:
        return write_sets(out, p, names, count);
    case SQL_PLAN_FILTER:
        try(buf_append(out, slice_lit("Filter ")));
        return sql_expr_text(p->predicate, names, count, out);
    case SQL_PLAN_PROJECT:
        try(buf_append(out, slice_lit("Project ")));
        return write_exprs(out, p->expression, p->expressions, names, count);
    case SQL_PLAN_JOIN:
    case SQL_PLAN_APPLY:
        return write_join(out, p, names, count);
    case SQL_PLAN_AGGREGATE:
        return write_aggregate(out, p, names, count);
    case SQL_PLAN_DISTINCT:
        return buf_append(out, slice_lit("Distinct"));
    case SQL_PLAN_UNION:
        return buf_append(out, slice_lit("Union all"));
    case SQL_PLAN_INTERSECT:
        return buf_append(out, slice_str(p->all ? "Intersect all" : "Intersect"));
    case SQL_PLAN_EXCEPT:
        return buf_append(out, slice_str(p->all ? "Except all" : "Except"));
    case SQL_PLAN_WINDOW:
        return write_window(out, p, names, count);
    case SQL_PLAN_TOP:
        return write_top(out, p);
    case SQL_PLAN_TUMBLE:
    case SQL_PLAN_SESSION:
        return write_time(out, p);
    case SQL_PLAN_TEMPORAL:
        try(buf_printf(out, "Temporal %s ", p->ends ? "until" : "from"));
        try(sql_expr_text(p->expression[0], names, count, out));
        return p->offset_time ? buf_printf(out, " %+lld us", (long long)p->offset_time) : 0;
    }
    return 0;
}

/* What a node holds in memory between steps, NULL: nothing. */
static const char *state_of(const struct sql_plan *p) {
    switch (p->kind) {
    case SQL_PLAN_JOIN:
    case SQL_PLAN_APPLY:
        return "the rows of both inputs";
    case SQL_PLAN_AGGREGATE:
        return p->close_group >= 0 ? "one entry per group, until its window closes"
                                   : "one entry per group";
    case SQL_PLAN_DISTINCT:
    case SQL_PLAN_INTERSECT:
    case SQL_PLAN_EXCEPT:
        return "one entry per distinct row";
    case SQL_PLAN_WINDOW:
    case SQL_PLAN_SESSION:
        return "the input's rows";
    case SQL_PLAN_TEMPORAL:
        return p->ends ? "the rows that are there" : "the rows whose moment is to come";
    case SQL_PLAN_TOP:
        return sql_plan_facts(p->input[0]).append_only && !p->offset ? "the rows shown"
                                                                     : "the input's rows";
    default:
        return NULL;
    }
}

static int write_tree(struct writer *w, const struct sql_plan *p, unsigned depth) {
    if (depth == PLAN_TEXT_DEPTH_MAX)
        return buf_printf(w->out, "%*s…\n", (int)(2 * depth), "");
    try(buf_printf(w->out, "%*s", (int)(2 * depth), ""));
    if (p->number < w->count && w->written[p->number])
        return buf_printf(w->out, "(the node of number %u again)\n", p->number);
    if (p->number < w->count)
        w->written[p->number] = true;
    unsigned count = 0;
    slice *names = input_names(p, &count);
    int r = names ? write_node(w->out, p, names, count) : -ENOMEM;
    mem_free(names);
    const char *state = state_of(p);
    if (r == 0 && state)
        r = buf_printf(w->out, "  [state: %s]", state);
    if (r == 0)
        r = buf_append_byte(w->out, '\n');
    for (unsigned i = 0; r == 0 && i < p->inputs; i++)
        r = write_tree(w, p->input[i], depth + 1);
    return r;
}

int sql_plan_text(const struct sql_query *query, struct buf *out) {
    struct writer w = {out, mem_zalloc(query->plans + 1, sizeof(bool)), query->plans};
    int r = w.written ? write_tree(&w, query->plan, 0) : -ENOMEM;
    mem_free(w.written);
    return r;
}
