/*
 * kill_oracle.c - tables by number and sequence, and the judgement of what comes back
 * (kill_oracle.h). Every broken demand is counted, the first ones are told.
 */
#include "kill_oracle.h"

#include "base/base64.h"
#include "base/number.h"
#include "kill_table.h"
#include "wire/json.h"

#include <stdio.h>
#include <stdlib.h>

#define SEQUENCES_MAX (KILL_NUMBERS_MAX * KILL_PUBLISHERS)
#define COMPLAINTS_MAX 20u

void kill_oracle_open(struct kill_oracle *o) {
    *o = (struct kill_oracle){0};
    for (unsigned s = 0; s < KILL_STREAMS; s++)
        for (unsigned p = 0; p < KILL_PUBLISHERS; p++)
            o->tracks[s][p].sequence_of = kill_table(KILL_NUMBERS_MAX, sizeof(uint32_t));
    o->delivered = kill_table(SEQUENCES_MAX / 32, sizeof(uint32_t));
    o->confirmed = kill_table(SEQUENCES_MAX / 32, sizeof(uint32_t));
}

void kill_oracle_close(struct kill_oracle *o) {
    for (unsigned s = 0; s < KILL_STREAMS; s++)
        for (unsigned p = 0; p < KILL_PUBLISHERS; p++)
            free(o->tracks[s][p].sequence_of);
    free(o->delivered);
    free(o->confirmed);
}

uint64_t kill_oracle_failures(const struct kill_oracle *o) {
    return o->lost + o->twice + o->wrong + o->unordered + o->redelivered + o->skipped + o->undone +
           o->refused + o->died;
}

