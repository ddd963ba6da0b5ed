#include "event_kit.h"

#include "base/number.h"
#include "base/random.h"

#include <stdlib.h>

/* Event streams over many seeds, through kills, power cuts and stops, with limits, deletions and
   the sweep behind them, against a model that is a list of ids and of what is kept for each stream.
   What holds:

       an answer says what the model says, where it was asked in this order
       what was answered 201 is there in every later life, at the revision and position it was given
       an append that was not answered is there whole, or not at all
       what a change was answered 200 for is so in every later life
       each event that is not gone is read, where it was, and no other; `verify` finds nothing
       at last little more is in the log than what can be read

   Each life begins with reading everything: what was not answered may be there, or not. */

#define STREAMS 4u
#define EVENTS_MAX 6000u /* of one stream, and of all */
#define ASKED_MAX 2000u  /* appends of one trial */
#define BATCH_MAX 600u
#define LIVES 5u

enum { ANONYMOUS = 0 }; /* the id of an event that has none */

#define VERSIONS_MAX 300u /* of what a stream keeps, and of the changes of one trial */

/* What a stream keeps, after so many changes. */
struct keeping {
    unsigned max_count, truncate, floor, deleted;
    bool tombstoned;
};

struct history {
    unsigned count;
    unsigned ids[EVENTS_MAX], positions[EVENTS_MAX], appends[EVENTS_MAX];
    unsigned version, known; /* changes that were made; that were answered */
    struct keeping keeps[VERSIONS_MAX];
};

struct asked_part {
    unsigned stream, count, first;
    enum { ANY, NONE, EXISTS, REVISION } expect;
    unsigned revision;
    unsigned ids[BATCH_MAX];
    enum { FRESH, REPEATED, WRONG, MIXED } verdict;
};

struct asked {
    bool raw, answered;
    unsigned stream, version; /* of a change of what a stream keeps; version 0: of none */
    unsigned status;          /* expected */
    unsigned events;          /* that it stores */
    unsigned position;        /* of the last of them */
};

struct trial {
    struct event_house *eh;
    struct random random;
    struct history streams[STREAMS];
    unsigned total, next_id;
    struct asked asked[ASKED_MAX];
    unsigned asked_count; /* numbered as the kit does */
    unsigned heard;       /* how many have been answered, or never will be */
    unsigned answers_at;
    struct buf body;
};

static unsigned below(struct trial *t, unsigned bound) {
    return (unsigned)random_below(&t->random, bound);
}

/* --- what the model says -------------------------------------------------------------------- */

static bool knows(const struct history *h, unsigned id) {
    for (unsigned i = 0; i < h->count && id != ANONYMOUS; i++)
        if (h->ids[i] == id)
            return true;
    return false;
}

static const struct keeping *keeping(const struct history *h) {
    return &h->keeps[h->version];
}

/* So many events are gone. */
static unsigned gone(const struct history *h) {
    const struct keeping *k = keeping(h);
    unsigned most = k->floor > k->truncate ? k->floor : k->truncate;
    if (k->max_count && h->count > k->max_count && h->count - k->max_count > most)
        most = h->count - k->max_count;
    return k->tombstoned ? h->count : most;
}

static bool is_deleted(const struct history *h) {
    return h->count && keeping(h)->deleted == h->count;
}

static void judge_anywhere(const struct history *h, struct asked_part *part) {
    unsigned known = 0;
    for (unsigned i = 0; i < part->count; i++)
        known += knows(h, part->ids[i]);
    if (!knows(h, part->ids[0]))
        part->verdict = FRESH;
    else
        part->verdict = known == part->count ? REPEATED : MIXED;
}

static void judge_there(const struct history *h, struct asked_part *part, unsigned from) {
    unsigned alike = 0;
    bool first = false;
    for (unsigned i = 0; i < part->count && from + i < h->count; i++) {
        bool there = part->ids[i] != ANONYMOUS && h->ids[from + i] == part->ids[i];
        there |= from + i < gone(h) && knows(h, part->ids[i]);
        alike += there;
        first |= i == 0 && there;
    }
    part->verdict = alike == part->count ? REPEATED : first ? MIXED : WRONG;
}

