#include "local/scaling_meter.h"

#include <stdlib.h>
#include <string.h>

#include "aws/ask.h"
#include "base/alloc.h"
#include "base/path.h"
#include "deploy/task_json.h"
#include "local/ecs_name.h"
#include "local/ecs_service.h"
#include "local/ecs_task.h"

#define MAX_ACTIVITIES 100
#define CORE_UNITS     1024
#define MIB            (1024.0 * 1024.0)
/* Application Auto Scaling's own, where a policy says nothing. */
#define COOLDOWN 300

/* One task: what it had used when it was last looked at, and how busy it was since. */
struct task_meter {
	char *id;
	int64_t cpu_ns, memory_bytes;
	double at;
	double cores; /* < 0: measured once only */
	bool fresh;   /* measured in this round */
};

/* One policy: the last averages of its service. */
struct policy_meter {
	char *key;
	double samples[SCALING_SAMPLES];
	size_t n;
	int calm;
};

struct scaling_meter {
	double period, last;
	struct task_meter *tasks;
	size_t n_tasks, cap_tasks;
	struct policy_meter *policies;
	size_t n_policies, cap_policies;
};

struct scaling_meter *scaling_meter_new(double period)
{
	struct scaling_meter *m = xcalloc(1, sizeof(*m));

	m->period = period;
	return m;
}

void scaling_meter_free(struct scaling_meter *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->n_tasks; i++)
		free(m->tasks[i].id);
	for (size_t i = 0; i < m->n_policies; i++)
		free(m->policies[i].key);
	free(m->tasks);
	free(m->policies);
	free(m);
}

/* "service/CLUSTER/NAME": the key of the service. */
static const char *service_key(const char *resource)
{
	return str_starts(resource, "service/") ? resource + strlen("service/") : resource;
}

static bool is(const json_t *object, const char *key, const char *text)
{
	return strcmp(aws_text(object, key), text) == 0;
}

/* A running task of the service. */
static bool counts(const json_t *task, const json_t *service)
{
	return ecs_task_is_live(task) && is(task, "lastStatus", "RUNNING") &&
	       ecs_task_is_of(task, aws_text(ecs_own(service), "cluster"),
			      aws_text(service, "serviceName"));
}

void scaling_tasks(struct scaling_meter *m, struct reconcile *r, struct strlist *ids)
{
	const char *key, *id;
	json_t *policy, *task;

	if (!json_object_size(state_all(r->state, STATE_SCALING_POLICIES)))
		return;
	if (m->last > 0 && r->now >= m->last && r->now < m->last + m->period) {
		reconcile_at(r, m->last + m->period);
		return;
	}
	m->last = r->now;
	reconcile_at(r, r->now + m->period);
	for (size_t i = 0; i < m->n_tasks; i++)
		m->tasks[i].fresh = false;
	json_object_foreach (state_all(r->state, STATE_SCALING_POLICIES), key, policy) {
		const json_t *service = state_get(r->state, STATE_SERVICES,
						  service_key(aws_text(policy, "ResourceId")));

		json_object_foreach (state_all(r->state, STATE_TASKS), id, task)
			if (service && counts(task, service))
				strlist_add(ids, id);
	}
}

static struct task_meter *task_meter(const struct scaling_meter *m, const char *id)
{
	for (size_t i = 0; i < m->n_tasks; i++)
		if (strcmp(m->tasks[i].id, id) == 0)
			return &m->tasks[i];
	return NULL;
}

void scaling_add(struct scaling_meter *m, const char *task_id, int64_t cpu_ns, int64_t memory_bytes,
		 double now)
{
	struct task_meter *t = task_meter(m, task_id);

	if (!t) {
		GROW(m->tasks, m->n_tasks + 1, m->cap_tasks);
		t = &m->tasks[m->n_tasks++];
		*t = (struct task_meter){.id = xstrdup(task_id), .cores = -1};
	} else if (now > t->at) {
		t->cores = (double)(cpu_ns - t->cpu_ns) / 1e9 / (now - t->at);
	}
	t->cpu_ns = cpu_ns;
	t->memory_bytes = memory_bytes;
	t->at = now;
	t->fresh = true;
}

