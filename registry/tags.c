/* The tags of a repository (distribution-spec 1.1, Listing Tags; Deleting tags). */
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "registry/manifests.h"
#include "registry/policy.h"
#include "registry/remote_error.h"
#include "registry/request.h"

#define PAGE     "1000" /* more than this some registries refuse */
#define MAX_TAGS 1000000

/* The address of <..>; rel="next", NULL without one; free() */
static char *next_link(const struct http_response *res)
{
	const char *link = http_header_get(res, "Link", 0);
	const char *end = link && *link == '<' ? strchr(link, '>') : NULL;

	if (!end || !strstr(end, "next"))
		return NULL;
	return xstrfmt("%.*s", (int)(end - link - 1), link + 1);
}

/* *left_out counts what is no tag: it cannot be asked for, and could steer a terminal. */
static int add_page(const struct http_response *res, const char *what, struct strlist *out,
		    size_t *left_out, struct error *err)
{
	AUTO(strlist) page = STRLIST_INIT;
	AUTO_JSON *j = NULL;

	if (json_parse(&j, res->body.buf, res->body.len, what, err) < 0)
		return -1;
	if (!json_is_object(j))
		return error_set(err, ERROR_CORRUPT, "%s: the answer is no JSON object", what);
	if (json_opt_strlist(j, "tags", &page, what, err) < 0)
		return -1;
	for (size_t i = 0; i < page.n; i++)
		if (image_ref_check_tag(page.items[i]))
			++*left_out;
		else
			strlist_add(out, page.items[i]);
	return 0;
}

static int get_page(struct registry_request *r, const struct image_ref *ref, struct strlist *out,
		    size_t *left_out, struct url *next, bool *more, struct error *err)
{
	AUTO(http_response) res = {0};
	AUTO(url) at = {0};
	AUTO_FREE char *link = NULL;

	*more = false;
	if (registry_send(r, &res, &at, err) < 0)
		return -1;
	if (res.status != 200)
		return remote_error(err, r->what, ref->host, &res);
	if (add_page(&res, r->what, out, left_out, err) < 0)
		return -1;
	link = next_link(&res);
	if (!link)
		return 0;
	url_release(next);
	*next = (struct url){0};
	if (url_resolve(next, &at, link, err) < 0)
		return error_wrap(err, "%s: Link", r->what);
	if (!url_same_origin(next, &at))
		return error_set(err, ERROR_DENIED,
				 "%s: the next page is at another server, %s: not asked", r->what,
				 next->host ? next->host : "");
	*more = true;
	return 0;
}

/* Pages go on where the one before ended, in order (distribution-spec 1.1, Listing Tags). */
static bool is_stuck(const struct strlist *tags, size_t before)
{
	return tags->n == before ||
	       (before && strcmp(tags->items[tags->n - 1], tags->items[before - 1]) == 0);
}

int registry_tags(struct registry_client *c, const struct image_ref *ref, struct strlist *out,
		  struct error *err)
{
	AUTO_FREE char *path = xstrfmt("/v2/%s/tags/list?n=" PAGE, ref->path);
	AUTO_FREE char *what = xstrfmt("list the tags of %s/%s", ref->host, ref->path);
	AUTO(strlist) scopes = STRLIST_INIT;
	AUTO(url) next = {0};
	struct registry_request r = request_to_pull(c, ref, "GET", path, what, &scopes);
	size_t left_out = 0;
	bool more = true;

	while (more) {
		size_t before = out->n;

		if (get_page(&r, ref, out, &left_out, &next, &more, err) < 0)
			return -1;
		if (more && is_stuck(out, before))
			return error_set(err, ERROR_CORRUPT,
					 "%s: pages without a new tag that lead to a next one",
					 what);
		if (out->n > MAX_TAGS)
			return error_set(err, ERROR_CORRUPT, "%s: there are more than %d", what,
					 MAX_TAGS);
		r.path = NULL;
		r.url = &next;
	}
	if (left_out)
		report_log(c->o.reporter, LOG_WARNING, "%s: %zu names that are no tags left out",
			   what, left_out);
	return 0;
}

int registry_delete(struct registry_client *c, const struct image_ref *ref, struct error *err)
{
	const char *reference = manifest_reference(ref);
	int status;

	if (manifest_delete(c, ref, reference, &status, err) < 0)
		return -1;
	if (status < 300)
		return 0;
	error_set(err, ERROR_UNSUPPORTED, "delete %s/%s%s%s: %s answered %d %s", ref->host,
		  ref->path, digest_is_set(&ref->digest) ? "@" : ":", reference, ref->host, status,
		  http_status_text(status));
	if (digest_is_set(&ref->digest))
		return error_hint(err, "the registry does not let manifests be deleted");
	return error_hint(err, "it does not let tags be deleted; deleting by digest "
			       "(NAME@sha256:..) removes the image with all its tags");
}
