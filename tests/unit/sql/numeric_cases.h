/*
 * numeric_cases.h - what PostgreSQL 15 says to some hundred operations of numeric.
 *
 * The table is text, so that the one reader of numbers, the one under test, makes both sides of a
 * comparison, and a failed case prints as a person would write it.
 */
#ifndef NONET_TESTS_SQL_NUMERIC_CASES_H
#define NONET_TESTS_SQL_NUMERIC_CASES_H

#include "base/check.h"

struct numeric_case {
    const char *operation, *a, *b, *expected;
};

extern const struct numeric_case numeric_cases[];
extern const size_t numeric_case_count;

#endif
