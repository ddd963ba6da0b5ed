/*
 * openapi.c - see openapi.h.
 *
 *     operations.c      --> paths             a path once, its methods within
 *     openapi_words.c   --> components        parameters, schemas, responses (of errors)
 *
 * Everything is written by name, and what has no name in the tables is a bug (checked), so the
 * document refers to nothing that it does not have. OpenAPI 3.1.0; its schemas are JSON Schema
 * 2020-12.
 */
#include "rooms/events/openapi.h"

#include "http/reply.h"
#include "rooms/events/openapi_words.h"
#include "rooms/events/operations.h"
#include "wire/json_write.h"

#include <stdio.h>

#define BYTES_MAX (1u << 20)

static void object(struct json_writer *w, const char *key) {
    json_write_key(w, key);
    json_write_object(w);
}

static void reference(struct json_writer *w, const char *kind, slice name) {
    char path[96];
    snprintf(path, sizeof path, "#/components/%s/%.*s", kind, slice_fmt(name));
    json_put_text(w, "$ref", path);
}

/* --- types -------------------------------------------------------------------------------- */

static bool is_schema(slice name) {
    for (const struct openapi_schema *s = openapi_schemas; s->name; s++)
        if (slice_equal(name, slice_str(s->name)))
            return true;
    return false;
}

static void write_type(struct json_writer *w, slice type);

static void write_choice(struct json_writer *w, slice type) {
    json_write_key(w, "anyOf");
    json_write_array(w);
    while (type.len) {
        json_write_object(w);
        write_type(w, slice_cut(type, '|', &type));
        json_write_end(w);
    }
    json_write_end(w);
}

/* The members of a schema that say TYPE; the object around them is the caller's. */
static void write_type(struct json_writer *w, slice type) {
    if (slice_find(type, '|') >= 0) {
        write_choice(w, type);
    } else if (slice_ends_with(type, slice_lit("[]"))) {
        json_put_text(w, "type", "array");
        object(w, "items");
        write_type(w, slice_take(type, type.len - 2));
        json_write_end(w);
    } else if (slice_equal(type, slice_lit("time"))) {
        json_put_text(w, "type", "string");
        json_put_text(w, "format", "date-time");
    } else if (slice_equal(type, slice_lit("base64"))) {
        json_put_text(w, "type", "string");
        json_put_text(w, "contentEncoding", "base64");
    } else if (type.ptr[0] >= 'A' && type.ptr[0] <= 'Z') {
        check(is_schema(type));
        reference(w, "schemas", type);
    } else if (!slice_equal(type, slice_lit("any"))) {
        json_write_key(w, "type");
        json_write_string(w, type);
    }
}

/* --- components --------------------------------------------------------------------------- */

static void write_needed(struct json_writer *w, const struct openapi_member *members) {
    bool any = false;
    for (const struct openapi_member *m = members; m->name; m++) {
        if (!m->needed)
            continue;
        if (!any) {
            json_write_key(w, "required");
            json_write_array(w);
        }
        any = true;
        json_write_text(w, m->name);
    }
    if (any)
        json_write_end(w);
}

static void write_schema(struct json_writer *w, const struct openapi_schema *schema) {
    object(w, schema->name);
    json_put_text(w, "description", schema->doc);
    json_put_text(w, "type", "object");
    write_needed(w, schema->members);
    object(w, "properties");
    for (const struct openapi_member *m = schema->members; m->name; m++) {
        object(w, m->name);
        write_type(w, slice_str(m->type));
        json_put_text(w, "description", m->doc);
        json_write_end(w);
    }
    json_write_end(w);
    if (!schema->open) {
        json_write_key(w, "additionalProperties");
        json_write_bool(w, false);
    }
    json_write_end(w);
}

