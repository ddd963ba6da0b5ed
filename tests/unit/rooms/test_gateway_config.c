#include "rooms/gateway/gateway_config.h"
#include "wire/json_write.h"

#include "section_kit.h"

#include <stdio.h>
#include <string.h>

/* Section `gateway`: what the check says, and in which order routes are tried. */

static const struct conf_key *const sections[] = {&gateway_key};
static struct room_setting setting;

static void judge(const struct config *config, bool insecure, struct conf_errors *errors) {
    (void)insecure;
    gateway_judge(config_section(config, "gateway"), &setting, errors);
}

/* The config of TEXT, or NULL with everything wrong in OUT. */
static struct config *load(const char *text, struct buf *out) {
    return section_load(sections, judge, text, out);
}

static void assert_refused(const char *text, const char *expected) {
    struct buf out _cleanup_buf_ = buf_make(1 << 20);
    assert_null(load(text, &out));
    assert_string_equal(buf_text(&out), expected);
}

#define ROUTE(text) "gateway: {routes: [{" text "}]}\n"

static void a_route_has_one_target(void **state) {
    (void)state;
    assert_refused(ROUTE("to: {}"), "f:1:21: to needs exactly one of: http, request, publish, sse, "
                                    "websocket, files, redirect, respond, node\n");
    assert_refused(ROUTE("to: {request: a, publish: b}"),
                   "f:1:21: to needs exactly one of: http, request, publish, sse, websocket, "
                   "files, redirect, respond, node\n");
}

static void keys_of_other_targets_are_refused(void **state) {
    (void)state;
    assert_refused(ROUTE("to: {request: a, durable: true}"),
                   "f:1:21: 'durable' in to goes only with: publish\n"
                   "  hint: take it out, or write it there\n");
    assert_refused(ROUTE("to: {files: p}, rewrite: /x"),
                   "f:1:46: rewrite has nothing to do here\n"
                   "  hint: only http and node are asked for a path\n");
    assert_refused(ROUTE("to: {sse: a}, exchange_timeout: 5s"),
                   "f:1:53: exchange_timeout has nothing to do where an answer has no end\n"
                   "  hint: take it out: the client's going ends it, or the node's stop\n");
    assert_refused(ROUTE("to: {publish: p}, request_headers: {remove: [Cookie]}"),
                   "f:1:39: request_headers has nothing to do here\n"
                   "  hint: only http and node are told headers\n");
}

static void what_cannot_be_sent_is_refused(void **state) {
    (void)state;
    assert_refused(ROUTE("to: {respond: {status: 204, body: x}}"),
                   "f:1:55: an answer of status 204 has no body (RFC 9110)\n"
                   "  hint: take it out, or choose another status\n");
    assert_refused(
        ROUTE("to: {respond: {}}, response_headers: {set: {\"X Y\": a, "
              "Content-Length: \"3\"}, add: {X: \"a\\r\\nY: b\"}, remove: "
              "[Server, connection]}"),
        "f:1:65: 'X Y' is not the name of a header\n"
        "  hint: letters, digits and '-'\n"
        "f:1:75: the header Content-Length says how a connection is used; the gateway "
        "writes it itself\n"
        "  hint: take it out\n"
        "f:1:106: 'add' in headers response_headers cannot be sent: it has control bytes "
        "in it\n"
        "  hint: one line of text; what has several lines is several headers\n"
        "f:1:137: the header connection says how a connection is used; the gateway "
        "writes it itself\n"
        "  hint: take it out\n");
    assert_refused(ROUTE("to: {http: \"http://a:1\"}, request_headers: {set: {Host: \"a b\"}}"),
                   "f:1:71: 'a b' is no host\n"
                   "  hint: shop.example, or shop.example:8080\n");
    assert_refused(ROUTE("to: {respond: {type: \"text/html\\n\"}}"),
                   "f:1:42: 'type' in respond is not a media type: 'text/html\n'\n"
                   "  hint: application/json, or text/html; charset=utf-8\n");
    assert_refused(ROUTE("to: {redirect: \"/a\\tb\"}"),
                   "f:1:36: 'redirect' is not a URL or path: '/a\tb'\n");
    assert_refused(ROUTE("to: {http: \"http://a:1\", health: {path: /ä}}"),
                   "f:1:61: 'path' in health is not a path: '/ä'\n"
                   "  hint: it begins with '/', and is written as in a URL: no blanks, %C3%A4 for "
                   "letters that are not ASCII\n");
}

