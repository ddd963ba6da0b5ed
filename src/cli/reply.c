/*
 * reply.c - nonet reply SUBJECT: a service in one line.
 *
 * Answers every request on SUBJECT with a text (--with), with the request itself (--echo), or with
 * what a command prints: --command runs it by /bin/sh for each request, the payload on its stdin,
 * the subject in NONET_SUBJECT. A command that fails answers with Nats-Service-Error headers
 * (ADR-32) and what it printed. Several of these share the work: they are one queue group
 * (--queue).
 *
 * At most --concurrency commands run at once; up to WAITING_MAX requests wait for their turn, and
 * what is past them is answered "503 busy" at once. Silent but for --verbose, which writes one line
 * a request to stderr. Ends after --count requests, or by SIGINT once running commands have ended.
 */
#include "base/list.h"
#include "base/mem.h"
#include "cli/message.h"
#include "cli/output.h"
#include "cli/session.h"
#include "io/process.h"
#include "wire/nats_headers.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

#define QUEUE_DEFAULT "nonet-reply"
#define CONCURRENCY_DEFAULT 8u
#define CONCURRENCY_MAX 256u
#define WAITING_MAX 1024u
#define WAITING_BYTES_MAX (64u << 20)
#define STDERR 2

struct reply {
    const struct cli_call *call;
    struct session *session;
    const char *command;
    slice data;
    bool echo, verbose, stopping, gone;
    struct buf headers;
    uint64_t concurrency, count, taken; /* count 0: without end */
    unsigned subscription, running, waiting;
    size_t waiting_bytes;
    struct list queue, started; /* of struct job */
};

/* One request that a command answers. `text` holds subject, reply and payload. */
struct job {
    struct list_node node;
    struct reply *owner;
    struct io_process *process;
    char *variable; /* "NONET_SUBJECT=..." */
    slice subject, reply, payload;
    char text[];
};

static void start_jobs(struct reply *r);

/* --- answering -------------------------------------------------------------------------------- */

static void answer(struct reply *r, slice to, slice headers, slice payload) {
    const struct nats_client_message m = {.subject = to, .headers = headers, .payload = payload};
    session_publish(r->session, &m);
}

static void refuse(struct reply *r, slice to, const char *code, const char *words, slice payload) {
    _cleanup_buf_ struct buf headers = buf_make(4096);
    int failed = nats_headers_begin(&headers, 0, (slice){0});
    if (!failed)
        failed = nats_headers_add(&headers, slice_lit("Nats-Service-Error"), slice_str(words));
    if (!failed)
        failed = nats_headers_add(&headers, slice_lit("Nats-Service-Error-Code"), slice_str(code));
    if (!failed)
        failed = nats_headers_end(&headers);
    if (failed)
        session_fail(r->session, "no memory to answer");
    else
        answer(r, to, buf_slice(&headers), payload);
}

static void end_if_over(struct reply *r) {
    if (r->stopping && !r->running && !r->waiting)
        session_end(r->session, CLI_OK);
}

/* No further request is taken; those at hand are answered. */
static void stop(void *self) {
    struct reply *r = self;
    if (r->stopping)
        return;
    r->stopping = true;
    session_unsubscribe(r->session, r->subscription);
    end_if_over(r);
}

/* --- commands --------------------------------------------------------------------------------- */

static void free_job(struct job *job) {
    list_remove(&job->node);
    mem_free(job->variable);
    mem_free(job);
}

static void on_exit_status(void *owner, int status, slice output) {
    struct job *job = owner;
    struct reply *r = job->owner;
    char words[64];
    if (output.len > session_info(r->session)->payload_max) {
        refuse(r, job->reply, "500", "the command prints more than a message holds", (slice){0});
    } else if (status == 0) {
        answer(r, job->reply, buf_slice(&r->headers), output);
    } else {
        snprintf(words, sizeof words,
                 status < 256 ? "the command exits with %d" : "the command was killed by signal %d",
                 status < 256 ? status : status - 256);
        refuse(r, job->reply, "500", words, output);
    }
    free_job(job);
    r->running--;
    start_jobs(r);
    end_if_over(r);
    session_release(r->session);
}

static void on_line(void *owner, bool is_stderr, slice line) {
    (void)owner;
    if (is_stderr)
        fprintf(stderr, "%.*s\n", slice_fmt(line));
}

static void start_job(struct reply *r, struct job *job) {
    const char *variables[] = {job->variable, NULL};
    const struct io_process_options options = {
        .command = r->command,
        .variables = variables,
        .input = job->payload,
        .whole_output = true,
        .output_max = session_info(r->session)->payload_max + 1, /* to see what is too much */
        .on_line = on_line,
        .on_exit = on_exit_status,
        .owner = job,
    };
    int failed = io_process_start(session_loop(r->session), &options, &job->process);
    if (failed) {
        refuse(r, job->reply, "500", "the command cannot be started", (slice){0});
        cli_failed("cannot start the command: %s", error_name(failed));
        free_job(job);
        return;
    }
    list_push_back(&r->started, &job->node);
    r->running++;
    session_hold(r->session);
}

