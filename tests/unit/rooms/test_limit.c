/*
 * test_limit.c - the step that limits, on the loops of a simulated node: exact whichever loop a
 * request comes by, and what happens where the loop that counts does not answer.
 *
 * Exchanges are hollow: what limit.c asks of them (exchange.h) is written down here.
 */
#include "bus_kit.h"

#include "rooms/gateway/limit.h"
#include "rooms/gateway/steps.h"

#define HOUR (3600 * SIM_SECOND)

enum outcome { UNDECIDED, LET_IN, TURNED_AWAY };

/* A request, its exchange, and what became of it. */
struct visit {
    struct exchange x;
    struct arena arena;
    enum outcome outcome;
};

struct scene {
    struct house *house;
    struct metrics *metrics;
    struct room_node node;
    struct room_shard rooms[HOUSE_SHARDS_MAX];
    struct gateway gateway;
    struct gateway_shard shards[HOUSE_SHARDS_MAX];
    struct gateway_route route;
    struct arena arena;
    struct visit *visits;
    unsigned count;
};

static struct visit *visit_of(struct exchange *x) {
    return container_of(x, struct visit, x);
}

/* --- what the step asks of an exchange ---------------------------------------------------------
 */

struct arena *http_request_arena(struct http_request *request) {
    return (struct arena *)(void *)request;
}

void exchange_hold(struct exchange *x, const struct exchange_events *events, void *state) {
    x->events = *events;
    x->state = state;
    x->held = true;
}

void exchange_go_on(struct exchange *x) {
    assert_int_equal(visit_of(x)->outcome, UNDECIDED);
    visit_of(x)->outcome = LET_IN;
}

void exchange_add_field(struct exchange *x, slice name, slice value) {
    x->fields[x->field_count++] = (struct http1_field){name, value};
}

void exchange_print_field(struct exchange *x, const char *name, const char *format, ...) {
    va_list arguments;
    slice text;
    va_start(arguments, format);
    assert_int_equal(arena_vprintf(exchange_arena(x), &text, format, arguments), 0);
    va_end(arguments);
    exchange_add_field(x, slice_str(name), text);
}

void exchange_problem(struct exchange *x, unsigned status, const char *reason, const char *format,
                      ...) {
    (void)reason;
    (void)format;
    assert_int_equal(status, 429);
    assert_int_equal(visit_of(x)->outcome, UNDECIDED);
    visit_of(x)->outcome = TURNED_AWAY;
}

/* --- the scene ---------------------------------------------------------------------------------
 */

static void add_limit(struct scene *s, enum gateway_limit_per per, uint64_t burst) {
    s->route.limits[s->route.limit_count++] = (struct gateway_limit){
        .id = 100 + s->route.limit_count, .per = per, .rate = {1, HOUR}, .burst = burst};
    s->route.limit_policy = (slice){0};
    assert_int_equal(gateway_limits_describe(&s->route, &s->arena), 0);
}

static struct scene *scene_open(unsigned loops) {
    struct scene *s = mem_zalloc(1, sizeof *s);
    s->house = house_open(1, loops);
    s->metrics = metrics_new(loops);
    s->arena = arena_make(0, 1u << 20);
    s->route.name = slice_lit("route");
    s->node = (struct room_node){.host = s->house->host,
                                 .group = s->house->group,
                                 .metrics = s->metrics,
                                 .shards = loops,
                                 .serving = loops};
    s->gateway.node = &s->node;
    io_host_random(s->house->host, s->gateway.secrets, sizeof s->gateway.secrets);
    for (unsigned i = 0; i < loops; i++) {
        s->rooms[i] = (struct room_shard){.node = &s->node,
                                          .loop = bus_loop(s->house->bus[i]),
                                          .bus = s->house->bus[i],
                                          .metrics = metrics_shard(s->metrics, i),
                                          .index = i};
        s->shards[i].gateway = &s->gateway;
        s->shards[i].shard = &s->rooms[i];
        s->gateway.shards[i] = &s->shards[i];
        assert_int_equal(gateway_limits_shard_open(&s->shards[i]), 0);
    }
    house_run(s->house, SIM_SECOND);
    return s;
}

static void scene_clear(struct scene *s) {
    for (unsigned i = 0; i < s->count; i++)
        arena_free(&s->visits[i].arena);
    s->visits = mem_free(s->visits);
    s->count = 0;
}

static void scene_close(struct scene *s) {
    scene_clear(s);
    for (unsigned i = 0; i < s->node.serving; i++)
        gateway_limits_shard_close(&s->shards[i]);
    house_run(s->house, SIM_SECOND);
    arena_free(&s->arena);
    metrics_free(s->metrics);
    house_close(s->house);
    mem_free(s);
}

static void scene_expect(struct scene *s, unsigned count) {
    scene_clear(s);
    s->visits = mem_zalloc(count, sizeof *s->visits);
}

