/*
 * journal_scan.c - the walk that journal_scan.h describes.
 *
 *      load     list the folder, sort by number, open each file and judge its header
 *      walk     per file: read a group, accept it, go on behind it; at a hole search the rest
 *      accept   does it follow its predecessor? then hand it out
 *
 * Files are read through one window of a megabyte, grown to the largest group met. A group is
 * believed only after its crc; its length, which decides how much is read, is bounded by the file
 * before that.
 */
#include "log/journal_scan.h"

#include "base/mem.h"
#include "base/number.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

int journal_path_name(const char *directory, const char *name, char *path) {
    int len = snprintf(path, JOURNAL_PATH_MAX, "%s/journal%s%s", directory, name ? "/" : "",
                       name ? name : "");
    return len < 0 || len >= (int)JOURNAL_PATH_MAX ? -ENAMETOOLONG : 0;
}

int journal_path(const char *directory, uint64_t number, const char *suffix, char *path) {
    int len =
        snprintf(path, JOURNAL_PATH_MAX, "%s/journal/%08" PRIu64 ".%s", directory, number, suffix);
    return len < 0 || len >= (int)JOURNAL_PATH_MAX ? -ENAMETOOLONG : 0;
}

int journal_damage(struct error *error, int code, uint64_t file, uint64_t offset,
                   const char *format, ...) {
    char words[sizeof error->message];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(words, sizeof words, format, arguments);
    va_end(arguments);
    error_set(error, code, "%s", words);
    error_place(error, "journal/%08" PRIu64 ".jnl offset %" PRIu64, file, offset);
    return code;
}

/* --- loading ---------------------------------------------------------------------------------- */

/* The number in "00000012.jnl", or 0 for any other name. */
static uint64_t number_of(const char *name) {
    slice rest = slice_str(name), digits = slice_cut(rest, '.', &rest);
    uint64_t number;
    if (digits.len < 8 || !slice_equal(rest, slice_lit("jnl")) ||
        number_parse_u64(digits, &number) < 0)
        return 0;
    return number;
}

static int on_name(void *self, const char *name) {
    struct journal_scan *scan = self;
    uint64_t number = number_of(name);
    if (number == 0)
        return 0;
    if (scan->count == JOURNAL_FILES_MAX)
        return -E2BIG;
    if (scan->count == scan->capacity) {
        size_t capacity = scan->capacity ? scan->capacity * 2 : 16;
        struct journal_scan_file *files =
            mem_realloc(scan->files, capacity * sizeof(struct journal_scan_file));
        if (!files)
            return -ENOMEM;
        scan->files = files;
        scan->capacity = capacity;
    }
    scan->files[scan->count++] =
        (struct journal_scan_file){.number = number, .end = JOURNAL_SECTOR};
    return 0;
}

static int by_number(const void *a, const void *b) {
    uint64_t left = ((const struct journal_scan_file *)a)->number;
    uint64_t right = ((const struct journal_scan_file *)b)->number;
    return (left > right) - (left < right);
}

static int list_files(struct journal_scan *scan, struct error *ret_error) {
    char path[JOURNAL_PATH_MAX];
    int failed = journal_path_name(scan->directory, NULL, path);
    if (!failed)
        failed = io_dir_list(scan->host, path, on_name, scan);
    if (failed) {
        error_set(ret_error, failed, "cannot list the journal's files: %s", error_name(failed));
        error_place(ret_error, "%s", scan->directory);
        return failed;
    }
    if (scan->count)
        qsort(scan->files, scan->count, sizeof scan->files[0], by_number);
    return 0;
}

static int tell(struct journal_scan *scan, const struct error *damage, struct error *ret_error) {
    int failed = scan->on_damage(scan->self, damage);
    if (failed && ret_error)
        *ret_error = *damage;
    return failed;
}

/* What the header and the size say. 0 with bytes set, or an answer with *ERROR filled. */
static int judge_header(struct journal_scan *scan, struct journal_scan_file *f, struct error *error,
                        struct journal_header *ret_header) {
    char sector[JOURNAL_SECTOR];
    size_t got = 0;
    uint64_t size = 0;
    int failed = io_file_size(f->file, &size);
    if (!failed)
        failed = io_file_read(f->file, sector, sizeof sector, 0, &got);
    if (failed)
        return journal_damage(error, failed, f->number, 0, "cannot read the file: %s",
                              error_name(failed));
    failed = got < sizeof sector ? -EBADMSG : journal_header_decode(sector, ret_header);
    if (failed == -ENOTSUP) {
        journal_damage(error, failed, f->number, 0, "written by a newer version of Nonet");
        error_hint(error, "start the version that wrote it, or a later one");
        return failed;
    }
    if (failed)
        return journal_damage(error, failed, f->number, 0, "the header of the file is damaged");
    if (ret_header->number != f->number)
        return journal_damage(error, -EBADMSG, f->number, 0,
                              "the file holds the journal's file %" PRIu64, ret_header->number);
    if (scan->log_id && ret_header->log_id != scan->log_id)
        return journal_damage(error, -EBADMSG, f->number, 0, "the file belongs to another log");
    if (size < ret_header->bytes)
        return journal_damage(error, -EBADMSG, f->number, size,
                              "the file is cut short: %" PRIu64 " of %" PRIu64 " bytes", size,
                              ret_header->bytes);
    return 0;
}

