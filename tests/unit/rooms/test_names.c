/*
 * test_names.c - the names of a loop's services on a simulated machine: when they are asked for,
 * who is told of what, what failures take away and what they do not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rooms/gateway/names.h"
#include "sim.h"
#include "wire/json_write.h"

#include <errno.h>
#include <string.h>

#define SHOP slice_lit("shop.internal")

struct place {
    struct sim *sim;
    struct io_group *group;
    struct logger *logger;
    struct room_node node;
    struct room_shard room;
    struct gateway gateway;
    struct gateway_shard shard;
    struct gateway_watch watch;
    unsigned told;
    bool short_of_memory;
};

static struct place place;

static int on_change(struct gateway_watch *watch) {
    (void)watch;
    place.told++;
    return place.short_of_memory ? -ENOMEM : 0;
}

static void place_open(void) {
    memset(&place, 0, sizeof place);
    place.sim = sim_create(1, NULL);
    struct io_host *host = sim_host_create(place.sim, "here");
    assert_int_equal(io_group_create(host, 1, &place.group), 0);
    assert_int_equal(logger_create(host, LOG_LEVEL_DEBUG, &place.logger), 0);
    sim_group_start(place.group, NULL, NULL);
    place.node = (struct room_node){.host = host, .logger = place.logger, .shards = 1};
    place.room = (struct room_shard){.node = &place.node, .loop = io_group_loop(place.group, 0)};
    place.gateway = (struct gateway){.node = &place.node};
    place.shard = (struct gateway_shard){
        .gateway = &place.gateway, .shard = &place.room, .random = random_make(1)};
}

static void place_close(void) {
    gateway_watch_end(&place.watch);
    gateway_names_close(&place.shard);
    assert_int_equal(sim_open_handles(place.sim), 1); /* the group */
    io_group_free(place.group);
    logger_free(place.logger);
    sim_free(place.sim);
}

static void watch(slice host) {
    assert_int_equal(gateway_watch_begin(&place.shard, host, on_change, &place.watch), 0);
    assert_int_equal(place.told, 0);
}

static void run(uint64_t span_ns) {
    sim_run_for(place.sim, span_ns);
}

static void dns_says(const char *addresses, uint64_t ttl_ns, int failed) {
    sim_name_set(place.sim, "shop.internal", addresses, ttl_ns, failed);
}

static unsigned count_of(void) {
    unsigned count;
    (void)gateway_name_addresses(place.watch.name, &count);
    return count;
}

/* How often the log says TEXT. */
static unsigned said(const char *text) {
    unsigned count = 0;
    for (const char *at = sim_log_text(place.node.host); (at = strstr(at, text)) != NULL; at++)
        count++;
    return count;
}

static void assert_status(const char *wanted) {
    struct buf text = buf_make(1u << 16);
    struct json_writer w = json_writer_make(&text, false);
    gateway_names_write(&place.shard, &w);
    assert_int_equal(buf_append(&text, slice_make("", 1)), 0);
    assert_string_equal(text.ptr, wanted);
    buf_free(&text);
}

/* --- what is a name ----------------------------------------------------------------------------
 */

static void addresses_and_localhost_are_not_watched(void **state) {
    (void)state;
    assert_true(gateway_name_is(SHOP));
    assert_true(gateway_name_is(slice_lit("shop")));
    assert_true(gateway_name_is(slice_lit("notlocalhost")));
    assert_false(gateway_name_is(slice_lit("10.0.0.1")));
    assert_false(gateway_name_is(slice_lit("::1")));
    assert_false(gateway_name_is(slice_lit("LocalHost")));
    assert_false(gateway_name_is(slice_lit("localhost.")));
    assert_false(gateway_name_is(slice_lit("a.localhost")));
}

/* --- answers -----------------------------------------------------------------------------------
 */

