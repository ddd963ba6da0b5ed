/*
 * Pages in tests/wire/websocket say what is parsed. Here: what a page cannot show, the contract
 * between the parser and the connection, masks, and the writers.
 */
#include "wire_test.h"

#include "base/mem.h"
#include "wire/websocket_write.h"

enum { MAX = 1 << 20 };

static const unsigned char key[WEBSOCKET_KEY_BYTES] = {0x12, 0x00, 0xff, 0x7e};

/* --- parser ------------------------------------------------------------------------------------
 */

static void one_call_gives_one_event(void **state) {
    (void)state;
    struct websocket_parser p = websocket_parser_make(WEBSOCKET_SERVER, MAX);
    const slice input = slice_lit("\x81\x01"
                                  "a\x89\x00\x82\x01"
                                  "b\x82");
    struct websocket_event e;
    size_t consumed = 0;
    assert_int_equal(websocket_parse(&p, input, &e, &consumed), 1);
    assert_int_equal(e.kind, WEBSOCKET_TEXT);
    assert_int_equal(e.code, 0);
    assert_slice(e.payload, "a");
    assert_int_equal(consumed, 3);
    assert_int_equal(websocket_parse(&p, slice_skip(input, 3), &e, &consumed), 1);
    assert_int_equal(e.kind, WEBSOCKET_PING);
    assert_int_equal(consumed, 2);
    assert_int_equal(websocket_parse(&p, slice_skip(input, 5), &e, &consumed), 1);
    assert_int_equal(e.kind, WEBSOCKET_BINARY);
    assert_slice(e.payload, "b");
    assert_int_equal(consumed, 3);
    assert_true(websocket_parser_idle(&p));
    assert_int_equal(websocket_parse(&p, slice_skip(input, 8), &e, &consumed), 0);
    assert_int_equal(consumed, 1);
    assert_false(websocket_parser_idle(&p));
    websocket_parser_free(&p);
}

static void no_input_is_no_event(void **state) {
    (void)state;
    struct websocket_parser p = websocket_parser_make(WEBSOCKET_CLIENT, MAX);
    struct websocket_event e;
    size_t consumed = 77;
    assert_int_equal(websocket_parse(&p, none, &e, &consumed), 0);
    assert_int_equal(consumed, 0);
    assert_true(websocket_parser_idle(&p));
    websocket_parser_free(&p);
}

static void an_error_is_final(void **state) {
    (void)state;
    struct websocket_parser p = websocket_parser_make(WEBSOCKET_SERVER, MAX);
    struct websocket_event e;
    size_t consumed = 77;
    assert_int_equal(websocket_parse(&p, slice_lit("\x83"), &e, &consumed), -EPROTO);
    assert_int_equal(p.error, WEBSOCKET_ERROR_OPCODE);
    assert_int_equal(websocket_parse(&p, slice_lit("\x89\x00"), &e, &consumed), -EPROTO);
    assert_int_equal(p.error, WEBSOCKET_ERROR_OPCODE);
    assert_int_equal(consumed, 77);
    websocket_parser_free(&p);
}

static void memory_follows_what_came_not_what_was_announced(void **state) {
    (void)state;
    struct websocket_parser p = websocket_parser_make(WEBSOCKET_SERVER, MAX);
    struct websocket_event e;
    size_t consumed;
    const slice input = slice_lit("\x82\x7f\x00\x00\x00\x00\x00\x10\x00\x00"
                                  "first bytes");
    assert_int_equal(websocket_parse(&p, input, &e, &consumed), 0);
    assert_int_equal(consumed, input.len);
    assert_true(p.message.cap <= 256);
    websocket_parser_free(&p);
}

static void trim_gives_memory_back_between_messages_only(void **state) {
    (void)state;
    struct websocket_parser p = websocket_parser_make(WEBSOCKET_SERVER, MAX);
    struct websocket_event e;
    size_t consumed;
    assert_int_equal(websocket_parse(&p, slice_lit("\x01\x02hi"), &e, &consumed), 0);
    websocket_parser_trim(&p);
    assert_int_equal(websocket_parse(&p, slice_lit("\x89\x02p"), &e, &consumed), 0);
    websocket_parser_trim(&p);
    assert_int_equal(websocket_parse(&p, slice_lit("q"), &e, &consumed), 1);
    assert_slice(e.payload, "pq");
    websocket_parser_trim(&p);
    assert_int_equal(websocket_parse(&p, slice_lit("\x80\x01!"), &e, &consumed), 1);
    assert_slice(e.payload, "hi!");
    assert_true(p.message.cap > 0);
    websocket_parser_trim(&p);
    assert_int_equal(p.message.cap, 0);
    assert_int_equal(websocket_parse(&p, slice_lit("\x81\x01x"), &e, &consumed), 1);
    assert_slice(e.payload, "x");
    websocket_parser_free(&p);
}