static bool fits(const struct history *h, const struct asked_part *part) {
    switch (part->expect) {
    case ANY:
        return true;
    case NONE:
        return !h->count || is_deleted(h);
    case EXISTS:
        return h->count ? !is_deleted(h) : h->version > 0;
    default:
        return h->count == part->revision + 1;
    }
}

static void judge(const struct trial *t, struct asked_part *part) {
    const struct history *h = &t->streams[part->stream];
    unsigned expected = part->expect == NONE ? 0 : part->revision + 1;
    bool anywhere = part->expect == ANY || part->expect == EXISTS ||
                    (part->expect == NONE && keeping(h)->deleted);
    if (keeping(h)->tombstoned)
        part->verdict = part->count || part->expect != NONE ? WRONG : FRESH;
    else if (!part->count)
        part->verdict = fits(h, part) ? FRESH : WRONG;
    else if (anywhere)
        judge_anywhere(h, part);
    else if (expected == h->count)
        part->verdict = FRESH;
    else if (expected > h->count)
        part->verdict = WRONG;
    else
        judge_there(h, part, expected);
    if (anywhere && part->verdict == FRESH && part->count && !fits(h, part))
        part->verdict = WRONG;
}

/* The status, and the model as it is then. */
static unsigned settle(struct trial *t, struct asked_part *parts, unsigned count) {
    unsigned fresh = 0, repeated = 0, wrong = 0, wrong_checks = 0;
    for (unsigned i = 0; i < count; i++) {
        judge(t, &parts[i]);
        bool bad = parts[i].verdict == WRONG || parts[i].verdict == MIXED;
        wrong += bad && parts[i].count;
        wrong_checks += bad && !parts[i].count;
        fresh += parts[i].verdict == FRESH && parts[i].count;
        repeated += parts[i].verdict == REPEATED;
    }
    if (wrong || (fresh && repeated) || (wrong_checks && !repeated))
        return 409;
    if (repeated || !fresh)
        return 200;
    for (unsigned i = 0; i < count; i++) {
        struct history *h = &t->streams[parts[i].stream];
        parts[i].first = h->count;
        for (unsigned k = 0; k < parts[i].count; k++) {
            h->ids[h->count] = parts[i].ids[k];
            h->appends[h->count] = t->asked_count;
            h->positions[h->count++] = ++t->total;
        }
    }
    return 201;
}

/* --- asking --------------------------------------------------------------------------------- */

/* One that has been there, by chance the one wanted, or a new one, or none. */
static unsigned choose_id(struct trial *t, const struct history *h, unsigned what) {
    if (what < 6)
        return ++t->next_id;
    if (what < 8 && h->count)
        return h->ids[below(t, h->count)];
    return ANONYMOUS;
}

static bool has_twice(const struct asked_part *part, unsigned id) {
    for (unsigned i = 0; i < part->count; i++)
        if (id != ANONYMOUS && part->ids[i] == id)
            return true;
    return false;
}

static unsigned choose_count(struct trial *t) {
    unsigned what = below(t, 40), room = EVENTS_MAX - 1 - t->total;
    unsigned count = what == 0 ? 1 + below(t, BATCH_MAX) : what < 4 ? 0 : 1 + below(t, 4);
    return count < room ? count : room;
}

/* As it was there: a repetition of a whole range. */
static void repeat(struct trial *t, struct asked_part *part) {
    const struct history *h = &t->streams[part->stream];
    unsigned from = below(t, h->count);
    unsigned most = h->count - from < 5 ? h->count - from : 5;
    part->count = 0;
    for (unsigned i = 0; i < 1 + below(t, most); i++)
        if (!has_twice(part, h->ids[from + part->count]))
            part->ids[part->count] = h->ids[from + part->count], part->count++;
    part->expect = below(t, 2) ? ANY : from ? REVISION : NONE;
    part->revision = from ? from - 1 : 0;
}

