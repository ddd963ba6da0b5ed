/* describe.c - see describe.h. Here: the lists (\dt, \df ...). */
#include "cli/sql/describe.h"

#include "base/mem.h"

#include <stdio.h>

#define QUERY_MAX 4096u

/* $1 is the name's pattern, $2 the schema's, $3 the kinds of relations that are wanted. What the
   system has is listed only where a name was asked for. */
#define WHERE_NAMED(schema, name)                                                                  \
    " WHERE ($1::text IS NULL OR " name " LIKE $1::text)"                                          \
    " AND ($2::text IS NULL OR " schema " LIKE $2::text)"                                          \
    " AND ($1::text IS NOT NULL OR $2::text IS NOT NULL"                                           \
    " OR " schema " NOT IN ('pg_catalog', 'information_schema'))"

#define RELATIONS                                                                                  \
    " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"         \
    " LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid"                                     \
    " LEFT JOIN pg_catalog.pg_class t ON t.oid = i.indrelid" WHERE_NAMED(                          \
        "n.nspname", "c.relname") " AND strpos($3::text, c.relkind::text) > 0"                     \
                                  " ORDER BY 1, 2"

#define RELATION_COLUMNS                                                                           \
    "SELECT n.nspname AS \"Schema\", c.relname AS \"Name\", CASE c.relkind WHEN 'r' THEN 'table'"  \
    " WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'i' THEN 'index'"                \
    " ELSE c.relkind::text END AS \"Type\", pg_catalog.pg_get_userbyid(c.relowner) AS \"Owner\""

#define RELATION_MORE                                                                              \
    ", pg_catalog.pg_size_pretty(pg_catalog.pg_table_size(c.oid)) AS \"Size\""                     \
    ", pg_catalog.obj_description(c.oid, 'pg_class') AS \"Description\""

struct listing {
    const char *name;  /* behind the backslash */
    const char *kinds; /* of relations; NULL: the list is of something else, and has no $3 */
    const char *title;
    const char *columns, *more, *from;
};

static const struct listing listings[] = {
    {"d", "rvm", "List of relations", RELATION_COLUMNS, RELATION_MORE, RELATIONS},
    {"dt", "r", "List of relations", RELATION_COLUMNS, RELATION_MORE, RELATIONS},
    {"dv", "v", "List of relations", RELATION_COLUMNS, RELATION_MORE, RELATIONS},
    {"dm", "m", "List of relations", RELATION_COLUMNS, RELATION_MORE, RELATIONS},
    {"di", "i", "List of relations", RELATION_COLUMNS ", t.relname AS \"Table\"", RELATION_MORE,
     RELATIONS},
    {"df", NULL, "List of functions",
     "SELECT n.nspname AS \"Schema\", p.proname AS \"Name\","
     " pg_catalog.pg_get_function_result(p.oid) AS \"Result data type\","
     " pg_catalog.pg_get_function_arguments(p.oid) AS \"Argument data types\","
     " CASE p.prokind WHEN 'a' THEN 'agg' WHEN 'w' THEN 'window' WHEN 'p' THEN 'proc'"
     " ELSE 'func' END AS \"Type\"",
     ", p.prosrc AS \"Source code\"",
     " FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = "
     "p.pronamespace" WHERE_NAMED("n.nspname", "p.proname") " ORDER BY 1, 2, 4"},
    {"dT", NULL, "List of data types",
     "SELECT n.nspname AS \"Schema\", pg_catalog.format_type(t.oid, NULL) AS \"Name\","
     " pg_catalog.obj_description(t.oid, 'pg_type') AS \"Description\"",
     ", (SELECT string_agg(e.enumlabel, E'\\n' ORDER BY e.enumsortorder)"
     " FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid) AS \"Elements\"",
     " FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = "
     "t.typnamespace" WHERE_NAMED(
         "n.nspname", "t.typname") " AND t.typrelid = 0 AND t.typcategory <> 'A' ORDER BY 1, 2"},
    {"dn", NULL, "List of schemas",
     "SELECT n.nspname AS \"Name\", pg_catalog.pg_get_userbyid(n.nspowner) AS \"Owner\"",
     ", pg_catalog.obj_description(n.oid, 'pg_namespace') AS \"Description\"",
     " FROM pg_catalog.pg_namespace n WHERE ($1::text IS NULL OR n.nspname LIKE $1::text)"
     " AND $2::text IS NULL AND ($1::text IS NOT NULL OR n.nspname NOT IN ('pg_catalog',"
     " 'information_schema')) ORDER BY 1"},
    {"l", NULL, "List of databases",
     "SELECT d.datname AS \"Name\", pg_catalog.pg_get_userbyid(d.datdba) AS \"Owner\","
     " pg_catalog.pg_encoding_to_char(d.encoding) AS \"Encoding\", d.datcollate AS \"Collate\","
     " d.datctype AS \"Ctype\"",
     "",
     " FROM pg_catalog.pg_database d WHERE ($1::text IS NULL OR d.datname LIKE $1::text)"
     " AND $2::text IS NULL ORDER BY 1"},
};

