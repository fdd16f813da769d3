/*
 * What opens the status page: a word that the target's secret key makes, so that it stays as long as the target's keys do. Who reads it may look,
 * and nothing else. It is not a cookie, which a browser would show to every other port of this machine.
 */
#pragma once

#define PAGE_KEY_SIZE   33 /* with the NUL */
#define PAGE_KEY_HEADER "X-Slipway-Key"

/* Lower-case hexadecimal digits. */
void page_key_make(const char *secret_key, char out[PAGE_KEY_SIZE]);
