/*
 * told.c - see told.h.
 *
 * A step is walked up to three times: what has a row after it (upserts alone, whose rows that go
 * are told only where none comes in their place), how many messages there are, and the messages.
 */
#include "rooms/stream/told.h"

#include "base/mem.h"
#include "bus/bus.h"
#include "bus/private.h"
#include "rooms/stream/changelog_server.h"
#include "sql/text/json.h"
#include "sql/text/json_write.h"
#include "wire/nats_headers.h"

#include <errno.h>
#include <stdio.h>

#define ROW_BYTES_MAX ((size_t)64 << 20)
#define LATEST_ENTRY_BYTES 64u /* of the map, for each key */
#define LATEST_MAX ((size_t)64 << 20)

/* What an upsert has told of a key last. */
struct latest {
    size_t prefix_len, len;
    char bytes[]; /* the entry */
};

/* --- rows ------------------------------------------------------------------------------------- */

struct cells {
    const struct told *told;
    const union sql_cell *cells;
    const uint8_t *nulls;
};

/* The text of one value, as the user would write it. */
static int column_text(void *self, unsigned column, struct buf *out, bool *ret_null) {
    const struct cells *c = self;
    *ret_null = c->nulls[column];
    return *ret_null
               ? 0
               : sql_value_out(c->told->types[column], &c->cells[column], c->told->settings, out);
}

static int write_member(const struct told *t, const struct cells *c, unsigned column, bool first,
                        struct buf *out) {
    size_t from = column ? t->key_end[column - 1] : 0;
    int r = first ? 0 : buf_append_byte(out, ',');
    if (r == 0)
        r = buf_append(out, slice_make(t->keys.ptr + from, t->key_end[column] - from));
    return r < 0 ? r
                 : sql_json_write(t->types[column], &c->cells[column], c->nulls[column],
                                  t->settings, out);
}

/* An object of COLUMNS (NULL: all, in order). */
static int write_object(const struct told *t, const struct cells *c, const unsigned *columns,
                        unsigned count, struct buf *out) {
    int r = buf_append_byte(out, '{');
    for (unsigned i = 0; r == 0 && i < count; i++)
        r = write_member(t, c, columns ? columns[i] : i, i == 0, out);
    return r < 0 ? r : buf_append_byte(out, '}');
}

int told_row(struct told *t, const union sql_cell *cells, const uint8_t *nulls) {
    struct cells c = {t, cells, nulls};
    const struct sql_sink *sink = t->sink;
    struct buf *out = &t->entry;
    int r = 0;
    buf_clear(out);
    if (sink) {
        r = sql_sink_subject(sink, column_text, &c, out);
        if (r == 0 && out->len > BUS_SUBJECT_MAX)
            r = -ENAMETOOLONG;
        if (r == 0)
            r = buf_append_byte(out, '\n');
        if (r == 0 && sink->type == SQL_SINK_UPSERT)
            r = write_object(t, &c, sink->key, sink->keys, out);
        if (r == 0)
            r = buf_append_byte(out, '\n');
    }
    return r < 0 ? r : write_object(t, &c, NULL, t->table->columns, out);
}

/* An entry's parts; the prefix is what an upsert is known by. */
struct parts {
    slice subject, key, json, prefix;
};

static struct parts parts_of(const struct told *t, slice entry) {
    struct parts p = {.json = entry};
    if (!t->sink)
        return p;
    p.subject = slice_cut(entry, '\n', &p.json);
    p.key = slice_cut(p.json, '\n', &p.json);
    p.prefix = slice_take(entry, p.subject.len + 1 + p.key.len);
    return p;
}

/* --- messages --------------------------------------------------------------------------------- */

struct step {
    struct told *told;
    struct buf *out;
    uint64_t position, at, count; /* message `at` of `count` of the step */
    struct changes there;         /* UPSERT: prefixes that have a row after the step */
    int (*each)(struct step *s, slice entry, int64_t weight);
};

