/*
 * json_change.c - jsonb with parts added, replaced or gone: || - #- jsonb_set, jsonb_insert.
 *
 * The changed document is written as JSON text and goes through sql_jsonb_in, which puts members
 * in their order and lets the last of a repeated key count; so adding a member is appending it.
 */
#include "base/number.h"
#include "sql/text/json.h"
#include "sql/text/text_functions.h"

#include <errno.h>

static int give_jsonb(struct sql_call *call, int failed, const struct buf *out,
                      union sql_cell *ret) {
    if (failed)
        return text_fail(call, failed);
    return sql_jsonb_in(buf_slice(out), call->memory, &ret->text, call->error);
}

/* One more part of a container under way, behind a comma where it is not the first. */
struct parts {
    struct buf *out;
    bool some;
    int failed;
};

static void put(struct parts *p, slice bytes) {
    p->failed = p->failed ? p->failed : buf_append(p->out, bytes);
}

static void next_part(struct parts *p) {
    if (p->some)
        put(p, slice_lit(", "));
    p->some = true;
}

/* The key of a member and what stands behind it; nothing of an element. */
static void put_key(struct parts *p, const struct sql_json_walk *w, slice colon) {
    if (!w->object)
        return;
    put(p, sql_json_quoted_key(w));
    put(p, colon);
}

static void put_part(struct parts *p, const struct sql_json_walk *w) {
    next_part(p);
    put_key(p, w, slice_lit(": "));
    put(p, w->value);
}

static void put_all(struct parts *p, slice container) {
    struct sql_json_walk w = sql_json_each(container);
    while (sql_json_next(&w))
        put_part(p, &w);
}

/* Two objects become one; anything else becomes an array, whose elements what is no array is. */
static int concat(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    bool objects = sql_json_kind_of(a[0].text) == SQL_JSON_OBJECT &&
                   sql_json_kind_of(a[1].text) == SQL_JSON_OBJECT;
    _cleanup_buf_ struct buf out = text_buf();
    struct parts p = {.out = &out};
    put(&p, objects ? slice_lit("{") : slice_lit("["));
    for (unsigned i = 0; i < 2; i++) {
        if (objects || sql_json_kind_of(a[i].text) == SQL_JSON_ARRAY) {
            put_all(&p, a[i].text);
        } else {
            next_part(&p);
            put(&p, a[i].text);
        }
    }
    put(&p, objects ? slice_lit("}") : slice_lit("]"));
    return give_jsonb(call, p.failed, &out, ret);
}

static int check_container(struct sql_call *call, slice value, const char *what) {
    if (sql_json_kind_of(value) >= SQL_JSON_ARRAY)
        return 0;
    return sql_fail(call->error, "22023", "cannot %s scalar", what);
}

/* Is the part W the member, or the string, NAMED (quoted)? */
static bool part_is(const struct sql_json_walk *w, slice quoted) {
    return slice_equal(w->object ? sql_json_quoted_key(w) : w->value, quoted);
}

/* Writes VALUE without the parts called NAMES[0 .. COUNT), NULLs among which are skipped. */
static int without(struct sql_call *call, slice value, const union sql_cell *names,
                   const uint8_t *nulls, unsigned count, union sql_cell *ret) {
    _cleanup_buf_ struct buf out = text_buf(), quoted = text_buf();
    struct parts p = {.out = &out};
    int failed = check_container(call, value, "delete from");
    if (failed)
        return failed;
    struct sql_json_walk w = sql_json_each(value);
    put(&p, w.object ? slice_lit("{") : slice_lit("["));
    while (!p.failed && sql_json_next(&w)) {
        bool gone = false;
        for (unsigned i = 0; i < count && !gone && !p.failed; i++) {
            if (nulls && nulls[i])
                continue;
            buf_clear(&quoted);
            p.failed = sql_json_quote(names[i].text, &quoted);
            gone = part_is(&w, buf_slice(&quoted));
        }
        if (!gone)
            put_part(&p, &w);
    }
    put(&p, w.object ? slice_lit("}") : slice_lit("]"));
    return give_jsonb(call, p.failed, &out, ret);
}

