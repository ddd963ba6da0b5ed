/*
 * publish.c - see publish.h.
 *
 * An expectation about a subject with wildcards asks for the last message of all that match, which
 * is looked for among all subjects of the stream: so much it costs.
 */
#include "bus/publish.h"

#include "base/number.h"
#include "bus/expiry.h"
#include "wire/json_write.h"
#include "wire/nats_headers.h"
#include "wire/nats_subject.h"

#include <errno.h>

#define ANSWER_MAX 4096u /* bytes of an acknowledgement */

/* --- headers ------------------------------------------------------------------------------ */

/* Of a header that is there more than once the first counts, an empty one too, as with nats-server;
   and so here as in what is read back from the log (expiry.c, the ids of streams.c). */
static void keep_first(slice *kept, slice value) {
    if (!kept->ptr)
        *kept = value;
}

static void read_number(slice value, uint64_t *number, bool *has, bool *malformed) {
    if (!value.len)
        return;
    *has = number_parse_u64(value, number) == 0;
    *malformed |= !*has;
}

/* As they are written. */
struct sequences {
    slice of_stream, of_subject;
};

static void read_expectation(slice name, slice value, struct publish_headers *h,
                             struct sequences *sequences) {
    if (slice_equal(name, slice_lit("Stream")))
        keep_first(&h->expected_stream, value);
    else if (slice_equal(name, slice_lit("Last-Msg-Id")))
        keep_first(&h->expected_last_id, value);
    else if (slice_equal(name, slice_lit("Last-Sequence")))
        keep_first(&sequences->of_stream, value);
    else if (slice_equal(name, slice_lit("Last-Subject-Sequence")))
        keep_first(&sequences->of_subject, value);
    else if (slice_equal(name, slice_lit("Last-Subject-Sequence-Subject")))
        keep_first(&h->expected_subject, value);
}

static void read_batch(slice name, slice value, struct publish_headers *h) {
    if (slice_equal(name, slice_lit("Id")))
        keep_first(&h->batch_id, value);
    else if (slice_equal(name, slice_lit("Sequence")))
        keep_first(&h->batch_sequence, value);
    else if (slice_equal(name, slice_lit("Commit")))
        keep_first(&h->batch_commit, value);
}

struct publish_headers publish_headers_read(slice block) {
    static const slice expected = {"Expected-", 9}, batch = {"Batch-", 6};
    struct publish_headers h = {0};
    struct sequences sequences = {0};
    struct nats_status status;
    if (!block.len)
        return h;
    if (nats_headers_parse(block, &status))
        return h;
    struct nats_field field;
    while (nats_headers_next(&status.fields, &field)) {
        if (field.key.len < 8 || !slice_starts_with(field.key, slice_lit("Nats-"))) {
            h.acknowledges |= slice_equal(field.key, slice_lit(STREAMS_ACK_FIELD));
            continue;
        }
        slice name = slice_skip(field.key, 5);
        if (slice_equal(name, slice_lit("Msg-Id")))
            keep_first(&h.id, field.value);
        else if (slice_starts_with(name, expected))
            read_expectation(slice_skip(name, expected.len), field.value, &h, &sequences);
        else if (slice_starts_with(name, batch))
            read_batch(slice_skip(name, batch.len), field.value, &h);
        else if (slice_equal(name, slice_lit("Rollup")))
            keep_first(&h.rollup, field.value);
        else if (slice_equal(name, slice_lit("TTL")))
            keep_first(&h.ttl, field.value);
    }
    read_number(sequences.of_stream, &h.expected_sequence, &h.has_sequence, &h.malformed);
    read_number(sequences.of_subject, &h.expected_subject_sequence, &h.has_subject_sequence,
                &h.malformed);
    return h;
}

bool publish_headers_acknowledge(slice block) {
    if (slice_find_slice(block, slice_lit(STREAMS_ACK_FIELD)) < 0)
        return false; /* most have none: the block is not taken apart for that */
    return publish_headers_read(block).acknowledges;
}

/* --- answers ------------------------------------------------------------------------------ */

