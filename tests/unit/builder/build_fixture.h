/* What the tests of builds share: assertions, a folder with a store in it, instructions out of text. */
#pragma once

#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/path.h"
#include "dockerfile/graph.h"
#include "oci/store.h"
#include "tests/unit/base/testing.h"

/* A temporary folder with a store in "root". */
struct build_fixture {
	char *folder;
	struct store *store;
};

static inline int build_fixture_setup(void **state)
{
	struct build_fixture *f = xcalloc(1, sizeof(*f));
	AUTO_FREE char *root = NULL;

	if (fs_make_temp_dir("/tmp", "slipway-build-", &f->folder, NULL) < 0)
		return -1;
	root = path_join(f->folder, "root");
	*state = f;
	return store_open(&f->store, root, NULL);
}

static inline int build_fixture_teardown(void **state)
{
	struct build_fixture *f = *state;

	store_free(f->store);
	fs_remove_tree(AT_FDCWD, f->folder, NULL);
	free(f->folder);
	free(f);
	return 0;
}

static inline void write_file(const struct build_fixture *f, const char *name, const char *content)
{
	AUTO_FREE char *path = path_join(f->folder, name);
	AUTO_FREE char *dir = path_dir(path);

	assert_ok(fs_mkdir_p(dir, 0755, err));
	assert_ok(fs_write_file_atomic(path, content, strlen(content), 0644, err));
}

/* "FROM scratch" and the text. */
static inline struct dockerfile *parse_stage(const char *text)
{
	struct dockerfile *file = NULL;
	AUTO_FREE char *whole = xstrfmt("FROM scratch\n%s\n", text);

	assert_ok(dockerfile_parse(&file, "Dockerfile", whole, strlen(whole), err));
	return file;
}

static inline const char *no_variable(void *ctx, const char *name)
{
	(void)ctx;
	(void)name;
	return NULL;
}

/* The first instruction of the stage, expanded without variables. */
static inline void expand_first(struct instruction *out, const struct dockerfile *file)
{
	struct expand_scope scope = {.lookup = no_variable};

	assert_ok(instruction_expand(out, &file->stages[0].instructions[0], &scope, err));
}
