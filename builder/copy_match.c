#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/path.h"
#include "builder/copy_names.h"
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

/* A path being resolved: what is done has no links, what is left may. */
struct resolving {
	char *done, *rest;
	int links;
};

static void resolving_release(struct resolving *s)
{
	free(s->done);
	free(s->rest);
}

CLEANUP_RELEASE(resolving)

static void resolving_set(char **field, char *value)
{
	free(*field);
	*field = value;
}

/* Puts the target of the link in front of what is left. -1 with errno. */
static int follow(struct resolving *s, int fd, const char *left)
{
	char target[LIMIT_PATH_BYTES + 1];
	ssize_t n = readlinkat(fd, "", target, sizeof(target) - 1);

	if (n < 0)
		return -1;
	if (++s->links > MAX_LINKS) {
		errno = ELOOP;
		return -1;
	}
	target[n] = '\0';
	if (path_is_absolute(target))
		resolving_set(&s->done, xstrdup(""));
	resolving_set(&s->rest, xstrfmt("%s/%s", target, left));
	return 0;
}

static char *parent_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return xstrndup(path, slash ? (size_t)(slash - path) : 0);
}

/*
 * Follows the links of path inside the context, as if its folder were "/". *real is free()d by the caller; -1 with errno.
 * An ignored link is not there; then why is filled.
 */
static int resolve_in_folder(const struct context *c, const char *path, char **real,
			     struct stat *st, struct ignore_reason *why)
{
	AUTO(resolving) s = {.done = xstrdup(""), .rest = xstrdup(path)};
	AUTO_FD int end = -1;

	while (*s.rest) {
		size_t len = strcspn(s.rest, "/");
		AUTO_FREE char *name = xstrndup(s.rest, len);
		AUTO_FREE char *left = xstrdup(s.rest + len + strspn(s.rest + len, "/"));
		AUTO_FREE char *next = *s.done ? path_join(s.done, name) : xstrdup(name);
		AUTO_FD int fd = -1;

		if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
			if (name[0] && name[1])
				resolving_set(&s.done, parent_of(s.done));
			resolving_set(&s.rest, take_ptr(left));
			continue;
		}
		fd = fs_openat_beneath(c->dirfd, next, O_PATH | O_NOFOLLOW, 0);
		if (fd < 0 || fstat(fd, st) < 0)
			return -1;
		if (!S_ISLNK(st->st_mode)) {
			resolving_set(&s.done, take_ptr(next));
			resolving_set(&s.rest, take_ptr(left));
			continue;
		}
		if (ignore_match(c->ignore, next, why)) {
			errno = ENOENT;
			return -1;
		}
		if (follow(&s, fd, left) < 0)
			return -1;
	}
	end = fs_openat_beneath(c->dirfd, *s.done ? s.done : ".", O_PATH | O_NOFOLLOW, 0);
	if (end < 0 || fstat(end, st) < 0)
		return -1;
	*real = take_ptr(s.done);
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

static int not_found(const struct copy_request *r, const char *text, const char *path,
		     const struct ignore_reason *why, struct error *err)
{
	/* a mount has no source of its own to name */
	AUTO_FREE char *what = r->instruction->text
				       ? xstrfmt("%s %s: ", r->is_add ? "ADD" : "COPY", text)
				       : xstrdup("");
	AUTO_FREE char *near = NULL;
	AUTO_FREE char *reason = NULL;

	if (why && why->text) {
		reason = ignore_explain(r->context->ignore, why);
		error_set(err, ERROR_NOT_FOUND, "%s\"/%s\": not found: %s", what, path, reason);
		return error_hint(err, "Add \"!%s\" below that line to send the file to the build.",
				  path);
	}
	if (r->from)
		error_set(err, ERROR_NOT_FOUND, "%s\"/%s\": not found in that image", what, path);
	else
		error_set(err, ERROR_NOT_FOUND, "%s\"/%s\": not found in the build context %s%s",
			  what, path, r->context->label ? "from " : "",
			  r->context->label ? r->context->label : r->context->path);
	near = copy_near_path(r, path);
	if (near)
		error_hint(err, "Did you mean %s?", near);
	return -1;
}

