#include "sandbox/init.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/seccomp.h>
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

static void limit_bounding_set(uint64_t keep)
{
	for (unsigned int cap = 0; cap < 64; cap++) {
		if (keep & (1ull << cap))
			continue;
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0) {
			if (errno == EINVAL)
				break;
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

void drop_privileges(const struct orders *o)
{
	uint64_t keep = 0;

	/* A session keyring of its own: keys of the user who builds are not the step's. */
	(void)syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL);
	if (o->flags & FLAG_PRIVILEGED)
		return;
	for (size_t i = 0; i < sizeof(kept_caps) / sizeof(kept_caps[0]); i++)
		keep |= 1ull << kept_caps[i];
	limit_bounding_set(keep);
	if (o->flags & FLAG_SINGLE) {
		/* The filter answers capset itself there; without other ids, "no new privileges" takes nothing away. */
		limit_caps(keep);
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
			fail(STAGE_PRIVILEGES, errno, "set no_new_privs");
		load_filter(o);
		return;
	}
	/* Loaded while CAP_SYS_ADMIN is held: no_new_privs would break sudo and other setuid programs. */
	load_filter(o);
	limit_caps(keep);
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