/* Opens one file. A damaged one is left without a handle where on_damage goes on. */
static int load_file(struct journal_scan *scan, struct journal_scan_file *f,
                     struct error *ret_error) {
    char path[JOURNAL_PATH_MAX];
    struct error error = {0};
    struct journal_header header = {0};
    int failed = journal_path(scan->directory, f->number, "jnl", path);
    if (!failed)
        failed = io_file_open(scan->host, path, scan->open_flags, &f->file);
    if (failed)
        return journal_damage(ret_error, failed, f->number, 0, "cannot open the file: %s",
                              error_name(failed));
    failed = judge_header(scan, f, &error, &header);
    if (failed) {
        f->file = io_file_close(f->file);
        if (failed == -EBADMSG)
            return tell(scan, &error, ret_error);
        if (ret_error)
            *ret_error = error;
        return failed;
    }
    scan->log_id = header.log_id;
    f->bytes = header.bytes;
    return 0;
}

/* --- reading ---------------------------------------------------------------------------------- */

static int window_reserve(struct journal_scan *scan, size_t size) {
    if (scan->window.capacity >= size)
        return 0;
    scan->window.bytes = mem_free(scan->window.bytes);
    scan->window.capacity = scan->window.len = 0;
    scan->window.bytes = mem_alloc(size);
    if (!scan->window.bytes)
        return -ENOMEM;
    scan->window.capacity = size;
    return 0;
}

/* SIZE bytes of F at OFFSET, which lie inside the file; valid until the next call. */
static int window_get(struct journal_scan *scan, const struct journal_scan_file *f, uint64_t offset,
                      size_t size, const char **ret_bytes, struct error *ret_error) {
    check(offset + size <= f->bytes);
    bool there = scan->window.file == f->number && offset >= scan->window.start &&
                 offset + size <= scan->window.start + scan->window.len;
    if (!there) {
        uint64_t want = size > JOURNAL_SCAN_WINDOW ? size : JOURNAL_SCAN_WINDOW;
        if (want > f->bytes - offset)
            want = f->bytes - offset;
        int failed = window_reserve(scan, (size_t)want);
        if (failed)
            return error_set(ret_error, failed, "no memory to read the journal");
        scan->window.len = 0;
        size_t got = 0;
        failed = io_file_read(f->file, scan->window.bytes, (size_t)want, offset, &got);
        if (!failed && got < size)
            failed = -EIO;
        if (failed)
            return journal_damage(ret_error, failed, f->number, offset, "cannot read the file: %s",
                                  error_name(failed));
        scan->window.file = f->number;
        scan->window.start = offset;
        scan->window.len = got;
    }
    *ret_bytes = scan->window.bytes + (offset - scan->window.start);
    return 0;
}

/* A good group at OFFSET? 0, -ENOENT with *RET_LIKE telling whether a header of one is there,
   or a read error. */
static int read_group(struct journal_scan *scan, const struct journal_scan_file *f, uint64_t offset,
                      struct journal_group *ret_group, slice *ret_bytes, bool *ret_like,
                      struct error *ret_error) {
    const char *bytes;
    int failed = window_get(scan, f, offset, JOURNAL_SECTOR, &bytes, ret_error);
    if (failed)
        return failed;
    *ret_like =
        journal_group_peek(bytes, scan->log_id, f->number, offset, f->bytes - offset, ret_group);
    if (!*ret_like)
        return -ENOENT;
    failed = window_get(scan, f, offset, ret_group->length, &bytes, ret_error);
    if (failed)
        return failed;
    *ret_bytes = slice_make(bytes, ret_group->length);
    return journal_group_check(*ret_bytes, ret_group) ? -ENOENT : 0;
}

/* --- walking ---------------------------------------------------------------------------------- */

static const struct journal_scan_file *file_of(const struct journal_scan *scan, uint64_t number) {
    for (size_t i = 0; i < scan->count; i++)
        if (scan->files[i].number == number)
            return &scan->files[i];
    return NULL;
}

