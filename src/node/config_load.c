/*
 * config_load.c - from the text of nonet.yaml to a struct config.
 *
 * One block holds struct config and, behind it, the structs of the rooms' sections, so that one
 * root table describes the whole file. The YAML tree is copied into the shape that base/conf
 * reads (base knows no YAML, and wire no configuration) and freed.
 */
#include "node/config_load.h"

#include "node/config_tables.h"
#include "wire/yaml.h"

#include <errno.h>

/* A copy of NODE in ARENA, or NULL without memory. As deep as YAML_DEPTH_MAX at most. */
static const struct conf_node *copy_tree(const struct yaml_node *node, slice file,
                                         struct arena *arena) {
    struct conf_node *copy = arena_zalloc(arena, 1, sizeof(*copy));
    struct conf_entry *entries = arena_zalloc(arena, node->count, sizeof(*entries));
    if (!copy || !entries || arena_copy(arena, node->text, &copy->text) < 0) {
        return NULL;
    }
    static const enum conf_node_type types[] = {
        [YAML_SCALAR] = CONF_NODE_SCALAR,
        [YAML_SEQUENCE] = CONF_NODE_LIST,
        [YAML_MAPPING] = CONF_NODE_MAP,
    };
    copy->type = types[node->type];
    copy->plain = node->plain;
    copy->place = (struct conf_place){file, node->line, node->column};
    copy->entries = entries;
    copy->count = node->count;
    for (size_t i = 0; i < node->count; i++) {
        const struct yaml_entry *from = &node->entries[i];
        entries[i].place = (struct conf_place){file, from->line, from->column};
        entries[i].value = copy_tree(from->value, file, arena);
        if (!entries[i].value || arena_copy(arena, from->key, &entries[i].key) < 0) {
            return NULL;
        }
    }
    return copy;
}

/* The tree of SOURCE, or NULL where the file is empty. 0, -EINVAL with an error noted, -ENOMEM. */
static int read_tree(const struct config_source *source, slice file, struct arena *arena,
                     struct conf_errors *errors, const struct conf_node **ret_tree) {
    struct yaml yaml;
    struct error e;
    if (source->tree) {
        *ret_tree = source->tree;
        return 0;
    }
    int r = yaml_parse(source->text, file, &yaml, &e);
    if (r == -ENOMEM) {
        return r;
    }
    if (r < 0) {
        /* The place is in E already, as this is the only error. */
        errors->items[0] = e;
        errors->count = 1;
        return -EINVAL;
    }
    const struct conf_node *tree = yaml.root ? copy_tree(yaml.root, file, arena) : NULL;
    r = yaml.root && !tree ? -ENOMEM : 0;
    yaml_free(&yaml);
    if (r == 0) {
        *ret_tree = tree;
    }
    return r;
}

static struct config_listener *find_listener(struct config_listen *listen, slice name) {
    struct config_listener *all[] = {&listen->nats, &listen->http, &listen->admin, &listen->sql,
                                     &listen->websocket};
    for (size_t i = 0; i < array_count(all); i++) {
        if (slice_equal(all[i]->item.name, name)) {
            return all[i];
        }
    }
    return NULL;
}

/* Puts the command line's --listen over what the file says. 0 or -ENOMEM. */
static int apply_overrides(const struct config_source *source, struct config *config,
                           struct arena *arena, struct conf_errors *errors) {
    const struct conf_place place = {.file = slice_lit("--listen")};
    for (size_t i = 0; i < source->override_count; i++) {
        const struct config_override *o = &source->overrides[i];
        struct config_listener *listener = find_listener(&config->listen, o->listener);
        if (!listener) {
            conf_errors_note(errors, place,
                             "the listeners are nats, http, admin, sql and websocket",
                             "there is no listener '%.*s'", slice_fmt(slice_take(o->listener, 64)));
            continue;
        }
        listener->item.off = slice_equal(o->address, slice_lit("off"));
        listener->item.place = place;
        listener->item.given = true;
        int r = listener->item.off ? 0 : conf_parse_address(arena, o->address, &listener->address);
        if (r == -ENOMEM) {
            return r;
        }
        if (r < 0) {
            conf_errors_note(errors, place, "write HOST:PORT, [IPV6]:PORT, a port alone, or off",
                             "'%.*s' is no address to listen on",
                             slice_fmt(slice_take(o->address, 64)));
        }
    }
    return 0;
}

