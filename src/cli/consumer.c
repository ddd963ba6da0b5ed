/*
 * consumer.c - nonet consumer parked, replay, drop: what a consumer gave up (bus/consumer_park.c).
 *
 * --json prints what the API answers: `parked` {"parked":[{"seq":..,"reason":"..","deliveries":..,
 * "time":".."}, ...]}, all pages in one; `replay` {"replayed":N}; `drop` {"dropped":N}.
 */
#include "cli/members.h"
#include "cli/output.h"
#include "cli/session.h"
#include "wire/nats_subject.h"

#include <inttypes.h>
#include <stdio.h>

#define API_MAX 1024u
#define REQUEST_MAX 128u
#define LIST_MAX (64u << 20)

struct parked_call {
    const struct cli_call *call;
    struct session *session;
    bool json, drops;
    char api[API_MAX];
    char request[REQUEST_MAX];
    void (*on_answer)(void *self, json_value answer);
    struct buf list;
    struct json_writer list_writer;
    struct output_table table;
    uint64_t listed, next;
};

static void begin(struct session *session, void *self) {
    struct parked_call *p = self;
    p->session = session;
    session_api(session, p->api, slice_str(p->request), 0, p->on_answer, p);
}

bool cli_consumer_names(const struct cli_call *call) {
    for (unsigned i = 0; i < 2; i++) {
        slice name = slice_str(call->words[i]);
        if (nats_subject_literal(name) && nats_subject_tokens(name) == 1)
            continue;
        cli_misused(call, "'%s' is no name: one word without dots, blanks, * and >",
                    call->words[i]);
        return false;
    }
    return true;
}

static int run(struct parked_call *p, const struct cli_call *call, const char *verb) {
    if (!cli_consumer_names(call))
        return CLI_USAGE;
    p->call = call;
    p->json = cli_flag(call, "json");
    if (snprintf(p->api, sizeof p->api, "NONET.PARKED.%s.%s.%s", verb, call->words[0],
                 call->words[1]) >= (int)sizeof p->api)
        return cli_misused(call, "the names are too long");
    return session_run(call, begin, p);
}

/* --- parked ------------------------------------------------------------------------------- */

static void end_list(struct parked_call *p) {
    int failed = 0;
    if (p->json) {
        json_write_end(&p->list_writer);
        failed = output_json(&p->list_writer, &p->list);
    } else if (p->listed) {
        failed = output_table_print(&p->table);
    } else {
        puts("nothing is parked");
    }
    if (failed)
        session_fail(p->session, "no memory for the list");
    session_end(p->session, CLI_OK);
}

static void add_row(struct parked_call *p, json_value v) {
    p->next = member_number(v, "seq") + 1;
    p->listed++;
    if (p->json) {
        json_write_raw(&p->list_writer, json_source(v));
        return;
    }
    output_cell_u64(&p->table, member_number(v, "seq"));
    output_cell_u64(&p->table, member_number(v, "deliveries"));
    output_cell(&p->table, member_text(v, "time"));
    output_cell(&p->table, member_text(v, "reason"));
}

static void on_page(void *self, json_value answer) {
    struct parked_call *p = self;
    struct json_iterator i = json_each(json_member(answer, slice_lit("parked")));
    uint64_t before = p->listed;
    while (json_next(&i))
        add_row(p, i.value);
    if (p->listed == before || p->listed >= member_number(answer, "total")) {
        end_list(p);
        return;
    }
    snprintf(p->request, sizeof p->request, "{\"from\":%" PRIu64 "}", p->next);
    session_api(p->session, p->api, slice_str(p->request), 0, on_page, p);
}

int cli_consumer_parked(const struct cli_call *call) {
    struct parked_call p = {
        .on_answer = on_page, .list = buf_make(LIST_MAX), .table = output_table_make()};
    output_column(&p.table, "SEQ", true);
    output_column(&p.table, "DELIVERIES", true);
    output_column(&p.table, "PARKED", false);
    output_column(&p.table, "REASON", false);
    p.list_writer = json_writer_make(&p.list, false);
    json_write_object(&p.list_writer);
    json_write_key(&p.list_writer, "parked");
    json_write_array(&p.list_writer);
    int code = run(&p, call, "LIST");
    buf_free(&p.list);
    buf_free(&p.table.cells); /* where the list did not come to its end */
    return code;
}

/* --- replay, drop ------------------------------------------------------------------------- */

static void on_changed(void *self, json_value answer) {
    struct parked_call *p = self;
    char count[32];
    const char *key = p->drops ? "dropped" : "replayed";
    uint64_t changed = member_number(answer, key);
    if (p->json)
        printf("{\"%s\":%" PRIu64 "}\n", key, changed);
    else
        printf("%s parked messages %s\n", output_count(changed, count),
               p->drops ? "are done with" : "are delivered once more");
    session_end(p->session, CLI_OK);
}

static int change(const struct cli_call *call, bool drops) {
    struct parked_call p = {.on_answer = on_changed, .drops = drops};
    uint64_t sequence = 0;
    bool all = cli_flag(call, "all");
    if (!cli_number(call, "seq", 0, &sequence))
        return CLI_USAGE;
    if (all == (sequence > 0))
        return cli_misused(call, "give --seq SEQ, or --all");
    if (all)
        snprintf(p.request, sizeof p.request, "{\"all\":true}");
    else
        snprintf(p.request, sizeof p.request, "{\"seq\":%" PRIu64 "}", sequence);
    return run(&p, call, drops ? "DROP" : "REPLAY");
}

int cli_consumer_replay(const struct cli_call *call) {
    return change(call, false);
}

int cli_consumer_drop(const struct cli_call *call) {
    return change(call, true);
}
