/* terminal.c - see terminal.h. */
#include "io/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

/* --- Ctrl-C ----------------------------------------------------------------------------------- */

/* A handler of signals can be told where to write by nothing else. */
static volatile sig_atomic_t interrupted;

static void on_interrupt(int signum) {
    if (interrupted) {
        signal(signum, SIG_DFL);
        raise(signum);
    }
    interrupted = 1;
}

void io_interrupt_catch(bool caught) {
    struct sigaction action = {.sa_handler = caught ? on_interrupt : SIG_DFL,
                               .sa_flags = SA_RESTART}; /* no write of ours is cut short */
    sigemptyset(&action.sa_mask);
    check(sigaction(SIGINT, &action, NULL) == 0);
}

bool io_interrupt_take(void) {
    bool taken = interrupted;
    interrupted = 0;
    return taken;
}

/* SIGINT is let through only within ppoll, so none is lost between the look at the mark and it. */
int io_wait_readable(int descriptor, int output, int timeout_ms) {
    struct pollfd files[] = {{.fd = descriptor, .events = POLLIN}, {.fd = output}};
    const struct timespec timeout = {timeout_ms / 1000, (long)(timeout_ms % 1000) * 1000000};
    sigset_t interrupt, before;
    sigemptyset(&interrupt);
    sigaddset(&interrupt, SIGINT);
    check(sigprocmask(SIG_BLOCK, &interrupt, &before) == 0);
    int ready = interrupted
                    ? -1
                    : ppoll(files, array_count(files), timeout_ms < 0 ? NULL : &timeout, &before);
    int failed = ready < 0 && !interrupted ? -errno : 0;
    check(sigprocmask(SIG_SETMASK, &before, NULL) == 0);
    if (io_interrupt_take())
        return -EINTR;
    if (failed)
        return failed == -EINTR ? 0 : failed; /* some other signal: as if the time were over */
    if (files[1].revents & (POLLERR | POLLNVAL))
        return -EPIPE;
    return ready > 0;
}

/* --- the terminal ----------------------------------------------------------------------------- */

unsigned io_terminal_columns(void) {
    struct winsize size;
    if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0)
        return 0;
    return size.ws_col;
}

/* A line of TERMINAL without its end. 0 or as io_terminal_secret. */
static int read_line(int terminal, char *out, size_t size) {
    for (size_t len = 0;;) {
        char byte;
        ssize_t got = read(terminal, &byte, 1);
        if (got < 0)
            return -errno;
        if (got == 0)
            return -ENODATA;
        if (byte == '\n') {
            out[len] = '\0';
            return 0;
        }
        if (len + 1 == size)
            return -ENOSPC;
        out[len++] = byte;
    }
}

int io_terminal_secret(const char *prompt, char *out, size_t size) {
    struct termios before, hidden;
    int terminal = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (terminal < 0 || tcgetattr(terminal, &before) != 0) {
        if (terminal >= 0)
            close(terminal);
        return -ENOTTY;
    }
    hidden = before;
    hidden.c_lflag &= ~(tcflag_t)ECHO;
    int failed = tcsetattr(terminal, TCSAFLUSH, &hidden) == 0 ? 0 : -errno;
    if (!failed && write(terminal, prompt, strlen(prompt)) < 0)
        failed = -errno;
    if (!failed)
        failed = read_line(terminal, out, size);
    if (tcsetattr(terminal, TCSAFLUSH, &before) != 0 && !failed)
        failed = -errno;
    if (write(terminal, "\n", 1) < 0 && !failed)
        failed = -errno;
    close(terminal);
    if (failed)
        explicit_bzero(out, size);
    (void)io_interrupt_take();
    return failed;
}

/* Of what system and pclose give. */
static int exit_status(int status) {
    if (status < 0)
        return -errno;
    return WIFSIGNALED(status) ? 256 + WTERMSIG(status) : WEXITSTATUS(status);
}

int io_terminal_run(const char *command) {
    fflush(NULL);
    return exit_status(system(command)); /* ignores SIGINT while it waits */
}

FILE *io_stdio_command(const char *command, const char *mode) {
    char closed[8];
    fflush(NULL);
    snprintf(closed, sizeof closed, "%.4se", mode);
    return popen(command, closed);
}

int io_stdio_end(FILE *stream) {
    return exit_status(pclose(stream));
}

FILE *io_stdio_open(const char *path, const char *mode) {
    char closed[8];
    snprintf(closed, sizeof closed, "%.4se", mode); /* not open in the programs that we start */
    return fopen(path, closed);
}

void io_locale_utf8(void) {
    setlocale(LC_CTYPE, "");
    if (strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
        setlocale(LC_CTYPE, "C.UTF-8");
}
