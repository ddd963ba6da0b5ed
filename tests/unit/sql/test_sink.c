/* Options of sinks, and the subjects of their rows. */
#include "sql/sink.h"

#include "sql_test.h"

#include "base/buf.h"

#include <errno.h>

struct made {
    struct sql_table table;
    struct sql_table_column column[3];
    struct sql_option option[3];
    struct arena memory;
    struct sql_sink sink;
    struct sql_error error;
};

static int read_sink(struct made *m, const char *subject, const char *type, const char *key) {
    *m = (struct made){.memory = arena_make(0, 1u << 16)};
    static const char *const names[] = {"id", "region", "a b"};
    const char *const options[][2] = {{"subject", subject}, {"type", type}, {"key", key}};
    m->table = (struct sql_table){
        .kind = SQL_TABLE_MATERIALIZED, .columns = 3, .column = m->column, .option = m->option};
    for (unsigned i = 0; i < 3; i++) {
        m->column[i].name = slice_str(names[i]);
        if (options[i][1])
            m->option[m->table.options++] =
                (struct sql_option){slice_str(options[i][0]), slice_str(options[i][1])};
    }
    return sql_sink_read(&m->table, &m->memory, &m->sink, &m->error);
}

static void reads(const char *subject, const char *pattern, bool varies) {
    struct made m;
    assert_int_equal(read_sink(&m, subject, NULL, NULL), 0);
    assert_slice(m.sink.pattern, pattern);
    assert_int_equal(m.sink.varies, varies);
    assert_true(sql_is_sink(&m.table));
    arena_free(&m.memory);
}

static void refuses(const char *subject, const char *type, const char *key, const char *state) {
    struct made m;
    assert_int_equal(read_sink(&m, subject, type, key), -EINVAL);
    assert_string_equal(m.error.state, state);
    arena_free(&m.memory);
}

static void a_subject_has_a_pattern(void **state) {
    (void)state;
    reads("out", "out", false);
    reads("out.hot", "out.hot", false);
    reads("out.${region}", "out.*", true);
    reads("out.${region}.x", "out.*.x", true);
    reads("out.a-${region}-b.${id}", "out.*.*", true);
    reads("out.${region}${id}", "out.*", true);
    reads("out.${a b}.z", "out.*.z", true);
    reads("o.${id}", "o.*", true);
}

static void what_is_no_subject_is_refused(void **state) {
    (void)state;
    static const char *const none[] = {"",          ".",      "a..b",     "a.",
                                       "a b",       "out.*",  "out.>",    "*.${id}.x",
                                       "a.*.${id}", "a.${id", "a.${id}.>"};
    for (size_t i = 0; i < array_count(none); i++)
        refuses(none[i], NULL, NULL, "22023");
    refuses("a.${nope}", NULL, NULL, "42703");
    refuses("${id}.a", NULL, NULL, "42501");
    refuses("view.a", NULL, NULL, "42501");
    refuses("$JS.a", NULL, NULL, "42501");
    refuses("es.a.b", NULL, NULL, "42501");
    refuses(NULL, "upsert", NULL, "22023");
}

static void types_and_keys_are_known(void **state) {
    (void)state;
    struct made m;
    assert_int_equal(read_sink(&m, "a", "upsert", "region, id"), 0);
    assert_int_equal(m.sink.type, SQL_SINK_UPSERT);
    assert_int_equal(m.sink.keys, 2);
    assert_int_equal(m.sink.key[0], 1);
    assert_int_equal(m.sink.key[1], 0);
    arena_free(&m.memory);
    assert_int_equal(read_sink(&m, "a", "append-only", NULL), 0);
    assert_int_equal(m.sink.type, SQL_SINK_APPEND_ONLY);
    arena_free(&m.memory);
    refuses("a", "append_only", NULL, "22023");
    refuses("a", NULL, "id", "22023");
    refuses("a", "upsert", "id,nope", "42703");
    refuses("a", "upsert", "", "22023");
}

static int value(void *self, unsigned column, struct buf *out, bool *ret_null) {
    const char *const *values = self;
    *ret_null = values[column] == NULL;
    return *ret_null ? 0 : buf_append(out, slice_str(values[column]));
}

static void rows_have_subjects(void **state) {
    (void)state;
    struct made m;
    const char *plain[] = {"7", "eu", ""}, *odd[] = {"a.b", "x y*>%\n", NULL};
    struct buf out = buf_make(1000);
    assert_int_equal(read_sink(&m, "out.${region}.n-${id}.${a b}.end", NULL, NULL), 0);
    assert_int_equal(sql_sink_subject(&m.sink, value, plain, &out), 0);
    assert_slice(buf_slice(&out), "out.eu.n-7.%.end");
    buf_clear(&out);
    assert_int_equal(sql_sink_subject(&m.sink, value, odd, &out), 0);
    assert_slice(buf_slice(&out), "out.x%20y%2A%3E%25%0A.n-a%2Eb.null.end");
    buf_free(&out);
    arena_free(&m.memory);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_subject_has_a_pattern),
        cmocka_unit_test(what_is_no_subject_is_refused),
        cmocka_unit_test(types_and_keys_are_known),
        cmocka_unit_test(rows_have_subjects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
