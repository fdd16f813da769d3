#include <stdio.h>

#include "base/alloc.h"
#include "cli/cmd.h"

#ifdef SLIPWAY_STATIC
#define LINKED "static"
#else
#define LINKED "dynamic"
#endif

static const struct command_usage usage = {
	.name = "version",
	.args = "",
	.summary = "Show the version, and whether the program is static",
};

int cmd_version(struct app *a, int argc, char **argv, struct error *err)
{
	AUTO(strlist) args = STRLIST_INIT;
	int parsed = options_parse(&usage, NULL, 0, argc, argv, &args, err);

	(void)a;
	if (parsed != 0)
		return parsed < 0 ? -1 : 0;
	printf("slipway version %s, %s\n", SLIPWAY_VERSION, LINKED);
	return 0;
}
