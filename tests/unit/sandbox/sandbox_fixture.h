/*
 * A state folder of its own, a base layer made of Debian's static busybox, and calls that run a script in it: for the
 * tests of what a step sees, may do and leaves behind. The test's main() gives control to the helper when asked to.
 */
#pragma once

#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "oci/layer_reader.h"
#include "sandbox/rootfs.h"

#define BUSYBOX          "/bin/busybox"
#define DEFAULT_PATH_ENV "PATH=/bin:/sbin"

struct fixture {
	char *root;
	struct store *store;
	struct sandbox *sb;
	struct layer base;
	struct cancel cancel;
	int wake[2];
	struct strbuf logged; /* lines of the reporter */
	struct reporter reporter;
};

static struct fixture *fixture_of_reporter; /* the reporter's calls carry no argument of ours */

static inline void fixture_log(struct reporter *r, enum log_level level, const char *text)
{
	(void)r;
	if (level == LOG_WARNING && fixture_of_reporter) {
		strbuf_puts(&fixture_of_reporter->logged, text);
		strbuf_putc(&fixture_of_reporter->logged, '\n');
	}
}

#define must(call)                                                   \
	do {                                                         \
		struct error must_err = ERROR_INIT;                  \
		if ((call) < 0)                                      \
			fail_msg("%s: %s", #call, must_err.message); \
	} while (0)

struct base_entry {
	enum entry_type type;
	const char *path, *text; /* content, or link */
	mode_t mode;
	uid_t uid, gid;
};

/* In the order of layers. */
static const struct base_entry base_entries[] = {
	{ENTRY_DIR, "bin", NULL, 0755, 0, 0},
	{ENTRY_FILE, "bin/busybox", BUSYBOX, 0755, 0, 0},
	{ENTRY_SYMLINK, "bin/sh", "busybox", 0777, 0, 0},
	{ENTRY_DIR, "etc", NULL, 0755, 0, 0},
	{ENTRY_FILE, "etc/group", NULL, 0644, 0, 0},
	{ENTRY_FILE, "etc/passwd", NULL, 0644, 0, 0},
	{ENTRY_DIR, "home", NULL, 0755, 0, 0},
	{ENTRY_DIR, "home/app", NULL, 0750, 1000, 1000},
	{ENTRY_FILE, "home/app/file", NULL, 0640, 1000, 1000},
	{ENTRY_DIR, "lib", NULL, 0755, 0, 0},
	{ENTRY_FILE, "lib/one", NULL, 0644, 0, 0},
	{ENTRY_FILE, "lib/two", NULL, 0644, 0, 0},
	{ENTRY_DIR, "root", NULL, 0700, 0, 0},
	{ENTRY_DIR, "tmp", NULL, 01777, 0, 0},
};

static const char passwd_text[] = "root:x:0:0:root:/root:/bin/sh\n"
				  "app:x:1000:1000::/home/app:/bin/sh\n"
				  "broken:x:4294967296:5::/:/bin/sh\n"
				  "nobody:x:65534:65534::/nonexistent:/bin/false\n";
static const char group_text[] =
	"root:x:0:\napp:x:1000:\nstaff:x:50:app,other\nextra:x:60:root,app\n";

struct text_source {
	struct source source;
	const char *text;
	size_t left;
};

static inline int64_t text_read(struct source *s, void *data, size_t len, struct error *err)
{
	struct text_source *t = (struct text_source *)s;
	size_t n = len < t->left ? len : t->left;

	(void)err;
	memcpy(data, t->text, n);
	t->text += n;
	t->left -= n;
	return (int64_t)n;
}

static inline const char *base_text(const char *path)
{
	if (strcmp(path, "etc/passwd") == 0)
		return passwd_text;
	return strcmp(path, "etc/group") == 0 ? group_text : "content\n";
}

static inline void add_base_entry(struct layer_writer *w, const struct base_entry *b)
{
	struct entry e = {.type = b->type,
			  .path = b->path,
			  .mode = b->mode,
			  .uid = b->uid,
			  .gid = b->gid,
			  .mtime = 1000000000};
	struct text_source text = {.source = {.read = text_read}, .text = base_text(b->path)};
	struct fd_source file;
	AUTO_FD int fd = -1;
	struct stat st;

	text.left = strlen(text.text);
	e.size = b->type == ENTRY_FILE ? (int64_t)text.left : 0;
	e.link = b->type == ENTRY_SYMLINK ? b->text : NULL;
	if (b->type == ENTRY_FILE && b->text) {
		/* ./dev unpacks one where none is installed. */
		const char *unpacked = getenv("SLIPWAY_TEST_BUSYBOX");

		fd = open(unpacked ? unpacked : b->text, O_RDONLY | O_CLOEXEC);
		assert_true(fd >= 0 && fstat(fd, &st) == 0);
		e.size = st.st_size;
		fd_source_init(&file, fd, b->text);
		must(layer_writer_add(w, &e, &file.source, &must_err));
		return;
	}
	must(layer_writer_add(w, &e, b->type == ENTRY_FILE ? &text.source : NULL, &must_err));
}

static const struct layer_options plain_options = {.compression = COMPRESSION_GZIP,
						   .mtime_limit = -1};

static inline void make_layer(struct fixture *f, const struct base_entry *entries, size_t n,
			      struct layer *out)
{
	struct layer_writer *w;

	must(layer_writer_open(&w, f->store, &plain_options, &must_err));
	for (size_t i = 0; i < n; i++)
		add_base_entry(w, &entries[i]);
	must(layer_writer_finish(w, out, &must_err));
	layer_writer_free(w);
}

static inline void fixture_open_sandbox(struct fixture *f)
{
	struct sandbox_options o = {.reporter = &f->reporter,
				    .cancel = &f->cancel,
				    .mode = getenv("SLIPWAY_TEST_MODE"),
				    .storage = getenv("SLIPWAY_TEST_STORAGE")};

	must(sandbox_open(&f->sb, f->store, &o, &must_err));
}

static inline int fixture_setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	const char *tmp = getenv("TMPDIR");

	must(fs_make_temp_dir(tmp ? tmp : "/tmp", "slipway-sandbox-", &f->root, &must_err));
	must(store_open(&f->store, f->root, &must_err));
	strbuf_init(&f->logged);
	f->reporter.log = fixture_log;
	fixture_of_reporter = f;
	assert_int_equal(pipe2(f->wake, O_CLOEXEC), 0);
	f->cancel.wake_fd = f->wake[0];
	fixture_open_sandbox(f);
	make_layer(f, base_entries, ARRAY_SIZE(base_entries), &f->base);
	*state = f;
	return 0;
}

