/*
 * json.c - builds the tape and answers questions about it.
 *
 * The tape is one array of 16-byte nodes in text order. A container's `next` points behind its
 * last descendant, so a member that is not wanted is skipped in one step whatever its size:
 *
 *      text    {"a": [7], "b": null}
 *      index   0    1     2    3    4     5
 *      node    {2   "a"   [1   7    "b"   null
 *      next    6    2     4    4    5     6
 *
 * While a container is open its `next` holds the index of the container around it, so the parser
 * needs neither recursion nor a stack beside the tape. A key is a string node directly before its
 * value.
 *
 * Two states suffice: a value is due, or a value has just ended and `,` or the closing bracket is
 * due. An object's key and colon are taken together with the comma or brace before them.
 *
 * Repeated keys: small objects are compared pair by pair; the keys of larger ones are sorted by
 * content and neighbours compared, which costs n log n whatever keys a stranger chooses.
 */
#include "wire/json.h"

#include "base/mem.h"
#include "wire/json_scan.h"

#include <assert.h>
#include <stdlib.h>

struct json_node {
    uint32_t start;  /* offset of the first byte; a string's is behind the quote */
    uint32_t length; /* bytes as written; a string's without the quotes */
    uint32_t next;
    uint32_t type : 3;
    uint32_t flag : 1;   /* string: holds escapes; number: is an integer; bool: is true */
    uint32_t count : 28; /* elements or members */
};

static_assert(sizeof(struct json_node) == 16, "a tape node is 16 bytes");
static_assert(JSON_NODES_MAX < (1u << 28), "the count of members fits its bits");

#define NODES_FIRST 64u  /* capacity of the first tape */
#define KEYS_PAIRWISE 8u /* objects of at most so many members are compared pair by pair */
#define NOTHING_OPEN UINT32_MAX

/* What the parser knows beside the tape. */
struct builder {
    struct json_doc *doc;
    struct json_scan scan;
    uint32_t open; /* innermost open container, or NOTHING_OPEN */
    uint32_t depth;
};

void json_init(struct json_doc *doc) {
    *doc = (struct json_doc){.depth_max = JSON_DEPTH_DEFAULT, .nodes_max = JSON_NODES_DEFAULT};
}

void json_free(struct json_doc *doc) {
    mem_free(doc->nodes);
    mem_free(doc->unescaped);
    mem_free(doc->keys);
    json_init(doc);
}

static int refuse_bound(struct builder *b, const char *reason) {
    json_scan_refuse(&b->scan, b->scan.at, reason);
    return -E2BIG;
}

static int refuse_memory(struct builder *b) {
    json_scan_refuse(&b->scan, b->scan.at, "there is no memory left to read this document");
    return -ENOMEM;
}

static int grow_tape(struct builder *b) {
    struct json_doc *doc = b->doc;
    if (doc->count >= doc->nodes_max) {
        return refuse_bound(b, "the document holds too many values");
    }
    uint32_t capacity = doc->capacity ? doc->capacity * 2 : NODES_FIRST;
    capacity = capacity < doc->nodes_max ? capacity : doc->nodes_max;
    struct json_node *nodes = mem_realloc(doc->nodes, capacity * sizeof(*nodes));
    if (!nodes) {
        return refuse_memory(b);
    }
    doc->nodes = nodes;
    doc->capacity = capacity;
    return 0;
}

/* Adds a leaf whose bytes are TOKEN. */
static int add_leaf(struct builder *b, enum json_type type, struct json_token token, bool flag) {
    struct json_doc *doc = b->doc;
    if (unlikely(doc->count >= doc->capacity || doc->count >= doc->nodes_max)) {
        int r = grow_tape(b);
        if (r < 0) {
            return r;
        }
    }
    doc->nodes[doc->count] = (struct json_node){
        .start = (uint32_t)(token.start - b->scan.start),
        .length = (uint32_t)(token.end - token.start),
        .next = doc->count + 1,
        .type = (uint32_t)type & 7u,
        .flag = flag,
    };
    doc->count++;
    return 0;
}

