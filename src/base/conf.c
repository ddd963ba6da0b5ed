/*
 * conf.c - walks a file's tree along the tables and fills the structs.
 *
 * A section is filled in three steps: every key gets its default, then the keys that the file
 * gives are read in the file's order, then what is required and missing is noted. Defaults pass
 * through the same reader as the user's values; one that does not read is a bug in the table.
 *
 * Memory is the only thing that ends the walk; everything else is noted and passed over.
 */
#include "base/conf.h"

#include "base/conf_read.h"
#include "base/conf_value.h"
#include "base/edit.h"

#include <errno.h>
#include <stdio.h>

#define KEYS_MAX 64u /* of one table: `seen` is a word */
#define LABEL_SIZE 160u

/* The section being filled. */
struct scope {
    const struct conf_reader *reader;
    const struct conf_table *table;
    struct conf_item *item;
    char *into;
    unsigned depth;
};

void conf_errors_add(struct conf_errors *errors, struct conf_place place, const struct error *e) {
    size_t at = errors->count;
    while (at > 0 &&
           (errors->line[at - 1] > place.line ||
            (errors->line[at - 1] == place.line && errors->column[at - 1] > place.column))) {
        at--;
    }
    bool full = errors->count == CONF_ERRORS_MAX;
    errors->more += full;
    if (at == CONF_ERRORS_MAX) {
        return;
    }
    size_t moved = errors->count - at - full;
    memmove(&errors->line[at + 1], &errors->line[at], moved * sizeof(errors->line[0]));
    memmove(&errors->column[at + 1], &errors->column[at], moved * sizeof(errors->column[0]));
    memmove(&errors->items[at + 1], &errors->items[at], moved * sizeof(errors->items[0]));
    errors->line[at] = place.line;
    errors->column[at] = place.column;
    errors->items[at] = *e;
    if (place.line > 0) {
        error_place(&errors->items[at], "%.*s%s%u:%u", slice_fmt(place.file),
                    place.file.len ? ":" : "", place.line, place.column);
    } else {
        error_place(&errors->items[at], "%.*s", slice_fmt(place.file));
    }
    errors->count += !full;
}

void conf_errors_note(struct conf_errors *errors, struct conf_place place, const char *hint,
                      const char *format, ...) {
    struct error e;
    char message[sizeof(e.message)];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    error_set(&e, -EINVAL, "%s", message);
    if (hint) {
        error_hint(&e, "%s", hint);
    }
    conf_errors_add(errors, place, &e);
}

int conf_errors_text(const struct conf_errors *errors, struct buf *out) {
    for (size_t i = 0; i < errors->count; i++) {
        char text[sizeof(struct error) + 32];
        int r = buf_printf(out, "%s\n", error_text(&errors->items[i], text, sizeof(text)));
        if (r < 0) {
            return r;
        }
    }
    return errors->more ? buf_printf(out, "and %zu more\n", errors->more) : 0;
}

/* "stream BIDS", "listener nats", "node": how a message calls a section. */
static void label_of(const struct scope *s, char *out) {
    slice name = s->item->name;
    if (name.len == 0 || slice_equal(name, slice_str(s->table->name))) {
        (void)snprintf(out, LABEL_SIZE, "%s", s->table->name);
    } else {
        (void)snprintf(out, LABEL_SIZE, "%s %.*s", s->table->name, slice_fmt(name));
    }
}

/* Notes E, whose message continues "'KEY' in SECTION …". */
static void note_key(const struct scope *s, struct conf_place place, const char *key,
                     const struct error *e) {
    char label[LABEL_SIZE];
    struct error whole = *e;
    label_of(s, label);
    error_set(&whole, e->code, "'%s' in %s %s", key, label, e->message);
    if (e->hint[0]) {
        error_hint(&whole, "%s", e->hint);
    }
    conf_errors_add(s->reader->errors, place, &whole);
    s->item->faulty = true;
}

static void note_shape(const struct scope *s, struct conf_place place, const struct conf_key *key,
                       enum conf_type type) {
    struct error e;
    bool scalar = type != CONF_LIST && type != CONF_MAP && type != CONF_SECTION;
    if (scalar) {
        error_set(&e, -EINVAL, "takes one value, not a list or a map");
    } else {
        error_set(&e, -EINVAL, "must be a %s", conf_type_name(type));
    }
    error_hint(&e, "write %s", conf_type_form(type));
    note_key(s, place, key->name, &e);
}

