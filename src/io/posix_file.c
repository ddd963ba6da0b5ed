#include "base/mem.h"
#include "io/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define ZERO_PIECE (256u << 10)
#define ZERO_SYNC_BYTES ((uint64_t)1 << 20) /* a millisecond of a disk */
#define LOAD_PIECE (64u << 10)

struct io_file {
    int fd;
};

/* Repeats a call that a signal has interrupted. */
#define retry_interrupted(result, call)                                                            \
    do {                                                                                           \
        (result) = (call);                                                                         \
    } while ((result) < 0 && errno == EINTR)

static int open_descriptor(const char *path, int flags, unsigned mode) {
    int fd;
    retry_interrupted(fd, open(path, flags | O_CLOEXEC, mode));
    return fd < 0 ? -errno : fd;
}

/* --- one file --------------------------------------------------------------------------------- */

int io_file_open(struct io_host *host, const char *path, unsigned flags,
                 struct io_file **ret_file) {
    (void)host;
    int native = (flags & IO_FILE_WRITE) ? O_RDWR : O_RDONLY | O_NONBLOCK;
    native |= (flags & IO_FILE_CREATE) ? O_CREAT : 0;
    native |= (flags & IO_FILE_EXCLUSIVE) ? O_EXCL : 0;
    native |= (flags & IO_FILE_TRUNCATE) ? O_TRUNC : 0;
    native |= (flags & IO_FILE_APPEND) ? O_APPEND : 0; /* Linux: pwrite appends, too */
    struct io_file *file = mem_alloc(sizeof *file);
    if (!file)
        return -ENOMEM;
    file->fd = open_descriptor(path, native, 0600);
    if (file->fd < 0) {
        int failed = file->fd;
        mem_free(file);
        return failed;
    }
    *ret_file = file;
    return 0;
}

struct io_file *io_file_close(struct io_file *file) {
    if (!file)
        return NULL;
    close(file->fd);
    return mem_free(file);
}

/* After EINVAL: may direct I/O have been the reason? Then the call goes through the cache. */
static bool take_back_into_cache(struct io_file *file) {
    int flags = fcntl(file->fd, F_GETFL);
    return flags >= 0 && (flags & O_DIRECT) && fcntl(file->fd, F_SETFL, flags & ~O_DIRECT) == 0;
}

int io_file_read(struct io_file *file, void *out, size_t size, uint64_t offset, size_t *ret_read) {
    size_t done = 0;
    while (done < size) {
        ssize_t got;
        retry_interrupted(got,
                          pread(file->fd, (char *)out + done, size - done, (off_t)(offset + done)));
        if (got < 0 && errno == EINVAL && take_back_into_cache(file))
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            break;
        done += (size_t)got;
    }
    *ret_read = done;
    return 0;
}

int io_file_write(struct io_file *file, const void *bytes, size_t size, uint64_t offset) {
    size_t done = 0;
    while (done < size) {
        ssize_t put;
        retry_interrupted(
            put, pwrite(file->fd, (const char *)bytes + done, size - done, (off_t)(offset + done)));
        if (put < 0 && errno == EINVAL && take_back_into_cache(file))
            continue;
        if (put < 0)
            return -errno;
        if (put == 0)
            return -EIO;
        done += (size_t)put;
    }
    return 0;
}

/* Not repeated on EINTR: after a failure the state of the pages is unknown. */
int io_file_sync(struct io_file *file) {
    return fdatasync(file->fd) == 0 ? 0 : -errno;
}

int io_file_size(struct io_file *file, uint64_t *ret_size) {
    struct stat status;
    if (fstat(file->fd, &status) != 0)
        return -errno;
    *ret_size = (uint64_t)status.st_size;
    return 0;
}

