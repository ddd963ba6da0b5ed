/*
 * uv_channel.c - messages between loops.
 *
 *     sender's loop                                             receiver's loop
 *     io_send -> open blocks of the turn --hand over--> full -> on_message ...
 *                     ^------------------ empty <--------------- block taken
 *
 *     block    next | cap | used | message message message ...
 *     message  kind u32 | length u32 (top bit: io's own) | body, padded to 8
 *
 * One channel for each ordered pair of loops. A turn's messages are written one behind the other
 * into blocks that only the sender sees; at the end of the turn whole blocks change hands through
 * a ring of pointers, so the cost of crossing threads is paid once a turn and not once a message.
 * Where the ring is full the sender keeps its blocks, writes on in them and hands them over later:
 * nothing is lost and the order stays.
 *
 * `in_flight` counts what is handed over and not yet taken. The sender leaves a wish (FULL: tell
 * me when in_flight is under the low-water mark; STUCK: tell me when the ring has a place) and
 * looks once more; the receiver takes, counts down and then looks at the wishes. Sequentially
 * consistent operations make one of the two see the other.
 *
 * TSan sees all of it: the rings are base/queue.h, the rest C11 atomics.
 */
#include "base/mem.h"
#include "base/queue.h"
#include "io/uv_loop.h"

#include <errno.h>

#define BLOCK_BYTES ((size_t)(32u << 10) - sizeof(struct block))
#define CHANNEL_RING 64 /* blocks handed over and not taken */
#define CHANNEL_SPARE 8 /* empty blocks that wait for their next use */
#define CHANNEL_LOW_BYTES (IO_CHANNEL_HIGH_BYTES / 2)
#define MESSAGE_MAX ((size_t)128 << 20)
#define MESSAGE_OWN 0x80000000u /* of io itself, not for the receiver */

enum wish { WISH_FULL = 1, WISH_STUCK = 2 };

struct block {
    struct block *next;
    size_t cap, used;
    char bytes[];
};

struct message {
    uint32_t kind;
    uint32_t length;
};

struct io_channel {
    struct queue *full;  /* struct block *, sender to receiver */
    struct queue *empty; /* struct block *, back */
    /* the sender's */
    struct block *open_first, *open_last;
    size_t open_bytes;
    bool reported_full;
    bool listed; /* in sent_to */
    char line[64];
    /* both */
    _Atomic(size_t) in_flight;
    _Atomic(unsigned) wishes;
};

static size_t padded(size_t length) {
    return (length + 7) & ~(size_t)7;
}

/* --- sending ---------------------------------------------------------------------------------- */

static struct block *block_take(struct io_channel *channel, size_t need) {
    struct block *block = NULL;
    if (need > BLOCK_BYTES || !queue_pop(channel->empty, &block)) {
        size_t cap = need > BLOCK_BYTES ? need : BLOCK_BYTES;
        block = mem_alloc(sizeof *block + cap);
        if (!block)
            return NULL;
        block->cap = cap;
    }
    block->next = NULL;
    block->used = 0;
    return block;
}

/* Room for one more message in the turn's last block, or in a new one. */
static struct block *block_for(struct io_channel *channel, size_t need) {
    struct block *last = channel->open_last;
    if (last && last->cap - last->used >= need)
        return last;
    struct block *block = block_take(channel, need);
    if (!block)
        return NULL;
    if (last)
        last->next = block;
    else
        channel->open_first = block;
    channel->open_last = block;
    return block;
}

