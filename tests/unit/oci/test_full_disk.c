/* A full disk: every write of the store says so, and leaves a whole store (fault 6). */
#include "store_fixture.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "oci/layout.h"

static int write_once(const char *path, const char *text)
{
	AUTO_FD int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -1;
}

/* Where a tmpfs may be mounted: root needs a mount namespace, others a user namespace that maps them. */
static int enter_namespaces(void)
{
	AUTO_FREE char *uids = xstrfmt("0 %u 1", (unsigned)geteuid());
	AUTO_FREE char *gids = xstrfmt("0 %u 1", (unsigned)getegid());

	if (geteuid() == 0)
		return unshare(CLONE_NEWNS);
	if (unshare(CLONE_NEWNS | CLONE_NEWUSER) < 0 ||
	    write_once("/proc/self/uid_map", uids) < 0 ||
	    write_once("/proc/self/setgroups", "deny") < 0)
		return -1;
	return write_once("/proc/self/gid_map", gids);
}

/* 0: passed, 77: no tmpfs to be had here, else the line that failed. */
static int fill_disk(const char *folder)
{
	AUTO_PTR(store) s = NULL;
	AUTO_PTR(ingest) in = NULL;
	AUTO(error) err = ERROR_INIT;
	AUTO(descriptor) d = {0};
	AUTO(descriptor) manifest = {0};
	AUTO(image_index) index = {0};
	AUTO(image_ref) ref = {0};
	static char block[65536];

	if (enter_namespaces() < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", folder, "tmpfs", 0, "size=256k,mode=0700") < 0)
		return 77;
	if (store_open(&s, folder, &err) < 0 ||
	    store_put(s, MEDIA_OCI_MANIFEST, "{}", 2, &manifest, &err) < 0 ||
	    ingest_begin(&in, s, NULL, &err) < 0)
		return __LINE__ % 70;
	while (sink_write(ingest_sink(in), block, sizeof(block), &err) == 0)
		;
	if (!strstr(err.message, "No space left on device") || !strstr(err.message, "a new blob") ||
	    !strstr(err.message, folder) || !strstr(err.message, "slipway prune"))
		return __LINE__ % 70;
	error_clear(&err);
	/* Neither is the list of images touched. */
	if (image_ref_parse(&ref, "app", &err) < 0 || layout_tag(s, &ref, &manifest, &err) == 0 ||
	    !strstr(err.message, "No space left on device") || layout_read(s, &index, NULL) < 0 ||
	    index.n_manifests != 0)
		return __LINE__ % 70;
	error_clear(&err);
	if (ingest_commit(in, NULL, -1, &err) == 0)
		return __LINE__ % 70;
	error_clear(&err);
	/* Once the unfinished file is gone there is room again. */
	ingest_free(take_ptr(in));
	return store_put(s, "a/b", "abc", 3, &d, &err) < 0 ||
			       layout_tag(s, &ref, &manifest, &err) < 0
		       ? __LINE__ % 70
		       : 0;
}

static void test_disk_full(void **state)
{
	struct fixture *f = *state;
	AUTO_FREE char *folder = xstrfmt("%s/small", f->folder);
	int status;

	assert_int_equal(mkdir(folder, 0700), 0);
	pid_t pid = fork();

	if (pid == 0)
		_exit(fill_disk(folder));
	waitpid(pid, &status, 0);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(test_disk_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
