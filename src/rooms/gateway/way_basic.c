/*
 * way_basic.c - user and password (RFC 7617) of the users of section auth.
 *
 *     sent --known?--> in                      the same pair was found good a while ago
 *       '--plain?--> compared now
 *       '--bcrypt--> waits for the loop's worker: one job for all requests with the same pair
 *
 * A bcrypt hash costs tens of milliseconds on purpose, and HTTP sends the password with each
 * request. So a pair found good is known for LOGIN_KNOWN_NS, by its HMAC under this start's secret,
 * and a page's twenty requests cost one computation. What is wrong is never remembered: each wrong
 * password costs one. That is bounded by the one worker, by a short line in front of it, and by the
 * share of the line that one client may have; who finds no place is told to come again (503).
 *
 * A reload drops those known whose user is gone or has other rights or another password.
 */
#include "base/base64.h"
#include "base/map.h"
#include "base/mem.h"
#include "bus/auth_job.h"
#include "io/crypto.h"
#include "rooms/gateway/auth_shard.h"
#include "rooms/gateway/limit.h"

#include <errno.h>

#define LOGIN_KNOWN_MAX 4096u
#define LOGIN_KNOWN_NS (300 * UINT64_C(1000000000))
#define LOGIN_JOBS_MAX 32u       /* waiting for the worker */
#define LOGIN_JOBS_CLIENT_MAX 8u /* of them, of one client */
#define LOGIN_BYTES_MAX 1024u    /* of user and password, in base64 */
#define DIGEST_SIZE 32u

struct known {
    unsigned char digest[DIGEST_SIZE];
    struct list_node node;
    struct principal *principal;
    uint64_t until_ns;
};

/* Tries with the same pair, that wait for it to be judged. */
struct login_wait {
    struct list_node node;
    struct login_desk *desk;
    struct list tries;
    const struct auth *auth; /* which users; the job counts it */
    struct auth_job *job;
    unsigned char digest[DIGEST_SIZE];
};

struct login_desk {
    struct gateway_shard *shard;
    struct auth_worker *worker;
    struct map known;
    struct list by_use; /* of known: the one used longest ago first */
    struct list waits;
};

/* --- known -------------------------------------------------------------------------------------
 */

static slice digest_slice(const unsigned char *digest) {
    return slice_make(digest, DIGEST_SIZE);
}

static void forget_known(struct login_desk *desk, struct known *known) {
    map_remove(&desk->known, digest_slice(known->digest));
    list_remove(&known->node);
    principal_unref(known->principal);
    mem_free(known);
}

static struct known *find_known(struct login_desk *desk, const unsigned char *digest) {
    struct known *known = map_find(&desk->known, digest_slice(digest));
    if (!known)
        return NULL;
    if (io_loop_now_ns(desk->shard->shard->loop) >= known->until_ns) {
        forget_known(desk, known);
        return NULL;
    }
    list_remove(&known->node);
    list_push_back(&desk->by_use, &known->node);
    return known;
}

/* Without memory it is asked for again. */
static void remember(struct login_desk *desk, const unsigned char *digest,
                     struct principal *principal) {
    struct known *known = map_find(&desk->known, digest_slice(digest));
    if (known)
        forget_known(desk, known);
    if (map_count(&desk->known) == LOGIN_KNOWN_MAX)
        forget_known(desk, container_of(list_first(&desk->by_use), struct known, node));
    known = mem_zalloc(1, sizeof *known);
    if (!known)
        return;
    memcpy(known->digest, digest, DIGEST_SIZE);
    if (map_add(&desk->known, digest_slice(known->digest), known)) {
        mem_free(known);
        return;
    }
    known->until_ns = io_loop_now_ns(desk->shard->shard->loop) + LOGIN_KNOWN_NS;
    known->principal = principal_ref(principal);
    list_push_back(&desk->by_use, &known->node);
}

/* --- judged ------------------------------------------------------------------------------------
 */

static enum way_verdict let_in(struct way_try *t, struct principal *principal) {
    enum way_verdict verdict = way_let_in(t, principal_name(principal), (slice){0});
    if (verdict == WAY_IN)
        t->x->rights = principal_ref(principal);
    return verdict;
}

