/*
 * monitor.c - gathering a page over the shards, and the pages' addresses on the admin listener.
 *
 *     WAITING --last shard's answer--> done(page), freed
 *        | ---too late, no memory----> done(NULL), freed
 *        '----monitor_cancel---------> freed
 *
 * A gather runs on the shard that was asked: over HTTP the one of the connection, over NATS the
 * client's. Its answers come to `_NONET.monitor.<shard>.<id>`, not to an inbox (bus_request), since
 * inboxes are open to clients and these answers are not for them. Rows of all shards are kept as
 * they come and merged when the page is written.
 */
#include "rooms/pubsub/monitor.h"

#include "base/mem.h"
#include "base/number.h"
#include "http/reply.h"
#include "http/routes.h"

#include <errno.h>
#include <stdio.h>

#define ANSWER_SUBJECT_MAX 64

struct monitor {
    struct bus_subscription *asked, *answers;
    struct list gathers;
    unsigned gather_count;
    uint64_t next_id;
    char subject[ANSWER_SUBJECT_MAX]; /* "_NONET.monitor.3." */
    struct monitor_memory memory;
};

struct monitor_gather {
    struct pubsub_shard *room;
    struct list_node in_monitor;
    struct io_timer deadline;
    struct monitor_page page;
    uint64_t id;
    unsigned answers_left;
    bool failed;
    void (*done)(void *self, const struct monitor_page *page);
    void *self;
};

/* --- the shards' side --------------------------------------------------------------------- */

static void on_asked(void *owner, struct bus_subscription *subscription,
                     const struct bus_message *message) {
    (void)subscription;
    struct pubsub_shard *room = owner;
    struct monitor_page page;
    check(message->payload.len == sizeof page.query);
    memcpy(&page.query, message->payload.ptr, sizeof page.query);
    int failed = monitor_collect(room, &page);
    _cleanup_buf_ struct buf answer = buf_make(MONITOR_ROWS_BYTES_MAX + sizeof page.figures);
    if (!failed)
        failed = buf_append(&answer, slice_make(page.figures, sizeof page.figures));
    if (!failed)
        failed = buf_append(&answer, buf_slice(&page.rows));
    buf_free(&page.rows);
    struct bus_message reply = {
        .subject = message->reply, /* without a body it says that memory has run out */
        .payload = failed ? (slice){0} : buf_slice(&answer),
    };
    bus_publish(room->shard->bus, &reply, NULL, NULL);
}

/* --- gathering ---------------------------------------------------------------------------- */

static void gather_free(struct monitor_gather *gather) {
    io_timer_stop(gather->room->shard->loop, &gather->deadline);
    list_remove(&gather->in_monitor);
    gather->room->monitor->gather_count--;
    buf_free(&gather->page.rows);
    mem_free(gather);
}

static void finish(struct monitor_gather *gather) {
    bool whole = gather->answers_left == 0 && !gather->failed;
    gather->done(gather->self, whole ? &gather->page : NULL);
    gather_free(gather);
}

static void on_deadline(struct io_timer *timer) {
    finish(container_of(timer, struct monitor_gather, deadline));
}

static int add_answer(struct monitor_page *page, slice answer) {
    uint64_t figures[MONITOR_FIGURES];
    if (answer.len < sizeof figures)
        return -ENOMEM;
    memcpy(figures, answer.ptr, sizeof figures);
    for (unsigned i = 0; i < MONITOR_FIGURES; i++)
        page->figures[i] += figures[i];
    return buf_append(&page->rows, slice_skip(answer, sizeof figures));
}

static struct monitor_gather *find(struct monitor *monitor, uint64_t id) {
    struct list_node *at, *following;
    list_each(&monitor->gathers, at, following) {
        struct monitor_gather *gather = container_of(at, struct monitor_gather, in_monitor);
        if (gather->id == id)
            return gather;
    }
    return NULL; /* it came too late */
}

static void on_answer(void *owner, struct bus_subscription *subscription,
                      const struct bus_message *message) {
    (void)subscription;
    struct pubsub_shard *room = owner;
    uint64_t id;
    slice digits = slice_skip(message->subject, strlen(room->monitor->subject));
    struct monitor_gather *gather =
        number_parse_u64(digits, &id) == 0 ? find(room->monitor, id) : NULL;
    if (!gather)
        return;
    if (add_answer(&gather->page, message->payload))
        gather->failed = true;
    if (--gather->answers_left == 0)
        finish(gather);
}

