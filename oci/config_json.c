#include "oci/config.h"

#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"

/* Fields of the build or container that made the image: they say nothing about images built from it. */
static const char *const stale_top[] = {
	"container",
	"container_config",
	"docker_version",
	"id",
	"layer_id",
	"moby.buildkit.buildinfo.v1",
	"moby.buildkit.cache.v0",
	"parent",
	"parent_id",
	"Size",
	"throwaway",
	"VirtualSize",
};
static const char *const stale_config[] = {
	"AttachStderr", "AttachStdin", "AttachStdout", "Domainname", "Hostname",
	"Image",        "MacAddress",  "OpenStdin",    "StdinOnce",  "Tty",
};
static const char *const known_top[] = {
	"architecture", "author",     "config", "created", "history",
	"os",           "os.version", "rootfs", "variant",
};
static const char *const known_config[] = {
	"ArgsEscaped", "Cmd",   "Entrypoint", "Env",  "ExposedPorts", "Healthcheck", "Labels",
	"OnBuild",     "Shell", "StopSignal", "User", "Volumes",      "WorkingDir",
};

/* What is neither known nor stale, or NULL; null values are no values. */
static json_t *unknown_fields(json_t *obj, const char *const *known, size_t n_known,
			      const char *const *stale, size_t n_stale)
{
	json_t *rest = NULL, *value;
	const char *key;

	json_object_foreach (obj, key, value) {
		if (json_is_null(value) || str_in(key, known, n_known) ||
		    str_in(key, stale, n_stale))
			continue;
		if (!rest)
			rest = json_object();
		json_object_set(rest, key, value);
	}
	return rest;
}

/* {"80/tcp":{}}: the keys are the set. */
static int read_set(const json_t *j, const char *key, struct strlist *out, const char *where,
		    struct error *err)
{
	json_t *set = json_object_get(j, key), *value;
	const char *name;

	if (!set || json_is_null(set))
		return 0;
	if (!json_is_object(set))
		return error_set(err, ERROR_CORRUPT, "%s: \"%s\" is not an object", where, key);
	json_object_foreach (set, name, value)
		strlist_add(out, name);
	strlist_sort(out);
	return 0;
}

static bool is_present(const json_t *j, const char *key)
{
	const json_t *value = json_object_get(j, key);

	return value && !json_is_null(value);
}

static int read_healthcheck(struct image_config *c, const json_t *config, const char *where,
			    struct error *err)
{
	struct healthcheck *h = &c->healthcheck;
	json_t *j;

	if (!is_present(config, "Healthcheck"))
		return 0;
	if (json_get_object(config, "Healthcheck", &j, where, err) < 0 ||
	    json_opt_strlist(j, "Test", &h->test, where, err) < 0 ||
	    json_opt_int(j, "Interval", &h->interval, 0, where, err) < 0 ||
	    json_opt_int(j, "Timeout", &h->timeout, 0, where, err) < 0 ||
	    json_opt_int(j, "StartPeriod", &h->start_period, 0, where, err) < 0 ||
	    json_opt_int(j, "StartInterval", &h->start_interval, 0, where, err) < 0 ||
	    json_opt_int(j, "Retries", &h->retries, 0, where, err) < 0)
		return -1;
	c->has_healthcheck = true;
	return 0;
}

static int read_config(struct image_config *c, const json_t *top, const char *where,
		       struct error *err)
{
	json_t *j;

	if (!is_present(top, "config"))
		return 0;
	if (json_get_object(top, "config", &j, where, err) < 0 ||
	    json_opt_text(j, "User", &c->user, where, err) < 0 ||
	    json_opt_text(j, "WorkingDir", &c->working_dir, where, err) < 0 ||
	    json_opt_text(j, "StopSignal", &c->stop_signal, where, err) < 0 ||
	    json_opt_strlist(j, "Env", &c->env, where, err) < 0 ||
	    json_opt_strlist(j, "Entrypoint", &c->entrypoint, where, err) < 0 ||
	    json_opt_strlist(j, "Cmd", &c->cmd, where, err) < 0 ||
	    json_opt_strlist(j, "Shell", &c->shell, where, err) < 0 ||
	    json_opt_strlist(j, "OnBuild", &c->on_build, where, err) < 0 ||
	    json_opt_strmap(j, "Labels", &c->labels, where, err) < 0 ||
	    json_opt_bool(j, "ArgsEscaped", &c->args_escaped, false, where, err) < 0 ||
	    read_set(j, "ExposedPorts", &c->exposed_ports, where, err) < 0 ||
	    read_set(j, "Volumes", &c->volumes, where, err) < 0 ||
	    read_healthcheck(c, j, where, err) < 0)
		return -1;
	c->has_entrypoint = is_present(j, "Entrypoint");
	c->has_cmd = is_present(j, "Cmd");
	c->unknown_config = unknown_fields(j, known_config, ARRAY_SIZE(known_config), stale_config,
					   ARRAY_SIZE(stale_config));
	return 0;
}

