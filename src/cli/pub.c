/*
 * pub.c - nonet pub SUBJECT [DATA|-]
 *
 * Without --durable a message counts as published once the server has taken it (PONG). With it each
 * message is sent as a request, and counts once the stream that captures SUBJECT has acknowledged
 * it: on a node that means it is on disk. At most DURABLE_WINDOW acknowledgements are awaited.
 *
 * --json: {"subject":"a","published":3,"bytes":15,"elapsed_ms":0.4}, with --durable also
 * "stream":"S","first_seq":1,"seq":3 and "duplicates": how many the stream had already.
 */
#include "cli/message.h"
#include "cli/output.h"
#include "cli/session.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#define DURABLE_WINDOW 1024u
#define PENDING_HIGH (4u << 20) /* bytes waiting for the socket: pause */
#define PAUSE_NS 1000000u
#define BURST 4096u /* messages written in one turn */

struct pub {
    struct session *session;
    const struct cli_call *call;
    struct message message;
    slice subject, reply;
    bool durable;
    uint64_t count, sent, acked, duplicates, first_seq, last_seq;
    char stream[256];
    uint64_t started_ns;
    struct json_doc doc;
    struct io_timer more;
};

static void send_more(struct pub *p);

/* --- the end ---------------------------------------------------------------------------------- */

static double elapsed_ms(const struct pub *p) {
    struct io_host *host = io_loop_host(session_loop(p->session));
    return (double)(io_host_clock_ns(host) - p->started_ns) * 1e-6;
}

static int print_json(const struct pub *p) {
    _cleanup_buf_ struct buf text = buf_make(64u << 10);
    struct json_writer w = json_writer_make(&text, false);
    json_write_object(&w);
    json_write_key(&w, "subject");
    json_write_string(&w, p->subject);
    json_write_key(&w, "published");
    json_write_u64(&w, p->count);
    json_write_key(&w, "bytes");
    json_write_u64(&w, p->count * p->message.payload.len);
    if (p->durable) {
        json_write_key(&w, "stream");
        json_write_text(&w, p->stream);
        json_write_key(&w, "first_seq");
        json_write_u64(&w, p->first_seq);
        json_write_key(&w, "seq");
        json_write_u64(&w, p->last_seq);
        json_write_key(&w, "duplicates");
        json_write_u64(&w, p->duplicates);
    }
    json_write_key(&w, "elapsed_ms");
    json_write_double(&w, elapsed_ms(p));
    return output_json(&w, &text);
}

static void print_human(const struct pub *p) {
    char count[32];
    if (!p->durable) {
        if (p->count > 1)
            printf("published %s messages of %zu bytes to %.*s in %.1f ms\n",
                   output_count(p->count, count), p->message.payload.len, slice_fmt(p->subject),
                   elapsed_ms(p));
        else
            printf("published %zu bytes to %.*s\n", p->message.payload.len, slice_fmt(p->subject));
    } else if (p->count > 1) {
        printf("stored %s messages in %s, seq %" PRIu64 " to %" PRIu64,
               output_count(p->count, count), p->stream, p->first_seq, p->last_seq);
        printf(p->duplicates ? " (%" PRIu64 " of them had been stored before)\n" : "\n",
               p->duplicates);
    } else {
        printf("stored in %s, seq %" PRIu64 "%s\n", p->stream, p->last_seq,
               p->duplicates ? " (it had been stored before)" : "");
    }
}

static void finish(void *self) {
    struct pub *p = self;
    if (cli_flag(p->call, "json") && print_json(p))
        session_fail(p->session, "no memory");
    else if (!cli_flag(p->call, "json"))
        print_human(p);
    session_end(p->session, CLI_OK);
}

/* --- durable: one acknowledgement for each message -------------------------------------------- */

