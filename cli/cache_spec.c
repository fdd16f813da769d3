#include "cli/cache_spec.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/strlist.h"
#include "base/time.h"
#include "cli/csv.h"

#define FROM "--cache-from"
#define TO   "--cache-to"

static const char *const from_registry[] = {"type", "ref", "timeout", NULL};
static const char *const from_local[] = {"type", "src", "tag", "digest", NULL};
static const char *const to_registry[] = {
	"type",           "ref",          "mode",    "compression", "oci-mediatypes",
	"image-manifest", "ignore-error", "timeout", NULL};
static const char *const to_local[] = {
	"type",           "dest",           "tag",          "mode",    "compression",
	"oci-mediatypes", "image-manifest", "ignore-error", "timeout", NULL};
static const char *const to_inline[] = {"type", "mode", NULL};

void cache_spec_list_release(struct cache_spec_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		struct cache_spec *s = &l->items[i];

		free(s->name);
		image_ref_release(&s->ref);
		free(s->folder);
		free(s->tag);
	}
	free(l->items);
	*l = (struct cache_spec_list){0};
}

static struct cache_spec *add(struct cache_spec_list *l)
{
	GROW(l->items, l->n + 1, l->cap);
	l->items[l->n] = (struct cache_spec){.kind = CACHE_REGISTRY};
	return &l->items[l->n++];
}

static int set_ref(struct cache_spec *s, const char *flag, const char *text, struct error *err)
{
	if (!text || !*text)
		return error_set(err, ERROR_USAGE, "%s type=registry: ref= is missing", flag);
	if (image_ref_parse(&s->ref, text, err) < 0)
		return error_wrap(err, "%s", flag);
	s->name = image_ref_familiar(&s->ref);
	return 0;
}

static int get_timeout(struct cache_spec *s, const char *flag, const struct strmap *fields,
		       struct error *err)
{
	const char *value = strmap_get(fields, "timeout");

	if (!value)
		return 0;
	if (time_parse_duration(value, &s->timeout_ns, NULL) < 0 || s->timeout_ns <= 0)
		return error_set(err, ERROR_USAGE,
				 "%s: timeout=%s: a time like 10s or 5m is wanted", flag, value);
	return 0;
}

static int find_kind(enum cache_kind *out, const char *flag, const struct strmap *fields,
		     struct error *err)
{
	static const char *const names[] = {"registry", "local", "inline"};
	const char *type = strmap_get(fields, "type");

	if (!type)
		return error_set(err, ERROR_USAGE, "%s: type= is missing", flag);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(type, names[i]) == 0) {
			*out = (enum cache_kind)i;
			return 0;
		}
	return error_set(err, ERROR_UNSUPPORTED,
			 "%s: type=%s is not supported: registry, local and inline are", flag,
			 type);
}

static int set_folder(struct cache_spec *s, const char *flag, const char *key,
		      const struct strmap *fields, struct error *err)
{
	const char *folder = strmap_get(fields, key);
	const char *tag = strmap_get(fields, "tag");
	const char *digest = strmap_get(fields, "digest");

	if (!folder || !*folder)
		return error_set(err, ERROR_USAGE, "%s type=local: %s= is missing", flag, key);
	if (digest && digest_parse(&s->digest, digest, NULL) < 0)
		return error_set(err, ERROR_USAGE, "%s: digest=%s is no digest (sha256:..)", flag,
				 digest);
	s->folder = xstrdup(folder);
	s->tag = xstrdup(tag && *tag ? tag : "latest");
	s->name = xstrfmt("folder %s", folder);
	return 0;
}

