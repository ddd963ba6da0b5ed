/*
 * json_read.h - a JSON number taken apart, for those that write numbers in jsonb's form.
 *
 *      -12.50e1   negative, whole "12", fraction "50", exponent 1  ->  -125.0
 *
 * Kept as digits and not as numeric, because most numbers of a document are only passed on. The
 * bounds are numeric's own, so that what jsonb holds can always become one.
 */
#ifndef NONET_SQL_TEXT_JSON_READ_H
#define NONET_SQL_TEXT_JSON_READ_H

#include "sql/text/json.h"

#define SQL_JSON_WHOLE_MAX 131072       /* digits before the point, as PostgreSQL's numeric */
#define SQL_JSON_SCALE_MAX 16383        /* behind it */
#define SQL_JSON_EXPONENT_MAX 100000000 /* what is beyond stays beyond every bound */

struct sql_json_digits {
    bool negative;
    slice whole, fraction;
    int64_t exponent;
};

/* False: TEXT is not a number as JSON writes it. */
must_use bool sql_json_digits_read(slice text, struct sql_json_digits *ret);
/* Appends it without exponent. 0, -ERANGE (out of numeric's bounds), -ENOMEM, -ENOBUFS. */
must_use int sql_json_digits_write(const struct sql_json_digits *d, struct buf *out);

#endif
