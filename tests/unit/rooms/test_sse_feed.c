#include "bus_kit.h"

#include "base/number.h"
#include "rooms/gateway/sse_feed.h"
#include "rooms/pubsub/pubsub.h"

#include <stdlib.h> /* what clients heard is not counted among the code's own allocations */

/* Feeds over real streams, for clients that are made up here: each keeps what it was sent, and may
   stop reading. The gateway's exchange is played by the functions below. */

#define CLIENTS_MAX 200u
#define TEXT_MAX (1u << 20)

struct reader {
    struct exchange x; /* first: an exchange is its reader */
    struct sse_client client;
    struct arena arena;
    struct hall *hall;
    bool fresh;                     /* begins with what comes after it was answered */
    uint64_t last;                  /* id */
    uint64_t told_to;               /* all between LAST and this was told to be missing */
    uint64_t gap_after, gap_first;  /* the last notice */
    unsigned events, gaps, dropped; /* dropped: messages, as told */
    unsigned status;                /* 0: not answered */
    bool over, broken, stuck, wants_room, unordered, missed, joined;
    size_t room; /* bytes it takes before it is stuck; SIZE_MAX: all */
    size_t text_len;
    char *text; /* all of it, where the test wants it */
};

struct hall {
    struct house *house;
    struct room_node node;
    struct room_shard room, engine;
    struct gateway gateway;
    struct gateway_shard gateway_shard;
    struct metrics *metrics;
    struct jetstream *jetstream;
    struct sse_shard *shard;
    struct reader readers[CLIENTS_MAX];
    unsigned reader_count;
    unsigned published;                /* sequences of the stream so far */
    bool (*stored)(uint64_t sequence); /* is one of the feed's subjects; NULL: all are */
};

static struct reader *reader_of(const struct exchange *x) {
    return (struct reader *)(uintptr_t)x;
}

/* --- what is heard -----------------------------------------------------------------------------
 */

/* All that the feed should have given between LAST and ID, but for what a gap was told for. */
static bool is_next(const struct reader *r, uint64_t id) {
    for (uint64_t i = r->last + 1; i < id; i++) {
        bool told = i < r->told_to;
        if (!told && (!r->hall->stored || r->hall->stored(i)))
            return false;
    }
    return true;
}

static uint64_t number_behind(slice text, const char *key) {
    ptrdiff_t at = slice_find_slice(text, slice_str(key));
    assert_true(at >= 0);
    slice digits = slice_skip(text, (size_t)at + strlen(key));
    size_t len = 0;
    while (len < digits.len && digits.ptr[len] >= '0' && digits.ptr[len] <= '9')
        len++;
    uint64_t number;
    assert_int_equal(number_parse_u64(slice_take(digits, len), &number), 0);
    return number;
}

static void hear_event(struct reader *r, slice event) {
    if (slice_starts_with(event, slice_lit("event: nonet.gap"))) {
        r->gaps++;
        r->gap_after = number_behind(event, "\"after\":");
        r->gap_first = number_behind(event, "\"first\":");
        if (r->gap_after > r->hall->published)
            r->last = 0; /* an id of another stream: all begins anew */
        uint64_t known = r->told_to > r->last ? r->told_to - 1 : r->last;
        if (r->gap_first > r->told_to && (r->gap_after <= known || r->last == 0))
            r->told_to = r->gap_first;
        return;
    }
    if (slice_starts_with(event, slice_lit("event: nonet.dropped"))) {
        r->dropped += (unsigned)number_behind(event, "\"messages\":");
        return;
    }
    if (slice_starts_with(event, slice_lit("retry: ")) || slice_starts_with(event, slice_lit(":")))
        return;
    r->events++;
    if (!slice_starts_with(event, slice_lit("id: ")))
        return;
    uint64_t id = number_behind(event, "id: ");
    if (r->fresh && id <= r->last)
        r->last = id - 1; /* said before it was answered, but read later */
    r->fresh = false;
    r->unordered |= id <= r->last;
    r->missed |= !is_next(r, id);
    r->last = id;
    assert_int_equal(number_behind(event, "data: "), id);
}

