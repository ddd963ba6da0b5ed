/*
 * template.c - compiling templates: the longest pattern that fits counts, as in PostgreSQL.
 */
#include "sql/time/template.h"

#include "base/mem.h"

const char *const template_months[12] = {"January",   "February", "March",    "April",
                                         "May",       "June",     "July",     "August",
                                         "September", "October",  "November", "December"};
const char *const template_days[7] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                      "Thursday", "Friday", "Saturday"};

static const struct template_pattern patterns[] = {
    {"A.D.", CODE_BC_DOTS, STYLE_UPPER, 0, CALENDAR_ANY, false},
    {"A.M.", CODE_AM_DOTS, STYLE_UPPER, 0, CALENDAR_ANY, false},
    {"AD", CODE_BC, STYLE_UPPER, 0, CALENDAR_ANY, false},
    {"AM", CODE_AM, STYLE_UPPER, 0, CALENDAR_ANY, false},
    {"B.C.", CODE_BC_DOTS, STYLE_UPPER, 0, CALENDAR_ANY, false},
    {"BC", CODE_BC, STYLE_UPPER, 0, CALENDAR_ANY, false},
    {"CC", CODE_CENTURY, STYLE_UPPER, 0, CALENDAR_ANY, true},
    {"DAY", CODE_DAY, STYLE_UPPER, 0, CALENDAR_ANY, false},
    {"DDD", CODE_DAY_OF_YEAR, STYLE_UPPER, 3, CALENDAR_GREGORIAN, true},
    {"Day", CODE_DAY, STYLE_CAPITAL, 0, CALENDAR_ANY, false},
    {"DD", CODE_DAY_OF_MONTH, STYLE_UPPER, 2, CALENDAR_GREGORIAN, true},
    {"DY", CODE_DAY_SHORT, STYLE_UPPER, 0, CALENDAR_ANY, false},
    {"Dy", CODE_DAY_SHORT, STYLE_CAPITAL, 0, CALENDAR_ANY, false},
    {"D", CODE_DAY_OF_WEEK, STYLE_UPPER, 1, CALENDAR_GREGORIAN, true},
    {"FF1", CODE_FRACTION, STYLE_UPPER, 1, CALENDAR_ANY, true},
    {"FF2", CODE_FRACTION, STYLE_UPPER, 2, CALENDAR_ANY, true},
    {"FF3", CODE_FRACTION, STYLE_UPPER, 3, CALENDAR_ANY, true},
    {"FF4", CODE_FRACTION, STYLE_UPPER, 4, CALENDAR_ANY, true},
    {"FF5", CODE_FRACTION, STYLE_UPPER, 5, CALENDAR_ANY, true},
    {"FF6", CODE_FRACTION, STYLE_UPPER, 6, CALENDAR_ANY, true},
    {"FX", CODE_EXACT, STYLE_UPPER, 0, CALENDAR_ANY, false},
    {"HH12", CODE_HOUR12, STYLE_UPPER, 2, CALENDAR_ANY, true},
    {"HH24", CODE_HOUR24, STYLE_UPPER, 2, CALENDAR_ANY, true},
    {"HH", CODE_HOUR12, STYLE_UPPER, 2, CALENDAR_ANY, true},
    {"IDDD", CODE_ISO_DAY_OF_YEAR, STYLE_UPPER, 3, CALENDAR_ISO, true},
    {"IYYY", CODE_ISO_YEAR, STYLE_UPPER, 4, CALENDAR_ISO, true},
    {"IYY", CODE_ISO_YEAR, STYLE_UPPER, 3, CALENDAR_ISO, true},
    {"ID", CODE_ISO_DAY_OF_WEEK, STYLE_UPPER, 1, CALENDAR_ISO, true},
    {"IW", CODE_ISO_WEEK, STYLE_UPPER, 2, CALENDAR_ISO, true},
    {"IY", CODE_ISO_YEAR, STYLE_UPPER, 2, CALENDAR_ISO, true},
    {"I", CODE_ISO_YEAR, STYLE_UPPER, 1, CALENDAR_ISO, true},
    {"J", CODE_JULIAN, STYLE_UPPER, 0, CALENDAR_ANY, true},
    {"MONTH", CODE_MONTH_NAME, STYLE_UPPER, 0, CALENDAR_GREGORIAN, false},
    {"Month", CODE_MONTH_NAME, STYLE_CAPITAL, 0, CALENDAR_GREGORIAN, false},
    {"MON", CODE_MONTH_SHORT, STYLE_UPPER, 0, CALENDAR_GREGORIAN, false},
    {"Mon", CODE_MONTH_SHORT, STYLE_CAPITAL, 0, CALENDAR_GREGORIAN, false},
    {"MI", CODE_MINUTE, STYLE_UPPER, 2, CALENDAR_ANY, true},
    {"MM", CODE_MONTH, STYLE_UPPER, 2, CALENDAR_GREGORIAN, true},
    {"MS", CODE_MILLISECOND, STYLE_UPPER, 3, CALENDAR_ANY, true},
    {"OF", CODE_OFFSET, STYLE_UPPER, 0, CALENDAR_ANY, false},
    {"P.M.", CODE_AM_DOTS, STYLE_UPPER, 0, CALENDAR_ANY, false},
    {"PM", CODE_AM, STYLE_UPPER, 0, CALENDAR_ANY, false},
    {"Q", CODE_QUARTER, STYLE_UPPER, 1, CALENDAR_ANY, true},
    {"RM", CODE_ROMAN, STYLE_UPPER, 0, CALENDAR_GREGORIAN, false},
    {"SSSSS", CODE_SECOND_OF_DAY, STYLE_UPPER, 0, CALENDAR_ANY, true},
    {"SSSS", CODE_SECOND_OF_DAY, STYLE_UPPER, 0, CALENDAR_ANY, true},
    {"SS", CODE_SECOND, STYLE_UPPER, 2, CALENDAR_ANY, true},
    {"TZH", CODE_ZONE_HOUR, STYLE_UPPER, 0, CALENDAR_ANY, false},
    {"TZM", CODE_ZONE_MINUTE, STYLE_UPPER, 0, CALENDAR_ANY, true},
    {"TZ", CODE_ZONE, STYLE_UPPER, 0, CALENDAR_ANY, false},
    {"US", CODE_MICROSECOND, STYLE_UPPER, 6, CALENDAR_ANY, true},
    {"WW", CODE_WEEK, STYLE_UPPER, 2, CALENDAR_GREGORIAN, true},
    {"W", CODE_WEEK_OF_MONTH, STYLE_UPPER, 1, CALENDAR_GREGORIAN, true},
    {"Y,YYY", CODE_YEAR_COMMA, STYLE_UPPER, 0, CALENDAR_GREGORIAN, true},
    {"YYYY", CODE_YEAR, STYLE_UPPER, 4, CALENDAR_GREGORIAN, true},
    {"YYY", CODE_YEAR, STYLE_UPPER, 3, CALENDAR_GREGORIAN, true},
    {"YY", CODE_YEAR, STYLE_UPPER, 2, CALENDAR_GREGORIAN, true},
    {"Y", CODE_YEAR, STYLE_UPPER, 1, CALENDAR_GREGORIAN, true},
    {"a.d.", CODE_BC_DOTS, STYLE_LOWER, 0, CALENDAR_ANY, false},
    {"a.m.", CODE_AM_DOTS, STYLE_LOWER, 0, CALENDAR_ANY, false},
    {"ad", CODE_BC, STYLE_LOWER, 0, CALENDAR_ANY, false},
    {"am", CODE_AM, STYLE_LOWER, 0, CALENDAR_ANY, false},
    {"b.c.", CODE_BC_DOTS, STYLE_LOWER, 0, CALENDAR_ANY, false},
    {"bc", CODE_BC, STYLE_LOWER, 0, CALENDAR_ANY, false},
    {"cc", CODE_CENTURY, STYLE_LOWER, 0, CALENDAR_ANY, true},
    {"day", CODE_DAY, STYLE_LOWER, 0, CALENDAR_ANY, false},
    {"ddd", CODE_DAY_OF_YEAR, STYLE_LOWER, 3, CALENDAR_GREGORIAN, true},
    {"dd", CODE_DAY_OF_MONTH, STYLE_LOWER, 2, CALENDAR_GREGORIAN, true},
    {"dy", CODE_DAY_SHORT, STYLE_LOWER, 0, CALENDAR_ANY, false},
    {"d", CODE_DAY_OF_WEEK, STYLE_LOWER, 1, CALENDAR_GREGORIAN, true},
    {"ff1", CODE_FRACTION, STYLE_LOWER, 1, CALENDAR_ANY, true},
    {"ff2", CODE_FRACTION, STYLE_LOWER, 2, CALENDAR_ANY, true},
    {"ff3", CODE_FRACTION, STYLE_LOWER, 3, CALENDAR_ANY, true},
    {"ff4", CODE_FRACTION, STYLE_LOWER, 4, CALENDAR_ANY, true},
    {"ff5", CODE_FRACTION, STYLE_LOWER, 5, CALENDAR_ANY, true},
    {"ff6", CODE_FRACTION, STYLE_LOWER, 6, CALENDAR_ANY, true},
    {"fx", CODE_EXACT, STYLE_LOWER, 0, CALENDAR_ANY, false},
    {"hh12", CODE_HOUR12, STYLE_LOWER, 2, CALENDAR_ANY, true},
    {"hh24", CODE_HOUR24, STYLE_LOWER, 2, CALENDAR_ANY, true},
    {"hh", CODE_HOUR12, STYLE_LOWER, 2, CALENDAR_ANY, true},
    {"iddd", CODE_ISO_DAY_OF_YEAR, STYLE_LOWER, 3, CALENDAR_ISO, true},
    {"iyyy", CODE_ISO_YEAR, STYLE_LOWER, 4, CALENDAR_ISO, true},
    {"iyy", CODE_ISO_YEAR, STYLE_LOWER, 3, CALENDAR_ISO, true},
    {"id", CODE_ISO_DAY_OF_WEEK, STYLE_LOWER, 1, CALENDAR_ISO, true},
    {"iw", CODE_ISO_WEEK, STYLE_LOWER, 2, CALENDAR_ISO, true},
    {"iy", CODE_ISO_YEAR, STYLE_LOWER, 2, CALENDAR_ISO, true},
    {"i", CODE_ISO_YEAR, STYLE_LOWER, 1, CALENDAR_ISO, true},
    {"j", CODE_JULIAN, STYLE_LOWER, 0, CALENDAR_ANY, true},
    {"month", CODE_MONTH_NAME, STYLE_LOWER, 0, CALENDAR_GREGORIAN, false},
    {"mon", CODE_MONTH_SHORT, STYLE_LOWER, 0, CALENDAR_GREGORIAN, false},
    {"mi", CODE_MINUTE, STYLE_LOWER, 2, CALENDAR_ANY, true},
    {"mm", CODE_MONTH, STYLE_LOWER, 2, CALENDAR_GREGORIAN, true},
    {"ms", CODE_MILLISECOND, STYLE_LOWER, 3, CALENDAR_ANY, true},
    {"of", CODE_OFFSET, STYLE_LOWER, 0, CALENDAR_ANY, false},
    {"p.m.", CODE_AM_DOTS, STYLE_LOWER, 0, CALENDAR_ANY, false},
    {"pm", CODE_AM, STYLE_LOWER, 0, CALENDAR_ANY, false},
    {"q", CODE_QUARTER, STYLE_LOWER, 1, CALENDAR_ANY, true},
    {"rm", CODE_ROMAN, STYLE_LOWER, 0, CALENDAR_GREGORIAN, false},
    {"sssss", CODE_SECOND_OF_DAY, STYLE_LOWER, 0, CALENDAR_ANY, true},
    {"ssss", CODE_SECOND_OF_DAY, STYLE_LOWER, 0, CALENDAR_ANY, true},
    {"ss", CODE_SECOND, STYLE_LOWER, 2, CALENDAR_ANY, true},
    {"tzh", CODE_ZONE_HOUR, STYLE_LOWER, 0, CALENDAR_ANY, false},
    {"tzm", CODE_ZONE_MINUTE, STYLE_LOWER, 0, CALENDAR_ANY, true},
    {"tz", CODE_ZONE, STYLE_LOWER, 0, CALENDAR_ANY, false},
    {"us", CODE_MICROSECOND, STYLE_LOWER, 6, CALENDAR_ANY, true},
    {"ww", CODE_WEEK, STYLE_LOWER, 2, CALENDAR_GREGORIAN, true},
    {"w", CODE_WEEK_OF_MONTH, STYLE_LOWER, 1, CALENDAR_GREGORIAN, true},
    {"y,yyy", CODE_YEAR_COMMA, STYLE_LOWER, 0, CALENDAR_GREGORIAN, true},
    {"yyyy", CODE_YEAR, STYLE_LOWER, 4, CALENDAR_GREGORIAN, true},
    {"yyy", CODE_YEAR, STYLE_LOWER, 3, CALENDAR_GREGORIAN, true},
    {"yy", CODE_YEAR, STYLE_LOWER, 2, CALENDAR_GREGORIAN, true},
    {"y", CODE_YEAR, STYLE_LOWER, 1, CALENDAR_GREGORIAN, true},
};

