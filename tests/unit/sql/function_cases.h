/*
 * function_cases.h - calls and their results as PostgreSQL 15 printed them.
 *
 * A function or operator by its name, the types of its arguments, their texts, and the text of the
 * result; of a call that fails "22003 integer out of range".
 */
#ifndef NONET_TESTS_SQL_FUNCTION_CASES_H
#define NONET_TESTS_SQL_FUNCTION_CASES_H

#include "sql/function.h"

struct function_case {
    const char *name;
    uint32_t types[4]; /* 0: no more */
    const char *arguments[4];
    const char *expected;
};

extern const struct function_case function_cases[];
extern const size_t function_case_count;
extern const struct function_case format_cases[];
extern const size_t format_case_count;

#endif
