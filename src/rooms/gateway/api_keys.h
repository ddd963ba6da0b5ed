/*
 * api_keys.h - keys that clients send with each request, and what each of them may do.
 *
 *      key sent --SHA-256--> digest --map--> candidate --all of the digest, constant time--> key
 *
 * Whatever way the config gives a key, as its plain text or as "sha256:" and 64 hexadecimal digits,
 * only the digest is kept. One round of a fast hash is right for keys and wrong for passwords: a
 * key is made by a machine and cannot be guessed, and it comes with every request. Looking up by
 * digest tells an attacker nothing by its time, since he cannot choose digests; the comparison
 * that decides is in constant time all the same.
 *
 * A set is immutable and counted; a reload makes a new one. A key found lives as long as its set.
 */
#ifndef NONET_GATEWAY_API_KEYS_H
#define NONET_GATEWAY_API_KEYS_H

#include "base/error.h"
#include "base/hash.h"
#include "base/slice.h"

#define API_KEYS_MAX 100000u
#define API_KEY_BYTES_MAX 1024u /* of a key as sent */
#define API_KEY_NAME_MAX 256u
#define API_KEY_RIGHTS_MAX 256u
#define API_KEY_NEVER INT64_MAX

/* As configured; texts are copied. */
struct api_key_given {
    slice name;         /* the principal; several keys may share one, so that they can be rotated */
    slice secret;       /* plain, or "sha256:..." */
    int64_t expires_ns; /* wall time, or API_KEY_NEVER */
    const slice *rights;
    unsigned right_count;
};

struct api_key {
    slice name;
    int64_t expires_ns;
    const slice *rights; /* roles or scopes, as the config wrote them */
    unsigned right_count;
};

struct api_keys;

/* HASH_KEY is random. 0; -EINVAL or -EEXIST (a secret twice) with words about key *RET_NUMBER;
   -E2BIG; -ENOMEM. */
must_use int api_keys_create(struct hash_key hash_key, const struct api_key_given *keys,
                             unsigned count, struct api_keys **ret_set, unsigned *ret_number,
                             struct error *ret_error);
struct api_keys *api_keys_ref(struct api_keys *set);   /* any thread */
struct api_keys *api_keys_unref(struct api_keys *set); /* NULL allowed, returns NULL; any thread */
unsigned api_keys_count(const struct api_keys *set);

/* Any thread. 0; -EACCES: no such key; -EKEYEXPIRED: there was, until its expiry. */
must_use int api_keys_find(const struct api_keys *set, slice sent, int64_t now_ns,
                           const struct api_key **ret_key);
bool api_key_has_right(const struct api_key *key, slice right);

#endif
