#include "builder/near_name.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "dockerfile/words.h"

static bool try_names(const char *what, const char *name, const char *const *names, size_t n,
		      struct error *err)
{
	const char *near = word_suggest_near(name, names, n);

	if (near)
		error_hint(err, "Did you mean the %s %s?", what, near);
	return near != NULL;
}

int near_name_hint(struct build_target *t, int at, const char *name, struct error *err)
{
	static const char *const images[] = {
		"alpine", "amazonlinux", "busybox", "centos",   "debian", "fedora",
		"golang", "nginx",       "node",    "php",      "python", "redis",
		"ruby",   "rust",        "ubuntu",  "postgres", "mysql",  "scratch"};
	const struct named_contexts *contexts = &t->build->contexts;
	size_t n_max = (size_t)t->file->n_stages + contexts->n + 1, n = 0;
	AUTO_FREE const char **names = xcalloc(n_max, sizeof(*names));
	AUTO_FREE char *bare = xstrndup(name, strcspn(name, ":@"));

	if (!err || err->kind == ERROR_CANCELLED)
		return -1;
	for (int i = 0; i < at; i++)
		if (t->file->stages[i].name)
			names[n++] = t->file->stages[i].name;
	if (try_names("stage", name, names, n, err))
		return -1;
	for (n = 0; n < contexts->n; n++)
		names[n] = contexts->items[n].name;
	if (!try_names("build context", name, names, n, err))
		try_names("image", bare, images, ARRAY_SIZE(images), err);
	return -1;
}
