/*
 * config_tables.c - what may stand in nonet.yaml: the node's own sections, key by key.
 *
 * A key is added here and in its struct (config.h), and is then parsed, checked, completed by
 * editors and described in the reference; a check of one value alone is its `judge`.
 */
#include "node/config_tables.h"

#include "wire/nats_subject.h"
#include "wire/url.h"

#include <assert.h>
#include <errno.h>
#include <stdalign.h>

#define NAME_MAX_BYTES 255
#define MS 1000000ull
#define SECOND (1000 * MS)
#define KIB 1024ull
#define MIB (1024 * KIB)
#define UNLIMITED "unlimited"

static int judge_subject(slice text, struct error *e) {
    if (nats_subject_valid(text)) {
        return 0;
    }
    error_set(e, -EINVAL, "is not a subject: '%.*s'", slice_fmt(slice_take(text, 64)));
    error_hint(e, "tokens joined by dots, '*' for one token, '>' at the end for the rest");
    return -EINVAL;
}

static int judge_name(slice text, struct error *e) {
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c <= ' ' || c == 0x7f) {
            return error_set(e, -EINVAL, "holds a blank or a control character");
        }
    }
    return 0;
}

static int judge_origin(slice text, struct error *e) {
    struct url url;
    if (url_parse(text, &url) == 0 && !url.path.len && !url.query.ptr)
        return 0;
    error_set(e, -EINVAL, "is not an origin: '%.*s'", slice_fmt(slice_take(text, 64)));
    error_hint(e, "write scheme and host, and the port where it is not the usual one: "
                  "https://shop.example");
    return -EINVAL;
}

static const char *const log_levels[] = {"error", "warn", "info", "debug", "trace", NULL};
static const char *const restarts[] = {"always", "on-failure", "never", NULL};
static const char *const discards[] = {"old", "new", NULL};
static const char *const retentions[] = {"limits", "interest", "workqueue", NULL};
static const char *const storages[] = {"file", "memory", NULL};

#define TABLE(keys_array, table_name, doc_text, type)                                              \
    {                                                                                              \
        .name = (table_name), .doc = (doc_text), .keys = (keys_array),                             \
        .count = array_count(keys_array), .size = sizeof(type)                                     \
    }
#define AT(type, member) .offset = offsetof(type, member)

/* node */

static const struct conf_key log_keys[] = {
    {.name = "level",
     .type = CONF_ENUM,
     AT(struct config_log, level),
     .words = log_levels,
     .fallback = "info",
     .doc = "the least important lines that are still written; a reload changes it"},
    {.name = "file",
     .type = CONF_PATH,
     AT(struct config_log, file),
     .doc = "where lines are added instead of stderr; SIGUSR1 opens it anew"},
    {.name = "times",
     .type = CONF_BOOL,
     AT(struct config_log, times),
     .fallback = "true",
     .doc = "whether lines begin with the time (UTC)"},
};
static const struct conf_table log_table =
    TABLE(log_keys, "log", "What the node tells of its work", struct config_log);

static const struct conf_key node_keys[] = {
    {.name = "name",
     .type = CONF_STRING,
     AT(struct config_node, name),
     .fallback = "nonet",
     .min = 1,
     .max = NAME_MAX_BYTES,
     .judge = judge_name,
     .doc = "how this node is called by clients and peers"},
    {.name = "data",
     .type = CONF_PATH,
     AT(struct config_node, data),
     .fallback = ".nonet",
     .doc = "folder of the log and everything durable"},
    {.name = "shards",
     .type = CONF_INT,
     AT(struct config_node, shards),
     .zero_word = "auto",
     .fallback = "auto",
     .min = 1,
     .max = 63,
     .doc = "threads that serve connections; auto takes one fewer than cores, at least 1"},
    {.name = "log",
     .type = CONF_SECTION,
     AT(struct config_node, log),
     .table = &log_table,
     .doc = "what the node tells of its work"},
    {.name = "pid_file",
     .type = CONF_PATH,
     AT(struct config_node, pid_file),
     .doc = "where the number of its process is written"},
    {.name = "jetstream",
     .type = CONF_BOOL,
     AT(struct config_node, jetstream),
     .fallback = "true",
     .doc = "whether it keeps durable streams; false: nothing answers for them"},
};
static const struct conf_table node_table =
    TABLE(node_keys, "node", "This node", struct config_node);

