/*
 * json_order.c - which jsonb value is less, and equal values as equal bytes (json.h).
 *
 * The order is that of PostgreSQL's btree class: Object > Array > Boolean > Number > String > Null,
 * more members above fewer, then member by member (key, value) in the order they are stored. At the
 * top, and only there, an array of no elements is below everything, because PostgreSQL keeps a
 * scalar as an array of one element and compares the counts first; for the same reason a scalar is
 * below every array of one or more.
 */
#include "sql/text/json.h"

struct number {
    bool negative;
    slice whole, fraction; /* no zeros before whole, none behind fraction */
};

static struct number number_of(slice text) {
    struct number n = {.negative = text.len && text.ptr[0] == '-'};
    text = n.negative ? slice_skip(text, 1) : text;
    ptrdiff_t point = slice_find(text, '.');
    n.whole = point < 0 ? text : slice_take(text, (size_t)point);
    n.fraction = point < 0 ? slice_take(text, 0) : slice_skip(text, (size_t)point + 1);
    while (n.whole.len && n.whole.ptr[0] == '0')
        n.whole = slice_skip(n.whole, 1);
    while (n.fraction.len && n.fraction.ptr[n.fraction.len - 1] == '0')
        n.fraction.len--;
    n.negative = n.negative && (n.whole.len || n.fraction.len);
    return n;
}

int sql_json_number_compare(slice a, slice b) {
    struct number x = number_of(a), y = number_of(b);
    if (x.negative != y.negative)
        return x.negative ? -1 : 1;
    int order = (x.whole.len > y.whole.len) - (x.whole.len < y.whole.len);
    order = order ? order : slice_compare(x.whole, y.whole);
    order = order ? order : slice_compare(x.fraction, y.fraction);
    return x.negative ? -order : order;
}

/* What strings say decides, and escapes would not keep its order: they are undone one by one. */
struct said {
    const char *at, *end;
};

static int said_next(struct said *s) {
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (s->at >= s->end)
        return -1;
    char c = *s->at++;
    if (c != '\\' || s->at >= s->end)
        return (unsigned char)c;
    c = *s->at++;
    if (c == 'u') { /* jsonb escapes by \u only what is below 0x20: \u00XY */
        int high = s->at[2] - '0', low = s->at[3] <= '9' ? s->at[3] - '0' : s->at[3] - 'a' + 10;
        s->at += 4;
        return high << 4 | low;
    }
    const char *found = strchr(from, c);
    check(found && c);
    return to[found - from];
}

/* Without quotes. */
static int compare_strings(slice a, slice b) {
    struct said x = {a.ptr, a.ptr + a.len}, y = {b.ptr, b.ptr + b.len};
    for (;;) {
        int c = said_next(&x), d = said_next(&y);
        if (c != d || c < 0)
            return (c > d) - (c < d);
    }
}

static slice without_quotes(slice value) {
    return slice_make(value.ptr + 1, value.len - 2);
}

static int compare_values(slice a, slice b);

static int compare_members(slice a, slice b) {
    struct sql_json_walk x = sql_json_each(a), y = sql_json_each(b);
    while (sql_json_next(&x) && sql_json_next(&y)) {
        int order = x.object ? compare_strings(x.key, y.key) : 0;
        order = order ? order : compare_values(x.value, y.value);
        if (order)
            return order;
    }
    return 0;
}

static int compare_values(slice a, slice b) {
    enum sql_json_kind x = sql_json_kind_of(a), y = sql_json_kind_of(b);
    if (x != y)
        return x < y ? -1 : 1;
    switch (x) {
    case SQL_JSON_NULL:
        return 0;
    case SQL_JSON_STRING:
        return compare_strings(without_quotes(a), without_quotes(b));
    case SQL_JSON_NUMBER:
        return sql_json_number_compare(a, b);
    case SQL_JSON_BOOL:
        return (a.ptr[0] == 't') - (b.ptr[0] == 't');
    default:
        break;
    }
    unsigned m = sql_json_count(a), n = sql_json_count(b);
    return m != n ? (m < n ? -1 : 1) : compare_members(a, b);
}

/* Of a whole document: 0 an empty array, 1 a scalar, 2 another container. */
static int top_class(slice value) {
    enum sql_json_kind kind = sql_json_kind_of(value);
    if (kind == SQL_JSON_ARRAY && sql_json_count(value) == 0)
        return 0;
    return kind < SQL_JSON_ARRAY ? 1 : 2;
}

int sql_jsonb_compare(slice a, slice b) {
    if (slice_equal(a, b))
        return 0;
    int x = top_class(a), y = top_class(b);
    return x != y ? (x < y ? -1 : 1) : compare_values(a, b);
}

