/*
 * stream.c - nonet stream ls, info, add, rm, purge: streams over the JetStream API.
 *
 * --json prints what the API answers: `ls` {"streams":[StreamInfo, ...]}, `info` and `add` a
 * StreamInfo ({"config":{...},"created":"...","state":{"messages":..,"bytes":..,"first_seq":..,
 * "last_seq":..,...}}), `rm` {"deleted":"NAME"}, `purge` {"purged":N}.
 */
#include "base/mem.h"
#include "base/number.h"
#include "cli/members.h"
#include "cli/output.h"
#include "cli/session.h"
#include "wire/nats_subject.h"

#include <inttypes.h>
#include <stdio.h>

#define CONFIG_MAX (256u << 10)
#define API_MAX 512u

struct stream_call {
    const struct cli_call *call;
    struct session *session;
    bool json;
    char api[API_MAX];  /* "STREAM.INFO.BIDS" */
    struct buf request; /* its JSON */
    void (*on_answer)(void *self, json_value answer);
    /* ls: pages */
    struct buf list;
    struct json_writer list_writer;
    struct output_table table;
    uint64_t listed;
};

/* --- shared ----------------------------------------------------------------------------------- */

/* A moment as the API writes it; it writes the year 1 where there is none. */
static slice time_of(json_value v, const char *path) {
    slice text = member_text(v, path);
    return slice_starts_with(text, slice_lit("0001-")) ? slice_lit("-") : text;
}

static void begin(struct session *session, void *self) {
    struct stream_call *s = self;
    s->session = session;
    session_api(session, s->api, buf_slice(&s->request), 0, s->on_answer, s);
}

/* A name as the API takes it in a subject: one token without wildcards. */
static bool name_is_fine(const struct cli_call *call, const char *name) {
    slice s = slice_str(name);
    if (nats_subject_literal(s) && nats_subject_tokens(s) == 1)
        return true;
    cli_misused(call, "'%s' is no name of a stream: one word without dots, blanks, * and >", name);
    return false;
}

static int run(struct stream_call *s, const struct cli_call *call, const char *verb,
               void (*on_answer)(void *self, json_value answer)) {
    if (!name_is_fine(call, call->words[0]))
        return CLI_USAGE;
    s->call = call;
    s->json = cli_flag(call, "json");
    s->on_answer = on_answer;
    if (snprintf(s->api, sizeof s->api, "STREAM.%s.%s", verb, call->words[0]) >= (int)sizeof s->api)
        return cli_misused(call, "the name of the stream is too long");
    int code = session_run(call, begin, s);
    buf_free(&s->request);
    return code;
}

/* --- ls --------------------------------------------------------------------------------------- */

static void ask_page(struct stream_call *s);

/* "bid.>, auction.*" */
static void subjects_cell(struct output_table *table, json_value subjects) {
    _cleanup_buf_ struct buf text = buf_make(CONFIG_MAX);
    struct json_iterator i = json_each(subjects);
    slice subject;
    while (json_next(&i))
        if (json_string(i.value, &subject) == 0 &&
            (buf_append(&text, text.len ? slice_lit(", ") : (slice){0}) ||
             buf_append(&text, subject)))
            break;
    output_cell(table, buf_slice(&text));
}

static void add_row(struct stream_call *s, json_value info) {
    char size[NUMBER_TEXT_MAX];
    size_t len = number_format_size(member_number(info, "state.bytes"), size);
    if (s->json) {
        json_write_raw(&s->list_writer, json_source(info));
        return;
    }
    output_cell(&s->table, member_text(info, "config.name"));
    subjects_cell(&s->table, json_path(info, "config.subjects"));
    output_cell_u64(&s->table, member_number(info, "state.messages"));
    output_cell(&s->table, slice_make(size, len));
    output_cell_u64(&s->table, member_number(info, "state.last_seq"));
    output_cell(&s->table, time_of(info, "state.last_ts"));
}

