/*
 * jsonpath_execute.c - follows a path through a value (jsonpath.h).
 *
 * lax (the default) forgives structure: a member asked of an array is asked of its elements, an
 * element asked of something else is that thing as [0], and what is not there is nothing. strict
 * makes each of these an error.
 *
 * Where only "are there any?" is asked, found is NULL and the walk stops at the first.
 */
#include "base/number.h"
#include "sql/text/jsonpath_run.h"

#include <errno.h>
#include <stdio.h>

int jsonpath_fail(struct jsonpath_context *c, const char *state, const char *format, ...) {
    if (!c->tells)
        return JSONPATH_FAILED;
    char message[300];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    return sql_fail(c->run->error, state, "%s", message);
}

int jsonpath_keep(struct jsonpath_context *c, const struct buf *text, slice *ret) {
    return arena_copy(c->run->memory, buf_slice(text), ret) ? sql_fail_memory(c->run->error) : 0;
}

/* Stop going through several values? */
static bool ends(int outcome, const struct buf *found) {
    return outcome < 0 || outcome == JSONPATH_FAILED || (outcome == JSONPATH_FOUND && !found);
}

/* The outcome of several: found where one was. */
static int both(int before, int outcome) {
    return before == JSONPATH_FOUND && outcome == JSONPATH_NONE ? before : outcome;
}

int jsonpath_next(struct jsonpath_context *c, const struct jsonpath_node *node, slice value,
                  struct buf *found) {
    if (node->next)
        return jsonpath_item(c, node->next, value, found, c->lax);
    if (!found)
        return JSONPATH_FOUND;
    int failed = buf_append(found, slice_make(&value, sizeof value));
    if (failed == -ENOMEM)
        return sql_fail_memory(c->run->error);
    if (failed)
        return sql_fail(c->run->error, "54000", "a jsonpath found too many values");
    return JSONPATH_FOUND;
}

/* NODE itself on each element of ARRAY, without unwrapping once more. */
static int each_element(struct jsonpath_context *c, const struct jsonpath_node *node, slice array,
                        struct buf *found) {
    struct sql_json_walk w = sql_json_each(array);
    int outcome = JSONPATH_NONE;
    while (sql_json_next(&w)) {
        outcome = both(outcome, jsonpath_item(c, node, w.value, found, false));
        if (ends(outcome, found))
            break;
    }
    return outcome;
}

static int each_next(struct jsonpath_context *c, const struct jsonpath_node *node, slice container,
                     struct buf *found) {
    struct sql_json_walk w = sql_json_each(container);
    int outcome = JSONPATH_NONE;
    while (sql_json_next(&w)) {
        outcome = both(outcome, jsonpath_next(c, node, w.value, found));
        if (ends(outcome, found))
            break;
    }
    return outcome;
}

static int missing(struct jsonpath_context *c, const char *state, const char *what) {
    return c->ignore_structure ? JSONPATH_NONE : jsonpath_fail(c, state, "%s", what);
}

static int key(struct jsonpath_context *c, const struct jsonpath_node *node, slice value,
               struct buf *found, bool unwrap) {
    enum sql_json_kind kind = sql_json_kind_of(value);
    if (kind == SQL_JSON_ARRAY && unwrap)
        return each_element(c, node, value, found);
    if (kind != SQL_JSON_OBJECT)
        return missing(c, "2203A", "jsonpath member accessor can only be applied to an object");
    slice member;
    if (sql_jsonb_member(value, node->text, &member))
        return jsonpath_next(c, node, member, found);
    if (c->ignore_structure)
        return JSONPATH_NONE;
    return jsonpath_fail(c, "2203A", "JSON object does not contain key \"%.*s\"",
                         slice_fmt(node->text));
}

static int any_key(struct jsonpath_context *c, const struct jsonpath_node *node, slice value,
                   struct buf *found, bool unwrap) {
    enum sql_json_kind kind = sql_json_kind_of(value);
    if (kind == SQL_JSON_OBJECT)
        return each_next(c, node, value, found);
    if (kind == SQL_JSON_ARRAY && unwrap)
        return each_element(c, node, value, found);
    return missing(c, "2203C",
                   "jsonpath wildcard member accessor can only be applied to an object");
}

