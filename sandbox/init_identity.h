/*
 * Users where one id is all there is (rootless-single): who a process pretends to be. The kernel keeps for each process which of the
 * identities here is its own, in the soft limit RLIMIT_RTTIME, which has no effect on it but is passed on by fork, vfork, clone and exec; so
 * nothing has to be known of how processes come and go.
 */
#pragma once

#include "sandbox/init_notify.h"

struct identity {
	uid_t ruid, euid, suid, fsuid;
	gid_t rgid, egid, sgid, fsgid;
	bool keeps_caps; /* asked to stay privileged when it stops being root */
	bool privileged; /* and is, until it starts another program */
	size_t n_groups;
	const gid_t *groups; /* lives as long as the program */
};

/* The caller's; root's when it never became another. A view that lasts as long as the program. */
const struct identity *identity_of(const struct call *c);
const struct identity *identity_of_process(pid_t pid);
/* Is what it makes root's, and everything allowed? */
bool identity_is_root(const struct identity *id);
bool identity_in_group(const struct identity *id, gid_t gid);
/* The caller becomes that one. */
void identity_take(struct call *c, const struct identity *id);

/* What the child that becomes the command says of itself, for notify_greet(). */
struct greeting {
	uint32_t uid, gid, n_groups;
	gid_t groups[INIT_MAX_GROUPS];
};
void identity_greet(pid_t child, const void *data, size_t len);

/* The handlers of set*id(), get*id(), setgroups(), getgroups() by the kernel's names, SO_PEERCRED, the limit, and PR_SET_KEEPCAPS. */
void identity_get(struct call *c);
void identity_set(struct call *c);
void identity_peer(struct call *c);
void identity_limit(struct call *c);
void identity_keep_caps(struct call *c);
