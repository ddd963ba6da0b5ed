/*
 * process_child.h - the birth of a child process. Inside of io/ only.
 *
 * uv_spawn cannot ask for a parent-death signal, so io does it itself. vfork, because fork copies
 * page tables, which for a node with much in memory stops all its threads for milliseconds; what
 * the child does between vfork and exec is therefore only system calls, no memory of ours changes.
 */
#ifndef NONET_IO_PROCESS_CHILD_H
#define NONET_IO_PROCESS_CHILD_H

#include "base/check.h"

#include <sys/types.h>

struct io_child {
    pid_t pid;
    int pidfd;    /* readable once the child has ended */
    int pipes[3]; /* our ends of its stdin, stdout, stderr; non-blocking */
};

enum io_child_end { IO_CHILD_DIES_WITH_US, IO_CHILD_OUTLIVES };

/* Runs COMMAND by /bin/sh in DIRECTORY (NULL: ours) with VARIABLES (NULL or NULL-terminated) over
   our environment, as leader of its own process group. 0 or a negative errno. */
must_use int io_child_start(const char *command, const char *directory,
                            const char *const *variables, enum io_child_end end,
                            struct io_child *ret_child);

#endif
