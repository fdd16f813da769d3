#include "cli/cache_spec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"

static void forms_are_read(void **state)
{
	AUTO(cache_spec_list) l = {0};
	AUTO(error) err = ERROR_INIT;

	(void)state;
	assert_int_equal(cache_spec_add_from(&l, "host:5000/team/app:main,other/app", &err), 0);
	assert_int_equal(l.n, 2);
	assert_int_equal(l.items[0].kind, CACHE_REGISTRY);
	assert_string_equal(l.items[0].ref.path, "team/app");
	assert_string_equal(l.items[0].ref.tag, "main");
	assert_string_equal(l.items[1].ref.host, "docker.io");
	assert_int_equal(
		cache_spec_add_from(&l, "type=registry,ref=host/app:x,timeout=1500ms", &err), 0);
	assert_true(l.items[2].timeout_ns == 1500000000);
	assert_int_equal(cache_spec_add_from(&l, "type=local,\"src=a,b\"", &err), 0);
	assert_string_equal(l.items[3].folder, "a,b");
	assert_string_equal(l.items[3].tag, "latest");
	assert_int_equal(cache_spec_add_to(&l, "type=local,dest=out,tag=main,mode=max", &err), 0);
	assert_string_equal(l.items[4].tag, "main");
	assert_true(l.items[4].max);
	assert_int_equal(
		cache_spec_add_to(&l,
				  "type=registry,ref=host/app:x,mode=min,image-manifest=true,"
				  "oci-mediatypes=true,compression=zstd,ignore-error=false",
				  &err),
		0);
	assert_false(l.items[5].max);
	assert_true(l.items[5].errors_count);
	assert_int_equal(l.items[5].compression, COMPRESSION_ZSTD);
	assert_int_equal(cache_spec_add_to(&l, "type=inline", &err), 0);
	assert_int_equal(l.items[6].kind, CACHE_INLINE);
}

static void what_is_wrong_is_named(void **state)
{
	static const struct {
		bool to;
		const char *text;
		enum error_kind kind;
		const char *says;
	} rows[] = {
		{false, "type=gha", ERROR_UNSUPPORTED, "type=gha"},
		{true, "type=s3,bucket=x", ERROR_UNSUPPORTED, "type=s3"},
		{true, "type=azblob", ERROR_UNSUPPORTED, "type=azblob"},
		{false, "type=inline", ERROR_USAGE, "type=registry,ref=IMAGE"},
		{false, "type=registry,reff=x", ERROR_USAGE, "did you mean \"ref\""},
		{false, "type=local,dest=x", ERROR_USAGE, "dest"},
		{false, "type=local", ERROR_USAGE, "src= is missing"},
		{false, "type=local,src=x,digest=sha256:1", ERROR_USAGE, "digest"},
		{false, "src=x", ERROR_USAGE, "type= is missing"},
		{true, "type=registry,ref=", ERROR_USAGE, "ref= is missing"},
		{true, "type=registry,ref=a/b,mode=all", ERROR_USAGE, "min or max"},
		{true, "type=registry,ref=a/b,oci-mediatypes=false", ERROR_UNSUPPORTED,
		 "oci-mediatypes"},
		{true, "type=registry,ref=a/b,image-manifest=maybe", ERROR_USAGE, "true or false"},
		{true, "type=registry,ref=a/b,timeout=-1s", ERROR_USAGE, "timeout=-1s"},
		{true,
		 "host/a@sha256:0123456789012345678901234567890123456789012345678901234567890123",
		 ERROR_USAGE, "digest"},
		{true, "type=registry,\"ref=a", ERROR_USAGE, "quote"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(cache_spec_list) l = {0};
		AUTO(error) err = ERROR_INIT;
		int result = rows[i].to ? cache_spec_add_to(&l, rows[i].text, &err)
					: cache_spec_add_from(&l, rows[i].text, &err);

		if (result != -1 || !strstr(err.message, rows[i].says))
			fail_msg("%s: %s", rows[i].text, result ? err.message : "was taken");
		if (err.kind != rows[i].kind)
			fail_msg("%s: kind %d", rows[i].text, (int)err.kind);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forms_are_read),
		cmocka_unit_test(what_is_wrong_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
