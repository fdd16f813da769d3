#include "builder/scope.h"

#include <string.h>

#include "base/alloc.h"

void scope_release(struct scope *s)
{
	if (!s)
		return;
	strmap_release(&s->env);
	strmap_release(&s->args);
	strlist_release(&s->undefined);
}

void scope_start(struct scope *s, const struct scope *parent, const struct strlist *image_env,
		 char escape)
{
	AUTO(strmap) env = STRMAP_INIT;

	if (parent) {
		strmap_copy(&s->env, &parent->env);
		strmap_copy(&s->args, &parent->args);
	}
	strmap_from_env(&env, image_env);
	strmap_copy(&s->env, &env);
	s->escape = escape;
}

void scope_set_env(struct scope *s, const char *key, const char *value)
{
	strmap_set(&s->env, key, value);
}

/* Read by the scanner of a bill of materials, never part of the environment. */
static bool outside_environment(const char *key)
{
	return strcmp(key, "BUILDKIT_SBOM_SCAN_CONTEXT") == 0 ||
	       strcmp(key, "BUILDKIT_SBOM_SCAN_STAGE") == 0;
}

int scope_declare(struct scope *s, const struct instruction *arg, size_t i,
		  const struct strmap *build_args, const struct strmap *globals, const char **value,
		  struct error *err)
{
	const struct key_value *item = &arg->pairs.items[i];
	const char *given = build_args ? strmap_get(build_args, item->key) : NULL;
	AUTO_FREE char *expanded = NULL;

	if (!given && item->value) {
		struct expand_scope view = scope_expand(s);

		if (instruction_expand_arg(&expanded, arg, i, &view, err) < 0)
			return -1;
		given = expanded;
	}
	if (!given)
		given = strmap_get(globals, item->key);
	strmap_set(&s->args, item->key, given);
	if (given && !outside_environment(item->key))
		strmap_set(&s->env, item->key, given);
	*value = strmap_get(&s->args, item->key);
	return 0;
}

static const char *lookup(void *ctx, const char *name)
{
	struct scope *s = ctx;

	return strmap_get(&s->env, name);
}

/* An ARG without a value is declared: using it is no mistake. */
static void note_undefined(void *ctx, const char *name)
{
	struct scope *s = ctx;

	if (!strmap_has(&s->args, name) && !strlist_has(&s->undefined, name))
		strlist_add(&s->undefined, name);
}

struct expand_scope scope_expand(struct scope *s)
{
	return (struct expand_scope){
		.lookup = lookup, .undefined = note_undefined, .ctx = s, .escape = s->escape};
}

void scope_history(const struct scope *s, struct strbuf *out)
{
	if (s->args.n)
		strbuf_printf(out, "|%zu ", s->args.n);
	for (size_t i = 0; i < s->args.n; i++) {
		const struct strmap_entry *arg = &s->args.entries[i];
		const char *value = strmap_get(&s->env, arg->key);

		if (!value)
			value = arg->value ? arg->value : "";
		strbuf_printf(out, "%s=%s ", arg->key, value);
	}
}
