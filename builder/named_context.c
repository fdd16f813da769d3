#include "builder/named_context.h"

#include <ctype.h>
#include <string.h>

#include "base/alloc.h"
#include "oci/layout.h"

/* Go's rule: the familiar form without ":latest"; what is no image name compares as it is, case ignored. */
static char *comparable_name(const char *name)
{
	AUTO(image_ref) ref = {.host = NULL};
	char *text;

	if (image_ref_parse(&ref, name, NULL) == 0) {
		text = image_ref_familiar(&ref);
		if (str_ends(text, ":latest"))
			text[strlen(text) - strlen(":latest")] = '\0';
		return text;
	}
	text = xstrdup(name);
	for (char *p = text; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	return text;
}

/* PATH[:TAG|@DIGEST] */
static int parse_layout(struct named_context *out, const char *text, struct error *err)
{
	const char *at = strrchr(text, '@');
	const char *slash = strrchr(text, '/');
	const char *colon = strrchr(text, ':');

	out->kind = NAMED_LAYOUT;
	if (at && (!slash || at > slash)) {
		if (digest_parse(&out->digest, at + 1, err) < 0)
			return error_wrap(err, "--build-context %s", text);
		out->path = xstrndup(text, (size_t)(at - text));
		colon = strrchr(out->path, ':');
		slash = strrchr(out->path, '/');
		if (colon && (!slash || colon > slash))
			out->path[colon - out->path] = '\0';
		return 0;
	}
	if (colon && (!slash || colon > slash) && colon[1]) {
		out->path = xstrndup(text, (size_t)(colon - text));
		out->tag = xstrdup(colon + 1);
		return 0;
	}
	out->path = xstrdup(text);
	return 0;
}

static int parse_source(struct named_context *out, const struct build_named_context *given,
			struct error *err)
{
	static const char image[] = "docker-image://", layout[] = "oci-layout:";
	const char *source = given->source;

	if (str_starts(source, image)) {
		out->kind = NAMED_IMAGE;
		if (image_ref_parse(&out->ref, source + strlen(image), err) < 0)
			return error_wrap(err, "--build-context %s=%s", given->name, source);
		return 0;
	}
	if (str_starts(source, layout)) {
		source += strlen(layout);
		return parse_layout(out, str_starts(source, "//") ? source + 2 : source, err);
	}
	if (str_starts(source, "target:") || str_starts(source, "input:") ||
	    str_starts(source, "git@") || strstr(source, "://")) {
		error_set(err, ERROR_UNSUPPORTED,
			  "--build-context %s=%s: this kind of source is not supported",
			  given->name, source);
		return error_hint(err,
				  "use a folder, docker-image://NAME or oci-layout://FOLDER[:TAG]");
	}
	if (!*source)
		return error_set(err, ERROR_USAGE, "--build-context %s=: the source is empty",
				 given->name);
	out->kind = NAMED_FOLDER;
	out->path = xstrdup(source);
	return 0;
}

int named_contexts_init(struct named_contexts *out, struct store *s, const struct build_options *o,
			struct error *err)
{
	*out = (struct named_contexts){.options = o, .store = s};
	pthread_mutex_init(&out->lock, NULL);
	out->main.context = o->context;
	out->items = xcalloc(o->n_named_contexts + 1, sizeof(*out->items));
	for (size_t i = 0; i < o->n_named_contexts; i++) {
		struct named_context *nc = &out->items[out->n++];

		nc->name = comparable_name(o->named_contexts[i].name);
		if (parse_source(nc, &o->named_contexts[i], err) < 0)
			return -1;
	}
	return 0;
}

static void release_folder(struct build_folder *f)
{
	stat_cache_free(f->stats);
	if (f->owned)
		context_free(f->context);
}

void named_contexts_release(struct named_contexts *c)
{
	if (!c->options)
		return;
	for (size_t i = 0; i < c->n; i++) {
		struct named_context *nc = &c->items[i];

		release_folder(&nc->folder);
		image_ref_release(&nc->ref);
		free(nc->name);
		free(nc->path);
		free(nc->tag);
	}
	free(c->items);
	release_folder(&c->main);
	pthread_mutex_destroy(&c->lock);
}

struct named_context *named_context_find(struct named_contexts *c, const char *name)
{
	AUTO_FREE char *wanted = c->n ? comparable_name(name) : NULL;

	/* A name given twice means the last. */
	for (size_t i = c->n; i > 0; i--)
		if (strcmp(c->items[i - 1].name, wanted) == 0)
			return &c->items[i - 1];
	return NULL;
}

static int open_folder(struct named_contexts *c, struct named_context *nc, struct build_folder *f,
		       struct error *err)
{
	if (f->opened)
		return 0;
	if (nc && context_open_folder(&f->context, nc->name, nc->path, NULL, err) < 0)
		return error_wrap(err, "--build-context %s=%s", nc->name, nc->path);
	f->owned = nc != NULL;
	if (!f->context)
		return error_set(err, ERROR_NOT_FOUND, "this build has no context");
	/* A tar that was unpacked has a new folder each time: nothing to remember. */
	if (!c->options->no_stat_cache && !f->context->temporary)
		stat_cache_open(&f->stats, c->store, f->context->path, NULL);
	f->opened = true;
	return 0;
}

int named_context_folder(struct named_contexts *c, struct named_context *nc,
			 struct build_folder **out, struct error *err)
{
	struct build_folder *f = nc ? &nc->folder : &c->main;
	int result;

	pthread_mutex_lock(&c->lock);
	result = open_folder(c, nc, f, err);
	pthread_mutex_unlock(&c->lock);
	*out = f;
	return result;
}

int named_context_import(struct named_contexts *c, const struct named_context *nc,
			 const struct platform *platform, struct descriptor *out, struct error *err)
{
	/* Blobs that are here already are not copied again. */
	if (layout_import(c->store, nc->path, nc->tag,
			  digest_is_set(&nc->digest) ? &nc->digest : NULL, platform, out, err) < 0)
		return error_wrap(err, "--build-context %s=oci-layout:%s", nc->name, nc->path);
	return 0;
}
