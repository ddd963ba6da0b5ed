/*
 * host.c - machines and their lives: clock, randomness, power, captured log lines.
 *
 *     up --sim_kill: page cache kept--> down --sim_host_restart--> up (a new io_host)
 *       '--sim_power_cut: disk decides--^
 */
#include "core.h"
#include "disk.h"
#include "net.h"

#include <errno.h>
#include <stdlib.h>

/* 2026-01-01T00:00:00Z: where every simulated calendar starts. */
#define WALL_START_NS INT64_C(1767225600000000000)

static struct io_host *new_life(struct sim_machine *machine) {
    struct io_host *host = sim_calloc(1, sizeof(*host));
    host->sim = machine->sim;
    host->machine = machine;
    list_init(&host->groups);
    host->life = machine->lives++;
    list_push_back(&machine->hosts, &host->node);
    machine->up = host;
    return host;
}

struct io_host *sim_host_create(struct sim *sim, const char *name) {
    struct sim_machine *machine = sim_calloc(1, sizeof(*machine));
    check(strlen(name) < sizeof(machine->name));
    memcpy(machine->name, name, strlen(name));
    machine->sim = sim;
    machine->id = ++sim->machine_count;
    snprintf(machine->address, sizeof(machine->address), "10.0.%u.%u",
             (unsigned)((machine->id >> 8) & 255), (unsigned)(machine->id & 255));
    machine->disk = disk_create(sim);
    machine->next_port = (uint16_t)(40000 + sim_below(sim, 10000));
    machine->slow = 1;
    list_init(&machine->hosts);
    list_init(&machine->sockets);
    list_push_back(&sim->machines, &machine->node);
    return new_life(machine);
}

void sim_machine_free(struct sim_machine *machine) {
    for (struct list_node *n; (n = list_pop_front(&machine->hosts)) != NULL;)
        free(container_of(n, struct io_host, node));
    disk_free(machine->disk);
    free(machine->log);
    free(machine);
}

struct sim_machine *sim_machine_find(struct sim *sim, slice name) {
    struct list_node *n, *next;
    list_each(&sim->machines, n, next) {
        struct sim_machine *machine = container_of(n, struct sim_machine, node);
        if (slice_equal(name, slice_str(machine->name)) ||
            slice_equal(name, slice_str(machine->address)))
            return machine;
    }
    return NULL;
}

/* The real machine does not exist here: tests make theirs with sim_host_create. */
int io_host_create(struct io_host **ret_host) {
    (void)ret_host;
    return -ENOSYS;
}

struct io_host *io_host_free(struct io_host *host) {
    (void)host; /* the sim's */
    return NULL;
}

/* --- power ---------------------------------------------------------------------------------- */

static void go_down(struct io_host *host, bool silent) {
    host->down = true;
    host->cut_in = 0;
    host->machine->up = NULL;
    sim_trace(host->sim, SIM_POWER, host->machine->id, silent, silent ? "power cut" : "killed");
    sim_net_host_down(host, silent);
}

void sim_power_cut(struct io_host *host) {
    if (host->down)
        return;
    go_down(host, true);
    disk_cut(host->machine->disk);
}

void sim_kill(struct io_host *host) {
    if (host->down)
        return;
    go_down(host, false);
    disk_kill(host->machine->disk);
}

struct io_host *sim_host_restart(struct io_host *down) {
    check(down->down && !down->machine->up);
    return new_life(down->machine);
}

bool sim_host_down(const struct io_host *host) {
    return host->down;
}

uint64_t sim_cut_at(struct io_host *host, uint64_t steps) {
    uint64_t before = host->cut_in;
    host->cut_in = steps;
    return before;
}

uint64_t sim_disk_steps(const struct io_host *host) {
    return host->disk_steps;
}

bool sim_disk_step(struct io_host *host) {
    host->disk_steps++;
    if (host->cut_in && --host->cut_in == 0)
        sim_power_cut(host);
    return host->down;
}

/* --- clocks --------------------------------------------------------------------------------- */

void sim_host_set_clock(struct io_host *host, int64_t wall_offset_ns, int32_t drift_ppm) {
    struct sim_machine *machine = host->machine;
    check(drift_ppm > -100000 && drift_ppm < 100000);
    machine->drift_host_ns = sim_host_time(machine, host->sim->now_ns);
    machine->drift_true_ns = host->sim->now_ns;
    machine->wall_offset_ns = wall_offset_ns;
    machine->drift_ppm = drift_ppm;
}

uint64_t sim_host_time(const struct sim_machine *machine, uint64_t true_ns) {
    __int128 passed = (__int128)true_ns - machine->drift_true_ns;
    return (uint64_t)(machine->drift_host_ns + passed + passed * machine->drift_ppm / 1000000);
}

uint64_t sim_true_time(const struct sim_machine *machine, uint64_t host_ns) {
    __int128 passed = (__int128)host_ns - machine->drift_host_ns;
    __int128 guess = machine->drift_true_ns + passed * 1000000 / (1000000 + machine->drift_ppm);
    if (guess < 0)
        return 0;
    if (guess >= (__int128)SIM_NEVER - 1)
        return SIM_NEVER;
    uint64_t true_ns = (uint64_t)guess;
    while (sim_host_time(machine, true_ns) < host_ns)
        true_ns++;
    return true_ns;
}

uint64_t io_host_clock_ns(struct io_host *host) {
    return sim_host_time(host->machine, host->sim->now_ns);
}

int64_t io_host_wall_ns(struct io_host *host) {
    uint64_t clock = sim_host_time(host->machine, host->sim->now_ns);
    return WALL_START_NS + host->machine->wall_offset_ns + (int64_t)clock;
}

void io_host_random(struct io_host *host, void *out, size_t size) {
    random_bytes(&host->sim->keys, out, size);
}

/* --- captured log --------------------------------------------------------------------------- */

void sim_host_log(struct io_host *host, const char *line, size_t len) {
    struct sim_machine *machine = host->machine;
    check(len < SIM_LOG_MAX / 2);
    if (machine->log_len + len > SIM_LOG_MAX) { /* the older half makes room */
        size_t kept = SIM_LOG_MAX / 2;
        memmove(machine->log, machine->log + machine->log_len - kept, kept);
        machine->log_len = kept;
    }
    if (machine->log_len + len >= machine->log_room) {
        machine->log_room = machine->log_room * 2 + len + 1;
        machine->log = sim_realloc(machine->log, machine->log_room);
    }
    memcpy(machine->log + machine->log_len, line, len);
    machine->log_len += len;
    machine->log[machine->log_len] = '\0';
}

const char *sim_log_text(struct io_host *host) {
    return host->machine->log ? host->machine->log : "";
}

void sim_signal(struct io_host *host, int signum) {
    sim_trace(host->sim, SIM_POWER, host->machine->id, (uint64_t)signum, "signal");
    sim_groups_signal(host, signum);
}
