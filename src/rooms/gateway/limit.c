/*
 * limit.c - the step, the questions between loops, and what is said of limits (limit.h).
 *
 * Questions and answers are messages on one private subject a loop. A question carries what the
 * other loop needs (rates and all), so it does not matter which table is in force there. It names
 * its asker by a place in his table of questions and that place's use count, as late answers must
 * find nobody. What waits for an answer lies in the exchange's arena.
 */
#include "rooms/gateway/limit.h"

#include "base/hash.h"
#include "base/ip.h"
#include "base/mem.h"
#include "base/number.h"
#include "bus/private.h"
#include "rooms/gateway/buckets.h"
#include "rooms/gateway/steps.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>

#define SUBJECT_PREFIX BUS_PRIVATE_PREFIX "gateway.limit."
#define SUBJECT_MAX (sizeof SUBJECT_PREFIX + 10)
#define SWEEP_NS 1000000000u
#define CLIENT_BITS_V6 64u /* what an IPv6 client is known by */

static_assert(GATEWAY_LIMITS_MAX <= BUCKETS_TOGETHER_MAX, "limits of a route are taken together");

static const struct metrics_family families[] = {
    {.name = "nonet_gateway_limit_refused_total",
     .kind = METRICS_COUNTER,
     .help = "Requests answered with 429 by a limit."},
    {.name = "nonet_gateway_limit_unanswered_total",
     .kind = METRICS_COUNTER,
     .help = "Requests let in because the loop that counts them did not answer in time."},
    {.name = "nonet_gateway_limit_evicted_total",
     .kind = METRICS_COUNTER,
     .help = "Buckets forgotten before they were full, for want of room."},
    {.name = "nonet_gateway_limit_buckets",
     .kind = METRICS_GAUGE,
     .help = "Buckets in use: those that are not full."},
};
enum { REFUSED, UNANSWERED, EVICTED, BUCKETS, FAMILIES };
static_assert(array_count(families) == FAMILIES, "one name a family");

/* An exchange that waits for another loop's word. */
struct question {
    struct gateway_limits *limits;
    struct exchange *x;
    uint32_t place;
    struct io_timer deadline;
};

struct place {
    struct question *question; /* NULL: free */
    uint32_t use, next_free;
};

struct gateway_limits {
    struct gateway_shard *shard;
    struct buckets *buckets;
    struct bus_subscription *subscription;
    struct bus_route *routes; /* to each loop */
    struct place *places;
    uint32_t place_count, place_cap, first_free;
    struct io_timer sweep;
    uint64_t evicted_told;
    struct metric metrics[FAMILIES];
};

/* As sent; both ends are one process. */
enum message_kind { QUESTION, ANSWER };
struct message {
    uint32_t kind, from, place, use, count;
    int32_t refused; /* of an answer */
    union {
        struct bucket_ask asks[GATEWAY_LIMITS_MAX];
        struct bucket_state states[GATEWAY_LIMITS_MAX];
    };
};

static void count(struct gateway_limits *limits, unsigned family) {
    metrics_count(limits->shard->shard->metrics, limits->metrics[family], 1);
}

static uint64_t now_ns(const struct gateway_limits *limits) {
    return io_loop_now_ns(limits->shard->shard->loop);
}

static uint64_t seconds_up(uint64_t ns) {
    return ns / NUMBER_NS_PER_SECOND + (ns % NUMBER_NS_PER_SECOND != 0);
}

/* --- what is said ------------------------------------------------------------------------------
 */

/* How long an empty bucket takes to be full, in seconds, rounded up; cut where it is absurd. */
static uint64_t window_of(const struct gateway_limit *limit) {
    double seconds = (double)limit->burst / number_rate_per_second(limit->rate);
    return seconds < 1 ? 1 : seconds > 1e15 ? 1000000000000000 : (uint64_t)(seconds + 0.999999);
}

static int name_limit(struct gateway_route *route, unsigned index, struct arena *arena) {
    static const char *const words[] = {"client", "key", "route"};
    struct gateway_limit *limit = &route->limits[index];
    unsigned number = 1;
    for (unsigned i = 0; i < index; i++)
        number += route->limits[i].per == limit->per;
    limit->name = route->limit_count == 1 ? slice_lit("default") : slice_str(words[limit->per]);
    return number == 1 ? 0 : arena_printf(arena, &limit->name, "%s-%u", words[limit->per], number);
}

