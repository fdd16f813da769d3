#include "sandbox/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/fs.h"

#define MEMBERSHIP_LIMIT (64u << 10)

#define TOP              "/sys/fs/cgroup"

#define PREFIX           "slipway-"
#define PERIOD           100000 /* of limits on CPU, microseconds */

/* One folder; with version 1 each controller has a tree of its own. */
struct group {
	char *dir;
	int procs_fd;
	const char *controller; /* "memory"; NULL: all, version 2 */
};

struct cgroup {
	struct group groups[CGROUP_FDS];
	size_t n;
};

static int write_text(const char *dir, const char *name, const char *text)
{
	AUTO_FREE char *path = xstrfmt("%s/%s", dir, name);
	AUTO_FD int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	return write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -1;
}

static void group_release(struct group *g)
{
	if (g->procs_fd >= 0)
		close(g->procs_fd);
	if (g->dir) {
		/* Version 2 only; with version 1 the members are gone with their namespace. */
		(void)write_text(g->dir, "cgroup.kill", "1");
		/* The last member may still be on its way out. */
		for (int tries = 0; rmdir(g->dir) < 0 && errno == EBUSY && tries < 100; tries++)
			usleep(1000);
	}
	free(g->dir);
}
CLEANUP_RELEASE(group)

/* Makes a group in the folder parent, for one controller or all. */
static bool add_group(struct cgroup *c, const char *parent, const char *controller)
{
	static atomic_uint counter;
	AUTO(group) g = {.procs_fd = -1};
	AUTO_FREE char *dir = xstrfmt("%s/" PREFIX "%d-%u", parent, (int)getpid(),
				      atomic_fetch_add(&counter, 1));
	AUTO_FREE char *procs = xstrfmt("%s/cgroup.procs", dir);

	if (mkdir(dir, 0755) < 0)
		return false;
	g.dir = take_ptr(dir);
	g.procs_fd = open(procs, O_WRONLY | O_CLOEXEC);
	if (g.procs_fd < 0)
		return false;
	c->groups[c->n++] = (struct group){take_ptr(g.dir), take_fd(g.procs_fd),
					   .controller = controller};
	return true;
}

/* The path after the second colon of the line "N:controllers:PATH" for a controller ("": version 2). free() */
static char *own_path(const char *membership, const char *controller)
{
	const char *line = membership;

	while (*line) {
		size_t len = strcspn(line, "\n");
		const char *names = memchr(line, ':', len);
		const char *path = names ? memchr(names + 1, ':', len - (size_t)(names + 1 - line))
					 : NULL;

		if (path) {
			AUTO_FREE char *list = xstrndup(names + 1, (size_t)(path - names - 1));
			AUTO(strlist) items = STRLIST_INIT;

			strlist_split(&items, list, ',');
			if (strlist_has(&items, controller))
				return xstrndup(path + 1, len - (size_t)(path + 1 - line));
		}
		line += len + (line[len] == '\n');
	}
	return NULL;
}

/* Version 1: what a limit needs, each in its tree. Memory comes along always: it tells whether the kernel killed. */
static const struct {
	const char *controller;
	enum cgroup_limit limit;
} trees[] = {
	{"pids", CGROUP_PIDS},
	{"memory", CGROUP_MEMORY},
	{"cpu", CGROUP_CPU},
};

static unsigned int asked(const struct cgroup_limits *l)
{
	return (l->pids > 0 ? CGROUP_PIDS : 0u) | (l->memory > 0 ? CGROUP_MEMORY : 0u) |
	       (l->cpu > 0 ? CGROUP_CPU : 0u);
}

static const struct group *group_of(const struct cgroup *c, const char *controller)
{
	for (size_t i = 0; c && i < c->n; i++)
		if (!c->groups[i].controller || strcmp(c->groups[i].controller, controller) == 0)
			return &c->groups[i];
	return NULL;
}

