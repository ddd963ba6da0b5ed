/*
 * nats_load.c - load on a NATS server, from outside, and what it cost that server.
 *
 *     nats_load MODE --port P --pid PID [--size BYTES] [--count N] ...      one line of JSON
 *
 *     core      one publisher, --fan-out N subscribers: cpu_us and rate are of deliveries
 *     request   one asker with --in-flight N requests, one answerer
 *     publish   into a file stream, --in-flight N unacknowledged; --subjects N: each message goes
 *               to the next of so many subjects of 20 bytes; --hot-every N: every Nth to bench.hot
 *     consume   --count messages of that stream by a pull consumer, --batch N at a time, each
 *               acknowledged; --filter SUBJECT
 *     kv-put    values of --size bytes to the next of --subjects keys, --in-flight N at once
 *     kv-get    the same keys by direct gets
 *     append    the bare comparison of `publish`: --size bytes to append_server, one at a time
 *     idle      --count connections that do nothing: resident bytes each
 *     start     nats_load start --port P [--stream S] -- COMMAND...: runs COMMAND; seconds until it
 *               answers PING (with --stream: until it tells how many messages S holds), and what
 *               it then keeps resident; COMMAND is killed afterwards
 *     ready     until somebody answers on --port: exit 0
 *     cpu       {"cpu_seconds":..,"resident_bytes":..} of --pid
 *
 * The clients are raw: prebuilt lines, blocking sockets, one thread a direction. CPU is the server
 * process's own clock around the run, so what the load costs is not in it.
 */
#include "nats_load.h"

#include "base/number.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define START_SECONDS_MAX 300
#define SETTLE_SECONDS 1

/* --- idle ------------------------------------------------------------------------------------- */

static void load_idle(const struct load_options *o) {
    struct load_client *clients = calloc(o->count, sizeof *clients);
    if (!clients)
        load_die("no memory");
    load_raise_descriptors(o->count + 100);
    uint64_t before = load_resident_bytes(o->pid);
    for (uint64_t i = 0; i < o->count; i++) {
        load_open(&clients[i], o->port, "SUB bench.idle 1\r\n");
        free(clients[i].bytes); /* nothing will come */
        clients[i].bytes = NULL;
    }
    sleep(SETTLE_SECONDS);
    uint64_t after = load_resident_bytes(o->pid);
    printf("{\"connections\":%" PRIu64 ",\"bytes_each\":%.0f}\n", o->count,
           ((double)after - (double)before) / (double)o->count);
}

/* --- start, ready ----------------------------------------------------------------------------- */

static void nap(void) {
    nanosleep(&(struct timespec){.tv_nsec = 500000}, NULL);
}

static void await_server(struct load_client *client, unsigned port, const char *commands,
                         pid_t child) {
    double begun = load_now();
    while (!load_try_open(client, port, commands)) {
        if (child && waitpid(child, NULL, WNOHANG) == child)
            load_die("the server has ended");
        if (load_now() - begun > START_SECONDS_MAX)
            load_die("no answer within %d s", START_SECONDS_MAX);
        nap();
    }
}

/* The number behind "messages": in the answer to STREAM.INFO; waits while there is no stream yet.
 */
static uint64_t await_stream(struct load_client *client, const char *stream) {
    char subject[300];
    snprintf(subject, sizeof subject, "$JS.API.STREAM.INFO.%s", stream);
    for (;;) {
        uint64_t messages;
        slice answer = load_request(client, subject, "");
        ptrdiff_t at = slice_find_slice(answer, slice_lit("\"messages\":"));
        if (at >= 0) {
            slice number = slice_skip(answer, (size_t)at + sizeof "\"messages\":" - 1);
            if (number_parse_u64(slice_cut(number, ',', &(slice){0}), &messages) == 0)
                return messages;
        }
        nap();
    }
}

