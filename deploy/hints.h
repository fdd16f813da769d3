/* What the words of ECS about a stopped task mean for the one who deployed it (AWS's troubleshooting pages for stopped tasks). */
#pragma once

#include "base/json.h"

/* What is known of a failure; NULL or 0 where nothing is. */
struct failure_facts {
	const char *reason; /* stoppedReason, a container's reason or a service event's text */
	const char *log;    /* the last lines of the container's log */
	int exit_code;      /* -1: none */
};

/* What to try: a static sentence; NULL when nothing is known that helps. */
const char *failure_hint(const struct failure_facts *f);
/* "killed for using too much memory" for 137 ...; NULL when a number says nothing by itself. */
const char *exit_code_meaning(int code);
