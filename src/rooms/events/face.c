/*
 * face.c - see face.h.
 *
 * Words are for whoever has sent the request: the argument's name, then what is wanted. Numbers are
 * decimal and bounded by their caller; an argument that is there without a value counts as absent.
 */
#include "rooms/events/face.h"

#include "base/clocktext.h"
#include "base/number.h"
#include "base/utf8.h"
#include "http/reply.h"
#include "rooms/events/life.h"
#include "wire/url.h"

#include <errno.h>

bool face_refuse(struct http_request *request, const char *key, const char *what) {
    http_reply_problem(request, 400, "%s: %s", key, what);
    return false;
}

bool face_later(struct http_request *request, int failed, const struct http_request_events *events,
                void *self) {
    if (failed)
        http_reply_problem(request, 503, "too many requests are under way: try again");
    else
        http_request_later(request, events, self);
    return !failed;
}

bool face_argument(struct http_request *request, const char *key, slice *ret_value) {
    *ret_value = (slice){0};
    int failed = http_request_argument(request, slice_str(key), ret_value);
    return !failed || failed == -ENOENT || face_refuse(request, key, "badly escaped");
}

bool face_number(struct http_request *request, const char *key, uint64_t most, uint64_t *number) {
    slice value;
    if (!face_argument(request, key, &value))
        return false;
    if (value.len && (number_parse_u64(value, number) || *number > most))
        return face_refuse(request, key, "a number is wanted");
    return true;
}

bool face_flag(struct http_request *request, const char *key, bool *ret_flag) {
    slice value;
    if (!face_argument(request, key, &value))
        return false;
    *ret_flag = value.len > 0 && !slice_equal(value, slice_lit("0"));
    return true;
}

bool face_time(struct http_request *request, const char *key, bool *ret_there, int64_t *time_ns) {
    slice value;
    if (!face_argument(request, key, &value))
        return false;
    *ret_there = value.len > 0;
    return !value.len || clocktext_parse(value, time_ns) == 0 ||
           face_refuse(request, key, "a time of RFC 3339 is wanted: 2026-11-30T12:00:00Z");
}

bool face_category(struct http_request *request, struct buf *subject) {
    slice value;
    if (!face_argument(request, "category", &value))
        return false;
    return !value.len || event_category_subject(value, subject) == 0 ||
           face_refuse(request, "category", "a text of at most 1024 bytes is wanted");
}

bool face_expect(struct http_request *request, slice *ret_expect) {
    enum expect expect;
    uint64_t revision;
    if (!face_argument(request, "expect", ret_expect))
        return false;
    return !ret_expect->len ||
           (ret_expect->len < NUMBER_TEXT_MAX &&
            expect_read(*ret_expect, &expect, &revision) == 0) ||
           face_refuse(request, "expect", "any, none, exists, deleted or a revision is wanted");
}

bool face_limit(struct http_request *request, unsigned most, unsigned *limit) {
    uint64_t number = *limit;
    slice value;
    if (!face_argument(request, "limit", &value) || !face_number(request, "limit", most, &number))
        return false;
    *limit = (unsigned)number;
    return !value.len || number || face_refuse(request, "limit", "a number above 0 is wanted");
}

_Static_assert(EVENT_TYPE_MAX == EVENT_TAG_MAX, "one bound for the words of both");

bool face_words(struct http_request *request, const char *key, unsigned most, slice *list,
                unsigned *ret_count) {
    slice value;
    *ret_count = 0;
    if (!face_argument(request, key, &value))
        return false;
    if (!utf8_valid(value))
        return face_refuse(request, key, "UTF-8 is wanted");
    while (value.len) {
        slice word = slice_cut(value, ',', &value);
        if (*ret_count == most)
            return face_refuse(request, key, "at most 16 words");
        if (!word.len || word.len > EVENT_TAG_MAX)
            return face_refuse(request, key, "a word has 1 to 256 bytes");
        list[(*ret_count)++] = word;
    }
    return true;
}

