#include "bus_kit.h"

#include "rooms/request/service.h"
#include "wire/json.h"
#include "wire/nats_headers.h"

/* Services of the node, as a client sees them: answered, counted, discovered. */

static int answer_upper(void *owner, const struct bus_message *request, struct buf *answer,
                        struct error *ret_error) {
    unsigned *calls = owner;
    ++*calls;
    if (request->payload.len == 0)
        return error_set(ret_error, 400, "there is nothing to turn into capitals");
    for (size_t i = 0; i < request->payload.len; i++)
        if (buf_append_byte(answer, (char)(request->payload.ptr[i] & ~0x20)))
            return 503;
    return 0;
}

static unsigned calls;
static const struct request_endpoint endpoints[] = {
    {.name = "upper", .subject = "text.upper", .answer = answer_upper, .owner = &calls},
    {.name = "again", .subject = "text.again", .answer = answer_upper, .owner = &calls},
};
static const struct request_service text_service = {
    .name = "text",
    .version = "1.2.3",
    .description = "turns text around",
    .endpoints = endpoints,
    .endpoint_count = 2,
};
static const struct request_service other_service = {
    .name = "other", .version = "0.0.1-rc.1", .description = ""};

struct scene {
    struct house *house;
    struct request_services *services;
    struct catcher answers;
};

/* The service on shard 0, the asker on the last shard. */
static struct scene scene_open(unsigned shards) {
    struct scene scene = {.house = house_open(1, shards)};
    calls = 0;
    assert_int_equal(request_services_create(scene.house->bus[0], &scene.services), 0);
    assert_int_equal(request_service_add(scene.services, &text_service), 0);
    assert_int_equal(request_service_add(scene.services, &other_service), 0);
    house_run(scene.house, SIM_SECOND);
    return scene;
}

static void scene_close(struct scene *scene) {
    request_services_free(scene->services);
    house_run(scene->house, SIM_SECOND);
    house_close(scene->house);
}

/* Asks and gives back the answers until nothing more comes. */
static struct catcher *asked(struct scene *scene, const char *subject, const char *payload) {
    catcher_open(&scene->answers, house_last(scene->house), "answers", NULL);
    house_run(scene->house, SIM_SECOND);
    ask(house_last(scene->house), subject, "answers", payload);
    house_run(scene->house, SIM_SECOND);
    return &scene->answers;
}

static void test_an_endpoint_answers_and_is_counted(void **state) {
    (void)state;
    struct scene scene = scene_open(2);
    struct catcher *got = asked(&scene, "text.upper", "hello");
    assert_int_equal(got->count, 1);
    assert_slice(catcher_at(got, 0)->payload, "HELLO");
    assert_int_equal(calls, 1);
    catcher_close(got);

    got = asked(&scene, "$SRV.STATS.text", "");
    assert_int_equal(got->count, 1);
    struct json_doc doc;
    json_init(&doc);
    assert_int_equal(json_parse(&doc, catcher_at(got, 0)->payload), 0);
    json_value upper = json_element(json_member(json_root(&doc), slice_lit("endpoints")), 0);
    uint64_t requests, errors, total, average;
    assert_int_equal(json_u64(json_member(upper, slice_lit("num_requests")), &requests), 0);
    assert_int_equal(json_u64(json_member(upper, slice_lit("num_errors")), &errors), 0);
    assert_int_equal(json_u64(json_member(upper, slice_lit("processing_time")), &total), 0);
    assert_int_equal(json_u64(json_member(upper, slice_lit("average_processing_time")), &average),
                     0);
    assert_int_equal(requests, 1);
    assert_int_equal(errors, 0);
    assert_int_equal(average, total);
    json_free(&doc);
    catcher_close(got);
    scene_close(&scene);
}

static void test_an_error_comes_in_the_headers(void **state) {
    (void)state;
    struct scene scene = scene_open(1);
    struct catcher *got = asked(&scene, "text.upper", "");
    assert_int_equal(got->count, 1);
    slice value;
    assert_int_equal(catcher_at(got, 0)->payload.len, 0);
    assert_true(
        nats_headers_get(catcher_at(got, 0)->headers, slice_lit("Nats-Service-Error"), &value));
    assert_slice(value, "there is nothing to turn into capitals");
    assert_true(nats_headers_get(catcher_at(got, 0)->headers, slice_lit("Nats-Service-Error-Code"),
                                 &value));
    assert_slice(value, "400");
    catcher_close(got);
    got = asked(&scene, "$SRV.STATS.text", "");
    slice stats = catcher_at(got, 0)->payload;
    assert_true(slice_find_slice(stats, slice_lit("\"num_errors\":1,\"last_error\":\"400:there is "
                                                  "nothing to turn into capitals\"")) > 0);
    catcher_close(got);
    scene_close(&scene);
}

