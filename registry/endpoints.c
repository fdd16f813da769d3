#include "registry/endpoints.h"

#include <string.h>

#include "base/alloc.h"

static bool is_down(struct registry_client *c, const char *host)
{
	bool down;

	pthread_mutex_lock(&c->lock);
	down = strlist_has(&c->mirrors_down, host);
	pthread_mutex_unlock(&c->lock);
	return down;
}

static void note_failure(struct registry_client *c, const struct image_ref *at,
			 const struct error *why)
{
	bool missing = why->kind == ERROR_NOT_FOUND;

	/* One that lacks an image is asked for the next; of all else it has more where that came from. */
	if (why->kind != ERROR_NOT_FOUND && why->kind != ERROR_CORRUPT) {
		pthread_mutex_lock(&c->lock);
		if (!strlist_has(&c->mirrors_down, at->host))
			strlist_add(&c->mirrors_down, at->host);
		pthread_mutex_unlock(&c->lock);
	}
	report_log(c->o.reporter, missing ? LOG_INFO : LOG_WARNING, "mirror %s/%s: %s", at->host,
		   at->path, why->message);
}

static void warn_of_search_list(struct registry_client *c, const struct image_ref *ref)
{
	const char *list = mirrors_search_list(c->o.mirrors);
	bool said;

	if (!list || strcmp(ref->host, "docker.io") != 0)
		return;
	pthread_mutex_lock(&c->lock);
	said = c->warned_of_search_list;
	c->warned_of_search_list = true;
	pthread_mutex_unlock(&c->lock);
	if (!said)
		report_log(c->o.reporter, LOG_WARNING,
			   "%s: unqualified-search-registries is not obeyed: names without a host "
			   "are docker.io's",
			   list);
}

int endpoints_try(struct registry_client *c, const struct image_ref *ref, bool by_digest,
		  endpoint_fn *fn, void *arg, struct error *err)
{
	AUTO(endpoints) list = {0};

	if (!c->for_mirrors)
		return fn(arg, c, ref, err);
	warn_of_search_list(c, ref);
	if (mirrors_find(c->o.mirrors, ref, by_digest, &list, err) < 0)
		return -1;
	for (size_t i = 0; i + 1 < list.n; i++) {
		const struct image_ref *at = &list.items[i].ref;
		AUTO(error) why = ERROR_INIT;

		if (is_down(c, at->host))
			continue;
		if (fn(arg, c->for_mirrors, at, &why) == 0)
			return 0;
		if (why.kind == ERROR_CANCELLED)
			return error_move(err, &why);
		note_failure(c, at, &why);
	}
	return fn(arg, c, &list.items[list.n - 1].ref, err);
}
