/*
 * kill_load.c - what keeps a life busy: publishers, a consumer, a stream made and deleted, a purge.
 * Nothing here waits for an answer before it goes on, so the kill meets all of them at any point.
 */
#include "kill_run.h"

#include "base/number.h"
#include "wire/json.h"

#include <stdio.h>
#include <string.h>

#define CONSUMED_A_PULL 32u
#define DRAINED_A_PULL 500u
#define REST_MS 1000
#define DRAIN_US_MAX (300 * 1000000ull)

enum sid { SID_ACK = 1, SID_PULL, SID_CONFIRM, SID_MADE, SID_DELETED, SID_PURGED, SID_LEFT };

/* --- publishing ------------------------------------------------------------------------------- */

static void publish(struct kill_run *run, unsigned stream, unsigned publisher, uint32_t number) {
    static char payload[KILL_PAYLOAD_MAX];
    char subject[64], reply[64], headers[96];
    slice to = kill_subject(stream, publisher, number, subject);
    int reply_len =
        snprintf(reply, sizeof reply, "a%u.%u.%u.%u", publisher, stream, publisher, number);
    int headers_len = snprintf(headers, sizeof headers, "NATS/1.0\r\nNats-Msg-Id: %u-%u\r\n\r\n",
                               publisher, number);
    kill_client_publish(&run->clients[publisher], to, slice_make(reply, (size_t)reply_len),
                        slice_make(headers, (size_t)headers_len),
                        kill_payload(stream, publisher, number, payload));
    run->under_way[publisher]++;
}

/* What had no answer when the node was killed is sent again, in its order: its id keeps it from
   being stored twice. */
static void send_again(struct kill_run *run) {
    for (unsigned s = 0; s < KILL_STREAMS; s++)
        for (unsigned p = 0; p < KILL_PUBLISHERS; p++) {
            struct kill_track *track = &run->oracle.tracks[s][p];
            for (uint32_t n = track->unsure; n < track->next; n++)
                if (!track->sequence_of[n])
                    publish(run, s, p, n);
            track->unsure = track->next;
        }
}

static void publish_some(struct kill_run *run) {
    for (unsigned p = 0; p < KILL_PUBLISHERS; p++)
        while (run->under_way[p] < run->window) {
            unsigned s = (unsigned)random_below(&run->random, KILL_STREAMS);
            struct kill_track *track = &run->oracle.tracks[s][p];
            if (track->next == KILL_NUMBERS_MAX)
                kill_give_up(run, "the oracle's tables are full: take fewer kills");
            publish(run, s, p, track->next++);
        }
}

static void on_ack(struct kill_run *run, const struct nats_event *event) {
    unsigned stream, publisher;
    uint32_t number;
    uint64_t sequence;
    struct json_doc doc;
    json_init(&doc);
    slice identity = slice_skip(event->subject, 2); /* behind "a<publisher>" */
    if (!kill_identity(identity, &stream, &publisher, &number))
        kill_give_up(run, "an acknowledgement for something that nobody has sent");
    run->under_way[publisher] -= run->under_way[publisher] > 0;
    if (json_parse(&doc, event->payload) ||
        json_u64(json_member(json_root(&doc), slice_lit("seq")), &sequence)) {
        kill_oracle_broken(&run->oracle.refused, "K%u: a publish was refused: %.*s", stream,
                           slice_fmt(slice_take(event->payload, 200)));
    } else {
        kill_oracle_acked(&run->oracle, stream, publisher, number, sequence);
        if (sequence > run->last[stream])
            run->last[stream] = sequence;
    }
    json_free(&doc);
}

/* --- consuming -------------------------------------------------------------------------------- */

static void pull(struct kill_run *run, unsigned batch) {
    char json[64];
    int len = snprintf(json, sizeof json, "{\"batch\":%u,\"no_wait\":true}", batch);
    kill_client_publish(&run->clients[KILL_CONTROL], slice_lit("$JS.API.CONSUMER.MSG.NEXT.K0.C"),
                        slice_lit("pull"), (slice){0}, slice_make(json, (size_t)len));
    run->pulled = batch;
}

/* "$JS.ACK.<stream>.<consumer>.<deliveries>.<stream sequence>..." */
static uint64_t sequence_of_ack(slice reply) {
    uint64_t sequence = 0;
    for (unsigned i = 0; i < 5; i++)
        slice_cut(reply, '.', &reply);
    return number_parse_u64(slice_cut(reply, '.', &reply), &sequence) ? 0 : sequence;
}

static void on_delivery(struct kill_run *run, const struct nats_event *event) {
    char confirm[64];
    uint64_t sequence = sequence_of_ack(event->reply);
    if (!sequence) { /* a status: nothing more for now */
        run->pulled = 0;
        return;
    }
    run->pulled -= run->pulled > 0;
    kill_oracle_delivered(&run->oracle, sequence);
    int len = snprintf(confirm, sizeof confirm, "c.%llu", (unsigned long long)sequence);
    kill_client_publish(&run->clients[KILL_CONTROL], event->reply, slice_make(confirm, (size_t)len),
                        (slice){0}, slice_lit("+ACK"));
}

static void on_left(struct kill_run *run, const struct nats_event *event) {
    struct json_doc doc;
    uint64_t pending = 1, unacknowledged = 1;
    json_init(&doc);
    if (json_parse(&doc, event->payload) == 0) {
        json_value root = json_root(&doc);
        run->drained =
            json_u64(json_member(root, slice_lit("num_pending")), &pending) == 0 &&
            json_u64(json_member(root, slice_lit("num_ack_pending")), &unacknowledged) == 0 &&
            pending + unacknowledged == 0;
    }
    json_free(&doc);
}

