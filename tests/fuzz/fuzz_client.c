/*
 * fuzz_client.c - the HTTP client as a whole, on the simulated machine, fed by a server that says
 * anything. The first line of the input is a script, what follows it is what the server has to say:
 *
 *     g h d p l i u    a call begins: GET, HEAD, DELETE, POST (chunked), POST of 5 bytes, an
 *                      idempotent PUT (chunked), GET with an upgrade
 *     w e              the newest call writes 3 bytes, ends its body
 *     z r c            it is paused, resumed, cancelled
 *     0 to 9, a        the server says 1, 2, 4 ... 512 bytes, or all that is left
 *     . ,              10 ms, 7 s pass
 *     f x              the server ends its newest connection, resets all of them
 *     q                the pool is retired, and a new one made
 *
 * Properties: a call hears interim answers, a head, a body, and one end, in this order, the body
 * only when it is not paused, and nothing from inside of what it calls; the pool's figures are
 * right; at the end nothing is left. And however the bytes of an answer are cut, the call hears the
 * same.
 */
#include "base/mem.h"
#include "http/client.h"
#include "sim.h"

#include <stdlib.h>

#define STEPS_MAX 64u
#define CALLS_MAX STEPS_MAX
#define LINES_MAX (4 * STEPS_MAX)
#define HEARD_MAX (64u << 10)
#define CONNECTIONS_MAX 3u
#define IDLE_MAX 2u
#define WAITING_MAX 4u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum told { TOLD_NOTHING, TOLD_INTERIM, TOLD_HEAD, TOLD_BODY, TOLD_END };

struct line { /* the server's end of a connection */
    struct room *room;
    struct io_stream *stream;
};

struct caller {
    struct room *room;
    struct http_call *call; /* NULL: gone */
    struct http_pool *pool; /* may be retired, and gone with its calls */
    enum told told;
    bool paused, has_body, ended;
    uint64_t left;
};

struct room {
    struct sim *sim;
    struct io_host *host[2];
    struct io_group *group[2];
    struct io_listener *listener;
    struct http_pool *pool;
    struct line lines[LINES_MAX];
    unsigned line_count;
    struct caller callers[CALLS_MAX];
    unsigned caller_count;
    bool calling; /* inside of a function of the client */
    struct buf heard;
    slice words; /* not yet said */
};

/* --- the server ---------------------------------------------------------------------------------
 */

static void line_bytes(void *owner, slice bytes) {
    (void)owner;
    (void)bytes;
}

static void line_end(void *owner) {
    io_stream_close(((struct line *)owner)->stream);
}

static void line_close(void *owner, int reason) {
    (void)reason;
    ((struct line *)owner)->stream = NULL;
}

static void on_accept(void *owner, struct io_loop *loop, struct io_stream *stream) {
    static const struct io_stream_events events = {
        .on_bytes = line_bytes, .on_end = line_end, .on_close = line_close};
    struct room *room = owner;
    (void)loop;
    check(room->line_count < LINES_MAX);
    struct line *line = &room->lines[room->line_count++];
    *line = (struct line){room, stream};
    io_stream_set_events(stream, &events, line);
}

static struct line *newest_line(struct room *room) {
    for (unsigned i = room->line_count; i-- > 0;)
        if (room->lines[i].stream)
            return &room->lines[i];
    return NULL;
}

static void say(struct room *room, size_t count) {
    struct line *line = newest_line(room);
    slice words = slice_take(room->words, count);
    if (!line || words.len == 0)
        return;
    room->words = slice_skip(room->words, count);
    int failed = io_stream_write(line->stream, words);
    check(failed == 0 || failed == -32); /* -EPIPE: it is being closed */
}

/* --- what a call hears --------------------------------------------------------------------------
 */

static void hear(struct caller *c, enum told told, slice text) {
    struct room *room = c->room;
    check(c->call && !room->calling);
    check(told >= c->told && c->told < TOLD_END);
    check(c->told != TOLD_HEAD || told != TOLD_HEAD); /* one head only */
    check(told != TOLD_BODY || (c->told >= TOLD_HEAD && !c->paused));
    bool joined = told == TOLD_BODY && c->told == TOLD_BODY;
    c->told = told;
    if (room->heard.len < HEARD_MAX - 64 - text.len) {
        check(joined || buf_append_byte(&room->heard, (char)('0' + told)) == 0);
        check(buf_append(&room->heard, text) == 0);
    }
}

static void on_interim(void *self, const struct http1_head *head) {
    check(head->status < 200 && head->status != 101);
    hear(self, TOLD_INTERIM, head->reason);
}

