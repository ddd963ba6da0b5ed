/*
 * cli.h - the command line: verbs, options, exit codes.
 *
 *      nonet VERB [WORDS] [OPTIONS]          nonet stream info BIDS --json
 *
 * A verb is one file and one row of the table in verbs.c: name ("pub", or two words: "stream
 * info"), what it takes, one line of help, its options, its function. Options are parsed by the
 * row, so `nonet help VERB` and the parser cannot disagree; `--name value`, `--name=value`; `--`
 * ends options. Where a row gives letters, `-x`, `-xt`, `-c value` and `-cvalue` mean the same. Of
 * an option given twice the last counts, unless the row says that it repeats.
 *
 * Exit: 0 done, 1 failed, 2 used wrongly. Errors go to stderr as "nonet: MESSAGE" with a hint line.
 * Data goes to stdout, for people or (--json) for programs. Verbs that act on a node find it as
 * cli/login.h says.
 */
#ifndef NONET_CLI_CLI_H
#define NONET_CLI_CLI_H

#include "base/error.h"
#include "base/slice.h"

#define CLI_WORDS_MAX 32u
#define CLI_OPTIONS_MAX 24u /* rows of one verb */
#define CLI_REPEATS_MAX 16u /* of one repeatable option */
#define CLI_GIVEN_MAX 64u   /* options on one command line */

enum cli_exit { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

struct cli_option {
    const char *name;  /* without dashes */
    const char *value; /* what it takes, for help ("URL"); NULL: a flag */
    const char *help;
    bool repeats;
    char letter; /* "-x" means it, too; '\0': there is none */
};

/* The command line, parsed. Texts are argv's own. */
struct cli_call {
    const struct cli_verb *verb;
    bool wants_help; /* --help was given: nothing else was judged */
    const char *words[CLI_WORDS_MAX];
    unsigned word_count;
    struct {
        const struct cli_option *option;
        const char *value; /* "" of a flag */
    } options[CLI_GIVEN_MAX];
    unsigned option_count;
};

struct cli_verb {
    const char *name;
    const char *words; /* "SUBJECT [DATA]" */
    const char *help;  /* one line */
    unsigned words_min, words_max;
    bool acts_on_node; /* takes the options of cli_node_options */
    int (*run)(const struct cli_call *call);
    struct cli_option options[CLI_OPTIONS_MAX]; /* the first without a name ends them */
    const char *examples;                       /* lines to paste; may be NULL */
};

struct cli_table {
    const struct cli_verb *verbs;
    unsigned count;
};

/* verbs.c: finds the verb and runs it. */
extern const struct cli_table cli_table;
int cli_main(int argc, char **argv);

/* What every verb that acts on a node takes besides its own; ends with one without a name. */
extern const struct cli_option cli_node_options[];

/* Reads a command line by TABLE. CLI_OK, or CLI_USAGE after a complaint. */
int cli_parse(const struct cli_table *table, int argc, char **argv, struct cli_call *ret_call);

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
/* The same, and it must lie in LEAST..MOST. */
bool cli_number_within(const struct cli_call *call, const char *name, uint64_t fallback,
                       uint64_t least, uint64_t most, uint64_t *ret);

/* "nonet: ..." to stderr; return CLI_FAILED or CLI_USAGE. */
int cli_fail(const struct error *error);
int cli_failed(const char *format, ...) printf_like(1, 2);
int cli_misused(const struct cli_call *call, const char *format, ...) printf_like(2, 3);
/* SUBJECT may be published to (or subscribed to); false after a complaint. */
bool cli_subject(const struct cli_call *call, const char *subject, bool wildcards);

/* Verbs: one file each, or one for each family. */
int cli_help(const struct cli_call *call);
int cli_version(const struct cli_call *call);
void cli_print_help(const struct cli_verb *verb);
int cli_run(const struct cli_call *call);
/* nats_server.c: `nonet nats-server FLAGS`, also where the binary is called nats-server. ARGV are
   the words behind that name. */
bool cli_is_nats_server(int argc, char **argv);
int cli_nats_server(int argc, char **argv);
int cli_nats_server_help(const struct cli_call *call);
int cli_check(const struct cli_call *call);
int cli_pub(const struct cli_call *call);
int cli_sub(const struct cli_call *call);
int cli_req(const struct cli_call *call);
int cli_reply(const struct cli_call *call);
int cli_stream_ls(const struct cli_call *call);
int cli_stream_info(const struct cli_call *call);
int cli_stream_add(const struct cli_call *call);
int cli_stream_rm(const struct cli_call *call);
int cli_stream_purge(const struct cli_call *call);
/* Are its two words names: one token each, without wildcards? Says what is wrong. */
bool cli_consumer_names(const struct cli_call *call);
int cli_consumer_add(const struct cli_call *call);
int cli_consumer_info(const struct cli_call *call);
int cli_consumer_rm(const struct cli_call *call);
int cli_consumer_parked(const struct cli_call *call);
int cli_consumer_replay(const struct cli_call *call);
int cli_consumer_drop(const struct cli_call *call);
int cli_stream_view(const struct cli_call *call);
int cli_status(const struct cli_call *call);
int cli_reload(const struct cli_call *call);
int cli_events_append(const struct cli_call *call);
int cli_events_delete(const struct cli_call *call);
int cli_events_limits(const struct cli_call *call);
int cli_events_read(const struct cli_call *call);
int cli_events_state(const struct cli_call *call);
int cli_events_tail(const struct cli_call *call);
int cli_events_why(const struct cli_call *call);
int cli_events_verify(const struct cli_call *call);
int cli_sql(const struct cli_call *call);
int cli_backup(const struct cli_call *call);
int cli_restore(const struct cli_call *call);
int cli_log_verify(const struct cli_call *call);
int cli_config_schema(const struct cli_call *call);
int cli_config_reference(const struct cli_call *call);
int cli_bench_core(const struct cli_call *call);
int cli_bench_request(const struct cli_call *call);
int cli_bench_publish(const struct cli_call *call);
int cli_bench_consume(const struct cli_call *call);

#endif