static void ask_left(struct kill_run *run) {
    kill_client_publish(&run->clients[KILL_CONTROL], slice_lit("$JS.API.CONSUMER.INFO.K0.C"),
                        slice_lit("left"), (slice){0}, (slice){0});
}

/* --- streams that change ---------------------------------------------------------------------- */

static void flip_stream(struct kill_run *run) {
    bool make = run->presence == KILL_ABSENT;
    if (run->presence == KILL_UNKNOWN)
        return;
    kill_client_publish(&run->clients[KILL_CONTROL],
                        make ? slice_lit("$JS.API.STREAM.CREATE.T")
                             : slice_lit("$JS.API.STREAM.DELETE.T"),
                        make ? slice_lit("made") : slice_lit("deleted"), (slice){0},
                        make ? slice_lit("{\"name\":\"T\",\"subjects\":[\"t\"]}") : (slice){0});
    run->presence = KILL_UNKNOWN;
}

/* Leaves the newer half of what has been read of K1. */
static void purge(struct kill_run *run) {
    char json[64];
    run->purge_asked = run->checked_to[1] / 2 + 1;
    int len = snprintf(json, sizeof json, "{\"seq\":%llu}", (unsigned long long)run->purge_asked);
    kill_client_publish(&run->clients[KILL_CONTROL], slice_lit("$JS.API.STREAM.PURGE.K1"),
                        slice_lit("purged"), (slice){0}, slice_make(json, (size_t)len));
}

static bool is_success(const struct nats_event *event) {
    return slice_find_slice(event->payload, slice_lit("\"error\"")) < 0;
}

/* --- a life ----------------------------------------------------------------------------------- */

static void on_event(struct kill_run *run, const struct nats_event *event) {
    uint64_t sid, sequence;
    if (number_parse_u64(event->sid, &sid))
        kill_give_up(run, "a message for a subscription that nobody has made");
    switch (sid) {
    case SID_ACK:
        on_ack(run, event);
        return;
    case SID_PULL:
        on_delivery(run, event);
        return;
    case SID_CONFIRM:
        if (number_parse_u64(slice_skip(event->subject, 2), &sequence) == 0)
            kill_oracle_confirmed(&run->oracle, sequence);
        return;
    case SID_MADE:
        run->presence = is_success(event) ? KILL_PRESENT : KILL_ABSENT;
        return;
    case SID_DELETED:
        run->presence = is_success(event) ? KILL_ABSENT : KILL_PRESENT;
        return;
    case SID_PURGED:
        if (is_success(event))
            run->purged = run->purge_asked;
        return;
    case SID_LEFT:
        on_left(run, event);
        return;
    }
}

void kill_load_open(struct kill_run *run) {
    struct kill_client *control = &run->clients[KILL_CONTROL];
    for (unsigned p = 0; p < KILL_PUBLISHERS; p++) {
        char subject[16];
        snprintf(subject, sizeof subject, "a%u.>", p);
        kill_client_subscribe(&run->clients[p], subject, SID_ACK);
        run->under_way[p] = 0;
    }
    kill_client_subscribe(control, "pull", SID_PULL);
    kill_client_subscribe(control, "c.*", SID_CONFIRM);
    kill_client_subscribe(control, "made", SID_MADE);
    kill_client_subscribe(control, "deleted", SID_DELETED);
    kill_client_subscribe(control, "purged", SID_PURGED);
    kill_client_subscribe(control, "left", SID_LEFT);
    run->pulled = 0;
    run->window = 1u << random_below(&run->random, 9);
}

static void turn(struct kill_run *run, int timeout_ms) {
    struct nats_event event;
    for (unsigned i = 0; i < KILL_CLIENTS; i++)
        kill_client_flush(&run->clients[i]);
    kill_client_wait(run->clients, KILL_CLIENTS, timeout_ms);
    for (unsigned i = 0; i < KILL_CLIENTS; i++)
        while (kill_client_next(&run->clients[i], 0, &event))
            on_event(run, &event);
}

void kill_load_for(struct kill_run *run, unsigned us) {
    uint64_t end = kill_now_us() + us;
    send_again(run);
    flip_stream(run);
    if (random_below(&run->random, 25) == 0)
        purge(run);
    while (kill_now_us() < end && !run->clients[KILL_CONTROL].gone) {
        publish_some(run);
        if (run->pulled == 0)
            pull(run, CONSUMED_A_PULL);
        turn(run, 1);
    }
}

void kill_load_rest(struct kill_run *run) {
    struct nats_event event;
    for (unsigned i = 0; i < KILL_CLIENTS; i++)
        while (kill_client_next(&run->clients[i], REST_MS, &event))
            on_event(run, &event);
}

void kill_load_drain(struct kill_run *run) {
    uint64_t end = kill_now_us() + DRAIN_US_MAX;
    while (!run->drained && kill_now_us() < end && !run->clients[KILL_CONTROL].gone) {
        if (run->pulled == 0) {
            ask_left(run);
            pull(run, DRAINED_A_PULL);
        }
        turn(run, 10);
    }
    if (!run->drained)
        kill_oracle_broken(&run->oracle.skipped, "K0: its consumer does not come to an end");
    kill_oracle_drained(&run->oracle, run->last[0]);
}
