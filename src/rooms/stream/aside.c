/*
 * aside.c - see aside.h.
 *
 * A message is sent as any client publishes, with an acknowledgement, and the next one when it has
 * come; meanwhile the piece it is of stays. A note is written for each piece that had something,
 * and now and then for those that had not, so that a start has little to judge again.
 */
#include "rooms/stream/aside.h"

#include "base/clocktext.h"
#include "base/mem.h"
#include "base/number.h"
#include "bus/request.h"
#include "rooms/stream/decode.h"
#include "wire/event_name.h"
#include "wire/json.h"
#include "wire/nats_headers.h"

#include <errno.h>
#include <stdio.h>

#define LOOK_NS (250 * UINT64_C(1000000))  /* tables made or dropped */
#define AGAIN_NS (500 * UINT64_C(1000000)) /* after a failure */
#define ANSWER_NS (30 * UINT64_C(1000000000))
#define NOTE_NS (5 * UINT64_C(1000000000)) /* between notes of pieces that had nothing */
#define HEADERS_BYTES_MAX ((size_t)1 << 20)
#define JUDGED_PREFIX "sql.judged."

enum target { DEAD, LATE, TARGETS };

/* The streams that are made where nobody captures their subjects. */
static const struct {
    const char *prefix, *name, *config;
} own[] = {
    {"sql.dead.", "SQL_DEAD",
     "{\"name\":\"SQL_DEAD\",\"subjects\":[\"sql.dead.>\"],\"max_bytes\":1073741824,"
     "\"description\":\"records that do not fit their tables (docs/sql-streams.md)\"}"},
    {"sql.late.", "SQL_LATE",
     "{\"name\":\"SQL_LATE\",\"subjects\":[\"sql.late.>\"],\"max_bytes\":1073741824,"
     "\"description\":\"rows that came too late (docs/sql-streams.md)\"}"},
    {JUDGED_PREFIX, "SQL_JUDGED",
     "{\"name\":\"SQL_JUDGED\",\"subjects\":[\"" JUDGED_PREFIX ">\"],\"max_msgs_per_subject\":1,"
     "\"description\":\"how far records are judged; without it they are judged again\"}"},
};

struct asides {
    struct database *db;
    struct bus *bus;
    struct io_timer timer;
    uint64_t version; /* of the catalog when it was looked through */
    struct list readers;
};

/* What is noted. */
struct judged {
    int64_t created_ns;       /* of the table's stream */
    uint64_t sequence;        /* all up to here are judged */
    int64_t newest;           /* time, INT64_MIN: none */
    uint64_t letter[TARGETS]; /* sequences of the last ones laid aside, in their streams */
};

struct reader {
    struct list_node node;
    struct asides *asides;
    struct sql_table *table; /* with a reference */
    struct decoder *decoder;
    struct sql_builder builder;
    int time;               /* column of the builder */
    char *subject[TARGETS]; /* NULL: not asked for */
    char judged_subject[64];
    enum target tail; /* read in AT_TAIL */
    struct judged judged;
    uint64_t skip[TARGETS]; /* laid aside before this reader began, up to this sequence */
    struct ledger_read *read;
    const struct ledger_record *records;
    size_t count, at;
    uint64_t piece_last;
    bool has_sent; /* since the last note */
    bool renewed;  /* the table's stream is another one than that of the note */
    bool seen;     /* the table is still in the catalog */
    uint64_t noted_ns;
    struct bus_request *request;
    struct io_timer again;
    enum target sending; /* to where */
    struct buf headers;
    char why[256]; /* what it has warned of last */
};

static void begin(struct reader *r);
static void go_on(struct reader *r);
static void read_on(struct reader *r);
static void pause_for(struct reader *r, const char *why);

/* --- asking the bus --------------------------------------------------------------------------- */

static int ask(struct reader *r, const struct bus_message *message,
               void (*on_reply)(void *owner, const struct bus_message *reply, int ended)) {
    const struct bus_request_options options = {
        .message = *message, .timeout_ns = ANSWER_NS, .on_reply = on_reply, .owner = r};
    return bus_request(r->asides->bus, &options, &r->request);
}

