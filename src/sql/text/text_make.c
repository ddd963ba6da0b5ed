/*
 * text_make.c - texts made of texts: case, padding, replacing, joining.
 *
 * Case is that of collation "C": ASCII letters have one, others are left alone. Sizes are known
 * before anything is written where that is cheap, so that most results are written once.
 */
#include "base/utf8.h"
#include "sql/text/text_functions.h"

#include <errno.h>

static bool is_lower(char c) {
    return c >= 'a' && c <= 'z';
}

static bool is_upper(char c) {
    return c >= 'A' && c <= 'Z';
}

static int lower_of(struct sql_call *call, slice text, slice *ret) {
    char *room = text_room(call, text.len);
    if (!room)
        return -EINVAL;
    for (size_t i = 0; i < text.len; i++)
        room[i] = (char)(text.ptr[i] | (is_upper(text.ptr[i]) ? 0x20 : 0));
    *ret = slice_make(room, text.len);
    return 0;
}

static int lower(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return lower_of(call, a[0].text, &ret->text);
}

static int lower_vector(struct sql_call *call, const struct sql_column *a, unsigned rows,
                        union sql_cell *ret, uint8_t *ret_nulls) {
    for (unsigned i = 0; i < rows; i++) {
        int failed = ret_nulls[i] ? 0 : lower_of(call, sql_cell_at(&a[0], i)->text, &ret[i].text);
        if (failed)
            return failed;
    }
    return 0;
}

static int upper(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    slice text = a[0].text;
    char *room = text_room(call, text.len);
    if (!room)
        return -EINVAL;
    for (size_t i = 0; i < text.len; i++)
        room[i] = (char)(text.ptr[i] & (is_lower(text.ptr[i]) ? ~0x20 : ~0));
    ret->text = slice_make(room, text.len);
    return 0;
}

static int initcap(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    slice text = a[0].text;
    char *room = text_room(call, text.len);
    if (!room)
        return -EINVAL;
    bool within = false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (within && is_upper(c))
            c = (char)(c | 0x20);
        else if (!within && is_lower(c))
            c = (char)(c & ~0x20);
        room[i] = c;
        within = is_upper(c) || is_lower(c) || (c >= '0' && c <= '9');
    }
    ret->text = slice_make(room, text.len);
    return 0;
}

/* LENGTH characters: of TEXT, and of FILL again and again before or behind it. */
static int pad(struct sql_call *call, const union sql_cell *a, bool before, union sql_cell *ret) {
    slice text = a[0].text, fill = call->count > 2 ? a[2].text : slice_lit(" ");
    size_t wanted = a[1].i < 0 ? 0 : (size_t)a[1].i;
    if (wanted > SQL_TEXT_BYTES_MAX)
        return sql_fail(call->error, "54000", "requested length too large");
    size_t have = text_length(text);
    if (have >= wanted || fill.len == 0) {
        ret->text = slice_take(text, text_offset(text, wanted));
        return 0;
    }
    size_t missing = wanted - have, fill_length = text_length(fill);
    size_t whole = missing / fill_length, some = text_offset(fill, missing % fill_length);
    char *room = text_room(call, text.len + whole * fill.len + some);
    if (!room)
        return -EINVAL;
    char *at = room;
    if (!before)
        slice_store(&at, text);
    for (size_t i = 0; i < whole; i++)
        slice_store(&at, fill);
    slice_store(&at, slice_take(fill, some));
    if (before)
        slice_store(&at, text);
    ret->text = slice_make(room, (size_t)(at - room));
    return 0;
}

static int lpad(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return pad(call, a, true, ret);
}

static int rpad(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return pad(call, a, false, ret);
}

static int repeat(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    size_t times = a[1].i < 0 ? 0 : (size_t)a[1].i;
    slice text = a[0].text;
    if (text.len && times > SQL_TEXT_BYTES_MAX / text.len)
        return sql_fail(call->error, "54000", "requested length too large");
    char *room = text_room(call, text.len * times);
    if (!room)
        return -EINVAL;
    char *at = room;
    for (size_t i = 0; text.len && i < times; i++)
        slice_store(&at, text);
    ret->text = slice_make(room, text.len * times);
    return 0;
}

