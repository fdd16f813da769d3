#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "oci/digest.h"

/* FIPS 180-4 examples and RFC 6234. */
#define HEX_ABC   "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define HEX_EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define HEX512_ABC                                                         \
	"ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a" \
	"2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"

static void test_parse(void **state)
{
	static const struct {
		const char *text;
		bool ok;
	} rows[] = {
		{"sha256:" HEX_ABC, true},
		{"sha512:" HEX512_ABC, true},
		{"", false},
		{"sha256:", false},
		{HEX_ABC, false},
		{"sha256:../../x", false},
		{"sha256:" HEX_ABC "0", false},
		{"sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015a", false},
		{"sha256:BA7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", false},
		{"sha256:ga7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", false},
		{"SHA256:" HEX_ABC, false},
		{"md5:900150983cd24fb0d6963f7d28e17f72", false},
		{"sha512:" HEX_ABC, false},
		{"sha256:" HEX512_ABC, false},
		{"sha384:" HEX_ABC, false},
		{" sha256:" HEX_ABC, false},
		{"sha256:" HEX_ABC "\n", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(error) err = ERROR_INIT;
		struct digest d = {.text = "untouched"};
		int result = digest_parse(&d, rows[i].text, &err);

		if ((result == 0) != rows[i].ok)
			fail_msg("\"%s\": %d", rows[i].text, result);
		assert_string_equal(d.text, rows[i].ok ? rows[i].text : "untouched");
		assert_int_equal(err.kind, rows[i].ok ? ERROR_NONE : ERROR_SYNTAX);
	}
}

static void test_of(void **state)
{
	struct digest unset = {0}, abc = digest_of("abc", 3);
	char text[24];

	(void)state;
	assert_string_equal(abc.text, "sha256:" HEX_ABC);
	assert_string_equal(digest_of("", 0).text, "sha256:" HEX_EMPTY);
	assert_string_equal(digest_hex(&abc), HEX_ABC);
	assert_string_equal(digest_hex(&unset), "");
	assert_true(digest_is_set(&abc));
	assert_false(digest_is_set(&unset));
	assert_false(digest_is_sha512(&abc));
	assert_true(digest_equal(&abc, &abc));
	assert_false(digest_equal(&abc, &unset));
	digest_short(&abc, text);
	assert_string_equal(text, "sha256:ba7816bf8f01");
	digest_short(&unset, text);
	assert_string_equal(text, "");
}

/* Computed with Python's hashlib over "CHAIN DIFF". */
static void test_chain(void **state)
{
	struct digest a = digest_of("a", 1), b = digest_of("b", 1), c = digest_of("c", 1);
	struct digest chain = {0};

	(void)state;
	digest_chain(&chain, &a);
	assert_string_equal(chain.text, a.text);
	digest_chain(&chain, &b);
	assert_string_equal(
		chain.text,
		"sha256:51c0c8ace48498d6f5fee6b0592cc06f2da0f3cbe09c5a34a97dce85c3889676");
	digest_chain(&chain, &c);
	assert_string_equal(
		chain.text,
		"sha256:2fce7f8ce91bcf0a1428b36e1024639fdbd9469eea762dba98aa749631885106");
}

static void test_digester(void **state)
{
	struct digest wanted;
	AUTO(digester) plain;
	AUTO(digester) wide;

	(void)state;
	digester_init(&plain, NULL);
	digester_update(&plain, "a", 1);
	digester_update(&plain, "bc", 2);
	assert_string_equal(digester_final(&plain).text, "sha256:" HEX_ABC);

	assert_int_equal(digest_parse(&wanted, "sha512:" HEX512_ABC, NULL), 0);
	digester_init(&wide, &wanted);
	digester_update(&wide, "abc", 3);
	assert_string_equal(digester_final(&wide).text, "sha512:" HEX512_ABC);
}

static void test_digester_fd(void **state)
{
	char path[] = "/tmp/slipway-test-XXXXXX";
	AUTO_FD int fd = mkstemp(path);
	AUTO(digester) d;
	AUTO(error) err = ERROR_INIT;
	int64_t bytes = -1;

	(void)state;
	unlink(path);
	assert_int_equal(write(fd, "xxabc", 5), 5);
	assert_int_equal(lseek(fd, 2, SEEK_SET), 2);
	digester_init(&d, NULL);
	assert_int_equal(digester_update_fd(&d, fd, "file", &bytes, &err), 0);
	assert_int_equal(bytes, 3);
	assert_string_equal(digester_final(&d).text, "sha256:" HEX_ABC);
	assert_int_equal(digester_update_fd(&d, -1, "no file", NULL, &err), -1);
	assert_non_null(strstr(err.message, "no file"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),       cmocka_unit_test(test_of),
		cmocka_unit_test(test_chain),       cmocka_unit_test(test_digester),
		cmocka_unit_test(test_digester_fd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
