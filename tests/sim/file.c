/*
 * file.c - io/file.h over the simulated disk: faults, steps, virtual time, then the change.
 *
 * Every call: a ghost answers -EIO; then the call that was asked to fail does; then the step at
 * which the power may go; on a worker time passes; then the change is made.
 */
#include "io/file.h"
#include "disk.h"

#include <errno.h>
#include <stdlib.h>

struct io_file {
    struct io_host *host;
    struct sim_inode *inode;
    bool writable, appends;
    bool direct; /* bypasses a page cache: the caller must heed IO_DIRECT_BYTES */
};

static struct sim_disk *disk_of(struct io_host *host) {
    return host->machine->disk;
}

/* ERROR is what the call answers where sim_fail_io_at meant this one. */
static int enter(struct io_host *host, enum sim_call call, int error) {
    if (host->down)
        return -EIO;
    int failed = sim_fault(host->sim, error);
    if (failed)
        return failed;
    if (host->fail[call].in && --host->fail[call].in == 0)
        return host->fail[call].error;
    return 0;
}

static int pass_time(struct io_host *host, uint64_t mean_ns) {
    if (host->sim->working)
        sim_worker_pause(host->sim, sim_spread(host->sim, mean_ns) * host->machine->slow);
    return host->down ? -EIO : 0;
}

/* Enter a call that changes the disk. */
static int enter_change(struct io_host *host, enum sim_call call, int error) {
    int failed = enter(host, call, error);
    if (failed)
        return failed;
    return sim_disk_step(host) ? -EIO : 0;
}

/* --- handles -------------------------------------------------------------------------------- */

static int open_inode(struct io_host *host, const char *path, unsigned flags,
                      struct sim_inode **ret_inode) {
    struct sim_disk *disk = disk_of(host);
    struct sim_inode *inode = disk_find(disk, path);
    if (inode && inode->folder)
        return -EISDIR;
    if (inode && (flags & IO_FILE_CREATE) && (flags & IO_FILE_EXCLUSIVE))
        return -EEXIST;
    if (!inode) {
        if (!(flags & IO_FILE_CREATE) || !disk_parent_exists(disk, path))
            return -ENOENT;
        if (sim_disk_step(host))
            return -EIO;
        inode = disk_create_inode(disk, path, false);
        sim_trace(host->sim, SIM_NAME, inode->id, SIM_OPEN, path);
    }
    if (flags & IO_FILE_TRUNCATE) {
        if (sim_disk_step(host))
            return -EIO;
        int failed = inode_resize(inode, 0);
        check(failed == 0);
    }
    *ret_inode = inode;
    return 0;
}

int io_file_open(struct io_host *host, const char *path, unsigned flags,
                 struct io_file **ret_file) {
    char clean[SIM_PATH_MAX];
    int failed = disk_path(path, clean);
    if (!failed)
        failed = enter(host, SIM_OPEN, flags & IO_FILE_CREATE ? -ENOSPC : -EMFILE);
    if (failed)
        return failed;
    struct io_file *file = mem_zalloc(1, sizeof(*file));
    if (!file)
        return -ENOMEM;
    struct sim_inode *inode;
    failed = open_inode(host, clean, flags, &inode);
    if (failed) {
        mem_free(file);
        return failed;
    }
    inode_ref(inode);
    file->host = host;
    file->inode = inode;
    file->writable = flags & IO_FILE_WRITE;
    file->appends = flags & IO_FILE_APPEND;
    host->sim->handles++;
    *ret_file = file;
    return 0;
}

struct io_file *io_file_close(struct io_file *file) {
    if (!file)
        return NULL;
    if (file->inode->locked_by == file)
        file->inode->locked_by = NULL;
    file->host->sim->handles--;
    inode_unref(file->inode);
    mem_free(file);
    return NULL;
}

int io_file_lock(struct io_file *file) {
    if (file->host->down)
        return -EIO;
    int failed = sim_fault(file->host->sim, -ENOLCK);
    if (failed)
        return failed;
    if (file->inode->locked_by && file->inode->locked_by != file)
        return -EWOULDBLOCK;
    file->inode->locked_by = file;
    return 0;
}

/* --- bytes ---------------------------------------------------------------------------------- */

static void judge_alignment(const struct io_file *file, const void *bytes, size_t size,
                            uint64_t offset) {
    if (file->direct)
        check(((uintptr_t)bytes | size | offset) % IO_DIRECT_BYTES == 0);
}

