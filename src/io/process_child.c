#include "io/process_child.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIRST_FREE_DESCRIPTOR 3 /* behind stdin, stdout, stderr */

extern char **environ;

struct plan {
    const char *command, *directory;
    char **environment;
    int child_ends[3];
    int report; /* carries errno where exec was not reached; closed by exec */
    pid_t parent;
    enum io_child_end end;
};

/* --- in the child: system calls only ---------------------------------------------------------- */

static _Noreturn void give_up(const struct plan *plan) {
    int failed = errno;
    ssize_t ignored = write(plan->report, &failed, sizeof failed);
    (void)ignored;
    _exit(127);
}

static _Noreturn void become(const struct plan *plan) {
    struct sigaction usual = {.sa_handler = SIG_DFL};
    for (int signum = 1; signum < NSIG; signum++)
        (void)sigaction(signum, &usual, NULL); /* some cannot be changed */
    sigset_t none;
    sigemptyset(&none);
    if (setpgid(0, 0) != 0)
        give_up(plan);
    if (plan->end == IO_CHILD_DIES_WITH_US && prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
        give_up(plan);
    if (getppid() != plan->parent)
        _exit(127); /* it died before the line above */
    for (int i = 0; i < 3; i++) {
        if (dup2(plan->child_ends[i], i) < 0)
            give_up(plan);
    }
    if (plan->directory && chdir(plan->directory) != 0)
        give_up(plan);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    char *const arguments[] = {(char *)"sh", (char *)"-c", (char *)plan->command, NULL};
    execve("/bin/sh", arguments, plan->environment);
    give_up(plan);
}

/* --- in the parent ---------------------------------------------------------------------------- */

static bool same_name(const char *a, const char *b) {
    size_t len = strcspn(a, "=");
    return strncmp(a, b, len) == 0 && b[len] == '=';
}

/* Our environment with VARIABLES in the place of those of the same name; the texts stay where they
   are. NULL without memory. */
static char **make_environment(const char *const *variables) {
    size_t own = 0, added = 0;
    while (environ && environ[own])
        own++;
    while (variables && variables[added])
        added++;
    char **result = mem_zalloc(own + added + 1, sizeof *result);
    if (!result)
        return NULL;
    size_t count = 0;
    for (size_t i = 0; i < own; i++) {
        bool replaced = false;
        for (size_t j = 0; j < added; j++)
            replaced = replaced || same_name(variables[j], environ[i]);
        if (!replaced)
            result[count++] = environ[i];
    }
    for (size_t j = 0; j < added; j++)
        memcpy(&result[count++], &variables[j], sizeof result[0]);
    return result;
}

static void close_if_open(int *fd) {
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* A pipe whose ends are no standard descriptors, even where ours were closed before we started. */
static int make_pipe(int *ret_read, int *ret_write) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return -errno;
    for (int i = 0; i < 2; i++) {
        if (ends[i] >= FIRST_FREE_DESCRIPTOR)
            continue;
        int higher = fcntl(ends[i], F_DUPFD_CLOEXEC, FIRST_FREE_DESCRIPTOR);
        if (higher < 0) {
            int failed = -errno;
            close(ends[0]);
            close(ends[1]);
            return failed;
        }
        close(ends[i]);
        ends[i] = higher;
    }
    *ret_read = ends[0];
    *ret_write = ends[1];
    return 0;
}

/* Starts it and waits until exec has happened or failed. */
static int give_birth(struct plan *plan, int report_read, pid_t *ret_pid) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* no handler of ours may run in the child */
    pid_t pid = vfork();
    if (pid == 0)
        become(plan);
    int failed = pid < 0 ? -errno : 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    close_if_open(&plan->report);
    if (failed)
        return failed;
    int reported = 0;
    ssize_t got;
    do {
        got = read(report_read, &reported, sizeof reported);
    } while (got < 0 && errno == EINTR);
    if (got == (ssize_t)sizeof reported) {
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            ;
        return -reported;
    }
    *ret_pid = pid;
    return 0;
}

static int make_pipes(struct plan *plan, int our_ends[3], int *ret_report) {
    int failed = make_pipe(&plan->child_ends[0], &our_ends[0]);
    if (failed == 0)
        failed = make_pipe(&our_ends[1], &plan->child_ends[1]);
    if (failed == 0)
        failed = make_pipe(&our_ends[2], &plan->child_ends[2]);
    if (failed == 0)
        failed = make_pipe(ret_report, &plan->report);
    for (int i = 0; i < 3 && failed == 0; i++)
        failed = fcntl(our_ends[i], F_SETFL, O_NONBLOCK) == 0 ? 0 : -errno;
    return failed;
}

int io_child_start(const char *command, const char *directory, const char *const *variables,
                   enum io_child_end end, struct io_child *ret_child) {
    struct plan plan = {.command = command,
                        .directory = directory,
                        .child_ends = {-1, -1, -1},
                        .report = -1,
                        .parent = getpid(),
                        .end = end};
    struct io_child child = {.pidfd = -1, .pipes = {-1, -1, -1}};
    int report_read = -1;
    plan.environment = make_environment(variables);
    int failed = plan.environment ? make_pipes(&plan, child.pipes, &report_read) : -ENOMEM;
    if (failed == 0)
        failed = give_birth(&plan, report_read, &child.pid);
    if (failed == 0) {
        child.pidfd = pidfd_open(child.pid, 0);
        if (child.pidfd < 0) {
            failed = -errno;
            kill(-child.pid, SIGKILL);
            while (waitpid(child.pid, NULL, 0) < 0 && errno == EINTR)
                ;
        }
    }
    mem_free(plan.environment);
    close_if_open(&report_read);
    close_if_open(&plan.report);
    for (int i = 0; i < 3; i++) {
        close_if_open(&plan.child_ends[i]);
        if (failed)
            close_if_open(&child.pipes[i]);
    }
    if (failed == 0)
        *ret_child = child;
    return failed;
}