int io_file_info(struct io_file *file, struct io_file_info *ret_info) {
    struct stat status;
    if (fstat(file->fd, &status) != 0)
        return -errno;
    *ret_info = (struct io_file_info){
        .size = (uint64_t)status.st_size,
        .modified_ns =
            (int64_t)status.st_mtim.tv_sec * 1000000000 + (int64_t)status.st_mtim.tv_nsec,
        .is_folder = S_ISDIR(status.st_mode),
        .is_file = S_ISREG(status.st_mode),
    };
    return 0;
}

int io_file_allocate(struct io_file *file, uint64_t size) {
    uint64_t at = 0;
    int failed = io_file_size(file, &at);
    if (failed || at >= size)
        return failed;
    /* First the space in one piece, so that a full disk says so before anything is written.
       Not every file system can; then the zeros below must do. */
    retry_interrupted(failed,
                      fallocate(file->fd, FALLOC_FL_KEEP_SIZE, (off_t)at, (off_t)(size - at)));
    if (failed < 0 && errno != EOPNOTSUPP && errno != ENOSYS)
        return -errno;
    char *zeros = mem_alloc_aligned(ZERO_PIECE, IO_DIRECT_BYTES);
    if (!zeros)
        return -ENOMEM;
    memset(zeros, 0, ZERO_PIECE);
    failed = 0;
    while (at < size && failed == 0) {
        size_t piece = size - at < ZERO_PIECE ? (size_t)(size - at) : ZERO_PIECE;
        failed = io_file_write(file, zeros, piece, at);
        at += piece;
        if (failed == 0 && at % ZERO_SYNC_BYTES == 0)
            failed = io_file_sync(file);
    }
    mem_free(zeros);
    return failed;
}

/* A file system that cannot refuses O_DIRECT, and the file stays as it was. */
void io_file_bypass_cache(struct io_file *file) {
    int refused = posix_fadvise(file->fd, 0, 0, POSIX_FADV_DONTNEED);
    int flags = fcntl(file->fd, F_GETFL);
    if (flags >= 0)
        refused = fcntl(file->fd, F_SETFL, flags | O_DIRECT);
    (void)refused; /* a hint */
}

int io_file_truncate(struct io_file *file, uint64_t size) {
    int failed;
    retry_interrupted(failed, ftruncate(file->fd, (off_t)size));
    return failed < 0 ? -errno : 0;
}

int io_file_lock(struct io_file *file) {
    int failed;
    retry_interrupted(failed, flock(file->fd, LOCK_EX | LOCK_NB));
    return failed < 0 ? -errno : 0;
}

/* --- folders and names ------------------------------------------------------------------------ */

static int create_one(const char *path) {
    if (mkdir(path, 0700) == 0)
        return 0;
    if (errno != EEXIST)
        return -errno;
    struct stat status;
    if (stat(path, &status) != 0)
        return -errno;
    return S_ISDIR(status.st_mode) ? 0 : -ENOTDIR;
}

int io_dir_create(struct io_host *host, const char *path) {
    (void)host;
    char part[PATH_MAX];
    size_t len = strlen(path);
    if (len == 0)
        return -ENOENT;
    if (len >= sizeof part)
        return -ENAMETOOLONG;
    memcpy(part, path, len + 1);
    for (size_t i = 1; i < len; i++) {
        if (part[i] != '/')
            continue;
        part[i] = '\0';
        int failed = create_one(part);
        if (failed)
            return failed;
        part[i] = '/';
    }
    return create_one(part);
}

