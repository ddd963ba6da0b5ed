/*
 * life_notes.c - see life_notes.h.
 *
 * The mark says nothing but whose it is: what there is to do the life itself says. So a node that
 * starts finds its work by the numbers of the marks, and reads no life but of these.
 */
#include "rooms/events/life_notes.h"

#include "rooms/events/sweep.h"

#define TEXT_MAX 8192u

int life_notes_read(struct fetch *fetch, slice subject, struct life *ret_life) {
    char room[LOG_SUBJECT_MAX];
    struct buf note = {.ptr = room, .cap = sizeof room, .max = sizeof room};
    struct log_record record;
    int failed = life_subject(subject, &note);
    if (!failed)
        failed = notes_read(fetch, buf_slice(&note), &record);
    return failed ? failed : life_read(record.payload, ret_life);
}

static int write_all(struct life_notes *notes, struct engine *engine, slice subject,
                     const struct life *life, uint64_t mark, uint64_t removed) {
    int failed = life_subject(subject, &notes->subject);
    if (!failed)
        failed = life_write(life, &notes->text);
    if (!failed)
        failed = sweep_write_mark(mark, &notes->mark_subject);
    return failed ? failed : sweep_write(engine, removed, &notes->sweep_text);
}

int life_notes_add(struct life_notes *notes, struct engine *engine, slice subject,
                   struct life *life, uint64_t number, uint64_t removed) {
    bool works = life_works(life, number), marks = works && !life->mark;
    uint64_t mark = marks ? sweep_take_mark(engine) : life->mark;
    *notes = (struct life_notes){.subject = buf_make(LOG_SUBJECT_MAX),
                                 .mark_subject = buf_make(LOG_SUBJECT_MAX),
                                 .text = buf_make(TEXT_MAX),
                                 .sweep_text = buf_make(TEXT_MAX)};
    life->mark = works ? mark : 0;
    int failed = write_all(notes, engine, subject, life, mark, removed);
    if (failed)
        return failed;
    notes->life.subject = buf_slice(&notes->subject);
    notes->life.text = buf_slice(&notes->text);
    notes->mark.subject = buf_slice(&notes->mark_subject);
    notes->mark.text = subject;
    notes->mark.remove = !works;
    notes->sweep.subject = slice_lit(SWEEP_SUBJECT);
    notes->sweep.text = buf_slice(&notes->sweep_text);
    notes_add(engine, &notes->life);
    if (marks || (mark && !works))
        notes_add(engine, &notes->mark);
    if (marks || removed)
        notes_add(engine, &notes->sweep);
    return 0;
}

void life_notes_free(struct life_notes *notes) {
    buf_free(&notes->subject);
    buf_free(&notes->text);
    buf_free(&notes->mark_subject);
    buf_free(&notes->sweep_text);
}