static int delete_name(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return without(call, a[0].text, &a[1], NULL, 1, ret);
}

static int delete_names(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    if (a[1].array->dimensions > 1)
        return sql_fail(call->error, "2202E", "wrong number of array subscripts");
    return without(call, a[0].text, a[1].array->cells, a[1].array->nulls, a[1].array->count, ret);
}

static int delete_index(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    int failed = check_container(call, a[0].text, "delete from");
    if (failed)
        return failed;
    if (sql_json_kind_of(a[0].text) == SQL_JSON_OBJECT)
        return sql_fail(call->error, "22023", "cannot delete from object using integer index");
    _cleanup_buf_ struct buf out = text_buf();
    struct parts p = {.out = &out};
    int64_t index = a[1].i < 0 ? a[1].i + sql_json_count(a[0].text) : a[1].i;
    struct sql_json_walk w = sql_json_each(a[0].text);
    put(&p, slice_lit("["));
    for (int64_t i = 0; sql_json_next(&w); i++)
        if (i != index)
            put_part(&p, &w);
    put(&p, slice_lit("]"));
    return give_jsonb(call, p.failed, &out, ret);
}

enum change { REMOVE, REPLACE, SET, INSERT_BEFORE, INSERT_AFTER };

/* VALUE with the part at PATH changed: one level of the walk down. */
struct changer {
    struct sql_call *call;
    const struct sql_array *path;
    enum change change;
    slice by; /* the new value */
    struct parts parts;
};

static int change_level(struct changer *c, slice value, unsigned level);

/* What comes of the part W at the end of the path. */
static int change_part(struct changer *c, const struct sql_json_walk *w) {
    struct sql_json_walk changed = *w;
    changed.value = c->by;
    switch (c->change) {
    case REMOVE:
        break;
    case REPLACE:
    case SET:
        put_part(&c->parts, &changed);
        break;
    case INSERT_BEFORE:
    case INSERT_AFTER:
        if (w->object) {
            (void)sql_fail(c->call->error, "22023", "cannot replace existing key");
            sql_error_hint(c->call->error,
                           "Try using the function jsonb_set to replace key value.");
            return -EINVAL;
        }
        put_part(&c->parts, c->change == INSERT_BEFORE ? &changed : w);
        put_part(&c->parts, c->change == INSERT_BEFORE ? w : &changed);
        break;
    }
    return 0;
}

static int change_found(struct changer *c, const struct sql_json_walk *w, unsigned level) {
    if (level + 1 == c->path->count)
        return change_part(c, w);
    next_part(&c->parts);
    put_key(&c->parts, w, slice_lit(": "));
    return change_level(c, w->value, level + 1);
}

static int change_object(struct changer *c, slice object, unsigned level) {
    _cleanup_buf_ struct buf key = text_buf();
    int failed = sql_json_quote(c->path->cells[level].text, &key);
    struct sql_json_walk w = sql_json_each(object);
    bool found = false;
    while (!failed && sql_json_next(&w)) {
        if (!part_is(&w, buf_slice(&key))) {
            put_part(&c->parts, &w);
            continue;
        }
        found = true;
        failed = change_found(c, &w, level);
    }
    if (failed || found || level + 1 < c->path->count || c->change < SET)
        return failed;
    next_part(&c->parts);
    put(&c->parts, buf_slice(&key));
    put(&c->parts, slice_lit(": "));
    put(&c->parts, c->by);
    return 0;
}

/* An index before the first or behind the last part adds there. */
static int change_array(struct changer *c, slice array, unsigned level) {
    slice name = c->path->cells[level].text;
    int64_t index = 0, count = sql_json_count(array);
    if (number_parse_i64(name, INT32_MIN, INT32_MAX, &index)) {
        return sql_fail(c->call->error, "22P02",
                        "path element at position %u is not an integer: \"%.*s\"", level + 1,
                        slice_fmt(name));
    }
    bool adds = c->change >= SET && level + 1 == c->path->count;
    index = index < 0 ? index + count : index;
    if (index < 0 && adds) {
        next_part(&c->parts);
        put(&c->parts, c->by);
    }
    struct sql_json_walk w = sql_json_each(array);
    int failed = 0;
    for (int64_t i = 0; !failed && sql_json_next(&w); i++) {
        if (i == index)
            failed = change_found(c, &w, level);
        else
            put_part(&c->parts, &w);
    }
    if (!failed && index >= count && adds) {
        next_part(&c->parts);
        put(&c->parts, c->by);
    }
    return failed;
}

