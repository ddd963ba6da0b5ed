#include "stage.h"

#include "base/mem.h"
#include "certificates.h"
#include "io/tls.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_NS (5000 * (uint64_t)STAGE_MS)

static char folder[] = "nonet-tls-XXXXXX";
static char paths[24][64]; /* "FOLDER/NAME.ENDING", made once */
static unsigned path_count;
static struct io_host *host; /* of contexts that no stage has */

static const char *file(const char *name) {
    char path[64];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    for (unsigned i = 0; i < path_count; i++)
        if (strcmp(paths[i], path) == 0)
            return paths[i];
    check(path_count < array_count(paths));
    memcpy(paths[path_count], path, sizeof path);
    return paths[path_count++];
}

static int make_files(void **state) {
    (void)state;
    check(io_host_create(&host) == 0);
    check(mkdtemp(folder) != NULL);
    struct certificate *good = certificates_authority(folder, "ca");
    struct certificate *other = certificates_authority(folder, "otherca");
    certificates_signed(folder, "server", "DNS:localhost,IP:127.0.0.1", good);
    certificates_signed(folder, "shop", "DNS:*.shop.example", good);
    certificates_signed(folder, "api", "DNS:API.shop.example,DNS:localhost", good);
    certificates_signed(folder, "client", "email:ann@example.org", good);
    certificates_signed(folder, "stranger", "DNS:stranger", other);
    certificates_free(good);
    certificates_free(other);
    return 0;
}

static int remove_files(void **state) {
    (void)state;
    static const char *const names[] = {"ca",  "otherca", "server",  "shop",
                                        "api", "client",  "stranger"};
    for (size_t i = 0; i < array_count(names); i++) {
        char path[64];
        snprintf(path, sizeof path, "%s/%s.pem", folder, names[i]);
        check(unlink(path) == 0);
        snprintf(path, sizeof path, "%s/%s.key", folder, names[i]);
        check(unlink(path) == 0);
    }
    host = io_host_free(host);
    return rmdir(folder);
}

/* --- two ends of one connection --------------------------------------------------------------- */

struct talk;

struct end {
    struct talk *talk;
    struct io_stream *stream;
    struct io_tls *tls;
    int ready; /* 1: not yet; else what on_ready said */
    char why[200];
    unsigned ready_calls, ends;
    bool closed;
    int reason;
    struct io_tls_info info;
    char subject[128], sans[128], alpn[32], version[16];
    char got[64];
    size_t got_size;
    uint64_t got_total;
};

struct talk {
    struct stage *stage;
    struct io_tls_options server_options, client_options;
    struct io_listener *listener;
    struct end server, client;
    unsigned rounds; /* connections one after the other, with the same contexts */
    const struct io_tls_options *renewed; /* but for the server's, made anew for each by these */
    bool resumed;
    void (*on_both_ready)(struct talk *talk);
};

static void keep(struct end *end, slice bytes) {
    for (size_t i = 0; i < bytes.len && end->got_size < sizeof end->got; i++)
        end->got[end->got_size++] = bytes.ptr[i];
    end->got_total += bytes.len;
}

static void connect_again(struct talk *talk);

static void end_closed(void *owner, int reason) {
    struct end *end = owner;
    struct talk *talk = end->talk;
    end->closed = true;
    end->reason = reason;
    if (!talk->server.closed || !talk->client.closed)
        return;
    if (talk->rounds > 1) {
        talk->rounds--;
        connect_again(talk);
        return;
    }
    io_listener_close(talk->listener);
    talk->server.tls = io_tls_unref(talk->server.tls);
    talk->client.tls = io_tls_unref(talk->client.tls);
    stage_end(talk->stage);
}

static void learn(struct end *end) {
    struct io_tls_info info = io_stream_tls(end->stream);
    snprintf(end->subject, sizeof end->subject, "%s", info.peer_subject);
    snprintf(end->sans, sizeof end->sans, "%s", info.peer_sans);
    snprintf(end->alpn, sizeof end->alpn, "%s", info.alpn);
    snprintf(end->version, sizeof end->version, "%s", info.version);
    end->info = info;
}