static void test_every_service_answers_a_ping_to_all(void **state) {
    (void)state;
    for (unsigned shards = 1; shards <= 4; shards *= 2) {
        struct scene scene = scene_open(shards);
        struct catcher *got = asked(&scene, "$SRV.PING", "");
        assert_int_equal(got->count, 2);
        assert_true(slice_starts_with(catcher_at(got, 0)->payload,
                                      slice_lit("{\"type\":\"io.nats.micro.v1.ping_response\","
                                                "\"name\":\"text\",\"id\":\"")));
        catcher_close(got);
        scene_close(&scene);
    }
}

static void test_info_describes_the_endpoints(void **state) {
    (void)state;
    struct scene scene = scene_open(2);
    struct catcher *got = asked(&scene, "$SRV.INFO.text", "");
    assert_int_equal(got->count, 1);
    slice info = catcher_at(got, 0)->payload;
    assert_true(slice_find_slice(
                    info, slice_lit("\"version\":\"1.2.3\",\"metadata\":{},\"description\":\"turns "
                                    "text around\",\"endpoints\":[{\"name\":\"upper\",\"subject\":"
                                    "\"text.upper\",\"queue_group\":\"q\",\"metadata\":{}},")) > 0);
    catcher_close(got);
    scene_close(&scene);
}

static void test_one_instance_is_found_by_its_id(void **state) {
    (void)state;
    struct scene scene = scene_open(2);
    struct catcher *got = asked(&scene, "$SRV.PING.text", "");
    struct json_doc doc;
    json_init(&doc);
    slice id;
    char subject[128];
    assert_int_equal(json_parse(&doc, catcher_at(got, 0)->payload), 0);
    assert_int_equal(json_string(json_member(json_root(&doc), slice_lit("id")), &id), 0);
    assert_int_equal(id.len, 22);
    snprintf(subject, sizeof subject, "$SRV.STATS.text.%.*s", slice_fmt(id));
    json_free(&doc);
    catcher_close(got);
    got = asked(&scene, subject, "");
    assert_int_equal(got->count, 1);
    catcher_close(got);
    scene_close(&scene);
}

static void test_what_is_not_offered_has_no_responders(void **state) {
    (void)state;
    struct scene scene = scene_open(2);
    static const char *const subjects[] = {"$SRV.PING.none", "$SRV.PING.text.none", "$SRV.HELP",
                                           "$SRV", "text.lower"};
    for (size_t i = 0; i < array_count(subjects); i++)
        assert_int_equal(ask(house_last(scene.house), subjects[i], "answers", ""), 0);
    request_services_free(scene.services);
    scene.services = NULL;
    house_run(scene.house, SIM_SECOND);
    assert_int_equal(ask(house_last(scene.house), "text.upper", "answers", "x"), 0);
    assert_int_equal(ask(house_last(scene.house), "$SRV.PING", "answers", ""), 0);
    scene_close(&scene);
}

static void test_what_is_no_service_is_refused(void **state) {
    (void)state;
    struct scene scene = scene_open(1);
    static const struct request_endpoint wild = {
        .name = "wild", .subject = "a.*", .answer = answer_upper, .owner = &calls};
    const struct request_service bad[] = {
        {.name = "", .version = "1.0.0"},
        {.name = "a.b", .version = "1.0.0"},
        {.name = "a b", .version = "1.0.0"},
        {.name = "a", .version = "1.0"},
        {.name = "a", .version = "1.0.0x"},
        {.name = "a", .version = "v1.0.0"},
        {.name = "a", .version = "1.0.0", .endpoints = &wild, .endpoint_count = 1},
    };
    for (size_t i = 0; i < array_count(bad); i++)
        assert_int_equal(request_service_add(scene.services, &bad[i]), -EINVAL);
    for (unsigned i = 2; i < REQUEST_SERVICES_MAX; i++)
        assert_int_equal(request_service_add(scene.services, &other_service), 0);
    assert_int_equal(request_service_add(scene.services, &other_service), -ENOBUFS);
    scene_close(&scene);
}

static void test_each_allocation_may_fail(void **state) {
    (void)state;
    bool passed_all = false;
    for (unsigned long at = 1; !passed_all; at++) {
        struct house *house = house_open(1, 1);
        struct request_services *services = NULL;
        unsigned long before = mem_attempts();
        mem_fail_at(at, false);
        int failed = request_services_create(house->bus[0], &services);
        if (!failed)
            failed = request_service_add(services, &text_service);
        passed_all = mem_attempts() - before < at;
        mem_fail_at(0, false);
        assert_int_equal(failed, passed_all ? 0 : -ENOMEM);
        request_services_free(services);
        house_run(house, SIM_SECOND);
        house_close(house);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_endpoint_answers_and_is_counted),
        cmocka_unit_test(test_an_error_comes_in_the_headers),
        cmocka_unit_test(test_every_service_answers_a_ping_to_all),
        cmocka_unit_test(test_info_describes_the_endpoints),
        cmocka_unit_test(test_one_instance_is_found_by_its_id),
        cmocka_unit_test(test_what_is_not_offered_has_no_responders),
        cmocka_unit_test(test_what_is_no_service_is_refused),
        cmocka_unit_test(test_each_allocation_may_fail),
    };
    return cmocka_run_group_tests_name("rooms/service", tests, NULL, NULL);
}
