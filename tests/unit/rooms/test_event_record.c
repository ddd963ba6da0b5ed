#include "event_kit.h"

#include "io/crypto.h"
#include "rooms/events/event_json.h"
#include "wire/nats_headers.h"

/* An event as a message: names and subjects, headers, chain, ids, tags; and as JSON. Pure. */

static void assert_subject(const char *name, const char *subject) {
    struct buf out = buf_make(8192), back = buf_make(8192);
    assert_int_equal(event_subject(slice_str(name), &out), 0);
    assert_slice(buf_slice(&out), subject);
    assert_int_equal(event_name(buf_slice(&out), &back), 0);
    assert_slice(buf_slice(&back), name);
    buf_free(&out);
    buf_free(&back);
}

static void test_a_name_has_one_subject(void **state) {
    (void)state;
    assert_subject("order-42", "es.order.42");
    assert_subject("order-42-a", "es.order.42-a"); /* the first '-' cuts */
    assert_subject("order", "es.order");
    assert_subject("a.b-c d", "es.a%2Eb.c%20d");
    assert_subject("\xc3\xbc-*>", "es.%C3%BC.%2A%3E");
    assert_subject("x-%", "es.x.%25");
}

static void test_the_longest_name_comes_back(void **state) {
    (void)state;
    char name[EVENT_NAME_MAX];
    struct buf out = buf_make(8192), back = buf_make(EVENT_NAME_MAX * 2);
    memset(name, '*', sizeof name);
    name[1] = '-';
    assert_int_equal(event_subject(slice_make(name, sizeof name), &out), 0);
    assert_int_equal(event_name(buf_slice(&out), &back), 0);
    assert_true(slice_equal(buf_slice(&back), slice_make(name, sizeof name)));
    buf_free(&out);
    buf_free(&back);
}

static void test_what_is_no_name_is_refused(void **state) {
    (void)state;
    char long_name[EVENT_NAME_MAX + 2];
    struct buf out = buf_make(8192);
    static const char *const bad[] = {"", "-1", "order-", "\xff-1", "a-\xc3"};
    for (size_t i = 0; i < array_count(bad); i++)
        assert_int_equal(event_subject(slice_str(bad[i]), &out), -EINVAL);
    memset(long_name, 'a', sizeof long_name);
    assert_int_equal(event_subject(slice_make(long_name, EVENT_NAME_MAX + 1), &out), -EINVAL);
    assert_int_equal(event_subject(slice_make(long_name, EVENT_NAME_MAX), &out), 0);
    buf_free(&out);
}

static void test_a_subject_that_no_name_has_is_refused(void **state) {
    (void)state;
    struct buf out = buf_make(8192);
    static const char *const bad[] = {"",         "es",       "es.",         "es.a.",    "es..a",
                                      "es.a.b.c", "es.%61.1", "es.a-b.c",    "es.a-b",   "es.a.%zz",
                                      "es.a.%ff", "fs.a.b",   "es.a.%c3%bc", "es.a.b%2", "es.%2D.1",
                                      "es.a:b.c"};
    for (size_t i = 0; i < array_count(bad); i++) {
        assert_int_equal(event_name(slice_str(bad[i]), &out), -EINVAL);
        assert_int_equal(out.len, 0);
    }
    buf_free(&out);
}

static struct event sample(void) {
    return (struct event){.id = slice_lit("i1"),
                          .type = slice_lit("Placed"),
                          .source = slice_lit("shop"),
                          .time = slice_lit("2026-11-30T12:00:00Z"),
                          .content_type = slice_lit("application/json"),
                          .tags = slice_lit("a:1,b%20c"),
                          .metadata = slice_lit("{\"actor\":\"me\"}"),
                          .data = slice_lit("{\"n\":1}"),
                          .number = 3,
                          .before = 7,
                          .skip = 7};
}

static const unsigned char nothing[EVENT_CHAIN_BYTES];