static void end_ready(void *owner, int failed, const char *why) {
    struct end *end = owner;
    struct talk *talk = end->talk;
    end->ready_calls++;
    end->ready = failed;
    assert_int_equal(why == NULL, failed == 0);
    if (failed) {
        snprintf(end->why, sizeof end->why, "%s", why);
        return;
    }
    learn(end);
    if (end == &talk->client) {
        talk->resumed = end->info.resumed;
        assert_int_equal(io_stream_write(end->stream, slice_lit("hello")), 0);
    }
    if (talk->server.ready == 0 && talk->client.ready == 0 && talk->on_both_ready)
        talk->on_both_ready(talk);
}

/* The server answers what it hears, and closes when it has heard "hello". */
static void server_bytes(void *owner, slice bytes) {
    struct end *end = owner;
    keep(end, bytes);
    if (end->got_total == 5 && !end->talk->on_both_ready) {
        assert_int_equal(io_stream_write(end->stream, slice_lit("world")), 0);
        io_stream_close(end->stream);
    }
}

static void client_bytes(void *owner, slice bytes) {
    keep(owner, bytes);
}

static void start(struct end *end) {
    assert_int_equal(
        io_stream_start_tls(end->stream, end->tls, slice_make(NULL, 0), PATIENCE_NS, end_ready), 0);
    assert_int_equal(end->ready_calls, 0); /* never from inside */
}

static void talk_accept(void *owner, struct io_loop *loop, struct io_stream *stream) {
    static const struct io_stream_events events = {.on_bytes = server_bytes,
                                                   .on_close = end_closed};
    (void)loop;
    struct talk *talk = ((struct stage *)owner)->state;
    talk->server.stream = stream;
    io_stream_set_events(stream, &events, &talk->server);
    if (talk->server.tls)
        start(&talk->server);
}

static void talk_connected(void *owner, struct io_stream *stream, int failed) {
    static const struct io_stream_events events = {.on_bytes = client_bytes,
                                                   .on_close = end_closed};
    struct talk *talk = owner;
    assert_int_equal(failed, 0);
    talk->client.stream = stream;
    io_stream_set_events(stream, &events, &talk->client);
    if (talk->client.tls)
        start(&talk->client);
}

static void connect_again(struct talk *talk) {
    struct io_tls *server = talk->server.tls, *client = talk->client.tls;
    if (talk->renewed && talk->server.closed) {
        io_tls_unref(server);
        assert_int_equal(io_tls_create(talk->stage->host, talk->renewed, &server, NULL), 0);
    }
    talk->server = (struct end){.talk = talk, .ready = 1, .tls = server};
    talk->client = (struct end){.talk = talk, .ready = 1, .tls = client};
    assert_int_equal(io_connect(talk->stage->loop, io_listener_address(talk->listener), PATIENCE_NS,
                                talk_connected, talk),
                     0);
}

static void talk_begin(struct stage *stage) {
    struct talk *talk = stage->state;
    struct error error;
    talk->stage = stage;
    assert_int_equal(io_tls_create(stage->host, &talk->server_options, &talk->server.tls, &error),
                     0);
    assert_int_equal(io_tls_create(stage->host, &talk->client_options, &talk->client.tls, &error),
                     0);
    talk->listener = stage_listen(stage, 1, talk_accept);
    connect_again(talk);
}

static struct talk usual_talk(void) {
    return (struct talk){
        .rounds = 1,
        .server_options = {.cert_file = file("server.pem"),
                           .key_file = file("server.key"),
                           .server = true},
        .client_options = {.ca_file = file("ca.pem"),
                           .verify_peer = true,
                           .server_name = "localhost"},
    };
}

static void play_talk(struct talk *talk) {
    struct stage stage;
    stage_play(&stage, 1, talk_begin, talk);
    assert_true(talk->server.ready_calls <= 1 && talk->client.ready_calls <= 1);
}

static void assert_talked(struct talk *talk) {
    assert_int_equal(talk->server.ready, 0);
    assert_int_equal(talk->client.ready, 0);
    assert_memory_equal(talk->server.got, "hello", 5);
    assert_memory_equal(talk->client.got, "world", 5);
    assert_int_equal(talk->server.reason, 0);
    assert_int_equal(talk->client.reason, 0); /* a clean end: close_notify came */
}

/* --- handshakes ------------------------------------------------------------------------------- */

