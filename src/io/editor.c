/* editor.c - see editor.h. */
#include "io/editor.h"

#include "base/mem.h"
#include "base/utf8.h"
#include "io/library.h"
#include "io/terminal.h"

#include <errno.h>
#include <histedit.h>
#include <stdio.h>
#include <unistd.h>

#define COLUMNS_DEFAULT 80u

#define CALLS(X)                                                                                   \
    X(el_init)                                                                                     \
    X(el_end)                                                                                      \
    X(el_set)                                                                                      \
    X(el_wset)                                                                                     \
    X(el_get)                                                                                      \
    X(el_gets)                                                                                     \
    X(el_line)                                                                                     \
    X(el_insertstr)                                                                                \
    X(el_deletestr)                                                                                \
    X(el_source)                                                                                   \
    X(el_resize)                                                                                   \
    X(el_reset)                                                                                    \
    X(history_init)                                                                                \
    X(history_end)                                                                                 \
    X(history)

struct libedit {
    CALLS(IO_LIBRARY_FIELD)
};

/* Loaded once for the process: what libedit calls is given its EditLine and nothing else, and only
   its own el_get tells whose that is. */
static struct libedit edit;

struct io_editor {
    struct io_editor_options options;
    EditLine *line;
    History *history;
    const char *prompt;
    bool interrupted;
};

static int load(struct error *ret_error) {
#define ROW(name) {#name, offsetof(struct libedit, name)},
    static const struct io_library_call calls[] = {CALLS(ROW)};
#undef ROW
    static const struct io_library library = {
        .file = "libedit.so.2",
        .package = "libedit2",
        .calls = calls,
        .call_count = array_count(calls),
    };
    return io_library_load(&library, &edit, ret_error);
}

static struct io_editor *owner_of(EditLine *line) {
    void *owner = NULL;
    check(edit.el_get(line, EL_CLIENTDATA, &owner) == 0);
    return owner;
}

static char *prompt_of(EditLine *line) {
    /* The type is libedit's; it does not write. */
    return (char *)(uintptr_t)owner_of(line)->prompt;
}

/* --- keys ------------------------------------------------------------------------------------- */

/* One byte of the terminal. 1, 0 at its end, -1. */
static int read_byte(struct io_editor *editor, unsigned char *ret) {
    int ready;
    while ((ready = io_wait_readable(STDIN_FILENO, -1, -1)) == 0)
        continue;
    if (ready < 0) {
        editor->interrupted = ready == -EINTR;
        return -1;
    }
    ssize_t got = read(STDIN_FILENO, ret, 1);
    return got < 0 ? -1 : (int)got;
}

/* libedit's read: a character. Its own goes on after Ctrl-C. */
static int read_character(EditLine *line, wchar_t *ret) {
    struct io_editor *editor = owner_of(line);
    unsigned char bytes[UTF8_MAX];
    for (size_t len = 0; len < sizeof bytes;) {
        int got = read_byte(editor, &bytes[len]);
        if (got != 1)
            return got;
        uint32_t code_point;
        slice text = slice_make(bytes, ++len);
        if (utf8_decode(text, &code_point) > 0) {
            *ret = (wchar_t)code_point;
            return 1;
        }
        if (!utf8_incomplete(text))
            break;
    }
    *ret = (wchar_t)UTF8_REPLACEMENT;
    return 1;
}

/* --- completion ------------------------------------------------------------------------------- */

static const char *next_word(const char *word) {
    return word + strlen(word) + 1;
}

void io_completion_add(struct io_completion *completion, slice word) {
    const char *known = completion->words.ptr;
    for (unsigned i = 0; i < completion->count; i++, known = next_word(known))
        if (slice_equal(slice_str(known), word))
            return;
    for (size_t i = 0; i < word.len; i++)
        if ((unsigned char)word.ptr[i] < ' ')
            return;
    size_t len = completion->words.len;
    if (completion->count == IO_EDITOR_WORDS_MAX)
        return;
    if (buf_append(&completion->words, word) || buf_append_byte(&completion->words, '\0'))
        completion->words.len = len;
    else
        completion->count++;
}

/* What all candidates begin with, in whole characters. */
static slice common_beginning(const struct io_completion *completion) {
    slice common = slice_str(completion->words.ptr);
    const char *word = completion->words.ptr;
    for (unsigned i = 1; i < completion->count; i++) {
        word = next_word(word);
        size_t same = 0;
        while (same < common.len && word[same] == common.ptr[same])
            same++;
        common.len = same;
    }
    return slice_take(common, utf8_valid_prefix(common));
}

static void list_candidates(const struct io_completion *completion) {
    unsigned columns = io_terminal_columns();
    size_t widest = 0, at = 0;
    const char *word = completion->words.ptr;
    for (unsigned i = 0; i < completion->count; i++, word = next_word(word))
        if (strlen(word) > widest)
            widest = strlen(word);
    if (!columns)
        columns = COLUMNS_DEFAULT;
    word = completion->words.ptr;
    putchar('\n');
    for (unsigned i = 0; i < completion->count; i++, word = next_word(word)) {
        if (at && at + widest + 2 > columns) {
            putchar('\n');
            at = 0;
        }
        printf("%-*s", (int)widest + 2, word);
        at += widest + 2;
    }
    putchar('\n');
    fflush(stdout);
}

