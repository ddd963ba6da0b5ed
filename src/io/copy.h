/*
 * copy.h - a file read piece by piece, with its SHA-256, and written elsewhere or only read.
 *
 *      io_copy_begin --> io_copy_step ... 1 = goes on, 0 = all of it --> io_copy_end
 *
 * A step moves at most IO_COPY_PIECE bytes, so that whoever copies something large can be told to
 * stop between two. What has been written is synced every IO_COPY_SYNC_EVERY bytes, so that a
 * journal on the same disk does not wait behind gigabytes, and at the end. Any one thread.
 */
#ifndef NONET_IO_COPY_H
#define NONET_IO_COPY_H

#include "io/file.h"

#define IO_COPY_PIECE (1u << 20)
#define IO_COPY_SYNC_EVERY (16u << 20)
#define IO_COPY_ALL UINT64_MAX

struct io_sha256;

/* A zeroed one is ended. */
struct io_copy {
    struct io_file *in, *out;
    struct io_sha256 *sum;
    char *piece;
    uint64_t at, length, synced;
};

/* FROM is read; TO is made (it must not be there, -EEXIST, mode 0600) or NULL. LENGTH: so many
   bytes and no more. 0, -ENOMEM, or why a file cannot be opened. */
must_use int io_copy_begin(struct io_host *host, const char *from, const char *to, uint64_t length,
                           struct io_copy *ret_copy);
/* The same of a file that is open; it is the copy's from then on, also where that fails. */
must_use int io_copy_begin_open(struct io_host *host, struct io_file *from, const char *to,
                                uint64_t length, struct io_copy *ret_copy);
/* 1: there is more. 0: all has been copied, and is on disk; DIGEST is set, AT the length. Else why
   not. */
must_use int io_copy_step(struct io_copy *copy, unsigned char ret_digest[32]);
void io_copy_end(struct io_copy *copy);

/* Removes PATH, and what is in it, at most IO_REMOVE_DEPTH_MAX folders deep. 0 (also where it is
   not there), -ELOOP, or why something could not be removed. */
#define IO_REMOVE_DEPTH_MAX 8u
must_use int io_remove_tree(struct io_host *host, const char *path);

#endif
