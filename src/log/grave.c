/*
 * grave.c - see grave.h.
 *
 * Bytes that the writer is reading are left to it at once: they live until its job is done, which
 * is never in the turn in which they were given up by a reader.
 */
#include "log/grave.h"

#include "log/segment.h"

void grave_init(struct grave *grave, struct io_loop *loop) {
    grave->loop = loop;
    list_init(&grave->fresh);
    list_init(&grave->old);
}

static void free_all(struct list *blocks) {
    struct list_node *node;
    while ((node = list_pop_front(blocks)))
        block_free(container_of(node, struct block, lru));
}

static void tick(struct io_timer *timer) {
    struct grave *grave = container_of(timer, struct grave, timer);
    free_all(&grave->old);
    list_splice(&grave->old, &grave->fresh);
    if (!list_empty(&grave->old))
        io_timer_start(grave->loop, &grave->timer, GRAVE_TICK_NS, tick);
}

void grave_add(struct grave *grave, struct block *block) {
    check(!list_linked(&block->lru) && !block->load);
    list_remove(&block->queue);
    if (block->write) {
        if (segment_write_keeps(block->write, block->bytes))
            block->bytes = NULL;
        segment_write_forget(block->write);
        block->write = NULL;
    }
    list_push_back(&grave->fresh, &block->lru);
    if (!io_timer_running(&grave->timer))
        io_timer_start(grave->loop, &grave->timer, GRAVE_TICK_NS, tick);
}

void grave_free(struct grave *grave) {
    if (!grave->loop)
        return;
    io_timer_stop(grave->loop, &grave->timer);
    free_all(&grave->old);
    free_all(&grave->fresh);
}
