/*
 * fiber.h - a stack of its own for work that steps aside in the middle and goes on later.
 *
 *      loop:   io_fiber_resume ─┐      ┌─> other work … io_fiber_resume ─┐      ┌─> true
 *      fiber:                run(self) … io_fiber_yield            … goes on, returns
 *
 * For what is deep in calls when its time is up: a query in the midst of a join lets others have
 * their turn and goes on where it was. It is no thread: the one that resumes it waits meanwhile, on
 * the same thread each time. A fiber ends when RUN returns; who wants it to end sooner tells it by
 * a flag of its own and resumes it, so that it unwinds.
 *
 * STACKS are mapped whole and become memory page by page as they are used; the lowest page is none,
 * so that one that grows too far ends the process there and then. A few are kept for the next
 * fiber: mapping one costs more than a short query. AddressSanitizer and ThreadSanitizer are told
 * of every switch.
 */
#ifndef NONET_IO_FIBER_H
#define NONET_IO_FIBER_H

#include "base/check.h"

#include <stdbool.h>
#include <stddef.h>

#define IO_FIBER_SPARES_MAX 8u

struct io_fiber;

/* Those of one size, for fibers of one thread. Zeroed but for `bytes`, a multiple of the page. */
struct io_fiber_stacks {
    size_t bytes;
    unsigned count;
    void *spare[IO_FIBER_SPARES_MAX];
};
void io_fiber_stacks_free(struct io_fiber_stacks *stacks); /* after the last fiber */

/* Does not begin yet. STACKS outlive it. 0, -ENOMEM. */
must_use int io_fiber_create(struct io_fiber_stacks *stacks, void (*run)(void *self), void *self,
                             struct io_fiber **ret);
/* From another stack than its own, until it yields (false) or has ended (true). */
bool io_fiber_resume(struct io_fiber *fiber);
void io_fiber_yield(struct io_fiber *fiber); /* from inside */
/* One that has ended, or never begun. NULL allowed, returns NULL. */
struct io_fiber *io_fiber_free(struct io_fiber *fiber);

#endif
