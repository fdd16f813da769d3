#include "cli/env_options.h"

#include <string.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/limits.h"

static int check_variable(const char *what, const char *text, struct error *err)
{
	size_t len = strcspn(text, "=");

	if (len == 0 || strcspn(text, " \t") < len)
		return error_set(err, ERROR_USAGE, "%s: \"%s\" is not NAME[=VALUE]", what, text);
	return 0;
}

static int add_file(struct strlist *all, const char *path, struct error *err)
{
	AUTO(strbuf) text = STRBUF_INIT;
	AUTO(strlist) lines = STRLIST_INIT;

	if (fs_read_file(path, &text, LIMIT_ENV_FILE, err) < 0)
		return error_wrap(err, "--env-file");
	strlist_split(&lines, text.buf, '\n');
	for (size_t k = 0; k < lines.n; k++) {
		char *line = lines.items[k] + strspn(lines.items[k], " \t");

		line[strcspn(line, "\r")] = '\0';
		if (!*line || *line == '#')
			continue;
		if (check_variable(path, line, err) < 0)
			return -1;
		strlist_add(all, line);
	}
	return 0;
}

int env_options_read(struct strlist *env, const struct strlist *files, struct error *err)
{
	AUTO(strlist) all = STRLIST_INIT;

	for (size_t i = 0; i < env->n; i++)
		if (check_variable("-e", env->items[i], err) < 0)
			return -1;
	for (size_t i = 0; i < files->n; i++)
		if (add_file(&all, files->items[i], err) < 0)
			return -1;
	strlist_copy(&all, env);
	strlist_release(env);
	*env = all;
	all = (struct strlist)STRLIST_INIT;
	return 0;
}

void env_options_set(struct strmap *out, const struct strlist *env, const struct environment *e)
{
	for (size_t i = 0; i < env->n; i++) {
		const char *text = env->items[i];
		const char *equals = strchr(text, '=');
		AUTO_FREE char *key = xstrndup(text,
					       equals ? (size_t)(equals - text) : strlen(text));
		const char *value = equals ? equals + 1 : environment_get(e, key);

		if (value)
			strmap_set(out, key, value);
	}
}
