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
#include "sandbox/forward.h"
#include "sandbox/helper.h"
#include "sandbox/layer_folders.h"
#include "sandbox/network_files.h"
#include "sandbox/probe.h"
#include "sandbox/rootfs_private.h"
#include "sandbox/run_loop.h"

#define DEFAULT_HOSTNAME "slipway"

/* One run: what it holds while it lasts. */
struct run {
	struct rootfs *fs;
	const struct run_spec *spec;
	struct order_block orders;
	struct forward *forward;
	struct agent_proxy *agents;
	struct cgroup *cgroup;
	struct launch launch;
	int outputs[2];      /* our ends of the pipes */
	int step_outputs[2]; /* the step's */
	int userns_fd;
	unsigned int number; /* of the run in this root */
	char *work;          /* of the overlay */
};

static void close_pair(int fds[2])
{
	for (int i = 0; i < 2; i++)
		if (fds[i] >= 0)
			close(take_fd(fds[i]));
}

static void run_release(struct run *r)
{
	order_block_release(&r->orders);
	launch_release(&r->launch);
	forward_free(r->forward);
	agent_proxy_free(r->agents);
	cgroup_free(r->cgroup);
	close_pair(r->outputs);
	close_pair(r->step_outputs);
	free(r->work);
}
CLEANUP_RELEASE(run)

static void add_lowers(struct run *r, uint32_t tag, const struct rootfs_layer *layers,
		       const struct digest *chains, size_t n)
{
	for (size_t i = n; i > 0; i--) {
		AUTO_FREE char *path = NULL;

		if (layer_folder_is_void(layers, i - 1))
			continue;
		path = layer_folder(r->fs->sb, r->fs->mode, &chains[i - 1]);
		order_str(&r->orders, tag, path);
	}
}

static int add_view(struct run *r, const struct sandbox_mount *m, struct error *err)
{
	AUTO_FREE struct digest *chains = xcalloc(m->n_layers, sizeof(*chains));

	if (layer_folders_ensure(r->fs->sb, r->fs->mode, m->layers, m->n_layers, chains, err) < 0)
		return error_wrap(err, "mount on %s", m->target);
	add_lowers(r, MOUNT_LOWER, m->layers, chains, m->n_layers);
	return 0;
}

/* A folder for the writes that are dropped, and for the top that is shown instead of the source's own. */
static int add_scratch(struct run *r, size_t i, struct error *err)
{
	AUTO_FREE char *dir = xstrfmt("%s/bind-%u-%zu", r->fs->folder.path, r->number, i);

	if (mkdir(dir, 0755) < 0)
		return store_write_failed(r->fs->sb->store, "a folder for dropped writes", dir,
					  err);
	order_str(&r->orders, MOUNT_SCRATCH, dir);
	return 0;
}

static uint32_t mount_kind(enum sandbox_mount_kind kind)
{
	switch (kind) {
	case SANDBOX_MOUNT_BIND:
		return MOUNT_BIND;
	case SANDBOX_MOUNT_CACHE:
		return MOUNT_CACHE;
	case SANDBOX_MOUNT_HOST:
		return MOUNT_HOST;
	case SANDBOX_MOUNT_TMPFS:
		return MOUNT_TMPFS;
	case SANDBOX_MOUNT_AGENT:
		return MOUNT_SOCKET;
	case SANDBOX_MOUNT_DATA:
	default:
		return MOUNT_FILE;
	}
}

/*
 * The folder of a cache mount that begins with files, unless it is there already. Another step may make the same one at
 * the same time: the first to rename wins.
 */
static int fill_cache(struct run *r, const struct sandbox_mount *m, size_t i, bool *filled,
		      struct error *err)
{
	AUTO_FREE char *dir = xstrfmt("%s/cache-%u-%zu", r->fs->folder.path, r->number, i);
	AUTO(tree_cache) cache = {0};
	AUTO(error) local = ERROR_INIT;
	const struct extract_job job = {
		.mode = r->fs->mode, .layers = m->layers, .n = m->n_layers, .dir = dir};
	struct stat st;

