#include "event_kit.h"

#include "rooms/events/append.h"

/* What an append asks for, read from JSON: every refusal with its place, bounds, and the answers.
 */

struct reading {
    struct sim *sim;
    struct io_host *host;
    struct ids ids;
    struct json_doc doc;
    struct arena arena;
    struct append append;
    struct error error;
    char *text;
};

static int read_text(struct reading *r, const char *name, char *text) {
    *r = (struct reading){.sim = sim_create(1, NULL), .text = text};
    r->host = sim_host_create(r->sim, "a");
    ids_init(&r->ids, r->host);
    r->arena = arena_make(0, 64u << 20);
    json_init(&r->doc);
    assert_int_equal(json_parse(&r->doc, slice_str(text)), 0);
    return append_read(json_root(&r->doc), slice_str(name), slice_lit("2026-11-30T12:00:00Z"),
                       &r->ids, &r->arena, &r->append, &r->error);
}

/* JSON with '. */
static int read_json(struct reading *r, const char *name, const char *json) {
    char *text = mem_copy(json, strlen(json));
    assert_non_null(text);
    for (char *at = text; *at; at++)
        *at = *at == '\'' ? '"' : *at;
    return read_text(r, name, text);
}

static void done(struct reading *r) {
    json_free(&r->doc);
    arena_free(&r->arena);
    sim_free(r->sim);
    mem_free(r->text);
}

/* --- what is taken ------------------------------------------------------------------------ */

static void test_the_short_form(void **state) {
    (void)state;
    struct reading r;
    assert_int_equal(read_json(&r, "order-1",
                               "{'expect':3,'events':[{'id':'i','type':'T','data':{'x': [1]},"
                               "'tags':['a','b c'],'metadata':{'k':\n1},'source':'s',"
                               "'time':'2020-01-01T00:00:00+01:00'},{'type':'U'}]}"),
                     0);
    const struct append_part *part = r.append.parts;
    assert_true(r.append.single);
    assert_int_equal(r.append.part_count, 1);
    assert_slice(part->subject, "es.order.1");
    assert_int_equal(part->expect, EXPECT_REVISION);
    assert_int_equal(part->revision, 3);
    assert_int_equal(part->event_count, 2);
    assert_slice(part->events[0].id, "i");
    assert_slice(part->events[0].data, "{\"x\": [1]}");
    assert_slice(part->events[0].content_type, "application/json");
    assert_slice(part->events[0].tags, "a,b%20c");
    assert_slice(part->events[0].metadata, "{\"k\":1}");
    assert_slice(part->events[0].source, "s");
    assert_slice(part->events[0].time, "2020-01-01T00:00:00+01:00");
    assert_true(part->given[0]);
    assert_false(part->given[1]);
    assert_int_equal(part->events[1].id.len, 36);
    assert_slice(part->events[1].source, "es.order.1");
    assert_slice(part->events[1].time, "2026-11-30T12:00:00Z");
    done(&r);
}

static void test_several_streams_and_checks(void **state) {
    (void)state;
    struct reading r;
    assert_int_equal(read_json(&r, "",
                               "{'checks':[{'stream':'c-1','expect':'exists'}],'appends':["
                               "{'stream':'a-1','events':[{'type':'T','data_base64':'AQI=',"
                               "'datacontenttype':'image/x'}]},{'stream':'b-1','expect':'none'}]}"),
                     0);
    assert_int_equal(r.append.part_count, 3);
    assert_slice(r.append.parts[0].name, "a-1"); /* written ones first */
    assert_int_equal(r.append.parts[0].expect, EXPECT_ANY);
    assert_slice(r.append.parts[0].events[0].data, "\x01\x02");
    assert_slice(r.append.parts[0].events[0].content_type, "image/x");
    assert_int_equal(r.append.parts[1].expect, EXPECT_NONE);
    assert_int_equal(r.append.parts[2].expect, EXPECT_EXISTS);
    assert_true(r.append.parts[2].check);
    done(&r);
}

