#include "cli/build_steps.h"

#include <stdlib.h>
#include <string.h>

#include "cli/options.h"
#include "cli/step_options.h"

void step_flags_release(struct step_flags *f)
{
	strlist_release(&f->add_hosts);
	strlist_release(&f->allow);
	strlist_release(&f->ulimits);
	strlist_release(&f->ssh);
}

void step_inputs_release(struct step_inputs *in)
{
	strlist_release(&in->add_hosts);
	free(in->limits);
	ssh_agents_release(&in->ssh);
}

static int find_network(const struct step_flags *f, struct build_options *o, struct error *err)
{
	if (!f->network || strcmp(f->network, "default") == 0 || strcmp(f->network, "host") == 0)
		return 0;
	if (strcmp(f->network, "none") != 0)
		return error_set(err, ERROR_UNSUPPORTED, "--network %s: default, host or none",
				 f->network);
	o->network_none = true;
	return 0;
}

/* The host's network is the default here, so network.host allows nothing new. */
static int find_allowed(const struct step_flags *f, struct build_options *o, struct error *err)
{
	static const char *const known[] = {"network.host", "security.insecure", NULL};

	for (size_t i = 0; i < f->allow.n; i++) {
		const char *name = f->allow.items[i], *near;

		if (strcmp(name, known[1]) == 0) {
			o->allow_insecure = true;
			continue;
		}
		if (strcmp(name, known[0]) == 0)
			continue;
		near = options_nearest(name, known);
		return error_set(err, ERROR_USAGE, "--allow %s: there is %s and %s%s%s%s", name,
				 known[0], known[1], near ? " (did you mean " : "",
				 near ? near : "", near ? "?)" : "");
	}
	return 0;
}

int step_inputs_read(struct step_inputs *in, struct app *a, const struct step_flags *f,
		     struct build_options *o, struct error *err)
{
	for (size_t i = 0; i < f->add_hosts.n; i++)
		if (add_host_parse(&in->add_hosts, f->add_hosts.items[i], err) < 0)
			return -1;
	if (limits_parse(&in->limits, &o->n_limits, &f->ulimits, err) < 0 ||
	    (f->shm_size && shm_size_parse(&o->shm_size, f->shm_size, err) < 0) ||
	    find_allowed(f, o, err) < 0 || find_network(f, o, err) < 0)
		return -1;
	for (size_t i = 0; i < f->ssh.n; i++)
		if (ssh_agents_add(&in->ssh, a, f->ssh.items[i], err) < 0)
			return -1;
	o->add_hosts = &in->add_hosts;
	o->limits = in->limits;
	o->limit_texts = &f->ulimits;
	o->ssh = in->ssh.items;
	o->n_ssh = in->ssh.n;
	return 0;
}
