/*
 * test_bind.c - expressions, SELECT, subqueries and writing statements: a statement, and the plan
 * it becomes, or the error PostgreSQL gives it (SQLSTATE, position, words).
 */
#include "harness.h"

#include <errno.h>

static const struct {
    const char *sql, *expected;
} cases[] = {
    {"select 1 + 2 * 3, 'a' || 'b', true and not false", "Project 7, 'ab'::text, t\n"
                                                         "  Values, 1 row\n"},
    {"select a + b, b * 2.5, f / a from t",
     "Project (a + b), (b::numeric * 2.5), (f / a::double precision)\n"
     "  Scan t (a, b, f)\n"},
    {"select a = '5', b > a, c < 'x' from t", "Project (a = 5), (b > a), (c < 'x'::text)\n"
                                              "  Scan t (a, b, c)\n"},
    {"select a = 'x' from t", "22P02 12 invalid input syntax for type integer: \"x\"\n"},
    {"select c + 1 from t", "42883 10 operator does not exist: text + integer\n"},
    {"select a is null, g is not true, g is unknown from t",
     "Project (a IS NULL), (NOT (g IS TRUE)), (g IS NULL)\n"
     "  Scan t (a, g)\n"},
    {"select a between 1 and 5, a not between symmetric 5 and 1 from t",
     "Project ((a >= 1) AND (a <= 5)), (((a < 5) OR (a > 1)) AND ((a < 1) OR "
     "(a > 5)))\n"
     "  Scan t (a)\n"},
    {"select a in (1, 2, 3), c not in ('x', 'y') from t",
     "Project (a = ANY (1, 2, 3)), (NOT (c = ANY ('x'::text, 'y'::text)))\n"
     "  Scan t (a, c)\n"},
    {"select case when a > 1 then 'big' else c end, case a when 1 then 2 end "
     "from t",
     "Project CASE WHEN (a > 1) THEN 'big'::text ELSE c END, CASE WHEN (a = "
     "1) THEN 2 ELSE NULL END\n"
     "  Scan t (a, c)\n"},
    {"select coalesce(a, 0), nullif(a, 0), greatest(a, b), least(1, 2.5) from "
     "t",
     "Project COALESCE(a, 0), CASE WHEN (a = 0) THEN NULL ELSE a END, "
     "GREATEST(a::bigint, b), 1\n"
     "  Scan t (a, b)\n"},
    {"select a is distinct from b, (a, b) = (1, 2), (a, b) < (1, 2) from t",
     "Project (a::bigint IS DISTINCT FROM b), ((a = 1) AND (b = 2)), ((a < 1) "
     "OR ((a = 1) AND (b < 2)))\n"
     "  Scan t (a, b)\n"},
    {"select array[1, 2], array[a, b], array[]::int[] from t",
     "Project '{1,2}'::integer[], ARRAY[a::bigint, b], '{}'::integer[]\n"
     "  Scan t (a, b)\n"},
    {"select array[]", "42P18 8 cannot determine type of empty array\n"},
    {"select c like 'a%', c ilike 'b', c not like 'c' from t",
     "Project (c ~~ 'a%'::text), (c ~~* 'b'::text), (c !~~ 'c'::text)\n"
     "  Scan t (c)\n"},
    {"select '2020-01-01'::date + 1, '12'::int, cast(a as text), "
     "1::numeric(5,2) from t",
     "Project '2020-01-02'::date, 12, a::text, 1.00\n"
     "  Scan t (a)\n"},
    {"select 'x'::int", "22P02 8 invalid input syntax for type integer: \"x\"\n"},
    {"select $1 + a, $2 = c from t", "Project ($1 + a), ($2 = c)\n"
                                     "  Scan t (a, c)\n"},
    {"select $1", "Project $1\n"
                  "  Values, 1 row\n"},
    {"select nosuch(1)", "42883 8 function nosuch(integer) does not exist\n"},
    {"select lower(c), upper('x'), length(c) from t", "Project lower(c), 'X'::text, length(c)\n"
                                                      "  Scan t (c)\n"},
    {"select a.b from t", "42P01 8 missing FROM-clause entry for table \"a\"\n"},
    {"select t.z from t", "42703 8 column t.z does not exist\n"},
    {"select a from t where a",
     "42804 23 argument of WHERE must be type boolean, not type integer\n"},
    {"select a from t where c = any(array['x','y'])", "Project a\n"
                                                      "  Filter (c = ANY ('{x,y}'::text[]))\n"
                                                      "    Scan t (a, c)\n"},
    {"select current_date, current_user", "Project now()::date, 'ann'::name\n"
                                          "  Values, 1 row\n"},
    {"select t.* from t u", "42P01 8 missing FROM-clause entry for table \"t\"\n"},
    {"select 1 from nowhere", "42P01 15 relation \"nowhere\" does not exist\n"},
    {"select g and a from t", "42804 14 argument of AND must be type boolean, not type integer\n"},
    {"select c collate \"C\", c collate \"de\" from t",
     "42704 25 collation \"de\" for encoding \"UTF8\" does not exist\n"},
    {"select 1 from t, t", "42712 0 table name \"t\" specified more than once\n"},
    {"select (1, 2) = (1, 2, 3)", "42601 15 unequal number of entries in row expressions\n"},
    {"select default", "42601 8 DEFAULT is not allowed in this context\n"},
    {"select a, b from t order by b desc nulls last, 1 limit 2 offset 1",
     "Top by row_number, limit '2'::bigint offset '1'::bigint in order of b "
     "DESC, a  [state: the input's rows]\n"
     "  Scan t (a, b)\n"},
    {"select a as x from t order by x + 1", "42703 31 column \"x\" does not exist\n"},
    {"select a from t order by 3", "42P10 26 ORDER BY position 3 is not in select list\n"},
    {"select distinct a from t order by b",
     "42P10 35 for SELECT DISTINCT, ORDER BY expressions must appear in "
     "select list\n"},
    {"select distinct on (c) a, c from t order by c, b desc",
     "Top by row_number, limit '1'::bigint per c in order of c, ?order? DESC  "
     "[state: the input's rows]\n"
     "  Project a, c, b\n"
     "    Scan t (a, b, c)\n"},
    {"select a from t union all select b from t union select 1.5",
     "Distinct  [state: one entry per distinct row]\n"
     "  Union all\n"
     "    Project a::numeric\n"
     "      Union all\n"
     "        Project a::bigint\n"
     "          Scan t (a, b)\n"
     "        Project b\n"
     "          (the node of number 0 again)\n"
     "    Project 1.5\n"
     "      Values, 1 row\n"},
    {"select a from t union select 1, 2",
     "42601 30 each UNION query must have the same number of columns\n"},
    {"select a from t union select c from t",
     "42804 30 UNION types integer and text cannot be matched\n"},
    {"select a from t intersect select a from u order by 1",
     "Intersect  [state: one entry per distinct row]\n"
     "  Scan t (a)\n"
     "  Scan u (a)\n"},
    {"values (1, 'x'), (2.5, 'y')", "Values, 2 rows\n"},
    {"select * from (values (1, 'x')) w(p, q) where q = 'x'", "Filter (column2 = 'x'::text)\n"
                                                              "  Values, 1 row\n"},
    {"select * from t join u using (a)", "Project a, b, c, d, e, f, g, h, i, x, y\n"
                                         "  Join inner on a = a  [state: the rows of both inputs]\n"
                                         "    Scan t (a, b, c, d, e, f, g, h, i)\n"
                                         "    Scan u (a, x, y)\n"},
    {"select a from t natural join u", "Project a\n"
                                       "  Join inner on a = a  [state: the rows of both inputs]\n"
                                       "    Scan t (a)\n"
                                       "    Scan u (a)\n"},
    {"select * from t full join u using (a)",
     "Project COALESCE(a, a), b, c, d, e, f, g, h, i, x, y\n"
     "  Join full on a = a  [state: the rows of both inputs]\n"
     "    Scan t (a, b, c, d, e, f, g, h, i)\n"
     "    Scan u (a, x, y)\n"},
    {"select * from t join u using (zz)",
     "42703 0 column \"zz\" specified in USING clause does not exist in left "
     "table\n"},
    {"select a from t, u", "42702 8 column reference \"a\" is ambiguous\n"},
    {"select t.a, x from t left join u on t.a = u.a and x = 'k'",
     "Project a, x\n"
     "  Join left on a = a  [state: the rows of both inputs]\n"
     "    Scan t (a)\n"
     "    Filter (x = 'k'::text)\n"
     "      Scan u (a, x)\n"},
    {"select * from t, lateral (select x from u where u.a = t.a) l",
     "Project a, b, c, d, e, f, g, h, i, x\n"
     "  Join inner on a = a  [state: the rows of both inputs]\n"
     "    Scan t (a, b, c, d, e, f, g, h, i)\n"
     "    Project x, a\n"
     "      Filter (NOT (a IS NULL))\n"
     "        Scan u (a, x)\n"},
    {"select * from t left join lateral (select max_x.y from u max_x where "
     "max_x.a = t.a order by 1 limit 1) l on true",
     "Project a, b, c, d, e, f, g, h, i, y\n"
     "  Join left on a = a  [state: the rows of both inputs]\n"
     "    Scan t (a, b, c, d, e, f, g, h, i)\n"
     "    Top by row_number, limit '1'::bigint per a in order of y  [state: "
     "the input's rows]\n"
     "      Project y, a\n"
     "        Filter (NOT (a IS NULL))\n"
     "          Scan u (a, y)\n"},
    {"select * from t, (select x from u where u.a = t.a) l",
     "42P01 47 invalid reference to FROM-clause entry for table \"t\"\n"},
    {"select * from generate_series(1, 3) with ordinality g(i, o)",
     "Rows of generate_series(1, 3)\n"
     "  Values, 1 row\n"},
    {"select * from rows from (abs(-7), generate_series(1, 2)) r(a, g)",
     "Rows of 7, generate_series(1, 2)\n"
     "  Values, 1 row\n"},
    {"select g, a from t, generate_series(1, t.a) g",
     "42702 8 column reference \"g\" is ambiguous\n"},
    {"select * from v", "Project a, (b + 1)\n"
                        "  Filter g\n"
                        "    Scan t (a, b, g)\n"},
    {"select exists (select 1 from u where u.a = t.a) from t",
     "Project (COALESCE(count, '0'::bigint) > '0'::bigint)\n"
     "  Join left on a = a  [state: the rows of both inputs]\n"
     "    Scan t (a)\n"
     "    Project count, a\n"
     "      Aggregate count() by a  [state: one entry per group]\n"
     "        Filter (NOT (a IS NULL))\n"
     "          Scan u (a)\n"},
    {"select a from t where exists (select 1 from u where u.a = t.a)",
     "Join semi on a = a  [state: the rows of both inputs]\n"
     "  Scan t (a)\n"
     "  Filter (NOT (a IS NULL))\n"
     "    Scan u (a)\n"},
    {"select a from t where not exists (select 1 from u where u.a > t.a)",
     "Join anti on a is a  [state: the rows of both inputs]\n"
     "  Scan t (a)\n"
     "  Project a\n"
     "    Join inner where (a > a)  [state: the rows of both inputs]\n"
     "      Scan u (a)\n"
     "      Distinct  [state: one entry per distinct row]\n"
     "        (the node of number 0 again)\n"},
    {"select a from t where a in (select a from u)",
     "Join semi on a = a  [state: the rows of both inputs]\n"
     "  Scan t (a)\n"
     "  Scan u (a)\n"},
    {"select a from t where a not in (select a from u)",
     "Join anti (NOT IN) on a = a  [state: the rows of both inputs]\n"
     "  Scan t (a)\n"
     "  Scan u (a)\n"},
    {"select a from t where b > all (select y from u)",
     "Project a\n"
     "  Join anti where (NOT ((b <= y) IS FALSE))  [state: the rows of both "
     "inputs]\n"
     "    Scan t (a, b)\n"
     "    Scan u (y)\n"},
    {"select a from t where (a, c) in (select a, x from u)",
     "Project a\n"
     "  Join semi on a = a and c = x  [state: the rows of both inputs]\n"
     "    Scan t (a, c)\n"
     "    Scan u (a, x)\n"},
    {"select (select x from u where u.a = t.a) from t",
     "Project x\n"
     "  Join scalar on a = a  [state: the rows of both inputs]\n"
     "    Scan t (a)\n"
     "    Project x, a\n"
     "      Filter (NOT (a IS NULL))\n"
     "        Scan u (a, x)\n"},
    {"select (select a, x from u) from t", "42601 8 subquery must return only one column\n"},
    {"select rank() over (partition by c order by b desc) r from t",
     "Project window\n"
     "  Window rank() per c in order of b DESC  [state: the input's rows]\n"
     "    Scan t (b, c)\n"},
    {"select row_number() over w, lag(a) over w from t window w as (partition "
     "by c order by a)",
     "Project window, window\n"
     "  Window row_number(), lag(a) per c in order of a  [state: the input's "
     "rows]\n"
     "    Scan t (a, c)\n"},
    {"select a from t where rank() over () = 1",
     "42P20 23 window functions are not allowed in WHERE\n"},
    {"select rank() from t", "42809 8 window function rank requires an OVER clause\n"},
    {"select generate_series(1, 3), a from t", "Project set, a\n"
                                               "  Rows of generate_series(1, 3)\n"
                                               "    Scan t (a)\n"},
    {"select a from t where generate_series(1, 2) = 1",
     "0A000 23 set-returning functions are not allowed in WHERE\n"},
    {"with recursive r as (select 1 union all select * from r) select * from r",
     "0A000 72 WITH RECURSIVE is not supported\n"},
    {"with c as (select a from t) select * from c x join c y on x.a = y.a",
     "Join inner on a = a  [state: the rows of both inputs]\n"
     "  Scan t (a)\n"
     "  (the node of number 0 again)\n"},
    {"select * from hop(bid, date_time, interval '2' second, interval '10' "
     "second)",
     "Hop of 10000000 us each 2000000 us by date_time\n"
     "  Scan bid (auction, bidder, price, channel, url, date_time, extra)\n"},
    {"select window_start from tumble(bid, date_time, interval '1' month)",
     "22023 58 the size of a window cannot have months, which differ in length\n"},
    {"select bidder, window_end from session(bid, date_time, bidder, interval "
     "'10' second)",
     "Project bidder, window_end\n"
     "  Session of gap 10000000 us by date_time per bidder  [state: the "
     "input's rows]\n"
     "    Scan bid (bidder, date_time)\n"},
    {"select * from bid b join as_of_now(u) s on b.auction = s.a",
     "Join inner on auction = a::bigint  [state: the rows of both inputs]\n"
     "  Scan bid (auction, bidder, price, channel, url, date_time, extra)\n"
     "  Scan u (a, x, y) as of now\n"},
    {"insert into u values (1, 'x'), (2, default, 3)", "Values, 2 rows\n"},
    {"insert into u (y, x) values (1, 'x')", "Values, 1 row\n"},
    {"insert into u (y, x) values (1)",
     "42601 0 INSERT has more target columns than expressions\n"},
    {"insert into u (zz) values (1)", "42703 16 column \"zz\" of relation \"u\" does not exist\n"},
    {"insert into u select a, 'lit', '5' from t", "Project a, 'lit'::text, 5\n"
                                                  "  Scan t (a)\n"},
    {"insert into t (h) values ('abcdefgh')", "Values, 1 row\n"},
    {"insert into gen (a) values (4)", "Values, 1 row\n"},
    {"insert into gen (b) values (4)",
     "428C9 29 cannot insert a non-DEFAULT value into column \"b\"\n"},
    {"insert into gen (id) values (4)",
     "428C9 30 cannot insert a non-DEFAULT value into column \"id\"\n"},
    {"insert into v values (1)", "55000 13 cannot insert into view \"v\"\n"},
    {"update t set b = b + 1, c = 'x' where a = 5",
     "Project row id, a, b, c, d, e, f, g, h, i, a, (b + 1), 'x'::text, d, e, "
     "f, g, h, i\n"
     "  Scan t (row id, a, b, c, d, e, f, g, h, i) by index where a = 5\n"},
    {"update t set (b, c) = (select y, x from u where u.a = t.a)",
     "Project row id, a, b, c, d, e, f, g, h, i, a, y::bigint, x, d, e, f, g, "
     "h, i\n"
     "  Join scalar on a = a  [state: the rows of both inputs]\n"
     "    Scan t (row id, a, b, c, d, e, f, g, h, i)\n"
     "    Project y, x, a\n"
     "      Filter (NOT (a IS NULL))\n"
     "        Scan u (a, x, y)\n"},
    {"update t set b = u.y from u where u.a = t.a",
     "Top by row_number, limit '1'::bigint per row id  [state: the input's "
     "rows]\n"
     "  Project row id, a, b, c, d, e, f, g, h, i, a, y::bigint, c, d, e, f, "
     "g, h, i\n"
     "    Join inner on a = a  [state: the rows of both inputs]\n"
     "      Scan t (row id, a, b, c, d, e, f, g, h, i)\n"
     "      Scan u (a, y)\n"},
    {"update t set zz = 1", "42703 14 column \"zz\" of relation \"t\" does not exist\n"},
    {"update gen set a = 5", "Project row id, a, b, c, id, 5, (5 * 2), c, id\n"
                             "  Scan gen (row id, a, b, c, id)\n"},
    {"delete from t using u where t.a = u.a",
     "Top by row_number, limit '1'::bigint per row id  [state: the input's "
     "rows]\n"
     "  Project row id, a, b, c, d, e, f, g, h, i\n"
     "    Join inner on a = a  [state: the rows of both inputs]\n"
     "      Scan t (row id, a, b, c, d, e, f, g, h, i)\n"
     "      Scan u (a)\n"},
    {"delete from bid",
     "0A000 13 cannot delete from \"bid\": its rows are the messages of a stream\n"},
    {"insert into bid (auction) values (1)",
     "0A000 13 cannot insert into \"bid\": its rows are the messages of a stream\n"},
    {"select -1, 3 - 4, a - 1, -2147483648, -3000000000 from t",
     "Project -1, -1, (a - 1), -2147483648, '-3000000000'::bigint\n"
     "  Scan t (a)\n"},
    {"select (array[10,20,30])[a], (array[1,2,3])[2:], ('{\"k\": "
     "1}'::jsonb)['k'] from t",
     "Project array_subscript('{10,20,30}'::integer[], a), "
     "'{2,3}'::integer[], '1'::jsonb\n"
     "  Scan t (a)\n"},
    {"select array(select x from u order by y desc)",
     "Project COALESCE(array, '{}'::text[])\n"
     "  Join scalar  [state: the rows of both inputs]\n"
     "    Values, 1 row\n"
     "    Aggregate array_agg(x)  [state: one entry per group]\n"
     "      Scan u (x, y)\n"},
    {"select 'abc'::varchar(2), 'abc'::char(5), a::text::varchar(2), "
     "a::varchar(1) from t",
     "Project 'ab'::character varying(2), 'abc  '::character(5), "
     "a::text::character varying(2), a::character varying::character "
     "varying(1)\n"
     "  Scan t (a)\n"},
    {"select case when generate_series(1, 2) = 1 then 1 end",
     "0A000 18 set-returning functions are not allowed in CASE\n"},
    {"select a from t union select a, b from t",
     "42601 30 each UNION query must have the same number of columns\n"},
    {"with z as (select * from nosuch) select 1", "42P01 26 relation \"nosuch\" does not exist\n"},
    {"with z as (delete from u returning a) select 1",
     "0A000 6 INSERT, UPDATE and DELETE in WITH are not supported\n"},
    {"select t.a, u.x from t left join u on t.a = u.a and exists (select 1 "
     "from u v where v.y = t.b)",
     "Project a, x\n"
     "  Join left on b is b and a is a  [state: the rows of both inputs]\n"
     "    Scan t (a, b)\n"
     "    Join semi on b is b and a is a  [state: the rows of both inputs]\n"
     "      Join inner on a = a  [state: the rows of both inputs]\n"
     "        Scan u (a, x, y)\n"
     "        Distinct  [state: one entry per distinct row]\n"
     "          Project b, a\n"
     "            (the node of number 0 again)\n"
     "      Project b, a\n"
     "        Join inner on y::bigint = b  [state: the rows of both inputs]\n"
     "          (the node of number 1 again)\n"
     "          (the node of number 3 again)\n"},
    {"select a in (select y from u) from t",
     "Project CASE WHEN ?column? THEN t WHEN (set = 0) THEN f WHEN ((set = 2) "
     "OR (a IS NULL)) THEN NULL ELSE f END\n"
     "  Join scalar  [state: the rows of both inputs]\n"
     "    Project a, (COALESCE(count, '0'::bigint) > '0'::bigint)\n"
     "      Join left on a = y  [state: the rows of both inputs]\n"
     "        Scan t (a)\n"
     "        Project count, y\n"
     "          Aggregate count() by y  [state: one entry per group]\n"
     "            Filter (NOT (y IS NULL))\n"
     "              Scan u (y)\n"
     "    Project CASE WHEN (count > '0'::bigint) THEN 2 WHEN (count > "
     "'0'::bigint) THEN 1 ELSE 0 END\n"
     "      Aggregate count(), count() FILTER (y IS NULL)  [state: one entry "
     "per group]\n"
     "        (the node of number 1 again)\n"},
    {"select make_interval(days => a, hours => 5) from t", "Project make_interval(0, 0, 0, a, 5)\n"
                                                           "  Scan t (a)\n"},
    {"select (array[[1,2,3],[4,5,6]])[1][2:3]", "Project '{{2,3}}'::integer[]\n"
                                                "  Values, 1 row\n"},
    {"update u set a = 1, a = default", "42601 21 multiple assignments to same column \"a\"\n"},
    {"delete from u using t where t.a = u.a returning *",
     "0A000 49 RETURNING * is not supported beside tables of FROM or USING\n"},
    {"update u set x[1] = default", "0A000 14 UPDATE of parts of a column is not supported\n"},
    {"select make_interval(1, months => 2, years => 3)",
     "42601 38 argument name \"years\" used more than once\n"},
    {"select make_interval(days => 1, 2)",
     "42601 8 positional argument cannot follow named argument\n"},
    {"select make_interval(day => 1)", "42883 22 function make_interval has no argument \"day\"\n"},
    {"select upper(x => 'a')", "42883 8 function upper has no arguments of these names\n"},
    {"select sum(a) over (order by i range '1 day' preceding) r from t",
     "Project window\n"
     "  Window sum(a) in order of ?column?  [state: the input's rows]\n"
     "    Project a, i::timestamp without time zone\n"
     "      Scan t (a, i)\n"},
};

