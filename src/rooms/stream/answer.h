/*
 * answer.h - one statement being run for a session, and its rows on their way to the client.
 *
 *     database --rows--> encoded --> session's output --> stream        while there is room
 *                           '------> held                               beyond a limit of rows
 *
 *     answer_start, answer_go_on --> RUNNING --> WAITING for room, COPYING in from the client
 *                                       '--> SUSPENDED (limit reached) --answer_go_on--> …
 *                                       '--> OVER (tag or error)
 *
 * The database hands over batches that are gone after the call, so what goes beyond an Execute's
 * limit is kept as encoded messages, which are cut at their borders. While more than
 * ANSWER_ROOM_BYTES wait for the client the database is told "full", and goes on when less do.
 *
 * BOUND: held, ANSWER_HELD_BYTES_MAX; a batch that does not fit ends the run with 54000.
 */
#ifndef NONET_STREAM_ANSWER_H
#define NONET_STREAM_ANSWER_H

#include "rooms/stream/copy_format.h"
#include "rooms/stream/database.h"
#include "wire/pgwire.h"

#define ANSWER_ROOM_BYTES ((size_t)256 << 10)
#define ANSWER_PASS_BYTES ((size_t)16 << 20) /* of one batch into the output; the rest is held */
#define ANSWER_HELD_BYTES_MAX ((size_t)256 << 20)
#define ANSWER_TAG_BYTES 80u

struct session;
struct copy_reader;

struct answer {
    struct session *session;
    struct database_statement *statement; /* outlives it */
    struct database_run *run;             /* NULL: not begun, or over */
    const struct sql_plan_column *column; /* of the run's statement, while rows come */
    unsigned columns;
    uint8_t *formats;     /* one a column: 1 binary */
    struct buf held;      /* whole messages */
    size_t held_from;     /* those before have been sent */
    uint32_t limit, sent; /* rows of this Execute; limit 0: all */
    bool started, full;   /* full: the database waits for answer_go_on */
    bool suspended, over; /* over: tag, or error where its state is set */
    bool broken;          /* its rows do not fit: over, but the run is still to be ended */
    bool was_suspended;   /* the tag counts the rows of this Execute only */
    bool copying;         /* COPY FROM waits for the client's data */
    bool copy_out;
    struct copy_format copy;
    struct copy_reader *reader;
    struct sql_type *copy_types;
    char tag[ANSWER_TAG_BYTES];
    struct sql_error error;
    char where[128]; /* CONTEXT of `error`; "" none */
};

/* FORMATS of the result as Bind has them, checked; NULL: text. 0 or -ENOMEM. */
must_use int answer_new(struct session *s, struct database_statement *statement,
                        const struct pgwire_list *formats, struct answer **ret);
/* Ends its run. NULL allowed, returns NULL. */
struct answer *answer_free(struct answer *a);
/* Runs it, or goes on with it, for LIMIT rows. Ends in `over`, also where it could not begin. */
void answer_start(struct answer *a, const union sql_cell *parameters, const uint8_t *nulls,
                  uint32_t limit);
void answer_go_on(struct answer *a, uint32_t limit);
/* There is room in the output again. */
void answer_room(struct answer *a);
/* In the session's turn. True: nothing more comes of this Execute: it is over and all is sent, or
   it is suspended. What the database's callbacks had to leave is done here: a COPY from the client
   begins, and a run whose rows do not fit is ended. */
bool answer_settled(struct answer *a);
/* RowDescription (or NoData where TELL_NONE). FORMATS: one a column; NULL: all are text. */
void answer_describe(struct session *s, const struct database_statement *statement,
                     const uint8_t *formats, bool tell_none);
/* CommandComplete, or PortalSuspended. Errors are the session's to tell. */
void answer_complete(struct answer *a);
/* Messages of a client that copies in. */
void answer_copy(struct answer *a, const struct pgwire_event *e);

#endif