/* --- names ------------------------------------------------------------------------------------ */

/* One part of a name, up to a dot outside of quotes, as a pattern of LIKE. */
static const char *read_part(const char *word, char *out) {
    bool quoted = false;
    for (; *word && (quoted || *word != '.'); word++) {
        char c = *word;
        if (c == '"') {
            quoted = !quoted;
            continue;
        }
        if (c == '_' || c == '%' || c == '\\')
            *out++ = '\\';
        if (!quoted && c >= 'A' && c <= 'Z')
            c = (char)(c + 'a' - 'A');
        *out++ = quoted ? c : c == '*' ? '%' : c == '?' ? '_' : c;
    }
    *out = '\0';
    return word;
}

void describe_read_name(const char *word, struct describe_name *name) {
    const char *rest = read_part(word, name->texts[0]);
    name->schema = NULL;
    name->name = name->texts[0];
    if (*rest == '.') {
        (void)read_part(rest + 1, name->texts[1]);
        name->schema = name->texts[0];
        name->name = name->texts[1];
    }
    if (!name->name[0])
        name->name = NULL;
}

/* --- rows ------------------------------------------------------------------------------------- */

/* A description of one thing is a table, expanded or not. */
static int print_rows(const struct console *console, const PGresult *rows,
                      const struct printer_frame *frame) {
    const struct io_postgres *pq = &console->pq;
    struct printer_settings settings = console->print;
    int columns = pq->PQnfields(rows), failed = 0;
    settings.expanded &= !frame->footer.ptr;
    struct printer_column *names = mem_zalloc((size_t)columns + 1, sizeof *names);
    struct printer_cell *cells = mem_zalloc((size_t)columns + 1, sizeof *cells);
    struct printer *printer = NULL;
    for (int i = 0; i < columns && names; i++)
        names[i] = (struct printer_column){slice_str(pq->PQfname(rows, i)), pq->PQftype(rows, i)};
    if (names && cells)
        printer = printer_begin(console->out, &settings, frame, names, (unsigned)columns);
    for (int row = 0; row < pq->PQntuples(rows) && printer && !failed; row++) {
        for (int i = 0; i < columns; i++)
            cells[i] = (struct printer_cell){
                slice_make(pq->PQgetvalue(rows, row, i), (size_t)pq->PQgetlength(rows, row, i)),
                pq->PQgetisnull(rows, row, i)};
        failed = printer_row(printer, cells);
    }
    if (!printer || failed) {
        printer_drop(printer);
        failed = -1;
    } else {
        failed = printer_end(printer);
    }
    mem_free(names);
    mem_free(cells);
    return failed;
}

void describe_print(struct script *script, const char *text, const char *const *values, int count,
                    const char *title, slice footer) {
    struct console *console = script->console;
    enum console_end end;
    PGresult *rows = console_ask(console, text, values, count, false, -1, &end);
    const struct printer_frame frame = {.title = title, .footer = footer};
    if (!rows)
        script_heed(script, end);
    else if (print_rows(console, rows, &frame))
        command_fail(script, "no memory for the list");
    console->pq.PQclear(rows);
}

/* --- the family ------------------------------------------------------------------------------- */

static slice without_plus(slice name) {
    while (name.len && name.ptr[name.len - 1] == '+')
        name.len--;
    return name;
}

static const struct listing *find_listing(slice name) {
    for (size_t i = 0; i < array_count(listings); i++)
        if (slice_equal(without_plus(name), slice_str(listings[i].name)))
            return &listings[i];
    return NULL;
}

bool describe_is(slice name) {
    return find_listing(name) != NULL;
}

void describe_run(struct script *script, slice name, slice *rest) {
    const struct listing *listing = find_listing(name);
    struct describe_name asked = {.name = NULL};
    char word[COMMAND_WORD_MAX], query[QUERY_MAX];
    bool more = name.ptr[name.len - 1] == '+', named = command_take_word(rest, word);
    if (named)
        describe_read_name(word, &asked);
    if (named && strcmp(listing->name, "d") == 0) {
        describe_relations(script, &asked, word, more);
        return;
    }
    snprintf(query, sizeof query, "%s%s%s", listing->columns, more ? listing->more : "",
             listing->from);
    const char *const values[] = {asked.name, asked.schema, listing->kinds};
    describe_print(script, query, values, listing->kinds ? 3 : 2, listing->title, (slice){0});
}
