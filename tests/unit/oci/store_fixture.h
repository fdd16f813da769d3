/* A store in a fresh temporary folder, for the tests of everything that lives in one. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/path.h"
#include "oci/store.h"

struct fixture {
	char *folder; /* temporary; holds "root" */
	char *root;
	struct store *store;
	struct error err;
};

static inline int fixture_setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	if (fs_make_temp_dir("/tmp", "slipway-test-", &f->folder, NULL) < 0)
		return -1;
	f->root = xstrfmt("%s/root", f->folder);
	*state = f;
	if (store_open(&f->store, f->root, &f->err) < 0)
		fprintf(stderr, "%s\n", f->err.message);
	return f->store ? 0 : -1;
}

static inline int fixture_teardown(void **state)
{
	struct fixture *f = *state;

	store_free(f->store);
	fs_remove_tree(AT_FDCWD, f->folder, NULL);
	error_release(&f->err);
	free(f->root);
	free(f->folder);
	free(f);
	return 0;
}

#define store_test(fn) cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)

/* Succeeds, or shows why not. */
#define assert_ok(f, call)                                           \
	do {                                                         \
		int result_ = (call);                                \
		if (result_ < 0)                                     \
			fail_msg("%s: %s", #call, (f)->err.message); \
		assert_int_equal(result_, 0);                        \
	} while (0)

/* Fails with this kind and a message that contains part. */
#define assert_fails(f, want, part, call)                                           \
	do {                                                                        \
		error_clear(&(f)->err);                                             \
		assert_int_equal((call), -1);                                       \
		if ((f)->err.kind != (want) || !strstr((f)->err.message, (part)))   \
			fail_msg("%s: kind %s, message: %s", #call,                 \
				 error_kind_name((f)->err.kind), (f)->err.message); \
		error_clear(&(f)->err);                                             \
	} while (0)

static inline char *fixture_read(const struct fixture *f, const char *name)
{
	AUTO_FREE char *path = path_join(f->root, name);
	AUTO(strbuf) text = STRBUF_INIT;

	if (fs_read_file(path, &text, 64 << 20, NULL) < 0)
		return NULL;
	return strbuf_detach(&text, NULL);
}

static inline void fixture_write(const struct fixture *f, const char *name, const void *data,
				 size_t len)
{
	AUTO_FREE char *path = path_join(f->root, name);
	AUTO_FREE char *folder = path_dir(path);

	assert_int_equal(fs_mkdir_p(folder, 0755, NULL), 0);
	AUTO_FD int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), (ssize_t)len);
}

static inline bool fixture_exists(const struct fixture *f, const char *name)
{
	AUTO_FREE char *path = path_join(f->root, name);
	struct stat st;

	return lstat(path, &st) == 0;
}

/* Moves the file's times into the past. */
static inline void fixture_age(const struct fixture *f, const char *name, int64_t seconds)
{
	AUTO_FREE char *path = path_join(f->root, name);
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	struct timespec times[2] = {{.tv_sec = now.tv_sec - seconds},
				    {.tv_sec = now.tv_sec - seconds}};

	assert_int_equal(utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW), 0);
}
