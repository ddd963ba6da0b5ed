/*
 * chains.c - see chains.h.
 *
 * Of the path of a stream's nodes (record.h) the newest few are kept with their sequences, so that
 * what a record says of earlier ones is compared with where they really are; older ones are
 * believed, since the chain covers what a record says.
 */
#include "rooms/events/chains.h"

#include "base/mem.h"
#include "rooms/events/tags.h"

#include <errno.h>
#include <inttypes.h>

#define ENDS_MAX ((size_t)1 << 30)

struct end {
    uint64_t number, sequence; /* sequence 0: the record is not there any more */
    uint64_t swept;
    uint64_t kept[LIFE_KEPT_MAX]; /* sequences of the skeleton's records that are no leaves */
    unsigned kept_count;
    bool seen;
    unsigned char chain[EVENT_CHAIN_BYTES];
    unsigned path_count;
    struct {
        uint64_t number, sequence;
    } path[8];
    size_t len;
    char subject[];
};

static void report(struct chains *c, const struct error *finding) {
    c->report.findings++;
    c->found(c->self, finding);
}

static void find(struct chains *c, slice subject, uint64_t number, uint64_t position,
                 const char *what) {
    struct error e = {0};
    _cleanup_buf_ struct buf name = buf_make(EVENT_NAME_MAX * 2);
    (void)!event_name(subject, &name);
    error_set(&e, -EBADMSG, "%s", what);
    error_place(&e, "%.*s@%" PRIu64 " (position %" PRIu64 ")",
                slice_fmt(name.len ? buf_slice(&name) : subject), number ? number - 1 : 0,
                position);
    report(c, &e);
}

static struct end *end_of(struct chains *c, slice subject) {
    struct end *end = map_find(&c->ends, subject);
    if (end)
        return end;
    end = mem_zalloc(1, sizeof *end + subject.len);
    if (!end)
        return NULL;
    memcpy(end->subject, subject.ptr, subject.len);
    end->len = subject.len;
    if (map_add(&c->ends, slice_make(end->subject, end->len), end))
        return mem_free(end);
    return end;
}

/* Nodes above what NUMBER begins at are covered by it. */
static void advance(struct end *end, const struct event *event, uint64_t sequence) {
    uint64_t stop = event->number & (event->number - 1);
    while (end->path_count && end->path[end->path_count - 1].number > stop)
        end->path_count--;
    if (end->path_count == array_count(end->path)) { /* the oldest are not compared any more */
        memmove(end->path, end->path + 1, sizeof end->path - sizeof end->path[0]);
        end->path_count--;
    }
    end->path[end->path_count].number = event->number;
    end->path[end->path_count].sequence = sequence;
    end->path_count++;
    end->number = event->number;
    end->sequence = sequence;
    memcpy(end->chain, event->chain, sizeof end->chain);
}

/* Where NUMBER is, as far as it is kept: 0 = not known. */
static uint64_t place_of(const struct end *end, uint64_t number) {
    for (unsigned i = 0; i < end->path_count; i++)
        if (end->path[i].number == number)
            return end->path[i].sequence;
    return 0;
}

static bool points_right(const struct end *end, const struct event *event) {
    uint64_t stop = event->number & (event->number - 1), place = place_of(end, stop);
    bool leaf = event->number % EVENT_SPAN == 0 && event->number > EVENT_SPAN;
    bool follows = end->sequence ? event->before == end->sequence : !event->before == !end->number;
    return follows && (!stop == !event->skip) && (!place || event->skip == place) &&
           leaf == (event->leaf != 0);
}

/* --- tags --------------------------------------------------------------------------------- */

/* Where the last event with a tag is. */
struct tag_seen {
    uint64_t sequence;
    uint64_t noted; /* so many records must have been noted */
    size_t len;
    char tag[];
};

static struct tag_seen *seen_of(struct chains *c, slice tag) {
    struct tag_seen *seen = map_find(&c->tags, tag);
    if (seen)
        return seen;
    seen = mem_zalloc(1, sizeof *seen + tag.len);
    if (!seen)
        return NULL;
    memcpy(seen->tag, tag.ptr, tag.len);
    seen->len = tag.len;
    return map_add(&c->tags, slice_make(seen->tag, seen->len), seen) ? mem_free(seen) : seen;
}

/* Where something is missing, what a record leads to may have been there. */
static bool leads_right(const struct chains *c, uint64_t before, uint64_t seen, uint64_t sequence) {
    return before == seen || (c->gaps && before > seen && before < sequence);
}

/* 1: Nonet-Tagged names what it must; 0: it does not; -ENOMEM. */
static int judge_tags(struct chains *c, const struct log_record *record,
                      const struct event *event) {
    char room[EVENT_TAG_ROOM];
    slice tag, tags = event->tags;
    int right = 1;
    if (!event->tagged.len)
        return 1; /* nobody has noted it */
    while (event_tag_next(&tags, room, &tag)) {
        struct tag_seen *seen = seen_of(c, tag);
        uint64_t before;
        if (!seen)
            return -ENOMEM;
        if (seen->sequence == record->sequence) /* the event has the tag twice */
            continue;
        if (!event_tagged(event, tag, &before) ||
            !leads_right(c, before, seen->sequence, record->sequence))
            right = 0;
        seen->sequence = record->sequence;
        seen->noted += record->sequence > c->since;
    }
    return right;
}

