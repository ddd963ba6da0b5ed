/*
 * read.c - see read.h.
 *
 *     HEAD -> FIND -> COLLECT -> EMIT    an event stream: to the last of the page by hops, back to
 *                                        its first one by one, then forwards
 *             FIND -> EMIT               backwards: at once, on the way back
 *     TIME -> SCAN                       all events
 *     TAGS -> WALK                       all events with tags, backwards: by their chains (walk.h)
 *
 * Every phase waits where a record has to be fetched, and SCAN lets the loop turn now and then.
 */
#include "rooms/events/read.h"

#include "base/mem.h"
#include "rooms/events/event_json.h"
#include "rooms/events/jobs.h"
#include "rooms/events/lookup.h"
#include "rooms/events/walk.h"

#include <errno.h>

#define TURN_LOOKS 4096u /* records looked at a turn, */
#define STEP_LOOKS 16u   /* as many of which cost as much as one that is read */
#define WITHIN ".>"
#define LINE_MAX_BYTES (128u << 20)
#define POSITION_WAIT_NS UINT64_C(2000000000)

enum phase { POSITION, HEAD, SEARCH, FIND, COLLECT, EMIT, TIME, SCAN, TAGS, WALK };

struct read {
    struct list_node node; /* in engine->reads */
    struct engine *engine;
    struct fetch fetch;
    struct io_timer again, deadline;
    enum phase phase;
    bool waits; /* for something new, until the deadline */
    struct read_options o;
    struct head *head;
    struct head *held;    /* of an event among all, while it is being read */
    uint64_t gone;        /* of the event stream, when the page was begun */
    struct search search; /* of the last event before the time or position */
    uint64_t at;          /* sequence to look at next */
    uint64_t first, last; /* numbers of the page */
    uint64_t *sequences;  /* of the page, the last first */
    unsigned collected, emitted;
    uint64_t looks;
    struct log_filter filter; /* of all events: the category, in these */
    slice filters[2];
    uint64_t turn;                       /* looks of this turn */
    struct provenance_reader provenance; /* of an audit */
    struct tag_end *ends[READ_FILTERS_MAX];
    unsigned end_count;
    struct walk walk;
    struct buf out;
    struct read_end end;
    void (*done)(void *self, const struct read_end *end);
    void *self;
    char text[];
};

static void step(struct read *read);

static void finish(struct read *read, unsigned status, const char *detail) {
    struct engine *engine = read->engine;
    read->end.status = status;
    read->end.detail = detail;
    read->end.lines = status == 200 ? buf_slice(&read->out) : (slice){0};
    fetch_cancel(&read->fetch);
    io_timer_stop(engine->loop, &read->again);
    io_timer_stop(engine->loop, &read->deadline);
    head_give(read->head);
    head_give(read->held);
    while (read->end_count)
        tag_give(read->ends[--read->end_count]);
    list_remove(&read->node);
    engine->read_count--;
    read->done(read->self, &read->end);
    buf_free(&read->out);
    provenance_close(&read->provenance);
    mem_free(read->sequences);
    mem_free(read);
}

static void on_fetched(struct fetch *fetch) {
    step(container_of(fetch, struct read, fetch));
}

static void on_again(struct io_timer *timer) {
    step(container_of(timer, struct read, again));
}

/* A read that has found something meanwhile goes on to the end of its page: what `next` says is
   true only then. */
static void on_deadline(struct io_timer *timer) {
    struct read *read = container_of(timer, struct read, deadline);
    read->o.wait_ns = 0;
    if (!read->waits)
        return;
    if (read->phase == POSITION)
        finish(read, 504, "the position has not been reached");
    else
        finish(read, 200, NULL);
}

/* --- what matches ------------------------------------------------------------------------- */

static bool matches(const struct read_options *o, slice subject, const struct event *event) {
    return event_matches(event, o->types, o->type_count, o->tags, o->tag_count) &&
           (!o->category.len || event_is_of(subject, o->category));
}

/* Of an event stream it begins behind what has gone, but for what has grown too old. */
static int hides(struct read *read, const struct log_record *record, const struct event *event) {
    if (!read->head) {
        jobs_know_stream(read->engine);
        return head_hides(read->engine, record->subject, event->number, record->time_ns,
                          &read->held);
    }
    return life_expired(head_life(read->head), record->time_ns,
                        io_loop_wall_ns(read->engine->loop));
}

static bool is_asked_for(slice wanted, slice there) {
    return !wanted.len || slice_equal(wanted, there);
}

