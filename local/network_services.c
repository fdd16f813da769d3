#include "local/network_private.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "aws/ask.h"
#include "base/alloc.h"
#include "local/ecs_task.h"

/* A deployment counts a task as running when its containers are; the app in there may need so long until it listens. */
#define PATIENCE_MS 5000
/* Addresses that are tried in the place of one that is taken. */
#define MAX_MOVES 64

static bool address_is_used(json_t *services, const char *address)
{
	const char *key;
	json_t *service;

	json_object_foreach (services, key, service)
		if (strcmp(aws_text(service, "status"), "ACTIVE") == 0 &&
		    strcmp(aws_text(json_object_get(service, "slipway"), "address"), address) == 0)
			return true;
	return false;
}

/* Stands in the documents, so that a service keeps it as long as this target has its slot. True: it is a new one. */
static bool give_address(struct network *n, json_t *own)
{
	json_t *services = state_all(n->o.state, STATE_SERVICES);
	char address[NETWORK_ADDRESS_SIZE];

	if (network_address_is_ours(aws_text(own, "address"), NETWORK_SERVICES, &n->slot))
		return false;
	for (unsigned int number = 1; number <= NETWORK_NUMBERS; number++) {
		network_address(address, NETWORK_SERVICES, &n->slot, number);
		if (!address_is_used(services, address))
			break;
	}
	json_object_set_new(own, "address", json_string(address));
	return true;
}

/* What a look found in the documents of a service. */
struct found {
	char *key, *address;
	struct network_ports ports;
	struct strlist tasks;
};

static void found_release(struct found *f)
{
	free(f->key);
	free(f->address);
	network_ports_release(&f->ports);
	strlist_release(&f->tasks);
}

static void find_tasks(struct state *s, const char *cluster, const char *name, struct strlist *out)
{
	const char *id;
	json_t *task;

	json_object_foreach (state_all(s, STATE_TASKS), id, task)
		if (ecs_task_is_of(task, cluster, name) && ecs_task_is_live(task) &&
		    ecs_task_is_healthy(task))
			strlist_add(out, id);
}

/* False: it has no ports, or none that can be listened at. */
static bool find_service(struct network *n, const char *key, json_t *service, struct found *out)
{
	struct state *s = n->o.state;
	AUTO_JSON *definition = network_definition(s, aws_text(service, "taskDefinition"));
	json_t *own = json_object_get(service, "slipway");

	*out = (struct found){.key = xstrdup(key)};
	if (strcmp(aws_text(service, "status"), "ACTIVE") != 0 ||
	    network_ports_read(&out->ports, definition, NULL) < 0 || out->ports.n == 0)
		return false;
	if (give_address(n, own))
		(void)state_put(s, STATE_SERVICES, key, json_incref(service), NULL);
	out->address = xstrdup(aws_text(own, "address"));
	find_tasks(s, aws_text(own, "cluster"), aws_text(service, "serviceName"), &out->tasks);
	return true;
}

static size_t find_all(struct network *n, struct found **out)
{
	AUTO(strlist) keys = STRLIST_INIT;
	json_t *service;
	const char *key;
	size_t count = 0;

	state_lock(n->o.state);
	/* By their names, since an address that is given changes the documents. */
	json_object_foreach (state_all(n->o.state, STATE_SERVICES), key, service)
		strlist_add(&keys, key);
	*out = xcalloc(keys.n + 1, sizeof(**out));
	for (size_t i = 0; i < keys.n; i++) {
		service = state_get(n->o.state, STATE_SERVICES, keys.items[i]);
		if (find_service(n, keys.items[i], service, &(*out)[count]))
			count++;
		else
			found_release(&(*out)[count]);
	}
	state_unlock(n->o.state);
	return count;
}

static struct network_service *service_of(struct network *n, const struct found *f)
{
	struct network_service *s = n->services;

	while (s && (strcmp(s->key, f->key) != 0 || strcmp(s->address, f->address) != 0))
		s = s->next;
	if (s)
		return s;
	s = xcalloc(1, sizeof(*s));
	s->key = xstrdup(f->key);
	snprintf(s->address, sizeof(s->address), "%s", f->address);
	s->next = n->services;
	n->services = s;
	return s;
}

static bool has_port(const struct network_ports *p, uint16_t port)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->items[i].container_port == port)
			return true;
	return false;
}

/* The ports that the definition of now maps: those that stay keep their listeners. */
static void take_ports(struct network *n, struct network_service *s, struct network_ports *wanted)
{
	for (size_t i = 0; i < wanted->n; i++)
		for (size_t k = 0; k < s->ports.n; k++)
			if (s->ports.items[k].container_port == wanted->items[i].container_port) {
				wanted->items[i] = s->ports.items[k];
				s->ports.items[k].listener = NULL;
			}
	for (size_t k = 0; k < s->ports.n; k++)
		if (!has_port(wanted, s->ports.items[k].container_port))
			s->failed = false;
	network_ports_close(&s->ports, n->forward);
	network_ports_release(&s->ports);
	s->ports = *wanted;
	memset(wanted, 0, sizeof(*wanted));
}

static bool is_other_service(const struct network *n, const char *address)
{
	for (const struct network_service *s = n->services; s; s = s->next)
		if (strcmp(s->address, address) == 0)
			return true;
	return false;
}

