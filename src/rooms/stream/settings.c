/*
 * settings.c - what SET sets: the settings of PostgreSQL that clients set at their start, and those
 * that mean something here. One that could not be honoured is refused, not taken and forgotten.
 *
 * A setting has a value now, and where SET LOCAL covers it, another that COMMIT leaves. What a
 * transaction has changed is noted with what was before, once a setting and savepoint, so that
 * ROLLBACK and ROLLBACK TO take it back.
 *
 *              now     kept          COMMIT: now = kept     ROLLBACK: both as they were
 *   SET        v       v
 *   SET LOCAL  v       as it was
 */
#include "rooms/stream/work.h"

#include "base/mem.h"
#include "rooms/stream/position.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum setting_kind {
    SETTING_SHOWN,  /* cannot be changed */
    SETTING_ANY,    /* any text */
    SETTING_ONE_OF, /* `values`, parted by '|' */
    SETTING_LEVEL,  /* of isolation */
    SETTING_SWITCH, /* on, off */
    SETTING_NUMBER, /* of milliseconds, or a size: digits with a unit */
    SETTING_ZONE,
    SETTING_DIGITS, /* extra_float_digits */
    SETTING_POSITIONS,
};

struct setting {
    const char *name, *value; /* in the case it is shown in; its default */
    enum setting_kind kind;
    const char *values;
    bool told; /* the client hears of a change (ParameterStatus) */
};

/* The search path is fixed: public, then pg_catalog. lock_timeout: see definer.h. */
static const struct setting settings[] = {
    {"application_name", "", SETTING_ANY, NULL, true},
    {"bytea_output", "hex", SETTING_ONE_OF, "hex", false},
    {"client_encoding", "UTF8", SETTING_ONE_OF, "utf8|utf-8|unicode", true},
    {"client_min_messages", "notice", SETTING_ONE_OF,
     "debug5|debug4|debug3|debug2|debug1|debug|log|info|notice|warning|error", false},
    {"DateStyle", "ISO, MDY", SETTING_ONE_OF, "iso|iso, mdy", true},
    {"default_transaction_isolation", "read committed", SETTING_LEVEL, NULL, false},
    {"default_transaction_read_only", "off", SETTING_SWITCH, NULL, false},
    {"extra_float_digits", "1", SETTING_DIGITS, NULL, false},
    {"idle_in_transaction_session_timeout", "0", SETTING_NUMBER, NULL, false},
    {"idle_session_timeout", "0", SETTING_NUMBER, NULL, false},
    {"integer_datetimes", "on", SETTING_SHOWN, NULL, true},
    {"IntervalStyle", "postgres", SETTING_ONE_OF, "postgres", true},
    {"is_superuser", "on", SETTING_SHOWN, NULL, true},
    {"lc_collate", "C", SETTING_SHOWN, NULL, false},
    {"lc_ctype", "C.UTF-8", SETTING_SHOWN, NULL, false},
    {"lock_timeout", "0", SETTING_NUMBER, NULL, false},
    {"max_identifier_length", "63", SETTING_SHOWN, NULL, false},
    {"min_position", "", SETTING_POSITIONS, NULL, false},
    {"min_position_timeout", "10000", SETTING_NUMBER, NULL, false},
    {"search_path", "\"$user\", public", SETTING_ONE_OF,
     "public|\"$user\", public|$user, public|public, pg_catalog|pg_catalog|", false},
    {"server_encoding", "UTF8", SETTING_SHOWN, NULL, true},
    {"server_version", "15.0 (Nonet)", SETTING_SHOWN, NULL, true},
    {"server_version_num", "150000", SETTING_SHOWN, NULL, false},
    {"session_authorization", "", SETTING_SHOWN, NULL, true},
    {"standard_conforming_strings", "on", SETTING_ONE_OF, "on", true},
    {"statement_timeout", "0", SETTING_NUMBER, NULL, false},
    {"TimeZone", "UTC", SETTING_ZONE, NULL, true},
    {"transaction_isolation", "read committed", SETTING_LEVEL, NULL, false},
    {"transaction_read_only", "off", SETTING_SWITCH, NULL, false},
};
_Static_assert(array_count(settings) <= SETTING_COUNT_MAX, "room in a session");

