/*
 * state_hold.c - see state_hold.h.
 *
 * A HOLD is one snapshot that the sweep has asked for. It stays, done, until the sweep comes for
 * it: then the note itself is looked for, so that a hold from before ES was deleted lets nothing
 * pass. An event that cannot be read holds nothing up: a state cannot be folded over it anyway.
 */
#include "rooms/events/state_hold.h"

#include "base/mem.h"
#include "rooms/events/notes.h"
#include "rooms/events/snapshot.h"
#include "rooms/events/sweep.h"

#include <errno.h>

struct hold {
    struct list_node node; /* in engine->holds */
    struct engine *engine;
    uint64_t number;
    unsigned status; /* 0: being made */
    slice subject;
    char text[];
};

static bool has_fold(const struct engine *engine, slice subject) {
    _cleanup_buf_ struct buf name = buf_make(EVENT_NAME_MAX * 2);
    return event_name(subject, &name) == 0 &&
           states_has_fold(engine, slice_cut(buf_slice(&name), '-', &(slice){0}));
}

static bool is_free(const struct engine *engine, slice subject, const struct life *life,
                    uint64_t number) {
    return life->tombstoned || number <= life->deleted || !has_fold(engine, subject);
}

uint64_t state_hold(struct engine *engine, slice subject, const struct life *life, uint64_t end) {
    if (is_free(engine, subject, life, end))
        return end;
    if (life->swept < life->deleted)
        return life->deleted;
    return end / SNAPSHOT_SPAN * SNAPSHOT_SPAN;
}

/* --- holds -------------------------------------------------------------------------------- */

static struct hold *find(struct engine *engine, slice subject, unsigned *ret_count) {
    struct list_node *node, *following;
    struct hold *found = NULL;
    *ret_count = 0;
    list_each(&engine->holds, node, following) {
        struct hold *hold = container_of(node, struct hold, node);
        if (slice_equal(hold->subject, subject))
            found = hold;
        ++*ret_count;
    }
    return found;
}

static void drop(struct hold *hold) {
    list_remove(&hold->node);
    mem_free(hold);
}

static void on_made(void *self, const struct state_end *end) {
    struct hold *hold = self;
    hold->status = end->status;
    if (!hold->engine->holds_closed)
        sweep_later(hold->engine, hold->subject, io_loop_wall_ns(hold->engine->loop));
}

static int begin(struct engine *engine, slice subject, uint64_t number) {
    struct hold *hold = mem_zalloc(1, sizeof *hold + subject.len);
    if (!hold)
        return -EAGAIN;
    char *at = hold->text;
    hold->engine = engine;
    hold->number = number;
    hold->subject = slice_store(&at, subject);
    list_push_back(&engine->holds, &hold->node);
    events_state(engine,
                 &(struct state_options){
                     .subject = subject, .at = STATE_REVISION, .number = number - 1, .keeps = true},
                 on_made, hold);
    return -EINPROGRESS;
}

static int take(struct hold *hold) {
    struct engine *engine = hold->engine;
    _cleanup_buf_ struct buf note = buf_make(LOG_SUBJECT_MAX);
    bool there = snapshot_subject(hold->subject, hold->number, &note) == 0 &&
                 notes_have(engine, buf_slice(&note));
    bool passes = there || hold->status == 500;
    drop(hold);
    return passes ? 0 : -EAGAIN;
}

int state_hold_ready(struct engine *engine, slice subject, const struct life *life,
                     uint64_t number) {
    unsigned count;
    if (is_free(engine, subject, life, number))
        return 0;
    struct hold *hold = find(engine, subject, &count);
    if (hold && !hold->status)
        return -EINPROGRESS;
    if (hold && hold->number == number)
        return take(hold);
    if (hold)
        drop(hold);
    return count - (hold != NULL) < HOLDS_MAX ? begin(engine, subject, number) : -EAGAIN;
}

void state_holds_close(struct engine *engine) {
    struct list_node *node;
    while ((node = list_first(&engine->holds)))
        drop(container_of(node, struct hold, node));
}
