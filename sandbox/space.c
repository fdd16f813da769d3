#include "sandbox/space_private.h"

#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "sandbox/outbound.h"
#include "sandbox/sandbox_private.h"

struct space {
	struct launch launch;
	char *hostname;
	struct outbound outbound;
	int namespaces[SPACE_FDS]; /* the network's comes first */
	size_t n_namespaces;
	int listeners[SPACE_MAX_PORTS]; /* -1: none */
};

/* 1: ready, 0: more is to come. */
static int take_report(struct space *s, struct sandbox *sb, const struct report *r, int fd,
		       struct error *err)
{
	if (r->kind == REPORT_NAMESPACE && fd >= 0 && s->n_namespaces < SPACE_FDS) {
		s->namespaces[s->n_namespaces++] = fd;
		return 0;
	}
	if (r->kind == REPORT_LISTENER && fd >= 0 && r->value >= 0 && r->value < SPACE_MAX_PORTS &&
	    s->listeners[r->value] < 0) {
		s->listeners[r->value] = fd;
		return 0;
	}
	if (fd >= 0)
		close(fd);
	if (r->kind == REPORT_FAILED)
		return launch_failed(r, err);
	if (r->kind == REPORT_WARNING)
		report_log(sb->reporter, LOG_WARNING, "%s", r->text);
	return r->kind == REPORT_READY && s->n_namespaces == SPACE_FDS;
}

static int await_ready(struct space *s, struct sandbox *sb, struct error *err)
{
	for (;;) {
		struct report r;
		int fd, got = launch_receive(s->launch.control_fd, true, &r, &fd);

		if (got <= 0)
			return error_set(err, ERROR_SYSTEM,
					 "its first process ended without a word");
		got = take_report(s, sb, &r, fd, err);
		if (got != 0)
			return got < 0 ? -1 : 0;
	}
}

static int start(struct space *s, struct sandbox *sb, enum sandbox_mode mode,
		 const struct space_options *options, struct error *err)
{
	AUTO(order_block) orders = ORDER_BLOCK_INIT;
	int userns;
	struct launch_options o = {.stdin_fd = -1,
				   .stdout_fd = -1,
				   .stderr_fd = -1,
				   .agent = true,
				   .outlives_thread = true,
				   .keep_fds = &userns};

	if (sandbox_userns(sb, mode, &userns, err) < 0)
		return -1;
	order_u32(&orders, ORDER_TASK, TASK_SPACE);
	order_str(&orders, ORDER_HOSTNAME, s->hostname);
	for (size_t i = 0; i < options->n_ports; i++)
		order_u32(&orders, ORDER_LISTEN, options->ports[i]);
	if (userns >= 0) {
		order_u32(&orders, ORDER_USERNS_FD, (uint32_t)userns);
		o.n_keep_fds = 1;
	}
	if (launch_init(&s->launch, sb, &orders, &o, err) < 0)
		return -1;
	return await_ready(s, sb, err);
}

int space_open(struct space **out, struct sandbox *sb, const struct space_options *o,
	       struct error *err)
{
	AUTO_PTR(space) s = xcalloc(1, sizeof(*s));
	enum sandbox_mode mode;

	s->launch = (struct launch)LAUNCH_INIT;
	s->outbound = (struct outbound)OUTBOUND_INIT;
	s->hostname = xstrdup(o->hostname);
	for (size_t i = 0; i < SPACE_MAX_PORTS; i++)
		s->listeners[i] = -1;
	if (sandbox_require(sb, &mode, err) < 0)
		return -1;
	if (mode != SANDBOX_ROOT && mode != SANDBOX_ROOTLESS_SUBUID &&
	    mode != SANDBOX_ROOTLESS_SINGLE) {
		error_set(
			err, ERROR_UNSUPPORTED,
			"containers that share a network need namespaces: the sandbox mode here, %s, has none",
			sandbox_mode_name(mode));
		return error_hint(err,
				  "\"slipway doctor\" shows every mode and what would change it");
	}
	if (start(s, sb, mode, o, err) < 0)
		return error_wrap(err, "make a network for containers");
	*out = take_ptr(s);
	return 0;
}

int space_listener(const struct space *s, size_t i)
{
	return s->listeners[i];
}

int space_agent(const struct space *s)
{
	return s->launch.agent_fd;
}

pid_t space_pid(const struct space *s)
{
	struct pollfd p = {.fd = s->launch.control_fd};

	return poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR)) ? -1 : s->launch.pid;
}

size_t space_orders(const struct space *s, struct order_block *orders, int *fds)
{
	for (size_t i = 0; i < s->n_namespaces; i++) {
		fds[i] = s->namespaces[i];
		order_u32(orders, ORDER_NAMESPACE_FD, (uint32_t)fds[i]);
	}
	return s->n_namespaces;
}

int space_open_outbound(struct space *s, struct sandbox *sb, struct error *err)
{
	enum sandbox_mode mode;
	int userns;

	if (sandbox_require(sb, &mode, err) < 0 || sandbox_userns(sb, mode, &userns, err) < 0)
		return -1;
	if (outbound_start(&s->outbound, userns, s->namespaces[0], err) == 0)
		return 0;
	outbound_release(&s->outbound);
	return -1;
}

const char *space_nameserver(const struct space *s)
{
	return s->outbound.pid > 0 ? OUTBOUND_NAMESERVER : NULL;
}

const char *space_hostname(const struct space *s)
{
	return s->hostname;
}

void space_free(struct space *s)
{
	if (!s)
		return;
	outbound_release(&s->outbound);
	launch_release(&s->launch);
	for (size_t i = 0; i < s->n_namespaces; i++)
		close(s->namespaces[i]);
	for (size_t i = 0; i < SPACE_MAX_PORTS; i++)
		if (s->listeners[i] >= 0)
			close(s->listeners[i]);
	free(s->hostname);
	free(s);
}
