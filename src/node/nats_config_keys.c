/*
 * nats_config_keys.c - every setting that nats-server has, and what becomes of it here.
 *
 * A key is added to the table of its block. What is not served has a form that says so, and words
 * about what to do; docs/nats-server.md lists both.
 */
#include "node/nats_config_parts.h"

#include "base/number.h"

#include <errno.h>

#define NO_CLUSTER "nonet runs as one node and does not join NATS clusters; take it out"
#define NO_ACCOUNTS "there is one account; put its users into authorization.users"
#define NO_JWT "logins by JWT are not served; put users or nkeys into authorization.users"
#define ONE_LOG "nonet writes to stderr or log_file; let the system's logging collect that"
#define TAKE_OUT "take it out"

/* --- where to listen ---------------------------------------------------------------------- */

/* "HOST:PORT", "PORT", ":PORT"; -1 takes a free one. */
static int take_address(struct translation *t, const struct nats_conf_entry *entry,
                        struct endpoint *into) {
    slice text;
    if (!nats_text(t, entry, &text))
        return 0;
    slice host = text;
    while (host.len && host.ptr[host.len - 1] != ':')
        host.len--;
    int64_t port;
    if (number_parse_i64(slice_skip(text, host.len), -1, 65535, &port)) {
        conf_errors_note(t->errors, entry->place, "write HOST:PORT or a port alone",
                         "'%.*s' is no address to listen on", slice_fmt(slice_take(text, 64)));
        return 0;
    }
    host.len -= host.len > 0;
    if (host.len)
        into->host = host;
    into->port = port;
    into->place = entry->place;
    into->given = true;
    return 0;
}

static int take_port(struct translation *t, const struct nats_conf_entry *entry,
                     struct endpoint *into) {
    int64_t port;
    if (!nats_number(t, entry, &port))
        return 0;
    if (port < -1 || port > 65535) {
        conf_errors_note(t->errors, entry->place, "1 to 65535, or -1 for a free one",
                         "%lld is no port", (long long)port);
        return 0;
    }
    into->port = port;
    into->place = entry->place;
    into->given = port != 0;
    return 0;
}

static int take_host(struct translation *t, const struct nats_conf_entry *entry,
                     struct endpoint *into) {
    slice text;
    if (!nats_text(t, entry, &text))
        return 0;
    into->host = text;
    if (!into->place.line)
        into->place = entry->place;
    return 0;
}

static int nats_take_listen(struct translation *t, const struct nats_conf_entry *entry) {
    return take_address(t, entry, &t->nats);
}

static int nats_take_port(struct translation *t, const struct nats_conf_entry *entry) {
    return take_port(t, entry, &t->nats);
}

static int nats_take_host(struct translation *t, const struct nats_conf_entry *entry) {
    return take_host(t, entry, &t->nats);
}

/* Monitoring: of http and https the one given last. */
static int take_http(struct translation *t, const struct nats_conf_entry *entry) {
    t->admin_tls = false;
    return take_address(t, entry, &t->admin);
}

static int take_http_port(struct translation *t, const struct nats_conf_entry *entry) {
    t->admin_tls = false;
    return take_port(t, entry, &t->admin);
}

static int take_https(struct translation *t, const struct nats_conf_entry *entry) {
    t->admin_tls = true;
    return take_address(t, entry, &t->admin);
}

static int take_https_port(struct translation *t, const struct nats_conf_entry *entry) {
    t->admin_tls = true;
    return take_port(t, entry, &t->admin);
}

/* --- log ---------------------------------------------------------------------------------- */

static int take_debug(struct translation *t, const struct nats_conf_entry *entry) {
    (void)nats_bool(t, entry, &t->debug);
    return 0;
}

static int take_trace(struct translation *t, const struct nats_conf_entry *entry) {
    (void)nats_bool(t, entry, &t->trace);
    return 0;
}

static int take_ports_dir(struct translation *t, const struct nats_conf_entry *entry) {
    (void)nats_text(t, entry, &t->ports_dir);
    return 0;
}

/* --- tls ---------------------------------------------------------------------------------- */

static int put_tls(struct translation *t, const struct nats_conf_entry *entry, const char *into,
                   bool is_bool) {
    slice text;
    bool truth;
    if (is_bool ? !nats_bool(t, entry, &truth) : !nats_text(t, entry, &text))
        return 0;
    if (is_bool)
        text = truth ? slice_lit("true") : slice_lit("false");
    return nats_put(t, t->tls, into, entry->place, nats_scalar(t, entry->value->place, text));
}

