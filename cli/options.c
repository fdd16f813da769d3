#include "cli/options.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/typo.h"

const char *options_nearest(const char *word, const char *const *names)
{
	const char *best = NULL;
	size_t best_distance = strlen(word) / 3 + 2;

	for (; *names; names++) {
		size_t d = typo_distance(word, *names);

		if (d < best_distance) {
			best_distance = d;
			best = *names;
		}
	}
	return best;
}

static void print_option(const struct option *o)
{
	AUTO_FREE char *left = NULL;
	const char *value = o->value_name ? o->value_name : "";

	if (o->letter)
		left = xstrfmt("  -%c, --%s %s", o->letter, o->name, value);
	else
		left = xstrfmt("      --%s %s", o->name, value);
	if (strlen(left) > 31)
		printf("%s\n%32s%s\n", left, "", o->help);
	else
		printf("%-32s%s\n", left, o->help);
}

static void print_help(const struct command_usage *u, const struct option *options, size_t n)
{
	printf("Usage:  slipway %s%s%s\n\n%s\n", u->name, *u->args ? " " : "", u->args, u->summary);
	if (n)
		printf("\nOptions:\n");
	for (size_t i = 0; i < n; i++)
		if (options[i].type != OPTION_REFUSED)
			print_option(&options[i]);
}

static int usage_hint(const struct command_usage *u, struct error *err)
{
	return error_hint(err, "Run 'slipway %s --help' for more information.", u->name);
}

static int refuse(const struct option *o, struct error *err)
{
	return error_set(err, ERROR_UNSUPPORTED, "--%s is not supported: %s", o->name, o->help);
}

static int set_value(const struct command_usage *u, const struct option *o, const char *value,
		     struct error *err)
{
	char *end;

	switch (o->type) {
	case OPTION_FLAG:
		if (strcmp(value, "true") == 0 || strcmp(value, "1") == 0) {
			*(bool *)o->target = true;
		} else if (strcmp(value, "false") == 0 || strcmp(value, "0") == 0) {
			*(bool *)o->target = false;
		} else {
			error_set(err, ERROR_USAGE, "invalid value \"%s\" for --%s: true or false",
				  value, o->name);
			return usage_hint(u, err);
		}
		return 0;
	case OPTION_STRING:
		*(const char **)o->target = value;
		return 0;
	case OPTION_LIST:
		strlist_add(o->target, value);
		return 0;
	case OPTION_INT:
		errno = 0;
		*(int64_t *)o->target = strtoll(value, &end, 10);
		if (errno || end == value || *end) {
			error_set(err, ERROR_USAGE, "invalid value \"%s\" for --%s: not a number",
				  value, o->name);
			return usage_hint(u, err);
		}
		return 0;
	case OPTION_REFUSED:
		return refuse(o, err);
	}
	return 0;
}

static int unknown_long(const struct command_usage *u, const struct option *options, size_t n,
			const char *name, struct error *err)
{
	AUTO_FREE const char **names = xcalloc(n + 1, sizeof(*names));
	const char *near;
	size_t n_names = 0;

	for (size_t i = 0; i < n; i++)
		if (options[i].type != OPTION_REFUSED)
			names[n_names++] = options[i].name;
	near = options_nearest(name, names);
	error_set(err, ERROR_USAGE, "unknown flag: --%s%s%s%s", name,
		  near ? " (did you mean --" : "", near ? near : "", near ? "?)" : "");
	return usage_hint(u, err);
}

/* --name, --name=value, --name value; *i moves over a value taken from the next word. */
static int parse_long(const struct command_usage *u, const struct option *options, size_t n,
		      char **argv, int argc, int *i, struct error *err)
{
	const char *word = argv[*i] + 2;
	const char *equals = strchr(word, '=');
	AUTO_FREE char *name = equals ? xstrndup(word, (size_t)(equals - word)) : xstrdup(word);

	for (size_t k = 0; k < n; k++) {
		if (strcmp(options[k].name, name) != 0)
			continue;
		if (equals)
			return set_value(u, &options[k], equals + 1, err);
		if (options[k].type == OPTION_FLAG || options[k].type == OPTION_REFUSED)
			return set_value(u, &options[k], "true", err);
		if (*i + 1 >= argc) {
			error_set(err, ERROR_USAGE, "flag needs an argument: --%s", name);
			return usage_hint(u, err);
		}
		return set_value(u, &options[k], argv[++*i], err);
	}
	return unknown_long(u, options, n, name, err);
}

static const struct option *find_letter(const struct option *options, size_t n, char letter)
{
	for (size_t i = 0; i < n; i++)
		if (options[i].letter == letter)
			return &options[i];
	return NULL;
}

/* -n value, -nvalue, -it. */
static int parse_short(const struct command_usage *u, const struct option *options, size_t n,
		       char **argv, int argc, int *i, struct error *err)
{
	for (const char *p = argv[*i] + 1; *p; p++) {
		const struct option *o = find_letter(options, n, *p);

		if (!o) {
			error_set(err, ERROR_USAGE, "unknown shorthand flag: '%c' in %s", *p,
				  argv[*i]);
			return usage_hint(u, err);
		}
		if (o->type == OPTION_FLAG || o->type == OPTION_REFUSED) {
			if (set_value(u, o, "true", err) < 0)
				return -1;
			continue;
		}
		if (p[1])
			return set_value(u, o, p[1] == '=' ? p + 2 : p + 1, err);
		if (*i + 1 >= argc) {
			error_set(err, ERROR_USAGE, "flag needs an argument: '%c' in %s", *p,
				  argv[*i]);
			return usage_hint(u, err);
		}
		return set_value(u, o, argv[++*i], err);
	}
	return 0;
}

static int check_count(const struct command_usage *u, size_t n, struct error *err)
{
	AUTO_FREE char *need = NULL;

	if (n >= u->min_args && n <= u->max_args)
		return 0;
	if (u->max_args == 0)
		need = xstrdup("no argument");
	else if (n > u->max_args && u->min_args != u->max_args)
		need = xstrfmt("at most %zu argument%s", u->max_args, u->max_args == 1 ? "" : "s");
	else if (u->min_args == u->max_args)
		need = xstrfmt("exactly %zu argument%s", u->min_args, u->min_args == 1 ? "" : "s");
	else
		need = xstrfmt("at least %zu argument%s", u->min_args, u->min_args == 1 ? "" : "s");
	error_set(err, ERROR_USAGE, "\"slipway %s\" requires %s, got %zu\nUsage:  slipway %s %s",
		  u->name, need, n, u->name, u->args);
	return usage_hint(u, err);
}

int options_parse(const struct command_usage *u, const struct option *options, size_t n, int argc,
		  char **argv, struct strlist *args, struct error *err)
{
	bool done = false;

	for (int i = 1; i < argc; i++) {
		const char *word = argv[i];

		if (done || word[0] != '-' || !word[1]) {
			strlist_add(args, word);
			done = done || u->stop_at_first;
		} else if (strcmp(word, "--") == 0) {
			done = true;
		} else if (strcmp(word, "--help") == 0 ||
			   (strcmp(word, "-h") == 0 && !find_letter(options, n, 'h'))) {
			print_help(u, options, n);
			return 1;
		} else if (word[1] == '-') {
			if (parse_long(u, options, n, argv, argc, &i, err) < 0)
				return -1;
		} else if (parse_short(u, options, n, argv, argc, &i, err) < 0) {
			return -1;
		}
	}
	return check_count(u, args->n, err);
}
