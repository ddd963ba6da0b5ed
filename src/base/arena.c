#include "base/arena.h"

#include "base/mem.h"

#include <errno.h>
#include <stdio.h>

#define ARENA_ALIGN_MAX ((size_t)4096)

struct arena_chunk {
    struct arena_chunk *next;
    size_t used; /* bytes of data given out */
    size_t size; /* bytes of data */
    _Alignas(max_align_t) char data[];
};

struct arena_cleanup {
    struct arena_cleanup *next;
    void (*run)(void *argument);
    void *argument;
};

struct arena arena_make(size_t chunk_size, size_t max) {
    size_t usual = chunk_size ? chunk_size : ARENA_CHUNK_DEFAULT;
    check(usual > sizeof(struct arena_chunk));
    return (struct arena){.chunk_size = usual, .max = max};
}

/* A cleanup may not allocate from the arena that is going away, so the list only shrinks here. */
static void run_cleanups(struct arena *a) {
    while (a->cleanups) {
        struct arena_cleanup *c = a->cleanups;
        a->cleanups = c->next;
        c->run(c->argument);
    }
}

static void free_chunks(struct arena *a, struct arena_chunk *chunk) {
    while (chunk) {
        struct arena_chunk *next = chunk->next;
        a->total -= sizeof *chunk + chunk->size;
        mem_free(chunk);
        chunk = next;
    }
}

void arena_free(struct arena *a) {
    run_cleanups(a);
    free_chunks(a, a->first);
    check(a->total == 0);
    a->first = a->current = NULL;
}

void arena_reset(struct arena *a) {
    run_cleanups(a);
    if (!a->first)
        return;
    /* One large request must not keep its memory for the life of an idle connection. */
    if (sizeof *a->first + a->first->size > a->chunk_size) {
        arena_free(a);
        return;
    }
    free_chunks(a, a->first->next);
    a->first->next = NULL;
    a->first->used = 0;
    a->current = a->first;
}

/* Where SIZE bytes would start in the chunk, or SIZE_MAX where they do not fit. */
static size_t chunk_fit(const struct arena_chunk *chunk, size_t size, size_t align) {
    uintptr_t free_at = (uintptr_t)chunk->data + chunk->used;
    size_t start = chunk->used + (size_t)(-free_at & (align - 1));
    return start <= chunk->size && size <= chunk->size - start ? start : SIZE_MAX;
}

/* A chunk in which SIZE bytes at ALIGN fit: of the usual size, or larger for a large request. */
static struct arena_chunk *chunk_add(struct arena *a, size_t size, size_t align) {
    size_t slack = align > _Alignof(max_align_t) ? align : 0;
    if (size > SIZE_MAX / 2)
        return NULL;
    size_t need = sizeof(struct arena_chunk) + size + slack;
    size_t room = a->max - a->total;
    if (need > room)
        return NULL;
    size_t bytes = need > a->chunk_size ? need : a->chunk_size;
    if (bytes > room)
        bytes = room;
    struct arena_chunk *chunk = mem_alloc(bytes);
    if (!chunk)
        return NULL;
    chunk->next = NULL;
    chunk->used = 0;
    chunk->size = bytes - sizeof *chunk;
    a->total += bytes;
    if (a->current)
        a->current->next = chunk;
    else
        a->first = chunk;
    a->current = chunk;
    return chunk;
}

void *arena_alloc_aligned(struct arena *a, size_t size, size_t align) {
    check(align && (align & (align - 1)) == 0 && align <= ARENA_ALIGN_MAX);
    struct arena_chunk *chunk = a->current;
    size_t start = chunk ? chunk_fit(chunk, size, align) : SIZE_MAX;
    if (start == SIZE_MAX) {
        chunk = chunk_add(a, size, align);
        if (!chunk)
            return NULL;
        start = chunk_fit(chunk, size, align);
        check(start != SIZE_MAX);
    }
    chunk->used = start + size;
    return chunk->data + start;
}

void *arena_alloc(struct arena *a, size_t size) {
    return arena_alloc_aligned(a, size, _Alignof(max_align_t));
}

void *arena_zalloc(struct arena *a, size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        return NULL;
    void *at = arena_alloc(a, bytes);
    if (at)
        memset(at, 0, bytes);
    return at;
}

int arena_copy(struct arena *a, slice bytes, slice *ret_copy) {
    if (bytes.len == SIZE_MAX)
        return -ENOMEM;
    char *copy = arena_alloc_aligned(a, bytes.len + 1, 1);
    if (!copy)
        return -ENOMEM;
    if (bytes.len)
        memcpy(copy, bytes.ptr, bytes.len);
    copy[bytes.len] = '\0';
    *ret_copy = slice_make(copy, bytes.len);
    return 0;
}

int arena_printf(struct arena *a, slice *ret_text, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int rc = arena_vprintf(a, ret_text, format, arguments);
    va_end(arguments);
    return rc;
}

int arena_vprintf(struct arena *a, slice *ret_text, const char *format, va_list arguments) {
    va_list again;
    va_copy(again, arguments);
    int len = vsnprintf(NULL, 0, format, again);
    va_end(again);
    char *text = len < 0 ? NULL : arena_alloc_aligned(a, (size_t)len + 1, 1);
    if (!text)
        return -ENOMEM;
    vsnprintf(text, (size_t)len + 1, format, arguments);
    *ret_text = slice_make(text, (size_t)len);
    return 0;
}

int arena_on_cleanup(struct arena *a, void (*run)(void *argument), void *argument) {
    struct arena_cleanup *c = arena_alloc(a, sizeof *c);
    if (!c)
        return -ENOMEM;
    *c = (struct arena_cleanup){a->cleanups, run, argument};
    a->cleanups = c;
    return 0;
}
