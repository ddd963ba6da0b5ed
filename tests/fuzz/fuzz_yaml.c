/*
 * fuzz_yaml.c - the YAML reader.
 *
 * Properties: a tree keeps every bound the header names, places lie inside the text, no mapping
 * repeats a key, weights add up; a refusal has words and a place. The tree is walked along its
 * aliases, which must end.
 */
#include "wire/yaml.h"

#include <errno.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

/* libfyaml 0.7 forgets its scratch memory where quoted text it was collecting turns out wrong. */
const char *__lsan_default_suppressions(void) {
    return "leak:libfyaml";
}

static uint32_t walk(const struct yaml_node *node, uint32_t depth, uint32_t lines) {
    check(node->line >= 1 && node->line <= lines && node->column >= 1);
    check(depth <= 2 * YAML_DEPTH_MAX); /* an alias may hang a deep node below another */
    uint32_t weight = 1;
    for (uint32_t i = 0; i < node->count; i++) {
        const struct yaml_entry *entry = &node->entries[i];
        check(entry->line >= 1 && entry->line <= lines && entry->value);
        for (uint32_t j = 0; node->type == YAML_MAPPING && j < i && j < 50; j++) {
            check(!slice_equal(node->entries[j].key, entry->key));
        }
        check(node->type != YAML_MAPPING || yaml_member(node, entry->key) == entry->value);
        weight += walk(entry->value, depth + 1, lines);
    }
    check(weight == node->weight);
    return weight;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    slice text = slice_make(data, size);
    struct yaml yaml;
    struct error e = {0};
    uint32_t lines = 2; /* the end of the text is a place too */
    for (size_t i = 0; i < size; i++) {
        lines += data[i] == '\n' || data[i] == '\r' || data[i] == 0x85 || data[i] >= 0xa8;
    }
    int r = yaml_parse(text, slice_lit("x"), &yaml, &e);
    if (r == 0) {
        if (yaml.root) {
            check(walk(yaml.root, 0, lines) <= YAML_NODES_MAX);
        }
        yaml_free(&yaml);
    } else {
        check(r == -EINVAL || r == -E2BIG);
        check(e.code == r && e.place[0] && e.message[0]);
    }
    return 0;
}
