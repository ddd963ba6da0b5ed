/*
 * fold.c - see fold.h.
 *
 * Each operation is: the names on its left, the value on its right, one change of the tree; and the
 * words for what the tree has refused.
 */
#include "rooms/events/fold.h"

#include "base/mem.h"
#include "rooms/events/fold_number.h"
#include "rooms/events/fold_tree.h"
#include "wire/json_write.h"

#include <errno.h>
#include <stdio.h>

#define PROBLEM_CHARS 192u
#define PATH_CHARS 64u /* of one, in a problem */

struct problem {
    uint64_t revision;
    char text[PROBLEM_CHARS];
};

struct fold_state {
    const struct fold *fold;
    struct fold_tree tree;
    struct fold_source_event source;
    struct buf value, sum; /* of the operation */
    struct problem problems[FOLD_PROBLEMS_MAX];
    uint64_t problem_count;
};

/* The whole text of one operation's value may be longer than the state may be. */
#define VALUE_BYTES_MAX ((size_t)64 << 20)

static const char too_large[] = "the state would be larger than 1 MB";

/* --- problems ----------------------------------------------------------------------------- */

static void note(struct fold_state *state, const struct fold_operation *o, const char *format, ...)
    printf_like(3, 4);

static void note(struct fold_state *state, const struct fold_operation *o, const char *format,
                 ...) {
    char why[PROBLEM_CHARS];
    va_list arguments;
    if (state->problem_count++ >= FOLD_PROBLEMS_MAX)
        return;
    struct problem *problem = &state->problems[state->problem_count - 1];
    va_start(arguments, format);
    vsnprintf(why, sizeof why, format, arguments);
    va_end(arguments);
    problem->revision = state->source.event->revision;
    snprintf(problem->text, sizeof problem->text, "%s%s%.*s: %.64s",
             fold_operator_name(o->operator), o->path.text.len ? " " : "",
             slice_fmt(slice_take(o->path.text, PATH_CHARS)), why);
}

/* 0 where FAILED has become a problem, or is none. */
static int settle(struct fold_state *state, const struct fold_operation *o, int failed,
                  unsigned at) {
    switch (failed) {
    case 0:
    case -ENOENT: /* the event does not have it */
        return 0;
    case -ENOTDIR:
        note(state, o, "member %u of this path is no object", at);
        return 0;
    case -EFBIG:
    case -ENOBUFS:
        note(state, o, "%s", too_large);
        return 0;
    case -E2BIG:
        note(state, o, "the value is nested deeper than 32");
        return 0;
    case -EINVAL:
        note(state, o, "the event's data or metadata is no JSON that can be read");
        return 0;
    default:
        return failed;
    }
}

/* --- operators ---------------------------------------------------------------------------- */

/* 0; -ENOENT: the problem is noted; -ENOMEM. */
static int find_names(struct fold_state *state, const struct fold_operation *o,
                      slice names[FOLD_PATH_MAX]) {
    for (unsigned i = 0; i < o->path.count; i++) {
        const struct fold_step *step = &o->path.steps[i];
        names[i] = step->name;
        int failed = step->key ? fold_expression_text(step->key, &state->source, &names[i]) : 0;
        if (failed == -ENOMEM)
            return failed;
        if (failed) {
            note(state, o, "the event has no text for the member in brackets");
            return -ENOENT;
        }
    }
    return 0;
}

static bool is_number(slice json) {
    return json.len && (json.ptr[0] == '-' || (json.ptr[0] >= '0' && json.ptr[0] <= '9'));
}

