/*
 * config_tables.h - the node's own sections as tables; between the files of node/config only.
 *
 * The root table is put together at run time, because rooms add their sections to it: their
 * structs lie behind struct config in one block, each at an aligned offset.
 */
#ifndef NONET_NODE_CONFIG_TABLES_H
#define NONET_NODE_CONFIG_TABLES_H

#include "node/config_load.h"

#define CONFIG_OWN_SECTIONS 6u
#define CONFIG_KEYS_MAX (CONFIG_OWN_SECTIONS + CONFIG_SECTIONS_MAX)

/* The root table of the own sections and those of SECTIONS: fills KEYS (which the table points to)
   and *RET_TABLE. table->size is the size of the whole block. */
void config_root_table(const struct conf_key *const *sections, size_t count,
                       struct conf_key keys[CONFIG_KEYS_MAX], struct conf_table *ret_table);

/* Adds an error for everything that is wrong between keys (config_check.c). 0 or -ENOMEM (of
   ARENA, which it needs for a moment). */
must_use int config_check(const struct config *config, bool insecure, struct arena *arena,
                          struct conf_errors *errors);

#endif
