/*
 * consumer.c - consumers are made, changed, removed and asked about (consumer.h).
 *
 * A creation may have to wait for a block from disk ("by start time") and then for the journal. It
 * keeps the stream's name, looks everything up again at each step, and answers when what it did is
 * on disk; a creation that finds its consumer there already answers behind everything before it.
 */
#include "bus/consumer.h"

#include "base/mem.h"
#include "bus/advisory.h"
#include "bus/consumer_parts.h"
#include "bus/interest.h"
#include "bus/stream_config.h"

#include <errno.h>

#define NAME_MADE_LEN 8

/* --- one consumer ------------------------------------------------------------------------- */

static int make_ack_prefix(struct consumer *c) {
    slice prefix;
    int failed = arena_printf(&c->arena, &prefix, "$JS.ACK.%.*s.%.*s.>", slice_fmt(c->stream_name),
                              slice_fmt(c->name));
    if (failed)
        return failed;
    c->ack_prefix = prefix.ptr;
    c->ack_prefix_len = prefix.len - 1;
    return 0;
}

static void free_memory(struct consumer *c) {
    consumer_park_free(c);
    consumer_order_free(c);
    pending_free(&c->pending);
    c->lasts = mem_free(c->lasts);
}

struct consumer *consumer_new(struct streams *streams, slice stream_name,
                              const struct consumer_config *config) {
    struct consumer *c = mem_zalloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->streams = streams;
    c->arena = arena_make(2048, CONSUMER_CONFIG_ARENA_MAX);
    c->config_arena = arena_make(1024, CONSUMER_CONFIG_ARENA_MAX);
    c->position = 1;
    c->requests_at = c->redeliver_at = CONSUMER_NEVER;
    list_init(&c->requests);
    list_node_init(&c->in_deliveries);
    list_node_init(&c->in_graveyard);
    consumer_deliver_init(c);
    consumer_park_init(c);
    consumer_order_init(c);
    int failed = consumer_set_config(c, config);
    c->pending.keyed = c->ordered; /* which does not change */
    if (!failed)
        failed = arena_copy(&c->arena, config->name, &c->name);
    if (!failed)
        failed = arena_copy(&c->arena, stream_name, &c->stream_name);
    if (!failed)
        failed = make_ack_prefix(c);
    if (failed) {
        arena_free(&c->arena);
        arena_free(&c->config_arena);
        return mem_free(c);
    }
    return c;
}

int consumer_set_config(struct consumer *c, const struct consumer_config *config) {
    struct arena arena = arena_make(1024, CONSUMER_CONFIG_ARENA_MAX);
    struct consumer_config copy;
    slice *subjects = NULL;
    const slice *filters;
    int failed = consumer_config_copy(config, &arena, &copy);
    unsigned count = failed ? 0 : consumer_config_filters(&copy, &filters);
    if (count) {
        subjects = arena_alloc(&arena, count * sizeof *subjects);
        failed = subjects ? 0 : -ENOMEM;
    }
    if (failed) {
        arena_free(&arena);
        return failed;
    }
    if (count)
        memcpy(subjects, filters, count * sizeof *subjects);
    arena_free(&c->config_arena);
    c->config_arena = arena;
    c->config = copy;
    c->filter = log_filter_make(subjects, count);
    c->sample_percent = consumer_config_sample(&copy);
    c->parks = consumer_config_parks(&copy);
    c->ordered = consumer_config_orders(&copy);
    consumer_count_forget(c);
    return 0;
}

int consumer_attach(struct consumer *c, struct stream *stream) {
    static const struct bus_receiver receiver = {consumer_ack_on_message};
    int failed = map_add(&stream->consumers, c->name, c);
    if (failed)
        return failed;
    failed = bus_subscribe(c->streams->bus, slice_make(c->ack_prefix, c->ack_prefix_len + 1),
                           (slice){0}, &receiver, c, NULL, &c->acks);
    if (failed) {
        map_remove(&stream->consumers, c->name);
        return failed;
    }
    c->stream = stream;
    names_changed(&stream->consumer_names);
    consumer_alive(c);
    consumer_pause_start(c, false);
    consumer_replay_start(c);
    return consumer_push_start(c);
}

