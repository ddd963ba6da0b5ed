/* The command line's NATS client against servers of every manner, on the simulated network. */
#include "cli_test.h"

#include "base/mem.h"
#include "cli/nats_client.h"
#include "sim.h"

#include <stdlib.h>

#define INFO                                                                                       \
    "INFO {\"server_name\":\"s\",\"version\":\"2\",\"max_payload\":1000,\"headers\":true}\r\n"
#define TIMEOUT (5 * SIM_SECOND)

/* One server that says what the test says, and one client. */
struct desk {
    struct sim *sim;
    struct io_host *hosts[2];
    struct io_group *groups[2];
    struct io_listener *listener;
    struct io_stream *served; /* NULL: nobody there */
    struct buf heard;         /* by the server */
    const char *greeting;
    struct login login;
    struct nats_client *client;
    unsigned ready, pongs, messages, ends;
    struct buf payloads; /* of messages, one after the other */
    uint64_t last_sid;
    bool failed; /* the end had an error */
    struct error error;
};

/* --- server ----------------------------------------------------------------------------------- */

static void on_served_bytes(void *owner, slice bytes) {
    struct desk *d = owner;
    assert_int_equal(buf_append(&d->heard, bytes), 0);
}

static void on_served_close(void *owner, int reason) {
    struct desk *d = owner;
    (void)reason;
    d->served = NULL;
}

static void on_accept(void *owner, struct io_loop *loop, struct io_stream *stream) {
    static const struct io_stream_events events = {.on_bytes = on_served_bytes,
                                                   .on_close = on_served_close};
    struct desk *d = owner;
    (void)loop;
    d->served = stream;
    io_stream_set_events(stream, &events, d);
    assert_int_equal(io_stream_write(stream, slice_str(d->greeting)), 0);
}

static void server_says(struct desk *d, const char *text) {
    assert_non_null(d->served);
    assert_int_equal(io_stream_write(d->served, slice_str(text)), 0);
    sim_run_for(d->sim, SIM_SECOND / 10);
}

/* --- client ----------------------------------------------------------------------------------- */

static void on_ready(void *self) {
    ((struct desk *)self)->ready++;
}

static void on_pong(void *self) {
    ((struct desk *)self)->pongs++;
}

static void on_message(void *self, uint64_t sid, const struct nats_client_message *message) {
    struct desk *d = self;
    d->messages++;
    d->last_sid = sid;
    assert_int_equal(buf_append(&d->payloads, message->payload), 0);
}

static void on_end(void *self, const struct error *error) {
    struct desk *d = self;
    d->ends++;
    d->client = NULL;
    d->failed = error != NULL;
    if (error)
        d->error = *error;
}

static const struct nats_client_events events = {
    .on_ready = on_ready, .on_message = on_message, .on_pong = on_pong, .on_end = on_end};

static int dial(struct desk *d) {
    return nats_client_open(io_group_loop(d->groups[1], 0), &d->login, TIMEOUT, &events, d,
                            &d->client, &d->error);
}

/* GREETING NULL: nobody listens. */
static struct desk *open_desk(const char *greeting) {
    struct desk *d = calloc(1, sizeof *d);
    struct error error = {0};
    assert_non_null(d);
    d->sim = sim_create(7, NULL);
    for (int i = 0; i < 2; i++) {
        d->hosts[i] = sim_host_create(d->sim, i == 0 ? "server" : "here");
        assert_int_equal(io_group_create(d->hosts[i], 1, &d->groups[i]), 0);
        sim_group_start(d->groups[i], NULL, NULL);
    }
    d->greeting = greeting;
    d->heard = buf_make(1u << 20);
    d->payloads = buf_make(64u << 20);
    struct io_listen_options options = {
        .address = "server:4222", .loop_count = 1, .on_accept = on_accept, .owner = d};
    if (greeting)
        assert_int_equal(io_listen(io_group_loop(d->groups[0], 0), &options, &d->listener, &error),
                         0);
    assert_int_equal(login_read_url(slice_lit("nats://ann:secret@server"), &d->login, &error), 0);
    assert_int_equal(dial(d), 0);
    sim_run_for(d->sim, SIM_SECOND);
    return d;
}

/* One that is logged in. */
static struct desk *open_ready(void) {
    struct desk *d = open_desk(INFO);
    server_says(d, "PONG\r\n");
    assert_int_equal(d->ready, 1);
    buf_clear(&d->heard);
    return d;
}

