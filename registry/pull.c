#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "oci/layout.h"
#include "registry/blobs.h"
#include "registry/documents.h"
#include "registry/manifests.h"
#include "registry/parallel.h"
#include "registry/remote_error.h"
#include "registry/sources.h"

/* From the named manifest or index down to the manifest of the platform; text holds its bytes in the end. */
static int fetch_chosen(struct registry_client *c, struct store *s, const struct image_ref *ref,
			const struct platform *platform, const struct descriptor *top,
			struct strbuf *text, struct descriptor *chosen, struct error *err)
{
	descriptor_copy(chosen, top);
	for (int depth = 0; manifest_is_index(text->buf, text->len, chosen->media_type); depth++) {
		AUTO(image_index) index = {0};
		AUTO(descriptor) got = {0};
		const struct descriptor *child;

		if (depth >= LIMIT_INDEX_DEPTH)
			return error_set(err, ERROR_CORRUPT,
					 "index %s: indexes are nested deeper than %d",
					 top->digest.text, LIMIT_INDEX_DEPTH);
		if (image_index_parse(&index, text->buf, text->len, chosen->media_type,
				      chosen->digest.text, err) < 0 ||
		    image_index_choose(&index, platform, &child, err) < 0 ||
		    documents_fetch(c, s, ref, &child->digest, &got, text, err) < 0)
			return -1;
		if (got.size != child->size)
			return error_set(err, ERROR_CORRUPT,
					 "manifest %s has %lld bytes, its index says %lld",
					 got.digest.text, (long long)got.size,
					 (long long)child->size);
		descriptor_release(chosen);
		descriptor_copy(chosen, child);
		/* Docker's lists may leave it out; what the document says of itself was checked. */
		free(chosen->media_type);
		chosen->media_type = xstrdup(got.media_type);
	}
	return 0;
}

static int fetch_config(struct registry_client *c, struct store *s, const struct image_ref *ref,
			const struct descriptor *chosen, const struct strbuf *text,
			struct error *err)
{
	AUTO(manifest) m = {0};

	if (manifest_parse(&m, text->buf, text->len, chosen->media_type, chosen->digest.text, err) <
	    0)
		return -1;
	/* What a manifest names is in its repository, fetched or not. */
	for (size_t i = 0; i < m.n_layers; i++) {
		if (!blob_is_foreign(&m.layers[i]))
			sources_add(c, s, &m.layers[i].digest, ref);
	}
	return registry_fetch_blob(c, s, ref, &m.config, 0, err);
}

static void warn_platform(struct registry_client *c, const struct image_ref *ref,
			  const struct platform *want, const struct image *image)
{
	const struct platform *have = &image->config.platform;
	AUTO_FREE char *name = NULL;
	AUTO_FREE char *is = NULL;
	AUTO_FREE char *asked = NULL;

	if (!have->os || !have->arch || platform_match(want, have))
		return;
	name = image_ref_familiar(ref);
	is = platform_format(have);
	asked = platform_format(want);
	report_log(c->o.reporter, LOG_WARNING, "%s is made for %s, not for %s", name, is, asked);
}

static int fetch_image(struct registry_client *c, struct store *s, const struct image_ref *ref,
		       const struct platform *platform, bool warn, struct descriptor *top,
		       struct descriptor *chosen, struct error *err)
{
	AUTO(strbuf) text = STRBUF_INIT;
	AUTO_PTR(image) image = NULL;
	struct digest digest;

	if (documents_find(c, ref, &digest, err) < 0 ||
	    documents_fetch(c, s, ref, &digest, top, &text, err) < 0 ||
	    fetch_chosen(c, s, ref, platform, top, &text, chosen, err) < 0 ||
	    fetch_config(c, s, ref, chosen, &text, err) < 0 ||
	    image_load(&image, s, chosen, platform, err) < 0)
		return -1;
	if (warn)
		warn_platform(c, ref, platform, image);
	return 0;
}

static int fetch_documents(struct registry_client *c, struct store *s, const struct image_ref *ref,
			   const struct platform *platform, bool warn, struct descriptor *top,
			   struct descriptor *chosen, struct error *err)
{
	AUTO(platform) host = {0};
	AUTO(descriptor) named = {0};
	AUTO(descriptor) found = {0};

