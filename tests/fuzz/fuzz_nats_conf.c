/*
 * fuzz_nats_conf.c - the reader of nats-server's configuration.
 *
 * The text is its own include and its own environment, so that files within files and values
 * within values are reached by one input. Properties: a tree keeps every bound the header names,
 * no block repeats a key, places lie inside the text, weights are at least what they count; a
 * refusal has words and a place.
 */
#include "wire/nats_conf.h"

#include <errno.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The whole text, or what stands behind its first line. */
static int load(void *self, slice path, struct arena *arena, slice *ret_text) {
    const slice *text = self;
    (void)arena;
    if (path.len == 0)
        return -ENOENT;
    ptrdiff_t line = slice_find(*text, '\n');
    *ret_text = line < 0 || path.len % 2 ? *text : slice_skip(*text, (size_t)line + 1);
    return 0;
}

static int variable(void *self, slice name, struct arena *arena, slice *ret_value) {
    return name.len > 8 ? -ENOENT : load(self, name, arena, ret_value);
}

static uint32_t walk(const struct nats_conf_node *node, uint32_t depth, uint32_t lines) {
    check(node->place.line >= 1 && node->place.line <= lines && node->place.column >= 1);
    check(depth <= 2 * NATS_CONF_DEPTH_MAX + 2);
    check(node->count == 0 || node->type == NATS_CONF_ARRAY || node->type == NATS_CONF_MAP);
    check(node->type != NATS_CONF_MAP || node->count <= NATS_CONF_KEYS_MAX);
    uint32_t weight = 1;
    for (uint32_t i = 0; i < node->count; i++) {
        const struct nats_conf_entry *entry = &node->entries[i];
        for (uint32_t j = 0; node->type == NATS_CONF_MAP && j < i && j < 50; j++)
            check(!slice_equal(node->entries[j].key, entry->key));
        weight += walk(entry->value, depth + 1, lines);
    }
    check(weight <= node->weight);
    return weight;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    slice text = slice_make(data, size);
    struct nats_conf_source source = {
        .text = text, .name = slice_lit("d/x"), .load = load, .variable = variable, .self = &text};
    struct nats_conf conf;
    struct error e = {0};
    uint32_t lines = 1;
    for (size_t i = 0; i < size; i++)
        lines += data[i] == '\n';
    int failed = nats_conf_parse(&source, &conf, &e);
    if (failed == 0) {
        check(walk(conf.root, 0, lines) <= NATS_CONF_NODES_MAX);
        nats_conf_free(&conf);
    } else {
        check(failed == -EINVAL || failed == -E2BIG || failed == -ENOENT);
        check(e.code == failed && e.place[0] && e.message[0]);
    }
    return 0;
}
