/* What libpg_query is given and what comes back: statements, their spellings, their positions. */
#include "sql_test.h"

#include "sql/parse/parse.h"
#include "sql/parse/token.h"

static struct sql_parse *parse(const char *text) {
    struct sql_parse *p = NULL;
    struct sql_error error = {.state = ""};
    int r = sql_parse(slice_str(text), &p, &error);
    if (r < 0)
        print_message("%s: %s %s\n", text, error.state, error.message);
    assert_int_equal(r, 0);
    return p;
}

static const struct sql_spelling *only(struct sql_parse *p) {
    assert_int_equal(sql_parse_count(p), 1);
    return &sql_parse_at(p, 0)->spelling;
}

static void refused(const char *text, const char *state, unsigned position) {
    struct sql_parse *p = NULL;
    struct sql_error error = {.state = ""};
    assert_true(sql_parse(slice_str(text), &p, &error) < 0);
    assert_string_equal(error.state, state);
    assert_int_equal(error.position, position);
    assert_true(error.message[0]);
}

static void each_statement_has_its_node_and_its_text(void **state) {
    (void)state;
    struct sql_parse *p = parse("; SELECT ';' ; FLUSH;\n-- a ; in a comment\n"
                                "INSERT INTO t VALUES ($q$;$q$);;SUBSCRIBE TO v; SELECT 2");
    static const struct {
        const char *text, *node;
        enum sql_spelling_verb verb;
    } expected[] = {
        {"SELECT ';'", "SelectStmt", SQL_SPELLED_PLAIN},
        {"FLUSH", "", SQL_SPELLED_FLUSH},
        {"INSERT INTO t VALUES ($q$;$q$)", "InsertStmt", SQL_SPELLED_PLAIN},
        {"SUBSCRIBE TO v", "", SQL_SPELLED_SUBSCRIBE},
        {"SELECT 2", "SelectStmt", SQL_SPELLED_PLAIN},
    };
    assert_int_equal(sql_parse_count(p), array_count(expected));
    for (unsigned i = 0; i < array_count(expected); i++) {
        const struct sql_statement_text *s = sql_parse_at(p, i);
        assert_slice(s->text, expected[i].text);
        assert_slice(sql_node_name(s->node), expected[i].node);
        assert_int_equal(s->spelling.verb, expected[i].verb);
    }
    assert_slice(sql_parse_at(p, 3)->spelling.rest, "v");
    sql_parse_free(p);
}

static void what_is_subscribed_to_is_told(void **state) {
    (void)state;
    static const struct {
        const char *text, *rest, *node;
        bool progress, no_snapshot;
    } cases[] = {
        {"SUBSCRIBE v", "v", "", false, false},
        {"subscribe to public . \"V\"", "public . \"V\"", "", false, false},
        {"SUBSCRIBE(SELECT ')' FROM v)", "(SELECT ')' FROM v)", "", false, false},
        {"SUBSCRIBE v WITH (PROGRESS)", "v", "", true, false},
        {"SUBSCRIBE v WITH (SNAPSHOT = false, PROGRESS = on)", "v", "", true, true},
        {"SUBSCRIBE v WITH (SNAPSHOT, PROGRESS = off)", "v", "", false, false},
        {"COPY (SUBSCRIBE TO v) TO STDOUT", "v", "CopyStmt", false, false},
        {"COPY (SUBSCRIBE (SELECT 1) WITH (PROGRESS)) TO STDOUT WITH (FORMAT csv)", "(SELECT 1)",
         "CopyStmt", true, false},
        {"DECLARE c CURSOR WITH HOLD FOR SUBSCRIBE v", "v", "DeclareCursorStmt", false, false},
    };
    for (unsigned i = 0; i < array_count(cases); i++) {
        struct sql_parse *p = parse(cases[i].text);
        const struct sql_spelling *s = only(p);
        assert_int_equal(s->verb, SQL_SPELLED_SUBSCRIBE);
        assert_slice(s->rest, cases[i].rest);
        assert_memory_equal(cases[i].text + s->rest_start, s->rest.ptr, s->rest.len);
        assert_slice(sql_node_name(sql_parse_at(p, 0)->node), cases[i].node);
        assert_int_equal(s->progress, cases[i].progress);
        assert_int_equal(s->no_snapshot, cases[i].no_snapshot);
        sql_parse_free(p);
    }
    refused("SUBSCRIBE TO", "42601", 13);
    refused("SUBSCRIBE SELECT 1", "42601", 11);
    refused("SUBSCRIBE (SELECT (1)", "42601", 22);
    refused("SUBSCRIBE v AS OF 3", "0A000", 13);
    refused("SUBSCRIBE v WITH PROGRESS", "42601", 18);
    refused("SUBSCRIBE v WITH (SPEED)", "22023", 19);
    refused("SUBSCRIBE v WITH (SNAPSHOT = 1)", "22023", 30);
    refused("SUBSCRIBE v w", "42601", 13);
    struct sql_parse *p = parse("COPY subscribe TO STDOUT");
    assert_int_equal(only(p)->verb, SQL_SPELLED_PLAIN);
    sql_parse_free(p);
    p = parse("COPY (SELECT subscribe FROM t) TO STDOUT");
    assert_int_equal(only(p)->verb, SQL_SPELLED_PLAIN);
    sql_parse_free(p);
}

