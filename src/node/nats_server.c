/*
 * nats_server.c - what is different when the node stands in nats-server's place.
 *
 *      start    settings from nats.conf and flags; without JetStream the data folder is a temporary
 *               one, for this run
 *      ready    PORTS_DIR/nats-server_PID.ports, and the log's "Listening for client connections
 *               on ..." and "Server is ready", which scripts wait for
 *      end      the ports file goes, "Server Exiting..", the temporary folder goes
 *
 * The files of nats-server's own streams are not read. A store_dir that holds some is refused: to
 * start empty where somebody keeps data would look like its loss.
 */
#include "base/mem.h"
#include "io/file.h"
#include "io/process.h"
#include "node/nats_config.h"
#include "node/parts.h"
#include "rooms/pubsub/pubsub.h"
#include "wire/json_write.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#define TEMPORARY_DEFAULT "/tmp"
#define REMOVE_DEPTH_MAX 8u

/* --- configuration ------------------------------------------------------------------------ */

static const char *temporary_folder(void) {
    const char *set = io_environment("TMPDIR");
    return set && *set ? set : TEMPORARY_DEFAULT;
}

static int load_file(void *self, slice path, struct arena *arena, slice *ret_text) {
    struct node *node = self;
    char name[1024];
    char *bytes;
    size_t size;
    if (slice_to_string(path, name, sizeof name))
        return -ENAMETOOLONG;
    int failed = io_file_load(node->room.host, name, NATS_CONF_TEXT_MAX, &bytes, &size);
    if (failed)
        return failed;
    failed = arena_copy(arena, slice_make(bytes, size), ret_text);
    mem_free(bytes);
    return failed;
}

static int look_up(void *self, slice name, struct arena *arena, slice *ret_value) {
    (void)self;
    char text[256];
    if (slice_to_string(name, text, sizeof text))
        return -ENOENT;
    const char *value = io_environment(text);
    return value ? arena_copy(arena, slice_str(value), ret_value) : -ENOENT;
}

static void free_parsed(void *conf) {
    nats_conf_free(conf);
}

/* The file's tree, freed with ARENA; NULL where there is no file. */
static int parse(struct node *node, struct arena *arena, const struct nats_conf_node **ret_root,
                 struct error *ret_error) {
    const char *config = node->options->nats->config;
    struct nats_conf_source source = {.load = load_file, .variable = look_up, .self = node};
    *ret_root = NULL;
    if (!config)
        return 0;
    snprintf(node->config_path, sizeof node->config_path, "%s", config);
    source.name = slice_str(node->config_path);
    int failed = load_file(node, slice_str(config), arena, &source.text);
    if (failed)
        return error_set(ret_error, failed, "cannot read %s: %s", config, error_name(failed));
    struct nats_conf *conf = arena_zalloc(arena, 1, sizeof *conf);
    if (!conf)
        return error_set(ret_error, -ENOMEM, "no memory to read %s", config);
    failed = nats_conf_parse(&source, conf, ret_error);
    if (failed)
        return failed;
    if (arena_on_cleanup(arena, free_parsed, conf)) {
        nats_conf_free(conf);
        return error_set(ret_error, -ENOMEM, "no memory to read %s", config);
    }
    *ret_root = conf->root;
    return 0;
}

int nats_server_load(struct node *node, struct arena *arena, struct conf_errors *errors,
                     const struct conf_node **ret_tree, struct error *ret_error) {
    const struct node_nats *nats = node->options->nats;
    const struct nats_conf_node *root;
    struct nats_config made;
    int failed = parse(node, arena, &root, ret_error);
    if (failed)
        return failed;
    failed = nats_config_translate(root, nats->settings, nats->setting_count,
                                   slice_str(temporary_folder()), arena, errors, &made);
    if (!failed && !node->config) { /* not by a reload */
        failed = slice_to_string(made.ports_dir, node->ports_dir, sizeof node->ports_dir);
        if (!failed)
            failed = slice_to_string(made.store_dir, node->store_dir, sizeof node->store_dir);
    }
    if (failed)
        return error_set(ret_error, failed, "the settings cannot be taken up: %s",
                         error_name(failed));
    *ret_tree = made.tree;
    return 0;
}

