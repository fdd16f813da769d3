#include "aws/profile.h"

#include <fcntl.h>

#include "base/fs.h"
#include "tests/unit/base/testing.h"

static char *write_file(const char *dir, const char *name, const char *text)
{
	char *path = xstrfmt("%s/%s", dir, name);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	return path;
}

static int load(struct aws_profiles *p, const char *config, const char *credentials,
		struct error *err)
{
	AUTO_FREE char *dir = NULL, *a = NULL, *b = NULL;
	int r;

	assert_int_equal(fs_make_temp_dir("/tmp", "slipway-profile-", &dir, err), 0);
	a = write_file(dir, "config", config);
	b = write_file(dir, "credentials", credentials);
	r = aws_profiles_load(p, a, b, err);
	assert_int_equal(fs_remove_tree(AT_FDCWD, dir, err), 0);
	return r;
}

static const char CONFIG[] = "# comment\n"
			     "[default]\r\n"
			     "region = eu-west-1\r\n"
			     "\n"
			     "[profile my dev]\n"
			     "role_arn=arn:aws:iam::1:role/a=b\n"
			     "; another\n"
			     "source_profile =  default  \n"
			     "aws_secret_access_key = from config\n"
			     "services = local\n"
			     "s3 =\n"
			     "  endpoint_url = http://s3\n"
			     "  max = 3\n"
			     "output = json\n"
			     "[profile \"quoted one\"]\n"
			     "region = us-east-2\n"
			     "[profile empty]\n"
			     "[stray]\n"
			     "region = nowhere\n"
			     "[sso-session corp]\n"
			     "sso_region = us-west-2\n"
			     "[services local]\n"
			     "ecr =\n"
			     "    endpoint_url = http://127.0.0.1:1\n";

static void test_files(void **state)
{
	AUTO(aws_profiles) p = {.values = STRMAP_INIT};

	(void)state;
	assert_ok(
		load(&p, CONFIG,
		     "[default]\naws_access_key_id = AKID\n[my dev]\naws_secret_access_key = wins\n"
		     "[only here]\nregion = r\n[profile x]\nregion = no\n",
		     err));
	assert_string_equal(aws_profile_get(&p, "default", "region"), "eu-west-1");
	assert_string_equal(aws_profile_get(&p, "default", "aws_access_key_id"), "AKID");
	assert_string_equal(aws_profile_get(&p, "my dev", "role_arn"), "arn:aws:iam::1:role/a=b");
	assert_string_equal(aws_profile_get(&p, "my dev", "source_profile"), "default");
	assert_string_equal(aws_profile_get(&p, "my dev", "aws_secret_access_key"), "wins");
	assert_string_equal(aws_profile_get(&p, "my dev", "s3.endpoint_url"), "http://s3");
	assert_string_equal(aws_profile_get(&p, "my dev", "s3.max"), "3");
	assert_null(aws_profile_get(&p, "my dev", "s3"));
	assert_string_equal(aws_profile_get(&p, "my dev", "output"), "json");
	assert_string_equal(aws_profile_get(&p, "quoted one", "region"), "us-east-2");
	assert_true(aws_profile_exists(&p, "empty"));
	assert_true(aws_profile_exists(&p, "only here"));
	assert_false(aws_profile_exists(&p, "stray"));
	assert_false(aws_profile_exists(&p, "x"));
	assert_string_equal(aws_section_get(&p, "sso-session", "corp", "sso_region"), "us-west-2");
	assert_string_equal(aws_section_get(&p, "services", "local", "ecr.endpoint_url"),
			    "http://127.0.0.1:1");
	assert_null(aws_section_get(&p, "services", "other", "ecr.endpoint_url"));
}

static void test_missing_files_are_empty(void **state)
{
	AUTO(aws_profiles) p = {.values = STRMAP_INIT};

	(void)state;
	assert_ok(aws_profiles_load(&p, "/nonexistent/config", NULL, err));
	assert_false(aws_profile_exists(&p, "default"));
}

static void test_errors_name_the_line_and_no_secret(void **state)
{
	static const struct {
		const char *config, *place;
	} ROWS[] = {
		{"region = x\n", "config:1: "},
		{"[default]\n\nhunter2\n", "config:3: "},
		{"[default\nregion = x\n", "config:1: "},
		{"[default]\n= hunter2\n", "config:2: "},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
		AUTO(aws_profiles) p = {.values = STRMAP_INIT};
		AUTO(error) e = ERROR_INIT;

		assert_int_equal(load(&p, ROWS[i].config, "", &e), -1);
		assert_int_equal(e.kind, ERROR_SYNTAX);
		assert_non_null(strstr(e.message, ROWS[i].place));
		assert_null(strstr(e.message, "hunter2"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_missing_files_are_empty),
		cmocka_unit_test(test_errors_name_the_line_and_no_secret),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
