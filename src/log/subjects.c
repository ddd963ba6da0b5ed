/*
 * subjects.c - see subjects.h for the picture.
 *
 * A ref counts 8-byte units over all chunks as if they lay one behind the other, so 32 bits reach
 * 32 GiB of entries. The first chunk starts small and doubles in place (refs are offsets), because
 * most streams have a handful of subjects. An entry with no messages is dead; it stays where it
 * is until its chunk is collected: the chunk's living are moved to the end and the chunk goes.
 *
 * Reservation counts chunks: an entry that does not fit into the rest of the current chunk starts
 * the next one, so a chunk is sure to hold only SUBJECTS_CHUNK_BYTES - ENTRY_MAX.
 */
#include "log/subjects.h"

#include "base/mem.h"

#include <errno.h>

#define UNIT 8u
#define CHUNK_UNITS (SUBJECTS_CHUNK_BYTES / UNIT)
#define CHUNKS_MAX (UINT32_MAX / CHUNK_UNITS)
#define FIRST_CHUNK_BYTES 256u
#define TEXT_MAX 4096u
#define ENTRY_MAX                                                                                  \
    (((uint32_t)sizeof(struct subject) + TEXT_MAX + UNIT - 1) / UNIT * UNIT +                      \
     SUBJECTS_HISTORY_MAX * 12u + UNIT)
#define CHUNK_SURE (SUBJECTS_CHUNK_BYTES - ENTRY_MAX)
#define BITS_MIN 3u
#define BITS_MAX 31u

static uint32_t text_end(size_t text_len) {
    return (uint32_t)((offsetof(struct subject, text) + text_len + UNIT - 1) / UNIT * UNIT);
}

static uint32_t entry_bytes(const struct subjects *s, size_t text_len) {
    uint32_t history = (s->history * 12u + UNIT - 1) / UNIT * UNIT;
    return text_end(text_len) + history;
}

static uint64_t *entry_sequences(const struct subject *e) {
    return (uint64_t *)(void *)((char *)(uintptr_t)e + text_end(e->len));
}

static uint32_t *entry_sizes(const struct subjects *s, const struct subject *e) {
    return (uint32_t *)(void *)(entry_sequences(e) + s->history);
}

static struct subject *entry_at(const struct subjects *s, uint32_t ref) {
    uint32_t place = ref - 1;
    return (struct subject *)(void *)(s->chunks[place / CHUNK_UNITS].bytes +
                                      (size_t)(place % CHUNK_UNITS) * UNIT);
}

void subjects_init(struct subjects *s, struct hash_key key, unsigned history) {
    *s = (struct subjects){.key = key};
    if (history >= 2 && history <= SUBJECTS_HISTORY_MAX)
        s->history = history;
}

void subjects_free(struct subjects *s) {
    for (uint32_t i = 0; i < s->chunk_count; i++)
        mem_free(s->chunks[i].bytes);
    mem_free(s->chunks);
    mem_free(s->slots);
    subjects_init(s, s->key, s->history);
}

void subjects_clear(struct subjects *s) {
    if (s->bits)
        memset(s->slots, 0, sizeof(*s->slots) << s->bits);
    s->spare_count = 0;
    for (uint32_t i = 0; i < s->chunk_count; i++) {
        s->chunks[i].used = s->chunks[i].dead = 0;
        s->spare_count += s->chunks[i].bytes && i != s->current;
    }
    s->count = s->live_bytes = s->dead_bytes = 0;
}

/* --- slots ----------------------------------------------------------------------------------- */

static uint32_t slot_home(const struct subjects *s, uint32_t hash) {
    return hash >> (32 - s->bits);
}

static void slot_insert(struct subjects *s, struct subject_slot slot) {
    uint32_t mask = (1u << s->bits) - 1;
    uint32_t at = slot_home(s, slot.hash);
    while (s->slots[at].ref)
        at = (at + 1) & mask;
    s->slots[at] = slot;
}

static int slots_resize(struct subjects *s, unsigned bits) {
    struct subject_slot *old = s->slots;
    size_t old_size = s->bits ? (size_t)1 << s->bits : 0;
    struct subject_slot *slots = mem_zalloc((size_t)1 << bits, sizeof(*slots));
    if (!slots)
        return -ENOMEM;
    s->slots = slots;
    s->bits = bits;
    for (size_t i = 0; i < old_size; i++)
        if (old[i].ref)
            slot_insert(s, old[i]);
    mem_free(old);
    return 0;
}

