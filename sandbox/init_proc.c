/*
 * /proc where it cannot be mounted. Calls that name something below it are answered with the file of the outer /proc, opened
 * here, or with what stands for it; everything else goes on in the kernel.
 *
 * Never is a folder of the outer /proc handed out: it would lead out of the root. Folders are made in the root's own /proc, with
 * empty files for the names in them, and the kernel opens those; they go with everything that was put into the root.
 */
#include "sandbox/init_proc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool is_in(const char *name, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(name, list[i]) == 0)
			return true;
	return false;
}

/* Files of the machine; the step may read them in a container anyway. */
static const char *const global_files[] = {
	"cgroups",     "cmdline",     "consoles", "cpuinfo", "crypto",  "devices",  "diskstats",
	"execdomains", "filesystems", "loadavg",  "locks",   "meminfo", "misc",     "partitions",
	"stat",        "swaps",       "uptime",   "version", "vmstat",  "zoneinfo",
};

static const char *const process_files[] = {
	"auxv",          "cgroup",      "cmdline",    "comm",         "coredump_filter",
	"cpuset",        "environ",     "gid_map",    "io",           "limits",
	"loginuid",      "maps",        "numa_maps",  "oom_adj",      "oom_score",
	"oom_score_adj", "personality", "projid_map", "sched",        "schedstat",
	"sessionid",     "setgroups",   "smaps",      "smaps_rollup", "stack",
	"stat",          "statm",       "status",     "syscall",      "timers",
	"timerslack_ns", "uid_map",     "wchan",
};

static const char *const written_files[] = {"comm", "oom_adj", "oom_score_adj"};
static const char *const mount_files[] = {"mountinfo", "mounts"};
static const char *const process_links[] = {"cwd", "exe", "root"};

#define IN(name, list) is_in(name, list, sizeof(list) / sizeof((list)[0]))

bool proc_is_written(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && IN(slash + 1, written_files);
}

static bool is_number(const char *s)
{
	return *s && strspn(s, "0123456789") == strlen(s);
}

/* Cuts the first name off. */
static const char *cut(char **rest)
{
	char *name = *rest, *slash = strchr(name, '/');

	if (slash)
		*slash = '\0';
	*rest = slash ? slash + 1 : name + strlen(name);
	return name;
}

static enum proc_kind thread_kind(const char *name, char *rest)
{
	if (!*name)
		return PROC_FOLDER;
	if (strcmp(name, "fd") == 0 || strcmp(name, "fdinfo") == 0) {
		if (!*rest)
			return PROC_FOLDER;
		if (!is_number(rest))
			return PROC_MISSING;
		return name[2] ? PROC_FILE : PROC_DESCRIPTOR;
	}
	if (strcmp(name, "attr") == 0 && (!*rest || strcmp(rest, "current") == 0))
		return *rest ? PROC_FILE : PROC_FOLDER;
	if (strcmp(name, "net") == 0)
		return !*rest ? PROC_FOLDER : strchr(rest, '/') ? PROC_MISSING : PROC_FILE;
	if (*rest)
		return PROC_MISSING;
	if (IN(name, process_files))
		return PROC_FILE;
	if (IN(name, mount_files))
		return PROC_MOUNTS;
	return IN(name, process_links) ? PROC_LINK : PROC_MISSING;
}

static enum proc_kind process_kind(char *rest)
{
	const char *name = cut(&rest);

	if (strcmp(name, "task") != 0)
		return thread_kind(name, rest);
	if (!*rest)
		return PROC_FOLDER;
	name = cut(&rest);
	if (!is_number(name))
		return PROC_MISSING;
	name = cut(&rest);
	return strcmp(name, "net") == 0 ? PROC_MISSING : thread_kind(name, rest);
}

static bool is_ours(const char *number)
{
	pid_t pid = (pid_t)strtol(number, NULL, 10);

	for (int depth = 0; pid > 1 && depth < 1024; depth++) {
		pid_t parent = parent_of(notify_procfd(), pid);

		if (parent == getpid())
			return true;
		pid = parent;
	}
	return false;
}

enum proc_kind proc_kind(struct call *c, const char *path, char out[INIT_PATH])
{
	char text[INIT_PATH], *rest = text;
	const char *name;
	pid_t self;

	snprintf(text, sizeof(text), "%s", path);
	name = cut(&rest);
	out[0] = '\0';
	if (!*name)
		return PROC_FOLDER;
	if (strcmp(name, "self") == 0 || strcmp(name, "thread-self") == 0) {
		self = call_process(c);
		if (name[0] == 's')
			snprintf(out, INIT_PATH, "%d%s%s", (int)self, *rest ? "/" : "", rest);
		else
			snprintf(out, INIT_PATH, "%d/task/%d%s%s", (int)self, (int)c->pid,
				 *rest ? "/" : "", rest);
		if (!*rest)
			return PROC_SELF;
		snprintf(text, sizeof(text), "%s", out);
		rest = text;
		(void)cut(&rest);
		return process_kind(rest);
	}
	snprintf(out, INIT_PATH, "%s", path);
	if (is_number(name))
		return is_ours(name) ? process_kind(rest) : PROC_MISSING;
	if (strcmp(name, "sys") == 0)
		return PROC_SYSTEM;
	if (strcmp(name, "mounts") == 0 && !*rest)
		return PROC_MOUNTS;
	if (strcmp(name, "net") == 0) {
		snprintf(out, INIT_PATH, "%d/net%s%s", (int)c->pid, *rest ? "/" : "", rest);
		return *rest ? thread_kind(name, rest) : PROC_SELF;
	}
	return !*rest && IN(name, global_files) ? PROC_FILE : PROC_MISSING;
}