static int increase(struct fold_state *state, const struct fold_operation *o, const slice *names) {
    slice before = {0}, more = buf_slice(&state->value);
    unsigned at = 0;
    if (!is_number(more)) {
        note(state, o, "the event has no number there");
        return 0;
    }
    int failed = fold_tree_get(&state->tree, names, o->path.count, &before);
    if (failed == -ENOMEM)
        return failed;
    if (failed == -ENOENT || (!failed && slice_equal(before, slice_lit("null")))) {
        before = slice_lit("0");
    } else if (failed || !is_number(before)) {
        note(state, o, "the state has no number there");
        return 0;
    }
    buf_clear(&state->sum);
    failed = fold_number_add(before, more, &state->sum);
    if (failed == -ERANGE) {
        note(state, o, "the sum is beyond 64 bits");
        return 0;
    }
    if (!failed)
        failed = fold_tree_set(&state->tree, names, o->path.count, buf_slice(&state->sum), &at);
    return settle(state, o, failed, at);
}

static int append(struct fold_state *state, const struct fold_operation *o, const slice *names) {
    unsigned at = 0;
    int failed =
        fold_tree_append(&state->tree, names, o->path.count, buf_slice(&state->value), &at);
    if (failed == -EINVAL)
        note(state, o, "the state has no list there");
    else if (failed == -ENOBUFS)
        note(state, o, "the list has 10000 elements");
    else
        return settle(state, o, failed, at);
    return 0;
}

/* The members of V, one after the other, into the root. */
static int merge_members(struct fold_state *state, const struct fold_operation *o, json_value v) {
    struct json_iterator i = json_each(v);
    unsigned at;
    int failed = 0;
    if (json_type_of(v) != JSON_OBJECT) {
        note(state, o, "the event has no object there");
        return 0;
    }
    while (!failed && json_next(&i)) {
        slice name;
        buf_clear(&state->value);
        failed = json_string(i.key, &name);
        if (!failed)
            failed = fold_json_write(i.value, FOLD_DEPTH_MAX, &state->value);
        if (!failed)
            failed = fold_tree_set(&state->tree, &name, 1, buf_slice(&state->value), &at);
        failed = settle(state, o, failed, 0);
    }
    return failed;
}

static int merge(struct fold_state *state, const struct fold_operation *o) {
    json_value v;
    if (o->value.kind == FOLD_EXPRESSION) {
        enum fold_source source = o->value.expression.source;
        if (source != FOLD_DATA && source != FOLD_METADATA) {
            note(state, o, "the event has no object there");
            return 0;
        }
        int failed = fold_expression_find(&o->value.expression, &state->source, &v);
        return failed ? settle(state, o, failed, 0) : merge_members(state, o, v);
    }
    struct json_doc doc; /* a map: what it comes to */
    buf_clear(&state->sum);
    int failed = fold_value_write(&o->value, &state->source, &state->sum);
    if (failed)
        return settle(state, o, failed, 0);
    json_init(&doc);
    failed = json_parse(&doc, buf_slice(&state->sum));
    if (!failed)
        failed = merge_members(state, o, json_root(&doc));
    json_free(&doc);
    return failed ? -ENOMEM : 0;
}

static int apply_operation(struct fold_state *state, const struct fold_operation *o) {
    slice names[FOLD_PATH_MAX];
    unsigned at = 0;
    if (o->operator== FOLD_MERGE)
        return merge(state, o);
    int failed = find_names(state, o, names);
    if (failed)
        return failed == -ENOENT ? 0 : failed;
    if (o->operator== FOLD_REMOVE)
        return fold_tree_remove(&state->tree, names, o->path.count);
    buf_clear(&state->value);
    failed = fold_value_write(&o->value, &state->source, &state->value);
    if (failed)
        return settle(state, o, failed, 0);
    if (o->operator== FOLD_INC)
        return increase(state, o, names);
    if (o->operator== FOLD_APPEND)
        return append(state, o, names);
    failed = fold_tree_set(&state->tree, names, o->path.count, buf_slice(&state->value), &at);
    return settle(state, o, failed, at);
}

/* The default fold: data that is an object is merged, other data changes nothing. */
static int merge_all(struct fold_state *state) {
    static const struct fold_operation operation = {.operator= FOLD_MERGE,
                                                    .value = {.kind = FOLD_EXPRESSION}};
    json_value v;
    int failed = fold_expression_find(&operation.value.expression, &state->source, &v);
    if (!failed && json_type_of(v) != JSON_OBJECT)
        return 0;
    return failed ? settle(state, &operation, failed, 0) : merge_members(state, &operation, v);
}

