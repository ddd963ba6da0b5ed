/*
 * from.h - the parts of FROM: where an item stands, and how items are put together.
 *
 * An item stands to the right of its siblings, behind a boundary: it may look at them (LATERAL, or
 * a function), and then the join becomes an APPLY. Where it did not, the boundary is taken away.
 */
#ifndef NONET_SQL_BIND_FROM_H
#define NONET_SQL_BIND_FROM_H

#include "sql/bind/nodes.h"
#include "sql/bind/scope.h"

struct bind_place {
    struct bind_scope *outer;
    bool boundary;
};

/* from.c */
must_use int bind_from_clause(struct sql_binder *b, struct bind_scope *s, json_value list);
must_use int bind_from_item(struct sql_binder *b, struct bind_place place, json_value node,
                            struct bind_from *ret);
/* A table, view or CTE by name. */
must_use int bind_named_relation(struct sql_binder *b, struct bind_place place, slice schema,
                                 slice name, int location, bool as_of_now, struct bind_from *ret);
/* All columns of PLAN as one relation NAME. */
must_use int bind_one_relation(struct sql_binder *b, struct sql_plan *plan, slice name,
                               struct bind_from *ret);
/* AS alias (columns …); absent: nothing changes. */
must_use int bind_alias(struct sql_binder *b, json_value alias, struct bind_from *from);
/* LEFT and RIGHT side by side; right was bound behind a boundary. PREDICATE may be NULL. */
must_use int bind_combine(struct sql_binder *b, enum sql_join_kind join, struct bind_from *left,
                          struct bind_from *right, int location, struct bind_from *ret);
/* join.c */
must_use int bind_join(struct sql_binder *b, struct bind_place place, json_value inside,
                       struct bind_from *ret);
/* table_function.c */
must_use int bind_range_function(struct sql_binder *b, struct bind_place place, json_value inside,
                                 struct bind_from *ret);
/* stream_window.c: tumble, hop, session, as_of_now; -ENOENT: not one of these. */
must_use int bind_stream_function(struct sql_binder *b, struct bind_place place, json_value call,
                                  struct bind_from *ret);
/* cte.c: NULL without an error where there is none of this name. */
must_use int bind_cte_use(struct sql_binder *b, struct bind_place place, slice name, int location,
                          struct bind_from *ret);
/* Those that nothing named are bound for their mistakes; a DELETE among them is refused. */
must_use int bind_unused_ctes(struct sql_binder *b, struct bind_scope *s);
must_use int bind_with(struct sql_binder *b, struct bind_scope *s, json_value with);

#endif
