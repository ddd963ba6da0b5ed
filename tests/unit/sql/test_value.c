/*
 * Values as text and in binary, their order and their hash: what PostgreSQL 15 prints and says.
 */
#include "base/hex.h"
#include "sql/catalog.h"
#include "value_kit.h"

#include <math.h>

static void text_is_read_and_written(void **state) {
    (void)state;
    static const struct {
        struct sql_type type;
        const char *in, *out;
    } cases[] = {
        {{SQL_BOOL, -1}, "tr", "t"},
        {{SQL_BOOL, -1}, " YES ", "t"},
        {{SQL_BOOL, -1}, "0", "f"},
        {{SQL_BOOL, -1}, "of", "f"},
        {{SQL_INT4, -1}, " 12 ", "12"},
        {{SQL_INT4, -1}, "+5", "5"},
        {{SQL_INT2, -1}, "-32768", "-32768"},
        {{SQL_INT8, -1}, "-9223372036854775808", "-9223372036854775808"},
        {{SQL_OID, -1}, "-1", "4294967295"},
        {{SQL_FLOAT8, -1}, " 1.5e3 ", "1500"},
        {{SQL_FLOAT8, -1}, "inf", "Infinity"},
        {{SQL_FLOAT8, -1}, "-Infinity", "-Infinity"},
        {{SQL_FLOAT8, -1}, "nAn", "NaN"},
        {{SQL_FLOAT8, -1}, "0x10", "16"},
        {{SQL_FLOAT8, -1}, "1e15", "1e+15"},
        {{SQL_FLOAT8, -1}, "1e14", "100000000000000"},
        {{SQL_FLOAT8, -1}, "123456789012345678", "1.2345678901234568e+17"},
        {{SQL_FLOAT8, -1}, "0.0001", "0.0001"},
        {{SQL_FLOAT8, -1}, "0.00001", "1e-05"},
        {{SQL_FLOAT8, -1}, "-0", "-0"},
        {{SQL_FLOAT8, -1}, "0.1", "0.1"},
        {{SQL_FLOAT8, -1}, "-1234.5678", "-1234.5678"},
        {{SQL_FLOAT8, -1}, "5e-324", "5e-324"},
        {{SQL_FLOAT8, -1}, "1.7976931348623157e308", "1.7976931348623157e+308"},
        {{SQL_FLOAT8, -1}, "0.30000000000000004", "0.30000000000000004"},
        {{SQL_FLOAT4, -1}, "1e6", "1e+06"},
        {{SQL_FLOAT4, -1}, "123456", "123456"},
        {{SQL_FLOAT4, -1}, "0.1", "0.1"},
        {{SQL_FLOAT4, -1}, "16777216", "1.6777216e+07"},
        {{SQL_FLOAT4, -1}, "1e-45", "1e-45"},
        {{SQL_NUMERIC, -1}, "12.50", "12.50"},
        {{SQL_NUMERIC, (9 << 16 | 2) + 4}, "12.505", "12.51"},
        {{SQL_TEXT, -1}, "a b\xc3\xa4", "a b\xc3\xa4"},
        {{SQL_VARCHAR, 3 + 4}, "abc  ", "abc"},
        {{SQL_VARCHAR, 3 + 4}, "ab", "ab"},
        {{SQL_BPCHAR, 3 + 4}, "a", "a  "},
        {{SQL_BPCHAR, 2 + 4}, "\xc3\xa4", "\xc3\xa4 "},
        {{SQL_CHAR, -1}, "ab", "a"},
        {{SQL_BYTEA, -1}, "a\\\\b\\101", "\\x615c6241"},
        {{SQL_BYTEA, -1}, "\\x 12 34", "\\x1234"},
        {{SQL_BYTEA, -1}, "", "\\x"},
        {{SQL_UUID, -1},
         "{a0eebc999c0b4ef8bb6d6bb9bd380A11}",
         "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"},
        {{SQL_UUID, -1},
         "a0eebc99-9c0b4ef8-bb6d-6bb9bd380a11",
         "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"},
        {{SQL_REGTYPE, -1}, "int4", "integer"},
        {{SQL_REGTYPE, -1}, "23", "integer"},
        {{SQL_REGTYPE, -1}, "int[]", "integer[]"},
        {{SQL_REGTYPE, -1}, "0", "-"},
        {{SQL_INT4_ARRAY, -1}, "{}", "{}"},
        {{SQL_INT4_ARRAY, -1}, " { 1 , 2 } ", "{1,2}"},
        {{SQL_INT4_ARRAY, -1}, "{1,NULL,3}", "{1,NULL,3}"},
        {{SQL_INT4_ARRAY, -1}, "[2:3]={1,2}", "[2:3]={1,2}"},
        {{SQL_INT4_ARRAY, -1}, "{{1,2},{3,4}}", "{{1,2},{3,4}}"},
        {{SQL_INT4_ARRAY, -1}, "{{{1},{2}}}", "{{{1},{2}}}"},
        {{SQL_TEXT_ARRAY, -1},
         "{a b,\"NULL\",\"\",\"x\\\"y\",null, c d }",
         "{\"a b\",\"NULL\",\"\",\"x\\\"y\",NULL,\"c d\"}"},
        {{22, -1}, "1 2", "1 2"},
    };
    struct value_kit k = kit_make();
    for (size_t i = 0; i < array_count(cases); i++) {
        union sql_cell cell = kit_value(&k, cases[i].type, cases[i].in);
        assert_string_equal(kit_text(&k, cases[i].type, &cell), cases[i].out);
    }
    arena_free(&k.memory);
}