const char *settings_name(unsigned index) {
    return index < array_count(settings) ? settings[index].name : NULL;
}

bool settings_about(unsigned index, struct setting_about *ret) {
    if (index >= array_count(settings))
        return false;
    const struct setting *s = &settings[index];
    ret->name = slice_str(s->name);
    ret->initial = slice_str(s->value);
    ret->fixed = s->kind == SETTING_SHOWN;
    ret->number = s->kind == SETTING_NUMBER || s->kind == SETTING_DIGITS;
    ret->milliseconds = s->kind == SETTING_NUMBER;
    return true;
}

static int find(slice name) {
    if (slice_equal_nocase(name, slice_lit("time zone")))
        name = slice_lit("TimeZone");
    for (unsigned i = 0; i < array_count(settings); i++)
        if (slice_equal_nocase(name, slice_str(settings[i].name)))
            return (int)i;
    return -1;
}

/* What RESET goes back to. */
static slice initial_of(const struct database_session *s, unsigned i) {
    return slice_equal(slice_str(settings[i].name), slice_lit("application_name"))
               ? slice_str(s->application)
               : slice_str(settings[i].value);
}

static slice value_of(const struct database_session *s, unsigned i) {
    return s->setting[i].now ? slice_str(s->setting[i].now) : initial_of(s, i);
}

slice settings_get(const struct database_session *s, slice name) {
    int i = find(name);
    if (i < 0)
        return (slice){NULL, 0};
    if (slice_equal(slice_str(settings[i].name), slice_lit("session_authorization")))
        return slice_str(s->user);
    return value_of(s, (unsigned)i);
}

uint64_t settings_milliseconds(const struct database_session *s, slice name) {
    slice text = settings_get(s, name);
    uint64_t ms = 0;
    for (size_t i = 0; i < text.len && text.ptr[i] >= '0' && text.ptr[i] <= '9'; i++)
        ms = ms * 10 + (uint64_t)(text.ptr[i] - '0');
    return ms;
}

static void free_state(struct setting_state *state) {
    mem_free(state->now);
    mem_free(state->kept);
}

void settings_free(struct database_session *s) {
    for (unsigned i = 0; i < SETTING_COUNT_MAX; i++)
        free_state(&s->setting[i]);
    while (s->setting_undos)
        free_state(&s->setting_undo[--s->setting_undos].before);
    s->setting_undo = mem_free(s->setting_undo);
}

/* VALUE as VALUES spell it, or NULL. */
static slice one_of(slice value, const char *values) {
    slice rest = slice_str(values);
    for (;;) {
        slice one = slice_cut(rest, '|', &rest);
        if (slice_equal_nocase(one, value) || !rest.ptr)
            return slice_equal_nocase(one, value) ? one : (slice){NULL, 0};
    }
}

/* 250, '250ms', '2s', '5min': to *RET as milliseconds in digits. */
static int read_number(slice value, char *out, size_t size) {
    static const struct {
        const char *unit;
        uint64_t ms;
    } units[] = {{"", 1}, {"ms", 1}, {"s", 1000}, {"min", 60000}, {"h", 3600000}};
    uint64_t n = 0;
    size_t i = 0;
    for (; i < value.len && value.ptr[i] >= '0' && value.ptr[i] <= '9' && n < UINT32_MAX; i++)
        n = n * 10 + (uint64_t)(value.ptr[i] - '0');
    slice unit = slice_trim(slice_skip(value, i));
    for (unsigned u = 0; i > 0 && u < array_count(units); u++)
        if (slice_equal(unit, slice_str(units[u].unit)) && n * units[u].ms <= INT32_MAX) {
            (void)snprintf(out, size, "%llu", (unsigned long long)(n * units[u].ms));
            return 0;
        }
    return -EINVAL;
}

static const struct sql_zone *find_zone(struct database_session *s, slice name) {
    return sql_zone_named(s->db->zones, name, &s->zone_room);
}

