/* backup_folder.c - see backup_folder.h: the folder that comes into being, and what is written. */
#include "node/backup_folder.h"

#include "base/hex.h"
#include "io/crypto.h"
#include "wire/json_write.h"

#include <errno.h>
#include <stdio.h>

static int refuse(struct error *ret_error, int failed, const char *path, const char *what) {
    error_set(ret_error, failed, "%s: %s", what, error_name(failed));
    error_place(ret_error, "%s", path);
    return failed;
}

/* --- a folder that comes into being -------------------------------------------------------------
 */

static int any_entry(void *owner, const char *name) {
    (void)owner;
    (void)name;
    return 1;
}

static int judge_target(const struct backup_folder *f, bool may_be_empty, struct error *ret_error) {
    int found = io_dir_list(f->host, f->path, any_entry, NULL);
    if (found == -ENOENT || (found == 0 && may_be_empty))
        return 0;
    struct io_file *file = NULL;
    if (found == -ENOTDIR) /* a file is there, or its parent is one */
        found = io_file_open(f->host, f->path, 0, &file);
    io_file_close(file);
    if (found < 0)
        return refuse(ret_error, found, f->path, "cannot be looked at");
    error_set(ret_error, -EEXIST, "%s", may_be_empty ? "it is not empty" : "it is there already");
    error_place(ret_error, "%s", f->path);
    error_hint(ret_error, "nothing is overwritten: name a folder that is not there yet");
    return -EEXIST;
}

#define LOCK_NAME "unfinished"

static void lock_path(const struct backup_folder *f, char out[BACKUP_PATH_MAX + 32]) {
    snprintf(out, BACKUP_PATH_MAX + 32, "%s/" LOCK_NAME, f->partial);
}

/* What a kill has left under the name: removed, where it is ours and nobody is at it. */
static int clear_way(struct backup_folder *f, struct error *ret_error) {
    char path[BACKUP_PATH_MAX + 32];
    int found = io_dir_list(f->host, f->partial, any_entry, NULL);
    if (found == -ENOENT || found == 0)
        return 0;
    lock_path(f, path);
    int failed = io_file_open(f->host, path, IO_FILE_WRITE, &f->lock);
    if (!failed)
        failed = io_file_lock(f->lock);
    if (!failed)
        failed = io_remove_tree(f->host, f->partial);
    f->lock = io_file_close(f->lock);
    if (failed == -EWOULDBLOCK) {
        error_set(ret_error, failed, "it is being written by another process");
        error_place(ret_error, "%s", f->partial);
    } else if (failed) {
        refuse(ret_error, failed, f->partial, "it is in the way and cannot be removed");
        error_hint(ret_error, "remove it, or choose another name");
    }
    return failed;
}

int backup_folder_begin(struct io_host *host, const char *path, bool may_be_empty,
                        struct backup_folder *f, struct error *ret_error) {
    char lock[BACKUP_PATH_MAX + 32];
    *f = (struct backup_folder){.host = host};
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/')
        len--;
    if (!len || len >= sizeof f->path)
        return error_set(ret_error, len ? -ENAMETOOLONG : -EINVAL, "the name of the folder is %s",
                         len ? "too long" : "empty");
    memcpy(f->path, path, len);
    snprintf(f->partial, sizeof f->partial, "%s.partial", f->path);
    int failed = judge_target(f, may_be_empty, ret_error);
    if (!failed)
        failed = clear_way(f, ret_error);
    if (failed)
        return failed;
    failed = io_dir_create(host, f->partial);
    lock_path(f, lock);
    if (!failed)
        failed = io_file_open(host, lock, IO_FILE_WRITE | IO_FILE_CREATE, &f->lock);
    if (!failed)
        failed = io_file_lock(f->lock);
    if (failed) {
        refuse(ret_error, failed, f->partial, "cannot be made");
        backup_folder_drop(f);
    }
    return failed;
}

