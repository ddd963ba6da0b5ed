#include "stage.h"

#include "certificates.h"
#include "http/server.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* What the simulated machine does not have: loops that are threads, TLS, sockets that close one
   half, and memory to weigh. Loop 0 plays the clients; loops 1 and 2 serve. */

#define GET_HELLO "GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n"
#define CLOSE_MESSAGE 1
#define SERVING 2
#define ASKS_FOR_UPGRADE                                                                           \
    "GET /upgrade HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"
#define EARLY_BYTES 400000
#define DRIP_BYTES 65536
#define DRIP_NS UINT64_C(1000000)
#define IDLE_CONNECTIONS 300
#define IDLE_BYTES_MAX 4096

static const struct http_answer plain = {.status = 200, .type = "text/plain"};

struct scene {
    struct stage stage;
    struct http_routes *routes;
    struct http_server *server;
    struct io_tls *server_tls, *client_tls;
    void (*play)(struct scene *scene);
    atomic_bool open;
    atomic_uint closed, served[SERVING + 1]; /* requests by loop */
    char address[64], got[4096];
    size_t got_len;
    struct io_stream *upgraded;
    size_t early; /* bytes that the upgraded stream has got */
    struct http_limits limits;
    bool silent; /* the client of TLS reads nothing */
    struct http_request *drip;
    struct io_timer drip_timer;
    atomic_bool dripped, cut; /* the answer is over; since the client was cut */
};

static void hello(void *owner, struct http_request *request) {
    struct scene *scene = owner;
    atomic_fetch_add(&scene->served[io_loop_index(http_request_loop(request))], 1);
    http_reply(request, &plain,
               http_request_is_tls(request) ? slice_lit("hello over TLS") : slice_lit("hello"));
}

/* The client sends EARLY_BYTES with its request, more than one TLS record and than one read. */
static void on_early(void *owner, slice bytes) {
    struct scene *scene = owner;
    scene->early += bytes.len;
    for (size_t i = 0; i < bytes.len; i++)
        check(bytes.ptr[i] == 'e');
    if (scene->early < EARLY_BYTES)
        return;
    check(io_stream_write(scene->upgraded, slice_lit("all is here")) == 0);
    io_stream_close(scene->upgraded);
}

static void upgrade(void *owner, struct http_request *request) {
    static const struct io_stream_events events = {.on_bytes = on_early};
    static const struct http1_field field = {slice_lit("Upgrade"), slice_lit("x")};
    struct scene *scene = owner;
    check(http_reply_upgrade(request, &field, 1, &events, scene, &scene->upgraded) == 0);
}

/* Drips until it is cut, or until the client would have to be waited for. */
static void drip(struct io_timer *timer) {
    struct scene *scene = container_of(timer, struct scene, drip_timer);
    static char bytes[DRIP_BYTES];
    if (http_reply_full(scene->drip)) {
        http_reply_break(scene->drip);
        atomic_store(&scene->dripped, true);
        return;
    }
    bool waits = io_stream_pending(http_request_stream(scene->drip)) > 0;
    check(http_reply_write(scene->drip, slice_make(bytes, waits ? 1 : sizeof bytes)) == 0);
    io_timer_start(http_request_loop(scene->drip), timer, DRIP_NS, drip);
}

static void on_drip_gone(void *owner) {
    struct scene *scene = owner;
    io_timer_stop(http_request_loop(scene->drip), &scene->drip_timer);
    atomic_store(&scene->cut, true);
    atomic_store(&scene->dripped, true);
}

static void dripping(void *owner, struct http_request *request) {
    static const struct http_request_events events = {.on_gone = on_drip_gone};
    struct scene *scene = owner;
    scene->drip = request;
    http_request_later(request, &events, scene);
    check(http_reply_begin(request, &plain) == 0);
    drip(&scene->drip_timer);
}

/* --- the serving loops --------------------------------------------------------------------------
 */

static void on_message(void *owner, unsigned from, uint32_t kind, slice body) {
    (void)from;
    (void)body;
    struct scene *scene = owner;
    struct io_loop *loop;
    check(kind == CLOSE_MESSAGE && body.len == sizeof loop);
    memcpy(&loop, body.ptr, sizeof loop);
    http_server_close(scene->server, loop);
    atomic_fetch_add(&scene->closed, 1);
}