static void answered(struct reader *r, const struct bus_message *reply) {
    if (reply)
        bus_request_cancel(r->asides->bus, r->request);
    r->request = NULL;
}

static void on_created(void *owner, const struct bus_message *reply, int ended) {
    struct reader *r = owner;
    (void)ended;
    answered(r, reply);
    pause_for(r, NULL); /* it is there, or it is told when it is sent to again */
}

/* The stream of SUBJECT is made, if it is one of ours. */
static void create(struct reader *r, slice subject) {
    for (unsigned i = 0; i < array_count(own); i++) {
        char call[64];
        if (!slice_starts_with(subject, slice_str(own[i].prefix)))
            continue;
        (void)snprintf(call, sizeof call, "$JS.API.STREAM.CREATE.%s", own[i].name);
        const struct bus_message message = {.subject = slice_str(call),
                                            .payload = slice_str(own[i].config)};
        if (ask(r, &message, on_created) == 0)
            return;
    }
    pause_for(r, "no durable stream captures the subject");
}

/* The sequence that an acknowledgement tells; 0: it is a refusal, for WHY. */
static uint64_t stored_as(slice payload, char *why, size_t size) {
    struct json_doc doc;
    uint64_t sequence = 0;
    slice words = slice_lit("an answer that is no acknowledgement");
    json_init(&doc);
    if (json_parse(&doc, payload) == 0) {
        json_value root = json_root(&doc);
        bool refused = json_type_of(json_member(root, slice_lit("error"))) != JSON_ABSENT;
        int told = json_string(json_path(root, "error.description"), &words);
        if (refused || told == 0 || json_u64(json_member(root, slice_lit("seq")), &sequence))
            sequence = 0;
    }
    (void)snprintf(why, size, "%.*s", slice_fmt(words));
    json_free(&doc);
    return sequence;
}

/* --- failing ---------------------------------------------------------------------------------- */

static void on_again(struct io_timer *timer) {
    begin(container_of(timer, struct reader, again));
}

/* All of it again, from the note. WHY is told once. */
static void pause_for(struct reader *r, const char *why) {
    const struct database *db = r->asides->db;
    if (why && strcmp(why, r->why) != 0 && db->logger)
        logger_write(db->logger, LOG_LEVEL_WARN, "sql", "records cannot be laid aside",
                     "table=%.*s why=%s", slice_fmt(r->table->name), why);
    if (why)
        (void)snprintf(r->why, sizeof r->why, "%s", why);
    r->read = ledger_read_close(r->read);
    io_timer_start(db->loop, &r->again, AGAIN_NS, on_again);
}

/* --- what is laid aside ----------------------------------------------------------------------- */

static int add(struct buf *b, const char *key, slice value) {
    char line[4096]; /* a header has no line ends */
    size_t len = value.len < sizeof line ? value.len : sizeof line;
    for (size_t i = 0; i < len; i++)
        line[i] = value.ptr[i] == '\r' || value.ptr[i] == '\n' ? ' ' : value.ptr[i];
    return nats_headers_add(b, slice_str(key), slice_make(line, len));
}

/* The record's own fields, but for those that tell a stream what to do. */
static int add_own(struct buf *b, slice headers) {
    struct nats_status status;
    struct nats_field field;
    int failed = 0;
    if (!headers.len || nats_headers_parse(headers, &status))
        return 0;
    while (!failed && nats_headers_next(&status.fields, &field))
        if (!slice_starts_with(field.key, slice_lit("Nats-")) &&
            !slice_starts_with(field.key, slice_lit("Nonet-")))
            failed = nats_headers_add(b, field.key, field.value);
    return failed == -EINVAL ? 0 : failed;
}

