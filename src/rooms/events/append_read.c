/*
 * append_read.c - the JSON of an append (append.h), read and judged by itself.
 *
 * Where something is wrong the words say what and where: "events[2].type: ...". Unknown members are
 * refused, so that a misspelt one is not lost; what is larger than its bound is, too.
 * Nothing here looks at a stream: that is the judgement's (jobs.c).
 */
#include "rooms/events/append.h"

#include "base/base64.h"
#include "base/clocktext.h"
#include "rooms/events/attributes.h"
#include "rooms/events/event_json.h"

#include <errno.h>
#include <stdio.h>

#define SUBJECT_USUAL 256u /* bytes */

struct reader {
    struct arena *arena;
    struct ids *ids;
    slice time;
    struct append *append;
    struct error *e;
    unsigned part, event; /* which is being read */
    bool in_event;
    bool check;
};

static int refuse(struct reader *r, const char *key, const char *what) {
    const char *list = r->check ? "checks" : "appends";
    char where[64] = "";
    if (!r->append->single || r->check)
        snprintf(where, sizeof where, "%s[%u].", list, r->part);
    if (r->in_event)
        return error_set(r->e, -EINVAL, "%sevents[%u].%s: %s", where, r->event, key, what);
    return error_set(r->e, -EINVAL, "%s%s: %s", where, key, what);
}

/* A text that can stand in a header. Absent: untouched. */
static int read_text(struct reader *r, json_value v, const char *key, size_t most, slice *text) {
    slice read;
    if (json_type_of(v) == JSON_ABSENT || json_type_of(v) == JSON_NULL)
        return 0;
    if (json_string(v, &read))
        return refuse(r, key, "a text that is not empty is wanted");
    const char *wrong = attribute_judge_text(read, most);
    if (wrong)
        return refuse(r, key, wrong);
    *text = read;
    return 0;
}

static int on_one_line(struct reader *r, slice json, slice *line) {
    char *out = arena_alloc(r->arena, json.len);
    if (!out)
        return -ENOMEM;
    *line = slice_make(out, json_on_one_line(json, out));
    return 0;
}

static int read_metadata(struct reader *r, json_value v, struct event *event) {
    if (json_type_of(v) == JSON_ABSENT || json_type_of(v) == JSON_NULL)
        return 0;
    if (json_type_of(v) != JSON_OBJECT)
        return refuse(r, "metadata", "an object is wanted");
    if (json_source(v).len > EVENT_METADATA_MAX)
        return refuse(r, "metadata", "it is larger than 64 KB");
    return on_one_line(r, json_source(v), &event->metadata);
}

static int read_attributes(struct reader *r, json_value v, struct event *event) {
    struct error e;
    char key[sizeof "attributes." + sizeof e.place];
    if (json_type_of(v) == JSON_ABSENT || json_type_of(v) == JSON_NULL)
        return 0;
    if (json_type_of(v) != JSON_OBJECT)
        return refuse(r, "attributes", "an object is wanted");
    int failed = attributes_read(v, r->arena, event, &e);
    if (failed != -EINVAL)
        return failed;
    snprintf(key, sizeof key, "attributes.%s", e.place);
    return refuse(r, key, e.message);
}

static int read_tags(struct reader *r, json_value v, struct event *event) {
    if (json_type_of(v) == JSON_ABSENT || json_type_of(v) == JSON_NULL)
        return 0;
    if (json_type_of(v) != JSON_ARRAY || json_count(v) > EVENT_TAGS_MAX)
        return refuse(r, "tags", "a list of at most 64 texts is wanted");
    _cleanup_buf_ struct buf tags = buf_make(EVENT_TAGS_MAX * (EVENT_TAG_ROOM + 1));
    struct json_iterator i = json_each(v);
    while (json_next(&i)) {
        slice tag;
        int failed = json_string(i.value, &tag) ? -EINVAL : event_tag_add(&tags, tag);
        if (failed == -EINVAL)
            return refuse(r, "tags", "a tag is a text of 1 to 256 bytes");
        if (!failed && provenance_is_key(tag))
            return refuse(r, "tags", "tags that begin with " PROVENANCE_KEY " are the node's own");
        if (failed)
            return failed;
    }
    return arena_copy(r->arena, buf_slice(&tags), &event->tags);
}

enum event_member {
    MEMBER_ID,
    MEMBER_TYPE,
    MEMBER_SOURCE,
    MEMBER_DATA,
    MEMBER_DATA_BASE64,
    MEMBER_TAGS,
    MEMBER_METADATA,
    MEMBER_SPECVERSION,
    MEMBER_TIME,
    MEMBER_DATACONTENTTYPE,
    MEMBER_ATTRIBUTES,
    MEMBERS
};

