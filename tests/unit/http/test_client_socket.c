#include "stage.h"

#include "base/mem.h"
#include "certificates.h"
#include "http/client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* What the simulated machine does not have: TLS, sockets that a server resets with unread bytes in
   them, one half closed, and a loop that ends in the turn in which its pool is freed. */

#define PATIENCE_NS UINT64_C(10000000000)
#define OK_HI "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"

struct scene {
    struct stage stage;
    char address[64];
    struct io_tls *server_tls, *client_tls;
    struct io_listener *listener;
    int listening; /* raw */
    pthread_t server;
    void (*script)(int fd); /* of the raw server, on a thread of its own */
    unsigned connections;   /* that are served, */
    unsigned serving;       /* those over TLS that are open */
    struct http_pool *pool;
    struct http_call *call;
    void (*then)(struct scene *scene); /* the call has ended */
    char heard[256], why[256];
    unsigned calls, written, goodbyes;
    bool pours;
    uint64_t idle_ns;
    unsigned long allocations;
};

/* --- what the call hears ------------------------------------------------------------------------
 */

static void note(struct scene *scene, const char *text, slice bytes) {
    size_t len = strlen(scene->heard);
    snprintf(scene->heard + len, sizeof scene->heard - len, "%s%s%.*s", len ? ", " : "", text,
             slice_fmt(bytes));
}

static void on_head(void *self, const struct http1_head *head) {
    char text[16];
    snprintf(text, sizeof text, "head %u", head->status);
    note(self, text, (slice){0});
}

static void on_body(void *self, slice bytes) {
    note(self, "body ", bytes);
}

static void on_end(void *self, slice trailers) {
    struct scene *scene = self;
    note(scene, "end", trailers);
    scene->call = NULL;
    scene->then(scene);
}

static void on_fail(void *self, enum http_failed failed, bool answered, int code, const char *why) {
    struct scene *scene = self;
    check(code < 0);
    note(scene, failed == HTTP_FAILED_CONNECT ? "no connection" : "failed", (slice){0});
    note(scene, answered ? "answered" : "unanswered", (slice){0});
    snprintf(scene->why, sizeof scene->why, "%s", why);
    scene->call = NULL;
    scene->then(scene);
}

/* As much as is taken, again and again. */
static void pour(void *self) {
    static char bytes[50000];
    struct scene *scene = self;
    while (scene->call && http_call_write(scene->call, slice_make(bytes, sizeof bytes)) == 0)
        scene->written++;
}

static const struct http_call_events events = {
    .on_head = on_head, .on_body = on_body, .on_end = on_end, .on_fail = on_fail, .on_room = pour};

static void ask(struct scene *scene) {
    struct http_call_options options = {
        .method = slice_lit("GET"), .target = slice_lit("/x"), .host = slice_lit("localhost")};
    if (scene->pours) {
        options.method = slice_lit("POST");
        options.has_body = true;
        options.body_length = HTTP_CALL_CHUNKED;
    }
    scene->heard[0] = '\0';
    scene->calls++;
    check(http_call_begin(scene->pool, &options, &events, scene, &scene->call) == 0);
    if (scene->pours)
        pour(scene);
}

static bool is_deserted(struct stage *stage) {
    return container_of(stage, struct scene, stage)->serving == 0;
}

static void finish(struct scene *scene) {
    scene->pool = http_pool_free(scene->pool);
    scene->listener = io_listener_close(scene->listener);
    stage_when(&scene->stage, is_deserted, stage_end);
}

static void end_stage(struct stage *stage) {
    finish(container_of(stage, struct scene, stage));
}

static void make_pool(struct scene *scene) {
    struct http_pool_options options = {.address = scene->address,
                                        .tls = scene->client_tls,
                                        .connect_ns = PATIENCE_NS,
                                        .answer_ns = PATIENCE_NS,
                                        .idle_ns = scene->idle_ns ? scene->idle_ns : PATIENCE_NS};
    check(http_pool_create(scene->stage.loop, &options, &scene->pool) == 0);
}

/* --- a server of bare sockets -------------------------------------------------------------------
 */

static void read_head(int fd) {
    char got[4096];
    size_t len = 0;
    while (len < 4 || memcmp(got + len - 4, "\r\n\r\n", 4) != 0) {
        check(len < sizeof got);
        check(stage_raw_receive(fd, got + len, 1) == 1);
        len++;
    }
}

static void *serve(void *argument) {
    struct scene *scene = argument;
    for (unsigned i = 0; i < scene->connections; i++) {
        int fd = accept(scene->listening, NULL, NULL);
        check(fd >= 0);
        scene->script(fd);
        close(fd);
    }
    return NULL;
}

static void begin_raw(struct stage *stage) {
    struct scene *scene = container_of(stage, struct scene, stage);
    make_pool(scene);
    ask(scene);
}

