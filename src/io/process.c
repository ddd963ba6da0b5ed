#include "io/process.h"

#include "base/buf.h"
#include "base/mem.h"
#include "io/guard.h"
#include "io/net.h"
#include "io/process_child.h"
#include "io/uv_loop.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* How long the pipes may stay open behind a child that has ended: its whole group is killed then,
   so only one that left the group holds them. */
#define LAST_OUTPUT_NS (1000u * (uint64_t)IO_NS_PER_MS)

enum pipe_role { PIPE_INPUT, PIPE_OUTPUT, PIPE_ERRORS };

struct handle {
    struct io_process *process;
    uv_poll_t poll;
    int fd;
    bool open;
};

struct io_process {
    struct io_loop *loop;
    struct io_process_options options;
    int pid;
    int status;
    bool exited, ended;
    unsigned handles; /* not yet let go by libuv; frees with the last */
    struct handle pipes[3];
    struct handle child;
    char *input;
    size_t input_size, input_done;
    struct buf lines[3]; /* by pipe_role: a line begun; with whole_output all of stdout */
    struct io_timer last_output;
    struct io_task end;
};

static void on_handle_closed(uv_handle_t *poll) {
    struct handle *handle = container_of((uv_poll_t *)(void *)poll, struct handle, poll);
    struct io_process *process = handle->process;
    if (--process->handles > 0)
        return;
    mem_free(process->input);
    for (unsigned i = 0; i < 3; i++)
        buf_free(&process->lines[i]);
    mem_free(process);
}

static void close_handle(struct handle *handle) {
    if (!handle->open)
        return;
    handle->open = false;
    uv_close((uv_handle_t *)&handle->poll, on_handle_closed);
    close(handle->fd);
}

/* --- the end ---------------------------------------------------------------------------------- */

static void on_end(struct io_task *task) {
    struct io_process *process = container_of(task, struct io_process, end);
    io_timer_stop(process->loop, &process->last_output);
    process->loop->open_count--;
    if (process->options.on_exit)
        process->options.on_exit(process->options.owner, process->status,
                                 process->options.whole_output
                                     ? buf_slice(&process->lines[PIPE_OUTPUT])
                                     : slice_make(NULL, 0));
    for (unsigned i = 0; i < 3; i++)
        close_handle(&process->pipes[i]);
    close_handle(&process->child);
}

static void end_if_over(struct io_process *process, bool in_any_case) {
    bool silent = !process->pipes[PIPE_OUTPUT].open && !process->pipes[PIPE_ERRORS].open;
    if (process->exited && !process->ended && (silent || in_any_case)) {
        process->ended = true;
        process->end.run = on_end;
        io_defer(process->loop, &process->end);
    }
}

static void on_last_output_over(struct io_timer *timer) {
    end_if_over(container_of(timer, struct io_process, last_output), true);
}

static void on_child_ended(uv_poll_t *poll, int status, int events) {
    (void)status;
    (void)events;
    struct io_process *process = container_of(poll, struct handle, poll)->process;
    io_loop_enter(process->loop);
    if (process->exited)
        return;
    /* Before the child is waited for, so that its number is surely still its group's. */
    kill(-process->pid, SIGKILL);
    int ending = 0;
    while (waitpid(process->pid, &ending, 0) < 0 && errno == EINTR)
        ;
    io_guard_remove(io_host_guard(io_loop_host(process->loop)), process->pid);
    process->status = WIFSIGNALED(ending) ? 256 + WTERMSIG(ending) : WEXITSTATUS(ending);
    process->exited = true;
    check(uv_poll_stop(poll) == 0);
    close_handle(&process->pipes[PIPE_INPUT]);
    io_timer_start(process->loop, &process->last_output, LAST_OUTPUT_NS, on_last_output_over);
    end_if_over(process, false);
}

/* --- output of the child ---------------------------------------------------------------------- */

static void give_line(struct io_process *process, enum pipe_role role, slice line) {
    if (process->options.on_line)
        process->options.on_line(process->options.owner, role == PIPE_ERRORS, line);
}

static void give_begun(struct io_process *process, enum pipe_role role) {
    struct buf *begun = &process->lines[role];
    if (begun->len > 0)
        give_line(process, role, buf_slice(begun));
    buf_clear(begun);
}

/* Keeps PART of a line whose end has not come; without memory the line comes in pieces. */
static void begin_line(struct io_process *process, enum pipe_role role, slice part) {
    if (buf_append(&process->lines[role], part) < 0) {
        give_begun(process, role);
        give_line(process, role, part);
    }
}

