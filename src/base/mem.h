/*
 * mem.h - the one door to the allocator.
 *
 * Raw malloc is banned outside base/ (tools/tidy) for two reasons. Every allocation can be made
 * to fail, each in turn, so that the suites prove what an out-of-memory does: it refuses the
 * request at hand, never the process. And sizes are checked in one place: zero-sized requests
 * give a unique pointer, products that overflow fail instead of wrapping.
 *
 * The fault countdown belongs to the calling thread, so a test that fails allocations of one
 * shard does not disturb another.
 */
#ifndef NONET_BASE_MEM_H
#define NONET_BASE_MEM_H

#include "base/check.h"

#include <stdbool.h>
#include <stddef.h>

/* SIZE bytes, not cleared, or NULL. The caller frees with mem_free. */
must_use void *mem_alloc(size_t size);

/* SIZE bytes, not cleared, at an address that is a multiple of ALIGN (a power of two), or NULL. */
must_use void *mem_alloc_aligned(size_t size, size_t align);

/* COUNT x SIZE bytes of zero, or NULL (also where the product overflows). */
must_use void *mem_zalloc(size_t count, size_t size);

/* POINTER resized to SIZE; on failure returns NULL and POINTER stays valid. POINTER may be NULL. */
must_use void *mem_realloc(void *pointer, size_t size);

/* A copy of LEN bytes at BYTES with a NUL behind it, or NULL. */
must_use char *mem_copy(const void *bytes, size_t len);

/* Frees; NULL is allowed. Always returns NULL, so `p = mem_free(p)` leaves nothing dangling. */
void *mem_free(void *pointer);

/* Test hook: the COUNT-th next allocation of this thread fails (1 = the very next), once or from
   then on for good. COUNT 0 turns the hook off. */
void mem_fail_at(unsigned long count, bool persistent);

/* Allocations this thread has attempted since it started: tells a fault loop when it has passed
   the last site. */
unsigned long mem_attempts(void);

/* For scope exit: `_cleanup_mem_ char *copy = mem_copy(…)`. */
void mem_cleanup(void *address_of_pointer);
#define _cleanup_mem_ __attribute__((cleanup(mem_cleanup)))

#endif
