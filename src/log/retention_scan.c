/*
 * retention_scan.c - what retention must look for in the messages themselves.
 *
 * Streams that keep more messages a subject than fit into a subject's entry, and streams without
 * such a limit, know only bounds of a subject's first and last after a removal. The true one is
 * found by walking the blocks from the bound on, reading those that are on disk. It is looked for
 * only when somebody asks for it.
 */
#include "base/mem.h"
#include "log/log_data.h"

#include <errno.h>

static bool alive(const struct log_stream *stream, const struct block *block, uint64_t sequence) {
    return sequence >= stream->staged.first && !block_dead(block, sequence);
}

/* The first living message of TEXT in BLOCK at or after FROM, or 0. */
static uint64_t first_in_block(const struct log_stream *stream, const struct block *block,
                               slice text, uint64_t from) {
    for (uint32_t at = block_find_from(block, from); at < block->length;
         at += record_at_length(block->bytes + at)) {
        uint64_t sequence = record_at_sequence(block->bytes + at);
        if (slice_equal(record_at_subject(block->bytes + at), text) &&
            alive(stream, block, sequence))
            return sequence;
    }
    return 0;
}

/* The last living message of TEXT in BLOCK at or before TO, or 0; and its size. */
static uint64_t last_in_block(const struct log_stream *stream, const struct block *block,
                              slice text, uint64_t to, uint32_t *ret_size) {
    uint64_t found = 0;
    for (uint32_t at = 0; at < block->length; at += record_at_length(block->bytes + at)) {
        uint64_t sequence = record_at_sequence(block->bytes + at);
        if (sequence > to)
            break;
        if (!slice_equal(record_at_subject(block->bytes + at), text) ||
            !alive(stream, block, sequence))
            continue;
        found = sequence;
        *ret_size = record_at_length(block->bytes + at);
    }
    return found;
}

static int resolve_first(struct log_stream *stream, struct subject *e) {
    uint64_t from = e->first > stream->staged.first ? e->first : stream->staged.first;
    for (uint32_t at = stream_block_index(stream, from); at < stream->count; at++) {
        struct block *block = stream_block(stream, at);
        if (!block->live)
            continue;
        int failed = cache_need(&stream->log->cache, block);
        if (failed)
            return failed;
        uint64_t sequence = first_in_block(stream, block, subject_text(e), from);
        if (!sequence)
            continue;
        subject_set_first(e, sequence);
        return 0;
    }
    return -EBADMSG; /* counted, but lost to damage */
}

static int resolve_last(struct log_stream *stream, struct subject *e) {
    uint32_t at = stream_block_index(stream, e->last);
    if (at == stream->count)
        at--;
    for (uint32_t left = at + 1; left-- > 0;) {
        struct block *block = stream_block(stream, left);
        if (!block->live)
            continue;
        int failed = cache_need(&stream->log->cache, block);
        if (failed)
            return failed;
        uint32_t size = 0;
        uint64_t sequence = last_in_block(stream, block, subject_text(e), e->last, &size);
        if (!sequence)
            continue;
        subject_set_last(e, sequence, size);
        return 0;
    }
    return -EBADMSG;
}

int retention_resolve(struct log_stream *stream, struct subject *e, bool first) {
    int failed = 0;
    if (e->flags & SUBJECT_LAST_BOUND)
        failed = resolve_last(stream, e);
    if (!failed && subject_messages(e) == 1 && e->first != e->last)
        subject_set_first(e, e->last);
    if (!failed && first && e->flags & SUBJECT_FIRST_BOUND)
        failed = resolve_first(stream, e);
    return failed;
}

/* --- all messages of a subject --------------------------------------------------------------- */

struct subject_find {
    slice text;
    uint64_t *sequences;
    unsigned count;
    bool full;
};

static void find_in_block(const struct log_stream *stream, const struct block *block,
                          struct subject_find *find) {
    for (uint32_t at = 0; at < block->length; at += record_at_length(block->bytes + at)) {
        uint64_t sequence = record_at_sequence(block->bytes + at);
        if (!slice_equal(record_at_subject(block->bytes + at), find->text) ||
            !alive(stream, block, sequence))
            continue;
        find->full = find->count == LOG_DELETE_SUBJECT_MAX;
        if (find->full)
            return;
        find->sequences[find->count++] = sequence;
    }
}

