/*
 * log_subjects.c - bytes of RAM per subject: `log_subjects [SUBJECTS]`, 10 million by default.
 *
 * Subjects have 20 bytes ("es.order.00000012345"). Printed: bytes per subject of the table, the
 * process's growth in memory, nanoseconds for adding and for finding one, the longest single add
 * (the table's doubling), and the same for streams that keep five messages a subject.
 */
#include "io/loop.h"
#include "log/subjects.h"

#include <stdio.h>
#include <stdlib.h>

static size_t subject(char *out, size_t size, uint64_t i) {
    return (size_t)snprintf(out, size, "es.order.%011llu", (unsigned long long)i);
}

static uint64_t resident(void) {
    unsigned long long pages = 0, held = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file) {
        if (fscanf(file, "%llu %llu", &pages, &held) != 2)
            held = 0;
        fclose(file);
    }
    return held * 4096;
}

static int run(struct io_host *host, uint64_t count, unsigned history) {
    struct subjects s;
    subjects_init(&s, (struct hash_key){1, 2}, history);
    char text[32];
    uint64_t before = resident(), longest = 0, start = io_host_clock_ns(host);
    for (uint64_t i = 0; i < count; i++) {
        size_t len = subject(text, sizeof text, i);
        slice name = slice_make(text, len);
        uint64_t begin = io_host_clock_ns(host);
        if (subjects_reserve(&s, 1, len))
            return 1;
        subjects_add(&s, name, subjects_hash(&s, name), i + 1, 128);
        uint64_t took = io_host_clock_ns(host) - begin;
        longest = took > longest ? took : longest;
    }
    uint64_t added = io_host_clock_ns(host) - start, found = 0;
    start = io_host_clock_ns(host);
    for (uint64_t i = 0; i < count; i++) {
        size_t len = subject(text, sizeof text, (i * 7919) % count);
        slice name = slice_make(text, len);
        found += subjects_find(&s, name, subjects_hash(&s, name)) != NULL;
    }
    uint64_t looked = io_host_clock_ns(host) - start;
    printf("subjects %llu history %u: %.1f bytes each (resident %.1f), add %.0f ns, find %.0f ns, "
           "longest add %.1f ms\n",
           (unsigned long long)count, history, (double)subjects_memory(&s) / (double)count,
           (double)(resident() - before) / (double)count, (double)added / (double)count,
           (double)looked / (double)count, (double)longest / 1e6);
    subjects_free(&s);
    return found == count ? 0 : 1;
}

int main(int argc, char **argv) {
    uint64_t count = argc > 1 ? strtoull(argv[1], NULL, 10) : 10000000;
    struct io_host *host;
    if (!count || io_host_create(&host))
        return 2;
    int failed = run(host, count, 0);
    if (!failed)
        failed = run(host, count, 5);
    io_host_free(host);
    return failed;
}