/* "a/b" -> "a"; "b" -> "."; "/b" -> "/". */
static void parent_of(const char *path, char out[BACKUP_PATH_MAX]) {
    const char *end = strrchr(path, '/');
    size_t len = end ? (size_t)(end - path) : 0;
    snprintf(out, BACKUP_PATH_MAX, "%.*s", (int)len, path);
    if (!len)
        snprintf(out, BACKUP_PATH_MAX, "%s", end ? "/" : ".");
}

int backup_folder_commit(struct backup_folder *f, struct error *ret_error) {
    char lock[BACKUP_PATH_MAX + 32], parent[BACKUP_PATH_MAX];
    parent_of(f->path, parent);
    int failed = io_dir_sync(f->host, f->partial);
    if (!failed)
        failed = io_rename(f->host, f->partial, f->path);
    if (!failed)
        failed = io_dir_sync(f->host, parent);
    if (failed) {
        refuse(ret_error, failed, f->path, "cannot be put in place");
        backup_folder_drop(f);
        return failed;
    }
    snprintf(lock, sizeof lock, "%s/" LOCK_NAME, f->path);
    (void)!io_unlink(f->host, lock); /* one that stays is no harm: nobody looks for it here */
    f->lock = io_file_close(f->lock);
    return 0;
}

void backup_folder_drop(struct backup_folder *f) {
    if (!f->lock)
        return;
    (void)!io_remove_tree(f->host, f->partial); /* the next one tries again */
    f->lock = io_file_close(f->lock);
}

/* --- what is in it -------------------------------------------------------------------------------
 */

int backup_sums_add(struct buf *sums, const char *name, const unsigned char sha256[32]) {
    char hex[65];
    hex_encode(slice_make(sha256, 32), hex);
    return buf_printf(sums, "%.64s  %s\n", hex, name) ? -ENOMEM : 0;
}

static int write_text(const struct backup_folder *f, const char *name, slice text,
                      struct error *ret_error) {
    char path[BACKUP_PATH_MAX + 64];
    snprintf(path, sizeof path, "%s/%s", f->partial, name);
    int failed = io_file_replace(f->host, path, text, 0600);
    return failed ? refuse(ret_error, failed, path, "cannot be written") : 0;
}

static int write_info(const struct node_backup *info, struct buf *out) {
    struct json_writer w = json_writer_make(out, true);
    const struct {
        const char *key;
        uint64_t number;
    } numbers[] = {{"position", info->position}, {"files", info->files}, {"bytes", info->bytes}};
    json_write_object(&w);
    json_write_key(&w, "nonet_backup");
    json_write_u64(&w, NODE_BACKUP_VERSION);
    json_write_key(&w, "nonet");
    json_write_text(&w, info->version);
    json_write_key(&w, "node");
    json_write_text(&w, info->node);
    json_write_key(&w, "made");
    json_write_text(&w, info->made);
    for (size_t i = 0; i < array_count(numbers); i++) {
        json_write_key(&w, numbers[i].key);
        json_write_u64(&w, numbers[i].number);
    }
    json_write_end(&w);
    int failed = json_write_finish(&w);
    return failed ? failed : buf_append_byte(out, '\n');
}

int backup_write_manifest(const struct backup_folder *f, const struct node_backup *info,
                          struct buf *sums, struct error *ret_error) {
    _cleanup_buf_ struct buf text = buf_make(64u << 10);
    unsigned char digest[32];
    if (write_info(info, &text))
        return error_set(ret_error, -ENOMEM, "no memory for the manifest");
    io_sha256(buf_slice(&text), digest);
    if (backup_sums_add(sums, "backup.json", digest))
        return error_set(ret_error, -ENOMEM, "no memory for the manifest");
    int failed = write_text(f, "backup.json", buf_slice(&text), ret_error);
    return failed ? failed : write_text(f, "SHA256SUMS", buf_slice(sums), ret_error);
}
