/* Published ports: bytes both ways, ends of connections, two steps on one port, ports that are taken. */
#include "tests/unit/sandbox/sandbox_fixture.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/time.h"

struct step {
	struct rootfs *fs;
	struct sandbox_port ports[2];
	size_t n_ports;
	const char *script;
	struct outcome o;
	pthread_t thread;
	int started[2]; /* a pipe that says so */
};

static void tell_started(void *arg, pid_t pid)
{
	struct step *s = (struct step *)((char *)arg - offsetof(struct step, o));

	assert_true(pid > 0);
	assert_int_equal(write(s->started[1], "x", 1), 1);
}

static void *run_step(void *arg)
{
	struct step *s = arg;

	run_spec(s->fs, s->script,
		 (struct run_spec){.network = SANDBOX_NETWORK_PORTS,
				   .ports = s->ports,
				   .n_ports = s->n_ports,
				   .started = tell_started},
		 &s->o);
	assert_int_equal(write(s->started[1], "y", 1), 1);
	return NULL;
}

static void start_step(struct step *s, struct fixture *f, const char *script,
		       uint16_t container_port)
{
	char byte;

	memset(s, 0, sizeof(*s));
	s->fs = open_rootfs(f);
	s->ports[0].container_port = container_port;
	s->n_ports = 1;
	s->script = script;
	assert_int_equal(pipe2(s->started, O_CLOEXEC), 0);
	assert_int_equal(pthread_create(&s->thread, NULL, run_step, s), 0);
	assert_int_equal(read(s->started[0], &byte, 1), 1);
	assert_true(s->ports[0].host_port > 0);
}

static void end_step(struct step *s)
{
	pthread_join(s->thread, NULL);
	outcome_release(&s->o);
	close(s->started[0]);
	close(s->started[1]);
	rootfs_free(s->fs);
}

/* Ends a step that would go on for ever. */
static void stop_step(struct step *s, struct fixture *f)
{
	cancel_note(&f->cancel, SIGTERM);
	assert_int_equal(write(f->wake[1], "x", 1), 1);
	end_step(s);
}

/* -1: nobody listens. Where nobody does, a socket may be given that very port for its own end, and meet itself. */
static int dial(uint16_t port)
{
	struct sockaddr_in own;
	socklen_t len = sizeof(own);
	const struct sockaddr_in to = {.sin_family = AF_INET,
				       .sin_port = htons(port),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0 &&
	    getsockname(fd, (struct sockaddr *)&own, &len) == 0 && own.sin_port != to.sin_port)
		return fd;
	close(fd);
	return -1;
}

static char *read_to_end(int fd)
{
	AUTO(strbuf) out = STRBUF_INIT;
	char block[4096];
	ssize_t n;

	while ((n = read(fd, block, sizeof(block))) > 0)
		strbuf_add(&out, block, (size_t)n);
	return strbuf_detach(&out, NULL);
}

/* The server in the step needs a moment, on a busy machine a long one: until it listens, connections close at once. */
static char *ask(uint16_t port, const char *question)
{
	int64_t until = time_monotonic_ns() + 60000000000ll;

	while (time_monotonic_ns() < until) {
		int fd = dial(port);
		char *answer;

		assert_true(fd >= 0);
		(void)!write(fd, question, strlen(question));
		shutdown(fd, SHUT_WR);
		answer = read_to_end(fd);
		close(fd);
		if (*answer)
			return answer;
		free(answer);
		usleep(10000);
	}
	return xstrdup("");
}

static void passes_bytes_both_ways(void **state)
{
	struct step s;
	char *answer;

	start_step(&s, *state, "nc -l -p 3000 -e cat; true", 3000);
	/* The whole question comes back only when its end reaches the server. */
	answer = ask(s.ports[0].host_port, "question\n");
	assert_string_equal(answer, "question\n");
	free(answer);
	end_step(&s);
}

static void serves_two_steps_on_one_port(void **state)
{
	struct step one, two;
	char *answer;

	start_step(&one, *state, "echo one > /x; nc -l -p 3000 -e cat /x; true", 3000);
	start_step(&two, *state, "echo two > /x; nc -l -p 3000 -e cat /x; true", 3000);
	assert_int_not_equal(one.ports[0].host_port, two.ports[0].host_port);
	answer = ask(two.ports[0].host_port, "");
	assert_string_equal(answer, "two\n");
	free(answer);
	answer = ask(one.ports[0].host_port, "");
	assert_string_equal(answer, "one\n");
	free(answer);
	end_step(&one);
	end_step(&two);
}

#define MANY 40

