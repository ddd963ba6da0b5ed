/*
 * condition_read.c - the JSON of a condition by type and tag, read (condition.h). Pure.
 *
 * Where something is wrong the words say what and where: "checks[1].none[0].tags: ...". Unknown
 * members are refused: a misspelt `tags` would be a condition that rules out more.
 */
#include "rooms/events/condition.h"

#include <errno.h>

struct place {
    unsigned check, item;
    struct error *e;
};

static int refuse(const struct place *at, const char *key, const char *what) {
    return error_set(at->e, -EINVAL, "checks[%u].none[%u].%s: %s", at->check, at->item, key, what);
}

static int read_texts(const struct place *at, json_value list, const char *key, size_t most,
                      struct arena *arena, slice **ret_texts, unsigned *ret_count) {
    unsigned count = json_count(list);
    if (json_type_of(list) == JSON_ABSENT)
        return 0;
    if (json_type_of(list) != JSON_ARRAY || count > CONDITION_TEXTS_MAX)
        return refuse(at, key, "a list of at most 64 texts is wanted");
    *ret_texts = arena_zalloc(arena, count + 1, sizeof **ret_texts);
    if (!*ret_texts)
        return -ENOMEM;
    struct json_iterator i = json_each(list);
    while (json_next(&i)) {
        slice *text = &(*ret_texts)[*ret_count];
        if (json_string(i.value, text) || !text->len || text->len > most)
            return refuse(at, key, "a text of 1 to 256 bytes is wanted");
        ++*ret_count;
    }
    return 0;
}

static int refuse_unknown(json_value object, const char *const *known, const struct place *at,
                          bool in_item) {
    struct json_iterator i = json_each(object);
    while (json_next(&i)) {
        bool found = false;
        for (const char *const *k = known; *k; k++)
            found |= json_string_is(i.key, slice_str(*k));
        slice key = {0};
        if (found)
            continue;
        (void)!json_string(i.key, &key);
        key = slice_take(key, 40);
        return in_item ? error_set(at->e, -EINVAL,
                                   "checks[%u].none[%u].%.*s: an item has types and tags",
                                   at->check, at->item, slice_fmt(key))
                       : error_set(at->e, -EINVAL,
                                   "checks[%u].%.*s: a check has stream and expect, or none and "
                                   "after",
                                   at->check, slice_fmt(key));
    }
    return 0;
}

static int read_item(const struct place *at, json_value v, bool has_after, struct arena *arena,
                     struct condition_item *item) {
    static const char *const known[] = {"types", "tags", NULL};
    if (json_type_of(v) != JSON_OBJECT)
        return refuse(at, "types", "an item is an object with types and tags");
    int failed = refuse_unknown(v, known, at, true);
    if (!failed)
        failed = read_texts(at, json_member(v, slice_lit("types")), "types", EVENT_TYPE_MAX, arena,
                            &item->types, &item->type_count);
    if (!failed)
        failed = read_texts(at, json_member(v, slice_lit("tags")), "tags", EVENT_TAG_MAX, arena,
                            &item->tags, &item->tag_count);
    if (!failed && !item->type_count && !item->tag_count && !has_after)
        return refuse(at, "types", "without types and tags the check wants an after");
    return failed;
}

int condition_read(json_value v, unsigned index, struct arena *arena, struct condition *c,
                   struct error *e) {
    static const char *const known[] = {"none", "after", NULL};
    struct place at = {.check = index, .e = e};
    json_value none = json_member(v, slice_lit("none")), after = json_member(v, slice_lit("after"));
    bool has_after = json_type_of(after) != JSON_ABSENT && json_type_of(after) != JSON_NULL;
    bool many = json_type_of(none) == JSON_ARRAY;
    unsigned count = many ? json_count(none) : 1;
    *c = (struct condition){.index = index};
    int failed = refuse_unknown(v, known, &at, false);
    if (failed)
        return failed;
    if (has_after && (json_u64(after, &c->after) || c->after > INT64_MAX))
        return error_set(e, -EINVAL, "checks[%u].after: a position is wanted", index);
    if (count == 0 || count > CONDITION_ITEMS_MAX)
        return error_set(e, -EINVAL, "checks[%u].none: 1 to %u items are wanted", index,
                         CONDITION_ITEMS_MAX);
    c->items = arena_zalloc(arena, count, sizeof *c->items);
    if (!c->items)
        return -ENOMEM;
    if (!many) {
        c->item_count = 1;
        return read_item(&at, none, has_after, arena, &c->items[0]);
    }
    struct json_iterator i = json_each(none);
    for (; !failed && json_next(&i); at.item++)
        failed = read_item(&at, i.value, has_after, arena, &c->items[c->item_count++]);
    return failed;
}
