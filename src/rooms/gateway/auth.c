/*
 * auth.c - the step that asks who is there: the ways of a route, one after the other, and the
 * answer where none lets the request in (ways.h).
 *
 * Any one way that lets it in does; the ways are asked in the order of the config. Where none does,
 * the answer is the most telling word that was said: another service's own answer, else 503 (what
 * was sent could not be judged now), 403 (it is good, but not enough), else 401, with a challenge
 * for each way that has one. Where no way has one, as with certificates, it is 403: there is
 * nothing that the client could send in its next request. A client that was refused too often is
 * not judged at all: 429 (auth_guard.h).
 *
 * What a gateway believes must come from the gateway. So the fields that a deciding service may
 * set, and those that carry API keys, are taken out of what goes on where they come from the
 * client. Authorization and cookies go on, as they do with other proxies: what is behind may want
 * them, too; request_headers.remove keeps them back.
 */
#include "rooms/gateway/auth.h"

#include "base/mem.h"
#include "rooms/gateway/auth_shard.h"
#include "wire/url.h"

#include <errno.h>

#define KEY_BYTES_MAX 1024u /* of an argument's name, escapes and all */
#define AUTHORIZATION slice_lit("Authorization")

/* --- what was sent -----------------------------------------------------------------------------
 */

int way_field(const struct exchange *x, slice name, slice *ret_value) {
    size_t count;
    unsigned found = 0;
    const struct http1_field *fields = http_request_fields(x->request, &count);
    for (size_t i = 0; i < count; i++) {
        if (!slice_equal_nocase(fields[i].name, name))
            continue;
        if (++found == 1)
            *ret_value = fields[i].value;
    }
    return found == 1 ? 0 : found ? -EINVAL : -ENOENT;
}

int way_credentials(const struct exchange *x, slice name, slice scheme, slice *ret_credentials) {
    slice value;
    int failed = way_field(x, name, &value);
    if (failed)
        return failed;
    if (!slice_equal_nocase(name, AUTHORIZATION)) {
        *ret_credentials = value;
        return 0;
    }
    if (!http1_cut_scheme(&value, scheme))
        return -ENOENT; /* of another way */
    *ret_credentials = value;
    return 0;
}

bool gateway_auth_hides(const struct gateway_route *route, slice key) {
    char name[KEY_BYTES_MAX];
    size_t len;
    for (unsigned i = 0; i < route->way_count; i++) {
        const struct gateway_way *way = &route->table->ways->items[route->ways[i]];
        if (way->kind != &way_api_keys || way->keys.query.len == 0)
            continue;
        if (key.len > sizeof name || url_decode(key, true, name, &len) ||
            slice_equal(slice_make(name, len), way->keys.query))
            return true; /* what cannot be told is hidden, too */
    }
    return false;
}

/* --- let in ------------------------------------------------------------------------------------
 */

static unsigned onward_max(const struct gateway_route *route) {
    const struct gateway_ways *ways = route->table->ways;
    unsigned max = 0;
    for (unsigned i = 0; i < route->way_count; i++) {
        const struct gateway_way *way = &ways->items[route->ways[i]];
        max += way->kind == &way_forward ? way->forward.taken_count + 1 : 1;
    }
    return max;
}

int way_set_onward(struct exchange *x, slice name, slice value) {
    if (!x->onward)
        x->onward = arena_zalloc(exchange_arena(x), onward_max(x->route), sizeof *x->onward);
    if (!x->onward)
        return -ENOMEM;
    for (unsigned i = 0; i < x->onward_count; i++)
        if (slice_equal_nocase(x->onward[i].name, name))
            return 0;
    check(x->onward_count < onward_max(x->route));
    x->onward[x->onward_count++] = (struct http1_field){name, value};
    return 0;
}

static int take_out(struct exchange *x, slice name) {
    slice value;
    return http_request_field(x->request, name, &value) ? way_set_onward(x, name, (slice){0}) : 0;
}

