#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/path.h"
#include "base/time.h"
#include "deploy/task_json.h"
#include "local/log_group.h"
#include "local/runner_private.h"
#include "local/task_secrets.h"
#include "oci/image_tree.h"
#include "sandbox/signal_name.h"

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define NO_LOG_GROUP                                                                      \
	"ResourceInitializationError: failed to validate logger args: create stream has " \
	"been retried 1 times: failed to create Cloudwatch log stream: "                  \
	"ResourceNotFoundException: The specified log group does not exist. (%s) : exit " \
	"status 1"

char *failure_text(const char *prefix, const struct error *err)
{
	const char *text = err->message ? err->message : "";
	size_t len = err->hint_at ? err->hint_at : strlen(text);

	while (len > 0 && text[len - 1] == '\n')
		len--;
	return xstrfmt("%s%.*s", prefix, (int)len, text);
}

/* "TASKID-1234567890", as Fargate calls containers. */
static char *container_id(const struct task *t, size_t i)
{
	const int64_t number = time_now_ns() / 1000 % 999999000 + (int64_t)i;

	return xstrfmt("%s-%010" PRId64, t->id, number);
}

static int find_image(struct container *c, char **reason)
{
	struct task *t = c->task;
	AUTO(platform) platform = {0};
	AUTO(error) err = ERROR_INIT;
	char *digest;

	if (t->plan.architecture) {
		AUTO_FREE char *text = xstrfmt("linux/%s", t->plan.architecture);

		if (platform_parse(&platform, text, &err) < 0) {
			*reason = failure_text("CannotPullContainerError: ", &err);
			return -1;
		}
	}
	if (images_find(t->runner->o.images, c->plan->image,
			t->plan.architecture ? &platform : NULL, &t->stop, &c->image, &digest,
			&err) < 0) {
		*reason = failure_text("CannotPullContainerError: ", &err);
		return -1;
	}
	pthread_mutex_lock(&t->lock);
	c->digest = digest;
	pthread_mutex_unlock(&t->lock);
	return 0;
}

/* Until its images are known, prune keeps all there is for the task, and from then on what they are made of. */
static int take_lease(struct task *t, char **reason)
{
	AUTO(error) err = ERROR_INIT;

	if (lease_take(&t->lease, t->runner->o.store, &err) == 0)
		return 0;
	*reason = failure_text("CannotPullContainerError: ", &err);
	return -1;
}

static int keep_images(struct task *t, char **reason)
{
	AUTO(error) err = ERROR_INIT;

	for (size_t i = 0; i < t->n_containers; i++)
		if (lease_keep(t->lease, &t->containers[i].image->descriptor.digest, &err) < 0) {
			*reason = failure_text("CannotPullContainerError: ", &err);
			return -1;
		}
	return 0;
}

static int prepare_images(struct task *t, struct container **failed, char **reason)
{
	if (take_lease(t, reason) < 0)
		return -1;
	for (size_t i = 0; i < t->n_containers; i++)
		if (find_image(&t->containers[i], reason) < 0) {
			*failed = &t->containers[i];
			return -1;
		}
	return keep_images(t, reason);
}

static int open_log(struct container *c, char **reason)
{
	const struct container_plan *p = c->plan;
	struct runner *r = c->task->runner;
	AUTO_FREE char *stream = NULL;
	AUTO(error) err = ERROR_INIT;
	bool exists;

	if (!p->log_group)
		return 0;
	if (p->log_create_group &&
	    log_group_need(r->o.state, r->o.region, p->log_group, &err) < 0) {
		*reason = failure_text(
			"ResourceInitializationError: failed to validate logger args: ", &err);
		return -1;
	}
	state_lock(r->o.state);
	exists = state_get(r->o.state, STATE_LOG_GROUPS, p->log_group) != NULL;
	state_unlock(r->o.state);
	if (!exists) {
		*reason = xstrfmt(NO_LOG_GROUP, p->log_group);
		return -1;
	}
	stream = container_log_stream(p->log_prefix, p->name, c->task->id, c->id);
	if (container_log_open(&c->log, r->o.logs, p->log_group, stream, &err) == 0)
		return 0;
	*reason = failure_text("ResourceInitializationError: failed to validate logger args: ",
			       &err);
	return -1;
}

