/*
 * ways.c - the ways of a table, made from the config; the two smallest kinds of them (ways.h).
 *
 * All is made on loop 0 while the table is, so that what is wrong with it (a file that is not
 * there, a user that nobody has declared) refuses the start or the reload with words. It is closed
 * with the table's last count, on any thread.
 *
 * API keys and certificates are judged on the spot: a look-up, and a comparison of names.
 */
#include "rooms/gateway/ways.h"

#include "base/hex.h"
#include "base/mem.h"
#include "io/crypto.h"
#include "io/file.h"
#include "wire/url.h"

#include <errno.h>

#define CA_BYTES_MAX ((size_t)4 << 20)
#define PORT_HTTP 80u
#define PORT_HTTPS 443u

/* --- another's server --------------------------------------------------------------------------
 */

static int print_address(struct way_remote *remote, const struct url *url, struct arena *arena) {
    const struct url_authority *a = &url->authority;
    unsigned port = a->has_port                                           ? a->port
                    : slice_equal_nocase(url->scheme, slice_lit("https")) ? PORT_HTTPS
                                                                          : PORT_HTTP;
    slice address;
    int failed = arena_printf(arena, &address, a->is_ipv6 ? "[%.*s]:%u" : "%.*s:%u",
                              slice_fmt(a->host), port);
    if (!failed)
        remote->address = address.ptr;
    return failed;
}

/* The URL with the SHA-256 of its authorities' file behind it: another file, other connections. */
static int name_authorities(struct way_remote *remote, const char *ca,
                            const struct way_opening *opening, struct error *ret_error) {
    _cleanup_mem_ char *bytes = NULL;
    unsigned char digest[32];
    char digits[sizeof digest * 2];
    size_t size;
    int failed = io_file_load(opening->gateway->node->host, ca, CA_BYTES_MAX, &bytes, &size);
    if (failed)
        return error_set(ret_error, failed, "cannot read %s: %s", ca, error_name(failed));
    io_sha256(slice_make(bytes, size), digest);
    hex_encode(slice_make(digest, sizeof digest), digits);
    failed = arena_printf(opening->arena, &remote->key, "%.*s %.*s", slice_fmt(remote->url),
                          (int)sizeof digits, digits);
    return failed ? error_set(ret_error, failed, "no memory for a URL") : 0;
}

static int open_tls(struct way_remote *remote, const struct url *url, slice ca,
                    const struct way_opening *opening, struct error *ret_error) {
    slice name, file;
    if (arena_copy(opening->arena, url->authority.host, &name) ||
        arena_copy(opening->arena, ca, &file))
        return error_set(ret_error, -ENOMEM, "no memory for a URL");
    struct io_tls_options options = {.verify_peer = true, .server_name = name.ptr};
    if (ca.len) {
        int failed = name_authorities(remote, file.ptr, opening, ret_error);
        if (failed)
            return failed;
        options.ca_file = file.ptr;
    }
    return io_tls_create(opening->gateway->node->host, &options, &remote->tls, ret_error);
}

int way_remote_open(struct way_remote *remote, slice text, slice ca,
                    const struct way_opening *opening, struct error *ret_error) {
    struct url url;
    if (arena_copy(opening->arena, text, &remote->url))
        return error_set(ret_error, -ENOMEM, "no memory for a URL");
    remote->key = remote->url;
    if (url_parse(remote->url, &url))
        return error_set(ret_error, -EINVAL, "is not a URL: %s", remote->url.ptr);
    if (url.authority.user.ptr)
        return error_set(ret_error, -EINVAL, "user and password in a URL are not sent");
    remote->host = url.authority_text;
    int failed = print_address(remote, &url, opening->arena);
    if (!failed)
        failed =
            arena_printf(opening->arena, &remote->target, "%s%.*s%s%.*s", url.path.len ? "" : "/",
                         slice_fmt(url.path), url.query.ptr ? "?" : "", slice_fmt(url.query));
    if (failed)
        return error_set(ret_error, failed, "no memory for a URL");
    return slice_equal_nocase(url.scheme, slice_lit("https"))
               ? open_tls(remote, &url, ca, opening, ret_error)
               : 0;
}

/* --- API keys ----------------------------------------------------------------------------------
 */

