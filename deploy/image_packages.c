#include "deploy/image_packages.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "deploy/image_look.h"

/* dpkg's list of a large image has about 5 MB. */
#define LIST_BYTES (32u << 20)

/* Calls fn for each line "KEY: value" or "KEY:value"; an empty line gives key NULL, as does the end. */
static void each_field(const char *text,
		       void (*fn)(void *arg, const char *key, size_t key_len, const char *value,
				  size_t len),
		       void *arg)
{
	for (const char *line = text; *line;) {
		const char *end = strchrnul(line, '\n'),
			   *colon = memchr(line, ':', (size_t)(end - line));

		if (end == line)
			fn(arg, NULL, 0, NULL, 0);
		else if (colon) {
			const char *value = colon + 1;

			value += value < end && *value == ' ';
			fn(arg, line, (size_t)(colon - line), value, (size_t)(end - value));
		}
		line = *end ? end + 1 : end;
	}
	fn(arg, NULL, 0, NULL, 0);
}

struct paragraph {
	struct strmap *out;
	const char *name_key, *version_key;
	struct strbuf name, version;
	bool absent; /* dpkg: removed, its configuration is left */
};

static void paragraph_release(struct paragraph *p)
{
	strbuf_release(&p->name);
	strbuf_release(&p->version);
}
CLEANUP_RELEASE(paragraph)

static bool is_key(const char *key, size_t len, const char *wanted)
{
	return len == strlen(wanted) && memcmp(key, wanted, len) == 0;
}

static void take_field(void *arg, const char *key, size_t key_len, const char *value, size_t len)
{
	struct paragraph *p = arg;

	if (!key) {
		if (p->name.len && !p->absent)
			strmap_set(p->out, p->name.buf, p->version.buf);
		strbuf_reset(&p->name);
		strbuf_reset(&p->version);
		p->absent = false;
	} else if (is_key(key, key_len, p->name_key)) {
		strbuf_reset(&p->name);
		strbuf_add(&p->name, value, len);
	} else if (is_key(key, key_len, p->version_key)) {
		strbuf_reset(&p->version);
		strbuf_add(&p->version, value, len);
	} else if (is_key(key, key_len, "Status")) {
		p->absent = len < 10 || memcmp(value + len - 10, " installed", 10) != 0;
	}
}

struct packages {
	struct strmap *out;
	struct store *store;
	struct tree *tree;
	const struct image *image;
	size_t first;
};

static int read_list(const struct packages *k, const char *path, const char *name_key,
		     const char *version_key, struct error *err)
{
	AUTO(strbuf) text = STRBUF_INIT;
	AUTO(paragraph)
	p = {.out = k->out,
	     .name_key = name_key,
	     .version_key = version_key,
	     .name = STRBUF_INIT,
	     .version = STRBUF_INIT};
	int found = image_look_file(k->store, k->tree, k->image, k->first, path, LIST_BYTES, &text,
				    err);

	if (found > 0)
		each_field(text.buf, take_field, &p);
	return found < 0 ? -1 : 0;
}

/* Images without dpkg itself have a file for each package. */
static int read_list_folder(const struct packages *k, const char *folder, struct error *err)
{
	const struct tree_node *n = tree_lookup(k->tree, folder, true);

	for (uint32_t i = 0; n && n->type == ENTRY_DIR && i < n->folder.n_children; i++) {
		AUTO_FREE char *path = xstrfmt("%s/%s", folder, n->folder.children[i]->name);

		if (!str_ends(path, ".md5sums") &&
		    read_list(k, path, "Package", "Version", err) < 0)
			return -1;
	}
	return 0;
}

/* "requests-2.31.0.dist-info": its name alone says what is needed. */
static void take_python(struct strmap *out, const char *folder)
{
	static const char *const ends[] = {".dist-info", ".egg-info"};

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		const char *dash = strchr(folder, '-');

		if (str_ends(folder, ends[i]) && dash) {
			AUTO_FREE char *name = xstrfmt("python:%.*s", (int)(dash - folder), folder);
			AUTO_FREE char *version = xstrndup(dash + 1,
							   strlen(dash + 1) - strlen(ends[i]));

			strmap_set(out, name, version);
		}
	}
}

static void find_python(struct strmap *out, const struct tree_node *n)
{
	for (uint32_t i = 0; i < n->folder.n_children; i++) {
		const struct tree_node *child = n->folder.children[i];

		if (child->type != ENTRY_DIR)
			continue;
		take_python(out, child->name);
		find_python(out, child);
	}
}

int image_packages_read(struct strmap *out, struct store *s, struct tree *t,
			const struct image *image, size_t first, struct error *err)
{
	const struct packages k = {out, s, t, image, first};

	if (read_list(&k, "var/lib/dpkg/status", "Package", "Version", err) < 0 ||
	    read_list_folder(&k, "var/lib/dpkg/status.d", err) < 0 ||
	    read_list(&k, "lib/apk/db/installed", "P", "V", err) < 0)
		return -1;
	find_python(out, tree_root(t));
	return 0;
}

void image_packages_compare(const struct strmap *old, const struct strmap *now, struct strlist *out)
{
	AUTO(strmap) all = STRMAP_INIT;
	AUTO_FREE size_t *order = NULL;

	strmap_copy(&all, old);
	strmap_copy(&all, now);
	order = xcalloc(all.n + 1, sizeof(*order));
	strmap_sorted(&all, order);
	for (size_t i = 0; i < all.n; i++) {
		const char *name = all.entries[order[i]].key;
		const char *a = strmap_get(old, name), *b = strmap_get(now, name);

		if (!a)
			strlist_addf(out, "+ %s %s", name, b);
		else if (!b)
			strlist_addf(out, "- %s %s", name, a);
		else if (strcmp(a, b) != 0)
			strlist_addf(out, "~ %s %s -> %s", name, a, b);
	}
}
