/*
 * jetstream_wait.c - read your own writes: requests that read a stream, direct get and MSG.NEXT,
 * with the header
 *
 *     Nonet-Min-Sequence: 17     not before readers of the stream may see 17 or a later one
 *
 * The request is kept, and served as if it came then. After WAIT_NS it is answered with status 412,
 * as nats-server words what it has no request for yet (JSStreamMinLastSeqErr, 10180).
 *
 * BOUNDS: STREAM_WAITERS_MAX requests of WAITING_BYTES_MAX together, then 429.
 */
#include "base/mem.h"
#include "base/number.h"
#include "bus/stream_wait.h"
#include "rooms/pubsub/jetstream.h"
#include "wire/nats_headers.h"

#include <errno.h>

#define WAIT_NS (2 * 1000000000ull)
#define WAITING_BYTES_MAX (64u << 20) /* a request may be as large as max_payload */

struct waiting {
    struct api_call *call;
    size_t size;                /* with this struct */
    struct bus_message message; /* without headers, so it does not wait again */
    char text[];
};

static void waiting_free(struct waiting *waiting) {
    waiting->call->js->waiting_bytes -= waiting->size;
    api_call_free(waiting->call);
    mem_free(waiting);
}

static void on_waited(void *self, int failed) {
    struct waiting *waiting = self;
    struct jetstream *js = waiting->call->js;
    if (failed == -ETIMEDOUT)
        api_status(js, waiting->message.reply, 412, "Min Last Sequence");
    else if (failed == -ECANCELED)
        api_status(js, waiting->message.reply, 503, "Server Shutdown");
    else
        api_again(js, &waiting->message);
    waiting_free(waiting);
}

static void wait(const struct api_request *request, const struct bus_message *m,
                 struct stream *stream, uint64_t sequence) {
    struct jetstream *js = request->js;
    size_t size = sizeof(struct waiting) + m->subject.len + m->reply.len + m->payload.len;
    bool fits = js->waiting_bytes + size <= WAITING_BYTES_MAX;
    struct waiting *waiting = fits ? mem_zalloc(1, size) : NULL;
    if (!waiting) {
        api_status(js, m->reply, 429, "Too Many Requests");
        return;
    }
    struct api_call *call = api_call_new(request);
    if (!call) {
        mem_free(waiting);
        return;
    }
    char *at = waiting->text;
    waiting->call = call;
    waiting->size = size;
    js->waiting_bytes += size;
    waiting->message.subject = slice_store(&at, m->subject);
    waiting->message.reply = slice_store(&at, m->reply);
    waiting->message.payload = slice_store(&at, m->payload);
    if (stream_wait(stream, sequence, WAIT_NS, on_waited, waiting)) {
        api_status(js, m->reply, 429, "Too Many Requests");
        waiting_free(waiting);
    }
}

bool api_waits(const struct api_request *request, const struct bus_message *message) {
    slice text;
    uint64_t sequence;
    struct stream *stream = stream_find(request->js->streams, request->tokens[0]);
    if (!stream || !nats_headers_get(message->headers, slice_lit("Nonet-Min-Sequence"), &text) ||
        !text.len)
        return false;
    if (number_parse_u64(text, &sequence)) {
        api_status(request->js, message->reply, 400,
                   "Bad Request - Nonet-Min-Sequence is not a sequence");
        return true;
    }
    if (log_stream_state(stream_log(stream)).last_sequence >= sequence)
        return false;
    wait(request, message, stream, sequence);
    return true;
}
