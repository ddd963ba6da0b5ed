/*
 * jsonpath_functions.c - jsonpath as a type, and what asks a value by a path: jsonb_path_query and
 * its kin, @? and @@.
 *
 * The parsed path is kept with the call as long as the next row brings the same text. A value of
 * type jsonpath is its text as written, known to be a path.
 */
#include "base/mem.h"
#include "sql/text/json.h"
#include "sql/text/jsonpath.h"
#include "sql/text/text_functions.h"
#include "sql/type_io.h"

#include <errno.h>

#define PATH_MEMORY_MAX ((size_t)4 << 20) /* one parsed path */

struct kept_path {
    struct arena memory;
    slice source;
    struct jsonpath path;
};

static void kept_free(void *kept) {
    struct kept_path *k = kept;
    arena_free(&k->memory);
    mem_free(k);
}

static int path_of(struct sql_call *call, slice text, const struct jsonpath **ret) {
    struct kept_path *kept = call->kept;
    if (!kept || !slice_equal(kept->source, text)) {
        struct kept_path *made = mem_zalloc(1, sizeof *made);
        if (!made)
            return sql_fail_memory(call->error);
        made->memory = arena_make(0, PATH_MEMORY_MAX);
        int failed = arena_copy(&made->memory, text, &made->source)
                         ? sql_fail_memory(call->error)
                         : jsonpath_parse(made->source, &made->memory, &made->path, call->error);
        if (failed) {
            kept_free(made);
            return failed;
        }
        if (kept)
            call->kept_free(kept);
        call->kept = kept = made;
        call->kept_free = kept_free;
    }
    *ret = &kept->path;
    return 0;
}

/* Arguments: value, path [, variables [, silent]]. An outcome of jsonpath_execute. */
static int run(struct sql_call *call, const union sql_cell *a, bool silent, struct buf *found) {
    struct jsonpath_run run = {.root = a[0].text,
                               .variables = call->count > 2 ? a[2].text : slice_lit("{}"),
                               .silent = silent || (call->count > 3 && a[3].i),
                               .memory = call->memory,
                               .error = call->error};
    int failed = path_of(call, a[1].text, &run.path);
    if (failed)
        return failed;
    if (sql_json_kind_of(run.variables) != SQL_JSON_OBJECT) {
        (void)sql_fail(call->error, "22023", "\"vars\" argument is not an object");
        sql_error_detail(call->error, "Jsonpath parameters should be encoded as key-value pairs of "
                                      "\"vars\" object.");
        return -EINVAL;
    }
    return jsonpath_execute(&run, found);
}

static int exists(struct sql_call *call, const union sql_cell *a, bool silent,
                  union sql_cell *ret) {
    int outcome = run(call, a, silent, NULL);
    if (outcome < 0)
        return outcome;
    call->null = outcome == JSONPATH_FAILED;
    ret->i = outcome == JSONPATH_FOUND;
    return 0;
}

static int path_exists(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return exists(call, a, false, ret);
}

static int path_exists_silent(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return exists(call, a, true, ret);
}

static int match(struct sql_call *call, const union sql_cell *a, bool silent, union sql_cell *ret) {
    _cleanup_buf_ struct buf found = buf_make(JSONPATH_FOUND_BYTES_MAX);
    int outcome = run(call, a, silent, &found);
    if (outcome < 0)
        return outcome;
    bool one = jsonpath_found_count(&found) == 1;
    enum sql_json_kind kind = one ? sql_json_kind_of(jsonpath_found_at(&found, 0)) : SQL_JSON_ARRAY;
    if (kind == SQL_JSON_BOOL) {
        ret->i = jsonpath_found_at(&found, 0).ptr[0] == 't';
        return 0;
    }
    call->null = true;
    if (kind == SQL_JSON_NULL || silent || (call->count > 3 && a[3].i))
        return 0;
    return sql_fail(call->error, "22038", "single boolean result is expected");
}

static int path_match(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return match(call, a, false, ret);
}

static int path_match_silent(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return match(call, a, true, ret);
}

static int path_query(struct sql_call *call, const union sql_cell *a, sql_emit *emit, void *to) {
    static const uint8_t none[1] = {0};
    _cleanup_buf_ struct buf found = buf_make(JSONPATH_FOUND_BYTES_MAX);
    int outcome = run(call, a, false, &found);
    int failed = outcome < 0 ? outcome : 0;
    for (size_t i = 0; !failed && i < jsonpath_found_count(&found); i++) {
        union sql_cell cell = {.text = jsonpath_found_at(&found, i)};
        failed = emit(to, &cell, none);
    }
    return failed;
}

