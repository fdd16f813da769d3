#include "local/ecr_image.h"

#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "oci/manifest.h"
#include "oci/repository.h"
#include "server/document.h"

void ecr_images_release(struct ecr_images *i)
{
	for (size_t k = 0; k < i->n; k++) {
		free(i->list[k].media_type);
		strlist_release(&i->list[k].tags);
	}
	free(i->list);
	free(i->repository);
	memset(i, 0, sizeof(*i));
}

static int add_image(void *arg, const struct digest *d, int64_t since, struct error *err)
{
	struct ecr_images *i = arg;
	AUTO(strbuf) type = STRBUF_INIT;
	struct ecr_image *image;

	(void)err;
	/* One that is gone by now, or damaged and set aside, is not shown either. */
	if (repository_manifest(i->store, i->repository, d, &type, NULL) < 0 ||
	    !store_has(i->store, d, -1))
		return 0;
	GROW(i->list, i->n + 1, i->cap);
	image = &i->list[i->n++];
	*image = (struct ecr_image){.digest = *d, .pushed = since};
	image->media_type = strbuf_detach(&type, NULL);
	return 0;
}

static int newest_first(const void *a, const void *b)
{
	const struct ecr_image *x = a, *y = b;

	if (x->pushed != y->pushed)
		return x->pushed < y->pushed ? 1 : -1;
	return strcmp(x->digest.text, y->digest.text);
}

static struct ecr_image *by_digest(const struct ecr_images *i, const struct digest *d)
{
	for (size_t k = 0; k < i->n; k++)
		if (!i->list[k].gone && digest_equal(&i->list[k].digest, d))
			return &i->list[k];
	return NULL;
}

static struct ecr_image *by_tag(const struct ecr_images *i, const char *tag)
{
	for (size_t k = 0; k < i->n; k++)
		if (!i->list[k].gone && strlist_has(&i->list[k].tags, tag))
			return &i->list[k];
	return NULL;
}

int ecr_images_read(struct ecr_images *out, struct store *s, const char *repository,
		    struct error *err)
{
	AUTO(strlist) tags = STRLIST_INIT;

	*out = (struct ecr_images){.store = s, .repository = xstrdup(repository)};
	if (repository_each_link(s, repository, "manifests", add_image, out, err) < 0 ||
	    repository_tags(s, repository, &tags, err) < 0)
		return -1;
	if (out->n)
		qsort(out->list, out->n, sizeof(*out->list), newest_first);
	strlist_sort(&tags);
	for (size_t k = 0; k < tags.n; k++) {
		struct ecr_image *image = NULL;
		struct digest d;

		if (repository_resolve(s, repository, tags.items[k], &d, NULL) == 0)
			image = by_digest(out, &d);
		if (image)
			strlist_add(&image->tags, tags.items[k]);
	}
	return 0;
}

struct ecr_image *ecr_images_find(const struct ecr_images *i, const json_t *id, const char **code,
				  const char **reason)
{
	const char *digest = json_string_value(json_object_get(id, "imageDigest"));
	const char *tag = json_string_value(json_object_get(id, "imageTag"));
	struct ecr_image *image;
	struct digest d;

	*code = "MissingDigestAndTag";
	*reason = "Invalid request parameters: both tag and digest cannot be null";
	if (!digest && !tag)
		return NULL;
	*code = "InvalidImageDigest";
	*reason = "Invalid request parameters: image digest should satisfy the regex "
		  "'[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'";
	if (digest && digest_parse(&d, digest, NULL) < 0)
		return NULL;
	*code = "ImageNotFound";
	*reason = "Requested image not found";
	image = digest ? by_digest(i, &d) : by_tag(i, tag);
	if (!image || !digest || !tag || strlist_has(&image->tags, tag))
		return image;
	if (by_tag(i, tag)) {
		*code = "ImageTagDoesNotMatchDigest";
		*reason = "The tag stands for an image with another digest";
	}
	return NULL;
}

static int read_index(const struct ecr_images *i, const struct ecr_image *image,
		      struct image_index *out)
{
	AUTO(strbuf) text = STRBUF_INIT;

