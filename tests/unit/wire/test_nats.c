/*
 * Pages in tests/wire/nats say what is parsed. Here: what a page cannot show, the contract
 * between the parser and the connection, and the writers.
 */
#include "wire_test.h"

#include "base/mem.h"
#include "wire/nats.h"
#include "wire/nats_write.h"

static void need_tells_the_size_of_the_whole_message(void **state) {
    (void)state;
    struct nats_parser p = nats_parser_make(NATS_CLIENT);
    struct nats_event e;
    size_t consumed = 77;
    assert_int_equal(nats_parse(&p, slice_lit("PUB a 100\r\nxyz"), &e, &consumed), 0);
    assert_int_equal(p.need, 11 + 100 + 2);
    assert_int_equal(consumed, 77);
}

static void fewer_bytes_than_needed_are_not_looked_at(void **state) {
    (void)state;
    struct nats_parser p = nats_parser_make(NATS_CLIENT);
    struct nats_event e;
    size_t consumed;
    assert_int_equal(nats_parse(&p, slice_lit("PUB a 9\r\n"), &e, &consumed), 0);
    assert_int_equal(nats_parse(&p, slice_make(NULL, 15), &e, &consumed), 0);
    assert_int_equal(p.need, 9 + 9 + 2);
}

static void a_line_that_is_not_whole_needs_one_byte_more(void **state) {
    (void)state;
    struct nats_parser p = nats_parser_make(NATS_CLIENT);
    struct nats_event e;
    size_t consumed;
    assert_int_equal(nats_parse(&p, none, &e, &consumed), 0);
    assert_int_equal(p.need, 1);
    assert_int_equal(nats_parse(&p, slice_lit("SUB abc"), &e, &consumed), 0);
    assert_int_equal(p.need, 8);
    assert_int_equal(p.scanned, 7);
    assert_int_equal(nats_parse(&p, slice_lit("SUB abc 12\r\n"), &e, &consumed), 1);
    assert_int_equal(consumed, 12);
    assert_slice(e.sid, "12");
    assert_int_equal(p.scanned, 0);
}

static void slices_point_into_the_input(void **state) {
    (void)state;
    static const char text[] = "PUB a b 3\r\nxyz\r\nPING\r\n";
    struct nats_parser p = nats_parser_make(NATS_CLIENT);
    struct nats_event e;
    size_t consumed;
    assert_int_equal(nats_parse(&p, slice_str(text), &e, &consumed), 1);
    assert_ptr_equal(e.subject.ptr, text + 4);
    assert_ptr_equal(e.reply.ptr, text + 6);
    assert_ptr_equal(e.payload.ptr, text + 11);
    assert_int_equal(consumed, 16);
    assert_null(e.sid.ptr);
    assert_null(e.headers.ptr);
}

static void an_error_is_final(void **state) {
    (void)state;
    struct nats_parser p = nats_parser_make(NATS_CLIENT);
    struct nats_event e;
    size_t consumed;
    assert_int_equal(nats_parse(&p, slice_lit("NOPE\r\n"), &e, &consumed), -EPROTO);
    assert_int_equal(p.error, NATS_ERROR_OPERATION);
    assert_int_equal(nats_parse(&p, slice_lit("PING\r\n"), &e, &consumed), -EPROTO);
}

static void what_is_too_large_is_told_apart(void **state) {
    (void)state;
    struct nats_parser p = nats_parser_make(NATS_CLIENT);
    struct nats_event e;
    size_t consumed;
    p.payload_max = 4;
    assert_int_equal(nats_parse(&p, slice_lit("PUB a 5\r\n"), &e, &consumed), -EMSGSIZE);
    assert_int_equal(p.error, NATS_ERROR_PAYLOAD);
    assert_string_equal(nats_error_text(NATS_ERROR_PAYLOAD), "Maximum Payload Violation");
}

static void bounds_may_change_between_events(void **state) {
    (void)state;
    struct nats_parser p = nats_parser_make(NATS_CLIENT);
    struct nats_event e;
    size_t consumed;
    slice input = slice_lit("PUB a 5\r\nhello\r\nPUB a 5\r\nhello\r\n");
    assert_int_equal(nats_parse(&p, input, &e, &consumed), 1);
    p.payload_max = 4;
    assert_int_equal(nats_parse(&p, slice_skip(input, consumed), &e, &consumed), -EMSGSIZE);
}

static void sizes_are_plain_decimal(void **state) {
    (void)state;
    uint32_t size = 7;
    assert_true(nats_parse_size(slice_lit("0"), &size));
    assert_int_equal(size, 0);
    assert_true(nats_parse_size(slice_lit("999999999"), &size));
    assert_int_equal(size, 999999999);
    static const char *const wrong[] = {"", "1000000000", "-1", "+1", "1 ", "0x1", "1.0", ":", "/"};
    for (size_t i = 0; i < array_count(wrong); i++)
        assert_false(nats_parse_size(slice_str(wrong[i]), &size));
    assert_int_equal(size, 999999999);
}

static void every_kind_and_error_has_its_words(void **state) {
    (void)state;
    assert_string_equal(nats_kind_name(NATS_HMSG), "HMSG");
    assert_string_equal(nats_kind_name(NATS_ERR), "-ERR");
    for (unsigned i = 0; i < NATS_ERRORS; i++) {
        assert_non_null(nats_error_text((enum nats_error)i));
        assert_true(nats_error_detail((enum nats_error)i)[0] != '\0');
    }
}

