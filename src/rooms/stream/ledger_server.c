/*
 * ledger_server.c - the ledger's end on the stream shard (ledger.h, ledger_call.h).
 *
 *   commit   copied -> queue --end of the turn--> stream_append_all -> on disk -> answered
 *                        '-- the log is over its mark: again a little later, COMMIT_PATIENCE_NS
 *
 *   read     looks for records -> a piece is full, or nothing else is there -> answered
 *               |  '-- at the end: waits until there is more, or LEDGER_WAIT_NS are over
 *               '-- a block has to come from disk, or LOOKS_MAX were looked at: goes on later
 *
 *   trim     the highest sequence so far -> end of the turn -> out of stream SQL
 *
 * A commit is never appended from inside a receiver, who may have been handed a record of the log.
 * What has been handed to the log or to a wait outlives the server: it is let go when it ends.
 */
#include "rooms/stream/ledger_call.h"

#include "base/mem.h"
#include "bus/diversion.h"
#include "bus/stream_wait.h"

#include <errno.h>

#define LOOKS_MAX 4096u     /* records looked at in one turn */
#define TURNS_MAX 256u      /* then what there is is told, so that a reader comes forward */
#define READINGS_MAX 16384u /* under way; more are asked to come again */
#define FILTERS_MAX 256u    /* subjects of one reader */
#define SHOWN_COST 8u       /* looks that one record costs which a judge shows */
#define SHOW_AGAIN_NS 1000000u
#define RETRY_NS 20000000u /* no memory for a load, no room in the log, the log is not open */
#define COMMIT_PATIENCE_NS (30 * UINT64_C(1000000000))
#define COMMITS_MAX 1024u /* waiting; a ledger sends one at a time */

struct ledger_server {
    struct room_shard *shard;
    struct bus_subscription *subscriptions[5];
    struct list readings, commits; /* commits: not yet in the log */
    unsigned reading_count, commit_count;
    struct io_task append, trim;
    struct io_timer again, trim_again;
    uint64_t trim_below; /* 0: nothing is to be let go */
    struct own {
        struct ledger_server *server;
        bool creating;
        struct streams_error refusal; /* why it was not made; told to the next commit */
    } own[2];                         /* streams: own_streams */
    bool closed;                      /* the owner has let go */
    unsigned holds;                   /* by the log and by waits */
};

struct reading {
    struct list_node node;
    struct ledger_server *server; /* NULL: nobody waits for its answer */
    slice reply, stream, subject; /* in `text` */
    struct log_filter filter;
    slice *subjects; /* of the filter */
    uint64_t from, at;
    bool wait, shown, newest, loading, waiting;
    unsigned count, turns;
    void *held;         /* by the judge who shows records */
    struct buf line;    /* one as he shows it */
    int64_t created_ns; /* of the stream it began with; 0: not yet */
    struct log_load load;
    struct io_timer again;
    struct ledger_piece *piece;
    char text[];
};

struct committing {
    struct list_node node;
    struct ledger_server *server;
    uint64_t until_ns, sequence; /* of its first message, once it is in the log */
    slice reply, body;
    char text[];
};

static void step(struct reading *r);

/* --- answers -------------------------------------------------------------------------------- */

static void answer(struct ledger_server *server, slice reply, struct ledger_answer head,
                   slice text) {
    char room[sizeof head + 512]; /* a name, or words */
    struct buf out = {.ptr = room, .cap = sizeof room, .max = sizeof room};
    head.text_len = (uint32_t)text.len;
    if (buf_append(&out, slice_make(&head, sizeof head)) || buf_append(&out, text))
        return; /* as if lost: the asker's deadline tells */
    struct bus_message message = {.subject = reply, .payload = buf_slice(&out)};
    bus_publish(server->shard->bus, &message, NULL, NULL);
}

static void refuse(struct ledger_server *server, slice reply, int failed, const char *words) {
    answer(server, reply, (struct ledger_answer){.failed = failed}, slice_str(words));
}

static struct ledger_server *let_go(struct ledger_server *server) {
    if (server->closed && server->holds == 0)
        return mem_free(server);
    return server;
}

/* --- streams -------------------------------------------------------------------------------- */

