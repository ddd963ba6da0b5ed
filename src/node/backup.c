/*
 * backup.c - POST /v1/backup {"directory":"/backups/1"}: asks the stream shard (backup_job.c), and
 * hands on what it tells, a line of JSON each, until it is over.
 *
 * What is refused before anything was begun is a problem document with its status. One at a time;
 * a client that goes away gives its backup up.
 */
#include "base/mem.h"
#include "http/reply.h"
#include "http/routes.h"
#include "node/parts.h"
#include "wire/json.h"

#include <errno.h>

#define BACKUP_NS UINT64_C(604800000000000) /* a week */
#define STALL_NS UINT64_C(600000000000) /* the checkpoint, or one step of the copy, takes that */

struct backing {
    struct node *node;
    struct bus *bus;
    struct http_request *request;
    struct bus_request *waiting;
    bool begun;
};

static void give_up(struct bus *bus) {
    const struct bus_message message = {.subject = slice_lit(NODE_BACKUP_SUBJECT)};
    bus_publish(bus, &message, NULL, NULL);
}

static void backing_free(struct backing *b) {
    b->node->backing = NULL;
    mem_free(b);
}

static void on_gone(void *self) {
    struct backing *b = self;
    bus_request_cancel(b->bus, b->waiting);
    give_up(b->bus);
    backing_free(b);
}

/* Told by the socket long before a line that cannot be written. */
static void on_client_end(void *self) {
    const struct backing *b = self;
    give_up(b->bus);
}

static void end(struct backing *b, unsigned status, slice words) {
    struct http_request *request = b->request;
    bool begun = b->begun;
    backing_free(b);
    if (begun)
        http_reply_end(request);
    else
        http_reply_problem(request, status, "%.*s", slice_fmt(words));
}

/* False: the answer could not be begun. */
static bool hand_on(struct backing *b, slice line) {
    const struct http_answer answer = {.status = 200, .type = "application/x-ndjson"};
    if (!b->begun && http_reply_begin(b->request, &answer))
        return false;
    b->begun = true;
    /* Who does not read misses lines, not the backup. */
    if (http_reply_write(b->request, line) == 0)
        (void)!http_reply_write(b->request, slice_lit("\n"));
    return true;
}

static void on_told(struct backing *b, slice line) {
    struct json_doc doc;
    slice state = {0}, detail = {0};
    uint64_t status = 503;
    json_init(&doc);
    if (json_parse(&doc, line) == 0) {
        (void)!json_string(json_path(json_root(&doc), "state"), &state);
        (void)!json_string(json_path(json_root(&doc), "detail"), &detail);
        (void)!json_u64(json_path(json_root(&doc), "status"), &status);
    }
    bool running = slice_equal(state, slice_lit("running"));
    bool refused = !b->begun && slice_equal(state, slice_lit("failed"));
    bool told = refused || hand_on(b, line);
    if (!running || !told) {
        bus_request_cancel(b->bus, b->waiting);
        if (running)
            give_up(b->bus);
        end(b, (unsigned)status, told ? detail : slice_lit("no memory for an answer"));
    }
    json_free(&doc);
}

static void on_reply(void *owner, const struct bus_message *reply, int ended) {
    struct backing *b = owner;
    if (reply) {
        on_told(b, reply->payload);
        return;
    }
    give_up(b->bus);
    if (b->begun)
        (void)hand_on(b, slice_lit("{\"state\":\"failed\",\"detail\":\"it does not go on\"}"));
    end(b, 503,
        ended == -ETIMEDOUT ? slice_lit("the backup does not go on") : slice_lit("the node stops"));
}

static int ask(struct backing *b, slice directory) {
    const struct bus_request_options options = {
        .message = {.subject = slice_lit(NODE_BACKUP_SUBJECT), .payload = directory},
        .timeout_ns = BACKUP_NS,
        .replies_max = UINT32_MAX,
        .stall_ns = STALL_NS,
        .on_reply = on_reply,
        .owner = b,
    };
    return bus_request(b->bus, &options, &b->waiting);
}

static void on_backup(void *owner, struct http_request *request) {
    static const struct http_request_events events = {.on_gone = on_gone,
                                                      .on_client_end = on_client_end};
    struct node *node = owner;
    struct json_doc doc;
    slice directory = {0};
    if (node->backing) {
        http_reply_problem(request, 409, "another backup is under way");
        return;
    }
    json_init(&doc);
    if (json_parse(&doc, http_request_body(request)) ||
        json_string(json_path(json_root(&doc), "directory"), &directory) || !directory.len) {
        json_free(&doc);
        http_reply_problem(request, 400, "a backup wants {\"directory\":\"/an/absolute/path\"}");
        return;
    }
    struct backing *b = mem_zalloc(1, sizeof *b);
    int failed = b ? 0 : -ENOMEM;
    if (b) {
        *b = (struct backing){.node = node, .bus = node->shards[0].room.bus, .request = request};
        failed = ask(b, directory);
    }
    json_free(&doc);
    if (!failed) {
        node->backing = b;
        http_request_later(request, &events, b);
        return;
    }
    mem_free(b);
    http_reply_problem(request, 503, "too many requests are under way: try again");
}

int backup_add_route(struct node *node) {
    return http_routes_add(node->room.admin, &(struct http_route){.method = "POST",
                                                                  .pattern = "/v1/backup",
                                                                  .handle = on_backup,
                                                                  .owner = node});
}
