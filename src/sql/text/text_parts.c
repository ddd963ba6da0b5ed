/*
 * text_parts.c - parts of a text and where they are: substr, left, position, split_part, trim.
 *
 * What is a part of its argument is given as a slice of it: no byte is copied. Arguments live as
 * long as the batch they come in, and that is how long a result must.
 */
#include "sql/text/text_functions.h"

static int give_count(size_t count, union sql_cell *ret) {
    ret->i = (int64_t)count;
    return 0;
}

static int length(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    (void)call;
    return give_count(text_length(a[0].text), ret);
}

static int length_vector(struct sql_call *call, const struct sql_column *a, unsigned rows,
                         union sql_cell *ret, uint8_t *ret_nulls) {
    (void)call;
    for (unsigned i = 0; i < rows; i++)
        if (!ret_nulls[i])
            ret[i].i = (int64_t)text_length(sql_cell_at(&a[0], i)->text);
    return 0;
}

static int octet_length(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    (void)call;
    return give_count(a[0].text.len, ret);
}

static int bit_length(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    (void)call;
    return give_count(a[0].text.len * 8, ret);
}

/* Characters from START on (from 1; may lie before the text), COUNT of them (< 0 is refused). */
static int part(struct sql_error *error, slice text, int64_t start, int64_t count, slice *ret) {
    if (count < 0)
        return sql_fail(error, "22011", "negative substring length not allowed");
    int64_t end = start + count; /* both are int4: no overflow */
    start = start < 1 ? 1 : start;
    if (end <= start) {
        *ret = slice_take(text, 0);
        return 0;
    }
    slice rest = slice_skip(text, text_offset(text, (size_t)(start - 1)));
    *ret = slice_take(rest, text_offset(rest, (size_t)(end - start)));
    return 0;
}

static int substr_to(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return part(call->error, a[0].text, a[1].i, a[2].i, &ret->text);
}

static int substr_to_vector(struct sql_call *call, const struct sql_column *a, unsigned rows,
                            union sql_cell *ret, uint8_t *ret_nulls) {
    for (unsigned i = 0; i < rows; i++) {
        if (ret_nulls[i])
            continue;
        int failed = part(call->error, sql_cell_at(&a[0], i)->text, sql_cell_at(&a[1], i)->i,
                          sql_cell_at(&a[2], i)->i, &ret[i].text);
        if (failed)
            return failed;
    }
    return 0;
}

static int substr_from(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    (void)call;
    int64_t start = a[1].i < 1 ? 1 : a[1].i;
    ret->text = slice_skip(a[0].text, text_offset(a[0].text, (size_t)(start - 1)));
    return 0;
}

static int bytes_to(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    if (a[2].i < 0)
        return sql_fail(call->error, "22011", "negative substring length not allowed");
    int64_t start = a[1].i < 1 ? 1 : a[1].i, end = a[1].i + a[2].i;
    slice rest = slice_skip(a[0].text, (size_t)(start - 1));
    ret->text = slice_take(rest, end > start ? (size_t)(end - start) : 0);
    return 0;
}

static int bytes_from(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    (void)call;
    ret->text = slice_skip(a[0].text, a[1].i < 1 ? 0 : (size_t)(a[1].i - 1));
    return 0;
}

/* COUNT characters, or all but the last -COUNT. */
static size_t chars_of(slice text, int64_t count) {
    if (count >= 0)
        return (size_t)count;
    size_t length = text_length(text);
    return (size_t)-count < length ? length - (size_t)-count : 0;
}

static int left(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    (void)call;
    ret->text = slice_take(a[0].text, text_offset(a[0].text, chars_of(a[0].text, a[1].i)));
    return 0;
}

static int right(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    (void)call;
    size_t length = text_length(a[0].text), count = chars_of(a[0].text, a[1].i);
    size_t skipped = count < length ? length - count : 0;
    if (a[1].i < 0)
        skipped = (size_t)-a[1].i < length ? (size_t)-a[1].i : length;
    ret->text = slice_skip(a[0].text, text_offset(a[0].text, skipped));
    return 0;
}

static int strpos(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    (void)call;
    ptrdiff_t at = slice_find_slice(a[0].text, a[1].text);
    ret->i = at < 0 ? 0 : (int64_t)text_length(slice_take(a[0].text, (size_t)at)) + 1;
    return 0;
}