static void load_start(const struct load_options *o) {
    struct load_client client;
    uint64_t messages = 0;
    double begun = load_now();
    pid_t child = fork();
    if (child < 0)
        load_die("fork: %s", strerror(errno));
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execvp(o->command[0], o->command);
        load_die("%s: %s", o->command[0], strerror(errno));
    }
    await_server(&client, o->port, "SUB _INBOX.load.* 1\r\n", child);
    if (o->stream)
        messages = await_stream(&client, o->stream);
    double elapsed = load_now() - begun;
    sleep(SETTLE_SECONDS);
    printf("{\"seconds\":%.4f,\"resident_bytes\":%" PRIu64 ",\"messages\":%" PRIu64 "}\n", elapsed,
           load_resident_bytes(child), messages);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

static void load_ready(const struct load_options *o) {
    struct load_client client;
    await_server(&client, o->port, "", 0);
    load_close(&client);
}

static void load_usage(const struct load_options *o) {
    printf("{\"cpu_seconds\":%.4f,\"resident_bytes\":%" PRIu64 "}\n", load_cpu(o->pid),
           load_resident_bytes(o->pid));
}

/* --- options ---------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    void (*run)(const struct load_options *options);
    bool on_process;
} modes[] = {
    {"core", load_core, true},          {"request", load_ask_service, true},
    {"publish", load_ask_stream, true}, {"consume", load_consume, true},
    {"kv-put", load_ask_kv_put, true},  {"kv-get", load_ask_kv_get, true},
    {"append", load_ask_append, true},  {"idle", load_idle, true},
    {"start", load_start, false},       {"ready", load_ready, false},
    {"cpu", load_usage, true},
};

static uint64_t read_number(const char *name, const char *value, uint64_t least, uint64_t most) {
    uint64_t number;
    if (!value || number_parse_u64(slice_str(value), &number) || number < least || number > most)
        load_die("%s takes a number from %" PRIu64 " to %" PRIu64, name, least, most);
    return number;
}

static void read_option(struct load_options *o, const char *name, const char *value) {
    if (strcmp(name, "--port") == 0)
        o->port = (unsigned)read_number(name, value, 1, 65535);
    else if (strcmp(name, "--pid") == 0)
        o->pid = (pid_t)read_number(name, value, 1, INT32_MAX);
    else if (strcmp(name, "--size") == 0)
        o->size = read_number(name, value, 0, LOAD_SIZE_MAX);
    else if (strcmp(name, "--count") == 0)
        o->count = read_number(name, value, 1, UINT32_MAX);
    else if (strcmp(name, "--fan-out") == 0)
        o->fan_out = read_number(name, value, 1, LOAD_FAN_OUT_MAX);
    else if (strcmp(name, "--in-flight") == 0)
        o->in_flight = read_number(name, value, 1, LOAD_IN_FLIGHT_MAX);
    else if (strcmp(name, "--subjects") == 0)
        o->subjects = read_number(name, value, 1, UINT32_MAX);
    else if (strcmp(name, "--hot-every") == 0)
        o->hot_every = read_number(name, value, 1, UINT32_MAX);
    else if (strcmp(name, "--batch") == 0)
        o->batch = read_number(name, value, 1, LOAD_BATCH_MAX);
    else if (strcmp(name, "--filter") == 0)
        o->filter = value;
    else if (strcmp(name, "--stream") == 0)
        o->stream = value;
    else
        load_die("unknown option %s", name);
}

int main(int argc, char **argv) {
    struct load_options options = {
        .size = 128, .count = 100000, .fan_out = 1, .in_flight = 1, .subjects = 1, .batch = 500};
    signal(SIGPIPE, SIG_IGN);
    for (int i = 2; i < argc; i += 2) {
        if (strcmp(argv[i], "--") == 0) {
            options.command = argv + i + 1;
            break;
        }
        read_option(&options, argv[i], argv[i + 1]);
    }
    for (size_t i = 0; argc > 1 && i < array_count(modes); i++) {
        if (strcmp(argv[1], modes[i].name) != 0)
            continue;
        if (modes[i].on_process && !options.pid)
            load_die("--pid is missing");
        if (modes[i].run == load_start && (!options.command || !options.command[0]))
            load_die("the command to start is missing");
        modes[i].run(&options);
        return 0;
    }
    load_die("usage: nats_load "
             "core|request|publish|consume|kv-put|kv-get|append|idle|start|ready|cpu ...");
}
