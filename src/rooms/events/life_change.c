/*
 * life_change.c - see life_change.h.
 *
 * A change that has been made already is no change: who sends a deletion again, because the answer
 * was lost, hears the same.
 */
#include "rooms/events/life_change.h"

#include "base/number.h"
#include "wire/nats_headers.h"

#include <errno.h>

static const char *const asks[] = {"show", "limits", "delete", "tombstone"};

/* --- the request -------------------------------------------------------------------------- */

int life_change_write(const struct life_change *change, slice subject, slice expect,
                      struct buf *headers) {
    int failed = nats_headers_begin(headers, 0, (slice){0});
    if (!failed)
        failed = nats_headers_add(headers, slice_lit("Nonet-Stream"), subject);
    if (!failed)
        failed = nats_headers_add(headers, slice_lit("Nonet-Ask"), slice_str(asks[change->ask]));
    if (!failed && expect.len)
        failed = nats_headers_add(headers, slice_lit("Nonet-Expect"), expect);
    if (!failed && change->version != LIFE_ANY_VERSION)
        failed = nats_headers_add_u64(headers, slice_lit("Nonet-Version"), change->version);
    if (!failed && change->dry_run)
        failed = nats_headers_add_u64(headers, slice_lit("Nonet-Dry-Run"), 1);
    return failed ? failed : nats_headers_end(headers);
}

static int read_count(json_value v, const char *key, uint64_t least, uint64_t *number,
                      struct error *e) {
    json_value member = json_member(v, slice_str(key));
    if (json_type_of(member) == JSON_ABSENT || json_type_of(member) == JSON_NULL)
        return 0;
    if (json_u64(member, number) || *number > INT64_MAX || *number < least)
        return error_set(e, -EINVAL, "%s: a number%s is wanted", key, least ? " above 0" : "");
    return 0;
}

static int read_age(json_value v, uint64_t *age_ns, struct error *e) {
    slice text;
    json_value member = json_member(v, slice_lit("max_age"));
    if (json_type_of(member) == JSON_ABSENT || json_type_of(member) == JSON_NULL)
        return 0;
    if (json_string(member, &text) || number_parse_duration(text, age_ns) ||
        *age_ns < LIFE_AGE_MIN_NS)
        return error_set(e, -EINVAL, "max_age: a duration of at least 1s is wanted: \"90d\"");
    return 0;
}

static int read_limits(json_value body, struct life_limits *limits, struct error *e) {
    struct json_iterator i = json_each(body);
    if (json_type_of(body) != JSON_OBJECT)
        return error_set(e, -EINVAL, "the limits are an object: {\"max_count\": 1000}");
    while (json_next(&i)) {
        slice key = {0};
        (void)!json_string(i.key, &key);
        if (!slice_equal(key, slice_lit("max_count")) && !slice_equal(key, slice_lit("max_age")) &&
            !slice_equal(key, slice_lit("truncate_before")))
            return error_set(e, -EINVAL,
                             "%.*s: there is no such limit, but max_count, max_age and "
                             "truncate_before",
                             slice_fmt(slice_take(key, 40)));
    }
    int failed = read_count(body, "max_count", 1, &limits->max_count, e);
    if (!failed)
        failed = read_age(body, &limits->max_age_ns, e);
    return failed ? failed : read_count(body, "truncate_before", 0, &limits->truncate_before, e);
}

static bool get(const struct bus_message *request, const char *key, slice *value) {
    return nats_headers_get(request->headers, slice_str(key), value);
}