static void a_name_is_asked_again_when_its_time_is_over(void **state) {
    (void)state;
    place_open();
    dns_says("10.0.0.7 10.0.0.8", 10 * SIM_SECOND, 0);
    watch(slice_lit("Shop.INTERNAL"));
    assert_true(gateway_name_is_asked_first(place.watch.name));
    run(SIM_SECOND);
    assert_false(gateway_name_is_asked_first(place.watch.name));
    assert_int_equal(place.told, 1);
    assert_int_equal(count_of(), 2);
    dns_says("10.0.0.8 10.0.0.7", 10 * SIM_SECOND, 0); /* the same, in another order */
    run(20 * SIM_SECOND);
    assert_int_equal(place.told, 1);
    dns_says("10.0.0.9", 10 * SIM_SECOND, 0);
    run(8 * SIM_SECOND);
    assert_int_equal(count_of(), 2);
    run(4 * SIM_SECOND);
    assert_int_equal(place.told, 2);
    assert_int_equal(count_of(), 1);
    assert_int_equal(said("has these addresses now"), 2);
    assert_status("{\"shop.internal\":{\"state\":\"known\",\"addresses\":[\"10.0.0.9\"],"
                  "\"ttl_s\":10}}");
    place_close();
}

static void all_who_watch_a_name_share_it(void **state) {
    (void)state;
    place_open();
    struct gateway_watch other = {.name = NULL};
    dns_says("10.0.0.7", SIM_SECOND, 0);
    watch(SHOP);
    run(SIM_SECOND / 2);
    assert_int_equal(gateway_watch_begin(&place.shard, SHOP, on_change, &other), 0);
    assert_ptr_equal(other.name, place.watch.name);
    assert_false(gateway_name_is_asked_first(other.name));
    dns_says("10.0.0.8", SIM_SECOND, 0);
    run(2 * SIM_SECOND);
    assert_int_equal(place.told, 3);
    gateway_watch_end(&place.watch);
    gateway_watch_end(&place.watch); /* again: nothing */
    assert_null(place.watch.name);
    dns_says("10.0.0.9", SIM_SECOND, 0);
    run(2 * SIM_SECOND);
    assert_int_equal(place.told, 4);
    gateway_watch_end(&other);
    assert_status("{}");
    place_close();
}

static void who_had_no_memory_is_told_once_more(void **state) {
    (void)state;
    place_open();
    dns_says("10.0.0.7", 300 * SIM_SECOND, 0);
    place.short_of_memory = true;
    watch(SHOP);
    run(SIM_SECOND / 2);
    assert_int_equal(place.told, 1);
    place.short_of_memory = false;
    run(2 * SIM_SECOND);
    assert_int_equal(place.told, 2);
    run(100 * SIM_SECOND);
    assert_int_equal(place.told, 2);
    place_close();
}

static void a_name_ends_while_it_is_asked_for(void **state) {
    (void)state;
    place_open();
    dns_says(NULL, 0, -ETIMEDOUT);
    watch(SHOP);
    run(SIM_SECOND);
    place_close();
    assert_int_equal(place.told, 0);
}

/* --- failures ----------------------------------------------------------------------------------
 */

static void a_dns_that_fails_takes_nothing_away(void **state) {
    static const int failures[] = {-ETIMEDOUT, -ECONNREFUSED, -EAGAIN};
    (void)state;
    for (unsigned i = 0; i < array_count(failures); i++) {
        place_open();
        dns_says("10.0.0.7", SIM_SECOND, 0);
        watch(SHOP);
        run(SIM_SECOND / 2);
        dns_says(NULL, 0, failures[i]);
        run(3600 * SIM_SECOND);
        assert_int_equal(place.told, 1);
        assert_int_equal(count_of(), 1);
        assert_int_equal(said("its last addresses go on"), 1);
        dns_says("10.0.0.7", SIM_SECOND, 0);
        run(30 * SIM_SECOND);
        assert_int_equal(said("is resolved again"), 1);
        assert_int_equal(place.told, 1); /* nothing has changed */
        place_close();
    }
}

