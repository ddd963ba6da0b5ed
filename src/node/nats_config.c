/*
 * nats_config.c - walks nats-server's settings and puts together the tree of a nonet.yaml.
 *
 * Values are copied as text, with the place they were read at, and are literal: a "${" in a
 * password of nats.conf is one. Ranges are not judged here but where all settings are, in the
 * tables of config_tables.c.
 */
#include "node/nats_config_parts.h"

#include "base/edit.h"
#include "base/number.h"

#include <errno.h>
#include <stdio.h>

#define HOST_DEFAULT "0.0.0.0"
#define NATS_PORT 4222
#define NAMES_MAX 128u

/* --- values ------------------------------------------------------------------------------- */

static void note(struct translation *t, const struct nats_conf_entry *entry, const char *hint,
                 const char *what) {
    conf_errors_note(t->errors, entry->place, hint, "'%.*s' %s",
                     slice_fmt(slice_take(entry->key, 64)), what);
}

bool nats_text(struct translation *t, const struct nats_conf_entry *entry, slice *ret_text) {
    const struct nats_conf_node *node = entry->value;
    if (node->type == NATS_CONF_ARRAY || node->type == NATS_CONF_MAP) {
        note(t, entry, NULL, "takes one value, not a block or an array");
        return false;
    }
    *ret_text = node->text;
    return true;
}

/* Flags come as text. */
bool nats_bool(struct translation *t, const struct nats_conf_entry *entry, bool *ret_value) {
    const struct nats_conf_node *node = entry->value;
    if (node->type == NATS_CONF_BOOL) {
        *ret_value = node->number != 0;
        return true;
    }
    if (node->type == NATS_CONF_TEXT && number_parse_bool(node->text, ret_value) == 0)
        return true;
    note(t, entry, "write true or false", "is neither true nor false");
    return false;
}

bool nats_number(struct translation *t, const struct nats_conf_entry *entry, int64_t *ret_number) {
    const struct nats_conf_node *node = entry->value;
    if (node->type == NATS_CONF_NUMBER) {
        *ret_number = node->number;
        return true;
    }
    if (node->type == NATS_CONF_TEXT &&
        number_parse_i64(node->text, INT64_MIN, INT64_MAX, ret_number) == 0)
        return true;
    note(t, entry, "sizes are written without quotes: 1MB, 64k", "is not a whole number");
    return false;
}

bool nats_time(struct translation *t, const struct nats_conf_entry *entry, slice *ret_text,
               int *ret_failed) {
    const struct nats_conf_node *node = entry->value;
    slice text;
    *ret_failed = 0;
    if (!nats_text(t, entry, &text))
        return false;
    if (node->type == NATS_CONF_NUMBER)
        *ret_failed = arena_printf(t->arena, ret_text, "%llds", (long long)node->number);
    else if (node->type == NATS_CONF_FRACTION)
        *ret_failed = arena_printf(t->arena, ret_text, "%.*ss", slice_fmt(text));
    else
        *ret_text = text;
    return *ret_failed == 0;
}

struct conf_node *nats_scalar(struct translation *t, struct conf_place place, slice text) {
    struct conf_node *node = arena_zalloc(t->arena, 1, sizeof *node);
    if (node)
        *node = (struct conf_node){
            .type = CONF_NODE_SCALAR, .place = place, .text = text, .literal = true};
    return node;
}

struct conf_node *nats_map(struct translation *t, struct conf_place place,
                           const struct conf_entry *entries, size_t count) {
    struct conf_node *node = arena_zalloc(t->arena, 1, sizeof *node);
    if (node)
        *node = (struct conf_node){
            .type = CONF_NODE_MAP, .place = place, .entries = entries, .count = count};
    return node;
}