static void both_sides_talk_in_tls_1_3(void **state) {
    (void)state;
    struct talk talk = usual_talk();
    play_talk(&talk);
    assert_talked(&talk);
    assert_string_equal(talk.client.version, "TLSv1.3");
    assert_string_equal(talk.client.subject, "CN=server,O=Nonet");
    assert_string_equal(talk.client.sans, "localhost\n127.0.0.1");
    assert_string_equal(talk.server.subject, "");
    assert_string_equal(talk.client.alpn, "");
    assert_false(talk.resumed);
}

static void an_address_is_checked_as_a_name_is(void **state) {
    (void)state;
    struct talk talk = usual_talk();
    talk.client_options.server_name = "127.0.0.1";
    play_talk(&talk);
    assert_talked(&talk);
}

static void a_second_connection_resumes_the_session(void **state) {
    (void)state;
    struct talk talk = usual_talk();
    talk.rounds = 3;
    play_talk(&talk);
    assert_talked(&talk);
    assert_true(talk.resumed);
}

static void a_session_outlives_a_reload(void **state) {
    (void)state;
    struct talk talk = usual_talk();
    struct io_tls_options renewed = talk.server_options;
    renewed.cert_file = file("api.pem"); /* it is for localhost, too */
    renewed.key_file = file("api.key");
    talk.renewed = &renewed;
    talk.rounds = 2;
    play_talk(&talk);
    assert_talked(&talk);
    assert_true(talk.resumed);
}

static void a_session_made_without_a_certificate_ends_when_one_is_asked_for(void **state) {
    (void)state;
    struct talk talk = usual_talk();
    struct io_tls_options renewed = talk.server_options;
    renewed.verify_peer = true;
    renewed.ca_file = file("ca.pem");
    talk.client_options.cert_file = file("client.pem");
    talk.client_options.key_file = file("client.key");
    talk.renewed = &renewed;
    talk.rounds = 2;
    play_talk(&talk);
    assert_talked(&talk);
    assert_false(talk.resumed);
    assert_string_equal(talk.server.subject, "CN=client,O=Nonet");
}

static void a_session_of_clients_of_one_authority_is_nothing_to_another(void **state) {
    (void)state;
    struct talk talk = usual_talk();
    talk.server_options.verify_peer = true;
    talk.server_options.ca_file = file("ca.pem");
    struct io_tls_options renewed = talk.server_options;
    renewed.ca_file = file("otherca.pem");
    talk.client_options.cert_file = file("client.pem");
    talk.client_options.key_file = file("client.key");
    talk.renewed = &renewed;
    talk.rounds = 2;
    play_talk(&talk);
    assert_int_equal(talk.server.ready, -EPROTO);
    assert_int_equal(talk.server.got_total, 0);
}

static void a_certificate_says_its_names_and_its_time(void **state) {
    (void)state;
    _cleanup_buf_ struct buf names = buf_make(1000);
    struct io_tls_pair pair = {file("api.pem"), file("api.key")};
    struct io_tls_facts facts;
    struct error error;
    assert_int_equal(io_tls_examine(&pair, file("ca.pem"), &facts, &names, &error), 0);
    assert_string_equal(buf_text(&names), "api.shop.example\nlocalhost\n");
    assert_false(facts.early);
    assert_false(facts.expired);
    assert_non_null(strstr(facts.until, " UTC"));
    assert_int_equal(io_tls_examine(&pair, file("ca.key"), &facts, &names, &error), -EINVAL);
    assert_string_equal(error.place, file("ca.key"));
    pair.key_file = file("shop.key");
    assert_int_equal(io_tls_examine(&pair, NULL, &facts, &names, &error), -EINVAL);
    assert_string_equal(error.place, file("shop.key"));
}

static void a_certificate_of_an_unknown_authority_is_refused(void **state) {
    (void)state;
    struct talk talk = usual_talk();
    talk.client_options.ca_file = file("otherca.pem");
    play_talk(&talk);
    assert_int_equal(talk.client.ready, -EPROTO);
    assert_non_null(strstr(talk.client.why, "unable to get local issuer certificate"));
    assert_int_equal(talk.client.reason, -EPROTO);
    assert_int_equal(talk.server.ready, -EPROTO); /* the alert arrived and names the cause */
    assert_non_null(strstr(talk.server.why, "unknown ca"));
    assert_int_equal(talk.server.got_total, 0);
}

