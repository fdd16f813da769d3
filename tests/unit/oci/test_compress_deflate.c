#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <cmocka.h>

#include "oci/compress_backend.h"

#define STEPS  10000       /* with the inputs, ten times the 13 bits of ISA-L's hashes */
#define STEP   (64u << 10) /* the lowest bit of an address that ever counted */
#define INPUTS 8
#define LEN    1536
#define CAP    (80u << 10)

/* The head of an archive: names of few letters among zeros, with the third bytes on repeated. */
static void fill(uint8_t *in, uint32_t seed)
{
	uint32_t x = 0x2545f491 + seed;

	memset(in, 0, LEN);
	for (size_t i = 0; i < LEN; i++) {
		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
		if (i < 100)
			in[i] = (uint8_t)('a' + x % 26);
	}
	for (size_t at = 512; at + 100 < LEN; at += 512)
		memcpy(in + at + 50, in + 2, 40);
}

/* Other places in memory must not choose other matches: each new engine lies elsewhere. */
static void test_addresses_do_not_count(void **state)
{
	static uint8_t in[INPUTS][LEN], first[INPUTS][CAP], out[CAP];
	size_t n_first[INPUTS];

	(void)state;
	assert_true(deflater_bound(LEN) <= CAP);
	for (uint32_t k = 0; k < INPUTS; k++)
		fill(in[k], k);
	for (size_t i = 0; i < STEPS; i++) {
		struct deflater *d = deflater_new(0);

		for (size_t k = 0; k < INPUTS; k++) {
			size_t n = deflater_block(d, in[k], 0, LEN, true, i ? out : first[k]);

			if (!i)
				n_first[k] = n;
			assert_int_equal(n, n_first[k]);
			assert_true(!i || memcmp(out, first[k], n) == 0);
		}
		deflater_free(d);
		/* What is mapped here stays until the end, and moves what is mapped next. */
		assert_ptr_not_equal(
			mmap(NULL, STEP, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
			MAP_FAILED);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses_do_not_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
