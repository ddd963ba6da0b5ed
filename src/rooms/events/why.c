/*
 * why.c - see why.h.
 *
 * Nodes are sorted by position, the asked event among them, so a cause stands before what it has
 * caused, and one pass forwards knows of each node whether it hangs below the asked one. A cause is
 * looked for among all that stand before: at most WHY_EVENTS_MAX squared comparisons of lengths.
 */
#include "rooms/events/why.h"

#include "base/mem.h"
#include "wire/json.h"
#include "wire/json_write.h"

#include <errno.h>

#define NONE UINT32_MAX

struct node {
    json_value entry;
    uint64_t position;
    slice id, causation;
    uint32_t cause, first, next; /* nodes: what it follows from; below it; beside it */
    uint32_t depth;
    bool below; /* it is the asked one, or hangs below it */
};

struct tree {
    struct json_doc asked_doc, related_doc;
    struct node *nodes;
    uint32_t count, asked;
    slice correlation;
};

/* --- reading -------------------------------------------------------------------------------- */

static slice text_of(json_value entry, const char *key) {
    slice text = {0};
    (void)!json_string(json_member(entry, slice_str(key)), &text);
    return text;
}

static int add(struct tree *t, json_value entry) {
    struct node *node = &t->nodes[t->count];
    *node = (struct node){.entry = entry,
                          .id = text_of(entry, "id"),
                          .causation = text_of(entry, "causation"),
                          .cause = NONE,
                          .first = NONE,
                          .next = NONE};
    if (json_u64(json_member(entry, slice_lit("position")), &node->position) || !node->id.len)
        return -EINVAL;
    t->count++;
    return 0;
}

static void reverse(struct tree *t) {
    for (uint32_t i = 0; i < t->count / 2; i++) {
        struct node node = t->nodes[i];
        t->nodes[i] = t->nodes[t->count - 1 - i];
        t->nodes[t->count - 1 - i] = node;
    }
}

/* The asked event goes to its place among the others, unless it is there. */
static int place_asked(struct tree *t, json_value asked) {
    uint64_t position;
    if (json_u64(json_member(asked, slice_lit("position")), &position))
        return -EINVAL;
    for (t->asked = 0; t->asked < t->count; t->asked++)
        if (t->nodes[t->asked].position >= position)
            break;
    if (t->asked < t->count && t->nodes[t->asked].position == position)
        return 0;
    int failed = add(t, asked);
    for (uint32_t i = t->count - 1; !failed && i > t->asked; i--) {
        struct node node = t->nodes[i];
        t->nodes[i] = t->nodes[i - 1];
        t->nodes[i - 1] = node;
    }
    return failed;
}

static int read_all(struct tree *t, slice asked, slice related) {
    uint64_t before = UINT64_MAX;
    int failed = json_parse(&t->asked_doc, asked);
    if (!failed)
        failed = json_parse(&t->related_doc, related);
    if (failed)
        return failed == -ENOMEM ? failed : -EINVAL;
    json_value root = json_root(&t->related_doc);
    if (json_type_of(root) != JSON_ARRAY)
        return -EINVAL;
    if (json_count(root) > WHY_EVENTS_MAX)
        return -E2BIG;
    t->nodes = mem_alloc((json_count(root) + 1) * sizeof *t->nodes);
    if (!t->nodes)
        return -ENOMEM;
    struct json_iterator i = json_each(root);
    while (!failed && json_next(&i)) {
        failed = add(t, i.value);
        if (!failed && t->nodes[t->count - 1].position >= before)
            failed = -EINVAL;
        before = failed ? 0 : t->nodes[t->count - 1].position;
    }
    reverse(t);
    t->correlation = text_of(json_root(&t->asked_doc), "correlation");
    return failed ? failed : place_asked(t, json_root(&t->asked_doc));
}

/* --- the tree ------------------------------------------------------------------------------- */

static uint32_t find_cause(const struct tree *t, uint32_t of) {
    slice id = t->nodes[of].causation;
    for (uint32_t i = id.len ? of : 0; i-- > 0;)
        if (slice_equal(t->nodes[i].id, id))
            return i;
    return NONE;
}

