/*
 * publish.c - see publish.h. Opening asks, kind by kind, which stream has the subject and what its
 * last message of it is:
 *
 *   for each kind: STREAM.NAMES {subject} --> none: next kind
 *                                         --> STREAM.MSG.GET {last_by_subj}
 *                      a stranger's, or gone: STREAM.MSG.GET {seq} of the one before, and so on
 *   then flow_resumed(highest + 1)
 *
 * Acknowledgements come to `_NONET.flow.<random>.<attempt>.<position>`, in order of the commits;
 * those of an earlier attempt are not for this one. Kinds without a stream are safe when they are
 * published, but only up to the oldest record that still waits for its acknowledgement.
 */
#include "rooms/etl/publish.h"

#include "base/base64.h"
#include "base/hex.h"
#include "base/mem.h"
#include "base/number.h"
#include "bus/private.h"
#include "bus/request.h"
#include "rooms/etl/etl_config.h"
#include "wire/json.h"
#include "wire/json_write.h"
#include "wire/nats_headers.h"

#include <errno.h>
#include <stdio.h>

#define SUBJECT_MAX 600u
#define ASK_TIMEOUT_NS (5 * 1000000000ull)
#define ASK_AGAIN_NS 1000000000ull
#define INBOX_RANDOM 12
#define INBOX_MAX 64u
#define REPLY_MAX (INBOX_MAX + 2 * NUMBER_TEXT_MAX)
#define HEADERS_MAX 4096u

struct publish {
    struct flow *flow;
    const struct etl_to *config;
    struct bus_subscription *acks;
    struct bus_request *asking;
    struct bus_route route[FLOW_KINDS_MAX];
    unsigned kind; /* being asked about */
    bool durable[FLOW_KINDS_MAX];
    uint64_t resume;
    struct io_timer again;
    unsigned looks_left;    /* at messages of this kind's stream */
    bool found, refused;    /* what the answer at hand held: an id of this flow; an error */
    uint64_t sequence;      /* of the message at hand, 0: there is none */
    uint64_t attempt;       /* the flow's, as of the last write */
    uint64_t sent, awaited; /* behind the last record, and the last durable one, of this attempt */
    struct json_doc doc;
    struct buf headers;
    char stream[256];
    size_t inbox_len;
    char inbox[INBOX_MAX]; /* "_NONET.flow.<random>." */
};

static void ask_names(struct publish *p);

/* The configured subject with {kind} filled in. */
static slice subject_of(const struct publish *p, slice kind, char out[SUBJECT_MAX]) {
    slice template = p->config->publish, placeholder = slice_lit("{kind}");
    size_t len = 0;
    for (size_t i = 0; i < template.len;) {
        bool here = slice_starts_with(slice_skip(template, i), placeholder);
        slice part = here ? kind : slice_make(template.ptr + i, 1);
        if (len + part.len > SUBJECT_MAX)
            break;
        memcpy(out + len, part.ptr, part.len);
        len += part.len;
        i += here ? placeholder.len : 1;
    }
    return slice_make(out, len);
}

static slice kind_name(const struct publish *p, unsigned kind) {
    return slice_str(flow_source_of(p->flow)->kinds[kind]);
}

/* --- resuming ----------------------------------------------------------------------------- */

static void on_again(struct io_timer *timer) {
    ask_names(container_of(timer, struct publish, again));
}

static void retry_later(struct publish *p, const char *what, const char *why) {
    logger_write(flow_logger(p->flow), LOG_LEVEL_WARN, "flow", "cannot learn where to resume",
                 "flow=%.*s asking=%s why=%s", slice_fmt(flow_name(p->flow)), what, why);
    io_timer_start(bus_loop(flow_bus(p->flow)), &p->again, ASK_AGAIN_NS, on_again);
}

static void next_kind(struct publish *p) {
    p->kind++;
    ask_names(p);
}

static void ask(struct publish *p, const char *name, slice json,
                void (*on_reply)(void *, const struct bus_message *, int)) {
    char subject[SUBJECT_MAX];
    int len = snprintf(subject, sizeof subject, "$JS.API.%s", name);
    struct bus_request_options options = {
        .message = {.subject = slice_make(subject, (size_t)len), .payload = json},
        .timeout_ns = ASK_TIMEOUT_NS,
        .on_reply = on_reply,
        .owner = p,
    };
    p->found = p->refused = false;
    int failed = bus_request(flow_bus(p->flow), &options, &p->asking);
    if (failed)
        retry_later(p, name, error_name(failed));
}

/* Parses an answer; an error but "not found" is no word about the stream. */
static json_value read_answer(struct publish *p, slice payload) {
    int64_t code = 0;
    p->refused = json_parse(&p->doc, payload) != 0 ||
                 (json_i64(json_path(json_root(&p->doc), "error.code"), &code) == 0 && code != 404);
    return json_root(&p->doc);
}

