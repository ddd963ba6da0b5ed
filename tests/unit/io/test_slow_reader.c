#include "stage.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* We say much to somebody who does not listen, for a while or for ever. */
struct slow {
    struct stage *stage;
    struct io_listener *listener;
    struct io_stream *stream;
    int raw;
    pthread_t reader;
    bool reading, close_when_full, in_pieces;
    size_t room_below; /* wanted, and not yet told of */
    unsigned unsent_max;
    uint64_t said, heard, taken; /* taken: by the kernel once it was full */
    uint64_t closed_ns, close_began_ns;
    unsigned refused, drains, ticks;
    int reason;
    struct io_timer timer;
};

#define SLOW_OUT_MAX (2u << 20)
#define SLOW_PIECE 5000u
#define PIECE_PAUSE_MS 400u

static char piece_byte(uint64_t at) {
    return (char)((at * 2654435761u) >> 13);
}

/* Speaks until refused. */
static void speak(struct slow *slow) {
    char *room;
    int failed;
    while ((failed = io_stream_reserve(slow->stream, SLOW_PIECE, &room)) == 0) {
        for (unsigned i = 0; i < SLOW_PIECE; i++)
            room[i] = piece_byte(slow->said + i);
        io_stream_advance(slow->stream, SLOW_PIECE);
        slow->said += SLOW_PIECE;
    }
    assert_int_equal(failed, -ENOBUFS);
    assert_true(io_stream_pending(slow->stream) <= SLOW_OUT_MAX);
    assert_int_equal(io_stream_accepted(slow->stream) + io_stream_pending(slow->stream),
                     slow->said);
    slow->refused++;
}

/* So that what waits for it takes longer than IO_LINGER_MS. */
static void listen_slowly(const struct slow *slow) {
    struct timespec span = {.tv_nsec = PIECE_PAUSE_MS * STAGE_MS};
    if (slow->in_pieces && slow->heard < SLOW_OUT_MAX)
        nanosleep(&span, NULL);
}

static void *listen_at_last(void *argument) {
    struct slow *slow = argument;
    static char got[100000];
    size_t size;
    do {
        size = stage_raw_receive(slow->raw, got, sizeof got);
        for (size_t i = 0; i < size; i++)
            check(got[i] == piece_byte(slow->heard + i));
        slow->heard += size;
        listen_slowly(slow);
    } while (size == sizeof got);
    shutdown(slow->raw, SHUT_WR);
    return NULL;
}

/* Once nothing moves any more: kernel buffers full, ours at the bound. */
static void on_tick(struct io_timer *timer) {
    struct slow *slow = container_of(timer, struct slow, timer);
    uint64_t said = slow->said;
    speak(slow);
    slow->ticks = slow->said == said ? slow->ticks + 1 : 0;
    if (slow->ticks < 5) {
        io_timer_start(slow->stage->loop, timer, 5 * STAGE_MS, on_tick);
        return;
    }
    slow->taken = io_stream_accepted(slow->stream);
    if (slow->close_when_full) {
        slow->close_began_ns = io_host_clock_ns(slow->stage->host);
        io_stream_close(slow->stream);
    }
    if (slow->room_below)
        io_stream_want_room(slow->stream, slow->room_below);
    if (slow->reading)
        check(pthread_create(&slow->reader, NULL, listen_at_last, slow) == 0);
}

static void slow_bytes(void *owner, slice bytes) {
    (void)owner;
    (void)bytes;
    fail_msg("the stranger says nothing");
}

static void slow_drain(void *owner) {
    struct slow *slow = owner;
    if (slow->room_below) {
        assert_true(io_stream_pending(slow->stream) < slow->room_below);
        slow->room_below = 0;
        if (io_stream_pending(slow->stream) > 0)
            return;
    }
    assert_int_equal(io_stream_pending(slow->stream), 0);
    assert_int_equal(io_stream_accepted(slow->stream), slow->said);
    slow->drains++;
    io_stream_close(slow->stream);
}

