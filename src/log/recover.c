/*
 * recover.c - see recover.h.
 *
 * Blocks are sorted by their place on disk and read in runs of SEGMENT_RUN_BYTES, so that the disk
 * sees one long sequential read whatever the number of streams. Each block's crc is one pass at
 * many gigabytes per second; the records are then walked in two steps over a few at a time: hash
 * and ask for the slot, then count, so that the misses of a large subject table overlap.
 *
 * A sector that cannot be read costs the messages in it: the rest of its block is read around it
 * and salvaged (block.h).
 */
#include "log/recover.h"

#include "base/crc32c.h"
#include "base/mem.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define PIECE_BYTES 4096u
#define GAP_BYTES (64u << 10) /* a run reads over gaps up to this */
#define AHEAD 16u

struct place {
    struct block *block;
    uint64_t number, offset;
};

struct scan {
    struct log *log;
    struct place *places;
    size_t count;
    char *bytes; /* the run read last */
    size_t room;
    struct error *error;
};

static int by_place(const void *left, const void *right) {
    const struct place *a = left;
    const struct place *b = right;
    if (a->number != b->number)
        return a->number < b->number ? -1 : 1;
    return a->offset < b->offset ? -1 : a->offset > b->offset;
}

static int collect(struct scan *scan) {
    struct list_node *node, *next;
    size_t count = 0;
    list_each(&scan->log->streams, node, next) {
        count += container_of(node, struct log_stream, node)->count;
    }
    scan->places = mem_alloc((count + 1) * sizeof(*scan->places));
    if (!scan->places)
        return -ENOMEM;
    list_each(&scan->log->streams, node, next) {
        struct log_stream *stream = container_of(node, struct log_stream, node);
        for (uint32_t i = 0; i < stream->count; i++) {
            struct block *block = stream_block(stream, i);
            scan->places[scan->count++] =
                (struct place){block, block->segment->number, block->offset};
        }
    }
    qsort(scan->places, scan->count, sizeof(*scan->places), by_place);
    return 0;
}

static uint64_t place_end(const struct place *place) {
    return place->offset + BLOCK_HEADER_SIZE + place->block->saved_length;
}

/* --- reading --------------------------------------------------------------------------------- */

/* Sector by sector; what cannot be read is zeros. */
static void read_pieces(struct io_file *file, char *out, size_t size, uint64_t offset) {
    for (size_t at = 0; at < size;) {
        size_t part = PIECE_BYTES - (size_t)((offset + at) % PIECE_BYTES);
        if (part > size - at)
            part = size - at;
        size_t got = 0;
        if (io_file_read(file, out + at, part, offset + at, &got))
            got = 0;
        memset(out + at + got, 0, part - got);
        at += part;
    }
}

static int read_run(struct scan *scan, struct io_file *file, uint64_t offset, size_t size) {
    if (scan->room < size) {
        char *bytes = mem_realloc(scan->bytes, size);
        if (!bytes)
            return -ENOMEM;
        scan->bytes = bytes;
        scan->room = size;
    }
    size_t got = 0;
    int failed = io_file_read(file, scan->bytes, size, offset, &got);
    if (failed)
        read_pieces(file, scan->bytes, size, offset);
    else
        memset(scan->bytes + got, 0, size - got);
    return 0;
}

/* --- counting -------------------------------------------------------------------------------- */

struct count {
    uint32_t live, live_bytes;
};

static bool counts(const struct block *block, uint64_t sequence) {
    return sequence >= block->stream->staged.first && !block_dead(block, sequence);
}

static int count_records(struct block *block, const char *bytes, uint32_t length,
                         struct count *ret_count) {
    struct subjects *subjects = &block->stream->subjects;
    for (uint32_t at = 0; at < length;) {
        uint64_t hashes[AHEAD];
        const char *records[AHEAD];
        unsigned held = 0;
        for (; at < length && held < AHEAD; at += record_at_length(bytes + at)) {
            if (!counts(block, record_at_sequence(bytes + at)))
                continue;
            records[held] = bytes + at;
            hashes[held] = subjects_hash(subjects, record_at_subject(bytes + at));
            subjects_prefetch(subjects, hashes[held++]);
        }
        for (unsigned i = 0; i < held; i++) {
            slice subject = record_at_subject(records[i]);
            uint32_t size = record_at_length(records[i]);
            if (subjects_reserve(subjects, 1, subject.len))
                return -ENOMEM;
            subjects_add(subjects, subject, hashes[i], record_at_sequence(records[i]), size);
            ret_count->live++;
            ret_count->live_bytes += size;
        }
    }
    return 0;
}

