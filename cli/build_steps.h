/* The options of build that shape what RUN finds: hosts, network, limits, rights, SSH agents. */
#pragma once

#include "cli/app.h"
#include "cli/ssh_agents.h"

struct step_flags {
	struct strlist add_hosts, allow, ulimits, ssh;
	const char *network, *shm_size;
};
void step_flags_release(struct step_flags *f);

/* What they mean; build_options point at it. */
struct step_inputs {
	struct strlist add_hosts;
	struct sandbox_limit *limits;
	struct ssh_agents ssh;
};
/* Starts agents; f and in live as long as o. ERROR_USAGE, ERROR_UNSUPPORTED, and those of ssh_agents_add(). */
int step_inputs_read(struct step_inputs *in, struct app *a, const struct step_flags *f,
		     struct build_options *o, struct error *err);
void step_inputs_release(struct step_inputs *in);

CLEANUP_RELEASE(step_inputs)
