#include "sandbox/init_identity.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define HANDLE         0x0517000000000000ull /* and the number of the identity */
#define MAX_IDENTITIES 4096
#define KEEP           ((uid_t)-1)

static const gid_t root_group[] = {0};
static const struct identity root = {.n_groups = 1, .groups = root_group};

static const struct identity *known[MAX_IDENTITIES];
static size_t n_known;

const struct identity *identity_of_process(pid_t pid)
{
	struct rlimit l;

	if (prlimit(pid, RLIMIT_RTTIME, NULL, &l) < 0 || l.rlim_cur < HANDLE ||
	    l.rlim_cur - HANDLE >= n_known)
		return &root;
	return known[l.rlim_cur - HANDLE];
}

const struct identity *identity_of(const struct call *c)
{
	return identity_of_process(c->pid);
}

bool identity_is_root(const struct identity *id)
{
	return id->fsuid == 0 && id->fsgid == 0;
}

bool identity_in_group(const struct identity *id, gid_t gid)
{
	if (gid == id->fsgid)
		return true;
	for (size_t i = 0; i < id->n_groups; i++)
		if (id->groups[i] == gid)
			return true;
	return false;
}

static bool same(const struct identity *a, const struct identity *b)
{
	return a->ruid == b->ruid && a->euid == b->euid && a->suid == b->suid &&
	       a->fsuid == b->fsuid && a->rgid == b->rgid && a->egid == b->egid &&
	       a->sgid == b->sgid && a->fsgid == b->fsgid && a->keeps_caps == b->keeps_caps &&
	       a->privileged == b->privileged && a->n_groups == b->n_groups &&
	       memcmp(a->groups, b->groups, a->n_groups * sizeof(*a->groups)) == 0;
}

/* Its number, by which it stays known; -1 when there are too many. */
static int number_of(const struct identity *id)
{
	struct identity *copy;
	gid_t *groups;

	for (size_t i = 0; i < n_known; i++)
		if (same(known[i], id))
			return (int)i;
	if (n_known == MAX_IDENTITIES)
		return -1;
	copy = init_alloc(1, sizeof(*copy));
	groups = init_alloc(id->n_groups + 1, sizeof(*groups));
	memcpy(groups, id->groups, id->n_groups * sizeof(*groups));
	*copy = *id;
	copy->groups = groups;
	known[n_known] = copy;
	return (int)n_known++;
}

static void take(pid_t pid, const struct identity *id)
{
	struct rlimit l;
	int number;

	if (same(id, identity_of_process(pid)))
		return;
	number = number_of(id);
	/* Where this fails (somebody lowered the hard limit) the caller stays who it is and believes otherwise, as little as that helps. */
	if (number < 0 || prlimit(pid, RLIMIT_RTTIME, NULL, &l) < 0)
		return;
	l.rlim_cur = HANDLE + (unsigned int)number;
	(void)prlimit(pid, RLIMIT_RTTIME, &l, NULL);
}

void identity_take(struct call *c, const struct identity *id)
{
	take(c->pid, id);
}

void identity_greet(pid_t child, const void *data, size_t len)
{
	static struct greeting g;

	if (len != sizeof(g))
		return;
	memcpy(&g, data, len);
	if (g.n_groups > INIT_MAX_GROUPS)
		return;
	take(child, &(struct identity){.ruid = g.uid,
				       .euid = g.uid,
				       .suid = g.uid,
				       .fsuid = g.uid,
				       .rgid = g.gid,
				       .egid = g.gid,
				       .sgid = g.gid,
				       .fsgid = g.gid,
				       .n_groups = g.n_groups,
				       .groups = g.groups});
}

static bool is_one_of(uint32_t wanted, uint32_t a, uint32_t b, uint32_t third)
{
	return wanted == KEEP || wanted == a || wanted == b || wanted == third;
}

