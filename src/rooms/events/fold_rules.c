/*
 * fold_rules.c - compiles what the configuration says of a fold (fold_rules.h).
 *
 * A mistake is noted where it stands and the rest is compiled all the same, so that all of them are
 * told at once. The digest is SHA-256 over the tree as it is written: it may change where the
 * meaning has not (another order, say), never the other way round.
 */
#include "rooms/events/fold_rules.h"

#include "base/buf.h"
#include "base/hex.h"
#include "io/crypto.h"
#include "rooms/events/fold_expression.h"
#include "rooms/events/fold_tree.h"
#include "rooms/events/fold_value.h"
#include "wire/json.h"

#include <errno.h>

#define TEXT_MAX ((size_t)4 << 20)

const struct fold fold_default = {
    .name = {"default", 7}, .version = 1, .digest = "0", .initial = {"{}", 2}, .merges_all = true};

struct compiler {
    struct arena *arena;
    struct conf_errors *errors;
    const char *label; /* "rule ", or "" for `initial` */
    slice type;
    bool faulty;
};

const char *fold_operator_name(enum fold_operator operator) {
    static const char *const names[] = {[FOLD_MERGE] = "merge",
                                        [FOLD_SET] = "set",
                                        [FOLD_INC] = "inc",
                                        [FOLD_APPEND] = "append",
                                        [FOLD_REMOVE] = "remove"};
    return names[operator];
}

static void note(struct compiler *c, struct conf_place place, const char *hint, const char *what) {
    c->faulty = true;
    conf_errors_note(c->errors, place, hint, "%s%.*s: %s", c->label,
                     slice_fmt(slice_take(c->type, 64)), what);
}

/* 0 also where the mistake has been noted. */
static int settle(struct compiler *c, struct conf_place place, int failed, const struct error *e) {
    if (failed != -EINVAL)
        return failed;
    note(c, place, e->hint, e->message);
    return 0;
}

/* --- values ------------------------------------------------------------------------------- */

static int quote(struct compiler *c, slice text, slice *ret_json) {
    _cleanup_buf_ struct buf json = buf_make(TEXT_MAX * 6);
    int failed = fold_json_write_string(text, &json);
    return failed ? failed : arena_copy(c->arena, buf_slice(&json), ret_json);
}

/* null, true, false, numbers: what JSON calls so. */
static bool is_json_word(slice text) {
    struct json_doc doc;
    json_init(&doc);
    enum json_type type = json_parse(&doc, text) ? JSON_ABSENT : json_type_of(json_root(&doc));
    json_free(&doc);
    return type == JSON_NULL || type == JSON_BOOL || type == JSON_NUMBER;
}

static int compile_scalar(struct compiler *c, const struct conf_node *node,
                          struct fold_value *value) {
    slice text = node->text;
    struct error e = {0};
    if (fold_is_expression(text)) {
        value->kind = FOLD_EXPRESSION;
        int failed = arena_copy(c->arena, text, &text);
        if (!failed)
            failed = fold_expression_read(text, c->arena, &value->expression, &e);
        return settle(c, node->place, failed, &e);
    }
    value->kind = FOLD_LITERAL;
    if (node->plain && (!text.len || slice_equal(text, slice_lit("~")))) {
        value->literal = slice_lit("null");
        return 0;
    }
    if (node->plain && is_json_word(slice_trim(text)))
        return arena_copy(c->arena, text, &value->literal);
    bool doubled = text.len > 1 && (text.ptr[0] == '.' || text.ptr[0] == '$');
    return quote(c, doubled ? slice_skip(text, 1) : text, &value->literal);
}

/* As deep as the tree, which YAML has bounded. */
static int compile_value(struct compiler *c, const struct conf_node *node,
                         struct fold_value *value) {
    *value = (struct fold_value){.kind = FOLD_LITERAL, .literal = slice_lit("null")};
    if (node->type == CONF_NODE_SCALAR)
        return compile_scalar(c, node, value);
    struct fold_member *members = arena_zalloc(c->arena, node->count, sizeof *members);
    int failed = members ? 0 : -ENOMEM;
    for (size_t i = 0; i < node->count && !failed; i++) {
        if (node->type == CONF_NODE_MAP)
            failed = quote(c, node->entries[i].key, &members[i].key);
        if (!failed)
            failed = compile_value(c, node->entries[i].value, &members[i].value);
    }
    value->kind = node->type == CONF_NODE_MAP ? FOLD_MAP : FOLD_LIST;
    value->members = members;
    value->count = (unsigned)node->count;
    return failed;
}

