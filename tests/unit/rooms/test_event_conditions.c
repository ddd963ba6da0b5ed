#include "event_kit.h"

#include "base/mem.h"
#include "rooms/events/append.h"
#include "rooms/events/heads.h"
#include "rooms/events/read.h"
#include "rooms/events/sweep.h"
#include "rooms/events/tags.h"

/* Conditions by type and tag: which events they rule out, what is told of it, and that nothing gets
   between the judgement and the append. */

static void assert_status(struct event_house *eh, const char *stream, const char *json,
                          unsigned status) {
    struct event_answer answer = event_append(eh, stream, json);
    if (answer.status != status)
        fail_msg("%s: %u: %.*s", json, answer.status, slice_fmt(answer.body));
}

/* Nothing is written: does CHECK hold? */
static bool holds(struct event_house *eh, const char *check) {
    char body[2048];
    snprintf(body, sizeof body, "{'checks':[%s]}", check);
    struct event_answer answer = event_append(eh, NULL, body);
    if (answer.status != 200 && answer.status != 409)
        fail_msg("%s: %u: %.*s", check, answer.status, slice_fmt(answer.body));
    return answer.status == 200;
}

static bool has_text(slice body, const char *text) {
    return slice_find_slice(body, slice_str(text)) >= 0;
}

/* Positions 1 to 5. */
static void fill(struct event_house *eh) {
    assert_status(eh, "a-1", "{'events':[{'type':'A','tags':['x']},{'type':'B','tags':['x','y']}]}",
                  201);
    assert_status(eh, "a-2", "{'events':[{'type':'A','tags':['y']},{'type':'C'}]}", 201);
    assert_status(eh, "a-3", "{'events':[{'type':'A','tags':['z.z: *','x']}]}", 201);
}

static void test_one_of_the_types_and_all_of_the_tags(void **state) {
    (void)state;
    static const struct {
        const char *check;
        bool holds;
    } rows[] = {
        {"{'none':{'tags':['x']}}", false},
        {"{'none':{'tags':['w']}}", true},
        {"{'none':{'tags':['x','y']}}", false},
        {"{'none':{'tags':['x','y'],'types':['A','C']}}", true},
        {"{'none':{'tags':['x','y'],'types':['A','B']}}", false},
        {"{'none':{'tags':['y','z.z: *']}}", true},
        {"{'none':{'tags':['z.z: *','x'],'types':['A']}}", false},
        {"{'none':{'tags':['x','w']}}", true},
        {"{'none':{'types':['C']}}", false},
        {"{'none':{'types':['D','E']}}", true},
        {"{'none':[{'types':['D']},{'tags':['w']}]}", true},
        {"{'none':[{'types':['D']},{'tags':['w']},{'types':['B']}]}", false},
        /* behind `after` */
        {"{'none':{'tags':['x']},'after':4}", false},
        {"{'none':{'tags':['x']},'after':5}", true},
        {"{'none':{'tags':['x'],'types':['B']},'after':1}", false},
        {"{'none':{'tags':['x'],'types':['B']},'after':2}", true},
        {"{'none':{'types':['C']},'after':3}", false},
        {"{'none':{'types':['C']},'after':4}", true},
        {"{'none':{'tags':['x']},'after':5000}", true},
        {"{'none':{},'after':4}", false},
        {"{'none':{},'after':5}", true},
        {"{'none':{'types':[],'tags':[]},'after':0}", false},
    };
    struct event_house *eh = event_house_open(1);
    assert_true(holds(eh, "{'none':{'tags':['x']}}")); /* there is no ES yet */
    fill(eh);
    for (enum event_end end = EVENT_CUT; end <= EVENT_STOP; end++) {
        for (size_t i = 0; i < array_count(rows); i++)
            if (holds(eh, rows[i].check) != rows[i].holds)
                fail_msg("%s", rows[i].check);
        event_house_again(eh, end);
    }
    event_house_close(eh);
}

