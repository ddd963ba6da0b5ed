/*
 * cli.c - the table of verbs, and reading a command line by it (cli.h).
 */
#include "cli/cli.h"

#include "base/edit.h"
#include "base/number.h"

#include <stdarg.h>
#include <stdio.h>

#define NODE_OPTIONS_TEXT                                                                          \
    "  --server URL        the node or NATS server (else NATS_URL, else ports.json of --data)\n"   \
    "  --user NAME --password SECRET, --token SECRET, --creds FILE   how to log in\n"              \
    "  --tls-ca FILE, --tls-cert FILE, --tls-key FILE   check the server, show a certificate\n"    \
    "  --data DIR          data folder of a local node (default .nonet)\n"                         \
    "  --timeout DURATION  how long to wait for an answer (default 5s)\n"

/* Options every verb that acts on a node takes. */
static const struct cli_option node_options[] = {
    {"server", "URL", NULL},       {"user", "NAME", NULL},    {"password", "SECRET", NULL},
    {"token", "SECRET", NULL},     {"creds", "FILE", NULL},   {"data", "DIR", NULL},
    {"timeout", "DURATION", NULL}, {"json", NULL, NULL},      {"tls-ca", "FILE", NULL},
    {"tls-cert", "FILE", NULL},    {"tls-key", "FILE", NULL},
};

extern const struct cli_verb cli_verbs[];
extern const unsigned cli_verb_count;

/* --- complaints
 * ------------------------------------------------------------------------------------- */

int cli_fail(const struct error *error) {
    char text[1024];
    fprintf(stderr, "nonet: %s\n", error_text(error, text, sizeof text));
    return CLI_FAILED;
}

