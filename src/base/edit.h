/*
 * edit.h - how far two words are apart, for "did you mean".
 *
 * The distance counts letters inserted, left out, changed, or swapped with their neighbour (the
 * restricted Damerau-Levenshtein distance): the slips people make in configuration keys. Words
 * longer than EDIT_WORD_MAX are nobody's slip and are infinitely far from everything.
 */
#ifndef NONET_BASE_EDIT_H
#define NONET_BASE_EDIT_H

#include "base/check.h"
#include "base/slice.h"

#define EDIT_WORD_MAX 64
#define EDIT_FAR SIZE_MAX

/* Edits between A and B, or EDIT_FAR. ASCII letter case counts as no edit. */
size_t edit_distance(slice a, slice b);

/* Index of the candidate nearest to WORD (the first of equals), or -1 where none is near enough
   to be meant: at most a third of the word's letters, at least 1. */
ptrdiff_t edit_closest(slice word, const char *const *candidates, size_t count);

#endif
