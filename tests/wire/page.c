#include "page.h"

#include <errno.h>

static const slice fence = slice_lit("```");

static slice next_line(slice *rest) {
    return slice_cut(*rest, '\n', rest);
}

static int hex(char c) {
    const char *digits = "0123456789abcdef";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

static int append_unescaped(struct buf *out, slice line);

/* "\{5000 ab}" at the start of TEXT: appends, and returns how many bytes of TEXT it took, or 0. */
static size_t append_repeated(struct buf *out, slice text) {
    ptrdiff_t blank = slice_find(text, ' '), close = slice_find(text, '}');
    if (blank < 3 || close < blank)
        return 0;
    size_t count = 0;
    for (ptrdiff_t i = 2; i < blank; i++)
        count = count * 10 + (size_t)(text.ptr[i] - '0');
    slice piece = slice_make(text.ptr + blank + 1, (size_t)(close - blank) - 1);
    for (size_t i = 0; i < count; i++) {
        if (append_unescaped(out, piece) < 0)
            return 0;
    }
    return (size_t)close + 1;
}

/* One escape at the start of TEXT: how many bytes it took, or 0. */
static size_t append_escape(struct buf *out, slice text) {
    const char c = text.len > 1 ? text.ptr[1] : '\0';
    if (c == '{')
        return append_repeated(out, text);
    if (c == 'x' && text.len > 3 && hex(text.ptr[2]) >= 0 && hex(text.ptr[3]) >= 0)
        return buf_append_byte(out, (char)(hex(text.ptr[2]) << 4 | hex(text.ptr[3]))) ? 0 : 4;
    const char *names = "rnt\\", *bytes = "\r\n\t\\";
    const char *at = c ? strchr(names, c) : NULL;
    return at && buf_append_byte(out, bytes[at - names]) == 0 ? 2 : 0;
}

static int append_unescaped(struct buf *out, slice line) {
    while (line.len > 0) {
        size_t took = 1;
        if (line.ptr[0] == '\\') {
            took = append_escape(out, line);
            if (took == 0)
                return -EINVAL;
        } else if (buf_append_byte(out, line.ptr[0]) < 0) {
            return -EINVAL;
        }
        line = slice_skip(line, took);
    }
    return 0;
}

/* "codec name=1 name=2" */
static int read_info(slice info, struct page_case *c) {
    slice word;
    c->codec = slice_cut(info, ' ', &info);
    while (info.len > 0) {
        struct page_setting *s = &c->settings[c->settings_count];
        word = slice_cut(info, ' ', &info);
        slice digits;
        if (c->settings_count == PAGE_SETTINGS_MAX)
            return -EINVAL;
        s->name = slice_cut(word, '=', &digits);
        s->value = 0;
        for (size_t i = 0; i < digits.len; i++)
            s->value = s->value * 10 + (uint32_t)(digits.ptr[i] - '0');
        c->settings_count++;
    }
    return 0;
}

static int problem(struct page_case *c, const char *text, const char **ret_problem) {
    buf_free(&c->input);
    *ret_problem = text;
    return -EINVAL;
}

/* From behind the opening fence of the input to behind the events. */
static int read_blocks(slice *rest, struct page_case *c, const char **ret_problem) {
    slice line = next_line(rest);
    while (!slice_equal(line, fence)) {
        if (!rest->ptr)
            return problem(c, "the input block has no end", ret_problem);
        if (append_unescaped(&c->input, line) < 0)
            return problem(c, "the input block has a wrong escape", ret_problem);
        line = next_line(rest);
    }
    do {
        if (!rest->ptr)
            return problem(c, "no events block behind the input", ret_problem);
        line = next_line(rest);
    } while (!slice_starts_with(line, fence));
    if (!slice_equal(line, slice_lit("```events")))
        return problem(c, "the block behind the input is not 'events'", ret_problem);
    const char *start = rest->ptr, *end = start;
    while (rest->ptr && !slice_equal(line = next_line(rest), fence))
        end = line.ptr + line.len + 1;
    if (!start || !slice_equal(line, fence))
        return problem(c, "the events block has no end", ret_problem);
    c->expected = slice_make(start, (size_t)(end - start));
    return 1;
}

int page_next(slice *rest, struct page_case *ret_case, const char **ret_problem) {
    struct page_case c = {.input = buf_make(PAGE_INPUT_MAX)};
    while (rest->ptr) {
        slice line = next_line(rest);
        if (slice_starts_with(line, slice_lit("## ")))
            c.title = slice_skip(line, 3);
        if (!slice_starts_with(line, fence))
            continue;
        if (c.title.len == 0)
            return problem(&c, "a block without a title of its own", ret_problem);
        if (read_info(slice_skip(line, fence.len), &c) < 0)
            return problem(&c, "too many settings", ret_problem);
        int r = read_blocks(rest, &c, ret_problem);
        if (r == 1)
            *ret_case = c;
        return r;
    }
    return 0;
}
