#include "store_fixture.h"

#include <errno.h>
#include <sys/file.h>
#include <sys/syscall.h>

#include "kill_at.h"

#define HEX_ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static int fsync_calls, failing_fsync; /* which call fails, from 1; 0: none */

/* Takes the place of libc's in this program. */
int fsync(int fd)
{
	if (++fsync_calls == failing_fsync) {
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_fsync, fd);
}

static struct digest abc(void)
{
	return digest_of("abc", 3);
}

static int write_text(struct ingest *in, const char *text, struct error *err)
{
	return sink_write(ingest_sink(in), text, strlen(text), err);
}

static void test_unknown_digest(void **state)
{
	struct fixture *f = *state;
	AUTO_PTR(ingest) in = NULL;
	struct digest d = {0};

	assert_ok(f, ingest_begin(&in, f->store, NULL, &f->err));
	assert_false(ingest_is_present(in));
	assert_ok(f, write_text(in, "ab", &f->err));
	assert_ok(f, write_text(in, "c", &f->err));
	assert_int_equal(ingest_size(in), 3);
	assert_ok(f, sink_close(ingest_sink(in), &f->err));
	assert_ok(f, ingest_commit(in, &d, 3, &f->err));
	assert_string_equal(d.text, "sha256:" HEX_ABC);
	assert_true(store_has(f->store, &d, 3));
	assert_fails(f, ERROR_SYSTEM, "earlier", write_text(in, "x", &f->err));
	assert_fails(f, ERROR_SYSTEM, "earlier", ingest_commit(in, &d, -1, &f->err));
}

static size_t count_files(const struct fixture *f)
{
	size_t n = 0;
	AUTO_FREE char *command = xstrfmt("ls -A '%s/ingest'", f->root);
	FILE *p = popen(command, "r");
	char line[300];

	while (fgets(line, sizeof(line), p))
		n++;
	pclose(p);
	return n;
}

static void test_dropped(void **state)
{
	struct fixture *f = *state;
	static const char page[4097] = "a page and a byte";
	struct digest d = abc();
	struct ingest *in;

	assert_ok(f, ingest_begin(&in, f->store, NULL, &f->err));
	assert_ok(f, sink_write(ingest_sink(in), page, sizeof(page), &f->err));
	assert_int_equal(count_files(f), 1);
	ingest_free(in);
	assert_int_equal(count_files(f), 0);
	/* What is small has no file yet. */
	assert_ok(f, ingest_begin(&in, f->store, NULL, &f->err));
	assert_ok(f, write_text(in, "ab", &f->err));
	ingest_free(in);
	assert_int_equal(count_files(f), 0);
	/* Nothing came: nothing is kept. */
	assert_ok(f, ingest_begin(&in, f->store, &d, &f->err));
	ingest_free(in);
	assert_int_equal(count_files(f), 0);
	ingest_free(NULL);
}

/* Around the size from which a blob has a file: every byte arrives, whatever pieces they come in. */
static void test_small_and_large(void **state)
{
	static const size_t sizes[] = {0, 1, 4095, 4096, 4097, 8192, 20000};
	static const size_t steps[] = {1, 1000, 4096, 4097, 20000};
	struct fixture *f = *state;
	static char data[20000];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)(i * 7 + i / 251);
	for (size_t i = 0; i < ARRAY_SIZE(sizes) * ARRAY_SIZE(steps); i++) {
		const size_t size = sizes[i % ARRAY_SIZE(sizes)],
			     step = steps[i / ARRAY_SIZE(sizes)];
		AUTO_PTR(ingest) in = NULL;
		struct digest got = {0};

		assert_ok(f, ingest_begin(&in, f->store, NULL, &f->err));
		for (size_t at = 0; at < size; at += step)
			assert_ok(f, sink_write(ingest_sink(in), data + at,
						size - at < step ? size - at : step, &f->err));
		assert_ok(f, ingest_commit(in, &got, (int64_t)size, &f->err));
		assert_string_equal(got.text, digest_of(data, size).text);
		assert_ok(f, store_verify_blob(f->store, &got, (int64_t)size, &f->err));
		assert_fails(f, ERROR_SYSTEM, "earlier", write_text(in, "x", &f->err));
		assert_int_equal(count_files(f), 0);
	}
}

