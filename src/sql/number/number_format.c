/*
 * number_format.c - reading a pattern, and filling it (number_format.h).
 *
 * Filled, position K before the point holds nothing (the number is shorter and no 0 asks for
 * more), a filling zero, or a digit; a lone 0 before a fraction is not shown unless a 0 stands in
 * the pattern. The sign goes right before the first position that shows something, brackets
 * around. With FM nothing is padded and zeros at the end of the fraction go, but those that a 0
 * in the pattern holds.
 */
#include "sql/number/number_format.h"

#include "base/utf8.h"

#include <errno.h>

/* ---- reading --------------------------------------------------------------------------------- */

/* Longer ones first. */
static const struct {
    const char *word;
    uint8_t kind;
    bool lower;
} words[] = {
    {"EEEE", FORMAT_EXPONENT, false}, {"eeee", FORMAT_EXPONENT, false},
    {"FM", FORMAT_FILL, false},       {"fm", FORMAT_FILL, false},
    {"MI", FORMAT_MINUS, false},      {"mi", FORMAT_MINUS, false},
    {"PL", FORMAT_PLUS, false},       {"pl", FORMAT_PLUS, false},
    {"PR", FORMAT_BRACKETS, false},   {"pr", FORMAT_BRACKETS, false},
    {"RN", FORMAT_ROMAN, false},      {"rn", FORMAT_ROMAN, true},
    {"SP", FORMAT_BLANK, false},      {"sp", FORMAT_BLANK, false},
    {"SG", FORMAT_BOTH, false},       {"sg", FORMAT_BOTH, false},
    {"TH", FORMAT_ORDINAL, false},    {"th", FORMAT_ORDINAL, true},
    {"9", FORMAT_NINE, false},        {"0", FORMAT_ZERO, false},
    {".", FORMAT_POINT, false},       {"D", FORMAT_POINT, false},
    {"d", FORMAT_POINT, false},       {",", FORMAT_GROUP, false},
    {"G", FORMAT_GROUP, false},       {"g", FORMAT_GROUP, false},
    {"L", FORMAT_CURRENCY, false},    {"l", FORMAT_CURRENCY, false},
    {"S", FORMAT_SIGN, false},        {"s", FORMAT_SIGN, false},
    {"V", FORMAT_SHIFT, false},       {"v", FORMAT_SHIFT, false},
    {"B", FORMAT_BLANK, false},       {"b", FORMAT_BLANK, false},
};

static int wrong(struct sql_error *error, const char *message) {
    return sql_fail(error, "42601", "%s", message);
}

static void count_zero(struct number_format *f) {
    if (FORMAT_HAS(f, FORMAT_POINT)) {
        f->zero_behind = f->behind + 1;
        return;
    }
    if (!FORMAT_HAS(f, FORMAT_ZERO))
        f->zero_first = f->before;
    f->has |= 1u << FORMAT_ZERO;
}

static int note_sign(struct number_format *f, struct sql_error *error) {
    if (FORMAT_HAS(f, FORMAT_SIGN))
        return wrong(error, "cannot use \"S\" twice");
    if (FORMAT_HAS(f, FORMAT_PLUS) || FORMAT_HAS(f, FORMAT_MINUS) || FORMAT_HAS(f, FORMAT_BOTH) ||
        FORMAT_HAS(f, FORMAT_BRACKETS))
        return wrong(error, "cannot use \"S\" and \"PL\"/\"MI\"/\"SG\"/\"PR\" together");
    f->sign_behind = FORMAT_HAS(f, FORMAT_POINT);
    f->sign_at = f->before;
    return 0;
}