int io_file_read(struct io_file *file, void *out, size_t size, uint64_t offset, size_t *ret_read) {
    struct io_host *host = file->host;
    judge_alignment(file, out, size, offset);
    int failed = enter(host, SIM_READ, -EIO);
    if (!failed)
        failed = pass_time(host, host->sim->options.read_ns);
    if (failed)
        return failed;
    return inode_read(file->inode, out, size, offset, ret_read);
}

static uint64_t misdirect(struct io_host *host, uint64_t offset) {
    uint32_t sector = disk_of(host)->sector, percent = host->sim->options.misdirected_percent;
    if (percent == 0 || sim_below(host->sim, 100) >= percent)
        return offset;
    return offset >= sector && sim_chance(host->sim, 2) ? offset - sector : offset + sector;
}

int io_file_write(struct io_file *file, const void *bytes, size_t size, uint64_t offset) {
    struct io_host *host = file->host;
    if (!file->writable)
        return -EBADF;
    if (file->appends)
        offset = file->inode->size;
    judge_alignment(file, bytes, size, offset);
    bool grows = offset + size > file->inode->size;
    int failed = enter(host, SIM_WRITE, grows ? -ENOSPC : -EIO);
    if (host->down || sim_disk_step(host))
        return -EIO;
    size_t written = failed ? sim_below(host->sim, size + 1) : size;
    sim_trace(host->sim, SIM_FILE, (uint64_t)file->inode->id << 8 | SIM_WRITE,
              offset << 24 ^ written, failed ? "write fails" : "write");
    int full = inode_write(file->inode, bytes, written, misdirect(host, offset));
    if (failed || full)
        return failed ? failed : full;
    return pass_time(host, host->sim->options.write_ns);
}

int io_file_sync(struct io_file *file) {
    struct io_host *host = file->host;
    int failed = enter(host, SIM_SYNC, -EIO);
    if (host->down || sim_disk_step(host))
        return -EIO;
    sim_trace(host->sim, SIM_FILE, (uint64_t)file->inode->id << 8 | SIM_SYNC, (uint64_t)-failed,
              failed ? "sync fails" : "sync");
    if (failed) {
        inode_sync_lost(file->inode);
        return failed;
    }
    struct sim_flight *flight = inode_sync_begin(file->inode);
    failed = pass_time(host, host->sim->options.sync_ns);
    if (!failed && sim_disk_step(host))
        failed = -EIO;
    if (failed)
        return -EIO; /* the cut has decided what landed, and has freed the flight */
    inode_sync_end(file->inode, flight);
    return 0;
}

int io_file_allocate(struct io_file *file, uint64_t size) {
    struct io_host *host = file->host;
    if (!file->writable)
        return -EBADF;
    int failed = enter_change(host, SIM_ALLOCATE, -ENOSPC);
    if (failed)
        return failed;
    sim_trace(host->sim, SIM_FILE, (uint64_t)file->inode->id << 8 | SIM_ALLOCATE, size, "allocate");
    failed = inode_allocate(file->inode, size);
    return failed ? failed : pass_time(host, host->sim->options.write_ns);
}

void io_file_bypass_cache(struct io_file *file) {
    file->direct = true;
}

int io_file_truncate(struct io_file *file, uint64_t size) {
    struct io_host *host = file->host;
    if (!file->writable)
        return -EBADF;
    int failed = enter_change(host, SIM_TRUNCATE, -EIO);
    if (failed)
        return failed;
    sim_trace(host->sim, SIM_FILE, (uint64_t)file->inode->id << 8 | SIM_TRUNCATE, size, "truncate");
    failed = inode_resize(file->inode, size);
    return failed ? failed : pass_time(host, host->sim->options.write_ns);
}

int io_file_size(struct io_file *file, uint64_t *ret_size) {
    if (file->host->down)
        return -EIO;
    int failed = sim_fault(file->host->sim, -EIO);
    if (failed)
        return failed;
    *ret_size = file->inode->size;
    return 0;
}

int io_file_info(struct io_file *file, struct io_file_info *ret_info) {
    uint64_t size;
    int failed = io_file_size(file, &size);
    if (!failed)
        *ret_info = (struct io_file_info){.size = size, .is_file = true};
    return failed;
}

/* --- names ---------------------------------------------------------------------------------- */

static int create_folder(struct io_host *host, const char *path) {
    struct sim_disk *disk = disk_of(host);
    struct sim_inode *inode = disk_find(disk, path);
    if (inode)
        return inode->folder ? 0 : -ENOTDIR;
    if (sim_disk_step(host))
        return -EIO;
    inode = disk_create_inode(disk, path, true);
    sim_trace(host->sim, SIM_NAME, inode->id, SIM_CALLS, path);
    return 0;
}