static void serves_many_at_once(void **state)
{
	struct step s;
	int fds[MANY];
	char *answer;

	start_step(&s, *state, "nc -ll -p 3000 -e cat & sleep 1000", 3000);
	answer = ask(s.ports[0].host_port, "up\n");
	assert_string_equal(answer, "up\n");
	free(answer);
	for (int i = 0; i < MANY; i++)
		fds[i] = dial(s.ports[0].host_port);
	for (int i = MANY - 1; i >= 0; i--) {
		AUTO_FREE char *text = xstrfmt("%d %0*d\n", i, 5000, i);
		AUTO_FREE char *got = NULL;

		assert_true(fds[i] >= 0);
		assert_int_equal(write(fds[i], text, strlen(text)), strlen(text));
		shutdown(fds[i], SHUT_WR);
		got = read_to_end(fds[i]);
		assert_string_equal(got, text);
		close(fds[i]);
	}
	stop_step(&s, *state);
}

/* A client that does not read holds nobody up, and is not buffered for without bound. */
static void waits_for_slow_readers(void **state)
{
	struct step s;
	char *answer;
	int fd = -1;
	size_t total = 0;
	char block[65536];
	ssize_t n;

	start_step(&s, *state,
		   "yes | head -c 8000000 > /big; nc -ll -p 3000 -e cat /big & sleep 1000", 3000);
	answer = ask(s.ports[0].host_port, "");
	free(answer);
	fd = dial(s.ports[0].host_port);
	assert_true(fd >= 0);
	usleep(200000);
	while ((n = read(fd, block, sizeof(block))) > 0)
		total += (size_t)n;
	assert_int_equal(total, 8000000);
	close(fd);
	stop_step(&s, *state);
}

/* A connection that takes little before it is read from, so that most of an answer stays with the server's kernel; its first byte is read. */
static int dial_slowly(uint16_t port)
{
	const struct sockaddr_in to = {.sin_family = AF_INET,
				       .sin_port = htons(port),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int64_t until = time_monotonic_ns() + 60000000000ll;
	int small = 32768;

	while (time_monotonic_ns() < until) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		char byte;

		assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
		assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof(to)), 0);
		if (read(fd, &byte, 1) == 1)
			return fd;
		close(fd);
		usleep(10000);
	}
	return -1;
}

/* The step is over before its client has read: what the server had sent arrives. */
static void delivers_what_was_sent(void **state)
{
	AUTO_FREE char *got = NULL;
	struct step s;
	int fd;

	start_step(&s, *state, "yes | head -c 2000000 > /big; nc -l -p 3000 -e cat /big; true",
		   3000);
	fd = dial_slowly(s.ports[0].host_port);
	assert_true(fd >= 0);
	usleep(300000);
	got = read_to_end(fd);
	assert_int_equal(strlen(got), 1999999);
	close(fd);
	end_step(&s);
}

static void closes_when_nobody_listens(void **state)
{
	struct step s;
	char byte;
	int fd;

	start_step(&s, *state, "sleep 1000", 3000);
	fd = dial(s.ports[0].host_port);
	assert_true(fd >= 0);
	assert_true(read(fd, &byte, 1) <= 0);
	close(fd);
	stop_step(&s, *state);
	assert_int_equal(dial(s.ports[0].host_port), -1);
}

static void refuses_a_port_that_is_taken(void **state)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	struct rootfs *fs = open_rootfs(*state);
	struct sandbox_port ports[1] = {{.container_port = 3000}};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	AUTO(outcome) o, p;

	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	ports[0].host_port = ntohs(a.sin_port);

	const struct run_spec spec = {
		.network = SANDBOX_NETWORK_PORTS, .ports = ports, .n_ports = 1};

	run_spec(fs, "echo ran", spec, &o);
	assert_int_equal(o.r, -1);
	assert_int_equal(o.out.len, 0);
	assert_non_null(strstr(o.error.message, "Address already in use"));
	assert_non_null(strstr(o.error.message, "another program has it"));
	ports[0].host_ip = "localhost";
	run_spec(fs, "echo ran", spec, &p);
	assert_int_equal(p.error.kind, ERROR_USAGE);
	close(fd);
	rootfs_free(fs);
}

int main(int argc, char **argv)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		T(passes_bytes_both_ways),       T(serves_two_steps_on_one_port),
		T(serves_many_at_once),          T(waits_for_slow_readers),
		T(delivers_what_was_sent),       T(closes_when_nobody_listens),
		T(refuses_a_port_that_is_taken),
	};

	if (argc > 1 && strcmp(argv[1], SANDBOX_HELPER_ARG) == 0)
		return sandbox_helper_main(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
