#include "builder/copy.h"

#include "copy_fixture.h"

#include <sys/xattr.h>

static const struct copy_row flags[] = {
	/* --chown: of what is copied and what is made, not of what was there */
	{.files = "f 644 0:0 a=1",
	 .line = "COPY --chown=5:6 a /x/y/",
	 .wanted = "d 755 5:6 x\nd 755 5:6 x/y\nf 644 5:6 x/y/a=1\n"},
	{.files = "d 755 0:0 d/sub\nl 777 0:0 d/l -> a",
	 .below = MERGED_USR,
	 .line = "COPY --chown=5 d /opt/app",
	 .wanted =
		 "d 755 0:0 opt\nd 700 7:8 opt/app\nl 777 5:5 opt/app/l -> a\nd 755 5:5 opt/app/sub\n"},
	{.files = "f 644 0:0 a=1",
	 .below = MERGED_USR,
	 .line = "COPY --chown=app a /x",
	 .wanted = "f 644 1000:2000 x=1\n"},
	{.files = "f 644 0:0 a=1",
	 .below = MERGED_USR,
	 .line = "COPY --chown=app:staff a /x",
	 .wanted = "f 644 1000:50 x=1\n"},
	{.files = "f 644 0:0 a=1",
	 .below = MERGED_USR,
	 .line = "COPY --chown=:staff a /x",
	 .wanted = "f 644 0:50 x=1\n"},
	{.files = "f 644 0:0 a=1", .line = "COPY --chown=7 a /x", .wanted = "f 644 7:7 x=1\n"},
	{.files = "f 644 0:0 a=1",
	 .below = MERGED_USR,
	 .line = "COPY --chown=ghost a /x",
	 .error = "--chown=ghost: unknown user \"ghost\"",
	 .kind = ERROR_NOT_FOUND},
	{.files = "f 644 0:0 a=1",
	 .line = "COPY --chown=app a /x",
	 .error = "no /etc/passwd",
	 .kind = ERROR_NOT_FOUND},
	/* octal: files and folders, the new top folder too, no created parents */
	{.files = "f 644 0:0 d/a=1\nd 755 0:0 d/e\nl 777 0:0 d/l -> a",
	 .line = "COPY --chmod=700 d /p/q",
	 .wanted =
		 "d 755 0:0 p\nd 700 0:0 p/q\nf 700 0:0 p/q/a=1\nd 700 0:0 p/q/e\nl 777 0:0 p/q/l -> a\n"},
	{.files = "f 644 0:0 a=1",
	 .line = "COPY --chmod=4711 a /p/",
	 .wanted = "d 755 0:0 p\nf 4711 0:0 p/a=1\n"},
	{.files = "f 644 0:0 d/a=1",
	 .below = MERGED_USR,
	 .line = "COPY --chmod=777 d /opt/app",
	 .wanted = "d 755 0:0 opt\nd 700 7:8 opt/app\nf 777 0:0 opt/app/a=1\n"},
	/* symbolic, with umask 0 */
	{.files = "f 644 0:0 d/a=1\nf 700 0:0 d/b=1\nd 700 0:0 d/e",
	 .line = "COPY --chmod=u=rwX,go=rX d /p",
	 .wanted = "d 755 0:0 p\nf 644 0:0 p/a=1\nf 755 0:0 p/b=1\nd 755 0:0 p/e\n"},
	{.files = "f 640 0:0 a=1", .line = "COPY --chmod=a+x a /p", .wanted = "f 751 0:0 p=1\n"},
	{.files = "f 640 0:0 a=1", .line = "COPY --chmod=o=u a /p", .wanted = "f 646 0:0 p=1\n"},
	/* --link: nothing below counts, nothing is followed */
	{.files = "f 644 0:0 n=1",
	 .below = MERGED_USR,
	 .line = "COPY --link n /lib/",
	 .wanted = "d 755 0:0 lib\nf 644 0:0 lib/n=1\n"},
	{.files = "f 644 0:0 n=1",
	 .below = MERGED_USR,
	 .line = "COPY --link n /opt/app/",
	 .wanted = "d 755 0:0 opt\nd 755 0:0 opt/app\nf 644 0:0 opt/app/n=1\n"},
	{.files = "f 644 0:0 n=1",
	 .below = MERGED_USR,
	 .line = "COPY --link --chown=app n /x",
	 .error = "only numbers",
	 .kind = ERROR_NOT_FOUND},
	{.files = "f 644 0:0 n=1",
	 .below = MERGED_USR,
	 .line = "COPY --link --chown=8:9 n /x",
	 .wanted = "f 644 8:9 x=1\n"},
	/* --chmod takes --link back */
	{.files = "f 644 0:0 n=1",
	 .below = MERGED_USR,
	 .line = "COPY --link --chmod=600 n /lib/",
	 .wanted = "d 755 0:0 usr\nd 755 0:0 usr/lib\nf 600 0:0 usr/lib/n=1\n"},
	/* heredocs, after the sources */
	{.line = "COPY <<EOF /x\nhello\nEOF", .wanted = "f 644 0:0 x=hello|\n"},
	{.line = "COPY <<one <<two /d/\n1\none\n2\n\n# 3\ntwo",
	 .wanted = "d 755 0:0 d\nf 644 0:0 d/one=1|\nf 644 0:0 d/two=2||# 3|\n"},
	{.files = "f 600 0:0 a=1",
	 .line = "COPY --chown=3:4 --chmod=711 a <<b /d/\nB\nb",
	 .wanted = "d 755 3:4 d\nf 711 3:4 d/a=1\nf 711 3:4 d/b=B|\n"},
	{.files = "f 600 0:0 b=1",
	 .line = "COPY b <<b /d/\nB\nb",
	 .wanted = "d 755 0:0 d\nf 644 0:0 d/b=B|\n"},
};

