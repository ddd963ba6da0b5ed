/*
 * changelog.c - see changelog.h: what is told, and to whom.
 *
 * Messages (told.h) wait in a queue, whole steps one behind the other; as many steps as fit into
 * TELL_BYTES are asked to be told at once, one ask at a time. Rows are compared by their JSON: what
 * a stream has needs not be read as values.
 */
#include "rooms/stream/changelog.h"

#include "base/mem.h"
#include "bus/request.h"
#include "rooms/stream/changelog_server.h"
#include "rooms/stream/told.h"

#include <errno.h>
#include <stdio.h>

#define ASK_NS (120 * UINT64_C(1000000000)) /* the server is patient for 30 s, then the disk */
#define WAIT_NS_MIN (1 * UINT64_C(1000000000))
#define WAIT_NS_MAX (30 * UINT64_C(1000000000))
#define RETRY_NS (20 * UINT64_C(1000000)) /* the server is not there yet */
#define COMPARE_ROWS 4096u                /* in one turn of the loop */

enum state { OFF, LOOKING, LIVE, FOLDING, FOLDED, COMPARING, KEPT };

struct changelog {
    struct database *db;
    struct view *view;
    const struct sql_table *table;
    enum state state;
    struct told told; /* what messages look like */
    struct bus_route route;
    struct changes step; /* since the last time readers were shown something */
    struct changes fold; /* entry of a row -> how often the view has it more than the stream */
    struct ledger_read *read;
    struct relation_scan scan; /* COMPARING: the view's rows of `moment`, which is `position` */
    uint64_t moment, position;
    int64_t created_ns; /* of the stream that captures; 0: none */
    slice name;         /* its */
    char name_text[256];
    bool lost; /* `step` is not all of it */
    struct buf queue;
    size_t from, asked; /* bytes told; bytes that are being told, behind them */
    size_t allowed;     /* beside told_bytes: what is left of the first step */
    struct bus_request *request;
    struct io_timer again;
    uint64_t wait_ns;
    char why[160]; /* it waited last; "": it tells */
};

static void look(struct changelog *c);
static void compare(struct changelog *c);
static void show(struct changelog *c);
static void tell_next(struct changelog *c);

/* --- states ----------------------------------------------------------------------------------- */

static void stop_asking(struct changelog *c) {
    if (c->request)
        bus_request_cancel(c->db->bus, c->request);
    c->request = NULL;
    c->asked = 0;
    c->read = ledger_read_close(c->read);
    if (c->state == COMPARING)
        relation_scan_end(&c->scan);
    io_timer_stop(c->db->loop, &c->again);
}

static void turn_off(struct changelog *c) {
    stop_asking(c);
    changes_clear(&c->step);
    changes_clear(&c->fold);
    buf_free(&c->queue);
    c->from = c->allowed = 0;
    c->lost = false;
    c->state = OFF;
}

static void on_again(struct io_timer *timer) {
    struct changelog *c = container_of(timer, struct changelog, again);
    if (c->request)
        return;
    if (c->state == LOOKING)
        look(c);
    else if (c->state == COMPARING)
        compare(c);
    else
        tell_next(c);
}

/* Begins anew after a while: WHY, to the log. */
static void look_later(struct changelog *c, const char *why) {
    logger_write(c->db->logger, LOG_LEVEL_WARN, "sql", "a changelog begins anew",
                 "subject=%.*s why=%s", slice_fmt(told_subject(&c->told)), why);
    (void)snprintf(c->why, sizeof c->why, "%s", why);
    turn_off(c);
    c->state = LOOKING;
    c->lost = true;
    c->wait_ns = c->wait_ns ? c->wait_ns * 2 : WAIT_NS_MIN;
    c->wait_ns = c->wait_ns < WAIT_NS_MAX ? c->wait_ns : WAIT_NS_MAX;
    io_timer_start(c->db->loop, &c->again, c->wait_ns, on_again);
}

/* Of subjects with values in them nobody knows beforehand. */
static bool is_wanted(struct changelog *c) {
    return told_varies(&c->told) ||
           bus_route_has_interest(c->db->bus, told_subject(&c->told), &c->route);
}

static void start(struct changelog *c) {
    if (c->state == OFF && !view_failure(c->view) && is_wanted(c) &&
        view_status(c->view).state == VIEW_LIVE) {
        c->state = LOOKING;
        look(c);
    }
}

/* --- asking to tell --------------------------------------------------------------------------- */

