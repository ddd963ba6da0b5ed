/* bus_kit.c - see bus_kit.h. */
#include "bus_kit.h"

#include "base/number.h"
#include "bus/stream_config.h"
#include "wire/nats_headers.h"

#include <stdlib.h> /* what is caught is not counted among the code's own allocations */

struct streams_error kit_error;

/* --- the house ----------------------------------------------------------------------------------
 */

void house_rise(struct house *house) {
    assert_int_equal(io_group_create(house->host, house->shards, &house->group), 0);
    sim_group_start(house->group, NULL, NULL);
    for (unsigned i = 0; i < house->shards; i++) {
        struct bus_options options = {.loop = io_group_loop(house->group, i),
                                      .shards = house->shards,
                                      .stream_shard = house->shards - 1};
        assert_int_equal(bus_create(&options, &house->bus[i]), 0);
    }
}

struct house *house_open(uint64_t seed, unsigned shards) {
    struct house *house = mem_zalloc(1, sizeof *house);
    assert_non_null(house);
    house->sim = sim_create(seed, NULL);
    house->host = sim_host_create(house->sim, "a");
    house->shards = shards;
    house_rise(house);
    return house;
}

struct bus *house_last(struct house *house) {
    return house->bus[house->shards - 1];
}

static void on_visible(void *self, struct log_stream *stream) {
    struct house *house = self;
    streams_on_visible(house->streams, stream);
}

static void on_room(void *self) {
    struct house *house = self;
    streams_on_room(house->streams);
}

static void on_fatal(void *self, const struct error *error) {
    struct house *house = self;
    (void)error;
    house->fatals++;
}

int house_try_streams(struct house *house) {
    struct streams_options options = {.bus = house_last(house)};
    int failed = streams_create(&options, &house->streams);
    if (failed) {
        house->streams = NULL;
        return failed;
    }
    struct log_options log_options = {
        .directory = "log",
        .journal_file_bytes = house->journal_file_bytes ? house->journal_file_bytes : 1u << 20,
        .journal_files = 4,
        .cache_bytes = 64u << 10,
        .segment_bytes = 256u << 10,
        .on_visible = on_visible,
        .on_room = on_room,
        .on_fatal = on_fatal,
        .self = house,
    };
    log_options.owners = streams_owners(house->streams, &log_options.owner_count);
    struct error error = {0};
    failed = log_open(bus_loop(house_last(house)), &log_options, &house->log, &error);
    if (!failed)
        failed = streams_set_log(house->streams, house->log, &error);
    if (failed) {
        house->log = log_abandon(house->log);
        house->streams = streams_free(house->streams);
    }
    return failed;
}

void house_streams(struct house *house) {
    assert_int_equal(house_try_streams(house), 0);
}

static void free_buses(struct house *house) {
    for (unsigned i = 0; i < house->shards; i++)
        house->bus[i] = bus_free(house->bus[i]);
    house->group = io_group_free(house->group);
}

void house_leave(struct house *house) {
    house->log = log_abandon(house->log);
    house->streams = streams_free(house->streams);
    free_buses(house);
}

void house_cut(struct house *house) {
    if (!sim_host_down(house->host))
        sim_power_cut(house->host);
    house_leave(house);
    house->host = sim_host_restart(house->host);
    house_rise(house);
}

void house_kill(struct house *house) {
    sim_kill(house->host);
    house_leave(house);
    house->host = sim_host_restart(house->host);
    house_rise(house);
}

static void on_closed(void *self) {
    struct house *house = self;
    house->log_closed = true;
    house->log = NULL;
}

static bool is_closed(void *self) {
    return ((struct house *)self)->log_closed;
}

void house_rest(struct house *house) {
    if (!house->log)
        return;
    streams_stop(house->streams);
    house->log_closed = false;
    log_close(house->log, on_closed, house);
    assert_true(sim_run_until(house->sim, is_closed, house, HOUSE_LIMIT));
    house->streams = streams_free(house->streams);
}

void house_stop(struct house *house) {
    house_rest(house);
    free_buses(house);
    house_rise(house);
}

void house_close(struct house *house) {
    house_rest(house);
    free_buses(house);
    assert_int_equal(sim_open_handles(house->sim), 0);
    sim_free(house->sim);
    mem_free(house);
}

void house_run(struct house *house, uint64_t ns) {
    sim_run_for(house->sim, ns);
}

static bool is_set(void *self) {
    const unsigned *flag = self;
    return *flag != 0;
}