/* What the client must not say in the gateway's place. */
static int take_out_all(struct exchange *x) {
    const struct gateway_ways *ways = x->route->table->ways;
    int failed = 0;
    for (unsigned i = 0; i < x->route->way_count && !failed; i++) {
        const struct gateway_way *way = &ways->items[x->route->ways[i]];
        if (way->kind == &way_api_keys && !slice_equal_nocase(way->keys.header, AUTHORIZATION))
            failed = take_out(x, way->keys.header);
        if (way->kind != &way_forward)
            continue;
        for (unsigned k = 0; k < way->forward.taken_count && !failed; k++)
            failed = take_out(x, way->forward.taken[k]);
    }
    return failed;
}

enum way_verdict way_refuse(struct way_try *t, enum way_verdict verdict, const char *why) {
    t->why = why;
    return verdict;
}

/* Names go to logs, and in fields to services. */
static bool is_plain(slice name) {
    for (size_t i = 0; i < name.len; i++)
        if ((unsigned char)name.ptr[i] < ' ' || name.ptr[i] == 0x7f)
            return false;
    return true;
}

enum way_verdict way_let_in(struct way_try *t, slice principal, slice as) {
    struct exchange *x = t->x;
    if (!is_plain(principal))
        return way_refuse(t, WAY_FORBIDDEN, "your name has bytes in it that no name may have");
    if (arena_copy(exchange_arena(x), principal, &x->principal))
        return way_refuse(t, WAY_UNAVAILABLE, "there is no memory to let you in");
    if (as.len) {
        x->rights = auth_principal_of(x->shard->auth, as);
        if (!x->rights)
            return way_refuse(t, WAY_FORBIDDEN, "the user that this stands for has no rights here");
    }
    x->way = t->way->name;
    return WAY_IN;
}

/* --- turned away -------------------------------------------------------------------------------
 */

static unsigned challenge(struct way_try *t) {
    const struct gateway_route *route = t->x->route;
    unsigned count = 0;
    for (unsigned i = 0; i < route->way_count; i++) {
        const struct gateway_way *way = &route->table->ways->items[route->ways[i]];
        if (!way->kind->challenge)
            continue;
        way->kind->challenge(t->x, way, way == t->teller ? t->teller_why : NULL);
        count++;
    }
    return count;
}

static void turn_away(struct way_try *t) {
    struct exchange *x = t->x;
    const char *why = t->teller_why;
    switch (t->told) {
    case WAY_ANSWERED:
        x->reason = "auth: refused by another service";
        exchange_reply(x, t->answer, t->body);
        break;
    case WAY_UNAVAILABLE:
        exchange_problem(x, 503, x->reason ? x->reason : "auth: unavailable", "%s",
                         why ? why : "who you are cannot be found out now");
        break;
    case WAY_FORBIDDEN:
        if (t->teller->kind == &way_jwt)
            exchange_add_field(x, slice_lit("WWW-Authenticate"),
                               slice_lit("Bearer error=\"insufficient_scope\""));
        exchange_problem(x, 403, "auth: forbidden", "%s", why ? why : "you may not do this");
        break;
    default:
        if (challenge(t))
            exchange_problem(x, 401, t->told == WAY_ABSENT ? "auth: nothing sent" : "auth: refused",
                             "%s", why ? why : "this asks for credentials");
        else
            exchange_problem(x, 403, "auth: no certificate", "%s",
                             why ? why : "this asks for a client certificate");
    }
}

/* --- the step ----------------------------------------------------------------------------------
 */

static void on_gone(struct exchange *x) {
    struct way_try *t = x->state;
    if (t->forget)
        t->forget(t);
}

static void count(const struct way_try *t, enum way_verdict verdict) {
    const struct gateway_way *way = t->way;
    struct metric metric = verdict == WAY_IN            ? way->in
                           : verdict == WAY_UNAVAILABLE ? way->unavailable
                                                        : way->refused;
    if (verdict != WAY_ABSENT && verdict != WAY_LATER)
        metrics_count(t->x->shard->shard->metrics, metric, 1);
}

static void note(struct way_try *t, enum way_verdict verdict) {
    t->wrong |= verdict == WAY_REFUSED && !t->stale;
    if (verdict <= t->told)
        return;
    t->told = verdict;
    t->teller = t->way;
    t->teller_why = t->why;
}

