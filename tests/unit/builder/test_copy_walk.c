#include "builder/copy_source.h"

#include "copy_fixture.h"

#include <sys/resource.h>
#include <sys/wait.h>

static const struct copy_row ignored[] = {
	{.files = "f 644 0:0 .dockerignore=b|*.md\nf 644 0:0 a=1\nf 644 0:0 b=2\nf 644 0:0 c.md=3",
	 .line = "COPY . /x",
	 .wanted = "d 755 0:0 x\nf 644 0:0 x/.dockerignore=b|*.md\nf 644 0:0 x/a=1\n"},
	/* an ignored source is missing, and the line that hides it is told */
	{.files = "f 644 0:0 .dockerignore=# x|b\nf 644 0:0 b=2",
	 .line = "COPY b /x",
	 .error = "\"/b\": not found: excluded by .dockerignore:2",
	 .kind = ERROR_NOT_FOUND},
	{.files = "f 644 0:0 .dockerignore=d\nf 644 0:0 d/e/b=2",
	 .line = "COPY d/e/b /x",
	 .error = "\"/d/e/b\": not found: excluded by .dockerignore:1",
	 .kind = ERROR_NOT_FOUND},
	{.files = "f 644 0:0 .dockerignore=real\nf 644 0:0 real=1\nl 777 0:0 link -> real",
	 .line = "COPY link /x",
	 .error = "excluded by .dockerignore:1",
	 .kind = ERROR_NOT_FOUND},
	{.files = "f 644 0:0 .dockerignore=link\nf 644 0:0 real=1\nl 777 0:0 link -> real",
	 .line = "COPY link /x",
	 .error = "excluded by .dockerignore:1",
	 .kind = ERROR_NOT_FOUND},
	{.files = "f 644 0:0 .dockerignore=Dockerfile|.dockerignore\nf 644 0:0 Dockerfile=1",
	 .line = "COPY Dockerfile /x",
	 .error = "not found",
	 .kind = ERROR_NOT_FOUND},
	/* a wildcard does not see what is ignored */
	{.files = "f 644 0:0 .dockerignore=b*\nf 644 0:0 a=1\nf 644 0:0 b=2",
	 .line = "COPY ? /x/",
	 .wanted = "d 755 0:0 x\nf 644 0:0 x/a=1\n"},
	{.files = "f 644 0:0 .dockerignore=secret\nf 644 0:0 p/secret=1\nf 644 0:0 secret/a=2",
	 .line = "COPY */* /x/",
	 .wanted = "d 755 0:0 x\nf 644 0:0 x/secret=1\n"},
	/* "!" takes back below an ignored folder; the folders above come with it, in their place */
	{.files =
		 "f 644 0:0 .dockerignore=*|!d/keep\nf 644 0:0 a=1\nf 644 0:0 d/keep=2\nf 644 0:0 d/no=3",
	 .line = "COPY . /x",
	 .wanted = "d 755 0:0 x\nd 755 0:0 x/d\nf 644 0:0 x/d/keep=2\n"},
	{.files =
		 "f 644 0:0 .dockerignore=*|!d/e/keep\nd 700 0:0 d\nd 711 0:0 d/e\nf 644 0:0 d/e/keep=2\n"
		 "f 644 0:0 d/no=3\nd 755 0:0 d/f",
	 .line = "COPY . /x",
	 .wanted = "d 755 0:0 x\nd 700 0:0 x/d\nd 711 0:0 x/d/e\nf 644 0:0 x/d/e/keep=2\n"},
	{.files = "f 644 0:0 .dockerignore=*|!d/e/keep\nf 644 0:0 d/e/keep=2\nf 644 0:0 d/no=3",
	 .line = "COPY d /x",
	 .wanted = "d 755 0:0 x\nd 755 0:0 x/e\nf 644 0:0 x/e/keep=2\n"},
	{.files = "f 644 0:0 .dockerignore=*|!d/e/keep\nf 644 0:0 d/e/keep=2\nf 644 0:0 d/no=3",
	 .line = "COPY */e/* /x/",
	 .wanted = "d 755 0:0 x\nf 644 0:0 x/keep=2\n"},
	/* nothing was taken back: the folder is not there */
	{.files = "f 644 0:0 .dockerignore=*|!d/e/keep\nf 644 0:0 d/no=3",
	 .line = "COPY d /x",
	 .error = "\"/d\": not found: excluded by .dockerignore:1",
	 .kind = ERROR_NOT_FOUND},
	{.files =
		 "f 644 0:0 .dockerignore=**/node_modules|!**/node_modules/mine\n"
		 "f 644 0:0 p/node_modules/a=1\nf 644 0:0 p/node_modules/mine/b=2\nf 644 0:0 p/c=3",
	 .line = "COPY p /x",
	 .wanted = "d 755 0:0 x\nf 644 0:0 x/c=3\nd 755 0:0 x/node_modules\n"
		   "d 755 0:0 x/node_modules/mine\nf 644 0:0 x/node_modules/mine/b=2\n"},
};

