/*
 * changelog_server.c - see changelog_server.h.
 *
 *   ask: copied -> queue --end of the turn--> append -> on disk -> published, answered
 *                    '-- the log is over its mark: again a little later, PATIENCE_NS
 *
 * As with the ledger's commits, nothing is appended from inside a receiver, and what was handed to
 * the log outlives the server.
 */
#include "rooms/stream/changelog_server.h"

#include "base/mem.h"
#include "bus/diversion.h"
#include "wire/nats_subject.h"

#include <errno.h>

#define TELLINGS_MAX 65536u /* each view asks one at a time */
#define RETRY_NS 20000000u
#define PATIENCE_NS (30 * UINT64_C(1000000000))

struct changelog_server {
    struct room_shard *shard;
    struct bus_subscription *subscription;
    struct list queue; /* struct telling */
    unsigned count;    /* of the queue */
    unsigned pending;  /* handed to the log */
    struct io_task work;
    struct io_timer again;
    bool closed;
};

struct telling {
    struct list_node node;
    struct changelog_server *server;
    uint64_t until_ns;
    struct tell_ask ask;
    slice reply, subject, name, body;
    struct bus_message *messages; /* ask.count, in `body` */
    char text[];
};

static void telling_free(struct telling *t) {
    list_remove(&t->node);
    mem_free(t->messages);
    mem_free(t);
}

static struct changelog_server *let_go(struct changelog_server *s) {
    return s->closed && s->pending == 0 ? mem_free(s) : s;
}

static void answer(struct telling *t, int failed, int64_t created_ns, slice text) {
    struct tell_answer head = {failed, created_ns, (uint32_t)text.len};
    char room[sizeof head + 512];
    struct buf out = {.ptr = room, .cap = sizeof room, .max = sizeof room};
    if (buf_append(&out, slice_make(&head, sizeof head)) || buf_append(&out, text))
        return; /* as if lost: the asker's deadline tells */
    const struct bus_message message = {.subject = t->reply, .payload = buf_slice(&out)};
    bus_publish(t->server->shard->bus, &message, NULL, NULL);
}

static bool captures(const struct stream *s, slice subject) {
    const struct stream_config *c = stream_config(s);
    for (unsigned i = 0; i < c->subject_count; i++)
        if (nats_subject_is_subset(subject, c->subjects[i]))
            return true;
    return false;
}

/* The stream that captures T's subject: there is one at most. */
static struct stream *find(struct streams *streams, const struct telling *t) {
    struct stream *s = t->name.len ? stream_find(streams, t->name) : NULL;
    if (s && captures(s, t->subject))
        return s;
    s = stream_next(streams, (slice){0});
    while (s && !captures(s, t->subject))
        s = stream_next(streams, stream_config(s)->name);
    return s;
}

/* To who listens. The stream has them already: captures have the streams as their origin. */
static void publish(struct telling *t) {
    struct bus_route route = {0};
    for (uint32_t i = 0; i < t->ask.count; i++)
        bus_publish(t->server->shard->bus, &t->messages[i], t->server->shard->streams,
                    t->messages[i].subject.ptr == t->subject.ptr ? &route : NULL);
    bus_route_clear(&route);
}

static void on_appended(void *self, const struct streams_error *error) {
    struct telling *t = self;
    struct changelog_server *s = t->server;
    s->pending--;
    if (!s->closed && error) {
        answer(t, -EIO, 0, slice_str(error->description));
    } else if (!s->closed) {
        publish(t);
        answer(t, 0, t->ask.expected_ns, (slice){0});
    }
    if (!s->closed)
        io_defer(s->shard->loop, &s->work);
    telling_free(t);
    (void)let_go(s);
}

/* Why STREAM's limits do not let it take T's messages, which nobody judges after us; NULL: they do.
   Where old messages make room there is nothing to refuse. */
static const char *refusal(const struct telling *t, const struct stream *stream) {
    const struct stream_config *c = stream_config(stream);
    const struct log_stream_state now = log_stream_staged(stream_log(stream));
    uint64_t bytes = 0, size, largest = 0;
    for (uint32_t i = 0; i < t->ask.count; i++) {
        size = t->messages[i].headers.len + t->messages[i].payload.len;
        bytes += t->messages[i].subject.len + size;
        largest = size > largest ? size : largest;
    }
    if (c->sealed)
        return "the stream is sealed";
    if (c->message_bytes_max >= 0 && largest > (uint64_t)c->message_bytes_max)
        return "a row is larger than the stream's max_msg_size";
    if (c->discard == STREAM_DISCARD_NEW && c->messages_max >= 0 &&
        now.messages + t->ask.count > (uint64_t)c->messages_max)
        return "the stream has its maximum of messages";
    if (c->discard == STREAM_DISCARD_NEW && c->bytes_max >= 0 &&
        now.bytes + bytes > (uint64_t)c->bytes_max)
        return "the stream has its maximum of bytes";
    return NULL;
}

