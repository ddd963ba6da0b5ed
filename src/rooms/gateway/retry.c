/*
 * retry.c - the tokens that time brings (retry.h).
 *
 * They are accounted for when one is wanted, not by a timer, and in whole hundredths: the clock is
 * moved on by as many as were brought, so that what is less than one of them is not lost however
 * often it is looked at.
 */
#include "rooms/gateway/retry.h"

#define TOKEN 100u                                                  /* hundredths */
#define HUNDREDTH_NS (UINT64_C(1000000000) / (RETRY_FLOOR * TOKEN)) /* in which time brings one */

struct retry_budget retry_budget_make(unsigned percent, uint64_t now_ns) {
    return (struct retry_budget){
        .percent = percent, .hundredths = RETRY_FLOOR * TOKEN, .filled_ns = now_ns};
}

static void fill(struct retry_budget *b, uint64_t now_ns) {
    uint64_t brought = (now_ns - b->filled_ns) / HUNDREDTH_NS;
    b->filled_ns += brought * HUNDREDTH_NS;
    if (b->hundredths >= RETRY_FLOOR * TOKEN)
        return;
    uint64_t room = RETRY_FLOOR * TOKEN - b->hundredths;
    b->hundredths += (uint32_t)(brought < room ? brought : room);
}

bool retry_budget_take(struct retry_budget *b, uint64_t now_ns) {
    fill(b, now_ns);
    if (b->hundredths < TOKEN)
        return false;
    b->hundredths -= TOKEN;
    return true;
}
