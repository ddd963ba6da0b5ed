/*
 * access_config.c - the tables of gateway.auth, limit and cors (access_config.h).
 *
 * A new way to say who asks is one key of the table `auth`, with a table of its own; exactly one
 * must be given. Secrets are marked, so that no message and no page repeats them.
 */
#include "rooms/gateway/access_config.h"

#include "wire/http1_fields.h"
#include "wire/url.h"

#include <errno.h>

#define AT(type, member) .offset = offsetof(type, member)
#define TABLE(keys_, name_, doc_, type)                                                            \
    { .name = name_, .doc = doc_, .keys = keys_, .count = array_count(keys_), .size = sizeof(type) }
#define MS UINT64_C(1000000)
#define SECOND (1000 * MS)
#define NAME_MAX_BYTES 255u
#define KEYS_MAX 10000u

/* 0 where TEXT is a token (RFC 9110 5.6.2), as names of these kinds are. */
static int judge_token(slice text, const char *kind, const char *hint, struct error *e) {
    if (http1_is_token(text))
        return 0;
    error_set(e, -EINVAL, "is not the name of a %s: '%.*s'", kind, slice_fmt(slice_take(text, 64)));
    error_hint(e, "%s", hint);
    return -EINVAL;
}

int gateway_judge_header(slice text, struct error *e) {
    return judge_token(text, "header", "letters, digits and '-'", e);
}

int gateway_judge_cookie(slice text, struct error *e) {
    return judge_token(text, "cookie", "letters, digits, '-' and '_'", e);
}

/* Methods are told apart by letter case (RFC 9110 9.1): "get" would never be asked for. */
int gateway_judge_method(slice text, struct error *e) {
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < 'A' || text.ptr[i] > 'Z') {
            error_set(e, -EINVAL, "is not a method: '%.*s'", slice_fmt(slice_take(text, 32)));
            error_hint(e, "capital letters: GET, POST");
            return -EINVAL;
        }
    return text.len ? 0 : error_set(e, -EINVAL, "is empty");
}

static int judge_url(slice text, struct error *e) {
    struct url url;
    if (url_parse(text, &url) == 0 && (slice_equal_nocase(url.scheme, slice_lit("http")) ||
                                       slice_equal_nocase(url.scheme, slice_lit("https"))))
        return 0;
    error_set(e, -EINVAL, "is not a URL: '%.*s'", slice_fmt(slice_take(text, 64)));
    error_hint(e, "http://host:port/path or https://host/path");
    return -EINVAL;
}

/* --- ways to say who asks ----------------------------------------------------------------------
 */

#define AS_KEY(section)                                                                            \
    {                                                                                              \
        .name = "as", .type = CONF_STRING, AT(section, as), .max = NAME_MAX_BYTES,                 \
        .doc = "user of section auth whose rights on subjects it has; left out: those of the "     \
               "route alone",                                                                      \
        .example = "as: shop"                                                                      \
    }

static const struct conf_key api_key_keys[] = {
    {.name = "name",
     .type = CONF_STRING,
     AT(struct gateway_api_key, name),
     .flags = CONF_REQUIRED,
     .min = 1,
     .max = NAME_MAX_BYTES,
     .doc = "who has this key; goes on as the principal",
     .example = "name: shop"},
    {.name = "key",
     .type = CONF_STRING,
     AT(struct gateway_api_key, key),
     .flags = CONF_REQUIRED | CONF_SECRET,
     .min = 8,
     .max = 1024,
     .doc = "the secret, or sha256: and the 64 hex digits of its SHA-256",
     .example = "key: \"${SHOP_KEY}\""},
    AS_KEY(struct gateway_api_key),
};
static const struct conf_table api_key_table =
    TABLE(api_key_keys, "key", "A key that lets its holder in", struct gateway_api_key);

