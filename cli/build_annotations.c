#include "cli/build_annotations.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

static const char *const places[] = {
	[ANNOTATE_MANIFEST] = "manifest",
	[ANNOTATE_INDEX] = "index",
	[ANNOTATE_MANIFEST_DESCRIPTOR] = "manifest-descriptor",
	[ANNOTATE_INDEX_DESCRIPTOR] = "index-descriptor",
};

static bool is_of_index(enum annotation_place place)
{
	return place == ANNOTATE_INDEX || place == ANNOTATE_INDEX_DESCRIPTOR;
}

/* Length of "index,manifest[linux/amd64]" before a colon; keys have dots, which types have not. */
static bool has_types(const char *text, size_t *len)
{
	*len = strspn(text, "abcdefghijklmnopqrstuvwxyz-,[]/_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ");
	return text[*len] == ':' && *len < strcspn(text, "=");
}

static int parse_place(enum annotation_place *out, const char *type, size_t len, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (strlen(places[i]) == len && strncmp(places[i], type, len) == 0) {
			*out = (enum annotation_place)i;
			return 0;
		}
	return error_set(err, ERROR_USAGE,
			 "unknown annotation type \"%.*s\": manifest, index, manifest-descriptor "
			 "or index-descriptor",
			 (int)len, type);
}

static const char *keep(struct annotation_list *l, const char *text)
{
	strlist_add(&l->texts, text);
	return l->texts.items[l->texts.n - 1];
}

/* "linux/arm64]" after the bracket. */
static int parse_platform(struct annotation_list *l, const char *text, const char **out,
			  struct error *err)
{
	size_t len = strcspn(text, "]");
	AUTO_FREE char *name = xstrndup(text, len);
	AUTO(platform) platform = {.os = NULL};

	if (strcmp(text + len, "]") != 0 || !len)
		return error_set(err, ERROR_USAGE, "want TYPE[PLATFORM]");
	if (platform_parse(&platform, name, err) < 0)
		return -1;
	AUTO_FREE char *normal = platform_format(&platform);

	*out = keep(l, normal);
	return 0;
}

static int add_one(struct annotation_list *l, const char *type, const char *key, const char *value,
		   struct error *err)
{
	struct build_annotation a = {.key = key, .value = value};
	size_t len = strcspn(type, "[");

	if (parse_place(&a.place, type, len, err) < 0 ||
	    (type[len] && parse_platform(l, type + len + 1, &a.platform, err) < 0))
		return -1;
	if (a.platform && is_of_index(a.place))
		return error_set(err, ERROR_USAGE, "an index is of no platform");
	GROW(l->items, l->n + 1, l->cap);
	l->items[l->n++] = a;
	return 0;
}

int annotation_list_add(struct annotation_list *l, const char *text, struct error *err)
{
	AUTO(strlist) types = STRLIST_INIT;
	const char *equals, *key = text;
	size_t len = 0;

	if (has_types(text, &len)) {
		AUTO_FREE char *list = xstrndup(text, len);

		strlist_split(&types, list, ',');
		key = text + len + 1;
	} else {
		strlist_add(&types, places[ANNOTATE_MANIFEST]);
	}
	equals = strchr(key, '=');
	if (!equals || equals == key)
		return error_set(err, ERROR_USAGE, "--annotation %s: want [TYPE:]NAME=VALUE", text);
	AUTO_FREE char *name = xstrndup(key, (size_t)(equals - key));
	const char *kept = keep(l, name), *value = keep(l, equals + 1);

	for (size_t i = 0; i < types.n; i++)
		if (add_one(l, types.items[i], kept, value, err) < 0)
			return error_wrap(err, "--annotation %s", text);
	return 0;
}

static bool is_built(const char *platform, const struct platform *platforms, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		AUTO_FREE char *built = platform_format(&platforms[i]);

		if (strcmp(built, platform) == 0)
			return true;
	}
	return false;
}

int annotation_list_check(const struct annotation_list *l, const struct platform *platforms,
			  size_t n_platforms, bool several, struct error *err)
{
	for (size_t i = 0; i < l->n; i++) {
		const struct build_annotation *a = &l->items[i];

		if (is_of_index(a->place) && !several)
			return error_set(
				err, ERROR_USAGE,
				"--annotation %s: there is an index of several platforms only",
				places[a->place]);
		if (a->platform && n_platforms && !is_built(a->platform, platforms, n_platforms))
			return error_set(err, ERROR_USAGE,
					 "--annotation %s[%s]: this platform is not built",
					 places[a->place], a->platform);
	}
	return 0;
}

void annotation_list_release(struct annotation_list *l)
{
	free(l->items);
	strlist_release(&l->texts);
	*l = (struct annotation_list){.items = NULL};
}
