/*
 * settings.c - from nonet.yaml and the command line to what the node and its rooms are told.
 *
 * Also the data folder: made where missing, locked against a second node, and stamped with the
 * version of its format, so that a folder written by a newer Nonet is refused instead of misread.
 */
#include "base/mem.h"
#include "base/number.h"
#include "bus/auth.h"
#include "io/process.h"
#include "log/log.h"
#include "node/parts.h"
#include "wire/json_write.h"

#include <errno.h>
#include <stdio.h>

#define CONFIG_FILE_MAX (4u << 20)
#define SECRET_FILE_MAX (64u << 10)
#define FORMAT_FILE_TEXT "nonet data 1\n"

static int look_up_variable(void *argument, slice name, struct arena *arena, slice *ret_value) {
    (void)argument;
    char text[256];
    if (slice_to_string(name, text, sizeof text))
        return -ENOENT;
    const char *value = io_environment(text);
    return value ? arena_copy(arena, slice_str(value), ret_value) : -ENOENT;
}

static int look_up_file(void *argument, slice path, struct arena *arena, slice *ret_content) {
    struct io_host *host = argument;
    char text[1024];
    if (slice_to_string(path, text, sizeof text))
        return -ENAMETOOLONG;
    char *bytes;
    size_t size;
    int failed = io_file_load(host, text, SECRET_FILE_MAX, &bytes, &size);
    if (failed)
        return failed;
    failed = arena_copy(arena, slice_make(bytes, size), ret_content);
    mem_free(bytes);
    return failed;
}

static int print_mistakes(const struct conf_errors *errors) {
    _cleanup_buf_ struct buf text = buf_make(1u << 20);
    int failed = conf_errors_text(errors, &text);
    if (!failed)
        fprintf(stderr, "%.*s", slice_fmt(buf_slice(&text)));
    return failed;
}

static size_t room_sections(const struct conf_key *sections[NODE_ROOMS_MAX]) {
    size_t count = 0;
    for (unsigned i = 0; i < node_room_count; i++)
        if (node_rooms[i]->config)
            sections[count++] = node_rooms[i]->config;
    return count;
}

static bool has_passwords(const struct config *config) {
    const struct config_user *users = config->auth.users.items;
    for (size_t i = 0; i < config->auth.users.count; i++)
        if (users[i].password.len)
            return true;
    return false;
}

static void check_rooms(const struct config *config, bool insecure, struct conf_errors *errors) {
    certificates_judge(config, errors);
    const struct config_listener *http = &config->listen.http, *admin = &config->listen.admin;
    struct room_setting setting = {
        .http_exposed = !insecure && !http->item.off && !config_is_loopback(http->address),
        .http_verifies = http->tls.verify,
        .no_admin = admin->item.off || admin->address.port == 0,
        .has_users = has_passwords(config),
    };
    for (unsigned i = 0; i < node_room_count; i++)
        if (node_rooms[i]->judge && node_rooms[i]->config)
            node_rooms[i]->judge(config_section(config, node_rooms[i]->config->name), &setting,
                                 errors);
}

/* Loads the text of nonet.yaml; an APP without the file is a mistake, no APP at all is not. */
static int load_text(struct node *node, char **ret_text, size_t *ret_size,
                     struct error *ret_error) {
    *ret_text = NULL;
    *ret_size = 0;
    if (!node->options->app)
        return 0;
    snprintf(node->config_path, sizeof node->config_path, "%s/nonet.yaml", node->options->app);
    int failed =
        io_file_load(node->room.host, node->config_path, CONFIG_FILE_MAX, ret_text, ret_size);
    if (failed) {
        error_set(ret_error, failed, "cannot read %s: %s", node->config_path, error_name(failed));
        error_hint(ret_error,
                   "an app folder holds a nonet.yaml; without a folder the defaults run");
    }
    return failed;
}

/* What the mistakes are in, for a message. */
static const char *mistaken(const struct node *node) {
    return node->config_path[0] ? node->config_path : "the options";
}

/* Reads SOURCE; what is wrong has words, and is printed where PRINT asks for it. */
static int judge(struct node *node, const struct config_source *source, struct conf_errors *errors,
                 bool print, struct config **ret_config, struct error *ret_error) {
    struct config *config = NULL;
    int failed = config_load(source, &config, errors);
    if (!failed) {
        *ret_config = config;
        return 0;
    }
    if (print && print_mistakes(errors) == 0)
        error_set(ret_error, failed, "%zu mistake%s in %s", errors->count + errors->more,
                  errors->count + errors->more == 1 ? "" : "s", mistaken(node));
    else
        error_set(ret_error, failed, "the config cannot be used: %s",
                  errors->count ? errors->items[0].message : error_name(failed));
    return failed;
}