/* A literal path; parents as in struct copy_match. */
static int add_from_image(const struct copy_request *r, const char *text, const char *path,
			  const char *parents, struct copy_matches *out, struct error *err)
{
	struct tree_node *node = tree_lookup(r->from->tree, path, true);

	if (!node)
		return not_found(r, text, path, NULL, err);
	add_match(out, tree_path(node), path_base(path), parents, node->type == ENTRY_DIR, node);
	return 0;
}

static int add_from_context(const struct copy_request *r, const char *text, const char *path,
			    const char *parents, struct copy_matches *out, struct error *err)
{
	const struct ignore *ignore = r->context->ignore;
	struct ignore_reason why = {0};
	AUTO_FREE char *real = NULL;
	struct stat st;
	bool there;

	if (resolve_in_folder(r->context, path, &real, &st, &why) < 0) {
		if (errno == ENOENT || errno == ENOTDIR)
			return not_found(r, text, path, &why, err);
		return error_errno(err, "%s %s: open %s/%s", r->is_add ? "ADD" : "COPY", text,
				   r->context->path, path);
	}
	there = !*real || !ignore_match(ignore, real, &why);
	if (!there && S_ISDIR(st.st_mode) && ignore_may_reinclude_below(ignore, real) &&
	    copy_has_reincluded(r, real, &there, err) < 0)
		return -1;
	if (!there)
		return not_found(r, text, path, &why, err);
	add_match(out, take_ptr(real), path_base(path), parents, S_ISDIR(st.st_mode), NULL);
	return 0;
}

static int add_literal(const struct copy_request *r, const char *text, const char *path,
		       const char *parents, struct copy_matches *out, struct error *err)
{
	return r->from ? add_from_image(r, text, path, parents, out, err)
		       : add_from_context(r, text, path, parents, out, err);
}

struct glob {
	const struct copy_request *r;
	const char *text;
	size_t pivot; /* --parents: folders of the path that are not kept */
	bool deep;    /* --parents: "**" crosses folders */
	struct copy_matches *out;
};

static int expand(struct glob *g, const char *dir, const char *pattern, struct error *err);

/* --parents: the folders of path that are kept; NULL without. free() */
static char *kept_parents(const struct glob *g, const char *path)
{
	const char *from = path;
	const char *last = strrchr(path, '/');

	if (!g->r->instruction->copy.parents)
		return NULL;
	for (size_t i = 0; i < g->pivot && from; i++) {
		from = strchr(from, '/');
		from += from != NULL;
	}
	return xstrndup(from, from && last > from ? (size_t)(last - from) : 0);
}

static int add_expanded(struct glob *g, const char *path, struct error *err)
{
	AUTO(error) ignored = ERROR_INIT;
	AUTO_FREE char *parents = kept_parents(g, path);

	/* what a pattern matches may be ignored or a dangling link: then it is not selected */
	if (add_literal(g->r, g->text, path, parents, g->out, &ignored) < 0 &&
	    ignored.kind != ERROR_NOT_FOUND)
		return error_move(err, &ignored);
	return 0;
}

/* Path of a name in dir; NULL when the ignore file hides it and all below. free() */
static char *visible_path(const struct glob *g, const char *dir, const char *name)
{
	char *path = *dir ? path_join(dir, name) : xstrdup(name);
	const struct ignore *ignore = g->r->from ? NULL : g->r->context->ignore;

	if (ignore_match(ignore, path, NULL) && !ignore_may_reinclude_below(ignore, path)) {
		free(path);
		return NULL;
	}
	return path;
}

