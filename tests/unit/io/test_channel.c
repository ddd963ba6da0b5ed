#include "stage.h"

#include "base/mem.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* --- everybody to everybody ------------------------------------------------------------------- */

#define MESSAGES 100000u /* from each loop to each other */
#define PER_TURN 1000u
#define BODY_MAX 600u

struct post {
    struct stage *stage;
    struct io_loop *loop;
    struct io_timer sending;
    uint32_t sent[4], received[4];
    unsigned full_times, room_times;
    char body[BODY_MAX];
};

struct exchange {
    struct post each[4];
    unsigned count;
    _Atomic(unsigned) ended;
};

static uint32_t size_of(uint32_t number) {
    return 4 + (number * 31) % (BODY_MAX - 4);
}

static void send_more(struct io_timer *timer) {
    struct post *post = container_of(timer, struct post, sending);
    unsigned own = io_loop_index(post->loop);
    bool all = true;
    for (unsigned to = 0; to < io_group_count(post->stage->group); to++) {
        for (unsigned i = 0; to != own && i < PER_TURN && post->sent[to] < MESSAGES; i++) {
            if (io_channel_full(post->loop, to)) {
                post->full_times++;
                break;
            }
            uint32_t number = post->sent[to]++;
            slice parts[] = {slice_make(&number, 4), slice_make(post->body, size_of(number) - 4)};
            check(io_send(post->loop, to, number, parts, 2) == 0);
        }
        all = all && (to == own || post->sent[to] == MESSAGES);
    }
    if (!all)
        io_timer_start(post->loop, timer, 0, send_more);
}

static void receive(void *owner, unsigned from, uint32_t kind, slice body) {
    struct post *post = owner;
    struct exchange *exchange = post->stage->state;
    uint32_t number;
    check(body.len == size_of(kind));
    memcpy(&number, body.ptr, 4);
    check(number == kind && number == post->received[from]);
    check(body.len == 4 || body.ptr[body.len - 1] == post->body[body.len - 5]);
    if (++post->received[from] == MESSAGES &&
        atomic_fetch_add(&exchange->ended, 1) + 1 == exchange->count * (exchange->count - 1))
        stage_end(post->stage);
}

static void on_room(void *owner, unsigned to) {
    struct post *post = owner;
    (void)to;
    post->room_times++;
}

static void exchange_each(struct stage *stage, struct io_loop *loop) {
    struct exchange *exchange = stage->state;
    struct post *post = &exchange->each[io_loop_index(loop)];
    post->stage = stage;
    post->loop = loop;
    for (unsigned i = 0; i < BODY_MAX; i++)
        post->body[i] = (char)i;
    struct io_receiver receiver = {.on_message = receive, .on_room = on_room, .owner = post};
    io_loop_set_receiver(loop, &receiver);
    io_timer_start(loop, &post->sending, 0, send_more);
}

static void messages_keep_their_order(void **state) {
    (void)state;
    for (unsigned loops = 2; loops <= 4; loops++) {
        struct stage stage;
        struct exchange *exchange = calloc(1, sizeof *exchange);
        exchange->count = loops;
        stage_play_each(&stage, loops, exchange_each, NULL, exchange);
        for (unsigned to = 0; to < loops; to++)
            for (unsigned from = 0; from < loops; from++)
                assert_int_equal(exchange->each[to].received[from], to == from ? 0 : MESSAGES);
        free(exchange);
    }
}

/* --- push-back -------------------------------------------------------------------------------- */

struct flood {
    struct stage *stage;
    _Atomic(bool) hold; /* the receiver is busy */
    _Atomic(uint64_t) received;
    uint64_t sent;
    unsigned full_times, room_times;
    struct io_timer pouring;
    char *piece;
};

#define PIECE (1u << 20)
#define FLOOD_PIECES 64u

static void pour(struct io_timer *timer) {
    struct flood *flood = container_of(timer, struct flood, pouring);
    struct io_loop *loop = flood->stage->loop;
    while (flood->sent < FLOOD_PIECES) {
        if (io_channel_full(loop, 1)) {
            flood->full_times++;
            atomic_store(&flood->hold, false);
            return; /* until on_room */
        }
        slice body = slice_make(flood->piece, PIECE);
        check(io_send(loop, 1, (uint32_t)flood->sent++, &body, 1) == 0);
    }
    atomic_store(&flood->hold, false);
}