static enum way_verdict refuse(struct way_try *t, int failed) {
    return failed == -ENOMEM
               ? way_refuse(t, WAY_UNAVAILABLE, "there is no memory to check your password")
               : way_refuse(t, WAY_REFUSED, "user and password do not fit");
}

/* --- off the loop ------------------------------------------------------------------------------
 */

static void wait_free(struct login_wait *wait) {
    list_remove(&wait->node);
    mem_free(wait);
}

static void decided(void *owner, const struct auth_login *login, int failed,
                    struct principal *principal) {
    struct login_wait *wait = owner;
    struct login_desk *desk = wait->desk;
    struct list_node *node;
    (void)login;
    list_remove(&wait->node); /* a try that goes now finds it so */
    list_node_init(&wait->node);
    wait->job = NULL;
    if (!failed && !principal_still_in(principal, desk->shard->auth))
        failed = -EACCES; /* a reload came between */
    if (!failed)
        remember(desk, wait->digest, principal);
    while ((node = list_pop_front(&wait->tries))) {
        struct way_try *t = container_of(node, struct way_try, node);
        way_decide(t, failed ? refuse(t, failed) : let_in(t, principal));
    }
    mem_free(wait);
}

static void forget(struct way_try *t) {
    struct login_wait *wait = t->state;
    list_remove(&t->node);
    if (!wait->job || !list_empty(&wait->tries))
        return;
    auth_job_forget(wait->job);
    wait_free(wait);
}

/* The wait for the same pair and the same users, or NULL. */
static struct login_wait *find_wait(const struct login_desk *desk, const unsigned char *digest) {
    struct list_node *node, *following;
    list_each(&desk->waits, node, following) {
        struct login_wait *wait = container_of(node, struct login_wait, node);
        if (memcmp(wait->digest, digest, DIGEST_SIZE) == 0 && wait->auth == desk->shard->auth)
            return wait;
    }
    return NULL;
}

/* 0, or as auth_worker_submit. */
static int begin_wait(struct login_desk *desk, const struct auth_login *login,
                      const unsigned char *digest, slice client, struct login_wait **ret_wait) {
    struct login_wait *wait = mem_zalloc(1, sizeof *wait);
    uint64_t who[2];
    if (!wait)
        return -ENOMEM;
    limit_client(client, who);
    struct auth_question question = {
        .auth = desk->shard->auth,
        .login = login,
        .who = hash_slice(&desk->shard->gateway->secrets[0], slice_make(who, sizeof who)),
        .decided = decided,
        .owner = wait};
    int failed = auth_worker_submit(desk->worker, &question, &wait->job);
    if (failed) {
        mem_free(wait);
        return failed;
    }
    wait->desk = desk;
    wait->auth = desk->shard->auth;
    memcpy(wait->digest, digest, DIGEST_SIZE);
    list_init(&wait->tries);
    list_push_back(&desk->waits, &wait->node);
    *ret_wait = wait;
    return 0;
}

static enum way_verdict judge_slowly(struct way_try *t, const struct auth_login *login,
                                     const unsigned char *digest) {
    struct login_desk *desk = t->x->shard->ways->logins;
    struct login_wait *wait = find_wait(desk, digest);
    int failed = wait ? 0 : begin_wait(desk, login, digest, t->x->client, &wait);
    if (failed == -EAGAIN)
        return way_refuse(t, WAY_UNAVAILABLE, "too many passwords wait to be checked");
    if (failed)
        return refuse(t, failed);
    list_push_back(&wait->tries, &t->node);
    t->state = wait;
    t->forget = forget;
    return WAY_LATER;
}

/* --- the way -----------------------------------------------------------------------------------
 */

/* "user:password" into the exchange's arena. Control bytes are refused (RFC 7617, 2). */
static int read_login(struct exchange *x, slice sent, slice *ret_pair,
                      struct auth_login *ret_login) {
    size_t len;
    if (sent.len > LOGIN_BYTES_MAX)
        return -EINVAL;
    char *text = arena_alloc(exchange_arena(x), base64_decoded_max(sent.len));
    if (!text)
        return -ENOMEM;
    if (base64_decode(BASE64_STANDARD, sent, text, base64_decoded_max(sent.len), &len))
        return -EINVAL;
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
            return -EINVAL;
    slice password;
    *ret_pair = slice_make(text, len);
    slice user = slice_cut(*ret_pair, ':', &password);
    if (!password.ptr || user.len == 0)
        return -EINVAL;
    *ret_login = (struct auth_login){.user = user, .password = password};
    return 0;
}

