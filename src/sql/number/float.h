/*
 * float.h - how float.c and float_math.c give a result: rounded to the width of its type, and
 * refused where it overflowed or underflowed though its operands give no reason to. A float4 lies
 * in its cell as the double of its rounded float (value.h).
 */
#ifndef NONET_SQL_NUMBER_FLOAT_H
#define NONET_SQL_NUMBER_FLOAT_H

#include "sql/number/number.h"

/* MAY_OVERFLOW: an infinite VALUE is 22003; MAY_UNDERFLOW: a zero one is. */
int float_give(struct sql_call *call, double value, bool may_overflow, bool may_underflow,
               union sql_cell *ret);

#endif