static void close_desk(struct desk *d) {
    if (d->client)
        nats_client_close(d->client);
    sim_run_for(d->sim, 10 * SIM_SECOND);
    assert_int_equal(d->ends, 1);
    if (d->served)
        io_stream_abort(d->served);
    io_listener_close(d->listener);
    sim_run_for(d->sim, 10 * SIM_SECOND);
    for (int i = 0; i < 2; i++)
        io_group_free(d->groups[i]);
    assert_int_equal(sim_open_handles(d->sim), 0);
    sim_free(d->sim);
    buf_free(&d->heard);
    buf_free(&d->payloads);
    free(d);
}

static void assert_failed(struct desk *d, const char *words) {
    sim_run_for(d->sim, 10 * SIM_SECOND);
    assert_int_equal(d->ends, 1);
    assert_true(d->failed);
    if (!strstr(d->error.message, words))
        fail_msg("'%s' is not in '%s'", words, d->error.message);
}

/* --- tests ------------------------------------------------------------------------------------ */

static void it_logs_in_and_reads_info(void **state) {
    (void)state;
    struct desk *d = open_desk(INFO);
    assert_int_equal(d->ready, 0);
    assert_true(slice_starts_with(buf_slice(&d->heard), slice_lit("CONNECT {")));
    assert_true(slice_find_slice(buf_slice(&d->heard), slice_lit("\"pass\":\"secret\"")) > 0);
    assert_true(slice_ends_with(buf_slice(&d->heard), slice_lit("PING\r\n")));
    server_says(d, "PONG\r\n");
    assert_int_equal(d->ready, 1);
    const struct nats_client_info *info = nats_client_info(d->client);
    assert_string_equal(info->name, "s");
    assert_int_equal(info->payload_max, 1000);
    assert_true(info->headers);
    assert_false(info->jetstream);
    nats_client_close(d->client);
    sim_run_for(d->sim, SIM_SECOND);
    assert_false(d->failed);
    close_desk(d);
}

static void what_it_writes_is_nats(void **state) {
    (void)state;
    struct desk *d = open_ready();
    const struct nats_client_message m = {.subject = slice_lit("a.b"),
                                          .reply = slice_lit("r"),
                                          .headers = slice_lit("NATS/1.0\r\nK: v\r\n\r\n"),
                                          .payload = slice_lit("hi")};
    nats_client_subscribe(d->client, 3, slice_lit("x.>"), slice_lit("q"));
    nats_client_publish(d->client, &m);
    nats_client_unsubscribe(d->client, 3);
    nats_client_ping(d->client);
    sim_run_for(d->sim, SIM_SECOND);
    assert_slice(buf_slice(&d->heard), "SUB x.> q 3\r\nHPUB a.b r 18 20\r\nNATS/1.0\r\nK: "
                                       "v\r\n\r\nhi\r\nUNSUB 3\r\nPING\r\n");
    server_says(d, "PONG\r\n");
    assert_int_equal(d->pongs, 1);
    close_desk(d);
}

static void messages_come_whole_however_they_are_cut(void **state) {
    (void)state;
    struct desk *d = open_ready();
    static const char text[] = "MSG a 7 5\r\nhello\r\n+OK\r\nPING\r\nMSG b 8 r 3\r\nabc\r\n"
                               "HMSG c 9 12 15\r\nNATS/1.0\r\n\r\nxyz\r\n";
    for (size_t i = 0; i < sizeof text - 1; i++) {
        assert_int_equal(io_stream_write(d->served, slice_make(text + i, 1)), 0);
        sim_run_for(d->sim, SIM_MILLISECOND);
    }
    sim_run_for(d->sim, SIM_SECOND);
    assert_int_equal(d->messages, 3);
    assert_int_equal(d->last_sid, 9);
    assert_slice(buf_slice(&d->payloads), "helloabcxyz");
    assert_slice(buf_slice(&d->heard), "PONG\r\n");
    close_desk(d);
}

static void a_large_message_comes_whole(void **state) {
    (void)state;
    enum { SIZE = 3000000 };
    struct desk *d = open_ready();
    struct buf text = buf_make(8u << 20);
    assert_int_equal(buf_printf(&text, "MSG a 1 %d\r\n", SIZE), 0);
    assert_int_equal(buf_reserve(&text, SIZE), 0);
    memset(text.ptr + text.len, 'm', SIZE);
    text.len += SIZE;
    assert_int_equal(buf_append(&text, slice_lit("\r\nMSG a 1 1\r\nn\r\n")), 0);
    assert_int_equal(io_stream_write(d->served, buf_slice(&text)), 0);
    sim_run_for(d->sim, 60 * SIM_SECOND);
    assert_int_equal(d->messages, 2);
    assert_int_equal(d->payloads.len, SIZE + 1);
    buf_free(&text);
    close_desk(d);
}

