#include "builder/outline.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "builder/check_stage.h"
#include "builder/prepare.h"

static void items_release(struct outline_items *list)
{
	for (size_t i = 0; i < list->n; i++) {
		free(list->items[i].name);
		free(list->items[i].value);
		free(list->items[i].description);
	}
	free(list->items);
	*list = (struct outline_items){.n = 0};
}

void outline_release(struct outline *o)
{
	if (!o)
		return;
	free(o->name);
	free(o->description);
	items_release(&o->args);
	items_release(&o->secrets);
	items_release(&o->agents);
	*o = (struct outline){.name = NULL};
}

static bool has_name(const struct outline_items *list, const char *name)
{
	for (size_t i = 0; i < list->n; i++)
		if (strcmp(list->items[i].name, name) == 0)
			return true;
	return false;
}

/* The first of a name counts. */
static void add_item(struct outline_items *list, const char *name, const char *value, bool required,
		     const struct instruction *at)
{
	if (has_name(list, name))
		return;
	GROW(list->items, list->n + 1, list->cap);
	list->items[list->n++] = (struct outline_item){
		.name = xstrdup(name),
		.value = xstrdup_null(value),
		.description = xstrdup_null(value ? instruction_description(at, name) : NULL),
		.required = required,
		.line_first = at->line_first,
		.line_last = at->line_last,
	};
}

/* Everything of one stage, before it is known whether another one has the name first. */
struct gathering {
	struct build_target *t; /* the first platform's */
	struct outline *stages; /* one a stage of the file */
};

static void gathering_release(struct gathering *g)
{
	for (int i = 0; g->stages && i < g->t->file->n_stages; i++)
		outline_release(&g->stages[i]);
	free(g->stages);
}

CLEANUP_RELEASE(gathering)

static const struct instruction *find_global(const struct dockerfile *file, const char *name,
					     const struct key_value **item)
{
	for (size_t i = file->n_globals; i-- > 0;) {
		const struct pairs_instruction *pairs = &file->globals[i].pairs;

		for (size_t k = pairs->n; k-- > 0;)
			if (strcmp(pairs->items[k].key, name) == 0) {
				*item = &pairs->items[k];
				return &file->globals[i];
			}
	}
	return NULL;
}

static const char *note_use(void *ctx, const char *name)
{
	struct strlist *names = ctx;

	if (!strlist_has(names, name))
		strlist_add(names, name);
	return "";
}

static void add_uses(struct strlist *names, const char *text, char escape)
{
	AUTO(strbuf) ignored = STRBUF_INIT;
	struct expand_scope scope = {.lookup = note_use, .ctx = names, .escape = escape};

	if (text)
		expand_word(&ignored, text, &scope, NULL);
}

/* The global ARGs among names, and those that their defaults use; names grows meanwhile. */
static void add_globals(struct gathering *g, int stage, struct strlist *names)
{
	for (size_t i = 0; i < names->n; i++) {
		const struct key_value *item = NULL;
		const struct instruction *arg = find_global(g->t->file, names->items[i], &item);
		const char *value = strmap_get(&g->t->globals, names->items[i]);

		if (!arg)
			continue;
		add_item(&g->stages[stage].args, item->key, value ? value : "", false, arg);
		add_uses(names, item->value, arg->escape);
	}
}

static void add_from(struct gathering *g, int stage)
{
	const struct instruction *from = &g->t->file->stages[stage].from;
	AUTO(strlist) names = STRLIST_INIT;

	add_uses(&names, from->from.image, from->escape);
	add_uses(&names, from->from.platform, from->escape);
	add_globals(g, stage, &names);
}

/* One without a default that takes over a global's value is that one; those of platforms are nobody's to give. */
static void add_arg(struct gathering *g, int stage, const struct instruction *at,
		    const struct key_value *item, const struct scope *scope)
{
	const struct strmap *given = g->t->build->build_args;
	const char *value = strmap_get(&scope->args, item->key);

	if (!item->value && !(given && strmap_get(given, item->key)) &&
	    strmap_get(&g->t->globals, item->key)) {
		AUTO(strlist) names = STRLIST_INIT;

		strlist_add(&names, item->key);
		add_globals(g, stage, &names);
		return;
	}
	add_item(&g->stages[stage].args, item->key, value ? value : "", false, at);
}

static void add_mounts(struct gathering *g, int stage, const struct instruction *ready)
{
	for (size_t i = 0; i < ready->run.n_mounts; i++) {
		const struct run_mount *m = &ready->run.mounts[i];

		if (m->kind == MOUNT_SECRET)
			add_item(&g->stages[stage].secrets, m->id, NULL, m->required, ready);
		if (m->kind == MOUNT_SSH)
			add_item(&g->stages[stage].agents, m->id, NULL, m->required, ready);
	}
}

static void see(void *ctx, int stage, const struct instruction *ins,
		const struct instruction *ready, const struct scope *scope)
{
	struct gathering *g = ctx;

	for (size_t i = 0; ins->kind == INSTRUCTION_ARG && i < ready->pairs.n; i++)
		add_arg(g, stage, ins, &ready->pairs.items[i], scope);
	if (ins->kind == INSTRUCTION_RUN)
		add_mounts(g, stage, ready);
}

static void move_items(struct outline_items *to, struct outline_items *from)
{
	for (size_t i = 0; i < from->n; i++) {
		struct outline_item *item = &from->items[i];

		if (has_name(to, item->name))
			continue;
		GROW(to->items, to->n + 1, to->cap);
		to->items[to->n++] = *item;
		*item = (struct outline_item){.name = xstrdup(item->name)};
	}
}

static int by_line(const void *a, const void *b)
{
	const struct outline_item *x = a, *y = b;

	if (x->line_first != y->line_first)
		return x->line_first < y->line_first ? -1 : 1;
	return strcmp(x->name, y->name);
}

static void sort_items(struct outline_items *list)
{
	if (list->n)
		qsort(list->items, list->n, sizeof(*list->items), by_line);
}

/* The target's own before those of the stages it needs, the nearest of them first. */
static void merge(struct outline *out, struct gathering *g)
{
	for (int i = g->t->plan.n_order - 1; i >= 0; i--) {
		struct outline *stage = &g->stages[g->t->plan.order[i]];

		move_items(&out->args, &stage->args);
		move_items(&out->secrets, &stage->secrets);
		move_items(&out->agents, &stage->agents);
	}
	sort_items(&out->args);
	sort_items(&out->secrets);
	sort_items(&out->agents);
}

static int gather(struct gathering *g, struct error *err)
{
	const struct stage_visitor visitor = {.instruction = see, .ctx = g};

	g->stages = xcalloc((size_t)g->t->file->n_stages, sizeof(*g->stages));
	for (int i = 0; i < g->t->file->n_stages; i++)
		if (g->t->plan.stages[i].needed)
			add_from(g, i);
	return check_stages(g->t, false, &visitor, err);
}

int build_outline(struct outline *out, struct store *s, const struct build_options *o,
		  struct error *err)
{
	AUTO(build) b;
	AUTO(gathering) g = {.t = NULL};
	const struct dockerfile_stage *target;

	build_init(&b, s, o);
	g.t = &b.targets[0];
	if (build_read(&b, err) < 0 || build_plan(&b, false, err) < 0 || gather(&g, err) < 0)
		return -1;
	target = &g.t->file->stages[g.t->plan.target];
	out->name = xstrdup_null(target->name);
	if (target->name)
		out->description = xstrdup_null(
			instruction_description(&target->from, target->name));
	merge(out, &g);
	return 0;
}
