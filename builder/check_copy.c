#include "builder/check_copy.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/path.h"
#include "builder/remote_source.h"

/* Which path an exception takes back below a folder cannot be told from the pattern: as docker, no rule then. */
static void check_ignored(struct build_target *t, const struct instruction *at,
			  const struct instruction *ready)
{
	const struct ignore *ignore = t->build->options->context->ignore;

	if (!ignore_count(ignore) || ignore_has_exceptions(ignore))
		return;
	for (size_t i = 0; i < ready->copy.sources.n; i++) {
		const char *source = ready->copy.sources.items[i];
		AUTO_FREE char *clean = path_clean(source);
		AUTO_FREE char *absolute = path_clean_absolute(source);

		if (remote_kind_of(source) != REMOTE_NONE ||
		    !ignore_match(ignore, absolute + 1, NULL))
			continue;
		check_add(&t->file->warnings, CHECK_COPY_IGNORED, at,
			  "Attempting to %s file \"%s\" that is excluded by .dockerignore",
			  ready->kind == INSTRUCTION_ADD ? "Add" : "Copy", clean);
	}
}

static bool is_whole_context(const struct copy_instruction *copy)
{
	for (size_t i = 0; i < copy->sources.n; i++) {
		AUTO_FREE char *path = path_clean_absolute(copy->sources.items[i]);

		if (remote_kind_of(copy->sources.items[i]) == REMOTE_NONE && strcmp(path, "/") == 0)
			return true;
	}
	return false;
}

static bool is_taken(const struct context *c, const struct ignore *excludes, const char *name)
{
	struct stat st;

	return fstatat(c->dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       !ignore_match(c->ignore, name, NULL) && !ignore_match(excludes, name, NULL);
}

/* What nearly every project has beside its sources, and no image should. */
static void check_unwanted(struct build_target *t, const struct instruction *at,
			   const struct instruction *ready)
{
	static const char *const names[] = {".git", "node_modules", ".env"};
	const struct context *context = t->build->options->context;
	AUTO_PTR(ignore) excludes = NULL;
	AUTO(strlist) found = STRLIST_INIT;
	AUTO_FREE char *joined = NULL;

	if (!is_whole_context(&ready->copy) ||
	    ignore_from_patterns(&excludes, &ready->copy.excludes, NULL) < 0)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (is_taken(context, excludes, names[i]))
			strlist_add(&found, names[i]);
	if (!found.n)
		return;
	joined = strlist_join(&found, ", ");
	check_add(&t->file->warnings, CHECK_COPY_UNWANTED, at,
		  "%s of the whole context takes in %s: name %s in .dockerignore",
		  instruction_name(ready->kind), joined, found.n == 1 ? "it" : "them");
}

void check_copy(struct build_target *t, const struct instruction *at,
		const struct instruction *ready)
{
	if (ready->copy.from || !t->build->options->context)
		return;
	check_ignored(t, at, ready);
	check_unwanted(t, at, ready);
}