static int read_rootfs(struct image_config *c, const json_t *top, const char *where,
		       struct error *err)
{
	AUTO(strlist) ids = STRLIST_INIT;
	AUTO(error) bad = ERROR_INIT;
	const char *type;
	json_t *j;

	if (json_get_object(top, "rootfs", &j, where, err) < 0 ||
	    json_get_string(j, "type", &type, where, err) < 0 ||
	    json_opt_strlist(j, "diff_ids", &ids, where, err) < 0)
		return -1;
	if (strcmp(type, "layers") != 0)
		return error_set(err, ERROR_UNSUPPORTED,
				 "%s: a root file system of type \"%s\"; only \"layers\" is known",
				 where, type);
	if (ids.n > LIMIT_MANIFEST_LAYERS)
		return error_set(err, ERROR_CORRUPT, "%s: %zu diff IDs; the limit is %u", where,
				 ids.n, LIMIT_MANIFEST_LAYERS);
	for (size_t i = 0; i < ids.n; i++) {
		struct digest d;

		if (digest_parse(&d, ids.items[i], &bad) < 0)
			return error_set(err, ERROR_CORRUPT, "%s: %s", where, bad.message);
		image_config_add_layer(c, &d);
	}
	return 0;
}

static int read_history(struct image_config *c, const json_t *top, const char *where,
			struct error *err)
{
	json_t *list;

	if (!is_present(top, "history"))
		return 0;
	if (json_get_array(top, "history", &list, where, err) < 0)
		return -1;
	size_t n = json_array_size(list);

	c->history = n ? xcalloc(n, sizeof(*c->history)) : NULL;
	for (; c->n_history < n; c->n_history++) {
		const json_t *j = json_array_get(list, c->n_history);
		struct history h = {0};

		if (!json_is_object(j))
			return error_set(err, ERROR_CORRUPT,
					 "%s: an entry of \"history\" is not an object", where);
		if (json_opt_text(j, "created", &h.created, where, err) < 0 ||
		    json_opt_text(j, "created_by", &h.created_by, where, err) < 0 ||
		    json_opt_text(j, "author", &h.author, where, err) < 0 ||
		    json_opt_text(j, "comment", &h.comment, where, err) < 0 ||
		    json_opt_bool(j, "empty_layer", &h.empty_layer, false, where, err) < 0) {
			free(h.created);
			free(h.created_by);
			free(h.author);
			free(h.comment);
			return -1;
		}
		c->history[c->n_history] = h;
	}
	return 0;
}

int image_config_parse(struct image_config *out, const char *text, size_t len, const char *where,
		       struct error *err)
{
	AUTO(image_config) c;
	AUTO(error) bad = ERROR_INIT;
	AUTO_JSON *j = NULL;

	image_config_init(&c);
	if (len > LIMIT_CONFIG_BYTES)
		return error_set(err, ERROR_CORRUPT, "%s: %zu bytes; the limit is %u", where, len,
				 LIMIT_CONFIG_BYTES);
	if (json_parse(&j, text, len, where, &bad) < 0)
		return error_set(err, ERROR_CORRUPT, "%s", bad.message);
	if (!json_is_object(j))
		return error_set(err, ERROR_CORRUPT, "%s: not a JSON object", where);
	if (json_opt_text(j, "created", &c.created, where, err) < 0 ||
	    json_opt_text(j, "author", &c.author, where, err) < 0 ||
	    json_opt_text(j, "architecture", &c.platform.arch, where, err) < 0 ||
	    json_opt_text(j, "os", &c.platform.os, where, err) < 0 ||
	    json_opt_text(j, "os.version", &c.platform.os_version, where, err) < 0 ||
	    json_opt_text(j, "variant", &c.platform.variant, where, err) < 0 ||
	    read_config(&c, j, where, err) < 0 || read_rootfs(&c, j, where, err) < 0 ||
	    read_history(&c, j, where, err) < 0)
		return -1;
	c.unknown_top = unknown_fields(j, known_top, ARRAY_SIZE(known_top), stale_top,
				       ARRAY_SIZE(stale_top));
	*out = c;
	image_config_init(&c);
	return 0;
}

