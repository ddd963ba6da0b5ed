/*
 * bus_kit.h - a house for the tests of the bus: a simulated machine with 1, 2 or 4 shards, a bus on
 * each, and (house_streams) streams over the real log on the last one. Tests call the code between
 * events, on the loops they name, and let the machine run until what they wait for has come.
 *
 * Functions end the test where something fails that must not.
 */
#ifndef NONET_TESTS_BUS_KIT_H
#define NONET_TESTS_BUS_KIT_H

/* cmocka wants these four first */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>

#include "base/mem.h"
#include "bus/bus.h"
#include "bus/consumer.h"
#include "bus/streams.h"
#include "sim.h"

#define HOUSE_SHARDS_MAX 4u
#define HOUSE_LIMIT (120 * SIM_SECOND)

struct house {
    struct sim *sim;
    struct io_host *host;
    struct io_group *group;
    unsigned shards;
    struct bus *bus[HOUSE_SHARDS_MAX];
    struct streams *streams;
    struct log *log;
    uint64_t journal_file_bytes; /* 0: 1 MiB */
    unsigned fatals;
    bool log_closed;
};

struct house *house_open(uint64_t seed, unsigned shards); /* buses only */
void house_streams(struct house *house);                  /* opens streams and log, or reopens */
int house_try_streams(struct house *house);               /* the same, which may fail */
void house_close(struct house *house);                    /* in order; nothing may leak */
/* The power fails; the process is killed; a clean stop. Then the next life without streams. */
void house_cut(struct house *house);
void house_kill(struct house *house);
void house_stop(struct house *house);
/* Streams and log end in order, buses stay and hear their last answers. Before one of the above. */
void house_rest(struct house *house);
/* Frees the process's memory as after a kill, the machine stays up. */
void house_leave(struct house *house);
void house_rise(struct house *house);        /* group and buses again */
struct bus *house_last(struct house *house); /* the bus of the stream shard */

void house_run(struct house *house, uint64_t ns);
/* Runs until *FLAG is not 0. */
void house_until(struct house *house, const unsigned *flag);
bool house_try_until(struct house *house, const unsigned *flag, uint64_t ns);

/* --- what arrives ------------------------------------------------------------------------------
 */

struct caught {
    struct bus_message message; /* a copy */
    char *bytes;
};

struct catcher {
    struct bus *bus;
    struct bus_subscription *subscription;
    struct caught *all;
    unsigned count, room;
    void (*also)(struct catcher *catcher, const struct bus_message *message); /* may be NULL */
    void *self;
};
void catcher_open(struct catcher *catcher, struct bus *bus, const char *subject, const char *queue);
void catcher_close(struct catcher *catcher);
void catcher_clear(struct catcher *catcher);
/* Runs until there are COUNT messages; fails the test where they do not come. */
void catcher_wait(struct house *house, struct catcher *catcher, unsigned count);
const struct bus_message *catcher_at(const struct catcher *catcher, unsigned index);
/* "404 No Messages" of a status message, or "" for another. */
const char *catcher_status(const struct catcher *catcher, unsigned index, char *out, size_t size);

unsigned say(struct bus *bus, const char *subject, const char *payload);
unsigned ask(struct bus *bus, const char *subject, const char *reply, const char *payload);

#define assert_slice(slice_, text)                                                                 \
    do {                                                                                           \
        slice slice_value = (slice_);                                                              \
        assert_int_equal(slice_value.len, strlen(text));                                           \
        assert_memory_equal(slice_value.ptr ? slice_value.ptr : "", text, slice_value.len);        \
    } while (0)

/* --- streams and consumers, as the API makes them ----------------------------------------------
 */

/* JSON with ' for ". The error of the last failed call is kept. */
extern struct streams_error kit_error;
struct stream *kit_stream(struct house *house, const char *json); /* NULL: kit_error */
struct stream *kit_update(struct house *house, const char *json); /* NULL: kit_error */
struct consumer *kit_consumer(struct house *house, const char *stream, const char *json);
bool kit_delete_consumer(struct house *house, struct consumer *consumer);
bool kit_delete_stream(struct house *house, const char *stream);
struct stream *kit_find(struct house *house, const char *stream);
struct consumer *kit_find_consumer(struct house *house, const char *stream, const char *name);
/* Publishes COUNT messages to SUBJECT with payloads "1", "2", ... and waits till all are on disk.
 */
void kit_fill(struct house *house, const char *subject, unsigned count);
void kit_pull(struct consumer *consumer, const char *reply, unsigned batch, uint64_t expires_ns);
/* Acknowledges the message by its reply with BODY; REPLY NULL: without answer. */
void kit_ack(struct catcher *catcher, unsigned index, const char *body, const char *reply);
/* The numbers of the acknowledgement address. */
struct kit_address {
    uint64_t deliveries, stream, consumer, time, pending;
};
struct kit_address kit_address(const struct bus_message *message);

#endif
