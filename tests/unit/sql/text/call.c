/*
 * call.c - finds a function by its written signature and calls it (call.h).
 *
 * The way of the binder in small: the row whose name and number of arguments fit and whose argument
 * types are those written, or polymorphic. What remains the same is what is tested: strictness,
 * NULL results, errors, and that a second call with what was kept gives the same.
 */
#include "call.h"

#include "../../base/base_test.h"
#include "base/mem.h"
#include "sql/text/give.h"

struct signature {
    char name[64];
    struct sql_type types[CASE_ARGUMENTS_MAX];
    unsigned count;
};

static struct signature parse_signature(const char *text) {
    struct signature s = {.count = 0};
    const char *open = strrchr(text, '(');
    assert_non_null(open);
    memcpy(s.name, text, (size_t)(open - text));
    slice rest = slice_make(open + 1, strlen(open + 1) - 1);
    while (rest.len) {
        ptrdiff_t comma = slice_find(rest, ',');
        slice type = comma < 0 ? rest : slice_take(rest, (size_t)comma);
        rest = comma < 0 ? slice_take(rest, 0) : slice_skip(rest, (size_t)comma + 1);
        const struct sql_type_info *info = sql_type_named(type);
        if (!info)
            fail_msg("no type %.*s", slice_fmt(type));
        s.types[s.count++] = sql_type_of(info->oid);
    }
    return s;
}

static bool type_fits(uint32_t wanted, uint32_t given) {
    switch (wanted) {
    case SQL_ANY:
    case SQL_ANYELEMENT:
        return true;
    case SQL_ANYNONARRAY:
        return sql_element_of(given) == 0;
    case SQL_ANYARRAY:
        return sql_element_of(given) != 0;
    default:
        return wanted == given;
    }
}

static bool row_fits(const struct sql_function *f, const struct signature *s) {
    bool variadic = f->flags & SQL_VARIADIC;
    if (s->count + f->defaults < f->count || (s->count > f->count && !variadic))
        return false;
    for (unsigned i = 0; i < s->count; i++)
        if (!type_fits(f->arguments[i < f->count ? i : f->count - 1u], s->types[i].oid))
            return false;
    return true;
}

static const struct sql_function *find_row(const struct signature *s) {
    unsigned cursor = 0;
    const struct sql_function *f;
    while ((f = sql_function_next(slice_str(s->name), &cursor)))
        if (row_fits(f, s))
            return f;
    fail_msg("no function %s with %u such arguments", s->name, s->count);
    return NULL;
}

static uint32_t result_type(const struct sql_function *f, const struct signature *s) {
    bool array = f->result == SQL_ANYARRAY;
    if (!array && f->result != SQL_ANYELEMENT)
        return f->result;
    for (unsigned i = 0; i < f->count; i++) {
        if (f->arguments[i] == SQL_ANYARRAY)
            return array ? s->types[i].oid : sql_element_of(s->types[i].oid);
        if (f->arguments[i] == SQL_ANYELEMENT && i + 1u == f->count)
            return array ? sql_array_of(s->types[i].oid) : s->types[i].oid;
    }
    return array ? sql_array_of(s->types[0].oid) : s->types[0].oid;
}

struct rows {
    struct sql_call *call;
    const struct sql_function *function;
    struct buf *out;
    unsigned count;
};

static int add_row(void *to, const union sql_cell *cells, const uint8_t *nulls) {
    struct rows *r = to;
    unsigned columns = 0;
    while (r->function->columns && r->function->columns[columns])
        columns++;
    if (r->count++)
        assert_int_equal(buf_append_byte(r->out, '|'), 0);
    for (unsigned i = 0; i < (columns ? columns : 1); i++) {
        struct sql_type type =
            columns ? sql_type_of(r->function->column_types[i]) : r->call->result;
        if (i)
            assert_int_equal(buf_append_byte(r->out, ';'), 0);
        if (nulls[i])
            assert_int_equal(buf_append(r->out, slice_lit("NULL")), 0);
        else
            assert_int_equal(sql_value_out(type, &cells[i], r->call->settings, r->out), 0);
    }
    return 0;
}