/* No bus, no timer, no request any more. */
static void rest(struct consumer *c, const char *why) {
    struct io_loop *loop = consumer_loop(c);
    c->acks = bus_unsubscribe(c->streams->bus, c->acks);
    consumer_deliver_cancel(c);
    consumer_push_stop(c);
    io_timer_stop(loop, &c->request_timer);
    io_timer_stop(loop, &c->redeliver_timer);
    io_timer_stop(loop, &c->idle_timer);
    io_timer_stop(loop, &c->pause_timer);
    consumer_pull_end_all(c, why);
}

static void advise(struct consumer *c, const char *kind, const char *action) {
    struct advisory a;
    if (!advisory_begin(&a, c->streams->bus, kind, "advisory.v1.consumer_action", c->stream_name,
                        c->name))
        return;
    json_write_key(&a.w, "action");
    json_write_text(&a.w, action);
    advisory_send(&a);
}

void consumer_end(struct consumer *c, const char *why) {
    if (c->gone)
        return;
    struct consumers *all = c->streams->consumers;
    c->gone = true;
    if (map64_find(&all->by_id, c->id) == c)
        map64_remove(&all->by_id, c->id);
    if (c->stream) {
        map_remove(&c->stream->consumers, c->name);
        names_changed(&c->stream->consumer_names);
    }
    rest(c, why);
    free_memory(c);
    c->stream = NULL;
    list_push_back(&all->graveyard, &c->in_graveyard);
    io_defer(consumer_loop(c), &all->bury_task);
    if (why)
        advise(c, "ADVISORY.CONSUMER.DELETED", "delete");
}

/* --- inactivity: an ephemeral consumer that nobody asks goes ------------------------------ */

static uint64_t idle_max(const struct consumer *c) {
    if (c->config.inactive_ns > 0)
        return (uint64_t)c->config.inactive_ns;
    return c->config.durable ? 0 : CONSUMER_INACTIVE_DEFAULT_NS;
}

static void ignore(void *self, struct consumer *consumer, const struct streams_error *error) {
    (void)self;
    (void)consumer;
    (void)error;
}

static void on_idle(struct io_timer *timer) {
    struct consumer *c = container_of(timer, struct consumer, idle_timer);
    uint64_t max = idle_max(c), now = io_loop_now_ns(consumer_loop(c));
    if (c->push.bound)
        c->active_ns = now;
    if (max && c->waiting) {
        consumer_pull_settle(c, false); /* those whose clients have gone, go */
        if (c->gone)
            return;
        if (c->waiting)
            c->active_ns = now;
    }
    uint64_t idle = now - c->active_ns;
    if (!max)
        return;
    /* Armed again first: if the removal is refused (no room in the log), it is tried again. */
    io_timer_start(consumer_loop(c), &c->idle_timer, idle < max ? max - idle : max, on_idle);
    if (idle >= max)
        consumer_delete(c, ignore, NULL);
}

void consumer_alive(struct consumer *c) {
    c->active_ns = io_loop_now_ns(consumer_loop(c));
    uint64_t max = idle_max(c);
    if (max && !io_timer_running(&c->idle_timer))
        io_timer_start(consumer_loop(c), &c->idle_timer, max, on_idle);
}

/* --- requests of the API ------------------------------------------------------------------ */

struct creation {
    struct streams_op op;
    struct log_commit commit;
    struct log_load load;
    struct io_timer again;
    struct arena arena;
    struct consumer_config config;
    slice stream_name;
    consumer_done done;
    void *self;
    uint64_t id; /* of the consumer to answer with; 0 = none: it was a removal */
    bool committed, loading;
    bool made; /* the consumer is a new one */
};

static bool explain(int failed, struct streams_error *e) {
    if (failed == -EAGAIN)
        return streams_fail(e, 429, 10167, "too many requests");
    if (failed == -ENOBUFS)
        return streams_fail(e, 400, 10026, "maximum consumers limit reached");
    if (failed == -E2BIG)
        return streams_fail(e, 400, 10012, "deliver last per subject: over %u subjects match",
                            CONSUMER_LAST_MAX);
    if (failed == -ENOMEM)
        return streams_fail(e, 503, 10023, "insufficient resources");
    return streams_fail(e, 500, 10012, "%s", error_name(failed));
}

static void creation_free(struct creation *creation) {
    streams_op_over(&creation->op);
    arena_free(&creation->arena);
    mem_free(creation);
}

