/*
 * event_kit.h - event streams in a house of tests/unit/bus: the engine over the real log on the
 * simulated machine, appended to over the bus as the HTTP door does, read and verified by its
 * calls.
 *
 * Functions end the test where something fails that must not. JSON is written with ' for ".
 */
#ifndef NONET_TESTS_EVENT_KIT_H
#define NONET_TESTS_EVENT_KIT_H

#include "bus_kit.h"

#include "rooms/events/call.h"
#include "rooms/events/engine.h"
#include "rooms/events/life_change.h"
#include "rooms/events/verify.h"
#include "wire/json.h"

#define EVENT_KIT_PARTS_MAX 8u

struct event_house {
    struct house *house;
    struct engine *engine;
    struct catcher answers; /* of appends and publishes: subjects _E.NUMBER */
    unsigned asked;         /* the next number */
};

struct event_house *event_house_open(uint64_t seed);
void event_house_close(struct event_house *eh);
/* The end of one life, and the begin of the next: a cut, a kill, or a clean stop. */
enum event_end { EVENT_CUT, EVENT_KILL, EVENT_STOP };
void event_house_again(struct event_house *eh, enum event_end end);
/* Not before this the engine is there: for a stream ES that is made otherwise. */
struct event_house *event_house_bare(uint64_t seed);
void event_house_serve(struct event_house *eh);

/* Asks for an append, of the short form where STREAM is a name (else NULL). The number of it. */
unsigned event_ask(struct event_house *eh, const char *stream, slice body);
/* A message published to SUBJECT with ID as its ce-id (NULL: none). */
unsigned event_publish(struct event_house *eh, const char *subject, const char *id,
                       const char *payload);

struct event_answer {
    bool come;
    unsigned status; /* 0: an acknowledgement of JetStream */
    slice body;      /* valid until the catcher is cleared */
};
struct event_answer event_answer(const struct event_house *eh, unsigned number);
/* event_ask and the answer, waited for; JSON with '. */
struct event_answer event_append(struct event_house *eh, const char *stream, const char *json);

/* Asks for a change of what STREAM keeps (life_change.h). EXPECT may be NULL, LIMITS, too; JSON
   with
   '. The number of it. */
unsigned event_ask_life(struct event_house *eh, const char *stream,
                        const struct life_change *change, const char *expect, const char *limits);
/* The same, and the answer, waited for. */
struct event_answer event_life(struct event_house *eh, const char *stream, enum life_ask ask,
                               const char *expect, const char *limits);

/* A page, waited for. TEXT holds its lines; freed by event_page_free. */
struct event_page {
    unsigned come;
    struct read_end end;
    char *text;
    char detail[128];
};
void event_read_begin(struct event_house *eh, const struct read_options *options,
                      struct event_page *page);
struct event_page event_read_page(struct event_house *eh, const struct read_options *options);
void event_page_free(struct event_page *page);

/* Verifies; the findings' words one a line in FINDINGS. */
struct event_verified {
    unsigned come;
    int failed;
    struct events_report report;
    char findings[4096];
};
struct event_verified event_verify(struct event_house *eh);
/* The life ends, and nobody has the log open: verifies it so. Then only event_house_close. */
struct event_verified event_verify_closed(struct event_house *eh, enum event_end end);

#endif
