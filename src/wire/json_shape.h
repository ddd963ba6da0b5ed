/*
 * json_shape.h - what documents of one kind have in common, so that the next is taken at a glance;
 * json_pick.c's own.
 *
 *      text    {"auction":22200,"price":77186,"extra":"tsply"}
 *      shape   {"auction":  *  ,"price":  *  ,"extra":   *   }
 *
 * A shape is learned from a document that was found to be JSON: the bytes between its scalars (the
 * FRAMES: brackets, keys, commas, white space), and which scalar or container is which field. A
 * text whose frames are the same bytes, with any one scalar in each gap, is JSON for the same
 * reasons, and its fields are in the same places: no key has to be looked up or told apart, no
 * bracket be counted. Scalars are judged as everywhere, by json_scan.h. Any other text is none of
 * this file's: json_pick() walks over it as if there were no shapes, so that a shape never refuses.
 *
 * A few shapes are kept, as a publisher may leave members out. Where they seldom fit, they rest a
 * while, and cost next to nothing.
 */
#ifndef NONET_WIRE_JSON_SHAPE_H
#define NONET_WIRE_JSON_SHAPE_H

#include "wire/json_pick.h"

#define JSON_SHAPES_MAX 4u
#define JSON_SHAPE_SCALARS_MAX 64u /* of one document; one with more has no shape */
#define JSON_SHAPE_BYTES_MAX 2048u /* of its frames */
#define JSON_SHAPE_CONTAINERS_MAX 8u

/* The bytes in front of a scalar, or behind the last one. */
struct json_frame {
    uint16_t at, len; /* in json_shape.bytes */
    uint16_t field;   /* that the scalar behind it fills, or JSON_SHAPE_NO_FIELD */
};
#define JSON_SHAPE_NO_FIELD UINT16_MAX

/* A picked container: it starts and ends so many bytes into frames. */
struct json_shape_container {
    uint16_t field;
    uint8_t type; /* enum json_type */
    uint8_t first, last;
    uint16_t start, end;
};

struct json_shape {
    unsigned scalars, containers;
    struct json_frame frame[JSON_SHAPE_SCALARS_MAX + 1];
    struct json_shape_container container[JSON_SHAPE_CONTAINERS_MAX];
    char bytes[JSON_SHAPE_BYTES_MAX + 16]; /* a frame may be read 16 bytes wide */
};

struct json_shapes {
    unsigned count;
    uint8_t order[JSON_SHAPES_MAX + 1]; /* of `shape`: the one that fitted last first */
    int trust;                          /* how well they fit */
    unsigned rest;                      /* documents that are let pass */
    size_t fields;                      /* of a document */
    struct json_shape *shape;           /* one more than are kept: the next is learned into it */
};

/* For documents with FIELDS fields. 0 or -ENOMEM. */
must_use int json_shapes_make(size_t fields, struct json_shapes *ret);
void json_shapes_free(struct json_shapes *shapes);

/* Fills all fields and returns true where TEXT has one of the shapes; else FIELDS are unspecified.
 */
must_use bool json_shapes_take(struct json_shapes *shapes, slice text, struct json_field *fields);

/* TEXT had none of them, and is JSON with FIELDS. */
void json_shapes_learn(struct json_shapes *shapes, slice text, const struct json_field *fields);

#endif
