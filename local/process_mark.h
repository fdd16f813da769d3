/* How a document names a process so that no later one of the same number is taken for it: {"pid", "start", "boot"}. */
#pragma once

#include <sys/types.h>

#include "base/json.h"

json_t *process_mark(pid_t pid); /* new reference */
/* The process when it is still that one, else 0. */
pid_t process_mark_living(const json_t *mark);
