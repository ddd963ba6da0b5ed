/*
 * sim.c - the seed, the clock, the event queue, the trace hash, and the io call that fails.
 *
 * An event is run when it is the earliest in (time, order of scheduling). Every event and every
 * call of interest goes into the hash, so two runs of one seed can be compared by one number, and
 * a code path that depends on an address, on uninitialised memory or on the real clock shows.
 */
#include "core.h"

#include "disk.h"
#include "net.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#define WORKER_STACK_BYTES (512u << 10)

static const char *const kind_names[SIM_KINDS] = {"turn",     "job",     "packet", "connect",
                                                  "datagram", "timeout", "file",   "name",
                                                  "power",    "message", "timer"};

void *sim_calloc(size_t count, size_t size) {
    void *p = calloc(count ? count : 1, size ? size : 1);
    check(p != NULL);
    return p;
}

void *sim_realloc(void *pointer, size_t size) {
    void *p = realloc(pointer, size ? size : 1);
    check(p != NULL);
    return p;
}

static bool event_before(const struct heap_node *a, const struct heap_node *b) {
    const struct sim_event *x = container_of(a, struct sim_event, node);
    const struct sim_event *y = container_of(b, struct sim_event, node);
    return x->at_ns != y->at_ns ? x->at_ns < y->at_ns : x->order < y->order;
}

static void set_default(uint64_t *value, uint64_t fallback) {
    if (*value == 0)
        *value = fallback;
}

struct sim *sim_create(uint64_t seed, const struct sim_options *options) {
    struct sim *sim = sim_calloc(1, sizeof(*sim));
    if (options)
        sim->options = *options;
    if (sim->options.sector_bytes == 0)
        sim->options.sector_bytes = 4096;
    check(sim->options.sector_bytes >= 512 && sim->options.sector_bytes <= 4096 &&
          (sim->options.sector_bytes & (sim->options.sector_bytes - 1)) == 0);
    set_default(&sim->options.read_ns, 20000);
    set_default(&sim->options.write_ns, 30000);
    set_default(&sim->options.sync_ns, 300000);
    set_default(&sim->options.net_ns, 100000);
    sim->seed = seed;
    sim->random = random_make(seed);
    sim->keys = random_make(seed ^ UINT64_C(0x6b657973));
    sim->now_ns = SIM_SECOND + random_below(&sim->random, SIM_SECOND);
    sim->hash = UINT64_C(0xcbf29ce484222325);
    sim->queue = heap_make(event_before);
    sim->stacks.bytes = WORKER_STACK_BYTES;
    list_init(&sim->machines);
    list_init(&sim->links);
    list_init(&sim->datagrams);
    list_init(&sim->names);
    return sim;
}

struct sim *sim_free(struct sim *sim) {
    if (!sim)
        return NULL;
    sim_net_free(sim);
    sim_udp_free(sim);
    sim_names_free(sim);
    io_fiber_stacks_free(&sim->stacks);
    for (struct list_node *n; (n = list_pop_front(&sim->machines)) != NULL;)
        sim_machine_free(container_of(n, struct sim_machine, node));
    free(sim);
    return NULL;
}

uint64_t sim_seed(const struct sim *sim) {
    return sim->seed;
}

uint64_t sim_hash(const struct sim *sim) {
    return sim->hash;
}

uint64_t sim_now_ns(const struct sim *sim) {
    return sim->now_ns;
}

uint64_t sim_below(struct sim *sim, uint64_t bound) {
    return random_below(&sim->random, bound);
}

bool sim_chance(struct sim *sim, uint64_t one_in) {
    return random_below(&sim->random, one_in) == 0;
}

unsigned sim_open_handles(const struct sim *sim) {
    return sim->handles;
}

uint64_t sim_spread(struct sim *sim, uint64_t mean_ns) {
    uint64_t r = random_u64(&sim->random);
    uint64_t span = mean_ns / 2 + (r >> 16) % (mean_ns + 1);
    return (r & 63) == 0 ? span * 20 : span;
}

