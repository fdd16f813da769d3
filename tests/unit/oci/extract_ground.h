/* Layers made by hand, extracted beside a store, and what came of it. */
#pragma once

#include <dirent.h>
#include <stdlib.h>

#include "oci/extract.h"
#include "oci/layer_index.h"
#include "tests/unit/oci/store_fixture.h"
#include "tests/unit/oci/tar_build.h"

/* A folder beside the store to extract into, and another that nothing may touch. */
struct ground {
	struct fixture *f;
	char *out, *outside;
	int fd;
	struct tree *below;
	struct extract_options o;
};

static inline void ground_init(struct ground *g, struct fixture *f, const char *name)
{
	*g = (struct ground){.f = f,
			     .out = xstrfmt("%s/%s", f->folder, name),
			     .outside = xstrfmt("%s/outside", f->folder),
			     .below = tree_new()};
	assert_int_equal(mkdir(g->out, 0755), 0);
	mkdir(g->outside, 0755);
	g->fd = open(g->out, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(g->fd >= 0);
	g->o.owner = geteuid() == 0 ? EXTRACT_OWNER_REAL : EXTRACT_OWNER_NONE;
	g->o.user_xattr = geteuid() != 0;
	g->o.no_devices = geteuid() != 0;
}

static inline void ground_release(struct ground *g)
{
	close(g->fd);
	tree_free(g->below);
	free(g->out);
	free(g->outside);
}

CLEANUP_RELEASE(ground)

/* Stores what is in tar as a layer blob. */
static inline void put_layer(struct fixture *f, struct strbuf *tar, struct descriptor *d,
			     struct digest *diff)
{
	tar_end(tar);
	*diff = digest_of(tar->buf, tar->len);
	assert_ok(f, store_put(f->store, MEDIA_OCI_LAYER, tar->buf, tar->len, d, &f->err));
}

static inline int extract(struct ground *g, struct strbuf *tar, struct error *err)
{
	AUTO(descriptor) d = {0};
	struct digest diff;
	int result;

	put_layer(g->f, tar, &d, &diff);
	result = layer_extract(g->f->store, &d, &diff, g->fd, g->below, &g->o, err);
	if (result == 0)
		result = tree_add_layer(g->below, g->f->store, &diff, err);
	return result;
}

static inline int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static inline void list_node(struct strbuf *out, int dir, const char *name, const char *path);

static inline void list_below(struct strbuf *out, int dir, const char *path)
{
	struct dirent **names = NULL;
	int n = scandirat(dir, ".", &names, NULL, by_name);

	for (int i = 0; i < n; i++) {
		AUTO_FREE struct dirent *e = names[i];
		AUTO_FREE char *below = NULL;

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		below = *path ? xstrfmt("%s/%s", path, e->d_name) : xstrdup(e->d_name);
		list_node(out, dir, e->d_name, below);
	}
	free(names);
}

static inline void list_node(struct strbuf *out, int dir, const char *name, const char *path)
{
	AUTO_FD int fd = -1;
	char text[256];
	struct stat st;
	ssize_t n;

	assert_int_equal(fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	strbuf_puts(out, path);
	if (S_ISLNK(st.st_mode)) {
		n = readlinkat(dir, name, text, sizeof(text));
		strbuf_printf(out, " -> %.*s\n", (int)n, text);
		return;
	}
	if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode)) {
		strbuf_printf(out, " %c%o\n", S_ISFIFO(st.st_mode) ? 'p' : '?', st.st_mode & 07777);
		return;
	}
	strbuf_printf(out, " %o", st.st_mode & 07777);
	/* Who is not root must let himself in to look. */
	assert_int_equal(fchmodat(dir, name, 0700, 0), 0);
	fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	assert_true(fd >= 0);
	if (S_ISDIR(st.st_mode)) {
		strbuf_putc(out, '\n');
		list_below(out, fd, path);
		return;
	}
	/* Its other names show the same mode. */
	assert_int_equal(fchmod(fd, st.st_mode & 07777), 0);
	n = read(fd, text, sizeof(text));
	strbuf_printf(out, " =%.*s\n", (int)n, text);
}

/*
 * All below a folder, one line a path: "PATH MODE" of folders, "PATH MODE =CONTENT" of files, "PATH -> TARGET",
 * "PATH pMODE" of fifos. Modes of folders below it are changed by looking.
 */
static inline void list_folder(struct strbuf *out, int dir)
{
	list_below(out, dir, "");
}
