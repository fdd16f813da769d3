#include "sandbox/init_notify.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What Docker gives a container: enough for package managers, nothing that reaches the host. */
static const unsigned int kept_caps[] = {
	CAP_CHOWN,   CAP_DAC_OVERRIDE, CAP_FSETID,      CAP_FOWNER,           CAP_MKNOD,
	CAP_NET_RAW, CAP_SETGID,       CAP_SETUID,      CAP_SETFCAP,          CAP_SETPCAP,
	CAP_KILL,    CAP_SYS_CHROOT,   CAP_AUDIT_WRITE, CAP_NET_BIND_SERVICE,
};

/* What a container without namespaces must not have: the ways out of a chroot, and devices. */
#define CHROOT_CAPS ((1ull << CAP_SYS_CHROOT) | (1ull << CAP_MKNOD))

/* optional: where no_new_privs is set, a capability that is not held does not come back. */
static void limit_bounding_set(uint64_t keep, bool optional)
{
	for (unsigned int cap = 0; cap < 64; cap++) {
		if (keep & (1ull << cap))
			continue;
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0) {
			if (errno == EINVAL)
				break;
			if (optional && errno == EPERM)
				return;
			fail(STAGE_PRIVILEGES, errno, "drop capability %u", cap);
		}
	}
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 && errno != EINVAL)
		fail(STAGE_PRIVILEGES, errno, "clear ambient capabilities");
}

static void limit_caps(uint64_t keep)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &head, data) < 0)
		fail(STAGE_PRIVILEGES, errno, "read capabilities");
	for (unsigned int i = 0; i < 2; i++) {
		data[i].permitted &= (uint32_t)(keep >> (32 * i));
		data[i].effective = data[i].permitted;
		data[i].inheritable = 0;
	}
	if (syscall(SYS_capset, &head, data) < 0)
		fail(STAGE_PRIVILEGES, errno, "drop capabilities");
}

static void load_filter(const struct orders *o)
{
	if (o->plain_filter_len > 0) {
		(void)notify_load(o, "", 1);
		return;
	}

	struct sock_fprog prog = {
		.len = (unsigned short)(o->filter_len / sizeof(struct sock_filter)),
		.filter = (struct sock_filter *)(uintptr_t)o->filter};

	if (o->filter_len == 0)
		return;
	/* The filter keeps programs from the kernel, not from each other: no speculation barriers for it. */
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &prog) <
		    0 &&
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0)
		fail(STAGE_FILTER, errno, "load the system call filter");
}

/*
 * Without namespaces a step sees the processes of the container, and those of a user without capabilities look the same as one
 * of its own. The second numbers are those of the 32-bit programs that the machine runs.
 */
static void refuse_tracing(void)
{
#if defined(__x86_64__)
	enum { READ_32 = 347, WRITE_32 = 348, NATIVE = AUDIT_ARCH_X86_64 };
#else
	enum { READ_32 = 376, WRITE_32 = 377, NATIVE = AUDIT_ARCH_AARCH64 };
#endif
	enum { PTRACE_32 = 26 };
	struct sock_filter rules[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)NATIVE, 0, 4),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ptrace, 7, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_process_vm_readv, 6, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_process_vm_writev, 5, 4),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PTRACE_32, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, READ_32, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, WRITE_32, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
	};
	const struct sock_fprog prog = {.len = sizeof(rules) / sizeof(rules[0]), .filter = rules};

	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &prog) <
	    0)
		fail(STAGE_FILTER, errno, "load the system call filter");
}

void keep_capabilities(uint64_t keep)
{
	limit_bounding_set(keep, false);
	limit_caps(keep);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		fail(STAGE_PRIVILEGES, errno, "set no_new_privs");
}

void drop_privileges(const struct orders *o)
{
	uint64_t keep = 0;

	/* A session keyring of its own: keys of the user who builds are not the step's. */
	(void)syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL);
	if (o->flags & FLAG_PRIVILEGED)
		return;
	for (size_t i = 0; i < sizeof(kept_caps) / sizeof(kept_caps[0]); i++)
		keep |= 1ull << kept_caps[i];
	keep |= o->add_caps;
	if (o->flags & FLAG_CHROOT) {
		/* Without CAP_SYS_ADMIN nothing else lets a filter be loaded: setuid programs have no effect here. */
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
			fail(STAGE_PRIVILEGES, errno, "set no_new_privs");
		if (!landlock_root())
			refuse_tracing();
		limit_bounding_set(keep & ~CHROOT_CAPS, true);
		limit_caps(keep & ~CHROOT_CAPS);
		load_filter(o);
		return;
	}
	limit_bounding_set(keep, false);
	if (o->flags & FLAG_SINGLE) {
		/*
		 * The filter answers capset itself there; without other ids, "no new privileges" takes nothing away. This process
		 * reads what processes ask that let nobody look into them, as sudo does; what it starts gets no more than the
		 * bounding set.
		 */
		limit_caps(keep | (1ull << CAP_SYS_PTRACE));
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
			fail(STAGE_PRIVILEGES, errno, "set no_new_privs");
		/* This process answers what the filter hands over, and is not to wait for itself. */
		if (o->plain_filter_len == 0 || (o->flags & FLAG_PROBE))
			load_filter(o);
		return;
	}
	/* Loaded while CAP_SYS_ADMIN is held: no_new_privs would break sudo and other setuid programs. */
	load_filter(o);
	limit_caps(keep);
}

/*
 * Only where the command becomes another program: this one still needs some of them. What root executes gets no more than the bounding
 * set has, and who is not root gets none.
 */
int capabilities_drop(const struct orders *o)
{
	const uint64_t last = 1ull << CAP_SETPCAP; /* without it no other can be dropped */

	for (unsigned int cap = 0; cap < 64; cap++)
		if ((o->drop_caps & ~last & (1ull << cap)) &&
		    prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0 && errno != EINVAL)
			return -1;
	if ((o->drop_caps & last) && prctl(PR_CAPBSET_DROP, CAP_SETPCAP, 0, 0, 0) < 0)
		return -1;
	errno = 0;
	return 0;
}

/* glibc names the first argument's type only with its own extensions. */
static int get_limit(uint32_t resource, struct rlimit *l)
{
	return (int)syscall(SYS_prlimit64, 0, resource, NULL, l);
}

static int set_limit(uint32_t resource, const struct rlimit *l)
{
	return (int)syscall(SYS_prlimit64, 0, resource, l, NULL);
}

void limits_raise(const struct orders *o)
{
	for (size_t i = 0; i < o->n_limits; i++) {
		struct order_limit *l = &o->limits[i];
		struct rlimit now, wanted;

		if (get_limit(l->resource, &now) < 0)
			fail(STAGE_PRIVILEGES, errno, "read a resource limit");
		if (l->hard <= now.rlim_max)
			continue;
		wanted = (struct rlimit){.rlim_cur = now.rlim_cur, .rlim_max = l->hard};
		if (set_limit(l->resource, &wanted) == 0)
			continue;
		warn("the limit %s stays at %llu: only the administrator of this machine may raise it",
		     l->name, (unsigned long long)now.rlim_max);
		l->hard = now.rlim_max;
		if (l->soft > l->hard)
			l->soft = l->hard;
	}
}

int limits_set(const struct orders *o)
{
	for (size_t i = 0; i < o->n_limits; i++) {
		const struct order_limit *l = &o->limits[i];
		const struct rlimit wanted = {.rlim_cur = l->soft, .rlim_max = l->hard};

		if (set_limit(l->resource, &wanted) < 0)
			return -1;
	}
	return 0;
}