static void hear(struct reader *r, slice bytes) {
    if (r->text) {
        assert_true(r->text_len + bytes.len < TEXT_MAX);
        memcpy(r->text + r->text_len, bytes.ptr, bytes.len);
        r->text_len += bytes.len;
        r->text[r->text_len] = '\0';
    }
    while (bytes.len) {
        ptrdiff_t end = slice_find_slice(bytes, slice_lit("\n\n"));
        assert_true(end >= 0); /* whole events only */
        hear_event(r, slice_take(bytes, (size_t)end + 1));
        bytes = slice_skip(bytes, (size_t)end + 2);
    }
}

/* --- the exchange, played ----------------------------------------------------------------------
 */

int exchange_begin(struct exchange *x, const struct http_answer *answer) {
    struct reader *r = reader_of(x);
    r->status = answer->status;
    if (r->fresh)
        r->last = r->hall->published;
    return 0;
}

int exchange_write(struct exchange *x, slice bytes) {
    struct reader *r = reader_of(x);
    assert_false(r->over);
    if (r->stuck) {
        r->wants_room = true;
        return -EAGAIN;
    }
    hear(r, bytes);
    if (r->room != SIZE_MAX)
        r->room -= bytes.len < r->room ? bytes.len : r->room;
    r->stuck = r->room == 0;
    return 0;
}

static void over(struct reader *r) {
    assert_false(r->over);
    r->over = true;
    r->joined = false;
}

void exchange_end(struct exchange *x, const struct http1_field *trailers, size_t count) {
    (void)trailers;
    assert_int_equal(count, 0);
    over(reader_of(x));
}

void exchange_break(struct exchange *x, const char *reason) {
    (void)reason;
    reader_of(x)->broken = true;
    over(reader_of(x));
}

void exchange_problem(struct exchange *x, unsigned status, const char *reason, const char *format,
                      ...) {
    (void)reason;
    (void)format;
    reader_of(x)->status = status;
    over(reader_of(x));
}

void exchange_add_field(struct exchange *x, slice name, slice value) {
    (void)x;
    (void)name;
    (void)value;
}

struct arena *http_request_arena(struct http_request *request) {
    return &((struct reader *)(void *)request)->arena;
}

/* --- the hall ----------------------------------------------------------------------------------
 */

static void hall_rise(struct hall *h) {
    house_streams(h->house);
    h->engine = (struct room_shard){.loop = bus_loop(house_last(h->house)),
                                    .bus = house_last(h->house),
                                    .streams = h->house->streams};
    assert_int_equal(jetstream_open(&h->engine, &h->jetstream), 0);
    h->node = (struct room_node){.host = h->house->host, .metrics = h->metrics};
    h->gateway.node = &h->node;
    h->room = (struct room_shard){.node = &h->node,
                                  .loop = bus_loop(h->house->bus[0]),
                                  .bus = h->house->bus[0],
                                  .metrics = metrics_shard(h->metrics, 0)};
    h->gateway_shard.gateway = &h->gateway;
    h->gateway_shard.shard = &h->room;
    h->gateway_shard.random = random_make(1);
    assert_int_equal(sse_shard_open(&h->gateway_shard, &h->shard), 0);
}

static struct hall *hall_open(unsigned shards, const char *config) {
    struct hall *h = calloc(1, sizeof *h);
    assert_non_null(h);
    h->house = house_open(7, shards);
    h->metrics = metrics_new(1);
    assert_non_null(h->metrics);
    hall_rise(h);
    if (config)
        assert_non_null(kit_stream(h->house, config));
    return h;
}

static void leave(struct reader *r) {
    if (!r->joined)
        return;
    r->joined = false;
    r->over = true;
    sse_leave(&r->client);
}

static void everybody_leaves(struct hall *h) {
    for (unsigned i = 0; i < h->reader_count; i++) {
        leave(&h->readers[i]);
        arena_free(&h->readers[i].arena);
        free(h->readers[i].text);
    }
    h->reader_count = 0;
}

static void hall_close(struct hall *h) {
    everybody_leaves(h);
    sse_shard_close(h->shard);
    h->jetstream = jetstream_close(h->jetstream);
    house_close(h->house);
    metrics_free(h->metrics);
    free(h);
}

#define NO_ID UINT64_MAX

