/*
 * nats.c - the parser of nats.h.
 *
 * One event is parsed in one go from bytes that lie together; there is no state between two
 * calls but what spares work (need, scanned). So there is no state machine over bytes either:
 *
 *      verb            arguments                         payload
 *      PUB .......... subject [reply] size CR LF ....... size bytes CR LF
 *      |-- find_verb -|-- read_line: tokens -----------|-- parse_message ---|
 *
 * read_line looks at 64 bytes at a time: one comparison per 16 bytes gives a mask of all bytes up
 * to ' ' (mask.h), and only those are visited. Most lines fit one mask and have single spaces, so
 * finding their end and cutting them into tokens is two or three steps (read_usual_line);
 * read_any_line takes everything else, and must say the same where both can read a line.
 *
 * The result of a call depends only on the bytes up to the end of the event and never on how
 * they arrived: errors of the verb are seen with the byte that makes them, all others when the
 * line is whole or longer than allowed. tests/wire feeds every page at every split.
 */
#include "wire/nats.h"

#include "wire/mask.h"

#include <errno.h>

enum {
    TOKENS_MAX = 5,      /* HMSG subject sid reply header-size total-size */
    MAX_DIGITS_MAX = 18, /* of UNSUB's max: fits uint64_t */
};

static const slice nothing = {NULL, 0};

struct line {
    slice token[TOKENS_MAX];
    size_t count; /* may be above TOKENS_MAX: then the rest was not kept */
    size_t end;   /* first byte behind the LF */
};

struct verb {
    char text[8];
    uint8_t len;
    uint8_t kind;
    uint8_t sender;     /* enum nats_sender, or BOTH */
    bool has_arguments; /* a blank must follow */
};

enum { BOTH = NATS_SERVER + 1 };

static const struct verb verbs[NATS_KINDS] = {
    {"CONNECT", 7, NATS_CONNECT, NATS_CLIENT, true},
    {"PUB", 3, NATS_PUB, NATS_CLIENT, true},
    {"HPUB", 4, NATS_HPUB, NATS_CLIENT, true},
    {"SUB", 3, NATS_SUB, NATS_CLIENT, true},
    {"UNSUB", 5, NATS_UNSUB, NATS_CLIENT, true},
    {"PING", 4, NATS_PING, BOTH, false},
    {"PONG", 4, NATS_PONG, BOTH, false},
    {"INFO", 4, NATS_INFO, NATS_SERVER, true},
    {"MSG", 3, NATS_MSG, NATS_SERVER, true},
    {"HMSG", 4, NATS_HMSG, NATS_SERVER, true},
    {"+OK", 3, NATS_OK, NATS_SERVER, false},
    {"-ERR", 4, NATS_ERR, NATS_SERVER, true},
};

static const struct {
    const char *text;
    const char *detail;
} errors[NATS_ERRORS] = {
    [NATS_ERROR_NONE] = {"", "no error"},
    [NATS_ERROR_OPERATION] = {"Unknown Protocol Operation", "unknown verb"},
    [NATS_ERROR_LINE] = {"maximum control line exceeded", "control line too long"},
    [NATS_ERROR_ARGUMENTS] = {"Unknown Protocol Operation", "wrong arguments of a verb"},
    [NATS_ERROR_SIZE] = {"Unknown Protocol Operation",
                         "a number is not plain digits, or has too many"},
    [NATS_ERROR_HEADERS] = {"Unknown Protocol Operation", "header size above total size"},
    [NATS_ERROR_PAYLOAD] = {"Maximum Payload Violation", "payload too large"},
    [NATS_ERROR_END] = {"Unknown Protocol Operation", "payload does not end in CR LF"},
};

struct nats_parser nats_parser_make(enum nats_sender sender) {
    return (struct nats_parser){.line_max = NATS_LINE_MAX,
                                .json_max = NATS_JSON_MAX,
                                .payload_max = NATS_PAYLOAD_MAX,
                                .sender = (uint8_t)sender};
}

