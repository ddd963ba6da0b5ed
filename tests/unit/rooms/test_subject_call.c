#include "bus_kit.h"

#include "rooms/gateway/exchange.h"
#include "rooms/gateway/subjects.h"
#include "rooms/gateway/target.h"
#include "wire/json_pick.h"

#include <stdlib.h> /* what is played is not counted among the code's own allocations */

/* Requests and publishes over real streams. The exchange is played: a call begins, its body comes,
   and what it is answered is kept. */

struct asker {
    struct exchange x; /* first: an exchange is its asker */
    struct arena arena;
    slice body;
    unsigned status, answers; /* 0: not answered */
    char text[512];           /* the answer's body, or the problem's detail */
};

struct counter {
    struct house *house;
    struct room_node node;
    struct room_shard room;
    struct gateway gateway;
    struct gateway_shard shard;
    struct gateway_subjects subjects;
    struct arena arena; /* the routes' */
    struct asker askers[64];
    unsigned count;
};

static struct asker *asker_of(const struct exchange *x) {
    return (struct asker *)(uintptr_t)x;
}

/* --- the exchange, played ----------------------------------------------------------------------
 */

void exchange_hold(struct exchange *x, const struct exchange_events *events, void *state) {
    x->events = *events;
    x->state = state;
}

static void answer(struct exchange *x, unsigned status, const char *text, size_t len) {
    struct asker *asker = asker_of(x);
    assert_true(len < sizeof asker->text);
    if (len)
        memcpy(asker->text, text, len);
    asker->text[len] = '\0';
    asker->status = status;
    asker->answers++;
}

void exchange_reply(struct exchange *x, const struct http_answer *said, slice body) {
    answer(x, said->status, body.ptr, body.len);
}

void exchange_problem(struct exchange *x, unsigned status, const char *reason, const char *format,
                      ...) {
    char detail[512];
    va_list arguments;
    (void)reason;
    va_start(arguments, format);
    int len = vsnprintf(detail, sizeof detail, format, arguments);
    va_end(arguments);
    answer(x, status, detail, (size_t)len);
}

int exchange_expand(struct exchange *x, slice text, enum template_kind kind, slice *ret_text) {
    (void)x;
    (void)kind;
    *ret_text = text;
    return 0;
}

struct arena *http_request_arena(struct http_request *request) {
    return &((struct asker *)(void *)request)->arena;
}

slice http_request_body(const struct http_request *request) {
    return ((const struct asker *)(const void *)request)->body;
}

bool http_request_has_body(const struct http_request *request, uint64_t *ret_length) {
    *ret_length = http_request_body(request).len;
    return true;
}

const struct http1_field *http_request_fields(const struct http_request *request, size_t *count) {
    (void)request;
    *count = 0;
    return NULL;
}

bool http_request_field(const struct http_request *request, slice name, slice *ret_value) {
    (void)request;
    (void)name;
    (void)ret_value;
    return false;
}

slice http_request_method(const struct http_request *request) {
    (void)request;
    return slice_lit("POST");
}

slice http_request_target(const struct http_request *request) {
    (void)request;
    return slice_lit("/");
}

slice http_request_query(const struct http_request *request) {
    (void)request;
    return (slice){0};
}

/* --- the counter -------------------------------------------------------------------------------
 */

static struct counter *counter_open(unsigned shards, const char *stream) {
    struct counter *c = calloc(1, sizeof *c);
    assert_non_null(c);
    c->house = house_open(3, shards);
    house_streams(c->house);
    if (stream)
        assert_non_null(kit_stream(c->house, stream));
    c->node = (struct room_node){.host = c->house->host};
    c->node.limits.payload_bytes_max = 4096;
    c->gateway.node = &c->node;
    c->room = (struct room_shard){
        .node = &c->node, .loop = bus_loop(c->house->bus[0]), .bus = c->house->bus[0]};
    c->shard.gateway = &c->gateway;
    c->shard.shard = &c->room;
    c->shard.subjects = &c->subjects;
    c->arena = arena_make(0, 1u << 20);
    assert_int_equal(subject_acks_create(&c->subjects.acks), 0);
    return c;
}

