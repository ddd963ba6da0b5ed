/*
 * kit.c - see kit.h.
 */
#include "kit.h"

#include "sql/catalog.h"

#include "base/mem.h"
#include "base/number.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define KIT_BYTES_MAX ((size_t)64 << 20)

struct kit kit_make(void) {
    struct kit k = {.memory = arena_make(0, KIT_BYTES_MAX),
                    .memory_max = (uint64_t)1 << 30,
                    .trace = buf_make(KIT_BYTES_MAX)};
    return k;
}

static void *take(struct kit *k, size_t count, size_t size) {
    void *p = arena_zalloc(&k->memory, count ? count : 1, size);
    assert_non_null(p);
    return p;
}

static void forget_rows(struct kit *k) {
    for (unsigned i = 0; i < k->row_count; i++)
        mem_free(k->rows[i].text);
    k->row_count = 0;
    k->least_weight = 0;
}

static void forget_pieces(struct kit *k) {
    for (unsigned i = 0; i < k->piece_count; i++)
        mem_free((void *)(uintptr_t)k->pieces[i].ptr);
    k->piece_count = 0;
}

void kit_free(struct kit *k) {
    sql_exec_free(k->exec);
    forget_rows(k);
    forget_pieces(k);
    mem_free(k->pieces);
    buf_free(&k->trace);
    mem_free(k->rows);
    arena_free(&k->memory);
}

/* ---- functions of its own ----------------------------------------------------------------- */

static int op_plus(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    (void)call;
    ret->i = (int64_t)((uint64_t)a[0].i + (uint64_t)a[1].i);
    return 0;
}
static int op_minus(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    (void)call;
    ret->i = (int64_t)((uint64_t)a[0].i - (uint64_t)a[1].i);
    return 0;
}
static int op_divide(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    if (a[1].i == 0)
        return sql_fail(call->error, "22012", "division by zero");
    ret->i = a[0].i / a[1].i;
    return 0;
}
static int op_modulo(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    if (a[1].i == 0)
        return sql_fail(call->error, "22012", "division by zero");
    ret->i = a[0].i % a[1].i;
    return 0;
}
static int op_less(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    (void)call;
    ret->i = a[0].i < a[1].i;
    return 0;
}
static int op_equal(struct sql_call *call, const struct sql_column *a, unsigned rows,
                    union sql_cell *ret, uint8_t *nulls) {
    (void)call;
    for (unsigned row = 0; row < rows; row++)
        ret[row].i = nulls[row] ? 0 : sql_cell_at(&a[0], row)->i == sql_cell_at(&a[1], row)->i;
    return 0;
}

#define KIT_OP(name_, result_, scalar_, vector_)                                                   \
    {                                                                                              \
        .name = name_, .result = result_, .count = 2, .arguments = {SQL_INT8, SQL_INT8},           \
        .scalar = scalar_, .vector = vector_                                                       \
    }
static const struct sql_function kit_functions[] = {
    KIT_OP("+", SQL_INT8, op_plus, NULL),   KIT_OP("-", SQL_INT8, op_minus, NULL),
    KIT_OP("/", SQL_INT8, op_divide, NULL), KIT_OP("%", SQL_INT8, op_modulo, NULL),
    KIT_OP("<", SQL_BOOL, op_less, NULL),   KIT_OP("=", SQL_BOOL, NULL, op_equal),
};

struct number_state {
    int64_t rows, value;
};