static void choose(struct trial *t, struct asked_part *part, unsigned stream) {
    const struct history *h = &t->streams[stream];
    *part = (struct asked_part){.stream = stream};
    unsigned count = choose_count(t);
    while (part->count < count) {
        unsigned id = choose_id(t, h, below(t, 10));
        part->ids[part->count] = has_twice(part, id) ? ANONYMOUS : id;
        part->count++;
    }
    unsigned what = below(t, 10);
    part->expect = what < 4 ? REVISION : what < 7 ? ANY : what < 8 ? EXISTS : NONE;
    part->revision = h->count ? h->count - 1 : 0;
    if (what == 0)
        part->revision = below(t, h->count + 3);
    if (below(t, 5) == 0 && h->count)
        repeat(t, part);
    if (!part->count && part->expect == ANY)
        part->expect = EXISTS;
}

static void write_expect(struct trial *t, const struct asked_part *part) {
    static const char *const words[] = {"\"any\"", "\"none\"", "\"exists\""};
    if (part->expect == REVISION)
        assert_int_equal(buf_printf(&t->body, "\"expect\":%u", part->revision), 0);
    else
        assert_int_equal(buf_printf(&t->body, "\"expect\":%s", words[part->expect]), 0);
}

static void write_events(struct trial *t, const struct asked_part *part) {
    assert_int_equal(buf_append(&t->body, slice_lit(",\"events\":[")), 0);
    for (unsigned i = 0; i < part->count; i++) {
        assert_int_equal(
            buf_printf(&t->body, "%s{\"type\":\"T\",\"data\":%u", i ? "," : "", t->asked_count), 0);
        if (part->ids[i] != ANONYMOUS)
            assert_int_equal(buf_printf(&t->body, ",\"id\":\"i%u\"", part->ids[i]), 0);
        assert_int_equal(buf_append_byte(&t->body, '}'), 0);
    }
    assert_int_equal(buf_append_byte(&t->body, ']'), 0);
}

static void write_body(struct trial *t, const struct asked_part *parts, unsigned count) {
    buf_clear(&t->body);
    assert_int_equal(buf_append(&t->body, slice_lit("{\"appends\":[")), 0);
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(
            buf_printf(&t->body, "%s{\"stream\":\"s-%u\",", i ? "," : "", parts[i].stream), 0);
        write_expect(t, &parts[i]);
        write_events(t, &parts[i]);
        assert_int_equal(buf_append_byte(&t->body, '}'), 0);
    }
    assert_int_equal(buf_append(&t->body, slice_lit("]}")), 0);
}

static void ask_raw(struct trial *t, struct asked_part *part) {
    char subject[32], id[32], payload[32];
    struct asked *asked = &t->asked[t->asked_count];
    part->count = 1;
    part->expect = ANY;
    asked->raw = true;
    asked->status = settle(t, part, 1);
    snprintf(subject, sizeof subject, "es.s.%u", part->stream);
    snprintf(id, sizeof id, "i%u", part->ids[0]);
    snprintf(payload, sizeof payload, "%u", t->asked_count);
    event_publish(t->eh, subject, part->ids[0] == ANONYMOUS ? NULL : id, payload);
}

static void ask_once(struct trial *t) {
    static struct asked_part parts[STREAMS];
    struct asked *asked = &t->asked[t->asked_count];
    unsigned count = below(t, 4) ? 1 : 1 + below(t, STREAMS), first = below(t, STREAMS);
    if (t->asked_count == ASKED_MAX || t->total + STREAMS * BATCH_MAX > EVENTS_MAX)
        return;
    *asked = (struct asked){0};
    for (unsigned i = 0; i < count; i++)
        choose(t, &parts[i], (first + i) % STREAMS);
    if (count == 1 && parts[0].count && below(t, 4) == 0) {
        ask_raw(t, &parts[0]);
    } else {
        asked->status = settle(t, parts, count);
        write_body(t, parts, count);
        event_ask(t->eh, NULL, buf_slice(&t->body));
    }
    asked->position = t->total;
    for (unsigned i = 0; i < count && asked->status == 201; i++)
        asked->events += parts[i].count;
    t->asked_count++;
}

