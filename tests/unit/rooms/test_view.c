#include "bus_kit.h"

#undef assert_slice /* kit.h has its own */
#include "kit.h"

#include "rooms/stream/inside.h"

#include <stdlib.h> /* what is kept is not counted among the code's own allocations */

/*
 * Views over a real log: plans by hand (tests/unit/sql/exec/kit.h), the ledger over the simulated
 * machine. What views ask of the database's other files is written down here in its shortest form.
 */

/* --- the database ------------------------------------------------------------------------------
 */

uint64_t database_moment(struct database *db) {
    return ++db->commit;
}

void database_show(struct database *db) {
    db->visible = db->commit;
}

void database_changed(struct database *db, const struct sql_table *table,
                      const struct sql_batch *batch) {
    for (struct list_node *n = list_first(&db->views); n; n = list_next(&db->views, n)) {
        struct kept *k = container_of(n, struct kept, node);
        if (k->table == table)
            continue;
        view_input(k->view, table, batch);
        k->touched = true;
    }
}

void database_step(struct database *db) {
    for (struct list_node *n = list_first(&db->views); n; n = list_next(&db->views, n)) {
        struct kept *k = container_of(n, struct kept, node);
        if (k->touched)
            view_step(k->view, database_moment(db));
        k->touched = false;
    }
}

void commits_go_on(struct database *db) {
    (void)db;
}

slice table_option(const struct sql_table *table, const char *name) {
    for (unsigned i = 0; i < table->options; i++)
        if (slice_equal(table->option[i].name, slice_str(name)))
            return table->option[i].value;
    return (slice){NULL, 0};
}

struct relation *relation_of(const struct sql_table *table) {
    if (!table->host)
        return NULL;
    return table->kind == SQL_TABLE_STORED ? ((struct stored *)table->host)->rows
                                           : view_relation(table->host);
}

/* --- the world ---------------------------------------------------------------------------------
 */

#define COLUMNS 2u
#define VIEWS_MAX 4u

struct town {
    struct house *house;
    struct room_shard front, back;
    struct ledger_server *server;
    struct database db;
    struct kit kit;
    struct kept kept[VIEWS_MAX];
    unsigned views;
};

/* Views tell their inputs apart by it. */
static uint32_t oid_of(const void *table) {
    return (uint32_t)((uintptr_t)table >> 3);
}

/* Tables of two columns a, b over a stream, or stored. */
struct book {
    struct sql_table table;
    struct sql_table_column column[COLUMNS];
    struct sql_option option[2];
    struct stored stored;
};

static void book_stream(struct book *b, const char *name, const char *subject) {
    *b = (struct book){
        .table = {.oid = oid_of(&b->table), .name = slice_str(name), .kind = SQL_TABLE_STREAM}};
    b->column[0] = (struct sql_table_column){.name = slice_lit("a"), .type = sql_type_of(SQL_INT8)};
    b->column[1] = (struct sql_table_column){.name = slice_lit("b"), .type = sql_type_of(SQL_INT8)};
    b->option[0] = (struct sql_option){slice_lit("subject"), slice_str(subject)};
    b->table.columns = COLUMNS;
    b->table.column = b->column;
    b->table.option = b->option;
    b->table.options = 1;
    b->table.append_only = true;
    b->table.watermark_column = -1;
}

static void book_stored(struct book *b, const char *name) {
    const struct sql_type types[COLUMNS] = {sql_type_of(SQL_INT8), sql_type_of(SQL_INT8)};
    book_stream(b, name, "");
    b->table.kind = SQL_TABLE_STORED;
    b->table.options = 0;
    b->table.append_only = false;
    b->table.host = &b->stored;
    b->stored.table = &b->table;
    assert_int_equal(relation_new(types, COLUMNS, 1u << 20, &b->stored.rows), 0);
}

