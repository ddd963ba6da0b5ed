/*
 * wheel.h - a hierarchical timer wheel: very many timers, one millisecond ticks.
 *
 *      level 0   64 slots of      1 ms
 *      level 1   64 slots of     64 ms       a timer sits at the level of the highest 6-bit digit
 *      level 2   64 slots of  4,096 ms       in which its deadline differs from now, in the slot
 *      ...       11 levels = 64 bits         named by its deadline's digit there
 *
 * Adding and cancelling are O(1) and never allocate. When time reaches a slot above level 0 its
 * timers move down a level; a timer moves at most ten times in its life and almost always is
 * cancelled before that, which is what timers of a network server do. Because a level holds only
 * digits greater than now's, the first occupied slot of the lowest occupied level is always the
 * next thing to do, found with two bit scans; and there is no longest deadline.
 *
 * Timers fire in the order of their deadlines, those of one tick in the order they were added.
 * A deadline that is not in the future fires at the next tick, never inside wheel_add. Timers of
 * wheel_add_soon wait for no tick but for a turn: the first wheel_advance after the next wheel_turn
 * fires them, behind those whose deadlines it reaches. Callbacks may add and cancel any timer,
 * their own too, and free the timer they were called for; they may not call wheel_advance. The
 * wheel reads no clock: the caller gives the time, which never runs backwards. One thread at a
 * time.
 */
#ifndef NONET_BASE_WHEEL_H
#define NONET_BASE_WHEEL_H

#include "base/list.h"

#include <stdint.h>

#define WHEEL_LEVELS 11
#define WHEEL_SLOTS 64
#define WHEEL_NEVER UINT64_MAX

struct wheel_timer {
    struct list_node node;
    uint64_t deadline_ms; /* as given, or the next tick where that was not in the future */
    void (*fire)(struct wheel_timer *timer);
    uint16_t slot; /* private: level * WHEEL_SLOTS + slot */
    bool armed;
};

struct wheel {
    uint64_t now_ms;
    size_t count;                    /* armed timers */
    uint32_t levels;                 /* bit l: level l holds a timer */
    bool advancing;                  /* inside wheel_advance */
    uint64_t occupied[WHEEL_LEVELS]; /* bit s: slot s holds a timer */
    struct list slots[WHEEL_LEVELS][WHEEL_SLOTS];
    struct list firing; /* what is left of the tick being fired */
    struct list soon;   /* for the next turn */
    struct list turned; /* for this one's wheel_advance */
};

void wheel_init(struct wheel *w, uint64_t now_ms);

/* Once, before the timer's first use. FIRE gets the timer back (container_of). */
void wheel_timer_init(struct wheel_timer *t, void (*fire)(struct wheel_timer *timer));

/* Arms T for DEADLINE_MS; a timer that is armed already is moved. */
void wheel_add(struct wheel *w, struct wheel_timer *t, uint64_t deadline_ms);

/* Arms T for the next turn; a timer that is armed already is moved. */
void wheel_add_soon(struct wheel *w, struct wheel_timer *t);

/* A turn begins: what was to fire soon is for its wheel_advance. */
void wheel_turn(struct wheel *w);

/* Disarms T; harmless where it is not armed. */
void wheel_cancel(struct wheel *w, struct wheel_timer *t);

static inline bool wheel_armed(const struct wheel_timer *t) {
    return t->armed;
}

/* When wheel_advance next has something to do: never later than the next deadline, perhaps
   earlier (timers to move down); now, where one is to fire soon. WHEEL_NEVER without timers. */
uint64_t wheel_next_ms(const struct wheel *w);

/* Does a timer wait for the next turn, whatever the time? */
static inline bool wheel_has_soon(const struct wheel *w) {
    return !list_empty(&w->soon) || !list_empty(&w->turned);
}

/* Moves time to NOW_MS (earlier than before: does nothing) and fires what is due. Returns the
   number of timers fired. */
size_t wheel_advance(struct wheel *w, uint64_t now_ms);

#endif