	if (stat(m->source_dir, &st) == 0)
		return 0;
	if (helper_extract(r->fs->sb, &cache, &job, err) < 0)
		return error_wrap(err, "fill the cache mount on %s", m->target);
	if (helper_rename(r->fs->sb, r->fs->mode, dir, m->source_dir, &local) == 0)
		*filled = true;
	else if (stat(m->source_dir, &st) < 0)
		return error_move(err, &local);
	return 0;
}

/* The source, for what has a folder or file of this machine. */
static int add_source(struct run *r, const struct sandbox_mount *m, size_t i, struct error *err)
{
	if (m->kind == SANDBOX_MOUNT_BIND && m->n_layers > 0)
		return add_view(r, m, err);
	/* Layers without any: nothing is to be seen. */
	if (m->kind == SANDBOX_MOUNT_BIND && !m->source_dir) {
		AUTO_FREE char *dir = xstrfmt("%s/void-%u-%zu", r->fs->folder.path, r->number, i);

		if (mkdir(dir, 0755) < 0)
			return store_write_failed(r->fs->sb->store, "an empty folder", dir, err);
		order_str(&r->orders, MOUNT_SOURCE, dir);
		return 0;
	}
	order_str(&r->orders, MOUNT_SOURCE, m->source_dir);
	return 0;
}

static int add_mount(struct run *r, const struct sandbox_mount *m, size_t i, struct error *err)
{
	struct order_mount_attr attr = {
		.flags = (m->readonly ? MOUNT_READONLY : 0u) | (m->top ? MOUNT_TOP : 0u),
		.mode = m->mode,
		.uid = m->uid,
		.gid = m->gid,
		.size = m->kind == SANDBOX_MOUNT_AGENT ? (int64_t)i : m->size,
	};
	bool filled = false;

	if (!m->target || m->target[0] != '/')
		return error_set(err, ERROR_USAGE,
				 "mount on \"%s\": the target is not an absolute path",
				 m->target ? m->target : "");
	if (m->kind == SANDBOX_MOUNT_CACHE && m->n_layers > 0 &&
	    fill_cache(r, m, i, &filled, err) < 0)
		return -1;
	if (filled)
		attr.flags |= MOUNT_FILLED;
	order_u32(&r->orders, ORDER_MOUNT, mount_kind(m->kind));
	order_str(&r->orders, MOUNT_TARGET, m->target);
	order_bytes(&r->orders, MOUNT_ATTR, &attr, sizeof(attr));
	order_str(&r->orders, MOUNT_SUBPATH, m->subpath);
	if (m->kind == SANDBOX_MOUNT_DATA)
		order_bytes(&r->orders, MOUNT_DATA, m->data, m->data_len);
	if (add_source(r, m, i, err) < 0)
		return -1;
	if (m->kind == SANDBOX_MOUNT_BIND && (!m->readonly || m->top))
		return add_scratch(r, i, err);
	return 0;
}

/* hosts, resolv.conf and hostname come before the step's own mounts, which may cover them. */
static int add_mounts(struct run *r, const char *hostname, struct error *err)
{
	AUTO(network_files) files = NETWORK_FILES_INIT;
	struct sandbox_mount mounts[NETWORK_FILES_COUNT];

	network_files_make(&files, hostname, r->spec->add_hosts,
			   r->spec->network == SANDBOX_NETWORK_HOST);
	network_files_mounts(&files, mounts);
	for (size_t i = 0; i < NETWORK_FILES_COUNT; i++)
		if (add_mount(r, &mounts[i], i, err) < 0)
			return -1;
	for (size_t i = 0; i < r->spec->n_mounts; i++)
		if (add_mount(r, &r->spec->mounts[i], i, err) < 0)
			return -1;
	return 0;
}

static int add_filter(struct run *r, struct error *err)
{
	const struct strbuf *filter;

	if (sandbox_filter(r->fs->sb, r->fs->mode, &filter, err) < 0)
		return -1;
	order_bytes(&r->orders, ORDER_FILTER, filter->buf, filter->len);
	return 0;
}

