/*
 * http1_events.c - stdin as HTTP/1, its events on stdout: for the differential test and for hands.
 *
 *     printf 'GET / HTTP/1.1\r\nHost: a\r\n\r\n' | http1_events request
 */
#include "events.h"

#include <stdio.h>

enum { INPUT_MAX = 4 * 1024 * 1024 };

int main(int argc, char **argv) {
    static const char *const sides[] = {"request", "response", "response-to-head",
                                        "response-to-connect"};
    size_t side = 0;
    while (side < array_count(sides) && (argc != 2 || strcmp(argv[1], sides[side]) != 0))
        side++;
    if (side == array_count(sides)) {
        fprintf(stderr, "usage: http1_events request|response|response-to-head|"
                        "response-to-connect < bytes\n");
        return 2;
    }
    struct buf input = buf_make(INPUT_MAX), out = buf_make(EVENTS_MAX);
    char block[4096];
    size_t count;
    while ((count = fread(block, 1, sizeof(block), stdin)) > 0)
        check(buf_append(&input, slice_make(block, count)) == 0);
    events_http1(http1_parser_make((enum http1_side)side), buf_slice(&input),
                 cuts_whole(buf_slice(&input)), &out);
    size_t written = fwrite(out.ptr, 1, out.len, stdout);
    bool good = written == out.len;
    buf_free(&input);
    buf_free(&out);
    return good ? 0 : 1;
}
