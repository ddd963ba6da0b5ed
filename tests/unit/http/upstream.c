#include "upstream.h"

#include <stdio.h>
#include <stdlib.h>

#define GOT_MAX (64u << 20)

/* --- the server's end ---------------------------------------------------------------------------
 */

struct ear { /* the owner of a line's stream */
    struct upstream *u;
    unsigned index;
};

static struct ear ears[UPSTREAM_LINES_MAX]; /* the same for every upstream: one at a time */

static struct line *line_of(const struct ear *ear) {
    return &ear->u->lines[ear->index];
}

static void answer_heads(struct upstream *u, struct line *line) {
    ptrdiff_t end;
    while (u->answers && line->stream &&
           (end = slice_find_slice(buf_slice(&line->got), slice_lit("\r\n\r\n"))) >= 0) {
        buf_consume(&line->got, (size_t)end + 4);
        assert_int_equal(io_stream_write(line->stream, slice_str(u->answers)), 0);
    }
}

static void or_close(struct upstream *u, struct io_stream *stream, int failed) {
    assert_true(!failed || u->short_of_memory);
    if (failed)
        io_stream_abort(stream);
}

static void on_bytes(void *owner, slice bytes) {
    struct ear *ear = owner;
    or_close(ear->u, line_of(ear)->stream, buf_append(&line_of(ear)->got, bytes));
    answer_heads(ear->u, line_of(ear));
}

static void on_end(void *owner) {
    struct line *line = line_of(owner);
    line->ended = true;
    io_stream_close(line->stream);
}

static void on_close(void *owner, int reason) {
    struct line *line = line_of(owner);
    line->closed = true;
    line->reason = reason;
    line->stream = NULL;
}

static void on_accept(void *owner, struct io_loop *loop, struct io_stream *stream) {
    static const struct io_stream_events events = {
        .on_bytes = on_bytes, .on_end = on_end, .on_close = on_close};
    struct upstream *u = owner;
    (void)loop;
    assert_true(u->line_count < UPSTREAM_LINES_MAX);
    ears[u->line_count] = (struct ear){u, u->line_count};
    struct line *line = &u->lines[u->line_count];
    line->stream = stream;
    line->got = buf_make(GOT_MAX);
    io_stream_set_events(stream, &events, &ears[u->line_count++]);
    if (u->lines_paused)
        io_stream_pause(stream);
}

void upstream_listens(struct upstream *u) {
    struct io_listen_options options = {
        .address = "0.0.0.0:80", .loop_count = 1, .on_accept = on_accept, .owner = u};
    struct error error;
    assert_int_equal(io_listen(io_group_loop(u->group[1], 0), &options, &u->listener, &error), 0);
}

void upstream_deaf(struct upstream *u) {
    u->listener = io_listener_close(u->listener);
}

struct line *upstream_line(struct upstream *u, unsigned index) {
    upstream_run(u, SIM_SECOND);
    assert_true(index < u->line_count);
    return &u->lines[index];
}

const char *line_text(struct line *line) {
    const char *text = buf_text(&line->got);
    assert_non_null(text);
    return text;
}

void line_forget(struct line *line) {
    buf_clear(&line->got);
}

void line_says_bytes(struct upstream *u, struct line *line, slice bytes) {
    assert_non_null(line->stream);
    or_close(u, line->stream, io_stream_write(line->stream, bytes));
    upstream_run(u, SIM_SECOND / 100);
}

void line_says(struct upstream *u, struct line *line, const char *text) {
    line_says_bytes(u, line, slice_str(text));
}

void line_ends(struct upstream *u, struct line *line) {
    assert_non_null(line->stream);
    io_stream_close(line->stream);
    upstream_run(u, SIM_SECOND / 100);
}

void line_resets(struct upstream *u, struct line *line) {
    assert_non_null(line->stream);
    sim_reset_streams(u->host[1]); /* all of them, and for sure */
    upstream_run(u, SIM_SECOND / 100);
}

/* --- the room -----------------------------------------------------------------------------------
 */

