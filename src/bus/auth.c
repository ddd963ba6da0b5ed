/*
 * auth.c - users and their rights (auth.h).
 *
 * One block of memory holds a user with its lists; a principal is a counted pointer to a user and
 * keeps its auth alive, so a reload cannot pull rights from under a connection. Counts are atomic
 * because connections of several shards share a set.
 *
 * Without users every login gets the one "anybody" principal, which has no lists.
 */
#include "bus/auth.h"

#include "base/base32.h"
#include "base/base64.h"
#include "base/crc16.h"
#include "base/mem.h"
#include "base/password.h"
#include "io/crypto.h"
#include "wire/nats_subject.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#define NKEY_LEN 56   /* characters of an encoded key */
#define NKEY_BYTES 35 /* prefix, 32 of key, crc16 */
#define NKEY_USER_PREFIX (20 << 3)

struct rights {
    slice *subjects;
    unsigned count;
};

struct principal {
    struct auth *auth;
    slice user, password, token, nkey;
    unsigned char public_key[32];
    struct rights publish_allow, publish_deny, subscribe_allow, subscribe_deny;
    bool limits_publish, limits_subscribe, may_respond;
    uint32_t responses_max;
    uint64_t responses_ns;
};

struct auth {
    atomic_uint refs;
    unsigned count;
    bool uses_nkeys;
    struct principal anybody;
    struct principal *stranger; /* one of users, or NULL */
    struct principal **by_name; /* those that have one, in its order */
    unsigned named_count;
    struct principal users[];
};

static int copy_slice(slice from, slice *to) {
    *to = (slice){0};
    if (!from.len)
        return 0;
    char *copy = mem_copy(from.ptr, from.len);
    if (!copy)
        return -ENOMEM;
    *to = slice_make(copy, from.len);
    return 0;
}

static int copy_rights(const struct auth_subjects *from, struct rights *to) {
    if (!from->count)
        return 0;
    to->subjects = mem_zalloc(from->count, sizeof *to->subjects);
    if (!to->subjects)
        return -ENOMEM;
    for (; to->count < from->count; to->count++)
        if (copy_slice(from->subjects[to->count], &to->subjects[to->count]))
            return -ENOMEM;
    return 0;
}

/* A user's public key "U...": base32 of prefix, key and little-endian CRC-16. */
static int decode_nkey(slice text, unsigned char ret_key[32]) {
    unsigned char bytes[NKEY_BYTES];
    size_t len;
    if (text.len != NKEY_LEN || base32_decode(text, bytes, sizeof bytes, &len) ||
        len != NKEY_BYTES || bytes[0] != NKEY_USER_PREFIX)
        return -EINVAL;
    unsigned crc = crc16_update(0, bytes, NKEY_BYTES - 2);
    if (bytes[NKEY_BYTES - 2] != (crc & 0xff) || bytes[NKEY_BYTES - 1] != crc >> 8)
        return -EINVAL;
    memcpy(ret_key, bytes + 1, 32);
    return 0;
}

static int fill_user(struct principal *p, const struct auth_user *from, struct error *ret_error) {
    p->limits_publish = from->limits_publish;
    p->limits_subscribe = from->limits_subscribe;
    p->may_respond = from->may_respond;
    p->responses_max = from->responses_max;
    p->responses_ns = from->responses_ns;
    if (copy_slice(from->user, &p->user) || copy_slice(from->password, &p->password) ||
        copy_slice(from->token, &p->token) || copy_slice(from->nkey, &p->nkey) ||
        copy_rights(&from->publish_allow, &p->publish_allow) ||
        copy_rights(&from->publish_deny, &p->publish_deny) ||
        copy_rights(&from->subscribe_allow, &p->subscribe_allow) ||
        copy_rights(&from->subscribe_deny, &p->subscribe_deny))
        return error_set(ret_error, -ENOMEM, "no memory for the users");
    if (p->nkey.len && decode_nkey(p->nkey, p->public_key)) {
        error_set(ret_error, -EINVAL, "'%.*s' is not the public nkey of a user",
                  slice_fmt(p->nkey));
        error_hint(ret_error, "it has 56 characters and begins with U");
        return -EINVAL;
    }
    return 0;
}

static void free_rights(struct rights *rights) {
    for (unsigned i = 0; i < rights->count; i++)
        mem_free((char *)rights->subjects[i].ptr);
    mem_free(rights->subjects);
}

static void free_user(struct principal *p) {
    mem_free((char *)p->user.ptr);
    mem_free((char *)p->password.ptr);
    mem_free((char *)p->token.ptr);
    mem_free((char *)p->nkey.ptr);
    free_rights(&p->publish_allow);
    free_rights(&p->publish_deny);
    free_rights(&p->subscribe_allow);
    free_rights(&p->subscribe_deny);
}

static int compare_names(const void *a, const void *b) {
    return slice_compare(principal_name(*(struct principal *const *)a),
                         principal_name(*(struct principal *const *)b));
}

