#include "sandbox/init.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * passwd and group of the image are foreign bytes: regular files of at most 1 MiB, read without blocking, ids 0 to
 * 2^31-1 in plain decimal digits. Nothing of the C library's name service is asked: it would load code of the image.
 */

#define FILE_LIMIT (1u << 20)

struct text {
	char *bytes; /* NULL when there is no such file */
	size_t len;
};

static struct text read_small(int rootfd, const char *path)
{
	struct text t = {NULL, 0};
	int fd = open_in_root(rootfd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd < 0)
		return t;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
		ssize_t n;

		t.bytes = init_alloc(FILE_LIMIT + 2, 1);
		while (t.len <= FILE_LIMIT &&
		       (n = read(fd, t.bytes + t.len, FILE_LIMIT + 1 - t.len)) > 0)
			t.len += (size_t)n;
		t.bytes[t.len] = '\0';
		if (t.len > FILE_LIMIT)
			fail(STAGE_USER, 0, "/%s of the image is larger than 1 MiB: refused", path);
	}
	close(fd);
	return t;
}

/* Cuts the next line off; NULL at the end. */
static char *next_line(char **at)
{
	char *line = *at, *end;

	if (!line || !*line)
		return NULL;
	end = strchr(line, '\n');
	if (end)
		*end = '\0';
	*at = end ? end + 1 : NULL;
	return line;
}

/* Cuts the line at each colon into at most n fields; the number there are. */
static size_t split_fields(char *line, char **fields, size_t n)
{
	size_t count = 0;

	while (line && count < n) {
		char *colon = strchr(line, ':');

		fields[count++] = line;
		if (colon)
			*colon = '\0';
		line = colon ? colon + 1 : NULL;
	}
	return count;
}

static bool is_digits(const char *s)
{
	return *s && strspn(s, "0123456789") == strlen(s);
}

static bool parse_id(const char *s, unsigned int *id)
{
	unsigned long long v;

	if (!is_digits(s) || strlen(s) > 10)
		return false;
	v = strtoull(s, NULL, 10);
	if (v > INT_MAX)
		return false;
	*id = (unsigned int)v;
	return true;
}

struct wanted {
	const char *name;
	bool numeric;
	unsigned int id;
};

static struct wanted want(const char *text, const char *what)
{
	struct wanted w = {.name = text, .numeric = is_digits(text)};

	if (w.numeric && !parse_id(text, &w.id))
		fail(STAGE_USER, 0, "%s %s is out of range: ids go from 0 to 2147483647", what,
		     text);
	return w;
}

static bool matches(const struct wanted *w, const char *name, const char *id)
{
	unsigned int v;

	return strcmp(w->name, name) == 0 || (w->numeric && parse_id(id, &v) && v == w->id);
}

/* The entry's name, or NULL when passwd has none. */
static char *find_user(struct user *u, struct text passwd, const struct wanted *w)
{
	char *at = passwd.bytes, *line, *f[7];

	while ((line = next_line(&at))) {
		size_t n = split_fields(line, f, 7);

		if (n < 4 || !matches(w, f[0], f[2]))
			continue;
		if (!parse_id(f[2], &u->uid) || !parse_id(f[3], &u->gid))
			fail(STAGE_USER, 0,
			     "user %s has an invalid id in /etc/passwd of the image: %s:%s",
			     w->name, f[2], f[3]);
		if (n >= 6 && f[5][0] && strlen(f[5]) < sizeof(u->home))
			memcpy(u->home, f[5], strlen(f[5]) + 1);
		return init_strdup(f[0]);
	}
	return NULL;
}

static void find_group(struct user *u, struct text group, const struct wanted *w)
{
	char *at = group.bytes, *line, *f[4];

	while ((line = next_line(&at))) {
		if (split_fields(line, f, 4) < 3 || !matches(w, f[0], f[2]))
			continue;
		if (!parse_id(f[2], &u->gid))
			fail(STAGE_USER, 0,
			     "group %s has an invalid id in /etc/group of the image: %s", w->name,
			     f[2]);
		return;
	}
	if (!w->numeric)
		fail(STAGE_USER, 0, "group %s is not in /etc/group of the image", w->name);
	u->gid = w->id;
}

static bool is_member(char *list, const char *name)
{
	while (list && *list) {
		char *comma = strchr(list, ',');

		if (comma)
			*comma = '\0';
		if (strcmp(list, name) == 0)
			return true;
		list = comma ? comma + 1 : NULL;
	}
	return false;
}

static void add_group(struct user *u, gid_t gid)
{
	for (size_t i = 0; i < u->n_groups; i++)
		if (u->groups[i] == gid)
			return;
	if (u->n_groups < INIT_MAX_GROUPS)
		u->groups[u->n_groups++] = gid;
}

static void find_supplementary(struct user *u, struct text group, const char *name)
{
	char *at = group.bytes, *line, *f[4];

	while ((line = next_line(&at))) {
		unsigned int gid;

		if (split_fields(line, f, 4) < 4 || !parse_id(f[2], &gid))
			continue;
		f[3][strcspn(f[3], " \t\r")] = '\0';
		if (is_member(f[3], name))
			add_group(u, gid);
	}
}

void user_find(struct user *u, int rootfd, const char *spec)
{
	struct text passwd = read_small(rootfd, "etc/passwd");
	struct text group = read_small(rootfd, "etc/group");
	char *user = init_strdup(spec && *spec ? spec : "0"), *colon = strchr(user, ':');
	struct wanted w;
	char *name;

	memset(u, 0, sizeof(*u));
	memcpy(u->home, "/", 2);
	if (colon)
		*colon = '\0';
	if (!*user || (colon && (!colon[1] || strchr(colon + 1, ':'))))
		fail(STAGE_USER, 0, "invalid user \"%s\": it is NAME, UID, NAME:GROUP or UID:GID",
		     spec);
	w = want(user, "user");
	name = find_user(u, passwd, &w);
	if (!name && !w.numeric)
		fail(STAGE_USER, 0, "user %s is not in /etc/passwd of the image", user);
	if (!name)
		u->uid = w.id;
	if (colon) {
		w = want(colon + 1, "group");
		find_group(u, group, &w);
	}
	add_group(u, u->gid);
	if (name && !colon)
		find_supplementary(u, group, name);
}
