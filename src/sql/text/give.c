/*
 * give.c - results of text functions, their bounds and their errors (give.h).
 *
 * Counting characters of UTF-8 is counting the bytes that continue none; eight at a time are looked
 * at where they are ASCII, because most text is.
 */
#include "sql/text/give.h"

#include <errno.h>

#define HIGH_BITS 0x8080808080808080u

int text_fail(struct sql_call *call, int failed) {
    if (failed == -ENOBUFS) {
        (void)sql_fail(call->error, "54000", "the result is too long");
        sql_error_hint(call->error, "A value may have %zu bytes.", SQL_TEXT_BYTES_MAX);
        return -EINVAL;
    }
    return failed == -ENOMEM ? sql_fail_memory(call->error) : failed;
}

char *text_room(struct sql_call *call, size_t size) {
    if (size > SQL_TEXT_BYTES_MAX) {
        (void)text_fail(call, -ENOBUFS);
        return NULL;
    }
    char *room = arena_alloc_aligned(call->memory, size, 1);
    if (!room)
        (void)sql_fail_memory(call->error);
    return room;
}

int text_give(struct sql_call *call, int failed, const struct buf *out, union sql_cell *ret) {
    if (failed)
        return text_fail(call, failed);
    char *room = text_room(call, out->len);
    if (!room)
        return -EINVAL;
    if (out->len)
        memcpy(room, out->ptr, out->len);
    ret->text = slice_make(room, out->len);
    return 0;
}

int text_put(struct sql_call *call, unsigned index, const union sql_cell *cell, struct buf *out) {
    struct sql_type type = call->types[index];
    switch (type.oid) {
    case SQL_TEXT:
    case SQL_VARCHAR:
    case SQL_UNKNOWN:
    case SQL_JSON:
    case SQL_JSONB:
        return buf_append(out, cell->text);
    default:
        return sql_value_out(type, cell, call->settings, out);
    }
}

int text_array_make(struct sql_call *call, uint32_t element, size_t count, struct text_array *ret) {
    if (count > SQL_TEXT_BYTES_MAX / sizeof(union sql_cell))
        return sql_fail(call->error, "54000", "array size exceeds the maximum allowed (%zu)",
                        SQL_TEXT_BYTES_MAX / sizeof(union sql_cell));
    struct text_array made = {
        .array = arena_zalloc(call->memory, 1, sizeof *made.array),
        .cells = arena_zalloc(call->memory, count, sizeof *made.cells),
        .nulls = arena_zalloc(call->memory, count, 1),
    };
    if (!made.array || !made.cells || !made.nulls)
        return sql_fail_memory(call->error);
    made.array->element = element;
    made.array->dimensions = count > 0;
    made.array->count = (unsigned)count;
    made.array->lengths[0] = (int32_t)count;
    made.array->lower[0] = 1;
    made.array->cells = made.cells;
    made.array->nulls = made.nulls;
    *ret = made;
    return 0;
}

bool text_element_is(const struct sql_array *a, unsigned i, const union sql_cell *cell, bool null) {
    if (null || text_element_null(a, i))
        return null && text_element_null(a, i);
    return sql_value_equal(a->element, &a->cells[i], cell);
}

static uint64_t load(const char *at) {
    uint64_t word;
    memcpy(&word, at, 8);
    return word;
}

size_t text_length(slice text) {
    size_t chars = 0, i = 0;
    for (; i + 8 <= text.len; i += 8) {
        uint64_t word = load(text.ptr + i);
        /* A byte 10xxxxxx continues a character. */
        uint64_t continues = word & ~(word << 1) & HIGH_BITS;
        chars += 8 - (size_t)__builtin_popcountll(continues);
    }
    for (; i < text.len; i++)
        chars += ((unsigned char)text.ptr[i] & 0xc0) != 0x80;
    return chars;
}

size_t text_offset(slice text, size_t chars) {
    size_t i = 0;
    while (chars >= 8 && i + 8 <= text.len && !(load(text.ptr + i) & HIGH_BITS)) {
        i += 8;
        chars -= 8;
    }
    for (; chars > 0 && i < text.len; chars--)
        i += text_step(slice_skip(text, i));
    return i;
}