/* Tasks that were not there to be measured are gone. */
static void forget_tasks(struct scaling_meter *m)
{
	size_t kept = 0;

	for (size_t i = 0; i < m->n_tasks; i++) {
		if (m->tasks[i].fresh)
			m->tasks[kept++] = m->tasks[i];
		else
			free(m->tasks[i].id);
	}
	m->n_tasks = kept;
}

static struct policy_meter *policy_meter(struct scaling_meter *m, const char *key)
{
	for (size_t i = 0; i < m->n_policies; i++)
		if (strcmp(m->policies[i].key, key) == 0)
			return &m->policies[i];
	GROW(m->policies, m->n_policies + 1, m->cap_policies);
	m->policies[m->n_policies] = (struct policy_meter){.key = xstrdup(key)};
	return &m->policies[m->n_policies++];
}

static const char *metric_of(const json_t *policy)
{
	const json_t *configuration = json_object_get(policy,
						      "TargetTrackingScalingPolicyConfiguration");

	return aws_text(json_object_get(configuration, "PredefinedMetricSpecification"),
			"PredefinedMetricType");
}

/* Percent of the task's own share, as CloudWatch counts; < 0: not known yet. */
static double busy(const struct task_meter *t, const json_t *task, bool memory)
{
	double share = (double)(memory ? task_json_memory(aws_text(task, "memory"))
				       : task_json_cpu(aws_text(task, "cpu")));
	double used = memory ? (double)t->memory_bytes / MIB : t->cores * CORE_UNITS, percent;

	if (share <= 0 || used < 0)
		return -1;
	percent = 100 * used / share;
	/* Without a limit by cgroups it may take more than it has. */
	return percent < 100 ? percent : 100;
}

/* The average of the service's tasks; < 0: none was measured twice. */
static double average_now(const struct scaling_meter *m, struct state *s, const json_t *service,
			  bool memory)
{
	double sum = 0;
	int n = 0;

	for (size_t i = 0; i < m->n_tasks; i++) {
		const json_t *task = state_get(s, STATE_TASKS, m->tasks[i].id);
		double percent = task && counts(task, service) && m->tasks[i].fresh
					 ? busy(&m->tasks[i], task, memory)
					 : -1;

		if (percent < 0)
			continue;
		sum += percent;
		n++;
	}
	return n ? sum / n : -1;
}

/* Of the last three; < 0: there are fewer. */
static double add_sample(struct policy_meter *p, double percent)
{
	double sum = 0;

	for (size_t i = SCALING_SAMPLES - 1; i > 0; i--)
		p->samples[i] = p->samples[i - 1];
	p->samples[0] = percent;
	if (p->n < SCALING_SAMPLES)
		p->n++;
	for (size_t i = 0; i < p->n; i++)
		sum += p->samples[i];
	return p->n == SCALING_SAMPLES ? sum / SCALING_SAMPLES : -1;
}

int64_t scaling_wanted(int64_t count, double average, double target)
{
	double exact = (double)count * average / target - 1e-9; /* 4.0000000001 is 4 */
	int64_t whole = (int64_t)exact;

	return exact > (double)whole ? whole + 1 : whole;
}

static bool is_suspended(const json_t *target, bool out)
{
	return ecs_flag(json_object_get(target, "SuspendedState"),
			out ? "DynamicScalingOutSuspended" : "DynamicScalingInSuspended");
}

static int64_t between(int64_t n, const json_t *target)
{
	int64_t least = aws_int(target, "MinCapacity"), most = aws_int(target, "MaxCapacity");

	return n < least ? least : n > most ? most : n;
}

