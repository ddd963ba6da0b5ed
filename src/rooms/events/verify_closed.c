/*
 * verify_closed.c - see verify.h: gives the records of ES to the judge of chains.h, from the log of
 * a node that does not run, or of a backup.
 *
 * The log is opened for reading alone: recovered into memory as a node would, and not touched. It
 * needs a loop to be opened on, which never turns.
 */
#include "rooms/events/verify.h"

#include <errno.h>

struct closed {
    struct chains chains;
    struct log_stream *es;
    uint64_t next; /* position */
};

/* Between the records that can be read may be some that cannot. */
static void pass_gap(struct closed *c, uint64_t end) {
    for (; c->next < end; c->next++)
        chains_unreadable(&c->chains, c->next);
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
    int failed = log_scan(log, c->es, INT64_MIN, each, c);
    if (!failed)
        pass_gap(c, log_stream_state(c->es).last_sequence + 1);
    return failed;
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