int gateway_limits_describe(struct gateway_route *route, struct arena *arena) {
    int failed = 0;
    for (unsigned i = 0; i < route->limit_count && !failed; i++) {
        const struct gateway_limit *limit = &route->limits[i];
        failed = name_limit(route, i, arena);
        if (!failed)
            failed = arena_printf(arena, &route->limit_policy, "%.*s%s\"%.*s\";q=%llu;w=%llu",
                                  slice_fmt(route->limit_policy), i ? ", " : "",
                                  slice_fmt(limit->name), (unsigned long long)limit->burst,
                                  (unsigned long long)window_of(limit));
    }
    return failed;
}

static char *put(char *at, slice text) {
    memcpy(at, text.ptr, text.len);
    return at + text.len;
}

/* "client";r=5;t=1, "route";r=20;t=2 */
static void say(struct exchange *x, const struct bucket_state *states) {
    const struct gateway_route *route = x->route;
    size_t size = 0;
    for (unsigned i = 0; i < route->limit_count; i++)
        size += route->limits[i].name.len + sizeof ", \"\";r=;t=" + 40;
    char *text = arena_alloc(exchange_arena(x), size), *at = text;
    exchange_add_field(x, slice_lit("RateLimit-Policy"), route->limit_policy);
    for (unsigned i = 0; i < route->limit_count && text; i++) {
        at = put(at, i ? slice_lit(", \"") : slice_lit("\""));
        at = put(at, route->limits[i].name);
        at = put(at, slice_lit("\";r="));
        at += number_format_u64(states[i].left, at);
        at = put(at, slice_lit(";t="));
        at += number_format_u64(seconds_up(states[i].wait_ns), at);
    }
    if (text)
        exchange_add_field(x, slice_lit("RateLimit"), slice_make(text, (size_t)(at - text)));
}

static void refuse(struct exchange *x, const struct bucket_state *states) {
    uint64_t wait_ns = 0;
    unsigned which = 0;
    for (unsigned i = 0; i < x->route->limit_count; i++)
        if (states[i].empty && states[i].wait_ns >= wait_ns) {
            wait_ns = states[i].wait_ns;
            which = i;
        }
    const struct gateway_limit *limit = &x->route->limits[which];
    unsigned long long seconds = seconds_up(wait_ns);
    count(x->shard->limits, REFUSED);
    exchange_print_field(x, "Retry-After", "%llu", seconds);
    exchange_problem(x, 429, "limit",
                     "the limit '%.*s' of this route is used up; the next request is let in in "
                     "%llu s",
                     slice_fmt(limit->name), seconds);
}

/* --- who asks ----------------------------------------------------------------------------------
 */

void limit_client(slice address, uint64_t ret_who[2]) {
    struct ip ip;
    ret_who[0] = ret_who[1] = 0;
    if (ip_parse(address, &ip))
        return; /* no address: all of those are one */
    if (!ip_is_v4(&ip))
        ip = ip_prefix(&ip, CLIENT_BITS_V6);
    memcpy(ret_who, ip.bytes, sizeof ip.bytes);
}

static void know(const struct exchange *x, enum gateway_limit_per per, uint64_t who[2]) {
    const struct hash_key *secrets = x->shard->gateway->secrets;
    if (per == GATEWAY_PER_KEY && x->principal.len) {
        who[0] = hash_slice(&secrets[0], x->principal);
        who[1] = hash_slice(&secrets[1], x->principal);
    } else if (per != GATEWAY_PER_ROUTE) {
        limit_client(x->client, who);
    }
}

static void make_asks(const struct exchange *x, struct bucket_ask *asks) {
    for (unsigned i = 0; i < x->route->limit_count; i++) {
        const struct gateway_limit *limit = &x->route->limits[i];
        asks[i] =
            (struct bucket_ask){.key.limit = limit->id, .rate = limit->rate, .burst = limit->burst};
        know(x, limit->per, asks[i].key.who);
    }
}

static unsigned home_of(const struct exchange *x, const struct bucket_ask *asks) {
    const struct gateway_route *route = x->route;
    const struct gateway *gateway = x->shard->gateway;
    unsigned loops = gateway->node->serving;
    if (loops == 1)
        return 0;
    bool all_alike = true;
    for (unsigned i = 1; i < route->limit_count; i++)
        all_alike &= route->limits[i].per == route->limits[0].per;
    uint64_t place = hash_slice(&gateway->secrets[0], route->name);
    if (all_alike)
        place = hash_mix64(hash_mix64(place ^ asks[0].key.who[0]) ^ asks[0].key.who[1]);
    return (unsigned)(place % loops);
}

