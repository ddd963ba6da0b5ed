#include "bus_kit.h"

#include "base/number.h"
#include "bus/request.h"
#include "http/server.h"
#include "rooms/pubsub/monitor.h"
#include "wire/json.h"

/* The monitoring pages over a whole room on 1, 2 and 4 shards, asked over HTTP and over NATS. */

#define GUESTS_MAX 16u

struct guest { /* a connection from the other machine */
    struct io_stream *stream;
    struct buf got;
};

struct town {
    struct house *house;
    struct io_host *there;
    struct io_group *group;
    struct room_node node;
    struct room_listen listen;
    struct room_shard shards[HOUSE_SHARDS_MAX];
    void *self, *shard_selves[HOUSE_SHARDS_MAX];
    struct http_server *server;
    struct guest guests[GUESTS_MAX];
    unsigned guest_count, drained;
    struct json_doc doc; /* the page got last */
    char *page;
};

/* --- the node ------------------------------------------------------------------------------------
 */

static void listening(struct room_node *node, const char *listener, const char *address) {
    (void)node;
    (void)listener;
    (void)address;
}

static void make_node(struct town *town, const struct auth_user *users, unsigned user_count) {
    struct house *house = town->house;
    struct error error;
    town->listen = (struct room_listen){.name = "nats", .address = "0.0.0.0:4222"};
    town->node = (struct room_node){
        .host = house->host,
        .group = house->group,
        .metrics = metrics_new(house->shards),
        .name = "test",
        .server_id = "NTEST",
        .directory = "log",
        .shards = house->shards,
        .serving = house->shards,
        .stream_shard = house->shards - 1,
        .listens = &town->listen,
        .listen_count = 1,
        .jetstream = true,
        .limits = {.payload_bytes_max = 1u << 20,
                   .line_bytes_max = 4096,
                   .connections_max = 1000,
                   .subscriptions_max = 1000,
                   .ping_out_max = 2,
                   .pending_bytes_max = 64u << 20,
                   .write_deadline_ns = 10 * SIM_SECOND,
                   .ping_interval_ns = 120 * SIM_SECOND,
                   .auth_timeout_ns = 2 * SIM_SECOND,
                   .drain_ns = 10 * SIM_SECOND},
        .listening = listening,
    };
    assert_non_null(town->node.metrics);
    assert_int_equal(auth_create(users, user_count, &town->node.auth, &error), 0);
    assert_int_equal(http_routes_create(&town->node.admin), 0);
}

static struct town *town_with_users(unsigned shards, const struct auth_user *users,
                                    unsigned user_count) {
    struct town *town = mem_zalloc(1, sizeof *town);
    struct error error;
    assert_non_null(town);
    json_init(&town->doc);
    town->house = house_open(1, shards);
    house_streams(town->house);
    make_node(town, users, user_count);
    assert_int_equal(pubsub_room.open(&town->node, NULL, &town->self, &error), 0);
    for (unsigned i = 0; i < shards; i++) {
        town->shards[i] = (struct room_shard){
            .node = &town->node,
            .loop = io_group_loop(town->house->group, i),
            .bus = town->house->bus[i],
            .streams = i == shards - 1 ? town->house->streams : NULL,
            .metrics = metrics_shard(town->node.metrics, i),
            .index = i,
        };
        assert_int_equal(
            pubsub_room.shard_open(town->self, &town->shards[i], &town->shard_selves[i], &error),
            0);
    }
    assert_int_equal(pubsub_room.started(town->self, &error), 0);
    struct http_server_options options = {
        .name = "admin", .address = "0.0.0.0:8222", .loop_count = 1, .routes = town->node.admin};
    assert_int_equal(http_server_open(town->shards[0].loop, &options, &town->server, &error), 0);
    town->there = sim_host_create(town->house->sim, "there");
    assert_int_equal(io_group_create(town->there, 1, &town->group), 0);
    sim_group_start(town->group, NULL, NULL);
    return town;
}

static struct town *town_open(unsigned shards) {
    return town_with_users(shards, NULL, 0);
}

static void on_drained(void *argument) {
    struct town *town = argument;
    town->drained++;
}

