/*
 * The environment of a RUN beyond ENV and ARG: the host's proxies and certificates, which the step needs to reach anything and
 * which are in no layer, config or cache key; and secrets.
 */
#pragma once

#include "builder/mounts.h"

struct run_env {
	struct strlist list;  /* "NAME=value" */
	struct strbuf bundle; /* certificates: the image's own, then the host's */
};

/* May add a mount for the certificates to m. with_network: without one nobody needs them. */
int run_env_init(struct run_env *e, struct stage *st, struct run_mounts *m, bool with_network,
		 struct error *err);
void run_env_release(struct run_env *e);

CLEANUP_RELEASE(run_env)