static void add_version_1(struct cgroup *c, const char *membership, unsigned int wanted)
{
	for (size_t i = 0; i < ARRAY_SIZE(trees); i++) {
		AUTO_FREE char *path = own_path(membership, trees[i].controller);

		if (path && (trees[i].limit == CGROUP_MEMORY || (wanted & trees[i].limit))) {
			AUTO_FREE char *parent = xstrfmt(TOP "/%s%s", trees[i].controller, path);

			(void)add_group(c, parent, trees[i].controller);
		}
	}
}

/* Version 2: whether the group has what the limits need. */
static bool has_controllers(const struct group *g, unsigned int wanted)
{
	for (size_t i = 0; i < ARRAY_SIZE(trees); i++) {
		AUTO_FREE char *path = xstrfmt("%s/%s.max", g->dir, trees[i].controller);

		if ((wanted & trees[i].limit) && access(path, W_OK) < 0)
			return false;
	}
	return true;
}

/* A group with members cannot hand controllers down, so beside our own one, where whoever delegated it allows that. */
static void add_version_2(struct cgroup *c, const char *membership, unsigned int wanted)
{
	AUTO_FREE char *path = own_path(membership, "");

	while (path) {
		AUTO_FREE char *parent = xstrfmt(TOP "%s", path);
		char *slash = strrchr(path, '/');

		if (add_group(c, parent, NULL)) {
			if (has_controllers(&c->groups[0], wanted))
				break;
			group_release(&c->groups[--c->n]);
		}
		if (!slash || (slash == path && !path[1]))
			break;
		slash[slash == path ? 1 : 0] = '\0';
	}
}

static void add_within(struct cgroup *c, const struct cgroup *within)
{
	for (size_t i = 0; i < within->n; i++) {
		const struct group *g = &within->groups[i];

		/* One by one: a controller that is missing above refuses them all. */
		if (!g->controller)
			for (size_t k = 0; k < ARRAY_SIZE(trees); k++) {
				AUTO_FREE char *text = xstrfmt("+%s", trees[k].controller);

				(void)write_text(g->dir, "cgroup.subtree_control", text);
			}
		(void)add_group(c, g->dir, g->controller);
	}
}

static bool set(const struct cgroup *c, const char *controller, const char *name_1,
		const char *name_2, const char *value)
{
	const struct group *g = group_of(c, controller);

	return g && write_text(g->dir, g->controller ? name_1 : name_2, value) == 0;
}

static bool set_pids(const struct cgroup *c, int64_t n)
{
	char value[32];

	/* slipway-init's own two processes are in it too. */
	snprintf(value, sizeof(value), "%" PRId64, n + 2);
	return set(c, "pids", "pids.max", "pids.max", value);
}

static bool set_memory(const struct cgroup *c, int64_t bytes)
{
	const struct group *group = group_of(c, "memory");
	char value[32];

	snprintf(value, sizeof(value), "%" PRId64, bytes);
	if (!group || !set(c, "memory", "memory.limit_in_bytes", "memory.max", value))
		return false;
	/* Where swapping is accounted for: none of it. */
	(void)set(c, "memory", "memory.memsw.limit_in_bytes", "memory.swap.max",
		  group->controller ? value : "0");
	return true;
}

static bool set_cpu(const struct cgroup *c, int64_t units)
{
	int64_t quota = units * PERIOD / 1024;
	const struct group *g = group_of(c, "cpu");
	char value[64];

	/* The kernel takes no less than a millisecond. */
	if (quota < 1000)
		quota = 1000;
	if (g && !g->controller) {
		snprintf(value, sizeof(value), "%" PRId64 " %d", quota, PERIOD);
		return write_text(g->dir, "cpu.max", value) == 0;
	}
	snprintf(value, sizeof(value), "%" PRId64, quota);
	return set(c, "cpu", "cpu.cfs_quota_us", "", value);
}

