#include "hall.h"

#include "base/mem.h"

#include <errno.h>

/* WebSockets over time: silence, slow readers, pauses, no memory. */

/* --- clocks --------------------------------------------------------------------------------------
 */

static void a_silent_peer_is_asked_and_then_cut(void **state) {
    (void)state;
    struct hall *hall = hall_open(20);
    hall->options.ping_ns = 20 * SIM_SECOND;
    hall->options.pong_ns = 5 * SIM_SECOND;
    struct stranger *s = hall_joined(hall);
    hall_run(hall, 18 * SIM_SECOND);
    assert_frames(s, "");
    hall_run(hall, 2 * SIM_SECOND);
    assert_frames(s, "ping\n");
    hall_run(hall, 3 * SIM_SECOND);
    assert_int_equal(hall->served[0].closes, 0);
    hall_run(hall, 2 * SIM_SECOND);
    assert_int_equal(hall->served[0].closes, 1);
    assert_int_equal(hall->served[0].code, WEBSOCKET_CODE_LOST);
    hall_close(hall);
}

static void who_answers_or_says_anything_stays(void **state) {
    (void)state;
    struct hall *hall = hall_open(21);
    hall->options.ping_ns = 20 * SIM_SECOND;
    hall->options.pong_ns = 5 * SIM_SECOND;
    struct stranger *s = hall_joined(hall);
    hall_run(hall, 21 * SIM_SECOND);
    assert_frames(s, "ping\n");
    says_frame(s, WEBSOCKET_PONG, true, slice_lit(""));
    hall_run(hall, 18 * SIM_SECOND);
    says_text(s, "not a pong");
    hall_run(hall, 19 * SIM_SECOND);
    assert_frames(s, "ping\n"); /* counted from the last byte */
    hall_run(hall, 2 * SIM_SECOND);
    assert_frames(s, "ping\nping\n");
    stranger_says_bytes(s, slice_lit("\x81")); /* a byte is enough */
    hall_run(hall, 10 * SIM_SECOND);
    assert_int_equal(hall->served[0].closes, 0);
    hall_close(hall);
}

static void without_a_ping_silence_is_no_reason(void **state) {
    (void)state;
    struct hall *hall = hall_open(22);
    hall->options.ping_ns = HTTP_WEBSOCKET_NEVER;
    struct stranger *s = hall_joined(hall);
    hall_run(hall, 3600 * SIM_SECOND);
    assert_frames(s, "");
    assert_int_equal(hall->served[0].closes, 0);
    hall_close(hall);
}

static void be_alive_for(struct hall *hall, struct stranger *s, unsigned seconds) {
    for (unsigned i = 0; i < seconds; i++) {
        hall_run(hall, SIM_SECOND);
        if (s->stream)
            says_frame(s, WEBSOCKET_PONG, true, slice_lit(""));
    }
}

static void without_messages_it_is_closed_as_idle(void **state) {
    (void)state;
    struct hall *hall = hall_open(23);
    hall->options.idle_ns = 25 * SIM_SECOND;
    struct stranger *s = hall_joined(hall);
    be_alive_for(hall, s, 20);
    assert_int_equal(http_websocket_send(hall->served[0].ws, true, slice_lit("ours")), 0);
    be_alive_for(hall, s, 20);
    says_text(s, "theirs");
    be_alive_for(hall, s, 24);
    assert_frames(s, "text ours\n");
    be_alive_for(hall, s, 2);
    assert_frames(s, "text ours\nclose 1001 idle\n");
    says_close(s, 1001);
    hall_run(hall, SIM_SECOND);
    assert_int_equal(hall->served[0].code, 1001);
    hall_close(hall);
}

/* --- slow readers --------------------------------------------------------------------------------
 */

/* Sends until nothing is taken any more; how many were. */
static unsigned fill(struct http_websocket *ws) {
    static char bytes[10000];
    unsigned sent = 0;
    int failed;
    while ((failed = http_websocket_send(ws, false, slice_make(bytes, sizeof bytes))) == 0)
        sent++;
    assert_int_equal(failed, -EAGAIN);
    return sent;
}

static unsigned messages_got(const struct stranger *s) {
    _cleanup_buf_ struct buf got = buf_make(1 << 20);
    unsigned count = 0;
    print_frames(s, &got);
    for (size_t i = 0; i < got.len; i++)
        count += got.ptr[i] == '\n';
    return count;
}