static void play_raw(struct scene *scene, void (*script)(int fd),
                     void (*then)(struct scene *scene)) {
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof own;
    scene->listening = socket(AF_INET, SOCK_STREAM, 0);
    check(bind(scene->listening, (struct sockaddr *)&own, size) == 0);
    check(listen(scene->listening, 10) == 0);
    check(getsockname(scene->listening, (struct sockaddr *)&own, &size) == 0);
    snprintf(scene->address, sizeof scene->address, "127.0.0.1:%u", ntohs(own.sin_port));
    scene->script = script;
    scene->then = then;
    if (scene->connections == 0)
        scene->connections = 1;
    check(pthread_create(&scene->server, NULL, serve, scene) == 0);
    stage_play(&scene->stage, 1, begin_raw, NULL);
    pthread_join(scene->server, NULL);
    close(scene->listening);
}

static void say(int fd, const char *text) {
    stage_raw_send(fd, text, strlen(text));
}

/* Until the other's end. */
static void wait_end(int fd) {
    char byte;
    while (recv(fd, &byte, 1, 0) > 0)
        continue;
}

/* --- cases --------------------------------------------------------------------------------------
 */

static void answer_and_half_close(int fd) {
    read_head(fd);
    say(fd, "HTTP/1.1 200 OK\r\n\r\nuntil the end");
    check(shutdown(fd, SHUT_WR) == 0);
    wait_end(fd);
}

static void test_a_server_may_close_its_half(void **state) {
    (void)state;
    struct scene scene = {0};
    play_raw(&scene, answer_and_half_close, finish);
    assert_string_equal(scene.heard, "head 200, body until the end, end");
}

/* Answers at once and closes with megabytes unread, so that the kernel sends a reset behind it. */
static void answer_early_and_reset(int fd) {
    read_head(fd);
    say(fd, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig");
    usleep(1000);
}

static void test_an_early_answer_is_heard_though_a_reset_follows_it(void **state) {
    (void)state;
    for (unsigned i = 0; i < 100; i++) {
        struct scene scene = {.pours = true};
        play_raw(&scene, answer_early_and_reset, finish);
        assert_string_equal(scene.heard, "head 413, body big, end");
    }
}

static void reset_at_once(int fd) {
    struct linger hard = {.l_onoff = 1};
    read_head(fd);
    check(setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard) == 0);
}

static void test_a_reset_fails_the_call(void **state) {
    (void)state;
    struct scene scene = {0};
    play_raw(&scene, reset_at_once, finish);
    assert_string_equal(scene.heard, "failed, unanswered");
}

static void ask_again(struct scene *scene) {
    if (scene->calls == 20)
        scene->allocations = mem_attempts();
    if (scene->calls == 1000) {
        scene->allocations = mem_attempts() - scene->allocations;
        finish(scene);
    } else {
        ask(scene);
    }
}

static void answer_many(int fd) {
    for (unsigned i = 0; i < 1000; i++) {
        read_head(fd);
        say(fd, OK_HI);
    }
    wait_end(fd);
}

static void test_call_after_call_allocates_nothing(void **state) {
    (void)state;
    struct scene scene = {0};
    play_raw(&scene, answer_many, ask_again);
    assert_string_equal(scene.heard, "head 200, body hi, end");
    assert_int_equal(scene.calls, 1000);
    assert_int_equal(scene.allocations, 0);
}

/* A pool freed while it opens connections leaves nothing to the loop, by name or by number. */
static void begin_and_free(struct stage *stage) {
    struct scene *scene = container_of(stage, struct scene, stage);
    make_pool(scene);
    ask(scene);
    http_pool_free(scene->pool);
    stage_end(stage); /* in this very turn */
}

static void test_a_pool_is_freed_while_it_connects(void **state) {
    (void)state;
    static const char *const addresses[] = {"127.0.0.1:1", "localhost:1", "no-such-host.invalid:1"};
    for (size_t i = 0; i < array_count(addresses); i++) {
        struct scene scene = {0};
        snprintf(scene.address, sizeof scene.address, "%s", addresses[i]);
        stage_play(&scene.stage, 1, begin_and_free, NULL);
        assert_string_equal(scene.heard, "");
    }
}

/* --- TLS ----------------------------------------------------------------------------------------
 */

static char folder[] = "nonet-client-XXXXXX";
static const char *const names[] = {"ca.pem",    "ca.key",     "other.pem",
                                    "other.key", "server.pem", "server.key"};

static const char *path(const char *name) {
    static char text[3][96]; /* as many as one call of io_tls_create names */
    static unsigned next;
    char *out = text[next++ % 3];
    snprintf(out, sizeof text[0], "%s/%s", folder, name);
    return out;
}

static struct io_tls *make_tls(struct io_host *host, const struct io_tls_options *options) {
    struct io_tls *tls;
    struct error error;
    check(io_tls_create(host, options, &tls, &error) == 0);
    return tls;
}

struct served { /* the owner of a stream of the server's */
    struct scene *scene;
    struct io_stream *stream;
};

static void tls_bytes(void *owner, slice bytes) {
    struct served *served = owner;
    if (slice_ends_with(bytes, slice_lit("\r\n\r\n")))
        check(io_stream_write(served->stream, slice_lit(OK_HI)) == 0);
}

