#include "sandbox/userns.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/process.h"
#include "sandbox/subid.h"

#define ID_FILE_LIMIT (16u << 20)
#define TOOL_TIMEOUT  30000 /* ms: these ask the name service, which may be slow */

/* The user's name by /etc/passwd: the C library's name service would load code into a static program. NULL: none. */
static char *user_name(void)
{
	AUTO(strbuf) text = STRBUF_INIT;

	if (fs_read_file("/etc/passwd", &text, ID_FILE_LIMIT, NULL) < 0)
		return NULL;
	return passwd_name_of(text.buf, getuid());
}

static int read_ranges(struct subid_ranges *r, const char *file, const char *name,
		       struct error *err)
{
	AUTO(strbuf) text = STRBUF_INIT;
	AUTO_FREE char *shown = name ? xstrdup(name) : xstrfmt("%u", getuid());

	if (fs_read_file(file, &text, ID_FILE_LIMIT, NULL) == 0)
		subid_parse(r, text.buf, name, getuid());
	if (r->n > 0)
		return 0;
	error_set(err, ERROR_UNSUPPORTED, "%s gives user %s no ids", file, shown);
	return error_hint(
		err, "as root: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 %s",
		shown);
}

static int run_tool(struct sandbox *sb, const char *tool, pid_t pid, const struct strlist *map,
		    struct error *err)
{
	AUTO(strlist) argv = STRLIST_INIT;
	AUTO(strbuf) out = STRBUF_LIMIT(4096);
	AUTO(error) why = ERROR_INIT;
	struct process_options p = {.path = tool};
	int status;

	strlist_add(&argv, tool);
	strlist_addf(&argv, "%d", (int)pid);
	strlist_copy(&argv, map);
	p.argv = argv.items;
	p.envp = sb->has_helper_env ? sb->helper_env.items : NULL;
	p.stdin_fd = p.stdout_fd = p.stderr_fd = -1;
	if (process_capture(&p, NULL, 0, NULL, &out, TOOL_TIMEOUT, sb->cancel, &status, &why) < 0) {
		if (why.kind != ERROR_NOT_FOUND)
			return error_move(err, &why);
		error_set(err, ERROR_UNSUPPORTED, "the program %s is not installed", tool);
		return error_hint(err,
				  "install the package uidmap (Debian, Ubuntu) or shadow-utils");
	}
	strbuf_trim(&out);
	if (status == 0)
		return 0;
	error_set(err, ERROR_UNSUPPORTED, "%s failed: %s", tool,
		  out.len ? out.buf : "no reason given");
	return error_hint(
		err,
		"it must be setuid root or have file capabilities, and the ids must be those of /etc/subuid and /etc/subgid");
}

static int map_ranges(struct sandbox *sb, pid_t pid, struct error *err)
{
	AUTO_FREE char *name = user_name();
	AUTO(subid_ranges) uids = {0};
	AUTO(subid_ranges) gids = {0};
	AUTO(strlist) uid_map = STRLIST_INIT;
	AUTO(strlist) gid_map = STRLIST_INIT;

	if (read_ranges(&uids, "/etc/subuid", name, err) < 0 ||
	    read_ranges(&gids, "/etc/subgid", name, err) < 0)
		return -1;
	subid_map(&uids, getuid(), &uid_map);
	subid_map(&gids, getgid(), &gid_map);
	if (run_tool(sb, "newgidmap", pid, &gid_map, err) < 0 ||
	    run_tool(sb, "newuidmap", pid, &uid_map, err) < 0)
		return -1;
	return 0;
}

static int write_proc(pid_t pid, const char *name, const char *text, struct error *err)
{
	AUTO_FREE char *path = xstrfmt("/proc/%d/%s", (int)pid, name);
	AUTO_FD int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		return error_errno(err, "write %s", path);
	return 0;
}

static int map_single(pid_t pid, struct error *err)
{
	AUTO_FREE char *uid = xstrfmt("0 %u 1\n", geteuid());
	AUTO_FREE char *gid = xstrfmt("0 %u 1\n", getegid());

	if (write_proc(pid, "uid_map", uid, err) < 0 ||
	    write_proc(pid, "setgroups", "deny", err) < 0 ||
	    write_proc(pid, "gid_map", gid, err) < 0)
		return -1;
	return 0;
}

static int await_ready(const struct launch *l, struct error *err)
{
	struct report r;
	int fd, got = launch_receive(l->control_fd, true, &r, &fd);

	if (fd >= 0)
		close(fd);
	if (got > 0 && r.kind == REPORT_FAILED)
		return launch_failed(&r, err);
	if (got <= 0 || r.kind != REPORT_READY)
		return error_set(err, ERROR_SYSTEM,
				 "make a user namespace: its process ended without a word");
	return 0;
}

int userns_make(struct sandbox *sb, enum sandbox_mode mode, int *fd, struct error *err)
{
	AUTO(order_block) orders = ORDER_BLOCK_INIT;
	AUTO(launch) l = LAUNCH_INIT;
	const struct launch_options o = {.stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1};
	AUTO_FREE char *path = NULL;

	order_u32(&orders, ORDER_TASK, TASK_HOLD);
	if (launch_init(&l, sb, &orders, &o, err) < 0 || await_ready(&l, err) < 0)
		return -1;
	if (mode == SANDBOX_ROOTLESS_SUBUID ? map_ranges(sb, l.pid, err) < 0
					    : map_single(l.pid, err) < 0)
		return -1;
	path = xstrfmt("/proc/%d/ns/user", (int)l.pid);
	*fd = open(path, O_RDONLY | O_CLOEXEC);
	if (*fd < 0)
		return error_errno(err, "open the user namespace");
	return 0;
}