static int slots_reserve(struct subjects *s, uint64_t count) {
    uint64_t wanted = s->count + count;
    unsigned bits = s->bits ? s->bits : BITS_MIN;
    while (wanted > ((uint64_t)3 << bits) / 4)
        if (++bits > BITS_MAX)
            return -ENOMEM;
    return bits == s->bits ? 0 : slots_resize(s, bits);
}

/* A table that has become mostly empty is made smaller; without memory it stays. */
static void slots_shrink(struct subjects *s) {
    unsigned bits = s->bits;
    while (bits > 10 && s->count < ((uint64_t)1 << bits) / 16)
        bits--;
    if (bits + 2 < s->bits)
        (void)!slots_resize(s, bits + 1);
}

static uint32_t slot_of(const struct subjects *s, const struct subject *e) {
    uint32_t hash = (uint32_t)(subjects_hash(s, subject_text(e)) >> 32);
    uint32_t mask = (1u << s->bits) - 1;
    uint32_t at = slot_home(s, hash);
    while (s->slots[at].hash != hash || entry_at(s, s->slots[at].ref) != e) {
        check(s->slots[at].ref);
        at = (at + 1) & mask;
    }
    return at;
}

/* Empties slot AT and moves back what had to be put behind it. */
static void slot_remove(struct subjects *s, uint32_t at) {
    uint32_t mask = (1u << s->bits) - 1;
    for (uint32_t next = (at + 1) & mask; s->slots[next].ref; next = (next + 1) & mask) {
        uint32_t home = slot_home(s, s->slots[next].hash);
        if (((next - home) & mask) < ((next - at) & mask))
            continue; /* it would come before its home */
        s->slots[at] = s->slots[next];
        at = next;
    }
    s->slots[at] = (struct subject_slot){0, 0};
}

struct subject *subjects_find(const struct subjects *s, slice text, uint64_t hash) {
    if (!s->count)
        return NULL;
    uint32_t top = (uint32_t)(hash >> 32);
    uint32_t mask = (1u << s->bits) - 1;
    for (uint32_t at = slot_home(s, top); s->slots[at].ref; at = (at + 1) & mask) {
        if (s->slots[at].hash != top)
            continue;
        struct subject *e = entry_at(s, s->slots[at].ref);
        if (slice_equal(subject_text(e), text))
            return e;
    }
    return NULL;
}

/* --- chunks ---------------------------------------------------------------------------------- */

static int chunk_array_grow(struct subjects *s) {
    uint32_t room = s->chunk_room ? s->chunk_room * 2 : 1;
    if (room > CHUNKS_MAX)
        return -ENOMEM;
    struct subjects_chunk *chunks = mem_realloc(s->chunks, room * sizeof(*chunks));
    if (!chunks)
        return -ENOMEM;
    s->chunks = chunks;
    s->chunk_room = room;
    return 0;
}

static int chunk_add(struct subjects *s, uint32_t size) {
    uint32_t number = 0;
    while (number < s->chunk_count && s->chunks[number].bytes)
        number++;
    if (number == s->chunk_room && chunk_array_grow(s))
        return -ENOMEM;
    char *bytes = mem_alloc(size);
    if (!bytes)
        return -ENOMEM;
    s->chunks[number] = (struct subjects_chunk){.bytes = bytes, .size = size};
    if (number == s->chunk_count)
        s->chunk_count++;
    s->spare_count++;
    return 0;
}

/* The only chunk of a small table grows in place. */
static int chunk_grow(struct subjects *s, uint64_t bytes) {
    struct subjects_chunk *chunk = &s->chunks[s->current];
    uint64_t size = chunk->size;
    while (size < chunk->used + bytes && size < SUBJECTS_CHUNK_BYTES)
        size *= 2;
    char *grown = mem_realloc(chunk->bytes, (size_t)size);
    if (!grown)
        return -ENOMEM;
    chunk->bytes = grown;
    chunk->size = (uint32_t)size;
    return 0;
}

/* The next empty chunk becomes the current one. */
static void chunk_next(struct subjects *s) {
    check(s->spare_count > 0);
    uint32_t number = 0;
    while (!s->chunks[number].bytes || s->chunks[number].used || number == s->current)
        number++;
    check(number < s->chunk_count);
    s->current = number;
    s->spare_count--;
}

