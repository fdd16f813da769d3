/* ECR of the local target: the images of a repository, which are the manifests that the embedded registry shows. */
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "local/api_ecr.h"
#include "local/ecr_image.h"
#include "oci/repository.h"

#define MOST_A_PAGE  1000
#define DEFAULT_PAGE 100

/* "{imageDigest:'sha256:..', imageTag:'null'}" */
static char *id_text(const json_t *id)
{
	const char *digest = json_string_value(json_object_get(id, "imageDigest"));
	const char *tag = json_string_value(json_object_get(id, "imageTag"));

	return xstrfmt("{imageDigest:'%s', imageTag:'%s'}", digest ? digest : "null",
		       tag ? tag : "null");
}

static int no_image(struct api_call *c, const char *name, const json_t *id)
{
	AUTO_FREE char *text = id_text(id);

	return api_error(c, "ImageNotFoundException",
			 "The image with imageId %s does not exist within the repository with name "
			 "'%s' in the registry with id '%s'",
			 text, name, c->account);
}

static bool passes(const json_t *image, const char *status)
{
	bool is_tagged = json_array_size(json_object_get(image, "imageTags")) > 0;

	return !status || strcmp(status, "ANY") == 0 ||
	       is_tagged == (strcmp(status, "TAGGED") == 0);
}

/* tagStatus of the filter, NULL: none. */
static int read_filter(struct api_call *c, const char **status)
{
	static const char *const words[] = {"TAGGED", "UNTAGGED", "ANY"};

	*status = json_string_value(
		json_object_get(json_object_get(c->input, "filter"), "tagStatus"));
	if (!*status || str_in(*status, words, ARRAY_SIZE(words)))
		return 0;
	return ecr_bad_parameter(c, "filter.tagStatus",
				 "Member must satisfy enum value set: [ANY, TAGGED, UNTAGGED]");
}

static int page(struct api_call *c, json_t *array)
{
	int64_t size;

	if (api_int(c, "maxResults", &size, DEFAULT_PAGE) < 0)
		return -1;
	return api_page(c, array, size > DEFAULT_PAGE ? MOST_A_PAGE : DEFAULT_PAGE);
}

/* What the member lists, at most 100; NULL after api_error(). */
static const json_t *read_ids(struct api_call *c, bool required)
{
	const json_t *ids = json_object_get(c->input, "imageIds");
	size_t n = json_array_size(ids);

	if ((required && n == 0) || n > 100) {
		ecr_bad_parameter(c, "imageIds", "Member must have length between 1 and 100");
		return NULL;
	}
	return ids ? ids : c->input;
}

static int describe_asked(struct api_call *c, const struct ecr_images *images, const json_t *ids,
			  json_t *out)
{
	const json_t *id;
	size_t i;

	json_array_foreach (ids, i, id) {
		const char *code, *reason;
		const struct ecr_image *image = ecr_images_find(images, id, &code, &reason);

		if (!image)
			return strcmp(code, "ImageNotFound") == 0
				       ? no_image(c, images->repository, id)
				       : ecr_bad_parameter(c, "imageIds", reason);
		json_array_append_new(out, ecr_image_describe(images, image, c->account));
	}
	return 0;
}

static int describe_images(struct api_call *c)
{
	json_t *out = json_array();
	AUTO(ecr_images) images = {0};
	AUTO(error) err = ERROR_INIT;
	const char *name, *status;
	const json_t *ids;

	json_object_set_new(c->output, "imageDetails", out);
	if (!ecr_document(c, &name) || read_filter(c, &status) < 0)
		return -1;
	ids = read_ids(c, false);
	if (!ids)
		return -1;
	if (ecr_images_read(&images, c->local->store, name, &err) < 0)
		return api_failure(c, &err);
	if (json_is_array(ids))
		return describe_asked(c, &images, ids, out);
	for (size_t i = 0; i < images.n; i++) {
		AUTO_JSON *image = ecr_image_describe(&images, &images.list[i], c->account);

		if (passes(image, status))
			json_array_append(out, image);
	}
	return page(c, out);
}

