/*
 * advisory.c - see advisory.h.
 *
 * Every event begins alike (type, id, timestamp, stream, consumer); what follows is its own. The id
 * is 22 random letters and digits, as clients know it from nuid.
 */
#include "bus/advisory.h"

#include "base/clocktext.h"

#include <stdio.h>

#define BODY_MAX (64u << 10)

static void write_head(struct advisory *a, const char *type, slice stream, slice consumer) {
    static const char letters[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    struct io_loop *loop = bus_loop(a->bus);
    unsigned char random[22];
    char id[sizeof random], time[CLOCKTEXT_SIZE], full[96];
    struct buf name = {.ptr = full, .cap = sizeof full, .max = sizeof full};
    io_host_random(io_loop_host(loop), random, sizeof random);
    for (size_t i = 0; i < sizeof id; i++)
        id[i] = letters[random[i] % (sizeof letters - 1)];
    check(buf_printf(&name, "io.nats.jetstream.%s", type) == 0);
    json_write_object(&a->w);
    json_write_key(&a->w, "type");
    json_write_string(&a->w, buf_slice(&name));
    json_write_key(&a->w, "id");
    json_write_string(&a->w, slice_make(id, sizeof id));
    json_write_key(&a->w, "timestamp");
    json_write_string(&a->w, slice_make(time, clocktext_format(io_loop_wall_ns(loop), time)));
    json_write_key(&a->w, "stream");
    json_write_string(&a->w, stream);
    if (consumer.len) {
        json_write_key(&a->w, "consumer");
        json_write_string(&a->w, consumer);
    }
}

bool advisory_begin(struct advisory *a, struct bus *bus, const char *kind, const char *type,
                    slice stream, slice consumer) {
    a->bus = bus;
    a->subject = (struct buf){.ptr = a->text, .cap = sizeof a->text, .max = sizeof a->text};
    if (buf_printf(&a->subject, "$JS.EVENT.%s.%.*s%s%.*s", kind, slice_fmt(stream),
                   consumer.len ? "." : "", slice_fmt(consumer)) ||
        !bus_has_interest(bus, buf_slice(&a->subject)))
        return false;
    a->body = buf_make(BODY_MAX);
    a->w = json_writer_make(&a->body, false);
    write_head(a, type, stream, consumer);
    return true;
}

void advisory_send(struct advisory *a) {
    json_write_end(&a->w);
    if (json_write_finish(&a->w) == 0) {
        struct bus_message message = {.subject = buf_slice(&a->subject),
                                      .payload = buf_slice(&a->body)};
        bus_publish(a->bus, &message, NULL, NULL);
    }
    buf_free(&a->body);
}

void advisory_stream(struct bus *bus, const char *kind, slice stream) {
    const char *action = kind[0] == 'C' ? "create" : kind[0] == 'U' ? "modify" : "delete";
    char whole[64];
    snprintf(whole, sizeof whole, "ADVISORY.STREAM.%s", kind);
    struct advisory a;
    if (!advisory_begin(&a, bus, whole, "advisory.v1.stream_action", stream, (slice){0}))
        return;
    json_write_key(&a.w, "action");
    json_write_text(&a.w, action);
    advisory_send(&a);
}
