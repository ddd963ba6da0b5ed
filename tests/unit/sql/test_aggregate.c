/*
 * Aggregates: results as PostgreSQL 15 printed them; rows taken away again leave no trace; a state
 * saved half way and loaded goes on.
 */
#include "sql/function.h"
#include "value_kit.h"

#include <stdio.h>
#include <stdlib.h>

#define N SQL_NUMERIC
#define F8 SQL_FLOAT8
#define NULLS "NULL" /* of this text: the argument is NULL */

static const struct {
    const char *name;
    uint32_t types[2];   /* 0: no more */
    const char *rows[6]; /* arguments of a row are set apart by '|' */
    const char *expected;
} cases[] = {
    {"count", {0}, {"", "", ""}, "3"},
    {"count", {SQL_ANY}, {"1", NULLS, "3"}, "2"},
    {"sum", {SQL_INT4}, {"1", "2", NULLS}, "3"},
    {"sum", {SQL_INT2}, {"1", "2"}, "3"},
    {"sum", {SQL_INT8}, {"9223372036854775807", "1"}, "9223372036854775808"},
    {"sum", {N}, {"1.10", "2.2", "3"}, "6.30"},
    {"sum", {N}, {"inf", "-inf", "1"}, "NaN"},
    {"sum", {N}, {"1e30", "0.001", "-1e30"}, "0.001"},
    {"sum",
     {N},
     {"99999999999999999999999999999999999.5", "99999999999999999999999999999999999.5"},
     "199999999999999999999999999999999999.0"},
    {"sum", {N}, {NULLS}, NULL},
    {"sum", {F8}, {"1.5", "2.5", "7.1"}, "11.1"},
    {"sum", {F8}, {"1e308", "1e308"}, "22003 value out of range: overflow"},
    {"sum", {SQL_FLOAT4}, {"1.1", "2.2", "7.3"}, "10.6"},
    {"avg", {N}, {"1.10", "2.2", "3"}, "2.1000000000000000"},
    {"avg", {SQL_INT4}, {"1", "2", "3"}, "2.0000000000000000"},
    {"avg", {SQL_INT8}, {"1", "2"}, "1.5000000000000000"},
    {"avg", {SQL_INT2}, {"1", "2"}, "1.5000000000000000"},
    {"avg", {F8}, {"1.5", "2.5", "7.1"}, "3.6999999999999997"},
    {"avg", {SQL_FLOAT4}, {"1.1", "2.2", "7.3"}, "3.533333420753479"},
    {"avg", {SQL_INT4}, {NULLS}, NULL},
    {"variance", {N}, {"1.5", "2.25", "3"}, "0.56250000000000000000"},
    {"var_pop", {N}, {"1.5", "2.25", "3"}, "0.37500000000000000000"},
    {"stddev", {N}, {"1.5", "2.25", "3"}, "0.75000000000000000000"},
    {"stddev_pop", {N}, {"1.5", "2.25", "3"}, "0.61237243569579452455"},
    {"variance", {SQL_INT4}, {"1", "2", "4"}, "2.3333333333333333"},
    {"var_pop", {SQL_INT8}, {"1", "2", "4"}, "1.5555555555555556"},
    {"stddev_samp", {SQL_INT2}, {"1", "2", "4"}, "1.5275252316519467"},
    {"stddev_pop", {SQL_INT4}, {"1", "2", "4"}, "1.2472191289246471"},
    {"variance", {SQL_INT4}, {"1"}, NULL},
    {"var_pop", {SQL_INT4}, {"1"}, "0"},
    {"variance", {N}, {"1.5", "1.5"}, "0"},
    {"variance", {N}, {"1.5", "NaN"}, "NaN"},
    {"variance", {F8}, {"1.5", "2.5", "7.1"}, "8.919999999999996"},
    {"stddev_pop", {F8}, {"1.5", "2.5", "7.1"}, "2.438578821089584"},
    {"variance", {SQL_FLOAT4}, {"1.1", "2.2", "7.3"}, "10.943333930174518"},
    {"variance", {F8}, {"1", "inf"}, "NaN"},
    {"corr", {F8, F8}, {"1|2", "2|3.5", "4|9", NULLS "|1"}, "0.9917494877490395"},
    {"covar_pop", {F8, F8}, {"1|2", "2|3.5", "4|9"}, "3.722222222222222"},
    {"covar_samp", {F8, F8}, {"1|2", "2|3.5", "4|9"}, "5.583333333333333"},
    {"regr_avgx", {F8, F8}, {"1|2", "2|3.5", "4|9"}, "4.833333333333333"},
    {"regr_avgy", {F8, F8}, {"1|2", "2|3.5", "4|9"}, "2.3333333333333335"},
    {"regr_count", {F8, F8}, {"1|2", "2|3.5", NULLS "|1"}, "2"},
    {"regr_intercept", {F8, F8}, {"1|2", "2|3.5", "4|9"}, "0.3466257668711655"},
    {"regr_r2", {F8, F8}, {"1|2", "2|3.5", "4|9"}, "0.9835670464504821"},
    {"regr_slope", {F8, F8}, {"1|2", "2|3.5", "4|9"}, "0.4110429447852761"},
    {"regr_sxx", {F8, F8}, {"1|2", "2|3.5", "4|9"}, "27.166666666666664"},
    {"regr_sxy", {F8, F8}, {"1|2", "2|3.5", "4|9"}, "11.166666666666666"},
    {"regr_syy", {F8, F8}, {"1|2", "2|3.5", "4|9"}, "4.666666666666666"},
    {"corr", {F8, F8}, {"1|2", "1|3"}, NULL},
    {"bit_and", {SQL_INT4}, {"1", "3", "7"}, "1"},
    {"bit_or", {SQL_INT4}, {"1", "3", "7"}, "7"},
    {"bit_xor", {SQL_INT8}, {"1", "3", "7"}, "5"},
    {"bool_and", {SQL_BOOL}, {"t", "t"}, "t"},
    {"bool_or", {SQL_BOOL}, {"f", "f"}, "f"},
    {"every", {SQL_BOOL}, {"t", "f"}, "f"},
    {"every", {SQL_BOOL}, {NULLS}, NULL},
    {"min", {SQL_INT4}, {"3", "-7", "5"}, "-7"},
    {"max", {SQL_INT8}, {"3", "-7", "5"}, "5"},
    {"min", {SQL_TEXT}, {"b", "", "c"}, ""},
    {"max", {SQL_TEXT}, {"b", "", "c"}, "c"},
    {"max", {N}, {"1.50", "1e30", "NaN"}, "NaN"},
    {"max", {N}, {"1.50", "1e30"}, "1000000000000000000000000000000"},
    {"max", {F8}, {"1", "NaN", "inf"}, "NaN"},
    {"min", {SQL_ANYARRAY}, {"{2}", "{1,5}", "{1}"}, "{1}"},
    {"string_agg", {SQL_TEXT, SQL_TEXT}, {"a|,", NULLS "|,", "b|,", "c|,"}, "a,b,c"},
    {"string_agg", {SQL_TEXT, SQL_TEXT}, {"a|-", NULLS "|+", "b|" NULLS, "c|/"}, "ab/c"},
    {"string_agg", {SQL_TEXT, SQL_TEXT}, {NULLS "|,"}, NULL},
    {"array_agg", {SQL_ANYNONARRAY}, {"1", NULLS, "3"}, "{1,NULL,3}"},
    {"array_agg", {SQL_ANYARRAY}, {"{1,1}", "{NULL,1}", "{3,1}"}, "{{1,1},{NULL,1},{3,1}}"},
    {"array_agg",
     {SQL_ANYARRAY},
     {"{1}", "{1,2}"},
     "2202E cannot accumulate arrays of different dimensionality"},
    {"array_agg", {SQL_ANYARRAY}, {"{}"}, "2202E cannot accumulate empty arrays"},
    {"array_agg", {SQL_ANYARRAY}, {NULLS}, "22004 cannot accumulate null arrays"},
    {"percentile_cont", {F8, F8}, {"0.5|1", "0.5|2", "0.5|2", "0.5|10"}, "2"},
    {"percentile_cont", {F8, F8}, {"0.9|1", "0.9|2"}, "1.9"},
    {"percentile_cont",
     {1022, F8},
     {"{0.25,0.5,1}|1", "{0.25,0.5,1}|2", "{0.25,0.5,1}|2", "{0.25,0.5,1}|10"},
     "{1.75,2,10}"},
    {"percentile_cont", {F8, F8}, {"1.5|1"}, "22003 percentile value 1.5 is not between 0 and 1"},
    {"percentile_disc", {F8, SQL_ANYELEMENT}, {"0.5|1", "0.5|2", "0.5|2", "0.5|10"}, "2"},
    {"percentile_disc",
     {1022, SQL_ANYELEMENT},
     {"{0.1,NULL,0.9}|1", "{0.1,NULL,0.9}|2", "{0.1,NULL,0.9}|2", "{0.1,NULL,0.9}|10"},
     "{1,NULL,10}"},
    {"mode", {SQL_ANYELEMENT}, {"1", "2", "2", "10"}, "2"},
    {"mode", {SQL_ANYELEMENT}, {NULLS}, NULL},
};