const char *nats_error_text(enum nats_error error) {
    check(error < NATS_ERRORS);
    return errors[error].text;
}

const char *nats_error_detail(enum nats_error error) {
    check(error < NATS_ERRORS);
    return errors[error].detail;
}

const char *nats_kind_name(enum nats_kind kind) {
    check(kind < NATS_KINDS);
    return verbs[kind].text;
}

static int error_code(enum nats_error error) {
    return error == NATS_ERROR_LINE || error == NATS_ERROR_PAYLOAD ? -EMSGSIZE : -EPROTO;
}

static __attribute__((cold, noinline)) int refuse(struct nats_parser *p, enum nats_error error) {
    p->error = (uint8_t)error;
    return error_code(error);
}

static int wait_for(struct nats_parser *p, size_t need) {
    p->need = need;
    return 0;
}

static inline bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

/* No LF in INPUT up to LIMIT, where LIMIT is the most a line may take: wait, or give up. */
static int line_not_whole(struct nats_parser *p, slice input, size_t limit) {
    if (input.len >= limit)
        return refuse(p, NATS_ERROR_LINE);
    p->scanned = (uint32_t)input.len;
    return wait_for(p, input.len + 1);
}

/* False where a search that began earlier finds no LF in the new bytes either. */
static inline bool line_may_end(const struct nats_parser *p, slice input, size_t limit) {
    size_t end = input.len < limit ? input.len : limit;
    return p->scanned == 0 ||
           (p->scanned < end && memchr(input.ptr + p->scanned, '\n', end - p->scanned));
}

/* A mask of the blanks, line ends and control bytes among fewer than 64 bytes. */
static __attribute__((noinline)) uint64_t mask_at_end(const char *at, size_t count) {
    char copy[MASK_BYTES];
    return mask_up_to_64(mask_pad(at, count, copy), ' ');
}

static inline uint64_t mask_of(const char *at, size_t count) {
    return likely(count >= MASK_BYTES) ? mask_up_to_64(at, ' ') : mask_at_end(at, count);
}

static inline void add_token(struct line *l, const char *from, size_t len) {
    if (likely(l->count < TOKENS_MAX))
        l->token[l->count] = slice_make(from, len);
    l->count++;
}

/* Cuts the arguments from FROM to the line's end into tokens, whatever blanks and line end there
   are. 1, 0 or an error. */
static __attribute__((noinline)) int read_any_line(struct nats_parser *p, slice input, size_t from,
                                                   struct line *l) {
    const size_t limit = from + p->line_max + 2;
    const size_t end = input.len < limit ? input.len : limit;
    if (!line_may_end(p, input, limit))
        return line_not_whole(p, input, limit);

    size_t token = from; /* where the next token begins */
    size_t cr = 0;
    l->count = 0;
    for (size_t base = from; base < end; base += MASK_BYTES) {
        uint64_t mask = mask_of(input.ptr + base, end - base);
        for (; mask; mask &= mask - 1) {
            const size_t at = base + (size_t)__builtin_ctzll(mask);
            const char c = input.ptr[at];
            if (!is_blank(c) && c != '\n' && c != '\r')
                continue; /* a control byte: part of a token */
            if (at > token)
                add_token(l, input.ptr + token, at - token);
            token = at + 1;
            if (c == '\n') {
                if (at - (cr ? 1 : 0) - from > p->line_max)
                    return refuse(p, NATS_ERROR_LINE);
                if (cr && cr + 1 != at)
                    return refuse(p, NATS_ERROR_ARGUMENTS);
                l->end = at + 1;
                return 1;
            }
            if (c == '\r')
                cr = cr ? from : at; /* a second one can no longer stand before the LF */
        }
    }
    return line_not_whole(p, input, limit);
}

/* The same for the line that all clients send: single spaces, CR LF, within 64 bytes. False where
   it is not that, and nothing is said about it then. */
