/*
 * wipe.c - see wipe.h.
 *
 * Real zeros are written, as for a file that is made (io_file_allocate): a hole punched into the
 * file would leave the bytes on the disk, and make the next write to it slow.
 */
#include "log/wipe.h"

#include "base/mem.h"

#include <errno.h>

#define WIPE_PIECE_BYTES (1u << 20)

int wipe_file(struct io_file *file, uint64_t from, uint64_t to) {
    char *zeros = mem_alloc_aligned(WIPE_PIECE_BYTES, IO_DIRECT_BYTES);
    if (!zeros)
        return -ENOMEM;
    memset(zeros, 0, WIPE_PIECE_BYTES);
    int failed = 0;
    while (from < to && !failed) {
        size_t piece = to - from < WIPE_PIECE_BYTES ? (size_t)(to - from) : WIPE_PIECE_BYTES;
        failed = io_file_write(file, zeros, piece, from);
        from += piece;
    }
    mem_free(zeros);
    return failed ? failed : io_file_sync(file);
}

int wipe_path(struct io_host *host, const char *path) {
    struct io_file *file = NULL;
    uint64_t size = 0;
    int failed = io_file_open(host, path, IO_FILE_WRITE, &file);
    if (failed)
        return failed;
    failed = io_file_size(file, &size);
    if (!failed)
        failed = wipe_file(file, 0, size);
    io_file_close(file);
    return failed;
}
