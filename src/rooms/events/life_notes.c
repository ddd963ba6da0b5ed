/*
 * life_notes.c - see life_notes.h.
 *
 * The mark says nothing but that it is there: what there is to do the life itself says. So a node
 * that starts finds its work by the subjects of the marks, and reads no life but of these.
 */
#include "rooms/events/life_notes.h"

#define LIFE_TEXT_MAX 8192u

int life_notes_add(struct life_notes *notes, struct engine *engine, slice subject,
                   const struct life *life, uint64_t number) {
    *notes = (struct life_notes){.subject = buf_make(LOG_SUBJECT_MAX),
                                 .due_subject = buf_make(LOG_SUBJECT_MAX),
                                 .text = buf_make(LIFE_TEXT_MAX)};
    int failed = life_subject(subject, &notes->subject);
    if (!failed)
        failed = life_due_subject(subject, &notes->due_subject);
    if (!failed)
        failed = life_write(life, &notes->text);
    if (failed)
        return failed;
    notes->life.subject = buf_slice(&notes->subject);
    notes->life.text = buf_slice(&notes->text);
    notes->due.subject = buf_slice(&notes->due_subject);
    notes->due.text = slice_lit("{}");
    notes->due.remove = !life_works(life, number);
    notes_add(engine, &notes->life);
    if (notes->due.remove || !notes_have(engine, notes->due.subject))
        notes_add(engine, &notes->due);
    return 0;
}

void life_notes_free(struct life_notes *notes) {
    buf_free(&notes->subject);
    buf_free(&notes->due_subject);
    buf_free(&notes->text);
}
