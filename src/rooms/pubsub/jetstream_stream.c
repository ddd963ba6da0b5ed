/*
 * jetstream_stream.c - the API of streams: create, update, info, names, list, delete, purge.
 *
 * Changes are answered when they are on disk. Lists are walked by name on each request and paged by
 * offset, as clients ask for them; a page's size is bounded, so is what an info lists of subjects
 * and deleted sequences.
 */
#include "base/mem.h"
#include "rooms/pubsub/jetstream.h"
#include "wire/nats_subject.h"

void api_write_stream_state(struct json_writer *w, struct stream *stream) {
    struct log_stream_state s = log_stream_state(stream_log(stream));
    bool fresh = s.last_sequence == 0;
    json_write_key(w, "state");
    json_write_object(w);
    json_write_key(w, "messages");
    json_write_u64(w, s.messages);
    json_write_key(w, "bytes");
    json_write_u64(w, s.bytes);
    json_write_key(w, "first_seq");
    json_write_u64(w, fresh ? 0 : s.first_sequence);
    api_write_time(w, "first_ts", s.messages ? s.first_time_ns : 0);
    json_write_key(w, "last_seq");
    json_write_u64(w, s.last_sequence);
    api_write_time(w, "last_ts", fresh ? 0 : s.last_time_ns);
    if (s.subjects) {
        json_write_key(w, "num_subjects");
        json_write_u64(w, s.subjects);
    }
    if (s.deleted) {
        json_write_key(w, "num_deleted");
        json_write_u64(w, s.deleted);
    }
    json_write_key(w, "consumer_count");
    json_write_u64(w, stream_consumer_count(stream));
}

static void write_info_open(struct json_writer *w, struct stream *stream) {
    json_write_key(w, "config");
    stream_config_write(w, stream_config(stream));
    api_write_time(w, "created", stream_created_ns(stream));
    api_write_stream_state(w, stream);
}

/* Behind the state: the clock that the times in it are to be seen by. */
static void write_info_end(struct jetstream *js, struct json_writer *w) {
    json_write_end(w);
    api_write_time(w, "ts", io_loop_wall_ns(js->shard->loop));
}

static void write_info(struct jetstream *js, struct json_writer *w, struct stream *stream) {
    write_info_open(w, stream);
    write_info_end(js, w);
}

/* --- changes ------------------------------------------------------------------------------ */

static void on_changed(void *self, struct stream *stream, const struct streams_error *error) {
    struct api_call *call = self;
    struct streams_error gone;
    if (!error && !stream) {
        streams_fail(&gone, 404, 10059, "stream not found");
        error = &gone;
    }
    if (error) {
        api_error(call->js, call->type, api_call_reply(call), error);
    } else {
        struct json_writer w = api_begin(call->js, call->type);
        write_info(call->js, &w, stream);
        json_write_key(&w, "did_create");
        json_write_bool(&w, strcmp(call->type, "stream_create") == 0);
        api_end(call->js, &w, api_call_reply(call));
    }
    api_call_free(call);
}

static bool read_config(const struct api_request *request, struct stream_config *config) {
    struct streams_error e = {0};
    struct jetstream *js = request->js;
    bool fine = stream_config_read(request->json, &js->arena, config, &e);
    if (fine && !config->name.len)
        config->name = request->tokens[0];
    if (fine && !slice_equal(config->name, request->tokens[0]))
        fine = streams_fail(&e, 400, 10056, "stream name in subject does not match request");
    if (!fine)
        api_error(js, request->type, request->reply, &e);
    return fine;
}

/* A stream_config is some kilobytes: not for the stack of a deep call. */
static void change(const struct api_request *request,
                   void (*apply)(struct streams *, const struct stream_config *, streams_done,
                                 void *)) {
    struct stream_config *config = arena_zalloc(&request->js->arena, 1, sizeof *config);
    struct api_call *call = config && read_config(request, config) ? api_call_new(request) : NULL;
    if (call)
        apply(request->js->streams, config, on_changed, call);
}

void api_stream_create(const struct api_request *request) {
    change(request, stream_create);
}

void api_stream_update(const struct api_request *request) {
    change(request, stream_update);
}

static void on_done(void *self, struct stream *stream, const struct streams_error *error) {
    (void)stream;
    struct api_call *call = self;
    if (error)
        api_error(call->js, call->type, api_call_reply(call), error);
    else
        api_success(call->js, call->type, api_call_reply(call));
    api_call_free(call);
}

void api_stream_delete(const struct api_request *request) {
    struct api_call *call = api_call_new(request);
    if (call)
        stream_delete(request->js->streams, request->tokens[0], on_done, call);
}

static void on_purged(void *self, uint64_t purged, const struct streams_error *error) {
    struct api_call *call = self;
    if (error) {
        api_error(call->js, call->type, api_call_reply(call), error);
    } else {
        struct json_writer w = api_begin(call->js, call->type);
        json_write_key(&w, "success");
        json_write_bool(&w, true);
        json_write_key(&w, "purged");
        json_write_u64(&w, purged);
        api_end(call->js, &w, api_call_reply(call));
    }
    api_call_free(call);
}