static void applies_flags(void **state)
{
	check_rows(*state, flags);
}

static const char stage[] = "d 755 0:0 app\n"
			    "f 4755 3:4 app/bin=prog\n"
			    "x app/bin user.k=v\n"
			    "d 750 5:6 app/sub\n"
			    "f 600 5:6 app/sub/s=2\n"
			    "h 600 5:6 app/sub/t => app/sub/s\n"
			    "l 777 7:7 app/sub/up -> ../bin\n"
			    "c 600 0:0 app/null 1:3\n"
			    "p 644 0:0 app/pipe\n"
			    "l 777 0:0 bin -> app/bin\n"
			    "l 777 0:0 current -> /app\n"
			    "d 2770 5:6 o\n"
			    "l 777 0:0 out -> ../../../app/bin\n"
			    "--\n"
			    "d 755 0:0 app\n"
			    "f 644 0:0 app/late=3\n";

static const struct copy_row images[] = {
	{.from = stage,
	 .line = "COPY --from=s /app/bin /x",
	 .wanted = "f 4755 3:4 x=prog\nx x user.k=v\n"},
	{.from = stage,
	 .line = "COPY --from=s app/sub /x",
	 .wanted =
		 "d 755 0:0 x\nf 600 5:6 x/s=2\nh 600 5:6 x/t => x/s\nl 777 7:7 x/up -> ../bin\n"},
	{.from = stage,
	 .line = "COPY --from=s /app /x",
	 .wanted =
		 "d 755 0:0 x\nf 4755 3:4 x/bin=prog\nx x/bin user.k=v\nf 644 0:0 x/late=3\n"
		 "c 600 0:0 x/null 1:3\np 644 0:0 x/pipe\nd 750 5:6 x/sub\n"
		 "f 600 5:6 x/sub/s=2\nh 600 5:6 x/sub/t => x/sub/s\nl 777 7:7 x/sub/up -> ../bin\n"},
	/* the root is the image's, links stay inside it; never that stage's WORKDIR */
	{.from = stage,
	 .line = "COPY --from=s app/late .",
	 .working_dir = "/w",
	 .wanted = "d 755 0:0 w\nf 644 0:0 w/late=3\n"},
	{.from = stage,
	 .line = "COPY --from=s /out /x",
	 .wanted = "f 4755 3:4 x=prog\nx x user.k=v\n"},
	{.from = stage,
	 .line = "COPY --from=s /current/sub/up /x",
	 .wanted = "f 4755 3:4 x=prog\nx x user.k=v\n"},
	/* the top folder's own mode and owner are nobody's */
	{.from = stage, .line = "COPY --from=s /o /o", .wanted = "d 755 0:0 o\n"},
	{.from = stage,
	 .line = "COPY --from=s --chown=1:2 --chmod=755 /app/b* /app/sub /x/",
	 .wanted = "d 755 1:2 x\nf 755 1:2 x/bin=prog\nx x/bin user.k=v\nf 755 1:2 x/s=2\n"
		   "h 755 1:2 x/t => x/s\nl 777 1:2 x/up -> ../bin\n"},
	{.from = stage, .line = "COPY --from=s /none* /x/", .wanted = ""},
	{.from = stage,
	 .line = "COPY --from=s /none /x/",
	 .error = "\"/none\": not found",
	 .kind = ERROR_NOT_FOUND},
	{.from = stage,
	 .line = "COPY --from=s --exclude=sub --exclude=[np]* /app /x",
	 .wanted = "d 755 0:0 x\nf 4755 3:4 x/bin=prog\nx x/bin user.k=v\nf 644 0:0 x/late=3\n"},
	{.from = stage,
	 .line = "COPY --from=s --exclude=* --exclude=!sub/up /app /x",
	 .wanted = "d 755 0:0 x\nd 750 5:6 x/sub\nl 777 7:7 x/sub/up -> ../bin\n"},
	{.from = stage,
	 .below = MERGED_USR,
	 .line = "COPY --from=s /app/late /lib/",
	 .wanted = "d 755 0:0 usr\nd 755 0:0 usr/lib\nf 644 0:0 usr/lib/late=3\n"},
	/* names are those of the destination */
	{.from = "d 755 0:0 etc\nf 644 0:0 etc/passwd=app:x:1:1:::\nf 644 0:0 a=1",
	 .below = MERGED_USR,
	 .line = "COPY --from=s --chown=app a /x",
	 .wanted = "f 644 1000:2000 x=1\n"},
	/* files that are hard links of each other in one source, and in two */
	{.from = "f 644 0:0 d/a=1\nh 644 0:0 e/b => d/a\nh 644 0:0 d/c => d/a",
	 .line = "COPY --from=s d e /x/",
	 .wanted = "d 755 0:0 x\nf 644 0:0 x/a=1\nf 644 0:0 x/b=1\nh 644 0:0 x/c => x/a\n"},
	/* a file that the upper layer made a hard link of the lower's is whole */
	{.from = "f 644 0:0 a=1\n--\nh 644 0:0 b => a",
	 .line = "COPY --from=s /b /x",
	 .wanted = "f 644 0:0 x=1\n"},
};

