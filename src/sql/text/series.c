/*
 * series.c - functions that give rows: generate_series of numbers, unnest, generate_subscripts.
 *
 * A series may be long beyond measure (1 to 9223372036854775807); whoever takes its rows bounds it
 * by refusing one, and that ends it. Series of timestamps are in time/. The few functions that
 * know nothing but their settings (gen_random_uuid, version) are here too.
 */
#include "sql/numeric.h"
#include "sql/text/text_functions.h"

#include <errno.h>

static const uint8_t no_nulls[1] = {0};

static int generate_int(struct sql_call *call, const union sql_cell *a, sql_emit *emit, void *to) {
    int64_t step = call->count > 2 ? a[2].i : 1;
    if (step == 0)
        return sql_fail(call->error, "22023", "step size cannot equal zero");
    for (union sql_cell at = a[0]; step > 0 ? at.i <= a[1].i : at.i >= a[1].i;) {
        int failed = emit(to, &at, no_nulls);
        if (failed)
            return failed;
        if (__builtin_add_overflow(at.i, step, &at.i))
            return 0;
    }
    return 0;
}

static int check_finite(struct sql_call *call, struct sql_numeric n, const char *what) {
    if (n.kind <= SQL_NUMERIC_BIG)
        return 0;
    return sql_fail(call->error, "22023", "%s cannot be %s", what,
                    n.kind == SQL_NUMERIC_NAN ? "NaN" : "infinity");
}

static int numeric_failed(struct sql_call *call, int failed) {
    if (failed == -ENOMEM)
        return sql_fail_memory(call->error);
    return failed == -ERANGE ? sql_fail(call->error, "22003", "value overflows numeric format")
                             : failed;
}

static int generate_numeric(struct sql_call *call, const union sql_cell *a, sql_emit *emit,
                            void *to) {
    struct sql_numeric step = call->count > 2 ? a[2].numeric : sql_numeric_small(1, 0);
    int failed = check_finite(call, a[0].numeric, "start value");
    failed = failed ? failed : check_finite(call, a[1].numeric, "stop value");
    failed = failed ? failed : check_finite(call, step, "step size");
    int direction = sql_numeric_sign(step);
    if (!failed && direction == 0)
        failed = sql_fail(call->error, "22023", "step size cannot equal zero");
    union sql_cell at = a[0];
    while (!failed && sql_numeric_compare(at.numeric, a[1].numeric) * direction <= 0) {
        failed = emit(to, &at, no_nulls);
        if (!failed)
            failed =
                numeric_failed(call, sql_numeric_add(at.numeric, step, call->memory, &at.numeric));
    }
    return failed;
}

static int unnest(struct sql_call *call, const union sql_cell *a, sql_emit *emit, void *to) {
    (void)call;
    const struct sql_array *array = a[0].array;
    int failed = 0;
    for (unsigned i = 0; i < array->count && !failed; i++) {
        uint8_t null = text_element_null(array, i);
        failed = emit(to, &array->cells[i], &null);
    }
    return failed;
}

static int generate_subscripts(struct sql_call *call, const union sql_cell *a, sql_emit *emit,
                               void *to) {
    const struct sql_array *array = a[0].array;
    if (a[1].i < 1 || a[1].i > (int64_t)array->dimensions)
        return 0;
    int64_t first = array->lower[a[1].i - 1], count = array->lengths[a[1].i - 1];
    bool reverse = call->count > 2 && a[2].i;
    int failed = 0;
    for (int64_t i = 0; i < count && !failed; i++) {
        union sql_cell at = {.i = reverse ? first + count - 1 - i : first + i};
        failed = emit(to, &at, no_nulls);
    }
    return failed;
}

/* Version 4 of RFC 9562: random but for six bits. */
static int gen_random_uuid(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    (void)a;
    if (!call->settings || !call->settings->random)
        return sql_fail(call->error, "0A000", "random values are not available here");
    for (unsigned half = 0; half < 2; half++) {
        uint64_t bits = call->settings->random(call->settings->self);
        memcpy(ret->uuid + 8 * half, &bits, 8);
    }
    ret->uuid[6] = (uint8_t)((ret->uuid[6] & 0x0f) | 0x40);
    ret->uuid[8] = (uint8_t)((ret->uuid[8] & 0x3f) | 0x80);
    return 0;
}

static int version(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    (void)call;
    (void)a;
    ret->text = slice_lit("PostgreSQL 15.0 (Nonet " NONET_VERSION ")");
    return 0;
}

static int current_database(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    (void)a;
    ret->text = call->settings ? call->settings->database : slice_lit("");
    return 0;
}

static int current_schema(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    (void)call;
    (void)a;
    ret->text = slice_lit("public");
    return 0;
}

static int pg_typeof(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    (void)a;
    ret->i = call->types[0].oid;
    return 0;
}

#define NOTHING_ROW(name_, function_, flags_, result_)                                             \
    { .name = (name_), .result = (result_), .flags = (flags_), .scalar = (function_) }

const struct sql_function sql_functions_series[] = {
    SQL_ROW_SET("generate_series", generate_int, 0, SQL_INT4, SQL_INT4, SQL_INT4),
    SQL_ROW_SET("generate_series", generate_int, 0, SQL_INT4, SQL_INT4, SQL_INT4, SQL_INT4),
    SQL_ROW_SET("generate_series", generate_int, 0, SQL_INT8, SQL_INT8, SQL_INT8),
    SQL_ROW_SET("generate_series", generate_int, 0, SQL_INT8, SQL_INT8, SQL_INT8, SQL_INT8),
    SQL_ROW_SET("generate_series", generate_numeric, 0, SQL_NUMERIC, SQL_NUMERIC, SQL_NUMERIC),
    SQL_ROW_SET("generate_series", generate_numeric, 0, SQL_NUMERIC, SQL_NUMERIC, SQL_NUMERIC,
                SQL_NUMERIC),
    SQL_ROW_SET("unnest", unnest, 0, SQL_ANYELEMENT, SQL_ANYARRAY),
    SQL_ROW_SET("generate_subscripts", generate_subscripts, 0, SQL_INT4, SQL_ANYARRAY, SQL_INT4),
    SQL_ROW_SET("generate_subscripts", generate_subscripts, 0, SQL_INT4, SQL_ANYARRAY, SQL_INT4,
                SQL_BOOL),
    NOTHING_ROW("gen_random_uuid", gen_random_uuid, SQL_VOLATILE, SQL_UUID),
    NOTHING_ROW("version", version, SQL_STABLE, SQL_TEXT),
    NOTHING_ROW("current_database", current_database, SQL_STABLE, SQL_NAME),
    NOTHING_ROW("current_schema", current_schema, SQL_STABLE, SQL_NAME),
    SQL_ROW_FLAGS("pg_typeof", pg_typeof, SQL_LENIENT, SQL_REGTYPE, SQL_ANY),
    {.name = NULL},
};
