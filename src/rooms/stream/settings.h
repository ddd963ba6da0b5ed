/*
 * settings.h - what SET sets, of one session: the values in force, and what its transaction has
 * changed.
 *
 * The names, their kinds and their first values are a table of settings.c. A session that is zeroed
 * has all of them as they are at first.
 */
#ifndef NONET_STREAM_SETTINGS_H
#define NONET_STREAM_SETTINGS_H

#include "base/slice.h"
#include "sql/error.h"

struct database_session;

enum { SETTING_COUNT_MAX = 40 };

/* NULL: the initial value. */
struct setting_state {
    char *now, *kept; /* kept: what COMMIT leaves where SET LOCAL has covered it */
    bool covered;
};

struct setting_undo {
    unsigned index;
    struct setting_state before;
};

must_use int settings_set(struct database_session *s, slice name, slice value, bool is_default,
                          bool local, struct sql_error *error);
must_use int settings_reset_all(struct database_session *s, struct sql_error *error);
/* What the transaction has set stays, or is taken back. */
void settings_end_transaction(struct database_session *s, bool committed);
/* SAVEPOINT gives a mark; ROLLBACK TO goes back to its savepoint's, RELEASE says that of the newest
   savepoint left (0: none). */
unsigned settings_savepoint(struct database_session *s);
void settings_rollback_to(struct database_session *s, unsigned mark);
void settings_release(struct database_session *s, unsigned mark);
void settings_free(struct database_session *s);
slice settings_get(const struct database_session *s, slice name); /* ptr NULL: unknown */
uint64_t settings_milliseconds(const struct database_session *s, slice name);
/* Each in turn, for SHOW ALL; NULL past the last. */
const char *settings_name(unsigned index);
/* The same for pg_settings: false past the last. */
struct setting_about {
    slice name, initial;
    bool fixed, number, milliseconds;
};
bool settings_about(unsigned index, struct setting_about *ret);

#endif
