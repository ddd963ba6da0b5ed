#include "event_kit.h"

#include "wire/nats_headers.h"

/* The engine where its edges are: what waits, what is deleted, what comes past its door. */

static void assert_status(struct event_house *eh, const char *stream, const char *json,
                          unsigned status) {
    struct event_answer answer = event_append(eh, stream, json);
    if (answer.status != status)
        fail_msg("%u: %.*s", answer.status, slice_fmt(answer.body));
}

static void assert_page(struct event_house *eh, const struct read_options *options, unsigned status,
                        unsigned count, uint64_t next) {
    struct event_page page = event_read_page(eh, options);
    assert_int_equal(page.end.status, status);
    assert_int_equal(page.end.count, count);
    if (status == 200)
        assert_true(page.end.next == next);
    event_page_free(&page);
}

static void test_every_violation_is_told(void **state) {
    (void)state;
    struct event_house *eh = event_house_open(1);
    assert_status(eh, "a-1", "{'events':[{'type':'T'}]}", 201);
    struct event_answer answer = event_append(
        eh, NULL,
        "{'appends':[{'stream':'a-1','expect':'none','events':[{'type':'T'}]},"
        "{'stream':'a-2','events':[{'type':'T'}]}],"
        "'checks':[{'stream':'a-3','expect':'exists'},{'stream':'a-4','expect':'none'}]}");
    assert_int_equal(answer.status, 409);
    assert_slice(answer.body,
                 "{\"type\":\"about:blank\",\"title\":\"Conflict\",\"status\":409,\"detail\":"
                 "\"nothing was appended: an event stream is not as expected\",\"position\":1,"
                 "\"violations\":[{\"check\":\"expect\",\"stream\":\"a-1\",\"expected\":\"none\","
                 "\"actual\":0},{\"check\":\"expect\",\"stream\":\"a-3\",\"expected\":\"exists\","
                 "\"actual\":\"none\"}]}");
    assert_page(eh, &(struct read_options){.subject = slice_lit("es.a.2")}, 404, 0, 0);
    event_house_close(eh);
}

/* What a check has seen is there after a cut, too, once somebody has heard of it. */
static void test_a_check_holds_when_what_it_has_seen_is_on_disk(void **state) {
    (void)state;
    struct event_house *eh = event_house_open(7);
    assert_status(eh, "a-1", "{'events':[{'type':'T'}]}", 201);
    catcher_clear(&eh->answers);
    sim_disk_slow(eh->house->host, 100000); /* a sync takes half a minute */
    unsigned append = event_ask(eh, "a-1", slice_lit("{\"events\":[{\"type\":\"U\"}]}"));
    unsigned checks =
        event_ask(eh, NULL, slice_lit("{\"checks\":[{\"stream\":\"a-1\",\"expect\":1}]}"));
    house_run(eh->house, SIM_SECOND);
    assert_false(event_answer(eh, append).come);
    assert_false(event_answer(eh, checks).come);
    sim_disk_slow(eh->house->host, 1);
    catcher_wait(eh->house, &eh->answers, 2);
    assert_int_equal(event_answer(eh, append).status, 201);
    assert_int_equal(event_answer(eh, checks).status, 200);
    event_house_close(eh);
}

/* --- the end ------------------------------------------------------------------------------ */

struct ends {
    unsigned pages, states, verified;
};

static void on_page(void *self, const struct read_end *end) {
    assert_true(end->status == 200 || end->status == 503);
    ((struct ends *)self)->pages++;
}

static void on_state(void *self, const struct state_end *end) {
    assert_true(end->status == 200 || end->status == 503);
    ((struct ends *)self)->states++;
}

static void on_progress(void *self, const struct error *finding) {
    (void)self;
    assert_null(finding);
}

static void on_verified(void *self, const struct events_report *report, int failed) {
    (void)report;
    assert_true(!failed || failed == -ECANCELED);
    ((struct ends *)self)->verified++;
}

