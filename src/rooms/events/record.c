/*
 * record.c - see record.h.
 *
 * Pure: bytes in, bytes out. What is written here is read here, and what is read is not trusted: a
 * record that does not fit is no event.
 */
#include "rooms/events/record.h"

#include "base/base64.h"
#include "base/hex.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/utf8.h"
#include "io/crypto.h"
#include "wire/nats_headers.h"
#include "wire/url.h"

#include <errno.h>

#define CHAIN_FIELD "Nonet-Chain: "

/* --- the chain ---------------------------------------------------------------------------- */

/* Big-endian. */
static void put_number(uint64_t number, char out[8]) {
    for (unsigned i = 0; i < 8; i++)
        out[i] = (char)(unsigned char)(number >> (56 - 8 * i));
}

/* HEADERS: up to the line of the chain. */
static void chain(const unsigned char before[EVENT_CHAIN_BYTES], slice subject, slice headers,
                  slice payload, unsigned char ret_chain[EVENT_CHAIN_BYTES]) {
    const slice covered[] = {slice_make((const char *)before, EVENT_CHAIN_BYTES), subject, headers,
                             payload};
    char sizes[array_count(covered)][8];
    slice parts[array_count(covered) * 2];
    for (size_t i = 0; i < array_count(covered); i++) {
        put_number(covered[i].len, sizes[i]);
        parts[i * 2] = slice_make(sizes[i], sizeof sizes[i]);
        parts[i * 2 + 1] = covered[i];
    }
    io_sha256_parts(parts, array_count(parts), ret_chain);
}

/* The block's end, with the chain: nothing may stand behind it, for it would not be covered. */
#define CHAIN_END_BYTES (sizeof CHAIN_FIELD - 1 + EVENT_CHAIN_BYTES * 2 + 4)

static void write_chain_end(const unsigned char hash[EVENT_CHAIN_BYTES],
                            char out[CHAIN_END_BYTES]) {
    char *at = mempcpy(out, CHAIN_FIELD, sizeof CHAIN_FIELD - 1);
    at += hex_encode(slice_make((const char *)hash, EVENT_CHAIN_BYTES), at);
    memcpy(at, "\r\n\r\n", 4);
}

int event_chain_check(const struct log_record *record, const struct event *event,
                      const unsigned char before[EVENT_CHAIN_BYTES]) {
    unsigned char right[EVENT_CHAIN_BYTES];
    char end[CHAIN_END_BYTES];
    write_chain_end(event->chain, end);
    slice headers = record->headers;
    if (!slice_ends_with(headers, slice_make(end, CHAIN_END_BYTES)))
        return -EBADMSG;
    headers = slice_take(headers, headers.len - CHAIN_END_BYTES);
    chain(before, record->subject, headers, record->payload, right);
    return memcmp(right, event->chain, sizeof right) == 0 ? 0 : -EBADMSG;
}

/* --- headers ------------------------------------------------------------------------------ */

static int add(struct buf *b, const char *key, slice value) {
    return value.len ? nats_headers_add(b, slice_str(key), value) : 0;
}

/* The fields that an event has from elsewhere. */
static bool is_own(slice key) {
    static const char *const own[] = {"ce-specversion", "ce-id",   "ce-type",
                                      "ce-source",      "ce-time", "Content-Type"};
    for (size_t i = 0; i < array_count(own); i++)
        if (slice_equal(key, slice_str(own[i])))
            return true;
    return slice_starts_with(key, slice_lit("Nonet-"));
}

static int add_more(struct buf *b, slice more) {
    struct nats_field field;
    int failed = 0;
    while (!failed && nats_headers_next(&more, &field))
        if (!is_own(field.key))
            failed = nats_headers_add(b, field.key, field.value);
    return failed;
}

static int add_place(struct buf *b, const struct event *e) {
    char text[96];
    const uint64_t numbers[] = {e->number, e->before, e->skip, e->leaf};
    size_t len = 0;
    for (size_t i = 0; i < array_count(numbers); i++) {
        if (i)
            text[len++] = ' ';
        len += number_format_u64(numbers[i], text + len);
    }
    return add(b, "Nonet-Event", slice_make(text, len));
}

