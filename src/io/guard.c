#include "io/guard.h"

#include "base/mem.h"
#include "io/process_child.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

struct io_guard {
    pthread_mutex_t mutex;
    int fd; /* where it reads; -1: not started */
    int pid;
};

static const char script[] =
    "groups=\n"
    "while read -r sign group; do\n"
    "  case $sign in\n"
    "  +) groups=\"$groups $group\" ;;\n"
    "  -) kept=\n"
    "     for each in $groups; do [ \"$each\" = \"$group\" ] || kept=\"$kept $each\"; done\n"
    "     groups=$kept ;;\n"
    "  esac\n"
    "done\n"
    "for each in $groups; do kill -s KILL -- \"-$each\"; done\n";

struct io_guard *io_guard_new(void) {
    struct io_guard *guard = mem_zalloc(1, sizeof *guard);
    if (!guard)
        return NULL;
    pthread_mutex_init(&guard->mutex, NULL);
    guard->fd = -1;
    return guard;
}

void io_guard_free(struct io_guard *guard) {
    if (!guard)
        return;
    if (guard->fd >= 0) {
        close(guard->fd);
        while (waitpid(guard->pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    pthread_mutex_destroy(&guard->mutex);
    mem_free(guard);
}

static void start(struct io_guard *guard) {
    struct io_child child;
    if (io_child_start(script, NULL, NULL, IO_CHILD_OUTLIVES, &child) < 0)
        return;
    guard->fd = child.pipes[0];
    guard->pid = child.pid;
    close(child.pipes[1]);
    close(child.pipes[2]);
    close(child.pidfd);
}

/* A line is written whole or, into a pipe that nobody reads, not at all. */
static void tell(struct io_guard *guard, char sign, int process_group) {
    char line[32];
    int len = snprintf(line, sizeof line, "%c %d\n", sign, process_group);
    ssize_t ignored = guard->fd >= 0 ? write(guard->fd, line, (size_t)len) : 0;
    (void)ignored;
}

void io_guard_add(struct io_guard *guard, int process_group) {
    pthread_mutex_lock(&guard->mutex);
    if (guard->fd < 0)
        start(guard);
    tell(guard, '+', process_group);
    pthread_mutex_unlock(&guard->mutex);
}

void io_guard_remove(struct io_guard *guard, int process_group) {
    pthread_mutex_lock(&guard->mutex);
    tell(guard, '-', process_group);
    pthread_mutex_unlock(&guard->mutex);
}
