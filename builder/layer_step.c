#include "builder/layer_step.h"

#include <string.h>

#include "base/alloc.h"
#include "builder/cache_export.h"
#include "builder/explain.h"
#include "builder/stop.h"

void layer_step_release(struct layer_step *s)
{
	strbuf_release(&s->history);
	strbuf_release(&s->hint);
}

/* One stage at a time makes what a key stands for; the others then find its record. */
static void claim_key(struct build *b, const char *key)
{
	pthread_mutex_lock(&b->lock);
	while (strlist_has(&b->keys, key))
		pthread_cond_wait(&b->key_done, &b->lock);
	strlist_add(&b->keys, key);
	pthread_mutex_unlock(&b->lock);
}

static void give_key(struct build *b, const char *key)
{
	pthread_mutex_lock(&b->lock);
	for (size_t i = 0; i < b->keys.n; i++)
		if (strcmp(b->keys.items[i], key) == 0) {
			strlist_remove(&b->keys, i);
			break;
		}
	pthread_cond_broadcast(&b->key_done);
	pthread_mutex_unlock(&b->lock);
}

static bool was_made(struct build *b, const char *key)
{
	bool made;

	pthread_mutex_lock(&b->lock);
	made = strmap_has(&b->made, key);
	pthread_mutex_unlock(&b->lock);
	return made;
}

static void note_made(struct build *b, const char *key)
{
	pthread_mutex_lock(&b->lock);
	strmap_set(&b->made, key, NULL);
	pthread_mutex_unlock(&b->lock);
}

struct lookup {
	struct layer_step *step;
	const struct layer_step_ops *ops;
	struct step_key quick, key;
	bool has_quick, complete;
	struct cache_record found;
	const char *from; /* the cache that knew it; NULL: the store's own */
};

static void lookup_release(struct lookup *l)
{
	step_key_release(&l->quick);
	step_key_release(&l->key);
	cache_record_release(&l->found);
}

CLEANUP_RELEASE(lookup)

static void begin_key(struct lookup *l, struct step_key *k, const char *suffix)
{
	static const struct digest none;
	const struct stage *st = l->step->stage;
	AUTO_FREE char *kind = xstrfmt("%s%s", l->ops->kind, suffix);

	step_key_begin(k, kind, l->step->free_of_base ? &none : stack_chain(&st->stack),
		       &st->build->layer_options);
}

/* A record of the store's own that can be used here. */
static bool find_here(struct lookup *l, const char *key)
{
	const struct build *b = l->step->stage->build;

	if (!cache_get(b->store, key, &l->found))
		return false;
	if (cache_fits(l->found.one_owner, b->options->sandbox))
		return true;
	cache_record_release(&l->found);
	l->found = (struct cache_record){.created = 0};
	return false;
}

/* 1: a record was found without touching any content. */
static int look_quickly(struct lookup *l, struct error *err)
{
	struct build *b = l->step->stage->build;
	int there;

	if (!l->ops->quick)
		return 0;
	begin_key(l, &l->quick, " by chain");
	there = l->ops->quick(l->step, &l->quick, err);
	if (there <= 0)
		return there;
	step_key_finish(&l->quick);
	l->has_quick = true;
	if (l->step->stage->no_cache)
		return 0;
	return find_here(l, l->quick.hex) ||
	       remote_caches_find(b->remote, l->quick.hex, "", &l->found, &l->from);
}

static int compute_key(struct lookup *l, struct error *err)
{
	begin_key(l, &l->key, "");
	if (l->ops->key(l->step, &l->key, err) < 0)
		return -1;
	step_key_finish(&l->key);
	return 0;
}

/* The record of the quick key tells the full one, under which the parts are kept. */
static void put_quick(struct lookup *l)
{
	memcpy(l->found.key, l->key.hex, sizeof(l->found.key));
	if (l->has_quick)
		cache_put(l->step->stage->build->store, l->quick.hex, l->ops->kind, &l->found);
}

static void put(struct lookup *l)
{
	memcpy(l->found.key, l->key.hex, sizeof(l->found.key));
	cache_put(l->step->stage->build->store, l->key.hex, l->ops->kind, &l->found);
	put_quick(l);
}

static int look(struct lookup *l, struct error *err)
{
	struct build *b = l->step->stage->build;

	if (compute_key(l, err) < 0)
		return -1;
	if (l->step->stage->no_cache)
		return 0;
	if (!find_here(l, l->key.hex))
		return remote_caches_find(b->remote, l->key.hex, l->has_quick ? l->quick.hex : "",
					  &l->found, &l->from);
	put_quick(l);
	return 1;
}

static void add_base(struct lookup *l)
{
	const struct stage *st = l->step->stage;
	AUTO_FREE char *platform = platform_format(&st->config.platform);
	AUTO_FREE char *base = NULL;

	if (l->step->free_of_base)
		return;
	step_key_note(&l->key, PLAN_PLATFORM, platform);
	if (st->base)
		base = xstrfmt("%.*s@%s", (int)strcspn(st->base->name, "@"), st->base->name,
			       st->base->image->descriptor.digest.text);
	step_key_note(&l->key, PLAN_BASE, base ? base : "scratch");
}

/* What people can be told of beyond the fields of the key: the base, each file. Once. */
static int complete_parts(struct lookup *l, struct error *err)
{
	if (l->complete)
		return 0;
	l->complete = true;
	add_base(l);
	return l->ops->manifest ? l->ops->manifest(l->step, &l->key.parts, err) : 0;
}

/* The step below that is why the ChainID is another one. */
static char *describe_below(const struct stage *st)
{
	const char *label = st->made_in ? st->made_in->label : "";

	if (!st->made)
		return NULL;
	if (st->made_in == st)
		return xstrfmt("step %d was made anew", st->made);
	return xstrfmt("step %d of %.*s was made anew", st->made, (int)strcspn(label, " "), label);
}