static const struct conf_key api_keys_keys[] = {
    {.name = "header",
     .type = CONF_STRING,
     AT(struct gateway_api_keys, header),
     .fallback = "X-API-Key",
     .judge = gateway_judge_header,
     .doc = "where the key is sent; in Authorization it stands behind the word Bearer",
     .example = "header: X-API-Key"},
    {.name = "query",
     .type = CONF_STRING,
     AT(struct gateway_api_keys, query),
     .max = NAME_MAX_BYTES,
     .doc = "argument of the query that may carry the key instead; left out: none may",
     .example = "query: api_key"},
    {.name = "keys",
     .type = CONF_LIST,
     .of = CONF_SECTION,
     AT(struct gateway_api_keys, keys),
     .flags = CONF_REQUIRED,
     .min = 1,
     .max = KEYS_MAX,
     .table = &api_key_table,
     .doc = "who may come in",
     .example = "keys: [{name: shop, key: \"${SHOP_KEY}\"}]"},
};
static const struct conf_table api_keys_table = TABLE(
    api_keys_keys, "api_keys", "Keys that are sent with each request", struct gateway_api_keys);

static const struct conf_key basic_keys[] = {
    {.name = "realm",
     .type = CONF_STRING,
     AT(struct gateway_basic, realm),
     .fallback = "nonet",
     .max = NAME_MAX_BYTES,
     .doc = "what the browser shows the user",
     .example = "realm: back office"},
};
static const struct conf_table basic_table =
    TABLE(basic_keys, "basic",
          "User and password (RFC 7617) of the users of section auth, with "
          "their rights on subjects",
          struct gateway_basic);

static const char *const with_jwks_url[] = {"jwks_url", NULL};

static const struct conf_key jwt_keys[] = {
    {.name = "jwks_url",
     .type = CONF_STRING,
     AT(struct gateway_jwt, jwks_url),
     .judge = judge_url,
     .doc = "where the issuer publishes its keys (RFC 7517); fetched anew for an unknown key",
     .example = "jwks_url: https://login.example/.well-known/jwks.json"},
    {.name = "ca",
     .type = CONF_PATH,
     AT(struct gateway_jwt, ca),
     .with = with_jwks_url,
     .doc = "authorities of an https jwks_url in PEM; left out: those of the system",
     .example = "ca: internal-ca.pem"},
    {.name = "jwks_file",
     .type = CONF_PATH,
     AT(struct gateway_jwt, jwks_file),
     .doc = "the same from a file; read anew at a reload",
     .example = "jwks_file: jwks.json"},
    {.name = "public_key",
     .type = CONF_PATH,
     AT(struct gateway_jwt, public_key),
     .doc = "a public key or certificate in PEM",
     .example = "public_key: issuer.pem"},
    {.name = "secret",
     .type = CONF_STRING,
     AT(struct gateway_jwt, secret),
     .flags = CONF_SECRET,
     .min = 32,
     .max = 1024,
     .doc =
         "the shared secret of HS256, HS384, HS512: as long as their hash at least, 32, 48 or 64 "
         "bytes (RFC 7518 3.2)",
     .example = "secret: \"${JWT_SECRET}\""},
    {.name = "algorithms",
     .type = CONF_LIST,
     .of = CONF_STRING,
     AT(struct gateway_jwt, algorithms),
     .flags = CONF_ALONE,
     .max = 16,
     .doc = "which are taken; left out: RS256, ES256 and EdDSA, or HS256 with a secret",
     .example = "algorithms: [RS256, ES256]"},
    {.name = "issuer",
     .type = CONF_STRING,
     AT(struct gateway_jwt, issuer),
     .max = 1024,
     .doc = "what iss must be; left out: anything",
     .example = "issuer: https://login.example"},
    {.name = "audience",
     .type = CONF_LIST,
     .of = CONF_STRING,
     AT(struct gateway_jwt, audience),
     .flags = CONF_ALONE,
     .max = 16,
     .doc = "aud must hold one of these; left out: anything",
     .example = "audience: api.example"},
    {.name = "claims",
     .type = CONF_MAP,
     .of = CONF_STRING,
     AT(struct gateway_jwt, claims),
     .max = 16,
     .doc = "claims that must have this value, or hold it in a list; a dot goes deeper",
     .example = "claims: {realm_access.roles: admin}"},
    {.name = "subject",
     .type = CONF_STRING,
     AT(struct gateway_jwt, subject),
     .fallback = "sub",
     .max = NAME_MAX_BYTES,
     .doc = "the claim that names who asks; goes on as the principal",
     .example = "subject: email"},
    {.name = "leeway",
     .type = CONF_DURATION,
     AT(struct gateway_jwt, leeway_ns),
     .fallback = "30s",
     .max = 3600 * SECOND,
     .doc = "how far clocks may differ for exp, nbf and iat",
     .example = "leeway: 1m"},
    {.name = "header",
     .type = CONF_STRING,
     AT(struct gateway_jwt, header),
     .fallback = "Authorization",
     .judge = gateway_judge_header,
     .doc = "where the token is sent; in Authorization behind the word Bearer",
     .example = "header: X-Token"},
    {.name = "cookie",
     .type = CONF_STRING,
     AT(struct gateway_jwt, cookie),
     .judge = gateway_judge_cookie,
     .doc = "a cookie that may carry the token instead, where the header is not sent",
     .example = "cookie: session"},
    AS_KEY(struct gateway_jwt),
};
static const struct conf_table jwt_table =
    TABLE(jwt_keys, "jwt", "Signed tokens (RFC 7519)", struct gateway_jwt);

