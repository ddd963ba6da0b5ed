/*
 * aggregate_snapshot.c - the groups of an AGGREGATE as records (snapshot.h).
 *
 *   TABLES    started, the next id, room of the indexes
 *   CLOSING   a time; then the groups that close at it, in their order (EMIT ON WINDOW CLOSE)
 *   GROUP     id, set, key, rows, values told, states that are folded; then
 *     BAGGED    a value of a bag, in its order
 *     VALUE     a distinct value, where groups close
 *   VALUE     all others, which name their group by its id
 *
 * A state is written by the aggregate itself, or is its own bytes. One that owns memory and cannot
 * be written makes the whole operator one that cannot be saved.
 */
#include "sql/exec/aggregate.h"
#include "sql/exec/snapshot.h"

enum { TABLES = SNAPSHOT_OWN, CLOSING, GROUP, BAGGED, VALUE };

static bool has_state(const struct folded *f) {
    return f->keeping == KEEP_FOLD || f->keeping == KEEP_DISTINCT;
}

bool aggregate_can_save(const struct sql_operator *o) {
    const struct aggregate *a = (const struct aggregate *)o;
    for (unsigned i = 0; i < o->plan->aggregates; i++) {
        const struct folded *f = &a->folded[i];
        const struct sql_aggregate *own = f->plan->aggregate;
        if (has_state(f) && own->release && !(own->save && own->load))
            return false;
    }
    return true;
}

/* ---- saving ------------------------------------------------------------------------------- */

static void save_state(const struct folded *f, const void *state, struct sql_saving *s) {
    const struct sql_aggregate *own = f->plan->aggregate;
    if (!own->save) {
        saving_bytes(s, slice_make(state, own->state_bytes));
        return;
    }
    buf_clear(&s->scratch);
    if (s->failed == 0)
        s->failed = own->save(state, &s->scratch);
    saving_bytes(s, buf_slice(&s->scratch));
}

static int save_bag(unsigned folded, const struct sql_tree *bag, struct sql_saving *s) {
    int r = 0;
    for (struct sql_node *n = sql_tree_first(bag); r == 0 && n; n = sql_node_next(n)) {
        const struct bagged *b = (const struct bagged *)n;
        saving_begin(s, BAGGED);
        saving_count(s, folded);
        saving_number(s, n->weight);
        saving_bytes(s, slice_make(b->bytes, n->key_len));
        saving_bytes(s, slice_make(b->bytes + n->key_len, b->arguments_len));
        r = saving_end(s);
    }
    return r;
}

static const struct distinct *distinct_of(const struct aggregate *a, unsigned map) {
    const struct distinct *d = a->distincts;
    while (d && d->number != map)
        d = d->next;
    return d;
}

static int save_value(const struct aggregate *a, const struct value *v, struct sql_saving *s) {
    const struct distinct *d = distinct_of(a, v->map);
    saving_begin(s, VALUE);
    saving_count(s, v->map);
    saving_bytes(s, slice_make((const char *)v + d->index.key_at, v->key_len));
    for (unsigned i = 0; i < d->words; i++)
        saving_number(s, v->counts[i]);
    return saving_end(s);
}

static int save_group(const struct aggregate *a, struct group *g, struct sql_saving *s) {
    const char *key = (const char *)g + a->index.key_at;
    saving_begin(s, GROUP);
    saving_count(s, g->id);
    saving_count(s, g->set);
    saving_bytes(s, slice_make(key, g->key_len));
    saving_bytes(s, slice_make(key + g->key_len, g->exact_len));
    saving_number(s, g->rows);
    saving_count(s, g->held);
    saving_count(s, g->shown != NULL);
    saving_bytes(s, slice_make(g->shown, g->shown ? g->shown_len : 0));
    for (unsigned i = 0; i < a->base.plan->aggregates; i++) {
        if (has_state(&a->folded[i]))
            save_state(&a->folded[i], fold_state(&a->folded[i], g), s);
    }
    int r = saving_end(s);
    for (unsigned i = 0; r == 0 && i < a->base.plan->aggregates; i++) {
        if (keeps_bag(&a->folded[i]))
            r = save_bag(i, fold_state(&a->folded[i], g), s);
    }
    for (const struct value *v = g->values; r == 0 && v; v = v->next)
        r = save_value(a, v, s);
    return r;
}

