/*
 * decode.c - see decode.h.
 *
 *   columns -> paths -> json_pick: one pass over the document -> each field by what its column is
 *
 * What most documents hold is read here, straight from the bytes: integers, decimals, plain
 * strings, booleans, timestamps written as ISO 8601. All else goes the way of every value that
 * comes as text (sql_value_in), so that a form is never read in two ways: the short way takes only
 * what it understands wholly, and leaves the rest to the long one.
 *
 * Columns that are NOT NULL are looked for also where they are not read, so that which records are
 * rows does not depend on who asks for which columns. The types of columns that are not read are
 * not judged.
 */
#include "rooms/stream/decode.h"

#include "base/mem.h"
#include "base/utf8.h"
#include "sql/batch.h"
#include "sql/numeric.h"
#include "sql/text/json.h"
#include "sql/time/calendar.h"
#include "sql/time/datetime.h"
#include "wire/json_pick.h"
#include "wire/nats_headers.h"

#include <errno.h>

#define NO_FIELD UINT32_MAX
#define PATH_BYTES_MAX (2u * SQL_NAME_BYTES_MAX + 2u) /* "/", and a name of tildes and slashes */
#define MILLISECONDS_MAX INT64_C(9000000000000000) /* from 1970, either side: beyond timestamps */

enum how {
    HOW_INTEGER, /* int2, int4, int8 */
    HOW_NUMERIC,
    HOW_FLOAT8,
    HOW_BOOL,
    HOW_TEXT, /* text; varchar and char without a length */
    HOW_TIMESTAMP,
    HOW_JSON,
    HOW_VALUE, /* by sql_value_in */
};

/* What the message tells. */
enum told {
    TOLD_NOTHING,
    TOLD_SEQUENCE,
    TOLD_POSITION,
    TOLD_SUBJECT,
    TOLD_TIME,
    TOLD_PAYLOAD,
    TOLD_HEADER, /* whatever the document has */
};

struct slot {
    enum how how;
    enum told told;
    struct sql_type type;
    bool not_null, read;
    unsigned field;
    slice header; /* TOLD_HEADER */
    const struct sql_table_column *column;
};

struct decoder {
    const struct sql_table *table;
    const struct sql_settings *settings;
    struct json_picker *picker;
    struct json_field *fields;
    unsigned slots; /* columns of the batch, then those that are only looked at */
    struct slot *slot;
    bool raw; /* payloads are no documents: fields stay absent */
    const struct sql_table_column *refused;
};

/* --- making ----------------------------------------------------------------------------------- */

static enum how how_of(struct sql_type type) {
    switch (type.oid) {
    case SQL_INT2:
    case SQL_INT4:
    case SQL_INT8:
        return HOW_INTEGER;
    case SQL_NUMERIC:
        return HOW_NUMERIC;
    case SQL_FLOAT8:
        return HOW_FLOAT8;
    case SQL_BOOL:
        return HOW_BOOL;
    case SQL_TEXT:
    case SQL_VARCHAR:
        return type.typmod < 0 ? HOW_TEXT : HOW_VALUE;
    case SQL_TIMESTAMP:
    case SQL_TIMESTAMPTZ:
        return HOW_TIMESTAMP;
    case SQL_JSON:
    case SQL_JSONB:
        return HOW_JSON;
    default:
        return HOW_VALUE;
    }
}

static enum told told_of(const struct sql_table_column *c) {
    static const struct {
        slice name;
        uint32_t oid;
        enum told told;
    } all[] = {{slice_lit("nonet_sequence"), SQL_INT8, TOLD_SEQUENCE},
               {slice_lit("nonet_position"), SQL_INT8, TOLD_POSITION},
               {slice_lit("nonet_subject"), SQL_TEXT, TOLD_SUBJECT},
               {slice_lit("nonet_time"), SQL_TIMESTAMPTZ, TOLD_TIME},
               {slice_lit("nonet_payload"), SQL_TEXT, TOLD_PAYLOAD},
               {slice_lit("nonet_payload"), SQL_BYTEA, TOLD_PAYLOAD}};
    for (unsigned i = 0; i < array_count(all); i++)
        if (c->type.oid == all[i].oid && slice_equal(c->name, all[i].name))
            return all[i].told;
    return TOLD_NOTHING;
}

