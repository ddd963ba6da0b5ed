/*
 * kill_run.h - one run of the kill loop: the node, the clients, the oracle, and what is asked.
 *
 * kill_load.c keeps a life busy, kill_check.c reads back what the lives before have left; both work
 * on this struct, which crash_kill.c owns.
 *
 *     client 0, 1   a publisher each, acknowledgements on the same connection
 *     client 2      the consumer of K0, requests of the API, reading back
 *
 *     K0   kept whole, with a durable consumer     K1   purged now and then
 *     K2   keeps KILL_K2_MESSAGES                  T    made and deleted, again and again
 */
#ifndef NONET_TESTS_CRASH_KILL_RUN_H
#define NONET_TESTS_CRASH_KILL_RUN_H

#include "base/random.h"
#include "kill_client.h"
#include "kill_oracle.h"
#include "kill_process.h"

#define KILL_CLIENTS (KILL_PUBLISHERS + 1)
#define KILL_CONTROL KILL_PUBLISHERS
#define KILL_ANSWER_MS 30000
#define KILL_K2_MESSAGES 1000u

/* What is known of stream T from outside. */
enum kill_presence { KILL_ABSENT, KILL_PRESENT, KILL_UNKNOWN };

struct kill_run {
    struct kill_process process;
    struct kill_client clients[KILL_CLIENTS];
    struct kill_oracle oracle;
    struct random random;
    unsigned window; /* of this life: publishes of one publisher without answer */
    unsigned under_way[KILL_PUBLISHERS];
    bool drained;                      /* the consumer of K0 has nothing left */
    unsigned pulled;                   /* deliveries still to come, or their end */
    uint64_t last[KILL_STREAMS];       /* acknowledged or read */
    uint64_t checked_to[KILL_STREAMS]; /* read back so far */
    uint64_t purge_asked, purged;      /* of K1: below these, asked and acknowledged */
    enum kill_presence presence;
};

uint64_t kill_now_us(void);
/* Ends the process: what follows would mean nothing. */
_Noreturn void kill_give_up(const struct kill_run *run, const char *why);

/* kill_load.c */
void kill_load_open(struct kill_run *run); /* subscribes; once a life */
/* Publishes, consumes and changes streams for US microseconds, or until the node has gone. */
void kill_load_for(struct kill_run *run, unsigned us);
/* Takes in what the node had sent before it was killed: that counts. */
void kill_load_rest(struct kill_run *run);
/* Consumes until nothing is left of K0. */
void kill_load_drain(struct kill_run *run);

/* kill_check.c */
void kill_check_make(struct kill_run *run); /* the streams, in the first life */
/* Reads back what has been stored since the last check, or ALL of it. */
void kill_check_streams(struct kill_run *run, bool all);

#endif
