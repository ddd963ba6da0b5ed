/*
 * nats_conf.c - the grammar of nats-server's configuration (nats_conf.h), straight down.
 *
 *      entries = { key [':' | '='] value end | include path }     end = line end, ';', ',' or '}'
 *      value   = '{' entries '}' | '[' values ']' | "..." | '...' | '(' lines ')' | word
 *
 * One function for each, calling each other as deep as NATS_CONF_DEPTH_MAX. A block under way is a
 * FRAME: a list of drafts that variables are sought in, innermost frame first, and that becomes an
 * array when the block ends. An include is read as if its text stood in its place, from a file of
 * its own, so that places stay true.
 */
#include "wire/nats_conf.h"

#include "wire/nats_conf_word.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

/* A text being read. */
struct file {
    slice name, text;
    size_t at, line_start;
    uint32_t line;
};

/* An entry before its block is complete. */
struct draft {
    struct nats_conf_entry entry;
    struct draft *next;
};

struct frame {
    struct frame *outer;
    struct draft *first, **last;
    uint32_t count, weight;
    bool keyed; /* a block, not an array */
};

struct reader {
    const struct nats_conf_source *source;
    struct arena *arena;
    struct error *e;
    struct file *file;
    struct frame *frame;
    size_t bytes; /* of all files so far */
    unsigned depth, includes, include_depth;
    uint32_t nodes;
    bool from_environment; /* a variable's text is being read: it refers to nothing */
};

static int read_value(struct reader *r, struct nats_conf_node **ret_node);

/* --- refusals ----------------------------------------------------------------------------- */

static struct conf_place here(const struct reader *r) {
    const struct file *f = r->file;
    return (struct conf_place){f->name, f->line, (uint32_t)(f->at - f->line_start) + 1};
}

static int refuse(struct reader *r, struct conf_place at, int code, const char *hint,
                  const char *format, ...) printf_like(5, 6);

static int refuse(struct reader *r, struct conf_place at, int code, const char *hint,
                  const char *format, ...) {
    char message[sizeof r->e->message];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    error_set(r->e, code, "%s", message);
    error_place(r->e, "%.*s%s%u:%u", slice_fmt(at.file), at.file.len ? ":" : "", at.line,
                at.column);
    if (hint)
        error_hint(r->e, "%s", hint);
    return code;
}

static int no_memory(struct reader *r) {
    return refuse(r, here(r), -ENOMEM, NULL, "there is no memory left to read this file");
}

/* --- characters --------------------------------------------------------------------------- */

static bool at_end(const struct reader *r) {
    return r->file->at >= r->file->text.len;
}

/* The next character; a NUL at the end (and where there is one: it ends nothing). */
static char peek(const struct reader *r) {
    return at_end(r) ? '\0' : r->file->text.ptr[r->file->at];
}

static void advance(struct reader *r) {
    struct file *f = r->file;
    if (f->text.ptr[f->at++] == '\n') {
        f->line++;
        f->line_start = f->at;
    }
}

static bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

static bool is_line_end(char c) {
    return c == '\n' || c == '\r';
}

static bool at_comment(const struct reader *r) {
    return peek(r) == '#' ||
           slice_starts_with(slice_skip(r->file->text, r->file->at), slice_lit("//"));
}

static void skip_blanks(struct reader *r) {
    while (!at_end(r) && is_blank(peek(r)))
        advance(r);
}

/* Blanks, line ends, comments, and what is in MARKS. */
static void skip_between(struct reader *r, const char *marks) {
    while (!at_end(r)) {
        char c = peek(r);
        if (at_comment(r)) {
            while (!at_end(r) && !is_line_end(peek(r)))
                advance(r);
        } else if (is_blank(c) || is_line_end(c) || (c && strchr(marks, c))) {
            advance(r);
        } else {
            return;
        }
    }
}

static bool ends_word(char c) {
    return is_blank(c) || is_line_end(c) || c == ';' || c == ',' || c == ']' || c == '}';
}

/* --- nodes -------------------------------------------------------------------------------- */

static struct nats_conf_node *new_node(struct reader *r, enum nats_conf_type type) {
    if (r->nodes == NATS_CONF_NODES_MAX) {
        refuse(r, here(r), -E2BIG, NULL, "the file holds too many values");
        return NULL;
    }
    struct nats_conf_node *node = arena_zalloc(r->arena, 1, sizeof *node);
    if (!node) {
        no_memory(r);
        return NULL;
    }
    r->nodes++;
    node->type = type;
    node->place = here(r);
    node->weight = 1;
    return node;
}