/* "**" of --parents: this folder, and each folder below it. */
static int expand_deep(struct glob *g, const char *dir, const char *rest, struct error *err)
{
	AUTO(strlist) names = STRLIST_INIT;

	if (*rest && expand(g, dir, rest, err) < 0)
		return -1;
	copy_list_names(g->r, dir, &names);
	for (size_t i = 0; i < names.n; i++) {
		AUTO_FREE char *path = visible_path(g, dir, names.items[i]);

		if (!path)
			continue;
		if (!*rest && add_expanded(g, path, err) < 0)
			return -1;
		if (*rest && copy_is_folder(g->r, path) && expand_deep(g, path, rest, err) < 0)
			return -1;
	}
	return 0;
}

/*
 * Matches the first component of pattern in dir, and the rest below. Links are followed in front of the first wildcard,
 * and at the end.
 */
static int expand(struct glob *g, const char *dir, const char *pattern, struct error *err)
{
	const char *slash = strchr(pattern, '/');
	AUTO_FREE char *part = slash ? xstrndup(pattern, (size_t)(slash - pattern))
				     : xstrdup(pattern);
	const char *rest = slash ? slash + 1 : "";
	AUTO(strlist) names = STRLIST_INIT;

	if (g->deep && strcmp(part, "**") == 0)
		return expand_deep(g, dir, rest, err);
	copy_list_names(g->r, dir, &names);
	for (size_t i = 0; i < names.n; i++) {
		int matched = path_match(part, names.items[i]);
		AUTO_FREE char *path = NULL;

		if (matched < 0)
			return error_set(err, ERROR_SYNTAX, "%s: malformed pattern", g->text);
		if (!matched)
			continue;
		path = visible_path(g, dir, names.items[i]);
		if (!path)
			continue;
		if (!*rest && add_expanded(g, path, err) < 0)
			return -1;
		if (*rest && copy_is_folder(g->r, path) && expand(g, path, rest, err) < 0)
			return -1;
	}
	return 0;
}

/* Expands from the folder in front of the first component with a wildcard. */
static int expand_all(struct glob *g, const char *path, struct error *err)
{
	const char *start = path;
	AUTO_FREE char *dir = NULL;

	for (const char *slash; (slash = strchr(start, '/')); start = slash + 1) {
		AUTO_FREE char *part = xstrndup(start, (size_t)(slash - start));

		if (path_has_wildcard(part))
			break;
	}
	dir = start > path ? xstrndup(path, (size_t)(start - path) - 1) : xstrdup("");
	return expand(g, dir, start, err);
}

/* The name that a text without wildcards stands for, its escapes removed; NULL when it is a pattern. free() */
static char *literal_of(const char *path)
{
	AUTO(strbuf) out = STRBUF_INIT;

	for (; *path; path++) {
		if (strchr("*?[", *path))
			return NULL;
		if (*path == '\\' && path[1])
			path++;
		strbuf_putc(&out, *path);
	}
	return strbuf_detach(&out, NULL);
}

static size_t count_components(const char *path)
{
	size_t n = *path != '\0';

	for (; *path; path++)
		n += *path == '/';
	return n;
}

struct copy_request copy_request_of_fetched(const struct copy_request *r, size_t i)
{
	struct copy_request own = *r;

	own.context = r->fetched[i].context;
	own.stat_cache = NULL;
	own.from = NULL;
	own.fetched = NULL;
	return own;
}

void copy_match_everything(struct copy_matches *out)
{
	add_match(out, xstrdup(""), "", NULL, true, NULL);
}

int copy_match_source(const struct copy_request *r, const char *text, struct copy_matches *out,
		      struct error *err)
{
	bool parents = r->instruction->copy.parents;
	const char *pivot = parents ? strstr(text, "/./") : NULL;
	struct glob g = {.r = r, .text = text, .deep = parents, .out = out};
	AUTO_FREE char *path = clamp(text);
	AUTO_FREE char *literal = literal_of(path);
	AUTO_FREE char *kept = NULL;

	if (pivot) {
		AUTO_FREE char *before = xstrndup(text, (size_t)(pivot - text));
		AUTO_FREE char *skipped = clamp(before);

		g.pivot = count_components(skipped);
	}
	if (!literal)
		return expand_all(&g, path, err);
	kept = kept_parents(&g, literal);
	return add_literal(r, text, literal, kept, out, err);
}
