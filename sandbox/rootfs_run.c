#include "sandbox/rootfs.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "sandbox/agent_proxy.h"
#include "sandbox/cgroup.h"
#include "sandbox/flat_root.h"
#include "sandbox/helper.h"
#include "sandbox/network_files.h"
#include "sandbox/probe.h"
#include "sandbox/publish.h"
#include "sandbox/rootfs_mounts.h"
#include "sandbox/rootfs_place.h"
#include "sandbox/rootfs_private.h"
#include "sandbox/run_control.h"
#include "sandbox/run_loop.h"
#include "sandbox/snapshot.h"
#include "sandbox/space_private.h"

#define DEFAULT_HOSTNAME "slipway"

/* One run: what it holds while it lasts. */
struct run {
	struct rootfs *fs;
	const struct run_spec *spec;
	struct order_block orders;
	struct forward *forward;
	struct forward_agent *agent; /* of forward */
	struct agent_proxy *agents;
	struct cgroup *cgroup;
	struct launch launch;
	int outputs[2];      /* our ends of the pipes */
	int step_outputs[2]; /* the step's */
	int userns_fd;
	unsigned int number;         /* of the run in this root */
	char *work;                  /* of the overlay */
	struct placement *placement; /* without mounts: what is in the root for the step alone */
	struct strlist stubs;        /* mount points made in a root that is no overlay */
};

static void close_pair(int fds[2])
{
	for (int i = 0; i < 2; i++)
		if (fds[i] >= 0)
			close(take_fd(fds[i]));
}

static void run_release(struct run *r)
{
	if (r->spec->control)
		run_control_end(r->spec->control);
	order_block_release(&r->orders);
	/* A folder that is moved out of the root takes a process in it out, too: none may be alive. */
	if (!launch_release(&r->launch) && r->placement)
		placement_abandon(r->placement);
	forward_free(r->forward);
	agent_proxy_free(r->agents);
	cgroup_free(r->cgroup);
	placement_free(r->placement);
	close_pair(r->outputs);
	close_pair(r->step_outputs);
	strlist_release(&r->stubs);
	free(r->work);
}
CLEANUP_RELEASE(run)

/* hosts, resolv.conf and hostname come before the step's own mounts, which may cover them. */
static int add_mounts(struct run *r, const char *hostname, struct error *err)
{
	AUTO(network_files) files = NETWORK_FILES_INIT;
	struct sandbox_mount mounts[NETWORK_FILES_COUNT];
	const struct rootfs_mounts to = {
		.fs = r->fs,
		.orders = &r->orders,
		.number = r->number,
		.placement = r->placement,
		.agents = r->agents,
	};

	network_files_make(&files, hostname, r->spec->add_hosts,
			   r->spec->network == SANDBOX_NETWORK_HOST,
			   r->spec->space ? space_nameserver(r->spec->space) : NULL);
	network_files_mounts(&files, mounts);
	for (size_t i = 0; i < NETWORK_FILES_COUNT; i++)
		if (rootfs_mounts_add(&to, &mounts[i], i, err) < 0)
			return -1;
	for (size_t i = 0; i < r->spec->n_mounts; i++)
		if (rootfs_mounts_add(&to, &r->spec->mounts[i], i, err) < 0)
			return -1;
	return 0;
}

static uint32_t flags_of(const struct run *r)
{
	const struct run_spec *spec = r->spec;
	uint32_t flags = 0;

	if (sandbox_has_userns(r->fs->mode))
		flags |= FLAG_USERNS;
	if (r->placement)
		flags |= FLAG_CHROOT;
	if (r->fs->mode == SANDBOX_ROOTLESS_SINGLE)
		flags |= FLAG_SINGLE;
	if (spec->network != SANDBOX_NETWORK_HOST)
		flags |= FLAG_NETNS;
	if (spec->tty)
		flags |= FLAG_TTY;
	if (spec->readonly_root)
		flags |= FLAG_READONLY;
	if (r->fs->fresh)
		flags |= FLAG_FRESH;
	if (spec->privileged)
		flags |= FLAG_PRIVILEGED;
	return flags;
}

static void add_limits(struct run *r)
{
	for (size_t i = 0; i < r->spec->n_limits; i++) {
		const struct sandbox_limit *l = &r->spec->limits[i];
		struct order_limit order = {
			.resource = (uint32_t)l->resource, .soft = l->soft, .hard = l->hard};

		snprintf(order.name, sizeof(order.name), "%s", l->name);
		order_bytes(&r->orders, ORDER_LIMIT, &order, sizeof(order));
	}
}

static const char *hostname_of(const struct run_spec *spec)
{
	if (spec->space)
		return space_hostname(spec->space);
	return spec->hostname ? spec->hostname : DEFAULT_HOSTNAME;
}