/* --- what a gateway's route is for --------------------------------------------------------- */

/* The categories that the request is confined to, percent-encoded, with commas. */
static bool confined(const struct http_request *request, slice *ret_categories) {
    return http_request_through_gateway(request) &&
           http_request_field(request, slice_lit("X-Nonet-Categories"), ret_categories) &&
           ret_categories->len > 0;
}

/* The subject of ENCODED, a category, into OUT. */
static int category_subject(slice encoded, struct buf *out) {
    char text[EVENT_NAME_MAX * 3];
    size_t len;
    if (encoded.len > sizeof text || url_decode(encoded, false, text, &len))
        return -EINVAL;
    return event_category_subject(slice_make(text, len), out);
}

bool face_may(struct http_request *request, slice subject) {
    _cleanup_buf_ struct buf category = buf_make(EVENT_SUBJECT_MAX);
    slice list;
    if (!confined(request, &list))
        return true;
    while (list.len) {
        buf_clear(&category);
        int failed = category_subject(slice_cut(list, ',', &list), &category);
        if (!failed && event_is_of(subject, buf_slice(&category)))
            return true;
    }
    http_reply_problem(request, 403, "event streams of this category are not for this route");
    return false;
}

bool face_is_confined(struct http_request *request, slice *ret_only) {
    _cleanup_buf_ struct buf category = buf_make(EVENT_SUBJECT_MAX);
    slice list;
    *ret_only = (slice){0};
    if (!confined(request, &list))
        return false;
    if (slice_find(list, ',') < 0 && category_subject(list, &category) == 0)
        (void)!arena_copy(http_request_arena(request), buf_slice(&category), ret_only);
    return true;
}

bool face_subject(struct http_request *request, struct buf *subject) {
    int failed = event_subject(http_request_parameter(request, "stream"), subject);
    if (failed)
        http_reply_problem(request, 400,
                           "an event stream is called CATEGORY-ID, in at most 1024 bytes");
    return !failed && face_may(request, buf_slice(subject));
}

bool face_accepts(const struct http_request *request, slice type) {
    slice accept = {0}, element;
    (void)http_request_field(request, slice_lit("Accept"), &accept);
    while (http1_next_element(&accept, &element))
        if (slice_equal_nocase(slice_trim(slice_cut(element, ';', &(slice){0})), type))
            return true;
    return false;
}

struct http1_field face_etag(uint64_t last, char *text) {
    size_t len = 1 + number_format_u64(last, text + 1);
    text[0] = text[len] = '"';
    return (struct http1_field){slice_lit("ETag"), slice_make(text, len + 1)};
}

int face_array(struct buf *out, slice lines) {
    size_t from = out->len + 1;
    if (!lines.len)
        return buf_append(out, slice_lit("[]"));
    int failed = buf_append_byte(out, '[');
    if (!failed)
        failed = buf_append(out, lines);
    for (char *at = failed ? NULL : out->ptr + from; at;) {
        at = memchr(at, '\n', (size_t)(out->ptr + out->len - at));
        if (at)
            *at++ = ',';
    }
    if (!failed)
        out->ptr[out->len - 1] = ']';
    return failed;
}

int face_link(const struct http_request *request, const char *key, uint64_t number,
              struct buf *out) {
    static const slice places[] = {slice_lit("from"), slice_lit("after"), slice_lit("time"),
                                   slice_lit("position")};
    slice query = http_request_query(request), name, value;
    int failed = buf_append(out, slice_lit("<?"));
    while (!failed && url_query_next(&query, &name, &value)) {
        bool place = false;
        for (size_t i = 0; i < array_count(places); i++)
            place |= slice_equal(name, places[i]);
        if (!place)
            failed = buf_printf(out, "%.*s=%.*s&", slice_fmt(name), slice_fmt(value));
    }
    return failed ? failed
                  : buf_printf(out, "%s=%llu>; rel=\"next\"", key, (unsigned long long)number);
}
