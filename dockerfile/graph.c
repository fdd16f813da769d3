#include "dockerfile/graph.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "dockerfile/value.h"
#include "dockerfile/words.h"

/* Where names lead while the stages are walked through in their order. */
struct names {
	struct strmap earlier; /* lower-case name -> index of the last stage so far */
	struct strmap all;     /* ... of the last stage of the file */
	struct strmap targets; /* ... replaced stages too: what --target may name */
	const struct context_names *contexts;
};

static void names_release(struct names *n)
{
	strmap_release(&n->earlier);
	strmap_release(&n->all);
	strmap_release(&n->targets);
}
CLEANUP_RELEASE(names)

static char *lower(const char *text)
{
	char *out = xstrdup(text), *at;

	for (at = out; *at; at++)
		*at = (char)tolower((unsigned char)*at);
	return out;
}

static void name_set(struct strmap *map, const char *name, int index)
{
	AUTO_FREE char *text = NULL;

	if (!name)
		return;
	text = xstrfmt("%d", index);
	strmap_set(map, name, text);
}

static int name_get(const struct strmap *map, const char *name)
{
	AUTO_FREE char *key = lower(name);
	const char *found = strmap_get(map, key);

	return found ? (int)strtol(found, NULL, 10) : STAGE_NONE;
}

void graph_plan_release(struct graph_plan *plan)
{
	int i;

	if (!plan)
		return;
	for (i = 0; i < plan->n_stages; i++)
		free(plan->stages[i].dependencies);
	free(plan->stages);
	free(plan->sequence);
	free(plan->order);
	strlist_release(&plan->externals);
	memset(plan, 0, sizeof(*plan));
}

/* "2" is an index; a stage's name never begins with a digit. */
static bool is_index(const char *name)
{
	return isdigit((unsigned char)name[*name == '-' || *name == '+']) &&
	       strspn(name + 1, "0123456789") == strlen(name + 1);
}

static int index_value(const struct dockerfile *file, const char *name)
{
	uint64_t n;

	if (!value_number(&n, *name == '+' ? name + 1 : name, 10, INT32_MAX) ||
	    n >= (uint64_t)file->n_stages)
		return STAGE_NONE;
	return (int)n;
}

static const char *context_target(const struct context_names *contexts, int from, const char *name)
{
	return contexts->target ? contexts->target(contexts->arg, from, name) : NULL;
}

static int find_named(const struct dockerfile *file, int at, const char *name)
{
	for (int i = at - 1; i >= 0; i--)
		if (file->stages[i].name && !file->stages[i].replaced &&
		    strcasecmp(file->stages[i].name, name) == 0)
			return i;
	return STAGE_NONE;
}

int graph_find_stage(const struct dockerfile *file, int at, const char *name)
{
	const char *target;
	int found;

	if (is_index(name))
		return index_value(file, name);
	found = find_named(file, at, name);
	target = found == STAGE_NONE ? context_target(&file->contexts, STAGE_NONE, name) : NULL;
	if (!target)
		return found;
	found = find_named(file, at, target);
	return found == STAGE_NONE ? find_named(file, file->n_stages, target) : found;
}

/* --build-context NAME=target:STAGE: the last such stage so far, else one that comes later. */
static int find_target_context(const struct names *names, int from, const char *name,
			       const struct instruction *ins, int *found, struct error *err)
{
	const char *target = context_target(names->contexts, from, name);

	if (!target)
		return 0;
	*found = name_get(&names->earlier, target);
	if (*found == STAGE_NONE)
		*found = name_get(&names->all, target);
	if (*found == STAGE_NONE)
		return instruction_error(err, ERROR_NOT_FOUND, ins,
					 "--build-context %s=target:%s: there is no such stage",
					 name, target);
	return 0;
}

static void add_dependency(struct plan_stage *stage, struct stage_dependency dependency)
{
	GROW(stage->dependencies, stage->n_dependencies + 1, stage->cap_dependencies);
	stage->dependencies[stage->n_dependencies++] = dependency;
}