/* INSERT of one row, or DELETE of it, committed. */
static void change(struct town *t, struct book *b, int64_t a, int64_t value, int64_t weight) {
    const union sql_cell cells[COLUMNS] = {{.i = a}, {.i = value}};
    const struct sql_column columns[COLUMNS] = {{&cells[0], NULL, 1}, {&cells[1], NULL, 1}};
    const struct sql_batch batch = {1, COLUMNS, columns, &weight};
    struct relation_conflict conflict;
    assert_int_equal(relation_apply(b->stored.rows, &batch, database_moment(&t->db), &conflict), 0);
    database_changed(&t->db, &b->table, &batch);
    database_step(&t->db);
    database_show(&t->db);
}

static int64_t clock_now(void *self) {
    const struct town *t = self;
    return io_loop_wall_ns(t->front.loop) / 1000;
}

static void town_rise(struct town *t) {
    struct house *house = t->house;
    house_streams(house);
    t->front = (struct room_shard){.loop = bus_loop(house->bus[0]), .bus = house->bus[0]};
    t->back = (struct room_shard){
        .loop = bus_loop(house_last(house)), .bus = house_last(house), .streams = house->streams};
    t->db = (struct database){
        .loop = t->front.loop,
        .commit = 1,
        .visible = 1,
        .limits = {.run_bytes = 1u << 30, .view_bytes = 1u << 30, .table_bytes = 1u << 30},
        .settings = {.clock = clock_now, .self = t}};
    list_init(&t->db.views);
    list_init(&t->db.flight);
    assert_int_equal(ledger_create(&t->front, &t->db.ledger), 0);
    assert_int_equal(ledger_server_create(&t->back, &t->server), 0);
    assert_int_equal(sql_catalog_new(&t->db.catalog), 0);
    t->kit = kit_make();
    t->views = 0;
}

static void town_open(struct town *t, unsigned shards) {
    *t = (struct town){.house = house_open(11, shards)};
    town_rise(t);
}

static void town_leave(struct town *t) {
    while (t->views) {
        struct kept *k = &t->kept[--t->views];
        list_remove(&k->node);
        k->table->host = NULL;
        view_stop(k->view);
        arena_free(&k->table->memory);
    }
    t->db.ledger = ledger_free(t->db.ledger);
    t->db.catalog = sql_catalog_free(t->db.catalog);
    t->server = ledger_server_free(t->server);
    kit_free(&t->kit);
}

static void town_close(struct town *t) {
    town_leave(t);
    house_close(t->house);
}

static struct sql_plan *scan_of(struct town *t, struct sql_table *table) {
    static unsigned both[COLUMNS] = {0, 1};
    struct sql_plan *p = kit_scan(&t->kit, COLUMNS);
    p->table = table;
    p->scan_columns = both;
    return p;
}

/* CREATE MATERIALIZED VIEW: TABLE is filled. */
static struct view *make_view(struct town *t, struct sql_table *table, struct sql_plan *plan) {
    struct kept *k = &t->kept[t->views++];
    struct sql_query query = {.plan = plan, .plans = t->kit.query.plans, .visible = plan->columns};
    struct arena memory = arena_make(0, 1u << 20); /* the kit keeps the plan */
    struct sql_error error;
    *table = (struct sql_table){.oid = oid_of(table),
                                .name = slice_lit("v"),
                                .kind = SQL_TABLE_MATERIALIZED,
                                .columns = plan->columns,
                                .memory = arena_make(0, 1u << 20)};
    if (view_start(&t->db, table, &query, NULL, &memory, &k->view, &error))
        fail_msg("%s: %s", error.state, error.message);
    table->host = k->view;
    k->table = table;
    k->touched = false;
    list_push_back(&t->db.views, &k->node);
    return k->view;
}

struct waited {
    unsigned called;
    char state[6];
};

static void on_waited(void *self, const struct sql_error *failed) {
    struct waited *w = self;
    w->called++;
    snprintf(w->state, sizeof w->state, "%s", failed ? failed->state : "");
}