/* --- what a stream keeps -------------------------------------------------------------------- */

/* The status, and the model as it is then; JSON and what is asked for go out. */
static unsigned change(struct trial *t, struct history *h, enum life_ask *ask, char limits[80]) {
    struct keeping k = *keeping(h);
    unsigned what = below(t, 12);
    limits[0] = '\0';
    *ask = what < 7 ? LIFE_LIMIT : what < 11 ? LIFE_DELETE : LIFE_TOMBSTONE;
    if (*ask == LIFE_LIMIT) {
        k.floor = gone(h);
        k.max_count = below(t, 3) ? 0 : 1 + below(t, 40);
        k.truncate = below(t, 2) ? 0 : below(t, h->count + 1);
        if (k.max_count)
            snprintf(limits, 80, "{'max_count':%u,'truncate_before':%u}", k.max_count, k.truncate);
        else
            snprintf(limits, 80, "{'truncate_before':%u}", k.truncate);
    }
    if (keeping(h)->tombstoned)
        return *ask == LIFE_TOMBSTONE ? 200 : 409;
    if (*ask == LIFE_DELETE && !h->count)
        return 404;
    if (*ask == LIFE_DELETE && is_deleted(h))
        return 200;
    if (*ask != LIFE_LIMIT)
        k.deleted = h->count;
    if (*ask == LIFE_DELETE)
        k.truncate = h->count;
    k.tombstoned = *ask == LIFE_TOMBSTONE;
    h->keeps[++h->version] = k;
    return 200;
}

static void ask_change(struct trial *t) {
    struct asked *asked = &t->asked[t->asked_count];
    unsigned stream = below(t, STREAMS);
    struct history *h = &t->streams[stream];
    struct life_change request = {.version = LIFE_ANY_VERSION};
    char name[16], limits[80];
    if (t->asked_count == ASKED_MAX || h->version + 1 == VERSIONS_MAX)
        return;
    *asked = (struct asked){.stream = stream};
    asked->status = change(t, h, &request.ask, limits);
    asked->version = asked->status == 200 ? h->version : 0;
    snprintf(name, sizeof name, "s-%u", stream);
    event_ask_life(t->eh, name, &request, NULL, limits);
    t->asked_count++;
}

/* --- hearing -------------------------------------------------------------------------------- */

static uint64_t read_number(slice json, const char *key) {
    struct json_doc doc;
    uint64_t number = 0;
    json_init(&doc);
    assert_int_equal(json_parse(&doc, json), 0);
    (void)!json_u64(json_member(json_root(&doc), slice_str(key)), &number);
    json_free(&doc);
    return number;
}

static void hear_one(struct trial *t, const struct bus_message *m) {
    uint64_t number;
    assert_int_equal(number_parse_u64(slice_skip(m->subject, 3), &number), 0);
    struct asked *asked = &t->asked[number];
    unsigned status = call_read_status(m);
    bool duplicate = slice_find_slice(m->payload, slice_lit("\"duplicate\":true")) >= 0;
    assert_false(asked->answered);
    asked->answered = true;
    t->heard++;
    if (asked->raw) {
        assert_int_equal(slice_find_slice(m->payload, slice_lit("\"error\"")) >= 0,
                         asked->status == 409);
        assert_int_equal(duplicate, asked->status == 200);
    } else if (status != asked->status) {
        fail_msg("append %u: %u instead of %u: %.*s", (unsigned)number, status, asked->status,
                 slice_fmt(m->payload));
    }
    if (asked->version > t->streams[asked->stream].known)
        t->streams[asked->stream].known = asked->version;
    if (asked->status == 201)
        assert_int_equal(read_number(m->payload, asked->raw ? "seq" : "position"), asked->position);
}

