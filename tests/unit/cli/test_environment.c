#include "cli/environment.h"

#include <unistd.h>

#include "base/alloc.h"
#include "tests/unit/base/testing.h"

static void assert_files(char **envp, const char *const *wanted)
{
	struct environment e;
	size_t n = 0;

	environment_init(&e, envp);
	for (; wanted[n]; n++) {
		assert_true(n < e.auth_files.n);
		assert_string_equal(e.auth_files.items[n], wanted[n]);
	}
	assert_int_equal(e.auth_files.n, n);
	environment_release(&e);
}

/* containers-auth.json(5), and docker's. */
static void test_auth_files(void **state)
{
	AUTO_FREE char *own = xstrfmt("/run/containers/%u/auth.json", (unsigned int)geteuid());
	char home[] = "HOME=/h", first[] = "SLIPWAY_AUTH_FILE=/1",
	     second[] = "REGISTRY_AUTH_FILE=/2", docker[] = "DOCKER_CONFIG=/3",
	     runtime[] = "XDG_RUNTIME_DIR=/4", config[] = "XDG_CONFIG_HOME=/5";
	char *plain[] = {home, NULL};
	char *all[] = {home, first, second, docker, runtime, config, NULL};
	const char *of_plain[] = {"/h/.docker/config.json", own, "/h/.config/containers/auth.json",
				  NULL};
	const char *of_all[] = {
		"/1", "/2", "/3/config.json", "/4/containers/auth.json", "/5/containers/auth.json",
		NULL};

	(void)state;
	assert_files(plain, of_plain);
	assert_files(all, of_all);
}

/* Without HOME it is the one that the system's list of users tells: nobody has nothing to look for in /root. */
static void test_home(void **state)
{
	char home[] = "HOME=/h", *none[] = {NULL}, *given[] = {home, NULL};
	struct environment e;

	(void)state;
	environment_init(&e, given);
	assert_string_equal(e.home, "/h");
	environment_release(&e);
	environment_init(&e, none);
	assert_string_equal(e.home, getuid() == 0 ? "/root" : e.home);
	environment_release(&e);
	if (getuid() != 0)
		return;
	assert_int_equal(seteuid(65534), 0);
	environment_init(&e, none);
	assert_int_equal(seteuid(0), 0);
	assert_string_equal(e.home, "/nonexistent");
	environment_release(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_auth_files),
		cmocka_unit_test(test_home),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
