#include "node/config_load.h"
#include "rooms/etl/etl_config.h"

#include "../base/base_test.h"

#include <stdlib.h>
#include <string.h>

/* The environment and the files of these tests. */
static int variable(void *argument, slice name, struct arena *arena, slice *ret_value) {
    (void)argument;
    if (!slice_equal(name, slice_lit("ANN"))) {
        return -ENOENT;
    }
    return arena_copy(arena, slice_lit("$2a$04$hash"), ret_value);
}

static int file(void *argument, slice path, struct arena *arena, slice *ret_content) {
    (void)argument;
    if (!slice_equal(path, slice_lit("bob.txt"))) {
        return -ENOENT;
    }
    return arena_copy(arena, slice_lit("bob's word\n"), ret_content);
}

/* The section of some room. */
struct room_section {
    struct conf_item item;
    uint64_t window_ns;
};
static const struct conf_key room_keys[] = {
    {.name = "window",
     .type = CONF_DURATION,
     .offset = offsetof(struct room_section, window_ns),
     .fallback = "3s",
     .doc = "for the test"},
};
static const struct conf_table room_table = {.name = "room",
                                             .doc = "A room",
                                             .keys = room_keys,
                                             .count = array_count(room_keys),
                                             .size = sizeof(struct room_section)};
static const struct conf_key room_key = {
    .name = "room", .type = CONF_SECTION, .table = &room_table, .doc = "a room"};
static const struct conf_key *const sections[] = {&room_key, &etl_flows_key};

static struct config_source source_of(const char *text) {
    return (struct config_source){
        .text = slice_str(text),
        .file = slice_lit("myapp/nonet.yaml"),
        .directory = slice_lit("myapp"),
        .lookup = {variable, file, NULL},
        .sections = sections,
        .section_count = array_count(sections),
    };
}

static struct config *load(const char *text) {
    struct config_source source = source_of(text);
    struct conf_errors *errors = mem_zalloc(1, sizeof(*errors));
    struct config *config = NULL;
    assert_non_null(errors);
    if (config_load(&source, &config, errors) < 0) {
        struct buf out _cleanup_buf_ = buf_make(100000);
        assert_int_equal(conf_errors_text(errors, &out), 0);
        fail_msg("%s", buf_text(&out));
    }
    mem_free(errors);
    return config;
}

/* SOURCE must be refused with exactly the text EXPECTED. */
static void assert_source_refused(const struct config_source *source, const char *expected) {
    struct conf_errors *errors = mem_zalloc(1, sizeof(*errors));
    struct config *config = NULL;
    struct buf out _cleanup_buf_ = buf_make(100000);
    assert_non_null(errors);
    assert_int_equal(config_load(source, &config, errors), -EINVAL);
    assert_null(config);
    assert_int_equal(conf_errors_text(errors, &out), 0);
    assert_string_equal(buf_text(&out), expected);
    mem_free(errors);
}

static void assert_refused(const char *text, const char *expected) {
    struct config_source source = source_of(text);
    assert_source_refused(&source, expected);
}

static void without_a_file_the_defaults_run(void **state) {
    (void)state;
    struct config *c = load("");
    assert_slice(c->node.name, "nonet");
    assert_slice(c->node.data, "myapp/.nonet");
    assert_int_equal(c->node.shards, 0);
    assert_int_equal(c->node.log.level, 2);
    assert_slice(c->listen.nats.address.text, "127.0.0.1:4222");
    assert_slice(c->listen.http.address.text, "127.0.0.1:8080");
    assert_false(c->listen.http.item.given);
    assert_slice(c->listen.admin.address.text, "127.0.0.1:8222");
    assert_ptr_equal(config_listener(c, "admin"), &c->listen.admin);
    assert_ptr_equal(config_listener(c, "sql"), &c->listen.sql);
    assert_null(config_listener(c, "mail"));
    assert_int_equal(c->auth.users.count, 0);
    assert_int_equal(c->limits.max_payload, 1 << 20);
    assert_int_equal(c->limits.max_connections, 65536);
    assert_true(c->limits.ping_interval_ns == 120 * 1000000000ull);
    const struct room_section *room = config_section(c, "room");
    assert_true(room->window_ns == 3000000000ull);
    assert_null(config_section(c, "other"));
    config_free(c);
}

