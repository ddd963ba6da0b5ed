/*
 * stream_config.c - StreamConfig of the JetStream API, read, judged, written (stream_config.h).
 *
 * One table says what each plain field is; the few with words of their own have a function each; a
 * field in neither is refused by name unless it holds nothing. Judging fills in the defaults, so
 * that two configurations that mean the same are written the same, which is how they are compared.
 */
#include "bus/stream_config.h"

#include "base/number.h"
#include "base/utf8.h"
#include "bus/private.h"
#include "bus/stream_subjects.h"
#include "bus/transform.h"
#include "wire/nats_subject.h"

#include <stdio.h>

#define DESCRIPTION_MAX 4096u
#define METADATA_MAX (128u << 10)
#define REPLICAS_MAX 5u
#define MAPPING_ARENA_MAX (1u << 20)
#define DUPLICATE_WINDOW_DEFAULT_NS (120 * 1000000000ll)
#define MARKER_TTL_MIN_NS 1000000000ll
#define TIME_MIN_NS 100000000ll /* of an age and of a window */

bool streams_fail(struct streams_error *e, int code, unsigned err_code, const char *format, ...) {
    e->code = code;
    e->err_code = err_code;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(e->description, sizeof e->description, format, arguments);
    va_end(arguments);
    return false;
}

bool config_read_text(json_value v, const char *key, slice *into, struct streams_error *e) {
    if (json_type_of(v) == JSON_NULL || json_string(v, into) == 0)
        return true;
    return streams_fail(e, 400, 10025, "invalid JSON: \"%s\" is not a string", key);
}

bool config_read_flag(json_value v, const char *key, bool *into, struct streams_error *e) {
    if (json_type_of(v) == JSON_NULL || json_bool(v, into) == 0)
        return true;
    return streams_fail(e, 400, 10025, "invalid JSON: \"%s\" is not true or false", key);
}

bool config_read_number(json_value v, const char *key, int64_t *into, struct streams_error *e) {
    if (json_type_of(v) == JSON_NULL || json_i64(v, into) == 0)
        return true;
    return streams_fail(e, 400, 10025, "invalid JSON: \"%s\" is not an integer", key);
}

static bool means_nothing(json_value v) {
    int64_t number;
    bool flag;
    switch (json_type_of(v)) {
    case JSON_ABSENT:
    case JSON_NULL:
        return true;
    case JSON_BOOL:
        return json_bool(v, &flag) == 0 && !flag;
    case JSON_NUMBER:
        return json_i64(v, &number) == 0 && number == 0;
    case JSON_STRING:
        return json_string_is(v, slice_lit("")) || json_string_is(v, slice_lit("none"));
    case JSON_ARRAY:
    case JSON_OBJECT:
        break;
    }
    struct json_iterator i = json_each(v);
    while (json_next(&i))
        if (!means_nothing(i.value))
            return false;
    return true;
}

bool config_refuse(json_value v, slice key, struct streams_error *e) {
    if (means_nothing(v))
        return true;
    return streams_fail(e, 400, 10025, "invalid JSON: field \"%.*s\" is not served by this server",
                        slice_fmt(key));
}

/* A name may come from the subject of a request, which may hold any bytes; what is no text would
   come back from the stored configuration as another name. */
bool config_name_valid(slice name) {
    if (!name.len || name.len > STREAMS_NAME_MAX || !utf8_valid(name))
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if ((unsigned char)c <= ' ' || c == 127 || strchr(".*>/\\", c))
            return false;
    }
    return true;
}

/* --- fields ------------------------------------------------------------------------------- */

enum field_kind { TEXT, FLAG, NUMBER };
struct field {
    const char *key;
    enum field_kind kind;
    size_t offset;
};
#define FIELD(key, kind, member)                                                                   \
    { key, kind, offsetof(struct stream_config, member) }