/* One more request, of CLIENT, by the loop INDEX. */
static struct visit *come(struct scene *s, unsigned index, const char *client,
                          const char *principal) {
    struct visit *v = &s->visits[s->count++];
    v->arena = arena_make(0, 1u << 16);
    v->x.shard = &s->shards[index];
    v->x.route = &s->route;
    v->x.request = (struct http_request *)(void *)&v->arena;
    v->x.client = slice_str(client);
    v->x.principal = slice_str(principal);
    if (step_limit(&v->x) == STEP_ON)
        v->outcome = LET_IN;
    return v;
}

static unsigned let_in(const struct scene *s) {
    unsigned count = 0;
    for (unsigned i = 0; i < s->count; i++) {
        assert_int_not_equal(s->visits[i].outcome, UNDECIDED);
        count += s->visits[i].outcome == LET_IN;
    }
    return count;
}

static int64_t figure(const struct scene *s, const char *name) {
    const struct metrics_family *family;
    for (size_t i = 0; (family = metrics_family_at(s->metrics, i)); i++) {
        struct metric metric;
        if (strcmp(family->name, name) != 0)
            continue;
        assert_int_equal(metrics_add_series(s->metrics, family, NULL, &metric), 0);
        return metrics_value(s->metrics, metric);
    }
    fail_msg("no figure %s", name);
    return -1;
}

static slice field(const struct visit *v, const char *name) {
    for (unsigned i = 0; i < v->x.field_count; i++)
        if (slice_equal(v->x.fields[i].name, slice_str(name)))
            return v->x.fields[i].value;
    return (slice){0};
}

/* --- tests -------------------------------------------------------------------------------------
 */

static void as_many_as_the_burst_pass_whichever_loop_they_come_by(void **state) {
    (void)state;
    for (unsigned loops = 1; loops <= 4; loops *= 2) {
        struct scene *s = scene_open(loops);
        add_limit(s, GATEWAY_PER_CLIENT, 50);
        for (unsigned client = 0; client < 8; client++) {
            char address[32];
            snprintf(address, sizeof address, "10.0.0.%u", client);
            scene_expect(s, 200);
            for (unsigned i = 0; i < 200; i++)
                come(s, i % loops, address, "");
            house_run(s->house, SIM_SECOND);
            assert_int_equal(let_in(s), 50);
        }
        assert_int_equal(figure(s, "nonet_gateway_limit_refused_total"), 8 * 150);
        assert_int_equal(figure(s, "nonet_gateway_limit_unanswered_total"), 0);
        assert_int_equal(figure(s, "nonet_gateway_limit_buckets"), 8);
        scene_close(s);
    }
}

static void a_key_is_one_whatever_its_address_and_loop(void **state) {
    (void)state;
    struct scene *s = scene_open(4);
    add_limit(s, GATEWAY_PER_KEY, 10);
    scene_expect(s, 80);
    for (unsigned i = 0; i < 40; i++)
        come(s, i % 4, i % 2 ? "10.0.0.1" : "10.0.0.2", "ann");
    for (unsigned i = 0; i < 40; i++)
        come(s, i % 4, "10.0.0.1", "");
    house_run(s->house, SIM_SECOND);
    assert_int_equal(let_in(s), 20);
    scene_close(s);
}

static void all_limits_of_a_route_are_taken_from_or_none(void **state) {
    (void)state;
    struct scene *s = scene_open(4);
    add_limit(s, GATEWAY_PER_CLIENT, 10);
    add_limit(s, GATEWAY_PER_KEY, 4);
    add_limit(s, GATEWAY_PER_ROUTE, 12);
    scene_expect(s, 300);
    for (unsigned i = 0; i < 100; i++)
        come(s, i % 4, "10.0.0.1", "ann"); /* 4 of them */
    for (unsigned i = 0; i < 100; i++)
        come(s, i % 4, "10.0.0.1", "bob"); /* 4 of them: the address has 10 */
    for (unsigned i = 0; i < 100; i++)
        come(s, i % 4, "10.0.0.2", "eve"); /* 4 of them: the route has 12 */
    house_run(s->house, SIM_SECOND);
    assert_int_equal(let_in(s), 12);
    scene_expect(s, 1);
    struct visit *v = come(s, 3, "10.0.0.3", "joe");
    house_run(s->house, SIM_SECOND);
    assert_int_equal(v->outcome, TURNED_AWAY);
    assert_slice(field(v, "RateLimit"),
                 "\"client\";r=10;t=0, \"key\";r=4;t=0, \"route\";r=0;t=3599");
    assert_slice(field(v, "RateLimit-Policy"),
                 "\"client\";q=10;w=36000, \"key\";q=4;w=14400, \"route\";q=12;w=43200");
    assert_slice(field(v, "Retry-After"), "3599");
    scene_close(s);
}