unsigned int cgroup_open(struct cgroup **out, const struct cgroup *within,
			 const struct cgroup_limits *limits)
{
	AUTO(strbuf) membership = STRBUF_INIT;
	AUTO_PTR(cgroup) c = xcalloc(1, sizeof(*c));
	unsigned int unmet = asked(limits);

	*out = NULL;
	if (within) {
		add_within(c, within);
	} else if (fs_read_file("/proc/self/cgroup", &membership, MEMBERSHIP_LIMIT, NULL) == 0) {
		add_version_1(c, membership.buf, unmet);
		if (c->n == 0)
			add_version_2(c, membership.buf, unmet);
	}
	if (limits->pids > 0 && set_pids(c, limits->pids))
		unmet &= ~(unsigned int)CGROUP_PIDS;
	if (limits->memory > 0 && set_memory(c, limits->memory))
		unmet &= ~(unsigned int)CGROUP_MEMORY;
	if (limits->cpu > 0 && set_cpu(c, limits->cpu))
		unmet &= ~(unsigned int)CGROUP_CPU;
	if (c->n > 0)
		*out = take_ptr(c);
	return unmet;
}

size_t cgroup_orders(struct cgroup *c, struct order_block *orders, int *fds)
{
	if (!c)
		return 0;
	for (size_t i = 0; i < c->n; i++) {
		fds[i] = c->groups[i].procs_fd;
		order_u32(orders, ORDER_CGROUP_FD, (uint32_t)fds[i]);
	}
	return c->n;
}

/* free(); NULL when there is no such file. */
static char *events_in(const char *dir)
{
	static const char *const names[] = {"memory.events", "memory.oom_control"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char *path = xstrfmt("%s/%s", dir, names[i]);

		if (access(path, R_OK) == 0)
			return path;
		free(path);
	}
	return NULL;
}

char *cgroup_memory_events(const struct cgroup *c)
{
	for (size_t i = 0; c && i < c->n; i++) {
		char *found = events_in(c->groups[i].dir);

		if (found)
			return found;
	}
	return NULL;
}

char *cgroup_own_memory_events(const char *top)
{
	AUTO_FREE char *list = xstrfmt("%s/proc/self/cgroup", top);
	AUTO(strbuf) membership = STRBUF_INIT;
	AUTO_FREE char *path = NULL;
	AUTO_FREE char *dir = NULL;

	if (fs_read_file(list, &membership, MEMBERSHIP_LIMIT, NULL) < 0)
		return NULL;
	path = own_path(membership.buf, "memory");
	if (path) {
		dir = xstrfmt("%s" TOP "/memory%s", top, path);
		return events_in(dir);
	}
	path = own_path(membership.buf, "");
	dir = xstrfmt("%s" TOP "%s", top, path ? path : "");
	return events_in(dir);
}

void cgroup_free(struct cgroup *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->n; i++)
		group_release(&c->groups[i]);
	free(c);
}

/* A group that is not empty, or somebody else's, cannot be removed. */
static int sweep_one(void *arg, int dirfd, const char *entry, const struct stat *st,
		     struct error *err)
{
	long pid;

	(void)st;
	(void)err;
	if (!str_starts(entry, PREFIX))
		return 0;
	pid = strtol(entry + strlen(PREFIX), NULL, 10);
	if (pid <= 0 || (kill((pid_t)pid, 0) == 0 || errno != ESRCH))
		return 0;
	/* Groups of one task's containers are in that of the task. */
	if (!arg)
		fs_each_entry(dirfd, entry, sweep_one, (void *)(uintptr_t)entry, NULL);
	(void)unlinkat(dirfd, entry, AT_REMOVEDIR);
	return 0;
}

void cgroup_sweep(void)
{
	AUTO(strbuf) membership = STRBUF_INIT;

	if (fs_read_file("/proc/self/cgroup", &membership, MEMBERSHIP_LIMIT, NULL) < 0)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(trees); i++) {
		AUTO_FREE char *path = own_path(membership.buf, trees[i].controller);
		AUTO_FREE char *dir = path ? xstrfmt(TOP "/%s%s", trees[i].controller, path) : NULL;

		if (dir)
			fs_each_entry(AT_FDCWD, dir, sweep_one, NULL, NULL);
	}
	AUTO_FREE char *path = own_path(membership.buf, "");

	for (char *slash = path; slash;) {
		AUTO_FREE char *dir = xstrfmt(TOP "%s", path);

		fs_each_entry(AT_FDCWD, dir, sweep_one, NULL, NULL);
		slash = strrchr(path, '/');
		if (slash)
			*slash = '\0';
	}
}
