/*
 * position.c - see position.h.
 *
 * A name of a stream may have colons and commas in it, no blanks, so
 * a position ends behind the first colon that digits and a comma, or the end, follow.
 */
#include "rooms/stream/position.h"

#include "base/number.h"

#include <errno.h>

#define STREAM_NAME_MAX 255u

static size_t digits_at(slice s, size_t at) {
    size_t end = at;
    while (end < s.len && s.ptr[end] >= '0' && s.ptr[end] <= '9')
        end++;
    return end;
}

/* Blanks, and then a comma or the end. */
static bool ends_at(slice s, size_t at, size_t *ret_next) {
    while (at < s.len && s.ptr[at] == ' ')
        at++;
    *ret_next = at < s.len ? at + 1 : at;
    return at == s.len || s.ptr[at] == ',';
}

/* The first position of *REST, which moves on. */
static int take_position(slice *rest, slice *ret_stream, uint64_t *ret_sequence) {
    slice s = slice_trim(*rest);
    size_t next, end = digits_at(s, 0);
    if (end > 0 && ends_at(s, end, &next)) {
        *ret_stream = slice_lit(POSITION_EVENTS);
        *rest = slice_skip(s, next);
        return number_parse_u64(slice_take(s, end), ret_sequence) ? -EINVAL : 0;
    }
    for (size_t colon = 1; colon < s.len && colon <= STREAM_NAME_MAX; colon++) {
        if (s.ptr[colon] == ' ')
            break;
        end = digits_at(s, colon + 1);
        if (s.ptr[colon] != ':' || end == colon + 1 || !ends_at(s, end, &next))
            continue;
        *ret_stream = slice_take(s, colon);
        *rest = slice_skip(s, next);
        slice digits = slice_skip(slice_take(s, end), colon + 1);
        return number_parse_u64(digits, ret_sequence) ? -EINVAL : 0;
    }
    return -EINVAL;
}

int positions_read(slice text, struct positions *ret) {
    slice rest = slice_trim(text);
    ret->count = 0;
    while (rest.len) {
        if (ret->count == POSITIONS_MAX)
            return -E2BIG;
        int r =
            take_position(&rest, &ret->list[ret->count].stream, &ret->list[ret->count].sequence);
        if (r < 0)
            return r;
        ret->count++;
    }
    return 0;
}

uint64_t positions_of(const struct positions *p, slice stream) {
    uint64_t sequence = 0;
    for (unsigned i = 0; i < p->count; i++)
        if (slice_equal(p->list[i].stream, stream) && p->list[i].sequence > sequence)
            sequence = p->list[i].sequence;
    return sequence;
}
