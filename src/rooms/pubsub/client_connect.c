/*
 * client_connect.c - INFO to the client, CONNECT from it, and the timers of a connection.
 *
 * One timer a client: first the deadline for a login that is required, then the PING interval.
 * INFO is sent once at the start, again after CONNECT only when something has changed (lame duck).
 * Who the client is, client_login.c judges.
 */
#include "base/base64.h"
#include "base/mem.h"
#include "rooms/pubsub/client.h"
#include "wire/json.h"
#include "wire/json_write.h"
#include "wire/nats_write.h"

#include <errno.h>

static void peer_ip(const struct client *c, char *out, size_t size) {
    slice peer = slice_str(io_stream_peer(c->below));
    while (peer.len && peer.ptr[peer.len - 1] != ':')
        peer.len--;
    if (peer.len)
        peer.len--;
    if (peer.len > 2 && peer.ptr[0] == '[')
        peer = slice_make(peer.ptr + 1, peer.len - 2);
    if (slice_to_string(peer, out, size))
        out[0] = '\0';
}

static void make_nonce(struct client *c) {
    unsigned char random[16];
    io_host_random(c->room->pubsub->node->host, random, sizeof random);
    size_t len = base64_encode(BASE64_URL_RAW, slice_make(random, sizeof random), c->nonce);
    check(len == AUTH_NONCE_SIZE);
}

static void write_info(struct client *c, struct json_writer *w, bool lame_duck) {
    const struct pubsub *pubsub = c->room->pubsub;
    const struct room_node *node = pubsub->node;
    char ip[64];
    peer_ip(c, ip, sizeof ip);
    json_write_object(w);
    json_write_key(w, "server_id");
    json_write_text(w, node->server_id);
    json_write_key(w, "server_name");
    json_write_text(w, node->name);
    json_write_key(w, "version");
    json_write_text(w, PUBSUB_NATS_VERSION);
    json_write_key(w, "proto");
    json_write_u64(w, 1);
    json_write_key(w, "go");
    json_write_text(w, "nonet " NONET_VERSION);
    json_write_key(w, "host");
    json_write_text(w, pubsub->host);
    json_write_key(w, "port");
    json_write_u64(w, pubsub->port);
    json_write_key(w, "headers");
    json_write_bool(w, true);
    json_write_key(w, "max_payload");
    json_write_u64(w, node->limits.payload_bytes_max);
    if (node->jetstream) {
        json_write_key(w, "jetstream");
        json_write_bool(w, true);
    }
    json_write_key(w, "client_id");
    json_write_u64(w, c->id);
    json_write_key(w, "client_ip");
    json_write_text(w, ip);
    if (client_login_required(c->room)) {
        json_write_key(w, "auth_required");
        json_write_bool(w, true);
    }
    if (auth_uses_nkeys(c->room->auth)) {
        json_write_key(w, "nonce");
        json_write_text(w, c->nonce);
    }
    if (c->socket ? c->tls : c->room->tls != NULL) {
        json_write_key(w, "tls_required");
        json_write_bool(w, true);
        if (c->stream && c->room->tls_verify) {
            json_write_key(w, "tls_verify");
            json_write_bool(w, true);
        }
    }
    if (lame_duck) {
        json_write_key(w, "ldm");
        json_write_bool(w, true);
    }
    json_write_end(w);
}

void client_send_info(struct client *c, bool lame_duck) {
    if (!c->nonce[0])
        make_nonce(c);
    struct buf *b = &c->room->scratch;
    buf_clear(b);
    struct json_writer w = json_writer_make(b, false);
    write_info(c, &w, lame_duck);
    if (buf_append(b, slice_lit("\r\n")) || json_write_finish(&w)) {
        client_close(c, CLIENT_NO_MEMORY, NULL);
        return;
    }
    client_send(c, slice_lit("INFO "));
    client_send(c, buf_slice(b));
}

/* --- timers ------------------------------------------------------------------------------- */

