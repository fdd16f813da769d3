/*
 * An ignore file (up to the first NUL) and a path. Two promises are checked: a
 * folder that need not be walked has nothing below it that is kept, and a
 * reason is given exactly when a line matched.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/path.h"
#include "dockerfile/ignore.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_path(const struct ignore *ig, char *path)
{
	struct ignore_reason why;
	bool excluded = ignore_match(ig, path, &why);
	AUTO_FREE char *shown = ignore_explain(ig, &why);
	char *slash;

	if (excluded != (excluded && why.text) || (why.text != NULL) != (*shown != '\0'))
		abort();
	for (slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		bool pruned;

		*slash = '\0';
		pruned = ignore_match(ig, path, NULL) && !ignore_may_reinclude_below(ig, path);
		*slash = '/';
		if (pruned && !excluded)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_PTR(ignore) ig = NULL;
	AUTO(error) err = ERROR_INIT;
	AUTO_FREE char *text = xstrndup((const char *)data, size);
	size_t len = strlen(text);
	AUTO_FREE char *raw = len < size ? xstrndup((const char *)data + len + 1, size - len - 1)
					 : xstrdup("src/main.c");
	AUTO_FREE char *path = path_clean_absolute(raw);

	if (ignore_parse(&ig, ".dockerignore", text, len, &err) < 0)
		return 0;
	if (path[1])
		check_path(ig, path + 1);
	return 0;
}
