/*
 * consumer_add.c - nonet consumer add, info, rm: durable pull consumers over the JetStream API.
 *
 * --json prints what the API answers: `add` and `info` a ConsumerInfo ({"stream_name":..,"name":..,
 * "config":{...},"num_pending":..,"num_ack_pending":..,...}), `rm` {"deleted":"NAME"}.
 */
#include "base/number.h"
#include "cli/members.h"
#include "cli/output.h"
#include "cli/session.h"
#include "wire/nats_subject.h"

#include <inttypes.h>
#include <stdio.h>

#define CONFIG_MAX (256u << 10)
#define API_MAX 1024u

struct consumer_call {
    const struct cli_call *call;
    struct session *session;
    bool json;
    char api[API_MAX];
    struct buf request;
    void (*on_answer)(void *self, json_value answer);
};

static void begin(struct session *session, void *self) {
    struct consumer_call *c = self;
    c->session = session;
    session_api(session, c->api, buf_slice(&c->request), 0, c->on_answer, c);
}

/* VERB of the API for the stream and the consumer that the call names. */
static int run(struct consumer_call *c, const struct cli_call *call, const char *verb,
               void (*on_answer)(void *self, json_value answer)) {
    if (!cli_consumer_names(call))
        return CLI_USAGE;
    c->call = call;
    c->json = cli_flag(call, "json");
    c->on_answer = on_answer;
    if (snprintf(c->api, sizeof c->api, "CONSUMER.%s.%s.%s", verb, call->words[0],
                 call->words[1]) >= (int)sizeof c->api)
        return cli_misused(call, "the names are too long");
    return session_run(call, begin, c);
}

/* --- add -------------------------------------------------------------------------------------- */

static bool write_subject(const struct cli_call *call, struct json_writer *w, const char *given,
                          slice subject) {
    json_write_string(w, subject);
    if (nats_subject_valid(subject))
        return true;
    cli_misused(call, "--subject %s: '%.*s' is no subject", given, slice_fmt(subject));
    return false;
}

/* Each --subject may hold several, separated by commas; none: all of the stream. */
static bool write_filters(const struct cli_call *call, struct json_writer *w) {
    const char *values[CLI_REPEATS_MAX];
    unsigned count = cli_values(call, "subject", values);
    if (!count)
        return true;
    if (count == 1 && slice_find(slice_str(values[0]), ',') < 0) {
        json_write_key(w, "filter_subject");
        return write_subject(call, w, values[0], slice_str(values[0]));
    }
    json_write_key(w, "filter_subjects");
    json_write_array(w);
    for (unsigned i = 0; i < count; i++) {
        slice rest = slice_str(values[i]);
        while (rest.ptr)
            if (!write_subject(call, w, values[i], slice_trim(slice_cut(rest, ',', &rest))))
                return false;
    }
    json_write_end(w);
    return true;
}

static bool write_backoff(const struct cli_call *call, struct json_writer *w) {
    slice rest = slice_str(cli_value(call, "backoff"));
    if (!rest.ptr)
        return true;
    json_write_key(w, "backoff");
    json_write_array(w);
    while (rest.ptr) {
        uint64_t ns;
        slice text = slice_trim(slice_cut(rest, ',', &rest));
        if (number_parse_duration(text, &ns) || !ns) {
            cli_misused(call, "--backoff: '%.*s' is no duration, as 500ms, 30s or 5m are",
                        slice_fmt(text));
            return false;
        }
        json_write_u64(w, ns);
    }
    json_write_end(w);
    return true;
}

static bool write_deliver(const struct cli_call *call, struct json_writer *w) {
    static const char *const words[] = {"all", "new", "last"};
    const char *value = cli_value(call, "deliver");
    json_write_key(w, "deliver_policy");
    json_write_text(w, value ? value : words[0]);
    for (size_t i = 0; value && i < array_count(words); i++)
        if (strcmp(value, words[i]) == 0)
            return true;
    if (value)
        cli_misused(call, "--deliver %s: it is all, new or last", value);
    return !value;
}

static void write_metadata(const struct cli_call *call, struct json_writer *w) {
    json_write_key(w, "metadata");
    json_write_object(w);
    if (cli_flag(call, "ordered")) {
        json_write_key(w, "nonet.ordered");
        json_write_text(w, "subject");
    }
    if (cli_flag(call, "park")) {
        json_write_key(w, "nonet.park");
        json_write_text(w, "true");
    }
    json_write_end(w);
}

