#include "builder/run_env.h"

#include "stage_fixture.h"

static const char *find(const struct strlist *env, const char *name)
{
	size_t len = strlen(name);
	const char *found = NULL;

	for (size_t i = 0; i < env->n; i++)
		if (strncmp(env->items[i], name, len) == 0 && env->items[i][len] == '=') {
			assert_null(found); /* a name comes once */
			found = env->items[i] + len + 1;
		}
	return found;
}

static void assert_variable(const struct strlist *env, const char *name, const char *wanted)
{
	const char *found = find(env, name);

	if (!wanted && found)
		fail_msg("%s is %s", name, found);
	if (wanted && (!found || strcmp(found, wanted) != 0))
		fail_msg("%s is %s, not %s", name, found ? found : "unset", wanted);
}

/* dockerfile.md 5: --build-arg without ARG reaches RUN, in both cases; ENV and ARG win. */
static void proxies(void **state)
{
	AUTO(strmap) host = STRMAP_INIT;
	AUTO(strmap) args = STRMAP_INIT;
	const struct build_options o = {.proxy = &host, .build_args = &args};
	struct stage_fixture s;
	struct run_mounts m = {.n = 0};
	AUTO(run_env) env;

	strmap_set(&host, "HTTP_PROXY", "host");
	strmap_set(&host, "https_proxy", "host-s");
	strmap_set(&host, "NO_PROXY", "host-no");
	strmap_set(&args, "http_proxy", "arg");
	strmap_set(&args, "FTP_PROXY", "arg-ftp");
	strmap_set(&args, "OTHER", "arg");
	stage_fixture_init(&s, *state, &o, "RUN x");
	strmap_set(&s.stage->scope.env, "NO_PROXY", "env");
	strmap_set(&s.stage->scope.env, "A", "1");
	assert_ok(run_env_init(&env, s.stage, &m, true, err));
	assert_variable(&env.list, "HTTP_PROXY", "arg");
	assert_variable(&env.list, "http_proxy", "arg");
	assert_variable(&env.list, "HTTPS_PROXY", "host-s");
	assert_variable(&env.list, "https_proxy", "host-s");
	assert_variable(&env.list, "FTP_PROXY", "arg-ftp");
	assert_variable(&env.list, "ftp_proxy", "arg-ftp");
	assert_variable(&env.list, "NO_PROXY", "env");
	assert_variable(&env.list, "no_proxy", "host-no");
	assert_variable(&env.list, "OTHER", NULL);
	assert_variable(&env.list, "A", "1");
	assert_variable(&env.list, "SSL_CERT_FILE", NULL);
	stage_fixture_release(&s);
}

static void certificates(void **state)
{
	struct build_fixture *f = *state;
	AUTO_FREE char *bundle = path_join(f->folder, "ca.pem");
	const struct build_options o = {.ca_bundle = bundle};
	struct stage_fixture s;
	struct run_mounts m = {.n = 0};
	AUTO(run_env) env;

	write_file(f, "ca.pem", "OURS\n");
	stage_fixture_init(&s, f, &o, "RUN x");
	m.stage = s.stage;
	strmap_set(&s.stage->scope.env, "PIP_CERT", "/own");
	assert_ok(run_env_init(&env, s.stage, &m, true, err));
	assert_variable(&env.list, "SSL_CERT_FILE", "/run/slipway/ca-certificates.crt");
	assert_variable(&env.list, "NODE_EXTRA_CA_CERTS", "/run/slipway/ca-certificates.crt");
	assert_variable(&env.list, "PIP_CERT", "/own");
	assert_int_equal(m.n_mounts, 1);
	assert_int_equal(m.mounts[0].kind, SANDBOX_MOUNT_DATA);
	assert_string_equal(m.mounts[0].target, "/run/slipway/ca-certificates.crt");
	assert_int_equal(m.mounts[0].data_len, 5);
	assert_memory_equal(m.mounts[0].data, "OURS\n", 5);
	run_mounts_release(&m);

	/* Nobody needs them where there is no network. */
	AUTO(run_env) offline;
	struct run_mounts none = {.stage = s.stage};

	assert_ok(run_env_init(&offline, s.stage, &none, false, err));
	assert_variable(&offline.list, "SSL_CERT_FILE", NULL);
	assert_int_equal(none.n_mounts, 0);
	run_mounts_release(&none);
	stage_fixture_release(&s);
}

static void a_missing_bundle(void **state)
{
	const struct build_options o = {.ca_bundle = "/nowhere/ca.pem"};
	struct stage_fixture s;
	struct run_mounts m = {.n = 0};
	AUTO(run_env) env = {.bundle = STRBUF_INIT};

	stage_fixture_init(&s, *state, &o, "RUN x");
	assert_error(run_env_init(&env, s.stage, &m, true, err), ERROR_NOT_FOUND,
		     "/nowhere/ca.pem");
	stage_fixture_release(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(proxies),
		cmocka_unit_test(certificates),
		cmocka_unit_test(a_missing_bundle),
	};

	return cmocka_run_group_tests(tests, build_fixture_setup, build_fixture_teardown);
}
