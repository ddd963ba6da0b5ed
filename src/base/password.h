/*
 * password.h - checking what a user says against what the configuration holds.
 *
 * Configurations hold bcrypt ($2a$, $2b$, $2y$, as nats-server and htpasswd write it) or, for
 * tokens and small set-ups, the plain secret. bcrypt is slow on purpose (tens of milliseconds at
 * cost 10): call password_verify on a worker thread, never on a loop. Plain secrets are compared
 * in a time that tells nothing about where they differ.
 */
#ifndef NONET_BASE_PASSWORD_H
#define NONET_BASE_PASSWORD_H

#include "base/check.h"
#include "base/slice.h"

#define PASSWORD_MAX 72 /* bytes bcrypt looks at; a longer password never matches */
#define PASSWORD_SALT_SIZE 16
#define PASSWORD_HASH_SIZE 64 /* a bcrypt text (60 characters) and its NUL fit */
#define PASSWORD_COST_MIN 4
#define PASSWORD_COST_MAX 31

/* Is HASH written as a bcrypt hash? */
bool password_is_bcrypt(slice hash);

/* The cost in a bcrypt hash: 2^cost rounds. -EINVAL where HASH is none. */
int password_cost(slice hash);

/* Does PASSWORD belong to the bcrypt HASH? 0 yes, -EACCES no (also where it is longer than
   PASSWORD_MAX or holds a NUL), -EINVAL where HASH is no bcrypt hash, -ENOMEM. Slow. */
must_use int password_verify(slice password, slice hash);

/* Makes a $2b$ hash with SALT (random, from io) and a cost of PASSWORD_COST_MIN..MAX. Slow. 0,
   -EINVAL (empty, too long, a NUL inside, cost out of range) or -ENOMEM. */
must_use int password_hash(slice password, int cost, const uint8_t salt[PASSWORD_SALT_SIZE],
                           char ret_hash[PASSWORD_HASH_SIZE]);

/* Are the two secrets equal? The time depends only on their lengths. */
bool password_equal(slice a, slice b);

#endif
