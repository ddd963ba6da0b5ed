/*
 * run.c - runs of statements: begun, stepped in turns, and ended with their transaction.
 *
 *   database_run -> BEGIN ──step──> … ──RUN_DONE──> alone? commit ──on disk──> done(tag)
 *                     |  ^  wait                └──> in a block ──────────────> done(tag)
 *                     '--'                       error: the block is failed, or all is taken back
 *
 * Runs that can go on are stepped one after the other, a slice each, and again in the next turn, so
 * that a long one holds nobody up. Nothing is ever called back from inside database_run.
 */
#include "rooms/stream/reach.h"
#include "rooms/stream/subscribe.h"
#include "rooms/stream/transaction.h"

#include "base/mem.h"

#include <errno.h>

static void step_runs(struct database *db);

static void on_task(struct io_task *task) {
    step_runs(container_of(task, struct database, runs_task));
}

static void on_timer(struct io_timer *timer) {
    step_runs(container_of(timer, struct database, runs_timer));
}

void run_wake(struct database_run *run) {
    run->runnable = true;
    run->db->runs_task.run = on_task;
    io_defer(run->db->loop, &run->db->runs_task);
}

void run_watch(struct database_run *run, bool watches) {
    if (watches && !run->watches)
        list_push_back(&run->db->watching, &run->watch);
    else if (!watches && run->watches)
        list_remove(&run->watch);
    run->watches = watches;
}

void runs_shown(struct database *db) {
    for (struct list_node *n = list_first(&db->watching); n; n = list_next(&db->watching, n))
        run_wake(container_of(n, struct database_run, watch));
}

bool run_rows(struct database_run *run, const struct sql_batch *batch) {
    bool room = run->sink.rows(run->sink.owner, batch);
    run->paused |= !room;
    return room;
}

void database_run_resume(struct database_run *run) {
    run->paused = false;
    run_wake(run);
}

struct database_run *database_run_free(struct database_run *run) {
    if (!run)
        return NULL;
    struct database *db = run->db;
    if (run->close)
        run->close(run);
    commit_forget(run->commit);
    io_timer_stop(db->loop, &run->deadline);
    run_watch(run, false);
    list_remove(&run->node);
    db->run_count--;
    database_statement_free(run->statement);
    arena_free(&run->memory);
    return mem_free(run);
}

void runs_close(struct database *db) {
    struct list_node *n, *next;
    list_each(&db->runs, n, next) database_run_free(container_of(n, struct database_run, node));
    io_defer_cancel(db->loop, &db->runs_task);
    io_timer_stop(db->loop, &db->runs_timer);
}

/* Tells the sink, once, and frees the run. */
static void tell(struct database_run *run, bool failed) {
    struct database_sink sink = run->sink;
    struct sql_error error = run->error;
    char tag[sizeof run->tag];
    memcpy(tag, run->tag, sizeof tag);
    database_run_free(run);
    sink.done(sink.owner, failed ? slice_make("", 0) : slice_str(tag), failed ? &error : NULL);
}

static void on_committed(void *self, const struct sql_error *error) {
    struct database_run *run = self;
    run->commit = NULL;
    if (error)
        run->error = *error;
    settings_end_transaction(run->session, !error);
    tell(run, error != NULL);
}

static int failed_step(struct database_run *run) {
    (void)run;
    return -EINVAL; /* run->error says why */
}

/* Portals do not outlive the transaction they read in: it has its rows and its moment. */
void runs_end_transaction(const struct database_session *s) {
    for (struct list_node *n = list_first(&s->db->runs); n; n = list_next(&s->db->runs, n)) {
        struct database_run *run = container_of(n, struct database_run, node);
        if (run->session != s || run->ending || !run->paused)
            continue;
        (void)sql_fail(&run->error, "34000", "the transaction of this portal has ended");
        run->step = failed_step;
    }
}

/* The statement is over: what becomes of its transaction. */
static void end_run(struct database_run *run, int result) {
    struct database_session *s = run->session;
    bool failed = result < 0;
    run->ending = true;
    if (run->close)
        run->close(run);
    run->close = NULL;
    if (failed && !run->error.state[0])
        (void)sql_fail(&run->error, "XX000", "failed without a reason (%s)", error_name(result));
    if (failed)
        database_session_fail(s);
    bool alone = s->transaction && !s->block && !s->implicit;
    if (!alone) {
        tell(run, failed);
        return;
    }
    int r = session_end_transaction(s, !failed, on_committed, run, &run->commit, &run->error);
    if (r <= 0)
        tell(run, failed || r < 0);
}