static void output_is_bounded_and_room_is_told(void **state) {
    (void)state;
    struct hall *hall = hall_open(54);
    hall->options.out_high_bytes = 100000;
    hall->options.ping_ns = HTTP_WEBSOCKET_NEVER;
    struct stranger *s = hall_joined(hall);
    struct served *served = &hall->served[0];
    unsigned sent = fill(served->ws); /* within one turn */
    assert_int_equal(sent, 10);
    assert_int_equal(served->rooms, 0);
    hall_run(hall, 10 * SIM_SECOND);
    assert_int_equal(served->rooms, 1);
    sent += fill(served->ws);
    hall_run(hall, 10 * SIM_SECOND);
    assert_int_equal(served->rooms, 2);
    assert_int_equal(messages_got(s), sent);
    assert_int_equal(http_websocket_send(served->ws, false, slice_lit("more")), 0);
    hall_run(hall, 10 * SIM_SECOND);
    io_stream_pause(s->stream);
    while (hall_pending(served) == 0) { /* the socket still takes all of it */
        static char bytes[20000];
        assert_int_equal(http_websocket_send(served->ws, false, slice_make(bytes, sizeof bytes)),
                         0);
        hall_run(hall, SIM_MILLISECOND);
    }
    io_stream_resume(s->stream);
    hall_run(hall, 10 * SIM_SECOND);
    assert_int_equal(hall_pending(served), 0);
    assert_int_equal(served->rooms, 2); /* nobody was refused */
    hall_close(hall);
}

/* Fills the socket, too: the stranger does not read. */
static unsigned fill_all(struct hall *hall, struct served *served) {
    unsigned sent = 0, rooms;
    do {
        rooms = served->rooms;
        sent += fill(served->ws);
        hall_run(hall, SIM_SECOND);
        assert_true(sent < 100000);
    } while (served->rooms > rooms);
    return sent;
}

static void the_last_ping_is_answered_when_output_has_gone(void **state) {
    (void)state;
    struct hall *hall = hall_open(31);
    hall->options.ping_ns = HTTP_WEBSOCKET_NEVER;
    struct stranger *s = hall_joined(hall);
    struct served *served = &hall->served[0];
    for (unsigned round = 1; round <= 2; round++) {
        io_stream_pause(s->stream);
        unsigned sent = messages_got(s) + fill_all(hall, served);
        const size_t waiting = hall_pending(served);
        for (unsigned i = 0; round == 1 && i < 50; i++) {
            says_frame(s, WEBSOCKET_PING, true, slice_lit("an earlier one"));
            hall_run(hall, SIM_SECOND / 10);
        }
        if (round == 1)
            says_frame(s, WEBSOCKET_PING, true, slice_lit("the last one"));
        hall_run(hall, SIM_SECOND);
        assert_int_equal(hall_pending(served), waiting);
        io_stream_resume(s->stream);
        hall_run(hall, 60 * SIM_SECOND);
        assert_int_equal(messages_got(s), round == 1 ? sent + 1 : sent);
    }
    assert_true(got_contains(s, "the last one"));
    assert_false(got_contains(s, "an earlier one"));
    hall_close(hall);
}

static void answer_at_length(struct served *s, slice message) {
    static char bytes[10000];
    (void)message;
    assert_int_equal(http_websocket_send(s->ws, false, slice_make(bytes, sizeof bytes)), 0);
}

static void a_ping_behind_much_that_leaves_at_once_is_answered(void **state) {
    (void)state;
    struct hall *hall = hall_open(35);
    hall->options.out_high_bytes = 1000;
    struct stranger *s = hall_joined(hall);
    hall->then = answer_at_length;
    says_text(s, "go");
    says_frame(s, WEBSOCKET_PING, true, slice_lit("in the same read"));
    hall_run(hall, SIM_SECOND);
    assert_frames(s, "binary of 10000\npong in the same read\n");
    hall_close(hall);
}

static void who_closes_is_not_told_of_room(void **state) {
    (void)state;
    struct hall *hall = hall_open(36);
    struct stranger *s = hall_joined(hall);
    struct served *served = &hall->served[0];
    io_stream_pause(s->stream);
    fill_all(hall, served);
    says_frame(s, WEBSOCKET_PING, true, slice_lit("unanswered"));
    hall_run(hall, SIM_SECOND);
    const unsigned rooms = served->rooms;
    http_websocket_close(served->ws, 1008, slice_lit("too slow"));
    io_stream_resume(s->stream);
    hall_run(hall, 4 * SIM_SECOND);
    assert_true(got_contains(s, "too slow"));
    assert_false(got_contains(s, "unanswered"));
    assert_int_equal(served->rooms, rooms);
    hall_close(hall);
}

