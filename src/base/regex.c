/*
 * regex.c - the one place that knows PCRE2 (regex.h).
 *
 * All memory comes through mem.h, so that its failure can be tested. The machine code first runs
 * on 32 KiB of the caller's stack; only where that does not do, a stack of its own is taken, kept
 * with the pattern, and the match is tried again.
 */
#include "base/regex.h"

#include "base/mem.h"

#include <errno.h>
#include <stdio.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#define STACK_BYTES_FIRST (64u << 10)

struct regex {
    pcre2_general_context *general;
    pcre2_compile_context *compile;
    pcre2_match_context *match;
    pcre2_code *code;
    pcre2_match_data *data;
    pcre2_jit_stack *stack; /* NULL until needed */
    unsigned groups;
};

static void *take(size_t size, void *unused) {
    (void)unused;
    return mem_alloc(size);
}

static void give_back(void *pointer, void *unused) {
    (void)unused;
    mem_free(pointer);
}

struct regex *regex_free(struct regex *r) {
    if (!r)
        return NULL;
    pcre2_match_data_free(r->data);
    pcre2_code_free(r->code);
    pcre2_jit_stack_free(r->stack);
    pcre2_match_context_free(r->match);
    pcre2_compile_context_free(r->compile);
    pcre2_general_context_free(r->general);
    return mem_free(r);
}

static bool make_contexts(struct regex *r) {
    r->general = pcre2_general_context_create(take, give_back, NULL);
    if (!r->general)
        return false;
    r->compile = pcre2_compile_context_create(r->general);
    r->match = pcre2_match_context_create(r->general);
    if (!r->compile || !r->match)
        return false;
    pcre2_set_max_pattern_length(r->compile, REGEX_PATTERN_BYTES_MAX);
    pcre2_set_match_limit(r->match, REGEX_STEPS_MAX);
    pcre2_set_depth_limit(r->match, REGEX_DEPTH_MAX);
    pcre2_set_heap_limit(r->match, REGEX_HEAP_KIB_MAX);
    return true;
}

static int compile(struct regex *r, slice pattern, unsigned flags, char *message) {
    uint32_t options = PCRE2_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_BACKSLASH_C;
    options |= flags & REGEX_CASELESS ? PCRE2_CASELESS : 0;
    options |= flags & REGEX_EXTENDED ? PCRE2_EXTENDED : 0;
    int code = 0;
    size_t offset = 0;
    r->code = pcre2_compile((PCRE2_SPTR)(pattern.len ? pattern.ptr : ""), pattern.len, options,
                            &code, &offset, r->compile);
    if (!r->code && (code == PCRE2_ERROR_NOMEMORY || code == PCRE2_ERROR_HEAP_FAILED))
        return -ENOMEM;
    if (!r->code) {
        PCRE2_UCHAR text[REGEX_MESSAGE_BYTES - 32];
        (void)pcre2_get_error_message(code, text, sizeof text);
        (void)snprintf(message, REGEX_MESSAGE_BYTES, "%s", (const char *)text);
        return -EINVAL;
    }
    /* Where no machine code can be made (a hardened kernel), the interpreter does it. */
    (void)pcre2_jit_compile(r->code, PCRE2_JIT_COMPLETE);
    uint32_t groups = 0;
    (void)pcre2_pattern_info(r->code, PCRE2_INFO_CAPTURECOUNT, &groups);
    r->groups = groups;
    r->data = pcre2_match_data_create_from_pattern(r->code, r->general);
    return r->data ? 0 : -ENOMEM;
}

int regex_compile(slice pattern, unsigned flags, struct regex **ret, char *message) {
    struct regex *r = mem_zalloc(1, sizeof *r);
    if (!r)
        return -ENOMEM;
    int failed = make_contexts(r) ? compile(r, pattern, flags, message) : -ENOMEM;
    if (failed) {
        regex_free(r);
        return failed;
    }
    *ret = r;
    return 0;
}

unsigned regex_groups(const struct regex *r) {
    return r->groups;
}

static int run(struct regex *r, slice subject, size_t start) {
    return pcre2_match(r->code, (PCRE2_SPTR)(subject.len ? subject.ptr : ""), subject.len, start,
                       PCRE2_NO_UTF_CHECK, r->data, r->match);
}

int regex_match(struct regex *r, slice subject, size_t start, struct regex_span *spans,
                unsigned count) {
    int found = run(r, subject, start);
    if (found == PCRE2_ERROR_JIT_STACKLIMIT && !r->stack) {
        r->stack = pcre2_jit_stack_create(STACK_BYTES_FIRST, REGEX_STACK_BYTES_MAX, r->general);
        if (!r->stack)
            return -ENOMEM;
        pcre2_jit_stack_assign(r->match, NULL, r->stack);
        found = run(r, subject, start);
    }
    if (found == PCRE2_ERROR_NOMATCH)
        return 0;
    if (found == PCRE2_ERROR_NOMEMORY)
        return -ENOMEM;
    if (found < 0)
        return -E2BIG;
    const size_t *ends = pcre2_get_ovector_pointer(r->data);
    for (unsigned i = 0; i < count; i++) {
        bool part = i <= r->groups && ends[2 * i] != PCRE2_UNSET;
        spans[i].start = part ? ends[2 * i] : REGEX_NONE;
        spans[i].end = part ? ends[2 * i + 1] : REGEX_NONE;
    }
    return 1;
}
