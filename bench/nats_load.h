/*
 * nats_load.h - the modes of nats_load, and what they share with append_server.
 *
 * Each mode puts one kind of load on a server and prints one line of JSON with what came of it;
 * what the options mean stands in nats_load.c. The bounds below are what main() lets through.
 */
#ifndef NONET_BENCH_NATS_LOAD_H
#define NONET_BENCH_NATS_LOAD_H

#include "load_client.h"

#define LOAD_FAN_OUT_MAX 64u
#define LOAD_IN_FLIGHT_MAX 65536u
#define LOAD_BATCH_MAX 10000u
#define LOAD_SIZE_MAX (1u << 20)
#define LOAD_APPEND_ANSWER 72u /* bytes: what a PubAck takes on the wire */
#define LOAD_STREAM "BENCH"

struct load_options {
    unsigned port;
    pid_t pid;
    uint64_t size, count, fan_out, in_flight, subjects, hot_every, batch;
    const char *stream, *filter;
    char **command;
};

/* load_core.c */
void load_core(const struct load_options *options);
/* load_ask.c */
void load_ask_service(const struct load_options *options);
void load_ask_stream(const struct load_options *options);
void load_ask_kv_put(const struct load_options *options);
void load_ask_kv_get(const struct load_options *options);
void load_ask_append(const struct load_options *options);

/* load_consume.c */
void load_consume(const struct load_options *options);

#endif