/* --- questions ---------------------------------------------------------------------------------
 */

static void forget(struct question *question) {
    struct gateway_limits *limits = question->limits;
    struct place *place = &limits->places[question->place];
    check(place->question == question);
    io_timer_stop(limits->shard->shard->loop, &question->deadline);
    place->question = NULL;
    place->use++;
    place->next_free = limits->first_free;
    limits->first_free = question->place;
}

static void on_gone(struct exchange *x) {
    forget(x->state); /* what it took is gone with it */
}

static void let_in_unasked(struct exchange *x) {
    count(x->shard->limits, UNANSWERED);
    exchange_go_on(x);
}

static void on_deadline(struct io_timer *timer) {
    struct question *question = container_of(timer, struct question, deadline);
    forget(question);
    let_in_unasked(question->x);
}

static int take_place(struct gateway_limits *limits, struct question *question) {
    if (limits->first_free == UINT32_MAX) {
        if (limits->place_count == LIMIT_QUESTIONS_MAX)
            return -ENOBUFS;
        if (limits->place_count == limits->place_cap) {
            uint32_t cap = limits->place_cap ? limits->place_cap * 2 : 64;
            struct place *grown = mem_realloc(limits->places, cap * sizeof *grown);
            if (!grown)
                return -ENOMEM;
            limits->places = grown;
            limits->place_cap = cap;
        }
        limits->places[limits->place_count] = (struct place){.next_free = UINT32_MAX};
        limits->first_free = limits->place_count++;
    }
    question->place = limits->first_free;
    limits->first_free = limits->places[question->place].next_free;
    limits->places[question->place].question = question;
    return 0;
}

/* False where nobody is there to hear it (a loop that has closed), or no memory. */
static bool post(struct gateway_limits *limits, unsigned loop, const struct message *message) {
    char subject[SUBJECT_MAX];
    int len = snprintf(subject, sizeof subject, SUBJECT_PREFIX "%u", loop);
    struct bus_message sent = {.subject = slice_make(subject, (size_t)len),
                               .payload = slice_make(message, sizeof *message)};
    return bus_publish(limits->shard->shard->bus, &sent, NULL, &limits->routes[loop]) > 0;
}

/* 0: the exchange is held. Else the question could not be put. */
static int ask(struct exchange *x, unsigned loop, const struct bucket_ask *asks) {
    static const struct exchange_events events = {.on_gone = on_gone};
    struct gateway_limits *limits = x->shard->limits;
    struct question *question = arena_zalloc(exchange_arena(x), 1, sizeof *question);
    if (!question)
        return -ENOMEM;
    question->limits = limits;
    question->x = x;
    int failed = take_place(limits, question);
    if (failed)
        return failed;
    struct message message;
    memset(&message, 0, sizeof message); /* its padding travels, too */
    message.kind = QUESTION;
    message.from = limits->shard->shard->index;
    message.place = question->place;
    message.use = limits->places[question->place].use;
    message.count = x->route->limit_count;
    memcpy(message.asks, asks, message.count * sizeof *asks);
    if (!post(limits, loop, &message)) {
        forget(question);
        return -EHOSTUNREACH;
    }
    exchange_hold(x, &events, question);
    io_timer_start(exchange_loop(x), &question->deadline, LIMIT_ANSWER_NS, on_deadline);
    return 0;
}

/* --- answers -----------------------------------------------------------------------------------
 */

static void on_sweep(struct io_timer *timer);

static int take(struct gateway_limits *limits, const struct bucket_ask *asks, unsigned asks_count,
                struct bucket_state *states) {
    int refused = buckets_take(limits->buckets, asks, asks_count, now_ns(limits), states);
    if (!io_timer_running(&limits->sweep))
        io_timer_start(limits->shard->shard->loop, &limits->sweep, SWEEP_NS, on_sweep);
    return refused;
}

static void answer(struct gateway_limits *limits, const struct message *question) {
    struct message message;
    memset(&message, 0, sizeof message);
    message.kind = ANSWER;
    message.place = question->place;
    message.use = question->use;
    message.count = question->count;
    message.refused = take(limits, question->asks, question->count, message.states);
    (void)post(limits, question->from, &message); /* who has gone waits for nothing */
}

