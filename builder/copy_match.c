#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/path.h"
#include "builder/copy_source.h"

#define MAX_LINKS 40

void copy_matches_release(struct copy_matches *m)
{
	for (size_t i = 0; i < m->n; i++) {
		free(m->items[i].path);
		free(m->items[i].name);
		free(m->items[i].parents);
	}
	free(m->items);
	*m = (struct copy_matches){0};
}

/* Text of a source as a path relative to the root: "/x" and "../x" are clamped. */
static char *clamp(const char *text)
{
	AUTO_FREE char *absolute = path_clean_absolute(text);

	return xstrdup(absolute + 1);
}

/* Follows the links of path inside the context. *real is free()d by the caller; -1 with errno. */
static int resolve_in_folder(const struct context *c, const char *path, char **real,
			     struct stat *st)
{
	AUTO_FREE char *rest = xstrdup(path);
	AUTO_FREE char *done = xstrdup("");
	int links = 0;

	if (fstat(c->dirfd, st) < 0)
		return -1;
	while (*rest) {
		char *slash = strchr(rest, '/');
		AUTO_FREE char *name = slash ? xstrndup(rest, (size_t)(slash - rest))
					     : xstrdup(rest);
		AUTO_FREE char *next = *done ? xstrfmt("%s/%s", done, name) : xstrdup(name);
		AUTO_FD int fd = fs_openat_beneath(c->dirfd, next, O_PATH | O_NOFOLLOW, 0);
		char target[LIMIT_PATH_BYTES + 1];
		char *joined, *base;
		ssize_t n;

		if (fd < 0 || fstat(fd, st) < 0)
			return -1;
		if (!S_ISLNK(st->st_mode)) {
			free(done);
			done = take_ptr(next);
			joined = xstrdup(slash ? slash + 1 : "");
			free(rest);
			rest = joined;
			continue;
		}
		n = readlinkat(fd, "", target, sizeof(target) - 1);
		if (n < 0 || ++links > MAX_LINKS) {
			errno = n < 0 ? errno : ELOOP;
			return -1;
		}
		target[n] = '\0';
		/* seen from the folder that holds the link, or from the root; what is left of the path after it */
		base = path_is_absolute(target) || !*done ? xstrdup(target)
							  : xstrfmt("%s/%s", done, target);
		joined = slash ? xstrfmt("%s/%s", base, slash + 1) : xstrdup(base);
		free(base);
		free(rest);
		rest = clamp(joined);
		free(joined);
		free(done);
		done = xstrdup("");
		if (fstat(c->dirfd, st) < 0)
			return -1;
	}
	*real = take_ptr(done);
	return 0;
}

static void add_match(struct copy_matches *out, char *real, const char *name, const char *parents,
		      bool is_dir, struct tree_node *node)
{
	GROW(out->items, out->n + 1, out->cap);
	out->items[out->n++] = (struct copy_match){
		.path = real,
		.name = xstrdup(name),
		.parents = xstrdup_null(parents),
		.is_dir = is_dir,
		.node = node,
	};
}

/* A name in the same folder that differs only in case, for "did you mean". */
static char *near_miss(const struct copy_request *r, const char *path)
{
	AUTO_FREE char *dir = path_dir(path);
	AUTO_FD int fd = -1;
	struct dirent *entry;
	char *found = NULL;
	DIR *d;

	if (!r->context)
		return NULL;
	fd = fs_openat_in_root(r->context->dirfd, dir, O_RDONLY | O_DIRECTORY, 0);
	d = fd < 0 ? NULL : fdopendir(fd);
	if (!d)
		return NULL;
	fd = -1;
	while (!found && (entry = readdir(d)))
		if (strcasecmp(entry->d_name, path_base(path)) == 0)
			found = strcmp(dir, ".") == 0 ? xstrdup(entry->d_name)
						      : path_join(dir, entry->d_name);
	closedir(d);
	return found;
}

static int not_found(const struct copy_request *r, const char *text, const char *path,
		     const struct ignore_reason *why, struct error *err)
{
	const char *what = r->is_add ? "ADD" : "COPY";
	AUTO_FREE char *near = NULL;
	AUTO_FREE char *reason = NULL;

	if (why && why->text) {
		reason = ignore_explain(r->context->ignore, why);
		error_set(err, ERROR_NOT_FOUND, "%s %s: \"/%s\": not found: %s", what, text, path,
			  reason);
		return error_hint(err, "Add \"!%s\" below that line to send the file to the build.",
				  path);
	}
	if (r->from)
		return error_set(err, ERROR_NOT_FOUND,
				 "%s --from %s: \"/%s\": not found in that image", what, text,
				 path);
	error_set(err, ERROR_NOT_FOUND, "%s %s: \"/%s\": not found in the build context %s", what,
		  text, path, r->context->path);
	near = near_miss(r, path);
	if (near)
		error_hint(err, "Did you mean %s?", near);
	return -1;
}

/* A literal path that exists; parents as in struct copy_match. */
static int add_literal(const struct copy_request *r, const char *text, const char *path,
		       const char *parents, struct copy_matches *out, struct error *err)
{
	struct ignore_reason why = {0};
	struct tree_node *node = NULL;
	char *real = NULL;
	struct stat st;
	bool is_dir;

	if (r->from) {
		node = tree_lookup(r->from->tree, path, true);
		if (!node)
			return not_found(r, text, path, NULL, err);
		add_match(out, tree_path(node), path_base(path), parents, node->type == ENTRY_DIR,
			  node);
		return 0;
	}
	if (resolve_in_folder(r->context, path, &real, &st) < 0) {
		if (errno == ENOENT || errno == ENOTDIR)
			return not_found(r, text, path, NULL, err);
		return error_errno(err, "%s %s: open %s", r->is_add ? "ADD" : "COPY", text, path);
	}
	is_dir = S_ISDIR(st.st_mode);
	if (*real && ignore_match(r->context->ignore, real, &why) &&
	    !(is_dir && ignore_may_reinclude_below(r->context->ignore, real))) {
		free(real);
		return not_found(r, text, path, &why, err);
	}
	add_match(out, real, path_base(path), parents, is_dir, NULL);
	return 0;
}