void kill_oracle_broken(uint64_t *counter, const char *format, ...) {
    if (++*counter > COMPLAINTS_MAX)
        return;
    va_list arguments;
    va_start(arguments, format);
    fputs("\ncrash_kill: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
}

/* --- identities ------------------------------------------------------------------------------- */

slice kill_subject(unsigned stream, unsigned publisher, uint32_t number, char out[64]) {
    int len = snprintf(out, 64, "k%u.%u.%u", stream, publisher, number);
    return slice_make(out, (size_t)len);
}

static uint32_t payload_size(uint32_t mix) {
    uint32_t kind = mix >> 26, size = mix % 200;
    if (kind == 0)
        size = mix % KILL_PAYLOAD_MAX;
    else if (kind < 8)
        size = mix % 5000;
    return size - size % 3;
}

slice kill_payload(unsigned stream, unsigned publisher, uint32_t number,
                   char out[KILL_PAYLOAD_MAX]) {
    uint32_t mix = (number + 1) * 2654435761u + stream * 40503u + publisher * 9973u;
    mix ^= mix >> 15;
    uint32_t size = payload_size(mix);
    for (uint32_t i = 0; i < size; i++) {
        mix = mix * 1664525u + 1013904223u;
        out[i] = (char)('a' + (mix >> 24) % 26);
    }
    return slice_make(out, size);
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

/* --- demands ---------------------------------------------------------------------------------- */

/* A number is at one sequence only, whoever says so. */
static void place(struct kill_oracle *o, unsigned stream, unsigned publisher, uint32_t number,
                  uint64_t sequence, const char *how) {
    uint32_t *known = &o->tracks[stream][publisher].sequence_of[number];
    if (*known && *known != sequence)
        kill_oracle_broken(&o->twice, "K%u: publisher %u, number %u is at %u, and %s at %llu",
                           stream, publisher, number, *known, how, (unsigned long long)sequence);
    *known = (uint32_t)sequence;
}

void kill_oracle_acked(struct kill_oracle *o, unsigned stream, unsigned publisher, uint32_t number,
                       uint64_t sequence) {
    place(o, stream, publisher, number, sequence, "acknowledged");
    o->acked++;
}

static bool has(const uint32_t *bits, uint64_t sequence) {
    return sequence < SEQUENCES_MAX && (bits[sequence / 32] >> sequence % 32 & 1);
}

static void set(uint32_t *bits, uint64_t sequence) {
    if (sequence < SEQUENCES_MAX)
        bits[sequence / 32] |= 1u << sequence % 32;
}

void kill_oracle_confirmed(struct kill_oracle *o, uint64_t sequence) {
    set(o->confirmed, sequence);
    o->confirmations++;
}

void kill_oracle_delivered(struct kill_oracle *o, uint64_t sequence) {
    o->deliveries++;
    set(o->delivered, sequence);
    if (has(o->confirmed, sequence))
        kill_oracle_broken(&o->redelivered, "K0: %llu delivered after its confirmation",
                           (unsigned long long)sequence);
}

void kill_oracle_drained(struct kill_oracle *o, uint64_t last) {
    for (uint64_t sequence = 1; sequence <= last; sequence++)
        if (!has(o->delivered, sequence))
            kill_oracle_broken(&o->skipped, "K0: %llu was never delivered",
                               (unsigned long long)sequence);
}

static bool content_is(json_value message, unsigned stream, unsigned publisher, uint32_t number) {
    static char payload[KILL_PAYLOAD_MAX], expected[KILL_PAYLOAD_MAX / 3 * 4 + 4];
    slice content = kill_payload(stream, publisher, number, payload);
    size_t len = base64_encode(BASE64_STANDARD, content, expected);
    slice data = {0};
    if (json_string(json_member(message, slice_lit("data")), &data))
        data = (slice){0}; /* an empty payload may be left out */
    return slice_equal(data, slice_make(expected, len));
}

void kill_oracle_read(struct kill_oracle *o, unsigned stream, uint64_t from, uint64_t to,
                      bool begins) {
    for (unsigned p = 0; begins && p < KILL_PUBLISHERS; p++)
        o->tracks[stream][p].above = 0;
    o->read_stream = stream;
    o->read_from = from;
    o->read_to = to;
    o->found = kill_table(to - from + 1, sizeof *o->found);
}

void kill_oracle_check(struct kill_oracle *o, uint64_t sequence, slice answer) {
    unsigned stream = o->read_stream, found_stream, publisher;
    struct json_doc doc;
    json_init(&doc);
    slice subject = {0};
    uint32_t number;
    o->checked++;
    json_value message = {0};
    if (json_parse(&doc, answer) == 0)
        message = json_member(json_root(&doc), slice_lit("message"));
    if (json_string(json_member(message, slice_lit("subject")), &subject) ||
        !kill_identity(subject, &found_stream, &publisher, &number)) {
        kill_oracle_broken(&o->lost, "K%u: %llu is not there: %.*s", stream,
                           (unsigned long long)sequence, slice_fmt(slice_take(answer, 200)));
    } else if (found_stream != stream || !content_is(message, stream, publisher, number)) {
        kill_oracle_broken(&o->wrong, "K%u: %llu is not what was published to %.*s", stream,
                           (unsigned long long)sequence, slice_fmt(subject));
    } else {
        place(o, stream, publisher, number, sequence, "stored");
        o->found[sequence - o->read_from] = (struct kill_found){publisher, number, true};
    }
    json_free(&doc);
}

void kill_oracle_read_end(struct kill_oracle *o) {
    for (uint64_t sequence = o->read_from; sequence <= o->read_to; sequence++) {
        const struct kill_found *found = &o->found[sequence - o->read_from];
        struct kill_track *track = &o->tracks[o->read_stream][found->publisher];
        if (!found->there)
            continue;
        if (found->number < track->above)
            kill_oracle_broken(&o->unordered, "K%u: %llu is number %u of publisher %u, behind %u",
                               o->read_stream, (unsigned long long)sequence, found->number,
                               found->publisher, track->above - 1);
        track->above = found->number + 1;
    }
    free(o->found);
    o->found = NULL;
}
