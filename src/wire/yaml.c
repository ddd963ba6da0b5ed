/*
 * yaml.c - from libfyaml's events to the tree.
 *
 * Events and not libfyaml's own documents, because its documents expand, merge and allocate
 * without telling; from events every bound is ours. One stack of open containers, no recursion:
 *
 *      scalar       -> becomes the pending key, or goes into the innermost container
 *      + sequence   -> pushed; at its end its entries are laid out in one array
 *      + mapping    -> the same, and its keys are compared
 *      alias        -> the node of the anchor goes in, found by name, the latest first
 *
 * One flaw of libfyaml 0.7 we cannot mend: where quoted text turns out wrong, it forgets a few
 * KB of scratch memory, once for each file refused so.
 *
 * libfyaml's marks count from 0 and its errors from 1; an absent value (`key:`) has no mark, and
 * is said to stand where its key does.
 */
#include "wire/yaml.h"

#include "base/utf8.h"

#include <errno.h>
#include <libfyaml.h>
#include <stdlib.h>

#define KEYS_PAIRWISE 16u /* larger mappings are sorted to find a repeated key */

/* An entry before its container is complete. */
struct draft {
    struct yaml_entry entry;
    struct draft *next;
};

/* An open container. */
struct frame {
    struct yaml_node *node;
    struct draft *first;
    struct draft **last;
    struct yaml_entry pending; /* of a mapping: a key that waits for its value */
    bool has_key;
};

struct anchor {
    slice name;
    const struct yaml_node *node;
};

struct reader {
    struct yaml *yaml;
    struct error *e;
    slice name;
    struct fy_parser *parser;
    struct fy_diag *diag;
    uint32_t depth;
    uint32_t created; /* nodes, aliases not expanded */
    uint32_t anchor_count;
    struct frame frames[YAML_DEPTH_MAX];
    struct anchor anchors[YAML_ANCHORS_MAX];
};

struct position {
    uint32_t line;
    uint32_t column;
};

static int refuse(struct reader *r, struct position at, int code, const char *message,
                  const char *hint) {
    error_set(r->e, code, "%s", message);
    error_place(r->e, "%.*s%s%u:%u", slice_fmt(r->name), r->name.len ? ":" : "", at.line,
                at.column);
    if (hint) {
        error_hint(r->e, "%s", hint);
    }
    return code;
}

static int no_memory(struct reader *r, struct position at) {
    return refuse(r, at, -ENOMEM, "there is no memory left to read this file", NULL);
}

/* libfyaml marks an alias behind its asterisk and quoted text behind its quote. */
static bool is_marked_late(const struct fy_event *event) {
    if (event->type != FYET_SCALAR) {
        return event->type == FYET_ALIAS;
    }
    enum fy_scalar_style style = fy_token_scalar_style(event->scalar.value);
    return style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED;
}

/* Where EVENT stands; where it has no mark (an absent value), where its key does. */
static struct position position_of(const struct reader *r, struct fy_event *event) {
    const struct fy_mark *mark = fy_event_start_mark(event);
    if (mark) {
        uint32_t column = (uint32_t)mark->column + 1 - (is_marked_late(event) && mark->column > 0);
        return (struct position){(uint32_t)mark->line + 1, column};
    }
    const struct frame *f = r->depth ? &r->frames[r->depth - 1] : NULL;
    if (f && f->has_key) {
        return (struct position){f->pending.line, f->pending.column};
    }
    return f ? (struct position){f->node->line, f->node->column} : (struct position){1, 1};
}

static slice token_text(struct fy_token *token) {
    size_t len = 0;
    const char *text = fy_token_get_text(token, &len);
    return slice_make(text, text ? len : 0);
}

static struct yaml_node *new_node(struct reader *r, enum yaml_type type, struct position at) {
    if (r->created == YAML_NODES_MAX) {
        refuse(r, at, -E2BIG, "the file holds too many values", NULL);
        return NULL;
    }
    struct yaml_node *node = arena_zalloc(&r->yaml->arena, 1, sizeof(*node));
    if (!node) {
        no_memory(r, at);
        return NULL;
    }
    r->created++;
    node->type = type;
    node->line = at.line;
    node->column = at.column;
    node->weight = 1;
    return node;
}