bool house_try_until(struct house *house, const unsigned *flag, uint64_t ns) {
    return *flag || sim_run_until(house->sim, is_set, (void *)(uintptr_t)flag, ns);
}

void house_until(struct house *house, const unsigned *flag) {
    assert_true(house_try_until(house, flag, HOUSE_LIMIT));
}

/* --- what arrives -------------------------------------------------------------------------------
 */

static slice keep(char **at, slice part) {
    if (part.len)
        memcpy(*at, part.ptr, part.len);
    slice kept = slice_make(*at, part.len);
    *at += part.len;
    return kept;
}

static void on_caught(void *owner, struct bus_subscription *subscription,
                      const struct bus_message *m) {
    (void)subscription;
    struct catcher *catcher = owner;
    if (catcher->count == catcher->room) {
        catcher->room = catcher->room ? catcher->room * 2 : 16;
        catcher->all = realloc(catcher->all, catcher->room * sizeof *catcher->all);
        assert_non_null(catcher->all);
    }
    struct caught *caught = &catcher->all[catcher->count];
    size_t size =
        m->subject.len + m->reply.len + m->headers.len + m->payload.len + m->route.len + 1;
    char *at = caught->bytes = malloc(size);
    assert_non_null(at);
    caught->message =
        (struct bus_message){keep(&at, m->subject), keep(&at, m->reply), keep(&at, m->headers),
                             keep(&at, m->payload), keep(&at, m->route)};
    catcher->count++;
    if (catcher->also)
        catcher->also(catcher, m);
}

void catcher_open(struct catcher *catcher, struct bus *bus, const char *subject,
                  const char *queue) {
    static const struct bus_receiver receiver = {on_caught};
    *catcher = (struct catcher){.bus = bus};
    assert_int_equal(bus_subscribe(bus, slice_str(subject), slice_str(queue), &receiver, catcher,
                                   NULL, &catcher->subscription),
                     0);
}

void catcher_clear(struct catcher *catcher) {
    for (unsigned i = 0; i < catcher->count; i++)
        free(catcher->all[i].bytes);
    catcher->count = 0;
}

void catcher_close(struct catcher *catcher) {
    catcher->subscription = bus_unsubscribe(catcher->bus, catcher->subscription);
    catcher_clear(catcher);
    free(catcher->all);
    catcher->all = NULL;
    catcher->room = 0;
}

struct awaited {
    const struct catcher *catcher;
    unsigned count;
};

static bool has_count(void *self) {
    const struct awaited *awaited = self;
    return awaited->catcher->count >= awaited->count;
}

void catcher_wait(struct house *house, struct catcher *catcher, unsigned count) {
    struct awaited awaited = {catcher, count};
    if (!has_count(&awaited) && !sim_run_until(house->sim, has_count, &awaited, HOUSE_LIMIT))
        fail_msg("%u messages came, %u were awaited", catcher->count, count);
}

const struct bus_message *catcher_at(const struct catcher *catcher, unsigned index) {
    assert_true(index < catcher->count);
    return &catcher->all[index].message;
}

const char *catcher_status(const struct catcher *catcher, unsigned index, char *out, size_t size) {
    const struct bus_message *m = catcher_at(catcher, index);
    struct nats_status status;
    out[0] = 0;
    if (m->headers.len && nats_headers_parse(m->headers, &status) == 0 && status.code)
        snprintf(out, size, "%u %.*s", status.code, slice_fmt(status.description));
    return out;
}

unsigned say(struct bus *bus, const char *subject, const char *payload) {
    return ask(bus, subject, NULL, payload);
}

unsigned ask(struct bus *bus, const char *subject, const char *reply, const char *payload) {
    struct bus_message message = {
        .subject = slice_str(subject), .reply = slice_str(reply), .payload = slice_str(payload)};
    return bus_publish(bus, &message, NULL, NULL);
}

/* --- streams and consumers ----------------------------------------------------------------------
 */

struct answer {
    unsigned come;
    struct stream *stream;
    struct consumer *consumer;
};

static void on_stream(void *self, struct stream *stream, const struct streams_error *error) {
    struct answer *answer = self;
    answer->come++;
    answer->stream = stream;
    kit_error = error ? *error : (struct streams_error){0};
}

static void on_consumer(void *self, struct consumer *consumer, const struct streams_error *error) {
    struct answer *answer = self;
    answer->come++;
    answer->consumer = consumer;
    kit_error = error ? *error : (struct streams_error){0};
}