static struct draft *find_draft(const struct frame *frame, slice key) {
    struct draft *d = frame->keyed ? frame->first : NULL;
    while (d && !slice_equal(d->entry.key, key))
        d = d->next;
    return d;
}

/* Adds to the block or array under way; a key given again is given anew. */
static int attach(struct reader *r, const struct nats_conf_entry *entry) {
    struct frame *f = r->frame;
    struct draft *d = find_draft(f, entry->key);
    f->weight += entry->value->weight;
    if (f->weight > NATS_CONF_NODES_MAX)
        return refuse(r, entry->place, -E2BIG, NULL,
                      "the file holds too many values once its variables are filled in");
    if (d) {
        d->entry.value = entry->value;
        d->entry.place = entry->place;
        return 0;
    }
    if (f->keyed && f->count == NATS_CONF_KEYS_MAX)
        return refuse(r, entry->place, -E2BIG, NULL, "a block holds more than %u keys",
                      NATS_CONF_KEYS_MAX);
    d = arena_zalloc(r->arena, 1, sizeof *d);
    if (!d)
        return no_memory(r);
    d->entry = *entry;
    *f->last = d;
    f->last = &d->next;
    f->count++;
    return 0;
}

static void open_frame(struct reader *r, struct frame *frame, bool keyed) {
    *frame = (struct frame){.outer = r->frame, .last = &frame->first, .weight = 1, .keyed = keyed};
    r->frame = frame;
}

/* Lays the drafts out in NODE. */
static int close_frame(struct reader *r, struct nats_conf_node *node) {
    struct frame *frame = r->frame;
    struct nats_conf_entry *entries = arena_zalloc(r->arena, frame->count, sizeof *entries);
    r->frame = frame->outer;
    if (!entries)
        return no_memory(r);
    node->count = frame->count;
    node->weight = frame->weight;
    node->entries = entries;
    for (struct draft *d = frame->first; d; d = d->next)
        *entries++ = d->entry;
    return 0;
}

/* --- text --------------------------------------------------------------------------------- */

static int take_escaped(struct reader *r, struct conf_place start, slice text, slice *ret_text) {
    size_t wrong = 0;
    int failed = nats_conf_unescape(text, r->arena, ret_text, &wrong);
    if (failed == -ENOMEM)
        return no_memory(r);
    if (failed)
        return refuse(r, start, -EINVAL,
                      "there are \\xHH, \\t, \\n, \\r, \\\" and \\\\; quote with "
                      "'...' what holds other backslashes",
                      "this text has an escape that is none: '%.*s'",
                      slice_fmt(slice_take(slice_skip(text, wrong), 2)));
    return 0;
}

/* From a quote to the same quote. */
static int read_quoted(struct reader *r, slice *ret_text) {
    struct conf_place start = here(r);
    char quote = peek(r);
    advance(r);
    size_t from = r->file->at;
    while (!at_end(r) && peek(r) != quote) {
        bool escape = quote == '"' && peek(r) == '\\';
        advance(r);
        if (escape && !at_end(r))
            advance(r);
    }
    if (at_end(r))
        return refuse(r, start, -EINVAL, NULL, "this %c is never closed", quote);
    slice text = slice_make(r->file->text.ptr + from, r->file->at - from);
    advance(r);
    if (quote == '"')
        return take_escaped(r, start, text, ret_text);
    *ret_text = text;
    return 0;
}

/* Whether the text at hand is a line that holds ")" alone. */
static bool at_block_end(const struct reader *r) {
    slice rest = slice_skip(r->file->text, r->file->at);
    return peek(r) == ')' && r->file->at == r->file->line_start &&
           (rest.len == 1 || is_line_end(rest.ptr[1]));
}

static int read_lines(struct reader *r, slice *ret_text) {
    struct conf_place start = here(r);
    advance(r);
    size_t from = r->file->at;
    while (!at_end(r) && !at_block_end(r))
        advance(r);
    if (at_end(r))
        return refuse(r, start, -EINVAL, "end it with a line that holds ')' alone",
                      "this ( is never closed");
    *ret_text = slice_make(r->file->text.ptr + from, r->file->at - from);
    advance(r);
    return 0;
}

