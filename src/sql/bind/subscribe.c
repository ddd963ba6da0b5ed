/*
 * subscribe.c - SUBSCRIBE: a query whose changes are told (rooms/stream/subscribe.h).
 *
 *     nonet_position | [nonet_progress] | nonet_diff | the query's columns …
 *
 * The query must be one that a view could be. ORDER BY and LIMIT stay what they are in a view: they
 * choose rows; the changes come in the order in which they happen.
 */
#include "sql/bind/define.h"
#include "sql/bind/nodes.h"

#include <errno.h>

static int answer_columns(struct sql_binder *b, const struct sql_query *query, bool progress,
                          struct sql_subscription *ret) {
    static const struct sql_plan_column position = {{"nonet_position", 14}, {SQL_INT8, -1}},
                                        told = {{"nonet_progress", 14}, {SQL_BOOL, -1}},
                                        diff = {{"nonet_diff", 10}, {SQL_INT8, -1}};
    ret->column = bind_alloc(b, query->visible + 3u, sizeof *ret->column);
    if (!ret->column)
        return -EINVAL;
    ret->column[ret->columns++] = position;
    if (progress)
        ret->column[ret->columns++] = told;
    ret->column[ret->columns++] = diff;
    ret->own = ret->columns;
    for (unsigned i = 0; i < query->visible; i++)
        ret->column[ret->columns++] = query->plan->column[i];
    return ret->columns <= SQL_COLUMNS_MAX
               ? 0
               : bind_error(b, -1, "54011", "SUBSCRIBE answers with at most %u columns",
                            SQL_COLUMNS_MAX);
}

/* The query as a statement, each byte where the user wrote it: blanks are before it, and TABLE
   before a name. */
static int query_text(struct sql_binder *b, const struct sql_spelling *spelling, slice *ret) {
    static const char table[] = "TABLE ";
    size_t before = spelling->rest_start, name = sizeof table - 1;
    char *text = bind_alloc(b, before + spelling->rest.len + 1, 1);
    if (!text)
        return -EINVAL;
    memset(text, ' ', before);
    memcpy(text + before, spelling->rest.ptr, spelling->rest.len);
    check(before > name); /* SUBSCRIBE and a blank are */
    if (spelling->rest.ptr[0] != '(')
        memcpy(text + before - name, table, name);
    *ret = slice_make(text, before + spelling->rest.len);
    return 0;
}

static int bind_text(struct sql_binder *b, const struct sql_spelling *spelling,
                     struct sql_query *ret) {
    slice text;
    json_value node, select;
    int r = query_text(b, spelling, &text);
    if (r < 0)
        return r;
    struct bind_text kept = bind_other(b);
    b->text = kept.text; /* positions and parameters are the user's */
    r = bind_parse_kept(b, text, &node);
    if (r == 0 && !sql_node_is(node, "SelectStmt", &select))
        r = bind_error(b, -1, "42601", "SUBSCRIBE is for queries");
    if (r == 0)
        r = bind_top_query(b, select, ret);
    if (r == 0)
        r = bind_finish_query(b, ret);
    if (r == 0 && b->spelling->emit_on_window_close)
        r = bind_emit_on_close(b, ret->plan);
    bind_back(b, &kept);
    return r;
}

int bind_subscribe(struct sql_binder *b, const struct sql_spelling *spelling,
                   struct sql_statement *ret) {
    struct sql_subscription *s = bind_alloc(b, 1, sizeof *s);
    if (!s)
        return -EINVAL;
    ret->kind = SQL_STATEMENT_SUBSCRIBE;
    ret->subscription = s;
    s->snapshot = !spelling->no_snapshot;
    s->progress = spelling->progress;
    b->kept = true;
    int r = bind_text(b, spelling, &ret->query);
    if (r == 0)
        r = define_judge_kept(b, &ret->query, "SUBSCRIBE");
    return r < 0 ? r : answer_columns(b, &ret->query, s->progress, s);
}