static int take_cert(struct translation *t, const struct nats_conf_entry *entry) {
    return put_tls(t, entry, "cert", false);
}

static int take_key(struct translation *t, const struct nats_conf_entry *entry) {
    return put_tls(t, entry, "key", false);
}

static int take_ca(struct translation *t, const struct nats_conf_entry *entry) {
    return put_tls(t, entry, "ca", false);
}

static int take_verify(struct translation *t, const struct nats_conf_entry *entry) {
    return put_tls(t, entry, "verify", true);
}

#define BY_OPENSSL "TLS 1.2 and 1.3 are spoken with OpenSSL's own choice; take it out"

static const struct nats_key tls_keys[] = {
    {.names = "cert_file", .form = FORM_TAKEN, .take = take_cert},
    {.names = "key_file", .form = FORM_TAKEN, .take = take_key},
    {.names = "ca_file", .form = FORM_TAKEN, .take = take_ca},
    {.names = "verify", .form = FORM_TAKEN, .take = take_verify},
    {.names = "timeout", .form = FORM_TIME, .section = SECTION_LIMITS, .into = "tls_timeout"},
    {.names = "handshake_first first immediate",
     .form = FORM_BOOL,
     .section = SECTION_NATS,
     .into = "handshake_first"},
    {.names = "insecure", .form = FORM_OFF, .hint = "set verify, which is about clients"},
    {.names = "verify_and_map",
     .form = FORM_OFF,
     .hint = "users are not found by their certificates; use verify and a password"},
    {.names = "verify_cert_and_check_known_urls", .form = FORM_OFF, .hint = NO_CLUSTER},
    {.names = "cipher_suites", .form = FORM_REFUSED, .hint = BY_OPENSSL},
    {.names = "curve_preferences", .form = FORM_REFUSED, .hint = BY_OPENSSL},
    {.names = "min_version", .form = FORM_REFUSED, .hint = BY_OPENSSL},
    {.names = "pinned_certs", .form = FORM_REFUSED, .hint = "give ca_file and verify"},
    {.names = "connection_rate_limit", .form = FORM_OFF, .hint = TAKE_OUT},
    {.names = "certs", .form = FORM_REFUSED, .hint = "give one cert_file and key_file"},
    {.names = "cert_store cert_match cert_match_by ca_certs_match",
     .form = FORM_REFUSED,
     .hint = "give cert_file and key_file"},
};
const struct nats_table nats_tls_table = {"tls", tls_keys, array_count(tls_keys)};

static int take_tls(struct translation *t, const struct nats_conf_entry *entry) {
    struct section *tls = &t->sections[t->tls];
    if (!tls->given)
        tls->place = entry->place;
    tls->given = true;
    return nats_walk_block(t, &nats_tls_table, entry);
}

/* --tls and --tlsverify say only that there is to be TLS. */
static int take_wants_tls(struct translation *t, const struct nats_conf_entry *entry) {
    struct section *tls = &t->sections[SECTION_NATS_TLS];
    bool wanted = false;
    if (!nats_bool(t, entry, &wanted) || !wanted || tls->given)
        return 0;
    tls->place = entry->place;
    tls->given = true;
    return 0;
}

/* --- websocket ---------------------------------------------------------------------------- */

static const struct nats_key socket_tls_keys[] = {
    {.names = "cert_file", .form = FORM_TAKEN, .take = take_cert},
    {.names = "key_file", .form = FORM_TAKEN, .take = take_key},
    {.names = "ca_file", .form = FORM_TAKEN, .take = take_ca},
    {.names = "verify", .form = FORM_TAKEN, .take = take_verify},
    {.names = "timeout",
     .form = FORM_OFF,
     .hint = "a WebSocket's handshake has the time of an HTTP request; take it out"},
    {.names = "verify_and_map", .form = FORM_OFF, .hint = "use verify and a password"},
    {.names = "cipher_suites curve_preferences min_version",
     .form = FORM_REFUSED,
     .hint = BY_OPENSSL},
};
static const struct nats_table socket_tls_table = {"websocket.tls", socket_tls_keys,
                                                   array_count(socket_tls_keys)};