/* With mounts. */
static void add_root(struct run *r)
{
	if (rootfs_is_whole(r->fs)) {
		order_str(&r->orders, ORDER_ROOT, r->fs->flat->path);
		return;
	}
	order_str(&r->orders, ORDER_UPPER, r->fs->upper);
	order_str(&r->orders, ORDER_WORK, r->work);
	rootfs_lowers_add(r->fs, &r->orders, ORDER_LOWER, r->fs->layers, r->fs->chains, r->fs->n);
}

static int add_orders(struct run *r, struct error *err)
{
	const struct run_spec *spec = r->spec;
	const char *hostname = hostname_of(spec);
	AUTO_FREE char *mnt = xstrfmt("%s/mnt", rootfs_folder(r->fs));
	AUTO_FREE char *owners = xstrfmt("%s/" ROOTFS_OWNERS, rootfs_folder(r->fs));

	order_u32(&r->orders, ORDER_TASK, TASK_RUN);
	order_u32(&r->orders, ORDER_FLAGS, flags_of(r));
	if (r->userns_fd >= 0)
		order_u32(&r->orders, ORDER_USERNS_FD, (uint32_t)r->userns_fd);
	if (!r->placement) {
		order_str(&r->orders, ORDER_SCRATCH, mnt);
		if (r->fs->mode == SANDBOX_ROOTLESS_SINGLE)
			order_str(&r->orders, ORDER_OWNERS, owners);
		add_root(r);
	}
	order_strings(&r->orders, ORDER_ARG, spec->argv);
	order_strings(&r->orders, ORDER_ENV, spec->env);
	order_str(&r->orders, ORDER_CWD, spec->cwd && *spec->cwd ? spec->cwd : "/");
	order_str(&r->orders, ORDER_USER, spec->user ? spec->user : "");
	if (!spec->space)
		order_str(&r->orders, ORDER_HOSTNAME, hostname);
	if (spec->shm_size > 0)
		order_u64(&r->orders, ORDER_SHM_SIZE, (uint64_t)spec->shm_size);
	order_u64(&r->orders, ORDER_ADD_CAPS, spec->add_caps);
	order_u64(&r->orders, ORDER_DROP_CAPS, spec->drop_caps);
	add_limits(r);
	if (!spec->privileged && sandbox_filter_orders(r->fs->sb, r->fs->mode, &r->orders, err) < 0)
		return -1;
	if (add_mounts(r, hostname, err) < 0)
		return -1;
	return r->placement ? rootfs_place_orders(r->fs, r->placement, &r->orders, err) : 0;
}

static int make_pipe(int *ours, int *theirs, struct error *err)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return error_errno(err, "make a pipe");
	*ours = fds[0];
	*theirs = fds[1];
	/* Ours alone: the step's end has a description of its own. */
	if (fcntl(fds[0], F_SETFL, O_NONBLOCK) < 0)
		return error_errno(err, "make a pipe");
	return 0;
}

static int make_outputs(struct run *r, struct error *err)
{
	if (r->spec->pass_fds || r->spec->tty)
		return 0;
	if (make_pipe(&r->outputs[0], &r->step_outputs[0], err) < 0 ||
	    make_pipe(&r->outputs[1], &r->step_outputs[1], err) < 0)
		return -1;
	return 0;
}

static int open_agents(struct run *r, struct error *err)
{
	for (size_t i = 0; i < r->spec->n_mounts && !r->agents; i++)
		if (r->spec->mounts[i].kind == SANDBOX_MOUNT_AGENT &&
		    agent_proxy_open(&r->agents, err) < 0)
			return -1;
	return 0;
}

/* Where the step is to write to. */
static int make_work(struct run *r, struct error *err)
{
	if (r->fs->mode == SANDBOX_CHROOT)
		return rootfs_place_open(r->fs, r->spec, &r->placement, err);
	/* A folder that an overlay worked in is not taken again. */
	r->number = rootfs_run_folder(r->fs)->n_runs++;
	if (rootfs_is_whole(r->fs)) {
		r->fs->dirty = true;
		snapshot_settle();
		return 0;
	}
	r->work = xstrfmt("%s/work-%u", r->fs->folder.path, r->number);
	if (mkdir(r->work, 0755) < 0)
		return store_write_failed(r->fs->sb->store, "the work folder of a step", r->work,
					  err);
	return 0;
}

static int start(struct run *r, struct error *err)
{
	const struct run_spec *spec = r->spec;
	const bool pass = spec->pass_fds && !spec->tty;
	int keep[1 + SPACE_FDS + CGROUP_FDS];
	struct launch_options o = {
		.stdin_fd = spec->tty ? -1 : spec->stdin_fd,
		.stdout_fd = pass ? 1 : r->step_outputs[0],
		.stderr_fd = pass ? 2 : r->step_outputs[1],
		.agent = r->forward != NULL,
		.keep_fds = keep,
	};

	if (r->userns_fd >= 0)
		keep[o.n_keep_fds++] = r->userns_fd;
	if (spec->space)
		o.n_keep_fds += space_orders(spec->space, &r->orders, keep + o.n_keep_fds);
	o.n_keep_fds += cgroup_orders(r->cgroup, &r->orders, keep + o.n_keep_fds);
	if (launch_init(&r->launch, r->fs->sb, &r->orders, &o, err) < 0)
		return -1;
	close_pair(r->step_outputs);
	if (r->forward)
		forward_start_agent(r->forward, r->agent, r->launch.agent_fd);
	return 0;
}

