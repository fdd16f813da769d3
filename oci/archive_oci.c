/* Archives that are OCI layouts: the blobs are in the store already, index.json says what they are. */
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "oci/archive_private.h"

/* The image with all its layers, or an error that names what is missing. */
static int check_image(struct load *l, const struct descriptor *d, struct image **out,
		       struct error *err)
{
	AUTO_PTR(image) image = NULL;
	size_t missing;

	if (image_load(&image, l->store, d, NULL, err) < 0)
		return -1;
	if (!image_complete(image, l->store, &missing))
		return error_set(err, ERROR_CORRUPT, "the archive lacks layer %s of image %s",
				 image->manifest.layers[missing].digest.text, d->digest.text);
	*out = take_ptr(image);
	return 0;
}

/* Of an index one image must be whole; the others may have been left out by whoever saved it. */
static int check_index(struct load *l, const struct image_index *index, struct image **out,
		       struct error *err)
{
	AUTO(error) first = ERROR_INIT;

	for (size_t i = 0; i < index->n_manifests; i++) {
		const struct descriptor *d = &index->manifests[i];

		if (d->artifact_type || !media_is_manifest(d->media_type))
			continue;
		AUTO(error) why = ERROR_INIT;

		if (check_image(l, d, out, &why) == 0)
			return 0;
		if (first.kind == ERROR_NONE)
			error_move(&first, &why);
	}
	if (first.kind == ERROR_NONE)
		return error_set(err, ERROR_CORRUPT, "an index in the archive names no image");
	return error_move(err, &first);
}

static int check_entry(struct load *l, const struct descriptor *d, struct image **out,
		       struct error *err)
{
	AUTO(strbuf) text = STRBUF_INIT;
	AUTO(image_index) index = {0};

	if (store_read_blob(l->store, &d->digest, d->size, &text, LIMIT_MANIFEST_BYTES, err) < 0)
		return error_wrap(err, "index.json names what the archive lacks");
	if (!manifest_is_index(text.buf, text.len, d->media_type))
		return check_image(l, d, out, err);
	if (image_index_parse(&index, text.buf, text.len, d->media_type, d->digest.text, err) < 0)
		return -1;
	return check_index(l, &index, out, err);
}

/*
 * The name from the annotations. A bare word is a tag alone, as BuildKit and containerd write it beside the full name: it
 * names nothing by itself.
 */
static const char *annotated_name(const struct descriptor *d)
{
	const char *full = strmap_get(&d->annotations, ANNOTATION_IMAGE_NAME);
	const char *ref = strmap_get(&d->annotations, ANNOTATION_REF_NAME);

	if (full)
		return full;
	return ref && strpbrk(ref, ":/") ? ref : NULL;
}

static int load_entry(struct load *l, const struct descriptor *d, struct error *err)
{
	AUTO_PTR(image) image = NULL;
	AUTO(strlist) names = STRLIST_INIT;

	if (check_entry(l, d, &image, err) < 0)
		return -1;
	if (annotated_name(d))
		strlist_add(&names, annotated_name(d));
	else if (load_repo_tags(l, &image->manifest.config.digest, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.n; i++)
		if (load_name(l, names.items[i], d, err) < 0)
			return -1;
	return names.n ? 0 : load_unnamed(l, d, err);
}

int load_oci(struct load *l, struct error *err)
{
	AUTO(image_index) index = {0};
	size_t images = 0;

	if (image_index_parse(&index, l->index.buf, l->index.len, MEDIA_OCI_INDEX, "index.json",
			      err) < 0)
		return -1;
	for (size_t i = 0; i < index.n_manifests; i++) {
		const struct descriptor *d = &index.manifests[i];
		bool is_unknown = d->platform.os && strcmp(d->platform.os, "unknown") == 0;

		if (d->artifact_type || is_unknown ||
		    !(media_is_manifest(d->media_type) || media_is_index(d->media_type)))
			continue;
		if (load_entry(l, d, err) < 0)
			return -1;
		images++;
	}
	if (!images)
		return error_set(err, ERROR_CORRUPT, "it holds no image: index.json lists none");
	return 0;
}