/* Puts what is sure in the word's place; lists the candidates where that is no news. */
static unsigned char complete(EditLine *line, int key) {
    struct io_editor *editor = owner_of(line);
    const LineInfo *typed = edit.el_line(line);
    slice before = slice_make(typed->buffer, (size_t)(typed->cursor - typed->buffer));
    struct io_completion found = {
        .before = before, .from = before.len, .words = buf_make(IO_EDITOR_CANDIDATES_MAX)};
    unsigned char what_next = CC_REFRESH_BEEP;
    (void)key;
    if (editor->options.complete)
        editor->options.complete(editor->options.owner, &found);
    slice word = slice_skip(before, found.from);
    slice common = found.count ? common_beginning(&found) : (slice){0};
    _cleanup_buf_ struct buf put = buf_make(IO_EDITOR_CANDIDATES_MAX + 2);
    if (found.count > 1 && common.len <= word.len) {
        list_candidates(&found);
        what_next = CC_REDISPLAY;
    } else if (found.count && !buf_append(&put, common) &&
               (found.count > 1 || found.no_blank || !buf_append_byte(&put, ' ')) &&
               buf_text(&put)) {
        edit.el_deletestr(line, (int)utf8_count(word));
        what_next = edit.el_insertstr(line, put.ptr) == 0 ? CC_REFRESH : CC_ERROR;
    }
    buf_free(&found.words);
    return what_next;
}

/* --- lines ------------------------------------------------------------------------------------ */

static bool set_up(struct io_editor *editor) {
    static const char *const bindings[][2] = {
        {"\t", "nonet-complete"},          {"^R", "em-inc-search-prev"},
        {"\\e[1~", "ed-move-to-beg"},      {"\\e[4~", "ed-move-to-end"},
        {"\\e[H", "ed-move-to-beg"},       {"\\e[F", "ed-move-to-end"},
        {"\\e[3~", "ed-delete-next-char"}, {"\\e[1;5C", "em-next-word"},
        {"\\e[1;5D", "ed-prev-word"},
    };
    HistEvent event;
    editor->history = edit.history_init();
    editor->line = edit.el_init(editor->options.program, stdin, stdout, stderr);
    if (!editor->history || !editor->line)
        return false;
    edit.history(editor->history, &event, H_SETSIZE, (int)IO_EDITOR_HISTORY_MAX);
    edit.history(editor->history, &event, H_SETUNIQUE, 1);
    edit.el_set(editor->line, EL_CLIENTDATA, editor);
    edit.el_set(editor->line, EL_HIST, edit.history, editor->history);
    edit.el_set(editor->line, EL_PROMPT, prompt_of);
    edit.el_set(editor->line, EL_EDITOR, "emacs");
    edit.el_set(editor->line, EL_SIGNAL, 0);
    edit.el_set(editor->line, EL_GETCFN, read_character);
    /* In wide letters: of others libedit keeps copies that nobody frees. */
    edit.el_wset(editor->line, EL_ADDFN, L"nonet-complete", L"complete the word", complete);
    for (size_t i = 0; i < array_count(bindings); i++)
        edit.el_set(editor->line, EL_BIND, bindings[i][0], bindings[i][1], NULL);
    edit.el_source(editor->line, NULL); /* -1: there is no ~/.editrc */
    return true;
}

int io_editor_create(const struct io_editor_options *options, struct io_editor **ret_editor,
                     struct error *ret_error) {
    int failed = load(ret_error);
    if (failed)
        return failed;
    struct io_editor *editor = mem_zalloc(1, sizeof *editor);
    if (!editor)
        return error_set(ret_error, -ENOMEM, "no memory for the line");
    editor->options = *options;
    editor->prompt = "";
    if (!set_up(editor)) {
        io_editor_free(editor);
        return error_set(ret_error, -ENOMEM, "libedit does not begin on this terminal");
    }
    *ret_editor = editor;
    return 0;
}

struct io_editor *io_editor_free(struct io_editor *editor) {
    if (!editor)
        return NULL;
    if (editor->line)
        edit.el_end(editor->line);
    if (editor->history)
        edit.history_end(editor->history);
    return mem_free(editor);
}

int io_editor_read(struct io_editor *editor, const char *prompt, struct buf *line) {
    int count = 0;
    buf_clear(line);
    editor->prompt = prompt;
    editor->interrupted = false;
    fflush(stdout);
    edit.el_resize(editor->line);
    const char *typed = edit.el_gets(editor->line, &count);
    if (editor->interrupted) {
        edit.el_reset(editor->line);
        fputs("^C\n", stdout);
        return -EINTR;
    }
    if (!typed || count <= 0)
        return -ENODATA;
    size_t len = (size_t)count;
    if (typed[len - 1] == '\n')
        len--;
    return buf_append(line, slice_make(typed, len));
}

void io_editor_remember(struct io_editor *editor, const char *text) {
    HistEvent event;
    edit.history(editor->history, &event, H_ENTER, text);
}
