/*
 * backup_read.c - a backup read again: to be checked, and on the way to be restored.
 *
 * SHA256SUMS says what there must be, and backup.json, which it covers, how much of it: a line more
 * or less is found. Whatever is in the folder besides is not looked at.
 */
#include "node/backup_folder.h"

#include "base/hex.h"
#include "base/mem.h"
#include "io/crypto.h"
#include "wire/json.h"

#include <errno.h>
#include <stdio.h>

#define INFO_BYTES_MAX (64u << 10)

struct backup_reading {
    struct io_host *host;
    const char *backup;
    const struct backup_folder *into; /* NULL: only checked */
    void (*progress)(void *self, uint64_t done, uint64_t total);
    void *self;
    struct error *error;
    uint64_t files, bytes; /* seen, backup.json not counted */
    struct node_backup info;
    bool has_info;
};

struct line {
    unsigned char digest[32];
    char name[256];
};

static int damaged(const struct backup_reading *r, const char *name, const char *what) {
    error_set(r->error, -EBADMSG, "%s", what);
    error_place(r->error, "%s/%s", r->backup, name);
    error_hint(r->error, "this backup cannot be trusted; take another one");
    return -EBADMSG;
}

static int broken(const struct backup_reading *r, const char *name, int failed) {
    if (failed == -ENOENT)
        return damaged(r, name, "the file is missing");
    error_set(r->error, failed, "it cannot be %s: %s", r->into ? "restored" : "read",
              error_name(failed));
    error_place(r->error, "%s/%s", r->backup, name);
    return failed;
}

/* --- SHA256SUMS ---------------------------------------------------------------------------------
 */

/* Below the folder, by plain names: nothing else is opened, whatever somebody has written there. */
static bool is_plain(slice name) {
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/";
    for (size_t i = 0; i < name.len; i++)
        if (!name.ptr[i] || !strchr(letters, name.ptr[i]))
            return false;
    while (name.len) {
        slice part = slice_cut(name, '/', &name);
        if (!part.len || part.ptr[0] == '.')
            return false;
    }
    return true;
}

static bool read_line(slice text, struct line *ret_line) {
    size_t len = 0;
    slice hex = slice_take(text, 64), name = slice_skip(text, 66);
    return text.len > 66 && slice_equal(slice_take(slice_skip(text, 64), 2), slice_lit("  ")) &&
           hex_decode(hex, ret_line->digest, sizeof ret_line->digest, &len) == 0 && len == 32 &&
           is_plain(name) && slice_to_string(name, ret_line->name, sizeof ret_line->name) == 0;
}

static int each_line(struct backup_reading *r, slice sums,
                     int (*each)(struct backup_reading *r, const struct line *line)) {
    while (sums.len) {
        struct line line;
        slice text = slice_cut(sums, '\n', &sums);
        if (!read_line(text, &line))
            return damaged(r, "SHA256SUMS", "it has a line that is no sum");
        int failed = each(r, &line);
        if (failed)
            return failed;
    }
    return 0;
}

/* --- backup.json --------------------------------------------------------------------------------
 */

static bool read_text(json_value root, const char *key, char *out, size_t size) {
    slice text;
    return json_string(json_member(root, slice_str(key)), &text) == 0 &&
           slice_to_string(text, out, size) == 0;
}

static bool read_number(json_value root, const char *key, uint64_t *ret_number) {
    return json_u64(json_member(root, slice_str(key)), ret_number) == 0;
}

static int take_info(struct backup_reading *r, slice text) {
    struct json_doc doc;
    struct node_backup *info = &r->info;
    uint64_t version = 0;
    json_init(&doc);
    bool whole = json_parse(&doc, text) == 0;
    json_value root = json_root(&doc);
    whole = whole && read_number(root, "nonet_backup", &version) &&
            read_text(root, "nonet", info->version, sizeof info->version) &&
            read_text(root, "node", info->node, sizeof info->node) &&
            read_text(root, "made", info->made, sizeof info->made) &&
            read_number(root, "position", &info->position) &&
            read_number(root, "files", &info->files) && read_number(root, "bytes", &info->bytes);
    json_free(&doc);
    if (version > NODE_BACKUP_VERSION) {
        error_set(r->error, -ENOTSUP, "the backup was made by a newer Nonet (%s)", info->version);
        error_place(r->error, "%s/backup.json", r->backup);
        return -ENOTSUP;
    }
    return whole ? 0 : damaged(r, "backup.json", "it is not what a backup has");
}

