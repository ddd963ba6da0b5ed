/*
 * cursor.c - cursors (DECLARE, FETCH, CLOSE) and prepared statements of SQL (PREPARE, EXECUTE).
 *
 * A cursor's query is run whole when it is declared, so that it stays what it was; FETCH gives its
 * rows, forward. It ends with its transaction, unless it was declared WITH HOLD. One of SUBSCRIBE
 * has no end: FETCH waits for a row, and gives what is there then.
 */
#include "rooms/stream/query.h"
#include "rooms/stream/subscribe.h"

#include "base/mem.h"

#include <errno.h>
#include <stdio.h>

#define CURSORS_MAX 1000u

struct cursor {
    struct list_node node;
    char name[SQL_NAME_BYTES_MAX + 1];
    struct database_statement *statement; /* DECLARE, whose inner query it is */
    struct database_statement shown;      /* only its columns: what FETCH answers with */
    struct query *query;                  /* run to its end; or: */
    struct subscription *subscription;
    bool held;
};

struct prepared {
    struct list_node node;
    char name[SQL_NAME_BYTES_MAX + 1];
    struct database_statement *statement;
};

static struct cursor *find_cursor(struct database_session *s, slice name) {
    for (struct list_node *n = list_first(&s->cursors); n; n = list_next(&s->cursors, n)) {
        struct cursor *c = container_of(n, struct cursor, node);
        if (slice_equal(slice_str(c->name), name))
            return c;
    }
    return NULL;
}

const struct database_statement *cursor_statement(struct database_session *s, slice name) {
    struct cursor *c = find_cursor(s, name);
    return c ? &c->shown : NULL;
}

static void free_cursor(struct cursor *c) {
    list_remove(&c->node);
    query_free(c->query);
    subscription_free(c->subscription);
    database_statement_free(c->statement);
    mem_free(c);
}

int cursor_close(struct database_session *s, slice name) {
    struct list_node *n, *next;
    bool any = !name.ptr;
    list_each(&s->cursors, n, next) {
        struct cursor *c = container_of(n, struct cursor, node);
        if (!name.ptr || slice_equal(slice_str(c->name), name)) {
            free_cursor(c);
            any = true;
        }
    }
    return any ? 0 : -ENOENT;
}

void cursor_end_transaction(struct database_session *s) {
    struct list_node *n, *next;
    list_each(&s->cursors, n, next) {
        struct cursor *c = container_of(n, struct cursor, node);
        if (!c->held)
            free_cursor(c);
    }
}

/* A cursor by the statement of RUN, or NULL with its error. */
static struct cursor *add_cursor(struct database_run *run) {
    const struct sql_statement *b = &run->statement->bound;
    struct cursor *c = mem_zalloc(1, sizeof *c);
    if (!c) {
        (void)sql_fail_memory(&run->error);
        return NULL;
    }
    if (slice_to_string(b->name, c->name, sizeof c->name) < 0) {
        (void)sql_fail(&run->error, "42622", "the cursor's name is too long");
        return mem_free(c);
    }
    c->held = !b->local;
    c->statement = run->statement;
    c->statement->references++;
    c->shown.columns = b->inner->query.visible;
    c->shown.column = b->inner->query.plan->column;
    list_push_back(&run->session->cursors, &c->node);
    snprintf(run->tag, sizeof run->tag, "DECLARE CURSOR");
    return c;
}

static int declare_step(struct database_run *run) {
    int next = query_step(run->work);
    if (next != RUN_DONE)
        return next;
    struct cursor *c = add_cursor(run);
    if (!c)
        return -EINVAL;
    c->query = run->work;
    run->work = NULL;
    return RUN_DONE;
}

static int declare_changes_step(struct database_run *run) {
    const struct sql_statement *inner = run->statement->bound.inner;
    if (inner->query.parameters)
        return sql_fail(&run->error, "0A000", "a cursor of SUBSCRIBE has no parameters");
    struct cursor *c = add_cursor(run);
    if (!c)
        return -EINVAL;
    c->shown.columns = inner->subscription->columns;
    c->shown.column = inner->subscription->column;
    int r = subscription_new(run, inner, &c->subscription, &run->error);
    if (r < 0)
        free_cursor(c);
    return r < 0 ? r : RUN_DONE;
}