/* --- the hash ------------------------------------------------------------------------------- */

static void hash_word(struct sim *sim, uint64_t word) {
    sim->hash = (sim->hash ^ word) * UINT64_C(0x100000001b3);
    sim->hash ^= sim->hash >> 29;
}

void sim_trace(struct sim *sim, enum sim_kind kind, uint64_t a, uint64_t b, const char *text) {
    hash_word(sim, sim->now_ns + ((uint64_t)kind << 56));
    hash_word(sim, a);
    hash_word(sim, b);
    if (sim->options.trace)
        fprintf(sim->options.trace, "%12" PRIu64 " %-8s %" PRIu64 " %" PRIu64 " %s\n", sim->now_ns,
                kind_names[kind], a, b, text ? text : "");
}

/* --- events --------------------------------------------------------------------------------- */

struct sim_event sim_event_make(struct sim *sim, enum sim_kind kind,
                                void (*run)(struct sim_event *event)) {
    return (struct sim_event){.kind = kind, .id = ++sim->ids, .run = run};
}

void sim_unschedule(struct sim *sim, struct sim_event *event) {
    if (!event->queued)
        return;
    heap_remove(&sim->queue, &event->node);
    event->queued = false;
}

void sim_schedule(struct sim *sim, struct sim_event *event, uint64_t at_ns) {
    sim_unschedule(sim, event);
    event->at_ns = at_ns > sim->now_ns ? at_ns : sim->now_ns;
    event->order = ++sim->order;
    event->queued = true;
    heap_add(&sim->queue, &event->node);
}

bool sim_step(struct sim *sim) {
    check(!sim->stepping && !sim->working);
    struct heap_node *first = heap_pop(&sim->queue);
    if (!first)
        return false;
    struct sim_event *event = container_of(first, struct sim_event, node);
    event->queued = false;
    check(event->at_ns >= sim->now_ns);
    sim->now_ns = event->at_ns;
    sim->events++;
    sim_trace(sim, event->kind, event->id, sim->events, NULL);
    sim->stepping = true;
    event->run(event);
    sim->stepping = false;
    return true;
}

static bool step_before(struct sim *sim, uint64_t limit_ns) {
    struct heap_node *first = heap_first(&sim->queue);
    if (!first || container_of(first, struct sim_event, node)->at_ns > limit_ns) {
        if (limit_ns != SIM_NEVER && limit_ns > sim->now_ns)
            sim->now_ns = limit_ns;
        return false;
    }
    return sim_step(sim);
}

static uint64_t limit_of(const struct sim *sim, uint64_t span_ns) {
    return span_ns > SIM_NEVER - sim->now_ns ? SIM_NEVER : sim->now_ns + span_ns;
}

bool sim_run_until(struct sim *sim, bool (*condition)(void *self), void *self, uint64_t limit_ns) {
    uint64_t limit = limit_of(sim, limit_ns);
    while (!condition(self))
        if (!step_before(sim, limit))
            return condition(self);
    return true;
}

void sim_run_for(struct sim *sim, uint64_t span_ns) {
    uint64_t limit = limit_of(sim, span_ns);
    while (step_before(sim, limit)) {
    }
}

/* --- the call that fails -------------------------------------------------------------------- */

void sim_fail_io_at(struct sim *sim, uint64_t count, bool persistent) {
    sim->io_fail_at = count;
    sim->io_fail_persistent = persistent;
}

uint64_t sim_io_attempts(const struct sim *sim) {
    return sim->io_attempts;
}

int sim_fault(struct sim *sim, int error) {
    sim->io_attempts++;
    if (sim->io_fail_at == 0 || --sim->io_fail_at > 0)
        return 0;
    if (sim->io_fail_persistent)
        sim->io_fail_at = 1;
    sim_trace(sim, SIM_FILE, sim->io_attempts, (uint64_t)-error, "made to fail");
    return error;
}