static void end_list(struct stream_call *s) {
    int failed = 0;
    if (s->json) {
        json_write_end(&s->list_writer);
        failed = output_json(&s->list_writer, &s->list);
    } else if (s->listed) {
        failed = output_table_print(&s->table);
    } else {
        puts("no streams; nonet stream add NAME --subjects 'name.>' makes one");
    }
    if (failed)
        session_fail(s->session, "no memory for the list");
    session_end(s->session, CLI_OK);
}

static void on_page(void *self, json_value answer) {
    struct stream_call *s = self;
    struct json_iterator i = json_each(json_member(answer, slice_lit("streams")));
    uint64_t before = s->listed;
    while (json_next(&i)) {
        add_row(s, i.value);
        s->listed++;
    }
    if (s->listed == before || s->listed >= member_number(answer, "total"))
        end_list(s);
    else
        ask_page(s);
}

static void ask_page(struct stream_call *s) {
    char request[64];
    int len = snprintf(request, sizeof request, "{\"offset\":%" PRIu64 "}", s->listed);
    session_api(s->session, "STREAM.LIST", slice_make(request, (size_t)len), 0, on_page, s);
}

static void begin_list(struct session *session, void *self) {
    struct stream_call *s = self;
    s->session = session;
    ask_page(s);
}

int cli_stream_ls(const struct cli_call *call) {
    struct stream_call s = {
        .call = call,
        .json = cli_flag(call, "json"),
        .list = buf_make(OUTPUT_JSON_MAX),
        .table = output_table_make(),
    };
    s.list_writer = json_writer_make(&s.list, false);
    json_write_object(&s.list_writer);
    json_write_key(&s.list_writer, "streams");
    json_write_array(&s.list_writer);
    output_column(&s.table, "NAME", false);
    output_column(&s.table, "SUBJECTS", false);
    output_column(&s.table, "MESSAGES", true);
    output_column(&s.table, "SIZE", true);
    output_column(&s.table, "LAST SEQ", true);
    output_column(&s.table, "LAST MESSAGE", false);
    int code = session_run(call, begin_list, &s);
    buf_free(&s.list);
    buf_free(&s.table.cells);
    return code;
}

/* --- info, add -------------------------------------------------------------------------------- */

/* A limit of the config, unless it is without. */
static void print_limit(json_value info, const char *path, const char *name) {
    int64_t number;
    char text[32];
    if (json_i64(json_path(info, path), &number) == 0 && number > 0)
        output_field(name, "%s", output_count((uint64_t)number, text));
}

static void print_duration(json_value info, const char *path, const char *name) {
    uint64_t ns = member_number(info, path);
    char text[NUMBER_TEXT_MAX * 2];
    if (!ns)
        return;
    number_format_duration(ns, text);
    output_field(name, "%s", text);
}

/* "order.* -> orders.$1" */
static void print_mapping(json_value info, const char *path, const char *name) {
    slice source = {0}, destination = {0};
    json_value mapping = json_path(info, path);
    if (json_string(json_member(mapping, slice_lit("dest")), &destination))
        return;
    if (json_string(json_member(mapping, slice_lit("src")), &source) || !source.len)
        source = slice_lit(">");
    output_field(name, "%.*s -> %.*s", slice_fmt(source), slice_fmt(destination));
}

