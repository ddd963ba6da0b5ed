/*
 * consumer_config.c - ConsumerConfig of the JetStream API, read, judged, written (stream_config.h).
 *
 * The same shape as stream_config.c: a table of plain fields, a few with words or rules of their
 * own, and everything else refused by its name unless it holds nothing. Codes and texts:
 * nats-server 2.10, server/consumer.go checkConsumerCfg.
 */
#include "base/clocktext.h"
#include "base/number.h"
#include "bus/stream_config.h"
#include "bus/stream_subjects.h"
#include "wire/nats_subject.h"

#include <errno.h>

#define DESCRIPTION_MAX 4096u
#define METADATA_MAX (128u << 10)
#define EXPIRES_MIN_NS 1000000
#define HEARTBEAT_MIN_NS 100000000
#define TEXT_MAX (512u << 10)

/* What is read, before names and filters are brought together. */
struct raw {
    struct consumer_config c;
    slice durable_name, start_time;
    bool has_start_time;
};

/* --- reading ------------------------------------------------------------------------------ */

enum field_kind { TEXT, FLAG, NUMBER };
struct field {
    const char *key;
    enum field_kind kind;
    size_t offset;
};
#define FIELD(key, kind, member)                                                                   \
    { key, kind, offsetof(struct raw, member) }

static const struct field fields[] = {
    FIELD("durable_name", TEXT, durable_name),
    FIELD("name", TEXT, c.name),
    FIELD("description", TEXT, c.description),
    FIELD("filter_subject", TEXT, c.filter),
    FIELD("ack_wait", NUMBER, c.ack_wait_ns),
    FIELD("max_deliver", NUMBER, c.deliver_max),
    FIELD("max_waiting", NUMBER, c.waiting_max),
    FIELD("max_ack_pending", NUMBER, c.ack_pending_max),
    FIELD("max_batch", NUMBER, c.batch_max),
    FIELD("max_expires", NUMBER, c.expires_max_ns),
    FIELD("max_bytes", NUMBER, c.bytes_max),
    FIELD("inactive_threshold", NUMBER, c.inactive_ns),
    FIELD("deliver_subject", TEXT, c.deliver_subject),
    FIELD("deliver_group", TEXT, c.deliver_group),
    FIELD("sample_freq", TEXT, c.sample),
    FIELD("idle_heartbeat", NUMBER, c.heartbeat_ns),
    FIELD("rate_limit_bps", NUMBER, c.rate_bits),
    FIELD("flow_control", FLAG, c.flow_control),
    FIELD("headers_only", FLAG, c.headers_only),
    FIELD("mem_storage", FLAG, c.in_memory),
};

static const char *const deliver_words[] = {
    [DELIVER_ALL] = "all",
    [DELIVER_LAST] = "last",
    [DELIVER_NEW] = "new",
    [DELIVER_FROM_SEQUENCE] = "by_start_sequence",
    [DELIVER_FROM_TIME] = "by_start_time",
    [DELIVER_LAST_PER_SUBJECT] = "last_per_subject",
};
static const char *const ack_words[] = {
    [ACK_NONE] = "none",
    [ACK_ALL] = "all",
    [ACK_EXPLICIT] = "explicit",
};

static const char *const replay_words[] = {"instant", "original"};

/* The place of V's text in WORDS. */
static bool read_word(json_value v, const char *key, const char *const *words, size_t count,
                      size_t *ret_at, struct streams_error *e) {
    for (size_t i = 0; i < count; i++)
        if (json_string_is(v, slice_str(words[i]))) {
            *ret_at = i;
            return true;
        }
    slice written = json_source(v);
    return streams_fail(e, 400, 10025, "invalid JSON: \"%s\" can not be %.*s", key,
                        (int)(written.len < 40 ? written.len : 40), written.ptr);
}

