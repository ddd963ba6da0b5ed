/*
 * fold_tree.c - see fold_tree.h.
 *
 * A path is walked down as far as there are objects. What is missing behind that is put in as one
 * text ({"a":{"b":VALUE}}), so that nothing is made that a bound could leave half done; only then
 * the sizes of the objects above are corrected.
 */
#include "rooms/events/fold_tree.h"

#include "base/mem.h"
#include "rooms/events/fold_value.h"

#include <errno.h>

struct fold_tree_member {
    struct fold_node node;
    slice name;       /* in `text` */
    size_t name_size; /* as JSON, with its quotes */
    char text[];
};

/* Objects from the root down to where a path leads. */
struct walk {
    struct fold_node *nodes[FOLD_PATH_MAX + 1]; /* the last: where it ends, maybe no object */
    unsigned found;                             /* names of the path that are there */
};

#define TEXT_MAX (2 * FOLD_BYTES_MAX)

static size_t node_size(const struct fold_node *node) {
    switch (node->kind) {
    case FOLD_NODE_TEXT:
        return node->text.len;
    case FOLD_NODE_LIST:
        return node->text.len + 2;
    default:
        return node->size;
    }
}

static char first_of(const struct fold_node *node) {
    return node->kind == FOLD_NODE_TEXT ? node->text.ptr[0] : 0;
}

/* --- memory ------------------------------------------------------------------------------- */

/* As deep as paths are. */
static void node_clear(struct fold_node *node) {
    const struct map_entry *entry;
    for (size_t at = 0;
         node->kind == FOLD_NODE_OBJECT && (entry = map_next(&node->members, &at));) {
        struct fold_tree_member *member = entry->value;
        node_clear(&member->node);
        mem_free(member);
    }
    if (node->kind == FOLD_NODE_OBJECT)
        map_free(&node->members);
    buf_free(&node->text);
}

static void node_init(struct fold_node *node, enum fold_node_kind kind,
                      const struct hash_key *hash_key) {
    *node = (struct fold_node){.kind = kind, .text = buf_make(TEXT_MAX)};
    if (kind == FOLD_NODE_OBJECT) {
        node->members = map_make(*hash_key, MAP_MAX_ENTRIES);
        node->size = 2;
    }
}

/* Instead of what NODE was. */
static int node_set_text(struct fold_node *node, slice text) {
    if (node->kind != FOLD_NODE_TEXT) {
        node_clear(node);
        node_init(node, FOLD_NODE_TEXT, NULL);
    }
    buf_clear(&node->text);
    return buf_append(&node->text, text) ? -ENOMEM : 0;
}

/* A member NAME of the object NODE, which has none of that name; without the sizes above NODE. */
static int add_member(struct fold_node *node, slice name, size_t name_size, slice value) {
    struct fold_tree_member *member = mem_zalloc(1, sizeof *member + name.len);
    if (!member)
        return -ENOMEM;
    char *at = member->text;
    member->name = slice_store(&at, name);
    member->name_size = name_size;
    node_init(&member->node, FOLD_NODE_TEXT, NULL);
    int failed = node_set_text(&member->node, value);
    if (!failed)
        failed = map_add(&node->members, member->name, member);
    if (failed) {
        node_clear(&member->node);
        mem_free(member);
        return -ENOMEM;
    }
    node->size += name_size + 1 + value.len + (map_count(&node->members) > 1);
    return 0;
}

/* --- opening ------------------------------------------------------------------------------ */

static int open_object(struct fold_tree *tree, struct fold_node *node) {
    struct buf text = node->text;
    if (node->kind == FOLD_NODE_OBJECT)
        return 0;
    if (json_parse(&tree->doc, buf_slice(&text)))
        return -ENOMEM; /* it is JSON */
    struct json_iterator i = json_each(json_root(&tree->doc));
    node_init(node, FOLD_NODE_OBJECT, &tree->hash_key);
    int failed = 0;
    while (!failed && json_next(&i)) {
        slice name;
        failed = json_string(i.key, &name);
        if (!failed)
            failed = add_member(node, name, json_source(i.key).len, json_source(i.value));
    }
    check(failed || node->size == text.len);
    buf_free(&text);
    return failed;
}

static int open_list(struct fold_tree *tree, struct fold_node *node) {
    if (node->kind == FOLD_NODE_LIST)
        return 0;
    if (json_parse(&tree->doc, buf_slice(&node->text)))
        return -ENOMEM;
    node->count = json_count(json_root(&tree->doc));
    node->kind = FOLD_NODE_LIST;
    buf_consume(&node->text, 1);
    node->text.len--;
    return 0;
}

/* --- walking ------------------------------------------------------------------------------ */

