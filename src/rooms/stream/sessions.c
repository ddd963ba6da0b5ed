/*
 * sessions.c - the sessions of the listener together (sessions.h): who comes, who goes, and what
 * SCRAM keeps of passwords.
 *
 * SCRAM's salt of a user is made of the node's own secret, so that it is the same each time he
 * asks: the keys of a password are then computed once, not at each connection, and strangers
 * cannot make the node compute. A user that does not exist has a salt, too, and is told of a wrong
 * password like everybody else.
 */
#include "rooms/stream/session.h"

#include "base/mem.h"
#include "base/password.h"
#include "io/crypto.h"

#include <errno.h>

#define LOOK_NS 20000000u  /* between two looks at sessions that say goodbye */
#define ACCEPTS_BESIDE 16u /* sessions beyond the bound that are there to be told so, or cancel */

struct kept_keys {
    struct scram_keys keys;
    char *user, *password;
    size_t password_len;
};

static void free_kept(struct kept_keys *kept) {
    mem_free(kept->user);
    mem_free(kept->password);
    mem_free(kept);
}

static void forget_keys(struct sessions *all) {
    const struct map_entry *entry;
    for (size_t at = 0; (entry = map_next(&all->keys, &at));)
        free_kept(entry->value);
    map_clear(&all->keys);
}

void sessions_scram_salt(const struct sessions *all, slice user,
                         unsigned char ret_salt[SCRAM_SALT_BYTES]) {
    unsigned char digest[32];
    io_hmac_sha256(slice_make(all->secret, sizeof all->secret), user, digest);
    memcpy(ret_salt, digest, SCRAM_SALT_BYTES);
}

static struct kept_keys *keep_keys(struct sessions *all, slice user, slice password) {
    struct kept_keys *kept = mem_zalloc(1, sizeof *kept);
    if (!kept)
        return NULL;
    kept->user = mem_copy(user.ptr, user.len);
    kept->password = mem_copy(password.ptr, password.len);
    kept->password_len = password.len;
    if (map_count(&all->keys) == SESSIONS_KEYS_MAX)
        forget_keys(all);
    if (!kept->user || !kept->password ||
        map_add(&all->keys, slice_make(kept->user, user.len), kept)) {
        free_kept(kept);
        return NULL;
    }
    unsigned char salt[SCRAM_SALT_BYTES];
    sessions_scram_salt(all, user, salt);
    scram_derive(password, salt, &kept->keys);
    return kept;
}

const struct scram_keys *sessions_scram_keys(struct sessions *all, slice user, slice password) {
    struct kept_keys *kept = map_find(&all->keys, user);
    if (kept && !password_equal(slice_make(kept->password, kept->password_len), password)) {
        map_remove(&all->keys, user);
        free_kept(kept);
        kept = NULL;
    }
    if (!kept)
        kept = keep_keys(all, user, password);
    return kept ? &kept->keys : NULL;
}

/* --- all of them ---------------------------------------------------------------------------- */

static int add_metrics(struct sessions *all) {
    static const struct metrics_family families[] = {
        {.name = "nonet_sql_sessions_total",
         .kind = METRICS_COUNTER,
         .help = "Connections to the listener sql."},
        {.name = "nonet_sql_refused_total",
         .kind = METRICS_COUNTER,
         .help = "Connections to the listener sql that did not log in."},
        {.name = "nonet_sql_statements_total",
         .kind = METRICS_COUNTER,
         .help = "SQL statements run for sessions."},
    };
    struct metric *handles[] = {&all->sessions_total, &all->refused_total, &all->statements_total};
    for (size_t i = 0; i < array_count(families); i++) {
        int failed = metrics_add_series(all->shard->node->metrics, &families[i], NULL, handles[i]);
        if (failed)
            return failed;
    }
    return 0;
}

