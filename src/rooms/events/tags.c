/*
 * tags.c - see tags.h.
 *
 * An end that nobody has used yet has its note read once; after that it follows what is appended.
 * One without events is not kept: whoever asks for tags at random would drive out those that are.
 */
#include "rooms/events/tags.h"

#include "base/mem.h"

#include <errno.h>

/* While its note is read. */
struct tag_loading {
    struct fetch fetch;
    struct tag_end *end;
};

static void stop_loading(struct tag_end *end) {
    if (end->loading)
        fetch_cancel(&end->loading->fetch);
    end->loading = mem_free(end->loading);
}

static void end_free(struct tag_end *end) {
    stop_loading(end);
    if (!end->stale)
        map_remove(&end->engine->tags, end->tag);
    mem_free(end);
}

static void drop_idle(struct engine *engine) {
    struct list_node *node = list_pop_front(&engine->tags_idle);
    engine->tags_idle_count--;
    end_free(container_of(node, struct tag_end, node));
}

/* --- loading ------------------------------------------------------------------------------ */

int tag_read_note(slice text, uint64_t *ret_last, uint64_t *ret_count) {
    slice count;
    slice last = slice_cut(text, ' ', &count);
    return number_parse_u64(last, ret_last) || number_parse_u64(count, ret_count) || !*ret_last
               ? -EBADMSG
               : 0;
}

static void load(struct tag_end *end) {
    struct log_record record;
    int failed = notes_read(&end->loading->fetch, end->subject, &record);
    if (failed == -EINPROGRESS)
        return;
    if (!failed)
        failed = tag_read_note(record.payload, &end->last, &end->count);
    end->failed = failed == -ENOENT ? 0 : failed;
    end->state = end->failed ? TAG_FAILED : TAG_READY;
    stop_loading(end);
    io_defer(end->engine->loop, &end->engine->pump);
}

static void on_fetched(struct fetch *fetch) {
    load(container_of(fetch, struct tag_loading, fetch)->end);
}

/* One without a note needs no loading. */
static bool begin_loading(struct tag_end *end) {
    end->state = TAG_READY;
    if (!notes_have(end->engine, end->subject))
        return true;
    end->loading = mem_zalloc(1, sizeof *end->loading);
    if (!end->loading)
        return false;
    end->state = TAG_LOADING;
    end->loading->end = end;
    fetch_init(&end->loading->fetch, end->engine, on_fetched);
    load(end);
    return true;
}

/* --- taking and giving back --------------------------------------------------------------- */

int tag_subject(slice tag, struct buf *out) {
    int failed = buf_append(out, slice_lit(TAG_PREFIX));
    return failed ? failed : event_token(tag, out);
}

static struct tag_end *end_new(struct engine *engine, slice tag) {
    char room[sizeof TAG_PREFIX + EVENT_TAG_ROOM];
    struct buf subject = {.ptr = room, .cap = sizeof room, .max = sizeof room};
    check(tag.len <= EVENT_TAG_MAX);
    check(tag_subject(tag, &subject) == 0);
    struct tag_end *end = mem_zalloc(1, sizeof *end + tag.len + subject.len);
    if (!end)
        return NULL;
    char *at = end->text;
    end->tag = slice_store(&at, tag);
    end->subject = slice_store(&at, buf_slice(&subject));
    end->engine = engine;
    list_node_init(&end->node);
    list_node_init(&end->note.node);
    if (map_add(&engine->tags, end->tag, end))
        return mem_free(end);
    return end;
}

struct tag_end *tag_take(struct engine *engine, slice tag) {
    struct tag_end *end = map_find(&engine->tags, tag);
    if (end && list_linked(&end->node)) {
        list_remove(&end->node);
        engine->tags_idle_count--;
    }
    if (end) {
        end->refs++;
        return end;
    }
    end = end_new(engine, tag);
    if (!end)
        return NULL;
    end->refs = 1;
    if (begin_loading(end))
        return end;
    end_free(end);
    return NULL;
}

void tag_give(struct tag_end *end) {
    if (!end || --end->refs > 0)
        return;
    struct engine *engine = end->engine;
    if (end->stale || end->state != TAG_READY || !end->last) {
        end_free(end);
        return;
    }
    list_push_back(&engine->tags_idle, &end->node);
    engine->tags_idle_count++;
    while (engine->tags_idle_count > TAGS_IDLE_MAX)
        drop_idle(engine);
}

void tags_forget(struct engine *engine) {
    while (!list_empty(&engine->tags_idle))
        drop_idle(engine);
    const struct map_entry *entry;
    for (size_t at = 0; (entry = map_next(&engine->tags, &at));) {
        struct tag_end *end = entry->value;
        end->stale = true;
        if (end->state == TAG_LOADING) {
            stop_loading(end);
            end->state = TAG_FAILED;
            end->failed = -EBADMSG;
        }
        map_remove(&engine->tags, end->tag);
    }
}

/* --- storing ------------------------------------------------------------------------------ */

static void begin_draft(struct tag_end *end) {
    if (end->drafted)
        return;
    end->drafted = true;
    end->draft = end->last;
    end->draft_count = end->count;
    end->removed = 0;
    end->note = (struct note){.subject = end->subject};
    notes_add(end->engine, &end->note);
}

static void write_note(struct tag_end *end) {
    size_t len = number_format_u64(end->draft, end->note_text);
    end->note_text[len++] = ' ';
    len += number_format_u64(end->draft_count, end->note_text + len);
    end->note.text = slice_make(end->note_text, len);
    end->note.remove = !end->draft_count;
}

static void draft(struct tag_end *end, uint64_t sequence) {
    begin_draft(end);
    if (end->draft == sequence) /* the event has the tag twice */
        return;
    end->before = end->draft;
    end->draft = sequence;
    end->draft_count++;
    write_note(end);
}

void tag_draft_removal(struct tag_end *end, uint64_t sequence, uint64_t before) {
    if (end->state != TAG_READY || !end->last) /* nobody knows; it is counted on */
        return;
    begin_draft(end);
    if (end->removed == sequence) /* the event had the tag twice */
        return;
    end->removed = sequence;
    if (end->draft == sequence)
        end->draft = before;
    end->draft_count -= end->draft_count > 0;
    if (!end->draft || !end->draft_count) /* where nothing is before it there is none */
        end->draft = end->draft_count = 0;
    write_note(end);
}

int tags_draft(struct tag_end *const *ends, unsigned count, uint64_t sequence, struct buf *tagged) {
    int failed = 0;
    for (unsigned i = 0; i < count && !failed; i++) {
        draft(ends[i], sequence);
        failed = event_tagged_add(tagged, ends[i]->before);
    }
    return failed;
}

void tags_settle(struct tag_end *const *ends, unsigned count, bool stored) {
    for (unsigned i = 0; i < count; i++) {
        struct tag_end *end = ends[i];
        if (stored && end->drafted) {
            end->last = end->draft;
            end->count = end->draft_count;
        }
        end->drafted = false;
    }
}