/* listen: the listeners differ in their default address, so each has its own table */

static const struct conf_key certificate_keys[] = {
    {.name = "cert",
     .type = CONF_PATH,
     AT(struct config_certificate, cert),
     .flags = CONF_REQUIRED,
     .doc = "PEM file of the certificate and its chain"},
    {.name = "key",
     .type = CONF_PATH,
     AT(struct config_certificate, key),
     .flags = CONF_REQUIRED,
     .doc = "PEM file of its private key"},
};
static const struct conf_table certificate_table = TABLE(
    certificate_keys, "certificate", "A certificate chosen by name", struct config_certificate);

static const struct conf_key tls_keys[] = {
    {.name = "cert",
     .type = CONF_PATH,
     AT(struct config_tls, cert),
     .doc = "PEM file of the certificate and its chain; a reload reads it anew"},
    {.name = "key",
     .type = CONF_PATH,
     AT(struct config_tls, key),
     .doc = "PEM file of the certificate's private key"},
    {.name = "certificates",
     .type = CONF_LIST,
     .of = CONF_SECTION,
     AT(struct config_tls, certificates),
     .max = 1000,
     .table = &certificate_table,
     .doc = "more of them: each client is shown the one whose subjectAltName has the name that it "
            "asks for (SNI), the exact name before a wildcard; whoever asks for none or another is "
            "shown cert, or without cert the first one",
     .example = "certificates: [{cert: shop.pem, key: shop.key}, {cert: api.pem, key: api.key}]"},
    {.name = "ca",
     .type = CONF_PATH,
     AT(struct config_tls, ca),
     .doc = "PEM file of the authorities that client certificates must come from"},
    {.name = "verify",
     .type = CONF_BOOL,
     AT(struct config_tls, verify),
     .fallback = "false",
     .doc = "clients must show a certificate"},
};
static const struct conf_table tls_table =
    TABLE(tls_keys, "tls", "Encryption of a listener", struct config_tls);

#define LISTENER_KEYS(default_address)                                                             \
    {.name = "address",                                                                            \
     .type = CONF_ADDRESS,                                                                         \
     AT(struct config_listener, address),                                                          \
     .fallback = (default_address),                                                                \
     .doc = "where to listen; port 0 takes a free one"},                                           \
    {                                                                                              \
        .name = "tls", .type = CONF_SECTION, AT(struct config_listener, tls), .table = &tls_table, \
        .doc = "certificate and key"                                                               \
    }

static const struct conf_key nats_keys[] = {
    LISTENER_KEYS("127.0.0.1:4222"),
    {.name = "handshake_first",
     .type = CONF_BOOL,
     AT(struct config_listener, handshake_first),
     .fallback = "false",
     .doc = "TLS begins before INFO, so that nothing is said in the clear"},
};
static const struct conf_key websocket_keys[] = {
    LISTENER_KEYS("127.0.0.1:8081"),
    {.name = "same_origin",
     .type = CONF_BOOL,
     AT(struct config_listener, same_origin),
     .fallback = "false",
     .doc = "of web pages only those may connect that come from this very address"},
    {.name = "origins",
     .type = CONF_LIST,
     .of = CONF_STRING,
     AT(struct config_listener, origins),
     .max = 100,
     .judge = judge_origin,
     .doc = "of web pages only those of these origins may connect",
     .example = "origins: [\"https://shop.example\"]"},
};
static const struct conf_key http_keys[] = {LISTENER_KEYS("127.0.0.1:8080")};
static const struct conf_key admin_keys[] = {LISTENER_KEYS("127.0.0.1:8222")};
static const struct conf_key sql_keys[] = {LISTENER_KEYS("127.0.0.1:5433")};
static const struct conf_table nats_table =
    TABLE(nats_keys, "listener", "Where NATS clients connect", struct config_listener);
static const struct conf_table http_table =
    TABLE(http_keys, "listener", "Where the gateway takes HTTP", struct config_listener);
static const struct conf_table admin_table =
    TABLE(admin_keys, "listener", "Health, metrics and monitoring", struct config_listener);
static const struct conf_table sql_table =
    TABLE(sql_keys, "listener", "Where PostgreSQL clients connect", struct config_listener);

