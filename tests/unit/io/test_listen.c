#include "stage.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define GUESTS 30
#define ROOMS 3

struct guest {
    struct io_stream *stream;
    struct party *party;
};

struct party {
    struct stage *stage;
    struct io_listener *listener;
    int raw[GUESTS];
    pthread_t threads[ROOMS];
    _Atomic(unsigned) per_loop[ROOMS], arrived, left;
    struct rlimit before;
};

static void guest_bytes(void *owner, slice bytes) {
    (void)owner;
    (void)bytes;
}

static void guest_leaves(void *owner, int reason) {
    struct party *party = owner;
    check(reason == 0);
    atomic_fetch_add(&party->left, 1);
}

static void guest_arrives(void *owner, struct io_loop *loop, struct io_stream *stream) {
    static const struct io_stream_events events = {.on_bytes = guest_bytes,
                                                   .on_close = guest_leaves};
    struct party *party = ((struct stage *)owner)->state;
    unsigned index = io_loop_index(loop);
    check(io_stream_loop(stream) == loop);
    check(pthread_equal(pthread_self(), party->threads[index]));
    io_stream_set_events(stream, &events, party);
    atomic_fetch_add(&party->per_loop[index], 1);
    atomic_fetch_add(&party->arrived, 1);
}

static bool all_arrived(struct stage *stage) {
    struct party *party = stage->state;
    return atomic_load(&party->arrived) == GUESTS;
}

static bool all_left(struct stage *stage) {
    struct party *party = stage->state;
    return atomic_load(&party->left) == GUESTS;
}

static void party_over(struct stage *stage) {
    struct party *party = stage->state;
    io_listener_close(party->listener);
    stage_end(stage);
}

static void send_home(struct stage *stage) {
    struct party *party = stage->state;
    for (unsigned i = 0; i < GUESTS; i++)
        close(party->raw[i]);
    stage_when(stage, all_left, party_over);
}

static void party_each(struct stage *stage, struct io_loop *loop) {
    struct party *party = stage->state;
    party->threads[io_loop_index(loop)] = pthread_self();
}

static void party_begin(struct stage *stage) {
    struct party *party = stage->state;
    party->stage = stage;
    party->listener = stage_listen(stage, ROOMS, guest_arrives);
    for (unsigned i = 0; i < GUESTS; i++)
        party->raw[i] = stage_raw_connect(io_listener_address(party->listener));
    stage_when(stage, all_arrived, send_home);
}

static void connections_are_dealt_in_turn(void **state) {
    (void)state;
    struct stage stage;
    struct party party = {0};
    stage_play_each(&stage, ROOMS, party_each, party_begin, &party);
    for (unsigned i = 0; i < ROOMS; i++)
        assert_int_equal(atomic_load(&party.per_loop[i]), GUESTS / ROOMS);
}

/* --- before the group runs, for other loops only ---------------------------------------------- */

static void early_leaves(void *owner, int reason) {
    struct party *party = owner;
    check(reason == 0);
    atomic_fetch_add(&party->left, 1);
}

static void early_arrives(void *owner, struct io_loop *loop, struct io_stream *stream) {
    static const struct io_stream_events events = {.on_bytes = guest_bytes,
                                                   .on_close = early_leaves};
    struct party *party = owner;
    io_stream_set_events(stream, &events, party);
    atomic_fetch_add(&party->per_loop[io_loop_index(loop)], 1);
}

static bool early_left(struct stage *stage) {
    struct party *party = stage->state;
    return atomic_load(&party->left) == 2;
}

static void early_start(void *owner, struct io_loop *loop) {
    struct stage *stage = owner;
    struct party *party = stage->state;
    if (io_loop_index(loop) != 0)
        return;
    for (unsigned i = 0; i < 2; i++)
        close(stage_raw_connect(io_listener_address(party->listener)));
    stage_when(stage, early_left, party_over);
}

static void a_listener_made_before_the_run_deals_to_the_loops_it_names(void **state) {
    (void)state;
    struct party party = {0};
    struct stage stage = {.state = &party};
    check(io_host_create(&stage.host) == 0 && io_group_create(stage.host, 3, &stage.group) == 0);
    stage.loop = io_group_loop(stage.group, 0);
    struct io_listen_options options = {.address = "127.0.0.1:0",
                                        .loop_first = 1,
                                        .loop_count = 2,
                                        .on_accept = early_arrives,
                                        .owner = &party};
    assert_int_equal(io_listen(stage.loop, &options, &party.listener, NULL), 0);
    assert_int_equal(io_group_run(stage.group, early_start, &stage), 0);
    io_group_free(stage.group);
    io_host_free(stage.host);
    assert_int_equal(atomic_load(&party.per_loop[0]), 0);
    assert_int_equal(atomic_load(&party.per_loop[1]), 1);
    assert_int_equal(atomic_load(&party.per_loop[2]), 1);
}