static void pour_on(void *owner, unsigned to) {
    struct flood *flood = owner;
    assert_int_equal(to, 1);
    assert_false(io_channel_full(flood->stage->loop, 1));
    flood->room_times++;
    pour(&flood->pouring);
}

static void swallow(void *owner, unsigned from, uint32_t kind, slice body) {
    struct flood *flood = owner;
    while (atomic_load(&flood->hold))
        ;
    check(from == 0 && body.len == PIECE && kind == atomic_load(&flood->received));
    if (atomic_fetch_add(&flood->received, 1) + 1 == FLOOD_PIECES)
        stage_end(flood->stage);
}

static void nothing(void *owner, unsigned from, uint32_t kind, slice body) {
    (void)owner;
    (void)kind;
    (void)body;
    check(from == 0); /* nobody sends to loop 0 */
}

static void flood_each(struct stage *stage, struct io_loop *loop) {
    struct flood *flood = stage->state;
    struct io_receiver receiver = {.on_message = swallow, .owner = flood};
    if (io_loop_index(loop) == 0) {
        flood->stage = stage;
        receiver = (struct io_receiver){nothing, pour_on, flood};
        io_timer_start(loop, &flood->pouring, 0, pour);
    }
    io_loop_set_receiver(loop, &receiver);
}

static void a_full_channel_says_so_and_tells_when_it_has_room(void **state) {
    (void)state;
    struct stage stage;
    struct flood flood = {.piece = calloc(1, PIECE)};
    atomic_store(&flood.hold, true);
    stage_play_each(&stage, 2, flood_each, NULL, &flood);
    assert_int_equal(atomic_load(&flood.received), FLOOD_PIECES);
    assert_true(flood.full_times >= FLOOD_PIECES / (IO_CHANNEL_HIGH_BYTES / PIECE) / 2);
    assert_int_equal(flood.room_times, flood.full_times);
    free(flood.piece);
}

/* A turn that has begun is taken whole, over the mark too. */
static void whole_begin(struct stage *stage) {
    struct flood *flood = stage->state;
    flood->stage = stage;
    slice body = slice_make(flood->piece, PIECE);
    for (unsigned i = 0; i < FLOOD_PIECES; i++)
        assert_int_equal(io_send(stage->loop, 1, i, &body, 1), 0);
    assert_true(io_channel_full(stage->loop, 1));
}

static void whole_each(struct stage *stage, struct io_loop *loop) {
    struct io_receiver receiver = {.on_message = swallow, .owner = stage->state};
    io_loop_set_receiver(loop, &receiver);
}

static void what_a_turn_has_begun_is_taken_over_the_mark(void **state) {
    (void)state;
    struct stage stage;
    struct flood flood = {.piece = calloc(1, PIECE)};
    stage_play_each(&stage, 2, whole_each, whole_begin, &flood);
    assert_int_equal(atomic_load(&flood.received), FLOOD_PIECES);
    free(flood.piece);
}

/* --- the ring of blocks full -------------------------------------------------------------------
 */

struct trickle {
    struct stage *stage;
    struct io_timer sending;
    unsigned turns;
    _Atomic(bool) hold;
    uint32_t received;
};

#define TRICKLE_TURNS 1000u

/* One block a turn: far more blocks than the ring holds, while the receiver is stuck. */
static void trickle_send(struct io_timer *timer) {
    struct trickle *trickle = container_of(timer, struct trickle, sending);
    slice body = slice_lit("drop");
    check(io_send(trickle->stage->loop, 1, trickle->turns, &body, 1) == 0);
    if (++trickle->turns == TRICKLE_TURNS)
        atomic_store(&trickle->hold, false);
    else
        io_timer_start(trickle->stage->loop, timer, 0, trickle_send);
}

static void trickle_receive(void *owner, unsigned from, uint32_t kind, slice body) {
    struct trickle *trickle = owner;
    while (atomic_load(&trickle->hold))
        ;
    check(from == 0 && kind == trickle->received && body.len == 4);
    if (++trickle->received == TRICKLE_TURNS)
        stage_end(trickle->stage);
}

static void trickle_each(struct stage *stage, struct io_loop *loop) {
    struct trickle *trickle = stage->state;
    struct io_receiver receiver = {.on_message = trickle_receive, .owner = trickle};
    io_loop_set_receiver(loop, &receiver);
    if (io_loop_index(loop) == 0) {
        trickle->stage = stage;
        io_timer_start(loop, &trickle->sending, 0, trickle_send);
    }
}