/* The JSON Pointer of column C, in OUT unless the column has one. */
static slice path_of(const struct sql_table_column *c, char out[PATH_BYTES_MAX]) {
    if (c->path.ptr)
        return c->path;
    size_t len = 0;
    out[len++] = '/';
    for (size_t i = 0; i < c->name.len && len + 2 <= PATH_BYTES_MAX; i++) {
        char byte = c->name.ptr[i];
        if (byte == '~' || byte == '/')
            out[len++] = '~';
        out[len++] = byte == '~' ? '0' : byte == '/' ? '1' : byte;
    }
    return slice_make(out, len);
}

struct paths {
    slice list[JSON_PICK_PATHS_MAX];
    char room[JSON_PICK_PATHS_MAX][PATH_BYTES_MAX];
    unsigned count;
};

/* The field of column C; two columns may share one. NO_FIELD: there are too many. */
static unsigned field_of(struct paths *p, const struct sql_table_column *c) {
    if (p->count == JSON_PICK_PATHS_MAX)
        return NO_FIELD;
    slice path = path_of(c, p->room[p->count]);
    for (unsigned i = 0; i < p->count; i++)
        if (slice_equal(p->list[i], path))
            return i;
    p->list[p->count] = path;
    return p->count++;
}

static bool is_read(const unsigned *columns, unsigned count, unsigned column) {
    for (unsigned i = 0; i < count; i++)
        if (columns[i] == column)
            return true;
    return false;
}

/* Option PREFIX and NAME of T; empty: there is none. */
static slice option_of(const struct sql_table *t, slice prefix, slice name) {
    for (unsigned i = 0; i < t->options; i++)
        if (slice_starts_with(t->option[i].name, prefix) &&
            slice_equal(slice_skip(t->option[i].name, prefix.len), name))
            return t->option[i].value;
    return (slice){NULL, 0};
}

static int add_slot(struct decoder *d, struct paths *p, unsigned column, bool read) {
    const struct sql_table_column *c = &d->table->column[column];
    struct slot *slot = &d->slot[d->slots++];
    slice header = option_of(d->table, slice_lit("header."), c->name);
    *slot = (struct slot){.how = how_of(c->type),
                          .told = header.len ? TOLD_HEADER : told_of(c),
                          .header = header,
                          .type = c->type,
                          .not_null = c->not_null,
                          .read = read,
                          .field = field_of(p, c),
                          .column = c};
    return slot->field == NO_FIELD ? -E2BIG : 0;
}

int decoder_new(const struct sql_table *table, const unsigned *columns, unsigned count,
                const struct sql_settings *settings, struct decoder **ret) {
    struct decoder *d = mem_zalloc(1, sizeof *d);
    struct paths *p = mem_zalloc(1, sizeof *p);
    int r = d && p ? 0 : -ENOMEM;
    if (r == 0) {
        d->table = table;
        d->settings = settings;
        d->raw =
            slice_equal(option_of(table, slice_lit("format"), slice_lit("")), slice_lit("raw"));
        d->slot = mem_zalloc((size_t)count + table->columns + 1, sizeof *d->slot);
        d->fields = mem_zalloc(JSON_PICK_PATHS_MAX, sizeof *d->fields);
        r = d->slot && d->fields ? 0 : -ENOMEM;
    }
    for (unsigned i = 0; r == 0 && i < count; i++)
        r = add_slot(d, p, columns[i], true);
    for (unsigned i = 0; r == 0 && i < table->columns; i++)
        if (table->column[i].not_null && !table->column[i].dropped && !is_read(columns, count, i))
            r = add_slot(d, p, i, false);
    if (r == 0 && p->count == 0)
        p->list[p->count++] = (slice){"", 0}; /* it has to be a document all the same */
    if (r == 0)
        r = json_picker_new(p->list, p->count, &d->picker);
    mem_free(p);
    if (r < 0)
        decoder_free(d);
    else
        *ret = d;
    return r == -EINVAL ? -E2BIG : r; /* a path that is none was refused by CREATE */
}

