/* manifest.json of docker save: [{"Config":PATH,"RepoTags":[NAME],"Layers":[PATH]}]. */
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "oci/archive_private.h"

#define WHERE "manifest.json"

/* "blobs/sha256/HEX", as newer archives name layers and configs. */
static bool is_stored_blob(const struct load *l, const char *path, struct digest *d)
{
	AUTO_FREE char *text = NULL;

	if (!str_starts(path, "blobs/sha256/"))
		return false;
	text = xstrfmt("sha256:%s", path + strlen("blobs/sha256/"));
	return digest_parse(d, text, NULL) == 0 && store_has(l->store, d, -1);
}

static int missing(const char *path, struct error *err)
{
	return error_set(err, ERROR_CORRUPT, WHERE " names %s, which the archive lacks", path);
}

static int read_config(const struct load *l, const char *path, struct strbuf *out,
		       struct error *err)
{
	const struct loose *f = load_find(l, path);
	struct digest d;

	if (f && f->text) {
		strbuf_add(out, f->text, f->len);
		return 0;
	}
	if (is_stored_blob(l, path, &d))
		return store_read_blob(l->store, &d, -1, out, LIMIT_CONFIG_BYTES, err);
	return missing(path, err);
}

/* The layer must unpack to what the config says of it. */
static int add_layer(struct load *l, const char *path, size_t at, struct image *image,
		     struct error *err)
{
	const struct loose *f = load_find(l, path);
	AUTO(descriptor) layer = {0};
	struct digest diff_id, blob;

	if (f && f->layer.media_type) {
		descriptor_copy(&layer, &f->layer);
		diff_id = f->diff_id;
	} else if (!is_stored_blob(l, path, &blob)) {
		return missing(path, err);
	} else if (load_blob_layer(l->store, &blob, &layer, &diff_id, err) < 0) {
		return -1;
	}
	if (!digest_equal(&diff_id, &image->config.diff_ids[at]))
		return error_set(err, ERROR_CORRUPT,
				 "layer %s unpacks to %s, but the config says %s", path,
				 diff_id.text, image->config.diff_ids[at].text);
	manifest_add_layer(&image->manifest, &layer);
	return 0;
}

/* The config keeps its bytes, and with them the image its ID. */
static int store_image(struct load *l, struct image *image, const struct strbuf *config,
		       struct error *err)
{
	AUTO(strbuf) text = STRBUF_INIT;

	image->manifest.media_type = xstrdup(MEDIA_OCI_MANIFEST);
	if (store_put(l->store, MEDIA_OCI_CONFIG, config->buf, config->len, &image->manifest.config,
		      err) < 0)
		return -1;
	manifest_write(&image->manifest, &text);
	if (store_put(l->store, MEDIA_OCI_MANIFEST, text.buf, text.len, &image->descriptor, err) <
	    0)
		return -1;
	platform_copy(&image->descriptor.platform, &image->config.platform);
	return 0;
}

static int load_image(struct load *l, const json_t *item, struct error *err)
{
	AUTO_PTR(image) image = image_new();
	AUTO(strlist) layers = STRLIST_INIT;
	AUTO(strlist) tags = STRLIST_INIT;
	AUTO(strbuf) config = STRBUF_INIT;
	const char *path;

	if (json_get_string(item, "Config", &path, WHERE, err) < 0 ||
	    json_opt_strlist(item, "Layers", &layers, WHERE, err) < 0 ||
	    json_opt_strlist(item, "RepoTags", &tags, WHERE, err) < 0 ||
	    read_config(l, path, &config, err) < 0 ||
	    image_config_parse(&image->config, config.buf, config.len, path, err) < 0 ||
	    image_config_check(&image->config, layers.n, path, err) < 0)
		return -1;
	for (size_t i = 0; i < layers.n; i++)
		if (add_layer(l, layers.items[i], i, image, err) < 0)
			return -1;
	if (store_image(l, image, &config, err) < 0)
		return -1;
	for (size_t i = 0; i < tags.n; i++)
		if (load_name(l, tags.items[i], &image->descriptor, err) < 0)
			return -1;
	return tags.n ? 0 : load_unnamed(l, &image->descriptor, err);
}

static int parse(const struct load *l, json_t **out, struct error *err)
{
	AUTO_JSON *j = NULL;

	if (json_parse(&j, l->manifest.buf, l->manifest.len, WHERE, err) < 0)
		return -1;
	if (!json_is_array(j))
		return error_set(err, ERROR_CORRUPT, WHERE ": not an array");
	*out = take_ptr(j);
	return 0;
}

int load_docker(struct load *l, struct error *err)
{
	AUTO_JSON *j = NULL;

	if (parse(l, &j, err) < 0)
		return -1;
	if (json_array_size(j) == 0)
		return error_set(err, ERROR_CORRUPT, "it holds no image: " WHERE " is empty");
	for (size_t i = 0; i < json_array_size(j); i++)
		if (load_image(l, json_array_get(j, i), err) < 0)
			return -1;
	return 0;
}

int load_repo_tags(const struct load *l, const struct digest *config, struct strlist *out,
		   struct error *err)
{
	AUTO_JSON *j = NULL;

	if (!l->manifest.len)
		return 0;
	if (parse(l, &j, err) < 0)
		return -1;
	for (size_t i = 0; i < json_array_size(j); i++) {
		const json_t *item = json_array_get(j, i);
		const char *path;

		if (json_opt_string(item, "Config", &path, WHERE, err) < 0)
			return -1;
		if (path && strstr(path, digest_hex(config)) &&
		    json_opt_strlist(item, "RepoTags", out, WHERE, err) < 0)
			return -1;
	}
	return 0;
}