/* 0: T is done with; -EAGAIN: later. */
static int append(struct telling *t, struct stream *stream) {
    struct changelog_server *s = t->server;
    struct streams_error e = {0};
    uint64_t first;
    const char *why = refusal(t, stream);
    if (why) {
        answer(t, -EIO, 0, slice_str(why));
        telling_free(t);
        return 0;
    }
    list_remove(&t->node); /* the log's, until it is on disk */
    s->pending++;
    if (stream_append_all(stream, t->messages, t->ask.count, on_appended, t, &first, &e))
        return 0;
    s->pending--;
    list_push_front(&s->queue, &t->node);
    if (e.err_code == 10167 && io_loop_now_ns(s->shard->loop) < t->until_ns)
        return -EAGAIN;
    answer(t, -EIO, 0, slice_str(e.description));
    telling_free(t);
    return 0;
}

static int take(struct telling *t) {
    struct changelog_server *s = t->server;
    if (!streams_log(s->shard->streams) || (t->ask.count == 0 && s->pending > 0))
        return -EAGAIN;
    struct stream *stream = find(s->shard->streams, t);
    int64_t created = stream ? stream_created_ns(stream) : 0;
    slice name = stream ? stream_config(stream)->name : (slice){0};
    if (t->ask.count && stream && created == t->ask.expected_ns)
        return append(t, stream);
    bool fits = created == t->ask.expected_ns && t->ask.count;
    if (fits)
        publish(t);
    answer(t, fits || !t->ask.count ? 0 : -ESTALE, created, name);
    telling_free(t);
    return 0;
}

static void on_again(struct io_timer *timer) {
    struct changelog_server *s = container_of(timer, struct changelog_server, again);
    io_defer(s->shard->loop, &s->work);
}

static void on_work(struct io_task *task) {
    struct changelog_server *s = container_of(task, struct changelog_server, work);
    struct list_node *node;
    while ((node = list_first(&s->queue))) {
        if (take(container_of(node, struct telling, node)) < 0) {
            io_timer_start(s->shard->loop, &s->again, RETRY_NS, on_again);
            return;
        }
        s->count--;
    }
}

static slice cut(slice *rest, size_t len) {
    check(rest->len >= len);
    slice part = slice_take(*rest, len);
    *rest = slice_skip(*rest, len);
    return part;
}

static void unpack(struct telling *t) {
    slice rest = t->body;
    memcpy(&t->ask, cut(&rest, sizeof t->ask).ptr, sizeof t->ask);
    t->subject = cut(&rest, t->ask.subject_len);
    t->name = cut(&rest, t->ask.name_len);
    for (uint32_t i = 0; t->messages && i < t->ask.count; i++) {
        struct tell_item item;
        memcpy(&item, cut(&rest, sizeof item).ptr, sizeof item);
        slice subject = cut(&rest, item.subject_len);
        t->messages[i].subject = subject.len ? subject : t->subject;
        t->messages[i].headers = cut(&rest, item.headers_len);
        t->messages[i].payload = cut(&rest, item.payload_len);
    }
}

static void on_tell(void *owner, struct bus_subscription *subscription,
                    const struct bus_message *message) {
    (void)subscription;
    struct changelog_server *s = owner;
    struct tell_ask head;
    struct telling *t = NULL;
    check(message->payload.len >= sizeof head);
    memcpy(&head, message->payload.ptr, sizeof head);
    if (s->count < TELLINGS_MAX)
        t = mem_zalloc(1, sizeof *t + message->reply.len + message->payload.len);
    if (t)
        t->messages = mem_zalloc(head.count + 1u, sizeof *t->messages);
    if (!t || !t->messages) {
        mem_free(t);
        return; /* as if lost */
    }
    char *at = t->text;
    t->server = s;
    t->until_ns = io_loop_now_ns(s->shard->loop) + PATIENCE_NS;
    t->reply = slice_store(&at, message->reply);
    t->body = slice_store(&at, message->payload);
    unpack(t);
    list_push_back(&s->queue, &t->node);
    s->count++;
    io_defer(s->shard->loop, &s->work);
}

int changelog_server_create(struct room_shard *shard, struct changelog_server **ret) {
    static const struct bus_receiver receiver = {on_tell};
    struct changelog_server *s = mem_zalloc(1, sizeof *s);
    if (!s)
        return -ENOMEM;
    s->shard = shard;
    s->work.run = on_work;
    list_init(&s->queue);
    int failed = bus_subscribe(shard->bus, slice_lit(TELL_CALL), (slice){0}, &receiver, s, NULL,
                               &s->subscription);
    if (failed) {
        mem_free(s);
        return failed;
    }
    *ret = s;
    return 0;
}

struct changelog_server *changelog_server_free(struct changelog_server *s) {
    if (!s)
        return NULL;
    struct list_node *node;
    s->subscription = bus_unsubscribe(s->shard->bus, s->subscription);
    while ((node = list_first(&s->queue)))
        telling_free(container_of(node, struct telling, node));
    io_timer_stop(s->shard->loop, &s->again);
    io_defer_cancel(s->shard->loop, &s->work);
    s->closed = true;
    (void)let_go(s);
    return NULL;
}