/* --- data --------------------------------------------------------------------------------- */

static int ignore(void *owner, const char *name) {
    (void)owner;
    (void)name;
    return 1;
}

int nats_server_place_data(struct node *node, struct error *ret_error) {
    char theirs[sizeof node->store_dir + 16];
    if (!node->store_dir[0]) {
        int n = snprintf(node->data, sizeof node->data, "%s/nonet-nats-server-%d",
                         temporary_folder(), io_process_self());
        return n < (int)sizeof node->data
                   ? 0
                   : error_set(ret_error, -ENAMETOOLONG, "TMPDIR is too long");
    }
    snprintf(theirs, sizeof theirs, "%s/jetstream", node->store_dir);
    int found = io_dir_list(node->room.host, theirs, ignore, NULL);
    if (found == 0 || found == -ENOENT)
        return 0;
    if (found < 0) {
        error_set(ret_error, found, "cannot look for streams of nats-server in %s: %s", theirs,
                  error_name(found));
        error_hint(ret_error, "choose another store_dir, or make that a folder that can be read");
        return found;
    }
    error_set(ret_error, -EEXIST, "%s holds streams of nats-server, which nonet does not read",
              theirs);
    error_hint(ret_error, "choose another store_dir, or move that folder away to start empty");
    return -EEXIST;
}

struct removal {
    struct io_host *host;
    const char *path;
    unsigned depth;
};

static int remove_entry(void *owner, const char *name) {
    const struct removal *from = owner;
    char path[1200];
    if (snprintf(path, sizeof path, "%s/%s", from->path, name) >= (int)sizeof path)
        return -ENAMETOOLONG;
    struct removal inner = {from->host, path, from->depth + 1};
    if (io_unlink(from->host, path) == 0)
        return 0;
    int failed = inner.depth < REMOVE_DEPTH_MAX
                     ? io_dir_list(from->host, path, remove_entry, &inner)
                     : -ELOOP;
    return failed ? failed : io_dir_remove(from->host, path);
}

void nats_server_clean_up(struct node *node) {
    if (!node->data_is_temporary)
        return;
    struct removal all = {node->room.host, node->data, 0};
    int failed = io_dir_list(node->room.host, node->data, remove_entry, &all);
    if (!failed)
        failed = io_dir_remove(node->room.host, node->data);
    if (failed && failed != -ENOENT)
        fprintf(stderr, "nonet: cannot remove %s: %s\n", node->data, error_name(failed));
}

/* --- files of a running node -------------------------------------------------------------- */

int node_write_pid(struct node *node, struct error *ret_error) {
    slice path = node->config->node.pid_file;
    char text[16];
    if (!path.len)
        return 0;
    int n = snprintf(text, sizeof text, "%d", io_process_self());
    int failed = io_file_replace(node->room.host, path.ptr, slice_make(text, (size_t)n), 0644);
    return failed ? error_set(ret_error, failed, "cannot write %.*s: %s", slice_fmt(path),
                              error_name(failed))
                  : 0;
}

static const char *port_of(const struct node *node, const char *name) {
    for (unsigned i = 0; i < node->port_count; i++)
        if (strcmp(node->ports[i].name, name) == 0)
            return node->ports[i].address;
    return NULL;
}

/* An address that listens everywhere is reached here by loopback. */
static int write_url(struct json_writer *w, const char *key, const char *scheme,
                     const char *address) {
    char url[128];
    if (!address)
        return 0;
    const char *port = strrchr(address, ':');
    bool everywhere = strncmp(address, "0.0.0.0:", 8) == 0 || strncmp(address, "[::]:", 5) == 0;
    int n = everywhere ? snprintf(url, sizeof url, "%s://127.0.0.1%s", scheme, port)
                       : snprintf(url, sizeof url, "%s://%s", scheme, address);
    if (n >= (int)sizeof url)
        return -ENAMETOOLONG;
    json_write_key(w, key);
    json_write_array(w);
    json_write_text(w, url);
    json_write_end(w);
    return 0;
}

