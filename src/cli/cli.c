/*
 * cli.c - reading a command line by a table of verbs (cli.h).
 */
#include "cli/cli.h"

#include "base/edit.h"
#include "base/number.h"
#include "wire/nats_subject.h"

#include <stdarg.h>
#include <stdio.h>

#define VERB_NAME_MAX 48u

const struct cli_option cli_node_options[] = {
    {.name = "server",
     .value = "URL",
     .help = "the node or NATS server (else NATS_URL, else ports.json of --data)"},
    {.name = "user", .value = "NAME", .help = "who to log in as"},
    {.name = "password", .value = "SECRET", .help = "with --user"},
    {.name = "token", .value = "SECRET", .help = "instead of user and password"},
    {.name = "creds", .value = "FILE", .help = "nkey seed, with or without a JWT"},
    {.name = "tls-ca", .value = "FILE", .help = "certificates to trust instead of the system's"},
    {.name = "tls-cert", .value = "FILE", .help = "our own certificate, for servers that ask"},
    {.name = "tls-key", .value = "FILE", .help = "its key"},
    {.name = "tls-insecure", .help = "do not check whose certificate the server shows"},
    {.name = "data", .value = "DIR", .help = "data folder of a local node (default .nonet)"},
    {.name = "timeout", .value = "DURATION", .help = "how long to wait for an answer (default 5s)"},
    {.name = "json", .help = "output for programs"},
    {.name = NULL},
};

/* --- complaints ------------------------------------------------------------------------------- */

int cli_fail(const struct error *error) {
    char text[1024];
    fflush(stdout); /* in the order in which things happened */
    fprintf(stderr, "nonet: %s\n", error_text(error, text, sizeof text));
    return CLI_FAILED;
}