/* Adds NODE to the innermost container, or makes it the root. */
static int attach(struct reader *r, struct position at, const struct yaml_node *node) {
    if (r->depth == 0) {
        r->yaml->root = node;
        return 0;
    }
    struct frame *f = &r->frames[r->depth - 1];
    if (f->node->type == YAML_MAPPING && !f->has_key) {
        return refuse(r, at, -EINVAL, "a key must be text",
                      "write `key: value`; lists, maps and aliases cannot be keys");
    }
    struct draft *d = arena_zalloc(&r->yaml->arena, 1, sizeof(*d));
    if (!d) {
        return no_memory(r, at);
    }
    if (f->has_key) {
        d->entry = f->pending;
    } else {
        d->entry.line = at.line;
        d->entry.column = at.column;
    }
    d->entry.value = node;
    f->has_key = false;
    *f->last = d;
    f->last = &d->next;
    f->node->count++;
    f->node->weight += node->weight;
    if (f->node->weight > YAML_NODES_MAX) {
        return refuse(r, at, -E2BIG, "the file holds too many values once aliases are expanded",
                      NULL);
    }
    return 0;
}

/* Remembers NODE under ANCHOR, where there is one. */
static int remember(struct reader *r, struct position at, struct fy_token *anchor,
                    const struct yaml_node *node) {
    if (!anchor) {
        return 0;
    }
    if (r->anchor_count == YAML_ANCHORS_MAX) {
        return refuse(r, at, -E2BIG, "the file has too many anchors", NULL);
    }
    slice name;
    if (arena_copy(&r->yaml->arena, token_text(anchor), &name) < 0) {
        return no_memory(r, at);
    }
    r->anchors[r->anchor_count++] = (struct anchor){name, node};
    return 0;
}

static int refuse_tag(struct reader *r, struct position at) {
    return refuse(r, at, -EINVAL, "tags (!…) have no meaning here", "leave the tag out");
}

static int take_scalar(struct reader *r, struct fy_event *event) {
    struct position at = position_of(r, event);
    struct frame *f = r->depth ? &r->frames[r->depth - 1] : NULL;
    bool plain = fy_token_scalar_style(event->scalar.value) == FYSS_PLAIN;
    slice text;
    if (event->scalar.tag) {
        return refuse_tag(r, at);
    }
    if (arena_copy(&r->yaml->arena, token_text(event->scalar.value), &text) < 0) {
        return no_memory(r, at);
    }
    if (f && f->node->type == YAML_MAPPING && !f->has_key) {
        if (event->scalar.anchor) {
            return refuse(r, at, -EINVAL, "a key cannot have an anchor", NULL);
        }
        f->pending = (struct yaml_entry){text, at.line, at.column, NULL};
        f->has_key = true;
        return 0;
    }
    struct yaml_node *node = new_node(r, YAML_SCALAR, at);
    if (!node) {
        return r->e->code;
    }
    node->plain = plain;
    node->text = text;
    int code = remember(r, at, event->scalar.anchor, node);
    return code < 0 ? code : attach(r, at, node);
}

static int open_container(struct reader *r, struct fy_event *event, enum yaml_type type,
                          struct fy_token *anchor, struct fy_token *tag) {
    struct position at = position_of(r, event);
    if (tag) {
        return refuse_tag(r, at);
    }
    if (r->depth == YAML_DEPTH_MAX) {
        return refuse(r, at, -E2BIG, "lists and maps are nested too deeply", NULL);
    }
    struct yaml_node *node = new_node(r, type, at);
    if (!node) {
        return r->e->code;
    }
    int code = remember(r, at, anchor, node);
    if (code < 0) {
        return code;
    }
    struct frame *f = &r->frames[r->depth++];
    *f = (struct frame){.node = node, .last = &f->first};
    return 0;
}

