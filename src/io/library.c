/* library.c - see library.h. */
#include "io/library.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>

int io_library_load(const struct io_library *library, void *table, struct error *ret_error) {
    void *handle = dlopen(library->file, RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        error_set(ret_error, -ENOENT, "%s is not installed on this machine", library->file);
        error_hint(ret_error, "on Debian: apt install %s", library->package);
        return -ENOENT;
    }
    for (unsigned i = 0; i < library->call_count; i++) {
        void *address = dlsym(handle, library->calls[i].name);
        if (!address) {
            error_set(ret_error, -ENOENT, "%s is too old: it has no %s", library->file,
                      library->calls[i].name);
            error_hint(ret_error, "install Debian 12's %s, or a newer one", library->package);
            return -ENOENT;
        }
        memcpy((char *)table + library->calls[i].offset, &address, sizeof address);
    }
    return 0;
}