static const char *flush(struct town *t, struct view *v) {
    static struct waited w;
    w = (struct waited){0};
    view_wait(v, on_waited, &w);
    assert_int_equal(w.called, 0);
    for (unsigned i = 0; !w.called; i++) {
        assert_true(i < 20000);
        house_run(t->house, 5 * SIM_MILLISECOND);
    }
    assert_int_equal(w.called, 1);
    return w.state;
}

static int by_text(const void *a, const void *b) {
    return strcmp(a, b);
}

/* What a reader sees of V now, sorted as text: "1,10 2,20". */
static void expect(struct town *t, struct view *v, const char *rows) {
    static char lines[64][64];
    char text[2048] = "";
    unsigned count = 0, which[8] = {0, 1, 2, 3, 4, 5, 6, 7};
    struct sql_builder b;
    struct relation_scan scan;
    unsigned columns = t->kit.query.visible;
    assert_int_equal(sql_builder_make(columns, &b), 0);
    relation_scan_all(view_relation(v), t->db.visible, &scan);
    while (relation_scan_next(&scan, which, columns, &b) > 0) {
        for (unsigned row = 0; row < b.rows; row++) {
            char *line = lines[count++];
            line[0] = '\0';
            assert_true(count < 64);
            for (unsigned c = 0; c < columns; c++) {
                size_t len = strlen(line);
                if (b.nulls[c][row])
                    snprintf(line + len, 64 - len, "%sNULL", c ? "," : "");
                else
                    snprintf(line + len, 64 - len, "%s%lld", c ? "," : "",
                             (long long)b.cells[c][row].i);
            }
        }
        sql_builder_reset(&b);
    }
    relation_scan_end(&scan);
    sql_builder_free(&b);
    qsort(lines, count, sizeof lines[0], by_text);
    for (unsigned i = 0; i < count; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i ? " " : "", lines[i]);
    assert_string_equal(text, rows);
}

static void row(struct town *t, const char *subject, int a, int b) {
    char text[64];
    snprintf(text, sizeof text, "{\"a\":%d,\"b\":%d}", a, b);
    say(house_last(t->house), subject, text);
}

/* SELECT a, count(*), sum(b) FROM in GROUP BY a */
static struct sql_plan *counted(struct town *t, struct sql_plan *in) {
    struct sql_plan *p =
        kit_aggregate(&t->kit, in, 1, kit_list(&t->kit, 1, kit_column(&t->kit, 0)), 2);
    kit_set_aggregate(&t->kit, p, 0, "count", NULL);
    kit_set_aggregate(&t->kit, p, 1, "sum", kit_column(&t->kit, 1));
    return p;
}

/* --- tests --------------------------------------------------------------------------------------
 */

static void test_a_view_is_read_back_then_kept_up_to_date(void **state) {
    (void)state;
    for (unsigned shards = 1; shards <= 2; shards++) {
        struct town t;
        struct book bid;
        struct sql_table table;
        town_open(&t, shards);
        t.kit.query.visible = 3;
        assert_non_null(kit_stream(t.house, "{'name':'S','subjects':['bid']}"));
        book_stream(&bid, "bid", "bid");
        for (int i = 0; i < 3000; i++) {
            row(&t, "bid", i % 3, i);
            if (i % 500 == 0)
                house_run(t.house, 50 * SIM_MILLISECOND);
        }
        say(house_last(t.house), "bid", "{\"a\":\"no number\"}");
        house_run(t.house, SIM_SECOND);
        struct view *v = make_view(&t, &table, counted(&t, scan_of(&t, &bid.table)));
        assert_int_equal(view_status(v).state, VIEW_BACKFILL);
        assert_string_equal(flush(&t, v), "");
        expect(&t, v, "0,1000,1498500 1,1000,1499500 2,1000,1500500");
        struct view_status s = view_status(v);
        assert_int_equal(s.state, VIEW_LIVE);
        assert_int_equal(s.bad_records, 1);
        assert_int_equal(s.lag, 0);
        assert_int_equal(s.rows, 3);
        assert_true(s.position >= 3001);
        row(&t, "bid", 1, 500);
        row(&t, "bid", 7, 1);
        house_run(t.house, 100 * SIM_MILLISECOND); /* without a wait, too */
        expect(&t, v, "0,1000,1498500 1,1001,1500000 2,1000,1500500 7,1,1");
        assert_true(view_status(v).steps > s.steps);
        town_leave(&t);
        house_kill(t.house);
        town_rise(&t);
        t.kit.query.visible = 3;
        v = make_view(&t, &table, counted(&t, scan_of(&t, &bid.table)));
        assert_string_equal(flush(&t, v), "");
        expect(&t, v, "0,1000,1498500 1,1001,1500000 2,1000,1500500 7,1,1");
        town_close(&t);
    }
}

