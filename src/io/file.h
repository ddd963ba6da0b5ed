/*
 * file.h - files, folders and workers. Part of the seam (loop.h).
 *
 * File calls block and may be made on any thread; the log makes the slow ones (write, sync) on a
 * WORKER, a thread with a bounded queue of jobs that run one after the other. In production these
 * are pread, pwrite, fdatasync; the simulated disk keeps unsynced sectors apart and, at a power
 * cut, keeps, drops, tears or garbles each of them, and forgets directory entries whose folder
 * was not synced. So: data is safe after io_file_sync, a new name after io_dir_sync.
 * A failed sync must be treated as loss of everything written since the last good one; calling
 * it again proves nothing (PostgreSQL's rule of 2018).
 */
#ifndef NONET_IO_FILE_H
#define NONET_IO_FILE_H

#include "io/loop.h"

#define IO_DIRECT_BYTES 4096u /* the largest sector of common disks; io_file_bypass_cache */

struct io_file;

enum io_file_flag {
    IO_FILE_WRITE = 1,     /* else read-only */
    IO_FILE_CREATE = 2,    /* make it where it is missing, mode 0600 */
    IO_FILE_EXCLUSIVE = 4, /* with CREATE: -EEXIST where it is there */
    IO_FILE_TRUNCATE = 8,
    IO_FILE_APPEND = 16, /* writes go to the end, whatever their offset: many may write one file */
};

/* 0 or a negative errno (-ENOENT, -EACCES, -ENOSPC, -EMFILE ...). Reading: a pipe without a writer
   does not hold it up. */
must_use int io_file_open(struct io_host *host, const char *path, unsigned flags,
                          struct io_file **ret_file);
struct io_file *io_file_close(struct io_file *file); /* NULL allowed, returns NULL; no sync */
/* Reads up to SIZE bytes at OFFSET; short only at the end of the file. */
must_use int io_file_read(struct io_file *file, void *out, size_t size, uint64_t offset,
                          size_t *ret_read);
/* Writes all of it or fails. */
must_use int io_file_write(struct io_file *file, const void *bytes, size_t size, uint64_t offset);
/* Everything written so far is on disk (fdatasync). */
must_use int io_file_sync(struct io_file *file);
/* Grows the file to SIZE with zeros really written, so that later overwrites change no metadata
   and sync fast. Large ones are synced on the way, since a disk's cache is flushed as a whole and
   another file's sync would wait for all of it; the end is not. */
must_use int io_file_allocate(struct io_file *file, uint64_t size);
/* From now on FILE is read and written past the page cache where its file system can, and what is
   on disk of it need not stay in memory. For the same end: no page to look up, copy to and write
   back. Memory, size and offset must be multiples of IO_DIRECT_BYTES: the first call refused for
   that takes FILE back into the cache for good. Nothing is safe before io_file_sync, as ever. */
void io_file_bypass_cache(struct io_file *file);
must_use int io_file_size(struct io_file *file, uint64_t *ret_size);
struct io_file_info {
    uint64_t size;
    int64_t modified_ns;     /* since 1970-01-01 UTC; the simulated disk keeps none: 0 */
    bool is_folder, is_file; /* neither: a pipe, a socket, a device */
};
must_use int io_file_info(struct io_file *file, struct io_file_info *ret_info);
must_use int io_file_truncate(struct io_file *file, uint64_t size);
/* Takes an exclusive lock for the life of the handle: 0 or -EWOULDBLOCK where another has it. */
must_use int io_file_lock(struct io_file *file);

must_use int io_dir_create(struct io_host *host, const char *path); /* with parents; 0 if there */
must_use int io_dir_sync(struct io_host *host, const char *path);
/* Calls EACH(owner, name) for every entry but . and .., in no order; stops where it returns != 0
   and gives that back. */
must_use int io_dir_list(struct io_host *host, const char *path,
                         int (*each)(void *owner, const char *name), void *owner);
must_use int io_rename(struct io_host *host, const char *from, const char *to);
must_use int io_unlink(struct io_host *host, const char *path);
must_use int io_dir_remove(struct io_host *host, const char *path); /* an empty one */
/* Bytes free for us on the file system of PATH. */
must_use int io_free_bytes(struct io_host *host, const char *path, uint64_t *ret_bytes);
/* Whole small files: config, keys, ports. At most MAX bytes (-EFBIG past it); caller frees with
   mem_free; a NUL stands behind the content. */
must_use int io_file_load(struct io_host *host, const char *path, size_t max, char **ret_bytes,
                          size_t *ret_size);
/* Written beside it, synced, renamed over it, folder synced: old or new, never half. MODE 0600… */
must_use int io_file_replace(struct io_host *host, const char *path, slice content, unsigned mode);

/* --- workers ---------------------------------------------------------------------------------- */

#define IO_WORKER_JOBS_MAX 1024

struct io_worker;
struct io_job {
    struct io_job *next;
    void (*run)(struct io_job *job);  /* on the worker's thread */
    void (*done)(struct io_job *job); /* on the loop's thread, in order of submission */
};
/* A thread named NAME whose jobs' done run on LOOP. */
must_use int io_worker_create(struct io_loop *loop, const char *name, struct io_worker **ret);
/* 0 or -EAGAIN where IO_WORKER_JOBS_MAX jobs wait. The job must stay put until done. */
must_use int io_worker_submit(struct io_worker *worker, struct io_job *job);
/* Waits for the jobs at hand (their done runs, too), then ends the thread. NULL allowed. */
struct io_worker *io_worker_free(struct io_worker *worker);

#endif
