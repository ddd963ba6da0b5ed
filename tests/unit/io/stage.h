/*
 * stage.h - a group of loops for one test case, and raw sockets to play the stranger with.
 *
 *     struct stage stage;
 *     stage_play(&stage, 2, begin, state);    begin(&stage) runs on loop 0; the call returns when
 *                                             somebody has called stage_end
 *
 * A case that has not ended after STAGE_PATIENCE_MS is a failure, never a hang. What a case still
 * has open at the end fails in io_group_free, so every case also shows that nothing is left.
 */
#ifndef NONET_TESTS_IO_STAGE_H
#define NONET_TESTS_IO_STAGE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/net.h"

#define STAGE_PATIENCE_MS 60000
#define STAGE_MS 1000000u /* nanoseconds */

struct stage {
    struct io_host *host;
    struct io_group *group;
    struct io_loop *loop; /* number 0 */
    void *state;
    void (*begin)(struct stage *stage);
    void (*begin_each)(struct stage *stage, struct io_loop *loop);
    struct io_timer patience;
    struct io_timer again;
    void (*then)(struct stage *stage);
    bool (*until)(struct stage *stage);
};

void stage_play(struct stage *stage, unsigned loops, void (*begin)(struct stage *stage),
                void *state);
/* The same with a beginning on every loop, which is called before BEGIN. */
void stage_play_each(struct stage *stage, unsigned loops,
                     void (*each)(struct stage *stage, struct io_loop *loop),
                     void (*begin)(struct stage *stage), void *state);
void stage_end(struct stage *stage);
/* On loop 0: looks each millisecond whether UNTIL holds and then calls THEN. One at a time. */
void stage_when(struct stage *stage, bool (*until)(struct stage *stage),
                void (*then)(struct stage *stage));

/* A listener on loop 0 with a free port, accepting for LOOPS loops. */
struct io_listener *stage_listen(struct stage *stage, unsigned loops,
                                 void (*on_accept)(void *owner, struct io_loop *loop,
                                                   struct io_stream *stream));

/* Blocking sockets. */
int stage_raw_connect(const char *address);
void stage_raw_send(int fd, const void *bytes, size_t size);
/* Up to SIZE bytes, fewer only at the end of the stream. */
size_t stage_raw_receive(int fd, void *out, size_t size);

#endif