static void test_every_violated_item_is_told(void **state) {
    (void)state;
    struct event_house *eh = event_house_open(2);
    fill(eh);
    struct event_answer answer = event_append(
        eh, "a-4",
        "{'expect':'exists','events':[{'type':'T'}],'checks':[{'none':{'tags':['w']}},"
        "{'none':[{'tags':['x'],'types':['A']},{'types':['D']},{'tags':['y']}],'after':2}]}");
    assert_int_equal(answer.status, 409);
    assert_true(has_text(
        answer.body,
        "\"position\":5,\"violations\":[{\"check\":\"expect\",\"stream\":\"a-4\",\"expected\":"
        "\"exists\",\"actual\":\"none\"},{\"check\":\"none\",\"index\":1,\"item\":0,\"after\":2,"
        "\"position\":5,\"stream\":\"a-3\",\"type\":\"A\"},{\"check\":\"none\",\"index\":1,"
        "\"item\":2,\"after\":2,\"position\":3,\"stream\":\"a-2\",\"type\":\"A\"}]}"));
    answer = event_append(eh, "a-4",
                          "{'events':[{'type':'T'}],'checks':[{'none':{'tags':['y']},'after':2}]}");
    assert_true(has_text(answer.body, "there is an event that a check rules out"));
    event_house_close(eh);
}

static void test_an_append_does_not_violate_its_own_conditions(void **state) {
    (void)state;
    struct event_house *eh = event_house_open(3);
    const char *body = "{'appends':[{'stream':'name-bob','events':[{'type':'Taken','id':'i',"
                       "'tags':['name:bob']}]}],'checks':[{'none':{'tags':['name:bob']}}]}";
    assert_status(eh, NULL, body, 201);
    assert_status(eh, NULL, body, 200); /* a repetition: what it rules out is itself */
    assert_status(eh, NULL,
                  "{'appends':[{'stream':'name-bob','events':[{'type':'Taken','id':'j',"
                  "'tags':['name:bob']}]}],'checks':[{'none':{'tags':['name:bob']}}]}",
                  409);
    event_house_again(eh, EVENT_KILL);
    assert_status(eh, NULL, body, 200);
    event_house_close(eh);
}

/* Many ask at once, before anything is on disk: of each name one gets it. */
static void test_one_of_many_gets_a_name(void **state) {
    (void)state;
    struct event_house *eh = event_house_open(4);
    unsigned numbers[96], won[3] = {0};
    assert_status(eh, "a-1", "{'events':[{'type':'A'}]}", 201);
    catcher_clear(&eh->answers);
    for (unsigned i = 0; i < array_count(numbers); i++) {
        char body[512];
        snprintf(body, sizeof body,
                 "{\"appends\":[{\"stream\":\"user-%u\",\"events\":[{\"type\":\"%c\",\"tags\":"
                 "[\"name:%u\",\"a\"]}]}],\"checks\":[{\"none\":{\"types\":[\"X\",\"Y\"],\"tags\":"
                 "[\"a\",\"name:%u\"]}}]}",
                 i, 'X' + (int)(i / 3) % 2, i % 3, i % 3);
        numbers[i] = event_ask(eh, NULL, slice_str(body));
    }
    catcher_wait(eh->house, &eh->answers, array_count(numbers));
    for (unsigned i = 0; i < array_count(numbers); i++) {
        struct event_answer answer = event_answer(eh, numbers[i]);
        assert_true(answer.status == 201 || answer.status == 409);
        won[i % 3] += answer.status == 201;
    }
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(won[i], 1);
    assert_int_equal(event_verify(eh).report.findings, 0);
    event_house_close(eh);
}

/* --- long looks back ---------------------------------------------------------------------- */

/* COUNT events, the first with tag "old", all with tag "m". */
static void fill_many(struct event_house *eh, unsigned count) {
    struct buf body = buf_make(1u << 22);
    for (unsigned done = 0; done < count;) {
        unsigned some = count - done < 500 ? count - done : 500;
        buf_clear(&body);
        assert_int_equal(buf_printf(&body, "{\"events\":["), 0);
        for (unsigned i = 0; i < some; i++)
            assert_int_equal(buf_printf(&body, "%s{\"type\":\"T\",\"tags\":[%s\"m\"]}",
                                        i ? "," : "", done + i ? "" : "\"old\","),
                             0);
        assert_int_equal(buf_printf(&body, "]}"), 0);
        catcher_clear(&eh->answers);
        unsigned number = event_ask(eh, "many-1", buf_slice(&body));
        catcher_wait(eh->house, &eh->answers, 1);
        unsigned status = event_answer(eh, number).status;
        assert_true(status == 201 || status == 429); /* the small journal is full: again */
        done += status == 201 ? some : 0;
        house_run(eh->house, SIM_SECOND / 10);
    }
    buf_free(&body);
}

