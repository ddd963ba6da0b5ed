/*
 * service.c - services, their discovery and their statistics (service.h).
 *
 * Each service has its own id, new at each start, and nine discovery subscriptions. Times are taken
 * from the host's clock around the endpoint's call, in nanoseconds as clients expect them.
 */
#include "rooms/request/service.h"

#include "base/base64.h"
#include "base/clocktext.h"
#include "base/mem.h"
#include "base/number.h"
#include "wire/json_write.h"
#include "wire/nats_headers.h"
#include "wire/nats_subject.h"

#include <errno.h>
#include <stdio.h>

#define ID_SIZE 22 /* characters of 16 random bytes */
#define NAME_MAX_BYTES 64u
#define SUBJECT_MAX_BYTES 256u
#define HEADERS_BYTES_MAX 1024u
#define FAILED_DEFAULT 500

enum verb { VERB_PING, VERB_INFO, VERB_STATS, VERBS };
enum scope { SCOPE_ALL, SCOPE_NAME, SCOPE_ID, SCOPES };

struct endpoint {
    const struct request_endpoint *what;
    struct offered *service;
    struct bus_subscription *subscription;
    uint64_t requests, errors, processing_ns;
    char last_error[sizeof((struct error){0}.message) + 16];
};

struct discovery {
    struct offered *service;
    enum verb verb;
    struct bus_subscription *subscription;
};

struct offered {
    struct request_services *services;
    const struct request_service *what;
    struct endpoint endpoints[REQUEST_ENDPOINTS_MAX];
    struct discovery discoveries[VERBS * SCOPES];
    int64_t started_ns;
    char id[ID_SIZE + 1];
};

struct request_services {
    struct bus *bus;
    struct buf answer, headers; /* scratch */
    struct offered *offered[REQUEST_SERVICES_MAX];
    unsigned count;
};

static struct io_loop *loop_of(const struct request_services *services) {
    return bus_loop(services->bus);
}

/* --- endpoints -----------------------------------------------------------------------------------
 */

static void reply(struct request_services *services, slice to, slice headers, slice payload) {
    struct bus_message message = {.subject = to, .headers = headers, .payload = payload};
    if (to.len)
        bus_publish(services->bus, &message, NULL, NULL);
}

static int error_headers(struct buf *headers, int code, const char *words) {
    char digits[NUMBER_TEXT_MAX];
    slice number = slice_make(digits, number_format_i64(code, digits));
    buf_clear(headers);
    int failed = nats_headers_begin(headers, 0, (slice){0});
    if (!failed)
        failed = nats_headers_add(headers, slice_lit("Nats-Service-Error"), slice_str(words));
    if (!failed)
        failed = nats_headers_add(headers, slice_lit("Nats-Service-Error-Code"), number);
    return failed ? failed : nats_headers_end(headers);
}

static void fail(struct endpoint *endpoint, const struct bus_message *request, int code,
                 const char *words) {
    struct request_services *services = endpoint->service->services;
    endpoint->errors++;
    snprintf(endpoint->last_error, sizeof endpoint->last_error, "%d:%s", code, words);
    if (error_headers(&services->headers, code, words) == 0)
        reply(services, request->reply, buf_slice(&services->headers), (slice){0});
}

static void on_request(void *owner, struct bus_subscription *subscription,
                       const struct bus_message *request) {
    (void)subscription;
    struct endpoint *endpoint = owner;
    struct request_services *services = endpoint->service->services;
    struct io_host *host = io_loop_host(loop_of(services));
    struct error error = {0};
    uint64_t begun_ns = io_host_clock_ns(host);
    buf_clear(&services->answer);
    int code = endpoint->what->answer(endpoint->what->owner, request, &services->answer, &error);
    endpoint->requests++;
    endpoint->processing_ns += io_host_clock_ns(host) - begun_ns;
    if (code)
        fail(endpoint, request, code > 0 ? code : FAILED_DEFAULT,
             error.message[0] ? error.message : "the request failed");
    else
        reply(services, request->reply, (slice){0}, buf_slice(&services->answer));
}

