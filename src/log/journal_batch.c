/*
 * journal_batch.c - the batch being built, right in the buffer of the group it will leave with.
 *
 *      FORMING   | header | batch | batch | the open batch .... room |
 *                                 ^ used  ^ used + batch_bytes       ^ capacity, limit
 *
 * Nearly always room is two comparisons: the open batch may grow to limit where the group has its
 * place, and to capacity in memory. Else the slow path looks, in this order:
 *
 *      1 the group grows too large for one write, or for what is left of its file, and has other
 *        batches: it is closed, and the open batch moves to a group of its own
 *      2 a group with nothing but the open batch gets its place anew: behind the tail, in a later
 *        file, or in one made on the spot
 *      3 the buffer grows
 *
 * Nothing is changed that the caller could see when one of them fails. The place of a group with a
 * committed batch never moves, so what was committed always has its room.
 */
#include "log/journal_internal.h"

#include "base/mem.h"
#include "log/log.h"

#include <errno.h>

_Static_assert(LOG_BATCH_BYTES_MAX + JOURNAL_GROUP_BYTES_MAX < UINT32_MAX / 2, "lengths are u32");
_Static_assert(JOURNAL_SECTOR % IO_DIRECT_BYTES == 0, "files of the journal bypass the cache");

/* --- buffers ---------------------------------------------------------------------------------- */

struct journal_buffer *journal_buffer_new(struct journal *journal, size_t capacity) {
    capacity = (size_t)journal_round_up(capacity);
    struct journal_buffer *buffer = mem_zalloc(1, sizeof *buffer);
    char *bytes = buffer ? mem_alloc_aligned(capacity, IO_DIRECT_BYTES) : NULL;
    if (!bytes) {
        mem_free(buffer);
        return NULL;
    }
    buffer->journal = journal;
    buffer->bytes = bytes;
    buffer->capacity = capacity;
    return buffer;
}

void journal_buffer_free(struct journal_buffer *buffer) {
    if (!buffer)
        return;
    mem_free(buffer->bytes);
    mem_free(buffer);
}

void journal_buffer_release(struct journal *journal, struct journal_buffer *buffer) {
    if (buffer == &journal->seal)
        return;
    if (journal->spare_count == JOURNAL_SPARES_MAX || buffer->capacity > JOURNAL_GROUP_BYTES_MAX) {
        journal_buffer_free(buffer);
        return;
    }
    buffer->next = journal->spare;
    journal->spare = buffer;
    journal->spare_count++;
}

static int buffer_grow(struct journal_buffer *buffer, size_t need) {
    if (need <= buffer->capacity)
        return 0;
    size_t capacity = buffer->capacity * 2;
    if (capacity < need)
        capacity = need;
    capacity = (size_t)journal_round_up(capacity);
    char *bytes = mem_alloc_aligned(capacity, IO_DIRECT_BYTES);
    if (!bytes)
        return -ENOMEM;
    memcpy(bytes, buffer->bytes, buffer->capacity);
    mem_free(buffer->bytes);
    buffer->bytes = bytes;
    buffer->capacity = capacity;
    return 0;
}

/* An empty group for NEED bytes, spare or new. */
static struct journal_buffer *take_buffer(struct journal *journal, size_t need) {
    struct journal_buffer *buffer = journal->spare;
    if (!buffer) {
        buffer = journal_buffer_new(journal, need < JOURNAL_BUFFER_MIN ? JOURNAL_BUFFER_MIN : need);
        if (!buffer)
            return NULL;
    } else {
        if (buffer_grow(buffer, need))
            return NULL;
        journal->spare = buffer->next;
        journal->spare_count--;
    }
    buffer->next = NULL;
    buffer->file = NULL;
    buffer->failed = 0;
    buffer->group = (struct journal_group){.used = JOURNAL_GROUP_HEADER};
    return buffer;
}

/* --- groups ----------------------------------------------------------------------------------- */

