/*
 * config_load.h - how a struct config is made, and how its tables describe themselves.
 *
 * Apart from config.h because rooms and the node read configs, and only the start, `nonet check`
 * and a reload make one. What the command line overrides (--listen) goes in before the checks, so
 * that there is one answer to "may this node start like this".
 */
#ifndef NONET_NODE_CONFIG_LOAD_H
#define NONET_NODE_CONFIG_LOAD_H

#include "node/config.h"

/* --listen NAME=ADDRESS, or NAME=off. */
struct config_override {
    slice listener;
    slice address;
};

struct config_source {
    const struct conf_node *tree; /* instead of a text: what another file was translated to */
    slice text;                   /* of nonet.yaml; empty = the defaults run */
    slice file;                   /* how messages call it: "myapp/nonet.yaml" */
    slice directory; /* of the app, before relative paths; "" = leave them as written */
    struct conf_lookup lookup;
    const struct conf_key *const *sections; /* of rooms, at most CONFIG_SECTIONS_MAX */
    size_t section_count;
    /* Adds what rooms find wrong in their sections to ERRORS, in the same pass; may be NULL. */
    void (*judge_sections)(const struct config *config, bool insecure, struct conf_errors *errors);
    const struct config_override *overrides;
    size_t override_count;
    bool insecure; /* listeners off loopback may be without users */
};

/* 0 and a config that the caller frees; -EINVAL with everything wrong in ERRORS (zeroed, or with
   what the translation of TREE has found); -ENOMEM, with an error saying so. */
must_use int config_load(const struct config_source *source, struct config **ret_config,
                         struct conf_errors *errors);

/* Frees; NULL is allowed. Returns NULL. */
struct config *config_free(struct config *config);

/* The struct of a room's section, or NULL where no table of that name was given. */
const void *config_section(const struct config *config, const char *name);

/* The listener of that name, or NULL. */
const struct config_listener *config_listener(const struct config *config, const char *name);

/* Whether ADDRESS is reached from this machine only. */
bool config_is_loopback(struct conf_address address);

/* JSON Schema and Markdown reference of the whole file. 0, -ENOBUFS or -ENOMEM. */
must_use int config_write_schema(const struct conf_key *const *sections, size_t count,
                                 struct buf *out);
must_use int config_write_reference(const struct conf_key *const *sections, size_t count,
                                    const char *only, struct buf *out);

#endif
