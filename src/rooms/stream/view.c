/*
 * view.c - see view.h.
 *
 *   BACKFILL --all streams are at their ends--> LIVE
 *       '---------------- an error ----------------'--> FAILED (rows stay, nothing more comes)
 *
 * Changes go into the relation as the executor gives them, all those of a step at one moment, which
 * readers see when the step has ended (database_show). Views above get each batch at once and take
 * their own step after this one, before anybody sees either. A view that fails takes those above
 * with it: they would go on from half a step.
 *
 * Tables that are stored, and other views, are read whole when the view begins; from then on their
 * changes come by view_input.
 */
#include "rooms/stream/view.h"

#include "base/mem.h"
#include "rooms/stream/rows.h"
#include "rooms/stream/view_inside.h"

#include <errno.h>

#define VIEW_STEP_NS_MAX UINT64_C(10000000000)
#define CLOCK_US_MIN INT64_C(20000) /* between two steps by the clock alone */
#define CLOCK_US_MAX INT64_C(3600000000)

/* One view_wait: for the views below, one after another, then for its own streams. */
struct view_waiting {
    struct list_node node;
    struct view *view; /* NULL: it has ended, and is freed when the view below calls back */
    unsigned input;    /* of the executor, looked at next */
    bool below;        /* a view below is waited for */
    struct io_timer timer;
    void (*done)(void *self, const struct sql_error *failed);
    void *self;
};

/* --- failing ---------------------------------------------------------------------------------- */

static void end_waits(struct view *v, const struct sql_error *why);

bool view_reads(const struct view *v, const struct sql_table *table) {
    for (unsigned i = 0; i < sql_exec_inputs(v->exec); i++)
        if (sql_exec_input(v->exec, i)->table->oid == table->oid)
            return true;
    return false;
}

static void set_moment(struct view *v, uint64_t moment) {
    v->moment = moment;
    v->first = v->rows ? relation_next_id(v->rows) : 0;
}

/* The rows are again as they were before the step under way. */
static void take_back(struct view *v) {
    uint64_t next = v->rows && v->moment ? relation_next_id(v->rows) : 0;
    for (uint64_t id = next; id > 1; id--) {
        if (id > v->first && relation_judge(v->rows, id - 1, v->moment) == 0)
            relation_erase(v->rows, id - 1);
        else if (id <= v->first && relation_judge(v->rows, id - 1, v->moment - 1) == -EAGAIN)
            relation_restore(v->rows, id - 1);
    }
    v->moment = 0;
}

static void fail(struct view *v, const struct sql_error *why) {
    if (v->failed)
        return;
    v->failed = true;
    v->error = *why;
    take_back(v);
    if (v->feeds)
        v->fed = feeds_status(v->feeds);
    v->feeds = feeds_close(v->feeds);
    if (v->listener.changes) {
        v->listener.failed(v->listener.self, why);
        return;
    }
    if (v->db->logger)
        logger_write(v->db->logger, LOG_LEVEL_ERROR, "sql", "a materialized view has stopped",
                     "view=%.*s why=%s", slice_fmt(v->table->name), why->message);
    end_waits(v, &v->error);
    struct sql_error above;
    (void)sql_fail(&above, "55000", "materialized view \"%.*s\" has stopped: %s",
                   slice_fmt(v->table->name), why->message);
    struct list_node *n;
    for (n = list_first(&v->db->views); n; n = list_next(&v->db->views, n)) {
        struct view *other = container_of(n, struct kept, node)->view;
        if (other != v && !other->failed && view_reads(other, v->table))
            fail(other, &above);
    }
}

/* --- steps ------------------------------------------------------------------------------------ */

static int refused(struct view *v, int failed, struct sql_error *error) {
    if (failed == -ENOBUFS)
        return sql_fail(error, "53200", "view \"%.*s\" would take more than its memory, %llu bytes",
                        slice_fmt(v->table->name), (unsigned long long)v->db->limits.view_bytes);
    if (failed == -ENOENT)
        return sql_fail(error, "XX000", "view \"%.*s\" takes a row away that is not there",
                        slice_fmt(v->table->name));
    return sql_fail_memory(error);
}