static int count_add(struct sql_call *call, void *state, const union sql_cell *a, int64_t weight) {
    (void)call;
    (void)a;
    ((struct number_state *)state)->value += weight;
    return 0;
}
static int count_result(struct sql_call *call, const void *state, union sql_cell *ret) {
    (void)call;
    ret->i = ((const struct number_state *)state)->value;
    return 0;
}
static int sum_add(struct sql_call *call, void *state, const union sql_cell *a, int64_t weight) {
    (void)call;
    struct number_state *s = state;
    s->rows += weight;
    s->value = (int64_t)((uint64_t)s->value + (uint64_t)a[0].i * (uint64_t)weight);
    return 0;
}
static int some_result(struct sql_call *call, const void *state, union sql_cell *ret) {
    const struct number_state *s = state;
    call->null = s->rows == 0;
    ret->i = s->value;
    return 0;
}
static int min_add(struct sql_call *call, void *state, const union sql_cell *a, int64_t weight) {
    (void)call;
    struct number_state *s = state;
    assert_true(weight > 0);
    if (s->rows == 0 || a[0].i < s->value)
        s->value = a[0].i;
    s->rows = 1;
    return 0;
}
static int max_add(struct sql_call *call, void *state, const union sql_cell *a, int64_t weight) {
    (void)call;
    struct number_state *s = state;
    assert_true(weight > 0);
    if (s->rows == 0 || a[0].i > s->value)
        s->value = a[0].i;
    s->rows = 1;
    return 0;
}
/* Its state is memory of its own, so that leaks show. */
static int fold_add(struct sql_call *call, void *state, const union sql_cell *a, int64_t weight) {
    struct number_state **s = state;
    assert_true(weight > 0);
    if (!*s)
        *s = mem_zalloc(1, sizeof **s);
    if (!*s)
        return sql_fail_memory(call->error);
    for (; weight > 0; weight--)
        (*s)->value = (int64_t)((uint64_t)(*s)->value * 10u + (uint64_t)a[0].i);
    return 0;
}
static int fold_result(struct sql_call *call, const void *state, union sql_cell *ret) {
    struct number_state *const *s = state;
    call->null = !*s;
    ret->i = *s ? (*s)->value : 0;
    return 0;
}
static void fold_release(void *state) {
    mem_free(*(struct number_state **)state);
}
static int fold_save(const void *state, struct buf *out) {
    struct number_state *const *s = state;
    return *s ? buf_append(out, slice_make(*s, sizeof **s)) : 0;
}
static int fold_load(void *state, slice bytes) {
    struct number_state **s = state;
    if (bytes.len != 0 && bytes.len != sizeof **s)
        return -EBADMSG;
    if (bytes.len == 0)
        return 0;
    *s = (struct number_state *)(void *)mem_copy(bytes.ptr, bytes.len);
    return *s ? 0 : -ENOMEM;
}

#define KIT_AGGREGATE(name_, count_, invertible_, add_, result_)                                   \
    .name = name_, .result = SQL_INT8, .count = count_, .arguments = {SQL_INT8},                   \
    .invertible = invertible_, .state_bytes = sizeof(struct number_state), .add = add_,            \
    .result_of = result_
static const struct sql_aggregate kit_aggregates[] = {
    {KIT_AGGREGATE("count", 0, true, count_add, count_result)},
    {KIT_AGGREGATE("count_any", 1, true, count_add, count_result)},
    {KIT_AGGREGATE("sum", 1, true, sum_add, some_result)},
    {KIT_AGGREGATE("min", 1, false, min_add, some_result)},
    {KIT_AGGREGATE("max", 1, false, max_add, some_result)},
    {KIT_AGGREGATE("fold", 1, false, fold_add, fold_result), .release = fold_release,
     .save = fold_save, .load = fold_load},
    {KIT_AGGREGATE("unsaved", 1, false, fold_add, fold_result), .release = fold_release},
};

const struct sql_aggregate *kit_aggregate_named(const char *name) {
    for (size_t i = 0; i < array_count(kit_aggregates); i++) {
        if (strcmp(kit_aggregates[i].name, name) == 0)
            return &kit_aggregates[i];
    }
    fail_msg("no aggregate %s", name);
    return NULL;
}

/* ---- expressions -------------------------------------------------------------------------- */

static struct sql_expr *expr_new(struct kit *k, enum sql_expr_kind kind, uint32_t oid) {
    struct sql_expr *e = take(k, 1, sizeof *e);
    e->kind = kind;
    e->type = sql_type_of(oid);
    e->location = -1;
    return e;
}

struct sql_expr *kit_column(struct kit *k, unsigned index) {
    struct sql_expr *e = expr_new(k, SQL_EXPR_COLUMN, SQL_INT8);
    e->index = index;
    return e;
}

struct sql_expr *kit_int(struct kit *k, int64_t value) {
    struct sql_expr *e = expr_new(k, SQL_EXPR_CONST, SQL_INT8);
    e->cell.i = value;
    return e;
}

struct sql_expr *kit_null(struct kit *k) {
    struct sql_expr *e = kit_int(k, 0);
    e->null = true;
    return e;
}

static struct sql_expr **list_of(struct kit *k, unsigned count, va_list arguments) {
    struct sql_expr **e = take(k, count, sizeof *e);
    for (unsigned i = 0; i < count; i++)
        e[i] = va_arg(arguments, struct sql_expr *);
    return e;
}