static void town_close(struct town *town) {
    for (unsigned i = 0; i < town->guest_count; i++) {
        if (town->guests[i].stream)
            io_stream_abort(town->guests[i].stream);
    }
    house_run(town->house, 10 * SIM_SECOND);
    http_server_close(town->server, town->shards[0].loop);
    http_server_free(town->server);
    for (unsigned i = 0; i < town->house->shards; i++)
        pubsub_room.drain(town->shard_selves[i], on_drained, town);
    house_run(town->house, 10 * SIM_SECOND);
    assert_int_equal(town->drained, town->house->shards);
    for (unsigned i = 0; i < town->house->shards; i++)
        pubsub_room.shard_close(town->shard_selves[i]);
    house_run(town->house, SIM_SECOND);
    pubsub_room.close(town->self);
    http_routes_unref(town->node.admin);
    auth_unref(town->node.auth);
    io_group_free(town->group);
    metrics_free(town->node.metrics);
    for (unsigned i = 0; i < town->guest_count; i++)
        buf_free(&town->guests[i].got);
    json_free(&town->doc);
    mem_free(town->page);
    house_close(town->house);
    mem_free(town);
}

/* --- guests --------------------------------------------------------------------------------------
 */

static void on_bytes(void *owner, slice bytes) {
    struct guest *guest = owner;
    assert_int_equal(buf_append(&guest->got, bytes), 0);
}

static void on_close(void *owner, int reason) {
    (void)reason;
    struct guest *guest = owner;
    guest->stream = NULL;
}

static void on_connect(void *owner, struct io_stream *stream, int failed) {
    static const struct io_stream_events events = {.on_bytes = on_bytes, .on_close = on_close};
    struct guest *guest = owner;
    assert_int_equal(failed, 0);
    guest->stream = stream;
    io_stream_set_events(stream, &events, guest);
}

static struct guest *guest_open(struct town *town, const char *address) {
    assert_true(town->guest_count < GUESTS_MAX);
    struct guest *guest = &town->guests[town->guest_count++];
    guest->got = buf_make(16u << 20);
    struct io_loop *loop = io_group_loop(town->group, 0);
    assert_int_equal(io_connect(loop, address, SIM_SECOND, on_connect, guest), 0);
    house_run(town->house, SIM_SECOND);
    assert_non_null(guest->stream);
    return guest;
}

static void says(struct town *town, struct guest *guest, const char *text) {
    buf_clear(&guest->got);
    assert_int_equal(io_stream_write(guest->stream, slice_str(text)), 0);
    house_run(town->house, SIM_SECOND);
}

/* A NATS client that has said CONNECT with OPTIONS and SUBS subscriptions "s.0", "s.1" ... */
static struct guest *client(struct town *town, const char *options, unsigned subs) {
    char line[256];
    struct guest *guest = guest_open(town, "a:4222");
    snprintf(line, sizeof line, "CONNECT {\"verbose\":false,%s}\r\n", options);
    says(town, guest, line);
    for (unsigned i = 0; i < subs; i++) {
        snprintf(line, sizeof line, "SUB s.%u %u\r\n", i, i + 1);
        says(town, guest, line);
    }
    return guest;
}

/* The page at PATH, parsed; its status. */
static unsigned fetch(struct town *town, const char *path) {
    char line[256];
    uint64_t status = 0;
    struct guest *guest = guest_open(town, "a:8222");
    snprintf(line, sizeof line, "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
             path);
    says(town, guest, line);
    house_run(town->house, 3 * SIM_SECOND);
    slice got = buf_slice(&guest->got);
    ptrdiff_t head = slice_find_slice(got, slice_lit("\r\n\r\n"));
    assert_true(head > 0);
    assert_int_equal(number_parse_u64(slice_make(got.ptr + 9, 3), &status), 0);
    slice body = slice_skip(got, (size_t)head + 4);
    mem_free(town->page);
    town->page = mem_copy(body.ptr, body.len);
    assert_int_equal(json_parse(&town->doc, slice_make(town->page, body.len)), 0);
    return (unsigned)status;
}

static json_value at(struct town *town, const char *path) {
    return json_path(json_root(&town->doc), path);
}

static uint64_t number(json_value v) {
    uint64_t n = 0;
    assert_int_equal(json_u64(v, &n), 0);
    return n;
}

static uint64_t number_at(struct town *town, const char *path) {
    return number(at(town, path));
}

/* --- /varz, /connz, /subsz, /jsz
 * ------------------------------------------------------------------
 */