/* Before the answer, for that may remove the consumer as well as this. */
static void creation_advise(struct creation *creation) {
    struct streams *streams = creation->op.streams;
    struct consumer *c = creation->made && !streams->ended
                             ? map64_find(&streams->consumers->by_id, creation->id)
                             : NULL;
    if (c)
        advise(c, "ADVISORY.CONSUMER.CREATED", "create");
}

static void creation_answer(struct creation *creation, const struct streams_error *e) {
    consumer_done done = creation->done;
    creation->done = ignore;
    struct consumer *c = e || !creation->id
                             ? NULL
                             : map64_find(&creation->op.streams->consumers->by_id, creation->id);
    struct streams_error gone;
    if (!e && creation->id && !c) {
        streams_fail(&gone, 404, 10014, "consumer not found");
        e = &gone;
    }
    done(creation->self, c, e);
}

static bool creation_end(struct streams_op *op, bool log_gone) {
    struct creation *creation = container_of(op, struct creation, op);
    creation_answer(creation, streams_stopping());
    if (creation->committed && !log_gone)
        return false;
    io_timer_stop(bus_loop(op->streams->bus), &creation->again);
    if (creation->loading && !log_gone)
        log_load_cancel(op->streams->log, &creation->load);
    creation_free(creation);
    return true;
}

static void on_created(struct log_commit *commit, int failed) {
    struct creation *creation = container_of(commit, struct creation, commit);
    struct streams_error e;
    if (failed)
        explain(failed, &e);
    if (!failed)
        creation_advise(creation);
    if (!creation->op.streams->ended)
        creation_answer(creation, failed ? &e : NULL);
    creation_free(creation);
}

static void creation_over(struct creation *creation, const struct streams_error *e) {
    if (!e)
        creation_advise(creation);
    creation_answer(creation, e);
    creation_free(creation);
}

static struct creation *creation_new(struct streams *streams, consumer_done done, void *self) {
    struct creation *creation = mem_zalloc(1, sizeof *creation);
    if (!creation)
        return NULL;
    creation->commit.done = on_created;
    creation->arena = arena_make(2048, CONSUMER_CONFIG_ARENA_MAX);
    creation->done = done;
    creation->self = self;
    streams_op_begin(streams, &creation->op, creation_end);
    return creation;
}

/* Commits what PUT adds for C (nothing: NULL) and answers when it is on disk, or at once where
   nothing of C is kept. Not 0: nothing happened. */
static int commit(struct creation *creation, struct consumer *c,
                  int (*put)(struct creation *creation, struct log_batch *batch,
                             struct consumer *c)) {
    struct log_batch *batch;
    if (!c->journalled) {
        creation_over(creation, NULL);
        return 0;
    }
    int failed = log_batch_begin(c->streams->log, &batch);
    if (failed)
        return failed;
    failed = put(creation, batch, c);
    if (failed) {
        log_batch_abandon(batch);
        return failed;
    }
    creation->committed = true;
    log_batch_commit(batch, &creation->commit);
    return 0;
}

static int put_created(struct creation *creation, struct log_batch *batch, struct consumer *c) {
    (void)creation;
    return consumer_put_created(batch, c);
}

static int put_changed(struct creation *creation, struct log_batch *batch, struct consumer *c) {
    return consumer_put_changed(batch, c, &creation->config);
}

static int put_removed(struct creation *creation, struct log_batch *batch, struct consumer *c) {
    (void)creation;
    return consumer_put_removed(batch, c->id);
}

static int put_nothing(struct creation *creation, struct log_batch *batch, struct consumer *c) {
    (void)creation;
    (void)c;
    return consumers_put_nothing(batch);
}

/* --- changing ----------------------------------------------------------------------------- */

