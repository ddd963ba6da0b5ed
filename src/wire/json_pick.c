/*
 * json_pick.c - a walk over the text with one finger in a trie of the wanted keys.
 *
 *      paths   /price /bidder/id            trie     . --price--> field 0
 *                                                    `--bidder--> . --id--> field 1
 *
 * Every open container has a level that says which trie step stands for it, or none: then what is
 * inside is only checked. The steps lie in one array, siblings linked.
 *
 * Finding the step of a key: documents of one kind repeat their keys in the same order, so every
 * step remembers which of its siblings was met after it the last time, and that one is compared
 * first. A key that no step wants is mostly ruled out by its length alone (`lengths`).
 *
 * A step can be met once in a document, or a key was repeated: `met` holds the number of the
 * document in which it was.
 */
#include "wire/json_pick.h"

#include "base/mem.h"
#include "base/number.h"
#include "wire/json_scan.h"
#include "wire/json_shape.h"

#define NO_STEP UINT16_MAX
#define ROOT 0u
#define NO_INDEX UINT64_MAX

struct step {
    slice key;        /* decoded, in picker->keys */
    uint64_t index;   /* the key as an array index, or NO_INDEX */
    uint64_t lengths; /* bit n: a child's key has n bytes (63: or more) */
    uint64_t met;     /* number of the document it was last met in */
    uint16_t child;
    uint16_t sibling;
    uint16_t path;  /* field to fill, or NO_STEP */
    uint16_t first; /* child met first the last time, or NO_STEP */
    uint16_t after; /* sibling met after this one the last time, or NO_STEP */
};

struct json_picker {
    struct step *steps;
    char *keys; /* bytes of all keys */
    size_t keys_len;
    size_t path_count;
    uint16_t step_count;
    uint64_t document; /* documents walked over so far */
    struct json_shapes shapes;
    slice text; /* of the last refusal */
    const char *reason;
    size_t offset;
};

/* One open container. */
struct level {
    const char *start;
    uint64_t count; /* elements or members so far */
    uint16_t step;  /* that stands for it, or NO_STEP */
    uint16_t last;  /* child met last, or NO_STEP */
    bool object;
};

struct walk {
    struct json_picker *picker;
    struct json_field *fields;
    struct json_scan scan;
    uint32_t depth;
    struct level levels[JSON_DEPTH_DEFAULT];
};

/* Decodes one pointer token ("~1" and "~0") to OUT. -EINVAL for a stray tilde. */
static int decode_token(slice token, char *out, size_t *ret_len) {
    size_t len = 0;
    for (size_t i = 0; i < token.len; i++) {
        char c = token.ptr[i];
        if (c == '~') {
            i++;
            if (i == token.len || (token.ptr[i] != '0' && token.ptr[i] != '1')) {
                return -EINVAL;
            }
            c = token.ptr[i] == '0' ? '~' : '/';
        }
        out[len++] = c;
    }
    *ret_len = len;
    return 0;
}

static uint64_t length_bit(size_t len) {
    return 1ull << (len < 63 ? len : 63);
}

static uint16_t find_child(const struct json_picker *picker, uint16_t parent, slice key) {
    uint16_t at = picker->steps[parent].child;
    while (at != NO_STEP && !slice_equal(picker->steps[at].key, key)) {
        at = picker->steps[at].sibling;
    }
    return at;
}

static uint16_t add_child(struct json_picker *picker, uint16_t parent, slice key) {
    uint64_t index;
    bool canonical = key.len == 1 || !slice_starts_with(key, slice_lit("0"));
    if (!canonical || number_parse_u64(key, &index) < 0) {
        index = NO_INDEX;
    }
    uint16_t at = picker->step_count++;
    struct step *p = &picker->steps[parent];
    picker->steps[at] = (struct step){.key = key,
                                      .index = index,
                                      .child = NO_STEP,
                                      .sibling = p->child,
                                      .path = NO_STEP,
                                      .first = NO_STEP,
                                      .after = NO_STEP};
    p->child = at;
    p->lengths |= length_bit(key.len);
    return at;
}