static void on_answer(struct gateway_limits *limits, const struct message *message) {
    if (message->place >= limits->place_count || limits->places[message->place].use != message->use)
        return; /* too late */
    struct question *question = limits->places[message->place].question;
    struct exchange *x = question->x;
    forget(question);
    if (message->refused == -ENOMEM) {
        let_in_unasked(x);
        return;
    }
    say(x, message->states);
    if (message->refused)
        refuse(x, message->states);
    else
        exchange_go_on(x);
}

static void on_message(void *owner, struct bus_subscription *subscription,
                       const struct bus_message *sent) {
    (void)subscription;
    struct gateway_limits *limits = owner;
    struct message message;
    check(sent->payload.len == sizeof message);
    memcpy(&message, sent->payload.ptr, sizeof message);
    if (message.kind == QUESTION)
        answer(limits, &message);
    else
        on_answer(limits, &message);
}

enum step_result step_limit(struct exchange *x) {
    struct gateway_limits *limits = x->shard->limits;
    struct bucket_ask asks[GATEWAY_LIMITS_MAX];
    struct bucket_state states[GATEWAY_LIMITS_MAX];
    if (x->route->limit_count == 0)
        return STEP_ON;
    make_asks(x, asks);
    unsigned home = home_of(x, asks);
    if (home != limits->shard->shard->index) {
        if (ask(x, home, asks) == 0)
            return STEP_TAKEN;
        count(limits, UNANSWERED);
        return STEP_ON;
    }
    int refused = take(limits, asks, x->route->limit_count, states);
    if (refused == -ENOMEM) {
        count(limits, UNANSWERED);
        return STEP_ON;
    }
    say(x, states);
    if (!refused)
        return STEP_ON;
    refuse(x, states);
    return STEP_TAKEN;
}

/* --- a loop ------------------------------------------------------------------------------------
 */

static void on_sweep(struct io_timer *timer) {
    struct gateway_limits *limits = container_of(timer, struct gateway_limits, sweep);
    struct metrics_shard *here = limits->shard->shard->metrics;
    buckets_sweep(limits->buckets, now_ns(limits));
    struct buckets_stats stats = buckets_stats(limits->buckets);
    metrics_gauge_set(here, limits->metrics[BUCKETS], stats.count);
    metrics_count(here, limits->metrics[EVICTED], stats.evicted - limits->evicted_told);
    limits->evicted_told = stats.evicted;
    if (stats.count)
        io_timer_start(limits->shard->shard->loop, timer, SWEEP_NS, on_sweep);
}

static int open_parts(struct gateway_limits *limits) {
    static const struct bus_receiver receiver = {on_message};
    struct room_shard *shard = limits->shard->shard;
    char subject[SUBJECT_MAX];
    int len = snprintf(subject, sizeof subject, SUBJECT_PREFIX "%u", shard->index);
    struct hash_key key;
    io_host_random(shard->node->host, &key, sizeof key);
    limits->routes = mem_zalloc(shard->node->serving, sizeof *limits->routes);
    int failed = limits->routes ? 0 : -ENOMEM;
    for (unsigned i = 0; i < FAMILIES && !failed; i++)
        if (metrics_add_series(shard->node->metrics, &families[i], NULL, &limits->metrics[i]) ==
            -ENOMEM)
            failed = -ENOMEM;
    if (!failed)
        failed = buckets_create(key, LIMIT_BUCKETS_MAX, now_ns(limits), &limits->buckets);
    if (!failed)
        failed = bus_subscribe(shard->bus, slice_make(subject, (size_t)len), (slice){0}, &receiver,
                               limits, NULL, &limits->subscription);
    return failed;
}

int gateway_limits_shard_open(struct gateway_shard *shard) {
    struct gateway_limits *limits = mem_zalloc(1, sizeof *limits);
    if (!limits)
        return -ENOMEM;
    limits->shard = shard;
    limits->first_free = UINT32_MAX;
    shard->limits = limits;
    return open_parts(limits); /* what there is goes with the shard */
}

void gateway_limits_shard_close(struct gateway_shard *shard) {
    struct gateway_limits *limits = shard->limits;
    if (!limits)
        return;
    bus_unsubscribe(shard->shard->bus, limits->subscription);
    io_timer_stop(shard->shard->loop, &limits->sweep);
    for (unsigned i = 0; limits->routes && i < shard->gateway->node->serving; i++)
        bus_route_clear(&limits->routes[i]);
    buckets_free(limits->buckets);
    mem_free(limits->routes);
    mem_free(limits->places);
    shard->limits = mem_free(limits);
}
