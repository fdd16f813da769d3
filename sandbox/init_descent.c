#include "sandbox/init.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct process {
	pid_t pid, parent;
	bool ours;
};

struct processes {
	struct process *items;
	size_t n, cap;
};

/* The parent by /proc/PID/stat, whose second field may hold anything between its outermost parentheses. -1: gone. */
pid_t parent_of(int procfd, pid_t pid)
{
	char name[32], text[512];
	const char *end;
	ssize_t n;
	int fd;

	snprintf(name, sizeof(name), "%d/stat", (int)pid);
	fd = openat(procfd, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return -1;
	text[n] = '\0';
	end = strrchr(text, ')');
	return end && strlen(end) > 4 ? (pid_t)strtol(end + 4, NULL, 10) : -1;
}

static void add(struct processes *l, pid_t pid, pid_t parent)
{
	if (l->n == l->cap) {
		size_t cap = l->cap * 2 + 256;
		struct process *items = realloc(l->items, cap * sizeof(*items));

		if (!items)
			return;
		l->items = items;
		l->cap = cap;
	}
	l->items[l->n++] = (struct process){.pid = pid, .parent = parent};
}

static int compare(const void *a, const void *b)
{
	pid_t x = ((const struct process *)a)->pid, y = ((const struct process *)b)->pid;

	return (x > y) - (x < y);
}

/* By number, which is by age but for numbers that are given again. */
static void list_all(int procfd, struct processes *l)
{
	int copy = openat(procfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *e;

	if (!dir) {
		if (copy >= 0)
			close(copy);
		return;
	}
	while ((e = readdir(dir))) {
		pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);

		if (pid > 0)
			add(l, pid, parent_of(procfd, pid));
	}
	closedir(dir);
	if (l->n > 1)
		qsort(l->items, l->n, sizeof(*l->items), compare);
}

static bool is_ours(const struct processes *l, pid_t pid)
{
	const struct process key = {.pid = pid};
	const struct process *found;

	if (pid == getpid())
		return true;
	found = l->n ? bsearch(&key, l->items, l->n, sizeof(key), compare) : NULL;
	return found && found->ours;
}

/* Parents with later numbers stand behind their children: until nothing new is found. */
static void mark_descendants(struct processes *l)
{
	for (bool found = true; found;) {
		found = false;
		for (size_t i = 0; i < l->n; i++)
			if (!l->items[i].ours && is_ours(l, l->items[i].parent))
				l->items[i].ours = found = true;
	}
}

/* The number may belong to somebody else by now: a handle is taken first, and the parent looked at once more. */
static void send(int procfd, const struct process *p, int sig)
{
	int fd = (int)syscall(SYS_pidfd_open, p->pid, 0);

	if (fd < 0)
		return;
	if (parent_of(procfd, p->pid) == p->parent || parent_of(procfd, p->pid) == getpid())
		(void)syscall(SYS_pidfd_send_signal, fd, sig, NULL, 0);
	close(fd);
}

void descendants_kill(int procfd)
{
	struct processes l = {NULL, 0, 0};

	list_all(procfd, &l);
	mark_descendants(&l);
	/* Stopped first, so that none starts another meanwhile. */
	for (size_t i = 0; i < l.n; i++)
		if (l.items[i].ours)
			send(procfd, &l.items[i], SIGSTOP);
	for (size_t i = 0; i < l.n; i++)
		if (l.items[i].ours)
			send(procfd, &l.items[i], SIGKILL);
	free(l.items);
}

void descendants_end(int procfd)
{
	for (;;) {
		pid_t pid = waitpid(-1, NULL, WNOHANG);

		if (pid > 0)
			continue;
		if (pid < 0 && errno == ECHILD)
			return;
		/* Orphans come to this process, so that some child is left as long as any descendant is. */
		descendants_kill(procfd);
		(void)waitpid(-1, NULL, 0);
	}
}