/* --- operators ---------------------------------------------------------------------------- */

struct operations {
    struct fold_operation *all;
    unsigned count;
};

static int add_path(struct compiler *c, struct operations *o, enum fold_operator operator,
                    slice text, struct conf_place place) {
    struct error e = {0};
    struct fold_operation *operation = &o->all[o->count++];
    operation->operator= operator;
    int failed = arena_copy(c->arena, text, &text);
    if (!failed)
        failed = fold_path_read(text, c->arena, &operation->path, &e);
    return settle(c, place, failed, &e);
}

static bool is_empty(const struct conf_node *node) {
    return !node || (node->type == CONF_NODE_SCALAR && node->plain && !node->text.len);
}

static size_t count_of(const struct conf_node *node) {
    return is_empty(node) ? 0 : node->type == CONF_NODE_SCALAR ? 1 : node->count;
}

static bool may_be_number(const struct fold_value *value) {
    return value->kind == FOLD_EXPRESSION ||
           (value->kind == FOLD_LITERAL && strchr("-0123456789", value->literal.ptr[0]));
}

/* set, inc, append: a map of paths. */
static int compile_map(struct compiler *c, struct operations *o, enum fold_operator operator,
                       const struct conf_node * node) {
    if (is_empty(node))
        return 0;
    if (node->type != CONF_NODE_MAP) {
        note(c, node->place, "write {member: value}", "a map of members is wanted");
        return 0;
    }
    int failed = 0;
    for (size_t i = 0; i < node->count && !failed; i++) {
        const struct conf_entry *entry = &node->entries[i];
        struct fold_value *value = &o->all[o->count].value;
        failed = add_path(c, o, operator, entry->key, entry->place);
        if (!failed)
            failed = compile_value(c, entry->value, value);
        if (!failed && operator== FOLD_INC && !may_be_number(value))
            note(c, entry->value->place, "write a number without quotes, or .member of the data",
                 "inc adds a number");
    }
    return failed;
}

static int compile_merge(struct compiler *c, struct operations *o, const struct conf_node *node) {
    if (is_empty(node))
        return 0;
    struct fold_operation *operation = &o->all[o->count++];
    operation->operator= FOLD_MERGE;
    int failed = compile_value(c, node, &operation->value);
    enum fold_value_kind kind = operation->value.kind;
    if (!failed && kind != FOLD_MAP && kind != FOLD_EXPRESSION)
        note(c, node->place, "write '.' for all of the data, or .member, or {member: value}",
             "merge wants an object");
    return failed;
}

static int compile_remove(struct compiler *c, struct operations *o, const struct conf_node *node) {
    if (is_empty(node))
        return 0;
    if (node->type == CONF_NODE_SCALAR)
        return add_path(c, o, FOLD_REMOVE, node->text, node->place);
    int failed = 0;
    for (size_t i = 0; i < node->count && !failed; i++) {
        const struct conf_node *each = node->entries[i].value;
        if (node->type == CONF_NODE_LIST && each->type == CONF_NODE_SCALAR)
            failed = add_path(c, o, FOLD_REMOVE, each->text, each->place);
        else
            note(c, node->entries[i].place, "write [member, other.member]",
                 "remove wants a list of members");
    }
    return failed;
}

static int compile_rule(struct compiler *c, const struct fold_rule_config *config,
                        struct fold_rule *rule) {
    size_t most = 1 + count_of(config->set) + count_of(config->inc) + count_of(config->append) +
                  count_of(config->remove);
    struct operations o = {.all = arena_zalloc(c->arena, most, sizeof *o.all)};
    if (!o.all)
        return -ENOMEM;
    c->label = "rule ";
    c->type = config->item.name;
    int failed = compile_merge(c, &o, config->merge);
    if (!failed)
        failed = compile_map(c, &o, FOLD_SET, config->set);
    if (!failed)
        failed = compile_map(c, &o, FOLD_INC, config->inc);
    if (!failed)
        failed = compile_map(c, &o, FOLD_APPEND, config->append);
    if (!failed)
        failed = compile_remove(c, &o, config->remove);
    if (!failed && !o.count && !config->clear && !config->item.faulty)
        note(c, config->item.place, "give it merge, set, inc, append, remove or clear",
             "it changes nothing");
    rule->clears = config->clear;
    rule->operations = o.all;
    rule->count = o.count;
    return failed ? failed : arena_copy(c->arena, config->item.name, &rule->type);
}

