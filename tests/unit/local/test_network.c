/* Tasks at addresses of their own, services that balance over them, metadata and the local target from inside. */
#include "tests/unit/local/network_fixture.h"

static void test_task(void **state)
{
	struct world *w = *state;
	AUTO_FREE char *script = server_script("one");
	AUTO_FREE char *address = NULL;
	uint16_t port;
	struct app a;
	json_t *task, *attachment;

	put_task(w, "t1", "web:1", "PROVISIONING");
	must(network_add_task(w->n, "t1", &must_err));
	address = address_of(w, STATE_TASKS, "t1", APP, &port);
	assert_memory_equal(address, "127.64.", 7);
	assert_int_equal(port, APP);
	state_lock(w->state);
	task = state_get(w->state, STATE_TASKS, "t1");
	attachment = json_array_get(json_object_get(task, "attachments"), 0);
	assert_string_equal(json_string_value(json_object_get(attachment, "status")), "ATTACHED");
	assert_string_equal(
		json_string_value(json_object_get(
			json_array_get(json_object_get(attachment, "details"), 0), "value")),
		address);
	assert_int_equal(
		json_array_size(json_object_get(json_object_get(task, "slipway"), "ports")), 1);
	state_unlock(w->state);
	app_start(&a, w, "t1", script);
	expect(address, port, "hello\n", "one");
	expect(address, port, "stop\n", "one");
	app_end(&a);
	network_remove_task(w->n, "t1");
	assert_null(network_task_space(w->n, "t1"));
	assert_int_equal(dial(address, port), -1);
	assert_int_equal(errno, ECONNREFUSED);
}

/* From inside: metadata by HTTP, the local target by its port, and its own host name. */
static void test_inside(void **state)
{
	struct world *w = *state;
	struct sockaddr_in at;
	socklen_t len = sizeof(at);
	struct pollfd p = {.fd = w->api, .events = POLLIN};
	AUTO_FREE char *script = NULL;
	struct app a;
	int fd;

	assert_int_equal(getsockname(w->api, (struct sockaddr *)&at, &len), 0);
	script = xstrfmt("hostname; wget -q -O - http://169.254.170.2/v4/abc/task; "
			 "echo call | nc 169.254.170.2 %u",
			 ntohs(at.sin_port));
	put_task(w, "t1", "web:1", "PROVISIONING");
	must(network_add_task(w->n, "t1", &must_err));
	app_start(&a, w, "t1", script);
	assert_int_equal(poll(&p, 1, PATIENCE), 1);
	fd = accept4(w->api, NULL, NULL, SOCK_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "answer\n", 7), 7);
	close(fd);
	pthread_join(a.thread, NULL);
	assert_memory_equal(a.o.out.buf, "ip-127-64-", 10);
	assert_non_null(strchr(a.o.out.buf, '\n'));
	assert_string_equal(strchr(a.o.out.buf, '\n'),
			    "\n{\"task\":\"t1\",\"path\":\"/v4/abc/task\"}\nanswer\n");
	rootfs_free(a.fs);
	outcome_release(&a.o);
}

static void add(struct world *w, const char *id)
{
	put_task(w, id, "web:1", "RUNNING");
	must(network_add_task(w->n, id, &must_err));
}

static void put_service(struct world *w)
{
	put(w, STATE_SERVICES, "default/web",
	    json_pack("{s:s, s:s, s:s, s:{s:s}}", "serviceName", "web", "status", "ACTIVE",
		      "taskDefinition", "arn:aws:ecs:us-east-1:0:task-definition/web:1", "slipway",
		      "cluster", "default"));
}

/* How many of n answers are text. */
static int count(const char *address, uint16_t port, const char *text, int n)
{
	int found = 0;

	for (int i = 0; i < n; i++) {
		AUTO_FREE char *got = ask(address, port, "hello\n");

		found += strcmp(got, text) == 0;
	}
	return found;
}

