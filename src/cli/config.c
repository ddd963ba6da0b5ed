/*
 * config.c - nonet config schema, nonet config reference: what nonet.yaml may hold, from the tables
 * that parse it. `schema` prints JSON Schema (2020-12) for editors, `reference` a page in Markdown.
 */
#include "cli/cli.h"
#include "node/node.h"

#include <errno.h>
#include <stdio.h>

#define PAGE_MAX (4u << 20)

static int print(const struct buf *page) {
    fwrite(page->ptr, 1, page->len, stdout);
    if (page->len && page->ptr[page->len - 1] != '\n')
        putchar('\n');
    return CLI_OK;
}

int cli_config_schema(const struct cli_call *call) {
    (void)call;
    _cleanup_buf_ struct buf page = buf_make(PAGE_MAX);
    if (node_config_schema(&page))
        return cli_failed("no memory for the page");
    return print(&page);
}

int cli_config_reference(const struct cli_call *call) {
    _cleanup_buf_ struct buf page = buf_make(PAGE_MAX);
    const char *section = call->word_count ? call->words[0] : NULL;
    int failed = node_config_reference(section, &page);
    if (failed == -ENOENT)
        return cli_failed("nonet.yaml has no section '%s'", section);
    if (failed)
        return cli_failed("no memory for the page");
    return print(&page);
}
