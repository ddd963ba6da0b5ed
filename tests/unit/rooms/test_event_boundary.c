#include "event_kit.h"

#include "base/number.h"
#include "base/random.h"

#include <stdlib.h>

/* Appends with random tags and conditions, many at once, over many seeds, through kills, power cuts
   and stops, against a plain list of what is there. The order in which they are judged is the
   engine's, so the list is read back and asked:

       of what is there each append's conditions held where it stands
       what was answered 201 is there, what was refused is not, whatever has no answer is whole
       a refusal names an event that the item is matched by, behind `after`
       an append that is there is a success when it is repeated, as often as that is done
       backwards by tags are the same events as forwards
       what was deleted meanwhile is neither in the way, nor does it hide what is left
       `verify` finds nothing: every record leads to the one before with each of its tags */

#define TAGS 5u
#define TYPES 3u
#define ITEMS 2u
#define ASKED_MAX 3000u
#define LIVES 6u

struct item {
    unsigned types, tags; /* bits */
};

struct asked {
    unsigned type, tags; /* of its two events: the second has one tag more */
    struct item items[ITEMS];
    unsigned item_count, after;
    bool limited; /* has an `after` */
    bool there, refused, stored;
    unsigned position; /* of its first event, where it is there */
    unsigned number;   /* of the last time it was asked */
    unsigned life;     /* then */
};

struct seen {
    bool there; /* else it was deleted */
    unsigned type, tags;
};

struct trial {
    struct event_house *eh;
    struct random random;
    struct asked asked[ASKED_MAX];
    unsigned count, life, heard;
    bool deletes;
    struct seen seen[2 * ASKED_MAX + 1]; /* by position */
    unsigned last;
    struct buf body;
};

static unsigned below(struct trial *t, unsigned bound) {
    return (unsigned)random_below(&t->random, bound);
}

static bool item_matches(const struct item *item, unsigned type, unsigned tags) {
    return (item->types == 0 || (item->types >> type & 1)) && (tags & item->tags) == item->tags;
}

static bool seen_matches(const struct item *item, const struct seen *seen) {
    return seen->there && item_matches(item, seen->type, seen->tags);
}

/* --- asking --------------------------------------------------------------------------------- */

static void write_list(struct buf *b, const char *key, const char *prefix, unsigned bits) {
    bool first = true;
    assert_int_equal(buf_printf(b, "\"%s\":[", key), 0);
    for (unsigned i = 0; bits >> i; i++) {
        if (!(bits >> i & 1))
            continue;
        assert_int_equal(buf_printf(b, "%s\"%s%u\"", first ? "" : ",", prefix, i), 0);
        first = false;
    }
    assert_int_equal(buf_printf(b, "]"), 0);
}

static void write_event(struct buf *b, unsigned index, unsigned half, unsigned type,
                        unsigned tags) {
    assert_int_equal(buf_printf(b, "{\"type\":\"T%u\",\"id\":\"%u.%u\",", type, index, half), 0);
    write_list(b, "tags", "t:", tags);
    assert_int_equal(buf_printf(b, "}"), 0);
}

static unsigned second_tags(const struct asked *a) {
    return a->tags | 1u << (a->type % TAGS);
}

static void ask_again(struct trial *t, unsigned index) {
    struct asked *a = &t->asked[index];
    struct buf *b = &t->body;
    buf_clear(b);
    assert_int_equal(buf_printf(b, "{\"appends\":[{\"stream\":\"s-%u\",\"events\":[", index % 7),
                     0);
    write_event(b, index, 0, a->type, a->tags);
    assert_int_equal(buf_printf(b, "]},{\"stream\":\"x-%u\",\"events\":[", index % 3), 0);
    write_event(b, index, 1, a->type, second_tags(a));
    assert_int_equal(buf_printf(b, "]}],\"checks\":[{\"none\":["), 0);
    for (unsigned i = 0; i < a->item_count; i++) {
        assert_int_equal(buf_printf(b, "%s{", i ? "," : ""), 0);
        write_list(b, "types", "T", a->items[i].types);
        assert_int_equal(buf_printf(b, ","), 0);
        write_list(b, "tags", "t:", a->items[i].tags);
        assert_int_equal(buf_printf(b, "}"), 0);
    }
    assert_int_equal(buf_printf(b, "]"), 0);
    if (a->limited)
        assert_int_equal(buf_printf(b, ",\"after\":%u", a->after), 0);
    assert_int_equal(buf_printf(b, "}]}"), 0);
    a->number = event_ask(t->eh, NULL, buf_slice(b));
    a->life = t->life;
}

