/*
 * segment.c - the table of segments and the files open for reading.
 *
 * The table lies on the loop; the writer (segment_write.c) only reads numbers that do not change
 * while a checkpoint is under way. Files open for reading are bounded by SEGMENT_OPEN_MAX: past it
 * the one that has not been used for longest and that no load needs is closed.
 */
#include "log/segment.h"

#include "base/crc32c.h"
#include "base/mem.h"
#include "log/segment_format.h"

#include <errno.h>
#include <stdio.h>

int segments_init(struct segments *s, struct io_host *host, const char *directory) {
    *s = (struct segments){.host = host, .next_number = 1};
    s->directory = mem_copy(directory, strlen(directory));
    return s->directory ? 0 : -ENOMEM;
}

void segments_free(struct segments *s) {
    for (unsigned i = 0; i < s->count; i++) {
        io_file_close(s->items[i]->file);
        mem_free(s->items[i]);
    }
    mem_free(s->items);
    mem_free(s->directory);
    *s = (struct segments){0};
}

void segment_path(const struct segments *s, uint64_t number, char out[LOG_PATH_MAX]) {
    snprintf(out, LOG_PATH_MAX, "%s/%08llu.seg", s->directory, (unsigned long long)number);
}

struct segment *segments_add(struct segments *s, uint64_t number) {
    check(s->count == 0 || s->items[s->count - 1]->number < number);
    if (s->count == SEGMENTS_MAX)
        return NULL;
    if (s->count == s->room) {
        unsigned room = s->room ? s->room * 2 : 16;
        struct segment **items = mem_realloc(s->items, room * sizeof(struct segment *));
        if (!items)
            return NULL;
        s->items = items;
        s->room = room;
    }
    struct segment *segment = mem_zalloc(1, sizeof(*segment));
    if (!segment)
        return NULL;
    segment->number = number;
    segment->size = SEGMENT_HEADER_SIZE;
    s->items[s->count++] = segment;
    return segment;
}

static unsigned segment_index(const struct segments *s, uint64_t number) {
    unsigned low = 0;
    unsigned high = s->count;
    while (low < high) {
        unsigned middle = low + (high - low) / 2;
        if (s->items[middle]->number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct segment *segments_find(const struct segments *s, uint64_t number) {
    unsigned at = segment_index(s, number);
    return at < s->count && s->items[at]->number == number ? s->items[at] : NULL;
}

static void segment_close(struct segments *s, struct segment *segment) {
    if (!segment->file)
        return;
    check(segment->users == 0);
    segment->file = io_file_close(segment->file);
    s->open_count--;
}

void segments_remove(struct segments *s, struct segment *segment) {
    unsigned at = segment_index(s, segment->number);
    check(at < s->count && s->items[at] == segment && segment->blocks == 0);
    segment_close(s, segment);
    s->count--;
    memmove(s->items + at, s->items + at + 1, (s->count - at) * sizeof(struct segment *));
    if (s->shared == segment)
        s->shared = NULL;
    mem_free(segment);
}

static void close_oldest(struct segments *s) {
    struct segment *oldest = NULL;
    for (unsigned i = 0; i < s->count; i++) {
        struct segment *segment = s->items[i];
        if (segment->file && !segment->users && (!oldest || segment->used_at < oldest->used_at))
            oldest = segment;
    }
    if (oldest)
        segment_close(s, oldest);
}

int segment_open(struct segments *s, struct segment *segment, struct io_file **ret_file) {
    segment->used_at = ++s->clock;
    if (segment->file) {
        *ret_file = segment->file;
        return 0;
    }
    if (s->open_count >= SEGMENT_OPEN_MAX)
        close_oldest(s);
    char path[LOG_PATH_MAX];
    segment_path(s, segment->number, path);
    struct io_file *file = NULL;
    int failed = io_file_open(s->host, path, 0, &file);
    if (!failed)
        failed = segment_header_check(file, s->log_id, segment->number);
    if (failed) {
        io_file_close(file);
        return failed;
    }
    segment->file = file;
    s->open_count++;
    *ret_file = file;
    return 0;
}

int segment_read(struct io_file *file, uint64_t offset, uint32_t length, uint32_t crc, char *out) {
    size_t got = 0;
    int failed = io_file_read(file, out, length, offset + BLOCK_HEADER_SIZE, &got);
    if (failed)
        return failed;
    if (got < length) {
        memset(out + got, 0, length - got);
        return -EBADMSG;
    }
    return crc32c_update(0, out, length) == crc ? 0 : -EBADMSG;
}

int segments_place(struct segments *s, struct segment **open, uint32_t stream_id, uint32_t length,
                   uint64_t *ret_offset) {
    struct segment *segment = *open;
    if (segment && (segment->sealed || segment->size >= s->bytes_max)) {
        segment->sealed = true;
        segment = NULL;
    }
    if (!segment) {
        segment = segments_add(s, s->next_number);
        if (!segment)
            return -ENOMEM;
        s->next_number++;
        segment->fresh = true;
        segment->stream_id = stream_id;
        *open = segment;
    } else if (!segment->touched) {
        segment->size = (segment->size + SEGMENT_HEADER_SIZE - 1) & ~(uint64_t)4095;
    }
    segment->touched = true;
    *ret_offset = segment->size;
    segment->size += BLOCK_HEADER_SIZE + (uint64_t)length;
    return 0;
}

bool segment_write_keeps(struct segment_write *write, const char *bytes) {
    if (!write || !bytes || write->bytes != bytes)
        return false;
    write->owned = true;
    return true;
}

void segment_write_forget(struct segment_write *write) {
    write->block = NULL;
}