static struct reader *join_many(struct hall *h, const char *const *subjects, uint64_t after) {
    assert_true(h->reader_count < CLIENTS_MAX);
    struct reader *r = &h->readers[h->reader_count++];
    slice list[SSE_SUBJECTS_MAX];
    unsigned count = 0;
    for (; subjects[count]; count++)
        list[count] = slice_str(subjects[count]);
    *r = (struct reader){.hall = h, .room = SIZE_MAX, .joined = true};
    r->arena = arena_make(0, 1u << 16);
    r->x.shard = &h->gateway_shard;
    r->x.request = (struct http_request *)(void *)r;
    r->client.x = &r->x;
    r->client.resumes = after != NO_ID;
    r->client.after = after != NO_ID ? after : 0;
    r->fresh = after == NO_ID;
    r->last = r->fresh ? 0 : after;
    assert_int_equal(sse_join(h->shard, list, count, &r->client), 0);
    return r;
}

static struct reader *join(struct hall *h, const char *subject, uint64_t after) {
    return join_many(h, (const char *const[]){subject, NULL}, after);
}

static void room_again(struct reader *r, size_t room) {
    r->room = room;
    r->stuck = false;
    if (r->wants_room && r->joined) {
        r->wants_room = false;
        sse_on_room(&r->client);
    }
}

static void run(struct hall *h, unsigned ms) {
    house_run(h->house, ms * SIM_MILLISECOND);
}

/* Payloads are the sequences that the messages get. */
static void publish(struct hall *h, const char *subject, unsigned count) {
    char text[16];
    for (unsigned i = 0; i < count; i++) {
        snprintf(text, sizeof text, "%u", ++h->published);
        bool other = h->stored && !h->stored(h->published);
        say(house_last(h->house), other ? "n.other" : subject, text);
        if (i % 400 == 399)
            run(h, 20);
    }
}

static void assert_has_all(const struct reader *r, unsigned events) {
    assert_int_equal(r->status, 200);
    assert_false(r->unordered);
    assert_false(r->missed);
    assert_false(r->over);
    assert_int_equal(r->events, events);
    assert_int_equal(r->last, r->hall->published);
}

/* --- with a stream -----------------------------------------------------------------------------
 */

#define STREAM "{'name':'S','subjects':['n.>','m.>']}"

static void test_clients_get_what_comes_after_they_were_answered(void **state) {
    (void)state;
    for (unsigned shards = 1; shards <= 4; shards *= 2) {
        struct hall *h = hall_open(shards, STREAM);
        publish(h, "n.a", 10);
        run(h, 500);
        struct reader *first = join(h, "n.>", NO_ID);
        run(h, 500);
        assert_int_equal(first->status, 200);
        publish(h, "n.a", 20);
        run(h, 500);
        struct reader *second = join(h, "n.>", NO_ID);
        assert_int_equal(second->status, 200); /* at once: the feed is there */
        publish(h, "n.b", 1000);
        run(h, 1000);
        assert_has_all(first, 1020);
        assert_has_all(second, 1000);
        hall_close(h);
    }
}

static void test_a_client_goes_on_behind_its_last_event(void **state) {
    (void)state;
    for (unsigned shards = 1; shards <= 2; shards++) {
        struct hall *h = hall_open(shards, STREAM);
        publish(h, "n.a", 2000);
        run(h, 500);
        struct reader *all = join(h, "n.>", 0), *some = join(h, "n.>", 1500);
        struct reader *none = join(h, "n.>", 2000);
        run(h, 2000);
        assert_has_all(all, 2000);
        assert_has_all(some, 500);
        assert_has_all(none, 0);
        publish(h, "n.a", 500);
        struct reader *late = join(h, "n.>", 1999);
        run(h, 2000);
        assert_has_all(all, 2500);
        assert_has_all(some, 1000);
        assert_has_all(none, 500);
        assert_has_all(late, 501);
        assert_int_equal(h->shard->catch_ups, 0);
        hall_close(h);
    }
}

static void test_the_slow_do_not_hold_up_the_others_and_miss_nothing(void **state) {
    (void)state;
    struct hall *h = hall_open(2, STREAM);
    struct reader *fast = join(h, "n.>", NO_ID), *slow = join(h, "n.>", NO_ID);
    run(h, 500);
    room_again(slow, 1);
    for (unsigned i = 0; i < 200; i++) {
        publish(h, "n.a", 200);
        run(h, 50);
    }
    assert_has_all(fast, 40000);
    assert_int_equal(slow->events < 400, true);
    assert_true(slow->client.feed->tail.window.base > slow->client.next);
    for (unsigned i = 0; i < 2000 && slow->last < h->published; i++) {
        room_again(slow, 20000);
        run(h, 20);
    }
    assert_has_all(slow, 40000);
    assert_int_equal(slow->gaps, 0);
    hall_close(h);
}