static void test_resume(void **state)
{
	struct fixture *f = *state;
	struct digest d = abc(), got = {0};
	struct ingest *in;

	assert_ok(f, ingest_begin(&in, f->store, &d, &f->err));
	assert_ok(f, write_text(in, "ab", &f->err));
	ingest_free(in);
	AUTO_FREE char *kept = fixture_read(f, "ingest/" HEX_ABC ".part");

	assert_string_equal(kept, "ab");
	assert_ok(f, ingest_begin(&in, f->store, &d, &f->err));
	assert_int_equal(ingest_size(in), 2);
	assert_ok(f, write_text(in, "c", &f->err));
	assert_ok(f, ingest_commit(in, &got, 3, &f->err));
	ingest_free(in);
	assert_string_equal(got.text, d.text);
	assert_ok(f, store_verify_blob(f->store, &d, 3, &f->err));
	assert_int_equal(count_files(f), 0);
}

static void test_restart(void **state)
{
	struct fixture *f = *state;
	struct digest d = abc();
	AUTO_PTR(ingest) in = NULL;

	fixture_write(f, "ingest/" HEX_ABC ".part", "longer than it should be", 24);
	assert_ok(f, ingest_begin(&in, f->store, &d, &f->err));
	assert_int_equal(ingest_size(in), 24);
	assert_ok(f, ingest_restart(in, &f->err));
	assert_int_equal(ingest_size(in), 0);
	assert_ok(f, write_text(in, "abc", &f->err));
	assert_ok(f, ingest_commit(in, NULL, 3, &f->err));
	assert_ok(f, store_verify_blob(f->store, &d, 3, &f->err));
}

static void test_mismatch(void **state)
{
	static const struct {
		const char *bytes, *part;
		int64_t size;
	} rows[] = {
		{"abd",
		 "the bytes that came have the digest sha256:a52d159f262b2c6ddb724a61840befc36eb30c88"
		 "877a4030b65cbe86298449c9",
		 3},
		{"abd", "the bytes that came have the digest", -1},
		{"ab", "got 2 bytes instead of 3", 3},
		{"abcd", "got 4 bytes instead of 3", 3},
	};
	struct fixture *f = *state;
	struct digest d = abc(), got = {0};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO_PTR(ingest) in = NULL;

		assert_ok(f, ingest_begin(&in, f->store, &d, &f->err));
		assert_int_equal(ingest_size(in), 0);
		assert_ok(f, write_text(in, rows[i].bytes, &f->err));
		assert_fails(f, ERROR_CORRUPT, rows[i].part,
			     ingest_commit(in, &got, rows[i].size, &f->err));
		assert_int_equal(count_files(f), 0);
		assert_false(digest_is_set(&got));
		assert_false(store_has(f->store, &d, -1));
	}
}

/* What has all its bytes, and no owner. */
static void test_forget_whole(void **state)
{
	struct fixture *f = *state;
	struct digest d = abc();
	struct ingest *in;

	ingest_forget_whole(f->store, &d, 3);
	assert_ok(f, ingest_begin(&in, f->store, &d, &f->err));
	assert_ok(f, write_text(in, "ab", &f->err));
	ingest_forget_whole(f->store, &d, 2);
	assert_true(fixture_exists(f, "ingest/" HEX_ABC ".part"));
	ingest_free(in);
	ingest_forget_whole(f->store, &d, 3);
	assert_true(fixture_exists(f, "ingest/" HEX_ABC ".part"));
	ingest_forget_whole(f->store, &d, 2);
	assert_int_equal(count_files(f), 0);
}

/* A bit that flipped in the kept part is found at the end, and the next attempt begins at byte 0. */
static void test_damaged_part(void **state)
{
	struct fixture *f = *state;
	struct digest d = abc();
	AUTO_PTR(ingest) in = NULL;

	fixture_write(f, "ingest/" HEX_ABC ".part", "aB", 2);
	assert_ok(f, ingest_begin(&in, f->store, &d, &f->err));
	assert_ok(f, write_text(in, "c", &f->err));
	assert_fails(f, ERROR_CORRUPT, HEX_ABC, ingest_commit(in, NULL, 3, &f->err));
	assert_int_equal(count_files(f), 0);
}

static void test_sha512(void **state)
{
	static const char text[] =
		"sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
		"2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f";
	struct fixture *f = *state;
	AUTO_PTR(ingest) in = NULL;
	struct digest d;

	assert_int_equal(digest_parse(&d, text, NULL), 0);
	assert_ok(f, ingest_begin(&in, f->store, &d, &f->err));
	assert_ok(f, write_text(in, "abc", &f->err));
	assert_ok(f, ingest_commit(in, NULL, 3, &f->err));
	assert_ok(f, store_verify_blob(f->store, &d, 3, &f->err));
}