static const struct conf_key certificate_keys[] = {
    {.name = "names",
     .type = CONF_LIST,
     .of = CONF_STRING,
     AT(struct gateway_client_certificate, names),
     .flags = CONF_ALONE,
     .max = 1000,
     .doc = "subject alternative names that are let in; left out: every certificate that verifies",
     .example = "names: [billing.internal]"},
    AS_KEY(struct gateway_client_certificate),
};
static const struct conf_table certificate_table =
    TABLE(certificate_keys, "client_certificate",
          "The client's TLS certificate, checked against ca of the listener",
          struct gateway_client_certificate);

static const struct conf_key forward_keys[] = {
    {.name = "url",
     .type = CONF_STRING,
     AT(struct gateway_forward, url),
     .flags = CONF_REQUIRED,
     .judge = judge_url,
     .doc = "asked for each request; 2xx lets it pass, any other answer goes to the client",
     .example = "url: http://127.0.0.1:9000/verify"},
    {.name = "ca",
     .type = CONF_PATH,
     AT(struct gateway_forward, ca),
     .doc = "authorities of an https url in PEM; left out: those of the system",
     .example = "ca: internal-ca.pem"},
    {.name = "timeout",
     .type = CONF_DURATION,
     AT(struct gateway_forward, timeout_ns),
     .fallback = "2s",
     .min = 1 * MS,
     .max = 60 * SECOND,
     .doc = "how long the answer may take; then 503",
     .example = "timeout: 500ms"},
    {.name = "request_headers",
     .type = CONF_LIST,
     .of = CONF_STRING,
     AT(struct gateway_forward, request_headers),
     .flags = CONF_ALONE,
     .max = 32,
     .judge = gateway_judge_header,
     .doc = "headers of the request that it is told; left out: Authorization and Cookie",
     .example = "request_headers: [Authorization]"},
    {.name = "response_headers",
     .type = CONF_LIST,
     .of = CONF_STRING,
     AT(struct gateway_forward, response_headers),
     .flags = CONF_ALONE,
     .max = 32,
     .judge = gateway_judge_header,
     .doc = "headers of its answer that are set in the request that goes on",
     .example = "response_headers: [X-User]"},
    {.name = "principal",
     .type = CONF_STRING,
     AT(struct gateway_forward, principal),
     .judge = gateway_judge_header,
     .doc = "header of its answer that names who asks",
     .example = "principal: X-User"},
};
static const struct conf_table forward_table =
    TABLE(forward_keys, "forward", "Another service decides", struct gateway_forward);