static const char *const event_members[MEMBERS] = {
    "id",          "type", "source",          "data",       "data_base64", "tags", "metadata",
    "specversion", "time", "datacontenttype", "attributes",
};

static int read_data(struct reader *r, const json_value *members, struct event *event) {
    json_value data = members[MEMBER_DATA], bytes = members[MEMBER_DATA_BASE64];
    slice text;
    int failed = read_text(r, members[MEMBER_DATACONTENTTYPE], "datacontenttype", EVENT_TYPE_MAX,
                           &event->content_type);
    bool says_json = event_data_is_json(event->content_type);
    if (failed)
        return failed;
    if (json_type_of(data) != JSON_ABSENT) {
        if (json_type_of(bytes) != JSON_ABSENT)
            return refuse(r, "data_base64", "there is data already");
        if (event->content_type.len && !says_json)
            return refuse(r, "datacontenttype", "what is no JSON goes into data_base64");
        event->data = json_source(data);
        if (!says_json)
            event->content_type = slice_lit("application/json");
        return 0;
    }
    if (says_json)
        return refuse(r, "datacontenttype", "JSON goes into data");
    if (json_type_of(bytes) == JSON_ABSENT)
        return 0;
    if (json_string(bytes, &text))
        return refuse(r, "data_base64", "a text is wanted");
    size_t room = base64_decoded_max(text.len), len;
    char *out = arena_alloc(r->arena, room);
    if (!out)
        return -ENOMEM;
    if (base64_decode(BASE64_STANDARD, text, out, room, &len))
        return refuse(r, "data_base64", "it is not base64");
    event->data = slice_make(out, len);
    return 0;
}

static int read_time(struct reader *r, json_value v, struct event *event) {
    int64_t ns;
    int failed = read_text(r, v, "time", CLOCKTEXT_SIZE, &event->time);
    if (failed)
        return failed;
    if (event->time.len && clocktext_parse(event->time, &ns))
        return refuse(r, "time", "a time of RFC 3339 is wanted: 2026-11-30T12:00:00Z");
    if (!event->time.len)
        event->time = r->time;
    return 0;
}

/* Takes the members of OBJECT called NAMES, COUNT of them, absent where there is none; any other is
   refused, else a misspelt `expect` would be an append without one. */
static int take_members(struct reader *r, json_value object, const char *const *names, size_t count,
                        const char *what, json_value *members) {
    struct json_iterator i = json_each(object);
    for (size_t k = 0; k < count; k++)
        members[k] = (json_value){0};
    while (json_next(&i)) {
        slice key = {0};
        char name[48];
        size_t k = 0;
        (void)!json_string(i.key, &key);
        while (k < count && !slice_equal(key, slice_str(names[k])))
            k++;
        if (k < count) {
            members[k] = i.value;
            continue;
        }
        snprintf(name, sizeof name, "%.*s", slice_fmt(slice_take(key, 40)));
        return refuse(r, name, what);
    }
    return 0;
}

static int read_event(struct reader *r, json_value v, struct append_part *part, unsigned index) {
    struct event *event = &part->events[index];
    json_value m[MEMBERS];
    if (json_type_of(v) != JSON_OBJECT)
        return refuse(r, "type", "an event is an object with a type");
    int failed = take_members(r, v, event_members, MEMBERS, "an event has no such member", m);
    if (failed)
        return failed;
    failed = read_text(r, m[MEMBER_ID], "id", EVENT_ID_MAX, &event->id);
    if (!failed)
        failed = read_text(r, m[MEMBER_TYPE], "type", EVENT_TYPE_MAX, &event->type);
    if (!failed && !event->type.len)
        return refuse(r, "type", "is missing");
    if (!failed && json_type_of(m[MEMBER_SPECVERSION]) != JSON_ABSENT &&
        !json_string_is(m[MEMBER_SPECVERSION], slice_lit("1.0")))
        return refuse(r, "specversion", "CloudEvents \"1.0\" is what is known here");
    event->source = part->subject;
    if (!failed)
        failed = read_text(r, m[MEMBER_SOURCE], "source", EVENT_SOURCE_MAX, &event->source);
    if (!failed)
        failed = read_time(r, m[MEMBER_TIME], event);
    if (!failed)
        failed = read_tags(r, m[MEMBER_TAGS], event);
    if (!failed)
        failed = read_metadata(r, m[MEMBER_METADATA], event);
    if (!failed)
        failed = read_attributes(r, m[MEMBER_ATTRIBUTES], event);
    if (!failed)
        failed = read_data(r, m, event);
    part->given[index] = event->id.len > 0;
    return !failed && !event->id.len ? ids_make(r->ids, r->arena, &event->id) : failed;
}

