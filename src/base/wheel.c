#include "base/wheel.h"

#define DIGIT_BITS 6u
#define DIGIT_MASK (WHEEL_SLOTS - 1u)
#define SLOT_FIRING UINT16_MAX /* or soon: in no slot */

static unsigned digit(uint64_t ms, unsigned level) {
    return (unsigned)(ms >> (level * DIGIT_BITS)) & DIGIT_MASK;
}

void wheel_init(struct wheel *w, uint64_t now_ms) {
    *w = (struct wheel){.now_ms = now_ms};
    for (unsigned level = 0; level < WHEEL_LEVELS; level++) {
        for (unsigned slot = 0; slot < WHEEL_SLOTS; slot++)
            list_init(&w->slots[level][slot]);
    }
    list_init(&w->firing);
    list_init(&w->soon);
    list_init(&w->turned);
}

void wheel_timer_init(struct wheel_timer *t, void (*fire)(struct wheel_timer *timer)) {
    *t = (struct wheel_timer){.fire = fire};
    list_node_init(&t->node);
}

/* Links T, whose deadline is not before now: at the level of the highest digit that differs from
   now, or on the list being fired where none does. */
static void place(struct wheel *w, struct wheel_timer *t) {
    uint64_t differs = t->deadline_ms ^ w->now_ms;
    check(t->deadline_ms >= w->now_ms);
    if (differs == 0) {
        t->slot = SLOT_FIRING;
        list_push_back(&w->firing, &t->node);
        return;
    }
    unsigned level = (63u - (unsigned)__builtin_clzll(differs)) / DIGIT_BITS;
    unsigned slot = digit(t->deadline_ms, level);
    t->slot = (uint16_t)(level * WHEEL_SLOTS + slot);
    list_push_back(&w->slots[level][slot], &t->node);
    w->occupied[level] |= 1ull << slot;
    w->levels |= 1u << level;
}

static void mark_empty(struct wheel *w, unsigned level, unsigned slot) {
    w->occupied[level] &= ~(1ull << slot);
    if (w->occupied[level] == 0)
        w->levels &= ~(1u << level);
}

static void unplace(struct wheel *w, struct wheel_timer *t) {
    list_remove(&t->node);
    if (t->slot == SLOT_FIRING)
        return;
    unsigned level = t->slot / WHEEL_SLOTS;
    unsigned slot = t->slot % WHEEL_SLOTS;
    if (list_empty(&w->slots[level][slot]))
        mark_empty(w, level, slot);
}

void wheel_add(struct wheel *w, struct wheel_timer *t, uint64_t deadline_ms) {
    wheel_cancel(w, t);
    check(w->now_ms < WHEEL_NEVER);
    t->deadline_ms = deadline_ms > w->now_ms ? deadline_ms : w->now_ms + 1;
    t->armed = true;
    w->count++;
    place(w, t);
}

void wheel_add_soon(struct wheel *w, struct wheel_timer *t) {
    wheel_cancel(w, t);
    t->deadline_ms = w->now_ms;
    t->armed = true;
    t->slot = SLOT_FIRING;
    w->count++;
    list_push_back(&w->soon, &t->node);
}

void wheel_turn(struct wheel *w) {
    list_splice(&w->turned, &w->soon);
}

void wheel_cancel(struct wheel *w, struct wheel_timer *t) {
    if (!t->armed)
        return;
    unplace(w, t);
    t->armed = false;
    w->count--;
}

/* The lowest occupied level comes before all others, because it shares their digits with now. */
static uint64_t next_tick(const struct wheel *w) {
    if (w->levels == 0)
        return WHEEL_NEVER;
    unsigned level = (unsigned)__builtin_ctz(w->levels);
    uint64_t slot = (uint64_t)__builtin_ctzll(w->occupied[level]);
    unsigned shift = level * DIGIT_BITS;
    uint64_t below = ((uint64_t)WHEEL_SLOTS << shift) - 1; /* the top level wraps to all ones */
    return (w->now_ms & ~below) | slot << shift;
}

uint64_t wheel_next_ms(const struct wheel *w) {
    return wheel_has_soon(w) ? w->now_ms : next_tick(w);
}

/* Time has reached a slot above level 0: its timers move down, in order, some of them to be fired
   at once. What is left at level 0 is fired. */
static void open_slot(struct wheel *w) {
    unsigned level = (unsigned)__builtin_ctz(w->levels);
    unsigned slot = (unsigned)__builtin_ctzll(w->occupied[level]);
    struct list reached;
    list_init(&reached);
    list_splice(&reached, &w->slots[level][slot]);
    mark_empty(w, level, slot);
    struct list_node *node;
    while ((node = list_pop_front(&reached)))
        place(w, container_of(node, struct wheel_timer, node));
}

static size_t fire_all(struct wheel *w) {
    size_t fired = 0;
    struct list_node *node;
    while ((node = list_pop_front(&w->firing))) {
        struct wheel_timer *t = container_of(node, struct wheel_timer, node);
        t->armed = false;
        w->count--;
        fired++;
        t->fire(t);
    }
    return fired;
}

size_t wheel_advance(struct wheel *w, uint64_t now_ms) {
    check(!w->advancing);
    w->advancing = true;
    size_t fired = 0;
    for (uint64_t next; w->levels && (next = next_tick(w)) <= now_ms;) {
        check(next > w->now_ms);
        w->now_ms = next; /* first: open_slot places timers as seen from there */
        open_slot(w);
        fired += fire_all(w);
    }
    if (now_ms > w->now_ms)
        w->now_ms = now_ms;
    list_splice(&w->firing, &w->turned);
    fired += fire_all(w);
    w->advancing = false;
    return fired;
}
