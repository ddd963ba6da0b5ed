/*
 * sub.c - nonet sub SUBJECT
 *
 * Prints each message on one line, "SUBJECT PAYLOAD" (a payload with line ends takes more), with
 * --headers its headers below, with --raw only the payload and a line end. --json: one line a
 * message, as in output.h. Ends after --count messages, by SIGINT, or when nobody reads its output.
 */
#include "cli/output.h"
#include "cli/session.h"
#include "io/process.h"

#include <stdio.h>

#define STDERR 2

struct sub {
    const struct cli_call *call;
    struct session *session;
    bool json, raw, headers;
    uint64_t count, received; /* count 0: without end */
};

static int print(const struct sub *s, const struct nats_client_message *m) {
    if (s->json)
        return output_message_json(m);
    if (s->raw) {
        fwrite(m->payload.ptr, 1, m->payload.len, stdout);
        putchar('\n');
    } else {
        output_text(m->subject);
        putchar(' ');
        output_payload(m->payload);
    }
    if (s->headers)
        output_headers(m->headers);
    return 0;
}

static void on_message(void *self, const struct nats_client_message *message) {
    struct sub *s = self;
    if (print(s, message))
        session_fail(s->session, "no memory to print a message of %zu bytes", message->payload.len);
    else if (++s->received == s->count)
        session_end(s->session, CLI_OK);
}

static void on_interrupt(void *self) {
    struct sub *s = self;
    session_end(s->session, CLI_OK);
}

/* The server has the subscription: from here on nothing is missed. */
static void on_subscribed(void *self) {
    struct sub *s = self;
    if (cli_flag(s->call, "ready") || io_is_terminal(STDERR))
        fprintf(stderr, "listening on %s\n", s->call->words[0]);
}

static void begin(struct session *session, void *self) {
    struct sub *s = self;
    s->session = session;
    session_on_interrupt(session, on_interrupt, s);
    session_subscribe(session, slice_str(s->call->words[0]), slice_str(cli_value(s->call, "queue")),
                      on_message, s);
    session_flush(session, on_subscribed, s);
}

int cli_sub(const struct cli_call *call) {
    const char *queue = cli_value(call, "queue");
    struct sub s = {
        .call = call,
        .json = cli_flag(call, "json"),
        .raw = cli_flag(call, "raw"),
        .headers = cli_flag(call, "headers"),
    };
    if (!cli_subject(call, call->words[0], true) || (queue && !cli_subject(call, queue, false)))
        return CLI_USAGE;
    if (!cli_number_within(call, "count", 0, 1, UINT64_MAX, &s.count))
        return CLI_USAGE;
    if (s.raw && (s.json || s.headers))
        return cli_misused(call, "--raw prints nothing but payloads: leave out --%s",
                           s.json ? "json" : "headers");
    return session_run(call, begin, &s);
}