static int save_closing(const struct aggregate *a, struct sql_saving *s) {
    int r = 0;
    for (struct sql_node *n = sql_tree_first(&a->closing); r == 0 && n; n = sql_node_next(n)) {
        const struct closing *c = (const struct closing *)n;
        saving_begin(s, CLOSING);
        saving_number(s, c->time);
        r = saving_end(s);
        for (struct group *g = c->first; r == 0 && g; g = g->next)
            r = save_group(a, g, s);
    }
    return r;
}

static int save_tables(const struct aggregate *a, struct sql_saving *s) {
    saving_begin(s, TABLES);
    saving_count(s, a->started);
    saving_count(s, a->ids);
    saving_count(s, a->index.capacity);
    for (const struct distinct *d = a->distincts; d; d = d->next)
        saving_count(s, d->index.capacity);
    return saving_end(s);
}

int aggregate_save(const struct sql_operator *o, struct sql_saving *s) {
    const struct aggregate *a = (const struct aggregate *)o;
    int r = save_tables(a, s);
    if (a->closes)
        return r ? r : save_closing(a, s);
    for (size_t i = 0; r == 0 && i < a->index.capacity; i++) {
        if (a->index.slots[i].entry)
            r = save_group(a, a->index.slots[i].entry, s);
    }
    for (const struct distinct *d = a->distincts; d; d = d->next) {
        for (size_t i = 0; r == 0 && i < d->index.capacity; i++) {
            if (d->index.slots[i].entry)
                r = save_value(a, d->index.slots[i].entry, s);
        }
    }
    return r;
}

/* ---- loading ------------------------------------------------------------------------------ */

static int load_tables(struct aggregate *a, struct sql_loading *l) {
    a->started = loading_below(l, 2);
    a->ids = loading_count(l);
    int r = sql_index_reserve(&a->index, loading_count(l));
    for (struct distinct *d = a->distincts; r == 0 && d; d = d->next)
        r = sql_index_reserve(&d->index, loading_count(l));
    return r;
}

static int load_closing(struct aggregate *a, struct sql_loading *l) {
    int64_t time = loading_number(l);
    if (!loading_whole(l) || !a->closes)
        return -EBADMSG;
    struct closing *c = sql_slab_take(&a->slab, sizeof *c);
    if (!c)
        return -ENOBUFS;
    *c = (struct closing){.node.key_len = sizeof c->key, .time = time};
    closing_key(time, c->key);
    c->last = &c->first;
    l->last[0] = c;
    int r = sql_tree_append(&a->closing, &a->close_order, &c->node);
    if (r)
        sql_slab_give(&a->slab, c, sizeof *c);
    return r;
}

/* What G has told, and what is counted for its states. */
static int load_shown(struct aggregate *a, struct group *g, uint64_t held, bool is, slice shown) {
    if (sql_budget_take(&a->base.exec->budget, held))
        return -ENOBUFS;
    g->held = held;
    if (!is)
        return shown.len ? -EBADMSG : 0;
    g->shown = sql_slab_take(&a->slab, shown.len);
    if (!g->shown)
        return -ENOBUFS;
    g->shown_len = (uint32_t)shown.len;
    memcpy(g->shown, shown.ptr ? shown.ptr : "", shown.len);
    return 0;
}

static int load_states(struct aggregate *a, struct group *g, struct sql_loading *l) {
    int r = 0;
    for (unsigned i = 0; r == 0 && i < a->base.plan->aggregates; i++) {
        const struct folded *f = &a->folded[i];
        if (!has_state(f))
            continue;
        const struct sql_aggregate *own = f->plan->aggregate;
        slice bytes = loading_bytes(l);
        if (l->damaged)
            return -EBADMSG;
        if (own->save)
            r = own->load(fold_state(f, g), bytes);
        else if (bytes.len == own->state_bytes)
            memcpy(fold_state(f, g), bytes.ptr, bytes.len);
        else
            r = -EBADMSG;
    }
    return r;
}

/* G in the index; from there it is freed with all that it owns. */
static int group_add(struct aggregate *a, struct group *g, size_t size, struct closing *c) {
    int r = sql_index_add(&a->index, g->hash, g);
    if (r) {
        sql_slab_give(&a->slab, g, size);
        return r;
    }
    if (c) {
        *c->last = g;
        c->last = &g->next;
    }
    return 0;
}