static int write_headers(struct reader *r, const struct ledger_record *record,
                         const struct sql_error *why) {
    struct buf *b = &r->headers;
    char id[320], time[CLOCKTEXT_SIZE];
    slice stream = ledger_read_stream(r->read);
    slice column = decoder_refused(r->decoder);
    (void)snprintf(id, sizeof id, "%u:%.*s:%llu", r->table->oid, slice_fmt(stream),
                   (unsigned long long)record->sequence);
    buf_clear(b);
    int failed = nats_headers_begin(b, 0, (slice){0});
    const struct {
        const char *key;
        slice value;
    } fields[] = {
        {"Nats-Msg-Id", slice_str(id)},
        {"Nonet-Table", r->table->name},
        {"Nonet-Stream", stream},
        {"Nonet-Subject", record->subject},
        {"Nonet-Time", slice_make(time, clocktext_format(record->time_ns, time))},
        {"Nonet-Column", column},
        {"Nonet-SQLSTATE", slice_str(why->state)},
        {"Nonet-Reason", slice_str(why->message)},
    };
    for (unsigned i = 0; failed == 0 && i < array_count(fields); i++)
        failed = fields[i].value.len ? add(b, fields[i].key, fields[i].value) : 0;
    if (failed == 0)
        failed = nats_headers_add_u64(b, slice_lit("Nonet-Sequence"), record->sequence);
    if (failed == 0)
        failed = nats_headers_add_u64(b, slice_lit("Nonet-Table-OID"), r->table->oid);
    if (failed == 0)
        failed = add_own(b, record->headers);
    return failed ? failed : nats_headers_end(b);
}

static void on_sent(void *owner, const struct bus_message *reply, int ended) {
    struct reader *r = owner;
    slice subject = slice_str(r->subject[r->sending]);
    answered(r, reply);
    if (ended == -ECANCELED && !reply)
        return; /* the node stops */
    if (!reply && ended == -EHOSTUNREACH) {
        create(r, subject);
        return;
    }
    char why[200] = "the stream does not answer";
    uint64_t sequence = reply ? stored_as(reply->payload, why, sizeof why) : 0;
    if (!sequence) {
        pause_for(r, why);
        return;
    }
    r->judged.letter[r->sending] = sequence;
    r->has_sent = true;
    go_on(r);
}

/* RECORD goes to TARGET. False: it has been there, nobody asked for it, or it was laid aside
   already (a table over SQL_DEAD would have no end otherwise). */
static bool lay_aside(struct reader *r, enum target target, const struct ledger_record *record,
                      const struct sql_error *why) {
    slice oid;
    if (!r->subject[target] || record->sequence <= r->skip[target] ||
        nats_headers_get(record->headers, slice_lit("Nonet-Table-OID"), &oid))
        return false;
    int failed = write_headers(r, record, why);
    const struct bus_message message = {.subject = slice_str(r->subject[target]),
                                        .headers = buf_slice(&r->headers),
                                        .payload = record->payload};
    r->sending = target;
    if (failed == 0)
        failed = ask(r, &message, on_sent);
    if (failed)
        pause_for(r, "no memory");
    return true;
}

/* --- judging ---------------------------------------------------------------------------------- */

/* As the views judge it (feed.c): by the newest time before it. */
static bool is_late(struct reader *r, struct sql_error *why) {
    int64_t bound;
    if (r->time < 0 || r->builder.nulls[r->time][0])
        return false;
    int64_t time = r->builder.cells[r->time][0].i, newest = r->judged.newest;
    if (newest != INT64_MIN && !__builtin_sub_overflow(newest, r->table->watermark_delay, &bound) &&
        time < bound) {
        *why = (struct sql_error){.state = ""};
        (void)snprintf(why->message, sizeof why->message, "it is %lld us behind the watermark",
                       (long long)(bound - time));
        return true;
    }
    if (time > newest && time != SQL_INFINITY)
        r->judged.newest = time;
    return false;
}

/* True: RECORD is being sent. */
static bool judge(struct reader *r, const struct ledger_record *record) {
    struct sql_error why;
    sql_builder_reset(&r->builder);
    int failed = decoder_add(r->decoder, record, &r->builder, &why);
    if (failed == -EBADMSG)
        return lay_aside(r, DEAD, record, &why);
    if (failed) {
        pause_for(r, "no memory");
        return true;
    }
    return is_late(r, &why) && lay_aside(r, LATE, record, &why);
}

/* --- the note --------------------------------------------------------------------------------- */