/* The executor's changes: the columns that are shown. */
static int on_changes(void *self, const struct sql_batch *batch, struct sql_error *error) {
    struct view *v = self;
    struct sql_batch shown = *batch;
    struct relation_conflict conflict;
    if (v->listener.changes)
        return v->listener.changes(v->listener.self, batch, error);
    shown.columns = v->query.visible;
    if (!v->moment)
        set_moment(v, database_moment(v->db));
    int r = relation_apply(v->rows, &shown, v->moment, &conflict);
    if (r < 0)
        return refused(v, r, error);
    if (!v->beginning)
        database_changed(v->db, v->table, &shown);
    return 0;
}

static void on_clock(struct io_timer *timer);

/* The next step by the clock, where a row waits for one. */
static void set_clock(struct view *v) {
    int64_t next = v->failed ? INT64_MAX : sql_exec_next_moment(v->exec);
    int64_t now = v->settings.clock(v->settings.self), wait = CLOCK_US_MAX;
    if (next == INT64_MAX) {
        io_timer_stop(v->db->loop, &v->clock);
        return;
    }
    if (next < now + CLOCK_US_MAX)
        wait = next > now + CLOCK_US_MIN ? next - now : CLOCK_US_MIN;
    io_timer_start(v->db->loop, &v->clock, (uint64_t)wait * 1000u, on_clock);
}

static int end_step(struct view *v) {
    struct sql_error error;
    int r = sql_exec_clock(v->exec, v->settings.clock(v->settings.self), &error);
    if (r == 0)
        r = sql_exec_end_step(v->exec, &error);
    if (r < 0)
        fail(v, &error);
    else
        set_clock(v);
    v->moment = 0;
    v->busy_since_ns = 0;
    v->steps++;
    return r;
}

/* A slice of its streams has been pushed. */
static int on_slice(void *self) {
    struct view *v = self;
    int r = end_step(v);
    database_step(v->db);
    database_show(v->db);
    if (r == 0)
        feeds_look(v->feeds);
    return r;
}

static void on_clock(struct io_timer *timer) {
    struct view *v = container_of(timer, struct view, clock);
    if (v->failed)
        return;
    (void)end_step(v);
    database_step(v->db);
    database_show(v->db);
}

static void on_feeds_failed(void *self, const struct sql_error *why) {
    struct view *v = self;
    fail(v, why);
    database_step(v->db);
    database_show(v->db);
}

static void on_looked(void *self) {
    const struct view *v = self;
    database_show(v->db);
}

/* --- input ------------------------------------------------------------------------------------ */

static bool fits(const struct sql_plan *scan, const struct lookup *lookup,
                 const struct sql_batch *batch, unsigned row) {
    for (unsigned i = 0; i < scan->lookups; i++) {
        const struct sql_column *c = &batch->column[scan->lookup_columns[i]];
        uint32_t oid = scan->table->column[scan->lookup_columns[i]].type.oid;
        if (lookup->nulls[i] || sql_null_at(c, row) ||
            !sql_value_equal(oid, sql_cell_at(c, row), &lookup->cells[i]))
            return false;
    }
    return true;
}

/* Those rows of BATCH, the scan's columns of it, that its look-ups want. */
static int push_found(struct view *v, unsigned input, const struct sql_batch *batch,
                      struct sql_error *error) {
    const struct sql_plan *scan = sql_exec_input(v->exec, input);
    struct sql_builder b;
    if (sql_builder_make(scan->columns, &b) < 0)
        return sql_fail_memory(error);
    for (unsigned row = 0; row < batch->rows; row++) {
        if (!fits(scan, &v->lookup[input], batch, row))
            continue;
        for (unsigned c = 0; c < scan->columns; c++) {
            const struct sql_column *column = &batch->column[scan->scan_columns[c]];
            sql_builder_set(&b, c, sql_cell_at(column, row), sql_null_at(column, row));
        }
        sql_builder_end(&b, sql_weight_at(batch, row));
    }
    struct sql_batch found = sql_builder_batch(&b);
    int r = found.rows ? sql_exec_push(v->exec, input, &found, error) : 0;
    sql_builder_free(&b);
    return r;
}