static void nothing_is_lost_where_the_ring_is_full(void **state) {
    (void)state;
    struct stage stage;
    struct trickle trickle = {0};
    atomic_store(&trickle.hold, true);
    stage_play_each(&stage, 2, trickle_each, NULL, &trickle);
    assert_int_equal(trickle.received, TRICKLE_TURNS);
}

/* --- edges ------------------------------------------------------------------------------------ */

struct edge {
    struct stage *stage;
    unsigned received;
};

static void edge_receive(void *owner, unsigned from, uint32_t kind, slice body) {
    struct edge *edge = owner;
    check(from == 0);
    check(kind != 1 || body.len == 0);
    check(kind != 3 || (body.len == 40000000 && body.ptr[39999999] == 'z'));
    edge->received = edge->received * 10 + kind;
    if (kind == 4)
        stage_end(edge->stage);
}

static void edge_each(struct stage *stage, struct io_loop *loop) {
    struct io_receiver receiver = {.on_message = edge_receive, .owner = stage->state};
    io_loop_set_receiver(loop, &receiver);
}

static void edge_begin(struct stage *stage) {
    struct edge *edge = stage->state;
    edge->stage = stage;
    assert_int_equal(io_send(stage->loop, 1, 1, NULL, 0), 0); /* empty */
    slice small = slice_lit("small");
    mem_fail_at(1, true);
    char *huge = malloc(40000000);
    huge[39999999] = 'z';
    slice large = slice_make(huge, 40000000);
    assert_int_equal(io_send(stage->loop, 1, 9, &large, 1), -ENOMEM); /* and none of it arrives */
    mem_fail_at(0, false);
    assert_int_equal(io_send(stage->loop, 1, 2, &small, 1), 0);
    assert_int_equal(io_send(stage->loop, 1, 3, &large, 1), 0);
    slice four[] = {large, large, large, large};
    assert_int_equal(io_send(stage->loop, 1, 9, four, 4), -EMSGSIZE);
    assert_int_equal(io_send(stage->loop, 1, 4, &small, 1), 0);
    free(huge);
}

static void sizes_from_nothing_to_much(void **state) {
    (void)state;
    struct stage stage;
    struct edge edge = {0};
    stage_play_each(&stage, 2, edge_each, edge_begin, &edge);
    assert_int_equal(edge.received, 1234);
}

/* --- stopping --------------------------------------------------------------------------------- */

struct stopping {
    struct stage *stage;
    _Atomic(bool) waiting, handed_over;
    unsigned received;
    struct io_timer timer;
};

static void stopping_receive(void *owner, unsigned from, uint32_t kind, slice body) {
    struct stopping *stopping = owner;
    (void)from;
    (void)kind;
    (void)body;
    stopping->received++;
}

static void stopping_stop(struct io_timer *timer) {
    struct stopping *stopping = container_of(timer, struct stopping, timer);
    atomic_store(&stopping->handed_over, true); /* a turn later than the sends */
    stage_end(stopping->stage);
}

/* Loop 1 is busy in its first turn until messages and stop both wait for it. */
static void stopping_each(struct stage *stage, struct io_loop *loop) {
    struct stopping *stopping = stage->state;
    struct io_receiver receiver = {.on_message = stopping_receive, .owner = stopping};
    io_loop_set_receiver(loop, &receiver);
    if (io_loop_index(loop) == 1) {
        atomic_store(&stopping->waiting, true);
        while (!atomic_load(&stopping->handed_over))
            ;
        return;
    }
    stopping->stage = stage;
    while (!atomic_load(&stopping->waiting))
        ;
    for (unsigned i = 0; i < 100; i++)
        check(io_send(loop, 1, i, NULL, 0) == 0);
    io_timer_start(loop, &stopping->timer, 0, stopping_stop);
}

static void a_stop_comes_behind_the_messages_before_it(void **state) {
    (void)state;
    struct stage stage;
    struct stopping stopping = {0};
    stage_play_each(&stage, 2, stopping_each, NULL, &stopping);
    assert_int_equal(stopping.received, 100);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_keep_their_order),
        cmocka_unit_test(a_full_channel_says_so_and_tells_when_it_has_room),
        cmocka_unit_test(what_a_turn_has_begun_is_taken_over_the_mark),
        cmocka_unit_test(nothing_is_lost_where_the_ring_is_full),
        cmocka_unit_test(sizes_from_nothing_to_much),
        cmocka_unit_test(a_stop_comes_behind_the_messages_before_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