static int open_container(struct builder *b, enum json_type type) {
    if (b->depth >= b->doc->depth_max) {
        return refuse_bound(b, JSON_REASON_DEPTH);
    }
    uint32_t index = b->doc->count;
    int r = add_leaf(b, type, (struct json_token){.start = b->scan.at, .end = b->scan.at}, false);
    if (r < 0) {
        return r;
    }
    b->doc->nodes[index].next = b->open;
    b->open = index;
    b->depth++;
    b->scan.at++;
    return 0;
}

static int read_word(struct builder *b, slice word, enum json_type type) {
    struct json_token token = {.start = b->scan.at, .end = b->scan.at + word.len};
    int r = json_scan_word(&b->scan, word);
    return r < 0 ? r : add_leaf(b, type, token, *token.start == 't');
}

static int read_value(struct builder *b) {
    struct json_token token;
    int r;
    switch (*b->scan.at) {
    case '"':
        r = json_scan_string(&b->scan, &token);
        return r < 0 ? r : add_leaf(b, JSON_STRING, token, token.escaped);
    case '{':
        return open_container(b, JSON_OBJECT);
    case '[':
        return open_container(b, JSON_ARRAY);
    case 't':
        return read_word(b, slice_lit("true"), JSON_BOOL);
    case 'f':
        return read_word(b, slice_lit("false"), JSON_BOOL);
    case 'n':
        return read_word(b, slice_lit("null"), JSON_NULL);
    default:
        r = json_scan_number(&b->scan, &token);
        return r < 0 ? r : add_leaf(b, JSON_NUMBER, token, token.integer);
    }
}

static slice node_text(const struct json_doc *doc, const struct json_node *n) {
    return slice_make(doc->text.ptr + n->start, n->length);
}

/* The content of string N, decoded into the document where it holds escapes. Every string decodes
   to its own offset, so asking twice writes the same bytes to the same place. */
static int string_content(struct json_doc *doc, const struct json_node *n, slice *ret_text) {
    if (!n->flag) {
        *ret_text = node_text(doc, n);
        return 0;
    }
    if (doc->unescaped_capacity < doc->text.len) {
        char *room = mem_alloc(doc->text.len);
        if (!room) {
            return -ENOMEM;
        }
        mem_free(doc->unescaped);
        doc->unescaped = room;
        doc->unescaped_capacity = doc->text.len;
    }
    char *out = doc->unescaped + n->start;
    *ret_text = slice_make(out, (size_t)(json_scan_unescape(node_text(doc, n), out) - out));
    return 0;
}

static int order_keys(const void *a, const void *b) {
    return slice_compare(*(const slice *)a, *(const slice *)b);
}

/* The later of two equal keys among COUNT, or NULL. Reorders KEYS where there are many. */
static const slice *repeated_key(slice *keys, uint32_t count) {
    if (count > KEYS_PAIRWISE) {
        qsort(keys, count, sizeof(*keys), order_keys);
        for (uint32_t i = 1; i < count; i++) {
            if (slice_equal(keys[i - 1], keys[i])) {
                return &keys[i];
            }
        }
        return NULL;
    }
    for (uint32_t i = 1; i < count; i++) {
        for (uint32_t j = 0; j < i; j++) {
            if (slice_equal(keys[i], keys[j])) {
                return &keys[i];
            }
        }
    }
    return NULL;
}

static int keys_room(struct json_doc *doc, uint32_t count, slice **ret_keys) {
    if (doc->keys_capacity < count) {
        slice *keys = mem_realloc(doc->keys, count * sizeof(*keys));
        if (!keys) {
            return -ENOMEM;
        }
        doc->keys = keys;
        doc->keys_capacity = count;
    }
    *ret_keys = doc->keys;
    return 0;
}