static void a_text_without_statements_is_none(void **state) {
    (void)state;
    struct sql_parse *p = parse(" ;; -- nothing\n /* at /* all */ */ ;");
    assert_int_equal(sql_parse_count(p), 0);
    sql_parse_free(p);
}

static void a_watermark_is_taken_out_of_the_table(void **state) {
    (void)state;
    static const char *const texts[] = {
        "CREATE TABLE t (a int, ts timestamp, WATERMARK FOR ts AS ts - INTERVAL '4 s') APPEND ONLY",
        "create table t (watermark for ts as ts - INTERVAL '4 s', a int, ts timestamp) append only",
        ("CREATE SOURCE t (a int, ts timestamp, Watermark For ts As ts - INTERVAL '4 s', b text) "
         "WITH (subject = 'x')"),
    };
    for (unsigned i = 0; i < array_count(texts); i++) {
        struct sql_parse *p = parse(texts[i]);
        const struct sql_spelling *s = only(p);
        assert_slice(s->watermark_column, "ts");
        assert_slice(s->watermark_expression, "ts - INTERVAL '4 s'");
        assert_true(s->append_only);
        assert_int_equal(s->verb, i == 2 ? SQL_SPELLED_SOURCE : SQL_SPELLED_PLAIN);
        assert_slice(sql_node_name(sql_parse_at(p, 0)->node), "CreateStmt");
        assert_slice(sql_parse_at(p, 0)->text, texts[i]);
        sql_parse_free(p);
    }
    refused("CREATE TABLE t (ts timestamp, WATERMARK FOR ts)", "42601", 45);
    refused("CREATE TABLE t (ts timestamp, WATERMARK FOR ts AS 1, WATERMARK FOR ts AS 2)", "42P16",
            68);
}

static void a_column_may_be_called_watermark(void **state) {
    (void)state;
    struct sql_parse *p = parse("CREATE TABLE t (watermark int, append int)");
    assert_null(only(p)->watermark_column.ptr);
    assert_false(only(p)->append_only);
    sql_parse_free(p);
}

static void emit_on_window_close(void **state) {
    (void)state;
    struct sql_parse *p =
        parse("CREATE MATERIALIZED VIEW v AS SELECT 'emit on window close' EMIT ON WINDOW CLOSE");
    assert_true(only(p)->emit_on_window_close);
    sql_parse_free(p);
    p = parse("SELECT emit FROM t -- emit on window close");
    assert_false(only(p)->emit_on_window_close);
    sql_parse_free(p);
}

static void a_table_as_of_now_is_named_by_its_place(void **state) {
    (void)state;
    struct sql_parse *p = parse("SELECT * FROM b JOIN public.s FOR SYSTEM_TIME AS OF PROCTIME() "
                                "AS x ON b.a = x.a");
    const struct sql_spelling *s = only(p);
    assert_int_equal(s->as_of_count, 1);
    assert_int_equal(s->as_of[0], 21);
    sql_parse_free(p);
}