static int put_headers(struct step *s, const char *op, slice key) {
    struct buf *out = s->out;
    char step[64];
    int r = nats_headers_begin(out, 0, (slice){0});
    if (r == 0)
        r = nats_headers_add(out, slice_lit("Nonet-Op"), slice_str(op));
    if (r == 0)
        r = nats_headers_add_u64(out, slice_lit("Nonet-Position"), s->position);
    if (r == 0)
        r = nats_headers_add_u64(out, slice_lit("Nonet-Change"), ++s->told->number);
    (void)snprintf(step, sizeof step, "%llu/%llu", (unsigned long long)++s->at,
                   (unsigned long long)s->count);
    if (r == 0)
        r = nats_headers_add(out, slice_lit("Nonet-Step"), slice_str(step));
    if (r == 0 && key.len)
        r = nats_headers_add(out, slice_lit("Nonet-Key"), key);
    return r < 0 ? r : nats_headers_end(out);
}

static int put_message(struct step *s, const char *op, const struct parts *p, slice payload) {
    struct buf *out = s->out;
    struct tell_item item = {.subject_len = told_varies(s->told) ? (uint32_t)p->subject.len : 0,
                             .payload_len = (uint32_t)payload.len};
    size_t at = out->len, headers;
    int r = buf_append(out, slice_make(&item, sizeof item));
    if (r == 0 && item.subject_len)
        r = buf_append(out, p->subject);
    headers = out->len;
    if (r == 0)
        r = put_headers(s, op, p->key);
    if (r < 0)
        return r;
    item.headers_len = (uint32_t)(out->len - headers);
    item.ends_step = s->at == s->count;
    memcpy(out->ptr + at, &item, sizeof item);
    return buf_append(out, payload);
}

static bool is_there(const struct step *s, slice prefix) {
    return map_find(&s->there.rows, prefix) != NULL;
}

static int note_there(struct step *s, slice entry, int64_t weight) {
    return weight > 0 ? changes_count(&s->there, parts_of(s->told, entry).prefix, 1) : 0;
}

static int put_upsert(struct step *s, slice entry, int64_t weight) {
    struct parts p = parts_of(s->told, entry);
    if (weight < 0 && is_there(s, p.prefix))
        return 0;
    return weight < 0 ? put_message(s, "delete", &p, (slice){0})
                      : put_message(s, "upsert", &p, p.json);
}

static int count_upsert(struct step *s, slice entry, int64_t weight) {
    s->count += weight > 0 || !is_there(s, parts_of(s->told, entry).prefix);
    return 0;
}

static int put_row(struct step *s, slice entry, int64_t weight) {
    struct parts p = parts_of(s->told, entry);
    int r = 0;
    if (weight < 0 && !told_repeats(s->told))
        return 0; /* told once is told */
    for (int64_t n = weight < 0 ? -weight : weight; r == 0 && n > 0; n--)
        r = put_message(s, weight < 0 ? "delete" : "insert", &p, p.json);
    return r;
}

static int count_weight(void *self, slice row, int64_t weight) {
    struct step *s = self;
    (void)row;
    if (weight > 0 || told_repeats(s->told))
        s->count += (uint64_t)(weight < 0 ? -weight : weight);
    return 0;
}

static int each_entry(void *self, slice entry, int64_t weight) {
    struct step *s = self;
    return s->each(s, entry, weight);
}

static int each_row(void *self, slice row, int64_t weight) {
    struct step *s = self;
    struct told *t = s->told;
    union sql_cell cells[SQL_COLUMNS_MAX];
    uint8_t nulls[SQL_COLUMNS_MAX];
    struct arena memory = arena_make(0, ROW_BYTES_MAX);
    int r =
        sql_row_decode(row, t->types, t->table->columns, &memory, cells, nulls) < 0 ? -ENOMEM : 0;
    if (r == 0)
        r = told_row(t, cells, nulls);
    arena_free(&memory);
    return r < 0 ? r : s->each(s, buf_slice(&t->entry), weight);
}

