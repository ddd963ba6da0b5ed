/*
 * width.h - how text looks on a terminal: its lines, and how many columns each takes.
 *
 * Letters of East Asia take two columns, marks that sit on another letter none (wcwidth of the C
 * library, after io_locale_utf8). What would move the cursor is spelled: \x1B, \r, \u0085; a tab
 * becomes blanks up to the next multiple of eight; bytes that are no UTF-8 are \xFF.
 */
#ifndef NONET_CLI_SQL_WIDTH_H
#define NONET_CLI_SQL_WIDTH_H

#include "base/buf.h"

#include <stdio.h>

/* Takes the next line off *REST and appends it to OUT (NULL: only measured) as it is shown. Returns
   its columns; *RET_MORE: another line follows. Memory that ran out is seen at OUT, whose content
   is then shorter, with *RET_FAILED. */
unsigned width_take_line(slice *rest, struct buf *out, bool *ret_more, bool *ret_failed);

/* TEXT as it is shown, with its line ends. */
void width_write(FILE *out, slice text);

/* Columns of the widest line of TEXT. */
unsigned width_of(slice text);

#endif
