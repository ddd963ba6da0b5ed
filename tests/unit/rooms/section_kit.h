/*
 * section_kit.h - a text of nonet.yaml that has one section, loaded as the node does.
 *
 * The section's own judge is called, too: a room's mistakes come out among those of the table, in
 * the order and the words that `nonet check` has for them.
 */
#ifndef NONET_TESTS_SECTION_KIT_H
#define NONET_TESTS_SECTION_KIT_H

#include "node/config_load.h"

#include "../base/base_test.h"

/* The config of TEXT, or NULL with everything wrong in OUT. SECTION: of one element, must live as
   long as the config; JUDGE: as of struct config_source. */
static inline struct config *section_load(const struct conf_key *const section[1],
                                          void (*judge)(const struct config *config, bool insecure,
                                                        struct conf_errors *errors),
                                          const char *text, struct buf *out) {
    struct config_source source = {
        .text = slice_str(text),
        .file = slice_lit("f"),
        .sections = section,
        .section_count = 1,
        .judge_sections = judge,
    };
    struct conf_errors *errors = mem_zalloc(1, sizeof *errors);
    struct config *config = NULL;
    assert_non_null(errors);
    if (config_load(&source, &config, errors))
        assert_int_equal(conf_errors_text(errors, out), 0);
    mem_free(errors);
    return config;
}

#endif
