/*
 * operations.c - see operations.h; and the routes made of it (events.h).
 *
 * The gateway's callers come to what appends and reads (for_gateway). Whoever appends may not take
 * away or see what everybody did, and to verify is to read the whole log, so these are the admin
 * listener's alone.
 */
#include "rooms/events/operations.h"

#include "rooms/events/append_http.h"
#include "rooms/events/audit_http.h"
#include "rooms/events/event_http.h"
#include "rooms/events/events.h"
#include "rooms/events/events_http.h"
#include "rooms/events/life_http.h"
#include "rooms/events/openapi.h"
#include "rooms/events/state_http.h"
#include "rooms/events/why_http.h"

#define BODY_BYTES_MAX (16u << 20)

#define JSON(schema) "application/json=" schema
#define PAGES " application/x-ndjson=Event application/cloudevents-batch+json=CloudEvent[]"
#define CLOUDEVENTS                                                                                \
    " application/cloudevents+json=CloudEvent application/cloudevents-batch+json=CloudEvent[]"
#define READ_PARAMETERS "from after time direction limit types tags min_position wait follow"

const struct operation event_operations[] = {
    {.route = {.method = "POST",
               .pattern = "/v1/streams/{stream}",
               .handle = append_http_stream,
               .for_gateway = true},
     .id = "appendToStream",
     .summary = "Appends events to an event stream, or only checks it",
     .parameters = "expect If-Match If-None-Match",
     .body = JSON("Append") CLOUDEVENTS,
     .answer = JSON("Appended"),
     .statuses = "201 200 403 409 412 413 415 504"},
    {.route = {.method = "GET",
               .pattern = "/v1/streams/{stream}",
               .handle = events_http_stream,
               .for_gateway = true},
     .id = "readStream",
     .summary = "Reads events of an event stream, a page or without an end",
     .parameters = "from_position " READ_PARAMETERS,
     .answer = JSON("StreamPage") PAGES,
     .statuses = "200 403 404 410 504"},
    {.route = {.method = "DELETE", .pattern = "/v1/streams/{stream}", .handle = life_http_delete},
     .id = "deleteStream",
     .summary = "Deletes an event stream; it may be appended to again unless that is permanent",
     .parameters = "permanent dry_run expect If-Match",
     .answer = JSON("Life"),
     .statuses = "200 404 409 410 412"},
    {.route = {.method = "GET",
               .pattern = "/v1/streams/{stream}/events/{revision}",
               .handle = event_http_one,
               .for_gateway = true},
     .id = "readEvent",
     .summary = "Reads one event, as JSON or as a CloudEvent",
     .parameters = "mode min_position",
     .answer = JSON("Event") " application/cloudevents+json=CloudEvent",
     .statuses = "200 403 404 406 410 504"},
    {.route = {.method = "GET", .pattern = "/v1/streams/{stream}/limits", .handle = life_http_show},
     .id = "getLimits",
     .summary = "Tells what an event stream keeps",
     .answer = JSON("Life"),
     .statuses = "200 404"},
    {.route = {.method = "PUT",
               .pattern = "/v1/streams/{stream}/limits",
               .handle = life_http_limit},
     .id = "setLimits",
     .summary = "Says what an event stream keeps; what is more goes at once",
     .parameters = "dry_run expect If-Match",
     .body = JSON("Limits"),
     .answer = JSON("Life"),
     .statuses = "200 404 409 410 412"},
    {.route = {.method = "GET",
               .pattern = "/v1/streams/{stream}/state",
               .handle = state_http_get,
               .for_gateway = true},
     .id = "readState",
     .summary = "Tells what the events of an event stream add up to, now or after any of them",
     .parameters = "at position min_position if_changed",
     .answer = JSON("State"),
     .statuses = "200 304 403 404 410 504"},
    {.route = {.method = "POST",
               .pattern = "/v1/append",
               .handle = append_http_many,
               .for_gateway = true},
     .id = "append",
     .summary = "Appends to several event streams and checks others: all or nothing",
     .body = JSON("AppendMany"),
     .answer = JSON("AppendedMany"),
     .statuses = "201 200 403 409 413 504"},
    {.route =
         {.method = "GET", .pattern = "/v1/events", .handle = events_http_all, .for_gateway = true},
     .id = "readEvents",
     .summary = "Reads all events in the order of their commits, a page or without an end",
     .parameters = "category " READ_PARAMETERS,
     .answer = JSON("Page") PAGES,
     .statuses = "200 403 504"},
    {.route = {.method = "GET", .pattern = "/v1/audit", .handle = audit_http_list},
     .id = "audit",
     .summary = "Lists who did what, when and why",
     .parameters =
         "actor correlation stored_from stored_to after types category limit min_position",
     .answer = JSON("AuditPage") " application/x-ndjson=AuditEntry",
     .statuses = "200 504"},
    {.route = {.method = "GET", .pattern = "/v1/streams/{stream}/why", .handle = why_http},
     .id = "explainEvent",
     .summary = "Tells what an event follows from, and what has followed from it",
     .parameters = "of_revision min_position",
     .answer = JSON("Why"),
     .statuses = "200 404 410 504"},
    {.route = {.method = "GET", .pattern = "/v1/events/verify", .handle = events_http_verify},
     .id = "verifyEvents",
     .summary = "Checks the chains of all event streams",
     .answer = JSON("Verified"),
     .statuses = "200"},
    {.route = {.method = "GET",
               .pattern = "/v1/openapi.json",
               .handle = openapi_http,
               .for_gateway = true},
     .id = "describe",
     .summary = "This document",
     .answer = JSON("object"),
     .statuses = "200"},
};
const unsigned event_operation_count = array_count(event_operations);

int events_http_routes(struct http_routes *routes, struct bus *bus) {
    int failed = 0;
    for (unsigned i = 0; i < event_operation_count && !failed; i++) {
        struct http_route route = event_operations[i].route;
        route.owner = bus;
        route.body_bytes_max = BODY_BYTES_MAX;
        failed = http_routes_add(routes, &route);
    }
    return failed;
}