static void copies_from_images(void **state)
{
	check_rows(*state, images);
}

static int64_t seen_mtime[8];
static size_t n_seen;

static void note_mtime(const struct entry *e)
{
	assert_true(n_seen < ARRAY_SIZE(seen_mtime));
	seen_mtime[n_seen++] = e->mtime;
}

/* Files and nested folders keep their time, what is made has the given one, what was there its own. */
static void keeps_times(void **state)
{
	struct copy_fixture *f = *state;
	AUTO(layer) layer = {.uncompressed = 0};
	AUTO(test_image) below;
	AUTO(test_copy) c;

	create_files(f, "context", "f 644 0:0 d/a=1\nd 755 0:0 d/e\nl 777 0:0 d/l -> a");
	test_image_init(&below, f, "d 755 0:0 opt");
	test_copy_init(&c, f, "COPY d /opt/new", "/", NULL);
	assert_ok(copy_layer(&c.request, &below.view, &plain_layer, &layer, err));
	n_seen = 0;
	free(layer_text(f, &layer, note_mtime));
	assert_int_equal(n_seen, 5);
	assert_int_equal(seen_mtime[0], 1000); /* opt: as the image has it */
	assert_int_equal(seen_mtime[1], FOLDER_MTIME);
	assert_int_equal(seen_mtime[2], CONTEXT_TIME);
	assert_int_equal(seen_mtime[3], CONTEXT_TIME);
	assert_int_equal(seen_mtime[4], CONTEXT_TIME);
}

static void downloads(void **state)
{
	static const struct {
		const char *line, *wanted;
	} rows[] = {
		{"ADD http://h/file.txt /x/", "d 755 0:0 x\nf 600 0:0 x/file.txt=body\n"},
		{"ADD http://h/file.txt /y", "f 600 0:0 y=body\n"},
		{"ADD --chmod=644 --chown=1:2 http://h/file.txt /y", "f 644 1:2 y=body\n"},
	};
	struct copy_fixture *f = *state;
	AUTO_FREE char *file = path_join(f->base.folder, "got/file.txt");
	const struct copy_fetched fetched[] = {{.file = file}};

	create_files(f, "got", "f 640 0:0 file.txt=body");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO_FREE char *text = NULL;
		AUTO(test_copy) c;

		test_copy_init(&c, f, rows[i].line, "/", NULL);
		c.request.fetched = fetched;
		assert_ok(run_copy(f, &c, NULL, &text, err));
		assert_string_equal(text, rows[i].wanted);
	}
}

/* A file that looks as if it had not changed since it was hashed, and did, must not become the layer of that key. */
static void proves_young_files(void **state)
{
	struct copy_fixture *f = *state;
	const struct copy_image nothing = {.tree = NULL};
	AUTO_FREE char *path = path_join(f->base.folder, "context/a");
	AUTO(layer) layer = {.uncompressed = 0};
	uint8_t other[SHA256_SIZE];
	AUTO(test_copy) c;
	struct stat st;

	create_files(f, "context", "f 644 0:0 a=1");
	test_copy_init(&c, f, "COPY a /a", "/", NULL);
	assert_int_equal(stat(path, &st), 0);
	sha256_buf("2", 1, other);
	stat_cache_put(f->stats, &st, st.st_ctim.tv_sec * 1000000000 + st.st_ctim.tv_nsec, other);
	assert_error(copy_layer(&c.request, &nothing, &plain_layer, &layer, err), ERROR_CORRUPT,
		     "context/a changed while the build was reading it");
	sha256_buf("1", 1, other);
	stat_cache_put(f->stats, &st, st.st_ctim.tv_sec * 1000000000 + st.st_ctim.tv_nsec, other);
	assert_ok(copy_layer(&c.request, &nothing, &plain_layer, &layer, err));
}

