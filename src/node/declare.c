/*
 * declare.c - the streams that nonet.yaml declares, created or updated, never deleted.
 *
 * Through the JetStream API over the bus, like any client: so it works whichever engine answers,
 * and the rules are judged in one place. A stream that exists with another configuration is
 * updated. One after the other, in the order of the file; the first refusal ends it.
 */
#include "base/mem.h"
#include "node/parts.h"
#include "wire/json.h"
#include "wire/json_write.h"

#include <errno.h>
#include <stdio.h>

#define DECLARE_TIMEOUT_NS (30 * 1000000000ull)
#define NAME_IN_USE 10058

struct declare {
    struct node *node;
    const struct config *config;
    size_t at;
    bool updating;
    struct error error;
    void (*done)(struct node *node, const struct error *error);
    struct io_timer next; /* an answer may come from inside the asking: go on from the loop */
};

static void write_limit(struct json_writer *w, const char *key, uint64_t limit) {
    if (limit) {
        json_write_key(w, key);
        json_write_u64(w, limit);
    }
}

static void write_flag(struct json_writer *w, const char *key, bool flag) {
    if (flag) {
        json_write_key(w, key);
        json_write_bool(w, true);
    }
}

static void write_mapping(struct json_writer *w, const char *key, const struct config_mapping *m) {
    if (!m->destination.len)
        return;
    json_write_key(w, key);
    json_write_object(w);
    json_write_key(w, "src");
    json_write_string(w, m->source);
    json_write_key(w, "dest");
    json_write_string(w, m->destination);
    write_flag(w, "headers_only", m->headers_only);
    json_write_end(w);
}

static void write_consumer_limits(struct json_writer *w, const struct config_consumer_limits *l) {
    if (!l->inactive_threshold_ns && !l->max_ack_pending)
        return;
    json_write_key(w, "consumer_limits");
    json_write_object(w);
    write_limit(w, "inactive_threshold", l->inactive_threshold_ns);
    write_limit(w, "max_ack_pending", (uint64_t)l->max_ack_pending);
    json_write_end(w);
}

static void write_metadata(struct json_writer *w, const struct conf_array *metadata) {
    const struct conf_pair *pairs = metadata->items;
    if (!metadata->count)
        return;
    json_write_key(w, "metadata");
    json_write_object(w);
    for (size_t i = 0; i < metadata->count; i++) {
        json_write_key_slice(w, pairs[i].item.name);
        json_write_string(w, pairs[i].text);
    }
    json_write_end(w);
}

static const char *const retentions[] = {"limits", "interest", "workqueue"};

static int write_stream(struct buf *out, const struct config_stream *s) {
    struct json_writer w = json_writer_make(out, false);
    json_write_object(&w);
    json_write_key(&w, "name");
    json_write_string(&w, s->item.name);
    if (s->description.len) {
        json_write_key(&w, "description");
        json_write_string(&w, s->description);
    }
    json_write_key(&w, "subjects");
    json_write_array(&w);
    const slice *subjects = s->subjects.items;
    for (size_t i = 0; i < s->subjects.count; i++)
        json_write_string(&w, subjects[i]);
    json_write_end(&w);
    json_put_text(&w, "storage", s->storage ? "memory" : "file");
    json_put_text(&w, "discard", s->discard ? "new" : "old");
    write_limit(&w, "max_age", s->max_age_ns);
    write_limit(&w, "max_bytes", s->max_bytes);
    write_limit(&w, "max_msg_size", s->max_msg_size);
    write_limit(&w, "duplicate_window", s->duplicate_window_ns);
    write_limit(&w, "max_msgs", (uint64_t)s->max_msgs);
    write_limit(&w, "max_msgs_per_subject", (uint64_t)s->max_msgs_per_subject);
    write_limit(&w, "max_consumers", (uint64_t)s->max_consumers);
    write_flag(&w, "discard_new_per_subject", s->discard_new_per_subject);
    write_flag(&w, "allow_direct", s->allow_direct);
    write_flag(&w, "deny_delete", s->deny_delete);
    write_flag(&w, "deny_purge", s->deny_purge);
    write_flag(&w, "no_ack", s->no_ack);
    write_flag(&w, "allow_rollup_hdrs", s->allow_rollup_hdrs);
    write_flag(&w, "allow_msg_ttl", s->allow_msg_ttl);
    write_flag(&w, "allow_atomic", s->allow_atomic);
    json_put_text(&w, "retention", retentions[s->retention]);
    write_limit(&w, "subject_delete_marker_ttl", s->subject_delete_marker_ttl_ns);
    write_limit(&w, "first_seq", (uint64_t)s->first_seq);
    write_mapping(&w, "subject_transform", &s->subject_transform);
    write_mapping(&w, "republish", &s->republish);
    write_consumer_limits(&w, &s->consumer_limits);
    write_metadata(&w, &s->metadata);
    json_write_end(&w);
    return json_write_finish(&w);
}