static const struct conf_table websocket_table = TABLE(
    websocket_keys, "listener", "Where NATS clients in browsers connect", struct config_listener);

static const struct conf_key listen_keys[] = {
    {.name = "nats",
     .type = CONF_SECTION,
     AT(struct config_listen, nats),
     .flags = CONF_MAY_BE_OFF,
     .table = &nats_table,
     .doc = "NATS clients; off closes it"},
    {.name = "http",
     .type = CONF_SECTION,
     AT(struct config_listen, http),
     .flags = CONF_MAY_BE_OFF,
     .table = &http_table,
     .doc = "the gateway; open where it is given or the gateway has routes; off closes it"},
    {.name = "admin",
     .type = CONF_SECTION,
     AT(struct config_listen, admin),
     .flags = CONF_MAY_BE_OFF,
     .table = &admin_table,
     .doc = "health, metrics and monitoring; off closes it"},
    {.name = "sql",
     .type = CONF_SECTION,
     AT(struct config_listen, sql),
     .flags = CONF_MAY_BE_OFF,
     .table = &sql_table,
     .doc = "PostgreSQL clients: SQL; off closes it"},
    {.name = "websocket",
     .type = CONF_SECTION,
     AT(struct config_listen, websocket),
     .flags = CONF_MAY_BE_OFF,
     .table = &websocket_table,
     .doc = "NATS over WebSocket; open where it is given"},
};

static const char *unknown_listener(slice key) {
    if (slice_equal(key, slice_lit("ws")))
        return "it is called websocket";
    bool later = slice_equal(key, slice_lit("states")) || slice_equal(key, slice_lit("peers"));
    return later ? "this version of nonet has no such listener; take the key out" : NULL;
}

static const struct conf_table listen_table = {
    .name = "listen",
    .doc = "Where the node listens; what is left out keeps its default",
    .keys = listen_keys,
    .count = array_count(listen_keys),
    .size = sizeof(struct config_listen),
    .unknown = unknown_listener,
};

/* auth */

static const struct conf_key rights_keys[] = {
    {.name = "allow",
     .type = CONF_LIST,
     .of = CONF_STRING,
     AT(struct config_rights, allow),
     .max = 1024,
     .judge = judge_subject,
     .doc = "subjects that may be used; without the list all may"},
    {.name = "deny",
     .type = CONF_LIST,
     .of = CONF_STRING,
     AT(struct config_rights, deny),
     .max = 1024,
     .judge = judge_subject,
     .doc = "subjects that may not; wins over allow"},
};
static const struct conf_table rights_table =
    TABLE(rights_keys, "rights", "Subjects allowed and denied", struct config_rights);

static const struct conf_key responses_keys[] = {
    {.name = "max",
     .type = CONF_INT,
     AT(struct config_responses, max),
     .zero_word = UNLIMITED,
     .fallback = "1",
     .min = 1,
     .max = 1000000,
     .doc = "answers to one request"},
    {.name = "expires",
     .type = CONF_DURATION,
     AT(struct config_responses, expires_ns),
     .fallback = "2m",
     .min = 1 * MS,
     .max = 86400 * SECOND,
     .doc = "how long after the request"},
};
static const struct conf_table responses_table =
    TABLE(responses_keys, "allow_responses", "Answers to requests, beyond the lists",
          struct config_responses);

static const struct conf_key user_keys[] = {
    {.name = "user",
     .type = CONF_STRING,
     AT(struct config_user, user),
     .min = 1,
     .max = NAME_MAX_BYTES,
     .doc = "a name that logs in with a password"},
    {.name = "password",
     .type = CONF_STRING,
     AT(struct config_user, password),
     .flags = CONF_SECRET,
     .min = 1,
     .doc = "as it is, or its bcrypt hash ($2a$… or $2b$…)"},
    {.name = "nkey",
     .type = CONF_STRING,
     AT(struct config_user, nkey),
     .doc = "the public nkey (U…) of a user that signs the server's nonce"},
    {.name = "token",
     .type = CONF_STRING,
     AT(struct config_user, token),
     .flags = CONF_SECRET,
     .min = 1,
     .doc = "a token alone lets in whoever shows it"},
    {.name = "publish",
     .type = CONF_SECTION,
     AT(struct config_user, publish),
     .table = &rights_table,
     .doc = "what this user may publish to"},
    {.name = "subscribe",
     .type = CONF_SECTION,
     AT(struct config_user, subscribe),
     .table = &rights_table,
     .doc = "what this user may subscribe to"},
    {.name = "allow_responses",
     .type = CONF_SECTION,
     AT(struct config_user, allow_responses),
     .table = &responses_table,
     .doc = "given, even empty: it may answer the requests it receives, whatever publish says"},
};
static const struct conf_table user_table =
    TABLE(user_keys, "user", "Who may connect, and to which subjects", struct config_user);