/* The stream NAME, or the one that captures all of SUBJECT; else one that captures some of it. */
static struct stream *find_stream(struct streams *streams, slice name, slice subject) {
    if (name.len)
        return stream_find(streams, name);
    struct stream *some = NULL;
    for (struct stream *s = stream_next(streams, (slice){0}); s;
         s = stream_next(streams, stream_config(s)->name)) {
        const struct stream_config *c = stream_config(s);
        for (unsigned i = 0; i < c->subject_count; i++) {
            if (nats_subject_is_subset(subject, c->subjects[i]))
                return s;
            if (!some && nats_subject_overlap(subject, c->subjects[i]))
                some = s;
        }
    }
    return some;
}

static struct ledger_answer about(struct stream *s) {
    struct log_stream_state state = log_stream_state(stream_log(s));
    return (struct ledger_answer){.first = state.first_sequence,
                                  .end = state.last_sequence,
                                  .created_ns = stream_created_ns(s)};
}

/* --- reading -------------------------------------------------------------------------------- */

static void reading_free(struct reading *r) {
    struct log *log = streams_log(r->server->shard->streams);
    if (r->loading && log)
        log_load_cancel(log, &r->load);
    io_timer_stop(r->server->shard->loop, &r->again);
    list_remove(&r->node);
    r->server->reading_count--;
    streams_show_row_end(r->server->shard->streams, r->held);
    buf_free(&r->line);
    r->piece = ledger_piece_let_go(r->piece);
    r->subjects = mem_free(r->subjects);
    r->server = NULL;
    r->loading = false;
    if (!r->waiting) /* else when its wait ends */
        mem_free(r);
}

static void read_failed(struct reading *r, int failed, const char *words) {
    refuse(r->server, r->reply, failed, words);
    reading_free(r);
}

static void read_done(struct reading *r, struct stream *s, bool at_end) {
    struct ledger_answer head = about(s);
    head.count = r->count;
    head.last = r->at - 1;
    head.at_end = at_end;
    if (at_end && head.end > head.last)
        head.last = head.end;
    r->piece = ledger_piece_let_go(r->piece); /* before the asker hears, who may ask at once */
    answer(r->server, r->reply, head, stream_config(s)->name);
    reading_free(r);
}

static void on_loaded(struct log_load *load, int failed) {
    struct reading *r = container_of(load, struct reading, load);
    (void)failed; /* the record says so itself when it is read again */
    r->loading = false;
    step(r);
}

static void on_again(struct io_timer *timer) {
    step(container_of(timer, struct reading, again));
}

static void step_later(struct reading *r, uint64_t delay_ns) {
    io_timer_start(r->server->shard->loop, &r->again, delay_ns, on_again);
}

static void on_waited(void *self, int failed) {
    struct reading *r = self;
    r->waiting = false;
    if (!r->server) {
        mem_free(r);
        return;
    }
    if (failed == -ECANCELED) {
        read_failed(r, failed, "the node stops");
        return;
    }
    r->wait = failed == 0; /* else the time is over, or the stream has gone: that is told */
    step(r);
}

/* Nothing more is there. */
static void at_end(struct reading *r, struct stream *s) {
    uint64_t next = log_stream_state(stream_log(s)).last_sequence + 1;
    if (r->count || !r->wait || next > r->from) {
        read_done(r, s, true);
        return;
    }
    r->waiting = stream_wait(s, next, LEDGER_WAIT_NS, on_waited, r) == 0;
    if (!r->waiting)
        step_later(r, RETRY_NS);
}

/* RECORD behind what there is. */
static int pack(struct reading *r, const struct log_record *record) {
    struct ledger_item item = {record->sequence,
                               record->position,
                               record->time_ns,
                               (uint32_t)record->subject.len,
                               (uint32_t)record->headers.len,
                               (uint32_t)record->payload.len};
    struct buf *out = &r->piece->bytes;
    size_t size = sizeof item + record->subject.len + record->headers.len + record->payload.len;
    if (buf_reserve(out, size))
        return -ENOMEM;
    char *at = out->ptr + out->len;
    (void)slice_store(&at, slice_make(&item, sizeof item));
    (void)slice_store(&at, record->subject);
    (void)slice_store(&at, record->headers);
    (void)slice_store(&at, record->payload);
    out->len += size;
    r->count++;
    return 0;
}

/* RECORD as the judge of S shows it, unless it is gone: then nothing. As stream_show_row, but
 * for 1. */
static int pack_shown(struct reading *r, struct stream *s, const struct log_record *record) {
    buf_clear(&r->line);
    int result = stream_show_row(s, record, &r->held, &r->line);
    if (result)
        return result == 1 ? 0 : result;
    struct log_record shown = *record;
    shown.headers = (slice){0};
    shown.payload = buf_slice(&r->line);
    return pack(r, &shown);
}

