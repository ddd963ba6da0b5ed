/* A library that is not there, or is too old, is an error with a hint; calls of others work. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/library.h"
#include "io/postgres.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define CALLS(X)                                                                                   \
    X(cos)                                                                                         \
    X(hypot)

struct calls {
    CALLS(IO_LIBRARY_FIELD)
};

#define ROW(name) {#name, offsetof(struct calls, name)},
static const struct io_library_call rows[] = {CALLS(ROW)};

static void calls_are_found(void **state) {
    (void)state;
    const struct io_library library = {"libm.so.6", "libc6", rows, array_count(rows)};
    struct calls calls;
    assert_int_equal(io_library_load(&library, &calls, NULL), 0);
    assert_true(calls.hypot(3, 4) == 5.0);
    assert_true(calls.cos(0) == 1.0);
}

static void a_missing_library_names_its_package(void **state) {
    (void)state;
    const struct io_library library = {"libnone.so.1", "libnone1", rows, array_count(rows)};
    struct calls calls;
    struct error error = {0};
    assert_int_equal(io_library_load(&library, &calls, &error), -ENOENT);
    assert_string_equal(error.message, "libnone.so.1 is not installed on this machine");
    assert_string_equal(error.hint, "on Debian: apt install libnone1");
}

static void an_older_library_is_told_by_the_call_it_lacks(void **state) {
    (void)state;
    const struct io_library_call later[] = {{"cos_of_the_future", 0}};
    const struct io_library library = {"libm.so.6", "libc6", later, 1};
    struct calls calls;
    struct error error = {0};
    assert_int_equal(io_library_load(&library, &calls, &error), -ENOENT);
    assert_string_equal(error.message, "libm.so.6 is too old: it has no cos_of_the_future");
}

static void libpq_has_every_call_that_is_used(void **state) {
    (void)state;
    struct io_postgres pq;
    assert_int_equal(io_postgres_load(&pq, NULL), 0);
    assert_int_equal(pq.PQstatus(NULL), CONNECTION_BAD);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_are_found),
        cmocka_unit_test(a_missing_library_names_its_package),
        cmocka_unit_test(an_older_library_is_told_by_the_call_it_lacks),
        cmocka_unit_test(libpq_has_every_call_that_is_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