/* Something of everything that takes time. */
static void begin_everything(struct event_house *eh, struct ends *ends) {
    struct read_options page = {.subject = slice_lit("es.a.1"), .wait_ns = READ_WAIT_MAX_NS};
    struct life_change deletion = {.ask = LIFE_DELETE, .version = LIFE_ANY_VERSION};
    for (unsigned i = 0; i < 3; i++) {
        page.from = i * 2000;
        events_read(eh->engine, &page, on_page, ends);
        events_state(eh->engine, &(struct state_options){.subject = slice_lit("es.a.1")}, on_state,
                     ends);
    }
    page = (struct read_options){.backwards = true, .from = UINT64_MAX};
    page.tags[page.tag_count++] = slice_lit("t");
    events_read(eh->engine, &page, on_page, ends);
    assert_int_equal(events_verify(eh->engine, on_progress, on_verified, ends), 0);
    catcher_clear(&eh->answers);
    event_ask(eh, "a-1", slice_lit("{\"events\":[{\"type\":\"T\"}]}"));
    event_ask(eh, NULL, slice_lit("{\"checks\":[{\"stream\":\"a-1\",\"expect\":\"exists\"}]}"));
    event_ask(eh, NULL, slice_lit("{\"checks\":[{\"none\":{\"types\":[\"U\"]}}]}"));
    event_ask_life(eh, "a-2", &deletion, NULL, NULL);
    event_publish(eh, "es.a.3", "i", "x");
}

/* Everybody hears of it once, and nothing is touched behind it. */
static void test_it_ends_whatever_is_under_way(void **state) {
    (void)state;
    struct buf body = buf_make(1u << 20);
    assert_int_equal(buf_append(&body, slice_lit("{'events':[{'type':'T','tags':['t']}")), 0);
    for (unsigned n = 1; n < 1200; n++)
        assert_int_equal(buf_append(&body, slice_lit(",{'type':'T'}")), 0);
    assert_int_equal(buf_append(&body, slice_lit("]}\0")), 0);
    for (unsigned steps = 0; steps < 40; steps++) {
        struct event_house *eh = event_house_open(100 + steps);
        struct ends ends = {0};
        for (unsigned i = 0; i < 3; i++)
            for (unsigned k = 1; k < 3; k++) {
                char name[8];
                snprintf(name, sizeof name, "a-%u", k);
                assert_status(eh, name, body.ptr, 201);
            }
        sim_disk_slow(eh->house->host, 1 + steps % 4 * 100);
        begin_everything(eh, &ends);
        house_run(eh->house, steps * SIM_SECOND / 2000);
        if (steps % 2)
            event_house_again(eh, steps % 4 == 1 ? EVENT_STOP : EVENT_KILL);
        else
            event_house_close(eh);
        assert_int_equal(ends.pages, 4);
        assert_int_equal(ends.states, 3);
        assert_int_equal(ends.verified, 1);
        if (steps % 2)
            event_house_close(eh);
    }
    buf_free(&body);
}

/* Publishes to SUBJECT with a Nats-Msg-Id; what the acknowledgement says. */
static bool is_acknowledged(struct event_house *eh, const char *subject, const char *with) {
    catcher_clear(&eh->answers);
    struct bus_message m = {.subject = slice_str(subject),
                            .reply = slice_lit("_E.0"),
                            .headers = slice_lit("NATS/1.0\r\nNats-Msg-Id: one\r\n\r\n"),
                            .payload = slice_lit("x")};
    bus_publish(house_last(eh->house), &m, NULL, NULL);
    catcher_wait(eh->house, &eh->answers, 1);
    return slice_find_slice(event_answer(eh, 0).body, slice_str(with)) >= 0;
}

