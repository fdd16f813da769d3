/*
 * COPY and ADD from texts: what is in the context, in the image below and in the image copied from, one line an entry,
 * and the layer that comes out, in the same words:
 *
 *	d 755 0:0 PATH          folder
 *	f 644 0:0 PATH=CONTENT  file ('|' stands for a newline)
 *	l 777 0:0 PATH -> LINK  symbolic link
 *	h 644 0:0 PATH => LINK  hard link
 *	p 644 0:0 PATH          fifo
 *	s 644 0:0 PATH          socket (contexts only)
 *	c 600 0:0 PATH 1:3      character device ("b": block device)
 *	x PATH NAME=VALUE       extended attribute of the entry before
 *	o PATH                  opaque marker
 *	w PATH                  whiteout
 *	--                      the next layer
 *
 * Owners in a context are those of the tests' user. The parents in an image need not be given.
 */
#pragma once

#include "build_fixture.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

#include "base/sink.h"
#include "builder/copy.h"
#include "builder/copy_source.h"
#include "oci/layer_reader.h"

#define FOLDER_MTIME 1234567
#define CONTEXT_TIME 1500000000
#define MAX_LAYERS   8

struct copy_fixture {
	struct build_fixture base;
	struct context *context;
	struct stat_cache *stats;
	struct strbuf notes; /* of the reporter */
	struct reporter reporter;
};

/* An image made of text. */
struct test_image {
	struct tree *tree;
	struct layer layers[MAX_LAYERS];
	struct descriptor descriptors[MAX_LAYERS];
	struct digest diff_ids[MAX_LAYERS];
	struct copy_image view;
};

static inline void note(struct reporter *r, int id, const char *text)
{
	struct copy_fixture *f = (struct copy_fixture *)((char *)r -
							 offsetof(struct copy_fixture, reporter));

	(void)id;
	strbuf_printf(&f->notes, "%s\n", text);
}

static inline int copy_setup(void **state)
{
	struct copy_fixture *f = xcalloc(1, sizeof(*f));
	AUTO_FREE char *root = NULL;

	if (fs_make_temp_dir("/tmp", "slipway-copy-", &f->base.folder, NULL) < 0)
		return -1;
	root = path_join(f->base.folder, "root");
	strbuf_init(&f->notes);
	f->reporter.step_note = note;
	*state = f;
	return store_open(&f->base.store, root, NULL);
}

static inline int copy_teardown(void **state)
{
	struct copy_fixture *f = *state;

	context_free(f->context);
	stat_cache_free(f->stats);
	strbuf_release(&f->notes);
	store_free(f->base.store);
	fs_remove_tree(AT_FDCWD, f->base.folder, NULL);
	free(f->base.folder);
	free(f);
	return 0;
}

#define copy_test(name) cmocka_unit_test_setup_teardown(name, copy_setup, copy_teardown)

/* One line of a description. */
struct line {
	char type;
	mode_t mode;
	unsigned uid, gid, major, minor;
	char path[1100];
	char *rest; /* content, link, attribute; free() */
};

static inline void line_release(struct line *l)
{
	free(l->rest);
}

CLEANUP_RELEASE(line)

static inline char *unescaped(const char *text)
{
	char *copy = xstrdup(text);

	for (char *p = copy; *p; p++)
		if (*p == '|')
			*p = '\n';
	return copy;
}

static inline struct line line_parse(const char *text, size_t len)
{
	AUTO_FREE char *copy = xstrndup(text, len);
	struct line l = {.type = copy[0]};
	const char *arrow = l.type == 'l' ? " -> " : " => ";
	char *path = copy + 2, *end = NULL;
	int at = 0;

	if (!strchr("xow-", l.type)) {
		if (sscanf(copy + 2, "%o %u:%u %n", &l.mode, &l.uid, &l.gid, &at) != 3)
			fail_msg("bad line: %s", copy);
		path += at;
	}
	if (l.type == 'f')
		end = strchr(path, '=');
	else if (l.type == 'l' || l.type == 'h')
		end = strstr(path, arrow);
	else if (l.type == 'c' || l.type == 'b' || l.type == 'x')
		end = strchr(path, ' ');
	if (end)
		l.rest = unescaped(end + (l.type == 'l' || l.type == 'h' ? 4 : 1));
	if (end)
		*end = '\0';
	if (l.type == 'c' || l.type == 'b')
		assert_int_equal(sscanf(l.rest, "%u:%u", &l.major, &l.minor), 2);
	assert_true(strlen(path) < sizeof(l.path));
	snprintf(l.path, sizeof(l.path), "%s", path);
	return l;
}

