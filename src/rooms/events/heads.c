/*
 * heads.c - see heads.h.
 *
 * The path of NUMBER is NUMBER, then NUMBER with its lowest one bit taken off, and so on to 0: at
 * most one record for each bit. What the next event refers to is always among them: `before` is the
 * newest, `skip` a node of the path, and `leaf` the newest of them that EVENT_SPAN divides.
 */
#include "rooms/events/heads.h"

#include "base/mem.h"
#include "rooms/events/life_notes.h"

#include <errno.h>
#include <stdlib.h>

static void free_ids(struct head_node *node) {
    node->ids = mem_free(node->ids);
    node->id_count = 0;
}

static void head_free(struct head *head) {
    struct engine *engine = head->engine;
    fetch_cancel(&head->fetch);
    for (unsigned i = 0; i < head->path_count; i++)
        free_ids(&head->path[i]);
    engine->leaf_ids -= map64_count(&head->leaves);
    map64_free(&head->leaves);
    mem_free(head->path);
    mem_free(head->life);
    if (!head->stale)
        map_remove(&engine->heads, head->subject);
    mem_free(head);
}

static void drop_idle(struct engine *engine) {
    struct list_node *node = list_pop_front(&engine->idle);
    engine->head_count--;
    head_free(container_of(node, struct head, node));
}

/* --- loading ------------------------------------------------------------------------------ */

static int read_node(struct head *head, const struct event *event, uint64_t sequence) {
    struct head_node *node = &head->path[head->path_count];
    *node = (struct head_node){.number = event->number, .sequence = sequence};
    size_t count = event_ids_count(event->ids);
    uint64_t span = event->number & (~event->number + 1);
    if (count > (span < EVENT_SPAN ? span : EVENT_SPAN))
        return -EBADMSG; /* more than it covers */
    if (count && event->number % EVENT_SPAN) {
        node->ids = mem_alloc(count * sizeof *node->ids);
        if (!node->ids)
            return -ENOMEM;
        if (event_read_ids(event->ids, node->ids)) {
            free_ids(node);
            return -EBADMSG;
        }
        node->id_count = (unsigned)count;
    }
    head->path_count++;
    return 0;
}

/* Room for the path of each number up to NUMBER: a node for each bit. 0 or -ENOMEM. */
static int make_room(struct head *head, uint64_t number) {
    unsigned room = 64 - (unsigned)__builtin_clzll(number | 1);
    if (room <= head->path_room)
        return 0;
    struct head_node *path = mem_realloc(head->path, room * sizeof *path);
    if (!path)
        return -ENOMEM;
    head->path = path;
    head->path_room = room;
    return 0;
}

/* Its place in the path: each number is the one before without its lowest bit. */
static bool fits(const struct head *head, const struct event *event) {
    if (!head->path_count)
        return true;
    uint64_t newer = head->path[head->path_count - 1].number;
    return event->number == (newer & (newer - 1));
}

static void reverse(struct head *head) {
    for (unsigned i = 0; i < head->path_count / 2; i++) {
        struct head_node node = head->path[i];
        head->path[i] = head->path[head->path_count - 1 - i];
        head->path[head->path_count - 1 - i] = node;
    }
}

const struct life *head_life(const struct head *head) {
    static const struct life none;
    return head->life ? head->life : &none;
}

int head_make_life(struct head *head) {
    if (!head->life)
        head->life = mem_zalloc(1, sizeof *head->life);
    return head->life ? 0 : -ENOMEM;
}

void head_set_life(struct head *head, const struct life *life) {
    *head->life = *life;
}

uint64_t head_gone(const struct head *head) {
    return head->life ? life_gone(head->life, head->number) : 0;
}

int head_alive(const struct head *head) {
    if (head->state == HEAD_FAILED)
        return head->failed;
    if (head->state == HEAD_LOADING || head->life_changing)
        return -EAGAIN;
    enum life_state state = life_state(head_life(head), head->number);
    if (state == LIFE_ALIVE)
        return 0;
    return state == LIFE_TOMBSTONED ? -EIDRM : -ENOENT;
}