static const struct conf_key auth_keys[] = {
    {.name = "users",
     .type = CONF_LIST,
     .of = CONF_SECTION,
     AT(struct config_auth, users),
     .max = 10000,
     .table = &user_table,
     .doc = "who may connect; an empty list lets in everybody with all rights"},
    {.name = "no_auth_user",
     .type = CONF_STRING,
     AT(struct config_auth, no_auth_user),
     .min = 1,
     .max = NAME_MAX_BYTES,
     .doc = "the user whose rights a NATS client has that does not log in"},
};
static const struct conf_table auth_table =
    TABLE(auth_keys, "auth", "Who may connect; a reload changes it", struct config_auth);

/* streams */

#define MAPPING_KEYS                                                                               \
    {.name = "src",                                                                                \
     .type = CONF_STRING,                                                                          \
     AT(struct config_mapping, source),                                                            \
     .doc = "which subjects; all by default"},                                                     \
    {                                                                                              \
        .name = "dest", .type = CONF_STRING, AT(struct config_mapping, destination),               \
        .flags = CONF_REQUIRED,                                                                    \
        .doc = "what becomes of them: $1, {{wildcard(1)}}, ..., as NATS "                          \
               "maps subjects"                                                                     \
    }

static const struct conf_key transform_keys[] = {MAPPING_KEYS};
static const struct conf_table transform_table = TABLE(
    transform_keys, "subject_transform", "One subject made of another", struct config_mapping);

static const struct conf_key republish_keys[] = {
    MAPPING_KEYS,
    {.name = "headers_only",
     .type = CONF_BOOL,
     AT(struct config_mapping, headers_only),
     .fallback = "false",
     .doc = "without the payload, but its size"},
};
static const struct conf_table republish_table = TABLE(
    republish_keys, "republish", "Where what is stored is published again", struct config_mapping);

static const struct conf_key consumer_limits_keys[] = {
    {.name = "inactive_threshold",
     .type = CONF_DURATION,
     AT(struct config_consumer_limits, inactive_threshold_ns),
     .doc = "how long a consumer that nobody uses stays"},
    {.name = "max_ack_pending",
     .type = CONF_INT,
     AT(struct config_consumer_limits, max_ack_pending),
     .min = 1,
     .doc = "messages that may be in flight"},
};
static const struct conf_table consumer_limits_table =
    TABLE(consumer_limits_keys, "consumer_limits", "What a stream's consumers may have",
          struct config_consumer_limits);