static void the_normative_shape_is_read(void **state) {
    (void)state;
    struct config *c = load(
        "node: {name: auction-1, data: /var/lib/nonet, shards: 4, log: {level: debug}}\n"
        "listen:\n"
        "  nats:  {address: \"0.0.0.0:4333\", tls: {cert: c.pem, key: /k.pem, ca: ca.pem, verify: "
        "true}}\n"
        "  http: off\n"
        "auth:\n"
        "  users:\n"
        "    - {user: ann, password: \"${ANN}\", publish: {allow: [\"bid.>\"]},"
        " subscribe: {allow: [\"_INBOX.>\", \"bid.>\"], deny: []}}\n"
        "    - {user: bob, password: \"file:bob.txt\"}\n"
        "    - {nkey: UAAQEAYEAUDAOCAJBIFQYDIOB4IBCEQTCQKRMFYYDENBWHA5DYPSBT2P}\n"
        "streams:\n"
        "  BIDS: {subjects: [\"bid.>\"], max_age: 7d, storage: memory, discard: new}\n"
        "services:\n"
        "  ratings: {command: \"node ratings.js\", restart: on-failure, env: {MODE: fast}}\n"
        "flows:\n"
        "  bids: {from: {nexmark: {rate: 500/s, seed: 7, limit: 1000}}, to: {publish: "
        "\"{kind}.new\"}}\n"
        "limits: {max_payload: 2MB, auth_timeout: 1s}\n"
        "room: {window: 1m}\n");
    assert_int_equal(c->node.shards, 4);
    assert_slice(c->node.data, "/var/lib/nonet");
    assert_slice(c->listen.nats.tls.cert, "myapp/c.pem");
    assert_slice(c->listen.nats.tls.key, "/k.pem");
    assert_true(c->listen.nats.tls.verify);
    assert_true(c->listen.http.item.off);
    assert_false(c->listen.admin.item.off);
    const struct config_user *users = c->auth.users.items;
    assert_int_equal(c->auth.users.count, 3);
    assert_slice(users[0].password, "$2a$04$hash");
    assert_slice(((const slice *)users[0].subscribe.allow.items)[1], "bid.>");
    assert_non_null(users[0].subscribe.deny.items);
    assert_null(users[0].publish.deny.items);
    assert_slice(users[1].password, "bob's word");
    const struct config_stream *streams = c->streams.items;
    assert_slice(streams[0].item.name, "BIDS");
    assert_int_equal(streams[0].item.place.line, 11);
    assert_true(streams[0].max_age_ns == 7 * 86400 * 1000000000ull);
    assert_int_equal(streams[0].storage, 1);
    assert_int_equal(streams[0].discard, 1);
    assert_int_equal(streams[0].max_msgs, 0);
    const struct config_service *services = c->services.items;
    assert_slice(services[0].command, "node ratings.js");
    assert_slice(services[0].directory, "myapp");
    assert_int_equal(services[0].restart, CONFIG_RESTART_ON_FAILURE);
    assert_slice(((const struct conf_pair *)services[0].env.items)[0].text, "fast");
    const struct conf_array *array = config_section(c, "flows");
    const struct etl_flow *flows = array->items;
    assert_int_equal(flows[0].from.nexmark.rate.count, 500);
    assert_int_equal(flows[0].from.nexmark.limit, 1000);
    assert_slice(flows[0].to.publish, "{kind}.new");
    assert_int_equal(c->limits.max_payload, 2 << 20);
    assert_true(((const struct room_section *)config_section(c, "room"))->window_ns ==
                60 * 1000000000ull);
    config_free(c);
}

static void every_mistake_is_shown_in_one_pass(void **state) {
    (void)state;
    assert_refused("node: {shards: 100, log: {level: inof}}\n"
                   "listn: {}\n"
                   "streams:\n"
                   "  BIDS: {subjects: [\"bid.>\"], max_agee: 7d, max_age: 7 days}\n"
                   "  OTHER: {max_msgs: [1]}\n"
                   "auth: {users: [{user: ann, password: \"${NOBODY}\"}]}\n",
                   "myapp/nonet.yaml:1:16: 'shards' in node is outside its range\n"
                   "  hint: write 1 to 63, or auto\n"
                   "myapp/nonet.yaml:1:34: 'level' in log is not one of its words\n"
                   "  hint: did you mean 'info'?\n"
                   "myapp/nonet.yaml:2:1: unknown key 'listn' in nonet.yaml\n"
                   "  hint: did you mean 'listen'?\n"
                   "myapp/nonet.yaml:4:31: unknown key 'max_agee' in stream BIDS\n"
                   "  hint: did you mean 'max_age'?\n"
                   "myapp/nonet.yaml:4:54: 'max_age' in stream BIDS is not a duration: '7 days'\n"
                   "  hint: write a time such as 500ms, 2s, 1h30m or 7d, or unlimited\n"
                   "myapp/nonet.yaml:5:3: stream OTHER needs the key 'subjects'\n"
                   "  hint: what the stream keeps; no two streams may share a subject\n"
                   "myapp/nonet.yaml:5:21: 'max_msgs' in stream OTHER takes one value, not a list "
                   "or a map\n"
                   "  hint: write a whole number\n"
                   "myapp/nonet.yaml:6:38: 'password' in user needs the environment variable "
                   "NOBODY, which is not set\n"
                   "  hint: set it before nonet starts, or write the value itself\n");
}

