#include "event_kit.h"

#include "rooms/events/attributes.h"
#include "rooms/events/cloudevent.h"
#include "rooms/events/event_json.h"
#include "wire/nats_headers.h"

/* CloudEvents: the modes of a request, what becomes of it, what a record's attributes are, and an
 * answer in binary mode. Refusals by name are in tests/e2e. */

static void assert_mode(const char *type, const char *attribute, enum cloudevent_mode mode) {
    struct http1_field fields[2] = {0};
    size_t count = 0;
    if (type)
        fields[count++] = (struct http1_field){slice_lit("content-type"), slice_str(type)};
    if (attribute)
        fields[count++] = (struct http1_field){slice_str(attribute), slice_lit("x")};
    assert_int_equal(cloudevent_mode_of(fields, count), mode);
}

static void test_the_mode_is_told_by_content_type_then_by_headers(void **state) {
    (void)state;
    assert_mode(NULL, NULL, CLOUDEVENT_NONE);
    assert_mode("application/json", "ce", CLOUDEVENT_NONE);
    assert_mode("application/json", "CE-Id", CLOUDEVENT_BINARY);
    assert_mode(NULL, "ce-", CLOUDEVENT_BINARY);
    assert_mode("Application/CloudEvents+JSON ; charset=utf-8", NULL, CLOUDEVENT_STRUCTURED);
    assert_mode("application/cloudevents-batch+json", "ce-id", CLOUDEVENT_BATCHED);
    assert_mode("application/cloudevents", NULL, CLOUDEVENT_UNKNOWN);
    assert_mode("application/cloudevents+avro", "ce-id", CLOUDEVENT_UNKNOWN);
}

static void assert_read(enum cloudevent_mode mode, const char *body, const char *expect,
                        const char *made) {
    struct buf out = buf_make(1u << 20);
    struct error e = {0};
    assert_int_equal(cloudevent_read(mode, NULL, 0, slice_str(body), slice_str(expect), &out, &e),
                     0);
    assert_slice(buf_slice(&out), made);
    buf_free(&out);
}

#define NEEDED "\"specversion\":\"1.0\",\"id\":\"i\",\"source\":\"s\",\"type\":\"T\""
#define EVENT "{\"id\":\"i\",\"source\":\"s\",\"type\":\"T\",\"attributes\":{}"

static void test_a_structured_event_becomes_an_append(void **state) {
    (void)state;
    assert_read(CLOUDEVENT_STRUCTURED, "{" NEEDED "}", "",
                "{\"expect\":\"any\",\"events\":[" EVENT "}]}");
    assert_read(CLOUDEVENT_STRUCTURED,
                "{" NEEDED ",\"tags\":\"a%2Cb,c\",\"metadata\":\"{\\\"k\\\":1}\",\"x\":null,"
                "\"revision\":7,\"chain\":\"left behind\",\"data\":{}}",
                "7",
                "{\"expect\":7,\"events\":[" EVENT ",\"tags\":[\"a,b\",\"c\"],"
                "\"metadata\":{\"k\":1},\"data\":{}}]}");
    assert_read(CLOUDEVENT_BATCHED, "[]", "007", "{\"expect\":\"007\",\"events\":[]}");
}

static void test_attributes_of_a_record_are_what_their_types_say(void **state) {
    (void)state;
    struct event event = {
        .more = slice_lit("ce-id: i\r\nce-n: 5\r\nce-b: true\r\nce-bad: maybe\r\nce-n: 6\r\n"
                          "ce-X: x\r\nother: y\r\nce-stream: z\r\nce-t: true\r\n\r\n"),
        .types = slice_lit("n:integer,b:boolean,bad:boolean"),
    };
    static const struct {
        const char *name, *value;
        enum attribute_type type;
    } wanted[] = {{"n", "5", ATTRIBUTE_INTEGER},
                  {"b", "true", ATTRIBUTE_BOOLEAN},
                  {"bad", "maybe", ATTRIBUTE_TEXT},
                  {"t", "true", ATTRIBUTE_TEXT}};
    struct attributes attributes = attributes_of(&event);
    struct attribute a;
    for (size_t i = 0; i < array_count(wanted); i++) {
        assert_true(attributes_next(&attributes, &a));
        assert_slice(a.name, wanted[i].name);
        assert_slice(a.value, wanted[i].value);
        assert_int_equal(a.type, wanted[i].type);
    }
    assert_false(attributes_next(&attributes, &a));
}

static void test_attributes_are_bounded(void **state) {
    (void)state;
    struct json_doc doc;
    struct buf text = buf_make(1u << 20);
    struct arena arena = arena_make(0, 1u << 20);
    struct event event = {0};
    struct error e = {0};
    json_init(&doc);
    for (unsigned i = 0; i <= ATTRIBUTES_MAX; i++)
        assert_int_equal(buf_printf(&text, "%s\"a%u\":\"%01000d\"", i ? "," : "{", i, 1), 0);
    assert_int_equal(buf_append_byte(&text, '}'), 0);
    assert_int_equal(json_parse(&doc, buf_slice(&text)), 0);
    assert_int_equal(attributes_read(json_root(&doc), &arena, &event, &e), -EINVAL);
    assert_string_equal(e.message, "there are more than 64 attributes");
    assert_string_equal(e.place, "a64");
    json_free(&doc);
    arena_free(&arena);
    buf_free(&text);
}

static void test_json_of_any_kind_is_json(void **state) {
    (void)state;
    assert_true(event_data_is_json(slice_lit("application/json")));
    assert_true(event_data_is_json(slice_lit("Application/JSON; charset=utf-8")));
    assert_true(event_data_is_json(slice_lit("application/vnd.a+json")));
    assert_false(event_data_is_json(slice_lit("text/plain")));
    assert_false(event_data_is_json(slice_lit("+json")));
    assert_false(event_data_is_json(slice_lit("")));
}

static void test_an_answer_in_binary_mode(void **state) {
    (void)state;
    struct json_doc doc;
    struct arena arena = arena_make(0, 1u << 20);
    struct http1_field fields[CLOUDEVENT_FIELDS_MAX];
    size_t count;
    slice data;
    json_init(&doc);
    assert_int_equal(
        cloudevent_answer(slice_lit("{\"id\":\"a \\\"%\\u00fc\",\"n\":-5,"
                                    "\"datacontenttype\":\"image/x\",\"data_base64\":\"AQI=\"}"),
                          &doc, &arena, fields, &count, &data),
        0);
    assert_int_equal(count, 3);
    assert_slice(fields[0].name, "ce-id");
    assert_slice(fields[0].value, "a%20%22%25%C3%BC");
    assert_slice(fields[1].value, "-5");
    assert_slice(fields[2].name, "Content-Type");
    assert_slice(data, "\x01\x02");
    json_free(&doc);
    arena_free(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_mode_is_told_by_content_type_then_by_headers),
        cmocka_unit_test(test_a_structured_event_becomes_an_append),
        cmocka_unit_test(test_attributes_of_a_record_are_what_their_types_say),
        cmocka_unit_test(test_attributes_are_bounded),
        cmocka_unit_test(test_json_of_any_kind_is_json),
        cmocka_unit_test(test_an_answer_in_binary_mode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