static void an_idle_parser_is_small(void **state) {
    (void)state;
    assert_true(sizeof(struct websocket_parser) <= 128);
}

static void no_memory_is_an_error_with_a_code(void **state) {
    (void)state;
    static const char *const inputs[] = {"\x81\x02hi", "\x89\x02hi"};
    for (size_t i = 0; i < array_count(inputs); i++) {
        struct websocket_parser p = websocket_parser_make(WEBSOCKET_SERVER, MAX);
        struct websocket_event e;
        size_t consumed;
        mem_fail_at(1, false);
        int r = websocket_parse(&p, slice_make(inputs[i], 4), &e, &consumed);
        assert_int_equal(r, -ENOMEM);
        assert_int_equal(p.error, WEBSOCKET_ERROR_NO_MEMORY);
        assert_int_equal(websocket_error_code(WEBSOCKET_ERROR_NO_MEMORY), 1011);
        assert_int_equal(websocket_parse(&p, slice_make(inputs[i], 4), &e, &consumed), -ENOMEM);
        websocket_parser_free(&p);
    }
}

static void every_error_has_a_name_words_and_a_code_that_may_be_sent(void **state) {
    (void)state;
    for (unsigned i = 0; i < WEBSOCKET_ERRORS; i++) {
        assert_true(strlen(websocket_error_name((enum websocket_error)i)) > 0);
        assert_true(strlen(websocket_error_text((enum websocket_error)i)) > 0);
        assert_true(websocket_code_sendable(websocket_error_code((enum websocket_error)i)));
    }
}

/* --- masks -------------------------------------------------------------------------------------
 */

static void fill(char *bytes, size_t len) {
    for (size_t i = 0; i < len; i++)
        bytes[i] = (char)(i * 37 + 11);
}

static bool is_masked(const char *got, size_t len) {
    char plain[64];
    fill(plain, sizeof(plain));
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)got[i] != ((unsigned char)plain[i] ^ key[i % 4]))
            return false;
    }
    return true;
}

static void a_mask_is_the_definition_at_every_length_and_cut(void **state) {
    (void)state;
    for (size_t len = 0; len <= 64; len++) {
        for (size_t cut = 0; cut <= len; cut++) {
            char plain[64], got[65] = {0};
            unsigned char turning[4];
            fill(plain, sizeof(plain));
            memcpy(turning, key, sizeof(turning));
            websocket_mask(got, slice_make(plain, cut), turning);
            websocket_mask(got + cut, slice_make(plain + cut, len - cut), turning);
            assert_true(is_masked(got, len));
            assert_int_equal(got[len], 0);
            for (size_t i = 0; i < 4; i++)
                assert_int_equal(turning[i], key[(len + i) % 4]);
        }
    }
}

static void a_mask_works_where_the_bytes_lie_and_before(void **state) {
    (void)state;
    for (size_t len = 0; len <= 64; len++) {
        for (size_t gap = 0; gap <= WEBSOCKET_HEAD_MAX; gap++) {
            char bytes[64 + WEBSOCKET_HEAD_MAX];
            unsigned char turning[4];
            memcpy(turning, key, sizeof(turning));
            fill(bytes + gap, 64);
            websocket_mask(bytes, slice_make(bytes + gap, len), turning);
            assert_true(is_masked(bytes, len));
        }
    }
}

/* --- writers -----------------------------------------------------------------------------------
 */