/* One kind of id, users' or groups', with the kernel's rules (credentials(7)). */
struct ids {
	uint32_t real, effective, saved, fs;
};

static bool set_one(struct ids *i, uint32_t to, bool may)
{
	if (to == KEEP) {
		errno = EINVAL;
		return false;
	}
	if (!may && to != i->real && to != i->saved)
		return false;
	if (may)
		i->real = i->saved = to;
	i->effective = i->fs = to;
	return true;
}

static bool set_two(struct ids *i, uint32_t real, uint32_t effective, bool may)
{
	const uint32_t before = i->real;

	if (!may && (!is_one_of(real, i->real, i->effective, i->real) ||
		     !is_one_of(effective, i->real, i->effective, i->saved)))
		return false;
	i->real = real == KEEP ? i->real : real;
	i->effective = effective == KEEP ? i->effective : effective;
	if (real != KEEP || (effective != KEEP && effective != before))
		i->saved = i->effective;
	i->fs = i->effective;
	return true;
}

static bool set_three(struct ids *i, uint32_t real, uint32_t effective, uint32_t saved, bool may)
{
	if (!may && (!is_one_of(real, i->real, i->effective, i->saved) ||
		     !is_one_of(effective, i->real, i->effective, i->saved) ||
		     !is_one_of(saved, i->real, i->effective, i->saved)))
		return false;
	i->real = real == KEEP ? i->real : real;
	i->effective = effective == KEEP ? i->effective : effective;
	i->saved = saved == KEEP ? i->saved : saved;
	i->fs = i->effective;
	return true;
}

/* *result is what the call returns. */
static bool set_fs(struct ids *i, uint32_t to, bool may, int64_t *result)
{
	*result = i->fs;
	if (to != KEEP && (may || is_one_of(to, i->real, i->effective, i->saved)))
		i->fs = to;
	return true;
}

static bool set_groups(struct call *c, struct identity *id, bool may)
{
	static gid_t groups[INIT_MAX_GROUPS];
	const size_t n = (size_t)c->args[0];

	if (!may)
		return false;
	if (n > INIT_MAX_GROUPS) {
		errno = EINVAL;
		return false;
	}
	if (n > 0 && !call_read(c, c->args[1], groups, n * sizeof(*groups))) {
		errno = EFAULT;
		return false;
	}
	id->groups = groups;
	id->n_groups = n;
	return true;
}

static bool set_users(struct call *c, struct ids *i, bool may, int64_t *result)
{
	const uint32_t a = (uint32_t)c->args[0], b = (uint32_t)c->args[1];

	switch (c->number) {
	case SYS_setuid:
	case SYS_setgid:
		return set_one(i, a, may);
	case SYS_setreuid:
	case SYS_setregid:
		return set_two(i, a, b, may);
	case SYS_setresuid:
	case SYS_setresgid:
		return set_three(i, a, b, (uint32_t)c->args[2], may);
	default:
		return set_fs(i, a, may, result);
	}
}

static bool is_of_groups(int number)
{
	return number == SYS_setgid || number == SYS_setregid || number == SYS_setresgid ||
	       number == SYS_setfsgid;
}

void identity_set(struct call *c)
{
	struct identity id = *identity_of(c);
	const bool may = id.euid == 0 || id.privileged;
	const bool was_root = id.ruid == 0 || id.euid == 0 || id.suid == 0;
	struct ids users = {id.ruid, id.euid, id.suid, id.fsuid};
	struct ids groups = {id.rgid, id.egid, id.sgid, id.fsgid};
	int64_t result = 0;
	bool done;

	errno = EPERM;
	if (c->number == SYS_setgroups)
		done = set_groups(c, &id, may);
	else
		done = set_users(c, is_of_groups(c->number) ? &groups : &users, may, &result);
	if (!done) {
		call_error(c, errno);
		return;
	}
	id.ruid = users.real;
	id.euid = users.effective;
	id.suid = users.saved;
	id.fsuid = users.fs;
	id.rgid = groups.real;
	id.egid = groups.effective;
	id.sgid = groups.saved;
	id.fsgid = groups.fs;
	if (was_root && id.ruid != 0 && id.euid != 0 && id.suid != 0)
		id.privileged = id.keeps_caps;
	identity_take(c, &id);
	call_result(c, result);
}

