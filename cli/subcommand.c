#include "cli/subcommand.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "cli/options.h"

static void print_help(const char *command, const char *summary, const struct subcommand *list)
{
	printf("Usage:  slipway %s COMMAND\n\n%s\n\nCommands:\n", command, summary);
	for (const struct subcommand *s = list; s->name; s++)
		printf("  %-12s%s\n", s->name, s->summary);
	printf("\nRun 'slipway %s COMMAND --help' for more information on a command.\n", command);
}

static int unknown(const char *command, const struct subcommand *list, const char *word,
		   struct error *err)
{
	AUTO(strlist) names = STRLIST_INIT;
	AUTO_FREE const char **views = NULL;
	AUTO_FREE char *joined = NULL;
	const char *near = NULL;

	for (const struct subcommand *s = list; s->name; s++)
		strlist_add(&names, s->name);
	joined = strlist_join(&names, ", ");
	if (!word)
		return error_set(err, ERROR_USAGE, "\"slipway %s\" needs a command: %s", command,
				 joined);
	views = xcalloc(names.n + 1, sizeof(*views));
	for (size_t i = 0; i < names.n; i++)
		views[i] = names.items[i];
	near = options_nearest(word, views);
	error_set(err, ERROR_USAGE, "'slipway %s %s' is no command%s%s%s", command, word,
		  near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "");
	return error_hint(err, "there are: %s", joined);
}

int subcommand_run(struct app *a, const char *command, const char *summary,
		   const struct subcommand *list, int argc, char **argv, struct error *err)
{
	const char *word = argc > 1 ? argv[1] : NULL;

	if (word &&
	    (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0)) {
		print_help(command, summary, list);
		return 0;
	}
	for (const struct subcommand *s = list; word && s->name; s++)
		if (strcmp(s->name, word) == 0)
			return s->run(a, argc - 1, argv + 1, err);
	return unknown(command, list, word, err);
}
