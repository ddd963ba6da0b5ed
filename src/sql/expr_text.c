/*
 * expr_text.c - an expression as SQL (expr.h): for EXPLAIN and messages. It is for people and is
 * never read back, so it writes operators with all their parentheses and casts by `::`. Columns
 * without a name are told by their number.
 */
#include "sql/expr.h"

#define try(call)                                                                                  \
    do {                                                                                           \
        int r_ = (call);                                                                           \
        if (r_ < 0)                                                                                \
            return r_;                                                                             \
    } while (0)

struct writer {
    const slice *columns;
    unsigned count;
    struct buf *out;
};

static int write_expr(const struct writer *w, const struct sql_expr *e);

static int write_text(const struct writer *w, const char *text) {
    return buf_append(w->out, slice_str(text));
}

static int write_list(const struct writer *w, const struct sql_expr *e, unsigned from,
                      const char *between) {
    for (unsigned i = from; i < e->count; i++) {
        try(i > from ? write_text(w, between) : 0);
        try(write_expr(w, e->arguments[i]));
    }
    return 0;
}

static int write_call(const struct writer *w, const char *name, const struct sql_expr *e) {
    try(buf_printf(w->out, "%s(", name));
    try(write_list(w, e, 0, ", "));
    return write_text(w, ")");
}

static int write_constant(const struct writer *w, const struct sql_expr *e) {
    static const struct sql_settings plain = {.extra_float_digits = 1};
    char type[128];
    if (e->null)
        return write_text(w, "NULL");
    _cleanup_buf_ struct buf value = buf_make(SQL_TEXT_BYTES_MAX);
    try(sql_value_out(e->type, &e->cell, &plain, &value));
    if (e->type.oid == SQL_INT4 || e->type.oid == SQL_NUMERIC || e->type.oid == SQL_BOOL)
        return buf_append(w->out, buf_slice(&value));
    try(write_text(w, "'"));
    for (size_t i = 0; i < value.len; i++) {
        try(value.ptr[i] == '\'' ? write_text(w, "'") : 0);
        try(buf_append_byte(w->out, value.ptr[i]));
    }
    return buf_printf(w->out, "'::%s", sql_type_text(e->type, type, sizeof type));
}

static bool is_operator(const char *name) {
    return !((name[0] >= 'a' && name[0] <= 'z') || name[0] == '_');
}

static int write_function(const struct writer *w, const struct sql_expr *e) {
    const char *name = e->function->name;
    if (!is_operator(name) || e->count > 2)
        return write_call(w, name, e);
    try(write_text(w, "("));
    if (e->count == 2) {
        try(write_expr(w, e->arguments[0]));
        try(write_text(w, " "));
    }
    try(buf_printf(w->out, "%s ", name));
    try(write_expr(w, e->arguments[e->count - 1]));
    return write_text(w, ")");
}

static int write_case(const struct writer *w, const struct sql_expr *e) {
    try(write_text(w, "CASE"));
    unsigned i = 0;
    for (; i + 1 < e->count; i += 2) {
        try(write_text(w, " WHEN "));
        try(write_expr(w, e->arguments[i]));
        try(write_text(w, " THEN "));
        try(write_expr(w, e->arguments[i + 1]));
    }
    if (i < e->count) {
        try(write_text(w, " ELSE "));
        try(write_expr(w, e->arguments[i]));
    }
    return write_text(w, " END");
}

/* "(a WORDS)" where HEAD is empty, else "HEAD a". */
static int write_around(const struct writer *w, const char *head, const struct sql_expr *e,
                        const char *words) {
    try(buf_printf(w->out, "(%s", head));
    try(write_list(w, e, 0, words));
    return 0;
}

static int write_quantified(const struct writer *w, const struct sql_expr *e, const char *word) {
    try(write_text(w, "("));
    try(write_expr(w, e->arguments[0]));
    try(buf_printf(w->out, " %s %s (", e->function ? e->function->name : "=", word));
    try(write_list(w, e, 1, ", "));
    return write_text(w, "))");
}

static int write_place(const struct writer *w, const struct sql_expr *e) {
    if (e->kind == SQL_EXPR_PARAMETER)
        return buf_printf(w->out, "$%u", e->index + 1);
    if (e->kind == SQL_EXPR_OUTER)
        return buf_printf(w->out, "outer(%u, %u)", e->level, e->index);
    if (w->columns && e->index < w->count && w->columns[e->index].len)
        return buf_append(w->out, w->columns[e->index]);
    return buf_printf(w->out, "#%u", e->index);
}

static int write_cast(const struct writer *w, const struct sql_expr *e) {
    char type[128];
    try(write_expr(w, e->arguments[0]));
    return buf_printf(w->out, "::%s", sql_type_text(e->type, type, sizeof type));
}

static int write_expr(const struct writer *w, const struct sql_expr *e) {
    switch (e->kind) {
    case SQL_EXPR_CONST:
        return write_constant(w, e);
    case SQL_EXPR_COLUMN:
    case SQL_EXPR_OUTER:
    case SQL_EXPR_PARAMETER:
        return write_place(w, e);
    case SQL_EXPR_CALL:
        return write_function(w, e);
    case SQL_EXPR_CAST:
        return write_cast(w, e);
    case SQL_EXPR_AND:
        try(write_around(w, "", e, " AND "));
        return write_text(w, ")");
    case SQL_EXPR_OR:
        try(write_around(w, "", e, " OR "));
        return write_text(w, ")");
    case SQL_EXPR_NOT:
        try(write_around(w, "NOT ", e, ""));
        return write_text(w, ")");
    case SQL_EXPR_IS_NULL:
        try(write_around(w, "", e, ""));
        return write_text(w, " IS NULL)");
    case SQL_EXPR_IS_TRUE:
        try(write_around(w, "", e, ""));
        return write_text(w, " IS TRUE)");
    case SQL_EXPR_IS_FALSE:
        try(write_around(w, "", e, ""));
        return write_text(w, " IS FALSE)");
    case SQL_EXPR_DISTINCT:
        try(write_around(w, "", e, " IS DISTINCT FROM "));
        return write_text(w, ")");
    case SQL_EXPR_CASE:
        return write_case(w, e);
    case SQL_EXPR_COALESCE:
        return write_call(w, "COALESCE", e);
    case SQL_EXPR_GREATEST:
        return write_call(w, "GREATEST", e);
    case SQL_EXPR_LEAST:
        return write_call(w, "LEAST", e);
    case SQL_EXPR_ANY:
        return write_quantified(w, e, "ANY");
    case SQL_EXPR_ALL:
        return write_quantified(w, e, "ALL");
    case SQL_EXPR_IN:
        return write_quantified(w, e, "ANY");
    case SQL_EXPR_ARRAY:
        try(write_text(w, "ARRAY["));
        try(write_list(w, e, 0, ", "));
        return write_text(w, "]");
    case SQL_EXPR_ROW:
        return write_call(w, "ROW", e);
    case SQL_EXPR_FIELD:
        try(write_list(w, e, 0, ""));
        return buf_printf(w->out, ".f%u", e->index + 1);
    }
    return 0;
}

int sql_expr_text(const struct sql_expr *e, const slice *columns, unsigned count, struct buf *out) {
    const struct writer w = {columns, count, out};
    return write_expr(&w, e);
}
