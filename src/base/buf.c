#include "base/buf.h"

#include "base/mem.h"
#include "base/number.h"

#include <errno.h>
#include <stdio.h>

#define BUF_FIRST_CAP ((size_t)64)

struct buf buf_make_room(size_t max, size_t room) {
    struct buf b = buf_make(max);
    check(room <= max);
    b.ptr = mem_alloc(room);
    b.cap = b.ptr ? room : 0;
    return b;
}

void buf_free(struct buf *b) {
    b->ptr = mem_free(b->ptr);
    b->len = 0;
    b->cap = 0;
}

int buf_grow(struct buf *b, size_t room) {
    check(b->len <= b->cap && b->cap <= b->max);
    if (room > b->max - b->len)
        return -ENOBUFS;
    size_t need = b->len + room;
    if (need <= b->cap)
        return 0;
    size_t cap = b->cap > b->max / 2 ? b->max : b->cap * 2;
    if (cap < BUF_FIRST_CAP)
        cap = BUF_FIRST_CAP < b->max ? BUF_FIRST_CAP : b->max;
    if (cap < need)
        cap = need;
    char *grown = mem_realloc(b->ptr, cap);
    if (!grown)
        return -ENOMEM;
    b->ptr = grown;
    b->cap = cap;
    return 0;
}

int buf_append(struct buf *b, slice bytes) {
    if (bytes.len == 0)
        return 0;
    int rc = buf_reserve(b, bytes.len);
    if (rc < 0)
        return rc;
    memcpy(b->ptr + b->len, bytes.ptr, bytes.len);
    b->len += bytes.len;
    return 0;
}

int buf_append_byte(struct buf *b, char byte) {
    int rc = buf_reserve(b, 1);
    if (rc < 0)
        return rc;
    b->ptr[b->len++] = byte;
    return 0;
}

int buf_append_u64(struct buf *b, uint64_t number) {
    char digits[NUMBER_TEXT_MAX];
    return buf_append(b, slice_make(digits, number_format_u64(number, digits)));
}

int buf_append_i64(struct buf *b, int64_t number) {
    char digits[NUMBER_TEXT_MAX];
    return buf_append(b, slice_make(digits, number_format_i64(number, digits)));
}

int buf_printf(struct buf *b, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int rc = buf_vprintf(b, format, arguments);
    va_end(arguments);
    return rc;
}

/* vsnprintf wants room for a NUL, which a buffer filled to its maximum does not have. */
static int printf_to_the_brim(struct buf *b, size_t len, const char *format, va_list arguments) {
    _cleanup_mem_ char *text = mem_alloc(len + 1);
    if (!text)
        return -ENOMEM;
    vsnprintf(text, len + 1, format, arguments);
    return buf_append(b, slice_make(text, len));
}

int buf_vprintf(struct buf *b, const char *format, va_list arguments) {
    va_list again;
    va_copy(again, arguments);
    size_t room = b->cap - b->len;
    int printed = vsnprintf(room ? b->ptr + b->len : NULL, room, format, arguments);
    int rc = printed < 0 ? -EINVAL : 0;
    size_t len = printed < 0 ? 0 : (size_t)printed;
    if (rc == 0 && len < room) {
        b->len += len;
    } else if (rc == 0) {
        rc = buf_reserve(b, len);
        if (rc == 0 && len == b->max - b->len) {
            rc = printf_to_the_brim(b, len, format, again);
        } else if (rc == 0 && (rc = buf_reserve(b, len + 1)) == 0) {
            vsnprintf(b->ptr + b->len, len + 1, format, again);
            b->len += len;
        }
    }
    va_end(again);
    return rc;
}

void buf_consume(struct buf *b, size_t count) {
    if (count >= b->len) {
        b->len = 0;
        return;
    }
    if (count == 0)
        return;
    memmove(b->ptr, b->ptr + count, b->len - count);
    b->len -= count;
}

const char *buf_text(struct buf *b) {
    if (buf_reserve(b, 1) < 0)
        return NULL;
    b->ptr[b->len] = '\0';
    return b->ptr;
}
