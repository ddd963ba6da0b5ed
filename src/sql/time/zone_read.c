/*
 * zone_read.c - TZif files (RFC 8536).
 *
 *      TZif header | block with 32 bit times | TZif header | block with 64 bit times | \n TZ \n
 *      version 1 ends here ---^                                            footer ---^
 *
 * A block: times, their kinds (1 byte each), kinds (offset 4, daylight 1, abbreviation's index 1),
 * abbreviations, leap seconds, two rows of flags. All numbers have their big end first. Only the
 * last block is read; leap seconds and flags are passed over (PostgreSQL's clock has none).
 */
#include "sql/time/zone_history.h"

#include "base/mem.h"
#include "sql/time/calendar.h"

#include <errno.h>

#define HEADER_BYTES 44u
#define OFFSET_SECONDS_MAX (48 * 3600)

struct header {
    uint8_t version;
    uint32_t isutcnt, isstdcnt, leapcnt, timecnt, typecnt, charcnt;
};

static uint32_t read_u32(const char *at) {
    const uint8_t *b = (const uint8_t *)at;
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static int64_t read_time(const char *at, size_t width) {
    if (width == 4)
        return (int32_t)read_u32(at);
    return (int64_t)((uint64_t)read_u32(at) << 32 | read_u32(at + 4));
}

static bool read_header(slice bytes, struct header *ret) {
    if (bytes.len < HEADER_BYTES || memcmp(bytes.ptr, "TZif", 4) != 0)
        return false;
    const char *at = bytes.ptr + 20;
    *ret = (struct header){(uint8_t)bytes.ptr[4], read_u32(at),      read_u32(at + 4),
                           read_u32(at + 8),      read_u32(at + 12), read_u32(at + 16),
                           read_u32(at + 20)};
    return ret->isutcnt <= 256 && ret->isstdcnt <= 256 && ret->leapcnt <= 1024 &&
           ret->timecnt <= SQL_ZONE_BYTES_MAX && ret->typecnt >= 1 && ret->typecnt <= 256 &&
           ret->charcnt >= 1 && ret->charcnt <= 1024;
}

static size_t block_bytes(const struct header *h, size_t width) {
    return h->timecnt * (width + 1) + h->typecnt * (size_t)6 + h->charcnt +
           h->leapcnt * (width + 4) + h->isstdcnt + h->isutcnt;
}

void sql_zone_history_free(struct sql_zone_history *history) {
    if (!history)
        return;
    mem_free(history->at);
    mem_free(history->kind);
    mem_free(history->kinds);
    mem_free(history);
}

static struct sql_zone_history *history_make(const struct header *h) {
    struct sql_zone_history *made = mem_zalloc(1, sizeof *made);
    if (!made)
        return NULL;
    made->count = h->timecnt;
    made->kind_count = h->typecnt;
    made->at = mem_zalloc(h->timecnt, sizeof *made->at);
    made->kind = mem_zalloc(h->timecnt, 1);
    made->kinds = mem_zalloc(h->typecnt, sizeof *made->kinds);
    if (made->at && made->kind && made->kinds)
        return made;
    sql_zone_history_free(made);
    return NULL;
}

static bool fill_kinds(slice kinds, slice texts, struct sql_zone_history *history) {
    for (unsigned i = 0; i < history->kind_count; i++) {
        const char *at = kinds.ptr + (size_t)6 * i;
        int32_t offset = (int32_t)read_u32(at);
        slice text = slice_skip(texts, (uint8_t)at[5]);
        ptrdiff_t end = slice_find(text, '\0');
        struct sql_zone_kind *kind = &history->kinds[i];
        if (end < 0 || offset <= -OFFSET_SECONDS_MAX || offset >= OFFSET_SECONDS_MAX)
            return false;
        text = slice_take(text, (size_t)end);
        if (slice_to_string(text, kind->abbreviation, sizeof kind->abbreviation) != 0)
            return false;
        kind->offset = offset;
        kind->daylight = at[4] != 0;
    }
    return true;
}

static bool fill_history(slice block, const struct header *h, size_t width,
                         struct sql_zone_history *history) {
    const char *kinds_at = block.ptr + h->timecnt * width;
    for (unsigned i = 0; i < h->timecnt; i++) {
        int64_t time = read_time(block.ptr + i * width, width);
        if (time < INT64_MIN / 4 || time > INT64_MAX / 4)
            return false;
        history->at[i] = time + SQL_UNIX_EPOCH_DAY * INT64_C(86400);
        history->kind[i] = (uint8_t)kinds_at[i];
        if (history->kind[i] >= h->typecnt || (i > 0 && history->at[i] <= history->at[i - 1]))
            return false;
    }
    slice kinds = slice_make(kinds_at + h->timecnt, h->typecnt * (size_t)6);
    return fill_kinds(kinds, slice_make(kinds.ptr + kinds.len, h->charcnt), history);
}

/* The footer's text into the rule; the empty one says nothing. */
static bool read_footer(slice footer, struct sql_zone *ret) {
    if (footer.len < 2 || footer.ptr[0] != '\n')
        return false;
    slice text = slice_skip(footer, 1);
    ptrdiff_t end = slice_find(text, '\n');
    if (end < 0)
        return false;
    struct sql_zone rule;
    if (end == 0)
        return true;
    if (sql_zone_posix(slice_take(text, (size_t)end), &rule) != 0)
        return false;
    memcpy(rule.name, ret->name, sizeof rule.name);
    rule.history = ret->history;
    *ret = rule;
    return true;
}

int sql_zone_read(slice bytes, struct sql_zone *ret) {
    struct header header;
    size_t width = 4;
    if (bytes.len > SQL_ZONE_BYTES_MAX || !read_header(bytes, &header))
        return -EBADMSG;
    bytes = slice_skip(bytes, HEADER_BYTES);
    if (header.version >= '2') {
        bytes = slice_skip(bytes, block_bytes(&header, 4));
        if (!read_header(bytes, &header))
            return -EBADMSG;
        bytes = slice_skip(bytes, HEADER_BYTES);
        width = 8;
    }
    if (bytes.len < block_bytes(&header, width))
        return -EBADMSG;
    struct sql_zone zone = *ret;
    struct sql_zone_history *history = history_make(&header);
    if (!history)
        return -ENOMEM;
    zone.history = history;
    slice footer = slice_skip(bytes, block_bytes(&header, width));
    if (!fill_history(bytes, &header, width, history) ||
        (width == 8 && !read_footer(footer, &zone))) {
        sql_zone_history_free(history);
        return -EBADMSG;
    }
    *ret = zone;
    return 0;
}