static int walk(struct step *s, const struct changes *changes, bool entries,
                int (*each)(struct step *s, slice entry, int64_t weight)) {
    s->each = each;
    return changes_each(changes, entries ? each_entry : each_row, s);
}

int told_write(struct told *t, const struct changes *changes, bool entries, bool reset,
               uint64_t position, struct buf *out) {
    bool upsert = t->sink && t->sink->type == SQL_SINK_UPSERT;
    struct step s = {.told = t, .out = out, .position = position, .count = reset};
    s.there = changes_make(NULL, 0, changes->bytes_max);
    int r =
        upsert ? walk(&s, changes, entries, note_there) : changes_each(changes, count_weight, &s);
    if (r == 0 && upsert)
        r = walk(&s, changes, entries, count_upsert);
    if (r == 0 && reset)
        r = put_message(&s, "reset", &(struct parts){.subject = told_subject(t)}, (slice){0});
    if (r == 0)
        r = walk(&s, changes, entries, upsert ? put_upsert : put_row);
    changes_free(&s.there);
    return r;
}

/* --- reading back ----------------------------------------------------------------------------- */

static bool header_number(slice headers, const char *key, uint64_t *ret) {
    slice value;
    *ret = 0;
    if (!nats_headers_get(headers, slice_str(key), &value) || !value.len || value.len > 19)
        return false;
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] < '0' || value.ptr[i] > '9')
            return false;
        *ret = *ret * 10 + (uint64_t)(value.ptr[i] - '0');
    }
    return true;
}

static void forget(struct told *t, struct latest *l) {
    if (!l)
        return;
    t->latest_bytes -= sizeof *l + l->len + LATEST_ENTRY_BYTES;
    mem_free(l);
}

static void forget_all(struct told *t) {
    const struct map_entry *entry;
    for (size_t at = 0; (entry = map_next(&t->latest, &at));)
        mem_free(entry->value);
    map_free(&t->latest);
    t->latest_bytes = 0;
}

/* The entry in t->entry, whose first PREFIX_LEN bytes it is known by, is the last of its key. */
static int keep_latest(struct told *t, size_t prefix_len, uint64_t bytes_max) {
    slice entry = buf_slice(&t->entry), prefix = slice_take(entry, prefix_len);
    forget(t, map_remove(&t->latest, prefix));
    size_t size = sizeof(struct latest) + entry.len;
    if (t->latest_bytes + size + LATEST_ENTRY_BYTES > bytes_max)
        return -ENOBUFS;
    struct latest *l = mem_alloc(size);
    if (!l)
        return -ENOMEM;
    *l = (struct latest){prefix_len, entry.len};
    memcpy(l->bytes, entry.ptr, entry.len);
    t->latest_bytes += size + LATEST_ENTRY_BYTES;
    int r = map_add(&t->latest, slice_make(l->bytes, prefix_len), l);
    if (r < 0)
        forget(t, l);
    return r;
}

void told_read_begin(struct told *t, struct changes *fold) {
    changes_clear(fold);
    forget_all(t);
    t->number = 0;
    t->whole = !told_resets(t);
}

static int put_entry(struct told *t, const struct ledger_record *record, slice key) {
    struct buf *out = &t->entry;
    buf_clear(out);
    int r = 0;
    if (t->sink) {
        r = buf_append(out, record->subject);
        if (r == 0)
            r = buf_append_byte(out, '\n');
        if (r == 0)
            r = buf_append(out, key);
        if (r == 0)
            r = buf_append_byte(out, '\n');
    }
    return r < 0 ? r : buf_append(out, record->payload);
}