int fold_apply(struct fold_state *state, const struct fold_event *event) {
    int failed = 0;
    fold_source_take(&state->source, event);
    if (state->fold->merges_all)
        return merge_all(state);
    const struct fold_rule *rule = map_find(&state->fold->rules, event->type);
    if (rule && rule->clears)
        failed = fold_tree_load(&state->tree, state->fold->initial);
    for (unsigned i = 0; rule && i < rule->count && !failed; i++)
        failed = apply_operation(state, &rule->operations[i]);
    return failed;
}

/* --- a state ------------------------------------------------------------------------------ */

int fold_state_new(const struct fold *fold, struct hash_key hash_key,
                   struct fold_state **ret_state) {
    struct fold_state *state = mem_zalloc(1, sizeof *state);
    if (!state)
        return -ENOMEM;
    state->fold = fold;
    state->value = buf_make(VALUE_BYTES_MAX);
    state->sum = buf_make(VALUE_BYTES_MAX);
    fold_source_init(&state->source);
    fold_tree_init(&state->tree, hash_key);
    if (fold_tree_load(&state->tree, fold->initial)) {
        fold_state_free(state);
        return -ENOMEM;
    }
    *ret_state = state;
    return 0;
}

struct fold_state *fold_state_free(struct fold_state *state) {
    if (!state)
        return NULL;
    fold_source_free(&state->source);
    fold_tree_free(&state->tree);
    buf_free(&state->value);
    buf_free(&state->sum);
    return mem_free(state);
}

size_t fold_state_size(const struct fold_state *state) {
    return fold_tree_size(&state->tree);
}

int fold_state_write(const struct fold_state *state, struct json_writer *w) {
    _cleanup_buf_ struct buf text = buf_make(2 * FOLD_BYTES_MAX);
    if (fold_tree_write(&state->tree, &text))
        return -ENOMEM;
    json_write_key(w, "state");
    json_write_raw(w, buf_slice(&text));
    if (!state->problem_count)
        return 0;
    json_write_key(w, "problems");
    json_write_array(w);
    for (unsigned i = 0; i < FOLD_PROBLEMS_MAX && i < state->problem_count; i++) {
        json_write_object(w);
        json_write_key(w, "revision");
        json_write_u64(w, state->problems[i].revision);
        json_write_key(w, "problem");
        json_write_text(w, state->problems[i].text);
        json_write_end(w);
    }
    json_write_end(w);
    if (state->problem_count > FOLD_PROBLEMS_MAX) {
        json_write_key(w, "problem_count");
        json_write_u64(w, state->problem_count);
    }
    return 0;
}

static int read_problems(struct fold_state *state, json_value list) {
    struct json_iterator i = json_each(list);
    for (state->problem_count = 0; json_next(&i); state->problem_count++) {
        slice text;
        if (state->problem_count == FOLD_PROBLEMS_MAX)
            return -EINVAL;
        struct problem *problem = &state->problems[state->problem_count];
        int failed = json_string(json_member(i.value, slice_lit("problem")), &text);
        if (!failed)
            failed = json_u64(json_member(i.value, slice_lit("revision")), &problem->revision);
        if (!failed)
            failed = slice_to_string(text, problem->text, sizeof problem->text);
        if (failed)
            return failed == -ENOMEM ? failed : -EINVAL;
    }
    return 0;
}

int fold_state_read(struct fold_state *state, json_value v) {
    uint64_t count;
    int failed = fold_tree_load(&state->tree, json_source(json_member(v, slice_lit("state"))));
    if (!failed)
        failed = read_problems(state, json_member(v, slice_lit("problems")));
    if (!failed && json_u64(json_member(v, slice_lit("problem_count")), &count) == 0)
        state->problem_count = count;
    return !failed || failed == -ENOMEM ? failed : -EINVAL;
}
