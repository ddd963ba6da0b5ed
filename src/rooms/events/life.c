/*
 * life.c - see life.h.
 *
 * Deleted is no flag that an append would have to take back: a stream is deleted as long as it has
 * the number of events that it had when it was deleted. So an append writes no note.
 */
#include "rooms/events/life.h"

#include "base/hex.h"
#include "base/number.h"
#include "rooms/events/notes.h"
#include "wire/json.h"
#include "wire/json_write.h"

#include <errno.h>

const char *expect_word(unsigned expect) {
    static const char *const words[] = {"any", "none", "exists", "", "deleted", "tombstoned"};
    return expect < array_count(words) ? words[expect] : NULL;
}

int expect_read(slice text, enum expect *ret_expect, uint64_t *revision) {
    for (unsigned i = 0; expect_word(i); i++)
        if (i != EXPECT_REVISION && slice_equal(text, slice_str(expect_word(i)))) {
            *ret_expect = (enum expect)i;
            return 0;
        }
    *ret_expect = EXPECT_REVISION;
    return number_parse_u64(text, revision) || *revision > INT64_MAX ? -EINVAL : 0;
}

/* --- what is there ------------------------------------------------------------------------ */

enum life_state life_state(const struct life *life, uint64_t number) {
    if (life->tombstoned)
        return LIFE_TOMBSTONED;
    if (!number)
        return LIFE_NEVER;
    return life->deleted == number ? LIFE_DELETED : LIFE_ALIVE;
}