static void names_are_of_one_route(void **state) {
    (void)state;
    assert_refused("gateway:\n"
                   "  routes:\n"
                   "    - {match: {path: /a}, to: {respond: {}}}\n"
                   "    - {match: {path: /b}, to: {respond: {}}, name: shop}\n"
                   "    - {match: {path: /c}, to: {respond: {}}, name: \"* /a\"}\n"
                   "    - {match: {path: /d}, to: {respond: {}}, name: shop}\n",
                   "f:5:52: another route is called '* /a', too\n"
                   "  hint: give it a name of its own\n"
                   "f:6:52: another route is called 'shop', too\n"
                   "  hint: give it a name of its own\n");
    assert_refused("gateway: {routes: [{to: {respond: {}}, name: none}]}\n",
                   "f:1:46: a route cannot be called none: that is what no route is for\n"
                   "  hint: choose another\n");
}

static void templates_name_what_the_path_has(void **state) {
    (void)state;
    assert_refused(ROUTE("match: {path: \"/a/{id}\"}, to: {request: \"a.{ie}\"}"),
                   "f:1:61: 'request' names {ie}, which the path '/a/{id}' does not have\n"
                   "  hint: parameters of the path are written {name}, its last star {*}\n");
    assert_refused(ROUTE("to: {publish: \"a.*\"}"),
                   "f:1:35: 'publish' is not a subject to publish to: 'a.*'\n");
    assert_refused(ROUTE("to: {sse: [\"a.>\", \"b..c\"]}"),
                   "f:1:39: 'sse' is not a subject: 'b..c'\n");
}

static void routes_that_clash_are_found(void **state) {
    (void)state;
    assert_refused("gateway:\n"
                   "  routes:\n"
                   "    - {match: {path: \"/a/{x}\", method: [GET, POST]}, to: {respond: {}}}\n"
                   "    - {match: {path: \"/a/{y}\", method: POST}, to: {respond: {}}}\n",
                   "f:4:8: another route is for the same requests\n"
                   "  hint: make one of them more specific\n");
    assert_refused(
        ROUTE("match: {path: a}, to: {respond: {}}"),
        "f:1:21: the path 'a' or a condition makes no sense\n"
        "  hint: /word, /{name}, each name once, or /* at the end; at most 8 conditions\n");
    assert_refused(ROUTE("match: {host: \"shop.example:80\"}, to: {respond: {}}"),
                   "f:1:35: the host 'shop.example:80' is not a name\n"
                   "  hint: a name without a port, or *.name for every name below it\n");
    assert_refused(ROUTE("match: {host: \"a.*.b\"}, to: {respond: {}}"),
                   "f:1:35: the host 'a.*.b' is not a name\n"
                   "  hint: a name without a port, or *.name for every name below it\n");
}

static void ways_are_declared(void **state) {
    (void)state;
    assert_refused(ROUTE("to: {respond: {}}, auth: shop"),
                   "f:1:46: auth names 'shop', which gateway.auth does not have\n"
                   "  hint: ways are declared in gateway.auth\n");
    assert_refused("gateway: {auth: {a: {basic: {}}}, routes: [{to: {respond: {}}, auth: [a, "
                   "none]}]}\n",
                   "f:1:18: basic has no users to let in\n"
                   "  hint: add auth.users with user and password\n"
                   "f:1:74: auth names none beside a way: anybody would be let in\n"
                   "  hint: write none alone, or take it out\n");
}