static int find_in_blocks(struct log_stream *stream, const struct subject *e,
                          struct subject_find *find) {
    uint64_t from = e->first > stream->staged.first ? e->first : stream->staged.first;
    uint64_t last = e->last;
    unsigned looked = 0;
    for (uint32_t at = stream_block_index(stream, from); at < stream->count; at++) {
        struct block *block = stream_block(stream, at);
        if (block->first > last || find->full)
            return 0;
        if (!block->live)
            continue;
        if (looked++ == LOG_DELETE_SUBJECT_BLOCKS_MAX) {
            find->full = true;
            return 0;
        }
        int failed = cache_need(&stream->log->cache, block);
        if (failed)
            return failed;
        find_in_block(stream, block, find);
    }
    return 0;
}

int retention_find_subject(struct log_stream *stream, slice subject, uint64_t *sequences,
                           unsigned *ret_count, bool *ret_more) {
    struct subject_find find = {.text = subject, .sequences = sequences};
    struct subject *e =
        subjects_find(&stream->subjects, subject, subjects_hash(&stream->subjects, subject));
    int failed = 0;
    if (!e || e->last < stream->staged.first) {
        /* none */
    } else if (stream->subjects.history) {
        find.count = (unsigned)subject_messages(e);
        memcpy(sequences, subjects_sequences(&stream->subjects, e), find.count * sizeof *sequences);
    } else if (subject_messages(e) == 1) {
        failed = retention_resolve(stream, e, true);
        if (!failed)
            sequences[find.count++] = e->last;
    } else {
        failed = find_in_blocks(stream, e, &find);
    }
    *ret_count = find.count;
    *ret_more = find.full;
    return failed;
}

/* --- a lower limit per subject --------------------------------------------------------------- */

struct over_pass {
    struct log_stream *stream;
    uint64_t most;
    struct subjects seen; /* how many messages of each subject have gone by */
    struct subjects *subjects;
    struct retention_kills *kills;
};

static int kills_add(struct retention_kills *kills, uint64_t sequence, uint32_t size) {
    if (kills->count == kills->room) {
        size_t room = kills->room ? kills->room * 2 : 64;
        struct retention_kill *items = mem_realloc(kills->items, room * sizeof(*items));
        if (!items)
            return -ENOMEM;
        kills->items = items;
        kills->room = room;
    }
    kills->items[kills->count++] = (struct retention_kill){sequence, size};
    return 0;
}

static int over_record(struct over_pass *pass, const char *record) {
    slice text = record_at_subject(record);
    uint64_t hash = subjects_hash(pass->subjects, text);
    uint64_t sequence = record_at_sequence(record);
    uint32_t size = record_at_length(record);
    if (pass->most) {
        const struct subject *all = subjects_find(&pass->stream->subjects, text, hash);
        const struct subject *seen = subjects_find(&pass->seen, text, hash);
        uint64_t left = (all ? subject_messages(all) : 0) - (seen ? subject_messages(seen) : 0);
        if (subjects_reserve(&pass->seen, 1, text.len))
            return -ENOMEM;
        subjects_add(&pass->seen, text, hash, sequence, size);
        if (left > pass->most)
            return kills_add(pass->kills, sequence, size);
    }
    if (subjects_reserve(pass->subjects, 1, text.len))
        return -ENOMEM;
    subjects_add(pass->subjects, text, hash, sequence, size);
    return 0;
}

static int over_block(struct over_pass *pass, struct block *block) {
    struct log_stream *stream = pass->stream;
    bool there = block_in_memory(block);
    int failed = cache_need(&stream->log->cache, block);
    if (failed)
        return failed;
    for (uint32_t at = 0; at < block->length && !failed; at += record_at_length(block->bytes + at))
        if (alive(stream, block, record_at_sequence(block->bytes + at)))
            failed = over_record(pass, block->bytes + at);
    if (!there)
        cache_drop(&stream->log->cache, block);
    return failed;
}

int retention_find_over(struct log_stream *stream, uint64_t most, struct subjects *subjects,
                        struct retention_kills *kills) {
    struct over_pass pass = {.stream = stream, .most = most, .subjects = subjects, .kills = kills};
    subjects_init(&pass.seen, stream->subjects.key, 0);
    int failed = 0;
    for (uint32_t at = 0; at < stream->count && !failed; at++)
        if (stream_block(stream, at)->live)
            failed = over_block(&pass, stream_block(stream, at));
    subjects_free(&pass.seen);
    return failed;
}
