/*
 * give.h - how functions of text/ give their results.
 *
 * A result of known size is written straight into call->memory (text_room); one that grows is
 * gathered in a buf and copied there (text_give). Both bound it by SQL_TEXT_BYTES_MAX. Positions
 * are characters from 1 in SQL and bytes from 0 in C: text_offset is the way from one to the other.
 */
#ifndef NONET_SQL_TEXT_GIVE_H
#define NONET_SQL_TEXT_GIVE_H

#include "sql/function_row.h"

/* SIZE bytes of call->memory, or NULL and call->error filled (54000, 53200). */
char *text_room(struct sql_call *call, size_t size);

/* The buf to gather a result in, to be declared with _cleanup_buf_. */
static inline struct buf text_buf(void) {
    return buf_make(SQL_TEXT_BYTES_MAX);
}
/* FAILED is what buf_append and its kin gave (-ENOBUFS: 54000, -ENOMEM: 53200, -EINVAL: the error
   is told already); 0: the content becomes *RET. */
int text_give(struct sql_call *call, int failed, const struct buf *out, union sql_cell *ret);
/* Fails as text_give would. */
int text_fail(struct sql_call *call, int failed);

/* Appends the value of argument INDEX as output prints it. */
must_use int text_put(struct sql_call *call, unsigned index, const union sql_cell *cell,
                      struct buf *out);

/* Appends NAME as SQL must write it (text_quote.c): quoted where it has to be. */
must_use int text_put_name(slice name, struct buf *out);

/* An array of COUNT elements of type ELEMENT from 1 on, none NULL yet, its cells to be filled by
   the caller; NULL and call->error filled. */
struct text_array {
    struct sql_array *array;
    union sql_cell *cells;
    uint8_t *nulls;
};
must_use int text_array_make(struct sql_call *call, uint32_t element, size_t count,
                             struct text_array *ret);

static inline bool text_element_null(const struct sql_array *a, unsigned i) {
    return a->nulls && a->nulls[i];
}
/* Element I is not distinct from CELL: equal, or both NULL. */
bool text_element_is(const struct sql_array *a, unsigned i, const union sql_cell *cell, bool null);

/* Characters in TEXT, and the byte where character CHARS (from 0) begins: text.len past the end. */
size_t text_length(slice text);
size_t text_offset(slice text, size_t chars);
/* Bytes of the character that begins at TEXT, which is not empty. */
static inline size_t text_step(slice text) {
    unsigned char c = (unsigned char)text.ptr[0];
    size_t step = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    return step < text.len ? step : text.len;
}

static inline bool text_null(const struct sql_call *call, unsigned index) {
    return call->nulls && call->nulls[index];
}

#endif
