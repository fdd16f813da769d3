#include "sandbox/publish.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>

static int add_hint(uint16_t port, struct error *err)
{
	if (err && err->number == EADDRINUSE)
		return error_hint(err,
				  "another program has it: take another port, as in -p %u:PORT",
				  port < 65535 ? port + 1u : 8080u);
	if (err && err->number == EACCES)
		return error_hint(
			err, "ports below 1024 need root: take a higher one, as in -p 8080:PORT");
	return -1;
}

static int publish(struct forward *f, struct forward_agent *agent, struct sandbox_port *p,
		   struct error *err)
{
	const char *ip = p->host_ip && *p->host_ip ? p->host_ip : "127.0.0.1";
	const struct forward_target target = {
		.agent = agent, .address = htonl(INADDR_LOOPBACK), .port = p->container_port};
	struct forward_listener *l;

	if (forward_listen(f, ip, &p->host_port, &l, err) < 0)
		return add_hint(p->host_port, err);
	return forward_set_targets(f, l, &target, 1, err);
}

int publish_open(struct forward **out, struct forward_agent **agent, struct sandbox_port *ports,
		 size_t n, struct error *err)
{
	AUTO_PTR(forward) f = NULL;

	if (forward_open(&f, err) < 0)
		return -1;
	*agent = forward_add_agent(f, -1);
	for (size_t i = 0; i < n; i++)
		if (publish(f, *agent, &ports[i], err) < 0)
			return error_wrap(err, "publish a port");
	*out = take_ptr(f);
	return 0;
}
