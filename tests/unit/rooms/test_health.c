/* Health, ejection and the budget of retries: state machines, moved by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rooms/gateway/health.h"
#include "rooms/gateway/retry.h"

#define SECOND UINT64_C(1000000000)

/* --- health ------------------------------------------------------------------------------------
 */

/* ANSWERS: '+' good, '-' bad. After each one the state has changed where CHANGES has an 'x'. */
static void play(struct health *health, const char *answers, const char *changes) {
    for (unsigned i = 0; answers[i]; i++)
        assert_int_equal(health_note(health, answers[i] == '+', 2, 3), changes[i] == 'x');
}

static void the_first_answer_decides(void **state) {
    (void)state;
    struct health health = {0};
    play(&health, "+", "x");
    assert_int_equal(health.state, HEALTH_WELL);
    health = (struct health){0};
    play(&health, "-", "x");
    assert_int_equal(health.state, HEALTH_UNWELL);
}

static void it_falls_and_rises_by_answers_in_a_row(void **state) {
    (void)state;
    struct health health = {0};
    play(&health, "+--+---", "x.....x");
    assert_int_equal(health.state, HEALTH_UNWELL);
    play(&health, "-+-++", "....x");
    assert_int_equal(health.state, HEALTH_WELL);
    play(&health, "--", "..");
    assert_int_equal(health.state, HEALTH_WELL);
}

/* --- ejection ----------------------------------------------------------------------------------
 */

static void failures_in_a_row_eject(void **state) {
    (void)state;
    struct ejection ejection = {0};
    assert_int_equal(ejection_note(&ejection, false, 3), 0);
    assert_int_equal(ejection_note(&ejection, false, 3), 0);
    assert_int_equal(ejection_note(&ejection, true, 3), 0);
    assert_int_equal(ejection_note(&ejection, false, 3), 0);
    assert_int_equal(ejection_note(&ejection, false, 3), 0);
    assert_int_equal(ejection_note(&ejection, false, 3), 1);
    assert_true(ejection.out);
}

static void on_probation_one_failure_ejects_for_longer(void **state) {
    (void)state;
    struct ejection ejection = {0};
    (void)ejection_note(&ejection, false, 2);
    assert_int_equal(ejection_note(&ejection, false, 2), 1);
    for (unsigned times = 2; times <= 12; times++) {
        ejection_end(&ejection);
        assert_int_equal(ejection_note(&ejection, false, 2), times < 10 ? times : 10);
    }
    ejection_end(&ejection);
    assert_int_equal(ejection_note(&ejection, true, 2), 0);
    assert_int_equal(ejection_note(&ejection, false, 2), 0); /* as good as new */
    assert_int_equal(ejection_note(&ejection, false, 2), 1);
}

static void what_comes_back_while_it_is_out_counts_for_nothing(void **state) {
    (void)state;
    struct ejection ejection = {0};
    assert_int_equal(ejection_note(&ejection, false, 1), 1);
    assert_int_equal(ejection_note(&ejection, false, 1), 0);
    assert_int_equal(ejection_note(&ejection, true, 1), 0);
    ejection_end(&ejection);
    assert_int_equal(ejection_note(&ejection, false, 1), 2);
}

/* --- retries -----------------------------------------------------------------------------------
 */

static unsigned take_all(struct retry_budget *budget, uint64_t now_ns) {
    unsigned taken = 0;
    while (retry_budget_take(budget, now_ns))
        taken++;
    return taken;
}

static void time_alone_brings_ten_a_second_and_saves_no_more(void **state) {
    (void)state;
    struct retry_budget budget = retry_budget_make(20, SECOND);
    assert_int_equal(take_all(&budget, SECOND), 10);
    assert_int_equal(take_all(&budget, SECOND + SECOND / 2), 5);
    assert_int_equal(take_all(&budget, 100 * SECOND), 10);
    for (uint64_t ms = 1, taken = 0; ms <= 1000; ms++) { /* looked at often, nothing is lost */
        taken += take_all(&budget, 100 * SECOND + ms * SECOND / 1000);
        if (ms == 1000)
            assert_int_equal(taken, 10);
    }
}

static void requests_bring_their_share(void **state) {
    (void)state;
    struct retry_budget budget = retry_budget_make(20, 0);
    (void)take_all(&budget, 0);
    for (unsigned i = 0; i < 1000; i++)
        retry_budget_request(&budget);
    assert_int_equal(take_all(&budget, 0), 200);
    for (unsigned i = 0; i < 1000000; i++)
        retry_budget_request(&budget);
    assert_int_equal(take_all(&budget, 0), RETRY_SAVED_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_answer_decides),
        cmocka_unit_test(it_falls_and_rises_by_answers_in_a_row),
        cmocka_unit_test(failures_in_a_row_eject),
        cmocka_unit_test(on_probation_one_failure_ejects_for_longer),
        cmocka_unit_test(what_comes_back_while_it_is_out_counts_for_nothing),
        cmocka_unit_test(time_alone_brings_ten_a_second_and_saves_no_more),
        cmocka_unit_test(requests_bring_their_share),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
