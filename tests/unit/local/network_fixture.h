/* A network of the local target with documents, a local target to be reached, and tasks whose one container runs a script: for its tests. */
#pragma once

#include "tests/unit/sandbox/sandbox_fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/json.h"
#include "base/path.h"
#include "base/time.h"
#include "local/network.h"
#include "sandbox/host_socket.h"

#define PATIENCE 20000 /* ms */
#define APP      3000

struct world {
	struct fixture *f;
	struct state *state;
	struct network *n;
	int api; /* the listening socket of a local target */
	uint16_t api_port;
};

struct app {
	struct rootfs *fs;
	struct world *w;
	const char *id, *script;
	struct outcome o;
	struct cancel cancel;
	pthread_t thread;
};

static inline void answer(void *arg, const char *task_id, const char *path, int *status,
			  char **json)
{
	(void)arg;
	*status = 200;
	*json = xstrfmt("{\"task\":\"%s\",\"path\":\"%s\"}\n", task_id, path);
}

static inline void put(struct world *w, const char *kind, const char *key, json_t *document)
{
	state_lock(w->state);
	must(state_put(w->state, kind, key, document, &must_err));
	state_unlock(w->state);
}

/* A definition's JSON of one container with these mappings. */
static inline void put_definition(struct world *w, const char *key, const char *mappings)
{
	AUTO_FREE char *text = xstrfmt(
		"{\"taskDefinition\":{\"containerDefinitions\":[{\"name\":\"app\","
		"\"portMappings\":%s}]}}",
		mappings);
	json_t *document;

	must(json_parse(&document, text, strlen(text), "test", &must_err));
	put(w, STATE_TASK_DEFINITIONS, key, document);
}

static inline void put_task(struct world *w, const char *id, const char *definition,
			    const char *status)
{
	AUTO_FREE char *text = xstrfmt(
		"{\"taskDefinitionArn\":\"arn:aws:ecs:us-east-1:0:task-definition/%s\","
		"\"desiredStatus\":\"RUNNING\",\"lastStatus\":\"%s\",\"healthStatus\":\"UNKNOWN\","
		"\"group\":\"service:web\",\"containers\":[{\"name\":\"app\"}],"
		"\"attachments\":[{\"id\":\"a1\",\"status\":\"PRECREATED\",\"details\":[]}],"
		"\"slipway\":{\"cluster\":\"default\",\"service\":\"web\"}}",
		definition, status);
	json_t *document;

	must(json_parse(&document, text, strlen(text), "test", &must_err));
	put(w, STATE_TASKS, id, document);
}

/* Changes one text of the document. */
static inline void set(struct world *w, const char *kind, const char *key, const char *name,
		       const char *value)
{
	json_t *document;

	state_lock(w->state);
	document = json_deep_copy(state_get(w->state, kind, key));
	json_object_set_new(document, name, json_string(value));
	must(state_put(w->state, kind, key, document, &must_err));
	state_unlock(w->state);
}

/* "slipway" of a document: its address, and where the container's port is found. */
static inline char *address_of(struct world *w, const char *kind, const char *key, uint16_t port,
			       uint16_t *host_port)
{
	json_t *own, *item;
	char *address;
	size_t i;

	state_lock(w->state);
	own = json_object_get(state_get(w->state, kind, key), "slipway");
	address = xstrdup_null(json_string_value(json_object_get(own, "address")));
	*host_port = 0;
	json_array_foreach (json_object_get(own, "ports"), i, item)
		if (json_integer_value(json_object_get(item, "containerPort")) == port)
			*host_port = (uint16_t)json_integer_value(
				json_object_get(item, "hostPort"));
	state_unlock(w->state);
	return address;
}

static inline void open_network(struct world *w)
{
	const struct network_options o = {
		.state = w->state,
		.sandbox = w->f->sb,
		.reporter = &w->f->reporter,
		.api_port = w->api_port,
		.metadata = answer,
	};

	must(network_open(&w->n, &o, &must_err));
}

static inline int setup(void **state)
{
	struct world *w = xcalloc(1, sizeof(*w));
	AUTO_FREE char *folder = NULL;

	fixture_setup(state);
	w->f = *state;
	folder = path_join(w->f->root, "local");
	must(state_open(&w->state, folder, &must_err));
	must(host_socket_listen("127.0.0.1", &w->api_port, &w->api, &must_err));
	open_network(w);
	put_definition(w, "web:1",
		       "[{\"containerPort\":3000},{\"containerPort\":3000,\"protocol\":\"tcp\"}]");
	*state = w;
	return 0;
}

static inline int teardown(void **state)
{
	struct world *w = *state;
	void *f = w->f;

	network_free(w->n);
	close(w->api);
	state_free(w->state);
	free(w);
	return fixture_teardown(&f);
}

static inline void *app_main(void *arg)
{
	struct app *a = arg;

	run_spec(a->fs, a->script,
		 (struct run_spec){.space = network_task_space(a->w->n, a->id),
				   .network = SANDBOX_NETWORK_NONE},
		 &a->o);
	return NULL;
}

static inline void app_start(struct app *a, struct world *w, const char *id, const char *script)
{
	memset(a, 0, sizeof(*a));
	a->fs = open_rootfs(w->f);
	a->w = w;
	a->id = id;
	a->script = script;
	assert_int_equal(pthread_create(&a->thread, NULL, app_main, a), 0);
}

static inline void app_end(struct app *a)
{
	pthread_join(a->thread, NULL);
	rootfs_free(a->fs);
	outcome_release(&a->o);
}

/* Ends when /stop comes: a server that answers with text until it is asked for "stop". */
static inline char *server_script(const char *text)
{
	return xstrfmt("echo '#!/bin/sh\nread line; if [ \"$line\" = stop ]; then touch /stop; fi; "
		       "if [ \"$line\" = wait ]; then read line; fi; echo %s' > /x; "
		       "chmod 755 /x; nc -ll -p 3000 -e /x & "
		       "while [ ! -e /stop ]; do usleep 20000; done",
		       text);
}

/* -1 with errno. */
static inline int dial(const char *address, uint16_t port)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
	const struct timeval patience = {.tv_sec = PATIENCE / 1000};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), number;

	assert_int_equal(inet_pton(AF_INET, address, &to.sin_addr), 1);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0)
		return fd;
	number = errno;
	close(fd);
	errno = number;
	return -1;
}

/* What the app says to the question; "" while nobody answers. free() */
static inline char *ask(const char *address, uint16_t port, const char *question)
{
	AUTO(strbuf) out = STRBUF_INIT;
	char block[4096];
	ssize_t n;
	int fd = dial(address, port);

	if (fd >= 0) {
		(void)!send(fd, question, strlen(question), MSG_NOSIGNAL);
		while ((n = recv(fd, block, sizeof(block), 0)) > 0)
			strbuf_add(&out, block, (size_t)n);
		close(fd);
	}
	strbuf_trim(&out);
	return strbuf_detach(&out, NULL);
}

static inline char *ask_patiently(const char *address, uint16_t port, const char *question)
{
	int64_t until = time_monotonic_ns() + PATIENCE * 1000000ll;
	char *got = ask(address, port, question);

	while (!*got && time_monotonic_ns() < until) {
		free(got);
		usleep(10000);
		got = ask(address, port, question);
	}
	return got;
}

static inline void expect(const char *address, uint16_t port, const char *question,
			  const char *wanted)
{
	AUTO_FREE char *got = ask_patiently(address, port, question);

	assert_string_equal(got, wanted);
}