static slice take_word(struct reader *r) {
    size_t from = r->file->at;
    while (!at_end(r) && !ends_word(peek(r))) {
        bool escape = peek(r) == '\\';
        advance(r);
        if (escape && !at_end(r) && !is_line_end(peek(r)))
            advance(r);
    }
    return slice_make(r->file->text.ptr + from, r->file->at - from);
}

/* --- variables ---------------------------------------------------------------------------- */

/* TEXT of the environment as a value, or as it is where it is none. */
static int read_environment(struct reader *r, slice name, slice text, struct nats_conf_node *node) {
    struct error e, *outer_e = r->e;
    struct file file = {.name = name, .text = text, .line = 1}, *outer = r->file;
    struct frame *frame = r->frame;
    unsigned depth = r->depth;
    struct nats_conf_node *value = NULL;
    r->e = &e;
    r->file = &file;
    r->from_environment = true;
    skip_blanks(r);
    int failed = read_value(r, &value);
    if (!failed)
        skip_between(r, "");
    bool whole = !failed && at_end(r);
    r->e = outer_e;
    r->file = outer;
    r->frame = frame;
    r->depth = depth;
    r->from_environment = false;
    if (failed == -ENOMEM || failed == -E2BIG)
        return refuse(r, node->place, failed, NULL, "%s", e.message);
    struct conf_place place = node->place;
    if (whole)
        *node = *value;
    else
        node->text = text;
    node->place = place;
    return 0;
}

static int fill_from_environment(struct reader *r, slice name, struct nats_conf_node *node) {
    const struct nats_conf_source *source = r->source;
    slice text;
    int failed = source->variable ? source->variable(source->self, name, r->arena, &text) : -ENOENT;
    if (failed == -ENOMEM)
        return no_memory(r);
    if (failed)
        return refuse(r, node->place, -EINVAL,
                      "set it before the start, or give the key above its use",
                      "there is neither a key nor an environment variable '%.*s'",
                      slice_fmt(slice_take(name, 64)));
    return read_environment(r, name, text, node);
}

static int fill_variable(struct reader *r, slice name, struct nats_conf_node *node) {
    for (const struct frame *frame = r->frame; frame; frame = frame->outer) {
        struct draft *d = find_draft(frame, name);
        if (!d)
            continue;
        struct conf_place place = node->place;
        d->entry.is_variable = true;
        *node = *d->entry.value;
        node->place = place;
        return 0;
    }
    return fill_from_environment(r, name, node);
}

/* --- values ------------------------------------------------------------------------------- */

static int read_word(struct reader *r, struct nats_conf_node *node) {
    slice word = take_word(r);
    if (!word.len)
        return refuse(r, node->place, -EINVAL, "write the value in the line of its key",
                      "a value is missing here");
    if (!r->from_environment && nats_conf_is_variable(word))
        return fill_variable(r, slice_skip(word, 1), node);
    slice text;
    int failed = take_escaped(r, node->place, word, &text);
    if (failed)
        return failed;
    if (nats_conf_read_word(text, node))
        return refuse(r, node->place, -EINVAL, NULL, "the number %.*s does not fit in 64 bits",
                      slice_fmt(slice_take(word, 64)));
    return 0;
}

static int read_entries(struct reader *r, char end);

static int read_block(struct reader *r, struct nats_conf_node *node) {
    struct frame frame;
    advance(r);
    open_frame(r, &frame, true);
    int failed = read_entries(r, '}');
    if (failed)
        return failed;
    if (at_end(r))
        return refuse(r, node->place, -EINVAL, NULL, "this { is never closed");
    advance(r);
    return close_frame(r, node);
}

/* Behind an element: ',' or a line end, or the array's end. */
static int end_element(struct reader *r) {
    skip_blanks(r);
    char c = peek(r);
    if (at_end(r) || c == ',' || c == ']' || is_line_end(c) || at_comment(r))
        return 0;
    return refuse(r, here(r), -EINVAL, "put ',' or a line end between two elements",
                  "'%c' stands behind an element of an array", c);
}

