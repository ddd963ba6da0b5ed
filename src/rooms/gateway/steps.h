/*
 * steps.h - what an exchange goes through before its target, in the order of the table in steps.c.
 *
 * A step returns STEP_ON (go on), or STEP_TAKEN: it has answered the exchange, or holds it and will
 * call exchange_go_on or answer. It must not call exchange_go_on from inside.
 */
#ifndef NONET_GATEWAY_STEPS_H
#define NONET_GATEWAY_STEPS_H

#include "rooms/gateway/exchange.h"

enum step_result { STEP_ON, STEP_TAKEN };

typedef enum step_result (*gateway_step)(struct exchange *x);

/* The INDEX-th step; NULL past the last. */
gateway_step gateway_step_at(unsigned index);

enum step_result step_trace(struct exchange *x); /* trace.c: ids, client address */
enum step_result step_cors(struct exchange *x);  /* cors.c: preflights end here */
enum step_result step_body(struct exchange *x);  /* steps.c: a length announced, 413 */
enum step_result step_auth(struct exchange *x);  /* auth.c: 401, 403, 503 */
enum step_result step_limit(struct exchange *x); /* limit.c: 429 */
enum step_result step_crowd(struct exchange *x); /* steps.c: concurrency, 503 */

#endif
