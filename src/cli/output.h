/*
 * output.h - what verbs print: for people (tables, messages) and for programs (--json).
 *
 * People get aligned columns and no decoration that a pipe would trip over. On a terminal control
 * bytes in payloads are shown as \x1b and the like, so that a message cannot move the cursor or
 * rename the window; in a pipe bytes pass as they are.
 *
 * A message as JSON is one line:
 *   {"subject":"a.b","reply":"_INBOX.x","headers":{"Key":["value",...]},"payload":"text"}
 * "reply" and "headers" are left out where there are none; a header block with a status has
 * "status"; a payload that is not UTF-8 comes as "payload_base64" instead. Headers past
 * OUTPUT_HEADERS_MAX are only counted ("headers_left_out"). Verbs put their own members (seq, time,
 * ...) in front.
 */
#ifndef NONET_CLI_OUTPUT_H
#define NONET_CLI_OUTPUT_H

#include "cli/nats_client.h"
#include "wire/json.h"
#include "wire/json_write.h"

#define OUTPUT_COLUMNS_MAX 10u
#define OUTPUT_HEADERS_MAX 512u      /* of one message as JSON; the rest is counted, not shown */
#define OUTPUT_JSON_MAX (512u << 20) /* bytes of one document printed */

/* The members of MESSAGE into an object that W has open. */
void output_message_members(struct json_writer *w, const struct nats_client_message *message);
/* MESSAGE as one line of JSON. 0 or -ENOMEM. */
must_use int output_message_json(const struct nats_client_message *message);
/* Closes the object W wrote into TEXT and prints it with a line end. 0 or -ENOMEM. */
must_use int output_json(struct json_writer *w, struct buf *text);

void output_source(json_value v);   /* as it came, with a line end */
void output_text(slice text);       /* for people, no line end */
void output_payload(slice payload); /* the same with a line end, unless it has one */
void output_headers(slice headers); /* "  Key: value" a line */

/* A table: rows are added cell by cell, printed together. Cells are copied. Columns of numbers
   stand to the right. */
struct output_table {
    unsigned columns;
    const char *titles[OUTPUT_COLUMNS_MAX];
    bool number[OUTPUT_COLUMNS_MAX];
    struct buf cells; /* each with a NUL behind it */
    unsigned cell_count;
    bool failed;
};
struct output_table output_table_make(void);
void output_column(struct output_table *table, const char *title, bool number);
void output_cell(struct output_table *table, slice text);
void output_cell_u64(struct output_table *table, uint64_t number);
/* Prints and frees. 0 or -ENOMEM. */
must_use int output_table_print(struct output_table *table);

/* "key  value" with keys padded to one width: for info and status. */
void output_field(const char *name, const char *format, ...) printf_like(2, 3);

/* 1234567 -> "1,234,567" with a NUL to OUT of 32 bytes. Returns OUT. */
const char *output_count(uint64_t number, char *out);

#endif
