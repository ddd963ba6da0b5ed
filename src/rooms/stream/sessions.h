/*
 * sessions.h - all sessions of the listener `sql`, on the loop they share with the database.
 *
 * A database is one loop's (database.h), so all its sessions are, too: the last of the serving
 * shards, which leaves the first to HTTP and the log's own alone. What they share is here: users,
 * certificate, the thread that judges bcrypt, the keys of SCRAM, and the numbers by which a
 * CancelRequest names a session.
 *
 * BOUND: sessions_max at once; who comes then is told 53300.
 */
#ifndef NONET_STREAM_SESSIONS_H
#define NONET_STREAM_SESSIONS_H

#include "base/list.h"
#include "base/map.h"
#include "rooms/stream/database.h"
#include "rooms/stream/scram.h"

#define SESSIONS_LOGINS_WAITING_MAX 8u
#define SESSIONS_KEYS_MAX ((size_t)1000) /* of SCRAM, kept */

struct auth_worker;

struct sessions {
    struct room_shard *shard;
    struct database *db;
    struct auth *auth;
    struct io_tls *tls; /* NULL: none */
    struct auth_worker *logins;
    unsigned sessions_max, count;
    bool draining;
    void (*drained)(void *argument);
    void *drained_argument;
    struct io_timer look; /* while draining */
    struct list all;
    uint32_t processes; /* numbers given */
    unsigned char secret[32];
    struct map keys; /* user -> struct kept_keys (sessions.c) */
    struct metric sessions_total, refused_total, statements_total;
};

struct sessions_options {
    struct room_shard *shard;
    struct database *db;
    struct auth *auth;  /* taken, one count */
    struct io_tls *tls; /* taken; may be NULL */
    unsigned sessions_max;
};
/* On the shard's loop. 0 or negative; what is taken is then still the caller's. */
must_use int sessions_create(const struct sessions_options *options, struct sessions **ret);
/* Drops every session. NULL allowed, returns NULL. */
struct sessions *sessions_free(struct sessions *all);
/* New users and certificate, taken. Sessions whose user is gone, or has other rights, end. */
void sessions_renew(struct sessions *all, struct auth *auth, struct io_tls *tls);
/* Sessions end as soon as nothing of theirs is under way (57P01); DONE when the last has been told:
   a client that does not hang up is not waited for. */
void sessions_drain(struct sessions *all, void (*done)(void *argument), void *argument);
void sessions_accept(struct sessions *all, struct io_stream *stream);

/* CancelRequest: ends what that session runs. */
void sessions_cancel(struct sessions *all, uint32_t process, uint32_t secret);
/* A session is gone. */
void sessions_left(struct sessions *all);
/* The same for a USER each time, whether there is one or not. */
void sessions_scram_salt(const struct sessions *all, slice user,
                         unsigned char ret_salt[SCRAM_SALT_BYTES]);
/* Keys of a password, computed once per user and password; NULL: no memory. Until the next call. */
const struct scram_keys *sessions_scram_keys(struct sessions *all, slice user, slice password);

#endif