static void open_server(struct scene *scene, struct io_loop *loop) {
    struct http_server_options options = {
        .name = "test",
        .address = "127.0.0.1:0",
        .loop_first = 1,
        .loop_count = SERVING,
        .routes = scene->routes,
        .tls = scene->server_tls,
        .limits = scene->limits,
    };
    struct error error;
    check(http_server_open(loop, &options, &scene->server, &error) == 0);
    snprintf(scene->address, sizeof scene->address, "%s", http_server_address(scene->server));
    atomic_store(&scene->open, true);
}

static void each(struct stage *stage, struct io_loop *loop) {
    struct scene *scene = container_of(stage, struct scene, stage);
    struct io_receiver receiver = {.on_message = on_message, .owner = scene};
    io_loop_set_receiver(loop, &receiver);
    if (io_loop_index(loop) == 1)
        open_server(scene, loop);
}

/* --- the scene -----------------------------------------------------------------------------------
 */

static void ask_to_close(struct scene *scene, unsigned index) {
    struct io_loop *loop = io_group_loop(scene->stage.group, index);
    slice body = slice_make(&loop, sizeof loop);
    check(io_send(scene->stage.loop, index, CLOSE_MESSAGE, &body, 1) == 0);
}

static bool is_open(struct stage *stage) {
    return atomic_load(&container_of(stage, struct scene, stage)->open);
}

static bool listener_closed(struct stage *stage) {
    return atomic_load(&container_of(stage, struct scene, stage)->closed) >= 1;
}

static bool all_closed(struct stage *stage) {
    return atomic_load(&container_of(stage, struct scene, stage)->closed) == SERVING;
}

static void close_rest(struct stage *stage) {
    ask_to_close(container_of(stage, struct scene, stage), 2);
    stage_when(stage, all_closed, stage_end);
}

static void finish(struct scene *scene) {
    ask_to_close(scene, 1); /* the listener's own loop first */
    stage_when(&scene->stage, listener_closed, close_rest);
}

static void play(struct stage *stage) {
    struct scene *scene = container_of(stage, struct scene, stage);
    scene->play(scene);
}

static void begin(struct stage *stage) {
    stage_when(stage, is_open, play);
}

static void scene_play(struct scene *scene, void (*act)(struct scene *scene)) {
    const struct http_route routes[] = {
        {.method = "GET", .pattern = "/hello", .handle = hello, .owner = scene},
        {.method = "GET", .pattern = "/upgrade", .handle = upgrade, .owner = scene},
        {.method = "GET", .pattern = "/drip", .handle = dripping, .owner = scene},
    };
    scene->play = act;
    assert_int_equal(http_routes_create(&scene->routes), 0);
    for (size_t i = 0; i < array_count(routes); i++)
        assert_int_equal(http_routes_add(scene->routes, &routes[i]), 0);
    stage_play_each(&scene->stage, SERVING + 1, each, begin, NULL);
    http_server_free(scene->server);
    http_routes_unref(scene->routes);
}

/* --- cases ---------------------------------------------------------------------------------------
 */

static void read_answer(int fd) {
    char got[512];
    size_t len = 0;
    while (len < 5 || memcmp(got + len - 5, "hello", 5) != 0)
        len += stage_raw_receive(fd, got + len, 1);
}

static void act_many_loops(struct scene *scene) {
    int fds[10];
    for (unsigned i = 0; i < 10; i++) {
        fds[i] = stage_raw_connect(scene->address);
        stage_raw_send(fds[i], GET_HELLO, strlen(GET_HELLO));
        read_answer(fds[i]);
    }
    for (unsigned i = 0; i < 10; i++)
        close(fds[i]);
    finish(scene);
}

static void test_connections_are_dealt_to_all_loops(void **state) {
    (void)state;
    struct scene scene = {0};
    scene_play(&scene, act_many_loops);
    assert_int_equal(atomic_load(&scene.served[0]), 0);
    assert_int_equal(atomic_load(&scene.served[1]), 5);
    assert_int_equal(atomic_load(&scene.served[2]), 5);
}

static void act_half_close(struct scene *scene) {
    int fd = stage_raw_connect(scene->address);
    stage_raw_send(fd, GET_HELLO GET_HELLO, 2 * strlen(GET_HELLO));
    check(shutdown(fd, SHUT_WR) == 0);
    scene->got_len = stage_raw_receive(fd, scene->got, sizeof scene->got - 1);
    close(fd);
    finish(scene);
}

