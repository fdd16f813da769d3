#include "cli/push_ahead.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

struct push_ahead {
	struct app *app;
	const struct image_ref **refs; /* one a repository */
	size_t n;
	struct group group;
	pthread_mutex_t lock;
	struct job *jobs;
};

struct job {
	struct job *next;
	struct push_ahead *owner;
	const struct image_ref *ref;
	struct descriptor layer;
};

static bool has_repository(const struct push_ahead *p, const struct image_ref *ref)
{
	for (size_t i = 0; i < p->n; i++)
		if (strcmp(p->refs[i]->host, ref->host) == 0 &&
		    strcmp(p->refs[i]->path, ref->path) == 0)
			return true;
	return false;
}

struct push_ahead *push_ahead_start(struct app *a, const struct image_ref *refs, size_t n)
{
	struct push_ahead *p;

	if (app_registry(a, NULL) < 0)
		return NULL;
	p = xcalloc(1, sizeof(*p));
	p->app = a;
	p->refs = xcalloc(n + 1, sizeof(*p->refs));
	for (size_t i = 0; i < n; i++)
		if (!has_repository(p, &refs[i]))
			p->refs[p->n++] = &refs[i];
	pthread_mutex_init(&p->lock, NULL);
	group_init(&p->group, a->transfers);
	return p;
}

static int push_one(void *arg, struct error *err)
{
	struct job *job = arg;
	struct app *a = job->owner->app;
	struct push_result result = {0};
	AUTO(error) local = ERROR_INIT;
	char digest[24];

	(void)err;
	digest_short(&job->layer.digest, digest);
	if (registry_push_blob(a->registry, a->store, job->ref, &job->layer, 0, &result, &local) <
	    0)
		report_log(a->reporter, LOG_DEBUG, "not pushed ahead: %s: %s", digest,
			   local.message);
	else
		report_log(a->reporter, LOG_DEBUG, "pushed ahead: %s", digest);
	return 0;
}

static void ready(void *arg, const struct descriptor *layer)
{
	struct push_ahead *p = arg;

	for (size_t i = 0; i < p->n; i++) {
		struct job *job = xcalloc(1, sizeof(*job));

		job->owner = p;
		job->ref = p->refs[i];
		descriptor_copy(&job->layer, layer);
		pthread_mutex_lock(&p->lock);
		job->next = p->jobs;
		p->jobs = job;
		pthread_mutex_unlock(&p->lock);
		group_run(&p->group, push_one, job);
	}
}

struct layer_sink push_ahead_sink(struct push_ahead *p)
{
	return (struct layer_sink){.ready = p ? ready : NULL, .arg = p};
}

void push_ahead_end(struct push_ahead *p, bool abandon)
{
	if (!p)
		return;
	if (abandon)
		registry_client_stop(p->app->registry);
	group_wait(&p->group, NULL);
	while (p->jobs) {
		struct job *job = p->jobs;

		p->jobs = job->next;
		descriptor_release(&job->layer);
		free(job);
	}
	pthread_mutex_destroy(&p->lock);
	free(p->refs);
	free(p);
}