static void test_varz_adds_up_the_shards(void **state) {
    (void)state;
    for (unsigned shards = 1; shards <= 4; shards *= 2) {
        struct town *town = town_open(shards);
        for (unsigned i = 0; i < 5; i++)
            client(town, "\"name\":\"x\"", i);
        assert_int_equal(fetch(town, "/varz"), 200);
        assert_int_equal(number_at(town, "connections"), 5);
        assert_int_equal(number_at(town, "total_connections"), 5);
        assert_int_equal(number_at(town, "subscriptions"), 10);
        assert_int_equal(number_at(town, "max_payload"), 1u << 20);
        assert_true(json_string_is(at(town, "server_id"), slice_lit("NTEST")));
        assert_true(json_string_is(at(town, "version"), slice_lit(PUBSUB_NATS_VERSION)));
        assert_int_equal(json_type_of(at(town, "jetstream.stats.api")), JSON_OBJECT);
        assert_int_equal(fetch(town, "/varz"), 200);
        assert_int_equal(number(json_member(at(town, "http_req_stats"), slice_lit("/varz"))), 2);
        town_close(town);
    }
}

static void test_connz_merges_sorts_and_cuts(void **state) {
    (void)state;
    for (unsigned shards = 1; shards <= 4; shards *= 2) {
        struct town *town = town_open(shards);
        static const unsigned subs[] = {2, 0, 4, 1, 3};
        for (unsigned i = 0; i < 5; i++)
            client(town, "\"name\":\"x\",\"lang\":\"c\",\"version\":\"9\"", subs[i]);
        assert_int_equal(fetch(town, "/connz?sort=subs"), 200);
        json_value list = at(town, "connections");
        assert_int_equal(json_count(list), 5);
        for (unsigned i = 0; i < 5; i++)
            assert_int_equal(number(json_member(json_element(list, i), slice_lit("subscriptions"))),
                             4 - i);
        assert_int_equal(fetch(town, "/connz?sort=subs&offset=1&limit=2"), 200);
        list = at(town, "connections");
        assert_int_equal(json_count(list), 2);
        assert_int_equal(number_at(town, "num_connections"), 2);
        assert_int_equal(number_at(town, "total"), 5);
        assert_int_equal(number(json_path(json_element(list, 0), "subscriptions")), 3);
        assert_int_equal(fetch(town, "/connz"), 200);
        list = at(town, "connections");
        for (unsigned i = 1; i < 5; i++)
            assert_true(number(json_path(json_element(list, i), "cid")) >
                        number(json_path(json_element(list, i - 1), "cid")));
        assert_int_equal(fetch(town, "/connz?offset=5"), 200);
        assert_int_equal(json_count(at(town, "connections")), 0);
        town_close(town);
    }
}

static void test_connz_shows_one_client_with_its_subscriptions(void **state) {
    (void)state;
    struct town *town = town_open(2);
    client(town, "\"name\":\"one\"", 1);
    client(town, "\"name\":\"two\"", 2);
    assert_int_equal(fetch(town, "/connz?cid=2&subs=1"), 200);
    json_value one = json_element(at(town, "connections"), 0);
    assert_int_equal(json_count(at(town, "connections")), 1);
    assert_true(json_string_is(json_path(one, "name"), slice_lit("two")));
    assert_true(json_string_is(json_path(one, "ip"), slice_lit("10.0.0.2")));
    assert_true(
        json_string_is(json_element(json_path(one, "subscriptions_list"), 1), slice_lit("s.1")));
    assert_int_equal(fetch(town, "/connz?cid=2&subs=detail&auth=1"), 200);
    one = json_element(at(town, "connections"), 0);
    json_value detail = json_element(json_path(one, "subscriptions_list_detail"), 1);
    assert_true(json_string_is(json_path(detail, "sid"), slice_lit("2")));
    assert_true(json_string_is(json_path(one, "account"), slice_lit("$G")));
    assert_int_equal(fetch(town, "/connz?cid=77"), 200);
    assert_int_equal(number_at(town, "num_connections"), 0);
    town_close(town);
}

static void test_subsz_tells_who_a_message_would_reach(void **state) {
    (void)state;
    struct town *town = town_open(4);
    for (unsigned i = 1; i <= 3; i++)
        client(town, "\"name\":\"x\"", i);
    assert_int_equal(fetch(town, "/subsz"), 200);
    assert_int_equal(number_at(town, "num_subscriptions"), 6);
    assert_int_equal(json_type_of(at(town, "subscriptions_list")), JSON_ABSENT);
    assert_int_equal(fetch(town, "/subsz?subs=1&test=s.1"), 200);
    assert_int_equal(number_at(town, "total"), 2);
    assert_int_equal(json_count(at(town, "subscriptions_list")), 2);
    town_close(town);
}

