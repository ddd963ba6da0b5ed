#include "bus_kit.h"

#include "flow/flow.h"

/* The runner between a source and a sink that do what a test tells them to. */

struct scene {
    struct house *house;
    struct flow *flow;
    /* the source */
    uint64_t position, limit, period_ns; /* limit 0: without end */
    uint64_t fails_at;                   /* once; 0: never */
    unsigned sources, seeks;
    uint64_t sought;
    /* the sink */
    uint64_t resume, arrived, confirmed; /* confirmed: told so far */
    uint64_t refuses_at;                 /* once; 0: never */
    unsigned sinks, full;                /* full: so many writes are put off */
    bool confirms, resumes_later, cannot_open;
};

static const char *const kinds[] = {"tick", NULL};

static int source_open(const void *config, uint64_t now_ns, void **ret_self,
                       struct error *ret_error) {
    struct scene *scene = *(struct scene *const *)config;
    (void)now_ns;
    (void)ret_error;
    scene->sources++;
    *ret_self = scene;
    return 0;
}

static int source_next(void *self, uint64_t now_ns, struct flow_record *ret_record,
                       uint64_t *ret_wait_ns) {
    struct scene *scene = self;
    if (scene->limit && scene->position >= scene->limit)
        return -ENODATA;
    if (scene->fails_at && scene->position == scene->fails_at) {
        scene->fails_at = 0;
        return -EIO;
    }
    uint64_t due_ns = scene->position * scene->period_ns;
    if (due_ns > now_ns) {
        *ret_wait_ns = due_ns - now_ns;
        return -EAGAIN;
    }
    *ret_record = (struct flow_record){slice_lit("tick"), slice_lit("x"), scene->position++};
    return 0;
}

static void source_seek(void *self, uint64_t position, uint64_t now_ns) {
    struct scene *scene = self;
    (void)now_ns;
    scene->seeks++;
    scene->sought = scene->position = position;
}

static void source_close(void *self) {
    struct scene *scene = self;
    scene->sources--;
}

static int sink_open(const void *config, struct flow *flow, void **ret_self,
                     struct error *ret_error) {
    struct scene *scene = *(struct scene *const *)config;
    if (scene->cannot_open)
        return error_set(ret_error, -EACCES, "no sink today");
    scene->sinks++;
    *ret_self = scene;
    if (!scene->resumes_later)
        flow_resumed(flow, scene->resume);
    return 0;
}

static int sink_write(void *self, const struct flow_record *record) {
    struct scene *scene = self;
    if (scene->full) {
        scene->full--;
        return -EAGAIN;
    }
    if (scene->refuses_at && record->position == scene->refuses_at) {
        scene->refuses_at = 0;
        return -EHOSTUNREACH;
    }
    assert_int_equal(record->position, scene->arrived);
    scene->arrived++;
    if (scene->confirms) {
        scene->confirmed = scene->arrived;
        flow_written(scene->flow, scene->arrived);
    }
    return 0;
}

static void sink_close(void *self) {
    struct scene *scene = self;
    scene->sinks--;
}

static const struct flow_source source = {
    .name = "fake",
    .kinds = kinds,
    .open = source_open,
    .next = source_next,
    .seek = source_seek,
    .close = source_close,
};
static const struct flow_sink sink = {
    .name = "fake",
    .open = sink_open,
    .write = sink_write,
    .close = sink_close,
};

static int try_begin(struct scene *scene, const char *name, struct error *error) {
    static struct scene *config;
    scene->house = house_open(1, 1);
    config = scene;
    struct flow_options options = {
        .name = slice_str(name),
        .bus = scene->house->bus[0],
        .source = &source,
        .source_config = &config,
        .sink = &sink,
        .sink_config = &config,
    };
    scene->arrived = scene->resume;
    return flow_start(&options, &scene->flow, error);
}

static void begin(struct scene *scene) {
    struct error error = {0};
    assert_int_equal(try_begin(scene, "test", &error), 0);
}

static void end(struct scene *scene) {
    scene->flow = flow_free(scene->flow);
    assert_int_equal(scene->sources, 0);
    assert_int_equal(scene->sinks, 0);
    house_close(scene->house);
}

static void run(struct scene *scene, uint64_t ns) {
    house_run(scene->house, ns);
}

static void assert_stats(const struct scene *scene, enum flow_state state, uint64_t next,
                         uint64_t written, uint64_t failures) {
    struct flow_stats stats = flow_stats(scene->flow);
    assert_int_equal(stats.state, state);
    assert_int_equal(stats.next, next);
    assert_int_equal(stats.written, written);
    assert_int_equal(stats.failures, failures);
}

/* --- the straight way --------------------------------------------------------------------------
 */