static void test_tables_of_one_stream_and_of_several_are_joined(void **state) {
    (void)state;
    for (unsigned one = 0; one <= 1; one++) {
        struct town t;
        struct book left, right;
        struct sql_table table;
        town_open(&t, 2);
        t.kit.query.visible = 4;
        if (one) {
            assert_non_null(kit_stream(t.house, "{'name':'S','subjects':['n.*']}"));
        } else {
            assert_non_null(kit_stream(t.house, "{'name':'L','subjects':['n.left']}"));
            assert_non_null(kit_stream(t.house, "{'name':'R','subjects':['n.right','n.more']}"));
        }
        book_stream(&left, "l", "n.left");
        book_stream(&right, "r", "n.right");
        row(&t, "n.left", 1, 10);
        row(&t, "n.right", 1, 20);
        row(&t, "n.more", 1, 99);
        row(&t, "n.right", 2, 21);
        struct view *v = make_view(&t, &table,
                                   kit_join(&t.kit, SQL_JOIN_INNER, scan_of(&t, &left.table),
                                            scan_of(&t, &right.table), 0, 0));
        house_run(t.house, 100 * SIM_MILLISECOND);
        assert_string_equal(flush(&t, v), "");
        expect(&t, v, "1,10,1,20");
        row(&t, "n.left", 2, 11);
        house_run(t.house, 50 * SIM_MILLISECOND);
        assert_string_equal(flush(&t, v), "");
        expect(&t, v, "1,10,1,20 2,11,2,21");
        assert_int_equal(view_status(v).state, VIEW_LIVE);
        town_close(&t);
    }
}

static void test_a_stream_may_come_later(void **state) {
    (void)state;
    struct town t;
    struct book bid;
    struct sql_table table;
    town_open(&t, 2);
    t.kit.query.visible = 2;
    book_stream(&bid, "bid", "bid");
    struct view *v = make_view(&t, &table, scan_of(&t, &bid.table));
    assert_string_equal(flush(&t, v), "");
    assert_int_equal(view_status(v).state, VIEW_BACKFILL);
    assert_non_null(kit_stream(t.house, "{'name':'S','subjects':['bid']}"));
    row(&t, "bid", 1, 2);
    house_run(t.house, 20 * SIM_MILLISECOND);
    assert_string_equal(flush(&t, v), "");
    expect(&t, v, "1,2");
    assert_int_equal(view_status(v).state, VIEW_LIVE);
    /* Another stream of its name is not taken for it. */
    assert_true(kit_delete_stream(t.house, "S"));
    house_run(t.house, SIM_SECOND);
    assert_int_equal(view_status(v).state, VIEW_FAILED);
    assert_string_equal(view_status(v).error.state, "55000");
    assert_string_equal(flush(&t, v), "55000");
    expect(&t, v, "1,2");
    town_close(&t);
}

