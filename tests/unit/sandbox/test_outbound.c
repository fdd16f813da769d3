/* The way out of a space, where this machine has one. */
#include "tests/unit/sandbox/space_fixture.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <sched.h>
#include <sys/mount.h>

#include "sandbox/outbound.h"

static bool system_has(const char *program)
{
	AUTO_FREE char *path = xstrfmt("/usr/bin/%s", program);

	return access(path, X_OK) == 0;
}

/* Whether who runs the test may open /dev/net/tun, and the program is there. */
static bool may_reach_out(void)
{
	return access("/dev/net/tun", R_OK | W_OK) == 0 && system_has("slirp4netns");
}

/* An address of this machine that others could have; false: it has none. */
static bool own_address(char out[INET_ADDRSTRLEN])
{
	struct ifaddrs *all;
	bool found = false;

	assert_int_equal(getifaddrs(&all), 0);
	for (struct ifaddrs *a = all; a && !found; a = a->ifa_next) {
		const struct sockaddr_in *in = (const void *)a->ifa_addr;

		if (!in || in->sin_family != AF_INET || (a->ifa_flags & IFF_LOOPBACK) ||
		    !(a->ifa_flags & IFF_UP) || (ntohl(in->sin_addr.s_addr) >> 16) == 0xa9fe)
			continue;
		found = inet_ntop(AF_INET, &in->sin_addr, out, INET_ADDRSTRLEN) != NULL;
	}
	freeifaddrs(all);
	return found;
}

static void test_outbound(void **state)
{
	struct fixture *f = *state;
	char address[INET_ADDRSTRLEN];
	AUTO_FREE char *script = NULL;
	struct container c;
	struct space *s;
	uint16_t port = 0;
	struct pollfd p = {.events = POLLIN};
	int client;

	if (!may_reach_out() || !own_address(address))
		skip();
	must(host_socket_listen("0.0.0.0", &port, &p.fd, &must_err));
	must(space_open(&s, f->sb, &options, &must_err));
	must(space_open_outbound(s, f->sb, &must_err));
	/* Out there, but neither to the loopback of this machine nor to the metadata of a cloud. */
	script = xstrfmt(
		"grep nameserver /etc/resolv.conf; "
		"nc -w 2 10.0.2.2 %u </dev/null 2>&1 | grep -c hello; "
		"nc -w 2 169.254.169.254 80 2>&1 | grep -o \"No route to host\"; nc %s %u </dev/null",
		port, address, port);
	container_start(f, &c, s, script);
	assert_int_equal(poll(&p, 1, PATIENCE * 1000), 1);
	client = accept4(p.fd, NULL, NULL, SOCK_CLOEXEC);
	assert_int_equal(write(client, "hello\n", 6), 6);
	close(client);
	container_end(&c);
	assert_string_equal(c.o.out.buf, "nameserver 10.0.2.3\n0\nNo route to host\nhello\n");
	outcome_release(&c.o);
	close(p.fd);
	space_free(s);
}

/* A namespace that slirp4netns cannot do anything with: said, and nothing is left. */
static void test_refusal(void **state)
{
	AUTO(outbound) o = OUTBOUND_INIT;
	AUTO(error) err = ERROR_INIT;
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	(void)state;
	if (!system_has("slirp4netns"))
		skip();
	assert_int_equal(outbound_start(&o, -1, fd, &err), -1);
	assert_int_equal(err.kind, ERROR_UNSUPPORTED);
	assert_non_null(strstr(err.message, "/dev/net/tun"));
	close(fd);
}

static void start_and_wait(int tell)
{
	struct outbound o = OUTBOUND_INIT;
	int net = unshare(CLONE_NEWNET) == 0 ? open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC) : -1;

	if (net >= 0 && outbound_start(&o, -1, net, NULL) == 0)
		(void)!write(tell, &o.pid, sizeof(o.pid));
	for (;;)
		pause();
}

/* A slipway that is killed takes it along. */
static void test_ends_with_slipway(void **state)
{
	int64_t until = time_monotonic_ns() + PATIENCE * 1000000000ll;
	int tell[2];
	pid_t child, pid = -1;

	(void)state;
	if (geteuid() != 0 || !may_reach_out())
		skip();
	assert_int_equal(pipe2(tell, O_CLOEXEC), 0);
	child = fork();
	if (child == 0)
		start_and_wait(tell[1]);
	close(tell[1]);
	assert_int_equal(read(tell[0], &pid, sizeof(pid)), sizeof(pid));
	assert_int_equal(kill(pid, 0), 0);
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	while (kill(pid, 0) == 0 && time_monotonic_ns() < until)
		usleep(10000);
	assert_int_equal(kill(pid, 0), -1);
	close(tell[0]);
}

/* In a shared mount, as Docker's data root is one: is what is mounted below it still there when the network is up? */
static int start_below_shared_mount(const char *shared, const char *below)
{
	AUTO(outbound) o = OUTBOUND_INIT;
	struct stat outer, inner;
	int net;

	if (unshare(CLONE_NEWNS | CLONE_NEWNET) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", shared, "tmpfs", 0, NULL) < 0 ||
	    mount(NULL, shared, NULL, MS_SHARED, NULL) < 0 || mkdir(below, 0700) < 0 ||
	    mount("none", below, "tmpfs", 0, NULL) < 0)
		return 2;
	net = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (net < 0 || outbound_start(&o, -1, net, NULL) < 0)
		return 3;
	if (stat(shared, &outer) < 0 || stat(below, &inner) < 0)
		return 4;
	return outer.st_dev == inner.st_dev;
}

static void test_mounts_of_others_stay(void **state)
{
	struct fixture *f = *state;
	AUTO_FREE char *shared = xstrfmt("%s/shared", f->root);
	AUTO_FREE char *below = xstrfmt("%s/below", shared);
	int status;
	pid_t child;

	if (geteuid() != 0 || !may_reach_out())
		skip();
	assert_int_equal(mkdir(shared, 0700), 0);
	child = fork();
	if (child == 0)
		_exit(start_below_shared_mount(shared, below));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(test_outbound, fixture_setup, fixture_teardown),
	cmocka_unit_test(test_refusal),
	cmocka_unit_test(test_ends_with_slipway),
	cmocka_unit_test_setup_teardown(test_mounts_of_others_stay, fixture_setup,
					fixture_teardown),
};

SANDBOX_TEST_MAIN(tests)