static int load_group(struct aggregate *a, struct sql_loading *l) {
    uint64_t id = loading_count(l);
    unsigned set = loading_below(l, a->sets);
    slice key = loading_bytes(l), exact = loading_bytes(l);
    int64_t rows = loading_number(l);
    uint64_t held = loading_count(l), hash = loading_hash(&a->base, key);
    bool is_shown = loading_below(l, 2);
    slice shown = loading_bytes(l);
    struct closing *c = l->last[0];
    if (l->damaged || id >= a->ids || key.len > UINT32_MAX || exact.len > UINT32_MAX ||
        shown.len > UINT32_MAX || (a->exact && exact.len) || a->closes != (c != NULL) ||
        sql_index_find(&a->index, hash, key))
        return -EBADMSG;
    size_t head = a->index.key_at, size = head + key.len + exact.len;
    struct group *g = sql_slab_take(&a->slab, size);
    if (!g)
        return -ENOBUFS;
    memset(g, 0, head);
    g->key_len = (uint32_t)key.len;
    g->exact_len = (uint32_t)exact.len;
    g->hash = hash;
    g->id = id;
    g->rows = rows;
    g->set = (uint16_t)set;
    memcpy((char *)g + head, key.ptr ? key.ptr : "", key.len);
    memcpy((char *)g + head + key.len, exact.ptr ? exact.ptr : "", exact.len);
    int r = group_add(a, g, size, c);
    if (r == 0)
        r = load_shown(a, g, held, is_shown, shown);
    if (r == 0)
        r = load_states(a, g, l);
    l->at = r ? NULL : g;
    return r;
}

static int load_bagged(struct aggregate *a, struct sql_loading *l) {
    struct group *g = l->at;
    unsigned folded = loading_below(l, a->base.plan->aggregates);
    int64_t weight = loading_number(l);
    slice key = loading_bytes(l), arguments = loading_bytes(l);
    if (!g || !loading_whole(l) || !keeps_bag(&a->folded[folded]) || key.len > UINT32_MAX ||
        arguments.len > UINT32_MAX)
        return -EBADMSG;
    size_t size = offsetof(struct bagged, bytes) + key.len + arguments.len;
    struct bagged *b = sql_slab_take(&a->slab, size);
    if (!b)
        return -ENOBUFS;
    b->node.key_len = (uint32_t)key.len;
    b->node.weight = weight;
    b->arguments_len = (uint32_t)arguments.len;
    memcpy(b->bytes, key.ptr ? key.ptr : "", key.len);
    memcpy(b->bytes + key.len, arguments.ptr ? arguments.ptr : "", arguments.len);
    int r = sql_tree_append(fold_state(&a->folded[folded], g), &a->bag_order, &b->node);
    if (r)
        sql_slab_give(&a->slab, b, size);
    return r;
}

static int load_value(struct aggregate *a, struct sql_loading *l) {
    struct distinct *d = a->distincts;
    unsigned map = loading_below(l, UINT32_MAX);
    slice key = loading_bytes(l), id = slice_take(key, sizeof(uint64_t));
    struct group *g = a->closes ? l->at : NULL;
    while (d && d->number != map)
        d = d->next;
    if (l->damaged || !d || id.len != sizeof g->id || key.len > UINT32_MAX ||
        (a->closes && (!g || memcmp(id.ptr, &g->id, sizeof g->id) != 0)))
        return -EBADMSG;
    uint64_t hash = sql_hash_bytes(loading_hash(&a->base, slice_skip(key, id.len)), id);
    if (sql_index_find(&d->index, hash, key))
        return -EBADMSG;
    size_t size = d->index.key_at + key.len;
    struct value *v = sql_slab_take(&a->slab, size);
    if (!v)
        return -ENOBUFS;
    *v = (struct value){.key_len = (uint32_t)key.len, .map = map, .next = g ? g->values : NULL};
    for (unsigned i = 0; i < d->words; i++)
        v->counts[i] = loading_number(l);
    memcpy((char *)v + d->index.key_at, key.ptr, key.len);
    int r = sql_index_add(&d->index, hash, v);
    if (r)
        sql_slab_give(&a->slab, v, size);
    else if (g)
        g->values = v;
    return r;
}

int aggregate_load(struct sql_operator *o, struct sql_loading *l) {
    struct aggregate *a = (struct aggregate *)o;
    switch (l->tag) {
    case TABLES:
        return load_tables(a, l);
    case CLOSING:
        return load_closing(a, l);
    case GROUP:
        return load_group(a, l);
    case BAGGED:
        return load_bagged(a, l);
    case VALUE:
        return load_value(a, l);
    default:
        return -EBADMSG;
    }
}
