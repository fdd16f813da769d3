#include "builder/remote_source.h"

#include "build_fixture.h"

static void kinds(void **state)
{
	static const struct {
		const char *source;
		enum remote_kind kind;
	} rows[] = {
		{"a", REMOTE_NONE},
		{"/a.git", REMOTE_NONE},
		{"http://h/a", REMOTE_URL},
		{"https://h/a.tar.gz?x=.git", REMOTE_URL},
		{"https://h/a.git", REMOTE_GIT},
		{"https://h/a.git#v1:sub", REMOTE_GIT},
		{"https://h/a.git?ref=x", REMOTE_GIT},
		{"git@github.com:o/r", REMOTE_GIT},
		{"git://h/r", REMOTE_GIT},
		{"ssh://git@h/r", REMOTE_GIT},
		{"ftp://h/a", REMOTE_NONE},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (remote_kind_of(rows[i].source) != rows[i].kind)
			fail_msg("%s", rows[i].source);
}

/* Go's path.Base of the URL's path (dockerfile.md 9). */
static void names(void **state)
{
	static const struct {
		const char *url, *name;
	} rows[] = {
		{"https://h/a/b.tgz", "b.tgz"},
		{"https://h/a/b.tgz?c=/d", "b.tgz"},
		{"https://h/a/#f", "a"},
		{"https://h/", "__unnamed__"},
		{"https://h", "__unnamed__"},
		{"https://h?x=/y", "__unnamed__"},
		{"https://h/..", "__unnamed__"},
		{"http://h//x//", "x"},
		{"http://h/a%20b%2Bc+d", "a b+c+d"},
		{"http://h/a%2fb?c", "b"},
		{"http://h/%E4%bD%a0", "\xe4\xbd\xa0"},
		{"http://h/x/%2e%2E", "__unnamed__"},
		{"http://h/50%", "__unnamed__"},
		{"http://h/a%2", "__unnamed__"},
		{"http://h/a%zz", "__unnamed__"},
		{"http://h/a%00b", "__unnamed__"},
		{"http://h/%2525", "%25"},
		{"http://h/a%2F", "a"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO_FREE char *name = remote_name(rows[i].url);

		assert_string_equal(name, rows[i].name);
	}
}

static void check_refused(const char *line, enum error_kind kind, const char *text)
{
	AUTO_PTR(dockerfile) file = parse_stage(line);
	AUTO(instruction) ins = INSTRUCTION_INIT;
	size_t n;

	expand_first(&ins, file);
	assert_error(remote_check(&ins, &n, err), kind, text);
}

static void refusals(void **state)
{
	(void)state;
	check_refused("COPY https://h/x /", ERROR_SYNTAX, "source can't be a URL for COPY");
	check_refused("COPY git@h:x /", ERROR_SYNTAX, "source can't be a git ref for COPY");
	check_refused("ADD https://h/x.git /", ERROR_UNSUPPORTED, "git repository https://h/x.git");
	check_refused("ADD --checksum=sha256:0 a /", ERROR_SYNTAX,
		      "checksum requires HTTP(S) or Git sources");
	check_refused("ADD --checksum=sha256:0 http://h/a http://h/b /", ERROR_SYNTAX,
		      "checksum can't be specified for multiple sources");
}

/* A server of one text. */
static int serve(void *arg, const char *url, int out_fd, int64_t *mtime, struct error *err)
{
	(void)arg;
	if (strstr(url, "missing"))
		return error_set(err, ERROR_NOT_FOUND, "GET %s: 404", url);
	*mtime = 1000000000;
	return fs_write_all(out_fd, "abc", 3, url, err);
}

static void fetch(struct build_fixture *f, const char *line, struct remote_files *out)
{
	AUTO_PTR(dockerfile) file = parse_stage(line);
	AUTO(instruction) ins = INSTRUCTION_INIT;
	const struct build_options o = {.fetch = {.url = serve}};
	struct build b = {.options = &o, .store = f->store};

	expand_first(&ins, file);
	assert_ok(remote_fetch(out, &b, &ins, err));
}

static void fetched_files(void **state)
{
	struct build_fixture *f = *state;
	struct remote_files files = {.n = 0};
	AUTO(strbuf) text = STRBUF_INIT;
	struct stat st;
	char *folder;

	/* SHA-256 of "abc": FIPS 180-2, B.1. */
	fetch(f,
	      "ADD --checksum=sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad "
	      "http://h/d/x.txt?q /",
	      &files);
	assert_string_equal(path_base(files.paths[0]), "x.txt");
	assert_ok(fs_read_file(files.paths[0], &text, 100, err));
	assert_string_equal(text.buf, "abc");
	assert_int_equal(stat(files.paths[0], &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_mtime, 1000000000);
	folder = xstrdup(files.folder);
	remote_files_release(&files);
	assert_int_equal(access(folder, F_OK), -1);
	free(folder);
}

/* Two of one name are two files. */
static void equal_names(void **state)
{
	struct build_fixture *f = *state;
	struct remote_files files = {.n = 0};

	fetch(f, "ADD local http://h/a/own http://h/b/own /", &files);
	assert_null(files.paths[0]);
	assert_string_equal(path_base(files.paths[1]), "own");
	assert_string_equal(path_base(files.paths[2]), "own");
	assert_string_not_equal(files.paths[1], files.paths[2]);
	remote_files_release(&files);
}

static void failures(void **state)
{
	struct build_fixture *f = *state;
	AUTO_PTR(dockerfile)
	wrong = parse_stage(
		"ADD --checksum=sha256:aa7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad "
		"http://h/x /");
	AUTO_PTR(dockerfile) missing = parse_stage("ADD http://h/missing /");
	AUTO(instruction) first = INSTRUCTION_INIT;
	AUTO(instruction) second = INSTRUCTION_INIT;
	const struct build_options o = {.fetch = {.url = serve}};
	const struct build_options offline = {.jobs = 1};
	struct build b = {.options = &o, .store = f->store};
	struct build alone = {.options = &offline, .store = f->store};
	struct remote_files a = {.n = 0}, c = {.n = 0}, d = {.n = 0};

	expand_first(&first, wrong);
	expand_first(&second, missing);
	assert_error(remote_fetch(&a, &b, &first, err), ERROR_CORRUPT,
		     "its bytes have sha256:ba7816bf");
	assert_error(remote_fetch(&c, &b, &second, err), ERROR_NOT_FOUND, "404");
	assert_error(remote_fetch(&d, &alone, &second, err), ERROR_UNSUPPORTED, "cannot fetch");
	remote_files_release(&a);
	remote_files_release(&c);
	remote_files_release(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kinds),       cmocka_unit_test(names),
		cmocka_unit_test(refusals),    cmocka_unit_test(fetched_files),
		cmocka_unit_test(equal_names), cmocka_unit_test(failures),
	};

	return cmocka_run_group_tests(tests, build_fixture_setup, build_fixture_teardown);
}
