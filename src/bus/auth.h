/*
 * auth.h - who may connect, and which subjects they may use.
 *
 * An AUTH is an immutable set of users, made from the config, replaced whole on reload and shared
 * by all shards (counted). Checking a login gives a PRINCIPAL, counted too, that connections hold
 * for their life: it answers publish and subscribe questions without looking anything up.
 *
 * Rules, as nats-server's: deny wins over allow; no allow list means everything is allowed; an
 * empty auth (no users at all) lets everybody in with all rights. A subscription is allowed if its
 * subject is a subset of an allowed one and not a subset of a denied one; where it merely overlaps
 * a denied one it is allowed, and the denied subjects are filtered at delivery.
 *
 * Ways to log in: user and password (plain or bcrypt "$2a$..."), token, nkey (Ed25519 signature of
 * the nonce in INFO). JWT logins are refused. Secrets are compared in constant time.
 */
#ifndef NONET_BUS_AUTH_H
#define NONET_BUS_AUTH_H

#include "base/error.h"
#include "base/slice.h"

#define AUTH_USERS_MAX 10000u
#define AUTH_SUBJECTS_MAX 1024u /* in one allow or deny list */
#define AUTH_NONCE_SIZE 22u     /* characters, without closing NUL */

struct auth;
struct principal;

struct auth_subjects {
    const slice *subjects;
    unsigned count;
};

/* As configured; copied by auth_create. One of user, token, nkey names the way in. */
struct auth_user {
    slice user, password, token, nkey;
    struct auth_subjects publish_allow, publish_deny, subscribe_allow, subscribe_deny;
    bool limits_publish, limits_subscribe; /* an allow list was given (it may be empty) */
    /* It may answer requests that it has received whatever its lists say: RESPONSES_MAX times (0:
       without bound) within RESPONSES_NS. Its connection keeps the account. */
    bool may_respond;
    uint32_t responses_max;
    uint64_t responses_ns;
};

must_use int auth_create(const struct auth_user *users, unsigned count, struct auth **ret_auth,
                         struct error *ret_error);
struct auth *auth_ref(struct auth *auth);    /* any thread */
struct auth *auth_unref(struct auth *auth);  /* NULL allowed, returns NULL; any thread */
bool auth_required(const struct auth *auth); /* there are users */
/* Before AUTH is shared: who connects without a login is the user of this name. 0 or -ENOENT. */
must_use int auth_let_in_strangers(struct auth *auth, slice name);
/* That user, not counted; NULL: strangers are not let in. auth_check never takes one for another:
   whoever serves strangers asks here. */
struct principal *auth_stranger(const struct auth *auth);
bool auth_uses_nkeys(const struct auth *auth); /* INFO then carries a nonce */

struct auth_login {
    slice user, password, token, nkey, signature, jwt;
    slice nonce;
};
/* Judging this login means bcrypt, tens of milliseconds: not for a loop's own thread. */
bool auth_is_slow(const struct auth *auth, const struct auth_login *login);
/* 0 with a counted principal, -EACCES, or -ENOMEM. Any thread. */
must_use int auth_check(struct auth *auth, const struct auth_login *login,
                        struct principal **ret_principal);
/* The user of this name (or nkey), counted, without a login: for who is known in another way. NULL
   where there is none. Any thread; some compares, however many users there are. */
must_use struct principal *auth_principal_of(struct auth *auth, slice name);
/* The password of the user of this name as it is configured, plain or a bcrypt hash: for ways to
   log in that never show it. ptr NULL: no such user, or none of his. Valid as long as AUTH. */
slice auth_password_of(const struct auth *auth, slice name);
struct principal *principal_ref(struct principal *principal);
struct principal *principal_unref(struct principal *principal); /* NULL allowed, returns NULL */
slice principal_name(const struct principal *principal);        /* user, nkey, or "" */
/* Does AUTH (a newer one) still hold this user with the same secret and rights? */
bool principal_still_in(const struct principal *principal, struct auth *auth);

bool principal_unlimited(const struct principal *principal); /* no list at all: skip the checks */
bool principal_may_publish(const struct principal *principal, slice subject);
bool principal_may_subscribe(const struct principal *principal, slice subject, slice queue);
/* True where deliveries to this subscription must be filtered by principal_may_receive. */
bool principal_filters(const struct principal *principal, slice subject);
bool principal_may_receive(const struct principal *principal, slice subject);
/* The lists back, for $SYS.REQ.USER.INFO. */
struct auth_user principal_describe(const struct principal *principal);

#endif