static int add_path(struct json_picker *picker, slice path, uint16_t field) {
    if (path.len > 0 && path.ptr[0] != '/') {
        return -EINVAL;
    }
    uint16_t at = ROOT;
    slice rest = slice_skip(path, 1);
    while (path.len > 0 && rest.ptr) {
        size_t len;
        char *key = picker->keys + picker->keys_len;
        int r = decode_token(slice_cut(rest, '/', &rest), key, &len);
        if (r < 0) {
            return r;
        }
        uint16_t child = find_child(picker, at, slice_make(key, len));
        if (child == NO_STEP) {
            child = add_child(picker, at, slice_make(key, len));
            picker->keys_len += len;
        }
        at = child;
    }
    if (picker->steps[at].path != NO_STEP) {
        return -EINVAL;
    }
    picker->steps[at].path = field;
    return 0;
}

int json_picker_new(const slice *paths, size_t count, struct json_picker **ret_picker) {
    size_t bytes = 0;
    size_t steps = 1;
    if (count > JSON_PICK_PATHS_MAX) {
        return -E2BIG;
    }
    for (size_t i = 0; i < count; i++) {
        bytes += paths[i].len;
        for (size_t j = 0; j < paths[i].len; j++) {
            steps += paths[i].ptr[j] == '/';
        }
    }
    if (steps > JSON_PICK_STEPS_MAX) {
        return -E2BIG;
    }
    struct json_picker *picker = mem_zalloc(1, sizeof(*picker));
    if (!picker) {
        return -ENOMEM;
    }
    picker->steps = mem_zalloc(steps, sizeof(*picker->steps));
    picker->keys = mem_alloc(bytes);
    int r = picker->steps && picker->keys ? json_shapes_make(count, &picker->shapes) : -ENOMEM;
    if (r == 0) {
        picker->steps[ROOT] = (struct step){.index = NO_INDEX,
                                            .child = NO_STEP,
                                            .sibling = NO_STEP,
                                            .path = NO_STEP,
                                            .first = NO_STEP,
                                            .after = NO_STEP};
        picker->step_count = 1;
        picker->path_count = count;
    }
    for (size_t i = 0; r == 0 && i < count; i++) {
        r = add_path(picker, paths[i], (uint16_t)i);
    }
    if (r < 0) {
        json_picker_free(picker);
        return r;
    }
    *ret_picker = picker;
    return 0;
}

struct json_picker *json_picker_free(struct json_picker *picker) {
    if (picker) {
        json_shapes_free(&picker->shapes);
        mem_free(picker->steps);
        mem_free(picker->keys);
        mem_free(picker);
    }
    return NULL;
}

static bool key_is(const struct json_token *key, const struct step *step) {
    slice raw = slice_make(key->start, (size_t)(key->end - key->start));
    return unlikely(key->escaped) ? json_scan_unescapes_to(raw, step->key)
                                  : slice_equal(raw, step->key);
}

/* The child of LEVEL's step that KEY leads to, or NO_STEP. */
static uint16_t find_member(struct step *steps, struct level *level, const struct json_token *key) {
    struct step *parent = &steps[level->step];
    uint16_t *guess = level->last == NO_STEP ? &parent->first : &steps[level->last].after;
    uint16_t at = *guess;
    if (at != NO_STEP && key_is(key, &steps[at])) {
        return at;
    }
    if (!key->escaped && !(parent->lengths & length_bit((size_t)(key->end - key->start)))) {
        return NO_STEP;
    }
    for (at = parent->child; at != NO_STEP; at = steps[at].sibling) {
        if (key_is(key, &steps[at])) {
            *guess = at;
            return at;
        }
    }
    return NO_STEP;
}

static uint16_t find_element(const struct step *steps, const struct level *level) {
    uint16_t at = steps[level->step].child;
    while (at != NO_STEP && steps[at].index != level->count) {
        at = steps[at].sibling;
    }
    return at;
}

/* A value of TYPE has ended; it is what STEP stands for. */
static void store(struct walk *w, uint16_t step, enum json_type type, const char *start,
                  bool escaped) {
    uint16_t path = step == NO_STEP ? NO_STEP : w->picker->steps[step].path;
    if (path != NO_STEP) {
        w->fields[path] =
            (struct json_field){slice_make(start, (size_t)(w->scan.at - start)), type, escaped};
    }
}

static int open_level(struct walk *w, uint16_t step, bool object) {
    if (w->depth == JSON_DEPTH_DEFAULT) {
        json_scan_refuse(&w->scan, w->scan.at, JSON_REASON_DEPTH);
        return -E2BIG;
    }
    w->levels[w->depth++] = (struct level){w->scan.at, 0, step, NO_STEP, object};
    w->scan.at++;
    return 0;
}