void journal_group_close(struct journal *journal, struct journal_buffer *buffer) {
    struct journal_group *group = &buffer->group;
    group->log_id = journal->log_id;
    group->file = buffer->file->number;
    group->number = journal->next_group++;
    group->first_position = journal->closed_position + 1;
    group->last_position = journal->next_position - 1;
    group->previous_file = journal->previous_file;
    group->previous_offset = journal->previous_offset;
    group->length = (uint32_t)journal_round_up(group->used);
    bool behind_tail =
        buffer->file == journal->tail
            ? group->offset == journal->tail_offset
            : group->offset == JOURNAL_SECTOR && buffer->file->number > journal->tail->number;
    check(behind_tail && group->length <= buffer->file->bytes - group->offset);
    check(group->length <= buffer->capacity);
    journal->closed_position = group->last_position;
    journal->previous_file = group->file;
    journal->previous_offset = group->offset;
    journal->sealed = group->flags & JOURNAL_GROUP_SEAL;
    buffer->file->last_position = group->last_position;
    buffer->file->has_groups = true;
    buffer->file->used = true;
    journal->tail = buffer->file;
    journal->tail_offset = group->offset + group->length;
    journal->limit[0] = journal->limit[1] = 0;
}

/* Closes FORMING, which has batches, and leaves the open batch in a group without place. */
static int split(struct journal *journal, size_t need) {
    struct journal_buffer *old = journal->forming;
    struct journal_buffer *new = take_buffer(journal, need);
    if (!new)
        return -ENOMEM;
    memcpy(new->bytes + JOURNAL_GROUP_HEADER, old->bytes + old->group.used, journal->batch_bytes);
    journal_group_close(journal, old);
    *journal->pending_end = old;
    journal->pending_end = &old->next;
    journal->forming = new;
    journal_tidy(journal);
    return 0;
}

/* How far a group at OFFSET of FILE may grow when KEEP bytes must stay behind it. */
static size_t limit_at(const struct journal *journal, const struct journal_file *file,
                       uint64_t offset, uint64_t keep) {
    uint64_t left = file->bytes - offset, behind = journal_room_behind(journal, file);
    if (file->stale)
        return 0;
    if (keep > behind)
        left = left > keep - behind ? left - (keep - behind) : 0;
    return (size_t)(left & ~(uint64_t)(JOURNAL_SECTOR - 1));
}

/* Gives FORMING, of LENGTH bytes with the open batch, its place. */
static int place(struct journal *journal, uint64_t length, bool reserve) {
    struct journal_buffer *forming = journal->forming;
    uint64_t keep = reserve ? JOURNAL_SECTOR : journal->reserve_bytes;
    struct journal_file *file = forming->file;
    uint64_t offset = forming->group.offset;
    if (forming->group.batches == 0) {
        file = journal->tail;
        offset = journal->tail_offset;
        struct journal_file *found = journal_find_place(journal, file, &offset, length, keep);
        if (!found) {
            int failed = journal_make_now(journal, length);
            if (failed)
                return failed;
            offset = journal->tail_offset;
            found = journal_find_place(journal, file, &offset, length, keep);
            check(found != NULL);
        }
        file = found;
    } else if (length > limit_at(journal, file, offset, keep)) {
        return -EXFULL; /* not where it is: the caller splits */
    }
    forming->file = file;
    forming->group.offset = offset;
    journal->limit[0] = limit_at(journal, file, offset, journal->reserve_bytes);
    journal->limit[1] = limit_at(journal, file, offset, JOURNAL_SECTOR);
    return 0;
}

/* Makes sure that a group of LENGTH has a place behind FORMING, before the batch leaves the place
   it has: where there is none the batch must stay as it was. */
static int place_behind(struct journal *journal, uint64_t length, bool reserve) {
    const struct journal_buffer *forming = journal->forming;
    uint64_t keep = reserve ? JOURNAL_SECTOR : journal->reserve_bytes;
    uint64_t offset = forming->group.offset + journal_round_up(forming->group.used);
    if (journal_find_place(journal, forming->file, &offset, length, keep))
        return 0;
    return journal_make_now(journal, length);
}

/* --- the batch -------------------------------------------------------------------------------- */

int journal_batch_begin(struct journal *journal, uint64_t *ret_position) {
    check(!journal->batch_open && !journal->closing);
    if (journal->failed)
        return -EROFS;
    journal->batch_open = true;
    journal->batch_bytes = 0;
    journal->batch_changes = 0;
    *ret_position = journal->next_position;
    return 0;
}