static int damaged(struct scan *scan, struct block *block, const char *what) {
    char path[LOG_PATH_MAX];
    segment_path(&scan->log->segments, block->segment->number, path);
    error_set(scan->error, -EBADMSG, "%s in stream %.*s, messages %" PRIu64 " to %" PRIu64, what,
              slice_fmt(log_stream_name(block->stream)), block->first, block->last);
    error_place(scan->error, "%s:%" PRIu64, path, block->offset);
    return -EBADMSG;
}

static void check_header(struct scan *scan, struct block *block, const char *bytes) {
    struct block_header header;
    if (block_header_decode(bytes, &header) == 0 && header.stream_id == block->stream->id &&
        header.first == block->first && header.last == block->last &&
        header.offset == block->offset && header.length == block->saved_length)
        return;
    char path[LOG_PATH_MAX];
    segment_path(&scan->log->segments, block->segment->number, path);
    logger_write(scan->log->logger, LOG_LEVEL_ERROR, "log",
                 "damaged block header; its messages are judged by themselves",
                 "file=%s offset=%" PRIu64 " stream=%.*s sequence=%" PRIu64, path, block->offset,
                 slice_fmt(log_stream_name(block->stream)), block->first);
}

/* Messages that were deleted while their block could not be read were still weighed. */
static void settle(struct block *block, uint32_t live_bytes) {
    uint32_t over = block->live_bytes - live_bytes;
    block->live_bytes -= over;
    block->stream->staged.bytes -= over;
    block->stream->visible.bytes -= over;
    block->segment->live -= over < block->segment->live ? over : block->segment->live;
}

static int scan_block(struct scan *scan, struct block *block, const char *bytes) {
    check_header(scan, block, bytes);
    bytes += BLOCK_HEADER_SIZE;
    struct count count = {0, 0};
    uint32_t length = block->saved_length;
    if (crc32c_update(0, bytes, length) == block->crc) {
        int failed = count_records(block, bytes, length, &count);
        if (failed)
            return failed;
        if (count.live != block->live || count.live_bytes > block->live_bytes)
            return damaged(scan, block, "the checkpoint and the block disagree");
        settle(block, count.live_bytes);
        return 0;
    }
    uint32_t capacity = 0;
    char *copy = block_buffer(length, &capacity);
    if (!copy)
        return -ENOMEM;
    memcpy(copy, bytes, length);
    int failed = cache_fill(&scan->log->cache, block, copy, capacity, -EBADMSG);
    if (failed)
        return failed;
    failed = count_records(block, block->bytes, block->length, &count);
    cache_drop(&scan->log->cache, block);
    return failed;
}

static int open_segment(struct scan *scan, struct segment *segment, struct io_file **ret_file) {
    int failed = segment_open(&scan->log->segments, segment, ret_file);
    if (!failed || failed == -ENOMEM)
        return failed;
    char path[LOG_PATH_MAX];
    segment_path(&scan->log->segments, segment->number, path);
    error_set(scan->error, failed, "%s",
              failed == -EBADMSG   ? "the segment's header is damaged"
              : failed == -ENOENT  ? "the segment is missing"
              : failed == -ENOTSUP ? "the segment was written by a newer version"
                                   : error_name(failed));
    error_place(scan->error, "%s", path);
    return failed == -ENOENT ? -EBADMSG : failed;
}

/* Reads the run that starts at place *AT and moves *AT behind it. */
static int scan_run(struct scan *scan, size_t *at) {
    const struct place *first = &scan->places[*at];
    size_t end = *at + 1;
    while (end < scan->count && scan->places[end].number == first->number &&
           place_end(&scan->places[end]) - first->offset <= SEGMENT_RUN_BYTES &&
           scan->places[end].offset - place_end(&scan->places[end - 1]) <= GAP_BYTES)
        end++;
    struct io_file *file = NULL;
    int failed = open_segment(scan, first->block->segment, &file);
    if (!failed)
        failed = read_run(scan, file, first->offset,
                          (size_t)(place_end(&scan->places[end - 1]) - first->offset));
    for (; *at < end && !failed; ++*at) {
        const struct place *place = &scan->places[*at];
        failed = scan_block(scan, place->block, scan->bytes + (place->offset - first->offset));
    }
    return failed;
}

