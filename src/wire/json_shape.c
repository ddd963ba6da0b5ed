/*
 * json_shape.c - see json_shape.h.
 *
 *      frame 0     scalar 0  frame 1      scalar 1  frame 2
 *      {"auction": 22200     ,"price":    77186     }
 *
 * Taking goes from frame to frame: its bytes are compared 16 at a time, the scalar behind it is
 * scanned. A number that goes on behind its frame's place, or anything behind the last frame, shows
 * at the next comparison.
 */
#include "wire/json_shape.h"

#include "base/mem.h"
#include "wire/json_scan.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* Trust begins at TRUST_MAX, gains 1 by a text that fits and loses 3 by one that does not: below 0
   the shapes rest. So they stay at work where three of four texts fit. */
#define TRUST_MAX 64
#define TRUST_LOSS 3
#define REST_DOCUMENTS 4096u

int json_shapes_make(size_t fields, struct json_shapes *ret) {
    *ret = (struct json_shapes){.fields = fields, .trust = TRUST_MAX};
    ret->shape = mem_zalloc(array_count(ret->order), sizeof *ret->shape);
    for (uint8_t i = 0; i < array_count(ret->order); i++) {
        ret->order[i] = i;
    }
    return ret->shape ? 0 : -ENOMEM;
}

void json_shapes_free(struct json_shapes *shapes) {
    shapes->shape = mem_free(shapes->shape);
    shapes->count = 0;
}

/* --- taking ----------------------------------------------------------------------------------- */

/* Does FRAME, with its bytes at BYTES, stand at P? */
static inline bool frame_is(const struct json_frame *frame, const char *bytes, const char *p,
                            const char *end) {
    size_t len = frame->len;
    if ((size_t)(end - p) < len) {
        return false;
    }
#ifdef __SSE2__
    if (end - p >= 16) {
        for (; len > 16; len -= 16, p += 16, bytes += 16) {
            __m128i a = _mm_loadu_si128((const __m128i *)(const void *)p);
            __m128i b = _mm_loadu_si128((const __m128i *)(const void *)bytes);
            if (_mm_movemask_epi8(_mm_cmpeq_epi8(a, b)) != 0xffff) {
                return false;
            }
        }
        if (end - p >= 16) {
            __m128i a = _mm_loadu_si128((const __m128i *)(const void *)p);
            __m128i b = _mm_loadu_si128((const __m128i *)(const void *)bytes);
            unsigned other = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(a, b)) ^ 0xffffu;
            return (other & ((1u << len) - 1)) == 0;
        }
    }
#endif
    for (size_t i = 0; i < len; i++) {
        if (p[i] != bytes[i]) {
            return false;
        }
    }
    return true;
}

/* Takes the scalar that S stands on. False: none is there. */
static inline bool take_scalar(struct json_scan *s, struct json_field *ret) {
    struct json_token token = {.escaped = false};
    const char *start = s->at;
    enum json_type type;
    if (unlikely(start == s->end))
        return false;
    int r = json_scan_scalar(s, &token, &type);
    *ret = (struct json_field){slice_make(start, (size_t)(s->at - start)), type, token.escaped};
    return r == 0;
}

/* PLACES: where each frame was found. */
static void take_containers(const struct json_shape *shape, const char *const *places,
                            struct json_field *fields) {
    for (unsigned i = 0; i < shape->containers; i++) {
        const struct json_shape_container *c = &shape->container[i];
        const char *start = places[c->first] + c->start;
        const char *end = places[c->last] + c->end;
        fields[c->field] = (struct json_field){slice_make(start, (size_t)(end - start)),
                                               (enum json_type)c->type, false};
    }
}

static bool take(const struct json_shape *shape, slice text, struct json_field *fields) {
    const char *places[JSON_SHAPE_SCALARS_MAX + 1];
    struct json_scan s = json_scan_make(text);
    struct json_field unwanted;
    for (unsigned i = 0;; i++) {
        const struct json_frame *frame = &shape->frame[i];
        if (!frame_is(frame, shape->bytes + frame->at, s.at, s.end)) {
            return false;
        }
        places[i] = s.at;
        s.at += frame->len;
        if (i == shape->scalars) {
            break;
        }
        uint16_t field = frame->field;
        if (!take_scalar(&s, field == JSON_SHAPE_NO_FIELD ? &unwanted : &fields[field])) {
            return false;
        }
    }
    take_containers(shape, places, fields);
    return s.at == s.end;
}

bool json_shapes_take(struct json_shapes *shapes, slice text, struct json_field *fields) {
    if (shapes->rest > 0) {
        shapes->rest--;
        return false;
    }
    if (text.len > JSON_TEXT_MAX) {
        return false;
    }
    for (unsigned i = 0; i < shapes->count; i++) {
        uint8_t which = shapes->order[i];
        for (size_t k = 0; k < shapes->fields; k++) {
            fields[k] = (struct json_field){.type = JSON_ABSENT};
        }
        if (!take(&shapes->shape[which], text, fields)) {
            continue;
        }
        memmove(shapes->order + 1, shapes->order, i);
        shapes->order[0] = which;
        shapes->trust += shapes->trust < TRUST_MAX;
        return true;
    }
    return false;
}

