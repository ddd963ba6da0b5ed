/*
 * stream_subjects.c - which subjects a stream may capture; the rule is drawn in the header.
 *
 * It is a library of its own, because the check of nonet.yaml goes by it and needs nothing else of
 * the bus.
 */
#include "bus/stream_subjects.h"

#include "base/check.h"
#include "bus/private.h"
#include "wire/nats_subject.h"

/* Who acknowledges what it captures must not capture the server's own conversations: each answer
   would be a message again. */
static const char *needs_no_ack(slice subject) {
    static const char *const jetstream[] = {"$JS.>", "$JSC.>", "$NRG.>"};
    if (slice_equal(subject, slice_lit(">")))
        return "capturing all subjects requires no-ack to be true";
    for (size_t i = 0; i < array_count(jetstream); i++)
        if (nats_subject_overlap(subject, slice_str(jetstream[i])) &&
            !nats_subject_is_subset(subject, slice_lit("$JS.EVENT.>")))
            return "subjects that overlap with jetstream api require no-ack to be true";
    if (nats_subject_overlap(subject, slice_lit("$SYS.>")) &&
        !nats_subject_is_subset(subject, slice_lit("$SYS.ACCOUNT.>")))
        return "subjects that overlap with system api require no-ack to be true";
    return NULL;
}

bool stream_subject_takes_orders(slice subject) {
    static const slice prefixes[] = {
        {BUS_PRIVATE_PREFIX, sizeof BUS_PRIVATE_PREFIX - 1}, {"$JS.API.", 8}, {"$JS.ACK.", 8}};
    for (size_t i = 0; i < array_count(prefixes); i++)
        if (slice_starts_with(subject, prefixes[i]))
            return true;
    return false;
}

const char *stream_subject_refused(slice subject, bool no_ack) {
    if (!nats_subject_valid(subject) || subject.len > STREAM_SUBJECT_MAX)
        return "invalid subject";
    if (nats_subject_is_subset(subject, slice_lit("$JS.API.>")))
        return "subjects overlap with jetstream api";
    if (nats_subject_is_subset(subject, slice_lit(BUS_PRIVATE_PREFIX ">")))
        return "subjects that begin with _NONET belong to the node itself";
    return no_ack ? NULL : needs_no_ack(subject);
}