static void nobody_there(void **state) {
    (void)state;
    struct desk *d = open_desk(NULL);
    assert_failed(d, "cannot reach server:4222");
    assert_true(d->error.hint[0]);
    close_desk(d);
}

static void a_server_that_says_nothing(void **state) {
    (void)state;
    struct desk *d = open_desk("");
    assert_failed(d, "does not answer as a NATS server would");
    close_desk(d);
    d = open_desk(INFO); /* and one that forgets us in the middle */
    assert_failed(d, "does not answer as a NATS server would");
    close_desk(d);
}

static void a_server_of_something_else(void **state) {
    (void)state;
    struct desk *d = open_desk("HTTP/1.1 400 Bad Request\r\n\r\n");
    assert_failed(d, "does not speak NATS");
    close_desk(d);
    d = open_desk("INFO hello\r\n");
    assert_failed(d, "does not speak NATS");
    close_desk(d);
}

static void a_login_that_is_refused(void **state) {
    (void)state;
    struct desk *d = open_desk(INFO);
    server_says(d, "-ERR 'Authorization Violation'\r\n");
    assert_failed(d, "refuses this login: Authorization Violation");
    assert_non_null(strstr(d->error.hint, "--password"));
    assert_null(strstr(d->error.message, "secret"));
    close_desk(d);
}

static void a_server_that_complains_later(void **state) {
    (void)state;
    struct desk *d = open_ready();
    server_says(d, "-ERR 'Permissions Violation for Publish to \"a\"'\r\n");
    assert_failed(d, "says: Permissions Violation for Publish to \"a\"");
    close_desk(d);
}

static void a_server_that_goes_away(void **state) {
    (void)state;
    struct desk *d = open_ready();
    io_stream_close(d->served);
    assert_failed(d, "server:4222 closed the connection");
    close_desk(d);
    d = open_desk(INFO);
    io_stream_abort(d->served);
    assert_failed(d, "during the login");
    close_desk(d);
}

static void a_server_that_wants_tls_where_there_is_none(void **state) {
    (void)state;
    struct desk *d = open_desk("INFO {\"tls_required\":true}\r\n");
    assert_failed(d, "TLS is not simulated");
    assert_int_equal(d->heard.len, 0); /* above all no password */
    close_desk(d);
}

static void what_is_written_before_the_close_arrives(void **state) {
    (void)state;
    struct desk *d = open_ready();
    const struct nats_client_message m = {.subject = slice_lit("last"), .payload = slice_lit("x")};
    nats_client_publish(d->client, &m);
    nats_client_close(d->client);
    nats_client_publish(d->client, &m); /* does nothing */
    sim_run_for(d->sim, SIM_SECOND);
    assert_slice(buf_slice(&d->heard), "PUB last 1\r\nx\r\n");
    assert_false(d->failed);
    close_desk(d);
}

/* No allocation that fails ends in anything but words, or in success. */
static void memory_that_fails_is_told(void **state) {
    (void)state;
    for (unsigned long at = 1; at < 200; at++) {
        struct desk *d = open_ready();
        static const char text[] = "MSG a 7 5\r\nhel";
        const struct nats_client_message m = {.subject = slice_lit("s"), .payload = slice_lit("x")};
        assert_int_equal(io_stream_write(d->served, slice_str(text)), 0);
        mem_fail_at(at, false);
        nats_client_publish(d->client, &m);
        for (int i = 0; i < 2000 && sim_step(d->sim); i++)
            continue;
        mem_fail_at(0, false);
        if (d->ends)
            assert_true(d->failed && d->error.message[0]);
        close_desk(d);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_logs_in_and_reads_info),
        cmocka_unit_test(what_it_writes_is_nats),
        cmocka_unit_test(messages_come_whole_however_they_are_cut),
        cmocka_unit_test(a_large_message_comes_whole),
        cmocka_unit_test(nobody_there),
        cmocka_unit_test(a_server_that_says_nothing),
        cmocka_unit_test(a_server_of_something_else),
        cmocka_unit_test(a_login_that_is_refused),
        cmocka_unit_test(a_server_that_complains_later),
        cmocka_unit_test(a_server_that_goes_away),
        cmocka_unit_test(a_server_that_wants_tls_where_there_is_none),
        cmocka_unit_test(what_is_written_before_the_close_arrives),
        cmocka_unit_test(memory_that_fails_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
