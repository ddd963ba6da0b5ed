/*
 * call.h - calls one function of the tables with arguments written as text.
 *
 *   {"lpad(text,int4,text)", {"hi", "5", "xy"}, "xyxhi"}
 *
 * The signature picks the row; a polymorphic argument is matched by any type. Arguments and results
 * go through the types' text forms; NULL stands for itself. A result that begins with "!" is an
 * error: its SQLSTATE and message. A function of rows gives them joined by "|", columns by ";".
 */
#ifndef NONET_TESTS_UNIT_SQL_TEXT_CALL_H
#define NONET_TESTS_UNIT_SQL_TEXT_CALL_H

#include "sql/function.h"

#define CASE_ARGUMENTS_MAX 8

struct call_case {
    const char *signature;
    const char *arguments[CASE_ARGUMENTS_MAX]; /* NULL: SQL's NULL */
    const char *expected;                      /* NULL: SQL's NULL */
};

/* Runs COUNT cases, failing with what was called, expected and given. */
void run_cases(const struct call_case *cases, size_t count);

#endif