static int strpos_bytes(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    (void)call;
    ret->i = slice_find_slice(a[0].text, a[1].text) + 1;
    return 0;
}

static int starts_with(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    (void)call;
    ret->i = slice_starts_with(a[0].text, a[1].text);
    return 0;
}

/* The last SEPARATOR in TEXT, or -1. */
static ptrdiff_t find_last(slice text, slice separator) {
    for (size_t i = text.len - separator.len + 1; text.len >= separator.len && i-- > 0;)
        if (memcmp(text.ptr + i, separator.ptr, separator.len) == 0)
            return (ptrdiff_t)i;
    return -1;
}

static slice split_from_end(slice text, slice separator, int64_t field) {
    for (;; field++) {
        ptrdiff_t at = find_last(text, separator);
        if (field == -1)
            return at < 0 ? text : slice_skip(text, (size_t)at + separator.len);
        if (at < 0)
            return slice_take(text, 0);
        text = slice_take(text, (size_t)at);
    }
}

static slice split_from_start(slice text, slice separator, int64_t field) {
    for (;; field--) {
        ptrdiff_t at = separator.len == 1 ? slice_find(text, separator.ptr[0])
                                          : slice_find_slice(text, separator);
        if (field == 1)
            return at < 0 ? text : slice_take(text, (size_t)at);
        if (at < 0)
            return slice_take(text, 0);
        text = slice_skip(text, (size_t)at + separator.len);
    }
}

static int split(struct sql_error *error, slice text, slice separator, int64_t field, slice *ret) {
    if (field == 0)
        return sql_fail(error, "22023", "field position must not be zero");
    if (separator.len == 0)
        *ret = field == 1 || field == -1 ? text : slice_take(text, 0);
    else
        *ret = field > 0 ? split_from_start(text, separator, field)
                         : split_from_end(text, separator, field);
    return 0;
}

static int split_part(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return split(call->error, a[0].text, a[1].text, a[2].i, &ret->text);
}

static int split_part_vector(struct sql_call *call, const struct sql_column *a, unsigned rows,
                             union sql_cell *ret, uint8_t *ret_nulls) {
    for (unsigned i = 0; i < rows; i++) {
        if (ret_nulls[i])
            continue;
        int failed = split(call->error, sql_cell_at(&a[0], i)->text, sql_cell_at(&a[1], i)->text,
                           sql_cell_at(&a[2], i)->i, &ret[i].text);
        if (failed)
            return failed;
    }
    return 0;
}

/* CHARACTER (one, in UTF-8) is one of SET. */
static bool in_set(slice character, slice set) {
    if (character.len == 1)
        return slice_find(set, character.ptr[0]) >= 0;
    for (; set.len; set = slice_skip(set, text_step(set)))
        if (slice_starts_with(set, character))
            return true;
    return false;
}

static slice trim_left(slice text, slice set) {
    while (text.len && in_set(slice_take(text, text_step(text)), set))
        text = slice_skip(text, text_step(text));
    return text;
}

static slice trim_right(slice text, slice set) {
    while (text.len) {
        size_t at = text.len - 1;
        while (at > 0 && ((unsigned char)text.ptr[at] & 0xc0) == 0x80)
            at--;
        if (!in_set(slice_skip(text, at), set))
            break;
        text.len = at;
    }
    return text;
}

static slice set_of(const struct sql_call *call, const union sql_cell *a) {
    return call->count > 1 ? a[1].text : slice_lit(" ");
}

static int btrim(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    ret->text = trim_right(trim_left(a[0].text, set_of(call, a)), set_of(call, a));
    return 0;
}

static int ltrim(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    ret->text = trim_left(a[0].text, set_of(call, a));
    return 0;
}

static int rtrim(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    ret->text = trim_right(a[0].text, set_of(call, a));
    return 0;
}

static slice trim_bytes(slice bytes, slice set, bool from_left, bool from_right) {
    while (from_left && bytes.len && slice_find(set, bytes.ptr[0]) >= 0)
        bytes = slice_skip(bytes, 1);
    while (from_right && bytes.len && slice_find(set, bytes.ptr[bytes.len - 1]) >= 0)
        bytes.len--;
    return bytes;
}

static int btrim_bytes(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    (void)call;
    ret->text = trim_bytes(a[0].text, a[1].text, true, true);
    return 0;
}