static void get_three(struct call *c, uint32_t a, uint32_t b, uint32_t third)
{
	if (call_write(c, c->args[0], &a, sizeof(a)) && call_write(c, c->args[1], &b, sizeof(b)) &&
	    call_write(c, c->args[2], &third, sizeof(third)))
		call_result(c, 0);
	else
		call_error(c, EFAULT);
}

static void get_groups(struct call *c, const struct identity *id)
{
	const int size = (int)c->args[0];

	if (size < 0 || (size > 0 && (size_t)size < id->n_groups))
		call_error(c, EINVAL);
	else if (size > 0 && id->n_groups > 0 &&
		 !call_write(c, c->args[1], id->groups, id->n_groups * sizeof(*id->groups)))
		call_error(c, EFAULT);
	else
		call_result(c, (int64_t)id->n_groups);
}

void identity_get(struct call *c)
{
	const struct identity *id = identity_of(c);

	switch (c->number) {
	case SYS_getuid:
		call_result(c, id->ruid);
		break;
	case SYS_geteuid:
		call_result(c, id->euid);
		break;
	case SYS_getgid:
		call_result(c, id->rgid);
		break;
	case SYS_getegid:
		call_result(c, id->egid);
		break;
	case SYS_getresuid:
		get_three(c, id->ruid, id->euid, id->suid);
		break;
	case SYS_getresgid:
		get_three(c, id->rgid, id->egid, id->sgid);
		break;
	default:
		get_groups(c, id);
	}
}

/* The other end of a socket, as this process sees it by a copy of the caller's descriptor. */
static bool peer_of(const struct call *c, struct ucred *out)
{
	int process = (int)syscall(SYS_pidfd_open, call_process(c), 0), fd = -1;
	socklen_t len = sizeof(*out);
	bool found;

	if (process >= 0) {
		fd = (int)syscall(SYS_pidfd_getfd, process, (int)c->args[0], 0);
		close(process);
	}
	found = fd >= 0 && getsockopt(fd, SOL_SOCKET, SO_PEERCRED, out, &len) == 0;
	if (fd >= 0)
		close(fd);
	return found;
}

/* There is no such limit as far as the caller can see. */
void identity_limit(struct call *c)
{
	const struct rlimit none = {RLIM_INFINITY, RLIM_INFINITY};
	uint64_t out = c->number == SYS_prlimit64 ? c->args[3] : c->args[1];

#ifdef SYS_setrlimit
	if (c->number == SYS_setrlimit)
		out = 0;
#endif
	if (out && !call_write(c, out, &none, sizeof(none)))
		call_error(c, EFAULT);
	else
		call_result(c, 0);
}

void identity_keep_caps(struct call *c)
{
	struct identity id = *identity_of(c);

	id.keeps_caps = c->args[1] != 0;
	identity_take(c, &id);
}

void identity_peer(struct call *c)
{
	const struct identity *id;
	struct ucred peer;
	socklen_t len;

	if (n_known == 0 || (int)c->args[1] != SOL_SOCKET || (int)c->args[2] != SO_PEERCRED ||
	    !call_read(c, c->args[4], &len, sizeof(len)) || len < sizeof(peer) ||
	    !peer_of(c, &peer) || peer.pid <= 0)
		return;
	id = identity_of_process(peer.pid);
	peer.uid = id->euid;
	peer.gid = id->egid;
	len = sizeof(peer);
	if (call_write(c, c->args[3], &peer, sizeof(peer)) &&
	    call_write(c, c->args[4], &len, sizeof(len)))
		call_result(c, 0);
}