static void ask_new(struct trial *t) {
    if (t->count == ASKED_MAX)
        return;
    struct asked *a = &t->asked[t->count];
    *a = (struct asked){.type = below(t, TYPES), .tags = below(t, 1u << TAGS)};
    a->tags &= below(t, 1u << TAGS); /* few */
    a->limited = below(t, 3) > 0;
    a->after = below(t, 4) ? t->last : below(t, t->last + 20);
    a->item_count = 1 + below(t, ITEMS);
    for (unsigned i = 0; i < a->item_count; i++) {
        a->items[i] = (struct item){below(t, 1u << TYPES), below(t, 1u << TAGS)};
        a->items[i].types &= below(t, 1u << TYPES);
        if (!a->limited && !a->items[i].types && !a->items[i].tags)
            a->items[i].tags = 1;
    }
    ask_again(t, t->count++);
}

/* --- answers -------------------------------------------------------------------------------- */

static uint64_t number_of(json_value v, const char *key) {
    uint64_t number = 0;
    assert_int_equal(json_u64(json_member(v, slice_str(key)), &number), 0);
    return number;
}

/* The event named may get lost with the machine, but it never is one that is not ruled out. */
static void judge_violations(struct trial *t, const struct asked *a, slice body) {
    struct json_doc doc;
    json_init(&doc);
    assert_int_equal(json_parse(&doc, body), 0);
    struct json_iterator i = json_each(json_member(json_root(&doc), slice_lit("violations")));
    unsigned told = 0;
    while (json_next(&i)) {
        const struct item *item = &a->items[number_of(i.value, "item")];
        slice type;
        uint64_t position = number_of(i.value, "position");
        assert_int_equal(number_of(i.value, "index"), 0);
        assert_true(position > (a->limited ? a->after : 0));
        assert_int_equal(json_string(json_member(i.value, slice_lit("type")), &type), 0);
        assert_true(item->types == 0 || (item->types >> (type.ptr[1] - '0') & 1));
        if (position <= t->last && t->seen[position].there)
            assert_true(item_matches(item, t->seen[position].type, t->seen[position].tags));
        told++;
    }
    assert_true(told > 0);
    json_free(&doc);
}

static void hear(struct trial *t) {
    for (unsigned i = 0; i < t->count; i++) {
        struct asked *a = &t->asked[i];
        if (a->life != t->life)
            continue;
        struct event_answer answer = event_answer(t->eh, a->number);
        if (!answer.come)
            continue;
        a->life = UINT32_MAX;
        t->heard++;
        if (answer.status >= 500) /* the machine was cut: as good as no answer */
            continue;
        if (answer.status == 409)
            judge_violations(t, a, answer.body);
        else if (answer.status != 200 && answer.status != 201)
            fail_msg("%u: %.*s", answer.status, slice_fmt(answer.body));
        assert_true(!a->there || answer.status == 200);
        a->refused = answer.status == 409;
        a->stored |= answer.status != 409;
    }
    catcher_clear(&t->eh->answers);
}

/* --- what is there -------------------------------------------------------------------------- */

