#include "cli/ci_output.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "cli/output_file.h"

/* What neither a shell nor a reader of dotenv files takes for anything but itself. */
#define PLAIN "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:/@+=,%~-"

struct output {
	const char *name;     /* of GitHub */
	const char *variable; /* of the file */
	const char *value;
};

#define N_OUTPUTS 4

static void list_outputs(const struct ci_result *r, struct output out[N_OUTPUTS])
{
	const struct output all[N_OUTPUTS] = {
		{"image", "SLIPWAY_IMAGE", r->image},
		{"digest", "SLIPWAY_DIGEST", r->digest},
		{"task-definition-arn", "SLIPWAY_TASK_DEFINITION_ARN", r->task_definition},
		{"url", "SLIPWAY_URL", r->url},
	};

	memcpy(out, all, sizeof(all));
}

static bool is_known(const char *value)
{
	return value && *value;
}

/* A line that no value can hold: a value must not be able to end itself and begin another. */
static void make_delimiter(char out[40])
{
	uint8_t raw[16] = {0};
	size_t n = 0;

	while (n < sizeof(raw)) {
		ssize_t got = getrandom(raw + n, sizeof(raw) - n, 0);

		if (got > 0)
			n += (size_t)got;
	}
	memcpy(out, "end-", 4);
	for (size_t i = 0; i < sizeof(raw); i++)
		snprintf(out + 4 + 2 * i, 3, "%02x", raw[i]);
}

static int append(const char *path, const struct strbuf *text, struct error *err)
{
	AUTO_FD int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);

	if (fd < 0)
		return error_errno(err, "open %s", path);
	return fs_write_all(fd, text->buf, text->len, path, err);
}

static int write_github_output(const char *path, const struct ci_result *r, struct error *err)
{
	struct output outputs[N_OUTPUTS];
	AUTO(strbuf) text = STRBUF_INIT;
	char delimiter[40];

	list_outputs(r, outputs);
	for (size_t i = 0; i < N_OUTPUTS; i++) {
		if (!is_known(outputs[i].value))
			continue;
		make_delimiter(delimiter);
		strbuf_printf(&text, "%s<<%s\n%s\n%s\n", outputs[i].name, delimiter,
			      outputs[i].value, delimiter);
	}
	return append(path, &text, err);
}

/* Markdown takes HTML: what is not ours is escaped for it, and a "|" would end a cell. */
static void add_escaped(struct strbuf *out, const char *text)
{
	AUTO(strbuf) printable = STRBUF_INIT;

	strbuf_add_printable(&printable, text, strlen(text), true);
	for (const char *p = printable.buf; *p; p++) {
		switch (*p) {
		case '&':
			strbuf_puts(out, "&amp;");
			break;
		case '<':
			strbuf_puts(out, "&lt;");
			break;
		case '>':
			strbuf_puts(out, "&gt;");
			break;
		case '|':
			strbuf_puts(out, "&#124;");
			break;
		default:
			strbuf_putc(out, *p);
		}
	}
}

static void add_row(struct strbuf *out, const char *name, const char *value)
{
	if (!is_known(value))
		return;
	strbuf_printf(out, "| %s | <code>", name);
	add_escaped(out, value);
	strbuf_puts(out, "</code> |\n");
}

static int write_summary(const char *path, const struct ci_result *r, struct error *err)
{
	AUTO(strbuf) text = STRBUF_INIT;

	strbuf_puts(&text, "### slipway deploy: ");
	add_escaped(&text, r->app ? r->app : "");
	strbuf_printf(&text, " is %s\n\n| | |\n|---|---|\n", r->outcome);
	add_row(&text, "image", r->image);
	add_row(&text, "task definition", r->task_definition);
	add_row(&text, "runs as", r->running);
	if (is_known(r->url)) {
		strbuf_puts(&text, "| address | ");
		add_escaped(&text, r->url);
		strbuf_puts(&text, " |\n");
	}
	if (is_known(r->failure)) {
		strbuf_puts(&text, "\n<pre>\n");
		add_escaped(&text, r->failure);
		strbuf_puts(&text, "</pre>\n");
	}
	strbuf_putc(&text, '\n');
	return append(path, &text, err);
}

/* One "NAME=value" a line, to be read by a CI or sourced by a shell: neither needs or takes quotes. */
static int write_env_file(struct app *a, const char *path, const struct ci_result *r,
			  struct error *err)
{
	struct output outputs[N_OUTPUTS];
	AUTO(strbuf) text = STRBUF_INIT;
	AUTO(output_file) file = OUTPUT_FILE_INIT;

	list_outputs(r, outputs);
	for (size_t i = 0; i < N_OUTPUTS; i++) {
		const char *value = outputs[i].value;

		if (!is_known(value))
			continue;
		if (value[strspn(value, PLAIN)])
			report_log(a->reporter, LOG_WARNING,
				   "%s is left out of %s: its value would need quotes",
				   outputs[i].variable, path);
		else
			strbuf_printf(&text, "%s=%s\n", outputs[i].variable, value);
	}
	if (output_file_open(&file, path, 0666, err) < 0 ||
	    fs_write_all(file.fd, text.buf, text.len, path, err) < 0 ||
	    output_file_commit(&file, err) < 0)
		return error_wrap(err, "--output-env %s", path);
	return 0;
}

int ci_output_write(struct app *a, const struct ci_result *r, const char *env_file,
		    struct error *err)
{
	const char *output = environment_get(&a->env, "GITHUB_OUTPUT");
	const char *summary = environment_get(&a->env, "GITHUB_STEP_SUMMARY");

	if ((is_known(output) && write_github_output(output, r, err) < 0) ||
	    (is_known(summary) && write_summary(summary, r, err) < 0))
		return -1;
	return env_file ? write_env_file(a, env_file, r, err) : 0;
}
