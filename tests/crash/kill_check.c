/*
 * kill_check.c - what the lives before have left is read back and judged by the oracle: the state
 * of the streams by STREAM.INFO, each message by STREAM.MSG.GET.
 */
#include "kill_run.h"

#include "base/number.h"
#include "wire/json.h"

#include <stdio.h>
#include <string.h>

#define ASKED_MAX 512u /* requests without answer */
#define GOT_SID 98

#define SILENT "a node that nobody kills does not answer"

void kill_check_make(struct kill_run *run) {
    static const char *const requests[][2] = {
        {"$JS.API.STREAM.CREATE.K0", "{\"name\":\"K0\",\"subjects\":[\"k0.>\"]}"},
        {"$JS.API.STREAM.CREATE.K1", "{\"name\":\"K1\",\"subjects\":[\"k1.>\"]}"},
        {"$JS.API.STREAM.CREATE.K2", "{\"name\":\"K2\",\"subjects\":[\"k2.>\"],\"max_msgs\":1000}"},
        {"$JS.API.CONSUMER.DURABLE.CREATE.K0.C",
         "{\"stream_name\":\"K0\",\"config\":{\"durable_name\":\"C\",\"ack_policy\":\"explicit\","
         "\"deliver_policy\":\"all\",\"ack_wait\":100000000}}"},
    };
    struct nats_event event;
    for (size_t i = 0; i < array_count(requests); i++)
        if (!kill_client_ask(&run->clients[KILL_CONTROL], requests[i][0], slice_str(requests[i][1]),
                             KILL_ANSWER_MS, &event) ||
            slice_find_slice(event.payload, slice_lit("\"error\"")) >= 0)
            kill_give_up(run, "a stream or consumer cannot be made");
}

static void ask_message(struct kill_run *run, unsigned stream, uint64_t sequence) {
    char subject[64], reply[64], json[64];
    snprintf(subject, sizeof subject, "$JS.API.STREAM.MSG.GET.K%u", stream);
    int reply_len = snprintf(reply, sizeof reply, "got.%llu", (unsigned long long)sequence);
    int len = snprintf(json, sizeof json, "{\"seq\":%llu}", (unsigned long long)sequence);
    kill_client_publish(&run->clients[KILL_CONTROL], slice_str(subject),
                        slice_make(reply, (size_t)reply_len), (slice){0},
                        slice_make(json, (size_t)len));
}

/* Reads FROM..TO of STREAM, many requests at a time. Answers come in any order (some wait for the
   disk), so each has its sequence in its reply subject. */
static void read_back(struct kill_run *run, unsigned stream, uint64_t from, uint64_t to,
                      bool begins) {
    struct kill_client *client = &run->clients[KILL_CONTROL];
    uint64_t asked = 0, answered = 0, count = to - from + 1, sequence;
    struct nats_event event;
    kill_oracle_read(&run->oracle, stream, from, to, begins);
    while (answered < count) {
        for (; asked < count && asked - answered < ASKED_MAX; asked++)
            ask_message(run, stream, from + asked);
        if (!kill_client_flush(client) || !kill_client_next(client, KILL_ANSWER_MS, &event))
            kill_give_up(run, SILENT);
        if (!slice_starts_with(event.subject, slice_lit("got.")))
            continue;
        if (number_parse_u64(slice_skip(event.subject, strlen("got.")), &sequence) ||
            sequence < from || sequence > to)
            kill_give_up(run, "an answer to a question that nobody has asked");
        kill_oracle_check(&run->oracle, sequence, event.payload);
        answered++;
    }
    kill_oracle_read_end(&run->oracle);
}

static bool ask_state(struct kill_run *run, const char *name, uint64_t *ret_first,
                      uint64_t *ret_last) {
    char subject[64];
    struct nats_event event;
    struct json_doc doc;
    snprintf(subject, sizeof subject, "$JS.API.STREAM.INFO.%s", name);
    if (!kill_client_ask(&run->clients[KILL_CONTROL], subject, (slice){0}, KILL_ANSWER_MS, &event))
        kill_give_up(run, SILENT);
    json_init(&doc);
    bool there = json_parse(&doc, event.payload) == 0 &&
                 json_u64(json_path(json_root(&doc), "state.first_seq"), ret_first) == 0 &&
                 json_u64(json_path(json_root(&doc), "state.last_seq"), ret_last) == 0;
    json_free(&doc);
    return there;
}

/* Where STREAM begins is what was asked for, or a limit: never later. */
static void check_first(struct kill_run *run, unsigned stream, uint64_t first, uint64_t last) {
    uint64_t least = 1, most = 1;
    if (stream == 1) {
        least = run->purged;
        most = run->purge_asked > 1 ? run->purge_asked : 1;
        if (first > run->purged)
            run->purged = first; /* the purge that was under way at the kill was done */
    } else if (stream == 2 && last > KILL_K2_MESSAGES) {
        least = most = last - KILL_K2_MESSAGES + 1;
    }
    if (last && first < least)
        kill_oracle_broken(&run->oracle.undone, "K%u begins at %llu, not at %llu", stream,
                           (unsigned long long)first, (unsigned long long)least);
    if (last && first > most)
        kill_oracle_broken(&run->oracle.lost, "K%u begins at %llu already, not at %llu", stream,
                           (unsigned long long)first, (unsigned long long)most);
}

static void check_stream(struct kill_run *run, unsigned stream, bool all) {
    char name[8];
    uint64_t first = 0, last = 0;
    snprintf(name, sizeof name, "K%u", stream);
    if (!ask_state(run, name, &first, &last))
        kill_oracle_broken(&run->oracle.lost, "stream %s is not there", name);
    if (last < run->last[stream])
        kill_oracle_broken(&run->oracle.lost, "%s ends at %llu, but %llu was acknowledged", name,
                           (unsigned long long)last, (unsigned long long)run->last[stream]);
    check_first(run, stream, first, last);
    uint64_t from = all ? 1 : run->checked_to[stream] + 1;
    if (from < first)
        from = first;
    if (from <= last)
        read_back(run, stream, from, last, all);
    run->last[stream] = run->checked_to[stream] = last;
}

/* Stream T is there or not, as was acknowledged last. */
static void check_presence(struct kill_run *run) {
    uint64_t first, last;
    bool there = ask_state(run, "T", &first, &last);
    if (run->presence == (there ? KILL_ABSENT : KILL_PRESENT))
        kill_oracle_broken(&run->oracle.undone, "stream T was %s, and %s",
                           there ? "deleted" : "made", there ? "is back" : "has gone");
    run->presence = there ? KILL_PRESENT : KILL_ABSENT;
}

void kill_check_streams(struct kill_run *run, bool all) {
    kill_client_subscribe(&run->clients[KILL_CONTROL], "got.*", GOT_SID);
    for (unsigned stream = 0; stream < KILL_STREAMS; stream++)
        check_stream(run, stream, all);
    check_presence(run);
}
