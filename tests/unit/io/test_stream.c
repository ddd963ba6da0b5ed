#include "stage.h"

#include "base/mem.h"
#include "io/uv_net.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* One connection: a stream of ours on loop 0, and a stranger at the other end. */
struct one {
    struct stage *stage;
    struct io_listener *listener;
    const struct io_stream_events *events;
    void (*act)(struct one *one); /* once the stream is there */
    struct io_stream *stream;
    int raw;
    char got[256];
    size_t got_size;
    unsigned calls, ends, drains;
    int reason;
    bool closed;
    struct io_timer timer;
};

static void one_bytes(void *owner, slice bytes) {
    struct one *one = owner;
    assert_false(one->closed);
    assert_true(one->got_size + bytes.len <= sizeof one->got);
    memcpy(one->got + one->got_size, bytes.ptr, bytes.len);
    one->got_size += bytes.len;
    one->calls++;
}

static void one_end(void *owner) {
    struct one *one = owner;
    assert_false(one->closed);
    one->ends++;
}

static void one_drain(void *owner) {
    ((struct one *)owner)->drains++;
}

static void one_close(void *owner, int reason) {
    struct one *one = owner;
    assert_false(one->closed);
    one->closed = true;
    one->reason = reason;
    io_listener_close(one->listener);
    close(one->raw);
    stage_end(one->stage);
}

static const struct io_stream_events plain_events = {
    .on_bytes = one_bytes, .on_drain = one_drain, .on_close = one_close};
static const struct io_stream_events half_events = {
    .on_bytes = one_bytes, .on_end = one_end, .on_drain = one_drain, .on_close = one_close};

static void one_accept(void *owner, struct io_loop *loop, struct io_stream *stream) {
    struct one *one = ((struct stage *)owner)->state;
    one->stream = stream;
    assert_ptr_equal(io_stream_loop(stream), loop);
    io_stream_set_events(stream, one->events, one);
    if (one->act)
        one->act(one);
}

static void one_begin(struct stage *stage) {
    struct one *one = stage->state;
    one->stage = stage;
    one->listener = stage_listen(stage, 1, one_accept);
    one->raw = stage_raw_connect(io_listener_address(one->listener));
}

static void play_one(struct one *one, const struct io_stream_events *events,
                     void (*act)(struct one *one)) {
    struct stage stage;
    one->events = events;
    one->act = act;
    stage_play(&stage, 1, one_begin, one);
    assert_true(one->closed);
}

static bool got_something(struct stage *stage) {
    return ((struct one *)stage->state)->got_size > 0;
}

static bool got_end(struct stage *stage) {
    return ((struct one *)stage->state)->ends > 0;
}

static void close_stream(struct stage *stage) {
    io_stream_close(((struct one *)stage->state)->stream);
}

/* --- room: on_drain when fewer bytes are pending ------------------------------------------------
 */

static bool has_drained(struct stage *stage) {
    return ((struct one *)stage->state)->drains > 0;
}

static void drain_is_told_once(struct stage *stage) {
    struct one *one = stage->state;
    assert_int_equal(io_stream_pending(one->stream), 0);
    assert_int_equal(one->drains, 1);
    io_stream_abort(one->stream);
}

static void want_what_is_there(struct one *one) {
    io_stream_want_room(one->stream, 1);
    assert_int_equal(one->drains, 0); /* never from inside */
    stage_when(one->stage, has_drained, drain_is_told_once);
}

static void want_what_comes_with_the_turn(struct one *one) {
    assert_int_equal(io_stream_write(one->stream, slice_lit("taken at once")), 0);
    want_what_is_there(one);
}

static void room_is_told_of_where_nothing_had_to_wait(void **state) {
    (void)state;
    struct one with = {0}, without = {0};
    play_one(&with, &plain_events, want_what_comes_with_the_turn);
    play_one(&without, &plain_events, want_what_is_there);
    assert_int_equal(with.drains, 1);
    assert_int_equal(without.drains, 1);
}

static void want_and_abort(struct one *one) {
    io_stream_want_room(one->stream, 1);
    io_stream_abort(one->stream);
}

static void room_is_not_told_of_after_the_end(void **state) {
    (void)state;
    struct one one = {0};
    play_one(&one, &plain_events, want_and_abort);
    assert_int_equal(one.drains, 0);
}

/* --- the output's edge ------------------------------------------------------------------------ */

