/* postgres.c - see postgres.h. */
#include "io/postgres.h"

int io_postgres_load(struct io_postgres *ret_postgres, struct error *ret_error) {
#define ROW(name) {#name, offsetof(struct io_postgres, name)},
    static const struct io_library_call calls[] = {IO_POSTGRES_CALLS(ROW)};
#undef ROW
    static const struct io_library library = {
        .file = "libpq.so.5",
        .package = "libpq5",
        .calls = calls,
        .call_count = array_count(calls),
    };
    return io_library_load(&library, ret_postgres, ret_error);
}