int sessions_create(const struct sessions_options *options, struct sessions **ret) {
    struct sessions *all = mem_zalloc(1, sizeof *all);
    if (!all)
        return -ENOMEM;
    struct hash_key key;
    io_host_random(options->shard->node->host, &key, sizeof key);
    io_host_random(options->shard->node->host, all->secret, sizeof all->secret);
    all->shard = options->shard;
    all->db = options->db;
    all->sessions_max = options->sessions_max;
    all->keys = map_make(key, SESSIONS_KEYS_MAX);
    list_init(&all->all);
    const struct auth_worker_options logins = {.loop = options->shard->loop,
                                               .thread = "nonet-sql-login",
                                               .waiting_max = SESSIONS_LOGINS_WAITING_MAX};
    int failed = add_metrics(all);
    if (!failed)
        failed = auth_worker_new(&logins, &all->logins);
    if (failed) {
        mem_free(all);
        return failed;
    }
    all->auth = options->auth;
    all->tls = options->tls;
    *ret = all;
    return 0;
}

struct sessions *sessions_free(struct sessions *all) {
    if (!all)
        return NULL;
    struct list_node *at, *following;
    all->drained = NULL;
    io_timer_stop(all->shard->loop, &all->look);
    list_each(&all->all, at, following) session_drop(container_of(at, struct session, in_sessions));
    all->logins = auth_worker_free(all->logins);
    forget_keys(all);
    map_free(&all->keys);
    auth_unref(all->auth);
    io_tls_unref(all->tls);
    return mem_free(all);
}

void sessions_accept(struct sessions *all, struct io_stream *stream) {
    static const struct io_stream_events nobody = {0};
    metrics_count(all->shard->metrics, all->sessions_total, 1);
    if (all->draining || all->count >= all->sessions_max + ACCEPTS_BESIDE ||
        session_accept(all, stream)) {
        io_stream_set_events(stream, &nobody, NULL);
        io_stream_abort(stream);
        return;
    }
    all->count++;
}

/* Has each told its client goodbye? One whose client does not hang up is not waited for. */
static bool all_told(const struct sessions *all) {
    for (struct list_node *n = list_first(&all->all); n; n = list_next(&all->all, n)) {
        const struct session *s = container_of(n, struct session, in_sessions);
        if (s->state != SESSION_CLOSING || io_stream_pending(s->stream) > 0)
            return false;
    }
    return true;
}

static void look_drained(struct sessions *all);

static void on_look(struct io_timer *timer) {
    look_drained(container_of(timer, struct sessions, look));
}

static void look_drained(struct sessions *all) {
    if (!all->drained)
        return;
    if (!all_told(all)) {
        io_timer_start(all->shard->loop, &all->look, LOOK_NS, on_look);
        return;
    }
    void (*done)(void *) = all->drained;
    all->drained = NULL;
    done(all->drained_argument);
}

void sessions_left(struct sessions *all) {
    all->count--;
    look_drained(all);
}

void sessions_renew(struct sessions *all, struct auth *auth, struct io_tls *tls) {
    auth_unref(all->auth);
    io_tls_unref(all->tls);
    all->auth = auth;
    all->tls = tls;
    forget_keys(all);
    struct list_node *at, *following;
    list_each(&all->all, at, following) {
        struct session *s = container_of(at, struct session, in_sessions);
        const bool keeps =
            s->principal ? principal_still_in(s->principal, auth) : !auth_required(auth);
        if (s->state >= SESSION_SETTINGS && s->state != SESSION_CLOSING && !keeps)
            session_leave(s);
    }
}

void sessions_drain(struct sessions *all, void (*done)(void *argument), void *argument) {
    all->draining = true;
    all->drained = done;
    all->drained_argument = argument;
    struct list_node *at, *following;
    database_subscriptions_end(all->db);
    list_each(&all->all, at, following) {
        struct session *s = container_of(at, struct session, in_sessions);
        if (s->state != SESSION_CLOSING && !s->answer && s->ending != SESSION_ENDING)
            session_leave(s);
    }
    look_drained(all);
}

void sessions_cancel(struct sessions *all, uint32_t process, uint32_t secret) {
    struct list_node *at, *following;
    list_each(&all->all, at, following) {
        struct session *s = container_of(at, struct session, in_sessions);
        if (s->process == process && s->secret == secret && s->answer && s->answer->run)
            database_run_cancel(s->answer->run);
    }
}
