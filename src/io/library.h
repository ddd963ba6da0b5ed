/*
 * library.h - shared libraries that only some verbs need, loaded when they are first used.
 *
 * A node never loads them: it neither pays their memory nor needs them installed. The headers are
 * there when Nonet is built, so calls are checked by the compiler as those of any library:
 *
 *      #define CALLS(X) X(PQfinish) X(PQgetResult)
 *      struct calls { CALLS(IO_LIBRARY_FIELD) };
 *      #define ROW(name) {#name, offsetof(struct calls, name)},
 *      static const struct io_library_call rows[] = {CALLS(ROW)};
 *
 * What was loaded stays until the process ends, since such libraries leave things behind (handlers
 * of OpenSSL, locales) that must not lose their code.
 */
#ifndef NONET_IO_LIBRARY_H
#define NONET_IO_LIBRARY_H

#include "base/error.h"

#include <stddef.h>

struct io_library_call {
    const char *name;
    size_t offset; /* of its pointer in the struct that is filled */
};

#define IO_LIBRARY_FIELD(function) __typeof__(function) *function;

struct io_library {
    const char *file;    /* "libpq.so.5" */
    const char *package; /* that has it in Debian */
    const struct io_library_call *calls;
    unsigned call_count;
};

/* Fills the pointers of TABLE. 0; -ENOENT with words that name the package: the library is not
   there, or an older one that lacks a call. */
must_use int io_library_load(const struct io_library *library, void *table,
                             struct error *ret_error);

#endif