static inline bool read_usual_line(const struct nats_parser *p, slice input, size_t from,
                                   struct line *l) {
    if (unlikely(input.len < from + MASK_BYTES))
        return false;
    const char *at = input.ptr + from;
    uint64_t mask = mask_up_to_64(at, ' ');
    size_t token = 0;
    l->count = 0;
    for (; mask; mask &= mask - 1) {
        const size_t stop = (size_t)__builtin_ctzll(mask);
        if (unlikely(stop == token || l->count == TOKENS_MAX))
            return false;
        l->token[l->count++] = slice_make(at + token, stop - token);
        if (at[stop] == '\r') {
            l->end = from + stop + 2;
            return likely(stop + 1 < MASK_BYTES && at[stop + 1] == '\n' && stop <= p->line_max);
        }
        if (unlikely(at[stop] != ' '))
            return false;
        token = stop + 1;
    }
    return false;
}

static inline int read_line(struct nats_parser *p, slice input, size_t from, struct line *l) {
    return likely(read_usual_line(p, input, from, l)) ? 1 : read_any_line(p, input, from, l);
}

static inline bool parse_size(slice text, uint32_t *ret_size) {
    if (unlikely(text.len - 1 >= NATS_SIZE_DIGITS_MAX))
        return false;
    uint32_t size = 0;
    for (size_t i = 0; i < text.len; i++) {
        uint32_t digit = (uint32_t)(unsigned char)text.ptr[i] - '0';
        if (unlikely(digit > 9))
            return false;
        size = size * 10 + digit;
    }
    *ret_size = size;
    return true;
}

bool nats_parse_size(slice text, uint32_t *ret_size) {
    return parse_size(text, ret_size);
}

static inline int took(struct nats_parser *p, size_t consumed, size_t *ret_consumed) {
    p->need = 0;
    p->scanned = 0;
    *ret_consumed = consumed;
    return 1;
}

/* PUB, HPUB, MSG, HMSG; KIND is a constant where this is called, so each is its own function. */
static inline __attribute__((always_inline)) int parse_message(struct nats_parser *p, slice input,
                                                               size_t from, enum nats_kind kind,
                                                               struct nats_event *ret_event,
                                                               size_t *ret_consumed) {
    const bool has_sid = kind == NATS_MSG || kind == NATS_HMSG;
    const bool has_headers = kind == NATS_HPUB || kind == NATS_HMSG;
    const size_t fewest = 2u + has_sid + has_headers;
    struct line l;
    int r = read_line(p, input, from, &l);
    if (unlikely(r <= 0))
        return r;
    if (unlikely(l.count - fewest > 1)) /* one more is the reply */
        return refuse(p, NATS_ERROR_ARGUMENTS);

    uint32_t total, headers_len = 0;
    if (unlikely(!parse_size(l.token[l.count - 1], &total)))
        return refuse(p, NATS_ERROR_SIZE);
    if (has_headers && unlikely(!parse_size(l.token[l.count - 2], &headers_len)))
        return refuse(p, NATS_ERROR_SIZE);
    if (unlikely(total > p->payload_max))
        return refuse(p, NATS_ERROR_PAYLOAD);
    if (unlikely(headers_len > total))
        return refuse(p, NATS_ERROR_HEADERS);

    const size_t whole = l.end + total + 2;
    if (unlikely(input.len < whole))
        return wait_for(p, whole);
    const char *payload = input.ptr + l.end;
    if (unlikely(payload[total] != '\r' || payload[total + 1] != '\n'))
        return refuse(p, NATS_ERROR_END);
    ret_event->kind = kind; /* member by member: each is stored once, and on the way here none */
    ret_event->subject = l.token[0];
    ret_event->sid = has_sid ? l.token[1] : nothing;
    ret_event->reply = l.count > fewest ? l.token[1 + has_sid] : nothing;
    ret_event->headers = has_headers ? slice_make(payload, headers_len) : nothing;
    ret_event->payload = slice_make(payload + headers_len, total - headers_len);
    ret_event->max = 0;
    return took(p, whole, ret_consumed);
}