static const struct field fields[] = {
    FIELD("name", TEXT, name),
    FIELD("description", TEXT, description),
    FIELD("max_consumers", NUMBER, consumers_max),
    FIELD("max_msgs", NUMBER, messages_max),
    FIELD("max_bytes", NUMBER, bytes_max),
    FIELD("max_age", NUMBER, age_max_ns),
    FIELD("max_msgs_per_subject", NUMBER, messages_per_subject_max),
    FIELD("max_msg_size", NUMBER, message_bytes_max),
    FIELD("duplicate_window", NUMBER, duplicate_window_ns),
    FIELD("discard_new_per_subject", FLAG, discard_new_per_subject),
    FIELD("no_ack", FLAG, no_ack),
    FIELD("deny_delete", FLAG, deny_delete),
    FIELD("deny_purge", FLAG, deny_purge),
    FIELD("allow_rollup_hdrs", FLAG, allow_rollup),
    FIELD("allow_direct", FLAG, allow_direct),
    FIELD("allow_msg_ttl", FLAG, allow_message_ttl),
    FIELD("allow_atomic", FLAG, allow_atomic),
    FIELD("subject_delete_marker_ttl", NUMBER, marker_ttl_ns),
    FIELD("mirror_direct", FLAG, mirror_direct),
    FIELD("sealed", FLAG, sealed),
};

static bool read_subjects(json_value v, struct stream_config *c, struct streams_error *e) {
    struct json_iterator i = json_each(v);
    if (json_type_of(v) != JSON_ARRAY && json_type_of(v) != JSON_NULL)
        return streams_fail(e, 400, 10025, "invalid JSON: \"subjects\" is not an array");
    c->subject_count = 0;
    while (json_next(&i)) {
        if (c->subject_count == STREAMS_SUBJECTS_MAX)
            return streams_fail(e, 500, 10052, "more than %u subjects", STREAMS_SUBJECTS_MAX);
        if (json_string(i.value, &c->subjects[c->subject_count++]))
            return streams_fail(e, 400, 10025, "invalid JSON: a subject is not a string");
    }
    return true;
}

static bool read_storage(json_value v, struct stream_config *c, struct streams_error *e) {
    c->in_memory = json_string_is(v, slice_lit("memory"));
    if (c->in_memory || json_string_is(v, slice_lit("file")))
        return true;
    return streams_fail(e, 400, 10025, "invalid JSON: \"storage\" is \"file\" or \"memory\"");
}

static bool read_discard(json_value v, struct stream_config *c, struct streams_error *e) {
    bool is_new = json_string_is(v, slice_lit("new"));
    c->discard = is_new ? STREAM_DISCARD_NEW : STREAM_DISCARD_OLD;
    if (is_new || json_string_is(v, slice_lit("old")))
        return true;
    return streams_fail(e, 400, 10025, "invalid JSON: \"discard\" is \"old\" or \"new\"");
}

static bool read_replicas(json_value v, struct streams_error *e) {
    int64_t replicas = 1;
    if (!config_read_number(v, "num_replicas", &replicas, e))
        return false;
    if (replicas < 0)
        return streams_fail(e, 400, 10133, "replicas count cannot be negative");
    if (replicas > (int64_t)REPLICAS_MAX)
        return streams_fail(e, 500, 10052, "maximum replicas is %u", REPLICAS_MAX);
    return replicas <= 1 ||
           streams_fail(e, 500, 10074, "replicas > 1 not supported in non-clustered mode");
}

static const char *const retentions[] = {
    [STREAM_RETENTION_LIMITS] = "limits",
    [STREAM_RETENTION_INTEREST] = "interest",
    [STREAM_RETENTION_WORK_QUEUE] = "workqueue",
};

static bool read_retention(json_value v, struct stream_config *c, struct streams_error *e) {
    for (size_t i = 0; i < array_count(retentions); i++) {
        if (json_string_is(v, slice_str(retentions[i]))) {
            c->retention = (enum stream_retention)i;
            return true;
        }
    }
    return streams_fail(e, 400, 10025,
                        "invalid JSON: \"retention\" is \"limits\", \"interest\" or \"workqueue\"");
}

