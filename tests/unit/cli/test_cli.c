/* A command line is read by the table of verbs, and by nothing else. */
#include "cli_test.h"

static int run_nothing(const struct cli_call *call) {
    (void)call;
    return CLI_OK;
}

static const struct cli_verb verbs[] = {
    {
        .name = "pub",
        .words = "SUBJECT [DATA]",
        .help = "publish",
        .words_min = 1,
        .words_max = 2,
        .acts_on_node = true,
        .run = run_nothing,
        .options = {{.name = "header", .value = "H", .help = "a header", .repeats = true},
                    {.name = "count", .value = "N", .help = "how often"},
                    {.name = "durable", .help = "wait"}},
    },
    {.name = "stream ls", .words = "", .help = "list", .run = run_nothing},
    {.name = "stream info",
     .words = "NAME",
     .help = "one",
     .words_min = 1,
     .words_max = 1,
     .run = run_nothing},
    {.name = "sql",
     .words = "",
     .help = "sql",
     .words_max = 1,
     .run = run_nothing,
     .options = {{.name = "command", .value = "Q", .help = "q", .repeats = true, .letter = 'c'},
                 {.name = "tuples", .help = "t", .letter = 't'},
                 {.name = "expanded", .help = "x", .letter = 'x'}}},
    {.name = "version", .words = "", .help = "version", .run = run_nothing},
    {.name = "help", .words = "[VERB]", .help = "help", .words_max = 2, .run = run_nothing},
};
static const struct cli_table table = {verbs, array_count(verbs)};

static void words_and_options_in_any_order(void **state) {
    (void)state;
    struct cli_call call;
    assert_int_equal(parse(&table, &call, "pub", "--count", "3", "a.b", "--durable", "hello"),
                     CLI_OK);
    assert_ptr_equal(call.verb, &verbs[0]);
    assert_int_equal(call.word_count, 2);
    assert_string_equal(call.words[0], "a.b");
    assert_string_equal(call.words[1], "hello");
    assert_string_equal(cli_value(&call, "count"), "3");
    assert_true(cli_flag(&call, "durable"));
    assert_null(cli_value(&call, "header"));
    assert_false(cli_flag(&call, "json"));
}

static void a_value_may_stand_behind_an_equals_sign(void **state) {
    (void)state;
    struct cli_call call;
    assert_int_equal(parse(&table, &call, "pub", "a", "--header=K: a=b", "--count="), CLI_OK);
    assert_string_equal(cli_value(&call, "header"), "K: a=b");
    assert_string_equal(cli_value(&call, "count"), "");
}

static void letters_stand_for_options(void **state) {
    (void)state;
    struct cli_call call;
    const char *values[CLI_REPEATS_MAX];
    assert_int_equal(parse(&table, &call, "sql", "-xt", "-c", "-1", "-cSELECT 1", "-xc", "a", "-"),
                     CLI_OK);
    assert_true(cli_flag(&call, "tuples"));
    assert_true(cli_flag(&call, "expanded"));
    assert_int_equal(cli_values(&call, "command", values), 3);
    assert_string_equal(values[0], "-1");
    assert_string_equal(values[1], "SELECT 1");
    assert_string_equal(values[2], "a");
    assert_string_equal(call.words[0], "-");
    assert_int_equal(parse(&table, &call, "sql", "-z"), CLI_USAGE);
    assert_int_equal(parse(&table, &call, "sql", "-c"), CLI_USAGE);
    /* A verb without letters takes such words as they are. */
    assert_int_equal(parse(&table, &call, "pub", "a", "-5"), CLI_OK);
    assert_string_equal(call.words[1], "-5");
}

static void two_dashes_end_the_options(void **state) {
    (void)state;
    struct cli_call call;
    assert_int_equal(parse(&table, &call, "pub", "--", "a", "--help"), CLI_OK);
    assert_false(call.wants_help);
    assert_string_equal(call.words[1], "--help");
    assert_int_equal(parse(&table, &call, "pub", "a", "-1"), CLI_OK);
    assert_string_equal(call.words[1], "-1");
    assert_int_equal(parse(&table, &call, "pub", "a", "-"), CLI_OK);
    assert_string_equal(call.words[1], "-");
}

static void a_verb_may_have_two_words(void **state) {
    (void)state;
    struct cli_call call;
    assert_int_equal(parse(&table, &call, "stream", "info", "BIDS"), CLI_OK);
    assert_ptr_equal(call.verb, &verbs[2]);
    assert_int_equal(call.word_count, 1);
    assert_string_equal(call.words[0], "BIDS");
    assert_int_equal(parse(&table, &call, "stream"), CLI_USAGE);
    assert_int_equal(parse(&table, &call, "stream", "lss"), CLI_USAGE);
}

static void help_is_help_however_it_is_asked_for(void **state) {
    (void)state;
    struct cli_call call;
    assert_int_equal(parse(&table, &call, "--help"), CLI_OK);
    assert_string_equal(call.verb->name, "help");
    assert_int_equal(parse(&table, &call, "-h"), CLI_OK);
    assert_string_equal(call.verb->name, "help");
    assert_int_equal(parse(&table, &call, "--version"), CLI_OK);
    assert_string_equal(call.verb->name, "version");
    assert_int_equal(parse(&table, &call, "pub", "--help", "--nonsense"), CLI_OK);
    assert_true(call.wants_help);
}

