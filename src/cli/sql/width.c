/* width.c - see width.h. */
#include "cli/sql/width.h"

#include "base/utf8.h"

#include <wchar.h>

#define TAB_COLUMNS 8u
#define SPELLED_MAX 12u
#define LINE_BYTES_MAX (1u << 30)

/* Bytes at the beginning of TEXT that are shown as they are, one column each. */
static size_t plain_run(slice text) {
    size_t len = 0;
    while (len < text.len && text.ptr[len] >= ' ' && text.ptr[len] < 0x7f)
        len++;
    return len;
}

/* How the character at the beginning of TEXT, LEN bytes long, is spelled where it may not be shown
   as it is; empty where it may. */
static void spell(uint32_t character, bool valid, unsigned column, char out[SPELLED_MAX]) {
    out[0] = '\0';
    if (!valid)
        snprintf(out, SPELLED_MAX, "\\x%02X", character);
    else if (character == '\r')
        snprintf(out, SPELLED_MAX, "\\r");
    else if (character == '\t')
        snprintf(out, SPELLED_MAX, "%*s", (int)(TAB_COLUMNS - column % TAB_COLUMNS), "");
    else if (character < 0x20 || character == 0x7f)
        snprintf(out, SPELLED_MAX, "\\x%02X", character);
    else if (character >= 0x80 && character < 0xa0)
        snprintf(out, SPELLED_MAX, "\\u%04X", character);
}

static unsigned columns_of(uint32_t character) {
    int columns = wcwidth((wchar_t)character);
    return columns < 0 ? 1 : (unsigned)columns; /* not known to the C library */
}

/* The character at the beginning of *REST, which moves behind it. */
static unsigned take_character(slice *rest, unsigned column, struct buf *out, bool *failed) {
    uint32_t character;
    char spelled[SPELLED_MAX];
    int decoded = utf8_decode(*rest, &character);
    size_t len = decoded > 0 ? (size_t)decoded : 1;
    if (decoded <= 0)
        character = (unsigned char)rest->ptr[0];
    spell(character, decoded > 0, column, spelled);
    slice shown = spelled[0] ? slice_str(spelled) : slice_take(*rest, len);
    *failed |= out && buf_append(out, shown);
    *rest = slice_skip(*rest, len);
    return spelled[0] ? (unsigned)shown.len : columns_of(character);
}

unsigned width_take_line(slice *rest, struct buf *out, bool *ret_more, bool *ret_failed) {
    unsigned columns = 0;
    bool failed = false;
    while (rest->len && rest->ptr[0] != '\n') {
        size_t plain = plain_run(*rest);
        if (plain) {
            failed |= out && buf_append(out, slice_take(*rest, plain));
            columns += (unsigned)plain;
            *rest = slice_skip(*rest, plain);
        } else {
            columns += take_character(rest, columns, out, &failed);
        }
    }
    *ret_more = rest->len > 0;
    *rest = slice_skip(*rest, 1); /* the line's end */
    if (ret_failed)
        *ret_failed |= failed;
    return columns;
}

unsigned width_of(slice text) {
    unsigned widest = 0;
    bool more = true;
    while (more) {
        unsigned columns = width_take_line(&text, NULL, &more, NULL);
        if (columns > widest)
            widest = columns;
    }
    return widest;
}

void width_write(FILE *out, slice text) {
    _cleanup_buf_ struct buf line = buf_make(LINE_BYTES_MAX);
    bool more = text.len > 0, failed = false;
    while (more) {
        buf_clear(&line);
        width_take_line(&text, &line, &more, &failed);
        fwrite(line.len ? line.ptr : "", 1, line.len, out);
        if (more)
            fputc('\n', out);
    }
    if (failed)
        fputs("...", out); /* no memory to show it whole */
}