static void counter_close(struct counter *c) {
    for (unsigned i = 0; i < c->count; i++)
        arena_free(&c->askers[i].arena);
    json_picker_free(c->subjects.acks);
    arena_free(&c->arena);
    house_close(c->house);
    free(c);
}

/* A call to TO is under way, its body not yet there. */
static struct asker *begin(struct counter *c, const struct gateway_to *to, const char *body) {
    const struct gateway_target *target =
        request_target.chosen(to) ? &request_target : &publish_target;
    struct gateway_route_config config = {.to = *to};
    struct error error = {0};
    void *self;
    assert_true(c->count < array_count(c->askers));
    struct asker *asker = &c->askers[c->count++];
    asker->arena = arena_make(0, 1u << 16);
    asker->body = slice_str(body);
    asker->x.shard = &c->shard;
    asker->x.request = (struct http_request *)(void *)asker;
    asker->x.request_id = slice_lit("r");
    assert_int_equal(target->open(&c->gateway, &config, &c->arena, &self, &error), 0);
    target->start(&asker->x, self);
    return asker;
}

static struct asker *call(struct counter *c, const struct gateway_to *to, const char *body) {
    struct asker *asker = begin(c, to, body);
    if (!asker->status)
        asker->x.events.on_body_end(&asker->x, (slice){0});
    return asker;
}

static void assert_answer(const struct asker *asker, unsigned status, const char *text) {
    assert_int_equal(asker->answers, 1);
    assert_int_equal(asker->status, status);
    if (!strstr(asker->text, text))
        fail_msg("'%s' is not in '%s'", text, asker->text);
}

static void run(struct counter *c, unsigned ms) {
    house_run(c->house, ms * SIM_MILLISECOND);
}

#define REQUEST(subject_)                                                                          \
    (&(struct gateway_to){.request = slice_lit(subject_), .timeout_ns = SIM_SECOND})
#define PUBLISH(subject_) (&(struct gateway_to){.publish = slice_lit(subject_)})
#define DURABLE(subject_)                                                                          \
    (&(struct gateway_to){                                                                         \
        .publish = slice_lit(subject_), .durable = true, .timeout_ns = SIM_SECOND})

static void respond(struct catcher *catcher, const struct bus_message *message) {
    struct bus_message reply = {.subject = message->reply, .payload = message->payload};
    bus_publish(catcher->bus, &reply, NULL, NULL);
}

/* --- request -----------------------------------------------------------------------------------
 */

static void test_a_request_is_answered_by_whoever_listens(void **state) {
    (void)state;
    for (unsigned shards = 1; shards <= 4; shards *= 2) {
        struct counter *c = counter_open(shards, NULL);
        struct catcher service;
        catcher_open(&service, house_last(c->house), "svc.*", NULL);
        service.also = respond;
        run(c, 100);
        struct asker *asker = call(c, REQUEST("svc.a"), "hello");
        run(c, 100);
        assert_answer(asker, 200, "hello");
        catcher_close(&service);
        counter_close(c);
    }
}

static void test_nobody_and_no_answer_in_time(void **state) {
    (void)state;
    struct counter *c = counter_open(2, NULL);
    struct catcher silent;
    catcher_open(&silent, house_last(c->house), "silent", NULL);
    run(c, 100);
    struct asker *nobody = call(c, REQUEST("svc.a"), "x"), *late = call(c, REQUEST("silent"), "x");
    run(c, 10);
    assert_answer(nobody, 503, "nobody");
    run(c, 900);
    assert_int_equal(late->answers, 0);
    run(c, 200);
    assert_answer(late, 504, "in time");
    catcher_close(&silent);
    counter_close(c);
}

static void test_a_client_that_goes_is_not_answered(void **state) {
    (void)state;
    struct counter *c = counter_open(2, "{'name':'S','subjects':['s.>']}");
    struct catcher service;
    catcher_open(&service, house_last(c->house), "svc", NULL);
    run(c, 100);
    struct asker *asked[] = {begin(c, REQUEST("svc"), "x"), call(c, REQUEST("svc"), "x"),
                             call(c, DURABLE("s.a"), "x")};
    for (unsigned i = 0; i < array_count(asked); i++)
        asked[i]->x.events.on_gone(&asked[i]->x);
    run(c, 100);
    assert_int_equal(service.count, 1);
    respond(&service, catcher_at(&service, 0));
    run(c, 3000);
    for (unsigned i = 0; i < array_count(asked); i++)
        assert_int_equal(asked[i]->answers, 0);
    catcher_close(&service);
    counter_close(c);
}

