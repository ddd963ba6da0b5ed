/*
 * system.c - what clients ask the server itself by `$SYS.REQ.…`.
 *
 *     $SYS.REQ.USER.INFO              who am I, and what may I do
 *     $SYS.REQ.SERVER.PING            who is there; with figures (STATSZ)
 *     $SYS.REQ.SERVER.PING.X          the page X: VARZ, CONNZ, SUBSZ, JSZ, STATSZ, HEALTHZ
 *     $SYS.REQ.SERVER.<server id>.X   the same, of one server
 *
 * The client's own shard answers: at once, or when the page has been gathered (monitor.h). Options
 * of a page come as a JSON object. Whoever may publish to these subjects gets the answers; a node
 * whose users must not see each other denies them `$SYS.>` (nats-server keeps an account for it).
 */
#include "base/clocktext.h"
#include "base/mem.h"
#include "rooms/pubsub/client.h"
#include "rooms/pubsub/monitor.h"
#include "wire/json.h"

#include <errno.h>

#define PREFIX "$SYS.REQ."
#define OPTIONS_BYTES_MAX 4096u
#define FLAG_JETSTREAM 1u /* of ServerInfo's flags */

static void write_server(struct pubsub_shard *room, struct json_writer *w) {
    const struct room_node *node = room->pubsub->node;
    char now[CLOCKTEXT_SIZE];
    size_t len = clocktext_format(io_loop_wall_ns(room->shard->loop), now);
    json_write_key(w, "server");
    json_write_object(w);
    json_put_string(w, "name", slice_str(node->name));
    json_put_string(w, "host", slice_str(room->pubsub->host));
    json_put_string(w, "id", slice_str(node->server_id));
    json_put_string(w, "ver", slice_lit(PUBSUB_NATS_VERSION));
    json_write_key(w, "jetstream");
    json_write_bool(w, node->jetstream);
    json_write_key(w, "flags");
    json_write_u64(w, node->jetstream ? FLAG_JETSTREAM : 0);
    json_write_key(w, "seq");
    json_write_u64(w, ++monitor_memory(room)->answers);
    json_put_string(w, "time", slice_make(now, len));
    json_write_end(w);
}

static void publish(struct pubsub_shard *room, slice reply, struct json_writer *w,
                    const struct buf *answer) {
    if (json_write_finish(w)) {
        logger_write(room->pubsub->node->logger, LOG_LEVEL_WARN, "nats",
                     "a system request could not be answered", "reason=%s",
                     "too large or no memory");
        return;
    }
    struct bus_message message = {.subject = reply, .payload = buf_slice(answer)};
    bus_publish(room->shard->bus, &message, NULL, NULL);
}

/* --- USER.INFO ---------------------------------------------------------------------------- */

static void write_list(struct json_writer *w, const char *key, struct auth_subjects list) {
    json_write_key(w, key);
    json_write_array(w);
    for (unsigned i = 0; i < list.count; i++)
        json_write_string(w, list.subjects[i]);
    json_write_end(w);
}

/* Lists that are not there allow everything, and are not written. */
static void write_rights(struct json_writer *w, const char *key, bool limited,
                         struct auth_subjects allow, struct auth_subjects deny) {
    if (!limited && deny.count == 0)
        return;
    json_write_key(w, key);
    json_write_object(w);
    if (limited)
        write_list(w, "allow", allow);
    if (deny.count)
        write_list(w, "deny", deny);
    json_write_end(w);
}

static void answer_user_info(struct client *c, slice reply) {
    struct auth_user user = c->principal ? principal_describe(c->principal) : (struct auth_user){0};
    _cleanup_buf_ struct buf answer = buf_make(MONITOR_PAGE_BYTES_MAX);
    struct json_writer w = json_writer_make(&answer, false);
    json_write_object(&w);
    write_server(c->room, &w);
    json_write_key(&w, "data");
    json_write_object(&w);
    json_put_string(&w, "user", c->principal ? principal_name(c->principal) : (slice){0});
    json_put_string(&w, "account", slice_lit("$G"));
    json_write_key(&w, "permissions");
    json_write_object(&w);
    write_rights(&w, "publish", user.limits_publish, user.publish_allow, user.publish_deny);
    write_rights(&w, "subscribe", user.limits_subscribe, user.subscribe_allow, user.subscribe_deny);
    json_write_end(&w);
    json_write_key(&w, "expires");
    json_write_u64(&w, 0);
    json_write_end(&w);
    json_write_end(&w);
    publish(c->room, reply, &w, &answer);
}

/* --- SERVER ------------------------------------------------------------------------------- */

enum system_form { FORM_PAGE, FORM_STATSZ };

struct system_call {
    struct pubsub_shard *room;
    enum system_form form;
    size_t reply_len;
    char reply[];
};

