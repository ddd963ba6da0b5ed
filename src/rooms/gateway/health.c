/*
 * health.c - the moves of health.h.
 *
 * Requests that were under way when a service was taken out still come back. They speak of the
 * past, so they count for nothing until it is in again; or a hundred that fail together would be a
 * hundred reasons to keep it out for longer.
 */
#include "rooms/gateway/health.h"

bool health_note(struct health *h, bool good, unsigned rise, unsigned fall) {
    bool agrees = good ? h->state == HEALTH_WELL : h->state == HEALTH_UNWELL;
    unsigned needed = h->state == HEALTH_UNKNOWN ? 1 : good ? rise : fall;
    if (agrees) {
        h->streak = 0;
        return false;
    }
    if (++h->streak < needed)
        return false;
    h->state = good ? HEALTH_WELL : HEALTH_UNWELL;
    h->streak = 0;
    return true;
}

unsigned ejection_note(struct ejection *e, bool good, unsigned failures_max) {
    if (e->out)
        return 0;
    if (good) {
        e->failures = e->times = 0;
        return 0;
    }
    if (e->failures < failures_max)
        e->failures++;
    if (e->failures < failures_max)
        return 0;
    if (e->times < EJECTION_TIMES_MAX)
        e->times++;
    e->out = true;
    return e->times;
}

void ejection_end(struct ejection *e) {
    e->out = false;
}