static void a_certificate_of_another_name_is_refused(void **state) {
    (void)state;
    struct talk talk = usual_talk();
    talk.client_options.server_name = "elsewhere";
    play_talk(&talk);
    assert_int_equal(talk.client.ready, -EPROTO);
    assert_non_null(strstr(talk.client.why, "ostname mismatch"));
}

static void a_client_certificate_tells_who_it_is(void **state) {
    (void)state;
    struct talk talk = usual_talk();
    talk.server_options.verify_peer = true;
    talk.server_options.ca_file = file("ca.pem");
    talk.client_options.cert_file = file("client.pem");
    talk.client_options.key_file = file("client.key");
    play_talk(&talk);
    assert_talked(&talk);
    assert_string_equal(talk.server.subject, "CN=client,O=Nonet");
    assert_string_equal(talk.server.sans, "ann@example.org");
}

static void without_or_with_a_wrong_client_certificate_it_ends(void **state) {
    (void)state;
    for (unsigned wrong = 0; wrong < 2; wrong++) {
        struct talk talk = usual_talk();
        talk.server_options.verify_peer = true;
        talk.server_options.ca_file = file("ca.pem");
        talk.client_options.cert_file = wrong ? file("stranger.pem") : NULL;
        talk.client_options.key_file = wrong ? file("stranger.key") : NULL;
        play_talk(&talk);
        assert_int_equal(talk.server.ready, -EPROTO);
        assert_int_equal(talk.server.got_total, 0);
        assert_int_equal(talk.client.got_total, 0);
        assert_int_equal(talk.client.reason, -EPROTO); /* TLS 1.3: the client learns it later */
    }
}

static void sni_chooses_the_certificate(void **state) {
    (void)state;
    static const struct {
        const char *name, *subject;
    } cases[] = {{"a.shop.example", "CN=shop,O=Nonet"},
                 {"B.Shop.Example", "CN=shop,O=Nonet"},
                 {"api.Shop.example", "CN=api,O=Nonet"}, /* exact before the wildcard */
                 {"localhost", "CN=server,O=Nonet"}};    /* the first that has a name keeps it */
    for (size_t i = 0; i < array_count(cases); i++) {
        struct talk talk = usual_talk();
        const struct io_tls_pair further[] = {{file("shop.pem"), file("shop.key")},
                                              {file("api.pem"), file("api.key")}};
        talk.server_options.further = further;
        talk.server_options.further_count = 2;
        talk.client_options.server_name = cases[i].name;
        play_talk(&talk);
        assert_talked(&talk);
        assert_string_equal(talk.client.subject, cases[i].subject);
    }
}

static void alpn_takes_the_first_of_the_servers_that_both_know(void **state) {
    (void)state;
    static const char *const servers[] = {"h2", "http/1.1", NULL};
    static const char *const clients[] = {"spdy", "http/1.1", "h2", NULL};
    struct talk talk = usual_talk();
    talk.server_options.alpn = servers;
    talk.client_options.alpn = clients;
    play_talk(&talk);
    assert_talked(&talk);
    assert_string_equal(talk.server.alpn, "h2");
    assert_string_equal(talk.client.alpn, "h2");
}

/* --- much data, push-back --------------------------------------------------------------------- */

#define BULK (5u << 20)

/* In small pieces and in some that take several segments. */
static void speak_bulk(struct talk *talk) {
    static char piece[200001];
    for (size_t sent = 0, size = 1; sent < BULK; sent += size, size = size * 3 % 200001) {
        for (size_t i = 0; i < size; i++)
            piece[i] = (char)((sent + i) % 251);
        assert_int_equal(io_stream_write(talk->client.stream, slice_make(piece, size)), 0);
    }
    io_stream_close(talk->client.stream);
}

static struct talk *bulk_talk;
static uint64_t bulk_heard;
static bool bulk_paused;
static struct io_timer bulk_timer;

static void bulk_resume(struct io_timer *timer) {
    (void)timer;
    bulk_paused = false;
    io_stream_resume(bulk_talk->server.stream);
}

static void bulk_bytes(void *owner, slice bytes) {
    struct end *end = owner;
    assert_false(bulk_paused);
    size_t greeting = 5 - end->got_size; /* what end_ready has sent comes first */
    keep(end, slice_take(bytes, greeting));
    bytes = slice_skip(bytes, greeting);
    for (size_t i = 0; i < bytes.len; i++)
        assert_int_equal((unsigned char)bytes.ptr[i], (bulk_heard + i) % 251);
    bulk_heard += bytes.len;
    bulk_paused = true;
    io_stream_pause(end->stream);
    io_timer_start(io_stream_loop(end->stream), &bulk_timer, STAGE_MS, bulk_resume);
}

