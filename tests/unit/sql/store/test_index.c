/*
 * The index of a relation: ids by hash, against a plain table of what is in it.
 */
#include "sql/store/index.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define HASHES 40u
#define IDS 200u

static void holds_what_is_in_it(const struct row_index *x, bool in[HASHES][IDS]) {
    for (unsigned h = 0; h < HASHES; h++) {
        unsigned expected = 0, found = 0;
        uint64_t last = IDS;
        for (unsigned id = 0; id < IDS; id++)
            expected += in[h][id];
        for (uint32_t n = row_index_first(x, h * 64); n != INDEX_NONE; n = row_index_next(x, n)) {
            uint64_t id = row_index_id(x, n);
            assert_true(id < last && in[h][id]); /* newest first */
            last = id;
            found++;
        }
        assert_int_equal(found, expected);
    }
}

/* Added in the order of their ids, removed in any: places are used again, also those of a hash
   that has nobody left. */
static void rows_come_and_go(void **state) {
    (void)state;
    static bool in[HASHES][IDS];
    struct row_index x = {0};
    uint32_t random = 1;
    assert_int_equal(row_index_first(&x, 7), INDEX_NONE);
    row_index_remove(&x, 7, 1);
    for (unsigned id = 0; id < IDS; id++) {
        for (unsigned h = 0; h < HASHES; h++) {
            random = random * 1664525u + 1013904223u;
            if (random >> 30)
                continue;
            assert_int_equal(row_index_add(&x, h * 64, id), 0);
            in[h][id] = true;
        }
        for (unsigned h = 0; h < HASHES; h++) {
            random = random * 1664525u + 1013904223u;
            unsigned other = (random >> 8) % (id + 1);
            row_index_remove(&x, h * 64, other);
            in[h][other] = false;
        }
        holds_what_is_in_it(&x, in);
    }
    assert_true(row_index_bytes(&x) > 0);
    row_index_free(&x);
    assert_int_equal(row_index_bytes(&x), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(rows_come_and_go)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
