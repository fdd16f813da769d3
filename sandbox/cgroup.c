#include "sandbox/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/fs.h"

#define MEMBERSHIP_LIMIT (64u << 10)

#define TOP              "/sys/fs/cgroup"

/* One folder; with version 1 each controller has a tree of its own. */
struct group {
	char *dir;
	int procs_fd;
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

/* pids_max < 0: no limit. */
static bool add_group(struct cgroup *c, const char *parent, int64_t pids_max)
{
	static atomic_uint counter;
	AUTO(group) g = {.procs_fd = -1};
	AUTO_FREE char *dir = xstrfmt("%s/slipway-%d-%u", parent, (int)getpid(),
				      atomic_fetch_add(&counter, 1));
	AUTO_FREE char *procs = xstrfmt("%s/cgroup.procs", dir);
	char limit[32];

	if (mkdir(dir, 0755) < 0)
		return false;
	g.dir = take_ptr(dir);
	/* slipway-init's own two processes are in it too. */
	snprintf(limit, sizeof(limit), "%" PRId64, pids_max + 2);
	if (pids_max >= 0 && write_text(g.dir, "pids.max", limit) < 0)
		return false;
	g.procs_fd = open(procs, O_WRONLY | O_CLOEXEC);
	if (g.procs_fd < 0)
		return false;
	c->groups[c->n++] = (struct group){take_ptr(g.dir), take_fd(g.procs_fd)};
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

/* A group for memory comes along, which has no limit but tells whether the kernel killed in it. */
static bool add_version_1(struct cgroup *c, const char *membership, int64_t pids_max)
{
	AUTO_FREE char *pids = own_path(membership, "pids");
	AUTO_FREE char *memory = own_path(membership, "memory");

	if (pids) {
		AUTO_FREE char *parent = xstrfmt(TOP "/pids%s", pids);

		if (!add_group(c, parent, pids_max))
			return false;
	}
	if (pids && memory) {
		AUTO_FREE char *parent = xstrfmt(TOP "/memory%s", memory);

		(void)add_group(c, parent, -1);
	}
	return pids != NULL;
}

/* A group with members cannot hand controllers down, so beside our own one, where whoever delegated it allows that. */
static bool add_version_2(struct cgroup *c, const char *membership, int64_t pids_max)
{
	AUTO_FREE char *path = own_path(membership, "");

	while (path) {
		AUTO_FREE char *parent = xstrfmt(TOP "%s", path);
		char *slash = strrchr(path, '/');

		if (add_group(c, parent, pids_max))
			return true;
		if (!slash)
			break;
		if (slash == path && !path[1])
			break;
		slash[slash == path ? 1 : 0] = '\0';
	}
	return false;
}

void cgroup_open(struct cgroup **out, int64_t pids_max, struct reporter *r)
{
	AUTO(strbuf) membership = STRBUF_INIT;
	AUTO_PTR(cgroup) c = xcalloc(1, sizeof(*c));

	*out = NULL;
	if (fs_read_file("/proc/self/cgroup", &membership, MEMBERSHIP_LIMIT, NULL) == 0 &&
	    (add_version_1(c, membership.buf, pids_max) ||
	     add_version_2(c, membership.buf, pids_max)))
		*out = take_ptr(c);
	else
		report_log(
			r, LOG_WARNING,
			"the limit of %" PRId64
			" processes is not enforced: this machine lets slipway make no control group",
			pids_max);
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
