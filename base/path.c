#include "base/path.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"

/* The result is never longer than path, but for the "." that stands for an empty one. */
char *path_clean(const char *path)
{
	bool rooted = path[0] == '/';
	char *out = xmalloc(strlen(path) + 2);
	size_t len = 0, floor; /* ".." removes nothing below floor */
	const char *p = path;

	if (rooted)
		out[len++] = '/';
	floor = len;
	while (*p) {
		size_t n = strcspn(p, "/");

		if (n == 0) {
			p++;
			continue;
		}
		if (n == 2 && p[0] == '.' && p[1] == '.') {
			if (len > floor) {
				for (len--; len > floor && out[len] != '/'; len--)
					;
			} else if (!rooted) {
				if (len)
					out[len++] = '/';
				out[len++] = '.';
				out[len++] = '.';
				floor = len;
			}
		} else if (n != 1 || p[0] != '.') {
			if (len > (rooted ? 1 : 0))
				out[len++] = '/';
			memcpy(out + len, p, n);
			len += n;
		}
		p += n;
	}
	if (!len)
		out[len++] = '.';
	out[len] = '\0';
	return out;
}

char *path_clean_absolute(const char *path)
{
	AUTO_FREE char *rooted = xstrfmt("/%s", path);

	return path_clean(rooted);
}

char *path_resolve(const char *base, const char *path)
{
	AUTO_FREE char *joined = path_is_absolute(path) ? xstrdup(path)
							: xstrfmt("%s/%s", base, path);

	return path_clean(joined);
}

char *path_join(const char *dir, const char *name)
{
	size_t len = strlen(dir);

	while (*name == '/' && len)
		name++;
	while (len && dir[len - 1] == '/')
		len--;
	/* An empty folder is the current one; one of slashes only is the root. */
	if (!*dir)
		return xstrdup(name);
	return xstrfmt("%.*s/%s", (int)len, dir, name);
}

const char *path_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

char *path_dir(const char *path)
{
	AUTO_FREE char *head = xstrndup(path, (size_t)(path_base(path) - path));

	return path_clean(head);
}

bool path_is_absolute(const char *path)
{
	return path[0] == '/';
}

bool path_is_below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	if (strcmp(dir, "/") == 0)
		return path[0] == '/';
	if (strcmp(dir, ".") == 0)
		return path[0] != '/' &&
		       !(path[0] == '.' && path[1] == '.' && (path[2] == '/' || !path[2]));
	return strncmp(path, dir, len) == 0 && (path[len] == '/' || !path[len]);
}

bool path_has_wildcard(const char *path)
{
	return strpbrk(path, "*?[\\") != NULL;
}