static int read_array(struct reader *r, struct nats_conf_node *node) {
    struct frame frame;
    advance(r);
    open_frame(r, &frame, false);
    for (skip_between(r, ","); !at_end(r) && peek(r) != ']'; skip_between(r, ",")) {
        struct nats_conf_node *value;
        struct nats_conf_entry entry = {.place = here(r)};
        int failed = read_value(r, &value);
        entry.value = failed ? NULL : value;
        if (!failed)
            failed = attach(r, &entry);
        if (!failed)
            failed = end_element(r);
        if (failed)
            return failed;
    }
    if (at_end(r))
        return refuse(r, node->place, -EINVAL, NULL, "this [ is never closed");
    advance(r);
    return close_frame(r, node);
}

static int read_value(struct reader *r, struct nats_conf_node **ret_node) {
    char c = peek(r);
    struct nats_conf_node *node = new_node(r, c == '{'   ? NATS_CONF_MAP
                                              : c == '[' ? NATS_CONF_ARRAY
                                                         : NATS_CONF_TEXT);
    if (!node)
        return r->e ? r->e->code : -E2BIG;
    int failed;
    if (c == '{' || c == '[') {
        if (r->depth == NATS_CONF_DEPTH_MAX)
            return refuse(r, node->place, -E2BIG, NULL, "blocks and arrays are nested too deeply");
        r->depth++;
        failed = c == '{' ? read_block(r, node) : read_array(r, node);
        r->depth--;
    } else if (c == '"' || c == '\'') {
        failed = read_quoted(r, &node->text);
    } else if (c == '(') {
        failed = read_lines(r, &node->text);
    } else {
        failed = read_word(r, node);
    }
    if (!failed)
        *ret_node = node;
    return failed;
}

/* --- includes ----------------------------------------------------------------------------- */

/* PATH as seen from the folder of the file at hand. */
static int path_beside(struct reader *r, slice path, slice *ret_path) {
    slice folder = r->file->name;
    while (folder.len && folder.ptr[folder.len - 1] != '/')
        folder.len--;
    if (path.len && path.ptr[0] == '/')
        folder.len = 0;
    return arena_printf(r->arena, ret_path, "%.*s%.*s", slice_fmt(folder), slice_fmt(path))
               ? no_memory(r)
               : 0;
}

static int read_included(struct reader *r, struct conf_place place, slice path) {
    struct file file = {.line = 1}, *outer = r->file;
    int failed = path_beside(r, path, &file.name);
    if (failed)
        return failed;
    const struct nats_conf_source *source = r->source;
    failed = source->load ? source->load(source->self, file.name, r->arena, &file.text) : -ENOSYS;
    if (failed)
        return refuse(r, place, failed, NULL, "cannot include %.*s: %s", slice_fmt(file.name),
                      error_name(failed));
    r->bytes += file.text.len;
    if (r->bytes > NATS_CONF_TEXT_MAX)
        return refuse(r, place, -E2BIG, NULL, "the files are larger than %zu bytes together",
                      NATS_CONF_TEXT_MAX);
    r->file = &file;
    r->include_depth++;
    failed = read_entries(r, '\0');
    r->include_depth--;
    r->file = outer;
    return failed;
}

static int include(struct reader *r, struct conf_place place) {
    slice path;
    int failed = 0;
    skip_blanks(r);
    if (peek(r) == '"' || peek(r) == '\'')
        failed = read_quoted(r, &path);
    else
        path = take_word(r);
    if (failed)
        return failed;
    if (!path.len)
        return refuse(r, place, -EINVAL, "write: include ./other.conf", "include names no file");
    if (r->from_environment || r->includes == NATS_CONF_INCLUDES_MAX ||
        r->include_depth == NATS_CONF_INCLUDE_DEPTH_MAX)
        return refuse(r, place, -E2BIG, "a file that includes itself never ends",
                      "there are more than %u includes, or %u within each other",
                      NATS_CONF_INCLUDES_MAX, NATS_CONF_INCLUDE_DEPTH_MAX);
    r->includes++;
    return read_included(r, place, path);
}

/* --- entries ------------------------------------------------------------------------------ */

static int read_key(struct reader *r, slice *ret_key) {
    if (peek(r) == '"' || peek(r) == '\'')
        return read_quoted(r, ret_key);
    size_t from = r->file->at;
    while (!at_end(r) && !ends_word(peek(r)) && !strchr(":={[", peek(r) ? peek(r) : ' '))
        advance(r);
    *ret_key = slice_make(r->file->text.ptr + from, r->file->at - from);
    if (ret_key->len)
        return 0;
    return refuse(r, here(r), -EINVAL, "write `key: value`", "a key is missing before this '%c'",
                  peek(r));
}