static void test_what_looks_too_far_back_is_told_so(void **state) {
    (void)state;
    struct event_house *eh = event_house_open(5);
    fill_many(eh, CONDITION_LOOKS_MAX + 100);
    assert_false(holds(eh, "{'none':{'tags':['old','m']}}")); /* by the rarer tag */
    assert_true(holds(eh, "{'none':{'tags':['m'],'types':['U']},'after':1000}"));
    struct event_answer answer =
        event_append(eh, "b-1",
                     "{'events':[{'type':'T','id':'i'}],"
                     "'checks':[{'stream':'b-1','expect':'none'},{'none':{'types':['U']}}]}");
    assert_int_equal(answer.status, 400);
    assert_true(has_text(answer.body, "the same stream stands twice"));
    answer = event_append(eh, "b-1",
                          "{'events':[{'type':'T','id':'i'}],"
                          "'checks':[{'none':{'types':['U']}}]}");
    assert_int_equal(answer.status, 400);
    assert_true(has_text(answer.body, "checks[0].none: after looking at 100000 events"));
    assert_status(eh, "b-1", "{'events':[{'type':'T','id':'i'}]}", 201);
    assert_status(eh, "b-1",
                  "{'events':[{'type':'T','id':'i'}],'checks':[{'none':{'types':['U']}}]}", 200);
    event_house_close(eh);
}

/* Who looks back for long waits beside the queue; what comes meanwhile is appended, and counts. */
static void test_a_long_look_holds_nobody_up_and_misses_nothing(void **state) {
    (void)state;
    struct event_house *eh = event_house_open(6);
    fill_many(eh, 3000);
    for (unsigned i = 0; i < 2; i++) {
        catcher_clear(&eh->answers);
        unsigned slow =
            event_ask(eh, "s-1",
                      slice_lit("{\"events\":[{\"type\":\"U\"}],"
                                "\"checks\":[{\"none\":{\"types\":[\"U\"],\"tags\":[\"m\"]}}]}"));
        unsigned fast =
            event_ask(eh, "f-1",
                      i ? slice_lit("{\"events\":[{\"type\":\"U\",\"tags\":[\"m\"]}]}")
                        : slice_lit("{\"events\":[{\"type\":\"V\",\"tags\":[\"m\"]}]}"));
        assert_false(list_empty(&eh->engine->aside));
        catcher_wait(eh->house, &eh->answers, 2);
        assert_int_equal(event_answer(eh, fast).status, 201);
        assert_int_equal(event_answer(eh, slow).status, i ? 409 : 201);
    }
    event_house_close(eh);
}

/* The most that conditions look at between two ticks, which come once a turn. */
struct ticker {
    struct io_timer timer;
    struct engine *engine;
    uint64_t looks, most;
};

static void on_tick(struct io_timer *timer) {
    struct ticker *ticker = container_of(timer, struct ticker, timer);
    uint64_t looks = ticker->engine->condition_looks;
    if (looks - ticker->looks > ticker->most)
        ticker->most = looks - ticker->looks;
    ticker->looks = looks;
    io_timer_start(ticker->engine->loop, timer, 0, on_tick);
}

static void test_many_long_looks_leave_turns_to_others(void **state) {
    (void)state;
    enum { MANY = 100 };
    struct event_house *eh = event_house_open(17);
    fill_many(eh, 3000);
    catcher_clear(&eh->answers);
    struct ticker ticker = {.engine = eh->engine, .looks = eh->engine->condition_looks};
    unsigned first = eh->asked;
    for (unsigned i = 0; i < MANY; i++)
        event_ask(eh, NULL, slice_lit("{\"checks\":[{\"none\":{\"types\":[\"Never\"]}}]}"));
    on_tick(&ticker.timer);
    catcher_wait(eh->house, &eh->answers, MANY);
    io_timer_stop(eh->engine->loop, &ticker.timer);
    for (unsigned i = 0; i < MANY; i++)
        assert_int_equal(event_answer(eh, first + i).status, 200);
    assert_in_range(ticker.most, 1, ENGINE_ASIDE_LOOKS_MAX + 2048);
    event_house_close(eh);
}

