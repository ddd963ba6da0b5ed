/*
 * log.c - nonet log verify [DIR]: reads all of a stopped node's log and checks every byte of it.
 *
 * DIR is a data folder (default .nonet). Each finding goes to stderr with its file and place; exit
 * 1 where there is one. --json: {"streams":..,"messages":..,"bytes":..,"journal_groups":..,
 * "segments":..,"damaged":..,"findings":["...", ...]}.
 */
#include "cli/cli.h"
#include "cli/output.h"
#include "node/node.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#define DATA_DEFAULT ".nonet"
#define FINDINGS_JSON_MAX (16u << 20) /* bytes of findings printed; all are counted */

struct verify {
    bool json;
    struct buf text;
    struct json_writer findings;
};

static void on_damage(void *self, const struct error *error) {
    struct verify *v = self;
    char text[1024];
    error_text(error, text, sizeof text);
    if (v->json)
        json_write_text(&v->findings, text);
    fprintf(stderr, "nonet: %s\n", text);
}

static int print_json(struct verify *v, const struct node_log_report *r) {
    _cleanup_buf_ struct buf text = buf_make(OUTPUT_JSON_MAX);
    struct json_writer w = json_writer_make(&text, false);
    const struct {
        const char *key;
        uint64_t number;
    } members[] = {
        {"streams", r->streams},   {"messages", r->messages},
        {"bytes", r->bytes},       {"journal_groups", r->journal_groups},
        {"segments", r->segments}, {"damaged", r->damaged},
    };
    json_write_end(&v->findings);
    json_write_object(&w);
    for (size_t i = 0; i < array_count(members); i++) {
        json_write_key(&w, members[i].key);
        json_write_u64(&w, members[i].number);
    }
    json_write_key(&w, "findings");
    json_write_raw(&w, json_write_finish(&v->findings) ? slice_lit("null") : buf_slice(&v->text));
    return output_json(&w, &text);
}

static void print_human(const char *directory, const struct node_log_report *r) {
    char streams[32], messages[32], groups[32], segments[32], damaged[32];
    printf("%s: %s messages of %s streams, %s segments and %s groups of the journal read: ",
           directory, output_count(r->messages, messages), output_count(r->streams, streams),
           output_count(r->segments, segments), output_count(r->journal_groups, groups));
    if (r->damaged)
        printf("%s damaged\n", output_count(r->damaged, damaged));
    else
        puts("every byte is as it was written");
}

int cli_log_verify(const struct cli_call *call) {
    const char *directory = call->word_count ? call->words[0] : DATA_DEFAULT;
    struct verify v = {.json = cli_flag(call, "json"), .text = buf_make(FINDINGS_JSON_MAX)};
    struct node_log_report report = {0};
    struct error error = {0};
    v.findings = json_writer_make(&v.text, false);
    json_write_array(&v.findings);
    int failed = node_log_verify(directory, on_damage, &v, &report, &error);
    int code = failed ? CLI_FAILED : CLI_OK;
    if (failed && failed != -EBADMSG)
        cli_fail(&error);
    else if (!v.json)
        print_human(directory, &report);
    else if (print_json(&v, &report))
        code = cli_failed("no memory for the report");
    buf_free(&v.text);
    return code;
}