/* Moves to the value: on the key's line, or, without ':' and '=', where it comes. */
static void skip_to_value(struct reader *r) {
    while (!at_end(r) && (is_blank(peek(r)) || is_line_end(peek(r))))
        advance(r);
    if (peek(r) != ':' && peek(r) != '=')
        return;
    advance(r);
    skip_blanks(r);
}

static int end_entry(struct reader *r, slice key) {
    skip_blanks(r);
    char c = peek(r);
    if (at_end(r) || c == ';' || c == ',' || c == '}' || is_line_end(c) || at_comment(r))
        return 0;
    return refuse(r, here(r), -EINVAL,
                  "put a line end, ';' or ',' there, or quote a value that has blanks",
                  "'%c' stands behind the value of '%.*s'", c, slice_fmt(slice_take(key, 64)));
}

static int read_entry(struct reader *r) {
    struct nats_conf_entry entry = {.place = here(r)};
    struct nats_conf_node *value;
    bool quoted = peek(r) == '"' || peek(r) == '\'';
    int failed = read_key(r, &entry.key);
    if (failed)
        return failed;
    if (!quoted && is_blank(peek(r)) && slice_equal_nocase(entry.key, slice_lit("include"))) {
        failed = include(r, entry.place);
        return failed ? failed : end_entry(r, entry.key);
    }
    skip_to_value(r);
    if (at_end(r) || peek(r) == '}' || peek(r) == ';' || peek(r) == ',' || is_line_end(peek(r)))
        return refuse(r, entry.place, -EINVAL, "write `key: value`, the value on the same line",
                      "'%.*s' has no value", slice_fmt(slice_take(entry.key, 64)));
    failed = read_value(r, &value);
    if (failed)
        return failed;
    entry.value = value;
    failed = attach(r, &entry);
    return failed ? failed : end_entry(r, entry.key);
}

/* Up to END (not taken) or the end of the text. */
static int read_entries(struct reader *r, char end) {
    int failed = 0;
    for (skip_between(r, ";,"); !failed && !at_end(r); skip_between(r, ";,")) {
        if (end && peek(r) == end)
            return 0;
        failed = read_entry(r);
    }
    return failed;
}

/* The whole file, with or without braces around it (JSON has them). */
static int read_root(struct reader *r, struct nats_conf_node *node) {
    struct frame frame;
    skip_between(r, "");
    node->place = here(r);
    bool braces = peek(r) == '{';
    if (braces)
        advance(r);
    open_frame(r, &frame, true);
    int failed = read_entries(r, braces ? '}' : '\0');
    if (failed)
        return failed;
    if (braces && at_end(r))
        return refuse(r, node->place, -EINVAL, NULL, "this { is never closed");
    if (braces) {
        advance(r);
        skip_between(r, "");
        if (!at_end(r))
            return refuse(r, here(r), -EINVAL, NULL, "something stands behind the last }");
    }
    return close_frame(r, node);
}

int nats_conf_parse(const struct nats_conf_source *source, struct nats_conf *ret, struct error *e) {
    struct arena arena = arena_make(0, NATS_CONF_MEMORY_MAX);
    struct error ignored;
    struct file file = {.name = source->name, .text = source->text, .line = 1};
    struct reader r = {
        .source = source,
        .arena = &arena,
        .e = e ? e : &ignored,
        .file = &file,
        .bytes = source->text.len,
    };
    struct nats_conf_node *root = NULL;
    int failed;
    if (source->text.len > NATS_CONF_TEXT_MAX)
        failed = refuse(&r, here(&r), -E2BIG, NULL, "the file is larger than %zu bytes",
                        NATS_CONF_TEXT_MAX);
    else if ((root = new_node(&r, NATS_CONF_MAP)) == NULL)
        failed = r.e->code;
    else
        failed = read_root(&r, root);
    if (failed) {
        arena_free(&arena);
        return failed;
    }
    *ret = (struct nats_conf){arena, root};
    return 0;
}

void nats_conf_free(struct nats_conf *conf) {
    arena_free(&conf->arena);
}