static int replace(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    slice text = a[0].text, from = a[1].text, to = a[2].text;
    ptrdiff_t at = from.len ? slice_find_slice(text, from) : -1;
    if (at < 0) {
        ret->text = text;
        return 0;
    }
    _cleanup_buf_ struct buf out = text_buf();
    int failed = 0;
    for (; at >= 0 && !failed; at = slice_find_slice(text, from)) {
        failed = buf_append(&out, slice_take(text, (size_t)at));
        failed = failed ? failed : buf_append(&out, to);
        text = slice_skip(text, (size_t)at + from.len);
    }
    failed = failed ? failed : buf_append(&out, text);
    return text_give(call, failed, &out, ret);
}

/* Characters of FROM become those at the same place of TO, or go. */
static int translate(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    _cleanup_buf_ struct buf out = text_buf();
    int failed = 0;
    for (slice text = a[0].text; text.len && !failed; text = slice_skip(text, text_step(text))) {
        slice c = slice_take(text, text_step(text)), from = a[1].text, to = a[2].text;
        while (from.len && !slice_starts_with(from, c)) {
            from = slice_skip(from, text_step(from));
            to = to.len ? slice_skip(to, text_step(to)) : to;
        }
        if (from.len == 0)
            failed = buf_append(&out, c);
        else if (to.len)
            failed = buf_append(&out, slice_take(to, text_step(to)));
    }
    return text_give(call, failed, &out, ret);
}

static int reverse(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    slice text = a[0].text;
    char *room = text_room(call, text.len);
    if (!room)
        return -EINVAL;
    for (size_t i = 0; i < text.len;) {
        size_t step = text_step(slice_skip(text, i));
        memcpy(room + text.len - i - step, text.ptr + i, step);
        i += step;
    }
    ret->text = slice_make(room, text.len);
    return 0;
}

static int append(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    char *room = text_room(call, a[0].text.len + a[1].text.len);
    if (!room)
        return -EINVAL;
    char *at = room;
    slice_store(&at, a[0].text);
    slice_store(&at, a[1].text);
    ret->text = slice_make(room, (size_t)(at - room));
    return 0;
}

/* As a cast to text prints it: as output does, but for booleans. */
static int put_as_text(struct sql_call *call, unsigned index, const union sql_cell *cell,
                       struct buf *out) {
    if (call->types[index].oid == SQL_BOOL)
        return buf_append(out, cell->i ? slice_lit("true") : slice_lit("false"));
    return text_put(call, index, cell, out);
}

static int append_any(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    _cleanup_buf_ struct buf out = text_buf();
    int failed = put_as_text(call, 0, &a[0], &out);
    failed = failed ? failed : put_as_text(call, 1, &a[1], &out);
    return text_give(call, failed, &out, ret);
}

static int concat(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    _cleanup_buf_ struct buf out = text_buf();
    int failed = 0;
    for (unsigned i = 0; i < call->count && !failed; i++)
        if (!text_null(call, i))
            failed = text_put(call, i, &a[i], &out);
    return text_give(call, failed, &out, ret);
}

static int concat_ws(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    if (text_null(call, 0)) {
        call->null = true;
        return 0;
    }
    _cleanup_buf_ struct buf out = text_buf();
    int failed = 0;
    bool first = true;
    for (unsigned i = 1; i < call->count && !failed; i++) {
        if (text_null(call, i))
            continue;
        failed = first ? 0 : buf_append(&out, a[0].text);
        failed = failed ? failed : text_put(call, i, &a[i], &out);
        first = false;
    }
    return text_give(call, failed, &out, ret);
}

static int ascii(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    (void)call;
    uint32_t code = 0;
    if (a[0].text.len && utf8_decode(a[0].text, &code) < 0)
        code = (unsigned char)a[0].text.ptr[0];
    ret->i = code;
    return 0;
}

static int chr(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    if (a[0].i < 0)
        return sql_fail(call->error, "22023", "character number must be positive");
    if (a[0].i == 0)
        return sql_fail(call->error, "54000", "null character not permitted");
    if (a[0].i > 0x10ffff)
        return sql_fail(call->error, "54000", "requested character too large for encoding: %u",
                        (unsigned)a[0].i);
    char *room = text_room(call, UTF8_MAX);
    if (!room)
        return -EINVAL;
    int len = utf8_encode((uint32_t)a[0].i, room);
    if (len < 0)
        return sql_fail(call->error, "54000", "requested character not valid for encoding: %u",
                        (unsigned)a[0].i);
    ret->text = slice_make(room, (size_t)len);
    return 0;
}

static int to_hex(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    uint64_t number = (uint64_t)a[0].i;
    if (call->types[0].oid != SQL_INT8)
        number = (uint32_t)number;
    slice text;
    if (arena_printf(call->memory, &text, "%llx", (unsigned long long)number))
        return sql_fail_memory(call->error);
    ret->text = text;
    return 0;
}