static int any_element(struct jsonpath_context *c, const struct jsonpath_node *node, slice value,
                       struct buf *found) {
    if (sql_json_kind_of(value) == SQL_JSON_ARRAY)
        return each_next(c, node, value, found);
    if (c->lax)
        return jsonpath_next(c, node, value, found);
    return missing(c, "22039", "jsonpath wildcard array accessor can only be applied to an array");
}

/* The number that NODE gives, cut to an integer. */
static int index_of(struct jsonpath_context *c, const struct jsonpath_node *node, slice value,
                    int64_t *ret) {
    _cleanup_buf_ struct buf found = buf_make(JSONPATH_FOUND_BYTES_MAX);
    int outcome = jsonpath_item(c, node, value, &found, c->lax);
    if (outcome < 0 || outcome == JSONPATH_FAILED)
        return outcome;
    if (jsonpath_found_count(&found) != 1 ||
        sql_json_kind_of(jsonpath_found_at(&found, 0)) != SQL_JSON_NUMBER)
        return jsonpath_fail(c, "22033", "jsonpath array subscript is not a single numeric value");
    slice number = jsonpath_found_at(&found, 0), ignored;
    int64_t index = 0;
    if (number_parse_i64(slice_cut(number, '.', &ignored), INT32_MIN, INT32_MAX, &index))
        return jsonpath_fail(c, "22033", "jsonpath array subscript is out of integer range");
    *ret = index;
    return 0;
}

/* Elements FROM … TO of VALUE, which counts as an array of one where it is none. */
static int range(struct jsonpath_context *c, const struct jsonpath_node *node, slice value,
                 int64_t from, int64_t to, struct buf *found) {
    if (sql_json_kind_of(value) != SQL_JSON_ARRAY)
        return from <= 0 && to >= 0 ? jsonpath_next(c, node, value, found) : JSONPATH_NONE;
    struct sql_json_walk w = sql_json_each(value);
    int outcome = JSONPATH_NONE;
    for (int64_t i = 0; i <= to && sql_json_next(&w); i++) {
        if (i < from)
            continue;
        outcome = both(outcome, jsonpath_next(c, node, w.value, found));
        if (ends(outcome, found))
            break;
    }
    return outcome;
}

static int subscripts(struct jsonpath_context *c, const struct jsonpath_node *node, slice value,
                      struct buf *found) {
    bool array = sql_json_kind_of(value) == SQL_JSON_ARRAY;
    if (!array && !c->lax)
        return missing(c, "22039", "jsonpath array accessor can only be applied to an array");
    bool was_in_array = c->in_array;
    int64_t size_before = c->array_size, size = array ? sql_json_count(value) : 1;
    int outcome = JSONPATH_NONE;
    for (const struct jsonpath_subscript *s = node->subscripts; s; s = s->next) {
        int64_t from = 0, to = 0;
        c->in_array = true;
        c->array_size = size;
        int failed = index_of(c, s->from, value, &from);
        to = from;
        if (!failed && s->to)
            failed = index_of(c, s->to, value, &to);
        c->in_array = was_in_array;
        c->array_size = size_before;
        if (!failed && !c->ignore_structure && (from < 0 || from > to || to >= size))
            failed = jsonpath_fail(c, "22033", "jsonpath array subscript is out of bounds");
        outcome = failed ? failed : both(outcome, range(c, node, value, from, to, found));
        if (ends(outcome, found))
            break;
    }
    return outcome;
}

/* The parts of CONTAINER, which lie at LEVEL, and what is below them. */
static int levels(struct jsonpath_context *c, const struct jsonpath_node *node, slice container,
                  struct buf *found, uint32_t level) {
    struct sql_json_walk w = sql_json_each(container);
    int outcome = JSONPATH_NONE;
    while (sql_json_next(&w)) {
        bool leaf = sql_json_kind_of(w.value) < SQL_JSON_ARRAY;
        bool leaves = node->first == JSONPATH_LAST && node->last == JSONPATH_LAST;
        if (leaves ? leaf : level >= node->first && level <= node->last) {
            bool before = c->ignore_structure;
            c->ignore_structure = true;
            outcome = both(outcome, jsonpath_next(c, node, w.value, found));
            c->ignore_structure = before;
            if (ends(outcome, found))
                break;
        }
        if (!leaf && level < node->last) {
            outcome = both(outcome, levels(c, node, w.value, found, level + 1));
            if (ends(outcome, found))
                break;
        }
    }
    return outcome;
}