static unsigned bits_of(json_value list) {
    unsigned bits = 0;
    struct json_iterator i = json_each(list);
    while (json_next(&i)) {
        slice tag;
        assert_int_equal(json_string(i.value, &tag), 0);
        bits |= 1u << (tag.ptr[2] - '0');
    }
    return bits;
}

static void take_line(struct trial *t, slice line, struct json_doc *doc) {
    slice id, type, half;
    uint64_t of = 0;
    assert_int_equal(json_parse(doc, line), 0);
    json_value v = json_root(doc);
    unsigned position = (unsigned)number_of(v, "position");
    assert_true(position > t->last);
    while (++t->last < position)
        t->seen[t->last] = (struct seen){0};
    assert_int_equal(json_string(json_member(v, slice_lit("id")), &id), 0);
    assert_int_equal(json_string(json_member(v, slice_lit("type")), &type), 0);
    id = slice_cut(id, '.', &half);
    assert_int_equal(number_parse_u64(id, &of), 0);
    struct asked *a = &t->asked[of];
    struct seen *seen = &t->seen[position];
    *seen = (struct seen){.there = true, .type = (unsigned)(type.ptr[1] - '0')};
    seen->tags = bits_of(json_member(v, slice_lit("tags")));
    assert_int_equal(seen->type, a->type);
    if (half.ptr[0] == '0') {
        assert_false(a->there && a->position != position);
        a->there = true;
        a->position = position;
        assert_int_equal(seen->tags, a->tags);
    } else {
        assert_true(a->there && a->position + 1 == position);
        assert_int_equal(seen->tags, second_tags(a));
    }
}

static void judge_boundary(const struct trial *t, const struct asked *a) {
    for (unsigned p = (a->limited ? a->after : 0) + 1; p < a->position; p++)
        for (unsigned i = 0; i < a->item_count; i++)
            if (seen_matches(&a->items[i], &t->seen[p]))
                fail_msg("append %ld at %u: event %u is ruled out", (long)(a - t->asked),
                         a->position, p);
}

static void read_all(struct trial *t) {
    struct read_options options = {.from = 1, .limit = 1000};
    struct json_doc doc;
    json_init(&doc);
    t->last = 0;
    for (bool more = true; more;) {
        struct event_page page = event_read_page(t->eh, &options);
        assert_int_equal(page.end.status, 200);
        slice lines = page.end.lines;
        while (lines.len)
            take_line(t, slice_cut(lines, '\n', &lines), &doc);
        more = !page.end.caught_up;
        options.from = page.end.next;
        event_page_free(&page);
    }
    json_free(&doc);
}

static void take_up(struct trial *t) {
    for (unsigned i = 0; i < t->count; i++)
        t->asked[i].there = false;
    read_all(t);
    for (unsigned i = 0; i < t->count; i++) {
        struct asked *a = &t->asked[i];
        assert_true(!a->stored || a->there);
        assert_false(a->refused && a->there);
        if (a->there)
            judge_boundary(t, a);
        a->stored |= a->there;
        a->life = UINT32_MAX;
    }
    struct event_verified v = event_verify(t->eh);
    assert_string_equal(v.findings, "");
}

/* Pages backwards from somewhere, against the list. */
static void read_back(struct trial *t) {
    struct item item = {0, 1u + below(t, (1u << TAGS) - 1)};
    char names[TAGS][8];
    struct read_options options = {.backwards = true, .limit = 1 + below(t, 20)};
    options.from = below(t, 2) ? UINT64_MAX : 1 + below(t, t->last + 10);
    for (unsigned i = 0; i < TAGS; i++)
        if (item.tags >> i & 1) {
            snprintf(names[i], sizeof names[i], "t:%u", i);
            options.tags[options.tag_count++] = slice_str(names[i]);
        }
    struct json_doc doc;
    json_init(&doc);
    unsigned at = options.from < t->last ? (unsigned)options.from : t->last;
    while (options.from != UINT64_MAX || at == t->last) {
        struct event_page page = event_read_page(t->eh, &options);
        assert_int_equal(page.end.status, 200);
        assert_true(page.end.last >= t->last);
        slice lines = page.end.lines;
        while (lines.len) {
            assert_int_equal(json_parse(&doc, slice_cut(lines, '\n', &lines)), 0);
            while (at && !seen_matches(&item, &t->seen[at]))
                at--;
            assert_int_equal(number_of(json_root(&doc), "position"), at--);
        }
        options.from = page.end.next;
        event_page_free(&page);
        if (options.from == UINT64_MAX)
            break;
    }
    while (at && !seen_matches(&item, &t->seen[at]))
        at--;
    assert_int_equal(at, 0);
    json_free(&doc);
}

