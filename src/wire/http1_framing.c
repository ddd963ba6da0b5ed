/*
 * http1_framing.c - what the fields of a head mean for the message: where it ends, whether the
 * connection goes on, what the client expects.
 *
 *                              Transfer-Encoding: chunked   Content-Length: n   neither
 *   request                    chunked                      n bytes             no body
 *   response                   chunked                      n bytes             until close
 *   1xx, 204, CONNECT request  refused                      refused unless 0    no body
 *   2xx to CONNECT, 101        refused                      refused unless 0    tunnel
 *   304, response to HEAD      no body                      no body             no body
 *
 * Both at once is refused in every row, so is any of them twice, and any coding but chunked: an
 * intermediary that believes the one and a server that believes the other is how requests are
 * smuggled. RFC 9112 6.1 lets a server repair some of these; it need not, and this one does not.
 */
#include "wire/http1.h"
#include "wire/url.h"

/* The fields that decide, gathered in one walk. */
struct deciding {
    slice host, length, coding, expect, upgrade;
    unsigned hosts, lengths, codings, expects;
    bool close, keep_alive, upgrades;
};

/* WANTED is in small letters; most others differ in the length or the first. */
static bool is(slice name, slice wanted) {
    return name.len == wanted.len && (name.ptr[0] | 0x20) == wanted.ptr[0] &&
           slice_equal_nocase(name, wanted);
}

static void read_connection(struct deciding *d, slice list) {
    slice token;
    if (is(list, slice_lit("keep-alive"))) { /* as most say it, alone */
        d->keep_alive = true;
        return;
    }
    while (http1_next_element(&list, &token)) {
        if (is(token, slice_lit("close")))
            d->close = true;
        else if (is(token, slice_lit("keep-alive")))
            d->keep_alive = true;
        else if (is(token, slice_lit("upgrade")))
            d->upgrades = true;
    }
}

static void gather_field(struct deciding *d, const struct http1_field *f) {
    switch (f->name.len) { /* most fields are told apart by their length */
    case sizeof("Host") - 1:
        if (is(f->name, slice_lit("host"))) {
            d->host = f->value;
            d->hosts++;
        }
        break;
    case sizeof("Expect") - 1:
        if (is(f->name, slice_lit("expect"))) {
            d->expect = f->value;
            d->expects++;
        }
        break;
    case sizeof("Upgrade") - 1:
        if (d->upgrade.len == 0 && is(f->name, slice_lit("upgrade")))
            d->upgrade = f->value;
        break;
    case sizeof("Connection") - 1:
        if (is(f->name, slice_lit("connection")))
            read_connection(d, f->value);
        break;
    case sizeof("Content-Length") - 1:
        if (is(f->name, slice_lit("content-length"))) {
            d->length = f->value;
            d->lengths++;
        }
        break;
    case sizeof("Transfer-Encoding") - 1:
        if (is(f->name, slice_lit("transfer-encoding"))) {
            d->coding = f->value;
            d->codings++;
        }
        break;
    default:
        break;
    }
}

/* The one coding there is is "chunked", alone. */
static enum http1_error judge_coding(slice list) {
    if (is(list, slice_lit("chunked")))
        return HTTP1_ERROR_NONE;
    slice coding;
    bool chunked = false, unknown = false;
    while (http1_next_element(&list, &coding)) {
        if (chunked)
            return HTTP1_ERROR_CODING; /* chunked twice, or something applied after it */
        chunked = is(coding, slice_lit("chunked"));
        unknown |= !chunked;
    }
    return unknown ? HTTP1_ERROR_CODING_UNKNOWN : HTTP1_ERROR_CODING;
}

static enum http1_error judge_lengths(struct http1_head *head, const struct deciding *d) {
    if (d->lengths > 0 && d->codings > 0)
        return HTTP1_ERROR_LENGTH_AND_CODING;
    if (d->lengths > 1)
        return HTTP1_ERROR_LENGTH_REPEATED;
    if (d->codings > 1)
        return HTTP1_ERROR_CODING_REPEATED;
    if (d->codings == 1) {
        if (head->version_minor == 0)
            return HTTP1_ERROR_CODING_IN_1_0;
        return judge_coding(d->coding);
    }
    head->has_content_length = d->lengths == 1;
    if (head->has_content_length && !http1_parse_length(d->length, &head->content_length))
        return HTTP1_ERROR_LENGTH;
    return HTTP1_ERROR_NONE;
}

