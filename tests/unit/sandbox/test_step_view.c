/* What a step sees of itself and of the machine. */
#include "tests/unit/sandbox/sandbox_fixture.h"

static void expect(struct rootfs *fs, const char *script, struct run_spec spec, const char *out)
{
	AUTO(outcome) o;

	run_spec(fs, script, spec, &o);
	if (o.r < 0)
		fail_msg("%s: %s", script, o.error.message);
	if (strcmp(o.out.buf, out) != 0)
		fail_msg("%s: expected \"%s\", got \"%s\" (%s)", script, out, o.out.buf, o.err.buf);
}

static bool is_single(const struct fixture *f)
{
	return sandbox_mode(f->sb, NULL) == SANDBOX_ROOTLESS_SINGLE;
}

/* Expected values follow the interfaces of Docker's build and run. */
static void sees_a_plain_environment(void **state)
{
	static const struct {
		const char *script, *out;
	} rows[] = {
		{"umask; pwd; echo $PPID $$", "0022\n/\n1 2\n"},
		{"hostname; cat /etc/hostname", "slipway\nslipway\n"},
		{"cat /etc/hosts",
		 "127.0.0.1\tlocalhost slipway\n::1\tlocalhost ip6-localhost ip6-loopback\n"},
		{"ls /proc/self/fd | tr '\\n' ' '", "0 1 2 3 "}, /* 3 is the folder that ls reads */
		{"cat; echo end", "end\n"},                      /* nothing on stdin */
		{"ls /dev | tr '\\n' ' '",
		 "core fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero "},
		{"stat -c %a /dev /dev/shm /dev/null | tr '\\n' ' '", "755 1777 666 "},
		{"head -c 4 /dev/zero | od -An -tx1; echo x > /dev/null; cat /dev/null",
		 " 00 00 00 00\n"},
		{"grep -c . /proc/1/comm; cat /proc/1/comm", "1\nslipway-init\n"},
		{"ulimit -c > /dev/null; id -u; id -g", "0\n0\n"},
		{"echo $(ls /proc | grep -x 1) $(ls -d /proc/[0-9]* | wc -l | tr -d ' ' | grep -c [0-9])",
		 "1 1\n"},
	};
	struct rootfs *fs = open_rootfs(*state);

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (is_single(*state) && strstr(rows[i].script, "ls /dev "))
			continue;
		expect(fs, rows[i].script, (struct run_spec){0}, rows[i].out);
	}
	rootfs_free(fs);
}

static void keeps_to_its_environment(void **state)
{
	char *env[] = {(char[]){"PATH=/bin"}, (char[]){"A=b c"}, (char[]){"HOME=/elsewhere"}, NULL};
	char *short_env[] = {(char[]){"PATH=/bin"}, NULL};
	struct rootfs *fs = open_rootfs(*state);

	setenv("SLIPWAY_TEST_SECRET", "do not pass on", 1);
	expect(fs,
	       "busybox env | busybox grep -v '^SHLVL\\|^PWD\\|^_\\|^APT_CONFIG' | busybox sort",
	       (struct run_spec){.env = env}, "A=b c\nHOME=/elsewhere\nPATH=/bin\n");
	expect(fs, "echo $HOME", (struct run_spec){.env = short_env}, "/root\n");
	expect(fs, "echo $HOME", (struct run_spec){.env = short_env, .user = "app"}, "/home/app\n");
	rootfs_free(fs);
}

static void becomes_the_user(void **state)
{
	static const struct {
		const char *user, *ids;
	} rows[] = {
		{"", "0 0 0 60"}, /* root is a member of group extra */
		{"root", "0 0 0 60"},
		{"app", "1000 1000 1000 50 60"},
		{"1000", "1000 1000 1000 50 60"},
		{"app:staff", "1000 50 50"},
		{"app:7", "1000 7 7"},
		{"4321", "4321 0 0"}, /* not in passwd: group 0 */
		{"4321:extra", "4321 60 60"},
	};
	struct rootfs *fs = open_rootfs(*state);

	if (is_single(*state)) {
		rootfs_free(fs);
		skip();
	}
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO_FREE char *out = xstrfmt("%s\n", rows[i].ids);

		expect(fs, "echo $(id -u) $(id -g) $(id -G)",
		       (struct run_spec){.user = rows[i].user}, out);
	}
	rootfs_free(fs);
}

static void refuses_users_that_are_none(void **state)
{
	static const struct {
		const char *user, *message;
	} rows[] = {
		{"-1", "user -1 is not in /etc/passwd"},
		{"0x0", "user 0x0 is not in /etc/passwd"},
		{"1e3", "user 1e3 is not in /etc/passwd"},
		{"4294967296", "out of range"},
		{"4294967295", "out of range"},
		{"2147483648", "out of range"},
		{"99999999999999999999", "out of range"},
		{"unknown", "user unknown is not in /etc/passwd"},
		{"broken", "invalid id in /etc/passwd"},
		{"app:nogroup", "group nogroup is not in /etc/group"},
		{"app:4294967296", "out of range"},
		{":0", "invalid user"},
		{"app:", "invalid user"},
		{"app:0:0", "invalid user"},
		{" 0", "is not in /etc/passwd"},
	};
	struct rootfs *fs = open_rootfs(*state);

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(outcome) o;

		run_spec(fs, "echo ran", (struct run_spec){.user = rows[i].user}, &o);
		if (o.r == 0 || o.out.len > 0 || !strstr(o.error.message, rows[i].message))
			fail_msg("%s: expected \"%s\", got \"%s\"", rows[i].user, rows[i].message,
				 o.error.message ? o.error.message : o.out.buf);
	}
	rootfs_free(fs);
}