/* The next run to be stepped in this round. A step may end any run, so the search is made anew. */
static struct database_run *next_runnable(struct database *db) {
    for (struct list_node *n = list_first(&db->runs); n; n = list_next(&db->runs, n)) {
        struct database_run *run = container_of(n, struct database_run, node);
        if (run->runnable && !run->paused && !run->ending && run->round != db->round)
            return run;
    }
    return NULL;
}

static void step_runs(struct database *db) {
    struct database_run *run;
    bool more = false;
    io_timer_stop(db->loop, &db->runs_timer);
    db->round++;
    while ((run = next_runnable(db))) {
        run->round = db->round;
        run->runnable = false;
        int result = run->step(run);
        if (result == RUN_AGAIN)
            more = run->runnable = true;
        else if (result != RUN_WAIT)
            end_run(run, result);
    }
    if (more)
        io_timer_start(db->loop, &db->runs_timer, 0, on_timer);
}

/* What is being put on disk is not taken back; a COMMIT that waits for another transaction is. */
static void cancel(struct database_run *run, const char *why) {
    struct sql_error error;
    (void)sql_fail(&error, "57014", "canceling statement due to %s", why);
    if (run->commit) {
        commit_cancel(run->commit, &error);
        return;
    }
    if (run->ending)
        return;
    run->error = error;
    end_run(run, -EINVAL);
}

static void on_deadline(struct io_timer *timer) {
    cancel(container_of(timer, struct database_run, deadline), "statement timeout");
}

void database_run_cancel(struct database_run *run) {
    cancel(run, "user request");
}

/* May it run in a block that has failed? */
static bool ends_block(enum sql_statement_kind kind) {
    return kind == SQL_STATEMENT_COMMIT || kind == SQL_STATEMENT_ROLLBACK ||
           kind == SQL_STATEMENT_ROLLBACK_TO;
}

static int empty_step(struct database_run *run) {
    (void)run;
    return RUN_DONE;
}

/* Does it read, or change, what its transaction sees? */
static bool uses_snapshot(enum sql_statement_kind kind) {
    return kind == SQL_STATEMENT_QUERY || kind == SQL_STATEMENT_COPY_TO ||
           kind == SQL_STATEMENT_INSERT || kind == SQL_STATEMENT_UPDATE ||
           kind == SQL_STATEMENT_DELETE || kind == SQL_STATEMENT_COPY_FROM ||
           kind == SQL_STATEMENT_TRUNCATE || kind == SQL_STATEMENT_DECLARE ||
           kind == SQL_STATEMENT_CREATE_TABLE_AS;
}

int run_begin(struct database_run *run) {
    int waits = reach_start(run);
    if (waits)
        return waits < 0 ? waits : 0;
    if (uses_snapshot(run->statement->bound.kind)) {
        if (transaction_judge(run->session->transaction, &run->error) < 0)
            return -EINVAL;
        run->session->transaction->used = true;
    }
    switch (run->statement->bound.kind) {
    case SQL_STATEMENT_EMPTY:
        run->step = empty_step;
        return 0;
    case SQL_STATEMENT_SUBSCRIBE:
        return subscribe_start(run);
    case SQL_STATEMENT_COPY_TO:
        return run->statement->bound.subscription ? subscribe_start(run) : select_start(run);
    case SQL_STATEMENT_QUERY:
    case SQL_STATEMENT_EXPLAIN:
    case SQL_STATEMENT_SHOW:
        return select_start(run);
    case SQL_STATEMENT_INSERT:
    case SQL_STATEMENT_UPDATE:
    case SQL_STATEMENT_DELETE:
    case SQL_STATEMENT_COPY_FROM:
        return change_start(run);
    case SQL_STATEMENT_TRUNCATE:
        return truncate_start(run);
    case SQL_STATEMENT_CREATE_TABLE:
    case SQL_STATEMENT_CREATE_TABLE_AS:
    case SQL_STATEMENT_CREATE_VIEW:
    case SQL_STATEMENT_CREATE_MATERIALIZED:
    case SQL_STATEMENT_CREATE_INDEX:
    case SQL_STATEMENT_CREATE_ENUM:
    case SQL_STATEMENT_CREATE_FUNCTION:
    case SQL_STATEMENT_CREATE_SCHEMA:
    case SQL_STATEMENT_ALTER_TABLE:
    case SQL_STATEMENT_COMMENT:
    case SQL_STATEMENT_DROP:
        return define_start(run);
    default:
        return utility_start(run);
    }
}