/* --- discovery -----------------------------------------------------------------------------------
 */

static void no_metadata(struct json_writer *w) {
    json_write_key(w, "metadata");
    json_write_object(w);
    json_write_end(w);
}

static void write_stats(struct json_writer *w, const struct endpoint *endpoint) {
    uint64_t requests = endpoint->requests;
    json_put_u64(w, "num_requests", requests);
    json_put_u64(w, "num_errors", endpoint->errors);
    json_put_text(w, "last_error", endpoint->last_error);
    json_put_u64(w, "processing_time", endpoint->processing_ns);
    json_put_u64(w, "average_processing_time", requests ? endpoint->processing_ns / requests : 0);
}

static void write_endpoints(struct json_writer *w, const struct offered *offered, enum verb verb) {
    json_write_key(w, "endpoints");
    json_write_array(w);
    for (unsigned i = 0; i < offered->what->endpoint_count; i++) {
        const struct endpoint *endpoint = &offered->endpoints[i];
        json_write_object(w);
        json_put_text(w, "name", endpoint->what->name);
        json_put_text(w, "subject", endpoint->what->subject);
        json_put_text(w, "queue_group", REQUEST_QUEUE);
        if (verb == VERB_STATS)
            write_stats(w, endpoint);
        else
            no_metadata(w);
        json_write_end(w);
    }
    json_write_end(w);
}

static void write_discovery(struct json_writer *w, const struct offered *offered, enum verb verb) {
    static const char *const types[VERBS] = {
        [VERB_PING] = "io.nats.micro.v1.ping_response",
        [VERB_INFO] = "io.nats.micro.v1.info_response",
        [VERB_STATS] = "io.nats.micro.v1.stats_response",
    };
    char started[CLOCKTEXT_SIZE];
    json_write_object(w);
    json_put_text(w, "type", types[verb]);
    json_put_text(w, "name", offered->what->name);
    json_put_text(w, "id", offered->id);
    json_put_text(w, "version", offered->what->version);
    no_metadata(w);
    if (verb == VERB_INFO)
        json_put_text(w, "description", offered->what->description);
    if (verb == VERB_STATS) {
        clocktext_format(offered->started_ns, started);
        json_put_text(w, "started", started);
    }
    if (verb != VERB_PING)
        write_endpoints(w, offered, verb);
    json_write_end(w);
}

static void on_discovery(void *owner, struct bus_subscription *subscription,
                         const struct bus_message *request) {
    (void)subscription;
    const struct discovery *discovery = owner;
    struct request_services *services = discovery->service->services;
    buf_clear(&services->answer);
    struct json_writer w = json_writer_make(&services->answer, false);
    write_discovery(&w, discovery->service, discovery->verb);
    if (json_write_finish(&w) == 0)
        reply(services, request->reply, (slice){0}, buf_slice(&services->answer));
}

/* --- offering ------------------------------------------------------------------------------------
 */

static bool is_name(const char *name) {
    size_t len = strlen(name);
    for (size_t i = 0; i < len; i++) {
        char c = name[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '-' || c == '_'))
            return false;
    }
    return len > 0 && len <= NAME_MAX_BYTES;
}

/* Three numbers; what may follow ("-rc.1", "+build") is not looked into. */
static bool is_version(const char *version) {
    slice rest = slice_str(version);
    for (unsigned i = 0; i < 3; i++) {
        size_t digits = 0;
        while (digits < rest.len && rest.ptr[digits] >= '0' && rest.ptr[digits] <= '9')
            digits++;
        char end = digits < rest.len ? rest.ptr[digits] : '\0';
        if (digits == 0 || (i < 2 && end != '.') || (i == 2 && end && end != '-' && end != '+'))
            return false;
        rest = slice_skip(rest, digits + 1);
    }
    return true;
}

static bool is_fit(const struct request_service *service) {
    if (!is_name(service->name) || !is_version(service->version))
        return false;
    for (unsigned i = 0; i < service->endpoint_count; i++) {
        const struct request_endpoint *endpoint = &service->endpoints[i];
        if (!is_name(endpoint->name) || strlen(endpoint->subject) > SUBJECT_MAX_BYTES ||
            !nats_subject_literal(slice_str(endpoint->subject)))
            return false;
    }
    return true;
}

