/*
 * What slipway tells slipway-init, and what it hears back. Orders are one block of records in a memory file whose
 * descriptor is argv[1]; reports are packets on a socket. Both programs are of one build, so numbers are native.
 *
 *	orders_u32(&o, ORDER_TASK, TASK_RUN);
 *	orders_str(&o, ORDER_LOWER, path);      repeated records keep their order
 *	orders_u32(&o, ORDER_MOUNT, kind);      the MOUNT_* records after it belong to this mount
 *	orders_seal(&o, &fd, err);
 *
 * This header is shared with slipway-init, which includes nothing of base/.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define SPACE_METADATA_ADDRESS "169.254.170.2"

struct order_head {
	uint32_t tag;
	uint32_t len; /* of the payload; the next record begins at the next multiple of 8 */
};

enum order_tag {
	ORDER_TASK,  /* u32, enum order_task */
	ORDER_FLAGS, /* u32, enum order_flag */
	ORDER_USERNS_FD,
	ORDER_CONTROL_FD,   /* reports go out and requests come in here */
	ORDER_AGENT_FD,     /* the outer process answers requests for connections here */
	ORDER_NAMESPACE_FD, /* repeated: joined instead of making one of its kind */
	ORDER_LISTEN,       /* TASK_SPACE, repeated: u32, a port at the metadata address */
	ORDER_CGROUP_FD,    /* repeated: a cgroup.procs file to enter by writing "0" */
	ORDER_EXEC_FD,      /* TASK_ENTER: the program */
	ORDER_ROOT,         /* the root of the step, whole: no overlay is mounted */
	ORDER_OWNERS,       /* FLAG_SINGLE: a file for owners of files that take no attribute */
	ORDER_SECRET,       /* repeated: a file in there that must not outlive slipway */
	ORDER_SCRATCH,      /* an empty folder to mount things on */
	ORDER_LOWER,        /* repeated, topmost first */
	ORDER_UPPER,
	ORDER_WORK,
	ORDER_ARG,
	ORDER_ENV,
	ORDER_CWD,
	ORDER_USER,
	ORDER_HOSTNAME,
	ORDER_ADD_CAPS,     /* u64 */
	ORDER_DROP_CAPS,    /* u64 */
	ORDER_SHM_SIZE,     /* u64, bytes of /dev/shm */
	ORDER_LIMIT,        /* repeated: struct order_limit */
	ORDER_PLAIN_FILTER, /* where no listener can be had; ORDER_FILTER then hands calls over */
	ORDER_FILTER,       /* struct sock_filter[] */
	ORDER_MOUNT,        /* u32, enum order_mount */
	MOUNT_TARGET,
	MOUNT_SOURCE,
	MOUNT_SUBPATH,
	MOUNT_LOWER,   /* repeated, topmost first: the source is the merged view of these */
	MOUNT_SCRATCH, /* a folder for the upper side of a throw-away overlay: writes are dropped */
	MOUNT_DATA,
	MOUNT_ATTR, /* struct order_mount_attr */
};

enum order_task { TASK_RUN, TASK_HOLD, TASK_ENTER, TASK_SPACE };

enum order_flag {
	FLAG_USERNS = 1, /* inside a user namespace */
	FLAG_SINGLE = 2, /* ... of one id: changes of ownership are answered, not made */
	FLAG_NETNS = 4,  /* not the host's network: a namespace of its own, unless it joins one */
	FLAG_TTY = 8,    /* make a terminal and send its master side */
	FLAG_READONLY = 16, /* the root */
	FLAG_PROBE = 32,    /* do everything but the command */
	FLAG_FRESH = 64,    /* the upper folder is new: it takes the metadata of the lower root */
	FLAG_PRIVILEGED = 128, /* every capability, nothing masked, devices work */
	FLAG_CHROOT =
		256, /* no namespaces and no mounts: ORDER_ROOT, and processes are found by descent */
};