int event_write(struct event *e, slice subject, const unsigned char before[EVENT_CHAIN_BYTES],
                struct buf *headers) {
    char end[CHAIN_END_BYTES];
    size_t from = headers->len;
    int failed = nats_headers_begin(headers, 0, (slice){0});
    const struct {
        const char *key;
        slice value;
    } fields[] = {
        {"ce-specversion", slice_lit("1.0")},
        {"ce-id", e->id},
        {"ce-type", e->type},
        {"ce-source", e->source},
        {"ce-time", e->time},
        {"Content-Type", e->content_type},
        {"Nonet-Tags", e->tags},
        {"Nonet-Tagged", e->tagged},
        {"Nonet-Metadata", e->metadata},
        {"Nonet-Types", e->types},
    };
    for (size_t i = 0; i < array_count(fields) && !failed; i++)
        failed = add(headers, fields[i].key, fields[i].value);
    if (!failed)
        failed = add_more(headers, e->more);
    if (!failed)
        failed = add_place(headers, e);
    if (!failed)
        failed = add(headers, "Nonet-Ids", e->ids);
    if (failed)
        return failed;
    chain(before, subject, slice_skip(buf_slice(headers), from), e->data, e->chain);
    write_chain_end(e->chain, end);
    return buf_append(headers, slice_make(end, CHAIN_END_BYTES)) ? -ENOMEM : 0;
}

static bool read_place(slice value, struct event *e) {
    uint64_t *const numbers[] = {&e->number, &e->before, &e->skip, &e->leaf};
    for (size_t i = 0; i < array_count(numbers); i++) {
        slice word = slice_cut(value, ' ', &value);
        if (number_parse_u64(word, numbers[i]))
            return false;
    }
    return !value.len && e->number > 0 && (e->before > 0) == (e->number > 1);
}

int event_read(const struct log_record *record, struct event *e) {
    *e = (struct event){.data = record->payload};
    struct nats_status status;
    struct nats_field field;
    slice place = {0}, hex = {0};
    size_t len = 0;
    const struct {
        slice key;
        slice *value;
    } fields[] = {
        {slice_lit("ce-id"), &e->id},
        {slice_lit("ce-type"), &e->type},
        {slice_lit("ce-source"), &e->source},
        {slice_lit("ce-time"), &e->time},
        {slice_lit("Content-Type"), &e->content_type},
        {slice_lit("Nonet-Tags"), &e->tags},
        {slice_lit("Nonet-Tagged"), &e->tagged},
        {slice_lit("Nonet-Metadata"), &e->metadata},
        {slice_lit("Nonet-Types"), &e->types},
        {slice_lit("Nonet-Event"), &place},
        {slice_lit("Nonet-Ids"), &e->ids},
        {slice_lit("Nonet-Chain"), &hex},
    };
    if (!record->headers.len || nats_headers_parse(record->headers, &status))
        return -EBADMSG;
    e->more = status.fields;
    while (nats_headers_next(&status.fields, &field))
        for (size_t i = 0; i < array_count(fields); i++)
            if (slice_equal(field.key, fields[i].key))
                *fields[i].value = field.value;
    if (!e->id.len || !e->type.len || !read_place(place, e) ||
        hex_decode(hex, e->chain, sizeof e->chain, &len) || len != sizeof e->chain)
        return -EBADMSG;
    return 0;
}

/* Fields are written in one way (nats_headers_add), so a line begins with "NAME: ". */
bool event_field(const struct log_record *record, slice name, slice *ret_value) {
    const char *at = record->headers.ptr, *end = at + record->headers.len, *line_end;
    for (; at < end && (line_end = memchr(at, '\n', (size_t)(end - at))); at = line_end + 1) {
        size_t len = (size_t)(line_end - at);
        if (len < name.len + 3 || at[name.len] != ':' || memcmp(at, name.ptr, name.len) != 0)
            continue;
        *ret_value = slice_make(at + name.len + 2, len - name.len - 3); /* ": " and CR are off */
        return true;
    }
    return false;
}

