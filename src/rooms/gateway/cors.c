/*
 * cors.c - the step that speaks CORS with browsers (Fetch standard, "CORS protocol").
 *
 *     OPTIONS with Origin and Access-Control-Request-Method: a preflight. It ends here with 204,
 *         before anybody is asked who he is: it bears no credentials (Fetch 4.8)
 *     any other request: goes on; its answer, whatever it will be, tells the browser that the page
 *         may read it
 *
 * A page that may not ask is told nothing, and its browser keeps the answer from it. The request
 * itself goes on: CORS guards the readers of answers, not the servers of requests, and who asks
 * without a browser can write any Origin. That is also why a preflight is answered with what the
 * route allows, not with a judgement of what was asked.
 *
 * Answers that depend on the Origin say so (Vary), those to requests without one too: a cache must
 * not give a page the answer that was meant for another.
 */
#include "rooms/gateway/origin.h"
#include "rooms/gateway/steps.h"
#include "rooms/gateway/table.h"

/* Where the config names none and the route takes any. */
#define USUAL_METHODS slice_lit("GET, HEAD, POST, PUT, PATCH, DELETE")

static bool allows(const struct gateway_cors *cors, slice origin) {
    for (unsigned i = 0; i < cors->origin_count; i++)
        if (origin_fits(cors->origins[i], origin))
            return true;
    return false;
}

static void add(struct exchange *x, const char *name, slice value) {
    if (value.len)
        exchange_add_field(x, slice_str(name), value);
}

static void add_origin(struct exchange *x, const struct gateway_cors *cors, slice origin) {
    add(x, "Access-Control-Allow-Origin", cors->any_origin ? slice_lit("*") : origin);
    if (cors->credentials)
        add(x, "Access-Control-Allow-Credentials", slice_lit("true"));
}

/* What the page wants to send, said back; nothing where it is not a list of names. */
static slice asked_headers(const struct exchange *x) {
    slice asked, element;
    if (!http_request_field(x->request, slice_lit("Access-Control-Request-Headers"), &asked))
        return (slice){0};
    for (slice list = asked; http1_next_element(&list, &element);)
        if (!http1_is_token(element))
            return (slice){0};
    return asked;
}

static void answer_preflight(struct exchange *x, const struct gateway_cors *cors, slice origin) {
    if (allows(cors, origin)) {
        add_origin(x, cors, origin);
        add(x, "Access-Control-Allow-Methods", cors->methods.len ? cors->methods : USUAL_METHODS);
        add(x, "Access-Control-Allow-Headers",
            cors->headers.len ? cors->headers : asked_headers(x));
        add(x, "Access-Control-Max-Age", cors->max_age);
    }
    add(x, "Vary",
        slice_lit("Origin, Access-Control-Request-Method, Access-Control-Request-Headers"));
    exchange_reply(x, &(struct http_answer){.status = 204}, (slice){0});
}

enum step_result step_cors(struct exchange *x) {
    const struct gateway_cors *cors = x->route->cors;
    slice origin, method;
    if (!cors)
        return STEP_ON;
    bool from_page = http_request_field(x->request, slice_lit("Origin"), &origin);
    if (from_page && slice_equal(http_request_method(x->request), slice_lit("OPTIONS")) &&
        http_request_field(x->request, slice_lit("Access-Control-Request-Method"), &method)) {
        answer_preflight(x, cors, origin);
        return STEP_TAKEN;
    }
    if (!cors->any_origin)
        add(x, "Vary", slice_lit("Origin"));
    if (from_page && allows(cors, origin)) {
        add_origin(x, cors, origin);
        add(x, "Access-Control-Expose-Headers", cors->expose);
    }
    return STEP_ON;
}
