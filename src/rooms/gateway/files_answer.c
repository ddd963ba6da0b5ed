/*
 * files_answer.c - the decisions of files_answer.h.
 *
 * Nothing here touches a disk or a socket: a file that was found, and a request's fields, make a
 * plan. Whatever is malformed in a condition or range is as if it were not there, as RFC 9110 asks.
 */
#include "rooms/gateway/files_answer.h"

#include "base/clocktext.h"
#include "base/number.h"
#include "wire/http1_fields.h"
#include "wire/url.h"

#include <errno.h>
#include <stdio.h>

#define DATE_SIZE 30 /* "Sun, 06 Nov 1994 08:49:37 GMT" and its NUL */

static const char days[] = "SunMonTueWedThuFriSat";
static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

/* --- types -------------------------------------------------------------------------------------
 */

static const struct {
    const char *ending, *type;
} types[] = {
    {"html", "text/html; charset=utf-8"},
    {"htm", "text/html; charset=utf-8"},
    {"css", "text/css; charset=utf-8"},
    {"js", "text/javascript; charset=utf-8"},
    {"mjs", "text/javascript; charset=utf-8"},
    {"json", "application/json"},
    {"map", "application/json"},
    {"webmanifest", "application/manifest+json"},
    {"txt", "text/plain; charset=utf-8"},
    {"md", "text/markdown; charset=utf-8"},
    {"csv", "text/csv; charset=utf-8"},
    {"xml", "application/xml"},
    {"svg", "image/svg+xml"},
    {"png", "image/png"},
    {"jpg", "image/jpeg"},
    {"jpeg", "image/jpeg"},
    {"gif", "image/gif"},
    {"webp", "image/webp"},
    {"avif", "image/avif"},
    {"ico", "image/vnd.microsoft.icon"},
    {"woff", "font/woff"},
    {"woff2", "font/woff2"},
    {"ttf", "font/ttf"},
    {"otf", "font/otf"},
    {"wasm", "application/wasm"},
    {"pdf", "application/pdf"},
    {"zip", "application/zip"},
    {"gz", "application/gzip"},
    {"mp3", "audio/mpeg"},
    {"ogg", "audio/ogg"},
    {"wav", "audio/wav"},
    {"mp4", "video/mp4"},
    {"webm", "video/webm"},
    {"yaml", "application/yaml"},
    {"yml", "application/yaml"},
};

slice files_type(slice path) {
    size_t at = path.len;
    while (at > 0 && path.ptr[at - 1] != '.' && path.ptr[at - 1] != '/')
        at--;
    slice ending = at > 0 && path.ptr[at - 1] == '.' ? slice_skip(path, at) : (slice){0};
    for (size_t i = 0; i < array_count(types); i++)
        if (slice_equal_nocase(ending, slice_str(types[i].ending)))
            return slice_str(types[i].type);
    return slice_lit("application/octet-stream");
}

/* --- codings -----------------------------------------------------------------------------------
 */

/* "br;q=0.5" is 500; what is no weight is 1. */
static unsigned weight_of(slice parameters) {
    slice rest = parameters;
    while (rest.ptr) {
        slice parameter = slice_trim(slice_cut(rest, ';', &rest));
        if (!slice_equal_nocase(slice_take(parameter, 2), slice_lit("q=")))
            continue;
        slice digits, whole = slice_cut(slice_skip(parameter, 2), '.', &digits);
        unsigned weight = 0, unit = 100;
        for (size_t i = 0; i < digits.len && i < 3; i++, unit /= 10)
            if (digits.ptr[i] >= '0' && digits.ptr[i] <= '9')
                weight += (unsigned)(digits.ptr[i] - '0') * unit;
        return slice_equal(whole, slice_lit("0")) ? weight : 1000;
    }
    return 1000;
}

unsigned files_accepts(const struct exchange *x, slice coding) {
    size_t count;
    const struct http1_field *fields = http_request_fields(x->request, &count);
    unsigned any = 0;
    for (size_t i = 0; i < count; i++) {
        slice list = fields[i].value, element, parameters;
        if (!slice_equal_nocase(fields[i].name, slice_lit("Accept-Encoding")))
            continue;
        while (http1_next_element(&list, &element)) {
            slice name = slice_trim(slice_cut(element, ';', &parameters));
            if (slice_equal_nocase(name, coding))
                return weight_of(parameters);
            if (slice_equal(name, slice_lit("*")))
                any = weight_of(parameters);
        }
    }
    return any;
}

/* --- dates -------------------------------------------------------------------------------------
 */

static int64_t seconds_of(int64_t ns) {
    return ns / (int64_t)NUMBER_NS_PER_SECOND;
}

static void print_date(int64_t seconds, char out[DATE_SIZE]) {
    struct clocktext_civil at = clocktext_civil(seconds * (int64_t)NUMBER_NS_PER_SECOND);
    unsigned day = clocktext_weekday(clocktext_days(at.year, at.month, at.day));
    snprintf(out, DATE_SIZE, "%.3s, %02u %.3s %04u %02u:%02u:%02u GMT", days + day * 3,
             at.day % 100, months + (at.month - 1) * 3, (unsigned)at.year % 10000, at.hour % 100,
             at.minute % 100, at.second % 100);
}