/* Stages that come later, or this one, are found too: they are an error, not an image. */
static int add_reference(struct graph_plan *plan, const struct dockerfile *file,
			 const struct names *names, int at, enum dependency_kind kind,
			 const char *name, const struct instruction *ins, struct error *err)
{
	struct stage_dependency d = {.kind = kind, .name = name, .instruction = ins};

	if (is_index(name)) {
		d.stage = index_value(file, name);
		if (d.stage == STAGE_NONE) {
			error_set(err, ERROR_SYNTAX,
				  "invalid stage index %s: the file has %d stage%s, counted from 0",
				  name, file->n_stages, file->n_stages == 1 ? "" : "s");
			return instruction_error_at(err, ins, name);
		}
	} else {
		d.stage = name_get(&names->earlier, name);
		if (d.stage == STAGE_NONE)
			d.stage = name_get(&names->all, name);
		d.by_context = d.stage == STAGE_NONE;
		if (d.by_context &&
		    find_target_context(names, STAGE_NONE, name, ins, &d.stage, err) < 0)
			return -1;
	}
	add_dependency(&plan->stages[at], d);
	return 0;
}

/* ONBUILD of the stage that this one is FROM. */
static int add_stage_triggers(struct dockerfile *file, int at, int base, struct error *err)
{
	struct dockerfile_stage *stage = &file->stages[at];
	const struct dockerfile_stage *parent = &file->stages[base];
	AUTO(strlist) texts = STRLIST_INIT;
	AUTO_FREE char *origin = NULL;
	size_t i;

	if (stage->has_stage_triggers)
		return 0;
	for (i = 0; i < dockerfile_stage_steps(parent); i++)
		if (parent->instructions[i].kind == INSTRUCTION_ONBUILD)
			strlist_add(&texts, parent->instructions[i].onbuild);
	origin = xstrfmt("stage %s", parent->name);
	if (dockerfile_add_triggers(file, at, &texts, origin, err) < 0)
		return -1;
	stage->has_stage_triggers = true;
	return 0;
}

static int read_mounts(struct graph_plan *plan, const struct dockerfile *file,
		       const struct names *names, int at, const struct instruction *ins,
		       struct error *err)
{
	size_t i;

	for (i = 0; i < ins->run.n_mounts; i++) {
		const struct run_mount *m = &ins->run.mounts[i];

		if (m->from && (m->kind == MOUNT_BIND || m->kind == MOUNT_CACHE) &&
		    add_reference(plan, file, names, at, DEPENDENCY_MOUNT, m->from, ins, err) < 0)
			return -1;
	}
	return 0;
}

static int read_stage(struct graph_plan *plan, struct dockerfile *file, const struct names *names,
		      int at, const char *base, struct error *err)
{
	struct dockerfile_stage *stage = &file->stages[at];
	struct plan_stage *planned = &plan->stages[at];
	struct stage_dependency d = {
		.kind = DEPENDENCY_FROM, .name = base, .instruction = &stage->from};
	size_t i;

	d.stage = stage->replaced ? STAGE_NONE : name_get(&names->earlier, base);
	d.by_context = d.stage == STAGE_NONE;
	if (d.by_context && find_target_context(names, at, base, &stage->from, &d.stage, err) < 0)
		return -1;
	planned->base = d.stage;
	if (planned->base != STAGE_NONE && !stage->replaced &&
	    add_stage_triggers(file, at, planned->base, err) < 0)
		return -1;
	add_dependency(planned, d);
	for (i = 0; i < dockerfile_stage_steps(stage); i++) {
		const struct instruction *ins = &stage->instructions[i];

		if (ins->kind == INSTRUCTION_COPY && ins->copy.from &&
		    add_reference(plan, file, names, at, DEPENDENCY_COPY, ins->copy.from, ins,
				  err) < 0)
			return -1;
		if (ins->kind == INSTRUCTION_RUN &&
		    read_mounts(plan, file, names, at, ins, err) < 0)
			return -1;
	}
	return 0;
}

