/*
 * services.c - the children that nonet.yaml names under `services:`, started and kept running.
 *
 *   STARTING -> RUNNING --exit--> WAITING (backoff) -> STARTING ...
 *                  |                 restart: never, or on-failure after status 0 -> STOPPED
 *                  '--stop: SIGTERM, after 5 s SIGKILL--> STOPPED
 *
 * A child finds the node by NATS_URL in its environment, as every NATS client and `nonet` itself
 * do. Its output goes line by line to the node's log. The pause before a restart doubles from
 * 100 ms to 10 s and is forgotten after the child has run for 10 s.
 */
#include "base/mem.h"
#include "io/process.h"
#include "node/parts.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

#define PATH_BYTES_MAX 4096u
#define BACKOFF_FIRST_NS 100000000ull
#define BACKOFF_MAX_NS (10 * 1000000000ull)
#define STEADY_NS (10 * 1000000000ull)
#define KILL_AFTER_NS (5 * 1000000000ull)
#define ENVIRONMENT_MAX (8u << 20)
#define VARIABLES_MAX (CONFIG_VARIABLES_MAX + 2) /* and two of ours */

struct service {
    struct node *node;
    const struct config_service *config;
    struct io_process *process;
    struct io_timer timer;
    uint64_t started_ns, backoff_ns;
    bool stopping;
};

struct services {
    size_t count;
    struct service items[];
};

static void start_service(struct service *s);

static void on_line(void *owner, bool is_stderr, slice line) {
    const struct service *s = owner;
    logger_write(s->node->room.logger, is_stderr ? LOG_LEVEL_WARN : LOG_LEVEL_INFO, "service",
                 "says", "name=%.*s text=%.*s", slice_fmt(s->config->item.name), slice_fmt(line));
}

static void on_restart_time(struct io_timer *timer) {
    start_service(container_of(timer, struct service, timer));
}

static bool wants_restart(const struct service *s, int status) {
    return !s->stopping && (s->config->restart == CONFIG_RESTART_ALWAYS ||
                            (s->config->restart == CONFIG_RESTART_ON_FAILURE && status != 0));
}

static void plan_restart(struct service *s) {
    struct io_loop *loop = s->node->shards[0].room.loop;
    bool steady = io_loop_now_ns(loop) - s->started_ns > STEADY_NS;
    s->backoff_ns = steady || !s->backoff_ns ? BACKOFF_FIRST_NS : s->backoff_ns * 2;
    if (s->backoff_ns > BACKOFF_MAX_NS)
        s->backoff_ns = BACKOFF_MAX_NS;
    io_timer_start(loop, &s->timer, s->backoff_ns, on_restart_time);
}

static void on_exit_of(void *owner, int status, slice output) {
    (void)output;
    struct service *s = owner;
    s->process = NULL;
    io_timer_stop(s->node->shards[0].room.loop, &s->timer);
    logger_write(s->node->room.logger, status && !s->stopping ? LOG_LEVEL_WARN : LOG_LEVEL_INFO,
                 "service", "has ended", "name=%.*s status=%d restart=%s",
                 slice_fmt(s->config->item.name), status, wants_restart(s, status) ? "yes" : "no");
    if (wants_restart(s, status))
        plan_restart(s);
    else if (s->stopping)
        node_service_ended(s->node);
}

/* NONET_DATA, absolute: a service runs in the app's folder, and DATA is told from the node's. */
static int write_data(const struct service *s, struct arena *arena, slice *ret_text) {
    char here[PATH_BYTES_MAX];
    const char *data = s->node->data;
    if (data[0] == '/' || io_working_folder(here, sizeof here))
        return arena_printf(arena, ret_text, "NONET_DATA=%s", data);
    return arena_printf(arena, ret_text, "NONET_DATA=%s/%s", here, data);
}

/* Fills POINTERS with the child's own variables. 0 or -ENOMEM. */
static int make_environment(const struct service *s, struct arena *arena,
                            const char *pointers[VARIABLES_MAX + 1]) {
    size_t count = 0;
    int failed = 0;
    slice text;
    for (unsigned i = 0; i < s->node->port_count && !failed; i++) {
        if (strcmp(s->node->ports[i].name, "nats") != 0)
            continue;
        failed = arena_printf(arena, &text, "NATS_URL=nats://%s", s->node->ports[i].address);
        if (!failed)
            pointers[count++] = text.ptr;
    }
    if (!failed)
        failed = write_data(s, arena, &text);
    if (!failed)
        pointers[count++] = text.ptr;
    const struct conf_pair *pairs = s->config->env.items;
    for (size_t i = 0; i < s->config->env.count && !failed; i++) {
        check(count < VARIABLES_MAX);
        failed = arena_printf(arena, &text, "%.*s=%.*s", slice_fmt(pairs[i].item.name),
                              slice_fmt(pairs[i].text));
        if (!failed)
            pointers[count++] = text.ptr;
    }
    pointers[count] = NULL;
    return failed;
}

static void start_service(struct service *s) {
    _cleanup_arena_ struct arena arena = arena_make(0, ENVIRONMENT_MAX);
    const char *variables[VARIABLES_MAX + 1];
    int failed = make_environment(s, &arena, variables);
    struct io_process_options options = {
        .command = s->config->command.ptr,
        .directory = s->config->directory.len ? s->config->directory.ptr : NULL,
        .variables = variables,
        .on_line = on_line,
        .on_exit = on_exit_of,
        .owner = s,
    };
    struct io_loop *loop = s->node->shards[0].room.loop;
    s->started_ns = io_loop_now_ns(loop);
    if (!failed)
        failed = io_process_start(loop, &options, &s->process);
    if (failed) {
        logger_write(s->node->room.logger, LOG_LEVEL_ERROR, "service", "cannot be started",
                     "name=%.*s error=%s", slice_fmt(s->config->item.name), error_name(failed));
        plan_restart(s);
        return;
    }
    logger_write(s->node->room.logger, LOG_LEVEL_INFO, "service", "started", "name=%.*s pid=%d",
                 slice_fmt(s->config->item.name), io_process_id(s->process));
}

int services_start(struct node *node, struct error *ret_error) {
    size_t count = node->config->services.count;
    const struct config_service *configs = node->config->services.items;
    struct services *services = mem_zalloc(1, sizeof *services + count * sizeof services->items[0]);
    if (!services)
        return error_set(ret_error, -ENOMEM, "no memory for %zu services", count);
    services->count = count;
    node->services = services;
    for (size_t i = 0; i < count; i++) {
        services->items[i].node = node;
        services->items[i].config = &configs[i];
        start_service(&services->items[i]);
    }
    return 0;
}

static void on_kill_time(struct io_timer *timer) {
    struct service *s = container_of(timer, struct service, timer);
    if (s->process)
        io_process_signal(s->process, SIGKILL);
}

void services_stop(struct node *node) {
    for (size_t i = 0; node->services && i < node->services->count; i++) {
        struct service *s = &node->services->items[i];
        bool again = s->stopping;
        s->stopping = true;
        io_timer_stop(node->shards[0].room.loop, &s->timer);
        if (!s->process)
            continue;
        io_process_signal(s->process, again ? SIGKILL : SIGTERM);
        io_timer_start(node->shards[0].room.loop, &s->timer, KILL_AFTER_NS, on_kill_time);
    }
}

bool services_running(const struct node *node) {
    for (size_t i = 0; node->services && i < node->services->count; i++)
        if (node->services->items[i].process)
            return true;
    return false;
}
