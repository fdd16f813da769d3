#include "local/network_private.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "aws/ask.h"
#include "base/alloc.h"
#include "base/path.h"
#include "base/time.h"
#include "deploy/task_json.h"

#define METADATA_PORT 80
#define SLOT          "slot" /* of STATE_SETTINGS */
#define MAX_FILES     65536  /* descriptors: a connection takes two */
#define MAX_TRIES     8 /* addresses for a task, when other programs have its ports at the first ones */
#define LISTEN_META   0 /* listeners of a space */
#define LISTEN_API    1

json_t *network_definition(struct state *s, const char *arn)
{
	json_t *document = state_get(s, STATE_TASK_DEFINITIONS, path_base(arn));

	return json_deep_copy(json_object_get(document, "taskDefinition"));
}

struct network_task *network_task_find(struct network *n, const char *task_id)
{
	struct network_task *t = n->tasks;

	while (t && strcmp(t->id, task_id) != 0)
		t = t->next;
	return t;
}

void network_say_moved(struct network *n, const char *address, const struct network_ports *p)
{
	const struct network_port *moved = network_ports_moved(p);

	if (!moved || n->said_moved)
		return;
	n->said_moved = true;
	report_log(n->o.reporter, LOG_WARNING,
		   "port %u is found at %s:%u: ports below 1024 need root, or \"sysctl "
		   "net.ipv4.ip_unprivileged_port_start=0\"; the same goes for others like it",
		   moved->container_port, address, moved->host_port);
}

/* Of two time-outs of poll(), of which less than 0 is none. */
static int sooner(int a, int b)
{
	return a < 0 || (b >= 0 && b < a) ? b : a;
}

static int serve(void *arg, struct error *err)
{
	struct network *n = arg;
	struct pollfd p[3] = {{.fd = n->stop[0], .events = POLLIN},
			      {.fd = forward_fd(n->forward), .events = POLLIN},
			      {.fd = metadata_server_fd(n->metadata), .events = POLLIN}};
	int timeout = -1;

	(void)err;
	for (;;) {
		if (poll(p, 3, timeout) < 0 && errno != EINTR)
			return 0;
		if (p[0].revents)
			return 0;
		pthread_mutex_lock(&n->lock);
		forward_serve(n->forward);
		timeout = forward_timeout(n->forward);
		pthread_cond_broadcast(&n->served);
		pthread_mutex_unlock(&n->lock);
		timeout = sooner(timeout, metadata_server_serve(n->metadata));
	}
}

/* Every connection takes two descriptors, and the usual limit is low for programs that call select(2). */
static void allow_many_files(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur >= MAX_FILES)
		return;
	files.rlim_cur = files.rlim_max < MAX_FILES ? files.rlim_max : MAX_FILES;
	(void)setrlimit(RLIMIT_NOFILE, &files);
}

/* The one of last time, so that services keep their addresses beside other targets that come and go. */
static int claim_slot(struct network *n, struct error *err)
{
	struct state *s = n->o.state;
	int64_t before;
	int r = 0;

	state_lock(s);
	before = task_json_int(state_get(s, STATE_SETTINGS, SLOT), "number", -1);
	if (network_slot_claim(&n->slot, (int)before, err) < 0)
		r = -1;
	else if (n->slot.number != before)
		r = state_put(s, STATE_SETTINGS, SLOT,
			      json_pack("{s:i}", "number", (int)n->slot.number), err);
	state_unlock(s);
	return r;
}

int network_open(struct network **out, const struct network_options *o, struct error *err)
{
	AUTO_PTR(network) n = xcalloc(1, sizeof(*n));
	pthread_condattr_t monotonic;

	n->o = *o;
	n->stop[0] = n->stop[1] = -1;
	n->slot = (struct network_slot)NETWORK_SLOT_INIT;
	pthread_mutex_init(&n->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&n->served, &monotonic);
	pthread_condattr_destroy(&monotonic);
	allow_many_files();
	if (claim_slot(n, err) < 0 || forward_open(&n->forward, err) < 0 ||
	    metadata_server_open(&n->metadata, o->metadata, o->arg, err) < 0)
		return -1;
	if (pipe2(n->stop, O_CLOEXEC) < 0)
		return error_errno(err, "make a pipe");
	n->pool = pool_new(1);
	group_init(&n->group, n->pool);
	n->started = true;
	if (group_run_now(&n->group, serve, n, err) < 0)
		return error_wrap(err, "serve the network of tasks");
	*out = take_ptr(n);
	return 0;
}

static bool number_is_used(const struct network *n, unsigned int number)
{
	for (const struct network_task *t = n->tasks; t; t = t->next)
		if (t->number == number)
			return true;
	return false;
}

/* Not the one that was given back last: a browser may still ask there for what is gone. */
static int next_number(struct network *n, unsigned int *out, struct error *err)
{
	for (unsigned int i = 0; i < NETWORK_NUMBERS; i++) {
		n->last_number = n->last_number % NETWORK_NUMBERS + 1;
		if (!number_is_used(n, n->last_number)) {
			*out = n->last_number;
			return 0;
		}
	}
	return error_set(err, ERROR_UNSUPPORTED, "the local target runs %d tasks at most at once",
			 NETWORK_NUMBERS);
}

