/*
 * snapshot.h - the state of a plan at work as bytes: what operators write and read it with.
 *
 *   piece    [ magic | version | number | 0 | hash ][ bytes ]     hash: of the bytes, on top of
 *                                                                 that of the piece before
 *   bytes    [ length | record ]…                 records run on from one piece into the next
 *   record   [ tag | numbers (varints), byte strings behind their length ]
 *
 *   HEAD   ( OPERATOR  the kind's own records… )…   END        operators in the executor's order
 *
 * One record says one thing (a group, a row), so that what is read is judged and kept a piece at a
 * time and nothing is ever held twice. Records that belong to another come behind it. A hash index
 * is written in its own order, for nothing that comes out depends on it; lists and trees in theirs.
 * Keys are written, hashes are not: the seed is another at each start.
 *
 * The hash finds damage by chance. Counts, lengths, orders and places are judged besides, so that
 * no bytes at all make a reader follow what is not there; rows are judged when they are decoded.
 * END has the bytes and rows counted: they must be the same. States of aggregates are in the form
 * of the machine (function.h): whoever changes one, a kind's records or an enum of plan.h raises
 * the version.
 */
#ifndef NONET_SQL_EXEC_SNAPSHOT_H
#define NONET_SQL_EXEC_SNAPSHOT_H

#include "sql/exec/operator.h"

#define SNAPSHOT_VERSION 1u
#define SNAPSHOT_FINGERPRINT_BYTES 16u

enum snapshot_tag {
    SNAPSHOT_HEAD,
    SNAPSHOT_OPERATOR,
    SNAPSHOT_END,
    SNAPSHOT_OWN = 16, /* the first of a kind's own */
};

/* Fills in the head of PIECE, its first SNAPSHOT_PIECE_HEAD bytes, number NUMBER. *HASH: of the
   piece before, then of this one; SNAPSHOT_HASH_START before the first. */
#define SNAPSHOT_PIECE_HEAD 24u
#define SNAPSHOT_HASH_START 0x736e617073686f74u
void snapshot_seal(char *piece, size_t len, uint32_t number, uint64_t *hash);

/* ---- writing ------------------------------------------------------------------------------ */

struct sql_saving {
    struct buf record, piece;
    struct buf scratch; /* the operators' */
    uint32_t number;    /* of the piece */
    uint64_t hash;      /* of the piece before */
    int failed;         /* sticky: what follows it does nothing */
    sql_exec_piece *give;
    void *self;
    struct sql_error *error;
    const struct sql_exec_options *options; /* whose go_on is asked now and then */
    unsigned records;                       /* since it was asked */
};

/* A record begins; its parts; it ends. The end tells what has failed since. */
void saving_begin(struct sql_saving *s, unsigned tag);
void saving_count(struct sql_saving *s, uint64_t count);
void saving_number(struct sql_saving *s, int64_t number);
void saving_bytes(struct sql_saving *s, slice bytes);
must_use int saving_end(struct sql_saving *s);

/* ---- reading ------------------------------------------------------------------------------ */

struct sql_loading {
    /* The record at hand. */
    unsigned tag;
    slice rest;
    bool damaged; /* sticky: what follows it reads as 0 */
    /* The operator's own, NULL at its first record: what the records that come belong to. */
    void *at, *last[2];
    /* snapshot.c's: */
    unsigned operators; /* begun */
    bool head, end;
    uint32_t number; /* of the piece that comes next */
    uint64_t hash;
    uint64_t length; /* of the record that comes in; 0: its length does */
    uint64_t length_read;
    unsigned length_shift;
    struct buf record; /* as much of it as there is, where a piece has ended in it */
};

/* The parts of the record, in the order in which they were written. */
uint64_t loading_count(struct sql_loading *l);
int64_t loading_number(struct sql_loading *l);
slice loading_bytes(struct sql_loading *l);
/* A count that must be below LIMIT. */
unsigned loading_below(struct sql_loading *l, uint64_t limit);
/* Was all of it read, and none of it damaged? */
static inline bool loading_whole(const struct sql_loading *l) {
    return !l->damaged && l->rest.len == 0;
}
/* The hash of a key, as sql_keys_encode makes it. */
static inline uint64_t loading_hash(const struct sql_operator *o, slice key) {
    return sql_hash_bytes(o->exec->seed, key);
}

/* Frees what is there of a state that comes in. */
void snapshot_loading_free(struct sql_exec *x);

/* ---- snapshot_plan.c ---------------------------------------------------------------------- */

/* What the plan of X computes, and how its states lie. 0 or -ENOMEM. */
must_use int snapshot_fingerprint(const struct sql_exec *x, char ret[SNAPSHOT_FINGERPRINT_BYTES]);

#endif