static void on_head(void *self, const struct http1_head *head) {
    check(head->status >= 200 || head->status == 101);
    hear(self, TOLD_HEAD, head->reason);
}

static void on_body(void *self, slice bytes) {
    check(bytes.len > 0);
    hear(self, TOLD_BODY, bytes);
}

static void on_end(void *self, slice trailers) {
    struct caller *c = self;
    check(c->told >= TOLD_HEAD && !c->paused);
    hear(c, TOLD_END, trailers);
    c->call = NULL;
}

static void on_fail(void *self, enum http_failed failed, bool answered, int code, const char *why) {
    struct caller *c = self;
    check(answered == (c->told >= TOLD_HEAD) && code < 0 && why && why[0]);
    char kind[2] = {'f', (char)('0' + failed)};
    hear(c, TOLD_END, slice_make(kind, sizeof kind));
    c->call = NULL;
}

static void on_room(void *self) {
    struct caller *c = self;
    check(c->call && !c->room->calling && c->has_body);
}

static const struct http_call_events events = {on_interim, on_head, on_body,
                                               on_end,     on_fail, on_room};

/* --- the room -----------------------------------------------------------------------------------
 */

static void make_pool(struct room *room) {
    struct http_pool_options options = {
        .address = "far:80",
        .connections_max = CONNECTIONS_MAX,
        .idle_max = IDLE_MAX,
        .waiting_max = WAITING_MAX,
        .answer_ns = 20 * SIM_SECOND,
        .silence_ns = 10 * SIM_SECOND,
    };
    check(http_pool_create(io_group_loop(room->group[0], 0), &options, &room->pool) == 0);
}

static struct room *room_open(uint64_t seed, slice words) {
    struct room *room = calloc(1, sizeof *room);
    check(room != NULL);
    room->sim = sim_create(seed, NULL);
    room->words = words;
    room->heard = buf_make(2 * HEARD_MAX);
    for (int i = 0; i < 2; i++) {
        room->host[i] = sim_host_create(room->sim, i == 0 ? "near" : "far");
        check(io_group_create(room->host[i], 1, &room->group[i]) == 0);
        sim_group_start(room->group[i], NULL, NULL);
    }
    struct io_listen_options options = {
        .address = "0.0.0.0:80", .loop_count = 1, .on_accept = on_accept, .owner = room};
    struct io_loop *far = io_group_loop(room->group[1], 0);
    check(io_listen(far, &options, &room->listener, NULL) == 0);
    make_pool(room);
    return room;
}

static void room_close(struct room *room) {
    for (unsigned i = 0; i < room->caller_count; i++) {
        struct caller *c = &room->callers[i];
        if (c->call && c->pool != room->pool)
            http_call_cancel(c->call);
        c->call = NULL; /* the others end with their pool, without events */
    }
    http_pool_free(room->pool);
    for (unsigned i = 0; i < room->line_count; i++)
        if (room->lines[i].stream)
            io_stream_abort(room->lines[i].stream);
    io_listener_close(room->listener);
    sim_run_for(room->sim, SIM_SECOND);
    for (int i = 0; i < 2; i++)
        io_group_free(room->group[i]);
    check(sim_open_handles(room->sim) == 0);
    sim_free(room->sim);
    buf_free(&room->heard);
    free(room);
}

static void check_figures(const struct room *room) {
    struct http_pool_stats stats = http_pool_stats(room->pool);
    check(stats.connections <= CONNECTIONS_MAX && stats.idle <= IDLE_MAX);
    check(stats.idle <= stats.connections && stats.waiting <= WAITING_MAX);
    check(stats.calls <= CONNECTIONS_MAX + WAITING_MAX && stats.waiting <= stats.calls);
    check(stats.calls - stats.waiting <= stats.connections - stats.idle);
}

/* --- steps --------------------------------------------------------------------------------------
 */

static void begin(struct room *room, char kind) {
    static const char kinds[] = "ghdpliu";
    static const slice methods[] = {slice_lit("GET"),  slice_lit("HEAD"), slice_lit("DELETE"),
                                    slice_lit("POST"), slice_lit("POST"), slice_lit("PUT"),
                                    slice_lit("GET")};
    struct caller *c = &room->callers[room->caller_count];
    if (room->caller_count == CALLS_MAX)
        return;
    struct http_call_options options = {
        .method = methods[strchr(kinds, kind) - kinds],
        .target = slice_lit("/"),
        .host = slice_lit("far"),
        .has_body = kind == 'p' || kind == 'l' || kind == 'i',
        .body_length = kind == 'l' ? 5 : HTTP_CALL_CHUNKED,
        .idempotent = kind == 'i',
        .upgrade = kind == 'u' ? slice_lit("x") : (slice){0},
    };
    *c = (struct caller){.room = room,
                         .pool = room->pool,
                         .has_body = options.has_body,
                         .left = options.body_length};
    if (http_call_begin(room->pool, &options, &events, c, &c->call) == 0)
        room->caller_count++;
}

