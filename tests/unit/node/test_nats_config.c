#include "node/config_load.h"
#include "node/nats_config.h"

#include "../base/base_test.h"

#include <string.h>

/* nats-server's settings, translated and judged as a nonet.yaml is. */
struct loaded {
    struct arena arena;
    struct nats_conf conf;
    struct nats_config made;
    struct config *config; /* NULL: refused */
    struct buf errors;
};

static void load(struct loaded *l, const char *text, const struct node_nats_setting *settings,
                 size_t count) {
    struct nats_conf_source source = {.text = slice_str(text), .name = slice_lit("n.conf")};
    struct conf_errors *errors = mem_zalloc(1, sizeof *errors);
    struct error e;
    assert_non_null(errors);
    *l = (struct loaded){.arena = arena_make(0, 1 << 20), .errors = buf_make(1 << 16)};
    assert_int_equal(nats_conf_parse(&source, &l->conf, &e), 0);
    assert_int_equal(nats_config_translate(l->conf.root, settings, count, slice_lit("tmp"),
                                           &l->arena, errors, &l->made),
                     0);
    struct config_source from = {
        .tree = l->made.tree, .file = slice_lit("n.conf"), .insecure = true};
    int failed = config_load(&from, &l->config, errors);
    assert_int_equal(failed, errors->count ? -EINVAL : 0);
    assert_int_equal(conf_errors_text(errors, &l->errors), 0);
    mem_free(errors);
}

static void unload(struct loaded *l) {
    config_free(l->config);
    nats_conf_free(&l->conf);
    arena_free(&l->arena);
    buf_free(&l->errors);
}

static struct config *good(struct loaded *l, const char *text) {
    load(l, text, NULL, 0);
    if (!l->config)
        fail_msg("%s", buf_text(&l->errors));
    return l->config;
}

static void assert_refused(const char *text, const char *expected) {
    struct loaded l;
    load(&l, text, NULL, 0);
    assert_null(l.config);
    if (!strstr(buf_text(&l.errors), expected))
        fail_msg("'%s' is not in: %s", expected, buf_text(&l.errors));
    unload(&l);
}

static void the_defaults_are_those_of_nats_server(void **state) {
    (void)state;
    struct loaded l;
    struct config *c = good(&l, "");
    assert_slice(c->listen.nats.address.text, "0.0.0.0:4222");
    assert_true(c->listen.admin.item.off);
    assert_true(c->listen.http.item.off);
    assert_false(c->node.jetstream);
    assert_int_equal(c->node.log.level, 2);
    assert_int_equal(c->auth.users.count, 0);
    unload(&l);
}

static void a_listener_is_put_together_from_host_and_port(void **state) {
    (void)state;
    struct loaded l;
    struct config *c = good(&l, "host: ::1\nport: -1\nhttp_port: 8222");
    assert_slice(c->listen.nats.address.text, "[::1]:0");
    assert_slice(c->listen.admin.address.text, "[::1]:8222");
    unload(&l);
    c = good(&l, "listen: \"127.0.0.1:4333\"\nhttp: \"localhost:1\"");
    assert_slice(c->listen.nats.address.text, "127.0.0.1:4333");
    assert_slice(c->listen.admin.address.text, "localhost:1");
    unload(&l);
    c = good(&l, "listen: 4333\nhttp_port: 0");
    assert_slice(c->listen.nats.address.text, "0.0.0.0:4333");
    assert_true(c->listen.admin.item.off);
    unload(&l);
}

static void numbers_have_the_meaning_they_have_there(void **state) {
    (void)state;
    struct loaded l;
    struct config *c = good(&l, "max_payload: 2MB; max_control_line 0; MAX_CONNECTIONS -1\n"
                                "max_subs: 0, ping_interval: 30, write_deadline: \"1500ms\"\n"
                                "lame_duck_duration: 1h\nauthorization { timeout: 0.5 }");
    assert_int_equal(c->limits.max_payload, 2 << 20);
    assert_int_equal(c->limits.max_control_line, 4096);
    assert_int_equal(c->limits.max_connections, 1000000);
    assert_int_equal(c->limits.max_subscriptions, 100000);
    assert_true(c->limits.ping_interval_ns == 30 * 1000000000ull);
    assert_true(c->limits.write_deadline_ns == 1500 * 1000000ull);
    assert_true(c->limits.lame_duck_ns == 3600 * 1000000000ull);
    assert_true(c->limits.auth_timeout_ns == 500 * 1000000ull);
    unload(&l);
}

static void what_is_written_is_what_is_meant(void **state) {
    (void)state;
    struct loaded l;
    struct config *c = good(&l, "authorization {user: a, password: 'file:${HOME}'}");
    const struct config_user *users = c->auth.users.items;
    assert_int_equal(c->auth.users.count, 1);
    assert_slice(users[0].password, "file:${HOME}");
    unload(&l);
    c = good(&l, "authorization {token: null}");
    users = c->auth.users.items;
    assert_slice(users[0].token, "null");
    unload(&l);
}

