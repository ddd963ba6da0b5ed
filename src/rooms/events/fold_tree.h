/*
 * fold_tree.h - a JSON object that is changed member by member, and knows its length. Pure.
 *
 *     {"bids":2,"seller":{"name":"ann"},"history":[{..},{..}]}
 *
 *     root OBJECT -- bids    TEXT  2
 *                 -- seller  TEXT  {"name":"ann"}      opened to an OBJECT when a path goes into it
 *                 -- history LIST  {..},{..}  count 2  opened when something is appended
 *
 * What nobody changes stays the text that it came as. Members keep the order in which they came;
 * one that is removed and set again is the last. All texts are in fold_value.h's one form, so the
 * length of the whole is exact whatever has been opened, and a tree that was written and loaded
 * goes on as the one before would have.
 *
 * BOUNDS. FOLD_BYTES_MAX for the whole, FOLD_LIST_MAX elements of a list that is appended to; what
 * would exceed one changes nothing.
 */
#ifndef NONET_EVENTS_FOLD_TREE_H
#define NONET_EVENTS_FOLD_TREE_H

#include "rooms/events/fold_rules.h"
#include "wire/json.h"

#define FOLD_BYTES_MAX ((size_t)1 << 20)
#define FOLD_LIST_MAX 10000u

enum fold_node_kind { FOLD_NODE_TEXT, FOLD_NODE_OBJECT, FOLD_NODE_LIST };

struct fold_node {
    enum fold_node_kind kind;
    uint32_t count;     /* of a LIST */
    struct buf text;    /* of a LIST without its brackets */
    size_t size;        /* of an OBJECT: bytes as text */
    struct map members; /* of an OBJECT: name -> struct fold_tree_member */
};

struct fold_tree {
    struct fold_node root; /* an OBJECT */
    struct hash_key hash_key;
    struct json_doc doc; /* for opening */
    struct buf scratch;
};

/* An empty object. */
void fold_tree_init(struct fold_tree *tree, struct hash_key hash_key);
void fold_tree_free(struct fold_tree *tree);
/* The object JSON instead of what is there. 0, -EINVAL (no object), -EFBIG, -ENOMEM. */
must_use int fold_tree_load(struct fold_tree *tree, slice json);
size_t fold_tree_size(const struct fold_tree *tree); /* bytes of fold_tree_write */
must_use int fold_tree_write(const struct fold_tree *tree, struct buf *out);

/* The member at the end of PATH, names from the root on, COUNT of them (1 to FOLD_PATH_MAX).
   VALUES are in the one form and not in the tree. 0, or:
   -ENOTDIR   something on the way is no object: its index in *RET_AT (get: -ENOENT instead)
   -EFBIG     the whole would be too large
   -ENOMEM    the tree is worth nothing any more
   set makes objects on the way where there is nothing, or null.
   append: -EINVAL (no list there), -ENOBUFS (FOLD_LIST_MAX).
   get: the text of a member, -ENOENT, -EISDIR (an object or a list that is open).
   remove: 0 also where there is nothing. */
must_use int fold_tree_set(struct fold_tree *tree, const slice *path, unsigned count, slice value,
                           unsigned *ret_at);
must_use int fold_tree_append(struct fold_tree *tree, const slice *path, unsigned count,
                              slice value, unsigned *ret_at);
must_use int fold_tree_get(struct fold_tree *tree, const slice *path, unsigned count,
                           slice *ret_text);
must_use int fold_tree_remove(struct fold_tree *tree, const slice *path, unsigned count);

#endif