static void on_noted(void *owner, const struct bus_message *reply, int ended) {
    struct reader *r = owner;
    char why[200] = "the note is not answered";
    answered(r, reply);
    if (ended == -ECANCELED && !reply)
        return;
    if (!reply && ended == -EHOSTUNREACH) {
        create(r, slice_str(r->judged_subject));
    } else if (reply && stored_as(reply->payload, why, sizeof why)) {
        r->has_sent = false;
        r->noted_ns = io_loop_now_ns(r->asides->db->loop);
        if (r->renewed)
            read_on(r);
        else
            ledger_read_next(r->read);
    } else {
        pause_for(r, why);
    }
}

static void note(struct reader *r) {
    char text[256];
    const struct judged *j = &r->judged;
    (void)snprintf(
        text, sizeof text,
        "{\"created\":%lld,\"sequence\":%llu,\"newest\":%lld,\"dead\":%llu,\"late\":%llu}",
        (long long)j->created_ns, (unsigned long long)j->sequence, (long long)j->newest,
        (unsigned long long)j->letter[DEAD], (unsigned long long)j->letter[LATE]);
    const struct bus_message message = {.subject = slice_str(r->judged_subject),
                                        .payload = slice_str(text)};
    if (ask(r, &message, on_noted))
        pause_for(r, "no memory");
}

static void read_note(struct reader *r, slice text) {
    struct json_doc doc;
    struct judged j = {.newest = INT64_MIN};
    json_init(&doc);
    if (json_parse(&doc, text) == 0) {
        json_value root = json_root(&doc);
        bool whole = !json_i64(json_member(root, slice_lit("created")), &j.created_ns) &&
                     !json_u64(json_member(root, slice_lit("sequence")), &j.sequence) &&
                     !json_i64(json_member(root, slice_lit("newest")), &j.newest) &&
                     !json_u64(json_member(root, slice_lit("dead")), &j.letter[DEAD]) &&
                     !json_u64(json_member(root, slice_lit("late")), &j.letter[LATE]);
        if (whole)
            r->judged = j;
    }
    json_free(&doc);
}

/* --- reading ---------------------------------------------------------------------------------- */

/* The records of the piece, until one is sent; then what follows the piece. */
static void go_on(struct reader *r) {
    while (r->at < r->count)
        if (judge(r, &r->records[r->at++]))
            return;
    bool due = io_loop_now_ns(r->asides->db->loop) - r->noted_ns > NOTE_NS;
    bool moved = r->piece_last > r->judged.sequence;
    if (moved)
        r->judged.sequence = r->piece_last;
    if (r->has_sent || (due && moved))
        note(r);
    else
        ledger_read_next(r->read);
}

static void on_piece(void *owner, const struct ledger_record *records, size_t count, uint64_t last,
                     bool at_end) {
    struct reader *r = owner;
    int64_t created = ledger_read_created(r->read);
    r->renewed = r->judged.created_ns && created != r->judged.created_ns;
    r->judged.created_ns = created;
    if (r->renewed) { /* noted at once, so that what is laid aside behind the note is of this one */
        r->judged.sequence = 0;
        r->judged.newest = INT64_MIN;
        memset(r->skip, 0, sizeof r->skip);
        note(r);
        return;
    }
    r->records = records;
    r->count = count;
    r->at = 0;
    r->piece_last = last;
    (void)at_end;
    go_on(r);
}

static void on_read_failed(void *owner, const struct error *why) {
    struct reader *r = owner;
    pause_for(r, why->code == -ENOENT || why->code == -ESTALE ? NULL : why->message);
}

static void read_on(struct reader *r) {
    const struct ledger_read_options options = {
        .stream = table_option(r->table, "stream"),
        .subject = table_option(r->table, "subject"),
        .from = r->judged.sequence + 1,
        .piece = on_piece,
        .failed = on_read_failed,
        .owner = r,
    };
    r->renewed = false;
    r->read = ledger_read_close(r->read);
    if (ledger_read(r->asides->db->ledger, &options, &r->read) < 0)
        pause_for(r, "no memory");
}

/* --- where it begins -------------------------------------------------------------------------- */

static void tail(struct reader *r);