/* `at` stands on a value, the one that STEP stands for. */
static int take_value(struct walk *w, uint16_t step) {
    struct json_scan *s = &w->scan;
    struct json_token token = {.escaped = false};
    const char *start = s->at;
    enum json_type type;
    if (*start == '{' || *start == '[')
        return open_level(w, step, *start == '{');
    int r = json_scan_scalar(s, &token, &type);
    if (r == 0) {
        store(w, step, type, start, token.escaped);
    }
    return r;
}

/* The innermost container goes on: its end, or its next element or member. */
static int take_next(struct walk *w) {
    struct level *level = &w->levels[w->depth - 1];
    struct step *steps = w->picker->steps;
    struct json_token key = {0};
    int r = json_scan_next(&w->scan, level->object, level->count == 0, &key);
    if (r < 0) {
        return r;
    }
    if (r == 0) {
        w->depth--;
        store(w, level->step, level->object ? JSON_OBJECT : JSON_ARRAY, level->start, false);
        return 0;
    }
    uint16_t step = NO_STEP;
    if (level->step != NO_STEP) {
        step = level->object ? find_member(steps, level, &key) : find_element(steps, level);
    }
    level->count++;
    if (step != NO_STEP) {
        if (steps[step].met == w->picker->document) {
            return json_scan_refuse(&w->scan, key.start, JSON_REASON_REPEATED);
        }
        steps[step].met = w->picker->document;
        level->last = step;
    }
    return take_value(w, step);
}

static int walk_over(struct json_picker *picker, slice text, struct json_field *fields) {
    struct walk w = {.picker = picker, .fields = fields, .scan = json_scan_make(text)};
    picker->document++;
    for (size_t i = 0; i < picker->path_count; i++) {
        fields[i] = (struct json_field){.type = JSON_ABSENT};
    }
    int r = json_scan_begin(&w.scan);
    if (r == 0) {
        r = take_value(&w, ROOT);
    }
    while (r == 0 && w.depth > 0) {
        r = take_next(&w);
    }
    if (r == 0) {
        r = json_scan_finish(&w.scan);
    }
    if (r < 0) {
        picker->text = text;
        picker->reason = w.scan.reason;
        picker->offset = (size_t)(w.scan.at - w.scan.start);
    }
    return r;
}

int json_pick(struct json_picker *picker, slice text, struct json_field *fields) {
    if (json_shapes_take(&picker->shapes, text, fields)) {
        return 0;
    }
    int r = walk_over(picker, text, fields);
    if (r == 0) {
        json_shapes_learn(&picker->shapes, text, fields);
    }
    return r;
}

int json_pick_explain(const struct json_picker *picker, int code, slice name, struct error *e) {
    return json_scan_explain(picker->text, picker->offset,
                             picker->reason ? picker->reason : "no error", code, name, e);
}

/* 0 where FIELD is of TYPE. */
static int field_as(const struct json_field *field, enum json_type type) {
    return field->type == JSON_ABSENT ? -ENOENT : field->type == type ? 0 : -EINVAL;
}

int json_pick_i64(const struct json_field *field, int64_t *ret_number) {
    int r = field_as(field, JSON_NUMBER);
    return r < 0 ? r : json_scan_to_i64(field->raw, ret_number);
}

int json_pick_u64(const struct json_field *field, uint64_t *ret_number) {
    int r = field_as(field, JSON_NUMBER);
    return r < 0 ? r : json_scan_to_u64(field->raw, ret_number);
}

int json_pick_double(const struct json_field *field, double *ret_number) {
    int r = field_as(field, JSON_NUMBER);
    return r < 0 ? r : json_scan_to_double(field->raw, ret_number);
}

int json_pick_bool(const struct json_field *field, bool *ret_bool) {
    int r = field_as(field, JSON_BOOL);
    if (r == 0) {
        *ret_bool = field->raw.ptr[0] == 't';
    }
    return r;
}

int json_pick_string(const struct json_field *field, char *out, size_t size, slice *ret_text) {
    int r = field_as(field, JSON_STRING);
    if (r < 0) {
        return r;
    }
    slice content = slice_make(field->raw.ptr + 1, field->raw.len - 2);
    if (!field->escaped) {
        *ret_text = content;
        return 0;
    }
    if (size < content.len) {
        return -ENOSPC;
    }
    *ret_text = slice_make(out, (size_t)(json_scan_unescape(content, out) - out));
    return 0;
}
