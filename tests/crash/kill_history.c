/*
 * kill_history.c - see kill_history.h. Tables by number and position; every broken demand is
 * counted, the first ones are told.
 */
#include "kill_history.h"

#include "base/number.h"
#include "kill_table.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define COMPLAINTS_MAX 20u
#define UNSURE_MAX 4096u

void kill_history_open(struct kill_history *h) {
    *h = (struct kill_history){0};
    h->appends = kill_table(HISTORY_APPENDS_MAX, sizeof *h->appends);
    h->seen = kill_table(HISTORY_EVENTS_MAX, sizeof *h->seen);
    h->unsure = kill_table(UNSURE_MAX, sizeof *h->unsure);
    h->unread = kill_table(HISTORY_APPENDS_MAX, sizeof *h->unread);
}

void kill_history_close(struct kill_history *h) {
    free(h->appends);
    free(h->seen);
    free(h->unsure);
    free(h->unread);
}

static void broken(struct kill_history *h, const char *format, ...) printf_like(2, 3);
static void broken(struct kill_history *h, const char *format, ...) {
    if (++h->broken > COMPLAINTS_MAX)
        return;
    va_list arguments;
    va_start(arguments, format);
    fputs("\ncrash_events: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
}

static uint8_t below(struct random *random, unsigned bound) {
    return (uint8_t)random_below(random, bound);
}

/* --- asking ----------------------------------------------------------------------------------- */

/* Mostly what is so, as far as anybody knows. */
static void choose_expect(const struct kill_history *h, struct random *random,
                          struct kill_part *part) {
    uint32_t next = h->hoped[part->stream];
    uint8_t what = below(random, 8);
    if (what < 3)
        part->expect = KILL_ANY;
    else if (what == 3)
        part->expect = KILL_EXISTS;
    else if (next == 0 || what == 4)
        part->expect = KILL_NONE;
    else
        part->expect = KILL_REVISION;
    part->revision = next ? next - 1 : 0;
    if (what == 5 && part->revision)
        part->revision -= below(random, 2);
}

uint32_t kill_history_new(struct kill_history *h, struct random *random) {
    if (h->count == HISTORY_APPENDS_MAX || h->last + 65536 > HISTORY_EVENTS_MAX) {
        fprintf(stderr, "crash_events: the tables are full: take fewer kills\n");
        exit(2);
    }
    struct kill_append *a = &h->appends[h->count];
    *a = (struct kill_append){.part_count = below(random, 4) ? 1 : 2};
    for (unsigned i = 0; i < a->part_count; i++) {
        struct kill_part *part = &a->parts[i];
        part->stream = below(random, HISTORY_STREAMS / 2);
        part->stream = (uint8_t)(part->stream * 2 + i); /* another one in each part */
        part->count = (uint8_t)(1 + below(random, 3));
        choose_expect(h, random, part);
    }
    a->type = below(random, HISTORY_TYPES);
    a->tags = below(random, 1u << HISTORY_TAGS) & below(random, 1u << HISTORY_TAGS);
    a->conditional = below(random, 2) == 0;
    a->types_ruled_out = below(random, 1u << HISTORY_TYPES) & below(random, 1u << HISTORY_TYPES);
    a->tags_ruled_out = (uint8_t)(1u << below(random, HISTORY_TAGS));
    a->tags_ruled_out |= below(random, 1u << HISTORY_TAGS) & below(random, 1u << HISTORY_TAGS);
    uint32_t known = h->acknowledged > h->last ? h->acknowledged : h->last;
    a->after = below(random, 8) ? known : (uint32_t)random_below(random, known + 1);
    return h->count++;
}

static void must(int failed) {
    if (failed) {
        fprintf(stderr, "crash_events: no memory\n");
        exit(2);
    }
}

static void write_bits(struct buf *b, const char *key, char prefix, unsigned bits) {
    must(buf_printf(b, "\"%s\":[", key));
    for (unsigned i = 0, n = 0; bits >> i; i++)
        if (bits >> i & 1)
            must(buf_printf(b, "%s\"%c%u\"", n++ ? "," : "", prefix, i));
    must(buf_append(b, slice_lit("]")));
}

static void write_part(const struct kill_append *a, uint32_t number, unsigned p, struct buf *b) {
    static const char *const words[] = {"\"any\"", "\"none\"", "\"exists\""};
    const struct kill_part *part = &a->parts[p];
    must(buf_printf(b, "%s{\"stream\":\"k-%u\",\"expect\":", p ? "," : "", part->stream));
    if (part->expect == KILL_REVISION)
        must(buf_printf(b, "%u", part->revision));
    else
        must(buf_printf(b, "%s", words[part->expect]));
    must(buf_printf(b, ",\"events\":["));
    for (unsigned i = 0; i < part->count; i++) {
        must(buf_printf(b, "%s{\"id\":\"%u.%u.%u\",\"type\":\"T%u\",", i ? "," : "", number, p, i,
                        a->type));
        write_bits(b, "tags", 't', a->tags);
        must(buf_append(b, slice_lit("}")));
    }
    must(buf_append(b, slice_lit("]}")));
}

void kill_history_write(const struct kill_history *h, uint32_t number, struct buf *b) {
    const struct kill_append *a = &h->appends[number];
    buf_clear(b);
    must(buf_append(b, slice_lit("{\"appends\":[")));
    for (unsigned p = 0; p < a->part_count; p++)
        write_part(a, number, p, b);
    must(buf_append(b, slice_lit("]")));
    if (a->conditional) {
        must(buf_append(b, slice_lit(",\"checks\":[{\"none\":{")));
        write_bits(b, "types", 'T', a->types_ruled_out);
        must(buf_append(b, slice_lit(",")));
        write_bits(b, "tags", 't', a->tags_ruled_out);
        must(buf_printf(b, "},\"after\":%u}]", a->after));
    }
    must(buf_append(b, slice_lit("}")));
}

void kill_history_unsure(struct kill_history *h, uint32_t number) {
    if (h->unsure_count == UNSURE_MAX) {
        fprintf(stderr, "crash_events: too many appends without an answer\n");
        exit(2);
    }
    h->appends[number].state = KILL_UNSURE;
    h->unsure[h->unsure_count++] = number;
}

bool kill_history_again(struct kill_history *h, uint32_t *ret_number) {
    if (!h->unsure_count)
        return false;
    *ret_number = h->unsure[--h->unsure_count];
    return true;
}

/* --- answers ---------------------------------------------------------------------------------- */

static uint32_t event_count(const struct kill_append *a) {
    uint32_t count = 0;
    for (unsigned p = 0; p < a->part_count; p++)
        count += a->parts[p].count;
    return count;
}

static uint32_t number_of(json_value v, const char *key) {
    uint64_t number = UINT32_MAX;
    (void)!json_u64(json_member(v, slice_str(key)), &number);
    return (uint32_t)number;
}

/* It is at POSITION, whoever says so. */
static void place(struct kill_history *h, uint32_t number, uint32_t position, const char *how) {
    struct kill_append *a = &h->appends[number];
    if (a->position && a->position != position)
        broken(h, "append %u is at %u, and %s at %u", number, a->position, how, position);
    a->position = position;
}

static void on_stored(struct kill_history *h, uint32_t number, json_value answer) {
    struct kill_append *a = &h->appends[number];
    uint32_t last = number_of(answer, "position"), count = event_count(a);
    struct json_iterator i = json_each(json_member(answer, slice_lit("streams")));
    place(h, number, last - count + 1, "acknowledged");
    for (unsigned p = 0; p < a->part_count && json_next(&i); p++) {
        struct kill_part *part = &a->parts[p];
        uint32_t first = number_of(i.value, "first");
        if (number_of(i.value, "last") != first + part->count - 1)
            broken(h, "append %u: the revisions told are not %u", number, part->count);
        if ((a->read || a->told) && part->first != first)
            broken(h, "append %u is at revision %u of k-%u, and acknowledged at %u", number,
                   part->first, part->stream, first);
        part->first = first;
        if (h->hoped[part->stream] < first + part->count)
            h->hoped[part->stream] = first + part->count;
    }
    if (last > h->acknowledged)
        h->acknowledged = last;
    if (!a->read && !a->told)
        h->unread[h->unread_count++] = number;
    a->told = true;
    a->state = KILL_STORED;
}

void kill_history_answer(struct kill_history *h, uint32_t number, unsigned status, slice body) {
    struct kill_append *a = &h->appends[number];
    struct json_doc doc;
    json_init(&doc);
    if (json_parse(&doc, body)) {
        broken(h, "append %u: the answer is no JSON", number);
    } else if (status == 200 || status == 201) {
        if (status == 201 && a->read)
            broken(h, "append %u was there, and has been appended again", number);
        h->repeated += status == 200;
        on_stored(h, number, json_root(&doc));
    } else if (status == 409) {
        if (a->read || a->told)
            broken(h, "append %u was there, and is refused: %.*s", number,
                   slice_fmt(slice_take(body, 300)));
        h->conflicts++;
        a->state = KILL_REFUSED;
    } else {
        broken(h, "append %u: %u %.*s", number, status, slice_fmt(slice_take(body, 200)));
    }
    json_free(&doc);
}

/* --- reading ---------------------------------------------------------------------------------- */

static void judge_expectation(struct kill_history *h, uint32_t number, const struct kill_part *part,
                              uint32_t revision) {
    bool held = part->expect == KILL_ANY || (part->expect == KILL_NONE && revision == 0) ||
                (part->expect == KILL_EXISTS && revision > 0) ||
                (part->expect == KILL_REVISION && revision == part->revision + 1);
    if (!held)
        broken(h, "append %u is at revision %u of k-%u, which is not what it has expected", number,
               revision, part->stream);
}

static void judge_condition(struct kill_history *h, uint32_t number, uint32_t position) {
    const struct kill_append *a = &h->appends[number];
    for (uint32_t p = a->after + 1; a->conditional && p < position; p++) {
        const struct kill_append *other = &h->appends[h->seen[p].append];
        if ((a->types_ruled_out == 0 || (a->types_ruled_out >> other->type & 1)) &&
            (other->tags & a->tags_ruled_out) == a->tags_ruled_out)
            broken(h, "append %u is at %u, though %u is what its condition rules out", number,
                   position, p);
    }
}

static bool read_id(slice id, uint32_t *number, struct kill_seen *seen) {
    uint64_t parts[3];
    for (unsigned i = 0; i < 3; i++)
        if (number_parse_u64(slice_cut(id, '.', &id), &parts[i]))
            return false;
    *number = (uint32_t)parts[0];
    *seen = (struct kill_seen){*number, (uint8_t)parts[1], (uint8_t)parts[2]};
    return parts[1] < HISTORY_PARTS;
}

/* One that is read for the first time: the next of its append, or the first. */
static void judge_new(struct kill_history *h, const struct kill_seen *seen, uint32_t position,
                      uint32_t revision) {
    struct kill_append *a = &h->appends[seen->append];
    struct kill_part *part = &a->parts[seen->part];
    uint32_t offset = seen->part ? a->parts[0].count + seen->index : seen->index;
    if (a->state == KILL_REFUSED)
        broken(h, "append %u was refused, and is there at %u", seen->append, position);
    if (revision != h->next[part->stream]++)
        broken(h, "k-%u has no revision %u at %u, but %u", part->stream, h->next[part->stream] - 1,
               position, revision);
    place(h, seen->append, position - offset, "stored");
    if (seen->index == 0) {
        if (a->told && part->first != revision)
            broken(h, "append %u was acknowledged at revision %u of k-%u, and is at %u",
                   seen->append, part->first, part->stream, revision);
        part->first = revision;
        judge_expectation(h, seen->append, part, revision);
    } else if (revision != part->first + seen->index) {
        broken(h, "append %u: its events are not in a row in k-%u", seen->append, part->stream);
    }
    if (offset == 0)
        judge_condition(h, seen->append, position);
    a->read |= offset + 1 == event_count(a);
    if (h->hoped[part->stream] < h->next[part->stream])
        h->hoped[part->stream] = h->next[part->stream];
}

static void judge_event(struct kill_history *h, json_value v, uint32_t position) {
    struct kill_seen seen;
    uint32_t number, revision = number_of(v, "revision");
    slice id = {0};
    char stream[16];
    (void)!json_string(json_member(v, slice_lit("id")), &id);
    if (number_of(v, "position") != position)
        broken(h, "there is a gap at %u, or something twice", position);
    if (!read_id(id, &number, &seen) || number >= h->count ||
        seen.part >= h->appends[number].part_count ||
        seen.index >= h->appends[number].parts[seen.part].count) {
        broken(h, "%u is %.*s, which nobody has appended", position, slice_fmt(id));
        return;
    }
    snprintf(stream, sizeof stream, "k-%u", h->appends[number].parts[seen.part].stream);
    if (!json_string_is(json_member(v, slice_lit("stream")), slice_str(stream)))
        broken(h, "%.*s is not in %s", slice_fmt(id), stream);
    if (position <= h->last) { /* read before */
        const struct kill_seen *before = &h->seen[position];
        if (before->append != number || before->part != seen.part || before->index != seen.index)
            broken(h, "%u was another event before", position);
        return;
    }
    if (h->appends[number].read)
        broken(h, "append %u is there twice, at %u again", number, position);
    h->seen[position] = seen;
    h->last = position;
    judge_new(h, &seen, position, revision);
}

bool kill_history_page(struct kill_history *h, json_value page, uint32_t *position) {
    bool caught_up = false;
    struct json_iterator i = json_each(json_member(page, slice_lit("events")));
    while (json_next(&i))
        judge_event(h, i.value, ++*position);
    (void)!json_bool(json_member(page, slice_lit("caught_up")), &caught_up);
    return !caught_up;
}

void kill_history_read_end(struct kill_history *h) {
    for (uint32_t i = 0; i < h->unread_count; i++)
        if (!h->appends[h->unread[i]].read)
            broken(h, "append %u was acknowledged at %u, and is not there", h->unread[i],
                   h->appends[h->unread[i]].position);
    h->unread_count = 0;
    for (unsigned s = 0; s < HISTORY_STREAMS; s++)
        h->hoped[s] = h->next[s];
    uint32_t whole = h->last ? h->seen[h->last].append : 0;
    if (h->last && !h->appends[whole].read)
        broken(h, "append %u is there in part", whole);
}
