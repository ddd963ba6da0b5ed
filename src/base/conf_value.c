/*
 * conf_value.c - scalars of a configuration: references, types, ranges.
 */
#include "base/conf_value.h"

#include "base/edit.h"

#include <errno.h>
#include <stdio.h>

#define SHOWN_MAX 64 /* bytes of a value that a message repeats */
#define HOST_MAX 255
#define DEFAULT_HOST "127.0.0.1"

static const struct {
    const char *name;
    const char *form;
    size_t size;
} types[] = {
    [CONF_BOOL] = {"boolean", "true or false", sizeof(bool)},
    [CONF_INT] = {"whole number", "a whole number", sizeof(int64_t)},
    [CONF_SIZE] = {"size", "bytes, or a size such as 64KB, 1MB or 2GB", sizeof(uint64_t)},
    [CONF_DURATION] = {"duration", "a time such as 500ms, 2s, 1h30m or 7d", sizeof(uint64_t)},
    [CONF_RATE] = {"rate", "a rate such as 100/s or 6000/m", sizeof(struct number_rate)},
    [CONF_STRING] = {"text", "text", sizeof(slice)},
    [CONF_ENUM] = {"word", "one of the words", sizeof(int)},
    [CONF_ADDRESS] = {"address", "HOST:PORT, [IPV6]:PORT, or a port alone on " DEFAULT_HOST,
                      sizeof(struct conf_address)},
    [CONF_PATH] = {"path", "a path", sizeof(slice)},
    [CONF_LIST] = {"list", "[a, b]", 0},
    [CONF_MAP] = {"map", "{name: …}", 0},
    [CONF_SECTION] = {"section", "{key: value}", 0},
    [CONF_ANY] = {"anything", "any value", 0},
};

size_t conf_value_size(enum conf_type type) {
    check((size_t)type < array_count(types) && types[type].size > 0);
    return types[type].size;
}

const char *conf_type_name(enum conf_type type) {
    check((size_t)type < array_count(types));
    return types[type].name;
}

const char *conf_type_form(enum conf_type type) {
    check((size_t)type < array_count(types));
    return types[type].form;
}

/* BYTES exactly, in the largest unit that says it in a whole number. */
static void size_text(uint64_t bytes, char *out) {
    static const char *const units[] = {"", "KB", "MB", "GB", "TB", "PB", "EB"};
    size_t unit = 0;
    while (bytes >= 1024 && bytes % 1024 == 0 && unit + 1 < array_count(units)) {
        bytes /= 1024;
        unit++;
    }
    size_t len = number_format_u64(bytes, out);
    memcpy(out + len, units[unit], strlen(units[unit]) + 1);
}

void conf_bound_text(enum conf_type type, uint64_t bound, char *out) {
    if (type == CONF_DURATION) {
        number_format_duration(bound, out);
    } else if (type == CONF_SIZE) {
        size_text(bound, out);
    } else {
        out[number_format_u64(bound, out)] = '\0';
    }
}

void conf_range_text(const struct conf_key *key, char *out, size_t size) {
    char min[64];
    char max[64];
    conf_bound_text(key->type, key->min, min);
    conf_bound_text(key->type, key->max, max);
    const char *word = key->zero_word && key->min > 0 ? key->zero_word : "";
    const char *comma = *word ? ", or " : "";
    if (key->max > 0 && key->min > 0) {
        snprintf(out, size, "%s to %s%s%s", min, max, comma, word);
    } else if (key->max > 0) {
        snprintf(out, size, "at most %s", max);
    } else if (key->min > 0) {
        snprintf(out, size, "at least %s%s%s", min, comma, word);
    } else {
        snprintf(out, size, "%s", key->zero_word ? key->zero_word : "");
    }
}

static bool is_name(slice name) {
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
        if (!letter && (i == 0 || c < '0' || c > '9')) {
            return false;
        }
    }
    return name.len > 0;
}

/* Appends the value of the reference at the start of *REST, which begins with "${". */
static int append_variable(const struct conf_reader *reader, slice *rest, struct buf *out,
                           struct error *e) {
    ptrdiff_t end = slice_find(*rest, '}');
    slice name = slice_skip(slice_take(*rest, end < 0 ? 0 : (size_t)end), 2);
    if (!is_name(name)) {
        error_set(e, -EINVAL, "has a '${' that is no reference");
        error_hint(e, "write ${NAME} for an environment variable, or $${ for a plain ${");
        return -EINVAL;
    }
    slice value;
    const struct conf_lookup *lookup = &reader->lookup;
    int r = lookup->variable ? lookup->variable(lookup->argument, name, reader->arena, &value)
                             : -ENOENT;
    if (r == -ENOMEM) {
        return r;
    }
    if (r < 0) {
        error_set(e, -EINVAL, "needs the environment variable %.*s, which is not set",
                  slice_fmt(name));
        error_hint(e, "set it before nonet starts, or write the value itself");
        return -EINVAL;
    }
    *rest = slice_skip(*rest, (size_t)end + 1);
    return buf_append(out, value);
}

