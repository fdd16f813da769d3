/* The filter as the kernel applies it: system calls made in a child that loaded it, and the errno each gives. */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "sandbox/seccomp.h"
#include "sandbox/seccomp_table.h"

#define ALLOWED (-1) /* whatever the kernel says, it is not the filter's EPERM or ENOSYS */

struct attempt {
	const char *name;
	long number;
	long args[4];
	int expected;
};

static const char empty[1] = "";

/* Rows of Docker's profile, and those of the threat model (row 42). */
static const struct attempt attempts[] = {
	{"getpid", SYS_getpid, {0}, ALLOWED},
	{"openat2", SYS_openat2, {-1, 0, 0, 0}, ALLOWED},
	{"mount", SYS_mount, {(long)empty, (long)empty, (long)empty, 0}, EPERM},
	{"umount2", SYS_umount2, {(long)empty, 0}, EPERM},
	{"pivot_root", SYS_pivot_root, {(long)empty, (long)empty}, EPERM},
	{"fsopen", SYS_fsopen, {(long)empty, 0}, EPERM},
	{"open_tree", SYS_open_tree, {-1, (long)empty, 0}, EPERM},
	{"move_mount", SYS_move_mount, {-1, (long)empty, -1, (long)empty}, EPERM},
	{"mount_setattr", SYS_mount_setattr, {-1, (long)empty, 0, 0}, EPERM},
	{"unshare user", SYS_unshare, {CLONE_NEWUSER}, EPERM},
	{"setns", SYS_setns, {-1, 0}, EPERM},
	{"keyctl", SYS_keyctl, {0}, EPERM},
	{"add_key", SYS_add_key, {(long)empty, (long)empty, 0, 0}, EPERM},
	{"bpf", SYS_bpf, {0}, EPERM},
	{"perf_event_open", SYS_perf_event_open, {0}, EPERM},
	{"io_uring_setup", SYS_io_uring_setup, {1, 0}, EPERM},
	{"io_uring_enter", SYS_io_uring_enter, {-1}, EPERM},
	{"open_by_handle_at", SYS_open_by_handle_at, {-1, 0, 0}, EPERM},
	{"userfaultfd", SYS_userfaultfd, {0}, EPERM},
	{"kexec_load", SYS_kexec_load, {0}, EPERM},
	{"init_module", SYS_init_module, {0}, EPERM},
	{"reboot", SYS_reboot, {0}, EPERM},
	{"settimeofday", SYS_settimeofday, {0}, EPERM},
	{"swapon", SYS_swapon, {0}, EPERM},
	{"sethostname", SYS_sethostname, {(long)empty, 0}, EPERM},
	{"quotactl", SYS_quotactl, {0}, EPERM},
	{"syslog", SYS_syslog, {10}, EPERM},
	{"clone3", SYS_clone3, {0, 0}, ENOSYS},
	{"clone user namespace", SYS_clone, {CLONE_NEWUSER | 17, 0, 0, 0}, EPERM},
	{"clone mount namespace", SYS_clone, {CLONE_NEWNS | 17, 0, 0, 0}, EPERM},
	{"clone network namespace", SYS_clone, {CLONE_NEWNET | CLONE_VFORK, 0, 0, 0}, EPERM},
	{"a number that no kernel has", 100000, {0}, ENOSYS},
	{"x32 getpid", 0x40000000 + 39, {0}, ENOSYS},
	{"socket inet", SYS_socket, {AF_INET, SOCK_STREAM, 0}, ALLOWED},
	{"socket unix", SYS_socket, {AF_UNIX, SOCK_STREAM, 0}, ALLOWED},
	{"socket netlink", SYS_socket, {AF_NETLINK, SOCK_RAW, 0}, ALLOWED},
	{"socket alg", SYS_socket, {38, SOCK_SEQPACKET, 0}, EPERM},
	{"socket 39", SYS_socket, {39, SOCK_SEQPACKET, 0}, ALLOWED},
	{"socket vsock", SYS_socket, {40, SOCK_STREAM, 0}, EPERM},
	{"personality asked", SYS_personality, {0xffffffff}, ALLOWED},
	{"personality linux", SYS_personality, {0}, ALLOWED},
	{"personality no randomization", SYS_personality, {0x40000}, ENOSYS},
	{"personality read implies exec", SYS_personality, {0x400000}, ENOSYS},
};

static void load(bool pretend)
{
	struct strbuf program = STRBUF_INIT;
	struct sock_fprog prog;

	if (seccomp_program(pretend, &program, NULL) < 0)
		_exit(99);
	prog.len = (unsigned short)(program.len / sizeof(struct sock_filter));
	prog.filter = (struct sock_filter *)(void *)program.buf;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0)
		_exit(98);
}

/* Makes the calls in a child and fills the errno of each, 0 for success. */
static void try_all(bool pretend, const struct attempt *list, size_t n, int *numbers)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		load(pretend);
		for (size_t i = 0; i < n; i++) {
			const long *a = list[i].args;
			long r = syscall(list[i].number, a[0], a[1], a[2], a[3]);

			numbers[i] = r < 0 ? errno : 0;
		}
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static int *shared_numbers(size_t n)
{
	int *p = mmap(NULL, n * sizeof(int), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);

	assert_true(p != MAP_FAILED);
	return p;
}

