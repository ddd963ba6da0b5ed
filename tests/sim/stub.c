/*
 * stub.c - what the simulation refuses (TLS, child processes: -ENOSYS), and captured log lines.
 */
#include "core.h"

#include "base/clocktext.h"
#include "io/process.h"
#include "io/tls.h"

#include <errno.h>
#include <stdarg.h>

int io_tls_create(struct io_host *host, const struct io_tls_options *options,
                  struct io_tls **ret_tls, struct error *ret_error) {
    (void)host;
    (void)options;
    (void)ret_tls;
    return error_set(ret_error, -ENOSYS, "TLS is not simulated");
}

struct io_tls *io_tls_ref(struct io_tls *tls) {
    return tls;
}

struct io_tls *io_tls_unref(struct io_tls *tls) {
    (void)tls;
    return NULL;
}

int io_stream_start_tls(struct io_stream *stream, struct io_tls *tls, slice already,
                        uint64_t timeout_ns,
                        void (*on_ready)(void *owner, int failed, const char *why)) {
    (void)stream;
    (void)tls;
    (void)already;
    (void)timeout_ns;
    (void)on_ready;
    return -ENOSYS;
}

struct io_tls_info io_stream_tls(const struct io_stream *stream) {
    (void)stream;
    return (struct io_tls_info){
        .version = "", .cipher = "", .alpn = "", .peer_subject = "", .peer_sans = ""};
}

int io_process_start(struct io_loop *loop, const struct io_process_options *options,
                     struct io_process **ret_process) {
    (void)loop;
    (void)options;
    (void)ret_process;
    return -ENOSYS;
}

void io_process_signal(struct io_process *process, int signum) {
    (void)signum;
    check(process == NULL); /* none was ever handed out */
}

int io_process_id(const struct io_process *process) {
    check(process == NULL);
    return 0;
}

/* --- logger ----------------------------------------------------------------------------------- */

struct logger {
    struct io_host *host;
    enum log_level level;
};

int logger_create(struct io_host *host, enum log_level level, struct logger **ret) {
    struct logger *logger = mem_zalloc(1, sizeof(*logger));
    if (!logger)
        return -ENOMEM;
    *logger = (struct logger){host, level};
    *ret = logger;
    return 0;
}

struct logger *logger_free(struct logger *logger) {
    mem_free(logger);
    return NULL;
}

void logger_set_level(struct logger *logger, enum log_level level) {
    logger->level = level;
}

bool logger_shows(const struct logger *logger, enum log_level level) {
    return logger && level <= logger->level;
}

/* Values are not quoted: tests look for what was meant, not for the form. */
void logger_write(struct logger *logger, enum log_level level, const char *area,
                  const char *message, const char *fields, ...) {
    static const char *const names[] = {"error", "warn", "info", "debug"};
    if (!logger_shows(logger, level))
        return;
    char line[LOGGER_LINE_MAX], values[LOGGER_LINE_MAX] = "";
    if (fields) {
        va_list arguments;
        va_start(arguments, fields);
        vsnprintf(values, sizeof(values), fields, arguments);
        va_end(arguments);
    }
    int len = snprintf(line, sizeof(line) - 1, "%s %s %s%s%s", names[level], area, message,
                       fields ? " " : "", values);
    size_t size = len < (int)sizeof(line) - 1 ? (size_t)len : sizeof(line) - 2;
    line[size++] = '\n';
    sim_host_log(logger->host, line, size);
}
