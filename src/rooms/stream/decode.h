/*
 * decode.h - records of a stream to rows of a table, many documents a call.
 *
 * A column is the member of its name of the JSON document (or what its path says), read by its
 * type: numbers and strings of their SQL text form, booleans, timestamps also as milliseconds since
 * 1970 when they are numbers, json and jsonb as they stand, arrays and objects as text. What is
 * absent or null is NULL. Columns that are told by the message and not by the document, unless it
 * has them:
 *
 *     nonet_sequence, nonet_position  bigint       nonet_subject  text
 *     nonet_time                      timestamptz  (when the log took it)
 *     nonet_payload                   text (NULL where it is none), bytea
 *
 * and those with an option header.COLUMN, whose text is the header's of that name. With the option
 * format = 'raw' the payload is no document: all columns are told.
 *
 * A document that does not fit (no JSON, a value its type does not take, NULL where NOT NULL) gives
 * no row: the caller is told the record and why.
 */
#ifndef NONET_STREAM_DECODE_H
#define NONET_STREAM_DECODE_H

#include "rooms/stream/ledger.h"
#include "sql/catalog.h"

struct decoder;

/* COLUMNS: which of the table's (SQL_SCAN_ROW_ID is not among them), COUNT of them, in this order
   in the batch. 0, -ENOMEM, -E2BIG (more columns than a picker takes). */
must_use int decoder_new(const struct sql_table *table, const unsigned *columns, unsigned count,
                         const struct sql_settings *settings, struct decoder **ret);
struct decoder *decoder_free(struct decoder *d);
/* The column that the last -EBADMSG was about; empty: the document as a whole. */
slice decoder_refused(const struct decoder *d);
/* RECORD as a row of B, weight 1. Texts point into the record where they can. 0; -EBADMSG: it does
   not fit, *RET_WHY says why; -ENOMEM. */
must_use int decoder_add(struct decoder *d, const struct ledger_record *record,
                         struct sql_builder *b, struct sql_error *ret_why);

#endif
