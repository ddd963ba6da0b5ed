/*
 * lists.h - every table of functions, casts, aggregates and types that the engine knows.
 *
 * A folder of sql/ that brings some adds the name of its table here, in its own line, and nothing
 * else has to be told: function.c walks these. A table is closed by a row of name NULL
 * (casts and types: of OID 0). For the same name and arguments the first row found counts.
 */
#ifndef NONET_SQL_LISTS_H
#define NONET_SQL_LISTS_H

#include "sql/function.h"
#include "sql/type_io.h"

/* const struct sql_function NAME[] */
#define SQL_FUNCTION_LISTS(X)                                                                      \
    X(sql_functions_catalog)                                                                       \
    X(sql_functions_compare)                                                                       \
    X(sql_functions_integer)                                                                       \
    X(sql_functions_decimal)                                                                       \
    X(sql_functions_float)                                                                         \
    X(sql_functions_float_math)                                                                    \
    X(sql_functions_number_text)                                                                   \
    X(sql_functions_text_parts)                                                                    \
    X(sql_functions_text_make)                                                                     \
    X(sql_functions_text_quote)                                                                    \
    X(sql_functions_like)                                                                          \
    X(sql_functions_regex)                                                                         \
    X(sql_functions_bytea)                                                                         \
    X(sql_functions_json)                                                                          \
    X(sql_functions_json_make)                                                                     \
    X(sql_functions_json_change)                                                                   \
    X(sql_functions_jsonpath)                                                                      \
    X(sql_functions_array)                                                                         \
    X(sql_functions_array_make)                                                                    \
    X(sql_functions_any)                                                                           \
    X(sql_functions_digest)                                                                        \
    X(sql_functions_series)                                                                        \
    X(sql_functions_time_operators)                                                                \
    X(sql_functions_time_fields)                                                                   \
    X(sql_functions_time_truncate)                                                                 \
    X(sql_functions_time_calendar)                                                                 \
    X(sql_functions_time_casts)                                                                    \
    X(sql_functions_time_from_char)                                                                \
    X(sql_functions_time_to_char)                                                                  \
    X(sql_functions_time_series)

/* const struct sql_cast NAME[] */
#define SQL_CAST_LISTS(X)                                                                          \
    X(sql_casts_json)                                                                              \
    X(sql_casts_number)                                                                            \
    X(sql_casts_value)                                                                             \
    X(sql_casts_time)

/* const struct sql_aggregate NAME[] */
#define SQL_AGGREGATE_LISTS(X)                                                                     \
    X(sql_aggregates_count_sum)                                                                    \
    X(sql_aggregates_decimal)                                                                      \
    X(sql_aggregates_variance)                                                                     \
    X(sql_aggregates_extreme)                                                                      \
    X(sql_aggregates_logic)                                                                        \
    X(sql_aggregates_regression)                                                                   \
    X(sql_aggregates_gather)                                                                       \
    X(sql_aggregates_ordered)                                                                      \
    X(sql_aggregates_json)                                                                         \
    X(sql_aggregates_time)

/* const struct sql_type_io NAME[] */
#define SQL_TYPE_IO_LISTS(X) X(sql_type_io_json) X(sql_type_io_jsonpath) X(sql_type_io_time)

#define SQL_DECLARE_FUNCTIONS(name) extern const struct sql_function name[];
#define SQL_DECLARE_CASTS(name) extern const struct sql_cast name[];
#define SQL_DECLARE_AGGREGATES(name) extern const struct sql_aggregate name[];
#define SQL_DECLARE_TYPE_IO(name) extern const struct sql_type_io name[];
SQL_FUNCTION_LISTS(SQL_DECLARE_FUNCTIONS)
SQL_CAST_LISTS(SQL_DECLARE_CASTS)
SQL_AGGREGATE_LISTS(SQL_DECLARE_AGGREGATES)
SQL_TYPE_IO_LISTS(SQL_DECLARE_TYPE_IO)

#endif