/* --- reading backwards -------------------------------------------------------------------- */

static void assert_page(struct event_house *eh, const struct read_options *options, unsigned count,
                        uint64_t next) {
    struct event_page page = event_read_page(eh, options);
    assert_int_equal(page.end.status, 200);
    assert_int_equal(page.end.count, count);
    assert_true(page.end.next == next);
    event_page_free(&page);
}

static void test_backwards_by_tags_a_page_costs_what_it_holds(void **state) {
    (void)state;
    struct event_house *eh = event_house_open(12);
    const struct read_options old = {
        .backwards = true, .from = UINT64_MAX, .tags = {slice_lit("old")}, .tag_count = 1};
    fill_many(eh, READ_LOOKS_MAX + 100);
    assert_status(eh, "b-1", "{'events':[{'type':'A','tags':['old','w']}]}", 201);
    assert_page(eh, &old, 2, UINT64_MAX);
    struct read_options one = old;
    one.limit = 1;
    assert_page(eh, &one, 1, 1);
    one.from = 1;
    assert_page(eh, &one, 1, UINT64_MAX);
    one = old;
    one.tags[one.tag_count++] = slice_lit("m");
    assert_page(eh, &one, 1, UINT64_MAX);
    one.tags[1] = slice_lit("w");
    assert_page(eh, &one, 1, UINT64_MAX);
    one.tags[1] = slice_lit("no");
    assert_page(eh, &one, 0, UINT64_MAX);
    /* what has to be looked at one by one is bounded, and goes on where it was */
    one = (struct read_options){
        .backwards = true, .from = UINT64_MAX, .types = {slice_lit("U")}, .type_count = 1};
    assert_page(eh, &one, 0, 101);
    one.subject = slice_lit("es.many.1");
    assert_page(eh, &one, 0, 99);
    one.from = 99;
    assert_page(eh, &one, 0, UINT64_MAX);
    event_house_close(eh);
}

/* --- events without notes ----------------------------------------------------------------- */

/* As before there were tags' chains: ES is kept, its notes are not. */
static void test_events_older_than_the_notes_count(void **state) {
    (void)state;
    struct event_house *eh = event_house_open(7);
    fill(eh);
    engine_close(eh->engine); /* so that ES_NOTES is a stream like others */
    assert_true(kit_delete_stream(eh->house, "ES_NOTES"));
    struct bus *bus = house_last(eh->house);
    assert_int_equal(engine_create(bus_loop(bus), bus, eh->house->streams, NULL, &eh->engine), 0);
    assert_status(eh, "a-5", "{'events':[{'type':'A','tags':['w']}]}", 201);
    assert_true(notes_since(eh->engine) == 5);
    assert_false(holds(eh, "{'none':{'tags':['x','y']}}"));
    assert_false(holds(eh, "{'none':{'tags':['x'],'types':['A']},'after':4}"));
    assert_true(holds(eh, "{'none':{'tags':['x'],'types':['A']},'after':5}"));
    assert_false(holds(eh, "{'none':{'tags':['w']},'after':5}"));
    assert_status(eh, "a-5", "{'events':[{'type':'D','tags':['x']}]}", 201);
    assert_false(holds(eh, "{'none':{'tags':['x'],'types':['B']}}"));
    assert_true(holds(eh, "{'none':{'tags':['x'],'types':['B']},'after':2}"));
    event_house_close(eh);
}