static bool read_mapping(json_value v, const char *what, struct stream_mapping *m,
                         struct streams_error *e) {
    if (json_type_of(v) == JSON_NULL)
        return true;
    if (json_type_of(v) != JSON_OBJECT)
        return streams_fail(e, 400, 10025, "invalid JSON: \"%s\" is not an object", what);
    struct json_iterator i = json_each(v);
    while (json_next(&i)) {
        slice key;
        bool read = json_string(i.key, &key) == 0;
        if (read && slice_equal(key, slice_lit("src")))
            read = config_read_text(i.value, "src", &m->source, e);
        else if (read && slice_equal(key, slice_lit("dest")))
            read = config_read_text(i.value, "dest", &m->destination, e);
        else if (read && slice_equal(key, slice_lit("headers_only")))
            read = config_read_flag(i.value, "headers_only", &m->headers_only, e);
        else if (read)
            read = config_refuse(i.value, key, e);
        if (!read)
            return false;
    }
    return true;
}

static bool read_consumer_limits(json_value v, struct stream_config *c, struct streams_error *e) {
    if (json_type_of(v) == JSON_NULL)
        return true;
    if (json_type_of(v) != JSON_OBJECT)
        return streams_fail(e, 400, 10025, "invalid JSON: \"consumer_limits\" is not an object");
    struct json_iterator i = json_each(v);
    while (json_next(&i)) {
        slice key;
        bool read = json_string(i.key, &key) == 0;
        if (read && slice_equal(key, slice_lit("inactive_threshold")))
            read = config_read_number(i.value, "inactive_threshold", &c->consumer_inactive_ns, e);
        else if (read && slice_equal(key, slice_lit("max_ack_pending")))
            read = config_read_number(i.value, "max_ack_pending", &c->consumer_ack_pending, e);
        else if (read)
            read = config_refuse(i.value, key, e);
        if (!read)
            return false;
    }
    return true;
}

static bool read_first_sequence(json_value v, struct stream_config *c, struct streams_error *e) {
    if (json_type_of(v) == JSON_NULL || json_u64(v, &c->first_sequence) == 0)
        return true;
    return streams_fail(e, 400, 10025, "invalid JSON: \"first_seq\" is not a sequence");
}

static bool read_own(slice key, json_value v, struct stream_config *c, struct streams_error *e) {
    if (slice_equal(key, slice_lit("subjects")))
        return read_subjects(v, c, e);
    if (slice_equal(key, slice_lit("storage")))
        return read_storage(v, c, e);
    if (slice_equal(key, slice_lit("discard")))
        return read_discard(v, c, e);
    if (slice_equal(key, slice_lit("retention")))
        return read_retention(v, c, e);
    if (slice_equal(key, slice_lit("num_replicas")))
        return read_replicas(v, e);
    if (slice_equal(key, slice_lit("subject_transform")))
        return read_mapping(v, "subject_transform", &c->transform, e);
    if (slice_equal(key, slice_lit("republish")))
        return read_mapping(v, "republish", &c->republish, e);
    if (slice_equal(key, slice_lit("first_seq")))
        return read_first_sequence(v, c, e);
    if (slice_equal(key, slice_lit("consumer_limits")))
        return read_consumer_limits(v, c, e);
    if (slice_equal(key, slice_lit("metadata")) && json_type_of(v) == JSON_OBJECT) {
        c->metadata = json_source(v);
        return true;
    }
    return config_refuse(v, key, e);
}

static bool read_field(slice key, json_value v, struct stream_config *c, struct streams_error *e) {
    for (size_t i = 0; i < array_count(fields); i++) {
        const struct field *f = &fields[i];
        if (!slice_equal(key, slice_str(f->key)))
            continue;
        void *into = (char *)c + f->offset;
        switch (f->kind) {
        case TEXT:
            return config_read_text(v, f->key, into, e);
        case FLAG:
            return config_read_flag(v, f->key, into, e);
        case NUMBER:
            return config_read_number(v, f->key, into, e);
        }
    }
    return read_own(key, v, c, e);
}

bool stream_config_read(json_value object, struct arena *arena, struct stream_config *ret_config,
                        struct streams_error *e) {
    struct stream_config config = {
        .consumers_max = -1,
        .messages_max = -1,
        .bytes_max = -1,
        .messages_per_subject_max = -1,
        .message_bytes_max = -1,
    };
    e->code = 0;
    if (json_type_of(object) != JSON_OBJECT)
        return streams_fail(e, 400, 10025, "invalid JSON: the stream configuration is no object");
    struct json_iterator i = json_each(object);
    while (json_next(&i)) {
        slice key;
        if (json_string(i.key, &key) || !read_field(key, i.value, &config, e))
            return e->code ? false : streams_fail(e, 503, 10023, "insufficient resources");
    }
    if (stream_config_copy(&config, arena, ret_config))
        return streams_fail(e, 503, 10023, "insufficient resources");
    return true;
}