static int ltrim_bytes(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    (void)call;
    ret->text = trim_bytes(a[0].text, a[1].text, true, false);
    return 0;
}

static int rtrim_bytes(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    (void)call;
    ret->text = trim_bytes(a[0].text, a[1].text, false, true);
    return 0;
}

const struct sql_function sql_functions_text_parts[] = {
    SQL_ROW_VECTOR("length", length, length_vector, SQL_INT4, SQL_TEXT),
    SQL_ROW_VECTOR("char_length", length, length_vector, SQL_INT4, SQL_TEXT),
    SQL_ROW_VECTOR("character_length", length, length_vector, SQL_INT4, SQL_TEXT),
    SQL_ROW("length", octet_length, SQL_INT4, SQL_BYTEA),
    SQL_ROW("octet_length", octet_length, SQL_INT4, SQL_TEXT),
    SQL_ROW("octet_length", octet_length, SQL_INT4, SQL_BPCHAR),
    SQL_ROW("octet_length", octet_length, SQL_INT4, SQL_BYTEA),
    SQL_ROW("bit_length", bit_length, SQL_INT4, SQL_TEXT),
    SQL_ROW("bit_length", bit_length, SQL_INT4, SQL_BYTEA),
    SQL_ROW_VECTOR("substr", substr_to, substr_to_vector, SQL_TEXT, SQL_TEXT, SQL_INT4, SQL_INT4),
    SQL_ROW_VECTOR("substring", substr_to, substr_to_vector, SQL_TEXT, SQL_TEXT, SQL_INT4,
                   SQL_INT4),
    SQL_ROW("substr", substr_from, SQL_TEXT, SQL_TEXT, SQL_INT4),
    SQL_ROW("substring", substr_from, SQL_TEXT, SQL_TEXT, SQL_INT4),
    SQL_ROW("substr", bytes_to, SQL_BYTEA, SQL_BYTEA, SQL_INT4, SQL_INT4),
    SQL_ROW("substring", bytes_to, SQL_BYTEA, SQL_BYTEA, SQL_INT4, SQL_INT4),
    SQL_ROW("substr", bytes_from, SQL_BYTEA, SQL_BYTEA, SQL_INT4),
    SQL_ROW("substring", bytes_from, SQL_BYTEA, SQL_BYTEA, SQL_INT4),
    SQL_ROW("left", left, SQL_TEXT, SQL_TEXT, SQL_INT4),
    SQL_ROW("right", right, SQL_TEXT, SQL_TEXT, SQL_INT4),
    SQL_ROW("strpos", strpos, SQL_INT4, SQL_TEXT, SQL_TEXT),
    SQL_ROW("position", strpos, SQL_INT4, SQL_TEXT, SQL_TEXT),
    SQL_ROW("position", strpos_bytes, SQL_INT4, SQL_BYTEA, SQL_BYTEA),
    SQL_ROW("starts_with", starts_with, SQL_BOOL, SQL_TEXT, SQL_TEXT),
    SQL_ROW("^@", starts_with, SQL_BOOL, SQL_TEXT, SQL_TEXT),
    SQL_ROW_VECTOR("split_part", split_part, split_part_vector, SQL_TEXT, SQL_TEXT, SQL_TEXT,
                   SQL_INT4),
    SQL_ROW("btrim", btrim, SQL_TEXT, SQL_TEXT, SQL_TEXT),
    SQL_ROW("btrim", btrim, SQL_TEXT, SQL_TEXT),
    SQL_ROW("ltrim", ltrim, SQL_TEXT, SQL_TEXT, SQL_TEXT),
    SQL_ROW("ltrim", ltrim, SQL_TEXT, SQL_TEXT),
    SQL_ROW("rtrim", rtrim, SQL_TEXT, SQL_TEXT, SQL_TEXT),
    SQL_ROW("rtrim", rtrim, SQL_TEXT, SQL_TEXT),
    SQL_ROW("btrim", btrim_bytes, SQL_BYTEA, SQL_BYTEA, SQL_BYTEA),
    SQL_ROW("ltrim", ltrim_bytes, SQL_BYTEA, SQL_BYTEA, SQL_BYTEA),
    SQL_ROW("rtrim", rtrim_bytes, SQL_BYTEA, SQL_BYTEA, SQL_BYTEA),
    {.name = NULL},
};
