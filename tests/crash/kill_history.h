/*
 * kill_history.h - what the outside knows of event streams on a node that is killed again and
 * again.
 *
 * Every append has a number, and each of its events the id NUMBER.PART.INDEX; the history notes
 * what was asked for, what was answered, and what was read. What it demands of the node:
 *
 *     positions are dense, the revisions of each stream gapless, both in order
 *     the events of an append are next to each other, whole, and there once
 *     answered 200 or 201  =>  it is there, at the positions and revisions that were told
 *     answered 409         =>  it is not there
 *     asked again, because there was no answer  =>  200 where it is there
 *     what it expected of its streams, and its condition, held at the place where it stands
 *     what was read at a position is there for ever
 */
#ifndef NONET_TESTS_CRASH_KILL_HISTORY_H
#define NONET_TESTS_CRASH_KILL_HISTORY_H

#include "base/buf.h"
#include "base/random.h"
#include "wire/json.h"

#define HISTORY_STREAMS 12u
#define HISTORY_TAGS 6u
#define HISTORY_TYPES 3u
#define HISTORY_PARTS 2u
#define HISTORY_APPENDS_MAX (2u << 20)
#define HISTORY_EVENTS_MAX (8u << 20)

enum kill_state { KILL_UNDER_WAY, KILL_UNSURE, KILL_STORED, KILL_REFUSED };
enum kill_expect { KILL_ANY, KILL_NONE, KILL_EXISTS, KILL_REVISION };

struct kill_part {
    uint8_t stream, count;
    uint8_t expect;           /* enum kill_expect */
    uint32_t revision, first; /* expected; where it is, once that is known */
};

struct kill_append {
    struct kill_part parts[HISTORY_PARTS];
    uint8_t part_count, type, tags, types_ruled_out, tags_ruled_out;
    uint8_t state; /* enum kill_state */
    bool conditional, read, told;
    uint32_t after, position; /* of its first event; 0: not known */
};

struct kill_seen {
    uint32_t append;
    uint8_t part, index;
};

struct kill_history {
    struct kill_append *appends;
    struct kill_seen *seen;             /* by position */
    uint32_t count, last, acknowledged; /* appends; positions: read, told */
    uint32_t next[HISTORY_STREAMS];     /* revision: read; at least */
    uint32_t hoped[HISTORY_STREAMS];    /* with what was told */
    uint32_t *unsure, *unread;          /* numbers of appends */
    uint32_t unsure_count, unread_count;
    uint64_t conflicts, repeated;
    uint64_t broken; /* demands */
};

void kill_history_open(struct kill_history *history);
void kill_history_close(struct kill_history *history);
/* A new append, as chance has it. */
uint32_t kill_history_new(struct kill_history *history, struct random *random);
/* What is asked for. */
void kill_history_write(const struct kill_history *history, uint32_t number, struct buf *body);
void kill_history_answer(struct kill_history *history, uint32_t number, unsigned status,
                         slice body);
/* The node was killed before it has answered. */
void kill_history_unsure(struct kill_history *history, uint32_t number);
/* One that is to be asked again; false: there is none. */
bool kill_history_again(struct kill_history *history, uint32_t *ret_number);
/* A page of all events behind POSITION, which it takes on. True: there are more. */
bool kill_history_page(struct kill_history *history, json_value page, uint32_t *position);
/* All has been read. */
void kill_history_read_end(struct kill_history *history);

#endif
