/*
 * fiber.c - the stack of a worker: code that blocks inside a job steps aside for virtual time.
 *
 * A file call on a worker schedules its own end and yields to the event loop, which goes on with
 * other loops and workers; the event resumes it. Threads would do the same twenty times slower
 * and not repeatably. The sanitizers are told of every switch.
 */
#include "core.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#define FIBER_STACK_BYTES (512u << 10)

#if defined(__SANITIZE_ADDRESS__)
#define FIBER_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FIBER_ASAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define FIBER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define FIBER_TSAN 1
#endif
#endif

#ifdef FIBER_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef FIBER_TSAN
#include <sanitizer/tsan_interface.h>
#endif

struct sim_fiber {
    struct sim *sim;
    void (*run)(void *self);
    void *self;
    ucontext_t context, main;
    void *stack;
    const void *main_bottom;
    size_t main_size;
    void *main_fake, *fake; /* ASan's shadow of locals, one a stack */
    void *main_thread, *thread;
    bool ended;
};

/* Told before a switch to a stack, and after having come back from one. */
static void before_switch(void **keep_fake, const void *bottom, size_t size, void *thread) {
#ifdef FIBER_ASAN
    __sanitizer_start_switch_fiber(keep_fake, bottom, size);
#endif
#ifdef FIBER_TSAN
    __tsan_switch_to_fiber(thread, 0);
#endif
    (void)keep_fake;
    (void)bottom;
    (void)size;
    (void)thread;
}

static void after_switch(void *fake, const void **ret_bottom, size_t *ret_size) {
#ifdef FIBER_ASAN
    __sanitizer_finish_switch_fiber(fake, ret_bottom, ret_size);
#endif
    (void)fake;
    (void)ret_bottom;
    (void)ret_size;
}

static void leave(struct sim_fiber *fiber, bool for_good) {
    fiber->sim->fiber = NULL;
    before_switch(for_good ? NULL : &fiber->fake, fiber->main_bottom, fiber->main_size,
                  fiber->main_thread);
    int failed = swapcontext(&fiber->context, &fiber->main);
    check(failed == 0 && !for_good);
    after_switch(fiber->fake, &fiber->main_bottom, &fiber->main_size);
}

static void enter(unsigned high, unsigned low) {
    uintptr_t address = ((uintptr_t)high << 32) | low;
    struct sim_fiber *fiber = (struct sim_fiber *)address;
    after_switch(NULL, &fiber->main_bottom, &fiber->main_size);
    fiber->run(fiber->self);
    fiber->ended = true;
    leave(fiber, true);
}

/* Stacks are kept for the next worker: mapping one costs more than a short life of a log. */
static void *take_stack(struct sim *sim) {
    if (sim->spare_stack_count > 0)
        return sim->spare_stacks[--sim->spare_stack_count];
    void *stack = mmap(NULL, FIBER_STACK_BYTES, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    check(stack != MAP_FAILED);
    return stack;
}

static void give_stack(struct sim *sim, void *stack) {
    if (sim->spare_stack_count < array_count(sim->spare_stacks))
        sim->spare_stacks[sim->spare_stack_count++] = stack;
    else
        munmap(stack, FIBER_STACK_BYTES);
}

void sim_fiber_free_spares(struct sim *sim) {
    while (sim->spare_stack_count > 0)
        munmap(sim->spare_stacks[--sim->spare_stack_count], FIBER_STACK_BYTES);
}

struct sim_fiber *sim_fiber_create(struct sim *sim, void (*run)(void *self), void *self) {
    struct sim_fiber *fiber = sim_calloc(1, sizeof(*fiber));
    fiber->sim = sim;
    fiber->run = run;
    fiber->self = self;
    fiber->stack = take_stack(sim);
    int failed = getcontext(&fiber->context);
    check(failed == 0);
    fiber->context.uc_stack.ss_sp = fiber->stack;
    fiber->context.uc_stack.ss_size = FIBER_STACK_BYTES;
    uintptr_t address = (uintptr_t)fiber;
    makecontext(&fiber->context, (void (*)(void))enter, 2, (unsigned)(address >> 32),
                (unsigned)address);
#ifdef FIBER_TSAN
    fiber->thread = __tsan_create_fiber(0);
#endif
    return fiber;
}

void sim_fiber_resume(struct sim_fiber *fiber) {
    check(!fiber->sim->fiber && !fiber->ended);
    fiber->sim->fiber = fiber;
#ifdef FIBER_TSAN
    fiber->main_thread = __tsan_get_current_fiber();
#endif
    before_switch(&fiber->main_fake, fiber->stack, FIBER_STACK_BYTES, fiber->thread);
    int failed = swapcontext(&fiber->main, &fiber->context);
    check(failed == 0);
    after_switch(fiber->main_fake, NULL, NULL);
}

void sim_fiber_yield(struct sim *sim) {
    check(sim->fiber != NULL);
    leave(sim->fiber, false);
}

void *sim_fiber_self(const struct sim_fiber *fiber) {
    return fiber->self;
}

struct sim_fiber *sim_fiber_free(struct sim_fiber *fiber) {
    if (!fiber)
        return NULL;
    check(fiber->ended);
#ifdef FIBER_TSAN
    __tsan_destroy_fiber(fiber->thread);
#endif
#ifdef FIBER_ASAN
    __asan_unpoison_memory_region(fiber->stack, FIBER_STACK_BYTES);
#endif
    give_stack(fiber->sim, fiber->stack);
    free(fiber);
    return NULL;
}
