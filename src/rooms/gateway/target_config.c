/*
 * target_config.c - the table of `to` (target_config.h).
 *
 * The first keys are the targets, of which exactly one must be given; every other key names those
 * that it goes with. A new target is one key among the first ones, and a row in targets.c.
 */
#include "rooms/gateway/target_config.h"

#include "rooms/gateway/access_config.h"
#include "wire/http1_fields.h"
#include "wire/http1_write.h"
#include "wire/url.h"

#include <errno.h>

#define AT(type, member) .offset = offsetof(type, member)
#define TABLE(keys_, name_, doc_, type)                                                            \
    { .name = name_, .doc = doc_, .keys = keys_, .count = array_count(keys_), .size = sizeof(type) }
#define MS UINT64_C(1000000)
#define SECOND (1000 * MS)
#define TEMPLATE_MAX 1024u
#define BODY_MAX 65536u

static const char *const with_http[] = {"http", NULL};
static const char *const with_calls[] = {"http", "request", "publish", NULL};
static const char *const with_publish[] = {"publish", NULL};
static const char *const with_files[] = {"files", NULL};
static const char *const with_redirect[] = {"redirect", NULL};
static const char *const with_node[] = {"node", NULL};

static const char *const balances[] = {"least_requests", "round_robin", "hash", NULL};
static const char *const nodes[] = {"admin", "events", NULL};

static int judge_upstream(slice text, struct error *e) {
    struct url url;
    bool fine = url_parse(text, &url) == 0 && url.authority.user.ptr == NULL && !url.query.ptr &&
                (url.path.len == 0 || slice_equal(url.path, slice_lit("/"))) &&
                (slice_equal_nocase(url.scheme, slice_lit("http")) ||
                 slice_equal_nocase(url.scheme, slice_lit("https")));
    if (fine)
        return 0;
    error_set(e, -EINVAL, "is not the address of an HTTP service: '%.*s'",
              slice_fmt(slice_take(text, 64)));
    error_hint(e, "http://host:port or https://host:port, without a path (see rewrite)");
    return -EINVAL;
}

/* What a request's line may hold: no blanks, no control bytes, ASCII. */
static int judge_path(slice text, struct error *e) {
    bool fine = slice_starts_with(text, slice_lit("/"));
    for (size_t i = 0; i < text.len; i++)
        fine &= text.ptr[i] > ' ' && text.ptr[i] <= '~';
    if (fine)
        return 0;
    error_set(e, -EINVAL, "is not a path: '%.*s'", slice_fmt(slice_take(text, 64)));
    error_hint(e, "it begins with '/', and is written as in a URL: no blanks, %%C3%%A4 for letters "
                  "that are not ASCII");
    return -EINVAL;
}

/* type/subtype, with parameters or without (RFC 9110 8.3.1). */
static int judge_media_type(slice text, struct error *e) {
    slice parameters, subtype;
    slice type = slice_cut(slice_cut(text, ';', &parameters), '/', &subtype);
    if (http1_is_token(type) && http1_is_token(slice_trim(subtype)) && http1_is_value(text))
        return 0;
    error_set(e, -EINVAL, "is not a media type: '%.*s'", slice_fmt(slice_take(text, 64)));
    error_hint(e, "application/json, or text/html; charset=utf-8");
    return -EINVAL;
}

static int judge_node(slice text, struct error *e) {
    for (size_t i = 0; nodes[i]; i++)
        if (slice_equal(text, slice_str(nodes[i])))
            return 0;
    error_set(e, -EINVAL, "is not a set of the node's own APIs: '%.*s'",
              slice_fmt(slice_take(text, 64)));
    error_hint(e, "there are: admin, events");
    return -EINVAL;
}

/* What an event stream's name has before its first '-'. */
static int judge_category(slice text, struct error *e) {
    bool fine = text.len > 0 && text.len <= TEMPLATE_MAX && slice_find(text, '-') < 0;
    if (fine)
        return 0;
    error_set(e, -EINVAL, "is not a category of event streams: '%.*s'",
              slice_fmt(slice_take(text, 64)));
    error_hint(e, "what stands before the first '-' of their names: order");
    return -EINVAL;
}

