/*
 * condition.c - conditions by type and tag: read, judged, told (condition.h).
 *
 * The judgement is a walk an item, one after the other. It says -EINPROGRESS where a record has to
 * be waited for, and after STEP_MAX events, so that others get their turn; it goes on where it was.
 * All items are judged, also behind one that is violated: all violations are told at once.
 */
#include "rooms/events/condition.h"

#include <errno.h>

#define STEP_MAX 256u /* events looked at a turn */

/* --- reading ------------------------------------------------------------------------------ */

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

/* --- judging ------------------------------------------------------------------------------ */

static bool matches(const struct condition_item *item, const struct event *event) {
    bool fits = item->type_count == 0;
    for (unsigned i = 0; i < item->type_count && !fits; i++)
        fits = slice_equal(event->type, item->types[i]);
    for (unsigned i = 0; i < item->tag_count && fits; i++)
        fits = event_has_tag(event->tags, item->tags[i]);
    return fits;
}

static int note_violation(struct condition_item *item, uint64_t position, slice subject,
                          const struct event *event, struct arena *arena) {
    _cleanup_buf_ struct buf name = buf_make(EVENT_NAME_MAX * 2);
    int failed = event_name(subject, &name) ? -EBADMSG : 0;
    if (!failed)
        failed = arena_copy(arena, buf_slice(&name), &item->stream);
    if (!failed)
        failed = arena_copy(arena, event->type, &item->type);
    item->position = position;
    item->violated = !failed;
    return failed;
}

static void begin(struct condition *c, struct condition_item *item, struct engine *engine) {
    struct stream *es = engine_stream(engine);
    uint64_t floor = item->clean_to > c->after ? item->clean_to : c->after;
    item->ceiling = es ? log_stream_staged(stream_log(es)).last_sequence : 0;
    walk_begin(&item->walk, engine, item->ends, item->tag_count, item->ceiling, floor);
    item->begun = true;
}

struct judging {
    struct conditions *all;
    struct fetch *fetch;
    struct arena *arena;
    unsigned steps;
};

/* The event that the item's walk is at: 1: it violates the item; 0: it does not. */
static int judge_event(struct judging *j, struct condition_item *item,
                       const struct log_record *record, const struct event *event) {
    if (!matches(item, event))
        return 0;
    int gone = head_hides(j->fetch->engine, record->subject, event->number, record->time_ns,
                          &j->all->held);
    if (gone)
        return gone < 0 ? gone : 0;
    int failed = note_violation(item, item->walk.at, record->subject, event, j->arena);
    return failed ? failed : 1;
}

/* One event. 0: the walk goes on; 1: it is over; -EINPROGRESS, -EAGAIN (the pump), -EBADMSG,
   -ENOMEM. */
static int judge_next(struct judging *j, struct condition *c, struct condition_item *item) {
    struct log_record record;
    struct event event;
    int result = walk_look(&item->walk, j->fetch, &record, &event);
    bool hole = result == -EAGAIN;
    if (!result)
        result = judge_event(j, item, &record, &event);
    if (result && !hole)
        return result;
    if (!hole)
        walk_next(&item->walk, &event);
    c->too_far = ++c->looks >= CONDITION_LOOKS_MAX;
    if (c->too_far || ++j->steps < STEP_MAX)
        return c->too_far;
    j->steps = 0;
    fetch_again(j->fetch); /* enough for this turn */
    return -EINPROGRESS;
}

static int judge_item(struct judging *j, struct condition *c, struct condition_item *item) {
    int result = item->violated || c->too_far;
    if (!item->begun)
        begin(c, item, j->fetch->engine);
    while (!result)
        result = judge_next(j, c, item);
    if (result < 0)
        return result;
    item->clean_to = item->ceiling;
    item->begun = false;
    return 0;
}

int conditions_judge(struct conditions *all, struct fetch *fetch, struct arena *arena) {
    struct judging j = {.all = all, .fetch = fetch, .arena = arena};
    for (; all->at < all->count; all->at++) {
        struct condition *c = &all->all[all->at];
        for (; all->item_at < c->item_count; all->item_at++) {
            int failed = judge_item(&j, c, &c->items[all->item_at]);
            if (failed)
                return failed;
        }
        all->item_at = 0;
    }
    all->at = 0; /* for what comes meanwhile */
    return 0;
}

void conditions_release(struct conditions *all) {
    head_give(all->held);
    all->held = NULL;
}

/* --- telling ------------------------------------------------------------------------------ */

static bool violated(const struct condition *c) {
    for (unsigned i = 0; i < c->item_count; i++)
        if (c->items[i].violated)
            return true;
    return false;
}

bool conditions_violated(const struct conditions *all) {
    for (unsigned i = 0; i < all->count; i++)
        if (violated(&all->all[i]))
            return true;
    return false;
}

const struct condition *conditions_unknown(const struct conditions *all) {
    for (unsigned i = 0; i < all->count; i++)
        if (all->all[i].too_far && !violated(&all->all[i]))
            return &all->all[i];
    return NULL;
}

static void write_item(const struct condition *c, unsigned index, struct json_writer *w) {
    const struct condition_item *item = &c->items[index];
    json_write_object(w);
    json_write_key(w, "check");
    json_write_text(w, "none");
    json_write_key(w, "index");
    json_write_u64(w, c->index);
    json_write_key(w, "item");
    json_write_u64(w, index);
    json_write_key(w, "after");
    json_write_u64(w, c->after);
    json_write_key(w, "position");
    json_write_u64(w, item->position);
    json_write_key(w, "stream");
    json_write_string(w, item->stream);
    json_write_key(w, "type");
    json_write_string(w, item->type);
    json_write_end(w);
}

void conditions_write(const struct conditions *all, struct json_writer *w) {
    for (unsigned i = 0; i < all->count; i++)
        for (unsigned k = 0; k < all->all[i].item_count; k++)
            if (all->all[i].items[k].violated)
                write_item(&all->all[i], k, w);
}