static enum way_verdict judge(struct way_try *t) {
    struct gateway_shard *shard = t->x->shard;
    struct principal *principal;
    struct auth_login login;
    unsigned char digest[DIGEST_SIZE];
    slice sent, pair;
    int failed = way_credentials(t->x, slice_lit("Authorization"), slice_lit("Basic"), &sent);
    if (failed == -ENOENT)
        return WAY_ABSENT;
    if (!failed)
        failed = read_login(t->x, sent, &pair, &login);
    if (failed || !auth_required(shard->auth)) /* without users there is nobody to let in */
        return refuse(t, failed);
    if (!auth_is_slow(shard->auth, &login)) {
        failed = auth_check(shard->auth, &login, &principal);
        if (failed)
            return refuse(t, failed);
        enum way_verdict verdict = let_in(t, principal);
        principal_unref(principal);
        return verdict;
    }
    const struct hash_key *secrets = shard->gateway->secrets;
    io_hmac_sha256(slice_make(secrets, 2 * sizeof *secrets), pair, digest);
    struct known *known = find_known(shard->ways->logins, digest);
    return known ? let_in(t, known->principal) : judge_slowly(t, &login, digest);
}

static int open_way(struct gateway_way *way, const struct way_opening *opening,
                    struct error *ret_error) {
    return arena_copy(opening->arena, opening->config->basic.realm, &way->basic.realm)
               ? error_set(ret_error, -ENOMEM, "no memory for a realm")
               : 0;
}

/* The text of a quoted-string, without control bytes, at most SIZE - 1 bytes of it. */
static const char *quote(slice text, char *out, size_t size) {
    size_t len = 0;
    for (size_t i = 0; i < text.len && len + 2 < size; i++) {
        char c = text.ptr[i];
        if (c == '"' || c == '\\')
            out[len++] = '\\';
        if ((unsigned char)c >= ' ' && c != 0x7f)
            out[len++] = c;
    }
    out[len] = '\0';
    return out;
}

static void challenge(struct exchange *x, const struct gateway_way *way, const char *why) {
    char realm[512];
    (void)why;
    exchange_print_field(x, "WWW-Authenticate", "Basic realm=\"%s\", charset=\"UTF-8\"",
                         quote(way->basic.realm, realm, sizeof realm));
}

const struct way_kind way_basic = {
    .open = open_way,
    .judge = judge,
    .challenge = challenge,
};

/* --- a loop ------------------------------------------------------------------------------------
 */

int login_desk_open(struct gateway_shard *shard, struct login_desk **ret_desk) {
    struct auth_worker_options options = {.loop = shard->shard->loop,
                                          .thread = "nonet-login",
                                          .waiting_max = LOGIN_JOBS_MAX,
                                          .waiting_of_one_max = LOGIN_JOBS_CLIENT_MAX};
    struct login_desk *desk = mem_zalloc(1, sizeof *desk);
    if (!desk)
        return -ENOMEM;
    desk->shard = shard;
    desk->known = map_make(shard->gateway->secrets[1], LOGIN_KNOWN_MAX);
    list_init(&desk->by_use);
    list_init(&desk->waits);
    int failed = auth_worker_new(&options, &desk->worker);
    if (failed)
        login_desk_close(desk);
    else
        *ret_desk = desk;
    return failed;
}

void login_desk_renew(struct login_desk *desk) {
    struct list_node *node, *following;
    list_each(&desk->by_use, node, following) {
        struct known *known = container_of(node, struct known, node);
        if (!principal_still_in(known->principal, desk->shard->auth))
            forget_known(desk, known);
    }
}

struct login_desk *login_desk_close(struct login_desk *desk) {
    if (!desk)
        return NULL;
    auth_worker_free(desk->worker); /* nobody waits any more: its jobs end at once */
    check(list_empty(&desk->waits));
    struct list_node *node;
    while ((node = list_first(&desk->by_use)))
        forget_known(desk, container_of(node, struct known, node));
    map_free(&desk->known);
    return mem_free(desk);
}
