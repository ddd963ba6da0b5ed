/* split.c - see split.h. */
#include "cli/sql/split.h"

#define WORDS_MAX 8u /* behind these no word of a statement is counted */

void split_begin(struct split *split, size_t at) {
    *split = (struct split){.at = at};
}

static bool is_blank(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool begins_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80;
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool is_word(char c) {
    return begins_word(c) || is_digit(c);
}

/* --- inside something ------------------------------------------------------------------------- */

/* Moves behind the closing QUOTE; a doubled one closes and opens again. */
static void pass_quoted(struct split *split, slice text, char quote) {
    while (split->at < text.len) {
        char c = text.ptr[split->at++];
        if (c == '\\' && split->inside == SPLIT_ESCAPE_STRING && split->at < text.len) {
            split->at++;
        } else if (c == quote) {
            split->inside = SPLIT_PLAIN;
            return;
        }
    }
}

static void pass_dollar(struct split *split, slice text) {
    slice tag = slice_make(split->tag, split->tag_len);
    ptrdiff_t end = slice_find_slice(slice_skip(text, split->at), tag);
    if (end < 0) {
        split->at = text.len;
        return;
    }
    split->at += (size_t)end + tag.len;
    split->inside = SPLIT_PLAIN;
}

static void pass_line(struct split *split, slice text) {
    ptrdiff_t end = slice_find(slice_skip(text, split->at), '\n');
    if (end < 0) {
        split->at = text.len;
        return;
    }
    split->at += (size_t)end;
    split->inside = SPLIT_PLAIN;
}

static void pass_comment(struct split *split, slice text) {
    while (split->at < text.len) {
        slice rest = slice_skip(text, split->at);
        if (slice_starts_with(rest, slice_lit("*/"))) {
            split->at += 2;
            if (--split->comments == 0) {
                split->inside = SPLIT_PLAIN;
                return;
            }
        } else if (slice_starts_with(rest, slice_lit("/*"))) {
            split->at += 2;
            split->comments++;
        } else {
            split->at++;
        }
    }
}

static void pass_inside(struct split *split, slice text) {
    switch (split->inside) {
    case SPLIT_STRING:
    case SPLIT_ESCAPE_STRING:
        pass_quoted(split, text, '\'');
        break;
    case SPLIT_NAME:
        pass_quoted(split, text, '"');
        break;
    case SPLIT_DOLLAR:
        pass_dollar(split, text);
        break;
    case SPLIT_LINE_COMMENT:
        pass_line(split, text);
        break;
    case SPLIT_COMMENT:
        pass_comment(split, text);
        break;
    case SPLIT_PLAIN:
        break;
    }
}

/* --- plain text ------------------------------------------------------------------------------- */

/* CREATE [OR REPLACE] FUNCTION … BEGIN ATOMIC …; …; END: its semicolons end nothing. CASE has an
   END, too. */
static void heed_word(struct split *split, slice word) {
    split->words += split->words < WORDS_MAX;
    bool routine = slice_equal_nocase(word, slice_lit("function")) ||
                   slice_equal_nocase(word, slice_lit("procedure"));
    if (split->words == 1)
        split->creates_routine = slice_equal_nocase(word, slice_lit("create"));
    else if (split->words == 2)
        split->replaces = slice_equal_nocase(word, slice_lit("or"));
    if ((split->words == 2 && !split->replaces) || (split->words == 4 && split->replaces))
        split->creates_routine &= routine;
    if (!split->creates_routine || split->depth)
        return;
    if (slice_equal_nocase(word, slice_lit("begin")) ||
        (split->blocks && slice_equal_nocase(word, slice_lit("case"))))
        split->blocks++;
    else if (split->blocks && slice_equal_nocase(word, slice_lit("end")))
        split->blocks--;
}

static void pass_word(struct split *split, slice text) {
    size_t from = split->at;
    while (split->at < text.len && (is_word(text.ptr[split->at]) || text.ptr[split->at] == '$'))
        split->at++;
    slice word = slice_make(text.ptr + from, split->at - from);
    if (split->at < text.len && text.ptr[split->at] == '\'' &&
        slice_equal_nocase(word, slice_lit("e"))) {
        split->at++;
        split->inside = SPLIT_ESCAPE_STRING;
        return;
    }
    heed_word(split, word);
}

/* "$$" or "$tag$" at `at` opens a quote; "$1" and a lone "$" are nothing. */
static void pass_dollar_sign(struct split *split, slice text) {
    slice rest = slice_skip(text, split->at);
    size_t len = 1;
    while (len < rest.len && (is_word(rest.ptr[len])) && len <= SPLIT_TAG_MAX)
        len++;
    split->at++;
    if (len >= rest.len || rest.ptr[len] != '$' || (len > 1 && is_digit(rest.ptr[1])))
        return;
    split->tag_len = len + 1;
    memcpy(split->tag, rest.ptr, split->tag_len);
    split->at += len;
    split->inside = SPLIT_DOLLAR;
}

/* Something that opens or begins at `at`; false where the character is only itself. */
static bool opens(struct split *split, slice text) {
    slice rest = slice_skip(text, split->at);
    static const struct {
        const char *opening;
        enum split_inside inside;
    } openings[] = {
        {"'", SPLIT_STRING}, {"\"", SPLIT_NAME}, {"--", SPLIT_LINE_COMMENT}, {"/*", SPLIT_COMMENT}};
    for (size_t i = 0; i < sizeof openings / sizeof *openings; i++) {
        slice opening = slice_str(openings[i].opening);
        if (!slice_starts_with(rest, opening))
            continue;
        split->at += opening.len;
        split->inside = openings[i].inside;
        split->comments = split->inside == SPLIT_COMMENT;
        split->has_text |= split->inside != SPLIT_COMMENT && split->inside != SPLIT_LINE_COMMENT;
        return true;
    }
    return false;
}

static void pass_character(struct split *split, slice text, char c) {
    split->has_text |= !is_blank(c);
    if (begins_word(c)) {
        pass_word(split, text);
    } else if (c == '$') {
        pass_dollar_sign(split, text);
    } else if (is_digit(c)) { /* 1e5 and 0x1f are no words, and 1$$ opens nothing */
        while (split->at < text.len && is_word(text.ptr[split->at]))
            split->at++;
    } else {
        split->depth += c == '(';
        split->depth -= c == ')' && split->depth;
        split->at++;
    }
}

enum split_found split_next(struct split *split, slice text) {
    while (split->at < text.len) {
        char c = text.ptr[split->at];
        if (split->inside != SPLIT_PLAIN) {
            pass_inside(split, text);
        } else if (c == '\\') {
            return SPLIT_COMMAND;
        } else if (c == ';' && split->depth == 0 && split->blocks == 0) {
            split->at++;
            return SPLIT_STATEMENT;
        } else if (!opens(split, text)) {
            pass_character(split, text, c);
        }
    }
    return SPLIT_MORE;
}

char split_open(const struct split *split) {
    static const char signs[] = {
        [SPLIT_STRING] = '\'', [SPLIT_ESCAPE_STRING] = '\'', [SPLIT_NAME] = '"',
        [SPLIT_DOLLAR] = '$',  [SPLIT_COMMENT] = '*',
    };
    if (split->inside != SPLIT_PLAIN && split->inside != SPLIT_LINE_COMMENT)
        return signs[split->inside];
    if (split->depth)
        return '(';
    return split->has_text ? '-' : '=';
}
