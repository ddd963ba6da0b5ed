/*
 * definition.h - what the files definition*.c share: the parts of database_judge and
 * database_define.
 *
 * T is a version that the definition at hand has made (definer.h), so it may be altered. What fails
 * halfway is not undone here: its transaction is, or goes back to a savepoint.
 */
#ifndef NONET_STREAM_DEFINITION_H
#define NONET_STREAM_DEFINITION_H

#include "rooms/stream/definer.h"

/* A table whose definition reads OF; NULL: there is none. */
struct sql_table *definition_dependant(const struct definer *d, const struct sql_table *of);
must_use int definition_judge_index_count(const struct sql_table *t, struct sql_error *error);
must_use int definition_create_index(struct definer *d, struct sql_table *t,
                                     const struct sql_table_index *from, struct sql_error *error);
must_use int definition_drop_constraint(struct definer *d, struct sql_table *t, slice name,
                                        bool if_exists, struct sql_error *error);
must_use int definition_alter(struct definer *d, const struct sql_statement *s,
                              struct sql_error *error);
must_use int definition_drop(struct definer *d, const struct sql_statement *s,
                             struct sql_error *error);
must_use int definition_judge_drop(struct definer *d, const struct sql_statement *s,
                                   struct sql_error *error);

#endif
