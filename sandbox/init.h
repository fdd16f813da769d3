/*
 * slipway-init: the static program a sandboxed step starts with. Its first process joins the user namespace and makes
 * the others, its child is process 1 in there: it builds the root, leaves its privileges, starts the command, reaps,
 * and ends when the command ends. Whatever fails before the command runs is reported and ends the program.
 *
 * One file a subject: init_orders (what is asked), init_report (what is told), init_path (names inside the root),
 * init_chroot (a root without namespaces), init_descent (its processes), init_landlock (a wall around it),
 * init_mount (the mount calls), init_overlay (merged views), init_stubs (mount points the image lacks), init_dev
 * (/dev, /proc, /sys), init_source (what the step's own mounts show), init_root (the order of it all), init_user
 * (passwd, group), init_notify (calls that the filter hands over), init_proc (a /proc that cannot be mounted), init_owner
 * (owners where there is one id: init_owner_mark, _make, _permit), init_identity (users there), init_record (owners of links), init_target
 * (files that calls name),
 * init_privileges (capabilities, filter, limits), init_exec (the command), init_reaper (process 1), init_programs
 * (further programs), init_net (loopback, connections for the forwarder), init_space
 * (namespaces that containers share).
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
	int *cgroup_fds, *namespace_fds, *ports;
	size_t n_cgroup_fds, n_namespace_fds, n_ports;
	const char *root; /* NULL: an overlay */
	int null_fd;      /* FLAG_CHROOT: /dev/null, opened before the root was entered */
	struct list secrets;
	const char *owners; /* FLAG_SINGLE */
	const char *scratch, *upper, *work, *cwd, *user, *hostname;
	struct list lowers, args, env;
	const void *filter, *plain_filter;
	size_t filter_len, plain_filter_len;
	uint64_t shm_size; /* 0: the usual one */
	uint64_t add_caps, drop_caps;
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
/* One message, with a descriptor unless fd is -1. Returns 0, or -1 with errno. */
int send_with_fd(int socket_fd, const void *data, size_t len, int fd);
/* From now on fail() speaks of the further program with this id. */
void report_of_program(uint32_t id);
void report_program(uint32_t id, int status);
/* Reports "text: strerror(number)" and ends this process; number 0: text is all there is to say. */
_Noreturn void fail(enum stage stage, int number, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The same for what does not end this process. */
void tell_failure(enum stage stage, int number, const char *text);
void warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void report_value(enum report_kind kind, int value);
void report_fd(enum report_kind kind, int value, int fd);
void report_text(enum report_kind kind, const char *text);

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
/* Makes them in the root itself, and reports each (REPORT_STUB): slipway takes them out when the step is over. */
void stubs_make_in(int rootfd, const struct stub *stubs, size_t n);

/* init_dev */
void dev_mount(int rootfd, const struct orders *o, int *tty_slave);
/* A new terminal of the devpts there: its master side. */
int terminal_open(int ptsfd, int *slave);
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
/* Leaves these (1 << CAP_...) for good; nothing that is executed gets more. */
void keep_capabilities(uint64_t keep);
/* Both sides of every limit that was asked for; async-signal-safe. Returns 0, or -1 with errno. */
int limits_set(const struct orders *o);

/* Those that the orders take away; async-signal-safe. Returns 0, or -1 with errno. */
int capabilities_drop(const struct orders *o);

/* init_landlock: what is outside of the root cannot be opened, traced, nor signalled, where the kernel knows how. False: it does not. */
bool landlock_root(void);

/* init_chroot */
/* The whole run; returns the exit code. */
int chroot_run(struct orders *o);

/* init_descent: processes by their parents, where no namespace holds them together. */
/* procfd: /proc. SIGKILL to all that descend from this process, once. */
void descendants_kill(int procfd);
/* -1: there is no such process. */
pid_t parent_of(int procfd, pid_t pid);
/* Until none is left; they are reaped. This process must be a subreaper. */
void descendants_end(int procfd);

/* init_exec */
void enter_cwd(const char *cwd);
/* Starts the command in a child; returns its pid when it runs. */
pid_t command_start(struct orders *o, const struct user *u, int tty_slave);

/* Becomes a further program of a running step, in a child of its first process; fds as of REQUEST_EXEC. */
_Noreturn void program_run(const struct orders *step, uint32_t id, const int fds[EXEC_FDS]);

/* init_programs: further programs that were asked for. */
void programs_start(const struct orders *step, const struct request *q, const int fds[EXEC_FDS]);
void programs_end(uint32_t id);
void programs_ended(pid_t pid, int status); /* any process that ended */

/* No namespace: what descends from this process is killed instead of all that it sees. */
void reap_descendants(int procfd);
/*
 * init_reaper: forks the process that becomes the reaper and reports its number. first must not return: it is given a handle of this process,
 * and an end of a pipe that is readable once the number was reported. stage, of: for the words of a failure.
 */
pid_t first_start(struct orders *o, enum stage stage, const char *of,
		  void (*first)(struct orders *o, int parent_fd, int announced_fd));
/* Serves until the command has ended and nothing is left, then ends the program. */
_Noreturn void reap(pid_t command, const struct orders *o);

/* init_net */
void loopback_up(void);
/* Every user of this network may listen below port 1024, as in docker's containers; best effort. */
void low_ports_open(void);
/* Makes the socket that REQUEST_CONNECT asks for and sends it. */
void connect_answer(int agent_fd, const struct request *q);
/* Answers requests for connections until the child ends; returns its wait status. */
int agent_serve(int agent_fd, pid_t child);

/* init_space: makes the namespaces, hands them and the listeners out, and answers until nobody asks any more. */
void space_serve(struct orders *o);