static void test_who_half_closes_still_gets_the_answers(void **state) {
    (void)state;
    struct scene scene = {0};
    scene_play(&scene, act_half_close);
    slice got = slice_make(scene.got, scene.got_len);
    assert_true(slice_ends_with(got, slice_lit("hello")));
    assert_int_equal(atomic_load(&scene.served[1]) + atomic_load(&scene.served[2]), 2);
}

static void act_half_request(struct scene *scene) {
    int fd = stage_raw_connect(scene->address);
    stage_raw_send(fd, GET_HELLO, strlen(GET_HELLO) - 2);
    check(shutdown(fd, SHUT_WR) == 0);
    scene->got_len = stage_raw_receive(fd, scene->got, sizeof scene->got - 1);
    close(fd);
    finish(scene);
}

static void test_half_a_request_and_the_end_is_a_400(void **state) {
    (void)state;
    struct scene scene = {0};
    scene_play(&scene, act_half_request);
    slice got = slice_make(scene.got, scene.got_len);
    assert_true(slice_starts_with(got, slice_lit("HTTP/1.1 400 ")));
    assert_true(slice_find_slice(got, slice_lit("the connection ended inside a message")) > 0);
}

static size_t idle_bytes; /* of one idle connection, as the allocator counts them */

static void act_idle(struct scene *scene) {
    static int fds[IDLE_CONNECTIONS];
    int first = stage_raw_connect(scene->address); /* pools and spare requests are filled */
    for (unsigned i = 0; i < 100; i++) {
        stage_raw_send(first, GET_HELLO, strlen(GET_HELLO));
        read_answer(first);
    }
    size_t before = mallinfo2().uordblks;
    for (unsigned i = 0; i < IDLE_CONNECTIONS; i++) {
        fds[i] = stage_raw_connect(scene->address);
        stage_raw_send(fds[i], GET_HELLO, strlen(GET_HELLO));
        read_answer(fds[i]);
    }
    size_t after = mallinfo2().uordblks;
    idle_bytes = after > before ? (after - before) / IDLE_CONNECTIONS : 0;
    for (unsigned i = 0; i < IDLE_CONNECTIONS; i++)
        close(fds[i]);
    close(first);
    finish(scene);
}

static void test_an_idle_connection_is_small(void **state) {
    (void)state;
    struct scene scene = {0};
    scene_play(&scene, act_idle);
    print_message("an idle connection holds %zu bytes\n", idle_bytes);
    assert_true(idle_bytes < IDLE_BYTES_MAX);
}

/* --- TLS -----------------------------------------------------------------------------------------
 */

static void on_bytes(void *owner, slice bytes) {
    struct scene *scene = owner;
    check(scene->got_len + bytes.len < sizeof scene->got);
    memcpy(scene->got + scene->got_len, bytes.ptr, bytes.len);
    scene->got_len += bytes.len;
}

static void on_close(void *owner, int reason) {
    (void)reason;
    finish(owner);
}

static struct io_stream *tls_stream;
static slice tls_request;

static bool has_dripped(struct stage *stage) {
    return atomic_load(&container_of(stage, struct scene, stage)->dripped);
}

static void leave(struct stage *stage) {
    (void)stage;
    io_stream_abort(tls_stream);
}

static void on_ready(void *owner, int failed, const char *why) {
    struct scene *scene = owner;
    if (failed) {
        print_message("handshake: %s\n", why);
        return;
    }
    check(io_stream_write(tls_stream, tls_request) == 0);
    if (!scene->silent)
        return;
    io_stream_pause(tls_stream); /* hears nothing more, not even that it was cut */
    stage_when(&scene->stage, has_dripped, leave);
}

static void on_connect(void *owner, struct io_stream *stream, int failed) {
    static const struct io_stream_events events = {.on_bytes = on_bytes, .on_close = on_close};
    struct scene *scene = owner;
    check(failed == 0);
    tls_stream = stream;
    io_stream_set_events(stream, &events, scene);
    check(io_stream_start_tls(stream, scene->client_tls, (slice){0}, UINT64_C(5000000000),
                              on_ready) == 0);
}

static void act_tls(struct scene *scene) {
    check(io_connect(scene->stage.loop, scene->address, UINT64_C(5000000000), on_connect, scene) ==
          0);
}

static struct io_tls *make_tls(struct io_host *host, const struct io_tls_options *options) {
    struct io_tls *tls;
    struct error error;
    check(io_tls_create(host, options, &tls, &error) == 0);
    return tls;
}

