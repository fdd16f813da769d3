/* Containers that share a network: what they share, what they do not, sockets from inside, and what ends when. */
#include "tests/unit/sandbox/space_fixture.h"

static void show(struct outcome *o)
{
	if (o->r < 0)
		print_message("%s\n", o->error.message);
	if (o->err.len)
		print_message("%s", o->err.buf);
}

/* The n-th word of text; free() */
static char *word_at(const char *text, int n)
{
	text += strspn(text, " \n");
	for (; n > 0; n--) {
		text += strcspn(text, " \n");
		text += strspn(text, " \n");
	}
	return xstrndup(text, strcspn(text, " \n"));
}

static void test_joins(void **state)
{
	struct fixture *f = *state;
	struct space *s;
	struct rootfs *fs = open_rootfs(f);
	AUTO(outcome) one = {0};
	AUTO(outcome) two = {0};
	AUTO(outcome) apart = {0};
	static const char script[] =
		"for n in net ipc uts; do readlink /proc/self/ns/$n; done; hostname";

	must(space_open(&s, f->sb, &options, &must_err));
	run_spec(fs, script, joining(s), &one);
	run_spec(fs, script, joining(s), &two);
	run_spec(fs, script, (struct run_spec){.network = SANDBOX_NETWORK_NONE}, &apart);
	show(&one);
	assert_int_equal(one.r, 0);
	assert_string_equal(one.out.buf, two.out.buf);
	for (int i = 0; i < 4; i++) {
		AUTO_FREE char *a = word_at(one.out.buf, i);
		AUTO_FREE char *c = word_at(apart.out.buf, i);

		assert_string_not_equal(a, c);
		if (i == 3)
			assert_string_equal(a, "web");
	}
	rootfs_free(fs);
	space_free(s);
}

/* What a container sees: the two addresses, the name in the files, no way out, and no more right than in a network of its own. */
static void test_view(void **state)
{
	struct fixture *f = *state;
	struct space *s;
	struct rootfs *fs = open_rootfs(f);
	AUTO(outcome) o = {0};

	must(space_open(&s, f->sb, &options, &must_err));
	run_spec(fs,
		 "ip -4 -o addr | awk '{print $2, $4}' | sort; ip route; cat /etc/hostname; "
		 "grep -c web /etc/hosts; ls /sys/class/net; "
		 "hostname other 2>/dev/null && echo renamed; "
		 "ip addr add 10.0.0.1/8 dev lo 2>/dev/null && echo added; "
		 "grep CapEff /proc/self/status | cut -f 2; "
		 "for p in /proc/[0-9]*; do cat $p/comm; done | grep -c slipway-space",
		 joining(s), &o);
	show(&o);
	assert_int_equal(o.r, 0);
	assert_string_equal(o.out.buf, "eth0 169.254.170.3/31\nlo 127.0.0.1/8\n"
				       "unreachable 169.254.0.0/16 scope host \n"
				       "169.254.170.2/31 dev eth0 scope link  src 169.254.170.3 \n"
				       "web\n1\neth0\nlo\n00000000a80425fb\n0\n");
	rootfs_free(fs);
	space_free(s);
}

static char *read_to_end(int fd)
{
	AUTO(strbuf) out = STRBUF_INIT;
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char block[4096];
	ssize_t n;

	while (poll(&p, 1, PATIENCE * 1000) > 0 && (n = read(fd, block, sizeof(block))) > 0)
		strbuf_add(&out, block, (size_t)n);
	return strbuf_detach(&out, NULL);
}

/* Metadata and an app at the same port: neither takes it from the other. */
static void test_listens(void **state)
{
	struct fixture *f = *state;
	struct space *s;
	struct container c;
	struct pollfd p = {.events = POLLIN};
	char heard[9];
	int client;

	must(space_open(&s, f->sb, &options, &must_err));
	assert_int_equal(space_listener(s, 2), -1);
	for (int i = 0; i < 2; i++) {
		AUTO_FREE char *script = xstrfmt(
			"echo app > /x; nc -l -p 80 -e cat /x & "
			"echo question | nc 169.254.170.2 %u; "
			"i=0; while [ $i -lt 400 ]; do nc 127.0.0.1 80 </dev/null && exit; "
			"i=$((i+1)); usleep 25000; done",
			options.ports[i]);

		container_start(f, &c, s, script);
		p.fd = space_listener(s, (size_t)i);
		assert_int_equal(poll(&p, 1, PATIENCE * 1000), 1);
		client = accept4(p.fd, NULL, NULL, SOCK_CLOEXEC);
		assert_true(client >= 0);
		assert_int_equal(recv(client, heard, 9, MSG_WAITALL), 9);
		assert_int_equal(write(client, "answer\n", 7), 7);
		close(client);
		container_end(&c);
		assert_memory_equal(heard, "question\n", 9);
		assert_string_equal(c.o.out.buf, "answer\napp\n");
		outcome_release(&c.o);
	}
	space_free(s);
}