int node_load_config(struct node *node, struct config **ret_config, bool print,
                     struct error *ret_error) {
    _cleanup_arena_ struct arena arena = arena_make(0, CONFIG_MEMORY_MAX); /* of nats.conf */
    struct conf_errors *errors = mem_zalloc(1, sizeof *errors);
    const struct conf_node *tree = NULL;
    char *text = NULL;
    size_t size = 0;
    if (!errors)
        return error_set(ret_error, -ENOMEM, "no memory to read the config");
    int failed = node->options->nats ? nats_server_load(node, &arena, errors, &tree, ret_error)
                                     : load_text(node, &text, &size, ret_error);
    if (failed) {
        mem_free(errors);
        return failed;
    }
    const struct conf_key *sections[NODE_ROOMS_MAX];
    struct config_override overrides[NODE_LISTENS_MAX];
    for (unsigned i = 0; i < node->options->listen_count; i++)
        overrides[i] = (struct config_override){slice_str(node->options->listens[i].name),
                                                slice_str(node->options->listens[i].address)};
    struct config_source source = {
        .tree = tree,
        .text = slice_make(text, size),
        .file = slice_str(node->config_path),
        .directory = slice_str(node->options->app),
        .lookup = {look_up_variable, look_up_file, node->room.host},
        .sections = sections,
        .section_count = room_sections(sections),
        .judge_sections = check_rooms,
        .overrides = overrides,
        .override_count = node->options->listen_count,
        .insecure = node->options->insecure,
    };
    failed = judge(node, &source, errors, print, ret_config, ret_error);
    mem_free(errors);
    mem_free(text);
    if (!failed && print)
        certificates_warn(*ret_config);
    return failed;
}

/* --- settings ----------------------------------------------------------------------------- */

static const char *text_or_null(slice text) {
    return text.len ? text.ptr : NULL; /* the config's texts have a NUL behind them */
}

int node_tls_options(struct config *config, const struct config_tls *from,
                     struct io_tls_options *ret_options) {
    const struct config_certificate *certificates = from->certificates.items;
    size_t count = from->certificates.count;
    struct io_tls_pair *pairs = arena_zalloc(&config->arena, count + 1, sizeof *pairs);
    if (!pairs)
        return -ENOMEM;
    pairs[0] = (struct io_tls_pair){text_or_null(from->cert), text_or_null(from->key)};
    unsigned used = from->cert.len > 0;
    for (size_t i = 0; i < count; i++)
        pairs[used++] = (struct io_tls_pair){certificates[i].cert.ptr, certificates[i].key.ptr};
    *ret_options = (struct io_tls_options){
        .cert_file = pairs[0].cert_file,
        .key_file = pairs[0].key_file,
        .further = pairs + 1,
        .further_count = used > 0 ? used - 1 : 0,
        .ca_file = text_or_null(from->ca),
        .verify_peer = from->verify,
        .server = true,
    };
    return 0;
}

static int set_listen(struct node *node, const char *name, const struct config_listener *from) {
    check(node->room.listen_count < NODE_LISTENS_MAX);
    struct room_listen *listen = &node->listens[node->room.listen_count++];
    *listen = (struct room_listen){
        .name = name,
        .address = text_or_null(from->address.text),
        .off = from->item.off || !from->address.text.len,
        .given = from->item.given,
        .handshake_first = from->handshake_first,
        .same_origin = from->same_origin,
        .origins = from->origins.items,
        .origin_count = (unsigned)from->origins.count,
    };
    return node_tls_options(node->config, &from->tls, &listen->tls);
}

