/*
 * fuzz_log_state.c - the formats behind the journal: blocks of segments, and the checkpoint.
 *
 * The first byte says what the rest is taken for. A checkpoint gets its magic, length and crc set
 * right, because nothing behind a wrong crc is ever read; the reader must then end at the end or
 * turn bad, and never touch a byte outside. A block is salvaged: what is kept must be whole
 * records in order, and every sequence is either kept or marked.
 */
#include "base/crc32c.h"
#include "base/mem.h"
#include "log/checkpoint_file.h"

#define INPUT_MAX (1u << 20)

static void read_checkpoint(slice text, const struct checkpoint_header *header) {
    struct checkpoint_reader reader = checkpoint_reader_make(text, header);
    uint32_t segments = checkpoint_read_counters(&reader).segments;
    for (uint32_t i = 0; i < segments && !reader.bad; i++)
        (void)checkpoint_read_segment(&reader);
    uint32_t streams = checkpoint_read_u32(&reader);
    for (uint32_t i = 0; i < streams && !reader.bad; i++) {
        struct checkpoint_stream stream = checkpoint_read_stream(&reader);
        for (uint32_t b = 0; b < stream.blocks && !reader.bad; b++) {
            struct checkpoint_block block = checkpoint_read_block(&reader);
            check(reader.bad || (block.first >= 1 && block.first <= block.last));
        }
    }
    check(reader.rest.len <= text.len);
}

static void check_header(const char *bytes, size_t size) {
    char *text = mem_alloc(size + CHECKPOINT_HEADER_SIZE);
    if (!text)
        return;
    memset(text, 0, CHECKPOINT_HEADER_SIZE);
    memcpy(text, "NONETCKP", 8);
    record_put_u32(text + 8, size % 2 ? 1 : CHECKPOINT_VERSION);
    memcpy(text + CHECKPOINT_HEADER_SIZE, bytes, size);
    size += CHECKPOINT_HEADER_SIZE;
    record_put_u64(text + 16, size);
    record_put_u32(text + 12, crc32c_update(0, text + 16, size - 16));
    struct checkpoint_header header;
    check(checkpoint_header_check(slice_make(text, size), &header) == 0);
    read_checkpoint(slice_make(text, size), &header);
    mem_free(text);
}

static void salvage(const char *bytes, size_t size) {
    struct block *block = block_new(NULL, 1, (uint32_t)size + 8);
    struct block_bits *bad = mem_zalloc(1, sizeof(*bad));
    if (block && bad) {
        memcpy(block->bytes, bytes, size);
        block->length = (uint32_t)size;
        block->last = 64;
        block->bad = bad;
        uint32_t lost = block_salvage(block, 1);
        check(lost + block->count == 64);
        uint64_t last = 0;
        for (uint32_t at = 0; at < block->length; at += record_at_length(block->bytes + at)) {
            uint64_t sequence = record_at_sequence(block->bytes + at);
            check(sequence > last && sequence <= 64 && block_find(block, sequence) == at);
            last = sequence;
        }
        bad = NULL;
    }
    mem_free(bad);
    block_free(block);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1 || size > INPUT_MAX)
        return 0;
    const char *bytes = (const char *)data + 1;
    struct block_header header;
    struct checkpoint_header checkpoint;
    switch (data[0] % 4) {
    case 0:
        if (size > BLOCK_HEADER_SIZE)
            (void)!block_header_decode(bytes, &header);
        break;
    case 1:
        salvage(bytes, size - 1);
        break;
    case 2:
        check_header(bytes, size - 1);
        break;
    default:
        (void)!checkpoint_header_check(slice_make(bytes, size - 1), &checkpoint);
    }
    return 0;
}