static json_t *new_activity(const json_t *target, int64_t count, const char *cause, double now)
{
	AUTO_FREE char *description = xstrfmt("Setting desired count to %lld.", (long long)count);
	AUTO_FREE char *message = xstrfmt("Successfully set desired count to %lld. Change "
					  "successfully fulfilled by ecs.",
					  (long long)count);
	char id[ECS_ID_SIZE];

	ecs_uuid(id);
	return json_pack("{s:s, s:s, s:O, s:O, s:s, s:s, s:f, s:f, s:s, s:s}", "ActivityId", id,
			 "ServiceNamespace", "ecs", "ResourceId",
			 json_object_get(target, "ResourceId"), "ScalableDimension",
			 json_object_get(target, "ScalableDimension"), "Description", description,
			 "Cause", cause, "StartTime", now, "EndTime", now, "StatusCode",
			 "Successful", "StatusMessage", message);
}

/* The count first: that it changed is what matters, should the process end before the rest is written. */
static int set_count(struct reconcile *r, const char *resource, int64_t count, const char *cause,
		     struct error *err)
{
	const char *key = service_key(resource);
	json_t *service = json_deep_copy(state_get(r->state, STATE_SERVICES, key));
	json_t *target, *activities;

	json_object_set_new(service, "desiredCount", json_integer(count));
	json_object_del(ecs_own(service), "steady");
	ecs_service_say(service, r->now, "(service %s) desired count is set to %lld: %s",
			aws_text(service, "serviceName"), (long long)count, cause);
	if (state_put(r->state, STATE_SERVICES, key, service, err) < 0)
		return -1;
	target = json_deep_copy(state_get(r->state, STATE_SCALABLE_TARGETS, resource));
	activities = json_object_get(ecs_own(target), "activities");
	json_array_insert_new(activities, 0, new_activity(target, count, cause, r->now));
	while (json_array_size(activities) > MAX_ACTIVITIES)
		json_array_remove(activities, MAX_ACTIVITIES);
	return state_put(r->state, STATE_SCALABLE_TARGETS, resource, target, err);
}

static int note_time(struct reconcile *r, const char *key, const char *what, struct error *err)
{
	json_t *policy = json_deep_copy(state_get(r->state, STATE_SCALING_POLICIES, key));

	json_object_set_new(ecs_own(policy), what, json_real(r->now));
	return state_put(r->state, STATE_SCALING_POLICIES, key, policy, err);
}

static double later(double a, double b)
{
	return a > b ? a : b;
}

struct decision {
	int64_t count; /* the new one */
	bool out;
};

/* False: it stays as it is. */
static bool decide(struct policy_meter *p, const json_t *policy, const json_t *target,
		   int64_t count, double average, double now, struct decision *d)
{
	const json_t *c = json_object_get(policy, "TargetTrackingScalingPolicyConfiguration");
	const json_t *own = ecs_own(policy);
	double aim = json_number_value(json_object_get(c, "TargetValue"));
	double out_at = ecs_time(own, "out_at"), in_at = ecs_time(own, "in_at");
	int64_t wanted = between(scaling_wanted(count, average, aim), target);

	p->calm = average < 0.9 * aim ? p->calm + 1 : 0;
	if (average > aim && wanted > count) {
		*d = (struct decision){wanted, true};
		return !is_suspended(target, true) &&
		       now >= out_at + (double)task_json_int(c, "ScaleOutCooldown", COOLDOWN);
	}
	if (p->calm < SCALING_CALM || wanted >= count || ecs_flag(c, "DisableScaleIn"))
		return false;
	*d = (struct decision){between(count - 1, target), false};
	return d->count < count && !is_suspended(target, false) &&
	       now >= later(out_at, in_at) + (double)task_json_int(c, "ScaleInCooldown", COOLDOWN);
}

