/*
 * batch.c - the builder that gathers rows until a batch is full (batch.h).
 *
 * Cells, NULL marks and weights of all columns lie in one piece of memory each, taken once and
 * kept by reset, so that a plan at work allocates nothing but what its values point to.
 */
#include "sql/batch.h"

#include "base/mem.h"

#include <errno.h>

#define MEMORY_CHUNK_BYTES ((size_t)64 << 10)
#define MEMORY_BYTES_MAX ((size_t)256 << 20) /* contents of one batch */

static int take(struct sql_builder *b, unsigned columns) {
    size_t cells = (size_t)columns * SQL_BATCH_ROWS;
    b->cells = mem_zalloc(columns, sizeof *b->cells);
    b->nulls = mem_zalloc(columns, sizeof *b->nulls);
    b->column = mem_zalloc(columns, sizeof *b->column);
    b->weights = mem_zalloc(SQL_BATCH_ROWS, sizeof *b->weights);
    union sql_cell *cell = mem_zalloc(cells, sizeof *cell);
    uint8_t *null = mem_zalloc(cells, sizeof *null);
    if (!b->cells || !b->nulls || !b->column || !b->weights || !cell || !null) {
        mem_free(cell);
        mem_free(null);
        return -ENOMEM;
    }
    for (unsigned i = 0; i < columns; i++) {
        b->cells[i] = cell + (size_t)i * SQL_BATCH_ROWS;
        b->nulls[i] = null + (size_t)i * SQL_BATCH_ROWS;
        b->column[i] = (struct sql_column){b->cells[i], b->nulls[i], 1};
    }
    if (columns == 0) { /* rows without columns: there is nobody to own the two pieces */
        mem_free(cell);
        mem_free(null);
    }
    return 0;
}

int sql_builder_make(unsigned columns, struct sql_builder *ret) {
    check(columns <= SQL_ROW_COLUMNS_MAX + 1);
    struct sql_builder b = {.columns = columns};
    b.memory = arena_make(MEMORY_CHUNK_BYTES, MEMORY_BYTES_MAX);
    int rc = take(&b, columns);
    if (rc < 0)
        sql_builder_free(&b);
    else
        *ret = b;
    return rc;
}

void sql_builder_free(struct sql_builder *b) {
    arena_free(&b->memory);
    if (b->columns > 0 && b->cells && b->nulls) { /* the first column begins each piece */
        mem_free(b->cells[0]);
        mem_free(b->nulls[0]);
    }
    mem_free(b->cells);
    mem_free(b->nulls);
    mem_free(b->column);
    mem_free(b->weights);
    *b = (struct sql_builder){.rows = 0};
}

void sql_builder_reset(struct sql_builder *b) {
    arena_reset(&b->memory);
    b->rows = 0;
    b->weighted = false;
}

struct sql_batch sql_builder_batch(struct sql_builder *b) {
    return (struct sql_batch){.rows = b->rows,
                              .columns = b->columns,
                              .column = b->column,
                              .weights = b->weighted ? b->weights : NULL};
}
