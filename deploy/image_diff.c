#include "deploy/image_diff.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "deploy/image_files.h"
#include "deploy/image_look.h"
#include "deploy/image_packages.h"
#include "deploy/task_compare.h"

void image_diff_release(struct image_diff *d)
{
	strlist_release(&d->config);
	strlist_release(&d->packages);
	strlist_release(&d->files);
	strlist_release(&d->missing);
}

/* Values are shown unless they sound secret; what would break the line is escaped. */
static void add_value(struct strlist *out, char sign, const char *what, const char *name,
		      const char *value)
{
	AUTO(strbuf) line = STRBUF_INIT;

	strbuf_printf(&line, "%c %s", sign, what);
	if (name)
		strbuf_printf(&line, " %s", name);
	strbuf_puts(&line, ": ");
	if (name && task_value_is_secret(name, value))
		strbuf_puts(&line, "(hidden)");
	else
		strbuf_add_printable(&line, value, strlen(value), false);
	strlist_add(out, line.buf);
}

static void compare_texts(struct strlist *out, const char *what, const char *a, const char *b)
{
	a = a ? a : "";
	b = b ? b : "";
	if (strcmp(a, b) == 0)
		return;
	if (*a)
		add_value(out, '-', what, NULL, a);
	if (*b)
		add_value(out, '+', what, NULL, b);
}

static char *list_text(const struct strlist *l)
{
	AUTO_JSON *json = json_from_strlist(l);
	struct strbuf text = STRBUF_INIT;

	if (l->n)
		json_write(json, &text);
	return strbuf_detach(&text, NULL);
}

static void compare_lists(struct strlist *out, const char *what, const struct strlist *a,
			  const struct strlist *b)
{
	AUTO_FREE char *x = list_text(a);
	AUTO_FREE char *y = list_text(b);

	compare_texts(out, what, x, y);
}

static void compare_sets(struct strlist *out, const char *what, const struct strlist *a,
			 const struct strlist *b)
{
	for (size_t i = 0; i < a->n; i++)
		if (!strlist_has(b, a->items[i]))
			strlist_addf(out, "- %s %s", what, a->items[i]);
	for (size_t i = 0; i < b->n; i++)
		if (!strlist_has(a, b->items[i]))
			strlist_addf(out, "+ %s %s", what, b->items[i]);
}

static void compare_maps(struct strlist *out, const char *what, const struct strmap *a,
			 const struct strmap *b)
{
	for (size_t i = 0; i < a->n; i++) {
		const struct strmap_entry *e = &a->entries[i];
		const char *value = strmap_get(b, e->key);

		if (value && strcmp(value, e->value) == 0)
			continue;
		add_value(out, '-', what, e->key, e->value);
		if (value)
			add_value(out, '+', what, e->key, value);
	}
	for (size_t i = 0; i < b->n; i++)
		if (!strmap_has(a, b->entries[i].key))
			add_value(out, '+', what, b->entries[i].key, b->entries[i].value);
}

static char *health_text(const struct image_config *c)
{
	const struct healthcheck *h = &c->healthcheck;
	AUTO_FREE char *test = list_text(&h->test);
	const double second = 1e9;

	if (!c->has_healthcheck)
		return xstrdup("");
	return xstrfmt("%s interval %gs timeout %gs start period %gs retries %lld", test,
		       (double)h->interval / second, (double)h->timeout / second,
		       (double)h->start_period / second, (long long)h->retries);
}

static void compare_configs(struct strlist *out, const struct image_config *a,
			    const struct image_config *b)
{
	AUTO(strmap) old_env = STRMAP_INIT;
	AUTO(strmap) new_env = STRMAP_INIT;
	AUTO_FREE char *old_platform = platform_format(&a->platform);
	AUTO_FREE char *new_platform = platform_format(&b->platform);
	AUTO_FREE char *old_health = health_text(a);
	AUTO_FREE char *new_health = health_text(b);

	strmap_from_env(&old_env, &a->env);
	strmap_from_env(&new_env, &b->env);
	compare_texts(out, "platform", old_platform, new_platform);
	compare_maps(out, "env", &old_env, &new_env);
	compare_lists(out, "entrypoint", &a->entrypoint, &b->entrypoint);
	compare_lists(out, "cmd", &a->cmd, &b->cmd);
	compare_texts(out, "user", a->user, b->user);
	compare_texts(out, "workdir", a->working_dir, b->working_dir);
	compare_sets(out, "port", &a->exposed_ports, &b->exposed_ports);
	compare_sets(out, "volume", &a->volumes, &b->volumes);
	compare_texts(out, "stop signal", a->stop_signal, b->stop_signal);
	compare_texts(out, "health check", old_health, new_health);
	compare_maps(out, "label", &a->labels, &b->labels);
}

