/* Small images in the store of a fixture. */
#pragma once

#include "store_fixture.h"

#include "oci/image.h"
#include "oci/layout.h"

/* An image of n layers whose bytes are "LABEL-0", "LABEL-1" ... (no tar: nothing here unpacks them). */
static inline struct image *make_image(struct fixture *f, const char *label, size_t n)
{
	AUTO_PTR(image) image = image_new();

	platform_host(&image->config.platform);
	for (size_t i = 0; i < n; i++) {
		AUTO_FREE char *bytes = xstrfmt("%s-%zu", label, i);
		AUTO(descriptor) layer = {0};

		assert_ok(f, store_put(f->store, MEDIA_OCI_LAYER, bytes, strlen(bytes), &layer,
				       &f->err));
		manifest_add_layer(&image->manifest, &layer);
		image_config_add_layer(&image->config, &layer.digest);
	}
	strmap_set(&image->config.labels, "label", label);
	assert_ok(f, image_save(image, f->store, &f->err));
	return take_ptr(image);
}

static inline void tag(struct fixture *f, const char *name, const struct descriptor *d)
{
	AUTO(image_ref) ref = {0};

	assert_ok(f, image_ref_parse(&ref, name, &f->err));
	assert_ok(f, layout_tag(f->store, &ref, d, &f->err));
}

/* The digest a name stands for, "" when there is none. */
static inline struct digest lookup(struct fixture *f, const char *name)
{
	AUTO(image_ref) ref = {0};
	AUTO(descriptor) d = {0};
	struct digest found = {0};

	assert_ok(f, image_ref_parse(&ref, name, &f->err));
	if (layout_find(f->store, &ref, &d, &f->err) == 0)
		found = d.digest;
	error_clear(&f->err);
	return found;
}

/* An index of the images, with their platforms overwritten in order by the words of platforms. */
static inline void make_index(struct fixture *f, struct image **images,
			      const char *const *platforms, size_t n, struct descriptor *out)
{
	AUTO(image_index) index = {0};
	AUTO(strbuf) text = STRBUF_INIT;

	for (size_t i = 0; i < n; i++) {
		image_index_add(&index, &images[i]->descriptor);
		platform_release(&index.manifests[i].platform);
		assert_ok(f, platform_parse(&index.manifests[i].platform, platforms[i], &f->err));
	}
	image_index_write(&index, &text);
	assert_ok(f, store_put(f->store, MEDIA_OCI_INDEX, text.buf, text.len, out, &f->err));
}
