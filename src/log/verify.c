/*
 * verify.c - reads all of a closed log and judges every byte that can be judged.
 *
 * The checkpoint says where blocks lie; between them lie dead copies, whose headers say how long
 * they are, and zeros to the next sector. So each segment is walked from its first block to its
 * end and every bit of it belongs to something with a crc or is known to be zero; only in a
 * segment to which a write has failed (doubtful) what no block refers to is passed over. The
 * journal walks itself (journal_verify). Nothing is changed.
 */
#include "log/checkpoint_file.h"
#include "log/segment_format.h"

#include "base/crc32c.h"
#include "base/mem.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* A block as the checkpoint names it. */
struct reference {
    struct checkpoint_block block;
    uint32_t stream_id;
    slice name;
    uint64_t first; /* of the stream: what lies below is dead */
};

struct verify {
    struct io_host *host;
    const char *directory;
    void (*damage)(void *self, const struct error *error);
    void *self;
    struct log_verify_report report;
    struct error *error;
    struct segments segments; /* for paths and the log's id */
    uint64_t position;        /* of the checkpoint: what the journal holds up to it is saved */
    uint32_t next_stream_id;  /* of the checkpoint; 0: there is none that can be read */
    struct reference *references;
    size_t count, room;
    char *bytes;
    size_t bytes_room;
};

static void found(struct verify *v, const char *path, uint64_t offset, const char *what,
                  const struct reference *in, uint64_t sequence) {
    struct error error;
    error_set(&error, -EBADMSG, "%s", what);
    if (in)
        error_set(&error, -EBADMSG, "%s: stream %.*s, sequence %" PRIu64, what, slice_fmt(in->name),
                  sequence);
    error_place(&error, "%s:%" PRIu64, path, offset);
    v->report.damaged++;
    if (v->damage)
        v->damage(v->self, &error);
}

static int read_all(struct verify *v, struct io_file *file, uint64_t offset, size_t size,
                    char **ret_bytes) {
    if (v->bytes_room < size) {
        char *bytes = mem_realloc(v->bytes, size);
        if (!bytes)
            return -ENOMEM;
        v->bytes = bytes;
        v->bytes_room = size;
    }
    size_t got = 0;
    int failed = io_file_read(file, v->bytes, size, offset, &got);
    if (failed == -ENOMEM)
        return failed;
    if (failed)
        got = 0; /* judged as damage */
    memset(v->bytes + got, 0, size - got);
    *ret_bytes = v->bytes;
    return 0;
}

/* --- blocks ---------------------------------------------------------------------------------- */

/* Which bit is the sequence's, or that of the next one that the block has: see block.h. */
static uint64_t reference_at(const struct reference *r, uint64_t sequence) {
    uint64_t delta = sequence - r->block.first, at = 0;
    if (!r->block.map.len)
        return delta;
    while (at < r->block.map.len / 4 && record_get_u32(r->block.map.ptr + 4 * at) < delta)
        at++;
    return at;
}

static uint64_t reference_next(const struct reference *r, uint64_t sequence) {
    uint64_t at = reference_at(r, sequence);
    if (!r->block.map.len)
        return sequence;
    return at == r->block.map.len / 4 ? r->block.last + 1
                                      : r->block.first + record_get_u32(r->block.map.ptr + 4 * at);
}

static bool reference_dead(const struct reference *r, uint64_t sequence) {
    uint64_t at = reference_at(r, sequence);
    if (sequence < r->first)
        return true;
    return r->block.dead.len && (r->block.dead.ptr[at / 8] >> (at % 8) & 1);
}

/* The records of a live block, one by one; looks for the next whole one behind a damaged one. */
static void judge_records(struct verify *v, const char *path, const struct reference *r,
                          const char *bytes) {
    uint64_t offset = r->block.offset + BLOCK_HEADER_SIZE;
    uint64_t next = r->block.first;
    for (uint32_t at = 0; at < r->block.length;) {
        struct record record;
        if (record_decode(slice_make(bytes + at, r->block.length - at), true, &record) ||
            record.kind != RECORD_MESSAGE || record.id != r->stream_id || record.sequence < next ||
            record.sequence > r->block.last) {
            at += 8;
            continue;
        }
        for (; next < record.sequence; next = reference_next(r, next + 1))
            if (!reference_dead(r, next))
                found(v, path, offset + at, "damaged message before here", r, next);
        if (!reference_dead(r, record.sequence)) {
            v->report.messages++;
            v->report.bytes += record_size(&record);
        }
        next = reference_next(r, record.sequence + 1);
        at += (uint32_t)record_size(&record);
    }
    for (; next <= r->block.last; next = reference_next(r, next + 1))
        if (!reference_dead(r, next))
            found(v, path, offset + r->block.length, "damaged message before here", r, next);
}