static void bulk_both_ready(struct talk *talk) {
    static const struct io_stream_events events = {.on_bytes = bulk_bytes, .on_close = end_closed};
    bulk_talk = talk;
    io_stream_set_events(talk->server.stream, &events, &talk->server);
    speak_bulk(talk);
}

/* The client says its last word; the server answers what it has heard after that. */
static void hears_the_end(void *owner) {
    struct end *end = owner;
    end->ends++;
    if (end == &end->talk->server)
        assert_int_equal(io_stream_write(end->stream, slice_lit("world")), 0);
    io_stream_close(end->stream);
}

static void shut_when_ready(struct talk *talk) {
    static const struct io_stream_events events = {
        .on_bytes = client_bytes, .on_end = hears_the_end, .on_close = end_closed};
    io_stream_set_events(talk->server.stream, &events, &talk->server);
    io_stream_set_events(talk->client.stream, &events, &talk->client);
    io_stream_shut(talk->client.stream);
    assert_int_equal(io_stream_write(talk->client.stream, slice_lit("more")), -EPIPE);
}

static void a_shut_side_still_hears_the_other(void **state) {
    (void)state;
    struct talk talk = usual_talk();
    talk.on_both_ready = shut_when_ready;
    play_talk(&talk);
    assert_talked(&talk);
    assert_int_equal(talk.client.ends, 1);
    assert_int_equal(talk.server.ends, 1);
}

static void much_goes_through_with_pauses(void **state) {
    (void)state;
    struct talk talk = usual_talk();
    talk.on_both_ready = bulk_both_ready;
    bulk_heard = 0;
    play_talk(&talk);
    assert_memory_equal(talk.server.got, "hello", 5);
    assert_true(bulk_heard >= BULK);
    assert_int_equal(talk.server.reason, 0);
}

/* --- upgrade in the middle, and strangers ----------------------------------------------------- */

/* The server says INFO in the clear; the client answers with its first TLS bytes right behind a
   line of text, so that the server has read some of the handshake before it upgrades. */
static void starttls_server_bytes(void *owner, slice bytes) {
    struct end *end = owner;
    if (end->ready == 0) {
        keep(end, bytes);
        assert_int_equal(io_stream_write(end->stream, slice_lit("world")), 0);
        io_stream_close(end->stream);
        return;
    }
    assert_true(slice_starts_with(bytes, slice_lit("STARTTLS\r\n")));
    slice rest = slice_skip(bytes, 10);
    assert_true(rest.len > 100);
    assert_int_equal(io_stream_start_tls(end->stream, end->tls, rest, PATIENCE_NS, end_ready), 0);
    assert_int_equal(end->ready_calls, 0);
}

static void starttls_client_bytes(void *owner, slice bytes) {
    struct end *end = owner;
    if (end->ready == 0) {
        keep(end, bytes);
        return;
    }
    assert_true(slice_equal(bytes, slice_lit("INFO\r\n")));
    assert_int_equal(io_stream_write(end->stream, slice_lit("STARTTLS\r\n")), 0);
    start(end);
}

static void starttls_accept(void *owner, struct io_loop *loop, struct io_stream *stream) {
    static const struct io_stream_events events = {.on_bytes = starttls_server_bytes,
                                                   .on_close = end_closed};
    (void)loop;
    struct talk *talk = ((struct stage *)owner)->state;
    talk->server.stream = stream;
    io_stream_set_events(stream, &events, &talk->server);
    assert_int_equal(io_stream_write(stream, slice_lit("INFO\r\n")), 0);
}

static void starttls_connected(void *owner, struct io_stream *stream, int failed) {
    static const struct io_stream_events events = {.on_bytes = starttls_client_bytes,
                                                   .on_close = end_closed};
    struct talk *talk = owner;
    assert_int_equal(failed, 0);
    talk->client.stream = stream;
    io_stream_set_events(stream, &events, &talk->client);
}