static void answers_as_the_table_says(void **state)
{
	int *numbers = shared_numbers(ARRAY_SIZE(attempts));

	(void)state;
	for (int pretend = 0; pretend < 2; pretend++) {
		try_all(pretend, attempts, ARRAY_SIZE(attempts), numbers);
		for (size_t i = 0; i < ARRAY_SIZE(attempts); i++) {
			int expected = attempts[i].expected;

			if (expected == ALLOWED ? numbers[i] == EPERM || numbers[i] == ENOSYS
						: numbers[i] != expected)
				fail_msg("%s: %s", attempts[i].name, strerror(numbers[i]));
		}
	}
	munmap(numbers, ARRAY_SIZE(attempts) * sizeof(int));
}

/* With one id: answered with success, and not done. */
static void pretends_changes_of_ownership(void **state)
{
	char dir[] = "/tmp/slipway-seccomp-XXXXXX";
	AUTO_FREE char *file = NULL, *fifo = NULL, *device = NULL;
	struct stat st;

	(void)state;
	assert_non_null(mkdtemp(dir));
	file = xstrfmt("%s/file", dir);
	fifo = xstrfmt("%s/fifo", dir);
	device = xstrfmt("%s/device", dir);
	close(open(file, O_CREAT | O_WRONLY, 0644));

	const struct attempt list[] = {
		{"fchownat", SYS_fchownat, {AT_FDCWD, (long)file, 12345, 12345}, 0},
		{"setresuid", SYS_setresuid, {4711, 4711, 4711}, 0},
		{"setgroups", SYS_setgroups, {1, (long)"\0\0\0\1"}, 0},
		{"setfsuid", SYS_setfsuid, {4711}, 0},
		{"capset", SYS_capset, {0, 0}, 0},
		{"mknodat char",
		 SYS_mknodat,
		 {AT_FDCWD, (long)device, S_IFCHR | 0666, makedev(1, 3)},
		 0},
		{"mknodat block",
		 SYS_mknodat,
		 {AT_FDCWD, (long)device, S_IFBLK | 0666, makedev(8, 0)},
		 0},
		{"mknodat fifo", SYS_mknodat, {AT_FDCWD, (long)fifo, S_IFIFO | 0644, 0}, 0},
		{"the id is what it was", SYS_getuid, {0}, 0},
	};
	int *numbers = shared_numbers(ARRAY_SIZE(list));

	try_all(true, list, ARRAY_SIZE(list), numbers);
	for (size_t i = 0; i < ARRAY_SIZE(list); i++)
		if (numbers[i] != list[i].expected)
			fail_msg("%s: %s", list[i].name, strerror(numbers[i]));
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_uid, getuid());
	assert_int_equal(stat(device, &st), -1);
	assert_int_equal(stat(fifo, &st), 0);
	assert_true(S_ISFIFO(st.st_mode));
	unlink(file);
	unlink(fifo);
	rmdir(dir);
	munmap(numbers, ARRAY_SIZE(list) * sizeof(int));
}

static void check_sorted(const char *const *table, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (strcmp(table[i - 1], table[i]) >= 0)
			fail_msg("%s comes before %s", table[i - 1], table[i]);
}

static bool has(const char *const *table, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(table[i], name) == 0)
			return true;
	return false;
}

static void has_sorted_tables_that_do_not_overlap(void **state)
{
	(void)state;
	check_sorted(seccomp_allowed, n_seccomp_allowed);
	check_sorted(seccomp_refused, n_seccomp_refused);
	check_sorted(seccomp_pretended, n_seccomp_pretended);
	for (size_t i = 0; i < n_seccomp_refused; i++)
		assert_false(has(seccomp_allowed, n_seccomp_allowed, seccomp_refused[i]));
	for (size_t i = 0; i < n_seccomp_pretended; i++)
		assert_true(has(seccomp_allowed, n_seccomp_allowed, seccomp_pretended[i]));
}

static void gives_the_same_bytes_again(void **state)
{
	AUTO(strbuf) one = STRBUF_INIT;
	AUTO(strbuf) two = STRBUF_INIT;
	char key[SHA256_HEX_SIZE], again[SHA256_HEX_SIZE];

	(void)state;
	assert_int_equal(seccomp_program(false, &one, NULL), 0);
	assert_int_equal(seccomp_program(false, &two, NULL), 0);
	assert_int_equal(one.len, two.len);
	assert_memory_equal(one.buf, two.buf, one.len);
	seccomp_version_key(key);
	seccomp_version_key(again);
	assert_string_equal(key, again);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_as_the_table_says),
		cmocka_unit_test(pretends_changes_of_ownership),
		cmocka_unit_test(has_sorted_tables_that_do_not_overlap),
		cmocka_unit_test(gives_the_same_bytes_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