/* --- lives ---------------------------------------------------------------------------------- */

static bool all_heard(void *self) {
    struct trial *t = self;
    hear(t);
    for (unsigned i = 0; i < t->count; i++)
        if (t->asked[i].life == t->life)
            return false;
    return true;
}

static void repeat_one(struct trial *t) {
    unsigned index = t->count ? below(t, t->count) : 0;
    if (t->count && t->asked[index].life == UINT32_MAX && !t->asked[index].refused)
        ask_again(t, index);
}

/* Second events go: "s-" streams, with the first of each append, stay. */
static void delete_some(struct trial *t) {
    char stream[8];
    snprintf(stream, sizeof stream, "x-%u", below(t, 3));
    struct life_change change = {.ask = LIFE_DELETE, .version = LIFE_ANY_VERSION};
    event_ask_life(t->eh, stream, &change, NULL, NULL);
}

static void live(struct trial *t, enum event_end end) {
    struct io_host *host = t->eh->house->host;
    t->eh->house->fatals = 0;
    if (end == EVENT_CUT)
        sim_cut_at(host, 1 + below(t, 100));
    for (unsigned i = 0; i < 80 && !sim_host_down(host); i++) {
        if (below(t, 6))
            ask_new(t);
        else
            repeat_one(t);
        if (t->deletes && below(t, 10) == 0)
            delete_some(t);
        if (below(t, 6) == 0)
            house_run(t->eh->house, below(t, 1000000));
        if (below(t, 40) == 0 && end == EVENT_STOP) {
            assert_true(all_heard(t) ||
                        sim_run_until(t->eh->house->sim, all_heard, t, HOUSE_LIMIT));
            take_up(t);
            read_back(t);
        }
        hear(t);
    }
    sim_cut_at(host, 0);
    if (end == EVENT_STOP)
        assert_true(all_heard(t) || sim_run_until(t->eh->house->sim, all_heard, t, HOUSE_LIMIT));
}

static void try(uint64_t seed, bool deletes) {
    struct trial *t = mem_zalloc(1, sizeof *t);
    assert_non_null(t);
    t->eh = event_house_open(seed);
    t->random = random_make(seed);
    t->deletes = deletes;
    t->body = buf_make(1u << 16);
    for (t->life = 0; t->life < LIVES; t->life++) {
        enum event_end end = (enum event_end)below(t, 3);
        live(t, end);
        event_house_again(t->eh, end);
        take_up(t);
        for (unsigned i = 0; i < 5 && t->last; i++)
            read_back(t);
    }
    assert_true(t->heard > 0);
    buf_free(&t->body);
    event_house_close(t->eh);
    mem_free(t);
}

static void try_all(uint64_t usual, bool deletes) {
    const char *given = getenv("SEEDS");
    uint64_t seeds = given ? strtoull(given, NULL, 10) : usual;
    for (uint64_t seed = 1; seed <= seeds; seed++)
        try(seed, deletes);
}

static void test_no_event_is_inside_a_boundary(void **state) {
    (void)state;
    try_all(30, false);
}

static void test_nor_where_events_are_deleted(void **state) {
    (void)state;
    try_all(30, true);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_event_is_inside_a_boundary),
        cmocka_unit_test(test_nor_where_events_are_deleted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