bool chains_next_tag(const struct chains *c, size_t *cursor, slice *ret_tag) {
    const struct map_entry *entry = map_next(&c->tags, cursor);
    if (entry)
        *ret_tag = entry->key;
    return entry != NULL;
}

void chains_tag(struct chains *c, slice tag, slice text) {
    struct tag_seen *seen = map_find(&c->tags, tag);
    struct error e = {0};
    uint64_t last = 0, count = 0;
    if (text.len && tag_read_note(text, &last, &count))
        last = count = 0;
    uint64_t noted = seen ? seen->noted : 0;
    if (seen)
        seen->noted = 0; /* it has been told */
    if (!noted || (last >= seen->sequence && count >= noted))
        return;
    error_set(&e, -EBADMSG,
              "tag '%.*s': %" PRIu64 " events have it, the last one at position %" PRIu64
              ", and its note tells of fewer: conditions may pass over some",
              slice_fmt(slice_take(tag, 64)), noted, seen->sequence);
    report(c, &e);
}

/* --- records ------------------------------------------------------------------------------ */

/* Does it stay, although its event was taken out? */
static bool is_skeleton(const struct end *end, const struct event *event, uint64_t sequence) {
    if (event->number > end->swept)
        return false;
    for (unsigned i = 0; i < end->kept_count; i++)
        if (end->kept[i] == sequence)
            return true;
    return event->number % EVENT_SPAN == 0;
}

/* Does the stream go on from EVENT? */
static bool judge(struct chains *c, struct end *end, const struct log_record *record,
                  const struct event *event) {
    if (is_skeleton(end, event, record->sequence))
        return false;
    if (event->number <= end->number) {
        find(c, record->subject, event->number, record->sequence,
             "the event stands twice, or in the wrong place");
        return false;
    }
    if (event->number != end->number + 1) {
        find(c, record->subject, event->number, record->sequence,
             "events before this one are missing");
        c->missing += event->number - end->number - 1;
        end->path_count = 0;
        return true;
    }
    if (event_chain_check(record, event, end->chain))
        find(c, record->subject, event->number, record->sequence,
             "the event, or the one before it, is not what was appended");
    else if (!points_right(end, event))
        find(c, record->subject, event->number, record->sequence,
             "the event does not lead to the ones before it");
    return true;
}

int chains_record(struct chains *c, const struct log_record *record) {
    struct event event;
    c->gaps |= record->sequence != (c->next ? c->next : 1);
    c->next = record->sequence + 1;
    c->report.events++;
    if (event_read(record, &event)) {
        find(c, record->subject, 0, record->sequence, "the record is no event");
        return 0;
    }
    struct end *end = end_of(c, record->subject);
    if (!end)
        return -ENOMEM;
    uint64_t findings = c->report.findings;
    c->report.streams += !end->seen;
    end->seen = true;
    if (judge(c, end, record, &event))
        advance(end, &event, record->sequence);
    int right = judge_tags(c, record, &event);
    if (right == 0 && findings == c->report.findings)
        find(c, record->subject, event.number, record->sequence,
             "the event does not lead to the one before it with one of its tags");
    return right < 0 ? right : 0;
}

bool chains_know(const struct chains *c, slice subject) {
    return map_find(&c->ends, subject) != NULL;
}

int chains_life(struct chains *c, slice subject, const struct life *life) {
    struct end *end = end_of(c, subject);
    if (!end)
        return -ENOMEM;
    end->number = end->swept = life->swept;
    memcpy(end->chain, life->chain, sizeof end->chain);
    for (unsigned i = 0; i < life->kept_count; i++)
        end->kept[end->kept_count++] = life->kept[i].sequence;
    return 0;
}

void chains_hole(struct chains *c) {
    c->holes++;
}

void chains_end(struct chains *c, uint64_t removed) {
    struct error e = {0};
    if (c->holes <= removed + c->missing)
        return;
    error_set(&e, -EBADMSG,
              "%" PRIu64
              " positions of ES have no event, and that was neither limits nor deletion: "
              "the newest events of event streams are missing",
              c->holes - removed - c->missing);
    report(c, &e);
}

void chains_unreadable(struct chains *c, uint64_t position) {
    struct error e = {0};
    error_set(&e, -EBADMSG,
              "position %" PRIu64 " of ES cannot be read (`nonet log verify` says more)", position);
    report(c, &e);
}

void chains_begin(struct chains *c, struct hash_key key,
                  void (*found)(void *self, const struct error *finding), void *self) {
    *c = (struct chains){.ends = map_make(key, ENDS_MAX),
                         .tags = map_make(key, ENDS_MAX),
                         .found = found,
                         .self = self};
}

static void free_all(struct map *map) {
    const struct map_entry *entry;
    for (size_t at = 0; (entry = map_next(map, &at));)
        mem_free(entry->value);
    map_free(map);
}

void chains_free(struct chains *c) {
    free_all(&c->ends);
    free_all(&c->tags);
}