static int sort_names(struct auth *auth, struct error *ret_error) {
    auth->by_name = mem_zalloc(auth->count, sizeof *auth->by_name);
    if (!auth->by_name)
        return error_set(ret_error, -ENOMEM, "no memory for the names of users");
    for (unsigned i = 0; i < auth->count; i++)
        if (principal_name(&auth->users[i]).len)
            auth->by_name[auth->named_count++] = &auth->users[i];
    qsort(auth->by_name, auth->named_count, sizeof *auth->by_name, compare_names);
    return 0;
}

int auth_create(const struct auth_user *users, unsigned count, struct auth **ret_auth,
                struct error *ret_error) {
    if (count > AUTH_USERS_MAX)
        return error_set(ret_error, -ENOBUFS, "more than %u users", AUTH_USERS_MAX);
    struct auth *auth = mem_zalloc(1, sizeof *auth + count * sizeof auth->users[0]);
    if (!auth)
        return error_set(ret_error, -ENOMEM, "no memory for %u users", count);
    atomic_init(&auth->refs, 1);
    auth->anybody.auth = auth;
    for (unsigned i = 0; i < count; i++) {
        struct principal *p = &auth->users[i];
        p->auth = auth;
        auth->count = i + 1;
        int failed = fill_user(p, &users[i], ret_error);
        if (failed) {
            auth_unref(auth);
            return failed;
        }
        auth->uses_nkeys |= p->nkey.len > 0;
    }
    int failed = sort_names(auth, ret_error);
    if (failed)
        auth_unref(auth);
    else
        *ret_auth = auth;
    return failed;
}

struct auth *auth_ref(struct auth *auth) {
    atomic_fetch_add_explicit(&auth->refs, 1, memory_order_relaxed);
    return auth;
}

struct auth *auth_unref(struct auth *auth) {
    if (!auth || atomic_fetch_sub_explicit(&auth->refs, 1, memory_order_acq_rel) != 1)
        return NULL;
    for (unsigned i = 0; i < auth->count; i++)
        free_user(&auth->users[i]);
    mem_free(auth->by_name);
    return mem_free(auth);
}

bool auth_required(const struct auth *auth) {
    return auth->count > 0;
}

int auth_let_in_strangers(struct auth *auth, slice name) {
    for (unsigned i = 0; i < auth->count; i++)
        if (name.len && slice_equal(principal_name(&auth->users[i]), name)) {
            auth->stranger = &auth->users[i];
            return 0;
        }
    return -ENOENT;
}

struct principal *auth_stranger(const struct auth *auth) {
    return auth->stranger;
}

bool auth_uses_nkeys(const struct auth *auth) {
    return auth->uses_nkeys;
}

/* --- logging in --------------------------------------------------------------------------- */

static bool signature_holds(const struct principal *p, const struct auth_login *login) {
    unsigned char signature[64 + 2];
    size_t len;
    /* Clients encode with or without padding, in the URL's alphabet or the standard one. */
    static const enum base64_form forms[] = {BASE64_URL_RAW, BASE64_URL, BASE64_STANDARD_RAW,
                                             BASE64_STANDARD};
    for (size_t i = 0; i < array_count(forms); i++)
        if (base64_decode(forms[i], login->signature, signature, sizeof signature, &len) == 0)
            return len == 64 &&
                   io_ed25519_verify(p->public_key, login->nonce, slice_make(signature, len));
    return false;
}

static bool password_holds(slice secret, slice given) {
    return password_is_bcrypt(secret) ? password_verify(given, secret) == 0
                                      : password_equal(secret, given);
}

static bool is_user(const struct principal *p, const struct auth_login *login) {
    if (p->nkey.len)
        return slice_equal(p->nkey, login->nkey) && signature_holds(p, login);
    if (p->token.len)
        return login->token.len && password_holds(p->token, login->token);
    return p->user.len && slice_equal(p->user, login->user) &&
           password_holds(p->password, login->password);
}

bool auth_is_slow(const struct auth *auth, const struct auth_login *login) {
    for (unsigned i = 0; i < auth->count; i++) {
        const struct principal *p = &auth->users[i];
        if (p->token.len ? login->token.len && password_is_bcrypt(p->token)
                         : p->user.len && slice_equal(p->user, login->user) &&
                               password_is_bcrypt(p->password))
            return true;
    }
    return false;
}

int auth_check(struct auth *auth, const struct auth_login *login,
               struct principal **ret_principal) {
    struct principal *found = auth->count ? NULL : &auth->anybody;
    for (unsigned i = 0; i < auth->count && !found; i++)
        if (is_user(&auth->users[i], login))
            found = &auth->users[i];
    if (!found)
        return -EACCES;
    *ret_principal = principal_ref(found);
    return 0;
}

static struct principal *find_named(const struct auth *auth, slice name) {
    unsigned from = 0, end = auth->named_count;
    while (from < end) {
        unsigned middle = from + (end - from) / 2;
        int order = slice_compare(name, principal_name(auth->by_name[middle]));
        if (order == 0)
            return auth->by_name[middle];
        if (order < 0)
            end = middle;
        else
            from = middle + 1;
    }
    return NULL;
}