static void test_null_is_as_if_it_were_not_there(void **state) {
    (void)state;
    struct reading r;
    assert_int_equal(read_json(&r, "a-1",
                               "{'expect':null,'events':[{'type':'T','id':null,'tags':null,"
                               "'metadata':null,'source':null,'time':null,'data':null}]}"),
                     0);
    assert_int_equal(r.append.parts[0].expect, EXPECT_ANY);
    assert_false(r.append.parts[0].given[0]);
    assert_slice(r.append.parts[0].events[0].data, "null"); /* this is data */
    done(&r);
}

/* --- what is refused ---------------------------------------------------------------------- */

static void assert_refused(const char *name, const char *json, const char *words) {
    struct reading r;
    assert_int_equal(read_json(&r, name, json), -EINVAL);
    assert_string_equal(r.error.message, words);
    done(&r);
}

#define EVENT(members) "{'events':[{'type':'T'},{" members "}]}"

static void test_what_is_wrong_with_an_event_is_told_with_its_place(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {EVENT(""), "events[1].type: is missing"},
        {EVENT("'type':null"), "events[1].type: is missing"},
        {EVENT("'type':''"), "events[1].type: a text that is not empty is wanted"},
        {EVENT("'type':7"), "events[1].type: a text that is not empty is wanted"},
        {EVENT("'type':' T'"), "events[1].type: the text begins or ends with a blank"},
        {EVENT("'type':'T '"), "events[1].type: the text begins or ends with a blank"},
        {EVENT("'type':'a\\nb'"), "events[1].type: the text has a control character"},
        {EVENT("'type':'a\\u007f'"), "events[1].type: the text has a control character"},
        {EVENT("'type':'T','id':''"), "events[1].id: a text that is not empty is wanted"},
        {EVENT("'type':'T','id':'a\\u0000'"), "events[1].id: the text has a control character"},
        {EVENT("'type':'T','source':[]"), "events[1].source: a text that is not empty is wanted"},
        {EVENT("'type':'T','time':'soon'"),
         "events[1].time: a time of RFC 3339 is wanted: 2026-11-30T12:00:00Z"},
        {EVENT("'type':'T','tags':'a'"), "events[1].tags: a list of at most 64 texts is wanted"},
        {EVENT("'type':'T','tags':['a','']"), "events[1].tags: a tag is a text of 1 to 256 bytes"},
        {EVENT("'type':'T','tags':[1]"), "events[1].tags: a tag is a text of 1 to 256 bytes"},
        {EVENT("'type':'T','metadata':[]"), "events[1].metadata: an object is wanted"},
        {EVENT("'type':'T','metadata':'{}'"), "events[1].metadata: an object is wanted"},
        {EVENT("'type':'T','data':1,'data_base64':''"),
         "events[1].data_base64: there is data already"},
        {EVENT("'type':'T','data_base64':1"), "events[1].data_base64: a text is wanted"},
        {EVENT("'type':'T','data_base64':'A'"), "events[1].data_base64: it is not base64"},
        {EVENT("'type':'T','data_base64':'e30=','datacontenttype':'application/json'"),
         "events[1].datacontenttype: JSON goes into data"},
        {EVENT("'type':'T','data':'<a/>','datacontenttype':'text/xml'"),
         "events[1].datacontenttype: what is no JSON goes into data_base64"},
        {EVENT("'type':'T','specversion':'0.3'"),
         "events[1].specversion: CloudEvents \"1.0\" is what is known here"},
        {EVENT("'type':'T','colour':1"), "events[1].colour: an event has no such member"},
        {"{'events':[1]}", "events[0].type: an event is an object with a type"},
        {"{'events':[{'type':'T','id':'i'},{'type':'T'},{'type':'T','id':'i'}]}",
         "events[2].id: the same id stands twice"},
        {"{'events':{}}", "events: a list is wanted"},
        {"{'events':null}", "events: a list is wanted"},
    };
    for (size_t i = 0; i < array_count(cases); i++)
        assert_refused("a-1", cases[i][0], cases[i][1]);
}