/* Calls fn for each line of a description. */
static inline void each_line(const char *text, void (*fn)(void *arg, struct line *l), void *arg)
{
	while (text && *text) {
		size_t len = strcspn(text, "\n");

		if (len) {
			AUTO(line) l = line_parse(text, len);

			fn(arg, &l);
		}
		text += len + (text[len] == '\n');
	}
}

static inline void make_socket(const char *path)
{
	AUTO_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	assert_true(strlen(path) < sizeof(a.sun_path));
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
}

static inline void create_line(void *arg, struct line *l)
{
	const char *root = arg;
	AUTO_FREE char *path = path_join(root, l->path);
	AUTO_FREE char *dir = path_dir(path);
	AUTO_FREE char *target = NULL;
	struct timespec times[2] = {{.tv_sec = CONTEXT_TIME}, {.tv_sec = CONTEXT_TIME}};
	AUTO_FD int fd = -1;

	assert_ok(fs_mkdir_p(dir, 0755, err));
	switch (l->type) {
	case 'd':
		assert_ok(fs_mkdir_p(path, 0755, err));
		break;
	case 'f':
		fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
		assert_ok(fs_write_all(fd, l->rest, strlen(l->rest), path, err));
		break;
	case 'l':
		assert_int_equal(symlink(l->rest, path), 0);
		break;
	case 'h':
		target = path_join(root, l->rest);
		assert_int_equal(link(target, path), 0);
		break;
	case 'p':
		assert_int_equal(mkfifo(path, 0600), 0);
		break;
	case 's':
		make_socket(path);
		break;
	case 'c':
	case 'b':
		if (mknod(path, (l->type == 'c' ? S_IFCHR : S_IFBLK) | 0600,
			  makedev(l->major, l->minor)) < 0)
			fail_msg("mknod %s: %s", path, strerror(errno));
		break;
	default:
		fail_msg("no such thing in a context: %c", l->type);
	}
	if (l->type != 'l')
		assert_int_equal(chmod(path, l->mode), 0);
	assert_int_equal(utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW), 0);
}

/* A folder of the fixture filled as the text says. */
static inline void create_files(const struct copy_fixture *f, const char *folder, const char *text)
{
	AUTO_FREE char *path = path_join(f->base.folder, folder);

	assert_ok(fs_mkdir_p(path, 0755, err));
	each_line(text, create_line, path);
}

/* Entries are kept to the end of their layer, and then brought into order. */
struct made_entry {
	struct entry e;
	char *content;
	struct xattr xattr; /* at most one */
};

struct image_maker {
	struct copy_fixture *f;
	struct test_image *image;
	struct made_entry *entries;
	size_t n, cap;
};

static inline int compare_made(const void *a, const void *b)
{
	return entry_compare(&((const struct made_entry *)a)->e,
			     &((const struct made_entry *)b)->e);
}

struct text_source {
	struct source source;
	const char *text;
};

static inline int64_t text_read(struct source *s, void *data, size_t len, struct error *err)
{
	struct text_source *t = (struct text_source *)s;
	size_t n = strlen(t->text) < len ? strlen(t->text) : len;

	(void)err;
	memcpy(data, t->text, n);
	t->text += n;
	return (int64_t)n;
}

static inline void finish_layer(struct image_maker *m)
{
	static const struct layer_options options = {.mtime_limit = -1};
	struct test_image *image = m->image;
	size_t k = image->view.n_layers++;
	AUTO_PTR(layer_writer) w = NULL;

	assert_true(k < MAX_LAYERS);
	assert_ok(layer_writer_open(&w, m->f->base.store, &options, err));
	qsort(m->entries, m->n, sizeof(*m->entries), compare_made);
	for (size_t i = 0; i < m->n; i++) {
		struct made_entry *made = &m->entries[i];
		struct text_source in = {.source = {.read = text_read}, .text = made->content};

		made->e.xattrs = &made->xattr;
		made->e.n_xattrs = made->xattr.name != NULL;
		assert_ok(layer_writer_add(w, &made->e,
					   made->e.type == ENTRY_FILE ? &in.source : NULL, err));
		free((void *)(uintptr_t)made->e.path);
		free((void *)(uintptr_t)made->e.link);
		free((void *)(uintptr_t)made->xattr.name);
		free(made->content);
	}
	m->n = 0;
	assert_ok(layer_writer_finish(w, &image->layers[k], err));
	descriptor_copy(&image->descriptors[k], &image->layers[k].descriptor);
	image->diff_ids[k] = image->layers[k].diff_id;
	assert_ok(tree_add_layer(image->tree, m->f->base.store, &image->diff_ids[k], err));
}

