#include "oci/config.h"

#include <string.h>

#include "base/alloc.h"

void image_config_init(struct image_config *c)
{
	memset(c, 0, sizeof(*c));
}

static void history_release(struct history *h)
{
	free(h->created);
	free(h->created_by);
	free(h->author);
	free(h->comment);
}

void image_config_release(struct image_config *c)
{
	if (!c)
		return;
	free(c->created);
	free(c->author);
	platform_release(&c->platform);
	free(c->user);
	free(c->working_dir);
	free(c->stop_signal);
	strlist_release(&c->env);
	strlist_release(&c->entrypoint);
	strlist_release(&c->cmd);
	strlist_release(&c->exposed_ports);
	strlist_release(&c->volumes);
	strmap_release(&c->labels);
	strlist_release(&c->shell);
	strlist_release(&c->on_build);
	strlist_release(&c->healthcheck.test);
	free(c->diff_ids);
	for (size_t i = 0; i < c->n_history; i++)
		history_release(&c->history[i]);
	free(c->history);
	json_decref(c->unknown_top);
	json_decref(c->unknown_config);
	image_config_init(c);
}

static void copy_history(struct image_config *dst, const struct image_config *src)
{
	dst->history = src->n_history ? xcalloc(src->n_history, sizeof(*dst->history)) : NULL;
	dst->n_history = src->n_history;
	for (size_t i = 0; i < src->n_history; i++) {
		const struct history *h = &src->history[i];

		dst->history[i] = (struct history){
			.created = xstrdup_null(h->created),
			.created_by = xstrdup_null(h->created_by),
			.author = xstrdup_null(h->author),
			.comment = xstrdup_null(h->comment),
			.empty_layer = h->empty_layer,
		};
	}
}

void image_config_copy(struct image_config *dst, const struct image_config *src)
{
	struct image_config c = {
		.created = xstrdup_null(src->created),
		.author = xstrdup_null(src->author),
		.user = xstrdup_null(src->user),
		.working_dir = xstrdup_null(src->working_dir),
		.stop_signal = xstrdup_null(src->stop_signal),
		.has_entrypoint = src->has_entrypoint,
		.has_cmd = src->has_cmd,
		.has_healthcheck = src->has_healthcheck,
		.args_escaped = src->args_escaped,
		.healthcheck = src->healthcheck,
		.unknown_top = json_deep_copy(src->unknown_top),
		.unknown_config = json_deep_copy(src->unknown_config),
	};

	platform_copy(&c.platform, &src->platform);
	strlist_copy(&c.env, &src->env);
	strlist_copy(&c.entrypoint, &src->entrypoint);
	strlist_copy(&c.cmd, &src->cmd);
	strlist_copy(&c.exposed_ports, &src->exposed_ports);
	strlist_copy(&c.volumes, &src->volumes);
	strmap_copy(&c.labels, &src->labels);
	strlist_copy(&c.shell, &src->shell);
	strlist_copy(&c.on_build, &src->on_build);
	memset(&c.healthcheck.test, 0, sizeof(c.healthcheck.test));
	strlist_copy(&c.healthcheck.test, &src->healthcheck.test);
	if (src->n_diff_ids)
		c.diff_ids = xmemdup(src->diff_ids, src->n_diff_ids * sizeof(*c.diff_ids));
	c.n_diff_ids = src->n_diff_ids;
	copy_history(&c, src);
	*dst = c;
}

void image_config_add_layer(struct image_config *c, const struct digest *diff_id)
{
	struct digest id = *diff_id;

	c->diff_ids = xreallocarray(c->diff_ids, c->n_diff_ids + 1, sizeof(*c->diff_ids));
	c->diff_ids[c->n_diff_ids++] = id;
}

void image_config_add_history(struct image_config *c, const char *created, const char *created_by,
			      const char *comment, bool empty_layer)
{
	c->history = xreallocarray(c->history, c->n_history + 1, sizeof(*c->history));
	c->history[c->n_history++] = (struct history){
		.created = xstrdup_null(created),
		.created_by = xstrdup_null(created_by),
		.comment = xstrdup_null(comment),
		.empty_layer = empty_layer,
	};
}

/* The item "KEY=..." of Env, also "KEY" alone; n when there is none. */
static size_t find_env(const struct image_config *c, const char *key)
{
	size_t len = strlen(key), i;

	for (i = 0; i < c->env.n; i++) {
		const char *item = c->env.items[i];

		if (strncmp(item, key, len) == 0 && (item[len] == '=' || item[len] == '\0'))
			break;
	}
	return i;
}

void image_config_set_env(struct image_config *c, const char *key, const char *value)
{
	size_t i = find_env(c, key);
	char *item = xstrfmt("%s=%s", key, value);

	if (i == c->env.n) {
		strlist_take(&c->env, item);
	} else {
		free(c->env.items[i]);
		c->env.items[i] = item;
	}
}

const char *image_config_get_env(const struct image_config *c, const char *key)
{
	size_t i = find_env(c, key);

	if (i == c->env.n)
		return NULL;
	const char *eq = strchr(c->env.items[i], '=');

	return eq ? eq + 1 : "";
}

static void add_sorted(struct strlist *l, const char *s)
{
	size_t at = 0;

	while (at < l->n && strcmp(l->items[at], s) < 0)
		at++;
	if (at == l->n || strcmp(l->items[at], s) != 0)
		strlist_insert(l, at, s);
}

void image_config_add_port(struct image_config *c, const char *port)
{
	add_sorted(&c->exposed_ports, port);
}

void image_config_add_volume(struct image_config *c, const char *path)
{
	add_sorted(&c->volumes, path);
}

int image_config_check(const struct image_config *c, size_t n_layers, const char *where,
		       struct error *err)
{
	size_t filled = 0;

	if (c->n_diff_ids != n_layers)
		return error_set(err, ERROR_CORRUPT,
				 "%s: the manifest has %zu layers and the config %zu diff IDs",
				 where, n_layers, c->n_diff_ids);
	for (size_t i = 0; i < c->n_history; i++)
		filled += !c->history[i].empty_layer;
	if (c->n_history && filled != n_layers)
		return error_set(err, ERROR_CORRUPT,
				 "%s: %zu layers, but %zu entries of the history made one", where,
				 n_layers, filled);
	return 0;
}