/* SUB subject [queue] sid */
static int parse_sub(struct nats_parser *p, slice input, size_t from, struct nats_event *ret_event,
                     size_t *ret_consumed) {
    struct line l;
    int r = read_line(p, input, from, &l);
    if (r <= 0)
        return r;
    if (l.count != 2 && l.count != 3)
        return refuse(p, NATS_ERROR_ARGUMENTS);
    *ret_event = (struct nats_event){
        .kind = NATS_SUB,
        .subject = l.token[0],
        .reply = l.count == 3 ? l.token[1] : nothing,
        .sid = l.token[l.count - 1],
    };
    return took(p, l.end, ret_consumed);
}

/* UNSUB sid [max] */
static int parse_unsub(struct nats_parser *p, slice input, size_t from,
                       struct nats_event *ret_event, size_t *ret_consumed) {
    struct line l;
    int r = read_line(p, input, from, &l);
    if (r <= 0)
        return r;
    if (l.count != 1 && l.count != 2)
        return refuse(p, NATS_ERROR_ARGUMENTS);
    uint64_t max = 0;
    if (l.count == 2) {
        slice digits = l.token[1];
        if (digits.len > MAX_DIGITS_MAX)
            return refuse(p, NATS_ERROR_SIZE);
        for (size_t i = 0; i < digits.len; i++) {
            unsigned digit = (unsigned)(unsigned char)digits.ptr[i] - '0';
            if (digit > 9)
                return refuse(p, NATS_ERROR_SIZE);
            max = max * 10 + digit;
        }
    }
    *ret_event = (struct nats_event){.kind = NATS_UNSUB, .sid = l.token[0], .max = max};
    return took(p, l.end, ret_consumed);
}

/* PING, PONG, +OK: nothing but blanks before the line's end. */
static int parse_bare(struct nats_parser *p, slice input, size_t from, enum nats_kind kind,
                      struct nats_event *ret_event, size_t *ret_consumed) {
    struct line l;
    int r = read_line(p, input, from, &l);
    if (r <= 0)
        return r;
    if (l.count != 0)
        return refuse(p, NATS_ERROR_ARGUMENTS);
    *ret_event = (struct nats_event){.kind = kind};
    return took(p, l.end, ret_consumed);
}

/* CONNECT, INFO, -ERR: the rest of the line as it is, without blanks at its ends. */
static int parse_text(struct nats_parser *p, slice input, size_t from, enum nats_kind kind,
                      struct nats_event *ret_event, size_t *ret_consumed) {
    const size_t max = kind == NATS_ERR ? p->line_max : p->json_max;
    const size_t limit = from + max + 2;
    const size_t end = input.len < limit ? input.len : limit;
    const size_t start = p->scanned > from ? p->scanned : from;
    const char *lf = start < end ? memchr(input.ptr + start, '\n', end - start) : NULL;
    if (!lf)
        return line_not_whole(p, input, limit);

    slice text = slice_make(input.ptr + from, (size_t)(lf - input.ptr) - from);
    if (text.len > 0 && text.ptr[text.len - 1] == '\r')
        text.len--;
    if (text.len > max)
        return refuse(p, NATS_ERROR_LINE);
    text = slice_trim(text);
    if (kind == NATS_ERR && text.len >= 2 && text.ptr[0] == '\'' && text.ptr[text.len - 1] == '\'')
        text = slice_make(text.ptr + 1, text.len - 2);
    else if (text.len == 0)
        return refuse(p, NATS_ERROR_ARGUMENTS);
    *ret_event = (struct nats_event){.kind = kind, .payload = text};
    return took(p, (size_t)(lf - input.ptr) + 1, ret_consumed);
}