int life_change_read(const struct bus_message *request, json_value body, struct arena *arena,
                     struct append *ret_append, struct life_change *ret_change, struct error *e) {
    _cleanup_buf_ struct buf name = buf_make(EVENT_NAME_MAX * 2);
    struct append_part *part = arena_zalloc(arena, 1, sizeof *part);
    slice text;
    *ret_append = (struct append){.parts = part, .part_count = 1, .single = true};
    *ret_change = (struct life_change){.version = LIFE_ANY_VERSION};
    if (!part)
        return -ENOMEM;
    part->subject = call_read_append(request).subject;
    int failed = event_name(part->subject, &name);
    if (!failed)
        failed = arena_copy(arena, buf_slice(&name), &part->name);
    if (failed)
        return failed;
    for (unsigned i = 0; i < array_count(asks) && get(request, "Nonet-Ask", &text); i++)
        if (slice_equal(text, slice_str(asks[i])))
            ret_change->ask = (enum life_ask)i;
    part->writes = ret_change->ask != LIFE_SHOW;
    part->verdict = part->writes ? VERDICT_OPEN : VERDICT_FRESH;
    if (get(request, "Nonet-Expect", &text) && expect_read(text, &part->expect, &part->revision))
        return error_set(e, -EINVAL, "expect: any, none, exists, deleted or a revision is wanted");
    if (get(request, "Nonet-Version", &text) && number_parse_u64(text, &ret_change->version))
        return error_set(e, -EINVAL, "If-Match: the version of the limits is wanted");
    ret_change->dry_run = get(request, "Nonet-Dry-Run", &text);
    return ret_change->ask == LIFE_LIMIT ? read_limits(body, &ret_change->limits, e) : 0;
}

/* --- the change --------------------------------------------------------------------------- */

static uint64_t kept(const struct life *life, uint64_t number) {
    uint64_t gone = life_gone(life, number);
    return number > gone ? number - gone : 0;
}

unsigned life_change_apply(struct life_change *change, struct life *life, uint64_t number,
                           const char **detail) {
    uint64_t before = kept(life, number);
    enum life_state state = life_state(life, number);
    bool done = (change->ask == LIFE_DELETE && state == LIFE_DELETED) ||
                (change->ask == LIFE_TOMBSTONE && state == LIFE_TOMBSTONED);
    if (change->version != LIFE_ANY_VERSION && change->version != life->version) {
        *detail = "the limits have another version now: ask for them, and change those";
        return 412;
    }
    if (change->ask == LIFE_DELETE && state == LIFE_NEVER) {
        *detail = "there is no such event stream";
        return 404;
    }
    if (change->ask == LIFE_LIMIT && change->limits.truncate_before > number) {
        *detail = "truncate_before: the event stream has not come so far";
        return 400;
    }
    if (change->ask == LIFE_LIMIT)
        life_limit(life, number, &change->limits);
    else if (change->ask == LIFE_DELETE && !done)
        life_delete(life, number);
    else if (change->ask == LIFE_TOMBSTONE && !done)
        life_tombstone(life, number);
    change->events = before - kept(life, number);
    return 0;
}

/* --- the answer --------------------------------------------------------------------------- */

static void write_limits(const struct life *life, struct json_writer *w) {
    char age[NUMBER_TEXT_MAX * 2];
    json_write_key(w, "limits");
    json_write_object(w);
    if (life->max_count)
        json_put_u64(w, "max_count", life->max_count);
    if (life->max_age_ns) {
        json_write_key(w, "max_age");
        json_write_string(w, slice_make(age, number_format_duration(life->max_age_ns, age)));
    }
    if (life->truncate_before)
        json_put_u64(w, "truncate_before", life->truncate_before);
    json_write_end(w);
}

unsigned life_change_answer(const struct life_change *change, slice name, const struct life *life,
                            uint64_t number, struct json_writer *w) {
    static const char *const states[] = {"never", "alive", "deleted", "tombstoned"};
    enum life_state state = life_state(life, number);
    uint64_t gone = life_gone(life, number);
    if (change->ask == LIFE_SHOW && state == LIFE_NEVER && !life->version) {
        append_problem(404, "there is no such event stream", w);
        return 404;
    }
    if (change->ask == LIFE_SHOW && state == LIFE_TOMBSTONED) {
        append_problem(410, "the event stream has been deleted for ever", w);
        return 410;
    }
    json_write_object(w);
    json_write_key(w, "stream");
    json_write_string(w, name);
    json_write_key(w, "state");
    json_write_text(w, states[state]);
    json_put_u64(w, "version", life->version);
    if (number > gone)
        json_put_u64(w, "first", gone);
    if (number)
        json_put_u64(w, "last", number - 1);
    write_limits(life, w);
    if (change->ask != LIFE_SHOW)
        json_put_u64(w, "events", change->events);
    if (change->dry_run) {
        json_write_key(w, "dry_run");
        json_write_bool(w, true);
    }
    json_write_end(w);
    return 200;
}
