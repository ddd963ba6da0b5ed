#include "io/logger.h"

#include "base/clocktext.h"
#include "base/mem.h"
#include "base/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#define VALUE_MAX 1024  /* text of one field before quoting; longer is cut */
#define SPEC_MAX 24     /* one conversion, "%-20.12llu" */
#define LINE_END_ROOM 4 /* for the mark of a cut line and the newline */

struct logger {
    struct io_host *host;
    _Atomic(int) level;
    int out;    /* stays the same number when the file is opened anew */
    char *path; /* NULL: stderr */
    bool nats, times;
};

/* A line under construction; what does not fit is left out and marked. */
struct line {
    char text[LOGGER_LINE_MAX];
    size_t len;
    bool cut;
};

int logger_create(struct io_host *host, enum log_level level, struct logger **ret) {
    struct logger *logger = mem_zalloc(1, sizeof *logger);
    if (!logger)
        return -ENOMEM;
    logger->host = host;
    logger->out = STDERR_FILENO;
    logger->times = true;
    atomic_init(&logger->level, (int)level);
    *ret = logger;
    return 0;
}

static int open_file(const char *path) {
    int file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    return file >= 0 ? file : -errno;
}

void logger_set_form(struct logger *logger, bool nats, bool times) {
    logger->nats = nats;
    logger->times = times;
}

int logger_set_file(struct logger *logger, const char *path) {
    check(!logger->path);
    char *copy = mem_copy(path, strlen(path));
    if (!copy)
        return -ENOMEM;
    int file = open_file(path);
    if (file < 0) {
        mem_free(copy);
        return file;
    }
    logger->path = copy;
    logger->out = file;
    return 0;
}

int logger_reopen(struct logger *logger) {
    if (!logger->path)
        return 0;
    int file = open_file(logger->path);
    if (file < 0)
        return file;
    int failed = dup3(file, logger->out, O_CLOEXEC) < 0 ? -errno : 0;
    close(file);
    return failed;
}

struct logger *logger_free(struct logger *logger) {
    if (logger && logger->path) {
        close(logger->out);
        mem_free(logger->path);
    }
    return mem_free(logger);
}

void logger_set_level(struct logger *logger, enum log_level level) {
    atomic_store_explicit(&logger->level, (int)level, memory_order_relaxed);
}

bool logger_shows(const struct logger *logger, enum log_level level) {
    return logger && (int)level <= atomic_load_explicit(&logger->level, memory_order_relaxed);
}

/* --- text ------------------------------------------------------------------------------------- */

static void add(struct line *line, slice text) {
    size_t room = sizeof line->text - LINE_END_ROOM - line->len;
    if (line->cut || text.len > room) {
        line->cut = true;
        return;
    }
    if (text.len > 0)
        memcpy(line->text + line->len, text.ptr, text.len);
    line->len += text.len;
}

/* What could end a line, move a terminal's cursor or turn the direction of writing. */
static bool is_control(uint32_t point) {
    return point < 0x20 || (point >= 0x7f && point < 0xa0) || (point >= 0x200b && point < 0x2010) ||
           (point >= 0x2028 && point < 0x202f) || (point >= 0x2060 && point < 0x2070) ||
           point == 0xfeff;
}

/* The first character of TEXT as a JSON string would hold it. Returns the bytes it had. */
static size_t add_escaped(struct line *line, slice text) {
    uint32_t point = UTF8_REPLACEMENT;
    int width = utf8_decode(text, &point);
    char escape[8] = "";
    if (point == '"' || point == '\\')
        snprintf(escape, sizeof escape, "\\%c", (int)point);
    else if (point == '\n')
        snprintf(escape, sizeof escape, "\\n");
    else if (width < 0 || is_control(point))
        snprintf(escape, sizeof escape, "\\u%04x", (unsigned)(point & 0xffff));
    if (escape[0])
        add(line, slice_str(escape));
    else
        add(line, slice_take(text, (size_t)width));
    return width > 0 ? (size_t)width : 1;
}

static void add_all_escaped(struct line *line, slice text) {
    while (text.len > 0)
        text = slice_skip(text, add_escaped(line, text));
}

/* May VALUE stand without quotes? */
static bool is_plain(slice value) {
    for (size_t i = 0; i < value.len; i++) {
        unsigned char byte = (unsigned char)value.ptr[i];
        if (byte <= ' ' || byte >= 0x7f || byte == '"' || byte == '\\' || byte == '=')
            return false;
    }
    return value.len > 0;
}

static void add_value(struct line *line, slice value) {
    if (is_plain(value)) {
        add(line, value);
        return;
    }
    add(line, slice_lit("\""));
    add_all_escaped(line, value);
    add(line, slice_lit("\""));
}

/* --- fields ----------------------------------------------------------------------------------- */

/* A conversion found in a format: its text, and what its argument is. */
struct spec {
    char text[SPEC_MAX];
    char length; /* 0, 'l', 'L' for ll, 'z', 'j', 't'; h and hh are promoted to int */
    char conversion;
    int stars;
};

/* Reads the conversion behind a '%'. Returns what follows it. */
static const char *read_spec(const char *at, struct spec *ret_spec) {
    struct spec spec = {.text = "%"};
    size_t len = 1;
    for (; *at && strchr("-+ #0123456789.*hlzjt", *at); at++) {
        check(len < sizeof spec.text - 2);
        spec.text[len++] = *at;
        if (*at == '*')
            spec.stars++;
        else if (*at == 'l')
            spec.length = spec.length == 'l' ? 'L' : 'l';
        else if (*at == 'z' || *at == 'j' || *at == 't')
            spec.length = *at;
    }
    check(*at != '\0' && spec.stars <= 1);
    spec.text[len++] = spec.conversion = *at;
    *ret_spec = spec;
    return at + 1;
}