static void test_jsz_shows_streams_and_consumers(void **state) {
    (void)state;
    for (unsigned shards = 1; shards <= 4; shards *= 2) {
        struct town *town = town_open(shards);
        assert_non_null(kit_stream(town->house, "{'name':'S','subjects':['in.>']}"));
        assert_non_null(kit_stream(town->house, "{'name':'T','subjects':['out.>']}"));
        assert_non_null(kit_consumer(town->house, "S", "{'durable_name':'C'}"));
        kit_fill(town->house, "in.a", 7);
        assert_int_equal(fetch(town, "/jsz"), 200);
        assert_int_equal(number_at(town, "streams"), 2);
        assert_int_equal(number_at(town, "consumers"), 1);
        assert_int_equal(number_at(town, "messages"), 7);
        assert_int_equal(json_type_of(at(town, "account_details")), JSON_ABSENT);
        assert_int_equal(fetch(town, "/jsz?streams=true&config=1&consumers=t"), 200);
        json_value account = json_element(at(town, "account_details"), 0);
        json_value stream = json_element(json_path(account, "stream_detail"), 0);
        assert_int_equal(json_count(json_path(account, "stream_detail")), 2);
        assert_true(json_string_is(json_path(stream, "name"), slice_lit("S")));
        assert_int_equal(number(json_path(stream, "state.messages")), 7);
        assert_true(json_string_is(json_element(json_path(stream, "config.subjects"), 0),
                                   slice_lit("in.>")));
        assert_true(
            json_string_is(json_path(json_element(json_path(stream, "consumer_detail"), 0), "name"),
                           slice_lit("C")));
        town_close(town);
    }
}

static void test_what_cannot_be_answered_is_said(void **state) {
    (void)state;
    static const char *const bad[] = {"/connz?sort=beauty", "/connz?limit=x", "/connz?state=closed",
                                      "/connz?subs=perhaps", "/connz?cid=%zz"};
    struct town *town = town_open(2);
    for (size_t i = 0; i < array_count(bad); i++) {
        assert_int_equal(fetch(town, bad[i]), 400);
        assert_int_equal(number_at(town, "status"), 400);
    }
    assert_int_equal(fetch(town, "/connz?newest=option&limit=1"), 200);
    assert_int_equal(fetch(town, "/healthz?js-enabled-only=true"), 200);
    assert_true(json_string_is(at(town, "status"), slice_lit("ok")));
    town_close(town);
}

static void test_a_page_without_a_shard_is_no_page(void **state) {
    (void)state;
    struct town *town = town_open(4);
    monitor_shard_close(town->shard_selves[2]);
    assert_int_equal(fetch(town, "/varz"), 503);
    town_close(town);
}

static void test_the_asker_may_go_while_the_page_is_gathered(void **state) {
    (void)state;
    struct town *town = town_open(4);
    monitor_shard_close(town->shard_selves[2]); /* so that it takes its time */
    for (unsigned i = 0; i < 5; i++) {
        struct guest *guest = guest_open(town, "a:8222");
        says(town, guest, "GET /varz HTTP/1.1\r\nHost: localhost\r\n\r\n");
        io_stream_abort(guest->stream);
        house_run(town->house, SIM_SECOND);
    }
    town_close(town);
}

static void test_clients_do_not_overhear_the_gathering(void **state) {
    (void)state;
    struct town *town = town_open(4);
    struct guest *ear = client(town, "\"name\":\"ear\"", 0);
    says(town, ear, "SUB > 1\r\nSUB _INBOX.> 2\r\nSUB _NONET.> 3\r\nPING\r\n");
    buf_clear(&ear->got);
    assert_int_equal(fetch(town, "/connz"), 200);
    assert_int_equal(ear->got.len, 0);
    town_close(town);
}

/* --- the node asks a client ----------------------------------------------------------------------
 */

static void on_asked(void *owner, const struct bus_message *reply, int ended) {
    char *answer = owner;
    if (reply)
        snprintf(answer, 16, "%.*s", slice_fmt(reply->payload));
    else if (ended)
        snprintf(answer, 16, "ended %d", ended);
}

/* The reply subject that GUEST was shown, as PUB of TEXT to it. */
static void answers(struct town *town, struct guest *guest, const char *text) {
    char line[256];
    slice got = buf_slice(&guest->got);
    ptrdiff_t at = slice_find_slice(got, slice_lit("_NONET._INBOX."));
    assert_true(at > 0);
    slice reply = slice_skip(got, (size_t)at);
    reply = slice_take(reply, (size_t)slice_find(reply, ' '));
    snprintf(line, sizeof line, "PUB %.*s %zu\r\n%s\r\n", slice_fmt(reply), strlen(text), text);
    says(town, guest, line);
}

