/* Lists: tags, repositories (Docker's _catalog), referrers (OCI distribution-spec 1.1, Content Discovery). */
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/limits.h"
#include "server/call.h"
#include "server/ecr.h"

/* "Lexical (i.e. case-insensitive alphanumeric) order" of the specification; case decides between equals. */
static int compare(const char *a, const char *b)
{
	int order = strcasecmp(a, b);

	return order ? order : strcmp(a, b);
}

static int compare_items(const void *a, const void *b)
{
	return compare(*(char *const *)a, *(char *const *)b);
}

/* items after last, at most n (negative: all); says where the rest is. */
static json_t *page(struct call *c, const struct strlist *items, int64_t n, const char *last)
{
	json_t *array = json_array();
	size_t i = 0;

	while (last && i < items->n && compare(items->items[i], last) <= 0)
		i++;
	for (; i < items->n; i++) {
		if (n >= 0 && (int64_t)json_array_size(array) >= n)
			break;
		json_array_append_new(array, json_text(items->items[i]));
	}
	if (i < items->n && json_array_size(array))
		reply_next(c, n, items->items[i - 1]);
	return array;
}

static void reply_list(struct call *c, const char *key, struct strlist *items)
{
	AUTO_JSON *j = json_object();
	const char *last;
	int64_t n;

	if (!reply_page(c, &n, &last))
		return;
	if (c->server->options.ecr_quirks && n > ECR_MOST_TAGS) {
		reply_error(c, 400, "UNSUPPORTED",
			    "Invalid parameter at 'maxResults': must be at most %d", ECR_MOST_TAGS);
		return;
	}
	if (items->n)
		qsort(items->items, items->n, sizeof(*items->items), compare_items);
	if (c->route.repository)
		json_object_set_new(j, "name", json_text(c->route.repository));
	json_object_set_new(j, key, page(c, items, n, last));
	reply_json(c, 200, "application/json", j);
}

void api_tags_get(struct call *c)
{
	AUTO(strlist) tags = STRLIST_INIT;
	AUTO(error) err = ERROR_INIT;

	if (!repository_exists(call_store(c), c->route.repository))
		reply_name_unknown(c);
	else if (repository_tags(call_store(c), c->route.repository, &tags, &err) < 0)
		reply_failure(c, &err);
	else
		reply_list(c, "tags", &tags);
}

void api_catalog_get(struct call *c)
{
	AUTO(strlist) names = STRLIST_INIT;
	AUTO(error) err = ERROR_INIT;

	if (repository_list(call_store(c), &names, &err) < 0)
		reply_failure(c, &err);
	else
		reply_list(c, "repositories", &names);
}

struct referrers {
	json_t *manifests;
	const char *type; /* only these; NULL: all */
	size_t bytes;
	struct digest last; /* of those that are in */
	bool more;
};

static int add_referrer(void *arg, const struct digest *referrer, const char *text,
			struct error *err)
{
	struct referrers *r = arg;
	AUTO_JSON *j = NULL;
	const char *type;

	(void)err;
	if (json_parse(&j, text, strlen(text), referrer->text, NULL) < 0)
		return 0;
	type = json_string_value(json_object_get(j, "artifactType"));
	if (r->type && (!type || strcmp(type, r->type) != 0))
		return 0;
	/* Clients read at most 4 MiB: the rest is on the next page. */
	r->bytes += strlen(text) + 1;
	if (json_array_size(r->manifests) && r->bytes > LIMIT_PUSHED_MANIFEST - 4096) {
		r->more = true;
		return 1;
	}
	json_array_append(r->manifests, j);
	r->last = *referrer;
	return 0;
}

void api_referrers_get(struct call *c)
{
	struct referrers r = {.type = call_query(c, "artifactType")};
	AUTO_JSON *j = json_object();
	AUTO(error) err = ERROR_INIT;

	r.manifests = json_array();
	json_object_set_new(j, "schemaVersion", json_integer(2));
	json_object_set_new(j, "mediaType", json_text(MEDIA_OCI_INDEX));
	json_object_set_new(j, "manifests", r.manifests);
	if (repository_each_referrer(call_store(c), c->route.repository, &c->route.digest,
				     call_query(c, "last"), add_referrer, &r, &err) < 0) {
		reply_failure(c, &err);
		return;
	}
	if (r.type)
		server_add_header(c->request, "OCI-Filters-Applied", "artifactType");
	if (r.more)
		reply_next(c, -1, r.last.text);
	reply_json(c, 200, MEDIA_OCI_INDEX, j);
}