/* 0: go on next turn; 1: a piece is full; -EBUSY: a little later; else as log_seek_any, with
 *RET_RECORD's sequence. */
static int look(struct reading *r, struct stream *s, struct log *log,
                struct log_record *ret_record) {
    for (unsigned i = 0; i < LOOKS_MAX; i++) {
        int result = log_seek_any(log, stream_log(s), &r->filter, r->at, ret_record);
        if (result == -EAGAIN) { /* about a thousand have been looked at */
            r->at = ret_record->sequence;
            i += 1000;
            continue;
        }
        if (result)
            return result;
        result = r->shown ? pack_shown(r, s, ret_record) : pack(r, ret_record);
        if (result)
            return result == -EAGAIN ? -EBUSY : result == -EBADMSG ? result : -ENOMEM;
        i += r->shown ? SHOWN_COST : 0;
        r->at = ret_record->sequence + 1;
        if (r->piece->bytes.len >= LEDGER_PIECE_BYTES)
            return 1;
    }
    return 0;
}

static void load(struct reading *r, struct stream *s, struct log *log, uint64_t sequence) {
    r->at = sequence;
    r->loading = log_load(log, stream_log(s), sequence, &r->load) == 0;
    if (!r->loading)
        step_later(r, RETRY_NS);
}

/* Is S the stream that it began with? */
static bool is_same(struct reading *r, struct stream *s) {
    if (!r->created_ns)
        r->created_ns = stream_created_ns(s);
    return r->created_ns == stream_created_ns(s);
}

static void begin_newest(struct reading *r, struct stream *s) {
    struct log_subject_state state;
    uint64_t at = log_subject(stream_log(s), r->subject, &state)
                      ? state.last_sequence
                      : log_stream_state(stream_log(s)).last_sequence + 1;
    if (at > r->from)
        r->from = r->at = at;
    r->newest = false;
}

static void step(struct reading *r) {
    struct streams *streams = r->server->shard->streams;
    struct log *log = streams_log(streams);
    struct stream *s = log ? find_stream(streams, r->stream, r->subject) : NULL;
    if (!s) {
        read_failed(r, log ? -ENOENT : -EAGAIN, log ? "there is no such stream" : "");
        return;
    }
    if (!is_same(r, s)) {
        read_failed(r, -EAGAIN, "");
        return;
    }
    if (r->newest)
        begin_newest(r, s);
    struct log_record record = {0};
    int result = look(r, s, log, &record);
    if (result == 1 || (result == 0 && ++r->turns == TURNS_MAX))
        read_done(r, s, false);
    else if (result == 0 || result == -EBUSY)
        step_later(r, result ? SHOW_AGAIN_NS : 0);
    else if (result == -ENOENT)
        at_end(r, s);
    else if (result == -EINPROGRESS)
        load(r, s, log, record.sequence);
    else if (result == -EBADMSG)
        read_failed(r, result, "a message is damaged on disk: `nonet log verify` tells which");
    else
        read_failed(r, -EAGAIN, ""); /* no memory: the reader asks again */
}

/* STREAM and SUBJECT of an ask, in the message. */
static struct ledger_ask take_ask(const struct bus_message *message, slice *ret_stream,
                                  slice *ret_subject) {
    struct ledger_ask ask;
    slice rest = message->payload;
    memcpy(&ask, ledger_take(&rest, sizeof ask).ptr, sizeof ask);
    *ret_stream = ledger_take(&rest, ask.stream_len);
    *ret_subject = ledger_take(&rest, ask.subject_len);
    return ask;
}

/* The subjects of R, cut at their blanks, as its filter. */
static int make_filter(struct reading *r) {
    slice rest = r->subject;
    unsigned count = 0;
    if (!rest.len)
        return 0;
    r->subjects = mem_zalloc(FILTERS_MAX, sizeof *r->subjects);
    if (!r->subjects)
        return -ENOMEM;
    while (rest.len && count < FILTERS_MAX)
        r->subjects[count++] = slice_cut(rest, ' ', &rest);
    r->subject = r->subjects[0]; /* by the first the stream is found, if it is not named */
    r->filter = log_filter_make(r->subjects, rest.len ? 0 : count);
    return 0;
}