static void test_what_the_stream_has_no_more_is_told(void **state) {
    (void)state;
    struct hall *h = hall_open(2, "{'name':'S','subjects':['n.>'],'max_msgs':100}");
    publish(h, "n.a", 1000);
    run(h, 500);
    struct reader *r = join(h, "n.>", 10);
    run(h, 1000);
    assert_int_equal(r->gaps, 1);
    assert_int_equal(r->gap_after, 10);
    assert_int_equal(r->gap_first, 901);
    assert_has_all(r, 100);
    hall_close(h);
}

static void slow_while_it_goes(const char *filter) {
    struct hall *h = hall_open(2, "{'name':'S','subjects':['n.>'],'max_msgs':5000}");
    struct reader *r = join(h, filter, NO_ID);
    run(h, 500);
    room_again(r, 1);
    publish(h, "n.a", 30000);
    run(h, 2000);
    for (unsigned i = 0; i < 4000 && r->last < h->published; i++) {
        room_again(r, 5000);
        publish(h, "n.a", i < 200 ? 20 : 0);
        run(h, 20);
    }
    assert_int_equal(r->last, h->published);
    assert_false(r->missed);
    assert_false(r->unordered);
    assert_true(r->gaps > 0);
    hall_close(h);
}

static void test_what_goes_while_a_client_is_slow_is_told(void **state) {
    (void)state;
    slow_while_it_goes("n.>"); /* all of the stream */
    slow_while_it_goes("n.a");
}

static void test_an_id_of_another_stream_begins_at_the_beginning(void **state) {
    (void)state;
    struct hall *h = hall_open(2, STREAM);
    publish(h, "n.a", 50);
    run(h, 500);
    struct reader *near = join(h, "n.>", 51), *far = join(h, "n.>", 1u << 20);
    run(h, 2000);
    struct reader *again = join(h, "n.>", 300);
    run(h, 2000);
    const struct reader *const all[] = {near, far, again};
    for (unsigned i = 0; i < array_count(all); i++) {
        assert_int_equal(all[i]->gaps, 1);
        assert_int_equal(all[i]->gap_first, 1);
        assert_has_all(all[i], 50);
    }
    assert_int_equal(far->gap_after, 1u << 20);
    publish(h, "n.a", 10);
    run(h, 500);
    assert_has_all(near, 60);
    hall_close(h);
}

static bool is_odd(uint64_t sequence) {
    return sequence % 2 == 1;
}

static void test_several_subjects_of_one_stream_are_one_sequence(void **state) {
    (void)state;
    struct hall *h = hall_open(2, "{'name':'S','subjects':['n.>']}");
    const char *const subjects[] = {"n.a.x", "n.a.*", "n.b", NULL};
    h->stored = is_odd;
    for (unsigned i = 0; i < 500; i++)
        publish(h, i % 2 ? "n.a.y" : "n.b", 2);
    run(h, 500);
    struct reader *r = join_many(h, subjects, 0);
    run(h, 1000);
    assert_false(r->missed);
    assert_int_equal(r->events, 500);
    slice filter = r->client.feed->filter;
    assert_slice(filter, "n.>");
    publish(h, "n.a.x", 1);
    run(h, 500);
    assert_int_equal(r->events, 501); /* once, though two subjects have it */
    hall_close(h);
}

static void test_many_who_come_back_at_once_share_a_reader(void **state) {
    (void)state;
    struct hall *h = hall_open(2, STREAM);
    publish(h, "n.a", 3000);
    run(h, 500);
    struct catcher made;
    catcher_open(&made, house_last(h->house), "$JS.API.CONSUMER.CREATE.>", NULL);
    for (unsigned i = 0; i < 150; i++)
        join(h, "n.>", 2000 + i * 5);
    run(h, 2000);
    for (unsigned i = 0; i < 150; i++)
        assert_has_all(&h->readers[i], 1000 - i * 5);
    assert_int_equal(made.count, 2); /* the tail's consumer, and the one of a catch-up */
    assert_int_equal(h->shard->catch_ups, 0);
    catcher_close(&made);
    hall_close(h);
}