static inline int fixture_teardown(void **state)
{
	struct fixture *f = *state;

	layer_release(&f->base);
	must(sandbox_remove_tree(f->sb, f->root, &must_err));
	sandbox_free(f->sb);
	store_free(f->store);
	close(f->wake[0]);
	close(f->wake[1]);
	strbuf_release(&f->logged);
	fixture_of_reporter = NULL;
	free(f->root);
	free(f);
	return 0;
}

static inline struct rootfs *open_rootfs(struct fixture *f)
{
	const struct rootfs_layer layers[] = {{&f->base.descriptor, &f->base.diff_id}};
	struct rootfs *fs;

	must(rootfs_open(&fs, f->sb, layers, 1, &must_err));
	return fs;
}

/* What a run gave. */
struct outcome {
	int r;
	struct run_result result;
	struct strbuf out, err;
	struct error error;
};

static inline void collect(void *arg, int fd, const void *data, size_t len)
{
	struct outcome *o = arg;

	strbuf_add(fd == 2 ? &o->err : &o->out, data, len);
}

static inline void outcome_init(struct outcome *o)
{
	memset(o, 0, sizeof(*o));
	strbuf_init(&o->out);
	strbuf_init(&o->err);
}

static inline void outcome_release(struct outcome *o)
{
	strbuf_release(&o->out);
	strbuf_release(&o->err);
	error_release(&o->error);
}
CLEANUP_RELEASE(outcome)

/* Runs with the given spec, whose command is "sh -c script" unless it has one. */
static inline void run_spec(struct rootfs *fs, const char *script, struct run_spec spec,
			    struct outcome *o)
{
	char *argv[] = {(char[]){"/bin/sh"}, (char[]){"-c"}, xstrdup(script ? script : ""), NULL};
	char *env[] = {(char[]){DEFAULT_PATH_ENV}, NULL};

	outcome_init(o);
	if (script)
		spec.argv = argv;
	if (!spec.env)
		spec.env = env;
	if (!spec.output && !spec.pass_fds)
		spec.output = collect;
	spec.arg = o;
	if (!spec.tty)
		spec.stdin_fd = -1;
	o->r = rootfs_run(fs, &spec, &o->result, &o->error);
	free(argv[2]);
}

static inline void run_script(struct rootfs *fs, const char *script, struct outcome *o)
{
	run_spec(fs, script, (struct run_spec){0}, o);
}

static inline void show_entry(struct strbuf *out, const struct entry *e, struct layer_reader *r)
{
	static const char letters[] = "fdlhcbpwo";
	char block[256];
	int64_t n;

	strbuf_printf(out, "%c %s", letters[e->type], e->path);
	if (e->type != ENTRY_WHITEOUT && e->type != ENTRY_OPAQUE && e->type != ENTRY_HARDLINK)
		strbuf_printf(out, " %o %u:%u", e->mode, e->uid, e->gid);
	if (e->link)
		strbuf_printf(out, " -> %s", e->link);
	for (size_t i = 0; i < e->n_xattrs; i++)
		strbuf_printf(out, " %s(%zu)", e->xattrs[i].name, e->xattrs[i].len);
	if (e->type == ENTRY_FILE) {
		strbuf_puts(out, " =");
		while ((n = layer_reader_read(r, block, sizeof(block), NULL)) > 0)
			strbuf_add(out, block, (size_t)n);
		strbuf_trim(out);
	}
	strbuf_putc(out, '\n');
}

/* Commits, and lists the layer's entries: letter, path, mode, owner, link, content. free() */
static inline char *commit_listing(struct fixture *f, struct rootfs *fs)
{
	struct layer layer = {0};
	struct layer_reader *r;
	struct strbuf out = STRBUF_INIT;
	const struct entry *e;
	int more;

	must(rootfs_commit(fs, &plain_options, &layer, &must_err));
	must(layer_reader_open(&r, f->store, &layer.descriptor, &layer.diff_id, &must_err));
	while ((more = layer_reader_next(r, &e, NULL)) > 0)
		show_entry(&out, e, r);
	assert_int_equal(more, 0);
	layer_reader_free(r);
	layer_release(&layer);
	return strbuf_detach(&out, NULL);
}

/* main() of every test program that uses a sandbox. */
#define SANDBOX_TEST_MAIN(tests)                                          \
	int main(int argc, char **argv)                                   \
	{                                                                 \
		if (argc > 1 && strcmp(argv[1], SANDBOX_HELPER_ARG) == 0) \
			return sandbox_helper_main(argc, argv);           \
		return cmocka_run_group_tests(tests, NULL, NULL);         \
	}