static int64_t size_of(const struct image *image)
{
	int64_t sum = image->manifest.config.size;

	for (size_t i = 0; i < image->manifest.n_layers; i++)
		sum += image->manifest.layers[i].size;
	return sum;
}

static size_t count_same(const struct image *a, const struct image *b)
{
	size_t n = 0;

	while (n < a->config.n_diff_ids && n < b->config.n_diff_ids &&
	       digest_equal(&a->config.diff_ids[n], &b->config.diff_ids[n]))
		n++;
	return n;
}

/* Makes the index of each layer from the given one on; those that are not here are listed. */
static int look_at_layers(struct store *s, const struct image *image, size_t from,
			  struct strlist *missing, struct error *err)
{
	for (size_t i = from; i < image->manifest.n_layers; i++) {
		const struct descriptor *layer = &image->manifest.layers[i];
		int found = image_look_layer(s, image, i, err);
		AUTO(strbuf) line = STRBUF_INIT;
		char digest[24];

		if (found < 0)
			return -1;
		if (found)
			continue;
		digest_short(&layer->digest, digest);
		strbuf_printf(&line, "layer %s (", digest);
		strbuf_add_size(&line, layer->size);
		strbuf_puts(&line, ") is not here");
		if (!strlist_has(missing, line.buf))
			strlist_add(missing, line.buf);
	}
	return 0;
}

static int compare_trees(struct image_diff *out, struct store *s, const struct image *old,
			 const struct image *now, size_t from, size_t lines, struct error *err)
{
	AUTO_PTR(tree) a = NULL;
	AUTO_PTR(tree) b = NULL;
	AUTO(image_files) files = {.n_more = 0};
	AUTO(strmap) old_packages = STRMAP_INIT;
	AUTO(strmap) new_packages = STRMAP_INIT;

	if (image_look_tree(&a, s, old, from, err) < 0 ||
	    image_look_tree(&b, s, now, from, err) < 0)
		return -1;
	if (!a || !b)
		return 0;
	image_files_compare(&files, a, b, lines);
	if (image_packages_read(&old_packages, s, a, old, from, err) < 0 ||
	    image_packages_read(&new_packages, s, b, now, from, err) < 0)
		return -1;
	image_packages_compare(&old_packages, &new_packages, &out->packages);
	strlist_copy(&out->files, &files.lines);
	out->n_more = files.n_more;
	out->added = files.added;
	out->removed = files.removed;
	out->changed = files.changed;
	out->files_known = true;
	return 0;
}

int image_diff_read(struct image_diff *out, struct store *s, const struct image *old,
		    const struct image *now, size_t lines, struct error *err)
{
	AUTO(image_diff) d = {.old_size = size_of(old), .new_size = size_of(now)};
	AUTO(strlist) bottom = STRLIST_INIT;

	d.same = digest_equal(&old->descriptor.digest, &now->descriptor.digest);
	d.same_layers = count_same(old, now);
	if (d.same) {
		d.files_known = true;
	} else {
		size_t n = d.same_layers;

		compare_configs(&d.config, &old->config, &now->config);
		if (look_at_layers(s, old, n, &d.missing, err) < 0 ||
		    look_at_layers(s, now, n, &d.missing, err) < 0)
			return -1;
		if (n == old->manifest.n_layers && n == now->manifest.n_layers)
			d.files_known = true;
		else if (!d.missing.n &&
			 (look_at_layers(s, now, 0, &bottom, err) < 0 ||
			  compare_trees(&d, s, old, now, bottom.n ? n : 0, lines, err) < 0))
			return -1;
	}
	*out = d;
	d = (struct image_diff){.same = false};
	return 0;
}

static void add_section(struct strlist *out, const struct strlist *lines)
{
	for (size_t i = 0; i < lines->n; i++)
		strlist_add(out, lines->items[i]);
}

void image_diff_lines(const struct image_diff *d, struct strlist *out)
{
	AUTO(strbuf) sizes = STRBUF_INIT;

	if (d->same)
		return;
	add_section(out, &d->config);
	add_section(out, &d->packages);
	add_section(out, &d->files);
	if (d->n_more)
		strlist_addf(out, "... and %zu more", d->n_more);
	add_section(out, &d->missing);
	if (!d->files_known)
		strlist_add(out, "files: not compared, layers are not here");
	else if (d->added || d->removed || d->changed)
		strlist_addf(out, "files: %zu added, %zu removed, %zu changed", d->added,
			     d->removed, d->changed);
	if (d->old_size != d->new_size) {
		strbuf_puts(&sizes, "size: ");
		strbuf_add_size(&sizes, d->old_size);
		strbuf_puts(&sizes, " -> ");
		strbuf_add_size(&sizes, d->new_size);
		strlist_add(out, sizes.buf);
	}
}
