/* What the tests of builds share: assertions, a folder with a store in it, instructions out of text. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/path.h"
#include "dockerfile/graph.h"
#include "oci/store.h"

#define assert_error(call, wanted_kind, text)                                        \
	do {                                                                         \
		AUTO(error) err_ = ERROR_INIT;                                       \
		struct error *err = &err_;                                           \
		assert_int_equal(call, -1);                                          \
		assert_int_equal(err->kind, wanted_kind);                            \
		if (!strstr(err->message, text))                                     \
			fail_msg("\"%s\" does not hold \"%s\"", err->message, text); \
	} while (0)

#define assert_ok(call)                                          \
	do {                                                     \
		AUTO(error) err_ = ERROR_INIT;                   \
		struct error *err = &err_;                       \
		if ((call) != 0)                                 \
			fail_msg("%s: %s", #call, err->message); \
	} while (0)

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
