#include "aws/profile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/limits.h"

#define BLANKS " \t\r\f\v"

struct reader {
	struct aws_profiles *out;
	const char *path;
	bool is_credentials;
	int line;
	char *section; /* "profile default"; NULL: one that means nothing to us */
	char *outer;   /* key of a nested block */
	bool in_section;
};

static void reader_release(struct reader *r)
{
	free(r->section);
	free(r->outer);
}
CLEANUP_RELEASE(reader)

void aws_profiles_release(struct aws_profiles *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->values.n; i++)
		if (p->values.entries[i].value)
			wipe(p->values.entries[i].value, strlen(p->values.entries[i].value));
	strmap_release(&p->values);
}

static char *trim(char *s)
{
	size_t n;

	s += strspn(s, BLANKS);
	n = strlen(s);
	while (n && strchr(BLANKS, s[n - 1]))
		n--;
	s[n] = '\0';
	return s;
}

/* NAME or "a quoted one", as in [profile "my account"]. */
static const char *unquote(char *name)
{
	size_t n = strlen(name);

	if (n >= 2 && (name[0] == '"' || name[0] == '\'') && name[n - 1] == name[0]) {
		name[n - 1] = '\0';
		return name + 1;
	}
	return name;
}

static void set_section(struct reader *r, char *title)
{
	static const char *const kinds[] = {"profile", "sso-session", "services"};
	size_t word = strcspn(title, BLANKS);

	free(take_ptr(r->section));
	free(take_ptr(r->outer));
	r->in_section = true;
	if (r->is_credentials || strcmp(title, "default") == 0) {
		r->section = xstrfmt("profile %s", title);
	} else if (title[word]) {
		title[word] = '\0';
		for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
			if (strcmp(title, kinds[i]) == 0)
				r->section = xstrfmt("%s %s", title,
						     unquote(trim(title + word + 1)));
	}
	/* Known even when it is empty. */
	if (r->section) {
		AUTO_FREE char *key = xstrfmt("%s\n", r->section);

		strmap_set(&r->out->values, key, "");
	}
}

static int syntax(const struct reader *r, const char *what, struct error *err)
{
	return error_set(err, ERROR_SYNTAX, "%s:%d: %s", r->path, r->line, what);
}

static int read_section(struct reader *r, char *text, struct error *err)
{
	char *end = strchr(text, ']');

	if (!end)
		return syntax(r, "a section name lacks its ]", err);
	*end = '\0';
	set_section(r, trim(text + 1));
	return 0;
}

static int read_pair(struct reader *r, char *text, bool nested, struct error *err)
{
	char *equals = strchr(text, '=');
	AUTO_FREE char *key = NULL;
	char *name, *value;

	if (!r->in_section)
		return syntax(r, "a setting stands before the first [section]", err);
	if (!equals && nested)
		return 0; /* the rest of a long value: none of the settings read here has one */
	if (!equals)
		return syntax(r, "neither [section] nor NAME = VALUE", err);
	*equals = '\0';
	name = trim(text);
	value = trim(equals + 1);
	if (!*name)
		return syntax(r, "a setting has no name", err);
	if (!nested) {
		free(take_ptr(r->outer));
		r->outer = *value ? NULL : xstrdup(name);
	}
	if (!r->section || (nested && !r->outer))
		return 0;
	key = nested ? xstrfmt("%s\n%s.%s", r->section, r->outer, name)
		     : xstrfmt("%s\n%s", r->section, name);
	strmap_set(&r->out->values, key, value);
	return 0;
}

static int read_line(struct reader *r, char *line, struct error *err)
{
	bool indented = *line && strchr(BLANKS, *line);
	char *text = trim(line);

	if (!*text || *text == '#' || *text == ';')
		return 0;
	if (*text == '[' && !indented)
		return read_section(r, text, err);
	return read_pair(r, text, indented, err);
}

static int read_file(struct aws_profiles *out, const char *path, bool is_credentials,
		     struct error *err)
{
	AUTO(reader) r = {.out = out, .path = path, .is_credentials = is_credentials};
	AUTO(strbuf) text = STRBUF_INIT;
	AUTO(error) local = ERROR_INIT;
	int result = 0;

	if (!path)
		return 0;
	if (fs_read_file(path, &text, LIMIT_AUTH_FILE_BYTES, &local) < 0)
		return local.kind == ERROR_NOT_FOUND ? 0 : error_move(err, &local);
	if (memchr(text.buf, '\0', text.len))
		result = error_set(err, ERROR_SYNTAX, "%s: not a text file", path);
	for (char *at = text.buf, *next; result == 0 && at && *at; at = next) {
		next = strchr(at, '\n');
		if (next)
			*next++ = '\0';
		r.line++;
		result = read_line(&r, at, err);
	}
	wipe(text.buf, text.len);
	return result;
}

int aws_profiles_load(struct aws_profiles *out, const char *config_path,
		      const char *credentials_path, struct error *err)
{
	AUTO(aws_profiles) p = {.values = STRMAP_INIT};

	if (read_file(&p, config_path, false, err) < 0 ||
	    read_file(&p, credentials_path, true, err) < 0)
		return -1;
	*out = p;
	p = (struct aws_profiles){.values = STRMAP_INIT};
	return 0;
}

bool aws_profile_exists(const struct aws_profiles *p, const char *profile)
{
	AUTO_FREE char *key = xstrfmt("profile %s\n", profile);

	return strmap_has(&p->values, key);
}

const char *aws_section_get(const struct aws_profiles *p, const char *kind, const char *name,
			    const char *key)
{
	AUTO_FREE char *full = xstrfmt("%s %s\n%s", kind, name, key);
	const char *value = strmap_get(&p->values, full);

	return value && *value ? value : NULL;
}

const char *aws_profile_get(const struct aws_profiles *p, const char *profile, const char *key)
{
	return aws_section_get(p, "profile", profile, key);
}