/* What element KIND does to the pattern, and whether it may stand there. */
static int note(struct number_format *f, uint8_t kind, struct sql_error *error) {
    bool sign = FORMAT_HAS(f, FORMAT_SIGN);
    if (FORMAT_HAS(f, FORMAT_EXPONENT))
        return wrong(error, kind == FORMAT_EXPONENT ? "cannot use \"EEEE\" twice"
                                                    : "\"EEEE\" must be the last pattern used");
    switch (kind) {
    case FORMAT_NINE:
    case FORMAT_ZERO:
        if (FORMAT_HAS(f, FORMAT_BRACKETS))
            return wrong(error, kind == FORMAT_NINE ? "\"9\" must be ahead of \"PR\""
                                                    : "\"0\" must be ahead of \"PR\"");
        if (FORMAT_HAS(f, FORMAT_SHIFT)) {
            f->shift++;
            return 0;
        }
        if (kind == FORMAT_ZERO)
            count_zero(f);
        *(FORMAT_HAS(f, FORMAT_POINT) ? &f->behind : &f->before) += 1;
        return 0;
    case FORMAT_POINT:
        if (FORMAT_HAS(f, FORMAT_POINT))
            return wrong(error, "multiple decimal points");
        if (FORMAT_HAS(f, FORMAT_SHIFT))
            return wrong(error, "cannot use \"V\" and decimal point together");
        break;
    case FORMAT_SHIFT:
        if (FORMAT_HAS(f, FORMAT_POINT))
            return wrong(error, "cannot use \"V\" and decimal point together");
        break;
    case FORMAT_SIGN: {
        int rc = note_sign(f, error);
        if (rc < 0)
            return rc;
        break;
    }
    case FORMAT_MINUS:
    case FORMAT_PLUS:
    case FORMAT_BOTH:
        if (sign)
            return wrong(error, kind == FORMAT_MINUS  ? "cannot use \"S\" and \"MI\" together"
                                : kind == FORMAT_PLUS ? "cannot use \"S\" and \"PL\" together"
                                                      : "cannot use \"S\" and \"SG\" together");
        break;
    case FORMAT_BRACKETS:
        if (sign || FORMAT_HAS(f, FORMAT_PLUS) || FORMAT_HAS(f, FORMAT_MINUS) ||
            FORMAT_HAS(f, FORMAT_BOTH))
            return wrong(error, "cannot use \"PR\" and \"S\"/\"PL\"/\"MI\"/\"SG\" together");
        break;
    default:
        break;
    }
    f->has |= 1u << kind;
    return 0;
}

static size_t character(slice s) {
    uint32_t point;
    int bytes = utf8_decode(s, &point);
    return bytes > 0 ? (size_t)bytes : 1;
}

int number_format_read(slice pattern, struct arena *memory, struct number_format *ret,
                       struct sql_error *error) {
    struct number_format f = {.elements = 0};
    f.element = arena_zalloc(memory, pattern.len, sizeof *f.element);
    if (!f.element)
        return sql_fail_memory(error);
    bool quoted = false;
    while (pattern.len > 0) {
        struct format_element *e = &f.element[f.elements];
        size_t word = 0;
        while (!quoted && word < array_count(words) &&
               !slice_starts_with(pattern, slice_str(words[word].word)))
            word++;
        if (!quoted && word < array_count(words)) {
            int rc = note(&f, words[word].kind, error);
            if (rc < 0)
                return rc;
            *e = (struct format_element){.kind = words[word].kind, .lower = words[word].lower};
            pattern = slice_skip(pattern, strlen(words[word].word));
            f.elements++;
            continue;
        }
        if (pattern.ptr[0] == '"') {
            quoted = !quoted;
            pattern = slice_skip(pattern, 1);
            continue;
        }
        if (pattern.ptr[0] == '\\' && pattern.len > 1 && (quoted || pattern.ptr[1] == '"'))
            pattern = slice_skip(pattern, 1);
        *e = (struct format_element){.kind = FORMAT_LITERAL,
                                     .literal = slice_take(pattern, character(pattern))};
        pattern = slice_skip(pattern, e->literal.len);
        f.elements++;
    }
    if (FORMAT_HAS(&f, FORMAT_EXPONENT) &&
        f.has & (1u << FORMAT_BLANK | 1u << FORMAT_FILL | 1u << FORMAT_SIGN |
                 1u << FORMAT_BRACKETS | 1u << FORMAT_MINUS | 1u << FORMAT_PLUS |
                 1u << FORMAT_BOTH | 1u << FORMAT_ROMAN | 1u << FORMAT_SHIFT)) {
        (void)wrong(error, "\"EEEE\" is incompatible with other formats");
        sql_error_detail(error, "\"EEEE\" may only be used together with digit and decimal point "
                                "patterns.");
        return -EINVAL;
    }
    *ret = f;
    return 0;
}

/* ---- filling --------------------------------------------------------------------------------- */