static void after_failures_it_is_asked_again_soon_and_then_later(void **state) {
    (void)state;
    place_open();
    dns_says(NULL, 0, -EAGAIN);
    watch(SHOP);
    run(SIM_SECOND / 2);
    assert_int_equal(place.told, 1); /* who waits is told that there is nothing */
    assert_false(gateway_name_is_asked_first(place.watch.name));
    assert_status("{\"shop.internal\":{\"state\":\"unknown\",\"addresses\":[],\"ttl_s\":0,"
                  "\"reason\":\"Resource temporarily unavailable\"}}");
    dns_says("10.0.0.7", SIM_SECOND, 0);
    run(SIM_SECOND); /* in one second */
    assert_int_equal(count_of(), 1);
    dns_says(NULL, 0, -EAGAIN);
    run(100 * SIM_SECOND); /* asked at 1, 2, 4, 8, 16, 32, 48, ... from the first failure on */
    dns_says("10.0.0.8 10.0.0.9", SIM_SECOND, 0);
    run(17 * SIM_SECOND);
    assert_int_equal(count_of(), 2);
    place_close();
}

static void a_name_that_is_said_not_to_exist_is_let_go_after_a_while(void **state) {
    (void)state;
    place_open();
    dns_says("10.0.0.7", SIM_SECOND, 0);
    watch(SHOP);
    run(SIM_SECOND / 2);
    dns_says(NULL, 0, -ENOENT);
    run(20 * SIM_SECOND);
    assert_int_equal(count_of(), 1);
    dns_says("10.0.0.7", SIM_SECOND, 0); /* it was nothing */
    run(20 * SIM_SECOND);
    dns_says(NULL, 0, -ENOENT);
    run(25 * SIM_SECOND);
    assert_int_equal(count_of(), 1);
    assert_int_equal(place.told, 1);
    run(25 * SIM_SECOND);
    assert_int_equal(count_of(), 0);
    assert_int_equal(place.told, 2);
    assert_int_equal(said("it gets no requests"), 1);
    dns_says("10.0.0.7", SIM_SECOND, 0);
    run(20 * SIM_SECOND);
    assert_int_equal(count_of(), 1);
    assert_int_equal(place.told, 3);
    place_close();
}

/* --- servers -----------------------------------------------------------------------------------
 */

static void other_servers_are_asked_at_once(void **state) {
    (void)state;
    place_open();
    assert_int_equal(gateway_names_set_servers(&place.shard, NULL), 0); /* nothing to be done */
    assert_null(place.shard.names);
    assert_int_equal(gateway_names_set_servers(&place.shard, "10.0.0.2:53"), 0);
    dns_says("10.0.0.7", 300 * SIM_SECOND, 0);
    watch(SHOP);
    run(SIM_SECOND);
    dns_says("10.0.0.8", 300 * SIM_SECOND, 0);
    assert_int_equal(gateway_names_set_servers(&place.shard, "10.0.0.2:53"), 0);
    run(SIM_SECOND);
    assert_int_equal(place.told, 1); /* the same ones */
    assert_int_equal(gateway_names_set_servers(&place.shard, NULL), 0);
    run(SIM_SECOND);
    assert_int_equal(place.told, 2);
    run(400 * SIM_SECOND);
    assert_int_equal(place.told, 2);
    place_close();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_and_localhost_are_not_watched),
        cmocka_unit_test(a_name_is_asked_again_when_its_time_is_over),
        cmocka_unit_test(all_who_watch_a_name_share_it),
        cmocka_unit_test(who_had_no_memory_is_told_once_more),
        cmocka_unit_test(a_name_ends_while_it_is_asked_for),
        cmocka_unit_test(a_dns_that_fails_takes_nothing_away),
        cmocka_unit_test(after_failures_it_is_asked_again_soon_and_then_later),
        cmocka_unit_test(a_name_that_is_said_not_to_exist_is_let_go_after_a_while),
        cmocka_unit_test(other_servers_are_asked_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