/* --- publish -----------------------------------------------------------------------------------
 */

static void test_a_publish_is_heard_and_answered_at_once(void **state) {
    (void)state;
    struct counter *c = counter_open(2, NULL);
    struct catcher heard;
    catcher_open(&heard, house_last(c->house), "p.*", NULL);
    run(c, 100);
    struct asker *asker = call(c, PUBLISH("p.a"), "x");
    assert_answer(asker, 202, "{\"subject\":\"p.a\"}");
    assert_answer(call(c, PUBLISH("q.a"), "x"), 202, "{\"subject\":\"q.a\"}");
    catcher_wait(c->house, &heard, 1);
    assert_slice(catcher_at(&heard, 0)->payload, "x");
    catcher_close(&heard);
    counter_close(c);
}

static void test_a_durable_publish_is_answered_when_it_is_on_disk(void **state) {
    (void)state;
    struct counter *c = counter_open(2, "{'name':'S','subjects':['s.>']}");
    sim_disk_slow(c->house->host, 10000);
    struct asker *asker = call(c, DURABLE("s.a"), "x");
    run(c, 100);
    assert_int_equal(asker->answers, 0);
    sim_disk_slow(c->house->host, 1);
    for (unsigned i = 0; i < 1000 && !asker->answers; i++)
        run(c, 1);
    assert_answer(asker, 202, "{\"stream\":\"S\",\"seq\":1}");
    asker = call(c, DURABLE("s.b"), "x");
    run(c, 500);
    assert_answer(asker, 202, "{\"stream\":\"S\",\"seq\":2}");
    counter_close(c);
}

static void babble(struct catcher *catcher, const struct bus_message *message) {
    static const char *const words[] = {
        "thanks",         "{}",         "{\"stream\":\"L\",\"seq\":0}", "{\"stream\":7,\"seq\":7}",
        "{\"error\":{}}", "{\"seq\":1}"};
    for (unsigned i = 0; i < array_count(words); i++) {
        struct bus_message reply = {.subject = message->reply, .payload = slice_str(words[i])};
        bus_publish(catcher->bus, &reply, NULL, NULL);
    }
}

static void test_what_is_no_acknowledgement_is_passed_over(void **state) {
    (void)state;
    struct counter *c = counter_open(1, "{'name':'S','subjects':['s.>']}");
    struct catcher others, alone;
    catcher_open(&others, house_last(c->house), "s.>", NULL);
    catcher_open(&alone, house_last(c->house), "t.>", NULL);
    others.also = alone.also = babble;
    struct asker *stored = call(c, DURABLE("s.a"), "x"), *lost = call(c, DURABLE("t.a"), "x");
    struct asker *nobody = call(c, DURABLE("u.a"), "x");
    run(c, 500);
    assert_answer(stored, 202, "{\"stream\":\"S\",\"seq\":1}");
    assert_answer(nobody, 503, "no stream stores");
    assert_int_equal(lost->answers, 0);
    run(c, 600);
    assert_answer(lost, 503, "no stream has confirmed");
    catcher_close(&others);
    catcher_close(&alone);
    counter_close(c);
}