/* --explain: why there is no record of this key. */
static int explain(struct lookup *l, struct error *err)
{
	const struct layer_step *s = l->step;
	const struct stage *st = s->stage;
	const struct build_options *o = st->build->options;
	AUTO_FREE char *below = describe_below(st);
	AUTO(strbuf) reason = STRBUF_INIT;
	struct explain_step why = {.key = l->key.hex, .parts = &l->key.parts, .below = below};

	if (!o->explain)
		return 0;
	if (complete_parts(l, err) < 0)
		return -1;
	why.former = step_log_former(&st->log, s->ins->text, &why.how);
	if (st->no_cache)
		strbuf_puts(&reason, o->no_cache ? "--no-cache" : "--no-cache-filter");
	else
		explain_miss(&reason, st->build->store, &why);
	report_step_note(o->reporter, s->id, "MISS step %d%s%.*s: %s", st->number,
			 *st->label ? " of " : "", (int)strcspn(st->label, " "), st->label,
			 reason.buf);
	return 0;
}

/* What the key is made of, for the next miss. */
static int keep_parts(struct lookup *l, struct error *err)
{
	if (complete_parts(l, err) < 0)
		return -1;
	explain_keep(l->step->stage->build->store, l->key.hex, &l->key.parts);
	return 0;
}

static bool is_known(const struct lookup *l)
{
	const struct step_log_list *former = &l->step->stage->log.former;
	size_t at = l->step->stage->log.now.n;

	return at < former->n && strcmp(former->items[at].key, l->key.hex) == 0;
}

/* A hit by a record from elsewhere has no parts here; one that was hit in the last build, too, is not looked at. */
static int keep_parts_of_hit(struct lookup *l, struct error *err)
{
	if (!l->key.hex[0] || is_known(l) ||
	    explain_is_kept(l->step->stage->build->store, l->key.hex))
		return 0;
	return keep_parts(l, err);
}

static int make(struct lookup *l, struct error *err)
{
	struct build *b = l->step->stage->build;

	if (explain(l, err) < 0 || cancel_check(b->options->cancel, err) < 0)
		return -1;
	if (build_is_stopping(b))
		return error_set(err, ERROR_CANCELLED, "another stage failed");
	l->found.created = b->options->now;
	if (l->ops->make(l->step, &l->found.layer, err) < 0)
		return -1;
	l->found.one_owner = l->step->one_owner;
	if (l->step->unstable)
		return 0;
	put(l);
	note_made(b, l->key.hex);
	return keep_parts(l, err);
}

/* 1: found, 0: made. */
static int resolve(struct lookup *l, struct error *err)
{
	struct build *b = l->step->stage->build;
	int result = look_quickly(l, err);

	if (result == 0)
		result = look(l, err);
	if (result < 0)
		return -1;
	if (result == 1)
		return keep_parts_of_hit(l, err) < 0 ? -1 : 1;

	claim_key(b, l->key.hex);
	/* What this build itself made is no old cache: another platform's stage shares it even with --no-cache. */
	if ((!l->step->stage->no_cache || was_made(b, l->key.hex)) && find_here(l, l->key.hex))
		result = 1;
	else
		result = make(l, err);
	give_key(b, l->key.hex);
	return result;
}

static void count(struct build *b, bool cached)
{
	pthread_mutex_lock(&b->lock);
	b->steps++;
	b->cached += cached;
	pthread_mutex_unlock(&b->lock);
}

static int fail(struct layer_step *s, struct error *local, struct error *err)
{
	bool cancelled = local->kind == ERROR_CANCELLED;

	if (!cancelled)
		stage_error_place(local, s->ins);
	if (s->hint.len)
		error_hint(local, "%s", s->hint.buf);
	report_step_end(s->stage->build->options->reporter, s->id,
			cancelled ? STEP_STATUS_CANCELLED : STEP_STATUS_FAILED, local);
	return error_move(err, local);
}

static void export_step(const struct lookup *l)
{
	const struct stage *st = l->step->stage;
	const struct cache_export_step step = {
		.target = (int)(st->target - st->build->targets),
		.stage = st->source->index,
		.number = st->number,
		.on_target = st->on_target,
		.kind = l->ops->kind,
		.quick = l->has_quick ? l->quick.hex : "",
		.record = &l->found,
	};

	if (!l->step->unstable)
		cache_export_add(st->build->options->cache_export, &step);
}

int layer_step_execute(struct layer_step *s, const struct layer_step_ops *ops, struct error *err)
{
	struct reporter *r = s->stage->build->options->reporter;
	AUTO_FREE char *prefix = stage_next_prefix(s->stage);
	AUTO(lookup) l = {.step = s, .ops = ops};
	AUTO(error) local = ERROR_INIT;
	int result;

	s->id = report_step_begin(r, "%s%s", prefix, s->ins->text);
	result = resolve(&l, &local);
	if (result < 0)
		return fail(s, &local, err);
	if (l.key.hex[0])
		memcpy(l.found.key, l.key.hex, sizeof(l.found.key));
	if (l.from && s->stage->build->options->explain)
		report_step_note(r, s->id, "CACHED from %s", l.from);
	export_step(&l);
	stage_add_layer(s->stage, &l.found.layer, l.found.created, s->history.buf);
	report_step_end(r, s->id, result ? STEP_STATUS_CACHED : STEP_STATUS_DONE, NULL);
	step_log_add(&s->stage->log, s->ins->text, l.found.key[0] ? l.found.key : l.quick.hex);
	if (!result) {
		s->stage->made = s->stage->number;
		s->stage->made_in = s->stage;
	}
	count(s->stage->build, result);
	stage_announce(s->stage);
	return 0;
}