static void write_body(struct caller *c) {
    if (!c->has_body || c->ended)
        return;
    int failed = http_call_write(c->call, slice_lit("abc"));
    check((failed == -7) == (c->left < 3)); /* -E2BIG */
    if (failed == 0 && c->left != HTTP_CALL_CHUNKED)
        c->left -= 3;
}

static void end_body(struct caller *c) {
    static const struct http1_field trailer = {slice_lit("A"), slice_lit("b")};
    if (!c->has_body || c->ended || (c->left != HTTP_CALL_CHUNKED && c->left != 0))
        return;
    c->ended = true;
    http_call_end(c->call, &trailer, c->left == HTTP_CALL_CHUNKED);
}

static void act(struct caller *c, char step) {
    switch (step) {
    case 'w':
        write_body(c);
        break;
    case 'e':
        end_body(c);
        break;
    case 'z':
        c->paused = true;
        http_call_pause(c->call);
        break;
    case 'r':
        c->paused = false;
        http_call_resume(c->call);
        break;
    case 'c':
        http_call_cancel(c->call);
        c->call = NULL;
        break;
    default:
        break;
    }
}

static void take_step(struct room *room, char step) {
    struct line *line = newest_line(room);
    unsigned newest = room->caller_count;
    while (newest > 0 && !room->callers[newest - 1].call)
        newest--;
    room->calling = true;
    if (step && strchr("ghdpliu", step))
        begin(room, step);
    else if (newest > 0)
        act(&room->callers[newest - 1], step);
    if (step == 'q') {
        http_pool_retire(room->pool);
        make_pool(room);
    }
    room->calling = false;
    if (step >= '0' && step <= '9')
        say(room, (size_t)1 << (step - '0'));
    else if (step == 'a')
        say(room, room->words.len);
    else if (step == 'f' && line)
        io_stream_close(line->stream);
    else if (step == 'x')
        sim_reset_streams(room->host[1]);
    if (step == '.' || step == ',')
        sim_run_for(room->sim, step == '.' ? 10 * SIM_MILLISECOND : 7 * SIM_SECOND);
    check_figures(room);
}

static void play_script(slice script, slice words) {
    struct room *room = room_open(script.len + words.len, words);
    for (size_t i = 0; i < script.len && i < STEPS_MAX; i++)
        take_step(room, script.ptr[i]);
    for (unsigned i = 0; i < room->caller_count; i++) {
        if (room->callers[i].call && room->callers[i].paused) {
            room->callers[i].paused = false;
            http_call_resume(room->callers[i].call);
        }
    }
    sim_run_for(room->sim, 5 * SIM_SECOND);
    check_figures(room);
    room_close(room);
}

/* --- cuts ---------------------------------------------------------------------------------------
 */

/* One call, and WORDS as its answer, STEP bytes at a time; what is heard goes to RET_HEARD. */
static void play_answer(char kind, slice words, size_t step, struct buf *ret_heard) {
    struct room *room = room_open(10, words); /* a network that cuts nothing itself */
    begin(room, kind);
    sim_run_for(room->sim, SIM_SECOND / 10);
    while (room->words.len > 0 && newest_line(room)) {
        say(room, step);
        sim_run_for(room->sim, SIM_MILLISECOND);
    }
    if (newest_line(room))
        io_stream_close(newest_line(room)->stream);
    sim_run_for(room->sim, SIM_SECOND);
    *ret_heard = room->heard;
    room->heard = buf_make(0);
    room_close(room);
}

static void check_cuts(slice script, slice words) {
    struct buf whole, cut;
    char kind = script.len > 0 && script.ptr[0] == 'h' ? 'h' : 'g';
    size_t step = 1 + script.len % 23;
    if (words.len > 200 * step)
        return; /* too slow for what it tells */
    play_answer(kind, words, words.len + 1, &whole);
    play_answer(kind, words, step, &cut);
    check(slice_equal(buf_slice(&whole), buf_slice(&cut)));
    buf_free(&whole);
    buf_free(&cut);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    slice words, script = slice_cut(slice_make(data, size), '\n', &words);
    if (words.len > HEARD_MAX / 2)
        return 0;
    play_script(script, words);
    check_cuts(script, words);
    return 0;
}