static void off_loopback_every_route_says_who_may(void **state) {
    (void)state;
    setting = (struct room_setting){.http_exposed = true};
    assert_refused(ROUTE("to: {respond: {}}"),
                   "f:1:20: a route of a listener off loopback does not say who may use it\n"
                   "  hint: auth: none is a statement; --insecure asks for none\n");
    struct buf out _cleanup_buf_ = buf_make(1 << 20);
    struct config *config = load(ROUTE("to: {respond: {}}, auth: none"), &out);
    setting = (struct room_setting){0};
    assert_non_null(config);
    config_free(config);
}

static void a_token_is_checked_by_one_key(void **state) {
    (void)state;
    assert_refused("gateway: {auth: {a: {jwt: {}}}}\n",
                   "f:1:22: jwt needs exactly one of: jwks_url, jwks_file, public_key, secret\n");
    assert_refused(
        "gateway: {auth: {a: {jwt: {secret: 0123456789abcdef0123456789abcdef, algorithms: [RS256, "
        "XS1]}}}}\n",
        "f:1:83: 'RS256' does not go with this key\n"
        "  hint: HS algorithms go with a secret as long as their hash, the others with public "
        "keys\n"
        "f:1:90: 'XS1' is not an algorithm\n"
        "  hint: RS256, PS256, ES256, EdDSA, HS256 and their longer kin\n");
    assert_refused("gateway: {auth: {a: {jwt: {secret: 0123456789abcdef0123456789abcdef, "
                   "algorithms: HS384}}, b: {jwt: {public_key: k.pem, algorithms: [ES512, "
                   "HS256]}}}}\n",
                   "f:1:82: 'HS384' does not go with this key\n"
                   "  hint: HS algorithms go with a secret as long as their hash, the others with "
                   "public keys\n"
                   "f:1:140: 'HS256' does not go with this key\n"
                   "  hint: HS algorithms go with a secret as long as their hash, the others with "
                   "public keys\n");
}

static void authorities_go_with_https(void **state) {
    (void)state;
    assert_refused("gateway: {auth: {a: {forward: {url: \"http://a/\", ca: c.pem}},\n"
                   "  b: {jwt: {jwks_url: \"http://a/\", ca: c.pem}}}}\n",
                   "f:1:54: ca has nothing to do here: the URL is not https\n"
                   "  hint: take it out, or write https://\n"
                   "f:2:40: ca has nothing to do here: the URL is not https\n"
                   "  hint: take it out, or write https://\n");
    assert_refused("gateway: {auth: {a: {jwt: {public_key: k.pem, ca: c.pem}}}}\n",
                   "f:1:22: 'ca' in jwt goes only with: jwks_url\n"
                   "  hint: take it out, or write it there\n");
}

static void weights_go_with_services(void **state) {
    (void)state;
    assert_refused(ROUTE("to: {http: \"http://a:1\", weights: [1, 2]}"),
                   "f:1:55: there are 2 weights for 1 services\n"
                   "  hint: one for each service, in the same order\n");
    assert_refused(ROUTE("to: {http: \"http://a:1/x\"}"),
                   "f:1:32: 'http' in to is not the address of an HTTP service: 'http://a:1/x'\n"
                   "  hint: http://host:port or https://host:port, without a path (see rewrite)\n");
}

static void networks_are_whole(void **state) {
    (void)state;
    assert_refused("gateway: {trusted_proxies: [10.0.0.1/8]}\n",
                   "f:1:29: '10.0.0.1/8' in trusted_proxies is not a network\n"
                   "  hint: an address, or network/bits with zeroes behind the bits\n");
}