struct conf_node *nats_texts(struct translation *t, const struct nats_conf_entry *entry) {
    const struct nats_conf_node *node = entry->value;
    struct nats_conf_entry alone = *entry;
    const struct nats_conf_entry *from = node->type == NATS_CONF_ARRAY ? node->entries : &alone;
    size_t count = node->type == NATS_CONF_ARRAY ? node->count : 1, taken = 0;
    struct conf_entry *entries = arena_zalloc(t->arena, count, sizeof *entries);
    struct conf_node *list = arena_zalloc(t->arena, 1, sizeof *list);
    if (!entries || !list)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        struct nats_conf_entry one = {entry->key, from[i].place, from[i].value, false};
        slice text;
        if (!nats_text(t, &one, &text))
            continue;
        struct conf_node *value = nats_scalar(t, from[i].place, text);
        if (!value)
            return NULL;
        entries[taken++] = (struct conf_entry){.place = from[i].place, .value = value};
    }
    *list = (struct conf_node){
        .type = CONF_NODE_LIST, .place = entry->place, .entries = entries, .count = taken};
    return list;
}

int nats_put(struct translation *t, enum nats_section section, const char *key,
             struct conf_place place, struct conf_node *value) {
    struct section *s = &t->sections[section];
    size_t at = 0;
    if (!value)
        return -ENOMEM;
    while (at < s->count && !slice_equal(s->entries[at].key, slice_str(key)))
        at++;
    check(at < SECTION_KEYS_MAX);
    s->entries[at] = (struct conf_entry){slice_str(key), place, value};
    s->count += at == s->count;
    if (!s->given)
        s->place = place;
    s->given = true;
    return 0;
}

/* --- keys --------------------------------------------------------------------------------- */

/* Whether KEY is one of NAMES, words with blanks between them. */
static bool is_named(const char *names, slice key) {
    slice rest = slice_str(names);
    while (rest.len) {
        slice name = slice_cut(rest, ' ', &rest);
        if (slice_equal_nocase(name, key))
            return true;
    }
    return false;
}

static int put_number(struct translation *t, const struct nats_key *key,
                      const struct nats_conf_entry *entry) {
    int64_t number;
    slice text;
    if (!nats_number(t, entry, &number) || number == 0)
        return 0;
    if (number < 0 && key->unlimited)
        text = slice_str(key->unlimited);
    else if (arena_printf(t->arena, &text, "%lld", (long long)number))
        return -ENOMEM;
    return nats_put(t, key->section, key->into, entry->place,
                    nats_scalar(t, entry->value->place, text));
}

static int put_time(struct translation *t, const struct nats_key *key,
                    const struct nats_conf_entry *entry) {
    slice text;
    int failed;
    if (!nats_time(t, entry, &text, &failed) || slice_equal(text, slice_lit("0s")))
        return failed;
    return nats_put(t, key->section, key->into, entry->place,
                    nats_scalar(t, entry->value->place, text));
}

static int put_text(struct translation *t, const struct nats_key *key,
                    const struct nats_conf_entry *entry) {
    slice text;
    bool truth;
    if (key->form == FORM_BOOL ? !nats_bool(t, entry, &truth) : !nats_text(t, entry, &text))
        return 0;
    if (key->form == FORM_BOOL)
        text = truth ? slice_lit("true") : slice_lit("false");
    return nats_put(t, key->section, key->into, entry->place,
                    nats_scalar(t, entry->value->place, text));
}

static bool is_switched_off(const struct nats_conf_node *node) {
    bool zero = (node->type == NATS_CONF_NUMBER || node->type == NATS_CONF_BOOL) && !node->number;
    static const char *const words[] = {"", "disabled", "false", "0"}; /* flags come as text */
    for (size_t i = 0; i < array_count(words) && node->type == NATS_CONF_TEXT; i++)
        if (slice_equal_nocase(node->text, slice_str(words[i])))
            return true;
    return zero;
}