/* --- rules -------------------------------------------------------------------------------- */

/* Refuses a configuration, as nats-server does: 500, 10052. */
static bool invalid(struct streams_error *e, const char *format, ...) printf_like(2, 3);
static bool invalid(struct streams_error *e, const char *format, ...) {
    e->code = 500;
    e->err_code = 10052;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(e->description, sizeof e->description, format, arguments);
    va_end(arguments);
    return false;
}

static bool judge_subjects(struct stream_config *c, struct streams_error *e) {
    if (c->subject_count == 0)
        c->subjects[c->subject_count++] = c->name;
    for (unsigned i = 0; i < c->subject_count; i++) {
        slice subject = c->subjects[i];
        bool own = c->node_own && bus_subject_private(subject);
        const char *refused = own ? NULL : stream_subject_refused(subject, c->no_ack);
        if (refused)
            return invalid(e, "%s: \"%.*s\"", refused, slice_fmt(subject));
        for (unsigned j = 0; j < i; j++) {
            if (slice_equal(subject, c->subjects[j]))
                return invalid(e, "duplicate subjects detected: \"%.*s\"", slice_fmt(subject));
            if (nats_subject_overlap(subject, c->subjects[j]))
                return invalid(e, "subject \"%.*s\" overlaps with \"%.*s\"",
                               slice_fmt(c->subjects[j]), slice_fmt(subject));
        }
    }
    return true;
}

static void normalise(int64_t *limit) {
    if (*limit <= 0)
        *limit = -1;
}

static bool judge_words(const struct stream_config *c, struct streams_error *e) {
    if (!config_name_valid(c->name))
        return invalid(e, "stream name is empty, over 255 bytes, no UTF-8, or holds a "
                          "blank, '.', '*', '>', '/' or '\\'");
    if (c->description.len > DESCRIPTION_MAX)
        return invalid(e, "stream description is too long, maximum allowed is %u", DESCRIPTION_MAX);
    if (c->metadata.len > METADATA_MAX)
        return invalid(e, "stream metadata exceeds maximum size of %u bytes", METADATA_MAX);
    return true;
}

static bool judge_times(struct stream_config *c, struct streams_error *e) {
    if (c->age_max_ns < 0 || (c->age_max_ns > 0 && c->age_max_ns < TIME_MIN_NS))
        return invalid(e, "max age needs to be >= 100ms");
    if (c->duplicate_window_ns < 0)
        return invalid(e, "duplicates window can not be negative");
    if (c->duplicate_window_ns == 0) {
        c->duplicate_window_ns = DUPLICATE_WINDOW_DEFAULT_NS;
        if (c->age_max_ns > 0 && c->age_max_ns < c->duplicate_window_ns)
            c->duplicate_window_ns = c->age_max_ns;
    }
    if (c->age_max_ns > 0 && c->duplicate_window_ns > c->age_max_ns)
        return invalid(e, "duplicates window can not be larger then max age");
    if (c->duplicate_window_ns < TIME_MIN_NS)
        return invalid(e, "duplicates window needs to be >= 100ms");
    return true;
}

static bool judge_markers(struct stream_config *c, struct streams_error *e) {
    if (c->marker_ttl_ns < 0)
        return invalid(e, "subject delete marker TTL must not be negative");
    if (c->marker_ttl_ns == 0)
        return true;
    if (c->marker_ttl_ns < MARKER_TTL_MIN_NS)
        return invalid(e, "subject delete marker TTL must be at least 1 second");
    c->allow_message_ttl = true;
    if (!c->allow_rollup && !c->sealed) {
        c->allow_rollup = true;
        c->deny_purge = false;
    }
    return true;
}