static void write_parameter(struct json_writer *w, const struct openapi_parameter *p) {
    object(w, p->key);
    json_put_text(w, "name", p->name);
    json_put_text(w, "in", p->in);
    json_put_text(w, "description", p->doc);
    if (slice_equal(slice_str(p->in), slice_lit("path"))) {
        json_write_key(w, "required");
        json_write_bool(w, true);
    }
    object(w, "schema");
    write_type(w, slice_str(p->type));
    slice words = slice_str(p->words);
    if (words.len) {
        json_write_key(w, "enum");
        json_write_array(w);
        while (words.len)
            json_write_string(w, slice_cut(words, ' ', &words));
        json_write_end(w);
    }
    json_write_end(w);
    json_write_end(w);
}

static void write_error(struct json_writer *w, const struct openapi_error *e) {
    object(w, e->status);
    json_put_text(w, "description", e->doc);
    if (e->schema) {
        object(w, "content");
        object(w, HTTP_PROBLEM_TYPE);
        object(w, "schema");
        write_type(w, slice_str(e->schema));
        json_write_end(w);
        json_write_end(w);
        json_write_end(w);
    }
    json_write_end(w);
}

static void write_login(struct json_writer *w, const char *name, const char *scheme,
                        const char *doc) {
    object(w, name);
    json_put_text(w, "type", "http");
    json_put_text(w, "scheme", scheme);
    json_put_text(w, "description", doc);
    json_write_end(w);
}

static void write_components(struct json_writer *w) {
    object(w, "components");
    object(w, "securitySchemes");
    write_login(w, "token", "bearer", "The node's token, DATA/admin.token");
    write_login(w, "user", "basic", "A user of section auth");
    json_write_end(w);
    object(w, "parameters");
    for (const struct openapi_parameter *p = openapi_parameters; p->key; p++)
        write_parameter(w, p);
    json_write_end(w);
    object(w, "schemas");
    for (const struct openapi_schema *s = openapi_schemas; s->name; s++)
        write_schema(w, s);
    json_write_end(w);
    object(w, "responses");
    for (const struct openapi_error *e = openapi_errors; e->status; e++)
        write_error(w, e);
    json_write_end(w);
    json_write_end(w);
}

/* --- paths -------------------------------------------------------------------------------- */

static void write_parameter_reference(struct json_writer *w, slice name) {
    bool found = false;
    for (const struct openapi_parameter *p = openapi_parameters; p->name && !found; p++)
        found = slice_equal(name, slice_str(p->key));
    check(found);
    json_write_object(w);
    reference(w, "parameters", name);
    json_write_end(w);
}

/* Those of the pattern first. */
static void write_parameters(struct json_writer *w, const struct operation *o) {
    slice rest = slice_str(o->route.pattern), names = slice_str(o->parameters), name;
    json_write_key(w, "parameters");
    json_write_array(w);
    for (;;) {
        (void)slice_cut(rest, '{', &rest);
        if (!rest.len)
            break;
        name = slice_cut(rest, '}', &rest);
        write_parameter_reference(w, name);
    }
    while (names.len)
        write_parameter_reference(w, slice_cut(names, ' ', &names));
    json_write_end(w);
}

/* LIST: "MEDIA-TYPE=TYPE ..." */
static void write_content(struct json_writer *w, const char *list) {
    slice rest = slice_str(list), type;
    object(w, "content");
    while (rest.len) {
        slice media = slice_cut(slice_cut(rest, ' ', &rest), '=', &type);
        json_write_key_slice(w, media);
        json_write_object(w);
        object(w, "schema");
        write_type(w, type);
        json_write_end(w);
        json_write_end(w);
    }
    json_write_end(w);
}

static const char *success_doc(slice status, const struct operation *o) {
    bool appends = slice_equal(slice_str(o->route.method), slice_lit("POST"));
    if (slice_equal(status, slice_lit("201")))
        return "Appended, and on disk";
    return appends ? "Appended before, or only checked: nothing was written" : "What was asked for";
}

static bool has_status(const struct operation *o, const char *status) {
    slice rest = slice_str(o->statuses);
    while (rest.len)
        if (slice_equal(slice_cut(rest, ' ', &rest), slice_str(status)))
            return true;
    return false;
}