static int apply_key(struct translation *t, const struct nats_key *key,
                     const struct nats_conf_entry *entry) {
    switch (key->form) {
    case FORM_NUMBER:
    case FORM_SIZE:
        return put_number(t, key, entry);
    case FORM_TIME:
        return put_time(t, key, entry);
    case FORM_TEXTS:
        return nats_put(t, key->section, key->into, entry->place, nats_texts(t, entry));
    case FORM_TAKEN:
        return key->take(t, entry);
    case FORM_OFF:
    case FORM_REFUSED:
        if (key->form == FORM_REFUSED || !is_switched_off(entry->value))
            note(t, entry, key->hint, "is a setting of nats-server that nonet does not serve");
        return 0;
    default:
        return put_text(t, key, entry);
    }
}

static void note_unknown(struct translation *t, const struct nats_table *table,
                         const struct nats_conf_entry *entry) {
    const char *names[NAMES_MAX];
    char first[NAMES_MAX][40];
    size_t count = 0;
    for (; count < table->count && count < NAMES_MAX; count++) {
        slice rest, name = slice_cut(slice_str(table->keys[count].names), ' ', &rest);
        names[count] = slice_to_string(name, first[count], sizeof first[0]) ? "" : first[count];
    }
    ptrdiff_t near = edit_closest(entry->key, names, count);
    char hint[64] = "";
    if (near >= 0)
        snprintf(hint, sizeof hint, "did you mean '%s'?", names[near]);
    conf_errors_note(t->errors, entry->place, hint[0] ? hint : NULL, "unknown field '%.*s'%s%s",
                     slice_fmt(slice_take(entry->key, 64)), table->name[0] ? " in " : "",
                     table->name);
}

/* "PORT: 4222" for "port: $PORT": whoever writes a variable so does not mean the setting. */
static bool is_only_variable(const struct nats_conf_entry *entry) {
    bool upper = false;
    for (size_t i = 0; i < entry->key.len; i++)
        upper |= entry->key.ptr[i] >= 'A' && entry->key.ptr[i] <= 'Z';
    return entry->is_variable && upper;
}

int nats_walk(struct translation *t, const struct nats_table *table,
              const struct nats_conf_node *map) {
    for (uint32_t i = 0; i < map->count; i++) {
        const struct nats_conf_entry *entry = &map->entries[i];
        if (is_only_variable(entry))
            continue;
        size_t k = 0;
        while (k < table->count && !is_named(table->keys[k].names, entry->key))
            k++;
        if (k == table->count && !entry->is_variable)
            note_unknown(t, table, entry);
        int failed = k < table->count ? apply_key(t, &table->keys[k], entry) : 0;
        if (failed)
            return failed;
    }
    return 0;
}

int nats_walk_block(struct translation *t, const struct nats_table *table,
                    const struct nats_conf_entry *entry) {
    if (entry->value->type == NATS_CONF_MAP)
        return nats_walk(t, table, entry->value);
    note(t, entry, "write { key: value }", "must be a block");
    return 0;
}

/* --- flags -------------------------------------------------------------------------------- */

/* "tls.cert_file" is the key cert_file in a block tls. */
static int apply_setting(struct translation *t, const struct node_nats_setting *setting) {
    slice key, block = slice_cut(slice_str(setting->key), '.', &key);
    struct conf_place place = {.file = slice_str(setting->flag)};
    struct nats_conf_node value = {
        .type = NATS_CONF_TEXT, .place = place, .weight = 1, .text = slice_str(setting->value)};
    struct nats_conf_entry inner = {.key = key.ptr ? key : block, .place = place, .value = &value};
    struct nats_conf_node map = {
        .type = NATS_CONF_MAP, .place = place, .entries = &inner, .count = 1};
    if (!key.ptr)
        return nats_walk(t, &nats_top_table, &map);
    struct nats_conf_entry outer = {.key = block, .place = place, .value = &map};
    struct nats_conf_node top = {
        .type = NATS_CONF_MAP, .place = place, .entries = &outer, .count = 1};
    return nats_walk(t, &nats_top_table, &top);
}

/* --- the tree ----------------------------------------------------------------------------- */