static void test_far_from_each_other_they_take_turns(void **state) {
    (void)state;
    struct hall *h = hall_open(2, STREAM);
    publish(h, "n.a", 60000);
    run(h, 1000);
    for (unsigned i = 0; i < 12; i++)
        join(h, "n.>", i * 5000);
    for (unsigned i = 0; i < 4000 && h->shard->catch_ups + i < 4000; i++) {
        run(h, 10);
        assert_true(h->shard->catch_ups <= SSE_FEED_CATCH_UPS_MAX);
    }
    for (unsigned i = 0; i < 12; i++)
        assert_has_all(&h->readers[i], 60000 - i * 5000);
    hall_close(h);
}

static void test_a_feed_goes_after_its_last_client_with_its_consumer(void **state) {
    (void)state;
    struct hall *h = hall_open(2, STREAM);
    struct reader *r = join(h, "n.>", NO_ID);
    run(h, 500);
    assert_int_equal(map_count(&h->shard->feeds), 1);
    leave(r);
    run(h, 1000);
    assert_int_equal(map_count(&h->shard->feeds), 1);
    r = join(h, "n.>", NO_ID);
    run(h, 30000);
    assert_int_equal(map_count(&h->shard->feeds), 1);
    publish(h, "n.a", 5);
    run(h, 500);
    assert_has_all(r, 5);
    leave(r);
    run(h, 30000);
    assert_int_equal(map_count(&h->shard->feeds), 0);
    assert_int_equal(stream_consumer_count(kit_find(h->house, "S")), 0);
    hall_close(h);
}

static void test_a_stream_that_goes_ends_the_answers(void **state) {
    (void)state;
    struct hall *h = hall_open(2, STREAM);
    struct reader *tail = join(h, "n.>", NO_ID), *other = join(h, "m.>", NO_ID);
    run(h, 500);
    kit_delete_stream(h->house, "S");
    run(h, 3000);
    assert_true(tail->over && other->over);
    assert_int_equal(map_count(&h->shard->feeds), 0);
    struct reader *plain = join(h, "n.>", 7);
    run(h, 500);
    say(house_last(h->house), "n.a", "1");
    run(h, 500);
    assert_int_equal(plain->events, 1);
    hall_close(h);
}

static void test_a_stream_that_comes_ends_the_answers_in_time(void **state) {
    (void)state;
    struct hall *h = hall_open(2, NULL);
    struct reader *r = join(h, "n.>", NO_ID);
    run(h, 500);
    assert_int_equal(r->client.feed->state, SSE_PLAIN);
    kit_stream(h->house, STREAM);
    run(h, 61000);
    assert_true(r->over && r->status == 200);
    r = join(h, "n.>", NO_ID);
    run(h, 500);
    assert_int_equal(r->client.feed->state, SSE_STREAM);
    run(h, 200000);
    assert_false(r->over);
    hall_close(h);
}

static void test_no_word_of_streams_is_503(void **state) {
    (void)state;
    struct hall *h = hall_open(2, STREAM);
    h->jetstream = jetstream_close(h->jetstream);
    struct catcher silent;
    catcher_open(&silent, house_last(h->house), "$JS.API.>", NULL);
    struct reader *r = join(h, "n.>", NO_ID);
    run(h, 10000);
    assert_int_equal(r->status, 503);
    assert_true(r->over);
    run(h, 1000);
    catcher_close(&silent);
    assert_int_equal(jetstream_open(&h->engine, &h->jetstream), 0);
    r = join(h, "n.>", NO_ID);
    run(h, 500);
    assert_int_equal(r->status, 200);
    hall_close(h);
}

static void test_a_word_every_while_keeps_the_connection_alive(void **state) {
    (void)state;
    struct hall *h = hall_open(1, STREAM);
    struct reader *r = join(h, "n.>", NO_ID);
    r->text = calloc(1, TEXT_MAX);
    run(h, 31000);
    ptrdiff_t first = slice_find_slice(slice_str(r->text), slice_lit(":\n\n:\n\n"));
    assert_true(first > 0);
    assert_int_equal(r->text_len, (size_t)first + 6);
    assert_memory_equal(r->text, "retry: ", 7);
    hall_close(h);
}

static struct auth *users(const char *name) {
    static const slice deny[] = {{"n.secret", 8}, {"n.*.secret", 10}};
    struct auth_user user = {
        .user = slice_str(name), .password = slice_lit("pw"), .subscribe_deny = {deny, 2}};
    struct auth *auth;
    struct error error = {0};
    assert_int_equal(auth_create(&user, 1, &auth, &error), 0);
    return auth;
}

