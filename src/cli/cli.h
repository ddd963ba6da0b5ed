/*
 * cli.h - the command line: verbs, options, exit codes, output.
 *
 * `nonet VERB [WORDS] [OPTIONS]`. A verb is one file and one row of the table in cli.c: name, what
 * it takes, one line of help, its options, its function. Options are parsed by the row, so `nonet
 * help VERB` and the parser cannot disagree; `--name value`, `--name=value`, and `--` ends options.
 *
 * Exit: 0 done, 1 failed, 2 used wrongly. Errors go to stderr as "nonet: MESSAGE" with a hint line.
 * Data goes to stdout, for people or (--json) for programs. Verbs that act on a node find it by
 * --server, else NATS_URL, else ports.json of --data (default ./.nonet): cli/session.h.
 */
#ifndef NONET_CLI_CLI_H
#define NONET_CLI_CLI_H

#include "base/error.h"
#include "base/slice.h"

#define CLI_WORDS_MAX 32u
#define CLI_OPTIONS_MAX 24u
#define CLI_REPEATS_MAX 16u /* of one repeatable option */

enum cli_exit { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

struct cli_option {
    const char *name;  /* without dashes */
    const char *value; /* what it takes, for help ("URL"); NULL: a flag */
    const char *help;
};

/* The command line, parsed. */
struct cli_call {
    const struct cli_verb *verb;
    const char *words[CLI_WORDS_MAX];
    unsigned word_count;
    struct {
        const struct cli_option *option;
        const char *value;
    } options[CLI_OPTIONS_MAX * CLI_REPEATS_MAX];
    unsigned option_count;
};

struct cli_verb {
    const char *name;
    const char *words; /* "SUBJECT [DATA]" */
    const char *help;  /* one line */
    unsigned words_min, words_max;
    bool acts_on_node; /* takes --server, --user, --password, --nkey, --creds, --data */
    int (*run)(const struct cli_call *call);
    struct cli_option options[CLI_OPTIONS_MAX];
    const char *examples; /* lines to paste; may be NULL */
};

int cli_main(int argc, char **argv);

/* The value of option NAME, the last where it was repeated; NULL where it was not given. Flags give
   "". */
const char *cli_value(const struct cli_call *call, const char *name);
bool cli_flag(const struct cli_call *call, const char *name);
/* Values of a repeatable option, in order; returns how many. */
unsigned cli_values(const struct cli_call *call, const char *name,
                    const char *values[CLI_REPEATS_MAX]);
/* The option as number, duration (ns) or size; FALLBACK where it was not given. False: it has been
   complained about (exit with CLI_USAGE). */
bool cli_number(const struct cli_call *call, const char *name, uint64_t fallback, uint64_t *ret);
bool cli_duration(const struct cli_call *call, const char *name, uint64_t fallback, uint64_t *ret);
bool cli_size(const struct cli_call *call, const char *name, uint64_t fallback, uint64_t *ret);

/* "nonet: ..." to stderr; return CLI_FAILED or CLI_USAGE. */
int cli_fail(const struct error *error);
int cli_failed(const char *format, ...) printf_like(1, 2);
int cli_misused(const struct cli_call *call, const char *format, ...) printf_like(2, 3);

/* Verbs: one file each. */
int cli_run(const struct cli_call *call);
int cli_check(const struct cli_call *call);
int cli_version(const struct cli_call *call);
int cli_help(const struct cli_call *call);

#endif
