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
#include "io/crypto.h"
#include "io/file.h"
#include "rooms/gateway/auth_shard.h"
#include "rooms/gateway/limit.h"

#include <errno.h>
#include <stdatomic.h>

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

struct login_job {
    struct io_job job;
    struct list_node node;
    struct login_desk *desk;
    struct list tries; /* that wait for it */
    struct auth *auth;
    struct auth_login login; /* slices into text */
    struct principal *principal;
    int failed;
    _Atomic(bool) unwanted; /* all who waited have gone */
    unsigned char digest[DIGEST_SIZE];
    uint64_t client; /* hash of who asks (limit_client) */
    size_t text_len;
    char text[];
};

struct login_desk {
    struct gateway_shard *shard;
    struct io_worker *worker; /* made by the first login that needs it */
    struct map known;
    struct list by_use; /* of known: the one used longest ago first */
    struct list jobs;
    unsigned job_count;
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

static void run(struct io_job *job) {
    struct login_job *login = container_of(job, struct login_job, job);
    login->failed = atomic_load(&login->unwanted)
                        ? -ECANCELED
                        : auth_check(login->auth, &login->login, &login->principal);
}

static void job_free(struct login_job *login) {
    principal_unref(login->principal);
    auth_unref(login->auth);
    explicit_bzero(login->text, login->text_len);
    mem_free(login);
}

static void done(struct io_job *job) {
    struct login_job *login = container_of(job, struct login_job, job);
    struct login_desk *desk = login->desk;
    struct list_node *node;
    list_remove(&login->node);
    desk->job_count--;
    if (!login->failed && !principal_still_in(login->principal, desk->shard->auth))
        login->failed = -EACCES; /* a reload came between */
    if (!login->failed)
        remember(desk, login->digest, login->principal);
    while ((node = list_pop_front(&login->tries))) {
        struct way_try *t = container_of(node, struct way_try, node);
        way_decide(t, login->failed ? refuse(t, login->failed) : let_in(t, login->principal));
    }
    job_free(login);
}

static void forget(struct way_try *t) {
    struct login_job *login = t->state;
    list_remove(&t->node);
    if (list_empty(&login->tries))
        atomic_store(&login->unwanted, true);
}

static slice put(char **at, slice text) {
    slice copy = slice_make(*at, text.len);
    memcpy(*at, text.ptr, text.len);
    *at += text.len;
    return copy;
}

static struct login_job *job_new(struct login_desk *desk, const struct auth_login *from,
                                 const unsigned char *digest) {
    size_t size = from->user.len + from->password.len;
    struct login_job *login = mem_zalloc(1, sizeof *login + size);
    if (!login)
        return NULL;
    char *at = login->text;
    login->job.run = run;
    login->job.done = done;
    login->desk = desk;
    login->auth = auth_ref(desk->shard->auth);
    login->text_len = size;
    login->login.user = put(&at, from->user);
    login->login.password = put(&at, from->password);
    memcpy(login->digest, digest, DIGEST_SIZE);
    list_init(&login->tries);
    list_node_init(&login->node);
    return login;
}

/* The job for the same pair, or NULL; *RET_OF_CLIENT: how many are CLIENT's. */
static struct login_job *find_job(struct login_desk *desk, const unsigned char *digest,
                                  uint64_t client, unsigned *ret_of_client) {
    struct list_node *node, *following;
    unsigned of_client = 0;
    list_each(&desk->jobs, node, following) {
        struct login_job *login = container_of(node, struct login_job, node);
        bool same = memcmp(login->digest, digest, DIGEST_SIZE) == 0;
        if (same && !atomic_load(&login->unwanted) && login->auth == desk->shard->auth)
            return login;
        of_client += login->client == client;
    }
    *ret_of_client = of_client;
    return NULL;
}

static struct login_job *submit(struct login_desk *desk, const struct auth_login *from,
                                const unsigned char *digest, uint64_t client) {
    if (!desk->worker && io_worker_create(desk->shard->shard->loop, "nonet-login", &desk->worker))
        return NULL;
    struct login_job *login = job_new(desk, from, digest);
    if (!login)
        return NULL;
    login->client = client;
    if (io_worker_submit(desk->worker, &login->job)) {
        job_free(login);
        return NULL;
    }
    list_push_back(&desk->jobs, &login->node);
    desk->job_count++;
    return login;
}

static enum way_verdict judge_slowly(struct way_try *t, const struct auth_login *from,
                                     const unsigned char *digest) {
    struct login_desk *desk = t->x->shard->ways->logins;
    uint64_t who[2], client;
    unsigned of_client = 0;
    limit_client(t->x->client, who);
    client = hash_slice(&desk->shard->gateway->secrets[0], slice_make(who, sizeof who));
    struct login_job *login = find_job(desk, digest, client, &of_client);
    if (!login && (desk->job_count >= LOGIN_JOBS_MAX || of_client >= LOGIN_JOBS_CLIENT_MAX))
        return way_refuse(t, WAY_UNAVAILABLE, "too many passwords wait to be checked");
    if (!login)
        login = submit(desk, from, digest, client);
    if (!login)
        return refuse(t, -ENOMEM);
    list_push_back(&login->tries, &t->node);
    t->state = login;
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
    struct login_desk *desk = mem_zalloc(1, sizeof *desk);
    if (!desk)
        return -ENOMEM;
    desk->shard = shard;
    desk->known = map_make(shard->gateway->secrets[1], LOGIN_KNOWN_MAX);
    list_init(&desk->by_use);
    list_init(&desk->jobs);
    *ret_desk = desk;
    return 0;
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
    io_worker_free(desk->worker); /* nobody waits any more: its jobs end at once */
    check(list_empty(&desk->jobs));
    struct list_node *node;
    while ((node = list_first(&desk->by_use)))
        forget_known(desk, container_of(node, struct known, node));
    map_free(&desk->known);
    return mem_free(desk);
}