/* BATCH has all columns of the table. */
int view_push_rows(struct view *v, unsigned input, const struct sql_batch *batch,
                   struct sql_error *error) {
    const struct sql_plan *scan = sql_exec_input(v->exec, input);
    struct sql_column columns[SQL_COLUMNS_MAX];
    if (scan->lookups)
        return push_found(v, input, batch, error);
    for (unsigned c = 0; c < scan->columns; c++)
        columns[c] = batch->column[scan->scan_columns[c]];
    const struct sql_batch narrow = {batch->rows, scan->columns, columns, batch->weights};
    return sql_exec_push(v->exec, input, &narrow, error);
}

bool view_input(struct view *v, const struct sql_table *table, const struct sql_batch *batch) {
    struct sql_error error;
    bool reads = false;
    for (unsigned i = 0; !v->failed && i < sql_exec_inputs(v->exec); i++) {
        if (sql_exec_input(v->exec, i)->table->oid != table->oid)
            continue;
        reads = true;
        if (view_push_rows(v, i, batch, &error) < 0)
            fail(v, &error);
    }
    return reads;
}

static int find_lookups(struct view *v, struct sql_error *error) {
    unsigned inputs = sql_exec_inputs(v->exec);
    int r = 0;
    v->lookup = mem_zalloc(inputs + 1u, sizeof *v->lookup);
    for (unsigned i = 0; r == 0 && v->lookup && i < inputs; i++) {
        struct lookup *l = &v->lookup[i];
        unsigned count = sql_exec_input(v->exec, i)->lookups;
        l->cells = mem_zalloc(count + 1u, sizeof *l->cells);
        l->nulls = mem_zalloc(count + 1u, 1);
        r = l->cells && l->nulls ? sql_exec_lookup(v->exec, i, l->cells, l->nulls, error)
                                 : sql_fail_memory(error);
    }
    return v->lookup ? r : sql_fail_memory(error);
}

static void free_lookups(struct view *v) {
    for (unsigned i = 0; v->lookup && i < sql_exec_inputs(v->exec); i++) {
        mem_free(v->lookup[i].cells);
        mem_free(v->lookup[i].nulls);
    }
    mem_free(v->lookup);
}

void view_step(struct view *v, uint64_t commit) {
    if (v->failed)
        return;
    if (!v->moment)
        set_moment(v, commit);
    (void)end_step(v);
}

/* --- beginning -------------------------------------------------------------------------------- */

/* What of an input is there already. Changes of stored tables on their way to the disk will be
   told; those of views have been. */
static int read_input(struct view *v, unsigned input, struct sql_error *error) {
    const struct sql_table *table = sql_exec_input(v->exec, input)->table;
    struct relation *rows = relation_of(table);
    struct sql_builder b;
    struct relation_scan at;
    bool kept = table->kind == SQL_TABLE_MATERIALIZED;
    if (kept && (!rows || ((struct view *)table->host)->failed))
        return sql_fail(error, "55000", "materialized view \"%.*s\" has stopped",
                        slice_fmt(table->name));
    if (!rows)
        return 0;
    if (sql_builder_make(table->columns, &b) < 0)
        return sql_fail_memory(error);
    bool told = kept || list_empty(&v->db->flight);
    relation_scan_all(rows, told ? v->db->commit : v->db->visible, &at);
    int r = 0, n;
    while (r == 0 && (n = relation_scan_next(&at, NULL, table->columns, &b)) != 0) {
        struct sql_batch batch = sql_builder_batch(&b);
        r = n < 0 ? sql_fail_memory(error) : view_push_rows(v, input, &batch, error);
        sql_builder_reset(&b);
    }
    relation_scan_end(&at);
    sql_builder_free(&b);
    return r;
}

/* The columns that are unique by the plan, for those who read by key. */
static int add_key(struct view *v) {
    struct sql_plan_facts facts = sql_plan_facts(v->query.plan);
    v->table->append_only = facts.append_only;
    for (unsigned i = 0; i < facts.key_count; i++)
        if (facts.key[i] >= v->query.visible)
            return 0;
    if (!facts.key_count)
        return 0;
    struct sql_table_index *key = arena_zalloc(&v->table->memory, 1, sizeof *key);
    unsigned *columns = arena_zalloc(&v->table->memory, facts.key_count, sizeof *columns);
    if (!key || !columns)
        return -ENOMEM;
    memcpy(columns, facts.key, facts.key_count * sizeof *columns);
    *key = (struct sql_table_index){.columns = facts.key_count, .column = columns};
    v->table->key = key;
    return relation_add_index(v->rows, 0, columns, facts.key_count, false);
}

