#include <stdio.h>

#include "base/alloc.h"
#include "cli/cmd.h"

static const struct command_usage usage = {
	.name = "version",
	.args = "",
	.summary = "Show the version",
};

int cmd_version(struct app *a, int argc, char **argv, struct error *err)
{
	AUTO(strlist) args = STRLIST_INIT;
	int parsed = options_parse(&usage, NULL, 0, argc, argv, &args, err);

	(void)a;
	if (parsed != 0)
		return parsed < 0 ? -1 : 0;
	printf("slipway version %s\n", SLIPWAY_VERSION);
	return 0;
}
