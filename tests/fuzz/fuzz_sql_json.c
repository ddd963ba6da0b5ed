/*
 * jsonb and SQL/JSON paths of strangers: the first line is a value, the second a path asked of it.
 *
 * Beyond not crashing: jsonb's form reads as itself, its canonical form is equal to it and has the
 * same key and hash, every part found by a walk or by a path is a value in that form, and what a
 * path finds does not depend on whether only its existence is asked.
 */
#include "base/utf8.h"
#include "sql/text/json.h"
#include "sql/text/jsonpath.h"

#include <errno.h>

#define INPUT_MAX ((size_t)4096)
#define MEMORY_MAX ((size_t)64 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_form(slice value, struct arena *memory) {
    struct sql_error error;
    slice again = {NULL, 0};
    check(sql_jsonb_in(value, memory, &again, &error) == 0);
    check(slice_equal(value, again));
}

static void check_canonical(slice value) {
    struct buf canonical = buf_make(MEMORY_MAX), key = buf_make(MEMORY_MAX),
               same = buf_make(MEMORY_MAX);
    check(sql_jsonb_canonical(value, &canonical) == 0);
    check(sql_jsonb_compare(value, buf_slice(&canonical)) == 0);
    check(sql_jsonb_hash(value) == sql_jsonb_hash(buf_slice(&canonical)));
    check(sql_jsonb_key(value, &key) == 0);
    check(sql_jsonb_key(buf_slice(&canonical), &same) == 0);
    check(slice_equal(buf_slice(&key), buf_slice(&same)));
    buf_free(&canonical);
    buf_free(&key);
    buf_free(&same);
}

static void walk(slice value, struct arena *memory) {
    struct sql_json_walk w = sql_json_each(value);
    unsigned count = 0;
    for (; sql_json_next(&w); count++) {
        slice found, name;
        struct sql_error error;
        check_form(w.value, memory);
        if (!w.object) {
            check(sql_json_element(value, count, &found) && found.ptr == w.value.ptr);
            continue;
        }
        slice quoted = slice_make(w.key.ptr - 1, w.key.len + 2);
        check(sql_json_unquote(quoted, memory, &name, &error) == 0);
        check(sql_jsonb_member(value, name, &found) && found.ptr == w.value.ptr);
        check(sql_json_member(value, name, &found) && found.ptr == w.value.ptr);
    }
    check(sql_json_count(value) == count);
}

static void ask(slice value, slice text, struct arena *memory) {
    struct sql_error error;
    struct jsonpath path;
    if (jsonpath_parse(text, memory, &path, &error))
        return;
    struct jsonpath_run run = {.path = &path,
                               .root = value,
                               .variables = slice_lit("{\"x\": 1}"),
                               .silent = false,
                               .memory = memory,
                               .error = &error};
    _cleanup_buf_ struct buf found = buf_make(MEMORY_MAX);
    int outcome = jsonpath_execute(&run, &found);
    check(outcome <= JSONPATH_NONE); /* JSONPATH_FAILED only where silent */
    for (size_t i = 0; outcome >= 0 && i < found.len / sizeof(slice); i++) {
        slice one;
        memcpy(&one, found.ptr + i * sizeof one, sizeof one);
        check_form(one, memory);
    }
    int any = jsonpath_execute(&run, NULL);
    if (outcome >= 0 && any >= 0)
        check((any == JSONPATH_FOUND) == (found.len > 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    slice path,
        text = slice_cut(slice_make(data, size < INPUT_MAX ? size : INPUT_MAX), '\n', &path);
    if (!utf8_valid(text) || !utf8_valid(path) || slice_find(path, '\0') >= 0)
        return 0;
    struct arena memory = arena_make(0, MEMORY_MAX);
    struct sql_error error;
    slice value = {NULL, 0};
    int failed = sql_jsonb_in(text, &memory, &value, &error);
    check(failed || sql_json_in(text, &error) == 0);
    if (!failed) {
        check_form(value, &memory);
        check_canonical(value);
        walk(value, &memory);
        ask(value, path, &memory);
    }
    arena_free(&memory);
    return 0;
}