static void bad_yaml_is_one_mistake(void **state) {
    (void)state;
    assert_refused("node: {name: a\n", "myapp/nonet.yaml:2:1: missing comma in flow mapping\n");
    assert_refused("node: {}\nnode: {}\n", "myapp/nonet.yaml:2:1: this key is given twice\n"
                                           "  hint: remove one of the two\n");
    assert_refused("- node\n", "myapp/nonet.yaml:1:1: nonet.yaml must be a map of keys\n"
                               "  hint: write `key: value`\n");
}

static void what_comes_later_is_refused_not_ignored(void **state) {
    (void)state;
    assert_refused("workflows: {settle: {}}\n",
                   "myapp/nonet.yaml:1:1: unknown key 'workflows' in nonet.yaml\n"
                   "  hint: this version of nonet cannot do that yet; take the section out\n");
    assert_refused("listen: {states: {address: 8083}}\n",
                   "myapp/nonet.yaml:1:10: unknown key 'states' in listen\n"
                   "  hint: this version of nonet has no such listener; take the key out\n");
    assert_refused("flows: {a: {from: {nexmark: {}}, sql: x, to: {publish: a}}}\n",
                   "myapp/nonet.yaml:1:34: unknown key 'sql' in flow a\n"
                   "  hint: this version of nonet has flows from a generator to a subject only\n");
    assert_refused("flows: {a: {from: {stream: B}, to: {file: x}}}\n",
                   "myapp/nonet.yaml:1:13: from needs exactly one of: nexmark\n"
                   "myapp/nonet.yaml:1:20: unknown key 'stream' in from\n"
                   "myapp/nonet.yaml:1:32: to needs exactly one of: publish\n"
                   "myapp/nonet.yaml:1:37: unknown key 'file' in to\n");
}

static void listeners_off_loopback_need_users(void **state) {
    (void)state;
    static const char text[] = "listen: {nats: {address: \"0.0.0.0:4222\"}}\n";
    static const char refused[] =
        "myapp/nonet.yaml:1:10: listener nats on 0.0.0.0:4222 is open to the network without "
        "authentication\n"
        "  hint: add auth.users, or listen on 127.0.0.1, or start with --insecure\n";
    assert_refused(text, refused);
    struct config_source source = source_of(text);
    struct config *config = NULL;
    struct conf_errors *errors = mem_zalloc(1, sizeof(*errors));
    assert_non_null(errors);
    source.insecure = true;
    assert_int_equal(config_load(&source, &config, errors), 0);
    config_free(config);
    mem_free(errors);
    config_free(
        load("listen: {nats: {address: \"[::1]:4222\"}, admin: {address: \"localhost:1\"}}\n"));
    config_free(load("listen: {nats: {address: \"0.0.0.0:4222\"}}\n"
                     "auth: {users: [{token: secret}]}\n"));
}

