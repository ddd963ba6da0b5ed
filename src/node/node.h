/*
 * node.h - a running node, for cli/: everything of an app folder put together and run.
 *
 *      config --> host, logger, data folder (locked) --> rooms open --> loops:
 *         each loop: bus, (stream loop: log recovered, streams), rooms' shard_open
 *         loop 0, when all are open: declared streams, rooms' started, admin, ports file, services
 *
 * Signals: SIGTERM, SIGINT drain and stop; SIGUSR2 does so slowly (NATS's lame duck): no new
 * clients, and those that are there are sent away one after the other, limits.lame_duck long;
 * SIGHUP reloads users, TLS, streams and the log level without closing a connection (a config with
 * mistakes is refused whole, and the old one goes on); SIGUSR1 opens the log file anew.
 *
 * Shards: `auto` is one for each core but one, at least 1. With 1 shard, streams live on it; with
 * more they have a loop of their own beyond them, so that N shards are N + 1 threads. In both
 * cases the log syncs on a thread of its own.
 */
#ifndef NONET_NODE_NODE_H
#define NONET_NODE_NODE_H

#include "base/buf.h"
#include "base/error.h"

#define NODE_LISTENS_MAX 16u

/* A node in nats-server's place: its configuration, its flags, its lines in the log, its files. */
struct node_nats {
    const char *config; /* file; NULL: flags and defaults only */
    const struct node_nats_setting {
        const char *flag, *key, *value; /* "-p", "port", "4222": as if the file ended with it */
    } * settings;
    unsigned setting_count;
};

struct node_options {
    const char *app;            /* folder with nonet.yaml; NULL: defaults only */
    const char *data;           /* NULL: of the config, else APP/.nonet, else ./.nonet */
    const char *ports_file;     /* NULL: only DATA/ports.json */
    unsigned shards;            /* 0: of the config */
    const char *log_level;      /* NULL: of the config */
    bool insecure;              /* off-loopback listeners without users are allowed */
    bool quiet;                 /* no welcome text on stdout */
    struct node_listen_option { /* --listen NAME=ADDRESS|PORT|off */
        const char *name, *address;
    } listens[NODE_LISTENS_MAX];
    unsigned listen_count;
    const struct node_nats *nats; /* NULL: nonet.yaml in `app` */
};

/* Runs until a signal ends it, which RET_SIGNAL (may be NULL) gets. 0 after a clean stop, else
   negative with words; mistakes of the config have been printed to stderr by then. */
must_use int node_run(const struct node_options *options, int *ret_signal, struct error *ret_error);

/* Checks APP's config, printing every mistake to stderr. ROUTES, unless NULL, gets the gateway's
   routes in the order in which they are tried, as JSON. 0, -EINVAL, or why it cannot be read. */
must_use int node_check(const char *app, bool insecure, struct buf *routes,
                        struct error *ret_error);
/* The same of nats-server's configuration. */
must_use int node_check_nats(const struct node_nats *nats, struct error *ret_error);
/* The version that INFO tells clients: "2.11.9". */
const char *node_nats_version(void);

/* Reads all of the log in the data folder DATA of a node that does not run, and checks every CRC
   and every order. DAMAGE(self, error) for each finding. 0 when clean; -EBADMSG when not; else it
   could not be read, and words say why. */
struct node_log_report {
    uint64_t streams, messages, bytes, journal_groups, segments, damaged;
};
must_use int node_log_verify(const char *data,
                             void (*damage)(void *self, const struct error *error), void *self,
                             struct node_log_report *ret_report, struct error *ret_error);

/* Checks the chains of all event streams in the same folder, as a running node does itself. FOUND
   for each finding. 0; -EBADMSG: there are some; -EWOULDBLOCK: a node is running on DATA, ask it;
   else it could not be read, and words say why. */
struct node_events_report {
    uint64_t events, streams, findings;
};
must_use int node_events_verify(const char *data,
                                void (*found)(void *self, const struct error *finding), void *self,
                                struct node_events_report *ret_report, struct error *ret_error);

/* A backup: what backup.json in it says. FILES and BYTES: of the data folder, without manifest. */
#define NODE_BACKUP_VERSION 1u
struct node_backup {
    uint64_t position, files, bytes;
    char version[32], node[256], made[40]; /* of Nonet; name; RFC 3339 */
};
/* Reads all of BACKUP and compares it with its sums. PROGRESS(self, bytes done, of all) may be
   NULL. 0; -EBADMSG: the file that differs is named; or it could not be read, and words say why. */
must_use int node_backup_verify(const char *backup,
                                void (*progress)(void *self, uint64_t done, uint64_t total),
                                void *self, struct node_backup *ret_info, struct error *ret_error);
/* The same, and makes it the data folder DATA, which is not there or empty; whole or not at all. */
must_use int node_restore(const char *backup, const char *data,
                          void (*progress)(void *self, uint64_t done, uint64_t total), void *self,
                          struct node_backup *ret_info, struct error *ret_error);

/* What nonet.yaml may hold, rooms' sections included: JSON Schema, or a page in Markdown, of one
   SECTION or (NULL) of all. 0, -ENOENT (no such section), -ENOBUFS or -ENOMEM. */
must_use int node_config_schema(struct buf *out);
must_use int node_config_reference(const char *section, struct buf *out);

#endif