/* Fills *DAMAGE where GROUP does not follow what was accepted before it. */
static int judge_order(const struct journal_scan *scan, const struct journal_group *group,
                       slice bytes, struct error *damage) {
    if (journal_group_validate(bytes, group))
        return journal_damage(damage, -EBADMSG, group->file, group->offset,
                              "group %" PRIu64 " contradicts itself", group->number);
    const struct journal_group *last = &scan->last;
    if (scan->resumed)
        return 0;
    if (!scan->any) {
        if (group->previous_file && file_of(scan, group->previous_file))
            return journal_damage(damage, -EBADMSG, group->previous_file, group->previous_offset,
                                  "group %" PRIu64 " is damaged, and group %" PRIu64
                                  " behind it is good",
                                  group->number - 1, group->number);
        return 0;
    }
    if (group->number != last->number + 1)
        return journal_damage(damage, -EBADMSG, scan->hole_file, scan->hole_offset,
                              "group %" PRIu64 " is damaged or missing: group %" PRIu64
                              " follows in file %" PRIu64,
                              last->number + 1, group->number, group->file);
    if (group->first_position != last->last_position + 1 || group->previous_file != last->file ||
        group->previous_offset != last->offset)
        return journal_damage(damage, -EBADMSG, group->file, group->offset,
                              "group %" PRIu64 " does not follow its predecessor", group->number);
    return 0;
}

static int accept_group(struct journal_scan *scan, struct journal_scan_file *f,
                        const struct journal_group *group, slice bytes, struct error *ret_error) {
    struct error damage = {0};
    int failed = judge_order(scan, group, bytes, &damage);
    if (failed)
        failed = tell(scan, &damage, ret_error);
    if (!failed)
        failed = scan->on_group(scan->self, group, bytes, ret_error);
    if (failed)
        return failed;
    if (!scan->any)
        scan->first = *group;
    scan->any = true;
    scan->resumed = false;
    scan->torn = false;
    scan->last = *group;
    f->groups++;
    f->last_position = group->last_position;
    f->end = group->offset + group->length;
    scan->hole_file = f->number;
    scan->hole_offset = f->end;
    return 0;
}

/* The first good group of F behind the hole at OFFSET. 0, -ENOENT or a read error. */
static int search(struct journal_scan *scan, const struct journal_scan_file *f, uint64_t offset,
                  struct journal_group *ret_group, struct error *ret_error) {
    for (offset += JOURNAL_SECTOR; offset < f->bytes; offset += JOURNAL_SECTOR) {
        slice bytes;
        bool like;
        int failed = read_group(scan, f, offset, ret_group, &bytes, &like, ret_error);
        if (failed != -ENOENT)
            return failed;
    }
    return -ENOENT;
}

/* No good group is at OFFSET. Sets *RET_OFFSET to where the walk goes on: the end of the file, or
   a group behind damage that was told. */
static int at_hole(struct journal_scan *scan, const struct journal_scan_file *f, uint64_t offset,
                   const struct journal_group *found, uint64_t *ret_offset,
                   struct error *ret_error) {
    struct journal_group behind;
    int failed = search(scan, f, offset, &behind, ret_error);
    if (failed == -ENOENT) {
        *ret_offset = f->bytes;
        bool due = found && found->number == (scan->any ? scan->last.number + 1 : 1);
        if (due && !scan->torn) {
            scan->torn = true;
            scan->torn_group = *found;
        }
        return 0;
    }
    if (failed)
        return failed;
    struct error damage = {0};
    journal_damage(&damage, -EBADMSG, f->number, offset,
                   "group %" PRIu64 " is damaged, and group %" PRIu64 " at offset %" PRIu64
                   " behind it is good",
                   scan->any ? scan->last.number + 1 : behind.number - 1, behind.number,
                   behind.offset);
    failed = tell(scan, &damage, ret_error);
    if (failed)
        return failed;
    scan->resumed = true;
    *ret_offset = behind.offset;
    return 0;
}

static int walk_file(struct journal_scan *scan, struct journal_scan_file *f,
                     struct error *ret_error) {
    uint64_t offset = JOURNAL_SECTOR;
    while (offset < f->bytes) {
        struct journal_group group;
        slice bytes;
        bool like;
        int failed = read_group(scan, f, offset, &group, &bytes, &like, ret_error);
        if (failed == -ENOENT)
            failed = at_hole(scan, f, offset, like ? &group : NULL, &offset, ret_error);
        else if (!failed) {
            failed = accept_group(scan, f, &group, bytes, ret_error);
            offset += group.length;
        }
        if (failed)
            return failed;
    }
    return 0;
}

int journal_scan_run(struct journal_scan *scan, struct error *ret_error) {
    int failed = list_files(scan, ret_error);
    for (size_t i = 0; i < scan->count && !failed; i++)
        failed = load_file(scan, &scan->files[i], ret_error);
    for (size_t i = 0; i < scan->count && !failed; i++)
        if (scan->files[i].file)
            failed = walk_file(scan, &scan->files[i], ret_error);
    return failed;
}

void journal_scan_free(struct journal_scan *scan) {
    for (size_t i = 0; i < scan->count; i++)
        io_file_close(scan->files[i].file);
    scan->files = mem_free(scan->files);
    scan->window.bytes = mem_free(scan->window.bytes);
    scan->count = 0;
}