/* --- learning --------------------------------------------------------------------------------- */

/* Leaves S, on the first byte of a token of a text that is JSON, behind that. True: it is a scalar
   and no key. */
static bool pass_token(struct json_scan *s) {
    struct json_token token;
    switch (*s->at) {
    case '"':
        check(json_scan_string(s, &token) == 0);
        for (const char *p = s->at; p < s->end; p++) {
            if (!strchr(" \t\r\n", *p)) {
                return *p != ':';
            }
        }
        return true;
    case '-':
    case '0' ... '9':
        check(json_scan_number(s, &token) == 0);
        return true;
    case 't':
    case 'n':
        s->at += 4;
        return true;
    case 'f':
        s->at += 5;
        return true;
    default:
        s->at++;
        return false;
    }
}

static uint16_t field_at(const struct json_field *fields, size_t count, const char *start) {
    for (size_t i = 0; i < count; i++) {
        if (fields[i].raw.ptr == start) {
            return (uint16_t)i;
        }
    }
    return JSON_SHAPE_NO_FIELD;
}

/* The frame of SHAPE that holds the byte at WHERE of the text; FROM: where each begins. */
static unsigned frame_of(const struct json_shape *shape, const size_t *from, size_t where) {
    unsigned i = shape->scalars;
    while (from[i] > where) {
        i--;
    }
    return i;
}

static bool learn_containers(struct json_shape *shape, const size_t *from, slice text,
                             const struct json_field *fields, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (fields[i].type != JSON_OBJECT && fields[i].type != JSON_ARRAY) {
            continue;
        }
        if (shape->containers == JSON_SHAPE_CONTAINERS_MAX) {
            return false;
        }
        size_t start = (size_t)(fields[i].raw.ptr - text.ptr);
        size_t last = start + fields[i].raw.len - 1;
        unsigned a = frame_of(shape, from, start), b = frame_of(shape, from, last);
        shape->container[shape->containers++] =
            (struct json_shape_container){.field = (uint16_t)i,
                                          .type = (uint8_t)fields[i].type,
                                          .first = (uint8_t)a,
                                          .last = (uint8_t)b,
                                          .start = (uint16_t)(start - from[a]),
                                          .end = (uint16_t)(last - from[b] + 1)};
    }
    return true;
}

/* The frame of LEN bytes at FRAME, in front of a scalar that fills FIELD. False: a bound. */
static bool add_frame(struct json_shape *shape, size_t *used, const char *frame, size_t len,
                      uint16_t field) {
    if (len > JSON_SHAPE_BYTES_MAX - *used) {
        return false;
    }
    memcpy(shape->bytes + *used, frame, len);
    shape->frame[shape->scalars] = (struct json_frame){(uint16_t)*used, (uint16_t)len, field};
    *used += len;
    return true;
}

/* False: TEXT has no shape. */
static bool learn(struct json_shape *shape, slice text, const struct json_field *fields,
                  size_t count) {
    struct json_scan s = json_scan_make(text);
    size_t from[JSON_SHAPE_SCALARS_MAX + 1], used = 0;
    const char *frame = s.at;
    shape->scalars = shape->containers = 0;
    while (s.at < s.end) {
        const char *start = s.at;
        if (!pass_token(&s)) {
            continue;
        }
        if (shape->scalars == JSON_SHAPE_SCALARS_MAX ||
            !add_frame(shape, &used, frame, (size_t)(start - frame),
                       field_at(fields, count, start))) {
            return false;
        }
        from[shape->scalars++] = (size_t)(frame - s.start);
        frame = s.at;
    }
    from[shape->scalars] = (size_t)(frame - s.start);
    return add_frame(shape, &used, frame, (size_t)(s.end - frame), JSON_SHAPE_NO_FIELD) &&
           learn_containers(shape, from, text, fields, count);
}

void json_shapes_learn(struct json_shapes *shapes, slice text, const struct json_field *fields) {
    if (shapes->rest > 0) {
        return;
    }
    shapes->trust -= TRUST_LOSS;
    if (shapes->trust < 0) {
        shapes->trust = TRUST_MAX / 2;
        shapes->rest = REST_DOCUMENTS;
        return;
    }
    uint8_t which = shapes->order[JSON_SHAPES_MAX];
    if (!learn(&shapes->shape[which], text, fields, shapes->fields)) {
        return;
    }
    memmove(shapes->order + 1, shapes->order, JSON_SHAPES_MAX);
    shapes->order[0] = which;
    shapes->count += shapes->count < JSON_SHAPES_MAX;
}