static void test_present(void **state)
{
	struct fixture *f = *state;
	struct digest d = abc(), got = {0};
	AUTO(descriptor) desc = {0};
	AUTO_PTR(ingest) known = NULL;
	AUTO_PTR(ingest) unknown = NULL;

	assert_ok(f, store_put(f->store, "a/b", "abc", 3, &desc, &f->err));
	assert_ok(f, ingest_begin(&known, f->store, &d, &f->err));
	assert_true(ingest_is_present(known));
	assert_ok(f, ingest_begin(&unknown, f->store, NULL, &f->err));
	assert_ok(f, write_text(unknown, "abc", &f->err));
	assert_ok(f, ingest_commit(unknown, &got, -1, &f->err));
	assert_string_equal(got.text, d.text);
	ingest_free(take_ptr(known));
	assert_int_equal(count_files(f), 0);
}

/* A blob cut to half by a crash of the machine is replaced by a good one. */
static void test_replaces_truncated(void **state)
{
	struct fixture *f = *state;
	struct digest d = abc();
	AUTO_PTR(ingest) in = NULL;

	fixture_write(f, "blobs/sha256/" HEX_ABC, "a", 1);
	assert_ok(f, ingest_begin(&in, f->store, NULL, &f->err));
	assert_ok(f, write_text(in, "abc", &f->err));
	assert_ok(f, ingest_commit(in, NULL, 3, &f->err));
	assert_ok(f, store_verify_blob(f->store, &d, 3, &f->err));
}

/* Damage that only a hash or a known size shows does not pass for the blob either. */
static void test_replaces_damaged(void **state)
{
	static const char *const bytes[] = {"ab", "abd", "abcd"};
	struct fixture *f = *state;
	struct digest d = abc();

	for (size_t i = 0; i < ARRAY_SIZE(bytes); i++) {
		AUTO_PTR(ingest) in = NULL;

		fixture_write(f, "blobs/sha256/" HEX_ABC, bytes[i], strlen(bytes[i]));
		assert_ok(f, ingest_begin(&in, f->store, &d, &f->err));
		assert_false(ingest_is_present(in));
		assert_ok(f, write_text(in, "abc", &f->err));
		assert_ok(f, ingest_commit(in, NULL, 3, &f->err));
		assert_ok(f, store_verify_blob(f->store, &d, 3, &f->err));
	}
}

static void test_failed_fsync(void **state)
{
	struct fixture *f = *state;
	struct digest d = abc();
	struct ingest *in;

	/* The file, then the folder. */
	for (int nth = 1; nth <= 2; nth++) {
		assert_ok(f, store_delete_blob(f->store, &d, &f->err));
		assert_ok(f, ingest_begin(&in, f->store, &d, &f->err));
		assert_int_equal(ingest_size(in), 0);
		assert_ok(f, write_text(in, "abc", &f->err));
		fsync_calls = 0;
		failing_fsync = nth;
		assert_fails(f, ERROR_SYSTEM, "Input/output error",
			     ingest_commit(in, NULL, 3, &f->err));
		failing_fsync = 0;
		/* The call was not made again. */
		assert_int_equal(fsync_calls, nth);
		ingest_free(in);
		assert_int_equal(store_has(f->store, &d, -1), nth == 2);
		assert_int_equal(count_files(f), 0);
	}
}

static void test_copy(void **state)
{
	struct fixture *f = *state;
	AUTO_FREE char *big = xmalloc(5 << 20);
	AUTO_FREE char *path = xstrfmt("%s/big", f->root);
	AUTO_PTR(ingest) in = NULL;
	struct digest got;

	for (size_t i = 0; i < 5 << 20; i++)
		big[i] = (char)(i * 7 + i / 4093);
	fixture_write(f, "big", big, 5 << 20);
	AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_ok(f, ingest_begin(&in, f->store, NULL, &f->err));
	assert_ok(f, ingest_copy(in, fd, "big", &f->err));
	assert_int_equal(ingest_size(in), 5 << 20);
	assert_ok(f, ingest_commit(in, &got, 5 << 20, &f->err));
	assert_string_equal(got.text, digest_of(big, 5 << 20).text);
	assert_ok(f, store_verify_blob(f->store, &got, 5 << 20, &f->err));
}

struct work {
	struct fixture *f;
	bool known;
};

static int make_blob(void *arg)
{
	struct work *w = arg;
	AUTO_PTR(store) s = NULL;
	AUTO_PTR(ingest) in = NULL;
	struct digest d = abc();

	if (store_open(&s, w->f->root, NULL) < 0 ||
	    ingest_begin(&in, s, w->known ? &d : NULL, NULL) < 0)
		return -1;
	if (ingest_is_present(in))
		return 0;
	if (ingest_size(in) > 0 && ingest_restart(in, NULL) < 0)
		return -1;
	return write_text(in, "a", NULL) < 0 || write_text(in, "bc", NULL) < 0 ||
			       ingest_commit(in, NULL, 3, NULL) < 0
		       ? -1
		       : 0;
}

