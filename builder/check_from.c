#include "builder/check_from.h"

#include <string.h>

#include "base/alloc.h"
#include "dockerfile/words.h"

/* Which variables a text used. */
struct usage {
	struct strmap *globals;
	struct strlist set, unset;
	struct strbuf result;
};

static const char *look_up(void *ctx, const char *name)
{
	struct usage *u = ctx;
	const char *value = strmap_get(u->globals, name);

	if (value && !strlist_has(&u->set, name))
		strlist_add(&u->set, name);
	return value;
}

static void note_unset(void *ctx, const char *name)
{
	struct usage *u = ctx;

	if (!strlist_has(&u->unset, name))
		strlist_add(&u->unset, name);
}

static int usage_find(struct usage *u, const char *text, char escape)
{
	struct expand_scope scope = {
		.lookup = look_up, .undefined = note_unset, .ctx = u, .escape = escape};

	return expand_word(&u->result, text, &scope, NULL);
}

static void usage_release(struct usage *u)
{
	strlist_release(&u->set);
	strlist_release(&u->unset);
	strbuf_release(&u->result);
}

CLEANUP_RELEASE(usage)

/* Every name that FROM may use: those with a value, and ARGs without one. */
static void list_declared(const struct build_target *t, struct strlist *out)
{
	for (size_t i = 0; i < t->globals.n; i++)
		strlist_add(out, t->globals.entries[i].key);
	for (size_t i = 0; i < t->file->n_globals; i++) {
		const struct pairs_instruction *pairs = &t->file->globals[i].pairs;

		for (size_t k = 0; k < pairs->n; k++)
			if (!strlist_has(out, pairs->items[k].key))
				strlist_add(out, pairs->items[k].key);
	}
}

static void check_declared(struct build_target *t, const struct instruction *from,
			   const struct usage *u, const struct strlist *declared)
{
	for (size_t i = 0; i < u->unset.n; i++) {
		const char *name = u->unset.items[i], *near;

		if (strlist_has(declared, name))
			continue;
		near = word_suggest(name, (const char *const *)declared->items, declared->n);
		check_add(&t->file->warnings, CHECK_UNDEFINED_ARG_IN_FROM, from,
			  "FROM argument '%s' is not declared%s%s%s", name,
			  near ? " (did you mean " : "", near ? near : "", near ? "?)" : "");
	}
}

/* "$TARGETPLATFORM" alone, and it is the target's platform. */
static void check_redundant(struct build_target *t, const struct instruction *from,
			    const struct usage *u)
{
	static const char name[] = "TARGETPLATFORM";

	if (u->set.n == 1 && !u->unset.n && strcmp(u->set.items[0], name) == 0 &&
	    strcmp(u->result.buf, strmap_get(&t->globals, name)) == 0)
		check_add(&t->file->warnings, CHECK_REDUNDANT_TARGET_PLATFORM, from,
			  "Setting platform to predefined %s in FROM is redundant as this is the "
			  "default behavior",
			  from->from.platform);
}

/* A stage that is named after its platform is meant to be of it. */
static void check_constant(struct build_target *t, const struct instruction *from,
			   const struct usage *u)
{
	const char *stage = from->from.stage ? from->from.stage : "";
	AUTO(platform) platform = {.os = NULL};

	if (u->set.n || u->unset.n || platform_parse(&platform, u->result.buf, NULL) < 0 ||
	    strstr(stage, platform.os) || strstr(stage, platform.arch))
		return;
	check_add(&t->file->warnings, CHECK_CONSTANT_PLATFORM, from,
		  "FROM --platform flag should not use constant value \"%s\"", u->result.buf);
}

static void check_stage_from(struct build_target *t, const struct instruction *from,
			     const struct strlist *declared)
{
	AUTO(usage) image = {.globals = &t->globals, .result = STRBUF_INIT};
	AUTO(usage) platform = {.globals = &t->globals, .result = STRBUF_INIT};

	if (usage_find(&image, from->from.image, from->escape) == 0)
		check_declared(t, from, &image, declared);
	if (!from->from.platform || usage_find(&platform, from->from.platform, from->escape) < 0)
		return;
	check_declared(t, from, &platform, declared);
	check_redundant(t, from, &platform);
	check_constant(t, from, &platform);
}

/* The file should also build for one who gives no --build-arg. */
static void check_defaults(struct build_target *t)
{
	AUTO(strmap) defaults = STRMAP_INIT;
	AUTO_FREE char *target = platform_format(&t->platform);
	AUTO_FREE char *host = platform_format(&t->build->host_platform);

	if (graph_eval_globals(&defaults, t->file, NULL, target, host, t->build->options->target,
			       NULL) < 0)
		return;
	for (int i = 0; i < t->file->n_stages; i++) {
		const struct instruction *from = &t->file->stages[i].from;
		AUTO(usage) image = {.globals = &defaults, .result = STRBUF_INIT};
		AUTO(image_ref) ref = {.host = NULL};

		if (!strchr(from->from.image, '$'))
			continue;
		if (usage_find(&image, from->from.image, from->escape) < 0)
			return;
		if (image_ref_parse(&ref, image.result.buf, NULL) < 0)
			check_add(&t->file->warnings, CHECK_DEFAULT_ARG_IN_FROM, from,
				  "Default value for ARG %s results in empty or invalid base image "
				  "name",
				  from->from.image);
	}
}

void check_from(struct build_target *t)
{
	AUTO(strlist) declared = STRLIST_INIT;

	list_declared(t, &declared);
	check_defaults(t);
	for (int i = 0; i < t->file->n_stages; i++)
		check_stage_from(t, &t->file->stages[i].from, &declared);
}
