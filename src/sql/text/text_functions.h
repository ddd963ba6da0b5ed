/*
 * text_functions.h - the tables of functions that text/ brings, for lists.h.
 *
 * Each table lies in the .c file of its name; the tables are constant, closed by a row of name
 * NULL, and nothing else of those files is seen outside.
 */
#ifndef NONET_SQL_TEXT_FUNCTIONS_H
#define NONET_SQL_TEXT_FUNCTIONS_H

#include "sql/text/give.h"

extern const struct sql_function sql_functions_text_parts[];
extern const struct sql_function sql_functions_text_make[];
extern const struct sql_function sql_functions_text_quote[];
extern const struct sql_function sql_functions_bytea[];
extern const struct sql_function sql_functions_like[];
extern const struct sql_function sql_functions_regex[];
extern const struct sql_function sql_functions_json[];
extern const struct sql_function sql_functions_json_make[];
extern const struct sql_function sql_functions_json_change[];
extern const struct sql_function sql_functions_jsonpath[];
extern const struct sql_function sql_functions_array[];
extern const struct sql_function sql_functions_array_make[];
extern const struct sql_function sql_functions_series[];
extern const struct sql_cast sql_casts_json[];
extern const struct sql_aggregate sql_aggregates_json[];

#endif