static void who_takes_nothing_is_cut_whatever_it_says(void **state) {
    (void)state;
    struct hall *hall = hall_open(32);
    hall->options.ping_ns = 10 * SIM_SECOND;
    hall->options.pong_ns = 5 * SIM_SECOND;
    struct stranger *s = hall_joined(hall);
    struct served *served = &hall->served[0];
    io_stream_pause(s->stream);
    fill_all(hall, served);
    for (unsigned i = 0; i < 40 && served->closes == 0; i++) {
        says_text(s, "here");
        hall_run(hall, SIM_SECOND);
    }
    assert_int_equal(served->closes, 1);
    assert_int_equal(served->code, WEBSOCKET_CODE_LOST);
    assert_true(served->messages >= 10 && served->messages <= 30);
    hall_close(hall);
}

/* A stranger who reads once, when it is told to. */
static void read_once(void *owner, slice bytes) {
    struct stranger *s = owner;
    assert_int_equal(buf_append(&s->got, bytes), 0);
    io_stream_pause(s->stream);
}

static void note_close(void *owner, int reason) {
    struct stranger *s = owner;
    (void)reason;
    s->closed = true;
    s->stream = NULL;
}

static void who_takes_slowly_and_says_nothing_is_alive(void **state) {
    (void)state;
    static const struct io_stream_events events = {.on_bytes = read_once, .on_close = note_close};
    struct hall *hall = hall_open(33);
    hall->options.ping_ns = 3 * SIM_SECOND;
    hall->options.pong_ns = 2 * SIM_SECOND;
    hall->options.out_high_bytes = 4 << 20;
    struct stranger *s = hall_joined(hall);
    struct served *served = &hall->served[0];
    io_stream_pause(s->stream);
    io_stream_set_events(s->stream, &events, s);
    fill(served->ws);
    for (unsigned seconds = 0; seconds < 30 && s->stream; seconds++) {
        io_stream_resume(s->stream);
        hall_run(hall, SIM_SECOND);
    }
    assert_int_equal(served->closes, 0);
    assert_true(hall_pending(served) > 0); /* it was slow, all the time */
    hall_close(hall);
}

static void a_ping_that_waits_goes_with_the_connection(void **state) {
    (void)state;
    struct hall *hall = hall_open(34);
    struct stranger *s = hall_joined(hall);
    io_stream_pause(s->stream);
    fill_all(hall, &hall->served[0]);
    says_frame(s, WEBSOCKET_PING, true, slice_lit("never answered"));
    hall_run(hall, SIM_SECOND);
    http_websocket_abort(hall->served[0].ws);
    hall_run(hall, SIM_SECOND);
    assert_int_equal(hall->served[0].closes, 1);
    hall_close(hall); /* a sanitizer sees what was left behind */
}

/* --- pausing -------------------------------------------------------------------------------------
 */

static void pause_it(struct served *s, slice message) {
    (void)message;
    http_websocket_pause(s->ws);
}

static void paused_messages_come_one_by_one(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 10; seed++) {
        struct hall *hall = hall_open(seed);
        struct stranger *s = hall_joined(hall);
        struct served *served = &hall->served[0];
        hall->then = pause_it;
        says_text(s, "one");
        says_text(s, "two");
        says_text(s, "three");
        hall_run(hall, SIM_SECOND);
        assert_heard(served, "text one\n");
        http_websocket_resume(served->ws);
        assert_heard(served, "text one\n"); /* not inside the call */
        hall_run(hall, SIM_SECOND);
        assert_heard(served, "text one\ntext two\n");
        says_text(s, "four");
        hall_run(hall, SIM_SECOND);
        http_websocket_resume(served->ws);
        http_websocket_resume(served->ws); /* not counted */
        hall_run(hall, SIM_SECOND);
        http_websocket_resume(served->ws);
        hall_run(hall, SIM_SECOND);
        assert_heard(served, "text one\ntext two\ntext three\ntext four\n");
        hall_close(hall);
    }
}

static void pausing_pushes_back_on_the_peer(void **state) {
    (void)state;
    struct hall *hall = hall_open(40);
    struct stranger *s = hall_joined(hall);
    struct served *served = &hall->served[0];
    static char bytes[100000];
    http_websocket_pause(served->ws);
    for (unsigned i = 0; i < 100; i++)
        says_frame(s, WEBSOCKET_BINARY, true, slice_make(bytes, sizeof bytes));
    hall_run(hall, 10 * SIM_SECOND);
    assert_int_equal(served->messages, 0);
    assert_true(io_stream_pending(s->stream) > sizeof bytes);
    http_websocket_resume(served->ws);
    hall_run(hall, 60 * SIM_SECOND);
    assert_int_equal(served->messages, 100);
    hall_close(hall);
}

