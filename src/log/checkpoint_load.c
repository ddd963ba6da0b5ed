/*
 * checkpoint_load.c - DIR/checkpoint back into memory.
 *
 * When `checkpoint` fails its crc, that is said loudly, and `checkpoint.old` is tried: it serves
 * if the journal still holds everything after it (the journal says so when it is opened) and the
 * segments it names are still there. If not, the log does not open: a person decides.
 */
#include "log/checkpoint_file.h"

#include "base/mem.h"

#include <errno.h>
#include <stdio.h>

/* --- the reader ------------------------------------------------------------------------------ */

slice checkpoint_read_bytes(struct checkpoint_reader *r, uint64_t size) {
    if (r->bad || r->rest.len < size) {
        r->bad = true;
        return (slice){0};
    }
    slice bytes = slice_take(r->rest, (size_t)size);
    r->rest = slice_skip(r->rest, (size_t)size);
    return bytes;
}

uint32_t checkpoint_read_u32(struct checkpoint_reader *r) {
    slice bytes = checkpoint_read_bytes(r, 4);
    return r->bad ? 0 : record_get_u32(bytes.ptr);
}

uint64_t checkpoint_read_u64(struct checkpoint_reader *r) {
    slice bytes = checkpoint_read_bytes(r, 8);
    return r->bad ? 0 : record_get_u64(bytes.ptr);
}

struct checkpoint_reader checkpoint_reader_make(slice text,
                                                const struct checkpoint_header *header) {
    return (struct checkpoint_reader){.rest = slice_skip(text, CHECKPOINT_HEADER_SIZE),
                                      .version = header->version};
}

/* In version 1 a segment ended before `until`. */
static size_t segment_size_of(const struct checkpoint_reader *r) {
    return r->version == 1 ? CHECKPOINT_SEGMENT_SIZE - 8u : CHECKPOINT_SEGMENT_SIZE;
}

struct checkpoint_counters checkpoint_read_counters(struct checkpoint_reader *r) {
    struct checkpoint_counters counters = {.next_id = checkpoint_read_u32(r),
                                           .next_segment = checkpoint_read_u64(r)};
    if (r->version > 1)
        counters.erasing = checkpoint_read_u32(r) & CHECKPOINT_ERASING;
    counters.segments = checkpoint_read_u32(r);
    r->bad |= counters.segments > r->rest.len / segment_size_of(r);
    return counters;
}

struct checkpoint_segment checkpoint_read_segment(struct checkpoint_reader *r) {
    const char *at = checkpoint_read_bytes(r, segment_size_of(r)).ptr;
    if (r->bad)
        return (struct checkpoint_segment){0};
    uint32_t flags = record_get_u32(at + 20);
    struct checkpoint_segment segment = {.number = record_get_u64(at),
                                         .size = record_get_u64(at + 8),
                                         .stream_id = record_get_u32(at + 16),
                                         .sealed = flags & CHECKPOINT_SEALED,
                                         .doubtful = flags & CHECKPOINT_DOUBTFUL,
                                         .left = flags & CHECKPOINT_LEFT,
                                         .erase = flags & CHECKPOINT_ERASE,
                                         .until = UINT64_MAX};
    if (r->version > 1)
        segment.until = record_get_u64(at + 24);
    else
        segment.left = true;
    return segment;
}

struct checkpoint_stream checkpoint_read_stream(struct checkpoint_reader *r) {
    struct checkpoint_stream s = {0};
    const char *at = checkpoint_read_bytes(r, CHECKPOINT_STREAM_SIZE).ptr;
    if (r->bad)
        return s;
    s.id = record_get_u32(at);
    s.created_ns = (int64_t)record_get_u64(at + 8);
    s.counts = (struct stream_counts){.messages = record_get_u64(at + 16),
                                      .bytes = record_get_u64(at + 24),
                                      .first = record_get_u64(at + 32),
                                      .last = record_get_u64(at + 40),
                                      .last_time = (int64_t)record_get_u64(at + 48)};
    if (record_get_limits(slice_make(at + 56, RECORD_LIMITS_SIZE), &s.limits))
        r->bad = true;
    s.damaged = record_get_u64(at + 88);
    s.open_segment = record_get_u32(at + 96);
    s.name = checkpoint_read_bytes(r, checkpoint_read_u32(r));
    s.config = checkpoint_read_bytes(r, checkpoint_read_u32(r));
    s.blocks = checkpoint_read_u32(r);
    r->bad |= s.name.len == 0 || s.name.len > STREAM_NAME_MAX || s.counts.first == 0 ||
              s.counts.last + 1 < s.counts.first;
    return s;
}

/* From 0 to last - first, increasing, one for each sequence. */
static bool map_is_good(const struct checkpoint_block *b) {
    size_t count = b->map.len / 4;
    if (b->map.len % 4 || count > BLOCK_RECORDS_MAX || record_get_u32(b->map.ptr) != 0 ||
        record_get_u32(b->map.ptr + 4 * (count - 1)) != b->last - b->first)
        return false;
    for (size_t i = 1; i < count; i++)
        if (record_get_u32(b->map.ptr + 4 * i) <= record_get_u32(b->map.ptr + 4 * (i - 1)))
            return false;
    return true;
}

