/*
 * fold_number.c - see fold_number.h.
 *
 *     12.50  ->  mantissa 1250, scale 2
 *
 * Two decimals are brought to the same scale, which only makes a mantissa longer; where one of
 * these steps overflows, the sum is a double's, or none where both are integers.
 */
#include "rooms/events/fold_number.h"

#include "base/number.h"
#include "wire/json_write.h"

#include <errno.h>
#include <math.h>

#define SCALE_MAX 18u

struct decimal {
    int64_t mantissa;
    unsigned scale;
};

static bool is_integer(slice text) {
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] == '.' || text.ptr[i] == 'e' || text.ptr[i] == 'E')
            return false;
    return true;
}

/* False: it is none of 63 bits. */
static bool decimal_read(slice text, struct decimal *d) {
    bool negative = text.len && text.ptr[0] == '-', fraction = false;
    *d = (struct decimal){0};
    for (size_t i = negative; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '.') {
            fraction = true;
            continue;
        }
        if (c < '0' || c > '9' || (fraction && ++d->scale > SCALE_MAX))
            return false;
        int64_t digit = negative ? -(c - '0') : c - '0';
        if (__builtin_mul_overflow(d->mantissa, 10, &d->mantissa) ||
            __builtin_add_overflow(d->mantissa, digit, &d->mantissa))
            return false;
    }
    return true;
}

static bool scale_up(struct decimal *d, unsigned scale) {
    for (; d->scale < scale; d->scale++)
        if (__builtin_mul_overflow(d->mantissa, 10, &d->mantissa))
            return false;
    return true;
}

static int decimal_write(struct decimal d, struct buf *out) {
    char digits[SCALE_MAX + NUMBER_TEXT_MAX];
    uint64_t size = d.mantissa < 0 ? -(uint64_t)d.mantissa : (uint64_t)d.mantissa;
    size_t at = sizeof digits;
    for (unsigned i = 0; i <= d.scale || size; i++) {
        if (i == d.scale && i)
            digits[--at] = '.';
        digits[--at] = (char)('0' + size % 10);
        size /= 10;
    }
    if (d.mantissa < 0)
        digits[--at] = '-';
    return buf_append(out, slice_make(digits + at, sizeof digits - at));
}

static int add_doubles(slice a, slice b, struct buf *out) {
    double x, y;
    if (number_parse_double(a, &x) || number_parse_double(b, &y) || !isfinite(x + y))
        return -ERANGE;
    struct json_writer w = json_writer_make(out, false);
    json_write_double(&w, x + y);
    return json_write_finish(&w);
}

int fold_number_add(slice a, slice b, struct buf *out) {
    struct decimal x, y;
    bool exact = decimal_read(a, &x) && decimal_read(b, &y) && scale_up(&x, y.scale) &&
                 scale_up(&y, x.scale) &&
                 !__builtin_add_overflow(x.mantissa, y.mantissa, &x.mantissa);
    if (exact)
        return decimal_write(x, out);
    return is_integer(a) && is_integer(b) ? -ERANGE : add_doubles(a, b, out);
}