static int judge_block(struct verify *v, const char *path, struct io_file *file,
                       const struct reference *r) {
    char *bytes = NULL;
    uint64_t offset = r->block.offset;
    int failed = read_all(v, file, offset, BLOCK_HEADER_SIZE + (size_t)r->block.length, &bytes);
    if (failed)
        return failed;
    struct block_header header;
    if (block_header_decode(bytes, &header) || header.stream_id != r->stream_id ||
        header.offset != offset || header.first != r->block.first || header.last != r->block.last ||
        header.length != r->block.length || header.data_crc != r->block.crc)
        found(v, path, offset, "damaged block header", r, r->block.first);
    if (crc32c_update(0, bytes + BLOCK_HEADER_SIZE, r->block.length) != r->block.crc)
        found(v, path, offset, "damaged block", r, r->block.first);
    judge_records(v, path, r, bytes + BLOCK_HEADER_SIZE);
    return 0;
}

/* --- what lies between them ------------------------------------------------------------------ */

/* A dead copy at *AT is judged and passed. *RET_PASSED false: there is none. */
static int judge_dead(struct verify *v, const char *path, struct io_file *file, uint64_t end,
                      uint64_t *at, bool *ret_passed) {
    char *bytes = NULL;
    int failed = read_all(v, file, *at, BLOCK_HEADER_SIZE, &bytes);
    if (failed)
        return failed;
    struct block_header header;
    *ret_passed = false;
    if (block_header_decode(bytes, &header) || header.offset != *at ||
        *at + BLOCK_HEADER_SIZE + header.length > end)
        return 0;
    failed = read_all(v, file, *at + BLOCK_HEADER_SIZE, header.length, &bytes);
    if (failed)
        return failed;
    if (crc32c_update(0, bytes, header.length) != header.data_crc)
        found(v, path, *at, "damaged block in dead space", NULL, 0);
    *at += BLOCK_HEADER_SIZE + (uint64_t)header.length;
    *ret_passed = true;
    return 0;
}

static int judge_padding(struct verify *v, const char *path, struct io_file *file, uint64_t from,
                         uint64_t to) {
    char *bytes = NULL;
    int failed = read_all(v, file, from, (size_t)(to - from), &bytes);
    if (failed)
        return failed;
    for (uint64_t i = 0; i < to - from; i++) {
        if (!bytes[i])
            continue;
        found(v, path, from + i, "damaged padding", NULL, 0);
        break;
    }
    return 0;
}

/* From *AT to END, where the next live block or the segment's end is. */
static int judge_gap(struct verify *v, const char *path, struct io_file *file, uint64_t at,
                     uint64_t end) {
    while (at < end) {
        uint64_t sector_end = (at + SEGMENT_HEADER_SIZE) & ~(uint64_t)(SEGMENT_HEADER_SIZE - 1);
        bool passed = false;
        int failed =
            end - at >= BLOCK_HEADER_SIZE ? judge_dead(v, path, file, end, &at, &passed) : 0;
        if (failed)
            return failed;
        if (passed)
            continue;
        if (at % SEGMENT_HEADER_SIZE == 0) {
            found(v, path, at, "damaged block header in dead space", NULL, 0);
            return 0; /* how long it was cannot be known */
        }
        uint64_t to = sector_end < end ? sector_end : end;
        failed = judge_padding(v, path, file, at, to);
        if (failed)
            return failed;
        at = to;
    }
    return 0;
}

