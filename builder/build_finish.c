#include "builder/build_finish.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/time.h"
#include "builder/cache_export.h"
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
	if (o->no_cache || (!cache_get_created(b->store, key, &created) &&
			    !remote_caches_find_created(b->remote, key, &created)))
		created = o->now;
	cache_put_created(b->store, key, created);
	cache_export_add_image(o->cache_export, key, created);
	return created;
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

static void annotate(const struct build *b, enum annotation_place place, const char *platform,
		     struct strmap *out)
{
	for (size_t i = 0; i < b->options->n_annotations; i++) {
		const struct build_annotation *a = &b->options->annotations[i];

		if (a->place == place &&
		    (!a->platform || (platform && strcmp(a->platform, platform) == 0)))
			strmap_set(out, a->key, a->value);
	}
}

static void fill_manifest(const struct stage *target, struct manifest *m)
{
	for (size_t i = 0; i < target->stack.n; i++) {
		AUTO(descriptor) layer = {.size = 0};
		const struct descriptor *from = &target->stack.layers[i];

		/* Annotations of a base's layers speak of the base's manifest. */
		descriptor_set(&layer, media_to_oci(from->media_type), &from->digest, from->size);
		strlist_copy(&layer.urls, &from->urls);
		manifest_add_layer(m, &layer);
	}
}

/* The layers of the result: all of them here, or in a lazy build where they can be had. */
static int gather_layers(struct build *b, struct stage *target, struct error *err)
{
	const struct build_options *o = b->options;
	struct stack *k = &target->stack;
	size_t n_base = k->base ? k->base->stack.n : 0;
	bool held = true;

	if (!o->lazy)
		return stack_fetch(k, err);
	for (size_t i = 0; i < n_base && held && o->place.holds; i++)
		held = store_has(b->store, &k->layers[i].digest, k->layers[i].size) ||
		       o->place.holds(o->place.arg, &k->layers[i]);
	if (!held && base_image_fetch(k->base, err) < 0)
		return -1;
	return remote_caches_settle(b->remote, k->layers, k->n, err);
}

/*
 * An image that was asked for by platform is of that one, whatever its last stage was FROM; what the base says more of the same
 * architecture (a variant) stays.
 */
static void set_platform(const struct build_target *t, struct image_config *config)
{
	const struct platform *want = &t->platform;
	struct platform *is = &config->platform;
	AUTO(platform) old = *is;
	bool same = is->os && is->arch && strcmp(is->os, want->os) == 0 &&
		    strcmp(is->arch, want->arch) == 0;

	platform_copy(is, t->build->options->n_platforms ? want : &old);
	if (same && !is->variant)
		is->variant = xstrdup_null(old.variant);
	if (same && !is->os_version)
		is->os_version = xstrdup_null(old.os_version);
	platform_normalize(is);
}

int build_finish(struct build_target *t, struct image **out, struct error *err)
{
	struct build *b = t->build;
	struct stage *target = t->stages[t->plan.target];
	AUTO_PTR(image) image = image_new();
	AUTO_FREE char *platform = NULL;

	if (gather_layers(b, target, err) < 0)
		return -1;
	stage_announce(target);
	image_config_copy(&image->config, &target->config);
	set_platform(t, &image->config);
	set_labels(b, &image->config);
	set_times(b, target, &image->config);
	fill_manifest(target, &image->manifest);
	platform = platform_format(&image->config.platform);
	annotate(b, ANNOTATE_MANIFEST, platform, &image->manifest.annotations);
	if (b->options->inline_cache)
		cache_export_attach(b->options->cache_export, image);
	if (image_save(image, b->store, err) < 0)
		return error_wrap(err, "write the image");
	annotate(b, ANNOTATE_MANIFEST_DESCRIPTOR, platform, &image->descriptor.annotations);
	*out = take_ptr(image);
	return 0;
}

int build_finish_index(const struct build *b, struct build_result *r, struct error *err)
{
	AUTO(image_index) index = {.n_manifests = 0};
	AUTO(strbuf) text = STRBUF_INIT;

	for (size_t i = 0; i < r->n_images; i++)
		image_index_add(&index, &r->images[i]->descriptor);
	annotate(b, ANNOTATE_INDEX, NULL, &index.annotations);
	image_index_write(&index, &text);
	if (store_put(b->store, MEDIA_OCI_INDEX, text.buf, text.len, &r->descriptor, err) < 0)
		return error_wrap(err, "write the image index");
	annotate(b, ANNOTATE_INDEX_DESCRIPTOR, NULL, &r->descriptor.annotations);
	return 0;
}