static bool judge_permissions(struct stream_config *c, struct streams_error *e) {
    if (c->sealed) { /* as it comes from an update or from the log, see stream.c */
        c->age_max_ns = 0;
        c->discard = STREAM_DISCARD_NEW;
        c->deny_delete = c->deny_purge = true;
        c->allow_rollup = false;
    }
    if (c->deny_purge && c->allow_rollup)
        return invalid(e, "roll-ups require the purge permission");
    if (c->discard_new_per_subject && c->discard != STREAM_DISCARD_NEW)
        return invalid(e, "discard new per subject requires discard new policy to be set");
    if (c->discard_new_per_subject && c->messages_per_subject_max <= 0)
        return invalid(e, "discard new per subject requires max msgs per subject > 0");
    return true;
}

/* Is it one? 0 or -EINVAL with the reason; -ENOMEM. */
static int try_mapping(const struct stream_mapping *m, const char **ret_why) {
    _cleanup_arena_ struct arena arena = arena_make(0, MAPPING_ARENA_MAX);
    struct transform *unused;
    return transform_make(&arena, m->source, m->destination, &unused, ret_why);
}

static bool judge_transform(const struct stream_config *c, struct streams_error *e) {
    const struct stream_mapping *m = &c->transform;
    const char *why = "insufficient resources";
    if (!m->destination.len && !m->source.len)
        return true;
    if (m->source.len && !nats_subject_valid(m->source))
        return streams_fail(e, 400, 10155, "stream transform source: invalid subject %.*s",
                            slice_fmt(slice_take(m->source, 64)));
    return try_mapping(m, &why) == 0 || streams_fail(e, 400, 10156, "stream transform: %s", why);
}

/* Does TOKEN of a mapping's destination stand for what a message brings? */
static bool is_filled_in(slice token) {
    uint64_t n;
    return token.len > 1 &&
           (token.ptr[0] == '{' ||
            (token.ptr[0] == '$' && number_parse_u64(slice_skip(token, 1), &n) == 0));
}

/* The subjects that DESTINATION may come to, with wildcards; empty: they would be too long. */
static slice pattern_of(slice destination, char text[BUS_SUBJECT_MAX]) {
    slice rest = destination, token;
    size_t len = 0;
    while (nats_subject_next(&rest, &token)) {
        slice part = is_filled_in(token) ? slice_lit("*") : token;
        if (len + part.len + 1 > BUS_SUBJECT_MAX)
            return (slice){0};
        if (len)
            text[len++] = '.';
        memcpy(text + len, part.ptr, part.len);
        len += part.len;
    }
    return slice_make(text, len);
}

/* What is republished must not be captured again. */
static bool forms_cycle(const struct stream_config *c, slice pattern) {
    for (unsigned i = 0; i < c->subject_count; i++)
        if (nats_subject_overlap(pattern, c->subjects[i]))
            return true;
    return !pattern.len;
}

static bool judge_republish(struct stream_config *c, struct streams_error *e) {
    struct stream_mapping *m = &c->republish;
    const char *why = "insufficient resources";
    if (!m->destination.len && !m->source.len && !m->headers_only)
        return true;
    if (!m->source.len)
        m->source = slice_lit(">");
    if (try_mapping(m, &why))
        return invalid(e, "stream configuration for republish not valid: %s", why);
    char text[BUS_SUBJECT_MAX];
    slice pattern = pattern_of(m->destination, text);
    if (slice_equal(m->destination, slice_lit(">")) || forms_cycle(c, pattern))
        return invalid(e, "stream configuration for republish destination forms a cycle");
    const char *refused = stream_subject_takes_orders(pattern)
                              ? "the node takes orders at the destination"
                              : stream_subject_refused(pattern, true);
    return !refused || invalid(e, "stream configuration for republish not valid: %s", refused);
}

static bool judge_consumer_limits(const struct stream_config *c, struct streams_error *e) {
    return (c->consumer_inactive_ns >= 0 && c->consumer_ack_pending >= 0) ||
           invalid(e, "consumer limits can not be negative");
}

bool stream_config_judge(struct stream_config *c, struct streams_error *e) {
    normalise(&c->consumers_max);
    normalise(&c->messages_max);
    normalise(&c->bytes_max);
    normalise(&c->messages_per_subject_max);
    normalise(&c->message_bytes_max);
    return judge_words(c, e) && judge_times(c, e) && judge_markers(c, e) &&
           judge_permissions(c, e) && judge_subjects(c, e) && judge_transform(c, e) &&
           judge_republish(c, e) && judge_consumer_limits(c, e);
}