/* And those of CREATE INDEX. None is enforced: within a step a key may be there twice. */
static int add_indexes(struct view *v) {
    int r = add_key(v);
    for (unsigned i = 0; r == 0 && i < v->table->indexes; i++) {
        const struct sql_table_index *x = &v->table->index[i];
        r = relation_add_index(v->rows, x->oid, x->column, x->columns, false);
    }
    return r;
}

static int make_rows(struct view *v, struct sql_error *error) {
    struct sql_type types[SQL_COLUMNS_MAX];
    check(v->query.visible <= v->query.plan->columns && v->query.visible <= SQL_COLUMNS_MAX);
    for (unsigned i = 0; i < v->query.visible; i++)
        types[i] = v->query.plan->column[i].type;
    int r = relation_new(types, v->query.visible, v->db->limits.view_bytes, &v->rows);
    if (r == 0)
        r = add_indexes(v);
    return r < 0 ? sql_fail_memory(error) : 0;
}

/* A step cannot be left and come back to: readers and other views wait for it. */
static int on_go_on(void *self, struct sql_error *error) {
    struct view *v = self;
    if (v->saving_go_on)
        return v->saving_go_on(v->saving, error);
    if (v->listener.go_on)
        return v->listener.go_on(v->listener.self, error);
    uint64_t now = io_host_clock_ns(io_loop_host(v->db->loop));
    if (!v->busy_since_ns)
        v->busy_since_ns = now;
    if (now - v->busy_since_ns < VIEW_STEP_NS_MAX)
        return 0;
    (void)sql_fail(error, "57014", "one step of it took more than %u seconds",
                   (unsigned)(VIEW_STEP_NS_MAX / 1000000000u));
    sql_error_hint(error, "A view that is kept up to date is for rows that come: filter before "
                          "joining, and bound what a function in FROM gives.");
    return -EINVAL;
}

static int hold_tables(struct view *v) {
    v->tables = mem_zalloc(sql_exec_inputs(v->exec) + 1u, sizeof(struct sql_table *));
    if (!v->tables)
        return -ENOMEM;
    for (unsigned i = 0; i < sql_exec_inputs(v->exec); i++) {
        uint32_t oid = sql_exec_input(v->exec, i)->table->oid;
        v->tables[i] = sql_catalog_table_by_oid(v->db->catalog, oid);
        if (v->tables[i])
            v->tables[i]->references++;
    }
    return 0;
}

static void free_tables(struct view *v) {
    for (unsigned i = 0; v->tables && i < sql_exec_inputs(v->exec); i++)
        sql_table_unref(v->tables[i]);
    mem_free(v->tables);
}

int view_make(struct view *v, struct sql_error *error) {
    const struct view_listener *l = &v->listener;
    const struct sql_exec_options options = {.memory_max = l->changes ? l->memory_max
                                                                      : v->db->limits.view_bytes,
                                             .settings = &v->settings,
                                             .parameters = l->parameters,
                                             .parameter_nulls = l->parameter_nulls,
                                             .emit = on_changes,
                                             .go_on = on_go_on,
                                             .self = v};
    int r = l->changes ? 0 : make_rows(v, error);
    if (r == 0)
        r = sql_exec_new(&v->query, &options, &v->exec, error);
    if (r == 0 && hold_tables(v) < 0)
        r = sql_fail_memory(error);
    if (r == 0)
        r = find_lookups(v, error);
    return r;
}

int view_open_feeds(struct view *v, slice saved, struct sql_error *error) {
    const struct feeds_options feeds = {.ledger = v->db->ledger,
                                        .loop = v->db->loop,
                                        .exec = v->exec,
                                        .plan = v->query.plan,
                                        .settings = &v->settings,
                                        .saved = saved,
                                        .step = on_slice,
                                        .looked = on_looked,
                                        .failed = on_feeds_failed,
                                        .self = v};
    return feeds_open(&feeds, &v->feeds, error);
}