struct principal *auth_principal_of(struct auth *auth, slice name) {
    struct principal *p = find_named(auth, name);
    return p ? principal_ref(p) : NULL;
}

slice auth_password_of(const struct auth *auth, slice name) {
    const struct principal *p = find_named(auth, name);
    return p && p->password.len ? p->password : (slice){NULL, 0};
}

struct principal *principal_ref(struct principal *p) {
    auth_ref(p->auth);
    return p;
}

struct principal *principal_unref(struct principal *p) {
    if (p)
        auth_unref(p->auth);
    return NULL;
}

slice principal_name(const struct principal *p) {
    return p->user.len ? p->user : p->nkey;
}

static bool same_rights(const struct rights *a, const struct rights *b) {
    if (a->count != b->count)
        return false;
    for (unsigned i = 0; i < a->count; i++)
        if (!slice_equal(a->subjects[i], b->subjects[i]))
            return false;
    return true;
}

static bool same_user(const struct principal *a, const struct principal *b) {
    return slice_equal(a->user, b->user) && slice_equal(a->password, b->password) &&
           slice_equal(a->token, b->token) && slice_equal(a->nkey, b->nkey) &&
           a->limits_publish == b->limits_publish && a->limits_subscribe == b->limits_subscribe &&
           a->may_respond == b->may_respond && a->responses_max == b->responses_max &&
           a->responses_ns == b->responses_ns &&
           same_rights(&a->publish_allow, &b->publish_allow) &&
           same_rights(&a->publish_deny, &b->publish_deny) &&
           same_rights(&a->subscribe_allow, &b->subscribe_allow) &&
           same_rights(&a->subscribe_deny, &b->subscribe_deny);
}

bool principal_still_in(const struct principal *p, struct auth *auth) {
    if (p == &p->auth->anybody)
        return !auth_required(auth);
    for (unsigned i = 0; i < auth->count; i++)
        if (same_user(p, &auth->users[i]))
            return true;
    return false;
}

/* --- rights ------------------------------------------------------------------------------- */

static bool matches_any(const struct rights *rights, slice subject) {
    for (unsigned i = 0; i < rights->count; i++)
        if (nats_subject_match(subject, rights->subjects[i]))
            return true;
    return false;
}

static bool inside_any(const struct rights *rights, slice subject) {
    for (unsigned i = 0; i < rights->count; i++)
        if (nats_subject_is_subset(subject, rights->subjects[i]))
            return true;
    return false;
}

/* A right may name the queue too, as "subject queue"; without one it holds for every queue. */
static bool inside_any_queue(const struct rights *rights, slice subject, slice queue) {
    for (unsigned i = 0; i < rights->count; i++) {
        slice wanted_queue;
        slice pattern = slice_cut(rights->subjects[i], ' ', &wanted_queue);
        if (!nats_subject_is_subset(subject, pattern))
            continue;
        wanted_queue = slice_trim(wanted_queue);
        if (!wanted_queue.len || (queue.len && nats_subject_match(queue, wanted_queue)))
            return true;
    }
    return false;
}

bool principal_unlimited(const struct principal *p) {
    return !p->limits_publish && !p->limits_subscribe && !p->publish_deny.count &&
           !p->subscribe_deny.count;
}

bool principal_may_publish(const struct principal *p, slice subject) {
    if (p->limits_publish && !matches_any(&p->publish_allow, subject))
        return false;
    return !matches_any(&p->publish_deny, subject);
}

bool principal_may_subscribe(const struct principal *p, slice subject, slice queue) {
    if (p->limits_subscribe && !inside_any_queue(&p->subscribe_allow, subject, queue))
        return false;
    return !inside_any_queue(&p->subscribe_deny, subject, queue);
}

bool principal_filters(const struct principal *p, slice subject) {
    for (unsigned i = 0; i < p->subscribe_deny.count; i++)
        if (nats_subject_overlap(subject, p->subscribe_deny.subjects[i]))
            return !inside_any(&p->subscribe_deny, subject);
    return false;
}

bool principal_may_receive(const struct principal *p, slice subject) {
    return !matches_any(&p->subscribe_deny, subject);
}

static struct auth_subjects describe(const struct rights *rights) {
    return (struct auth_subjects){rights->subjects, rights->count};
}

struct auth_user principal_describe(const struct principal *p) {
    return (struct auth_user){
        .user = p->user,
        .nkey = p->nkey,
        .publish_allow = describe(&p->publish_allow),
        .publish_deny = describe(&p->publish_deny),
        .subscribe_allow = describe(&p->subscribe_allow),
        .subscribe_deny = describe(&p->subscribe_deny),
        .limits_publish = p->limits_publish,
        .limits_subscribe = p->limits_subscribe,
        .may_respond = p->may_respond,
        .responses_max = p->responses_max,
        .responses_ns = p->responses_ns,
    };
}