static uint32_t flags_of(const struct run *r)
{
	const struct run_spec *spec = r->spec;
	uint32_t flags = 0;

	if (r->fs->mode != SANDBOX_ROOT)
		flags |= FLAG_USERNS;
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

static int add_orders(struct run *r, struct error *err)
{
	const struct run_spec *spec = r->spec;
	const char *hostname = spec->hostname ? spec->hostname : DEFAULT_HOSTNAME;
	AUTO_FREE char *mnt = xstrfmt("%s/mnt", r->fs->folder.path);

	order_u32(&r->orders, ORDER_TASK, TASK_RUN);
	order_u32(&r->orders, ORDER_FLAGS, flags_of(r));
	if (r->userns_fd >= 0)
		order_u32(&r->orders, ORDER_USERNS_FD, (uint32_t)r->userns_fd);
	order_str(&r->orders, ORDER_SCRATCH, mnt);
	order_str(&r->orders, ORDER_UPPER, r->fs->upper);
	order_str(&r->orders, ORDER_WORK, r->work);
	add_lowers(r, ORDER_LOWER, r->fs->layers, r->fs->chains, r->fs->n);
	order_strings(&r->orders, ORDER_ARG, spec->argv);
	order_strings(&r->orders, ORDER_ENV, spec->env);
	order_str(&r->orders, ORDER_CWD, spec->cwd && *spec->cwd ? spec->cwd : "/");
	order_str(&r->orders, ORDER_USER, spec->user ? spec->user : "");
	order_str(&r->orders, ORDER_HOSTNAME, hostname);
	if (spec->shm_size > 0)
		order_u64(&r->orders, ORDER_SHM_SIZE, (uint64_t)spec->shm_size);
	add_limits(r);
	if (!spec->privileged && add_filter(r, err) < 0)
		return -1;
	return add_mounts(r, hostname, err);
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

static int make_work(struct run *r, struct error *err)
{
	/* A folder that an overlay worked in is not taken again. */
	r->number = r->fs->folder.n_runs++;
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
	int keep[1 + CGROUP_FDS];
	struct launch_options o = {
		.stdin_fd = spec->tty ? -1 : spec->stdin_fd,
		.stdout_fd = pass ? 1 : r->step_outputs[0],
		.stderr_fd = pass ? 2 : r->step_outputs[1],
		.agent = r->forward != NULL,
		.keep_fds = keep,
	};

	if (r->userns_fd >= 0)
		keep[o.n_keep_fds++] = r->userns_fd;
	o.n_keep_fds += cgroup_orders(r->cgroup, &r->orders, keep + o.n_keep_fds);
	if (launch_init(&r->launch, r->fs->sb, &r->orders, &o, err) < 0)
		return -1;
	close_pair(r->step_outputs);
	if (r->forward)
		forward_start(r->forward, r->launch.agent_fd);
	return 0;
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
	if (rootfs_prepare(r->fs, err) < 0 || make_work(r, err) < 0 ||
	    sandbox_userns(sb, r->fs->mode, &r->userns_fd, err) < 0)
		return -1;
	if (spec->network == SANDBOX_NETWORK_PORTS &&
	    forward_open(&r->forward, spec->ports, spec->n_ports, err) < 0)
		return -1;
	if (spec->pids_max > 0)
		cgroup_open(&r->cgroup, spec->pids_max, sb->reporter);
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
		.cancel = fs->sb->cancel,
		.reporter = fs->sb->reporter,
		.launch = &r.launch,
		.output = {take_fd(r.outputs[0]), take_fd(r.outputs[1])},
		.forward = r.forward,
		.agents = r.agents,
	};

	code = run_loop(&loop, result, err);
	if (code == 0)
		result->oom = oom_watch_end(&oom, result->status);
	/* The forwarder uses a socket that goes with the process. */
	forward_free(take_ptr(r.forward));
	if (code == 0)
		sandbox_let_end(fs->sb, &r.launch);
	else if (err && (err->kind == ERROR_UNSUPPORTED || err->kind == ERROR_DENIED))
		probe_forget(fs->sb);
	return code;
}