/* Bytes of a string, ended by a 0, which no text holds. */
static int key_string(slice written, struct buf *out) {
    struct said s = {written.ptr, written.ptr + written.len};
    int failed = buf_reserve(out, written.len + 1);
    if (failed)
        return failed;
    for (int c = said_next(&s); c > 0; c = said_next(&s))
        out->ptr[out->len++] = (char)c;
    out->ptr[out->len++] = 0;
    return 0;
}

static int key_count(size_t count, bool inverted, struct buf *out) {
    unsigned char bytes[4];
    for (unsigned i = 0; i < 4; i++) {
        unsigned char byte = (unsigned char)(count >> (24 - 8 * i));
        bytes[i] = inverted ? (unsigned char)~byte : byte;
    }
    return buf_append(out, slice_make(bytes, 4));
}

/* Sign, count of digits before the point, digits, an end below every digit; a negative number's
   bytes behind the sign are inverted. */
static int key_number(slice text, struct buf *out) {
    struct number n = number_of(text);
    int failed = buf_append_byte(out, n.negative ? 0 : 1);
    failed = failed ? failed : key_count(n.whole.len, n.negative, out);
    failed = failed ? failed : buf_reserve(out, n.whole.len + n.fraction.len + 1);
    if (failed)
        return failed;
    slice parts[2] = {n.whole, n.fraction};
    for (unsigned part = 0; part < 2; part++)
        for (size_t i = 0; i < parts[part].len; i++) {
            char c = parts[part].ptr[i];
            out->ptr[out->len++] = (char)(n.negative ? ~c : c);
        }
    out->ptr[out->len++] = (char)(n.negative ? ~0 : 0);
    return 0;
}

static int key_value(slice value, struct buf *out) {
    enum sql_json_kind kind = sql_json_kind_of(value);
    int failed = buf_append_byte(out, (char)kind);
    if (failed || kind == SQL_JSON_NULL)
        return failed;
    if (kind == SQL_JSON_STRING)
        return key_string(without_quotes(value), out);
    if (kind == SQL_JSON_NUMBER)
        return key_number(value, out);
    if (kind == SQL_JSON_BOOL)
        return buf_append_byte(out, value.ptr[0] == 't');
    failed = key_count(sql_json_count(value), false, out);
    struct sql_json_walk w = sql_json_each(value);
    while (!failed && sql_json_next(&w)) {
        failed = w.object ? key_string(w.key, out) : 0;
        failed = failed ? failed : key_value(w.value, out);
    }
    return failed;
}

int sql_jsonb_key(slice value, struct buf *out) {
    int failed = buf_append_byte(out, (char)top_class(value));
    return failed ? failed : key_value(value, out);
}

/* Numbers are the tokens outside strings that begin with a digit: the zeros at the end of their
   fraction are left out, everything else is told in pieces as it is. */
static int canonical(slice value, int (*tell)(void *to, slice piece), void *to) {
    size_t from = 0, i = 0;
    int failed = 0;
    while (i < value.len && !failed) {
        char c = value.ptr[i];
        if (c == '"') {
            for (i++; i < value.len && value.ptr[i] != '"'; i++)
                i += value.ptr[i] == '\\';
            i++;
            continue;
        }
        if (c < '0' || c > '9') {
            i++;
            continue;
        }
        size_t start = i;
        while (i < value.len &&
               (value.ptr[i] == '.' || (value.ptr[i] >= '0' && value.ptr[i] <= '9')))
            i++;
        size_t end = i;
        if (slice_find(slice_make(value.ptr + start, end - start), '.') >= 0) {
            while (value.ptr[end - 1] == '0')
                end--;
            end -= value.ptr[end - 1] == '.';
        }
        failed = tell(to, slice_make(value.ptr + from, end - from));
        from = i;
    }
    return failed ? failed : tell(to, slice_skip(value, from));
}

static int to_buf(void *to, slice piece) {
    return buf_append(to, piece);
}

int sql_jsonb_canonical(slice value, struct buf *out) {
    return canonical(value, to_buf, out);
}

/* FNV-1a, which may be fed in pieces, and a last stir for its low bits. */
static int to_hash(void *to, slice piece) {
    uint64_t h = *(uint64_t *)to;
    for (size_t i = 0; i < piece.len; i++)
        h = (h ^ (unsigned char)piece.ptr[i]) * 0x100000001b3u;
    *(uint64_t *)to = h;
    return 0;
}

uint64_t sql_jsonb_hash(slice value) {
    uint64_t h = 0xcbf29ce484222325u;
    int failed = canonical(value, to_hash, &h);
    check(!failed);
    h ^= h >> 32;
    h *= 0x9e3779b97f4a7c15u;
    return h ^ h >> 29;
}
