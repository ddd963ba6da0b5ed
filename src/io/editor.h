/*
 * editor.h - a line that a person types at the terminal, with editing, history and completion.
 *
 * By libedit, which is loaded when it is first used (library.h). Emacs keys, or what ~/.editrc
 * says. Lines may hold line ends: that is how a statement of several lines comes back from the
 * history. Text is UTF-8 (io_locale_utf8 comes first).
 */
#ifndef NONET_IO_EDITOR_H
#define NONET_IO_EDITOR_H

#include "base/buf.h"
#include "base/error.h"

#define IO_EDITOR_WORDS_MAX 200u            /* candidates of one completion; more are left out */
#define IO_EDITOR_HISTORY_MAX 1000u         /* lines that are remembered */
#define IO_EDITOR_LINE_MAX (1u << 20)       /* bytes of a line */
#define IO_EDITOR_CANDIDATES_MAX (1u << 16) /* bytes of all candidates */

/* What the word at the cursor may be. */
struct io_completion {
    slice before;  /* the line up to the cursor */
    size_t from;   /* where the word begins in it: set by whoever completes */
    bool no_blank; /* nothing is put behind the word when it is the only one */
    unsigned count;
    struct buf words; /* each with a NUL behind it */
};

struct io_editor_options {
    const char *program; /* the name that ~/.editrc may say */
    /* Finds candidates; NULL: there are none. Called while a line is being read. */
    void (*complete)(void *owner, struct io_completion *completion);
    void *owner;
};

struct io_editor;
/* 0; -ENOENT with words where libedit is not there, -ENOMEM. */
must_use int io_editor_create(const struct io_editor_options *options,
                              struct io_editor **ret_editor, struct error *ret_error);
struct io_editor *io_editor_free(struct io_editor *editor); /* NULL allowed, returns NULL */

/* Shows PROMPT and reads a line, without its end, into LINE (emptied first). 0; -ENODATA: there are
   no more; -EINTR: Ctrl-C, the line is dropped; -ENOBUFS: longer than LINE may be. */
must_use int io_editor_read(struct io_editor *editor, const char *prompt, struct buf *line);
/* TEXT is what "up" gives next. */
void io_editor_remember(struct io_editor *editor, const char *text);
/* One more candidate; a word that was added before, one too many, and one with control bytes are
   passed over. */
void io_completion_add(struct io_completion *completion, slice word);

#endif
