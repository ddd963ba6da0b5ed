#include "stage.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct ball {
    struct stage *stage;
    struct io_udp *left, *right;
    char largest[65508];
    unsigned hits;
};

static void play_over(struct ball *ball) {
    ball->left = io_udp_close(ball->left);
    ball->right = io_udp_close(ball->right);
    stage_end(ball->stage);
}

static void left_hit(void *owner, slice bytes, const char *from) {
    struct ball *ball = owner;
    assert_string_equal(from, io_udp_address(ball->right));
    assert_int_equal(bytes.len, 65507);
    assert_memory_equal(bytes.ptr, ball->largest, bytes.len);
    ball->hits++;
    play_over(ball);
}

static void right_hit(void *owner, slice bytes, const char *from) {
    struct ball *ball = owner;
    assert_string_equal(from, io_udp_address(ball->left));
    ball->hits++;
    if (ball->hits == 1) {
        assert_true(slice_equal(bytes, slice_lit("ping")));
        return;
    }
    assert_int_equal(bytes.len, 0); /* an empty datagram is one */
    slice largest = slice_make(ball->largest, 65507);
    assert_int_equal(io_udp_send(ball->right, from, largest), 0);
}

static void ball_begin(struct stage *stage) {
    struct ball *ball = stage->state;
    struct error error;
    ball->stage = stage;
    memset(ball->largest, 'x', sizeof ball->largest);
    assert_int_equal(io_udp_open(stage->loop, "127.0.0.1:0", left_hit, ball, &ball->left, &error),
                     0);
    assert_int_equal(io_udp_open(stage->loop, "127.0.0.1:0", right_hit, ball, &ball->right, &error),
                     0);
    const char *to = io_udp_address(ball->right);
    assert_int_equal(io_udp_send(ball->left, to, slice_lit("ping")), 0);
    assert_int_equal(io_udp_send(ball->left, to, slice_lit("")), 0);
    assert_int_equal(io_udp_send(ball->left, to, slice_make(ball->largest, 65508)), -EMSGSIZE);
    assert_int_equal(io_udp_send(ball->left, "nowhere", slice_lit("x")), -EINVAL);
    struct io_udp *none = NULL;
    assert_int_equal(io_udp_open(stage->loop, to, left_hit, ball, &none, &error), -EADDRINUSE);
    assert_non_null(strstr(error.message, to));
    assert_int_equal(io_udp_open(stage->loop, "x", left_hit, ball, &none, NULL), -EINVAL);
    assert_null(none);
}

static void datagrams_arrive_whole_with_their_sender(void **state) {
    (void)state;
    struct stage stage;
    struct ball *ball = calloc(1, sizeof *ball);
    stage_play(&stage, 1, ball_begin, ball);
    assert_int_equal(ball->hits, 3);
    free(ball);
}

static void silence_begin(struct stage *stage) {
    struct ball *ball = stage->state;
    ball->stage = stage;
    assert_int_equal(io_udp_open(stage->loop, "127.0.0.1:0", right_hit, ball, &ball->left, NULL),
                     0);
    /* Closed in the turn in which a datagram arrives: no call comes. */
    assert_int_equal(io_udp_send(ball->left, io_udp_address(ball->left), slice_lit("self")), 0);
    ball->left = io_udp_close(ball->left);
    assert_null(io_udp_close(NULL));
    stage_end(stage);
}

static void after_close_no_call_comes(void **state) {
    (void)state;
    struct stage stage;
    struct ball *ball = calloc(1, sizeof *ball);
    stage_play(&stage, 1, silence_begin, ball);
    assert_int_equal(ball->hits, 0);
    free(ball);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(datagrams_arrive_whole_with_their_sender),
        cmocka_unit_test(after_close_no_call_comes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
