/*
 * kill_process.c - the node as a child process (kill_process.h). The child dies with the test, its
 * output goes to a file in its folder, and it is always waited for.
 */
#include "kill_process.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PATH_SIZE 512

void kill_sleep_us(unsigned us) {
    struct timespec span = {us / 1000000, (long)(us % 1000000) * 1000};
    nanosleep(&span, NULL);
}

static void ports_path(const struct kill_process *p, char out[PATH_SIZE]) {
    snprintf(out, PATH_SIZE, "%s/ports", p->folder);
}

static void become_node(const struct kill_process *p) {
    char ports[PATH_SIZE], data[PATH_SIZE], log[PATH_SIZE], shards[16];
    ports_path(p, ports);
    snprintf(data, sizeof data, "%s/data", p->folder);
    snprintf(log, sizeof log, "%s/log", p->folder);
    snprintf(shards, sizeof shards, "%u", p->shards);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int out = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    dup2(out, 1);
    dup2(out, 2);
    execl(p->binary, p->binary, "run", "--data", data, "--listen", "nats=0", "--listen",
          p->admin ? "admin=0" : "admin=off", "--listen", "sql=off", "--ports-file", ports,
          "--shards", shards, "--quiet", (char *)NULL);
    _exit(127);
}

void kill_process_start(struct kill_process *p) {
    char ports[PATH_SIZE];
    ports_path(p, ports);
    unlink(ports);
    p->pid = fork();
    if (p->pid == 0)
        become_node(p);
    if (p->pid < 0) {
        perror("crash_kill: fork");
        exit(2);
    }
}

/* 0 where the file says nothing of it. */
static unsigned read_port(const char *path, const char *key) {
    char text[1024];
    FILE *file = fopen(path, "r");
    if (!file)
        return 0;
    size_t len = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[len] = '\0';
    const char *at = strstr(text, key);
    return at ? (unsigned)strtoul(at + strlen(key), NULL, 10) : 0;
}

unsigned kill_process_port(struct kill_process *p, const char *listener, int timeout_ms) {
    char ports[PATH_SIZE], key[64];
    ports_path(p, ports);
    snprintf(key, sizeof key, "\"%s\":\"127.0.0.1:", listener);
    for (int waited_us = 0; waited_us < timeout_ms * 1000; waited_us += 2000) {
        unsigned port = read_port(ports, key);
        if (port)
            return port;
        if (waitpid(p->pid, NULL, WNOHANG) == p->pid) {
            p->pid = 0;
            return 0;
        }
        kill_sleep_us(2000);
    }
    return 0;
}

void kill_process_pause(struct kill_process *p, unsigned pause_ms) {
    kill(p->pid, SIGSTOP);
    kill_sleep_us(pause_ms * 1000);
    kill(p->pid, SIGCONT);
}

bool kill_process_kill(struct kill_process *p) {
    int status = 0;
    if (p->pid <= 0)
        return true;
    kill(p->pid, SIGKILL);
    pid_t ended = waitpid(p->pid, &status, 0);
    p->pid = 0;
    return ended > 0 && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

bool kill_process_stop(struct kill_process *p, int timeout_ms) {
    if (p->pid <= 0)
        return false;
    kill(p->pid, SIGTERM);
    int status = 0;
    for (int waited = 0; waited < timeout_ms; waited += 5) {
        if (waitpid(p->pid, &status, WNOHANG) == p->pid) {
            p->pid = 0;
            return WIFEXITED(status) && WEXITSTATUS(status) == 0;
        }
        kill_sleep_us(5000);
    }
    kill_process_kill(p);
    return false;
}