static void play_tls(struct scene *scene, slice request) {
    char folder[] = "nonet-http-XXXXXX", path[4][64];
    static const char *const names[4] = {"ca.pem", "ca.key", "server.pem", "server.key"};
    check(mkdtemp(folder) != NULL);
    struct certificate *authority = certificates_authority(folder, "ca");
    certificates_signed(folder, "server", "DNS:localhost", authority);
    certificates_free(authority);
    for (unsigned i = 0; i < 4; i++)
        snprintf(path[i], sizeof path[i], "%s/%s", folder, names[i]);
    struct io_tls_options server = {.cert_file = path[2], .key_file = path[3], .server = true};
    struct io_tls_options client = {
        .ca_file = path[0], .verify_peer = true, .server_name = "localhost"};
    struct io_host *host; /* outlives the contexts */
    check(io_host_create(&host) == 0);
    scene->server_tls = make_tls(host, &server);
    scene->client_tls = make_tls(host, &client);
    tls_request = request;
    scene_play(scene, act_tls);
    io_tls_unref(scene->server_tls);
    io_tls_unref(scene->client_tls);
    io_host_free(host);
    for (unsigned i = 0; i < 4; i++)
        check(unlink(path[i]) == 0);
    check(rmdir(folder) == 0);
}

static void test_a_request_over_tls_is_answered(void **state) {
    (void)state;
    struct scene scene = {0};
    play_tls(&scene, slice_lit("GET /hello HTTP/1.1\r\nHost: localhost\r\n"
                               "Connection: close\r\n\r\n"));
    assert_true(slice_ends_with(slice_make(scene.got, scene.got_len), slice_lit("hello over TLS")));
}

/* Little by little is said to it meanwhile, which is no sign of life of its own. */
static void test_who_takes_nothing_over_tls_is_cut(void **state) {
    (void)state;
    struct scene scene = {.limits = {.write_ns = UINT64_C(100000000)}, .silent = true};
    play_tls(&scene, slice_lit("GET /drip HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    assert_true(atomic_load(&scene.cut));
}

/* --- upgraded -----------------------------------------------------------------------------------
 */

static char early_request[sizeof ASKS_FOR_UPGRADE - 1 + EARLY_BYTES];

static slice make_early(void) {
    memset(early_request, 'e', sizeof early_request);
    memcpy(early_request, ASKS_FOR_UPGRADE, sizeof ASKS_FOR_UPGRADE - 1);
    return slice_make(early_request, sizeof early_request);
}

static void act_upgrade(struct scene *scene) {
    int fd = stage_raw_connect(scene->address);
    slice request = make_early();
    stage_raw_send(fd, request.ptr, request.len);
    scene->got_len = stage_raw_receive(fd, scene->got, sizeof scene->got - 1);
    close(fd);
    finish(scene);
}

static void assert_upgraded(const struct scene *scene) {
    slice got = slice_make(scene->got, scene->got_len);
    assert_true(slice_starts_with(got, slice_lit("HTTP/1.1 101 ")));
    assert_true(slice_ends_with(got, slice_lit("\r\n\r\nall is here")));
    assert_int_equal(scene->early, EARLY_BYTES);
}

static void test_an_upgraded_stream_gets_what_was_read_and_what_follows(void **state) {
    (void)state;
    struct scene scene = {0};
    scene_play(&scene, act_upgrade);
    assert_upgraded(&scene);
}

static void test_so_does_one_over_tls(void **state) {
    (void)state;
    struct scene scene = {0};
    play_tls(&scene, make_early());
    assert_upgraded(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connections_are_dealt_to_all_loops),
        cmocka_unit_test(test_who_half_closes_still_gets_the_answers),
        cmocka_unit_test(test_half_a_request_and_the_end_is_a_400),
        cmocka_unit_test(test_an_idle_connection_is_small),
        cmocka_unit_test(test_a_request_over_tls_is_answered),
        cmocka_unit_test(test_who_takes_nothing_over_tls_is_cut),
        cmocka_unit_test(test_an_upgraded_stream_gets_what_was_read_and_what_follows),
        cmocka_unit_test(test_so_does_one_over_tls),
    };
    mallopt(M_ARENA_MAX, 1); /* so that one count sees the memory of all threads */
    return cmocka_run_group_tests_name("http/socket", tests, NULL, NULL);
}