static void test_rights_are_kept_to_event_by_event(void **state) {
    (void)state;
    struct hall *h = hall_open(2, STREAM);
    struct auth_login login = {.user = slice_lit("ann"), .password = slice_lit("pw")};
    struct principal *ann;
    h->gateway_shard.auth = users("ann");
    assert_int_equal(auth_check(h->gateway_shard.auth, &login, &ann), 0);
    struct reader *all = join(h, "n.>", NO_ID), *some = join(h, "n.>", NO_ID);
    some->x.rights = ann;
    some->client.filtered = principal_filters(ann, slice_lit("n.>"));
    some->text = calloc(1, TEXT_MAX);
    run(h, 500);
    publish(h, "n.secret", 2);
    publish(h, "n.a", 1);
    publish(h, "n.b.secret", 1);
    publish(h, "n.b", 2);
    publish(h, "n.secret", 1);
    run(h, 500);
    assert_has_all(all, 7);
    assert_int_equal(some->events, 3);
    assert_null(strstr(some->text, "secret"));
    struct auth *before = h->gateway_shard.auth;
    h->gateway_shard.auth = users("bob"); /* a reload */
    run(h, 16000);
    assert_true(some->over && !some->broken);
    assert_false(all->over);
    principal_unref(ann);
    auth_unref(before);
    auth_unref(h->gateway_shard.auth);
    hall_close(h);
}

/* --- without -----------------------------------------------------------------------------------
 */

static void test_without_a_stream_there_are_no_ids(void **state) {
    (void)state;
    for (unsigned shards = 1; shards <= 4; shards *= 2) {
        struct hall *h = hall_open(shards, NULL);
        const char *const subjects[] = {"n.a", "n.>", "m.*", NULL};
        struct reader *r = join_many(h, subjects, 5);
        r->text = calloc(1, TEXT_MAX);
        run(h, 500);
        say(house_last(h->house), "n.a", "1");
        say(house_last(h->house), "m.a", "2");
        say(house_last(h->house), "o.a", "3");
        run(h, 500);
        assert_int_equal(r->events, 2);
        assert_non_null(strstr(r->text, "\n\nsubject: n.a\ndata: 1\n\nsubject: m.a\ndata: 2\n\n"));
        hall_close(h);
    }
}

static void test_over_two_streams_there_are_no_ids_either(void **state) {
    (void)state;
    struct hall *h = hall_open(2, STREAM);
    kit_stream(h->house, "{'name':'T','subjects':['t.>']}");
    const char *const two[] = {"n.a", "t.a", NULL}, *const half[] = {"n.a", "q.a", NULL};
    struct reader *a = join_many(h, two, NO_ID), *b = join_many(h, half, NO_ID);
    struct reader *c = join(h, ">", NO_ID), *d = join(h, "t.>", NO_ID);
    run(h, 500);
    assert_int_equal(a->client.feed->state, SSE_PLAIN);
    assert_int_equal(b->client.feed->state, SSE_PLAIN);
    assert_int_equal(c->client.feed->state, SSE_PLAIN);
    assert_int_equal(d->client.feed->state, SSE_STREAM);
    hall_close(h);
}