static void on_read(void *owner, struct bus_subscription *subscription,
                    const struct bus_message *message) {
    (void)subscription;
    struct ledger_server *server = owner;
    slice stream, subject;
    struct ledger_ask ask = take_ask(message, &stream, &subject);
    struct reading *r = NULL;
    if (server->reading_count < READINGS_MAX)
        r = mem_zalloc(1, sizeof *r + message->reply.len + stream.len + subject.len);
    if (!r) {
        ledger_piece_let_go(ask.piece);
        refuse(server, message->reply, -EAGAIN, "");
        return;
    }
    buf_clear(&ask.piece->bytes);
    char *at = r->text;
    r->piece = ask.piece;
    r->server = server;
    r->reply = slice_store(&at, message->reply);
    r->stream = slice_store(&at, stream);
    r->subject = slice_store(&at, subject);
    r->from = r->at = ask.from ? ask.from : 1;
    r->wait = ask.wait;
    r->shown = ask.shown;
    r->newest = ask.newest;
    r->load.done = on_loaded;
    r->line = buf_make(LEDGER_PIECE_BYTES_MAX);
    list_push_back(&server->readings, &r->node);
    server->reading_count++;
    if (make_filter(r))
        read_failed(r, -EAGAIN, "");
    else
        step(r);
}

static void on_find(void *owner, struct bus_subscription *subscription,
                    const struct bus_message *message) {
    (void)subscription;
    struct ledger_server *server = owner;
    slice name, subject;
    (void)take_ask(message, &name, &subject);
    bool open = streams_log(server->shard->streams) != NULL;
    struct stream *s = open ? find_stream(server->shard->streams, name, subject) : NULL;
    if (s)
        answer(server, message->reply, about(s), stream_config(s)->name);
    else
        refuse(server, message->reply, open ? -ENOENT : -EAGAIN, "there is no such stream");
}

/* --- commits -------------------------------------------------------------------------------- */

static void commit_free(struct committing *c) {
    list_remove(&c->node);
    mem_free(c);
}

static void refuse_for(struct committing *c, const struct streams_error *e) {
    bool full = strcmp(e->description, "no space left on device") == 0; /* publish_explain */
    refuse(c->server, c->reply, full ? -ENOSPC : -EIO, e->description);
}

/* Messages of one commit have one position, so any of them tells it. */
static uint64_t position_of(const struct committing *c) {
    struct streams *streams = c->server->shard->streams;
    struct stream *s = stream_find(streams, slice_lit(LEDGER_STREAM));
    struct log_record record;
    bool there = s && streams_log(streams) &&
                 log_read(streams_log(streams), stream_log(s), c->sequence, &record) == 0;
    return there ? record.position : 0;
}

static void on_appended(void *self, const struct streams_error *error) {
    struct committing *c = self;
    struct ledger_server *server = c->server;
    server->holds--;
    if (!server->closed && error)
        refuse_for(c, error);
    else if (!server->closed)
        answer(server, c->reply,
               (struct ledger_answer){.last = c->sequence, .position = position_of(c)}, (slice){0});
    commit_free(c);
    (void)let_go(server);
}

/* Streams of the node's own; operators may purge the second: views are then computed again. */
static const struct {
    slice name, description, subject;
    bool deny_purge;
} own_streams[] = {
    {slice_lit(LEDGER_STREAM), slice_lit("tables and views of SQL (docs/sql-state.md)"),
     slice_lit(LEDGER_PREFIX ">"), true},
    {slice_lit(LEDGER_VIEWS), slice_lit("what views of SQL keep (docs/sql-state.md)"),
     slice_lit(LEDGER_VIEWS_PREFIX ">"), false},
};

static void on_created(void *self, struct stream *stream, const struct streams_error *error) {
    struct own *own = self;
    struct ledger_server *server = own->server;
    (void)stream;
    own->creating = false;
    server->holds--;
    if (error)
        own->refusal = *error;
    if (let_go(server) && !server->closed)
        io_defer(server->shard->loop, &server->append);
}

/* At once; on disk before what follows. */
static struct stream *own_create(struct ledger_server *server, unsigned which) {
    const struct stream_config config = {
        .name = own_streams[which].name,
        .description = own_streams[which].description,
        .subjects = {own_streams[which].subject},
        .subject_count = 1,
        .node_own = true,
        .deny_delete = true,
        .deny_purge = own_streams[which].deny_purge,
        .consumers_max = -1,
        .messages_max = -1,
        .bytes_max = -1,
        .messages_per_subject_max = -1,
        .message_bytes_max = -1,
    };
    server->own[which].creating = true;
    server->own[which].server = server;
    server->holds++;
    stream_create(server->shard->streams, &config, on_created, &server->own[which]);
    return stream_find(server->shard->streams, config.name);
}