enum sign_way {
    SIGN_NONE,     /* nothing more to write */
    SIGN_LEADING,  /* - or a blank */
    SIGN_ALWAYS,   /* + or - */
    SIGN_TRAILING, /* + or - behind the last position */
    SIGN_BRACKETS,
};

struct filling {
    const struct number_format *f;
    const struct format_digits *d;
    struct buf *out;
    bool fill; /* FM */
    enum sign_way sign;
    bool bracket_open;
    unsigned before; /* positions before the point, V's digits among them */
    unsigned lead;   /* of them without a digit of the number */
    unsigned shown;  /* digits of the fraction that are shown */
    unsigned at;     /* positions passed before the point, */
    unsigned behind; /* and behind it */
    unsigned passed; /* positions altogether, of: */
    unsigned total;
    bool hide_zero; /* the 0 before the point is not shown */
    bool in_number; /* the last position showed a digit */
};

static int put(struct filling *w, char c) {
    return buf_append_byte(w->out, c);
}

static int pad(struct filling *w) {
    return w->fill ? 0 : put(w, ' ');
}

/* Before a position that shows something. */
static int put_sign(struct filling *w) {
    enum sign_way way = w->sign;
    if (way == SIGN_NONE || way == SIGN_TRAILING)
        return 0;
    w->sign = SIGN_NONE;
    if (way == SIGN_BRACKETS) {
        w->bracket_open = true;
        return put(w, w->d->negative ? '<' : ' ');
    }
    if (w->d->negative)
        return put(w, '-');
    return way == SIGN_ALWAYS ? put(w, '+') : pad(w);
}

static int put_integer_position(struct filling *w) {
    unsigned k = w->at++;
    bool zero = FORMAT_HAS(w->f, FORMAT_ZERO) && k >= w->f->zero_first;
    w->in_number = false;
    if (k < w->lead && !zero)
        return pad(w);
    bool hidden = k >= w->lead && w->hide_zero;
    if (hidden && w->shown > 0)
        return pad(w);
    int rc = put_sign(w);
    if (hidden && rc == 0) /* FM: "0." */
        return w->fill ? put(w, '0') : pad(w);
    if (rc < 0)
        return rc;
    w->in_number = true;
    return put(w, k < w->lead ? '0' : w->d->integer.ptr[k - w->lead]);
}

static int put_fraction_position(struct filling *w) {
    unsigned j = w->behind++;
    w->in_number = false;
    int rc = put_sign(w);
    if (rc < 0 || j >= w->shown)
        return rc;
    w->in_number = true;
    return put(w, w->d->fraction.ptr[j]);
}

static int put_point(struct filling *w) {
    w->in_number = false;
    w->at = w->before; /* what follows is the fraction */
    int rc = put_sign(w);
    return rc < 0 ? rc : put(w, '.');
}

/* Behind the last position. */
static int put_end(struct filling *w) {
    if (w->bracket_open)
        return put(w, w->d->negative ? '>' : ' ');
    if (w->sign == SIGN_TRAILING)
        return put(w, w->d->negative ? '-' : '+');
    return 0;
}

static int put_ordinal(struct filling *w, bool lower) {
    const struct format_digits *d = w->d;
    if (d->overflow || d->negative || FORMAT_HAS(w->f, FORMAT_POINT))
        return 0;
    size_t n = d->integer.len;
    char last = d->integer.ptr[n - 1];
    bool teen = n > 1 && d->integer.ptr[n - 2] == '1';
    const char *text = teen || last < '1' || last > '3' ? "THth"
                       : last == '1'                    ? "STst"
                       : last == '2'                    ? "NDnd"
                                                        : "RDrd";
    return buf_append(w->out, slice_make(text + (lower ? 2 : 0), 2));
}

