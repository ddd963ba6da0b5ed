/*
 * dedupe.h - message ids seen within a stream's duplicate window.
 *
 * A queue in order of arrival (ids leave at its front as they grow old) and a map from id to the
 * queue's entry. Times come from the messages, which never go back within a stream, so the front is
 * always the oldest. At STREAMS_DUPLICATES_MAX ids, at DEDUPE_BYTES_MAX bytes of them, or without
 * memory, the oldest leave early: the window is then shorter than configured, which is counted,
 * never an error for the publisher. Of an id that came twice the later one counts.
 */
#ifndef NONET_BUS_DEDUPE_H
#define NONET_BUS_DEDUPE_H

#include "base/map.h"

#define DEDUPE_BYTES_MAX (512u << 20)

struct dedupe_entry {
    struct dedupe_entry *next;
    int64_t time_ns;
    uint64_t sequence;
    uint32_t id_len;
    char id[];
};

struct dedupe {
    struct map ids;
    struct dedupe_entry *oldest, *newest;
    int64_t window_ns;
    uint64_t bytes;     /* of all entries */
    uint64_t shortened; /* ids that left before their time */
};

void dedupe_open(struct dedupe *dedupe, struct hash_key key, int64_t window_ns);
void dedupe_close(struct dedupe *dedupe);
/* The sequence ID was stored under within the window before NOW_NS, or 0. */
uint64_t dedupe_find(struct dedupe *dedupe, slice id, int64_t now_ns);
void dedupe_add(struct dedupe *dedupe, slice id, uint64_t sequence, int64_t time_ns);

#endif
