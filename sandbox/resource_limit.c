#include "sandbox/resource_limit.h"

#include <string.h>
#include <sys/resource.h>

const char *const resource_limit_names[] = {
	"core",   "cpu",   "data", "fsize",  "locks",  "memlock",    "msgqueue", "nice",
	"nofile", "nproc", "rss",  "rtprio", "rttime", "sigpending", "stack",    NULL,
};

static const int resources[] = {
	RLIMIT_CORE,    RLIMIT_CPU,      RLIMIT_DATA,   RLIMIT_FSIZE,      RLIMIT_LOCKS,
	RLIMIT_MEMLOCK, RLIMIT_MSGQUEUE, RLIMIT_NICE,   RLIMIT_NOFILE,     RLIMIT_NPROC,
	RLIMIT_RSS,     RLIMIT_RTPRIO,   RLIMIT_RTTIME, RLIMIT_SIGPENDING, RLIMIT_STACK,
};

bool resource_limit_find(struct sandbox_limit *out, const char *name)
{
	for (int i = 0; resource_limit_names[i]; i++)
		if (strcmp(resource_limit_names[i], name) == 0) {
			out->name = resource_limit_names[i];
			out->resource = resources[i];
			return true;
		}
	return false;
}