/* What was laid aside behind the note. */
static void take_letter(struct reader *r, const struct ledger_record *record) {
    slice oid, sequence;
    uint64_t number;
    if (!nats_headers_get(record->headers, slice_lit("Nonet-Table-OID"), &oid) ||
        !nats_headers_get(record->headers, slice_lit("Nonet-Sequence"), &sequence) ||
        number_parse_u64(oid, &number) || number != r->table->oid ||
        number_parse_u64(sequence, &number))
        return;
    r->judged.letter[r->tail] = record->sequence;
    if (number > r->skip[r->tail])
        r->skip[r->tail] = number;
}

static void on_tail(void *owner, const struct ledger_record *records, size_t count, uint64_t last,
                    bool at_end) {
    struct reader *r = owner;
    (void)last;
    for (size_t i = 0; i < count; i++)
        take_letter(r, &records[i]);
    if (!at_end) {
        ledger_read_next(r->read);
        return;
    }
    r->tail++;
    tail(r);
}

static void on_no_tail(void *owner, const struct error *why) {
    struct reader *r = owner;
    if (why->code == -ENOENT) { /* nothing was laid aside */
        r->tail++;
        tail(r);
    } else {
        pause_for(r, why->message);
    }
}

/* The target after the other, then the table's stream. */
static void tail(struct reader *r) {
    r->read = ledger_read_close(r->read);
    while (r->tail < TARGETS && !r->subject[r->tail])
        r->tail++;
    if (r->tail == TARGETS) {
        read_on(r);
        return;
    }
    const struct ledger_read_options options = {
        .subject = slice_str(r->subject[r->tail]),
        .from = r->judged.letter[r->tail] + 1,
        .piece = on_tail,
        .failed = on_no_tail,
        .owner = r,
    };
    if (ledger_read(r->asides->db->ledger, &options, &r->read) < 0)
        pause_for(r, "no memory");
}

static void on_note(void *owner, const struct ledger_record *records, size_t count, uint64_t last,
                    bool at_end) {
    struct reader *r = owner;
    (void)last;
    for (size_t i = 0; i < count; i++)
        read_note(r, records[i].payload);
    if (at_end)
        tail(r);
    else
        ledger_read_next(r->read);
}

static void on_no_note(void *owner, const struct error *why) {
    struct reader *r = owner;
    if (why->code == -ENOENT)
        tail(r);
    else
        pause_for(r, why->message);
}

static void begin(struct reader *r) {
    const struct ledger_read_options options = {
        .subject = slice_str(r->judged_subject),
        .from = 1,
        .piece = on_note,
        .failed = on_no_note,
        .owner = r,
    };
    r->tail = DEAD;
    r->has_sent = false;
    r->judged = (struct judged){.newest = INT64_MIN};
    memset(r->skip, 0, sizeof r->skip);
    r->read = ledger_read_close(r->read);
    if (ledger_read(r->asides->db->ledger, &options, &r->read) < 0)
        pause_for(r, "no memory");
}

/* --- readers ---------------------------------------------------------------------------------- */

static struct reader *reader_free(struct reader *r) {
    struct asides *a = r->asides;
    if (r->request)
        bus_request_cancel(a->bus, r->request);
    io_timer_stop(a->db->loop, &r->again);
    ledger_read_close(r->read);
    decoder_free(r->decoder);
    sql_builder_free(&r->builder);
    buf_free(&r->headers);
    for (unsigned i = 0; i < TARGETS; i++)
        mem_free(r->subject[i]);
    list_remove(&r->node);
    sql_table_unref(r->table);
    return mem_free(r);
}

/* The subject that option NAME of the table says: its own where it is true. To *RET; NULL: none. */
static int find_subject(const struct sql_table *t, const char *name, const char *prefix,
                        char **ret) {
    slice value = table_option(t, name);
    _cleanup_buf_ struct buf own_subject = buf_make(4096);
    if (!value.len || slice_equal_nocase(value, slice_lit("false")))
        return 0;
    if (slice_equal_nocase(value, slice_lit("true"))) {
        int r = buf_append(&own_subject, slice_str(prefix));
        if (r == 0 && !slice_equal(t->schema, slice_lit("public")))
            r = event_token(t->schema, &own_subject) || buf_append_byte(&own_subject, '.');
        if (r == 0)
            r = event_token(t->name, &own_subject);
        if (r)
            return -ENOMEM;
        value = buf_slice(&own_subject);
    }
    *ret = mem_copy(value.ptr, value.len);
    return *ret ? 0 : -ENOMEM;
}