static void ask_next(struct declare *declare);

static const struct config_stream *current(const struct declare *declare) {
    return (const struct config_stream *)declare->config->streams.items + declare->at;
}

static void finish(struct declare *declare) {
    struct declare done = *declare;
    io_timer_stop(declare->node->shards[0].room.loop, &declare->next);
    mem_free(declare);
    done.node->declare = NULL;
    done.done(done.node, done.error.code ? &done.error : NULL);
}

static void refuse(struct declare *declare, int code, slice why) {
    const struct config_stream *s = current(declare);
    error_set(&declare->error, code, "stream %.*s cannot be %s: %.*s", slice_fmt(s->item.name),
              declare->updating ? "updated" : "created", slice_fmt(why));
    error_place(&declare->error, "%.*s:%u:%u", slice_fmt(s->item.place.file), s->item.place.line,
                s->item.place.column);
}

/* What the API said: true where the stream is as declared. */
static bool judge_answer(struct declare *declare, slice payload, bool *ret_update) {
    struct json_doc doc;
    json_init(&doc);
    slice why = slice_lit("the answer of the streams is not JSON");
    uint64_t err_code = 0;
    *ret_update = false;
    bool fine = false;
    if (json_parse(&doc, payload) == 0) {
        json_value error = json_member(json_root(&doc), slice_lit("error"));
        fine = json_type_of(error) == JSON_ABSENT;
        if (!fine && json_u64(json_member(error, slice_lit("err_code")), &err_code) == 0)
            *ret_update = err_code == NAME_IN_USE && !declare->updating;
        if (!fine && json_string(json_member(error, slice_lit("description")), &why))
            why = slice_lit("it was refused");
    }
    if (!fine && !*ret_update)
        refuse(declare, -EINVAL, why);
    json_free(&doc);
    return fine;
}

static void on_next(struct io_timer *timer) {
    ask_next(container_of(timer, struct declare, next));
}

static void on_answer(void *owner, const struct bus_message *reply, int ended) {
    struct declare *declare = owner;
    if (reply) {
        bool update;
        if (judge_answer(declare, reply->payload, &update)) {
            declare->at++;
            declare->updating = false;
        } else {
            declare->updating = update;
        }
        return;
    }
    if (ended == -ECANCELED) { /* the node goes down: nobody waits any more */
        declare->node->declare = mem_free(declare);
        return;
    }
    if (ended)
        refuse(declare, ended, slice_str(error_name(ended)));
    io_timer_start(declare->node->shards[0].room.loop, &declare->next, 0, on_next);
}

static void ask_next(struct declare *declare) {
    if (declare->error.code || declare->at == declare->config->streams.count) {
        finish(declare);
        return;
    }
    const struct config_stream *s = current(declare);
    char subject[BUS_SUBJECT_MAX];
    int len = snprintf(subject, sizeof subject, "$JS.API.STREAM.%s.%.*s",
                       declare->updating ? "UPDATE" : "CREATE", slice_fmt(s->item.name));
    _cleanup_buf_ struct buf json = buf_make(16u << 20);
    int failed = write_stream(&json, s);
    struct bus_request_options options = {
        .message = {.subject = slice_make(subject, (size_t)len), .payload = buf_slice(&json)},
        .timeout_ns = DECLARE_TIMEOUT_NS,
        .on_reply = on_answer,
        .owner = declare,
    };
    if (!failed)
        failed = bus_request(declare->node->shards[0].room.bus, &options, NULL);
    if (failed) {
        refuse(declare, failed, slice_str(error_name(failed)));
        finish(declare);
    }
}

void declare_forget(struct node *node) {
    if (node->declare)
        io_timer_stop(node->shards[0].room.loop, &node->declare->next);
    node->declare = mem_free(node->declare);
}

int declare_streams(struct node *node, const struct config *config,
                    void (*done)(struct node *node, const struct error *error)) {
    if (node->declare)
        return -EBUSY;
    struct declare *declare = mem_zalloc(1, sizeof *declare);
    if (!declare)
        return -ENOMEM;
    declare->node = node;
    declare->config = config;
    declare->done = done;
    node->declare = declare;
    ask_next(declare);
    return 0;
}
