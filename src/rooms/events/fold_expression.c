/*
 * fold_expression.c - see fold_expression.h.
 *
 * A member's name in an expression or path is what stands between the dots, whatever it is; a name
 * that has a dot itself cannot be said. That is refused which is likely meant otherwise: `.5` is
 * half a number, and `${NAME}` no reference here.
 */
#include "rooms/events/fold_expression.h"

#include "base/number.h"

#include <errno.h>

static const char *const words[] = {
    [FOLD_DATA] = ".",
    [FOLD_METADATA] = "$metadata",
    [FOLD_TIME] = "$time",
    [FOLD_REVISION] = "$revision",
    [FOLD_POSITION] = "$position",
    [FOLD_ID] = "$id",
    [FOLD_TYPE] = "$type",
    [FOLD_STREAM] = "$stream",
};

#define EXPRESSIONS                                                                                \
    ".member of the data, '.' for all of it, or $time, $revision, $position, $id, $type, "         \
    "$stream, "                                                                                    \
    "$metadata, $metadata.actor"

bool fold_is_expression(slice text) {
    char first = text.len ? text.ptr[0] : 0;
    return (first == '.' || first == '$') && !(text.len > 1 && text.ptr[1] == first);
}

static int refuse(struct error *e, slice text, const char *why, const char *hint) {
    error_set(e, -EINVAL, "'%.*s' %s", slice_fmt(slice_take(text, 64)), why);
    error_hint(e, "%s", hint);
    return -EINVAL;
}

/* ".a.b" into names. NAMES begins with a '.', or is empty. */
static int read_names(slice names, slice whole, struct arena *arena,
                      struct fold_expression *ret_expression, struct error *e) {
    slice *path = arena_alloc(arena, FOLD_PATH_MAX * sizeof *path);
    if (!path)
        return -ENOMEM;
    ret_expression->path = path;
    while (names.len) {
        slice name = slice_cut(slice_skip(names, 1), '.', &names);
        if (names.ptr)
            names = slice_make(names.ptr - 1, names.len + 1); /* its dot, too */
        if (!name.len)
            return refuse(e, whole, "has a member without a name", EXPRESSIONS);
        if (ret_expression->count == FOLD_PATH_MAX)
            return refuse(e, whole, "goes too deep", "at most 16 members");
        path[ret_expression->count++] = name;
    }
    return 0;
}

static bool looks_like_a_number(slice text) {
    double number;
    char zero[NUMBER_DOUBLE_TEXT_MAX] = "0";
    if (text.len >= sizeof zero)
        return false;
    memcpy(zero + 1, text.ptr, text.len);
    return number_parse_double(slice_make(zero, text.len + 1), &number) == 0;
}

int fold_expression_read(slice text, struct arena *arena, struct fold_expression *ret_expression,
                         struct error *e) {
    *ret_expression = (struct fold_expression){.source = FOLD_DATA};
    if (text.len == 1 && text.ptr[0] == '.')
        return 0;
    if (text.len && text.ptr[0] == '.') {
        if (looks_like_a_number(text))
            return refuse(e, text, "looks like a number, and is a member of the data here",
                          "write 0.5 for the number");
        return read_names(text, text, arena, ret_expression, e);
    }
    for (unsigned i = FOLD_METADATA; i < array_count(words); i++) {
        slice word = slice_str(words[i]), rest = slice_skip(text, word.len);
        if (!slice_starts_with(text, word) || (rest.len && rest.ptr[0] != '.'))
            continue;
        if (rest.len && i != FOLD_METADATA)
            return refuse(e, text, "has no members", EXPRESSIONS);
        ret_expression->source = i;
        return read_names(rest, text, arena, ret_expression, e);
    }
    return refuse(e, text, "is no expression", EXPRESSIONS "; a text that begins so is written $$");
}

#define PATHS                                                                                      \
    "names joined by dots, or an expression in brackets: seller.name, bidders[.bidder].last"

/* "[.bidder]" at the front of *REST. */
static int read_key(slice *rest, slice whole, struct arena *arena, struct fold_step *step,
                    struct error *e) {
    ptrdiff_t end = slice_find(*rest, ']');
    struct fold_expression *key = arena_alloc(arena, sizeof *key);
    if (end < 0)
        return refuse(e, whole, "has a bracket that does not end", PATHS);
    if (!key)
        return -ENOMEM;
    slice inside = slice_make(rest->ptr + 1, (size_t)end - 1);
    if (!fold_is_expression(inside))
        return refuse(e, whole, "has no expression in its brackets", EXPRESSIONS);
    *rest = slice_skip(*rest, (size_t)end + 1);
    step->key = key;
    return fold_expression_read(inside, arena, key, e);
}

static int read_step(slice *rest, slice whole, struct arena *arena, struct fold_step *step,
                     struct error *e) {
    size_t len = 0;
    *step = (struct fold_step){0};
    if (rest->len && rest->ptr[0] == '[')
        return read_key(rest, whole, arena, step, e);
    while (len < rest->len && !strchr(".[]", rest->ptr[len]))
        len++;
    if (!len)
        return refuse(e, whole, "has a member without a name", PATHS);
    step->name = slice_take(*rest, len);
    *rest = slice_skip(*rest, len);
    return 0;
}

int fold_path_read(slice text, struct arena *arena, struct fold_path *ret_path, struct error *e) {
    struct fold_step *steps = arena_alloc(arena, FOLD_PATH_MAX * sizeof *steps);
    slice rest = text;
    unsigned count = 0;
    if (!steps)
        return -ENOMEM;
    do {
        if (count == FOLD_PATH_MAX)
            return refuse(e, text, "goes too deep", "at most 16 members");
        int failed = read_step(&rest, text, arena, &steps[count++], e);
        if (failed)
            return failed;
        if (rest.len && rest.ptr[0] == '.')
            rest = slice_skip(rest, 1);
        else if (rest.len && rest.ptr[0] != '[')
            return refuse(e, text, "has something behind its bracket that is no member", PATHS);
        else if (!rest.len)
            break;
    } while (true);
    *ret_path = (struct fold_path){.text = text, .steps = steps, .count = count};
    return 0;
}