static bool write_config(const struct cli_call *call, struct json_writer *w) {
    json_write_object(w);
    json_write_key(w, "stream_name");
    json_write_text(w, call->words[0]);
    json_write_key(w, "action"); /* one that is there with other settings stays as it is */
    json_write_text(w, "create");
    json_write_key(w, "config");
    json_write_object(w);
    json_write_key(w, "durable_name");
    json_write_text(w, call->words[1]);
    json_write_key(w, "ack_policy");
    json_write_text(w, "explicit");
    if (cli_value(call, "description")) {
        json_write_key(w, "description");
        json_write_text(w, cli_value(call, "description"));
    }
    if (cli_flag(call, "ordered") || cli_flag(call, "park"))
        write_metadata(call, w);
    bool fine = write_deliver(call, w) && write_filters(call, w) && write_backoff(call, w) &&
                member_of_option(call, w, "ack-wait", "ack_wait", cli_duration) &&
                member_of_option(call, w, "max-deliver", "max_deliver", cli_number) &&
                member_of_option(call, w, "max-ack-pending", "max_ack_pending", cli_number);
    if (!fine)
        return false;
    json_write_end(w);
    json_write_end(w);
    return true;
}

static void on_added(void *self, json_value answer) {
    struct consumer_call *c = self;
    if (c->json)
        output_source(answer);
    else
        printf("consumer %s of %s is there\n", c->call->words[1], c->call->words[0]);
    session_end(c->session, CLI_OK);
}

int cli_consumer_add(const struct cli_call *call) {
    struct consumer_call c = {.request = buf_make(CONFIG_MAX)};
    struct json_writer w = json_writer_make(&c.request, false);
    int code = CLI_USAGE;
    if (write_config(call, &w))
        code = json_write_finish(&w) ? cli_failed("no memory for the config")
                                     : run(&c, call, "CREATE", on_added);
    buf_free(&c.request);
    return code;
}

/* --- info ------------------------------------------------------------------------------------- */

static void print_count(json_value info, const char *path, const char *name) {
    uint64_t number;
    char text[32];
    if (json_u64(json_path(info, path), &number) == 0)
        output_field(name, "%s", output_count(number, text));
}

/* "es.order.>, es.account.>"; nothing where it takes all. */
static void print_subjects(json_value info) {
    slice one = member_text(info, "config.filter_subject"), subject;
    if (one.len)
        output_field("subjects", "%.*s", slice_fmt(one));
    struct json_iterator i = json_each(json_path(info, "config.filter_subjects"));
    while (json_next(&i))
        if (json_string(i.value, &subject) == 0)
            output_field("subjects", "%.*s", slice_fmt(subject));
}

static void on_info(void *self, json_value info) {
    struct consumer_call *c = self;
    if (c->json) {
        output_source(info);
        session_end(c->session, CLI_OK);
        return;
    }
    json_value metadata = json_path(info, "config.metadata");
    output_field("consumer", "%.*s", slice_fmt(member_text(info, "name")));
    output_field("stream", "%.*s", slice_fmt(member_text(info, "stream_name")));
    print_subjects(info);
    output_field("created", "%.*s", slice_fmt(member_text(info, "created")));
    if (json_string_is(json_member(metadata, slice_lit("nonet.ordered")), slice_lit("subject")))
        output_field("ordered", "one message of a subject at a time");
    print_count(info, "num_pending", "to come");
    print_count(info, "num_ack_pending", "in flight");
    print_count(info, "num_redelivered", "delivered again");
    print_count(info, "num_parked", "parked");
    print_count(info, "ack_floor.stream_seq", "all done up to");
    print_count(info, "num_waiting", "requests waiting");
    session_end(c->session, CLI_OK);
}

int cli_consumer_info(const struct cli_call *call) {
    struct consumer_call c = {.json = false};
    return run(&c, call, "INFO", on_info);
}

/* --- rm --------------------------------------------------------------------------------------- */

static void on_removed(void *self, json_value answer) {
    struct consumer_call *c = self;
    (void)answer;
    if (c->json)
        printf("{\"deleted\":\"%s\"}\n", c->call->words[1]);
    else
        printf("consumer %s of %s is gone\n", c->call->words[1], c->call->words[0]);
    session_end(c->session, CLI_OK);
}

int cli_consumer_rm(const struct cli_call *call) {
    struct consumer_call c = {.json = false};
    return run(&c, call, "DELETE", on_removed);
}