struct checkpoint_block checkpoint_read_block(struct checkpoint_reader *r) {
    struct checkpoint_block b = {0};
    const char *at = checkpoint_read_bytes(r, CHECKPOINT_BLOCK_SIZE).ptr;
    if (r->bad)
        return b;
    b = (struct checkpoint_block){.first = record_get_u64(at),
                                  .last = record_get_u64(at + 8),
                                  .first_time = (int64_t)record_get_u64(at + 16),
                                  .last_time = (int64_t)record_get_u64(at + 24),
                                  .live = record_get_u32(at + 32),
                                  .live_bytes = record_get_u32(at + 36),
                                  .length = record_get_u32(at + 40),
                                  .crc = record_get_u32(at + 44),
                                  .segment = record_get_u64(at + 48),
                                  .offset = record_get_u64(at + 56),
                                  .count = record_get_u32(at + 64)};
    uint32_t flags = record_get_u32(at + 68);
    b.erase = flags & CHECKPOINT_BLOCK_ERASE;
    if (flags & CHECKPOINT_BLOCK_DEAD)
        b.dead = checkpoint_read_bytes(r, sizeof(((struct block_bits *)0)->words));
    if (flags & CHECKPOINT_BLOCK_MAP)
        b.map = checkpoint_read_bytes(r, checkpoint_read_u32(r));
    r->bad |= b.first == 0 || b.first > b.last ||
              (b.map.len ? !map_is_good(&b) : b.last - b.first >= BLOCK_RECORDS_MAX);
    return b;
}

/* --- filling the log ------------------------------------------------------------------------- */

/* What a checkpoint that did not come to its end has written behind SEGMENT's end is not known: of
   one that is not sealed the worst is believed. */
static void load_leavings(const struct log *log, struct segment *segment,
                          const struct checkpoint_segment *s) {
    segment->left = s->left || !s->sealed;
    segment->until = s->sealed ? s->until : UINT64_MAX;
    segment->erase = s->erase || (!s->sealed && log->erasure.pending);
}

static int load_segments(struct log *log, struct checkpoint_reader *r, uint32_t count) {
    uint64_t last = 0;
    for (uint32_t i = 0; i < count && !r->bad; i++) {
        struct checkpoint_segment s = checkpoint_read_segment(r);
        if (r->bad || s.number <= last || s.number >= log->segments.next_number)
            return -EBADMSG;
        last = s.number;
        struct segment *segment = segments_add(&log->segments, s.number);
        if (!segment)
            return -ENOMEM;
        segment->size = s.size;
        segment->stream_id = s.stream_id;
        segment->sealed = s.sealed;
        segment->doubtful = s.doubtful;
        load_leavings(log, segment, &s);
        if (!s.sealed && !s.stream_id)
            log->segments.shared = segment;
    }
    return r->bad ? -EBADMSG : 0;
}

static int load_bits(struct block *block, const struct checkpoint_block *b) {
    if (b->dead.len) {
        block->dead = mem_zalloc(1, sizeof(*block->dead));
        if (!block->dead)
            return -ENOMEM;
        memcpy(block->dead->words, b->dead.ptr, b->dead.len);
    }
    if (b->map.len) {
        block->map = mem_alloc(sizeof(*block->map) + b->map.len);
        if (!block->map)
            return -ENOMEM;
        block->map->count = (uint32_t)(b->map.len / 4);
        memcpy(block->map->deltas, b->map.ptr, b->map.len);
    }
    return 0;
}

static int load_block(struct log *log, struct log_stream *stream, struct checkpoint_reader *r) {
    struct checkpoint_block b = checkpoint_read_block(r);
    struct segment *segment = r->bad ? NULL : segments_find(&log->segments, b.segment);
    const struct block *tail = stream_tail(stream);
    if (!segment || b.offset + BLOCK_HEADER_SIZE + b.length > segment->size ||
        (tail && b.first <= tail->last) || b.last > stream->staged.last)
        return -EBADMSG;
    struct block *block = block_new(stream, b.first, 0);
    if (!block)
        return -ENOMEM;
    if (load_bits(block, &b)) {
        block_free(block);
        return -ENOMEM;
    }
    block->last = b.last;
    block->first_time = b.first_time;
    block->last_time = b.last_time;
    block->live = b.live;
    block->live_bytes = b.live_bytes;
    block->length = block->saved_length = b.length;
    block->crc = b.crc;
    block->count = b.count;
    block->segment = segment;
    block->offset = b.offset;
    if (b.erase)
        list_push_back(&log->erasure.blocks, &block->erase);
    erase_come(block);
    segment->blocks++;
    segment->live += b.live_bytes;
    stream_block_push(stream, block);
    return 0;
}