bool stream_config_limit_consumer(const struct stream_config *c, struct consumer_config *consumer,
                                  struct streams_error *e) {
    int64_t inactive = c->consumer_inactive_ns, pending = c->consumer_ack_pending;
    if (inactive && !consumer->inactive_ns)
        consumer->inactive_ns = inactive;
    if (pending && !consumer->ack_pending_max && consumer->ack != ACK_NONE)
        consumer->ack_pending_max = pending;
    if (inactive && consumer->inactive_ns > inactive)
        return streams_fail(e, 400, 10153,
                            "consumer inactive threshold exceeds system limit of %lld ns",
                            (long long)inactive);
    if (pending && consumer->ack_pending_max > pending)
        return streams_fail(e, 400, 10121, "consumer max ack pending exceeds system limit of %lld",
                            (long long)pending);
    return true;
}

bool stream_config_may_update(const struct stream_config *now, const struct stream_config *wanted,
                              struct streams_error *e) {
    const char *what = NULL;
    if (now->consumers_max != wanted->consumers_max)
        what = "change MaxConsumers";
    else if (now->in_memory != wanted->in_memory)
        what = "change storage type";
    else if (now->retention != wanted->retention &&
             (now->retention == STREAM_RETENTION_WORK_QUEUE ||
              wanted->retention == STREAM_RETENTION_WORK_QUEUE))
        what = "change retention policy to/from workqueue";
    else if (wanted->first_sequence != now->first_sequence)
        what = "change the first sequence";
    else if (now->sealed && !wanted->sealed)
        what = "unseal a sealed stream";
    else if (now->deny_delete && !wanted->deny_delete)
        what = "cancel deny message deletes";
    else if (now->deny_purge && !wanted->deny_purge)
        what = "cancel deny purge";
    if (now->allow_message_ttl && !wanted->allow_message_ttl)
        return invalid(e, "message TTL status can not be disabled");
    return !what || invalid(e, "stream configuration update can not %s", what);
}

struct log_limits stream_config_limits(const struct stream_config *c) {
    bool old = c->discard == STREAM_DISCARD_OLD;
    return (struct log_limits){
        .messages_max = old && c->messages_max > 0 ? (uint64_t)c->messages_max : 0,
        .bytes_max = old && c->bytes_max > 0 ? (uint64_t)c->bytes_max : 0,
        .messages_per_subject_max = c->messages_per_subject_max > 0 && !c->discard_new_per_subject
                                        ? (uint64_t)c->messages_per_subject_max
                                        : 0,
        /* With times of their own messages do not grow old in order: expiry.h. */
        .age_max_ns = c->age_max_ns > 0 && !c->allow_message_ttl ? (uint64_t)c->age_max_ns : 0,
    };
}

/* --- writing, comparing, copying ---------------------------------------------------------- */

static void write_mapping(struct json_writer *w, const char *key, const struct stream_mapping *m) {
    if (!m->destination.len)
        return;
    json_write_key(w, key);
    json_write_object(w);
    json_write_key(w, "src");
    json_write_string(w, m->source);
    json_write_key(w, "dest");
    json_write_string(w, m->destination);
    if (m->headers_only)
        json_put_bool(w, "headers_only", true);
    json_write_end(w);
}

static void write_consumer_limits(struct json_writer *w, const struct stream_config *c) {
    if (!c->consumer_inactive_ns && !c->consumer_ack_pending)
        return;
    json_write_key(w, "consumer_limits");
    json_write_object(w);
    if (c->consumer_inactive_ns)
        json_put_i64(w, "inactive_threshold", c->consumer_inactive_ns);
    if (c->consumer_ack_pending)
        json_put_i64(w, "max_ack_pending", c->consumer_ack_pending);
    json_write_end(w);
}