/* Another program may have the port at the service's address: then, before anybody knows it, another one. */
static bool move_service(struct network *n, struct network_service *s)
{
	char address[NETWORK_ADDRESS_SIZE];
	int tries = 0;

	for (unsigned int number = 1; number <= NETWORK_NUMBERS && tries < MAX_MOVES; number++) {
		AUTO(error) why = ERROR_INIT;

		network_address(address, NETWORK_SERVICES, &n->slot, number);
		if (is_other_service(n, address))
			continue;
		tries++;
		if (network_ports_open(&s->ports, n->forward, address, &why) == 0) {
			memcpy(s->address, address, sizeof(address));
			return true;
		}
		network_ports_close(&s->ports, n->forward);
		if (why.number != EADDRINUSE)
			return false;
	}
	return false;
}

static bool is_open(const struct network_ports *p)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->items[i].listener)
			return true;
	return false;
}

static void open_service(struct network *n, struct network_service *s)
{
	const bool was_open = is_open(&s->ports);
	AUTO(error) why = ERROR_INIT;

	if (network_ports_open(&s->ports, n->forward, s->address, &why) == 0) {
		s->failed = false;
		network_say_moved(n, s->address, &s->ports);
		return;
	}
	if (why.number == EADDRINUSE && !was_open && !s->failed) {
		network_ports_close(&s->ports, n->forward);
		if (move_service(n, s)) {
			network_say_moved(n, s->address, &s->ports);
			return;
		}
	}
	if (!s->failed)
		report_log(n->o.reporter, LOG_WARNING, "the address of service %s: %s", s->key,
			   why.message);
	s->failed = true;
}

static void lead_port(struct network *n, const struct network_service *s, struct network_port *p)
{
	AUTO_FREE struct forward_target *targets = xcalloc(s->tasks.n + 1, sizeof(*targets));
	size_t count = 0;

	for (size_t i = 0; i < s->tasks.n; i++) {
		const struct network_task *t = network_task_find(n, s->tasks.items[i]);

		if (t && t->agent && !t->draining && has_port(&t->ports, p->container_port))
			targets[count++] = (struct forward_target){.agent = t->agent,
								   .address = inet_addr(t->address),
								   .port = p->container_port};
	}
	forward_set_patience(p->listener, PATIENCE_MS);
	/* The port may have gone to another program while nobody was behind it: the next look tries again. */
	(void)forward_set_targets(n->forward, p->listener, targets, count, NULL);
}

void network_lead_services(struct network *n)
{
	for (struct network_service *s = n->services; s; s = s->next)
		for (size_t i = 0; i < s->ports.n; i++)
			if (s->ports.items[i].listener)
				lead_port(n, s, &s->ports.items[i]);
}

static void service_free(struct network *n, struct network_service *s)
{
	network_ports_close(&s->ports, n->forward);
	network_ports_release(&s->ports);
	strlist_release(&s->tasks);
	free(s->key);
	free(s);
}

static void drop_unseen(struct network *n)
{
	struct network_service **at = &n->services, *s;

	while ((s = *at)) {
		if (s->seen) {
			at = &s->next;
			continue;
		}
		*at = s->next;
		service_free(n, s);
	}
}

void network_services_free(struct network *n)
{
	for (struct network_service *s = n->services; s; s = s->next)
		s->seen = false;
	drop_unseen(n);
}

static void write_place(struct network *n, const char *key, const char *address, json_t *ports)
{
	AUTO_JSON *mine = ports;
	json_t *service, *own;

	state_lock(n->o.state);
	service = state_get(n->o.state, STATE_SERVICES, key);
	own = json_object_get(service, "slipway");
	if (own && (!json_equal(json_object_get(own, "ports"), mine) ||
		    strcmp(aws_text(own, "address"), address) != 0)) {
		json_object_set(own, "ports", mine);
		json_object_set_new(own, "address", json_string(address));
		(void)state_put(n->o.state, STATE_SERVICES, key, json_incref(service), NULL);
	}
	state_unlock(n->o.state);
}

void network_look(struct network *n)
{
	AUTO_FREE struct found *found = NULL;
	AUTO_FREE json_t **ports = NULL;
	size_t count = find_all(n, &found);

	ports = xcalloc(count + 1, sizeof(*ports));
	pthread_mutex_lock(&n->lock);
	for (struct network_service *s = n->services; s; s = s->next)
		s->seen = false;
	for (size_t i = 0; i < count; i++)
		service_of(n, &found[i])->seen = true;
	/* Addresses of services that are gone may be those of new ones. */
	drop_unseen(n);
	for (size_t i = 0; i < count; i++) {
		struct network_service *s = service_of(n, &found[i]);

		take_ports(n, s, &found[i].ports);
		strlist_release(&s->tasks);
		s->tasks = found[i].tasks;
		memset(&found[i].tasks, 0, sizeof(found[i].tasks));
		open_service(n, s);
		ports[i] = network_ports_to_json(&s->ports);
		free(found[i].address);
		found[i].address = xstrdup(s->address);
	}
	network_lead_services(n);
	pthread_mutex_unlock(&n->lock);
	for (size_t i = 0; i < count; i++) {
		write_place(n, found[i].key, found[i].address, ports[i]);
		found_release(&found[i]);
	}
}