static bool read_backoff(json_value v, struct consumer_config *c, struct streams_error *e) {
    struct json_iterator i = json_each(v);
    if (json_type_of(v) != JSON_ARRAY && json_type_of(v) != JSON_NULL)
        return streams_fail(e, 400, 10025, "invalid JSON: \"backoff\" is not an array");
    c->backoff_count = 0;
    while (json_next(&i)) {
        if (c->backoff_count == CONSUMER_BACKOFF_MAX)
            return streams_fail(e, 400, 10012, "more than %u backoff values", CONSUMER_BACKOFF_MAX);
        if (json_i64(i.value, &c->backoff_ns[c->backoff_count++]))
            return streams_fail(e, 400, 10025, "invalid JSON: a backoff is not an integer");
    }
    return true;
}

static bool read_filters(json_value v, struct arena *arena, struct consumer_config *c,
                         struct streams_error *e) {
    size_t count = json_count(v);
    if (json_type_of(v) != JSON_ARRAY && json_type_of(v) != JSON_NULL)
        return config_refuse(v, slice_lit("filter_subjects"), e);
    if (count > CONSUMER_FILTERS_MAX)
        return streams_fail(e, 400, 10012, "more than %u filter subjects", CONSUMER_FILTERS_MAX);
    if (!count)
        return true;
    slice *filters = arena_alloc(arena, count * sizeof *filters);
    if (!filters)
        return streams_fail(e, 503, 10023, "insufficient resources");
    struct json_iterator i = json_each(v);
    for (unsigned at = 0; json_next(&i); at++) {
        filters[at] = (slice){0};
        if (!config_read_text(i.value, "filter_subjects", &filters[at], e))
            return false;
    }
    c->filters = filters;
    c->filter_count = (unsigned)count;
    return true;
}

static bool read_start_sequence(json_value v, struct consumer_config *c, struct streams_error *e) {
    if (json_type_of(v) == JSON_NULL || json_u64(v, &c->start_sequence) == 0)
        return true;
    return streams_fail(e, 400, 10025, "invalid JSON: \"opt_start_seq\" is not a sequence");
}

bool config_read_time(json_value v, const char *key, int64_t *into, struct streams_error *e) {
    slice text;
    if (json_type_of(v) == JSON_NULL || json_type_of(v) == JSON_ABSENT ||
        (json_string(v, &text) == 0 && !text.len))
        return true;
    if (json_string(v, &text) == 0 && clocktext_parse(text, into) == 0)
        return true;
    return streams_fail(e, 400, 10025, "invalid JSON: \"%s\" is not an RFC 3339 time", key);
}

static bool read_start_time(json_value v, struct raw *raw, struct streams_error *e) {
    if (json_type_of(v) == JSON_NULL)
        return true;
    raw->has_start_time = true;
    if (json_string(v, &raw->start_time) == 0 && raw->start_time.len)
        return config_read_time(v, "opt_start_time", &raw->c.start_time_ns, e);
    return streams_fail(e, 400, 10025, "invalid JSON: \"opt_start_time\" is not an RFC 3339 time");
}

static bool read_replicas(json_value v, struct streams_error *e) {
    int64_t replicas = 0;
    if (!config_read_number(v, "num_replicas", &replicas, e))
        return false;
    if (replicas < 0)
        return streams_fail(e, 400, 10133, "replicas count cannot be negative");
    return replicas <= 1 ||
           streams_fail(e, 400, 10126, "consumer config replica count exceeds parent stream");
}

static bool read_own(slice key, json_value v, struct raw *raw, struct streams_error *e) {
    struct consumer_config *c = &raw->c;
    size_t at = 0;
    if (slice_equal(key, slice_lit("deliver_policy"))) {
        if (!read_word(v, "deliver_policy", deliver_words, array_count(deliver_words), &at, e))
            return false;
        c->deliver = (enum consumer_deliver)at;
        return true;
    }
    if (slice_equal(key, slice_lit("ack_policy"))) {
        if (!read_word(v, "ack_policy", ack_words, array_count(ack_words), &at, e))
            return false;
        c->ack = (enum consumer_ack)at;
        return true;
    }
    if (slice_equal(key, slice_lit("replay_policy"))) {
        bool read = read_word(v, "replay_policy", replay_words, array_count(replay_words), &at, e);
        c->replay_original = read && at == 1;
        return read;
    }
    if (slice_equal(key, slice_lit("opt_start_seq")))
        return read_start_sequence(v, c, e);
    if (slice_equal(key, slice_lit("opt_start_time")))
        return read_start_time(v, raw, e);
    if (slice_equal(key, slice_lit("pause_until")))
        return config_read_time(v, "pause_until", &c->pause_until_ns, e);
    if (slice_equal(key, slice_lit("backoff")))
        return read_backoff(v, c, e);
    if (slice_equal(key, slice_lit("num_replicas")))
        return read_replicas(v, e);
    if (slice_equal(key, slice_lit("metadata")) && json_type_of(v) == JSON_OBJECT) {
        c->metadata = json_source(v);
        return true;
    }
    return config_refuse(v, key, e);
}

