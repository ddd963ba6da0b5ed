/*
 * parts.h - what the files of node/ do for each other, by file. Nobody else includes it.
 *
 * The order is that of a node's life: settings, shards, their opening and end (lifecycle), reload,
 * and then the parts that stand beside it on loop 0: what people are shown, figures, the declared
 * streams, the services, and the two HTTP listeners. Unless it says otherwise, a function is called
 * on loop 0's thread.
 */
#ifndef NONET_NODE_PARTS_H
#define NONET_NODE_PARTS_H

#include "node/state.h"

/* settings.c: config and options -> what rooms see. */
must_use int node_load_config(struct node *node, struct config **ret_config, bool print,
                              struct error *ret_error);
must_use int node_apply_settings(struct node *node, struct error *ret_error);
/* A server's side of a listener's TLS, in CONFIG's arena. 0 or -ENOMEM. */
must_use int node_tls_options(struct config *config, const struct config_tls *from,
                              struct io_tls_options *ret_options);
must_use int node_make_auth(const struct config *config, struct auth **ret_auth,
                            struct error *ret_error);
/* Data folder: made, locked, its format version checked. */
must_use int node_open_data(struct node *node, struct error *ret_error);
void node_note_port(struct room_node *room_node, const char *listener, const char *address);
must_use int node_write_ports(struct node *node, struct error *ret_error);

/* nats_server.c: the node in nats-server's place (options->nats). */
/* The tree of its configuration, in ARENA. 0 with mistakes in ERRORS, or negative with words. */
must_use int nats_server_load(struct node *node, struct arena *arena, struct conf_errors *errors,
                              const struct conf_node **ret_tree, struct error *ret_error);
/* Before the data folder is opened: where it is, and nobody else's. */
must_use int nats_server_place_data(struct node *node, struct error *ret_error);
/* Every listener is open: the ports file, and the lines that scripts wait for. */
must_use int nats_server_ready(struct node *node, struct error *ret_error);
void nats_server_farewell(struct node *node);
/* After the end: the data folder, if it was only for this run. */
void nats_server_clean_up(struct node *node);
must_use int node_write_pid(struct node *node, struct error *ret_error);
/* certificates.c: looks at the certificates of all open listeners. Errors: files that cannot be
   read or used, a name that two certificates have. Warnings, one a line to stderr: those that are
   out of their time. */
void certificates_judge(const struct config *config, struct conf_errors *errors);
void certificates_warn(const struct config *config);

/* shard.c */
void node_shard_start(void *node, struct io_loop *loop);
void node_shard_free(struct node_shard *shard);

/* lifecycle.c: loop 0 from "all shards open" to the end. */
must_use int node_watch_signals(struct node *node, struct error *ret_error);
void node_begin(struct node *node);
void node_stop(struct node *node);
void node_fail(struct node *node, const struct error *error);
void node_service_ended(struct node *node); /* the last one lets a stopped node end */
/* Ends the process at once after a failure of the log: exit status 1, nothing is flushed. */
_Noreturn void node_fatal(const struct error *error);
/* reload.c: takes up the config file as it is now; refused whole where it has mistakes. Declared
   streams follow in the background. */
must_use int node_reload(struct node *node, struct error *ret_error);
void reload_refused(struct node *node, const struct error *error);

/* welcome.c: what `nonet run` shows a person. */
void node_welcome(struct node *node);
void node_farewell(struct node *node);

/* figures.c: what the buses have counted, as metrics; log_figures.c: what the log has. */
must_use int figures_open(struct node *node, struct error *ret_error);
void figures_start(struct node_shard *shard);
void figures_stop(struct node_shard *shard);
must_use int log_figures_open(struct node *node); /* 0, -ENOBUFS or -ENOMEM */
void log_figures_start(struct node_shard *shard);
void log_figures_stop(struct node_shard *shard);

/* status.c: the whole of GET /v1/status. On loop 0. */
struct json_writer;
void node_write_status(const struct room_node *room, struct json_writer *w);

/* declare.c: the streams of the config, created or updated through the API. DONE once. */
must_use int declare_streams(struct node *node, const struct config *config,
                             void (*done)(struct node *node, const struct error *error));
/* After the loops have ended: what was under way. */
void declare_forget(struct node *node);

/* services.c */
must_use int services_start(struct node *node, struct error *ret_error);
/* Asks them to end, after 5 s or at the second call kills them; node_service_ended follows each. */
void services_stop(struct node *node);
bool services_running(const struct node *node);

/* backup.c: its route; backup_job.c: on the stream shard, from after the log has opened until
   before it closes. A backup under way is given up. */
must_use int backup_add_route(struct node *node);
must_use int backup_listen(struct node_shard *shard);
void backup_stop(struct node_shard *shard);

/* admin.c: the admin listener and the node's own pages. */
must_use int admin_open(struct node *node, struct error *ret_error);
must_use int admin_listen(struct node *node, struct error *ret_error);
/* The admin listener's TLS from the files as they are now. */
must_use int admin_renew(struct node *node, struct error *ret_error);
void admin_stop(struct node *node);  /* on loop 0 */
void admin_close(struct node *node); /* after the loops */

/* admin_login.c: the admin listener's users, as its guard asks for them (http/guard.h). */
struct admin_logins;
must_use int admin_logins_open(struct node *node, struct admin_logins **ret_logins);
int admin_check_user(void *logins, slice user, slice password, struct http_login *login);
void admin_forget_user(void *logins, struct http_login *login);
struct admin_logins *admin_logins_free(struct admin_logins *logins); /* after the loops; NULL: ok */

#endif