static int order_entries(const void *a, const void *b) {
    const struct yaml_entry *left = *(const struct yaml_entry *const *)a;
    const struct yaml_entry *right = *(const struct yaml_entry *const *)b;
    int order = slice_compare(left->key, right->key);
    return order ? order : (left > right) - (left < right);
}

/* The later of two entries with the same key, or NULL. SORTED is room for COUNT pointers. */
static const struct yaml_entry *repeated_key(const struct yaml_entry *entries, uint32_t count,
                                             const struct yaml_entry **sorted) {
    for (uint32_t i = 0; i < count; i++) {
        sorted[i] = &entries[i];
        for (uint32_t j = 0; count <= KEYS_PAIRWISE && j < i; j++) {
            if (slice_equal(entries[j].key, entries[i].key)) {
                return &entries[i];
            }
        }
    }
    if (count <= KEYS_PAIRWISE) {
        return NULL;
    }
    qsort(sorted, count, sizeof(*sorted), order_entries);
    for (uint32_t i = 1; i < count; i++) {
        if (slice_equal(sorted[i - 1]->key, sorted[i]->key)) {
            return sorted[i];
        }
    }
    return NULL;
}

static int check_keys(struct reader *r, const struct yaml_node *node) {
    struct position at = {node->line, node->column};
    const struct yaml_entry *few[KEYS_PAIRWISE];
    const struct yaml_entry **sorted = few;
    if (node->count > KEYS_PAIRWISE) {
        sorted = arena_zalloc(&r->yaml->arena, node->count, sizeof(*sorted));
        if (!sorted) {
            return no_memory(r, at);
        }
    }
    const struct yaml_entry *repeated = repeated_key(node->entries, node->count, sorted);
    if (!repeated) {
        return 0;
    }
    at = (struct position){repeated->line, repeated->column};
    return refuse(r, at, -EINVAL, "this key is given twice", "remove one of the two");
}

static int close_container(struct reader *r) {
    struct frame *f = &r->frames[--r->depth];
    struct yaml_node *node = f->node;
    struct position at = {node->line, node->column};
    struct yaml_entry *entries = arena_zalloc(&r->yaml->arena, node->count, sizeof(*entries));
    if (!entries) {
        return no_memory(r, at);
    }
    struct draft *d = f->first;
    for (uint32_t i = 0; i < node->count; i++, d = d->next) {
        entries[i] = d->entry;
    }
    node->entries = entries;
    if (node->type == YAML_MAPPING) {
        int code = check_keys(r, node);
        if (code < 0) {
            return code;
        }
    }
    return attach(r, at, node);
}

static int take_alias(struct reader *r, struct fy_event *event) {
    struct position at = position_of(r, event);
    slice name = token_text(event->alias.anchor);
    uint32_t i = r->anchor_count;
    while (i > 0 && !slice_equal(r->anchors[i - 1].name, name)) {
        i--;
    }
    if (i == 0) {
        return refuse(r, at, -EINVAL, "this alias has no anchor before it", NULL);
    }
    const struct yaml_node *node = r->anchors[i - 1].node;
    for (uint32_t depth = 0; depth < r->depth; depth++) {
        if (r->frames[depth].node == node) {
            return refuse(r, at, -EINVAL, "this alias stands inside its own anchor", NULL);
        }
    }
    return attach(r, at, node);
}

static int take_event(struct reader *r, struct fy_event *event) {
    switch (event->type) {
    case FYET_DOCUMENT_START:
        return r->yaml->root ? refuse(r, position_of(r, event), -EINVAL,
                                      "the file holds a second document (---)", NULL)
                             : 0;
    case FYET_SCALAR:
        return take_scalar(r, event);
    case FYET_SEQUENCE_START:
        return open_container(r, event, YAML_SEQUENCE, event->sequence_start.anchor,
                              event->sequence_start.tag);
    case FYET_MAPPING_START:
        return open_container(r, event, YAML_MAPPING, event->mapping_start.anchor,
                              event->mapping_start.tag);
    case FYET_SEQUENCE_END:
    case FYET_MAPPING_END:
        return close_container(r);
    case FYET_ALIAS:
        return take_alias(r, event);
    default:
        return 0;
    }
}