static int reached(struct town *t, struct view *v, const char *text, uint64_t since_ns,
                   struct feeds_lack *ret_lack) {
    struct positions p;
    struct sql_error error;
    assert_int_equal(positions_read(slice_str(text), &p), 0);
    (void)t;
    return view_reached(v, &p, since_ns, ret_lack, &error);
}

static void test_a_view_tells_how_far_it_is(void **state) {
    (void)state;
    struct town t;
    struct book bid, late;
    struct sql_table table;
    struct feeds_lack lack;
    town_open(&t, 2);
    t.kit.query.visible = 2;
    assert_non_null(kit_stream(t.house, "{'name':'S','subjects':['bid','other']}"));
    book_stream(&bid, "bid", "bid");
    book_stream(&late, "late", "late");
    struct view *v = make_view(
        &t, &table,
        kit_plan(&t.kit, SQL_PLAN_UNION, 2, 2, scan_of(&t, &bid.table), scan_of(&t, &late.table)));
    row(&t, "bid", 1, 1);
    row(&t, "other", 1, 1);
    house_run(t.house, 100 * SIM_MILLISECOND);
    /* The stream of `late` was looked for once; what is asked later wants it looked for again. */
    assert_int_equal(reached(&t, v, "S:2, X:9", 0, &lack), 1);
    uint64_t now = io_loop_now_ns(t.front.loop);
    assert_int_equal(reached(&t, v, "S:2", now, &lack), 0);
    assert_int_equal(lack.stream.len, 0);
    house_run(t.house, 100 * SIM_MILLISECOND);
    assert_int_equal(reached(&t, v, "S:2", now, &lack), 1);
    assert_int_equal(reached(&t, v, "S:3", now, &lack), 0);
    assert_slice(lack.stream, "S");
    assert_int_equal(lack.has, 2);
    assert_non_null(kit_stream(t.house, "{'name':'L','subjects':['late']}"));
    row(&t, "late", 1, 1);
    now = io_loop_now_ns(t.front.loop);
    assert_int_equal(reached(&t, v, "L:1", now, &lack), 0);
    house_run(t.house, 100 * SIM_MILLISECOND);
    assert_int_equal(reached(&t, v, "L:1", now, &lack), 1);
    town_close(&t);
}

static void test_stored_tables_and_views_are_inputs_too(void **state) {
    (void)state;
    struct town t;
    struct book stored, bid;
    struct sql_table below, above;
    town_open(&t, 1);
    t.kit.query.visible = 3;
    assert_non_null(kit_stream(t.house, "{'name':'S','subjects':['bid']}"));
    book_stored(&stored, "stored");
    book_stream(&bid, "bid", "bid");
    change(&t, &stored, 1, 5, 2);
    change(&t, &stored, 2, 6, 1);
    row(&t, "bid", 2, 1);
    row(&t, "bid", 3, 1);
    house_run(t.house, 50 * SIM_MILLISECOND);
    /* below: stored UNION ALL bid, counted; above: how many groups have each count */
    struct sql_plan *both =
        kit_plan(&t.kit, SQL_PLAN_UNION, 2, 2, scan_of(&t, &stored.table), scan_of(&t, &bid.table));
    struct view *v = make_view(&t, &below, counted(&t, both));
    expect(&t, v, "1,2,10 2,1,6"); /* at once, without the stream */
    struct sql_plan *scan = scan_of(&t, &below);
    static unsigned counts[] = {1, 0};
    scan->scan_columns = counts;
    struct view *w = make_view(&t, &above, counted(&t, scan));
    assert_string_equal(flush(&t, w), "");
    expect(&t, v, "1,2,10 2,2,7 3,1,1");
    expect(&t, w, "1,1,3 2,2,3");
    change(&t, &stored, 3, 8, 1);
    change(&t, &stored, 1, 5, -1);
    expect(&t, v, "1,1,5 2,2,7 3,2,9");
    expect(&t, w, "1,1,1 2,2,5");
    row(&t, "bid", 1, 0);
    house_run(t.house, 50 * SIM_MILLISECOND);
    expect(&t, w, "2,3,6");
    struct relation *rows = stored.stored.rows;
    town_close(&t);
    relation_free(rows);
}

