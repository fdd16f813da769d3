#include "sandbox/process_usage.h"

#include <fcntl.h>
#include <string.h>

#include "base/alloc.h"
#include "base/fs.h"

#define STAT_LIMIT 4096

/* proc(5), /proc/PID/stat: fields counted from 1; after the name in brackets comes field 3. */
enum { FIELD_PPID = 4, FIELD_UTIME = 14, FIELD_STIME, FIELD_CUTIME, FIELD_CSTIME, FIELD_RSS = 24 };

struct process {
	pid_t pid, ppid;
	int64_t ticks, pages;
	bool counted;
};

struct processes {
	const char *proc;
	struct process *all;
	size_t n, cap;
};

static bool parse(struct process *p, const char *text)
{
	const char *at = strrchr(text, ')');
	int64_t fields[FIELD_RSS + 1] = {0};

	if (!at)
		return false;
	/* The state of field 3 is a letter. */
	at = strchr(at + 1, ' ');
	at = at ? strchr(at + 1, ' ') : NULL;
	for (int i = FIELD_PPID; at && i <= FIELD_RSS; i++) {
		fields[i] = strtoll(at + 1, NULL, 10);
		at = strchr(at + 1, ' ');
	}
	p->ppid = (pid_t)fields[FIELD_PPID];
	p->ticks = fields[FIELD_UTIME] + fields[FIELD_STIME] + fields[FIELD_CUTIME] +
		   fields[FIELD_CSTIME];
	p->pages = fields[FIELD_RSS];
	return at != NULL;
}

static int add(void *arg, int dirfd, const char *entry, const struct stat *st, struct error *err)
{
	struct processes *list = arg;
	AUTO(strbuf) text = STRBUF_INIT;
	AUTO_FREE char *path = NULL;
	struct process p = {0};

	(void)dirfd;
	(void)st;
	(void)err;
	if (*entry < '0' || *entry > '9')
		return 0;
	path = xstrfmt("%s/%s/stat", list->proc, entry);
	p.pid = (pid_t)strtol(entry, NULL, 10);
	if (fs_read_file(path, &text, STAT_LIMIT, NULL) < 0 || !parse(&p, text.buf))
		return 0;
	GROW(list->all, list->n + 1, list->cap);
	list->all[list->n++] = p;
	return 0;
}

static bool is_counted(const struct processes *list, pid_t pid)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->all[i].pid == pid)
			return list->all[i].counted;
	return false;
}

bool process_usage_read(struct process_usage *out, const char *proc, pid_t root)
{
	struct processes list = {.proc = proc};
	const int64_t tick_ns = 1000000000ll / sysconf(_SC_CLK_TCK), page = sysconf(_SC_PAGESIZE);
	bool more = true;

	*out = (struct process_usage){0};
	fs_each_entry(AT_FDCWD, proc, add, &list, NULL);
	/* Children may stand before their parents when numbers have come round. */
	while (more) {
		more = false;
		for (size_t i = 0; i < list.n; i++) {
			struct process *p = &list.all[i];

			if (p->counted || (p->pid != root && !is_counted(&list, p->ppid)))
				continue;
			p->counted = more = true;
			out->cpu_ns += p->ticks * tick_ns;
			out->memory_bytes += p->pages * page;
			out->n_processes++;
		}
	}
	free(list.all);
	return out->n_processes > 0;
}
