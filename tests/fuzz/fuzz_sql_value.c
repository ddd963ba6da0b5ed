/*
 * Values of SQL from strangers: the first byte chooses a type, the rest is read as the value's
 * text, as its binary form, and as a row.
 *
 * Beyond not crashing: a value that was read is written, and what is written reads as an equal
 * value that is written alike. Sent and received, encoded and decoded, it is the same; equal
 * values have equal canonical bytes, keys and hashes.
 */
#include "sql/row.h"
#include "sql/value.h"

#define INPUT_MAX ((size_t)4096)
#define MEMORY_MAX ((size_t)64 << 20)
#define OUT_MAX ((size_t)4 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct sql_type types[] = {
    {SQL_BOOL, -1},
    {SQL_INT2, -1},
    {SQL_INT4, -1},
    {SQL_INT8, -1},
    {SQL_OID, -1},
    {SQL_FLOAT4, -1},
    {SQL_FLOAT8, -1},
    {SQL_NUMERIC, -1},
    {SQL_NUMERIC, (9 << 16 | 2) + 4},
    {SQL_TEXT, -1},
    {SQL_VARCHAR, 5 + 4},
    {SQL_BPCHAR, 5 + 4},
    {SQL_NAME, -1},
    {SQL_BYTEA, -1},
    {SQL_UUID, -1},
    {SQL_DATE, -1},
    {SQL_TIME, -1},
    {SQL_TIMESTAMP, -1},
    {SQL_TIMESTAMPTZ, -1},
    {SQL_INTERVAL, -1},
    {SQL_JSON, -1},
    {SQL_JSONB, -1},
    {SQL_INT4_ARRAY, -1},
    {SQL_TEXT_ARRAY, -1},
    {1231 /* numeric[] */, -1},
    {1182 /* date[] */, -1},
    {22 /* int2vector */, -1},
};

static slice text_of(struct sql_type type, const union sql_cell *cell, struct arena *memory) {
    _cleanup_buf_ struct buf out = buf_make(OUT_MAX);
    slice copy;
    check(sql_value_out(type, cell, NULL, &out) == 0);
    check(arena_copy(memory, buf_slice(&out), &copy) == 0);
    return copy;
}

static slice encode(struct sql_type type, const union sql_cell *cell, bool canonical,
                    struct arena *memory) {
    const struct sql_column column = {cell, NULL, 0};
    const struct sql_batch batch = {.rows = 1, .columns = 1, .column = &column};
    _cleanup_buf_ struct buf out = buf_make(OUT_MAX);
    slice copy;
    check(sql_row_encode(&batch, &type, NULL, 1, 0, canonical, &out) == 0);
    check(arena_copy(memory, buf_slice(&out), &copy) == 0);
    return copy;
}

static slice key(struct sql_type type, const union sql_cell *cell, struct arena *memory) {
    _cleanup_buf_ struct buf out = buf_make(OUT_MAX);
    slice copy;
    check(sql_key_value(type.oid, cell, false, false, false, &out) == 0);
    check(arena_copy(memory, buf_slice(&out), &copy) == 0);
    return copy;
}

static void check_same(struct sql_type type, const union sql_cell *a, const union sql_cell *b,
                       struct arena *memory) {
    check(slice_equal(text_of(type, a, memory), text_of(type, b, memory)));
    if (type.oid == SQL_JSON) /* has neither order nor equality */
        return;
    check(sql_value_equal(type.oid, a, b));
    check(sql_value_hash(type.oid, a) == sql_value_hash(type.oid, b));
    check(slice_equal(encode(type, a, true, memory), encode(type, b, true, memory)));
    check(slice_equal(key(type, a, memory), key(type, b, memory)));
}

static void try_text(struct sql_type type, slice text, struct arena *memory) {
    struct sql_error error = {.state = ""};
    union sql_cell cell;
    union sql_cell again;
    if (sql_value_in(type, text, NULL, memory, &cell, &error) < 0) {
        check(error.state[0] != '\0' && error.message[0] != '\0');
        return;
    }
    slice written = text_of(type, &cell, memory);
    check(sql_value_in(type, written, NULL, memory, &again, &error) == 0);
    check_same(type, &cell, &again, memory);
    _cleanup_buf_ struct buf sent = buf_make(OUT_MAX);
    check(sql_value_send(type, &cell, NULL, &sent) == 0);
    check(sql_value_receive(type, buf_slice(&sent), NULL, memory, &again, &error) == 0);
    check_same(type, &cell, &again, memory);
    slice row = encode(type, &cell, false, memory);
    uint8_t null;
    check(sql_row_decode(row, &type, 1, memory, &again, &null) == (ptrdiff_t)row.len && !null);
    check_same(type, &cell, &again, memory);
    check(sql_value_copy(type.oid, &cell, memory, &again) == 0);
    check_same(type, &cell, &again, memory);
}

static void try_binary(struct sql_type type, slice bytes, struct arena *memory) {
    struct sql_error error = {.state = ""};
    union sql_cell cell;
    if (sql_value_receive(type, bytes, NULL, memory, &cell, &error) < 0)
        check(error.state[0] != '\0');
    else
        (void)text_of(type, &cell, memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0)
        return 0;
    struct sql_type type = types[data[0] % array_count(types)];
    slice rest = slice_make(data + 1, size - 1 < INPUT_MAX ? size - 1 : INPUT_MAX);
    struct arena memory = arena_make((size_t)64 << 10, MEMORY_MAX);
    try_text(type, rest, &memory);
    try_binary(type, rest, &memory);
    union sql_cell cell;
    uint8_t null;
    (void)!sql_row_decode(rest, &type, 1, &memory, &cell, &null);
    arena_free(&memory);
    return 0;
}
