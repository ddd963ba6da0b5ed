/*
 * sse_window.c - see sse_window.h. The size of an event is known before it is written, so that one
 * that is too large, or that there is no memory for, is never begun.
 *
 * Dropped events stay in front of the buffer until they are half of it; then what is kept moves
 * down. So a byte is moved once at most for each time that it is written.
 */
#include "rooms/gateway/sse_window.h"

#include "base/base64.h"
#include "base/hex.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/utf8.h"

#include <errno.h>
#include <stdio.h>

#define BINARY "data:application/octet-stream;base64,"
#define FRAME_ROOM (sizeof "id: \nsubject: \n\n" + NUMBER_TEXT_MAX)
#define DATA_ROOM (sizeof "data: \n" - 1)
#define ENTRIES_FIRST 64u

/* --- an event ----------------------------------------------------------------------------------
 */

/* Takes one line off *REST, in the way of HTML 9.2.6. False when there is none left. */
static bool next_line(slice *rest, slice *ret_line) {
    if (!rest->ptr)
        return false;
    size_t len = 0;
    while (len < rest->len && rest->ptr[len] != '\n' && rest->ptr[len] != '\r')
        len++;
    *ret_line = slice_take(*rest, len);
    if (len == rest->len) {
        rest->ptr = NULL;
        return true;
    }
    bool two = rest->ptr[len] == '\r' && len + 1 < rest->len && rest->ptr[len + 1] == '\n';
    *rest = slice_skip(*rest, len + (two ? 2 : 1));
    return true;
}

static slice lines_of(slice payload) {
    return payload.len ? payload : slice_lit(""); /* an empty payload is one empty line */
}

static size_t text_room(slice payload) {
    slice rest = lines_of(payload), line;
    size_t room = 0;
    while (next_line(&rest, &line))
        room += DATA_ROOM + line.len;
    return room;
}

static char *put(char *out, slice bytes) {
    if (bytes.len)
        memcpy(out, bytes.ptr, bytes.len);
    return out + bytes.len;
}

static char *put_text(char *out, slice payload) {
    slice rest = lines_of(payload), line;
    while (next_line(&rest, &line)) {
        out = put(out, slice_lit("data: "));
        out = put(out, line);
        *out++ = '\n';
    }
    return out;
}

static char *put_binary(char *out, slice payload) {
    out = put(out, slice_lit("data: " BINARY));
    out += base64_encode(BASE64_STANDARD, payload, out);
    *out++ = '\n';
    return out;
}

/* Whether SUBJECT may stand in a line as it is. */
static bool is_plain(slice subject) {
    for (size_t i = 0; i < subject.len; i++)
        if ((unsigned char)subject.ptr[i] < ' ' || subject.ptr[i] == 0x7f)
            return false;
    return utf8_valid(subject);
}

static char *put_subject(char *out, slice subject) {
    static const char digits[] = "0123456789ABCDEF";
    if (is_plain(subject))
        return put(out, subject);
    for (size_t i = 0; i < subject.len; i++) {
        unsigned char c = (unsigned char)subject.ptr[i];
        if (c > ' ' && c < 0x7f) {
            *out++ = (char)c;
            continue;
        }
        *out++ = '%';
        *out++ = digits[c >> 4];
        *out++ = digits[c & 15];
    }
    return out;
}

static char *put_head(char *out, const struct sse_event *event) {
    if (event->has_gap)
        out += sse_gap(out, event->gap_after, event->sequence).len;
    if (event->has_id) {
        out = put(out, slice_lit("id: "));
        out += number_format_u64(event->sequence, out);
        *out++ = '\n';
    }
    return out;
}

int sse_event_write(struct buf *b, const struct sse_event *event) {
    slice payload = event->payload;
    size_t frame = FRAME_ROOM + SSE_NOTICE_BYTES_MAX + event->subject.len * 3, room = SIZE_MAX;
    bool text = utf8_valid(payload);
    if (text)
        room = frame + text_room(payload);
    if (room > SSE_EVENT_BYTES_MAX) {
        text = false;
        room = frame + DATA_ROOM + sizeof BINARY + base64_encoded_len(BASE64_STANDARD, payload.len);
    }
    bool fits = room <= SSE_EVENT_BYTES_MAX;
    int failed = buf_reserve(b, fits ? room : frame + SSE_NOTICE_BYTES_MAX);
    if (failed)
        return failed;
    char *out = put_head(b->ptr + b->len, event);
    if (!fits) {
        out += sse_dropped(out, 1).len;
    } else {
        out = put(out, slice_lit("subject: "));
        out = put_subject(out, event->subject);
        *out++ = '\n';
        out = text ? put_text(out, payload) : put_binary(out, payload);
        *out++ = '\n';
    }
    b->len = (size_t)(out - b->ptr);
    return 0;
}

slice sse_gap(char *out, uint64_t after, uint64_t first) {
    int len = snprintf(out, SSE_NOTICE_BYTES_MAX,
                       "event: nonet.gap\ndata: {\"after\":%llu,\"first\":%llu}\n\n",
                       (unsigned long long)after, (unsigned long long)first);
    return slice_make(out, (size_t)len);
}

