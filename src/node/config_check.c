/*
 * config_check.c - mistakes that lie between keys: each value is fine, together they are not.
 *
 * Runs over the structs even where single values were refused, so that one pass shows everything.
 * A section that is `faulty` has said what is wrong with it; what follows from that is not said.
 */
#include "base/base32.h"
#include "base/crc16.h"
#include "bus/stream_fields.h"
#include "bus/stream_subjects.h"
#include "bus/transform.h"
#include "node/config_tables.h"
#include "wire/nats_subject.h"

#include <errno.h>

#define STREAM_NAME_MAX 255
#define NKEY_TEXT_LEN 56u
#define NKEY_BYTES 35u       /* kind, 32 bytes of key, checksum */
#define NKEY_KIND_USER 0xa0u /* gives the U in front */

/* One check at work. */
struct checker {
    const struct config *config;
    struct conf_errors *errors;
};

/* One subject of one stream. */
struct captured {
    slice subject;
    const struct config_stream *stream;
};

bool config_is_loopback(struct conf_address address) {
    return slice_starts_with(address.host, slice_lit("127.")) ||
           slice_equal(address.host, slice_lit("::1")) ||
           slice_equal_nocase(address.host, slice_lit("localhost"));
}

/* A name that JetStream takes: it becomes a token of subjects and the name of files. */
static bool is_stream_name(slice name) {
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.ptr[i];
        if (c <= ' ' || c == 0x7f || c == '.' || c == '*' || c == '>' || c == '/' || c == '\\') {
            return false;
        }
    }
    return name.len > 0 && name.len <= STREAM_NAME_MAX;
}

/* By the engine's own rule, so that what is checked here is not refused there. */
static void check_reserved(const struct checker *c, const struct config_stream *s, slice subject) {
    const char *refused = stream_subject_refused(subject, s->no_ack);
    if (refused) {
        conf_errors_note(c->errors, s->item.place,
                         stream_subject_refused(subject, true)
                             ? NULL
                             : "name narrower subjects, or set no_ack: true",
                         "subject '%.*s' of stream %.*s: %s", slice_fmt(slice_take(subject, 64)),
                         slice_fmt(s->item.name), refused);
    }
}

static void check_overlap(const struct checker *c, const struct captured *a,
                          const struct captured *b) {
    if (!nats_subject_overlap(a->subject, b->subject)) {
        return;
    }
    if (a->stream == b->stream) {
        conf_errors_note(c->errors, b->stream->item.place, "remove the narrower one",
                         "subjects '%.*s' and '%.*s' of stream %.*s overlap",
                         slice_fmt(slice_take(a->subject, 64)),
                         slice_fmt(slice_take(b->subject, 64)), slice_fmt(b->stream->item.name));
    } else {
        conf_errors_note(c->errors, b->stream->item.place, "a subject belongs to one stream",
                         "subject '%.*s' of stream %.*s overlaps '%.*s' of stream %.*s",
                         slice_fmt(slice_take(b->subject, 64)), slice_fmt(b->stream->item.name),
                         slice_fmt(slice_take(a->subject, 64)), slice_fmt(a->stream->item.name));
    }
}

static void check_mapping(const struct checker *c, struct arena *arena,
                          const struct config_stream *s, const struct config_mapping *m,
                          const char *key) {
    struct transform *unused;
    const char *why;
    if (m->destination.len &&
        transform_make(arena, m->source, m->destination, &unused, &why) == -EINVAL)
        conf_errors_note(c->errors, m->item.place, "as NATS maps subjects: src: a.*, dest: b.$1",
                         "%s of stream %.*s: %s", key, slice_fmt(s->item.name), why);
}

static void check_stream(const struct checker *c, struct arena *arena,
                         const struct config_stream *s) {
    slice name = s->item.name;
    if (!is_stream_name(name)) {
        conf_errors_note(c->errors, s->item.place, "letters, digits, '-' and '_' are safe",
                         "'%.*s' cannot be the name of a stream", slice_fmt(slice_take(name, 64)));
    }
    if (s->item.faulty) {
        return;
    }
    if (s->max_age_ns > 0 && s->duplicate_window_ns > s->max_age_ns) {
        conf_errors_note(c->errors, s->item.place, "make it at most max_age",
                         "duplicate_window of stream %.*s is longer than its max_age",
                         slice_fmt(name));
    }
    if (s->deny_purge && s->allow_rollup_hdrs) {
        conf_errors_note(c->errors, s->item.place, "a roll-up purges: allow one, or deny both",
                         "stream %.*s has deny_purge and allow_rollup_hdrs", slice_fmt(name));
    }
    if (s->discard_new_per_subject &&
        (s->discard != STREAM_DISCARD_NEW || s->max_msgs_per_subject == 0)) {
        conf_errors_note(c->errors, s->item.place, "set discard: new and max_msgs_per_subject",
                         "discard_new_per_subject of stream %.*s has nothing to go by",
                         slice_fmt(name));
    }
    check_mapping(c, arena, s, &s->subject_transform, "subject_transform");
    check_mapping(c, arena, s, &s->republish, "republish");
}

