/*
 * ledger.c - the ledger's end on the database's loop (ledger.h, ledger_call.h).
 *
 * A read has two pieces: the one its reader works on, and the next, which is asked for when
 * the first is handed out.
 *
 *     ASKED ----piece comes----> READY ----reader wants it: a turn later----> handed out, ASKED
 *       '-- nobody answers yet, or not now: again after RETRY_NS
 *
 * The server of the ledger may not be open yet, or its log: reads and look-ups wait for it, and a
 * commit that nobody has heard is sent again. One that was heard waits for its answer as long as
 * the disk takes, or the process was stopped: whoever gave it up would go on without what is stored
 * all the same, and write behind it what does not fit.
 */
#include "rooms/stream/ledger_call.h"

#include "base/mem.h"
#include "bus/request.h"

#include <errno.h>

#define RETRY_NS (20 * UINT64_C(1000000))
#define READ_NS (60 * UINT64_C(1000000000)) /* an answer that does not come is asked for again */
#define COMMIT_LATE_NS (120 * UINT64_C(1000000000))    /* then the log tells, and it waits on */
#define COMMIT_NS (365 * 86400 * UINT64_C(1000000000)) /* never: see below */
#define COMMIT_RETRIES_MAX 1500u                       /* 30 s */
#define ASK_BYTES_MAX ((size_t)1 << 20)                /* a name and subjects */

struct ledger {
    struct room_shard *shard;
    struct list commits, reads, finds;
    uint64_t position;
    uint64_t committed;       /* ledger_committed() */
    int64_t found_created_ns; /* ledger_found_created_ns() */
};

struct ledger_commit {
    struct list_node node;
    struct ledger *ledger;
    void (*done)(void *self, const struct error *failed); /* NULL: forgotten */
    void *self;
    struct buf body;
    struct bus_request *request;
    struct io_timer again;
    unsigned retries;
};

struct piece {
    struct ledger_piece *memory;
    struct ledger_answer head;
    struct ledger_record *records;
    size_t room;
};

struct ledger_read {
    struct list_node node;
    struct ledger *ledger;
    struct ledger_read_options options; /* its texts in `text` */
    slice name;                         /* of the stream, once it has answered */
    char name_text[256];
    int64_t created_ns;
    uint64_t next, first, end;
    struct piece pieces[2];
    unsigned working; /* index of the piece that was handed out; the other is the next */
    bool ready, wanted, told_end, calling, closed;
    struct error failed;
    struct bus_request *request;
    struct io_timer again, hand;
    char text[];
};

struct find {
    struct list_node node;
    struct ledger *ledger;
    void (*done)(void *self, slice name, uint64_t last, const struct error *failed);
    void *self;
    struct bus_request *request;
    struct io_timer again;
    slice stream, subject;
    char text[];
};

/* --- asking --------------------------------------------------------------------------------- */

/* The head of REPLY and its text; the rest in *RET_REST. */
static struct ledger_answer take_answer(slice payload, slice *ret_text, slice *ret_rest) {
    struct ledger_answer head;
    memcpy(&head, ledger_take(&payload, sizeof head).ptr, sizeof head);
    *ret_text = ledger_take(&payload, head.text_len);
    *ret_rest = payload;
    return head;
}

static int ask(struct ledger *l, const char *call, slice body, uint64_t timeout_ns,
               void (*on_reply)(void *owner, const struct bus_message *reply, int ended),
               void *owner, struct bus_request **ret) {
    struct bus_request_options options = {
        .message = {.subject = slice_str(call), .payload = body},
        .timeout_ns = timeout_ns,
        .on_reply = on_reply,
        .owner = owner,
    };
    return bus_request(l->shard->bus, &options, ret);
}

static int ask_for(struct ledger *l, const char *call, struct ledger_ask head, slice stream,
                   slice subject,
                   void (*on_reply)(void *owner, const struct bus_message *reply, int ended),
                   void *owner, struct bus_request **ret) {
    _cleanup_buf_ struct buf body = buf_make(sizeof head + ASK_BYTES_MAX);
    head.stream_len = (uint32_t)stream.len;
    head.subject_len = (uint32_t)subject.len;
    int failed = buf_append(&body, slice_make(&head, sizeof head));
    if (!failed)
        failed = buf_append(&body, stream);
    if (!failed)
        failed = buf_append(&body, subject);
    return failed ? failed : ask(l, call, buf_slice(&body), READ_NS, on_reply, owner, ret);
}