int monitor_start(struct pubsub_shard *room, const struct monitor_query *query,
                  void (*done)(void *self, const struct monitor_page *page), void *self,
                  struct monitor_gather **ret_gather) {
    struct monitor *monitor = room->monitor;
    if (monitor->gather_count >= MONITOR_PAGES_MAX)
        return -ENOBUFS;
    struct monitor_gather *gather = mem_zalloc(1, sizeof *gather);
    if (!gather)
        return -ENOMEM;
    gather->room = room;
    gather->id = monitor->next_id++;
    gather->answers_left = room->pubsub->node->shards;
    gather->page.query = *query;
    gather->page.rows = buf_make((size_t)MONITOR_ROWS_BYTES_MAX * room->pubsub->node->shards);
    gather->done = done;
    gather->self = self;
    list_push_back(&monitor->gathers, &gather->in_monitor);
    monitor->gather_count++;
    io_timer_start(room->shard->loop, &gather->deadline, MONITOR_WAIT_NS, on_deadline);
    if (ret_gather)
        *ret_gather = gather; /* first: with one shard all is done inside the publish */
    char reply[ANSWER_SUBJECT_MAX + NUMBER_TEXT_MAX];
    size_t len = strlen(monitor->subject);
    memcpy(reply, monitor->subject, len);
    len += number_format_u64(gather->id, reply + len);
    struct bus_message message = {
        .subject = slice_lit(MONITOR_SUBJECT),
        .reply = slice_make(reply, len),
        .payload = slice_make(query, sizeof *query),
    };
    bus_publish(room->shard->bus, &message, NULL, NULL);
    return 0;
}

void monitor_cancel(struct monitor_gather *gather) {
    gather_free(gather);
}

struct monitor_memory *monitor_memory(struct pubsub_shard *room) {
    return &room->monitor->memory;
}

static int subscribe(struct pubsub_shard *room) {
    static const struct bus_receiver asked = {on_asked}, answers = {on_answer};
    struct monitor *monitor = room->monitor;
    char pattern[ANSWER_SUBJECT_MAX + 2];
    snprintf(monitor->subject, sizeof monitor->subject, "%s.%u.", MONITOR_SUBJECT,
             room->shard->index);
    snprintf(pattern, sizeof pattern, "%s*", monitor->subject);
    int failed = bus_subscribe(room->shard->bus, slice_str(pattern), (slice){0}, &answers, room,
                               NULL, &monitor->answers);
    return failed ? failed
                  : bus_subscribe(room->shard->bus, slice_lit(MONITOR_SUBJECT), (slice){0}, &asked,
                                  room, NULL, &monitor->asked);
}

int monitor_shard_open(struct pubsub_shard *room) {
    room->monitor = mem_zalloc(1, sizeof *room->monitor);
    if (!room->monitor)
        return -ENOMEM;
    list_init(&room->monitor->gathers);
    return subscribe(room);
}

void monitor_shard_close(struct pubsub_shard *room) {
    struct monitor *monitor = room->monitor;
    if (!monitor)
        return;
    while (!list_empty(&monitor->gathers)) {
        struct monitor_gather *gather =
            container_of(monitor->gathers.head.next, struct monitor_gather, in_monitor);
        gather->failed = true;
        finish(gather);
    }
    bus_unsubscribe(room->shard->bus, monitor->answers);
    bus_unsubscribe(room->shard->bus, monitor->asked);
    room->monitor = mem_free(monitor);
}

/* --- options ------------------------------------------------------------------------------ */

static const char *const sort_names[MONITOR_SORTS] = {
    [MONITOR_BY_CID] = "cid",           [MONITOR_BY_START] = "start",
    [MONITOR_BY_SUBS] = "subs",         [MONITOR_BY_PENDING] = "pending",
    [MONITOR_BY_MSGS_TO] = "msgs_to",   [MONITOR_BY_MSGS_FROM] = "msgs_from",
    [MONITOR_BY_BYTES_TO] = "bytes_to", [MONITOR_BY_BYTES_FROM] = "bytes_from",
    [MONITOR_BY_LAST] = "last",         [MONITOR_BY_IDLE] = "idle",
    [MONITOR_BY_UPTIME] = "uptime",     [MONITOR_BY_RTT] = "rtt",
};

