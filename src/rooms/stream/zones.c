/*
 * zones.c - see zones.h. Names of zones begin with a capital letter at each level, which tells them
 * from the tables beside them and from the folders `posix` and `right`, which hold all of them
 * again.
 */
#include "rooms/stream/zones.h"

#include "base/mem.h"
#include "io/file.h"

#include <stdio.h>
#include <string.h>

#define DEPTH_MAX 3u /* America/Argentina/Ushuaia */
#define PATH_BYTES 512u

struct walk {
    struct io_host *host;
    struct sql_zones *zones;
    const char *root;
    char name[PATH_BYTES]; /* below root */
    unsigned depth;
};

static int on_entry(void *owner, const char *entry) {
    struct walk *w = owner;
    char path[PATH_BYTES * 2], *bytes = NULL;
    size_t size = 0, length = strlen(w->name);
    if (entry[0] < 'A' || entry[0] > 'Z' || length + strlen(entry) + 2 > sizeof w->name)
        return 0;
    (void)snprintf(w->name + length, sizeof w->name - length, "%s%s", length ? "/" : "", entry);
    (void)snprintf(path, sizeof path, "%s/%s", w->root, w->name);
    if (io_file_load(w->host, path, SQL_ZONE_BYTES_MAX, &bytes, &size) == 0) {
        (void)!sql_zone_load(w->zones, slice_str(w->name), slice_make(bytes, size));
        mem_free(bytes);
    } else if (w->depth < DEPTH_MAX) {
        w->depth++;
        (void)!io_dir_list(w->host, path, on_entry, w);
        w->depth--;
    }
    w->name[length] = '\0';
    return 0;
}

void zones_load(struct io_host *host, const char *path, struct sql_zones *zones) {
    struct walk w = {.host = host, .zones = zones, .root = path, .depth = 1};
    (void)!io_dir_list(host, path, on_entry, &w);
}
