/*
 * notes.c - see notes.h.
 *
 * What ES_NOTES is made with says which events are older than it: {"nonet.since":"17"} in its
 * metadata. So that is known with the stream, and nothing has to be read for it.
 */
#include "rooms/events/notes.h"

#include "base/number.h"
#include "wire/json_write.h"

#include <errno.h>

#define SINCE_KEY "nonet.since"

/* --- the stream --------------------------------------------------------------------------- */

void notes_create(struct engine *engine, streams_done done) {
    char room[64], digits[NUMBER_TEXT_MAX];
    struct buf metadata = {.ptr = room, .cap = sizeof room, .max = sizeof room};
    struct json_writer w = json_writer_make(&metadata, false);
    struct stream *es = engine_stream(engine);
    uint64_t since = es ? log_stream_staged(stream_log(es)).last_sequence : 0;
    json_write_object(&w);
    json_write_key(&w, SINCE_KEY);
    json_write_string(&w, slice_make(digits, number_format_u64(since, digits)));
    json_write_end(&w);
    check(json_write_finish(&w) == 0);
    struct stream_config config = {
        .name = slice_lit(NOTES_STREAM),
        .description = slice_lit("what belongs to the events of ES (docs/events.md)"),
        .subjects = {slice_lit(NOTES_PREFIX ">")},
        .subject_count = 1,
        .node_own = true,
        .in_memory = es && stream_config(es)->in_memory,
        .deny_delete = true,
        .deny_purge = true,
        .consumers_max = -1,
        .messages_max = -1,
        .bytes_max = -1,
        .messages_per_subject_max = 1,
        .message_bytes_max = -1,
        .metadata = buf_slice(&metadata),
    };
    stream_create(engine->streams, &config, done, engine);
}

bool notes_read_since(slice metadata, uint64_t *ret_since) {
    struct json_doc doc;
    slice text;
    json_init(&doc);
    bool read = metadata.len && json_parse(&doc, metadata) == 0 &&
                json_string(json_member(json_root(&doc), slice_lit(SINCE_KEY)), &text) == 0 &&
                number_parse_u64(text, ret_since) == 0;
    json_free(&doc);
    return read;
}

void notes_know_stream(struct engine *engine) {
    struct stream *stream = stream_find(engine->streams, slice_lit(NOTES_STREAM));
    struct log_stream *log = stream ? stream_log(stream) : NULL;
    int64_t created_ns = stream ? stream_created_ns(stream) : 0;
    if (engine->notes == log && engine->notes_created_ns == created_ns)
        return;
    engine->notes_ours =
        stream && notes_read_since(stream_config(stream)->metadata, &engine->notes_since);
    engine->notes = log;
    engine->notes_created_ns = created_ns;
}

struct stream *notes_stream(const struct engine *engine) {
    struct stream *stream = stream_find(engine->streams, slice_lit(NOTES_STREAM));
    return stream && engine->notes_ours && stream_log(stream) == engine->notes ? stream : NULL;
}

uint64_t notes_since(const struct engine *engine) {
    return engine->notes_since;
}

/* --- reading ------------------------------------------------------------------------------ */

bool notes_have(const struct engine *engine, slice subject) {
    struct stream *stream = notes_stream(engine);
    struct log_subject_state state;
    return stream && log_subject(stream_log(stream), subject, &state);
}

int notes_read(struct fetch *fetch, slice subject, struct log_record *ret_record) {
    struct stream *stream = notes_stream(fetch->engine);
    struct log_subject_state state;
    if (!stream || !log_subject(stream_log(stream), subject, &state))
        return -ENOENT;
    return fetch_record(fetch, stream, state.last_sequence, ret_record);
}

/* --- writing ------------------------------------------------------------------------------ */

void notes_add(struct engine *engine, struct note *note) {
    list_push_back(&engine->notes_due, &note->node);
}

void notes_forget(struct engine *engine) {
    while (list_pop_front(&engine->notes_due))
        continue;
}

static int add(struct log_batch *batch, struct log_stream *notes, const struct note *note,
               int64_t now_ns) {
    struct log_message message = {
        .subject = note->subject, .payload = note->text, .time_ns = now_ns};
    struct log_subject_state state;
    uint64_t sequence;
    if (!note->remove)
        return log_batch_append(batch, notes, &message, &sequence);
    if (!log_subject(notes, note->subject, &state))
        return 0;
    int failed = log_batch_delete(batch, notes, state.last_sequence);
    return failed == -ENOENT ? 0 : failed;
}

int notes_on_batch(void *self, struct log_batch *batch) {
    struct engine *engine = self;
    struct stream *stream = notes_stream(engine);
    struct list_node *node, *following;
    int failed = stream || list_empty(&engine->notes_due) ? 0 : -EINVAL;
    int64_t now_ns = io_loop_wall_ns(engine->loop);
    list_each(&engine->notes_due, node, following) {
        if (!failed)
            failed = add(batch, stream_log(stream), container_of(node, struct note, node), now_ns);
    }
    return failed;
}

bool notes_commit(struct engine *engine,
                  void (*done)(void *self, const struct streams_error *error), void *self,
                  struct streams_error *e) {
    struct stream *es = engine_stream(engine);
    uint64_t unused;
    bool stored = es ? stream_append_all(es, NULL, 0, done, self, &unused, e)
                     : streams_fail(e, 404, 10059, "stream not found");
    notes_forget(engine);
    return stored;
}