static void starttls_begin(struct stage *stage) {
    struct talk *talk = stage->state;
    talk->stage = stage;
    talk->server = (struct end){.talk = talk, .ready = 1};
    talk->client = (struct end){.talk = talk, .ready = 1};
    assert_int_equal(io_tls_create(stage->host, &talk->server_options, &talk->server.tls, NULL), 0);
    assert_int_equal(io_tls_create(stage->host, &talk->client_options, &talk->client.tls, NULL), 0);
    talk->listener = stage_listen(stage, 1, starttls_accept);
    assert_int_equal(io_connect(stage->loop, io_listener_address(talk->listener), PATIENCE_NS,
                                starttls_connected, talk),
                     0);
}

static void a_stream_is_upgraded_with_bytes_already_read(void **state) {
    (void)state;
    struct stage stage;
    struct talk talk = usual_talk();
    stage_play(&stage, 1, starttls_begin, &talk);
    assert_talked(&talk);
}

/* A stranger without TLS at the other end. */
struct stranger {
    struct talk talk;
    int raw;
    const char *says;
    bool leaves;
    uint64_t timeout_ns;
};

static void stranger_closed(void *owner, int reason) {
    struct end *end = owner;
    struct stranger *stranger = container_of(end->talk, struct stranger, talk);
    end->closed = true;
    end->reason = reason;
    close(stranger->raw);
    io_listener_close(stranger->talk.listener);
    io_tls_unref(end->tls);
    stage_end(stranger->talk.stage);
}

static void stranger_accept(void *owner, struct io_loop *loop, struct io_stream *stream) {
    static const struct io_stream_events events = {.on_bytes = server_bytes,
                                                   .on_close = stranger_closed};
    (void)loop;
    struct stranger *stranger = ((struct stage *)owner)->state;
    struct end *end = &stranger->talk.server;
    end->stream = stream;
    io_stream_set_events(stream, &events, end);
    assert_int_equal(
        io_stream_start_tls(stream, end->tls, slice_make(NULL, 0), stranger->timeout_ns, end_ready),
        0);
    if (stranger->says)
        stage_raw_send(stranger->raw, stranger->says, strlen(stranger->says));
    if (stranger->leaves || stranger->says)
        shutdown(stranger->raw, SHUT_WR);
}

static void stranger_begin(struct stage *stage) {
    struct stranger *stranger = stage->state;
    struct talk *talk = &stranger->talk;
    talk->stage = stage;
    talk->server = (struct end){.talk = talk, .ready = 1};
    assert_int_equal(io_tls_create(stage->host, &talk->server_options, &talk->server.tls, NULL), 0);
    talk->listener = stage_listen(stage, 1, stranger_accept);
    stranger->raw = stage_raw_connect(io_listener_address(talk->listener));
}

static void a_stranger_who_speaks_no_tls_is_told_so(void **state) {
    (void)state;
    struct stage stage;
    struct stranger stranger = {
        .talk = usual_talk(), .says = "GET / HTTP/1.1\r\n\r\n", .timeout_ns = PATIENCE_NS};
    stage_play(&stage, 1, stranger_begin, &stranger);
    assert_int_equal(stranger.talk.server.ready, -EPROTO);
    assert_non_null(strstr(stranger.talk.server.why, "http request"));
    assert_int_equal(stranger.talk.server.reason, -EPROTO);
}

static void a_stranger_who_leaves_ends_the_handshake(void **state) {
    (void)state;
    struct stage stage;
    struct stranger stranger = {.talk = usual_talk(), .leaves = true, .timeout_ns = PATIENCE_NS};
    stage_play(&stage, 1, stranger_begin, &stranger);
    assert_int_equal(stranger.talk.server.ready, -ECONNRESET);
    assert_int_equal(stranger.talk.server.reason, -ECONNRESET);
    assert_int_equal(stranger.talk.server.ready_calls, 1);
}

static void a_silent_stranger_is_not_waited_for(void **state) {
    (void)state;
    struct stage stage;
    struct stranger stranger = {.talk = usual_talk(), .timeout_ns = 30 * STAGE_MS};
    stage_play(&stage, 1, stranger_begin, &stranger);
    assert_int_equal(stranger.talk.server.ready, -ETIMEDOUT);
    assert_int_equal(stranger.talk.server.reason, -ETIMEDOUT);
}

/* --- contexts --------------------------------------------------------------------------------- */