static void make_argv(struct container *c)
{
	const struct image_config *config = &c->image->config;
	const struct container_plan *p = c->plan;

	strlist_copy(&c->argv, p->has_entrypoint ? &p->entrypoint : &config->entrypoint);
	/* As docker: who replaces the entrypoint does without the image's command. */
	if (p->has_command)
		strlist_copy(&c->argv, &p->command);
	else if (!p->has_entrypoint)
		strlist_copy(&c->argv, &config->cmd);
}

static void add_ecs_variables(const struct container *c, struct strmap *env)
{
	const struct runner_options *o = &c->task->runner->o;
	AUTO_FREE char *uri = xstrfmt("http://" SPACE_METADATA_ADDRESS "/v4/%s", c->id);
	AUTO_FREE char *older = xstrfmt("http://" SPACE_METADATA_ADDRESS "/v3/%s", c->id);
	AUTO_FREE char *agent = xstrfmt("http://" SPACE_METADATA_ADDRESS "/api/%s", c->id);
	AUTO_FREE char *api = xstrfmt("http://" SPACE_METADATA_ADDRESS ":%d", o->api_port);

	strmap_set(env, "AWS_EXECUTION_ENV", "AWS_ECS_FARGATE");
	if (o->region) {
		strmap_set(env, "AWS_REGION", o->region);
		strmap_set(env, "AWS_DEFAULT_REGION", o->region);
	}
	if (!c->task->space)
		return;
	if (c->task->plan.task_role) {
		AUTO_FREE char *credentials = xstrfmt("/v2/credentials/%s",
						      c->task->credentials_id);

		strmap_set(env, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", credentials);
	}
	strmap_set(env, "ECS_CONTAINER_METADATA_URI_V4", uri);
	strmap_set(env, "ECS_CONTAINER_METADATA_URI", older);
	strmap_set(env, "ECS_AGENT_URI", agent);
	if (o->api_port > 0)
		strmap_set(env, "AWS_ENDPOINT_URL", api);
}

/* The image's, then ECS's, then the definition's and what overrides it, then secrets. */
static int make_env(struct container *c, char **reason)
{
	AUTO(strmap) env = STRMAP_INIT;

	strmap_from_env(&env, &c->image->config.env);
	if (!strmap_has(&env, "PATH"))
		strmap_set(&env, "PATH", DEFAULT_PATH);
	add_ecs_variables(c, &env);
	strmap_copy(&env, &c->plan->env);
	if (task_secrets_read(&env, c->task->runner->o.state, c->plan->secrets, reason) < 0)
		return -1;
	strmap_to_env(&env, &c->env);
	for (size_t i = 0; i < env.n; i++)
		if (env.entries[i].value)
			wipe(env.entries[i].value, strlen(env.entries[i].value));
	return 0;
}

/* A new volume's top shows the owner and mode of the image's folder that it covers, as docker has it. */
static void take_owner(const struct container *c, struct sandbox_mount *m, struct tree **tree)
{
	const struct tree_node *node;

	m->mode = 0755;
	if (!*tree && image_tree(tree, c->task->runner->o.store, c->image, NULL) < 0)
		return;
	node = tree_lookup(*tree, m->target, true);
	if (!node || node->type != ENTRY_DIR)
		return;
	m->mode = node->mode;
	m->uid = node->uid;
	m->gid = node->gid;
}

static int make_mounts(struct container *c, struct error *err)
{
	const struct container_plan *p = c->plan;
	AUTO_FREE char *folder = xstrfmt("%s/%s/volumes", c->task->runner->folder, c->task->id);
	AUTO_PTR(tree) tree = NULL;

	c->mounts = xcalloc(p->n_mounts + 1, sizeof(*c->mounts));
	for (size_t i = 0; i < p->n_mounts; i++) {
		struct sandbox_mount *m = &c->mounts[i];

		m->target = p->mounts[i].target;
		m->readonly = p->mounts[i].readonly;
		m->kind = SANDBOX_MOUNT_TMPFS;
		m->size = p->mounts[i].size;
		if (!p->mounts[i].volume)
			continue;
		if (fs_mkdir_p(folder, 0700, err) < 0)
			return -1;
		strlist_addf(&c->sources, "%s/%s", folder, p->mounts[i].volume);
		m->kind = SANDBOX_MOUNT_CACHE;
		m->source_dir = c->sources.items[c->sources.n - 1];
		take_owner(c, m, &tree);
	}
	return 0;
}

static int open_root(struct container *c, struct error *err)
{
	const struct image *image = c->image;
	AUTO_FREE struct rootfs_layer *layers = xcalloc(image->manifest.n_layers + 1,
							sizeof(*layers));

	for (size_t i = 0; i < image->manifest.n_layers; i++)
		layers[i] = (struct rootfs_layer){&c->image->manifest.layers[i],
						  &image->config.diff_ids[i]};
	return rootfs_open(&c->fs, c->task->runner->o.sandbox, layers, image->manifest.n_layers,
			   err);
}

static int prepare(struct container *c, char **reason)
{
	AUTO(error) err = ERROR_INIT;
	const char *signal = c->image->config.stop_signal;

	if (make_env(c, reason) < 0 || open_log(c, reason) < 0)
		return -1;
	make_argv(c);
	c->stop_signal = signal ? signal_number(signal) : SIGTERM;
	if (c->stop_signal <= 0)
		c->stop_signal = SIGTERM;
	if (c->argv.n == 0)
		error_set(&err, ERROR_USAGE,
			  "no command specified: neither the image nor the definition has one");
	else if (make_mounts(c, &err) == 0 && open_root(c, &err) == 0)
		return 0;
	*reason = failure_text("CannotCreateContainerError: ", &err);
	return -1;
}

static int prepare_containers(struct task *t, struct container **failed, char **reason)
{
	for (size_t i = 0; i < t->n_containers; i++) {
		struct container *c = &t->containers[i];
		char *id = container_id(t, i);

		pthread_mutex_lock(&t->lock);
		c->id = id;
		pthread_mutex_unlock(&t->lock);
		if (prepare(c, reason) < 0) {
			*failed = c;
			return -1;
		}
	}
	return 0;
}

static void note_pulled(struct task *t)
{
	pthread_mutex_lock(&t->lock);
	t->pull_stopped = time_now_ns();
	pthread_mutex_unlock(&t->lock);
}

static int prepare_main(void *arg, struct error *err)
{
	struct task *t = arg;
	struct container *failed = NULL;
	AUTO_FREE char *reason = NULL;
	int r = prepare_images(t, &failed, &reason);

	(void)err;
	if (r == 0) {
		note_pulled(t);
		r = prepare_containers(t, &failed, &reason);
	}
	pthread_mutex_lock(&t->lock);
	/* What was broken off on the way has not failed. */
	if (r < 0 && !t->stop_wanted) {
		if (failed)
			failed->reason = xstrdup(reason);
		task_fail(t, FAILED_TO_START, take_ptr(reason));
	}
	t->preparing = false;
	pthread_cond_broadcast(&t->changed);
	pthread_mutex_unlock(&t->lock);
	return 0;
}

bool task_prepare(struct task *t)
{
	AUTO(error) err = ERROR_INIT;
	bool stop;

	pthread_mutex_lock(&t->lock);
	if (group_run_now(&t->group, prepare_main, t, &err) < 0)
		task_fail(t, FAILED_TO_START, failure_text("CannotPullContainerError: ", &err));
	else
		t->preparing = true;
	while (t->preparing && !t->stop_wanted)
		pthread_cond_wait(&t->changed, &t->lock);
	stop = t->stop_wanted;
	pthread_mutex_unlock(&t->lock);
	if (stop)
		cancel_note(&t->stop, SIGTERM);
	return !stop;
}

void task_await_preparation(struct task *t)
{
	pthread_mutex_lock(&t->lock);
	while (t->preparing)
		pthread_cond_wait(&t->changed, &t->lock);
	pthread_mutex_unlock(&t->lock);
}
