#include "builder/cache_document.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"

#define FIELD    "slipway.cache"
#define VERSION  1
#define MAX_TIME 253402300799ll /* 9999-12-31T23:59:59Z */

void cache_document_release(struct cache_document *d)
{
	if (!d)
		return;
	free(d->entries);
	free(d->images);
	*d = (struct cache_document){.n = 0};
}

void cache_document_add(struct cache_document *d, const struct cache_entry *e)
{
	GROW(d->entries, d->n + 1, d->cap);
	d->entries[d->n++] = *e;
}

void cache_document_add_image(struct cache_document *d, const char *key, int64_t created)
{
	struct cache_created *image;

	GROW(d->images, d->n_images + 1, d->cap_images);
	image = &d->images[d->n_images++];
	*image = (struct cache_created){.created = created};
	memcpy(image->key, key, strnlen(key, sizeof(image->key) - 1));
}

/* NULL leaves out as it is. */
static int copy_hex(char out[SHA256_HEX_SIZE], const char *text, const char *where,
		    struct error *err)
{
	if (!text)
		return 0;
	if (strlen(text) != SHA256_HEX_SIZE - 1 ||
	    strspn(text, "0123456789abcdef") != SHA256_HEX_SIZE - 1)
		return error_set(err, ERROR_CORRUPT, "%s: a key is not a SHA-256", where);
	memcpy(out, text, SHA256_HEX_SIZE);
	return 0;
}

static int get_number(const json_t *j, const char *name, int64_t max, int64_t *out,
		      const char *where, struct error *err)
{
	if (json_get_int(j, name, out, where, err) < 0)
		return -1;
	if (*out < 0 || *out > max)
		return error_set(err, ERROR_CORRUPT, "%s: \"%s\" is out of range", where, name);
	return 0;
}

static int copy_kind(struct cache_entry *e, const char *text, const char *where, struct error *err)
{
	size_t len = strlen(text);

	if (!len || len >= sizeof(e->kind) || strspn(text, "abcdefghijklmnopqrstuvwxyz ") != len)
		return error_set(err, ERROR_CORRUPT, "%s: \"kind\" is not one", where);
	memcpy(e->kind, text, len + 1);
	return 0;
}

static int parse_entry(struct cache_document *out, const json_t *j, size_t n_layers,
		       const char *where, struct error *err)
{
	struct cache_entry e = {.layer = 0};
	const char *key, *quick, *kind;
	int64_t layer;

	if (json_opt_string(j, "key", &key, where, err) < 0 ||
	    json_opt_string(j, "quick", &quick, where, err) < 0 ||
	    json_get_string(j, "kind", &kind, where, err) < 0 ||
	    copy_hex(e.key, key, where, err) < 0 || copy_hex(e.quick, quick, where, err) < 0 ||
	    copy_kind(&e, kind, where, err) < 0 ||
	    get_number(j, "layer", LIMIT_MANIFEST_LAYERS, &layer, where, err) < 0 ||
	    get_number(j, "uncompressed", LIMIT_LAYER_BYTES, &e.uncompressed, where, err) < 0 ||
	    get_number(j, "created", MAX_TIME, &e.created, where, err) < 0 ||
	    json_opt_bool(j, "one_owner", &e.one_owner, false, where, err) < 0)
		return -1;
	if (!e.key[0] && !e.quick[0])
		return error_set(err, ERROR_CORRUPT, "%s: a record has no key", where);
	if ((size_t)layer >= n_layers)
		return error_set(err, ERROR_CORRUPT, "%s: a record names layer %lld of %zu", where,
				 (long long)layer, n_layers);
	e.layer = (size_t)layer;
	cache_document_add(out, &e);
	return 0;
}

static int parse_image(struct cache_document *out, const json_t *j, const char *where,
		       struct error *err)
{
	char hex[SHA256_HEX_SIZE] = "";
	const char *key;
	int64_t created;

	if (json_get_string(j, "key", &key, where, err) < 0 || copy_hex(hex, key, where, err) < 0 ||
	    get_number(j, "created", MAX_TIME, &created, where, err) < 0)
		return -1;
	cache_document_add_image(out, hex, created);
	return 0;
}

static int check_size(const json_t *array, const char *where, struct error *err)
{
	if (json_array_size(array) <= LIMIT_CACHE_RECORDS)
		return 0;
	return error_set(err, ERROR_CORRUPT, "%s has more than %u records", where,
			 LIMIT_CACHE_RECORDS);
}

int cache_document_parse(struct cache_document *out, const json_t *j, size_t n_layers,
			 const char *where, struct error *err)
{
	json_t *records, *images, *item;
	int64_t version;
	size_t i;

	if (!json_is_object(j))
		return error_set(err, ERROR_CORRUPT, "%s: \"" FIELD "\" is no object", where);
	if (json_get_int(j, "version", &version, where, err) < 0)
		return -1;
	if (version != VERSION)
		return error_set(err, ERROR_UNSUPPORTED,
				 "%s is of version %lld, this slipway reads %d", where,
				 (long long)version, VERSION);
	if (json_get_array(j, "records", &records, where, err) < 0 ||
	    check_size(records, where, err) < 0 ||
	    json_get_array(j, "images", &images, where, err) < 0 ||
	    check_size(images, where, err) < 0)
		return -1;
	json_array_foreach (records, i, item)
		if (parse_entry(out, item, n_layers, where, err) < 0)
			return -1;
	json_array_foreach (images, i, item)
		if (parse_image(out, item, where, err) < 0)
			return -1;
	return 0;
}

json_t *cache_document_to_json(const struct cache_document *d)
{
	json_t *j = json_object(), *records = json_array(), *images = json_array();

	for (size_t i = 0; i < d->n; i++) {
		const struct cache_entry *e = &d->entries[i];
		json_t *item = json_object();

		if (e->key[0])
			json_object_set_new(item, "key", json_text(e->key));
		if (e->quick[0])
			json_object_set_new(item, "quick", json_text(e->quick));
		json_object_set_new(item, "kind", json_text(e->kind));
		json_object_set_new(item, "layer", json_integer((json_int_t)e->layer));
		json_object_set_new(item, "uncompressed", json_integer(e->uncompressed));
		json_object_set_new(item, "created", json_integer(e->created));
		if (e->one_owner)
			json_object_set_new(item, "one_owner", json_true());
		json_array_append_new(records, item);
	}
	for (size_t i = 0; i < d->n_images; i++) {
		json_t *item = json_object();

		json_object_set_new(item, "key", json_text(d->images[i].key));
		json_object_set_new(item, "created", json_integer(d->images[i].created));
		json_array_append_new(images, item);
	}
	json_object_set_new(j, "version", json_integer(VERSION));
	json_object_set_new(j, "records", records);
	json_object_set_new(j, "images", images);
	return j;
}

int cache_document_read(struct cache_document *out, const struct image_config *c, const char *where,
			struct error *err)
{
	const json_t *j = c->unknown_top ? json_object_get(c->unknown_top, FIELD) : NULL;

	if (!j)
		return error_set(err, ERROR_NOT_FOUND, "%s is an image without cache records",
				 where);
	return cache_document_parse(out, j, c->n_diff_ids, where, err);
}

void cache_document_attach(const struct cache_document *d, struct image_config *c)
{
	if (!c->unknown_top)
		c->unknown_top = json_object();
	json_object_set_new(c->unknown_top, FIELD, cache_document_to_json(d));
}

void cache_document_detach(struct image_config *c)
{
	if (c->unknown_top)
		json_object_del(c->unknown_top, FIELD);
}
