#include "io/process.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <sched.h>

int io_process_self(void) {
    return (int)getpid();
}

int io_process_tell(int process, int signum) {
    return kill((pid_t)process, signum) == 0 ? 0 : -errno;
}

const char *io_environment(const char *name) {
    return getenv(name);
}

static uint64_t timeval_ns(struct timeval time) {
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_usec * 1000u;
}

/* The second number of statm, in pages. */
static uint64_t resident_bytes(void) {
    FILE *statm = fopen("/proc/self/statm", "re");
    if (!statm)
        return 0;
    unsigned long long total = 0, resident = 0;
    if (fscanf(statm, "%llu %llu", &total, &resident) != 2)
        resident = 0;
    fclose(statm);
    return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

struct io_usage io_usage_now(void) {
    struct rusage usage;
    check(getrusage(RUSAGE_SELF, &usage) == 0);
    return (struct io_usage){
        .resident_bytes = resident_bytes(),
        .cpu_user_ns = timeval_ns(usage.ru_utime),
        .cpu_system_ns = timeval_ns(usage.ru_stime),
    };
}

/* What we may run on, which in a container is less than what is there. */
unsigned io_core_count(void) {
    cpu_set_t cores;
    CPU_ZERO(&cores);
    if (sched_getaffinity(0, sizeof cores, &cores) != 0)
        return 1;
    int count = CPU_COUNT(&cores);
    return count > 0 ? (unsigned)count : 1;
}

bool io_is_terminal(int descriptor) {
    return isatty(descriptor) == 1;
}

int io_working_folder(char *out, size_t size) {
    return getcwd(out, size) ? 0 : -errno;
}