static int list_images(struct api_call *c)
{
	json_t *out = json_array();
	AUTO(ecr_images) images = {0};
	AUTO(error) err = ERROR_INIT;
	const char *name, *status;

	json_object_set_new(c->output, "imageIds", out);
	if (!ecr_document(c, &name) || read_filter(c, &status) < 0)
		return -1;
	if (ecr_images_read(&images, c->local->store, name, &err) < 0)
		return api_failure(c, &err);
	for (size_t i = 0; i < images.n; i++) {
		const struct ecr_image *image = &images.list[i];
		bool tagged = image->tags.n > 0;

		if (status && strcmp(status, "ANY") != 0 && tagged != (*status == 'T'))
			continue;
		for (size_t k = 0; k < image->tags.n; k++)
			json_array_append_new(out, ecr_image_id(image, image->tags.items[k]));
		if (!tagged)
			json_array_append_new(out, ecr_image_id(image, NULL));
	}
	return page(c, out);
}

static void add_failure(struct api_call *c, const json_t *id, const char *code, const char *reason)
{
	json_array_append_new(json_object_get(c->output, "failures"),
			      json_pack("{s:O, s:s, s:s}", "imageId", id, "failureCode", code,
					"failureReason", reason));
}

static int batch_get_image(struct api_call *c)
{
	json_t *out = json_array();
	AUTO(ecr_images) images = {0};
	AUTO(error) err = ERROR_INIT;
	const char *name;
	const json_t *ids, *id;
	size_t i;

	json_object_set_new(c->output, "images", out);
	json_object_set_new(c->output, "failures", json_array());
	if (!ecr_document(c, &name) || !(ids = read_ids(c, true)))
		return -1;
	if (ecr_images_read(&images, c->local->store, name, &err) < 0)
		return api_failure(c, &err);
	json_array_foreach (ids, i, id) {
		const char *code, *reason;
		const struct ecr_image *image = ecr_images_find(&images, id, &code, &reason);
		AUTO(strbuf) text = STRBUF_INIT;
		json_t *found;

		if (!image) {
			add_failure(c, id, code, reason);
			continue;
		}
		if (store_read_blob(c->local->store, &image->digest, -1, &text,
				    LIMIT_MANIFEST_BYTES, &err) < 0)
			return api_failure(c, &err);
		found = json_pack(
			"{s:s, s:s, s:o, s:s}", "registryId", c->account, "repositoryName", name,
			"imageId",
			ecr_image_id(image, json_string_value(json_object_get(id, "imageTag"))),
			"imageManifestMediaType", image->media_type);
		json_object_set_new(found, "imageManifest", json_text(text.buf));
		json_array_append_new(out, found);
	}
	return 0;
}

/* One tag, and the image with its last one, or the image with all of its tags. */
static int delete_one(struct api_call *c, struct ecr_images *images, const json_t *id,
		      struct error *err)
{
	json_t *out = json_object_get(c->output, "imageIds");
	const char *tag = json_string_value(json_object_get(id, "imageTag"));
	bool by_digest = json_object_get(id, "imageDigest") != NULL;
	const char *code, *reason;
	struct ecr_image *image = ecr_images_find(images, id, &code, &reason);
	const struct ecr_image *list;

	if (!image) {
		add_failure(c, id, code, reason);
		return 0;
	}
	if (tag && (by_digest || image->tags.n > 1)) {
		if (ecr_image_untag(images, image, tag, err) < 0)
			return -1;
		json_array_append_new(out, ecr_image_id(image, tag));
		return 0;
	}
	list = ecr_images_list_of(images, image);
	if (list) {
		AUTO_FREE char *text = xstrfmt("Requested image referenced by manifest list: [%s]",
					       list->digest.text);

		add_failure(c, id, "ImageReferencedByManifestList", text);
		return 0;
	}
	for (size_t k = 0; k < image->tags.n; k++)
		json_array_append_new(out, ecr_image_id(image, image->tags.items[k]));
	if (image->tags.n == 0)
		json_array_append_new(out, ecr_image_id(image, NULL));
	return ecr_image_remove(images, image, err);
}