static void overrides_count_before_the_checks(void **state) {
    (void)state;
    const struct config_override good[] = {{slice_lit("nats"), slice_lit("0")},
                                           {slice_lit("http"), slice_lit("off")},
                                           {slice_lit("admin"), slice_lit("[::1]:9")}};
    struct config_source source =
        source_of("listen: {nats: {address: \"0.0.0.0:1\"}, http: off}\n");
    struct config *c = NULL;
    struct conf_errors *errors = mem_zalloc(1, sizeof(*errors));
    assert_non_null(errors);
    source.overrides = good;
    source.override_count = 3;
    assert_int_equal(config_load(&source, &c, errors), 0);
    assert_slice(c->listen.nats.address.text, "127.0.0.1:0");
    assert_true(c->listen.http.item.off);
    assert_slice(c->listen.admin.address.text, "[::1]:9");
    assert_slice(c->listen.admin.address.host, "::1");
    config_free(c);
    mem_free(errors);
    const struct config_override bad[] = {{slice_lit("mail"), slice_lit("1")},
                                          {slice_lit("http"), slice_lit("x")},
                                          {slice_lit("nats"), slice_lit("10.0.0.1:1")}};
    source = source_of("");
    source.overrides = bad;
    source.override_count = 3;
    assert_source_refused(&source,
                          "--listen: there is no listener 'mail'\n"
                          "  hint: the listeners are nats, http, admin, sql and websocket\n"
                          "--listen: 'x' is no address to listen on\n"
                          "  hint: write HOST:PORT, [IPV6]:PORT, a port alone, or off\n"
                          "--listen: listener nats on 10.0.0.1:1 is open to the network "
                          "without authentication\n"
                          "  hint: add auth.users, or listen on 127.0.0.1, or start with "
                          "--insecure\n");
}

static void a_websocket_is_closed_until_given_and_not_for_every_page(void **state) {
    (void)state;
    struct config *c = load("");
    assert_false(c->listen.websocket.item.given);
    config_free(c);
    c = load("listen: {websocket: {origins: [\"https://shop.example\"], same_origin: true}}\n");
    assert_true(c->listen.websocket.item.given);
    assert_slice(c->listen.websocket.address.text, "127.0.0.1:8081");
    assert_int_equal(c->listen.websocket.origins.count, 1);
    config_free(c);
    assert_refused("listen: {websocket: {}}\n",
                   "myapp/nonet.yaml:1:10: listener websocket is open to every web page\n"
                   "  hint: add origins, same_origin or auth.users, or start with --insecure\n");
    assert_refused("listen: {ws: {}}\n", "myapp/nonet.yaml:1:10: unknown key 'ws' in listen\n"
                                         "  hint: it is called websocket\n");
}

static void a_node_without_streams_declares_none(void **state) {
    (void)state;
    assert_refused("node: {jetstream: false}\nstreams: {A: {subjects: [a]}}\n",
                   "myapp/nonet.yaml:2:11: stream A is declared, but the node keeps no streams\n"
                   "  hint: take it out, or node.jetstream: false\n");
}

static void listeners_and_their_tls_must_fit(void **state) {
    (void)state;
    assert_refused("listen: {nats: {tls: {cert: a}}}\n",
                   "myapp/nonet.yaml:1:17: listener nats has a TLS certificate without its key\n"
                   "  hint: cert and key go together\n");
    assert_refused("listen: {nats: {tls: {key: a}}}\n",
                   "myapp/nonet.yaml:1:17: listener nats has a TLS key without its certificate\n"
                   "  hint: cert and key go together\n");
    assert_refused("listen: {admin: {tls: {verify: true}}}\n",
                   "myapp/nonet.yaml:1:18: listener admin has a tls section without certificate\n"
                   "  hint: give cert and key, or take tls out\n");
    assert_refused("listen: {admin: {tls: {cert: a, key: b, verify: true}}}\n",
                   "myapp/nonet.yaml:1:18: listener admin verifies clients, but against nothing\n"
                   "  hint: give ca, the authorities of the clients\n");
    assert_refused("listen: {http: {address: 4222}}\n",
                   "myapp/nonet.yaml:1:10: listeners nats and http have the same address\n"
                   "  hint: give each its own port\n");
}

static void streams_may_not_share_subjects(void **state) {
    (void)state;
    assert_refused(
        "streams:\n  A: {subjects: [\"a.*.c\", \"a.b.>\"]}\n  B: {subjects: [\"a.x.*\"]}\n",
        "myapp/nonet.yaml:2:3: subjects 'a.*.c' and 'a.b.>' of stream A overlap\n"
        "  hint: remove the narrower one\n"
        "myapp/nonet.yaml:3:3: subject 'a.x.*' of stream B overlaps 'a.*.c' of stream A\n"
        "  hint: a subject belongs to one stream\n");
    assert_refused(
        "streams: {A: {subjects: [a..b, \"x.>.y\"]}}\n",
        "myapp/nonet.yaml:1:26: 'subjects' in stream A is not a subject: 'a..b'\n"
        "  hint: tokens joined by dots, '*' for one token, '>' at the end for the rest\n"
        "myapp/nonet.yaml:1:32: 'subjects' in stream A is not a subject: 'x.>.y'\n"
        "  hint: tokens joined by dots, '*' for one token, '>' at the end for the rest\n");
    assert_refused("streams: {A: {subjects: [\">\"]}}\n",
                   "myapp/nonet.yaml:1:11: subject '>' of stream A: capturing all subjects "
                   "requires no-ack to be true\n"
                   "  hint: name narrower subjects, or set no_ack: true\n");
    assert_refused("streams: {A: {subjects: [$JS.API.x, $SYS.>]}}\n",
                   "myapp/nonet.yaml:1:11: subject '$JS.API.x' of stream A: subjects overlap with "
                   "jetstream api\n"
                   "myapp/nonet.yaml:1:11: subject '$SYS.>' of stream A: subjects that overlap "
                   "with system api require no-ack to be true\n"
                   "  hint: name narrower subjects, or set no_ack: true\n");
    config_free(load("streams: {A: {subjects: [\">\"], no_ack: true}}\n"));
    config_free(load("streams: {A: {subjects: [$SYS.>], no_ack: true}}\n"));
}