uint64_t head_last(const struct head *head) {
    return head->path[head->path_count - 1].sequence;
}

static int load_life(struct head *head) {
    struct life life;
    int failed = life_notes_read(&head->fetch, head->subject, &life);
    if (!failed)
        failed = head_make_life(head);
    if (!failed)
        head_set_life(head, &life);
    head->life_known = !failed || failed == -ENOENT;
    return failed == -ENOENT ? 0 : failed;
}

static void load(struct head *head) {
    int failed = head->life_known ? 0 : load_life(head);
    while (head->next && !failed) {
        struct log_record record;
        struct event event;
        failed = fetch_event(&head->fetch, head->next, &record, &event);
        if (!failed && !fits(head, &event))
            failed = -EBADMSG;
        if (!failed)
            failed = make_room(head, event.number);
        if (!failed)
            failed = read_node(head, &event, head->next);
        if (failed)
            break;
        if (head->path_count == 1) {
            head->number = event.number;
            memcpy(head->chain, event.chain, sizeof head->chain);
        }
        head->next = event.skip;
    }
    if (failed == -EINPROGRESS)
        return;
    if (!failed && !head->number && head->life && head->life->tombstoned)
        head->number = head->life->deleted; /* nothing of it is left */
    head->state = failed ? HEAD_FAILED : HEAD_READY;
    head->failed = failed;
    reverse(head);
    io_defer(head->engine->loop, &head->engine->pump);
}

static void on_fetched(struct fetch *fetch) {
    load(container_of(fetch, struct head, fetch));
}

/* --- taking and giving back --------------------------------------------------------------- */

static struct head *head_new(struct engine *engine, slice subject) {
    struct head *head = mem_zalloc(1, sizeof *head + subject.len);
    if (!head)
        return NULL;
    char *at = head->text;
    head->subject = slice_store(&at, subject);
    head->engine = engine;
    head->leaves = map64_make(engine->hash_key.low, HEADS_IDS_MAX);
    list_node_init(&head->node);
    fetch_init(&head->fetch, engine, on_fetched);
    if (map_add(&engine->heads, head->subject, head)) {
        mem_free(head);
        return NULL;
    }
    struct stream *stream = engine_stream(engine);
    struct log_subject_state state;
    if (stream && log_subject(stream_log(stream), subject, &state))
        head->next = state.last_sequence;
    return head;
}

struct head *head_take(struct engine *engine, slice subject) {
    struct head *head = map_find(&engine->heads, subject);
    if (head && list_linked(&head->node)) {
        list_remove(&head->node);
        engine->head_count--;
    }
    if (head) {
        head->refs++;
        return head;
    }
    head = head_new(engine, subject);
    if (!head)
        return NULL;
    head->refs = 1;
    load(head);
    return head;
}

void head_give(struct head *head) {
    if (!head || --head->refs > 0)
        return;
    struct engine *engine = head->engine;
    /* One of a stream that is not there is not worth its place: whoever asks for names at random
       would drive out those that are. */
    if (head->stale || head->state != HEAD_READY || (!head->number && !head->life)) {
        head_free(head);
        return;
    }
    list_push_back(&engine->idle, &head->node);
    engine->head_count++;
    while (engine->head_count > HEADS_MAX ||
           (engine->leaf_ids > HEADS_IDS_MAX / 2 && engine->head_count > 1))
        drop_idle(engine);
}

void heads_forget(struct engine *engine) {
    while (!list_empty(&engine->idle))
        drop_idle(engine);
    const struct map_entry *entry;
    for (size_t at = 0; (entry = map_next(&engine->heads, &at));) {
        struct head *head = entry->value;
        head->stale = true;
        if (head->state == HEAD_LOADING) {
            fetch_cancel(&head->fetch);
            head->state = HEAD_FAILED;
            head->failed = -EBADMSG;
        }
        map_remove(&engine->heads, head->subject);
    }
}

