/*
 * snapshot.c - see snapshot.h.
 *
 * A note that cannot be read is as good as none: the state is folded from one before it, or from
 * the first event, and written anew. So nothing here is an error but the want of memory.
 */
#include "rooms/events/snapshot.h"

#include "base/hex.h"
#include "rooms/events/notes.h"
#include "wire/json_write.h"

#include <errno.h>
#include <stdio.h>

#define FOLD_TEXT_MAX 64u

int snapshot_subject(slice subject, uint64_t number, struct buf *out) {
    slice rest = slice_skip(subject, sizeof EVENT_PREFIX - 1);
    int failed = buf_printf(out, NOTES_PREFIX "state.%.*s.%llu", slice_fmt(rest),
                            (unsigned long long)number);
    return failed ? -ENOMEM : 0;
}

static slice fold_text(const struct fold *fold, char out[FOLD_TEXT_MAX]) {
    int len =
        snprintf(out, FOLD_TEXT_MAX, "%llu.%s", (unsigned long long)fold->version, fold->digest);
    return slice_make(out, (size_t)len);
}

int snapshot_write(const struct snapshot *snapshot, const struct fold *fold,
                   const struct fold_state *state, struct buf *out) {
    char text[FOLD_TEXT_MAX], hex[EVENT_CHAIN_BYTES * 2 + 1];
    struct json_writer w = json_writer_make(out, false);
    hex_encode(slice_make((const char *)snapshot->chain, EVENT_CHAIN_BYTES), hex);
    json_write_object(&w);
    json_write_key(&w, "fold");
    json_write_string(&w, fold_text(fold, text));
    json_write_key(&w, "position");
    json_write_u64(&w, snapshot->position);
    json_write_key(&w, "chain");
    json_write_string(&w, slice_make(hex, EVENT_CHAIN_BYTES * 2));
    json_write_key(&w, "from");
    json_write_u64(&w, snapshot->from);
    int failed = fold_state_write(state, &w);
    json_write_end(&w);
    return failed || json_write_finish(&w) ? -ENOMEM : 0;
}

static bool read_place(json_value v, struct snapshot *s) {
    slice hex;
    size_t len = 0;
    return json_u64(json_member(v, slice_lit("position")), &s->position) == 0 &&
           json_u64(json_member(v, slice_lit("from")), &s->from) == 0 &&
           json_string(json_member(v, slice_lit("chain")), &hex) == 0 &&
           hex_decode(hex, s->chain, sizeof s->chain, &len) == 0 && len == sizeof s->chain;
}

int snapshot_read(slice text, const struct fold *fold, struct json_doc *doc,
                  struct fold_state *state, struct snapshot *ret_snapshot) {
    char wanted[FOLD_TEXT_MAX];
    int failed = json_parse(doc, text);
    json_value v = json_root(doc);
    if (!failed && (!json_string_is(json_member(v, slice_lit("fold")), fold_text(fold, wanted)) ||
                    !read_place(v, ret_snapshot)))
        failed = -ENOENT;
    if (!failed)
        failed = fold_state_read(state, v);
    return !failed || failed == -ENOMEM ? failed : -ENOENT;
}