static bool is_null(const struct conf_node *node) {
    return !node || (node->type == CONF_NODE_SCALAR && node->plain &&
                     (node->text.len == 0 || slice_equal(node->text, slice_lit("~")) ||
                      slice_equal(node->text, slice_lit("null"))));
}

static int apply_section(const struct scope *around, const struct conf_key *key, slice name,
                         struct conf_place place, const struct conf_node *node, char *into);

static int apply_scalar(const struct scope *s, const struct conf_key *key, enum conf_type type,
                        const struct conf_node *node, void *into) {
    struct error e;
    slice text;
    if (node->type != CONF_NODE_SCALAR) {
        note_shape(s, node->place, key, type);
        return 0;
    }
    if (is_null(node)) {
        error_set(&e, -EINVAL, "has no value");
        error_hint(&e, "write %s, or leave the key out", conf_type_form(type));
        note_key(s, node->place, key->name, &e);
        return 0;
    }
    error_set(&e, 0, "%s", "");
    int r = node->literal ? arena_copy(s->reader->arena, node->text, &text)
                          : conf_value_resolve(s->reader, key, node->text, &text, &e);
    if (r == 0) {
        r = conf_value_read(s->reader, key, type, text, into, &e);
    }
    if (r == 0 || r == -ENOMEM) {
        return r;
    }
    note_key(s, node->place, key->name, &e);
    return 0;
}

/* Makes room for COUNT items of KEY, where so many are allowed. */
static int items_room(const struct scope *s, const struct conf_key *key, struct conf_place place,
                      size_t count, size_t item_size, struct conf_array *ret_items) {
    size_t max = key->max ? key->max : CONF_ITEMS_MAX;
    if (count < key->min || count > max) {
        struct error e;
        error_set(&e, -EINVAL, "holds %zu items", count);
        error_hint(&e, "%zu to %zu are allowed", (size_t)key->min, max);
        note_key(s, place, key->name, &e);
        return -EINVAL;
    }
    void *items = arena_zalloc(s->reader->arena, count, item_size);
    if (!items) {
        return -ENOMEM;
    }
    *ret_items = (struct conf_array){items, count};
    return 0;
}

/* One item of list or map KEY. */
static int apply_item(const struct scope *s, const struct conf_key *key,
                      const struct conf_entry *entry, char *into) {
    if (key->of == CONF_SECTION) {
        struct conf_place place = entry->key.len ? entry->place : entry->value->place;
        return apply_section(s, key, entry->key, place, entry->value, into);
    }
    if (key->type == CONF_LIST) {
        return apply_scalar(s, key, key->of, entry->value, into);
    }
    struct conf_pair *pair = (struct conf_pair *)(void *)into;
    int r = arena_copy(s->reader->arena, entry->key, &pair->item.name);
    pair->item.place = entry->place;
    pair->item.given = true;
    return r < 0 ? r : apply_scalar(s, key, key->of, entry->value, &pair->text);
}

static int apply_items(const struct scope *s, const struct conf_key *key,
                       const struct conf_node *node, struct conf_array *into) {
    bool list = key->type == CONF_LIST;
    struct conf_entry alone = {.place = node->place, .value = node};
    struct conf_node around = {CONF_NODE_LIST, false, node->place, {0}, &alone, 1, false};
    if ((key->flags & CONF_ALONE) && !is_null(node) &&
        node->type == (key->of == CONF_SECTION ? CONF_NODE_MAP : CONF_NODE_SCALAR)) {
        node = &around;
    }
    size_t count = is_null(node) ? 0 : node->count;
    if (!is_null(node) && node->type != (list ? CONF_NODE_LIST : CONF_NODE_MAP)) {
        note_shape(s, node->place, key, key->type);
        return 0;
    }
    size_t item_size = key->of == CONF_SECTION ? key->table->size
                       : list                  ? conf_value_size(key->of)
                                               : sizeof(struct conf_pair);
    struct conf_array items;
    int r = items_room(s, key, node->place, count, item_size, &items);
    for (size_t i = 0; r == 0 && i < count; i++) {
        r = apply_item(s, key, &node->entries[i], (char *)items.items + i * item_size);
    }
    if (r == 0) {
        *into = items;
    }
    return r == -ENOMEM ? r : 0;
}

