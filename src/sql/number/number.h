/*
 * number.h - what the files of number/ share: their errors.
 *
 *   compare.c     = <> < <= > >= of every type that is not text/'s own
 *   integer.c     arithmetic and bits of int2, int4, int8
 *   float.c       arithmetic of float4 and float8; float_math.c: functions of libm
 *   decimal.c     operators and functions of numeric
 *   number_cast.c casts among numbers, bool and oid; the modifiers of numeric
 *   number_text.c to_char and to_number; number_format.c: their patterns
 */
#ifndef NONET_SQL_NUMBER_NUMBER_H
#define NONET_SQL_NUMBER_NUMBER_H

#include "sql/function_row.h"
#include "sql/numeric.h"

/* 22003 "integer out of range", by the type of the result. */
int number_out_of_range(struct sql_call *call);
/* 22012 */
int number_division_by_zero(struct sql_call *call);
/* What a function of numeric.h returned, told to the user; 0 stays 0. -EDOM: division by zero. */
int number_failed(struct sql_call *call, int failed);

#endif
