/*
 * journal_retire.h - the journal goes on in a file that has never held what it holds now.
 *
 *      | 7 used | 8 used, tail | 9 used before |                     journal_retire
 *      | 7 stale | 8 stale | 9 stale | 10 zeros, tail |              journal_retired
 *                          | 10 tail | 11 zeros | 12 zeros |         no stale files
 *
 * Asked for by those who must be sure that bytes are gone (erase.h). Nothing more goes into a STALE
 * file; once what it holds is saved elsewhere (journal_recycle) it is zeroed, and then used again
 * or removed as ever. For the new tail a file may be made, one more than journal_options.files.
 */
#ifndef NONET_LOG_JOURNAL_RETIRE_H
#define NONET_LOG_JOURNAL_RETIRE_H

#include "log/journal.h"

/* Asks for it, for all that is on disk by now. */
void journal_retire(struct journal *journal);
/* Is it so? What is committed from now on then goes to the new tail. To be asked again until then.
 */
bool journal_retired(struct journal *journal);
/* Files that are stale and not zeroed yet; about, while other files are being worked on. */
unsigned journal_stale_files(const struct journal *journal);

#endif