/* The request has ended with REPLY, or without one: so it is not needed any more. */
static void answered(struct ledger *l, struct bus_request **request,
                     const struct bus_message *reply) {
    if (reply)
        bus_request_cancel(l->shard->bus, *request);
    *request = NULL;
}

/* --- commits -------------------------------------------------------------------------------- */

static void commit_free(struct ledger_commit *c) {
    if (c->request)
        bus_request_cancel(c->ledger->shard->bus, c->request);
    io_timer_stop(c->ledger->shard->loop, &c->again);
    list_remove(&c->node);
    buf_free(&c->body);
    mem_free(c);
}

static void commit_done(struct ledger_commit *c, const struct error *failed) {
    void (*done)(void *self, const struct error *failed) = c->done;
    void *self = c->self;
    commit_free(c);
    if (done)
        done(self, failed);
}

static void on_commit_again(struct io_timer *timer);

static void on_commit_late(struct io_timer *timer) {
    struct ledger_commit *c = container_of(timer, struct ledger_commit, again);
    logger_write(c->ledger->shard->node->logger, LOG_LEVEL_WARN, "sql",
                 "the log has not answered a commit for long", "seconds=%llu",
                 (unsigned long long)(COMMIT_LATE_NS / UINT64_C(1000000000)));
    io_timer_start(c->ledger->shard->loop, timer, COMMIT_LATE_NS, on_commit_late);
}

static void on_committed(void *owner, const struct bus_message *reply, int ended) {
    struct ledger_commit *c = owner;
    struct error failed;
    answered(c->ledger, &c->request, reply);
    if (reply) {
        slice text, rest;
        struct ledger_answer head = take_answer(reply->payload, &text, &rest);
        if (head.failed)
            (void)error_set(&failed, head.failed, "%.*s", slice_fmt(text));
        else if (head.position > c->ledger->position)
            c->ledger->position = head.position;
        if (!head.failed)
            c->ledger->committed = head.last;
        commit_done(c, head.failed ? &failed : NULL);
    } else if (ended == -EHOSTUNREACH && ++c->retries < COMMIT_RETRIES_MAX) {
        io_timer_start(c->ledger->shard->loop, &c->again, RETRY_NS, on_commit_again);
    } else {
        (void)error_set(&failed, ended, "%s",
                        ended == -ECANCELED ? "the node stops" : "the log is not there");
        commit_done(c, &failed);
    }
}

static int commit_send(struct ledger_commit *c) {
    int failed = ask(c->ledger, LEDGER_CALL_COMMIT, buf_slice(&c->body), COMMIT_NS, on_committed, c,
                     &c->request);
    if (!failed)
        io_timer_start(c->ledger->shard->loop, &c->again, COMMIT_LATE_NS, on_commit_late);
    return failed;
}

static void on_commit_again(struct io_timer *timer) {
    struct ledger_commit *c = container_of(timer, struct ledger_commit, again);
    int failed = commit_send(c);
    struct error why;
    if (!failed)
        return;
    (void)error_set(&why, failed, "no memory for the commit");
    commit_done(c, &why);
}

static int commit_pack(const struct ledger_entry *entries, size_t count, struct buf *out) {
    uint32_t number = (uint32_t)count;
    int failed = buf_append(out, slice_make(&number, sizeof number));
    for (size_t i = 0; i < count && !failed; i++) {
        check(slice_starts_with(entries[i].subject, slice_lit(LEDGER_PREFIX)) ||
              slice_starts_with(entries[i].subject, slice_lit(LEDGER_VIEWS_PREFIX)));
        uint32_t lengths[2] = {(uint32_t)entries[i].subject.len, (uint32_t)entries[i].payload.len};
        failed = buf_append(out, slice_make(lengths, sizeof lengths));
        if (!failed)
            failed = buf_append(out, entries[i].subject);
        if (!failed)
            failed = buf_append(out, entries[i].payload);
    }
    return failed;
}

int ledger_commit(struct ledger *l, const struct ledger_entry *entries, size_t count,
                  void (*done)(void *self, const struct error *failed), void *self,
                  struct ledger_commit **ret) {
    size_t bytes = sizeof(uint32_t), payload = 0;
    check(count > 0);
    for (size_t i = 0; i < count; i++) {
        payload += entries[i].payload.len;
        bytes += 2 * sizeof(uint32_t) + entries[i].subject.len + entries[i].payload.len;
    }
    if (count > LEDGER_COMMIT_ENTRIES_MAX || payload > LEDGER_COMMIT_BYTES_MAX)
        return -E2BIG;
    struct ledger_commit *c = mem_zalloc(1, sizeof *c);
    if (!c)
        return -ENOMEM;
    c->ledger = l;
    c->done = done;
    c->self = self;
    c->body = buf_make_room(bytes, bytes);
    list_push_back(&l->commits, &c->node);
    int failed = commit_pack(entries, count, &c->body);
    if (!failed)
        failed = commit_send(c);
    if (failed)
        commit_free(c);
    else
        *ret = c;
    return failed;
}

