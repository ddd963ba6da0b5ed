/*
 * stream_walk.c - see stream_walk.h.
 *
 * One step function for each phase. A step does at most STEP_MAX looks, then lets the loop turn; a
 * look that wants a block from disk asks for it and is repeated when the block has come.
 *
 *     TIME ----> LIST ----> SEARCH ----> READ_LIST --.
 *       |          '-----------^                     +--> done
 *       '------> READ -------------------------------'
 *
 * LIST runs at once: it goes through the subject table, which holds the last sequence of each.
 */
#include "bus/stream_walk.h"

#include "base/mem.h"
#include "bus/stream.h"

#include <errno.h>
#include <stdlib.h>

#define STEP_MAX 256u /* looks a turn */

enum phase { TIME, SEARCH, READ, READ_LIST };

struct wanted {
    uint64_t sequence; /* of the message; while it is searched the best so far, 0 = none */
    uint64_t at;       /* SEARCH: where to look on; 0 = found */
    slice subject;     /* SEARCH only; allocated */
};

struct walk {
    struct streams_op op;
    struct log_load load;
    struct io_timer again;
    bool loading;
    enum phase phase;
    uint64_t at; /* READ: next sequence; the others: place in the list */
    uint64_t from, up_to;
    int64_t time_ns;
    bool counted; /* end.pending is known */
    struct wanted *list;
    unsigned count;
    unsigned filter_count;
    slice name, subject; /* behind the filters, like their texts */
    bool (*each)(void *self, const struct log_record *record, uint64_t pending, uint64_t before);
    void (*done)(void *self, const struct stream_walk_end *end);
    void *self;
    struct stream_walk_end end;
    slice filters[];
};

static void step(struct walk *walk);

static void walk_free(struct walk *walk) {
    for (unsigned i = 0; i < walk->count; i++)
        mem_free((void *)walk->list[i].subject.ptr);
    mem_free(walk->list);
    streams_op_over(&walk->op);
    mem_free(walk);
}

static void finish(struct walk *walk, const struct streams_error *error) {
    walk->end.error = error;
    walk->end.up_to = walk->up_to;
    walk->done(walk->self, &walk->end);
    walk_free(walk);
}

static void fail(struct walk *walk, int code, unsigned err_code, const char *text) {
    struct streams_error e;
    streams_fail(&e, code, err_code, "%s", text);
    finish(walk, &e);
}

static bool on_stop(struct streams_op *op, bool log_gone) {
    struct walk *walk = container_of(op, struct walk, op);
    io_timer_stop(bus_loop(op->streams->bus), &walk->again);
    if (walk->loading && !log_gone)
        log_load_cancel(op->streams->log, &walk->load);
    finish(walk, streams_stopping());
    return true;
}

static void on_loaded(struct log_load *load, int failed) {
    struct walk *walk = container_of(load, struct walk, load);
    walk->loading = false;
    if (failed)
        fail(walk, 500, 10057, error_name(failed));
    else
        step(walk);
}

static void on_again(struct io_timer *timer) {
    step(container_of(timer, struct walk, again));
}

/* --- reading ------------------------------------------------------------------------------ */

/* True: go on. */
static bool give(struct walk *walk, const struct log_record *record) {
    struct streams *streams = walk->op.streams;
    uint64_t before = walk->end.last;
    if (walk->end.pending)
        walk->end.pending--;
    walk->end.last = record->sequence;
    walk->end.count++;
    streams_hold(streams);
    bool more = walk->each(walk->self, record, walk->end.pending, before);
    streams_release(streams);
    return more;
}

/* The steps: 0 goes on, 1 is the end, else what log_read or log_seek says, with the sequence to
   load in *RET_WANTED. */
static int read_step(struct walk *walk, struct stream *stream, uint64_t *ret_wanted) {
    struct log *log = walk->op.streams->log;
    struct log_record record = {.sequence = walk->at};
    if (!walk->counted) {
        walk->end.pending = log_count(log, stream->log, walk->subject, walk->at);
        walk->counted = true;
    }
    int result = log_seek(log, stream->log, walk->subject, walk->at, &record);
    if (result == -ENOENT)
        return 1;
    *ret_wanted = walk->at = record.sequence;
    if (result == -EBADMSG) {
        walk->at++;
        return 0;
    }
    if (result)
        return result;
    walk->at++;
    return give(walk, &record) ? 0 : 1;
}

