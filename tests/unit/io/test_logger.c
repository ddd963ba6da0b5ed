#include "stage.h"

#include "io/logger.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* stderr goes to a file while a case runs. */
struct paper {
    struct io_host *host;
    struct logger *logger;
    int stderr_before;
    FILE *file;
    char text[200000];
};

static int open_paper(void **state) {
    struct paper *paper = calloc(1, sizeof *paper);
    check(io_host_create(&paper->host) == 0);
    check(logger_create(paper->host, LOG_LEVEL_INFO, &paper->logger) == 0);
    paper->file = tmpfile();
    paper->stderr_before = dup(STDERR_FILENO);
    check(paper->file && dup2(fileno(paper->file), STDERR_FILENO) >= 0);
    check(fcntl(STDERR_FILENO, F_SETFL, O_APPEND) == 0);
    *state = paper;
    return 0;
}

static int close_paper(void **state) {
    struct paper *paper = *state;
    close(paper->stderr_before);
    fclose(paper->file);
    logger_free(paper->logger);
    io_host_free(paper->host);
    free(paper);
    return 0;
}

/* What was written, and stderr back in its place. */
static const char *read_paper(struct paper *paper) {
    dup2(paper->stderr_before, STDERR_FILENO);
    rewind(paper->file);
    size_t size = fread(paper->text, 1, sizeof paper->text - 1, paper->file);
    paper->text[size] = '\0';
    return paper->text;
}

/* The line behind its time. */
static const char *behind_time(const char *line) {
    assert_true(strlen(line) > 25);
    assert_int_equal(line[10], 'T');
    assert_int_equal(line[23], 'Z');
    return line + 25;
}

static void a_line_is_time_level_area_message_fields(void **state) {
    struct paper *paper = *state;
    logger_write(paper->logger, LOG_LEVEL_INFO, "nats", "client connected", "cid=%u peer=%s", 7u,
                 "127.0.0.1:41234");
    logger_write(paper->logger, LOG_LEVEL_ERROR, "log", "disk is full", NULL);
    char *second = strchr(read_paper(paper), '\n') + 1;
    second[-1] = '\0';
    assert_string_equal(behind_time(paper->text),
                        "info  nats  client connected cid=7 peer=127.0.0.1:41234");
    assert_string_equal(behind_time(second), "error log   disk is full\n");
}

static void every_kind_of_number_is_printed(void **state) {
    struct paper *paper = *state;
    logger_write(paper->logger, LOG_LEVEL_WARN, "a", "m",
                 "d=%d u=%u ld=%ld lu=%lu lld=%lld llu=%llu zu=%zu x=%08x c=%c f=%.2f p=%" PRIu64
                 " s=%.*s mixed=%s:%u%% none=%s",
                 -1, 2u, -3L, 4UL, -5LL, 6ULL, (size_t)7, 0xabu, 'z', 1.5, UINT64_MAX, 2, "abc",
                 "host", 80u, "");
    assert_string_equal(behind_time(read_paper(paper)),
                        "warn  a     m d=-1 u=2 ld=-3 lu=4 lld=-5 llu=6 zu=7 x=000000ab c=z f=1.50 "
                        "p=18446744073709551615 s=ab mixed=host:80% none=\"\"\n");
}

static void strangers_cannot_forge_a_line_or_a_field(void **state) {
    struct paper *paper = *state;
    logger_write(paper->logger, LOG_LEVEL_WARN, "nats", "bad\nmessage",
                 "a=%s b=%s c=%s d=%s e=%s f=%s", "x\n2026-01-01T00:00:00.000Z error log forged",
                 "1 admin=yes", "say \"hi\"\\", "caf\xc3\xa9 \xff\x1b[31m", "\xe2\x80\xaetxt",
                 "a=b");
    assert_string_equal(
        behind_time(read_paper(paper)),
        "warn  nats  bad\\nmessage a=\"x\\n2026-01-01T00:00:00.000Z error log forged\" "
        "b=\"1 admin=yes\" c=\"say \\\"hi\\\"\\\\\" d=\"caf\xc3\xa9 \\ufffd\\u001b[31m\" "
        "e=\"\\u202etxt\" f=\"a=b\"\n");
}

static void a_line_too_long_is_cut(void **state) {
    struct paper *paper = *state;
    char large[5000];
    memset(large, 'x', sizeof large);
    large[sizeof large - 1] = '\0';
    logger_write(paper->logger, LOG_LEVEL_INFO, "a", "m", "a=%s b=%s c=%s", large, large, large);
    const char *text = read_paper(paper);
    assert_true(strlen(text) <= LOGGER_LINE_MAX);
    assert_string_equal(text + strlen(text) - 4, "...\n");
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
}