static void write_error(struct json_writer *w, const struct streams_error *error) {
    json_write_key(w, "error");
    json_write_object(w);
    json_write_key(w, "code");
    json_write_i64(w, error->code);
    json_write_key(w, "err_code");
    json_write_u64(w, error->err_code);
    json_write_key(w, "description");
    json_write_text(w, error->description);
    json_write_end(w);
}

void publish_answer(struct streams *streams, slice reply, slice stream_name,
                    const struct publish_answer *answer, const struct streams_error *error) {
    char text[ANSWER_MAX]; /* on the stack: a receiver may publish and be answered meanwhile */
    struct buf b = {.ptr = text, .cap = sizeof text, .max = sizeof text};
    struct json_writer w = json_writer_make(&b, false);
    json_write_object(&w);
    if (error)
        write_error(&w, error);
    json_write_key(&w, "stream");
    json_write_string(&w, stream_name);
    json_write_key(&w, "seq");
    json_write_u64(&w, answer->sequence);
    if (answer->duplicate) {
        json_write_key(&w, "duplicate");
        json_write_bool(&w, true);
    }
    if (answer->batch_id.len) {
        json_write_key(&w, "batch");
        json_write_string(&w, answer->batch_id);
        json_write_key(&w, "count");
        json_write_u64(&w, answer->batch_count);
    }
    json_write_end(&w);
    check(json_write_finish(&w) == 0);
    struct bus_message message = {.subject = reply, .payload = buf_slice(&b)};
    bus_publish(streams->bus, &message, NULL, NULL);
}

/* --- judgement ---------------------------------------------------------------------------- */

bool publish_judge_size(const struct stream *s, const struct bus_message *m,
                        struct streams_error *e) {
    const struct stream_config *c = &s->config;
    size_t size = m->headers.len + m->payload.len;
    if (c->sealed)
        return streams_fail(e, 400, 10109, STREAM_SEALED_TEXT);
    return c->message_bytes_max < 0 || size <= (uint64_t)c->message_bytes_max ||
           streams_fail(e, 400, 10054, "message size exceeds maximum allowed");
}

/* Everything before the duplicate check. */
bool publish_judge_form(struct stream *s, const struct bus_message *m,
                        const struct publish_headers *h, struct streams_error *e) {
    const struct stream_config *c = &s->config;
    if (!publish_judge_size(s, m, e))
        return false;
    if (h->malformed)
        return streams_fail(e, 400, 10003, "bad request: an expected sequence is not a number");
    if (h->expected_stream.len && !slice_equal(h->expected_stream, c->name))
        return streams_fail(e, 400, 10060, "expected stream does not match");
    int64_t seconds;
    if (unlikely(h->ttl.len) && !c->allow_message_ttl)
        return streams_fail(e, 400, 10166, "per-message TTL is disabled");
    if (unlikely(h->ttl.len) && !expiry_parse(h->ttl, &seconds))
        return streams_fail(e, 400, 10165, "invalid per-message TTL");
    return true;
}

/* Is there a message before this one in its batch whose subject matches? */
static bool is_written(const struct publish_before *before, slice subject) {
    const struct map_entry *entry;
    if (nats_subject_literal(subject))
        return map_find(&before->subjects, subject) != NULL;
    for (size_t at = 0; (entry = map_next(&before->subjects, &at));)
        if (nats_subject_match(entry->key, subject))
            return true;
    return false;
}

/* What the last message of a subject, or of all that match it, will be followed by is known only
   once the batch is in the log: so none of the batch may have been written to it before. */
static bool judge_last_of_subject(struct stream *s, slice subject, uint64_t expected,
                                  const struct publish_before *before, struct streams_error *e) {
    if (map_count(&before->subjects) && is_written(before, subject))
        return streams_fail(e, 400, 10164, "wrong last sequence");
    uint64_t last = stream_last_of(s, subject);
    return expected == last ||
           streams_fail(e, 400, 10071, "wrong last sequence: %llu", (unsigned long long)last);
}