uint64_t ledger_position(const struct ledger *l) {
    return l->position;
}

void ledger_commit_forget(struct ledger_commit *c) {
    if (c)
        c->done = NULL;
}

uint64_t ledger_committed(const struct ledger *l) {
    return l->committed;
}

void ledger_trim(struct ledger *l, uint64_t sequence) {
    const struct bus_message message = {.subject = slice_str(LEDGER_CALL_TRIM),
                                        .payload = slice_make(&sequence, sizeof sequence)};
    bus_publish(l->shard->bus, &message, NULL, NULL);
}

void ledger_drop(struct ledger *l, slice subject, uint64_t sequence) {
    _cleanup_buf_ struct buf body = buf_make(sizeof sequence + ASK_BYTES_MAX);
    if (buf_append(&body, slice_make(&sequence, sizeof sequence)) || buf_append(&body, subject))
        return; /* as if it had been lost: the next call does it */
    const struct bus_message message = {.subject = slice_str(LEDGER_CALL_DROP),
                                        .payload = buf_slice(&body)};
    bus_publish(l->shard->bus, &message, NULL, NULL);
}

/* --- pieces --------------------------------------------------------------------------------- */

struct ledger_piece *ledger_piece_new(void) {
    struct ledger_piece *p = mem_zalloc(1, sizeof *p);
    if (!p)
        return NULL;
    atomic_init(&p->holds, 1);
    p->bytes = buf_make(LEDGER_PIECE_BYTES_MAX);
    return p;
}

struct ledger_piece *ledger_piece_let_go(struct ledger_piece *p) {
    if (!p || atomic_fetch_sub_explicit(&p->holds, 1, memory_order_acq_rel) > 1)
        return NULL;
    buf_free(&p->bytes);
    return mem_free(p);
}

/* Memory that only we hold, for the next ask: one that was never answered keeps its own. NULL: none
   is there. */
static struct ledger_piece *piece_memory(struct piece *p) {
    if (p->memory && (atomic_load_explicit(&p->memory->holds, memory_order_acquire) > 1 ||
                      p->memory->bytes.cap > 4 * LEDGER_PIECE_BYTES))
        p->memory = ledger_piece_let_go(p->memory);
    if (!p->memory)
        p->memory = ledger_piece_new();
    return p->memory;
}

/* --- reads ---------------------------------------------------------------------------------- */

static void hand_later(struct ledger_read *r);
static void on_read_again(struct io_timer *timer);

static void read_free(struct ledger_read *r) {
    struct room_shard *shard = r->ledger->shard;
    if (r->request)
        bus_request_cancel(shard->bus, r->request);
    io_timer_stop(shard->loop, &r->again);
    io_timer_stop(shard->loop, &r->hand);
    for (unsigned i = 0; i < array_count(r->pieces); i++) {
        ledger_piece_let_go(r->pieces[i].memory);
        mem_free(r->pieces[i].records);
    }
    list_remove(&r->node);
    mem_free(r);
}

static void ask_later(struct ledger_read *r) {
    io_timer_start(r->ledger->shard->loop, &r->again, RETRY_NS, on_read_again);
}

static void fail(struct ledger_read *r, int failed, slice words) {
    (void)error_set(&r->failed, failed, "%.*s", slice_fmt(words));
    r->ready = true;
    hand_later(r);
}

/* The records in P, pointing into its memory. */
static int unpack(struct piece *p) {
    slice rest = buf_slice(&p->memory->bytes);
    if (p->room < p->head.count) {
        size_t room = p->head.count + p->head.count / 4;
        struct ledger_record *records = mem_realloc(p->records, room * sizeof *records);
        if (!records)
            return -ENOMEM;
        p->records = records;
        p->room = room;
    }
    for (uint32_t i = 0; i < p->head.count; i++) {
        struct ledger_item item;
        memcpy(&item, ledger_take(&rest, sizeof item).ptr, sizeof item);
        p->records[i] = (struct ledger_record){.sequence = item.sequence,
                                               .position = item.position,
                                               .time_ns = item.time_ns,
                                               .subject = ledger_take(&rest, item.subject_len),
                                               .headers = ledger_take(&rest, item.headers_len),
                                               .payload = ledger_take(&rest, item.payload_len)};
    }
    return 0;
}