/* SELECT * FROM stored WHERE a = 2, and FROM view WHERE a = 2: the filter has become a look-up. */
static void test_a_look_up_is_a_filter(void **state) {
    (void)state;
    struct town t;
    struct book stored;
    struct sql_table below, above;
    static unsigned first = 0;
    town_open(&t, 1);
    t.kit.query.visible = 2;
    book_stored(&stored, "stored");
    change(&t, &stored, 1, 5, 1);
    change(&t, &stored, 2, 6, 1);
    struct sql_plan *scans[2] = {scan_of(&t, &stored.table), scan_of(&t, &below)};
    for (unsigned i = 0; i < 2; i++) {
        scans[i]->lookups = 1;
        scans[i]->lookup_columns = &first;
        scans[i]->lookup_values = kit_list(&t.kit, 1, kit_int(&t.kit, 2));
    }
    struct view *v = make_view(&t, &below, scans[0]);
    below.column = stored.column;
    struct view *w = make_view(&t, &above, scans[1]);
    expect(&t, v, "2,6");
    expect(&t, w, "2,6");
    change(&t, &stored, 3, 7, 1);
    change(&t, &stored, 2, 8, 1);
    change(&t, &stored, 2, 6, -1);
    expect(&t, v, "2,8");
    expect(&t, w, "2,8");
    struct relation *rows = stored.stored.rows;
    town_close(&t);
    relation_free(rows);
}

/* A view of groups is read by its groups without scanning. */
static void test_it_has_an_index_of_what_is_unique(void **state) {
    (void)state;
    struct town t;
    struct book stored;
    struct sql_table table;
    union sql_cell key = {.i = 2};
    unsigned which[] = {0, 1, 2};
    struct sql_builder b;
    struct relation_scan scan;
    town_open(&t, 1);
    book_stored(&stored, "stored");
    change(&t, &stored, 1, 5, 1);
    change(&t, &stored, 2, 6, 1);
    struct view *v = make_view(&t, &table, counted(&t, scan_of(&t, &stored.table)));
    assert_non_null(table.key);
    assert_int_equal(table.key->columns, 1);
    assert_int_equal(table.key->column[0], 0);
    assert_int_equal(
        relation_scan_key(view_relation(v), t.db.visible, table.key->column, 1, &key, &scan), 0);
    assert_int_equal(sql_builder_make(3, &b), 0);
    assert_int_equal(relation_scan_next(&scan, which, 3, &b), 1);
    assert_int_equal(b.cells[2][0].i, 6);
    relation_scan_end(&scan);
    sql_builder_free(&b);
    struct relation *rows = stored.stored.rows;
    town_close(&t);
    relation_free(rows);
}

static void test_an_error_stops_it_between_two_steps(void **state) {
    (void)state;
    struct town t;
    struct book bid;
    struct sql_table below, above;
    town_open(&t, 1);
    t.kit.query.visible = 2;
    assert_non_null(kit_stream(t.house, "{'name':'S','subjects':['bid']}"));
    book_stream(&bid, "bid", "bid");
    struct kit *k = &t.kit;
    struct sql_expr *quotient = kit_op(k, '/', kit_int(k, 100), kit_column(k, 1));
    struct sql_plan *plan =
        kit_project(k, scan_of(&t, &bid.table), 2, kit_list(k, 2, kit_column(k, 0), quotient));
    struct view *v = make_view(&t, &below, plan);
    struct view *w = make_view(&t, &above, scan_of(&t, &below));
    row(&t, "bid", 1, 10);
    house_run(t.house, 50 * SIM_MILLISECOND);
    assert_string_equal(flush(&t, w), "");
    expect(&t, w, "1,10");
    for (int i = 0; i < 1500; i++) /* the first batch of them comes through */
        row(&t, "bid", 2, 20);
    row(&t, "bid", 3, 0);
    row(&t, "bid", 4, 5);
    house_run(t.house, 500 * SIM_MILLISECOND);
    assert_int_equal(view_status(v).state, VIEW_FAILED);
    assert_string_equal(view_status(v).error.state, "22012");
    assert_int_equal(view_status(w).state, VIEW_FAILED);
    assert_string_equal(view_status(w).error.state, "55000");
    assert_string_equal(flush(&t, w), "55000");
    expect(&t, v, "1,10"); /* nothing of the step that failed */
    expect(&t, w, "1,10");
    town_close(&t);
}

