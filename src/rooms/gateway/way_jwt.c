/*
 * way_jwt.c - signed tokens: where they stand in a request, by which rules and keys they are held
 * good (jwt.h), and that a token held good costs no more than a hash the next time.
 *
 *     token --in the cache--> in
 *       '-----> rules, keys --fine--> into the cache, in
 *                         '--key not known, or no keys yet--> waits (key_source.h), once more
 *                         '--else--> 401, or 403 where it is genuine but a claim is missing
 *
 * REALMS. The cache (token_cache.h) keeps tokens by a number for the rules they were held against.
 * Rules that a reload leaves as they are, down to the bytes of a key in a file, keep their number
 * and so their tokens; others get one that was never given before.
 */
#include "base/mem.h"
#include "io/file.h"
#include "rooms/gateway/key_source.h"

#include <errno.h>
#include <stdio.h>

/* --- where it stands ---------------------------------------------------------------------------
 */

/* The first cookie NAME of the request's, as sent. */
static int find_cookie(const struct exchange *x, slice name, slice *ret_value) {
    size_t count;
    const struct http1_field *fields = http_request_fields(x->request, &count);
    for (size_t i = 0; i < count; i++) {
        slice rest = fields[i].value, value;
        if (!slice_equal_nocase(fields[i].name, slice_lit("Cookie")))
            continue;
        while (rest.len) {
            slice pair = slice_trim(slice_cut(rest, ';', &rest));
            if (!slice_equal(slice_cut(pair, '=', &value), name) || !value.ptr)
                continue;
            if (value.len >= 2 && value.ptr[0] == '"' && value.ptr[value.len - 1] == '"')
                value = slice_make(value.ptr + 1, value.len - 2);
            *ret_value = value;
            return 0;
        }
    }
    return -ENOENT;
}

static int find_token(const struct way_try *t, slice *ret_token) {
    const struct gateway_way *way = t->way;
    int failed = way_credentials(t->x, way->jwt.header, slice_lit("Bearer"), ret_token);
    if (failed == -ENOENT && way->jwt.cookie.len)
        failed = find_cookie(t->x, way->jwt.cookie, ret_token);
    return failed;
}

/* --- judged ------------------------------------------------------------------------------------
 */

static enum way_verdict judge(struct way_try *t);

static enum way_verdict wait_or(struct way_try *t, struct key_source *source, bool unknown,
                                enum way_verdict otherwise, const char *why) {
    if (t->second || !source || !key_source_wait(source, t, unknown))
        return way_refuse(t, otherwise, why);
    t->second = true;
    t->again = judge;
    return WAY_LATER;
}

static enum way_verdict answer(struct way_try *t, enum jwt_fault fault, struct key_source *source) {
    const char *why = jwt_fault_text(fault);
    switch (fault) {
    case JWT_CLAIM:
        return way_refuse(t, WAY_FORBIDDEN, why);
    case JWT_NO_MEMORY:
        return way_refuse(t, WAY_UNAVAILABLE, why);
    case JWT_EXPIRED:
    case JWT_NOT_YET:
        t->stale = true;
        return way_refuse(t, WAY_REFUSED, why);
    case JWT_KEY_UNKNOWN:
        return wait_or(t, source, true,
                       source && key_source_failing(source) ? WAY_UNAVAILABLE : WAY_REFUSED, why);
    default:
        return way_refuse(t, WAY_REFUSED, why);
    }
}

/* What the request begins ends with the token, on the clock that may lag as far as it may. */
static enum way_verdict let_in(struct way_try *t, const struct jwt *jwt) {
    int64_t leeway_ns =
        (int64_t)t->way->jwt.rules.leeway_ns; /* an hour at most (access_config.c) */
    enum way_verdict verdict = way_let_in(t, jwt->principal, t->way->as);
    if (verdict != WAY_IN)
        return verdict; /* another way may let it in, without this end */
    if (__builtin_add_overflow(jwt->expires_ns, leeway_ns, &t->x->login_end.at_ns))
        t->x->login_end.at_ns = 0;
    return verdict;
}

static enum way_verdict judge(struct way_try *t) {
    const struct gateway_way *way = t->way;
    struct gateway_auth_shard *share = t->x->shard->ways;
    int64_t now_ns = io_loop_wall_ns(exchange_loop(t->x));
    struct key_source *source = NULL;
    const struct jwks *set = way->jwt.set;
    uint64_t generation = 0;
    slice token;
    int failed = find_token(t, &token);
    if (failed)
        return failed == -ENOENT ? WAY_ABSENT
                                 : way_refuse(t, WAY_REFUSED, "the token was sent twice");
    if (!set) {
        source = key_source_find(share->keys, way->jwt.remote.key);
        set = source ? key_source_set(source, &generation) : NULL;
        if (!set)
            return wait_or(t, source, false, WAY_UNAVAILABLE,
                           "the keys that check tokens cannot be had now");
    }
    struct token_key key = token_key(token);
    struct jwt *jwt = token_cache_find(share->tokens, &key, way->jwt.realm, generation, now_ns);
    if (jwt)
        return let_in(t, jwt);
    enum jwt_fault fault = jwt_verify(share->reader, token, &way->jwt.rules, set, now_ns, &jwt);
    if (fault)
        return answer(t, fault, source);
    token_cache_put(share->tokens, &key, way->jwt.realm, generation, jwt);
    enum way_verdict verdict = let_in(t, jwt);
    jwt_unref(jwt);
    return verdict;
}