/* A record that was removed from the log breaks its tags' chains, and is no event any more. */
static void test_a_removed_event_breaks_no_search(void **state) {
    (void)state;
    struct event_house *eh = event_house_open(8);
    struct log_batch *batch;
    fill(eh);
    assert_status(eh, "a-3", "{'events':[{'type':'D','tags':['x']}]}", 201);
    for (uint64_t sequence = 5; sequence <= 6; sequence++) {
        assert_int_equal(log_batch_begin(eh->house->log, &batch), 0);
        assert_int_equal(log_batch_delete(batch, stream_log(kit_find(eh->house, "ES")), sequence),
                         0);
        log_batch_commit(batch, NULL);
        house_run(eh->house, SIM_SECOND);
        assert_int_equal(holds(eh, "{'none':{'tags':['x'],'types':['D']}}"), sequence == 6);
        assert_false(holds(eh, "{'none':{'tags':['x'],'types':['A']}}"));
        assert_true(holds(eh, "{'none':{'tags':['z.z: *']}}"));
    }
    assert_false(holds(eh, "{'none':{'tags':['x']}}"));
    assert_true(holds(eh, "{'none':{'tags':['x']},'after':2}"));
    event_house_close(eh);
}

/* What nobody can read any more rules out nothing: a name is free again. Its record is still there
   for a while. */
static void test_what_has_gone_rules_out_nothing(void **state) {
    (void)state;
    struct event_house *eh = event_house_open(13);
    assert_status(eh, "user-1", "{'events':[{'type':'R','tags':['name:bob','all']}]}", 201);
    assert_status(eh, "user-2", "{'events':[{'type':'R','tags':['name:ann','all']}]}", 201);
    assert_false(holds(eh, "{'none':{'tags':['name:bob']}}"));
    assert_int_equal(event_life(eh, "user-1", LIFE_DELETE, NULL, NULL).status, 200);
    assert_true(holds(eh, "{'none':{'tags':['name:bob']}}"));
    assert_false(holds(eh, "{'none':{'tags':['all']}}"));
    assert_true(holds(eh, "{'none':{'types':['R']},'after':2}"));
    event_house_again(eh, EVENT_KILL); /* now its head has to be read */
    assert_true(holds(eh, "{'none':{'tags':['name:bob']}}"));
    assert_status(eh, "user-1", "{'events':[{'type':'R','tags':['name:bob']}]}", 201);
    assert_false(holds(eh, "{'none':{'tags':['name:bob']}}"));
    event_house_close(eh);
}

/* While the head of the first one's event stream is being read its record may be swept, and the
   next record to be judged is another stream's. */
static void test_whether_an_event_has_gone_is_asked_of_its_own_stream(void **state) {
    (void)state;
    struct event_house *eh = event_house_open(15);
    int64_t now_ns = io_loop_wall_ns(eh->engine->loop);
    assert_status(eh, "gone-1", "{'events':[{'type':'R'},{'type':'R'}]}", 201);
    assert_status(eh, "kept-1", "{'events':[{'type':'R'},{'type':'R'}]}", 201);
    assert_int_equal(event_life(eh, "gone-1", LIFE_DELETE, NULL, NULL).status, 200);
    assert_int_equal(event_life(eh, "kept-1", LIFE_LIMIT, NULL, "{'max_count':9}").status, 200);
    struct head *held = head_take(eh->engine, slice_lit("es.gone.1"));
    int hides = head_hides(eh->engine, slice_lit("es.kept.1"), 2, now_ns, &held);
    assert_int_equal(hides, 0);
    head_give(held);
    event_house_close(eh);
}

static void no_fetch(struct fetch *fetch) {
    (void)fetch;
}