static struct value_kit kit;

/* An aggregate under way: its row, its call, its state, a row's arguments. */
struct under_way {
    const struct sql_aggregate *aggregate;
    struct sql_call call;
    struct sql_type types[2];
    union sql_cell arguments[2];
    uint8_t nulls[2];
    _Alignas(16) char state[128];
};

/* Polymorphic arguments are tested with int4. */
static uint32_t concrete(uint32_t oid) {
    return oid == SQL_ANY || oid == SQL_ANYELEMENT || oid == SQL_ANYNONARRAY ? (uint32_t)SQL_INT4
           : oid == SQL_ANYARRAY ? (uint32_t)SQL_INT4_ARRAY
                                 : oid;
}

static struct under_way start(size_t i) {
    struct under_way u = {.aggregate = NULL};
    unsigned count = (unsigned)(cases[i].types[0] != 0) + (cases[i].types[1] != 0);
    unsigned cursor = 0;
    while ((u.aggregate = sql_aggregate_next(slice_str(cases[i].name), &cursor)))
        if (u.aggregate->count == count &&
            memcmp(u.aggregate->arguments, cases[i].types, count * sizeof(uint32_t)) == 0)
            break;
    if (!u.aggregate)
        fail_msg("no row for %s", cases[i].name);
    for (unsigned a = 0; a < count; a++)
        u.types[a] = sql_type_of(concrete(cases[i].types[a]));
    uint32_t result = u.aggregate->result;
    if (result == SQL_ANYARRAY && cases[i].types[0] == SQL_ANYARRAY)
        result = SQL_INT4_ARRAY;
    u.call = (struct sql_call){.memory = &kit.memory,
                               .error = &kit.error,
                               .count = count,
                               .result = sql_type_of(concrete(result))};
    assert_true(u.aggregate->state_bytes <= sizeof u.state);
    return u;
}