static int change_level(struct changer *c, slice value, unsigned level) {
    enum sql_json_kind kind = sql_json_kind_of(value);
    if (kind < SQL_JSON_ARRAY) {
        put(&c->parts, value);
        return 0;
    }
    if (text_element_null(c->path, level))
        return sql_fail(c->call->error, "22004", "path element at position %u is null", level + 1);
    bool some = c->parts.some;
    c->parts.some = false;
    put(&c->parts, kind == SQL_JSON_OBJECT ? slice_lit("{") : slice_lit("["));
    int failed =
        kind == SQL_JSON_OBJECT ? change_object(c, value, level) : change_array(c, value, level);
    put(&c->parts, kind == SQL_JSON_OBJECT ? slice_lit("}") : slice_lit("]"));
    c->parts.some = some;
    return failed;
}

static int change(struct sql_call *call, slice value, const struct sql_array *path,
                  enum change change, slice by, union sql_cell *ret) {
    if (path->dimensions > 1)
        return sql_fail(call->error, "2202E", "wrong number of array subscripts");
    int failed = check_container(call, value, change == REMOVE ? "delete path in" : "set path in");
    if (failed)
        return failed;
    struct sql_json_walk parts = sql_json_each(value);
    bool makes = change != REMOVE && change != REPLACE;
    if (path->count == 0 || (!makes && !sql_json_next(&parts))) {
        ret->text = value;
        return 0;
    }
    _cleanup_buf_ struct buf out = text_buf();
    struct changer c = {call, path, change, by, {.out = &out}};
    failed = change_level(&c, value, 0);
    return give_jsonb(call, failed ? failed : c.parts.failed, &out, ret);
}

static int delete_path(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return change(call, a[0].text, a[1].array, REMOVE, slice_lit(""), ret);
}

static int jsonb_set(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    bool create = call->count < 4 || a[3].i;
    return change(call, a[0].text, a[1].array, create ? SET : REPLACE, a[2].text, ret);
}

static int jsonb_insert(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    bool after = call->count > 3 && a[3].i;
    return change(call, a[0].text, a[1].array, after ? INSERT_AFTER : INSERT_BEFORE, a[2].text,
                  ret);
}

/* jsonb_set where a NULL as the new value is treated as asked. */
static int jsonb_set_lax(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    call->null =
        text_null(call, 0) || text_null(call, 1) || (call->count > 3 && text_null(call, 3));
    if (call->null)
        return 0;
    bool create = call->count < 4 || a[3].i;
    if (!text_null(call, 2) && !(call->count > 4 && text_null(call, 4)))
        return change(call, a[0].text, a[1].array, create ? SET : REPLACE, a[2].text, ret);
    slice how = call->count > 4 ? a[4].text : slice_lit("use_json_null");
    if (call->count > 4 && text_null(call, 4))
        how = slice_lit(""); /* none of them */
    if (slice_equal(how, slice_lit("use_json_null")))
        return change(call, a[0].text, a[1].array, create ? SET : REPLACE, slice_lit("null"), ret);
    if (slice_equal(how, slice_lit("delete_key")))
        return change(call, a[0].text, a[1].array, REMOVE, slice_lit(""), ret);
    ret->text = a[0].text;
    if (slice_equal(how, slice_lit("return_target")))
        return 0;
    if (slice_equal(how, slice_lit("raise_exception")))
        return sql_fail(call->error, "22004", "JSON value must not be null");
    return sql_fail(call->error, "22023",
                    "null_value_treatment must be \"delete_key\", \"return_target\", "
                    "\"use_json_null\", or \"raise_exception\"");
}