/* The position in "Nats-Msg-Id: <flow>-<position>" of the message, if it is this flow's. */
static void note_position(struct publish *p, slice encoded) {
    unsigned char block[HEADERS_MAX];
    size_t len;
    slice id;
    if (base64_decode(BASE64_STANDARD, encoded, block, sizeof block, &len) ||
        !nats_headers_get(slice_make(block, len), slice_lit("Nats-Msg-Id"), &id))
        return;
    slice name = flow_name(p->flow);
    uint64_t position;
    if (!slice_starts_with(id, name) || id.len <= name.len + 1 || id.ptr[name.len] != '-' ||
        number_parse_u64(slice_skip(id, name.len + 1), &position))
        return;
    p->found = true;
    if (position >= p->resume)
        p->resume = position + 1;
}

static void ask_message(struct publish *p, uint64_t sequence);

static void take_message(struct publish *p, slice payload) {
    json_value message = json_member(read_answer(p, payload), slice_lit("message"));
    uint64_t sequence;
    slice encoded;
    if (p->refused)
        return;
    if (json_u64(json_member(message, slice_lit("seq")), &sequence) == 0)
        p->sequence = sequence;
    if (json_string(json_member(message, slice_lit("hdrs")), &encoded) == 0)
        note_position(p, encoded);
}

static void on_message(void *owner, const struct bus_message *reply, int ended) {
    struct publish *p = owner;
    if (reply) {
        take_message(p, reply->payload);
        return;
    }
    p->asking = NULL;
    if (ended || p->refused)
        retry_later(p, "message", ended ? error_name(ended) : "refused");
    else if (p->found || p->sequence <= 1 || --p->looks_left == 0)
        next_kind(p);
    else
        ask_message(p, p->sequence - 1);
}

/* SEQUENCE 0: the last of the kind's subject. */
static void ask_message(struct publish *p, uint64_t sequence) {
    char subject[SUBJECT_MAX], name[SUBJECT_MAX];
    _cleanup_buf_ struct buf json = buf_make(SUBJECT_MAX * 8u);
    struct json_writer w = json_writer_make(&json, false);
    json_write_object(&w);
    if (sequence) {
        json_write_key(&w, "seq");
        json_write_u64(&w, sequence);
    } else {
        json_write_key(&w, "last_by_subj");
        json_write_string(&w, subject_of(p, kind_name(p, p->kind), subject));
    }
    json_write_end(&w);
    p->sequence = sequence;
    snprintf(name, sizeof name, "STREAM.MSG.GET.%s", p->stream);
    int failed = json_write_finish(&w);
    if (failed)
        retry_later(p, "message", error_name(failed));
    else
        ask(p, name, buf_slice(&json), on_message);
}

static void on_names(void *owner, const struct bus_message *reply, int ended) {
    struct publish *p = owner;
    slice name;
    if (reply) {
        json_value streams = json_member(read_answer(p, reply->payload), slice_lit("streams"));
        p->stream[0] = '\0';
        if (!p->refused && json_string(json_element(streams, 0), &name) == 0 &&
            slice_to_string(name, p->stream, sizeof p->stream))
            p->stream[0] = '\0';
        return;
    }
    p->asking = NULL;
    if (ended || p->refused) {
        retry_later(p, "streams", ended ? error_name(ended) : "refused");
        return;
    }
    p->durable[p->kind] = p->stream[0] != '\0';
    p->looks_left = PUBLISH_LOOK_BACK_MAX;
    if (p->durable[p->kind])
        ask_message(p, 0);
    else
        next_kind(p);
}

static void ask_names(struct publish *p) {
    if (!flow_source_of(p->flow)->kinds[p->kind]) {
        flow_resumed(p->flow, p->resume);
        return;
    }
    char subject[SUBJECT_MAX], json[SUBJECT_MAX + 32];
    slice wanted = subject_of(p, kind_name(p, p->kind), subject);
    int len = snprintf(json, sizeof json, "{\"subject\":\"%.*s\"}", slice_fmt(wanted));
    ask(p, "STREAM.NAMES", slice_make(json, (size_t)len), on_names);
}

/* --- writing ------------------------------------------------------------------------------ */

static void on_ack(void *owner, struct bus_subscription *subscription,
                   const struct bus_message *message) {
    (void)subscription;
    struct publish *p = owner;
    uint64_t attempt, position;
    slice place, first = slice_cut(slice_skip(message->subject, p->inbox_len), '.', &place);
    if (number_parse_u64(first, &attempt) || number_parse_u64(place, &position) ||
        attempt != flow_attempt(p->flow))
        return;
    if (!slice_starts_with(message->payload, slice_lit("{\"error\""))) {
        flow_written(p->flow, position + 1 == p->awaited ? p->sent : position + 1);
        return;
    }
    char why[256] = "the stream has refused a message";
    slice text;
    if (json_parse(&p->doc, message->payload) == 0 &&
        json_string(json_path(json_root(&p->doc), "error.description"), &text) == 0)
        snprintf(why, sizeof why, "%.*s", slice_fmt(text));
    flow_failed(p->flow, why);
}

