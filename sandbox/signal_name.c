#include "sandbox/signal_name.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* glibc names SIGRTMIN and its followers by no function. */
static int real_time(const char *name)
{
	int base;
	long offset = 0;

	if (strncasecmp(name, "RTMIN", 5) == 0)
		base = SIGRTMIN;
	else if (strncasecmp(name, "RTMAX", 5) == 0)
		base = SIGRTMAX;
	else
		return -1;
	if (name[5])
		offset = strtol(name + 5, NULL, 10);
	return base + offset >= SIGRTMIN && base + offset <= SIGRTMAX ? base + (int)offset : -1;
}

int signal_number(const char *name)
{
	if (*name >= '0' && *name <= '9') {
		long number = strtol(name, NULL, 10);

		return number > 0 && number < NSIG ? (int)number : -1;
	}
	if (strncasecmp(name, "SIG", 3) == 0)
		name += 3;
	for (int sig = 1; sig < NSIG; sig++) {
		const char *known = sigabbrev_np(sig);

		if (known && strcasecmp(known, name) == 0)
			return sig;
	}
	return real_time(name);
}
