/* The credential_process of a profile: a program that prints keys (AWS SDKs reference, "Process credential provider"). */
#include <stdlib.h>
#include <string.h>

#include "aws/aws_private.h"
#include "base/alloc.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/process.h"

#define TIMEOUT_MS (60 * 1000)

/* Words as a shell has them, with "" and '' and \, and nothing else of a shell. */
static int split(struct strlist *out, const char *line, struct error *err)
{
	AUTO(strbuf) word = STRBUF_INIT;
	bool any = false;
	char quote = 0;

	for (; *line; line++) {
		if (quote && *line == quote) {
			quote = 0;
		} else if (!quote && (*line == '"' || *line == '\'')) {
			quote = *line;
			any = true;
		} else if (*line == '\\' && quote != '\'' && line[1]) {
			strbuf_putc(&word, *++line);
			any = true;
		} else if (!quote && (*line == ' ' || *line == '\t')) {
			if (any)
				strlist_add(out, word.buf);
			strbuf_reset(&word);
			any = false;
		} else {
			strbuf_putc(&word, *line);
			any = true;
		}
	}
	if (quote)
		return error_set(err, ERROR_SYNTAX, "a quote does not end");
	if (any)
		strlist_add(out, word.buf);
	return out->n ? 0 : error_set(err, ERROR_SYNTAX, "it is empty");
}

static int run(struct aws *a, const struct strlist *argv, struct strbuf *out, struct error *err)
{
	const struct process_options p = {
		.path = argv->items[0], .argv = argv->items, .envp = a->o.envp};
	AUTO(strbuf) errors = STRBUF_LIMIT(LIMIT_HELPER_OUTPUT);
	int status;

	if (process_capture(&p, NULL, 0, out, &errors, TIMEOUT_MS, a->o.cancel, &status, err) < 0)
		return -1;
	strbuf_trim(&errors);
	if (status)
		return error_set(err, ERROR_DENIED, "%s ended with exit code %d%s%s",
				 argv->items[0], status, errors.len ? ": " : "", errors.buf);
	return 0;
}

static int check_version(const struct strbuf *text, const char *where, struct error *err)
{
	AUTO_JSON *j = NULL;
	int64_t version;

	if (json_parse(&j, text->buf, text->len, where, err) < 0 ||
	    json_get_int(j, "Version", &version, where, err) < 0)
		return -1;
	if (version != 1)
		return error_set(err, ERROR_UNSUPPORTED, "%s: Version is %lld, only 1 is known",
				 where, (long long)version);
	return 0;
}

int aws_from_process(struct aws *a, struct aws_credentials *out, bool *found, struct error *err)
{
	AUTO(strlist) argv = STRLIST_INIT;
	AUTO(strbuf) text = STRBUF_LIMIT(LIMIT_HELPER_OUTPUT);
	const char *line;
	int r;

	*found = false;
	if (aws_setting(a, "credential_process", &line, err) < 0)
		return -1;
	if (!line)
		return 0;
	*found = true;
	if (split(&argv, line, err) < 0)
		return -1;
	r = run(a, &argv, &text, err);
	if (r == 0)
		r = check_version(&text, argv.items[0], err);
	if (r == 0)
		r = aws_credentials_from_json(out, text.buf, text.len, argv.items[0],
					      "credential_process", err);
	wipe(text.buf, text.len);
	return r;
}