/* 0; -ENOTDIR: the last node is no object, and no null either; -ENOMEM. */
static int walk_down(struct fold_tree *tree, const slice *path, unsigned count, struct walk *walk) {
    struct fold_node *node = &tree->root;
    walk->nodes[0] = node;
    walk->found = 0;
    while (walk->found < count) {
        if (node->kind != FOLD_NODE_OBJECT) {
            if (first_of(node) == 'n')
                return 0;
            if (first_of(node) != '{')
                return -ENOTDIR;
            if (open_object(tree, node))
                return -ENOMEM;
        }
        struct fold_tree_member *member = map_find(&node->members, path[walk->found]);
        if (!member)
            return 0;
        node = &member->node;
        walk->nodes[++walk->found] = node;
    }
    return 0;
}

/* The objects above the last node have become longer by DELTA. */
static void grow(struct walk *walk, ptrdiff_t delta) {
    for (unsigned i = 0; i < walk->found; i++)
        walk->nodes[i]->size = (size_t)((ptrdiff_t)walk->nodes[i]->size + delta);
}

static bool has_room(const struct fold_tree *tree, size_t more, size_t less) {
    return tree->root.size - less + more <= FOLD_BYTES_MAX;
}

/* VALUE in the tree's scratch, inside an object for each name of PATH. */
static int wrap(struct fold_tree *tree, const slice *path, unsigned count, slice value) {
    int failed = 0;
    buf_clear(&tree->scratch);
    for (unsigned i = 0; i < count && !failed; i++) {
        failed = buf_append_byte(&tree->scratch, '{');
        if (!failed)
            failed = fold_json_write_string(path[i], &tree->scratch);
        if (!failed)
            failed = buf_append_byte(&tree->scratch, ':');
    }
    if (!failed)
        failed = buf_append(&tree->scratch, value);
    for (unsigned i = 0; i < count && !failed; i++)
        failed = buf_append_byte(&tree->scratch, '}');
    return failed == -ENOBUFS ? -EFBIG : failed;
}

/* The last node of WALK becomes the text VALUE. */
static int replace(struct fold_tree *tree, struct walk *walk, slice value) {
    struct fold_node *node = walk->nodes[walk->found];
    size_t before = node_size(node);
    if (!has_room(tree, value.len, before))
        return -EFBIG;
    if (node_set_text(node, value))
        return -ENOMEM;
    grow(walk, (ptrdiff_t)value.len - (ptrdiff_t)before);
    return 0;
}

/* A member more in the last node of WALK. */
static int add(struct fold_tree *tree, struct walk *walk, slice name, slice value) {
    struct fold_node *node = walk->nodes[walk->found];
    _cleanup_buf_ struct buf quoted = buf_make(TEXT_MAX);
    int failed = fold_json_write_string(name, &quoted);
    if (failed)
        return failed == -ENOBUFS ? -EFBIG : failed;
    size_t before = node->size;
    if (!has_room(tree, quoted.len + 1 + value.len + (map_count(&node->members) > 0), 0))
        return -EFBIG;
    failed = add_member(node, name, quoted.len, value);
    if (!failed)
        grow(walk, (ptrdiff_t)node->size - (ptrdiff_t)before);
    return failed;
}

/* --- changes ------------------------------------------------------------------------------ */

static int set_walked(struct fold_tree *tree, struct walk *walk, const slice *path, unsigned count,
                      slice value) {
    if (walk->found == count)
        return replace(tree, walk, value);
    bool is_object = walk->nodes[walk->found]->kind == FOLD_NODE_OBJECT;
    unsigned inside = walk->found + is_object;
    int failed = wrap(tree, path + inside, count - inside, value);
    if (failed)
        return failed;
    slice whole = buf_slice(&tree->scratch);
    return is_object ? add(tree, walk, path[walk->found], whole) : replace(tree, walk, whole);
}

int fold_tree_set(struct fold_tree *tree, const slice *path, unsigned count, slice value,
                  unsigned *ret_at) {
    struct walk walk;
    int failed = walk_down(tree, path, count, &walk);
    *ret_at = walk.found;
    return failed ? failed : set_walked(tree, &walk, path, count, value);
}

static int append_to(struct fold_tree *tree, struct walk *walk, slice value) {
    struct fold_node *node = walk->nodes[walk->found];
    if (open_list(tree, node))
        return -ENOMEM;
    size_t more = value.len + (node->count > 0);
    if (node->count >= FOLD_LIST_MAX)
        return -ENOBUFS;
    if (!has_room(tree, more, 0))
        return -EFBIG;
    if ((node->count && buf_append_byte(&node->text, ',')) || buf_append(&node->text, value))
        return -ENOMEM;
    node->count++;
    grow(walk, (ptrdiff_t)more);
    return 0;
}

