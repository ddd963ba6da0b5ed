#include "kit.h"

#include "io/tls.h"

/* Streams, listeners and datagrams between two hosts, over many seeds. */

struct peer { /* one end of a stream, and all that happened to it */
    struct town *town;
    struct io_stream *stream;
    char got[1 << 17];
    size_t len;
    size_t drained; /* pending at the last on_drain */
    unsigned chunks, drains, ends, closes;
    int reason, failed;
    bool told, echo, keep_open;
};

struct town {
    struct sim *sim;
    struct io_host *host[2];
    struct io_group *group[2];
    struct io_listener *listener;
    struct peer client, server;
    unsigned accepted[4];
};

static void on_bytes(void *owner, slice bytes) {
    struct peer *peer = owner;
    assert_int_equal(peer->closes, 0);
    assert_true(peer->len + bytes.len <= sizeof(peer->got));
    memcpy(peer->got + peer->len, bytes.ptr, bytes.len);
    peer->len += bytes.len;
    peer->chunks++;
    if (peer->echo)
        assert_int_equal(io_stream_write(peer->stream, bytes), 0);
}

static void on_end(void *owner) {
    struct peer *peer = owner;
    peer->ends++;
    if (!peer->keep_open)
        io_stream_close(peer->stream);
}

static void on_drain(void *owner) {
    struct peer *peer = owner;
    peer->drained = io_stream_pending(peer->stream);
    peer->drains++;
}

static void on_close(void *owner, int reason) {
    struct peer *peer = owner;
    peer->closes++;
    peer->reason = reason;
    peer->stream = NULL;
}

static const struct io_stream_events events = {on_bytes, on_end, on_drain, on_close};

static void on_accept(void *owner, struct io_loop *loop, struct io_stream *stream) {
    struct town *town = owner;
    town->accepted[io_loop_index(loop)]++;
    assert_ptr_equal(io_stream_loop(stream), loop);
    if (town->server.stream) { /* further streams: for counting only */
        io_stream_set_events(stream, &(struct io_stream_events){.on_bytes = on_bytes},
                             &town->server);
        io_stream_abort(stream);
        return;
    }
    town->server.stream = stream;
    io_stream_set_events(stream, &events, &town->server);
}

static void on_connect(void *owner, struct io_stream *stream, int failed) {
    struct peer *peer = owner;
    peer->told = true;
    peer->failed = failed;
    peer->stream = stream;
    if (stream)
        io_stream_set_events(stream, &events, peer);
}

static struct town *town_open(uint64_t seed, unsigned loops) {
    static struct town town;
    memset(&town, 0, sizeof(town));
    town.sim = sim_create(seed, NULL);
    town.client.town = town.server.town = &town;
    for (int i = 0; i < 2; i++) {
        town.host[i] = sim_host_create(town.sim, i == 0 ? "client" : "server");
        assert_int_equal(io_group_create(town.host[i], loops, &town.group[i]), 0);
        sim_group_start(town.group[i], NULL, NULL);
    }
    struct io_listen_options options = {
        .address = "0.0.0.0:4222", .loop_count = loops, .on_accept = on_accept, .owner = &town};
    struct error error = {0};
    struct io_loop *loop = io_group_loop(town.group[1], 0);
    assert_int_equal(io_listen(loop, &options, &town.listener, &error), 0);
    assert_string_equal(io_listener_address(town.listener), "0.0.0.0:4222");
    return &town;
}

static void town_connect(struct town *town, const char *address) {
    assert_int_equal(io_connect(io_group_loop(town->group[0], 0), address, SIM_SECOND, on_connect,
                                &town->client),
                     0);
    sim_run_for(town->sim, 2 * SIM_SECOND);
    assert_true(town->client.told);
}

static struct town *town_joined(uint64_t seed) {
    struct town *town = town_open(seed, 1);
    town_connect(town, "server:4222");
    assert_int_equal(town->client.failed, 0);
    assert_non_null(town->server.stream);
    return town;
}

static void town_close(struct town *town) {
    if (town->client.stream)
        io_stream_abort(town->client.stream);
    if (town->server.stream)
        io_stream_abort(town->server.stream);
    sim_run_for(town->sim, 2 * SIM_SECOND);
    assert_int_equal(town->client.closes, town->client.failed || !town->client.told ? 0 : 1);
    io_listener_close(town->listener);
    for (int i = 0; i < 2; i++)
        io_group_free(town->group[i]);
    assert_int_equal(sim_open_handles(town->sim), 0);
    sim_free(town->sim);
}

