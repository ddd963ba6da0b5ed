/*
 * wire_nats.c - nanoseconds per message of the two hot paths of wire/: PUB lines parsed out of a
 * 64 KiB read, and MSG written for one subscriber. One thread, no I/O; the best of several
 * rounds is printed, because the machine may be shared and noise only ever adds.
 */
#include "wire/nats.h"
#include "wire/nats_write.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { READ_BYTES = 64 * 1024, ROUNDS = 40, REPEATS = 50, PAYLOAD_MAX = 1024 };

static const slice subject = slice_lit("bid.eu.new");
static const slice reply = slice_lit("_INBOX.4Xh2aPq.17");
static const slice sid = slice_lit("42");
static const slice none = {NULL, 0};

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static size_t fill_reads(char *out, slice with_reply, slice headers, slice payload) {
    struct buf b = buf_make(READ_BYTES);
    while (nats_write_pub(&b, subject, with_reply, headers, payload) == 0)
        continue;
    memcpy(out, b.ptr, b.len);
    size_t len = b.len;
    buf_free(&b);
    return len;
}

static double parse_ns(slice input) {
    double best = 1e9;
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t messages = 0, bytes = 0, start = now_ns();
        for (int i = 0; i < REPEATS; i++) {
            struct nats_parser p = nats_parser_make(NATS_CLIENT);
            struct nats_event e;
            size_t used = 0, consumed;
            while (nats_parse(&p, slice_skip(input, used), &e, &consumed) == 1) {
                used += consumed;
                bytes += e.payload.len + e.subject.len;
                messages++;
            }
        }
        double ns = (double)(now_ns() - start) / (double)messages;
        check(bytes > 0);
        best = ns < best ? ns : best;
    }
    return best;
}

static double write_ns(char *out, slice with_reply, slice payload) {
    const size_t room = nats_message_room(subject, sid, with_reply, payload.len);
    double best = 1e9;
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t messages = 0, start = now_ns();
        for (int i = 0; i < REPEATS; i++) {
            char *end = out;
            while ((size_t)(out + READ_BYTES - end) >= room) {
                end = nats_put_msg(end, subject, sid, with_reply, payload);
                messages++;
            }
            __asm__ volatile("" : : "r"(end) : "memory");
        }
        double ns = (double)(now_ns() - start) / (double)messages;
        best = ns < best ? ns : best;
    }
    return best;
}

static double copy_ns(char *out, slice payload) {
    double best = 1e9;
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t messages = 0, start = now_ns();
        for (int i = 0; i < REPEATS; i++) {
            for (size_t at = 0; at + payload.len <= READ_BYTES; at += payload.len, messages++) {
                memcpy(out + at, payload.ptr, payload.len);
                __asm__ volatile("" : : "r"(out) : "memory");
            }
        }
        double ns = (double)(now_ns() - start) / (double)messages;
        best = ns < best ? ns : best;
    }
    return best;
}

int main(void) {
    static const size_t sizes[] = {16, 128, PAYLOAD_MAX};
    char *in = malloc(READ_BYTES), *out = malloc(READ_BYTES);
    char bytes[PAYLOAD_MAX];
    if (!in || !out)
        return 1;
    memset(bytes, 'x', sizeof(bytes));
    const slice headers = slice_lit("NATS/1.0\r\nNats-Msg-Id: 1234567\r\n\r\n");
    printf("%-8s %10s %12s %10s %10s %12s %10s\n", "payload", "parse PUB", "PUB + reply", "HPUB",
           "write MSG", "MSG + reply", "memcpy");
    for (size_t i = 0; i < array_count(sizes); i++) {
        slice payload = slice_make(bytes, sizes[i]);
        double pub = parse_ns(slice_make(in, fill_reads(in, none, none, payload)));
        double request = parse_ns(slice_make(in, fill_reads(in, reply, none, payload)));
        double hpub = parse_ns(slice_make(in, fill_reads(in, none, headers, payload)));
        printf("%6zu B %7.1f ns %9.1f ns %7.1f ns %7.1f ns %9.1f ns %7.1f ns\n", sizes[i], pub,
               request, hpub, write_ns(out, none, payload), write_ns(out, reply, payload),
               copy_ns(out, payload));
    }
    free(in);
    free(out);
    return 0;
}