static void test_an_id_of_a_publish_counts_in_its_event_stream_and_for_ever(void **state) {
    (void)state;
    struct event_house *eh = event_house_open(10);
    assert_status(eh, "a-1", "{'events':[{'type':'T'}]}", 201);
    assert_true(is_acknowledged(eh, "es.a.1", "\"seq\":2}"));
    assert_true(is_acknowledged(eh, "es.a.2", "\"seq\":3}"));
    assert_true(is_acknowledged(eh, "es.a.1", "\"seq\":2,\"duplicate\":true"));
    house_run(eh->house, 300 * SIM_SECOND); /* JetStream's window is two minutes */
    assert_true(is_acknowledged(eh, "es.a.1", "\"seq\":2,\"duplicate\":true"));
    event_house_again(eh, EVENT_KILL);
    assert_true(is_acknowledged(eh, "es.a.2", "\"seq\":3,\"duplicate\":true"));
    assert_true(is_acknowledged(eh, "es.a.3", "\"seq\":4}"));
    event_house_close(eh);
}

/* Jobs that wait may take 128 MB: not of their texts alone, but of what is made of them, too. */
static void test_what_waits_counts_with_all_its_memory(void **state) {
    (void)state;
    struct event_house *eh = event_house_open(9);
    struct buf body = buf_make(1u << 20);
    assert_status(eh, "a-1", "{'events':[{'type':'T'}]}", 201);
    assert_int_equal(buf_append(&body, slice_lit("{\"checks\":[{\"none\":{\"types\":[\"U\"]}}],"
                                                 "\"events\":[{\"type\":\"T\"}")),
                     0);
    for (unsigned i = 1; i < 4096; i++)
        assert_int_equal(buf_append(&body, slice_lit(",{\"type\":\"T\"}")), 0);
    assert_int_equal(buf_append(&body, slice_lit("]}")), 0);
    catcher_clear(&eh->answers);
    unsigned asked = event_ask(eh, "a-1", buf_slice(&body));
    assert_int_equal(eh->engine->job_count, 1);
    assert_true(eh->engine->job_bytes > 10 * body.len);
    catcher_wait(eh->house, &eh->answers, 1);
    assert_int_equal(event_answer(eh, asked).status, 201);
    assert_int_equal(eh->engine->job_bytes, 0);
    buf_free(&body);
    event_house_close(eh);
}

/* By its records ids and earlier events are found: an event stream that had lost one could not be
   appended to any more. */
static void test_nothing_is_lost_behind_the_engines_back(void **state) {
    (void)state;
    static const char *const losing[] = {
        "'max_msgs':1",          "'max_bytes':1000000",
        "'max_age':99000000000", "'max_msgs_per_subject':1",
        "'allow_msg_ttl':true",  "'subject_transform':{'src':'es.>','dest':'et.>'}",
    };
    struct event_house *eh = event_house_open(8);
    char config[256];
    const char *shape = "{'name':'ES','subjects':['es.>'],'deny_delete':true,'deny_purge':true,"
                        "'allow_direct':true,%s}";
    for (unsigned made = 0; made < 2; made++) {
        for (size_t i = 0; i < array_count(losing); i++) {
            snprintf(config, sizeof config, shape, losing[i]);
            struct stream *stream =
                made ? kit_update(eh->house, config) : kit_stream(eh->house, config);
            if (stream || strncmp(kit_error.description, "stream ES loses nothing", 23) != 0)
                fail_msg("%s: %s", losing[i], kit_error.description);
        }
        assert_status(eh, "a-1", "{'events':[{'type':'T','id':'i'}]}", made ? 200 : 201);
    }
    snprintf(config, sizeof config, shape, "'max_msgs':1000000,'discard':'new'");
    assert_non_null(kit_update(eh->house, config)); /* then it takes no more */
    event_house_close(eh);
}