/* {"stream":"S","seq":7} or {"error":{"description":"..."}} */
static bool read_ack(struct pub *p, slice json) {
    slice text;
    uint64_t seq;
    if (json_parse(&p->doc, json)) {
        session_fail(p->session, "%.*s is answered by something that is no stream",
                     slice_fmt(p->subject));
        return false;
    }
    json_value root = json_root(&p->doc);
    json_value error = json_member(root, slice_lit("error"));
    if (json_string(json_member(error, slice_lit("description")), &text) == 0) {
        session_fail(p->session, "the stream refuses message %" PRIu64 ": %.*s", p->acked + 1,
                     slice_fmt(text));
        return false;
    }
    bool duplicate = false;
    if (json_string(json_member(root, slice_lit("stream")), &text) ||
        slice_to_string(text, p->stream, sizeof p->stream) ||
        json_u64(json_member(root, slice_lit("seq")), &seq)) {
        session_fail(p->session, "%.*s is answered by something that is no stream",
                     slice_fmt(p->subject));
        return false;
    }
    if (json_bool(json_member(root, slice_lit("duplicate")), &duplicate) == 0 && duplicate)
        p->duplicates++;
    if (!p->first_seq || seq < p->first_seq)
        p->first_seq = seq;
    if (seq > p->last_seq)
        p->last_seq = seq;
    return true;
}

static void on_ack(void *self, const struct nats_client_message *reply, int failed) {
    struct pub *p = self;
    if (failed == -EHOSTUNREACH)
        session_fail(p->session,
                     "no stream captures %.*s\n  hint: nonet stream add NAME --subjects %.*s",
                     slice_fmt(p->subject), slice_fmt(p->subject));
    else if (failed)
        session_fail(p->session,
                     "no acknowledgement within the --timeout; %" PRIu64 " of %" PRIu64
                     " are stored",
                     p->acked, p->count);
    else if (read_ack(p, reply->payload) && ++p->acked == p->count)
        finish(p);
    else
        send_more(p);
}

/* --- sending ---------------------------------------------------------------------------------- */

static void on_more(struct io_timer *timer) {
    send_more(container_of(timer, struct pub, more));
}

static void send_one(struct pub *p) {
    const struct nats_client_message m = {p->subject, p->reply, buf_slice(&p->message.headers),
                                          p->message.payload};
    p->sent++;
    if (p->durable)
        session_request(p->session, m.subject, m.headers, m.payload, on_ack, p);
    else
        session_publish(p->session, &m);
    if (p->sent == p->count && !p->durable)
        session_flush(p->session, finish, p);
}

static void send_more(struct pub *p) {
    for (unsigned i = 0; p->sent < p->count; i++) {
        if (p->durable && p->sent - p->acked == DURABLE_WINDOW)
            return; /* on_ack goes on */
        bool enough = session_pending(p->session) > PENDING_HIGH;
        if (enough || i == BURST) {
            io_timer_start(session_loop(p->session), &p->more, enough ? PAUSE_NS : 0, on_more);
            return;
        }
        send_one(p);
    }
}

static void begin(struct session *session, void *self) {
    struct pub *p = self;
    p->session = session;
    p->started_ns = io_host_clock_ns(io_loop_host(session_loop(session)));
    send_more(p);
}

int cli_pub(const struct cli_call *call) {
    struct pub p = {.call = call, .durable = cli_flag(call, "durable")};
    const char *reply = cli_value(call, "reply");
    if (!cli_subject(call, call->words[0], false) || (reply && !cli_subject(call, reply, false)))
        return CLI_USAGE;
    if (p.durable && reply)
        return cli_misused(call, "--durable awaits the answer itself: leave out --reply");
    if (!cli_number_within(call, "count", 1, 1, UINT64_MAX, &p.count))
        return CLI_USAGE;
    p.subject = slice_str(call->words[0]);
    p.reply = slice_str(reply);
    json_init(&p.doc);
    int code = message_read(call, call->word_count > 1 ? call->words[1] : NULL, &p.message);
    if (code == CLI_OK)
        code = session_run(call, begin, &p);
    message_free(&p.message);
    json_free(&p.doc);
    return code;
}