static void test_without_a_stream_the_slow_are_told_how_much_they_missed(void **state) {
    (void)state;
    struct hall *h = hall_open(2, NULL);
    struct reader *fast = join(h, "q.>", NO_ID), *slow = join(h, "q.>", NO_ID);
    run(h, 500);
    room_again(slow, 1);
    char text[1001];
    memset(text, '7', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    for (unsigned i = 0; i < 2000; i++) {
        say(house_last(h->house), "q.a", text);
        if (i % 20 == 0)
            run(h, 10);
    }
    run(h, 100);
    assert_int_equal(fast->events, 2000);
    assert_int_equal(fast->dropped, 0);
    assert_true(slow->events < 300);
    room_again(slow, SIZE_MAX);
    run(h, 100);
    assert_true(slow->dropped > 1000);
    assert_int_equal(slow->events + slow->dropped, 2000);
    assert_int_equal(metrics_value(h->metrics, h->shard->dropped), slow->dropped);
    assert_int_equal(metrics_value(h->metrics, h->shard->clients), 2);
    hall_close(h);
}

/* --- everything at once ------------------------------------------------------------------------
 */

static void jostle(struct hall *h, const char *subject, struct random *dice, unsigned publish_max) {
    struct reader *r = h->reader_count ? &h->readers[random_u64(dice) % h->reader_count] : NULL;
    switch (random_u64(dice) % 8) {
    case 0:
    case 1:
        publish(h, "n.a", (unsigned)(random_u64(dice) % publish_max));
        break;
    case 2:
        if (h->reader_count < CLIENTS_MAX)
            join(h, subject, random_u64(dice) % 3 ? random_u64(dice) % (h->published + 1) : NO_ID);
        break;
    case 3:
        if (r && random_u64(dice) % 4 == 0)
            leave(r);
        break;
    case 4:
    case 5:
        if (r && r->joined)
            room_again(r, random_u64(dice) % 20000);
        break;
    case 6:
        if (r && r->joined)
            room_again(r, SIZE_MAX);
        break;
    default:
        run(h, (unsigned)(random_u64(dice) % 30));
    }
}

/* Clients of SUBJECT come, go, read and stop reading, in every order. */
static void torture(uint64_t seed, const char *config, const char *subject, unsigned publish_max) {
    struct random dice = random_make(seed);
    struct hall *h = hall_open(1 + (unsigned)(seed % 2), config);
    h->stored = strcmp(subject, "n.a") == 0 ? is_odd : NULL;
    for (unsigned i = 0; i < 600; i++)
        jostle(h, subject, &dice, publish_max);
    for (unsigned i = 0; i < h->reader_count; i++)
        if (h->readers[i].joined)
            room_again(&h->readers[i], SIZE_MAX);
    run(h, 20000);
    publish(h, "n.a", 2);
    run(h, 1000);
    uint64_t last = h->stored && !h->stored(h->published) ? h->published - 1 : h->published;
    for (unsigned i = 0; i < h->reader_count; i++) {
        const struct reader *r = &h->readers[i];
        assert_false(r->unordered);
        assert_false(r->missed);
        if (r->joined)
            assert_int_equal(r->last, last);
    }
    assert_int_equal(h->shard->catch_ups, 0);
    hall_close(h);
}

static void test_whatever_clients_do_none_misses_anything(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++)
        torture(seed, STREAM, "n.>", 300);
}

static void test_whatever_clients_do_none_misses_anything_of_a_part(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++)
        torture(seed, STREAM, "n.a", 300);
}

static void test_whatever_clients_do_what_is_gone_is_told(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++)
        torture(seed, "{'name':'S','subjects':['n.>'],'max_msgs':300}", "n.>", 500);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clients_get_what_comes_after_they_were_answered),
        cmocka_unit_test(test_a_client_goes_on_behind_its_last_event),
        cmocka_unit_test(test_the_slow_do_not_hold_up_the_others_and_miss_nothing),
        cmocka_unit_test(test_what_the_stream_has_no_more_is_told),
        cmocka_unit_test(test_what_goes_while_a_client_is_slow_is_told),
        cmocka_unit_test(test_an_id_of_another_stream_begins_at_the_beginning),
        cmocka_unit_test(test_several_subjects_of_one_stream_are_one_sequence),
        cmocka_unit_test(test_many_who_come_back_at_once_share_a_reader),
        cmocka_unit_test(test_far_from_each_other_they_take_turns),
        cmocka_unit_test(test_a_feed_goes_after_its_last_client_with_its_consumer),
        cmocka_unit_test(test_a_stream_that_goes_ends_the_answers),
        cmocka_unit_test(test_a_stream_that_comes_ends_the_answers_in_time),
        cmocka_unit_test(test_no_word_of_streams_is_503),
        cmocka_unit_test(test_a_word_every_while_keeps_the_connection_alive),
        cmocka_unit_test(test_rights_are_kept_to_event_by_event),
        cmocka_unit_test(test_without_a_stream_there_are_no_ids),
        cmocka_unit_test(test_over_two_streams_there_are_no_ids_either),
        cmocka_unit_test(test_without_a_stream_the_slow_are_told_how_much_they_missed),
        cmocka_unit_test(test_whatever_clients_do_none_misses_anything),
        cmocka_unit_test(test_whatever_clients_do_none_misses_anything_of_a_part),
        cmocka_unit_test(test_whatever_clients_do_what_is_gone_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
