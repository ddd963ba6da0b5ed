/*
 * crash_kill.c - kill -9 on the real binary under load, again and again, with an outside oracle.
 *
 *   crash_kill --kills N --binary build/nonet [--seed S] [--shards 1]
 *
 * One life of the node: start; what was without answer in the last life is sent again under its
 * old ids; publishers keep a window of messages under way into two streams, a consumer takes
 * messages and acknowledges them with confirmation; after some milliseconds: SIGKILL, one life in
 * twenty while it is still starting, one in twenty after a pause by SIGSTOP. In the next life
 * every message acknowledged in this one is read back; every 100 lives, and at the end, every
 * message of both streams is. What the oracle demands stands in kill_oracle.h.
 *
 * The last line is `N passed, N failed`: lives, and broken demands.
 */
#include "base/number.h"
#include "base/random.h"
#include "kill_client.h"
#include "kill_oracle.h"
#include "kill_process.h"
#include "wire/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define START_TIMEOUT_MS 60000
#define ANSWER_TIMEOUT_MS 20000
#define WINDOW 256u
#define CHECK_WINDOW 512u
#define FULL_CHECK_EVERY 100u
#define ACK_SID 1
#define PULL_SID 2
#define CONFIRM_SID 3
#define READ_SID 4

struct run {
    struct kill_process process;
    struct kill_client client;
    struct kill_oracle oracle;
    struct random random;
    unsigned under_way; /* publishes without answer in this life */
    uint64_t last[KILL_STREAMS], checked_to[KILL_STREAMS];
    uint64_t pull_pending;
};

static uint64_t now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

static void give_up(const struct run *run, const char *why) {
    fprintf(stderr, "crash_kill: %s; the node's log is %s/log\n", why, run->process.folder);
    printf("0 passed, 1 failed\n");
    exit(1);
}

/* --- publishing ------------------------------------------------------------------------------ */

static void publish(struct run *run, unsigned stream, unsigned publisher, uint32_t number) {
    char subject[64], reply[64], headers[96], payload[KILL_PAYLOAD_SIZE];
    slice to = kill_subject(stream, publisher, number, subject);
    int reply_len = snprintf(reply, sizeof reply, "a.%u.%u.%u", stream, publisher, number);
    int headers_len = snprintf(headers, sizeof headers, "NATS/1.0\r\nNats-Msg-Id: %u-%u\r\n\r\n",
                               publisher, number);
    kill_payload(stream, publisher, number, payload);
    kill_client_publish(&run->client, to, slice_make(reply, (size_t)reply_len),
                        slice_make(headers, (size_t)headers_len),
                        slice_make(payload, sizeof payload));
    run->under_way++;
}

/* What had no answer when the node was killed is sent again: its id keeps it from being stored
   twice. */
static void send_again(struct run *run) {
    for (unsigned s = 0; s < KILL_STREAMS; s++)
        for (unsigned p = 0; p < KILL_PUBLISHERS; p++) {
            struct kill_track *track = &run->oracle.tracks[s][p];
            for (uint32_t n = track->unsure; n < track->next; n++)
                if (!track->sequence_of[n]) {
                    track->again[n] = true;
                    publish(run, s, p, n);
                }
            track->unsure = track->next;
        }
}

static void publish_some(struct run *run) {
    while (run->under_way < WINDOW) {
        unsigned s = (unsigned)random_below(&run->random, KILL_STREAMS);
        unsigned p = (unsigned)random_below(&run->random, KILL_PUBLISHERS);
        struct kill_track *track = &run->oracle.tracks[s][p];
        if (track->next == KILL_NUMBERS_MAX)
            give_up(run, "the oracle's tables are full: take fewer kills");
        publish(run, s, p, track->next++);
    }
}

static void on_ack(struct run *run, const struct nats_event *event) {
    unsigned stream, publisher;
    uint32_t number;
    struct json_doc doc;
    uint64_t sequence;
    json_init(&doc);
    run->under_way -= run->under_way > 0;
    if (kill_identity(slice_skip(event->subject, 1), &stream, &publisher, &number) &&
        json_parse(&doc, event->payload) == 0 &&
        json_type_of(json_member(json_root(&doc), slice_lit("error"))) == JSON_ABSENT &&
        json_u64(json_member(json_root(&doc), slice_lit("seq")), &sequence) == 0) {
        kill_oracle_acked(&run->oracle, stream, publisher, number, sequence);
        if (sequence > run->last[stream])
            run->last[stream] = sequence;
    }
    json_free(&doc);
}

/* --- consuming ---------------------------------------------------------------------------------
 */

static void pull(struct run *run) {
    kill_client_publish(&run->client, slice_lit("$JS.API.CONSUMER.MSG.NEXT.K0.C"),
                        slice_lit("pull"), (slice){0},
                        slice_lit("{\"batch\":16,\"no_wait\":true}"));
    run->pull_pending = 16;
}