bool publish_judge_expectations(struct stream *s, const struct bus_message *m,
                                const struct publish_headers *h,
                                const struct publish_before *before, struct streams_error *e) {
    if (h->expected_last_id.len && !slice_equal(h->expected_last_id, s->last_id))
        return streams_fail(e, 400, 10070, "wrong last msg ID: %.*s", slice_fmt(s->last_id));
    if (h->has_sequence) {
        uint64_t last = log_stream_staged(s->log).last_sequence;
        if (h->expected_sequence != last)
            return streams_fail(e, 400, 10071, "wrong last sequence: %llu",
                                (unsigned long long)last);
    }
    if (unlikely(h->expected_subject.len)) {
        if (!h->has_subject_sequence)
            return streams_fail(e, 400, 10193,
                                "missing sequence for expected last sequence per subject");
        if (!nats_subject_valid(h->expected_subject))
            return streams_fail(e, 400, 10193,
                                "expected last sequence per subject: \"%.*s\" is not a subject",
                                slice_fmt(slice_take(h->expected_subject, 64)));
    }
    return !h->has_subject_sequence ||
           judge_last_of_subject(s, h->expected_subject.len ? h->expected_subject : m->subject,
                                 h->expected_subject_sequence, before, e);
}

bool publish_judge_rollup(const struct stream *s, const struct publish_headers *h,
                          struct streams_error *e) {
    if (likely(!h->rollup.len))
        return true;
    if (!s->config.allow_rollup || s->config.deny_purge)
        return streams_fail(e, 500, 10111, "rollup not permitted");
    if (!slice_equal(h->rollup, slice_lit("sub")) && !slice_equal(h->rollup, slice_lit("all")))
        return streams_fail(e, 500, 10111, "rollup value invalid: \"%.*s\"",
                            slice_fmt(slice_take(h->rollup, 64)));
    return true;
}

static uint64_t written(const struct publish_before *before, slice subject) {
    return map_count(&before->subjects) ? (uint64_t)(uintptr_t)map_find(&before->subjects, subject)
                                        : 0;
}

/* Are there as many of SUBJECT as there may be? */
static bool is_full(struct stream *s, const struct publish_before *before, slice subject) {
    struct log_subject_state state = {0};
    if (s->config.messages_per_subject_max <= 0)
        return false;
    log_subject(s->log, subject, &state);
    return state.messages + written(before, subject) >=
           (uint64_t)s->config.messages_per_subject_max;
}

bool publish_judge_discard_new(struct stream *s, const struct bus_message *m,
                               const struct publish_before *before, uint64_t size,
                               struct streams_error *e) {
    const struct stream_config *c = &s->config;
    if (c->discard != STREAM_DISCARD_NEW)
        return true;
    struct log_stream_state state = log_stream_staged(s->log);
    bool full = is_full(s, before, m->subject);
    bool replaces = full && !c->discard_new_per_subject;
    if (c->messages_max > 0 && !replaces &&
        state.messages + before->messages >= (uint64_t)c->messages_max)
        return streams_fail(e, 503, 10077, "maximum messages exceeded");
    if (c->bytes_max > 0 && state.bytes + before->bytes + size > (uint64_t)c->bytes_max)
        return streams_fail(e, 503, 10077, "maximum bytes exceeded");
    if (full && c->discard_new_per_subject)
        return streams_fail(e, 503, 10077, "maximum messages per subject exceeded");
    return true;
}

int publish_before_add(struct publish_before *before, struct stream *s, const struct bus_message *m,
                       uint64_t size) {
    bool replaces = s->config.discard == STREAM_DISCARD_NEW && is_full(s, before, m->subject);
    uintptr_t times = (uintptr_t)written(before, m->subject);
    before->messages += !replaces;
    before->bytes += size;
    return map_set(&before->subjects, m->subject, (void *)(times + 1), NULL);
}

bool publish_explain(int failed, struct streams_error *e) {
    if (failed == -EAGAIN)
        return streams_fail(e, 429, 10167, "too many requests");
    if (failed == -ENOSPC)
        return streams_fail(e, 503, 10077, "no space left on device");
    if (failed == -E2BIG)
        return streams_fail(e, 400, 10054, "it is more than one commit of the log takes");
    if (failed == -ENOMEM || failed == -ENOBUFS)
        return streams_fail(e, 503, 10023, "insufficient resources");
    return streams_fail(e, 503, 10077, "%s", error_name(failed));
}