static void test_refusals_have_their_statuses(void **state) {
    (void)state;
    static const struct {
        const char *ack;
        unsigned status;
        const char *words;
    } cases[] = {
        {"{'error':{'code':400,'err_code':10071,'description':'wrong last sequence: 7'}}", 412,
         "wrong last sequence: 7"},
        {"{'error':{'code':400,'err_code':10070,'description':'wrong last msg ID: a'}}", 412, "ID"},
        {"{'error':{'code':400,'err_code':10060,'description':'expected stream'}}", 412, "stream"},
        {"{'error':{'code':400,'err_code':10164,'description':'wrong'}}", 412, "wrong"},
        {"{'error':{'code':400,'err_code':10054,'description':'message size'}}", 413, "size"},
        {"{'error':{'code':400,'err_code':10003,'description':'bad request'}}", 400, "bad"},
        {"{'error':{'code':503,'err_code':10077,'description':'maximum bytes exceeded'}}", 507,
         "maximum"},
        {"{'error':{'code':503,'err_code':10077,'description':'no space left on device'}}", 507,
         "space"},
        {"{'error':{'code':503,'err_code':10077,'description':'the log has failed: EIO'}}", 503,
         "could not be stored"},
        {"{'error':{'code':429,'err_code':10167,'description':'too many requests'}}", 503,
         "could not be stored"},
        {"{'error':{'code':500}}", 503, "could not be stored"},
    };
    struct counter *c = counter_open(1, NULL);
    for (unsigned i = 0; i < array_count(cases); i++) {
        struct catcher stream;
        char ack[256];
        catcher_open(&stream, house_last(c->house), "s.a", NULL);
        struct asker *asker = call(c, DURABLE("s.a"), "x");
        snprintf(ack, sizeof ack, "%s", cases[i].ack);
        for (char *at = ack; *at; at++)
            *at = *at == '\'' ? '"' : *at;
        struct bus_message reply = {.subject = catcher_at(&stream, 0)->reply,
                                    .payload = slice_str(ack)};
        bus_publish(stream.bus, &reply, NULL, NULL);
        run(c, 10);
        assert_answer(asker, cases[i].status, cases[i].words);
        catcher_close(&stream);
    }
    counter_close(c);
}

/* --- too much ----------------------------------------------------------------------------------
 */

static void test_while_the_bus_is_full_calls_wait(void **state) {
    (void)state;
    struct counter *c = counter_open(2, "{'name':'S','subjects':['s.>']}");
    bus_set_stream_full(house_last(c->house), true);
    run(c, 100);
    struct asker *waits = call(c, DURABLE("s.a"), "x"), *also = call(c, PUBLISH("s.b"), "x");
    struct asker *goes = call(c, DURABLE("s.c"), "x");
    goes->x.events.on_gone(&goes->x);
    run(c, 300);
    assert_int_equal(waits->answers + also->answers, 0);
    bus_set_stream_full(house_last(c->house), false);
    run(c, 300);
    assert_answer(waits, 202, "\"seq\":1}");
    assert_answer(also, 202, "s.b");
    assert_int_equal(goes->answers, 0);
    counter_close(c);
}

static void test_and_are_told_when_they_waited_in_vain(void **state) {
    (void)state;
    struct counter *c = counter_open(2, "{'name':'S','subjects':['s.>']}");
    bus_set_stream_full(house_last(c->house), true);
    run(c, 100);
    struct asker *asker = call(c, DURABLE("s.a"), "x");
    run(c, 1100);
    assert_answer(asker, 503, "more messages");
    bus_set_stream_full(house_last(c->house), false);
    run(c, 1000);
    assert_int_equal(asker->answers, 1);
    counter_close(c);
}

static void test_a_message_is_bounded_with_its_headers(void **state) {
    (void)state;
    struct counter *c = counter_open(1, NULL);
    char body[4098];
    memset(body, 'x', sizeof body);
    body[4097] = '\0';
    struct asker *over = begin(c, PUBLISH("p"), body);
    assert_answer(over, 413, "4096"); /* before its body is read */
    body[4096] = '\0';
    assert_answer(call(c, PUBLISH("p"), body), 413, "headers");
    body[3900] = '\0';
    assert_answer(call(c, PUBLISH("p"), body), 202, "p");
    counter_close(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_request_is_answered_by_whoever_listens),
        cmocka_unit_test(test_nobody_and_no_answer_in_time),
        cmocka_unit_test(test_a_client_that_goes_is_not_answered),
        cmocka_unit_test(test_a_publish_is_heard_and_answered_at_once),
        cmocka_unit_test(test_a_durable_publish_is_answered_when_it_is_on_disk),
        cmocka_unit_test(test_what_is_no_acknowledgement_is_passed_over),
        cmocka_unit_test(test_refusals_have_their_statuses),
        cmocka_unit_test(test_while_the_bus_is_full_calls_wait),
        cmocka_unit_test(test_and_are_told_when_they_waited_in_vain),
        cmocka_unit_test(test_a_message_is_bounded_with_its_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