/* Names in a folder of the source, sorted; none when it is not a folder. */
static void list_names(const struct copy_request *r, const char *dir, struct strlist *names)
{
	struct tree_node *node;
	struct dirent *entry;
	DIR *d;
	int fd;

	if (r->from) {
		node = tree_lookup(r->from->tree, dir, true);
		for (uint32_t i = 0; node && i < node->n_children; i++)
			strlist_add(names, node->children[i]->name);
		return;
	}
	fd = fs_openat_in_root(r->context->dirfd, *dir ? dir : ".", O_RDONLY | O_DIRECTORY, 0);
	d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((entry = readdir(d)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			strlist_add(names, entry->d_name);
	closedir(d);
	strlist_sort(names);
}

static bool is_folder(const struct copy_request *r, const char *path)
{
	struct tree_node *node;
	struct stat st;
	AUTO_FD int fd = -1;

	if (r->from) {
		node = tree_lookup(r->from->tree, path, false);
		return node && node->type == ENTRY_DIR;
	}
	fd = fs_openat_in_root(r->context->dirfd, path, O_PATH | O_NOFOLLOW, 0);
	return fd >= 0 && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
}

struct glob {
	const struct copy_request *r;
	const char *text;
	size_t pivot; /* --parents: bytes of the path that are not kept */
	bool deep;    /* --parents: "**" crosses folders */
	struct copy_matches *out;
};

static int expand(struct glob *g, const char *dir, const char *pattern, struct error *err);

static int add_expanded(struct glob *g, const char *path, struct error *err)
{
	AUTO(error) ignored = ERROR_INIT;
	AUTO_FREE char *parents = NULL;
	int result;

	if (g->r->instruction->copy.parents) {
		AUTO_FREE char *dir = path_dir(path);

		parents = xstrdup(
			strcmp(dir, ".") == 0 || strlen(dir) <= g->pivot ? "" : dir + g->pivot);
	}
	result = add_literal(g->r, g->text, path, parents, g->out, &ignored);
	/* what a pattern matches may be ignored or a dangling link: then it is not selected */
	if (result < 0 && ignored.kind != ERROR_NOT_FOUND)
		return error_move(err, &ignored);
	return 0;
}

/* "**" of --parents: this folder, and each folder below it. */
static int expand_deep(struct glob *g, const char *dir, const char *rest, struct error *err)
{
	AUTO(strlist) names = STRLIST_INIT;

	if (*rest && expand(g, dir, rest, err) < 0)
		return -1;
	list_names(g->r, dir, &names);
	for (size_t i = 0; i < names.n; i++) {
		AUTO_FREE char *path = *dir ? path_join(dir, names.items[i])
					    : xstrdup(names.items[i]);

		if (!*rest && add_expanded(g, path, err) < 0)
			return -1;
		if (*rest && is_folder(g->r, path) && expand_deep(g, path, rest, err) < 0)
			return -1;
	}
	return 0;
}

/* Matches the first component of pattern in dir, and the rest below. */
static int expand(struct glob *g, const char *dir, const char *pattern, struct error *err)
{
	const char *slash = strchr(pattern, '/');
	AUTO_FREE char *part = slash ? xstrndup(pattern, (size_t)(slash - pattern))
				     : xstrdup(pattern);
	const char *rest = slash ? slash + 1 : "";
	AUTO(strlist) names = STRLIST_INIT;

	if (g->deep && strcmp(part, "**") == 0)
		return expand_deep(g, dir, rest, err);
	list_names(g->r, dir, &names);
	for (size_t i = 0; i < names.n; i++) {
		int matched = path_match(part, names.items[i]);
		AUTO_FREE char *path = NULL;

		if (matched < 0)
			return error_set(err, ERROR_SYNTAX, "%s: malformed pattern", g->text);
		if (!matched)
			continue;
		path = *dir ? path_join(dir, names.items[i]) : xstrdup(names.items[i]);
		if ((*rest ? expand(g, path, rest, err) : add_expanded(g, path, err)) < 0)
			return -1;
	}
	return 0;
}

int copy_match_source(const struct copy_request *r, const char *text, struct copy_matches *out,
		      struct error *err)
{
	bool parents = r->instruction->copy.parents;
	const char *pivot = parents ? strstr(text, "/./") : NULL;
	struct glob g = {.r = r, .text = text, .deep = parents, .out = out};
	AUTO_FREE char *path = clamp(text);

	if (pivot) {
		AUTO_FREE char *before = xstrndup(text, (size_t)(pivot - text));
		AUTO_FREE char *skipped = clamp(before);

		g.pivot = *skipped ? strlen(skipped) + 1 : 0;
	}
	if (path_has_wildcard(path))
		return expand(&g, "", path, err);
	if (parents) {
		AUTO_FREE char *dir = path_dir(path);
		const char *kept = strcmp(dir, ".") == 0 || strlen(dir) <= g.pivot ? ""
										   : dir + g.pivot;

		return add_literal(r, text, path, kept, out, err);
	}
	return add_literal(r, text, path, NULL, out, err);
}
