/*
 * page.h - the pages of tests/wire: Markdown that people read and a program runs.
 *
 *     ## A title                         one case each
 *     Why it is so, in words.
 *     ```request head_max=100            input: the codec, then settings of it
 *     GET / HTTP/1.1\r\n                 line ends of the page do not count, those written do
 *     Host: a\r\n
 *     \r\n
 *     ```
 *     ```events
 *     request GET "/" 1.1                what must come out, as events.h prints it
 *     ```
 *
 * In an input \r \n \t \\ and \xNN stand for bytes, and \{5000 ab} for 5000 times "ab". Codecs:
 * nats-client, nats-server, websocket-client, websocket-server (who sent it), pgwire,
 * pgwire-started (behind the startup message), request, response, response-to-head,
 * response-to-connect.
 */
#ifndef NONET_TESTS_WIRE_PAGE_H
#define NONET_TESTS_WIRE_PAGE_H

#include "base/buf.h"

enum { PAGE_INPUT_MAX = 1024 * 1024, PAGE_SETTINGS_MAX = 4 };

struct page_setting {
    slice name;
    uint32_t value;
};

struct page_case {
    slice title;
    slice codec;
    struct page_setting settings[PAGE_SETTINGS_MAX];
    size_t settings_count;
    struct buf input; /* unescaped; the caller frees it */
    slice expected;   /* lines, the last with its LF */
};

/* Takes the next case off *REST, a page's text. 1; 0 at the end; -EINVAL where the page is not
   written as above, *ret_problem says how. */
must_use int page_next(slice *rest, struct page_case *ret_case, const char **ret_problem);

#endif
