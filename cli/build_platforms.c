#include "cli/build_platforms.h"

#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/strlist.h"

static bool has(const struct platform_list *l, const char *text)
{
	for (size_t i = 0; i < l->n; i++) {
		AUTO_FREE char *known = platform_format(&l->items[i]);

		if (strcmp(known, text) == 0)
			return true;
	}
	return false;
}

static int add_one(struct platform_list *l, const char *word, struct error *err)
{
	AUTO(platform) p = {0};

	if (strcasecmp(word, "local") == 0)
		platform_host(&p);
	else if (platform_parse(&p, word, err) < 0)
		return error_wrap(err, "--platform");
	AUTO_FREE char *text = platform_format(&p);

	if (has(l, text))
		return 0;
	GROW(l->items, l->n + 1, l->cap);
	l->items[l->n++] = p;
	memset(&p, 0, sizeof(p));
	return 0;
}

int platform_list_add(struct platform_list *l, const char *text, struct error *err)
{
	AUTO(strlist) words = STRLIST_INIT;

	strlist_split(&words, text, ',');
	for (size_t i = 0; i < words.n; i++) {
		char *word = words.items[i] + strspn(words.items[i], " ");

		word[strcspn(word, " ")] = '\0';
		if (add_one(l, word, err) < 0)
			return -1;
	}
	return 0;
}

void platform_list_release(struct platform_list *l)
{
	if (!l)
		return;
	for (size_t i = 0; i < l->n; i++)
		platform_release(&l->items[i]);
	free(l->items);
	memset(l, 0, sizeof(*l));
}

char *platform_list_format(const struct platform_list *l)
{
	AUTO(strlist) words = STRLIST_INIT;

	for (size_t i = 0; i < l->n; i++)
		strlist_take(&words, platform_format(&l->items[i]));
	return strlist_join(&words, ", ");
}