/* Gathers the subjects of all streams into ALL (room for CONFIG_SUBJECTS_MAX). */
static size_t gather_subjects(const struct checker *c, struct captured *all) {
    const struct config_stream *streams = c->config->streams.items;
    size_t count = 0;
    for (size_t i = 0; i < c->config->streams.count; i++) {
        const slice *subjects = streams[i].subjects.items;
        for (size_t j = 0; j < streams[i].subjects.count; j++) {
            if (!nats_subject_valid(subjects[j])) {
                continue; /* said already */
            }
            if (count == CONFIG_SUBJECTS_MAX) {
                conf_errors_note(c->errors, streams[i].item.place, "use wildcards",
                                 "the streams have more than %u subjects together",
                                 CONFIG_SUBJECTS_MAX);
                return count;
            }
            all[count++] = (struct captured){subjects[j], &streams[i]};
        }
    }
    return count;
}

static int check_streams(const struct checker *c, struct arena *arena) {
    const struct config_stream *streams = c->config->streams.items;
    for (size_t i = 0; i < c->config->streams.count; i++) {
        check_stream(c, arena, &streams[i]);
    }
    struct captured *all = arena_zalloc(arena, CONFIG_SUBJECTS_MAX, sizeof(*all));
    if (!all) {
        return -ENOMEM;
    }
    size_t count = gather_subjects(c, all);
    for (size_t i = 0; i < count; i++) {
        check_reserved(c, all[i].stream, all[i].subject);
        for (size_t j = 0; j < i; j++) {
            check_overlap(c, &all[j], &all[i]);
        }
    }
    return 0;
}

static bool is_user_nkey(slice text) {
    unsigned char key[NKEY_BYTES];
    size_t len;
    if (text.len != NKEY_TEXT_LEN || base32_decode(text, key, sizeof(key), &len) < 0 ||
        len != NKEY_BYTES || key[0] != NKEY_KIND_USER) {
        return false;
    }
    unsigned sum = key[NKEY_BYTES - 2] | (unsigned)key[NKEY_BYTES - 1] << 8;
    return crc16_update(0, key, NKEY_BYTES - 2) == sum;
}

static void check_user(const struct checker *c, const struct config_user *u) {
    if (u->item.faulty) {
        return;
    }
    int ways = (u->user.len > 0) + (u->nkey.len > 0) + (u->token.len > 0);
    if (ways != 1) {
        conf_errors_note(c->errors, u->item.place, "write {user, password}, {nkey} or {token}",
                         "a user logs in by exactly one of: user, nkey, token");
    } else if ((u->user.len > 0) != (u->password.len > 0)) {
        conf_errors_note(c->errors, u->item.place, "user and password go together",
                         u->user.len ? "user '%.*s' has no password"
                                     : "a password without a user%.*s",
                         slice_fmt(slice_take(u->user, 64)));
    }
    if (u->nkey.len > 0 && !is_user_nkey(u->nkey)) {
        conf_errors_note(c->errors, u->item.place,
                         "the public key: U and 55 more letters and digits (nk -gen user -pubout)",
                         "'%.*s' is not the nkey of a user", slice_fmt(slice_take(u->nkey, 64)));
    }
}

/* Whether A and B log in by the same name, so that one of them would never be found. */
static bool is_same_login(const struct config_user *a, const struct config_user *b) {
    return (a->user.len > 0 && slice_equal(a->user, b->user)) ||
           (a->nkey.len > 0 && slice_equal(a->nkey, b->nkey)) ||
           (a->token.len > 0 && slice_equal(a->token, b->token));
}

static void check_stranger(const struct checker *c) {
    const struct config_auth *auth = &c->config->auth;
    const struct config_user *users = auth->users.items;
    for (size_t i = 0; i < auth->users.count; i++) {
        if (slice_equal(users[i].user.len ? users[i].user : users[i].nkey, auth->no_auth_user)) {
            return;
        }
    }
    conf_errors_note(c->errors, auth->item.place, "name one of users, by user or nkey",
                     "no_auth_user '%.*s' is none of the users",
                     slice_fmt(slice_take(auth->no_auth_user, 64)));
}

static void check_users(const struct checker *c) {
    const struct config_user *users = c->config->auth.users.items;
    if (c->config->auth.no_auth_user.len > 0) {
        check_stranger(c);
    }
    for (size_t i = 0; i < c->config->auth.users.count; i++) {
        check_user(c, &users[i]);
        for (size_t j = 0; j < i; j++) {
            if (is_same_login(&users[j], &users[i])) {
                conf_errors_note(c->errors, users[i].item.place, NULL,
                                 "this login is given twice, first in line %u",
                                 users[j].item.place.line);
                break;
            }
        }
    }
}

