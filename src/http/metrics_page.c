/*
 * metrics_page.c - the page that Prometheus reads.
 */
#include "http/server.h"

#include <errno.h>

#define TYPE "text/plain; version=0.0.4; charset=utf-8"

void http_metrics_handler(void *owner, struct http_request *request) {
    _cleanup_buf_ struct buf page = buf_make(HTTP_ANSWER_BYTES_MAX);
    int failed = metrics_write(owner, &page);
    if (failed == -ENOBUFS)
        http_reply_problem(request, 500, "the metrics are larger than an answer may be");
    else if (failed)
        http_reply_problem(request, 503, "no memory for the metrics");
    else
        http_reply(request, &(struct http_answer){.status = 200, .type = TYPE}, buf_slice(&page));
}
