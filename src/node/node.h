/*
 * node.h - a running node, for cli/: everything of an app folder put together and run.
 *
 *      config --> host, logger, data folder (locked) --> rooms open --> loops:
 *         each loop: bus, (stream loop: log recovered, streams), rooms' shard_open
 *         loop 0, when all are open: declared streams, rooms' started, admin, ports file, services
 *
 * Signals: SIGTERM, SIGINT drain and stop; SIGUSR2 the same (NATS's lame duck); SIGHUP reloads
 * users, TLS, streams and the log level without closing a connection; a config with mistakes is
 * refused whole, and the old one goes on.
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
};

/* Runs until a signal ends it. 0 after a clean stop, else negative with words; mistakes of the
   config have been printed to stderr by then. */
must_use int node_run(const struct node_options *options, struct error *ret_error);

/* Checks APP's config, printing every mistake to stderr. ROUTES, unless NULL, gets the gateway's
   routes in the order in which they are tried, as JSON. 0, -EINVAL, or why it cannot be read. */
must_use int node_check(const char *app, bool insecure, struct buf *routes,
                        struct error *ret_error);

/* Reads all of the log in the data folder DATA of a node that does not run, and checks every CRC
   and every order. DAMAGE(self, error) for each finding. 0 when clean; -EBADMSG when not; else it
   could not be read, and words say why. */
struct node_log_report {
    uint64_t streams, messages, bytes, journal_groups, segments, damaged;
};
must_use int node_log_verify(const char *data,
                             void (*damage)(void *self, const struct error *error), void *self,
                             struct node_log_report *ret_report, struct error *ret_error);

/* What nonet.yaml may hold, rooms' sections included: JSON Schema, or a page in Markdown, of one
   SECTION or (NULL) of all. 0, -ENOENT (no such section), -ENOBUFS or -ENOMEM. */
must_use int node_config_schema(struct buf *out);
must_use int node_config_reference(const char *section, struct buf *out);

#endif