static unsigned kind_index(const struct publish *p, slice kind) {
    const char *const *kinds = flow_source_of(p->flow)->kinds;
    unsigned i = 0;
    while (kinds[i] && kinds[i] != kind.ptr)
        i++;
    check(kinds[i] && i < FLOW_KINDS_MAX);
    return i;
}

static int write_headers(struct publish *p, uint64_t position) {
    char id[FLOW_NAME_MAX + NUMBER_TEXT_MAX];
    int len = snprintf(id, sizeof id, "%.*s-%llu", slice_fmt(flow_name(p->flow)),
                       (unsigned long long)position);
    buf_clear(&p->headers);
    int failed = nats_headers_begin(&p->headers, 0, (slice){0});
    if (!failed)
        failed =
            nats_headers_add(&p->headers, slice_lit("Nats-Msg-Id"), slice_make(id, (size_t)len));
    return failed ? failed : nats_headers_end(&p->headers);
}

static slice ack_subject(const struct publish *p, uint64_t position, char out[REPLY_MAX]) {
    memcpy(out, p->inbox, p->inbox_len);
    size_t len = p->inbox_len + number_format_u64(p->attempt, out + p->inbox_len);
    out[len++] = '.';
    return slice_make(out, len + number_format_u64(position, out + len));
}

static void note_sent(struct publish *p, uint64_t position, bool durable) {
    p->sent = position + 1;
    if (durable)
        p->awaited = position + 1;
    else if (flow_stats(p->flow).written >= p->awaited)
        flow_written(p->flow, position + 1);
}

static int write_record(void *self, const struct flow_record *record) {
    struct publish *p = self;
    struct bus *bus = flow_bus(p->flow);
    if (bus_full(bus))
        return -EAGAIN;
    char subject[SUBJECT_MAX], reply[REPLY_MAX];
    unsigned kind = kind_index(p, record->kind);
    if (p->attempt != flow_attempt(p->flow)) {
        p->attempt = flow_attempt(p->flow);
        p->sent = p->awaited = record->position;
    }
    struct bus_message message = {
        .subject = subject_of(p, record->kind, subject),
        .payload = record->data,
    };
    if (p->durable[kind]) {
        int failed = write_headers(p, record->position);
        if (failed)
            return failed;
        message.reply = ack_subject(p, record->position, reply);
        message.headers = buf_slice(&p->headers);
    }
    if (bus_publish(bus, &message, NULL, &p->route[kind]) == 0 && p->durable[kind])
        return -EHOSTUNREACH; /* its stream is gone: the runner tries again until it is back */
    note_sent(p, record->position, p->durable[kind]);
    return 0;
}

/* --- life --------------------------------------------------------------------------------- */

static void close_sink(void *self) {
    struct publish *p = self;
    io_timer_stop(bus_loop(flow_bus(p->flow)), &p->again);
    if (p->asking)
        bus_request_cancel(flow_bus(p->flow), p->asking);
    bus_unsubscribe(flow_bus(p->flow), p->acks);
    for (unsigned i = 0; i < FLOW_KINDS_MAX; i++)
        bus_route_clear(&p->route[i]);
    json_free(&p->doc);
    buf_free(&p->headers);
    mem_free(p);
}

static int open_sink(const void *config, struct flow *flow, void **ret_self,
                     struct error *ret_error) {
    static const struct bus_receiver receiver = {on_ack};
    struct publish *p = mem_zalloc(1, sizeof *p);
    if (!p)
        return error_set(ret_error, -ENOMEM, "no memory for a flow");
    p->flow = flow;
    p->config = config;
    p->headers = buf_make(HEADERS_MAX);
    json_init(&p->doc);
    unsigned char random[INBOX_RANDOM];
    char digits[INBOX_RANDOM * 2 + 1] = "";
    io_host_random(io_loop_host(bus_loop(flow_bus(flow))), random, sizeof random);
    hex_encode(slice_make(random, sizeof random), digits);
    p->inbox_len =
        (size_t)snprintf(p->inbox, sizeof p->inbox, BUS_PRIVATE_PREFIX "flow.%s.", digits);
    char pattern[sizeof p->inbox + 1];
    int len = snprintf(pattern, sizeof pattern, "%s>", p->inbox);
    int failed = bus_subscribe(flow_bus(flow), slice_make(pattern, (size_t)len), (slice){0},
                               &receiver, p, NULL, &p->acks);
    if (failed) {
        mem_free(p);
        return error_set(ret_error, failed, "no memory for a flow");
    }
    *ret_self = p;
    ask_names(p);
    return 0;
}

const struct flow_sink publish_sink = {
    .name = "publish",
    .open = open_sink,
    .write = write_record,
    .close = close_sink,
};
