/*
 * fiber.c - see fiber.h: contexts of POSIX.1-2001 (ucontext.h), which glibc keeps on every machine
 * it runs on.
 */
#include "io/fiber.h"

#include "base/mem.h"

#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

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

struct io_fiber {
    struct io_fiber_stacks *stacks;
    void (*run)(void *self);
    void *self;
    ucontext_t context, main; /* main: of the stack that resumed it */
    void *stack;              /* above the page that is none */
    const void *main_bottom;
    size_t main_size;
    void *main_fake, *fake; /* ASan's shadow of locals, one a stack */
    void *main_thread, *thread;
    bool begun, ended;
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

static void leave(struct io_fiber *fiber, bool for_good) {
    before_switch(for_good ? NULL : &fiber->fake, fiber->main_bottom, fiber->main_size,
                  fiber->main_thread);
    int failed = swapcontext(&fiber->context, &fiber->main);
    check(failed == 0 && !for_good);
    after_switch(fiber->fake, &fiber->main_bottom, &fiber->main_size);
}

/* makecontext passes ints. */
static void enter(unsigned high, unsigned low) {
    uintptr_t address = ((uintptr_t)high << 32) | low;
    struct io_fiber *fiber = (struct io_fiber *)address;
    after_switch(NULL, &fiber->main_bottom, &fiber->main_size);
    fiber->run(fiber->self);
    fiber->ended = true;
    leave(fiber, true);
}

static size_t page_bytes(void) {
    return (size_t)sysconf(_SC_PAGESIZE);
}

static void *take_stack(struct io_fiber_stacks *stacks) {
    if (stacks->count > 0)
        return stacks->spare[--stacks->count];
    size_t page = page_bytes();
    char *mapped = mmap(NULL, page + stacks->bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (mapped == MAP_FAILED)
        return NULL;
    if (mprotect(mapped, page, PROT_NONE) < 0) {
        (void)munmap(mapped, page + stacks->bytes);
        return NULL;
    }
    return mapped + page;
}

static void unmap(const struct io_fiber_stacks *stacks, void *stack) {
    (void)munmap((char *)stack - page_bytes(), page_bytes() + stacks->bytes);
}

static void give_stack(struct io_fiber_stacks *stacks, void *stack) {
    if (stacks->count < array_count(stacks->spare))
        stacks->spare[stacks->count++] = stack;
    else
        unmap(stacks, stack);
}

void io_fiber_stacks_free(struct io_fiber_stacks *stacks) {
    while (stacks->count > 0)
        unmap(stacks, stacks->spare[--stacks->count]);
}

int io_fiber_create(struct io_fiber_stacks *stacks, void (*run)(void *self), void *self,
                    struct io_fiber **ret) {
    struct io_fiber *fiber = mem_zalloc(1, sizeof *fiber);
    void *stack = fiber ? take_stack(stacks) : NULL;
    if (!stack || getcontext(&fiber->context) < 0) {
        if (stack)
            give_stack(stacks, stack);
        mem_free(fiber);
        return -ENOMEM;
    }
    fiber->stacks = stacks;
    fiber->run = run;
    fiber->self = self;
    fiber->stack = stack;
    fiber->context.uc_stack.ss_sp = stack;
    fiber->context.uc_stack.ss_size = stacks->bytes;
    uintptr_t address = (uintptr_t)fiber;
    makecontext(&fiber->context, (void (*)(void))enter, 2, (unsigned)(address >> 32),
                (unsigned)address);
#ifdef FIBER_TSAN
    fiber->thread = __tsan_create_fiber(0);
#endif
    *ret = fiber;
    return 0;
}

bool io_fiber_resume(struct io_fiber *fiber) {
    check(!fiber->ended);
    fiber->begun = true;
#ifdef FIBER_TSAN
    fiber->main_thread = __tsan_get_current_fiber();
#endif
    before_switch(&fiber->main_fake, fiber->stack, fiber->stacks->bytes, fiber->thread);
    int failed = swapcontext(&fiber->main, &fiber->context);
    check(failed == 0);
    after_switch(fiber->main_fake, NULL, NULL);
    return fiber->ended;
}

void io_fiber_yield(struct io_fiber *fiber) {
    leave(fiber, false);
}

struct io_fiber *io_fiber_free(struct io_fiber *fiber) {
    if (!fiber)
        return NULL;
    check(fiber->ended || !fiber->begun);
#ifdef FIBER_TSAN
    __tsan_destroy_fiber(fiber->thread);
#endif
#ifdef FIBER_ASAN
    __asan_unpoison_memory_region(fiber->stack, fiber->stacks->bytes);
#endif
    give_stack(fiber->stacks, fiber->stack);
    return mem_free(fiber);
}