/* In one append an id stands once in a stream: a repetition could not be told from it. */
static int find_twins(struct reader *r, const struct append_part *part) {
    if (part->event_count < 2)
        return 0;
    struct hash_key key; /* not known to who chooses the ids */
    io_host_random(r->ids->host, &key, sizeof key);
    _cleanup_map_ struct map ids = map_make(key, APPEND_EVENTS_MAX);
    for (unsigned i = 0; i < part->event_count; i++) {
        int failed = map_add(&ids, part->events[i].id, &part->events[i]);
        r->event = i;
        r->in_event = true;
        if (failed == -EEXIST)
            return refuse(r, "id", "the same id stands twice");
        if (failed)
            return failed;
    }
    r->in_event = false;
    return 0;
}

static int read_events(struct reader *r, json_value list, struct append_part *part) {
    unsigned count = json_count(list);
    if (json_type_of(list) != JSON_ARRAY && json_type_of(list) != JSON_ABSENT)
        return refuse(r, "events", "a list is wanted");
    if (r->append->event_count + count > APPEND_EVENTS_MAX)
        return refuse(r, "events", "an append has at most 4096 events");
    part->events = arena_zalloc(r->arena, count + 1, sizeof *part->events);
    part->given = arena_zalloc(r->arena, count + 1, sizeof *part->given);
    if (!part->events || !part->given)
        return -ENOMEM;
    part->event_count = count;
    r->append->event_count += count;
    struct json_iterator i = json_each(list);
    int failed = 0;
    r->in_event = true;
    for (r->event = 0; !failed && json_next(&i); r->event++)
        failed = read_event(r, i.value, part, r->event);
    r->in_event = failed != 0;
    return failed ? failed : find_twins(r, part);
}

int append_read_expect(json_value v, enum expect *expect, uint64_t *revision) {
    if (json_type_of(v) == JSON_ABSENT || json_type_of(v) == JSON_NULL)
        return 0;
    for (unsigned i = 0; expect_word(i); i++)
        if (i != EXPECT_REVISION && json_string_is(v, slice_str(expect_word(i)))) {
            *expect = (enum expect)i;
            return 0;
        }
    if (json_u64(v, revision) || *revision > INT64_MAX)
        return -EINVAL;
    *expect = EXPECT_REVISION;
    return 0;
}

static int read_expect(struct reader *r, json_value v, struct append_part *part) {
    if (append_read_expect(v, &part->expect, &part->revision))
        return refuse(r, "expect",
                      "\"any\", \"none\", \"exists\", \"deleted\" or a revision is wanted");
    if (part->expect == EXPECT_TOMBSTONED && part->event_count)
        return refuse(r, "expect", "nothing is ever appended to what is \"tombstoned\"");
    if (part->expect == EXPECT_ANY && !part->event_count)
        return refuse(r, "expect",
                      part->check ? "a check of \"any\" checks nothing"
                                  : "without events something must be expected");
    return 0;
}

static int read_name(struct reader *r, slice name, struct append_part *part) {
    _cleanup_buf_ struct buf subject = buf_make_room(EVENT_SUBJECT_MAX, SUBJECT_USUAL);
    part->name = name;
    int failed = event_subject(name, &subject);
    if (failed == -EINVAL)
        return refuse(r, "stream", "'CATEGORY-ID' of at most 1024 bytes is wanted");
    if (!failed)
        failed = arena_copy(r->arena, buf_slice(&subject), &part->subject);
    for (unsigned i = 0; i < r->append->part_count && !failed; i++)
        if (slice_equal(r->append->parts[i].subject, part->subject))
            return refuse(r, "stream", "the same stream stands twice in one append");
    return failed;
}

static int read_part(struct reader *r, json_value v, slice name) {
    static const char *const long_form[] = {"expect", "events", "stream"};
    static const char *const short_form[] = {"expect", "events", "checks"};
    enum { EXPECT, EVENTS, STREAM, COUNT };
    json_value m[COUNT] = {0};
    struct append_part *part = &r->append->parts[r->append->part_count];
    part->check = r->check;
    if (json_type_of(v) != JSON_OBJECT)
        return refuse(r, "stream", "an object is wanted");
    int failed = take_members(r, v, name.len ? short_form : long_form, COUNT,
                              "an append has no such member", m);
    if (failed)
        return failed;
    if (!name.len && json_string(m[STREAM], &name))
        return refuse(r, "stream", "is missing");
    failed = read_name(r, name, part);
    if (!failed && part->check && json_type_of(m[EVENTS]) != JSON_ABSENT)
        return refuse(r, "events", "a check writes nothing");
    if (!failed)
        failed = read_events(r, m[EVENTS], part);
    if (!failed)
        failed = read_expect(r, m[EXPECT], part);
    r->append->part_count += failed == 0;
    return failed;
}