/* The stream WHICH of own_streams, made where it is not there. NULL: not now; ERROR says why where
   it will not be. */
static struct stream *own_stream(struct ledger_server *server, unsigned which,
                                 struct streams_error *e) {
    struct own *own = &server->own[which];
    slice name = own_streams[which].name;
    struct stream *s = stream_find(server->shard->streams, name);
    *e = (struct streams_error){0};
    if (!s && !own->creating && !own->refusal.code)
        s = own_create(server, which);
    if (!s) {
        *e = own->refusal;
        own->refusal = (struct streams_error){0};
    }
    /* Nobody else's stream captures what is the node's own (bus/private.h). */
    if (s && !slice_equal(stream_config(s)->subjects[0], own_streams[which].subject)) {
        streams_fail(e, 503, 10058, "stream %.*s is not SQL's own: delete it", slice_fmt(name));
        return NULL;
    }
    return s;
}

/* Which of own_streams the entries of C are for: its first one's subject tells. */
static unsigned own_of(const struct committing *c) {
    return !slice_starts_with(slice_skip(c->body, 3 * sizeof(uint32_t)), slice_lit(LEDGER_PREFIX));
}

/* The entries of C as messages; *RET_COUNT of them. NULL: no memory. */
static struct bus_message *unpack(const struct committing *c, uint32_t *ret_count) {
    slice rest = c->body;
    memcpy(ret_count, ledger_take(&rest, sizeof *ret_count).ptr, sizeof *ret_count);
    struct bus_message *messages = mem_zalloc(*ret_count, sizeof *messages);
    for (uint32_t i = 0; messages && i < *ret_count; i++) {
        uint32_t lengths[2];
        memcpy(lengths, ledger_take(&rest, sizeof lengths).ptr, sizeof lengths);
        messages[i].subject = ledger_take(&rest, lengths[0]);
        messages[i].payload = ledger_take(&rest, lengths[1]);
    }
    return messages;
}

/* True: it is in the log, or has been refused; false: later. */
static bool append(struct committing *c) {
    struct ledger_server *server = c->server;
    struct streams_error e = {.err_code = 10167};
    struct stream *s =
        streams_log(server->shard->streams) ? own_stream(server, own_of(c), &e) : NULL;
    uint32_t count = 0;
    struct bus_message *messages = s ? unpack(c, &count) : NULL;
    bool stored = false;
    if (messages) {
        list_remove(&c->node); /* the log's, until it is on disk */
        server->holds++;
        stored = stream_append_all(s, messages, count, on_appended, c, &c->sequence, &e);
        mem_free(messages);
        if (!stored) {
            server->holds--;
            list_push_front(&server->commits, &c->node);
        }
    }
    if (stored)
        return true;
    bool later = (!messages && !e.code) || e.err_code == 10167;
    if (later && io_loop_now_ns(server->shard->loop) < c->until_ns)
        return false;
    if (!e.code)
        streams_fail(&e, 503, 10023, "the log takes nothing now");
    refuse_for(c, &e);
    commit_free(c);
    return true;
}

static void on_append_again(struct io_timer *timer) {
    struct ledger_server *server = container_of(timer, struct ledger_server, again);
    io_defer(server->shard->loop, &server->append);
}

static void on_append(struct io_task *task) {
    struct ledger_server *server = container_of(task, struct ledger_server, append);
    struct list_node *node;
    while ((node = list_first(&server->commits))) {
        if (!append(container_of(node, struct committing, node))) {
            io_timer_start(server->shard->loop, &server->again, RETRY_NS, on_append_again);
            return;
        }
        server->commit_count--;
    }
}

static void on_commit(void *owner, struct bus_subscription *subscription,
                      const struct bus_message *message) {
    (void)subscription;
    struct ledger_server *server = owner;
    struct committing *c = NULL;
    if (server->commit_count < COMMITS_MAX)
        c = mem_alloc(sizeof *c + message->reply.len + message->payload.len);
    if (!c) {
        refuse(server, message->reply, -ENOMEM, "no memory for the commit");
        return;
    }
    char *at = c->text;
    c->server = server;
    c->until_ns = io_loop_now_ns(server->shard->loop) + COMMIT_PATIENCE_NS;
    c->reply = slice_store(&at, message->reply);
    c->body = slice_store(&at, message->payload);
    list_push_back(&server->commits, &c->node);
    server->commit_count++;
    io_defer(server->shard->loop, &server->append);
}