static void tls_close(void *owner, int reason) {
    struct served *served = owner;
    served->scene->serving--;
    if (reason == 0) /* not -ECONNRESET, as of one who leaves without goodbye */
        served->scene->goodbyes++;
    free(served);
}

static void tls_ready(void *owner, int failed, const char *why) {
    (void)owner;
    (void)failed;
    (void)why;
}

static void tls_accept(void *owner, struct io_loop *loop, struct io_stream *stream) {
    static const struct io_stream_events stream_events = {.on_bytes = tls_bytes,
                                                          .on_close = tls_close};
    struct scene *scene = container_of(owner, struct scene, stage);
    struct served *served = malloc(sizeof *served);
    (void)loop;
    *served = (struct served){scene, stream};
    io_stream_set_events(stream, &stream_events, served);
    check(io_stream_start_tls(stream, scene->server_tls, (slice){0}, PATIENCE_NS, tls_ready) == 0);
    scene->connections++;
    scene->serving++;
}

static void begin_tls(struct stage *stage) {
    struct scene *scene = container_of(stage, struct scene, stage);
    scene->listener = stage_listen(stage, 1, tls_accept);
    snprintf(scene->address, sizeof scene->address, "%s", io_listener_address(scene->listener));
    make_pool(scene);
    ask(scene);
}

/* Two calls over one connection; then it is closed with a goodbye. */
static void ask_twice(struct scene *scene) {
    if (scene->calls == 1) {
        ask(scene);
        return;
    }
    check(http_pool_stats(scene->pool).connections == 1);
    finish(scene);
}

static void play_tls(struct scene *scene, const char *ca, const char *server_name) {
    struct io_tls_options server = {
        .cert_file = path("server.pem"), .key_file = path("server.key"), .server = true};
    struct io_tls_options client = {
        .ca_file = path(ca), .verify_peer = true, .server_name = server_name};
    struct io_host *host; /* outlives the contexts */
    check(io_host_create(&host) == 0);
    scene->server_tls = make_tls(host, &server);
    scene->client_tls = make_tls(host, &client);
    stage_play(&scene->stage, 1, begin_tls, NULL);
    io_tls_unref(scene->server_tls);
    io_tls_unref(scene->client_tls);
    io_host_free(host);
}

static void test_calls_over_tls_share_a_connection(void **state) {
    (void)state;
    struct scene scene = {.then = ask_twice};
    play_tls(&scene, "ca.pem", "localhost");
    assert_string_equal(scene.heard, "head 200, body hi, end");
    assert_int_equal(scene.calls, 2);
    assert_int_equal(scene.connections, 1);
}

static void test_a_certificate_of_others_is_not_believed(void **state) {
    (void)state;
    struct scene scene = {.then = finish};
    play_tls(&scene, "other.pem", "localhost");
    assert_string_equal(scene.heard, "no connection, unanswered");
    assert_non_null(strstr(scene.why, "certificate"));
}

static void test_a_certificate_of_another_name_is_not_believed(void **state) {
    (void)state;
    struct scene scene = {.then = finish};
    play_tls(&scene, "ca.pem", "shop.example");
    assert_string_equal(scene.heard, "no connection, unanswered");
    assert_non_null(strstr(scene.why, "ostname"));
}

/* An idle connection that has grown old says goodbye. */
static void await_end(struct scene *scene) {
    scene->goodbyes = 0;
    stage_when(&scene->stage, is_deserted, end_stage);
}

static void test_tls_says_goodbye(void **state) {
    (void)state;
    struct scene scene = {.then = await_end, .idle_ns = 20 * STAGE_MS};
    play_tls(&scene, "ca.pem", "localhost");
    assert_string_equal(scene.heard, "head 200, body hi, end");
    assert_int_equal(scene.goodbyes, 1);
}

static int make_certificates(void **state) {
    (void)state;
    check(mkdtemp(folder) != NULL);
    struct certificate *authority = certificates_authority(folder, "ca");
    certificates_signed(folder, "server", "DNS:localhost", authority);
    certificates_free(authority);
    certificates_free(certificates_authority(folder, "other"));
    return 0;
}

static int remove_certificates(void **state) {
    (void)state;
    for (size_t i = 0; i < array_count(names); i++)
        check(unlink(path(names[i])) == 0);
    return rmdir(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_server_may_close_its_half),
        cmocka_unit_test(test_an_early_answer_is_heard_though_a_reset_follows_it),
        cmocka_unit_test(test_a_reset_fails_the_call),
        cmocka_unit_test(test_call_after_call_allocates_nothing),
        cmocka_unit_test(test_a_pool_is_freed_while_it_connects),
        cmocka_unit_test(test_calls_over_tls_share_a_connection),
        cmocka_unit_test(test_a_certificate_of_others_is_not_believed),
        cmocka_unit_test(test_a_certificate_of_another_name_is_not_believed),
        cmocka_unit_test(test_tls_says_goodbye),
    };
    return cmocka_run_group_tests_name("http/client_socket", tests, make_certificates,
                                       remove_certificates);
}