/* "$JS.ACK.<stream>.<consumer>.<deliveries>.<stream sequence>..." */
static uint64_t sequence_of_ack(slice reply) {
    uint64_t sequence = 0;
    for (unsigned i = 0; i < 5; i++)
        slice_cut(reply, '.', &reply);
    return number_parse_u64(slice_cut(reply, '.', &reply), &sequence) ? 0 : sequence;
}

static void on_delivery(struct run *run, const struct nats_event *event) {
    uint64_t sequence = sequence_of_ack(event->reply);
    char confirm[64];
    if (!sequence) { /* a status: nothing more for now */
        run->pull_pending = 0;
        return;
    }
    run->pull_pending -= run->pull_pending > 0;
    kill_oracle_delivered(&run->oracle, sequence);
    int len = snprintf(confirm, sizeof confirm, "c.%llu", (unsigned long long)sequence);
    kill_client_publish(&run->client, event->reply, slice_make(confirm, (size_t)len), (slice){0},
                        slice_lit("+ACK"));
}

static void on_event(struct run *run, const struct nats_event *event) {
    uint64_t sequence;
    if (slice_equal(event->sid, slice_lit("1")))
        on_ack(run, event);
    else if (slice_equal(event->sid, slice_lit("2")))
        on_delivery(run, event);
    else if (slice_equal(event->sid, slice_lit("3")) &&
             number_parse_u64(slice_skip(event->subject, 2), &sequence) == 0)
        kill_oracle_confirmed(&run->oracle, sequence);
}

/* --- reading back --------------------------------------------------------------------------------
 */

/* Reads FROM..TO of STREAM, many requests at a time. Answers come in any order (some wait for the
   disk), so each has its sequence in its reply subject. */
static void read_back(struct run *run, unsigned stream, uint64_t from, uint64_t to) {
    char subject[64], json[64], reply[32];
    uint64_t sequence;
    snprintf(subject, sizeof subject, "$JS.API.STREAM.MSG.GET.K%u", stream);
    uint64_t asked = from, answered = from;
    struct nats_event event;
    while (answered <= to) {
        for (; asked <= to && asked - answered < CHECK_WINDOW; asked++) {
            int len = snprintf(json, sizeof json, "{\"seq\":%llu}", (unsigned long long)asked);
            int reply_len = snprintf(reply, sizeof reply, "r.%llu", (unsigned long long)asked);
            kill_client_publish(&run->client, slice_str(subject),
                                slice_make(reply, (size_t)reply_len), (slice){0},
                                slice_make(json, (size_t)len));
        }
        if (!kill_client_flush(&run->client) ||
            !kill_client_next(&run->client, ANSWER_TIMEOUT_MS, &event))
            give_up(run, "a node that nobody kills does not answer");
        if (!slice_equal(event.sid, slice_lit("4")) ||
            number_parse_u64(slice_skip(event.subject, 2), &sequence))
            continue;
        kill_oracle_check(&run->oracle, stream, sequence, event.payload);
        answered++;
    }
}

static uint64_t stream_last(struct run *run, unsigned stream) {
    char subject[64];
    struct nats_event event;
    struct json_doc doc;
    uint64_t last = 0;
    snprintf(subject, sizeof subject, "$JS.API.STREAM.INFO.K%u", stream);
    if (!kill_client_ask(&run->client, subject, (slice){0}, ANSWER_TIMEOUT_MS, &event))
        give_up(run, "a node that nobody kills does not answer");
    json_init(&doc);
    if (json_parse(&doc, event.payload) == 0 &&
        json_u64(json_path(json_root(&doc), "state.last_seq"), &last))
        last = 0;
    json_free(&doc);
    return last;
}

static void check_streams(struct run *run, bool all) {
    for (unsigned s = 0; s < KILL_STREAMS; s++) {
        uint64_t last = stream_last(run, s);
        if (last < run->last[s]) {
            fprintf(stderr, "crash_kill: K%u ends at %llu, %llu was acknowledged\n", s,
                    (unsigned long long)last, (unsigned long long)run->last[s]);
            run->oracle.lost += run->last[s] - last;
        }
        run->last[s] = last;
        uint64_t from = all ? 1 : run->checked_to[s] + 1;
        read_back(run, s, from, last);
        run->checked_to[s] = last;
    }
}

/* --- lives
 * ---------------------------------------------------------------------------------------- */

static void make_streams(struct run *run) {
    static const char *const requests[][2] = {
        {"$JS.API.STREAM.CREATE.K0", "{\"name\":\"K0\",\"subjects\":[\"k0.>\"]}"},
        {"$JS.API.STREAM.CREATE.K1", "{\"name\":\"K1\",\"subjects\":[\"k1.>\"]}"},
        {"$JS.API.CONSUMER.DURABLE.CREATE.K0.C",
         "{\"stream_name\":\"K0\",\"config\":{\"durable_name\":\"C\",\"ack_policy\":\"explicit\","
         "\"deliver_policy\":\"all\",\"ack_wait\":100000000}}"},
    };
    struct nats_event event;
    for (size_t i = 0; i < array_count(requests); i++)
        if (!kill_client_ask(&run->client, requests[i][0], slice_str(requests[i][1]),
                             ANSWER_TIMEOUT_MS, &event) ||
            slice_find_slice(event.payload, slice_lit("\"error\"")) >= 0)
            give_up(run, "a stream or consumer cannot be made");
}