static void each_statement_gives_its_plan_or_error(void **state) {
    (void)state;
    for (unsigned i = 0; i < array_count(cases); i++) {
        char out[16384];
        explain(cases[i].sql, out, sizeof out);
        if (strcmp(out, cases[i].expected) != 0)
            fail_msg("%s\nexpected:\n%s\nfound:\n%s", cases[i].sql, cases[i].expected, out);
    }
}

static void alter_if_exists_asks_for_the_table_that_is_named(void **state) {
    (void)state;
    static const char *const missing[] = {
        "alter table if exists nosuch drop column a",
        "alter table if exists pg_catalog.u drop column a", /* u is in public */
        "alter table if exists nosuch rename to other",
        "alter table if exists nosuch rename column a to b",
        "alter table if exists pg_catalog.u rename to other",
    };
    struct bound b;
    for (unsigned i = 0; i < array_count(missing); i++) {
        if (bind_text(missing[i], &b) < 0)
            fail_msg("%s: %s", missing[i], b.error.message);
        assert_null(b.statement.table);
        bound_free(&b);
    }
    assert_int_equal(sql_catalog_add_schema(database, slice_lit("apart")), 0);
    create("CREATE TABLE apart.w (a int, b int)");
    assert_int_equal(bind_text("alter table if exists apart.w drop column b", &b), 0);
    assert_non_null(b.statement.table);
    bound_free(&b);
}

static void an_index_that_exists_is_named_in_the_notice(void **state) {
    (void)state;
    struct bound b;
    noticed[0] = '\0';
    assert_int_equal(bind_text("create index if not exists t_pkey on t (b)", &b), 0);
    assert_null(b.statement.table);
    assert_string_equal(noticed, "relation \"t_pkey\" already exists, skipping");
    bound_free(&b);
    char out[1024];
    explain("create index t_pkey on t (b)", out, sizeof out);
    assert_string_equal(out, "42P07 0 relation \"t_pkey\" already exists\n");
    explain("comment on table pg_catalog.t is 'x'", out, sizeof out);
    assert_string_equal(out, "42P01 0 relation \"pg_catalog.t\" does not exist\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_statement_gives_its_plan_or_error),
        cmocka_unit_test(alter_if_exists_asks_for_the_table_that_is_named),
        cmocka_unit_test(an_index_that_exists_is_named_in_the_notice),
    };
    return cmocka_run_group_tests_name("sql/bind/bind", tests, open_database, close_database);
}
