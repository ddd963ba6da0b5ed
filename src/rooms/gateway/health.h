/*
 * health.h - two ways to learn that a service is not well, as state machines without a clock.
 *
 * HEALTH, by questions that are asked for nothing else (active):
 *
 *     UNKNOWN --good--> WELL --`fall` bad ones in a row--> UNWELL
 *        |                ^---- `rise` good ones in a row ----'
 *        '--bad--> UNWELL                            served: UNKNOWN and WELL
 *
 * A service begins as UNKNOWN, since nothing is known against it; a service that is down when it is
 * first asked is not given `fall` times the benefit of the doubt.
 *
 * EJECTION, by what becomes of real requests (passive): `failures` in a row take a service out for
 * `time`. Then it is on probation: its failures have not been forgotten, so one more takes it out
 * again, for twice `time`, and so on up to ten times; one good request makes it as good as new. An
 * answer is good when it is whole.
 */
#ifndef NONET_GATEWAY_HEALTH_H
#define NONET_GATEWAY_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#define EJECTION_TIMES_MAX 10u

enum health_state { HEALTH_UNKNOWN, HEALTH_WELL, HEALTH_UNWELL };

struct health {
    enum health_state state;
    unsigned streak; /* answers in a row that speak against the state */
};

/* An answer has come. True where the state has changed by it. */
bool health_note(struct health *health, bool good, unsigned rise, unsigned fall);

struct ejection {
    unsigned failures; /* in a row */
    unsigned times;    /* out in a row, without a good request between */
    bool out;          /* set here, cleared by ejection_end */
};

/* A request has ended well or badly. More than 0 where the service is to be taken out by it: for so
   many times the usual span. */
unsigned ejection_note(struct ejection *ejection, bool good, unsigned failures_max);
/* The time is over. */
void ejection_end(struct ejection *ejection);

#endif
