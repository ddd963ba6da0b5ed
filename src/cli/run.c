/* run.c - nonet run [APP], nonet check [APP]. */
#include "cli/cli.h"
#include "io/process.h"
#include "node/node.h"

#include <stdio.h>
#include <string.h>

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
    return node_run(&options, &error) ? cli_fail(&error) : CLI_OK;
}

int cli_check(const struct cli_call *call) {
    const char *app = call->word_count ? call->words[0] : ".";
    struct error error = {0};
    if (node_check(app, cli_flag(call, "insecure"), &error))
        return cli_fail(&error);
    printf("%s/nonet.yaml is fine\n", app);
    return CLI_OK;
}