static int take_socket_tls(struct translation *t, const struct nats_conf_entry *entry) {
    struct section *tls = &t->sections[SECTION_WEBSOCKET_TLS];
    tls->place = entry->place;
    tls->given = true;
    t->tls = SECTION_WEBSOCKET_TLS;
    int failed = nats_walk_block(t, &socket_tls_table, entry);
    t->tls = SECTION_NATS_TLS;
    return failed;
}

static int take_socket_listen(struct translation *t, const struct nats_conf_entry *entry) {
    return take_address(t, entry, &t->websocket);
}

static int take_socket_port(struct translation *t, const struct nats_conf_entry *entry) {
    return take_port(t, entry, &t->websocket);
}

static int take_socket_host(struct translation *t, const struct nats_conf_entry *entry) {
    return take_host(t, entry, &t->websocket);
}

static int take_no_tls(struct translation *t, const struct nats_conf_entry *entry) {
    (void)nats_bool(t, entry, &t->websocket_plain);
    return 0;
}

#define SAME_USERS "put its users into authorization; they are those of every listener"

static const struct nats_key socket_keys[] = {
    {.names = "listen", .form = FORM_TAKEN, .take = take_socket_listen},
    {.names = "port", .form = FORM_TAKEN, .take = take_socket_port},
    {.names = "host net", .form = FORM_TAKEN, .take = take_socket_host},
    {.names = "no_tls", .form = FORM_TAKEN, .take = take_no_tls},
    {.names = "tls", .form = FORM_TAKEN, .take = take_socket_tls},
    {.names = "same_origin",
     .form = FORM_BOOL,
     .section = SECTION_WEBSOCKET,
     .into = "same_origin"},
    {.names = "allowed_origins allowed_origin allow_origins allow_origin origins origin",
     .form = FORM_TEXTS,
     .section = SECTION_WEBSOCKET,
     .into = "origins"},
    {.names = "compression", .form = FORM_OFF, .hint = "frames are not compressed; take it out"},
    {.names = "advertise", .form = FORM_OFF, .hint = NO_CLUSTER},
    {.names = "handshake_timeout", .form = FORM_OFF, .hint = "it is 10 s; take it out"},
    {.names = "no_auth_user", .form = FORM_OFF, .hint = "give every client a user"},
    {.names = "authorization username user password pass token auth_timeout",
     .form = FORM_REFUSED,
     .hint = SAME_USERS},
    {.names = "jwt_cookie user_cookie pass_cookie token_cookie",
     .form = FORM_REFUSED,
     .hint = "log in by CONNECT"},
    {.names = "ping_interval headers", .form = FORM_REFUSED, .hint = TAKE_OUT},
};
static const struct nats_table socket_table = {"websocket", socket_keys, array_count(socket_keys)};

static int take_websocket(struct translation *t, const struct nats_conf_entry *entry) {
    t->wants_websocket = true;
    t->websocket_place = entry->place;
    return nats_walk_block(t, &socket_table, entry);
}

/* --- jetstream ---------------------------------------------------------------------------- */

static int take_enabled(struct translation *t, const struct nats_conf_entry *entry) {
    (void)nats_bool(t, entry, &t->jetstream);
    return 0;
}

static int take_store_dir(struct translation *t, const struct nats_conf_entry *entry) {
    (void)nats_text(t, entry, &t->store_dir);
    return 0;
}

static int take_sync(struct translation *t, const struct nats_conf_entry *entry) {
    slice text;
    if (nats_text(t, entry, &text) && !slice_equal_nocase(text, slice_lit("always")))
        conf_errors_note(t->errors, entry->place, "write always, or take it out",
                         "'%.*s' would sync later than nonet does, which is before it acknowledges",
                         slice_fmt(slice_take(entry->key, 64)));
    return 0;
}

#define NO_CIPHER "what is stored is not encrypted; use an encrypted file system"
#define NO_BUFFER "nonet has bounds of its own for what waits; take it out"

