#include "testing.h"

#include "base/sha256.h"

#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define ABC   "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

/* The examples of FIPS 180-2, appendix B, and of NIST's test vectors. */
static void known_answers(void **state)
{
	static const struct {
		const char *in, *hex;
	} rows[] = {
		{"", EMPTY},
		{"abc", ABC},
		{"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		 "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint8_t out[SHA256_SIZE];
		char hex[SHA256_HEX_SIZE];

		sha256_buf(rows[i].in, strlen(rows[i].in), out);
		sha256_hex(out, hex);
		assert_string_equal(hex, rows[i].hex);
	}
}

static void a_million_a_in_pieces(void **state)
{
	AUTO(sha256) h = SHA256_INIT;
	char piece[997], hex[SHA256_HEX_SIZE];

	(void)state;
	memset(piece, 'a', sizeof(piece));
	for (size_t left = 1000000; left;) {
		size_t n = left < sizeof(piece) ? left : sizeof(piece);

		sha256_update(&h, piece, n);
		left -= n;
	}
	sha256_final_hex(&h, hex);
	assert_string_equal(hex,
			    "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void restarts_after_final_and_init(void **state)
{
	AUTO(sha256) h = SHA256_INIT;
	char hex[SHA256_HEX_SIZE];

	(void)state;
	sha256_final_hex(&h, hex);
	assert_string_equal(hex, EMPTY);
	sha256_update(&h, "abc", 3);
	sha256_final_hex(&h, hex);
	assert_string_equal(hex, ABC);
	sha256_update(&h, "junk", 4);
	sha256_init(&h);
	sha256_update(&h, "abc", 3);
	sha256_final_hex(&h, hex);
	assert_string_equal(hex, ABC);
	sha256_release(NULL);
}

static void a_copy_goes_its_own_way(void **state)
{
	AUTO(sha256) a = SHA256_INIT;
	AUTO(sha256) b = SHA256_INIT;
	char hex[SHA256_HEX_SIZE];

	(void)state;
	sha256_update(&b, "old state", 9);
	sha256_copy(&b, &a);
	sha256_final_hex(&b, hex);
	assert_string_equal(hex, EMPTY);
	sha256_update(&a, "ab", 2);
	sha256_copy(&b, &a);
	sha256_update(&b, "c", 1);
	sha256_final_hex(&b, hex);
	assert_string_equal(hex, ABC);
	sha256_update(&a, "c", 1);
	sha256_final_hex(&a, hex);
	assert_string_equal(hex, ABC);
}

static void frames_are_lengths_and_bytes(void **state)
{
	static const char framed[] = "\1\0\0\0\0\0\0\0a"
				     "\2\0\0\0\0\0\0\0bc"
				     "\xff\xff\xff\xff\xff\xff\xff\xff"
				     "\10\0\0\0\0\0\0\0\xfe\xff\xff\xff\xff\xff\xff\xff";
	AUTO(sha256) h = SHA256_INIT;
	uint8_t wanted[SHA256_SIZE], out[SHA256_SIZE];

	(void)state;
	sha256_frame(&h, "a", 1);
	sha256_frame_str(&h, "bc");
	sha256_frame_str(&h, NULL);
	sha256_frame_int(&h, -2);
	sha256_final(&h, out);
	sha256_buf(framed, sizeof(framed) - 1, wanted);
	assert_memory_equal(out, wanted, SHA256_SIZE);
}

static void sha512_known_answers(void **state)
{
	AUTO(sha512) h = {0};
	char hex[129];

	(void)state;
	sha512_update(&h, "ab", 2);
	sha512_update(&h, "c", 1);
	sha512_final_hex(&h, hex);
	assert_string_equal(hex,
			    "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
			    "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
	sha512_final_hex(&h, hex);
	assert_string_equal(hex,
			    "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"
			    "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e");
}

static void secrets_are_compared_whole(void **state)
{
	(void)state;
	assert_true(sha256_equal_text("", ""));
	assert_true(sha256_equal_text("secret", "secret"));
	assert_false(sha256_equal_text("secret", "secreT"));
	assert_false(sha256_equal_text("Secret", "secret"));
	assert_false(sha256_equal_text("secret", "secrets"));
	assert_false(sha256_equal_text("secrets", "secret"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_answers),
		cmocka_unit_test(a_million_a_in_pieces),
		cmocka_unit_test(restarts_after_final_and_init),
		cmocka_unit_test(a_copy_goes_its_own_way),
		cmocka_unit_test(frames_are_lengths_and_bytes),
		cmocka_unit_test(sha512_known_answers),
		cmocka_unit_test(secrets_are_compared_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
