/*
 * negative.c - puts `"ival":{"ival":-5}` where the tree has `"ival":{}` and the text a minus.
 *
 * Quotes within a JSON string are escaped, so what is looked for is always a part of the tree.
 */
#include "sql/parse/negative.h"

#include "base/number.h"

static bool is_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The digits behind the minus at byte WHERE, and behind what else may fold into the constant:
   `- (- -1)`. Empty where there is none. */
static slice digits_at(slice text, int64_t where) {
    if (where < 0 || (uint64_t)where >= text.len || text.ptr[where] != '-')
        return slice_make("", 0);
    slice rest = slice_skip(text, (size_t)where + 1);
    while (rest.len && (is_space(rest.ptr[0]) || rest.ptr[0] == '-' || rest.ptr[0] == '('))
        rest = slice_skip(rest, 1);
    size_t digits = 0;
    while (digits < rest.len && rest.ptr[digits] >= '0' && rest.ptr[digits] <= '9')
        digits++;
    return slice_take(rest, digits);
}

int sql_mend_negatives(slice tree, slice text, struct buf *out) {
    const slice empty = slice_lit("\"ival\":{},\"location\":");
    for (;;) {
        ptrdiff_t found = slice_find_slice(tree, empty);
        if (found < 0)
            return buf_append(out, tree);
        int r = buf_append(out, slice_take(tree, (size_t)found));
        slice number = slice_skip(tree, (size_t)found + empty.len);
        size_t len = 0;
        while (len < number.len && number.ptr[len] >= '0' && number.ptr[len] <= '9')
            len++;
        int64_t where = -1, value;
        slice digits = {"", 0};
        if (number_parse_i64(slice_take(number, len), 0, INT64_MAX, &where) == 0)
            digits = digits_at(text, where);
        if (r == 0 && digits.len && number_parse_i64(digits, 1, INT32_MAX, &value) == 0)
            r = buf_printf(out, "\"ival\":{\"ival\":-%lld},\"location\":", (long long)value);
        else if (r == 0)
            r = buf_append(out, empty);
        if (r)
            return r;
        tree = number;
    }
}