static int ask(struct changelog *c, struct tell_ask head, slice messages,
               void (*on_reply)(void *owner, const struct bus_message *reply, int ended)) {
    slice subject = told_subject(&c->told);
    size_t size = sizeof head + subject.len + c->name.len + messages.len;
    _cleanup_buf_ struct buf body = buf_make_room(size, size);
    head.subject_len = (uint32_t)subject.len;
    head.name_len = (uint32_t)c->name.len;
    int r = buf_append(&body, slice_make(&head, sizeof head));
    if (r == 0)
        r = buf_append(&body, subject);
    if (r == 0)
        r = buf_append(&body, c->name);
    if (r == 0)
        r = buf_append(&body, messages);
    const struct bus_request_options options = {
        .message = {.subject = slice_lit(TELL_CALL), .payload = buf_slice(&body)},
        .timeout_ns = ASK_NS,
        .on_reply = on_reply,
        .owner = c,
    };
    return r < 0 ? r : bus_request(c->db->bus, &options, &c->request);
}

/* The answer, its text in *RET_TEXT. False: there is none, and what follows from that is done. */
static bool take_answer(struct changelog *c, const struct bus_message *reply, int ended,
                        struct tell_answer *ret, slice *ret_text) {
    if (reply)
        bus_request_cancel(c->db->bus, c->request);
    c->request = NULL;
    if (!reply && ended == -EHOSTUNREACH)
        io_timer_start(c->db->loop, &c->again, RETRY_NS, on_again);
    else if (!reply && ended != -ECANCELED)
        look_later(c, "the log does not answer");
    if (!reply)
        return false;
    check(reply->payload.len >= sizeof *ret);
    memcpy(ret, reply->payload.ptr, sizeof *ret);
    *ret_text = slice_skip(reply->payload, sizeof *ret);
    check(ret_text->len == ret->text_len);
    return true;
}

static void on_told(void *owner, const struct bus_message *reply, int ended) {
    struct changelog *c = owner;
    struct tell_answer answer;
    slice text;
    char why[160];
    if (!take_answer(c, reply, ended, &answer, &text))
        return;
    if (answer.failed == -ESTALE) {
        turn_off(c);
        c->state = LOOKING;
        look(c);
    } else if (answer.failed) {
        (void)snprintf(why, sizeof why, "%.*s", slice_fmt(slice_take(text, sizeof why - 1)));
        look_later(c, why);
    } else {
        c->allowed -= c->asked < c->allowed ? c->asked : c->allowed;
        c->from += c->asked;
        c->asked = 0;
        c->wait_ns = 0;
        c->why[0] = '\0';
        tell_next(c);
    }
}

/* How many messages of the queue are told next, and their bytes: whole steps, so that a crash cuts
   none; of a step that is larger than TELL_BYTES, a piece. */
static uint32_t measure(const struct changelog *c, size_t *ret_bytes) {
    uint32_t count = 0, whole_count = 0;
    size_t bytes = 0, whole = 0;
    while (c->from + bytes < c->queue.len && bytes < TELL_BYTES) {
        struct tell_item item;
        memcpy(&item, c->queue.ptr + c->from + bytes, sizeof item);
        bytes += sizeof item + item.subject_len + item.headers_len + item.payload_len;
        count++;
        if (item.ends_step) {
            whole = bytes;
            whole_count = count;
        }
    }
    *ret_bytes = whole ? whole : bytes;
    return whole ? whole_count : count;
}

static void tell_next(struct changelog *c) {
    if (c->request || io_timer_running(&c->again) || (c->state != LIVE && c->state != KEPT))
        return;
    if (c->from == c->queue.len) {
        c->from = 0;
        buf_free(&c->queue);
        return;
    }
    if (c->from > TELL_BYTES) {
        buf_consume(&c->queue, c->from);
        c->from = 0;
    }
    struct tell_ask head = {.expected_ns = c->created_ns};
    head.count = measure(c, &c->asked);
    if (ask(c, head, slice_make(c->queue.ptr + c->from, c->asked), on_told) < 0)
        look_later(c, "no memory");
}

static void bound(struct changelog *c) {
    if (c->queue.len - c->from <= c->db->limits.told_bytes + c->allowed)
        return;
    if (c->state == KEPT) {
        look_later(c, "too many changes wait for its stream");
        return;
    }
    buf_consume(&c->queue, c->from);
    c->from = 0;
    c->queue.len = c->asked; /* what is being told stays */
    c->lost = true;
}

/* --- steps ------------------------------------------------------------------------------------ */

static const char *words_of(int failed) {
    return failed == -ENOMEM         ? "no memory"
           : failed == -ENAMETOOLONG ? "the subject of a row would have more than 4096 bytes"
                                     : "a row is too large to be told";
}