/* Members whose value is null go, at all depths. BETWEEN and COLON as the form has them. */
static void strip(struct parts *p, slice value, slice between, slice colon) {
    enum sql_json_kind kind = sql_json_kind_of(value);
    if (kind < SQL_JSON_ARRAY) {
        put(p, value);
        return;
    }
    struct sql_json_walk w = sql_json_each(value);
    bool some = false;
    put(p, w.object ? slice_lit("{") : slice_lit("["));
    while (!p->failed && sql_json_next(&w)) {
        if (w.object && sql_json_kind_of(w.value) == SQL_JSON_NULL)
            continue;
        if (some)
            put(p, between);
        some = true;
        put_key(p, &w, colon);
        strip(p, w.value, between, colon);
    }
    put(p, w.object ? slice_lit("}") : slice_lit("]"));
}

static int strip_nulls(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    _cleanup_buf_ struct buf out = text_buf();
    struct parts p = {.out = &out};
    if (call->types[0].oid == SQL_JSONB) {
        strip(&p, a[0].text, slice_lit(", "), slice_lit(": "));
    } else {
        /* What was built of json by json_build_array again and again may be too deep to walk. */
        int failed = sql_json_in(a[0].text, call->error);
        if (failed)
            return failed;
        strip(&p, sql_json_trim(a[0].text), slice_lit(","), slice_lit(":"));
    }
    return text_give(call, p.failed, &out, ret);
}

static void line(struct parts *p, unsigned depth) {
    put(p, slice_lit("\n"));
    for (unsigned i = 0; i < depth && !p->failed; i++)
        put(p, slice_lit("    "));
}

static void pretty(struct parts *p, slice value, unsigned depth) {
    enum sql_json_kind kind = sql_json_kind_of(value);
    if (kind < SQL_JSON_ARRAY) {
        put(p, value);
        return;
    }
    struct sql_json_walk w = sql_json_each(value);
    bool some = false;
    put(p, w.object ? slice_lit("{") : slice_lit("["));
    while (!p->failed && sql_json_next(&w)) {
        if (some)
            put(p, slice_lit(","));
        some = true;
        line(p, depth + 1);
        put_key(p, &w, slice_lit(": "));
        pretty(p, w.value, depth + 1);
    }
    line(p, depth);
    put(p, w.object ? slice_lit("}") : slice_lit("]"));
}

static int jsonb_pretty(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    _cleanup_buf_ struct buf out = text_buf();
    struct parts p = {.out = &out};
    pretty(&p, a[0].text, 0);
    return text_give(call, p.failed, &out, ret);
}

#define JSONB_AND_PATH SQL_JSONB, SQL_TEXT_ARRAY

const struct sql_function sql_functions_json_change[] = {
    SQL_ROW("||", concat, SQL_JSONB, SQL_JSONB, SQL_JSONB),
    SQL_ROW("-", delete_name, SQL_JSONB, SQL_JSONB, SQL_TEXT),
    SQL_ROW("-", delete_names, SQL_JSONB, JSONB_AND_PATH),
    SQL_ROW("-", delete_index, SQL_JSONB, SQL_JSONB, SQL_INT4),
    SQL_ROW("#-", delete_path, SQL_JSONB, JSONB_AND_PATH),
    SQL_ROW_DEFAULTS("jsonb_set", jsonb_set, 1, SQL_JSONB, JSONB_AND_PATH, SQL_JSONB, SQL_BOOL),
    SQL_ROW_DEFAULTS("jsonb_insert", jsonb_insert, 1, SQL_JSONB, JSONB_AND_PATH, SQL_JSONB,
                     SQL_BOOL),
    {.name = "jsonb_set_lax",
     .result = SQL_JSONB,
     .count = 5,
     .defaults = 2,
     .flags = SQL_LENIENT,
     .arguments = {JSONB_AND_PATH, SQL_JSONB, SQL_BOOL, SQL_TEXT},
     .scalar = jsonb_set_lax},
    SQL_ROW("jsonb_strip_nulls", strip_nulls, SQL_JSONB, SQL_JSONB),
    SQL_ROW("json_strip_nulls", strip_nulls, SQL_JSON, SQL_JSON),
    SQL_ROW("jsonb_pretty", jsonb_pretty, SQL_TEXT, SQL_JSONB),
    {.name = NULL},
};
