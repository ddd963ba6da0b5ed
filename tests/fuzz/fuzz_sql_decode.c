/*
 * fuzz_sql_decode.c - documents of strangers to rows of a table.
 *
 * The first byte says which of its columns are read, the rest is the document. Properties: it is a
 * row, or there are a SQLSTATE and words why not; the same document is judged the same again; each
 * value of a row can be written, and read back from that.
 */
#include "rooms/stream/decode.h"
#include "sql/batch.h"

#include <errno.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TEXT_MAX ((size_t)64 << 20)

static struct sql_table_column columns[] = {
    {.name = slice_lit("i"), .type = {SQL_INT8, -1}},
    {.name = slice_lit("s"), .type = {SQL_TEXT, -1}},
    {.name = slice_lit("t"), .type = {SQL_TIMESTAMP, 3}},
    {.name = slice_lit("n"), .type = {SQL_NUMERIC, -1}},
    {.name = slice_lit("f"), .type = {SQL_FLOAT8, -1}},
    {.name = slice_lit("j"), .type = {SQL_JSONB, -1}},
    {.name = slice_lit("z"), .type = {SQL_TIMESTAMPTZ, -1}},
    {.name = slice_lit("b"), .type = {SQL_BOOL, -1}, .path = slice_lit("/a/b/0")},
};

static void check_value(struct sql_type type, const union sql_cell *cell, struct arena *memory) {
    static const struct sql_settings settings = {.extra_float_digits = 1};
    struct buf text = buf_make(TEXT_MAX), again = buf_make(TEXT_MAX);
    struct sql_error why = {.state = ""};
    union sql_cell read;
    check(sql_value_out(type, cell, &settings, &text) == 0);
    check(sql_value_in(type, buf_slice(&text), &settings, memory, &read, &why) == 0);
    check(sql_value_out(type, &read, &settings, &again) == 0);
    check(slice_equal(buf_slice(&text), buf_slice(&again)));
    buf_free(&text);
    buf_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const struct sql_table table = {
        .name = slice_lit("t"), .columns = array_count(columns), .column = columns};
    unsigned which[array_count(columns)], count = 0;
    struct decoder *d;
    struct sql_builder b;
    struct sql_error why, same;
    if (size == 0)
        return 0;
    for (unsigned i = 0; i < array_count(columns); i++)
        if (data[0] >> i & 1)
            which[count++] = i;
    struct ledger_record record = {.sequence = 1, .payload = slice_make(data + 1, size - 1)};
    check(decoder_new(&table, which, count, NULL, &d) == 0);
    check(sql_builder_make(count, &b) == 0);
    int r = decoder_add(d, &record, &b, &why);
    check(r == 0 || (r == -EBADMSG && strlen(why.state) == 5 && why.message[0]));
    check(decoder_add(d, &record, &b, &same) == r);
    check(r == 0 || strcmp(why.state, same.state) == 0);
    check(b.rows == (r == 0 ? 2 : 0));
    struct sql_batch batch = sql_builder_batch(&b);
    for (unsigned i = 0; i < count && batch.rows; i++)
        if (!sql_null_at(&batch.column[i], 0))
            check_value(columns[which[i]].type, sql_cell_at(&batch.column[i], 0), &b.memory);
    sql_builder_free(&b);
    decoder_free(d);
    return 0;
}
