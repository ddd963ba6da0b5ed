#include "hall.h"

#include "base/mem.h"

#include <errno.h>

/* A WebSocket from its handshake over its messages to its end. */

/* --- the handshake -------------------------------------------------------------------------------
 */

static void the_answer_is_that_of_the_rfc(void **state) {
    (void)state;
    struct hall *hall = hall_open(1);
    struct stranger *s = hall_joined(hall);
    assert_true(got_contains(s, "HTTP/1.1 101 Switching Protocols\r\n"));
    assert_true(got_contains(s, "\r\nUpgrade: websocket\r\n"));
    assert_true(got_contains(s, "\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
    assert_true(got_contains(s, "\r\nConnection: Upgrade\r\n") ||
                got_contains(s, "\r\nConnection: upgrade\r\n"));
    assert_false(got_contains(s, "Sec-WebSocket-Protocol"));
    assert_false(got_contains(s, "Sec-WebSocket-Extensions"));
    assert_int_equal(http_websocket_protocol(hall->served[0].ws), -1);
    hall_close(hall);
}

static void a_protocol_is_agreed_on(void **state) {
    (void)state;
    static const slice protocols[] = {slice_lit("nats"), slice_lit("chat.v2")};
    struct hall *hall = hall_open(2);
    hall->options.protocols = protocols;
    hall->options.protocol_count = array_count(protocols);
    struct stranger *s =
        hall_asked(hall, ASK("/ws") "Sec-WebSocket-Protocol: mqtt, chat.v2, nats\r\n\r\n");
    assert_true(got_contains(s, "\r\nSec-WebSocket-Protocol: chat.v2\r\n"));
    assert_int_equal(http_websocket_protocol(hall->served[0].ws), 1);
    s = hall_asked(hall, ASK("/ws") "Sec-WebSocket-Protocol: mqtt\r\n\r\n");
    assert_int_equal(answers(s, "101"), 1);
    assert_false(got_contains(s, "Sec-WebSocket-Protocol"));
    assert_int_equal(http_websocket_protocol(hall->served[1].ws), -1);
    hall_close(hall);
}

static void who_asks_for_no_websocket_learns_what_to_ask_for(void **state) {
    (void)state;
    struct hall *hall = hall_open(3);
    static const char *const asks[] = {
        "GET /ws HTTP/1.1\r\n" HOST "\r\n",
        "GET /ws HTTP/1.1\r\n" HOST "Upgrade: websocket\r\n" VERSION KEY "\r\n",
        "GET /ws HTTP/1.1\r\n" HOST UPGRADE "Sec-WebSocket-Version: 8\r\n" KEY "\r\n",
    };
    for (size_t i = 0; i < array_count(asks); i++) {
        struct stranger *s = hall_asked(hall, asks[i]);
        assert_int_equal(answers(s, "426"), 1);
        assert_true(got_contains(s, "\r\nUpgrade: websocket\r\n"));
        assert_true(got_contains(s, "\r\nConnection: Upgrade\r\n"));
        assert_true(got_contains(s, "\r\nSec-WebSocket-Version: 13\r\n"));
        assert_true(got_contains(s, "\r\nContent-Type: application/problem+json\r\n"));
        assert_int_equal(hall->refused, -EPROTO);
        stranger_says(s, GET("/hello")); /* it is still HTTP */
        hall_run(hall, SIM_SECOND);
        assert_int_equal(answers(s, "200"), 1);
    }
    assert_int_equal(hall->served_count, 0);
    hall_close(hall);
}

static void a_handshake_with_mistakes_is_a_400(void **state) {
    (void)state;
    struct hall *hall = hall_open(4);
    static const char *const asks[] = {
        "GET /ws HTTP/1.1\r\n" HOST UPGRADE VERSION "\r\n",
        "GET /ws HTTP/1.1\r\n" HOST UPGRADE VERSION "Sec-WebSocket-Key: short\r\n\r\n",
        "POST /ws HTTP/1.1\r\n" HOST UPGRADE VERSION KEY "\r\n",
        ASK("/ws") "Sec-WebSocket-Protocol: a b\r\n\r\n",
    };
    for (size_t i = 0; i < array_count(asks); i++) {
        struct stranger *s = hall_asked(hall, asks[i]);
        assert_int_equal(answers(s, "400"), 1);
        assert_int_equal(hall->refused, -EPROTO);
    }
    assert_int_equal(hall->served_count, 0);
    hall_close(hall);
}

static void among_unanswered_requests_it_is_refused(void **state) {
    (void)state;
    struct hall *hall = hall_open(5);
    struct stranger *s = hall_asked(hall, GET("/later") ASK("/ws") "\r\n");
    assert_int_equal(hall->refused, -EBUSY);
    http_reply(hall->later, &(struct http_answer){.status = 200}, slice_lit("first"));
    hall_run(hall, SIM_SECOND);
    assert_int_equal(answers(s, "200"), 1);
    assert_int_equal(answers(s, "400"), 1);
    assert_int_equal(hall->served_count, 0);
    hall_close(hall);
}

static void it_may_be_accepted_later(void **state) {
    (void)state;
    struct hall *hall = hall_open(6);
    struct stranger *s = hall_asked(hall, ASK("/later") "\r\n");
    says_text(s, "early");
    hall_run(hall, SIM_SECOND);
    assert_non_null(hall->later);
    hall_accept(hall, hall->later);
    hall_run(hall, SIM_SECOND);
    assert_int_equal(answers(s, "101"), 1);
    assert_heard(&hall->served[0], "text early\n");
    hall_close(hall);
}

static void frames_in_the_same_read_are_heard(void **state) {
    (void)state;
    struct hall *hall = hall_open(7);
    struct stranger *s = desk_stranger(hall->desk);
    hall->then = hall_echo;
    stranger_says(s, ASK("/ws") "\r\n");
    says_text(s, "text at once");
    says_frame(s, WEBSOCKET_PING, true, slice_lit("there?"));
    hall_run(hall, SIM_SECOND);
    assert_heard(&hall->served[0], "text text at once\n");
    assert_frames(s, "text text at once\npong there?\n");
    hall_close(hall);
}

/* --- messages ------------------------------------------------------------------------------------
 */

static void messages_go_both_ways(void **state) {
    (void)state;
    static char large[70000];
    memset(large, 't', sizeof large);
    for (uint64_t seed = 0; seed < 10; seed++) {
        struct hall *hall = hall_open(seed);
        struct stranger *s = hall_joined(hall);
        hall->then = hall_echo;
        says_text(s, "text");
        says_frame(s, WEBSOCKET_BINARY, true, slice_lit("bytes"));
        says_frame(s, WEBSOCKET_TEXT, false, slice_lit("to"));
        says_frame(s, WEBSOCKET_MORE, false, slice_lit("geth"));
        says_frame(s, WEBSOCKET_MORE, true, slice_lit("er"));
        says_frame(s, WEBSOCKET_TEXT, true, slice_make(large, sizeof large));
        says_frame(s, WEBSOCKET_TEXT, true, slice_lit("t\xc3\x9f"));
        hall_run(hall, 30 * SIM_SECOND);
        assert_heard(&hall->served[0], "text text\nbinary bytes\ntext together\n"
                                       "text of 70000\ntext t\xc3\x9f\n");
        assert_frames(s, "text text\nbinary bytes\ntext together\n"
                         "text of 70000\ntext t\xc3\x9f\n");
        assert_int_equal(hall_pending(&hall->served[0]), 0);
        hall_close(hall);
    }
}

static void byte_by_byte_is_the_same(void **state) {
    (void)state;
    static const unsigned char key[WEBSOCKET_KEY_BYTES] = {9, 8, 7, 6};
    struct hall *hall = hall_open(8);
    struct stranger *s = hall_joined(hall);
    _cleanup_buf_ struct buf b = buf_make(4096);
    hall->then = hall_echo;
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(
            websocket_write_frame(&b, WEBSOCKET_TEXT, true, slice_lit("t h\xc3\xa9"), key), 0);
    stranger_drawls(s, buf_slice(&b));
    hall_run(hall, SIM_SECOND);
    assert_frames(s, "text t h\xc3\xa9\ntext t h\xc3\xa9\ntext t h\xc3\xa9\n");
    hall_close(hall);
}

static void what_cannot_be_sent_is_refused(void **state) {
    (void)state;
    struct hall *hall = hall_open(9);
    struct stranger *s = hall_joined(hall);
    struct http_websocket *ws = hall->served[0].ws;
    assert_int_equal(http_websocket_send(ws, true, slice_lit("\xff")), -EILSEQ);
    assert_int_equal(http_websocket_send(ws, false, slice_make(s, HTTP_WEBSOCKET_SEND_MAX + 1)),
                     -E2BIG);
    mem_fail_at(1, true);
    char *large = NULL;
    int failed = http_websocket_send(ws, false, slice_make(hall, sizeof *hall));
    mem_fail_at(0, false);
    assert_true(failed == -ENOMEM || failed == 0);
    large = mem_zalloc(1, 1 << 20);
    mem_fail_at(1, true);
    failed = http_websocket_send(ws, false, slice_make(large, 1 << 20));
    mem_fail_at(0, false);
    assert_int_equal(failed, -ENOMEM);
    mem_free(large);
    assert_int_equal(http_websocket_send(ws, false, slice_lit("\xff")), 0);
    http_websocket_close(ws, 1000, slice_lit(""));
    assert_int_equal(http_websocket_send(ws, false, slice_lit("late")), -EPIPE);
    hall_close(hall);
}

/* --- closing -------------------------------------------------------------------------------------
 */

static void the_peers_close_is_answered(void **state) {
    (void)state;
    struct hall *hall = hall_open(10);
    struct stranger *s = hall_joined(hall);
    says_text(s, "last words");
    says_close(s, 4321);
    hall_run(hall, SIM_SECOND);
    assert_heard(&hall->served[0], "text last words\n");
    assert_frames(s, "close 4321\n");
    assert_true(s->ended);
    assert_int_equal(hall->served[0].closes, 1);
    assert_int_equal(hall->served[0].code, 4321);
    hall_close(hall);
}

static void a_close_without_a_code_is_answered_without_one(void **state) {
    (void)state;
    struct hall *hall = hall_open(11);
    struct stranger *s = hall_joined(hall);
    says_close(s, WEBSOCKET_CODE_NONE);
    hall_run(hall, SIM_SECOND);
    assert_frames(s, "close 1005\n");
    assert_int_equal(hall->served[0].code, WEBSOCKET_CODE_NONE);
    hall_close(hall);
}

static void our_close_waits_for_the_peers(void **state) {
    (void)state;
    struct hall *hall = hall_open(12);
    struct stranger *s = hall_joined(hall);
    struct served *served = &hall->served[0];
    assert_int_equal(http_websocket_send(served->ws, true, slice_lit("before")), 0);
    http_websocket_close(served->ws, 1001, slice_lit("going away"));
    http_websocket_close(served->ws, 1000, slice_lit("said already"));
    hall_run(hall, SIM_SECOND);
    assert_frames(s, "text before\nclose 1001 going away\n");
    assert_int_equal(served->closes, 0);
    says_text(s, "too late");
    says_frame(s, WEBSOCKET_PING, true, slice_lit("too late"));
    says_close(s, 1001);
    hall_run(hall, SIM_SECOND);
    assert_frames(s, "text before\nclose 1001 going away\n");
    assert_true(s->ended);
    assert_int_equal(served->closes, 1);
    assert_int_equal(served->code, 1001);
    assert_heard(served, "");
    hall_close(hall);
}

static void a_peer_that_does_not_close_is_cut(void **state) {
    (void)state;
    struct hall *hall = hall_open(13);
    hall->options.close_ns = 3 * SIM_SECOND;
    struct stranger *s = hall_joined(hall);
    http_websocket_close(hall->served[0].ws, 1012, slice_lit(""));
    hall_run(hall, 2 * SIM_SECOND);
    says_text(s, "still here");
    hall_run(hall, SIM_SECOND / 2);
    assert_int_equal(hall->served[0].closes, 0);
    hall_run(hall, SIM_SECOND);
    assert_int_equal(hall->served[0].closes, 1);
    assert_int_equal(hall->served[0].code, 1012);
    assert_true(s->closed);
    hall_close(hall);
}

static void frames_that_are_refused_are_told_why(void **state) {
    (void)state;
    static const struct {
        slice bytes;
        unsigned code;
        const char *frames;
    } cases[] = {
        {slice_lit("\x81\x02no"), 1002, "close 1002 a frame of a client without a mask\n"},
        {slice_lit("\x81\x81\x00\x00\x00\x00\xff"), 1007, "close 1007 text that is not UTF-8\n"},
        {slice_lit("\x82\xff\x00\x00\x00\x00\x00\x20\x00\x00"), 1009,
         "close 1009 the message is too large\n"},
    };
    for (size_t i = 0; i < array_count(cases); i++) {
        struct hall *hall = hall_open(14);
        struct stranger *s = hall_joined(hall);
        says_text(s, "good");
        stranger_says_bytes(s, cases[i].bytes);
        says_text(s, "behind it");
        hall_run(hall, SIM_SECOND);
        assert_heard(&hall->served[0], "text good\n");
        assert_frames(s, cases[i].frames);
        assert_true(s->ended);
        assert_int_equal(hall->served[0].code, cases[i].code);
        hall_close(hall);
    }
}

static void while_closing_a_wrong_frame_ends_it(void **state) {
    (void)state;
    struct hall *hall = hall_open(18);
    struct stranger *s = hall_joined(hall);
    http_websocket_close(hall->served[0].ws, 1001, slice_lit(""));
    stranger_says(s, "\x83");
    hall_run(hall, SIM_SECOND);
    assert_frames(s, "close 1001\n");
    assert_true(s->ended);
    assert_int_equal(hall->served[0].code, 1001);
    hall_close(hall);
}

static void a_message_above_the_options_bound_is_refused(void **state) {
    (void)state;
    struct hall *hall = hall_open(15);
    hall->options.message_bytes_max = 5;
    struct stranger *s = hall_joined(hall);
    says_text(s, "12345");
    says_text(s, "123456");
    hall_run(hall, SIM_SECOND);
    assert_heard(&hall->served[0], "text 12345\n");
    assert_int_equal(hall->served[0].code, 1009);
    hall_close(hall);
}

static void a_lost_connection_is_told(void **state) {
    (void)state;
    struct hall *hall = hall_open(16);
    struct stranger *s = hall_joined(hall), *other = hall_joined(hall), *third = hall_joined(hall);
    says_frame(s, WEBSOCKET_TEXT, false, slice_lit("half of"));
    hall_run(hall, SIM_SECOND);
    stranger_leaves(s);
    io_stream_close(other->stream);
    http_websocket_abort(hall->served[2].ws);
    hall_run(hall, SIM_SECOND);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(hall->served[i].closes, 1);
        assert_int_equal(hall->served[i].code, WEBSOCKET_CODE_LOST);
        assert_heard(&hall->served[i], "");
    }
    assert_true(third->closed);
    assert_frames(third, "");
    hall_close(hall);
}

static void close_and_go_on(struct served *s, slice message) {
    (void)message;
    http_websocket_close(s->ws, 1008, slice_lit("one is enough"));
}

static void abort_it(struct served *s, slice message) {
    (void)message;
    http_websocket_abort(s->ws);
}

static void a_handler_may_end_what_it_stands_on(void **state) {
    (void)state;
    for (int cuts = 0; cuts < 2; cuts++) {
        struct hall *hall = hall_open(17);
        struct stranger *s = hall_joined(hall);
        hall->then = cuts ? abort_it : close_and_go_on;
        says_text(s, "one");
        says_text(s, "two");
        says_close(s, 1000);
        hall_run(hall, SIM_SECOND);
        assert_heard(&hall->served[0], "text one\n");
        assert_int_equal(hall->served[0].code, cuts ? WEBSOCKET_CODE_LOST : 1008);
        assert_frames(s, cuts ? "" : "close 1008 one is enough\n");
        hall_close(hall);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_answer_is_that_of_the_rfc),
        cmocka_unit_test(a_protocol_is_agreed_on),
        cmocka_unit_test(who_asks_for_no_websocket_learns_what_to_ask_for),
        cmocka_unit_test(a_handshake_with_mistakes_is_a_400),
        cmocka_unit_test(among_unanswered_requests_it_is_refused),
        cmocka_unit_test(it_may_be_accepted_later),
        cmocka_unit_test(frames_in_the_same_read_are_heard),
        cmocka_unit_test(messages_go_both_ways),
        cmocka_unit_test(byte_by_byte_is_the_same),
        cmocka_unit_test(what_cannot_be_sent_is_refused),
        cmocka_unit_test(the_peers_close_is_answered),
        cmocka_unit_test(a_close_without_a_code_is_answered_without_one),
        cmocka_unit_test(our_close_waits_for_the_peers),
        cmocka_unit_test(a_peer_that_does_not_close_is_cut),
        cmocka_unit_test(frames_that_are_refused_are_told_why),
        cmocka_unit_test(while_closing_a_wrong_frame_ends_it),
        cmocka_unit_test(a_message_above_the_options_bound_is_refused),
        cmocka_unit_test(a_lost_connection_is_told),
        cmocka_unit_test(a_handler_may_end_what_it_stands_on),
    };
    return cmocka_run_group_tests_name("http/websocket", tests, NULL, NULL);
}
