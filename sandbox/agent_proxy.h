/*
 * An SSH agent as a step sees it: requests come in on sockets that listen inside the step, go to the agent's own socket
 * one at a time, and answers go back. Only what lists keys and signs is passed on; what would change the agent (add,
 * remove, lock, extensions) is answered "failure" here, as BuildKit does (draft-ietf-sshm-ssh-agent, section 3).
 *
 *	agent_proxy_open(&p, err);
 *	agent_proxy_listen(p, listener, "/run/user/1000/agent");
 *	poll(agent_proxy_fd(p)); agent_proxy_serve(p);
 */
#pragma once

#include "base/error.h"

struct agent_proxy;
int agent_proxy_open(struct agent_proxy **out, struct error *err);
/* Takes the non-blocking listener over. path: where the agent listens; connected to anew for each connection, at its first request. */
int agent_proxy_listen(struct agent_proxy *p, int listener, const char *path, struct error *err);
/* Readable when agent_proxy_serve() has something to do. */
int agent_proxy_fd(const struct agent_proxy *p);
void agent_proxy_serve(struct agent_proxy *p); /* never waits */
void agent_proxy_free(struct agent_proxy *p);

CLEANUP_FREE(agent_proxy)
