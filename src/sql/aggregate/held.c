/*
 * held.c - one value kept from row to row (held.h).
 *
 * A held value owns at most one piece of memory; keeping the next one frees it. Saved, a value is
 * its form and its bytes, so that loading needs no type.
 */
#include "sql/aggregate/held.h"

#include "base/mem.h"
#include "sql/row.h"

#include <errno.h>

int value_encode(struct sql_type type, const union sql_cell *cell, bool null, struct buf *out) {
    const uint8_t nulls = null;
    const struct sql_column column = {cell, &nulls, 0};
    const struct sql_batch batch = {.rows = 1, .columns = 1, .column = &column};
    return sql_row_encode(&batch, &type, NULL, 1, 0, false, out);
}

int value_decode(struct sql_type type, slice *bytes, struct arena *memory, union sql_cell *ret,
                 uint8_t *ret_null) {
    ptrdiff_t used = sql_row_decode(*bytes, &type, 1, memory, ret, ret_null);
    if (used < 0)
        return (int)used;
    *bytes = slice_skip(*bytes, (size_t)used);
    return 0;
}

static enum held_form form_of(struct sql_type type, const union sql_cell *cell) {
    switch (sql_layout_of(type.oid)) {
    case SQL_LAYOUT_TEXT:
        return HELD_TEXT;
    case SQL_LAYOUT_NUMERIC:
        return cell->numeric.kind == SQL_NUMERIC_BIG ? HELD_ENCODED : HELD_CELL;
    case SQL_LAYOUT_ARRAY:
    case SQL_LAYOUT_RECORD:
        return HELD_ENCODED;
    default:
        return HELD_CELL;
    }
}

int held_keep(struct held *h, struct sql_type type, const union sql_cell *cell,
              struct sql_error *error) {
    enum held_form form = form_of(type, cell);
    if (form == HELD_CELL) {
        held_release(h);
        h->cell = *cell;
        h->form = HELD_CELL;
        return 0;
    }
    _cleanup_buf_ struct buf encoded = buf_make(2 * SQL_TEXT_BYTES_MAX);
    if (form == HELD_ENCODED && value_encode(type, cell, false, &encoded) < 0)
        return sql_fail_memory(error);
    slice bytes = form == HELD_TEXT ? cell->text : buf_slice(&encoded);
    char *copy = mem_copy(bytes.ptr, bytes.len);
    if (!copy)
        return sql_fail_memory(error);
    held_release(h);
    h->bytes = copy;
    h->cell.text = slice_make(copy, bytes.len);
    h->form = (uint8_t)form;
    return 0;
}

int held_value(const struct held *h, struct sql_type type, struct arena *memory,
               union sql_cell *ret, struct sql_error *error) {
    check(h->form != HELD_NOTHING);
    *ret = h->cell;
    if (h->form != HELD_ENCODED)
        return 0;
    slice bytes = h->cell.text;
    uint8_t null;
    int rc = value_decode(type, &bytes, memory, ret, &null);
    check(rc != -EBADMSG && (rc < 0 || !null)); /* we wrote it */
    return rc < 0 ? sql_fail_memory(error) : 0;
}

void held_release(struct held *h) {
    mem_free(h->bytes);
    *h = (struct held){.form = HELD_NOTHING};
}

int held_save(const struct held *h, struct buf *out) {
    int rc = buf_append_byte(out, (char)h->form);
    if (rc < 0 || h->form == HELD_NOTHING)
        return rc;
    return buf_append(out,
                      h->form == HELD_CELL ? slice_make(&h->cell, sizeof h->cell) : h->cell.text);
}

int held_load(struct held *h, slice bytes) {
    if (bytes.len < 1 || (uint8_t)bytes.ptr[0] > HELD_ENCODED)
        return -EBADMSG;
    uint8_t form = (uint8_t)bytes.ptr[0];
    bytes = slice_skip(bytes, 1);
    *h = (struct held){.form = form};
    if (form == HELD_CELL) {
        if (bytes.len != sizeof h->cell)
            return -EBADMSG;
        memcpy(&h->cell, bytes.ptr, sizeof h->cell);
    } else if (form != HELD_NOTHING) {
        h->bytes = mem_copy(bytes.ptr, bytes.len);
        if (!h->bytes)
            return -ENOMEM;
        h->cell.text = slice_make(h->bytes, bytes.len);
    }
    return 0;
}
