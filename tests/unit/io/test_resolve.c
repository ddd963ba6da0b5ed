/*
 * test_resolve.c - names asked of a DNS server that a few lines of this file play, over UDP on
 * loopback; /etc/hosts and literal addresses as they are on every machine.
 */
#include "stage.h"

#include "io/resolve.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND UINT64_C(1000000000)
#define CROWD 200u /* more than may be under way at a time */

enum { TYPE_A = 1, TYPE_CNAME = 5, TYPE_AAAA = 28 };

struct dns {
    struct stage *stage;
    struct io_udp *udp;
    struct io_resolver *resolver;
    struct io_question *question, *first; /* the last asked, and the crowd's first */
    bool silent;
    unsigned asked;
    /* the answer that came last, and how many came */
    unsigned answers;
    int failed;
    char why[128], addresses[512];
    uint64_t ttl_ns;
};

static struct dns dns;

/* --- the server --------------------------------------------------------------------------------
 */

struct packet {
    uint8_t bytes[8192];
    size_t len;
};

static void put16(struct packet *p, unsigned value) {
    p->bytes[p->len++] = (uint8_t)(value >> 8);
    p->bytes[p->len++] = (uint8_t)value;
}

static void put_head(struct packet *p, unsigned type, uint32_t ttl_s, unsigned len) {
    put16(p, 0xc00c); /* the name that was asked for */
    put16(p, type);
    put16(p, 1);
    put16(p, ttl_s >> 16);
    put16(p, ttl_s & 0xffff);
    put16(p, len);
    p->bytes[7]++; /* answers: fewer than 256 */
}

static void put_a(struct packet *p, uint32_t ttl_s, unsigned last) {
    put_head(p, TYPE_A, ttl_s, 4);
    memcpy(p->bytes + p->len, (uint8_t[]){127, 0, 0, (uint8_t)last}, 4);
    p->len += 4;
}

static void put_aaaa(struct packet *p, uint32_t ttl_s, unsigned last) {
    put_head(p, TYPE_AAAA, ttl_s, 16);
    memset(p->bytes + p->len, 0, 15);
    p->bytes[p->len + 15] = (uint8_t)last;
    p->len += 16;
}

/* "alias": a CNAME of shorter life than the address it leads to. */
static void put_alias(struct packet *p) {
    put_head(p, TYPE_CNAME, 7, 2 + 5);
    memcpy(p->bytes + p->len, "\4real\xc0", 6);
    p->bytes[p->len + 6] = 0x0c + 6; /* behind "alias" in the question: test */
    size_t real = p->len;
    p->len += 7;
    put_a(p, 100, 9);
    size_t record = p->len - 16;
    p->bytes[record] = (uint8_t)(0xc0 | real >> 8);
    p->bytes[record + 1] = (uint8_t)real;
}

/* What there is of NAME and TYPE. False: no such name. */
static bool put_records(struct packet *p, const char *name, unsigned type) {
    bool a = type == TYPE_A;
    if (strcmp(name, "two") == 0 && a) {
        put_a(p, 30, 3);
        put_a(p, 20, 2);
        put_a(p, 40, 3);
    } else if (strcmp(name, "brief") == 0 && a) {
        put_a(p, 0, 2);
    } else if (strcmp(name, "long") == 0 && a) {
        put_a(p, 86400, 2);
    } else if (strcmp(name, "six") == 0 && type == TYPE_AAAA) {
        put_aaaa(p, 30, 1);
    } else if (strcmp(name, "both") == 0) {
        if (a)
            put_a(p, 30, 2);
        else
            put_aaaa(p, 30, 1);
    } else if (strcmp(name, "alias") == 0 && a) {
        put_alias(p);
    } else if (strcmp(name, "many") == 0 && a) {
        for (unsigned i = 125; i > 100; i--) /* more would not fit into a datagram */
            put_a(p, 30, i);
    } else {
        static const char *const known[] = {"two",  "brief", "long", "six",
                                            "both", "alias", "many", "empty"};
        for (size_t i = 0; i < array_count(known); i++)
            if (strcmp(name, known[i]) == 0)
                return true;
        return false;
    }
    return true;
}