static int make_room(struct journal *journal, size_t size, bool reserve) {
    size_t batch = (journal->batch_bytes ? journal->batch_bytes : JOURNAL_BATCH_HEADER) + size;
    size_t alone = JOURNAL_GROUP_HEADER + batch;
    if (!journal->forming && !(journal->forming = take_buffer(journal, alone)))
        return -ENOMEM;
    size_t total = journal->forming->group.used + batch;
    int failed = -EXFULL;
    if (journal->forming->group.batches == 0 || total <= JOURNAL_GROUP_BYTES_MAX)
        failed = place(journal, journal_round_up(total), reserve);
    if (failed == -EXFULL) {
        failed = place_behind(journal, journal_round_up(alone), reserve);
        if (!failed)
            failed = split(journal, alone);
        if (failed)
            return failed;
        total = alone;
        failed = place(journal, journal_round_up(total), reserve);
    }
    return failed ? failed : buffer_grow(journal->forming, (size_t)journal_round_up(total));
}

int journal_batch_room(struct journal *journal, size_t size, bool reserve, char **ret_bytes) {
    check(journal->batch_open && size > 0 && size % 8 == 0);
    if (size > LOG_BATCH_BYTES_MAX || journal->batch_bytes > LOG_BATCH_BYTES_MAX - size ||
        journal->batch_changes == LOG_BATCH_CHANGES_MAX)
        return -E2BIG;
    struct journal_buffer *forming = journal->forming;
    size_t batch = journal->batch_bytes ? journal->batch_bytes : JOURNAL_BATCH_HEADER;
    size_t end = forming ? forming->group.used + batch + size : SIZE_MAX;
    bool fits = end <= JOURNAL_GROUP_BYTES_MAX && end <= journal->limit[reserve] &&
                end <= forming->capacity;
    if (unlikely(!fits)) {
        if (journal->failed)
            return -ENOSPC;
        int failed = make_room(journal, size, reserve);
        if (failed)
            return failed;
        forming = journal->forming;
    }
    *ret_bytes = forming->bytes + forming->group.used + batch;
    return 0;
}

void journal_batch_add(struct journal *journal, size_t size) {
    if (journal->batch_bytes == 0)
        journal->batch_bytes = JOURNAL_BATCH_HEADER;
    journal->batch_bytes += size;
    journal->batch_changes++;
    check(journal->forming->group.used + journal->batch_bytes <= journal->forming->capacity);
}

size_t journal_batch_bytes(const struct journal *journal) {
    return journal->batch_bytes ? journal->batch_bytes - JOURNAL_BATCH_HEADER : 0;
}

static bool nothing_unsynced(const struct journal *journal) {
    return !journal->writing && !journal->pending &&
           (!journal->forming || journal->forming->group.batches == 0);
}

void journal_batch_commit(struct journal *journal) {
    check(journal->batch_open);
    journal->batch_open = false;
    uint64_t position = journal->next_position++;
    if (journal->batch_changes == 0) {
        if (nothing_unsynced(journal))
            journal->synced_position = position;
        return;
    }
    struct journal_buffer *forming = journal->forming;
    journal_batch_encode(position, journal->batch_changes,
                         journal->batch_bytes - JOURNAL_BATCH_HEADER,
                         forming->bytes + forming->group.used);
    forming->group.used += (uint32_t)journal->batch_bytes;
    forming->group.batches++;
    journal->stats.batches++;
    journal->batch_bytes = 0;
    if (!journal->writing)
        io_defer(journal->options.loop, &journal->task);
}

void journal_batch_abandon(struct journal *journal) {
    check(journal->batch_open);
    journal->batch_open = false;
    journal->batch_bytes = 0;
    /* A split may have closed a group that waits for the end of this turn. */
    if (!journal->writing && journal->pending)
        io_defer(journal->options.loop, &journal->task);
}

bool journal_has_room(const struct journal *journal, size_t bytes, bool reserve) {
    uint64_t length = journal_round_up(bytes + JOURNAL_GROUP_HEADER + JOURNAL_BATCH_HEADER);
    struct journal_file *file = journal->tail;
    uint64_t offset = journal->tail_offset, file_bytes;
    if (journal->failed)
        return false;
    if (journal->forming && journal->forming->group.batches) {
        file = journal->forming->file;
        offset = journal->forming->group.offset + journal_round_up(journal->forming->group.used);
    }
    uint64_t keep = reserve ? JOURNAL_SECTOR : journal->reserve_bytes;
    return journal_find_place(journal, file, &offset, length, keep) != NULL ||
           journal_may_make(journal, length, &file_bytes) == 0;
}