static void test_what_is_wrong_with_an_append_is_told_with_its_place(void **state) {
    (void)state;
    static const char *const expect =
        "expect: \"any\", \"none\", \"exists\", \"deleted\" or a revision is wanted";
    assert_refused("a-1", "[]", "the body is no JSON object");
    assert_refused("a-1", "{'expect':-1,'events':[{'type':'T'}]}", expect);
    assert_refused("a-1", "{'expect':1.5,'events':[{'type':'T'}]}", expect);
    assert_refused("a-1", "{'expect':9223372036854775808,'events':[{'type':'T'}]}", expect);
    assert_refused("a-1", "{'expect':'NONE','events':[{'type':'T'}]}", expect);
    assert_refused("a-1", "{}", "expect: without events something must be expected");
    assert_refused("a-1", "{'expect':'any','events':[]}",
                   "expect: without events something must be expected");
    assert_refused("", "{}", "appends and checks name 1 to 256 event streams");
    assert_refused("", "{'appends':[]}", "appends and checks name 1 to 256 event streams");
    assert_refused("", "{'appends':[{'stream':'a','expect':1},7]}",
                   "appends[1].stream: an object is wanted");
    assert_refused("", "{'appends':[{'expect':1}]}", "appends[0].stream: is missing");
    assert_refused("", "{'appends':[{'stream':'-1','expect':1}]}",
                   "appends[0].stream: 'CATEGORY-ID' of at most 1024 bytes is wanted");
    assert_refused("", "{'appends':[{'stream':'a','expect':1},{'stream':'a','expect':1}]}",
                   "appends[1].stream: the same stream stands twice in one append");
    assert_refused("", "{'appends':[{'stream':'a','expect':1}],'checks':[{'stream':'a'}]}",
                   "checks[0].stream: the same stream stands twice in one append");
    assert_refused("", "{'checks':[{'stream':'a'}]}",
                   "checks[0].expect: a check of \"any\" checks nothing");
    assert_refused("", "{'checks':[{'stream':'a','expect':1,'events':[]}]}",
                   "checks[0].events: a check writes nothing");
    assert_refused("", "{'appends':[{'stream':'a','events':[{'type':'T'},{'id':'x'}]}]}",
                   "appends[0].events[1].type: is missing");
}

static void test_lists_that_are_none_are_refused(void **state) {
    (void)state;
    assert_refused("", "{'appends':{'stream':'a'}}", "appends: a list is wanted");
    assert_refused("", "{'appends':[{'stream':'a','expect':1}],'checks':{'x':1}}",
                   "checks: a list is wanted");
}

static void test_an_unknown_member_of_an_append_is_refused(void **state) {
    (void)state;
    assert_refused("a-1", "{'expected':3,'events':[{'type':'T'}]}",
                   "expected: an append has no such member");
    assert_refused("", "{'appends':[{'stream':'a','expect':1}],'check':[]}",
                   "check: an append has no such member");
    assert_refused("", "{'appends':[{'stream':'a','expects':1,'events':[{'type':'T'}]}]}",
                   "appends[0].expects: an append has no such member");
}

/* A list of COUNT times ITEM, between HEAD and TAIL. */
static char *repeat(const char *head, const char *item, unsigned count, const char *tail) {
    struct buf out = buf_make(64u << 20);
    assert_int_equal(buf_append(&out, slice_str(head)), 0);
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(buf_append(&out, slice_str(i ? "," : "")), 0);
        assert_int_equal(buf_printf(&out, item, i), 0);
    }
    assert_int_equal(buf_append(&out, slice_str(tail)), 0);
    char *text = mem_copy(out.ptr, out.len);
    assert_non_null(text);
    buf_free(&out);
    return text;
}

