/*
 * nats_conf.h - reads nats-server's configuration files into a small tree that knows its places.
 *
 *      PORT: 4222                          # key, then ':', '=' or a blank, then a value
 *      listen: "127.0.0.1:$PORT"           // a quoted text is taken as it is
 *      port: $PORT; debug = true           ';', ',' or a line end stands between entries
 *      max_payload 8MB                     k, m, g, t, p, e are 1000s; kb, mb ... and kib ... 1024s
 *      authorization { users = [ {user: ann, password: $2a$11$...} ] }
 *      include ./tls.conf                  relative to the file it stands in
 *
 * A bare word is a boolean (true, yes, on, false, no, off; any case), a number, a variable or text.
 * Quoted text is never anything but text: "..." takes \xHH, \t, \n, \r, \" and \\; '...' takes no
 * escapes; (...) holds lines up to one that is a ')' alone. `$NAME` is the value of the key NAME in
 * the blocks around it, the innermost first and given before, else the environment variable, read
 * as a value where it is one. `$2a$`, `$2b$` and `$2y$` begin a bcrypt hash, which is text.
 *
 * Of a key given twice in one block the last counts, as there. Keys keep their case; whoever looks
 * them up takes no notice of it. Stricter than nats-server where that hides a mistake: a key
 * without value, a brace too many.
 *
 * Reading is pure: files and the environment are reached by the caller's two functions. Bounded in
 * bytes, depth, nodes (a variable counts again for each use), keys of a block and includes.
 */
#ifndef NONET_WIRE_NATS_CONF_H
#define NONET_WIRE_NATS_CONF_H

#include "base/arena.h"
#include "base/conf.h"

#define NATS_CONF_TEXT_MAX ((size_t)4 << 20) /* of all files together */
#define NATS_CONF_DEPTH_MAX 32u              /* blocks and arrays within each other */
#define NATS_CONF_NODES_MAX 100000u
#define NATS_CONF_KEYS_MAX 1024u /* of one block */
#define NATS_CONF_INCLUDES_MAX 64u
#define NATS_CONF_INCLUDE_DEPTH_MAX 8u
#define NATS_CONF_MEMORY_MAX ((size_t)64 << 20)

enum nats_conf_type {
    NATS_CONF_TEXT,
    NATS_CONF_NUMBER,
    NATS_CONF_FRACTION,
    NATS_CONF_BOOL,
    NATS_CONF_ARRAY,
    NATS_CONF_MAP,
};

struct nats_conf_entry;

struct nats_conf_node {
    enum nats_conf_type type;
    struct conf_place place; /* columns in bytes; of a variable's value: where it is used */
    uint32_t weight;         /* this node and all below it, variables counted at each use */
    slice text;     /* of TEXT, what it says; of NUMBER, FRACTION and BOOL, how it is written */
    int64_t number; /* of NUMBER, its suffix applied; of BOOL, 0 or 1 */
    const struct nats_conf_entry *entries;
    uint32_t count;
};

/* An element of an array (key empty) or an entry of a block. */
struct nats_conf_entry {
    slice key;
    struct conf_place place;
    const struct nats_conf_node *value;
    bool is_variable; /* something refers to it: it need not be a setting */
};

struct nats_conf_source {
    slice text; /* must live as long as the tree */
    slice name; /* "etc/nats.conf": in messages, and its folder is where includes are sought */
    /* The text of the file at PATH, into ARENA. 0, or a negative errno. NULL: nothing is included.
     */
    int (*load)(void *self, slice path, struct arena *arena, slice *ret_text);
    /* The environment variable NAME, into ARENA. 0, -ENOENT or -ENOMEM. NULL: there is none. */
    int (*variable)(void *self, slice name, struct arena *arena, slice *ret_value);
    void *self;
};

/* Everything lives in the arena. */
struct nats_conf {
    struct arena arena;
    const struct nats_conf_node *root; /* a MAP, perhaps empty */
};

/* 0, or negative with *E (may be NULL) and its place "NAME:line:column": -EINVAL (what is written
   is wrong), -E2BIG (a bound), -ENOMEM, or the errno of an include. On failure *RET is untouched.
 */
must_use int nats_conf_parse(const struct nats_conf_source *source, struct nats_conf *ret,
                             struct error *e);
void nats_conf_free(struct nats_conf *conf);

#endif