void api_stream_purge(const struct api_request *request) {
    struct stream *stream = api_stream(request);
    struct streams_error e = {0};
    slice filter = {0};
    int64_t before = 0, keep = 0;
    if (!stream)
        return;
    bool fine =
        config_read_text(json_member(request->json, slice_lit("filter")), "filter", &filter, &e) ||
        json_type_of(json_member(request->json, slice_lit("filter"))) == JSON_ABSENT;
    if (json_type_of(json_member(request->json, slice_lit("seq"))) != JSON_ABSENT)
        fine = fine &&
               config_read_number(json_member(request->json, slice_lit("seq")), "seq", &before, &e);
    if (json_type_of(json_member(request->json, slice_lit("keep"))) != JSON_ABSENT)
        fine = fine &&
               config_read_number(json_member(request->json, slice_lit("keep")), "keep", &keep, &e);
    if (fine && filter.len && !nats_subject_valid(filter))
        fine = streams_fail(&e, 400, 10003, "bad request: the filter is not a subject");
    if (fine && (before < 0 || keep < 0))
        fine = streams_fail(&e, 400, 10003, "bad request: seq and keep are not negative");
    if (!fine) {
        api_error(request->js, request->type, request->reply, &e);
        return;
    }
    struct api_call *call = api_call_new(request);
    if (call)
        stream_purge(stream, filter, (uint64_t)before, (uint64_t)keep, on_purged, call);
}

/* --- info --------------------------------------------------------------------------------- */

struct subjects_page {
    struct json_writer *w;
    uint64_t at, from, written, total;
};

static int each_subject(void *self, slice subject, const struct log_subject_state *state) {
    struct subjects_page *page = self;
    page->total++;
    if (page->at++ < page->from || page->written == JETSTREAM_SUBJECTS_PAGE)
        return 0;
    page->written++;
    json_write_key_slice(page->w, subject);
    json_write_u64(page->w, state->messages);
    return 0;
}

static struct subjects_page write_subjects(struct json_writer *w, struct stream *stream,
                                           slice filter, uint64_t offset) {
    struct subjects_page page = {.w = w, .from = offset};
    json_write_key(w, "subjects");
    json_write_object(w);
    log_subject_each(stream_log(stream), filter, each_subject, &page);
    json_write_end(w);
    return page;
}

#define DELETED_LISTED_MAX 1000000u

static void write_deleted(struct jetstream *js, struct json_writer *w, struct stream *stream) {
    (void)js;
    struct log_stream_state s = log_stream_state(stream_log(stream));
    json_write_key(w, "deleted");
    json_write_array(w);
    uint64_t listed = 0;
    for (uint64_t sequence = s.first_sequence;
         listed < s.deleted && listed < DELETED_LISTED_MAX && sequence <= s.last_sequence;
         sequence++) {
        if (!log_sequence_deleted(stream_log(stream), sequence))
            continue;
        json_write_u64(w, sequence);
        listed++;
    }
    json_write_end(w);
}

void api_write_page(struct json_writer *w, uint64_t total, uint64_t offset, uint64_t limit) {
    json_write_key(w, "total");
    json_write_u64(w, total);
    json_write_key(w, "offset");
    json_write_u64(w, offset < total ? offset : total);
    json_write_key(w, "limit");
    json_write_u64(w, limit);
}

void api_stream_info(const struct api_request *request) {
    struct stream *stream = api_stream(request);
    if (!stream)
        return;
    slice filter = {0};
    bool details = false;
    bool wants_subjects =
        json_string(json_member(request->json, slice_lit("subjects_filter")), &filter) == 0 &&
        filter.len;
    if (json_bool(json_member(request->json, slice_lit("deleted_details")), &details))
        details = false;
    struct json_writer w = api_begin(request->js, request->type);
    write_info_open(&w, stream);
    struct subjects_page page = {0};
    if (details && log_stream_state(stream_log(stream)).deleted)
        write_deleted(request->js, &w, stream);
    if (wants_subjects)
        page = write_subjects(&w, stream, filter, api_offset(request));
    write_info_end(request->js, &w);
    if (wants_subjects)
        api_write_page(&w, page.total, page.from, JETSTREAM_SUBJECTS_PAGE);
    api_end(request->js, &w, request->reply);
}

static bool wanted(const struct stream *stream, slice filter) {
    const struct stream_config *config = stream_config(stream);
    if (!filter.len)
        return true;
    for (unsigned i = 0; i < config->subject_count; i++)
        if (nats_subject_overlap(config->subjects[i], filter))
            return true;
    return false;
}

/* Walks all streams by name; WRITE is called for those of the page. */
static void page_streams(const struct api_request *request, const char *key, uint64_t limit,
                         void (*put)(struct jetstream *js, struct json_writer *w,
                                     struct stream *stream)) {
    struct jetstream *js = request->js;
    slice filter = {0};
    if (json_string(json_member(request->json, slice_lit("subject")), &filter))
        filter = (slice){0};
    uint64_t offset = api_offset(request), total = 0;
    struct json_writer w = api_begin(js, request->type);
    json_write_key(&w, key);
    json_write_array(&w);
    for (struct stream *s = NULL;
         (s = stream_next(js->streams, s ? stream_config(s)->name : (slice){0}));) {
        if (!wanted(s, filter))
            continue;
        if (total >= offset && total < offset + limit)
            put(js, &w, s);
        total++;
    }
    json_write_end(&w);
    api_write_page(&w, total, offset, limit);
    api_end(js, &w, request->reply);
}

static void write_name(struct jetstream *js, struct json_writer *w, struct stream *stream) {
    (void)js;
    json_write_string(w, stream_config(stream)->name);
}

static void write_listed(struct jetstream *js, struct json_writer *w, struct stream *stream) {
    json_write_object(w);
    write_info(js, w, stream);
    json_write_end(w);
}

void api_stream_names(const struct api_request *request) {
    page_streams(request, "streams", JETSTREAM_NAMES_PAGE, write_name);
}

void api_stream_list(const struct api_request *request) {
    page_streams(request, "streams", JETSTREAM_LIST_PAGE, write_listed);
}
