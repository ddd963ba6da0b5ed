/* What --header and DATA make of a command line. */
#include "cli_test.h"

#include "cli/message.h"

static const struct cli_verb verb = {
    .name = "v",
    .words = "",
    .help = "",
    .options = {{.name = "header", .value = "H", .help = "", .repeats = true}}};
static const struct cli_table table = {&verb, 1};

static int headers_of(struct cli_call *call, struct buf *out) {
    *out = buf_make(MESSAGE_HEADERS_MAX);
    return message_read_headers(call, out);
}

static void headers_become_a_block(void **state) {
    (void)state;
    struct cli_call call;
    struct buf block;
    parse(&table, &call, "v", "--header", "Nats-Msg-Id: 7", "--header", "A:b:c", "--header", "E:");
    assert_int_equal(headers_of(&call, &block), CLI_OK);
    assert_slice(buf_slice(&block), "NATS/1.0\r\nNats-Msg-Id: 7\r\nA: b:c\r\nE: \r\n\r\n");
    buf_free(&block);
}

static void no_headers_make_no_block(void **state) {
    (void)state;
    struct cli_call call;
    struct buf block;
    parse(&table, &call, "v");
    assert_int_equal(headers_of(&call, &block), CLI_OK);
    assert_int_equal(block.len, 0);
}

static void what_would_break_the_block_is_refused(void **state) {
    (void)state;
    static const char *const wrong[] = {"no colon", ": v", "a b: c", "K: x\r\nL: y"};
    for (size_t i = 0; i < array_count(wrong); i++) {
        struct cli_call call;
        struct buf block;
        parse(&table, &call, "v", "--header", wrong[i]);
        assert_int_equal(headers_of(&call, &block), CLI_USAGE);
        buf_free(&block);
    }
}

static void headers_have_a_bound(void **state) {
    (void)state;
    static char large[MESSAGE_HEADERS_MAX + 10];
    struct cli_call call;
    struct buf block;
    memset(large, 'a', sizeof large - 1);
    large[1] = ':';
    parse(&table, &call, "v", "--header", large);
    assert_int_not_equal(headers_of(&call, &block), CLI_OK);
    buf_free(&block);
}

static void a_word_is_the_payload(void **state) {
    (void)state;
    struct cli_call call;
    struct message message;
    parse(&table, &call, "v");
    assert_int_equal(message_read(&call, "hello", &message), CLI_OK);
    assert_slice(message.payload, "hello");
    message_free(&message);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_become_a_block),
        cmocka_unit_test(no_headers_make_no_block),
        cmocka_unit_test(what_would_break_the_block_is_refused),
        cmocka_unit_test(headers_have_a_bound),
        cmocka_unit_test(a_word_is_the_payload),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
