/*
 * journal_verify.c - reads a whole journal for `nonet log verify` and tells all damage.
 *
 * The same walk as recovery, but every record inside every group is decoded, with its own crc, and
 * damage does not end it. A torn end is not damage (nobody was told that group was safe), yet it is
 * no seal either: SEALED says whether the journal can vouch for its own end.
 */
#include "log/journal_scan.h"
#include "log/record.h"

#include <errno.h>
#include <inttypes.h>

struct verify {
    void (*damage)(void *self, const struct error *error);
    void *self;
    uint64_t saved;
    struct journal_report report;
};

static int on_damage(void *self, const struct error *error) {
    struct verify *verify = self;
    verify->report.damaged++;
    if (verify->damage)
        verify->damage(verify->self, error);
    return 0;
}

/* Decodes every record of BATCH. 0 or the first one's failure. */
static int judge_batch(struct verify *verify, const struct journal_batch *batch) {
    slice rest = batch->records;
    uint32_t changes = 0;
    while (rest.len) {
        struct record record;
        int failed = record_decode(rest, true, &record);
        if (failed)
            return failed;
        rest = slice_skip(rest, record_size(&record));
        if (record.kind == RECORD_MESSAGE && batch->position > verify->saved) {
            verify->report.messages++;
            verify->report.message_bytes += record_size(&record);
        }
        if (record.kind == RECORD_PUT_STREAM && record.id > verify->report.last_stream_id)
            verify->report.last_stream_id = record.id;
        changes++;
    }
    verify->report.records += changes;
    return changes == batch->changes ? 0 : -EBADMSG;
}

static int on_group(void *self, const struct journal_group *group, slice bytes,
                    struct error *ret_error) {
    struct verify *verify = self;
    struct journal_report *report = &verify->report;
    slice rest = slice_make(bytes.ptr + JOURNAL_GROUP_HEADER, group->used - JOURNAL_GROUP_HEADER);
    struct journal_batch batch;
    (void)ret_error; /* nothing here ends the walk */
    while (journal_batch_next(&rest, &batch) == 0) {
        int failed = judge_batch(verify, &batch);
        if (failed) {
            struct error error;
            journal_damage(&error, failed, group->file, group->offset,
                           "group %" PRIu64 ", position %" PRIu64 ": %s", group->number,
                           batch.position,
                           failed == -ENOTSUP ? "a change of a kind this version does not know"
                                              : "a record is damaged");
            on_damage(verify, &error);
        }
        if (report->first_position == 0)
            report->first_position = batch.position;
        report->last_position = batch.position;
        report->batches++;
    }
    report->groups++;
    report->bytes += group->length;
    report->sealed = group->flags & JOURNAL_GROUP_SEAL;
    return 0;
}

int journal_verify(struct io_host *host, const char *directory, uint64_t saved,
                   void (*damage)(void *self, const struct error *error), void *self,
                   struct journal_report *ret_report, struct error *ret_error) {
    struct verify verify = {.damage = damage, .self = self, .saved = saved};
    struct journal_scan scan = {
        .host = host,
        .directory = directory,
        .self = &verify,
        .on_group = on_group,
        .on_damage = on_damage,
    };
    int failed = journal_scan_run(&scan, ret_error);
    verify.report.files = scan.count;
    verify.report.sealed = verify.report.sealed && !scan.torn;
    journal_scan_free(&scan);
    if (failed)
        return failed;
    *ret_report = verify.report;
    if (verify.report.damaged == 0)
        return 0;
    return error_set(ret_error, -EBADMSG, "the journal is damaged in %" PRIu64 " places",
                     verify.report.damaged);
}