static int add(struct under_way *u, const char *row, int64_t weight) {
    slice rest = slice_str(row);
    bool some_null = false;
    for (unsigned a = 0; a < u->call.count; a++) {
        char text[64];
        assert_int_equal(slice_to_string(slice_cut(rest, '|', &rest), text, sizeof text), 0);
        u->nulls[a] = strcmp(text, NULLS) == 0;
        some_null |= u->nulls[a];
        if (!u->nulls[a])
            u->arguments[a] = kit_value(&kit, u->types[a], text);
    }
    u->call.types = u->types;
    u->call.nulls = u->nulls;
    if (some_null && !(u->aggregate->flags & SQL_LENIENT))
        return 0;
    return u->aggregate->add(&u->call, u->state, u->arguments, weight);
}

/* The state as it would come back from a snapshot. */
static void save_and_load(struct under_way *u) {
    struct buf out = buf_make((size_t)1 << 20);
    if (u->aggregate->save) {
        assert_int_equal(u->aggregate->save(u->state, &out), 0);
        if (u->aggregate->release)
            u->aggregate->release(u->state);
        memset(u->state, 0, sizeof u->state);
        if (out.len > 0) {
            slice cut = slice_take(buf_slice(&out), out.len / 2);
            if (u->aggregate->load(u->state, cut) >= 0 && u->aggregate->release)
                u->aggregate->release(u->state);
            memset(u->state, 0, sizeof u->state);
        }
        assert_int_equal(u->aggregate->load(u->state, buf_slice(&out)), 0);
    }
    buf_free(&out);
}