static const char *read_sort(struct monitor_query *query, slice value) {
    for (unsigned i = 0; i < MONITOR_SORTS; i++)
        if (slice_equal(value, slice_str(sort_names[i]))) {
            query->sort = (enum monitor_sort)i;
            return NULL;
        }
    return value.len ? "sort is one of cid, start, subs, pending, msgs_to, msgs_from, bytes_to, "
                       "bytes_from, last, idle, uptime, rtt"
                     : NULL;
}

static const char *read_state(slice value) {
    if (value.len == 0 || slice_equal(value, slice_lit("open")))
        return NULL;
    if (slice_equal(value, slice_lit("closed")) || slice_equal(value, slice_lit("all")))
        return "closed connections are not kept here, state is open";
    return "state is open";
}

static const char *read_flag(slice value, bool *into) {
    static const char *const yes[] = {"1", "t", "true", "T", "TRUE", "True"};
    static const char *const no[] = {"", "0", "f", "false", "F", "FALSE", "False"};
    for (size_t i = 0; i < array_count(yes); i++)
        if (slice_equal(value, slice_str(yes[i]))) {
            *into = true;
            return NULL;
        }
    for (size_t i = 0; i < array_count(no); i++)
        if (slice_equal(value, slice_str(no[i]))) {
            *into = false;
            return NULL;
        }
    return "a switch is 1, 0, true or false";
}

static const char *read_number(slice value, uint64_t max, uint64_t *into) {
    uint64_t number;
    if (number_parse_u64(value, &number))
        return "offset, limit and cid are whole numbers";
    *into = number < max ? number : max;
    return NULL;
}

static const char *read_subscriptions(struct monitor_query *query, slice value) {
    query->details = slice_equal(value, slice_lit("detail"));
    return query->details ? NULL : read_flag(value, &query->subscriptions);
}

/* Names of the URL, and behind them those of the JSON over NATS. Unknown ones are passed over, as
   nats-server does: tools send what their newest server knows. */
const char *monitor_option(struct monitor_query *query, slice name, slice value) {
    const struct {
        const char *name, *other;
        bool *flag;
    } flags[] = {
        {"auth", "auth", &query->credentials},   {"accounts", "accounts", &query->accounts},
        {"streams", "streams", &query->streams}, {"consumers", "consumer", &query->consumers},
        {"config", "config", &query->config},
    };
    if (slice_equal(name, slice_lit("limit")))
        return read_number(value, MONITOR_LIMIT_MAX, &query->limit);
    if (slice_equal(name, slice_lit("offset")))
        return read_number(value, UINT32_MAX, &query->offset);
    if (slice_equal(name, slice_lit("cid"))) {
        query->one_client = true;
        return read_number(value, UINT64_MAX, &query->cid);
    }
    if (slice_equal(name, slice_lit("sort")))
        return read_sort(query, value);
    if (slice_equal(name, slice_lit("state")))
        return read_state(value);
    if (slice_equal(name, slice_lit("subs")) || slice_equal(name, slice_lit("subscriptions")))
        return read_subscriptions(query, value);
    if (slice_equal(name, slice_lit("subscriptions_detail")))
        return read_flag(value, &query->details);
    if (slice_equal(name, slice_lit("test")))
        return slice_to_string(value, query->test, sizeof query->test)
                   ? "test is a subject of at most 255 bytes"
                   : NULL;
    if (slice_equal(name, slice_lit("acc")) || slice_equal(name, slice_lit("account")))
        return slice_to_string(value, query->account, sizeof query->account)
                   ? "acc is a name of at most 63 bytes"
                   : NULL;
    for (size_t i = 0; i < array_count(flags); i++)
        if (slice_equal(name, slice_str(flags[i].name)) ||
            slice_equal(name, slice_str(flags[i].other)))
            return read_flag(value, flags[i].flag);
    return NULL;
}

/* --- over HTTP ---------------------------------------------------------------------------- */

struct http_page {
    struct pubsub_shard *room;
    struct http_request *request;
    struct monitor_gather *gather;
};

static void on_gone(void *self) {
    struct http_page *page = self; /* lies in the request's arena, and goes with it */
    monitor_cancel(page->gather);
}

