/*
 * kill_settings.c - see kill_settings.h.
 */
#include "kill_settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void usage(const char *program) {
    fprintf(stderr,
            "usage: %s --kills N --binary FILE [--seed N] [--shards N] "
            "[--seconds N]\n",
            program);
    exit(2);
}

static uint64_t number(const char *program, const char *text) {
    char *end;
    uint64_t value = strtoull(text, &end, 10);
    if (!*text || *end)
        usage(program);
    return value;
}

struct kill_settings kill_settings_read(const char *program, int argc, char **argv) {
    struct kill_settings settings = {
        .program = program, .binary = "build/nonet", .seed = 1, .kills = 100};
    for (int i = 1; i < argc; i += 2) {
        if (i + 1 == argc)
            usage(program);
        if (strcmp(argv[i], "--binary") == 0)
            settings.binary = argv[i + 1];
        else if (strcmp(argv[i], "--kills") == 0)
            settings.kills = (unsigned)number(program, argv[i + 1]);
        else if (strcmp(argv[i], "--seed") == 0)
            settings.seed = number(program, argv[i + 1]);
        else if (strcmp(argv[i], "--shards") == 0)
            settings.shards = (unsigned)number(program, argv[i + 1]);
        else if (strcmp(argv[i], "--seconds") == 0)
            settings.seconds = (unsigned)number(program, argv[i + 1]);
        else
            usage(program);
    }
    return settings;
}

void kill_folder_make(const struct kill_settings *settings, char folder[KILL_FOLDER_MAX]) {
    const char *parent = getenv("TMPDIR");
    snprintf(folder, KILL_FOLDER_MAX, "%s/nonet-kill-XXXXXX", parent ? parent : "/var/tmp");
    if (mkdtemp(folder))
        return;
    fprintf(stderr, "%s: cannot make %s\n", settings->program, folder);
    exit(2);
}

/* Our own folder, and what the node has put into it: two levels. */
void kill_folder_end(const struct kill_settings *settings, const char *folder, uint64_t failures) {
    char command[512];
    if (failures) {
        fprintf(stderr, "%s: seed %llu; data and log are kept in %s\n", settings->program,
                (unsigned long long)settings->seed, folder);
        return;
    }
    snprintf(command, sizeof command, "rm -rf -- '%s'", folder);
    if (system(command) != 0)
        fprintf(stderr, "%s: %s is left behind\n", settings->program, folder);
}
