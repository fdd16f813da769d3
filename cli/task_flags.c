#include "cli/local_target.h"
#include "cli/task_flags.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "cli/env_options.h"
#include "dockerfile/words.h"

void task_flags_release(struct task_flags *f)
{
	strlist_release(&f->env);
	strlist_release(&f->env_files);
	strlist_release(&f->secrets);
	task_options_release(&f->options);
}

/*
 * A name of a parameter has to begin with "/" here: what is neither that nor an ARN may be the secret itself, which would be registered
 * for everybody to read. So no message repeats it.
 */
static int read_secrets(struct task_flags *f, struct error *err)
{
	for (size_t i = 0; i < f->secrets.n; i++) {
		const char *text = f->secrets.items[i], *equals = strchr(text, '=');
		AUTO_FREE char *name = equals ? xstrndup(text, (size_t)(equals - text)) : NULL;

		if (!equals || equals == text)
			return error_set(
				err, ERROR_USAGE,
				"--secret: NAME=ARN is expected, a variable and the ARN of a "
				"parameter of SSM or of a secret of Secrets Manager");
		if (!str_starts(equals + 1, "arn:") && equals[1] != '/')
			return error_set(
				err, ERROR_USAGE,
				"--secret %s: what follows \"=\" is neither an ARN nor the "
				"name of a parameter of SSM that begins with \"/\"; the secret's "
				"value itself is never given here",
				name);
		strmap_set(&f->options.secrets, name, equals + 1);
	}
	return 0;
}

/* One word from *at on; false: its quote does not end. */
static bool take_word(const char **at, struct strbuf *word)
{
	const char *s = *at;
	char quote = '\0';

	for (; *s && (quote || !strchr(" \t\n", *s)); s++) {
		if (*s == '\\' && s[1] && quote != '\'')
			strbuf_putc(word, *++s);
		else if (quote ? *s == quote : *s == '"' || *s == '\'')
			quote = quote ? '\0' : *s;
		else
			strbuf_putc(word, *s);
	}
	*at = s;
	return !quote;
}

int task_words_parse(struct strlist *out, const char *option, const char *text, struct error *err)
{
	enum words_json json = words_json(out, text);

	if (json == WORDS_JSON_YES)
		return 0;
	if (json == WORDS_JSON_BAD || words_json_is_meant(text))
		return error_set(
			err, ERROR_USAGE,
			"%s %s: a JSON array holds texts in double quotes: [\"npm\", \"start\"]",
			option, text);
	for (text += strspn(text, " \t\n"); *text; text += strspn(text, " \t\n")) {
		AUTO(strbuf) word = STRBUF_INIT;

		if (!take_word(&text, &word))
			return error_set(err, ERROR_USAGE, "%s: a quote does not end", option);
		strlist_addn(out, word.buf, word.len);
	}
	return 0;
}

static int read_commands(struct task_flags *f, struct error *err)
{
	f->options.has_entrypoint = f->entrypoint != NULL;
	f->options.has_command = f->command != NULL;
	if (f->entrypoint &&
	    task_words_parse(&f->options.entrypoint, "--entrypoint", f->entrypoint, err) < 0)
		return -1;
	return f->command ? task_words_parse(&f->options.command, "--command", f->command, err) : 0;
}

static int read_launch_type(struct task_flags *f, struct error *err)
{
	const char *type = f->launch_type ? f->launch_type : "FARGATE";

	if (strcasecmp(type, "EC2") == 0)
		f->options.launch = TASK_EC2;
	else if (strcasecmp(type, "FARGATE") != 0)
		return error_set(err, ERROR_USAGE, "--launch-type %s: FARGATE or EC2 is expected",
				 type);
	return 0;
}

int task_flags_read(struct task_flags *f, struct app *a, struct error *err)
{
	if (local_target_use(a, false, err) < 0 ||
	    env_options_read(&f->env, &f->env_files, err) < 0 || read_secrets(f, err) < 0 ||
	    read_commands(f, err) < 0 || read_launch_type(f, err) < 0 ||
	    aws_find_region(aws_login_aws(a->aws), &f->options.region, err) < 0)
		return -1;
	env_options_set(&f->options.env, &f->env, &a->env);
	return 0;
}

int task_read_file(struct task_definition *out, const char *path, struct error *err)
{
	AUTO(strbuf) text = STRBUF_INIT;

	if (strcmp(path, "-") == 0) {
		if (fs_read_fd(STDIN_FILENO, "standard input", &text, LIMIT_TASK_DEFINITION_BYTES,
			       err) < 0)
			return error_wrap(err, "read the task definition");
		return task_definition_read(out, text.buf, text.len, "standard input", err);
	}
	if (fs_read_file(path, &text, LIMIT_TASK_DEFINITION_BYTES, err) < 0)
		return error_wrap(err, "read the task definition");
	return task_definition_read(out, text.buf, text.len, path, err);
}

int task_flags_make(const struct task_flags *f, struct app *a, const struct image_config *config,
		    const char *image, struct task_definition *out, struct error *err)
{
	AUTO(task_definition) td = {.json = NULL};
	AUTO(strlist) notes = STRLIST_INIT;

	if (!f->file) {
		if (task_definition_make(out, &f->options, config, image, &notes, err) < 0)
			return -1;
		for (size_t i = 0; i < notes.n; i++)
			report_log(a->reporter, LOG_INFO, "%s", notes.items[i]);
		return 0;
	}
	if (task_read_file(&td, f->file, err) < 0 ||
	    (image &&
	     task_definition_put_image(&td, f->container, f->options.name, image, err) < 0) ||
	    task_definition_apply(&td, f->container, &f->options, err) < 0)
		return -1;
	*out = td;
	td = (struct task_definition){.json = NULL};
	return 0;
}

void task_print_line(FILE *to, const char *line)
{
	AUTO(strbuf) text = STRBUF_INIT;

	strbuf_add_printable(&text, line, strlen(line), false);
	strbuf_putc(&text, '\n');
	fwrite(text.buf, 1, text.len, to);
}

int task_print_findings(const struct lint_findings *found, const struct task_definition *td,
			struct error *err)
{
	for (size_t i = 0; i < found->n; i++) {
		AUTO_FREE char *line = lint_format(&found->items[i], td);

		task_print_line(stderr, line);
	}
	if (found->n_more)
		fprintf(stderr, "... and %zu more\n", found->n_more);
	return lint_fail(found, td, err);
}