enum order_mount { MOUNT_BIND, MOUNT_CACHE, MOUNT_HOST, MOUNT_TMPFS, MOUNT_FILE, MOUNT_SOCKET };

enum order_mount_flag {
	MOUNT_READONLY = 1,
	MOUNT_FILLED =
		2, /* a cache's folder was just made with content: it still takes owner and mode */
	MOUNT_TOP = 4, /* a bound folder shows mode instead of its own */
	MOUNT_OWN = 8, /* what is bound is the step's alone: writes to it go with it */
};

struct order_mount_attr {
	uint32_t flags;
	uint32_t mode, uid, gid;
	int64_t size; /* MOUNT_TMPFS: bytes, 0: no limit; MOUNT_SOCKET: which of them it is */
};

/* A resource limit of the command, as setrlimit() takes it. */
struct order_limit {
	uint32_t resource;
	char name[12]; /* for messages */
	uint64_t soft, hard;
};

/* Where the start failed: what a probe turns into advice. */
enum stage {
	STAGE_ORDERS,
	STAGE_USERNS,
	STAGE_NAMESPACES,
	STAGE_NETWORK,
	STAGE_PRIVATE,
	STAGE_SCRATCH,
	STAGE_OVERLAY,
	STAGE_ROOT,   /* a root that is bound instead of an overlay */
	STAGE_TARGET, /* a mount point inside the image */
	STAGE_PROC,
	STAGE_DEV,
	STAGE_SYS,
	STAGE_MOUNT, /* a mount of the step itself */
	STAGE_PIVOT,
	STAGE_CHROOT,
	STAGE_USER,
	STAGE_CWD,
	STAGE_PRIVILEGES,
	STAGE_FILTER,
	STAGE_EXEC,
	STAGE_FORK,
};

enum report_kind {
	REPORT_FAILED,    /* nothing ran: text says what was tried, number is errno or 0 */
	REPORT_WARNING,   /* text */
	REPORT_READY,     /* TASK_HOLD, TASK_SPACE: the namespaces exist */
	REPORT_NAMESPACE, /* TASK_SPACE: carries one to join; value: its CLONE_NEW flag */
	REPORT_PID,       /* value: the pid of the namespace's first process, as slipway sees it */
	REPORT_MASTER,    /* carries the terminal's master descriptor */
	REPORT_STUB, /* text: a mount point made in a root that is bound, as mount_points.h reads it */
	REPORT_LISTENER, /* carries the listening socket of a MOUNT_SOCKET or ORDER_LISTEN; value: which of them */
	REPORT_STARTED, /* the command runs */
	REPORT_EXITED,  /* value: its exit code or 128 + signal; every process of it is gone */
	REPORT_EXECUTED, /* a further program ended: value is its id, number its exit code or 128 + signal */
	REPORT_NOT_EXECUTED, /* as REPORT_FAILED, of a further program: value is its id */
};

struct report {
	uint32_t kind;
	uint32_t stage;
	int32_t number;
	int32_t value;
	char text[1008];
};

enum request_kind {
	REQUEST_SIGNAL,         /* value: sent to the command's process group */
	REQUEST_SIGNAL_COMMAND, /* value: sent to the command alone */
	REQUEST_KILL,           /* everything, at once */
	REQUEST_EXEC, /* a further program: id; carries its orders and its descriptors 0, 1, 2 */
	REQUEST_END_EXEC, /* SIGKILL to the further program with the id value */
	REQUEST_CONNECT,  /* to the agent: to port value of address; answered by struct answer */
};

#define EXEC_FDS 4 /* that a REQUEST_EXEC carries */

struct request {
	uint32_t kind;
	uint32_t value;
	uint32_t address; /* IPv4, as s_addr */
	uint64_t id;
};

/* Answer of the agent; the socket rides along when number is 0. */
struct answer {
	uint64_t id;
	int32_t number;
};