static void who_is_not_answered_in_a_second_passes_and_is_counted(void **state) {
    (void)state;
    struct scene *s = scene_open(2);
    add_limit(s, GATEWAY_PER_CLIENT, 1);
    /* The other loop hears the questions and keeps silent. */
    struct catcher deaf;
    gateway_limits_shard_close(&s->shards[1]);
    catcher_open(&deaf, s->house->bus[1], "_NONET.gateway.limit.1", NULL);
    house_run(s->house, SIM_SECOND);
    scene_expect(s, 64);
    for (unsigned i = 0; i < 64; i++) {
        char address[32];
        snprintf(address, sizeof address, "10.0.0.%u", i);
        come(s, 0, address, "");
    }
    unsigned asked = 0;
    for (unsigned i = 0; i < 64; i++)
        asked += s->visits[i].outcome == UNDECIDED;
    assert_in_range(asked, 16, 48);
    house_run(s->house, LIMIT_ANSWER_NS - SIM_SECOND / 10);
    assert_int_equal(deaf.count, asked);
    assert_int_equal(figure(s, "nonet_gateway_limit_unanswered_total"), 0);
    house_run(s->house, SIM_SECOND / 5);
    assert_int_equal(let_in(s), 64);
    assert_int_equal(figure(s, "nonet_gateway_limit_unanswered_total"), asked);
    catcher_close(&deaf);
    assert_int_equal(gateway_limits_shard_open(&s->shards[1]), 0);
    scene_close(s);
}

static void where_nobody_hears_a_question_it_passes_at_once(void **state) {
    (void)state;
    struct scene *s = scene_open(2);
    add_limit(s, GATEWAY_PER_CLIENT, 1);
    gateway_limits_shard_close(&s->shards[1]);
    house_run(s->house, SIM_SECOND);
    scene_expect(s, 64);
    for (unsigned i = 0; i < 64; i++) {
        char address[32];
        snprintf(address, sizeof address, "10.0.0.%u", i);
        assert_int_equal(come(s, 0, address, "")->outcome, LET_IN);
    }
    assert_in_range(figure(s, "nonet_gateway_limit_unanswered_total"), 16, 48);
    assert_int_equal(gateway_limits_shard_open(&s->shards[1]), 0);
    scene_close(s);
}

/* The route's one bucket lies on one of two loops: asked from both, one of them must ask. */
static void whoever_goes_while_he_waits_is_not_spoken_to(void **state) {
    (void)state;
    struct scene *s = scene_open(2);
    add_limit(s, GATEWAY_PER_ROUTE, 10);
    scene_expect(s, 3);
    struct visit *one = come(s, 0, "10.0.0.1", ""), *other = come(s, 1, "10.0.0.1", "");
    struct visit *waits = one->outcome == UNDECIDED ? one : other;
    assert_int_equal(waits->outcome, UNDECIDED);
    unsigned asker = waits == one ? 0 : 1;
    waits->x.events.on_gone(&waits->x);
    struct visit *next = come(s, asker, "10.0.0.1", ""); /* in the place of the one gone */
    house_run(s->house, 2 * SIM_SECOND);
    assert_int_equal(waits->outcome, UNDECIDED);
    assert_int_equal(next->outcome, LET_IN);
    assert_slice(field(next, "RateLimit"), "\"default\";r=7;t=3600"); /* his token went with him */
    waits->outcome = LET_IN;
    scene_close(s);
}

static void without_memory_it_passes_and_is_counted(void **state) {
    (void)state;
    struct scene *s = scene_open(2);
    add_limit(s, GATEWAY_PER_CLIENT, 1);
    int64_t passed = 0;
    for (unsigned long at = 1; at < 12; at++) {
        scene_expect(s, 2);
        mem_fail_at(at, false);
        come(s, 0, "10.0.0.1", "");
        come(s, 1, "10.0.0.1", "");
        mem_fail_at(0, false);
        house_run(s->house, 2 * SIM_SECOND);
        passed += let_in(s);
    }
    assert_int_equal(passed, 1 + figure(s, "nonet_gateway_limit_unanswered_total"));
    assert_true(passed > 1);
    scene_close(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_many_as_the_burst_pass_whichever_loop_they_come_by),
        cmocka_unit_test(a_key_is_one_whatever_its_address_and_loop),
        cmocka_unit_test(all_limits_of_a_route_are_taken_from_or_none),
        cmocka_unit_test(who_is_not_answered_in_a_second_passes_and_is_counted),
        cmocka_unit_test(where_nobody_hears_a_question_it_passes_at_once),
        cmocka_unit_test(whoever_goes_while_he_waits_is_not_spoken_to),
        cmocka_unit_test(without_memory_it_passes_and_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
