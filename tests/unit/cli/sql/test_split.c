/* A statement ends at its semicolon, and at no other. */
#include "../cli_test.h"

#include "cli/sql/split.h"

#include <stdio.h>

/* What the text is cut into: statements in brackets, a backslash as <, what is left behind |. */
static void cut(const char *text, char *out, size_t size) {
    slice whole = slice_str(text);
    size_t from = 0, len = 0;
    struct split split;
    split_begin(&split, 0);
    out[0] = '\0';
    for (;;) {
        enum split_found found = split_next(&split, whole);
        slice piece = slice_make(text + from, split.at - from);
        if (found == SPLIT_MORE) {
            snprintf(out + len, size - len, "|%.*s%c", slice_fmt(piece), split_open(&split));
            return;
        }
        if (found == SPLIT_COMMAND) {
            snprintf(out + len, size - len, "%.*s<", slice_fmt(piece));
            return;
        }
        len += (size_t)snprintf(out + len, size - len, "[%.*s]", slice_fmt(piece));
        from = split.at;
        split_begin(&split, from);
    }
}

static void statements_end_where_postgresql_ends_them(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"SELECT 1;", "[SELECT 1;]|="},
        {"SELECT 1; SELECT 2;", "[SELECT 1;][ SELECT 2;]|="},
        {"SELECT 1", "|SELECT 1-"},
        {"", "|="},
        {" \n", "| \n="},
        {";", "[;]|="},
        {"SELECT ';';", "[SELECT ';';]|="},
        {"SELECT 'it''s;';", "[SELECT 'it''s;';]|="},
        {"SELECT 'a\\';", "[SELECT 'a\\';]|="},
        {"SELECT E'a\\';';", "[SELECT E'a\\';';]|="},
        {"SELECT e'\\\\';", "[SELECT e'\\\\';]|="},
        {"SELECT code'a\\';", "[SELECT code'a\\';]|="},
        {"SELECT U&'\\0041;';", "[SELECT U&'\\0041;';]|="},
        {"SELECT \"a;b\";", "[SELECT \"a;b\";]|="},
        {"SELECT \"a;\"\"b\";", "[SELECT \"a;\"\"b\";]|="},
        {"SELECT $$;$$;", "[SELECT $$;$$;]|="},
        {"SELECT $a$;$$;$b$;$a$;", "[SELECT $a$;$$;$b$;$a$;]|="},
        {"SELECT $1;", "[SELECT $1;]|="},
        {"SELECT a$1$;", "[SELECT a$1$;]|="},
        {"SELECT $1$;", "[SELECT $1$;]|="},
        {"SELECT 1 -- ; no\n;", "[SELECT 1 -- ; no\n;]|="},
        {"-- only this\n", "|-- only this\n="},
        {"SELECT /* ; /* ; */ ; */ 1;", "[SELECT /* ; /* ; */ ; */ 1;]|="},
        {"SELECT (1;2);", "[SELECT (1;2);]|="},
        {"SELECT 1);", "[SELECT 1);]|="},
        {"SELECT (", "|SELECT (("},
        {"SELECT 'a", "|SELECT 'a'"},
        {"SELECT \"a", "|SELECT \"a\""},
        {"SELECT $x$ a", "|SELECT $x$ a$"},
        {"SELECT /* a", "|SELECT /* a*"},
        {"SELECT 1 \\g", "SELECT 1 <"},
        {"SELECT '\\g';", "[SELECT '\\g';]|="},
        {"\\d item", "<"},
        {"SELECT '\xc3\xa9;';", "[SELECT '\xc3\xa9;';]|="},
        {"CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT CASE WHEN a THEN 1 END; "
         "END;",
         "[CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT CASE WHEN a THEN 1 END; "
         "END;]|="},
        {"CREATE OR REPLACE PROCEDURE p() BEGIN ATOMIC SELECT 1; END; SELECT 2;",
         "[CREATE OR REPLACE PROCEDURE p() BEGIN ATOMIC SELECT 1; END;][ SELECT 2;]|="},
        {"CREATE OR REPLACE VIEW v AS SELECT begin FROM t;",
         "[CREATE OR REPLACE VIEW v AS SELECT begin FROM t;]|="},
        {"BEGIN; COMMIT;", "[BEGIN;][ COMMIT;]|="},
    };
    for (size_t i = 0; i < array_count(cases); i++) {
        char got[512];
        cut(cases[i][0], got, sizeof got);
        assert_string_equal(got, cases[i][1]);
    }
}

/* The same text, given line by line, is cut at the same place. */
static void lines_may_come_one_by_one(void **state) {
    (void)state;
    static const char text[] = "SELECT 'a\n;' /* x\n; */,\n$q$\n;\n$q$ -- ;\n, (1\n;);";
    struct split split;
    split_begin(&split, 0);
    for (size_t len = 1; len < sizeof text - 1; len++)
        if (text[len - 1] == '\n')
            assert_int_equal(split_next(&split, slice_make(text, len)), SPLIT_MORE);
    assert_int_equal(split_next(&split, slice_str(text)), SPLIT_STATEMENT);
    assert_int_equal(split.at, sizeof text - 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statements_end_where_postgresql_ends_them),
        cmocka_unit_test(lines_may_come_one_by_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