static void fill(char *bytes, size_t len) {
    for (size_t i = 0; i < len; i++)
        bytes[i] = (char)(i * 7 + (i >> 8));
}

static void test_bytes_arrive_whole_and_in_order_in_any_pieces(void **state) {
    (void)state;
    static char sent[100000];
    fill(sent, sizeof(sent));
    unsigned most = 0;
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct town *town = town_joined(seed);
        town->server.echo = true;
        assert_int_equal(io_stream_write(town->client.stream, slice_make(sent, sizeof(sent))), 0);
        sim_run_for(town->sim, 120 * SIM_SECOND);
        assert_int_equal(town->server.len, sizeof(sent));
        assert_int_equal(town->client.len, sizeof(sent));
        assert_memory_equal(town->client.got, sent, sizeof(sent));
        most = town->client.chunks > most ? town->client.chunks : most;
        town_close(town);
    }
    assert_true(most > 100);
}

static void test_the_names_of_peers_are_addresses(void **state) {
    (void)state;
    struct town *town = town_joined(1);
    assert_string_equal(io_stream_peer(town->client.stream), "10.0.0.2:4222");
    assert_memory_equal(io_stream_peer(town->server.stream), "10.0.0.1:", 9);
    town_close(town);
}

static void test_a_reader_that_pauses_stops_the_writer(void **state) {
    (void)state;
    static char sent[65536];
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct town *town = town_joined(seed);
        io_stream_pause(town->server.stream);
        io_stream_pause(town->server.stream);
        io_stream_set_out_max(town->client.stream, sizeof(sent));
        int failed = 0;
        size_t taken = 0;
        for (int i = 0; i < 100 && !failed; i++) {
            failed = io_stream_write(town->client.stream, slice_make(sent, sizeof(sent)));
            taken += failed ? 0 : sizeof(sent);
            sim_run_for(town->sim, SIM_SECOND);
        }
        assert_int_equal(failed, -ENOBUFS);
        assert_true(taken <= sizeof(town->server.got) * 16);
        assert_true(io_stream_pending(town->client.stream) > 0);
        assert_int_equal(town->server.len, 0);
        io_stream_resume(town->server.stream);
        sim_run_for(town->sim, SIM_SECOND);
        assert_int_equal(town->server.len, 0);
        town_close(town);
    }
}

static void test_on_drain_tells_when_waiting_output_has_left(void **state) {
    (void)state;
    static char sent[100000];
    unsigned drains = 0;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct town *town = town_joined(seed);
        assert_int_equal(io_stream_write(town->client.stream, slice_lit("x")), 0);
        sim_run_for(town->sim, SIM_SECOND);
        assert_int_equal(town->client.drains, 0);
        assert_int_equal(io_stream_write(town->client.stream, slice_make(sent, sizeof(sent))), 0);
        sim_run_for(town->sim, 60 * SIM_SECOND);
        assert_int_equal(town->server.len, sizeof(sent) + 1);
        assert_int_equal(town->client.drained, 0);
        drains += town->client.drains;
        town_close(town);
    }
    assert_true(drains > 5);
}

static void test_room_that_is_wanted_is_told_of_once(void **state) {
    (void)state;
    static char sent[100000];
    unsigned early = 0;
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct town *town = town_joined(seed);
        struct peer *client = &town->client;
        io_stream_want_room(client->stream, 1); /* there it is already */
        assert_int_equal(client->drains, 0);
        sim_run_for(town->sim, SIM_MILLISECOND);
        assert_int_equal(client->drains, 1);
        io_stream_pause(town->server.stream);
        assert_int_equal(io_stream_write(client->stream, slice_make(sent, sizeof(sent))), 0);
        io_stream_want_room(client->stream, sizeof(sent) / 2);
        assert_int_equal(client->drains, 1);
        sim_run_for(town->sim, SIM_SECOND);
        bool full = io_stream_pending(client->stream) >= sizeof(sent) / 2;
        assert_true(full ? client->drains == 1 : client->drains >= 2);
        io_stream_resume(town->server.stream);
        for (unsigned i = 0; i < 10000 && client->drains < 2; i++)
            sim_run_for(town->sim, SIM_MILLISECOND);
        assert_true(client->drains >= 2);
        assert_true(client->drained < sizeof(sent) / 2);
        bool waits = full && client->drained > 0;
        early += waits;
        sim_run_for(town->sim, 60 * SIM_SECOND);
        assert_int_equal(town->server.len, sizeof(sent));
        if (waits) /* once for the room, once for the last byte */
            assert_int_equal(client->drains, 3);
        town_close(town);
    }
    assert_true(early > 5);
}