/* 0: the line is there, or the event is not one that was asked for. */
static int write_audit(struct read *read, const struct log_record *record,
                       const struct event *event) {
    struct provenance p;
    int failed = provenance_read(&read->provenance, event, &p);
    if (failed || !is_asked_for(read->o.actor, p.actor) ||
        !is_asked_for(read->o.correlation, p.correlation))
        return failed;
    return event_write_audit(event, &p, record, &read->out);
}

static int write_line(struct read *read, const struct log_record *record,
                      const struct event *event) {
    if (read->o.audit)
        return write_audit(read, record, event);
    return read->o.cloudevents ? event_write_cloudevent(event, record, &read->out)
                               : event_write_json(event, record, &read->out);
}

/* 0; 1: the page is full, and the event is not on it. */
static int emit(struct read *read, const struct log_record *record, const struct event *event) {
    size_t before = read->out.len;
    if (!matches(&read->o, record->subject, event))
        return 0;
    int hidden = hides(read, record, event);
    if (hidden)
        return hidden < 0 ? hidden : 0;
    if (read->emitted == read->o.limit)
        return 1;
    int failed = write_line(read, record, event);
    if (failed || read->out.len == before)
        return failed;
    if (read->out.len > READ_BYTES_MAX && read->emitted) {
        read->out.len = before;
        return 1;
    }
    read->end.count = ++read->emitted;
    return 0;
}

/* --- one event stream --------------------------------------------------------------------- */

static bool is_too_new(const void *self, const struct log_record *record,
                       const struct event *event) {
    const struct read_options *o = &((const struct read *)self)->o;
    (void)event;
    return o->from_position ? record->sequence >= o->from_position
                            : record->time_ns >= o->from_time_ns;
}

/* The steps: 0 goes on, 1 is the end of the read, else what fetch_event says. */
static int head_step(struct read *read) {
    if (read->head && read->head->stale) {
        head_give(read->head);
        read->head = NULL;
    }
    if (!read->head) {
        jobs_know_stream(read->engine);
        read->head = head_take(read->engine, read->o.subject);
    }
    if (!read->head)
        return -ENOMEM;
    int failed = head_alive(read->head);
    if (failed)
        return failed;
    uint64_t number = read->head->number, limit = read->o.limit;
    uint64_t gone = read->gone = head_gone(read->head);
    if (read->o.from_position || read->o.from_time_ns) {
        search_begin(&read->search, head_last(read->head), is_too_new, read);
        read->phase = SEARCH;
        return 0;
    }
    read->end.first = gone;
    read->end.last = number - 1;
    if (read->o.backwards) {
        read->last = read->o.from < number ? read->o.from + 1 : number;
        read->first = gone + 1;
    } else {
        read->first = read->o.from < number ? read->o.from + 1 : number + 1;
        read->first = read->first > gone ? read->first : gone + 1;
        read->last = number - read->first + 1 < limit ? number : read->first + limit - 1;
        read->end.caught_up = read->last == number;
    }
    read->end.next = read->o.backwards ? UINT64_MAX : read->last;
    if (read->first > read->last) {
        read->end.caught_up = true;
        if (!read->o.backwards && read->o.from > number)
            read->end.next = read->o.from;
        return read->o.wait_ns && !read->o.backwards ? -EBUSY : 1;
    }
    read->at = head_last(read->head);
    read->phase = FIND;
    return 0;
}

/* Then it is a read from a revision on. */
static int search_found_step(struct read *read) {
    struct log_record record;
    struct event event;
    int result = search_step(&read->search, &read->fetch, &record, &event);
    if (result == -EAGAIN)
        return 0;
    if (result && result != -ERANGE)
        return result;
    read->o.from = result ? 0 : event.number;
    read->o.from_position = 0;
    read->o.from_time_ns = 0;
    read->phase = HEAD;
    return 0;
}

static int find_step(struct read *read) {
    struct log_record record;
    struct event event;
    int failed = fetch_event(&read->fetch, read->at, &record, &event);
    if (failed)
        return failed;
    if (event.number > read->last) {
        read->at = event_hop(&event, read->last);
        return 0;
    }
    read->phase = read->o.backwards ? EMIT : COLLECT;
    if (!read->o.backwards) {
        read->sequences = mem_alloc((read->last - read->first + 1) * sizeof *read->sequences);
        return read->sequences ? 0 : -ENOMEM;
    }
    return 0;
}