static void assert_refused(const struct io_tls_options *options, int code, const char *word) {
    struct error error;
    struct io_tls *tls = NULL;
    char text[800];
    assert_int_equal(io_tls_create(host, options, &tls, &error), code);
    assert_null(tls);
    assert_non_null(strstr(error_text(&error, text, sizeof text), word));
}

static void wrong_files_are_refused_with_their_name(void **state) {
    (void)state;
    struct io_tls_options options = usual_talk().server_options;
    options.cert_file = "missing.pem";
    assert_refused(&options, -ENOENT, "missing.pem");
    options = usual_talk().server_options;
    options.key_file = file("client.key");
    assert_refused(&options, -EINVAL, "client.key");
    options.key_file = file("server.pem");
    assert_refused(&options, -EINVAL, "server.pem");
    options.key_file = NULL;
    assert_refused(&options, -EINVAL, "without a key");
    options = usual_talk().server_options;
    options.cert_file = NULL;
    assert_refused(&options, -EINVAL, "needs a certificate");
    options = usual_talk().server_options;
    options.verify_peer = true;
    assert_refused(&options, -EINVAL, "CA");
    options.ca_file = "missing-ca.pem";
    assert_refused(&options, -ENOENT, "missing-ca.pem");
    options = usual_talk().client_options;
    options.server_name = NULL;
    assert_refused(&options, -EINVAL, "name");
    static const char *const empty[] = {"", NULL};
    options = usual_talk().client_options;
    options.alpn = empty;
    assert_refused(&options, -EINVAL, "ALPN");
    options = usual_talk().server_options;
    const struct io_tls_pair further[] = {{file("shop.pem"), file("server.key")}};
    options.further = further;
    options.further_count = 1;
    assert_refused(&options, -EINVAL, "server.key");
    assert_null(io_tls_unref(NULL));
}

static void without_memory_a_context_is_refused(void **state) {
    (void)state;
    static const char *const alpn[] = {"h2", NULL};
    const struct io_tls_pair further[] = {{file("shop.pem"), file("shop.key")}};
    struct io_tls_options options = usual_talk().server_options;
    options.server_name = "own";
    options.alpn = alpn;
    options.further = further;
    options.further_count = 1;
    struct io_tls *tls = NULL;
    unsigned long failures = 0;
    for (int failed = -ENOMEM; failed; failures++) {
        mem_fail_at(failures + 1, false);
        failed = io_tls_create(host, &options, &tls, NULL);
        mem_fail_at(0, false);
        assert_true(failed == 0 || failed == -ENOMEM);
    }
    assert_int_equal(failures, 11);
    assert_ptr_equal(io_tls_ref(tls), tls);
    assert_null(io_tls_unref(tls));
    assert_null(io_tls_unref(tls));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_sides_talk_in_tls_1_3),
        cmocka_unit_test(an_address_is_checked_as_a_name_is),
        cmocka_unit_test(a_second_connection_resumes_the_session),
        cmocka_unit_test(a_session_outlives_a_reload),
        cmocka_unit_test(a_session_made_without_a_certificate_ends_when_one_is_asked_for),
        cmocka_unit_test(a_session_of_clients_of_one_authority_is_nothing_to_another),
        cmocka_unit_test(a_certificate_says_its_names_and_its_time),
        cmocka_unit_test(a_certificate_of_an_unknown_authority_is_refused),
        cmocka_unit_test(a_certificate_of_another_name_is_refused),
        cmocka_unit_test(a_client_certificate_tells_who_it_is),
        cmocka_unit_test(without_or_with_a_wrong_client_certificate_it_ends),
        cmocka_unit_test(sni_chooses_the_certificate),
        cmocka_unit_test(alpn_takes_the_first_of_the_servers_that_both_know),
        cmocka_unit_test(a_shut_side_still_hears_the_other),
        cmocka_unit_test(much_goes_through_with_pauses),
        cmocka_unit_test(a_stream_is_upgraded_with_bytes_already_read),
        cmocka_unit_test(a_stranger_who_speaks_no_tls_is_told_so),
        cmocka_unit_test(a_stranger_who_leaves_ends_the_handshake),
        cmocka_unit_test(a_silent_stranger_is_not_waited_for),
        cmocka_unit_test(wrong_files_are_refused_with_their_name),
        cmocka_unit_test(without_memory_a_context_is_refused),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