struct decoder *decoder_free(struct decoder *d) {
    if (!d)
        return NULL;
    json_picker_free(d->picker);
    mem_free(d->fields);
    mem_free(d->slot);
    return mem_free(d);
}

/* --- values ----------------------------------------------------------------------------------- */

/* The text of FIELD: of a string its content, else as it is written. */
static int text_of(const struct json_field *field, struct arena *memory, slice *ret) {
    if (field->type != JSON_STRING) {
        *ret = field->raw;
        return 0;
    }
    if (!field->escaped) {
        *ret = slice_make(field->raw.ptr + 1, field->raw.len - 2);
        return 0;
    }
    char *room = arena_alloc_aligned(memory, field->raw.len, 1);
    if (!room)
        return -ENOMEM;
    int r = json_pick_string(field, room, field->raw.len, ret);
    check(r == 0);
    return 0;
}

static int read_value(const struct decoder *d, const struct slot *slot,
                      const struct json_field *field, struct arena *memory, union sql_cell *ret,
                      struct sql_error *why) {
    slice text;
    int r = text_of(field, memory, &text);
    if (r == 0)
        r = sql_value_in(slot->type, text, d->settings, memory, ret, why);
    if (r == -ENOMEM && !why->state[0])
        (void)sql_fail_memory(why);
    return r;
}

static int read_text(const struct json_field *field, struct arena *memory, union sql_cell *ret,
                     struct sql_error *why) {
    int r = text_of(field, memory, &ret->text);
    if (r < 0)
        return sql_fail_memory(why);
    /* Only an escape can have brought a NUL: JSON has none in plain. */
    if (field->escaped && memchr(ret->text.ptr, '\0', ret->text.len))
        return sql_fail(why, "22P05", "\\u0000 cannot be converted to text");
    if (unlikely(ret->text.len > SQL_TEXT_BYTES_MAX))
        return sql_fail(why, "54000", "a text of more than %zu bytes", SQL_TEXT_BYTES_MAX);
    return 0;
}

/* WIDTH digits at AT. -1: something else stands there. */
static int digits(const char *at, unsigned width) {
    int number = 0;
    for (unsigned i = 0; i < width; i++) {
        if (at[i] < '0' || at[i] > '9')
            return -1;
        number = number * 10 + (at[i] - '0');
    }
    return number;
}

/* 2024-12-31T23:59:59[.123456][Z], also with a blank for the T. False: not so written. */
static bool read_iso(slice s, bool *ret_zone, int64_t *ret) {
    const char *p = s.ptr;
    if (s.len < 19 || p[4] != '-' || p[7] != '-' || (p[10] != 'T' && p[10] != ' ') ||
        p[13] != ':' || p[16] != ':')
        return false;
    int year = digits(p, 4), month = digits(p + 5, 2), day = digits(p + 8, 2);
    int hour = digits(p + 11, 2), minute = digits(p + 14, 2), second = digits(p + 17, 2);
    if (year < 1 || month < 1 || month > 12 || day < 1 || day > sql_month_days(year, month) ||
        hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59)
        return false;
    size_t at = 19;
    int64_t micro = 0, unit = 100000;
    if (at < s.len && p[at] == '.') {
        for (at++; at < s.len && p[at] >= '0' && p[at] <= '9' && unit > 0; at++, unit /= 10)
            micro += (p[at] - '0') * unit;
        if (p[at - 1] == '.')
            return false;
    }
    *ret_zone = at < s.len && p[at] == 'Z';
    if (at + *ret_zone != s.len)
        return false;
    *ret = sql_days_of(year, month, day) * SQL_US_PER_DAY + hour * SQL_US_PER_HOUR +
           minute * SQL_US_PER_MINUTE + second * SQL_US_PER_SECOND + micro;
    return true;
}