struct arguments {
    va_list list;
};

static unsigned long long take_integer(struct arguments *arguments, char length) {
    switch (length) {
    case 'l':
        return va_arg(arguments->list, unsigned long);
    case 'L':
        return va_arg(arguments->list, unsigned long long);
    case 'z':
    case 't':
        return va_arg(arguments->list, size_t);
    case 'j':
        return va_arg(arguments->list, uintmax_t);
    default:
        return va_arg(arguments->list, unsigned);
    }
}

/* Brings an integer back to the type its conversion names. */
static int print_integer(char *out, size_t size, const struct spec *spec,
                         unsigned long long number) {
    switch (spec->length) {
    case 'l':
        return snprintf(out, size, spec->text, (unsigned long)number);
    case 'L':
        return snprintf(out, size, spec->text, number);
    case 'z':
    case 't':
        return snprintf(out, size, spec->text, (size_t)number);
    case 'j':
        return snprintf(out, size, spec->text, (uintmax_t)number);
    default:
        return snprintf(out, size, spec->text, (unsigned)number);
    }
}

/* Prints one conversion to OUT. Returns how many bytes it wrote. */
static size_t print_spec(char *out, size_t size, const struct spec *spec,
                         struct arguments *arguments) {
    int star = spec->stars ? va_arg(arguments->list, int) : 0;
    int printed;
    switch (spec->conversion) {
    case 's': {
        const char *text = va_arg(arguments->list, const char *);
        printed = spec->stars ? snprintf(out, size, spec->text, star, text ? text : "")
                              : snprintf(out, size, spec->text, text ? text : "");
        break;
    }
    case 'p':
        printed = snprintf(out, size, spec->text, va_arg(arguments->list, void *));
        break;
    case 'e':
    case 'f':
    case 'g':
        printed = snprintf(out, size, spec->text, va_arg(arguments->list, double));
        break;
    default:
        check(strchr("diuxXoc", spec->conversion) && spec->stars == 0);
        printed = print_integer(out, size, spec, take_integer(arguments, spec->length));
    }
    if (printed < 0)
        return 0;
    return (size_t)printed < size ? (size_t)printed : size - 1;
}

/* "key=%…" pairs. A value is printed on its own and then quoted, so that no value, whatever
   stranger chose it, can look like two. */
static void add_fields(struct line *line, const char *at, struct arguments *arguments) {
    while (*at) {
        const char *equals = strchr(at, '=');
        check(equals != NULL);
        add(line, slice_lit(" "));
        add(line, slice_make(at, (size_t)(equals + 1 - at)));
        char value[VALUE_MAX];
        size_t len = 0;
        for (at = equals + 1; *at && *at != ' ';) {
            if (*at == '%' && at[1] != '%') {
                struct spec spec;
                at = read_spec(at + 1, &spec);
                len += print_spec(value + len, sizeof value - len, &spec, arguments);
            } else {
                at += *at == '%';
                if (len < sizeof value - 1)
                    value[len++] = *at;
                at++;
            }
        }
        add_value(line, slice_make(value, len));
        at += *at == ' ';
    }
}

/* --- writing ---------------------------------------------------------------------------------- */

static void add_nats_head(struct line *line, const struct logger *logger,
                          struct clocktext_civil time, enum log_level level) {
    static const char *const names[] = {"ERR", "WRN", "INF", "DBG", "TRC"};
    char head[80], clock[48] = "";
    if (logger->times)
        snprintf(clock, sizeof clock, "%04lld/%02u/%02u %02u:%02u:%02u.%06u ", (long long)time.year,
                 time.month, time.day, time.hour, time.minute, time.second, time.nanosecond / 1000);
    snprintf(head, sizeof head, "[%d] %s[%s] ", (int)getpid(), clock, names[level]);
    add(line, slice_str(head));
}

static void add_head(struct line *line, const struct logger *logger, enum log_level level,
                     const char *area) {
    static const char *const names[] = {"error", "warn ", "info ", "debug", "trace"};
    struct clocktext_civil time = clocktext_civil(io_host_wall_ns(logger->host));
    char head[80];
    if (logger->nats) {
        add_nats_head(line, logger, time, level);
        return;
    }
    if (!logger->times) {
        snprintf(head, sizeof head, "%s %-5.16s ", names[level], area);
        add(line, slice_str(head));
        return;
    }
    snprintf(head, sizeof head, "%04lld-%02u-%02uT%02u:%02u:%02u.%03uZ %s %-5.16s ",
             (long long)time.year, time.month, time.day, time.hour, time.minute, time.second,
             time.nanosecond / 1000000, names[level], area);
    add(line, slice_str(head));
}

/* One write a line, so that lines of different threads never mix. */
static void put(const struct logger *logger, struct line *line) {
    if (line->cut) {
        memcpy(line->text + line->len, "...", 3);
        line->len += 3;
    }
    line->text[line->len++] = '\n';
    size_t done = 0;
    while (done < line->len) {
        ssize_t wrote = write(logger->out, line->text + done, line->len - done);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return; /* nowhere left to complain */
        done += (size_t)wrote;
    }
}

void logger_write(struct logger *logger, enum log_level level, const char *area,
                  const char *message, const char *fields, ...) {
    if (!logger_shows(logger, level))
        return;
    struct line line;
    line.len = 0;
    line.cut = false;
    add_head(&line, logger, level, area);
    add_all_escaped(&line, slice_str(message));
    if (fields) {
        struct arguments arguments;
        va_start(arguments.list, fields);
        add_fields(&line, fields, &arguments);
        va_end(arguments.list);
    }
    put(logger, &line);
}
