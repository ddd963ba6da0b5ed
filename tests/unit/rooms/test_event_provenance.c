#include "event_kit.h"

#include "rooms/events/provenance.h"
#include "wire/nats_headers.h"

/* Who, why and because of what, wherever it stands in an event. */

struct fixture {
    struct provenance_reader reader;
    struct buf headers;
    struct event event;
};

static void setup(struct fixture *f, const char *metadata, const char *const *fields) {
    struct nats_status status;
    *f = (struct fixture){.headers = buf_make(4096)};
    assert_int_equal(provenance_open(&f->reader), 0);
    assert_int_equal(nats_headers_begin(&f->headers, 0, (slice){0}), 0);
    assert_int_equal(nats_headers_add(&f->headers, slice_lit("ce-id"), slice_lit("1")), 0);
    for (; fields && *fields; fields += 2)
        assert_int_equal(nats_headers_add(&f->headers, slice_str(fields[0]), slice_str(fields[1])),
                         0);
    assert_int_equal(nats_headers_end(&f->headers), 0);
    assert_int_equal(nats_headers_parse(buf_slice(&f->headers), &status), 0);
    f->event.more = status.fields;
    f->event.metadata = slice_str(metadata);
}

static struct provenance read_it(struct fixture *f) {
    struct provenance p;
    assert_int_equal(provenance_read(&f->reader, &f->event, &p), 0);
    return p;
}

static void teardown(struct fixture *f) {
    provenance_close(&f->reader);
    buf_free(&f->headers);
}

static void test_members_of_metadata(void **state) {
    (void)state;
    struct fixture f;
    setup(&f,
          "{\"actor\":\"ann\",\"reason\":\"she said \\\"no\\\"\",\"correlation_id\":\"c-1\","
          "\"causation_id\":\"e-1\",\"more\":{\"actor\":\"bob\"}}",
          NULL);
    struct provenance p = read_it(&f);
    assert_slice(p.actor, "ann");
    assert_slice(p.reason, "she said \"no\"");
    assert_slice(p.correlation, "c-1");
    assert_slice(p.causation, "e-1");
    teardown(&f);
}

static void test_attributes_where_metadata_has_none(void **state) {
    (void)state;
    static const char *const fields[] = {
        "ce-correlationid", "c-2", "ce-causationid", "e-2", "ce-actor", "carol", "ce-reason",
        "a whim",           NULL};
    struct fixture f;
    setup(&f, "{\"actor\":\"ann\"}", fields);
    struct provenance p = read_it(&f);
    assert_slice(p.actor, "ann");
    assert_slice(p.reason, "a whim");
    assert_slice(p.correlation, "c-2");
    assert_slice(p.causation, "e-2");
    teardown(&f);
}

static void test_what_is_no_text_is_not_taken(void **state) {
    (void)state;
    static const char *const none[] = {
        "", "{}", "{\"actor\":7,\"reason\":null,\"correlation_id\":[\"x\"],\"causation_id\":{}}",
        "{\"actor\":\"a\",\"actor\":\"b\"}", "{\"actor\":\"a\""};
    for (unsigned i = 0; i < array_count(none); i++) {
        struct fixture f;
        setup(&f, none[i], NULL);
        struct provenance p = read_it(&f);
        assert_int_equal(p.actor.len + p.reason.len + p.correlation.len + p.causation.len, 0);
        teardown(&f);
    }
}

static void test_one_reader_for_many_events(void **state) {
    (void)state;
    struct fixture f;
    setup(&f, "{\"actor\":\"a long name\"}", NULL);
    assert_slice(read_it(&f).actor, "a long name");
    f.event.metadata = slice_lit("{\"reason\":\"r\"}");
    struct provenance p = read_it(&f);
    assert_int_equal(p.actor.len, 0);
    assert_slice(p.reason, "r");
    teardown(&f);
}

static void test_the_key_stands_behind_the_authors_tags(void **state) {
    (void)state;
    char key[PROVENANCE_KEY_BYTES], other[PROVENANCE_KEY_BYTES], text[128];
    slice one = provenance_key(slice_lit("visit-9"), key);
    assert_true(provenance_is_key(one));
    assert_false(slice_equal(one, provenance_key(slice_lit("visit-8"), other)));
    struct buf tags = buf_make(128);
    assert_int_equal(event_tag_add(&tags, one), 0);
    assert_true(slice_equal(buf_slice(&tags), one)); /* nothing of it is encoded */
    assert_slice(provenance_own_tags(one), "");
    snprintf(text, sizeof text, "sku:7,user:ann,%.*s", slice_fmt(one));
    assert_slice(provenance_own_tags(slice_str(text)), "sku:7,user:ann");
    assert_slice(provenance_own_tags(slice_lit("sku:7")), "sku:7");
    assert_slice(provenance_own_tags(slice_lit("")), "");
    snprintf(text, sizeof text, "%.*s,sku:7", slice_fmt(one));
    assert_slice(provenance_own_tags(slice_str(text)), text);
    snprintf(text, sizeof text, "sku%.*s", slice_fmt(one));
    assert_slice(provenance_own_tags(slice_str(text)), text);
    buf_free(&tags);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_members_of_metadata),
        cmocka_unit_test(test_attributes_where_metadata_has_none),
        cmocka_unit_test(test_what_is_no_text_is_not_taken),
        cmocka_unit_test(test_one_reader_for_many_events),
        cmocka_unit_test(test_the_key_stands_behind_the_authors_tags),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