/* Texts: nats-server, checkNewConsumerConfig. NULL: it may. */
static const char *why_not(const struct consumer_config *now,
                           const struct consumer_config *wanted) {
    if (now->deliver != wanted->deliver)
        return "deliver policy can not be updated";
    if (now->in_memory != wanted->in_memory)
        return "storage type can not be updated";
    if (now->start_sequence != wanted->start_sequence)
        return "start sequence can not be updated";
    if (now->start_time_ns != wanted->start_time_ns)
        return "start time can not be updated";
    if (now->ack != wanted->ack)
        return "ack policy can not be updated";
    if (now->replay_original != wanted->replay_original)
        return "replay policy can not be updated";
    if (now->heartbeat_ns != wanted->heartbeat_ns)
        return "heart beats can not be updated";
    if (now->flow_control != wanted->flow_control)
        return "flow control can not be updated";
    if (!now->deliver_subject.len && wanted->deliver_subject.len)
        return "can not update pull consumer to push based";
    if (now->deliver_subject.len && !wanted->deliver_subject.len)
        return "can not update push consumer to pull based";
    if (now->waiting_max != wanted->waiting_max)
        return "max waiting can not be updated";
    if (now->durable != wanted->durable)
        return "durable name can not be updated";
    if (consumer_config_orders(now) != consumer_config_orders(wanted))
        return "metadata \"nonet.ordered\" can not be updated";
    return NULL;
}

static bool may_change(const struct consumer *c, const struct consumer_config *wanted,
                       struct streams_error *e) {
    const char *why = why_not(&c->config, wanted);
    if (why)
        return streams_fail(e, 500, 10012, "%s", why);
    bool moves = !slice_equal(c->config.deliver_subject, wanted->deliver_subject);
    return !moves || !bus_has_interest(c->streams->bus, c->config.deliver_subject) ||
           streams_fail(e, 400, 10013, "consumer name already in use");
}

/* C goes on by its new config. MOVED: to another deliver subject; PAUSED: or not any more. */
static void take_up(struct consumer *c, bool moved, bool paused) {
    io_timer_stop(consumer_loop(c), &c->idle_timer);
    io_timer_stop(consumer_loop(c), &c->again_timer);
    consumer_alive(c);
    if (moved) {
        if (consumer_push_move(c))
            logger_write(c->streams->logger, LOG_LEVEL_WARN, "streams",
                         "no memory to watch a deliver subject", "stream=%.*s consumer=%.*s",
                         slice_fmt(c->stream_name), slice_fmt(c->name));
        consumer_ack_expire_all(c);
    } else if (consumer_is_push(c))
        consumer_push_look(c); /* another group has other members, and it may sleep */
    consumer_ack_start(c);
    if (paused)
        consumer_pause_start(c, true);
    if (!c->gone)
        consumer_wake(c);
}

static int change(struct creation *creation, struct consumer *c, struct streams_error *e) {
    if (consumer_config_equal(&c->config, &creation->config))
        return commit(creation, c, put_nothing);
    if (!may_change(c, &creation->config, e))
        return 0;
    struct consumer_config before = c->config; /* kept alive by the arena taken out here */
    struct log_filter filter = c->filter;
    struct arena arena = c->config_arena;
    c->config_arena = arena_make(1024, CONSUMER_CONFIG_ARENA_MAX);
    int failed = consumer_set_config(c, &creation->config);
    bool moved = !slice_equal(before.deliver_subject, c->config.deliver_subject);
    bool paused = before.pause_until_ns != c->config.pause_until_ns;
    if (!failed) {
        failed = commit(creation, c, put_changed);
        if (failed)
            arena_free(&c->config_arena);
    }
    if (failed) {
        c->config = before;
        c->sample_percent = consumer_config_sample(&before);
        c->parks = consumer_config_parks(&before);
        c->filter = filter;
        c->config_arena = arena;
        return failed;
    }
    arena_free(&arena);
    if (!c->gone) {
        interest_walk(c->stream);
        take_up(c, moved, paused); /* its advisory may reach somebody who deletes the consumer */
    }
    return 0;
}

/* --- creating ----------------------------------------------------------------------------- */

static int make_name(struct stream *stream, struct creation *creation) {
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    unsigned char random[NAME_MADE_LEN];
    char name[NAME_MADE_LEN];
    do {
        io_host_random(io_loop_host(bus_loop(stream->streams->bus)), random, sizeof random);
        for (size_t i = 0; i < sizeof name; i++)
            name[i] = letters[random[i] % (sizeof letters - 1)];
    } while (map_find(&stream->consumers, slice_make(name, sizeof name)));
    return arena_copy(&creation->arena, slice_make(name, sizeof name), &creation->config.name);
}

