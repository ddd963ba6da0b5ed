/*
 * tags.h - where the last event with a tag is: there every search for events with it begins.
 *
 *     LOADING --its note (notes.h) is read, or there is none--> READY
 *        '------it cannot be read-----------------------------> FAILED (until nobody needs it)
 *
 * The note says "POSITION COUNT": of the last record with the tag, and how many there are, or a few
 * more (sweep_tags.h). It is written in the commit of each append that has events with the tag, and
 * from there their records lead back from one to the other (Nonet-Tagged, record.h).
 * What is committed counts at once: like heads (heads.h), ends are kept in memory, the least used
 * going first.
 *
 * BOUNDS. TAGS_IDLE_MAX ends that nobody needs are kept, of about 300 bytes each.
 */
#ifndef NONET_EVENTS_TAGS_H
#define NONET_EVENTS_TAGS_H

#include "base/number.h"
#include "rooms/events/notes.h"

#define TAGS_IDLE_MAX 65536u

enum tag_state { TAG_LOADING, TAG_READY, TAG_FAILED };

struct tag_loading;
struct tag_end {
    struct list_node node; /* in engine->tags_idle */
    struct engine *engine;
    enum tag_state state;
    int failed;
    unsigned refs;
    bool stale;           /* of an ES that has been deleted */
    uint64_t last, count; /* records later than notes_since; 0: there is none */
    /* While a batch is being made: the same as it will be; what the newest record has before it;
       which was taken out. */
    bool drafted;
    uint64_t draft, draft_count, before, removed;
    struct tag_loading *loading; /* NULL when it is not */
    struct note note;
    char note_text[NUMBER_TEXT_MAX * 2];
    slice tag, subject; /* of its note */
    char text[];
};

/* The end of TAG, counted; it may still be loading. NULL: no memory. */
struct tag_end *tag_take(struct engine *engine, slice tag);
void tag_give(struct tag_end *end); /* NULL allowed */

/* An event with tags ENDS is to be stored as SEQUENCE: appends its Nonet-Tagged to TAGGED, and adds
   the notes (notes_add). 0 or -ENOMEM. */
must_use int tags_draft(struct tag_end *const *ends, unsigned count, uint64_t sequence,
                        struct buf *tagged);
/* The record at SEQUENCE, which leads to BEFORE, is to be taken out: adds the note. The newest
   first. */
void tag_draft_removal(struct tag_end *end, uint64_t sequence, uint64_t before);
/* It has been, or has not. */
void tags_settle(struct tag_end *const *ends, unsigned count, bool stored);

/* The subject of TAG's note, and what its text says. 0, -ENOMEM; 0, -EBADMSG. */
must_use int tag_subject(slice tag, struct buf *out);
must_use int tag_read_note(slice text, uint64_t *ret_last, uint64_t *ret_count);
/* No end is what it was. */
void tags_forget(struct engine *engine);

#endif