static void open_cgroup(struct run *r)
{
	const struct run_spec *spec = r->spec;
	const struct cgroup_limits limits = {
		.pids = spec->pids_max, .memory = spec->memory_max, .cpu = spec->cpu_max};
	unsigned int unmet;

	if (!spec->group && limits.pids <= 0 && limits.memory <= 0 && limits.cpu <= 0)
		return;
	unmet = cgroup_open(&r->cgroup, spec->group, &limits);
	/* Who has a group for several steps knows about its limits. */
	if ((unmet & CGROUP_PIDS) && !spec->group)
		report_log(r->fs->sb->reporter, LOG_WARNING,
			   "the limit of %lld processes is not enforced: this machine lets slipway "
			   "make no control group",
			   (long long)limits.pids);
}

static int prepare(struct run *r, struct error *err)
{
	const struct run_spec *spec = r->spec;
	struct sandbox *sb = r->fs->sb;

	if (!spec->argv || !spec->argv[0])
		return error_set(err, ERROR_USAGE, "there is no command to run");
	if (spec->privileged && r->fs->mode != SANDBOX_ROOT) {
		error_set(err, ERROR_UNSUPPORTED,
			  "a privileged step needs the sandbox mode root: here it is %s",
			  sandbox_mode_name(r->fs->mode));
		return error_hint(err, "run slipway as root; \"slipway doctor\" shows the modes");
	}
	if (spec->space && spec->network != SANDBOX_NETWORK_NONE)
		return error_set(err, ERROR_USAGE,
				 "a container that shares a network has no other one");
	if (rootfs_prepare(r->fs, err) < 0 || make_work(r, err) < 0 ||
	    sandbox_userns(sb, r->fs->mode, &r->userns_fd, err) < 0)
		return -1;
	if (spec->network == SANDBOX_NETWORK_PORTS &&
	    publish_open(&r->forward, &r->agent, spec->ports, spec->n_ports, err) < 0)
		return -1;
	open_cgroup(r);
	if (open_agents(r, err) < 0 || make_outputs(r, err) < 0 || add_orders(r, err) < 0)
		return -1;
	return 0;
}

int rootfs_run(struct rootfs *fs, const struct run_spec *spec, struct run_result *result,
	       struct error *err)
{
	AUTO(run)
	r = {
		.fs = fs,
		.spec = spec,
		.orders = ORDER_BLOCK_INIT,
		.launch = LAUNCH_INIT,
		.outputs = {-1, -1},
		.step_outputs = {-1, -1},
		.userns_fd = -1,
	};
	AUTO(oom_watch) oom = {.file = NULL};
	int code;

	memset(result, 0, sizeof(*result));
	if (cancel_check(fs->sb->cancel, err) < 0 || prepare(&r, err) < 0)
		return -1;
	oom_watch_start(&oom, r.cgroup, "");
	if (start(&r, err) < 0)
		return -1;
	fs->fresh = false;

	struct run_loop loop = {
		.spec = spec,
		/* Who has a control over it ends it, with the signal and the patience that it is owed. */
		.cancel = spec->control ? NULL : fs->sb->cancel,
		.reporter = fs->sb->reporter,
		.launch = &r.launch,
		.output = {take_fd(r.outputs[0]), take_fd(r.outputs[1])},
		.forward = r.forward,
		.agents = r.agents,
		.stubs = &r.stubs,
	};

	code = run_loop(&loop, result, err);
	if (code == 0)
		result->oom = oom_watch_end(&oom, result->status);
	/* The forwarder uses a socket that goes with the process. */
	forward_free(take_ptr(r.forward));
	/* A group is not removed while its last process is in it. */
	if (code == 0 && r.cgroup)
		launch_end(&r.launch, NULL);
	else if (code == 0)
		sandbox_let_end(fs->sb, &r.launch);
	if (code == 0 && r.placement)
		code = rootfs_place_end(fs, r.placement, err);
	if (r.stubs.n > 0 && helper_remove_mount_points(fs->sb, fs->mode, fs->flat->path, &r.stubs,
							&fs->pardoned, code == 0 ? err : NULL) < 0)
		code = -1;
	if (code < 0 && err && (err->kind == ERROR_UNSUPPORTED || err->kind == ERROR_DENIED))
		probe_forget(fs->sb);
	return code;
}
