#include "builder/named_context.h"

#include <ctype.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "builder/context_remote.h"
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

static int parse_image(struct named_context *out, const char *name, struct error *err)
{
	out->kind = strcmp(name, "scratch") == 0 ? NAMED_SCRATCH : NAMED_IMAGE;
	return out->kind == NAMED_SCRATCH ? 0 : image_ref_parse(&out->ref, name, err);
}

static int parse_git(struct named_context *out, const char *text, struct error *err)
{
	out->kind = NAMED_GIT;
	return git_ref_parse(&out->git, text, err);
}

static int parse_path(struct named_context *out, enum named_kind kind, const char *text,
		      struct error *err)
{
	if (!*text)
		return error_set(err, ERROR_USAGE, "the source is empty");
	out->kind = kind;
	out->path = xstrdup(text);
	return 0;
}

static int refuse_source(struct error *err)
{
	error_set(err, ERROR_UNSUPPORTED, "this kind of source is not supported");
	return error_hint(err, "Use a folder, a git repository, an http(s) URL of a tar, "
			       "docker-image://NAME, oci-layout://FOLDER[:TAG] or target:STAGE.");
}

static bool is_folder(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int parse_by_prefix(struct named_context *out, const char *source, struct error *err)
{
	static const char image[] = "docker-image://",
			  layout[] = "oci-layout:", target[] = "target:";

	if (str_starts(source, image))
		return parse_image(out, source + strlen(image), err);
	if (str_starts(source, layout)) {
		source += strlen(layout);
		return parse_layout(out, str_starts(source, "//") ? source + 2 : source, err);
	}
	if (str_starts(source, target))
		return parse_path(out, NAMED_TARGET, source + strlen(target), err);
	if (git_ref_is(source, true) && !is_folder(source))
		return parse_git(out, source, err);
	if (str_starts(source, "http://") || str_starts(source, "https://"))
		return parse_path(out, NAMED_URL, source, err);
	if (str_starts(source, "input:") || strstr(source, "://"))
		return refuse_source(err);
	return parse_path(out, NAMED_FOLDER, source, err);
}

static int parse_source(struct named_context *out, const struct build_named_context *given,
			struct error *err)
{
	out->label = git_ref_redact(given->source);
	if (parse_by_prefix(out, given->source, err) < 0)
		return error_wrap(err, "--build-context %s=%s", given->name, out->label);
	return 0;
}

/* "NAME" or "NAME::PLATFORM", as BuildKit's frontend asks for it; an address [::1]:5000 has colons, too. */
static int parse_name(struct named_context *out, const char *given, struct error *err)
{
	AUTO(platform) platform = {.os = NULL};
	AUTO_FREE char *name = NULL;
	const char *colons = NULL;

	for (const char *at = strstr(given, "::"); at; at = strstr(at + 2, "::"))
		if (!strchr(at, ']'))
			colons = at;
	name = colons ? xstrndup(given, (size_t)(colons - given)) : xstrdup(given);
	if (colons && platform_parse(&platform, colons + 2, err) < 0)
		return error_wrap(err, "--build-context %s", given);
	if (!*name)
		return error_set(err, ERROR_USAGE, "--build-context %s: the name is missing",
				 given);
	out->name = comparable_name(name);
	out->platform = colons ? platform_format(&platform) : NULL;
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

		if (parse_name(nc, o->named_contexts[i].name, err) < 0 ||
		    parse_source(nc, &o->named_contexts[i], err) < 0)
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
		git_ref_release(&nc->git);
		free(nc->label);
		free(nc->name);
		free(nc->platform);
		free(nc->path);
		free(nc->tag);
	}
	free(c->items);
	release_folder(&c->main);
	pthread_mutex_destroy(&c->lock);
}

struct named_context *named_context_find(struct named_contexts *c, const char *name,
					 const struct platform *platform)
{
	AUTO_FREE char *wanted = c->n ? comparable_name(name) : NULL;
	AUTO_FREE char *on = c->n ? platform_format(platform) : NULL;
	struct named_context *general = NULL;

	/* A name given twice means the last. */
	for (size_t i = c->n; i > 0; i--) {
		struct named_context *nc = &c->items[i - 1];

		if (strcmp(nc->name, wanted) != 0)
			continue;
		if (nc->platform && strcmp(nc->platform, on) == 0)
			return nc;
		if (!nc->platform && !general)
			general = nc;
	}
	return general;
}

bool named_context_is_files(const struct named_context *nc)
{
	return nc && (nc->kind == NAMED_FOLDER || nc->kind == NAMED_GIT || nc->kind == NAMED_URL);
}

static int open_git(struct named_contexts *c, struct named_context *nc, struct context **out,
		    struct error *err)
{
	const struct context_git g = {
		.fetch = &c->options->fetch,
		.ref = &nc->git,
		.who = FETCH_FOR_CONTEXT,
		.keep_git_dir = nc->git.keep_git_dir == GIT_YES,
		.label = nc->label,
	};

	return context_open_git(out, c->store, &g, err);
}

/* What has to be fetched is a step of its own, which may take long. */
static int open_remote(struct named_contexts *c, struct named_context *nc, struct context **out,
		       struct error *err)
{
	struct reporter *r = c->options->reporter;
	int step = report_step_begin(r, "[context %s] load %s", nc->name, nc->label);
	AUTO(error) local = ERROR_INIT;
	int result = nc->kind == NAMED_GIT ? open_git(c, nc, out, &local)
					   : context_open_url(out, c->store, &c->options->fetch,
							      nc->path, &local);

	report_step_end(r, step, result < 0 ? STEP_STATUS_FAILED : STEP_STATUS_DONE,
			result < 0 ? &local : NULL);
	return result < 0 ? error_move(err, &local) : 0;
}

static int open_named(struct named_contexts *c, struct named_context *nc, struct context **out,
		      struct error *err)
{
	int result = nc->kind == NAMED_FOLDER
			     ? context_open_folder(out, nc->name, nc->path, NULL, err)
			     : open_remote(c, nc, out, err);

	return result < 0 ? error_wrap(err, "--build-context %s=%s", nc->name, nc->label) : 0;
}

static int open_folder(struct named_contexts *c, struct named_context *nc, struct build_folder *f,
		       struct error *err)
{
	if (f->opened)
		return 0;
	if (nc && open_named(c, nc, &f->context, err) < 0)
		return -1;
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
