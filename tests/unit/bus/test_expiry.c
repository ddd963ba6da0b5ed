#include "bus_kit.h"

#include "base/buf.h"
#include "bus/expiry.h"

/* Messages with a time of their own: what the header may say, and when they go. */

static void test_times_are_seconds_or_durations_as_go_has_them(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t seconds; /* -2: refused */
    } cases[] = {{"0", 0},         {"1", 1},       {"90", 90},         {"never", EXPIRY_NEVER},
                 {"NEVER", -1},    {"1s", 1},      {"1m30s", 90},      {"1h", 3600},
                 {"1.5h", 5400},   {"1500ms", 1},  {"2h45m30s", 9930}, {"9223372036", 9223372036},
                 {"1d", -2},       {"1w", -2},     {"999ms", -2},      {"1ns", -2},
                 {"-1", -2},       {"-1s", -2},    {"", -2},           {"x", -2},
                 {"1 s", -2},      {"+1", -2},     {"1e3", -2},        {"9223372037", -2},
                 {"300h300h", -2}, {"forever", -2}};
    for (size_t i = 0; i < array_count(cases); i++) {
        int64_t seconds = -2;
        bool is_one = expiry_parse(slice_str(cases[i].text), &seconds);
        if (is_one != (cases[i].seconds != -2) || (is_one && seconds != cases[i].seconds))
            fail_msg("\"%s\": %d %lld", cases[i].text, is_one, (long long)seconds);
    }
}

/* --- on a virtual clock ------------------------------------------------------------------- */

static struct house *open_house(const char *config) {
    struct house *house = house_open(41, 1);
    house_streams(house);
    if (!kit_stream(house, config))
        fail_msg("%s", kit_error.description);
    return house;
}

static void publish(struct house *house, const char *subject, const char *ttl) {
    char headers[64];
    int len = snprintf(headers, sizeof headers, "NATS/1.0\r\nNats-TTL: %s\r\n\r\n", ttl ? ttl : "");
    bus_publish(house_last(house),
                &(struct bus_message){.subject = slice_str(subject),
                                      .headers = slice_make(headers, ttl ? (size_t)len : 0)},
                NULL, NULL);
    house_run(house, 10 * SIM_MILLISECOND);
}

static struct log_stream_state state_of(struct house *house) {
    return log_stream_state(stream_log(kit_find(house, "S")));
}

static void test_each_goes_in_its_time(void **state) {
    (void)state;
    struct house *house = open_house("{'name':'S','subjects':['s.*'],'allow_msg_ttl':true}");
    publish(house, "s.a", "3");
    publish(house, "s.b", "1s");
    publish(house, "s.c", "1h");
    publish(house, "s.d", NULL);
    publish(house, "s.e", "never");
    house_run(house, 900 * SIM_MILLISECOND);
    assert_int_equal(state_of(house).messages, 5);
    house_run(house, 200 * SIM_MILLISECOND);
    assert_int_equal(state_of(house).messages, 4);
    house_run(house, 2 * SIM_SECOND);
    assert_int_equal(state_of(house).messages, 3);
    house_run(house, 3600 * SIM_SECOND);
    assert_int_equal(state_of(house).messages, 2);
    house_run(house, 3600 * SIM_SECOND);
    assert_int_equal(state_of(house).messages, 2);
    house_close(house);
}

/* Live as after a restart, when it is read back from the log. */
static void test_of_repeated_times_the_first_counts(void **state) {
    (void)state;
    for (unsigned restart = 0; restart < 2; restart++) {
        struct house *house = open_house("{'name':'S','subjects':['s.*'],'allow_msg_ttl':true}");
        publish(house, "s.a", "5\r\nNats-TTL: 1h");
        publish(house, "s.b", "1h\r\nNats-TTL: 5");
        publish(house, "s.c", "\r\nNats-TTL: 5"); /* empty: none */
        if (restart) {
            house_stop(house);
            house_streams(house);
        }
        house_run(house, 6 * SIM_SECOND);
        assert_int_equal(state_of(house).messages, 2);
        assert_int_equal(state_of(house).first_sequence, 2);
        house_close(house);
    }
}