static void finish(struct under_way *u, size_t i, int failed) {
    union sql_cell cell;
    u->call.null = false;
    if (failed == 0)
        failed = u->aggregate->result_of(&u->call, u->state, &cell);
    char text[256];
    if (failed < 0)
        snprintf(text, sizeof text, "%s %.200s", kit.error.state, kit.error.message);
    else if (u->call.null)
        snprintf(text, sizeof text, "%s", NULLS);
    else
        snprintf(text, sizeof text, "%.200s", kit_text(&kit, u->call.result, &cell));
    if (u->aggregate->release)
        u->aggregate->release(u->state);
    const char *expected = cases[i].expected ? cases[i].expected : NULLS;
    if (strcmp(text, expected) != 0)
        fail_msg("%s of %s …: %s, not %s", cases[i].name, cases[i].rows[0], text, expected);
}

static void results_agree_with_postgresql(void **state) {
    (void)state;
    kit = kit_make();
    for (size_t i = 0; i < array_count(cases); i++) {
        struct under_way u = start(i);
        int rc = 0;
        for (size_t row = 0; rc == 0 && row < 6 && cases[i].rows[row]; row++)
            rc = add(&u, cases[i].rows[row], 1);
        finish(&u, i, rc);
    }
    arena_free(&kit.memory);
}

static void a_saved_state_goes_on(void **state) {
    (void)state;
    kit = kit_make();
    for (size_t i = 0; i < array_count(cases); i++) {
        struct under_way u = start(i);
        int rc = 0;
        for (size_t row = 0; rc == 0 && row < 6 && cases[i].rows[row]; row++) {
            rc = add(&u, cases[i].rows[row], 1);
            if (rc == 0)
                save_and_load(&u);
        }
        finish(&u, i, rc);
    }
    arena_free(&kit.memory);
}

/* Rows of another case of the same aggregate come and go in between. */
static void what_is_taken_away_leaves_no_trace(void **state) {
    (void)state;
    kit = kit_make();
    unsigned tried = 0;
    for (size_t i = 0; i < array_count(cases); i++) {
        struct under_way u = start(i);
        for (size_t other = 0; u.aggregate->invertible && other < array_count(cases); other++) {
            if (strcmp(cases[i].name, cases[other].name) != 0 ||
                memcmp(cases[i].types, cases[other].types, sizeof cases[i].types) != 0)
                continue;
            u = start(i);
            int rc = 0;
            for (size_t row = 0; rc == 0 && row < 6 && cases[other].rows[row]; row++)
                rc = add(&u, cases[other].rows[row], 3);
            for (size_t row = 0; rc == 0 && row < 6 && cases[i].rows[row]; row++)
                rc = add(&u, cases[i].rows[row], 1);
            for (size_t row = 0; rc == 0 && row < 6 && cases[other].rows[row]; row++)
                rc = add(&u, cases[other].rows[row], -3);
            finish(&u, i, rc);
            tried++;
        }
    }
    assert_true(tried > 50);
    arena_free(&kit.memory);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_agree_with_postgresql),
        cmocka_unit_test(a_saved_state_goes_on),
        cmocka_unit_test(what_is_taken_away_leaves_no_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
