/* Images of a few files in the store of a fixture: layers are written as lines of text. */
#pragma once

#include "tests/unit/oci/memory_source.h"
#include "tests/unit/oci/store_fixture.h"

#include "oci/image.h"
#include "oci/layer_writer.h"

/* One entry: "d app", "f 755 app/run=bytes", "l bin -> usr/bin", "w gone"; in the order of layers. */
struct file_spec {
	enum entry_type type;
	const char *path, *content; /* of a file its bytes, of a link its target */
	mode_t mode;                /* 0: 0755 of folders, else 0644 */
	int64_t mtime;
};

#define FILE_X(p, c)                          \
	{                                     \
		ENTRY_FILE, (p), (c), 0755, 0 \
	}
#define FILE_(p, c)                           \
	{                                     \
		ENTRY_FILE, (p), (c), 0644, 0 \
	}
#define FOLDER(p)                             \
	{                                     \
		ENTRY_DIR, (p), NULL, 0755, 0 \
	}
#define LINK_(p, to)                              \
	{                                         \
		ENTRY_SYMLINK, (p), (to), 0777, 0 \
	}
#define WHITEOUT(p)                             \
	{                                       \
		ENTRY_WHITEOUT, (p), NULL, 0, 0 \
	}

static inline void add_layer(struct fixture *f, struct image *image, const struct file_spec *files,
			     size_t n)
{
	AUTO_PTR(layer_writer) w = NULL;
	struct layer_options options = {
		.compression = COMPRESSION_GZIP, .level = 1, .mtime_limit = -1};
	struct layer layer = {.uncompressed = 0};

	assert_ok(f, layer_writer_open(&w, f->store, &options, &f->err));
	for (size_t i = 0; i < n; i++) {
		const struct file_spec *s = &files[i];
		size_t size = s->type == ENTRY_FILE ? strlen(s->content) : 0;
		struct memory_source content = memory_source(s->content, size);
		struct entry e = {.type = s->type,
				  .path = s->path,
				  .mode = s->mode,
				  .mtime = s->mtime,
				  .size = (int64_t)size,
				  .link = s->type == ENTRY_SYMLINK ? s->content : NULL};

		assert_ok(f, layer_writer_add(w, &e, s->type == ENTRY_FILE ? &content.source : NULL,
					      &f->err));
	}
	assert_ok(f, layer_writer_finish(w, &layer, &f->err));
	manifest_add_layer(&image->manifest, &layer.descriptor);
	image_config_add_layer(&image->config, &layer.diff_id);
	layer_release(&layer);
}

#define LAYER(f, image, ...)                                             \
	add_layer((f), (image), (const struct file_spec[]){__VA_ARGS__}, \
		  sizeof((const struct file_spec[]){__VA_ARGS__}) / sizeof(struct file_spec))

static inline struct image *new_image(void)
{
	struct image *image = image_new();

	platform_host(&image->config.platform);
	return image;
}