/* A listener that is not given has its default; websocket, the only one that has to be asked for,
   is off. Behind the command line, which may ask for it. */
static void close_what_is_not_given(struct config_listen *listen) {
    listen->websocket.item.off |= !listen->websocket.item.given;
}

/* Makes the config within ARENA; errors are noted. 0, -EINVAL or -ENOMEM. */
static int load(const struct config_source *source, struct arena *arena, struct conf_errors *errors,
                struct config **ret_config) {
    struct conf_table table;
    const struct conf_node *tree = NULL;
    struct conf_key *keys = arena_zalloc(arena, CONFIG_KEYS_MAX, sizeof(*keys));
    slice file;
    if (!keys || arena_copy(arena, source->file, &file) < 0) {
        return -ENOMEM;
    }
    config_root_table(source->sections, source->section_count, keys, &table);
    struct config *config = arena_zalloc(arena, 1, table.size);
    if (!config) {
        return -ENOMEM;
    }
    int r = read_tree(source, file, arena, errors, &tree);
    if (r < 0) {
        return r;
    }
    struct conf_reader reader = {arena, source->lookup, source->directory, errors};
    r = conf_apply(&reader, &table, tree, config);
    if (r != -ENOMEM) {
        r = apply_overrides(source, config, arena, errors);
        close_what_is_not_given(&config->listen);
    }
    if (r == 0) {
        r = config_check(config, source->insecure, arena, errors);
    }
    if (r < 0) {
        return r;
    }
    config->section_keys = keys + CONFIG_OWN_SECTIONS;
    config->section_count = source->section_count;
    if (source->judge_sections) {
        source->judge_sections(config, source->insecure, errors);
    }
    *ret_config = config;
    return errors->count ? -EINVAL : 0;
}

int config_load(const struct config_source *source, struct config **ret_config,
                struct conf_errors *errors) {
    struct arena arena = arena_make(0, CONFIG_MEMORY_MAX);
    struct config *config = NULL;
    check(errors->count == 0 || source->tree);
    int r = load(source, &arena, errors, &config);
    if (r < 0) {
        if (r == -ENOMEM) {
            conf_errors_note(errors, (struct conf_place){.file = source->file}, NULL,
                             "there is no memory left to read the configuration");
        }
        arena_free(&arena);
        return r;
    }
    config->arena = arena;
    *ret_config = config;
    return 0;
}

struct config *config_free(struct config *config) {
    if (config) {
        /* The struct lies in its own arena. */
        struct arena arena = config->arena;
        arena_free(&arena);
    }
    return NULL;
}

const void *config_section(const struct config *config, const char *name) {
    for (size_t i = 0; i < config->section_count; i++) {
        const struct conf_key *key = &config->section_keys[i];
        if (slice_equal(slice_str(key->name), slice_str(name))) {
            return (const char *)config + key->offset;
        }
    }
    return NULL;
}

const struct config_listener *config_listener(const struct config *config, const char *name) {
    return find_listener((struct config_listen *)&config->listen, slice_str(name));
}

int config_write_schema(const struct conf_key *const *sections, size_t count, struct buf *out) {
    struct conf_key keys[CONFIG_KEYS_MAX];
    struct conf_table table;
    config_root_table(sections, count, keys, &table);
    return conf_write_schema(&table, out);
}

int config_write_reference(const struct conf_key *const *sections, size_t count, const char *only,
                           struct buf *out) {
    struct conf_key keys[CONFIG_KEYS_MAX];
    struct conf_table table;
    config_root_table(sections, count, keys, &table);
    return conf_write_reference(&table, only, out);
}
