/*
 * pgwire_write.h - PostgreSQL's frontend/backend protocol 3.0, a server's side, written.
 *
 * All append to a struct buf: 0, -ENOBUFS or -ENOMEM, and on failure nothing was appended. A
 * message of which the writer does not know the length beforehand is begun, filled and ended; its
 * values likewise, so that a type's output function writes straight into the message:
 *
 *     size_t row, value;
 *     pgwire_begin(b, 'D', &row);  pgwire_put_u16(b, columns);
 *         pgwire_begin_value(b, &value);  sql_value_out(…, b);  pgwire_end_value(b, value);
 *     pgwire_end(b, row);
 *
 * Whoever fails between begin and end takes everything back: pgwire_undo(b, row).
 */
#ifndef NONET_WIRE_PGWIRE_WRITE_H
#define NONET_WIRE_PGWIRE_WRITE_H

#include "base/buf.h"

/* Messages without a body. */
enum pgwire_mark {
    PGWIRE_PARSE_COMPLETE = '1',
    PGWIRE_BIND_COMPLETE = '2',
    PGWIRE_CLOSE_COMPLETE = '3',
    PGWIRE_NO_DATA = 'n',
    PGWIRE_EMPTY_QUERY = 'I',
    PGWIRE_PORTAL_SUSPENDED = 's',
    PGWIRE_COPY_OUT_DONE = 'c',
};

enum pgwire_authentication {
    PGWIRE_AUTHENTICATION_OK = 0,
    PGWIRE_AUTHENTICATION_CLEARTEXT = 3,
    PGWIRE_AUTHENTICATION_SASL = 10, /* data: mechanisms, each with its NUL; one NUL more */
    PGWIRE_AUTHENTICATION_SASL_CONTINUE = 11,
    PGWIRE_AUTHENTICATION_SASL_FINAL = 12,
};

struct pgwire_column {
    slice name;
    uint32_t table; /* OID; 0: not of a table */
    uint16_t attribute;
    uint32_t type; /* OID */
    int16_t type_length;
    int32_t type_modifier;
    uint16_t format; /* 0 text, 1 binary */
};

/* Of an ErrorResponse or NoticeResponse. Empty texts and 0 are left out. */
struct pgwire_report {
    const char *severity; /* "ERROR", "FATAL", "NOTICE" … */
    const char *state;    /* SQLSTATE */
    slice message, detail, hint, where;
    uint32_t position; /* characters of the statement, from 1 */
};

must_use int pgwire_begin(struct buf *b, char type, size_t *ret_start);
void pgwire_end(struct buf *b, size_t start);
static inline void pgwire_undo(struct buf *b, size_t start) {
    b->len = start;
}
must_use int pgwire_begin_value(struct buf *b, size_t *ret_start);
void pgwire_end_value(struct buf *b, size_t start);
must_use int pgwire_put_null(struct buf *b);
must_use int pgwire_put_u16(struct buf *b, unsigned number);
must_use int pgwire_put_u32(struct buf *b, uint32_t number);
must_use int pgwire_put_text(struct buf *b, slice text); /* with its NUL; cut at one inside */

must_use int pgwire_write_mark(struct buf *b, enum pgwire_mark mark);
must_use int pgwire_write_authentication(struct buf *b, enum pgwire_authentication kind,
                                         slice data);
must_use int pgwire_write_parameter_status(struct buf *b, slice name, slice value);
must_use int pgwire_write_backend_key(struct buf *b, uint32_t process, uint32_t secret);
/* STATE: 'I' idle, 'T' in a transaction, 'E' in a failed one. */
must_use int pgwire_write_ready(struct buf *b, char state);
must_use int pgwire_write_row_description(struct buf *b, const struct pgwire_column *columns,
                                          unsigned count);
must_use int pgwire_write_parameter_description(struct buf *b, const uint32_t *oids,
                                                unsigned count);
must_use int pgwire_write_command_complete(struct buf *b, slice tag);
must_use int pgwire_write_error(struct buf *b, const struct pgwire_report *report);
must_use int pgwire_write_notice(struct buf *b, const struct pgwire_report *report);
/* FORMAT of all COLUMNS: 0 text (csv is that, too), 1 binary. */
must_use int pgwire_write_copy_in(struct buf *b, unsigned format, unsigned columns);
must_use int pgwire_write_copy_out(struct buf *b, unsigned format, unsigned columns);
must_use int pgwire_write_copy_data(struct buf *b, slice bytes);
/* The client wants a newer 3.x, or options ("_pq_.…") that are not known here. */
must_use int pgwire_write_negotiate(struct buf *b, uint32_t minor, const slice *options,
                                    unsigned count);

#endif
