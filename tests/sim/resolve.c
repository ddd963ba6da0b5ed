/*
 * resolve.c - names of the simulated world: what sim_name_set says, else the machines'.
 *
 * An answer takes as long as a packet there and back. A name that is silent is answered when the
 * asker's patience is over, as by a server that is not there.
 */
#include "core.h"

#include "io/resolve.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define ADDRESSES_TEXT_MAX 1024

struct sim_name {
    struct list_node node;
    char name[SIM_NAME_MAX], addresses[ADDRESSES_TEXT_MAX];
    uint64_t ttl_ns;
    int failed;
};

struct io_question {
    struct list_node node;
    struct io_resolver *resolver;
    void (*on_answer)(void *owner, const struct io_resolved *resolved);
    void *owner;
    struct io_timer timer;
    int failed;
    char host[SIM_NAME_MAX];
};

struct io_resolver {
    struct io_loop *loop;
    struct list questions;
    unsigned count;
};

/* --- what the world says -----------------------------------------------------------------------
 */

static struct sim_name *find(struct sim *sim, const char *name) {
    struct list_node *n, *next;
    list_each(&sim->names, n, next) {
        struct sim_name *at = container_of(n, struct sim_name, node);
        if (strcmp(at->name, name) == 0)
            return at;
    }
    return NULL;
}

void sim_name_set(struct sim *sim, const char *name, const char *addresses, uint64_t ttl_ns,
                  int failed) {
    struct sim_name *at = find(sim, name);
    if (!at) {
        at = sim_calloc(1, sizeof *at);
        list_push_back(&sim->names, &at->node);
    }
    snprintf(at->name, sizeof at->name, "%s", name);
    snprintf(at->addresses, sizeof at->addresses, "%s", addresses ? addresses : "");
    at->ttl_ns = ttl_ns;
    at->failed = failed;
}

void sim_names_free(struct sim *sim) {
    for (struct list_node *n; (n = list_pop_front(&sim->names)) != NULL;)
        free(container_of(n, struct sim_name, node));
}

static int compare(const void *a, const void *b) {
    return memcmp(a, b, sizeof(struct ip));
}

static unsigned read_addresses(const char *text, struct ip *addresses) {
    slice rest = slice_str(text);
    unsigned count = 0;
    while (rest.len && count < IO_RESOLVE_ADDRESSES_MAX)
        check(ip_parse(slice_cut(rest, ' ', &rest), &addresses[count++]) == 0);
    qsort(addresses, count, sizeof *addresses, compare);
    return count;
}

/* --- questions ---------------------------------------------------------------------------------
 */

static void question_free(struct io_question *q) {
    io_timer_stop(q->resolver->loop, &q->timer);
    list_remove(&q->node);
    q->resolver->count--;
    mem_free(q);
}

struct io_question *io_resolve_cancel(struct io_question *q) {
    if (q)
        question_free(q);
    return NULL;
}

static void look_up(struct sim *sim, const char *host, struct ip *addresses,
                    struct io_resolved *resolved) {
    const struct sim_name *name = find(sim, host);
    const struct sim_machine *machine = name ? NULL : sim_machine_find(sim, slice_str(host));
    resolved->failed = name ? name->failed : machine ? 0 : -ENOENT;
    resolved->why = resolved->failed ? error_name(resolved->failed) : "";
    if (resolved->failed)
        return;
    resolved->count = read_addresses(name ? name->addresses : machine->address, addresses);
    resolved->ttl_ns = name ? name->ttl_ns : IO_RESOLVE_TTL_NS_MAX;
}

static void on_timer(struct io_timer *timer) {
    struct io_question *q = container_of(timer, struct io_question, timer);
    struct sim *sim = io_loop_host(q->resolver->loop)->sim;
    struct ip addresses[IO_RESOLVE_ADDRESSES_MAX];
    struct io_resolved resolved = {.failed = q->failed, .why = "a fault", .addresses = addresses};
    if (!q->failed)
        look_up(sim, q->host, addresses, &resolved);
    void (*on_answer)(void *owner, const struct io_resolved *resolved) = q->on_answer;
    void *owner = q->owner;
    question_free(q);
    on_answer(owner, &resolved);
}

int io_resolve(struct io_resolver *r, slice host,
               void (*on_answer)(void *owner, const struct io_resolved *resolved), void *owner,
               struct io_question **ret_question) {
    struct sim *sim = io_loop_host(r->loop)->sim;
    if (r->count == IO_RESOLVE_QUESTIONS_MAX)
        return -EBUSY;
    struct io_question *q = mem_zalloc(1, sizeof *q);
    if (!q)
        return -ENOMEM;
    if (slice_to_string(host, q->host, sizeof q->host) < 0) {
        mem_free(q);
        return -EINVAL;
    }
    q->resolver = r;
    q->on_answer = on_answer;
    q->owner = owner;
    q->failed = sim_fault(sim, -EAGAIN);
    list_push_back(&r->questions, &q->node);
    r->count++;
    const struct sim_name *name = find(sim, q->host);
    bool silent = io_loop_host(r->loop)->down || (name && name->failed == -ETIMEDOUT);
    io_timer_start(r->loop, &q->timer,
                   silent ? IO_RESOLVE_PATIENCE_NS : sim_spread(sim, sim->options.net_ns),
                   on_timer);
    *ret_question = q;
    return 0;
}

int io_resolver_create(struct io_loop *loop, const char *servers,
                       struct io_resolver **ret_resolver) {
    struct io_resolver *r = mem_zalloc(1, sizeof *r);
    (void)servers; /* there is one world */
    if (!r)
        return -ENOMEM;
    r->loop = loop;
    list_init(&r->questions);
    io_loop_host(loop)->sim->handles++;
    *ret_resolver = r;
    return 0;
}

struct io_resolver *io_resolver_free(struct io_resolver *r) {
    if (!r)
        return NULL;
    while (!list_empty(&r->questions))
        question_free(container_of(r->questions.head.next, struct io_question, node));
    io_loop_host(r->loop)->sim->handles--;
    return mem_free(r);
}