static int chunks_reserve(struct subjects *s, uint64_t bytes) {
    if (!s->chunk_count) {
        uint32_t size = FIRST_CHUNK_BYTES;
        while (size < bytes && size < SUBJECTS_CHUNK_BYTES)
            size *= 2;
        if (chunk_add(s, size))
            return -ENOMEM;
        s->current = 0;
        s->spare_count = 0;
    }
    const struct subjects_chunk *chunk = &s->chunks[s->current];
    if (chunk->size - chunk->used >= bytes)
        return 0;
    if (chunk->size < SUBJECTS_CHUNK_BYTES && chunk_grow(s, bytes))
        return -ENOMEM;
    chunk = &s->chunks[s->current];
    if (chunk->size - chunk->used >= bytes)
        return 0;
    while ((uint64_t)s->spare_count * CHUNK_SURE < bytes)
        if (chunk_add(s, SUBJECTS_CHUNK_BYTES))
            return -ENOMEM;
    return 0;
}

static struct subject *entry_new(struct subjects *s, size_t text_len, uint32_t *ret_ref) {
    uint32_t size = entry_bytes(s, text_len);
    if (s->chunks[s->current].size - s->chunks[s->current].used < size)
        chunk_next(s);
    struct subjects_chunk *chunk = &s->chunks[s->current];
    *ret_ref = s->current * CHUNK_UNITS + chunk->used / UNIT + 1;
    struct subject *e = (struct subject *)(void *)(chunk->bytes + chunk->used);
    chunk->used += size;
    s->live_bytes += size;
    return e;
}

/* --- collecting dead entries ----------------------------------------------------------------- */

static void chunk_release(struct subjects *s, uint32_t number) {
    s->dead_bytes -= s->chunks[number].dead;
    s->chunks[number].bytes = mem_free(s->chunks[number].bytes);
    s->chunks[number] = (struct subjects_chunk){0};
}

static void chunk_collect(struct subjects *s, uint32_t number) {
    struct subjects_chunk *chunk = &s->chunks[number];
    for (uint32_t at = 0; at < chunk->used;) {
        struct subject *e = (struct subject *)(void *)(chunk->bytes + at);
        uint32_t size = entry_bytes(s, e->len);
        at += size;
        if (!subject_messages(e))
            continue;
        uint32_t slot = slot_of(s, e);
        uint32_t ref = 0;
        s->live_bytes -= size;
        struct subject *moved = entry_new(s, e->len, &ref);
        memcpy(moved, e, size);
        s->slots[slot].ref = ref;
    }
    chunk_release(s, number);
}

/* One chunk a call, once more than half of all is dead: no call takes long. */
static void collect(struct subjects *s) {
    if (s->dead_bytes <= s->live_bytes || s->dead_bytes < SUBJECTS_CHUNK_BYTES)
        return;
    for (uint32_t looked = 0; looked < s->chunk_count; looked++) {
        uint32_t number = s->collect_at++ % s->chunk_count;
        const struct subjects_chunk *chunk = &s->chunks[number];
        if (!chunk->bytes || number == s->current || chunk->dead * 2 < chunk->used)
            continue;
        if (!chunk->used)
            continue;
        if (!chunks_reserve(s, chunk->used - chunk->dead))
            chunk_collect(s, number);
        return;
    }
}

int subjects_reserve(struct subjects *s, uint64_t count, uint64_t text_bytes) {
    if (unlikely(s->dead_bytes > s->live_bytes))
        collect(s);
    if (unlikely(s->bits > 12 && s->count < ((uint64_t)1 << s->bits) / 64))
        slots_shrink(s);
    if (!count)
        return 0;
    if (unlikely(!s->bits || s->count + count > ((uint64_t)3 << s->bits) / 4)) {
        int failed = slots_reserve(s, count);
        if (failed)
            return failed;
    }
    uint64_t bytes = text_bytes + count * entry_bytes(s, UNIT);
    if (likely(s->chunk_count && s->chunks[s->current].size - s->chunks[s->current].used >= bytes))
        return 0;
    return chunks_reserve(s, bytes);
}

/* --- messages -------------------------------------------------------------------------------- */

static void entry_count(struct subject *e, uint64_t messages) {
    e->messages_low = (uint32_t)messages;
    e->messages_high = (uint8_t)(messages >> 32);
}

static struct subject *entry_create(struct subjects *s, slice text, uint64_t hash,
                                    uint64_t sequence) {
    check(text.len <= TEXT_MAX);
    uint32_t ref = 0;
    struct subject *e = entry_new(s, text.len, &ref);
    *e = (struct subject){.first = sequence, .last = sequence, .len = (uint16_t)text.len};
    if (text.len)
        memcpy(e->text, text.ptr, text.len);
    slot_insert(s, (struct subject_slot){(uint32_t)(hash >> 32), ref});
    s->count++;
    return e;
}