int told_read(struct told *t, const struct ledger_record *record, struct changes *fold) {
    slice op, key = {0};
    uint64_t number;
    if (!nats_headers_get(record->headers, slice_lit("Nonet-Op"), &op) ||
        !header_number(record->headers, "Nonet-Change", &number))
        return 0; /* none of ours */
    bool upsert = t->sink && t->sink->type == SQL_SINK_UPSERT;
    bool follows = number == t->number + 1;
    t->number = number;
    (void)nats_headers_get(record->headers, slice_lit("Nonet-Key"), &key);
    if (slice_equal(op, slice_lit("reset")) && told_resets(t)) {
        changes_clear(fold);
        t->whole = true;
        return 0;
    }
    t->whole &= upsert || follows;
    if (!t->whole)
        return 0;
    int r = put_entry(t, record, key);
    if (r < 0)
        return r;
    if (upsert)
        return keep_latest(t, record->subject.len + 1 + key.len, fold->bytes_max);
    return changes_count(fold, buf_slice(&t->entry), slice_equal(op, slice_lit("insert")) ? -1 : 1);
}

/* A key without payload has no row any more. */
int told_read_end(struct told *t, struct changes *fold) {
    const struct map_entry *entry;
    int r = 0;
    for (size_t at = 0; r == 0 && (entry = map_next(&t->latest, &at));) {
        const struct latest *l = entry->value;
        if (l->len > l->prefix_len + 1)
            r = changes_count(fold, slice_make(l->bytes, l->len), -1);
    }
    forget_all(t);
    if (!t->whole)
        changes_clear(fold);
    return r;
}

/* --- life ------------------------------------------------------------------------------------- */

static int write_keys(struct told *t) {
    int r = 0;
    for (unsigned i = 0; r == 0 && i < t->table->columns; i++) {
        r = sql_json_quote(t->table->column[i].name, &t->keys);
        if (r == 0)
            r = buf_append_byte(&t->keys, ':');
        t->key_end[i] = t->keys.len;
        t->types[i] = t->table->column[i].type;
    }
    return r;
}

/* view.NAME, of another schema than public view.SCHEMA.NAME. */
static int view_subject(struct told *t) {
    int r = buf_append(&t->subject, slice_lit(BUS_VIEW_PREFIX));
    if (r == 0 && !slice_equal(t->table->schema, slice_lit("public"))) {
        r = sql_sink_token(t->table->schema, &t->subject);
        if (r == 0)
            r = buf_append_byte(&t->subject, '.');
    }
    return r < 0 ? r : sql_sink_token(t->table->name, &t->subject);
}

/* A key that was not given is the view's own. */
static int read_sink(struct told *t) {
    struct sql_error error;
    t->sink = arena_zalloc(&t->memory, 1, sizeof *t->sink);
    if (!t->sink)
        return -ENOMEM;
    int r = sql_sink_read(t->table, &t->memory, t->sink, &error);
    const struct sql_table_index *key = t->table->key;
    if (r < 0 || t->sink->type != SQL_SINK_UPSERT || t->sink->keys || !key)
        return r < 0 ? r : buf_append(&t->subject, t->sink->pattern);
    for (unsigned i = 0; i < key->columns && i < SQL_SINK_KEYS_MAX; i++)
        t->sink->key[t->sink->keys++] = key->column[i];
    return buf_append(&t->subject, t->sink->pattern);
}

int told_init(struct told *t, const struct sql_table *table, const struct sql_settings *settings) {
    static const struct hash_key unkeyed;
    *t = (struct told){.table = table, .settings = settings, .memory = arena_make(0, 1u << 20)};
    t->subject = buf_make(1u << 20);
    t->keys = buf_make(1u << 20);
    t->entry = buf_make(ROW_BYTES_MAX);
    t->latest = map_make(unkeyed, LATEST_MAX);
    t->key_end = mem_zalloc(table->columns + 1u, sizeof *t->key_end);
    t->types = mem_zalloc(table->columns + 1u, sizeof *t->types);
    int r = t->key_end && t->types ? write_keys(t) : -ENOMEM;
    if (r == 0)
        r = sql_is_sink(table) ? read_sink(t) : view_subject(t);
    if (r < 0)
        told_free(t);
    return r;
}

void told_free(struct told *t) {
    forget_all(t);
    buf_free(&t->subject);
    buf_free(&t->keys);
    buf_free(&t->entry);
    t->key_end = mem_free(t->key_end);
    t->types = mem_free(t->types);
    arena_free(&t->memory);
    t->sink = NULL;
}