static const char *scheme_of(const struct node *node, const char *listener, const char *plain,
                             const char *tls) {
    const struct room_listen *listen = room_listen(&node->room, listener);
    return listen && listen->tls.cert_file ? tls : plain;
}

static int write_ports(struct node *node, struct error *ret_error) {
    if (!node->ports_dir[0])
        return 0;
    _cleanup_buf_ struct buf text = buf_make(4096);
    struct json_writer w = json_writer_make(&text, false);
    json_write_object(&w);
    int failed =
        write_url(&w, "nats", scheme_of(node, "nats", "nats", "tls"), port_of(node, "nats"));
    if (!failed)
        failed = write_url(&w, "monitoring", scheme_of(node, "admin", "http", "https"),
                           port_of(node, "admin"));
    if (!failed)
        failed = write_url(&w, "websocket", scheme_of(node, "websocket", "ws", "wss"),
                           port_of(node, "websocket"));
    json_write_end(&w);
    if (!failed)
        failed = json_write_finish(&w);
    snprintf(node->ports_path, sizeof node->ports_path, "%s/nats-server_%d.ports", node->ports_dir,
             io_process_self());
    if (!failed)
        failed = io_file_replace(node->room.host, node->ports_path, buf_slice(&text), 0644);
    if (failed) {
        error_set(ret_error, failed, "cannot write %s: %s", node->ports_path, error_name(failed));
        node->ports_path[0] = '\0';
    }
    return failed;
}

/* --- lines -------------------------------------------------------------------------------- */

static void say(struct node *node, enum log_level level, const char *format, ...) printf_like(3, 4);

static void say(struct node *node, enum log_level level, const char *format, ...) {
    char line[256];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    logger_write(node->room.logger, level, "node", line, NULL);
}

int nats_server_ready(struct node *node, struct error *ret_error) {
    int failed = write_ports(node, ret_error);
    if (failed)
        return failed;
    const char *nats = port_of(node, "nats"), *admin = port_of(node, "admin");
    say(node, LOG_LEVEL_INFO, "Starting nats-server, which is nonet " NONET_VERSION);
    say(node, LOG_LEVEL_INFO, "  Version:  " PUBSUB_NATS_VERSION);
    say(node, LOG_LEVEL_INFO, "  Name:     %s", node->name);
    say(node, LOG_LEVEL_INFO, "  ID:       %s", node->server_id);
    if (node->options->nats->config)
        say(node, LOG_LEVEL_INFO, "Using configuration file: %s", node->options->nats->config);
    if (node->config->node.jetstream)
        say(node, LOG_LEVEL_INFO, "  Store Directory: %s", node->data);
    if (admin)
        say(node, LOG_LEVEL_INFO, "Starting %s monitor on %s",
            scheme_of(node, "admin", "http", "https"), admin);
    if (port_of(node, "websocket"))
        say(node, LOG_LEVEL_INFO, "Listening for websocket clients on %s://%s",
            scheme_of(node, "websocket", "ws", "wss"), port_of(node, "websocket"));
    if (nats)
        say(node, LOG_LEVEL_INFO, "Listening for client connections on %s", nats);
    if (nats && room_listen(&node->room, "nats")->tls.cert_file)
        say(node, LOG_LEVEL_INFO, "TLS required for client connections");
    if (!config_is_loopback(node->config->listen.nats.address) &&
        node->config->auth.users.count == 0)
        say(node, LOG_LEVEL_WARN,
            "Everybody in the network may connect: there is no authorization");
    say(node, LOG_LEVEL_INFO, "Server is ready");
    return 0;
}

void nats_server_farewell(struct node *node) {
    int failed = node->ports_path[0] ? io_unlink(node->room.host, node->ports_path) : 0;
    if (failed)
        say(node, LOG_LEVEL_WARN, "the ports file cannot be removed: %s", error_name(failed));
    say(node, LOG_LEVEL_INFO, "Initiating Shutdown...");
}

const char *node_nats_version(void) {
    return PUBSUB_NATS_VERSION;
}