static void tell(struct changelog *c) {
    int r = told_write(&c->told, &c->step, false, false, view_position(c->view), &c->queue);
    changes_clear(&c->step);
    if (r < 0) {
        look_later(c, words_of(r));
        return;
    }
    bound(c);
    tell_next(c);
}

/* The view's rows have been counted: what the stream lacks, or all of them behind a `reset`. */
static void tell_difference(struct changelog *c) {
    bool reset = !c->told.whole && told_resets(&c->told);
    int r = told_write(&c->told, &c->fold, true, reset, c->position, &c->queue);
    changes_clear(&c->fold);
    if (r < 0) {
        look_later(c, words_of(r));
        return;
    }
    c->allowed = c->queue.len;
    c->state = KEPT;
    tell_next(c);
}

static int count_rows(struct changelog *c, const struct sql_builder *b) {
    union sql_cell cells[SQL_COLUMNS_MAX];
    uint8_t nulls[SQL_COLUMNS_MAX];
    int r = 0;
    for (unsigned row = 0; r == 0 && row < b->rows; row++) {
        for (unsigned i = 0; i < c->table->columns; i++) {
            cells[i] = b->cells[i][row];
            nulls[i] = b->nulls[i][row];
        }
        r = told_row(&c->told, cells, nulls);
        if (r == 0)
            r = changes_count(&c->fold, buf_slice(&c->told.entry), 1);
    }
    return r;
}

/* Some rows more. 1: there are others; 0: those were all. */
static int count_some(struct changelog *c) {
    struct sql_builder b;
    unsigned columns = c->table->columns;
    if (sql_builder_make(columns, &b) < 0)
        return -ENOMEM;
    int r = 1;
    for (unsigned rows = 0; r == 1 && rows < COMPARE_ROWS; rows += b.rows) {
        sql_builder_reset(&b);
        int n = relation_scan_next(&c->scan, NULL, columns, &b);
        int counted = n > 0 ? count_rows(c, &b) : 0;
        r = counted < 0 ? counted : (n > 0 ? 1 : n);
    }
    sql_builder_free(&b);
    return r;
}

/* What the stream has is known: it is compared with the view as it is now, some rows a turn. What
   changes meanwhile gathers, and is the step after that. */
static void begin_comparing(struct changelog *c) {
    changes_clear(&c->step);
    c->moment = c->db->visible;
    c->position = view_position(c->view);
    c->state = COMPARING;
    relation_scan_all(view_relation(c->view), c->moment, &c->scan);
    io_timer_start(c->db->loop, &c->again, 0, on_again);
}

static void compare(struct changelog *c) {
    int r = count_some(c);
    if (r == 1) {
        io_timer_start(c->db->loop, &c->again, 0, on_again);
    } else if (r < 0) {
        look_later(c, r == -ENOBUFS ? "its stream and the view take more than memory of section sql"
                                    : words_of(r));
    } else {
        relation_scan_end(&c->scan);
        c->state = FOLDED;
        tell_difference(c);
        if (c->state == KEPT && list_empty(&c->db->flight))
            show(c);
    }
}

uint64_t changelogs_oldest(const struct database *db, uint64_t oldest) {
    for (struct list_node *n = list_first(&db->views); n; n = list_next(&db->views, n)) {
        const struct changelog *c = container_of(n, struct kept, node)->changelog;
        if (c && c->state == COMPARING && c->moment < oldest)
            oldest = c->moment;
    }
    return oldest;
}

void changelog_changed(struct changelog *c, const struct sql_batch *batch) {
    if (c->state == OFF)
        start(c);
    if (c->state == OFF || c->state == FOLDING || c->state == FOLDED || c->lost)
        return;
    if (changes_add(&c->step, batch) == 0)
        return;
    changes_clear(&c->step);
    c->lost = true;
}

static void show(struct changelog *c) {
    if (c->state == OFF)
        return;
    if (view_failure(c->view))
        turn_off(c);
    else if (c->state == KEPT && c->lost)
        look_later(c, "one step takes more than work_mem");
    else if (c->state == FOLDED)
        begin_comparing(c);
    else if ((c->state == LIVE || c->state == KEPT) && !changes_empty(&c->step))
        tell(c);
    if (c->state == LIVE && c->lost) {
        c->told.number++; /* a gap */
        c->lost = false;
    }
    if (c->state == LIVE && !is_wanted(c))
        turn_off(c);
}

void changelogs_show(struct database *db) {
    for (struct list_node *n = list_first(&db->views); n; n = list_next(&db->views, n)) {
        struct kept *k = container_of(n, struct kept, node);
        if (k->changelog)
            show(k->changelog);
    }
}

