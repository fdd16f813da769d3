/*
 * slipway-init: the static program a sandboxed step starts with. Its first process joins the user namespace and makes
 * the others, its child is process 1 in there: it builds the root, leaves its privileges, starts the command, reaps,
 * and ends when the command ends. Whatever fails before the command runs is reported and ends the program.
 *
 * One file a subject: init_orders (what is asked), init_report (what is told), init_path (names inside the root),
 * init_mount (the mount calls), init_overlay (merged views), init_stubs (mount points the image lacks), init_dev
 * (/dev, /proc, /sys), init_source (what the step's own mounts show), init_root (the order of it all), init_user
 * (passwd, group), init_privileges (capabilities, filter, limits), init_exec (the command), init_reaper (process 1), init_net (loopback, connections for the forwarder).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "sandbox/orders.h"

#define INIT_MAX_LOWERS 490 /* the kernel's limit is 500 */
#define INIT_MAX_GROUPS 1024
#define INIT_PATH       4096

struct list {
	char **items; /* NULL-terminated; views into the orders */
	size_t n;
};

struct mount_order {
	uint32_t kind;
	struct order_mount_attr attr;
	const char *target, *source, *subpath, *scratch;
	struct list lowers;
	const void *data;
	size_t data_len;
	char *real; /* where target is: resolved, relative to the root */
};

struct orders {
	uint32_t task, flags;
	int userns_fd, control_fd, agent_fd, exec_fd;
	int *cgroup_fds;
	size_t n_cgroup_fds;
	const char *scratch, *upper, *work, *cwd, *user, *hostname;
	struct list lowers, args, env;
	const void *filter;
	size_t filter_len;
	uint64_t shm_size; /* 0: the usual one */
	struct order_limit *limits;
	size_t n_limits;
	struct mount_order *mounts;
	size_t n_mounts;
};

/* init_orders: reads the block; ends the program when it is malformed. */
void orders_read(struct orders *o, int fd);
void *init_alloc(size_t n, size_t size); /* zeroed; never NULL */
char *init_strdup(const char *s);

/* init_report */
void report_to(int control_fd);
/* One message, with a descriptor unless fd is -1; a failure shows at the other end. */
void send_with_fd(int socket_fd, const void *data, size_t len, int fd);
/* Reports "text: strerror(number)" and ends this process; number 0: text is all there is to say. */
_Noreturn void fail(enum stage stage, int number, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void report_value(enum report_kind kind, int value);
void report_fd(enum report_kind kind, int value, int fd);

/* init_path: names are resolved with rootfd as "/", links stay inside, links of /proc are refused. */
int open_in_root(int rootfd, const char *path, int flags);
int open_beneath(int dirfd, const char *path, int flags); /* no link at all is followed */
/*
 * Resolves path as far as it exists: *real is clean and relative ("" is the root itself), *missing tells where in it
 * the part begins that does not exist (strlen(*real) when all exists). Returns 0, or -1 with errno.
 */
int resolve_in_root(int rootfd, const char *path, char **real, size_t *missing);
/* mkdir -p of a relative path without links below dirfd, then, for a file, an empty file; an O_PATH descriptor, or -1. */
int make_beneath(int dirfd, const char *path, bool file, mode_t mode);
bool is_on_proc(int fd);
/* Is the clean relative path equal to dir or below it? */
bool path_below(const char *path, const char *dir);

/* init_mount: each returns a descriptor of a mount that is not attached anywhere yet, or -1 with errno. */
struct mount_option {
	const char *key, *value; /* value NULL: a flag */
};
int mount_fs(const char *type, const struct mount_option *options, size_t n, unsigned int attr);
const char *mount_fs_message(void); /* what the kernel said of the last failure; "" when nothing */
int mount_clone(int fd, bool recursive);
int mount_set(int mountfd, unsigned int attr,
	      bool recursive); /* adds MOUNT_ATTR_*, makes it private */
int mount_attach(int mountfd, int targetfd);

/* init_overlay */
struct overlay {
	struct list lowers; /* paths, topmost first */
	const char *upper, *work;
	const char *stubs; /* goes above the lowers, or NULL */
	bool userns, readonly;
	bool devices; /* device files in it work */
};
/* Mounts it on a folder of that name below scratchfd; a descriptor of its root, or -1 with errno. */
int overlay_mount(const struct overlay *ov, int scratchfd, const char *name);
/* Gives folder the owner, mode and time of like: the root of an overlay shows those of its upper folder. */
void folder_take_metadata(const char *folder, const struct stat *like);

/* init_stubs */
struct stub {
	const char *real; /* relative to the root */
	size_t missing;
	bool file;
};
/* Makes the mount points that the view lacks below stubsfd, with the metadata the parents have in the view. */
void stubs_make(int viewfd, int stubsfd, const struct stub *stubs, size_t n);

/* init_dev */
void dev_mount(int rootfd, const struct orders *o, int *tty_slave);
void proc_mount(int rootfd);
void sys_mount(int rootfd, const struct orders *o);
void masks_mount(int rootfd);
int open_target_dir(int rootfd, const char *name); /* not a link; ends the program otherwise */

/* init_source: what a mount of the step shows, ready to be attached. */
struct source {
	int fd; /* a mount not attached yet */
	bool is_file;
};
/* One for each of o->mounts. */
void sources_prepare(const struct orders *o, int scratchfd, struct source *sources);

/* init_root: mounts everything and makes it "/". Returns the terminal's slave side, or -1. */
int root_build(struct orders *o);

/* init_user */
struct user {
	uid_t uid;
	gid_t gid;
	gid_t groups[INIT_MAX_GROUPS];
	size_t n_groups;
	char home[INIT_PATH];
};
void user_find(struct user *u, int rootfd, const char *spec);

/* init_privileges */
/* Raises what only the privileged can; the command sets the rest itself. */
void limits_raise(const struct orders *o);
void drop_privileges(const struct orders *o);
/* Both sides of every limit that was asked for; async-signal-safe. Returns 0, or -1 with errno. */
int limits_set(const struct orders *o);

/* init_exec */
void enter_cwd(const char *cwd);
/* Starts the command in a child; returns its pid when it runs. */
pid_t command_start(struct orders *o, const struct user *u, int tty_slave);

/* init_reaper: serves until the command has ended and nothing is left, then ends the program. */
_Noreturn void reap(pid_t command, int control_fd);

/* init_net */
void loopback_up(void);
/* Answers requests for connections until the child ends; returns its wait status. */
int agent_serve(int agent_fd, pid_t child);