static void test_a_service_answers_the_node_and_nobody_else_hears_or_says_it(void **state) {
    (void)state;
    const slice inboxes[] = {slice_lit("_INBOX.>")}, others[] = {slice_lit("mine.>")};
    const struct auth_user users[] = {{.user = slice_lit("service"),
                                       .password = slice_lit("pw"),
                                       .publish_allow = {inboxes, 1},
                                       .limits_publish = true},
                                      {.user = slice_lit("ear"),
                                       .password = slice_lit("pw"),
                                       .publish_allow = {others, 1},
                                       .limits_publish = true}};
    struct town *town = town_with_users(2, users, 2);
    struct guest *service = client(town, "\"user\":\"service\",\"pass\":\"pw\"", 0);
    struct guest *ear = client(town, "\"user\":\"ear\",\"pass\":\"pw\"", 0);
    char answer[16] = "";
    struct bus_request_options options = {.message = {.subject = slice_lit("ask")},
                                          .timeout_ns = 60 * SIM_SECOND,
                                          .on_reply = on_asked,
                                          .owner = answer};
    says(town, service, "SUB ask 1\r\n");
    says(town, ear, "SUB > 1\r\nSUB _INBOX.> 2\r\nSUB _NONET._INBOX.> 3\r\nSUB *.*.*.* 4\r\n");
    assert_true(slice_find_slice(buf_slice(&ear->got), slice_lit("'Invalid Subject'")) > 0);
    buf_clear(&ear->got);
    assert_int_equal(bus_request(town->house->bus[0], &options, NULL), 0);
    house_run(town->house, SIM_SECOND);
    answers(town, ear, "a lie");
    assert_true(slice_find_slice(buf_slice(&ear->got), slice_lit("Permissions Violation")) > 0);
    assert_string_equal(answer, "");
    buf_clear(&ear->got);
    answers(town, service, "the truth");
    assert_string_equal(answer, "the truth");
    assert_int_equal(ear->got.len, 0);
    town_close(town);
}

/* --- $SYS.REQ ------------------------------------------------------------------------------------
 */

/* Asks over NATS; the answer's payload is parsed into town->doc. */
static void request(struct town *town, struct guest *guest, const char *subject,
                    const char *payload) {
    char text[512];
    snprintf(text, sizeof text, "SUB _INBOX.me 99\r\nPUB %s _INBOX.me %zu\r\n%s\r\n", subject,
             strlen(payload), payload);
    says(town, guest, text);
    house_run(town->house, SIM_SECOND);
    slice got = buf_slice(&guest->got);
    ptrdiff_t body = slice_find(got, '{');
    assert_true(body > 0);
    got = slice_skip(got, (size_t)body);
    assert_true(slice_ends_with(got, slice_lit("\r\n")));
    mem_free(town->page);
    town->page = mem_copy(got.ptr, got.len - 2);
    assert_int_equal(json_parse(&town->doc, slice_make(town->page, got.len - 2)), 0);
}

static void test_user_info_tells_user_and_rights(void **state) {
    (void)state;
    const slice may_publish[] = {slice_lit("s.>"), slice_lit("$SYS.REQ.>")};
    const slice may_not_read[] = {slice_lit("secret.>")};
    const struct auth_user users[] = {{.user = slice_lit("ann"),
                                       .password = slice_lit("pw"),
                                       .publish_allow = {may_publish, 2},
                                       .limits_publish = true,
                                       .subscribe_deny = {may_not_read, 1}}};
    struct town *town = town_with_users(2, users, 1);
    struct guest *ann = client(town, "\"user\":\"ann\",\"pass\":\"pw\"", 0);
    request(town, ann, "$SYS.REQ.USER.INFO", "");
    assert_true(json_string_is(at(town, "data.user"), slice_lit("ann")));
    assert_true(json_string_is(at(town, "data.account"), slice_lit("$G")));
    assert_true(json_string_is(json_element(at(town, "data.permissions.publish.allow"), 0),
                               slice_lit("s.>")));
    assert_true(json_string_is(json_element(at(town, "data.permissions.subscribe.deny"), 0),
                               slice_lit("secret.>")));
    assert_int_equal(json_type_of(at(town, "data.permissions.subscribe.allow")), JSON_ABSENT);
    assert_true(json_string_is(at(town, "server.id"), slice_lit("NTEST")));
    town_close(town);
}