/* --- ids ---------------------------------------------------------------------------------- */

uint64_t event_digest(slice id) {
    unsigned char digest[32];
    uint64_t number = 0;
    io_sha256(id, digest);
    for (unsigned i = 0; i < 8; i++)
        number = number << 8 | digest[i];
    return number;
}

int event_write_ids(const uint64_t *digests, size_t count, struct buf *out) {
    char *bytes = mem_alloc(count * 8);
    size_t room = base64_encoded_len(BASE64_STANDARD, count * 8);
    if (!bytes || buf_reserve(out, room)) {
        mem_free(bytes);
        return -ENOMEM;
    }
    for (size_t i = 0; i < count; i++)
        put_number(digests[i], bytes + i * 8);
    out->len += base64_encode(BASE64_STANDARD, slice_make(bytes, count * 8), out->ptr + out->len);
    mem_free(bytes);
    return 0;
}

size_t event_ids_count(slice ids) {
    return ids.len / 4 * 3 / 8;
}

int event_read_ids(slice ids, uint64_t *digests) {
    size_t count = event_ids_count(ids), len;
    unsigned char bytes[EVENT_SPAN * 8];
    if (count > EVENT_SPAN || base64_decode(BASE64_STANDARD, ids, bytes, sizeof bytes, &len) ||
        len != count * 8)
        return -EBADMSG;
    for (size_t i = 0; i < count; i++) {
        digests[i] = 0;
        for (unsigned k = 0; k < 8; k++)
            digests[i] = digests[i] << 8 | bytes[i * 8 + k];
    }
    return 0;
}

/* --- tags --------------------------------------------------------------------------------- */

unsigned event_tag_count(slice tags) {
    unsigned count = tags.len > 0;
    for (size_t i = 0; i < tags.len; i++)
        count += tags.ptr[i] == ',';
    return count;
}

bool event_tag_next(slice *tags, char *out, slice *ret_tag) {
    size_t len;
    if (!tags->len)
        return false;
    slice written = slice_cut(*tags, ',', tags);
    if (written.len > EVENT_TAG_ROOM || url_decode(written, false, out, &len))
        return false;
    *ret_tag = slice_make(out, len);
    return true;
}

bool event_has_tag(slice tags, slice tag) {
    char room[EVENT_TAG_ROOM];
    slice there;
    while (event_tag_next(&tags, room, &there))
        if (slice_equal(there, tag))
            return true;
    return false;
}

bool event_matches(const struct event *event, const slice *types, unsigned type_count,
                   const slice *tags, unsigned tag_count) {
    bool fits = type_count == 0;
    for (unsigned i = 0; i < type_count && !fits; i++)
        fits = slice_equal(event->type, types[i]);
    for (unsigned i = 0; i < tag_count && fits; i++)
        fits = event_has_tag(event->tags, tags[i]);
    return fits;
}

bool event_tagged(const struct event *event, slice tag, uint64_t *ret_sequence) {
    char room[EVENT_TAG_ROOM];
    slice there, tags = event->tags, tagged = event->tagged;
    while (event_tag_next(&tags, room, &there)) {
        slice number = slice_cut(tagged, ',', &tagged);
        if (slice_equal(there, tag))
            return number_parse_u64(number, ret_sequence) == 0;
    }
    return false;
}

int event_tag_add(struct buf *tags, slice tag) {
    if (!tag.len || tag.len > EVENT_TAG_MAX || !utf8_valid(tag))
        return -EINVAL;
    if (tags->len && buf_append_byte(tags, ','))
        return -ENOMEM;
    return event_tag_token(tag, tags);
}

int event_tagged_add(struct buf *tagged, uint64_t sequence) {
    char digits[NUMBER_TEXT_MAX];
    if (tagged->len && buf_append_byte(tagged, ','))
        return -ENOMEM;
    slice text = slice_make(digits, number_format_u64(sequence, digits));
    return buf_append(tagged, text) ? -ENOMEM : 0;
}