/* --- out of descriptors ----------------------------------------------------------------------- */

static bool has_paused(struct stage *stage) {
    struct party *party = stage->state;
    return io_listener_pauses(party->listener) > 0;
}

static void give_descriptors_back(struct stage *stage) {
    struct party *party = stage->state;
    assert_true(io_listener_pauses(party->listener) <= 2); /* it waits and does not spin */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &party->before), 0);
    stage_when(stage, all_arrived, send_home);
}

static void crowded_begin(struct stage *stage) {
    struct party *party = stage->state;
    party->stage = stage;
    party->listener = stage_listen(stage, 1, guest_arrives);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const char *address = io_listener_address(party->listener);
    to.sin_port = htons((uint16_t)strtoul(strrchr(address, ':') + 1, NULL, 10));
    for (unsigned i = 0; i < GUESTS; i++)
        party->raw[i] = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &party->before), 0);
    struct rlimit tight = {.rlim_cur = (rlim_t)party->raw[GUESTS - 1] + 3,
                           .rlim_max = party->before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    for (unsigned i = 0; i < GUESTS; i++)
        assert_int_equal(connect(party->raw[i], (struct sockaddr *)&to, sizeof to), 0);
    stage_when(stage, has_paused, give_descriptors_back);
}

static void without_descriptors_accepting_pauses(void **state) {
    (void)state;
    struct stage stage;
    struct party party = {0};
    stage_play_each(&stage, 1, party_each, crowded_begin, &party);
    assert_int_equal(atomic_load(&party.arrived), GUESTS);
}

/* --- addresses -------------------------------------------------------------------------------- */

static int try_listen(struct stage *stage, const char *address, struct error *ret_error,
                      struct io_listener **ret_listener) {
    struct io_listen_options options = {
        .address = address, .loop_count = 1, .on_accept = guest_arrives, .owner = stage};
    return io_listen(stage->loop, &options, ret_listener, ret_error);
}

static void addresses_begin(struct stage *stage) {
    struct io_listener *listener = NULL, *second = NULL;
    struct error error;
    assert_int_equal(try_listen(stage, "127.0.0.1:0", &error, &listener), 0);
    assert_int_equal(strncmp(io_listener_address(listener), "127.0.0.1:", 10), 0);
    assert_string_not_equal(io_listener_address(listener), "127.0.0.1:0");

    assert_int_equal(try_listen(stage, io_listener_address(listener), &error, &second),
                     -EADDRINUSE);
    assert_non_null(strstr(error.message, io_listener_address(listener)));
    assert_non_null(strstr(error.hint, "port 0"));
    assert_null(second);

    static const char *const wrong[] = {"127.0.0.1",  "127.0.0.1:70000", ":80", "::1:80",
                                        "127.0.0.1:", "127.0.0.1:x",     ""};
    for (size_t i = 0; i < array_count(wrong); i++)
        assert_int_equal(try_listen(stage, wrong[i], &error, &second), -EINVAL);
    assert_int_equal(try_listen(stage, "192.0.2.1:0", NULL, &second), -EADDRNOTAVAIL);
    assert_int_equal(try_listen(stage, "[::1]:0", &error, &second), 0);
    assert_int_equal(strncmp(io_listener_address(second), "[::1]:", 6), 0);
    io_listener_close(second);
    assert_int_equal(try_listen(stage, "localhost:0", &error, &second), 0);
    io_listener_close(second);

    /* The same port again at once: SO_REUSEADDR, and close has really closed. */
    char address[64];
    snprintf(address, sizeof address, "%s", io_listener_address(listener));
    assert_null(io_listener_close(listener));
    assert_int_equal(try_listen(stage, address, &error, &listener), 0);
    io_listener_close(listener);
    assert_null(io_listener_close(NULL));
    stage_end(stage);
}

static void addresses_are_taken_or_refused_with_words(void **state) {
    (void)state;
    struct stage stage;
    stage_play(&stage, 1, addresses_begin, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connections_are_dealt_in_turn),
        cmocka_unit_test(a_listener_made_before_the_run_deals_to_the_loops_it_names),
        cmocka_unit_test(without_descriptors_accepting_pauses),
        cmocka_unit_test(addresses_are_taken_or_refused_with_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