/* -1: refused, as long as nobody listens in there. */
static int dial(struct space *s, const char *address, uint16_t port)
{
	struct request q = {.kind = REQUEST_CONNECT, .value = port, .id = 7};
	struct answer a;
	int fd, number = 0;
	socklen_t len = sizeof(number);
	struct pollfd p = {.events = POLLOUT};

	assert_int_equal(inet_pton(AF_INET, address, &q.address), 1);
	assert_int_equal(send(space_agent(s), &q, sizeof(q), 0), sizeof(q));
	assert_int_equal(fd_message_receive(space_agent(s), &a, sizeof(a), 0, &fd), sizeof(a));
	assert_int_equal(a.id, 7);
	if (fd < 0)
		return -1;
	p.fd = fd;
	if (poll(&p, 1, PATIENCE * 1000) > 0 &&
	    getsockopt(fd, SOL_SOCKET, SO_ERROR, &number, &len) == 0 && number == 0)
		return fd;
	close(fd);
	return -1;
}

static int dial_patiently(struct space *s, const char *address, uint16_t port)
{
	int64_t until = time_monotonic_ns() + PATIENCE * 1000000000ll;
	const struct timespec pause = {.tv_nsec = 10000000};
	int fd = -1;

	while ((fd = dial(s, address, port)) < 0 && time_monotonic_ns() < until)
		nanosleep(&pause, NULL);
	return fd;
}

static void test_connects(void **state)
{
	struct fixture *f = *state;
	struct space *s;
	struct container c;
	int fd;
	char *heard;

	must(space_open(&s, f->sb, &options, &must_err));
	container_start(f, &c, s, "echo hello > /x; nc -l -p 3000 -e cat /x");
	/* By any address of the loopback, as a task's own is. */
	fd = dial_patiently(s, "127.64.0.9", 3000);
	assert_true(fd >= 0);
	shutdown(fd, SHUT_WR);
	heard = read_to_end(fd);
	assert_string_equal(heard, "hello\n");
	free(heard);
	close(fd);
	container_end(&c);
	outcome_release(&c.o);
	assert_int_equal(dial(s, "127.0.0.1", 3000), -1);
	space_free(s);
}

/* Two containers, one network: the second one reaches the first at localhost. */
static void test_shares_localhost(void **state)
{
	struct fixture *f = *state;
	struct space *s;
	struct container c;
	struct rootfs *fs = open_rootfs(f);
	AUTO(outcome) o = {0};

	must(space_open(&s, f->sb, &options, &must_err));
	container_start(f, &c, s, "echo neighbour > /x; nc -l -p 8125 -e cat /x");
	run_spec(
		fs,
		"i=0; while [ $i -lt 400 ]; do nc 127.0.0.1 8125 </dev/null 2>/dev/null && exit 0; "
		"i=$((i+1)); usleep 25000; done; exit 1",
		joining(s), &o);
	container_end(&c);
	assert_int_equal(o.result.status, 0);
	assert_string_equal(o.out.buf, "neighbour\n");
	outcome_release(&c.o);
	rootfs_free(fs);
	space_free(s);
}

/* The first number of a line of /proc/PID/status. */
static unsigned long long status_field(pid_t pid, const char *name, int base)
{
	AUTO_FREE char *path = xstrfmt("/proc/%d/status", (int)pid);
	AUTO(strbuf) text = STRBUF_INIT;
	const char *at;

	must(fs_read_file(path, &text, 65536, &must_err));
	at = strstr(text.buf, name);
	assert_non_null(at);
	return strtoull(at + strlen(name), NULL, base);
}

/* The process is root of nothing. */
static void test_process_is_weak(void **state)
{
	struct fixture *f = *state;
	struct space *s;

	must(space_open(&s, f->sb, &options, &must_err));
	assert_true(space_pid(s) > 0);
	assert_int_equal(status_field(space_pid(s), "\nCapEff:\t", 16), 0);
	assert_int_equal(status_field(space_pid(s), "\nCapPrm:\t", 16), 0);
	assert_int_equal(status_field(space_pid(s), "\nCapBnd:\t", 16), 0);
	assert_int_equal(status_field(space_pid(s), "\nNoNewPrivs:\t", 10), 1);
	space_free(s);
}

static bool is_gone(pid_t pid)
{
	int64_t until = time_monotonic_ns() + PATIENCE * 1000000000ll;
	const struct timespec pause = {.tv_nsec = 10000000};

	while (kill(pid, 0) == 0 && time_monotonic_ns() < until)
		nanosleep(&pause, NULL);
	return kill(pid, 0) < 0;
}

/* A slipway that is killed takes its spaces along; one thread of it that ends does not. */
static void *open_space(void *arg)
{
	void **args = arg;

	must(space_open(args[0], args[1], &options, &must_err));
	return NULL;
}

