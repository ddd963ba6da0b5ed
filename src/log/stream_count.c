/*
 * stream_count.c - how many messages a filter still has in front of it.
 *
 * Without a filter the answer is exact from counts and bitmaps alone. With one, each matching
 * subject whose messages all lie at or behind FROM counts as a whole. For the others the blocks at
 * FROM and behind are scanned as far as they are in memory; what lies on disk is taken to hold the
 * filter's share of the messages.
 */
#include "log/log_data.h"

/* Living messages of BLOCK at or after FROM, by its bits. */
static uint64_t living_from(const struct log_stream *stream, const struct block *block,
                            uint64_t from) {
    if (from <= block->first && block->first >= stream->staged.first)
        return block->live;
    if (from < block->first)
        from = block->first;
    if (from < stream->staged.first)
        from = stream->staged.first;
    if (from > block->last)
        return 0;
    return block_count_from(block, from);
}

static uint64_t count_all(const struct log_stream *stream, uint64_t from) {
    uint64_t count = 0;
    for (uint32_t at = stream_block_index(stream, from); at < stream->count; at++)
        count += living_from(stream, stream_block(stream, at), from);
    return count;
}

struct tally {
    const struct log_stream *stream;
    const struct log_filter *filter;
    uint64_t from;
    uint64_t whole;   /* of subjects that lie behind FROM */
    uint64_t partial; /* of subjects that lie on both sides */
};

static int tally_subject(void *self, struct subject *e) {
    struct tally *tally = self;
    if (!log_filter_match(tally->filter, subject_text(e)) || e->last < tally->from)
        return 0;
    if (e->first >= tally->from || tally->from <= tally->stream->staged.first)
        tally->whole += subject_messages(e);
    else
        tally->partial += subject_messages(e);
    return 0;
}

/* Is this record of a subject that tally_subject counted as partial? */
static bool is_partial(const struct tally *tally, slice subject) {
    if (!log_filter_match(tally->filter, subject))
        return false;
    const struct subjects *subjects = &tally->stream->subjects;
    const struct subject *e = subjects_find(subjects, subject, subjects_hash(subjects, subject));
    return e && e->first < tally->from;
}

static uint64_t scan_block(const struct tally *tally, const struct block *block) {
    uint64_t count = 0;
    for (uint32_t at = block_find_from(block, tally->from); at < block->length;
         at += record_at_length(block->bytes + at)) {
        const char *record = block->bytes + at;
        if (!block_dead(block, record_at_sequence(record)) &&
            is_partial(tally, record_at_subject(record)))
            count++;
    }
    return count;
}

static uint64_t scan_partial(const struct tally *tally) {
    const struct log_stream *stream = tally->stream;
    uint64_t count = 0, unread = 0;
    for (uint32_t at = stream_block_index(stream, tally->from); at < stream->count; at++) {
        const struct block *block = stream_block(stream, at);
        if (block_in_memory(block))
            count += scan_block(tally, block);
        else
            unread += living_from(stream, block, tally->from);
    }
    if (unread && stream->staged.messages)
        count +=
            (uint64_t)((double)unread * (double)tally->partial / (double)stream->staged.messages);
    return count < tally->partial ? count : tally->partial;
}

uint64_t log_count(struct log *log, struct log_stream *stream, slice subject, uint64_t from) {
    struct log_filter filter = log_filter_make(&subject, subject.len ? 1 : 0);
    return log_count_any(log, stream, &filter, from);
}

uint64_t log_count_any(struct log *log, struct log_stream *stream, const struct log_filter *filter,
                       uint64_t from) {
    (void)log;
    if (from > stream->staged.last)
        return 0;
    if (!filter->count)
        return from <= stream->staged.first ? stream->staged.messages : count_all(stream, from);
    struct tally tally = {.stream = stream, .filter = filter, .from = from};
    const struct subjects *subjects = &stream->subjects;
    if (filter->wildcards)
        (void)!subjects_each(subjects, tally_subject, &tally);
    for (unsigned i = 0; !filter->wildcards && i < filter->count; i++) {
        slice text = filter->subjects[i];
        struct subject *e = subjects_find(subjects, text, subjects_hash(subjects, text));
        if (e)
            (void)!tally_subject(&tally, e);
    }
    return tally.whole + (tally.partial ? scan_partial(&tally) : 0);
}