/* TEXT with every ${NAME} replaced and every $${ made plain. */
static int expand(const struct conf_reader *reader, slice text, struct buf *out, struct error *e) {
    unsigned references = 0;
    while (text.len > 0) {
        ptrdiff_t dollar = slice_find(text, '$');
        size_t plain = dollar < 0 ? text.len : (size_t)dollar;
        int r = buf_append(out, slice_take(text, plain));
        text = slice_skip(text, plain);
        if (r == 0 && slice_starts_with(text, slice_lit("$${"))) {
            r = buf_append(out, slice_lit("${"));
            text = slice_skip(text, 3);
        } else if (r == 0 && slice_starts_with(text, slice_lit("${"))) {
            if (references++ == CONF_REFERENCES_MAX) {
                return -ENOBUFS;
            }
            r = append_variable(reader, &text, out, e);
        } else if (r == 0 && text.len > 0) {
            r = buf_append_byte(out, '$');
            text = slice_skip(text, 1);
        }
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

/* The content of the file that a secret's `file:PATH` names. */
static int read_file(const struct conf_reader *reader, slice path, slice *ret_text,
                     struct error *e) {
    const struct conf_lookup *lookup = &reader->lookup;
    slice content;
    int r = lookup->file ? lookup->file(lookup->argument, path, reader->arena, &content) : -ENOSYS;
    if (r == -ENOMEM) {
        return r;
    }
    if (r == 0 && content.len > CONF_VALUE_MAX) {
        r = -EFBIG;
    }
    if (r < 0) {
        return error_set(e, -EINVAL, "cannot be read from the file '%.*s': %s", slice_fmt(path),
                         error_name(r));
    }
    content.len -= slice_ends_with(content, slice_lit("\n"));
    content.len -= slice_ends_with(content, slice_lit("\r"));
    return arena_copy(reader->arena, content, ret_text);
}

int conf_value_resolve(const struct conf_reader *reader, const struct conf_key *key, slice text,
                       slice *ret_text, struct error *e) {
    struct buf expanded _cleanup_buf_ = buf_make(CONF_VALUE_MAX);
    int r = expand(reader, text, &expanded, e);
    if (r == -ENOBUFS) {
        return error_set(e, -EINVAL, "is too long once its references are replaced: at most %u",
                         CONF_VALUE_MAX);
    }
    slice resolved = buf_slice(&expanded);
    /* Only what stands in the file itself can be a file reference, not what a variable held. */
    if (r == 0 && (key->flags & CONF_SECRET) && slice_starts_with(text, slice_lit("file:"))) {
        return read_file(reader, slice_skip(resolved, 5), ret_text, e);
    }
    return r < 0 ? r : arena_copy(reader->arena, resolved, ret_text);
}

/* Whether HOST, with brackets where it has them, can stand before a port. */
static bool is_host(slice host) {
    bool open = slice_starts_with(host, slice_lit("["));
    bool closed = slice_ends_with(host, slice_lit("]"));
    slice inside = open && closed ? slice_take(slice_skip(host, 1), host.len - 2) : host;
    bool has_colon = slice_find(inside, ':') >= 0;
    if (inside.len == 0 || inside.len > HOST_MAX || (open && closed) != has_colon) {
        return false;
    }
    for (size_t i = 0; i < inside.len; i++) {
        char c = inside.ptr[i];
        if (c <= ' ' || c == '[' || c == ']' || c == '/' || c == '@' || c == 0x7f) {
            return false;
        }
    }
    return true;
}

int conf_parse_address(struct arena *arena, slice text, struct conf_address *ret_address) {
    uint64_t port;
    size_t colon = text.len;
    while (colon > 0 && text.ptr[colon - 1] != ':') {
        colon--;
    }
    /* COLON is behind the last colon, or 0 where the port stands alone. */
    slice host = colon ? slice_take(text, colon - 1) : slice_lit(DEFAULT_HOST);
    if (number_parse_u64(slice_skip(text, colon), &port) < 0 || port > UINT16_MAX ||
        !is_host(host)) {
        return -EINVAL;
    }
    slice whole;
    int r = arena_printf(arena, &whole, "%.*s:%u", slice_fmt(host), (unsigned)port);
    if (r < 0) {
        return r;
    }
    host = slice_take(whole, host.len);
    if (slice_starts_with(host, slice_lit("["))) {
        host = slice_take(slice_skip(host, 1), host.len - 2);
    }
    *ret_address = (struct conf_address){whole, host, (uint16_t)port};
    return 0;
}

static int read_path(const struct conf_reader *reader, slice text, void *into) {
    slice path = text;
    int r = 0;
    if (slice_equal(text, slice_lit(".")) && reader->directory.len > 0) {
        path = reader->directory;
    } else if (reader->directory.len > 0 && !slice_starts_with(text, slice_lit("/"))) {
        r = arena_printf(reader->arena, &path, "%.*s/%.*s", slice_fmt(reader->directory),
                         slice_fmt(text));
    }
    memcpy(into, &path, r == 0 ? sizeof(path) : 0);
    return r;
}

static int read_word(const struct conf_key *key, slice text, void *into, struct error *e) {
    char list[160] = "";
    size_t len = 0;
    int count = 0;
    for (; key->words[count]; count++) {
        if (slice_equal(text, slice_str(key->words[count]))) {
            memcpy(into, &count, sizeof(count));
            return 0;
        }
        int n =
            snprintf(list + len, sizeof(list) - len, "%s%s", count ? ", " : "", key->words[count]);
        len = n > 0 && len + (size_t)n < sizeof(list) ? len + (size_t)n : len;
    }
    error_set(e, -EINVAL, "is not one of its words");
    ptrdiff_t near = edit_closest(text, key->words, (size_t)count);
    if (near >= 0) {
        error_hint(e, "did you mean '%s'?", key->words[near]);
    } else {
        error_hint(e, "one of %s", list);
    }
    return -EINVAL;
}

/* Reads a number of TYPE; *RET_AMOUNT is what the key's range is about. */
static int read_number(enum conf_type type, slice text, void *into, uint64_t *ret_amount) {
    int64_t number = 0;
    uint64_t amount = 0;
    int r;
    if (type == CONF_INT) {
        r = number_parse_i64(text, INT64_MIN, INT64_MAX, &number);
        /* A negative number lies outside every range, as something above them all. */
        amount = number < 0 ? UINT64_MAX : (uint64_t)number;
        memcpy(into, &number, r == 0 ? sizeof(number) : 0);
    } else {
        r = type == CONF_SIZE ? number_parse_size(text, &amount)
                              : number_parse_duration(text, &amount);
        memcpy(into, &amount, r == 0 ? sizeof(amount) : 0);
    }
    *ret_amount = amount;
    return r;
}

static int refuse_form(const struct conf_key *key, enum conf_type type, slice text, int r,
                       struct error *e) {
    const char *what = r == -ERANGE ? "is out of range for a" : "is not a";
    const char *name = conf_type_name(type);
    const char *article = *name == 'a' ? "n" : "";
    if (key->flags & CONF_SECRET) {
        error_set(e, -EINVAL, "%s%s %s", what, article, name);
    } else {
        error_set(e, -EINVAL, "%s%s %s: '%.*s'", what, article, name,
                  slice_fmt(slice_take(text, SHOWN_MAX)));
    }
    if (key->zero_word) {
        error_hint(e, "write %s, or %s", conf_type_form(type), key->zero_word);
    } else {
        error_hint(e, "write %s", conf_type_form(type));
    }
    return -EINVAL;
}

static int refuse_range(const struct conf_key *key, struct error *e) {
    char range[160];
    conf_range_text(key, range, sizeof(range));
    error_set(e, -EINVAL, "is outside its range");
    error_hint(e, "write %s", *range ? range : "0 or more");
    return -EINVAL;
}

/* The range of a list or map is about how many it holds, so its elements have only their type's. */
static bool in_range(const struct conf_key *key, enum conf_type type, uint64_t amount) {
    bool element = key->type != type;
    uint64_t type_max = type == CONF_INT ? INT64_MAX : UINT64_MAX;
    uint64_t min = element ? 0 : key->min;
    uint64_t max = element || key->max == 0 ? type_max : key->max;
    return amount >= min && amount <= max;
}

int conf_value_read(const struct conf_reader *reader, const struct conf_key *key,
                    enum conf_type type, slice text, void *into, struct error *e) {
    uint64_t amount = key->min; /* where the type has no range: inside it */
    int r = 0;
    switch (type) {
    case CONF_BOOL:
        r = number_parse_bool(text, into);
        break;
    case CONF_INT:
    case CONF_SIZE:
    case CONF_DURATION:
        if (key->zero_word && slice_equal(text, slice_str(key->zero_word))) {
            memset(into, 0, conf_value_size(type));
            return 0;
        }
        r = read_number(type, text, into, &amount);
        break;
    case CONF_RATE:
        r = number_parse_rate(text, into);
        break;
    case CONF_ENUM:
        return read_word(key, text, into, e);
    case CONF_ADDRESS:
        r = conf_parse_address(reader->arena, text, into);
        break;
    case CONF_PATH:
        r = text.len > 0 ? read_path(reader, text, into) : -EINVAL;
        amount = text.len;
        break;
    case CONF_STRING:
        memcpy(into, &text, sizeof(text));
        amount = text.len;
        break;
    default:
        check(false); /* no scalar type */
    }
    if (r == -ENOMEM) {
        return r;
    }
    if (r < 0) {
        return refuse_form(key, type, text, r, e);
    }
    if (!in_range(key, type, amount)) {
        return refuse_range(key, e);
    }
    return key->judge ? key->judge(text, e) : 0;
}