static int put_element(struct filling *w, const struct format_element *e) {
    bool negative = w->d->negative;
    switch (e->kind) {
    case FORMAT_NINE:
    case FORMAT_ZERO:
    case FORMAT_POINT: {
        int rc = e->kind == FORMAT_POINT ? put_point(w)
                 : w->at < w->before     ? put_integer_position(w)
                                         : put_fraction_position(w);
        w->passed++;
        return rc == 0 && w->passed == w->total ? put_end(w) : rc;
    }
    case FORMAT_GROUP:
        return w->in_number ? put(w, ',') : pad(w);
    case FORMAT_CURRENCY:
        return put(w, ' ');
    case FORMAT_MINUS:
        return negative ? put(w, '-') : pad(w);
    case FORMAT_PLUS:
        return negative ? pad(w) : put(w, '+');
    case FORMAT_BOTH:
        return put(w, negative ? '-' : '+');
    case FORMAT_ORDINAL:
        return put_ordinal(w, e->lower);
    case FORMAT_LITERAL:
        return buf_append(w->out, e->literal);
    default:
        return 0;
    }
}

static enum sign_way sign_way(const struct number_format *f, bool negative, bool fill) {
    bool minus = FORMAT_HAS(f, FORMAT_MINUS) || FORMAT_HAS(f, FORMAT_BOTH);
    if (minus)
        return SIGN_NONE;
    if (FORMAT_HAS(f, FORMAT_SIGN))
        return f->sign_behind || f->sign_at == f->before ? SIGN_TRAILING : SIGN_ALWAYS;
    if (FORMAT_HAS(f, FORMAT_BRACKETS))
        return fill && !negative ? SIGN_NONE : SIGN_BRACKETS;
    return SIGN_LEADING;
}

int number_format_write(const struct number_format *f, const struct format_digits *d,
                        struct buf *out) {
    bool point = FORMAT_HAS(f, FORMAT_POINT);
    struct filling w = {.f = f, .d = d, .out = out, .fill = FORMAT_HAS(f, FORMAT_FILL)};
    w.before = f->before + f->shift;
    w.lead = w.before > d->integer.len ? w.before - (unsigned)d->integer.len : 0;
    w.total = w.before + f->behind + point;
    w.shown = f->behind;
    w.sign = sign_way(f, d->negative, w.fill);
    w.hide_zero =
        f->behind > 0 && !FORMAT_HAS(f, FORMAT_ZERO) && slice_equal(d->integer, slice_lit("0"));
    if (w.fill && point) {
        while (w.shown > f->zero_behind && d->fraction.ptr[w.shown - 1] == '0')
            w.shown--;
    }
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < f->elements; i++) {
        if (f->element[i].kind == FORMAT_POINT && f->behind == 0 && !d->overflow)
            break; /* as PostgreSQL: a point without digits behind it ends the text */
        rc = put_element(&w, &f->element[i]);
    }
    return rc;
}

/* ---- reading a number by its pattern ----------------------------------------------------------
 */

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

int number_format_parse(const struct number_format *f, slice text, struct buf *out) {
    bool negative = false;
    size_t digits = 0;
    size_t at = 0;
    int rc = buf_append_byte(out, ' '); /* the sign's place */
    for (unsigned i = 0; rc == 0 && i < f->elements && at < text.len; i++) {
        uint8_t kind = f->element[i].kind;
        if (kind == FORMAT_FILL || kind == FORMAT_SHIFT || kind == FORMAT_BLANK)
            continue;
        while (at < text.len && text.ptr[at] == ' ' && kind != FORMAT_LITERAL)
            at++;
        if (at == text.len)
            break;
        char c = text.ptr[at];
        bool position = kind == FORMAT_NINE || kind == FORMAT_ZERO;
        if (c == '-' || c == '+' || c == '<') { /* wherever it stands */
            negative |= c == '-' || c == '<';
            at++;
            if (position || kind == FORMAT_POINT || kind == FORMAT_GROUP)
                i--;
        } else if (position && is_digit(c)) {
            rc = buf_append_byte(out, c);
            digits++;
            at++;
        } else if (kind == FORMAT_POINT && c == '.') {
            rc = buf_append_byte(out, c);
            at++;
        } else if (kind == FORMAT_GROUP && c == ',') {
            at++;
        } else if (kind == FORMAT_LITERAL || kind == FORMAT_CURRENCY) {
            at += kind == FORMAT_LITERAL || !is_digit(c);
        }
    }
    for (; rc == 0 && at < text.len; at++)
        negative |= text.ptr[at] == '-';
    if (rc == 0 && digits == 0)
        rc = buf_append_byte(out, 'x'); /* no number */
    if (rc == 0 && negative)
        out->ptr[0] = '-';
    return rc;
}