static void check_tls(const struct checker *c, const struct config_listener *l) {
    const struct config_tls *tls = &l->tls;
    if (tls->item.faulty) {
        return;
    }
    if ((tls->cert.len > 0) != (tls->key.len > 0)) {
        conf_errors_note(c->errors, tls->item.place, "cert and key go together",
                         "listener %.*s has a TLS %s", slice_fmt(l->item.name),
                         tls->cert.len ? "certificate without its key"
                                       : "key without its certificate");
    } else if (tls->item.given && !tls->cert.len && !tls->certificates.count) {
        conf_errors_note(c->errors, tls->item.place, "give cert and key, or take tls out",
                         "listener %.*s has a tls section without certificate",
                         slice_fmt(l->item.name));
    } else if (tls->verify && tls->ca.len == 0) {
        conf_errors_note(c->errors, tls->item.place, "give ca, the authorities of the clients",
                         "listener %.*s verifies clients, but against nothing",
                         slice_fmt(l->item.name));
    }
}

static bool is_open(const struct config_listener *l) {
    return !l->item.off && l->address.text.len;
}

static void check_listener(const struct checker *c, const struct config_listener *l,
                           bool insecure) {
    if (!is_open(l)) {
        return;
    }
    check_tls(c, l);
    /* Behind http each route says for itself who may use it (rooms/gateway). */
    if (!insecure && l != &c->config->listen.http && !l->item.faulty &&
        !config_is_loopback(l->address) && c->config->auth.users.count == 0) {
        conf_errors_note(c->errors, l->item.place,
                         "add auth.users, or listen on 127.0.0.1, or start with --insecure",
                         "listener %.*s on %.*s is open to the network without authentication",
                         slice_fmt(l->item.name), slice_fmt(l->address.text));
    }
}

/* Any page that somebody here opens in a browser reaches a WebSocket on loopback. */
static void check_origins(const struct checker *c, bool insecure) {
    const struct config_listener *l = &c->config->listen.websocket;
    if (!insecure && is_open(l) && !l->item.faulty && !l->same_origin && !l->origins.count &&
        c->config->auth.users.count == 0) {
        conf_errors_note(c->errors, l->item.place,
                         "add origins, same_origin or auth.users, or start with --insecure",
                         "listener websocket is open to every web page");
    }
}

static void check_listeners(const struct checker *c, bool insecure) {
    const struct config_listen *listen = &c->config->listen;
    const struct config_listener *all[] = {&listen->nats, &listen->http, &listen->admin,
                                           &listen->sql, &listen->websocket};
    check_origins(c, insecure);
    for (size_t i = 0; i < array_count(all); i++) {
        check_listener(c, all[i], insecure);
        for (size_t j = 0; j < i; j++) {
            bool open = is_open(all[i]) && is_open(all[j]) && all[i]->address.port != 0;
            if (open && slice_equal(all[i]->address.text, all[j]->address.text)) {
                conf_errors_note(c->errors, all[i]->item.place, "give each its own port",
                                 "listeners %.*s and %.*s have the same address",
                                 slice_fmt(all[j]->item.name), slice_fmt(all[i]->item.name));
            }
        }
    }
}

/* What wants durable streams where there are none. */
static void check_jetstream(const struct checker *c) {
    const struct config_stream *streams = c->config->streams.items;
    if (!c->config->node.jetstream && !c->config->node.item.faulty && c->config->streams.count)
        conf_errors_note(c->errors, streams[0].item.place, "take it out, or node.jetstream: false",
                         "stream %.*s is declared, but the node keeps no streams",
                         slice_fmt(streams[0].item.name));
}

static bool is_variable_name(slice name) {
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
        if (!letter && (i == 0 || c < '0' || c > '9')) {
            return false;
        }
    }
    return name.len > 0;
}

static void check_services(const struct checker *c) {
    const struct config_service *services = c->config->services.items;
    for (size_t i = 0; i < c->config->services.count; i++) {
        const struct conf_pair *env = services[i].env.items;
        for (size_t j = 0; j < services[i].env.count; j++) {
            if (!is_variable_name(env[j].item.name)) {
                conf_errors_note(
                    c->errors, env[j].item.place, "letters, digits and '_', no digit first",
                    "'%.*s' in service %.*s cannot be the name of a variable",
                    slice_fmt(slice_take(env[j].item.name, 64)), slice_fmt(services[i].item.name));
            } else if (slice_find(env[j].text, '\0') >= 0) {
                conf_errors_note(c->errors, env[j].item.place, NULL,
                                 "variable %.*s in service %.*s holds a NUL byte",
                                 slice_fmt(env[j].item.name), slice_fmt(services[i].item.name));
            }
        }
    }
}

static void check_limits(const struct checker *c) {
    const struct config_limits *l = &c->config->limits;
    if (!l->item.faulty && l->max_pending < l->max_payload) {
        conf_errors_note(
            c->errors, l->item.place, "make max_pending the larger one",
            "max_pending is less than max_payload: no client could take a full message");
    }
    if (!l->item.faulty && l->lame_duck_grace_ns >= l->lame_duck_ns) {
        conf_errors_note(c->errors, l->item.place, "make lame_duck the longer one",
                         "lame_duck_grace is not shorter than lame_duck, which includes it");
    }
}

int config_check(const struct config *config, bool insecure, struct arena *arena,
                 struct conf_errors *errors) {
    struct checker c = {config, errors};
    check_listeners(&c, insecure);
    check_users(&c);
    check_services(&c);
    check_limits(&c);
    check_jetstream(&c);
    return check_streams(&c, arena);
}