static int any_level(struct jsonpath_context *c, const struct jsonpath_node *node, slice value,
                     struct buf *found) {
    bool leaf = sql_json_kind_of(value) < SQL_JSON_ARRAY;
    int outcome = JSONPATH_NONE;
    if (node->first == 0 || (node->first == JSONPATH_LAST && node->last == JSONPATH_LAST && leaf)) {
        bool before = c->ignore_structure;
        c->ignore_structure = true;
        outcome = jsonpath_next(c, node, value, found);
        c->ignore_structure = before;
        if (ends(outcome, found))
            return outcome;
    }
    return leaf ? outcome : both(outcome, levels(c, node, value, found, 1));
}

static int filter(struct jsonpath_context *c, const struct jsonpath_node *node, slice value,
                  struct buf *found, bool unwrap) {
    if (unwrap && sql_json_kind_of(value) == SQL_JSON_ARRAY)
        return each_element(c, node, value, found);
    slice before = c->current;
    enum jsonpath_truth truth = JSONPATH_UNKNOWN;
    c->current = value;
    int failed = jsonpath_decide(c, node->left, value, &truth);
    c->current = before;
    if (failed)
        return failed;
    return truth == JSONPATH_TRUE ? jsonpath_next(c, node, value, found) : JSONPATH_NONE;
}

static int type_method(struct jsonpath_context *c, const struct jsonpath_node *node, slice value,
                       struct buf *found) {
    static const slice names[] = {slice_lit("\"null\""),   slice_lit("\"string\""),
                                  slice_lit("\"number\""), slice_lit("\"boolean\""),
                                  slice_lit("\"array\""),  slice_lit("\"object\"")};
    return jsonpath_next(c, node, names[sql_json_kind_of(value)], found);
}

static int give_integer(struct jsonpath_context *c, const struct jsonpath_node *node,
                        int64_t number, struct buf *found) {
    slice text;
    if (arena_printf(c->run->memory, &text, "%lld", (long long)number))
        return sql_fail_memory(c->run->error);
    return jsonpath_next(c, node, text, found);
}

static int size_method(struct jsonpath_context *c, const struct jsonpath_node *node, slice value,
                       struct buf *found) {
    if (sql_json_kind_of(value) == SQL_JSON_ARRAY)
        return give_integer(c, node, sql_json_count(value), found);
    if (c->lax)
        return give_integer(c, node, 1, found);
    return missing(c, "22039", "jsonpath item method .size() can only be applied to an array");
}

/* One object a member: its key, its value, and where the object lies in the document. */
static int keyvalue_method(struct jsonpath_context *c, const struct jsonpath_node *node,
                           slice value, struct buf *found, bool unwrap) {
    enum sql_json_kind kind = sql_json_kind_of(value);
    if (kind == SQL_JSON_ARRAY && unwrap)
        return each_element(c, node, value, found);
    if (kind != SQL_JSON_OBJECT)
        return jsonpath_fail(c, "2203C",
                             "jsonpath item method .keyvalue() can only be applied to an object");
    slice root = c->run->root;
    bool within = value.ptr >= root.ptr && value.ptr < root.ptr + root.len;
    long long id = within ? value.ptr - root.ptr : 0;
    struct sql_json_walk w = sql_json_each(value);
    int outcome = JSONPATH_NONE;
    while (sql_json_next(&w)) {
        _cleanup_buf_ struct buf text = buf_make(SQL_TEXT_BYTES_MAX);
        slice object = {NULL, 0};
        int failed = buf_printf(&text, "{\"id\": %lld, \"key\": ", id);
        failed = failed ? failed : buf_append(&text, sql_json_quoted_key(&w));
        failed = failed ? failed : buf_append(&text, slice_lit(", \"value\": "));
        failed = failed ? failed : buf_append(&text, w.value);
        failed = failed ? failed : buf_append_byte(&text, '}');
        if (failed)
            return sql_fail_memory(c->run->error);
        failed = jsonpath_keep(c, &text, &object);
        outcome = failed ? failed : both(outcome, jsonpath_next(c, node, object, found));
        if (ends(outcome, found))
            break;
    }
    return outcome;
}

static int variable(struct jsonpath_context *c, const struct jsonpath_node *node,
                    struct buf *found) {
    slice value;
    if (!sql_jsonb_member(c->run->variables, node->text, &value))
        return sql_fail(c->run->error, "42704", "could not find jsonpath variable \"%.*s\"",
                        slice_fmt(node->text));
    return jsonpath_next(c, node, value, found);
}