/* TEXT with COUNT characters from START on replaced by BY; UNIT measures: characters or bytes. */
static int overlay_of(struct sql_call *call, const union sql_cell *a, bool chars,
                      union sql_cell *ret) {
    slice text = a[0].text, by = a[1].text;
    int64_t start = a[2].i, count = (int64_t)(chars ? text_length(by) : by.len);
    count = call->count > 3 ? a[3].i : count;
    if (start <= 0)
        return sql_fail(call->error, "22011", "negative substring length not allowed");
    if (start + count > INT32_MAX)
        return sql_fail(call->error, "22003", "integer out of range");
    int64_t end = start + count - 1 < 0 ? 0 : start + count - 1;
    size_t from = chars ? text_offset(text, (size_t)start - 1) : (size_t)start - 1;
    size_t to = chars ? text_offset(text, (size_t)end) : (size_t)end;
    _cleanup_buf_ struct buf out = text_buf();
    int failed = buf_append(&out, slice_take(text, from));
    failed = failed ? failed : buf_append(&out, by);
    failed = failed ? failed : buf_append(&out, slice_skip(text, to));
    return text_give(call, failed, &out, ret);
}

static int overlay(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return overlay_of(call, a, true, ret);
}

static int overlay_bytes(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return overlay_of(call, a, false, ret);
}

const struct sql_function sql_functions_text_make[] = {
    SQL_ROW_VECTOR("lower", lower, lower_vector, SQL_TEXT, SQL_TEXT),
    SQL_ROW("upper", upper, SQL_TEXT, SQL_TEXT),
    SQL_ROW("initcap", initcap, SQL_TEXT, SQL_TEXT),
    SQL_ROW("lpad", lpad, SQL_TEXT, SQL_TEXT, SQL_INT4, SQL_TEXT),
    SQL_ROW("lpad", lpad, SQL_TEXT, SQL_TEXT, SQL_INT4),
    SQL_ROW("rpad", rpad, SQL_TEXT, SQL_TEXT, SQL_INT4, SQL_TEXT),
    SQL_ROW("rpad", rpad, SQL_TEXT, SQL_TEXT, SQL_INT4),
    SQL_ROW("repeat", repeat, SQL_TEXT, SQL_TEXT, SQL_INT4),
    SQL_ROW("replace", replace, SQL_TEXT, SQL_TEXT, SQL_TEXT, SQL_TEXT),
    SQL_ROW("translate", translate, SQL_TEXT, SQL_TEXT, SQL_TEXT, SQL_TEXT),
    SQL_ROW("reverse", reverse, SQL_TEXT, SQL_TEXT),
    SQL_ROW("||", append, SQL_TEXT, SQL_TEXT, SQL_TEXT),
    SQL_ROW("||", append, SQL_BYTEA, SQL_BYTEA, SQL_BYTEA),
    SQL_ROW("||", append_any, SQL_TEXT, SQL_TEXT, SQL_ANYNONARRAY),
    SQL_ROW("||", append_any, SQL_TEXT, SQL_ANYNONARRAY, SQL_TEXT),
    SQL_ROW_FLAGS("concat", concat, SQL_LENIENT | SQL_VARIADIC, SQL_TEXT, SQL_ANY),
    SQL_ROW_FLAGS("concat_ws", concat_ws, SQL_LENIENT | SQL_VARIADIC, SQL_TEXT, SQL_TEXT, SQL_ANY),
    SQL_ROW("ascii", ascii, SQL_INT4, SQL_TEXT),
    SQL_ROW("chr", chr, SQL_TEXT, SQL_INT4),
    SQL_ROW("to_hex", to_hex, SQL_TEXT, SQL_INT4),
    SQL_ROW("to_hex", to_hex, SQL_TEXT, SQL_INT8),
    SQL_ROW("overlay", overlay, SQL_TEXT, SQL_TEXT, SQL_TEXT, SQL_INT4, SQL_INT4),
    SQL_ROW("overlay", overlay, SQL_TEXT, SQL_TEXT, SQL_TEXT, SQL_INT4),
    SQL_ROW("overlay", overlay_bytes, SQL_BYTEA, SQL_BYTEA, SQL_BYTEA, SQL_INT4, SQL_INT4),
    SQL_ROW("overlay", overlay_bytes, SQL_BYTEA, SQL_BYTEA, SQL_BYTEA, SQL_INT4),
    {.name = NULL},
};