static void what_is_no_value_is_told_as_postgresql_does(void **state) {
    (void)state;
    static const struct {
        struct sql_type type;
        const char *in, *sqlstate, *message;
    } cases[] = {
        {{SQL_BOOL, -1}, "o", "22P02", "invalid input syntax for type boolean: \"o\""},
        {{SQL_INT4, -1}, "", "22P02", "invalid input syntax for type integer: \"\""},
        {{SQL_INT4, -1}, "1.5", "22P02", "invalid input syntax for type integer: \"1.5\""},
        {{SQL_INT4, -1}, "+-1", "22P02", "invalid input syntax for type integer: \"+-1\""},
        {{SQL_INT4, -1},
         "99999999999",
         "22003",
         "value \"99999999999\" is out of range for type integer"},
        {{SQL_INT2, -1}, "-32769", "22003", "value \"-32769\" is out of range for type smallint"},
        {{SQL_OID, -1}, "4294967296", "22003", "value \"4294967296\" is out of range for type oid"},
        {{SQL_FLOAT8, -1}, "1e", "22P02", "invalid input syntax for type double precision: \"1e\""},
        {{SQL_FLOAT8, -1}, "1e400", "22003", "\"1e400\" is out of range for type double precision"},
        {{SQL_FLOAT4, -1}, "1e39", "22003", "\"1e39\" is out of range for type real"},
        {{SQL_NUMERIC, -1}, "x", "22P02", "invalid input syntax for type numeric: \"x\""},
        {{SQL_NUMERIC, -1}, "1e999999", "22003", "value overflows numeric format"},
        {{SQL_NUMERIC, (4 << 16 | 1) + 4}, "12345", "22003", "numeric field overflow"},
        {{SQL_TEXT, -1}, "a\xff", "22021", "invalid byte sequence for encoding \"UTF8\": 0xff"},
        {{SQL_VARCHAR, 3 + 4}, "abcd", "22001", "value too long for type character varying(3)"},
        {{SQL_BPCHAR, 2 + 4}, "xyz", "22001", "value too long for type character(2)"},
        {{SQL_BYTEA, -1}, "\\xabcg", "22023", "invalid hexadecimal digit: \"g\""},
        {{SQL_BYTEA, -1}, "\\xabc", "22023", "invalid hexadecimal data: odd number of digits"},
        {{SQL_BYTEA, -1}, "\\12", "22P02", "invalid input syntax for type bytea"},
        {{SQL_UUID, -1}, "a0eebc99", "22P02", "invalid input syntax for type uuid: \"a0eebc99\""},
        {{SQL_REGTYPE, -1}, "foo", "42704", "type \"foo\" does not exist"},
        {{SQL_INT4_ARRAY, -1}, "{1,x}", "22P02", "invalid input syntax for type integer: \"x\""},
        {{SQL_INT4_ARRAY, -1}, "{1,2", "22P02", "malformed array literal: \"{1,2\""},
        {{SQL_INT4_ARRAY, -1}, "{1,,2}", "22P02", "malformed array literal: \"{1,,2}\""},
        {{SQL_INT4_ARRAY, -1}, "{{1},2}", "22P02", "malformed array literal: \"{{1},2}\""},
        {{SQL_INT4_ARRAY, -1}, "{{1,2},{3}}", "22P02", "malformed array literal: \"{{1,2},{3}}\""},
        {{SQL_INT4_ARRAY, -1}, "{{},{}}", "22P02", "malformed array literal: \"{{},{}}\""},
        {{SQL_INT4_ARRAY, -1}, "{1}x", "22P02", "malformed array literal: \"{1}x\""},
        {{SQL_INT4_ARRAY, -1}, "[1:2]={1}", "22P02", "malformed array literal: \"[1:2]={1}\""},
        {{SQL_TEXT_ARRAY, -1}, "{\"a\"b}", "22P02", "malformed array literal: \"{\"a\"b}\""},
        {{SQL_RECORD, -1}, "(1)", "0A000", "input of anonymous composite types is not implemented"},
    };
    struct value_kit k = kit_make();
    for (size_t i = 0; i < array_count(cases); i++) {
        union sql_cell cell;
        int rc =
            sql_value_in(cases[i].type, slice_str(cases[i].in), NULL, &k.memory, &cell, &k.error);
        assert_true(rc < 0);
        assert_string_equal(k.error.message, cases[i].message);
        assert_string_equal(k.error.state, cases[i].sqlstate);
    }
    arena_free(&k.memory);
}