static int judge_segment(struct verify *v, const struct checkpoint_segment *segment, size_t *next) {
    char path[LOG_PATH_MAX];
    segment_path(&v->segments, segment->number, path);
    struct io_file *file = NULL;
    int failed = io_file_open(v->host, path, 0, &file);
    size_t end = *next;
    while (end < v->count && v->references[end].block.segment == segment->number)
        end++;
    if (failed == -ENOENT) {
        if (end > *next)
            found(v, path, 0, "the segment is missing", &v->references[*next],
                  v->references[*next].block.first);
        *next = end;
        return 0;
    }
    if (failed)
        return failed;
    v->report.segments++;
    if (segment->doubtful && end == *next) { /* its first write has failed: it holds nothing */
        io_file_close(file);
        return 0;
    }
    failed = segment_header_check(file, v->segments.log_id, segment->number);
    if (failed == -EBADMSG || failed == -EIO) {
        found(v, path, 0, "damaged segment header", NULL, 0);
        failed = 0;
    }
    uint64_t at = SEGMENT_HEADER_SIZE;
    for (; *next < end && !failed; ++*next) {
        const struct reference *r = &v->references[*next];
        if (!segment->doubtful)
            failed = judge_gap(v, path, file, at, r->block.offset);
        if (!failed)
            failed = judge_block(v, path, file, r);
        at = r->block.offset + BLOCK_HEADER_SIZE + r->block.length;
    }
    uint64_t size = (segment->size + SEGMENT_HEADER_SIZE - 1) & ~(uint64_t)4095;
    if (!failed && !segment->doubtful)
        failed = judge_gap(v, path, file, at, size);
    io_file_close(file);
    return failed;
}

/* --- the checkpoint -------------------------------------------------------------------------- */

static int add_reference(struct verify *v, const struct reference *reference) {
    if (v->count == v->room) {
        size_t room = v->room ? v->room * 2 : 256;
        struct reference *references = mem_realloc(v->references, room * sizeof(*references));
        if (!references)
            return -ENOMEM;
        v->references = references;
        v->room = room;
    }
    v->references[v->count++] = *reference;
    return 0;
}

static int by_place(const void *left, const void *right) {
    const struct checkpoint_block *a = &((const struct reference *)left)->block;
    const struct checkpoint_block *b = &((const struct reference *)right)->block;
    if (a->segment != b->segment)
        return a->segment < b->segment ? -1 : 1;
    return a->offset < b->offset ? -1 : a->offset > b->offset;
}

static int read_streams(struct verify *v, struct checkpoint_reader *reader) {
    uint32_t streams = checkpoint_read_u32(reader);
    for (uint32_t i = 0; i < streams && !reader->bad; i++) {
        struct checkpoint_stream stream = checkpoint_read_stream(reader);
        for (uint32_t b = 0; b < stream.blocks && !reader->bad; b++) {
            struct reference reference = {.block = checkpoint_read_block(reader),
                                          .stream_id = stream.id,
                                          .name = stream.name,
                                          .first = stream.counts.first};
            int failed = reader->bad ? 0 : add_reference(v, &reference);
            if (failed)
                return failed;
        }
        v->report.streams++;
    }
    if (v->count)
        qsort(v->references, v->count, sizeof(*v->references), by_place);
    return 0;
}

static int judge_state(struct verify *v, slice text, const struct checkpoint_header *header,
                       const char *path) {
    struct checkpoint_reader reader = checkpoint_reader_make(text, header);
    struct checkpoint_counters counters = checkpoint_read_counters(&reader);
    v->next_stream_id = counters.next_id;
    struct checkpoint_reader list = reader;
    for (uint32_t i = 0; i < counters.segments && !reader.bad; i++)
        (void)checkpoint_read_segment(&reader);
    int failed = read_streams(v, &reader);
    if (!failed && reader.bad)
        found(v, path, 0, "the checkpoint makes no sense", NULL, 0);
    size_t next = 0;
    for (uint32_t i = 0; i < counters.segments && !failed && !reader.bad; i++) {
        struct checkpoint_segment segment = checkpoint_read_segment(&list);
        failed = judge_segment(v, &segment, &next);
    }
    if (!failed && next < v->count)
        found(v, path, 0, "a block lies in a segment that is not listed", &v->references[next],
              v->references[next].block.first);
    return failed;
}

