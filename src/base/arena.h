/*
 * arena.h - memory that is freed all at once: one arena per request or connection.
 *
 *      first                current
 *      [chunk]--------->[chunk]--------->NULL        newest chunk is where we bump
 *
 * Many small allocations with one common end cost a pointer bump each and one free per chunk. An
 * arena never gives out more than its maximum, so that a request cannot eat the node: beyond it,
 * and where memory runs out, arena_alloc returns NULL and the arena stays usable. Things that are
 * not memory (a reference, a timer) hang on the cleanup list and are undone by reset and free,
 * newest first. Reset keeps the first chunk, so a connection that serves one request after
 * another stops allocating.
 *
 * The struct is open only to be embedded. One thread at a time.
 */
#ifndef NONET_BASE_ARENA_H
#define NONET_BASE_ARENA_H

#include "base/check.h"
#include "base/slice.h"

#include <stdarg.h>

#define ARENA_CHUNK_DEFAULT ((size_t)4096)

struct arena_chunk;
struct arena_cleanup;

struct arena {
    struct arena_chunk *first;      /* kept by arena_reset; NULL until the first allocation */
    struct arena_chunk *current;    /* the chunk we bump in */
    struct arena_cleanup *cleanups; /* newest first, nodes live in the arena */
    size_t chunk_size;              /* usual bytes of a chunk, header included */
    size_t total;                   /* bytes taken from the allocator, all chunks */
    size_t max;                     /* total never passes this */
};

/* An empty arena whose chunks have CHUNK_SIZE bytes (0 = ARENA_CHUNK_DEFAULT) and which takes at
   most MAX bytes, headers included, from the allocator. Allocates nothing. */
struct arena arena_make(size_t chunk_size, size_t max);

/* Runs the cleanups and gives everything back. The arena is then empty and usable. */
void arena_free(struct arena *a);

/* Runs the cleanups and forgets every allocation, keeping the first chunk for the next use unless
   it is larger than usual. */
void arena_reset(struct arena *a);

/* SIZE bytes, not cleared, aligned for any type; or NULL. Size 0 gives a valid pointer. */
must_use void *arena_alloc(struct arena *a, size_t size);

/* The same with ALIGN a power of two up to 4096. */
must_use void *arena_alloc_aligned(struct arena *a, size_t size, size_t align);

/* COUNT x SIZE bytes of zero, or NULL (also where the product overflows). */
must_use void *arena_zalloc(struct arena *a, size_t count, size_t size);

/* Copies BYTES into the arena with a NUL behind them. 0 or -ENOMEM; the slice lives until reset. */
must_use int arena_copy(struct arena *a, slice bytes, slice *ret_copy);

/* Prints into the arena, a NUL behind the text. 0 or -ENOMEM. */
must_use int arena_printf(struct arena *a, slice *ret_text, const char *format, ...)
    printf_like(3, 4);
must_use int arena_vprintf(struct arena *a, slice *ret_text, const char *format, va_list arguments)
    printf_like(3, 0);

/* Calls RUN(ARGUMENT) when the arena is reset or freed. 0 or -ENOMEM (RUN will not be called). */
must_use int arena_on_cleanup(struct arena *a, void (*run)(void *argument), void *argument);

#define _cleanup_arena_ __attribute__((cleanup(arena_free)))

#endif