static void test_close_flushes_first_and_both_sides_hear_of_it(void **state) {
    (void)state;
    static char sent[100000];
    fill(sent, sizeof(sent));
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct town *town = town_joined(seed);
        assert_int_equal(io_stream_write(town->client.stream, slice_make(sent, sizeof(sent))), 0);
        io_stream_close(town->client.stream);
        char *room;
        assert_int_equal(io_stream_reserve(town->client.stream, 1, &room), -EPIPE);
        assert_int_equal(town->client.closes, 0); /* never from inside close */
        sim_run_for(town->sim, 60 * SIM_SECOND);
        assert_int_equal(town->client.closes, 1);
        assert_int_equal(town->client.reason, 0);
        assert_int_equal(town->server.ends, 1);
        assert_int_equal(town->server.closes, 1);
        assert_int_equal(town->server.reason, 0);
        assert_memory_equal(town->server.got, sent, town->server.len);
        town_close(town);
    }
}

/* It looks whether anything was taken since it looked last, so it may be twice as long. */
static void test_close_gives_up_after_its_linger(void **state) {
    (void)state;
    static char sent[65536 * 32];
    struct town *town = town_joined(3);
    io_stream_pause(town->server.stream);
    assert_int_equal(io_stream_write(town->client.stream, slice_make(sent, sizeof(sent))), 0);
    io_stream_close(town->client.stream);
    sim_run_for(town->sim, (IO_LINGER_MS - 1) * SIM_MILLISECOND);
    assert_int_equal(town->client.closes, 0);
    sim_run_for(town->sim, (IO_LINGER_MS + 100) * SIM_MILLISECOND);
    assert_int_equal(town->client.closes, 1);
    town_close(town);
}

static void test_who_takes_little_of_what_is_owed_gets_it_all(void **state) {
    (void)state;
    static char sent[100000];
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct town *town = town_joined(seed);
        unsigned spans = 0;
        io_stream_pause(town->server.stream);
        assert_int_equal(io_stream_write(town->client.stream, slice_make(sent, sizeof(sent))), 0);
        io_stream_close(town->client.stream);
        for (; town->server.closes == 0 && spans < 1000; spans++) {
            sim_run_for(town->sim, (IO_LINGER_MS - 1000) * SIM_MILLISECOND);
            io_stream_resume(town->server.stream);
            sim_run_for(town->sim, SIM_MILLISECOND);
            if (town->server.stream)
                io_stream_pause(town->server.stream);
        }
        assert_int_equal(town->server.len, sizeof(sent));
        town_close(town);
    }
}

static void test_a_half_closed_stream_can_still_be_written_to(void **state) {
    (void)state;
    struct town *town = town_joined(1);
    town->server.keep_open = true;
    io_stream_close(town->client.stream);
    sim_run_for(town->sim, 100 * SIM_MILLISECOND);
    assert_int_equal(town->server.ends, 1);
    assert_int_equal(town->server.closes, 0);
    assert_int_equal(io_stream_write(town->server.stream, slice_lit("bye")), 0);
    io_stream_close(town->server.stream);
    sim_run_for(town->sim, SIM_SECOND);
    assert_int_equal(town->server.closes, 1);
    assert_int_equal(town->client.closes, 1);
    assert_int_equal(town->client.len, 0); /* after close no bytes come */
    town_close(town);
}

static void test_a_shut_stream_still_hears_its_peer(void **state) {
    (void)state;
    struct town *town = town_joined(1);
    town->server.keep_open = true;
    assert_int_equal(io_stream_write(town->client.stream, slice_lit("hello")), 0);
    io_stream_shut(town->client.stream);
    assert_int_equal(io_stream_write(town->client.stream, slice_lit("more")), -EPIPE);
    sim_run_for(town->sim, 100 * SIM_MILLISECOND);
    assert_int_equal(town->server.len, 5);
    assert_int_equal(town->server.ends, 1);
    assert_int_equal(io_stream_write(town->server.stream, slice_lit("bye")), 0);
    io_stream_close(town->server.stream);
    sim_run_for(town->sim, SIM_SECOND);
    assert_int_equal(town->client.len, 3);
    assert_int_equal(town->client.ends, 1);
    assert_int_equal(town->client.closes, 1);
    assert_int_equal(town->client.reason, 0);
    assert_int_equal(town->server.closes, 1);
    town_close(town);
}