/* Refuses object INDEX, complete on the tape, where it repeats a key. */
static int check_keys(struct builder *b, uint32_t index) {
    struct json_doc *doc = b->doc;
    uint32_t count = doc->nodes[index].count;
    slice few[KEYS_PAIRWISE];
    slice *keys = few;
    if (count > KEYS_PAIRWISE && keys_room(doc, count, &keys) < 0) {
        return refuse_memory(b);
    }
    uint32_t at = index + 1;
    for (uint32_t i = 0; i < count; i++) {
        if (string_content(doc, &doc->nodes[at], &keys[i]) < 0) {
            return refuse_memory(b);
        }
        at = doc->nodes[at + 1].next;
    }
    const slice *repeated = repeated_key(keys, count);
    if (!repeated) {
        return 0;
    }
    bool in_text = repeated->ptr >= doc->text.ptr && repeated->ptr <= doc->text.ptr + doc->text.len;
    ptrdiff_t offset = repeated->ptr - (in_text ? doc->text.ptr : doc->unescaped);
    return json_scan_refuse(&b->scan, b->scan.start + offset, JSON_REASON_REPEATED);
}

/* `at` stands behind the closing bracket. */
static int close_container(struct builder *b) {
    struct json_node *n = &b->doc->nodes[b->open];
    if (n->type == JSON_OBJECT && n->count > 1) {
        int r = check_keys(b, b->open);
        if (r < 0) {
            return r;
        }
    }
    b->open = n->next;
    b->depth--;
    n->next = b->doc->count;
    n->length = (uint32_t)(b->scan.at - b->scan.start) - n->start;
    return 0;
}

/* Inside the open container: its end, or its next element or member. */
static int read_next(struct builder *b) {
    struct json_node *n = &b->doc->nodes[b->open];
    struct json_token key;
    bool object = n->type == JSON_OBJECT;
    int r = json_scan_next(&b->scan, object, n->count == 0, &key);
    if (r <= 0) {
        return r < 0 ? r : close_container(b);
    }
    n->count = (n->count + 1) & JSON_NODES_MAX;
    r = object ? add_leaf(b, JSON_STRING, key, key.escaped) : 0;
    return r < 0 ? r : read_value(b);
}

static int read_document(struct builder *b) {
    int r = json_scan_begin(&b->scan);
    if (r == 0) {
        r = read_value(b);
    }
    while (r == 0 && b->open != NOTHING_OPEN) {
        r = read_next(b);
    }
    return r < 0 ? r : json_scan_finish(&b->scan);
}

int json_parse(struct json_doc *doc, slice text) {
    check(doc->depth_max <= JSON_DEPTH_MAX && doc->nodes_max <= JSON_NODES_MAX);
    struct builder b = {doc, json_scan_make(text), NOTHING_OPEN, 0};
    doc->text = text;
    doc->count = 0;
    doc->reason = NULL;
    doc->offset = 0;
    int r = read_document(&b);
    if (r < 0) {
        doc->count = 0;
        doc->reason = b.scan.reason;
        doc->offset = (size_t)(b.scan.at - b.scan.start);
    }
    return r;
}

int json_explain(const struct json_doc *doc, int code, slice name, struct error *e) {
    return json_scan_explain(doc->text, doc->offset, doc->reason ? doc->reason : "no error", code,
                             name, e);
}

/* The node of V, or NULL where it is absent. */
static const struct json_node *node_of(json_value v) {
    if (!v.doc) {
        return NULL;
    }
    check(v.at < v.doc->count);
    return &v.doc->nodes[v.at];
}

json_value json_root(struct json_doc *doc) {
    return doc->count ? (json_value){doc, 0} : (json_value){NULL, 0};
}

enum json_type json_type_of(json_value v) {
    const struct json_node *n = node_of(v);
    return n ? (enum json_type)n->type : JSON_ABSENT;
}

slice json_source(json_value v) {
    const struct json_node *n = node_of(v);
    if (!n) {
        return (slice){NULL, 0};
    }
    unsigned quote = n->type == JSON_STRING;
    return slice_make(v.doc->text.ptr + n->start - quote, (size_t)n->length + 2 * quote);
}

size_t json_on_one_line(slice json, char *out) {
    size_t len = 0;
    for (size_t i = 0; i < json.len; i++)
        if ((unsigned char)json.ptr[i] >= ' ')
            out[len++] = json.ptr[i];
    return len;
}

