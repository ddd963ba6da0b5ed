/* copy.c - see copy.h. Made of the calls of file.h alone, so that the simulator has it, too. */
#include "io/copy.h"

#include "base/mem.h"
#include "io/crypto.h"

#include <errno.h>
#include <stdio.h>

#define PATH_BYTES_MAX 4096u

int io_copy_begin_open(struct io_host *host, struct io_file *from, const char *to, uint64_t length,
                       struct io_copy *copy) {
    *copy = (struct io_copy){.in = from, .length = length};
    copy->piece = mem_alloc(IO_COPY_PIECE);
    int failed = copy->piece ? io_sha256_begin(&copy->sum) : -ENOMEM;
    if (!failed && to)
        failed =
            io_file_open(host, to, IO_FILE_WRITE | IO_FILE_CREATE | IO_FILE_EXCLUSIVE, &copy->out);
    if (failed)
        io_copy_end(copy);
    return failed;
}

int io_copy_begin(struct io_host *host, const char *from, const char *to, uint64_t length,
                  struct io_copy *copy) {
    struct io_file *in;
    *copy = (struct io_copy){.in = NULL};
    int failed = io_file_open(host, from, 0, &in);
    return failed ? failed : io_copy_begin_open(host, in, to, length, copy);
}

static int write_piece(struct io_copy *copy, size_t size) {
    if (!copy->out || !size)
        return 0;
    int failed = io_file_write(copy->out, copy->piece, size, copy->at);
    if (failed || copy->at + size - copy->synced < IO_COPY_SYNC_EVERY)
        return failed;
    copy->synced = copy->at + size;
    return io_file_sync(copy->out);
}

int io_copy_step(struct io_copy *copy, unsigned char ret_digest[32]) {
    uint64_t left = copy->length - copy->at;
    size_t want = left < IO_COPY_PIECE ? (size_t)left : IO_COPY_PIECE, got = 0;
    int failed = want ? io_file_read(copy->in, copy->piece, want, copy->at, &got) : 0;
    if (!failed)
        failed = write_piece(copy, got);
    if (failed)
        return failed;
    io_sha256_add(copy->sum, slice_make(copy->piece, got));
    copy->at += got;
    if (got == IO_COPY_PIECE)
        return 1;
    failed = copy->out ? io_file_sync(copy->out) : 0;
    if (failed)
        return failed;
    io_sha256_end(copy->sum, ret_digest);
    copy->sum = NULL;
    return 0;
}

void io_copy_end(struct io_copy *copy) {
    io_sha256_end(copy->sum, NULL);
    copy->sum = NULL;
    copy->in = io_file_close(copy->in);
    copy->out = io_file_close(copy->out);
    copy->piece = mem_free(copy->piece);
}

/* --- removing ----------------------------------------------------------------------------------
 */

struct removal {
    struct io_host *host;
    const char *path;
    unsigned depth;
};

static int remove_at(struct io_host *host, const char *path, unsigned depth);

static int remove_entry(void *owner, const char *name) {
    struct removal *r = owner;
    char path[PATH_BYTES_MAX];
    if (snprintf(path, sizeof path, "%s/%s", r->path, name) >= (int)sizeof path)
        return -ENAMETOOLONG;
    return remove_at(r->host, path, r->depth + 1);
}

static int remove_at(struct io_host *host, const char *path, unsigned depth) {
    struct removal r = {host, path, depth};
    if (depth > IO_REMOVE_DEPTH_MAX)
        return -ELOOP;
    int failed = io_unlink(host, path); /* also a link to a folder, which is not gone into */
    if (failed == -EISDIR || failed == -EPERM) {
        failed = io_dir_list(host, path, remove_entry, &r);
        if (!failed)
            failed = io_dir_remove(host, path);
    }
    return failed == -ENOENT ? 0 : failed;
}

int io_remove_tree(struct io_host *host, const char *path) {
    return remove_at(host, path, 0);
}