static void users_have_their_permissions_or_the_default_ones(void **state) {
    (void)state;
    struct loaded l;
    struct config *c =
        good(&l, "PASSWORD: secret\nauthorization { users = [\n"
                 " {user: a, password: $PASSWORD, permissions {pub: x, sub {allow: [y, z.>]\n"
                 "  deny: w}, allow_responses {max: -1, ttl: \"5s\"}}}\n"
                 " {username: b, pass: p}\n {user: c, password: c, permissions {publish: []}}]\n"
                 " default_permissions { publish: d } }");
    const struct config_user *users = c->auth.users.items;
    assert_int_equal(c->auth.users.count, 3);
    assert_slice(users[0].password, "secret");
    assert_slice(((const slice *)users[0].publish.allow.items)[0], "x");
    assert_int_equal(users[0].subscribe.allow.count, 2);
    assert_slice(((const slice *)users[0].subscribe.deny.items)[0], "w");
    assert_true(users[0].allow_responses.item.given);
    assert_int_equal(users[0].allow_responses.max, 0);
    assert_true(users[0].allow_responses.expires_ns == 5 * 1000000000ull);
    assert_slice(((const slice *)users[1].publish.allow.items)[0], "d");
    assert_false(users[1].allow_responses.item.given);
    assert_null(users[2].publish.allow.items);
    unload(&l);
}

static void jetstream_keeps_its_data_in_a_folder_of_store_dir(void **state) {
    (void)state;
    struct loaded l;
    struct config *c = good(&l, "jetstream {store_dir: store, max_mem: 1G, max_file: 2GB}");
    assert_true(c->node.jetstream);
    assert_slice(c->node.data, "store/nonet");
    assert_slice(l.made.store_dir, "store");
    assert_true(c->limits.max_memory_store == 1000000000);
    assert_true(c->limits.max_file_store == 2ull << 30);
    unload(&l);
    c = good(&l, "jetstream: enabled");
    assert_slice(c->node.data, "tmp/nats/nonet");
    unload(&l);
    c = good(&l, "jetstream {enabled: false, store_dir: x}");
    assert_false(c->node.jetstream);
    assert_slice(l.made.store_dir, "");
    unload(&l);
}

static void flags_go_over_the_file(void **state) {
    (void)state;
    static const struct node_nats_setting flags[] = {
        {"-p", "port", "-1"},
        {"--tls", "--tls", "true"},
        {"--tlscert", "tls.cert_file", "other.pem"},
        {"-D", "debug", "true"},
        {"-V", "trace", "false"},
    };
    struct loaded l;
    load(&l, "port: 1\ntls {cert_file: a.pem, key_file: b.pem}\ntrace: true", flags,
         array_count(flags));
    assert_non_null(l.config);
    assert_slice(l.config->listen.nats.address.text, "0.0.0.0:0");
    assert_slice(l.config->listen.nats.tls.cert, "other.pem");
    assert_slice(l.config->listen.nats.tls.key, "b.pem");
    assert_int_equal(l.config->node.log.level, 3);
    unload(&l);
    static const struct node_nats_setting wrong[] = {{"--port", "port", "many"}};
    load(&l, "", wrong, 1);
    assert_string_equal(buf_text(&l.errors),
                        "--port: 'port' is not a whole number\n"
                        "  hint: sizes are written without quotes: 1MB, 64k\n");
    unload(&l);
}

static void what_is_not_served_is_refused_by_name(void **state) {
    (void)state;
    assert_refused("\ncluster {}", "n.conf:2:1: 'cluster' is a setting of nats-server that nonet");
    assert_refused("prot: 4222", "n.conf:1:1: unknown field 'prot'\n  hint: did you mean 'port'?");
    assert_refused("tls {cert: a}", "n.conf:1:6: unknown field 'cert' in tls");
    assert_refused("port: 70000", "70000 is no port");
    assert_refused("max_payload: 100MB", "n.conf:1:14: 'max_payload' in limits is outside");
    assert_refused("tls {cert_file: a}", "listener nats has a TLS certificate without its key");
    assert_refused("authorization {token: t, users: [{user: a, password: b}]}", "beside users");
    assert_refused("authorization {user: a}", "user 'a' has no password");
    assert_refused("authorization {users: [{user: a, password: b, permissions: "
                   "{publish: {allow: x, Allow: y, deny: z}}}]}",
                   "'Allow' is given twice in permissions");
    assert_refused("authorization {users: [{user: a, password: b, permissions: "
                   "{allow_responses: {max: 2, max_msgs: 9, ttl: 1s}}}]}",
                   "'max_msgs' is given twice in allow_responses");
    assert_refused("tls: true", "'tls' must be a block");
    assert_refused("debug: maybe", "'debug' is neither true nor false");
    assert_refused("server_name: [a]", "'server_name' takes one value");
    assert_refused("no_auth_user: x", "no_auth_user 'x' is none of the users");
    assert_refused("syslog: true", "'syslog' is a setting");
    assert_refused("lame_duck_duration: 5s", "lame_duck_grace is not shorter");
}

static void what_is_switched_off_need_not_be_served(void **state) {
    (void)state;
    struct loaded l;
    good(&l, "syslog: false, prof_port: 0, disable_sublist_cache: no\n"
             "jetstream {domain: \"\", sync_interval: always}\nUNUSED: 1\nserver_name: $UNUSED");
    unload(&l);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_defaults_are_those_of_nats_server),
        cmocka_unit_test(a_listener_is_put_together_from_host_and_port),
        cmocka_unit_test(numbers_have_the_meaning_they_have_there),
        cmocka_unit_test(what_is_written_is_what_is_meant),
        cmocka_unit_test(users_have_their_permissions_or_the_default_ones),
        cmocka_unit_test(jetstream_keeps_its_data_in_a_folder_of_store_dir),
        cmocka_unit_test(flags_go_over_the_file),
        cmocka_unit_test(what_is_not_served_is_refused_by_name),
        cmocka_unit_test(what_is_switched_off_need_not_be_served),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