static void resolvers_are_addresses(void **state) {
    (void)state;
    static const char *const wrong[] = {"dns.internal", "10.0.0.2:0", "10.0.0.2:65536", "::1",
                                        "a@1.1.1.1"};
    for (size_t i = 0; i < array_count(wrong); i++) {
        char config[128], errors[400];
        (void)snprintf(config, sizeof config, "gateway: {resolver: \"%s\"}\n", wrong[i]);
        (void)snprintf(errors, sizeof errors,
                       "f:1:21: 'resolver' in gateway is not the address of a DNS server: '%s'\n"
                       "  hint: numbers, with a port where it is not 53: 10.0.0.2, "
                       "127.0.0.1:5353, [::1]:53\n",
                       wrong[i]);
        assert_refused(config, errors);
    }
    struct buf out _cleanup_buf_ = buf_make(1 << 20);
    struct config *config = load(
        "gateway: {resolver: [10.0.0.2, \"127.0.0.1:5353\", \"[::1]:53\", \"[::1]\"]}\n", &out);
    assert_non_null(config);
    config_free(config);
}

static void routes_are_listed_in_the_order_they_are_tried(void **state) {
    (void)state;
    struct buf out _cleanup_buf_ = buf_make(1 << 20);
    struct config *config = load("gateway:\n"
                                 "  routes:\n"
                                 "    - {to: {files: p}}\n"
                                 "    - {match: {path: \"/a/{id}\"}, to: {request: \"a.{id}\"}}\n"
                                 "    - {match: {path: /a/b, method: POST}, to: {publish: b}}\n"
                                 "    - {match: {host: h, path: \"/*\"}, to: {respond: {}}}\n"
                                 "    - {match: {path: /c, method: PUT, headers: {X: \"2\"}},"
                                 " to: {websocket: {publish: c}}, cors: {origins: \"*\"}}\n",
                                 &out);
    assert_non_null(config);
    struct json_writer w = json_writer_make(&out, false);
    gateway_explain(config_section(config, "gateway"), &w);
    assert_int_equal(json_write_finish(&w), 0);
    assert_string_equal(
        buf_text(&out),
        "[{\"host\":\"h\",\"path\":\"/*\",\"method\":\"*\",\"when\":\"\",\"to\":\"respond 200\","
        "\"name\":\"* h/*\"},"
        "{\"host\":\"*\",\"path\":\"/a/b\",\"method\":\"POST\",\"when\":\"\",\"to\":\"publish b\","
        "\"name\":\"POST /a/b\"},"
        "{\"host\":\"*\",\"path\":\"/a/{id}\",\"method\":\"*\",\"when\":\"\","
        "\"to\":\"request a.{id}\",\"name\":\"* /a/{id}\"},"
        "{\"host\":\"*\",\"path\":\"/c\",\"method\":\"OPTIONS\","
        "\"when\":\"Origin, Access-Control-Request-Method: PUT\",\"to\":\"preflight (cors)\","
        "\"name\":\"PUT /c X=2\"},"
        "{\"host\":\"*\",\"path\":\"/c\",\"method\":\"PUT\",\"when\":\"X: 2\","
        "\"to\":\"websocket publish c\",\"name\":\"PUT /c X=2\"},"
        "{\"host\":\"*\",\"path\":\"/*\",\"method\":\"*\",\"when\":\"\",\"to\":\"files p\","
        "\"name\":\"* /*\"}]");
    config_free(config);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_route_has_one_target),
        cmocka_unit_test(keys_of_other_targets_are_refused),
        cmocka_unit_test(what_cannot_be_sent_is_refused),
        cmocka_unit_test(names_are_of_one_route),
        cmocka_unit_test(templates_name_what_the_path_has),
        cmocka_unit_test(routes_that_clash_are_found),
        cmocka_unit_test(ways_are_declared),
        cmocka_unit_test(off_loopback_every_route_says_who_may),
        cmocka_unit_test(a_token_is_checked_by_one_key),
        cmocka_unit_test(authorities_go_with_https),
        cmocka_unit_test(weights_go_with_services),
        cmocka_unit_test(networks_are_whole),
        cmocka_unit_test(resolvers_are_addresses),
        cmocka_unit_test(routes_are_listed_in_the_order_they_are_tried),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