/* HEAD and TEXT of the answer are kept: the message goes. */
static int keep(struct ledger_read *r, struct ledger_answer head, slice text) {
    struct piece *p = &r->pieces[!r->working];
    p->head = head;
    int failed = unpack(p);
    if (failed)
        return failed;
    r->first = p->head.first;
    if (!r->name.ptr && text.len <= sizeof r->name_text) {
        memcpy(r->name_text, text.ptr, text.len);
        r->name = slice_make(r->name_text, text.len);
        r->created_ns = head.created_ns;
    }
    r->next = head.last + 1;
    return 0;
}

/* Nothing has come since what the reader was told. */
static bool is_nothing(const struct ledger_read *r, const struct ledger_answer *head) {
    return r->told_end && head->at_end && head->count == 0 && head->last + 1 == r->next;
}

static void on_piece(void *owner, const struct bus_message *reply, int ended) {
    struct ledger_read *r = owner;
    answered(r->ledger, &r->request, reply);
    if (!reply) {
        if (ended == -EHOSTUNREACH)
            ledger_piece_let_go(
                r->pieces[!r->working].memory); /* for the server that is not there */
        if (ended == -ECANCELED)
            return; /* the bus closes: so does the ledger */
        ask_later(r);
        return;
    }
    slice text, rest;
    struct ledger_answer head = take_answer(reply->payload, &text, &rest);
    if (head.failed == -EAGAIN) {
        ask_later(r);
    } else if (head.failed) {
        fail(r, head.failed, text);
    } else if (r->created_ns && head.created_ns != r->created_ns) {
        fail(r, -ESTALE, slice_lit("the stream was deleted and made again"));
    } else if (is_nothing(r, &head)) {
        r->end = head.end;
        r->first = head.first;
        on_read_again(&r->again);
    } else if (keep(r, head, text)) {
        ask_later(r);
    } else {
        r->ready = true;
        hand_later(r);
    }
}

static void read_ask(struct ledger_read *r) {
    struct ledger_ask head = {.piece = piece_memory(&r->pieces[!r->working]),
                              .from = r->next,
                              .wait = r->told_end,
                              .shown = r->options.shown,
                              .newest = r->options.newest && !r->name.ptr};
    slice stream = r->name.len ? r->name : r->options.stream;
    if (!head.piece) {
        ask_later(r);
        return;
    }
    atomic_fetch_add_explicit(&head.piece->holds, 1, memory_order_relaxed); /* the server's */
    if (ask_for(r->ledger, LEDGER_CALL_READ, head, stream, r->options.subject, on_piece, r,
                &r->request)) {
        ledger_piece_let_go(head.piece);
        ask_later(r);
    }
}

static void on_read_again(struct io_timer *timer) {
    read_ask(container_of(timer, struct ledger_read, again));
}

/* The next piece, or why there is none, to the reader who waits for it. */
static void on_hand(struct io_timer *timer) {
    struct ledger_read *r = container_of(timer, struct ledger_read, hand);
    const struct ledger_read_options *o = &r->options;
    r->ready = r->wanted = false;
    r->calling = true;
    if (r->failed.code) {
        o->failed(o->owner, &r->failed);
    } else {
        r->working = !r->working;
        struct piece *p = &r->pieces[r->working];
        r->told_end = p->head.at_end;
        r->end = p->head.end;
        read_ask(r);
        o->piece(o->owner, p->records, p->head.count, p->head.last, p->head.at_end);
    }
    r->calling = false;
    if (r->closed)
        read_free(r);
}

static void hand_later(struct ledger_read *r) {
    if (r->ready && r->wanted && !io_timer_running(&r->hand))
        io_timer_start(r->ledger->shard->loop, &r->hand, 0, on_hand);
}

int ledger_read(struct ledger *l, const struct ledger_read_options *options,
                struct ledger_read **ret) {
    struct ledger_read *r = mem_zalloc(1, sizeof *r + options->stream.len + options->subject.len);
    if (!r)
        return -ENOMEM;
    char *at = r->text;
    r->ledger = l;
    r->options = *options;
    r->options.stream = slice_store(&at, options->stream);
    r->options.subject = slice_store(&at, options->subject);
    r->next = options->from ? options->from : 1;
    r->created_ns = options->created_ns;
    r->wanted = true;
    list_push_back(&l->reads, &r->node);
    read_ask(r);
    *ret = r;
    return 0;
}

