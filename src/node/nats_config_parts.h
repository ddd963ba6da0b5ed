/*
 * nats_config_parts.h - between the files of nats_config only: the translation under way, and the
 * tables of keys.
 *
 * nats_config.c walks blocks along the tables and puts values into sections; nats_config_keys.c
 * holds the tables; nats_config_users.c reads authorization.
 */
#ifndef NONET_NODE_NATS_CONFIG_PARTS_H
#define NONET_NODE_NATS_CONFIG_PARTS_H

#include "node/nats_config.h"

#define SECTION_KEYS_MAX 24u
#define USER_KEYS_MAX 8u

/* The sections of nonet.yaml that are filled. */
enum nats_section {
    SECTION_NODE,
    SECTION_LOG,
    SECTION_NATS,
    SECTION_NATS_TLS,
    SECTION_ADMIN,
    SECTION_WEBSOCKET,
    SECTION_WEBSOCKET_TLS,
    SECTION_LIMITS,
    SECTIONS
};

/* How a key's value is read. */
enum nats_form {
    FORM_TEXT,
    FORM_NUMBER, /* 0 stands for the default, as there */
    FORM_SIZE,   /* the same, in bytes */
    FORM_TIME,   /* "2m", or a number of seconds; 0 stands for the default */
    FORM_BOOL,
    FORM_TEXTS,   /* an array of texts, or one alone */
    FORM_OFF,     /* only false, 0 or empty: what it would switch on is not served */
    FORM_REFUSED, /* not served at all */
    FORM_TAKEN,   /* by the key's own function */
};

struct translation;

struct nats_key {
    const char *names; /* "max_connections max_conn": ways to write it, lower case */
    enum nats_form form;
    enum nats_section section;
    const char *into; /* the key there */
    int (*take)(struct translation *t, const struct nats_conf_entry *entry);
    const char *unlimited; /* what a number below 0 stands for */
    const char *hint;      /* of what is not served: what to do */
};

struct nats_table {
    const char *name; /* "tls" */
    const struct nats_key *keys;
    size_t count;
};

struct section {
    struct conf_entry entries[SECTION_KEYS_MAX];
    size_t count;
    struct conf_place place;
    bool given;
};

/* Where something listens: put together at the end. */
struct endpoint {
    slice host;
    int64_t port;
    struct conf_place place;
    bool given;
};

struct user {
    struct user *next;
    struct conf_entry entries[USER_KEYS_MAX];
    size_t count;
    struct conf_place place;
    bool has_rights;
};

struct translation {
    struct arena *arena;
    struct conf_errors *errors;
    struct section sections[SECTIONS];
    struct endpoint nats, admin, websocket;
    bool admin_tls, wants_websocket, websocket_plain;
    struct conf_place websocket_place;
    enum nats_section tls; /* which section a tls block fills */
    bool debug, trace, jetstream;
    struct conf_place jetstream_place;
    slice ports_dir, store_dir;
    struct user *users, **last_user, *user; /* user: the one being read */
    struct user alone, defaults; /* authorization's own user; default_permissions as if a user's */
    bool has_alone;
    slice stranger; /* no_auth_user */
    struct conf_place stranger_place;
};

/* --- nats_config.c ------------------------------------------------------------------------- */

/* Reads every entry of MAP by TABLE. 0 or -ENOMEM. */
must_use int nats_walk(struct translation *t, const struct nats_table *table,
                       const struct nats_conf_node *map);
/* NODE as a block by TABLE; anything else is noted. */
must_use int nats_walk_block(struct translation *t, const struct nats_table *table,
                             const struct nats_conf_entry *entry);
/* Values, each noted where it is none: false then. */
bool nats_text(struct translation *t, const struct nats_conf_entry *entry, slice *ret_text);
bool nats_bool(struct translation *t, const struct nats_conf_entry *entry, bool *ret_value);
bool nats_number(struct translation *t, const struct nats_conf_entry *entry, int64_t *ret_number);
/* Nodes of the tree that is made; NULL without memory. */
struct conf_node *nats_scalar(struct translation *t, struct conf_place place, slice text);
struct conf_node *nats_map(struct translation *t, struct conf_place place,
                           const struct conf_entry *entries, size_t count);
/* An array of texts, or one text alone, as a list; NULL without memory, or empty and noted. */
struct conf_node *nats_texts(struct translation *t, const struct nats_conf_entry *entry);
/* "2m", or seconds, as nonet.yaml has times. False: noted, or *RET_FAILED is -ENOMEM. */
bool nats_time(struct translation *t, const struct nats_conf_entry *entry, slice *ret_text,
               int *ret_failed);
must_use int nats_put(struct translation *t, enum nats_section section, const char *key,
                      struct conf_place place, struct conf_node *value);

/* --- nats_config_keys.c -------------------------------------------------------------------- */

extern const struct nats_table nats_top_table, nats_tls_table;

/* --- nats_config_users.c ------------------------------------------------------------------- */

must_use int nats_take_authorization(struct translation *t, const struct nats_conf_entry *entry);
must_use int nats_take_stranger(struct translation *t, const struct nats_conf_entry *entry);
/* The list of users, in *RET_USERS NULL where there are none. 0 or -ENOMEM. */
must_use int nats_finish_users(struct translation *t, struct conf_node **ret_users);

#endif
