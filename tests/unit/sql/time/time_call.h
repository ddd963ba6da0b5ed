/*
 * time_call.h - calls of functions, operators and casts of sql/time by name, in texts.
 *
 * An argument is "TYPE:TEXT" ("interval:1 day"; NULL as text is NULL), the answer is the result's
 * text ("" for NULL) or "E:" and the SQLSTATE: a test is then a table of lines that can be put to
 * PostgreSQL as they are.
 */
#ifndef NONET_TESTS_SQL_TIME_CALL_H
#define NONET_TESTS_SQL_TIME_CALL_H

#include "sql/lists.h"

#define TIME_CALL_ARGUMENTS 8u

/* Calls the function NAME whose arguments have exactly these types, up to a NULL. The rows of a
   set are "[a][b]". */
void time_call(const char *name, const char *const arguments[TIME_CALL_ARGUMENTS],
               const struct sql_settings *settings, struct buf *out);
/* Casts "TYPE:TEXT" to TO. */
void time_cast(const char *argument, const char *to, int32_t typmod,
               const struct sql_settings *settings, struct buf *out);

#endif