/* --- a fold ------------------------------------------------------------------------------- */

static int compile_initial(struct compiler *c, const struct conf_node *node, slice *ret_initial) {
    static const char hint[] = "write a map of literals: {bids: 0, open: true}";
    _cleanup_buf_ struct buf json = buf_make(TEXT_MAX * 6);
    struct fold_value value;
    *ret_initial = slice_lit("{}");
    c->label = "";
    c->type = slice_lit("initial");
    if (is_empty(node))
        return 0;
    if (node->type != CONF_NODE_MAP) {
        note(c, node->place, hint, "a state is an object");
        return 0;
    }
    int failed = compile_value(c, node, &value);
    if (failed || c->faulty)
        return failed;
    failed = fold_value_write(&value, NULL, &json);
    if (failed == -EINVAL || failed == -E2BIG) {
        note(c, node->place, hint,
             failed == -E2BIG ? "it is nested too deeply"
                              : "there is no event yet to take it from");
        return 0;
    }
    if (!failed && json.len > FOLD_BYTES_MAX) {
        note(c, node->place, "shorten it: each state begins with it, and events add to it",
             "it is larger than the 1 MB of a state");
        return 0;
    }
    return failed ? failed : arena_copy(c->arena, buf_slice(&json), ret_initial);
}

/* Each node by its kind, its number of entries and its texts behind their lengths. */
static int describe(const struct conf_node *node, struct buf *out) {
    int failed =
        buf_printf(out, "%d%d%zu.%zu:", node->type, node->plain, node->count, node->text.len);
    if (!failed)
        failed = buf_append(out, node->text);
    for (size_t i = 0; i < node->count && !failed; i++) {
        failed = buf_printf(out, "%zu:", node->entries[i].key.len);
        if (!failed)
            failed = buf_append(out, node->entries[i].key);
        if (!failed)
            failed = describe(node->entries[i].value, out);
    }
    return failed;
}

static int write_digest(const struct fold_config *config, struct fold *fold) {
    _cleanup_buf_ struct buf all = buf_make(TEXT_MAX * 16);
    unsigned char hash[32];
    char hex[sizeof hash * 2 + 1];
    int failed = config->item.node ? describe(config->item.node, &all) : 0;
    if (failed)
        return -ENOMEM;
    io_sha256(buf_slice(&all), hash);
    hex_encode(slice_make((const char *)hash, sizeof hash), hex);
    memcpy(fold->digest, hex, FOLD_DIGEST_CHARS);
    fold->digest[FOLD_DIGEST_CHARS] = '\0';
    return 0;
}

int fold_compile(const struct fold_config *config, struct arena *arena, struct conf_errors *errors,
                 struct fold *ret_fold) {
    struct compiler c = {.arena = arena, .errors = errors};
    const struct fold_rule_config *rules = config->on.items;
    size_t count = config->on.count;
    struct fold_rule *compiled = arena_zalloc(arena, count, sizeof *compiled);
    static const struct hash_key key; /* whose keys are the operator's own */
    *ret_fold =
        (struct fold){.version = (uint64_t)config->version, .rules = map_make(key, FOLD_RULES_MAX)};
    int failed = compiled ? arena_copy(arena, config->item.name, &ret_fold->name) : -ENOMEM;
    if (!failed)
        failed = compile_initial(&c, config->initial, &ret_fold->initial);
    for (size_t i = 0; i < count && !failed; i++) {
        failed = compile_rule(&c, &rules[i], &compiled[i]);
        if (!failed)
            failed = map_set(&ret_fold->rules, compiled[i].type, &compiled[i], NULL);
    }
    if (!failed)
        failed = write_digest(config, ret_fold);
    if (!failed && c.faulty)
        failed = -EINVAL;
    if (failed)
        fold_free(ret_fold);
    return failed;
}

void fold_free(struct fold *fold) {
    map_free(&fold->rules);
}