static void challenge(struct exchange *x, const struct gateway_way *way, const char *why) {
    (void)way;
    if (why)
        exchange_print_field(x, "WWW-Authenticate",
                             "Bearer realm=\"gateway\", error=\"invalid_token\", "
                             "error_description=\"%s\"",
                             why);
    else
        exchange_add_field(x, slice_lit("WWW-Authenticate"), slice_lit("Bearer realm=\"gateway\""));
}

/* --- made from the config ----------------------------------------------------------------------
 */

static int take_algorithms(struct gateway_way *way, const struct gateway_jwt *config,
                           struct error *ret_error) {
    const slice *names = config->algorithms.items;
    uint32_t *algorithms = &way->jwt.rules.algorithms;
    for (size_t i = 0; i < config->algorithms.count; i++) {
        enum io_signature one;
        if (io_signature_named(names[i], &one))
            return error_set(ret_error, -EINVAL, "'%.*s' is not an algorithm",
                             slice_fmt(slice_take(names[i], 32)));
        *algorithms |= IO_SIGNATURE_BIT(one);
    }
    if (*algorithms)
        return 0;
    *algorithms = config->secret.len ? IO_SIGNATURE_BIT(IO_HS256)
                                     : IO_SIGNATURE_BIT(IO_RS256) | IO_SIGNATURE_BIT(IO_ES256) |
                                           IO_SIGNATURE_BIT(IO_EDDSA);
    return 0;
}

static int take_claims(struct gateway_way *way, const struct gateway_jwt *config,
                       struct arena *arena) {
    const struct conf_pair *pairs = config->claims.items;
    size_t count = config->claims.count;
    struct jwt_requirement *requirements = arena_zalloc(arena, count, sizeof *requirements);
    slice *values = arena_zalloc(arena, count, sizeof *values);
    int failed = requirements && values ? 0 : -ENOMEM;
    for (size_t i = 0; i < count && !failed; i++) {
        failed = arena_copy(arena, pairs[i].item.name, &requirements[i].path);
        if (!failed)
            failed = arena_copy(arena, pairs[i].text, &values[i]);
        requirements[i].values = &values[i];
        requirements[i].value_count = 1;
    }
    way->jwt.rules.requirements = requirements;
    way->jwt.rules.requirement_count = (unsigned)count;
    return failed;
}

static int take_rules(struct gateway_way *way, const struct gateway_jwt *config,
                      struct arena *arena) {
    struct jwt_rules *rules = &way->jwt.rules;
    rules->leeway_ns = config->leeway_ns;
    int failed = arena_copy(arena, config->issuer, &rules->issuer);
    if (!failed)
        failed = arena_copy(arena, config->subject, &rules->principal);
    if (!failed)
        failed = gateway_copy_slices(arena, &config->audience, &rules->audiences,
                                     &rules->audience_count);
    if (!failed)
        failed = take_claims(way, config, arena);
    if (!failed)
        failed = arena_copy(arena, config->header, &way->jwt.header);
    if (!failed)
        failed = arena_copy(arena, config->cookie, &way->jwt.cookie);
    if (!failed)
        failed = arena_copy(arena, config->as, &way->as);
    return failed;
}

static int write_part(struct buf *text, const char *name, slice part) {
    int failed = buf_printf(text, "%s %zu ", name, part.len);
    return failed ? failed : buf_append(text, part);
}

/* What a token is held against, as one text: each part behind its length. */
static int write_rules(struct buf *text, const struct gateway_way *way, slice key) {
    const struct jwt_rules *rules = &way->jwt.rules;
    int failed = buf_printf(text, "algorithms %x leeway %llu ", rules->algorithms,
                            (unsigned long long)rules->leeway_ns);
    if (!failed)
        failed = write_part(text, "key", key);
    if (!failed)
        failed = write_part(text, "url", way->jwt.remote.key);
    if (!failed)
        failed = write_part(text, "principal", rules->principal);
    if (!failed)
        failed = write_part(text, "issuer", rules->issuer);
    for (unsigned i = 0; i < rules->audience_count && !failed; i++)
        failed = write_part(text, "audience", rules->audiences[i]);
    for (unsigned i = 0; i < rules->requirement_count && !failed; i++) {
        failed = write_part(text, "claim", rules->requirements[i].path);
        if (!failed)
            failed = write_part(text, "is", rules->requirements[i].values[0]);
    }
    return failed;
}