int head_hides(struct engine *engine, slice subject, uint64_t number, int64_t time_ns,
               struct head **held) {
    char room[LOG_SUBJECT_MAX];
    struct buf note = {.ptr = room, .cap = sizeof room, .max = sizeof room};
    if (life_subject(subject, &note))
        return -ENOMEM;
    if (!notes_have(engine, buf_slice(&note)))
        return 0;
    if (*held && !slice_equal((*held)->subject, subject)) { /* its event was swept meanwhile */
        head_give(*held);
        *held = NULL;
    }
    if (!*held)
        *held = head_take(engine, subject);
    if (!*held)
        return -ENOMEM;
    if ((*held)->state == HEAD_LOADING)
        return -EAGAIN;
    int failed = (*held)->failed;
    int hides = number <= head_gone(*held) ||
                life_expired(head_life(*held), time_ns, io_loop_wall_ns(engine->loop));
    head_give(*held);
    *held = NULL;
    return failed ? failed : hides;
}

/* --- the ids of leaves -------------------------------------------------------------------- */

/* The map's values: sequences, which are never 0. */
static void *as_value(uint64_t sequence) {
    return (void *)(uintptr_t)sequence;
}

static int add_leaf(struct head *head, const uint64_t *ids, size_t count, uint64_t sequence) {
    for (size_t i = 0; i < count; i++) {
        int failed = head->engine->leaf_ids < HEADS_IDS_MAX
                         ? map64_add(&head->leaves, ids[i], as_value(sequence))
                         : -ENOBUFS;
        if (failed && failed != -EEXIST)
            return failed;
        head->engine->leaf_ids += failed == 0;
    }
    return 0;
}

static uint64_t last_leaf(const struct head_node *path, unsigned count) {
    for (unsigned i = count; i-- > 0;)
        if (path[i].number % EVENT_SPAN == 0)
            return path[i].sequence;
    return 0;
}

uint64_t head_last_leaf(const struct head *head) {
    return last_leaf(head->path, head->path_count);
}

int head_knows_leaves(struct head *head, struct fetch *fetch) {
    if (!head->leaves_begun)
        head->leaf_next = head_last_leaf(head);
    head->leaves_begun = true;
    while (head->leaf_next) {
        struct log_record record;
        struct event event;
        uint64_t ids[EVENT_SPAN];
        int failed = fetch_event(fetch, head->leaf_next, &record, &event);
        if (!failed)
            failed = event_read_ids(event.ids, ids);
        if (!failed)
            failed = add_leaf(head, ids, event_ids_count(event.ids), head->leaf_next);
        if (failed)
            return failed;
        head->leaf_next = event.leaf;
    }
    return 0;
}

/* --- drafts ------------------------------------------------------------------------------- */

int draft_begin(struct draft *draft, struct head *head, unsigned count, struct arena *arena) {
    int failed = make_room(head, head->number + count); /* head_become cannot fail */
    draft->path = failed ? NULL : arena_alloc(arena, head->path_room * sizeof *draft->path);
    if (!draft->path)
        return -ENOMEM;
    draft->head = head;
    draft->number = head->number;
    memcpy(draft->chain, head->chain, sizeof draft->chain);
    draft->path_count = head->path_count;
    for (unsigned i = 0; i < head->path_count; i++)
        draft->path[i] = head->path[i];
    return 0;
}

/* Nodes of the head are the head's until head_become. */
static bool is_heads(const struct draft *draft, const struct head_node *node) {
    for (unsigned i = 0; i < draft->head->path_count; i++)
        if (draft->head->path[i].number == node->number)
            return true;
    return false;
}

static int by_number(const void *a, const void *b) {
    uint64_t one = *(const uint64_t *)a, other = *(const uint64_t *)b;
    return (one > other) - (one < other);
}