static void on_query(void *owner, slice bytes, const char *from) {
    struct packet p = {.len = 12};
    char name[64] = "";
    (void)owner;
    dns.asked++;
    if (dns.silent)
        return;
    size_t at = 12, end = bytes.len;
    while (at < end && bytes.ptr[at])
        at += (size_t)bytes.ptr[at] + 1;
    at += 5; /* the root, type and class */
    assert_in_range(at, 17, end);
    memcpy(p.bytes, bytes.ptr, at);
    memcpy(p.bytes + 2, "\x81\x80\0\1\0\0\0\0\0\0", 10);
    p.len = at;
    memcpy(name, bytes.ptr + 13, (size_t)bytes.ptr[12]);
    unsigned type = (unsigned)((uint8_t)bytes.ptr[at - 4] << 8 | (uint8_t)bytes.ptr[at - 3]);
    if (strncmp(name, "crowd", 5) == 0 && type == TYPE_A)
        put_a(&p, 30, 2);
    else if (strcmp(name, "broken") == 0)
        p.bytes[3] = 0x82; /* SERVFAIL */
    else if (strncmp(name, "crowd", 5) != 0 && !put_records(&p, name, type))
        p.bytes[3] = 0x83; /* NXDOMAIN */
    assert_int_equal(io_udp_send(dns.udp, from, slice_make((char *)p.bytes, p.len)), 0);
}

/* --- asking ------------------------------------------------------------------------------------
 */

static void on_answer(void *owner, const struct io_resolved *resolved) {
    char text[IP_TEXT_MAX];
    (void)owner;
    dns.answers++;
    dns.failed = resolved->failed;
    dns.ttl_ns = resolved->ttl_ns;
    dns.addresses[0] = '\0';
    snprintf(dns.why, sizeof dns.why, "%s", resolved->why);
    assert_true((resolved->count > 0) == (resolved->failed == 0));
    assert_true((resolved->why[0] == '\0') == (resolved->failed == 0));
    for (unsigned i = 0; i < resolved->count && i < 4; i++) {
        size_t len = strlen(dns.addresses);
        snprintf(dns.addresses + len, sizeof dns.addresses - len, "%s%s", i ? " " : "",
                 ip_text(&resolved->addresses[i], text));
    }
}

static void ask(const char *name) {
    assert_int_equal(io_resolve(dns.resolver, slice_str(name), on_answer, NULL, &dns.question), 0);
}

static void serve(struct stage *stage, const char *address) {
    struct error error;
    char servers[64];
    dns.stage = stage;
    assert_int_equal(io_udp_open(stage->loop, address, on_query, NULL, &dns.udp, &error), 0);
    if (dns.resolver)
        return;
    snprintf(servers, sizeof servers, "%s", io_udp_address(dns.udp));
    assert_int_equal(io_resolver_create(stage->loop, servers, &dns.resolver), 0);
}

static void over(void) {
    dns.resolver = io_resolver_free(dns.resolver);
    dns.udp = io_udp_close(dns.udp);
    stage_end(dns.stage);
}

static bool is_answered(struct stage *stage) {
    (void)stage;
    return dns.answers > 0;
}

/* --- one question, one answer ------------------------------------------------------------------
 */