static int load_stream(struct log *log, struct checkpoint_reader *r) {
    struct checkpoint_stream s = checkpoint_read_stream(r);
    if (r->bad || map_find(&log->by_name, s.name))
        return -EBADMSG;
    struct log_stream *stream = stream_new(log, s.name, s.config, &s.limits, 0);
    if (!stream)
        return -ENOMEM;
    stream->id = s.id;
    stream->created_ns = s.created_ns;
    stream->staged = s.counts;
    stream->visible = s.counts;
    stream->open = segments_find(&log->segments, s.open_segment);
    int failed = map_add(&log->by_name, log_stream_name(stream), stream);
    if (failed) {
        stream_free(stream);
        return failed;
    }
    stream->listed = true;
    list_push_back(&log->streams, &stream->node);
    failed = map64_add(&log->by_id, stream->id, stream);
    if (failed)
        return failed == -EEXIST ? -EBADMSG : failed;
    log->aged_streams += s.limits.age_max_ns != 0;
    if (s.blocks > r->rest.len / CHECKPOINT_BLOCK_SIZE)
        return -EBADMSG;
    failed = stream_blocks_reserve(stream, s.blocks);
    for (uint32_t i = 0; i < s.blocks && !failed; i++)
        failed = load_block(log, stream, r);
    return failed;
}

static int load_owners(struct log *log, struct checkpoint_reader *r) {
    uint32_t count = checkpoint_read_u32(r);
    for (uint32_t i = 0; i < count && !r->bad; i++) {
        uint32_t id = checkpoint_read_u32(r);
        slice snapshot = checkpoint_read_bytes(r, checkpoint_read_u64(r));
        const struct log_owner *owner = log_owner_find(log, id);
        if (r->bad)
            break;
        if (log->options.read_only)
            continue;
        if (!owner)
            return -ENOTSUP;
        int failed = owner->restore(owner->self, snapshot);
        if (failed)
            return failed;
    }
    return r->bad ? -EBADMSG : 0;
}

static int load_body(struct log *log, slice text) {
    struct checkpoint_header header;
    int failed = checkpoint_header_check(text, &header);
    if (failed)
        return failed;
    memcpy(log->id, header.log_id, LOG_ID_SIZE);
    memcpy(log->segments.log_id, header.log_id, LOG_ID_SIZE);
    log->checkpoint.saved_position = header.position;
    log->durable_position = header.position;
    struct checkpoint_reader r = checkpoint_reader_make(text, &header);
    struct checkpoint_counters counters = checkpoint_read_counters(&r);
    log->next_id = counters.next_id;
    log->segments.next_number = counters.next_segment;
    if (counters.erasing)
        erase_want(log);
    failed = load_segments(log, &r, counters.segments);
    uint32_t streams = failed ? 0 : checkpoint_read_u32(&r);
    for (uint32_t i = 0; i < streams && !failed; i++)
        failed = load_stream(log, &r);
    if (!failed)
        failed = load_owners(log, &r);
    if (!failed && (checkpoint_read_u32(&r) != CHECKPOINT_END || r.bad || r.rest.len))
        failed = -EBADMSG;
    return failed;
}

/* Reads DIR/NAME whole; *RET_TEXT is freed by the caller. */
static int read_checkpoint(struct log *log, const char *name, slice *ret_text) {
    char path[LOG_PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", log->directory, name);
    char *bytes = NULL;
    size_t size = 0;
    int failed = io_file_load(log->host, path, CHECKPOINT_BYTES_MAX, &bytes, &size);
    if (!failed)
        *ret_text = slice_make(bytes, size);
    return failed;
}

static int refuse(struct log *log, int failed, const char *name, struct error *ret_error) {
    error_set(ret_error, failed, "the checkpoint cannot be used: %s",
              failed == -EBADMSG   ? "it is damaged"
              : failed == -ENOTSUP ? "it was written by a newer version"
                                   : error_name(failed));
    error_place(ret_error, "%s/%s", log->directory, name);
    error_hint(ret_error, "`nonet log verify` shows what is left; restore a backup if need be");
    return failed;
}

int checkpoint_load(struct log *log, bool *ret_found, struct error *ret_error) {
    static const char *const names[] = {"checkpoint", "checkpoint.old"};
    const char *worst = NULL;
    for (unsigned i = 0; i < array_count(names); i++) {
        slice text;
        int failed = read_checkpoint(log, names[i], &text);
        if (failed == -ENOENT)
            continue;
        if (failed)
            return refuse(log, failed, names[i], ret_error);
        struct checkpoint_header header;
        failed = checkpoint_header_check(text, &header);
        bool damaged = failed == -EBADMSG;
        if (!damaged)
            failed = load_body(log, text);
        mem_free((void *)(uintptr_t)text.ptr);
        if (!failed) {
            *ret_found = true;
            return 0;
        }
        if (!damaged)
            return refuse(log, failed, names[i], ret_error);
        worst = worst ? worst : names[i];
        logger_write(log->logger, LOG_LEVEL_ERROR, "log", "damaged checkpoint", "file=%s/%s",
                     log->directory, names[i]);
    }
    *ret_found = false;
    return worst ? refuse(log, -EBADMSG, worst, ret_error) : 0;
}
