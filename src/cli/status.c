/*
 * status.c - nonet status: what a node is and does.
 *
 * A node answers on `nonet.status` (rooms/request) with one JSON object; --json prints it as it
 * is, people get a line for each member ("listeners.nats  127.0.0.1:4222") and for each service of
 * the gateway ("gateway.upstreams  route=shop url=http://10.0.0.1:80 ..."). A server that is no
 * Nonet has nobody on that subject: then what its INFO says is printed, in the same two forms:
 * {"name":..,"version":..,"address":..,"jetstream":true,"max_payload":1048576,"tls":""}.
 */
#include "cli/output.h"
#include "cli/session.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#define STATUS_SUBJECT "nonet.status"
#define PATH_MAX_BYTES 128u
#define DEPTH_MAX 4u
#define ITEM_BYTES_MAX 2048u

struct status {
    const struct cli_call *call;
    struct session *session;
    struct json_doc doc;
};

/* "route=shop url=http://10.0.0.1:80 state=\"in service\"": an object in one line; what it holds of
   objects and lists is shown as JSON. */
static void print_item(json_value v, const char *name) {
    _cleanup_buf_ struct buf line = buf_make(ITEM_BYTES_MAX);
    struct json_iterator i = json_each(v);
    slice key, text;
    int failed = 0;
    while (!failed && json_next(&i)) {
        if (json_string(i.key, &key))
            continue;
        bool is_text = json_string(i.value, &text) == 0;
        bool bare = is_text && slice_find(text, ' ') < 0;
        failed = buf_printf(&line, "%s%.*s=%.*s", line.len ? " " : "", slice_fmt(key),
                            slice_fmt(bare ? text : json_source(i.value)));
    }
    output_field(name, "%.*s%s", slice_fmt(buf_slice(&line)), failed ? " ..." : "");
}

static bool holds_objects(json_value v) {
    struct json_iterator i = json_each(v);
    return json_type_of(v) == JSON_ARRAY && json_next(&i) && json_type_of(i.value) == JSON_OBJECT;
}

static void print_items(json_value v, const char *name) {
    struct json_iterator i = json_each(v);
    while (json_next(&i))
        print_item(i.value, name);
}

/* Members below V, each under its path, a list of objects by a line for each; what is deeper than
   DEPTH_MAX is shown as JSON. */
static void print_members(json_value v, const char *path, unsigned depth) {
    struct json_iterator i = json_each(v);
    char name[PATH_MAX_BYTES];
    slice key, text;
    while (json_next(&i)) {
        if (json_string(i.key, &key))
            continue;
        snprintf(name, sizeof name, "%s%s%.*s", path, *path ? "." : "", slice_fmt(key));
        if (json_type_of(i.value) == JSON_OBJECT && depth < DEPTH_MAX)
            print_members(i.value, name, depth + 1);
        else if (holds_objects(i.value))
            print_items(i.value, name);
        else if (json_string(i.value, &text) == 0)
            output_field(name, "%.*s", slice_fmt(text));
        else
            output_field(name, "%.*s", slice_fmt(json_source(i.value)));
    }
}

static int print_info_json(const struct status *s) {
    const struct nats_client_info *info = session_info(s->session);
    _cleanup_buf_ struct buf text = buf_make(64u << 10);
    struct json_writer w = json_writer_make(&text, false);
    json_write_object(&w);
    json_write_key(&w, "name");
    json_write_text(&w, info->name);
    json_write_key(&w, "version");
    json_write_text(&w, info->version);
    json_write_key(&w, "address");
    json_write_text(&w, session_address(s->session));
    json_write_key(&w, "jetstream");
    json_write_bool(&w, info->jetstream);
    json_write_key(&w, "max_payload");
    json_write_u64(&w, info->payload_max);
    json_write_key(&w, "tls");
    json_write_text(&w, info->tls_version);
    return output_json(&w, &text);
}

static void print_info(const struct status *s) {
    const struct nats_client_info *info = session_info(s->session);
    output_field("name", "%s", info->name);
    output_field("version", "%s (a NATS server, not Nonet)", info->version);
    output_field("address", "%s", session_address(s->session));
    output_field("jetstream", "%s", info->jetstream ? "yes" : "no");
    output_field("max_payload", "%" PRIu64, info->payload_max);
    if (*info->tls_version)
        output_field("tls", "%s", info->tls_version);
}

static void on_reply(void *self, const struct nats_client_message *reply, int failed) {
    struct status *s = self;
    bool json = cli_flag(s->call, "json");
    if (failed == -EHOSTUNREACH) {
        if (!json)
            print_info(s);
        else if (print_info_json(s))
            session_fail(s->session, "no memory");
    } else if (failed) {
        session_fail(s->session, "no answer on " STATUS_SUBJECT " within the --timeout");
    } else if (json) {
        fwrite(reply->payload.ptr, 1, reply->payload.len, stdout);
        putchar('\n');
    } else if (json_parse(&s->doc, reply->payload)) {
        session_fail(s->session, "the answer on " STATUS_SUBJECT " is not JSON");
    } else {
        print_members(json_root(&s->doc), "", 1);
    }
    session_end(s->session, CLI_OK);
}

static void begin(struct session *session, void *self) {
    struct status *s = self;
    s->session = session;
    session_request(session, slice_lit(STATUS_SUBJECT), (slice){0}, (slice){0}, on_reply, s);
}

int cli_status(const struct cli_call *call) {
    struct status s = {.call = call};
    json_init(&s.doc);
    int code = session_run(call, begin, &s);
    json_free(&s.doc);
    return code;
}