uint32_t json_count(json_value v) {
    const struct json_node *n = node_of(v);
    return n ? n->count : 0;
}

struct json_iterator json_each(json_value v) {
    const struct json_node *n = node_of(v);
    if (!n || (n->type != JSON_ARRAY && n->type != JSON_OBJECT)) {
        return (struct json_iterator){0};
    }
    return (struct json_iterator){
        .doc = v.doc, .next = v.at + 1, .end = n->next, .object = n->type == JSON_OBJECT};
}

bool json_next(struct json_iterator *i) {
    if (i->next >= i->end) {
        return false;
    }
    if (i->object) {
        i->key = (json_value){i->doc, i->next++};
    }
    i->value = (json_value){i->doc, i->next};
    i->next = i->doc->nodes[i->next].next;
    return true;
}

json_value json_member(json_value v, slice key) {
    struct json_iterator i = json_each(v);
    while (i.object && json_next(&i)) {
        if (json_string_is(i.key, key)) {
            return i.value;
        }
    }
    return (json_value){NULL, 0};
}

json_value json_path(json_value v, const char *dotted_path) {
    slice rest = slice_str(dotted_path);
    do {
        v = json_member(v, slice_cut(rest, '.', &rest));
    } while (v.doc && rest.ptr);
    return v;
}

json_value json_element(json_value v, uint32_t index) {
    struct json_iterator i = json_each(v);
    while (!i.object && json_next(&i)) {
        if (index-- == 0) {
            return i.value;
        }
    }
    return (json_value){NULL, 0};
}

/* The node of V where it has TYPE. */
static int node_as(json_value v, enum json_type type, const struct json_node **ret_node) {
    const struct json_node *n = node_of(v);
    if (!n) {
        return -ENOENT;
    }
    if (n->type != type) {
        return -EINVAL;
    }
    *ret_node = n;
    return 0;
}

int json_bool(json_value v, bool *ret_bool) {
    const struct json_node *n = NULL;
    int r = node_as(v, JSON_BOOL, &n);
    if (r == 0) {
        *ret_bool = n->flag;
    }
    return r;
}

int json_number(json_value v, slice *ret_digits) {
    const struct json_node *n = NULL;
    int r = node_as(v, JSON_NUMBER, &n);
    if (r == 0) {
        *ret_digits = node_text(v.doc, n);
    }
    return r;
}

static int integer_of(json_value v, slice *ret_digits) {
    const struct json_node *n = NULL;
    int r = node_as(v, JSON_NUMBER, &n);
    if (r < 0) {
        return r;
    }
    *ret_digits = node_text(v.doc, n);
    return n->flag ? 0 : -EINVAL;
}

int json_i64(json_value v, int64_t *ret_number) {
    slice digits;
    int r = integer_of(v, &digits);
    return r < 0 ? r : json_scan_to_i64(digits, ret_number);
}

int json_u64(json_value v, uint64_t *ret_number) {
    slice digits;
    int r = integer_of(v, &digits);
    return r < 0 ? r : json_scan_to_u64(digits, ret_number);
}

int json_double(json_value v, double *ret_number) {
    slice digits;
    int r = json_number(v, &digits);
    return r < 0 ? r : json_scan_to_double(digits, ret_number);
}

int json_string(json_value v, slice *ret_text) {
    const struct json_node *n = NULL;
    int r = node_as(v, JSON_STRING, &n);
    return r < 0 ? r : string_content(v.doc, n, ret_text);
}

bool json_string_is(json_value v, slice text) {
    const struct json_node *n = NULL;
    if (node_as(v, JSON_STRING, &n) < 0) {
        return false;
    }
    slice raw = node_text(v.doc, n);
    return n->flag ? json_scan_unescapes_to(raw, text) : slice_equal(raw, text);
}

bool json_is_integer(json_value v) {
    const struct json_node *n = node_of(v);
    return n && n->type == JSON_NUMBER && n->flag;
}