static void test_who_may_not_publish_there_gets_no_answer(void **state) {
    (void)state;
    const slice denied[] = {slice_lit("$SYS.>")};
    const struct auth_user users[] = {
        {.user = slice_lit("bob"), .password = slice_lit("pw"), .publish_deny = {denied, 1}}};
    struct town *town = town_with_users(2, users, 1);
    struct guest *bob = client(town, "\"user\":\"bob\",\"pass\":\"pw\"", 0);
    says(town, bob, "SUB _INBOX.me 9\r\nPUB $SYS.REQ.USER.INFO _INBOX.me 0\r\n\r\n");
    slice got = buf_slice(&bob->got);
    assert_true(slice_find_slice(got, slice_lit("Permissions Violation for Publish")) > 0);
    assert_true(slice_find_slice(got, slice_lit("MSG ")) < 0);
    town_close(town);
}

static void test_server_ping_and_its_pages(void **state) {
    (void)state;
    struct town *town = town_open(4);
    struct guest *guest = client(town, "\"name\":\"x\"", 2);
    client(town, "\"name\":\"y\"", 1);
    request(town, guest, "$SYS.REQ.SERVER.PING", "");
    assert_int_equal(number_at(town, "statsz.connections"), 2);
    assert_int_equal(number_at(town, "statsz.subscriptions"), 4);
    request(town, guest, "$SYS.REQ.SERVER.PING.CONNZ",
            "{\"limit\":1,\"sort\":\"subs\",\"subscriptions\":true,\"new\":{}}");
    assert_int_equal(json_count(at(town, "data.connections")), 1);
    assert_int_equal(number_at(town, "data.total"), 2);
    request(town, guest, "$SYS.REQ.SERVER.NTEST.VARZ", "");
    assert_int_equal(number_at(town, "data.connections"), 2);
    request(town, guest, "$SYS.REQ.SERVER.PING.HEALTHZ", "{}");
    assert_true(json_string_is(at(town, "data.status"), slice_lit("ok")));
    request(town, guest, "$SYS.REQ.SERVER.PING.CONNZ", "{\"sort\":\"beauty\"}");
    assert_int_equal(number_at(town, "error.code"), 400);
    request(town, guest, "$SYS.REQ.SERVER.PING.CONNZ", "{\"limit\":");
    assert_int_equal(number_at(town, "error.code"), 400);
    town_close(town);
}

static void test_other_requests_find_no_responders(void **state) {
    (void)state;
    static const char *const subjects[] = {"$SYS.REQ.SERVER.PING.NOPE",
                                           "$SYS.REQ.SERVER.OTHER.VARZ", "$SYS.REQ.SERVER.NTEST",
                                           "$SYS.REQ.NOPE"};
    struct town *town = town_open(2);
    struct guest *guest = client(town, "\"headers\":true,\"no_responders\":true", 0);
    for (size_t i = 0; i < array_count(subjects); i++) {
        char text[256];
        snprintf(text, sizeof text, "SUB _INBOX.me 9\r\nPUB %s _INBOX.me 0\r\n\r\n", subjects[i]);
        says(town, guest, text);
        assert_true(slice_find_slice(buf_slice(&guest->got), slice_lit("NATS/1.0 503")) > 0);
    }
    town_close(town);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_varz_adds_up_the_shards),
        cmocka_unit_test(test_connz_merges_sorts_and_cuts),
        cmocka_unit_test(test_connz_shows_one_client_with_its_subscriptions),
        cmocka_unit_test(test_subsz_tells_who_a_message_would_reach),
        cmocka_unit_test(test_jsz_shows_streams_and_consumers),
        cmocka_unit_test(test_what_cannot_be_answered_is_said),
        cmocka_unit_test(test_a_page_without_a_shard_is_no_page),
        cmocka_unit_test(test_the_asker_may_go_while_the_page_is_gathered),
        cmocka_unit_test(test_clients_do_not_overhear_the_gathering),
        cmocka_unit_test(test_a_service_answers_the_node_and_nobody_else_hears_or_says_it),
        cmocka_unit_test(test_user_info_tells_user_and_rights),
        cmocka_unit_test(test_who_may_not_publish_there_gets_no_answer),
        cmocka_unit_test(test_server_ping_and_its_pages),
        cmocka_unit_test(test_other_requests_find_no_responders),
    };
    return cmocka_run_group_tests_name("rooms/monitor", tests, NULL, NULL);
}