static void test_an_abort_is_a_reset_or_an_end_to_the_peer(void **state) {
    (void)state;
    unsigned resets = 0, ends = 0;
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct town *town = town_joined(seed);
        io_stream_abort(town->client.stream);
        assert_int_equal(town->client.closes, 0);
        sim_run_for(town->sim, 10 * SIM_SECOND);
        assert_int_equal(town->client.closes, 1);
        assert_int_equal(town->server.closes, 1);
        resets += town->server.reason == -ECONNRESET;
        ends += town->server.reason == 0;
        town_close(town);
    }
    assert_true(resets > 0 && ends > 0 && resets + ends == 50);
}

static void test_writing_to_a_stream_the_peer_has_closed_breaks_it(void **state) {
    (void)state;
    struct town *town = town_joined(1);
    town->server.keep_open = true;
    io_stream_abort(town->client.stream);
    sim_run_for(town->sim, SIM_SECOND);
    if (town->server.stream) {
        assert_int_equal(io_stream_write(town->server.stream, slice_lit("anyone?")), 0);
        sim_run_for(town->sim, SIM_SECOND);
    }
    assert_int_equal(town->server.closes, 1);
    assert_int_equal(town->server.reason, -ECONNRESET);
    town_close(town);
}

static void test_connecting_where_nobody_listens_is_refused(void **state) {
    (void)state;
    static const struct {
        const char *address;
        int failed;
    } cases[] = {{"server:1", -ECONNREFUSED},
                 {"127.0.0.1:4222", -ECONNREFUSED},
                 {"10.0.0.1:4222", -ECONNREFUSED},
                 {"nowhere:4222", -ENOENT}};
    for (size_t i = 0; i < array_count(cases); i++) {
        struct town *town = town_open(i, 1);
        town_connect(town, cases[i].address);
        assert_int_equal(town->client.failed, cases[i].failed);
        assert_null(town->client.stream);
        town_close(town);
    }
    struct town *town = town_open(1, 1);
    assert_int_equal(
        io_connect(io_group_loop(town->group[0], 0), "server", 0, on_connect, &town->client),
        -EINVAL);
    town_close(town);
}

static void test_loopback_is_for_the_own_host(void **state) {
    (void)state;
    struct town *town = town_open(1, 1);
    struct io_listener *inner;
    struct io_listen_options options = {
        .address = "127.0.0.1:0", .loop_count = 1, .on_accept = on_accept, .owner = town};
    assert_int_equal(io_listen(io_group_loop(town->group[1], 0), &options, &inner, NULL), 0);
    char address[64];
    snprintf(address, sizeof(address), "server:%s", strchr(io_listener_address(inner), ':') + 1);
    town_connect(town, address);
    assert_int_equal(town->client.failed, -ECONNREFUSED);
    town->client.told = false;
    assert_int_equal(io_connect(io_group_loop(town->group[1], 0), io_listener_address(inner), 0,
                                on_connect, &town->client),
                     0);
    sim_run_for(town->sim, SIM_SECOND);
    assert_int_equal(town->client.failed, 0);
    assert_memory_equal(io_stream_peer(town->server.stream), "127.0.0.1:", 10);
    io_listener_close(inner);
    town_close(town);
}

static void test_a_port_is_taken_once(void **state) {
    (void)state;
    struct town *town = town_open(1, 1);
    struct io_listener *second = NULL;
    struct error error = {0};
    struct io_listen_options options = {
        .address = "127.0.0.1:4222", .loop_count = 1, .on_accept = on_accept, .owner = town};
    struct io_loop *loop = io_group_loop(town->group[1], 0);
    assert_int_equal(io_listen(loop, &options, &second, &error), -EADDRINUSE);
    assert_non_null(strstr(error.message, "127.0.0.1:4222"));
    options.address = "client:1";
    assert_int_equal(io_listen(loop, &options, &second, &error), -EADDRNOTAVAIL);
    options.address = "rubbish";
    assert_int_equal(io_listen(loop, &options, &second, &error), -EINVAL);
    assert_null(second);
    town_close(town);
}

static void test_streams_are_dealt_to_the_loops_in_turn(void **state) {
    (void)state;
    struct town *town = town_open(1, 4);
    for (int i = 0; i < 8; i++) {
        town->client = (struct peer){.town = town};
        town_connect(town, "server:4222");
        io_stream_abort(town->client.stream);
        sim_run_for(town->sim, SIM_SECOND);
    }
    for (int i = 0; i < 4; i++)
        assert_int_equal(town->accepted[i], 2);
    town_close(town);
}