static void hear(struct trial *t) {
    const struct catcher *answers = &t->eh->answers;
    while (t->answers_at < answers->count && !sim_host_down(t->eh->house->host))
        hear_one(t, catcher_at(answers, t->answers_at++));
}

static bool all_heard(void *self) {
    struct trial *t = self;
    hear(t);
    return t->heard == t->asked_count || sim_host_down(t->eh->house->host);
}

/* --- reading everything --------------------------------------------------------------------- */

static unsigned id_of(slice id) {
    uint64_t number = 0;
    bool ours =
        id.len < 12 && id.ptr[0] == 'i' && number_parse_u64(slice_skip(id, 1), &number) == 0;
    return ours ? (unsigned)number : ANONYMOUS;
}

/* The model's event at POSITION, which is on its way through the streams. */
static void take_event(struct trial *t, struct json_doc *doc, slice line, uint64_t *at) {
    slice stream, id;
    uint64_t revision, position, append = 0, number;
    assert_int_equal(json_parse(doc, line), 0);
    json_value v = json_root(doc), bytes = json_member(v, slice_lit("data_base64"));
    assert_int_equal(json_string(json_member(v, slice_lit("stream")), &stream), 0);
    assert_int_equal(json_string(json_member(v, slice_lit("id")), &id), 0);
    assert_int_equal(json_u64(json_member(v, slice_lit("revision")), &revision), 0);
    assert_int_equal(json_u64(json_member(v, slice_lit("position")), &position), 0);
    bool raw = json_type_of(bytes) != JSON_ABSENT;
    assert_true(raw || json_u64(json_member(v, slice_lit("data")), &append) == 0);
    assert_int_equal(number_parse_u64(slice_skip(stream, 2), &number), 0);
    const struct history *h = &t->streams[number];
    assert_true(position > *at);
    *at = position;
    assert_true(revision >= gone(h) && revision < h->count);
    assert_int_equal(id_of(id), h->ids[revision]);
    assert_int_equal(position, h->positions[revision]);
    if (!raw)
        assert_int_equal(append, h->appends[revision]);
}

/* Each event that is not gone is there, once, and no other. */
static void read_all(struct trial *t) {
    struct json_doc doc;
    struct read_options options = {.limit = READ_EVENTS_MAX, .from = 1};
    uint64_t at = 0;
    unsigned found = 0, wanted = 0;
    json_init(&doc);
    for (bool more = true; more;) {
        struct event_page page = event_read_page(t->eh, &options);
        assert_int_equal(page.end.status, 200);
        slice lines = page.end.lines;
        for (; lines.len; found++)
            take_event(t, &doc, slice_cut(lines, '\n', &lines), &at);
        options.from = page.end.next;
        more = !page.end.caught_up;
        event_page_free(&page);
    }
    json_free(&doc);
    for (unsigned s = 0; s < STREAMS; s++)
        wanted += t->streams[s].count - gone(&t->streams[s]);
    assert_int_equal(found, wanted);
}

/* What the node says that stream S keeps: the version that has survived. */
static void show(struct trial *t, unsigned s) {
    struct history *h = &t->streams[s];
    char name[16];
    snprintf(name, sizeof name, "s-%u", s);
    struct event_answer answer = event_life(t->eh, name, LIFE_SHOW, NULL, NULL);
    t->asked[t->asked_count++] = (struct asked){.answered = true, .status = answer.status};
    assert_true(t->asked_count < ASKED_MAX);
    if (answer.status == 410) /* there is no version behind that */
        assert_true(h->keeps[h->version].tombstoned);
    else if (answer.status == 404)
        h->version = 0;
    else
        h->version = (unsigned)read_number(answer.body, "version");
    assert_true(h->version >= h->known);
    assert_int_equal(answer.status, keeping(h)->tombstoned     ? 410
                                    : !h->count && !h->version ? 404
                                                               : 200);
    if (answer.status == 200 && gone(h) < h->count)
        assert_int_equal(read_number(answer.body, "first"), gone(h));
    if (answer.status == 200 && h->count)
        assert_int_equal(read_number(answer.body, "last"), h->count - 1);
    assert_int_equal(slice_find_slice(answer.body, slice_lit("\"deleted\"")) >= 0,
                     answer.status == 200 && is_deleted(h));
}