int cursor_declare(struct database_run *run) {
    struct database_session *s = run->session;
    const struct sql_statement *b = &run->statement->bound;
    unsigned count = 0;
    for (struct list_node *n = list_first(&s->cursors); n; n = list_next(&s->cursors, n))
        count++;
    if (count == CURSORS_MAX)
        return sql_fail(&run->error, "53400", "a session has at most %u cursors", CURSORS_MAX);
    if (find_cursor(s, b->name))
        return sql_fail(&run->error, "42P03", "cursor \"%.*s\" already exists", slice_fmt(b->name));
    if (!s->block && !s->implicit && b->local)
        return sql_fail(&run->error, "25P01",
                        "DECLARE CURSOR can only be used in transaction blocks");
    if (b->inner->subscription) {
        run->step = declare_changes_step;
        return 0;
    }
    const struct query_options options = {.run = run, .query = &b->inner->query};
    struct query *q;
    int r = query_new(&options, &q, &run->error);
    if (r < 0)
        return r;
    run->work = q;
    run->close = query_close;
    run->step = declare_step;
    return 0;
}

static bool give_nowhere(struct database_run *run, const struct sql_batch *batch) {
    (void)run, (void)batch;
    return true;
}

static void leave_subscription(struct database_run *run) {
    subscription_leave(run->work);
    run->work = NULL;
}

static int fetched(struct database_run *run) {
    run->paused = false;
    snprintf(run->tag, sizeof run->tag, "%s %llu", run->statement->bound.move ? "MOVE" : "FETCH",
             (unsigned long long)run->given);
    return RUN_DONE;
}

/* Waits for the first row, and gives no more than there are then. */
static int fetch_changes(struct database_run *run, struct cursor *c) {
    const struct sql_statement *b = &run->statement->bound;
    uint64_t left = (uint64_t)b->count - run->given, count = 0;
    run->work = c->subscription;
    run->close = leave_subscription;
    int next = RUN_DONE;
    if (left)
        next = subscription_give(c->subscription, run, left, b->move ? give_nowhere : run_rows,
                                 &count);
    run->given += count;
    if (next < 0)
        return next;
    bool more = run->given < (uint64_t)b->count && subscription_has_rows(c->subscription);
    return left && (more || !run->given) ? next : fetched(run);
}

static int fetch_step(struct database_run *run) {
    const struct sql_statement *b = &run->statement->bound;
    struct cursor *c = find_cursor(run->session, b->name);
    if (!c)
        return sql_fail(&run->error, "34000", "cursor \"%.*s\" does not exist", slice_fmt(b->name));
    if (!b->move && statement_keeps_columns(&c->shown, run->statement->column,
                                            run->statement->columns, &run->error) < 0)
        return -EINVAL;
    if (c->subscription)
        return fetch_changes(run, c);
    uint64_t left = (uint64_t)b->count - run->given;
    int64_t n = query_give(c->query, left, b->move ? give_nowhere : run_rows, run, &run->error);
    if (n < 0)
        return (int)n;
    run->given += (uint64_t)n;
    if (run->paused && (uint64_t)n < left)
        return RUN_WAIT;
    return fetched(run);
}

int cursor_fetch(struct database_run *run) {
    run->step = fetch_step;
    return 0;
}

/* --- PREPARE -------------------------------------------------------------------------------- */

static struct prepared *find_prepared(struct database_session *s, slice name) {
    for (struct list_node *n = list_first(&s->prepared); n; n = list_next(&s->prepared, n)) {
        struct prepared *p = container_of(n, struct prepared, node);
        if (slice_equal(slice_str(p->name), name))
            return p;
    }
    return NULL;
}

struct database_statement *prepared_find(struct database_session *s, slice name) {
    struct prepared *p = find_prepared(s, name);
    return p ? p->statement : NULL;
}

int prepared_add(struct database_session *s, slice name, struct database_statement *take,
                 struct sql_error *error) {
    struct prepared *p = mem_zalloc(1, sizeof *p);
    int r = 0;
    if (!p)
        r = sql_fail_memory(error);
    else if (find_prepared(s, name))
        r = sql_fail(error, "42P05", "prepared statement \"%.*s\" already exists", slice_fmt(name));
    else if (slice_to_string(name, p->name, sizeof p->name) < 0)
        r = sql_fail(error, "42622", "the prepared statement's name is too long");
    if (r < 0) {
        mem_free(p);
        database_statement_free(take);
        return r;
    }
    p->statement = take;
    list_push_back(&s->prepared, &p->node);
    return 0;
}

int prepared_drop(struct database_session *s, slice name) {
    struct list_node *n, *next;
    bool any = !name.ptr;
    list_each(&s->prepared, n, next) {
        struct prepared *p = container_of(n, struct prepared, node);
        if (name.ptr && !slice_equal(slice_str(p->name), name))
            continue;
        any = true;
        list_remove(&p->node);
        database_statement_free(p->statement);
        mem_free(p);
    }
    return any ? 0 : -ENOENT;
}