struct sql_expr **kit_list(struct kit *k, unsigned count, ...) {
    va_list arguments;
    va_start(arguments, count);
    struct sql_expr **e = list_of(k, count, arguments);
    va_end(arguments);
    return e;
}

struct sql_expr *kit_node(struct kit *k, enum sql_expr_kind kind, unsigned count, ...) {
    va_list arguments;
    va_start(arguments, count);
    bool number = kind == SQL_EXPR_CASE || kind == SQL_EXPR_COALESCE || kind == SQL_EXPR_GREATEST ||
                  kind == SQL_EXPR_LEAST;
    struct sql_expr *e = expr_new(k, kind, number ? SQL_INT8 : SQL_BOOL);
    e->count = count;
    e->arguments = list_of(k, count, arguments);
    va_end(arguments);
    return e;
}

const struct sql_function *kit_function(char op) {
    for (size_t i = 0; i < array_count(kit_functions); i++) {
        if (kit_functions[i].name[0] == op)
            return &kit_functions[i];
    }
    fail_msg("no function %c", op);
    return NULL;
}

struct sql_expr *kit_op(struct kit *k, char op, struct sql_expr *a, struct sql_expr *b) {
    struct sql_expr *e = expr_new(k, SQL_EXPR_CALL, SQL_INT8);
    e->count = 2;
    e->arguments = kit_list(k, 2, a, b);
    e->function = kit_function(op);
    e->type = sql_type_of(e->function->result);
    return e;
}

/* ---- plans -------------------------------------------------------------------------------- */

struct sql_plan *kit_plan(struct kit *k, enum sql_plan_kind kind, unsigned columns, unsigned inputs,
                          ...) {
    struct sql_plan *p = take(k, 1, sizeof *p);
    p->kind = kind;
    p->number = k->query.plans++;
    p->close_group = -1;
    p->columns = columns;
    p->column = take(k, columns, sizeof *p->column);
    for (unsigned i = 0; i < columns; i++)
        p->column[i] = (struct sql_plan_column){slice_lit("c"), sql_type_of(SQL_INT8)};
    p->inputs = inputs;
    p->input = take(k, inputs, sizeof(struct sql_plan *));
    va_list arguments;
    va_start(arguments, inputs);
    for (unsigned i = 0; i < inputs; i++)
        p->input[i] = va_arg(arguments, struct sql_plan *);
    va_end(arguments);
    return p;
}

struct sql_plan *kit_scan(struct kit *k, unsigned columns) {
    static const struct sql_table retracting = {.kind = SQL_TABLE_STORED};
    struct sql_plan *p = kit_plan(k, SQL_PLAN_SCAN, columns, 0);
    p->table = &retracting;
    k->scans[k->scan_count++] = p;
    return p;
}

struct sql_plan *kit_filter(struct kit *k, struct sql_plan *in, struct sql_expr *predicate) {
    struct sql_plan *p = kit_plan(k, SQL_PLAN_FILTER, in->columns, 1, in);
    p->predicate = predicate;
    return p;
}

struct sql_plan *kit_project(struct kit *k, struct sql_plan *in, unsigned count,
                             struct sql_expr **e) {
    struct sql_plan *p = kit_plan(k, SQL_PLAN_PROJECT, count, 1, in);
    p->expressions = count;
    p->expression = e;
    for (unsigned i = 0; i < count; i++)
        p->column[i].type = e[i]->type;
    return p;
}

struct sql_plan *kit_join(struct kit *k, enum sql_join_kind kind, struct sql_plan *l,
                          struct sql_plan *r, int left, int right) {
    bool left_only = kind == SQL_JOIN_SEMI || kind == SQL_JOIN_ANTI || kind == SQL_JOIN_ANTI_NULL;
    struct sql_plan *p =
        kit_plan(k, SQL_PLAN_JOIN, l->columns + (left_only ? 0 : r->columns), 2, l, r);
    p->join = kind;
    p->keys = left >= 0;
    if (left >= 0) {
        p->left_key = kit_list(k, 1, kit_column(k, (unsigned)left));
        p->right_key = kit_list(k, 1, kit_column(k, (unsigned)right));
    }
    return p;
}