static int judge(struct database_session *s, const struct setting *setting, slice *value,
                 char *room, size_t size, struct sql_error *error) {
    bool fits = true;
    slice known = {NULL, 0};
    switch (setting->kind) {
    case SETTING_SHOWN:
        return sql_fail(error, "55P02", "parameter \"%s\" cannot be changed", setting->name);
    case SETTING_ANY:
        break;
    case SETTING_ONE_OF:
        fits = one_of(*value, setting->values).ptr;
        break;
    case SETTING_LEVEL:
        if (slice_equal_nocase(*value, slice_lit("serializable")))
            return sql_fail(error, "0A000",
                            "SERIALIZABLE is not supported: REPEATABLE READ is "
                            "the strictest level");
        known = one_of(*value, "read committed|repeatable read|read uncommitted");
        fits = known.ptr;
        break;
    case SETTING_SWITCH:
        known = one_of(*value, "on|off|true|false");
        known = slice_equal(known, slice_lit("true")) ? slice_lit("on") : known;
        known = slice_equal(known, slice_lit("false")) ? slice_lit("off") : known;
        fits = known.ptr;
        break;
    case SETTING_NUMBER:
        fits = read_number(*value, room, size) == 0;
        *value = slice_str(room);
        break;
    case SETTING_DIGITS: {
        char *end;
        fits = slice_to_string(*value, room, size) == 0;
        long digits = fits ? strtol(room, &end, 10) : 0;
        fits = fits && end != room && *end == '\0' && digits >= -15 && digits <= 3;
        break;
    }
    case SETTING_ZONE:
        fits = find_zone(s, *value) != NULL;
        break;
    case SETTING_POSITIONS: {
        struct positions positions;
        fits = positions_read(*value, &positions) == 0;
        break;
    }
    }
    if (!fits)
        (void)sql_fail(error, "22023", "invalid value for parameter \"%s\": \"%.*s\"",
                       setting->name, slice_fmt(*value));
    if (!fits && setting->kind == SETTING_POSITIONS)
        sql_error_hint(error,
                       "Write STREAM:SEQUENCE as a PubAck has them, or a position of events "
                       "alone; at most %u, with commas between.",
                       POSITIONS_MAX);
    if (!fits)
        return -EINVAL;
    *value = known.ptr ? known : *value;
    return 0;
}

/* What other parts read of a setting. */
static void apply(struct database_session *s, unsigned i) {
    slice value = value_of(s, i);
    if (settings[i].kind == SETTING_ZONE)
        s->settings.zone = slice_equal(value, slice_lit("UTC")) ? NULL : find_zone(s, value);
    if (settings[i].kind == SETTING_DIGITS)
        s->settings.extra_float_digits = (int)strtol(value.ptr, NULL, 10);
    if (settings[i].told && s->options.parameter)
        s->options.parameter(s->options.owner, slice_str(settings[i].name), value);
}

/* Another value is in force from now on. */
static void change_now(struct database_session *s, unsigned i, char *take_value) {
    mem_free(s->setting[i].now);
    s->setting[i].now = take_value;
    apply(s, i);
}

static int copy_value(const char *value, char **ret) {
    *ret = value ? mem_copy(value, strlen(value)) : NULL;
    return value && !*ret ? -ENOMEM : 0;
}

/* Setting I is about to change: what it is now is what ROLLBACK, or ROLLBACK TO, goes back to. */
static int note(struct database_session *s, unsigned i) {
    for (unsigned k = s->setting_mark; k < s->setting_undos; k++)
        if (s->setting_undo[k].index == i)
            return 0;
    struct setting_undo *more =
        mem_realloc(s->setting_undo, (s->setting_undos + 1u) * sizeof *more);
    if (!more)
        return -ENOMEM;
    s->setting_undo = more;
    const struct setting_state *state = &s->setting[i];
    struct setting_undo *u = &more[s->setting_undos];
    *u = (struct setting_undo){.index = i, .before = {.covered = state->covered}};
    if (copy_value(state->now, &u->before.now) < 0 ||
        copy_value(state->kept, &u->before.kept) < 0) {
        free_state(&u->before);
        return -ENOMEM;
    }
    s->setting_undos++;
    return 0;
}

