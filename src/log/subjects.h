/*
 * subjects.h - the subjects of one stream: how many messages each has, the first and the last.
 *
 *      slots   [ hash|ref ][ 0 ][ hash|ref ][ hash|ref ] ...       8 bytes each, linear probing
 *                     |
 *      chunks  [ entry | entry | entry |  ]  [ entry | ... ]       64 KiB each, packed entries
 *
 * A stream may hold tens of millions of subjects (one per aggregate), so every byte counts: a
 * subject of 20 bytes takes an entry of 48 bytes and, as slots are filled between three and six
 * eighths, 11 to 21 bytes of slots. A slot's index is the top of the hash, so growing the table
 * walks old and new in the same direction: doubling 8 million slots takes tens of milliseconds
 * and is not spread out. Removal shifts slots back, so there are no grave marks.
 *
 * Streams that keep 2 to SUBJECTS_HISTORY_MAX messages a subject also keep the sequence and size
 * of each in the entry, so that the oldest can be dropped without a search on disk. All others
 * keep first and last: after a removal the new first or last may be unknown, and then `first` is a
 * lower and `last` an upper bound until a reader has looked (SUBJECT_FIRST_BOUND, _LAST_BOUND).
 *
 * What can fail is in subjects_reserve; adding and removing within a reservation cannot. Dead
 * entries are collected a chunk at a time once they outweigh the living, in subjects_reserve.
 * Pointers to entries are valid until the next reserve, add or remove.
 */
#ifndef NONET_LOG_SUBJECTS_H
#define NONET_LOG_SUBJECTS_H

#include "base/check.h"
#include "base/hash.h"
#include "base/slice.h"

#define SUBJECTS_HISTORY_MAX 64u
#define SUBJECTS_CHUNK_BYTES (64u << 10)

enum subject_flag { SUBJECT_FIRST_BOUND = 1, SUBJECT_LAST_BOUND = 2 };

struct subject {
    uint64_t first, last;
    uint32_t last_size; /* bytes of the last record, unless SUBJECT_LAST_BOUND */
    uint32_t messages_low;
    uint16_t len;
    uint8_t messages_high;
    uint8_t flags;
    char text[]; /* then, aligned to 8: sequences[history], sizes[history] */
};

struct subject_slot {
    uint32_t hash; /* the top half */
    uint32_t ref;  /* 0 = empty; else place in units of 8 bytes, + 1 */
};

struct subjects_chunk {
    char *bytes; /* NULL: free number */
    uint32_t size, used, dead;
};

struct subjects {
    struct hash_key key;
    struct subject_slot *slots;
    struct subjects_chunk *chunks;
    unsigned bits; /* 1 << bits slots; 0 = none yet */
    unsigned history;
    uint32_t chunk_count, chunk_room; /* numbers in use, room in the array */
    uint32_t current;                 /* chunk being filled */
    uint32_t spare_count;             /* empty chunks */
    uint32_t collect_at;              /* next chunk to look at for collection */
    uint64_t count, live_bytes, dead_bytes;
};

/* HISTORY: messages kept per subject if 2 to SUBJECTS_HISTORY_MAX, else 0. Allocates nothing. */
void subjects_init(struct subjects *s, struct hash_key key, unsigned history);
/* Frees everything; the table is empty and usable. */
void subjects_free(struct subjects *s);

/* No subject is left; reservations stand. */
void subjects_clear(struct subjects *s);

static inline uint64_t subjects_hash(const struct subjects *s, slice text) {
    return hash_slice(&s->key, text);
}
static inline uint64_t subject_messages(const struct subject *e) {
    return (uint64_t)e->messages_high << 32 | e->messages_low;
}
static inline slice subject_text(const struct subject *e) {
    return slice_make(e->text, e->len);
}

/* Makes sure that COUNT more subjects of TEXT_BYTES in sum can be added. 0 or -ENOMEM. */
must_use int subjects_reserve(struct subjects *s, uint64_t count, uint64_t text_bytes);

/* The entry, or NULL. HASH is subjects_hash(s, text). */
struct subject *subjects_find(const struct subjects *s, slice text, uint64_t hash);
/* Brings the slot of HASH into the processor's cache. */
static inline void subjects_prefetch(const struct subjects *s, uint64_t hash) {
    if (s->bits)
        __builtin_prefetch(&s->slots[(uint32_t)(hash >> 32) >> (32 - s->bits)]);
}

/* Counts message SEQUENCE of SIZE stored bytes; in any order, each once. */
void subjects_add(struct subjects *s, slice text, uint64_t hash, uint64_t sequence, uint32_t size);
/* Takes message SEQUENCE back out; the entry goes with its last message. */
void subjects_remove(struct subjects *s, struct subject *e, uint64_t sequence);

/* With history: sequence and size of the oldest message of E. */
void subjects_oldest(const struct subjects *s, const struct subject *e, uint64_t *ret_sequence,
                     uint32_t *ret_size);
/* With history: the sequences of all messages of E, in order; as long as E is. */
const uint64_t *subjects_sequences(const struct subjects *s, const struct subject *e);
/* A reader has found the true first or last. */
void subject_set_first(struct subject *e, uint64_t sequence);
void subject_set_last(struct subject *e, uint64_t sequence, uint32_t size);

/* Every entry, in no order, until EACH returns != 0, which is returned. */
int subjects_each(const struct subjects *s, int (*each)(void *self, struct subject *e), void *self);
/* All memory of the table, itself not counted. */
uint64_t subjects_memory(const struct subjects *s);

#endif