static int path_query_array(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    _cleanup_buf_ struct buf found = buf_make(JSONPATH_FOUND_BYTES_MAX), out = text_buf();
    int outcome = run(call, a, false, &found);
    if (outcome < 0)
        return outcome;
    int failed = buf_append_byte(&out, '[');
    for (size_t i = 0; !failed && i < jsonpath_found_count(&found); i++) {
        failed = i > 0 ? buf_append(&out, slice_lit(", ")) : 0;
        failed = failed ? failed : buf_append(&out, jsonpath_found_at(&found, i));
    }
    failed = failed ? failed : buf_append_byte(&out, ']');
    return text_give(call, failed, &out, ret);
}

static int path_query_first(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    _cleanup_buf_ struct buf found = buf_make(JSONPATH_FOUND_BYTES_MAX);
    int outcome = run(call, a, false, &found);
    if (outcome < 0)
        return outcome;
    call->null = found.len == 0;
    if (!call->null)
        ret->text = jsonpath_found_at(&found, 0);
    return 0;
}

#define PATH_ARGUMENTS SQL_JSONB, SQL_JSONPATH, SQL_JSONB, SQL_BOOL

const struct sql_function sql_functions_jsonpath[] = {
    SQL_ROW_DEFAULTS("jsonb_path_exists", path_exists, 2, SQL_BOOL, PATH_ARGUMENTS),
    SQL_ROW_DEFAULTS("jsonb_path_match", path_match, 2, SQL_BOOL, PATH_ARGUMENTS),
    SQL_ROW_DEFAULTS("jsonb_path_query_array", path_query_array, 2, SQL_JSONB, PATH_ARGUMENTS),
    SQL_ROW_DEFAULTS("jsonb_path_query_first", path_query_first, 2, SQL_JSONB, PATH_ARGUMENTS),
    SQL_ROW_SET("jsonb_path_query", path_query, 0, SQL_JSONB, SQL_JSONB, SQL_JSONPATH),
    SQL_ROW_SET("jsonb_path_query", path_query, 0, SQL_JSONB, SQL_JSONB, SQL_JSONPATH, SQL_JSONB),
    SQL_ROW_SET("jsonb_path_query", path_query, 0, SQL_JSONB, PATH_ARGUMENTS),
    SQL_ROW("@?", path_exists_silent, SQL_BOOL, SQL_JSONB, SQL_JSONPATH),
    SQL_ROW("@@", path_match_silent, SQL_BOOL, SQL_JSONB, SQL_JSONPATH),
    {.name = NULL},
};

static int jsonpath_in(struct sql_type type, slice text, const struct sql_settings *settings,
                       struct arena *memory, union sql_cell *ret, struct sql_error *error) {
    (void)type;
    (void)settings;
    struct arena scratch = arena_make(0, PATH_MEMORY_MAX);
    struct jsonpath path;
    int failed = jsonpath_parse(text, &scratch, &path, error);
    arena_free(&scratch);
    if (failed)
        return failed;
    return arena_copy(memory, text, &ret->text) ? sql_fail_memory(error) : 0;
}

static int jsonpath_out(struct sql_type type, const union sql_cell *cell,
                        const struct sql_settings *settings, struct buf *out) {
    (void)type;
    (void)settings;
    return buf_append(out, cell->text);
}

static int jsonpath_receive(struct sql_type type, slice bytes, const struct sql_settings *settings,
                            struct arena *memory, union sql_cell *ret, struct sql_error *error) {
    if (bytes.len == 0 || bytes.ptr[0] != 1)
        return sql_fail(error, "XX000", "unsupported jsonpath version number: %d",
                        bytes.len ? bytes.ptr[0] : 0);
    return jsonpath_in(type, slice_skip(bytes, 1), settings, memory, ret, error);
}

static int jsonpath_send(struct sql_type type, const union sql_cell *cell,
                         const struct sql_settings *settings, struct buf *out) {
    int failed = buf_append_byte(out, 1);
    return failed ? failed : jsonpath_out(type, cell, settings, out);
}

const struct sql_type_io sql_type_io_jsonpath[] = {
    {.oid = SQL_JSONPATH,
     .in = jsonpath_in,
     .out = jsonpath_out,
     .receive = jsonpath_receive,
     .send = jsonpath_send},
    {.oid = 0},
};