/* What the message would have if its kind did not forbid a body. */
static enum http1_framing announced(const struct http1_head *head, const struct deciding *d) {
    if (d->codings > 0)
        return HTTP1_CHUNKED;
    if (head->has_content_length)
        return head->content_length > 0 ? HTTP1_LENGTH : HTTP1_NO_BODY;
    return head->side == HTTP1_REQUEST ? HTTP1_NO_BODY : HTTP1_UNTIL_CLOSE;
}

static enum http1_error frame_message(struct http1_head *head, const struct deciding *d) {
    const bool request = head->side == HTTP1_REQUEST;
    const unsigned status = head->status;
    enum http1_framing framing = announced(head, d);
    const bool has_body = framing == HTTP1_CHUNKED || framing == HTTP1_LENGTH;
    const bool tunnel = !request && (status == 101 || (head->side == HTTP1_RESPONSE_TO_CONNECT &&
                                                       status >= 200 && status < 300));
    const bool bodiless =
        request ? slice_equal(head->method, slice_lit("CONNECT")) : status < 200 || status == 204;
    if ((tunnel || bodiless) && has_body)
        return HTTP1_ERROR_BODY_NOT_ALLOWED;
    if (tunnel)
        framing = HTTP1_TUNNEL;
    else if (bodiless || status == 304 || head->side == HTTP1_RESPONSE_TO_HEAD)
        framing = HTTP1_NO_BODY;
    head->framing = (uint8_t)framing;
    head->keep_alive = framing != HTTP1_UNTIL_CLOSE && framing != HTTP1_TUNNEL && !d->close &&
                       (head->version_minor == 1 || d->keep_alive);
    return HTTP1_ERROR_NONE;
}

/* Host of a request, and the authority that follows from it and the target. */
static enum http1_error judge_host(struct http1_head *head, const struct deciding *d) {
    struct url_authority host;
    if (d->hosts > 1)
        return HTTP1_ERROR_HOST_REPEATED;
    if (d->hosts == 0)
        return head->version_minor == 1 ? HTTP1_ERROR_HOST_MISSING : HTTP1_ERROR_NONE;
    if (url_parse_authority(d->host, &host) < 0 || host.user.ptr)
        return HTTP1_ERROR_HOST;
    const uint16_t port = head->https ? 443 : 80;
    if (head->form == HTTP1_ABSOLUTE || head->form == HTTP1_AUTHORITY)
        head->authority_differs = !url_same_authority(head->authority, d->host, port);
    else
        head->authority = d->host;
    return HTTP1_ERROR_NONE;
}

static enum http1_error judge_expect(struct http1_head *head, const struct deciding *d) {
    if (d->expects == 0 || head->version_minor == 0)
        return HTTP1_ERROR_NONE; /* RFC 9110 10.1.1: not in 1.0 */
    if (d->expects > 1 || !is(d->expect, slice_lit("100-continue")))
        return HTTP1_ERROR_EXPECTATION;
    head->expect_continue = head->framing == HTTP1_LENGTH || head->framing == HTTP1_CHUNKED;
    return HTTP1_ERROR_NONE;
}

enum http1_error http1_frame(struct http1_head *head) {
    struct deciding d = {.hosts = 0};
    for (size_t i = 0; i < head->fields_count; i++)
        gather_field(&d, &head->fields[i]);
    enum http1_error error = judge_lengths(head, &d);
    if (error == HTTP1_ERROR_NONE)
        error = frame_message(head, &d);
    if (error == HTTP1_ERROR_NONE && head->side == HTTP1_REQUEST)
        error = judge_host(head, &d);
    if (error == HTTP1_ERROR_NONE && head->side == HTTP1_REQUEST)
        error = judge_expect(head, &d);
    if (d.upgrades && head->version_minor == 1)
        head->upgrade = d.upgrade;
    return error;
}

bool http1_get(const struct http1_head *head, slice name, slice *ret_value) {
    for (size_t i = 0; i < head->fields_count; i++) {
        if (slice_equal_nocase(head->fields[i].name, name)) {
            *ret_value = head->fields[i].value;
            return true;
        }
    }
    return false;
}