static void complain(const char *format, va_list arguments) {
    fflush(stdout);
    fputs("nonet: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
}

int cli_failed(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    complain(format, arguments);
    va_end(arguments);
    return CLI_FAILED;
}

int cli_misused(const struct cli_call *call, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    complain(format, arguments);
    va_end(arguments);
    if (call->verb)
        fprintf(stderr, "  usage: nonet %s%s%s   (nonet help %s)\n", call->verb->name,
                call->verb->words[0] ? " " : "", call->verb->words, call->verb->name);
    else
        fputs("  nonet help lists what there is\n", stderr);
    return CLI_USAGE;
}

/* --- verbs ------------------------------------------------------------------------------------ */

static const struct cli_verb *find_verb(const struct cli_table *table, const char *name) {
    for (unsigned i = 0; i < table->count; i++)
        if (strcmp(table->verbs[i].name, name) == 0)
            return &table->verbs[i];
    return NULL;
}

/* The nearest verb to a mistyped one, or NULL. */
static const char *nearest_verb(const struct cli_table *table, const char *word) {
    const char *nearest = NULL;
    size_t least = 3;
    for (unsigned i = 0; i < table->count; i++) {
        size_t distance = edit_distance(slice_str(word), slice_str(table->verbs[i].name));
        if (distance < least) {
            least = distance;
            nearest = table->verbs[i].name;
        }
    }
    return nearest;
}

/* Whether there are verbs "WORD something"; prints them, for who wrote WORD alone or with a word
   that is none of theirs. */
static bool print_family(const struct cli_table *table, const char *word, const char *next) {
    bool found = false;
    size_t len = strlen(word);
    for (unsigned i = 0; i < table->count; i++) {
        const struct cli_verb *verb = &table->verbs[i];
        if (strncmp(verb->name, word, len) != 0 || verb->name[len] != ' ')
            continue;
        if (!found && next)
            fprintf(stderr, "nonet: there is no '%s %s'; there is:\n", word, next);
        else if (!found)
            fprintf(stderr, "nonet: '%s' needs one more word:\n", word);
        fprintf(stderr, "  nonet %s %s\n", verb->name, verb->words);
        found = true;
    }
    return found;
}

static int no_such_verb(const struct cli_table *table, const char *word, const char *next,
                        const char *two_words) {
    if (print_family(table, word, next))
        return CLI_USAGE;
    const char *nearest = nearest_verb(table, two_words);
    if (!nearest)
        nearest = nearest_verb(table, word);
    const struct cli_call nothing = {0};
    return nearest
               ? cli_misused(&nothing, "there is no verb '%s'; did you mean '%s'?", word, nearest)
               : cli_misused(&nothing, "there is no verb '%s'", word);
}

/* Finds the verb and where its words begin. */
static int read_verb(const struct cli_table *table, int argc, char **argv, struct cli_call *call,
                     int *ret_first) {
    const char *word = argv[1];
    char two_words[VERB_NAME_MAX];
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
        word = "help";
    if (strcmp(word, "--version") == 0 || strcmp(word, "-v") == 0)
        word = "version";
    snprintf(two_words, sizeof two_words, "%s %s", word, argc > 2 ? argv[2] : "");
    call->verb = find_verb(table, two_words);
    *ret_first = 3;
    if (!call->verb) {
        call->verb = find_verb(table, word);
        *ret_first = 2;
    }
    return call->verb ? CLI_OK : no_such_verb(table, word, argc > 2 ? argv[2] : NULL, two_words);
}

/* --- words and options ------------------------------------------------------------------------ */

static const struct cli_option *find_option(const struct cli_verb *verb, slice name) {
    for (unsigned i = 0; i < CLI_OPTIONS_MAX && verb->options[i].name; i++)
        if (slice_equal(slice_str(verb->options[i].name), name))
            return &verb->options[i];
    for (const struct cli_option *option = cli_node_options; verb->acts_on_node && option->name;
         option++)
        if (slice_equal(slice_str(option->name), name))
            return option;
    return NULL;
}

static int unknown_option(const struct cli_call *call, slice name) {
    const char *names[CLI_OPTIONS_MAX * 2];
    size_t count = 0;
    for (unsigned i = 0; i < CLI_OPTIONS_MAX && call->verb->options[i].name; i++)
        names[count++] = call->verb->options[i].name;
    for (const struct cli_option *option = cli_node_options;
         call->verb->acts_on_node && option->name && count < array_count(names); option++)
        names[count++] = option->name;
    ptrdiff_t nearest = edit_closest(name, names, count);
    if (nearest >= 0)
        return cli_misused(call, "unknown option --%.*s; did you mean --%s?", slice_fmt(name),
                           names[nearest]);
    return cli_misused(call, "unknown option --%.*s", slice_fmt(name));
}

static int add_option(struct cli_call *call, const struct cli_option *option, const char *value) {
    unsigned given = 0;
    for (unsigned i = 0; i < call->option_count; i++)
        given += call->options[i].option == option;
    if (option->repeats && given == CLI_REPEATS_MAX)
        return cli_misused(call, "--%s more than %u times", option->name, CLI_REPEATS_MAX);
    if (call->option_count == CLI_GIVEN_MAX)
        return cli_misused(call, "more than %u options", CLI_GIVEN_MAX);
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
        return unknown_option(call, name);
    if (!option->value)
        return value.ptr ? cli_misused(call, "--%s takes no value", option->name)
                         : add_option(call, option, "");
    if (value.ptr)
        return add_option(call, option, value.ptr);
    if (*at + 1 >= argc)
        return cli_misused(call, "--%s needs a value: %s", option->name, option->value);
    return add_option(call, option, argv[++*at]);
}

static const struct cli_option *find_letter(const struct cli_verb *verb, char letter) {
    for (unsigned i = 0; i < CLI_OPTIONS_MAX && verb->options[i].name; i++)
        if (verb->options[i].letter == letter)
            return &verb->options[i];
    return NULL;
}

static bool has_letters(const struct cli_verb *verb) {
    for (unsigned i = 0; i < CLI_OPTIONS_MAX && verb->options[i].name; i++)
        if (verb->options[i].letter)
            return true;
    return false;
}

/* "-xt", "-c VALUE", "-cVALUE". */
static int read_letters(struct cli_call *call, int argc, char **argv, int *at) {
    for (const char *letter = argv[*at] + 1; *letter; letter++) {
        const struct cli_option *option = find_letter(call->verb, *letter);
        if (!option)
            return cli_misused(call, "unknown option -%c", *letter);
        int failed = CLI_OK;
        if (!option->value)
            failed = add_option(call, option, "");
        else if (letter[1])
            return add_option(call, option, letter + 1);
        else if (*at + 1 < argc)
            return add_option(call, option, argv[++*at]);
        else
            return cli_misused(call, "-%c needs a value: %s", *letter, option->value);
        if (failed)
            return failed;
    }
    return CLI_OK;
}

static int read_words(struct cli_call *call, int first, int argc, char **argv) {
    bool only_words = false;
    for (int at = first; at < argc; at++) {
        const char *word = argv[at];
        if (!only_words && strcmp(word, "--") == 0) {
            only_words = true;
        } else if (!only_words && strcmp(word, "--help") == 0) {
            call->wants_help = true;
            return CLI_OK;
        } else if (!only_words && strncmp(word, "--", 2) == 0) {
            int failed = read_option(call, argc, argv, &at);
            if (failed)
                return failed;
        } else if (!only_words && word[0] == '-' && word[1] && has_letters(call->verb)) {
            int failed = read_letters(call, argc, argv, &at);
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

int cli_parse(const struct cli_table *table, int argc, char **argv, struct cli_call *ret_call) {
    check(argc >= 2);
    struct cli_call call = {0};
    int first;
    int failed = read_verb(table, argc, argv, &call, &first);
    if (!failed)
        failed = read_words(&call, first, argc, argv);
    if (!failed)
        *ret_call = call;
    return failed;
}

/* --- values ----------------------------------------------------------------------------------- */

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

bool cli_number_within(const struct cli_call *call, const char *name, uint64_t fallback,
                       uint64_t least, uint64_t most, uint64_t *ret) {
    if (!cli_number(call, name, fallback, ret))
        return false;
    if (!cli_value(call, name) || (*ret >= least && *ret <= most))
        return true;
    cli_misused(call, "--%s %s: it takes a number from %llu to %llu", name, cli_value(call, name),
                (unsigned long long)least, (unsigned long long)most);
    return false;
}

bool cli_duration(const struct cli_call *call, const char *name, uint64_t fallback, uint64_t *ret) {
    return parse_value(call, name, fallback, ret, number_parse_duration,
                       "a duration like 250ms, 5s or 1h");
}

bool cli_size(const struct cli_call *call, const char *name, uint64_t fallback, uint64_t *ret) {
    return parse_value(call, name, fallback, ret, number_parse_size, "a size like 64KB or 1GB");
}

bool cli_subject(const struct cli_call *call, const char *subject, bool wildcards) {
    slice s = slice_str(subject);
    if (wildcards ? nats_subject_valid(s) : nats_subject_literal(s))
        return true;
    if (!wildcards && nats_subject_valid(s))
        cli_misused(call, "'%s' has a wildcard: a message goes to one subject", subject);
    else
        cli_misused(call, "'%s' is no subject: write words joined by dots, like bid.eu.new",
                    subject);
    return false;
}
