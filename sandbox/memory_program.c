#include "sandbox/memory_program.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "base/cleanup.h"
#include "base/fs.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x10u
#endif

/* The system may forbid files in memory to be executable unless asked for (vm.memfd_noexec). */
int memory_program_make(const char *name, const void *bytes, size_t len, struct error *err)
{
	AUTO_FD int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return error_errno(err, "make an executable file in memory");
	if (fs_write_all(fd, bytes, len, name, err) < 0)
		return -1;
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
		return error_errno(err, "seal the file in memory");
	return take_fd(fd);
}