/* Nothing that was acknowledged is lost, and what was not is whole or not there. */
static void compare(const struct trial *t) {
    static unsigned stored[ASKED_MAX];
    memset(stored, 0, sizeof stored);
    unsigned acknowledged = 0;
    for (unsigned i = 0; i < t->asked_count; i++)
        if (t->asked[i].answered && t->asked[i].status == 201 &&
            t->asked[i].position > acknowledged)
            acknowledged = t->asked[i].position;
    assert_true(t->total >= acknowledged);
    for (unsigned s = 0; s < STREAMS; s++)
        for (unsigned i = 0; i < t->streams[s].count; i++)
            stored[t->streams[s].appends[i]]++;
    for (unsigned i = 0; i < t->asked_count; i++)
        assert_true(stored[i] == t->asked[i].events || stored[i] == 0);
}

/* The model is what is there: all up to the last position. Appends that got lost have stored
   nothing. */
static void take_up(struct trial *t) {
    struct stream *es = kit_find(t->eh->house, "ES");
    t->total = es ? (unsigned)log_stream_state(stream_log(es)).last_sequence : 0;
    for (unsigned s = 0; s < STREAMS; s++) {
        struct history *h = &t->streams[s];
        while (h->count && h->positions[h->count - 1] > t->total)
            h->count--;
    }
    for (unsigned s = 0; s < STREAMS; s++)
        show(t, s);
    compare(t);
    read_all(t);
    for (unsigned i = 0; i < t->asked_count; i++)
        if (t->asked[i].position > t->total)
            t->asked[i].events = 0, t->asked[i].status = 0;
    t->heard = t->asked_count;
    t->answers_at = 0;
    catcher_clear(&t->eh->answers);
    struct event_verified v = event_verify(t->eh);
    assert_string_equal(v.findings, "");
}

/* When all is swept, little more is in the log than what can be read. */
static void assert_swept(struct trial *t) {
    struct log_stream *es = stream_log(kit_find(t->eh->house, "ES"));
    house_run(t->eh->house, 5 * SIM_SECOND);
    for (unsigned s = 0; s < STREAMS; s++) {
        const struct history *h = &t->streams[s];
        struct log_subject_state state = {0};
        char subject[16];
        snprintf(subject, sizeof subject, "es.s.%u", s);
        bool there = log_subject(es, slice_str(subject), &state);
        unsigned slack = keeping(h)->max_count < 16 ? 16 : keeping(h)->max_count;
        if (keeping(h)->tombstoned)
            assert_false(there);
        else
            assert_true(state.messages <= h->count - gone(h) + (keeping(h)->max_count ? slack : 0) +
                                              h->count / EVENT_SPAN + 10);
    }
}

/* A page of one stream, somewhere, forwards or backwards. */
static void read_somewhere(struct trial *t) {
    unsigned stream = below(t, STREAMS);
    const struct history *h = &t->streams[stream];
    if (!h->count)
        return;
    struct read_options options = {
        .from = below(t, h->count), .limit = 1 + below(t, 50), .backwards = below(t, 2)};
    struct json_doc doc;
    struct buf subject = buf_make(64);
    assert_int_equal(buf_printf(&subject, "es.s.%u", stream), 0);
    options.subject = buf_slice(&subject);
    struct event_page page = event_read_page(t->eh, &options);
    assert_int_equal(page.end.status, keeping(h)->tombstoned ? 410 : is_deleted(h) ? 404 : 200);
    unsigned from = (unsigned)options.from, least = gone(h);
    unsigned revision = !options.backwards && from < least ? least : from;
    unsigned there =
        options.backwards ? (from >= least ? from + 1 - least : 0) : h->count - revision;
    slice lines = page.end.lines;
    json_init(&doc);
    while (lines.len) {
        slice id;
        assert_int_equal(json_parse(&doc, slice_cut(lines, '\n', &lines)), 0);
        assert_int_equal(json_string(json_member(json_root(&doc), slice_lit("id")), &id), 0);
        assert_int_equal(id_of(id), h->ids[revision]);
        revision += options.backwards ? UINT32_MAX : 1;
    }
    json_free(&doc);
    if (page.end.status == 200)
        assert_int_equal(page.end.count, there < options.limit ? there : options.limit);
    event_page_free(&page);
    buf_free(&subject);
}

