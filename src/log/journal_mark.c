/*
 * journal_mark.c - leaves and obeys the mark of a failed write (journal_mark.h).
 *
 * Obeying is in this order: wipe, sync, unlink, sync the folder. A crash between any two of them
 * leaves a mark whose group is wiped already or is not the one it names, and nothing happens
 * twice.
 */
#include "log/journal_mark.h"

#include "base/crc32c.h"
#include "base/mem.h"
#include "log/journal_scan.h"
#include "log/record.h"

#include <errno.h>

#define MARK_NAME "failed"
#define MARK_SIZE 24u
#define GROUP_CRC_AT 4u

void journal_mark_leave(struct io_host *host, const char *directory,
                        const struct journal_group *group, const char *bytes) {
    char path[JOURNAL_PATH_MAX], mark[MARK_SIZE];
    record_put_u64(mark, group->file);
    record_put_u64(mark + 8, group->offset);
    memcpy(mark + 16, bytes + GROUP_CRC_AT, 4);
    record_put_u32(mark + 20, crc32c_update(0, mark, 20));
    int failed = journal_path_name(directory, MARK_NAME, path);
    if (!failed)
        failed = io_file_replace(host, path, slice_make(mark, sizeof mark), 0600);
    (void)failed; /* the failure itself is told anyway; this was the best we could do */
}

/* 0, -ENOENT, -EBADMSG or a read error. */
static int load(struct io_host *host, const char *path, struct journal_mark *ret_mark) {
    _cleanup_mem_ char *bytes = NULL;
    size_t size;
    int failed = io_file_load(host, path, MARK_SIZE, &bytes, &size);
    if (failed)
        return failed == -EFBIG ? -EBADMSG : failed;
    if (size != MARK_SIZE || record_get_u32(bytes + 20) != crc32c_update(0, bytes, 20))
        return -EBADMSG;
    *ret_mark = (struct journal_mark){
        .file = record_get_u64(bytes),
        .offset = record_get_u64(bytes + 8),
        .group_crc = record_get_u32(bytes + 16),
    };
    return 0;
}

static int wipe(struct io_host *host, const char *directory, const struct journal_mark *mark) {
    char path[JOURNAL_PATH_MAX], sector[JOURNAL_SECTOR];
    struct io_file *file = NULL;
    int failed = journal_path(directory, mark->file, "jnl", path);
    if (!failed)
        failed = io_file_open(host, path, IO_FILE_WRITE, &file);
    if (failed)
        return failed == -ENOENT ? 0 : failed;
    size_t got = 0;
    failed = io_file_read(file, sector, sizeof sector, mark->offset, &got);
    if (!failed && got == sizeof sector &&
        record_get_u32(sector + GROUP_CRC_AT) == mark->group_crc) {
        memset(sector, 0, sizeof sector);
        failed = io_file_write(file, sector, sizeof sector, mark->offset);
        if (!failed)
            failed = io_file_sync(file);
    }
    io_file_close(file);
    return failed;
}

int journal_mark_obey(struct io_host *host, const char *directory, struct error *ret_error) {
    char path[JOURNAL_PATH_MAX], folder[JOURNAL_PATH_MAX];
    struct journal_mark mark;
    int failed = journal_path_name(directory, MARK_NAME, path);
    if (!failed)
        failed = journal_path_name(directory, NULL, folder);
    if (!failed)
        failed = load(host, path, &mark);
    if (failed == -ENOENT)
        return 0;
    if (!failed)
        failed = wipe(host, directory, &mark);
    if (!failed)
        failed = io_unlink(host, path);
    if (!failed)
        failed = io_dir_sync(host, folder);
    if (failed) {
        error_set(ret_error, failed, "the mark of a failed write %s: %s",
                  failed == -EBADMSG ? "is damaged" : "could not be obeyed", error_name(failed));
        error_place(ret_error, "journal/" MARK_NAME);
    }
    return failed;
}

struct journal_mark journal_mark_read(struct io_host *host, const char *directory) {
    char path[JOURNAL_PATH_MAX];
    struct journal_mark mark;
    if (journal_path_name(directory, MARK_NAME, path) || load(host, path, &mark))
        return (struct journal_mark){0};
    return mark;
}

bool journal_mark_hits(const struct journal_mark *mark, const struct journal_group *group,
                       const char *bytes) {
    return mark->file == group->file && mark->offset == group->offset &&
           mark->group_crc == record_get_u32(bytes + GROUP_CRC_AT);
}