static const char *stage_label(const struct dockerfile *file, int at, char buffer[32])
{
	if (file->stages[at].name)
		return file->stages[at].name;
	snprintf(buffer, 32, "stage-%d", at);
	return buffer;
}

static int report_cycle(const struct dockerfile *file, int at, const struct stage_dependency *d,
			struct error *err)
{
	char label[32];

	error_set(err, ERROR_SYNTAX, "circular dependency detected on stage: %s",
		  stage_label(file, at, label));
	return instruction_error_at(err, d->instruction, d->name);
}

/* Depth first, without recursion: a file may have very many stages. */
static int check_cycles(const struct graph_plan *plan, const struct dockerfile *file,
			struct error *err)
{
	size_t n = (size_t)plan->n_stages;
	enum { NEW, OPEN, CLOSED };
	AUTO_FREE unsigned char *state = xcalloc(n, 1);
	AUTO_FREE size_t *next = xcalloc(n, sizeof(*next));
	AUTO_FREE int *path = xcalloc(n, sizeof(*path));
	int root;

	for (root = 0; root < plan->n_stages; root++) {
		int depth = 0;

		if (state[root] != NEW)
			continue;
		path[0] = root;
		state[root] = OPEN;
		while (depth >= 0) {
			int at = path[depth];
			const struct plan_stage *stage = &plan->stages[at];
			const struct stage_dependency *d;

			if (next[at] == stage->n_dependencies) {
				state[at] = CLOSED;
				depth--;
				continue;
			}
			d = &stage->dependencies[next[at]++];
			if (d->stage == STAGE_NONE || state[d->stage] == CLOSED)
				continue;
			if (state[d->stage] == OPEN)
				return report_cycle(file, d->stage, d, err);
			state[d->stage] = OPEN;
			path[++depth] = d->stage;
		}
	}
	return 0;
}

static int report_later(const struct dockerfile *file, int at, const struct stage_dependency *d,
			struct error *err)
{
	char label[32];

	error_set(err, ERROR_SYNTAX,
		  "cannot %s from stage \"%s\", it needs to be defined before current stage \"%s\"",
		  d->kind == DEPENDENCY_MOUNT ? "mount" : "copy", d->name,
		  stage_label(file, at, label));
	return instruction_error_at(err, d->instruction, d->name);
}

/* Only a context may lead to a stage that comes later. */
static int check_later(const struct graph_plan *plan, const struct dockerfile *file,
		       struct error *err)
{
	for (int at = plan->n_stages - 1; at >= 0; at--) {
		const struct plan_stage *stage = &plan->stages[at];

		for (size_t i = 0; stage->needed && i < stage->n_dependencies; i++) {
			const struct stage_dependency *d = &stage->dependencies[i];

			if (d->stage >= at && !d->by_context)
				return report_later(file, at, d, err);
		}
	}
	return 0;
}

static bool is_ready(const struct plan_stage *stage, const bool *done)
{
	for (size_t i = 0; i < stage->n_dependencies; i++) {
		int on = stage->dependencies[i].stage;

		if (on != STAGE_NONE && !done[on])
			return false;
	}
	return true;
}

/* Without a cycle every round adds a stage; nearly always the first one adds all. */
static void list_sequence(struct graph_plan *plan)
{
	AUTO_FREE bool *done = xcalloc((size_t)plan->n_stages, sizeof(*done));
	int n = 0;

	plan->sequence = xcalloc((size_t)plan->n_stages, sizeof(*plan->sequence));
	while (n < plan->n_stages)
		for (int at = 0; at < plan->n_stages; at++) {
			if (done[at] || !is_ready(&plan->stages[at], done))
				continue;
			done[at] = true;
			plan->sequence[n++] = at;
		}
}