/* As it may be when it is read back. */
static void test_what_is_there_may_fail_it(void **state) {
    (void)state;
    struct town t;
    struct book stored;
    struct sql_table table, above;
    town_open(&t, 1);
    struct kit *k = &t.kit;
    k->query.visible = 2;
    book_stored(&stored, "stored");
    change(&t, &stored, 1, 5, 1);
    change(&t, &stored, 2, 0, 1);
    struct sql_expr *quotient = kit_op(k, '/', kit_int(k, 100), kit_column(k, 1));
    struct sql_plan *plan =
        kit_project(k, scan_of(&t, &stored.table), 2, kit_list(k, 2, kit_column(k, 0), quotient));
    struct view *v = make_view(&t, &table, plan);
    assert_int_equal(view_status(v).state, VIEW_FAILED);
    expect(&t, v, "");
    struct view *w = make_view(&t, &above, scan_of(&t, &table));
    assert_string_equal(view_status(w).error.state, "55000");
    struct relation *rows = stored.stored.rows;
    town_close(&t);
    relation_free(rows);
}

static void test_rows_are_late_by_the_order_of_records_alone(void **state) {
    (void)state;
    struct town t;
    struct book bid;
    struct sql_table table;
    town_open(&t, 1);
    t.kit.query.visible = 3;
    assert_non_null(kit_stream(t.house, "{'name':'S','subjects':['bid']}"));
    book_stream(&bid, "bid", "bid");
    bid.column[0].type = sql_type_of(SQL_TIMESTAMP);
    bid.table.watermark_column = 0;
    bid.table.watermark_delay = 10000; /* 10 ms */
    int times[] = {100, 120, 105, 112, 130, 119, 140};
    for (unsigned i = 0; i < array_count(times); i++)
        row(&t, "bid", times[i], 1);
    house_run(t.house, 50 * SIM_MILLISECOND);
    struct sql_plan *plan = counted(&t, scan_of(&t, &bid.table));
    plan->close_group = 0;
    struct view *v = make_view(&t, &table, plan);
    assert_string_equal(flush(&t, v), "");
    assert_int_equal(view_status(v).late_rows, 2); /* 105 and 119 */
    /* Closed: up to 130; microseconds since 2000. */
    expect(&t, v,
           "-946684799870000,1,1 -946684799880000,1,1 -946684799888000,1,1 -946684799900000,1,1");
    town_close(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_view_is_read_back_then_kept_up_to_date),
        cmocka_unit_test(test_tables_of_one_stream_and_of_several_are_joined),
        cmocka_unit_test(test_a_stream_may_come_later),
        cmocka_unit_test(test_a_view_tells_how_far_it_is),
        cmocka_unit_test(test_stored_tables_and_views_are_inputs_too),
        cmocka_unit_test(test_a_look_up_is_a_filter),
        cmocka_unit_test(test_it_has_an_index_of_what_is_unique),
        cmocka_unit_test(test_an_error_stops_it_between_two_steps),
        cmocka_unit_test(test_what_is_there_may_fail_it),
        cmocka_unit_test(test_rows_are_late_by_the_order_of_records_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