static void set_text(json_t *j, const char *key, const char *value)
{
	if (value && *value)
		json_object_set_new(j, key, json_text(value));
}

static void set_list(json_t *j, const char *key, const struct strlist *l)
{
	if (l->n)
		json_object_set_new(j, key, json_from_strlist(l));
}

static void set_set(json_t *j, const char *key, const struct strlist *l)
{
	if (!l->n)
		return;
	json_t *set = json_object();

	for (size_t i = 0; i < l->n; i++) {
		AUTO_JSON *name = json_text(l->items[i]);

		json_object_set_new(set, json_string_value(name), json_object());
	}
	json_object_set_new(j, key, set);
}

static void set_int(json_t *j, const char *key, int64_t value)
{
	if (value)
		json_object_set_new(j, key, json_integer(value));
}

static json_t *healthcheck_to_json(const struct healthcheck *h)
{
	json_t *j = json_object();

	set_list(j, "Test", &h->test);
	set_int(j, "Interval", h->interval);
	set_int(j, "Timeout", h->timeout);
	set_int(j, "StartPeriod", h->start_period);
	set_int(j, "StartInterval", h->start_interval);
	set_int(j, "Retries", h->retries);
	return j;
}

static int compare_keys(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Adds the unknown fields and puts all keys in byte order, the order docker writes them in. */
static json_t *sorted_with(json_t *known, json_t *unknown)
{
	json_t *sorted = json_object(), *value;
	const char *key;
	size_t n = 0;

	if (unknown)
		json_object_update_missing(known, unknown);
	const char **keys = xcalloc(json_object_size(known) + 1, sizeof(*keys));

	json_object_foreach (known, key, value)
		keys[n++] = key;
	qsort(keys, n, sizeof(*keys), compare_keys);
	for (size_t i = 0; i < n; i++)
		json_object_set(sorted, keys[i], json_object_get(known, keys[i]));
	free(keys);
	json_decref(known);
	return sorted;
}

static json_t *config_to_json(const struct image_config *c)
{
	json_t *j = json_object();

	set_text(j, "User", c->user);
	set_set(j, "ExposedPorts", &c->exposed_ports);
	set_list(j, "Env", &c->env);
	set_list(j, "Entrypoint", &c->entrypoint);
	set_list(j, "Cmd", &c->cmd);
	if (c->has_healthcheck)
		json_object_set_new(j, "Healthcheck", healthcheck_to_json(&c->healthcheck));
	if (c->args_escaped)
		json_object_set_new(j, "ArgsEscaped", json_true());
	set_set(j, "Volumes", &c->volumes);
	set_text(j, "WorkingDir", c->working_dir);
	set_list(j, "OnBuild", &c->on_build);
	if (c->labels.n)
		json_object_set_new(j, "Labels", json_from_strmap(&c->labels, true));
	set_text(j, "StopSignal", c->stop_signal);
	set_list(j, "Shell", &c->shell);
	return sorted_with(j, c->unknown_config);
}

static json_t *rootfs_to_json(const struct image_config *c)
{
	json_t *j = json_object(), *ids = json_array();

	for (size_t i = 0; i < c->n_diff_ids; i++)
		json_array_append_new(ids, json_text(c->diff_ids[i].text));
	json_object_set_new(j, "type", json_text("layers"));
	json_object_set_new(j, "diff_ids", ids);
	return j;
}

static json_t *history_to_json(const struct image_config *c)
{
	json_t *list = json_array();

	for (size_t i = 0; i < c->n_history; i++) {
		const struct history *h = &c->history[i];
		json_t *j = json_object();

		set_text(j, "created", h->created);
		set_text(j, "created_by", h->created_by);
		set_text(j, "author", h->author);
		set_text(j, "comment", h->comment);
		if (h->empty_layer)
			json_object_set_new(j, "empty_layer", json_true());
		json_array_append_new(list, j);
	}
	return list;
}

void image_config_write(const struct image_config *c, struct strbuf *out)
{
	json_t *j = json_object();

	set_text(j, "architecture", c->platform.arch);
	set_text(j, "author", c->author);
	json_object_set_new(j, "config", config_to_json(c));
	set_text(j, "created", c->created);
	if (c->n_history)
		json_object_set_new(j, "history", history_to_json(c));
	set_text(j, "os", c->platform.os);
	set_text(j, "os.version", c->platform.os_version);
	json_object_set_new(j, "rootfs", rootfs_to_json(c));
	set_text(j, "variant", c->platform.variant);
	AUTO_JSON *sorted = sorted_with(j, c->unknown_top);

	json_write(sorted, out);
}
