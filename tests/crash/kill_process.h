/*
 * kill_process.h - the node under test as a process: started, found, paused, killed.
 *
 * It is started with its own data folder and a ports file; the ports file is removed before each
 * start, so its appearing says that this life accepts connections.
 */
#ifndef NONET_TESTS_CRASH_KILL_PROCESS_H
#define NONET_TESTS_CRASH_KILL_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

struct kill_process {
    const char *binary;
    const char *folder; /* data and ports file lie in it */
    unsigned shards;
    bool admin; /* with the admin listener */
    pid_t pid;
};

void kill_process_start(struct kill_process *process);
/* The port of LISTENER ("nats") once the node is ready; 0 after TIMEOUT_MS or where the process has
   ended. */
unsigned kill_process_port(struct kill_process *process, const char *listener, int timeout_ms);
/* SIGSTOP, and SIGCONT after PAUSE_MS. */
void kill_process_pause(struct kill_process *process, unsigned pause_ms);
/* SIGKILL, and waits for its end. False where it had ended by itself before. */
bool kill_process_kill(struct kill_process *process);
/* SIGTERM; true where it ended with status 0 in time. */
bool kill_process_stop(struct kill_process *process, int timeout_ms);
void kill_sleep_us(unsigned us);

#endif