	platform_host(&host);
	if (fetch_image(c, s, ref, platform ? platform : &host, warn, &named, &found, err) < 0)
		return -1;
	descriptor_release(top);
	descriptor_release(chosen);
	*top = named;
	*chosen = found;
	named = found = (struct descriptor){0};
	return 0;
}

int registry_fetch_image(struct registry_client *c, struct store *s, const struct image_ref *ref,
			 const struct platform *platform, struct descriptor *top,
			 struct descriptor *chosen, struct error *err)
{
	return fetch_documents(c, s, ref, platform, true, top, chosen, err);
}

int registry_fetch_documents(struct registry_client *c, struct store *s,
			     const struct image_ref *ref, const struct platform *platform,
			     struct descriptor *top, struct descriptor *chosen, struct error *err)
{
	return fetch_documents(c, s, ref, platform, false, top, chosen, err);
}

int registry_fetch_blob(struct registry_client *c, struct store *s, const struct image_ref *repo,
			const struct descriptor *blob, int step, struct error *err)
{
	struct blob_job job = {
		.client = c,
		.store = s,
		.repository = repo,
		.blob = blob,
		.step = step,
	};

	return blob_download(&job, err);
}

/* Blobs of an image that are not here yet, each once. */
struct layer_set {
	struct registry_client *client;
	struct store *store;
	const struct image_ref *repository;
	const struct descriptor **blobs;
	size_t n;
};

static int fetch_layer(void *arg, size_t i, const atomic_bool *stop, struct error *err)
{
	struct layer_set *set = arg;
	struct reporter *reporter = set->client->o.reporter;
	struct blob_job job = {
		.client = set->client,
		.store = set->store,
		.repository = set->repository,
		.blob = set->blobs[i],
		.stop = stop,
	};
	AUTO(error) why = ERROR_INIT;
	char id[24];
	int rc;

	digest_short(&job.blob->digest, id);
	job.step = report_step_begin(reporter, "pulling layer %s", id);
	rc = blob_download(&job, &why);
	report_step_end(reporter, job.step,
			rc == 0                       ? STEP_STATUS_DONE
			: why.kind == ERROR_CANCELLED ? STEP_STATUS_CANCELLED
						      : STEP_STATUS_FAILED,
			rc == 0 ? NULL : &why);
	return rc == 0 ? 0 : error_move(err, &why);
}

static void add_missing(struct layer_set *set, const struct descriptor *d)
{
	if (store_touch(set->store, &d->digest, d->size))
		return;
	for (size_t i = 0; i < set->n; i++) {
		if (digest_equal(&set->blobs[i]->digest, &d->digest))
			return;
	}
	set->blobs[set->n++] = d;
}

int registry_fetch_layers(struct registry_client *c, struct store *s, const struct image_ref *repo,
			  const struct image *image, struct error *err)
{
	const struct manifest *m = &image->manifest;
	AUTO_FREE const struct descriptor **blobs = xcalloc(m->n_layers + 1, sizeof(*blobs));
	struct layer_set set = {.client = c, .store = s, .repository = repo, .blobs = blobs};

	for (size_t i = 0; i < m->n_layers; i++)
		add_missing(&set, &m->layers[i]);
	return parallel_run(c->o.pool, set.n, fetch_layer, &set, err);
}

int registry_pull(struct registry_client *c, struct store *s, const struct image_ref *ref,
		  const struct platform *platform, struct descriptor *out, bool *changed,
		  struct error *err)
{
	AUTO(descriptor) before = {0};
	AUTO(descriptor) top = {0};
	AUTO(descriptor) chosen = {0};
	AUTO(error) unknown = ERROR_INIT;
	AUTO_PTR(image) image = NULL;
	size_t missing;

	if (registry_fetch_image(c, s, ref, platform, &top, &chosen, err) < 0 ||
	    image_load(&image, s, &chosen, platform, err) < 0)
		return -1;
	*changed = layout_find(s, ref, &before, &unknown) < 0 ||
		   !digest_equal(&before.digest, &top.digest) ||
		   !image_complete(image, s, &missing);
	if (registry_fetch_layers(c, s, ref, image, err) < 0)
		return -1;
	/* A name that is only a digest has nothing to be filed under but itself. */
	if ((ref->tag ? layout_tag(s, ref, &top, err) : layout_add(s, &top, err)) < 0)
		return -1;
	descriptor_release(out);
	*out = top;
	top = (struct descriptor){0};
	return 0;
}