static int read_list_step(struct walk *walk, struct stream *stream, uint64_t *ret_wanted) {
    if (walk->at == walk->count)
        return 1;
    struct log_record record;
    *ret_wanted = walk->list[walk->at].sequence;
    int result = log_read(walk->op.streams->log, stream->log, *ret_wanted, &record);
    if (result == -EINPROGRESS)
        return result;
    walk->at++;
    if (result) {
        walk->end.pending -= walk->end.pending > 0;
        return 0; /* deleted meanwhile, or damaged */
    }
    return give(walk, &record) ? 0 : 1;
}

/* --- the last of each subject ------------------------------------------------------------- */

struct listing {
    struct walk *walk;
    const struct stream *stream;
    struct log_filter filter;
    unsigned room;
    int failed;
};

static int list_one(void *self, slice subject, const struct log_subject_state *bound) {
    struct listing *listing = self;
    struct walk *walk = listing->walk;
    if (!log_filter_match(&listing->filter, subject))
        return 0;
    if (walk->count == STREAM_WALK_SUBJECTS_MAX)
        return listing->failed = -E2BIG;
    if (walk->count == listing->room) {
        unsigned room = listing->room ? listing->room * 2 : 16;
        struct wanted *list = mem_realloc(walk->list, room * sizeof *list);
        if (!list)
            return listing->failed = -ENOMEM;
        walk->list = list;
        listing->room = room;
    }
    struct log_subject_state state = *bound;
    if (state.last_sequence > walk->up_to) /* a bound, perhaps: then the true last is looked for */
        (void)log_subject(listing->stream->log, subject, &state);
    struct wanted *one = &walk->list[walk->count];
    *one = (struct wanted){.sequence = state.last_sequence};
    if (state.last_sequence > walk->up_to) {
        char *copy = mem_alloc(subject.len);
        if (!copy)
            return listing->failed = -ENOMEM;
        memcpy(copy, subject.ptr, subject.len);
        *one = (struct wanted){.at = bound->first_sequence ? bound->first_sequence : 1,
                               .subject = slice_make(copy, subject.len)};
    }
    walk->count++;
    return 0;
}

/* Each subject is looked at once: all there are where a filter has wildcards, else those named. */
static int list_subjects(struct walk *walk, struct stream *stream) {
    struct listing listing = {.walk = walk,
                              .stream = stream,
                              .filter = log_filter_make(walk->filters, walk->filter_count)};
    const struct log_filter *filter = &listing.filter;
    struct log_subject_state state;
    if (filter->wildcards * log_stream_state(stream->log).subjects > STREAM_WALK_COMPARISONS_MAX)
        return -E2BIG;
    if (!filter->count || filter->wildcards) {
        (void)log_subject_each(stream->log, slice_lit(">"), list_one, &listing);
        return listing.failed;
    }
    for (unsigned i = 0; i < filter->count && !listing.failed; i++) {
        bool again = i > 0 && slice_equal(filter->subjects[i], filter->subjects[i - 1]);
        if (!again && log_subject(stream->log, filter->subjects[i], &state))
            (void)list_one(&listing, filter->subjects[i], &state);
    }
    return listing.failed;
}

static int by_sequence(const void *a, const void *b) {
    const struct wanted *one = a, *other = b;
    return (one->sequence > other->sequence) - (one->sequence < other->sequence);
}

/* What was found, in order, without what lies below FROM. */
static void begin_list(struct walk *walk) {
    unsigned kept = 0;
    for (unsigned i = 0; i < walk->count; i++) {
        mem_free((void *)walk->list[i].subject.ptr);
        if (walk->list[i].sequence && walk->list[i].sequence >= walk->from)
            walk->list[kept++] = (struct wanted){.sequence = walk->list[i].sequence};
    }
    walk->count = kept;
    if (kept)
        qsort(walk->list, kept, sizeof *walk->list, by_sequence);
    walk->end.pending = kept;
    walk->phase = READ_LIST;
    walk->at = 0;
}

/* Looks for the newest of one subject up to UP_TO, from its first on. */
static int search_step(struct walk *walk, struct stream *stream, uint64_t *ret_wanted) {
    while (walk->at < walk->count && !walk->list[walk->at].at)
        walk->at++;
    if (walk->at == walk->count) {
        begin_list(walk);
        return 0;
    }
    struct wanted *one = &walk->list[walk->at];
    struct log_record record = {.sequence = one->at};
    int result = log_seek(walk->op.streams->log, stream->log, one->subject, one->at, &record);
    if (result == -ENOENT || record.sequence > walk->up_to) {
        one->at = 0;
        return 0;
    }
    *ret_wanted = one->at = record.sequence;
    if (result && result != -EBADMSG)
        return result;
    if (!result)
        one->sequence = record.sequence;
    one->at++;
    return 0;
}

/* --- the beginning ------------------------------------------------------------------------ */

