/*
 * files_answer.h - which answer a file gets: conditions, ranges, types (RFC 9110 8.3, 13, 14).
 *
 *     found on the disk + fields of the request -> status, fields, which bytes of the file
 *
 * One range at most; several are answered with the whole file, as the RFC allows.
 */
#ifndef NONET_GATEWAY_FILES_ANSWER_H
#define NONET_GATEWAY_FILES_ANSWER_H

#include "rooms/gateway/exchange.h"

struct files_found {
    uint64_t size;
    int64_t modified_ns;
    const char *coding; /* "gzip", "br"; NULL: as it is */
    bool is_folder;     /* the path named the folder of this index without its last slash */
};

struct files_plan {
    struct http_answer answer;
    struct http1_field fields[8];
    bool has_body;
    uint64_t from, length; /* of the file */
};

/* Plans the answer to X. PATH is the file's, without the ending of a coding; texts are put into X's
   arena. 0 or -ENOMEM. */
must_use int files_plan(struct exchange *x, const struct files_found *found, slice path,
                        slice cache_control, struct files_plan *ret_plan);

/* How welcome CODING is to X (RFC 9110 12.5.3), by name or by "*": its weight in thousandths; 0:
   not accepted. */
unsigned files_accepts(const struct exchange *x, slice coding);

/* Whether X has a condition, so that the file may not be sent. */
bool files_is_conditional(const struct exchange *x);

/* "text/html; charset=utf-8" for "a/index.html"; application/octet-stream for what is not known. */
slice files_type(slice path);

#endif
