/*
 * core.h - what the files of the simulated machine room share. Tests include sim.h only.
 *
 *   sim --> machine (disk, address, ports) --> io_host: the machine's lives, the last one may be up
 *    |          '--> link: a TCP connection's two ends           '--> io_group --> io_loop
 *    '--> event queue, ordered by (time, order of scheduling)                        '--> io_worker
 *
 * Everything is reached through events; an event lies inside the thing it wakes. The sim's own
 * memory comes from sim_calloc, which never fails and is not counted by mem_fail_at; what is handed
 * to the code under test comes from mem_zalloc, so that its failures are tried too.
 */
#ifndef NONET_TESTS_SIM_CORE_H
#define NONET_TESTS_SIM_CORE_H

#include "base/heap.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/random.h"
#include "io/fiber.h"
#include "sim.h"

#define SIM_PATH_MAX 512
#define SIM_NAME_MAX 64
#define SIM_LOG_MAX (1u << 20)

struct io_worker;
struct sim_disk;

/* What an event or trace line is about; goes into the hash, so order matters only within a run. */
enum sim_kind {
    SIM_TURN,
    SIM_JOB,
    SIM_PACKET,
    SIM_CONNECT,
    SIM_DATAGRAM,
    SIM_TIMEOUT,
    SIM_FILE,
    SIM_NAME,
    SIM_POWER,
    SIM_MESSAGE,
    SIM_TIMER,
    SIM_KINDS
};

struct sim_event {
    struct heap_node node;
    uint64_t at_ns, order;
    enum sim_kind kind;
    uint32_t id;
    bool queued;
    void (*run)(struct sim_event *event);
};

struct sim {
    struct sim_options options;
    uint64_t seed, now_ns, order, hash, events;
    struct heap queue;
    struct random random, keys; /* the schedule's, and what hosts hand out as randomness */
    struct io_worker *working;  /* NULL: loops or the test */
    struct io_fiber_stacks stacks;
    struct list machines, links, datagrams, names;
    uint64_t io_attempts, io_fail_at;
    bool io_fail_persistent, stepping;
    uint32_t ids, machine_count, partition_count;
    struct sim_machine *partitions[16][2];
    unsigned handles;
};

struct sim_machine {
    struct list_node node;
    struct sim *sim;
    char name[SIM_NAME_MAX], address[16];
    uint32_t id, lives;
    struct sim_disk *disk;
    struct list hosts;   /* every life */
    struct io_host *up;  /* NULL: down */
    struct list sockets; /* bound listeners and datagram sockets */
    uint16_t next_port;
    int64_t wall_offset_ns;
    int32_t drift_ppm; /* since the moment below */
    uint64_t drift_host_ns, drift_true_ns;
    unsigned slow;
    char *log;
    size_t log_len, log_room;
};

struct io_host {
    struct list_node node;
    struct sim *sim;
    struct sim_machine *machine;
    bool down;
    uint32_t life;
    uint64_t disk_steps, cut_in; /* cut_in: steps until the power goes, 0 = never */
    struct {
        uint64_t in;
        int error;
    } fail[SIM_CALLS];
    struct list groups;
};

/* --- sim.c */
void *sim_calloc(size_t count, size_t size);
void *sim_realloc(void *pointer, size_t size);
void sim_schedule(struct sim *sim, struct sim_event *event, uint64_t at_ns); /* moves it, too */
void sim_unschedule(struct sim *sim, struct sim_event *event);
struct sim_event sim_event_make(struct sim *sim, enum sim_kind kind,
                                void (*run)(struct sim_event *event));
void sim_trace(struct sim *sim, enum sim_kind kind, uint64_t a, uint64_t b, const char *text);
bool sim_chance(struct sim *sim, uint64_t one_in);
uint64_t sim_spread(struct sim *sim, uint64_t mean_ns); /* around MEAN, now and then far above */
int sim_fault(struct sim *sim, int error); /* ERROR where this call is the one to fail, else 0 */

/* --- host.c */
uint64_t sim_host_time(const struct sim_machine *machine, uint64_t true_ns);
uint64_t sim_true_time(const struct sim_machine *machine, uint64_t host_ns); /* not before it */
void sim_machine_free(struct sim_machine *machine);
struct sim_machine *sim_machine_find(struct sim *sim, slice name);
void sim_host_log(struct io_host *host, const char *line, size_t len);
/* Counts a step; true where the power is or goes off. */
bool sim_disk_step(struct io_host *host);

/* --- worker.c */
void sim_worker_pause(struct sim *sim, uint64_t span_ns); /* no-op outside a worker */
void sim_workers_finish(struct io_loop *loop);            /* calls done() of what is done */

/* --- resolve.c */
void sim_names_free(struct sim *sim);

/* --- loop.c */
void sim_loop_poke(struct io_loop *loop, uint64_t at_ns); /* a turn at AT or a little later */
void sim_groups_signal(struct io_host *host, int signum);
struct list *sim_loop_workers(struct io_loop *loop);

#endif