/* --- http --------------------------------------------------------------------------------------
 */

static const struct conf_key health_keys[] = {
    {.name = "path",
     .type = CONF_STRING,
     AT(struct gateway_health_config, path),
     .fallback = "/healthz",
     .max = TEMPLATE_MAX,
     .judge = judge_path,
     .doc = "asked with GET; 2xx and 3xx are healthy",
     .example = "path: /healthz"},
    {.name = "every",
     .type = CONF_DURATION,
     AT(struct gateway_health_config, every_ns),
     .fallback = "5s",
     .min = 100 * MS,
     .max = 3600 * SECOND,
     .doc = "time between two questions",
     .example = "every: 2s"},
    {.name = "timeout",
     .type = CONF_DURATION,
     AT(struct gateway_health_config, timeout_ns),
     .fallback = "2s",
     .min = 10 * MS,
     .max = 60 * SECOND,
     .doc = "an answer that takes longer is a failure",
     .example = "timeout: 1s"},
    {.name = "rise",
     .type = CONF_INT,
     AT(struct gateway_health_config, rise),
     .fallback = "2",
     .min = 1,
     .max = 100,
     .doc = "good answers in a row that bring a service back",
     .example = "rise: 2"},
    {.name = "fall",
     .type = CONF_INT,
     AT(struct gateway_health_config, fall),
     .fallback = "3",
     .min = 1,
     .max = 100,
     .doc = "failures in a row that take it out",
     .example = "fall: 3"},
};
static const struct conf_table health_table =
    TABLE(health_keys, "health", "Questions that find out whether a service is well",
          struct gateway_health_config);

static const struct conf_key eject_keys[] = {
    {.name = "failures",
     .type = CONF_INT,
     AT(struct gateway_eject_config, failures),
     .fallback = "5",
     .min = 1,
     .max = 10000,
     .doc = "failed requests in a row (no connection, no answer, 502, 503, 504) that take it out",
     .example = "failures: 5"},
    {.name = "time",
     .type = CONF_DURATION,
     AT(struct gateway_eject_config, time_ns),
     .fallback = "10s",
     .min = 100 * MS,
     .max = 3600 * SECOND,
     .doc = "for how long; each time in a row is longer by as much, up to ten times",
     .example = "time: 30s"},
};
static const struct conf_table eject_table =
    TABLE(eject_keys, "eject", "A service that fails real requests gets none for a while",
          struct gateway_eject_config);

static const struct conf_key retry_keys[] = {
    {.name = "attempts",
     .type = CONF_INT,
     AT(struct gateway_retry_config, attempts),
     .fallback = "1",
     .max = 5,
     .zero_word = "off",
     .doc =
         "further attempts, at another service if there is one: when no connection came about, "
         "or for GET, HEAD, OPTIONS, PUT and DELETE without a body when no byte of an answer came",
     .example = "attempts: 2"},
    {.name = "budget_percent",
     .type = CONF_INT,
     AT(struct gateway_retry_config, budget_percent),
     .fallback = "20",
     .min = 1,
     .max = 100,
     .doc = "retries are at most so much of the requests (and 10 a second where there are few)",
     .example = "budget_percent: 10"},
};
static const struct conf_table retry_table =
    TABLE(retry_keys, "retry", "Another attempt after a failure that has done nothing",
          struct gateway_retry_config);