static void test_a_partition_delays_and_healing_delivers(void **state) {
    (void)state;
    struct town *town = town_joined(1);
    sim_partition(town->host[0], town->host[1]);
    assert_int_equal(io_stream_write(town->client.stream, slice_lit("hello")), 0);
    sim_run_for(town->sim, 10 * SIM_SECOND);
    assert_int_equal(town->server.len, 0);
    assert_int_equal(town->server.closes, 0);
    sim_heal(town->host[0], town->host[1]);
    sim_run_for(town->sim, SIM_SECOND);
    assert_int_equal(town->server.len, 5);
    town_close(town);
}

static void test_a_long_partition_breaks_the_sender(void **state) {
    (void)state;
    struct town *town = town_joined(1);
    sim_partition(town->host[0], town->host[1]);
    assert_int_equal(io_stream_write(town->client.stream, slice_lit("hello")), 0);
    sim_run_for(town->sim, 100 * SIM_SECOND);
    assert_int_equal(town->client.closes, 1);
    assert_int_equal(town->client.reason, -ETIMEDOUT);
    town_close(town);
}

static void test_connecting_through_a_partition_times_out(void **state) {
    (void)state;
    struct town *town = town_open(1, 1);
    sim_partition(town->host[0], town->host[1]);
    town_connect(town, "server:4222");
    assert_int_equal(town->client.failed, -ETIMEDOUT);
    town_close(town);
}

/* At any moment: before the question has arrived, and with the answer on its way. */
static void test_connecting_is_taken_back(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 40; seed++) {
        struct town *town = town_open(seed, 1);
        struct io_loop *loop = io_group_loop(town->group[0], 0);
        assert_int_equal(io_connect(loop, "server:4222", SIM_SECOND, on_connect, &town->client), 0);
        sim_run_for(town->sim, seed * 5000);
        bool told = town->client.told;
        io_connect_cancel(loop, &town->server);
        io_connect_cancel(loop, &town->client);
        sim_run_for(town->sim, 2 * SIM_SECOND);
        assert_int_equal(town->client.told, told);
        assert_true(told || !town->server.stream || town->server.ends || town->server.closes);
        town_close(town);
    }
}

/* The power of the server goes: silence, and a reset once it is back and the client speaks. */
static void test_a_power_cut_is_noticed_by_speaking(void **state) {
    (void)state;
    struct town *town = town_joined(1);
    sim_power_cut(town->host[1]);
    sim_run_for(town->sim, 10 * SIM_SECOND);
    assert_int_equal(town->client.closes, 0);
    assert_int_equal(town->server.closes, 1);
    assert_int_equal(town->server.reason, -ECONNRESET);
    sim_host_restart(town->host[1]);
    assert_int_equal(io_stream_write(town->client.stream, slice_lit("hello?")), 0);
    sim_run_for(town->sim, SIM_SECOND);
    assert_int_equal(town->client.closes, 1);
    assert_int_equal(town->client.reason, -ECONNRESET);
    town_close(town);
}

static void test_a_killed_process_ends_its_streams_at_once(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct town *town = town_joined(seed);
        sim_kill(town->host[1]);
        sim_run_for(town->sim, SIM_SECOND);
        sim_host_restart(town->host[1]);
        sim_run_for(town->sim, 10 * SIM_SECOND);
        assert_int_equal(town->client.closes, 1);
        assert_int_equal(town->server.closes, 1);
        town_close(town);
    }
}

static void test_all_streams_of_a_host_can_be_reset(void **state) {
    (void)state;
    struct town *town = town_joined(1);
    sim_reset_streams(town->host[0]);
    sim_run_for(town->sim, SIM_SECOND);
    assert_int_equal(town->client.reason, -ECONNRESET);
    assert_int_equal(town->server.reason, -ECONNRESET);
    town_close(town);
}

static void test_tls_is_refused(void **state) {
    (void)state;
    struct town *town = town_open(1, 1);
    struct io_tls *tls = NULL;
    struct error error = {0};
    assert_int_equal(io_tls_create(town->host[0], &(struct io_tls_options){0}, &tls, &error),
                     -ENOSYS);
    assert_string_equal(error.message, "TLS is not simulated");
    town_close(town);
}

/* --- datagrams -------------------------------------------------------------------------------- */

struct post {
    unsigned seen[200];
    unsigned total, overtaken, last;
};