static void what_the_row_does_not_know_is_refused(void **state) {
    (void)state;
    struct cli_call call = {.word_count = 77};
    assert_int_equal(parse(&table, &call, "publish"), CLI_USAGE);
    assert_int_equal(parse(&table, &call, "pub"), CLI_USAGE);
    assert_int_equal(parse(&table, &call, "pub", "a", "b", "c"), CLI_USAGE);
    assert_int_equal(parse(&table, &call, "pub", "a", "--cuont", "1"), CLI_USAGE);
    assert_int_equal(parse(&table, &call, "pub", "a", "--count"), CLI_USAGE);
    assert_int_equal(parse(&table, &call, "pub", "a", "--durable=yes"), CLI_USAGE);
    assert_int_equal(parse(&table, &call, "stream", "ls", "--server", "x"), CLI_USAGE);
    assert_int_equal(call.word_count, 77); /* untouched */
}

static void verbs_that_act_on_a_node_take_its_options(void **state) {
    (void)state;
    struct cli_call call;
    assert_int_equal(
        parse(&table, &call, "pub", "a", "--server", "h:1", "--json", "--tls-insecure"), CLI_OK);
    assert_string_equal(cli_value(&call, "server"), "h:1");
    assert_true(cli_flag(&call, "json"));
    for (const struct cli_option *option = cli_node_options; option->name; option++)
        assert_non_null(option->help);
}

static void a_repeatable_option_keeps_all_its_values(void **state) {
    (void)state;
    struct cli_call call;
    const char *values[CLI_REPEATS_MAX];
    assert_int_equal(parse(&table, &call, "pub", "a", "--header", "1", "--count", "5", "--header",
                           "2", "--count", "6"),
                     CLI_OK);
    assert_int_equal(cli_values(&call, "header", values), 2);
    assert_string_equal(values[0], "1");
    assert_string_equal(values[1], "2");
    assert_string_equal(cli_value(&call, "count"), "6"); /* the last one counts */
}

static void one_value_too_many_is_refused_not_dropped(void **state) {
    (void)state;
    const char *words[2 * CLI_REPEATS_MAX + 6] = {"nonet", "pub", "a"};
    struct cli_call call;
    for (unsigned i = 0; i < CLI_REPEATS_MAX; i++) {
        words[3 + 2 * i] = "--header";
        words[4 + 2 * i] = "h";
    }
    assert_int_equal(parse_words(&table, &call, words), CLI_OK);
    words[3 + 2 * CLI_REPEATS_MAX] = "--header";
    words[4 + 2 * CLI_REPEATS_MAX] = "h";
    assert_int_equal(parse_words(&table, &call, words), CLI_USAGE);
}

static void numbers_are_checked(void **state) {
    (void)state;
    struct cli_call call;
    uint64_t number;
    assert_int_equal(parse(&table, &call, "pub", "a"), CLI_OK);
    assert_true(cli_number(&call, "count", 42, &number));
    assert_int_equal(number, 42);
    assert_int_equal(parse(&table, &call, "pub", "a", "--count", "7"), CLI_OK);
    assert_true(cli_number(&call, "count", 42, &number));
    assert_int_equal(number, 7);
    assert_true(cli_number_within(&call, "count", 1, 7, 7, &number));
    assert_false(cli_number_within(&call, "count", 1, 8, 9, &number));
    assert_int_equal(parse(&table, &call, "pub", "a", "--count", "5x"), CLI_OK);
    assert_false(cli_number(&call, "count", 42, &number));
    assert_int_equal(parse(&table, &call, "pub", "a", "--timeout", "250ms", "--count", "2KB"),
                     CLI_OK);
    assert_true(cli_duration(&call, "timeout", 0, &number));
    assert_int_equal(number, 250000000);
    assert_true(cli_size(&call, "count", 0, &number));
    assert_int_equal(number, 2048);
    assert_false(cli_duration(&call, "count", 0, &number));
}

static void subjects_are_judged_before_anything_is_sent(void **state) {
    (void)state;
    struct cli_call call;
    assert_int_equal(parse(&table, &call, "pub", "a"), CLI_OK);
    assert_true(cli_subject(&call, "a.b", false));
    assert_true(cli_subject(&call, "a.>", true));
    assert_false(cli_subject(&call, "a.>", false));
    assert_false(cli_subject(&call, "a b", true));
    assert_false(cli_subject(&call, "", true));
    assert_false(cli_subject(&call, "a..b", true));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_and_options_in_any_order),
        cmocka_unit_test(a_value_may_stand_behind_an_equals_sign),
        cmocka_unit_test(letters_stand_for_options),
        cmocka_unit_test(two_dashes_end_the_options),
        cmocka_unit_test(a_verb_may_have_two_words),
        cmocka_unit_test(help_is_help_however_it_is_asked_for),
        cmocka_unit_test(what_the_row_does_not_know_is_refused),
        cmocka_unit_test(verbs_that_act_on_a_node_take_its_options),
        cmocka_unit_test(a_repeatable_option_keeps_all_its_values),
        cmocka_unit_test(one_value_too_many_is_refused_not_dropped),
        cmocka_unit_test(numbers_are_checked),
        cmocka_unit_test(subjects_are_judged_before_anything_is_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