static const struct conf_key tls_keys[] = {
    {.name = "ca",
     .type = CONF_PATH,
     AT(struct gateway_upstream_tls, ca),
     .doc = "authorities of the services in PEM; left out: those of the system",
     .example = "ca: internal-ca.pem"},
    {.name = "cert",
     .type = CONF_PATH,
     AT(struct gateway_upstream_tls, cert),
     .doc = "our own certificate, where they want one",
     .example = "cert: gateway.pem"},
    {.name = "key",
     .type = CONF_PATH,
     AT(struct gateway_upstream_tls, key),
     .doc = "its key",
     .example = "key: gateway.key"},
    {.name = "server_name",
     .type = CONF_STRING,
     AT(struct gateway_upstream_tls, server_name),
     .max = 255,
     .doc = "name in their certificate; left out: the host of the URL",
     .example = "server_name: shop.internal"},
    {.name = "verify",
     .type = CONF_BOOL,
     AT(struct gateway_upstream_tls, verify),
     .fallback = "true",
     .doc = "check their certificates",
     .example = "verify: false"},
};
static const struct conf_table tls_table =
    TABLE(tls_keys, "tls", "TLS to services with https URLs", struct gateway_upstream_tls);

/* --- websocket, respond ------------------------------------------------------------------------
 */

static const struct conf_key websocket_keys[] = {
    {.name = "subscribe",
     .type = CONF_LIST,
     .of = CONF_STRING,
     AT(struct gateway_websocket_config, subscribe),
     .flags = CONF_ALONE,
     .max = 16,
     .doc = "subjects whose messages go to the client, {name} as in path",
     .example = "subscribe: \"chat.{room}.>\""},
    {.name = "publish",
     .type = CONF_STRING,
     AT(struct gateway_websocket_config, publish),
     .max = TEMPLATE_MAX,
     .doc = "subject that the client's messages go to, {name} as in path; left out: they are "
            "refused",
     .example = "publish: \"chat.{room}.in\""},
};
static const struct conf_table websocket_table =
    TABLE(websocket_keys, "websocket", "Messages as WebSocket frames (RFC 6455)",
          struct gateway_websocket_config);

static const struct conf_key respond_keys[] = {
    {.name = "status",
     .type = CONF_INT,
     AT(struct gateway_respond_config, status),
     .fallback = "200",
     .min = 200,
     .max = 599,
     .doc = "of the answer",
     .example = "status: 410"},
    {.name = "type",
     .type = CONF_STRING,
     AT(struct gateway_respond_config, type),
     .fallback = "text/plain; charset=utf-8",
     .max = 255,
     .judge = judge_media_type,
     .doc = "its Content-Type",
     .example = "type: application/json"},
    {.name = "body",
     .type = CONF_STRING,
     AT(struct gateway_respond_config, body),
     .max = BODY_MAX,
     .doc = "its body; none with 204, 205 and 304, which have no body",
     .example = "body: \"gone\""},
};
static const struct conf_table respond_table = TABLE(
    respond_keys, "respond", "An answer that is always the same", struct gateway_respond_config);

/* --- to ----------------------------------------------------------------------------------------
 */

