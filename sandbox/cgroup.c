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
#define VMSTAT_LIMIT     (64u << 10)

struct cgroup {
	char *dir;
	int procs_fd;
};

static int write_text(const char *dir, const char *name, const char *text)
{
	AUTO_FREE char *path = xstrfmt("%s/%s", dir, name);
	AUTO_FD int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	return write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -1;
}

static struct cgroup *make_below(const char *parent, int64_t pids_max)
{
	static atomic_uint counter;
	AUTO_PTR(cgroup) c = xcalloc(1, sizeof(*c));
	AUTO_FREE char *procs = NULL;
	char limit[32];

	c->procs_fd = -1;
	c->dir = xstrfmt("%s/slipway-%d-%u", parent, (int)getpid(), atomic_fetch_add(&counter, 1));
	if (mkdir(c->dir, 0755) < 0) {
		free(take_ptr(c->dir));
		return NULL;
	}
	/* slipway-init's own two processes are in it too. */
	snprintf(limit, sizeof(limit), "%" PRId64, pids_max + 2);
	if (write_text(c->dir, "pids.max", limit) < 0)
		return NULL;
	procs = xstrfmt("%s/cgroup.procs", c->dir);
	c->procs_fd = open(procs, O_WRONLY | O_CLOEXEC);
	if (c->procs_fd < 0)
		return NULL;
	return take_ptr(c);
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

static struct cgroup *make_version_1(const char *membership, int64_t pids_max)
{
	AUTO_FREE char *path = own_path(membership, "pids");
	AUTO_FREE char *parent = NULL;

	if (!path)
		return NULL;
	parent = xstrfmt("/sys/fs/cgroup/pids%s", path);
	return make_below(parent, pids_max);
}

/* A group with members cannot hand controllers down, so beside our own one, where whoever delegated it allows that. */
static struct cgroup *make_version_2(const char *membership, int64_t pids_max)
{
	AUTO_FREE char *path = own_path(membership, "");
	struct cgroup *c = NULL;

	while (path && !c) {
		AUTO_FREE char *parent = xstrfmt("/sys/fs/cgroup%s", path);
		char *slash = strrchr(path, '/');

		c = make_below(parent, pids_max);
		if (!slash)
			break;
		if (slash == path && !path[1])
			break;
		slash[slash == path ? 1 : 0] = '\0';
	}
	return c;
}

void cgroup_open(struct cgroup **out, int64_t pids_max, struct reporter *r)
{
	AUTO(strbuf) membership = STRBUF_INIT;

	*out = NULL;
	if (fs_read_file("/proc/self/cgroup", &membership, MEMBERSHIP_LIMIT, NULL) == 0) {
		*out = make_version_1(membership.buf, pids_max);
		if (!*out)
			*out = make_version_2(membership.buf, pids_max);
	}
	if (!*out)
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
	order_u32(orders, ORDER_CGROUP_FD, (uint32_t)c->procs_fd);
	fds[0] = c->procs_fd;
	return 1;
}

void cgroup_free(struct cgroup *c)
{
	if (!c)
		return;
	if (c->procs_fd >= 0)
		close(c->procs_fd);
	if (c->dir) {
		/* Version 2 only; with version 1 the members are gone with their namespace. */
		(void)write_text(c->dir, "cgroup.kill", "1");
		/* The last member may still be on its way out. */
		for (int tries = 0; rmdir(c->dir) < 0 && errno == EBUSY && tries < 100; tries++)
			usleep(1000);
	}
	free(c->dir);
	free(c);
}

static uint64_t count_kills(void)
{
	static const char key[] = "oom_kill ";
	AUTO(strbuf) text = STRBUF_INIT;
	const char *at;

	if (fs_read_file("/proc/vmstat", &text, VMSTAT_LIMIT, NULL) < 0)
		return 0;
	at = strstr(text.buf, key);
	return at ? strtoull(at + sizeof(key) - 1, NULL, 10) : 0;
}

void oom_watch_start(struct oom_watch *w)
{
	w->before = count_kills();
}

bool oom_watch_hit(const struct oom_watch *w)
{
	return count_kills() > w->before;
}