/* libfyaml has given up: its first error, in our words and with our place. */
static int refuse_syntax(struct reader *r) {
    void *cursor = NULL;
    struct fy_diag_error *found = fy_diag_errors_iterate(r->diag, &cursor);
    if (!found || !found->msg) {
        return refuse(r, (struct position){1, 1}, -EINVAL, "this is not YAML", NULL);
    }
    struct position at = {(uint32_t)(found->line > 0 ? found->line : 1),
                          (uint32_t)(found->column > 0 ? found->column : 1)};
    return refuse(r, at, -EINVAL, found->msg, NULL);
}

static int read_events(struct reader *r) {
    struct fy_event *event;
    while ((event = fy_parser_parse(r->parser))) {
        int code = take_event(r, event);
        fy_parser_event_free(r->parser, event);
        if (code < 0) {
            return code;
        }
    }
    return fy_parser_get_stream_error(r->parser) ? refuse_syntax(r) : 0;
}

/* Refuses what libfyaml should not see: too much, and bytes that are no text. */
static int check_text(struct reader *r, slice text) {
    struct position at = {1, 1};
    if (text.len > YAML_TEXT_MAX) {
        return refuse(r, at, -E2BIG, "the file is too large", NULL);
    }
    size_t valid = utf8_valid_prefix(text);
    ptrdiff_t nul = slice_find(slice_take(text, valid), '\0');
    if (valid == text.len && nul < 0) {
        return 0;
    }
    size_t offset = nul < 0 ? valid : (size_t)nul;
    for (size_t i = 0; i < offset; i++) {
        bool line_end = text.ptr[i] == '\n';
        at.line += line_end;
        at.column = line_end ? 1 : at.column + (((unsigned char)text.ptr[i] & 0xc0) != 0x80);
    }
    return refuse(r, at, -EINVAL, "the file is not UTF-8 text", NULL);
}

static int run_parser(struct reader *r, slice text) {
    struct fy_diag_cfg diag_config;
    fy_diag_cfg_default(&diag_config);
    r->diag = fy_diag_create(&diag_config);
    if (!r->diag) {
        return no_memory(r, (struct position){1, 1});
    }
    fy_diag_set_collect_errors(r->diag, true);
    struct fy_parse_cfg config = {.flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG, .diag = r->diag};
    r->parser = fy_parser_create(&config);
    int code = 0;
    if (!r->parser || fy_parser_set_string(r->parser, text.ptr, text.len) < 0) {
        code = no_memory(r, (struct position){1, 1});
    } else {
        code = read_events(r);
    }
    if (r->parser) {
        fy_parser_destroy(r->parser);
    }
    fy_diag_destroy(r->diag);
    return code;
}

int yaml_parse(slice text, slice name, struct yaml *ret_yaml, struct error *e) {
    struct error unheard;
    struct yaml yaml = {arena_make(0, YAML_MEMORY_MAX), NULL};
    struct reader *r = arena_zalloc(&yaml.arena, 1, sizeof(*r));
    if (!r) {
        return error_set(e, -ENOMEM, "there is no memory left to read this file");
    }
    r->yaml = &yaml;
    r->e = e ? e : &unheard;
    r->name = name;
    int code = check_text(r, text);
    if (code == 0 && text.len > 0) {
        code = run_parser(r, text);
    }
    if (code < 0) {
        arena_free(&yaml.arena);
        return code;
    }
    *ret_yaml = yaml;
    return 0;
}

void yaml_free(struct yaml *yaml) {
    arena_free(&yaml->arena);
    yaml->root = NULL;
}

const struct yaml_node *yaml_member(const struct yaml_node *node, slice key) {
    for (uint32_t i = 0; node && node->type == YAML_MAPPING && i < node->count; i++) {
        if (slice_equal(node->entries[i].key, key)) {
            return node->entries[i].value;
        }
    }
    return NULL;
}