struct sql_plan *kit_join_scans(struct kit *k, enum sql_join_kind kind, unsigned columns, int left,
                                int right) {
    struct sql_plan *l = kit_scan(k, columns), *r = kit_scan(k, columns);
    return kit_join(k, kind, l, r, left, right);
}

struct sql_plan *kit_aggregate(struct kit *k, struct sql_plan *in, unsigned groups,
                               struct sql_expr **group, unsigned aggregates) {
    struct sql_plan *p = kit_plan(k, SQL_PLAN_AGGREGATE, groups + aggregates, 1, in);
    p->groups = groups;
    p->group = group;
    p->aggregates = aggregates;
    p->aggregate = take(k, aggregates, sizeof *p->aggregate);
    return p;
}

void kit_set_aggregate(struct kit *k, struct sql_plan *p, unsigned at, const char *name,
                       struct sql_expr *argument) {
    p->aggregate[at].aggregate = kit_aggregate_named(name);
    p->aggregate[at].count = argument != NULL;
    p->aggregate[at].arguments = kit_list(k, 1, argument);
    p->aggregate[at].type = sql_type_of(SQL_INT8);
}

struct sql_plan *kit_top(struct kit *k, struct sql_plan *in, enum sql_top_kind kind, int64_t limit,
                         int64_t offset) {
    struct sql_plan *p = kit_plan(k, SQL_PLAN_TOP, in->columns, 1, in);
    p->top = kind;
    p->limit = limit >= 0 ? kit_int(k, limit) : NULL;
    p->offset = offset ? kit_int(k, offset) : NULL;
    p->orders = 1;
    p->order = take(k, 2, sizeof *p->order);
    p->partition = take(k, 2, sizeof *p->partition);
    return p;
}

/* ---- running ------------------------------------------------------------------------------ */

static void add_row(struct kit *k, const char *text, int64_t weight) {
    for (unsigned i = 0; i < k->row_count; i++) {
        if (strcmp(k->rows[i].text, text) == 0) {
            k->rows[i].weight += weight;
            return;
        }
    }
    if (k->row_count == k->row_room) {
        k->row_room = k->row_room ? k->row_room * 2 : 16;
        k->rows = mem_realloc(k->rows, k->row_room * sizeof *k->rows);
        assert_non_null(k->rows);
    }
    k->rows[k->row_count++] = (struct kit_row){mem_copy(text, strlen(text)), weight};
}

static int collect(void *self, const struct sql_batch *batch, struct sql_error *error) {
    (void)error;
    struct kit *k = self;
    for (unsigned row = 0; row < batch->rows; row++) {
        _cleanup_buf_ struct buf text = buf_make(4096);
        for (unsigned i = 0; i < batch->columns; i++) {
            const struct sql_column *c = &batch->column[i];
            int r = i ? buf_append_byte(&text, ',') : 0;
            assert_int_equal(r, 0);
            r = sql_null_at(c, row) ? buf_append(&text, slice_lit("NULL"))
                                    : buf_append_i64(&text, sql_cell_at(c, row)->i);
            assert_int_equal(r, 0);
        }
        int64_t weight = sql_weight_at(batch, row);
        if (weight < k->least_weight)
            k->least_weight = weight;
        if (k->traces)
            assert_int_equal(buf_printf(&k->trace, "%s*%lld ", buf_text(&text), (long long)weight),
                             0);
        add_row(k, batch->columns ? buf_text(&text) : "()", weight);
    }
    return 0;
}

static uint64_t seed_of(void *self) {
    return *(const uint64_t *)self;
}

void kit_run(struct kit *k, struct sql_plan *plan, bool once) {
    sql_exec_free(k->exec);
    k->exec = NULL;
    forget_rows(k);
    k->query.plan = plan;
    k->once = once;
    struct sql_exec_options options = {
        .once = once, .memory_max = k->memory_max, .emit = collect, .self = k};
    k->settings = (struct sql_settings){.random = seed_of, .self = &k->seed};
    if (k->seed)
        options.settings = &k->settings;
    int r = sql_exec_new(&k->query, &options, &k->exec, &k->error);
    if (r)
        fail_msg("%s: %s", k->error.state, k->error.message);
}

unsigned kit_input(const struct kit *k, unsigned scan) {
    for (unsigned i = 0; i < sql_exec_inputs(k->exec); i++) {
        if (sql_exec_input(k->exec, i) == k->scans[scan])
            return i;
    }
    return UINT32_MAX; /* the plan does not read it */
}