static inline bool same_letter(char upper, char c) {
    return upper == c || (upper >= 'A' && upper <= 'Z' && (upper | 0x20) == c);
}

/* The verb that INPUT begins with. 1, 0 where it may still become one, or an error. */
static int find_verb(struct nats_parser *p, slice input, const struct verb **ret_verb) {
    bool may_become = false;
    for (size_t i = 0; i < array_count(verbs); i++) {
        const struct verb *v = &verbs[i];
        if (v->sender != BOTH && v->sender != p->sender)
            continue;
        size_t same = 0;
        while (same < v->len && same < input.len && same_letter(v->text[same], input.ptr[same]))
            same++;
        if (same == input.len) {
            may_become = true; /* all there is of the input fits; what follows is not known */
        } else if (same == v->len) {
            const char next = input.ptr[same];
            if (is_blank(next) || (!v->has_arguments && (next == '\r' || next == '\n'))) {
                *ret_verb = v;
                return 1;
            }
        }
    }
    return may_become ? wait_for(p, input.len + 1) : refuse(p, NATS_ERROR_OPERATION);
}

static int parse_any(struct nats_parser *p, slice input, struct nats_event *ret_event,
                     size_t *ret_consumed) {
    const struct verb *v = NULL;
    int r = find_verb(p, input, &v);
    if (r <= 0)
        return r;
    const enum nats_kind kind = (enum nats_kind)v->kind;
    const size_t from = v->len + (v->has_arguments ? 1u : 0u); /* behind the first blank */
    switch (kind) {
    case NATS_PUB:
        return parse_message(p, input, from, NATS_PUB, ret_event, ret_consumed);
    case NATS_HPUB:
        return parse_message(p, input, from, NATS_HPUB, ret_event, ret_consumed);
    case NATS_MSG:
        return parse_message(p, input, from, NATS_MSG, ret_event, ret_consumed);
    case NATS_HMSG:
        return parse_message(p, input, from, NATS_HMSG, ret_event, ret_consumed);
    case NATS_SUB:
        return parse_sub(p, input, from, ret_event, ret_consumed);
    case NATS_UNSUB:
        return parse_unsub(p, input, from, ret_event, ret_consumed);
    case NATS_CONNECT:
    case NATS_INFO:
    case NATS_ERR:
        return parse_text(p, input, from, kind, ret_event, ret_consumed);
    default:
        return parse_bare(p, input, from, kind, ret_event, ret_consumed);
    }
}

/* The first four letters of a verb in lower case, as they lie in memory. */
static inline uint32_t word_of(const char *text) {
    uint32_t word;
    memcpy(&word, text, sizeof(word));
    return word | 0x20202020u;
}

/* The verbs that all the traffic consists of are found by one comparison each. */
int nats_parse(struct nats_parser *p, slice input, struct nats_event *ret_event,
               size_t *ret_consumed) {
    if (unlikely(p->error))
        return error_code((enum nats_error)p->error);
    if (unlikely(input.len < p->need || input.len == 0))
        return wait_for(p, p->need ? p->need : 1);
    if (likely(input.len > 4)) {
        const bool client = p->sender == NATS_CLIENT;
        const uint32_t word = word_of(input.ptr);
        if (input.ptr[3] == ' ') {
            if (client && word == word_of("PUB "))
                return parse_message(p, input, 4, NATS_PUB, ret_event, ret_consumed);
            if (!client && word == word_of("MSG "))
                return parse_message(p, input, 4, NATS_MSG, ret_event, ret_consumed);
        } else if (input.ptr[4] == ' ') {
            if (client && word == word_of("HPUB"))
                return parse_message(p, input, 5, NATS_HPUB, ret_event, ret_consumed);
            if (!client && word == word_of("HMSG"))
                return parse_message(p, input, 5, NATS_HMSG, ret_event, ret_consumed);
        }
    }
    return parse_any(p, input, ret_event, ret_consumed);
}