static void print_info(json_value info) {
    struct output_table subjects = output_table_make();
    char count[32], size[NUMBER_TEXT_MAX];
    subjects_cell(&subjects, json_path(info, "config.subjects"));
    slice joined = slice_cut(buf_slice(&subjects.cells), '\0', &(slice){0});
    number_format_size(member_number(info, "state.bytes"), size);
    output_field("stream", "%.*s", slice_fmt(member_text(info, "config.name")));
    output_field("subjects", "%.*s", slice_fmt(joined));
    buf_free(&subjects.cells);
    if (member_text(info, "config.description").len)
        output_field("description", "%.*s", slice_fmt(member_text(info, "config.description")));
    output_field("storage", "%.*s", slice_fmt(member_text(info, "config.storage")));
    output_field("created", "%.*s", slice_fmt(member_text(info, "created")));
    output_field("messages", "%s", output_count(member_number(info, "state.messages"), count));
    output_field("size", "%s", size);
    output_field("first seq", "%" PRIu64 "  %.*s", member_number(info, "state.first_seq"),
                 slice_fmt(time_of(info, "state.first_ts")));
    output_field("last seq", "%" PRIu64 "  %.*s", member_number(info, "state.last_seq"),
                 slice_fmt(time_of(info, "state.last_ts")));
    if (member_number(info, "state.num_deleted"))
        output_field("deleted", "%s",
                     output_count(member_number(info, "state.num_deleted"), count));
    output_field("distinct subjects", "%s",
                 output_count(member_number(info, "state.num_subjects"), count));
    output_field("consumers", "%s",
                 output_count(member_number(info, "state.consumer_count"), count));
    print_duration(info, "config.max_age", "max age");
    print_limit(info, "config.max_bytes", "max bytes");
    print_limit(info, "config.max_msgs", "max messages");
    print_limit(info, "config.max_msgs_per_subject", "max per subject");
    print_limit(info, "config.max_msg_size", "max message size");
    print_duration(info, "config.duplicate_window", "duplicate window");
    if (json_string_is(json_path(info, "config.discard"), slice_lit("new")))
        output_field("when full", "new messages are refused");
    print_mapping(info, "config.subject_transform", "stored as");
    print_mapping(info, "config.republish", "republished as");
    print_duration(info, "config.consumer_limits.inactive_threshold", "idle consumers stay");
    print_limit(info, "config.consumer_limits.max_ack_pending", "most in flight");
    bool atomic = false;
    if (json_bool(json_path(info, "config.allow_atomic"), &atomic) == 0 && atomic)
        output_field("atomic batches", "are taken");
}

static void on_info(void *self, json_value answer) {
    struct stream_call *s = self;
    if (s->json)
        output_source(answer);
    else
        print_info(answer);
    session_end(s->session, CLI_OK);
}

int cli_stream_info(const struct cli_call *call) {
    struct stream_call s = {.json = false};
    return run(&s, call, "INFO", on_info);
}

static void on_added(void *self, json_value answer) {
    struct stream_call *s = self;
    if (s->json)
        output_source(answer);
    else
        printf("stream %s is there\n", s->call->words[0]);
    session_end(s->session, CLI_OK);
}

/* Each --subjects may hold several, separated by commas. */
static bool write_subjects(const struct cli_call *call, struct json_writer *w) {
    const char *values[CLI_REPEATS_MAX];
    unsigned count = cli_values(call, "subjects", values);
    json_write_key(w, "subjects");
    json_write_array(w);
    for (unsigned i = 0; i < count; i++) {
        slice rest = slice_str(values[i]);
        while (rest.ptr) {
            slice subject = slice_trim(slice_cut(rest, ',', &rest));
            if (!nats_subject_valid(subject)) {
                cli_misused(call, "--subjects %s: '%.*s' is no subject", values[i],
                            slice_fmt(subject));
                return false;
            }
            json_write_string(w, subject);
        }
    }
    if (!count) /* the name itself, as the API has it, too */
        json_write_text(w, call->words[0]);
    json_write_end(w);
    return true;
}

/* One of two words, written as such. */
static bool write_choice(const struct cli_call *call, struct json_writer *w, const char *option,
                         const char *first, const char *second) {
    const char *value = cli_value(call, option);
    json_write_key(w, option);
    json_write_text(w, value ? value : first);
    if (!value || strcmp(value, first) == 0 || strcmp(value, second) == 0)
        return true;
    cli_misused(call, "--%s %s: it is %s or %s", option, value, first, second);
    return false;
}