struct upstream *upstream_open(uint64_t seed, const struct http_pool_options *given) {
    struct upstream *u = calloc(1, sizeof *u);
    assert_non_null(u);
    u->sim = sim_create(seed, NULL);
    for (int i = 0; i < 2; i++) {
        u->host[i] = sim_host_create(u->sim, i == 0 ? "near" : "far");
        assert_int_equal(io_group_create(u->host[i], 1, &u->group[i]), 0);
        sim_group_start(u->group[i], NULL, NULL);
    }
    u->loop = io_group_loop(u->group[0], 0);
    upstream_listens(u);
    struct http_pool_options options = given ? *given : (struct http_pool_options){0};
    if (!options.address)
        options.address = "far:80";
    assert_int_equal(http_pool_create(u->loop, &options, &u->pool), 0);
    return u;
}

void upstream_run(struct upstream *u, uint64_t span_ns) {
    sim_run_for(u->sim, span_ns);
}

struct http_pool_stats upstream_stats(struct upstream *u) {
    return http_pool_stats(u->pool);
}

void upstream_close(struct upstream *u) {
    u->pool = http_pool_free(u->pool);
    upstream_run(u, SIM_SECOND);
    for (unsigned i = 0; i < u->line_count; i++) {
        if (u->lines[i].stream)
            io_stream_abort(u->lines[i].stream);
    }
    if (u->listener)
        upstream_deaf(u);
    upstream_run(u, SIM_SECOND);
    for (int i = 0; i < 2; i++)
        io_group_free(u->group[i]);
    assert_int_equal(sim_open_handles(u->sim), 0);
    sim_free(u->sim);
    for (unsigned i = 0; i < u->line_count; i++)
        buf_free(&u->lines[i].got);
    for (unsigned i = 0; i < u->asked_count; i++)
        free(u->asked[i].heard.ptr);
    free(u);
}

/* --- calls --------------------------------------------------------------------------------------
 */

/* Appends, and a closing NUL; not from base/mem.h, whose failures are the client's to meet. */
static void note(struct asked *a, slice text) {
    struct buf *b = &a->heard;
    if (b->cap < b->len + text.len + 1) {
        b->cap = 2 * (b->len + text.len + 1);
        b->ptr = realloc(b->ptr, b->cap);
        assert_non_null(b->ptr);
    }
    memcpy(b->ptr + b->len, text.ptr, text.len);
    b->len += text.len;
    b->ptr[b->len] = '\0';
}

static void note_word(struct asked *a, const char *format, ...) printf_like(2, 3);
static void note_word(struct asked *a, const char *format, ...) {
    char text[1000];
    va_list arguments;
    va_start(arguments, format);
    int len = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    assert_in_range(len, 0, sizeof text - 1);
    note(a, slice_make(text, (size_t)len));
}

/* Before an event is written down; parts of one body are joined. */
static void hear(struct asked *a, char event) {
    assert_non_null(a->call);
    assert_false(a->u->in_call);
    if (a->heard.len > 0 && !(a->in_body && event == 'b'))
        note(a, slice_lit(", "));
    a->in_body = event == 'b';
    if (event == 'e' || event == 'f') {
        a->call = NULL;
        a->ended_ns = sim_now_ns(a->u->sim);
    }
}

static void act(struct asked *a, char event) {
    if (a->act)
        a->act(a, event);
}

static void hear_interim(void *self, const struct http1_head *head) {
    hear(self, 'i');
    note_word(self, "interim %u", head->status);
    act(self, 'i');
}

static void hear_head(void *self, const struct http1_head *head) {
    struct asked *a = self;
    hear(a, 'h');
    note_word(a, "head %u", head->status);
    a->fields = head->fields_count;
    if (a->paused_at_head)
        asked_pause(a);
    act(a, 'h');
}

static void hear_body(void *self, slice bytes) {
    struct asked *a = self;
    bool first = !a->in_body;
    hear(a, 'b');
    note(a, first ? slice_lit("body ") : slice_lit(""));
    note(a, bytes);
    a->bodies++;
    if (a->pauses_each)
        asked_pause(a);
    act(a, 'b');
}