/* Milliseconds since 1970. */
static int read_milliseconds(const struct slot *slot, const struct json_field *field,
                             union sql_cell *ret, struct sql_error *why) {
    int64_t whole;
    double number;
    if (json_pick_i64(field, &whole) == 0 && whole < MILLISECONDS_MAX &&
        whole > -MILLISECONDS_MAX) {
        ret->i = sql_time_round(whole * 1000 + SQL_UNIX_EPOCH_US, slot->type.typmod);
    } else if (json_pick_double(field, &number) == 0 && number < (double)MILLISECONDS_MAX &&
               number > -(double)MILLISECONDS_MAX) {
        double micro = number * 1000.0;
        ret->i = (int64_t)(micro + (micro < 0 ? -0.5 : 0.5)) + SQL_UNIX_EPOCH_US;
        ret->i = sql_time_round(ret->i, slot->type.typmod);
    } else {
        ret->i = SQL_TIMESTAMP_END;
    }
    return sql_timestamp_valid(ret->i)
               ? 0
               : sql_fail(why, "22008", "timestamp out of range: \"%.*s\"", slice_fmt(field->raw));
}

static int read_timestamp(const struct decoder *d, const struct slot *slot,
                          const struct json_field *field, struct arena *memory, union sql_cell *ret,
                          struct sql_error *why) {
    if (field->type == JSON_NUMBER)
        return read_milliseconds(slot, field, ret, why);
    bool zone;
    int64_t time;
    slice text = slice_make(field->raw.ptr + 1, field->raw.len - 2);
    if (field->type == JSON_STRING && !field->escaped && read_iso(text, &zone, &time) &&
        (slot->type.oid == SQL_TIMESTAMP || zone || !d->settings || !d->settings->zone)) {
        ret->i = slot->type.typmod < 0 ? time : sql_time_round(time, slot->type.typmod);
        return 0;
    }
    return read_value(d, slot, field, memory, ret, why);
}

static int read_integer(const struct decoder *d, const struct slot *slot,
                        const struct json_field *field, struct arena *memory, union sql_cell *ret,
                        struct sql_error *why) {
    int64_t number;
    if (field->type != JSON_NUMBER || json_pick_i64(field, &number) < 0 ||
        (slot->type.oid == SQL_INT4 && number != (int32_t)number) ||
        (slot->type.oid == SQL_INT2 && number != (int16_t)number))
        return read_value(d, slot, field, memory, ret, why);
    ret->i = number;
    return 0;
}

static int read_json(const struct decoder *d, const struct slot *slot,
                     const struct json_field *field, struct arena *memory, union sql_cell *ret,
                     struct sql_error *why) {
    return sql_value_in(slot->type, field->raw, d->settings, memory, ret, why);
}

static int read_cell(const struct decoder *d, const struct slot *slot,
                     const struct json_field *field, struct arena *memory, union sql_cell *ret,
                     struct sql_error *why) {
    switch (slot->how) {
    case HOW_INTEGER:
        return read_integer(d, slot, field, memory, ret, why);
    case HOW_TEXT:
        return read_text(field, memory, ret, why);
    case HOW_TIMESTAMP:
        return read_timestamp(d, slot, field, memory, ret, why);
    case HOW_JSON:
        return read_json(d, slot, field, memory, ret, why);
    case HOW_NUMERIC:
        if (field->type == JSON_NUMBER && slot->type.typmod < 0 &&
            sql_numeric_parse(field->raw, memory, &ret->numeric) == 0)
            return 0;
        break;
    case HOW_FLOAT8:
        if (field->type == JSON_NUMBER && json_pick_double(field, &ret->f) == 0)
            return 0;
        break;
    case HOW_BOOL: {
        bool yes;
        if (field->type == JSON_BOOL && json_pick_bool(field, &yes) == 0) {
            ret->i = yes;
            return 0;
        }
        break;
    }
    case HOW_VALUE:
        break;
    }
    return read_value(d, slot, field, memory, ret, why);
}