static void on_gathered(void *self, const struct monitor_page *page) {
    struct system_call *call = self;
    _cleanup_buf_ struct buf answer = buf_make(MONITOR_PAGE_BYTES_MAX);
    struct json_writer w = json_writer_make(&answer, false);
    json_write_object(&w);
    write_server(call->room, &w);
    int failed = 0;
    json_write_key(&w, call->form == FORM_STATSZ ? "statsz" : "data");
    if (page && call->form == FORM_STATSZ)
        monitor_write_statsz(call->room, page, &w);
    else
        failed = page ? monitor_write(call->room, page, &w) : -ETIMEDOUT;
    if (!failed) {
        json_write_end(&w);
        publish(call->room, slice_make(call->reply, call->reply_len), &w, &answer);
    } /* else the asker runs into its own deadline: half an answer would be a wrong one */
    mem_free(call);
}

static void start(struct client *c, const struct monitor_query *query, enum system_form form,
                  slice reply) {
    struct system_call *call = mem_alloc(sizeof *call + reply.len);
    if (!call)
        return;
    call->room = c->room;
    call->form = form;
    call->reply_len = reply.len;
    memcpy(call->reply, reply.ptr, reply.len);
    if (monitor_start(c->room, query, on_gathered, call, NULL))
        mem_free(call);
}

static void answer_error(struct client *c, slice reply, const char *wrong) {
    _cleanup_buf_ struct buf answer = buf_make(MONITOR_PAGE_BYTES_MAX);
    struct json_writer w = json_writer_make(&answer, false);
    json_write_object(&w);
    write_server(c->room, &w);
    json_write_key(&w, "error");
    json_write_object(&w);
    json_write_key(&w, "code");
    json_write_u64(&w, 400);
    json_put_string(&w, "description", slice_str(wrong));
    json_write_end(&w);
    json_write_end(&w);
    publish(c->room, reply, &w, &answer);
}

static void answer_healthz(struct client *c, slice reply) {
    _cleanup_buf_ struct buf answer = buf_make(MONITOR_PAGE_BYTES_MAX);
    struct json_writer w = json_writer_make(&answer, false);
    json_write_object(&w);
    write_server(c->room, &w);
    json_write_key(&w, "data");
    json_write_object(&w);
    json_put_string(&w, "status", slice_lit("ok"));
    json_write_end(&w);
    json_write_end(&w);
    publish(c->room, reply, &w, &answer);
}

/* Values as a URL would have them: strings without quotes, all else as written. */
static const char *read_options(struct monitor_query *query, slice payload) {
    struct json_doc doc;
    const char *wrong = NULL;
    json_init(&doc);
    if (json_parse(&doc, payload) || json_type_of(json_root(&doc)) != JSON_OBJECT) {
        json_free(&doc);
        return "the options are not a JSON object";
    }
    struct json_iterator i = json_each(json_root(&doc));
    while (!wrong && json_next(&i)) {
        slice name, value = json_source(i.value);
        enum json_type type = json_type_of(i.value);
        if (json_string(i.key, &name) || (type == JSON_STRING && json_string(i.value, &value)))
            wrong = "no memory for the options";
        else if (type == JSON_STRING || type == JSON_NUMBER || type == JSON_BOOL)
            wrong = monitor_option(query, name, value);
    }
    json_free(&doc);
    return wrong;
}

static bool answer_page(struct client *c, slice page, const struct bus_message *message) {
    static const struct {
        const char *name;
        enum monitor_kind kind;
        enum system_form form;
    } pages[] = {
        {"VARZ", MONITOR_VARZ, FORM_PAGE},     {"CONNZ", MONITOR_CONNZ, FORM_PAGE},
        {"SUBSZ", MONITOR_SUBSZ, FORM_PAGE},   {"JSZ", MONITOR_JSZ, FORM_PAGE},
        {"STATSZ", MONITOR_VARZ, FORM_STATSZ}, {"", MONITOR_VARZ, FORM_STATSZ},
    };
    if (slice_equal(page, slice_lit("HEALTHZ"))) {
        answer_healthz(c, message->reply);
        return true;
    }
    for (size_t i = 0; i < array_count(pages); i++) {
        if (!slice_equal(page, slice_str(pages[i].name)))
            continue;
        struct monitor_query query = {.kind = pages[i].kind, .limit = MONITOR_LIMIT_DEFAULT};
        const char *wrong = NULL;
        if (slice_trim(message->payload).len)
            wrong = message->payload.len > OPTIONS_BYTES_MAX
                        ? "the options are too long"
                        : read_options(&query, message->payload);
        if (wrong)
            answer_error(c, message->reply, wrong);
        else
            start(c, &query, pages[i].form, message->reply);
        return true;
    }
    return false;
}

bool system_request(struct client *c, const struct bus_message *message) {
    slice rest = message->subject;
    if (!slice_starts_with(rest, slice_lit(PREFIX)) || message->reply.len == 0)
        return false;
    rest = slice_skip(rest, sizeof PREFIX - 1);
    if (slice_equal(rest, slice_lit("USER.INFO"))) {
        answer_user_info(c, message->reply);
        return true;
    }
    if (!slice_starts_with(rest, slice_lit("SERVER.")))
        return false;
    rest = slice_skip(rest, sizeof "SERVER." - 1);
    slice page, server = slice_cut(rest, '.', &page);
    bool all = slice_equal(server, slice_lit("PING"));
    if (!all && !(page.ptr && slice_equal(server, slice_str(c->room->pubsub->node->server_id))))
        return false;
    if (page.ptr && page.len == 0)
        return false;
    return answer_page(c, page, message);
}
