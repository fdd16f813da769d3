#include "local/network_ports.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "aws/ask.h"
#include "base/alloc.h"
#include "deploy/task_json.h"

#define FIRST_FREE 1024
#define HIGHER     8000

void network_ports_release(struct network_ports *p)
{
	free(p->items);
	memset(p, 0, sizeof(*p));
}

/* Ports that keep their numbers come first: a moved one must not take theirs. */
static void add(struct network_ports *p, uint16_t port)
{
	size_t at = 0;

	for (size_t i = 0; i < p->n; i++)
		if (p->items[i].container_port == port)
			return;
	GROW(p->items, p->n + 1, p->cap);
	while (at < p->n && (port < FIRST_FREE || p->items[at].container_port >= FIRST_FREE))
		at++;
	memmove(&p->items[at + 1], &p->items[at], (p->n - at) * sizeof(*p->items));
	p->items[at] = (struct network_port){.container_port = port};
	p->n++;
}

static int read_mapping(struct network_ports *p, const json_t *mapping, const char *container,
			struct error *err)
{
	const char *protocol = aws_text(mapping, "protocol"),
		   *range = aws_text(mapping, "containerPortRange");
	int64_t port = task_json_int(mapping, "containerPort", 0);

	if (*range)
		return error_set(err, ERROR_UNSUPPORTED,
				 "container %s: the local target maps single ports, no range %s",
				 container, range);
	if (*protocol && strcmp(protocol, "tcp") != 0)
		return error_set(err, ERROR_UNSUPPORTED,
				 "container %s: the local target maps TCP ports, not %lld/%s",
				 container, (long long)port, protocol);
	if (port <= 0 || port > UINT16_MAX)
		return error_set(err, ERROR_CORRUPT, "container %s: there is no port %lld",
				 container, (long long)port);
	add(p, (uint16_t)port);
	return 0;
}

int network_ports_read(struct network_ports *p, const json_t *definition, struct error *err)
{
	json_t *container, *mapping;
	size_t i, k;

	json_array_foreach (json_object_get(definition, "containerDefinitions"), i, container)
		json_array_foreach (json_object_get(container, "portMappings"), k, mapping)
			if (read_mapping(p, mapping, aws_text(container, "name"), err) < 0)
				return -1;
	return 0;
}

static int open_at(struct network_port *p, struct forward *f, const char *address, uint16_t port,
		   struct error *err)
{
	p->host_port = port;
	return forward_listen(f, address, &p->host_port, &p->listener, err);
}

static int open_one(struct network_port *p, struct forward *f, const char *address,
		    struct error *err)
{
	AUTO(error) why = ERROR_INIT;

	if (open_at(p, f, address, p->container_port, &why) == 0)
		return 0;
	if (why.number == EACCES && p->container_port < FIRST_FREE) {
		error_clear(&why);
		if (open_at(p, f, address, p->container_port + HIGHER, &why) == 0)
			return 0;
		/* That number may be another port of the same task. */
		if (why.number == EADDRINUSE) {
			error_clear(&why);
			if (open_at(p, f, address, 0, &why) == 0)
				return 0;
		}
	}
	if (why.number == EADDRINUSE)
		(void)error_hint(
			&why,
			"another program listens at this port, perhaps at all addresses of this machine: end it, or map another port");
	return error_move(err, &why);
}

int network_ports_open(struct network_ports *p, struct forward *f, const char *address,
		       struct error *err)
{
	for (size_t i = 0; i < p->n; i++)
		if (!p->items[i].listener && open_one(&p->items[i], f, address, err) < 0)
			return -1;
	return 0;
}

void network_ports_close(struct network_ports *p, struct forward *f)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->items[i].listener)
			forward_remove_listener(f, take_ptr(p->items[i].listener));
}

const struct network_port *network_ports_moved(const struct network_ports *p)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->items[i].listener && p->items[i].host_port != p->items[i].container_port)
			return &p->items[i];
	return NULL;
}

json_t *network_ports_to_json(const struct network_ports *p)
{
	json_t *out = json_array();

	for (size_t i = 0; i < p->n; i++)
		if (p->items[i].listener)
			json_array_append_new(out,
					      json_pack("{s:i, s:i}", "containerPort",
							(int)p->items[i].container_port, "hostPort",
							(int)p->items[i].host_port));
	return out;
}