static void a_record_is_written_with_quotes(void **state) {
    (void)state;
    static const char *const texts[] = {"1", NULL, "a b", "", "x,y", "q\"r", "b\\s", "("};
    struct value_kit k = kit_make();
    union sql_cell cells[8];
    uint8_t nulls[8] = {0};
    struct sql_type types[8];
    for (size_t i = 0; i < 8; i++) {
        types[i] = sql_type_of(SQL_TEXT);
        nulls[i] = !texts[i];
        if (texts[i])
            cells[i].text = slice_str(texts[i]);
    }
    const struct sql_record record = {8, types, cells, nulls, NULL};
    const union sql_cell cell = {.record = &record};
    assert_string_equal(kit_text(&k, sql_type_of(SQL_RECORD), &cell),
                        "(1,,\"a b\",\"\",\"x,y\",\"q\"\"r\",\"b\\\\s\",\"(\")");
    arena_free(&k.memory);
}

/* Values of one type, each larger than the one before. */
static const struct {
    uint32_t oid;
    const char *ascending[8];
} orders[] = {
    {SQL_BOOL, {"f", "t"}},
    {SQL_INT4, {"-5", "0", "7", "100"}},
    {SQL_INT8, {"-9223372036854775808", "-1", "0", "9223372036854775807"}},
    {SQL_FLOAT8, {"-Infinity", "-1.5", "0", "1e-300", "2", "Infinity", "NaN"}},
    {SQL_NUMERIC, {"-Infinity", "-1.25", "-1.2", "0", "0.001", "12", "1e30", "NaN"}},
    {SQL_TEXT, {"", "A", "Z", "a", "aa", "\xc3\xa4"}},
    {SQL_BPCHAR, {"", "a", "a b", "b  "}},
    {SQL_BYTEA, {"", "\\x00", "\\x0000", "\\x0001", "\\x01", "\\xff"}},
    {SQL_UUID,
     {"00000000-0000-0000-0000-000000000001", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
      "ffffffff-0000-0000-0000-000000000001"}},
    {SQL_INT4_ARRAY, {"{}", "{1}", "{1,2}", "{1,3}", "{1,NULL}", "{2}", "{NULL}"}},
    {SQL_TEXT_ARRAY, {"{}", "{\"\"}", "{a}", "{a,\"\"}", "{aa}", "{b}"}},
};