static uint64_t greater(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

uint64_t life_gone(const struct life *life, uint64_t number) {
    uint64_t gone = greater(greater(life->floor, life->truncate_before), life->swept);
    if (life->tombstoned)
        gone = greater(gone, number);
    if (life->max_count && number > life->max_count)
        gone = greater(gone, number - life->max_count);
    return gone;
}

bool life_expired(const struct life *life, int64_t time_ns, int64_t now_ns) {
    return life->max_age_ns && time_ns < now_ns && (uint64_t)(now_ns - time_ns) > life->max_age_ns;
}

bool life_fits(const struct life *life, uint64_t number, enum expect expect, uint64_t revision,
               bool writes) {
    enum life_state state = life_state(life, number);
    if (state == LIFE_TOMBSTONED)
        return !writes && (expect == EXPECT_NONE || expect == EXPECT_TOMBSTONED);
    switch (expect) {
    case EXPECT_ANY:
        return true;
    case EXPECT_NONE:
        return state != LIFE_ALIVE;
    case EXPECT_EXISTS: /* one that has limits already is there, too */
        return state == LIFE_ALIVE || (state == LIFE_NEVER && life->version);
    case EXPECT_REVISION:
        return number == revision + 1;
    case EXPECT_DELETED:
        return state == LIFE_DELETED;
    default:
        return false;
    }
}

/* --- changes ------------------------------------------------------------------------------ */

void life_limit(struct life *life, uint64_t number, const struct life_limits *limits) {
    life->floor = life_gone(life, number); /* what is gone does not come back */
    life->max_count = limits->max_count;
    life->max_age_ns = limits->max_age_ns;
    life->truncate_before = limits->truncate_before;
    life->version++;
}

void life_delete(struct life *life, uint64_t number) {
    life->deleted = number;
    life->truncate_before = number;
    life->version++;
}

void life_tombstone(struct life *life, uint64_t number) {
    life->deleted = number;
    life->tombstoned = true;
    life->clean = number == 0;
    life->version++;
}

bool life_works(const struct life *life, uint64_t number) {
    if (life->tombstoned)
        return !life->clean;
    return life->max_count || life->max_age_ns || life->swept < life_gone(life, number);
}

uint64_t life_sweeps(const struct life *life, uint64_t number) {
    uint64_t asked = greater(greater(life->floor, life->truncate_before), life->swept);
    uint64_t gone = life_gone(life, number);
    uint64_t slack = life->max_count < 16 ? 16 : life->max_count;
    if (life->tombstoned)
        return number;
    return gone - life->swept >= (slack < LIFE_SLACK ? slack : LIFE_SLACK) ? gone : asked;
}

/* --- the note ----------------------------------------------------------------------------- */

/* Numbers that are 0 are left out. */
static const struct {
    const char *key;
    size_t at;
} numbers[] = {
    {"version", offsetof(struct life, version)},
    {"max_count", offsetof(struct life, max_count)},
    {"max_age_ns", offsetof(struct life, max_age_ns)},
    {"truncate_before", offsetof(struct life, truncate_before)},
    {"floor", offsetof(struct life, floor)},
    {"deleted", offsetof(struct life, deleted)},
    {"swept", offsetof(struct life, swept)},
    {"mark", offsetof(struct life, mark)},
};

static uint64_t *number_of(struct life *life, size_t index) {
    return (uint64_t *)(void *)((char *)life + numbers[index].at);
}

static bool read_kept(json_value list, struct life *life) {
    struct json_iterator i = json_each(list);
    while (json_next(&i)) {
        if (life->kept_count == LIFE_KEPT_MAX ||
            json_u64(i.value, &life->kept[life->kept_count].number) || !json_next(&i) ||
            json_u64(i.value, &life->kept[life->kept_count].sequence))
            return false;
        life->kept_count++;
    }
    return true;
}

static bool read_flag(json_value v, const char *key, bool *flag) {
    int result = json_bool(json_member(v, slice_str(key)), flag);
    return !result || result == -ENOENT;
}

static bool read_life(json_value v, struct life *life) {
    slice hex = {0};
    size_t len = 0;
    int result;
    for (size_t i = 0; i < array_count(numbers); i++) {
        result = json_u64(json_member(v, slice_str(numbers[i].key)), number_of(life, i));
        if (result && result != -ENOENT)
            return false;
    }
    if (!read_flag(v, "tombstoned", &life->tombstoned) || !read_flag(v, "clean", &life->clean))
        return false;
    result = json_string(json_member(v, slice_lit("chain")), &hex);
    if (result == 0 &&
        (hex_decode(hex, life->chain, sizeof life->chain, &len) || len != sizeof life->chain))
        return false;
    return (result == 0) == (life->swept > 0) && read_kept(json_member(v, slice_lit("kept")), life);
}

int life_read(slice text, struct life *ret_life) {
    struct json_doc doc;
    struct life life = {0};
    json_init(&doc);
    int failed = json_parse(&doc, text);
    if (failed != -ENOMEM)
        failed = !failed && json_type_of(json_root(&doc)) == JSON_OBJECT &&
                         read_life(json_root(&doc), &life)
                     ? 0
                     : -EBADMSG;
    json_free(&doc);
    if (!failed)
        *ret_life = life;
    return failed;
}

static void write_kept(const struct life *life, struct json_writer *w) {
    json_write_key(w, "kept");
    json_write_array(w);
    for (unsigned i = 0; i < life->kept_count; i++) {
        json_write_u64(w, life->kept[i].number);
        json_write_u64(w, life->kept[i].sequence);
    }
    json_write_end(w);
}

static void write_flag(struct json_writer *w, const char *key) {
    json_write_key(w, key);
    json_write_bool(w, true);
}

int life_write(const struct life *life, struct buf *out) {
    char hex[EVENT_CHAIN_BYTES * 2 + 1];
    struct life copy = *life;
    struct json_writer w = json_writer_make(out, false);
    json_write_object(&w);
    for (size_t i = 0; i < array_count(numbers); i++) {
        if (!*number_of(&copy, i))
            continue;
        json_write_key(&w, numbers[i].key);
        json_write_u64(&w, *number_of(&copy, i));
    }
    if (life->tombstoned)
        write_flag(&w, "tombstoned");
    if (life->clean)
        write_flag(&w, "clean");
    if (life->swept) {
        hex_encode(slice_make((const char *)life->chain, sizeof life->chain), hex);
        json_write_key(&w, "chain");
        json_write_string(&w, slice_make(hex, sizeof life->chain * 2));
    }
    if (life->kept_count)
        write_kept(life, &w);
    json_write_end(&w);
    return json_write_finish(&w);
}

int life_subject(slice subject, struct buf *out) {
    int failed = buf_append(out, slice_lit(LIFE_PREFIX));
    return failed ? failed : buf_append(out, slice_skip(subject, sizeof EVENT_PREFIX - 1));
}
