/*
 * binder.h - what the files of bind/ share: the binder's state, and how expressions are bound.
 *
 * A binder lives for one statement. Functions that give an expression or a plan return NULL where
 * they failed, those that give an int a negative number; b->error then says why, in PostgreSQL's
 * words. All memory is b->memory; nothing is freed on the way. Recursion is counted (bind_enter),
 * so that hostile nesting is 54001 and not a stack overflow.
 *
 * Names in sight: scope.h. Plans: nodes.h.
 */
#ifndef NONET_SQL_BIND_BINDER_H
#define NONET_SQL_BIND_BINDER_H

#include "sql/bind/bind.h"

#define BIND_PARAMETERS_MAX 65535u /* what the wire's int16 counts */

struct bind_scope;

struct sql_binder {
    const struct sql_bind_options *options;
    const struct sql_catalog *catalog;
    const struct sql_settings *settings;
    struct arena *memory;
    struct sql_error *error;
    const char *text; /* what locations count in; NULL: text that is not the user's (a view's) */
    const struct sql_spelling *spelling; /* of the text that is bound, a view's too; or NULL */
    unsigned plans;                      /* numbers given to plan nodes */
    unsigned depth;                      /* of recursion */
    bool kept;                           /* the query is kept up to date: a view's, SUBSCRIBE */
    unsigned parameters;                 /* $1 .. $n seen or declared */
    unsigned parameter_room;
    struct sql_expr **parameter; /* one node each, so that a type found later is everywhere */
    const struct bind_inline *inlining; /* the SQL function whose body is being bound, or NULL */
};

/* A call of a LANGUAGE sql function being put in place: $n and names stand for its arguments. */
struct bind_inline {
    const struct bind_inline *around;
    const struct sql_user_function *function;
    struct sql_expr **arguments;
};

/* The statement's text and location give the error its position. Both return the failure value. */
int bind_error(struct sql_binder *b, int location, const char *state, const char *format, ...)
    printf_like(4, 5);
void *bind_null(struct sql_binder *b, int location, const char *state, const char *format, ...)
    printf_like(4, 5);
/* Zeroed; NULL and 53200 where memory is out. */
must_use void *bind_alloc(struct sql_binder *b, size_t count, size_t size);
/* ARRAY of COUNT elements with room for one more; moves it when COUNT is a power of two. */
must_use void *bind_grow(struct sql_binder *b, void *array, unsigned count, size_t size);
/* A copy of TEXT that lives as long as the statement. ptr NULL: no memory. */
slice bind_copy(struct sql_binder *b, slice text);
must_use int bind_enter(struct sql_binder *b); /* 54001 at SQL_DEPTH_MAX */
void bind_leave(struct sql_binder *b);

/* bind.c: CREATE, ALTER, DROP, SET, SHOW … (define.c, utility.c); -ENOENT: not one of these. */
must_use int sql_bind_definition(struct sql_binder *b, const struct sql_statement_text *statement,
                                 struct sql_statement *ret);
/* A whole query; hidden order columns stay. FOR_USER: unknown literals become text. */
must_use int bind_top_query(struct sql_binder *b, json_value select, struct sql_query *ret);
/* Parameters' types and the numbers of plans, at the end; 42P18 where one has no type. */
must_use int bind_finish_query(struct sql_binder *b, struct sql_query *query);
/* An expression over the columns of TABLE (NULL: of nothing), coerced for assignment to TYPE
   (oid 0: as it is). */
must_use struct sql_expr *bind_table_expression(struct sql_binder *b, json_value node,
                                                const struct sql_table *table,
                                                struct sql_type type);
/* The text of one expression, parsed by itself. */
must_use struct sql_expr *bind_text_expression(struct sql_binder *b, slice text,
                                               const struct sql_table *table, struct sql_type type);

/* One statement of other text (a view's), parsed and kept as long as b->memory: inline.c. While its
   tree is bound, positions count in it; bind_back is given what bind_other gave. */