static void grow(struct tree *t) {
    for (uint32_t i = 0; i < t->count; i++) {
        struct node *node = &t->nodes[i];
        node->cause = find_cause(t, i);
        node->below = i == t->asked || (node->cause != NONE && t->nodes[node->cause].below);
    }
    for (uint32_t i = t->count; i-- > 0;) { /* so that siblings stand in their order */
        uint32_t cause = t->nodes[i].cause;
        if (cause == NONE || !t->nodes[cause].below)
            continue;
        t->nodes[i].next = t->nodes[cause].first;
        t->nodes[cause].first = i;
    }
}

/* --- writing -------------------------------------------------------------------------------- */

static void write_node(struct json_writer *w, const struct tree *t, uint32_t at, uint32_t depth) {
    json_write_object(w);
    json_write_key(w, "depth");
    json_write_u64(w, depth);
    if (at == t->asked) {
        json_write_key(w, "asked");
        json_write_bool(w, true);
    }
    json_write_key(w, "event");
    json_write_raw(w, json_source(t->nodes[at].entry));
    json_write_end(w);
}

/* From the root down to the cause of the asked one. Returns how deep that is. */
static uint32_t write_way(struct json_writer *w, struct tree *t, uint32_t *ret_root) {
    uint32_t depth = 0, at = t->asked;
    for (; t->nodes[at].cause != NONE; at = t->nodes[at].cause) {
        t->nodes[t->nodes[at].cause].next = at; /* the way back down */
        depth++;
    }
    *ret_root = at;
    for (uint32_t i = 0; i < depth; i++, at = t->nodes[at].next)
        write_node(w, t, at, i);
    return depth;
}

/* The asked one and all below it, in the order of the tree. */
static uint32_t write_below(struct json_writer *w, struct tree *t, uint32_t depth) {
    uint32_t at = t->asked, count = 0;
    t->nodes[at].depth = depth;
    while (true) {
        struct node *node = &t->nodes[at];
        write_node(w, t, at, node->depth);
        count++;
        if (node->first != NONE) {
            t->nodes[node->first].depth = node->depth + 1;
            at = node->first;
            continue;
        }
        while (at != t->asked && t->nodes[at].next == NONE)
            at = t->nodes[at].cause;
        if (at == t->asked)
            return count;
        t->nodes[t->nodes[at].next].depth = t->nodes[at].depth;
        at = t->nodes[at].next;
    }
}

static int write_all(struct tree *t, bool complete, struct buf *out) {
    struct json_writer w = json_writer_make(out, false);
    json_value asked = json_root(&t->asked_doc);
    uint64_t revision = 0;
    uint32_t root;
    _cleanup_buf_ struct buf events = buf_make(SIZE_MAX / 2);
    struct json_writer e = json_writer_make(&events, false);
    (void)!json_u64(json_member(asked, slice_lit("revision")), &revision);
    json_write_array(&e);
    uint32_t above = write_way(&e, t, &root);
    uint32_t told = above + write_below(&e, t, above);
    json_write_end(&e);
    if (json_write_finish(&e))
        return -ENOMEM;
    json_write_object(&w);
    json_put_nonempty(&w, "stream", text_of(asked, "stream"));
    json_write_key(&w, "revision");
    json_write_u64(&w, revision);
    json_put_nonempty(&w, "correlation", t->correlation);
    json_put_nonempty(&w, "command", t->nodes[root].causation);
    json_write_key(&w, "events");
    json_write_raw(&w, buf_slice(&events));
    json_write_key(&w, "others");
    json_write_u64(&w, t->count - told);
    json_write_key(&w, "complete");
    json_write_bool(&w, complete);
    json_write_end(&w);
    return json_write_finish(&w);
}

int why_write(slice asked, slice related, bool complete, struct buf *out) {
    struct tree t = {.count = 0};
    json_init(&t.asked_doc);
    json_init(&t.related_doc);
    int failed = read_all(&t, asked, related);
    if (!failed) {
        grow(&t);
        failed = write_all(&t, complete, out);
    }
    mem_free(t.nodes);
    json_free(&t.asked_doc);
    json_free(&t.related_doc);
    return failed;
}