int io_dir_create(struct io_host *host, const char *path) {
    char clean[SIM_PATH_MAX];
    int failed = disk_path(path, clean);
    if (!failed)
        failed = enter(host, SIM_OPEN, -ENOSPC);
    for (char *slash = clean[0] ? strchr(clean + 1, '/') : NULL; !failed && slash;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        failed = create_folder(host, clean);
        *slash = '/';
    }
    if (failed || !clean[0])
        return failed;
    return create_folder(host, clean);
}

static int enter_folder(struct io_host *host, const char *path, char *clean) {
    int failed = disk_path(path, clean);
    if (failed || !clean[0])
        return failed;
    struct sim_inode *inode = disk_find(disk_of(host), clean);
    if (!inode)
        return -ENOENT;
    return inode->folder ? 0 : -ENOTDIR;
}

int io_dir_sync(struct io_host *host, const char *path) {
    char clean[SIM_PATH_MAX];
    int failed = enter_change(host, SIM_DIR_SYNC, -EIO);
    if (!failed)
        failed = enter_folder(host, path, clean);
    if (failed)
        return failed;
    uint64_t order = disk_order(disk_of(host));
    sim_trace(host->sim, SIM_NAME, order, SIM_DIR_SYNC, path);
    failed = pass_time(host, host->sim->options.sync_ns);
    if (failed || sim_disk_step(host))
        return -EIO;
    disk_sync_folder(disk_of(host), clean, order);
    return 0;
}

struct names {
    char **names;
    unsigned count;
};

static struct names take_names(struct sim_disk *disk, const char *folder) {
    struct names names = {sim_calloc(disk->entry_count, sizeof(char *)), 0};
    unsigned index = 0;
    for (const char *name; (name = disk_list(disk, folder, &index)) != NULL;) {
        size_t size = strlen(name) + 1;
        char *copy = sim_calloc(1, size);
        memcpy(copy, name, size);
        unsigned at = (unsigned)sim_below(disk->sim, names.count + 1);
        names.names[names.count++] = names.names[at];
        names.names[at] = copy;
    }
    return names;
}

int io_dir_list(struct io_host *host, const char *path, int (*each)(void *owner, const char *name),
                void *owner) {
    char clean[SIM_PATH_MAX];
    int failed = enter(host, SIM_OPEN, -EMFILE);
    if (!failed)
        failed = enter_folder(host, path, clean);
    if (failed)
        return failed;
    struct names names = take_names(disk_of(host), clean);
    for (unsigned i = 0; i < names.count; i++) {
        if (!failed)
            failed = each(owner, names.names[i]);
        free(names.names[i]);
    }
    free(names.names);
    return failed;
}

int io_rename(struct io_host *host, const char *from, const char *to) {
    char source[SIM_PATH_MAX], target[SIM_PATH_MAX];
    struct sim_disk *disk = disk_of(host);
    int failed = disk_path(from, source);
    if (!failed)
        failed = disk_path(to, target);
    if (!failed)
        failed = enter_change(host, SIM_RENAME, -EIO);
    if (failed)
        return failed;
    struct sim_inode *inode = disk_find(disk, source), *there = disk_find(disk, target);
    if (!inode || !disk_parent_exists(disk, target))
        return -ENOENT;
    if (inode->folder || (there && there->folder))
        return -EISDIR;
    sim_trace(host->sim, SIM_NAME, inode->id, SIM_RENAME, target);
    disk_rename(disk, source, target);
    return pass_time(host, host->sim->options.write_ns);
}

int io_unlink(struct io_host *host, const char *path) {
    char clean[SIM_PATH_MAX];
    struct sim_disk *disk = disk_of(host);
    int failed = disk_path(path, clean);
    if (!failed)
        failed = enter_change(host, SIM_UNLINK, -EIO);
    if (failed)
        return failed;
    struct sim_inode *inode = disk_find(disk, clean);
    if (!inode)
        return -ENOENT;
    if (inode->folder)
        return -EISDIR;
    sim_trace(host->sim, SIM_NAME, inode->id, SIM_UNLINK, clean);
    disk_unlink(disk, clean);
    return pass_time(host, host->sim->options.write_ns);
}

