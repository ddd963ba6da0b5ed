/* Where a verb connects, as whom, and what it says to the server; on a simulated machine. */
#include "cli_test.h"

#include "base/base32.h"
#include "base/base64.h"
#include "base/mem.h"
#include "cli/login.h"
#include "io/crypto.h"
#include "sim.h"
#include "wire/json.h"

#include <stdlib.h>

#define SEED "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY"
#define NKEY "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4"

static struct sim *sim;
static struct io_host *host;

static int open_machine(void **state) {
    (void)state;
    sim = sim_create(1, NULL);
    host = sim_host_create(sim, "here");
    unsetenv("NATS_URL");
    return 0;
}

static int close_machine(void **state) {
    (void)state;
    sim = sim_free(sim);
    return 0;
}

/* --- URLs ------------------------------------------------------------------------------------- */

static struct login read_good(const char *url) {
    struct login login = {.tls = false};
    struct error error = {0};
    assert_int_equal(login_read_url(slice_str(url), &login, &error), 0);
    return login;
}

static void a_host_and_a_port(void **state) {
    (void)state;
    struct login login = read_good("nats://example.org:1234");
    assert_string_equal(login.address, "example.org:1234");
    assert_string_equal(login.host, "example.org");
    assert_false(login.tls);
    assert_string_equal(read_good("example.org").address, "example.org:4222");
    assert_string_equal(read_good("NATS://10.0.0.1/").address, "10.0.0.1:4222");
    login = read_good("tls://[::1]:99");
    assert_string_equal(login.address, "[::1]:99");
    assert_string_equal(login.host, "::1");
    assert_true(login.tls);
    assert_string_equal(read_good("[::1]").address, "[::1]:4222");
}

static void a_user_with_a_password_or_a_token(void **state) {
    (void)state;
    struct login login = read_good("nats://ann:p%40ss:word@h:1");
    assert_string_equal(login.user, "ann");
    assert_string_equal(login.password, "p@ss:word");
    assert_string_equal(login.address, "h:1");
    login = read_good("nats://t0ken@h");
    assert_string_equal(login.token, "t0ken");
    assert_string_equal(login.user, "");
    assert_string_equal(read_good("nats://ann:a@b@h").password, "a@b");
}

static void what_is_no_address(void **state) {
    (void)state;
    static const char *const wrong[] = {
        "",      "http://h",      "nats://",      "h:0",  "h:65536", "h:x",
        "a b:1", "nats://ann:x@", "nats://%zz@h", "[::1", "h/path"};
    for (size_t i = 0; i < array_count(wrong); i++) {
        struct login login = {.tls = false};
        struct error error = {0};
        assert_int_equal(login_read_url(slice_str(wrong[i]), &login, &error), -EINVAL);
        assert_true(error.message[0]);
    }
}

static void a_password_is_not_told_in_the_complaint(void **state) {
    (void)state;
    struct login login = {.tls = false};
    struct error error = {0};
    assert_int_equal(login_read_url(slice_lit("nats://ann:secret@h:bad"), &login, &error), -EINVAL);
    assert_null(strstr(error.message, "secret"));
    assert_non_null(strstr(error.message, "h:bad"));
}

/* --- which node ------------------------------------------------------------------------------- */

static const struct cli_verb verb = {.name = "v", .words = "", .help = "", .acts_on_node = true};
static const struct cli_table table = {&verb, 1};

static struct login find_good(struct cli_call call) {
    struct login login;
    struct error error = {0};
    assert_int_equal(login_find(host, &call, &login, &error), 0);
    return login;
}

static void write_ports(const char *folder, const char *text) {
    char path[64];
    assert_int_equal(io_dir_create(host, folder), 0);
    snprintf(path, sizeof path, "%s/ports.json", folder);
    assert_int_equal(io_file_replace(host, path, slice_str(text), 0644), 0);
}

static void the_first_that_is_said_counts(void **state) {
    (void)state;
    struct cli_call call;
    parse(&table, &call, "v");
    assert_string_equal(find_good(call).address, "127.0.0.1:4222"); /* nothing is known */
    write_ports(".nonet", "{\"nats\":\"127.0.0.1:5000\"}");
    assert_string_equal(find_good(call).address, "127.0.0.1:5000");
    setenv("NATS_URL", "nats://elsewhere:1", 1);
    assert_string_equal(find_good(call).address, "elsewhere:1");
    write_ports("other", "{\"nats\":\"127.0.0.1:6000\"}");
    parse(&table, &call, "v", "--data", "other");
    assert_string_equal(find_good(call).address, "127.0.0.1:6000");
    parse(&table, &call, "v", "--data", "other", "--server", "tls://h:7");
    assert_string_equal(find_good(call).address, "h:7");
}

static void a_folder_without_a_node_is_told(void **state) {
    (void)state;
    struct cli_call call;
    struct login login;
    struct error error = {0};
    parse(&table, &call, "v", "--data", "nowhere");
    assert_int_equal(login_find(host, &call, &login, &error), -ENOENT);
    assert_non_null(strstr(error.message, "nowhere/ports.json"));
    write_ports("odd", "[]");
    parse(&table, &call, "v", "--data", "odd");
    assert_int_equal(login_find(host, &call, &login, &error), -EINVAL);
}

static void options_replace_what_the_url_says(void **state) {
    (void)state;
    struct cli_call call;
    parse(&table, &call, "v", "--server", "nats://ann:x@h", "--user", "bob", "--password", "y",
          "--token", "t");
    struct login login = find_good(call);
    assert_string_equal(login.user, "bob");
    assert_string_equal(login.password, "y");
    assert_string_equal(login.token, "t");
    assert_false(login.tls);
    assert_false(login.insecure);
    parse(&table, &call, "v", "--server", "h", "--tls-ca", "ca.pem");
    login = find_good(call);
    assert_true(login.tls);
    assert_string_equal(login.ca_file, "ca.pem");
    parse(&table, &call, "v", "--server", "h", "--tls-insecure");
    login = find_good(call);
    assert_true(login.tls && login.insecure);
}

