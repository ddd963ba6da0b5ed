/*
 * yaml.h - reads one YAML 1.2 document into a small tree that knows where everything stands.
 *
 *      streams:                         mapping 1:1
 *        BIDS: {max_age: 7d}              `streams` 1:1 -> mapping 2:3
 *                                           `BIDS` 2:3 -> mapping 2:9
 *                                             `max_age` 2:10 -> scalar "7d" 2:19
 *
 * libfyaml does the reading and appears nowhere else in Nonet. What comes out is what people
 * write configuration in: text, lists, and mappings whose keys are text. What would make the file
 * mean something else than it seems to is refused, with its place: a key given twice, a second
 * document, tags (!!int), keys that are no text. Types are not guessed here: a scalar is its text
 * and whether it stood without quotes, so that no version number becomes a float.
 *
 * An alias (*name) gives the very node of its anchor, so the tree is a graph without cycles; an
 * alias inside its own anchor is refused. Every node counts once for each way it is reached, and
 * at most YAML_NODES_MAX of that are allowed, so nine lines cannot become a billion nodes for
 * whoever walks the tree.
 */
#ifndef NONET_WIRE_YAML_H
#define NONET_WIRE_YAML_H

#include "base/arena.h"
#include "base/check.h"
#include "base/error.h"
#include "base/slice.h"

#define YAML_TEXT_MAX ((size_t)4 << 20)
#define YAML_DEPTH_MAX 32u     /* mappings and sequences within each other */
#define YAML_NODES_MAX 100000u /* after aliases are expanded */
#define YAML_ANCHORS_MAX 256u
#define YAML_MEMORY_MAX ((size_t)64 << 20)

enum yaml_type { YAML_SCALAR, YAML_SEQUENCE, YAML_MAPPING };

struct yaml_entry;

struct yaml_node {
    enum yaml_type type;
    bool plain;      /* a scalar without quotes; an absent value is plain and empty */
    uint32_t line;   /* from 1 */
    uint32_t column; /* from 1, in characters */
    uint32_t weight; /* this node and all below it, aliases expanded */
    slice text;      /* of a scalar */
    const struct yaml_entry *entries;
    uint32_t count;
};

/* An element of a sequence (key empty) or a member of a mapping. */
struct yaml_entry {
    slice key;
    uint32_t line;
    uint32_t column;
    const struct yaml_node *value;
};

/* The tree of one document; everything lives in the arena. */
struct yaml {
    struct arena arena;
    const struct yaml_node *root; /* NULL where the document is empty */
};

/* Reads TEXT; NAME ("myapp/nonet.yaml") is only for messages. 0, or negative with *E (may be NULL)
   filled with the place "NAME:line:column": -EINVAL (not YAML, or refused as above), -E2BIG (a
   bound), -ENOMEM. On failure *RET_YAML is untouched. */
must_use int yaml_parse(slice text, slice name, struct yaml *ret_yaml, struct error *e);

void yaml_free(struct yaml *yaml);

/* The value of KEY in mapping NODE, or NULL. */
const struct yaml_node *yaml_member(const struct yaml_node *node, slice key);

#endif