int fold_tree_append(struct fold_tree *tree, const slice *path, unsigned count, slice value,
                     unsigned *ret_at) {
    struct walk walk;
    int failed = walk_down(tree, path, count, &walk);
    *ret_at = walk.found;
    if (failed)
        return failed;
    struct fold_node *node = walk.nodes[walk.found];
    bool there = walk.found == count && first_of(node) != 'n';
    if (there && node->kind != FOLD_NODE_LIST && first_of(node) != '[')
        return -EINVAL;
    if (there)
        return append_to(tree, &walk, value);
    _cleanup_buf_ struct buf list = buf_make(TEXT_MAX);
    failed = buf_append_byte(&list, '[');
    if (!failed)
        failed = buf_append(&list, value);
    if (!failed)
        failed = buf_append_byte(&list, ']');
    if (failed)
        return failed == -ENOBUFS ? -EFBIG : failed;
    return set_walked(tree, &walk, path, count, buf_slice(&list));
}

int fold_tree_get(struct fold_tree *tree, const slice *path, unsigned count, slice *ret_text) {
    struct walk walk;
    int failed = walk_down(tree, path, count, &walk);
    if (failed == -ENOMEM)
        return failed;
    if (failed || walk.found < count)
        return -ENOENT;
    struct fold_node *node = walk.nodes[walk.found];
    if (node->kind != FOLD_NODE_TEXT)
        return -EISDIR;
    *ret_text = buf_slice(&node->text);
    return 0;
}

int fold_tree_remove(struct fold_tree *tree, const slice *path, unsigned count) {
    struct walk walk;
    int failed = walk_down(tree, path, count, &walk);
    if (failed || walk.found < count)
        return failed == -ENOMEM ? failed : 0;
    struct map *members = &walk.nodes[count - 1]->members;
    struct fold_tree_member *member = map_remove(members, path[count - 1]);
    size_t less = member->name_size + 1 + node_size(&member->node) + (map_count(members) > 0);
    grow(&walk, -(ptrdiff_t)less);
    node_clear(&member->node);
    mem_free(member);
    return 0;
}

/* --- the whole ---------------------------------------------------------------------------- */

void fold_tree_init(struct fold_tree *tree, struct hash_key hash_key) {
    *tree = (struct fold_tree){.hash_key = hash_key, .scratch = buf_make(TEXT_MAX)};
    node_init(&tree->root, FOLD_NODE_OBJECT, &hash_key);
    json_init(&tree->doc);
}

void fold_tree_free(struct fold_tree *tree) {
    node_clear(&tree->root);
    json_free(&tree->doc);
    buf_free(&tree->scratch);
}

int fold_tree_load(struct fold_tree *tree, slice json) {
    int failed = json_parse(&tree->doc, json);
    if (failed || json_type_of(json_root(&tree->doc)) != JSON_OBJECT)
        return failed == -ENOMEM ? failed : -EINVAL;
    buf_clear(&tree->scratch);
    failed = fold_json_write(json_root(&tree->doc), JSON_DEPTH_DEFAULT, &tree->scratch);
    if (failed || tree->scratch.len > FOLD_BYTES_MAX)
        return failed == -ENOMEM ? failed : -EFBIG;
    node_clear(&tree->root);
    node_init(&tree->root, FOLD_NODE_TEXT, NULL);
    failed = node_set_text(&tree->root, buf_slice(&tree->scratch));
    return failed ? failed : open_object(tree, &tree->root);
}

size_t fold_tree_size(const struct fold_tree *tree) {
    return tree->root.size;
}

static int write_node(const struct fold_node *node, struct buf *out) {
    const struct map_entry *entry;
    bool first = true;
    if (node->kind == FOLD_NODE_TEXT)
        return buf_append(out, buf_slice(&node->text));
    int failed = buf_append_byte(out, node->kind == FOLD_NODE_LIST ? '[' : '{');
    if (!failed && node->kind == FOLD_NODE_LIST)
        failed = buf_append(out, buf_slice(&node->text));
    for (size_t at = 0;
         !failed && node->kind == FOLD_NODE_OBJECT && (entry = map_next(&node->members, &at));
         first = false) {
        const struct fold_tree_member *member = entry->value;
        failed = first ? 0 : buf_append_byte(out, ',');
        if (!failed)
            failed = fold_json_write_string(member->name, out);
        if (!failed)
            failed = buf_append_byte(out, ':');
        if (!failed)
            failed = write_node(&member->node, out);
    }
    return failed ? failed : buf_append_byte(out, node->kind == FOLD_NODE_LIST ? ']' : '}');
}

int fold_tree_write(const struct fold_tree *tree, struct buf *out) {
    return write_node(&tree->root, out);
}
