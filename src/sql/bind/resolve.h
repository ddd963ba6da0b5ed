/*
 * resolve.h - which of the functions of a name is meant (PostgreSQL's chapter 10.2 and 10.3).
 *
 * Functions, operators, aggregates, window functions and the user's functions are candidates alike.
 * What is chosen tells which conversions its arguments get and what type comes out.
 */
#ifndef NONET_SQL_BIND_RESOLVE_H
#define NONET_SQL_BIND_RESOLVE_H

#include "sql/bind/binder.h"

struct bind_window_row {
    const char *name;
    enum sql_window_function function;
    uint8_t count;
    uint32_t arguments[3];
    uint32_t result;
};

/* One of the four is not NULL. */
struct bind_candidate {
    const struct sql_function *function;
    const struct sql_aggregate *aggregate;
    const struct bind_window_row *window;
    const struct sql_user_function *user;
};

enum bind_resolution { BIND_FOUND, BIND_NONE, BIND_AMBIGUOUS };

/* TYPES of the COUNT arguments, unknown for literals. AGGREGATES: how many arguments a WITHIN GROUP
   adds is in COUNT already. */
enum bind_resolution bind_resolve(struct sql_binder *b, slice schema, slice name, bool is_operator,
                                  const uint32_t *types, unsigned count,
                                  struct bind_candidate *ret);
/* Turns ARGUMENTS into what C declares, in place, and gives the type of its result. */
must_use int bind_arguments(struct sql_binder *b, const struct bind_candidate *c,
                            struct sql_expr **arguments, unsigned count, int location,
                            struct sql_type *ret_result);
/* "integer, unknown" */
const char *bind_types_text(const struct sql_binder *b, struct sql_expr *const *arguments,
                            unsigned count, char *out, size_t size);
/* inline.c: the user's function, its body in place of the call. */
struct sql_expr *bind_inline_call(struct sql_binder *b, const struct sql_user_function *f,
                                  struct sql_expr **arguments, int location);

#endif
