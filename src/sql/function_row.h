/*
 * function_row.h - how a row of a table of functions (function.h) is written.
 *
 * A row names what it has and nothing else: the count of arguments is taken from their list, and
 * what a form does not have stays 0. They are macros because a table is constant data.
 */
#ifndef NONET_SQL_FUNCTION_ROW_H
#define NONET_SQL_FUNCTION_ROW_H

#include "sql/function.h"

/* A row of a table: SQL_ROW("lower", lower, SQL_TEXT, SQL_TEXT). The result first, then the
 * arguments. */
#define SQL_ARGUMENTS(...) (sizeof((uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))
#define SQL_ROW(name_, function_, result_, ...)                                                    \
    {                                                                                              \
        .name = (name_), .result = (result_), .count = SQL_ARGUMENTS(__VA_ARGS__),                 \
        .arguments = {__VA_ARGS__}, .scalar = (function_)                                          \
    }
#define SQL_ROW_FLAGS(name_, function_, flags_, result_, ...)                                      \
    {                                                                                              \
        .name = (name_), .result = (result_), .count = SQL_ARGUMENTS(__VA_ARGS__),                 \
        .flags = (flags_), .arguments = {__VA_ARGS__}, .scalar = (function_)                       \
    }
#define SQL_ROW_VECTOR(name_, function_, vector_, result_, ...)                                    \
    {                                                                                              \
        .name = (name_), .result = (result_), .count = SQL_ARGUMENTS(__VA_ARGS__),                 \
        .arguments = {__VA_ARGS__}, .scalar = (function_), .vector = (vector_)                     \
    }
#define SQL_ROW_DEFAULTS(name_, function_, defaults_, result_, ...)                                \
    {                                                                                              \
        .name = (name_), .result = (result_), .count = SQL_ARGUMENTS(__VA_ARGS__),                 \
        .defaults = (defaults_), .arguments = {__VA_ARGS__}, .scalar = (function_)                 \
    }
#define SQL_ROW_SET(name_, set_, flags_, result_, ...)                                             \
    {                                                                                              \
        .name = (name_), .result = (result_), .count = SQL_ARGUMENTS(__VA_ARGS__),                 \
        .flags = (flags_), .arguments = {__VA_ARGS__}, .set = (set_)                               \
    }

#endif