/* TAKE_VALUE NULL: the initial one. */
static int change(struct database_session *s, unsigned i, char *take_value, bool local) {
    struct setting_state *state = &s->setting[i];
    char *kept = NULL;
    int r = note(s, i);
    if (r == 0 && local && !state->covered)
        r = copy_value(state->now, &kept);
    if (r < 0) {
        mem_free(take_value);
        return r;
    }
    if (local && !state->covered)
        state->kept = kept;
    if (!local)
        state->kept = mem_free(state->kept);
    state->covered = local;
    change_now(s, i, take_value);
    return 0;
}

int settings_set(struct database_session *s, slice name, slice value, bool is_default, bool local,
                 struct sql_error *error) {
    int i = find(name);
    char room[64];
    if (i < 0)
        return sql_fail(error, "42704", "unrecognized configuration parameter \"%.*s\"",
                        slice_fmt(name));
    char *copy = NULL;
    if (!is_default) {
        int r = judge(s, &settings[i], &value, room, sizeof room, error);
        if (r < 0)
            return r;
        /* Shown in the spelling of the default where only the case differs. */
        slice initial = initial_of(s, (unsigned)i);
        bool exact = settings[i].kind == SETTING_ANY;
        bool same = exact ? slice_equal(value, initial) : slice_equal_nocase(value, initial);
        copy = same ? NULL : mem_copy(value.ptr, value.len);
        if (!copy && !same)
            return sql_fail_memory(error);
    }
    return change(s, (unsigned)i, copy, local) < 0 ? sql_fail_memory(error) : 0;
}

int settings_reset_all(struct database_session *s, struct sql_error *error) {
    for (unsigned i = 0; i < array_count(settings); i++) {
        bool of_transaction =
            slice_starts_with(slice_str(settings[i].name), slice_lit("transaction_"));
        if ((s->setting[i].now || s->setting[i].covered) && !of_transaction &&
            change(s, i, NULL, false) < 0)
            return sql_fail_memory(error);
    }
    return 0;
}

/* Those of the notes from COUNT on are taken back. */
static void take_back(struct database_session *s, unsigned count) {
    while (s->setting_undos > count) {
        struct setting_undo *u = &s->setting_undo[--s->setting_undos];
        struct setting_state *state = &s->setting[u->index];
        mem_free(state->kept);
        state->kept = u->before.kept;
        state->covered = u->before.covered;
        change_now(s, u->index, u->before.now);
    }
}

unsigned settings_savepoint(struct database_session *s) {
    return s->setting_mark = s->setting_undos;
}

void settings_rollback_to(struct database_session *s, unsigned mark) {
    take_back(s, mark);
    s->setting_mark = mark;
}

/* Of each setting the first note from MARK on says what was at MARK; later ones are of savepoints
   that nobody can go back to any more. */
void settings_release(struct database_session *s, unsigned mark) {
    unsigned left = mark;
    s->setting_mark = mark;
    for (unsigned k = mark; k < s->setting_undos; k++) {
        bool again = false;
        for (unsigned before = mark; !again && before < left; before++)
            again = s->setting_undo[before].index == s->setting_undo[k].index;
        if (again)
            free_state(&s->setting_undo[k].before);
        else
            s->setting_undo[left++] = s->setting_undo[k];
    }
    s->setting_undos = left;
}

void settings_end_transaction(struct database_session *s, bool committed) {
    s->setting_mark = 0;
    if (!committed)
        take_back(s, 0);
    while (s->setting_undos)
        free_state(&s->setting_undo[--s->setting_undos].before);
    for (unsigned i = 0; i < array_count(settings); i++) {
        struct setting_state *state = &s->setting[i];
        if (!state->covered)
            continue;
        char *kept = state->kept;
        state->kept = NULL;
        state->covered = false;
        change_now(s, i, kept);
    }
}