static int make(struct creation *creation, struct stream *stream, uint64_t position) {
    struct streams *streams = stream->streams;
    struct consumers *all = streams->consumers;
    struct consumer *c = consumer_new(streams, stream->config.name, &creation->config);
    if (!c)
        return -ENOMEM;
    c->id = all->next_id;
    c->created_ns = io_loop_wall_ns(bus_loop(streams->bus));
    c->journalled = !creation->config.in_memory && !stream->config.in_memory;
    c->position = position;
    if (creation->config.deliver == DELIVER_LAST_PER_SUBJECT)
        c->last_until = log_stream_staged(stream->log).last_sequence;
    int failed = map64_add(&all->by_id, c->id, c);
    if (!failed)
        failed = consumer_attach(c, stream);
    if (!failed)
        failed = consumer_start_find_lasts(c);
    if (!failed) {
        all->next_id++;
        creation->id = c->id;
        creation->made = true;
        failed = commit(creation, c, put_created);
    }
    if (failed)
        consumer_end(c, NULL);
    return failed;
}

static void creation_step(struct creation *creation);

static void on_loaded(struct log_load *load, int failed) {
    struct creation *creation = container_of(load, struct creation, load);
    struct streams_error e;
    creation->loading = false;
    if (!failed) {
        creation_step(creation);
        return;
    }
    explain(failed, &e);
    creation_over(creation, &e);
}

static void on_again(struct io_timer *timer) {
    creation_step(container_of(timer, struct creation, again));
}

static void creation_load(struct creation *creation, struct stream *stream, uint64_t sequence) {
    creation->load.done = on_loaded;
    creation->loading = log_load(stream->streams->log, stream->log, sequence, &creation->load) == 0;
    if (!creation->loading)
        io_timer_start(bus_loop(stream->streams->bus), &creation->again, 1000000, on_again);
}

/* 0: done, under way, or *E says why not. */
static int try_create(struct creation *creation, struct streams_error *e) {
    struct stream *stream = stream_find(creation->op.streams, creation->stream_name);
    uint64_t position;
    if (!stream) {
        streams_fail(e, 404, 10059, "stream not found");
        return 0;
    }
    struct consumer *there =
        creation->config.name.len ? map_find(&stream->consumers, creation->config.name) : NULL;
    if (!interest_admits(stream, &creation->config, there, e))
        return 0;
    if (there) {
        creation->id = there->id;
        return change(creation, there, e);
    }
    int64_t max = stream->config.consumers_max;
    if (max > 0 && map_count(&stream->consumers) >= (uint64_t)max)
        return -ENOBUFS;
    int failed = consumer_start_position(stream, &creation->config, &position);
    if (failed == -EINPROGRESS) {
        creation_load(creation, stream, position);
        return 0;
    }
    if (!failed && !creation->config.name.len)
        failed = make_name(stream, creation);
    return failed ? failed : make(creation, stream, position);
}

static void creation_step(struct creation *creation) {
    struct streams_error e = {0};
    int failed = try_create(creation, &e);
    if (failed)
        explain(failed, &e);
    if (e.code)
        creation_over(creation, &e);
}

void consumer_create(struct stream *stream, const struct consumer_config *config,
                     consumer_done done, void *self) {
    struct streams_error e = {0};
    struct consumer_config wanted = *config;
    struct creation *creation = NULL;
    if (consumer_config_judge(&wanted, &stream->config, &e)) {
        creation = creation_new(stream->streams, done, self);
        if (!creation)
            explain(-ENOMEM, &e);
    }
    if (creation && (consumer_config_copy(&wanted, &creation->arena, &creation->config) ||
                     arena_copy(&creation->arena, stream->config.name, &creation->stream_name))) {
        creation_free(creation);
        explain(-ENOMEM, &e);
    }
    if (e.code)
        done(self, NULL, &e);
    else
        creation_step(creation);
}

void consumer_delete(struct consumer *c, consumer_done done, void *self) {
    struct streams_error e;
    struct creation *removal = creation_new(c->streams, done, self);
    bool journalled = c->journalled;
    int failed = removal ? 0 : -ENOMEM;
    if (removal && journalled)
        failed = commit(removal, c, put_removed);
    if (failed) {
        explain(failed, &e);
        if (removal)
            creation_free(removal);
        done(self, NULL, &e);
        return;
    }
    struct stream *stream = c->stream;
    consumer_end(c, "Consumer Deleted");
    interest_walk(stream);
    if (!journalled)
        creation_over(removal, NULL);
}

