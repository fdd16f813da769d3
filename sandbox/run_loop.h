/* Serves a started step until it and all its descendants are gone: output, terminal, signals, ports. */
#pragma once

#include "sandbox/launch.h"
#include "sandbox/rootfs.h"

struct agent_proxy;
struct forward;

struct run_loop {
	const struct run_spec *spec;
	const struct cancel *cancel;
	struct reporter *reporter;
	struct launch *launch;
	int output[2];           /* read ends of the step's stdout and stderr, or -1; closed here */
	struct forward *forward; /* NULL: no ports */
	struct agent_proxy *agents; /* NULL: no mount is an agent's socket */
	struct strlist *stubs;      /* gets the mount points that were made: see mount_points.h */
};

/* Fills *result; the process itself is still to be waited for. */
int run_loop(struct run_loop *l, struct run_result *result, struct error *err);