static inline void image_line(void *arg, struct line *l)
{
	static const char letters[] = "fdlhcbpwo";
	struct image_maker *m = arg;
	const char *letter = strchr(letters, l->type);
	struct made_entry *made;

	if (l->type == '-') {
		finish_layer(m);
		return;
	}
	if (l->type == 'x') {
		char *value = strchr(l->rest, '=');

		*value++ = '\0';
		m->entries[m->n - 1].xattr = (struct xattr){l->rest, value, strlen(value)};
		l->rest = NULL;
		return;
	}
	assert_non_null(letter);
	GROW(m->entries, m->n + 1, m->cap);
	made = &m->entries[m->n++];
	*made = (struct made_entry){
		.e = {
			.type = (enum entry_type)(letter - letters),
			.path = xstrdup(l->path),
			.link = l->type == 'l' || l->type == 'h' ? take_ptr(l->rest) : NULL,
			.mode = l->mode,
			.uid = l->uid,
			.gid = l->gid,
			.mtime = 1000,
			.dev_major = l->major,
			.dev_minor = l->minor,
		}};
	if (l->type == 'f') {
		made->content = take_ptr(l->rest);
		made->e.size = (int64_t)strlen(made->content);
	}
}

static inline void test_image_init(struct test_image *image, struct copy_fixture *f,
				   const char *text)
{
	struct image_maker m = {.f = f, .image = image};

	*image = (struct test_image){.tree = tree_new()};
	if (text) {
		each_line(text, image_line, &m);
		finish_layer(&m);
	}
	image->view.tree = image->tree;
	image->view.layers = image->descriptors;
	image->view.diff_ids = image->diff_ids;
	free(m.entries);
}

static inline void test_image_release(struct test_image *image)
{
	tree_free(image->tree);
	for (size_t i = 0; i < image->view.n_layers; i++) {
		descriptor_release(&image->descriptors[i]);
		layer_release(&image->layers[i]);
	}
}

CLEANUP_RELEASE(test_image)

static inline void describe(struct strbuf *out, const struct entry *e, struct layer_reader *reader)
{
	static const char letters[] = "fdlhcbpwo";
	char block[4096];
	int64_t n;

	strbuf_printf(out, "%c ", letters[e->type]);
	if (e->type != ENTRY_WHITEOUT && e->type != ENTRY_OPAQUE)
		strbuf_printf(out, "%o %u:%u ", e->mode, e->uid, e->gid);
	strbuf_puts(out, e->path);
	if (e->type == ENTRY_SYMLINK)
		strbuf_printf(out, " -> %s", e->link);
	if (e->type == ENTRY_HARDLINK)
		strbuf_printf(out, " => %s", e->link);
	if (e->type == ENTRY_CHAR || e->type == ENTRY_BLOCK)
		strbuf_printf(out, " %u:%u", e->dev_major, e->dev_minor);
	if (e->type == ENTRY_FILE) {
		strbuf_putc(out, '=');
		while ((n = layer_reader_read(reader, block, sizeof(block), NULL)) > 0)
			for (int64_t i = 0; i < n; i++)
				strbuf_putc(out, block[i] == '\n' ? '|' : block[i]);
		assert_int_equal(n, 0);
	}
	strbuf_putc(out, '\n');
	for (size_t i = 0; i < e->n_xattrs; i++)
		strbuf_printf(out, "x %s %s=%.*s\n", e->path, e->xattrs[i].name,
			      (int)e->xattrs[i].len, (const char *)e->xattrs[i].value);
}

/* What is in the layer. each: called with every entry too, or NULL. */
static inline char *layer_text(const struct copy_fixture *f, const struct layer *l,
			       void (*each)(const struct entry *e))
{
	AUTO_PTR(layer_reader) reader = NULL;
	AUTO(strbuf) out = STRBUF_INIT;
	const struct entry *e;
	int got = -1;

	assert_ok(layer_reader_open(&reader, f->base.store, &l->descriptor, &l->diff_id, err));
	for (;;) {
		AUTO(error) err = ERROR_INIT;

		got = layer_reader_next(reader, &e, &err);
		if (got < 0)
			fail_msg("%s", err.message);
		if (!got)
			return strbuf_detach(&out, NULL);
		describe(&out, e, reader);
		if (each)
			each(e);
	}
}