	if (!media_is_index(image->media_type) ||
	    store_read_blob(i->store, &image->digest, -1, &text, LIMIT_MANIFEST_BYTES, NULL) < 0)
		return -1;
	return image_index_parse(out, text.buf, text.len, image->media_type, image->digest.text,
				 NULL);
}

const struct ecr_image *ecr_images_list_of(const struct ecr_images *i,
					   const struct ecr_image *image)
{
	for (size_t k = 0; k < i->n; k++) {
		AUTO(image_index) index = {0};

		if (i->list[k].gone || read_index(i, &i->list[k], &index) < 0)
			continue;
		for (size_t m = 0; m < index.n_manifests; m++)
			if (digest_equal(&index.manifests[m].digest, &image->digest))
				return &i->list[k];
	}
	return NULL;
}

/* Bytes of the layers and the configuration, of an index those of all its images. *type: of the config, NULL when it has none. */
static int64_t size_of(const struct ecr_images *i, const struct ecr_image *image, int depth,
		       char **type)
{
	AUTO(strbuf) text = STRBUF_INIT;
	AUTO(image_index) index = {0};
	AUTO(manifest) m = {0};
	int64_t size = 0;

	if (read_index(i, image, &index) == 0) {
		for (size_t k = 0; k < index.n_manifests && depth < LIMIT_INDEX_DEPTH; k++) {
			const struct ecr_image *child = by_digest(i, &index.manifests[k].digest);

			if (child)
				size += size_of(i, child, depth + 1, NULL);
		}
		return size;
	}
	if (store_read_blob(i->store, &image->digest, -1, &text, LIMIT_MANIFEST_BYTES, NULL) < 0 ||
	    manifest_parse(&m, text.buf, text.len, image->media_type, image->digest.text, NULL) < 0)
		return 0;
	for (size_t k = 0; k < m.n_layers; k++)
		size += m.layers[k].size;
	if (type)
		*type = xstrdup_null(m.config.media_type);
	return size + m.config.size;
}

json_t *ecr_image_describe(const struct ecr_images *i, const struct ecr_image *image,
			   const char *account)
{
	AUTO_FREE char *type = NULL;
	int64_t size = size_of(i, image, 0, &type);
	json_t *out = json_pack("{s:s, s:s, s:s, s:I, s:f, s:s}", "registryId", account,
				"repositoryName", i->repository, "imageDigest", image->digest.text,
				"imageSizeInBytes", (json_int_t)size, "imagePushedAt",
				(double)image->pushed, "imageManifestMediaType", image->media_type);

	if (image->tags.n)
		json_object_set_new(out, "imageTags", json_from_strlist(&image->tags));
	if (type)
		json_object_set_new(out, "artifactMediaType", json_text(type));
	return out;
}

json_t *ecr_image_id(const struct ecr_image *image, const char *tag)
{
	json_t *id = json_pack("{s:s}", "imageDigest", image->digest.text);

	if (tag)
		json_object_set_new(id, "imageTag", json_text(tag));
	return id;
}

json_t *ecr_layer_describe(struct store *s, const char *repository, const struct digest *d)
{
	bool here = repository_has_blob(s, repository, d);
	json_t *out = json_pack("{s:s, s:s}", "layerDigest", d->text, "layerAvailability",
				here ? "AVAILABLE" : "UNAVAILABLE");
	int64_t size;
	int fd;

	if (here && store_open_blob(s, d, -1, &fd, &size, NULL) == 0) {
		close(fd);
		json_object_set_new(out, "layerSize", json_integer(size));
	}
	return out;
}

int ecr_image_untag(const struct ecr_images *i, struct ecr_image *image, const char *tag,
		    struct error *err)
{
	if (repository_untag(i->store, i->repository, tag, err) < 0)
		return -1;
	for (size_t k = image->tags.n; k-- > 0;)
		if (strcmp(image->tags.items[k], tag) == 0)
			strlist_remove(&image->tags, k);
	return 0;
}

int ecr_image_remove(const struct ecr_images *i, struct ecr_image *image, struct error *err)
{
	image->gone = true;
	return document_unlink(i->store, i->repository, &image->digest, err);
}
