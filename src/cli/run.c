/* run.c - nonet run [APP], nonet check [APP]. */
#include "cli/cli.h"
#include "cli/output.h"
#include "io/process.h"
#include "node/node.h"
#include "wire/json.h"

#include <stdio.h>
#include <string.h>

#define ROUTES_JSON_MAX (4u << 20)

/* "NAME=ADDRESS" is cut in place in TEXT; false where there is no "=". */
static bool cut_listen(char *text, struct node_listen_option *ret_option) {
    char *equals = strchr(text, '=');
    if (!equals || equals == text)
        return false;
    *equals = '\0';
    *ret_option = (struct node_listen_option){text, equals + 1};
    return true;
}

int cli_run(const struct cli_call *call) {
    uint64_t shards;
    if (!cli_number(call, "shards", 0, &shards))
        return CLI_USAGE;
    if (shards > 63)
        return cli_misused(call, "--shards: between 1 and 63, or 0 for one fewer than cores");
    struct node_options options = {
        .app = call->word_count ? call->words[0] : NULL,
        .data = cli_value(call, "data"),
        .ports_file = cli_value(call, "ports-file"),
        .log_level = cli_value(call, "log"),
        .shards = (unsigned)shards,
        .insecure = cli_flag(call, "insecure"),
        .quiet = cli_flag(call, "quiet") || !io_is_terminal(1),
    };
    const char *listens[CLI_REPEATS_MAX];
    char texts[CLI_REPEATS_MAX][128];
    options.listen_count = cli_values(call, "listen", listens);
    for (unsigned i = 0; i < options.listen_count; i++) {
        if (slice_to_string(slice_str(listens[i]), texts[i], sizeof texts[i]) ||
            !cut_listen(texts[i], &options.listens[i]))
            return cli_misused(call, "--listen %s: write NAME=ADDRESS, NAME=PORT or NAME=off",
                               listens[i]);
    }
    struct error error = {0};
    return node_run(&options, NULL, &error) ? cli_fail(&error) : CLI_OK;
}

static void add_cell(struct output_table *table, json_value route, const char *name) {
    slice text = {0};
    (void)!json_string(json_member(route, slice_str(name)), &text);
    output_cell(table, text);
}

/* One row a route, as node_check gives them. */
static int print_routes(slice json) {
    static const char *const columns[] = {"host", "path", "method", "when", "to", "name"};
    struct output_table table = output_table_make();
    struct json_doc doc;
    for (size_t i = 0; i < array_count(columns); i++)
        output_column(&table, columns[i], false);
    json_init(&doc);
    int failed = json_parse(&doc, json);
    struct json_iterator routes = json_each(failed ? (json_value){0} : json_root(&doc));
    while (json_next(&routes))
        for (size_t i = 0; i < array_count(columns); i++)
            add_cell(&table, routes.value, columns[i]);
    json_free(&doc);
    return failed ? failed : output_table_print(&table);
}

int cli_check(const struct cli_call *call) {
    const char *app = call->word_count ? call->words[0] : ".";
    _cleanup_buf_ struct buf routes = buf_make(ROUTES_JSON_MAX);
    bool lists = cli_flag(call, "routes");
    struct error error = {0};
    if (cli_flag(call, "json") && !lists)
        return cli_misused(call, "check prints JSON only with --routes");
    if (node_check(app, cli_flag(call, "insecure"), lists ? &routes : NULL, &error))
        return cli_fail(&error);
    if (lists && cli_flag(call, "json")) {
        fwrite(routes.ptr, 1, routes.len, stdout);
        putchar('\n');
        return CLI_OK;
    }
    if (lists)
        return print_routes(buf_slice(&routes)) ? cli_failed("no memory for the list") : CLI_OK;
    printf("%s/nonet.yaml is fine\n", app);
    return CLI_OK;
}
