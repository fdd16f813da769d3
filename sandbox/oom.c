#include "sandbox/oom.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "sandbox/cgroup.h"

#define FILE_LIMIT (64u << 10)

/* The line is spelled alike in memory.events, memory.oom_control and /proc/vmstat. */
static bool count_kills(const char *file, uint64_t *count)
{
	static const char key[] = "\noom_kill ";
	AUTO(strbuf) text = STRBUF_INIT;
	const char *at;

	strbuf_putc(&text, '\n');
	if (fs_read_file(file, &text, FILE_LIMIT, NULL) < 0)
		return false;
	at = strstr(text.buf, key);
	if (at)
		*count = strtoull(at + sizeof(key) - 1, NULL, 10);
	return at != NULL;
}

/* Takes the file; false when it has no count. */
static bool watch(struct oom_watch *w, char *file, enum oom_kill kind)
{
	AUTO_FREE char *mine = file;

	if (!mine || !count_kills(mine, &w->before))
		return false;
	w->file = take_ptr(mine);
	w->kind = kind;
	return true;
}

void oom_watch_start(struct oom_watch *w, const struct cgroup *step, const char *top)
{
	*w = (struct oom_watch){.kind = OOM_NONE};
	if (!watch(w, cgroup_memory_events(step), OOM_STEP) &&
	    !watch(w, cgroup_own_memory_events(top), OOM_GROUP))
		(void)watch(w, xstrfmt("%s/proc/vmstat", top), OOM_MACHINE);
}

enum oom_kill oom_watch_end(const struct oom_watch *w, int status)
{
	uint64_t now;

	if (!w->file || status == 0 || (w->kind != OOM_STEP && status != 128 + SIGKILL))
		return OOM_NONE;
	return count_kills(w->file, &now) && now > w->before ? w->kind : OOM_NONE;
}

void oom_watch_release(struct oom_watch *w)
{
	free(w->file);
	w->file = NULL;
}

const char *oom_text(enum oom_kill kill)
{
	switch (kill) {
	case OOM_STEP:
		return "the kernel killed a process of it for want of memory";
	case OOM_GROUP:
		return "perhaps for want of memory: meanwhile the kernel killed a process of this control group for that";
	case OOM_MACHINE:
		return "perhaps for want of memory: meanwhile the kernel killed a process of this machine for that";
	case OOM_NONE:
	default:
		return "";
	}
}
