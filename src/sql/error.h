/*
 * error.h - what a statement that fails tells its user: PostgreSQL's error fields.
 *
 * SQLSTATE is five characters of PostgreSQL's appendix A; clients act by it (40001: try again).
 * The position counts characters of the statement from 1, for the caret psql draws; 0: none.
 */
#ifndef NONET_SQL_ERROR_H
#define NONET_SQL_ERROR_H

#include "base/check.h"

#include <stdint.h>

struct sql_error {
    char state[6]; /* "" : no error */
    uint32_t position;
    char message[512];           /* PostgreSQL's words where it has the same error */
    char detail[256], hint[256]; /* may be "" */
};

/* Fills *E (never NULL), clearing the rest, and returns -EINVAL, so that `return sql_fail(…)`
   reads well. */
int sql_fail(struct sql_error *e, const char *state, const char *format, ...) printf_like(3, 4);
/* 53200 and -ENOMEM. */
int sql_fail_memory(struct sql_error *e);
void sql_error_detail(struct sql_error *e, const char *format, ...) printf_like(2, 3);
void sql_error_hint(struct sql_error *e, const char *format, ...) printf_like(2, 3);
/* Sets the position where none is set yet. BYTE: offset in the statement from 0, -1: unknown. */
void sql_error_at(struct sql_error *e, const char *statement, int byte);

#endif