/* What could not be judged for want of memory is judged anew, with what has come meanwhile. */
static void test_a_judgement_that_has_failed_knows_nothing(void **state) {
    (void)state;
    struct event_house *eh = event_house_open(16);
    assert_status(eh, "seat-1", "{'events':[{'type':'Free','tags':['seat']}]}", 201);
    assert_status(eh, "gone-1", "{'events':[{'type':'Gone'},{'type':'Gone','tags':['gone']}]}",
                  201);
    assert_int_equal(event_life(eh, "gone-1", LIFE_DELETE, NULL, NULL).status, 200);
    struct tag_end *seat = tag_take(eh->engine, slice_lit("seat"));
    struct tag_end *gone = tag_take(eh->engine, slice_lit("gone"));
    slice words[] = {slice_lit("Taken"), slice_lit("seat"), slice_lit("gone")};
    struct condition_item items[] = {
        {.types = &words[0], .type_count = 1, .tags = &words[1], .tag_count = 1, .ends = &seat},
        {.tags = &words[2], .tag_count = 1, .ends = &gone}};
    struct condition condition = {.items = items, .item_count = array_count(items)};
    struct conditions all = {.all = &condition, .count = 1};
    struct arena arena = arena_make(0, 1u << 20);
    struct fetch fetch;
    fetch_init(&fetch, eh->engine, no_fetch);
    heads_forget(eh->engine); /* the one of gone-1 has to be made */
    mem_fail_at(1, false);
    assert_int_equal(conditions_judge(&all, &fetch, &arena), -ENOMEM);
    mem_fail_at(0, false);
    assert_status(eh, "seat-1", "{'events':[{'type':'Taken','tags':['seat']}]}", 201);
    int failed;
    while ((failed = conditions_judge(&all, &fetch, &arena)) == -EINPROGRESS || failed == -EAGAIN)
        house_run(eh->house, SIM_SECOND);
    assert_int_equal(failed, 0);
    assert_true(items[0].violated);
    assert_false(items[1].violated);
    conditions_release(&all);
    fetch_cancel(&fetch);
    arena_free(&arena);
    tag_give(seat);
    tag_give(gone);
    event_house_close(eh);
}

static bool has_note(struct event_house *eh, const char *tag) {
    char subject[256];
    snprintf(subject, sizeof subject, NOTES_PREFIX "tag.%s", tag);
    return notes_have(eh->engine, slice_str(subject));
}

static void test_what_was_taken_out_is_not_looked_for(void **state) {
    (void)state;
    struct event_house *eh = event_house_open(14);
    fill_many(eh, CONDITION_LOOKS_MAX + 100);
    assert_status(eh, "user-1", "{'events':[{'type':'R','tags':['bob','u']}]}", 201);
    for (unsigned i = 0; i < 5; i++)
        assert_status(eh, "user-2", "{'events':[{'type':'R','tags':['ann','ann']}]}", 201);
    assert_status(eh, "user-3", "{'events':[{'type':'R','tags':['u']}]}", 201);
    assert_int_equal(event_life(eh, "user-1", LIFE_TOMBSTONE, NULL, NULL).status, 200);
    assert_int_equal(event_life(eh, "user-2", LIFE_LIMIT, NULL, "{'truncate_before':4}").status,
                     200);
    for (unsigned i = 0; i < 2; i++) { /* ... and in the next life */
        house_run(eh->house, 5 * SIM_SECOND);
        notes_know_stream(eh->engine);
        assert_int_equal(sweep_removed(eh->engine), 4);
        assert_false(has_note(eh, "bob"));
        assert_true(has_note(eh, "ann") && has_note(eh, "u"));
        assert_true(holds(eh, "{'none':{'tags':['bob']}}"));
        assert_true(holds(eh, "{'none':{'tags':['u'],'types':['X']}}"));
        assert_false(holds(eh, "{'none':{'tags':['u'],'types':['R']}}"));
        assert_true(holds(eh, "{'none':{'tags':['ann'],'types':['X']}}"));
        assert_false(holds(eh, "{'none':{'tags':['ann'],'types':['R']}}"));
        event_house_again(eh, EVENT_KILL);
    }
    assert_status(eh, "user-4", "{'events':[{'type':'R','tags':['bob','ann']}]}", 201);
    assert_true(holds(eh, "{'none':{'tags':['bob'],'types':['X']}}"));
    assert_false(holds(eh, "{'none':{'tags':['bob','ann']}}"));
    assert_string_equal(event_verify(eh).findings, "");
    event_house_close(eh);
}

/* --- what is refused ---------------------------------------------------------------------- */