/* One row's text into the builder. Returns what follows it. */
static const char *parse_row(struct sql_builder *b, const char *at) {
    int64_t weight = *at == '~' ? -1 : 1;
    at += *at == '~';
    for (unsigned i = 0; i < b->columns; i++) {
        union sql_cell cell = {.i = 0};
        bool null = strncmp(at, "NULL", 4) == 0;
        char *end = NULL;
        if (null)
            at += 4;
        else
            cell.i = strtoll(at, &end, 10);
        at = end ? end : at;
        at += *at == ',';
        sql_builder_set(b, i, &cell, null);
    }
    if (*at == 'x') {
        char *end;
        weight *= strtoll(at + 1, &end, 10);
        at = end;
    }
    sql_builder_end(b, weight);
    return at + strspn(at, " ");
}

int kit_try_push(struct kit *k, unsigned scan, const char *rows) {
    unsigned input = kit_input(k, scan);
    if (input == UINT32_MAX)
        return 0;
    struct sql_builder b;
    int r = sql_builder_make(k->scans[scan]->columns, &b);
    if (r)
        return sql_fail_memory(&k->error);
    while (r == 0 && *rows) {
        while (*rows && !sql_builder_full(&b))
            rows = parse_row(&b, rows);
        struct sql_batch batch = sql_builder_batch(&b);
        r = sql_exec_push(k->exec, input, &batch, &k->error);
        sql_builder_reset(&b);
    }
    sql_builder_free(&b);
    return r;
}

void kit_push(struct kit *k, unsigned scan, const char *rows) {
    int r = kit_try_push(k, scan, rows);
    if (r)
        fail_msg("%s: %s", k->error.state, k->error.message);
}

void kit_end(struct kit *k) {
    int r = sql_exec_end_step(k->exec, &k->error);
    if (r)
        fail_msg("%s: %s", k->error.state, k->error.message);
}

static int keep_piece(void *self, slice piece, struct sql_error *error) {
    (void)error;
    struct kit *k = self;
    if (k->piece_count == k->piece_room) {
        k->piece_room = k->piece_room ? k->piece_room * 2 : 4;
        k->pieces = mem_realloc(k->pieces, k->piece_room * sizeof *k->pieces);
        assert_non_null(k->pieces);
    }
    assert_true(piece.len <= SQL_STATE_PIECE_BYTES);
    k->pieces[k->piece_count++] = slice_make(mem_copy(piece.ptr, piece.len), piece.len);
    return 0;
}

void kit_save(struct kit *k) {
    forget_pieces(k);
    int r = sql_exec_save(k->exec, keep_piece, k, &k->error);
    if (r)
        fail_msg("%s: %s", k->error.state, k->error.message);
}

void kit_load(struct kit *k, struct kit *to) {
    memcpy(to->scans, k->scans, sizeof to->scans);
    to->scan_count = k->scan_count;
    to->query = k->query;
    kit_run(to, k->query.plan, false);
    for (unsigned i = 0; i < k->piece_count; i++) {
        int r = sql_exec_load(to->exec, k->pieces[i], &to->error);
        if (r < 0)
            fail_msg("%s: %s", to->error.state, to->error.message);
        assert_int_equal(r, i + 1 < k->piece_count);
    }
}

static int by_text(const void *a, const void *b) {
    return strcmp(((const struct kit_row *)a)->text, ((const struct kit_row *)b)->text);
}

const char *kit_text(struct kit *k) {
    struct buf text = buf_make((size_t)1 << 24);
    if (k->row_count)
        qsort(k->rows, k->row_count, sizeof *k->rows, by_text);
    for (unsigned i = 0; i < k->row_count; i++) {
        const struct kit_row *row = &k->rows[i];
        if (row->weight == 0)
            continue;
        int r = buf_printf(&text, "%s%s", text.len ? " " : "", row->text);
        if (r == 0 && row->weight != 1)
            r = buf_printf(&text, "x%lld", (long long)row->weight);
        assert_int_equal(r, 0);
    }
    slice copy;
    assert_int_equal(arena_copy(&k->memory, buf_slice(&text), &copy), 0);
    buf_free(&text);
    return copy.ptr;
}

void kit_expect(struct kit *k, const char *rows) {
    assert_string_equal(kit_text(k), rows);
}
