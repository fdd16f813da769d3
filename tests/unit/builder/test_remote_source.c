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
	check_refused("ADD https://u:p@h/x.git /", ERROR_DENIED, "would be recorded");
	check_refused("ADD https://h/x.git#-u /", ERROR_SYNTAX, "not a valid git ref");
	check_refused("ADD --checksum=xyz https://h/x.git /", ERROR_SYNTAX, "commit id in hex");
	check_refused("ADD --checksum=sha256:0 http://h/a /", ERROR_SYNTAX, "64 lower-case hex");
	check_refused("ADD --checksum=md5:0 http://h/a /", ERROR_SYNTAX, "invalid checksum digest");
	check_refused("ADD --checksum=sha256:0 a /", ERROR_SYNTAX,
		      "checksum requires HTTP(S) or Git sources");
	check_refused("ADD --checksum=sha256:0 http://h/a http://h/b /", ERROR_SYNTAX,
		      "checksum can't be specified for multiple sources");
}

struct server {
	const char *etag;
	int asked, unchanged;
};

/* A server of one text. */
static int serve(void *arg, const char *url, const struct fetch_answer *known, int out_fd,
		 struct fetch_answer *out, struct error *err)
{
	struct server *server = arg;

	if (strstr(url, "missing"))
		return error_set(err, ERROR_NOT_FOUND, "GET %s: 404", url);
	server->asked++;
	out->mtime = 1000000000;
	out->etag = xstrdup_null(server->etag);
	out->unchanged = known && known->etag && strcmp(known->etag, server->etag) == 0;
	server->unchanged += out->unchanged;
	return out->unchanged ? 0 : fs_write_all(out_fd, "abc", 3, url, err);
}

static void fetch(struct build_fixture *f, struct server *server, const char *line, bool all,
		  struct remote_files *out)
{
	AUTO_PTR(dockerfile) file = parse_stage(line);
	AUTO(instruction) ins = INSTRUCTION_INIT;
	const struct build_options o = {.fetch = {.url = serve, .arg = server}};
	struct build b = {.options = &o, .store = f->store};

	expand_first(&ins, file);
	assert_ok(all ? remote_fetch(out, &b, &ins, err) : remote_identify(out, &b, &ins, err));
}

static void fetched_files(void **state)
{
	/* "abc": FIPS 180-4, and coreutils' sha384sum. */
	static const char *const sums[] = {
		"sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
		"sha384:cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
		"8086072ba1e7cc2358baeca134c825a7",
		"sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
		"2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
	};
	struct build_fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(sums); i++) {
		AUTO_FREE char *line = xstrfmt("ADD --checksum=%s http://h/d/x.txt?q /", sums[i]);
		struct server server = {.asked = 0};
		struct remote_files files = {.n = 0};
		AUTO(strbuf) text = STRBUF_INIT;
		struct stat st;
		char *folder;

		fetch(f, &server, line, true, &files);
		assert_string_equal(path_base(files.fetched[0].file), "x.txt");
		assert_ok(fs_read_file(files.fetched[0].file, &text, 100, err));
		assert_string_equal(text.buf, "abc");
		assert_int_equal(stat(files.fetched[0].file, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0600);
		assert_int_equal(st.st_mtime, 1000000000);
		folder = xstrdup(files.folder);
		remote_files_release(&files);
		assert_int_equal(access(folder, F_OK), -1);
		free(folder);
	}
}

static void equal_names(void **state)
{
	struct build_fixture *f = *state;
	struct server server = {.asked = 0};
	struct remote_files files = {.n = 0};

	fetch(f, &server, "ADD local http://h/own http://h/own /", true, &files);
	assert_null(files.fetched[0].file);
	assert_string_equal(path_base(files.fetched[1].file), "own");
	assert_string_equal(path_base(files.fetched[2].file), "own");
	assert_string_not_equal(files.fetched[1].file, files.fetched[2].file);
	remote_files_release(&files);
}

/* With what the server told of it the last time, a file that did not change is not brought again until its bytes are wanted. */
static void asks_again(void **state)
{
	struct build_fixture *f = *state;
	struct server server = {.etag = "\"1\""};
	struct remote_files one = {.n = 0}, two = {.n = 0}, three = {.n = 0};

	fetch(f, &server, "ADD http://h/etag /", false, &one);
	assert_int_equal(server.asked, 1);
	remote_files_release(&one);
	fetch(f, &server, "ADD http://h/etag /", false, &two);
	assert_int_equal(server.unchanged, 1);
	remote_files_release(&two);
	fetch(f, &server, "ADD http://h/etag /", true, &three);
	assert_int_equal(server.unchanged, 2);
	assert_int_equal(server.asked, 4);
	assert_non_null(three.fetched[0].file);
	remote_files_release(&three);
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
	struct server server = {.asked = 0};
	const struct build_options o = {.fetch = {.url = serve, .arg = &server}};
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
		cmocka_unit_test(equal_names), cmocka_unit_test(asks_again),
		cmocka_unit_test(failures),
	};

	return cmocka_run_group_tests(tests, build_fixture_setup, build_fixture_teardown);
}
