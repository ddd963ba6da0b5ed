/*
 * standalone.c - runs a fuzz harness without libFuzzer, so that every compiler's build tests the
 * corpus: each file given, each file of a folder given, and of each file every prefix, because
 * input that stops in the middle is what codecs are most often wrong about.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INPUT_MAX = 1024 * 1024, PREFIXES_MAX = 2048 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned long runs;

/* Runs SIZE bytes at DATA in memory of exactly that size. */
static void run(const uint8_t *data, size_t size) {
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy) {
        fprintf(stderr, "out of memory\n");
        exit(1);
    }
    memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
    runs++;
}

/* 0, or -1 where PATH is no file that can be read. */
static int run_file(const char *path) {
    static uint8_t data[INPUT_MAX];
    FILE *file = fopen(path, "rb");
    if (!file)
        return -1;
    size_t size = fread(data, 1, sizeof(data), file);
    int r = ferror(file) ? -1 : 0;
    fclose(file);
    for (size_t i = 0; r == 0 && i < size && i < PREFIXES_MAX; i++)
        run(data, i);
    if (r == 0)
        run(data, size);
    return r;
}

static int run_folder(DIR *folder, const char *path) {
    int r = 0;
    struct dirent *entry;
    while (r == 0 && (entry = readdir(folder))) {
        char name[4096];
        int len = snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
        if (entry->d_name[0] == '.' || len < 0 || (size_t)len >= sizeof(name))
            continue;
        r = run_file(name);
    }
    return r;
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        DIR *folder = opendir(argv[i]);
        int r = folder ? run_folder(folder, argv[i]) : run_file(argv[i]);
        if (folder)
            closedir(folder);
        if (r < 0) {
            fprintf(stderr, "%s: cannot be read\n", argv[i]);
            return 1;
        }
    }
    printf("%lu inputs\n", runs);
    return runs > 0 ? 0 : 1;
}