/* NAME is read and judged; *RET_TEXT is empty where it is missing or damaged. */
static int judge_checkpoint(struct verify *v, const char *name, char **ret_text, size_t *ret_size,
                            struct checkpoint_header *ret_header) {
    char path[LOG_PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", v->directory, name);
    int failed = io_file_load(v->host, path, CHECKPOINT_BYTES_MAX, ret_text, ret_size);
    if (failed)
        return failed;
    failed = checkpoint_header_check(slice_make(*ret_text, *ret_size), ret_header);
    if (failed == -EBADMSG) {
        found(v, path, 0, "damaged checkpoint", NULL, 0);
        *ret_text = mem_free(*ret_text);
        *ret_size = 0;
        return 0;
    }
    memcpy(v->segments.log_id, ret_header->log_id, LOG_ID_SIZE);
    return failed;
}

static int judge_checkpoints(struct verify *v) {
    _cleanup_mem_ char *old = NULL;
    _cleanup_mem_ char *text = NULL;
    size_t old_size = 0, size = 0;
    struct checkpoint_header old_header = {0}, header = {0};
    int failed = judge_checkpoint(v, "checkpoint.old", &old, &old_size, &old_header);
    if (failed && failed != -ENOENT)
        return failed;
    failed = judge_checkpoint(v, "checkpoint", &text, &size, &header);
    v->position = header.position;
    if (failed == -ENOENT && old) { /* a power cut between two renames */
        v->position = old_header.position;
        return judge_state(v, slice_make(old, old_size), &old_header, "checkpoint.old");
    }
    if (failed == -ENOENT) {
        found(v, v->directory, 0, "the checkpoint is missing", NULL, 0);
        return 0;
    }
    if (failed || !text)
        return failed;
    return judge_state(v, slice_make(text, size), &header, "checkpoint");
}

/* --- the rest -------------------------------------------------------------------------------- */

static int judge_format(struct verify *v) {
    char path[LOG_PATH_MAX];
    snprintf(path, sizeof path, "%s/format", v->directory);
    _cleanup_mem_ char *text = NULL;
    size_t size = 0;
    int failed = io_file_load(v->host, path, FORMAT_TEXT_MAX, &text, &size);
    if (failed == -ENOENT || failed == -EFBIG) {
        found(v, path, 0, failed == -ENOENT ? "the format file is missing" : "damaged format file",
              NULL, 0);
        return 0;
    }
    if (!failed)
        failed = log_format_check(slice_make(text, size));
    if (failed != -EBADMSG)
        return failed;
    found(v, path, 0, "damaged format file", NULL, 0);
    return 0;
}

static int judge_journal(struct verify *v) {
    struct journal_report journal = {0};
    int failed =
        journal_verify(v->host, v->directory, v->position, v->damage, v->self, &journal, v->error);
    v->report.journal_groups = journal.groups;
    v->report.damaged += journal.damaged;
    v->report.messages += journal.messages;
    v->report.bytes += journal.message_bytes;
    /* Ids are given in order and without gaps. */
    if (v->next_stream_id && journal.last_stream_id >= v->next_stream_id)
        v->report.streams += journal.last_stream_id - v->next_stream_id + 1;
    if (failed && failed != -EBADMSG)
        return failed;
    return 0;
}

static int take_lock(struct verify *v, struct io_file **ret_lock) {
    char path[LOG_PATH_MAX];
    snprintf(path, sizeof path, "%s/lock", v->directory);
    int failed = io_file_open(v->host, path, IO_FILE_WRITE, ret_lock);
    if (failed == -ENOENT)
        return 0;
    return failed ? failed : io_file_lock(*ret_lock);
}

static int verify_all(struct verify *v) {
    char path[LOG_PATH_MAX];
    snprintf(path, sizeof path, "%s/segments", v->directory);
    int failed = segments_init(&v->segments, v->host, path);
    if (!failed)
        failed = judge_format(v);
    if (!failed)
        failed = judge_checkpoints(v);
    return failed ? failed : judge_journal(v);
}

int log_verify(struct io_host *host, const char *directory,
               void (*damage)(void *self, const struct error *error), void *self,
               struct log_verify_report *ret_report, struct error *ret_error) {
    struct verify v = {
        .host = host, .directory = directory, .damage = damage, .self = self, .error = ret_error};
    struct io_file *lock = NULL;
    int failed = take_lock(&v, &lock);
    if (failed == -EWOULDBLOCK) {
        error_set(ret_error, failed, "the data folder is in use; stop the node first");
        error_place(ret_error, "%s/lock", directory);
    }
    if (!failed)
        failed = verify_all(&v);
    io_file_close(lock);
    segments_free(&v.segments);
    mem_free(v.references);
    mem_free(v.bytes);
    if (!failed)
        *ret_report = v.report;
    if (failed && ret_error && !ret_error->code) {
        error_set(ret_error, failed, "the log cannot be read: %s", error_name(failed));
        error_place(ret_error, "%s", directory);
    }
    return failed ? failed : v.report.damaged ? -EBADMSG : 0;
}