/* History is in order of sequence; only recovery adds out of order. */
static void history_add(const struct subjects *s, struct subject *e, uint64_t sequence,
                        uint32_t size) {
    uint64_t *sequences = entry_sequences(e);
    uint32_t *sizes = entry_sizes(s, e);
    size_t at = (size_t)subject_messages(e);
    check(at < s->history);
    for (; at > 0 && sequences[at - 1] > sequence; at--) {
        sequences[at] = sequences[at - 1];
        sizes[at] = sizes[at - 1];
    }
    sequences[at] = sequence;
    sizes[at] = size;
}

void subjects_add(struct subjects *s, slice text, uint64_t hash, uint64_t sequence, uint32_t size) {
    struct subject *e = subjects_find(s, text, hash);
    if (!e)
        e = entry_create(s, text, hash, sequence);
    if (s->history)
        history_add(s, e, sequence, size);
    entry_count(e, subject_messages(e) + 1);
    if (sequence < e->first)
        e->first = sequence;
    if (sequence < e->last)
        return;
    e->last = sequence;
    e->last_size = size;
    e->flags &= (uint8_t)~SUBJECT_LAST_BOUND;
}

static void entry_die(struct subjects *s, struct subject *e) {
    uint32_t at = slot_of(s, e);
    struct subjects_chunk *chunk = &s->chunks[(s->slots[at].ref - 1) / CHUNK_UNITS];
    uint32_t size = entry_bytes(s, e->len);
    slot_remove(s, at);
    entry_count(e, 0);
    chunk->dead += size;
    s->live_bytes -= size;
    s->dead_bytes += size;
    s->count--;
}

static void history_remove(const struct subjects *s, struct subject *e, uint64_t sequence) {
    uint64_t *sequences = entry_sequences(e);
    uint32_t *sizes = entry_sizes(s, e);
    size_t count = (size_t)subject_messages(e) + 1;
    size_t at = 0;
    while (at < count && sequences[at] != sequence)
        at++;
    check(at < count);
    memmove(sequences + at, sequences + at + 1, (count - at - 1) * sizeof(*sequences));
    memmove(sizes + at, sizes + at + 1, (count - at - 1) * sizeof(*sizes));
    e->first = sequences[0];
    e->last = sequences[count - 2];
    e->last_size = sizes[count - 2];
}

void subjects_remove(struct subjects *s, struct subject *e, uint64_t sequence) {
    uint64_t messages = subject_messages(e);
    check(messages > 0);
    if (messages == 1) {
        entry_die(s, e);
        return;
    }
    entry_count(e, messages - 1);
    if (s->history) {
        history_remove(s, e, sequence);
        return;
    }
    if (sequence <= e->first) {
        e->first = sequence + 1;
        e->flags |= SUBJECT_FIRST_BOUND;
    }
    if (sequence == e->last) {
        e->last = sequence - 1;
        e->flags |= SUBJECT_LAST_BOUND;
    }
}

void subjects_oldest(const struct subjects *s, const struct subject *e, uint64_t *ret_sequence,
                     uint32_t *ret_size) {
    check(s->history);
    *ret_sequence = entry_sequences(e)[0];
    *ret_size = entry_sizes(s, e)[0];
}

const uint64_t *subjects_sequences(const struct subjects *s, const struct subject *e) {
    check(s->history);
    return entry_sequences(e);
}

void subject_set_first(struct subject *e, uint64_t sequence) {
    e->first = sequence;
    e->flags &= (uint8_t)~SUBJECT_FIRST_BOUND;
}

void subject_set_last(struct subject *e, uint64_t sequence, uint32_t size) {
    e->last = sequence;
    e->last_size = size;
    e->flags &= (uint8_t)~SUBJECT_LAST_BOUND;
}

int subjects_each(const struct subjects *s, int (*each)(void *self, struct subject *e),
                  void *self) {
    size_t size = s->count ? (size_t)1 << s->bits : 0;
    for (size_t i = 0; i < size; i++) {
        if (!s->slots[i].ref)
            continue;
        int stopped = each(self, entry_at(s, s->slots[i].ref));
        if (stopped)
            return stopped;
    }
    return 0;
}

uint64_t subjects_memory(const struct subjects *s) {
    uint64_t bytes = (uint64_t)s->chunk_room * sizeof(*s->chunks);
    for (uint32_t i = 0; i < s->chunk_count; i++)
        bytes += s->chunks[i].size;
    return bytes + (s->bits ? ((uint64_t)sizeof(*s->slots) << s->bits) : 0);
}