static void test_a_wait_that_ends_while_events_get_to_disk_skips_none(void **state) {
    (void)state;
    struct event_house *eh = event_house_open(2);
    struct event_page page;
    assert_status(eh, "a-1", "{'events':[{'type':'T'}]}", 201);
    struct read_options options = {
        .subject = slice_lit("es.a.1"), .from = 1, .wait_ns = SIM_SECOND};
    event_read_begin(eh, &options, &page);
    sim_disk_slow(eh->house->host, 100000); /* a sync takes half a minute */
    house_run(eh->house, SIM_SECOND / 2);
    event_ask(eh, "a-1", slice_lit("{\"events\":[{\"type\":\"U\"},{\"type\":\"V\"}]}"));
    house_until(eh->house, &page.come);
    assert_int_equal(page.end.status, 200);
    assert_true(page.end.next == 1 + page.end.count);
    sim_disk_slow(eh->house->host, 1);
    event_page_free(&page);
    event_house_close(eh);
}

static void test_a_page_from_beyond_the_end_goes_on_there(void **state) {
    (void)state;
    struct event_house *eh = event_house_open(3);
    assert_status(eh, "a-1", "{'events':[{'type':'T'},{'type':'T'}]}", 201);
    assert_page(eh, &(struct read_options){.subject = slice_lit("es.a.1"), .from = 2}, 200, 0, 2);
    assert_page(eh, &(struct read_options){.subject = slice_lit("es.a.1"), .from = 50}, 200, 0, 50);
    assert_page(eh, &(struct read_options){.from = 50}, 200, 0, 50);
    event_house_close(eh);
}

static void test_names_that_are_not_there_are_not_kept(void **state) {
    (void)state;
    struct event_house *eh = event_house_open(7);
    assert_status(eh, "a-1", "{'events':[{'type':'T'}]}", 201);
    assert_int_equal(eh->engine->head_count, 1);
    assert_page(eh, &(struct read_options){.subject = slice_lit("es.a.2")}, 404, 0, 0);
    assert_status(eh, "a-3", "{'expect':'exists','events':[{'type':'T'}]}", 409);
    assert_int_equal(eh->engine->head_count, 1);
    assert_int_equal(map_count(&eh->engine->heads), 1);
    event_house_close(eh);
}

static void test_of_a_deleted_store_nothing_is_left(void **state) {
    (void)state;
    struct event_house *eh = event_house_open(4);
    struct read_options one = {.subject = slice_lit("es.a.1")};
    assert_status(eh, "a-1", "{'expect':'none','events':[{'type':'T','id':'i'}]}", 201);
    assert_page(eh, &one, 200, 1, 1);
    assert_true(kit_delete_stream(eh->house, "ES"));
    assert_page(eh, &one, 404, 0, 0);
    assert_page(eh, &(struct read_options){0}, 200, 0, 1);
    assert_status(eh, "b-1", "{'expect':'none','events':[{'type':'T'}]}", 201);
    assert_page(eh, &one, 404, 0, 0);
    assert_status(eh, "a-1", "{'expect':'none','events':[{'type':'T','id':'i'}]}", 201);
    assert_page(eh, &one, 200, 1, 1);
    assert_int_equal(event_verify(eh).report.findings, 0);
    event_house_close(eh);
}

/* --- publishes ---------------------------------------------------------------------------- */

/* Publishes to es.a.1 with one header; the acknowledgement's text. */
static slice publish_with(struct event_house *eh, const char *key, const char *value,
                          const char *payload) {
    struct buf headers = buf_make(8192);
    catcher_clear(&eh->answers);
    assert_int_equal(nats_headers_begin(&headers, 0, (slice){0}), 0);
    assert_int_equal(nats_headers_add(&headers, slice_str(key), slice_str(value)), 0);
    assert_int_equal(nats_headers_end(&headers), 0);
    struct bus_message m = {.subject = slice_lit("es.a.1"),
                            .reply = slice_lit("_E.raw"),
                            .headers = buf_slice(&headers),
                            .payload = slice_str(payload)};
    bus_publish(house_last(eh->house), &m, NULL, NULL);
    buf_free(&headers);
    catcher_wait(eh->house, &eh->answers, 1);
    return catcher_at(&eh->answers, 0)->payload;
}