void changelogs_look(struct database *db) {
    for (struct list_node *n = list_first(&db->views); n; n = list_next(&db->views, n)) {
        struct kept *k = container_of(n, struct kept, node);
        if (k->changelog)
            start(k->changelog);
    }
}

/* --- folding what a stream has -----------------------------------------------------------------
 */

/* What was told once and is not there any more would be told again. */
static void folded(struct changelog *c) {
    c->read = ledger_read_close(c->read);
    if (!c->told.whole && !told_repeats(&c->told)) {
        look_later(c, "its stream has let go of messages: what was told is not known");
        return;
    }
    c->state = FOLDED;
    if (list_empty(&c->db->flight))
        show(c);
}

static void on_piece(void *owner, const struct ledger_record *records, size_t count, uint64_t last,
                     bool at_end) {
    struct changelog *c = owner;
    int r = 0;
    (void)last;
    for (size_t i = 0; r == 0 && i < count; i++)
        r = told_read(&c->told, &records[i], &c->fold);
    if (r == 0 && at_end)
        r = told_read_end(&c->told, &c->fold);
    if (r < 0)
        look_later(c, "the fold of its stream takes more than memory of section sql");
    else if (!at_end)
        ledger_read_next(c->read);
    else
        folded(c);
}

static void on_failed(void *owner, const struct error *why) {
    look_later(owner, why->message);
}

static void fold(struct changelog *c) {
    const struct ledger_read_options options = {.stream = c->name,
                                                .subject = told_subject(&c->told),
                                                .from = 1,
                                                .piece = on_piece,
                                                .failed = on_failed,
                                                .owner = c};
    changes_clear(&c->step);
    told_read_begin(&c->told, &c->fold);
    c->lost = false;
    c->state = FOLDING;
    if (ledger_read(c->db->ledger, &options, &c->read) < 0)
        look_later(c, "no memory");
}

/* --- looking ---------------------------------------------------------------------------------- */

static void on_looked(void *owner, const struct bus_message *reply, int ended) {
    struct changelog *c = owner;
    struct tell_answer answer;
    slice name;
    if (!take_answer(c, reply, ended, &answer, &name))
        return;
    c->created_ns = answer.created_ns;
    if (answer.created_ns && name.len <= sizeof c->name_text) {
        memcpy(c->name_text, name.ptr, name.len);
        c->name = slice_make(c->name_text, name.len);
        fold(c);
    } else {
        c->name = (slice){0};
        c->state = LIVE;
        if (list_empty(&c->db->flight))
            show(c);
    }
}

static void look(struct changelog *c) {
    const struct tell_ask head = {.expected_ns = 0};
    c->name = (slice){0};
    if (ask(c, head, (slice){0}, on_looked) < 0)
        look_later(c, "no memory");
}

/* --- life ------------------------------------------------------------------------------------- */

int changelog_new(struct database *db, struct view *view, const struct sql_table *table,
                  struct changelog **ret) {
    struct changelog *c = mem_zalloc(1, sizeof *c);
    if (!c)
        return -ENOMEM;
    c->db = db;
    c->view = view;
    c->table = table;
    int r = told_init(&c->told, table, &db->settings);
    if (r < 0) {
        mem_free(c);
        return r;
    }
    c->queue = buf_make(SIZE_MAX / 2); /* `bound` bounds it, and memory of section sql */
    c->fold = changes_make(NULL, 0, db->limits.view_bytes);
    c->step = changes_make(c->told.types, table->columns, db->limits.run_bytes);
    *ret = c;
    return 0;
}

void changelog_move(struct changelog *c, const struct sql_table *table) {
    c->table = c->told.table = table;
}

struct changelog *changelog_free(struct changelog *c) {
    if (!c)
        return NULL;
    turn_off(c);
    bus_route_clear(&c->route);
    changes_free(&c->step);
    changes_free(&c->fold);
    buf_free(&c->queue);
    told_free(&c->told);
    return mem_free(c);
}

struct changelog_status changelog_status(const struct changelog *c) {
    static const char *const states[] = {
        [OFF] = "off",        [LOOKING] = "looking",   [LIVE] = "live",  [FOLDING] = "reading",
        [FOLDED] = "reading", [COMPARING] = "reading", [KEPT] = "stored"};
    return (struct changelog_status){
        .state = states[c->state],
        .stream = c->name,
        .told = c->told.number,
        .waiting = c->queue.len - c->from,
        .why = c->why,
    };
}