static void test_service(void **state)
{
	struct world *w = *state;
	AUTO_FREE char *one = server_script("one");
	AUTO_FREE char *two = server_script("two");
	AUTO_FREE char *address = NULL;
	AUTO_FREE char *first = NULL;
	AUTO_FREE char *second = NULL;
	uint16_t port, direct;
	struct app a, b;
	uint64_t version;
	int fd;

	put_service(w);
	network_look(w->n);
	address = address_of(w, STATE_SERVICES, "default/web", APP, &port);
	assert_memory_equal(address, "127.65.", 7);
	assert_int_equal(port, APP);
	/* Nobody is there yet: refused. */
	assert_int_equal(dial(address, port), -1);
	assert_int_equal(errno, ECONNREFUSED);
	add(w, "t1");
	add(w, "t2");
	first = address_of(w, STATE_TASKS, "t1", APP, &direct);
	second = address_of(w, STATE_TASKS, "t2", APP, &direct);
	assert_string_not_equal(first, second);
	app_start(&a, w, "t1", one);
	expect(first, APP, "hello\n", "one");
	/* The second one's app does not listen yet: the first answers every time. */
	network_look(w->n);
	assert_int_equal(count(address, port, "one", 10), 10);
	app_start(&b, w, "t2", two);
	expect(second, APP, "hello\n", "two");
	assert_int_equal(count(address, port, "one", 10), 5);
	/* Looking again changes nothing, no document either. */
	state_lock(w->state);
	version = state_version(w->state);
	state_unlock(w->state);
	network_look(w->n);
	state_lock(w->state);
	assert_int_equal(state_version(w->state), version);
	state_unlock(w->state);
	set(w, STATE_TASKS, "t1", "healthStatus", "UNHEALTHY");
	network_look(w->n);
	assert_int_equal(count(address, port, "two", 10), 10);
	set(w, STATE_TASKS, "t1", "healthStatus", "HEALTHY");
	/* A connection that stands outlives that its task is to stop. */
	network_look(w->n);
	do {
		fd = dial(address, port);
		(void)!write(fd, "wait\n", 5);
	} while (fd < 0);
	set(w, STATE_TASKS, "t1", "desiredStatus", "STOPPED");
	set(w, STATE_TASKS, "t2", "desiredStatus", "STOPPED");
	network_look(w->n);
	assert_int_equal(dial(address, port), -1);
	assert_int_equal(write(fd, "go\n", 3), 3);
	{
		char text[4] = "";

		assert_int_equal(recv(fd, text, 3, MSG_WAITALL), 3);
		assert_true(strcmp(text, "one") == 0 || strcmp(text, "two") == 0);
	}
	close(fd);
	/* The tasks themselves are still reached at their own addresses. */
	expect(first, APP, "stop\n", "one");
	expect(second, APP, "stop\n", "two");
	app_end(&a);
	app_end(&b);
	set(w, STATE_SERVICES, "default/web", "status", "INACTIVE");
	network_look(w->n);
	network_remove_task(w->n, "t1");
	network_remove_task(w->n, "t2");
}

struct drain {
	struct world *w;
	int64_t took_ms;
};

static void *drain_main(void *arg)
{
	struct drain *d = arg;
	int64_t start = time_monotonic_ns();

	network_drain_task(d->w->n, "t1", PATIENCE);
	d->took_ms = (time_monotonic_ns() - start) / 1000000;
	return NULL;
}

static void test_drain(void **state)
{
	struct world *w = *state;
	AUTO_FREE char *one = server_script("one");
	AUTO_FREE char *two = server_script("two");
	AUTO_FREE char *first = NULL;
	AUTO_FREE char *second = NULL;
	AUTO_FREE char *service = NULL;
	uint16_t port;
	struct drain d = {.w = w};
	struct app a, b;
	pthread_t thread;
	char text[4] = "";
	int fd, slow;

	put_service(w);
	add(w, "t1");
	first = address_of(w, STATE_TASKS, "t1", APP, &port);
	app_start(&a, w, "t1", one);
	expect(first, APP, "hello\n", "one");
	network_look(w->n);
	service = address_of(w, STATE_SERVICES, "default/web", APP, &port);
	slow = dial(service, APP);
	assert_int_equal(write(slow, "wait\n", 5), 5);
	add(w, "t2");
	second = address_of(w, STATE_TASKS, "t2", APP, &port);
	app_start(&b, w, "t2", two);
	expect(second, APP, "hello\n", "two");
	network_look(w->n);
	assert_int_equal(pthread_create(&thread, NULL, drain_main, &d), 0);
	/* From some moment on only the second one answers, while the first one still serves its last client. */
	while (count(service, APP, "two", 4) < 4)
		;
	assert_int_equal(count(service, APP, "two", 10), 10);
	usleep(200000);
	assert_int_equal(write(slow, "go\n", 3), 3);
	assert_int_equal(recv(slow, text, 3, MSG_WAITALL), 3);
	close(slow);
	pthread_join(thread, NULL);
	assert_string_equal(text, "one");
	assert_true(d.took_ms >= 200 && d.took_ms < PATIENCE);
	/* Nobody is connected, and one that never ends. */
	network_drain_task(w->n, "t1", PATIENCE);
	network_drain_task(w->n, "none", PATIENCE);
	fd = dial(second, APP);
	network_drain_task(w->n, "t2", 50);
	close(fd);
	expect(first, APP, "stop\n", "one");
	expect(second, APP, "stop\n", "two");
	app_end(&a);
	app_end(&b);
}