static void on_auth_timeout(struct io_timer *timer) {
    struct client *c = container_of(timer, struct client, timer);
    if (c->state == CLIENT_ANONYMOUS)
        client_close(c, CLIENT_AUTH_TIMEOUT, "Authentication Timeout");
}

/* Before a TLS handshake has begun its own time runs. */
void client_arm_auth(struct client *c) {
    const struct room_limits *limits = &c->room->pubsub->node->limits;
    io_timer_start(c->room->shard->loop, &c->timer,
                   c->tls_wanted ? limits->tls_timeout_ns : limits->auth_timeout_ns,
                   on_auth_timeout);
}

static void on_ping_time(struct io_timer *timer) {
    struct client *c = container_of(timer, struct client, timer);
    if (c->state == CLIENT_CLOSING)
        return;
    if (c->pings_out >= c->room->pubsub->node->limits.ping_out_max) {
        client_close(c, CLIENT_STALE, "Stale Connection");
        return;
    }
    c->pings_out++;
    c->ping_sent_ns = io_loop_now_ns(c->room->shard->loop);
    client_send(c, slice_lit("PING\r\n"));
    client_arm_ping(c);
}

void client_arm_ping(struct client *c) {
    io_timer_start(c->room->shard->loop, &c->timer, c->room->pubsub->node->limits.ping_interval_ns,
                   on_ping_time);
}

/* --- CONNECT ------------------------------------------------------------------------------ */

static slice text_of(json_value root, const char *key) {
    slice text = {0};
    return json_string(json_member(root, slice_str(key)), &text) ? (slice){0} : text;
}

static bool flag_of(json_value root, const char *key, bool fallback) {
    bool flag;
    return json_bool(json_member(root, slice_str(key)), &flag) ? fallback : flag;
}

static void log_in(struct client *c, json_value root) {
    struct auth_login login = {
        .user = text_of(root, "user"),
        .password = text_of(root, "pass"),
        .token = text_of(root, "auth_token"),
        .nkey = text_of(root, "nkey"),
        .signature = text_of(root, "sig"),
        .jwt = text_of(root, "jwt"),
        .nonce = slice_make(c->nonce, AUTH_NONCE_SIZE),
    };
    bool empty = !login.user.len && !login.password.len && !login.token.len && !login.nkey.len &&
                 !login.jwt.len;
    if (empty && c->stranger)
        client_open(c);
    else
        client_log_in(c, &login);
}

bool client_login_required(const struct pubsub_shard *room) {
    return auth_required(room->auth) && !auth_stranger(room->auth);
}

void client_open(struct client *c) {
    c->state = CLIENT_OPEN;
    client_arm_ping(c);
    if (c->verbose)
        client_send(c, slice_lit("+OK\r\n"));
}

static void remember(char **field, slice text) {
    mem_free(*field);
    *field = text.len ? mem_copy(text.ptr, text.len < 256 ? text.len : 256) : NULL;
}

static void apply_options(struct client *c, json_value root) {
    c->verbose = flag_of(root, "verbose", true);
    c->pedantic = flag_of(root, "pedantic", true);
    c->echo = flag_of(root, "echo", true);
    c->headers = flag_of(root, "headers", false);
    c->no_responders = flag_of(root, "no_responders", false);
    remember(&c->name, text_of(root, "name"));
    remember(&c->language, text_of(root, "lang"));
    remember(&c->version, text_of(root, "version"));
}

void client_connect(struct client *c, slice json) {
    struct json_doc doc;
    json_init(&doc);
    int failed = json_parse(&doc, json);
    json_value root = json_root(&doc);
    if (failed || json_type_of(root) != JSON_OBJECT) {
        client_close(c, CLIENT_PROTOCOL_ERROR, "Parser Error");
        json_free(&doc);
        return;
    }
    apply_options(c, root);
    if (c->no_responders && !c->headers) {
        client_close(c, CLIENT_PROTOCOL_ERROR, "no responders requires headers support");
    } else if (auth_required(c->room->auth)) {
        log_in(c, root);
    } else {
        client_open(c);
    }
    json_free(&doc);
}