static void hear_end(void *self, slice trailers) {
    struct http1_field field;
    struct asked *a = self;
    hear(a, 'e');
    note_word(a, "end");
    while (http1_next_field(&trailers, &field))
        note_word(a, " %.*s=%.*s", slice_fmt(field.name), slice_fmt(field.value));
    act(a, 'e');
}

static void hear_failure(void *self, enum http_failed failed, bool answered, int code,
                         const char *why) {
    static const char *const names[] = {
        [HTTP_FAILED_CONNECT] = "connect", [HTTP_FAILED_BUSY] = "busy",
        [HTTP_FAILED_CLOSED] = "closed",   [HTTP_FAILED_ANSWER] = "answer",
        [HTTP_FAILED_TIME] = "time",
    };
    struct asked *a = self;
    assert_true(code < 0);
    assert_true(why && why[0]);
    a->failed = failed;
    a->code = code;
    hear(a, 'f');
    note_word(a, "failed %s%s", names[failed], answered ? " answered" : "");
    act(a, 'f');
}

static void hear_room(void *self) {
    struct asked *a = self;
    assert_non_null(a->call);
    assert_false(a->u->in_call);
    a->rooms++;
    act(a, 'r');
}

static const struct http_call_events events = {
    hear_interim, hear_head, hear_body, hear_end, hear_failure, hear_room,
};

struct asked *ask(struct upstream *u, struct http_call_options options) {
    assert_true(u->asked_count < UPSTREAM_ASKED_MAX);
    struct asked *a = &u->asked[u->asked_count++];
    a->u = u;
    if (!options.method.ptr)
        options.method = slice_lit("GET");
    if (!options.target.ptr)
        options.target = slice_lit("/x");
    if (!options.host.ptr)
        options.host = slice_lit("far");
    bool was = u->in_call;
    u->in_call = true;
    a->begun = http_call_begin(u->pool, &options, &events, a, &a->call);
    u->in_call = was;
    assert_int_equal(a->begun != 0, a->call == NULL);
    return a;
}

struct asked *ask_get(struct upstream *u, const char *target) {
    return ask(u, (struct http_call_options){.target = slice_str(target)});
}

struct asked *ask_post(struct upstream *u, uint64_t length) {
    return ask(u, (struct http_call_options){
                      .method = slice_lit("POST"), .has_body = true, .body_length = length});
}

int asked_write(struct asked *a, const char *text) {
    bool was = a->u->in_call;
    a->u->in_call = true;
    int failed = http_call_write(a->call, slice_str(text));
    a->u->in_call = was;
    return failed;
}

void asked_end(struct asked *a) {
    bool was = a->u->in_call;
    a->u->in_call = true;
    http_call_end(a->call, NULL, 0);
    a->u->in_call = was;
}

void asked_pause(struct asked *a) {
    http_call_pause(a->call);
}

void asked_resume(struct asked *a) {
    bool was = a->u->in_call;
    a->u->in_call = true;
    http_call_resume(a->call);
    a->u->in_call = was;
}

void asked_cancel(struct asked *a) {
    bool was = a->u->in_call;
    a->u->in_call = true;
    http_call_cancel(a->call);
    a->u->in_call = was;
    a->call = NULL;
}

const char *asked_heard(struct asked *a) {
    return a->heard.ptr ? a->heard.ptr : "";
}

void assert_heard(struct asked *a, const char *text) {
    upstream_run(a->u, SIM_SECOND);
    assert_string_equal(asked_heard(a), text);
}

void exchange(struct upstream *u, unsigned index) {
    struct asked *a = ask_get(u, "/x");
    struct line *line = upstream_line(u, index);
    assert_string_equal(line_text(line), "GET /x HTTP/1.1\r\nHost: far\r\n\r\n");
    line_forget(line);
    line_says(u, line, OK_HI);
    assert_heard(a, HEARD_HI);
}