/* --- letting go ----------------------------------------------------------------------------- */

/* 0, or why not now. */
static int trim_to(struct streams *streams, uint64_t sequence) {
    struct stream *s = streams_log(streams) ? stream_find(streams, slice_lit(LEDGER_STREAM)) : NULL;
    struct log_batch *batch;
    if (!s || log_stream_staged(stream_log(s)).first_sequence >= sequence)
        return 0;
    int failed = log_batch_begin(streams_log(streams), &batch);
    if (failed)
        return failed;
    failed = log_batch_trim(batch, stream_log(s), sequence);
    if (failed)
        log_batch_abandon(batch);
    else
        log_batch_commit(batch, NULL);
    return failed;
}

static void on_trim_again(struct io_timer *timer) {
    struct ledger_server *server = container_of(timer, struct ledger_server, trim_again);
    io_defer(server->shard->loop, &server->trim);
}

static void on_trim(struct io_task *task) {
    struct ledger_server *server = container_of(task, struct ledger_server, trim);
    if (trim_to(server->shard->streams, server->trim_below) == -EAGAIN)
        io_timer_start(server->shard->loop, &server->trim_again, RETRY_NS, on_trim_again);
}

static void on_trim_asked(void *owner, struct bus_subscription *subscription,
                          const struct bus_message *message) {
    (void)subscription;
    struct ledger_server *server = owner;
    slice rest = message->payload;
    uint64_t sequence;
    memcpy(&sequence, ledger_take(&rest, sizeof sequence).ptr, sizeof sequence);
    if (sequence > server->trim_below)
        server->trim_below = sequence;
    io_defer(server->shard->loop, &server->trim);
}

static void on_dropped(void *self, uint64_t purged, const struct streams_error *error) {
    struct ledger_server *server = self;
    (void)purged;
    (void)error;
    server->holds--;
    (void)let_go(server);
}

static void on_drop_asked(void *owner, struct bus_subscription *subscription,
                          const struct bus_message *message) {
    (void)subscription;
    struct ledger_server *server = owner;
    struct streams *streams = server->shard->streams;
    struct stream *s = streams_log(streams) ? stream_find(streams, slice_lit(LEDGER_VIEWS)) : NULL;
    slice subject = message->payload;
    uint64_t sequence;
    memcpy(&sequence, ledger_take(&subject, sizeof sequence).ptr, sizeof sequence);
    if (!s)
        return;
    server->holds++;
    stream_purge(s, subject, sequence, 0, on_dropped, server);
}

/* --- the whole ------------------------------------------------------------------------------ */

int ledger_server_create(struct room_shard *shard, struct ledger_server **ret) {
    static const struct bus_receiver receivers[] = {
        {on_commit}, {on_read}, {on_find}, {on_trim_asked}, {on_drop_asked}};
    static const char *const subjects[] = {LEDGER_CALL_COMMIT, LEDGER_CALL_READ, LEDGER_CALL_FIND,
                                           LEDGER_CALL_TRIM, LEDGER_CALL_DROP};
    struct ledger_server *server = mem_zalloc(1, sizeof *server);
    if (!server)
        return -ENOMEM;
    server->shard = shard;
    server->append.run = on_append;
    server->trim.run = on_trim;
    list_init(&server->readings);
    list_init(&server->commits);
    for (unsigned i = 0; i < array_count(subjects); i++) {
        int failed = bus_subscribe(shard->bus, slice_str(subjects[i]), (slice){0}, &receivers[i],
                                   server, NULL, &server->subscriptions[i]);
        if (failed) {
            ledger_server_free(server);
            return failed;
        }
    }
    *ret = server;
    return 0;
}

struct ledger_server *ledger_server_free(struct ledger_server *server) {
    if (!server)
        return NULL;
    struct list_node *node;
    for (unsigned i = 0; i < array_count(server->subscriptions); i++)
        server->subscriptions[i] = bus_unsubscribe(server->shard->bus, server->subscriptions[i]);
    while ((node = list_first(&server->readings)))
        reading_free(container_of(node, struct reading, node));
    while ((node = list_first(&server->commits)))
        commit_free(container_of(node, struct committing, node));
    io_timer_stop(server->shard->loop, &server->again);
    io_timer_stop(server->shard->loop, &server->trim_again);
    io_defer_cancel(server->shard->loop, &server->append);
    io_defer_cancel(server->shard->loop, &server->trim);
    server->closed = true;
    (void)let_go(server);
    return NULL;
}