/* --- left-overs ------------------------------------------------------------------------------ */

static int remove_unnamed(void *owner, const char *name) {
    struct log *log = owner;
    unsigned long long number = 0;
    int used = 0;
    if (sscanf(name, "%llu.seg%n", &number, &used) != 1 || name[used] != '\0' || used < 12)
        return 0;
    if (segments_find(&log->segments, number))
        return 0;
    char path[LOG_PATH_MAX];
    segment_path(&log->segments, number, path);
    (void)!io_unlink(log->host, path);
    return 0;
}

int recover_segments(struct log *log, struct error *ret_error) {
    struct scan scan = {.log = log, .error = ret_error};
    int failed = log->options.read_only
                     ? 0
                     : io_dir_list(log->host, log->segments.directory, remove_unnamed, log);
    if (!failed)
        failed = collect(&scan);
    for (size_t at = 0; at < scan.count && !failed;)
        failed = scan_run(&scan, &at);
    mem_free(scan.places);
    mem_free(scan.bytes);
    if (failed && ret_error && !ret_error->code) {
        error_set(ret_error, failed, "the segments cannot be read: %s", error_name(failed));
        error_place(ret_error, "%s", log->segments.directory);
    }
    return failed;
}

/* --- the journal's batches ------------------------------------------------------------------- */

static int replay_stream_change(struct log *log, const struct record *record, slice raw) {
    struct log_batch *batch = &log->batch;
    struct log_stream *stream = map64_find(&log->by_id, record->id);
    if (!stream)
        return -EBADMSG;
    switch (record->kind) {
    case RECORD_MESSAGE:
        if (record->sequence != batch_plan(batch, stream)->sequence)
            return -EBADMSG;
        return batch_stage_message(batch, stream, record, raw);
    case RECORD_DELETE:
    case RECORD_ERASE:
        return batch_stage_delete(batch, stream, record->sequence, record->kind);
    case RECORD_TRIM:
        return batch_stage_trim(batch, stream, record->sequence);
    default:
        return batch_stage_remove(batch, stream);
    }
}

static int replay_put(struct log *log, const struct record *record) {
    struct log_limits limits;
    if (record_get_limits(record->headers, &limits) || !record->subject.len ||
        record->subject.len > STREAM_NAME_MAX)
        return -EBADMSG;
    const struct log_stream *known = map_find(&log->by_name, record->subject);
    if (known ? known->id != record->id : record->id < log->next_id)
        return -EBADMSG;
    struct log_stream *stream = NULL;
    return batch_stage_put(&log->batch, record, &limits, false, &stream);
}

static int replay_delta(struct log *log, const struct record *record) {
    const struct log_owner *owner = log_owner_find(log, record->id);
    if (log->options.read_only)
        return 0;
    return owner ? owner->replay(owner->self, record->payload, record->position) : -ENOTSUP;
}

static int replay_record(struct log *log, const struct record *record, slice raw) {
    if (record->kind == RECORD_DELTA)
        return replay_delta(log, record);
    if (record->kind == RECORD_PUT_STREAM)
        return replay_put(log, record);
    if (record->kind == RECORD_ERASE && !record->id) {
        erase_want(log);
        return 0;
    }
    return replay_stream_change(log, record, raw);
}

int recover_replay(void *self, uint64_t position, slice changes, uint32_t count,
                   struct error *ret_error) {
    struct log *log = self;
    struct log_batch *batch = &log->batch;
    batch->active = true;
    batch->replaying = true;
    batch->position = position;
    log->durable_position = position;
    int failed = 0;
    for (uint32_t i = 0; i < count && !failed; i++) {
        struct record record;
        failed = record_decode(changes, false, &record);
        if (failed)
            break;
        size_t size = record_size(&record);
        failed = replay_record(log, &record, slice_take(changes, size));
        changes = slice_skip(changes, size);
    }
    if (failed)
        batch_forget(batch);
    else
        batch_apply(batch);
    batch->replaying = false;
    visible_settle(log);
    cache_trim(&log->cache);
    grave_free(&log->grave); /* there is no reader yet */
    if (failed == -EBADMSG)
        error_set(ret_error, failed,
                  "batch %" PRIu64 " does not continue what the checkpoint holds", position);
    if (failed == -ENOTSUP)
        error_set(ret_error, failed, "batch %" PRIu64 " holds a change of an unknown kind or owner",
                  position);
    return failed;
}
