/*
 * verbs.c - the table of verbs: adding a verb is one file, one line in cli.h and one row here.
 */
#include "cli/cli.h"

extern const struct cli_verb cli_verbs[];
extern const unsigned cli_verb_count;

const struct cli_verb cli_verbs[] = {
    {
        .name = "run",
        .words = "[APP]",
        .help = "run a node, with the app in folder APP or the defaults",
        .words_max = 1,
        .run = cli_run,
        .options =
            {
                {"data", "DIR", "where the node keeps its data (default APP/.nonet)"},
                {"listen", "NAME=ADDRESS", "nats=0, http=127.0.0.1:9000, admin=off; repeatable"},
                {"ports-file", "FILE", "write the addresses really taken here, as JSON"},
                {"shards", "N", "threads that serve connections (default of the config)"},
                {"log", "LEVEL", "error, warn, info or debug"},
                {"insecure", NULL, "allow listeners off loopback without users"},
                {"quiet", NULL, "no welcome text"},
            },
        .examples = "  nonet run examples/auction\n  nonet run --data /var/lib/nonet --listen "
                    "nats=0.0.0.0:4222 --insecure",
    },
    {
        .name = "check",
        .words = "[APP]",
        .help = "find every mistake in APP's nonet.yaml",
        .words_max = 1,
        .run = cli_check,
        .options = {{"insecure", NULL, "allow listeners off loopback without users"}},
    },
    {.name = "version", .words = "", .help = "print the version", .run = cli_version},
    {.name = "help", .words = "[VERB]", .help = "this text", .words_max = 1, .run = cli_help},
};
const unsigned cli_verb_count = array_count(cli_verbs);
