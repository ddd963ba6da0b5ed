/*
 * session_query.c - Query: a text of statements, run one after the other.
 *
 *     parse all -> [ prepare -> describe -> run -> complete ]*  -> end of the transaction -> ready
 *                        '------- error: the rest is not run ----------'
 *
 * Several statements are one transaction unless they say otherwise themselves; the database knows
 * that as implicit_begin and implicit_end. The text must parse as a whole before any of it runs.
 */
#include "rooms/stream/session.h"

#include "base/utf8.h"

static void fail(struct session *s, const struct sql_error *error) {
    if (s->query.quiet) {
        session_fatal(s, error);
        return;
    }
    session_error(s, error);
    s->query.failed = true;
}

/* The statement failed before it ran. */
static void fail_early(struct session *s, const struct sql_error *error) {
    database_session_fail(s->db);
    fail(s, error);
}

static void finish(struct session *s) {
    s->query.parse = sql_parse_free(s->query.parse);
    if (s->state == SESSION_CLOSING)
        return;
    if (s->query.quiet)
        session_begun(s);
    else
        session_ready_for_query(s);
}

void session_query(struct session *s, slice text, bool quiet) {
    struct sql_error error;
    int failed = 0;
    s->query.at = 0;
    s->query.failed = false;
    s->query.quiet = quiet;
    if (!utf8_valid(text))
        failed = sql_fail(&error, "22021", "invalid byte sequence for encoding \"UTF8\"");
    if (!failed)
        failed = sql_parse(text, &s->query.parse, &error);
    if (failed) {
        fail_early(s, &error);
        finish(s);
        return;
    }
    const unsigned count = sql_parse_count(s->query.parse);
    if (count > 1)
        database_implicit_begin(s->db);
    else if (count == 0 && !quiet)
        session_wrote(s, pgwire_write_mark(&s->out, PGWIRE_EMPTY_QUERY));
}

static void drop_statement(struct session *s) {
    s->answer = answer_free(s->answer);
    s->query.statement = database_statement_free(s->query.statement);
}

void session_query_drop(struct session *s) {
    if (!s->executing)
        drop_statement(s);
    s->query.parse = sql_parse_free(s->query.parse);
}

static void start_statement(struct session *s) {
    struct sql_error error;
    const struct sql_statement *bound = NULL;
    int failed = database_prepare(s->db, s->query.parse, s->query.at++, NULL, 0,
                                  &s->query.statement, &error);
    if (!failed) {
        bound = database_statement_bound(s->query.statement);
        if (database_statement_kind(s->query.statement) == SQL_STATEMENT_DEALLOCATE &&
            session_deallocate(s, bound)) {
            session_wrote(s, pgwire_write_command_complete(&s->out, slice_lit("DEALLOCATE")));
            drop_statement(s);
            return;
        }
        if (answer_new(s, s->query.statement, NULL, &s->answer))
            failed = sql_fail_memory(&error);
    }
    if (failed) {
        fail_early(s, &error);
        return;
    }
    metrics_count(s->sessions->shard->metrics, s->sessions->statements_total, 1);
    if (!s->query.quiet && database_statement_kind(s->query.statement) != SQL_STATEMENT_COPY_TO)
        answer_describe(s, s->query.statement, NULL, false);
    answer_start(s->answer, NULL, NULL, 0);
}

void session_query_next(struct session *s) {
    if (s->query.failed || s->query.at == sql_parse_count(s->query.parse)) {
        session_end_implicit(s, s->query.failed);
        return;
    }
    start_statement(s);
}

void session_query_answered(struct session *s) {
    struct answer *a = s->answer;
    if (a->error.state[0])
        fail(s, &a->error);
    else if (!s->query.quiet)
        answer_complete(a);
    drop_statement(s);
}

void session_query_end(struct session *s) {
    if (s->ending_error.state[0] && !s->query.failed)
        fail(s, &s->ending_error);
    finish(s);
}

/* --- the end of what is implicit ------------------------------------------------------------ */

static void on_ended(void *owner, const struct sql_error *error) {
    struct session *s = owner;
    if (error)
        s->ending_error = *error;
    s->ending = SESSION_ENDED;
    session_wake(s);
}

void session_end_implicit(struct session *s, bool failed) {
    s->ending_error = (struct sql_error){.position = 0};
    s->ending = SESSION_ENDING;
    database_implicit_end(s->db, failed, on_ended, s);
}