static void enters_the_working_directory(void **state)
{
	struct rootfs *fs = open_rootfs(*state);
	char *listing;

	expect(fs, "pwd", (struct run_spec){.cwd = "/tmp"}, "/tmp\n");
	expect(fs, "pwd; stat -c %a:%u . ..", (struct run_spec){.cwd = "/made/on/the/way"},
	       "/made/on/the/way\n755:0\n755:0\n");
	listing = commit_listing(*state, fs);
	assert_string_equal(listing, "d made 755 0:0\nd made/on 755 0:0\nd made/on/the 755 0:0\n"
				     "d made/on/the/way 755 0:0\n");
	free(listing);
	rootfs_free(fs);
}

static void tells_why_a_command_did_not_start(void **state)
{
	static const struct {
		const char *argv0, *message;
		int status;
	} rows[] = {
		{"missing", "\"missing\": not found in PATH", 127},
		{"/bin/missing", "\"/bin/missing\": No such file", 127},
		{"/etc/passwd", "\"/etc/passwd\": Permission denied", 126},
		{"/bin", "\"/bin\": Permission denied", 126},
		{"/script", "interpreter or loader is not in the image", 127},
		{"/garbage", "\"/garbage\": Exec format error", 126},
		{"", "not found in PATH", 127},
	};
	struct rootfs *fs = open_rootfs(*state);
	AUTO(outcome) first;

	run_script(
		fs,
		"printf '#!/no/such\\n' > /script; echo garbage > /garbage; chmod 755 /script /garbage",
		&first);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *argv[] = {xstrdup(rows[i].argv0), NULL};
		AUTO(outcome) o;

		run_spec(fs, NULL, (struct run_spec){.argv = argv}, &o);
		assert_int_equal(o.r, -1);
		assert_int_equal(o.error.kind, ERROR_STEP);
		assert_int_equal(o.error.status, rows[i].status);
		if (!strstr(o.error.message, rows[i].message))
			fail_msg("%s: %s", rows[i].argv0, o.error.message);
		free(argv[0]);
	}
	rootfs_free(fs);
}

static void names_other_hosts(void **state)
{
	AUTO(strlist) hosts = STRLIST_INIT;
	struct rootfs *fs = open_rootfs(*state);

	strlist_add(&hosts, "db:10.0.0.5");
	strlist_add(&hosts, "six:fd00::1");
	expect(fs, "tail -n 2 /etc/hosts; hostname",
	       (struct run_spec){.add_hosts = &hosts, .hostname = "buildkitsandbox"},
	       "10.0.0.5\tdb\nfd00::1\tsix\nbuildkitsandbox\n");
	rootfs_free(fs);
}

static void has_no_network_when_asked_so(void **state)
{
	struct rootfs *fs = open_rootfs(*state);

	expect(fs, "ls /sys/class/net; ip -o addr show lo | grep -o 'inet [0-9./]*'",
	       (struct run_spec){.network = SANDBOX_NETWORK_NONE}, "lo\ninet 127.0.0.1/8\n");
	rootfs_free(fs);
}

static void shares_the_hosts_network_otherwise(void **state)
{
	struct rootfs *fs = open_rootfs(*state);
	char link[64], out[80];
	ssize_t n = readlink("/proc/self/ns/net", link, sizeof(link) - 1);

	assert_true(n > 0);
	link[n] = '\0';
	snprintf(out, sizeof(out), "%s\n", link);
	expect(fs, "readlink /proc/self/ns/net", (struct run_spec){0}, out);
	rootfs_free(fs);
}

static void can_have_a_root_that_is_read_only(void **state)
{
	struct rootfs *fs = open_rootfs(*state);
	char *listing;

	expect(fs, "touch /x 2>/dev/null || echo refused; touch /dev/shm/x && echo fine",
	       (struct run_spec){.readonly_root = true}, "refused\nfine\n");
	listing = commit_listing(*state, fs);
	assert_string_equal(listing, "");
	free(listing);
	rootfs_free(fs);
}

int main(int argc, char **argv)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		T(sees_a_plain_environment),
		T(keeps_to_its_environment),
		T(becomes_the_user),
		T(refuses_users_that_are_none),
		T(enters_the_working_directory),
		T(tells_why_a_command_did_not_start),
		T(names_other_hosts),
		T(has_no_network_when_asked_so),
		T(shares_the_hosts_network_otherwise),
		T(can_have_a_root_that_is_read_only),
	};

	if (argc > 1 && strcmp(argv[1], SANDBOX_HELPER_ARG) == 0)
		return sandbox_helper_main(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