static const struct conf_key stream_keys[] = {
    {.name = "subjects",
     .type = CONF_LIST,
     .of = CONF_STRING,
     AT(struct config_stream, subjects),
     .flags = CONF_REQUIRED,
     .min = 1,
     .max = 256,
     .judge = judge_subject,
     .doc = "what the stream keeps; no two streams may share a subject"},
    {.name = "description",
     .type = CONF_STRING,
     AT(struct config_stream, description),
     .max = 4096,
     .doc = "words for people"},
    {.name = "storage",
     .type = CONF_ENUM,
     AT(struct config_stream, storage),
     .words = storages,
     .fallback = "file",
     .doc = "where messages are kept; memory is lost at a restart"},
    {.name = "max_age",
     .type = CONF_DURATION,
     AT(struct config_stream, max_age_ns),
     .zero_word = UNLIMITED,
     .fallback = UNLIMITED,
     .min = 100 * MS,
     .doc = "older messages are removed"},
    {.name = "max_bytes",
     .type = CONF_SIZE,
     AT(struct config_stream, max_bytes),
     .zero_word = UNLIMITED,
     .fallback = UNLIMITED,
     .min = 1,
     .max = INT64_MAX,
     .doc = "bytes the stream may hold"},
    {.name = "max_msgs",
     .type = CONF_INT,
     AT(struct config_stream, max_msgs),
     .zero_word = UNLIMITED,
     .fallback = UNLIMITED,
     .min = 1,
     .doc = "messages the stream may hold"},
    {.name = "max_msgs_per_subject",
     .type = CONF_INT,
     AT(struct config_stream, max_msgs_per_subject),
     .zero_word = UNLIMITED,
     .fallback = UNLIMITED,
     .min = 1,
     .doc = "messages it may hold for one subject"},
    {.name = "max_msg_size",
     .type = CONF_SIZE,
     AT(struct config_stream, max_msg_size),
     .zero_word = UNLIMITED,
     .fallback = UNLIMITED,
     .min = 1,
     .max = INT32_MAX,
     .doc = "a larger message is refused"},
    {.name = "max_consumers",
     .type = CONF_INT,
     AT(struct config_stream, max_consumers),
     .zero_word = UNLIMITED,
     .fallback = UNLIMITED,
     .min = 1,
     .max = 100000,
     .doc = "consumers it may have"},
    {.name = "discard",
     .type = CONF_ENUM,
     AT(struct config_stream, discard),
     .words = discards,
     .fallback = "old",
     .doc = "at a limit: remove old messages, or refuse new ones"},
    {.name = "discard_new_per_subject",
     .type = CONF_BOOL,
     AT(struct config_stream, discard_new_per_subject),
     .fallback = "false",
     .doc = "refuse new ones for a subject that is at max_msgs_per_subject"},
    {.name = "duplicate_window",
     .type = CONF_DURATION,
     AT(struct config_stream, duplicate_window_ns),
     .min = 100 * MS,
     .doc = "how long Nats-Msg-Id is remembered; 2m, or max_age where that is shorter"},
    {.name = "allow_direct",
     .type = CONF_BOOL,
     AT(struct config_stream, allow_direct),
     .fallback = "false",
     .doc = "messages may be read by direct get"},
    {.name = "deny_delete",
     .type = CONF_BOOL,
     AT(struct config_stream, deny_delete),
     .fallback = "false",
     .doc = "single messages cannot be deleted"},
    {.name = "deny_purge",
     .type = CONF_BOOL,
     AT(struct config_stream, deny_purge),
     .fallback = "false",
     .doc = "the stream cannot be purged"},
    {.name = "allow_rollup_hdrs",
     .type = CONF_BOOL,
     AT(struct config_stream, allow_rollup_hdrs),
     .fallback = "false",
     .doc = "a message with the header Nats-Rollup replaces its subject, or the whole stream"},
    {.name = "retention",
     .type = CONF_ENUM,
     AT(struct config_stream, retention),
     .words = retentions,
     .fallback = "limits",
     .doc = "what is kept: all, what a consumer still wants, or what nobody has done yet"},
    {.name = "first_seq",
     .type = CONF_INT,
     AT(struct config_stream, first_seq),
     .min = 1,
     .doc = "the sequence of its first message; only before it is created"},
    {.name = "allow_msg_ttl",
     .type = CONF_BOOL,
     AT(struct config_stream, allow_msg_ttl),
     .fallback = "false",
     .doc = "a message may say with the header Nats-TTL how long it stays; cannot be taken back"},
    {.name = "allow_atomic",
     .type = CONF_BOOL,
     AT(struct config_stream, allow_atomic),
     .fallback = "false",
     .doc = "several messages may be published as one batch, stored whole or not at all"},
    {.name = "subject_delete_marker_ttl",
     .type = CONF_DURATION,
     AT(struct config_stream, subject_delete_marker_ttl_ns),
     .min = 1000 * MS,
     .doc = "the last message of a subject leaves a marker for so long when it expires"},
    {.name = "subject_transform",
     .type = CONF_SECTION,
     AT(struct config_stream, subject_transform),
     .table = &transform_table,
     .example = "{src: 'order.*.>', dest: 'orders.{{partition(4, 1)}}.$1.>'}",
     .doc = "messages are stored under another subject than they were published to"},
    {.name = "republish",
     .type = CONF_SECTION,
     AT(struct config_stream, republish),
     .table = &republish_table,
     .example = "{src: 'order.>', dest: 'stored.order.>'}",
     .doc = "what is stored is published again, to those who want to hear of it then"},
    {.name = "consumer_limits",
     .type = CONF_SECTION,
     AT(struct config_stream, consumer_limits),
     .table = &consumer_limits_table,
     .doc = "what consumers have that say nothing, and may have at most"},
    {.name = "metadata",
     .type = CONF_MAP,
     .of = CONF_STRING,
     AT(struct config_stream, metadata),
     .max = CONFIG_VARIABLES_MAX,
     .doc = "words for programs, given back with the stream's configuration"},
    {.name = "no_ack",
     .type = CONF_BOOL,
     AT(struct config_stream, no_ack),
     .fallback = "false",
     .doc = "publishers get no acknowledgement"},
};
static const struct conf_table stream_table =
    TABLE(stream_keys, "stream", "A durable stream; created and updated, never deleted",
          struct config_stream);