static void withdraw(struct offered *offered) {
    struct bus *bus = offered->services->bus;
    for (unsigned i = 0; i < REQUEST_ENDPOINTS_MAX; i++)
        bus_unsubscribe(bus, offered->endpoints[i].subscription);
    for (unsigned i = 0; i < VERBS * SCOPES; i++)
        bus_unsubscribe(bus, offered->discoveries[i].subscription);
    mem_free(offered);
}

static int subscribe_discovery(struct offered *offered, enum verb verb, enum scope scope) {
    static const struct bus_receiver receiver = {on_discovery};
    static const char *const verbs[VERBS] = {"PING", "INFO", "STATS"};
    struct discovery *discovery = &offered->discoveries[verb * SCOPES + scope];
    char subject[SUBJECT_MAX_BYTES];
    int len = snprintf(subject, sizeof subject, "$SRV.%s%s%s%s%s", verbs[verb],
                       scope == SCOPE_ALL ? "" : ".", scope == SCOPE_ALL ? "" : offered->what->name,
                       scope == SCOPE_ID ? "." : "", scope == SCOPE_ID ? offered->id : "");
    check(len > 0 && (size_t)len < sizeof subject);
    discovery->service = offered;
    discovery->verb = verb;
    return bus_subscribe(offered->services->bus, slice_str(subject), (slice){0}, &receiver,
                         discovery, NULL, &discovery->subscription);
}

static int subscribe(struct offered *offered) {
    static const struct bus_receiver receiver = {on_request};
    int failed = 0;
    for (unsigned i = 0; i < offered->what->endpoint_count && !failed; i++) {
        struct endpoint *endpoint = &offered->endpoints[i];
        endpoint->what = &offered->what->endpoints[i];
        endpoint->service = offered;
        failed = bus_subscribe(offered->services->bus, slice_str(endpoint->what->subject),
                               slice_lit(REQUEST_QUEUE), &receiver, endpoint, NULL,
                               &endpoint->subscription);
    }
    for (unsigned verb = 0; verb < VERBS && !failed; verb++)
        for (unsigned scope = 0; scope < SCOPES && !failed; scope++)
            failed = subscribe_discovery(offered, (enum verb)verb, (enum scope)scope);
    return failed;
}

int request_service_add(struct request_services *services, const struct request_service *service) {
    if (!is_fit(service))
        return -EINVAL;
    if (services->count == REQUEST_SERVICES_MAX || service->endpoint_count > REQUEST_ENDPOINTS_MAX)
        return -ENOBUFS;
    struct offered *offered = mem_zalloc(1, sizeof *offered);
    if (!offered)
        return -ENOMEM;
    unsigned char random[16];
    io_host_random(io_loop_host(loop_of(services)), random, sizeof random);
    size_t len = base64_encode(BASE64_URL_RAW, slice_make(random, sizeof random), offered->id);
    check(len == ID_SIZE);
    offered->services = services;
    offered->what = service;
    offered->started_ns = io_loop_wall_ns(loop_of(services));
    int failed = subscribe(offered);
    if (failed)
        withdraw(offered);
    else
        services->offered[services->count++] = offered;
    return failed;
}

int request_services_create(struct bus *bus, struct request_services **ret_services) {
    struct request_services *services = mem_zalloc(1, sizeof *services);
    if (!services)
        return -ENOMEM;
    services->bus = bus;
    services->answer = buf_make(REQUEST_ANSWER_BYTES_MAX);
    services->headers = buf_make(HEADERS_BYTES_MAX);
    *ret_services = services;
    return 0;
}

struct request_services *request_services_free(struct request_services *services) {
    if (!services)
        return NULL;
    while (services->count > 0)
        withdraw(services->offered[--services->count]);
    buf_free(&services->answer);
    buf_free(&services->headers);
    return mem_free(services);
}
