/*
 * fuzz_json.c - the JSON reader, picker and writer held against each other.
 *
 * Properties: the picker takes and refuses what the reader does, and its fields are the reader's
 * values (but for repeated keys, which the reader looks for everywhere); a document written back
 * from its tape, plain or pretty, reads as the same document; strings come back as they were; a
 * place lies inside the text; a picker who has seen a document of about the same shape says what a
 * new one says. All strings, numbers and members are visited, so that the sanitizers
 * see every access.
 */
#include "base/buf.h"
#include "wire/json.h"
#include "wire/json_pick.h"
#include "wire/json_write.h"

#include <errno.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define OUT_MAX ((size_t)64 << 20)

static const slice paths[] = {slice_lit(""),    slice_lit("/a"),   slice_lit("/a/b"),
                              slice_lit("/0"),  slice_lit("/1/a"), slice_lit("/b~1c"),
                              slice_lit("/a/0")};

/* Writes V with W through typed reads, not as its source. As deep as the reader allows. */
static void write_value(json_value v, struct json_writer *w) {
    struct json_iterator i = json_each(v);
    slice text;
    bool yes;
    switch (json_type_of(v)) {
    case JSON_NULL:
        json_write_null(w);
        break;
    case JSON_BOOL:
        check(json_bool(v, &yes) == 0);
        json_write_bool(w, yes);
        break;
    case JSON_NUMBER: {
        int64_t number;
        double nearest;
        check(json_number(v, &text) == 0);
        check((json_i64(v, &number) == -EINVAL) == !json_is_integer(v));
        (void)!json_double(v, &nearest);
        json_write_raw(w, text);
        break;
    }
    case JSON_STRING:
        check(json_string(v, &text) == 0);
        check(json_string_is(v, text));
        json_write_string(w, text);
        break;
    case JSON_ARRAY:
        json_write_array(w);
        while (json_next(&i)) {
            write_value(i.value, w);
        }
        json_write_end(w);
        break;
    case JSON_OBJECT:
        json_write_object(w);
        while (json_next(&i)) {
            check(json_string(i.key, &text) == 0);
            json_write_key_slice(w, text);
            write_value(i.value, w);
        }
        json_write_end(w);
        break;
    default:
        check(false);
    }
}

static bool is_same(json_value a, json_value b) {
    slice x = {0};
    slice y = {0};
    if (json_type_of(a) != json_type_of(b) || json_count(a) != json_count(b)) {
        return false;
    }
    if (json_type_of(a) == JSON_STRING) {
        check(json_string(a, &x) == 0 && json_string(b, &y) == 0);
        return slice_equal(x, y);
    }
    struct json_iterator i = json_each(a);
    struct json_iterator j = json_each(b);
    if (json_type_of(a) != JSON_ARRAY && json_type_of(a) != JSON_OBJECT) {
        return slice_equal(json_source(a), json_source(b));
    }
    while (json_next(&i)) {
        check(json_next(&j));
        if ((i.key.doc && !is_same(i.key, j.key)) || !is_same(i.value, j.value)) {
            return false;
        }
    }
    return true;
}

static void check_round_trip(struct json_doc *doc, bool pretty) {
    struct buf out = buf_make(OUT_MAX);
    struct json_writer w = json_writer_make(&out, pretty);
    struct json_doc again;
    write_value(json_root(doc), &w);
    check(json_write_finish(&w) == 0);
    json_init(&again);
    check(json_parse(&again, buf_slice(&out)) == 0);
    check(is_same(json_root(doc), json_root(&again)));
    json_free(&again);
    buf_free(&out);
}

/* What the reader finds at the pointer PATH, which holds no escapes but ~1. */
static json_value find(json_value v, slice path) {
    slice rest = slice_skip(path, 1);
    while (path.len > 0 && rest.ptr) {
        slice token = slice_cut(rest, '/', &rest);
        if (json_type_of(v) == JSON_ARRAY) {
            bool digit = token.len == 1 && token.ptr[0] >= '0' && token.ptr[0] <= '9';
            v = digit ? json_element(v, (uint32_t)(token.ptr[0] - '0')) : (json_value){NULL, 0};
        } else {
            v = json_member(v, slice_equal(token, slice_lit("b~1c")) ? slice_lit("b/c") : token);
        }
    }
    return v;
}

static void check_picker(struct json_doc *doc, int read, slice text) {
    struct json_picker *picker = NULL;
    struct json_field fields[array_count(paths)];
    struct error e;
    check(json_picker_new(paths, array_count(paths), &picker) == 0);
    for (int round = 0; round < 2; round++) {
        int picked = json_pick(picker, text, fields);
        bool repeated = doc->reason && strstr(doc->reason, "twice");
        check(picked == read || repeated);
        if (picked < 0) {
            json_pick_explain(picker, picked, slice_lit("x"), &e);
            check(e.message[0] && e.place[0]);
        }
        for (size_t i = 0; read == 0 && i < array_count(paths); i++) {
            json_value v = find(json_root(doc), paths[i]);
            check(fields[i].type == json_type_of(v));
            check(slice_equal(fields[i].raw, json_source(v)));
        }
    }
    json_picker_free(picker);
}

/* A picker who knows TEXT's shape says to a text that differs in a byte what a new one says. */
static void check_shapes(slice text) {
    struct json_picker *picker = NULL, *fresh = NULL;
    struct json_field a[array_count(paths)], b[array_count(paths)];
    static const char bytes[] = "\"0 ";
    char *changed = malloc(text.len + 1);
    check(changed && json_picker_new(paths, array_count(paths), &picker) == 0);
    for (size_t i = 0; i < text.len; i += 1 + text.len / 16) {
        memcpy(changed, text.ptr, text.len);
        changed[i] = bytes[i % 3];
        (void)!json_pick(picker, text, a);
        check(json_picker_new(paths, array_count(paths), &fresh) == 0);
        int r = json_pick(fresh, slice_make(changed, text.len), b);
        check(json_pick(picker, slice_make(changed, text.len), a) == r);
        for (size_t k = 0; r == 0 && k < array_count(paths); k++) {
            check(a[k].type == b[k].type && a[k].escaped == b[k].escaped);
            check(a[k].raw.ptr == b[k].raw.ptr && a[k].raw.len == b[k].raw.len);
        }
        fresh = json_picker_free(fresh);
    }
    json_picker_free(picker);
    free(changed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    slice text = slice_make(data, size);
    struct json_doc doc;
    json_init(&doc);
    int r = json_parse(&doc, text);
    if (r == 0) {
        check_round_trip(&doc, false);
        check_round_trip(&doc, true);
    } else {
        struct error e;
        check((r == -EINVAL || r == -E2BIG) && doc.offset <= size);
        check(json_explain(&doc, r, slice_lit("x"), &e) == r && e.message[0] && e.place[0]);
        check(json_type_of(json_root(&doc)) == JSON_ABSENT);
    }
    check_picker(&doc, r, text);
    check_shapes(text);
    /* The tape is used again. */
    check(json_parse(&doc, text) == r);
    json_free(&doc);
    return 0;
}