/* --- CONNECT ---------------------------------------------------------------------------------- */

/* The JSON of the CONNECT line for LOGIN; DOC reads TEXT, which the caller frees. */
static json_value connect_of(const struct login *login, const char *nonce, struct buf *text,
                             struct json_doc *doc) {
    struct error error = {0};
    *text = buf_make(1u << 20);
    json_init(doc);
    assert_int_equal(login_write_connect(login, slice_str(nonce), false, text, &error), 0);
    slice line = buf_slice(text);
    assert_true(slice_starts_with(line, slice_lit("CONNECT ")));
    assert_true(slice_ends_with(line, slice_lit("\r\n")));
    line = slice_skip(slice_take(line, line.len - 2), 8);
    assert_int_equal(json_parse(doc, line), 0);
    return json_root(doc);
}

static void who_says_nothing_says_no_credentials(void **state) {
    (void)state;
    struct login login = {.tls = false};
    struct buf text;
    struct json_doc doc;
    json_value root = connect_of(&login, "nonce", &text, &doc);
    static const char *const absent[] = {"user", "pass", "auth_token", "jwt", "nkey", "sig"};
    for (size_t i = 0; i < array_count(absent); i++)
        assert_int_equal(json_type_of(json_member(root, slice_str(absent[i]))), JSON_ABSENT);
    assert_true(json_string_is(json_member(root, slice_lit("lang")), slice_lit("c")));
    json_free(&doc);
    buf_free(&text);
}

static void user_and_password_are_escaped_as_json(void **state) {
    (void)state;
    struct login login = {.user = "a\"b", .password = "c\\d"};
    struct buf text;
    struct json_doc doc;
    json_value root = connect_of(&login, "", &text, &doc);
    assert_true(json_string_is(json_member(root, slice_lit("user")), slice_lit("a\"b")));
    assert_true(json_string_is(json_member(root, slice_lit("pass")), slice_lit("c\\d")));
    json_free(&doc);
    buf_free(&text);
}

/* The signature in ROOT is that of NONCE by the key that NKEY names. */
static void assert_signed(json_value root, const char *nonce) {
    unsigned char key[35], signature[66];
    size_t len;
    slice text;
    assert_int_equal(json_string(json_member(root, slice_lit("sig")), &text), 0);
    assert_int_equal(base64_decode(BASE64_URL_RAW, text, signature, sizeof signature, &len), 0);
    assert_int_equal(base32_decode(slice_lit(NKEY), key, sizeof key, &len), 0);
    assert_true(io_ed25519_verify(key + 1, slice_str(nonce), slice_make(signature, 64)));
}

static void a_bare_seed_signs_the_nonce(void **state) {
    (void)state;
    struct login login = {.creds = mem_copy("\n" SEED "\r\n", sizeof SEED + 2)};
    struct buf text;
    struct json_doc doc;
    json_value root = connect_of(&login, "abc", &text, &doc);
    assert_true(json_string_is(json_member(root, slice_lit("nkey")), slice_lit(NKEY)));
    assert_signed(root, "abc");
    json_free(&doc);
    buf_free(&text);
    login_free(&login);
}

static void a_creds_file_gives_jwt_and_signature(void **state) {
    (void)state;
    static const char file[] = "-----BEGIN NATS USER JWT-----\nthe.jwt.text\n"
                               "------END NATS USER JWT------\n\nimportant words\n"
                               "-----BEGIN USER NKEY SEED-----\n" SEED "\n"
                               "------END USER NKEY SEED------\n";
    struct login login = {.creds = mem_copy(file, sizeof file - 1)};
    struct buf text;
    struct json_doc doc;
    json_value root = connect_of(&login, "n", &text, &doc);
    assert_true(json_string_is(json_member(root, slice_lit("jwt")), slice_lit("the.jwt.text")));
    assert_int_equal(json_type_of(json_member(root, slice_lit("nkey"))), JSON_ABSENT);
    assert_signed(root, "n");
    json_free(&doc);
    buf_free(&text);
    login_free(&login);
}

static void what_is_no_seed_is_refused(void **state) {
    (void)state;
    static const char *const wrong[] = {
        "",
        "hello",
        NKEY,
        "SAACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY", /* an account's */
        "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VA", /* checksum */
    };
    for (size_t i = 0; i < array_count(wrong); i++) {
        struct login login = {.creds = mem_copy(wrong[i], strlen(wrong[i]))};
        struct buf text = buf_make(1u << 20);
        struct error error = {0};
        assert_int_equal(login_write_connect(&login, slice_lit("n"), false, &text, &error),
                         -EINVAL);
        buf_free(&text);
        login_free(&login);
    }
}

#define on_machine(test) cmocka_unit_test_setup_teardown(test, open_machine, close_machine)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_host_and_a_port),
        cmocka_unit_test(a_user_with_a_password_or_a_token),
        cmocka_unit_test(what_is_no_address),
        cmocka_unit_test(a_password_is_not_told_in_the_complaint),
        on_machine(the_first_that_is_said_counts),
        on_machine(a_folder_without_a_node_is_told),
        on_machine(options_replace_what_the_url_says),
        cmocka_unit_test(who_says_nothing_says_no_credentials),
        cmocka_unit_test(user_and_password_are_escaped_as_json),
        cmocka_unit_test(a_bare_seed_signs_the_nonce),
        cmocka_unit_test(a_creds_file_gives_jwt_and_signature),
        cmocka_unit_test(what_is_no_seed_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
