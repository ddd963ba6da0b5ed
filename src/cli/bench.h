/*
 * bench.h - `nonet bench`: load on a server by many connections, over one or more threads.
 *
 *   SETUP --control has asked for streams--> LOGIN --every member ready--> (server's CPU noted) RUN
 *     --every member done--> (CPU noted, streams removed) ENDING --> report
 *      any failure --> ENDING, exit 1
 *
 * A member is one connection with a role of the plan; members are dealt to the loops in turn and do
 * all their work there. One more connection, control, on loop 0, sets up, asks for the server's CPU
 * (`nonet.status`; other servers tell nothing) and cleans up. The phase is shared; each loop looks
 * at it once a millisecond.
 *
 * Publishers never get further ahead of the slowest receiver than BENCH_AHEAD_BYTES, because a
 * server cuts slow consumers off, and a run that lost messages has no result.
 */
#ifndef NONET_CLI_BENCH_H
#define NONET_CLI_BENCH_H

#include "cli/histogram.h"
#include "cli/nats_client.h"

#include <stdatomic.h>

#define BENCH_MEMBERS_MAX 4096u
#define BENCH_THREADS_MAX 64u
#define BENCH_SIZE_MAX (1u << 20)
#define BENCH_IN_FLIGHT_MAX 65536u
#define BENCH_AHEAD_BYTES (8u << 20)
#define BENCH_NAME_MAX 32u
#define BENCH_INBOX_MAX 64u

struct bench;
struct bench_member;

struct bench_role {
    const char *name; /* "publisher" */
    unsigned count;
    void (*ready)(struct bench_member *member); /* logged in: subscribe; may be NULL */
    void (*start)(struct bench_member *member); /* the run begins; may be NULL */
    void (*on_message)(struct bench_member *member, const struct nats_client_message *message);
};

struct bench_setup { /* one request of control: to subject, before the run or after it */
    char subject[300], payload[512];
    bool after;
};

#define BENCH_ROLES_MAX 2u
#define BENCH_SETUPS_MAX 4u

/* What is run. */
struct bench {
    const struct cli_call *call;
    const char *name, *unit;                   /* "core"; what a count counts: "delivery" */
    uint64_t size, in_flight, messages, total; /* total: units until the run is done */
    uint64_t timeout_ns;                       /* for logins, and for answers to setups */
    unsigned threads;
    bool quiet; /* no report: this run only prepares another */
    char subject[BENCH_NAME_MAX], stream[BENCH_NAME_MAX];
    struct bench_role roles[BENCH_ROLES_MAX];
    struct bench_setup setups[BENCH_SETUPS_MAX];
    unsigned setup_count;
    _Atomic(uint64_t) sent, received; /* messages, by all members */
    struct bench_running *running;
};

/* One connection. The role's functions may use `user` and what they like of the rest. */
struct bench_member {
    struct bench *bench;
    const struct bench_role *role;
    unsigned index; /* within the role */
    struct nats_client *client;
    struct io_loop *loop;
    struct io_timer again;
    uint64_t quota, sent, received;
    char inbox[BENCH_INBOX_MAX];
    uint64_t *sent_at;          /* by flight, where the role asks */
    char *payload;              /* bench->size bytes */
    struct histogram latencies; /* ns */
};

/* Fills what the options say: size, count, publishers, subscribers, in-flight, threads; names with
   a random part. CLI_OK or CLI_USAGE. */
int bench_read(const struct cli_call *call, const char *name, uint64_t in_flight,
               struct bench *bench);
/* Adds a request of control. */
void bench_add_setup(struct bench *bench, bool after, const char *subject, const char *format, ...)
    printf_like(4, 5);
/* Makes the stream and publishes into it (bench_request.c); removes it after the run. */
void bench_set_publish(struct bench *bench);
void bench_add_removal(struct bench *bench);
/* Runs; prints the report. An exit code. */
int bench_run(struct bench *bench);

/* For roles. Publishing is held back: go on in the next turn, or when receivers have caught up. */
bool bench_must_wait(const struct bench_member *member);
uint64_t bench_now_ns(const struct bench_member *member);
/* UNITS more of bench->total are done. */
void bench_count(struct bench_member *member, uint64_t units);
void bench_fail(struct bench_member *member, const char *format, ...) printf_like(2, 3);

#endif