static void set_limits(struct node *node) {
    const struct config_limits *from = &node->config->limits;
    node->room.limits = (struct room_limits){
        .payload_bytes_max = (uint32_t)from->max_payload,
        .line_bytes_max = (uint32_t)from->max_control_line,
        .connections_max = (uint32_t)from->max_connections,
        .subscriptions_max = (uint32_t)from->max_subscriptions,
        .ping_out_max = (uint32_t)from->ping_max,
        .pending_bytes_max = from->max_pending,
        .write_deadline_ns = from->write_deadline_ns,
        .ping_interval_ns = from->ping_interval_ns,
        .auth_timeout_ns = from->auth_timeout_ns,
        .drain_ns = from->drain_timeout_ns,
        .tls_timeout_ns = from->tls_timeout_ns,
        .lame_duck_ns = from->lame_duck_ns,
        .lame_duck_grace_ns = from->lame_duck_grace_ns,
        .memory_store_bytes_max = from->max_memory_store,
        .file_store_bytes_max = from->max_file_store,
    };
}

static unsigned choose_shards(const struct node *node) {
    unsigned wanted = node->options->shards;
    if (!wanted)
        wanted = (unsigned)node->config->node.shards;
    if (!wanted) {
        unsigned cores = io_core_count();
        wanted = cores > 1 ? cores - 1 : 1;
    }
    return wanted < ROOM_SHARDS_MAX ? wanted : ROOM_SHARDS_MAX - 1;
}

static void make_server_id(struct node *node) {
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    unsigned char random[56];
    io_host_random(node->room.host, random, sizeof random);
    node->server_id[0] = 'N';
    for (size_t i = 1; i < sizeof random; i++)
        node->server_id[i] = letters[random[i] % 32];
}

int node_apply_settings(struct node *node, struct error *ret_error) {
    const struct config *config = node->config;
    struct room_node *room = &node->room;
    room->app = node->options->app;
    int failed = slice_to_string(config->node.name, node->name, sizeof node->name);
    slice data = node->options->data ? slice_str(node->options->data) : config->node.data;
    if (!failed)
        failed = slice_to_string(data, node->data, sizeof node->data);
    if (failed)
        return error_set(ret_error, failed, "the node's name or data folder is too long");
    if (node->options->nats) {
        failed = nats_server_place_data(node, ret_error);
        if (failed)
            return failed;
    }
    make_server_id(node);
    room->name = node->name;
    room->directory = node->data;
    room->server_id = node->server_id;
    room->started_ns = io_host_wall_ns(room->host);
    room->serving = choose_shards(node);
    room->stream_shard = room->serving == 1 ? 0 : room->serving;
    room->shards = room->stream_shard + 1;
    room->listens = node->listens;
    room->listening = node_note_port;
    room->write_status = node_write_status;
    room->jetstream = config->node.jetstream;
    room->monitoring_is_open = node->options->nats != NULL;
    room->self = node;
    set_limits(node);
    failed = set_listen(node, "nats", &config->listen.nats);
    if (!failed)
        failed = set_listen(node, "http", &config->listen.http);
    if (!failed)
        failed = set_listen(node, "admin", &config->listen.admin);
    if (!failed)
        failed = set_listen(node, "sql", &config->listen.sql);
    if (!failed)
        failed = set_listen(node, "websocket", &config->listen.websocket);
    if (failed)
        return error_set(ret_error, failed, "no memory for the listeners");
    return node_make_auth(config, &room->auth, ret_error);
}

static struct auth_subjects subjects_of(struct conf_array array) {
    return (struct auth_subjects){array.items, (unsigned)array.count};
}

int node_make_auth(const struct config *config, struct auth **ret_auth, struct error *ret_error) {
    size_t count = config->auth.users.count;
    struct auth_user *users = mem_zalloc(count ? count : 1, sizeof *users);
    if (!users)
        return error_set(ret_error, -ENOMEM, "no memory for %zu users", count);
    const struct config_user *from = config->auth.users.items;
    for (size_t i = 0; i < count; i++)
        users[i] = (struct auth_user){
            .user = from[i].user,
            .password = from[i].password,
            .token = from[i].token,
            .nkey = from[i].nkey,
            .publish_allow = subjects_of(from[i].publish.allow),
            .publish_deny = subjects_of(from[i].publish.deny),
            .subscribe_allow = subjects_of(from[i].subscribe.allow),
            .subscribe_deny = subjects_of(from[i].subscribe.deny),
            /* Who may only answer may not publish besides, as with nats-server. */
            .limits_publish =
                from[i].publish.allow.items != NULL || from[i].allow_responses.item.given,
            .limits_subscribe = from[i].subscribe.allow.items != NULL,
            .may_respond = from[i].allow_responses.item.given,
            .responses_max = (uint32_t)from[i].allow_responses.max,
            .responses_ns = from[i].allow_responses.expires_ns,
        };
    struct auth *auth = NULL;
    int failed = auth_create(users, (unsigned)count, &auth, ret_error);
    mem_free(users);
    slice stranger = config->auth.no_auth_user;
    if (!failed && stranger.len) {
        failed = auth_let_in_strangers(auth, stranger);
        if (failed)
            error_set(ret_error, failed, "there is no user '%.*s'", slice_fmt(stranger));
    }
    if (failed)
        auth_unref(auth);
    else
        *ret_auth = auth;
    return failed;
}