static int begin(struct view *v, struct sql_error *error) {
    int r = view_make(v, error);
    v->tombstones = v->db->tombstones.count;
    v->beginning = true;
    if (r == 0)
        r = sql_exec_clock(v->exec, v->settings.clock(v->settings.self), error);
    for (unsigned i = 0; r == 0 && i < sql_exec_inputs(v->exec); i++)
        r = read_input(v, i, error);
    if (r == 0)
        r = sql_exec_end_step(v->exec, error);
    if (r == 0)
        set_clock(v);
    v->beginning = false;
    v->busy_since_ns = 0;
    if (r < 0)
        return r;
    v->moment = 0;
    return view_open_feeds(v, (slice){NULL, 0}, error);
}

void view_unmake(struct view *v) {
    free_lookups(v);
    v->lookup = NULL;
    free_tables(v);
    v->tables = NULL;
    v->exec = sql_exec_free(v->exec);
    v->rows = relation_free(v->rows);
    v->table->key = NULL;
    v->steps = 0;
}

int view_start(struct database *db, struct sql_table *table, const struct sql_query *query,
               const struct view_saved *saved, struct arena *take_memory, struct view **ret,
               struct sql_error *error) {
    struct view *v = mem_zalloc(1, sizeof *v);
    if (!v)
        return sql_fail_memory(error);
    v->db = db;
    v->table = table;
    v->pace.tried_ns = io_loop_now_ns(db->loop);
    v->query = *query;
    v->settings = db->settings;
    list_init(&v->waits);
    int r = saved ? view_go_on(v, saved, error) : 1;
    if (r > 0)
        r = begin(v, error);
    if (r < 0 && v->lookup) { /* its definition is on disk: it is there, and says why not */
        fail(v, error);
        r = 0;
    }
    if (r < 0) {
        view_stop(v); /* the plan's memory stays the caller's */
        return r;
    }
    v->memory = *take_memory;
    *take_memory = arena_make(0, 0);
    database_show(db);
    *ret = v;
    return 0;
}

int view_listen(struct database *db, const struct sql_query *query,
                const struct view_listener *listener, struct view **ret, struct sql_error *error) {
    struct view *v = mem_zalloc(1, sizeof *v);
    if (!v)
        return sql_fail_memory(error);
    check(list_empty(&db->flight));
    v->db = db;
    v->query = *query;
    v->settings = *listener->settings;
    v->listener = *listener;
    list_init(&v->waits);
    int r = begin(v, error);
    if (r < 0)
        view_stop(v);
    else
        *ret = v;
    return r;
}

struct view *view_stop(struct view *v) {
    if (!v)
        return NULL;
    struct sql_error error;
    views_save_forget(v->db, v);
    io_timer_stop(v->db->loop, &v->clock);
    v->feeds = feeds_close(v->feeds);
    if (v->table) {
        (void)sql_fail(&error, "42P01", "materialized view \"%.*s\" was dropped",
                       slice_fmt(v->table->name));
        end_waits(v, &error);
        v->table->key = NULL;
    }
    free_lookups(v);
    free_tables(v);
    sql_exec_free(v->exec);
    relation_free(v->rows);
    arena_free(&v->memory);
    return mem_free(v);
}

void view_move(struct view *v, struct sql_table *table) {
    v->table = table;
}

struct sql_table *view_table(const struct view *v) {
    return v->table;
}

struct relation *view_relation(const struct view *v) {
    return v->rows;
}

struct view_status view_status(const struct view *v) {
    struct feeds_status fed = v->feeds ? feeds_status(v->feeds) : v->fed;
    struct relation_stats rows = {0};
    if (v->rows)
        rows = relation_stats(v->rows);
    struct sql_exec_stats state = sql_exec_stats(v->exec);
    return (struct view_status){.state = v->failed               ? VIEW_FAILED
                                         : v->feeds && !fed.live ? VIEW_BACKFILL
                                                                 : VIEW_LIVE,
                                .rows = rows.rows,
                                .state_bytes = state.state_bytes,
                                .bytes = rows.bytes,
                                .steps = v->steps,
                                .late_rows = fed.late_rows,
                                .bad_records = fed.bad_records,
                                .position = fed.position,
                                .lag = fed.lag,
                                .read = fed.read,
                                .hurry = fed.hurry,
                                .error = v->error};
}

