/*
 * conf_write.c - tables described: JSON Schema 2020-12 for editors, Markdown for people.
 *
 * The schema says what the reader takes, or a little more: a scalar may always hold a `${NAME}`
 * instead, which is the definition `reference`. Forms such as durations are patterns, defined once
 * in $defs. Sections are written where they stand, so the schema nests as the file does.
 *
 * base may not include wire/, so the few lines of JSON are printed by hand; what strings hold is
 * the tables' own ASCII text.
 */
#include "base/conf_read.h"
#include "base/conf_value.h"

#include <errno.h>
#include <stdio.h>

#define RANGE_SIZE 160u
#define TITLE_SIZE 200u

/* Where the text goes; the first failure sticks. */
struct page {
    struct buf *out;
    int error;
};

static void put(struct page *p, const char *format, ...) printf_like(2, 3);
static void put(struct page *p, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    if (p->error == 0) {
        p->error = buf_vprintf(p->out, format, arguments);
    }
    va_end(arguments);
}

static void put_quoted(struct page *p, const char *text) {
    put(p, "\"");
    for (; *text; text++) {
        put(p, *text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
    }
    put(p, "\"");
}

static const char definitions[] =
    "\"$defs\":{"
    "\"reference\":{\"type\":\"string\",\"pattern\":\"\\\\$\\\\{[A-Za-z_][A-Za-z0-9_]*\\\\}\"},"
    "\"size\":{\"anyOf\":[{\"type\":\"integer\",\"minimum\":0},{\"type\":\"string\",\"pattern\":"
    "\"^[0-9]+(\\\\.[0-9]+)?([KMGTkmgt]?[Ii]?[Bb]?)$\"}]},"
    "\"duration\":{\"anyOf\":[{\"const\":0},{\"type\":\"string\",\"pattern\":"
    "\"^(0|([0-9]+(\\\\.[0-9]+)?(ns|us|ms|s|m|h|d|w))+)$\"}]},"
    "\"rate\":{\"type\":\"string\",\"pattern\":\"^[0-9]+/[0-9]*(ns|us|ms|s|m|h|d|w)$\"},"
    "\"address\":{\"anyOf\":[{\"type\":\"integer\",\"minimum\":0,\"maximum\":65535},"
    "{\"type\":\"string\",\"pattern\":\"^(([^\\\\[\\\\]:/@ ]+|\\\\[[^\\\\[\\\\]/@ ]+\\\\]):)?"
    "[0-9]{1,5}$\"}]}"
    "}";

static void schema_section(struct page *p, const struct conf_table *table, unsigned depth);

static void schema_bounds(struct page *p, const struct conf_key *key, const char *min,
                          const char *max, uint64_t max_default) {
    uint64_t bound = key->max ? key->max : max_default;
    if (key->min > 0) {
        put(p, ",\"%s\":%llu", min, (unsigned long long)key->min);
    }
    if (bound > 0) {
        put(p, ",\"%s\":%llu", max, (unsigned long long)bound);
    }
}

static void schema_words(struct page *p, const struct conf_key *key) {
    put(p, "{\"enum\":[");
    for (size_t i = 0; key->words[i]; i++) {
        put(p, i ? "," : "");
        put_quoted(p, key->words[i]);
    }
    put(p, "]}");
}

/* One alternative of a scalar: what it is when no reference stands in its place. ELEMENT: of a
   list or map, whose range is not the scalar's. */
static void schema_scalar(struct page *p, const struct conf_key *key, enum conf_type type,
                          bool element) {
    switch (type) {
    case CONF_BOOL:
        put(p, "{\"type\":\"boolean\"}");
        break;
    case CONF_INT:
        put(p, "{\"type\":\"integer\"");
        if (element || key->min == 0) {
            put(p, ",\"minimum\":0");
        }
        if (!element) {
            schema_bounds(p, key, "minimum", "maximum", 0);
        }
        put(p, "}");
        break;
    case CONF_ENUM:
        schema_words(p, key);
        break;
    case CONF_STRING:
    case CONF_PATH:
        /* A number is taken as its digits. */
        put(p, "{\"type\":[\"string\",\"number\"]");
        if (!element) {
            schema_bounds(p, key, "minLength", "maxLength", 0);
        }
        put(p, "}");
        break;
    default:
        put(p, "{\"$ref\":\"#/$defs/%s\"}", conf_type_name(type));
        break;
    }
}

/* The members of the schema of a value of TYPE, without the braces around them. */
static void schema_value(struct page *p, const struct conf_key *key, enum conf_type type,
                         unsigned depth) {
    bool element = type != key->type;
    switch (type) {
    case CONF_SECTION:
        if (key->flags & CONF_MAY_BE_OFF) {
            put(p, "\"anyOf\":[{\"enum\":[\"off\",false]},{");
            schema_section(p, key->table, depth + 1);
            put(p, "}]");
        } else {
            schema_section(p, key->table, depth + 1);
        }
        break;
    case CONF_LIST:
        if (key->flags & CONF_ALONE) {
            put(p, "\"anyOf\":[{");
            schema_value(p, key, key->of, depth);
            put(p, "},{");
        }
        put(p, "\"type\":[\"array\",\"null\"],\"items\":{");
        schema_value(p, key, key->of, depth);
        put(p, "}");
        schema_bounds(p, key, "minItems", "maxItems", CONF_ITEMS_MAX);
        put(p, key->flags & CONF_ALONE ? "}]" : "");
        break;
    case CONF_MAP:
        put(p, "\"type\":[\"object\",\"null\"],\"additionalProperties\":{");
        schema_value(p, key, key->of, depth);
        put(p, "}");
        schema_bounds(p, key, "minProperties", "maxProperties", CONF_ITEMS_MAX);
        break;
    case CONF_ANY:
        put(p, "\"$comment\":\"any value\"");
        break;
    default:
        put(p, "\"anyOf\":[");
        schema_scalar(p, key, type, element);
        if (key->zero_word && !element) {
            put(p, ",{\"const\":");
            put_quoted(p, key->zero_word);
            put(p, "}");
        }
        put(p, ",{\"$ref\":\"#/$defs/reference\"}]");
        break;
    }
}

static void schema_key(struct page *p, const struct conf_key *key, unsigned depth) {
    put_quoted(p, key->name);
    put(p, ":{\"description\":");
    put_quoted(p, key->doc);
    if (key->fallback) {
        bool literal = key->type == CONF_BOOL;
        put(p, ",\"default\":");
        if (literal) {
            put(p, "%s", key->fallback);
        } else {
            put_quoted(p, key->fallback);
        }
    }
    put(p, ",");
    schema_value(p, key, key->type, depth);
    put(p, "}");
}

static void schema_choice(struct page *p, const struct conf_table *table) {
    for (unsigned i = 0; i < table->one_of; i++) {
        put(p, i ? ",{\"required\":[" : ",\"oneOf\":[{\"required\":[");
        put_quoted(p, table->keys[i].name);
        put(p, "]}");
    }
    put(p, table->one_of ? "]" : "");
}

static void schema_company(struct page *p, const struct conf_table *table) {
    bool any = false;
    for (size_t i = 0; i < table->count; i++) {
        const struct conf_key *key = &table->keys[i];
        if (!key->with) {
            continue;
        }
        put(p, any ? "," : ",\"dependentSchemas\":{");
        put_quoted(p, key->name);
        put(p, ":{\"anyOf\":[");
        for (size_t w = 0; key->with[w]; w++) {
            put(p, w ? ",{\"required\":[" : "{\"required\":[");
            put_quoted(p, key->with[w]);
            put(p, "]}");
        }
        put(p, "]}");
        any = true;
    }
    put(p, any ? "}" : "");
}

static void schema_section(struct page *p, const struct conf_table *table, unsigned depth) {
    check(depth < CONF_DEPTH_MAX);
    bool required = false;
    put(p, "\"type\":[\"object\",\"null\"],\"additionalProperties\":false,\"properties\":{");
    for (size_t i = 0; i < table->count; i++) {
        put(p, i ? "," : "");
        schema_key(p, &table->keys[i], depth);
    }
    put(p, "}");
    for (size_t i = 0; i < table->count; i++) {
        if (table->keys[i].flags & CONF_REQUIRED) {
            put(p, required ? "," : ",\"required\":[");
            put_quoted(p, table->keys[i].name);
            required = true;
        }
    }
    put(p, required ? "]" : "");
    schema_choice(p, table);
    schema_company(p, table);
}

int conf_write_schema(const struct conf_table *table, struct buf *out) {
    struct page p = {out, 0};
    put(&p, "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"title\":");
    put_quoted(&p, table->name);
    put(&p, ",\"description\":");
    put_quoted(&p, table->doc);
    put(&p, ",%s,", definitions);
    schema_section(&p, table, 0);
    put(&p, "}\n");
    return p.error;
}

/* Text in a cell of a table: a bar would end the cell. */
static void put_cell(struct page *p, const char *text) {
    for (; *text; text++) {
        put(p, *text == '|' ? "\\%c" : "%c", *text);
    }
}

static void put_type(struct page *p, const struct conf_key *key) {
    bool many = key->type == CONF_LIST || key->type == CONF_MAP;
    enum conf_type type = many ? key->of : key->type;
    if (many) {
        put(p, "%s of ", conf_type_name(key->type));
    }
    if (type == CONF_ENUM) {
        for (size_t i = 0; key->words[i]; i++) {
            put(p, "%s`%s`", i ? ", " : "", key->words[i]);
        }
    } else {
        put(p, "%s", conf_type_name(type));
    }
    if (key->flags & CONF_MAY_BE_OFF) {
        put(p, " or `off`");
    }
}

static const char *unit_of(const struct conf_key *key) {
    bool many = key->type == CONF_LIST || key->type == CONF_MAP;
    switch (many ? key->of : key->type) {
    case CONF_SIZE:
        return "bytes; KB MB GB TB";
    case CONF_DURATION:
        return "ns us ms s m h d w";
    case CONF_RATE:
        return "per s m h d";
    default:
        return "";
    }
}

static void reference_row(struct page *p, const struct conf_key *key) {
    char range[RANGE_SIZE];
    put(p, "| `%s` | ", key->name);
    put_type(p, key);
    put(p, " | %s | ", unit_of(key));
    if (key->fallback) {
        put(p, "`%s`", key->fallback);
    } else if (key->flags & CONF_REQUIRED) {
        put(p, "required");
    }
    conf_range_text(key, range, sizeof(range));
    put(p, " | %s | ", range);
    put_cell(p, key->doc);
    put(p, key->flags & CONF_SECRET ? " (secret)" : "");
    for (size_t w = 0; key->with && key->with[w]; w++) {
        put(p, "%s`%s`", w ? ", " : "; with ", key->with[w]);
    }
    put(p, " | ");
    if (key->example) {
        put(p, "`");
        put_cell(p, key->example);
        put(p, "`");
    }
    put(p, " |\n");
}

static void reference_section(struct page *p, const char *title, const struct conf_table *table,
                              unsigned depth) {
    check(depth < CONF_DEPTH_MAX);
    put(p, "\n## %s\n\n%s.", title, table->doc);
    if (table->one_of == table->count) {
        put(p, " Exactly one of these keys.");
    } else if (table->one_of) {
        put(p, " Exactly one of the first %u keys.", table->one_of);
    }
    put(p, "\n\n| Key | Type | Unit | Default | Range | Meaning | Example |\n"
           "|---|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < table->count; i++) {
        reference_row(p, &table->keys[i]);
    }
    for (size_t i = 0; i < table->count; i++) {
        const struct conf_key *key = &table->keys[i];
        if (!key->table) {
            continue;
        }
        char below[TITLE_SIZE];
        const char *dot = depth ? "." : "";
        const char *many = key->type == CONF_LIST ? "[]" : key->type == CONF_MAP ? ".NAME" : "";
        int len =
            snprintf(below, sizeof(below), "%s%s%s%s", depth ? title : "", dot, key->name, many);
        check(len > 0 && (size_t)len < sizeof(below));
        reference_section(p, below, key->table, depth + 1);
    }
}

int conf_write_reference(const struct conf_table *table, const char *only, struct buf *out) {
    struct page p = {out, 0};
    if (!only) {
        put(&p, "# Reference of %s\n\nMade from the tables that read the file.\n", table->name);
        reference_section(&p, table->name, table, 0);
        return p.error;
    }
    for (size_t i = 0; i < table->count; i++) {
        const struct conf_key *key = &table->keys[i];
        if (key->table && strcmp(key->name, only) == 0) {
            reference_section(&p, key->name, key->table, 1);
            return p.error;
        }
    }
    return -ENOENT;
}
