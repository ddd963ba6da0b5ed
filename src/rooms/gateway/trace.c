/*
 * trace.c - who is at the other end, and the names by which logs of many programs know a request.
 *
 * TRACE CONTEXT (W3C, level 1): a traceparent that is well-formed goes on with a new span of ours;
 * else a trace begins here. The request id is X-Request-Id where a client sends a plain one, else
 * the trace id; every answer says it.
 *
 * CLIENT ADDRESS: the peer's, unless the peer is a trusted proxy: then the last address of
 * X-Forwarded-For that is not a trusted proxy itself, for what stands before it anybody may have
 * written.
 */
#include "base/hex.h"
#include "base/ip.h"
#include "rooms/gateway/steps.h"
#include "rooms/gateway/table.h"
#include "rooms/gateway/ways.h"

#define REQUEST_ID_MAX 128u
#define HOPS_MAX 32u /* of X-Forwarded-For that are looked at */

/* --- trace -------------------------------------------------------------------------------------
 */

static bool is_hex(slice text) {
    bool zero = true;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return false;
        zero &= c == '0';
    }
    return !zero; /* all zeroes means: none */
}

static slice part(slice text, size_t from, size_t len) {
    return slice_take(slice_skip(text, from), len);
}

/* A version we do not know may have more behind the flags (W3C 3.2.2.3 "versioning"). True with the
   trace and its flag at OUT. */
static bool read_traceparent(slice text, char out[EXCHANGE_TRACEPARENT_LEN]) {
    slice version = slice_take(text, 2);
    bool known = slice_equal(version, slice_lit("00"));
    if (text.len < EXCHANGE_TRACEPARENT_LEN || text.ptr[2] != '-' || text.ptr[35] != '-' ||
        text.ptr[52] != '-' || slice_equal(version, slice_lit("ff")) ||
        hex_digit(version.ptr[0]) < 0 || hex_digit(version.ptr[1]) < 0)
        return false;
    if (text.len > EXCHANGE_TRACEPARENT_LEN && (known || text.ptr[EXCHANGE_TRACEPARENT_LEN] != '-'))
        return false;
    int flags = hex_digit(text.ptr[54]);
    if (!is_hex(part(text, 3, 32)) || !is_hex(part(text, 36, 16)) || hex_digit(text.ptr[53]) < 0 ||
        flags < 0)
        return false;
    memcpy(out + 3, text.ptr + 3, 32);
    out[54] = flags & 1 ? '1' : '0';
    return true;
}

static void print_random(struct random *random, char *out, unsigned words) {
    for (unsigned i = 0; i < words; i++) {
        uint64_t word = random_u64(random) | 1; /* never all zeroes */
        hex_encode(slice_make(&word, sizeof word), out + i * 16);
    }
}

static void begin_trace(struct exchange *x) {
    struct random *random = &x->shard->random;
    char *text = x->traceparent;
    slice value;
    memcpy(text, "00-", 3);
    memcpy(text + 52, "-01", 3);
    x->continued = way_field(x, slice_lit("traceparent"), &value) == 0 && /* W3C 3.2: only once */
                   read_traceparent(value, text);
    if (!x->continued)
        print_random(random, text + 3, 2);
    text[35] = '-';
    print_random(random, text + 36, 1);
}

static bool is_plain_id(slice text) {
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                     c == '-' || c == '_' || c == '.' || c == ':' || c == '/' || c == '+' ||
                     c == '=';
        if (!plain)
            return false;
    }
    return text.len > 0 && text.len <= REQUEST_ID_MAX;
}

/* --- client ------------------------------------------------------------------------------------
 */

static bool is_trusted(const struct gateway_table *table, const struct ip *ip) {
    for (unsigned i = 0; i < table->trusted_count; i++)
        if (ip_in_network(ip, &table->trusted[i]))
            return true;
    return false;
}

/* "10.0.0.1:80" and "[::1]:80" without their ports and brackets. */
static slice host_of(slice address) {
    size_t len = address.len;
    while (len > 0 && address.ptr[len - 1] != ':')
        len--;
    slice host = len > 1 ? slice_take(address, len - 1) : address;
    if (slice_starts_with(host, slice_lit("[")) && slice_ends_with(host, slice_lit("]")))
        host = slice_make(host.ptr + 1, host.len - 2);
    return host;
}

/* The last element of *LIST, taken off it. False at its beginning. */
static bool last_element(slice *list, slice *ret_element) {
    if (!list->ptr || list->len == 0)
        return false;
    size_t from = list->len;
    while (from > 0 && list->ptr[from - 1] != ',')
        from--;
    *ret_element = slice_trim(slice_skip(*list, from));
    *list = slice_take(*list, from ? from - 1 : 0);
    return true;
}

/* The lists of all X-Forwarded-For lines are one list (RFC 9110 5.3), so the last line is the one
   that the nearest proxy wrote at the end of. */
static slice client_behind_proxies(const struct exchange *x, slice peer) {
    const struct gateway_table *table = x->route->table;
    size_t count;
    const struct http1_field *fields = http_request_fields(x->request, &count);
    slice client = peer;
    unsigned hops = 0;
    for (size_t i = count; i-- > 0;) {
        slice list = fields[i].value, element;
        if (!slice_equal_nocase(fields[i].name, slice_lit("X-Forwarded-For")))
            continue;
        while (last_element(&list, &element)) {
            struct ip ip;
            if (++hops > HOPS_MAX || ip_parse_with_port(element, &ip))
                return client;
            client = ip_parse(element, &ip) == 0 ? element : host_of(element);
            if (!is_trusted(table, &ip))
                return client;
        }
    }
    return client;
}

enum step_result step_trace(struct exchange *x) {
    struct ip ip;
    slice id;
    begin_trace(x);
    x->peer = host_of(slice_str(http_request_peer(x->request)));
    x->trusted = x->route->table->trusted_count && ip_parse(x->peer, &ip) == 0 &&
                 is_trusted(x->route->table, &ip);
    x->client = x->trusted ? client_behind_proxies(x, x->peer) : x->peer;
    x->request_id = exchange_trace_id(x);
    if (http_request_field(x->request, slice_lit("X-Request-Id"), &id) && is_plain_id(id))
        x->request_id = id;
    exchange_add_field(x, slice_lit("X-Request-Id"), x->request_id);
    return STEP_ON;
}