static void nobody_is_asked_while_paused(void **state) {
    (void)state;
    struct hall *hall = hall_open(41);
    hall->options.ping_ns = 10 * SIM_SECOND;
    struct stranger *s = hall_joined(hall);
    http_websocket_pause(hall->served[0].ws);
    hall_run(hall, 100 * SIM_SECOND);
    assert_frames(s, "");
    http_websocket_resume(hall->served[0].ws);
    hall_run(hall, 9 * SIM_SECOND);
    assert_frames(s, "");
    hall_run(hall, 2 * SIM_SECOND);
    assert_frames(s, "ping\n");
    hall_close(hall);
}

static struct served *late;

static void on_late(struct io_timer *timer) {
    (void)timer;
    assert_int_equal(http_websocket_send(late->ws, true, slice_lit("in the turn of the clock")), 0);
}

static void after_a_pause_output_has_its_time_too(void **state) {
    (void)state;
    struct hall *hall = hall_open(46);
    hall->options.ping_ns = 10 * SIM_SECOND;
    hall->options.pong_ns = 5 * SIM_SECOND;
    struct stranger *s = hall_joined(hall);
    struct io_loop *loop = io_group_loop(hall->desk->group[1], 0);
    struct io_timer timer = {0};
    late = &hall->served[0];
    http_websocket_pause(late->ws);
    hall_run(hall, 100 * SIM_SECOND);
    io_timer_start(loop, &timer, 10 * SIM_SECOND, on_late);
    http_websocket_resume(late->ws);
    hall_run(hall, 11 * SIM_SECOND);
    assert_int_equal(late->closes, 0);
    assert_frames(s, "text in the turn of the clock\nping\n");
    hall_close(hall);
}

static void a_paused_one_can_be_closed(void **state) {
    (void)state;
    struct hall *hall = hall_open(42);
    struct stranger *s = hall_joined(hall);
    hall->then = pause_it;
    says_text(s, "heard");
    says_text(s, "not heard");
    says_close(s, 1000); /* lies behind in what was read already */
    hall_run(hall, SIM_SECOND);
    http_websocket_close(hall->served[0].ws, 1001, slice_lit(""));
    hall_run(hall, SIM_SECOND);
    assert_heard(&hall->served[0], "text heard\n");
    assert_int_equal(hall->served[0].closes, 1);
    assert_int_equal(hall->served[0].code, 1001);
    assert_true(s->ended);
    hall_close(hall);
}

static void what_was_said_before_the_end_is_heard_after_a_pause(void **state) {
    (void)state;
    struct hall *hall = hall_open(43);
    struct stranger *s = hall_joined(hall);
    struct served *served = &hall->served[0];
    hall->then = pause_it;
    says_text(s, "one");
    says_text(s, "two");
    hall_run(hall, SIM_SECOND);
    says_text(s, "three");
    io_stream_close(s->stream);
    for (unsigned i = 0; i < 2; i++) {
        hall_run(hall, SIM_SECOND);
        assert_int_equal(served->messages, i + 1);
        http_websocket_resume(served->ws);
    }
    hall_run(hall, 10 * SIM_SECOND);
    assert_heard(served, "text one\ntext two\ntext three\n");
    assert_int_equal(served->code, WEBSOCKET_CODE_LOST);
    hall_close(hall);
}

/* The end is noticed though it is paused, and waits behind what was read. */
static void the_end_waits_for_what_was_read(void **state) {
    (void)state;
    struct hall *hall = hall_open(44);
    struct stranger *s = hall_joined(hall);
    struct served *served = &hall->served[0];
    hall->then = pause_it;
    says_text(s, "one");
    says_text(s, "two");
    says_text(s, "three");
    io_stream_close(s->stream);
    hall_run(hall, SIM_SECOND);
    for (unsigned i = 1; i <= 3; i++) {
        assert_int_equal(served->messages, i);
        assert_int_equal(served->closes, i == 3);
        if (served->ws)
            http_websocket_resume(served->ws);
        hall_run(hall, SIM_SECOND);
    }
    assert_heard(served, "text one\ntext two\ntext three\n");
    hall_close(hall);
}