/* Fault 1: at every system call boundary the blob is absent or whole, and the next run gives it. */
static void kill_at_every_call(struct fixture *f, bool known)
{
	struct work w = {.f = f, .known = known};
	struct digest d = abc();
	bool done = false, seen_absent = false, seen_whole = false;

	for (int n = 1; !done; n++) {
		assert_ok(f, store_delete_blob(f->store, &d, &f->err));
		done = finishes_before(n, make_blob, &w);
		AUTO_FREE char *blob = fixture_read(f, "blobs/sha256/" HEX_ABC);

		if (blob)
			assert_string_equal(blob, "abc");
		*(blob ? &seen_whole : &seen_absent) = true;
		assert_int_equal(make_blob(&w), 0);
		assert_ok(f, store_verify_blob(f->store, &d, 3, &f->err));
	}
	assert_true(seen_absent && seen_whole);
}

static void test_killed_known(void **state)
{
	kill_at_every_call(*state, true);
}

static void test_killed_unknown(void **state)
{
	kill_at_every_call(*state, false);
}

/* Ten processes want one blob: one makes it, the others find it. */
static void test_one_download(void **state)
{
	struct fixture *f = *state;
	struct digest d = abc();
	pid_t pids[10];
	int made = 0, found = 0;

	for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
		pids[i] = fork();
		if (pids[i] != 0)
			continue;
		AUTO_PTR(store) s = NULL;
		struct ingest *in;

		if (store_open(&s, f->root, NULL) < 0 || ingest_begin(&in, s, &d, NULL) < 0)
			_exit(99);
		if (ingest_is_present(in)) {
			ingest_free(in);
			_exit(1);
		}
		usleep(2000);
		if (ingest_size(in) != 0 || write_text(in, "abc", NULL) < 0 ||
		    ingest_commit(in, NULL, 3, NULL) < 0)
			_exit(98);
		ingest_free(in);
		_exit(0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
		int status;

		waitpid(pids[i], &status, 0);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) <= 1);
		*(WEXITSTATUS(status) ? &found : &made) += 1;
	}
	assert_int_equal(made, 1);
	assert_int_equal(found, 9);
	assert_ok(f, store_verify_blob(f->store, &d, 3, &f->err));
	assert_int_equal(count_files(f), 0);
}

static void test_waits_for_owner(void **state)
{
	struct fixture *f = *state;
	struct digest d = abc();
	struct cancel cancel = {.signal = 2, .count = 1, .wake_fd = -1};
	AUTO_PTR(ingest) owner = NULL;
	struct ingest *other;

	assert_ok(f, ingest_begin(&owner, f->store, &d, &f->err));
	assert_ok(f, write_text(owner, "ab", &f->err));
	store_set_wait(f->store, &cancel, NULL, 0);
	assert_fails(f, ERROR_CANCELLED, "", ingest_begin(&other, f->store, &d, &f->err));
	store_set_wait(f->store, NULL, NULL, 10);
	assert_fails(f, ERROR_SYSTEM, HEX_ABC, ingest_begin(&other, f->store, &d, &f->err));
	/* Whoever gave up left the owner's file alone. */
	assert_ok(f, write_text(owner, "c", &f->err));
	assert_ok(f, ingest_commit(owner, NULL, 3, &f->err));
}

static void test_temp_file(void **state)
{
	struct fixture *f = *state;
	char one[INGEST_NAME_SIZE], two[INGEST_NAME_SIZE];
	AUTO_FD int fd1 = -1;
	AUTO_FD int fd2 = -1;

	assert_ok(f, ingest_temp_file(f->store, one, &fd1, &f->err));
	assert_ok(f, ingest_temp_file(f->store, two, &fd2, &f->err));
	assert_string_not_equal(one, two);
	assert_true(strncmp(one, "ingest/tmp-", 11) == 0);
	AUTO_FD int again = openat(store_dirfd(f->store), one, O_RDONLY | O_CLOEXEC);

	assert_int_equal(flock(again, LOCK_EX | LOCK_NB), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(test_unknown_digest),
		store_test(test_dropped),
		store_test(test_small_and_large),
		store_test(test_resume),
		store_test(test_restart),
		store_test(test_mismatch),
		store_test(test_forget_whole),
		store_test(test_damaged_part),
		store_test(test_sha512),
		store_test(test_present),
		store_test(test_replaces_truncated),
		store_test(test_replaces_damaged),
		store_test(test_failed_fsync),
		store_test(test_copy),
		store_test(test_killed_known),
		store_test(test_killed_unknown),
		store_test(test_one_download),
		store_test(test_waits_for_owner),
		store_test(test_temp_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
