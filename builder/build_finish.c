#include "builder/build_finish.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/time.h"
#include "builder/cache.h"
#include "builder/stage.h"

static void set_labels(const struct build *b, struct image_config *config)
{
	if (b->options->labels)
		strmap_copy(&config->labels, b->options->labels);
}

/*
 * The time of what made no layer, and of the image: when this very configuration was first made, so that building again
 * with every step cached gives the same image, to the byte.
 */
static int64_t find_time(const struct build *b, const struct image_config *config)
{
	const struct build_options *o = b->options;
	AUTO(strbuf) text = STRBUF_INIT;
	AUTO(sha256) hash = SHA256_INIT;
	char key[SHA256_HEX_SIZE];
	int64_t created;

	if (b->epoch >= 0)
		return b->epoch;
	image_config_write(config, &text);
	sha256_init(&hash);
	sha256_frame_str(&hash, "slipway image 1");
	sha256_frame(&hash, text.buf, text.len);
	sha256_final_hex(&hash, key);
	if (!o->no_cache && cache_get_created(b->store, key, &created))
		return created;
	cache_put_created(b->store, key, o->now);
	return o->now;
}

static void set_times(const struct build *b, const struct stage *target,
		      struct image_config *config)
{
	char text[TIME_TEXT_SIZE];

	time_format(find_time(b, config), 0, text);
	config->created = xstrdup(text);
	for (size_t i = target->n_base_history; i < config->n_history; i++)
		if (!config->history[i].created)
			config->history[i].created = xstrdup(text);
}

static void fill_manifest(const struct build *b, const struct stage *target, struct manifest *m)
{
	for (size_t i = 0; i < target->stack.n; i++) {
		AUTO(descriptor) layer = {.size = 0};
		const struct descriptor *from = &target->stack.layers[i];

		/* Annotations of a base's layers speak of the base's manifest. */
		descriptor_set(&layer, media_to_oci(from->media_type), &from->digest, from->size);
		strlist_copy(&layer.urls, &from->urls);
		manifest_add_layer(m, &layer);
	}
	if (b->options->annotations)
		strmap_copy(&m->annotations, b->options->annotations);
}

int build_finish(struct build *b, struct image **out, struct error *err)
{
	struct stage *target = b->stages[b->plan.target];
	AUTO_PTR(image) image = image_new();

	if (stack_fetch(&target->stack, err) < 0)
		return -1;
	stage_announce(target);
	image_config_copy(&image->config, &target->config);
	set_labels(b, &image->config);
	set_times(b, target, &image->config);
	fill_manifest(b, target, &image->manifest);
	if (image_save(image, b->store, err) < 0)
		return error_wrap(err, "write the image");
	*out = take_ptr(image);
	return 0;
}
