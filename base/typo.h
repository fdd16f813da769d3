/* How far two words are from each other when one of them may be a typing error: for "did you mean". */
#pragma once

#include <stddef.h>

/*
 * Letters to insert, delete, change or swap with their neighbour, case ignored (the optimal string alignment distance); SIZE_MAX
 * when a word has more than 40 bytes, which is no typing error of anything.
 */
size_t typo_distance(const char *a, const char *b);