static const struct template_pattern *pattern_at(slice text) {
    for (size_t i = 0; i < array_count(patterns); i++)
        if (patterns[i].name[0] == text.ptr[0] &&
            slice_starts_with(text, template_name(&patterns[i])))
            return &patterns[i];
    return NULL;
}

static bool take(slice *text, const char *word) {
    if (!slice_starts_with(*text, slice_str(word)))
        return false;
    *text = slice_skip(*text, strlen(word));
    return true;
}

/* One character that stands for itself. */
static void add_character(struct template *t, slice *text, bool quoted) {
    struct template_item *item = &t->items[t->count++];
    size_t len = template_character_bytes(*text);
    char first = text->ptr[0];
    *item = (struct template_item){.kind = ITEM_CHAR, .len = (uint8_t)len};
    memcpy(item->bytes, text->ptr, len);
    if (!quoted && time_is_space(first))
        item->kind = ITEM_SPACE;
    else if (!quoted && template_is_separator(first))
        item->kind = ITEM_SEPARATOR;
    t->bytes_max += len;
    *text = slice_skip(*text, len);
}

static void add_quoted(struct template *t, slice *text) {
    *text = slice_skip(*text, 1);
    while (text->len > 0 && text->ptr[0] != '"') {
        if (text->ptr[0] == '\\' && text->len > 1)
            *text = slice_skip(*text, 1);
        add_character(t, text, true);
    }
    *text = slice_skip(*text, 1);
}

