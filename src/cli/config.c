/*
 * config.c - nonet config schema, nonet config reference: what nonet.yaml may hold, from the tables
 * that parse it. `schema` prints JSON Schema (2020-12) for editors, `reference` a page in Markdown.
 */
#include "cli/cli.h"
#include "node/node.h"

#include <stdio.h>

#define PAGE_MAX (4u << 20)

static int print(int (*make_page)(struct buf *out)) {
    _cleanup_buf_ struct buf page = buf_make(PAGE_MAX);
    if (make_page(&page))
        return cli_failed("no memory for the page");
    fwrite(page.ptr, 1, page.len, stdout);
    if (page.len && page.ptr[page.len - 1] != '\n')
        putchar('\n');
    return CLI_OK;
}

int cli_config_schema(const struct cli_call *call) {
    (void)call;
    return print(node_config_schema);
}

int cli_config_reference(const struct cli_call *call) {
    (void)call;
    return print(node_config_reference);
}
