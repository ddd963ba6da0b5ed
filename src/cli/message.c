/* message.c - see message.h. */
#include "cli/message.h"

#include "io/process.h"
#include "wire/nats_headers.h"

#include <stdio.h>

#define STDIN 0
#define READ_BYTES (64u << 10)

static int read_stdin(struct buf *input) {
    while (!feof(stdin)) {
        if (buf_reserve(input, READ_BYTES))
            return cli_failed("stdin has more than %u MiB; that is no message",
                              MESSAGE_DATA_MAX >> 20);
        input->len += fread(input->ptr + input->len, 1, READ_BYTES, stdin);
        if (ferror(stdin))
            return cli_failed("cannot read stdin");
    }
    return CLI_OK;
}

int message_read_headers(const struct cli_call *call, struct buf *out) {
    const char *values[CLI_REPEATS_MAX];
    unsigned count = cli_values(call, "header", values);
    if (!count)
        return CLI_OK;
    int failed = nats_headers_begin(out, 0, (slice){0});
    for (unsigned i = 0; i < count && !failed; i++) {
        slice value;
        slice key = slice_trim(slice_cut(slice_str(values[i]), ':', &value));
        if (!value.ptr || nats_headers_add(out, key, slice_trim(value)))
            return cli_misused(call, "--header '%s': write 'Key: value'", values[i]);
    }
    if (!failed)
        failed = nats_headers_end(out);
    return failed ? cli_failed("no memory for the headers") : CLI_OK;
}

int message_read(const struct cli_call *call, const char *word, struct message *m) {
    *m = (struct message){
        .input = buf_make(MESSAGE_DATA_MAX + READ_BYTES),
        .headers = buf_make(MESSAGE_HEADERS_MAX),
    };
    int failed = message_read_headers(call, &m->headers);
    if (failed)
        return failed;
    m->payload = slice_str(word);
    if (!(word ? strcmp(word, "-") == 0 : !io_is_terminal(STDIN)))
        return CLI_OK;
    failed = read_stdin(&m->input);
    m->payload = buf_slice(&m->input);
    return failed;
}

void message_free(struct message *m) {
    buf_free(&m->input);
    buf_free(&m->headers);
}