static struct conf_node *address_of(struct translation *t, const struct endpoint *e,
                                    slice host_default) {
    slice text, host = e->host.len ? e->host : host_default;
    const char *open = slice_find(host, ':') >= 0 && host.ptr[0] != '[' ? "[" : "";
    if (arena_printf(t->arena, &text, "%s%.*s%s:%lld", open, slice_fmt(host), *open ? "]" : "",
                     (long long)(e->port < 0 ? 0 : e->port)))
        return NULL;
    return nats_scalar(t, e->place, text);
}

/* A section as an entry of the one around it. */
static int put_section(struct translation *t, enum nats_section from, enum nats_section to,
                       const char *key) {
    struct section *s = &t->sections[from];
    return s->given ? nats_put(t, to, key, s->place, nats_map(t, s->place, s->entries, s->count))
                    : 0;
}

static int finish_websocket(struct translation *t) {
    const struct section *tls = &t->sections[SECTION_WEBSOCKET_TLS];
    if (!t->websocket.given)
        conf_errors_note(t->errors, t->websocket_place, "add port: -1 takes a free one",
                         "websocket has no port");
    if (!tls->given && !t->websocket_plain)
        conf_errors_note(t->errors, t->websocket_place,
                         "add tls {cert_file, key_file}, or no_tls: true",
                         "websocket has neither tls nor no_tls");
    int failed = nats_put(t, SECTION_WEBSOCKET, "address", t->websocket.place,
                          address_of(t, &t->websocket, slice_lit(HOST_DEFAULT)));
    return failed || t->websocket_plain
               ? failed
               : put_section(t, SECTION_WEBSOCKET_TLS, SECTION_WEBSOCKET, "tls");
}

static int finish_listeners(struct translation *t) {
    slice everywhere = slice_lit(HOST_DEFAULT);
    if (!t->nats.port)
        t->nats.port = NATS_PORT;
    int failed =
        nats_put(t, SECTION_NATS, "address", t->nats.place, address_of(t, &t->nats, everywhere));
    if (!failed)
        failed = put_section(t, SECTION_NATS_TLS, SECTION_NATS, "tls");
    slice host = t->nats.host.len ? t->nats.host : everywhere;
    if (!failed && t->admin.given)
        failed =
            nats_put(t, SECTION_ADMIN, "address", t->admin.place, address_of(t, &t->admin, host));
    if (!failed && t->admin.given && t->admin_tls)
        failed = put_section(t, SECTION_NATS_TLS, SECTION_ADMIN, "tls");
    return failed || !t->wants_websocket ? failed : finish_websocket(t);
}

static int finish_node(struct translation *t, slice temporary) {
    const struct conf_place nowhere = {0};
    const char *level = t->trace ? "trace" : t->debug ? "debug" : "info";
    int failed =
        nats_put(t, SECTION_LOG, "level", nowhere, nats_scalar(t, nowhere, slice_str(level)));
    if (!failed)
        failed = put_section(t, SECTION_LOG, SECTION_NODE, "log");
    if (!failed)
        failed = nats_put(t, SECTION_NODE, "jetstream", t->jetstream_place,
                          nats_scalar(t, t->jetstream_place,
                                      t->jetstream ? slice_lit("true") : slice_lit("false")));
    if (failed || !t->jetstream)
        return failed;
    slice data;
    if (!t->store_dir.len)
        failed = arena_printf(t->arena, &t->store_dir, "%.*s/nats", slice_fmt(temporary));
    if (!failed)
        failed = arena_printf(t->arena, &data, "%.*s/" NATS_CONFIG_STORE, slice_fmt(t->store_dir));
    return failed ? failed
                  : nats_put(t, SECTION_NODE, "data", t->jetstream_place,
                             nats_scalar(t, t->jetstream_place, data));
}