static void values_have_the_order_of_their_type(void **state) {
    (void)state;
    struct value_kit k = kit_make();
    for (size_t o = 0; o < array_count(orders); o++)
        for (size_t i = 0; i < 8 && orders[o].ascending[i]; i++)
            for (size_t j = 0; j < 8 && orders[o].ascending[j]; j++) {
                uint32_t oid = orders[o].oid;
                union sql_cell a = kit_value(&k, sql_type_of(oid), orders[o].ascending[i]);
                union sql_cell b = kit_value(&k, sql_type_of(oid), orders[o].ascending[j]);
                int order = sql_value_compare(oid, &a, &b);
                assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
                assert_int_equal(sql_value_equal(oid, &a, &b), i == j);
                if (i == j)
                    assert_true(sql_value_hash(oid, &a) == sql_value_hash(oid, &b));
            }
    arena_free(&k.memory);
}

static void equal_values_hash_alike(void **state) {
    (void)state;
    static const struct {
        uint32_t oid;
        const char *a, *b;
    } cases[] = {
        {SQL_NUMERIC, "1.0", "1.000000000000000000000000"},
        {SQL_NUMERIC, "0", "-0.00"},
        {SQL_FLOAT8, "0", "-0"},
        {SQL_BPCHAR, "a", "a   "},
        {1231 /* numeric[] */, "{1.0,2}", "{1,2.00}"},
    };
    struct value_kit k = kit_make();
    for (size_t i = 0; i < array_count(cases); i++) {
        union sql_cell a = kit_value(&k, sql_type_of(cases[i].oid), cases[i].a);
        union sql_cell b = kit_value(&k, sql_type_of(cases[i].oid), cases[i].b);
        assert_true(sql_value_equal(cases[i].oid, &a, &b));
        assert_true(sql_value_hash(cases[i].oid, &a) == sql_value_hash(cases[i].oid, &b));
    }
    arena_free(&k.memory);
}

static void binary_values_read_back(void **state) {
    (void)state;
    struct value_kit k = kit_make();
    for (size_t o = 0; o < array_count(orders); o++)
        for (size_t i = 0; i < 8 && orders[o].ascending[i]; i++) {
            struct sql_type type = sql_type_of(orders[o].oid);
            union sql_cell cell = kit_value(&k, type, orders[o].ascending[i]);
            union sql_cell again;
            struct buf out = buf_make(4096);
            assert_int_equal(sql_value_send(type, &cell, NULL, &out), 0);
            assert_int_equal(
                sql_value_receive(type, buf_slice(&out), NULL, &k.memory, &again, &k.error), 0);
            assert_true(sql_value_equal(type.oid, &cell, &again));
            if (out.len > 0 && sql_layout_of(type.oid) != SQL_LAYOUT_TEXT) {
                out.len--; /* one byte short */
                assert_true(sql_value_receive(type, buf_slice(&out), NULL, &k.memory, &again,
                                              &k.error) < 0);
                assert_string_equal(k.error.state, "22P03");
            }
            buf_free(&out);
        }
    union sql_cell array = kit_value(&k, sql_type_of(SQL_INT4_ARRAY), "{1,NULL}");
    struct buf out = buf_make(4096);
    assert_int_equal(sql_value_send(sql_type_of(SQL_INT4_ARRAY), &array, NULL, &out), 0);
    assert_int_equal(out.len, 32); /* as array_send(): header, bounds, one value, one NULL */
    assert_memory_equal(
        out.ptr, "\0\0\0\1\0\0\0\1\0\0\0\x17\0\0\0\2\0\0\0\1\0\0\0\4\0\0\0\1\xff\xff\xff\xff", 32);
    buf_free(&out);
    arena_free(&k.memory);
}