static int copy_parameters(struct database_run *run, const union sql_cell *cells,
                           const uint8_t *nulls) {
    const struct sql_type *types;
    unsigned count = database_statement_parameters(run->statement, &types);
    run->parameters = arena_zalloc(&run->memory, count + 1u, sizeof *run->parameters);
    run->nulls = arena_zalloc(&run->memory, count + 1u, sizeof *run->nulls);
    if (!run->parameters || !run->nulls)
        return -ENOMEM;
    for (unsigned i = 0; i < count; i++) {
        run->nulls[i] = nulls ? nulls[i] : 1;
        if (!run->nulls[i] &&
            sql_value_copy(types[i].oid, &cells[i], &run->memory, &run->parameters[i]) < 0)
            return -ENOMEM;
    }
    return 0;
}

static void set_clock(struct database_session *s, bool begins) {
    s->settings.statement_now = s->settings.clock(s->settings.self);
    if (begins)
        s->settings.now = s->settings.statement_now;
}

/* What it may do is what the session says of its transactions, until BEGIN says more. */
static struct transaction *begin_transaction(struct database_session *s) {
    struct transaction *t = s->transaction = transaction_new(s->db);
    slice level = settings_get(s, slice_lit("default_transaction_isolation"));
    slice read_only = settings_get(s, slice_lit("default_transaction_read_only"));
    if (t) {
        t->repeatable = slice_equal(level, slice_lit("repeatable read"));
        t->read_only = slice_equal(read_only, slice_lit("on"));
    }
    return t;
}

static int prepare_run(struct database_run *run, const union sql_cell *parameters,
                       const uint8_t *nulls) {
    struct database_session *s = run->session;
    if (!run->db->ready)
        return sql_fail(&run->error, "58000", "%s", run->db->failed.message);
    if (s->failed && !ends_block(run->statement->bound.kind))
        return statement_fail_aborted(&run->error);
    if (run->db->run_count > DATABASE_RUNS_MAX)
        return sql_fail(&run->error, "53300", "more than %u statements run at once",
                        DATABASE_RUNS_MAX);
    bool begins = !s->transaction;
    if (begins && !begin_transaction(s))
        return sql_fail_memory(&run->error);
    set_clock(s, begins);
    s->settings.catalog = session_catalog(s);
    transaction_see(s->transaction);
    /* Held: by whoever prepared it and by this run. */
    struct database_statement *now = statement_take(run->statement, 2, &run->error);
    int r = now ? 0 : -EINVAL;
    if (now) {
        database_statement_free(run->statement);
        run->statement = now;
    }
    if (r == 0 && copy_parameters(run, parameters, nulls) < 0)
        r = sql_fail_memory(&run->error);
    return r < 0 ? r : run_begin(run);
}

const struct database_statement *database_run_statement(const struct database_run *run) {
    return run->statement;
}

int database_run(struct database_session *s, struct database_statement *statement,
                 const union sql_cell *parameters, const uint8_t *nulls,
                 const struct database_sink *sink, struct database_run **ret,
                 struct sql_error *error) {
    struct database *db = s->db;
    struct database_run *run = mem_zalloc(1, sizeof *run);
    if (!run)
        return sql_fail_memory(error);
    run->db = db;
    run->session = s;
    run->statement = statement;
    statement->references++;
    run->sink = *sink;
    run->moment = UINT64_MAX;
    run->memory = arena_make(0, db->limits.run_bytes);
    list_push_back(&db->runs, &run->node);
    db->run_count++;
    if (prepare_run(run, parameters, nulls) < 0)
        run->step = failed_step;
    uint64_t timeout = settings_milliseconds(s, slice_lit("statement_timeout"));
    if (timeout)
        io_timer_start(db->loop, &run->deadline, timeout * 1000000, on_deadline);
    *ret = run;
    run_wake(run);
    return 0;
}