struct example {
    const char *name;
    int failed;
    const char *words, *addresses;
    uint64_t ttl_s; /* 0: any */
};
static const struct example examples[] = {
    {"two.test", 0, "", "127.0.0.2 127.0.0.3", 20},
    {"brief.test", 0, "", "127.0.0.2", 1},
    {"long.test", 0, "", "127.0.0.2", 300},
    {"six.test", 0, "", "::1", 30},
    {"alias.test", 0, "", "127.0.0.9", 7},
    {"many.test", 0, "", "127.0.0.101 127.0.0.102 127.0.0.103 127.0.0.104", 30},
    {"nobody.test", -ENOENT, "no such name", "", 0},
    {"empty.test", -ENOENT, "no address", "", 0},
    {"broken.test", -ECONNREFUSED, "or fail", "", 0},
    {"127.0.0.77", 0, "", "127.0.0.77", 1},
    {"::1", 0, "", "::1", 1},
};
static unsigned example_at;

static void ask_example(struct stage *stage);

static void judge_example(struct stage *stage) {
    const struct example *e = &examples[example_at];
    if (dns.failed != e->failed || strcmp(dns.addresses, e->addresses) != 0 ||
        !strstr(dns.why, e->words) || (e->ttl_s && dns.ttl_ns != e->ttl_s * SECOND))
        fail_msg("%s: %d '%s' addresses '%s' ttl %llu ns", e->name, dns.failed, dns.why,
                 dns.addresses, (unsigned long long)dns.ttl_ns);
    if (++example_at < array_count(examples))
        ask_example(stage);
    else
        over();
}

static void ask_example(struct stage *stage) {
    dns.answers = 0;
    ask(examples[example_at].name);
    assert_int_equal(dns.answers, 0); /* never from inside */
    stage_when(stage, is_answered, judge_example);
}

static void examples_begin(struct stage *stage) {
    serve(stage, "127.0.0.1:0");
    example_at = 0;
    ask_example(stage);
}

static void each_name_has_its_answer(void **state) {
    (void)state;
    struct stage stage;
    memset(&dns, 0, sizeof dns);
    stage_play(&stage, 1, examples_begin, NULL);
    assert_int_equal(example_at, array_count(examples));
}

static void judge_one_family(struct stage *stage) {
    (void)stage;
    assert_int_equal(dns.failed, 0);
    assert_true(strcmp(dns.addresses, "::1") == 0 || strcmp(dns.addresses, "127.0.0.2") == 0);
    over();
}

static void both_begin(struct stage *stage) {
    serve(stage, "127.0.0.1:0");
    ask("both.test");
    stage_when(stage, is_answered, judge_one_family);
}

static void a_name_with_both_families_has_one_of_them(void **state) {
    (void)state;
    struct stage stage;
    memset(&dns, 0, sizeof dns);
    stage_play(&stage, 1, both_begin, NULL);
}

static void judge_localhost(struct stage *stage) {
    (void)stage;
    assert_int_equal(dns.failed, 0);
    assert_true(strstr(dns.addresses, "127.0.0.1") || strstr(dns.addresses, "::1"));
    assert_int_equal(dns.ttl_ns, SECOND);
    over();
}

static void localhost_begin(struct stage *stage) {
    dns.stage = stage;
    assert_int_equal(io_resolver_create(stage->loop, NULL, &dns.resolver), 0);
    ask("localhost");
    stage_when(stage, is_answered, judge_localhost);
}

static void the_systems_own_names_are_known(void **state) {
    (void)state;
    struct stage stage;
    memset(&dns, 0, sizeof dns);
    stage_play(&stage, 1, localhost_begin, NULL);
}

/* --- bounds and ends ---------------------------------------------------------------------------
 */

static bool crowd_is_answered(struct stage *stage) {
    (void)stage;
    return dns.answers == CROWD;
}

static void judge_crowd(struct stage *stage) {
    (void)stage;
    assert_int_equal(dns.failed, 0);
    over();
}

static void crowd_begin(struct stage *stage) {
    char name[32];
    serve(stage, "127.0.0.1:0");
    for (unsigned i = 0; i < CROWD; i++) {
        snprintf(name, sizeof name, "crowd%u.test", i);
        ask(name);
    }
    stage_when(stage, crowd_is_answered, judge_crowd);
}

