#include "stage.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct dial {
    struct stage *stage;
    struct io_listener *listener;
    char address[64];
    uint64_t timeout_ns, began_ns, took_ns;
    int failed;
    unsigned calls, open;
    int raw[4];
};

static void dial_bytes(void *owner, slice bytes) {
    (void)owner;
    (void)bytes;
}

static void dial_closed(void *owner, int reason) {
    struct dial *dial = owner;
    assert_int_equal(reason, 0);
    if (--dial->open == 0) {
        io_listener_close(dial->listener);
        stage_end(dial->stage);
    }
}

static const struct io_stream_events dial_events = {.on_bytes = dial_bytes,
                                                    .on_close = dial_closed};

static void dial_accept(void *owner, struct io_loop *loop, struct io_stream *stream) {
    (void)loop;
    struct dial *dial = ((struct stage *)owner)->state;
    dial->open++;
    io_stream_set_events(stream, &dial_events, dial);
}

static void dial_answer(void *owner, struct io_stream *stream, int failed) {
    struct dial *dial = owner;
    dial->calls++;
    dial->failed = failed;
    dial->took_ns = io_host_clock_ns(dial->stage->host) - dial->began_ns;
    assert_int_equal(stream == NULL, failed != 0);
    if (!stream) {
        stage_end(dial->stage);
        return;
    }
    dial->open++;
    io_stream_set_events(stream, &dial_events, dial);
    io_stream_close(stream);
}

static void dial_now(struct stage *stage) {
    struct dial *dial = stage->state;
    dial->stage = stage;
    dial->began_ns = io_host_clock_ns(stage->host);
    assert_int_equal(io_connect(stage->loop, dial->address, dial->timeout_ns, dial_answer, dial),
                     0);
    assert_int_equal(dial->calls, 0); /* never from inside */
}

static void dial_own_listener(struct stage *stage) {
    struct dial *dial = stage->state;
    dial->listener = stage_listen(stage, 1, dial_accept);
    const char *port = strrchr(io_listener_address(dial->listener), ':');
    char name[32];
    memcpy(name, dial->address, sizeof name);
    snprintf(dial->address, sizeof dial->address, "%s%s", name, port);
    dial_now(stage);
}

static void play_dial(struct dial *dial, const char *address, void (*begin)(struct stage *stage)) {
    struct stage stage;
    snprintf(dial->address, sizeof dial->address, "%s", address);
    if (dial->timeout_ns == 0)
        dial->timeout_ns = 10000 * (uint64_t)STAGE_MS;
    stage_play(&stage, 1, begin, dial);
    assert_int_equal(dial->calls, 1);
}

static void a_number_is_connected_to(void **state) {
    (void)state;
    struct dial dial = {0};
    play_dial(&dial, "127.0.0.1", dial_own_listener);
    assert_int_equal(dial.failed, 0);
}

static void a_name_is_resolved_and_all_its_addresses_tried(void **state) {
    (void)state;
    struct dial dial = {0};
    play_dial(&dial, "localhost", dial_own_listener); /* ::1 may come first, where nobody listens */
    assert_int_equal(dial.failed, 0);
}

static void where_nobody_listens_it_is_refused(void **state) {
    (void)state;
    struct dial dial = {0};
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof own;
    int fd = socket(AF_INET, SOCK_STREAM, 0); /* bound and not listening: surely nobody's */
    assert_int_equal(bind(fd, (struct sockaddr *)&own, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&own, &size), 0);
    char address[64];
    snprintf(address, sizeof address, "127.0.0.1:%u", ntohs(own.sin_port));
    play_dial(&dial, address, dial_now);
    assert_int_equal(dial.failed, -ECONNREFUSED);
    close(fd);
}

static void an_unknown_name_fails(void **state) {
    (void)state;
    struct dial dial = {0};
    play_dial(&dial, "no-such-host.invalid:80", dial_now);
    assert_true(dial.failed == -ENOENT || dial.failed == -EAGAIN);
}

static void silence_ends_by_the_timeout(void **state) {
    (void)state;
    struct dial dial = {.timeout_ns = 50 * STAGE_MS};
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof own;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&own, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&own, &size), 0);
    assert_int_equal(listen(fd, 0), 0);
    for (unsigned i = 0; i < 4; i++) { /* fills the backlog: later ones get no answer */
        dial.raw[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)connect(dial.raw[i], (struct sockaddr *)&own, sizeof own);
    }
    char address[64];
    snprintf(address, sizeof address, "127.0.0.1:%u", ntohs(own.sin_port));
    play_dial(&dial, address, dial_now);
    assert_int_equal(dial.failed, -ETIMEDOUT);
    assert_true(dial.took_ns >= 50 * STAGE_MS);
    for (unsigned i = 0; i < 4; i++)
        close(dial.raw[i]);
    close(fd);
}

static void wrong_begin(struct stage *stage) {
    static const char *const wrong[] = {"", "127.0.0.1", "host:", "host:99999", "::1:80"};
    for (size_t i = 0; i < array_count(wrong); i++)
        assert_int_equal(io_connect(stage->loop, wrong[i], STAGE_MS, dial_answer, stage->state),
                         -EINVAL);
    stage_end(stage);
}

static void what_is_no_address_is_refused_at_once(void **state) {
    (void)state;
    struct stage stage;
    struct dial dial = {0};
    stage_play(&stage, 1, wrong_begin, &dial);
    assert_int_equal(dial.calls, 0);
}

/* The group is freed without a turn in between, so nothing of the attempts may be left. */
static void take_back_begin(struct stage *stage) {
    static const char *const addresses[] = {"127.0.0.1:1", "localhost:1", "no-such-host.invalid:1"};
    struct dial *dial = stage->state;
    for (size_t i = 0; i < array_count(addresses); i++)
        assert_int_equal(io_connect(stage->loop, addresses[i], STAGE_MS, dial_answer, dial), 0);
    io_connect_cancel(stage->loop, stage); /* of another owner: none */
    io_connect_cancel(stage->loop, dial);
    io_connect_cancel(stage->loop, dial);
    stage_end(stage);
}

static void what_is_taken_back_is_not_heard_of(void **state) {
    (void)state;
    struct stage stage;
    struct dial dial = {0};
    stage_play(&stage, 1, take_back_begin, &dial);
    assert_int_equal(dial.calls, 0);
}

/* Others are not touched. */
static void take_back_others(struct stage *stage) {
    struct dial *dial = stage->state;
    assert_int_equal(io_connect(stage->loop, dial->address, STAGE_MS, dial_answer, stage), 0);
    dial_now(stage);
    io_connect_cancel(stage->loop, stage);
}

static void only_what_the_owner_has_begun_is_taken_back(void **state) {
    (void)state;
    struct dial dial = {0};
    play_dial(&dial, "127.0.0.1:1", take_back_others);
    assert_int_equal(dial.calls, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_is_connected_to),
        cmocka_unit_test(a_name_is_resolved_and_all_its_addresses_tried),
        cmocka_unit_test(where_nobody_listens_it_is_refused),
        cmocka_unit_test(an_unknown_name_fails),
        cmocka_unit_test(silence_ends_by_the_timeout),
        cmocka_unit_test(what_is_no_address_is_refused_at_once),
        cmocka_unit_test(what_is_taken_back_is_not_heard_of),
        cmocka_unit_test(only_what_the_owner_has_begun_is_taken_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