static void test_max_age_is_kept_while_the_timer_sleeps_for_another(void **state) {
    (void)state;
    struct house *house = open_house("{'name':'S','subjects':['s.*'],'allow_msg_ttl':true,"
                                     "'max_age':2000000000,'duplicate_window':1000000000}");
    publish(house, "s.never", "never");
    house_run(house, 5 * SIM_SECOND); /* nothing to do for ten seconds */
    publish(house, "s.a", NULL);
    publish(house, "s.long", "1h"); /* goes by max_age all the same */
    assert_int_equal(state_of(house).messages, 3);
    house_run(house, 2100 * SIM_MILLISECOND);
    assert_int_equal(state_of(house).messages, 1);
    struct log_subject_state subject;
    assert_true(log_subject(stream_log(kit_find(house, "S")), slice_lit("s.never"), &subject));
    house_close(house);
}

static void test_times_are_read_back_after_a_stop(void **state) {
    (void)state;
    struct house *house = open_house("{'name':'S','subjects':['s.*'],'allow_msg_ttl':true}");
    for (unsigned i = 0; i < 300; i++) /* more than one step's */
        publish(house, "s.a", i % 3 ? "60" : "1h");
    house_stop(house);
    house_streams(house);
    assert_int_equal(state_of(house).messages, 300);
    house_run(house, 61 * SIM_SECOND);
    assert_int_equal(state_of(house).messages, 100);
    house_cut(house);
    house_streams(house);
    house_run(house, 3600 * SIM_SECOND);
    assert_int_equal(state_of(house).messages, 0);
    house_close(house);
}

static void test_the_last_of_a_subject_leaves_a_marker_that_leaves_none(void **state) {
    (void)state;
    struct house *house = open_house("{'name':'S','subjects':['s.*'],"
                                     "'subject_delete_marker_ttl':5000000000}");
    publish(house, "s.a", "1");
    publish(house, "s.b", "1");
    publish(house, "s.b", NULL);
    house_run(house, 1200 * SIM_MILLISECOND);
    struct log_stream_state now = state_of(house);
    assert_int_equal(now.messages, 2); /* s.b's other one, and the marker of s.a */
    struct log_record marker;
    assert_int_equal(log_read(house->log, stream_log(kit_find(house, "S")), 4, &marker), 0);
    assert_slice(marker.subject, "s.a");
    assert_true(slice_find_slice(marker.headers, slice_lit("Nats-Marker-Reason: MaxAge")) > 0);
    assert_true(slice_find_slice(marker.headers, slice_lit("Nats-TTL: 5s")) > 0);
    house_run(house, 6 * SIM_SECOND);
    assert_int_equal(state_of(house).messages, 1);
    assert_int_equal(state_of(house).last_sequence, 4);
    house_close(house);
}

static void test_a_sealed_stream_loses_nothing(void **state) {
    (void)state;
    struct house *house = open_house("{'name':'S','subjects':['s.*'],'allow_msg_ttl':true}");
    publish(house, "s.a", "2");
    assert_non_null(kit_update(house, "{'name':'S','subjects':['s.*'],'allow_msg_ttl':true,"
                                      "'sealed':true}"));
    house_run(house, 10 * SIM_SECOND);
    assert_int_equal(state_of(house).messages, 1);
    house_close(house);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_times_are_seconds_or_durations_as_go_has_them),
        cmocka_unit_test(test_each_goes_in_its_time),
        cmocka_unit_test(test_of_repeated_times_the_first_counts),
        cmocka_unit_test(test_max_age_is_kept_while_the_timer_sleeps_for_another),
        cmocka_unit_test(test_times_are_read_back_after_a_stop),
        cmocka_unit_test(test_the_last_of_a_subject_leaves_a_marker_that_leaves_none),
        cmocka_unit_test(test_a_sealed_stream_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