static void on_datagram(void *owner, slice bytes, const char *from) {
    struct post *post = owner;
    unsigned number;
    assert_int_equal(bytes.len, sizeof(number));
    assert_memory_equal(from, "10.0.0.1:", 9);
    memcpy(&number, bytes.ptr, sizeof(number));
    post->seen[number]++;
    post->total++;
    post->overtaken += number < post->last;
    post->last = number;
}

static struct post send_post(const struct sim_options *options, uint64_t seed) {
    struct sim *sim = sim_create(seed, options);
    struct io_host *hosts[2] = {sim_host_create(sim, "a"), sim_host_create(sim, "b")};
    struct io_group *groups[2];
    struct io_udp *sockets[2];
    struct post post = {0};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(io_group_create(hosts[i], 1, &groups[i]), 0);
        sim_group_start(groups[i], NULL, NULL);
        assert_int_equal(io_udp_open(io_group_loop(groups[i], 0), "0.0.0.0:7946", on_datagram,
                                     &post, &sockets[i], NULL),
                         0);
    }
    for (unsigned i = 0; i < 200; i++) {
        assert_int_equal(io_udp_send(sockets[0], "b:7946", slice_make(&i, sizeof(i))), 0);
        sim_run_for(sim, SIM_MILLISECOND / 10);
    }
    static char large[65508];
    assert_int_equal(io_udp_send(sockets[0], "b:7946", slice_make(large, sizeof(large))),
                     -EMSGSIZE);
    sim_run_for(sim, SIM_SECOND);
    for (int i = 0; i < 2; i++) {
        io_udp_close(sockets[i]);
        io_group_free(groups[i]);
    }
    assert_int_equal(sim_open_handles(sim), 0);
    sim_free(sim);
    return post;
}

static void test_datagrams_arrive_but_may_overtake(void **state) {
    (void)state;
    struct post post = send_post(NULL, 1);
    assert_int_equal(post.total, 200);
    assert_true(post.overtaken > 0);
}

static void test_datagrams_are_lost_and_doubled_as_asked(void **state) {
    (void)state;
    struct post post =
        send_post(&(struct sim_options){.udp_loss_percent = 20, .udp_twice_percent = 20}, 1);
    unsigned lost = 0, twice = 0;
    for (int i = 0; i < 200; i++) {
        lost += post.seen[i] == 0;
        twice += post.seen[i] == 2;
    }
    assert_true(lost > 10 && lost < 80);
    assert_true(twice > 10 && twice < 80);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_arrive_whole_and_in_order_in_any_pieces),
        cmocka_unit_test(test_the_names_of_peers_are_addresses),
        cmocka_unit_test(test_a_reader_that_pauses_stops_the_writer),
        cmocka_unit_test(test_on_drain_tells_when_waiting_output_has_left),
        cmocka_unit_test(test_room_that_is_wanted_is_told_of_once),
        cmocka_unit_test(test_close_flushes_first_and_both_sides_hear_of_it),
        cmocka_unit_test(test_close_gives_up_after_its_linger),
        cmocka_unit_test(test_who_takes_little_of_what_is_owed_gets_it_all),
        cmocka_unit_test(test_a_half_closed_stream_can_still_be_written_to),
        cmocka_unit_test(test_a_shut_stream_still_hears_its_peer),
        cmocka_unit_test(test_an_abort_is_a_reset_or_an_end_to_the_peer),
        cmocka_unit_test(test_writing_to_a_stream_the_peer_has_closed_breaks_it),
        cmocka_unit_test(test_connecting_where_nobody_listens_is_refused),
        cmocka_unit_test(test_loopback_is_for_the_own_host),
        cmocka_unit_test(test_a_port_is_taken_once),
        cmocka_unit_test(test_streams_are_dealt_to_the_loops_in_turn),
        cmocka_unit_test(test_a_partition_delays_and_healing_delivers),
        cmocka_unit_test(test_a_long_partition_breaks_the_sender),
        cmocka_unit_test(test_connecting_through_a_partition_times_out),
        cmocka_unit_test(test_connecting_is_taken_back),
        cmocka_unit_test(test_a_power_cut_is_noticed_by_speaking),
        cmocka_unit_test(test_a_killed_process_ends_its_streams_at_once),
        cmocka_unit_test(test_all_streams_of_a_host_can_be_reset),
        cmocka_unit_test(test_tls_is_refused),
        cmocka_unit_test(test_datagrams_arrive_but_may_overtake),
        cmocka_unit_test(test_datagrams_are_lost_and_doubled_as_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