int cli_failed(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("nonet: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    return CLI_FAILED;
}

int cli_misused(const struct cli_call *call, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("nonet: ", stderr);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    if (call->verb)
        fprintf(stderr, "\n  usage: nonet %s %s   (nonet help %s)\n", call->verb->name,
                call->verb->words, call->verb->name);
    else
        fputs("\n  nonet help lists what there is\n", stderr);
    return CLI_USAGE;
}

/* --- reading
 * ------------------------------------------------------------------------------------------ */

static const struct cli_option *find_in(const struct cli_option *options, size_t count,
                                        slice name) {
    for (size_t i = 0; i < count && options[i].name; i++)
        if (slice_equal(slice_str(options[i].name), name))
            return &options[i];
    return NULL;
}

static const struct cli_option *find_option(const struct cli_verb *verb, slice name) {
    const struct cli_option *option = find_in(verb->options, CLI_OPTIONS_MAX, name);
    if (!option && verb->acts_on_node)
        option = find_in(node_options, array_count(node_options), name);
    return option;
}

static int add_option(struct cli_call *call, const struct cli_option *option, const char *value) {
    if (call->option_count == array_count(call->options))
        return cli_misused(call, "too many options");
    call->options[call->option_count].option = option;
    call->options[call->option_count++].value = value;
    return CLI_OK;
}

/* One "--name[=value]"; *AT moves over a value that is a word of its own. */
static int read_option(struct cli_call *call, int argc, char **argv, int *at) {
    slice value;
    slice name = slice_cut(slice_str(argv[*at] + 2), '=', &value);
    const struct cli_option *option = find_option(call->verb, name);
    if (!option)
        return cli_misused(call, "unknown option --%.*s", slice_fmt(name));
    if (!option->value)
        return value.ptr ? cli_misused(call, "--%s takes no value", option->name)
                         : add_option(call, option, "");
    if (value.ptr)
        return add_option(call, option, value.ptr);
    if (*at + 1 >= argc)
        return cli_misused(call, "--%s needs a value: %s", option->name, option->value);
    return add_option(call, option, argv[++*at]);
}

static int read_words(struct cli_call *call, int argc, char **argv) {
    bool only_words = false;
    for (int at = 2; at < argc; at++) {
        const char *word = argv[at];
        if (!only_words && strcmp(word, "--") == 0) {
            only_words = true;
        } else if (!only_words && strncmp(word, "--", 2) == 0) {
            int failed = read_option(call, argc, argv, &at);
            if (failed)
                return failed;
        } else if (call->word_count == CLI_WORDS_MAX) {
            return cli_misused(call, "more than %u words", CLI_WORDS_MAX);
        } else {
            call->words[call->word_count++] = word;
        }
    }
    if (call->word_count < call->verb->words_min)
        return cli_misused(call, "%s needs %s", call->verb->name, call->verb->words);
    if (call->word_count > call->verb->words_max)
        return cli_misused(call, "'%s' is one word too many", call->words[call->verb->words_max]);
    return CLI_OK;
}

const char *cli_value(const struct cli_call *call, const char *name) {
    const char *value = NULL;
    for (unsigned i = 0; i < call->option_count; i++)
        if (strcmp(call->options[i].option->name, name) == 0)
            value = call->options[i].value;
    return value;
}

bool cli_flag(const struct cli_call *call, const char *name) {
    return cli_value(call, name) != NULL;
}

unsigned cli_values(const struct cli_call *call, const char *name,
                    const char *values[CLI_REPEATS_MAX]) {
    unsigned count = 0;
    for (unsigned i = 0; i < call->option_count && count < CLI_REPEATS_MAX; i++)
        if (strcmp(call->options[i].option->name, name) == 0)
            values[count++] = call->options[i].value;
    return count;
}

static bool parse_value(const struct cli_call *call, const char *name, uint64_t fallback,
                        uint64_t *ret, int (*parse)(slice, uint64_t *), const char *what) {
    const char *value = cli_value(call, name);
    *ret = fallback;
    if (!value || parse(slice_str(value), ret) == 0)
        return true;
    cli_misused(call, "--%s %s: it takes %s", name, value, what);
    return false;
}

bool cli_number(const struct cli_call *call, const char *name, uint64_t fallback, uint64_t *ret) {
    return parse_value(call, name, fallback, ret, number_parse_u64, "a number like 100");
}

bool cli_duration(const struct cli_call *call, const char *name, uint64_t fallback, uint64_t *ret) {
    return parse_value(call, name, fallback, ret, number_parse_duration,
                       "a duration like 250ms, 5s or 1h");
}

bool cli_size(const struct cli_call *call, const char *name, uint64_t fallback, uint64_t *ret) {
    return parse_value(call, name, fallback, ret, number_parse_size, "a size like 64KB or 1GB");
}

/* --- help and verbs
 * -------------------------------------------------------------------------------------- */

static const struct cli_verb *find_verb(const char *name) {
    for (unsigned i = 0; i < cli_verb_count; i++)
        if (strcmp(cli_verbs[i].name, name) == 0)
            return &cli_verbs[i];
    return NULL;
}

static void print_verb(const struct cli_verb *verb) {
    printf("nonet %s %s\n  %s\n", verb->name, verb->words, verb->help);
    for (unsigned i = 0; i < CLI_OPTIONS_MAX && verb->options[i].name; i++) {
        const struct cli_option *option = &verb->options[i];
        char left[64];
        snprintf(left, sizeof left, "--%s%s%s", option->name, option->value ? " " : "",
                 option->value ? option->value : "");
        printf("  %-19s %s\n", left, option->help);
    }
    if (verb->acts_on_node)
        fputs(NODE_OPTIONS_TEXT "  --json              output for programs\n", stdout);
    if (verb->examples)
        printf("\n%s\n", verb->examples);
}

int cli_help(const struct cli_call *call) {
    if (call->word_count) {
        const struct cli_verb *verb = find_verb(call->words[0]);
        if (!verb)
            return cli_misused(&(struct cli_call){0}, "there is no verb '%s'", call->words[0]);
        print_verb(verb);
        return CLI_OK;
    }
    puts(
        "Nonet: nine patterns of distributed systems on one durable log.\n\nusage: nonet VERB ...");
    for (unsigned i = 0; i < cli_verb_count; i++)
        printf("  %-10s %-34s %s\n", cli_verbs[i].name, cli_verbs[i].words, cli_verbs[i].help);
    puts("\nnonet help VERB shows a verb's options.");
    return CLI_OK;
}

int cli_version(const struct cli_call *call) {
    (void)call;
    puts("nonet " NONET_VERSION);
    return CLI_OK;
}

/* The nearest verb to a mistyped one, or NULL. */
static const char *nearest_verb(const char *word) {
    const char *nearest = NULL;
    size_t least = 3;
    for (unsigned i = 0; i < cli_verb_count; i++) {
        size_t distance = edit_distance(slice_str(word), slice_str(cli_verbs[i].name));
        if (distance < least) {
            least = distance;
            nearest = cli_verbs[i].name;
        }
    }
    return nearest;
}

int cli_main(int argc, char **argv) {
    struct cli_call call = {0};
    if (argc < 2) {
        cli_help(&call);
        return CLI_USAGE;
    }
    const char *word = argv[1];
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
        word = "help";
    if (strcmp(word, "--version") == 0 || strcmp(word, "-v") == 0)
        word = "version";
    call.verb = find_verb(word);
    if (!call.verb) {
        const char *nearest = nearest_verb(word);
        return nearest
                   ? cli_misused(&call, "there is no verb '%s'; did you mean '%s'?", word, nearest)
                   : cli_misused(&call, "there is no verb '%s'", word);
    }
    for (int i = 2; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0) {
            print_verb(call.verb);
            return CLI_OK;
        }
    int failed = read_words(&call, argc, argv);
    return failed ? failed : call.verb->run(&call);
}
