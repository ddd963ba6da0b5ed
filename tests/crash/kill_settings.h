/*
 * kill_settings.h - what both crash programs are told, and the folder that they work in.
 *
 *     PROGRAM --kills N --binary FILE [--seed N] [--shards N] [--seconds N]
 *
 * The folder is removed when nothing was found, and else kept, with the node's data and log: with
 * the seed it is what a failure is looked for in.
 */
#ifndef NONET_CRASH_KILL_SETTINGS_H
#define NONET_CRASH_KILL_SETTINGS_H

#include <stdint.h>

#define KILL_FOLDER_MAX 300u

struct kill_settings {
    const char *program, *binary;
    uint64_t seed;
    unsigned kills, shards, seconds; /* 0: chosen by chance; without end */
};

/* Exits with 2 and words where they are wrong. */
struct kill_settings kill_settings_read(const char *program, int argc, char **argv);

/* A new folder in $TMPDIR (/var/tmp). Exits with 2 where it cannot be made. */
void kill_folder_make(const struct kill_settings *settings, char folder[KILL_FOLDER_MAX]);
/* Removes it; after FAILURES it is kept, and that is said. */
void kill_folder_end(const struct kill_settings *settings, const char *folder, uint64_t failures);

#endif