/* What record NUMBER covers, its own id with it. */
static int gather_ids(const struct draft *draft, uint64_t number, const struct event *event,
                      bool given, struct head_node *node) {
    uint64_t all[EVENT_SPAN];
    size_t count = 0;
    uint64_t span = number & (~number + 1);
    uint64_t from = number - (span < EVENT_SPAN ? span : EVENT_SPAN);
    for (unsigned i = draft->path_count; i-- > 0 && draft->path[i].number > from;) {
        check(count + draft->path[i].id_count < EVENT_SPAN);
        if (draft->path[i].id_count)
            memcpy(all + count, draft->path[i].ids, draft->path[i].id_count * sizeof *all);
        count += draft->path[i].id_count;
    }
    if (given)
        all[count++] = event_digest(event->id);
    if (!count)
        return 0;
    qsort(all, count, sizeof *all, by_number);
    node->ids = mem_alloc(count * sizeof *all);
    if (!node->ids)
        return -ENOMEM;
    memcpy(node->ids, all, count * sizeof *all);
    node->id_count = (unsigned)count;
    return 0;
}

static void pop_node(struct draft *draft) {
    struct head_node *node = &draft->path[--draft->path_count];
    if (!is_heads(draft, node))
        free_ids(node);
}

int draft_place(struct draft *draft, struct event *event, uint64_t sequence, bool given,
                struct buf *ids) {
    uint64_t number = draft->number + 1, stop = number & (number - 1);
    struct head_node node = {.number = number, .sequence = sequence};
    if (gather_ids(draft, number, event, given, &node))
        return -ENOMEM;
    size_t from = ids->len;
    if (node.id_count && event_write_ids(node.ids, node.id_count, ids)) {
        free_ids(&node);
        return -ENOMEM;
    }
    event->number = number;
    event->before = draft->path_count ? draft->path[draft->path_count - 1].sequence : 0;
    event->leaf = number % EVENT_SPAN ? 0 : last_leaf(draft->path, draft->path_count);
    event->ids = slice_skip(buf_slice(ids), from);
    while (draft->path_count && draft->path[draft->path_count - 1].number > stop)
        pop_node(draft);
    event->skip = draft->path_count ? draft->path[draft->path_count - 1].sequence : 0;
    check(draft->path_count < draft->head->path_room);
    draft->path[draft->path_count++] = node;
    draft->number = number;
    return 0;
}

void draft_chain(struct draft *draft, const struct event *event) {
    memcpy(draft->chain, event->chain, sizeof draft->chain);
}

/* Ids of a leaf leave the path: they are in head->leaves where that is known. */
static void settle_leaves(struct head *head) {
    for (unsigned i = 0; i < head->path_count; i++) {
        struct head_node *node = &head->path[i];
        if (node->number % EVENT_SPAN || !node->ids)
            continue;
        if (head->leaves_begun && add_leaf(head, node->ids, node->id_count, node->sequence)) {
            head->engine->leaf_ids -= map64_count(&head->leaves);
            map64_clear(&head->leaves);
            head->leaves_begun = false; /* they are read again when they are wanted */
        }
        free_ids(node);
    }
}

void head_become(struct head *head, struct draft *draft) {
    for (unsigned i = 0; i < head->path_count; i++) {
        bool stays = false;
        for (unsigned k = 0; k < draft->path_count; k++)
            stays |= draft->path[k].number == head->path[i].number;
        if (!stays)
            free_ids(&head->path[i]);
    }
    head->number = draft->number;
    memcpy(head->chain, draft->chain, sizeof head->chain);
    head->path_count = draft->path_count;
    for (unsigned i = 0; i < draft->path_count; i++)
        head->path[i] = draft->path[i];
    settle_leaves(head);
}

void draft_drop(struct draft *draft) {
    while (draft->path_count)
        pop_node(draft);
}
