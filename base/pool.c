#include "base/pool.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

struct job {
	struct job *next;
	struct group *group;
	int (*fn)(void *arg, struct error *err);
	void *arg;
};

struct pool {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct job *first, **last;
	size_t n_max, n_threads, n_idle, n_queued;
	bool stopping;
	pthread_t *threads;
};

struct pool *pool_new(size_t n_threads)
{
	struct pool *p = xcalloc(1, sizeof(*p));

	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->wake, NULL);
	p->last = &p->first;
	p->n_max = n_threads ? n_threads : 1;
	p->threads = xcalloc(p->n_max, sizeof(*p->threads));
	return p;
}

size_t pool_threads(const struct pool *p)
{
	return p->n_max;
}

size_t pool_cpus(void)
{
	cpu_set_t set;
	size_t n = 1;

	/* A machine with more than CPU_SETSIZE processors answers EINVAL. */
	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		n = (size_t)CPU_COUNT(&set);
	else if (sysconf(_SC_NPROCESSORS_ONLN) > 0)
		n = (size_t)sysconf(_SC_NPROCESSORS_ONLN);
	return n ? n : 1;
}

static void run_job(struct job *job)
{
	struct group *g = job->group;
	AUTO(error) err = ERROR_INIT;
	int result = 0;

	if (!group_failed(g))
		result = job->fn(job->arg, &err);
	free(job);

	pthread_mutex_lock(&g->lock);
	if (result < 0 && !g->failed) {
		g->failed = true;
		if (!err.kind)
			error_set(&err, ERROR_SYSTEM, "a job failed without saying why");
		error_move(&g->err, &err);
	}
	if (--g->running == 0)
		pthread_cond_broadcast(&g->done);
	/* The waiter may release the group as soon as this lock is free: nothing follows. */
	pthread_mutex_unlock(&g->lock);
}

static struct job *take_job(struct pool *p)
{
	struct job *job = p->first;

	p->first = job->next;
	if (!p->first)
		p->last = &p->first;
	p->n_queued--;
	return job;
}

static void *worker(void *arg)
{
	struct pool *p = arg;

	pthread_mutex_lock(&p->lock);
	for (;;) {
		struct job *job;

		while (!p->first && !p->stopping) {
			p->n_idle++;
			pthread_cond_wait(&p->wake, &p->lock);
			p->n_idle--;
		}
		if (!p->first)
			break;
		job = take_job(p);
		pthread_mutex_unlock(&p->lock);
		run_job(job);
		pthread_mutex_lock(&p->lock);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

/* Signals are the main thread's: a worker that took SIGINT would delay it behind a job. */
static int start_worker(struct pool *p)
{
	sigset_t all, old;
	int number;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	number = pthread_create(&p->threads[p->n_threads], NULL, worker, p);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (number == 0)
		p->n_threads++;
	return number;
}

/* Called with the lock held, the job already queued. */
static void need_worker(struct pool *p)
{
	if (p->n_idle < p->n_queued && p->n_threads < p->n_max)
		start_worker(p);
	pthread_cond_signal(&p->wake);
}

void pool_free(struct pool *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->stopping = true;
	pthread_cond_broadcast(&p->wake);
	pthread_mutex_unlock(&p->lock);
	for (size_t i = 0; i < p->n_threads; i++)
		pthread_join(p->threads[i], NULL);
	pthread_cond_destroy(&p->wake);
	pthread_mutex_destroy(&p->lock);
	free(p->threads);
	free(p);
}

void group_init(struct group *g, struct pool *p)
{
	*g = (struct group){.pool = p};
	pthread_mutex_init(&g->lock, NULL);
	pthread_cond_init(&g->done, NULL);
}

static struct job *job_new(struct group *g, int (*fn)(void *arg, struct error *err), void *arg)
{
	struct job *job = xmalloc(sizeof(*job));

	*job = (struct job){.group = g, .fn = fn, .arg = arg};
	pthread_mutex_lock(&g->lock);
	g->running++;
	pthread_mutex_unlock(&g->lock);
	return job;
}

/* Called with the lock held. */
static void queue_job(struct pool *p, struct job *job)
{
	*p->last = job;
	p->last = &job->next;
	p->n_queued++;
}

void group_run(struct group *g, int (*fn)(void *arg, struct error *err), void *arg)
{
	struct pool *p = g->pool;
	struct job *job = job_new(g, fn, arg);
	bool alone;

	pthread_mutex_lock(&p->lock);
	queue_job(p, job);
	need_worker(p);
	/* No thread can be made (a limit on processes): the caller does the work itself. */
	alone = p->n_threads == 0;
	if (alone)
		job = take_job(p);
	pthread_mutex_unlock(&p->lock);
	if (alone)
		run_job(job);
}

int group_run_now(struct group *g, int (*fn)(void *arg, struct error *err), void *arg,
		  struct error *err)
{
	struct pool *p = g->pool;
	struct job *job;
	int number = 0;

	pthread_mutex_lock(&p->lock);
	if (p->n_idle <= p->n_queued)
		number = p->n_threads < p->n_max ? start_worker(p) : EAGAIN;
	if (number == 0) {
		job = job_new(g, fn, arg);
		queue_job(p, job);
		pthread_cond_signal(&p->wake);
	}
	pthread_mutex_unlock(&p->lock);
	if (number == 0)
		return 0;
	errno = number;
	return error_errno(err, "start a thread");
}

bool group_failed(struct group *g)
{
	bool failed;

	pthread_mutex_lock(&g->lock);
	failed = g->failed;
	pthread_mutex_unlock(&g->lock);
	return failed;
}

int group_wait(struct group *g, struct error *err)
{
	int result = 0;

	pthread_mutex_lock(&g->lock);
	while (g->running)
		pthread_cond_wait(&g->done, &g->lock);
	pthread_mutex_unlock(&g->lock);
	if (g->failed)
		result = error_move(err, &g->err);
	pthread_cond_destroy(&g->done);
	pthread_mutex_destroy(&g->lock);
	return result;
}
