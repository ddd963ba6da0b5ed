/*
 * upstream.h - a pool on one simulated machine, and on another a server that says what the test
 * makes it say.
 *
 *     struct upstream *u = upstream_open(seed, NULL);
 *     struct asked *a = ask_get(u, "/x");
 *     struct line *line = upstream_line(u, 0);              the server's end of a connection
 *     assert_string_equal(line_text(line), "GET /x HTTP/1.1\r\nHost: far\r\n\r\n");
 *     line_says(line, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
 *     assert_heard(a, "head 200, body hi, end");
 *     upstream_close(u);
 *
 * What a call hears is written down as words, parts of a body joined: "interim 103, head 200, body
 * hi, end", or "failed closed answered". The clock is virtual, so waiting costs nothing.
 */
#ifndef NONET_TESTS_HTTP_UPSTREAM_H
#define NONET_TESTS_HTTP_UPSTREAM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "http/client.h"
#include "sim.h"

#define UPSTREAM_LINES_MAX 300
#define UPSTREAM_ASKED_MAX 2000
#define OK_HI "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
#define HEARD_HI "head 200, body hi, end"

struct line {
    struct io_stream *stream; /* NULL once it is gone */
    struct buf got;
    bool ended, closed;
    int reason;
};

struct upstream;
struct asked {
    struct upstream *u;
    struct http_call *call; /* NULL: gone, or never begun */
    int begun;              /* what http_call_begin said */
    struct buf heard;
    bool in_body, paused_at_head, pauses_each;
    unsigned bodies, rooms;
    size_t fields; /* of the head */
    enum http_failed failed;
    int code;
    uint64_t ended_ns;
    /* Called at the end of each event with its first letter ('i', 'h', 'b', 'e', 'f', 'r'); NULL:
       nothing. */
    void (*act)(struct asked *a, char event);
};

struct upstream {
    struct sim *sim;
    struct io_host *host[2];
    struct io_group *group[2];
    struct io_loop *loop; /* the client's */
    struct io_listener *listener;
    struct http_pool *pool;
    struct line lines[UPSTREAM_LINES_MAX];
    unsigned line_count;
    struct asked asked[UPSTREAM_ASKED_MAX];
    unsigned asked_count;
    const char *answers;  /* said to each request head at once; NULL: nothing */
    bool lines_paused;    /* new ones are not read from */
    bool short_of_memory; /* the server's side, too: it then closes */
    bool in_call;         /* a function of a call runs: no event may come */
};

/* OPTIONS give bounds; the rest is the kit's. May be NULL. */
struct upstream *upstream_open(uint64_t seed, const struct http_pool_options *options);
/* Frees the pool where it is not retired, and checks that nothing is left. */
void upstream_close(struct upstream *u);
void upstream_run(struct upstream *u, uint64_t span_ns);
/* The server stops listening, and listens again. */
void upstream_deaf(struct upstream *u);
void upstream_listens(struct upstream *u);
struct http_pool_stats upstream_stats(struct upstream *u);

/* The INDEX-th connection that the server has accepted; waits for it, and for what it says. */
struct line *upstream_line(struct upstream *u, unsigned index);
const char *line_text(struct line *line); /* all that came */
void line_forget(struct line *line);      /* what came so far */
void line_says(struct upstream *u, struct line *line, const char *text);
void line_says_bytes(struct upstream *u, struct line *line, slice bytes);
void line_ends(struct upstream *u, struct line *line); /* its own side */
void line_resets(struct upstream *u, struct line *line);

/* A call; a->begun says whether there is one. OPTIONS without a host are given one. */
struct asked *ask(struct upstream *u, struct http_call_options options);
struct asked *ask_get(struct upstream *u, const char *target);
struct asked *ask_post(struct upstream *u, uint64_t length); /* to /x; HTTP_CALL_CHUNKED */
int asked_write(struct asked *a, const char *text);
void asked_end(struct asked *a);
void asked_pause(struct asked *a);
void asked_resume(struct asked *a);
void asked_cancel(struct asked *a);
const char *asked_heard(struct asked *a);

/* A second passes, then A has heard exactly TEXT. */
void assert_heard(struct asked *a, const char *text);
/* A whole exchange over the INDEX-th connection: GET, OK_HI. */
void exchange(struct upstream *u, unsigned index);

#endif
