#include "sandbox/init.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * Landlock (Documentation/userspace-api/landlock.rst): a second wall behind the chroot. Declared here, since the headers of a
 * build machine may be older than the kernel that the program runs on.
 */
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule       445
#define SYS_landlock_restrict_self  446
#endif

#define CREATE_VERSION  1u
#define RULE_PATH       1
#define SCOPE_ABSTRACT  1u
#define SCOPE_SIGNAL    2u
#define ABI_WITH_REFER  2 /* before, a name could not move from one folder to another */
#define ABI_WITH_SCOPES 6

struct ruleset {
	uint64_t files, network, scoped;
};

struct path_rule {
	uint64_t allowed;
	int32_t parent;
} __attribute__((packed));

/* The rights on files that each version of the interface knows; version 4 brought none. */
static uint64_t rights_of(long abi)
{
	unsigned int n = abi >= 5 ? 16 : abi >= 3 ? 15 : 14;

	return (1ull << n) - 1;
}

bool landlock_root(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_VERSION);
	struct ruleset set = {.files = 0};
	struct path_rule rule = {.parent = -1};
	int fd;

	if (abi < ABI_WITH_REFER)
		return false;
	set.files = rights_of(abi);
	if (abi >= ABI_WITH_SCOPES)
		set.scoped = SCOPE_ABSTRACT | SCOPE_SIGNAL;
	/* An older kernel refuses fields that it does not know. */
	fd = (int)syscall(SYS_landlock_create_ruleset, &set,
			  abi >= ABI_WITH_SCOPES ? sizeof(set) : sizeof(set.files), 0);
	rule.allowed = set.files;
	rule.parent = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || rule.parent < 0 ||
	    syscall(SYS_landlock_add_rule, fd, RULE_PATH, &rule, 0) < 0 ||
	    syscall(SYS_landlock_restrict_self, fd, 0) < 0)
		fail(STAGE_CHROOT, errno, "keep the step inside its root by Landlock");
	close(rule.parent);
	close(fd);
	return true;
}