static const struct conf_key auth_keys[] = {
    {.name = "api_keys",
     .type = CONF_SECTION,
     AT(struct gateway_auth_config, api_keys),
     .table = &api_keys_table,
     .doc = "keys that are sent with each request",
     .example = "api_keys: {keys: [{name: shop, key: \"${SHOP_KEY}\"}]}"},
    {.name = "basic",
     .type = CONF_SECTION,
     AT(struct gateway_auth_config, basic),
     .table = &basic_table,
     .doc = "user and password",
     .example = "basic: {realm: back office}"},
    {.name = "jwt",
     .type = CONF_SECTION,
     AT(struct gateway_auth_config, jwt),
     .table = &jwt_table,
     .doc = "signed tokens",
     .example = "jwt: {jwks_url: https://login.example/jwks.json, audience: api.example}"},
    {.name = "client_certificate",
     .type = CONF_SECTION,
     AT(struct gateway_auth_config, client_certificate),
     .table = &certificate_table,
     .doc = "TLS certificates of clients",
     .example = "client_certificate: {names: [billing.internal]}"},
    {.name = "forward",
     .type = CONF_SECTION,
     AT(struct gateway_auth_config, forward),
     .table = &forward_table,
     .doc = "another service decides",
     .example = "forward: {url: http://127.0.0.1:9000/verify}"},
};
const struct conf_table gateway_auth_table = {
    .name = "auth",
    .doc = "A way to say who asks",
    .keys = auth_keys,
    .count = array_count(auth_keys),
    .size = sizeof(struct gateway_auth_config),
    .one_of = array_count(auth_keys),
};

/* --- limits ------------------------------------------------------------------------------------
 */

static const char *const pers[] = {"client", "key", "route", NULL};

static const struct conf_key limit_keys[] = {
    {.name = "per",
     .type = CONF_ENUM,
     AT(struct gateway_limit_config, per),
     .words = pers,
     .fallback = "client",
     .doc = "who shares a bucket: each client address (IPv6: each /64), each principal (else its "
            "address), or the whole route",
     .example = "per: key"},
    {.name = "rate",
     .type = CONF_RATE,
     AT(struct gateway_limit_config, rate),
     .flags = CONF_REQUIRED,
     .doc = "requests that a bucket is filled with",
     .example = "rate: 100/s"},
    {.name = "burst",
     .type = CONF_INT,
     AT(struct gateway_limit_config, burst),
     .max = 1000000000,
     .doc = "requests that a full bucket holds; left out: those of one second, or one",
     .example = "burst: 200"},
};
const struct conf_table gateway_limit_table =
    TABLE(limit_keys, "limit", "A token bucket; who finds it empty gets 429",
          struct gateway_limit_config);

static const struct conf_key cors_keys[] = {
    {.name = "origins",
     .type = CONF_LIST,
     .of = CONF_STRING,
     AT(struct gateway_cors_config, origins),
     .flags = CONF_ALONE | CONF_REQUIRED,
     .min = 1,
     .max = 100,
     .doc = "pages that may ask: https://shop.example, https://*.shop.example, or *",
     .example = "origins: https://shop.example"},
    {.name = "methods",
     .type = CONF_LIST,
     .of = CONF_STRING,
     AT(struct gateway_cors_config, methods),
     .flags = CONF_ALONE,
     .max = 16,
     .judge = gateway_judge_method,
     .doc = "methods they may use; left out: those of the route, or the usual ones",
     .example = "methods: [GET, POST]"},
    {.name = "headers",
     .type = CONF_LIST,
     .of = CONF_STRING,
     AT(struct gateway_cors_config, headers),
     .flags = CONF_ALONE,
     .max = 64,
     .judge = gateway_judge_header,
     .doc = "headers they may send; left out: those they ask for",
     .example = "headers: [Content-Type, X-API-Key]"},
    {.name = "expose",
     .type = CONF_LIST,
     .of = CONF_STRING,
     AT(struct gateway_cors_config, expose),
     .flags = CONF_ALONE,
     .max = 64,
     .judge = gateway_judge_header,
     .doc = "headers of the answer that they may read",
     .example = "expose: [X-Request-Id]"},
    {.name = "credentials",
     .type = CONF_BOOL,
     AT(struct gateway_cors_config, credentials),
     .fallback = "false",
     .doc = "they may send cookies and credentials; not with origin *",
     .example = "credentials: true"},
    {.name = "max_age",
     .type = CONF_DURATION,
     AT(struct gateway_cors_config, max_age_ns),
     .fallback = "10m",
     .max = 86400 * SECOND,
     .doc = "how long a browser may remember the answer to a preflight",
     .example = "max_age: 1h"},
};
const struct conf_table gateway_cors_table = TABLE(
    cors_keys, "cors", "Cross-origin requests of browsers (Fetch)", struct gateway_cors_config);