/* Hexadecimal as numeric_send() and its kin gave them. */
static void binary_values_are_those_of_postgresql(void **state) {
    (void)state;
    static const struct {
        uint32_t oid;
        const char *text, *hex;
    } cases[] = {
        {16, "t", "01"},
        {16, "f", "00"},
        {21, "-5", "fffb"},
        {21, "32767", "7fff"},
        {23, "-5", "fffffffb"},
        {23, "7", "00000007"},
        {20, "-5", "fffffffffffffffb"},
        {20, "9223372036854775807", "7fffffffffffffff"},
        {700, "1.5", "3fc00000"},
        {700, "NaN", "7fc00000"},
        {700, "-0.1", "bdcccccd"},
        {700, "inf", "7f800000"},
        {701, "1.5", "3ff8000000000000"},
        {701, "-0.1", "bfb999999999999a"},
        {701, "1e300", "7e37e43c8800759c"},
        {701, "-inf", "fff0000000000000"},
        {1700, "0", "0000000000000000"},
        {1700, "0.00", "0000000000000002"},
        {1700, "1", "00010000000000000001"},
        {1700, "-1", "00010000400000000001"},
        {1700, "10000", "00010001000000000001"},
        {1700, "9999", "0001000000000000270f"},
        {1700, "12345678.9", "000300010000000104d2162e2328"},
        {1700, "0.0001", "0001ffff000000040001"},
        {1700, "0.00001", "0001fffe0000000503e8"},
        {1700, "1e-20", "0001fffb000000140001"},
        {1700, "1.500000", "000200000000000600011388"},
        {1700, "1e30", "00010007000000000064"},
        {1700, "NaN", "00000000c0000000"},
        {1700, "Infinity", "00000000d0000020"},
        {1700, "-Infinity", "00000000f0000020"},
        {1700, "-99999999999999999999.000000001",
         "0008000440000009270f270f270f270f270f0000000003e8"},
        {1700, "123456789", "0003000200000000000109291a85"},
        {1700, "1e9", "0001000200000000000a"},
        {1700, "1e8", "00010002000000000001"},
        {1700, "0.1", "0001ffff0000000103e8"},
        {1700, "100000000", "00010002000000000001"},
        {1700, "99990000", "0001000100000000270f"},
        {1700, "1e100", "00010019000000000001"},
        {1700, "1e-100", "0001ffe7000000640001"},
        {1700, "123.4560", "0002000000000004007b11d0"},
        {1700, "10000.0001", "0003000100000004000100000001"},
        {1700, "1e17", "0001000400000000000a"},
        {1700, "1e18", "00010004000000000064"},
        {2950, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "a0eebc999c0b4ef8bb6d6bb9bd380a11"},
        {1082, "2024-02-29", "00002279"},
        {1082, "infinity", "7fffffff"},
        {1082, "-infinity", "80000000"},
        {1082, "1999-01-01", "fffffe93"},
        {1083, "12:34:56.789", "0000000a8be62608"},
        {1114, "2024-02-29 12:00:00", "0002b582c4781000"},
        {1114, "infinity", "7fffffffffffffff"},
        {1114, "-infinity", "8000000000000000"},
        {1114, "1999-01-01", "ffffe35173ec2000"},
        {1184, "2024-02-29 12:00:00+02", "0002b5811750c800"},
        {1186, "1 year 2 mons -3 days 04:05:06.7", "000000036c966ee0fffffffd0000000e"},
        {3802, "{\"a\":1}", "017b2261223a20317d"},
        {1007, "{1,NULL,3}",
         "00000001000000010000001700000003000000010000000400000001ffffffff0000000400000003"},
        {1007, "{}", "000000000000000000000017"},
        {1007, "[2:3]={1,2}",
         "000000010000000000000017000000020000000200000004000000010000000400000002"},
        {1009, "{a,\"b c\",NULL}",
         "0000000100000001000000190000000300000001000000016100000003622063ffffffff"},
        {1182, "{2024-01-01}", "00000001000000000000043a0000000100000001000000040000223e"},
    };
    struct value_kit k = kit_make();
    for (size_t i = 0; i < array_count(cases); i++) {
        struct sql_type type = sql_type_of(cases[i].oid);
        union sql_cell cell = kit_value(&k, type, cases[i].text);
        struct buf out = buf_make(4096);
        assert_int_equal(sql_value_send(type, &cell, NULL, &out), 0);
        char hex[512];
        size_t len = hex_encode(buf_slice(&out), hex);
        hex[len] = '\0';
        assert_string_equal(hex, cases[i].hex);
        buf_free(&out);
    }
    arena_free(&k.memory);
}