static int send_message(struct io_loop *loop, unsigned to, struct message head, const slice *parts,
                        unsigned part_count) {
    check(to < loop->group->count && to != loop->index);
    struct io_channel *channel = loop->out[to];
    size_t length = 0;
    for (unsigned i = 0; i < part_count; i++) {
        if (parts[i].len > MESSAGE_MAX - length)
            return -EMSGSIZE;
        length += parts[i].len;
    }
    size_t need = sizeof head + padded(length);
    struct block *block = block_for(channel, need);
    if (!block)
        return -ENOMEM;
    head.length |= (uint32_t)length;
    char *at = block->bytes + block->used;
    memcpy(at, &head, sizeof head);
    at += sizeof head;
    for (unsigned i = 0; i < part_count; i++) {
        if (parts[i].len > 0)
            memcpy(at, parts[i].ptr, parts[i].len);
        at += parts[i].len;
    }
    block->used += need;
    channel->open_bytes += need;
    if (!channel->listed) {
        channel->listed = true;
        loop->sent_to[loop->sent_count++] = to;
    }
    return 0;
}

int io_send(struct io_loop *loop, unsigned to, uint32_t kind, const slice *parts,
            unsigned part_count) {
    return send_message(loop, to, (struct message){.kind = kind}, parts, part_count);
}

int io_channel_send_accepted(struct io_loop *loop, unsigned to, slice body) {
    return send_message(loop, to, (struct message){.length = MESSAGE_OWN}, &body, 1);
}

/* Passes on as many blocks as the ring takes. True where all have left. */
static bool pass_blocks(struct io_channel *channel, bool *ret_any) {
    while (channel->open_first) {
        struct block *block = channel->open_first;
        struct block *next = block->next;
        size_t used = block->used;
        atomic_fetch_add(&channel->in_flight, used);
        if (!queue_push(channel->full, &block)) {
            atomic_fetch_sub(&channel->in_flight, used);
            return false;
        }
        /* The block is the receiver's now. */
        *ret_any = true;
        channel->open_bytes -= used;
        channel->open_first = next;
        if (!next)
            channel->open_last = NULL;
    }
    return true;
}

void io_channels_hand_over(struct io_loop *loop) {
    unsigned kept = 0;
    for (unsigned i = 0; i < loop->sent_count; i++) {
        unsigned to = loop->sent_to[i];
        struct io_channel *channel = loop->out[to];
        bool any = false;
        bool all = pass_blocks(channel, &any);
        if (!all) {
            atomic_fetch_or(&channel->wishes, WISH_STUCK);
            all = pass_blocks(channel, &any); /* the receiver may have missed the wish */
        }
        if (all)
            channel->listed = false;
        else
            loop->sent_to[kept++] = to;
        if (any)
            io_loop_attend(loop->group->loops[to], loop->index);
    }
    loop->sent_count = kept;
}

/* --- push-back -------------------------------------------------------------------------------- */

static size_t not_taken(struct io_channel *channel) {
    return channel->open_bytes + atomic_load(&channel->in_flight);
}

bool io_channel_full(const struct io_loop *loop, unsigned to) {
    check(to < loop->group->count && to != loop->index);
    struct io_channel *channel = loop->out[to];
    if (not_taken(channel) <= IO_CHANNEL_HIGH_BYTES)
        return false;
    if (!channel->reported_full) {
        channel->reported_full = true;
        atomic_fetch_or(&channel->wishes, WISH_FULL);
        /* All of it taken before the wish was seen: nobody else would tell us. */
        if (not_taken(channel) <= CHANNEL_LOW_BYTES)
            io_loop_attend(loop->group->loops[loop->index], to);
    }
    return true;
}

/* The receiver has taken blocks, as we wished to know. */
static void look_for_room(struct io_loop *loop, unsigned to) {
    struct io_channel *channel = loop->out[to];
    if (!channel->reported_full)
        return;
    if (not_taken(channel) > CHANNEL_LOW_BYTES) {
        atomic_fetch_or(&channel->wishes, WISH_FULL);
        if (not_taken(channel) > CHANNEL_LOW_BYTES)
            return;
    }
    channel->reported_full = false;
    if (loop->receiver.on_room)
        loop->receiver.on_room(loop->receiver.owner, to);
}

/* --- receiving -------------------------------------------------------------------------------- */