static json_value parse(struct json_doc *doc, char *text, size_t size, const char *json) {
    assert_true(strlen(json) < size);
    for (size_t i = 0; i <= strlen(json); i++)
        text[i] = json[i] == '\'' ? '"' : json[i];
    json_init(doc);
    assert_int_equal(json_parse(doc, slice_str(text)), 0);
    return json_root(doc);
}

static struct stream *make_stream(struct house *house, const char *json, bool update) {
    static char text[65536];
    struct json_doc doc;
    struct arena arena = arena_make(0, 1u << 20);
    struct stream_config config;
    struct answer answer = {0};
    json_value root = parse(&doc, text, sizeof text, json);
    if (stream_config_read(root, &arena, &config, &kit_error)) {
        if (update)
            stream_update(house->streams, &config, on_stream, &answer);
        else
            stream_create(house->streams, &config, on_stream, &answer);
        arena_free(&arena);
        json_free(&doc);
        house_until(house, &answer.come);
        assert_int_equal(answer.come, 1);
        return answer.stream;
    }
    arena_free(&arena);
    json_free(&doc);
    return NULL;
}

struct stream *kit_stream(struct house *house, const char *json) {
    return make_stream(house, json, false);
}

struct stream *kit_update(struct house *house, const char *json) {
    return make_stream(house, json, true);
}

struct stream *kit_find(struct house *house, const char *stream) {
    return stream_find(house->streams, slice_str(stream));
}

struct consumer *kit_find_consumer(struct house *house, const char *stream, const char *name) {
    struct stream *found = kit_find(house, stream);
    return found ? consumer_find(found, slice_str(name)) : NULL;
}

struct consumer *kit_consumer(struct house *house, const char *stream, const char *json) {
    static char text[65536];
    struct json_doc doc;
    struct arena arena = arena_make(0, 1u << 20);
    struct consumer_config config;
    struct answer answer = {0};
    struct stream *in = kit_find(house, stream);
    assert_non_null(in);
    json_value root = parse(&doc, text, sizeof text, json);
    bool read = consumer_config_read(root, &arena, &config, &kit_error);
    if (read)
        consumer_create(in, &config, on_consumer, &answer);
    arena_free(&arena);
    json_free(&doc);
    if (!read)
        return NULL;
    house_until(house, &answer.come);
    assert_int_equal(answer.come, 1);
    return answer.consumer;
}

bool kit_delete_consumer(struct house *house, struct consumer *consumer) {
    struct answer answer = {0};
    consumer_delete(consumer, on_consumer, &answer);
    house_until(house, &answer.come);
    return kit_error.code == 0;
}

bool kit_delete_stream(struct house *house, const char *stream) {
    struct answer answer = {0};
    stream_delete(house->streams, slice_str(stream), on_stream, &answer);
    house_until(house, &answer.come);
    return kit_error.code == 0;
}

void kit_fill(struct house *house, const char *subject, unsigned count) {
    struct catcher acks;
    char number[NUMBER_TEXT_MAX];
    catcher_open(&acks, house_last(house), "_KIT.filled", NULL);
    for (unsigned i = 0; i < count; i++) {
        number[number_format_u64(i + 1, number)] = 0;
        assert_true(ask(house_last(house), subject, "_KIT.filled", number) > 0);
        if (i % 256 == 255)
            catcher_wait(house, &acks, i + 1);
    }
    catcher_wait(house, &acks, count);
    for (unsigned i = 0; i < count; i++)
        assert_true(slice_find_slice(catcher_at(&acks, i)->payload, slice_lit("\"error\"")) < 0);
    catcher_close(&acks);
}

void kit_pull(struct consumer *consumer, const char *reply, unsigned batch, uint64_t expires_ns) {
    struct consumer_pull pull = {
        .reply = slice_str(reply), .batch = batch, .expires_ns = expires_ns};
    consumer_pull(consumer, &pull);
}

void kit_ack(struct catcher *catcher, unsigned index, const char *body, const char *reply) {
    struct bus_message message = {.subject = catcher_at(catcher, index)->reply,
                                  .reply = slice_str(reply),
                                  .payload = slice_str(body)};
    assert_true(message.subject.len > 0);
    bus_publish(catcher->bus, &message, NULL, NULL);
}

struct kit_address kit_address(const struct bus_message *message) {
    slice rest = message->reply;
    uint64_t numbers[5];
    for (unsigned i = 0; i < 4; i++)
        slice_cut(rest, '.', &rest);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(number_parse_u64(slice_cut(rest, '.', &rest), &numbers[i]), 0);
    return (struct kit_address){numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]};
}
