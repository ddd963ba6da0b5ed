/*
 * reload.c - taking up a changed nonet.yaml without closing a connection.
 *
 *   read and check --mistakes--> refused whole, the old one goes on
 *        |
 *   users, log level, certificates (files are read anew), rooms' reload --failure--> put back
 *        |
 *   streams created and updated, in the background
 *
 * What cannot change while the node runs (its name, data and shards, where it listens, limits,
 * services, flows) is compared with what the node started with, and told in the log by name.
 *
 * Listeners and rooms hold texts of a config, so the one they were last given lives until the next
 * is taken up.
 */
#include "base/mem.h"
#include "node/parts.h"

#include <errno.h>

void reload_refused(struct node *node, const struct error *error) {
    char text[1024];
    logger_write(node->room.logger, LOG_LEVEL_ERROR, "node",
                 "reload refused, the old configuration goes on", "error=%s",
                 error_text(error, text, sizeof text));
}

static void on_redeclared(struct node *node, const struct error *error) {
    if (error && error->code)
        reload_refused(node, error);
    else
        logger_write(node->room.logger, LOG_LEVEL_INFO, "node", "reloaded", NULL);
}

/* --- what needs a restart ------------------------------------------------------------------- */

static void tell(struct node *node, const char *what, bool same) {
    if (!same)
        logger_write(node->room.logger, LOG_LEVEL_WARN, "node",
                     "a changed setting takes effect at the next start", "setting=%s", what);
}

static bool same_origins(const struct conf_array *a, const struct conf_array *b) {
    const slice *x = a->items, *y = b->items;
    for (size_t i = 0; a->count == b->count && i < a->count; i++)
        if (!slice_equal(x[i], y[i]))
            return false;
    return a->count == b->count;
}

static bool has_tls(const struct config_listener *listener) {
    return listener->tls.cert.len > 0 || listener->tls.certificates.count > 0;
}

static bool same_listener(const struct config_listener *a, const struct config_listener *b) {
    return a->item.off == b->item.off && slice_equal(a->address.text, b->address.text) &&
           has_tls(a) == has_tls(b) && a->handshake_first == b->handshake_first &&
           a->same_origin == b->same_origin && same_origins(&a->origins, &b->origins);
}

/* Everything behind the item (its name and place), which has no padding but zeroes. */
static bool same_limits(const struct config_limits *a, const struct config_limits *b) {
    size_t from = offsetof(struct config_limits, max_payload);
    return memcmp((const char *)a + from, (const char *)b + from, sizeof *a - from) == 0;
}

static bool same_services(const struct conf_array *a, const struct conf_array *b) {
    const struct config_service *x = a->items, *y = b->items;
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (!slice_equal(x[i].item.name, y[i].item.name) ||
            !slice_equal(x[i].command, y[i].command) || x[i].restart != y[i].restart)
            return false;
    return true;
}

static void tell_what_stays(struct node *node, const struct config *new) {
    const struct config *old = node->config;
    tell(node, "node.name", slice_equal(old->node.name, new->node.name));
    tell(node, "node.data", slice_equal(old->node.data, new->node.data));
    tell(node, "node.pid_file", slice_equal(old->node.pid_file, new->node.pid_file));
    tell(node, "node.jetstream", old->node.jetstream == new->node.jetstream);
    tell(node, "node.log.file", slice_equal(old->node.log.file, new->node.log.file));
    tell(node, "node.shards", old->node.shards == new->node.shards);
    tell(node, "listen.nats", same_listener(&old->listen.nats, &new->listen.nats));
    tell(node, "listen.http", same_listener(&old->listen.http, &new->listen.http));
    tell(node, "listen.admin", same_listener(&old->listen.admin, &new->listen.admin));
    tell(node, "listen.sql", same_listener(&old->listen.sql, &new->listen.sql));
    tell(node, "listen.websocket", same_listener(&old->listen.websocket, &new->listen.websocket));
    tell(node, "limits", same_limits(&old->limits, &new->limits));
    tell(node, "services", same_services(&old->services, &new->services));
}

/* --- taking up ------------------------------------------------------------------------------ */

/* New certificate files for a listener that has TLS; address and on/off stay. */
static int renew_files(struct room_listen *listen, struct config *config) {
    const struct config_listener *from = config_listener(config, listen->name);
    return listen->tls.cert_file && has_tls(from)
               ? node_tls_options(config, &from->tls, &listen->tls)
               : 0;
}

static int renew_listens(struct node *node, struct config *config, struct error *ret_error) {
    int failed = 0;
    for (unsigned i = 0; i < node->room.listen_count && !failed; i++)
        failed = renew_files(&node->listens[i], config);
    return failed ? error_set(ret_error, failed, "no memory for the listeners") : 0;
}

static int reload_rooms(struct node *node, const struct config *config, struct error *ret_error) {
    for (unsigned i = 0; i < node_room_count; i++) {
        const struct room *room = node_rooms[i];
        const void *section = room->config ? config_section(config, room->config->name) : NULL;
        int failed = room->reload ? room->reload(node->room_self[i], section, ret_error) : 0;
        if (failed)
            return failed;
    }
    return 0;
}

static int take_up(struct node *node, struct config *config, struct error *ret_error) {
    struct auth *auth, *old_auth = node->room.auth;
    struct room_listen old_listens[NODE_LISTENS_MAX];
    memcpy(old_listens, node->listens, sizeof old_listens);
    int failed = node_make_auth(config, &auth, ret_error);
    if (failed)
        return failed;
    node->room.auth = auth;
    failed = renew_listens(node, config, ret_error);
    if (!failed)
        failed = admin_renew(node, ret_error);
    if (!failed)
        failed = reload_rooms(node, config, ret_error);
    if (failed) {
        memcpy(node->listens, old_listens, sizeof old_listens);
        node->room.auth = old_auth;
        auth_unref(auth);
        return failed;
    }
    auth_unref(old_auth);
    if (!node->options->log_level)
        logger_set_level(node->room.logger, (enum log_level)config->node.log.level);
    return 0;
}

int node_reload(struct node *node, struct error *ret_error) {
    if (node->phase != NODE_RUNNING || node->declare)
        return error_set(ret_error, -EBUSY, "the node is starting, stopping or reloading already");
    struct config *config;
    int failed = node_load_config(node, &config, true, ret_error);
    if (failed)
        return failed;
    failed = take_up(node, config, ret_error);
    if (failed) {
        config_free(config);
        return failed;
    }
    tell_what_stays(node, config);
    config_free(node->next_config);
    node->next_config = config;
    failed = declare_streams(node, config, on_redeclared);
    return failed ? error_set(ret_error, failed, "the streams cannot be declared: %s",
                              error_name(failed))
                  : 0;
}