static void open_life(struct run *run) {
    kill_process_start(&run->process);
    unsigned port = kill_process_port(&run->process, START_TIMEOUT_MS);
    if (!port || !kill_client_open(&run->client, port, ANSWER_TIMEOUT_MS))
        give_up(run, "the node does not come up again");
    kill_client_subscribe(&run->client, "a.>", ACK_SID);
    kill_client_subscribe(&run->client, "pull", PULL_SID);
    kill_client_subscribe(&run->client, "c.*", CONFIRM_SID);
    kill_client_subscribe(&run->client, "r.*", READ_SID);
    run->under_way = 0;
    run->pull_pending = 0;
}

static void load_for(struct run *run, unsigned us) {
    uint64_t end = now_us() + us;
    struct nats_event event;
    send_again(run);
    while (now_us() < end && !run->client.gone) {
        publish_some(run);
        if (run->pull_pending == 0)
            pull(run);
        kill_client_flush(&run->client);
        if (kill_client_next(&run->client, 1, &event))
            do
                on_event(run, &event);
            while (kill_client_next(&run->client, 0, &event));
    }
}

static void one_life(struct run *run, unsigned life) {
    if (random_below(&run->random, 20) == 0) { /* killed while it starts */
        kill_process_start(&run->process);
        kill_sleep_us((unsigned)random_below(&run->random, 40000));
        kill_process_kill(&run->process);
    }
    open_life(run);
    if (life == 0)
        make_streams(run);
    check_streams(run, life % FULL_CHECK_EVERY == FULL_CHECK_EVERY - 1);
    load_for(run, 3000 + (unsigned)random_below(&run->random, 60000));
    if (random_below(&run->random, 20) == 0)
        kill_process_pause(&run->process, 5 + (unsigned)random_below(&run->random, 20));
    kill_process_kill(&run->process);
    kill_client_close(&run->client);
}

static void last_life(struct run *run) {
    open_life(run);
    check_streams(run, true);
    kill_client_close(&run->client);
    if (!kill_process_stop(&run->process, ANSWER_TIMEOUT_MS))
        give_up(run, "SIGTERM does not end it cleanly");
}

static void report(const struct run *run, unsigned lives, uint64_t started_us) {
    const struct kill_oracle *o = &run->oracle;
    printf("\n%u kills in %llu s: %llu publishes acknowledged, %llu messages read back, "
           "%llu deliveries, %llu confirmed\n",
           lives, (unsigned long long)((now_us() - started_us) / 1000000),
           (unsigned long long)o->acked, (unsigned long long)o->checked,
           (unsigned long long)o->deliveries, (unsigned long long)o->confirmations);
    printf("lost %llu, stored twice %llu, wrong %llu, out of order %llu, redelivered %llu\n",
           (unsigned long long)o->lost, (unsigned long long)o->twice, (unsigned long long)o->wrong,
           (unsigned long long)o->unordered, (unsigned long long)o->redelivered);
}

static const char *argument(int argc, char **argv, const char *name, const char *fallback) {
    for (int i = 1; i + 1 < argc; i++)
        if (strcmp(argv[i], name) == 0)
            return argv[i + 1];
    return fallback;
}

int main(int argc, char **argv) {
    unsigned kills = (unsigned)strtoul(argument(argc, argv, "--kills", "100"), NULL, 10);
    uint64_t seed = strtoull(argument(argc, argv, "--seed", "1"), NULL, 10);
    const char *parent = getenv("TMPDIR");
    char folder[300];
    snprintf(folder, sizeof folder, "%s/nonet-kill-XXXXXX", parent ? parent : "/var/tmp");
    static struct run run;
    run.process.binary = argument(argc, argv, "--binary", "build/nonet");
    run.process.shards = (unsigned)strtoul(argument(argc, argv, "--shards", "1"), NULL, 10);
    run.random = random_make(seed);
    if (!mkdtemp(folder)) {
        perror("crash_kill: mkdtemp");
        return 2;
    }
    run.process.folder = folder;
    kill_oracle_open(&run.oracle);
    uint64_t started_us = now_us();
    unsigned lives = 0;
    while (lives < kills && !kill_oracle_failures(&run.oracle)) {
        one_life(&run, lives++);
        if (isatty(1)) {
            printf("\r%u kills, %llu acknowledged", lives, (unsigned long long)run.oracle.acked);
            fflush(stdout);
        }
    }
    last_life(&run);
    report(&run, lives, started_us);
    uint64_t failures = kill_oracle_failures(&run.oracle);
    if (failures)
        fprintf(stderr, "crash_kill: seed %llu; data kept in %s\n", (unsigned long long)seed,
                folder);
    kill_oracle_close(&run.oracle);
    printf("%u passed, %llu failed\n", lives, (unsigned long long)failures);
    return failures ? 1 : 0;
}