static int collect_step(struct read *read) {
    struct log_record record;
    struct event event;
    int failed = fetch_event(&read->fetch, read->at, &record, &event);
    if (failed)
        return failed;
    if (event.number != read->last - read->collected)
        return -EBADMSG;
    read->sequences[read->collected++] = read->at;
    read->at = event.before;
    if (event.number == read->first)
        read->phase = EMIT;
    return 0;
}

static int emit_back_step(struct read *read) {
    struct log_record record;
    struct event event;
    int failed = fetch_event(&read->fetch, read->at, &record, &event);
    if (!failed)
        failed = emit(read, &record, &event);
    if (failed == 1)
        read->end.next = event.number - 1;
    if (failed)
        return failed;
    read->at = event.number > read->first ? event.before : 0;
    if (read->at && ++read->looks == READ_LOOKS_MAX) {
        read->end.next = event.number - 2;
        return 1;
    }
    return read->at ? 0 : 1;
}

static int emit_step(struct read *read) {
    struct log_record record;
    struct event event;
    if (read->o.backwards)
        return emit_back_step(read);
    if (!read->collected)
        return 1;
    int failed = fetch_event(&read->fetch, read->sequences[read->collected - 1], &record, &event);
    if (!failed)
        failed = emit(read, &record, &event);
    if (failed == 1) {
        read->end.next = event.number - 1;
        read->end.caught_up = false;
    }
    read->collected -= failed == 0;
    return failed;
}

/* A record of the page is not in the log any more, since its event has gone meanwhile: what is left
   of the page is read, if it was not begun to be told, else told. */
static int go_round(struct read *read) {
    uint64_t gone = head_gone(read->head);
    if (gone == read->gone)
        return -EBADMSG;
    if (read->phase == EMIT && read->o.backwards)
        return 1; /* the others are older */
    if (read->phase == EMIT) {
        uint64_t number = read->last - (read->collected - 1);
        read->collected--;
        return number <= gone ? 0 : -EBADMSG;
    }
    read->sequences = mem_free(read->sequences);
    read->collected = 0;
    read->phase = HEAD;
    return 0;
}

static int stream_step(struct read *read) {
    int result = read->phase == HEAD      ? head_step(read)
                 : read->phase == SEARCH  ? search_found_step(read)
                 : read->phase == FIND    ? find_step(read)
                 : read->phase == COLLECT ? collect_step(read)
                                          : emit_step(read);
    return result == -EBADMSG && read->phase != HEAD ? go_round(read) : result;
}

/* --- all events --------------------------------------------------------------------------- */

/* False: RECORD is not one that is asked for. It is not taken apart for that: of many records that
   are looked at, few are read. */
static bool may_match(const struct read_options *o, const struct log_record *record) {
    slice type = {0}, tags;
    if (o->tag_count && !event_field(record, slice_lit("Nonet-Tags"), &tags))
        return false;
    if (!o->type_count || !event_field(record, slice_lit("ce-type"), &type))
        return true;
    for (unsigned i = 0; i < o->type_count; i++)
        if (slice_equal(type, o->types[i]))
            return true;
    return false;
}

static int look(struct read *read, const struct log_record *record) {
    struct event event;
    if (read->o.to_time_ns && record->time_ns >= read->o.to_time_ns) {
        read->end.next = UINT64_MAX; /* later ones are later */
        return 1;
    }
    if (!may_match(&read->o, record))
        return 0;
    read->turn += STEP_LOOKS;
    int failed = event_read(record, &event);
    return failed ? failed : emit(read, record, &event);
}

static int look_back(struct read *read) {
    struct log_record record;
    struct stream *stream = engine_stream(read->engine);
    if (fetch_is_event_hole(read->engine, read->at)) /* its event has gone */
        return 0;
    int failed = stream ? fetch_record(&read->fetch, stream, read->at, &record) : -EBADMSG;
    return failed ? failed : look(read, &record);
}

static int scan_back_step(struct read *read) {
    read->end.next = UINT64_MAX;
    if (!read->at)
        return 1;
    int failed = look_back(read);
    if (failed == 1 || (!failed && ++read->looks == READ_LOOKS_MAX))
        read->end.next = failed ? read->at : read->at - 1;
    if (failed || read->looks == READ_LOOKS_MAX)
        return failed ? failed : 1;
    read->at--;
    return 0;
}

/* What lies before TO has been looked at. */
static void pass(struct read *read, uint64_t to) {
    read->looks += to - read->at;
    read->turn += to - read->at;
    read->at = to;
}