static bool read_field(slice key, json_value v, struct raw *raw, struct streams_error *e) {
    for (size_t i = 0; i < array_count(fields); i++) {
        const struct field *f = &fields[i];
        if (!slice_equal(key, slice_str(f->key)))
            continue;
        void *into = (char *)raw + f->offset;
        switch (f->kind) {
        case TEXT:
            return config_read_text(v, f->key, into, e);
        case FLAG:
            return config_read_flag(v, f->key, into, e);
        case NUMBER:
            return config_read_number(v, f->key, into, e);
        }
    }
    return read_own(key, v, raw, e);
}

bool consumer_config_read(json_value object, struct arena *arena,
                          struct consumer_config *ret_config, struct streams_error *e) {
    struct raw raw = {0};
    e->code = 0;
    if (json_type_of(object) != JSON_OBJECT)
        return streams_fail(e, 400, 10025, "invalid JSON: the consumer configuration is no object");
    struct json_iterator i = json_each(object);
    json_value filters = {0};
    while (json_next(&i)) {
        slice key;
        bool later = json_string_is(i.key, slice_lit("filter_subjects"));
        if (later)
            filters = i.value;
        else if (json_string(i.key, &key) || !read_field(key, i.value, &raw, e))
            return e->code ? false : streams_fail(e, 503, 10023, "insufficient resources");
    }
    if (json_type_of(filters) != JSON_ABSENT && !read_filters(filters, arena, &raw.c, e))
        return false;
    raw.c.durable = raw.durable_name.len > 0;
    if (raw.c.durable && raw.c.name.len && !slice_equal(raw.c.name, raw.durable_name))
        return streams_fail(e, 400, 10132,
                            "Consumer Durable and Name have to be equal if both are provided");
    if (raw.c.durable)
        raw.c.name = raw.durable_name;
    if (raw.has_start_time && raw.c.start_time_ns == 0)
        raw.c.start_time_ns = 1; /* 0 stands for "not given" */
    if (consumer_config_copy(&raw.c, arena, ret_config))
        return streams_fail(e, 503, 10023, "insufficient resources");
    return true;
}

/* --- rules -------------------------------------------------------------------------------- */

static bool judge_names(const struct consumer_config *c, struct streams_error *e) {
    if (c->name.len > STREAMS_NAME_MAX)
        return streams_fail(e, 400, 10102, "consumer name is too long, maximum allowed is %u",
                            STREAMS_NAME_MAX);
    if (c->name.len && !config_name_valid(c->name))
        return streams_fail(e, 400, 10103, "durable name can not contain '.', '*', '>'");
    if (c->durable && !c->name.len)
        return streams_fail(e, 400, 10017,
                            "consumer expected to be durable but a durable name "
                            "was not set");
    if (c->description.len > DESCRIPTION_MAX)
        return streams_fail(e, 400, 10107,
                            "consumer description is too long, maximum allowed is %u",
                            DESCRIPTION_MAX);
    if (c->metadata.len > METADATA_MAX)
        return streams_fail(e, 400, 10135, "consumer metadata exceeds maximum size of %u bytes",
                            METADATA_MAX);
    return true;
}

