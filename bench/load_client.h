/*
 * load_client.h - what the load programs of `make bench` share: blocking NATS connections, the CPU
 * time of another process, percentiles, and one line of JSON as the result.
 *
 * Nothing here is clever, so that what is measured is the server. Whatever goes wrong ends the
 * program with words on stderr and exit 1: a figure from a run that lost something is worthless.
 */
#ifndef NONET_BENCH_LOAD_CLIENT_H
#define NONET_BENCH_LOAD_CLIENT_H

#include "base/check.h"
#include "wire/json.h"
#include "wire/nats.h"

#include <stdint.h>
#include <sys/types.h>

_Noreturn void load_die(const char *format, ...) printf_like(1, 2);

struct load_client {
    int fd;
    struct nats_parser parser;
    char *bytes;
    size_t from, to, room; /* bytes[from..to) are not yet parsed */
};

/* Connects to 127.0.0.1:PORT and logs in; COMMANDS (may be "") are sent with it and have been taken
   when this returns. */
void load_open(struct load_client *client, unsigned port, const char *commands);
/* The same, false where nobody answers. */
bool load_try_open(struct load_client *client, unsigned port, const char *commands);
/* Only connects; false where nobody answers. */
bool load_try_dial(struct load_client *client, unsigned port);
void load_close(struct load_client *client);
void load_send(struct load_client *client, const char *bytes, size_t size);
/* The next message, its slices valid until the next call; PINGs are answered on the way. With WAIT
   false only what has been read already. */
bool load_next(struct load_client *client, bool wait, struct nats_event *ret_event);
/* Sends a request and gives back the answer's payload, valid until the next call. The client must
   have subscribed to _INBOX.load.*. */
slice load_request(struct load_client *client, const char *subject, const char *payload);
/* A request to $JS.API.<NAME> that must not be refused. */
void load_api(struct load_client *client, const char *name, const char *payload);

/* So many files may be open at once from now on. */
void load_raise_descriptors(uint64_t wanted);

double load_now(void); /* seconds, monotonic */
/* CPU seconds of process PID so far, all its threads, ended ones too. */
double load_cpu(pid_t pid);
uint64_t load_resident_bytes(pid_t pid);

/* Latencies, kept one by one: a percentile of a mean would hide the tail. */
struct load_times {
    float *us;
    size_t count, room;
};
void load_times_make(struct load_times *times, size_t room);
void load_times_add(struct load_times *times, double seconds);
/* Sorts; the value below which PART (0..1) of all lie, microseconds. */
double load_times_at(struct load_times *times, double part);

#endif