static int open_keys(struct gateway_way *way, const struct way_opening *opening,
                     struct error *ret_error) {
    const struct gateway_api_keys *config = &opening->config->api_keys;
    const struct gateway_api_key *items = config->keys.items;
    struct api_key_given *given = mem_zalloc(config->keys.count, sizeof *given);
    unsigned number = 0;
    int failed = given ? arena_copy(opening->arena, config->header, &way->keys.header) : -ENOMEM;
    if (!failed)
        failed = arena_copy(opening->arena, config->query, &way->keys.query);
    if (failed) {
        mem_free(given);
        return error_set(ret_error, failed, "no memory for API keys");
    }
    for (size_t i = 0; i < config->keys.count; i++)
        given[i] = (struct api_key_given){.name = items[i].name,
                                          .secret = items[i].key,
                                          .expires_ns = API_KEY_NEVER,
                                          .rights = &items[i].as,
                                          .right_count = items[i].as.len > 0};
    failed = api_keys_create(opening->gateway->secrets[0], given, (unsigned)config->keys.count,
                             &way->keys.set, &number, ret_error);
    mem_free(given);
    return failed;
}

static void close_keys(struct gateway_way *way) {
    api_keys_unref(way->keys.set);
}

static enum way_verdict judge_keys(struct way_try *t) {
    struct exchange *x = t->x;
    const struct gateway_way *way = t->way;
    const struct api_key *key;
    slice sent;
    int failed = way_credentials(x, way->keys.header, slice_lit("Bearer"), &sent);
    if (failed == -ENOENT && way->keys.query.len)
        failed = http_request_argument(x->request, way->keys.query, &sent);
    if (failed == -ENOENT)
        return WAY_ABSENT;
    if (failed == -ENOMEM)
        return way_refuse(t, WAY_UNAVAILABLE, "there is no memory to look at your key");
    if (failed)
        return way_refuse(t, WAY_REFUSED, "the key was sent twice, or is badly escaped");
    failed = api_keys_find(way->keys.set, sent, io_loop_wall_ns(exchange_loop(x)), &key);
    if (failed)
        return way_refuse(t, WAY_REFUSED,
                          failed == -EKEYEXPIRED ? "the key is no longer good"
                                                 : "the key is not known");
    return way_let_in(t, key->name, key->right_count ? key->rights[0] : (slice){0});
}

/* A header of its own has no scheme that is registered; the name says what is asked for. */
static void challenge_keys(struct exchange *x, const struct gateway_way *way, const char *why) {
    bool bearer = slice_equal_nocase(way->keys.header, slice_lit("Authorization"));
    if (bearer)
        exchange_print_field(x, "WWW-Authenticate", "Bearer realm=\"gateway\"%s",
                             why ? ", error=\"invalid_token\"" : "");
    else
        exchange_print_field(x, "WWW-Authenticate", "ApiKey realm=\"gateway\", header=\"%.*s\"",
                             slice_fmt(way->keys.header));
}

const struct way_kind way_api_keys = {
    .open = open_keys,
    .close = close_keys,
    .judge = judge_keys,
    .challenge = challenge_keys,
};

/* --- certificates ------------------------------------------------------------------------------
 */

static int open_certificate(struct gateway_way *way, const struct way_opening *opening,
                            struct error *ret_error) {
    const struct gateway_client_certificate *config = &opening->config->client_certificate;
    if (arena_copy(opening->arena, config->as, &way->as) ||
        gateway_copy_slices(opening->arena, &config->names, &way->certificate.names,
                            &way->certificate.name_count))
        return error_set(ret_error, -ENOMEM, "no memory for names of certificates");
    return 0;
}

/* The first of the certificate's names that is among NAMES; any where there are none of these. */
static bool find_name(const struct gateway_way *way, const struct io_tls_info *info,
                      slice *ret_name) {
    slice rest = slice_str(info->peer_sans);
    while (rest.len) {
        slice name = slice_cut(rest, '\n', &rest);
        if (way->certificate.name_count == 0) {
            *ret_name = name;
            return true;
        }
        for (unsigned i = 0; i < way->certificate.name_count; i++)
            if (slice_equal_nocase(way->certificate.names[i], name)) {
                *ret_name = name;
                return true;
            }
    }
    return false;
}

/* The handshake has checked it: without a chain to the listener's ca there is no connection. */
static enum way_verdict judge_certificate(struct way_try *t) {
    struct io_tls_info info = io_stream_tls(http_request_stream(t->x->request));
    slice name;
    if (!info.peer_subject[0] && !info.peer_sans[0])
        return WAY_ABSENT;
    if (find_name(t->way, &info, &name))
        return way_let_in(t, name, t->way->as);
    if (t->way->certificate.name_count == 0)
        return way_let_in(t, slice_str(info.peer_subject), t->way->as);
    return way_refuse(t, WAY_FORBIDDEN, "the certificate is good, but its names are not let in");
}

