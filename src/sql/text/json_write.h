/*
 * json_write.h - SQL values as JSON: what to_json, the builders and the aggregates write.
 *
 * Numbers and booleans as they are, json and jsonb as their text, timestamps as ISO 8601 has them
 * (2020-01-02T03:04:05+00:00), arrays and records as arrays and objects, everything else as a
 * string. A record's fields have its names, or are f1, f2, … as those of ROW(…).
 */
#ifndef NONET_SQL_TEXT_JSON_WRITE_H
#define NONET_SQL_TEXT_JSON_WRITE_H

#include "sql/value.h"

#define SQL_JSON_WRITE_DEPTH_MAX 100u /* arrays and records in one another; beyond: -ENOBUFS */

/* Appends the value. 0, -ENOMEM, -ENOBUFS (too large or too deep) or what sql_value_out gave. */
must_use int sql_json_write(struct sql_type type, const union sql_cell *cell, bool null,
                            const struct sql_settings *settings, struct buf *out);
/* The same with a line end between the parts of the outermost array or record. */
must_use int sql_json_write_pretty(struct sql_type type, const union sql_cell *cell,
                                   const struct sql_settings *settings, struct buf *out);
/* Appends it as the key of a member. False: it may not be one (array, record, json). */
bool sql_json_may_be_key(uint32_t oid);
must_use int sql_json_write_key(struct sql_type type, const union sql_cell *cell,
                                const struct sql_settings *settings, struct buf *out);
/* What PostgreSQL writes on a line of its own: arrays and records. */
bool sql_json_is_composite(uint32_t oid);

#endif