const struct sql_error *view_failure(const struct view *v) {
    const struct sql_error *why = v->failed ? &v->error : NULL;
    for (unsigned i = 0; !why && i < sql_exec_inputs(v->exec); i++) {
        const struct sql_table *table = sql_exec_input(v->exec, i)->table;
        if (table->kind == SQL_TABLE_MATERIALIZED && table->host)
            why = view_failure(table->host);
    }
    return why;
}

uint64_t view_position(const struct view *v) {
    uint64_t position = v->feeds ? feeds_status(v->feeds).position : v->fed.position;
    for (unsigned i = 0; i < sql_exec_inputs(v->exec); i++) {
        const struct sql_table *table = sql_exec_input(v->exec, i)->table;
        uint64_t of = 0;
        if (table->kind == SQL_TABLE_STORED && table->host)
            of = ((const struct stored *)table->host)->position;
        else if (table->kind == SQL_TABLE_MATERIALIZED && table->host)
            of = view_position(table->host);
        position = of > position ? of : position;
    }
    return position;
}

/* --- waiting ---------------------------------------------------------------------------------- */

static void waiting_end(struct view_waiting *w, const struct sql_error *why) {
    void (*done)(void *self, const struct sql_error *failed) = w->done;
    void *self = w->self;
    io_timer_stop(w->view->db->loop, &w->timer);
    list_remove(&w->node);
    w->view = NULL;
    if (!w->below)
        mem_free(w);
    done(self, why);
}

static void end_waits(struct view *v, const struct sql_error *why) {
    struct list_node *n;
    while ((n = list_first(&v->waits)))
        waiting_end(container_of(n, struct view_waiting, node), why);
}

static void wait_on(struct view_waiting *w);

static void on_waited(void *self) {
    waiting_end(self, NULL);
}

static void on_now(struct io_timer *timer) {
    struct view_waiting *w = container_of(timer, struct view_waiting, timer);
    const struct view *v = w->view;
    struct sql_error why = v->error;
    waiting_end(w, v->failed ? &why : NULL);
}

static void on_below(void *self, const struct sql_error *failed) {
    struct view_waiting *w = self;
    w->below = false;
    if (!w->view)
        mem_free(w);
    else if (failed)
        waiting_end(w, failed);
    else
        wait_on(w);
}

static void wait_on(struct view_waiting *w) {
    struct view *v = w->view;
    while (!v->failed && w->input < sql_exec_inputs(v->exec)) {
        const struct sql_table *named = sql_exec_input(v->exec, w->input++)->table;
        const struct sql_table *now = sql_catalog_table_by_oid(v->db->catalog, named->oid);
        const struct sql_table *table = now ? now : named;
        if (table->kind != SQL_TABLE_MATERIALIZED || !table->host)
            continue;
        w->below = true;
        view_wait(table->host, on_below, w);
        return;
    }
    struct sql_error error;
    if (v->failed || !v->feeds) {
        io_timer_start(v->db->loop, &w->timer, 0, on_now);
    } else if (feeds_wait(v->feeds, on_waited, w) < 0) {
        (void)sql_fail_memory(&error);
        waiting_end(w, &error);
    }
}

void view_wait(struct view *v, void (*done)(void *self, const struct sql_error *failed),
               void *self) {
    struct view_waiting *w = mem_zalloc(1, sizeof *w);
    if (!w) {
        struct sql_error error;
        (void)sql_fail_memory(&error);
        done(self, &error);
        return;
    }
    w->view = v;
    w->done = done;
    w->self = self;
    list_push_back(&v->waits, &w->node);
    wait_on(w);
}

int view_reached(struct view *v, const struct positions *positions, uint64_t since_ns,
                 struct feeds_lack *ret_lack, struct sql_error *error) {
    if (v->failed)
        return sql_fail(error, "55000", "materialized view \"%.*s\" has stopped: %s",
                        slice_fmt(v->table->name), v->error.message);
    return !v->feeds || feeds_reached(v->feeds, positions, since_ns, ret_lack);
}