static int read_condition(struct reader *r, json_value v) {
    struct conditions *conditions = &r->append->conditions;
    if (!conditions->all)
        conditions->all = arena_zalloc(r->arena, CONDITIONS_MAX, sizeof *conditions->all);
    if (!conditions->all)
        return -ENOMEM;
    if (conditions->count == CONDITIONS_MAX)
        return error_set(r->e, -EINVAL, "checks: at most %u of them may have a none",
                         CONDITIONS_MAX);
    return condition_read(v, r->part, r->arena, &conditions->all[conditions->count++], r->e);
}

static int read_list(struct reader *r, json_value list, bool check) {
    struct json_iterator i = json_each(list);
    int failed = 0;
    r->check = check;
    for (r->part = 0; !failed && json_next(&i); r->part++) {
        bool is_condition =
            check && json_type_of(json_member(i.value, slice_lit("none"))) != JSON_ABSENT;
        failed = is_condition ? read_condition(r, i.value) : read_part(r, i.value, (slice){0});
    }
    return failed;
}

static unsigned count_events_tags(const struct append *append) {
    unsigned count = 0;
    for (unsigned i = 0; i < append->part_count; i++)
        for (unsigned k = 0; k < append->parts[i].event_count; k++)
            count += event_tag_count(append->parts[i].events[k].tags);
    return count;
}

static unsigned count_conditions_tags(const struct conditions *conditions) {
    unsigned count = 0;
    for (unsigned i = 0; i < conditions->count; i++)
        for (unsigned k = 0; k < conditions->all[i].item_count; k++)
            count += conditions->all[i].items[k].tag_count;
    return count;
}

unsigned append_count_tags(const struct append *append) {
    return count_events_tags(append) + count_conditions_tags(&append->conditions);
}

/* What stands around the parts, of which there are *RET_COUNT. */
static int judge_lists(struct reader *r, json_value root, json_value lists[2],
                       uint64_t *ret_count) {
    static const char *const names[] = {"appends", "checks"};
    bool single = r->append->single;
    uint64_t count = single;
    int failed = 0;
    r->append->single = true; /* words about the whole have no list in front */
    if (single)
        lists[1] = json_member(root, slice_str(names[1]));
    else
        failed = take_members(r, root, names, 2, "an append has no such member", lists);
    r->append->single = single;
    for (size_t i = 0; i < 2 && !failed; i++) {
        if (json_type_of(lists[i]) != JSON_ARRAY && json_type_of(lists[i]) != JSON_ABSENT)
            return error_set(r->e, -EINVAL, "%s: a list is wanted", names[i]);
        count += json_count(lists[i]);
    }
    *ret_count = count;
    if (!failed && (count == 0 || count > APPEND_STREAMS_MAX))
        return error_set(r->e, -EINVAL, "appends and checks name 1 to %u event streams",
                         APPEND_STREAMS_MAX);
    return failed;
}

static int read_all(struct reader *r, json_value root, slice name) {
    json_value lists[2] = {0};
    struct append *append = r->append;
    uint64_t count = 0;
    int failed = judge_lists(r, root, lists, &count);
    if (failed)
        return failed;
    append->parts = arena_zalloc(r->arena, count, sizeof *append->parts);
    if (!append->parts)
        return -ENOMEM;
    failed = name.len ? read_part(r, root, name) : read_list(r, lists[0], false);
    if (!failed)
        failed = read_list(r, lists[1], true);
    if (!failed && append_count_tags(append) > APPEND_TAGS_MAX)
        return error_set(r->e, -EINVAL, "an append has at most %u tags, with those of its checks",
                         APPEND_TAGS_MAX);
    return failed;
}

int append_read(json_value root, slice name, slice time, struct ids *ids, struct arena *arena,
                struct append *ret_append, struct error *e) {
    *ret_append = (struct append){.single = name.len > 0};
    struct reader r = {.arena = arena, .ids = ids, .time = time, .append = ret_append, .e = e};
    if (json_type_of(root) != JSON_OBJECT)
        return error_set(e, -EINVAL, "the body is no JSON object");
    return read_all(&r, root, name);
}
