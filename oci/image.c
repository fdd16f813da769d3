#include "oci/image.h"

#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"

struct image *image_new(void)
{
	struct image *i = xcalloc(1, sizeof(*i));

	image_config_init(&i->config);
	return i;
}

void image_free(struct image *i)
{
	if (!i)
		return;
	descriptor_release(&i->descriptor);
	manifest_release(&i->manifest);
	image_config_release(&i->config);
	free(i);
}

static int read_document(struct store *s, const struct descriptor *d, struct strbuf *out,
			 struct error *err)
{
	if (store_read_blob(s, &d->digest, d->size, out, LIMIT_MANIFEST_BYTES, err) < 0)
		return error_wrap(err, "manifest");
	return 0;
}

int image_find_manifest(struct store *s, const struct descriptor *d,
			const struct platform *platform, struct descriptor *out,
			struct strbuf *text, struct error *err)
{
	AUTO(platform) host = {0};
	AUTO(descriptor) now = {0};

	platform_host(&host);
	descriptor_copy(&now, d);
	for (int depth = 0; depth <= LIMIT_INDEX_DEPTH; depth++) {
		AUTO(image_index) index = {0};
		const struct descriptor *chosen;

		if (read_document(s, &now, text, err) < 0)
			return -1;
		if (!manifest_is_index(text->buf, text->len, now.media_type)) {
			*out = now;
			memset(&now, 0, sizeof(now));
			return 0;
		}
		if (image_index_parse(&index, text->buf, text->len, now.media_type, now.digest.text,
				      err) < 0)
			return -1;
		if (image_index_choose(&index, platform ? platform : &host, &chosen, err) < 0)
			return error_wrap(err, "index %s", now.digest.text);
		descriptor_release(&now);
		descriptor_copy(&now, chosen);
	}
	return error_set(err, ERROR_CORRUPT, "index %s: indexes are nested deeper than %d",
			 d->digest.text, LIMIT_INDEX_DEPTH);
}

static int check_config_type(const struct manifest *m, const char *where, struct error *err)
{
	if (media_is_config(m->config.media_type))
		return 0;
	return error_set(err, ERROR_UNSUPPORTED,
			 "%s is not a container image: its config is of type %s", where,
			 m->config.media_type);
}

int image_load(struct image **out, struct store *s, const struct descriptor *d,
	       const struct platform *platform, struct error *err)
{
	AUTO_PTR(image) image = image_new();
	AUTO(strbuf) text = STRBUF_INIT;
	const struct descriptor *config = &image->manifest.config;

	if (image_find_manifest(s, d, platform, &image->descriptor, &text, err) < 0)
		return -1;
	const char *where = image->descriptor.digest.text;

	if (manifest_parse(&image->manifest, text.buf, text.len, image->descriptor.media_type,
			   where, err) < 0 ||
	    check_config_type(&image->manifest, where, err) < 0)
		return -1;
	if (store_read_blob(s, &config->digest, config->size, &text, LIMIT_CONFIG_BYTES, err) < 0)
		return error_wrap(err, "config of image %s", where);
	if (image_config_parse(&image->config, text.buf, text.len, config->digest.text, err) < 0 ||
	    image_config_check(&image->config, image->manifest.n_layers, where, err) < 0)
		return -1;
	*out = take_ptr(image);
	return 0;
}

static int load_first(struct image **out, struct store *s, const struct descriptor *d, int depth,
		      struct strmap *seen)
{
	AUTO(image_index) index = {0};
	AUTO(strbuf) text = STRBUF_INIT;

	if (depth > LIMIT_INDEX_DEPTH || d->artifact_type || !digest_set_add(seen, &d->digest) ||
	    !store_has(s, &d->digest, d->size) || read_document(s, d, &text, NULL) < 0)
		return -1;
	if (!manifest_is_index(text.buf, text.len, d->media_type))
		return image_load(out, s, d, NULL, NULL);
	if (image_index_parse(&index, text.buf, text.len, d->media_type, d->digest.text, NULL) < 0)
		return -1;
	for (size_t i = 0; i < index.n_manifests; i++)
		if (load_first(out, s, &index.manifests[i], depth + 1, seen) == 0)
			return 0;
	return -1;
}

int image_load_any(struct image **out, struct store *s, const struct descriptor *d,
		   struct error *err)
{
	AUTO(error) why = ERROR_INIT;
	AUTO(strmap) seen = STRMAP_INIT;

	if (image_load(out, s, d, NULL, &why) == 0 ||
	    (why.kind == ERROR_NOT_FOUND && load_first(out, s, d, 0, &seen) == 0))
		return 0;
	return error_move(err, &why);
}

/* Families of media types are never mixed in one manifest; a base image may have brought Docker's. */
static void use_oci_types(struct manifest *m)
{
	for (size_t i = 0; i < m->n_layers; i++) {
		char *type = xstrdup_null(media_to_oci(m->layers[i].media_type));

		free(m->layers[i].media_type);
		m->layers[i].media_type = type;
	}
	free(m->media_type);
	m->media_type = xstrdup(MEDIA_OCI_MANIFEST);
}

int image_save(struct image *i, struct store *s, struct error *err)
{
	AUTO(strbuf) text = STRBUF_INIT;

	if (image_config_check(&i->config, i->manifest.n_layers, "the new image", err) < 0)
		return -1;
	image_config_write(&i->config, &text);
	if (store_put(s, MEDIA_OCI_CONFIG, text.buf, text.len, &i->manifest.config, err) < 0)
		return error_wrap(err, "store the image's config");
	use_oci_types(&i->manifest);
	strbuf_reset(&text);
	manifest_write(&i->manifest, &text);
	if (store_put(s, MEDIA_OCI_MANIFEST, text.buf, text.len, &i->descriptor, err) < 0)
		return error_wrap(err, "store the image's manifest");
	platform_copy(&i->descriptor.platform, &i->config.platform);
	return 0;
}

bool image_complete(const struct image *i, struct store *s, size_t *missing)
{
	for (size_t k = 0; k < i->manifest.n_layers; k++) {
		const struct descriptor *d = &i->manifest.layers[k];

		if (store_has(s, &d->digest, d->size))
			continue;
		if (missing)
			*missing = k;
		return false;
	}
	return true;
}
