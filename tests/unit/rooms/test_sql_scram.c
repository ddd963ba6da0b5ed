/*
 * test_sql_scram.c - SCRAM-SHA-256 against an exchange computed by Python's hashlib and hmac.
 */
#include "rooms/stream/scram.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define FIRST "n,,n=,r=rOprNGfwEbeRWgbNEkqO"
#define NONCE "rOprNGfwEbeRWgbNEkqOZGVmZ2hpamtsbW5vcHFyc3R1"
#define FINAL "c=biws,r=" NONCE ",p=0GC++qLxZ1Bvu1uuZJM7u3TNU3okqKGEjSeB62s6HnE="

static unsigned char salt[SCRAM_SALT_BYTES], nonce[SCRAM_NONCE_BYTES];
static struct scram_keys keys;
static struct scram scram;
static struct buf out;

static int start(void **state) {
    (void)state;
    for (unsigned i = 0; i < sizeof salt; i++)
        salt[i] = (unsigned char)i;
    for (unsigned i = 0; i < sizeof nonce; i++)
        nonce[i] = (unsigned char)(100 + i);
    scram = scram_make();
    out = buf_make(1000);
    scram_derive(slice_lit("pencil"), salt, &keys);
    return 0;
}

static int end(void **state) {
    (void)state;
    scram_free(&scram);
    buf_free(&out);
    return 0;
}

static void assert_said(const char *text) {
    assert_int_equal(out.len, strlen(text));
    assert_memory_equal(out.ptr, text, out.len);
    buf_clear(&out);
}

static void say_first(void) {
    assert_int_equal(scram_first(&scram, slice_lit(FIRST), nonce, salt, &out), 0);
    buf_clear(&out);
}

static void who_knows_the_password_is_let_in_and_told_so(void **state) {
    (void)state;
    assert_int_equal(scram_first(&scram, slice_lit(FIRST), nonce, salt, &out), 0);
    assert_said("r=" NONCE ",s=AAECAwQFBgcICQoLDA0ODw==,i=4096");
    assert_int_equal(scram_final(&scram, slice_lit(FINAL), &keys, &out), 0);
    assert_said("v=3P74Gdp/Eajwud1rFsT92I7yPVezLv5i4i+PWWhtJO0=");
}

static void another_password_is_refused(void **state) {
    (void)state;
    struct scram_keys other;
    scram_derive(slice_lit("pen"), salt, &other);
    say_first();
    assert_int_equal(scram_final(&scram, slice_lit(FINAL), &other, &out), -EACCES);
    assert_int_equal(out.len, 0);
}

static void a_proof_that_is_no_base64_of_32_bytes_is_refused(void **state) {
    (void)state;
    say_first();
    assert_int_equal(scram_final(&scram, slice_lit("c=biws,r=" NONCE ",p=AAAA"), &keys, &out),
                     -EACCES);
    say_first();
    assert_int_equal(scram_final(&scram, slice_lit("c=biws,r=" NONCE ",p=!!"), &keys, &out),
                     -EACCES);
}

static void channel_binding_is_not_offered(void **state) {
    (void)state;
    assert_int_equal(
        scram_first(&scram, slice_lit("p=tls-server-end-point,,n=,r=abc"), nonce, salt, &out),
        -ENOTSUP);
    assert_int_equal(scram_first(&scram, slice_lit("y,,n=,r=abc"), nonce, salt, &out), 0);
}

static void messages_that_rfc_5802_does_not_know(void **state) {
    (void)state;
    static const char *const firsts[] = {"",           "n",     "n,,",      "n,a=b,n=,r=abc",
                                         "n,,r=abc",   "n,,n=", "n,,n=,r=", "n,,m=x,n=,r=abc",
                                         "n,,n=,r=a b"};
    static const char *const finals[] = {"",
                                         "c=biws",
                                         "c=biws,r=" NONCE,
                                         "c=eSws,r=" NONCE ",p=AAAA",
                                         "c=biws,r=" NONCE "x,p=AAAA",
                                         "c=biws,r=abc,p=AAAA",
                                         "c=biws,r=" NONCE ",p=AAAA,x=y",
                                         "r=" NONCE ",p=AAAA"};
    for (size_t i = 0; i < array_count(firsts); i++)
        assert_int_equal(scram_first(&scram, slice_str(firsts[i]), nonce, salt, &out), -EPROTO);
    for (size_t i = 0; i < array_count(finals); i++) {
        say_first();
        assert_int_equal(scram_final(&scram, slice_str(finals[i]), &keys, &out), -EPROTO);
    }
}

static void extensions_before_the_proof_are_signed_with_the_rest(void **state) {
    (void)state;
    say_first();
    assert_int_equal(scram_final(&scram,
                                 slice_lit("c=biws,r=" NONCE
                                           ",x=y,p=0GC++qLxZ1Bvu1uuZJM7u3TNU3okqKGEjSeB62s6HnE="),
                                 &keys, &out),
                     -EACCES);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(who_knows_the_password_is_let_in_and_told_so, start, end),
        cmocka_unit_test_setup_teardown(another_password_is_refused, start, end),
        cmocka_unit_test_setup_teardown(a_proof_that_is_no_base64_of_32_bytes_is_refused, start,
                                        end),
        cmocka_unit_test_setup_teardown(channel_binding_is_not_offered, start, end),
        cmocka_unit_test_setup_teardown(messages_that_rfc_5802_does_not_know, start, end),
        cmocka_unit_test_setup_teardown(extensions_before_the_proof_are_signed_with_the_rest, start,
                                        end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