static void test_headers_come_back_as_they_were(void **state) {
    (void)state;
    struct buf headers = buf_make(8192);
    struct event written = sample(), read;
    assert_int_equal(event_write(&written, slice_lit("es.a.1"), nothing, &headers), 0);
    struct log_record record = {
        .subject = slice_lit("es.a.1"), .headers = buf_slice(&headers), .payload = written.data};
    assert_int_equal(event_read(&record, &read), 0);
    assert_slice(read.id, "i1");
    assert_slice(read.type, "Placed");
    assert_slice(read.source, "shop");
    assert_slice(read.time, "2026-11-30T12:00:00Z");
    assert_slice(read.content_type, "application/json");
    assert_slice(read.tags, "a:1,b%20c");
    assert_slice(read.metadata, "{\"actor\":\"me\"}");
    assert_slice(read.data, "{\"n\":1}");
    assert_int_equal(read.number, 3);
    assert_int_equal(read.before, 7);
    assert_int_equal(read.skip, 7);
    assert_int_equal(read.leaf, 0);
    assert_memory_equal(read.chain, written.chain, EVENT_CHAIN_BYTES);
    slice version;
    assert_true(nats_headers_get(record.headers, slice_lit("ce-specversion"), &version));
    assert_slice(version, "1.0");
    buf_free(&headers);
}

static void test_one_field_is_found_without_the_others(void **state) {
    (void)state;
    struct buf headers = buf_make(8192);
    struct event written = sample();
    slice value;
    assert_int_equal(event_write(&written, slice_lit("es.a.1"), nothing, &headers), 0);
    struct log_record record = {.headers = buf_slice(&headers)};
    assert_true(event_field(&record, slice_lit("ce-type"), &value));
    assert_slice(value, "Placed");
    assert_true(event_field(&record, slice_lit("Nonet-Tags"), &value));
    assert_slice(value, "a:1,b%20c");
    assert_false(event_field(&record, slice_lit("ce-typ"), &value));
    assert_false(event_field(&record, slice_lit("Nonet-Ids"), &value));
    record.headers = slice_lit("ce-type");
    assert_false(event_field(&record, slice_lit("ce-type"), &value));
    record.headers = (slice){0};
    assert_false(event_field(&record, slice_lit("ce-type"), &value));
    buf_free(&headers);
}

static void test_fields_of_a_publish_are_kept_but_for_its_own(void **state) {
    (void)state;
    struct buf headers = buf_make(8192);
    struct event written = sample(), read;
    slice value;
    written.more = slice_lit("Trace: 7\r\nNonet-Event: 9 9 9 9\r\nce-id: other\r\n\r\n");
    assert_int_equal(event_write(&written, slice_lit("es.a.1"), nothing, &headers), 0);
    struct log_record record = {.subject = slice_lit("es.a.1"), .headers = buf_slice(&headers)};
    assert_int_equal(event_read(&record, &read), 0);
    assert_slice(read.id, "i1");
    assert_int_equal(read.number, 3);
    assert_true(nats_headers_get(record.headers, slice_lit("Trace"), &value));
    assert_slice(value, "7");
    buf_free(&headers);
}

static void test_a_text_that_breaks_the_headers_is_refused(void **state) {
    (void)state;
    struct buf headers = buf_make(8192);
    struct event event = sample();
    event.type = slice_lit("a\r\nb: c");
    assert_int_equal(event_write(&event, slice_lit("es.a.1"), nothing, &headers), -EINVAL);
    buf_free(&headers);
}

static void assert_no_event(const char *headers) {
    struct event event;
    struct log_record record = {.subject = slice_lit("es.a.1"), .headers = slice_str(headers)};
    assert_int_equal(event_read(&record, &event), -EBADMSG);
}

#define CHAIN "00000000000000000000000000000000000000000000000000000000000000ff"
static void test_what_does_not_fit_is_no_event(void **state) {
    (void)state;
    assert_no_event("");
    assert_no_event("GET / HTTP/1.1\r\n\r\n");
    assert_no_event("NATS/1.0\r\n\r\n");
    assert_no_event("NATS/1.0\r\nce-id: i\r\nce-type: t\r\nNonet-Event: 1 0 0 0\r\n\r\n");
    assert_no_event("NATS/1.0\r\nce-id: i\r\nNonet-Event: 1 0 0 0\r\nNonet-Chain: " CHAIN
                    "\r\n\r\n");
    static const char *const places[] = {"0 0 0 0", "1 1 0 0",   "2 0 0 0",  "1 0 0",
                                         "x 0 0 0", "1 0 0 0 0", "-1 0 0 0", ""};
    for (size_t i = 0; i < array_count(places); i++) {
        char headers[256];
        snprintf(headers, sizeof headers,
                 "NATS/1.0\r\nce-id: i\r\nce-type: t\r\nNonet-Event: %s\r\nNonet-Chain: " CHAIN
                 "\r\n\r\n",
                 places[i]);
        assert_no_event(headers);
    }
}

/* --- the chain ---------------------------------------------------------------------------- */

