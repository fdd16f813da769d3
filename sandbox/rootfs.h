/*
 * A root file system made of an image's layers and a writable folder above them: serves RUN, slipway run and later
 * the local task runner. Layers are extracted once into layers/MODE/CHAINID (a lock file each, .ok written last, after
 * syncfs); the writable folder is the change set.
 *
 *	rootfs_open(&fs, sb, layers, n, err);      extracts what is missing
 *	rootfs_run(fs, &spec, &result, err);
 *	rootfs_commit(fs, &options, &layer, err);  change set -> layer; its folder becomes layers/MODE/CHAINID
 *	rootfs_free(fs);                           drops the writable folder
 */
#pragma once

#include "oci/layer_writer.h"
#include "sandbox/oom.h"
#include "sandbox/sandbox.h"

struct rootfs_layer {
	struct descriptor *descriptor; /* views: the caller keeps them during the call */
	const struct digest *diff_id;
};

struct rootfs;
int rootfs_open(struct rootfs **out, struct sandbox *sb, const struct rootfs_layer *layers,
		size_t n, struct error *err);
/* Makes what a step needs, which its first run does otherwise. A layer that is extracted gets its path index as well. */
int rootfs_prepare(struct rootfs *fs, struct error *err);
int rootfs_commit(struct rootfs *fs, const struct layer_options *o, struct layer *out,
		  struct error *err);
void rootfs_free(struct rootfs *fs);

enum sandbox_mount_kind {
	SANDBOX_MOUNT_BIND, /* a folder or file; when writable, writes go to a throw-away overlay */
	SANDBOX_MOUNT_CACHE, /* a folder of ours, written through */
	SANDBOX_MOUNT_HOST,  /* slipway run -v: a host path, written through unless readonly */
	SANDBOX_MOUNT_TMPFS,
	SANDBOX_MOUNT_AGENT, /* a socket that leads to the SSH agent at source_dir; see agent_proxy.h */
	SANDBOX_MOUNT_DATA, /* a file with these bytes, on a private tmpfs, never on disk (secrets, CA bundle) */
};

struct sandbox_mount {
	enum sandbox_mount_kind kind;
	const char *target;     /* absolute; links resolve inside the root */
	const char *source_dir; /* BIND, CACHE, HOST: folder (or file, for HOST); AGENT: socket */
	const struct rootfs_layer *
		layers; /* BIND instead of source_dir: another image's merged view; CACHE: what a new folder holds */
	size_t n_layers;
	const char *
		subpath; /* BIND, CACHE: inside the source, resolved as its own root; NULL: all of it */
	bool readonly;
	int64_t size; /* TMPFS: bytes, 0: no limit */
	mode_t mode;  /* TMPFS, DATA, AGENT, CACHE when its folder is made, BIND with top */
	bool top;     /* BIND of a folder: it shows this mode instead of its own */
	uid_t uid;
	gid_t gid;
	const void *data; /* DATA */
	size_t data_len;
};

struct cgroup;
struct space;

enum sandbox_network { SANDBOX_NETWORK_HOST, SANDBOX_NETWORK_NONE, SANDBOX_NETWORK_PORTS };

struct sandbox_port {
	const char *host_ip; /* NULL: 127.0.0.1 */
	uint16_t host_port;  /* 0: any free one; set to the one taken */
	uint16_t container_port;
};

struct sandbox_limit {
	const char *name;    /* "nofile", for messages */
	int resource;        /* RLIMIT_* */
	uint64_t soft, hard; /* RLIM_INFINITY: none */
};

struct run_control;

struct run_spec {
	char *const *argv;
	char *const
		*env; /* whole environment of the process; HOME is added from passwd when missing */
	const char *cwd; /* NULL: "/"; created when missing (0755) */
	const char *
		user; /* "", "name", "uid", "user:group": resolved in the root's passwd and group */
	const char *hostname;
	const struct strlist *add_hosts; /* "name:ip" */
	enum sandbox_network network;
	struct sandbox_port
		*ports; /* SANDBOX_NETWORK_PORTS: own network namespace with a forwarder */
	size_t n_ports;
	/*
	 * The namespaces of network, IPC and host name it joins, of the same sandbox; network is then SANDBOX_NETWORK_NONE and hostname not looked at.
	 * NULL: it has its own.
	 */
	const struct space *space;
	const struct sandbox_mount *mounts;
	size_t n_mounts;
	bool readonly_root;
	bool tty;     /* a pseudo terminal, for run -t */
	int stdin_fd; /* -1: empty */
	/* Best effort through control groups; each 0: none. */
	int64_t pids_max;
	int64_t memory_max; /* bytes */
	int64_t cpu_max;    /* units of 1/1024 CPU */
	const struct cgroup *
		group; /* the step's own is in this one, which may have limits for all in it; NULL: in none */
	int64_t shm_size; /* bytes of /dev/shm; 0: 64 MiB */
	const struct sandbox_limit *limits;
	size_t n_limits;
	/* All capabilities, no system call filter, nothing masked, device files work. Root mode only: else ERROR_UNSUPPORTED. */
	bool privileged;
	/* Output of the process; NULL with pass_fds: descriptors 1 and 2 of slipway go straight to it. */
	void (*output)(void *arg, int fd, const void *data, size_t len);
	void *arg;
	bool pass_fds;
	/* A signal that asks us to end goes to the process, whose exit code then counts; the third one kills it. */
	bool pass_signals;
	uint64_t add_caps, drop_caps; /* 1 << CAP_..: more, or fewer, than usual */
	/* NULL: nobody else asks anything of it; see run_control.h. With one, a signal to us does not end the process: that is left to who has the control. */
	struct run_control *control;
	/*
	 * Called once when the process runs and its ports are open. pid is that of the first process of its pid
	 * namespace: signals to it are passed on to the process, and with it everything in there ends.
	 */
	void (*started)(void *arg, pid_t pid);
};

struct run_result {
	int status;        /* exit code, or 128 + signal */
	enum oom_kill oom; /* whether the kernel killed it for want of memory */
};

/*
 * Runs to the end: result->status is the process's code; an error is ERROR_STEP only for what the process could not
 * even start with (127 not found, 126 not executable, in err->status), ERROR_CANCELLED after a signal (it is passed
 * on to the process; SIGKILL after 5 seconds or at the second one), else ours. When it returns all descendants are
 * dead, the output is delivered and nobody writes to the root any more. The mounts belong to a namespace that is
 * gone a moment later; sandbox_free() waits for that.
 */
int rootfs_run(struct rootfs *fs, const struct run_spec *spec, struct run_result *result,
	       struct error *err);

CLEANUP_FREE(rootfs)