static void write_responses(struct json_writer *w, const struct operation *o) {
    slice rest = slice_str(o->statuses);
    object(w, "responses");
    while (rest.len) {
        slice status = slice_cut(rest, ' ', &rest);
        if (status.ptr[0] != '2')
            continue;
        json_write_key_slice(w, status);
        json_write_object(w);
        json_put_text(w, "description", success_doc(status, o));
        write_content(w, o->answer);
        json_write_end(w);
    }
    for (const struct openapi_error *e = openapi_errors; e->status; e++) {
        if (!e->common && !has_status(o, e->status))
            continue;
        object(w, e->status);
        reference(w, "responses", slice_str(e->status));
        json_write_end(w);
    }
    json_write_end(w);
}

/* Reading is free on loopback, and wants the same credentials elsewhere. */
static void write_security(struct json_writer *w, bool reads) {
    static const char *const names[] = {"token", "user"};
    json_write_key(w, "security");
    json_write_array(w);
    for (size_t i = 0; i < array_count(names); i++) {
        json_write_object(w);
        json_write_key(w, names[i]);
        json_write_array(w);
        json_write_end(w);
        json_write_end(w);
    }
    if (reads) {
        json_write_object(w);
        json_write_end(w);
    }
    json_write_end(w);
}

static void write_operation(struct json_writer *w, const struct operation *o) {
    char method[8];
    size_t len = 0;
    for (; o->route.method[len] && len + 1 < sizeof method; len++)
        method[len] = (char)(o->route.method[len] | 0x20);
    method[len] = '\0';
    object(w, method);
    json_put_text(w, "operationId", o->id);
    json_put_text(w, "summary", o->summary);
    write_security(w, slice_equal(slice_str(o->route.method), slice_lit("GET")));
    write_parameters(w, o);
    if (o->body) {
        object(w, "requestBody");
        json_write_key(w, "required");
        json_write_bool(w, true);
        write_content(w, o->body);
        json_write_end(w);
    }
    write_responses(w, o);
    json_write_end(w);
}

static bool same_path(unsigned a, unsigned b) {
    return slice_equal(slice_str(event_operations[a].route.pattern),
                       slice_str(event_operations[b].route.pattern));
}

/* A path stands once, where its first operation does. */
static void write_paths(struct json_writer *w) {
    object(w, "paths");
    for (unsigned i = 0; i < event_operation_count; i++) {
        unsigned first = 0;
        while (!same_path(first, i))
            first++;
        if (first != i)
            continue;
        object(w, event_operations[i].route.pattern);
        for (unsigned k = i; k < event_operation_count; k++)
            if (same_path(i, k))
                write_operation(w, &event_operations[k]);
        json_write_end(w);
    }
    json_write_end(w);
}

int openapi_write(struct buf *out) {
    struct json_writer w = json_writer_make(out, true);
    json_write_object(&w);
    json_put_text(&w, "openapi", "3.1.0");
    object(&w, "info");
    json_put_text(&w, "title", "Event streams of Nonet");
    json_put_text(&w, "version", NONET_VERSION);
    json_put_text(&w, "summary",
                  "Events appended with what is expected, read, followed and verified");
    json_put_text(
        &w, "description",
        "On the admin listener reading is free on loopback, all else wants the node's token or a "
        "user. Behind a gateway's route credentials are what that route asks for, and deleting, "
        "limits, the audit list and verifying are not there.");
    object(&w, "license");
    json_put_text(&w, "name", "Apache-2.0");
    json_put_text(&w, "identifier", "Apache-2.0");
    json_write_end(&w);
    json_write_end(&w);
    write_paths(&w);
    write_components(&w);
    json_write_end(&w);
    return json_write_finish(&w);
}

void openapi_http(void *owner, struct http_request *request) {
    _cleanup_buf_ struct buf document = buf_make(BYTES_MAX);
    (void)owner;
    if (openapi_write(&document))
        http_reply_problem(request, 503, "no memory for the document");
    else
        http_reply_json(request, 200, buf_slice(&document));
}