/* An address on which all its ports can be listened at. */
static int open_ports(struct network *n, struct network_task *t, struct error *err)
{
	for (int i = 1;; i++) {
		AUTO(error) why = ERROR_INIT;

		if (next_number(n, &t->number, err) < 0)
			return -1;
		network_address(t->address, NETWORK_TASKS, &n->slot, t->number);
		if (network_ports_open(&t->ports, n->forward, t->address, &why) == 0)
			return 0;
		network_ports_close(&t->ports, n->forward);
		if (why.number != EADDRINUSE || i == MAX_TRIES)
			return error_move(err, &why);
	}
}

static int read_task(struct network *n, struct network_task *t, struct error *err)
{
	AUTO_JSON *definition = NULL;
	json_t *task;

	state_lock(n->o.state);
	task = state_get(n->o.state, STATE_TASKS, t->id);
	t->of_service = *aws_text(json_object_get(task, "slipway"), "service") != '\0';
	if (task)
		definition = network_definition(n->o.state, aws_text(task, "taskDefinitionArn"));
	state_unlock(n->o.state);
	if (!definition)
		return error_set(err, ERROR_NOT_FOUND,
				 "task %s: it, or its task definition, is not there", t->id);
	return network_ports_read(&t->ports, definition, err);
}

static int make_space(struct network *n, struct network_task *t, struct space **out,
		      struct error *err)
{
	struct space_options o = {.ports = {METADATA_PORT, (uint16_t)n->o.api_port}, .n_ports = 2};
	char hostname[NETWORK_ADDRESS_SIZE + 3];

	/* As EC2 names hosts: ip-10-0-0-1. */
	snprintf(hostname, sizeof(hostname), "ip-%s", t->address);
	for (char *at = hostname; *at; at++)
		*at = *at == '.' ? '-' : *at;
	o.hostname = hostname;
	if (o.ports[LISTEN_API] == METADATA_PORT)
		o.n_ports = 1;
	return space_open(out, n->o.sandbox, &o, err);
}

/* Said once: tasks run as well without. */
static void open_outbound(struct network *n, struct space *s)
{
	AUTO(error) why = ERROR_INIT;
	bool said;

	if (space_open_outbound(s, n->o.sandbox, &why) == 0)
		return;
	pthread_mutex_lock(&n->lock);
	said = n->said_outbound;
	n->said_outbound = true;
	pthread_mutex_unlock(&n->lock);
	if (!said)
		report_log(n->o.reporter, LOG_WARNING,
			   "tasks reach the local target, and nothing else outside: %s%s",
			   why.message,
			   why.kind == ERROR_NOT_FOUND ? "; install slirp4netns for that" : "");
}