/* What the target needs, from the end: whatever needs a stage comes after it. */
static void mark_needed(struct graph_plan *plan)
{
	plan->stages[plan->target].needed = true;
	for (int i = plan->n_stages - 1; i >= 0; i--) {
		const struct plan_stage *stage = &plan->stages[plan->sequence[i]];

		for (size_t k = 0; stage->needed && k < stage->n_dependencies; k++)
			if (stage->dependencies[k].stage != STAGE_NONE)
				plan->stages[stage->dependencies[k].stage].needed = true;
	}
}

static void list_needed(struct graph_plan *plan)
{
	AUTO(strmap) seen = STRMAP_INIT;

	plan->order = xcalloc((size_t)plan->n_stages, sizeof(*plan->order));
	for (int i = 0; i < plan->n_stages; i++) {
		const struct plan_stage *stage = &plan->stages[plan->sequence[i]];

		if (!stage->needed)
			continue;
		plan->order[plan->n_order++] = plan->sequence[i];
		for (size_t k = 0; k < stage->n_dependencies; k++) {
			const struct stage_dependency *d = &stage->dependencies[k];

			if (d->stage != STAGE_NONE || strcmp(d->name, "scratch") == 0 ||
			    strmap_has(&seen, d->name))
				continue;
			strmap_set(&seen, d->name, NULL);
			strlist_add(&plan->externals, d->name);
		}
	}
}

static int find_target(struct graph_plan *plan, const struct dockerfile *file,
		       const struct names *names, const char *target, struct error *err)
{
	AUTO_FREE const char **choices = NULL;
	const char *near;
	size_t n = 0;
	int i;

	plan->target = target && *target ? name_get(&names->targets, target) : file->n_stages - 1;
	if (plan->target != STAGE_NONE)
		return 0;
	choices = xcalloc((size_t)file->n_stages, sizeof(*choices));
	for (i = 0; i < file->n_stages; i++)
		if (file->stages[i].name)
			choices[n++] = file->stages[i].name;
	near = word_suggest(target, choices, n);
	error_set(err, ERROR_NOT_FOUND, "%s: target stage \"%s\" could not be found%s%s%s",
		  file->source.name, target, near ? " (did you mean " : "", near ? near : "",
		  near ? "?)" : "");
	if (n == 0)
		return error_hint(err, "No stage of this file has a name (FROM IMAGE AS NAME).");
	return -1;
}

static int make_plan(struct graph_plan *plan, struct dockerfile *file, const char *target,
		     const struct stage_bases *bases, struct error *err)
{
	AUTO(names) names = {.contexts = &file->contexts};
	int i;

	for (i = 0; i < file->n_stages; i++) {
		name_set(&names.targets, file->stages[i].name, i);
		if (!file->stages[i].replaced)
			name_set(&names.all, file->stages[i].name, i);
	}
	if (find_target(plan, file, &names, target, err) < 0)
		return -1;
	for (i = 0; i < file->n_stages; i++) {
		if (read_stage(plan, file, &names, i, bases->items[i].name, err) < 0)
			return -1;
		if (!file->stages[i].replaced)
			name_set(&names.earlier, file->stages[i].name, i);
	}
	if (check_cycles(plan, file, err) < 0)
		return -1;
	list_sequence(plan);
	mark_needed(plan);
	if (check_later(plan, file, err) < 0)
		return -1;
	list_needed(plan);
	return 0;
}

int graph_plan(struct graph_plan *out, struct dockerfile *file, const char *target,
	       const struct stage_bases *bases, struct error *err)
{
	memset(out, 0, sizeof(*out));
	out->n_stages = file->n_stages;
	out->stages = xcalloc((size_t)file->n_stages, sizeof(*out->stages));
	if (make_plan(out, file, target, bases, err) < 0) {
		graph_plan_release(out);
		return -1;
	}
	return 0;
}