/* Filters need not lie within the stream's subjects, which may change (nats-server 2.10). */
static bool judge_filter(const struct consumer_config *c, struct streams_error *e) {
    const slice *filters;
    unsigned count = consumer_config_filters(c, &filters);
    size_t bytes = 0;
    if (c->filter.len && c->filter_count)
        return streams_fail(e, 400, 10136,
                            "consumer cannot have both FilterSubject and FilterSubjects specified");
    for (unsigned i = 0; i < count; i++)
        if (!filters[i].len)
            return streams_fail(e, 400, 10139, "consumer filter in FilterSubjects cannot be empty");
    for (unsigned i = 0; i < count; i++) {
        bytes += filters[i].len;
        if (filters[i].len > BUS_SUBJECT_MAX || !nats_subject_valid(filters[i]))
            return streams_fail(e, 500, 10052, "nats: invalid subject");
        for (unsigned n = 0; n < i; n++)
            if (nats_subject_overlap(filters[i], filters[n]))
                return streams_fail(e, 400, 10138, "consumer subject filters cannot overlap");
    }
    return bytes <= CONSUMER_FILTERS_BYTES_MAX ||
           streams_fail(e, 400, 10012, "filter subjects of more than %u bytes in sum",
                        CONSUMER_FILTERS_BYTES_MAX);
}

static bool also_set(const char *policy, const char *start, struct streams_error *e) {
    return streams_fail(e, 400, 10094,
                        "consumer delivery policy is deliver %s, but optional start %s is also set",
                        policy, start);
}

static bool not_set(const char *policy, const char *what, struct streams_error *e) {
    return streams_fail(e, 400, 10094,
                        "consumer delivery policy is deliver %s, but optional %s is not set",
                        policy, what);
}

static bool judge_start(const struct consumer_config *c, struct streams_error *e) {
    static const char *const policies[] = {
        [DELIVER_ALL] = "all",
        [DELIVER_LAST] = "last",
        [DELIVER_NEW] = "new",
        [DELIVER_FROM_SEQUENCE] = "by start sequence",
        [DELIVER_FROM_TIME] = "by start time",
        [DELIVER_LAST_PER_SUBJECT] = "last per subject",
    };
    const char *policy = policies[c->deliver];
    if (c->start_sequence && c->deliver != DELIVER_FROM_SEQUENCE)
        return also_set(policy, "sequence", e);
    if (c->start_time_ns && c->deliver != DELIVER_FROM_TIME)
        return also_set(policy, "time", e);
    if (c->deliver == DELIVER_FROM_SEQUENCE && !c->start_sequence)
        return not_set(policy, "start sequence", e);
    if (c->deliver == DELIVER_FROM_TIME && !c->start_time_ns)
        return not_set(policy, "start time", e);
    if (c->deliver == DELIVER_LAST_PER_SUBJECT && !c->filter.len && !c->filter_count)
        return not_set(policy, "filter subject", e);
    return true;
}

static bool judge_numbers(const struct consumer_config *c, struct streams_error *e) {
    if (c->rate_bits < 0)
        return streams_fail(e, 400, 10025, "invalid JSON: \"rate_limit_bps\" is negative");
    if (c->ack_wait_ns < 0)
        return streams_fail(e, 400, 10183, "consumer ack wait needs to be positive");
    if (c->inactive_ns < 0 || c->bytes_max < 0)
        return streams_fail(e, 400, 10012, "%s can not be negative",
                            c->inactive_ns < 0 ? "inactive threshold" : "max request bytes");
    for (unsigned i = 0; i < c->backoff_count; i++)
        if (c->backoff_ns[i] < 0)
            return streams_fail(e, 400, 10184, "consumer backoff needs to be positive");
    if (c->backoff_count && c->deliver_max > 0 && c->deliver_max < (int64_t)c->backoff_count)
        return streams_fail(e, 400, 10116,
                            "max deliver is required to be > length of backoff values");
    return true;
}

unsigned consumer_config_sample(const struct consumer_config *c) {
    uint64_t percent;
    slice number = c->sample;
    if (number.len && number.ptr[number.len - 1] == '%')
        number.len--;
    if (!number.len || number_parse_u64(number, &percent))
        return 0;
    return percent < 100 ? (unsigned)percent : 100;
}

static bool judge_sample(const struct consumer_config *c, struct streams_error *e) {
    uint64_t percent;
    slice number = c->sample;
    if (!number.len)
        return true;
    if (number.ptr[number.len - 1] == '%')
        number.len--;
    return (number.len && number_parse_u64(number, &percent) == 0) ||
           streams_fail(
               e, 400, 10095,
               "failed to parse consumer sampling configuration: \"%.*s\" is no percentage",
               (int)(c->sample.len < 40 ? c->sample.len : 40), c->sample.ptr);
}