/* Ports that are somebody else's, and what is not forwarded. */
static void test_refusals(void **state)
{
	struct world *w = *state;
	AUTO(error) err = ERROR_INIT;
	AUTO_FREE char *mappings = NULL;
	uint16_t port = 0;
	int fd;

	must(host_socket_listen("0.0.0.0", &port, &fd, &must_err));
	mappings = xstrfmt("[{\"containerPort\":%u}]", port);
	put_definition(w, "taken:1", mappings);
	put_definition(w, "udp:1", "[{\"containerPort\":53,\"protocol\":\"udp\"}]");
	put_definition(w, "range:1", "[{\"containerPortRange\":\"8000-8010\"}]");
	put_task(w, "t1", "taken:1", "PROVISIONING");
	put_task(w, "t2", "udp:1", "PROVISIONING");
	put_task(w, "t3", "range:1", "PROVISIONING");
	assert_int_equal(network_add_task(w->n, "t1", &err), -1);
	assert_int_equal(err.number, EADDRINUSE);
	free(mappings);
	mappings = xstrfmt(", port %u: Address already in use", port);
	assert_non_null(strstr(err.message, "listen on 127.64."));
	assert_non_null(strstr(err.message, mappings));
	error_clear(&err);
	close(fd);
	assert_int_equal(network_add_task(w->n, "t2", &err), -1);
	assert_int_equal(err.kind, ERROR_UNSUPPORTED);
	assert_non_null(strstr(err.message, "53/udp"));
	error_clear(&err);
	assert_int_equal(network_add_task(w->n, "t3", &err), -1);
	assert_non_null(strstr(err.message, "8000-8010"));
	error_clear(&err);
	assert_int_equal(network_add_task(w->n, "none", &err), -1);
	assert_int_equal(err.kind, ERROR_NOT_FOUND);
	/* What was taken is free again, and nothing was left behind. */
	must(network_add_task(w->n, "t1", &must_err));
	network_remove_task(w->n, "t1");
	network_remove_task(w->n, "t1");
}

/* A service's port that another program has while it starts: said once, and taken when it is free. */
static void test_service_port_taken(void **state)
{
	struct world *w = *state;
	AUTO_FREE char *mappings = NULL;
	AUTO_FREE char *address = NULL;
	uint16_t port = 0, found;
	int fd;

	must(host_socket_listen("0.0.0.0", &port, &fd, &must_err));
	mappings = xstrfmt("[{\"containerPort\":%u}]", port);
	put_definition(w, "web:1", mappings);
	put_service(w);
	network_look(w->n);
	network_look(w->n);
	assert_non_null(
		strstr(w->f->logged.buf, "the address of service default/web: listen on 127.65."));
	assert_null(strstr(strstr(w->f->logged.buf, "the address") + 1, "the address"));
	close(fd);
	network_look(w->n);
	address = address_of(w, STATE_SERVICES, "default/web", port, &found);
	assert_int_equal(found, port);
}

/* An address that a service had while this target, or another one, had another slot. */
static void test_foreign_address(void **state)
{
	struct world *w = *state;
	AUTO_FREE char *address = NULL;
	uint16_t port;

	put_service(w);
	state_lock(w->state);
	json_object_set_new(
		json_object_get(state_get(w->state, STATE_SERVICES, "default/web"), "slipway"),
		"address", json_string("127.65.255.7"));
	state_unlock(w->state);
	network_look(w->n);
	address = address_of(w, STATE_SERVICES, "default/web", APP, &port);
	assert_memory_equal(address, "127.65.", 7);
	assert_string_not_equal(address, "127.65.255.7");
	assert_int_equal(port, APP);
}

/* Whatever slots have become free since: the one of last time. */
static void test_slot_of_last_time(void **state)
{
	struct world *w = *state;
	AUTO_FREE char *address = NULL, *again = NULL;
	uint16_t port;

	network_free(take_ptr(w->n));
	put(w, STATE_SETTINGS, "slot", json_pack("{s:i}", "number", 200));
	open_network(w);
	put_service(w);
	network_look(w->n);
	address = address_of(w, STATE_SERVICES, "default/web", APP, &port);
	assert_memory_equal(address, "127.65.200.", 11);
	network_free(take_ptr(w->n));
	open_network(w);
	network_look(w->n);
	again = address_of(w, STATE_SERVICES, "default/web", APP, &port);
	assert_string_equal(again, address);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

static const struct CMUnitTest tests[] = {
	TEST(test_task),
	TEST(test_inside),
	TEST(test_service),
	TEST(test_drain),
	TEST(test_refusals),
	TEST(test_service_port_taken),
	TEST(test_foreign_address),
	TEST(test_slot_of_last_time),
};

SANDBOX_TEST_MAIN(tests)
