/*
 * session.h - one connection of a PostgreSQL client: its bytes, who it is, what it asks.
 *
 *     STARTUP --SSLRequest--> TLS --'        (once)
 *        '--StartupMessage--> WAITING for the database --> PASSWORD | SASL_FIRST --> SASL_FINAL
 *        |                                                     '--bcrypt--> JUDGED (off the loop)
 *        '--------trust----------------------------------------------'--> SETTINGS --> READY
 *     any --Terminate, FATAL, the peer leaves--> CLOSING --> freed
 *
 * SETTINGS makes those of the startup message by SET. One function drives a session, step
 * (session.c), until it has to wait. Whoever makes a wait end (a callback of the database, of the
 * stream) only notes what has come and calls session_wake; nothing is handled inside callbacks, so
 * that nothing is freed under its caller.
 *
 *     what is waited for        noted in                   handled in
 *     bytes                     rest                       session_start.c, session_extended.c
 *     a run (an answer)         answer->over, ->copying    session_query.c, answer.c
 *     the end of a transaction  ending                     session_query.c
 *     a login being judged      state JUDGED               session_login.c
 *
 * BOUNDS: input not used yet: one message (message_bytes_max) beside one read; output: SESSION_OUT
 * bytes and then the database waits (answer.h); statements and portals: SESSION_NAMES_MAX.
 */
#ifndef NONET_STREAM_SESSION_H
#define NONET_STREAM_SESSION_H

#include "base/list.h"
#include "base/map.h"
#include "bus/auth_job.h"
#include "rooms/stream/answer.h"
#include "rooms/stream/sessions.h"
#include "wire/pgwire.h"
#include "wire/pgwire_write.h"

#define SESSION_MESSAGE_BYTES_MAX ((uint32_t)64 << 20)
#define SESSION_OUT_BYTES_MAX ((size_t)64 << 20)
#define SESSION_NAMES_MAX ((size_t)10000) /* statements, and as many portals */
#define SESSION_MESSAGES_PER_TURN 256u

enum session_state {
    SESSION_STARTUP,
    SESSION_TLS,
    SESSION_WAITING,
    SESSION_PASSWORD,
    SESSION_SASL_FIRST,
    SESSION_SASL_FINAL,
    SESSION_JUDGED,
    SESSION_SETTINGS,
    SESSION_READY,
    SESSION_CLOSING,
};

/* A Parse that was bound. Counted: its name and each portal of it. */
struct prepared {
    unsigned refs;
    struct database_statement *statement; /* NULL: an empty query */
    slice name;
};

struct portal {
    struct prepared *prepared;
    struct answer *answer;
    struct arena memory; /* parameters */
    union sql_cell *cells;
    uint8_t *nulls;
    slice name;
};

struct session {
    struct list_node in_sessions;
    struct sessions *sessions;
    struct io_stream *stream; /* NULL: gone */
    enum session_state state;
    uint32_t process, secret;
    bool stepping, paused, wants_bytes, encrypted;
    unsigned turn_messages;
    struct io_task wake;
    struct io_timer again, deadline; /* deadline: of the login, then of a client that idles */
    struct pgwire_parser parser;
    struct buf rest; /* bytes of the client not used yet, from `used` on */
    size_t used;
    struct buf out;                                /* messages not handed to the stream yet */
    struct arena startup;                          /* the startup message's parameters */
    slice user, database, application, parameters; /* parameters: all, as they came */
    struct principal *principal;                   /* NULL: trusted */
    struct auth_job *login;
    struct scram scram;
    struct database_session *db; /* from SETTINGS on */

    /* One of these is under way, or none. */
    struct answer *answer; /* of `query`, or of the portal being executed */
    enum session_ending { SESSION_NOT_ENDING, SESSION_ENDING, SESSION_ENDED } ending;
    struct sql_error ending_error;

    /* Query: statements at..count of parse. */
    struct {
        struct sql_parse *parse; /* NULL: none */
        unsigned at;
        struct database_statement *statement;
        bool failed, quiet; /* quiet: SESSION_SETTINGS' own */
    } query;

    /* The extended protocol. */
    struct map prepared, portals; /* by name, "" too */
    struct portal *executing;
    bool implicit, skipping, syncing, failed;
};

must_use int session_accept(struct sessions *all, struct io_stream *stream); /* 0 or -ENOMEM */
void session_drop(struct session *s);   /* at once, without a word */
void session_expect(struct session *s); /* the login has limits.auth_timeout from now on */
void session_leave(struct session *s);  /* 57P01 */
/* Goes on at the end of this turn, or at once where it is under way. */
void session_wake(struct session *s);
void session_close(struct session *s);
/* What `out` holds goes to the stream. */
void session_push(struct session *s);
/* RESULT of a pgwire_write_ call: at the bound of the output the session ends. */
void session_wrote(struct session *s, int result);
void session_error(struct session *s, const struct sql_error *error);
/* FATAL, and the end of the session. */
void session_fatal(struct session *s, const struct sql_error *error);
void session_ready_for_query(struct session *s);

/* session_start.c: messages of the states before SETTINGS. */
void session_startup(struct session *s, const struct pgwire_event *e);
void session_begin(struct session *s); /* logged in: settings, then READY */
void session_begun(struct session *s); /* settings are made */
/* session_login.c */
void session_log_in(struct session *s);
void session_password(struct session *s, const struct pgwire_event *e);
/* session_query.c */
void session_query(struct session *s, slice text, bool quiet);
void session_query_next(struct session *s);     /* nothing of it is under way */
void session_query_answered(struct session *s); /* the answer of its statement is there */
void session_query_end(struct session *s);      /* the transaction of it has ended */
void session_query_drop(struct session *s);
/* Ends what is implicit: `ending` until it is SESSION_ENDED, and ending_error tells how. */
void session_end_implicit(struct session *s, bool failed);
/* session_extended.c */
/* DEALLOCATE of a name that Parse gave. True: it was one. */
bool session_deallocate(struct session *s, const struct sql_statement *statement);
void session_message(struct session *s, const struct pgwire_event *e);
void session_executed(struct session *s); /* the answer of `executing` has come to its end */
void session_synced(struct session *s);
void session_drop_portals(struct session *s);
void session_drop_prepared(struct session *s);
void session_extended_fail(struct session *s, const struct sql_error *error);

#endif