/* --- lives ---------------------------------------------------------------------------------- */

static void live(struct trial *t, enum event_end end) {
    struct io_host *host = t->eh->house->host;
    t->eh->house->fatals = 0; /* of the machine that was cut */
    if (end == EVENT_CUT)
        sim_cut_at(host, 1 + below(t, 200));
    for (unsigned i = 0; i < 120 && !sim_host_down(host); i++) {
        if (below(t, 12) == 0)
            ask_change(t);
        else
            ask_once(t);
        if (below(t, 3) == 0)
            house_run(t->eh->house, below(t, 1000000));
        if (below(t, 10) == 0 && end == EVENT_STOP) {
            assert_true(all_heard(t) ||
                        sim_run_until(t->eh->house->sim, all_heard, t, HOUSE_LIMIT));
            read_somewhere(t);
        }
        hear(t);
    }
    sim_cut_at(host, 0);
    if (end == EVENT_STOP)
        assert_true(all_heard(t) || sim_run_until(t->eh->house->sim, all_heard, t, HOUSE_LIMIT));
    if (!sim_host_down(host))
        assert_int_equal(t->eh->house->fatals, 0);
}

static void fill(struct trial *t, unsigned count) {
    static struct asked_part part;
    struct asked *asked = &t->asked[t->asked_count];
    *asked = (struct asked){0};
    part = (struct asked_part){.stream = 0, .count = count, .expect = ANY};
    for (unsigned i = 0; i < part.count; i++)
        part.ids[i] = i == 0 || below(t, 20) ? ++t->next_id : ANONYMOUS;
    asked->status = settle(t, &part, 1);
    write_body(t, &part, 1);
    event_ask(t->eh, NULL, buf_slice(&t->body));
    asked->position = t->total;
    asked->events = part.count;
    t->asked_count++;
}

static void try(uint64_t seed, bool filled) {
    struct trial *t = mem_zalloc(1, sizeof *t);
    assert_non_null(t);
    t->eh = event_house_open(seed);
    t->random = random_make(seed);
    t->body = buf_make(1u << 20);
    fill(t, 1); /* what is published before the first append has brought ES is nobody's */
    assert_true(sim_run_until(t->eh->house->sim, all_heard, t, HOUSE_LIMIT));
    while (filled && t->streams[0].count < 3 * EVENT_SPAN + 100) /* so that there are leaves */
        fill(t, 500);
    for (unsigned i = 0; i < LIVES; i++) {
        enum event_end end = (enum event_end)below(t, 3);
        live(t, end);
        event_house_again(t->eh, end);
        take_up(t);
    }
    assert_swept(t);
    struct event_verified closed =
        event_verify_closed(t->eh, below(t, 2) ? EVENT_KILL : EVENT_STOP);
    assert_string_equal(closed.findings, "");
    buf_free(&t->body);
    event_house_close(t->eh);
    mem_free(t);
}

static uint64_t seeds(uint64_t usual) {
    const char *given = getenv("SEEDS");
    return given ? strtoull(given, NULL, 10) : usual;
}

static void test_short_streams(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= seeds(30); seed++)
        try(seed, false);
}

static void test_long_streams(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= seeds(4); seed++)
        try(seed, true);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_short_streams),
        cmocka_unit_test(test_long_streams),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
