/* help.c - nonet help [VERB], nonet version. */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

static void print_option(const struct cli_option *option) {
    char left[64];
    const char letter[] = {'-', option->letter, ',', ' ', '\0'};
    snprintf(left, sizeof left, "%s--%s%s%s", option->letter ? letter : "", option->name,
             option->value ? " " : "", option->value ? option->value : "");
    printf("  %-22s %s%s\n", left, option->help, option->repeats ? " (repeatable)" : "");
}

void cli_print_help(const struct cli_verb *verb) {
    printf("nonet %s%s%s\n  %s\n", verb->name, verb->words[0] ? " " : "", verb->words, verb->help);
    if (verb->options[0].name)
        puts("\noptions:");
    for (unsigned i = 0; i < CLI_OPTIONS_MAX && verb->options[i].name; i++)
        print_option(&verb->options[i]);
    if (verb->acts_on_node) {
        puts("\nwhich node, and how:");
        for (const struct cli_option *option = cli_node_options; option->name; option++)
            print_option(option);
    }
    if (verb->examples)
        printf("\nexamples:\n%s\n", verb->examples);
}

static void print_all(void) {
    puts("Nonet: nine patterns of distributed systems on one durable log.\n\n"
         "usage: nonet VERB ...\n");
    for (unsigned i = 0; i < cli_table.count; i++) {
        const struct cli_verb *verb = &cli_table.verbs[i];
        printf("  %-17s %-26s %s\n", verb->name, verb->words, verb->help);
    }
    puts("\nnonet help VERB shows a verb's options.");
}

/* One verb, or all of a family ("stream"). Returns how many were printed. */
static unsigned print_matching(const char *name) {
    unsigned printed = 0;
    size_t len = strlen(name);
    for (unsigned i = 0; i < cli_table.count; i++) {
        const struct cli_verb *verb = &cli_table.verbs[i];
        if (strncmp(verb->name, name, len) != 0 || (verb->name[len] && verb->name[len] != ' '))
            continue;
        if (printed++)
            puts("");
        cli_print_help(verb);
    }
    return printed;
}

int cli_help(const struct cli_call *call) {
    char name[64];
    if (!call->word_count) {
        print_all();
        return CLI_OK;
    }
    snprintf(name, sizeof name, "%s%s%s", call->words[0], call->word_count > 1 ? " " : "",
             call->word_count > 1 ? call->words[1] : "");
    if (!print_matching(name))
        return cli_misused(&(struct cli_call){0}, "there is no verb '%s'", name);
    return CLI_OK;
}

/* --json: {"version":"0.1.0"} */
int cli_version(const struct cli_call *call) {
    puts(cli_flag(call, "json") ? "{\"version\":\"" NONET_VERSION "\"}" : "nonet " NONET_VERSION);
    return CLI_OK;
}