static void test_what_is_wrong_with_a_condition_is_told_with_its_place(void **state) {
    (void)state;
    static const char *const rows[][2] = {
        {"{'none':{}}", "checks[0].none[0].types: without types and tags the check wants an after"},
        {"{'none':[]}", "checks[0].none: 1 to 64 items are wanted"},
        {"{'none':7}", "checks[0].none[0].types: an item is an object"},
        {"{'none':null}", "checks[0].none[0].types: an item is an object"},
        {"{'none':[{'tags':['x']},{'tag':['x']}]}",
         "checks[0].none[1].tag: an item has types and tags"},
        {"{'none':{'tags':'x'}}", "checks[0].none[0].tags: a list of at most 64 texts"},
        {"{'none':{'tags':['']}}", "checks[0].none[0].tags: a text of 1 to 256 bytes"},
        {"{'none':{'types':[7]}}", "checks[0].none[0].types: a text of 1 to 256 bytes"},
        {"{'none':{'tags':['x']},'after':-1}", "checks[0].after: a position is wanted"},
        {"{'none':{'tags':['x']},'after':'5'}", "checks[0].after: a position is wanted"},
        {"{'none':{'tags':['x']},'expect':0}", "checks[0].expect: a check has stream and expect"},
        {"{'stream':'a-1','none':{'tags':['x']}}", "checks[0].stream: a check has stream and"},
        {"{'stream':'a-1'}", "checks[0].expect: a check of \\\"any\\\" checks nothing"},
    };
    struct event_house *eh = event_house_open(9);
    for (size_t i = 0; i < array_count(rows); i++) {
        char body[512];
        snprintf(body, sizeof body, "{'events':[{'type':'T'}],'checks':[%s]}", rows[i][0]);
        struct event_answer answer = event_append(eh, "b-1", body);
        if (answer.status != 400 || !has_text(answer.body, rows[i][1]))
            fail_msg("%s: %u: %.*s", rows[i][0], answer.status, slice_fmt(answer.body));
    }
    event_house_close(eh);
}

/* --- ends of tags ------------------------------------------------------------------------- */

static void test_tags_that_are_not_there_are_not_kept(void **state) {
    (void)state;
    struct event_house *eh = event_house_open(10);
    fill(eh);
    assert_int_equal(map_count(&eh->engine->tags), 3);
    assert_true(holds(eh, "{'none':{'tags':['no','nor']}}"));
    assert_int_equal(map_count(&eh->engine->tags), 3);
    assert_int_equal(eh->engine->tags_idle_count, 3);
    event_house_again(eh, EVENT_KILL);
    assert_false(holds(eh, "{'none':{'tags':['x']}}"));
    assert_int_equal(map_count(&eh->engine->tags), 1);
    event_house_close(eh);
}

static void test_of_a_deleted_store_no_tag_is_left(void **state) {
    (void)state;
    struct event_house *eh = event_house_open(11);
    fill(eh);
    assert_false(holds(eh, "{'none':{'tags':['x']}}"));
    assert_true(kit_delete_stream(eh->house, "ES"));
    assert_true(holds(eh, "{'none':{'tags':['x']}}"));
    assert_status(eh, "a-1", "{'events':[{'type':'A','tags':['y']}]}", 201);
    assert_true(holds(eh, "{'none':{'tags':['x']}}"));
    assert_false(holds(eh, "{'none':{'tags':['y']}}"));
    assert_int_equal(event_verify(eh).report.findings, 0);
    event_house_close(eh);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_of_the_types_and_all_of_the_tags),
        cmocka_unit_test(test_every_violated_item_is_told),
        cmocka_unit_test(test_an_append_does_not_violate_its_own_conditions),
        cmocka_unit_test(test_one_of_many_gets_a_name),
        cmocka_unit_test(test_what_looks_too_far_back_is_told_so),
        cmocka_unit_test(test_a_long_look_holds_nobody_up_and_misses_nothing),
        cmocka_unit_test(test_many_long_looks_leave_turns_to_others),
        cmocka_unit_test(test_backwards_by_tags_a_page_costs_what_it_holds),
        cmocka_unit_test(test_events_older_than_the_notes_count),
        cmocka_unit_test(test_a_removed_event_breaks_no_search),
        cmocka_unit_test(test_what_has_gone_rules_out_nothing),
        cmocka_unit_test(test_whether_an_event_has_gone_is_asked_of_its_own_stream),
        cmocka_unit_test(test_a_judgement_that_has_failed_knows_nothing),
        cmocka_unit_test(test_what_was_taken_out_is_not_looked_for),
        cmocka_unit_test(test_what_is_wrong_with_a_condition_is_told_with_its_place),
        cmocka_unit_test(test_tags_that_are_not_there_are_not_kept),
        cmocka_unit_test(test_of_a_deleted_store_no_tag_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