void ledger_read_next(struct ledger_read *r) {
    r->wanted = true;
    hand_later(r);
}

struct ledger_read *ledger_read_close(struct ledger_read *r) {
    if (r && r->calling)
        r->closed = true;
    else if (r)
        read_free(r);
    return NULL;
}

slice ledger_read_stream(const struct ledger_read *r) {
    return r->name;
}

uint64_t ledger_read_end(const struct ledger_read *r) {
    return r->end;
}

uint64_t ledger_read_first(const struct ledger_read *r) {
    return r->first;
}

int64_t ledger_read_created(const struct ledger_read *r) {
    return r->created_ns;
}

/* --- looking up ----------------------------------------------------------------------------- */

static void find_free(struct find *f) {
    if (f->request)
        bus_request_cancel(f->ledger->shard->bus, f->request);
    io_timer_stop(f->ledger->shard->loop, &f->again);
    list_remove(&f->node);
    mem_free(f);
}

static void on_find_again(struct io_timer *timer);

static void find_later(struct find *f) {
    io_timer_start(f->ledger->shard->loop, &f->again, RETRY_NS, on_find_again);
}

static void on_found(void *owner, const struct bus_message *reply, int ended) {
    struct find *f = owner;
    answered(f->ledger, &f->request, reply);
    slice text = {0}, rest;
    struct ledger_answer head = {.failed = ended == -ECANCELED ? ended : -EAGAIN};
    if (reply)
        head = take_answer(reply->payload, &text, &rest);
    if (head.failed == -EAGAIN) {
        find_later(f);
        return;
    }
    struct error failed;
    if (head.failed)
        (void)error_set(&failed, head.failed, "%.*s", slice_fmt(text));
    void (*done)(void *self, slice name, uint64_t last, const struct error *failed) = f->done;
    void *self = f->self;
    f->ledger->found_created_ns = head.created_ns;
    find_free(f);
    done(self, head.failed ? (slice){0} : text, head.end, head.failed ? &failed : NULL);
}

static void find_ask(struct find *f) {
    if (ask_for(f->ledger, LEDGER_CALL_FIND, (struct ledger_ask){0}, f->stream, f->subject,
                on_found, f, &f->request))
        find_later(f);
}

static void on_find_again(struct io_timer *timer) {
    find_ask(container_of(timer, struct find, again));
}

void ledger_find(struct ledger *l, slice stream, slice subject,
                 void (*done)(void *self, slice name, uint64_t last, const struct error *failed),
                 void *self) {
    struct find *f = mem_zalloc(1, sizeof *f + stream.len + subject.len);
    if (!f) {
        struct error failed;
        (void)error_set(&failed, -ENOMEM, "no memory to look for a stream");
        done(self, (slice){0}, 0, &failed);
        return;
    }
    char *at = f->text;
    f->ledger = l;
    f->done = done;
    f->self = self;
    f->stream = slice_store(&at, stream);
    f->subject = slice_store(&at, subject);
    list_push_back(&l->finds, &f->node);
    find_ask(f);
}

int64_t ledger_found_created_ns(const struct ledger *l) {
    return l->found_created_ns;
}

void ledger_find_cancel(struct ledger *l, const void *self) {
    struct list_node *node, *next;
    list_each(&l->finds, node, next) {
        struct find *f = container_of(node, struct find, node);
        if (f->self == self)
            find_free(f);
    }
}

/* --- the whole ------------------------------------------------------------------------------ */

int ledger_create(struct room_shard *shard, struct ledger **ret) {
    struct ledger *l = mem_zalloc(1, sizeof *l);
    if (!l)
        return -ENOMEM;
    l->shard = shard;
    list_init(&l->commits);
    list_init(&l->reads);
    list_init(&l->finds);
    *ret = l;
    return 0;
}

struct ledger *ledger_free(struct ledger *l) {
    if (!l)
        return NULL;
    struct list_node *node;
    while ((node = list_first(&l->commits)))
        commit_free(container_of(node, struct ledger_commit, node));
    while ((node = list_first(&l->reads)))
        read_free(container_of(node, struct ledger_read, node));
    while ((node = list_first(&l->finds)))
        find_free(container_of(node, struct find, node));
    return mem_free(l);
}