static int fill(struct reader *r) {
    const struct sql_table *t = r->table;
    unsigned columns[SQL_COLUMNS_MAX], count = 0;
    int failed = find_subject(t, "dead_letter", own[DEAD].prefix, &r->subject[DEAD]);
    if (failed == 0)
        failed = find_subject(t, "late_rows", own[LATE].prefix, &r->subject[LATE]);
    r->time = -1;
    for (unsigned i = 0; i < t->columns; i++) {
        if (t->column[i].dropped)
            continue;
        if (t->watermark_column == (int)i)
            r->time = (int)count;
        columns[count++] = i;
    }
    r->headers = buf_make(HEADERS_BYTES_MAX);
    (void)snprintf(r->judged_subject, sizeof r->judged_subject, JUDGED_PREFIX "%u", t->oid);
    if (failed == 0)
        failed = decoder_new(t, columns, count, &r->asides->db->settings, &r->decoder);
    return failed ? failed : sql_builder_make(count, &r->builder);
}

static void start(struct asides *a, struct sql_table *t) {
    struct reader *r = mem_zalloc(1, sizeof *r);
    if (!r)
        return; /* looked for again with the next change of the catalog */
    r->asides = a;
    r->table = t;
    r->seen = true;
    t->references++;
    list_push_back(&a->readers, &r->node);
    int failed = fill(r);
    if (failed == 0) {
        begin(r);
        return;
    }
    if (a->db->logger)
        logger_write(a->db->logger, LOG_LEVEL_WARN, "sql", "records cannot be laid aside",
                     "table=%.*s why=%s", slice_fmt(t->name), error_name(failed));
    reader_free(r);
}

static bool says(const struct sql_table *t, const char *name) {
    slice value = table_option(t, name);
    return value.len && !slice_equal_nocase(value, slice_lit("false"));
}

static bool wants(const struct sql_table *t) {
    return t->kind == SQL_TABLE_STREAM && (says(t, "dead_letter") || says(t, "late_rows"));
}

static struct reader *find(const struct asides *a, const struct sql_table *t) {
    for (struct list_node *n = list_first(&a->readers); n; n = list_next(&a->readers, n))
        if (container_of(n, struct reader, node)->table == t)
            return container_of(n, struct reader, node);
    return NULL;
}

static void look(struct asides *a) {
    struct list_node *n, *next;
    struct sql_table *t;
    list_each(&a->readers, n, next) container_of(n, struct reader, node)->seen = false;
    for (unsigned at = 0; (t = sql_catalog_each_table(a->db->catalog, &at));) {
        struct reader *r = wants(t) ? find(a, t) : NULL;
        if (r)
            r->seen = true;
        else if (wants(t))
            start(a, t);
    }
    list_each(&a->readers, n, next) {
        struct reader *r = container_of(n, struct reader, node);
        if (!r->seen)
            reader_free(r);
    }
}

static void on_look(struct io_timer *timer) {
    struct asides *a = container_of(timer, struct asides, timer);
    uint64_t version = sql_catalog_version(a->db->catalog);
    if (a->db->ready && version != a->version) {
        a->version = version;
        look(a);
    }
    io_timer_start(a->db->loop, &a->timer, LOOK_NS, on_look);
}

int asides_open(struct database *db, struct bus *bus, struct asides **ret) {
    struct asides *a = mem_zalloc(1, sizeof *a);
    if (!a)
        return -ENOMEM;
    a->db = db;
    a->bus = bus;
    list_init(&a->readers);
    io_timer_start(db->loop, &a->timer, LOOK_NS, on_look);
    *ret = a;
    return 0;
}

struct asides *asides_close(struct asides *a) {
    if (!a)
        return NULL;
    struct list_node *n;
    while ((n = list_first(&a->readers)))
        reader_free(container_of(n, struct reader, node));
    io_timer_stop(a->db->loop, &a->timer);
    return mem_free(a);
}
