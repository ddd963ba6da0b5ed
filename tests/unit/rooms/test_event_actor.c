#include "event_kit.h"

#include "rooms/events/actor.h"
#include "rooms/events/append.h"

/* Who is named in the metadata of an event: by whom the event says, by whom it was appended. */

static void assert_named(const char *metadata, const char *name, bool is_sure, const char *wanted) {
    struct event event = {.metadata = slice_str(metadata)};
    struct append_part part = {.events = &event, .event_count = 1};
    struct append append = {.parts = &part, .part_count = 1, .event_count = 1};
    struct actor actor = {slice_str(name), is_sure};
    struct arena arena = arena_make(0, 1u << 20);
    assert_int_equal(actor_name(&append, &actor, &arena), 0);
    assert_slice(event.metadata, wanted);
    arena_free(&arena);
}

static void test_nobody_in_particular_changes_nothing(void **state) {
    (void)state;
    assert_named("", "", false, "");
    assert_named("{\"actor\":\"x\"}", "", true, "{\"actor\":\"x\"}");
}

static void test_a_user_is_named_where_nobody_is(void **state) {
    (void)state;
    assert_named("", "root", false, "{\"actor\":\"root\"}");
    assert_named("{\"a\":{\"actor\":1}}", "root", false,
                 "{\"actor\":\"root\",\"a\":{\"actor\":1}}");
    assert_named("{\"actor\":null,\"b\":2}", "root", false, "{\"actor\":\"root\",\"b\":2}");
    assert_named("{\"actor\":\"x\"}", "root", false, "{\"actor\":\"x\"}");
}

static void test_whom_the_gateway_let_in_is_named_in_any_case(void **state) {
    (void)state;
    assert_named("{\"actor\":\"ann\",\"b\":2}", "ann", true, "{\"actor\":\"ann\",\"b\":2}");
    assert_named("{\"b\":2,\"actor\":\"root\",\"on_behalf_of\":\"y\"}", "ann", true,
                 "{\"actor\":\"ann\",\"on_behalf_of\":\"root\",\"b\":2}");
    assert_named("{\"on_behalf_of\":\"y\"}", "a\"b", true,
                 "{\"actor\":\"a\\\"b\",\"on_behalf_of\":\"y\"}");
    assert_named("{\"\\u0061ctor\":\"root\"}", "ann", true,
                 "{\"actor\":\"ann\",\"on_behalf_of\":\"root\"}");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nobody_in_particular_changes_nothing),
        cmocka_unit_test(test_a_user_is_named_where_nobody_is),
        cmocka_unit_test(test_whom_the_gateway_let_in_is_named_in_any_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