/* What the metadata's KEY says: its place in WORDS, counted from 1; 0 where it is absent; -1:
   something else. */
static int metadata_word(const struct consumer_config *c, const char *key, const char *const *words,
                         int count) {
    struct json_doc doc;
    if (!c->metadata.len)
        return 0;
    json_init(&doc);
    int word = -1;
    if (json_parse(&doc, c->metadata) == 0) {
        json_value v = json_member(json_root(&doc), slice_str(key));
        if (json_type_of(v) == JSON_ABSENT)
            word = 0;
        for (int i = 0; i < count; i++)
            if (json_string_is(v, slice_str(words[i])))
                word = i + 1;
    }
    json_free(&doc);
    return word;
}

static int park_word(const struct consumer_config *c) {
    static const char *const words[] = {"true", "false"};
    return metadata_word(c, "nonet.park", words, array_count(words));
}

static int order_word(const struct consumer_config *c) {
    static const char *const words[] = {"subject"};
    return metadata_word(c, "nonet.ordered", words, array_count(words));
}

bool consumer_config_parks(const struct consumer_config *c) {
    return park_word(c) == 1;
}

bool consumer_config_orders(const struct consumer_config *c) {
    return c->ack == ACK_EXPLICIT && order_word(c) == 1;
}

static bool judge_metadata(const struct consumer_config *c, struct streams_error *e) {
    int park = park_word(c), order = order_word(c);
    if (park < 0)
        return streams_fail(e, 400, 10012, "metadata \"nonet.park\" is \"true\" or \"false\"");
    if (order < 0)
        return streams_fail(e, 400, 10012, "metadata \"nonet.ordered\" is \"subject\", or absent");
    if (c->ack == ACK_EXPLICIT || (park != 1 && !order))
        return true;
    return streams_fail(e, 400, 10012,
                        "metadata \"%s\" goes with \"ack_policy\": \"explicit\" only",
                        park == 1 ? "nonet.park" : "nonet.ordered");
}

static bool judge_push(const struct consumer_config *c, const struct stream_config *stream,
                       struct streams_error *e) {
    slice subject = c->deliver_subject;
    if (nats_subject_has_wildcard(subject))
        return streams_fail(e, 400, 10079, "consumer deliver subject has wildcards");
    if (subject.len > BUS_SUBJECT_MAX || !nats_subject_valid(subject) ||
        stream_subject_takes_orders(subject))
        return streams_fail(e, 400, 10112, "invalid push consumer deliver subject");
    for (unsigned i = 0; i < stream->subject_count; i++)
        if (nats_subject_match(subject, stream->subjects[i]))
            return streams_fail(e, 400, 10081, "consumer deliver subject forms a cycle");
    if (c->waiting_max)
        return streams_fail(e, 400, 10080, "consumer in push mode can not set max waiting");
    if (c->ack_pending_max > 0 && c->ack == ACK_NONE)
        return streams_fail(e, 400, 10082, "consumer requires ack policy for max ack pending");
    if (c->heartbeat_ns > 0 && c->heartbeat_ns < HEARTBEAT_MIN_NS)
        return streams_fail(e, 400, 10083, "consumer idle heartbeat needs to be >= 100ms");
    if (c->flow_control && c->heartbeat_ns <= 0)
        return streams_fail(e, 400, 10108, "consumer with flow control also needs heartbeats");
    return true;
}

static bool judge_pull(const struct consumer_config *c, struct streams_error *e) {
    if (c->rate_bits > 0)
        return streams_fail(e, 400, 10086, "consumer in pull mode can not have rate limit set");
    if (c->waiting_max < 0)
        return streams_fail(e, 400, 10087, "consumer max waiting needs to be positive");
    if (c->heartbeat_ns > 0)
        return streams_fail(e, 400, 10088,
                            "consumer idle heartbeat requires a push based consumer");
    if (c->flow_control)
        return streams_fail(e, 400, 10089, "consumer flow control requires a push based consumer");
    if (c->batch_max < 0)
        return streams_fail(e, 400, 10114, "consumer max request batch needs to be > 0");
    if (c->expires_max_ns && c->expires_max_ns < EXPIRES_MIN_NS)
        return streams_fail(e, 400, 10115, "consumer max request expires needs to be >= 1ms");
    return true;
}

