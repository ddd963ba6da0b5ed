/*
 * guard.h - sees to it that no child outlives a killed node. Inside of io/ only.
 *
 * The parent-death signal reaches the shell that runs a command, not what that shell has started
 * (npm's node, the parts of a pipeline). So the first child of a host brings a guard with it: a
 * shell of a few lines in its own process group that reads the children's process groups from a
 * pipe. Only the node holds the pipe's other end; when it is gone, however it died, the guard
 * kills the groups that are left and ends.
 */
#ifndef NONET_IO_GUARD_H
#define NONET_IO_GUARD_H

#include "io/loop.h"

struct io_guard;

/* uv_host.c: the host's own. */
struct io_guard *io_host_guard(struct io_host *host);

must_use struct io_guard *io_guard_new(void); /* starts nothing yet; NULL without memory */
/* NULL allowed. Groups still guarded are killed. */
void io_guard_free(struct io_guard *guard);
/* Any thread. Best effort: where no guard can be started, the parent-death signal remains. */
void io_guard_add(struct io_guard *guard, int process_group);
void io_guard_remove(struct io_guard *guard, int process_group);

#endif