/* listen, with monitoring, the gateway and SQL off unless they were asked for. */
static struct conf_node *make_listen(struct translation *t) {
    static const struct {
        const char *name;
        enum nats_section section;
    } listeners[] = {
        {"nats", SECTION_NATS}, {"admin", SECTION_ADMIN}, {"websocket", SECTION_WEBSOCKET}};
    struct conf_entry *entries =
        arena_zalloc(t->arena, array_count(listeners) + 2, sizeof *entries);
    struct conf_node *off = nats_scalar(t, (struct conf_place){0}, slice_lit("off"));
    if (!entries || !off)
        return NULL;
    size_t count = 0;
    entries[count++] = (struct conf_entry){.key = slice_lit("http"), .value = off};
    entries[count++] = (struct conf_entry){.key = slice_lit("sql"), .value = off};
    for (size_t i = 0; i < array_count(listeners); i++) {
        const struct section *s = &t->sections[listeners[i].section];
        struct conf_node *value = s->given ? nats_map(t, s->place, s->entries, s->count) : off;
        if (!value)
            return NULL;
        entries[count++] = (struct conf_entry){slice_str(listeners[i].name), s->place, value};
    }
    return nats_map(t, (struct conf_place){0}, entries, count);
}

static struct conf_node *make_auth(struct translation *t, struct conf_node *users) {
    struct conf_entry *entries = arena_zalloc(t->arena, 2, sizeof *entries);
    struct conf_place place = users ? users->place : t->stranger_place;
    size_t count = 0;
    if (!entries)
        return NULL;
    if (users)
        entries[count++] = (struct conf_entry){slice_lit("users"), users->place, users};
    if (t->stranger.len) {
        struct conf_node *name = nats_scalar(t, t->stranger_place, t->stranger);
        if (!name)
            return NULL;
        entries[count++] = (struct conf_entry){slice_lit("no_auth_user"), t->stranger_place, name};
    }
    return nats_map(t, place, entries, count);
}

static int make_tree(struct translation *t, struct conf_node *users, struct nats_config *ret) {
    struct section *limits = &t->sections[SECTION_LIMITS], *node = &t->sections[SECTION_NODE];
    struct conf_entry *entries = arena_zalloc(t->arena, 4, sizeof *entries);
    struct conf_node *listen = make_listen(t), *auth = make_auth(t, users);
    struct conf_node *in_node = nats_map(t, node->place, node->entries, node->count);
    struct conf_node *in_limits = nats_map(t, limits->place, limits->entries, limits->count);
    if (!entries || !listen || !auth || !in_node || !in_limits)
        return -ENOMEM;
    entries[0] = (struct conf_entry){slice_lit("node"), node->place, in_node};
    entries[1] = (struct conf_entry){slice_lit("listen"), listen->place, listen};
    entries[2] = (struct conf_entry){slice_lit("limits"), limits->place, in_limits};
    entries[3] = (struct conf_entry){slice_lit("auth"), auth->place, auth};
    ret->tree = nats_map(t, (struct conf_place){0}, entries, 4);
    ret->ports_dir = t->ports_dir;
    ret->store_dir = t->jetstream ? t->store_dir : (slice){0};
    return ret->tree ? 0 : -ENOMEM;
}

int nats_config_translate(const struct nats_conf_node *root,
                          const struct node_nats_setting *settings, size_t setting_count,
                          slice temporary, struct arena *arena, struct conf_errors *errors,
                          struct nats_config *ret) {
    struct translation *t = arena_zalloc(arena, 1, sizeof *t);
    struct conf_node *users = NULL;
    if (!t)
        return -ENOMEM;
    t->arena = arena;
    t->errors = errors;
    t->tls = SECTION_NATS_TLS;
    t->last_user = &t->users;
    int failed = root ? nats_walk(t, &nats_top_table, root) : 0;
    for (size_t i = 0; i < setting_count && !failed; i++)
        failed = apply_setting(t, &settings[i]);
    if (!failed)
        failed = finish_listeners(t);
    if (!failed)
        failed = finish_node(t, temporary);
    if (!failed)
        failed = nats_finish_users(t, &users);
    return failed ? failed : make_tree(t, users, ret);
}
