/*
 * steps.c - the table of steps, and the one that counts who is under way.
 *
 * The order is part of what users can rely on: who may not pass an earlier step costs nothing of a
 * later one.
 */
#include "rooms/gateway/steps.h"

#include "rooms/gateway/table.h"

/* CORS comes before auth, for a preflight carries no credentials (Fetch 4.8); a limit comes after
   it, for it may go by who asks; the crowd is counted last, by those that are let in. */
static const gateway_step steps[] = {step_trace, step_cors, step_auth, step_limit, step_crowd};

gateway_step gateway_step_at(unsigned index) {
    return index < array_count(steps) ? steps[index] : NULL;
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