static void test_a_publish_is_refused_for_what_an_append_is(void **state) {
    (void)state;
    char long_text[EVENT_SOURCE_MAX + 2];
    struct event_house *eh = event_house_open(5);
    assert_status(eh, "b-1", "{'events':[{'type':'T'}]}", 201);
    memset(long_text, 'x', sizeof long_text);
    long_text[sizeof long_text - 1] = 0;
    const char *const refused[][3] = {
        {"ce-type", long_text + sizeof long_text - 2 - EVENT_TYPE_MAX, "x"},
        {"ce-id", long_text + sizeof long_text - 2 - EVENT_ID_MAX, "x"},
        {"ce-source", long_text, "x"},
        {"ce-time", "soon", "x"},
        {"ce-type", "\xff", "x"},
        {"Content-Type", "application/json", "{\"x\":"},
        {"Content-Type", "application/json; charset=utf-8", "x"},
        {"Content-Type", "application/json", ""},
        {"Nonet-Metadata", "{\"x\":", "x"},
        {"Nonet-Metadata", "7", "x"},
        {"Nonet-Tags", "a,,b", "x"},
        {"Nonet-Tags", "a,", "x"},
        {"Nonet-Tags", "a%zz", "x"},
    };
    for (size_t i = 0; i < array_count(refused); i++) {
        slice ack = publish_with(eh, refused[i][0], refused[i][1], refused[i][2]);
        if (slice_find_slice(ack, slice_lit("\"code\":400,\"err_code\":10003")) < 0)
            fail_msg("%s: %s: %.*s", refused[i][0], refused[i][1], slice_fmt(ack));
        assert_true(slice_find_slice(ack, slice_str(refused[i][0])) > 0);
    }
    slice ack = publish_with(eh, "Nonet-Metadata", "{\"x\":1}", "x");
    assert_true(slice_find_slice(ack, slice_lit("\"seq\":2")) > 0);
    ack = publish_with(eh, "Content-Type", "application/json", " [1,\n 2]");
    assert_true(slice_find_slice(ack, slice_lit("\"seq\":3")) > 0);
    event_house_close(eh);
}

static void test_a_publish_to_no_event_stream_is_refused(void **state) {
    (void)state;
    struct event_house *eh = event_house_open(6);
    assert_status(eh, "a-1", "{'events':[{'type':'T'}]}", 201);
    catcher_clear(&eh->answers);
    unsigned asked = event_publish(eh, "es.a.b.c", NULL, "x");
    catcher_wait(eh->house, &eh->answers, 1);
    struct event_answer answer = event_answer(eh, asked);
    assert_true(slice_find_slice(answer.body, slice_lit("is not the subject of an event")) > 0);
    event_house_close(eh);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_violation_is_told),
        cmocka_unit_test(test_a_check_holds_when_what_it_has_seen_is_on_disk),
        cmocka_unit_test(test_it_ends_whatever_is_under_way),
        cmocka_unit_test(test_an_id_of_a_publish_counts_in_its_event_stream_and_for_ever),
        cmocka_unit_test(test_what_waits_counts_with_all_its_memory),
        cmocka_unit_test(test_nothing_is_lost_behind_the_engines_back),
        cmocka_unit_test(test_a_wait_that_ends_while_events_get_to_disk_skips_none),
        cmocka_unit_test(test_a_page_from_beyond_the_end_goes_on_there),
        cmocka_unit_test(test_names_that_are_not_there_are_not_kept),
        cmocka_unit_test(test_of_a_deleted_store_nothing_is_left),
        cmocka_unit_test(test_a_publish_is_refused_for_what_an_append_is),
        cmocka_unit_test(test_a_publish_to_no_event_stream_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
