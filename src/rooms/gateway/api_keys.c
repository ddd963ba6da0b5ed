/*
 * api_keys.c - the set of API keys (api_keys.h).
 *
 * The map's key is the first half of the digest: that is enough to be unique, and leaves the other
 * half out of what the map compares byte by byte. Texts of a set lie in one arena.
 */
#include "rooms/gateway/api_keys.h"

#include "base/arena.h"
#include "base/hex.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/password.h"
#include "io/crypto.h"

#include <errno.h>
#include <stdatomic.h>

#define DIGEST_BYTES 32u
#define FINDER_BYTES 16u
#define TEXT_BYTES_MAX ((size_t)64 << 20) /* of all names and rights of a set */

struct entry {
    struct api_key key;
    unsigned char digest[DIGEST_BYTES];
};

struct api_keys {
    atomic_uint refs;
    struct map by_digest;
    struct arena texts;
    unsigned count;
    struct entry entries[];
};

static slice finder_of(const unsigned char digest[DIGEST_BYTES]) {
    return slice_make(digest, FINDER_BYTES);
}

struct api_keys *api_keys_ref(struct api_keys *set) {
    atomic_fetch_add_explicit(&set->refs, 1, memory_order_relaxed);
    return set;
}

struct api_keys *api_keys_unref(struct api_keys *set) {
    if (!set || atomic_fetch_sub_explicit(&set->refs, 1, memory_order_acq_rel) != 1)
        return NULL;
    map_free(&set->by_digest);
    arena_free(&set->texts);
    return mem_free(set);
}

unsigned api_keys_count(const struct api_keys *set) {
    return set->count;
}

/* The digest of a secret as the config writes it. */
static int read_digest(slice secret, unsigned char digest[DIGEST_BYTES], struct error *ret_error) {
    slice prefix = slice_lit("sha256:");
    size_t len;
    if (!slice_starts_with(secret, prefix)) {
        if (!secret.len || secret.len > API_KEY_BYTES_MAX)
            return error_set(ret_error, -EINVAL, "a key has 1 to %u bytes", API_KEY_BYTES_MAX);
        io_sha256(secret, digest);
        return 0;
    }
    slice digits = slice_skip(secret, prefix.len);
    if (hex_decode(digits, digest, DIGEST_BYTES, &len) || len != DIGEST_BYTES) {
        error_set(ret_error, -EINVAL, "behind 'sha256:' stand 64 hexadecimal digits");
        error_hint(ret_error, "printf %%s KEY | sha256sum");
        return -EINVAL;
    }
    return 0;
}

static int copy_rights(struct api_keys *set, const struct api_key_given *given,
                       struct api_key *key) {
    slice *rights = arena_zalloc(&set->texts, given->right_count, sizeof *rights);
    if (!rights)
        return -ENOMEM;
    for (unsigned i = 0; i < given->right_count; i++)
        if (arena_copy(&set->texts, given->rights[i], &rights[i]))
            return -ENOMEM;
    key->rights = rights;
    key->right_count = given->right_count;
    return 0;
}

static int add_key(struct api_keys *set, const struct api_key_given *given,
                   struct error *ret_error) {
    struct entry *e = &set->entries[set->count];
    if (!given->name.len || given->name.len > API_KEY_NAME_MAX)
        return error_set(ret_error, -EINVAL, "the name of a key has 1 to %u bytes",
                         API_KEY_NAME_MAX);
    if (given->right_count > API_KEY_RIGHTS_MAX)
        return error_set(ret_error, -EINVAL, "more than %u rights", API_KEY_RIGHTS_MAX);
    int failed = read_digest(given->secret, e->digest, ret_error);
    if (failed)
        return failed;
    e->key.expires_ns = given->expires_ns;
    failed = arena_copy(&set->texts, given->name, &e->key.name);
    if (!failed)
        failed = copy_rights(set, given, &e->key);
    if (!failed)
        failed = map_add(&set->by_digest, finder_of(e->digest), e);
    if (failed == -EEXIST)
        return error_set(ret_error, -EEXIST, "the same key is given twice");
    if (failed)
        return error_set(ret_error, failed, "no memory for the API keys");
    set->count++;
    return 0;
}

int api_keys_create(struct hash_key hash_key, const struct api_key_given *keys, unsigned count,
                    struct api_keys **ret_set, unsigned *ret_number, struct error *ret_error) {
    *ret_number = 0;
    if (count > API_KEYS_MAX)
        return error_set(ret_error, -E2BIG, "more than %u API keys", API_KEYS_MAX);
    struct api_keys *set = mem_zalloc(1, sizeof *set + count * sizeof set->entries[0]);
    if (!set)
        return error_set(ret_error, -ENOMEM, "no memory for %u API keys", count);
    atomic_init(&set->refs, 1);
    set->by_digest = map_make(hash_key, API_KEYS_MAX);
    set->texts = arena_make(0, TEXT_BYTES_MAX);
    for (unsigned i = 0; i < count; i++) {
        int failed = add_key(set, &keys[i], ret_error);
        if (failed) {
            *ret_number = i;
            api_keys_unref(set);
            return failed;
        }
    }
    *ret_set = set;
    return 0;
}

int api_keys_find(const struct api_keys *set, slice sent, int64_t now_ns,
                  const struct api_key **ret_key) {
    unsigned char digest[DIGEST_BYTES];
    if (!sent.len || sent.len > API_KEY_BYTES_MAX)
        return -EACCES;
    io_sha256(sent, digest);
    const struct entry *e = map_find(&set->by_digest, finder_of(digest));
    if (!e ||
        !password_equal(slice_make(digest, DIGEST_BYTES), slice_make(e->digest, DIGEST_BYTES)))
        return -EACCES;
    if (e->key.expires_ns <= now_ns)
        return -EKEYEXPIRED;
    *ret_key = &e->key;
    return 0;
}

bool api_key_has_right(const struct api_key *key, slice right) {
    for (unsigned i = 0; i < key->right_count; i++)
        if (slice_equal(key->rights[i], right))
            return true;
    return false;
}