static void ignores(void **state)
{
	check_rows(*state, ignored);
}

static const struct copy_row excluded[] = {
	{.files = "f 644 0:0 a.txt=1\nf 644 0:0 b.md=2\nf 644 0:0 d/c.txt=3",
	 .line = "COPY --exclude=*.txt . /x",
	 .wanted = "d 755 0:0 x\nf 644 0:0 x/b.md=2\nd 755 0:0 x/d\nf 644 0:0 x/d/c.txt=3\n"},
	{.files = "f 644 0:0 a.txt=1\nf 644 0:0 b.md=2\nf 644 0:0 d/c.txt=3",
	 .line = "COPY --exclude=**/*.txt --exclude=b* . /x",
	 .wanted = "d 755 0:0 x\nd 755 0:0 x/d\n"},
	/* relative to each source folder */
	{.files = "f 644 0:0 p/a=1\nf 644 0:0 p/b=2\nf 644 0:0 q/a=3\nf 644 0:0 q/c=4",
	 .line = "COPY --exclude=a p q /x/",
	 .wanted = "d 755 0:0 x\nf 644 0:0 x/b=2\nf 644 0:0 x/c=4\n"},
	{.files = "f 644 0:0 p/a=1\nf 644 0:0 p/p/a=2",
	 .line = "COPY --exclude=p/a p /x/",
	 .wanted = "d 755 0:0 x\nf 644 0:0 x/a=1\nd 755 0:0 x/p\n"},
	{.files = "f 644 0:0 hom.txt=1\nf 644 0:0 home=2",
	 .line = "COPY --exclude=*.txt hom* /x/",
	 .wanted = "d 755 0:0 x\nf 644 0:0 x/home=2\n"},
	{.files = "f 644 0:0 d/a=1\nf 644 0:0 d/e/b=2\nf 644 0:0 d/e/c=3",
	 .line = "COPY --exclude=e --exclude=!e/c d /x",
	 .wanted = "d 755 0:0 x\nf 644 0:0 x/a=1\nd 755 0:0 x/e\nf 644 0:0 x/e/c=3\n"},
	{.files = "f 644 0:0 a=1",
	 .line = "ADD --exclude=b . /x",
	 .wanted = "d 755 0:0 x\nf 644 0:0 x/a=1\n"},
	{.files = "f 644 0:0 a=1",
	 .line = "COPY --exclude=[a- . /x",
	 .error = "--exclude",
	 .kind = ERROR_SYNTAX},
};

static void excludes(void **state)
{
	check_rows(*state, excluded);
}

static void skips_sockets(void **state)
{
	static const struct copy_row row = {
		.files = "f 644 0:0 d/a=1\ns 755 0:0 d/s",
		.line = "COPY d /x",
		.wanted = "d 755 0:0 x\nf 644 0:0 x/a=1\n",
	};
	struct copy_fixture *f = *state;

	assert_true(check_row(f, &row));
	assert_non_null(strstr(f->notes.buf, "d/s is a socket: skipped"));
}

static void copies_devices(void **state)
{
	static const struct copy_row row = {
		.files = "c 640 0:0 d/null 1:3\nb 600 0:0 d/loop 7:1",
		.line = "COPY d /x",
		.wanted = "d 755 0:0 x\nb 600 0:0 x/loop 7:1\nc 640 0:0 x/null 1:3\n",
	};
	struct copy_fixture *f = *state;
	AUTO_FREE char *probe = path_join(f->base.folder, "probe");

	if (mknod(probe, S_IFCHR | 0600, makedev(1, 3)) < 0) {
		print_message("devices cannot be made here: %s\n", strerror(errno));
		skip();
	}
	assert_true(check_row(f, &row));
}

