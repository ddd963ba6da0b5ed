/*
 * model.h - what a log must hold: an oracle in a few arrays, fed with the same changes.
 *
 *     staged   every committed batch
 *     shown    every batch whose done() said 0: what a power cut may not take
 *
 * A change carries a TAG from which a message's subject, headers and payload, a stream's config, or
 * a delta's bytes follow, so that nothing but tags need be remembered. Rules of retention are those
 * of log/retention.h, written down a second time as plainly as possible.
 *
 * A stream holds at most MODEL_MESSAGES between its first and last sequence; the workload trims
 * before that.
 */
#ifndef NONET_TESTS_SIM_MODEL_H
#define NONET_TESTS_SIM_MODEL_H

#include "log/stream.h"

#define MODEL_STREAMS 4u
#define MODEL_OWNERS 2u
#define MODEL_MESSAGES 256u
#define MODEL_OPS 12u
#define MODEL_SUBJECTS 8u
#define MODEL_PAYLOAD_MAX 120000u

struct model_message {
    uint64_t tag, position;
    int64_t time_ns;
    uint32_t size; /* as stored */
    bool live;
};

struct model_stream {
    bool exists;
    uint64_t config; /* a tag */
    struct log_limits limits;
    uint64_t first, last; /* first = last + 1: empty */
    uint64_t live, bytes;
    int64_t time_ns;
    struct model_message messages[MODEL_MESSAGES]; /* by sequence, modulo */
};

struct model_owner {
    uint64_t count, digest;
};

struct model {
    struct model_stream streams[MODEL_STREAMS];
    struct model_owner owners[MODEL_OWNERS];
};

enum model_kind { MODEL_APPEND, MODEL_DELETE, MODEL_TRIM, MODEL_DELTA, MODEL_PUT, MODEL_REMOVE };

struct model_op {
    enum model_kind kind;
    unsigned stream; /* or owner */
    uint64_t tag, sequence;
    bool erase; /* DELETE: its bytes, too */
    int64_t time_ns;
    struct log_limits limits;
};

struct model_batch {
    uint64_t position;
    unsigned count;
    struct model_op ops[MODEL_OPS];
};

/* The message that TAG stands for, in buffers valid until the next call. */
struct log_message model_message(uint64_t tag, int64_t time_ns);
unsigned model_subject(uint64_t tag);
slice model_subject_text(unsigned subject);
slice model_stream_name(unsigned stream);
slice model_config(uint64_t tag);
slice model_delta(uint64_t tag);
void model_owner_add(struct model_owner *owner, slice delta);

/* Applies one change at POSITION. For an append, sets OP->sequence to the one it gets. */
void model_apply(struct model *model, struct model_op *op, uint64_t position);
bool model_lives(const struct model_stream *stream, uint64_t sequence);
const struct model_message *model_at(const struct model_stream *stream, uint64_t sequence);
struct log_subject_state model_subject_state(const struct model_stream *stream, unsigned subject);

#endif
