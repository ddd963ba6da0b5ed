/*
 * test_proxy_names.c - the proxy of a route whose service has a name: its addresses come and go.
 */
#include "town.h"

#include <errno.h>

/* What the name of the services stands for from now on. */
static void name_says(const char *addresses, int failed) {
    sim_name_set(town.desk->sim, "far", addresses, SIM_SECOND, failed);
}

static void each_address_of_a_name_is_a_service(void **state) {
    (void)state;
    town_make(1, 1);
    town_make_near();
    name_says(NEAR " " FAR, 0);
    struct proxy_target *target = town_open();
    assert_int_equal(target->shares[0]->balance.count, 0);
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(ask(ASK), 200); /* the first one waits for the answer */
    assert_int_equal(target->shares[0]->balance.count, 2);
    assert_int_equal(town.services[0].asked, 5);
    assert_int_equal(town.services[1].asked, 5);
    town.services[1].says = BROKEN; /* one address is ejected, not the name */
    for (unsigned i = 0; i < 12; i++)
        (void)ask(ASK);
    assert_false(upstream_at(0)->load.ejected);
    assert_true(upstream_at(1)->load.ejected);
    town_close();
}

static void addresses_share_the_weight_of_their_service(void **state) {
    static int64_t weights[] = {1, 3};
    (void)state;
    town_make(1, 2);
    town_make_near();
    town.config.to.weights = (struct conf_array){weights, 2};
    name_says(NEAR " " FAR, 0); /* of both services: at near nobody listens on the second's port */
    struct proxy_target *target = town_open();
    run(SIM_SECOND);
    const struct balance *balance = &target->shares[0]->balance;
    assert_int_equal(balance->count, 4);
    assert_int_equal(balance->members[1].weight, balance->members[0].weight);
    assert_int_equal(balance->members[2].weight, balance->members[0].weight * 3);
    assert_int_equal(balance->members[3].weight, balance->members[0].weight * 3);
    town_close();
}

static void an_address_that_has_gone_is_drained(void **state) {
    (void)state;
    town_make(1, 1);
    town_make_near();
    name_says(FAR, 0);
    town.config.to.idle_timeout_ns = 3600 * SIM_SECOND;
    town_open();
    struct service *far = &town.services[0];
    far->says = NULL;
    struct stranger *slow = desk_stranger(town.desk), *quick = desk_stranger(town.desk);
    stranger_says(slow, ASK);
    run(SIM_SECOND / 10);
    far->says = OK_HI;
    stranger_says(quick, ASK);
    run(SIM_SECOND / 2);
    assert_int_equal(answers(quick, "200 OK"), 1);
    assert_int_equal(far->open, 2); /* one of them is idle */
    name_says(NEAR, 0);
    run(2 * SIM_SECOND);
    assert_int_equal(far->open, 1);
    assert_int_equal(ask(ASK), 200);
    assert_int_equal(town.services[1].asked, 1);
    say(&far->lines[0], OK_HI);
    run(SIM_SECOND);
    assert_int_equal(answers(slow, "200 OK"), 1);
    assert_int_equal(far->open, 0);
    assert_int_equal(far->asked, 2);
    town_close();
}

static void a_copy_goes_to_each_address_in_turn(void **state) {
    (void)state;
    town_make(1, 1);
    town_make_near();
    sim_name_set(town.desk->sim, "trial", FAR " " NEAR, SIM_SECOND, 0);
    town.config.to.mirror = slice_lit("http://trial:81");
    town_open();
    run(SIM_SECOND);
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(ask(ASK), 200);
    run(SIM_SECOND);
    assert_int_equal(town.services[0].asked, 6 + 3);
    assert_int_equal(town.services[1].asked, 3);
    sim_name_set(town.desk->sim, "trial", NEAR, SIM_SECOND, 0);
    run(2 * SIM_SECOND);
    assert_int_equal(ask(ASK), 200);
    assert_int_equal(town.services[1].asked, 4);
    town_close();
}

static void requests_wait_for_the_first_answer_and_no_longer(void **state) {
    (void)state;
    town_make(1, 1);
    name_says(NULL, -ETIMEDOUT);
    struct proxy_target *target = town_open();
    target->shares[0]->waiting_count = PROXY_WAITING_MAX; /* and not so many, either */
    assert_int_equal(ask(ASK), 503);
    target->shares[0]->waiting_count = 0;
    struct stranger *s = desk_stranger(town.desk), *gone = desk_stranger(town.desk);
    stranger_says(s, ASK);
    stranger_says(gone, ASK);
    run(4 * SIM_SECOND);
    assert_int_equal(stranger_got(s).len, 0);
    stranger_leaves(gone);
    run(2 * SIM_SECOND);
    assert_true(got_contains(s, "503 "));
    assert_true(got_contains(s, "cannot be resolved"));
    assert_int_equal(ask(ASK), 503); /* at once */
    name_says(FAR, 0);
    run(20 * SIM_SECOND);
    assert_int_equal(ask(ASK), 200);
    assert_int_equal(town.services[0].asked, 1);
    town_close();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_address_of_a_name_is_a_service),
        cmocka_unit_test(addresses_share_the_weight_of_their_service),
        cmocka_unit_test(an_address_that_has_gone_is_drained),
        cmocka_unit_test(a_copy_goes_to_each_address_in_turn),
        cmocka_unit_test(requests_wait_for_the_first_answer_and_no_longer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