static void frames_are_the_examples_of_the_rfc(void **state) {
    (void)state;
    static const unsigned char rfc_key[4] = {0x37, 0xfa, 0x21, 0x3d};
    _cleanup_buf_ struct buf b = buf_make(1024);
    assert_int_equal(websocket_write_frame(&b, WEBSOCKET_TEXT, true, slice_lit("Hello"), NULL), 0);
    assert_slice(buf_slice(&b), "\x81\x05Hello");
    buf_clear(&b);
    assert_int_equal(websocket_write_frame(&b, WEBSOCKET_TEXT, true, slice_lit("Hello"), rfc_key),
                     0);
    assert_slice(buf_slice(&b), "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
    buf_clear(&b);
    assert_int_equal(websocket_write_frame(&b, WEBSOCKET_TEXT, false, slice_lit("Hel"), NULL), 0);
    assert_int_equal(websocket_write_frame(&b, WEBSOCKET_MORE, true, slice_lit("lo"), NULL), 0);
    assert_slice(buf_slice(&b), "\x01\x03Hel\x80\x02lo");
    buf_clear(&b);
    assert_int_equal(websocket_write_frame(&b, WEBSOCKET_PING, true, none, NULL), 0);
    assert_slice(buf_slice(&b), "\x89\x00");
}

static void what_is_written_is_parsed_again(void **state) {
    (void)state;
    static const size_t lengths[] = {0, 1, 124, 125, 126, 127, 65534, 65535, 65536, 65537, 200000};
    char *bytes = mem_alloc(200000);
    assert_non_null(bytes);
    memset(bytes, 'm', 200000);
    for (size_t i = 0; i < 2 * array_count(lengths); i++) {
        const slice payload = slice_make(bytes, lengths[i / 2]);
        const bool masked = i % 2;
        _cleanup_buf_ struct buf b = buf_make(MAX);
        struct websocket_parser p =
            websocket_parser_make(masked ? WEBSOCKET_CLIENT : WEBSOCKET_SERVER, MAX);
        struct websocket_event e;
        size_t consumed = 0;
        assert_int_equal(
            websocket_write_frame(&b, WEBSOCKET_BINARY, true, payload, masked ? key : NULL), 0);
        assert_true(b.len <= websocket_frame_room(payload.len));
        assert_int_equal(websocket_parse(&p, buf_slice(&b), &e, &consumed), 1);
        assert_int_equal(consumed, b.len);
        assert_true(slice_equal(e.payload, payload));
        websocket_parser_free(&p);
    }
    mem_free(bytes);
}

static void a_frame_that_does_not_fit_is_not_begun(void **state) {
    (void)state;
    _cleanup_buf_ struct buf b = buf_make(16);
    assert_int_equal(websocket_write_frame(&b, WEBSOCKET_TEXT, true, slice_lit("ab"), NULL), 0);
    assert_int_equal(websocket_write_frame(&b, WEBSOCKET_TEXT, true, slice_lit("ab"), NULL),
                     -ENOBUFS);
    assert_int_equal(websocket_write_close(&b, 1000, none, NULL), -ENOBUFS);
    assert_slice(buf_slice(&b), "\x81\x02"
                                "ab");
}

static void assert_close(unsigned code, slice reason, unsigned wanted_code, slice wanted_reason) {
    _cleanup_buf_ struct buf b = buf_make(1024);
    struct websocket_parser p = websocket_parser_make(WEBSOCKET_CLIENT, 0);
    struct websocket_event e;
    size_t consumed;
    assert_int_equal(websocket_write_close(&b, code, reason, key), 0);
    assert_int_equal(websocket_parse(&p, buf_slice(&b), &e, &consumed), 1);
    assert_int_equal(e.kind, WEBSOCKET_CLOSE);
    assert_int_equal(e.code, wanted_code);
    assert_true(slice_equal(e.payload, wanted_reason));
    websocket_parser_free(&p);
}

static void a_close_frame_says_code_and_reason(void **state) {
    (void)state;
    char reason[200];
    memset(reason, 'r', sizeof(reason));
    assert_close(1000, none, 1000, none);
    assert_close(WEBSOCKET_CODE_NONE, slice_lit("dropped"), WEBSOCKET_CODE_NONE, none);
    assert_close(4999, slice_lit("later"), 4999, slice_lit("later"));
    assert_close(1001, slice_make(reason, 123), 1001, slice_make(reason, 123));
    assert_close(1001, slice_make(reason, 124), 1001, slice_make(reason, 123));
    reason[122] = (char)0xc3; /* a letter of two bytes, of which one would fit */
    reason[123] = (char)0x9f;
    assert_close(1001, slice_make(reason, 200), 1001, slice_make(reason, 122));
    assert_close(1001, slice_lit("bad \xff byte"), 1001, slice_lit("bad "));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_call_gives_one_event),
        cmocka_unit_test(no_input_is_no_event),
        cmocka_unit_test(an_error_is_final),
        cmocka_unit_test(memory_follows_what_came_not_what_was_announced),
        cmocka_unit_test(trim_gives_memory_back_between_messages_only),
        cmocka_unit_test(an_idle_parser_is_small),
        cmocka_unit_test(no_memory_is_an_error_with_a_code),
        cmocka_unit_test(every_error_has_a_name_words_and_a_code_that_may_be_sent),
        cmocka_unit_test(a_mask_is_the_definition_at_every_length_and_cut),
        cmocka_unit_test(a_mask_works_where_the_bytes_lie_and_before),
        cmocka_unit_test(frames_are_the_examples_of_the_rfc),
        cmocka_unit_test(what_is_written_is_parsed_again),
        cmocka_unit_test(a_frame_that_does_not_fit_is_not_begun),
        cmocka_unit_test(a_close_frame_says_code_and_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