/* The space's listeners stay its own; ours are further descriptors. */
static int own_listener(const struct space *s, size_t i)
{
	int fd = space_listener(s, i);

	return fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

static void connect_task(struct network *n, struct network_task *t)
{
	/* From the task's address: so the local target sees who asks. */
	const struct forward_target here = {.address = htonl(INADDR_LOOPBACK),
					    .port = (uint16_t)n->o.api_port,
					    .source = inet_addr(t->address)};
	int metadata = own_listener(t->space, LISTEN_META),
	    api = own_listener(t->space, LISTEN_API);

	t->agent = forward_add_agent(n->forward, space_agent(t->space));
	for (size_t i = 0; i < t->ports.n; i++) {
		/* By its own address there, as through a network interface: what listens at localhost alone is not reached. */
		const struct forward_target target = {.agent = t->agent,
						      .address = inet_addr(t->address),
						      .port = t->ports.items[i].container_port};

		(void)forward_set_targets(n->forward, t->ports.items[i].listener, &target, 1, NULL);
	}
	if (api >= 0) {
		t->api = forward_add_listener(n->forward, api);
		(void)forward_set_targets(n->forward, t->api, &here, 1, NULL);
	}
	if (metadata >= 0)
		metadata_server_add(n->metadata, t->id, metadata);
}

static void set_detail(json_t *details, const char *name, const char *value)
{
	json_t *detail;
	size_t i;

	json_array_foreach (details, i, detail)
		if (strcmp(aws_text(detail, "name"), name) == 0) {
			json_object_set_new(detail, "value", json_string(value));
			return;
		}
	json_array_append_new(details, json_pack("{s:s, s:s}", "name", name, "value", value));
}

static void attach(json_t *task, const char *address)
{
	json_t *attachment = json_array_get(json_object_get(task, "attachments"), 0), *container;
	size_t i;

	if (!attachment)
		return;
	json_object_set_new(attachment, "status", json_string("ATTACHED"));
	set_detail(json_object_get(attachment, "details"), "privateIPv4Address", address);
	json_array_foreach (json_object_get(task, "containers"), i, container)
		json_object_set_new(container, "networkInterfaces",
				    json_pack("[{s:s, s:s}]", "attachmentId",
					      aws_text(attachment, "id"), "privateIpv4Address",
					      address));
}

static int write_task(struct network *n, const char *id, const char *address, json_t *ports,
		      struct error *err)
{
	AUTO_JSON *mine = ports;
	json_t *task, *own;
	int r = -1;

	state_lock(n->o.state);
	task = state_get(n->o.state, STATE_TASKS, id);
	if (!task) {
		error_set(err, ERROR_NOT_FOUND, "task %s is gone", id);
	} else {
		own = json_object_get(task, "slipway");
		if (!own)
			json_object_set_new(task, "slipway", own = json_object());
		json_object_set_new(own, "address", json_string(address));
		/* The document's alone: who lets go of it later would do so without the lock. */
		json_object_set_new(own, "ports", take_ptr(mine));
		attach(task, address);
		r = state_put(n->o.state, STATE_TASKS, id, json_incref(task), err);
	}
	state_unlock(n->o.state);
	return r;
}

static void task_free(struct network_task *t)
{
	free(t->id);
	network_ports_release(&t->ports);
	space_free(t->space);
	free(t);
}

/* Takes it out of everything and returns it; NULL: there is none. */
static struct network_task *disconnect(struct network *n, const char *task_id)
{
	struct network_task **at = &n->tasks, *t;

	while (*at && strcmp((*at)->id, task_id) != 0)
		at = &(*at)->next;
	t = *at;
	if (!t)
		return NULL;
	*at = t->next;
	network_ports_close(&t->ports, n->forward);
	if (t->api)
		forward_remove_listener(n->forward, t->api);
	if (t->agent)
		forward_remove_agent(n->forward, t->agent);
	return t;
}

/* With its ports, and nobody behind them yet. */
static int add_entry(struct network *n, const char *task_id, struct network_task **out,
		     struct error *err)
{
	struct network_task *t = xcalloc(1, sizeof(*t));
	int r;

	t->id = xstrdup(task_id);
	if (read_task(n, t, err) < 0) {
		task_free(t);
		return -1;
	}
	pthread_mutex_lock(&n->lock);
	r = open_ports(n, t, err);
	if (r == 0) {
		network_say_moved(n, t->address, &t->ports);
		t->next = n->tasks;
		n->tasks = t;
	}
	pthread_mutex_unlock(&n->lock);
	if (r < 0)
		task_free(t);
	else
		*out = t;
	return r;
}

int network_add_task(struct network *n, const char *task_id, struct error *err)
{
	struct network_task *t;
	struct space *space = NULL;
	json_t *ports;

	if (add_entry(n, task_id, &t, err) < 0)
		return -1;
	/* Nobody else changes the entry before its space is there; the task is removed by who adds it. */
	if (make_space(n, t, &space, err) < 0) {
		network_remove_task(n, task_id);
		return -1;
	}
	open_outbound(n, space);
	pthread_mutex_lock(&n->lock);
	t->space = space;
	connect_task(n, t);
	ports = network_ports_to_json(&t->ports);
	pthread_mutex_unlock(&n->lock);
	if (write_task(n, task_id, t->address, ports, err) < 0) {
		network_remove_task(n, task_id);
		return -1;
	}
	return 0;
}

struct space *network_task_space(struct network *n, const char *task_id)
{
	struct network_task *t;
	struct space *s;

	pthread_mutex_lock(&n->lock);
	t = network_task_find(n, task_id);
	s = t ? t->space : NULL;
	pthread_mutex_unlock(&n->lock);
	return s;
}

void network_drain_task(struct network *n, const char *task_id, int timeout_ms)
{
	int64_t until = time_monotonic_ns() + timeout_ms * 1000000ll;
	const struct timespec end = {.tv_sec = until / 1000000000, .tv_nsec = until % 1000000000};
	struct network_task *t;

	pthread_mutex_lock(&n->lock);
	t = network_task_find(n, task_id);
	if (t) {
		t->draining = true;
		network_lead_services(n);
	}
	while (t && t->of_service && t->agent && forward_agent_connections(t->agent) > 0 &&
	       pthread_cond_timedwait(&n->served, &n->lock, &end) == 0)
		t = network_task_find(n, task_id);
	pthread_mutex_unlock(&n->lock);
}

void network_remove_task(struct network *n, const char *task_id)
{
	struct network_task *t;

	pthread_mutex_lock(&n->lock);
	t = disconnect(n, task_id);
	pthread_cond_broadcast(&n->served);
	pthread_mutex_unlock(&n->lock);
	if (!t)
		return;
	metadata_server_remove(n->metadata, task_id);
	task_free(t);
}

void network_free(struct network *n)
{
	if (!n)
		return;
	if (n->started) {
		(void)!write(n->stop[1], "", 1);
		(void)group_wait(&n->group, NULL);
	}
	pool_free(n->pool);
	while (n->tasks)
		network_remove_task(n, n->tasks->id);
	network_services_free(n);
	metadata_server_free(n->metadata);
	forward_free(n->forward);
	network_slot_release(&n->slot);
	for (int i = 0; i < 2; i++)
		if (n->stop[i] >= 0)
			close(n->stop[i]);
	pthread_cond_destroy(&n->served);
	pthread_mutex_destroy(&n->lock);
	free(n);
}
