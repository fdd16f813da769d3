/* RUN, CMD, ENTRYPOINT, SHELL, HEALTHCHECK: instructions that hold a command. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/strbuf.h"
#include "base/time.h"
#include "dockerfile/instruction_parts.h"
#include "dockerfile/value.h"
#include "dockerfile/words.h"

#define MILLISECOND 1000000

void command_release(struct command *c)
{
	free(c->text);
	strlist_release(&c->argv);
	memset(c, 0, sizeof(*c));
}

void command_copy(struct command *dst, const struct command *src)
{
	memset(dst, 0, sizeof(*dst));
	dst->shell = src->shell;
	dst->text = xstrdup_null(src->text);
	strlist_copy(&dst->argv, &src->argv);
}

int command_read(struct command *out, const struct reader *r, const char *text, size_t at)
{
	enum words_json json = words_json(&out->argv, text);

	if (json == WORDS_JSON_BAD)
		return reader_rest_error(
			r, at,
			"when using JSON array syntax, arrays must be comprised of strings only");
	out->shell = json == WORDS_JSON_NO;
	if (out->shell)
		out->text = xstrdup(text);
	return 0;
}

int read_command(struct instruction *out, const struct reader *r)
{
	if (flags_refuse(r) < 0)
		return -1;
	return command_read(&out->command, r, r->rest, 0);
}

int read_shell(struct instruction *out, const struct reader *r)
{
	if (flags_refuse(r) < 0)
		return -1;
	if (!*r->rest)
		return reader_error(r, 0, "SHELL requires at least one argument");
	if (command_read(&out->command, r, r->rest, 0) < 0)
		return -1;
	if (out->command.shell)
		return reader_rest_error(
			r, 0,
			"SHELL requires the arguments to be in JSON form: [\"/bin/sh\", \"-c\"]");
	if (out->command.argv.n == 0)
		return reader_rest_error(r, 0, "SHELL requires at least one argument");
	return 0;
}

/* The command as the shell reads it, with its heredocs put back behind it. */
static void rebuild_heredocs(struct command *command, const struct ast_node *node)
{
	AUTO(strbuf) text = STRBUF_INIT;
	size_t i;

	strbuf_puts(&text, command->text);
	for (i = 0; i < node->n_heredocs; i++) {
		strbuf_putc(&text, '\n');
		strbuf_puts(&text, node->heredocs[i].content);
		strbuf_puts(&text, node->heredocs[i].name);
	}
	free(command->text);
	command->text = strbuf_detach(&text, NULL);
}

static void read_run_heredocs(struct run_instruction *run, const struct ast_node *node)
{
	AUTO(heredoc) only = {0};
	char *body;

	if (!heredoc_parse(&only, run->command.text)) {
		rebuild_heredocs(&run->command, node);
		return;
	}
	body = heredoc_body(&node->heredocs[0]);
	free(run->command.text);
	if (str_starts(body, "#!")) {
		run->script = body;
		run->script_path = xstrfmt("/dev/pipes/%s", node->heredocs[0].name);
		run->command.text = xstrdup(run->script_path);
	} else {
		run->command.text = body;
	}
}

/* Where value begins behind word->at; without quotes, which are gone from value, it stands there as it is. */
static size_t value_offset(const struct reader *r, const struct word *word, const char *value)
{
	bool plain = str_starts(r->node->text + word->at, word->text);

	return plain ? (size_t)(value - word->text) : 0;
}

static int read_mounts(struct run_instruction *run, const struct reader *r)
{
	size_t i;

	for (i = 0; i < r->node->flags.n; i++) {
		const struct word *word = &r->node->flags.items[i];
		const char *value = flag_value(word, "mount");
		struct run_mount m;
		size_t at = 0;

		if (!value)
			continue;
		if (mount_parse(&m, value, NULL, &at, r->err) < 0)
			return reader_error_place(r, word->at + value_offset(r, word, value) + at);
		run->mounts = xreallocarray(run->mounts, run->n_mounts + 1, sizeof(*run->mounts));
		run->mounts[run->n_mounts++] = m;
	}
	return 0;
}

/* The index of the flag's value among its choices. */
static int read_choice(int *out, const struct reader *r, const struct flag *flag, const char *what,
		       const char *const *choices, size_t n)
{
	const char *near;
	size_t i;

	if (!flag->given)
		return 0;
	for (i = 0; i < n; i++) {
		if (strcmp(flag->value, choices[i]) == 0) {
			*out = (int)i;
			return 0;
		}
	}
	near = word_suggest(flag->value, choices, n);
	return reader_error(r, flag->at, "%s mode \"%s\" is not valid%s%s%s", what, flag->value,
			    near ? " (did you mean " : "", near ? near : "", near ? "?)" : "");
}

