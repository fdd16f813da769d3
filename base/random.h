/* Random bytes of the kernel, for names that nobody guesses and that never come twice. */
#pragma once

#include <stddef.h>

/* n bytes, or the program ends: a kernel without them has nothing to go on with. */
void random_bytes(void *out, size_t n);
/* n hexadecimal digits in lower case, and a NUL. */
void random_hex(char *out, size_t n);
/* n letters of the alphabet (2 to 256 of them), each as likely as the others, and a NUL. */
void random_letters(char *out, size_t n, const char *alphabet);
