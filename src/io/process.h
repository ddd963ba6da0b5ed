/*
 * process.h - child processes and the environment. Part of the seam (loop.h).
 *
 * Children are started for `services:` and `nonet reply --command`. Their output comes line by
 * line; a line over IO_LINE_MAX bytes comes in pieces. A child is started in its own process group,
 * which is killed when the child ends and when the node does, however it dies (parent-death
 * signal, and a guard for what the child has started), so no orphan outlives a killed node.
 */
#ifndef NONET_IO_PROCESS_H
#define NONET_IO_PROCESS_H

#include "io/loop.h"

#define IO_LINE_MAX 8192

struct io_process;
struct io_process_options {
    const char *command;          /* run by /bin/sh -c */
    const char *directory;        /* NULL: the node's own */
    const char *const *variables; /* NULL-terminated "NAME=value" added to the environment */
    slice input;                  /* written to stdin, which is then closed */
    bool whole_output;            /* collect stdout (at most output_max) for on_exit, no lines */
    size_t output_max;
    void (*on_line)(void *owner, bool is_stderr, slice line); /* may be NULL */
    /* STATUS 0-255, or 256 + signal. OUTPUT only with whole_output. Last call. */
    void (*on_exit)(void *owner, int status, slice output);
    void *owner;
};
must_use int io_process_start(struct io_loop *loop, const struct io_process_options *options,
                              struct io_process **ret_process);
/* Sends SIGNUM to the child's whole process group. */
void io_process_signal(struct io_process *process, int signum);
int io_process_id(const struct io_process *process);

/* The number of this process, and a signal to another: 0, -ESRCH (there is none such), -EPERM. */
int io_process_self(void);
must_use int io_process_tell(int process, int signum);

/* The value of an environment variable, or NULL. */
const char *io_environment(const char *name);
/* Resident memory of this process and CPU time used, for /varz and the benches. */
struct io_usage {
    uint64_t resident_bytes, cpu_user_ns, cpu_system_ns;
};
struct io_usage io_usage_now(void);
unsigned io_core_count(void);
bool io_is_terminal(int descriptor);
/* The folder that names without a leading '/' begin in. 0, -ERANGE (SIZE), or a system error. */
must_use int io_working_folder(char *out, size_t size);

#endif
