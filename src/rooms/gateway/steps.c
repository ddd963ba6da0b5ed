/*
 * steps.c - the table of steps, and two that need nothing: bodies too large, and too many under
 * way.
 *
 * The order is part of what users can rely on: who may not pass an earlier step costs nothing of a
 * later one.
 */
#include "rooms/gateway/steps.h"

#include "rooms/gateway/table.h"

/* CORS comes before auth, for a preflight carries no credentials (Fetch 4.8), and so does the
   body's length, for a body may come while auth asks; a limit comes after it, for it may go by who
   asks; the crowd is counted last, by those that are let in. */
static const gateway_step steps[] = {step_trace, step_cors,  step_body,
                                     step_auth,  step_limit, step_crowd};

gateway_step gateway_step_at(unsigned index) {
    return index < array_count(steps) ? steps[index] : NULL;
}

enum step_result step_body(struct exchange *x) {
    uint64_t length, most = x->route->body_max;
    if (!http_request_has_body(x->request, &length) || length == UINT64_MAX || length <= most)
        return STEP_ON;
    exchange_problem(x, 413, "too large", "the body is over %llu bytes", (unsigned long long)most);
    return STEP_TAKEN;
}

enum step_result step_crowd(struct exchange *x) {
    if (!x->route->concurrency)
        return STEP_ON;
    uint32_t *under_way = &x->route->under_way[x->shard->shard->index];
    if (*under_way >= x->route->concurrency) {
        exchange_problem(x, 503, "concurrency", "too many requests of this kind are under way");
        return STEP_TAKEN;
    }
    (*under_way)++;
    x->counted = true;
    return STEP_ON;
}
