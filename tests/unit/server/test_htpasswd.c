#include "server/htpasswd.h"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "base/fs.h"
#include "tests/unit/base/testing.h"

/* The example of Apache's documentation (httpd 2.4, Password Formats), and crypt(5)'s $2b$ form of the same. */
#define MY_NAME "myName:$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC\n"

struct file {
	char path[32];
};

static void write_file(const struct file *f, const char *text)
{
	assert_ok(fs_write_file_atomic(f->path, text, strlen(text), 0600, err));
}

static int setup(void **state)
{
	struct file *f = xcalloc(1, sizeof(*f));
	int fd;

	snprintf(f->path, sizeof(f->path), "/tmp/htpasswd-XXXXXX");
	fd = mkstemp(f->path);
	*state = f;
	return fd < 0 ? -1 : close(fd);
}

static int teardown(void **state)
{
	struct file *f = *state;

	unlink(f->path);
	free(f);
	return 0;
}

static void test_check(void **state)
{
	const struct file *f = *state;
	AUTO_PTR(htpasswd) h = NULL;

	write_file(f, "# who may\r\n\n" MY_NAME);
	assert_ok(htpasswd_open(&h, f->path, err));
	/* Twice: what was right is remembered, what was wrong is not. */
	for (int i = 0; i < 2; i++) {
		assert_true(htpasswd_check(h, "myName", "myPassword"));
		assert_false(htpasswd_check(h, "myName", "mypassword"));
		assert_false(htpasswd_check(h, "myName", ""));
		assert_false(htpasswd_check(h, "other", "myPassword"));
		assert_false(htpasswd_check(h, "", ""));
	}
	char long_one[200];

	memset(long_one, 'x', sizeof(long_one) - 1);
	long_one[sizeof(long_one) - 1] = '\0';
	assert_false(htpasswd_check(h, "myName", long_one));
}

static void test_changes(void **state)
{
	const struct file *f = *state;
	AUTO_PTR(htpasswd) h = NULL;

	write_file(f, MY_NAME);
	assert_ok(htpasswd_open(&h, f->path, err));
	assert_true(htpasswd_check(h, "myName", "myPassword"));
	write_file(f, "other" MY_NAME);
	assert_false(htpasswd_check(h, "myName", "myPassword"));
	assert_true(htpasswd_check(h, "othermyName", "myPassword"));
	write_file(f, "broken\n");
	assert_false(htpasswd_check(h, "othermyName", "myPassword"));
	unlink(f->path);
	assert_false(htpasswd_check(h, "othermyName", "myPassword"));
	write_file(f, MY_NAME);
	assert_true(htpasswd_check(h, "myName", "myPassword"));
}

static void test_refused_files(void **state)
{
	static const struct {
		const char *text;
		enum error_kind kind;
		const char *message;
	} ROWS[] = {
		{"", ERROR_SYNTAX, "no user"},
		{"a\n", ERROR_SYNTAX, ":1: not of the form"},
		{":x\n", ERROR_SYNTAX, ":1: not of the form"},
		{MY_NAME "b:\n", ERROR_UNSUPPORTED, ":2: the password of b"},
		{"a:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n", ERROR_UNSUPPORTED, "bcrypt"},
		{"a:$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/\n", ERROR_UNSUPPORTED, "bcrypt"},
		{"a:plain\n", ERROR_UNSUPPORTED, "htpasswd -B"},
		{"a:$2y$05$short\n", ERROR_UNSUPPORTED, "bcrypt"},
		{"a:$2x$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC\n",
		 ERROR_UNSUPPORTED, "bcrypt"},
	};
	const struct file *f = *state;
	struct htpasswd *h = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
		write_file(f, ROWS[i].text);
		assert_error(htpasswd_open(&h, f->path, err), ROWS[i].kind, ROWS[i].message);
	}
	unlink(f->path);
	assert_error(htpasswd_open(&h, f->path, err), ERROR_NOT_FOUND, "No such file");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_check, setup, teardown),
		cmocka_unit_test_setup_teardown(test_changes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused_files, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