static void nothing_is_sent_yet(struct one *one) {
    char byte;
    assert_int_equal(io_stream_write(one->stream, slice_lit("one ")), 0);
    char *room = NULL;
    assert_int_equal(io_stream_reserve(one->stream, 100, &room), 0);
    memcpy(room, "two", 3);
    io_stream_advance(one->stream, 3);
    assert_int_equal(io_stream_pending(one->stream), 7);
    assert_int_equal(recv(one->raw, &byte, 1, MSG_DONTWAIT), -1);
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(io_stream_write(one->stream, slice_lit("")), 0);
}

static void after_the_turn(struct stage *stage) {
    struct one *one = stage->state;
    char got[7];
    assert_int_equal(recv(one->raw, got, sizeof got, MSG_DONTWAIT), 7);
    assert_memory_equal(got, "one two", 7);
    assert_int_equal(io_stream_pending(one->stream), 0);
    assert_null(one->stream->head.out.ptr); /* the buffer went back */
    assert_null(one->stream->current);
    io_stream_abort(one->stream);
}

static bool has_a_stream(struct stage *stage) {
    struct one *one = stage->state;
    return one->stream && io_stream_pending(one->stream) == 0;
}

static void write_then_look(struct one *one) {
    nothing_is_sent_yet(one);
    stage_when(one->stage, has_a_stream, after_the_turn);
}

static void output_leaves_at_the_end_of_the_turn(void **state) {
    (void)state;
    struct one one = {0};
    play_one(&one, &plain_events, write_then_look);
    assert_int_equal(one.drains, 0); /* it never had to wait */
}

static void refuse_at_the_bound(struct one *one) {
    char *room = NULL;
    io_stream_set_out_max(one->stream, 1000);
    assert_int_equal(io_stream_write(one->stream, slice_make(one->got, 200)), 0);
    assert_int_equal(io_stream_reserve(one->stream, 801, &room), -ENOBUFS);
    assert_int_equal(io_stream_reserve(one->stream, 800, &room), 0);
    io_stream_set_out_max(one->stream, 300);
    assert_int_equal(io_stream_reserve(one->stream, 101, &room), -ENOBUFS);
    io_stream_set_out_max(one->stream, 100);
    assert_int_equal(io_stream_reserve(one->stream, 1, &room), -ENOBUFS);
    io_stream_set_out_max(one->stream, 100000);
    assert_int_equal(io_stream_reserve(one->stream, 50000, &room), 0);
    mem_fail_at(1, true);
    assert_int_equal(io_stream_reserve(one->stream, 90000, &room), -ENOMEM);
    mem_fail_at(0, false);
    /* A write of several segments: all of it or nothing. */
    static char much[300000];
    slice bytes = slice_make(much, sizeof much);
    assert_int_equal(io_stream_write(one->stream, bytes), -ENOBUFS);
    io_stream_set_out_max(one->stream, 200 + sizeof much);
    unsigned failures = 0; /* each leaves one more spare segment to the next */
    for (int failed = -ENOMEM; failed; failures += failed != 0) {
        mem_fail_at(2, true);
        failed = io_stream_write(one->stream, bytes);
        mem_fail_at(0, false);
        assert_true(failed == 0 || failed == -ENOMEM);
        assert_int_equal(io_stream_pending(one->stream), 200 + (failed ? 0 : sizeof much));
    }
    assert_int_equal(failures, 4);
    assert_int_equal(io_stream_pending(one->stream), 200 + sizeof much);
    assert_int_equal(io_stream_write(one->stream, slice_lit("x")), -ENOBUFS);
    io_stream_close(one->stream);
    assert_int_equal(io_stream_reserve(one->stream, 1, &room), -EPIPE);
    assert_int_equal(io_stream_write(one->stream, slice_lit("x")), -EPIPE);
    assert_int_equal(io_stream_write(one->stream, bytes), -EPIPE);
    shutdown(one->raw, SHUT_WR);
}

static void output_is_refused_at_its_bound_and_after_close(void **state) {
    (void)state;
    struct one one = {0};
    play_one(&one, &plain_events, refuse_at_the_bound);
    assert_int_equal(one.reason, 0);
}

/* --- pause ------------------------------------------------------------------------------------ */