/* The three forms of RFC 9110 5.6.7. True with what stands in TEXT. */
static bool scan_date(const char *text, char month[4], unsigned *day, int64_t *year,
                      unsigned time[3]) {
    unsigned number;
    int used = 0;
    if (sscanf(text, "%*3[A-Za-z], %2u %3[A-Za-z] %4u %2u:%2u:%2u GMT%n", day, month, &number,
               &time[0], &time[1], &time[2], &used) == 6 &&
        used && !text[used]) {
        *year = number;
        return true;
    }
    if (sscanf(text, "%*9[A-Za-z], %2u-%3[A-Za-z]-%2u %2u:%2u:%2u GMT%n", day, month, &number,
               &time[0], &time[1], &time[2], &used) == 6 &&
        used && !text[used]) {
        *year = number + (number < 70 ? 2000 : 1900);
        return true;
    }
    if (sscanf(text, "%*3[A-Za-z] %3[A-Za-z] %2u %2u:%2u:%2u %4u%n", month, day, &time[0], &time[1],
               &time[2], &number, &used) == 6 &&
        used && !text[used]) {
        *year = number;
        return true;
    }
    return false;
}

static bool read_date(slice text, int64_t *ret_seconds) {
    char month[4], copy[48];
    unsigned day, time[3];
    int64_t year;
    if (slice_to_string(text, copy, sizeof copy) || !scan_date(copy, month, &day, &year, time))
        return false;
    ptrdiff_t at = slice_find_slice(slice_str(months), slice_str(month));
    if (strlen(month) != 3 || at < 0 || at % 3 || year > 9999 || day == 0 || day > 31 ||
        time[0] > 23 || time[1] > 59 || time[2] > 60)
        return false;
    *ret_seconds = clocktext_days(year, (unsigned)at / 3 + 1, day) * 86400 +
                   (int64_t)time[0] * 3600 + (int64_t)time[1] * 60 + (int64_t)time[2];
    return true;
}

/* --- conditions --------------------------------------------------------------------------------
 */

/* Whether a field NAME is there; *RET_LISTED: whether one of its entity tags is ETAG. */
static bool names_etag(const struct exchange *x, slice name, slice etag, bool weakly,
                       bool *ret_listed) {
    size_t count;
    const struct http1_field *fields = http_request_fields(x->request, &count);
    bool there = false;
    *ret_listed = false;
    for (size_t i = 0; i < count; i++) {
        slice list = fields[i].value, element;
        if (!slice_equal_nocase(fields[i].name, name))
            continue;
        there = true;
        while (http1_next_element(&list, &element)) {
            if (weakly && slice_starts_with(element, slice_lit("W/")))
                element = slice_skip(element, 2);
            *ret_listed |= slice_equal(element, slice_lit("*")) || slice_equal(element, etag);
        }
    }
    return there;
}

static bool find_date(const struct exchange *x, slice name, int64_t *ret_seconds) {
    slice value;
    return http_request_field(x->request, name, &value) && read_date(value, ret_seconds);
}

/* The status that conditions lead to instead of the file, in the order of RFC 9110 13.2.2; 0: none.
 */
static unsigned judge_conditions(const struct exchange *x, slice etag, int64_t modified) {
    bool listed;
    int64_t since;
    if (names_etag(x, slice_lit("If-Match"), etag, false, &listed)
            ? !listed
            : find_date(x, slice_lit("If-Unmodified-Since"), &since) && modified > since)
        return 412;
    if (names_etag(x, slice_lit("If-None-Match"), etag, true, &listed)
            ? listed
            : find_date(x, slice_lit("If-Modified-Since"), &since) && modified <= since)
        return 304;
    return 0;
}

bool files_is_conditional(const struct exchange *x) {
    static const slice names[] = {slice_lit("If-None-Match"), slice_lit("If-Modified-Since"),
                                  slice_lit("If-Match"), slice_lit("If-Unmodified-Since")};
    slice value;
    for (size_t i = 0; i < array_count(names); i++)
        if (http_request_field(x->request, names[i], &value))
            return true;
    return false;
}

/* Whether If-Range, where it is given, still names this file (strong comparison). */
static bool range_holds(const struct exchange *x, slice etag, int64_t modified) {
    slice value;
    int64_t since;
    if (!http_request_field(x->request, slice_lit("If-Range"), &value))
        return true;
    if (slice_starts_with(value, slice_lit("\"")))
        return slice_equal(value, etag);
    return read_date(value, &since) && modified == since;
}

enum range { RANGE_NONE, RANGE_ONE, RANGE_OUTSIDE };