static int predicate(struct jsonpath_context *c, const struct jsonpath_node *node, slice value,
                     struct buf *found) {
    static const slice words[] = {slice_lit("false"), slice_lit("true"), slice_lit("null")};
    enum jsonpath_truth truth = JSONPATH_UNKNOWN;
    int failed = jsonpath_decide(c, node, value, &truth);
    return failed ? failed : jsonpath_next(c, node, words[truth], found);
}

int jsonpath_item(struct jsonpath_context *c, const struct jsonpath_node *node, slice value,
                  struct buf *found, bool unwrap) {
    if (++c->steps > JSONPATH_STEPS_MAX)
        return sql_fail(c->run->error, "54000", "a jsonpath takes more than %u steps",
                        JSONPATH_STEPS_MAX);
    switch (node->kind) {
    case JSONPATH_ROOT:
        return jsonpath_next(c, node, c->run->root, found);
    case JSONPATH_CURRENT:
        return jsonpath_next(c, node, c->current, found);
    case JSONPATH_VARIABLE:
        return variable(c, node, found);
    case JSONPATH_LITERAL:
        return jsonpath_next(c, node, node->text, found);
    case JSONPATH_LAST_INDEX:
        check(c->in_array);
        return give_integer(c, node, c->array_size - 1, found);
    case JSONPATH_KEY:
        return key(c, node, value, found, unwrap);
    case JSONPATH_ANY_KEY:
        return any_key(c, node, value, found, unwrap);
    case JSONPATH_ANY_ELEMENT:
        return any_element(c, node, value, found);
    case JSONPATH_SUBSCRIPTS:
        return subscripts(c, node, value, found);
    case JSONPATH_ANY_LEVEL:
        return any_level(c, node, value, found);
    case JSONPATH_FILTER:
        return filter(c, node, value, found, unwrap);
    case JSONPATH_TYPE:
        return type_method(c, node, value, found);
    case JSONPATH_SIZE:
        return size_method(c, node, value, found);
    case JSONPATH_DOUBLE:
    case JSONPATH_CEILING:
    case JSONPATH_FLOOR:
    case JSONPATH_ABS:
        if (unwrap && sql_json_kind_of(value) == SQL_JSON_ARRAY)
            return each_element(c, node, value, found);
        return jsonpath_number_method(c, node, value, found);
    case JSONPATH_KEYVALUE:
        return keyvalue_method(c, node, value, found, unwrap);
    default:
        return jsonpath_is_predicate(node->kind) ? predicate(c, node, value, found)
                                                 : jsonpath_compute(c, node, value, found);
    }
}

int jsonpath_unwrapped(struct jsonpath_context *c, const struct jsonpath_node *node, slice value,
                       struct buf *found) {
    if (!c->lax)
        return jsonpath_item(c, node, value, found, false);
    _cleanup_buf_ struct buf whole = buf_make(JSONPATH_FOUND_BYTES_MAX);
    static const struct jsonpath_node end = {.kind = JSONPATH_CURRENT};
    int outcome = jsonpath_item(c, node, value, &whole, true);
    for (size_t i = 0; !ends(outcome, &whole) && i < jsonpath_found_count(&whole); i++) {
        slice one = jsonpath_found_at(&whole, i);
        int more = sql_json_kind_of(one) == SQL_JSON_ARRAY ? each_next(c, &end, one, found)
                                                           : jsonpath_next(c, &end, one, found);
        if (more < 0)
            return more;
    }
    return outcome;
}

int jsonpath_execute(const struct jsonpath_run *run, struct buf *found) {
    bool lax = !run->path->strict;
    struct jsonpath_context c = {.run = run,
                                 .lax = lax,
                                 .ignore_structure = lax,
                                 .tells = !run->silent,
                                 .current = run->root};
    if (found || lax)
        return jsonpath_item(&c, run->path->root, run->root, found, lax);
    /* strict: an error behind the first result counts, so all are looked for. */
    _cleanup_buf_ struct buf all = buf_make(JSONPATH_FOUND_BYTES_MAX);
    int outcome = jsonpath_item(&c, run->path->root, run->root, &all, false);
    if (outcome < 0 || outcome == JSONPATH_FAILED)
        return outcome;
    return all.len ? JSONPATH_FOUND : JSONPATH_NONE;
}
