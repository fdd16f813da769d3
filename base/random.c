#include "base/random.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

void random_bytes(void *out, size_t n)
{
	uint8_t *to = out;

	while (n) {
		ssize_t got = getrandom(to, n, 0);

		if (got < 0 && errno != EINTR)
			abort();
		if (got > 0) {
			to += got;
			n -= (size_t)got;
		}
	}
}

void random_hex(char *out, size_t n)
{
	random_letters(out, n, "0123456789abcdef");
}

void random_letters(char *out, size_t n, const char *alphabet)
{
	size_t letters = strlen(alphabet);
	/* What is beyond the last whole multiple would make the first letters likelier. */
	size_t fair = 256 - 256 % letters;
	uint8_t byte;

	for (size_t i = 0; i < n;) {
		random_bytes(&byte, 1);
		if (byte < fair)
			out[i++] = alphabet[byte % letters];
	}
	out[n] = '\0';
}
