/*
 * retry.h - the budget of retries: tokens that requests bring in and retries take out.
 *
 * A retry helps one request and is one more for services that may be failing because they have too
 * many. So each request brings `percent` of a token, up to RETRY_SAVED_MAX tokens, and where there
 * are few requests time brings up to RETRY_FLOOR a second. However many fail at once, the services
 * of a route get at most that share more than they were asked.
 */
#ifndef NONET_GATEWAY_RETRY_H
#define NONET_GATEWAY_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#define RETRY_FLOOR 10u /* tokens a second, and as many saved by time alone */
/* Tokens: a service with so many requests under way may go at once. */
#define RETRY_SAVED_MAX 500u

struct retry_budget {
    uint32_t percent;
    uint32_t hundredths; /* of tokens */
    uint64_t filled_ns;  /* until when time has been accounted for */
};

struct retry_budget retry_budget_make(unsigned percent, uint64_t now_ns);

static inline void retry_budget_request(struct retry_budget *budget) {
    if (budget->hundredths < RETRY_SAVED_MAX * 100)
        budget->hundredths += budget->percent;
}

/* Takes a token. False: there is none. */
bool retry_budget_take(struct retry_budget *budget, uint64_t now_ns);

#endif