slice sse_dropped(char *out, uint64_t messages) {
    int len =
        snprintf(out, SSE_NOTICE_BYTES_MAX, "event: nonet.dropped\ndata: {\"messages\":%llu}\n\n",
                 (unsigned long long)messages);
    return slice_make(out, (size_t)len);
}

/* --- a window ----------------------------------------------------------------------------------
 */

struct sse_window sse_window_make(uint64_t base) {
    return (struct sse_window){
        .bytes = buf_make(4 * (size_t)SSE_EVENT_BYTES_MAX), .base = base, .next = base};
}

void sse_window_free(struct sse_window *w) {
    buf_free(&w->bytes);
    w->entries = mem_free(w->entries);
    w->first = w->count = w->room = 0;
    w->start = 0;
}

void sse_window_restart(struct sse_window *w, uint64_t base) {
    check(base >= w->next);
    buf_clear(&w->bytes);
    w->first = w->count = 0;
    w->start = 0;
    w->base = w->next = base;
}

static void drop_oldest(struct sse_window *w) {
    w->base = w->entries[w->first].sequence + 1;
    w->first++;
    w->start = w->first < w->count ? w->entries[w->first].at : w->bytes.len;
}

/* What is kept moves to the front where that gives at least half of the room back. */
static void close_up(struct sse_window *w) {
    if (w->first == 0 || (w->start < w->bytes.len / 2 && w->first < w->count / 2))
        return;
    uint32_t kept = w->count - w->first;
    buf_consume(&w->bytes, w->start);
    for (uint32_t i = 0; i < kept; i++) {
        w->entries[i] = w->entries[w->first + i];
        w->entries[i].at -= (uint32_t)w->start;
    }
    w->first = 0;
    w->count = kept;
    w->start = 0;
}

static int entry_reserve(struct sse_window *w) {
    if (w->count < w->room)
        return 0;
    uint32_t room = w->room ? w->room * 2 : ENTRIES_FIRST;
    struct sse_entry *grown = mem_realloc(w->entries, room * sizeof *grown);
    if (!grown)
        return -ENOMEM;
    w->entries = grown;
    w->room = room;
    return 0;
}

static struct sse_entry entry_of(const struct sse_window *w, const struct sse_event *event,
                                 size_t at) {
    slice text = slice_skip(buf_slice(&w->bytes), at), key = slice_lit("subject: "), head = text;
    if (event->has_gap)
        head = slice_skip(head, (size_t)slice_find_slice(head, slice_lit("\n\n")) + 2);
    if (event->has_id)
        head = slice_skip(head, (size_t)slice_find(head, '\n') + 1);
    slice subject = slice_take(slice_skip(head, key.len), event->subject.len);
    bool same = slice_equal(subject, event->subject) && head.len > key.len + subject.len &&
                head.ptr[key.len + subject.len] == '\n';
    return (struct sse_entry){
        .sequence = event->sequence,
        .at = (uint32_t)at,
        .subject_at = (uint32_t)(subject.ptr - text.ptr),
        .subject_len = same ? (uint32_t)subject.len : 0,
    };
}

void sse_window_add(struct sse_window *w, const struct sse_event *event, size_t keep_bytes) {
    check(event->sequence >= w->next);
    size_t at = w->bytes.len;
    if (entry_reserve(w) || sse_event_write(&w->bytes, event)) {
        sse_window_restart(w, event->sequence + 1);
        return;
    }
    w->entries[w->count++] = entry_of(w, event, at);
    w->next = event->sequence + 1;
    while (w->count - w->first > 1 &&
           (w->bytes.len - w->start > keep_bytes || w->count - w->first > SSE_WINDOW_EVENTS_MAX))
        drop_oldest(w);
    close_up(w);
}

uint32_t sse_window_find(const struct sse_window *w, uint64_t sequence) {
    uint32_t low = w->first, high = w->count;
    if (sequence >= w->next)
        return w->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (w->entries[middle].sequence < sequence)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static size_t end_of(const struct sse_window *w, uint32_t index) {
    return index + 1 < w->count ? w->entries[index + 1].at : w->bytes.len;
}

slice sse_window_run(const struct sse_window *w, uint32_t index, size_t bytes_max,
                     uint32_t *ret_end) {
    size_t from = w->entries[index].at;
    uint32_t end = w->count;
    if (w->bytes.len - from > bytes_max) {
        uint32_t low = index + 1, high = w->count; /* how far at least, at most */
        while (low < high) {
            uint32_t middle = low + (high - low + 1) / 2;
            if (end_of(w, middle - 1) - from <= bytes_max)
                low = middle;
            else
                high = middle - 1;
        }
        end = low;
    }
    *ret_end = end;
    return slice_make(w->bytes.ptr + from, end_of(w, end - 1) - from);
}

slice sse_window_subject(const struct sse_window *w, uint32_t index) {
    const struct sse_entry *entry = &w->entries[index];
    return slice_make(w->bytes.ptr + entry->at + entry->subject_at, entry->subject_len);
}