static void start_jobs(struct reply *r) {
    struct list_node *node;
    while (!r->gone && r->running < r->concurrency && (node = list_pop_front(&r->queue))) {
        struct job *job = container_of(node, struct job, node);
        r->waiting--;
        r->waiting_bytes -= job->payload.len;
        start_job(r, job);
    }
}

/* Nobody is left to answer to. */
static void on_gone(void *self) {
    struct reply *r = self;
    struct list_node *node, *following;
    r->gone = true;
    list_each(&r->started, node, following) {
        io_process_signal(container_of(node, struct job, node)->process, SIGKILL);
    }
}

static struct job *make_job(struct reply *r, const struct nats_client_message *m) {
    struct job *job = mem_alloc(sizeof *job + m->subject.len + m->reply.len + m->payload.len);
    _cleanup_buf_ struct buf variable = buf_make(64u << 10);
    if (!job)
        return NULL;
    char *at = job->text;
    list_node_init(&job->node);
    job->owner = r;
    job->subject = slice_store(&at, m->subject);
    job->reply = slice_store(&at, m->reply);
    job->payload = slice_store(&at, m->payload);
    job->variable = buf_printf(&variable, "NONET_SUBJECT=%.*s", slice_fmt(m->subject))
                        ? NULL
                        : mem_copy(variable.ptr, variable.len);
    return job->variable ? job : mem_free(job);
}

static void run_command(struct reply *r, const struct nats_client_message *m) {
    bool busy = r->waiting == WAITING_MAX || r->waiting_bytes + m->payload.len > WAITING_BYTES_MAX;
    struct job *job = busy ? NULL : make_job(r, m);
    if (!job) {
        refuse(r, m->reply, "503", busy ? "busy" : "no memory", (slice){0});
        return;
    }
    r->waiting++;
    r->waiting_bytes += m->payload.len;
    list_push_back(&r->queue, &job->node);
    start_jobs(r);
}

/* --- requests --------------------------------------------------------------------------------- */

static void on_request(void *self, const struct nats_client_message *m) {
    struct reply *r = self;
    if (r->verbose)
        fprintf(stderr, "%.*s %zu bytes%s\n", slice_fmt(m->subject), m->payload.len,
                m->reply.len ? "" : " (no reply wanted)");
    if (m->reply.len) {
        if (r->command)
            run_command(r, m);
        else
            answer(r, m->reply, buf_slice(&r->headers), r->echo ? m->payload : r->data);
    }
    if (++r->taken == r->count)
        stop(r);
}

static void on_subscribed(void *self) {
    struct reply *r = self;
    if (cli_flag(r->call, "ready") || io_is_terminal(STDERR))
        fprintf(stderr, "answering on %s\n", r->call->words[0]);
}

static void begin(struct session *session, void *self) {
    struct reply *r = self;
    const char *queue = cli_value(r->call, "queue");
    r->session = session;
    session_on_interrupt(session, stop, r);
    session_on_gone(session, on_gone, r);
    r->subscription = session_subscribe(session, slice_str(r->call->words[0]),
                                        slice_str(queue ? queue : QUEUE_DEFAULT), on_request, r);
    session_flush(session, on_subscribed, r);
}

int cli_reply(const struct cli_call *call) {
    const char *queue = cli_value(call, "queue"), *text = cli_value(call, "with");
    struct reply r = {
        .call = call,
        .command = cli_value(call, "command"),
        .data = slice_str(text),
        .echo = cli_flag(call, "echo"),
        .verbose = cli_flag(call, "verbose"),
        .headers = buf_make(MESSAGE_HEADERS_MAX),
    };
    if (!cli_subject(call, call->words[0], true) || (queue && !cli_subject(call, queue, false)))
        return CLI_USAGE;
    if ((r.command != NULL) + (text != NULL) + r.echo != 1)
        return cli_misused(call, "answer with what? one of --with TEXT, --echo, --command CMD");
    if (cli_flag(call, "json"))
        return cli_misused(call, "reply prints nothing, so there is nothing to print as JSON");
    if (!cli_number_within(call, "count", 0, 1, UINT64_MAX, &r.count) ||
        !cli_number_within(call, "concurrency", CONCURRENCY_DEFAULT, 1, CONCURRENCY_MAX,
                           &r.concurrency))
        return CLI_USAGE;
    list_init(&r.queue);
    list_init(&r.started);
    int code = message_read_headers(call, &r.headers);
    if (code == CLI_OK)
        code = session_run(call, begin, &r);
    struct list_node *node;
    while ((node = list_first(&r.queue)))
        free_job(container_of(node, struct job, node));
    buf_free(&r.headers);
    return code;
}
