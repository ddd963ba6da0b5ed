/*
 * negative.h - integer constants below zero, which libpg_query's tree leaves out.
 *
 * Its JSON writes an integer's value only where it is above 0: `-5` comes as {"ival":{}}, as does
 * `0`. The location of such a constant is its sign, so the text tells them apart.
 */
#ifndef NONET_SQL_PARSE_NEGATIVE_H
#define NONET_SQL_PARSE_NEGATIVE_H

#include "base/buf.h"

/* Appends TREE to OUT with the values put in that TEXT has. 0, -ENOBUFS, -ENOMEM. */
must_use int sql_mend_negatives(slice tree, slice text, struct buf *out);

#endif