static int batch_delete_image(struct api_call *c)
{
	AUTO(ecr_images) images = {0};
	AUTO(error) err = ERROR_INIT;
	AUTO_FD int lock = -1;
	const char *name;
	const json_t *ids, *id;
	size_t i;

	json_object_set_new(c->output, "imageIds", json_array());
	json_object_set_new(c->output, "failures", json_array());
	if (!ecr_document(c, &name) || !(ids = read_ids(c, true)))
		return -1;
	if (repository_lock(c->local->store, name, &lock, &err) < 0 ||
	    ecr_images_read(&images, c->local->store, name, &err) < 0)
		return api_failure(c, &err);
	json_array_foreach (ids, i, id) {
		if (delete_one(c, &images, id, &err) < 0)
			return api_failure(c, &err);
	}
	return 0;
}

static int batch_check_layer_availability(struct api_call *c)
{
	const json_t *digests = json_object_get(c->input, "layerDigests"), *text;
	json_t *layers = json_array(), *failures = json_array();
	const char *name;
	size_t i;

	json_object_set_new(c->output, "layers", layers);
	json_object_set_new(c->output, "failures", failures);
	if (!ecr_document(c, &name))
		return -1;
	if (json_array_size(digests) < 1 || json_array_size(digests) > 100)
		return ecr_bad_parameter(c, "layerDigests",
					 "Member must have length between 1 and 100");
	json_array_foreach (digests, i, text) {
		const char *digest = json_is_string(text) ? json_string_value(text) : "";
		struct digest d;

		if (digest_parse(&d, digest, NULL) < 0)
			json_array_append_new(
				failures,
				json_pack("{s:s, s:s, s:s}", "layerDigest", digest, "failureCode",
					  "InvalidLayerDigest", "failureReason",
					  "Invalid request parameters: layer digest should "
					  "satisfy the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'"));
		else
			json_array_append_new(layers,
					      ecr_layer_describe(c->local->store, name, &d));
	}
	return 0;
}

/* imageId of the input, which must be there: false after api_error(). */
static bool has_image(struct api_call *c, const char **name, const json_t **id)
{
	AUTO(ecr_images) images = {0};
	AUTO(error) err = ERROR_INIT;
	const char *code, *reason;

	*id = json_object_get(c->input, "imageId");
	if (!ecr_document(c, name))
		return false;
	if (ecr_images_read(&images, c->local->store, *name, &err) < 0) {
		api_failure(c, &err);
		return false;
	}
	if (ecr_images_find(&images, *id, &code, &reason))
		return true;
	no_image(c, *name, *id);
	return false;
}

static int describe_image_scan_findings(struct api_call *c)
{
	AUTO_FREE char *text = NULL;
	const char *name;
	const json_t *id;

	if (!has_image(c, &name, &id))
		return -1;
	text = id_text(id);
	return api_error(c, "ScanNotFoundException",
			 "Image scan does not exist for the image with '%s' in the repository with "
			 "name '%s' in the registry with id '%s'",
			 text, name, c->account);
}

static int start_image_scan(struct api_call *c)
{
	const char *name;
	const json_t *id;

	if (!has_image(c, &name, &id))
		return -1;
	return api_error(c, "ValidationException", "the local target does not scan images");
}

const struct api_operation api_ecr_images[] = {
	{.name = "DescribeImages", .run = describe_images},
	{.name = "ListImages", .run = list_images},
	{.name = "BatchGetImage", .run = batch_get_image},
	{.name = "BatchDeleteImage", .run = batch_delete_image},
	{.name = "PutImage", .run = ecr_put_image},
	{.name = "BatchCheckLayerAvailability", .run = batch_check_layer_availability},
	{.name = "DescribeImageScanFindings", .run = describe_image_scan_findings},
	{.name = "StartImageScan", .run = start_image_scan},
	{0},
};