/* What was started for later in a turn must not outlive a connection that is lost in that turn. */
static void nothing_is_left_behind_by_a_loss(void **state) {
    (void)state;
    struct hall *hall = hall_open(45);
    hall_joined(hall);
    hall_joined(hall);
    struct http_websocket *first = hall->served[0].ws, *second = hall->served[1].ws;
    fill(first); /* asks for room */
    http_websocket_abort(first);
    http_websocket_pause(second);
    io_stream_abort(hall->served[1].stream);
    http_websocket_resume(second);
    hall_run(hall, SIM_SECOND);
    assert_int_equal(hall->served[0].closes, 1);
    assert_int_equal(hall->served[0].rooms, 0);
    assert_int_equal(hall->served[1].closes, 1);
    hall_close(hall);
}

/* --- memory --------------------------------------------------------------------------------------
 */

static unsigned long attempts_for_a_message(struct hall *hall, struct stranger *s) {
    const unsigned long before = mem_attempts();
    stranger_says_bytes(s, slice_lit("\x82\x81\x00\x00\x00\x00!"));
    hall_run(hall, SIM_SECOND);
    return mem_attempts() - before;
}

/* Were one kept, the next message would not have to ask for it. */
static void between_messages_it_holds_no_buffer(void **state) {
    (void)state;
    struct hall *hall = hall_open(50);
    struct stranger *s = hall_joined(hall);
    const unsigned long attempts = attempts_for_a_message(hall, s);
    assert_true(attempts > 0);
    assert_int_equal(attempts_for_a_message(hall, s), attempts);
    assert_int_equal(hall->served[0].messages, 2);
    hall_close(hall);
}

static void try_to_answer(struct served *s, slice message) {
    int failed = http_websocket_send(s->ws, true, message);
    assert_true(failed == 0 || failed == -ENOMEM);
}

static void without_memory_it_is_refused_or_ends(void **state) {
    (void)state;
    bool passed_all = false;
    unsigned refused = 0, ended = 0;
    for (unsigned long at = 1; !passed_all; at++) {
        struct hall *hall = hall_open(1);
        struct stranger *s = desk_stranger(hall->desk), *other;
        hall->then = try_to_answer;
        stranger_says(s, ASK("/ws") "\r\n");
        says_text(s, "text");
        says_frame(s, WEBSOCKET_PING, true, slice_lit("p"));
        says_close(s, 1000);
        unsigned long before = mem_attempts();
        mem_fail_at(at, false);
        hall_run(hall, 20 * SIM_SECOND);
        passed_all = mem_attempts() - before < at;
        mem_fail_at(0, false);
        refused += hall->served_count == 0;
        ended += hall->served_count == 1 && hall->served[0].code != 1000;
        other = hall_asked(hall, GET("/hello")); /* the next one does not suffer */
        assert_int_equal(answers(other, "200"), 1);
        hall_close(hall);
    }
    assert_true(refused > 0);
    assert_true(ended > 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_silent_peer_is_asked_and_then_cut),
        cmocka_unit_test(who_answers_or_says_anything_stays),
        cmocka_unit_test(without_a_ping_silence_is_no_reason),
        cmocka_unit_test(without_messages_it_is_closed_as_idle),
        cmocka_unit_test(output_is_bounded_and_room_is_told),
        cmocka_unit_test(the_last_ping_is_answered_when_output_has_gone),
        cmocka_unit_test(a_ping_behind_much_that_leaves_at_once_is_answered),
        cmocka_unit_test(who_closes_is_not_told_of_room),
        cmocka_unit_test(who_takes_nothing_is_cut_whatever_it_says),
        cmocka_unit_test(who_takes_slowly_and_says_nothing_is_alive),
        cmocka_unit_test(a_ping_that_waits_goes_with_the_connection),
        cmocka_unit_test(paused_messages_come_one_by_one),
        cmocka_unit_test(pausing_pushes_back_on_the_peer),
        cmocka_unit_test(nobody_is_asked_while_paused),
        cmocka_unit_test(after_a_pause_output_has_its_time_too),
        cmocka_unit_test(a_paused_one_can_be_closed),
        cmocka_unit_test(what_was_said_before_the_end_is_heard_after_a_pause),
        cmocka_unit_test(the_end_waits_for_what_was_read),
        cmocka_unit_test(nothing_is_left_behind_by_a_loss),
        cmocka_unit_test(between_messages_it_holds_no_buffer),
        cmocka_unit_test(without_memory_it_is_refused_or_ends),
    };
    return cmocka_run_group_tests_name("http/websocket_flow", tests, NULL, NULL);
}