static void a_copy_has_its_own_memory(void **state) {
    (void)state;
    struct value_kit k = kit_make();
    struct arena other = arena_make(0, (size_t)1 << 20);
    union sql_cell cell = kit_value(&k, sql_type_of(SQL_TEXT_ARRAY), "{a,NULL,\"b c\"}");
    union sql_cell copy;
    assert_int_equal(sql_value_copy(SQL_TEXT_ARRAY, &cell, &other, &copy), 0);
    arena_free(&k.memory);
    k = kit_make();
    assert_string_equal(kit_text(&k, sql_type_of(SQL_TEXT_ARRAY), &copy), "{a,NULL,\"b c\"}");
    arena_free(&other);
    arena_free(&k.memory);
}

static void types_print_as_format_type(void **state) {
    (void)state;
    static const struct {
        struct sql_type type;
        const char *text;
    } cases[] = {
        {{SQL_VARCHAR, 14}, "character varying(10)"},
        {{SQL_NUMERIC, 655366}, "numeric(10,2)"},
        {{SQL_TIMESTAMP, 3}, "timestamp(3) without time zone"},
        {{SQL_BPCHAR, 7}, "character(3)"},
        {{SQL_BPCHAR, -1}, "bpchar"},
        {{SQL_INT4_ARRAY, -1}, "integer[]"},
        {{1015, 14}, "character varying(10)[]"},
    };
    for (size_t i = 0; i < array_count(cases); i++) {
        char text[96];
        assert_string_equal(sql_type_text(cases[i].type, text, sizeof text), cases[i].text);
    }
    assert_int_equal(sql_type_named(slice_lit("double precision"))->oid, SQL_FLOAT8);
    assert_int_equal(sql_type_named(slice_lit("int4[]"))->oid, SQL_INT4_ARRAY);
    assert_null(sql_type_named(slice_lit("foo")));
}

/* As quote_ident() has it: a reserved word as it stands would not read back. */
static void names_of_the_catalog_are_quoted_where_they_must_be(void **state) {
    (void)state;
    static const struct {
        const char *schema, *name, *text;
    } cases[] = {
        {"public", "order", "\"order\""}, {"public", "bid", "bid"},
        {"public", "A b", "\"A b\""},     {"other", "select", "other.\"select\""},
        {"user", "bid", "\"user\".bid"},
    };
    struct sql_catalog *catalog;
    assert_int_equal(sql_catalog_new(&catalog), 0);
    const struct sql_settings settings = {.catalog = catalog};
    for (size_t i = 0; i < array_count(cases); i++) {
        struct sql_table *t = sql_table_new();
        assert_non_null(t);
        t->oid = sql_catalog_next_oid(catalog);
        t->schema = slice_str(cases[i].schema);
        t->name = slice_str(cases[i].name);
        assert_int_equal(sql_catalog_add_table(catalog, t), 0);
        const union sql_cell cell = {.i = t->oid};
        struct buf out = buf_make(256);
        char text[256];
        assert_int_equal(sql_value_out(sql_type_of(SQL_REGCLASS), &cell, &settings, &out), 0);
        assert_int_equal(slice_to_string(buf_slice(&out), text, sizeof text), 0);
        assert_string_equal(text, cases[i].text);
        buf_free(&out);
    }
    sql_catalog_free(catalog);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_read_and_written),
        cmocka_unit_test(what_is_no_value_is_told_as_postgresql_does),
        cmocka_unit_test(a_record_is_written_with_quotes),
        cmocka_unit_test(values_have_the_order_of_their_type),
        cmocka_unit_test(equal_values_hash_alike),
        cmocka_unit_test(binary_values_read_back),
        cmocka_unit_test(binary_values_are_those_of_postgresql),
        cmocka_unit_test(a_copy_has_its_own_memory),
        cmocka_unit_test(types_print_as_format_type),
        cmocka_unit_test(names_of_the_catalog_are_quoted_where_they_must_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