static void set_defaults(struct consumer_config *c) {
    if (!c->waiting_max && !c->deliver_subject.len)
        c->waiting_max = CONSUMER_WAITING_MAX_DEFAULT;
    if (c->heartbeat_ns < 0)
        c->heartbeat_ns = 0;
    if (c->deliver_max <= 0)
        c->deliver_max = -1;
    if (c->ack_pending_max < 0)
        c->ack_pending_max = -1;
    if (c->ack != ACK_NONE && !c->ack_wait_ns)
        c->ack_wait_ns = (int64_t)CONSUMER_ACK_WAIT_DEFAULT_NS;
    if (c->ack != ACK_NONE && !c->ack_pending_max)
        c->ack_pending_max = CONSUMER_ACK_PENDING_DEFAULT;
    if (c->backoff_count)
        c->ack_wait_ns = c->backoff_ns[0];
    if (!c->durable && !c->inactive_ns)
        c->inactive_ns = (int64_t)CONSUMER_INACTIVE_DEFAULT_NS;
}

bool consumer_config_judge_pedantic(const struct consumer_config *c,
                                    const struct stream_config *stream, struct streams_error *e) {
    const char *why = NULL;
    if (c->deliver_max < -1)
        why = "max_deliver must be set to -1";
    else if (c->ack_pending_max < -1)
        why = "max_ack_pending must be set to -1";
    else if (c->heartbeat_ns < 0)
        why = "idle_heartbeat must not be negative";
    else if (c->backoff_count && c->ack_wait_ns != c->backoff_ns[0])
        why = "first backoff value has to equal batch AckWait";
    else if (!c->ack_pending_max && stream->consumer_ack_pending)
        why = "max_ack_pending must be set if it's configured in stream limits";
    else if (!c->inactive_ns && stream->consumer_inactive_ns)
        why = "inactive_threshold must be set if it's configured in stream limits";
    return !why || streams_fail(e, 400, 10157, "pedantic mode: %s", why);
}

bool consumer_config_judge(struct consumer_config *c, const struct stream_config *stream,
                           struct streams_error *e) {
    if (!judge_names(c, e) || !judge_numbers(c, e) || !stream_config_limit_consumer(stream, c, e) ||
        !(c->deliver_subject.len ? judge_push(c, stream, e) : judge_pull(c, e)) ||
        !judge_filter(c, e) || !judge_start(c, e) || !judge_sample(c, e) || !judge_metadata(c, e))
        return false;
    set_defaults(c);
    return true;
}

/* --- writing, comparing, copying ---------------------------------------------------------- */

/* 0 is left out, as nats-server does. */
static void write_number(struct json_writer *w, const char *key, int64_t number) {
    if (!number)
        return;
    json_write_key(w, key);
    json_write_i64(w, number);
}

static void write_flag(struct json_writer *w, const char *key, bool flag) {
    if (!flag)
        return;
    json_write_key(w, key);
    json_write_bool(w, true);
}

void config_write_time(struct json_writer *w, const char *key, int64_t unix_ns) {
    char time[CLOCKTEXT_SIZE];
    json_write_key(w, key);
    json_write_string(w, slice_make(time, clocktext_format(unix_ns, time)));
}

static void write_start(struct json_writer *w, const struct consumer_config *c) {
    if (c->start_sequence) {
        json_write_key(w, "opt_start_seq");
        json_write_u64(w, c->start_sequence);
    }
    if (c->start_time_ns)
        config_write_time(w, "opt_start_time", c->start_time_ns);
}

static void write_backoff(struct json_writer *w, const struct consumer_config *c) {
    if (!c->backoff_count)
        return;
    json_write_key(w, "backoff");
    json_write_array(w);
    for (unsigned i = 0; i < c->backoff_count; i++)
        json_write_i64(w, c->backoff_ns[i]);
    json_write_end(w);
}