static void test_every_record_arrives_once_and_in_order(void **state) {
    (void)state;
    struct scene scene = {.limit = 5000, .confirms = true};
    begin(&scene);
    run(&scene, SIM_SECOND);
    assert_int_equal(scene.arrived, 5000);
    assert_stats(&scene, FLOW_ENDED, 5000, 5000, 0);
    end(&scene);
}

static void test_it_resumes_where_the_sink_says(void **state) {
    (void)state;
    struct scene scene = {.limit = 100, .confirms = true, .resume = 70};
    begin(&scene);
    assert_int_equal(scene.sought, 70);
    run(&scene, SIM_SECOND);
    assert_stats(&scene, FLOW_ENDED, 100, 100, 0);
    end(&scene);
}

static void test_nothing_moves_before_the_sink_knows_where_to_resume(void **state) {
    (void)state;
    struct scene scene = {.limit = 100, .confirms = true, .resume = 40, .resumes_later = true};
    begin(&scene);
    run(&scene, 60 * SIM_SECOND);
    assert_stats(&scene, FLOW_RESUMING, 0, 0, 0);
    assert_int_equal(scene.seeks, 0);
    flow_resumed(scene.flow, 40);
    run(&scene, SIM_SECOND);
    assert_stats(&scene, FLOW_ENDED, 100, 100, 0);
    end(&scene);
}

static void test_it_has_not_ended_before_the_last_record_is_safe(void **state) {
    (void)state;
    struct scene scene = {.limit = 10};
    begin(&scene);
    run(&scene, SIM_SECOND);
    assert_stats(&scene, FLOW_RUNNING, 10, 0, 0);
    flow_written(scene.flow, 9);
    assert_stats(&scene, FLOW_RUNNING, 10, 9, 0);
    flow_written(scene.flow, 10);
    assert_stats(&scene, FLOW_ENDED, 10, 10, 0);
    end(&scene);
}

static void test_a_source_without_records_ends_at_once(void **state) {
    (void)state;
    struct scene scene = {.limit = 10, .resume = 10};
    begin(&scene);
    run(&scene, SIM_SECOND);
    assert_stats(&scene, FLOW_ENDED, 10, 10, 0);
    end(&scene);
}

/* --- push-back ---------------------------------------------------------------------------------
 */

static void test_no_more_than_the_bound_is_in_flight(void **state) {
    (void)state;
    struct scene scene = {.limit = 0};
    begin(&scene);
    run(&scene, SIM_SECOND);
    assert_stats(&scene, FLOW_RUNNING, FLOW_IN_FLIGHT_MAX, 0, 0);
    flow_written(scene.flow, 100);
    run(&scene, SIM_SECOND);
    assert_stats(&scene, FLOW_RUNNING, FLOW_IN_FLIGHT_MAX + 100, 100, 0);
    end(&scene);
}

static void test_a_full_sink_is_given_the_same_record_again(void **state) {
    (void)state;
    struct scene scene = {.limit = 100, .confirms = true, .full = 50};
    begin(&scene);
    run(&scene, SIM_SECOND);
    assert_int_equal(scene.arrived, 100);
    assert_stats(&scene, FLOW_ENDED, 100, 100, 0);
    end(&scene);
}

/* --- failures ----------------------------------------------------------------------------------
 */

static void test_after_a_failure_it_starts_again_behind_the_last_safe_record(void **state) {
    (void)state;
    struct scene scene = {.limit = 100};
    begin(&scene);
    run(&scene, SIM_SECOND);
    assert_int_equal(scene.arrived, 100);
    assert_int_equal(flow_attempt(scene.flow), 1);
    flow_written(scene.flow, 30);
    flow_failed(scene.flow, "a test");
    assert_stats(&scene, FLOW_PAUSED, 100, 30, 1);
    scene.arrived = 30;
    run(&scene, SIM_SECOND);
    assert_int_equal(scene.sought, 30);
    assert_int_equal(scene.arrived, 100);
    assert_int_equal(flow_attempt(scene.flow), 2);
    flow_written(scene.flow, 100);
    assert_stats(&scene, FLOW_ENDED, 100, 100, 1);
    end(&scene);
}

static void test_word_that_comes_while_it_pauses_is_not_taken(void **state) {
    (void)state;
    struct scene scene = {.limit = 100};
    begin(&scene);
    run(&scene, SIM_SECOND);
    flow_failed(scene.flow, "a test");
    flow_written(scene.flow, 60);
    flow_failed(scene.flow, "the same, told twice");
    assert_stats(&scene, FLOW_PAUSED, 100, 0, 1);
    end(&scene);
}

