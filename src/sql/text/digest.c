/*
 * digest.c - md5 and the SHA-2 family (RFC 1321, FIPS 180-4). The host's library computes them:
 * sql/ holds no cryptography.
 */
#include "base/hex.h"
#include "sql/text/give.h"

#include <errno.h>

#define DIGEST_BYTES_MAX 64u

/* Its bytes, or 0 and call->error filled. */
static size_t digest(struct sql_call *call, const char *name, slice bytes,
                     unsigned char ret[DIGEST_BYTES_MAX]) {
    const struct sql_settings *s = call->settings;
    size_t length = s && s->digest ? s->digest(name, bytes, ret) : 0;
    if (!length)
        (void)sql_fail(call->error, "0A000", "%s is not there in this program's library", name);
    return length;
}

static int md5(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    unsigned char bytes[DIGEST_BYTES_MAX];
    size_t length = digest(call, "md5", a[0].text, bytes);
    char *text = length ? text_room(call, 2 * length) : NULL;
    if (!text)
        return -EINVAL;
    hex_encode(slice_make((const char *)bytes, length), text);
    ret->text = slice_make(text, 2 * length);
    return 0;
}

static int give_bytes(struct sql_call *call, const char *name, slice of, union sql_cell *ret) {
    unsigned char bytes[DIGEST_BYTES_MAX];
    size_t length = digest(call, name, of, bytes);
    char *room = length ? text_room(call, length) : NULL;
    if (!room)
        return -EINVAL;
    memcpy(room, bytes, length);
    ret->text = slice_make(room, length);
    return 0;
}

static int sha224(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return give_bytes(call, "sha224", a[0].text, ret);
}

static int sha256(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return give_bytes(call, "sha256", a[0].text, ret);
}

static int sha384(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return give_bytes(call, "sha384", a[0].text, ret);
}

static int sha512(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return give_bytes(call, "sha512", a[0].text, ret);
}

const struct sql_function sql_functions_digest[] = {
    SQL_ROW("md5", md5, SQL_TEXT, SQL_TEXT),
    SQL_ROW("md5", md5, SQL_TEXT, SQL_BYTEA),
    SQL_ROW("sha224", sha224, SQL_BYTEA, SQL_BYTEA),
    SQL_ROW("sha256", sha256, SQL_BYTEA, SQL_BYTEA),
    SQL_ROW("sha384", sha384, SQL_BYTEA, SQL_BYTEA),
    SQL_ROW("sha512", sha512, SQL_BYTEA, SQL_BYTEA),
    {.name = NULL},
};