static int begin_last_of(struct walk *walk, struct stream *stream) {
    uint64_t last = log_stream_state(stream->log).last_sequence;
    if (!walk->up_to || walk->up_to > last)
        walk->up_to = last;
    int failed = list_subjects(walk, stream);
    walk->phase = SEARCH;
    walk->at = 0;
    return failed;
}

static int time_step(struct walk *walk, struct stream *stream, uint64_t *ret_wanted) {
    uint64_t sequence;
    int result = log_seek_time(walk->op.streams->log, stream->log, walk->time_ns, &sequence);
    *ret_wanted = sequence;
    if (result)
        return result;
    if (!walk->filter_count) {
        walk->at = sequence;
        walk->phase = READ;
        return 0;
    }
    walk->up_to = sequence - 1;
    return sequence > 1 ? begin_last_of(walk, stream) : 1;
}

static int one_step(struct walk *walk, struct stream *stream, uint64_t *ret_wanted) {
    switch (walk->phase) {
    case TIME:
        return time_step(walk, stream, ret_wanted);
    case SEARCH:
        return search_step(walk, stream, ret_wanted);
    case READ_LIST:
        return read_list_step(walk, stream, ret_wanted);
    default:
        return read_step(walk, stream, ret_wanted);
    }
}

static void step(struct walk *walk) {
    struct streams *streams = walk->op.streams;
    uint64_t wanted = 0;
    int result = 0;
    struct stream *stream = NULL;
    for (unsigned i = 0; i < STEP_MAX && !result; i++) {
        stream = stream_find(streams, walk->name); /* EACH may reach somebody who deletes it */
        if (!stream) {
            fail(walk, 404, 10059, "stream not found");
            return;
        }
        result = one_step(walk, stream, &wanted);
    }
    if (result == 1) {
        finish(walk, NULL);
    } else if (result == -E2BIG) {
        fail(walk, 413, 10003, "too many subjects match");
    } else if (result == -ENOMEM) {
        fail(walk, 503, 10023, "insufficient resources");
    } else if (result == -EBADMSG) {
        fail(walk, 500, 10057, "a message is damaged on disk");
    } else {
        walk->loading =
            result == -EINPROGRESS && log_load(streams->log, stream->log, wanted, &walk->load) == 0;
        if (!walk->loading)
            io_timer_start(bus_loop(streams->bus), &walk->again,
                           result == -EINPROGRESS ? STREAM_RETRY_NS : 0, on_again);
    }
}

static struct walk *walk_new(struct stream *stream, const struct stream_walk_options *o) {
    size_t filters = o->last_of_count * sizeof(slice);
    size_t room = stream->config.name.len + o->subject.len;
    for (unsigned i = 0; i < o->last_of_count; i++)
        room += o->last_of[i].len;
    struct walk *walk = mem_zalloc(1, sizeof *walk + filters + room);
    if (!walk)
        return NULL;
    char *at = (char *)(walk->filters + o->last_of_count);
    walk->name = slice_store(&at, stream->config.name);
    walk->subject = slice_store(&at, o->subject);
    for (; walk->filter_count < o->last_of_count; walk->filter_count++)
        walk->filters[walk->filter_count] = slice_store(&at, o->last_of[walk->filter_count]);
    walk->load.done = on_loaded;
    streams_op_begin(stream->streams, &walk->op, on_stop);
    return walk;
}

void stream_walk(struct stream *stream, const struct stream_walk_options *options,
                 bool (*each)(void *self, const struct log_record *record, uint64_t pending,
                              uint64_t before),
                 void (*done)(void *self, const struct stream_walk_end *end), void *self) {
    check(options->last_of_count <= STREAM_WALK_FILTERS_MAX);
    struct walk *walk = walk_new(stream, options);
    if (!walk) {
        struct streams_error e;
        streams_fail(&e, 503, 10023, "insufficient resources");
        done(self, &(struct stream_walk_end){.error = &e});
        return;
    }
    walk->each = each;
    walk->done = done;
    walk->self = self;
    walk->from = options->from;
    walk->up_to = options->up_to;
    walk->time_ns = options->last_of_count ? options->up_to_time_ns : options->from_time_ns;
    walk->phase = walk->time_ns ? TIME : READ;
    walk->at = options->from ? options->from : 1;
    int failed = !walk->time_ns && options->last_of_count ? begin_last_of(walk, stream) : 0;
    if (failed)
        fail(walk, failed == -E2BIG ? 413 : 503, failed == -E2BIG ? 10003 : 10023,
             failed == -E2BIG ? "too many subjects match" : "insufficient resources");
    else
        step(walk);
}