int io_dir_sync(struct io_host *host, const char *path) {
    (void)host;
    int fd = open_descriptor(path, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return fd;
    int failed = fsync(fd) == 0 ? 0 : -errno;
    close(fd);
    return failed;
}

int io_dir_list(struct io_host *host, const char *path, int (*each)(void *owner, const char *name),
                void *owner) {
    (void)host;
    DIR *folder = opendir(path);
    if (!folder)
        return -errno;
    int result = 0;
    while (result == 0) {
        errno = 0;
        const struct dirent *entry = readdir(folder);
        if (!entry) {
            result = -errno;
            break;
        }
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            result = each(owner, entry->d_name);
    }
    closedir(folder);
    return result;
}

int io_rename(struct io_host *host, const char *from, const char *to) {
    (void)host;
    return rename(from, to) == 0 ? 0 : -errno;
}

int io_unlink(struct io_host *host, const char *path) {
    (void)host;
    return unlink(path) == 0 ? 0 : -errno;
}

int io_dir_remove(struct io_host *host, const char *path) {
    (void)host;
    return rmdir(path) == 0 ? 0 : -errno;
}

int io_free_bytes(struct io_host *host, const char *path, uint64_t *ret_bytes) {
    (void)host;
    struct statvfs status;
    int failed;
    retry_interrupted(failed, statvfs(path, &status));
    if (failed < 0)
        return -errno;
    *ret_bytes = (uint64_t)status.f_bavail * (uint64_t)status.f_frsize;
    return 0;
}

/* --- whole files ------------------------------------------------------------------------------ */

/* Reads to the end, at most MAX bytes; the size a file says it has is not trusted (/proc, pipes).
 */
static int load_descriptor(int fd, size_t max, char **ret_bytes, size_t *ret_size) {
    char *bytes = NULL;
    size_t cap = 0, size = 0;
    int failed = 0;
    for (;;) {
        if (cap - size < 2) {
            size_t grown = cap ? cap * 2 : LOAD_PIECE;
            char *more = mem_realloc(bytes, grown);
            if (!more) {
                failed = -ENOMEM;
                break;
            }
            bytes = more;
            cap = grown;
        }
        ssize_t got;
        retry_interrupted(got, read(fd, bytes + size, cap - size - 1));
        if (got < 0)
            failed = -errno;
        if (got <= 0)
            break;
        size += (size_t)got;
        if (size > max) {
            failed = -EFBIG;
            break;
        }
    }
    if (failed) {
        mem_free(bytes);
        return failed;
    }
    bytes[size] = '\0';
    *ret_bytes = bytes;
    *ret_size = size;
    return 0;
}

int io_file_load(struct io_host *host, const char *path, size_t max, char **ret_bytes,
                 size_t *ret_size) {
    (void)host;
    int fd = open_descriptor(path, O_RDONLY, 0);
    if (fd < 0)
        return fd;
    int failed = load_descriptor(fd, max, ret_bytes, ret_size);
    close(fd);
    return failed;
}

static int write_and_sync(const char *path, slice content, unsigned mode) {
    int fd = open_descriptor(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
    if (fd < 0)
        return fd;
    struct io_file file = {fd};
    int failed = fchmod(fd, mode) == 0 ? 0 : -errno; /* whatever the umask, whoever left it */
    if (failed == 0)
        failed = io_file_write(&file, content.ptr, content.len, 0);
    if (failed == 0)
        failed = io_file_sync(&file);
    close(fd);
    return failed;
}

/* The folder PATH lies in, to OUT of PATH_MAX bytes. */
static void folder_of(const char *path, char *out) {
    const char *slash = strrchr(path, '/');
    size_t len = !slash ? 0 : slash == path ? 1 : (size_t)(slash - path);
    memcpy(out, len ? path : ".", len ? len : 1);
    out[len ? len : 1] = '\0';
}

int io_file_replace(struct io_host *host, const char *path, slice content, unsigned mode) {
    char beside[PATH_MAX], folder[PATH_MAX];
    int len = snprintf(beside, sizeof beside, "%s.new", path);
    if (len < 0 || (size_t)len >= sizeof beside)
        return -ENAMETOOLONG;
    folder_of(path, folder);
    int failed = write_and_sync(beside, content, mode);
    if (failed == 0)
        failed = io_rename(host, beside, path);
    if (failed) {
        unlink(beside);
        return failed;
    }
    return io_dir_sync(host, folder);
}
