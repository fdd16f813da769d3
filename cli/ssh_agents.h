/*
 * --ssh of build: which SSH agents RUN --mount=type=ssh may ask. Either one that listens on this machine, or, for key files, an
 * "ssh-agent" of OpenSSH that lives as long as this; keys go to it through memory, never as an argument.
 *
 *	ssh_agents_add(&agents, app, "default", err);
 *	options.ssh = agents.items, options.n_ssh = agents.n;
 *	ssh_agents_release(&agents);     ends what was started
 */
#pragma once

#include "cli/app.h"

struct ssh_child; /* an agent that was started */

struct ssh_agents {
	struct build_ssh *items;
	size_t n;
	struct strlist texts; /* owns what items point at */
	struct ssh_child *children;
};

/*
 * "default" or ID: the agent of SSH_AUTH_SOCK; ID=SOCKET; ID=KEY[,KEY]. ERROR_USAGE, ERROR_NOT_FOUND (no such file, no agent, no
 * ssh-agent program), ERROR_DENIED (a key that the agent does not take).
 */
int ssh_agents_add(struct ssh_agents *s, struct app *a, const char *text, struct error *err);
void ssh_agents_release(struct ssh_agents *s);

CLEANUP_RELEASE(ssh_agents)