struct chained {
    struct event event;
    struct buf headers;
    struct log_record record;
};

static void chain_begin(struct chained *c) {
    *c = (struct chained){.event = sample(), .headers = buf_make(8192)};
    assert_int_equal(event_write(&c->event, slice_lit("es.a.1"), nothing, &c->headers), 0);
    c->record = (struct log_record){.subject = slice_lit("es.a.1"),
                                    .headers = buf_slice(&c->headers),
                                    .payload = c->event.data};
}

static bool holds(const struct chained *c) {
    struct event read;
    return event_read(&c->record, &read) == 0 && event_chain_check(&c->record, &read, nothing) == 0;
}

static void test_the_chain_is_the_hash_that_the_page_says(void **state) {
    (void)state;
    struct chained c;
    chain_begin(&c);
    struct buf all = buf_make(8192);
    slice cut = slice_take(c.record.headers, c.record.headers.len - 2 - 64 - 2 - 13);
    const slice parts[] = {slice_make((const char *)nothing, 32), c.record.subject, cut,
                           c.record.payload};
    for (size_t i = 0; i < array_count(parts); i++) {
        char size[8] = {0, 0, 0, 0, 0, 0, (char)(parts[i].len >> 8), (char)parts[i].len};
        assert_int_equal(buf_append(&all, slice_make(size, 8)), 0);
        assert_int_equal(buf_append(&all, parts[i]), 0);
    }
    unsigned char digest[32];
    io_sha256(buf_slice(&all), digest);
    assert_memory_equal(digest, c.event.chain, sizeof digest);
    buf_free(&all);
    buf_free(&c.headers);
}

static void test_every_changed_byte_breaks_the_chain(void **state) {
    (void)state;
    struct chained c;
    chain_begin(&c);
    assert_true(holds(&c));
    for (size_t i = 0; i < c.headers.len; i++) {
        c.headers.ptr[i] = (char)(c.headers.ptr[i] ^ 1);
        assert_false(holds(&c));
        c.headers.ptr[i] = (char)(c.headers.ptr[i] ^ 1);
    }
    c.record.subject = slice_lit("es.a.2");
    assert_false(holds(&c));
    c.record.subject = slice_lit("es.a.1");
    c.record.payload = slice_lit("{\"n\":2}");
    assert_false(holds(&c));
    c.record.payload = c.event.data;
    assert_true(holds(&c));
    buf_free(&c.headers);
}

static void test_nothing_stands_behind_the_chain(void **state) {
    (void)state;
    struct chained c;
    chain_begin(&c);
    c.headers.len -= 2;
    assert_int_equal(buf_append(&c.headers, slice_lit("ce-type: Paid\r\n\r\n")), 0);
    c.record.headers = buf_slice(&c.headers);
    assert_false(holds(&c));
    buf_free(&c.headers);
}

/* --- ids, tags ---------------------------------------------------------------------------- */

static void test_ids_come_back(void **state) {
    (void)state;
    uint64_t ids[EVENT_SPAN], back[EVENT_SPAN];
    static const size_t counts[] = {0, 1, 2, 3, EVENT_SPAN};
    for (size_t i = 0; i < EVENT_SPAN; i++)
        ids[i] = i * UINT64_C(0x0102030405060709);
    for (size_t c = 0; c < array_count(counts); c++) {
        struct buf out = buf_make(1u << 20);
        assert_int_equal(event_write_ids(ids, counts[c], &out), 0);
        assert_int_equal(event_ids_count(buf_slice(&out)), counts[c]);
        assert_int_equal(event_read_ids(buf_slice(&out), back), 0);
        assert_memory_equal(ids, back, counts[c] * sizeof *ids);
        buf_free(&out);
    }
    assert_int_equal(event_read_ids(slice_lit("AAAA"), back), -EBADMSG);
    assert_int_equal(event_read_ids(slice_lit("AAAAAAAAAA!="), back), -EBADMSG);
    struct buf long_ids = buf_make(1u << 20);
    while (long_ids.len < (EVENT_SPAN + 3) * 8 / 3 * 4)
        assert_int_equal(buf_append(&long_ids, slice_lit("AAAA")), 0);
    assert_int_equal(event_read_ids(buf_slice(&long_ids), back), -EBADMSG);
    buf_free(&long_ids);
}

static void test_a_digest_is_the_begin_of_the_hash(void **state) {
    (void)state;
    assert_true(event_digest(slice_lit("abc")) == UINT64_C(0xba7816bf8f01cfea));
}

