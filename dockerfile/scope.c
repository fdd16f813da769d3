#include "dockerfile/scope.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/strbuf.h"
#include "dockerfile/expand.h"

bool arg_is_predefined(const char *name)
{
	static const char *const names[] = {
		"HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY",
		"http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

static const char *const platform_parts[] = {"PLATFORM", "OS", "ARCH", "VARIANT", "OSVERSION"};

bool arg_is_platform(const char *name)
{
	size_t i;

	if (strcmp(name, "TARGETSTAGE") == 0)
		return true;
	if (str_starts(name, "TARGET"))
		name += strlen("TARGET");
	else if (str_starts(name, "BUILD"))
		name += strlen("BUILD");
	else
		return false;
	for (i = 0; i < ARRAY_SIZE(platform_parts); i++)
		if (strcmp(name, platform_parts[i]) == 0)
			return true;
	return false;
}

const char *scope_lookup_strmap(void *ctx, const char *name)
{
	return strmap_get(ctx, name);
}

static void set_default(struct strmap *out, const struct strmap *build_args, const char *name,
			const char *value)
{
	const char *given = build_args ? strmap_get(build_args, name) : NULL;

	strmap_set(out, name, given ? given : value);
}

/* TARGETOS and kin from "os/arch[/variant]". */
static void set_platform(struct strmap *out, const struct strmap *build_args, const char *prefix,
			 const char *platform)
{
	AUTO(strlist) parts = STRLIST_INIT;
	const char *values[ARRAY_SIZE(platform_parts)] = {platform, "", "", "", ""};
	size_t i;

	strlist_split(&parts, platform, '/');
	for (i = 0; i < parts.n && i < 3; i++)
		values[1 + i] = parts.items[i];
	for (i = 0; i < ARRAY_SIZE(platform_parts); i++) {
		AUTO_FREE char *name = xstrfmt("%s%s", prefix, platform_parts[i]);

		set_default(out, build_args, name, values[i]);
	}
}

/* One ARG line; its names see each other. */
static int eval_global(struct strmap *out, const struct instruction *arg,
		       const struct strmap *build_args, struct error *err)
{
	size_t i;

	for (i = 0; i < arg->pairs.n; i++) {
		const struct expand_scope scope = {
			.lookup = scope_lookup_strmap,
			.ctx = out,
			.escape = arg->escape,
		};
		const char *key = arg->pairs.items[i].key;
		const char *given = build_args ? strmap_get(build_args, key) : NULL;
		AUTO_FREE char *value = NULL;

		if (!given && instruction_expand_arg(&value, arg, i, &scope, err) < 0)
			return -1;
		if (given || value)
			strmap_set(out, key, given ? given : value);
	}
	return 0;
}

int graph_eval_globals(struct strmap *out, const struct dockerfile *file,
		       const struct strmap *build_args, const char *target_platform,
		       const char *build_platform, const char *target, struct error *err)
{
	const char *last = file->stages[file->n_stages - 1].name;
	const char *stage = target && *target ? target : last ? last : "default";
	size_t i;

	set_platform(out, build_args, "BUILD", build_platform);
	set_platform(out, build_args, "TARGET", target_platform);
	set_default(out, build_args, "TARGETSTAGE", stage);
	for (i = 0; i < file->n_globals; i++)
		if (eval_global(out, &file->globals[i], build_args, err) < 0)
			return -1;
	return 0;
}

void stage_bases_release(struct stage_bases *bases)
{
	int i;

	if (!bases)
		return;
	for (i = 0; i < bases->n; i++) {
		free(bases->items[i].name);
		free(bases->items[i].platform);
	}
	free(bases->items);
	memset(bases, 0, sizeof(*bases));
}

static int expand_base(struct stage_base *out, const struct instruction *from,
		       const struct strmap *globals, struct error *err)
{
	struct strmap view = *globals; /* looked up only; the callback's ctx is not const */
	const struct expand_scope scope = {
		.lookup = scope_lookup_strmap,
		.ctx = &view,
		.escape = from->escape,
	};
	AUTO(instruction) ready = INSTRUCTION_INIT;

	if (instruction_expand(&ready, from, &scope, err) < 0)
		return -1;
	if (!*ready.from.image) {
		error_set(err, ERROR_SYNTAX, "base name (%s) should not be blank",
			  from->from.image);
		return instruction_error_at(err, from, from->from.image);
	}
	if (ready.from.platform && !*ready.from.platform) {
		error_set(err, ERROR_SYNTAX, "empty platform value from expression %s",
			  from->from.platform);
		return instruction_error_at(err, from, from->from.platform);
	}
	out->name = take_ptr(ready.from.image);
	out->platform = take_ptr(ready.from.platform);
	return 0;
}

int graph_expand_bases(struct stage_bases *out, const struct dockerfile *file,
		       const struct strmap *globals, struct error *err)
{
	int i;

	memset(out, 0, sizeof(*out));
	out->items = xcalloc((size_t)file->n_stages, sizeof(*out->items));
	for (i = 0; i < file->n_stages; i++) {
		out->n = i + 1;
		if (expand_base(&out->items[i], &file->stages[i].from, globals, err) < 0) {
			stage_bases_release(out);
			return -1;
		}
	}
	return 0;
}