/* One call; *RET_NULL where it gave NULL, else the result or the error in OUT. */
static void call_once(const struct sql_function *f, struct sql_call *call,
                      const union sql_cell *cells, struct buf *out, bool *ret_null) {
    union sql_cell result = {.i = 0};
    bool strict_null = false;
    for (unsigned i = 0; i < call->count; i++)
        strict_null |= call->nulls[i] && !(f->flags & SQL_LENIENT);
    struct rows rows = {call, f, out, 0};
    call->null = false;
    int failed = 0;
    if (f->set)
        failed = strict_null ? 0 : f->set(call, cells, add_row, &rows);
    else if (strict_null)
        call->null = true;
    else
        failed = f->scalar(call, cells, &result);
    *ret_null = !failed && call->null;
    if (failed)
        assert_int_equal(buf_printf(out, "!%s %s", call->error->state, call->error->message), 0);
    else if (!f->set && !call->null)
        assert_int_equal(sql_value_out(call->result, &result, call->settings, out), 0);
}

/* The same row twice in a batch, where the function has such a form. */
static void check_vector(const struct sql_function *f, struct sql_call *call,
                         const union sql_cell *cells, const struct buf *expected) {
    struct sql_column columns[CASE_ARGUMENTS_MAX] = {{.stride = 0}};
    for (unsigned i = 0; i < call->count; i++) {
        if (call->nulls[i])
            return;
        columns[i] = (struct sql_column){.cells = &cells[i], .stride = 0};
    }
    union sql_cell results[2];
    uint8_t nulls[2] = {0, 0};
    assert_int_equal(f->vector(call, columns, 2, results, nulls), 0);
    for (unsigned row = 0; row < 2; row++) {
        struct buf out = buf_make(1 << 20);
        if (!nulls[row])
            assert_int_equal(sql_value_out(call->result, &results[row], call->settings, &out), 0);
        assert_true(slice_equal(buf_slice(&out), buf_slice(expected)));
        buf_free(&out);
    }
}

static void check_given(const struct call_case *c, const char *given) {
    bool same = given && c->expected ? strcmp(given, c->expected) == 0 : given == c->expected;
    if (!same)
        fail_msg("%s of %s, %s, %s: expected %s, got %s", c->signature,
                 c->arguments[0] ? c->arguments[0] : "NULL",
                 c->arguments[1] ? c->arguments[1] : "NULL",
                 c->arguments[2] ? c->arguments[2] : "NULL", c->expected ? c->expected : "NULL",
                 given ? given : "NULL");
}

/* Reads the arguments. False: one is refused, which is the result. */
static bool read_arguments(const struct call_case *c, struct sql_call *call,
                           const struct signature *s, union sql_cell *cells, uint8_t *nulls) {
    for (unsigned i = 0; i < s->count; i++) {
        nulls[i] = c->arguments[i] == NULL;
        if (nulls[i] || sql_value_in(s->types[i], slice_str(c->arguments[i]), call->settings,
                                     call->memory, &cells[i], call->error) == 0)
            continue;
        struct buf out = buf_make(1 << 20);
        assert_int_equal(buf_printf(&out, "!%s %s", call->error->state, call->error->message), 0);
        check_given(c, buf_text(&out));
        buf_free(&out);
        return false;
    }
    return true;
}

static void run_case(const struct call_case *c) {
    struct signature s = parse_signature(c->signature);
    const struct sql_function *f = find_row(&s);
    struct sql_settings settings = {.extra_float_digits = 1};
    struct arena memory = arena_make(0, (size_t)64 << 20);
    struct sql_error error = {.position = 0};
    union sql_cell cells[CASE_ARGUMENTS_MAX] = {{.i = 0}};
    uint8_t nulls[CASE_ARGUMENTS_MAX] = {0};
    struct sql_call call = {.memory = &memory,
                            .settings = &settings,
                            .error = &error,
                            .types = s.types,
                            .count = s.count,
                            .result = sql_type_of(result_type(f, &s)),
                            .nulls = nulls};
    bool read = read_arguments(c, &call, &s, cells, nulls);
    for (unsigned round = 0; read && round < 2; round++) {
        struct buf out = buf_make(1 << 20);
        bool null = false;
        call_once(f, &call, cells, &out, &null);
        check_given(c, null ? NULL : buf_text(&out));
        if (f->vector && !(c->expected && c->expected[0] == '!'))
            check_vector(f, &call, cells, &out);
        buf_free(&out);
    }
    if (call.kept)
        call.kept_free(call.kept);
    arena_free(&memory);
}

void run_cases(const struct call_case *cases, size_t count) {
    for (size_t i = 0; i < count; i++)
        run_case(&cases[i]);
}