/* One prefix and one suffix, as in PostgreSQL; a prefix of nothing is nothing. */
static bool add_pattern(struct template *t, slice *text) {
    uint8_t flags = 0;
    if (take(text, "FM") || take(text, "fm"))
        flags |= TEMPLATE_FILL;
    else if (take(text, "TM") || take(text, "tm"))
        flags |= TEMPLATE_TRANSLATE;
    const struct template_pattern *pattern = text->len ? pattern_at(*text) : NULL;
    if (!pattern)
        return false;
    *text = slice_skip(*text, template_name(pattern).len);
    if (take(text, "TH"))
        flags |= TEMPLATE_TH;
    else if (take(text, "th"))
        flags |= TEMPLATE_TH | TEMPLATE_TH_LOWER;
    else
        take(text, "SP"); /* known to PostgreSQL, and without meaning there too */
    t->items[t->count++] =
        (struct template_item){.pattern = pattern, .kind = ITEM_PATTERN, .flags = flags};
    t->bytes_max += 32; /* no number is longer, nor a name with its padding */
    return true;
}

static struct template *compile(slice text) {
    size_t size = sizeof(struct template) + text.len * sizeof(struct template_item);
    struct template *t = mem_alloc(size + text.len);
    if (!t)
        return NULL;
    char *copy = (char *)t + size;
    memcpy(copy, text.ptr, text.len);
    *t = (struct template){.text = slice_make(copy, text.len)};
    slice rest = t->text;
    while (rest.len > 0) {
        if (add_pattern(t, &rest) || rest.len == 0)
            continue;
        if (rest.ptr[0] == '"') {
            add_quoted(t, &rest);
            continue;
        }
        if (rest.ptr[0] == '\\' && rest.len > 1 && rest.ptr[1] == '"')
            rest = slice_skip(rest, 1);
        add_character(t, &rest, false);
    }
    return t;
}

static void free_template(void *kept) {
    mem_free(kept);
}

const struct template *template_of(struct sql_call *call, slice text) {
    const struct template *kept = call->kept;
    if (likely(kept && slice_equal(kept->text, text)))
        return kept;
    if (text.len > TEMPLATE_BYTES_MAX) {
        sql_fail(call->error, "54000", "template of %zu bytes is longer than %u", text.len,
                 TEMPLATE_BYTES_MAX);
        return NULL;
    }
    struct template *made = compile(text);
    if (!made) {
        sql_fail_memory(call->error);
        return NULL;
    }
    if (call->kept)
        call->kept_free(call->kept);
    call->kept = made;
    call->kept_free = free_template;
    return made;
}
