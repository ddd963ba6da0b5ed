/*
 * close.c - EMIT ON WINDOW CLOSE: which grouping waits for which window's end.
 *
 * An aggregate waits that groups by window_end of tumble, hop or session: its rows come once, when
 * the watermark has reached that time. The column is traced down to the window function; joins of
 * windows and what lies above a waiting aggregate follow it by themselves.
 */
#include "sql/bind/nodes.h"

/* Is column COLUMN of P the end of a window? */
static bool is_window_end(const struct sql_plan *p, unsigned column) {
    for (;;) {
        const struct sql_plan *input = p->inputs ? p->input[0] : NULL;
        switch (p->kind) {
        case SQL_PLAN_TUMBLE:
        case SQL_PLAN_SESSION:
            if (column == p->columns - 1)
                return true;
            if (column >= input->columns)
                return false;
            break;
        case SQL_PLAN_PROJECT:
        case SQL_PLAN_AGGREGATE: {
            struct sql_expr **list = p->kind == SQL_PLAN_PROJECT ? p->expression : p->group;
            unsigned count = p->kind == SQL_PLAN_PROJECT ? p->expressions : p->groups;
            if (column >= count || list[column]->kind != SQL_EXPR_COLUMN)
                return false;
            column = list[column]->index;
            break;
        }
        case SQL_PLAN_JOIN:
            if (column >= input->columns) {
                column -= input->columns;
                input = p->input[1];
            }
            break;
        case SQL_PLAN_FILTER:
        case SQL_PLAN_DISTINCT:
        case SQL_PLAN_TOP:
        case SQL_PLAN_UNION:
            break;
        case SQL_PLAN_WINDOW:
        case SQL_PLAN_SET:
            if (column >= input->columns)
                return false;
            break;
        default:
            return false;
        }
        p = input;
    }
}

static int close_node(struct sql_binder *b, struct sql_plan *p, void *self) {
    (void)b;
    unsigned *found = self;
    for (unsigned i = 0; p->kind == SQL_PLAN_AGGREGATE && !p->grouping_sets && i < p->groups; i++)
        if (p->group[i]->kind == SQL_EXPR_COLUMN &&
            is_window_end(p->input[0], p->group[i]->index)) {
            p->close_group = (int)i;
            ++*found;
            return 0;
        }
    return 0;
}

int bind_emit_on_close(struct sql_binder *b, struct sql_plan *plan) {
    unsigned found = 0;
    int result = bind_each_node(b, plan, close_node, &found);
    if (result < 0 || found)
        return result;
    return bind_error(
        b, -1, "0A000",
        "EMIT ON WINDOW CLOSE needs a GROUP BY of window_end of tumble, hop or session");
}