static void write_filters(struct json_writer *w, const struct consumer_config *c) {
    if (!c->filter_count)
        return;
    json_write_key(w, "filter_subjects");
    json_write_array(w);
    for (unsigned i = 0; i < c->filter_count; i++)
        json_write_string(w, c->filters[i]);
    json_write_end(w);
}

void consumer_config_write(struct json_writer *w, const struct consumer_config *c) {
    json_write_object(w);
    if (c->durable)
        json_put_nonempty(w, "durable_name", c->name);
    json_put_nonempty(w, "name", c->name);
    json_put_nonempty(w, "description", c->description);
    json_put_text(w, "deliver_policy", deliver_words[c->deliver]);
    write_start(w, c);
    json_put_text(w, "ack_policy", ack_words[c->ack]);
    write_number(w, "ack_wait", c->ack_wait_ns);
    write_number(w, "max_deliver", c->deliver_max);
    write_backoff(w, c);
    json_put_nonempty(w, "filter_subject", c->filter);
    write_filters(w, c);
    json_put_text(w, "replay_policy", replay_words[c->replay_original]);
    write_number(w, "rate_limit_bps", c->rate_bits);
    json_put_nonempty(w, "sample_freq", c->sample);
    write_number(w, "max_waiting", c->waiting_max);
    write_number(w, "max_ack_pending", c->ack_pending_max);
    write_flag(w, "flow_control", c->flow_control);
    write_flag(w, "headers_only", c->headers_only);
    write_number(w, "max_batch", c->batch_max);
    write_number(w, "max_expires", c->expires_max_ns);
    write_number(w, "max_bytes", c->bytes_max);
    json_put_nonempty(w, "deliver_subject", c->deliver_subject);
    json_put_nonempty(w, "deliver_group", c->deliver_group);
    write_number(w, "idle_heartbeat", c->heartbeat_ns);
    write_number(w, "inactive_threshold", c->inactive_ns);
    json_write_key(w, "num_replicas");
    json_write_u64(w, 0);
    write_flag(w, "mem_storage", c->in_memory);
    if (c->metadata.len) {
        json_write_key(w, "metadata");
        json_write_raw(w, c->metadata);
    }
    if (c->pause_until_ns)
        config_write_time(w, "pause_until", c->pause_until_ns);
    json_write_end(w);
}

static bool write_to(struct buf *b, const struct consumer_config *c) {
    struct json_writer w = json_writer_make(b, false);
    consumer_config_write(&w, c);
    return json_write_finish(&w) == 0;
}

/* Equal when they are written equal: every field has its place in the text. */
bool consumer_config_equal(const struct consumer_config *a, const struct consumer_config *b) {
    _cleanup_buf_ struct buf first = buf_make(TEXT_MAX);
    _cleanup_buf_ struct buf second = buf_make(TEXT_MAX);
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

static int copy_filters(struct arena *arena, const struct consumer_config *from,
                        struct consumer_config *to) {
    slice *filters = NULL;
    int failed = 0;
    if (from->filter_count) {
        filters = arena_alloc(arena, from->filter_count * sizeof *filters);
        failed = filters ? 0 : -ENOMEM;
    }
    for (unsigned i = 0; i < from->filter_count && !failed; i++)
        failed = copy(arena, from->filters[i], &filters[i]);
    to->filters = filters;
    return failed;
}

int consumer_config_copy(const struct consumer_config *c, struct arena *arena,
                         struct consumer_config *ret_copy) {
    struct consumer_config made = *c;
    int failed = copy(arena, c->name, &made.name);
    if (!failed)
        failed = copy(arena, c->description, &made.description);
    if (!failed)
        failed = copy(arena, c->filter, &made.filter);
    if (!failed)
        failed = copy_filters(arena, c, &made);
    if (!failed)
        failed = copy(arena, c->deliver_subject, &made.deliver_subject);
    if (!failed)
        failed = copy(arena, c->deliver_group, &made.deliver_group);
    if (!failed)
        failed = copy(arena, c->sample, &made.sample);
    if (!failed)
        failed = copy(arena, c->metadata, &made.metadata);
    if (!failed)
        *ret_copy = made;
    return failed;
}
