/*
 * nats_config.h - nats-server's settings as a nonet.yaml, so that there is one judge of both.
 *
 *      nats.conf --wire/nats_conf--> tree --,
 *                                           +--> the tree of a nonet.yaml --config_load--> config
 *      flags (-p 4222, --user ann) ---------'    its places are those of nats.conf, or the flags
 *
 * Every key that nats-server knows stands in a table: where it goes, or why it is not served and
 * what to do. Nothing is passed over: a key that is in no table is a mistake. Flags go over what
 * the file says. The defaults are nats-server's where they differ: it listens on every address,
 * without monitoring and without JetStream until asked.
 */
#ifndef NONET_NODE_NATS_CONFIG_H
#define NONET_NODE_NATS_CONFIG_H

#include "base/arena.h"
#include "base/conf_read.h"
#include "node/node.h"
#include "wire/nats_conf.h"

#define NATS_CONFIG_STORE "nonet" /* the data folder's name in store_dir */

struct nats_config {
    const struct conf_node *tree; /* for config_source.tree */
    slice ports_dir;              /* of the ports file; empty: none */
    slice store_dir;              /* of JetStream; empty: there is none */
};

/* ROOT is the file's tree or NULL. TEMPORARY is the folder of JetStream where none is given. All
   of the result lives in ARENA, or in what ROOT and SETTINGS point to. 0 with mistakes in ERRORS
   (the tree is then only good for finding more), or -ENOMEM. */
must_use int nats_config_translate(const struct nats_conf_node *root,
                                   const struct node_nats_setting *settings, size_t setting_count,
                                   slice temporary, struct arena *arena, struct conf_errors *errors,
                                   struct nats_config *ret);

#endif
