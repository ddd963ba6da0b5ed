/*
 * harness.h - a database of a few tables, and statements bound over it: the plan as EXPLAIN prints
 * it, or the error as `SQLSTATE position message`.
 *
 * The tables of Nexmark are streams; t has a column of each common type, gen one that is generated.
 */
#ifndef NONET_TESTS_BIND_HARNESS_H
#define NONET_TESTS_BIND_HARNESS_H

#include "sql_test.h"

#include "sql/bind/bind.h"

#include <stdio.h>

struct bound {
    struct arena memory;
    struct sql_statement statement;
    struct sql_error error;
    struct sql_parse *parse;
};

static struct sql_catalog *database;

static uint64_t no_random(void *self) {
    (void)self;
    return 4;
}
static int64_t no_clock(void *self) {
    (void)self;
    return 0;
}
static struct sql_settings settings;
static char noticed[512]; /* the last notice */

static void keep_notice(void *self, const struct sql_error *notice) {
    (void)self;
    snprintf(noticed, sizeof noticed, "%s", notice->message);
}

/* 0 or the error's code; `b` is to be freed either way. */
static int bind_text(const char *sql, struct bound *b) {
    *b = (struct bound){.memory = arena_make(65536, (size_t)64 << 20)};
    int result = sql_parse(slice_str(sql), &b->parse, &b->error);
    if (result < 0)
        return result;
    struct sql_bind_options options = {
        .catalog = database, .settings = &settings, .memory = &b->memory, .notice = keep_notice};
    return sql_bind(b->parse, 0, &options, &b->statement, &b->error);
}

static void bound_free(struct bound *b) {
    arena_free(&b->memory);
    (void)sql_parse_free(b->parse);
}

static void create(const char *sql) {
    struct bound b;
    if (bind_text(sql, &b) < 0)
        fail_msg("%s: %s", sql, b.error.message);
    struct sql_table *t = b.statement.table;
    t->oid = sql_catalog_next_oid(database);
    t->references++;
    for (unsigned i = 0; i < t->indexes; i++)
        t->index[i].oid = sql_catalog_next_oid(database);
    assert_int_equal(sql_catalog_add_table(database, t), 0);
    bound_free(&b);
}

static int open_database(void **state) {
    (void)state;
    assert_int_equal(sql_catalog_new(&database), 0);
    settings = (struct sql_settings){.user = slice_lit("ann"),
                                     .database = slice_lit("nonet"),
                                     .extra_float_digits = 1,
                                     .random = no_random,
                                     .clock = no_clock,
                                     .catalog = database};
    create("CREATE TABLE t (a int PRIMARY KEY, b bigint, c text, d numeric(10,2), e timestamp, "
           "f double precision, g boolean, h varchar(5), i date)");
    create("CREATE TABLE u (a int, x text, y int)");
    create("CREATE TABLE bid (auction bigint, bidder bigint, price bigint, channel varchar, "
           "url varchar, date_time timestamp, extra varchar) WITH (subject = 'bid')");
    create("CREATE TABLE auction (id bigint, item_name varchar, description varchar, "
           "initial_bid bigint, reserve bigint, date_time timestamp, expires timestamp, "
           "seller bigint, category bigint, extra varchar) WITH (subject = 'auction')");
    create("CREATE TABLE person (id bigint, name varchar, email_address varchar, credit_card "
           "varchar, city varchar, state varchar, date_time timestamp, extra varchar) WITH "
           "(subject = 'person')");
    create("CREATE TABLE gen (a int, b int GENERATED ALWAYS AS (a * 2) STORED, c int DEFAULT 7, "
           "id bigint GENERATED ALWAYS AS IDENTITY)");
    create("CREATE VIEW v AS SELECT a, b + 1 AS b1 FROM t WHERE g");
    return 0;
}

static int close_database(void **state) {
    (void)state;
    database = sql_catalog_free(database);
    return 0;
}

/* The plan, or the error, in OUT; cut to SIZE. */
static inline void explain(const char *sql, char *out, size_t size) {
    struct bound b;
    if (bind_text(sql, &b) < 0)
        snprintf(out, size, "%s %u %s\n", b.error.state, b.error.position, b.error.message);
    else {
        _cleanup_buf_ struct buf text = buf_make(1u << 20);
        assert_int_equal(sql_plan_text(&b.statement.query, &text), 0);
        snprintf(out, size, "%.*s", slice_fmt(buf_slice(&text)));
    }
    bound_free(&b);
}

#endif