static void levels_choose(void **state) {
    struct paper *paper = *state;
    logger_write(paper->logger, LOG_LEVEL_DEBUG, "a", "hidden", NULL);
    logger_write(NULL, LOG_LEVEL_ERROR, "a", "hidden", NULL);
    assert_false(logger_shows(paper->logger, LOG_LEVEL_DEBUG));
    assert_false(logger_shows(NULL, LOG_LEVEL_ERROR));
    logger_set_level(paper->logger, LOG_LEVEL_DEBUG);
    assert_true(logger_shows(paper->logger, LOG_LEVEL_DEBUG));
    logger_write(paper->logger, LOG_LEVEL_DEBUG, "a", "shown", NULL);
    logger_set_level(paper->logger, LOG_LEVEL_ERROR);
    logger_write(paper->logger, LOG_LEVEL_WARN, "a", "hidden", NULL);
    assert_string_equal(behind_time(read_paper(paper)), "debug a     shown\n");
}

static void *write_many(void *argument) {
    struct paper *paper = argument;
    for (unsigned i = 0; i < 500; i++)
        logger_write(paper->logger, LOG_LEVEL_INFO, "area", "a line of some length",
                     "number=%u text=%s", i, "with a blank");
    return NULL;
}

static void lines_of_threads_do_not_mix(void **state) {
    struct paper *paper = *state;
    pthread_t threads[3];
    for (unsigned i = 0; i < 3; i++)
        check(pthread_create(&threads[i], NULL, write_many, paper) == 0);
    for (unsigned i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    char *line = (char *)read_paper(paper);
    unsigned lines = 0;
    for (char *end; (end = strchr(line, '\n')); line = end + 1, lines++) {
        *end = '\0';
        const char *rest = behind_time(line);
        assert_int_equal(strncmp(rest, "info  area  a line of some length number=", 41), 0);
        assert_string_equal(end - 20, " text=\"with a blank\"");
    }
    assert_int_equal(lines, 1500);
    assert_null(logger_free(NULL));
}

static void nats_servers_form_has_another_head(void **state) {
    struct paper *paper = *state;
    char head[64];
    logger_set_form(paper->logger, true, false);
    logger_write(paper->logger, LOG_LEVEL_INFO, "node", "Server is ready", NULL);
    logger_set_form(paper->logger, true, true);
    logger_write(paper->logger, LOG_LEVEL_WARN, "node", "x", "a=%d", 1);
    const char *text = read_paper(paper);
    int len = snprintf(head, sizeof head, "[%d] [INF] Server is ready\n[%d] ", (int)getpid(),
                       (int)getpid());
    assert_int_equal(strncmp(text, head, (size_t)len), 0);
    unsigned year, month, day, hour, minute, second, micro;
    assert_int_equal(sscanf(text + len, "%4u/%2u/%2u %2u:%2u:%2u.%6u [WRN] x a=1\n", &year, &month,
                            &day, &hour, &minute, &second, &micro),
                     7);
}

static void without_times_a_line_begins_with_its_level(void **state) {
    struct paper *paper = *state;
    logger_set_form(paper->logger, false, false);
    logger_write(paper->logger, LOG_LEVEL_INFO, "node", "ready", NULL);
    assert_string_equal(read_paper(paper), "info  node  ready\n");
}

static void assert_file(const char *path, const char *expected) {
    char text[512] = "";
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t size = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    assert_int_equal(size, strlen(expected));
    assert_string_equal(text, expected);
}

static void a_file_is_added_to_and_can_be_opened_anew(void **state) {
    struct paper *paper = *state;
    char folder[] = "logger-XXXXXX", path[32], old[32], nowhere[32];
    check(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/log", folder);
    snprintf(old, sizeof old, "%s/old", folder);
    snprintf(nowhere, sizeof nowhere, "%s/a/b", folder);
    assert_int_equal(logger_reopen(paper->logger), 0); /* there is none: nothing to do */
    assert_int_equal(logger_set_file(paper->logger, nowhere), -ENOENT);
    assert_int_equal(logger_set_file(paper->logger, path), 0);
    logger_set_form(paper->logger, false, false);
    logger_write(paper->logger, LOG_LEVEL_INFO, "a", "one", NULL);
    check(rename(path, old) == 0);
    logger_write(paper->logger, LOG_LEVEL_INFO, "a", "two", NULL);
    assert_int_equal(logger_reopen(paper->logger), 0);
    logger_write(paper->logger, LOG_LEVEL_INFO, "a", "three", NULL);
    assert_file(old, "info  a     one\ninfo  a     two\n");
    assert_file(path, "info  a     three\n");
    assert_string_equal(read_paper(paper), "");
    check(unlink(old) == 0 && unlink(path) == 0 && rmdir(folder) == 0);
}

#define case_on_paper(f) cmocka_unit_test_setup_teardown(f, open_paper, close_paper)

int main(void) {
    const struct CMUnitTest tests[] = {
        case_on_paper(a_line_is_time_level_area_message_fields),
        case_on_paper(every_kind_of_number_is_printed),
        case_on_paper(strangers_cannot_forge_a_line_or_a_field),
        case_on_paper(a_line_too_long_is_cut),
        case_on_paper(levels_choose),
        case_on_paper(lines_of_threads_do_not_mix),
        case_on_paper(nats_servers_form_has_another_head),
        case_on_paper(without_times_a_line_begins_with_its_level),
        case_on_paper(a_file_is_added_to_and_can_be_opened_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
