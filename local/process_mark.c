#include "local/process_mark.h"

#include <string.h>

#include "base/process.h"
#include "sandbox/boot.h"

json_t *process_mark(pid_t pid)
{
	return json_pack("{s:i, s:I, s:s}", "pid", (int)pid, "start",
			 (json_int_t)process_start_time(pid), "boot", boot_id());
}

pid_t process_mark_living(const json_t *mark)
{
	pid_t pid = (pid_t)json_integer_value(json_object_get(mark, "pid"));
	uint64_t start = (uint64_t)json_integer_value(json_object_get(mark, "start"));
	const char *then = json_string_value(json_object_get(mark, "boot"));

	if (pid <= 0 || start == 0 || !then || strcmp(then, boot_id()) != 0)
		return 0;
	return process_start_time(pid) == start ? pid : 0;
}