static void more_questions_than_may_be_under_way_wait(void **state) {
    (void)state;
    struct stage stage;
    memset(&dns, 0, sizeof dns);
    stage_play(&stage, 1, crowd_begin, NULL);
    assert_true(dns.asked >= CROWD);
}

static void bounds_begin(struct stage *stage) {
    char name[300];
    struct io_question *question = NULL;
    dns.silent = true;
    serve(stage, "127.0.0.1:0");
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_int_equal(io_resolve(dns.resolver, slice_str(name), on_answer, NULL, &question),
                     -EINVAL);
    for (unsigned i = 0; i < IO_RESOLVE_QUESTIONS_MAX; i++) {
        snprintf(name, sizeof name, "crowd%u.test", i);
        ask(name);
        if (i == 0)
            dns.first = dns.question;
    }
    assert_int_equal(io_resolve(dns.resolver, slice_lit("one.test"), on_answer, NULL, &question),
                     -EBUSY);
    assert_null(question);
    assert_null(io_resolve_cancel(dns.question));
    assert_null(io_resolve_cancel(NULL));
    ask("one.test"); /* in its place */
}

static bool some_are_asked(struct stage *stage) {
    (void)stage;
    return dns.asked >= IO_RESOLVE_UNDER_WAY_MAX;
}

static void end_in_the_middle(struct stage *stage) {
    (void)stage;
    assert_null(io_resolve_cancel(dns.first)); /* c-ares has it still when the resolver goes */
    over();
    assert_null(io_resolver_free(NULL));
}

static void silent_begin(struct stage *stage) {
    bounds_begin(stage);
    stage_when(stage, some_are_asked, end_in_the_middle);
}

static void questions_are_bounded_and_end_with_the_resolver(void **state) {
    (void)state;
    struct stage stage;
    memset(&dns, 0, sizeof dns);
    stage_play(&stage, 1, silent_begin, NULL);
    assert_int_equal(dns.answers, 0);
}

/* --- a server that goes and comes back ---------------------------------------------------------
 */

static char address[64];

static void judge_return(struct stage *stage) {
    (void)stage;
    assert_int_equal(dns.failed, 0);
    assert_string_equal(dns.addresses, "127.0.0.2 127.0.0.3");
    over();
}

static void ask_when_back(struct stage *stage) {
    assert_true(dns.failed == -ECONNREFUSED || dns.failed == -ETIMEDOUT);
    dns.silent = false;
    serve(stage, address);
    dns.answers = 0;
    ask("two.test");
    stage_when(stage, is_answered, judge_return);
}

static void judge_silence(struct stage *stage) {
    assert_int_equal(dns.failed, -ETIMEDOUT);
    dns.udp = io_udp_close(dns.udp);
    dns.answers = 0;
    ask("two.test");
    stage_when(stage, is_answered, ask_when_back);
}

static void dead_begin(struct stage *stage) {
    dns.silent = true;
    serve(stage, "127.0.0.1:0");
    snprintf(address, sizeof address, "%s", io_udp_address(dns.udp));
    struct io_question *dropped;
    assert_int_equal(io_resolve(dns.resolver, slice_lit("two.test"), on_answer, NULL, &dropped), 0);
    ask("two.test");
    io_resolve_cancel(dropped);
    stage_when(stage, is_answered, judge_silence);
}

static void silence_is_a_failure_and_the_next_question_is_asked_anew(void **state) {
    (void)state;
    struct stage stage;
    memset(&dns, 0, sizeof dns);
    stage_play(&stage, 1, dead_begin, NULL);
    assert_int_equal(dns.answers, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_name_has_its_answer),
        cmocka_unit_test(a_name_with_both_families_has_one_of_them),
        cmocka_unit_test(the_systems_own_names_are_known),
        cmocka_unit_test(more_questions_than_may_be_under_way_wait),
        cmocka_unit_test(questions_are_bounded_and_end_with_the_resolver),
        cmocka_unit_test(silence_is_a_failure_and_the_next_question_is_asked_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
