#include "base/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* The fault countdown of the calling thread: the `countdown`-th attempt from now fails. */
static _Thread_local struct {
    unsigned long attempts;
    unsigned long countdown; /* 0 = off */
    bool persistent;
} fault;

/* Counts an attempt; is it the one to fail? */
static bool fault_due(void) {
    fault.attempts++;
    if (likely(fault.countdown == 0))
        return false;
    if (fault.countdown > 1) {
        fault.countdown--;
        return false;
    }
    if (!fault.persistent)
        fault.countdown = 0;
    return true;
}

void *mem_alloc(size_t size) {
    if (fault_due())
        return NULL;
    return malloc(size ? size : 1);
}

void *mem_alloc_aligned(size_t size, size_t align) {
    check(align && (align & (align - 1)) == 0);
    if (fault_due() || size > SIZE_MAX - align)
        return NULL;
    /* The C standard wants a multiple of the alignment. */
    size_t rounded = (size + align - 1) & ~(align - 1);
    return aligned_alloc(align, rounded ? rounded : align);
}

/* glibc's calloc passes by the thread's own lists of small blocks, which malloc and free use: a
   small block is taken from there and cleared. Large ones the system may give out clear already. */
#define SMALL_BYTES_MAX ((size_t)1024)

void *mem_zalloc(size_t count, size_t size) {
    size_t bytes;
    if (fault_due() || __builtin_mul_overflow(count, size, &bytes))
        return NULL;
    if (bytes > SMALL_BYTES_MAX)
        return calloc(1, bytes);
    void *block = malloc(bytes ? bytes : 1);
    return block ? memset(block, 0, bytes) : NULL;
}

void *mem_realloc(void *pointer, size_t size) {
    if (fault_due())
        return NULL;
    return realloc(pointer, size ? size : 1);
}

char *mem_copy(const void *bytes, size_t len) {
    if (len == SIZE_MAX)
        return NULL;
    char *copy = mem_alloc(len + 1);
    if (!copy)
        return NULL;
    if (len)
        memcpy(copy, bytes, len);
    copy[len] = '\0';
    return copy;
}

void *mem_free(void *pointer) {
    free(pointer);
    return NULL;
}

void mem_fail_at(unsigned long count, bool persistent) {
    fault.countdown = count;
    fault.persistent = persistent;
}

unsigned long mem_attempts(void) {
    return fault.attempts;
}

void mem_cleanup(void *address_of_pointer) {
    void *pointer;
    memcpy(&pointer, address_of_pointer, sizeof pointer);
    free(pointer);
}