static void pause_over(struct io_timer *timer) {
    struct one *one = container_of(timer, struct one, timer);
    if (one->calls == 0 && one->stream->pauses == 2) {
        io_stream_resume(one->stream); /* one of two: still paused */
        io_timer_start(one->stage->loop, timer, 20 * STAGE_MS, pause_over);
    } else if (one->calls == 0) {
        io_stream_resume(one->stream);
        stage_when(one->stage, got_something, close_stream);
        shutdown(one->raw, SHUT_WR);
    }
}

static void pause_twice(struct one *one) {
    io_stream_pause(one->stream);
    io_stream_pause(one->stream);
    stage_raw_send(one->raw, "knock", 5);
    io_timer_start(one->stage->loop, &one->timer, 20 * STAGE_MS, pause_over);
}

static void a_paused_stream_gives_no_bytes(void **state) {
    (void)state;
    struct one one = {0};
    play_one(&one, &half_events, pause_twice);
    assert_int_equal(one.got_size, 5);
}

/* --- ends ------------------------------------------------------------------------------------- */

static void answer_after_the_end(struct stage *stage) {
    struct one *one = stage->state;
    assert_int_equal(io_stream_write(one->stream, slice_lit("bye")), 0);
    io_stream_close(one->stream);
    assert_false(one->closed); /* never from inside close */
}

static void half_close(struct one *one) {
    stage_raw_send(one->raw, "last words", 10);
    shutdown(one->raw, SHUT_WR);
    stage_when(one->stage, got_end, answer_after_the_end);
}

static void half_close_checked(void *owner, int reason) {
    struct one *one = owner;
    char got[8];
    assert_int_equal(stage_raw_receive(one->raw, got, sizeof got), 3);
    assert_memory_equal(got, "bye", 3);
    one_close(owner, reason);
}

static void a_half_closed_peer_still_gets_its_answer(void **state) {
    (void)state;
    struct one one = {0};
    struct io_stream_events events = half_events;
    events.on_close = half_close_checked;
    play_one(&one, &events, half_close);
    assert_int_equal(one.ends, 1);
    assert_int_equal(one.reason, 0);
    assert_memory_equal(one.got, "last words", 10);
}

/* The stranger hears our end, talks on, and is still heard. */
static void talk_on_after_our_end(struct stage *stage) {
    struct one *one = stage->state;
    char got[8];
    assert_int_equal(stage_raw_receive(one->raw, got, sizeof got), 3);
    assert_memory_equal(got, "bye", 3);
    stage_raw_send(one->raw, "last words", 10);
    shutdown(one->raw, SHUT_WR);
    stage_when(one->stage, got_end, close_stream);
}

static bool is_shut(struct stage *stage) {
    return ((struct one *)stage->state)->stream->shut;
}

static void shut_after_a_word(struct one *one) {
    assert_int_equal(io_stream_write(one->stream, slice_lit("bye")), 0);
    io_stream_shut(one->stream);
    io_stream_shut(one->stream); /* twice is once */
    assert_int_equal(io_stream_write(one->stream, slice_lit("more")), -EPIPE);
    stage_when(one->stage, is_shut, talk_on_after_our_end);
}

static void a_shut_stream_still_hears_its_peer(void **state) {
    (void)state;
    struct one one = {0};
    play_one(&one, &half_events, shut_after_a_word);
    assert_int_equal(one.got_size, 10);
    assert_memory_equal(one.got, "last words", 10);
    assert_int_equal(one.ends, 1);
    assert_int_equal(one.reason, 0);
}

static void write_and_peer_ends(struct one *one) {
    assert_int_equal(io_stream_write(one->stream, slice_lit("bye")), 0);
    shutdown(one->raw, SHUT_WR);
}

static void without_on_end_the_stream_closes_after_its_output(void **state) {
    (void)state;
    struct one one = {0};
    struct io_stream_events events = plain_events;
    events.on_close = half_close_checked;
    play_one(&one, &events, write_and_peer_ends);
    assert_int_equal(one.reason, 0);
}

