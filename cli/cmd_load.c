#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "cli/cmd.h"
#include "oci/archive.h"

static const struct command_usage usage = {
	.name = "load",
	.args = "[OPTIONS]",
	.summary = "Load images from an archive (docker save, OCI, compressed or not)",
};

int cmd_load(struct app *a, int argc, char **argv, struct error *err)
{
	AUTO(strlist) args = STRLIST_INIT;
	AUTO(strlist) loaded = STRLIST_INIT;
	AUTO_FD int opened = -1;
	const char *input = NULL;
	bool quiet = false;
	struct option options[] = {
		{'i', "input", OPTION_STRING, "FILE", "Read from a file instead of standard input",
		 &input},
		{'q', "quiet", OPTION_FLAG, NULL, "Print only the names", &quiet},
	};
	int parsed = options_parse(&usage, options, ARRAY_SIZE(options), argc, argv, &args, err);

	if (parsed != 0)
		return parsed < 0 ? -1 : 0;
	if (input && strcmp(input, "-") != 0) {
		opened = open(input, O_RDONLY | O_CLOEXEC);
		if (opened < 0)
			return error_errno(err, "open %s", input);
	} else if (isatty(STDIN_FILENO)) {
		return error_set(
			err, ERROR_USAGE,
			"requested load from standard input, but it is a terminal: use -i FILE");
	}
	if (app_store(a, err) < 0)
		return -1;
	if (archive_load(a->store, opened >= 0 ? opened : STDIN_FILENO, &loaded, err) < 0)
		return error_wrap(err, "load %s", input ? input : "standard input");
	for (size_t i = 0; i < loaded.n; i++)
		printf("%s%s\n", quiet ? "" : "Loaded image: ", loaded.items[i]);
	return 0;
}