int io_dir_remove(struct io_host *host, const char *path) {
    char clean[SIM_PATH_MAX];
    struct sim_disk *disk = disk_of(host);
    unsigned index = 0;
    int failed = disk_path(path, clean);
    if (!failed)
        failed = enter_change(host, SIM_UNLINK, -EIO);
    if (failed)
        return failed;
    struct sim_inode *inode = disk_find(disk, clean);
    if (!inode)
        return -ENOENT;
    if (!inode->folder)
        return -ENOTDIR;
    if (disk_list(disk, clean, &index))
        return -ENOTEMPTY;
    sim_trace(host->sim, SIM_NAME, inode->id, SIM_UNLINK, clean);
    disk_unlink(disk, clean);
    return pass_time(host, host->sim->options.write_ns);
}

int io_free_bytes(struct io_host *host, const char *path, uint64_t *ret_bytes) {
    (void)path; /* a machine has one disk */
    if (host->down)
        return -EIO;
    int failed = sim_fault(host->sim, -EIO);
    if (failed)
        return failed;
    const struct sim_disk *disk = disk_of(host);
    if (disk->limit == 0)
        *ret_bytes = UINT64_C(1) << 40;
    else
        *ret_bytes = disk->limit > disk->used ? disk->limit - disk->used : 0;
    return 0;
}

/* --- whole files ---------------------------------------------------------------------------- */

int io_file_load(struct io_host *host, const char *path, size_t max, char **ret_bytes,
                 size_t *ret_size) {
    struct io_file *file = NULL;
    char *bytes = NULL;
    uint64_t size = 0;
    size_t taken = 0;
    int failed = io_file_open(host, path, 0, &file);
    if (!failed)
        failed = io_file_size(file, &size);
    if (!failed && size > max)
        failed = -EFBIG;
    if (!failed && !(bytes = mem_alloc((size_t)size + 1)))
        failed = -ENOMEM;
    if (!failed)
        failed = io_file_read(file, bytes, (size_t)size, 0, &taken);
    io_file_close(file);
    if (failed) {
        mem_free(bytes);
        return failed;
    }
    bytes[taken] = '\0';
    *ret_bytes = bytes;
    *ret_size = taken;
    return 0;
}

int io_file_replace(struct io_host *host, const char *path, slice content, unsigned mode) {
    (void)mode; /* one user */
    char beside[SIM_PATH_MAX], folder[SIM_PATH_MAX];
    struct io_file *file = NULL;
    int failed = disk_path(path, folder);
    if (failed || strlen(folder) + 5 > sizeof(beside))
        return -ENAMETOOLONG;
    snprintf(beside, sizeof(beside), "%.500s.new", folder);
    char *slash = strrchr(folder, '/');
    folder[slash ? slash - folder : 0] = '\0';
    failed = io_file_open(host, beside, IO_FILE_WRITE | IO_FILE_CREATE | IO_FILE_TRUNCATE, &file);
    if (failed)
        return failed;
    failed = io_file_write(file, content.ptr, content.len, 0);
    if (!failed)
        failed = io_file_sync(file);
    io_file_close(file);
    if (!failed)
        failed = io_rename(host, beside, path);
    return failed ? failed : io_dir_sync(host, folder);
}

/* --- faults that tests ask for -------------------------------------------------------------- */

void sim_disk_fail(struct io_host *host, enum sim_call call, uint64_t nth, int error) {
    host->fail[call].in = nth;
    host->fail[call].error = error;
}

void sim_disk_limit(struct io_host *host, uint64_t bytes) {
    disk_of(host)->limit = bytes;
}

void sim_disk_slow(struct io_host *host, unsigned factor) {
    host->machine->slow = factor;
}

int sim_bad_sector(struct io_host *host, const char *path, uint64_t offset) {
    char clean[SIM_PATH_MAX];
    int failed = disk_path(path, clean);
    struct sim_inode *inode = failed ? NULL : disk_find(disk_of(host), clean);
    if (!inode)
        return -ENOENT;
    for (unsigned i = 0; i < array_count(inode->bad); i++)
        if (inode->bad[i] == 0) {
            inode->bad[i] = (offset >> disk_of(host)->shift) + 1;
            return 0;
        }
    return -ENOSPC;
}

int sim_flip_bit(struct io_host *host, const char *path, uint64_t offset, unsigned bit) {
    char clean[SIM_PATH_MAX];
    int failed = disk_path(path, clean);
    struct sim_inode *inode = failed ? NULL : disk_find(disk_of(host), clean);
    if (!inode || inode->folder)
        return -ENOENT;
    if (offset >= inode->size || bit > 7)
        return -EINVAL;
    inode->now[offset] ^= (unsigned char)(1u << bit);
    inode->kept[offset] ^= (unsigned char)(1u << bit);
    return 0;
}
