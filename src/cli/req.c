/*
 * req.c - nonet req SUBJECT [DATA|-]
 *
 * Prints the answer's payload and a line end (--raw: the payload alone, byte for byte). --replies N
 * asks everybody at once and prints the first N answers; 0 means all that come within --timeout.
 * --json: one line an answer as in output.h, with "elapsed_ms" in front. An answer that says it is
 * an error (Nats-Service-Error, ADR-32) is printed, too, and the exit is 1; so it is where nobody
 * listens or nobody answers in time.
 */
#include "cli/message.h"
#include "cli/output.h"
#include "cli/session.h"
#include "wire/nats_headers.h"

#include <stdio.h>

struct req {
    const struct cli_call *call;
    struct session *session;
    struct message message;
    bool json, raw, headers;
    uint64_t replies, received; /* replies 0: all */
    uint64_t started_ns;
    struct io_timer deadline;
    int code;
};

static int print_json(const struct req *r, const struct nats_client_message *m) {
    _cleanup_buf_ struct buf text = buf_make(OUTPUT_JSON_MAX);
    struct json_writer w = json_writer_make(&text, false);
    uint64_t now_ns = io_host_clock_ns(io_loop_host(session_loop(r->session)));
    json_write_object(&w);
    json_write_key(&w, "elapsed_ms");
    json_write_double(&w, (double)((now_ns - r->started_ns) / 1000) * 1e-3);
    output_message_members(&w, m);
    return output_json(&w, &text);
}

static int print(const struct req *r, const struct nats_client_message *m) {
    if (r->json)
        return print_json(r, m);
    if (r->headers)
        output_headers(m->headers);
    if (r->raw) {
        fwrite(m->payload.ptr, 1, m->payload.len, stdout);
    } else {
        output_payload(m->payload);
    }
    return 0;
}

static void judge(struct req *r, const struct nats_client_message *m) {
    slice text, code = {0};
    if (!nats_headers_get(m->headers, slice_lit("Nats-Service-Error"), &text))
        return;
    (void)nats_headers_get(m->headers, slice_lit("Nats-Service-Error-Code"), &code);
    r->code = cli_failed("the service answers with an error: %.*s%s%.*s", slice_fmt(code),
                         code.len ? " " : "", slice_fmt(text));
}

static void on_answer(void *self, const struct nats_client_message *m) {
    struct req *r = self;
    if (session_no_responders(m)) {
        session_fail(r->session, "nobody listens on %s\n  hint: nonet reply %s --echo answers",
                     r->call->words[0], r->call->words[0]);
        return;
    }
    if (print(r, m)) {
        session_fail(r->session, "no memory to print an answer of %zu bytes", m->payload.len);
        return;
    }
    judge(r, m);
    if (++r->received == r->replies)
        session_end(r->session, r->code);
}

static void on_deadline(struct io_timer *timer) {
    struct req *r = container_of(timer, struct req, deadline);
    if (r->received && !r->replies)
        session_end(r->session, r->code);
    else if (r->received)
        session_fail(r->session, "%llu of %llu answers within the --timeout",
                     (unsigned long long)r->received, (unsigned long long)r->replies);
    else
        session_fail(r->session, "no answer from %s within the --timeout", r->call->words[0]);
}

static void begin(struct session *session, void *self) {
    struct req *r = self;
    char inbox[SESSION_INBOX_MAX];
    r->session = session;
    r->started_ns = io_host_clock_ns(io_loop_host(session_loop(session)));
    slice reply = slice_make(inbox, session_new_inbox(session, inbox));
    session_subscribe(session, reply, (slice){0}, on_answer, r);
    const struct nats_client_message m = {slice_str(r->call->words[0]), reply,
                                          buf_slice(&r->message.headers), r->message.payload};
    session_publish(session, &m);
    io_timer_start(session_loop(session), &r->deadline, session_timeout_ns(session), on_deadline);
}

int cli_req(const struct cli_call *call) {
    struct req r = {
        .call = call,
        .json = cli_flag(call, "json"),
        .raw = cli_flag(call, "raw"),
        .headers = cli_flag(call, "headers"),
    };
    if (!cli_subject(call, call->words[0], false) || !cli_number(call, "replies", 1, &r.replies))
        return CLI_USAGE;
    if (r.raw && (r.json || r.headers))
        return cli_misused(call, "--raw prints nothing but payloads: leave out --%s",
                           r.json ? "json" : "headers");
    int code = message_read(call, call->word_count > 1 ? call->words[1] : NULL, &r.message);
    if (code == CLI_OK)
        code = session_run(call, begin, &r);
    message_free(&r.message);
    return code;
}