static const struct conf_key to_keys[] = {
    {.name = "http",
     .type = CONF_LIST,
     .of = CONF_STRING,
     AT(struct gateway_to, http),
     .flags = CONF_ALONE,
     .min = 1,
     .max = 64,
     .judge = judge_upstream,
     .doc = "HTTP services that share the requests",
     .example = "http: [\"http://127.0.0.1:9001\", \"http://127.0.0.1:9002\"]"},
    {.name = "request",
     .type = CONF_STRING,
     AT(struct gateway_to, request),
     .min = 1,
     .max = TEMPLATE_MAX,
     .doc = "subject that is asked; the reply is the answer; {name} as in path",
     .example = "request: \"auction.get.{id}\""},
    {.name = "publish",
     .type = CONF_STRING,
     AT(struct gateway_to, publish),
     .min = 1,
     .max = TEMPLATE_MAX,
     .doc = "subject that the body is published to: 202; {name} as in path",
     .example = "publish: bid.new"},
    {.name = "sse",
     .type = CONF_LIST,
     .of = CONF_STRING,
     AT(struct gateway_to, sse),
     .flags = CONF_ALONE,
     .min = 1,
     .max = 16,
     .doc = "subjects as server-sent events; where a stream captures them the event's id is its "
            "sequence, and Last-Event-ID goes on behind it",
     .example = "sse: \"bid.>\""},
    {.name = "websocket",
     .type = CONF_SECTION,
     AT(struct gateway_to, websocket),
     .table = &websocket_table,
     .doc = "subjects over WebSocket",
     .example = "websocket: {subscribe: \"chat.{room}.>\", publish: \"chat.{room}.in\"}"},
    {.name = "files",
     .type = CONF_PATH,
     AT(struct gateway_to, files),
     .doc = "a folder; what the path's star stands for is the file's name in it",
     .example = "files: ./public"},
    {.name = "redirect",
     .type = CONF_STRING,
     AT(struct gateway_to, redirect),
     .min = 1,
     .max = TEMPLATE_MAX,
     .doc = "URL or path that the client is sent to, {name} as in path; the query is kept",
     .example = "redirect: \"https://shop.example/{*}\""},
    {.name = "respond",
     .type = CONF_SECTION,
     AT(struct gateway_to, respond),
     .table = &respond_table,
     .doc = "an answer that is always the same",
     .example = "respond: {status: 410, body: gone}"},
    {.name = "node",
     .type = CONF_STRING,
     AT(struct gateway_to, node),
     .judge = judge_node,
     .doc = "the node's own APIs, as the admin listener has them at the same path (see rewrite): "
            "admin, all of them, where changing calls want its token; events, event streams for "
            "whom auth lets in",
     .example = "node: events"},
    {.name = "weights",
     .type = CONF_LIST,
     .of = CONF_INT,
     AT(struct gateway_to, weights),
     .max = 64,
     .with = with_http,
     .doc = "share of each service in the same order, 0 to 1000; left out: all the same",
     .example = "weights: [9, 1]"},
    {.name = "balance",
     .type = CONF_ENUM,
     AT(struct gateway_to, balance),
     .words = balances,
     .with = with_http,
     .doc = "who gets the next request: of two at random the one with fewer under way "
            "(least_requests, the default), each in turn, or by hash",
     .example = "balance: round_robin"},
    {.name = "hash_header",
     .type = CONF_STRING,
     AT(struct gateway_to, hash_header),
     .judge = gateway_judge_header,
     .with = with_http,
     .doc = "balance: hash goes by this header; requests without it by the client's address",
     .example = "hash_header: X-User"},
    {.name = "hash_cookie",
     .type = CONF_STRING,
     AT(struct gateway_to, hash_cookie),
     .judge = gateway_judge_cookie,
     .with = with_http,
     .doc = "balance: hash goes by this cookie",
     .example = "hash_cookie: session"},
    {.name = "health",
     .type = CONF_SECTION,
     AT(struct gateway_to, health),
     .table = &health_table,
     .with = with_http,
     .doc = "active checks; left out: none",
     .example = "health: {path: /healthz, every: 2s}"},
    {.name = "eject",
     .type = CONF_SECTION,
     AT(struct gateway_to, eject),
     .flags = CONF_MAY_BE_OFF,
     .table = &eject_table,
     .with = with_http,
     .doc = "passive checks by what happens to requests; left out: with the defaults of its keys",
     .example = "eject: {failures: 5, time: 30s}"},
    {.name = "retry",
     .type = CONF_SECTION,
     AT(struct gateway_to, retry),
     .flags = CONF_MAY_BE_OFF,
     .table = &retry_table,
     .with = with_http,
     .doc = "another attempt after a failure that has done nothing; left out: with the defaults of "
            "its keys",
     .example = "retry: {attempts: 2}"},
    {.name = "tls",
     .type = CONF_SECTION,
     AT(struct gateway_to, tls),
     .table = &tls_table,
     .with = with_http,
     .doc = "for https URLs",
     .example = "tls: {ca: internal-ca.pem}"},
    {.name = "connections",
     .type = CONF_INT,
     AT(struct gateway_to, connections),
     .min = 1,
     .max = 65536,
     .with = with_http,
     .doc = "open at a time to each address of a service from each shard (default 256); more "
            "requests wait for one, at most connect_timeout, then 503",
     .example = "connections: 64"},
    {.name = "connect_timeout",
     .type = CONF_DURATION,
     AT(struct gateway_to, connect_timeout_ns),
     .min = 1 * MS,
     .max = 60 * SECOND,
     .with = with_http,
     .doc = "for a connection, with its TLS handshake (default 2s)",
     .example = "connect_timeout: 500ms"},
    {.name = "idle_timeout",
     .type = CONF_DURATION,
     AT(struct gateway_to, idle_timeout_ns),
     .min = 10 * MS,
     .max = 3600 * SECOND,
     .with = with_http,
     .doc = "an unused connection is kept so long (default 4s): less than the service keeps it, or "
            "requests meet its end",
     .example = "idle_timeout: 55s"},
    {.name = "keep_host",
     .type = CONF_BOOL,
     AT(struct gateway_to, keep_host),
     .with = with_http,
     .doc = "the service is told the Host that the client asked for, not its own (default false)",
     .example = "keep_host: true"},
    {.name = "mirror",
     .type = CONF_STRING,
     AT(struct gateway_to, mirror),
     .judge = judge_upstream,
     .with = with_http,
     .doc = "a service that gets a copy of each request without a body or with one of up to 64 KB, "
            "and whose answers are thrown away",
     .example = "mirror: http://127.0.0.1:9009"},
    {.name = "timeout",
     .type = CONF_DURATION,
     AT(struct gateway_to, timeout_ns),
     .min = 1 * MS,
     .max = 3600 * SECOND,
     .with = with_calls,
     .doc = "until the answer begins, then 504; of a durable publish 503, as it may be stored all "
            "the same (default 60s for http, 5s for subjects)",
     .example = "timeout: 2s"},
    {.name = "durable",
     .type = CONF_BOOL,
     AT(struct gateway_to, durable),
     .with = with_publish,
     .doc = "answer when a stream has it on disk, with stream and sequence (default false)",
     .example = "durable: true"},
    {.name = "categories",
     .type = CONF_LIST,
     .of = CONF_STRING,
     AT(struct gateway_to, categories),
     .flags = CONF_ALONE,
     .min = 1,
     .max = 64,
     .judge = judge_category,
     .with = with_node,
     .doc = "node: events: event streams of these categories only; left out: all",
     .example = "categories: [order, stock]"},
    {.name = "read_only",
     .type = CONF_BOOL,
     AT(struct gateway_to, read_only),
     .with = with_node,
     .doc = "node: events: nothing is appended (default false)",
     .example = "read_only: true"},
    {.name = "index",
     .type = CONF_STRING,
     AT(struct gateway_to, index),
     .min = 1,
     .max = 255,
     .with = with_files,
     .doc = "file that a folder stands for (default index.html)",
     .example = "index: start.html"},
    {.name = "fallback",
     .type = CONF_STRING,
     AT(struct gateway_to, fallback),
     .min = 1,
     .max = 255,
     .with = with_files,
     .doc = "file that is sent where there is none of that name, for pages that route themselves",
     .example = "fallback: index.html"},
    {.name = "max_age",
     .type = CONF_DURATION,
     AT(struct gateway_to, max_age_ns),
     .max = 366 * 86400 * SECOND,
     .with = with_files,
     .doc = "Cache-Control: max-age (default 0, ask each time)",
     .example = "max_age: 1h"},
    {.name = "status",
     .type = CONF_INT,
     AT(struct gateway_to, status),
     .min = 301,
     .max = 308,
     .with = with_redirect,
     .doc = "301, 302, 303, 307 or 308 (default 308)",
     .example = "status: 301"},
};
const struct conf_table gateway_to_table = {
    .name = "to",
    .doc = "Where a route's requests go",
    .keys = to_keys,
    .count = array_count(to_keys),
    .size = sizeof(struct gateway_to),
    .one_of = 9,
};