/* services */

static const struct conf_key service_keys[] = {
    {.name = "command",
     .type = CONF_STRING,
     AT(struct config_service, command),
     .flags = CONF_REQUIRED,
     .min = 1,
     .max = 8192,
     .doc = "run by /bin/sh -c, with NATS_URL set to this node"},
    {.name = "restart",
     .type = CONF_ENUM,
     AT(struct config_service, restart),
     .words = restarts,
     .fallback = "always",
     .doc = "when to start it again after it ends"},
    {.name = "env",
     .type = CONF_MAP,
     .of = CONF_STRING,
     AT(struct config_service, env),
     .flags = CONF_SECRET,
     .max = CONFIG_VARIABLES_MAX,
     .doc = "variables added to its environment"},
    {.name = "directory",
     .type = CONF_PATH,
     AT(struct config_service, directory),
     .fallback = ".",
     .doc = "where it runs; the app's folder unless said otherwise"},
};
static const struct conf_table service_table =
    TABLE(service_keys, "service", "A program that the node starts and keeps alive",
          struct config_service);

/* limits */

static const struct conf_key limits_keys[] = {
    {.name = "max_payload",
     .type = CONF_SIZE,
     AT(struct config_limits, max_payload),
     .fallback = "1MB",
     .min = 1,
     .max = 64 * MIB,
     .doc = "bytes of one message, headers included"},
    {.name = "max_control_line",
     .type = CONF_SIZE,
     AT(struct config_limits, max_control_line),
     .fallback = "4KB",
     .min = 256,
     .max = 64 * KIB,
     .doc = "bytes of one protocol line"},
    {.name = "max_pending",
     .type = CONF_SIZE,
     AT(struct config_limits, max_pending),
     .fallback = "64MB",
     .min = 64 * KIB,
     .max = 1024 * MIB,
     .doc = "bytes waiting for one client; a slower one is disconnected"},
    {.name = "max_connections",
     .type = CONF_INT,
     AT(struct config_limits, max_connections),
     .fallback = "65536",
     .min = 1,
     .max = 1000000,
     .doc = "NATS clients at a time"},
    {.name = "max_subscriptions",
     .type = CONF_INT,
     AT(struct config_limits, max_subscriptions),
     .fallback = "100000",
     .min = 1,
     .max = 10000000,
     .doc = "subscriptions of one client"},
    {.name = "ping_interval",
     .type = CONF_DURATION,
     AT(struct config_limits, ping_interval_ns),
     .fallback = "2m",
     .min = 100 * MS,
     .max = 86400 * SECOND,
     .doc = "a silent client is pinged this often"},
    {.name = "ping_max",
     .type = CONF_INT,
     AT(struct config_limits, ping_max),
     .fallback = "2",
     .min = 1,
     .max = 100,
     .doc = "pings without answer before a client is given up"},
    {.name = "write_deadline",
     .type = CONF_DURATION,
     AT(struct config_limits, write_deadline_ns),
     .fallback = "10s",
     .min = 10 * MS,
     .max = 3600 * SECOND,
     .doc = "a client that takes nothing for so long is disconnected"},
    {.name = "auth_timeout",
     .type = CONF_DURATION,
     AT(struct config_limits, auth_timeout_ns),
     .fallback = "2s",
     .min = 10 * MS,
     .max = 3600 * SECOND,
     .doc = "a client must have logged in by then"},
    {.name = "drain_timeout",
     .type = CONF_DURATION,
     AT(struct config_limits, drain_timeout_ns),
     .fallback = "10s",
     .min = 10 * MS,
     .max = 3600 * SECOND,
     .doc = "how long a stopping node waits for work under way"},
    {.name = "tls_timeout",
     .type = CONF_DURATION,
     AT(struct config_limits, tls_timeout_ns),
     .fallback = "2s",
     .min = 10 * MS,
     .max = 3600 * SECOND,
     .doc = "a client's TLS handshake must be done by then"},
    {.name = "lame_duck",
     .type = CONF_DURATION,
     AT(struct config_limits, lame_duck_ns),
     .fallback = "2m",
     .min = 1 * MS,
     .max = 86400 * SECOND,
     .doc = "after SIGUSR2, the time over which clients are sent away, the grace included"},
    {.name = "lame_duck_grace",
     .type = CONF_DURATION,
     AT(struct config_limits, lame_duck_grace_ns),
     .fallback = "10s",
     .min = 1 * MS,
     .max = 3600 * SECOND,
     .doc = "after SIGUSR2, the time in which they may leave by themselves"},
    {.name = "max_memory_store",
     .type = CONF_SIZE,
     AT(struct config_limits, max_memory_store),
     .zero_word = UNLIMITED,
     .fallback = UNLIMITED,
     .min = 1,
     .max = INT64_MAX,
     .doc = "bytes that streams in memory may hold together"},
    {.name = "max_file_store",
     .type = CONF_SIZE,
     AT(struct config_limits, max_file_store),
     .zero_word = UNLIMITED,
     .fallback = UNLIMITED,
     .min = 1,
     .max = INT64_MAX,
     .doc = "bytes that streams on disk may hold together"},
};
static const struct conf_table limits_table =
    TABLE(limits_keys, "limits", "Bounds; what lies beyond is refused", struct config_limits);

