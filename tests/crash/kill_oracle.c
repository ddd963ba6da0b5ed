/*
 * kill_oracle.c - tables by number and sequence, and the judgement of what comes back
 * (kill_oracle.h). Every broken demand is counted and told with stream, sequence and subject.
 */
#include "kill_oracle.h"

#include "base/base64.h"
#include "base/number.h"
#include "wire/json.h"

#include <stdio.h>
#include <stdlib.h>

#define CONFIRMED_WORDS (KILL_NUMBERS_MAX / 16)

static void *table(size_t count, size_t size) {
    void *made = calloc(count, size);
    if (!made) {
        fprintf(stderr, "crash_kill: no memory for the oracle\n");
        exit(2);
    }
    return made;
}

void kill_oracle_open(struct kill_oracle *o) {
    *o = (struct kill_oracle){0};
    for (unsigned s = 0; s < KILL_STREAMS; s++)
        for (unsigned p = 0; p < KILL_PUBLISHERS; p++) {
            o->tracks[s][p].sequence_of = table(KILL_NUMBERS_MAX, sizeof(uint32_t));
            o->tracks[s][p].again = table(KILL_NUMBERS_MAX, sizeof(bool));
        }
    o->confirmed = table(CONFIRMED_WORDS, sizeof(uint32_t));
}

void kill_oracle_close(struct kill_oracle *o) {
    for (unsigned s = 0; s < KILL_STREAMS; s++)
        for (unsigned p = 0; p < KILL_PUBLISHERS; p++) {
            free(o->tracks[s][p].sequence_of);
            free(o->tracks[s][p].again);
        }
    free(o->confirmed);
}

uint64_t kill_oracle_failures(const struct kill_oracle *o) {
    return o->lost + o->twice + o->wrong + o->unordered + o->redelivered;
}

slice kill_subject(unsigned stream, unsigned publisher, uint32_t number, char out[64]) {
    int len = snprintf(out, 64, "k%u.%u.%u", stream, publisher, number);
    return slice_make(out, (size_t)len);
}

void kill_payload(unsigned stream, unsigned publisher, uint32_t number,
                  char out[KILL_PAYLOAD_SIZE]) {
    uint32_t mix = number * 2654435761u + stream * 40503u + publisher * 9973u;
    for (unsigned i = 0; i < KILL_PAYLOAD_SIZE; i++) {
        mix = mix * 1664525u + 1013904223u;
        out[i] = (char)('a' + (mix >> 24) % 26);
    }
}

bool kill_identity(slice subject, unsigned *ret_stream, unsigned *ret_publisher,
                   uint32_t *ret_number) {
    uint64_t parts[3];
    slice rest = slice_skip(subject, 1);
    for (unsigned i = 0; i < 3; i++)
        if (number_parse_u64(slice_cut(rest, '.', &rest), &parts[i]))
            return false;
    if (parts[0] >= KILL_STREAMS || parts[1] >= KILL_PUBLISHERS || parts[2] >= KILL_NUMBERS_MAX)
        return false;
    *ret_stream = (unsigned)parts[0];
    *ret_publisher = (unsigned)parts[1];
    *ret_number = (uint32_t)parts[2];
    return true;
}

static void complain(const char *what, unsigned stream, uint64_t sequence, slice subject) {
    fprintf(stderr, "crash_kill: %s: stream K%u sequence %llu subject %.*s\n", what, stream,
            (unsigned long long)sequence, slice_fmt(subject));
}

void kill_oracle_acked(struct kill_oracle *o, unsigned stream, unsigned publisher, uint32_t number,
                       uint64_t sequence) {
    struct kill_track *track = &o->tracks[stream][publisher];
    uint32_t known = track->sequence_of[number];
    char subject[64];
    if (known && known != sequence) { /* acknowledged before, now at another place */
        o->twice++;
        complain("acknowledged at two places", stream, sequence,
                 kill_subject(stream, publisher, number, subject));
    }
    track->sequence_of[number] = (uint32_t)sequence;
    o->acked++;
    for (uint32_t before = number; before-- > 0 && number - before <= 64;) {
        if (!track->sequence_of[before] || track->again[before] || track->again[number])
            continue;
        if (track->sequence_of[before] >= sequence) {
            o->unordered++;
            complain("out of order", stream, sequence,
                     kill_subject(stream, publisher, number, subject));
        }
        break;
    }
}

void kill_oracle_confirmed(struct kill_oracle *o, uint64_t sequence) {
    if (sequence / 32 < CONFIRMED_WORDS)
        o->confirmed[sequence / 32] |= 1u << sequence % 32;
    o->confirmations++;
}

void kill_oracle_delivered(struct kill_oracle *o, uint64_t sequence) {
    o->deliveries++;
    if (sequence / 32 < CONFIRMED_WORDS && (o->confirmed[sequence / 32] >> sequence % 32 & 1)) {
        o->redelivered++;
        complain("delivered after its acknowledgement was confirmed", 0, sequence, (slice){0});
    }
}

static bool content_is(json_value message, unsigned stream, unsigned publisher, uint32_t number) {
    char payload[KILL_PAYLOAD_SIZE], expected[KILL_PAYLOAD_SIZE * 2];
    kill_payload(stream, publisher, number, payload);
    size_t len = base64_encode(BASE64_STANDARD, slice_make(payload, KILL_PAYLOAD_SIZE), expected);
    slice data;
    return json_string(json_member(message, slice_lit("data")), &data) == 0 &&
           slice_equal(data, slice_make(expected, len));
}

void kill_oracle_check(struct kill_oracle *o, unsigned stream, uint64_t sequence, slice answer) {
    struct json_doc doc;
    json_init(&doc);
    slice subject = {0};
    unsigned found_stream, publisher;
    uint32_t number;
    o->checked++;
    json_value message = {0};
    if (json_parse(&doc, answer) == 0)
        message = json_member(json_root(&doc), slice_lit("message"));
    if (json_string(json_member(message, slice_lit("subject")), &subject) ||
        !kill_identity(subject, &found_stream, &publisher, &number)) {
        o->lost++;
        complain("not there", stream, sequence, slice_take(answer, 200));
    } else if (found_stream != stream || !content_is(message, stream, publisher, number)) {
        o->wrong++;
        complain("not what was published", stream, sequence, subject);
    } else {
        uint32_t known = o->tracks[stream][publisher].sequence_of[number];
        if (known && known != sequence) {
            o->twice++;
            complain("stored twice", stream, sequence, subject);
        }
        o->tracks[stream][publisher].sequence_of[number] = (uint32_t)sequence;
    }
    json_free(&doc);
}