static void slow_close(void *owner, int reason) {
    struct slow *slow = owner;
    slow->reason = reason;
    slow->closed_ns = io_host_clock_ns(slow->stage->host);
    if (slow->reading)
        pthread_join(slow->reader, NULL);
    close(slow->raw);
    io_listener_close(slow->listener);
    stage_end(slow->stage);
}

static void slow_accept(void *owner, struct io_loop *loop, struct io_stream *stream) {
    static const struct io_stream_events events = {
        .on_bytes = slow_bytes, .on_drain = slow_drain, .on_close = slow_close};
    struct slow *slow = ((struct stage *)owner)->state;
    slow->stream = stream;
    io_stream_set_events(stream, &events, slow);
    io_stream_set_out_max(stream, SLOW_OUT_MAX);
    speak(slow);
    io_timer_start(loop, &slow->timer, STAGE_MS, on_tick);
}

static void slow_begin(struct stage *stage) {
    struct slow *slow = stage->state;
    slow->stage = stage;
    struct io_listen_options options = {.address = "127.0.0.1:0",
                                        .loop_count = 1,
                                        .unsent_max = slow->unsent_max,
                                        .on_accept = slow_accept,
                                        .owner = stage};
    check(io_listen(stage->loop, &options, &slow->listener, NULL) == 0);
    slow->raw = stage_raw_connect(io_listener_address(slow->listener));
}

static void a_slow_reader_is_refused_at_the_bound_and_drains_later(void **state) {
    (void)state;
    struct stage stage;
    struct slow slow = {.reading = true, .room_below = SLOW_OUT_MAX / 2};
    stage_play(&stage, 1, slow_begin, &slow);
    assert_int_equal(slow.reason, 0);
    assert_int_equal(slow.drains, 1);
    assert_int_equal(slow.room_below, 0);
    assert_true(slow.refused >= 1);
    assert_true(slow.said >= SLOW_OUT_MAX - SLOW_PIECE);
    assert_int_equal(slow.heard, slow.said);
}

static void the_kernel_keeps_little_for_a_deaf_reader_where_it_is_told_to(void **state) {
    (void)state;
    struct stage stage;
    struct slow usual = {.reading = true, .room_below = SLOW_OUT_MAX / 2};
    struct slow bounded = usual;
    bounded.unsent_max = 64u << 10;
    stage_play(&stage, 1, slow_begin, &usual);
    stage_play(&stage, 1, slow_begin, &bounded);
    assert_true(bounded.taken < usual.taken / 2);
    assert_int_equal(bounded.heard, bounded.said); /* and it loses nothing */
}

static void close_flushes_what_a_slow_reader_is_owed(void **state) {
    (void)state;
    struct stage stage;
    struct slow slow = {.reading = true, .close_when_full = true};
    stage_play(&stage, 1, slow_begin, &slow);
    assert_int_equal(slow.reason, 0);
    assert_int_equal(slow.drains, 0); /* on_close is the only call after close */
    assert_int_equal(slow.heard, slow.said);
}

static void close_is_patient_while_something_is_taken(void **state) {
    (void)state;
    struct stage stage;
    struct slow slow = {.reading = true, .close_when_full = true, .in_pieces = true};
    stage_play(&stage, 1, slow_begin, &slow);
    assert_true((slow.closed_ns - slow.close_began_ns) / STAGE_MS > IO_LINGER_MS);
    assert_int_equal(slow.heard, slow.said);
}

static void close_does_not_wait_for_ever(void **state) {
    (void)state;
    struct stage stage;
    struct slow slow = {.close_when_full = true};
    stage_play(&stage, 1, slow_begin, &slow);
    uint64_t took_ms = (slow.closed_ns - slow.close_began_ns) / STAGE_MS;
    assert_true(took_ms >= IO_LINGER_MS);
    assert_true(took_ms < IO_LINGER_MS * 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slow_reader_is_refused_at_the_bound_and_drains_later),
        cmocka_unit_test(the_kernel_keeps_little_for_a_deaf_reader_where_it_is_told_to),
        cmocka_unit_test(close_flushes_what_a_slow_reader_is_owed),
        cmocka_unit_test(close_is_patient_while_something_is_taken),
        cmocka_unit_test(close_does_not_wait_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