/* Done to "b" when the bytes of "a" are in the layer, and "b" was seen but not read yet. */
static const char *interference;

static void interfere(struct reporter *r, int id, int64_t done, int64_t total)
{
	const struct copy_fixture *f = (const struct copy_fixture *)((const char *)r -
								     offsetof(struct copy_fixture,
									      reporter));
	AUTO_FREE char *path = path_join(f->base.folder, "context/d/b");
	AUTO_FD int fd = -1;

	(void)id;
	(void)total;
	if (done != 1)
		return;
	assert_int_equal(unlink(path), 0);
	if (strcmp(interference, "link") == 0)
		assert_int_equal(symlink("/etc/passwd", path), 0);
	else if (strcmp(interference, "fifo") == 0)
		assert_int_equal(mkfifo(path, 0644), 0);
	else if (strcmp(interference, "folder") == 0)
		assert_int_equal(mkdir(path, 0755), 0);
	else if (strcmp(interference, "gone") != 0)
		fd = open(path, O_WRONLY | O_CREAT, 0644);
	if (fd >= 0)
		assert_ok(fs_write_all(fd, interference, strlen(interference), path, err));
}

static void notices_changes(void **state)
{
	static const struct {
		const char *what, *message;
		enum error_kind kind;
	} rows[] = {
		{"gone", "context/d/b: No such file", ERROR_NOT_FOUND},
		{"link", "context/d/b", ERROR_SYSTEM},
		{"fifo", "context/d/b changed while the build was reading it", ERROR_CORRUPT},
		{"folder", "context/d/b changed while the build was reading it", ERROR_CORRUPT},
		{"longer", "context/d/b changed while the build was reading it", ERROR_CORRUPT},
		{"s", "context/d/b changed while the build was reading it", ERROR_CORRUPT},
	};
	struct copy_fixture *f = *state;
	const struct copy_image nothing = {.tree = NULL};

	f->reporter.step_progress = interfere;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO_FREE char *context = path_join(f->base.folder, "context");
		AUTO(layer) layer = {.uncompressed = 0};
		AUTO(test_copy) c;

		fs_remove_tree(AT_FDCWD, context, NULL);
		create_files(f, "context", "f 644 0:0 d/a=1\nf 644 0:0 d/b=22");
		test_copy_init(&c, f, "COPY d /x", "/", NULL);
		interference = rows[i].what;
		assert_error(copy_layer(&c.request, &nothing, &plain_layer, &layer, err),
			     rows[i].kind, rows[i].message);
	}
}

/* Attributes of files in a context are of the machine, not of the image. */
static void drops_attributes_of_contexts(void **state)
{
	struct copy_fixture *f = *state;
	AUTO_FREE char *path = path_join(f->base.folder, "context/a");
	AUTO_FREE char *text = NULL;
	AUTO(test_copy) c;

	create_files(f, "context", "f 644 0:0 a=1");
	if (setxattr(path, "user.k", "v", 1, 0) < 0) {
		print_message("no extended attributes in /tmp: %s\n", strerror(errno));
		skip();
	}
	test_copy_init(&c, f, "COPY a /a", "/", NULL);
	assert_ok(run_copy(f, &c, NULL, &text, err));
	assert_string_equal(text, "f 644 0:0 a=1\n");
}

static void follows_a_cancel(void **state)
{
	struct copy_fixture *f = *state;
	const struct copy_image nothing = {.tree = NULL};
	AUTO(layer) layer = {.uncompressed = 0};
	struct cancel cancel = {.wake_fd = -1};
	AUTO(sha256) hash = SHA256_INIT;
	AUTO(test_copy) c;

	create_files(f, "context", "f 644 0:0 d/a=1");
	test_copy_init(&c, f, "COPY d /a", "/", NULL);
	cancel_note(&cancel, 2);
	c.request.cancel = &cancel;
	assert_error(copy_hash(&c.request, &hash, err), ERROR_CANCELLED, "cancelled");
	assert_error(copy_layer(&c.request, &nothing, &plain_layer, &layer, err), ERROR_CANCELLED,
		     "cancelled");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		copy_test(applies_flags),
		copy_test(copies_from_images),
		copy_test(keeps_times),
		copy_test(downloads),
		copy_test(proves_young_files),
		copy_test(notices_changes),
		copy_test(drops_attributes_of_contexts),
		copy_test(follows_a_cancel),
	};

	umask(022);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