static void deliver_block(struct io_loop *loop, unsigned from, const struct block *block) {
    size_t at = 0;
    while (at < block->used) {
        struct message head;
        memcpy(&head, block->bytes + at, sizeof head);
        at += sizeof head;
        size_t length = head.length & ~MESSAGE_OWN;
        check(length <= block->used - at);
        slice body = slice_make(block->bytes + at, length);
        if (head.length & MESSAGE_OWN)
            io_listener_take(loop, body);
        else
            loop->receiver.on_message(loop->receiver.owner, from, head.kind, body);
        at += padded(length);
    }
}

static void take_messages(struct io_loop *loop, unsigned from) {
    struct io_channel *channel = loop->in[from];
    size_t count = queue_count(channel->full);
    if (count == 0)
        return;
    for (size_t i = 0; i < count; i++) {
        struct block *block;
        check(queue_pop(channel->full, &block));
        deliver_block(loop, from, block);
        atomic_fetch_sub(&channel->in_flight, block->used);
        if (block->cap != BLOCK_BYTES || !queue_push(channel->empty, &block))
            mem_free(block);
    }
    if (queue_count(channel->full) > 0) /* more came meanwhile: next turn */
        io_loop_attend(loop, from);
    unsigned wishes = atomic_load(&channel->wishes);
    if ((wishes & WISH_STUCK) ||
        (wishes && atomic_load(&channel->in_flight) <= CHANNEL_LOW_BYTES)) {
        atomic_store(&channel->wishes, 0);
        io_loop_attend(loop->group->loops[from], loop->index);
    }
}

void io_channel_attend(struct io_loop *loop, unsigned from) {
    if (from != loop->index && from < loop->group->count) {
        take_messages(loop, from);
        look_for_room(loop, from);
    }
}

void io_loop_set_receiver(struct io_loop *loop, const struct io_receiver *receiver) {
    loop->receiver = *receiver;
}

/* --- making and freeing ----------------------------------------------------------------------- */

static void drop_block(struct block *block) {
    size_t at = 0;
    while (at < block->used) {
        struct message head;
        memcpy(&head, block->bytes + at, sizeof head);
        size_t length = head.length & ~MESSAGE_OWN;
        if (head.length & MESSAGE_OWN)
            io_listener_drop(slice_make(block->bytes + at + sizeof head, length));
        at += sizeof head + padded(length);
    }
    mem_free(block);
}

static void channel_free(struct io_channel *channel) {
    struct block *block;
    while (channel->full && queue_pop(channel->full, &block))
        drop_block(block);
    while (channel->open_first) {
        block = channel->open_first;
        channel->open_first = block->next;
        drop_block(block);
    }
    while (channel->empty && queue_pop(channel->empty, &block))
        mem_free(block);
    queue_free(channel->full);
    queue_free(channel->empty);
    mem_free(channel);
}

static struct io_channel *channel_create(void) {
    struct io_channel *channel = mem_zalloc(1, sizeof *channel);
    if (!channel)
        return NULL;
    channel->full = queue_new(CHANNEL_RING, sizeof(struct block *));
    channel->empty = queue_new(CHANNEL_SPARE, sizeof(struct block *));
    if (channel->full && channel->empty)
        return channel;
    channel_free(channel);
    return NULL;
}

int io_channels_create(struct io_group *group) {
    for (unsigned from = 0; from < group->count; from++) {
        for (unsigned to = 0; to < group->count; to++) {
            if (from == to)
                continue;
            struct io_channel *channel = channel_create();
            if (!channel)
                return -ENOMEM;
            group->loops[from]->out[to] = channel;
            group->loops[to]->in[from] = channel;
        }
    }
    return 0;
}

void io_channels_free(struct io_group *group) {
    for (unsigned from = 0; from < group->count; from++) {
        for (unsigned to = 0; to < group->count; to++) {
            struct io_channel *channel = group->loops[from]->out[to];
            if (channel)
                channel_free(channel);
            group->loops[from]->out[to] = NULL;
        }
    }
}
