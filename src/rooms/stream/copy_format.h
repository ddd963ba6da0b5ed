/*
 * copy_format.h - the shapes of COPY: text, csv and binary, read and written.
 *
 * The options are those of PostgreSQL 15's COPY; what a shape does not have is refused with
 * PostgreSQL's words. Reading is incremental: bytes come as the client cuts them, rows leave in
 * batches.
 *
 * BOUNDS: a row COPY_ROW_BYTES_MAX (54000).
 */
#ifndef NONET_STREAM_COPY_FORMAT_H
#define NONET_STREAM_COPY_FORMAT_H

#include "base/buf.h"
#include "sql/batch.h"
#include "sql/bind/bind.h"

#define COPY_ROW_BYTES_MAX ((size_t)64 << 20)

enum copy_shape { COPY_TEXT, COPY_CSV, COPY_BINARY };

struct copy_format {
    enum copy_shape shape;
    char delimiter, quote, escape;
    bool header, force_quote_all;
    slice null; /* lives as long as the statement */
};

/* 0, or an error (22023, 42601, 0A000). */
must_use int copy_format_of(const struct sql_statement *statement, struct copy_format *ret,
                            struct sql_error *error);

/* --- writing -------------------------------------------------------------------------------- */

/* What stands before the first row: a header, or binary's signature; may be nothing. 0, -ENOBUFS or
   -ENOMEM, as all of these. */
must_use int copy_write_start(const struct copy_format *f, const struct sql_plan_column *columns,
                              unsigned count, struct buf *out);
must_use int copy_write_row(const struct copy_format *f, const struct sql_plan_column *columns,
                            const struct sql_batch *batch, unsigned row,
                            const struct sql_settings *settings, struct buf *out);
slice copy_trailer(const struct copy_format *f); /* behind the last row; may be nothing */
/* A value behind its length, in BINARY or as text: so of binary rows, and of DataRow. */
must_use int copy_write_value(struct sql_type type, const struct sql_column *column, unsigned row,
                              bool binary, const struct sql_settings *settings, struct buf *out);

/* --- reading -------------------------------------------------------------------------------- */

struct copy_reader;

struct copy_reader_options {
    const struct copy_format *format; /* outlives the reader, as all of these */
    const struct sql_type *types;
    unsigned count;
    const struct sql_settings *settings;
    /* A batch; 0, or negative: the reader stops with -ECANCELED. */
    int (*rows)(void *owner, const struct sql_batch *batch);
    void *owner;
};
must_use int copy_reader_new(const struct copy_reader_options *options, struct copy_reader **ret);
struct copy_reader *copy_reader_free(struct copy_reader *r);
/* 0, -ECANCELED, or an error (22P04, 22P02 …). After an error nothing more is taken. */
must_use int copy_reader_take(struct copy_reader *r, slice bytes, struct sql_error *error);
/* The client is done: the last row, and what has been gathered. */
must_use int copy_reader_end(struct copy_reader *r, struct sql_error *error);
uint64_t copy_reader_line(const struct copy_reader *r); /* of the row under way, from 1 */

#endif
