/*
 * conf_read.h - what is done with config tables: read a file's tree, and describe themselves.
 *
 *      tree of conf_node  --conf_apply(table)-->  the structs, all defaults filled in
 *                                          `-->  every error, in the order of the file
 *      table  -->  JSON Schema (for editors), Markdown (for people)
 *
 * Reading does not stop at a mistake: it notes it and goes on, so one run of `nonet check` shows
 * them all. A value in error leaves its default in the struct; the caller must not use the structs
 * when there are errors, except for further checks that add more of them.
 *
 * The errors kept are the first CONF_ERRORS_MAX in the order of the file; the rest is counted.
 */
#ifndef NONET_BASE_CONF_READ_H
#define NONET_BASE_CONF_READ_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/conf.h"

#define CONF_ERRORS_MAX 32u      /* 25 KB: keep it off small stacks */
#define CONF_DEPTH_MAX 16u       /* sections within sections in one table */
#define CONF_VALUE_MAX 65536u    /* bytes of a scalar once its references are resolved */
#define CONF_REFERENCES_MAX 100u /* ${NAME}s in one scalar */

struct conf_errors {
    size_t count; /* kept */
    size_t more;  /* found beyond those */
    uint32_t line[CONF_ERRORS_MAX];
    uint32_t column[CONF_ERRORS_MAX];
    struct error items[CONF_ERRORS_MAX];
};

/* Notes an error at PLACE, behind those that stand before it in the file. E has message and hint;
   its place is filled in here. */
void conf_errors_add(struct conf_errors *errors, struct conf_place place, const struct error *e);

/* The same from a format; HINT may be NULL. */
void conf_errors_note(struct conf_errors *errors, struct conf_place place, const char *hint,
                      const char *format, ...) printf_like(4, 5);

/* Writes all, one below the other, "and N more" at the end. 0, -ENOBUFS or -ENOMEM. */
must_use int conf_errors_text(const struct conf_errors *errors, struct buf *out);

/* How references are looked up. Results must live as long as the arena (put them there). Either
   callback may be NULL: then no such reference resolves. */
struct conf_lookup {
    /* 0, -ENOENT (no such variable), -ENOMEM. */
    int (*variable)(void *argument, slice name, struct arena *arena, slice *ret_value);
    /* 0, or the errno of the failure. One line break at the end is dropped by the reader. */
    int (*file)(void *argument, slice path, struct arena *arena, slice *ret_content);
    void *argument;
};

struct conf_reader {
    struct arena *arena; /* what the structs point to */
    struct conf_lookup lookup;
    slice directory; /* before relative paths; "" = leave them as written */
    struct conf_errors *errors;
};

/* Fills the struct of TABLE at INTO (zeroed here) from NODE; NULL or an empty node gives the
   defaults. 0; -EINVAL where errors were added; -ENOMEM. */
must_use int conf_apply(const struct conf_reader *reader, const struct conf_table *table,
                        const struct conf_node *node, void *into);

/* Where the file gives the value of KEY in the section ITEM, of a list or map the INDEX-th one's
   (what stands alone is the first); else where the section is. For checks across keys. */
struct conf_place conf_place_of(const struct conf_item *item, const char *key, size_t index);

/* "127.0.0.1:4222", "[::1]:4222", "localhost:0", or a bare port, then on 127.0.0.1. 0, -EINVAL or
   -ENOMEM. Text and host are in ARENA. */
must_use int conf_parse_address(struct arena *arena, slice text, struct conf_address *ret_address);

/* JSON Schema 2020-12 of a file that TABLE reads, for editors. 0, -ENOBUFS or -ENOMEM. */
must_use int conf_write_schema(const struct conf_table *table, struct buf *out);

/* The reference page in Markdown: a heading and a table of keys for every section, or for the
   section ONLY of TABLE and those in it. As above, or -ENOENT. */
must_use int conf_write_reference(const struct conf_table *table, const char *only,
                                  struct buf *out);

#endif
