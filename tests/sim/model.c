/*
 * model.c - the oracle's rules. See model.h.
 */
#include "model.h"

#include "base/hash.h"
#include "log/record.h"

#include <stdio.h>

/* --- what a tag stands for -------------------------------------------------------------------- */

static char payload[MODEL_PAYLOAD_MAX], config[512], delta[512];

static void fill(char *out, size_t size, uint64_t tag) {
    uint64_t word = hash_mix64(tag ^ UINT64_C(0x66696c6c));
    for (size_t i = 0; i < size; i += 8, word = word * UINT64_C(6364136223846793005) + 1)
        memcpy(out + i, &word, size - i < 8 ? size - i : 8);
}

static size_t payload_size(uint64_t tag) {
    uint64_t dice = hash_mix64(tag);
    uint64_t size = dice >> 16;
    if ((dice & 1023) == 0)
        return size % MODEL_PAYLOAD_MAX;
    if ((dice & 127) == 1)
        return size % 20000;
    if ((dice & 7) == 2)
        return size % 3000;
    return size % 150;
}

unsigned model_subject(uint64_t tag) {
    return (unsigned)(hash_mix64(tag + 1) % MODEL_SUBJECTS);
}

slice model_subject_text(unsigned subject) {
    static const char *const texts[MODEL_SUBJECTS] = {
        "a", "a.b", "a.c", "b.1", "b.2", "orders.new", "orders.paid.eu", "zebra"};
    return slice_str(texts[subject]);
}

slice model_stream_name(unsigned stream) {
    static const char *const names[MODEL_STREAMS] = {"ALPHA", "beta", "C", "a stream name"};
    return slice_str(names[stream]);
}

slice model_config(uint64_t tag) {
    size_t size = tag % 300;
    fill(config, size, tag);
    return slice_make(config, size);
}

slice model_delta(uint64_t tag) {
    size_t size = 8 + tag % 200;
    fill(delta, size, tag);
    return slice_make(delta, size);
}

struct log_message model_message(uint64_t tag, int64_t time_ns) {
    size_t size = payload_size(tag);
    fill(payload, size, tag);
    return (struct log_message){.subject = model_subject_text(model_subject(tag)),
                                .headers =
                                    tag & 64 ? slice_lit("NATS/1.0\r\nA: b\r\n\r\n") : (slice){0},
                                .payload = slice_make(payload, size),
                                .time_ns = time_ns};
}

void model_owner_add(struct model_owner *owner, slice bytes) {
    uint64_t word = 0;
    memcpy(&word, bytes.ptr, bytes.len < 8 ? bytes.len : 8);
    owner->count++;
    owner->digest = hash_mix64(owner->digest * 31 + word + bytes.len);
}

/* --- streams ---------------------------------------------------------------------------------- */

static struct model_message *slot(struct model_stream *stream, uint64_t sequence) {
    return &stream->messages[sequence % MODEL_MESSAGES];
}

bool model_lives(const struct model_stream *stream, uint64_t sequence) {
    return stream->exists && sequence >= stream->first && sequence <= stream->last &&
           stream->messages[sequence % MODEL_MESSAGES].live;
}

const struct model_message *model_at(const struct model_stream *stream, uint64_t sequence) {
    return &stream->messages[sequence % MODEL_MESSAGES];
}

static void drop(struct model_stream *stream, uint64_t sequence) {
    if (!model_lives(stream, sequence))
        return;
    slot(stream, sequence)->live = false;
    stream->live--;
    stream->bytes -= slot(stream, sequence)->size;
    while (stream->first <= stream->last && !slot(stream, stream->first)->live)
        stream->first++;
}

static void keep_per_subject(struct model_stream *stream, unsigned subject, uint64_t most) {
    uint64_t have = model_subject_state(stream, subject).messages;
    for (uint64_t s = stream->first; have > most; s++)
        if (model_lives(stream, s) && model_subject(slot(stream, s)->tag) == subject) {
            drop(stream, s);
            have--;
        }
}

static void keep_limits(struct model_stream *stream) {
    const struct log_limits *limits = &stream->limits;
    while (stream->live > 1 && ((limits->messages_max && stream->live > limits->messages_max) ||
                                (limits->bytes_max && stream->bytes > limits->bytes_max)))
        drop(stream, stream->first);
}

static void append(struct model_stream *stream, struct model_op *op, uint64_t position) {
    uint64_t most = stream->limits.messages_per_subject_max;
    if (most)
        keep_per_subject(stream, model_subject(op->tag), most - 1);
    struct log_message message = model_message(op->tag, op->time_ns);
    if (stream->time_ns < op->time_ns)
        stream->time_ns = op->time_ns;
    op->sequence = ++stream->last;
    check(stream->last - stream->first < MODEL_MESSAGES);
    *slot(stream, op->sequence) =
        (struct model_message){.tag = op->tag,
                               .position = position,
                               .time_ns = stream->time_ns,
                               .live = true,
                               .size = (uint32_t)record_size_of(
                                   message.subject.len, message.headers.len, message.payload.len)};
    stream->live++;
    stream->bytes += slot(stream, op->sequence)->size;
    keep_limits(stream);
}

static void trim(struct model_stream *stream, uint64_t first) {
    while (stream->first < first && stream->first <= stream->last)
        drop(stream, stream->first);
    if (stream->first < first) {
        stream->first = first;
        stream->last = first - 1;
    }
}

static void put(struct model_stream *stream, const struct model_op *op) {
    if (!stream->exists) {
        uint64_t first = op->sequence ? op->sequence : 1;
        *stream = (struct model_stream){.exists = true, .first = first, .last = first - 1};
    }
    stream->config = op->tag;
    stream->limits = op->limits;
    for (unsigned i = 0; i < MODEL_SUBJECTS && op->limits.messages_per_subject_max; i++)
        keep_per_subject(stream, i, op->limits.messages_per_subject_max);
    keep_limits(stream);
}

void model_apply(struct model *model, struct model_op *op, uint64_t position) {
    struct model_stream *stream = &model->streams[op->stream];
    switch (op->kind) {
    case MODEL_APPEND:
        append(stream, op, position);
        break;
    case MODEL_DELETE:
        drop(stream, op->sequence);
        break;
    case MODEL_TRIM:
        trim(stream, op->sequence);
        break;
    case MODEL_DELTA:
        model_owner_add(&model->owners[op->stream], model_delta(op->tag));
        break;
    case MODEL_PUT:
        put(stream, op);
        break;
    case MODEL_REMOVE:
        stream->exists = false;
        break;
    }
}

struct log_subject_state model_subject_state(const struct model_stream *stream, unsigned subject) {
    struct log_subject_state state = {0};
    for (uint64_t s = stream->first; s <= stream->last; s++) {
        if (!model_lives(stream, s) || model_subject(model_at(stream, s)->tag) != subject)
            continue;
        state.first_sequence = state.messages++ ? state.first_sequence : s;
        state.last_sequence = s;
    }
    return state;
}