static int fill_from(struct cache_spec *s, const struct strmap *fields, struct error *err)
{
	if (find_kind(&s->kind, FROM, fields, err) < 0)
		return -1;
	switch (s->kind) {
	case CACHE_REGISTRY:
		if (csv_check_keys(fields, from_registry, FROM, err) < 0 ||
		    get_timeout(s, FROM, fields, err) < 0)
			return -1;
		return set_ref(s, FROM, strmap_get(fields, "ref"), err);
	case CACHE_LOCAL:
		if (csv_check_keys(fields, from_local, FROM, err) < 0)
			return -1;
		return set_folder(s, FROM, "src", fields, err);
	case CACHE_INLINE:
		break;
	}
	error_set(err, ERROR_USAGE, FROM ": type=inline can only be written");
	return error_hint(err, "an image that has its cache inside is read with " FROM
			       " type=registry,ref=IMAGE");
}

/* What every form of --cache-to has. */
static int fill_common(struct cache_spec *s, const struct strmap *fields, struct error *err)
{
	const char *mode = strmap_get(fields, "mode");
	const char *compression = strmap_get(fields, "compression");
	bool oci = true, image = true, ignore = true;
	int level;

	if (mode && strcmp(mode, "max") != 0 && strcmp(mode, "min") != 0)
		return error_set(err, ERROR_USAGE, TO ": mode=%s: min or max", mode);
	s->max = mode && strcmp(mode, "max") == 0;
	if (csv_get_bool(fields, "oci-mediatypes", TO, &oci, err) < 0 ||
	    csv_get_bool(fields, "image-manifest", TO, &image, err) < 0 ||
	    csv_get_bool(fields, "ignore-error", TO, &ignore, err) < 0 ||
	    get_timeout(s, TO, fields, err) < 0)
		return -1;
	if (!oci || !image)
		return error_set(err, ERROR_UNSUPPORTED,
				 TO ": %s=false: a cache is always an OCI image manifest",
				 oci ? "image-manifest" : "oci-mediatypes");
	s->errors_count = !ignore;
	s->has_compression = compression != NULL;
	if (compression && compression_parse(compression, &s->compression, &level, err) < 0)
		return error_wrap(err, TO);
	return 0;
}

static int fill_to(struct cache_spec *s, const struct strmap *fields, struct error *err)
{
	static const char *const *const known[] = {to_registry, to_local, to_inline};

	if (find_kind(&s->kind, TO, fields, err) < 0 ||
	    csv_check_keys(fields, known[s->kind], TO, err) < 0 || fill_common(s, fields, err) < 0)
		return -1;
	if (s->kind == CACHE_INLINE)
		return 0;
	if (s->kind == CACHE_LOCAL)
		return set_folder(s, TO, "dest", fields, err);
	if (set_ref(s, TO, strmap_get(fields, "ref"), err) < 0)
		return -1;
	if (digest_is_set(&s->ref.digest))
		return error_set(err, ERROR_USAGE,
				 TO ": %s: a name with a digest cannot be written", s->name);
	return 0;
}

static int add_text(struct cache_spec_list *l, const char *flag, const char *text,
		    int (*fill)(struct cache_spec *s, const struct strmap *fields,
				struct error *err),
		    struct error *err)
{
	AUTO(strmap) fields = STRMAP_INIT;
	AUTO(strlist) names = STRLIST_INIT;

	if (strchr(text, '=')) {
		if (csv_parse_fields(&fields, flag, text, err) < 0)
			return -1;
		return fill(add(l), &fields, err);
	}
	/* docker's older form: names alone. */
	strlist_split(&names, text, ',');
	for (size_t i = 0; i < names.n; i++) {
		strmap_clear(&fields);
		strmap_set(&fields, "type", "registry");
		strmap_set(&fields, "ref", names.items[i]);
		if (fill(add(l), &fields, err) < 0)
			return -1;
	}
	return 0;
}

int cache_spec_add_from(struct cache_spec_list *l, const char *text, struct error *err)
{
	return add_text(l, FROM, text, fill_from, err);
}

int cache_spec_add_to(struct cache_spec_list *l, const char *text, struct error *err)
{
	return add_text(l, TO, text, fill_to, err);
}