static const struct nats_key jetstream_keys[] = {
    {.names = "enabled enable", .form = FORM_TAKEN, .take = take_enabled},
    {.names = "store_dir storedir store", .form = FORM_TAKEN, .take = take_store_dir},
    {.names = "max_memory_store max_mem_store max_mem",
     .form = FORM_SIZE,
     .section = SECTION_LIMITS,
     .into = "max_memory_store"},
    {.names = "max_file_store max_file",
     .form = FORM_SIZE,
     .section = SECTION_LIMITS,
     .into = "max_file_store"},
    {.names = "sync sync_interval", .form = FORM_TAKEN, .take = take_sync},
    {.names = "domain", .form = FORM_OFF, .hint = NO_CLUSTER},
    {.names = "key ek encryption_key prev_encryption_key prev_key",
     .form = FORM_OFF,
     .hint = NO_CIPHER},
    {.names = "cipher", .form = FORM_OFF, .hint = NO_CIPHER},
    {.names = "extension_hint unique_tag", .form = FORM_OFF, .hint = NO_CLUSTER},
    {.names = "limits", .form = FORM_REFUSED, .hint = "give each stream its own limits"},
    {.names = "tpm", .form = FORM_REFUSED, .hint = NO_CIPHER},
    {.names = "max_outstanding_catchup", .form = FORM_OFF, .hint = NO_CLUSTER},
    {.names = "max_buffered_size max_buffered_msgs request_queue_limit",
     .form = FORM_OFF,
     .hint = NO_BUFFER},
    {.names = "strict", .form = FORM_OFF, .hint = "unknown fields of requests are not refused"},
};
static const struct nats_table jetstream_table = {"jetstream", jetstream_keys,
                                                  array_count(jetstream_keys)};

/* true, "enabled", or a block, which means it is enabled unless it says otherwise. */
static int take_jetstream(struct translation *t, const struct nats_conf_entry *entry) {
    const struct nats_conf_node *node = entry->value;
    t->jetstream_place = entry->place;
    if (node->type == NATS_CONF_MAP) {
        t->jetstream = true;
        return nats_walk(t, &jetstream_table, node);
    }
    bool enabled = slice_equal_nocase(node->text, slice_lit("enabled"));
    if (enabled || slice_equal_nocase(node->text, slice_lit("disabled")))
        t->jetstream = enabled;
    else
        (void)nats_bool(t, entry, &t->jetstream);
    return 0;
}

/* --- the file ----------------------------------------------------------------------------- */