/* MOST of them are taken, one more is refused with WORDS. */
static void assert_bound(const char *name, const char *head, const char *item, unsigned most,
                         const char *tail, const char *words) {
    struct reading r;
    assert_int_equal(read_text(&r, name, repeat(head, item, most, tail)), 0);
    done(&r);
    assert_int_equal(read_text(&r, name, repeat(head, item, most + 1, tail)), -EINVAL);
    assert_string_equal(r.error.message, words);
    done(&r);
}

static void test_bounds(void **state) {
    (void)state;
    assert_bound("a-1", "{\"events\":[", "{\"type\":\"T\",\"id\":\"%u\"}", APPEND_EVENTS_MAX, "]}",
                 "events: an append has at most 4096 events");
    assert_bound("", "{\"checks\":[", "{\"stream\":\"a-%u\",\"expect\":0}", APPEND_STREAMS_MAX,
                 "]}", "appends and checks name 1 to 256 event streams");
    assert_bound("a-1", "{\"events\":[{\"type\":\"T\",\"tags\":[", "\"%u\"", EVENT_TAGS_MAX, "]}]}",
                 "events[0].tags: a list of at most 64 texts is wanted");
}

/* A text of MOST bytes for KEY is taken, a longer one refused. */
static void assert_longest(const char *key, unsigned most) {
    char head[64];
    struct reading r;
    snprintf(head, sizeof head, "{\"events\":[{%s\"%s\":\"",
             strcmp(key, "type") == 0 ? "" : "\"type\":\"T\",", key);
    for (unsigned more = 0; more < 2; more++) {
        struct buf out = buf_make(1u << 20);
        assert_int_equal(buf_append(&out, slice_str(head)), 0);
        for (unsigned i = 0; i < most + more; i++)
            assert_int_equal(buf_append_byte(&out, 'x'), 0);
        assert_int_equal(buf_append(&out, slice_lit("\"}]}")), 0);
        char *text = mem_copy(out.ptr, out.len);
        buf_free(&out);
        assert_int_equal(read_text(&r, "a-1", text), more ? -EINVAL : 0);
        done(&r);
    }
}

static void test_the_longest_texts(void **state) {
    (void)state;
    assert_longest("id", EVENT_ID_MAX);
    assert_longest("type", EVENT_TYPE_MAX);
    assert_longest("source", EVENT_SOURCE_MAX);
}

static void test_no_memory_is_no_refusal_of_the_request(void **state) {
    (void)state;
    static const char json[] = "{\"events\":[{\"type\":\"T\",\"tags\":[\"a\"],\"metadata\":{},"
                               "\"data_base64\":\"AQI=\"},{\"type\":\"T\"}]}";
    int failed = -ENOMEM;
    for (unsigned nth = 1; failed; nth++) {
        struct reading r = {.sim = sim_create(1, NULL)};
        r.host = sim_host_create(r.sim, "a");
        ids_init(&r.ids, r.host);
        r.arena = arena_make(64, 1u << 20);
        json_init(&r.doc);
        assert_int_equal(json_parse(&r.doc, slice_str(json)), 0);
        mem_fail_at(nth, false);
        failed = append_read(json_root(&r.doc), slice_lit("a-1"), slice_lit("2026"), &r.ids,
                             &r.arena, &r.append, &r.error);
        mem_fail_at(0, false);
        assert_true(failed == 0 || failed == -ENOMEM);
        assert_true(nth < 1000);
        done(&r);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_short_form),
        cmocka_unit_test(test_several_streams_and_checks),
        cmocka_unit_test(test_null_is_as_if_it_were_not_there),
        cmocka_unit_test(test_what_is_wrong_with_an_event_is_told_with_its_place),
        cmocka_unit_test(test_what_is_wrong_with_an_append_is_told_with_its_place),
        cmocka_unit_test(test_lists_that_are_none_are_refused),
        cmocka_unit_test(test_an_unknown_member_of_an_append_is_refused),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_the_longest_texts),
        cmocka_unit_test(test_no_memory_is_no_refusal_of_the_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