static void a_verb_of_every_kind_is_written(void **state) {
    (void)state;
    struct buf b = buf_make(4096);
    slice subject = slice_lit("a.b"), reply = slice_lit("r"), sid = slice_lit("9");
    slice headers = slice_lit("NATS/1.0\r\n\r\n"), hello = slice_lit("hello");
    int r = nats_write_info(&b, slice_lit("{}"));
    r |= nats_write_connect(&b, slice_lit("{}"));
    r |= nats_write_ok(&b);
    r |= nats_write_err(&b, slice_lit("Stale Connection"));
    r |= nats_write_ping(&b);
    r |= nats_write_pong(&b);
    r |= nats_write_sub(&b, subject, none, sid);
    r |= nats_write_sub(&b, subject, slice_lit("q"), sid);
    r |= nats_write_unsub(&b, sid, 0);
    r |= nats_write_unsub(&b, sid, 10);
    r |= nats_write_pub(&b, subject, none, none, hello);
    r |= nats_write_pub(&b, subject, reply, headers, hello);
    r |= nats_write_msg(&b, subject, sid, none, none, hello);
    r |= nats_write_msg(&b, subject, sid, reply, headers, none);
    assert_int_equal(r, 0);
    assert_slice(buf_slice(&b), "INFO {}\r\n"
                                "CONNECT {}\r\n"
                                "+OK\r\n"
                                "-ERR 'Stale Connection'\r\n"
                                "PING\r\n"
                                "PONG\r\n"
                                "SUB a.b 9\r\n"
                                "SUB a.b q 9\r\n"
                                "UNSUB 9\r\n"
                                "UNSUB 9 10\r\n"
                                "PUB a.b 5\r\nhello\r\n"
                                "HPUB a.b r 12 17\r\nNATS/1.0\r\n\r\nhello\r\n"
                                "MSG a.b 9 5\r\nhello\r\n"
                                "HMSG a.b 9 r 12 12\r\nNATS/1.0\r\n\r\n\r\n");
    buf_free(&b);
}

static void room_is_never_below_what_is_put(void **state) {
    (void)state;
    static char text[200], out[2000];
    memset(text, 'x', sizeof(text));
    for (size_t len = 1; len <= sizeof(text); len++) {
        slice s = slice_make(text, len);
        size_t room = nats_message_room(s, s, s, 2 * len);
        assert_true((size_t)(nats_put_hmsg(out, s, s, s, s, s) - out) <= room);
        assert_true((size_t)(nats_put_msg(out, s, s, s, s) - out) <= room);
    }
    slice longest = slice_lit("x");
    char *end = nats_put_hmsg_head(out, longest, longest, longest, UINT64_MAX / 2, UINT64_MAX / 2);
    assert_true((size_t)(end - out) + 2 <= nats_message_room(longest, longest, longest, 0));
}

static void short_copies_touch_only_their_bytes(void **state) {
    (void)state;
    char from[80], out[80];
    for (size_t i = 0; i < sizeof(from); i++)
        from[i] = (char)(i + 1);
    for (size_t len = 0; len <= 64; len++) {
        memset(out, '#', sizeof(out));
        assert_ptr_equal(put_bytes(out + 8, slice_make(from, len)), out + 8 + len);
        assert_int_equal(out[7], '#');
        assert_int_equal(out[8 + len], '#');
        if (len > 0)
            assert_memory_equal(out + 8, from, len);
    }
}

static void numbers_are_put_without_leading_zeros(void **state) {
    (void)state;
    char out[PUT_U64_ROOM];
    assert_slice(slice_make(out, (size_t)(put_u64(out, 0) - out)), "0");
    assert_slice(slice_make(out, (size_t)(put_u64(out, 9) - out)), "9");
    assert_slice(slice_make(out, (size_t)(put_u64(out, 10) - out)), "10");
    assert_slice(slice_make(out, (size_t)(put_u64(out, 1048576) - out)), "1048576");
    assert_slice(slice_make(out, (size_t)(put_u64(out, UINT64_MAX) - out)), "18446744073709551615");
}

static void a_refused_write_leaves_the_buffer_as_it_was(void **state) {
    (void)state;
    struct buf b = buf_make(80);
    assert_int_equal(nats_write_ping(&b), 0);
    assert_int_equal(nats_write_pub(&b, slice_lit("subject.of.some.length"), none, none, none),
                     -ENOBUFS);
    assert_slice(buf_slice(&b), "PING\r\n");
    buf_free(&b);

    struct buf empty = buf_make(4096);
    mem_fail_at(1, true);
    int results[] = {
        nats_write_msg(&empty, none, none, none, none, none),
        nats_write_pub(&empty, none, none, none, none),
        nats_write_sub(&empty, none, none, none),
        nats_write_err(&empty, none),
    };
    mem_fail_at(0, false);
    for (size_t i = 0; i < array_count(results); i++)
        assert_int_equal(results[i], -ENOMEM);
    assert_int_equal(empty.len, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(need_tells_the_size_of_the_whole_message),
        cmocka_unit_test(fewer_bytes_than_needed_are_not_looked_at),
        cmocka_unit_test(a_line_that_is_not_whole_needs_one_byte_more),
        cmocka_unit_test(slices_point_into_the_input),
        cmocka_unit_test(an_error_is_final),
        cmocka_unit_test(what_is_too_large_is_told_apart),
        cmocka_unit_test(bounds_may_change_between_events),
        cmocka_unit_test(sizes_are_plain_decimal),
        cmocka_unit_test(every_kind_and_error_has_its_words),
        cmocka_unit_test(a_verb_of_every_kind_is_written),
        cmocka_unit_test(room_is_never_below_what_is_put),
        cmocka_unit_test(short_copies_touch_only_their_bytes),
        cmocka_unit_test(numbers_are_put_without_leading_zeros),
        cmocka_unit_test(a_refused_write_leaves_the_buffer_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