void stream_config_write(struct json_writer *w, const struct stream_config *c) {
    json_write_object(w);
    json_write_key(w, "name");
    json_write_string(w, c->name);
    if (c->description.len) {
        json_write_key(w, "description");
        json_write_string(w, c->description);
    }
    json_write_key(w, "subjects");
    json_write_array(w);
    for (unsigned i = 0; i < c->subject_count; i++)
        json_write_string(w, c->subjects[i]);
    json_write_end(w);
    json_put_text(w, "retention", retentions[c->retention]);
    json_put_i64(w, "max_consumers", c->consumers_max);
    json_put_i64(w, "max_msgs", c->messages_max);
    json_put_i64(w, "max_bytes", c->bytes_max);
    json_put_i64(w, "max_age", c->age_max_ns);
    json_put_i64(w, "max_msgs_per_subject", c->messages_per_subject_max);
    json_put_i64(w, "max_msg_size", c->message_bytes_max);
    json_put_text(w, "discard", c->discard == STREAM_DISCARD_NEW ? "new" : "old");
    if (c->discard_new_per_subject)
        json_put_bool(w, "discard_new_per_subject", true);
    json_put_text(w, "storage", c->in_memory ? "memory" : "file");
    json_put_i64(w, "num_replicas", 1);
    json_put_i64(w, "duplicate_window", c->duplicate_window_ns);
    if (c->no_ack)
        json_put_bool(w, "no_ack", true);
    if (c->allow_message_ttl)
        json_put_bool(w, "allow_msg_ttl", true);
    if (c->allow_atomic)
        json_put_bool(w, "allow_atomic", true);
    if (c->marker_ttl_ns)
        json_put_i64(w, "subject_delete_marker_ttl", c->marker_ttl_ns);
    write_mapping(w, "subject_transform", &c->transform);
    write_mapping(w, "republish", &c->republish);
    if (c->first_sequence) {
        json_write_key(w, "first_seq");
        json_write_u64(w, c->first_sequence);
    }
    write_consumer_limits(w, c);
    json_put_bool(w, "deny_delete", c->deny_delete);
    json_put_bool(w, "deny_purge", c->deny_purge);
    json_put_bool(w, "allow_rollup_hdrs", c->allow_rollup);
    json_put_bool(w, "allow_direct", c->allow_direct);
    json_put_bool(w, "mirror_direct", c->mirror_direct);
    json_put_bool(w, "sealed", c->sealed);
    if (c->metadata.len) {
        json_write_key(w, "metadata");
        json_write_raw(w, c->metadata);
    }
    json_write_end(w);
}

static bool write_to(struct buf *b, const struct stream_config *c) {
    struct json_writer w = json_writer_make(b, false);
    stream_config_write(&w, c);
    return json_write_finish(&w) == 0;
}

/* Equal when they are written equal: every field has its place in the text. */
bool stream_config_equal(const struct stream_config *a, const struct stream_config *b) {
    _cleanup_buf_ struct buf first = buf_make(STREAMS_SUBJECTS_MAX * (BUS_SUBJECT_MAX * 6ul));
    _cleanup_buf_ struct buf second = buf_make(first.max);
    return write_to(&first, a) && write_to(&second, b) &&
           slice_equal(buf_slice(&first), buf_slice(&second));
}

static int copy(struct arena *arena, slice from, slice *to) {
    if (!from.len) {
        *to = (slice){0};
        return 0;
    }
    return arena_copy(arena, from, to);
}

static int copy_mapping(struct arena *arena, const struct stream_mapping *from,
                        struct stream_mapping *to) {
    int failed = copy(arena, from->source, &to->source);
    return failed ? failed : copy(arena, from->destination, &to->destination);
}

int stream_config_copy(const struct stream_config *c, struct arena *arena,
                       struct stream_config *ret_copy) {
    struct stream_config made = *c;
    int failed = copy(arena, c->name, &made.name);
    if (!failed)
        failed = copy(arena, c->description, &made.description);
    if (!failed)
        failed = copy(arena, c->metadata, &made.metadata);
    if (!failed)
        failed = copy_mapping(arena, &c->transform, &made.transform);
    if (!failed)
        failed = copy_mapping(arena, &c->republish, &made.republish);
    for (unsigned i = 0; i < c->subject_count && !failed; i++)
        failed = copy(arena, c->subjects[i], &made.subjects[i]);
    if (!failed)
        *ret_copy = made;
    return failed;
}