/* The number of the same rules in the table in force, or a new one. The text holds secrets only as
   their digest. */
static int take_realm(struct gateway_way *way, slice key, const struct way_opening *opening) {
    _cleanup_buf_ struct buf text = buf_make(1u << 20);
    struct token_key digest = token_key(key);
    int failed = write_rules(&text, way, slice_make(&digest, sizeof digest));
    if (!failed)
        failed = arena_copy(opening->arena, buf_slice(&text), &way->jwt.text);
    for (unsigned i = 0; !failed && opening->old && i < opening->old->count; i++) {
        const struct gateway_way *old = &opening->old->items[i];
        if (old->kind == &way_jwt && slice_equal(old->jwt.text, way->jwt.text)) {
            way->jwt.realm = old->jwt.realm;
            return 0;
        }
    }
    way->jwt.realm = ++opening->gateway->realms;
    return failed;
}

/* One key of the config, or a file of them: KEY is its text. */
static int read_keys(struct gateway_way *way, const struct gateway_jwt *config, slice key,
                     struct error *ret_error) {
    if (config->jwks_file.len)
        return jwks_parse(key, &way->jwt.set, ret_error);
    struct jwks_given given = {.pem = config->public_key.len ? key : (slice){0},
                               .secret = config->secret.len ? key : (slice){0}};
    unsigned number;
    return jwks_create(&given, 1, &way->jwt.set, &number, ret_error);
}

/* "ES384, ES512" */
static void name_signatures(uint32_t signatures, char *out, size_t size) {
    size_t len = 0;
    out[0] = '\0';
    for (unsigned i = 0; i < IO_SIGNATURES && len < size; i++)
        if (signatures & IO_SIGNATURE_BIT(i)) {
            int n = snprintf(out + len, size - len, "%s%s", len ? ", " : "",
                             io_signature_name((enum io_signature)i));
            len += n > 0 ? (size_t)n : size;
        }
}

/* An algorithm that no key can check would be a promise that is not kept. Of a set, whose keys come
   and go with rotations, one is enough; of a single key, all that are named. */
static int judge_algorithms(const struct gateway_way *way, const struct gateway_jwt *config,
                            struct error *ret_error) {
    uint32_t wanted = way->jwt.rules.algorithms, can = jwks_signatures(way->jwt.set);
    bool all = config->algorithms.count && !config->jwks_file.len;
    uint32_t missing = wanted & ~can;
    char names[128];
    if (all ? missing == 0 : (wanted & can) != 0)
        return 0;
    name_signatures(missing, names, sizeof names);
    error_set(ret_error, -EINVAL, "no key here can check %s", names);
    name_signatures(can, names, sizeof names);
    error_hint(ret_error, "algorithms: [%s] is what it is for", names);
    return -EINVAL;
}

static int load_keys(struct gateway_way *way, const struct way_opening *opening,
                     struct error *ret_error) {
    const struct gateway_jwt *config = &opening->config->jwt;
    slice path = config->jwks_file.len ? config->jwks_file : config->public_key;
    _cleanup_mem_ char *bytes = NULL;
    slice key = config->secret;
    if (path.len) {
        size_t size;
        int failed =
            io_file_load(opening->gateway->node->host, path.ptr, JWKS_TEXT_MAX, &bytes, &size);
        if (failed)
            return error_set(ret_error, failed, "cannot read %s: %s", path.ptr, error_name(failed));
        key = slice_make(bytes, size);
    }
    struct error error = {0};
    int failed = read_keys(way, config, key, &error);
    if (!failed)
        failed = judge_algorithms(way, config, &error);
    if (failed) {
        error_set(ret_error, failed, "%s%s%s", path.len ? path.ptr : "", path.len ? ": " : "",
                  error.message);
        error_hint(ret_error, "%s", error.hint);
        return failed;
    }
    return take_realm(way, key, opening)
               ? error_set(ret_error, -ENOMEM, "no memory for the rules of tokens")
               : 0;
}

static int open_way(struct gateway_way *way, const struct way_opening *opening,
                    struct error *ret_error) {
    const struct gateway_jwt *config = &opening->config->jwt;
    int failed = take_algorithms(way, config, ret_error);
    if (failed)
        return failed;
    if (take_rules(way, config, opening->arena))
        return error_set(ret_error, -ENOMEM, "no memory for the rules of tokens");
    if (!config->jwks_url.len)
        return load_keys(way, opening, ret_error);
    failed = way_remote_open(&way->jwt.remote, config->jwks_url, config->ca, opening, ret_error);
    if (!failed && take_realm(way, (slice){0}, opening))
        failed = error_set(ret_error, -ENOMEM, "no memory for the rules of tokens");
    return failed;
}

static void close_way(struct gateway_way *way) {
    jwks_unref(way->jwt.set);
    io_tls_unref(way->jwt.remote.tls);
}

const struct way_kind way_jwt = {
    .open = open_way,
    .close = close_way,
    .judge = judge,
    .challenge = challenge,
};