static enum way_verdict ask_next(struct way_try *t) {
    const struct gateway_route *route = t->x->route;
    t->way = &route->table->ways->items[route->ways[t->next++]];
    t->why = NULL;
    t->second = t->stale = false;
    return t->way->kind->judge(t);
}

/* On from the VERDICT of the way being asked. */
static enum step_result go_on(struct way_try *t, enum way_verdict verdict) {
    static const struct exchange_events events = {.on_gone = on_gone};
    for (;;) {
        count(t, verdict);
        if (verdict == WAY_IN && take_out_all(t->x)) {
            verdict = way_refuse(t, WAY_UNAVAILABLE, "there is no memory to let you in");
            t->next = t->x->route->way_count;
        }
        if (verdict == WAY_IN)
            return STEP_ON;
        if (verdict == WAY_LATER) {
            exchange_hold(t->x, &events, t);
            return STEP_TAKEN;
        }
        note(t, verdict);
        if (t->next == t->x->route->way_count) {
            if (t->wrong)
                auth_guard_count(t->x->shard->ways->guard, t->x);
            turn_away(t);
            return STEP_TAKEN;
        }
        verdict = ask_next(t);
    }
}

void way_decide(struct way_try *t, enum way_verdict verdict) {
    struct exchange *x = t->x;
    t->forget = NULL;
    if (go_on(t, verdict) == STEP_ON)
        exchange_go_on(x);
}

enum step_result step_auth(struct exchange *x) {
    if (x->route->way_count == 0)
        return STEP_ON;
    if (!auth_guard_lets_try(x->shard->ways->guard, x))
        return STEP_TAKEN;
    struct way_try *t = arena_zalloc(exchange_arena(x), 1, sizeof *t);
    if (!t) {
        exchange_problem(x, 503, "no memory", "there is no memory to answer this request");
        return STEP_TAKEN;
    }
    t->x = x;
    t->told = WAY_LATER; /* nothing yet */
    list_node_init(&t->node);
    return go_on(t, ask_next(t));
}

/* --- a loop ------------------------------------------------------------------------------------
 */

static int open_parts(struct gateway_auth_shard *share) {
    struct gateway_shard *shard = share->shard;
    struct hash_key key;
    io_host_random(shard->gateway->node->host, &key, sizeof key);
    int failed = jwt_reader_new(&share->reader);
    if (!failed)
        failed = token_cache_new(key, TOKEN_CACHE_ENTRIES_DEFAULT, TOKEN_CACHE_BYTES_DEFAULT,
                                 &share->tokens);
    if (!failed)
        failed = auth_guard_open(shard, &share->guard);
    if (!failed)
        failed = login_desk_open(shard, &share->logins);
    if (!failed)
        failed = forward_desk_open(shard, &share->forwards);
    if (!failed)
        failed = key_desk_open(shard, &share->keys);
    return failed;
}

int gateway_auth_shard_open(struct gateway_shard *shard) {
    struct gateway_auth_shard *share = mem_zalloc(1, sizeof *share);
    if (!share)
        return -ENOMEM;
    share->shard = shard;
    shard->ways = share;
    int failed = open_parts(share); /* what there is goes with the shard */
    if (!failed)
        gateway_auth_shard_renew(shard, shard->gateway->table);
    return failed;
}

void gateway_auth_shard_renew(struct gateway_shard *shard, struct gateway_table *table) {
    static const struct gateway_ways none;
    const struct gateway_ways *ways = table->ways ? table->ways : &none;
    login_desk_renew(shard->ways->logins);
    forward_desk_renew(shard->ways->forwards, ways);
    key_desk_renew(shard->ways->keys, ways);
}

void gateway_auth_shard_close(struct gateway_shard *shard) {
    struct gateway_auth_shard *share = shard->ways;
    if (!share)
        return;
    login_desk_close(share->logins);
    forward_desk_close(share->forwards);
    key_desk_close(share->keys);
    auth_guard_close(share->guard);
    token_cache_free(share->tokens);
    jwt_reader_free(share->reader);
    shard->ways = mem_free(share);
}