static void stream_settings_must_fit(void **state) {
    (void)state;
    assert_refused(
        "streams:\n"
        "  a.b: {subjects: [a]}\n"
        "  C: {subjects: [c], max_age: 1s, duplicate_window: 2s}\n"
        "  D: {subjects: [d], discard_new_per_subject: true}\n"
        "  E: {subjects: [e], deny_purge: true, allow_rollup_hdrs: true}\n",
        "myapp/nonet.yaml:2:3: 'a.b' cannot be the name of a stream\n"
        "  hint: letters, digits, '-' and '_' are safe\n"
        "myapp/nonet.yaml:3:3: duplicate_window of stream C is longer than its max_age\n"
        "  hint: make it at most max_age\n"
        "myapp/nonet.yaml:4:3: discard_new_per_subject of stream D has nothing to go by\n"
        "  hint: set discard: new and max_msgs_per_subject\n"
        "myapp/nonet.yaml:5:3: stream E has deny_purge and allow_rollup_hdrs\n"
        "  hint: a roll-up purges: allow one, or deny both\n");
}

static void users_log_in_one_way(void **state) {
    (void)state;
    assert_refused(
        "auth:\n"
        "  users:\n"
        "    - {user: a, password: p, token: t}\n"
        "    - {password: p}\n"
        "    - {nkey: UABC}\n"
        "    - {token: x}\n"
        "    - {token: x}\n"
        "    - {user: a, password: q, publish: {allow: [\"a b\"]}}\n",
        "myapp/nonet.yaml:3:7: a user logs in by exactly one of: user, nkey, token\n"
        "  hint: write {user, password}, {nkey} or {token}\n"
        "myapp/nonet.yaml:4:7: a user logs in by exactly one of: user, nkey, token\n"
        "  hint: write {user, password}, {nkey} or {token}\n"
        "myapp/nonet.yaml:5:7: 'UABC' is not the nkey of a user\n"
        "  hint: the public key: U and 55 more letters and digits (nk -gen user "
        "-pubout)\n"
        "myapp/nonet.yaml:7:7: this login is given twice, first in line 6\n"
        "myapp/nonet.yaml:8:7: this login is given twice, first in line 3\n"
        "myapp/nonet.yaml:8:48: 'allow' in rights publish is not a subject: 'a b'\n"
        "  hint: tokens joined by dots, '*' for one token, '>' at the end for the rest\n");
}

static void other_checks_across_keys(void **state) {
    (void)state;
    assert_refused("services: {s: {command: x, env: {\"A-B\": 1}}}\n",
                   "myapp/nonet.yaml:1:34: 'A-B' in service s cannot be the name of a variable\n"
                   "  hint: letters, digits and '_', no digit first\n");
    assert_refused("limits: {max_payload: 2MB, max_pending: 1MB}\n",
                   "myapp/nonet.yaml:1:1: max_pending is less than max_payload: no client could "
                   "take a full message\n"
                   "  hint: make max_pending the larger one\n");
    assert_refused("flows: {a: {from: {nexmark: {rate: fast}}, to: {publish: \"{what}.>\"}}}\n",
                   "myapp/nonet.yaml:1:36: 'rate' in nexmark is not a rate: 'fast'\n"
                   "  hint: write a rate such as 100/s or 6000/m\n"
                   "myapp/nonet.yaml:1:58: 'publish' in to holds an unknown placeholder\n"
                   "  hint: the one placeholder here is {kind}: person, auction or bid\n");
    assert_refused("flows: {a: {from: {nexmark: {}}, to: {publish: \"{kind}.*\"}}}\n",
                   "myapp/nonet.yaml:1:48: 'publish' in to is not a subject to publish to: "
                   "'{kind}.*'\n"
                   "  hint: tokens joined by dots, without wildcards, such as {kind}.new\n");
}

