/*
 * verify_closed.c - see verify.h: gives the records of ES to the judge of chains.h, from the log of
 * a node that does not run, or of a backup.
 *
 * The log is opened for reading alone: recovered into memory as a node would, and not touched. It
 * needs a loop to be opened on, which never turns.
 */
#include "rooms/events/verify.h"

#include "rooms/events/sweep.h"
#include "wire/url.h"

#include <errno.h>

struct closed {
    struct chains chains;
    struct log_stream *es;
    uint64_t next;    /* position */
    uint64_t removed; /* records, by the sweep */
};

/* Between the records that can be read may be some that cannot, and some that are not there. */
static void pass_gap(struct closed *c, uint64_t end) {
    for (; c->next < end; c->next++)
        if (fetch_is_hole(c->es, c->next))
            chains_hole(&c->chains);
        else
            chains_unreadable(&c->chains, c->next);
}

/* Of the notes: the lives, and what the sweep says. */
static int each_note(void *self, const struct log_record *record) {
    struct closed *c = self;
    char room[LOG_SUBJECT_MAX];
    struct buf subject = {.ptr = room, .cap = sizeof room, .max = sizeof room};
    struct life life;
    if (slice_equal(record->subject, slice_lit(SWEEP_SUBJECT)))
        return sweep_read_removed(record->payload, &c->removed);
    if (!slice_starts_with(record->subject, slice_lit(LIFE_PREFIX)))
        return 0;
    int failed = buf_append(&subject, slice_lit(EVENT_PREFIX));
    if (!failed)
        failed = buf_append(&subject, slice_skip(record->subject, sizeof LIFE_PREFIX - 1));
    if (!failed)
        failed = life_read(record->payload, &life);
    return failed ? failed : chains_life(&c->chains, buf_slice(&subject), &life);
}

/* Of the notes, at the end: those of tags. */
static int each_tag(void *self, const struct log_record *record) {
    struct closed *c = self;
    char tag[EVENT_TAG_ROOM];
    slice token = slice_skip(record->subject, sizeof TAG_PREFIX - 1);
    size_t len;
    if (slice_starts_with(record->subject, slice_lit(TAG_PREFIX)) && token.len <= sizeof tag &&
        url_decode(token, false, tag, &len) == 0)
        chains_tag(&c->chains, slice_make(tag, len), record->payload);
    return 0;
}

/* And those that have none. */
static void judge_tags(struct closed *c) {
    slice tag;
    for (size_t at = 0; chains_next_tag(&c->chains, &at, &tag);)
        chains_tag(&c->chains, tag, (slice){0});
}

static uint64_t since_of(const struct log_stream *notes) {
    struct json_doc doc;
    uint64_t since;
    json_init(&doc);
    bool read =
        notes && json_parse(&doc, log_stream_config(notes)) == 0 &&
        notes_read_since(json_source(json_member(json_root(&doc), slice_lit("metadata"))), &since);
    json_free(&doc);
    return read ? since : UINT64_MAX;
}

static int each(void *self, const struct log_record *record) {
    struct closed *c = self;
    pass_gap(c, record->sequence);
    c->next = record->sequence + 1;
    return chains_record(&c->chains, record);
}

static int scan(struct closed *c, struct log *log) {
    c->es = log_stream_find(log, slice_lit(ENGINE_STREAM));
    c->next = 1;
    if (!c->es)
        return 0;
    struct log_stream *notes = log_stream_find(log, slice_lit(NOTES_STREAM));
    c->chains.since = since_of(notes);
    int failed = notes ? log_scan(log, notes, INT64_MIN, each_note, c) : 0;
    if (!failed)
        failed = log_scan(log, c->es, INT64_MIN, each, c);
    if (!failed && notes)
        failed = log_scan(log, notes, INT64_MIN, each_tag, c);
    if (failed)
        return failed;
    judge_tags(c);
    pass_gap(c, log_stream_state(c->es).last_sequence + 1);
    chains_end(&c->chains, c->removed);
    return 0;
}

static int open_and_scan(struct io_host *host, const char *directory, struct closed *c,
                         struct error *ret_error) {
    struct io_group *group;
    struct log *log = NULL;
    int failed = io_group_create(host, 1, &group);
    if (failed)
        return error_set(ret_error, failed, "cannot start: %s", error_name(failed));
    const struct log_options options = {.directory = directory, .read_only = true};
    failed = log_open(io_group_loop(group, 0), &options, &log, ret_error);
    if (!failed) {
        failed = scan(c, log);
        if (failed)
            error_set(ret_error, failed, "event streams cannot be verified: %s",
                      error_name(failed));
    }
    log_abandon(log);
    io_group_free(group);
    return failed;
}

int events_verify_closed(struct io_host *host, const char *directory,
                         void (*found)(void *self, const struct error *finding), void *self,
                         struct events_report *ret_report, struct error *ret_error) {
    struct closed c = {.es = NULL};
    struct hash_key key;
    io_host_random(host, &key, sizeof key);
    chains_begin(&c.chains, key, found, self);
    int failed = open_and_scan(host, directory, &c, ret_error);
    *ret_report = c.chains.report;
    chains_free(&c.chains);
    return failed ? failed : ret_report->findings ? -EBADMSG : 0;
}