void consumer_settle(struct consumer *c, consumer_done done, void *self) {
    struct streams_error e;
    consumers_flush(c->streams);
    struct creation *wait = creation_new(c->streams, done, self);
    if (wait)
        wait->id = c->id;
    int failed = wait ? commit(wait, c, put_nothing) : -ENOMEM;
    if (!failed)
        return;
    if (wait)
        creation_free(wait);
    explain(failed, &e);
    done(self, NULL, &e);
}

/* --- questions ---------------------------------------------------------------------------- */

struct consumer *consumer_find(struct stream *stream, slice name) {
    return map_find(&stream->consumers, name);
}

struct consumer *consumer_next(struct stream *stream, slice after) {
    return names_next(&stream->consumer_names, &stream->consumers, after);
}

struct stream *consumer_stream(const struct consumer *c) {
    return c->stream;
}

const struct consumer_config *consumer_config(const struct consumer *c) {
    return &c->config;
}

struct consumer_info consumer_info(const struct consumer *consumer) {
    /* Counting may carry its numbers along: a cache, not a change anyone can see. */
    struct consumer *c = (struct consumer *)(uintptr_t)consumer;
    consumer_ack_forget_trimmed(c);
    const struct pending_entry *first = pending_first(&c->pending);
    struct consumer_info info = {
        .delivered = {c->consumer_sequence, c->position - 1, c->delivered_ns},
        .ack_floor = {c->consumer_sequence, c->position - 1, c->acknowledged_ns},
        /* with those replayed that wait for their key: they have been delivered */
        .ack_pending = c->pending.count - c->pending.parked - c->order.passed,
        .parked = c->pending.parked,
        .redelivered = c->pending.redelivered,
        .waiting = c->waiting,
        .pending = consumer_count(c, false) + c->order.passed,
        .created_ns = c->created_ns,
        .now_ns = io_loop_wall_ns(consumer_loop(c)),
        .pause_left_ns = consumer_pause_left(c),
        .push_bound = c->push.bound,
    };
    if (first) {
        info.ack_floor.consumer =
            c->ordered ? consumer_order_floor(c) : first->consumer_sequence - 1;
        info.ack_floor.stream = first->stream_sequence - 1;
    }
    return info;
}

/* --- all consumers ------------------------------------------------------------------------ */

/* Its stream has gone without it, which no batch of ours does: it goes too, on disk as well, lest
   it come back with a new stream of that name. */
static int drop(struct consumer *c) {
    struct log_batch *batch;
    int failed = log_batch_begin(c->streams->log, &batch);
    if (failed)
        return failed;
    failed = consumer_put_removed(batch, c->id);
    if (failed) {
        log_batch_abandon(batch);
        return failed;
    }
    log_batch_commit(batch, NULL);
    logger_write(c->streams->logger, LOG_LEVEL_WARN, "streams",
                 "a consumer without its stream goes", "stream=%.*s consumer=%.*s",
                 slice_fmt(c->stream_name), slice_fmt(c->name));
    consumer_end(c, NULL);
    return 0;
}

static int start(struct consumer *c) {
    struct stream *stream = stream_find(c->streams, c->stream_name);
    if (!stream || stream->config.in_memory)
        return drop(c);
    int failed = consumer_attach(c, stream);
    if (!failed)
        failed = consumer_start_find_lasts(c);
    if (!failed)
        failed = consumer_order_start(c);
    if (!failed)
        consumer_ack_start(c);
    return failed;
}

int consumers_start(struct streams *streams) {
    const struct map64_entry *entry;
    int failed = 0;
    for (size_t at = 0; !failed && (entry = map64_next(&streams->consumers->by_id, &at));)
        failed = start(entry->value);
    return failed ? failed : consumers_release_restored(streams->consumers);
}

void consumers_on_visible(struct stream *stream) {
    struct list_node *at, *following;
    list_each(&stream->deliveries, at, following) {
        consumer_wake(container_of(at, struct consumer, in_deliveries));
    }
}

void consumers_free_all(struct stream *stream) {
    const struct map_entry *entry;
    const char *why = stream->streams->ended ? NULL : "Consumer Deleted";
    for (size_t at = 0; (entry = map_next(&stream->consumers, &at));)
        consumer_end(entry->value, why);
}

void consumers_rest_all(struct stream *stream) {
    const struct map_entry *entry;
    for (size_t at = 0; (entry = map_next(&stream->consumers, &at));)
        rest(entry->value, "Server Shutdown");
}