static int scan_step(struct read *read) {
    if (read->o.backwards)
        return scan_back_step(read);
    uint64_t last = read->end.last = engine_last(read->engine);
    read->end.next = read->at;
    read->end.caught_up = read->at > last;
    if (read->at > last)
        return read->emitted || !read->o.wait_ns ? 1 : -EBUSY;
    if (read->looks >= READ_LOOKS_MAX || read->emitted == read->o.limit)
        return 1;
    struct log_record record;
    int found =
        fetch_next(&read->fetch, engine_stream(read->engine), &read->filter, read->at, &record);
    pass(read, found == -ENOENT ? last + 1 : record.sequence);
    if (found == -ENOENT || found == -EAGAIN)
        return 0;
    read->end.next = read->at; /* where the page is full already */
    int failed = found ? found : look(read, &record);
    if (!failed)
        pass(read, read->at + 1);
    return failed;
}

/* Where a page backwards begins; what comes meanwhile is not on it, so `last` is as of now. */
static void begin_back(struct read *read) {
    read->end.last = engine_last(read->engine);
    read->at = read->at < read->end.last ? read->at : read->end.last;
    read->end.next = UINT64_MAX;
}

/* --- all events with tags, backwards ------------------------------------------------------ */

static int tags_step(struct read *read) {
    jobs_know_stream(read->engine);
    while (read->end_count < read->o.tag_count) {
        struct tag_end *end = tag_take(read->engine, read->o.tags[read->end_count]);
        if (!end)
            return -ENOMEM;
        read->ends[read->end_count++] = end;
    }
    for (unsigned i = 0; i < read->end_count; i++)
        if (read->ends[i]->state != TAG_READY)
            return read->ends[i]->state == TAG_LOADING ? -EAGAIN : read->ends[i]->failed;
    /* From the last on the way is by the chains, though their newest may not be on disk yet. */
    walk_begin(&read->walk, read->engine, read->ends, read->end_count,
               read->at < read->end.last ? read->at : UINT64_MAX, 0);
    read->phase = WALK;
    return 0;
}

static int walk_step(struct read *read) {
    struct log_record record;
    struct event event;
    int result = walk_look(&read->walk, &read->fetch, &record, &event);
    uint64_t at = read->walk.at;
    if (!result && at <= read->at) /* else it is newer than the page */
        result = fetch_event(&read->fetch, at, &record, &event);
    if (!result && at <= read->at) {
        result = emit(read, &record, &event);
        if (result == 1)
            read->end.next = at;
    }
    if (!result)
        walk_next(&read->walk, &event);
    if (result && result != -EAGAIN)
        return result;
    if (++read->looks < READ_LOOKS_MAX || !read->walk.at)
        return 0;
    read->end.next = read->walk.at;
    return 1;
}

/* --- all events from a time on ------------------------------------------------------------ */

static int time_step(struct read *read) {
    struct stream *stream = engine_stream(read->engine);
    struct log *log = streams_log(read->engine->streams);
    uint64_t sequence = 1;
    int result =
        stream && log ? log_seek_time(log, stream_log(stream), read->o.from_time_ns, &sequence) : 0;
    struct log_record record;
    struct event event;
    if (result == -EINPROGRESS) /* its block is wanted */
        return fetch_event(&read->fetch, sequence, &record, &event);
    read->at = sequence;
    read->phase = SCAN;
    return result;
}

/* --- a read ------------------------------------------------------------------------------- */

static int position_step(struct read *read) {
    if (engine_last(read->engine) < read->o.position_min)
        return -EBUSY;
    io_timer_stop(read->engine->loop, &read->deadline);
    read->at = read->o.from ? read->o.from : 1;
    read->phase = read->o.subject.len ? HEAD : read->o.from_time_ns ? TIME : SCAN;
    if (read->phase == SCAN && read->o.backwards) {
        read->phase = read->o.tag_count ? TAGS : SCAN;
        begin_back(read);
    }
    return 0;
}

static int one_step(struct read *read) {
    if (read->phase != SCAN || read->o.backwards)
        read->turn += STEP_LOOKS;
    switch (read->phase) {
    case POSITION:
        return position_step(read);
    case HEAD:
    case SEARCH:
    case FIND:
    case COLLECT:
    case EMIT:
        return stream_step(read);
    case TIME:
        return time_step(read);
    case TAGS:
        return tags_step(read);
    case WALK:
        return walk_step(read);
    default:
        return scan_step(read);
    }
}

/* Nothing there yet: until reads_wake, or the deadline. */
static void wait(struct read *read) {
    uint64_t ns = read->phase == POSITION ? POSITION_WAIT_NS : read->o.wait_ns;
    read->waits = true;
    if (!io_timer_running(&read->deadline))
        io_timer_start(read->engine->loop, &read->deadline, ns, on_deadline);
}