static bool write_config(const struct cli_call *call, struct json_writer *w) {
    json_write_object(w);
    json_write_key(w, "name");
    json_write_text(w, call->words[0]);
    if (cli_value(call, "description")) {
        json_write_key(w, "description");
        json_write_text(w, cli_value(call, "description"));
    }
    json_write_key(w, "retention");
    json_write_text(w, "limits");
    json_write_key(w, "num_replicas");
    json_write_u64(w, 1);
    json_write_key(w, "allow_direct");
    json_write_bool(w, true);
    if (cli_flag(call, "allow-atomic")) {
        json_write_key(w, "allow_atomic");
        json_write_bool(w, true);
    }
    return write_subjects(call, w) && write_choice(call, w, "storage", "file", "memory") &&
           write_choice(call, w, "discard", "old", "new") &&
           member_of_option(call, w, "max-age", "max_age", cli_duration) &&
           member_of_option(call, w, "max-bytes", "max_bytes", cli_size) &&
           member_of_option(call, w, "max-msgs", "max_msgs", cli_number) &&
           member_of_option(call, w, "max-msgs-per-subject", "max_msgs_per_subject", cli_number) &&
           member_of_option(call, w, "max-msg-size", "max_msg_size", cli_size) &&
           member_of_option(call, w, "duplicate-window", "duplicate_window", cli_duration);
}

int cli_stream_add(const struct cli_call *call) {
    struct stream_call s = {.request = buf_make(CONFIG_MAX)};
    struct json_writer w = json_writer_make(&s.request, false);
    int code = CLI_USAGE;
    if (write_config(call, &w)) {
        json_write_end(&w);
        code = json_write_finish(&w) ? cli_failed("no memory for the config")
                                     : run(&s, call, "CREATE", on_added);
    }
    buf_free(&s.request);
    return code;
}

/* --- rm, purge -------------------------------------------------------------------------------- */

static void on_removed(void *self, json_value answer) {
    struct stream_call *s = self;
    (void)answer;
    if (s->json)
        printf("{\"deleted\":\"%s\"}\n", s->call->words[0]);
    else
        printf("stream %s is gone, with all its messages\n", s->call->words[0]);
    session_end(s->session, CLI_OK);
}

int cli_stream_rm(const struct cli_call *call) {
    struct stream_call s = {.json = false};
    return run(&s, call, "DELETE", on_removed);
}

static void on_purged(void *self, json_value answer) {
    struct stream_call *s = self;
    char count[32];
    uint64_t purged = member_number(answer, "purged");
    if (s->json)
        printf("{\"purged\":%" PRIu64 "}\n", purged);
    else
        printf("%s messages of %s are gone\n", output_count(purged, count), s->call->words[0]);
    session_end(s->session, CLI_OK);
}

int cli_stream_purge(const struct cli_call *call) {
    struct stream_call s = {.request = buf_make(CONFIG_MAX)};
    const char *subject = cli_value(call, "subject");
    uint64_t keep, before;
    if (subject && !cli_subject(call, subject, true))
        return CLI_USAGE;
    if (!cli_number(call, "keep", 0, &keep) || !cli_number(call, "before", 0, &before))
        return CLI_USAGE;
    if (keep && before)
        return cli_misused(call, "--keep and --before exclude each other");
    struct json_writer w = json_writer_make(&s.request, false);
    json_write_object(&w);
    if (subject) {
        json_write_key(&w, "filter");
        json_write_text(&w, subject);
    }
    if (keep || before) {
        json_write_key(&w, keep ? "keep" : "seq");
        json_write_u64(&w, keep ? keep : before);
    }
    json_write_end(&w);
    int code = json_write_finish(&w) ? cli_failed("no memory") : run(&s, call, "PURGE", on_purged);
    buf_free(&s.request);
    return code;
}