static void test_outlives_its_thread(void **state)
{
	struct fixture *f = *state;
	struct space *s = NULL;
	void *args[] = {&s, f->sb};
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, open_space, args), 0);
	pthread_join(thread, NULL);
	assert_int_equal(dial(s, "127.0.0.1", 5000), -1);
	assert_true(space_pid(s) > 0);
	space_free(s);
}

static void test_ends_with_slipway(void **state)
{
	struct fixture *f = *state;
	int tell[2];
	pid_t child, pid = -1;

	assert_int_equal(pipe2(tell, O_CLOEXEC), 0);
	child = fork();
	if (child == 0) {
		struct space *s = NULL;

		if (space_open(&s, f->sb, &options, NULL) == 0) {
			pid = space_pid(s);
			(void)!write(tell[1], &pid, sizeof(pid));
		}
		for (;;)
			pause();
	}
	close(tell[1]);
	assert_int_equal(read(tell[0], &pid, sizeof(pid)), sizeof(pid));
	assert_int_equal(kill(pid, 0), 0);
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_true(is_gone(pid));
	close(tell[0]);
}

/* When the process is killed, what asks it gets an error, and containers run on. */
static void test_death_is_seen(void **state)
{
	struct fixture *f = *state;
	struct space *s;
	struct container c;
	struct pollfd p;
	siginfo_t ended;
	pid_t pid;

	must(space_open(&s, f->sb, &options, &must_err));
	container_start(f, &c, s, "sleep 1; echo done");
	assert_true(container_pid(&c) > 0);
	pid = space_pid(s);
	kill(pid, SIGKILL);
	p = (struct pollfd){.fd = space_agent(s), .events = POLLIN};
	assert_int_equal(poll(&p, 1, PATIENCE * 1000), 1);
	/* Its sockets close one after the other. */
	assert_int_equal(waitid(P_PID, (id_t)pid, &ended, WEXITED | WNOWAIT), 0);
	assert_int_equal(space_pid(s), -1);
	container_end(&c);
	assert_string_equal(c.o.out.buf, "done\n");
	outcome_release(&c.o);
	space_free(s);
}

/* As in docker's containers: who is not root listens below 1024 as well. */
static void test_low_ports(void **state)
{
	struct fixture *f = *state;
	struct space *s;
	struct rootfs *fs = open_rootfs(f);
	AUTO(outcome) shared = {0};
	AUTO(outcome) own = {0};
	struct run_spec spec;

	must(space_open(&s, f->sb, &options, &must_err));
	spec = joining(s);
	spec.user = "app";
	run_spec(fs, "timeout 1 nc -l -p 80; echo $?", spec, &shared);
	/* It waited for a client until it was stopped: it could listen. */
	assert_string_equal(shared.out.buf, "143\n");
	run_spec(fs, "timeout 1 nc -l -p 80; echo $?",
		 (struct run_spec){.network = SANDBOX_NETWORK_NONE, .user = "app"}, &own);
	assert_string_equal(own.out.buf, "143\n");
	rootfs_free(fs);
	space_free(s);
}

static void test_refusals(void **state)
{
	struct fixture *f = *state;
	struct space *s;
	struct rootfs *fs = open_rootfs(f);
	struct sandbox_port port = {.container_port = 80};
	struct run_spec spec;
	AUTO(outcome) o = {0};

	must(space_open(&s, f->sb, &options, &must_err));
	spec = joining(s);
	spec.network = SANDBOX_NETWORK_PORTS;
	spec.ports = &port;
	spec.n_ports = 1;
	run_spec(fs, "true", spec, &o);
	assert_int_equal(o.r, -1);
	assert_int_equal(o.error.kind, ERROR_USAGE);
	rootfs_free(fs);
	space_free(s);
}

/* Where there are no namespaces there is nothing to share. */
static void test_needs_namespaces(void **state)
{
	struct fixture *f = *state;
	const struct sandbox_options o = {.reporter = &f->reporter, .mode = "chroot"};
	AUTO_PTR(sandbox) sb = NULL;
	AUTO(error) err = ERROR_INIT;
	struct space *s;

	must(sandbox_open(&sb, f->store, &o, &must_err));
	assert_int_equal(space_open(&s, sb, &options, &err), -1);
	assert_int_equal(err.kind, ERROR_UNSUPPORTED);
	assert_non_null(strstr(err.message, "\"slipway doctor\" shows"));
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)

static const struct CMUnitTest tests[] = {
	TEST(test_joins),
	TEST(test_view),
	TEST(test_listens),
	TEST(test_connects),
	TEST(test_shares_localhost),
	TEST(test_process_is_weak),
	TEST(test_outlives_its_thread),
	TEST(test_ends_with_slipway),
	TEST(test_death_is_seen),
	TEST(test_low_ports),
	TEST(test_refusals),
	TEST(test_needs_namespaces),
};

SANDBOX_TEST_MAIN(tests)