struct bind_text {
    const char *text;
    const struct sql_spelling *spelling;
};
struct bind_text bind_other(struct sql_binder *b);
void bind_back(struct sql_binder *b, const struct bind_text *kept);
must_use int bind_parse_kept(struct sql_binder *b, slice text, json_value *ret);

must_use int bind_type_name(struct sql_binder *b, json_value type_name, struct sql_type *ret);
char bind_category(const struct sql_binder *b, uint32_t oid);
bool bind_preferred(uint32_t oid);
/* For messages: "integer", "mood". */
const char *bind_type_text(const struct sql_binder *b, struct sql_type type, char *out,
                           size_t size);
#define BIND_TYPE_TEXT 96u

struct sql_expr *bind_expr(struct sql_binder *b, enum sql_expr_kind kind, struct sql_type type,
                           int location, unsigned count);
struct sql_expr *bind_column(struct sql_binder *b, unsigned index, struct sql_type type,
                             int location);
struct sql_expr *bind_null_constant(struct sql_binder *b, struct sql_type type, int location);
struct sql_expr *bind_bool(struct sql_binder *b, bool value, int location);
struct sql_expr *bind_integer(struct sql_binder *b, uint32_t oid, int64_t value);
struct sql_expr *bind_text_constant(struct sql_binder *b, uint32_t oid, slice text, int location);
struct sql_expr *bind_unary(struct sql_binder *b, enum sql_expr_kind kind, struct sql_expr *a);
/* AND or OR of two; NULL pointers are left out. */
struct sql_expr *bind_both(struct sql_binder *b, enum sql_expr_kind kind, struct sql_expr *a,
                           struct sql_expr *c);
/* Computes E now where it is immutable and all its arguments are constants. */
struct sql_expr *bind_fold(struct sql_binder *b, struct sql_expr *e);
/* A copy of E in which VISIT replaced nodes: it gets each node, parents first, and gives the new
   one, or NULL: look at its arguments. A VISIT that cannot go on leaves an error in b->error. */
typedef struct sql_expr *bind_visit(struct sql_binder *b, struct sql_expr *e, void *self);
struct sql_expr *bind_map(struct sql_binder *b, struct sql_expr *e, bind_visit *visit, void *self);

bool bind_can_coerce(const struct sql_binder *b, uint32_t from, uint32_t to,
                     enum sql_cast_context context);
/* E as TYPE; 42846 or 42804 where there is no such cast in CONTEXT. */
struct sql_expr *bind_coerce(struct sql_binder *b, struct sql_expr *e, struct sql_type type,
                             enum sql_cast_context context, int location);
/* For a column: "column "a" is of type integer but expression is of type text". */
struct sql_expr *bind_assign(struct sql_binder *b, struct sql_expr *e,
                             const struct sql_table_column *column);
struct sql_expr *bind_to_bool(struct sql_binder *b, struct sql_expr *e, const char *clause);
/* UNION's, CASE's … common type; WHAT names it in the error. unknown alone: text. */
must_use int bind_common_type(struct sql_binder *b, struct sql_expr *const *e, unsigned count,
                              const char *what, struct sql_type *ret);
/* A literal still unknown is text. */
struct sql_expr *bind_known(struct sql_binder *b, struct sql_expr *e);

/* operator.c, call.c, expression.c */
struct sql_expr *bind_operator(struct sql_binder *b, slice name, struct sql_expr *left,
                               struct sql_expr *right, int location);
struct sql_expr *bind_function(struct sql_binder *b, slice name, struct sql_expr **arguments,
                               unsigned count, int location);
struct sql_expr *bind_any_all(struct sql_binder *b, slice name, bool all, struct sql_expr *left,
                              struct sql_expr *array, int location);
/* NODE over what SCOPE has in sight. */
struct sql_expr *bind_expression(struct sql_binder *b, struct bind_scope *scope, json_value node);
struct sql_expr *bind_condition(struct sql_binder *b, struct bind_scope *scope, json_value node,
                                const char *clause);
/* Where NODE begins: of an operator its left side. */
int bind_location(json_value node);
/* The name a select list gives it (PostgreSQL's FigureColname). */
slice bind_figure_name(json_value node);

#endif