static int apply_value(const struct scope *s, const struct conf_key *key,
                       const struct conf_entry *entry) {
    char *into = s->into + key->offset;
    switch (key->type) {
    case CONF_SECTION:
        return apply_section(s, key, slice_str(key->name), entry->place, entry->value, into);
    case CONF_LIST:
    case CONF_MAP:
        return apply_items(s, key, entry->value, (struct conf_array *)(void *)into);
    case CONF_ANY:
        memcpy(into, &entry->value, sizeof(entry->value));
        return 0;
    default:
        return apply_scalar(s, key, key->type, entry->value, into);
    }
}

/* The value that KEY has where the file does not give it. */
static int apply_default(const struct scope *s, const struct conf_key *key) {
    char *into = s->into + key->offset;
    if (key->type == CONF_SECTION) {
        return apply_section(s, key, slice_str(key->name), s->item->place, NULL, into);
    }
    if (!key->fallback) {
        return 0;
    }
    struct error e;
    int r = conf_value_read(s->reader, key, key->type, slice_str(key->fallback), into, &e);
    check(r == 0 || r == -ENOMEM);
    return r;
}

static void note_unknown(const struct scope *s, const struct conf_entry *entry) {
    const char *names[KEYS_MAX];
    char label[LABEL_SIZE];
    struct error e;
    for (size_t i = 0; i < s->table->count; i++) {
        names[i] = s->table->keys[i].name;
    }
    label_of(s, label);
    error_set(&e, -EINVAL, "unknown key '%.*s' in %s", slice_fmt(slice_take(entry->key, 64)),
              label);
    const char *hint = s->table->unknown ? s->table->unknown(entry->key) : NULL;
    /* Comparing letters costs time that a hostile file could ask for a million times. */
    ptrdiff_t near = s->reader->errors->count == CONF_ERRORS_MAX
                         ? -1
                         : edit_closest(entry->key, names, s->table->count);
    if (hint) {
        error_hint(&e, "%s", hint);
    } else if (near >= 0) {
        error_hint(&e, "did you mean '%s'?", names[near]);
    }
    conf_errors_add(s->reader->errors, entry->place, &e);
    s->item->faulty = true;
}

/* Writes NAMES, at most COUNT of them or up to NULL, with commas between them. */
static void join_names(const struct conf_key *keys, const char *const *names, size_t count,
                       char out[LABEL_SIZE]) {
    size_t len = 0;
    out[0] = '\0';
    for (size_t i = 0; i < count && (keys || names[i]); i++) {
        int n = snprintf(out + len, LABEL_SIZE - len, "%s%s", i ? ", " : "",
                         keys ? keys[i].name : names[i]);
        len = n > 0 && len + (size_t)n < LABEL_SIZE ? len + (size_t)n : len;
    }
}

static void note_choice(const struct scope *s, const char *label) {
    char names[LABEL_SIZE];
    join_names(s->table->keys, NULL, s->table->one_of, names);
    conf_errors_note(s->reader->errors, s->item->place, NULL, "%s needs exactly one of: %s", label,
                     names);
    s->item->faulty = true;
}

/* Whether one of the keys that KEY goes with was SEEN. */
static bool has_company(const struct conf_table *table, const struct conf_key *key, uint64_t seen) {
    for (size_t w = 0; key->with && key->with[w]; w++) {
        for (size_t i = 0; i < table->count; i++) {
            if ((seen >> i & 1) && strcmp(table->keys[i].name, key->with[w]) == 0) {
                return true;
            }
        }
    }
    return !key->with;
}

static void note_lonely(const struct scope *s, const char *label, const struct conf_key *key) {
    char names[LABEL_SIZE];
    join_names(NULL, key->with, SIZE_MAX, names);
    conf_errors_note(s->reader->errors, s->item->place, "take it out, or write it there",
                     "'%s' in %s goes only with: %s", key->name, label, names);
    s->item->faulty = true;
}