/* How long a failing flow pauses: 100 ms, twice as long each time, 5 s at most. */
static void test_pauses_double_up_to_a_bound_and_begin_anew_after_progress(void **state) {
    (void)state;
    struct scene scene = {.limit = 100};
    begin(&scene);
    run(&scene, SIM_MILLISECOND);
    uint64_t expected_ms = 100;
    for (unsigned i = 0; i < 10; i++) {
        flow_failed(scene.flow, "a test");
        scene.arrived = 0;
        run(&scene, (expected_ms - 1) * SIM_MILLISECOND);
        assert_int_equal(flow_stats(scene.flow).state, FLOW_PAUSED);
        run(&scene, expected_ms / 20 * SIM_MILLISECOND + 5 * SIM_MILLISECOND);
        assert_int_equal(flow_stats(scene.flow).state, FLOW_RUNNING);
        expected_ms = expected_ms * 2 < 5000 ? expected_ms * 2 : 5000;
    }
    flow_written(scene.flow, 1);
    flow_failed(scene.flow, "a test");
    scene.arrived = 1;
    run(&scene, 110 * SIM_MILLISECOND);
    assert_int_equal(flow_stats(scene.flow).state, FLOW_RUNNING);
    end(&scene);
}

static void test_a_record_that_the_sink_refuses_is_tried_again(void **state) {
    (void)state;
    struct scene scene = {.limit = 100, .confirms = true, .refuses_at = 42};
    begin(&scene);
    run(&scene, SIM_SECOND);
    assert_stats(&scene, FLOW_ENDED, 100, 100, 1);
    end(&scene);
}

static void test_a_source_that_fails_is_asked_again(void **state) {
    (void)state;
    struct scene scene = {.limit = 100, .confirms = true, .fails_at = 42};
    begin(&scene);
    run(&scene, SIM_SECOND);
    assert_int_equal(scene.sought, 42);
    assert_stats(&scene, FLOW_ENDED, 100, 100, 1);
    end(&scene);
}

static void test_a_sink_that_says_nothing_for_long_has_failed(void **state) {
    (void)state;
    struct scene scene = {.limit = 10};
    begin(&scene);
    run(&scene, 29 * SIM_SECOND);
    assert_stats(&scene, FLOW_RUNNING, 10, 0, 0);
    scene.arrived = 0;
    for (unsigned i = 0; i < 40 && scene.arrived == 0; i++)
        run(&scene, SIM_SECOND);
    assert_int_equal(scene.arrived, 10);
    assert_int_equal(flow_attempt(scene.flow), 2);
    flow_written(scene.flow, 10);
    assert_stats(&scene, FLOW_ENDED, 10, 10, 1);
    end(&scene);
}

static void test_a_source_with_long_pauses_is_no_failure(void **state) {
    (void)state;
    struct scene scene = {.limit = 20, .period_ns = 60 * SIM_SECOND};
    begin(&scene);
    for (unsigned i = 0; i < 20; i++) {
        run(&scene,
            50 * SIM_SECOND); /* the record is there within, its word comes a little later */
        if (scene.arrived > scene.confirmed)
            flow_written(scene.flow, scene.confirmed = scene.arrived);
        run(&scene, 10 * SIM_SECOND);
        if (scene.arrived > scene.confirmed)
            flow_written(scene.flow, scene.confirmed = scene.arrived);
    }
    assert_int_equal(flow_stats(scene.flow).failures, 0);
    assert_true(scene.arrived >= 19);
    end(&scene);
}

static void test_a_flow_that_cannot_start_leaves_nothing_behind(void **state) {
    (void)state;
    struct scene scene = {.cannot_open = true};
    struct error error = {0};
    assert_int_equal(try_begin(&scene, "test", &error), -EACCES);
    assert_string_equal(error.message, "no sink today");
    end(&scene);
    char name[FLOW_NAME_MAX + 2];
    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = '\0';
    scene.cannot_open = false;
    assert_int_equal(try_begin(&scene, name, &error), -ENAMETOOLONG);
    end(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_record_arrives_once_and_in_order),
        cmocka_unit_test(test_it_resumes_where_the_sink_says),
        cmocka_unit_test(test_nothing_moves_before_the_sink_knows_where_to_resume),
        cmocka_unit_test(test_it_has_not_ended_before_the_last_record_is_safe),
        cmocka_unit_test(test_a_source_without_records_ends_at_once),
        cmocka_unit_test(test_no_more_than_the_bound_is_in_flight),
        cmocka_unit_test(test_a_full_sink_is_given_the_same_record_again),
        cmocka_unit_test(test_after_a_failure_it_starts_again_behind_the_last_safe_record),
        cmocka_unit_test(test_word_that_comes_while_it_pauses_is_not_taken),
        cmocka_unit_test(test_pauses_double_up_to_a_bound_and_begin_anew_after_progress),
        cmocka_unit_test(test_a_record_that_the_sink_refuses_is_tried_again),
        cmocka_unit_test(test_a_source_that_fails_is_asked_again),
        cmocka_unit_test(test_a_sink_that_says_nothing_for_long_has_failed),
        cmocka_unit_test(test_a_source_with_long_pauses_is_no_failure),
        cmocka_unit_test(test_a_flow_that_cannot_start_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
