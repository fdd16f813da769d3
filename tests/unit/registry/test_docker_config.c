#include "registry/docker_config.h"

#include "tests/unit/base/scratch.h"

#include "base/json.h"

/* Entries as docker and podman write them; Base64 by coreutils: "bob:geheim", "amy:a:b", "eve:". */
#define BOB "Ym9iOmdlaGVpbQ=="
#define AMY "YW15OmE6Yg=="
#define EVE "ZXZlOg=="

static void test_auths(void **state)
{
	static const struct {
		const char *json, *host, *repository;
		const char *
			expected; /* "user/password/identity token", "" for none, NULL for an error */
	} ROWS[] = {
		{"{\"auths\":{\"r.io\":{\"auth\":\"" BOB "\"}}}", "r.io", NULL, "bob/geheim/"},
		{"{\"auths\":{\"r.io\":{\"auth\":\"" BOB "\"}}}", "R.io", NULL, ""},
		{"{\"auths\":{\"r.io:5000\":{\"auth\":\"" BOB "\"}}}", "r.io", NULL, ""},
		{"{\"auths\":{\"r.io\":{\"auth\":\"" BOB "\"}}}", "r.io:5000", "x", ""},
		/* the first colon splits */
		{"{\"auths\":{\"r.io\":{\"auth\":\"" AMY "\"}}}", "r.io", NULL, "amy/a:b/"},
		/* forms of old docker versions */
		{"{\"auths\":{\"https://r.io\":{\"auth\":\"" BOB "\"}}}", "r.io", NULL,
		 "bob/geheim/"},
		{"{\"auths\":{\"https://r.io/v1/\":{\"auth\":\"" BOB "\"}}}", "r.io", "a/b",
		 "bob/geheim/"},
		{"{\"auths\":{\"http://r.io/v2/\":{\"auth\":\"" BOB "\"}}}", "r.io", NULL,
		 "bob/geheim/"},
		{"{\"auths\":{\"https://r.io/other\":{\"auth\":\"" BOB "\"}}}", "r.io", NULL, ""},
		{"{\"auths\":{\"https://index.docker.io/v1/\":{\"auth\":\"" BOB "\"}}}",
		 "docker.io", "library/debian", "bob/geheim/"},
		{"{\"auths\":{\"docker.io\":{\"auth\":\"" BOB "\"}}}", "docker.io", "a/b",
		 "bob/geheim/"},
		{"{\"auths\":{\"index.docker.io\":{\"auth\":\"" BOB "\"}}}", "docker.io", NULL,
		 "bob/geheim/"},
		/* containers-auth.json(5): the longest part of the name */
		{"{\"auths\":{\"r.io\":{\"auth\":\"" BOB "\"},\"r.io/a\":{\"auth\":\"" AMY "\"}}}",
		 "r.io", "a/b", "amy/a:b/"},
		{"{\"auths\":{\"r.io\":{\"auth\":\"" BOB "\"},\"r.io/a/b\":{\"auth\":\"" AMY
		 "\"}}}",
		 "r.io", "a/b", "amy/a:b/"},
		{"{\"auths\":{\"r.io\":{\"auth\":\"" BOB "\"},\"r.io/a/b\":{\"auth\":\"" AMY
		 "\"}}}",
		 "r.io", "a/bc", "bob/geheim/"},
		{"{\"auths\":{\"r.io/a\":{\"auth\":\"" AMY "\"}}}", "r.io", NULL, ""},
		/* identity tokens */
		{"{\"auths\":{\"r.io\":{\"auth\":\"" EVE "\",\"identitytoken\":\"T\"}}}", "r.io",
		 NULL, "eve//T"},
		{"{\"auths\":{\"r.io\":{\"identitytoken\":\"T\"}}}", "r.io", NULL, "//T"},
		/* plain fields of very old files */
		{"{\"auths\":{\"r.io\":{\"username\":\"u\",\"password\":\"p\"}}}", "r.io", NULL,
		 "u/p/"},
		/* NUL bytes at the end: base64 of "bob:geheim\\0\\0" */
		{"{\"auths\":{\"r.io\":{\"auth\":\"Ym9iOmdlaGVpbQAA\"}}}", "r.io", NULL,
		 "bob/geheim/"},
		/* an empty entry asks the helper: none here */
		{"{\"auths\":{\"r.io\":{}}}", "r.io", NULL, ""},
		{"{\"auths\":{\"r.io/a\":{},\"r.io\":{\"auth\":\"" BOB "\"}}}", "r.io", "a",
		 "bob/geheim/"},
		{"{\"auths\":{}}", "r.io", NULL, ""},
		{"{\"auths\":null}", "r.io", NULL, ""},
		{"{}", "r.io", NULL, ""},
		{"", "r.io", NULL, ""},
		{" \n", "r.io", NULL, ""},
		/* broken: an error, never nobody */
		{"{", "r.io", NULL, NULL},
		{"[]", "r.io", NULL, NULL},
		{"{\"auths\":[]}", "r.io", NULL, NULL},
		{"{\"auths\":{\"r.io\":\"" BOB "\"}}", "r.io", NULL, NULL},
		{"{\"auths\":{\"r.io\":{\"auth\":1}}}", "r.io", NULL, NULL},
		{"{\"auths\":{\"r.io\":{\"auth\":\"geheim\"}}}", "r.io", NULL, NULL},
		{"{\"auths\":{\"r.io\":{\"auth\":\"Ym9i\"}}}", "r.io", NULL, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
		AUTO(login) l = {0};
		AUTO(error) why = ERROR_INIT;
		bool found = true;
		int rc = docker_config_parse(ROWS[i].json, strlen(ROWS[i].json), "FILE",
					     ROWS[i].host, ROWS[i].repository, &l, &found, &why);
		AUTO_FREE char *got = NULL;

		if (!ROWS[i].expected) {
			if (rc == 0 || !strstr(why.message, "FILE"))
				fail_msg("row %zu: %s", i, rc ? why.message : "no error");
			/* What is wrong is told without what is secret. */
			assert_null(strstr(why.message, "geheim"));
			assert_false(found);
			continue;
		}
		assert_int_equal(rc, 0);
		got = found ? xstrfmt("%s/%s/%s", l.username ? l.username : "",
				      l.password ? l.password : "",
				      l.identity_token ? l.identity_token : "")
			    : xstrdup("");
		if (strcmp(got, ROWS[i].expected) != 0)
			fail_msg("row %zu: \"%s\", not \"%s\"", i, got, ROWS[i].expected);
	}
}

/* ---- files and helpers --------------------------------------------------- */

/*
 * A helper that keeps its secrets in files, records how it was called, and can be told to fail. In the protocol of
 * docker-credential-helpers.
 */
static const char HELPER[] =
	"#!/bin/sh\n"
	"read -r input\n"
	"echo \"$1 $input $#\" >>\"$STORE/calls\"\n"
	"env >>\"$STORE/env\"\n"
	"case $1 in\n"
	"get)\n"
	"  [ ! -e \"$STORE/broken\" ] || { echo 'keychain is locked'; exit 1; }\n"
	"  [ ! -e \"$STORE/garbage\" ] || { echo 'geheim {'; exit 0; }\n"
	"  [ -e \"$STORE/secret\" ] || { echo 'credentials not found in native keychain'; exit 1; }\n"
	"  cat \"$STORE/secret\" ;;\n"
	"store) printf '%s' \"$input\" >\"$STORE/secret\" ;;\n"
	"erase) rm \"$STORE/secret\" 2>/dev/null || { echo 'credentials not found'; exit 1; } ;;\n"
	"esac\n";

struct heard {
	struct reporter reporter;
	char text[1024];
};

static void on_log(struct reporter *r, enum log_level level, const char *text)
{
	struct heard *h = (struct heard *)r;

	if (level == LOG_WARNING)
		snprintf(h->text, sizeof(h->text), "%s", text);
}

struct setting {
	struct strlist files;
	struct strlist env;
	struct heard heard;
	struct docker_config_options o;
};

static int set_up(void **state)
{
	struct setting *s = xcalloc(1, sizeof(*s));

	if (scratch_setup(state) < 0)
		return -1;
	strlist_add(&s->files, in_scratch("home/.docker/config.json"));
	strlist_add(&s->files, in_scratch("run/auth.json"));
	strlist_addf(&s->env, "PATH=relative:%s/bin:/usr/bin:/bin", scratch_path);
	strlist_addf(&s->env, "STORE=%s/store", scratch_path);
	make_dirs("store");
	make_file("bin/docker-credential-file", HELPER);
	chmod(in_scratch("bin/docker-credential-file"), 0755);
	s->heard.reporter.log = on_log;
	s->o = (struct docker_config_options){
		.files = &s->files,
		.helper_env = s->env.items,
		.reporter = &s->heard.reporter,
	};
	*state = s;
	return 0;
}

static int tear_down(void **state)
{
	struct setting *s = *state;

	strlist_release(&s->files);
	strlist_release(&s->env);
	free(s);
	return scratch_teardown(state);
}

#define file_test(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

static char *user_of(struct setting *s, const char *host)
{
	AUTO(login) l = {0};
	bool found;

	assert_ok(docker_config_get(&s->o, host, NULL, &l, &found, err));
	return found ? xstrfmt("%s:%s", l.username, l.password) : NULL;
}

#define assert_user(s, host, wanted)                             \
	do {                                                     \
		AUTO_FREE char *user_ = user_of(s, host);        \
		assert_string_equal(user_ ? user_ : "", wanted); \
	} while (0)

static void test_order_of_files(void **state)
{
	struct setting *s = *state;

	assert_user(s, "r.io", "");
	make_file("run/auth.json", "{\"auths\":{\"r.io\":{\"auth\":\"" BOB "\"}}}");
	chmod(in_scratch("run/auth.json"), 0600);
	assert_user(s, "r.io", "bob:geheim");
	assert_string_equal(s->heard.text, "");
	make_file("home/.docker/config.json", "{\"auths\":{\"r.io\":{\"auth\":\"" AMY "\"}}}");
	assert_user(s, "r.io", "amy:a:b");
	/* Made with 0644. */
	assert_non_null(
		strstr(s->heard.text, "config.json holds passwords and others can read it"));
	make_file("home/.docker/config.json", "{ broken");
	assert_error(
		docker_config_get(&s->o, "r.io", NULL, &(struct login){0}, &(bool){false}, err),
		ERROR_SYNTAX, "config.json is not valid JSON");
}

static void test_store_and_erase(void **state)
{
	struct setting *s = *state;
	char user[] = "bob", password[] = "geheim";
	struct login l = {.username = user, .password = password};
	AUTO_FREE char *where = NULL;
	AUTO_JSON *j = NULL;
	struct stat st;
	bool found;

	assert_ok(docker_config_store(&s->o, "r.io", &l, &where, err));
	assert_string_equal(where, s->files.items[0]);
	assert_int_equal(stat(s->files.items[0], &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(stat(in_scratch("home/.docker"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_ok(json_parse_file(&j, s->files.items[0], 10000, err));
	assert_string_equal(json_string_value(json_object_get(
				    json_object_get(json_object_get(j, "auths"), "r.io"), "auth")),
			    BOB);
	assert_user(s, "r.io", "bob:geheim");
	assert_ok(docker_config_erase(&s->o, "r.io", &found, err));
	assert_true(found);
	assert_user(s, "r.io", "");
	assert_ok(docker_config_erase(&s->o, "r.io", &found, err));
	assert_false(found);
}

/* A damaged file is neither passed over nor written over. */
static void test_damaged(void **state)
{
	static const struct {
		const char *json, *text;
	} ROWS[] = {
		{"{\"auths\":{", "config.json is not valid JSON"},
		{"[]", "config.json holds no JSON object"},
		{"{\"auths\":[],\"other\":1}", "config.json: \"auths\" is not an object"},
		{"{\"auths\":\"r.io\"}", "\"auths\" is not an object"},
		{"{\"credHelpers\":[\"r.io\"]}", "\"credHelpers\" is not an object"},
		{"{\"credsStore\":1}", "\"credsStore\" is not a string"},
	};
	struct setting *s = *state;
	char user[] = "bob", password[] = "geheim";
	const struct login bob = {.username = user, .password = password};

	for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
		AUTO_FREE char *where = NULL;
		AUTO(login) l = {0};
		bool found;

		make_file("home/.docker/config.json", ROWS[i].json);
		assert_error(docker_config_get(&s->o, "r.io", NULL, &l, &found, err), ERROR_SYNTAX,
			     ROWS[i].text);
		assert_error(docker_config_store(&s->o, "r.io", &bob, &where, err), ERROR_SYNTAX,
			     ROWS[i].text);
		assert_error(docker_config_erase(&s->o, "r.io", &found, err), ERROR_SYNTAX,
			     ROWS[i].text);
		assert_content("home/.docker/config.json", ROWS[i].json);
	}
}

/* What other programs keep there stays; a link stays a link. */
static void test_others_fields(void **state)
{
	struct setting *s = *state;
	char user[] = "bob", password[] = "geheim";
	struct login l = {.username = user, .password = password};
	AUTO_FREE char *where = NULL;
	AUTO_JSON *j = NULL;
	const json_t *auths;
	struct stat st;

	make_file("dotfiles/docker.json",
		  "{\"HttpHeaders\":{\"X\":\"y\"},\"auths\":{\"https://r.io/v1/\":{\"auth\":\"" AMY
		  "\"},\"other.io\":{\"auth\":\"" AMY "\"}},\"psFormat\":\"table\"}");
	make_dirs("home/.docker");
	make_link("../../dotfiles/docker.json", "home/.docker/config.json");
	assert_ok(docker_config_store(&s->o, "r.io", &l, &where, err));
	assert_int_equal(lstat(s->files.items[0], &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_ok(json_parse_file(&j, in_scratch("dotfiles/docker.json"), 10000, err));
	assert_string_equal(json_string_value(json_object_get(j, "psFormat")), "table");
	assert_non_null(json_object_get(json_object_get(j, "HttpHeaders"), "X"));
	auths = json_object_get(j, "auths");
	assert_int_equal(json_object_size(auths), 2);
	assert_non_null(json_object_get(auths, "other.io"));
	assert_non_null(json_object_get(auths, "r.io"));
	/* A link to nothing yet: the file is made where it points. */
	unlink(in_scratch("dotfiles/docker.json"));
	free(take_ptr(where));
	assert_ok(docker_config_store(&s->o, "r.io", &l, &where, err));
	assert_int_equal(stat(in_scratch("dotfiles/docker.json"), &st), 0);
}

static void test_docker_hub(void **state)
{
	struct setting *s = *state;
	char user[] = "bob", password[] = "geheim";
	struct login l = {.username = user, .password = password};
	AUTO_FREE char *where = NULL;
	AUTO_JSON *j = NULL;
	bool found;

	make_file("home/.docker/config.json", "{\"auths\":{\"docker.io\":{\"auth\":\"" AMY "\"}}}");
	assert_ok(docker_config_store(&s->o, "docker.io", &l, &where, err));
	assert_ok(json_parse_file(&j, s->files.items[0], 10000, err));
	/* docker's own key, and no second entry that contradicts it. */
	assert_int_equal(json_object_size(json_object_get(j, "auths")), 1);
	assert_non_null(
		json_object_get(json_object_get(j, "auths"), "https://index.docker.io/v1/"));
	assert_user(s, "docker.io", "bob:geheim");
	assert_ok(docker_config_erase(&s->o, "docker.io", &found, err));
	assert_true(found);
	assert_user(s, "docker.io", "");
}

static void test_refused_logins(void **state)
{
	struct setting *s = *state;
	char colon[] = "a:b", secret[] = "x";
	struct login l = {.username = colon, .password = secret};
	struct login nobody = {0};
	struct docker_config_options homeless = s->o;
	AUTO_FREE char *where = NULL;
	AUTO(strlist) none = STRLIST_INIT;

	assert_error(docker_config_store(&s->o, "r.io", &l, &where, err), ERROR_USAGE, "colon");
	assert_error(docker_config_store(&s->o, "r.io", &nobody, &where, err), ERROR_USAGE,
		     "password");
	l.username = secret;
	homeless.files = &none;
	assert_error(docker_config_store(&homeless, "r.io", &l, &where, err), ERROR_USAGE, "HOME");
	assert_false(exists("home"));
}

static void test_helper(void **state)
{
	struct setting *s = *state;
	char user[] = "bob", password[] = "gehe\"im \xc3\xa9";
	struct login l = {.username = user, .password = password};
	AUTO_FREE char *where = NULL;
	AUTO(strbuf) env = STRBUF_INIT;
	bool found;

	make_file("home/.docker/config.json", "{\"credHelpers\":{\"r.io\":\"file\"}}");
	assert_user(s, "r.io", "");
	assert_ok(docker_config_store(&s->o, "r.io", &l, &where, err));
	assert_string_equal(where, "docker-credential-file");
	assert_user(s, "r.io", "bob:gehe\"im \xc3\xa9");
	/* Another host is not asked for. */
	assert_user(s, "other.io", "");
	assert_ok(docker_config_erase(&s->o, "r.io", &found, err));
	assert_true(found);
	assert_ok(docker_config_erase(&s->o, "r.io", &found, err));
	assert_false(found);
	assert_content("store/calls",
		       "get r.io 1\n"
		       "store {\"ServerURL\":\"r.io\",\"Username\":\"bob\",\"Secret\":\"gehe\\\"im "
		       "\xc3\xa9\"} 1\n"
		       "get r.io 1\nerase r.io 1\nerase r.io 1\n");
	/* The secret is neither in the file nor in the environment. */
	assert_content(
		"home/.docker/config.json",
		"{\n  \"credHelpers\": {\n    \"r.io\": \"file\"\n  },\n  \"auths\": {}\n}\n");
	assert_ok(fs_read_file(in_scratch("store/env"), &env, 100000, err));
	assert_null(strstr(env.buf, "gehe"));
}

static void test_helper_for_all(void **state)
{
	struct setting *s = *state;

	make_file("store/secret",
		  "{\"ServerURL\":\"x\",\"Username\":\"<token>\",\"Secret\":\"T\"}");
	make_file("home/.docker/config.json",
		  "{\"credsStore\":\"file\",\"auths\":{\"https://index.docker.io/v1/\":{}}}");
	AUTO(login) l = {0};
	bool found;

	assert_ok(docker_config_get(&s->o, "docker.io", "a/b", &l, &found, err));
	assert_true(found);
	assert_string_equal(l.identity_token, "T");
	assert_null(l.username);
	assert_content("store/calls", "get https://index.docker.io/v1/ 1\n");
	/* The helper has none: an entry of auths and then the next file are looked at. */
	unlink(in_scratch("store/secret"));
	make_file("run/auth.json", "{\"auths\":{\"docker.io\":{\"auth\":\"" BOB "\"}}}");
	assert_user(s, "docker.io", "bob:geheim");
}

/* A broken helper never makes a request anonymous. */
static void test_helper_failures(void **state)
{
	static const struct {
		const char *config, *marker;
		enum error_kind kind;
		const char *text;
	} ROWS[] = {
		{"{\"credsStore\":\"file\"}", "store/broken", ERROR_DENIED, "keychain is locked"},
		{"{\"credsStore\":\"file\"}", "store/garbage", ERROR_CORRUPT, "is not JSON"},
		{"{\"credsStore\":\"absent\"}", NULL, ERROR_NOT_FOUND, "docker-credential-absent"},
		{"{\"credsStore\":\"../../tmp/x\"}", NULL, ERROR_DENIED, "../../tmp/x"},
		{"{\"credsStore\":\"a b\"}", NULL, ERROR_DENIED, "\"a b\" is not run"},
		{"{\"credHelpers\":{\"r.io\":\"x;rm\"}}", NULL, ERROR_DENIED, "x;rm"},
		{"{\"credHelpers\":{\"r.io\":\"a\\nb\"}}", NULL, ERROR_DENIED, "a\\x0ab"},
		{"{\"credHelpers\":{\"r.io\":1}}", NULL, ERROR_SYNTAX, "credHelpers"},
		{"{\"credHelpers\":[]}", NULL, ERROR_SYNTAX, "credHelpers"},
		{"{\"credsStore\":{}}", NULL, ERROR_SYNTAX, "credsStore"},
	};
	struct setting *s = *state;

	for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
		AUTO(login) l = {0};
		bool found;

		make_file("home/.docker/config.json", ROWS[i].config);
		if (ROWS[i].marker)
			make_file(ROWS[i].marker, "");
		assert_error(docker_config_get(&s->o, "r.io", NULL, &l, &found, err), ROWS[i].kind,
			     ROWS[i].text);
		assert_false(found);
		assert_null(l.username);
		if (ROWS[i].marker)
			unlink(in_scratch(ROWS[i].marker));
	}
}

static void test_logout_elsewhere(void **state)
{
	struct setting *s = *state;
	bool found;

	make_file("run/auth.json", "{\"auths\":{\"r.io\":{\"auth\":\"" BOB "\"}}}");
	assert_ok(docker_config_erase(&s->o, "r.io", &found, err));
	assert_false(found);
	assert_non_null(strstr(s->heard.text, "run/auth.json still has a login for r.io"));
	assert_false(exists("home/.docker/config.json"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_auths),     file_test(test_order_of_files),
		file_test(test_store_and_erase),  file_test(test_damaged),
		file_test(test_others_fields),    file_test(test_docker_hub),
		file_test(test_refused_logins),   file_test(test_helper),
		file_test(test_helper_for_all),   file_test(test_helper_failures),
		file_test(test_logout_elsewhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