/* What a header says, as text of the column's type. */
static int read_header(const struct decoder *d, const struct slot *slot,
                       const struct ledger_record *record, struct arena *memory,
                       union sql_cell *ret, bool *ret_null, struct sql_error *why) {
    slice text;
    *ret_null = !nats_headers_get(record->headers, slot->header, &text);
    return *ret_null ? 0 : sql_value_in(slot->type, text, d->settings, memory, ret, why);
}

/* Text has no NUL and is UTF-8. */
static bool fits_payload(const struct slot *slot, slice payload) {
    return slot->type.oid == SQL_BYTEA || (utf8_valid(payload) && slice_find(payload, '\0') < 0 &&
                                           payload.len <= SQL_TEXT_BYTES_MAX);
}

static void read_told(enum told told, const struct ledger_record *record, union sql_cell *ret) {
    if (told == TOLD_PAYLOAD)
        ret->text = record->payload;
    else if (told == TOLD_SUBJECT)
        ret->text = record->subject;
    else if (told == TOLD_TIME)
        ret->i = sql_floor_div(record->time_ns, 1000) + SQL_UNIX_EPOCH_US;
    else
        ret->i = (int64_t)(told == TOLD_SEQUENCE ? record->sequence : record->position);
}

/* --- rows ------------------------------------------------------------------------------------- */

slice decoder_refused(const struct decoder *d) {
    return d->refused ? d->refused->name : (slice){NULL, 0};
}

static int refuse(struct decoder *d, const struct slot *slot, const struct ledger_record *record,
                  struct sql_error *why) {
    if (strcmp(why->state, "53200") == 0)
        return -ENOMEM;
    d->refused = slot->column;
    sql_error_detail(why, "Column \"%.*s\" of table \"%.*s\", record %llu.",
                     slice_fmt(slot->column->name), slice_fmt(d->table->name),
                     (unsigned long long)record->sequence);
    return -EBADMSG;
}

static int refuse_document(struct decoder *d, int picked, const struct ledger_record *record,
                           struct sql_error *why) {
    struct error e;
    d->refused = NULL;
    json_pick_explain(d->picker, picked, (slice){0}, &e);
    (void)sql_fail(why, "22P02", "the document is no JSON: %s at %s", e.message, e.place);
    sql_error_detail(why, "Table \"%.*s\", record %llu.", slice_fmt(d->table->name),
                     (unsigned long long)record->sequence);
    return -EBADMSG;
}

int decoder_add(struct decoder *d, const struct ledger_record *record, struct sql_builder *b,
                struct sql_error *ret_why) {
    int picked = d->raw ? 0 : json_pick(d->picker, record->payload, d->fields);
    if (unlikely(picked < 0))
        return refuse_document(d, picked, record, ret_why);
    for (unsigned i = 0; i < d->slots; i++) {
        const struct slot *slot = &d->slot[i];
        const struct json_field *field = &d->fields[slot->field];
        union sql_cell cell = {.i = 0};
        bool absent = field->type == JSON_ABSENT, null = absent || field->type == JSON_NULL;
        if (unlikely(slot->told == TOLD_HEADER)) {
            ret_why->state[0] = '\0';
            if (read_header(d, slot, record, &b->memory, &cell, &null, ret_why) < 0)
                return refuse(d, slot, record, ret_why);
        } else if (null && absent && slot->told != TOLD_NOTHING) {
            read_told(slot->told, record, &cell);
            null = slot->told == TOLD_PAYLOAD && !fits_payload(slot, record->payload);
        } else if (!null && slot->read) {
            ret_why->state[0] = '\0';
            if (unlikely(read_cell(d, slot, field, &b->memory, &cell, ret_why) < 0))
                return refuse(d, slot, record, ret_why);
        }
        if (unlikely(null && slot->not_null)) {
            (void)sql_fail(ret_why, "23502",
                           "null value in column \"%.*s\" of relation \"%.*s\" violates not-null "
                           "constraint",
                           slice_fmt(slot->column->name), slice_fmt(d->table->name));
            return refuse(d, slot, record, ret_why);
        }
        if (slot->read)
            sql_builder_set(b, i, &cell, null);
    }
    sql_builder_end(b, 1);
    return 0;
}