/* "bytes=0-99", "bytes=100-", "bytes=-50" of a file of SIZE bytes. */
static enum range read_range(slice value, uint64_t size, uint64_t *ret_from, uint64_t *ret_length) {
    slice unit = slice_lit("bytes="), rest;
    uint64_t first = 0, last = 0;
    if (!slice_equal_nocase(slice_take(value, unit.len), unit) || slice_find(value, ',') >= 0)
        return RANGE_NONE;
    slice begin = slice_trim(slice_cut(slice_skip(value, unit.len), '-', &rest));
    slice end = slice_trim(rest);
    if (!rest.ptr || (begin.len == 0 && end.len == 0) ||
        (begin.len && number_parse_u64(begin, &first)) ||
        (end.len && number_parse_u64(end, &last)) || (begin.len && end.len && last < first))
        return RANGE_NONE; /* malformed: as if it were not there */
    if (begin.len == 0) {
        first = last < size ? size - last : 0;
        if (last == 0)
            return RANGE_OUTSIDE;
        last = size - 1;
    } else if (end.len == 0 || last >= size) {
        last = size ? size - 1 : 0;
    }
    if (first >= size)
        return RANGE_OUTSIDE;
    *ret_from = first;
    *ret_length = last - first + 1;
    return RANGE_ONE;
}

/* --- the plan ----------------------------------------------------------------------------------
 */

static void add(struct files_plan *plan, slice name, slice value) {
    plan->fields[plan->answer.field_count++] = (struct http1_field){name, value};
}

/* To the path in its one form: "//evil.example/%2e%2e/docs" as sent would lead elsewhere. */
static int plan_folder(struct exchange *x, struct files_plan *plan) {
    slice query = http_request_query(x->request), path = http_request_path(x->request), location;
    struct arena *arena = exchange_arena(x);
    char *sent = arena_alloc(arena, path.len * 3);
    if (!sent)
        return -ENOMEM;
    int failed = arena_printf(arena, &location, "%.*s/%s%.*s", (int)url_encode_path(path, sent),
                              sent, query.ptr ? "?" : "", slice_fmt(query));
    if (failed)
        return failed;
    plan->answer.status = 308;
    add(plan, slice_lit("Location"), location);
    return 0;
}

static int plan_range(struct exchange *x, const struct files_found *found, slice etag,
                      struct files_plan *plan) {
    slice value, text;
    if (!slice_equal(http_request_method(x->request), slice_lit("GET")) || /* RFC 9110 14.2 */
        !http_request_field(x->request, slice_lit("Range"), &value) ||
        !range_holds(x, etag, seconds_of(found->modified_ns)))
        return 0;
    enum range range = read_range(value, found->size, &plan->from, &plan->length);
    if (range == RANGE_NONE)
        return 0;
    int failed = range == RANGE_ONE
                     ? arena_printf(exchange_arena(x), &text, "bytes %llu-%llu/%llu",
                                    (unsigned long long)plan->from,
                                    (unsigned long long)(plan->from + plan->length - 1),
                                    (unsigned long long)found->size)
                     : arena_printf(exchange_arena(x), &text, "bytes */%llu",
                                    (unsigned long long)found->size);
    if (failed)
        return failed;
    plan->answer.status = range == RANGE_ONE ? 206 : 416;
    plan->has_body = range == RANGE_ONE;
    add(plan, slice_lit("Content-Range"), text);
    return 0;
}

int files_plan(struct exchange *x, const struct files_found *found, slice path, slice cache_control,
               struct files_plan *ret_plan) {
    struct arena *arena = exchange_arena(x);
    slice etag, modified;
    char date[DATE_SIZE];
    *ret_plan = (struct files_plan){.length = found->size, .has_body = true};
    ret_plan->answer = (struct http_answer){.status = 200, .fields = ret_plan->fields};
    if (found->is_folder) {
        ret_plan->has_body = false;
        return plan_folder(x, ret_plan);
    }
    int64_t now_ns = io_loop_wall_ns(exchange_loop(x)); /* later than Date it may not be */
    print_date(seconds_of(found->modified_ns < now_ns ? found->modified_ns : now_ns), date);
    if (arena_printf(arena, &etag, "\"%llx-%llx%s%s\"", (unsigned long long)found->modified_ns,
                     (unsigned long long)found->size, found->coding ? "-" : "",
                     found->coding ? found->coding : "") ||
        arena_copy(arena, slice_str(date), &modified))
        return -ENOMEM;
    add(ret_plan, slice_lit("ETag"), etag);
    add(ret_plan, slice_lit("Last-Modified"), modified);
    add(ret_plan, slice_lit("Cache-Control"), cache_control);
    add(ret_plan, slice_lit("Accept-Ranges"), slice_lit("bytes"));
    exchange_add_field(x, slice_lit("Vary"), slice_lit("Accept-Encoding"));
    unsigned status = judge_conditions(x, etag, seconds_of(found->modified_ns));
    if (status) {
        ret_plan->answer.status = status;
        ret_plan->has_body = false;
        return 0;
    }
    add(ret_plan, slice_lit("Content-Type"), files_type(path));
    if (found->coding)
        add(ret_plan, slice_lit("Content-Encoding"), slice_str(found->coding));
    return plan_range(x, found, etag, ret_plan);
}
