#include "event_kit.h"

#include "rooms/events/events.h"
#include "rooms/events/openapi.h"
#include "rooms/events/operations.h"

/* The OpenAPI document against the routes: all that is served is in it, and nothing else. That it
 * is valid, and true of answers, is tests/e2e's. */

struct document {
    struct buf text;
    struct json_doc json;
    unsigned served;
};

static void lower(const char *method, char *out) {
    for (; *method; method++)
        *out++ = (char)(*method | 0x20);
    *out = '\0';
}

static json_value find_operation(struct document *d, const struct http_route *route) {
    char method[16];
    lower(route->method, method);
    json_value paths = json_member(json_root(&d->json), slice_lit("paths"));
    return json_member(json_member(paths, slice_str(route->pattern)), slice_str(method));
}

static int look_up(void *self, const struct http_route *route) {
    struct document *d = self;
    json_value operation = find_operation(d, route);
    assert_int_equal(json_type_of(operation), JSON_OBJECT);
    assert_true(json_count(json_member(operation, slice_lit("responses"))) > 1);
    d->served++;
    return 0;
}

static void test_everything_that_is_served_is_described(void **state) {
    (void)state;
    struct document d = {.text = buf_make(1u << 20)};
    struct http_routes *routes;
    json_init(&d.json);
    assert_int_equal(openapi_write(&d.text), 0);
    assert_int_equal(json_parse(&d.json, buf_slice(&d.text)), 0);
    assert_int_equal(http_routes_create(&routes), 0);
    assert_int_equal(events_http_routes(routes, NULL), 0);
    assert_int_equal(http_routes_each(routes, look_up, &d), 0);
    unsigned described = 0;
    struct json_iterator i = json_each(json_member(json_root(&d.json), slice_lit("paths")));
    while (json_next(&i))
        described += json_count(i.value);
    assert_int_equal(described, d.served);
    assert_int_equal(described, event_operation_count);
    http_routes_unref(routes);
    json_free(&d.json);
    buf_free(&d.text);
}

/* A route that is new is not the gateway's by mistake. */
static void test_what_the_gateway_may_come_to(void **state) {
    (void)state;
    static const char *const open[] = {
        "appendToStream", "readStream", "readEvent", "readState",
        "append",         "readEvents", "describe",
    };
    unsigned count = 0;
    for (unsigned i = 0; i < event_operation_count; i++) {
        bool listed = false;
        for (size_t k = 0; k < array_count(open); k++)
            listed |= strcmp(open[k], event_operations[i].id) == 0;
        assert_int_equal(event_operations[i].route.for_gateway, listed);
        count += listed;
    }
    assert_int_equal(count, array_count(open));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything_that_is_served_is_described),
        cmocka_unit_test(test_what_the_gateway_may_come_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
