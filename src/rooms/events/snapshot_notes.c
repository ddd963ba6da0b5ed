/*
 * snapshot_notes.c - see snapshot_notes.h.
 *
 * A step of the sweep ends at the next multiple of the span at the latest, so at most two numbers
 * come into question: where it begins and where it ends.
 */
#include "rooms/events/snapshot_notes.h"

#include "rooms/events/snapshot.h"

#include <errno.h>

int snapshot_notes_add(struct snapshot_notes *notes, struct engine *engine, slice subject,
                       uint64_t before, const struct life *life) {
    bool deleted = life->tombstoned || life->swept <= life->deleted;
    const uint64_t numbers[2] = {life->swept > before ? before : 0, deleted ? life->swept : 0};
    bool goes[2] = {false, false};
    *notes = (struct snapshot_notes){0};
    for (unsigned i = 0; i < array_count(numbers); i++) {
        notes->subjects[i] = buf_make(LOG_SUBJECT_MAX);
        if (!numbers[i] || numbers[i] % SNAPSHOT_SPAN)
            continue;
        if (snapshot_subject(subject, numbers[i], &notes->subjects[i]))
            return -ENOMEM;
        notes->notes[i].subject = buf_slice(&notes->subjects[i]);
        notes->notes[i].remove = true;
        goes[i] = notes_have(engine, notes->notes[i].subject);
    }
    for (unsigned i = 0; i < array_count(numbers); i++)
        if (goes[i])
            notes_add(engine, &notes->notes[i]);
    return 0;
}

void snapshot_notes_free(struct snapshot_notes *notes) {
    for (unsigned i = 0; i < array_count(notes->subjects); i++)
        buf_free(&notes->subjects[i]);
}
