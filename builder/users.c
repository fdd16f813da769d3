#include "builder/users.h"

#include <stdbool.h>
#include <string.h>

#include "base/alloc.h"
#include "dockerfile/words.h"

#define MAX_ID 2147483647u

/* Digits only, 0..2^31-1: "-1", "0x0", "1e3" and 4294967296 are not numbers, so they can never become root. */
static bool parse_id(const char *text, uint32_t *out)
{
	uint64_t value = 0;

	if (!*text)
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return false;
		value = value * 10 + (uint64_t)(*text - '0');
		if (value > MAX_ID)
			return false;
	}
	*out = (uint32_t)value;
	return true;
}

static bool looks_numeric(const char *text)
{
	return (*text >= '0' && *text <= '9') || *text == '-' || *text == '+';
}

/* Field n of a line that ends at end; false when there are not that many. */
static bool get_field(const char *line, const char *end, int n, const char **start, size_t *len)
{
	const char *stop;

	for (; n > 0; n--) {
		line = memchr(line, ':', (size_t)(end - line));
		if (!line)
			return false;
		line++;
	}
	stop = memchr(line, ':', (size_t)(end - line));
	*start = line;
	*len = (size_t)((stop ? stop : end) - line);
	return true;
}

static bool get_id_field(const char *line, const char *end, int n, uint32_t *out)
{
	AUTO_FREE char *text = NULL;
	const char *start;
	size_t len;

	if (!get_field(line, end, n, &start, &len))
		return false;
	text = xstrndup(start, len);
	return parse_id(text, out);
}

/* The first line whose name is wanted, or whose id is (name NULL). Fields: 2 is the id, 3 the group of passwd. */
static bool find_line(const char *file, const char *name, uint32_t id, uint32_t *found_id,
		      uint32_t *found_group)
{
	for (const char *line = file; line && *line;) {
		const char *end = strchrnul(line, '\n');
		const char *start;
		uint32_t line_id;
		size_t len;

		if (get_field(line, end, 0, &start, &len) && get_id_field(line, end, 2, &line_id) &&
		    (name ? len == strlen(name) && memcmp(start, name, len) == 0 : line_id == id) &&
		    (!found_group || get_id_field(line, end, 3, found_group))) {
			*found_id = line_id;
			return true;
		}
		line = *end ? end + 1 : end;
	}
	return false;
}

/* text: of passwd or group, or NULL. */
static int hint_name(const char *text, const char *name, struct error *err)
{
	AUTO(strlist) lines = STRLIST_INIT;
	const char *near;

	strlist_split(&lines, text ? text : "", '\n');
	for (size_t i = 0; i < lines.n; i++)
		lines.items[i][strcspn(lines.items[i], ":")] = '\0';
	near = word_suggest_near(name, (const char *const *)lines.items, lines.n);
	return near ? error_hint(err, "Did you mean %s?", near) : -1;
}

static int resolve_user(struct user_ids *out, const char *name, const char *passwd, bool chown,
			struct error *err)
{
	uint32_t id;

	out->gid = 0;
	if (parse_id(name, &id)) {
		out->uid = id;
		if (chown)
			out->gid = id;
		else if (!find_line(passwd, NULL, id, &id, &out->gid))
			out->gid = 0;
		return 0;
	}
	if (looks_numeric(name))
		return error_set(err, ERROR_NOT_FOUND,
				 "invalid user \"%s\": a number from 0 to %u, or a name", name,
				 MAX_ID);
	if (find_line(passwd, name, 0, &out->uid, &out->gid))
		return 0;
	error_set(err, ERROR_NOT_FOUND, "unknown user \"%s\": %s", name,
		  passwd ? "no such line in the image's /etc/passwd"
			 : "the image has no /etc/passwd");
	return hint_name(passwd, name, err);
}

static int resolve_group(uint32_t *out, const char *name, const char *group, struct error *err)
{
	if (parse_id(name, out))
		return 0;
	if (looks_numeric(name))
		return error_set(err, ERROR_NOT_FOUND,
				 "invalid group \"%s\": a number from 0 to %u, or a name", name,
				 MAX_ID);
	if (find_line(group, name, 0, out, NULL))
		return 0;
	error_set(err, ERROR_NOT_FOUND, "unknown group \"%s\": %s", name,
		  group ? "no such line in the image's /etc/group" : "the image has no /etc/group");
	return hint_name(group, name, err);
}

static int resolve(struct user_ids *out, const char *text, const char *passwd, const char *group,
		   bool chown, struct error *err)
{
	const char *colon = strchr(text, ':');
	AUTO_FREE char *user = colon ? xstrndup(text, (size_t)(colon - text)) : xstrdup(text);

	if (colon && strchr(colon + 1, ':'))
		return error_set(err, ERROR_NOT_FOUND, "invalid user \"%s\": more than one \":\"",
				 text);
	*out = (struct user_ids){0};
	if (*user && resolve_user(out, user, passwd, chown, err) < 0)
		return -1;
	if (colon && colon[1])
		return resolve_group(&out->gid, colon + 1, group, err);
	return 0;
}

int users_resolve(struct user_ids *out, const char *text, const char *passwd, const char *group,
		  struct error *err)
{
	return resolve(out, text, passwd, group, false, err);
}

int users_resolve_chown(struct user_ids *out, const char *text, const char *passwd,
			const char *group, struct error *err)
{
	return resolve(out, text, passwd, group, true, err);
}