static void asof_join_is_refused_not_an_alias(void **state) {
    (void)state;
    refused("SELECT * FROM a ASOF JOIN b ON a.x = b.x", "0A000", 17);
    struct sql_parse *p = parse("SELECT asof FROM t asof");
    sql_parse_free(p);
}

static void sinks_are_told_by_their_text(void **state) {
    (void)state;
    struct sql_parse *p = parse("CREATE SINK s FROM v WITH (subject = 'x')");
    assert_int_equal(only(p)->verb, SQL_SPELLED_SINK);
    assert_slice(only(p)->rest, "CREATE SINK s FROM v WITH (subject = 'x')");
    sql_parse_free(p);
    p = parse("CREATE SINK IF NOT EXISTS shop . s AS SELECT 1 WITH (subject = 'x')");
    assert_true(sql_node_is(sql_parse_at(p, 0)->node, "ViewStmt", NULL));
    sql_parse_free(p);
    p = parse("CREATE SINK s FROM v");
    assert_int_equal(only(p)->verb, SQL_SPELLED_SINK);
    sql_parse_free(p);
    p = parse("DROP SINK IF EXISTS s");
    assert_int_equal(only(p)->verb, SQL_SPELLED_SINK);
    assert_true(sql_node_is(sql_parse_at(p, 0)->node, "DropStmt", NULL));
    sql_parse_free(p);
}

static void mistakes_have_a_place(void **state) {
    (void)state;
    refused("SELECT 1; SELECT FROM FROM", "42601", 23);
    refused("SELECT 'x", "42601", 8);
    refused("SELECT \"x", "42601", 8);
    refused("\xff", "22021", 0);
}

static void depth_is_bounded(void **state) {
    (void)state;
    struct sql_parse *p = NULL;
    struct sql_error error = {.state = ""};
    _cleanup_buf_ struct buf text = buf_make(1 << 20);
    assert_int_equal(buf_append(&text, slice_lit("SELECT 1")), 0);
    for (int i = 0; i < 20000; i++)
        assert_int_equal(buf_append(&text, slice_lit("+1")), 0);
    assert_true(sql_parse(buf_slice(&text), &p, &error) < 0);
    assert_string_equal(error.state, "54001");
    buf_clear(&text);
    for (int i = 0; i < 200000; i++)
        assert_int_equal(buf_append(&text, slice_lit("(")), 0);
    assert_true(sql_parse(buf_slice(&text), &p, &error) < 0);
}

/* The first constant of a SELECT list. */
static int64_t first_integer(const char *text) {
    struct sql_parse *p = parse(text);
    json_value inside, target, constant;
    assert_true(sql_node_is(sql_parse_at(p, 0)->node, "SelectStmt", &inside));
    json_value first = json_element(sql_field(inside, "targetList"), 0);
    assert_true(sql_node_is(first, "ResTarget", &target));
    assert_true(sql_node_is(sql_field(target, "val"), "A_Const", &constant));
    int64_t value = sql_field_int(sql_field(constant, "ival"), "ival");
    sql_parse_free(p);
    return value;
}

static void integers_below_zero_keep_their_value(void **state) {
    (void)state;
    assert_int_equal(first_integer("SELECT -5"), -5);
    assert_int_equal(first_integer("SELECT 0"), 0);
    assert_int_equal(first_integer("SELECT -0"), 0);
    assert_int_equal(first_integer("SELECT  - 2147483647"), -2147483647);
    assert_int_equal(first_integer("SELECT 7, '\"ival\":{},\"location\":7'"), 7);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_statement_has_its_node_and_its_text),
        cmocka_unit_test(what_is_subscribed_to_is_told),
        cmocka_unit_test(a_text_without_statements_is_none),
        cmocka_unit_test(a_watermark_is_taken_out_of_the_table),
        cmocka_unit_test(a_column_may_be_called_watermark),
        cmocka_unit_test(emit_on_window_close),
        cmocka_unit_test(a_table_as_of_now_is_named_by_its_place),
        cmocka_unit_test(asof_join_is_refused_not_an_alias),
        cmocka_unit_test(sinks_are_told_by_their_text),
        cmocka_unit_test(mistakes_have_a_place),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(integers_below_zero_keep_their_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
