/*
 * jobs.h - appends on their way: queued, judged in order, committed, answered (engine.h).
 *
 *     WAITING --all heads are there, all before it are judged--> judged
 *          judged --to be appended, or changed--> COMMITTING --on disk--> answered
 *             |---only a check, and holds---> until what it has seen is on disk --> answered
 *             '---repeated, refused---> answered
 *
 * A RAW job is a message that somebody has published to es.>: it is judged as an append of one
 * event with `expect` any, then by what it says in JetStream's own headers, and acknowledged as
 * every publish to a stream is.
 */
#ifndef NONET_EVENTS_JOBS_H
#define NONET_EVENTS_JOBS_H

#include "rooms/events/actor.h"
#include "rooms/events/append.h"

/* STATUS: as of HTTP. LAST: the revision of the last event, where an append to one event stream is
   told of its events; else NULL. BODY: JSON, valid during the call. */
typedef void (*job_answer)(struct engine *engine, slice reply, unsigned status,
                           const uint64_t *last, slice body);

/* An append in JSON. Copied. */
struct job_call {
    slice name; /* of the event stream where it is the short form, else empty */
    slice body, reply;
    struct actor actor;
};
/* ANSWER comes once, from inside perhaps. */
void job_append(struct engine *engine, const struct job_call *call, job_answer answer);
/* A request of life_change.h. */
void job_life(struct engine *engine, const struct bus_message *request, job_answer answer);
/* A captured message. */
void job_raw(struct engine *engine, struct stream *stream, const struct bus_message *message);
/* Judges what can be judged. */
void jobs_pump(struct engine *engine);
/* Before a head is taken: heads of an ES that has been deleted say nothing of the next one. They
   are forgotten, and jobs that wait for them are refused. */
void jobs_know_stream(struct engine *engine);
/* All that wait are refused with STATUS, of a publish with ERR_CODE. */
void jobs_refuse(struct engine *engine, unsigned status, unsigned err_code, const char *detail);
/* All that wait are answered 503; those that are being committed end by themselves. */
void jobs_close(struct engine *engine);

#endif