static char *cause_of(const json_t *policy, const struct decision *d, double average)
{
	const json_t *c = json_object_get(policy, "TargetTrackingScalingPolicyConfiguration");

	return xstrfmt("monitor alarm TargetTracking-%s-Alarm%s in state ALARM triggered policy "
		       "%s (%s was %.1f, the target is %.1f)",
		       aws_text(policy, "ResourceId"), d->out ? "High" : "Low",
		       aws_text(policy, "PolicyName"), metric_of(policy), average,
		       json_number_value(json_object_get(c, "TargetValue")));
}

static int follow_policy(struct scaling_meter *m, struct reconcile *r, const char *key,
			 struct error *err)
{
	AUTO_JSON *policy = json_incref(state_get(r->state, STATE_SCALING_POLICIES, key));
	const char *resource = aws_text(policy, "ResourceId");
	const json_t *target = state_get(r->state, STATE_SCALABLE_TARGETS, resource);
	const json_t *service = state_get(r->state, STATE_SERVICES, service_key(resource));
	struct policy_meter *p = policy_meter(m, key);
	bool memory = strcmp(metric_of(policy), "ECSServiceAverageMemoryUtilization") == 0;
	double now_busy, average;
	struct decision d;
	AUTO_FREE char *cause = NULL;

	if (!target || !is(service, "status", "ACTIVE"))
		return 0;
	now_busy = average_now(m, r->state, service, memory);
	average = now_busy < 0 ? -1 : add_sample(p, now_busy);
	if (average < 0 ||
	    !decide(p, policy, target, aws_int(service, "desiredCount"), average, r->now, &d))
		return 0;
	cause = cause_of(policy, &d, average);
	p->n = 0;
	p->calm = 0;
	if (set_count(r, resource, d.count, cause, err) < 0)
		return -1;
	return note_time(r, key, d.out ? "out_at" : "in_at", err);
}

/* Bounds that were just set are kept at once; later a count outside of them is somebody's wish until a policy moves it. */
static int follow_bounds(struct reconcile *r, const char *resource, struct error *err)
{
	json_t *target = state_get(r->state, STATE_SCALABLE_TARGETS, resource), *changed;
	const json_t *service = state_get(r->state, STATE_SERVICES, service_key(resource));
	int64_t count = aws_int(service, "desiredCount"), wanted;

	if (!ecs_flag(ecs_own(target), "unclamped"))
		return 0;
	wanted = between(count, target);
	if (is(service, "status", "ACTIVE") && wanted != count) {
		AUTO_FREE char *cause = xstrfmt("%s capacity was set to %lld",
						wanted > count ? "minimum" : "maximum",
						(long long)wanted);

		if (set_count(r, resource, wanted, cause, err) < 0)
			return -1;
	}
	changed = json_deep_copy(state_get(r->state, STATE_SCALABLE_TARGETS, resource));
	json_object_del(ecs_own(changed), "unclamped");
	return state_put(r->state, STATE_SCALABLE_TARGETS, resource, changed, err);
}

static void keys_of(struct state *s, const char *kind, struct strlist *out)
{
	const char *key;
	json_t *document;

	json_object_foreach (state_all(s, kind), key, document)
		strlist_add(out, key);
}

int scaling_decide(struct scaling_meter *m, struct reconcile *r, struct error *err)
{
	AUTO(strlist) targets = {0};
	AUTO(strlist) policies = {0};
	bool measured = m->last == r->now;

	keys_of(r->state, STATE_SCALABLE_TARGETS, &targets);
	keys_of(r->state, STATE_SCALING_POLICIES, &policies);
	for (size_t i = 0; i < targets.n; i++)
		if (follow_bounds(r, targets.items[i], err) < 0)
			return error_wrap(err, "scale %s", targets.items[i]);
	if (!measured)
		return 0;
	forget_tasks(m);
	for (size_t i = 0; i < policies.n; i++)
		if (follow_policy(m, r, policies.items[i], err) < 0)
			return error_wrap(err, "scale by the policy %s", policies.items[i]);
	return 0;
}