static void note_missing(const struct scope *s, uint64_t seen) {
    char label[LABEL_SIZE];
    label_of(s, label);
    for (size_t i = 0; i < s->table->count; i++) {
        const struct conf_key *key = &s->table->keys[i];
        if ((key->flags & CONF_REQUIRED) && !(seen >> i & 1)) {
            conf_errors_note(s->reader->errors, s->item->place, key->doc, "%s needs the key '%s'",
                             label, key->name);
            s->item->faulty = true;
        }
    }
    uint64_t choices = (1ull << s->table->one_of) - 1;
    if (s->table->one_of && __builtin_popcountll(seen & choices) != 1) {
        note_choice(s, label);
    }
    for (size_t i = 0; i < s->table->count; i++) {
        if ((seen >> i & 1) && !has_company(s->table, &s->table->keys[i], seen)) {
            note_lonely(s, label, &s->table->keys[i]);
        }
    }
}

/* Reads what the file gives for section S. */
static int apply_entries(const struct scope *s, const struct conf_node *node) {
    uint64_t seen = 0;
    for (size_t i = 0; i < node->count; i++) {
        const struct conf_entry *entry = &node->entries[i];
        size_t k = 0;
        while (k < s->table->count && !slice_equal(entry->key, slice_str(s->table->keys[k].name))) {
            k++;
        }
        if (k == s->table->count) {
            note_unknown(s, entry);
            continue;
        }
        seen |= 1ull << k;
        int r = apply_value(s, &s->table->keys[k], entry);
        if (r < 0) {
            return r;
        }
    }
    note_missing(s, seen);
    return 0;
}

static int fill(const struct scope *s, const struct conf_node *node) {
    check(s->depth < CONF_DEPTH_MAX && s->table->count <= KEYS_MAX);
    for (size_t i = 0; i < s->table->count; i++) {
        int r = apply_default(s, &s->table->keys[i]);
        if (r < 0) {
            return r;
        }
    }
    return node ? apply_entries(s, node) : 0;
}

static int apply_section(const struct scope *around, const struct conf_key *key, slice name,
                         struct conf_place place, const struct conf_node *node, char *into) {
    static const struct conf_node empty = {.type = CONF_NODE_MAP};
    struct conf_item *item = (struct conf_item *)(void *)into;
    memset(into, 0, key->table->size);
    item->place = place;
    int r = arena_copy(around->reader->arena, name, &item->name);
    if (r < 0) {
        return r;
    }
    struct scope s = {around->reader, key->table, item, into, around->depth + 1};
    if (!node) {
        return fill(&s, NULL);
    }
    item->given = true;
    if (is_null(node)) {
        return fill(&s, &empty);
    }
    if (node->type == CONF_NODE_SCALAR && (key->flags & CONF_MAY_BE_OFF) &&
        slice_equal(node->text, slice_lit("off"))) {
        item->off = true;
        return fill(&s, NULL);
    }
    if (node->type != CONF_NODE_MAP) {
        note_shape(around, node->place, key, CONF_SECTION);
        return fill(&s, NULL);
    }
    item->node = node;
    return fill(&s, node);
}

struct conf_place conf_place_of(const struct conf_item *item, const char *key, size_t index) {
    for (size_t i = 0; item->node && i < item->node->count; i++) {
        const struct conf_entry *entry = &item->node->entries[i];
        if (!slice_equal(entry->key, slice_str(key))) {
            continue;
        }
        const struct conf_node *value = entry->value;
        if (value->type == CONF_NODE_SCALAR || index >= value->count) {
            return value->place;
        }
        const struct conf_entry *element = &value->entries[index];
        return value->type == CONF_NODE_LIST ? element->value->place : element->place;
    }
    return item->place;
}

int conf_apply(const struct conf_reader *reader, const struct conf_table *table,
               const struct conf_node *node, void *into) {
    const struct conf_key key = {.name = table->name, .type = CONF_SECTION, .table = table};
    struct conf_item nowhere = {0};
    struct scope around = {reader, table, &nowhere, into, 0};
    struct conf_place place = node ? node->place : (struct conf_place){0};
    size_t before = reader->errors->count + reader->errors->more;
    if (!is_null(node) && node->type != CONF_NODE_MAP) {
        conf_errors_note(reader->errors, place, "write `key: value`", "%s must be a map of keys",
                         table->name);
        node = NULL;
    }
    int r = apply_section(&around, &key, slice_lit(""), place, node, into);
    if (r < 0) {
        return r;
    }
    return reader->errors->count + reader->errors->more > before ? -EINVAL : 0;
}