static void split_lines(struct io_process *process, enum pipe_role role, slice bytes) {
    struct buf *begun = &process->lines[role];
    while (bytes.len > 0) {
        slice piece = slice_take(bytes, IO_LINE_MAX - begun->len);
        ptrdiff_t newline = slice_find(piece, '\n');
        if (newline >= 0)
            piece = slice_take(piece, (size_t)newline);
        bytes = slice_skip(bytes, piece.len + (newline >= 0));
        bool whole = newline >= 0 || begun->len + piece.len == IO_LINE_MAX;
        if (whole && begun->len == 0) {
            give_line(process, role, piece);
        } else {
            begin_line(process, role, piece);
            if (whole)
                give_begun(process, role);
        }
    }
}

/* What is over output_max is read, so that the child does not stall, and dropped. */
static void collect(struct io_process *process, slice bytes) {
    struct buf *all = &process->lines[PIPE_OUTPUT];
    slice kept = slice_take(bytes, all->max - all->len);
    if (buf_append(all, kept) < 0)
        all->max = all->len; /* no memory: cut here */
}

static void on_output(uv_poll_t *poll, int status, int events) {
    (void)status;
    (void)events;
    struct handle *handle = container_of(poll, struct handle, poll);
    struct io_process *process = handle->process;
    io_loop_enter(process->loop);
    if (!handle->open)
        return;
    enum pipe_role role = (enum pipe_role)(handle - process->pipes);
    ssize_t got = read(handle->fd, process->loop->read_buffer, IO_READ_BYTES);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    bool whole = role == PIPE_OUTPUT && process->options.whole_output;
    if (got > 0) {
        slice bytes = slice_make(process->loop->read_buffer, (size_t)got);
        if (whole)
            collect(process, bytes);
        else
            split_lines(process, role, bytes);
        return;
    }
    if (!whole)
        give_begun(process, role);
    close_handle(handle);
    end_if_over(process, false);
}

/* --- its input -------------------------------------------------------------------------------- */

static void on_input(uv_poll_t *poll, int status, int events) {
    (void)events;
    struct handle *handle = container_of(poll, struct handle, poll);
    struct io_process *process = handle->process;
    io_loop_enter(process->loop);
    if (!handle->open)
        return;
    ssize_t put = -1;
    size_t rest = process->input_size - process->input_done;
    if (status == 0 && rest > 0) {
        put = write(handle->fd, process->input + process->input_done, rest);
        if (put < 0 && (errno == EAGAIN || errno == EINTR))
            return;
    }
    if (put > 0)
        process->input_done += (size_t)put;
    if (put < 0 || process->input_done == process->input_size)
        close_handle(handle); /* all said, or nobody reads it */
}

/* --- start ------------------------------------------------------------------------------------ */

static void open_handle(struct io_process *process, struct handle *handle, int fd, int events,
                        uv_poll_cb callback) {
    handle->process = process;
    handle->fd = fd;
    handle->open = true;
    process->handles++;
    /* A pipe or a pidfd can always be polled; only memory can fail, and libuv aborts then. */
    check(uv_poll_init(&process->loop->uv, &handle->poll, fd) == 0);
    check(uv_poll_start(&handle->poll, events, callback) == 0);
}

int io_process_start(struct io_loop *loop, const struct io_process_options *options,
                     struct io_process **ret_process) {
    struct io_process *process = mem_zalloc(1, sizeof *process);
    char *input = mem_copy(options->input.ptr, options->input.len);
    struct io_child child;
    int failed = process && input
                     ? io_child_start(options->command, options->directory, options->variables,
                                      IO_CHILD_DIES_WITH_US, &child)
                     : -ENOMEM;
    if (failed) {
        mem_free(input);
        mem_free(process);
        return failed;
    }
    io_guard_add(io_host_guard(io_loop_host(loop)), child.pid);
    process->loop = loop;
    process->options = *options;
    process->pid = child.pid;
    process->input = input;
    process->input_size = options->input.len;
    for (unsigned i = 0; i < 3; i++)
        process->lines[i] = buf_make(IO_LINE_MAX);
    if (options->whole_output)
        process->lines[PIPE_OUTPUT].max = options->output_max;
    open_handle(process, &process->pipes[PIPE_INPUT], child.pipes[0], UV_WRITABLE, on_input);
    open_handle(process, &process->pipes[PIPE_OUTPUT], child.pipes[1], UV_READABLE, on_output);
    open_handle(process, &process->pipes[PIPE_ERRORS], child.pipes[2], UV_READABLE, on_output);
    open_handle(process, &process->child, child.pidfd, UV_READABLE, on_child_ended);
    loop->open_count++;
    *ret_process = process;
    return 0;
}

void io_process_signal(struct io_process *process, int signum) {
    if (!process->exited)
        kill(-process->pid, signum);
}

int io_process_id(const struct io_process *process) {
    return process->pid;
}