/* --- data folder -------------------------------------------------------------------------- */

static int check_format(struct node *node, struct error *ret_error) {
    char path[sizeof node->data + 16];
    snprintf(path, sizeof path, "%s/format", node->data);
    char *text;
    size_t size;
    int failed = io_file_load(node->room.host, path, 256, &text, &size);
    if (failed == -ENOENT) {
        failed = io_file_replace(node->room.host, path, slice_lit(FORMAT_FILE_TEXT), 0600);
        return failed
                   ? error_set(ret_error, failed, "cannot write %s: %s", path, error_name(failed))
                   : 0;
    }
    if (failed)
        return error_set(ret_error, failed, "cannot read %s: %s", path, error_name(failed));
    bool ours = slice_equal(slice_make(text, size), slice_lit(FORMAT_FILE_TEXT));
    mem_free(text);
    if (ours)
        return 0;
    error_set(ret_error, -ENOTSUP, "the data in %s has a format this version does not know",
              node->data);
    error_hint(ret_error,
               "it was written by a newer Nonet: run that one, or choose another --data");
    return -ENOTSUP;
}

int node_open_data(struct node *node, struct error *ret_error) {
    char path[sizeof node->data + 16];
    struct io_host *host = node->room.host;
    int failed = io_dir_create(host, node->data);
    if (failed)
        return error_set(ret_error, failed, "cannot make the data folder %s: %s", node->data,
                         error_name(failed));
    snprintf(path, sizeof path, "%s/lock", node->data);
    failed = io_file_open(host, path, IO_FILE_WRITE | IO_FILE_CREATE, &node->lock);
    if (!failed)
        failed = io_file_lock(node->lock);
    if (failed == -EWOULDBLOCK) {
        error_set(ret_error, failed, "the data folder %s is in use by another node", node->data);
        error_hint(ret_error, "stop that node, or give this one its own folder with --data");
        return failed;
    }
    if (failed)
        return error_set(ret_error, failed, "cannot lock %s: %s", path, error_name(failed));
    node->data_is_temporary = node->options->nats && !node->store_dir[0]; /* ours, not another's */
    return check_format(node, ret_error);
}

/* --- ports file --------------------------------------------------------------------------- */

void node_note_port(struct room_node *room_node, const char *listener, const char *address) {
    struct node *node = room_node->self;
    check(node->port_count < NODE_LISTENS_MAX);
    node->ports[node->port_count].name = listener;
    snprintf(node->ports[node->port_count].address, sizeof node->ports[0].address, "%s", address);
    node->port_count++;
}

static int write_ports_to(struct node *node, const char *path, slice text,
                          struct error *ret_error) {
    int failed = io_file_replace(node->room.host, path, text, 0644);
    return failed ? error_set(ret_error, failed, "cannot write %s: %s", path, error_name(failed))
                  : 0;
}

int node_write_ports(struct node *node, struct error *ret_error) {
    _cleanup_buf_ struct buf text = buf_make(64u << 10);
    struct json_writer w = json_writer_make(&text, false);
    json_write_object(&w);
    for (unsigned i = 0; i < node->port_count; i++) {
        json_write_key(&w, node->ports[i].name);
        json_write_text(&w, node->ports[i].address);
    }
    json_write_end(&w);
    int failed = json_write_finish(&w);
    if (!failed)
        failed = buf_append_byte(&text, '\n');
    if (failed)
        return error_set(ret_error, failed, "no memory for the ports file");
    char path[sizeof node->data + 16];
    snprintf(path, sizeof path, "%s/ports.json", node->data);
    failed = write_ports_to(node, path, buf_slice(&text), ret_error);
    if (!failed && node->options->ports_file)
        failed = write_ports_to(node, node->options->ports_file, buf_slice(&text), ret_error);
    return failed;
}