/* the whole file */

static const struct conf_key own_keys[] = {
    {.name = "node",
     .type = CONF_SECTION,
     AT(struct config, node),
     .table = &node_table,
     .doc = "this node"},
    {.name = "listen",
     .type = CONF_SECTION,
     AT(struct config, listen),
     .table = &listen_table,
     .doc = "where the node listens"},
    {.name = "auth",
     .type = CONF_SECTION,
     AT(struct config, auth),
     .table = &auth_table,
     .doc = "who may connect"},
    {.name = "streams",
     .type = CONF_MAP,
     .of = CONF_SECTION,
     AT(struct config, streams),
     .max = 1000,
     .table = &stream_table,
     .doc = "durable streams by name"},
    {.name = "services",
     .type = CONF_MAP,
     .of = CONF_SECTION,
     AT(struct config, services),
     .max = 1000,
     .table = &service_table,
     .doc = "programs that the node starts, by name"},
    {.name = "limits",
     .type = CONF_SECTION,
     AT(struct config, limits),
     .table = &limits_table,
     .doc = "bounds of connections and messages"},
};
static_assert(array_count(own_keys) == CONFIG_OWN_SECTIONS, "the root table has room for all");

static const char *unknown_section(slice key) {
    static const char *const later[] = {"schedules", "workflows", "peers", "engine"};
    for (size_t i = 0; i < array_count(later); i++) {
        if (slice_equal(key, slice_str(later[i]))) {
            return "this version of nonet cannot do that yet; take the section out";
        }
    }
    return NULL;
}

void config_root_table(const struct conf_key *const *sections, size_t count,
                       struct conf_key keys[CONFIG_KEYS_MAX], struct conf_table *ret_table) {
    size_t size = sizeof(struct config);
    check(count <= CONFIG_SECTIONS_MAX);
    memcpy(keys, own_keys, sizeof(own_keys));
    for (size_t i = 0; i < count; i++) {
        size = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
        struct conf_key *key = &keys[CONFIG_OWN_SECTIONS + i];
        *key = *sections[i];
        key->offset = size;
        size += key->type == CONF_SECTION ? key->table->size : sizeof(struct conf_array);
    }
    *ret_table = (struct conf_table){
        .name = "nonet.yaml",
        .doc = "The configuration of a Nonet app",
        .keys = keys,
        .count = CONFIG_OWN_SECTIONS + count,
        .size = size,
        .unknown = unknown_section,
    };
}