static void step(struct read *read) {
    int result = 0;
    bool stale = read->end_count && read->ends[0]->stale;
    if ((read->phase != HEAD && read->head && read->head->stale) || stale) {
        finish(read, 503, "stream ES has been deleted meanwhile");
        return;
    }
    read->waits = false;
    for (read->turn = 0; read->turn < TURN_LOOKS && !result;)
        result = one_step(read);
    if (result == 1)
        finish(read, 200, NULL);
    else if (result == -EBUSY)
        wait(read);
    else if (result == -EAGAIN)
        read->waits = true; /* a head is being read, or its life is on its way to the disk */
    else if (result == 0)
        io_timer_start(read->engine->loop, &read->again, 0, on_again);
    else if (result == -ENOENT)
        finish(read, 404, "there is no such event stream");
    else if (result == -EIDRM)
        finish(read, 410, "the event stream has been deleted for ever");
    else if (result == -EBADMSG)
        finish(read, 500, "an event cannot be read: `nonet log verify` says more");
    else if (result != -EINPROGRESS)
        finish(read, 503, "no memory for the page");
}

size_t read_options_bytes(const struct read_options *o) {
    size_t size = o->subject.len + o->category.len + o->actor.len + o->correlation.len;
    for (unsigned i = 0; i < o->type_count; i++)
        size += o->types[i].len;
    for (unsigned i = 0; i < o->tag_count; i++)
        size += o->tags[i].len;
    return size;
}

struct read_options read_options_store(const struct read_options *options, char **at) {
    struct read_options o = *options;
    o.subject = slice_store(at, options->subject);
    o.category = slice_store(at, options->category);
    o.actor = slice_store(at, options->actor);
    o.correlation = slice_store(at, options->correlation);
    for (unsigned i = 0; i < options->type_count; i++)
        o.types[i] = slice_store(at, options->types[i]);
    for (unsigned i = 0; i < options->tag_count; i++)
        o.tags[i] = slice_store(at, options->tags[i]);
    return o;
}

/* The streams of the category, and the one that is called like it. AT: room for it and WITHIN. */
static struct log_filter filter_category(struct read *read, char *at) {
    slice category = read->o.category;
    if (!category.len)
        return log_filter_make(NULL, 0);
    memcpy(at, category.ptr, category.len);
    memcpy(at + category.len, WITHIN, sizeof WITHIN - 1);
    read->filters[0] = category;
    read->filters[1] = slice_make(at, category.len + sizeof WITHIN - 1);
    return log_filter_make(read->filters, 2);
}

void events_read(struct engine *engine, const struct read_options *options,
                 void (*done)(void *self, const struct read_end *end), void *self) {
    bool full = engine->read_count == READS_MAX || engine->closed;
    size_t size = read_options_bytes(options) + options->category.len + sizeof WITHIN;
    struct read *read = full ? NULL : mem_zalloc(1, sizeof *read + size);
    if (read && options->audit && provenance_open(&read->provenance))
        read = mem_free(read);
    if (!read) {
        struct read_end end = {.status = full ? 429 : 503,
                               .detail = full ? "too many reads are under way: try again"
                                              : "no memory for the read"};
        done(self, &end);
        return;
    }
    char *at = read->text;
    read->engine = engine;
    read->o = read_options_store(options, &at);
    read->filter = filter_category(read, at);
    if (!options->limit || options->limit > READ_EVENTS_MAX)
        read->o.limit = options->limit ? READ_EVENTS_MAX : READ_EVENTS_DEFAULT;
    if (options->wait_ns > READ_WAIT_MAX_NS)
        read->o.wait_ns = READ_WAIT_MAX_NS;
    read->out = buf_make(LINE_MAX_BYTES);
    read->done = done;
    read->self = self;
    read->end.next = UINT64_MAX;
    fetch_init(&read->fetch, engine, on_fetched);
    list_push_back(&engine->reads_open, &read->node);
    engine->read_count++;
    step(read);
}

void reads_wake(struct engine *engine) {
    struct list_node *node, *following;
    list_each(&engine->reads_open, node, following) {
        struct read *read = container_of(node, struct read, node);
        if (read->waits && !io_timer_running(&read->again))
            io_timer_start(engine->loop, &read->again, 0, on_again);
    }
}

void reads_close(struct engine *engine) {
    struct list_node *node;
    while ((node = list_first(&engine->reads_open)))
        finish(container_of(node, struct read, node), 503, "the node stops");
}