static int read_info(struct backup_reading *r, const struct line *line) {
    char path[BACKUP_PATH_MAX + 300], *bytes = NULL;
    unsigned char digest[32];
    size_t size = 0;
    if (strcmp(line->name, "backup.json") != 0)
        return 0;
    snprintf(path, sizeof path, "%s/backup.json", r->backup);
    int failed = io_file_load(r->host, path, INFO_BYTES_MAX, &bytes, &size);
    if (failed)
        return broken(r, line->name, failed);
    io_sha256(slice_make(bytes, size), digest);
    failed = memcmp(digest, line->digest, sizeof digest) == 0
                 ? take_info(r, slice_make(bytes, size))
                 : damaged(r, line->name, "its bytes are not the ones that were written");
    mem_free(bytes);
    r->has_info = !failed;
    return failed;
}

/* --- the files ----------------------------------------------------------------------------------
 */

static int make_folder(const struct backup_reading *r, const char *path) {
    char folder[BACKUP_PATH_MAX + 300];
    const char *end = strrchr(path, '/');
    snprintf(folder, sizeof folder, "%.*s", (int)(end - path), path);
    return io_dir_create(r->host, folder);
}

static int run_copy(struct backup_reading *r, const struct line *line, struct io_copy *copy) {
    unsigned char digest[32];
    uint64_t before = r->bytes;
    int result;
    while ((result = io_copy_step(copy, digest)) == 1) {
        r->bytes = before + copy->at;
        if (r->progress)
            r->progress(r->self, r->bytes, r->info.bytes);
    }
    r->bytes = before + copy->at;
    if (result)
        return broken(r, line->name, result);
    return memcmp(digest, line->digest, sizeof digest) == 0
               ? 0
               : damaged(r, line->name, "its bytes are not the ones that were written");
}

static int read_file(struct backup_reading *r, const struct line *line) {
    char from[BACKUP_PATH_MAX + 300], to[BACKUP_PATH_MAX + 300];
    struct io_copy copy;
    if (strcmp(line->name, "backup.json") == 0)
        return 0;
    if (++r->files > BACKUP_FILES_MAX)
        return damaged(r, "SHA256SUMS", "it has too many lines");
    snprintf(from, sizeof from, "%s/%s", r->backup, line->name);
    if (r->into)
        snprintf(to, sizeof to, "%s/%s", r->into->partial, line->name);
    int failed = r->into ? make_folder(r, to) : 0;
    if (!failed)
        failed = io_copy_begin(r->host, from, r->into ? to : NULL, IO_COPY_ALL, &copy);
    if (failed)
        return broken(r, line->name, failed);
    failed = run_copy(r, line, &copy);
    io_copy_end(&copy);
    return failed;
}

/* Their names are on disk, too. */
static int sync_folders(const struct backup_reading *r) {
    static const char *const names[] = {"/log/segments", "/log/journal", "/log", ""};
    int failed = 0;
    for (size_t i = 0; i < array_count(names) && !failed && r->into; i++) {
        char path[BACKUP_PATH_MAX + 64];
        snprintf(path, sizeof path, "%s%s", r->into->partial, names[i]);
        failed = io_dir_create(r->host, path); /* a log without segments has the folder, too */
        if (!failed)
            failed = io_dir_sync(r->host, path);
    }
    return failed ? broken(r, "", failed) : 0;
}

static int read_all(struct backup_reading *r, slice sums) {
    int failed = slice_ends_with(sums, slice_lit("\n"))
                     ? each_line(r, sums, read_info)
                     : damaged(r, "SHA256SUMS", "it ends in the middle of a line");
    if (!failed && !r->has_info)
        failed = damaged(r, "SHA256SUMS", "it does not name backup.json");
    if (!failed)
        failed = each_line(r, sums, read_file);
    if (!failed && (r->files != r->info.files || r->bytes != r->info.bytes))
        failed = damaged(r, "SHA256SUMS", "it does not name as many files as were written");
    return failed ? failed : sync_folders(r);
}

int backup_read(struct io_host *host, const char *backup, const struct backup_folder *into,
                void (*progress)(void *self, uint64_t done, uint64_t total), void *self,
                struct node_backup *ret_info, struct error *ret_error) {
    struct backup_reading r = {.host = host,
                               .backup = backup,
                               .into = into,
                               .progress = progress,
                               .self = self,
                               .error = ret_error};
    char path[BACKUP_PATH_MAX + 16], *sums = NULL;
    size_t size = 0;
    if (snprintf(path, sizeof path, "%s/SHA256SUMS", backup) >= (int)sizeof path)
        return error_set(ret_error, -ENAMETOOLONG, "the name of the backup is too long");
    int failed = io_file_load(host, path, BACKUP_SUMS_MAX, &sums, &size);
    if (failed == -ENOENT) {
        error_set(ret_error, failed, "it is no backup: it has no SHA256SUMS");
        error_place(ret_error, "%s", backup);
        return failed;
    }
    failed = failed ? broken(&r, "SHA256SUMS", failed) : read_all(&r, slice_make(sums, size));
    mem_free(sums);
    if (!failed)
        *ret_info = r.info;
    return failed;
}