static const struct nats_key top_keys[] = {
    {.names = "listen", .form = FORM_TAKEN, .take = nats_take_listen},
    {.names = "port", .form = FORM_TAKEN, .take = nats_take_port},
    {.names = "host net", .form = FORM_TAKEN, .take = nats_take_host},
    {.names = "server_name", .form = FORM_TEXT, .section = SECTION_NODE, .into = "name"},
    {.names = "http", .form = FORM_TAKEN, .take = take_http},
    {.names = "http_port monitor_port", .form = FORM_TAKEN, .take = take_http_port},
    {.names = "https", .form = FORM_TAKEN, .take = take_https},
    {.names = "https_port", .form = FORM_TAKEN, .take = take_https_port},
    {.names = "pid_file pidfile", .form = FORM_TEXT, .section = SECTION_NODE, .into = "pid_file"},
    {.names = "ports_file_dir", .form = FORM_TAKEN, .take = take_ports_dir},
    {.names = "debug", .form = FORM_TAKEN, .take = take_debug},
    {.names = "trace trace_verbose", .form = FORM_TAKEN, .take = take_trace},
    {.names = "logtime", .form = FORM_BOOL, .section = SECTION_LOG, .into = "times"},
    {.names = "log_file logfile", .form = FORM_TEXT, .section = SECTION_LOG, .into = "file"},
    {.names = "authorization", .form = FORM_TAKEN, .take = nats_take_authorization},
    {.names = "tls", .form = FORM_TAKEN, .take = take_tls},
    {.names = "--tls", .form = FORM_TAKEN, .take = take_wants_tls},
    {.names = "jetstream", .form = FORM_TAKEN, .take = take_jetstream},
    {.names = "--store_dir", .form = FORM_TAKEN, .take = take_store_dir}, /* switches nothing on */
    {.names = "max_payload", .form = FORM_SIZE, .section = SECTION_LIMITS, .into = "max_payload"},
    {.names = "max_control_line",
     .form = FORM_SIZE,
     .section = SECTION_LIMITS,
     .into = "max_control_line"},
    {.names = "max_pending", .form = FORM_SIZE, .section = SECTION_LIMITS, .into = "max_pending"},
    {.names = "max_connections max_conn",
     .form = FORM_NUMBER,
     .section = SECTION_LIMITS,
     .into = "max_connections",
     .unlimited = "1000000"},
    {.names = "max_subscriptions max_subs",
     .form = FORM_NUMBER,
     .section = SECTION_LIMITS,
     .into = "max_subscriptions",
     .unlimited = "10000000"},
    {.names = "ping_interval",
     .form = FORM_TIME,
     .section = SECTION_LIMITS,
     .into = "ping_interval"},
    {.names = "ping_max", .form = FORM_NUMBER, .section = SECTION_LIMITS, .into = "ping_max"},
    {.names = "write_deadline",
     .form = FORM_TIME,
     .section = SECTION_LIMITS,
     .into = "write_deadline"},
    {.names = "lame_duck_duration",
     .form = FORM_TIME,
     .section = SECTION_LIMITS,
     .into = "lame_duck"},
    {.names = "lame_duck_grace_period",
     .form = FORM_TIME,
     .section = SECTION_LIMITS,
     .into = "lame_duck_grace"},
    /* what is not served */
    {.names = "cluster cluster_name", .form = FORM_REFUSED, .hint = NO_CLUSTER},
    {.names = "gateway", .form = FORM_REFUSED, .hint = NO_CLUSTER},
    {.names = "leafnodes leaf", .form = FORM_REFUSED, .hint = NO_CLUSTER},
    {.names = "client_advertise", .form = FORM_OFF, .hint = NO_CLUSTER},
    {.names = "default_js_domain server_tags", .form = FORM_REFUSED, .hint = NO_CLUSTER},
    {.names = "connect_error_reports reconnect_error_reports",
     .form = FORM_OFF,
     .hint = NO_CLUSTER},
    {.names = "mqtt", .form = FORM_REFUSED, .hint = "MQTT is not spoken; use NATS or WebSocket"},
    {.names = "accounts", .form = FORM_REFUSED, .hint = NO_ACCOUNTS},
    {.names = "system_account system no_system_account", .form = FORM_REFUSED, .hint = NO_ACCOUNTS},
    {.names = "no_auth_user", .form = FORM_TAKEN, .take = nats_take_stranger},
    {.names = "operator operators roots root root_operators trusted trusted_keys",
     .form = FORM_REFUSED,
     .hint = NO_JWT},
    {.names = "resolver account_resolver resolver_tls resolver_preload resolver_pinned_accounts "
              "account_resolver_tls default_sentinel",
     .form = FORM_REFUSED,
     .hint = NO_JWT},
    {.names = "mappings maps", .form = FORM_REFUSED, .hint = "publish to the final subject"},
    {.names = "websocket ws", .form = FORM_TAKEN, .take = take_websocket},
    {.names = "http_base_path", .form = FORM_OFF, .hint = "the pages stand at /varz, /connz ..."},
    {.names = "logtime_utc", .form = FORM_REFUSED, .hint = "times are always UTC; take it out"},
    {.names = "log_size_limit logfile_size_limit logfile_max_num",
     .form = FORM_OFF,
     .hint = "rotate the file outside and send SIGUSR1 (nats-server -sl reopen)"},
    {.names = "syslog remote_syslog", .form = FORM_OFF, .hint = ONE_LOG},
    {.names = "max_traced_msg_len", .form = FORM_OFF, .hint = "traced payloads are cut as it is"},
    {.names = "prof_port prof_block_rate",
     .form = FORM_OFF,
     .hint = "nonet is measured from outside, with perf"},
    {.names = "allow_non_tls",
     .form = FORM_OFF,
     .hint = "with tls every client speaks TLS; take one of the two out"},
    {.names = "ocsp ocsp_cache", .form = FORM_OFF, .hint = "OCSP stapling is not done"},
    {.names = "disable_sublist_cache no_sublist_cache",
     .form = FORM_OFF,
     .hint = "there is none to switch off"},
    {.names = "no_header_support", .form = FORM_OFF, .hint = "headers are always supported"},
    {.names = "no_fast_producer_stall",
     .form = FORM_OFF,
     .hint = "fast producers are always slowed down"},
    {.names = "always_enable_nonce", .form = FORM_OFF, .hint = "INFO has a nonce for nkey users"},
    {.names = "max_subscription_tokens max_sub_tokens", .form = FORM_OFF, .hint = TAKE_OUT},
    {.names = "max_closed_clients", .form = FORM_REFUSED, .hint = TAKE_OUT},
    {.names = "jetstream_account_purge experimental", .form = FORM_REFUSED, .hint = TAKE_OUT},
};
const struct nats_table nats_top_table = {"", top_keys, array_count(top_keys)};