static bool nobody_checks(const struct copy_row *rows, size_t n)
{
	bool right = setresgid(65534, 65534, 65534) == 0 && setresuid(65534, 65534, 65534) == 0;
	void *state = NULL;

	if (!right || copy_setup(&state) < 0)
		return false;
	for (size_t i = 0; i < n; i++)
		right = check_row(state, &rows[i]) && right;
	return copy_teardown(&state) == 0 && right;
}

/* What cannot be read is told with its name and a way out. */
static void names_what_is_unreadable(void **state)
{
	static const struct copy_row rows[] = {
		{.files = "f 000 0:0 d/a=1",
		 .line = "COPY d /x",
		 .error = "context/d/a: Permission denied\nMake it readable",
		 .kind = ERROR_DENIED},
		{.files = "d 755 0:0 d\nd 000 0:0 d/e",
		 .line = "COPY d /x",
		 .error = "context/d/e: Permission denied\nMake it readable",
		 .kind = ERROR_DENIED},
		{.files = "f 644 0:0 .dockerignore=d/e\nf 644 0:0 d/a=1\nd 000 0:0 d/e",
		 .line = "COPY d /x",
		 .wanted = "d 755 0:0 x\nf 644 0:0 x/a=1\n"},
	};
	int status = -1;
	pid_t child;

	if (geteuid() != 0) {
		check_rows(*state, rows);
		return;
	}
	/* root reads everything: a child who is nobody tries */
	child = fork();
	if (child == 0)
		_exit(nobody_checks(rows, ARRAY_SIZE(rows)) ? 0 : 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

/* Deeper than the number of files a process may open, up to the longest path. */
static void walks_deep_trees(void **state)
{
	struct copy_fixture *f = *state;
	AUTO_FREE char *context = path_join(f->base.folder, "context");
	const struct rlimit few = {.rlim_cur = 256, .rlim_max = 256};
	AUTO(strbuf) wanted = STRBUF_INIT;
	AUTO(strbuf) path = STRBUF_INIT;
	AUTO_FREE char *text = NULL;
	AUTO_FD int at = -1;
	AUTO(test_copy) c;

	assert_ok(fs_mkdir_p(context, 0755, err));
	at = open(context, O_RDONLY | O_DIRECTORY);
	strbuf_puts(&path, "x");
	strbuf_puts(&wanted, "d 755 0:0 x\n");
	for (int i = 0; i < 1500; i++) {
		int next;

		assert_int_equal(mkdirat(at, "d", 0755), 0);
		assert_int_equal(close(openat(at, "e", O_CREAT | O_WRONLY, 0644)), 0);
		next = openat(at, "d", O_RDONLY | O_DIRECTORY);
		close(at);
		at = next;
		strbuf_puts(&path, "/d");
		strbuf_printf(&wanted, "d 755 0:0 %s\n", path.buf);
	}
	for (int i = 0; i < 1500; i++) {
		strbuf_truncate(&path, path.len - 2);
		strbuf_printf(&wanted, "f 644 0:0 %s/e=\n", path.buf);
	}
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	test_copy_init(&c, f, "COPY . /x", "/", NULL);
	assert_ok(run_copy(f, &c, NULL, &text, err));
	assert_string_equal(text, wanted.buf);
}

static void refuses_too_long_paths(void **state)
{
	struct copy_fixture *f = *state;
	AUTO_FREE char *context = path_join(f->base.folder, "context");
	AUTO(sha256) hash = SHA256_INIT;
	char name[201];
	AUTO_FD int at = -1;
	AUTO(test_copy) c;

	memset(name, 'n', 200);
	name[200] = '\0';
	assert_ok(fs_mkdir_p(context, 0755, err));
	at = open(context, O_RDONLY | O_DIRECTORY);
	for (int i = 0; i < 21; i++) {
		int next;

		assert_int_equal(mkdirat(at, name, 0755), 0);
		next = openat(at, name, O_RDONLY | O_DIRECTORY);
		close(at);
		at = next;
	}
	test_copy_init(&c, f, "COPY . /x", "/", NULL);
	assert_error(copy_hash(&c.request, &hash, err), ERROR_UNSUPPORTED,
		     "is longer than 4096 bytes");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		copy_test(ignores),
		copy_test(excludes),
		copy_test(skips_sockets),
		copy_test(copies_devices),
		copy_test(names_what_is_unreadable),
		copy_test(walks_deep_trees),
		copy_test(refuses_too_long_paths),
	};

	umask(022);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
