/*
 * backup.c - nonet backup DIR, nonet backup DIR --verify, nonet restore DIR --data NEW.
 *
 * A backup is made by the running node of --data (POST /v1/backup): DIR is a folder on its machine,
 * and its own user writes it. Checking and restoring need no node. On a terminal the progress is
 * shown on stderr. --json prints {"directory":..,"position":..,"files":..,"bytes":..}, of a backup
 * that was read with "nonet", "node" and "made" besides. Exit 1 where there is no whole backup.
 */
#include "cli/admin_call.h"
#include "cli/http_call.h"
#include "cli/members.h"
#include "cli/output.h"
#include "io/process.h"
#include "node/node.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#define BACKUP_TIMEOUT_NS (24 * 3600 * 1000000000ull)
#define STDERR 2
#define PATH_BYTES_MAX 2048u

/* --- progress -----------------------------------------------------------------------------------
 */

struct progress {
    bool shown;
    unsigned percent;
};

static void show(void *self, uint64_t done, uint64_t total) {
    struct progress *p = self;
    unsigned percent = total ? (unsigned)(done * 100 / total) : 0;
    if (!io_is_terminal(STDERR) || (p->shown && percent == p->percent))
        return;
    p->shown = true;
    p->percent = percent;
    fprintf(stderr, "\r%3u %% of %" PRIu64 " MB", percent, total >> 20);
}

static void end_progress(const struct progress *p) {
    if (p->shown)
        fputs("\r                              \r", stderr);
}

/* The last whole line of what the node has told so far. */
static slice last_line(slice all) {
    slice line = {0};
    while (slice_find(all, '\n') >= 0)
        line = slice_cut(all, '\n', &all);
    return line;
}

static void on_told(void *self, slice all) {
    struct json_doc doc;
    json_init(&doc);
    if (json_parse(&doc, last_line(all)) == 0)
        show(self, member_number(json_root(&doc), "bytes"),
             member_number(json_root(&doc), "total"));
    json_free(&doc);
}

/* --- what came of it ----------------------------------------------------------------------------
 */

static void print_human(const char *directory, const struct node_backup *info, const char *what) {
    char files[32], bytes[32], position[32];
    printf("%s: %s files, %s bytes, position %s%s%s%s\n", directory,
           output_count(info->files, files), output_count(info->bytes, bytes),
           output_count(info->position, position), info->made[0] ? ", made " : "", info->made,
           what);
}

static int print_json(const char *directory, const struct node_backup *info) {
    _cleanup_buf_ struct buf text = buf_make(OUTPUT_JSON_MAX);
    struct json_writer w = json_writer_make(&text, false);
    const struct {
        const char *key;
        uint64_t number;
    } numbers[] = {{"position", info->position}, {"files", info->files}, {"bytes", info->bytes}};
    const struct {
        const char *key, *word;
    } words[] = {{"nonet", info->version}, {"node", info->node}, {"made", info->made}};
    json_write_object(&w);
    json_write_key(&w, "directory");
    json_write_text(&w, directory);
    for (size_t i = 0; i < array_count(numbers); i++) {
        json_write_key(&w, numbers[i].key);
        json_write_u64(&w, numbers[i].number);
    }
    for (size_t i = 0; i < array_count(words) && info->made[0]; i++) {
        json_write_key(&w, words[i].key);
        json_write_text(&w, words[i].word);
    }
    return output_json(&w, &text) ? cli_failed("no memory") : CLI_OK;
}

static int print(const struct cli_call *call, const char *directory, const struct node_backup *info,
                 const char *what) {
    if (cli_flag(call, "json"))
        return print_json(directory, info);
    print_human(directory, info, what);
    return CLI_OK;
}

/* --- backup -------------------------------------------------------------------------------------
 */

/* The node has another working folder. */
static int write_body(const char *directory, struct buf *out) {
    char path[PATH_BYTES_MAX] = "", whole[2 * PATH_BYTES_MAX];
    if (directory[0] != '/' && io_working_folder(path, sizeof path))
        return cli_failed("the working folder is not known: name an absolute path");
    if (snprintf(whole, sizeof whole, "%s%s%s", path, path[0] ? "/" : "", directory) >=
        (int)sizeof whole)
        return cli_failed("the name of the backup is too long");
    struct json_writer w = json_writer_make(out, false);
    json_write_object(&w);
    json_write_key(&w, "directory");
    json_write_text(&w, whole);
    json_write_end(&w);
    return json_write_finish(&w) ? cli_failed("no memory") : CLI_OK;
}

static int judge_answer(const struct cli_call *call, slice answer) {
    struct json_doc doc;
    slice state = {0}, words = slice_lit("the node went away before the backup was whole");
    int code;
    json_init(&doc);
    (void)!json_parse(&doc, last_line(answer)); /* what is no JSON has no members */
    json_value root = json_root(&doc);
    (void)!json_string(json_member(root, slice_lit("state")), &state);
    if (slice_equal(state, slice_lit("done"))) {
        const struct node_backup info = {.position = member_number(root, "position"),
                                         .files = member_number(root, "files"),
                                         .bytes = member_number(root, "bytes")};
        code = print(call, call->words[0], &info, "");
    } else {
        (void)!json_string(json_member(root, slice_lit("detail")), &words);
        code = cli_failed("there is no backup: %.*s", slice_fmt(words));
    }
    json_free(&doc);
    return code;
}

static int make(const struct cli_call *call) {
    struct admin_call admin = {.host = NULL};
    struct progress progress = {.shown = false};
    _cleanup_buf_ struct buf body = buf_make(16u << 10), answer = buf_make(HTTP_CALL_BODY_MAX);
    int code = write_body(call->words[0], &body);
    if (code == CLI_OK)
        code = admin_call_open(call, BACKUP_TIMEOUT_NS, &admin);
    admin.on_bytes = on_told;
    admin.self = &progress;
    if (code == CLI_OK)
        code = admin_call_ask(&admin, "POST", "/v1/backup", buf_slice(&body), &answer);
    admin_call_close(&admin);
    end_progress(&progress);
    return code == CLI_OK ? judge_answer(call, buf_slice(&answer)) : code;
}

static int verify(const struct cli_call *call) {
    struct progress progress = {.shown = false};
    struct node_backup info = {.files = 0};
    struct error error = {0};
    int failed = node_backup_verify(call->words[0], show, &progress, &info, &error);
    end_progress(&progress);
    return failed ? cli_fail(&error)
                  : print(call, call->words[0], &info, ": every file is as it was written");
}

int cli_backup(const struct cli_call *call) {
    return cli_flag(call, "verify") ? verify(call) : make(call);
}

/* --- restore ------------------------------------------------------------------------------------
 */

int cli_restore(const struct cli_call *call) {
    const char *data = cli_value(call, "data");
    struct progress progress = {.shown = false};
    struct node_backup info = {.files = 0};
    struct error error = {0};
    if (!data)
        return cli_misused(call, "--data NEW is wanted: the folder that the node will run on");
    int failed = node_restore(call->words[0], data, show, &progress, &info, &error);
    end_progress(&progress);
    return failed ? cli_fail(&error) : print(call, data, &info, "");
}