const struct way_kind way_certificate = {
    .open = open_certificate,
    .judge = judge_certificate,
};

/* --- all of them -------------------------------------------------------------------------------
 */

static const struct way_kind *kind_of(const struct gateway_auth_config *config) {
    return config->api_keys.item.given             ? &way_api_keys
           : config->basic.item.given              ? &way_basic
           : config->jwt.item.given                ? &way_jwt
           : config->client_certificate.item.given ? &way_certificate
                                                   : &way_forward;
}

static int add_metrics(struct gateway *gateway, struct gateway_way *way) {
    static const struct metrics_family family = {
        .name = "nonet_gateway_auth_total",
        .kind = METRICS_COUNTER,
        .labels = {"way", "verdict"},
        .help = "Requests that a way of auth has judged, by verdict.",
    };
    static const char *const verdicts[] = {"in", "refused", "unavailable"};
    struct metric *handles[] = {&way->in, &way->refused, &way->unavailable};
    for (unsigned i = 0; i < array_count(handles); i++) {
        const slice labels[] = {way->name, slice_str(verdicts[i])};
        if (metrics_add_series(gateway->node->metrics, &family, labels, handles[i]) == -ENOMEM)
            return -ENOMEM;
    }
    return 0;
}

/* Whose rights a way, or a key of it, gives must be there now: later reloads may take him away. */
static int check_users(const struct way_opening *opening, struct error *ret_error) {
    const struct gateway_auth_config *config = opening->config;
    const struct gateway_api_key *keys = config->api_keys.keys.items;
    size_t count = config->api_keys.item.given ? config->api_keys.keys.count : 0;
    for (size_t i = 0; i < count + 2; i++) {
        slice as = i < count    ? keys[i].as
                   : i == count ? config->jwt.as
                                : config->client_certificate.as;
        struct principal *user =
            as.len ? auth_principal_of(opening->gateway->node->auth, as) : NULL;
        if (as.len && !user)
            return error_set(ret_error, -EINVAL, "as: '%.*s' is no user of section auth",
                             slice_fmt(slice_take(as, 64)));
        principal_unref(user);
    }
    return 0;
}

static int open_way(struct gateway_way *way, const struct way_opening *opening,
                    struct error *ret_error) {
    const struct way_kind *kind = kind_of(opening->config);
    struct error error = {0};
    int failed = arena_copy(opening->arena, opening->config->item.name, &way->name);
    if (!failed)
        failed = add_metrics(opening->gateway, way);
    if (failed)
        return error_set(ret_error, failed, "no memory for gateway.auth");
    failed = check_users(opening, &error);
    if (!failed)
        failed = kind->open(way, opening, &error);
    way->kind = kind; /* closing takes what there is */
    if (failed) {
        error_set(ret_error, failed, "gateway.auth.%.*s: %s", slice_fmt(slice_take(way->name, 64)),
                  error.message);
        error_hint(ret_error, "%s", error.hint);
    }
    return failed;
}

int gateway_ways_create(struct gateway *gateway, const struct conf_array *auth, struct arena *arena,
                        struct gateway_ways **ret_ways, struct error *ret_error) {
    const struct gateway_auth_config *configs = auth->items;
    struct gateway_ways *ways = arena_zalloc(arena, 1, sizeof *ways);
    struct way_opening opening = {.gateway = gateway, .arena = arena};
    if (ways)
        ways->items = arena_zalloc(arena, auth->count, sizeof *ways->items);
    if (!ways || !ways->items)
        return error_set(ret_error, -ENOMEM, "no memory for gateway.auth");
    if (gateway->table)
        opening.old = gateway->table->ways;
    int failed = 0;
    while (ways->count < auth->count && !failed) {
        opening.config = &configs[ways->count];
        failed = open_way(&ways->items[ways->count++], &opening, ret_error);
    }
    if (failed)
        gateway_ways_free(ways);
    else
        *ret_ways = auth->count ? ways : NULL;
    return failed;
}

void gateway_ways_free(struct gateway_ways *ways) {
    for (unsigned i = 0; ways && i < ways->count; i++)
        if (ways->items[i].kind && ways->items[i].kind->close)
            ways->items[i].kind->close(&ways->items[i]);
}
