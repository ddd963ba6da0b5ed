/*
 * call.h - the parts of a call that plain calls, aggregates and window functions share.
 *
 * Names and arguments are read first; which function is meant is known only then, and with it what
 * the arguments are converted to.
 */
#ifndef NONET_SQL_BIND_CALL_H
#define NONET_SQL_BIND_CALL_H

#include "sql/bind/resolve.h"
#include "sql/bind/scope.h"

/* A FuncCall's name; *RET_SCHEMA has ptr NULL where none is written. */
slice bind_call_name(json_value inside, slice *ret_schema);
/* Its arguments as they are. */
must_use int bind_call_arguments(struct sql_binder *b, struct bind_scope *s, json_value inside,
                                 struct sql_expr ***ret, unsigned *ret_count);
/* Whether one of LIST is `name => value`, and such arguments of the function NAME in order. */
bool bind_has_names(json_value list);
must_use int bind_named_arguments(struct sql_binder *b, struct bind_scope *s, slice name,
                                  json_value list, int location, struct sql_expr ***ret,
                                  unsigned *ret_count);
/* Which function is meant; ARGUMENTS are converted to what it takes. */
must_use int bind_find_call(struct sql_binder *b, slice schema, slice name,
                            struct sql_expr **arguments, unsigned count, int location,
                            struct bind_candidate *ret, struct sql_type *ret_type);
/* ORDER BY within a call or a window. */
must_use int bind_sort_list(struct sql_binder *b, struct bind_scope *s, json_value list,
                            struct sql_expr ***ret, struct sql_sort_key **ret_how,
                            unsigned *ret_count);
/* Direction and place of NULLs of a SortBy. */
must_use int bind_sort_how(struct sql_binder *b, json_value sort, struct sql_sort_key *ret);

#endif