static void test_tags_come_back(void **state) {
    (void)state;
    static const char *const tags[] = {"sku:7", "a,b", "\xc3\xbc", "100 %", "x.y~z-_"};
    struct buf list = buf_make(65536);
    char room[EVENT_TAG_MAX * 3], longest[EVENT_TAG_MAX + 1];
    slice tag;
    for (size_t i = 0; i < array_count(tags); i++)
        assert_int_equal(event_tag_add(&list, slice_str(tags[i])), 0);
    memset(longest, ',', sizeof longest);
    assert_int_equal(event_tag_add(&list, slice_make(longest, EVENT_TAG_MAX)), 0);
    assert_int_equal(event_tag_add(&list, slice_make(longest, EVENT_TAG_MAX + 1)), -EINVAL);
    assert_int_equal(event_tag_add(&list, slice_lit("")), -EINVAL);
    assert_int_equal(event_tag_add(&list, slice_lit("\xff")), -EINVAL);
    slice cursor = buf_slice(&list);
    for (size_t i = 0; i < array_count(tags); i++) {
        assert_true(event_tag_next(&cursor, room, &tag));
        assert_slice(tag, tags[i]);
    }
    assert_true(event_tag_next(&cursor, room, &tag));
    assert_int_equal(tag.len, EVENT_TAG_MAX);
    assert_false(event_tag_next(&cursor, room, &tag));
    buf_free(&list);
}

/* --- as JSON ------------------------------------------------------------------------------ */

static void assert_json(const struct event *event, const char *expected) {
    struct buf out = buf_make(65536);
    struct log_record record = {.subject = slice_lit("es.a.1"), .sequence = 12};
    assert_int_equal(event_write_json(event, &record, &out), 0);
    slice found = buf_slice(&out);
    assert_true(slice_ends_with(found, slice_lit("\"}\n")));
    assert_slice(slice_take(found, found.len - 3 - 64 - strlen(",\"chain\":\"")), expected);
    struct json_doc doc;
    json_init(&doc);
    assert_int_equal(json_parse(&doc, found), 0);
    json_free(&doc);
    buf_free(&out);
}

static void test_an_event_as_a_line_of_json(void **state) {
    (void)state;
    struct event event = sample();
    event.data = slice_lit("{\n  \"n\": 1\n}");
    assert_json(&event, "{\"stream\":\"a-1\",\"revision\":2,\"position\":12,\"id\":\"i1\","
                        "\"type\":\"Placed\",\"source\":\"shop\",\"time\":\"2026-11-30T12:00:00Z\","
                        "\"tags\":[\"a:1\",\"b c\"],\"metadata\":{\"actor\":\"me\"},"
                        "\"data\":{  \"n\": 1}");
}

static void test_bytes_are_base64(void **state) {
    (void)state;
    struct event event = {.id = slice_lit("i"), .type = slice_lit("t"), .number = 1};
    assert_json(&event,
                "{\"stream\":\"a-1\",\"revision\":0,\"position\":12,\"id\":\"i\",\"type\":\"t\"");
    event.data = slice_lit("\x01\xff");
    assert_json(&event, "{\"stream\":\"a-1\",\"revision\":0,\"position\":12,\"id\":\"i\","
                        "\"type\":\"t\",\"data_base64\":\"Af8=\"");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_name_has_one_subject),
        cmocka_unit_test(test_the_longest_name_comes_back),
        cmocka_unit_test(test_what_is_no_name_is_refused),
        cmocka_unit_test(test_a_subject_that_no_name_has_is_refused),
        cmocka_unit_test(test_headers_come_back_as_they_were),
        cmocka_unit_test(test_one_field_is_found_without_the_others),
        cmocka_unit_test(test_fields_of_a_publish_are_kept_but_for_its_own),
        cmocka_unit_test(test_a_text_that_breaks_the_headers_is_refused),
        cmocka_unit_test(test_what_does_not_fit_is_no_event),
        cmocka_unit_test(test_the_chain_is_the_hash_that_the_page_says),
        cmocka_unit_test(test_every_changed_byte_breaks_the_chain),
        cmocka_unit_test(test_nothing_stands_behind_the_chain),
        cmocka_unit_test(test_ids_come_back),
        cmocka_unit_test(test_a_digest_is_the_begin_of_the_hash),
        cmocka_unit_test(test_tags_come_back),
        cmocka_unit_test(test_an_event_as_a_line_of_json),
        cmocka_unit_test(test_bytes_are_base64),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