static int read_network(struct run_instruction *run, const struct reader *r,
			const struct flag *network)
{
	static const char *const networks[] = {"default", "none", "host"};
	int choice = 0;

	if (read_choice(&choice, r, network, "network", networks, ARRAY_SIZE(networks)) < 0)
		return -1;
	run->network = (enum run_network)choice;
	return 0;
}

static int read_security(struct run_instruction *run, const struct reader *r,
			 const struct flag *security, const struct flag *device)
{
	static const char *const modes[] = {"sandbox", "insecure"};
	int choice = 0;

	if (device->given)
		return reader_unsupported(r, device->at,
					  "RUN --device is not supported: steps get no devices of "
					  "the host");
	if (read_choice(&choice, r, security, "security", modes, ARRAY_SIZE(modes)) < 0)
		return -1;
	run->insecure = choice == 1;
	return 0;
}

int read_run(struct instruction *out, const struct reader *r)
{
	struct flag flags[] = {
		{.name = "mount", .type = FLAG_LIST},
		{.name = "network"},
		{.name = "security"},
		{.name = "device", .type = FLAG_LIST},
	};
	struct run_instruction *run = &out->run;

	if (flags_read(r, flags, ARRAY_SIZE(flags)) < 0 || read_mounts(run, r) < 0 ||
	    read_network(run, r, &flags[1]) < 0 || read_security(run, r, &flags[2], &flags[3]) < 0)
		return -1;
	if (!*r->rest)
		return reader_error(r, 0, "RUN requires at least one argument");
	if (command_read(&run->command, r, r->rest, 0) < 0)
		return -1;
	if (!run->command.shell && run->command.argv.n == 0)
		return reader_rest_error(r, 0, "RUN requires at least one argument");
	if (run->command.shell && r->node->n_heredocs > 0)
		read_run_heredocs(run, r->node);
	return 0;
}

static int read_interval(int64_t *out, const struct reader *r, const struct flag *flag)
{
	if (!flag->given || !*flag->value)
		return 0;
	if (time_parse_duration(flag->value, out, r->err) < 0)
		return reader_error_place(r, flag->at);
	if (*out != 0 && *out < MILLISECOND)
		return reader_error(r, flag->at, "Interval \"%s\" cannot be less than 1ms",
				    flag->name);
	return 0;
}

static int read_retries(int *out, const struct reader *r, const struct flag *flag)
{
	uint64_t n;

	if (!flag->given || !*flag->value)
		return 0;
	if (flag->value[0] == '-' && value_number(&n, flag->value + 1, 10, INT32_MAX))
		return reader_error(r, flag->at, "--retries cannot be negative (%s)", flag->value);
	if (!value_number(&n, flag->value + (flag->value[0] == '+'), 10, INT32_MAX))
		return reader_error(r, flag->at, "--retries needs a number, not: %s", flag->value);
	*out = (int)n;
	return 0;
}

int read_healthcheck(struct instruction *out, const struct reader *r)
{
	struct flag flags[] = {
		{.name = "interval"},       {.name = "timeout"}, {.name = "start-period"},
		{.name = "start-interval"}, {.name = "retries"},
	};
	struct healthcheck_instruction *health = &out->healthcheck;
	size_t len = strcspn(r->rest, " \t\v\f\r\n");
	AUTO_FREE char *type = xstrndup(r->rest, len);
	size_t at = len;

	if (flags_read(r, flags, ARRAY_SIZE(flags)) < 0)
		return -1;
	while (word_is_blank(r->rest[at]))
		at++;
	if (!*type)
		return reader_error(r, 0, "HEALTHCHECK requires at least one argument");
	if (strcasecmp(type, "NONE") == 0) {
		health->none = true;
		if (r->rest[at])
			return reader_rest_error(r, at, "HEALTHCHECK NONE takes no arguments");
		return 0;
	}
	if (strcasecmp(type, "CMD") != 0)
		return reader_rest_error(r, 0, "Unknown type \"%s\" in HEALTHCHECK (try CMD)",
					 type);
	if (!r->rest[at])
		return reader_rest_error(r, 0, "Missing command after HEALTHCHECK CMD");
	if (command_read(&health->command, r, r->rest + at, at) < 0)
		return -1;
	if (!health->command.shell && health->command.argv.n == 0)
		return reader_rest_error(r, at, "Missing command after HEALTHCHECK CMD");
	if (read_interval(&health->interval, r, &flags[0]) < 0 ||
	    read_interval(&health->timeout, r, &flags[1]) < 0 ||
	    read_interval(&health->start_period, r, &flags[2]) < 0 ||
	    read_interval(&health->start_interval, r, &flags[3]) < 0)
		return -1;
	return read_retries(&health->retries, r, &flags[4]);
}
