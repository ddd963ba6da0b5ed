/*
 * journal_seed.c - a journal that begins behind a position, for a copy of the log (pin.h).
 *
 * A checkpoint alone is no log: recovery wants a journal that reaches to it. So a copy gets one
 * small file with one group, the seal "everything up to POSITION has been, and I am the end".
 */
#include "log/journal_format.h"
#include "log/journal_scan.h"

int journal_seed(struct io_host *host, const char *directory, uint64_t position) {
    char path[JOURNAL_PATH_MAX], sectors[2 * JOURNAL_SECTOR];
    struct io_file *file = NULL;
    struct journal_header header = {.number = 1, .bytes = JOURNAL_FILE_BYTES_MIN};
    while (header.log_id == 0)
        io_host_random(host, &header.log_id, sizeof header.log_id);
    journal_header_encode(&header, sectors);
    const struct journal_group seal = {
        .log_id = header.log_id,
        .file = header.number,
        .offset = JOURNAL_SECTOR,
        .number = 1,
        .first_position = position + 1,
        .last_position = position,
        .length = JOURNAL_SECTOR,
        .used = JOURNAL_GROUP_HEADER,
        .flags = JOURNAL_GROUP_SEAL,
    };
    journal_group_encode(&seal, sectors + JOURNAL_SECTOR);
    int failed = journal_path(directory, header.number, "jnl", path);
    if (!failed)
        failed =
            io_file_open(host, path, IO_FILE_WRITE | IO_FILE_CREATE | IO_FILE_EXCLUSIVE, &file);
    if (!failed)
        failed = io_file_allocate(file, header.bytes);
    if (!failed)
        failed = io_file_write(file, sectors, sizeof sectors, 0);
    if (!failed)
        failed = io_file_sync(file);
    io_file_close(file);
    return failed;
}
