/*
 * stream_view.c - nonet stream view NAME: messages of a stream, one a line, without a consumer.
 *
 * "SEQ TIME SUBJECT PAYLOAD"; --headers and --raw as in `sub`. --json: one line a message, as in
 * output.h with "seq" and "time" in front. Each message is one request for "the next at or after
 * SEQ on subject F", so holes cost nothing, and nothing is left behind on the server.
 */
#include "base/base64.h"
#include "base/mem.h"
#include "cli/output.h"
#include "cli/session.h"
#include "wire/nats_subject.h"

#include <inttypes.h>
#include <stdio.h>

#define COUNT_DEFAULT 10u

struct view {
    const struct cli_call *call;
    struct session *session;
    bool json, raw, headers;
    uint64_t next, count, shown;
    struct buf request, header_bytes, payload_bytes;
};

struct stored {
    uint64_t sequence;
    slice time;
    struct nats_client_message message;
};

static void ask(struct view *v);

/* --- one message ------------------------------------------------------------------------------ */

/* Base64 member KEY of MESSAGE into OUT. */
static int decode(json_value message, slice key, struct buf *out) {
    slice text = {0};
    buf_clear(out);
    json_value member = json_member(message, key);
    if (json_type_of(member) == JSON_ABSENT)
        return 0;
    int failed = json_string(member, &text);
    if (!failed)
        failed = buf_reserve(out, base64_decoded_max(text.len));
    return failed ? failed : base64_decode(BASE64_STANDARD, text, out->ptr, out->cap, &out->len);
}

static int read_stored(struct view *v, json_value answer, struct stored *stored) {
    json_value m = json_member(answer, slice_lit("message"));
    int failed = json_u64(json_member(m, slice_lit("seq")), &stored->sequence);
    if (!failed)
        failed = json_string(json_member(m, slice_lit("time")), &stored->time);
    if (!failed)
        failed = json_string(json_member(m, slice_lit("subject")), &stored->message.subject);
    if (!failed)
        failed = decode(m, slice_lit("hdrs"), &v->header_bytes);
    if (!failed)
        failed = decode(m, slice_lit("data"), &v->payload_bytes);
    stored->message.headers = buf_slice(&v->header_bytes);
    stored->message.payload = buf_slice(&v->payload_bytes);
    return failed;
}

static int print_json(const struct stored *stored) {
    _cleanup_buf_ struct buf text = buf_make(OUTPUT_JSON_MAX);
    struct json_writer w = json_writer_make(&text, false);
    json_write_object(&w);
    json_write_key(&w, "seq");
    json_write_u64(&w, stored->sequence);
    json_write_key(&w, "time");
    json_write_string(&w, stored->time);
    output_message_members(&w, &stored->message);
    return output_json(&w, &text);
}

static int print(const struct view *v, const struct stored *stored) {
    const struct nats_client_message *m = &stored->message;
    if (v->json)
        return print_json(stored);
    if (v->raw) {
        fwrite(m->payload.ptr, 1, m->payload.len, stdout);
        putchar('\n');
    } else {
        printf("%" PRIu64 " %.*s ", stored->sequence, slice_fmt(stored->time));
        output_text(m->subject);
        putchar(' ');
        output_payload(m->payload);
    }
    if (v->headers)
        output_headers(m->headers);
    return 0;
}

/* --- one after the other ---------------------------------------------------------------------- */

static void on_answer(void *self, json_value answer) {
    struct view *v = self;
    struct stored stored = {0};
    if (json_type_of(answer) == JSON_ABSENT) { /* no message any more */
        session_end(v->session, CLI_OK);
    } else if (read_stored(v, answer, &stored)) {
        session_fail(v->session, "the answer holds no message");
    } else if (print(v, &stored)) {
        session_fail(v->session, "no memory to print message %" PRIu64, stored.sequence);
    } else if (++v->shown == v->count) {
        session_end(v->session, CLI_OK);
    } else {
        v->next = stored.sequence + 1;
        ask(v);
    }
}

static void ask(struct view *v) {
    char api[512];
    const char *subject = cli_value(v->call, "subject");
    buf_clear(&v->request);
    struct json_writer w = json_writer_make(&v->request, false);
    json_write_object(&w);
    json_write_key(&w, "seq");
    json_write_u64(&w, v->next);
    json_write_key(&w, "next_by_subj");
    json_write_text(&w, subject ? subject : ">");
    json_write_end(&w);
    snprintf(api, sizeof api, "STREAM.MSG.GET.%.255s", v->call->words[0]);
    if (json_write_finish(&w))
        session_fail(v->session, "no memory");
    else
        session_api(v->session, api, buf_slice(&v->request), SESSION_API_NO_MESSAGE, on_answer, v);
}

static void begin(struct session *session, void *self) {
    struct view *v = self;
    v->session = session;
    ask(v);
}

int cli_stream_view(const struct cli_call *call) {
    struct view v = {
        .call = call,
        .json = cli_flag(call, "json"),
        .raw = cli_flag(call, "raw"),
        .headers = cli_flag(call, "headers"),
        .request = buf_make(64u << 10),
        .header_bytes = buf_make(NATS_CLIENT_PAYLOAD_MAX),
        .payload_bytes = buf_make(NATS_CLIENT_PAYLOAD_MAX),
    };
    const char *subject = cli_value(call, "subject");
    slice name = slice_str(call->words[0]);
    if (!nats_subject_literal(name) || nats_subject_tokens(name) != 1 || name.len > 255)
        return cli_misused(call, "'%s' is no name of a stream", call->words[0]);
    if (subject && !cli_subject(call, subject, true))
        return CLI_USAGE;
    if (!cli_number_within(call, "from", 1, 1, UINT64_MAX, &v.next) ||
        !cli_number_within(call, "count", COUNT_DEFAULT, 1, UINT64_MAX, &v.count))
        return CLI_USAGE;
    if (v.raw && (v.json || v.headers))
        return cli_misused(call, "--raw prints nothing but payloads: leave out --%s",
                           v.json ? "json" : "headers");
    int code = session_run(call, begin, &v);
    buf_free(&v.request);
    buf_free(&v.header_bytes);
    buf_free(&v.payload_bytes);
    return code;
}