static void reset_by_peer(struct one *one) {
    struct linger at_once = {.l_onoff = 1};
    stage_raw_send(one->raw, "abc", 3);
    setsockopt(one->raw, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(one->raw);
    one->raw = -1;
}

static void a_reset_is_a_reason(void **state) {
    (void)state;
    struct one one = {0};
    play_one(&one, &half_events, reset_by_peer);
    assert_int_equal(one.reason, -ECONNRESET);
    assert_int_equal(one.ends, 0);
}

/* All in one turn, so that the write is what meets the reset: a peer that says something and then
   closes with bytes of ours unread. */
static void write_into_a_reset(struct stage *stage) {
    struct one *one = stage->state;
    stage_raw_send(one->raw, "last words", 10);
    close(one->raw);
    one->raw = -1;
    assert_int_equal(io_stream_write(one->stream, slice_lit("too late")), 0);
}

static bool has_sent(struct stage *stage) {
    struct one *one = stage->state;
    return one->stream && io_stream_accepted(one->stream) > 0;
}

static void write_unread(struct one *one) {
    assert_int_equal(io_stream_write(one->stream, slice_lit("unread")), 0);
    stage_when(one->stage, has_sent, write_into_a_reset);
}

static void what_came_before_a_failed_write_is_delivered(void **state) {
    (void)state;
    struct one one = {0};
    play_one(&one, &half_events, write_unread);
    assert_int_equal(one.got_size, 10);
    assert_memory_equal(one.got, "last words", 10);
    assert_int_equal(one.reason, -ECONNRESET);
    assert_int_equal(one.ends, 0); /* what a broken socket reads as its end is none */
}

static void abort_at_once(struct one *one) {
    stage_raw_send(one->raw, "unread", 6);
    assert_int_equal(io_stream_write(one->stream, slice_lit("unsent")), 0);
    io_stream_abort(one->stream);
    assert_false(one->closed); /* never from inside abort */
    assert_int_equal(io_stream_pending(one->stream), 0);
    io_stream_abort(one->stream); /* twice is once */
    io_stream_close(one->stream);
    io_stream_pause(one->stream);
    io_stream_resume(one->stream);
}

static void abort_drops_everything_at_once(void **state) {
    (void)state;
    struct one one = {0};
    play_one(&one, &plain_events, abort_at_once);
    assert_int_equal(one.calls, 0);
    assert_int_equal(one.reason, 0);
}

static void abort_in_bytes(void *owner, slice bytes) {
    struct one *one = owner;
    one_bytes(owner, bytes);
    io_stream_abort(one->stream);
}

static void send_abc(struct one *one) {
    stage_raw_send(one->raw, "abc", 3);
}

static void after_abort_in_on_bytes_only_on_close_comes(void **state) {
    (void)state;
    struct one one = {0};
    struct io_stream_events events = plain_events;
    events.on_bytes = abort_in_bytes;
    play_one(&one, &events, send_abc);
    assert_int_equal(one.calls, 1);
}

/* A stranger on a thread of its own, who talks on while we say goodbye. */
static void *talk_on(void *argument) {
    struct one *one = argument;
    char got[64];
    for (unsigned i = 0; i < 100; i++)
        stage_raw_send(one->raw, "and another thing", 17);
    size_t size = stage_raw_receive(one->raw, got, sizeof got); /* a reset would swallow it */
    check(size == 14 && memcmp(got, "-ERR 'go away'", 14) == 0);
    shutdown(one->raw, SHUT_WR);
    return NULL;
}

static pthread_t talker;

static void say_goodbye(void *owner, slice bytes) {
    struct one *one = owner;
    (void)bytes;
    one->calls++;
    assert_int_equal(io_stream_write(one->stream, slice_lit("-ERR 'go away'")), 0);
    io_stream_close(one->stream);
}

static void start_talker(struct one *one) {
    assert_int_equal(pthread_create(&talker, NULL, talk_on, one), 0);
}

static void join_talker(void *owner, int reason) {
    pthread_join(talker, NULL);
    one_close(owner, reason);
}

static void last_words_reach_a_peer_that_talks_on(void **state) {
    (void)state;
    struct one one = {0};
    struct io_stream_events events = plain_events;
    events.on_bytes = say_goodbye;
    events.on_close = join_talker;
    play_one(&one, &events, start_talker);
    assert_int_equal(one.calls, 1); /* none after close */
    assert_int_equal(one.reason, 0);
}

/* --- echo ------------------------------------------------------------------------------------- */

#define ECHO_BYTES (24u << 20)

struct echo {
    struct stage *stage;
    struct io_listener *listener;
    struct io_stream *client, *server;
    char *text;
    size_t sent, received;
    unsigned drains, closed;
};

static void echo_server_bytes(void *owner, slice bytes) {
    struct echo *echo = owner;
    assert_int_equal(io_stream_write(echo->server, bytes), 0);
}

static void echo_closed(void *owner, int reason) {
    struct echo *echo = owner;
    assert_int_equal(reason, 0);
    if (++echo->closed == 2) {
        io_listener_close(echo->listener);
        stage_end(echo->stage);
    }
}

/* Pieces of all sizes, so that they meet the segments' ends in all ways. */
static void echo_send(struct echo *echo) {
    for (size_t piece = 1; echo->sent < ECHO_BYTES; piece = piece * 5 % 9973) {
        size_t size = piece < ECHO_BYTES - echo->sent ? piece : ECHO_BYTES - echo->sent;
        slice bytes = slice_make(echo->text + echo->sent, size);
        int failed = io_stream_write(echo->client, bytes);
        if (failed == -ENOBUFS)
            return;
        assert_int_equal(failed, 0);
        echo->sent += size;
    }
}

static void echo_client_drained(void *owner) {
    struct echo *echo = owner;
    assert_int_equal(io_stream_pending(echo->client), 0);
    echo->drains++;
    echo_send(echo);
}

static void echo_client_bytes(void *owner, slice bytes) {
    struct echo *echo = owner;
    assert_true(echo->received + bytes.len <= ECHO_BYTES);
    assert_memory_equal(bytes.ptr, echo->text + echo->received, bytes.len);
    echo->received += bytes.len;
    if (echo->received == ECHO_BYTES)
        io_stream_close(echo->client);
}

static void echo_connected(void *owner, struct io_stream *stream, int failed) {
    static const struct io_stream_events events = {
        .on_bytes = echo_client_bytes, .on_drain = echo_client_drained, .on_close = echo_closed};
    struct echo *echo = owner;
    assert_int_equal(failed, 0);
    assert_string_equal(io_stream_peer(stream), io_listener_address(echo->listener));
    echo->client = stream;
    io_stream_set_events(stream, &events, echo);
    io_stream_set_out_max(stream, 10u << 20);
    echo_send(echo);
}

static void echo_accept(void *owner, struct io_loop *loop, struct io_stream *stream) {
    static const struct io_stream_events events = {.on_bytes = echo_server_bytes,
                                                   .on_close = echo_closed};
    (void)loop;
    struct echo *echo = ((struct stage *)owner)->state;
    echo->server = stream;
    io_stream_set_events(stream, &events, echo);
}

static void echo_begin(struct stage *stage) {
    struct echo *echo = stage->state;
    echo->stage = stage;
    echo->listener = stage_listen(stage, 1, echo_accept);
    assert_int_equal(io_connect(stage->loop, io_listener_address(echo->listener),
                                1000 * (uint64_t)STAGE_MS, echo_connected, echo),
                     0);
}

static void much_comes_back_as_it_went_through_partial_writes(void **state) {
    (void)state;
    struct stage stage;
    struct echo echo = {.text = malloc(ECHO_BYTES)};
    uint32_t number = 1;
    for (size_t i = 0; i < ECHO_BYTES; i++) {
        number = number * 1664525 + 1013904223;
        echo.text[i] = (char)(number >> 24);
    }
    stage_play(&stage, 1, echo_begin, &echo);
    assert_int_equal(echo.received, ECHO_BYTES);
    assert_true(echo.drains >= 1);
    free(echo.text);
}

static void an_idle_stream_is_small(void **state) {
    (void)state;
    assert_true(sizeof(struct io_stream) <= 768);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(room_is_told_of_where_nothing_had_to_wait),
        cmocka_unit_test(room_is_not_told_of_after_the_end),
        cmocka_unit_test(output_leaves_at_the_end_of_the_turn),
        cmocka_unit_test(output_is_refused_at_its_bound_and_after_close),
        cmocka_unit_test(a_paused_stream_gives_no_bytes),
        cmocka_unit_test(a_half_closed_peer_still_gets_its_answer),
        cmocka_unit_test(a_shut_stream_still_hears_its_peer),
        cmocka_unit_test(without_on_end_the_stream_closes_after_its_output),
        cmocka_unit_test(a_reset_is_a_reason),
        cmocka_unit_test(what_came_before_a_failed_write_is_delivered),
        cmocka_unit_test(abort_drops_everything_at_once),
        cmocka_unit_test(after_abort_in_on_bytes_only_on_close_comes),
        cmocka_unit_test(last_words_reach_a_peer_that_talks_on),
        cmocka_unit_test(much_comes_back_as_it_went_through_partial_writes),
        cmocka_unit_test(an_idle_stream_is_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
