/*
 * events_verify.c - nonet events verify: do the chains of all event streams hold?
 *
 * A folder that no node runs on (a stopped node's, a backup) is read here; of a running one the
 * node is asked. Both give the same document,
 *
 *     {"report":{"events":2,"streams":1,"findings":0},"findings":["order-42@1 (position 2): ..."]}
 *
 * which is printed as it is with --json. Findings past FINDINGS_BYTES_MAX are counted, not told,
 * and "findings" is null then. Exit 1 where there are findings.
 */
#include "cli/admin_call.h"
#include "cli/http_call.h"
#include "cli/output.h"
#include "node/node.h"

#include <errno.h>
#include <stdio.h>

#define DATA_DEFAULT ".nonet"
#define VERIFY_TIMEOUT_NS (3600 * 1000000000ull)
#define FINDINGS_BYTES_MAX (8u << 20)

/* --- reading the folder ----------------------------------------------------------------------- */

struct findings {
    struct buf text;
    struct json_writer w;
};

static void on_finding(void *self, const struct error *finding) {
    struct findings *f = self;
    char text[1024];
    json_write_text(&f->w, error_text(finding, text, sizeof text));
}

static int write_report(const struct node_events_report *report, struct findings *f,
                        struct buf *out) {
    struct json_writer w = json_writer_make(out, false);
    const struct {
        const char *key;
        uint64_t number;
    } members[] = {
        {"events", report->events}, {"streams", report->streams}, {"findings", report->findings}};
    json_write_end(&f->w);
    json_write_object(&w);
    json_write_key(&w, "report");
    json_write_object(&w);
    for (size_t i = 0; i < array_count(members); i++) {
        json_write_key(&w, members[i].key);
        json_write_u64(&w, members[i].number);
    }
    json_write_end(&w);
    json_write_key(&w, "findings");
    if (json_write_finish(&f->w))
        json_write_null(&w);
    else
        json_write_raw(&w, buf_slice(&f->text));
    json_write_end(&w);
    return json_write_finish(&w) ? cli_failed("no memory for the report") : CLI_OK;
}

/* CLI_OK with the document, or an exit code; *RET_RUNS: a node runs on the folder, ask it. */
static int read_folder(const char *data, bool *ret_runs, struct buf *out) {
    struct findings f = {.text = buf_make(FINDINGS_BYTES_MAX)};
    struct node_events_report report;
    struct error error = {0};
    f.w = json_writer_make(&f.text, false);
    json_write_array(&f.w);
    int failed = node_events_verify(data, on_finding, &f, &report, &error);
    int code = CLI_OK;
    *ret_runs = failed == -EWOULDBLOCK;
    if (!failed || (failed == -EBADMSG && report.findings))
        code = write_report(&report, &f, out);
    else if (!*ret_runs)
        code = cli_fail(&error);
    buf_free(&f.text);
    return code;
}

/* --- the verb --------------------------------------------------------------------------------- */

static int ask_node(const struct cli_call *call, struct buf *out) {
    struct admin_call admin;
    int code = admin_call_open(call, VERIFY_TIMEOUT_NS, &admin);
    if (code == CLI_OK)
        code = admin_call_ask(&admin, "GET", "/v1/events/verify", (slice){0}, out);
    admin_call_close(&admin);
    return code;
}

static int print_report(json_value root) {
    json_value report = json_member(root, slice_lit("report"));
    struct json_iterator i = json_each(json_member(root, slice_lit("findings")));
    uint64_t events = 0, streams = 0, findings = 0;
    char text[2][32];
    slice words;
    (void)!json_u64(json_member(report, slice_lit("events")), &events);
    (void)!json_u64(json_member(report, slice_lit("streams")), &streams);
    (void)!json_u64(json_member(report, slice_lit("findings")), &findings);
    while (json_next(&i))
        if (json_string(i.value, &words) == 0)
            fprintf(stderr, "nonet: %.*s\n", slice_fmt(words));
    printf("%s events of %s event streams: ", output_count(events, text[0]),
           output_count(streams, text[1]));
    if (findings)
        printf("%s findings\n", output_count(findings, text[0]));
    else
        puts("every chain holds");
    return findings ? CLI_FAILED : CLI_OK;
}

static int print(slice answer, bool json) {
    struct json_doc doc;
    uint64_t findings = 0;
    int code;
    json_init(&doc);
    if (json_parse(&doc, answer) ||
        json_u64(json_path(json_root(&doc), "report.findings"), &findings)) {
        code = cli_failed("the node's answer is no report");
    } else if (json) {
        printf("%.*s\n", slice_fmt(answer));
        code = findings ? CLI_FAILED : CLI_OK;
    } else {
        code = print_report(json_root(&doc));
    }
    json_free(&doc);
    return code;
}

int cli_events_verify(const struct cli_call *call) {
    const char *data = cli_value(call, "data");
    bool runs = false;
    _cleanup_buf_ struct buf answer = buf_make(HTTP_CALL_BODY_MAX);
    int code = read_folder(data ? data : DATA_DEFAULT, &runs, &answer);
    if (code == CLI_OK && runs)
        code = ask_node(call, &answer);
    return code == CLI_OK ? print(buf_slice(&answer), cli_flag(call, "json")) : code;
}