static void judge_room(const struct config *config, bool insecure, struct conf_errors *errors) {
    (void)insecure;
    const struct room_section *room = config_section(config, "room");
    if (room->window_ns > 10000000000) {
        conf_errors_note(errors, room->item.place, NULL, "the window is too long");
    }
}

static void rooms_judge_in_the_same_pass(void **state) {
    (void)state;
    struct config_source source = source_of("room: {window: 1m}\nfoo: 1\n");
    source.judge_sections = judge_room;
    assert_source_refused(&source, "myapp/nonet.yaml:1:1: the window is too long\n"
                                   "myapp/nonet.yaml:2:1: unknown key 'foo' in nonet.yaml\n");
}

static void the_tables_describe_themselves(void **state) {
    (void)state;
    struct buf schema _cleanup_buf_ = buf_make(1 << 20);
    struct buf page _cleanup_buf_ = buf_make(1 << 20);
    assert_int_equal(config_write_schema(sections, array_count(sections), &schema), 0);
    assert_int_equal(config_write_reference(sections, array_count(sections), NULL, &page), 0);
    assert_non_null(strstr(buf_text(&schema), "\"max_age\":{"));
    assert_non_null(strstr(buf_text(&schema), "\"window\":{"));
    assert_non_null(strstr(buf_text(&page), "\n## streams.NAME\n"));
    assert_non_null(strstr(buf_text(&page), "| `window` | duration |"));
}

static bool load_once(void) {
    struct config_source source =
        source_of("auth: {users: [{user: ann, password: \"${ANN}\"}]}\n"
                  "streams: {A: {subjects: [\"a\"]}}\nservices: {s: {command: x, env: {B: c}}}\n"
                  "listen: {nats: {address: 4000}}\nroom: {}\n");
    struct config *config = NULL;
    static struct conf_errors errors;
    memset(&errors, 0, sizeof(errors));
    int r = config_load(&source, &config, &errors);
    assert_true((r == 0 && errors.count == 0) || (r == -ENOMEM && errors.count == 1));
    config_free(config);
    return r == 0;
}

static void without_memory_the_config_is_refused(void **state) {
    (void)state;
    fail_each_allocation(load_once);
}

static void websocket_is_closed_unless_it_is_given(void **state) {
    (void)state;
    struct config *c = load("listen: {nats: {address: \"127.0.0.1:1\"}}\n");
    assert_true(c->listen.websocket.item.off);
    assert_false(c->listen.nats.item.off);
    assert_false(c->listen.http.item.off);
    config_free(c);
    c = load("listen: {websocket: {same_origin: true}}\n");
    assert_false(c->listen.websocket.item.off);
    config_free(c);
    struct config_override asked[] = {{slice_lit("websocket"), slice_lit("127.0.0.1:0")}};
    struct config_source source = source_of("");
    source.overrides = asked;
    source.override_count = array_count(asked);
    source.insecure = true;
    struct conf_errors errors = {0};
    assert_int_equal(config_load(&source, &c, &errors), 0);
    assert_false(c->listen.websocket.item.off);
    config_free(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_file_the_defaults_run),
        cmocka_unit_test(the_normative_shape_is_read),
        cmocka_unit_test(every_mistake_is_shown_in_one_pass),
        cmocka_unit_test(bad_yaml_is_one_mistake),
        cmocka_unit_test(what_comes_later_is_refused_not_ignored),
        cmocka_unit_test(listeners_off_loopback_need_users),
        cmocka_unit_test(overrides_count_before_the_checks),
        cmocka_unit_test(websocket_is_closed_unless_it_is_given),
        cmocka_unit_test(a_websocket_is_closed_until_given_and_not_for_every_page),
        cmocka_unit_test(a_node_without_streams_declares_none),
        cmocka_unit_test(listeners_and_their_tls_must_fit),
        cmocka_unit_test(streams_may_not_share_subjects),
        cmocka_unit_test(stream_settings_must_fit),
        cmocka_unit_test(users_log_in_one_way),
        cmocka_unit_test(other_checks_across_keys),
        cmocka_unit_test(rooms_judge_in_the_same_pass),
        cmocka_unit_test(the_tables_describe_themselves),
        cmocka_unit_test(without_memory_the_config_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
