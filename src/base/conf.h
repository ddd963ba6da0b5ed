/*
 * conf.h - configuration that declares itself: a table of keys beside the code that uses them.
 *
 *      struct ratings { struct conf_item item; uint64_t window_ns; };
 *      static const struct conf_key keys[] = {
 *          {.name = "window", .type = CONF_DURATION, .offset = offsetof(struct ratings, window_ns),
 *           .fallback = "10s", .min = 1000000, .doc = "how far back a rating counts"},
 *      };
 *      const struct conf_table ratings_conf = {.name = "ratings", .keys = keys, …};
 *
 * From the one table come the parser, the checker (every mistake in one pass, each with its place
 * and a hint), the JSON Schema for editors, and the reference page; conf_read.h has them. This
 * header is what a module needs to declare its table.
 *
 * Every section's struct begins with a struct conf_item: its name in the file and its place, which
 * is what checks across keys report. Text and arrays live in the loader's arena, text with a NUL
 * behind it. A value is stored as the C type beside its conf_type below; a default is text, read as
 * if the user had written it.
 *
 * `${NAME}` in a scalar stands for an environment variable (`$${` is a plain `${`), and in a secret
 * key a value `file:PATH` for that file's content. What a secret key holds never appears in a
 * message.
 */
#ifndef NONET_BASE_CONF_H
#define NONET_BASE_CONF_H

#include "base/error.h"
#include "base/number.h"
#include "base/slice.h"

#define CONF_ITEMS_MAX 10000u /* of a list or map whose key names no smaller bound */

struct conf_place {
    slice file;
    uint32_t line; /* 0 = nowhere: a default */
    uint32_t column;
};

enum conf_node_type { CONF_NODE_SCALAR, CONF_NODE_LIST, CONF_NODE_MAP };

/* The file as the loader hands it over: base knows no YAML. Without cycles. */
struct conf_node {
    enum conf_node_type type;
    bool plain; /* a scalar without quotes: may mean null, true, a number */
    struct conf_place place;
    slice text;
    const struct conf_entry *entries;
    size_t count;
    bool literal; /* a scalar in which no reference is replaced: its file has others, or none */
};

struct conf_entry {
    slice key; /* empty in a list */
    struct conf_place place;
    const struct conf_node *value;
};

/* How every section's struct begins. */
struct conf_item {
    slice name; /* its key in the map around it, or of the section; "" in a list */
    struct conf_place place;
    const struct conf_node *node; /* its keys as the file gives them; NULL: it gives none */
    bool given;                   /* false: it was left out and holds defaults */
    bool off;                     /* the word `off` stood in its place (CONF_MAY_BE_OFF) */
    bool faulty; /* one of its own keys was refused: what follows from that need not be said */
};

enum conf_type {
    CONF_BOOL,     /* bool */
    CONF_INT,      /* int64_t */
    CONF_SIZE,     /* uint64_t bytes */
    CONF_DURATION, /* uint64_t nanoseconds */
    CONF_RATE,     /* struct number_rate; absent = {0, 0} */
    CONF_STRING,   /* slice; absent = {NULL, 0} */
    CONF_ENUM,     /* int, the index into words */
    CONF_ADDRESS,  /* struct conf_address */
    CONF_PATH,     /* slice; joined to the reader's directory where it is relative */
    CONF_LIST,     /* struct conf_array of `of` */
    CONF_MAP,      /* struct conf_array of struct conf_pair, or of sections with their names */
    CONF_SECTION,  /* the struct of `table` */
    CONF_ANY,      /* const struct conf_node *; free form, references are not resolved */
};

struct conf_address {
    slice text; /* "HOST:PORT" as io takes it; "" = absent */
    slice host; /* without brackets */
    uint16_t port;
};

struct conf_array {
    void *items; /* count x the C type of the element; NULL where the key was left out */
    size_t count;
};

/* An element of a CONF_MAP of CONF_STRING. */
struct conf_pair {
    struct conf_item item;
    slice text;
};

enum conf_flags {
    CONF_REQUIRED = 1,
    CONF_SECRET = 2,     /* never shown; may be file:PATH */
    CONF_MAY_BE_OFF = 4, /* of a section: the word `off` is allowed in its place */
    CONF_ALONE = 8,      /* of a list: an element may stand alone, without brackets around it */
};

struct conf_table;

struct conf_key {
    const char *name;
    const char *doc; /* one line, no full stop */
    size_t offset;   /* in the section's struct */
    enum conf_type type;
    enum conf_type of;     /* element of a list or map: a scalar type or CONF_SECTION */
    unsigned flags;        /* of enum conf_flags */
    const char *fallback;  /* default as written in the file; NULL = absent (zero) */
    const char *zero_word; /* a word that stands for 0: "auto", "unlimited" */
    uint64_t min; /* of numbers, in stored units; of text, bytes; of lists and maps, items */
    uint64_t max; /* 0 = no bound but the type's; rates and addresses have none */
    const char *const *words;       /* of an enum, ended by NULL */
    const struct conf_table *table; /* of a section, or of the sections in a list or map */
    const char *const
        *with;           /* it goes only with one of these keys, ended by NULL; NULL: with any */
    const char *example; /* as it may stand in a file, one line; for the reference */
    /* Judges a scalar further: 0, or negative with message and hint in *E. Pure; must not repeat
       the value of a secret. */
    int (*judge)(slice text, struct error *e);
};

struct conf_table {
    const char *name; /* what one is called in messages: "stream" gives "stream BIDS" */
    const char *doc;
    const struct conf_key *keys;
    size_t count;
    size_t size;     /* of the section's struct */
    unsigned one_of; /* exactly one of the first so many keys must be given; 0: as it may be */
    /* A hint about a key that the table does not know, or NULL; may itself be NULL. */
    const char *(*unknown)(slice key);
};

#endif