static void on_gathered(void *self, const struct monitor_page *gathered) {
    struct http_page *page = self;
    struct http_request *request = page->request;
    if (!gathered) {
        http_reply_problem(request, 503, "not every shard has answered in time");
        return;
    }
    _cleanup_buf_ struct buf text = buf_make(MONITOR_PAGE_BYTES_MAX);
    struct json_writer w = json_writer_make(&text, true);
    int failed = monitor_write(page->room, gathered, &w);
    if (failed == -E2BIG)
        http_reply_problem(request, 503,
                           "all streams and consumers are more than a page of %u bytes holds: ask "
                           "for them by $JS.API.STREAM.LIST and $JS.API.CONSUMER.LIST",
                           MONITOR_ROWS_BYTES_MAX);
    else if (failed)
        http_reply_problem(request, 503, "no memory for the page");
    else if (json_write_finish(&w))
        http_reply_problem(request, 503, "the page is too large, ask for less by limit=");
    else
        http_reply_json(request, 200, buf_slice(&text));
}

static const char *read_query(struct http_request *request, struct monitor_query *query) {
    static const char *const names[] = {"limit",     "offset", "cid", "sort",     "state",
                                        "subs",      "test",   "acc", "accounts", "streams",
                                        "consumers", "config", "auth"};
    for (size_t i = 0; i < array_count(names); i++) {
        slice name = slice_str(names[i]), value;
        int failed = http_request_argument(request, name, &value);
        const char *wrong = NULL;
        if (failed == 0)
            wrong = monitor_option(query, name, value);
        else if (failed != -ENOENT)
            wrong = "the query is badly escaped";
        if (wrong)
            return wrong;
    }
    return NULL;
}

static void serve(struct pubsub *pubsub, struct http_request *request, enum monitor_kind kind) {
    static const struct http_request_events events = {.on_gone = on_gone};
    struct pubsub_shard *room = pubsub->shards[io_loop_index(http_request_loop(request))];
    struct monitor_query query = {.kind = kind, .limit = MONITOR_LIMIT_DEFAULT};
    const char *wrong = read_query(request, &query);
    if (wrong) {
        http_reply_problem(request, 400, "%s", wrong);
        return;
    }
    struct http_page *page =
        room ? arena_zalloc(http_request_arena(request), 1, sizeof *page) : NULL;
    if (!page) {
        http_reply_problem(request, 503, "no memory for the page");
        return;
    }
    room->monitor->memory.asked[kind]++;
    page->room = room;
    page->request = request;
    http_request_later(request, &events, page);
    if (monitor_start(room, &query, on_gathered, page, &page->gather))
        http_reply_problem(request, 503, "too many pages are being gathered");
}

static void on_varz(void *owner, struct http_request *request) {
    serve(owner, request, MONITOR_VARZ);
}

static void on_connz(void *owner, struct http_request *request) {
    serve(owner, request, MONITOR_CONNZ);
}

static void on_subsz(void *owner, struct http_request *request) {
    serve(owner, request, MONITOR_SUBSZ);
}

static void on_jsz(void *owner, struct http_request *request) {
    serve(owner, request, MONITOR_JSZ);
}

/* The admin listener opens when every shard and the log are open, and closes before they do; a
   failed log ends the process. So whoever is answered at all is answered by a healthy node. */
static void on_healthz(void *owner, struct http_request *request) {
    (void)owner;
    http_reply_json(request, 200, slice_lit("{\"status\":\"ok\"}"));
}

int monitor_started(struct pubsub *pubsub, struct error *ret_error) {
    const struct http_route routes[] = {
        {.method = "GET", .pattern = "/varz", .handle = on_varz},
        {.method = "GET", .pattern = "/connz", .handle = on_connz},
        {.method = "GET", .pattern = "/subsz", .handle = on_subsz},
        {.method = "GET", .pattern = "/jsz", .handle = on_jsz},
        {.method = "GET", .pattern = "/healthz", .handle = on_healthz, .without_login = true},
    };
    for (size_t i = 0; i < array_count(routes) && pubsub->node->admin; i++) {
        struct http_route route = routes[i];
        route.owner = pubsub;
        route.without_login = route.without_login || pubsub->node->monitoring_is_open;
        int failed = http_routes_add(pubsub->node->admin, &route);
        if (failed)
            return error_set(ret_error, failed, "cannot add the page %s", route.pattern);
    }
    return 0;
}
