#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/alloc.h"
#include "oci/reference.h"

#define D "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

/* Rows of docker's "reference" tests (normalize_test.go, reference_test.go) and of its documentation. */
static void test_accepted(void **state)
{
	static const struct {
		const char *text, *full, *familiar;
	} rows[] = {
		{"debian", "docker.io/library/debian:latest", "debian:latest"},
		{"debian:12", "docker.io/library/debian:12", "debian:12"},
		{"library/debian", "docker.io/library/debian:latest", "debian:latest"},
		{"docker.io/debian", "docker.io/library/debian:latest", "debian:latest"},
		{"index.docker.io/library/debian:1", "docker.io/library/debian:1", "debian:1"},
		{"user/app", "docker.io/user/app:latest", "user/app:latest"},
		{"docker.io/library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest"},
		{"docker.io/a.b/c", "docker.io/a.b/c:latest", "docker.io/a.b/c:latest"},
		{"docker.io/localhost/c", "docker.io/localhost/c:latest",
		 "docker.io/localhost/c:latest"},
		{"localhost/app", "localhost/app:latest", "localhost/app:latest"},
		{"localhost:5000/app:demo", "localhost:5000/app:demo", "localhost:5000/app:demo"},
		{"localhost:5000", "docker.io/library/localhost:5000", "localhost:5000"},
		{"127.0.0.1:5000/a/b/c:1", "127.0.0.1:5000/a/b/c:1", "127.0.0.1:5000/a/b/c:1"},
		{"[::1]:5000/app", "[::1]:5000/app:latest", "[::1]:5000/app:latest"},
		{"[2001:db8::1]/app", "[2001:db8::1]/app:latest", "[2001:db8::1]/app:latest"},
		{"ghcr.io/o/i:v1.2_3-x", "ghcr.io/o/i:v1.2_3-x", "ghcr.io/o/i:v1.2_3-x"},
		{"Registry.example.com/a", "Registry.example.com/a:latest",
		 "Registry.example.com/a:latest"},
		{"HOST/app", "HOST/app:latest", "HOST/app:latest"},
		{"my-host:80/a__b--c.d_e", "my-host:80/a__b--c.d_e:latest",
		 "my-host:80/a__b--c.d_e:latest"},
		{"a--b.example.com/x", "a--b.example.com/x:latest", "a--b.example.com/x:latest"},
		{"debian@" D, "docker.io/library/debian@" D, "debian@" D},
		{"debian:12@" D, "docker.io/library/debian:12@" D, "debian:12@" D},
		{"x.y/z:T_-.9@" D, "x.y/z:T_-.9@" D, "x.y/z:T_-.9@" D},
		{"a:_x", "docker.io/library/a:_x", "a:_x"},
		{"123456789012.dkr.ecr.eu-west-1.amazonaws.com/app",
		 "123456789012.dkr.ecr.eu-west-1.amazonaws.com/app:latest",
		 "123456789012.dkr.ecr.eu-west-1.amazonaws.com/app:latest"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(image_ref) r = {0};
		AUTO(image_ref) again = {0};
		AUTO(image_ref) copy = {0};
		AUTO(error) err = ERROR_INIT;

		if (image_ref_parse(&r, rows[i].text, &err) < 0)
			fail_msg("%s", err.message);
		AUTO_FREE char *full = image_ref_full(&r);
		AUTO_FREE char *familiar = image_ref_familiar(&r);

		assert_string_equal(full, rows[i].full);
		assert_string_equal(familiar, rows[i].familiar);
		assert_int_equal(image_ref_parse(&again, familiar, NULL), 0);
		assert_true(image_ref_equal(&r, &again));
		image_ref_copy(&copy, &r);
		assert_true(image_ref_equal(&r, &copy));
	}
}

static void test_refused(void **state)
{
	static const struct {
		const char *text, *part;
	} rows[] = {
		{"", "empty"},
		{":tag", "empty"},
		{"Debian", "lower-case"},
		{"user/App", "lower-case"},
		{"debian:", "tag"},
		{"debian:-x", "tag"},
		{"debian:.x", "tag"},
		{"debian:a b", "tag"},
		{"debian:a\xc3\xa4", "tag"},
		{"debian@sha256:abc", "digest"},
		{"debian@md5:900150983cd24fb0d6963f7d28e17f72", "digest"},
		{"debian@", "digest"},
		{"-debian", "begin with"},
		{"debian-", "separator"},
		{"a..b", "separator"},
		{"a___b", "separator"},
		{"a.-b", "separator"},
		{"a//b", "begin with"},
		{"a/", "empty"},
		{"/a", "begin with"},
		{"a b", "not allowed"},
		{"a:b:c", "not allowed"},
		{"../../etc/passwd", "host"},
		{"a/../b", "begin with"},
		{"host:port/x", "port"},
		{"host:/x", "port"},
		{"host:123456/x", "port"},
		{"[::1/x", "IPv6"},
		{"[]/x", "IPv6"},
		{"-h.com/x", "host"},
		{"h-.com/x", "host"},
		{"h..com/x", "host"},
		{"http://host/x", "port"},
		{"https://host/x", "port"},
		{"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "ID"},
		{"x\x1b[31m", "not allowed"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(image_ref) r = {0};
		AUTO(error) err = ERROR_INIT;

		if (image_ref_parse(&r, rows[i].text, &err) == 0)
			fail_msg("\"%s\" was accepted", rows[i].text);
		if (err.kind != ERROR_USAGE || !strstr(err.message, rows[i].part))
			fail_msg("\"%s\": %s", rows[i].text, err.message);
		assert_null(r.host);
	}
}

static void test_lengths(void **state)
{
	char tag[160] = "a:", name[300];
	AUTO(image_ref) ok = {0};
	AUTO(image_ref) r = {0};

	(void)state;
	memset(tag + 2, 'x', 128);
	assert_int_equal(image_ref_parse(&ok, tag, NULL), 0);
	tag[130] = 'x';
	assert_int_equal(image_ref_parse(&r, tag, NULL), -1);
	/* "h.c" + "/" + 251 = 255 */
	memset(name, 'x', sizeof(name));
	memcpy(name, "h.c/", 4);
	name[255] = '\0';
	image_ref_release(&ok);
	assert_int_equal(image_ref_parse(&ok, name, NULL), 0);
	name[255] = 'x';
	name[256] = '\0';
	assert_int_equal(image_ref_parse(&r, name, NULL), -1);
}

static void test_equal(void **state)
{
	AUTO(image_ref) a = {0};
	AUTO(image_ref) b = {0};
	AUTO(image_ref) c = {0};

	(void)state;
	assert_int_equal(image_ref_parse(&a, "debian", NULL), 0);
	assert_int_equal(image_ref_parse(&b, "docker.io/library/debian:latest", NULL), 0);
	assert_int_equal(image_ref_parse(&c, "debian@" D, NULL), 0);
	assert_true(image_ref_equal(&a, &b));
	assert_false(image_ref_equal(&a, &c));
	assert_null(c.tag);
	assert_string_equal(c.digest.text, D);
}

static void test_api_host(void **state)
{
	AUTO(image_ref) hub = {0};
	AUTO(image_ref) other = {0};

	(void)state;
	assert_int_equal(image_ref_parse(&hub, "debian", NULL), 0);
	assert_int_equal(image_ref_parse(&other, "quay.io/a/b", NULL), 0);
	assert_string_equal(image_ref_api_host(&hub), "registry-1.docker.io");
	assert_string_equal(image_ref_api_host(&other), "quay.io");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted), cmocka_unit_test(test_refused),
		cmocka_unit_test(test_lengths),  cmocka_unit_test(test_equal),
		cmocka_unit_test(test_api_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
