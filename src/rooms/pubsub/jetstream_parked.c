/*
 * jetstream_parked.c - the API of parked messages (bus/consumer_park.c), which is Nonet's own:
 *
 *     $JS.API.NONET.PARKED.LIST.<stream>.<consumer>    {"from": seq}
 *         {"parked": [{"seq", "reason", "deliveries", "time"}], "total"}; at most a page, by
 *         sequence: the next one begins behind the last
 *     $JS.API.NONET.PARKED.REPLAY.<stream>.<consumer>  {"seq": n}, or {"all": true}
 *         {"replayed": n}: delivered once more, and parked again if that fails, too
 *     $JS.API.NONET.PARKED.DROP.<stream>.<consumer>    {"seq": n}, or {"all": true}
 *         {"dropped": n}: done, as if acknowledged
 *
 * A change is answered when it is on disk. "all" takes a bounded part of very many (PART_MAX): who
 * gets that number asks again.
 */
#include "rooms/pubsub/jetstream.h"

#include <errno.h>
#include <string.h>

#define PAGE JETSTREAM_LIST_PAGE
#define PART_MAX 65536u

static void write_parked(struct json_writer *w, const struct consumer_parked *parked) {
    json_write_object(w);
    json_write_key(w, "seq");
    json_write_u64(w, parked->sequence);
    json_write_key(w, "reason");
    json_write_string(w, parked->reason);
    json_write_key(w, "deliveries");
    json_write_u64(w, parked->deliveries);
    api_write_time(w, "time", parked->time_ns);
    json_write_end(w);
}

void api_parked_list(const struct api_request *request) {
    const struct consumer *consumer = api_consumer(request);
    struct consumer_parked parked;
    uint64_t from = 0;
    if (!consumer)
        return;
    if (json_u64(json_member(request->json, slice_lit("from")), &from))
        from = 0;
    struct json_writer w = api_begin(request->js, request->type);
    json_write_key(&w, "parked");
    json_write_array(&w);
    for (unsigned i = 0; i < PAGE && consumer_parked_next(consumer, from, &parked); i++) {
        write_parked(&w, &parked);
        from = parked.sequence + 1;
    }
    json_write_end(&w);
    json_write_key(&w, "total");
    json_write_u64(&w, consumer_parked_count(consumer));
    api_end(request->js, &w, request->reply);
}

/* The answer says how many once all of it is on disk. */
static void on_settled(void *self, struct consumer *consumer, const struct streams_error *error) {
    (void)consumer;
    struct api_call *call = self;
    if (error) {
        api_error(call->js, call->type, api_call_reply(call), error);
    } else {
        struct json_writer w = api_begin(call->js, call->type);
        json_write_key(&w, strcmp(call->type, "parked_drop") == 0 ? "dropped" : "replayed");
        json_write_u64(&w, call->count);
        api_end(call->js, &w, api_call_reply(call));
    }
    api_call_free(call);
}

static int change_some(struct consumer *c, uint64_t sequence, uint64_t *io_count,
                       int (*apply)(struct consumer *, uint64_t)) {
    struct consumer_parked parked;
    int failed = 0;
    if (sequence) {
        failed = apply(c, sequence);
        *io_count += failed == 0;
        return failed;
    }
    while (!failed && *io_count < PART_MAX && consumer_parked_next(c, sequence, &parked)) {
        failed = apply(c, parked.sequence);
        sequence = parked.sequence + 1;
        *io_count += failed == 0;
    }
    return failed;
}

static void change(const struct api_request *request, int (*apply)(struct consumer *, uint64_t)) {
    struct consumer *consumer = api_consumer(request);
    struct streams_error e = {0};
    uint64_t sequence = 0, count = 0;
    bool all = false;
    if (!consumer)
        return;
    bool one = json_u64(json_member(request->json, slice_lit("seq")), &sequence) == 0 && sequence;
    (void)!json_bool(json_member(request->json, slice_lit("all")), &all);
    if (one == all)
        streams_fail(&e, 400, 10003, "bad request: give \"seq\", or \"all\": true");
    int failed = e.code ? 0 : change_some(consumer, sequence, &count, apply);
    if (failed == -ENOENT)
        streams_fail(&e, 404, 10037, "message %llu is not parked", (unsigned long long)sequence);
    else if (failed)
        streams_fail(&e, 503, 10023, "insufficient resources after %llu messages: ask again",
                     (unsigned long long)count);
    struct api_call *call = e.code ? NULL : api_call_new(request);
    if (e.code)
        api_error(request->js, request->type, request->reply, &e);
    if (!call)
        return;
    call->count = count;
    consumer_settle(consumer, on_settled, call);
}

void api_parked_replay(const struct api_request *request) {
    change(request, consumer_parked_replay);
}

void api_parked_drop(const struct api_request *request) {
    change(request, consumer_parked_drop);
}
