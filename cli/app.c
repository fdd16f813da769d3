#include "cli/local_target.h"
#include "cli/app.h"

#include "cli/cmd.h"
#include "cli/mirroring.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/json.h"
#include "oci/layout.h"

#define MAX_TRANSFERS 4

void app_init(struct app *a, char **envp, struct cancel *cancel)
{
	*a = (struct app){.cancel = cancel};
	pthread_mutex_init(&a->lock, NULL);
	environment_init(&a->env, envp);
	a->terminal = terminal_new(STDERR_FILENO, isatty(STDERR_FILENO), !a->env.no_color,
				   a->env.verbose);
	a->reporter = terminal_reporter(a->terminal);
	a->aws = aws_login_new(&a->env, &a->aws_flags, a->reporter, cancel);
	a->docker_config = (struct docker_config_options){
		.files = &a->env.auth_files,
		.helper_env = a->env.envp,
		.reporter = a->reporter,
		.cancel = cancel,
	};
}

void app_release(struct app *a)
{
	registry_client_free(a->registry);
	mirrors_free(a->mirrors);
	strlist_release(&a->mirror);
	aws_login_free(a->aws);
	strmap_release(&a->local_variables);
	sandbox_free(a->sandbox);
	lease_free(a->lease);
	store_free(a->store);
	pool_free(a->pool);
	pool_free(a->transfers);
	terminal_free(a->terminal);
	strlist_release(&a->insecure);
	environment_release(&a->env);
	pthread_mutex_destroy(&a->lock);
}

struct pool *app_pool(struct app *a)
{
	if (!a->pool)
		a->pool = pool_new(pool_cpus());
	return a->pool;
}

int app_store(struct app *a, struct error *err)
{
	if (a->store)
		return 0;
	AUTO_PTR(store) s = NULL;

	if (store_open(&s, a->env.root, err) < 0)
		return -1;
	store_set_wait(s, a->cancel, a->reporter, 0);
	/* Without its lease the store is not given out: another process might prune what is made in it. */
	if (lease_take(&a->lease, s, err) < 0)
		return -1;
	a->store = take_ptr(s);
	return 0;
}

static int get_login(void *arg, const char *host, const char *repository, struct login *out,
		     bool *found, struct error *err)
{
	struct app *a = arg;
	AUTO(error) local = ERROR_INIT;

	if (local_target_is_registry(a, host)) {
		*found = true;
		return local_target_login(a, out, err);
	}
	if (!aws_login_is_for(host))
		return docker_config_get(&a->docker_config, host, repository, out, found, err);
	/* Docker's file holds tokens of ECR long after their 12 hours: it is asked when AWS's own sources know nothing. */
	if (aws_login_get(a->aws, host, out, found, &local) == 0 && *found)
		return 0;
	if (local.kind != ERROR_NONE && local.kind != ERROR_DENIED)
		return error_move(err, &local);
	if (docker_config_get(&a->docker_config, host, repository, out, found, err) < 0)
		return -1;
	return *found || local.kind == ERROR_NONE ? 0 : error_move(err, &local);
}

static int make_repository(void *arg, const char *host, const char *repository, bool *made,
			   struct error *err)
{
	struct app *a = arg;

	*made = false;
	if (!a->no_create_repo && local_target_is_registry(a, host)) {
		*made = true;
		return local_target_make_repository(a, repository, err);
	}
	if (!a->no_create_repo)
		return aws_login_make_repository(a->aws, host, repository, made, err);
	if (!aws_login_is_for(host))
		return 0;
	return error_set(
		err, ERROR_NOT_FOUND,
		"NAME_UNKNOWN: the repository %s does not exist at %s, and --no-create-repo "
		"forbids making it",
		repository, host);
}

/* Under the lock. */
static int make_registry(struct app *a, const struct registry_options *limits,
			 struct registry_client **out, struct error *err)
{
	struct registry_options o = {
		.reporter = a->reporter,
		.cancel = limits->cancel,
		.max_retries = limits->max_retries,
		.max_pause_ms = limits->max_pause_ms,
		.retry_base_ms = a->env.retry_ms,
		.stall_timeout_ms = limits->stall_timeout_ms ? limits->stall_timeout_ms
							     : a->env.stall_ms,
		.answer_timeout_ms = limits->answer_timeout_ms,
		.login = {.get = get_login, .arg = a},
		.repositories = {.make = make_repository, .arg = a},
		.connect_to = &a->env.connect_to,
		.insecure = &a->insecure,
		.http_proxy = environment_http_proxy(&a->env),
		.ca_file = a->env.ca_file,
		.ca_dir = a->env.ca_dir,
		.certs_dirs = &a->env.certs_dirs,
	};

	if (!a->mirrors_read && mirroring_read(&a->mirrors, &a->env, &a->mirror, err) < 0)
		return -1;
	a->mirrors_read = true;
	o.mirrors = a->mirrors;
	if (!a->transfers)
		a->transfers = pool_new(MAX_TRANSFERS);
	o.pool = a->transfers;
	return registry_client_new(out, &o, err);
}

/* Stages that run at the same time may both be the first to ask. */
int app_registry(struct app *a, struct error *err)
{
	const struct registry_options usual = {.cancel = a->cancel};
	int result = 0;

	pthread_mutex_lock(&a->lock);
	if (!a->registry)
		result = make_registry(a, &usual, &a->registry, err);
	pthread_mutex_unlock(&a->lock);
	return result;
}

int app_new_registry(struct app *a, const struct registry_options *limits,
		     struct registry_client **out, struct error *err)
{
	int result;

	pthread_mutex_lock(&a->lock);
	result = make_registry(a, limits, out, err);
	pthread_mutex_unlock(&a->lock);
	return result;
}

int app_sandbox(struct app *a, struct error *err)
{
	struct sandbox_options o = {
		.reporter = a->reporter,
		.cancel = a->cancel,
		.mode = a->env.sandbox_mode,
		.storage = a->env.sandbox_storage,
		.helper_env = a->env.envp,
	};

	if (a->sandbox)
		return 0;
	if (app_store(a, err) < 0)
		return -1;
	return sandbox_open(&a->sandbox, a->store, &o, err);
}

int app_progress(struct app *a, const char *kind, bool quiet, struct error *err)
{
	enum progress_kind progress = PROGRESS_AUTO;

	if (kind && progress_parse(&progress, kind, err) < 0)
		return -1;
	terminal_set_progress(a->terminal, quiet ? PROGRESS_QUIET : progress);
	return 0;
}

void app_print_error(struct app *a, const struct error *err)
{
	AUTO(strbuf) text = STRBUF_INIT;

	terminal_finish(a->terminal);
	strbuf_add_printable(&text, err->message, strlen(err->message), true);
	fprintf(stderr, "slipway: %s\n", text.buf);
}

int error_exit_code(const struct error *err, const struct cancel *c)
{
	if (err->kind == ERROR_CANCELLED)
		return 128 + (c->signal ? c->signal : SIGINT);
	return err->kind == ERROR_USAGE ? 2 : 1;
}

int app_load_image(struct app *a, const char *name, const char *platform, struct descriptor *top,
		   struct image **out, struct error *err)
{
	AUTO(descriptor) found = {0};
	AUTO(platform) want = {0};

	if (platform && platform_parse(&want, platform, err) < 0)
		return error_wrap(err, "--platform");
	if (app_store(a, err) < 0 || layout_find_text(a->store, name, &found, err) < 0)
		return -1;
	if ((platform ? image_load(out, a->store, &found, &want, err)
		      : image_load_any(out, a->store, &found, err)) < 0)
		return error_wrap(err, "image %s", name);
	if (platform && !platform_match(&want, &(*out)->config.platform)) {
		AUTO_FREE char *is = platform_format(&(*out)->config.platform);

		image_free(*out);
		*out = NULL;
		return error_set(err, ERROR_NOT_FOUND, "image %s is for %s, not for %s", name, is,
				 platform);
	}
	if (top)
		descriptor_copy(top, &found);
	return 0;
}

/* The registry client of all, or one that ends at another's word: *own holds it then. NULL: error. */
static struct registry_client *client_for(struct app *a, const struct cancel *cancel,
					  struct registry_client **own, struct error *err)
{
	const struct registry_options limits = {.cancel = cancel};

	if (!cancel)
		return app_registry(a, err) == 0 ? a->registry : NULL;
	return app_new_registry(a, &limits, own, err) == 0 ? *own : NULL;
}

static int fetch_layers(struct app *a, const struct image *image, const struct cancel *cancel,
			struct error *err)
{
	AUTO_PTR(registry_client) own = NULL;
	struct registry_client *client;

	if (image_complete(image, a->store, NULL))
		return 0;
	client = client_for(a, cancel, &own, err);
	return client ? registry_fetch_missing(client, a->store, image, err) : -1;
}

int app_fetch_layers(struct app *a, const struct image *image, struct error *err)
{
	return fetch_layers(a, image, NULL, err);
}

/* Is the named image here, for this platform (NULL: the host's, else any) and with all its layers, or can they be fetched? */
static bool find_complete(struct app *a, const char *name, const struct platform *platform,
			  const struct cancel *cancel, struct image **out)
{
	AUTO(descriptor) found = {0};
	AUTO_PTR(image) image = NULL;
	AUTO(error) why = ERROR_INIT;

	if (layout_find_text(a->store, name, &found, NULL) < 0)
		return false;
	if ((platform ? image_load(&image, a->store, &found, platform, NULL)
		      : image_load_any(&image, a->store, &found, NULL)) < 0)
		return false;
	if (platform && !platform_match(platform, &image->config.platform))
		return false;
	if (fetch_layers(a, image, cancel, &why) < 0) {
		report_log(a->reporter, LOG_WARNING, "image %s is here without its layers: %s",
			   name, why.message);
		return false;
	}
	*out = take_ptr(image);
	return true;
}

int app_need_image(struct app *a, const char *name, const struct platform *platform,
		   const struct cancel *cancel, struct image **out, struct error *err)
{
	AUTO(image_ref) ref = {0};
	AUTO(descriptor) pulled = {0};
	AUTO_PTR(registry_client) own = NULL;
	struct registry_client *client;
	bool changed;

	if (app_store(a, err) < 0)
		return -1;
	if (find_complete(a, name, platform, cancel, out))
		return 0;
	if (image_ref_parse(&ref, name, err) < 0)
		return -1;
	client = client_for(a, cancel, &own, err);
	if (!client)
		return -1;
	report_log(a->reporter, LOG_INFO, "Unable to find image '%s' locally", name);
	if (registry_pull(client, a->store, &ref, platform, &pulled, &changed, err) < 0)
		return -1;
	return image_load(out, a->store, &pulled, platform, err);
}

/* The fact that a name was resolved for FROM: meta/base/HASH holds the descriptor. */
static void base_key(const struct image_ref *ref, char hex[SHA256_HEX_SIZE])
{
	AUTO_FREE char *name = image_ref_full(ref);
	uint8_t raw[SHA256_SIZE];

	sha256_buf(name, strlen(name), raw);
	sha256_hex(raw, hex);
}

static bool recall_base(struct app *a, const struct image_ref *ref, struct descriptor *top)
{
	AUTO(strbuf) text = STRBUF_INIT;
	AUTO_JSON *j = NULL;
	char hex[SHA256_HEX_SIZE];

	base_key(ref, hex);
	return store_meta_get(a->store, "base", hex, &text, NULL) == 0 &&
	       json_parse(&j, text.buf, text.len, "base image", NULL) == 0 &&
	       descriptor_from_json(top, j, "base image", NULL) == 0;
}

static void remember_base(struct app *a, const struct image_ref *ref, const struct descriptor *top)
{
	AUTO(strbuf) text = STRBUF_INIT;
	AUTO_JSON *j = descriptor_to_json(top);
	char hex[SHA256_HEX_SIZE];

	base_key(ref, hex);
	json_write(j, &text);
	/* only spares a question to the registry: a failure is none */
	store_meta_put(a->store, "base", hex, text.buf, text.len, NULL);
}

/*
 * FROM: the image of that name here, or what the name stood for when it was last asked for; with pull, and else, the
 * registry's. It gets no name in the store: its layers may never be needed.
 */
static int resolve_image(void *arg, const struct image_ref *ref, const struct platform *platform,
			 bool pull, struct descriptor *chosen, struct error *err)
{
	struct app *a = arg;
	AUTO(descriptor) top = {0};
	AUTO_PTR(image) image = NULL;

	if (!pull && (layout_find(a->store, ref, &top, NULL) == 0 || recall_base(a, ref, &top)) &&
	    image_load(&image, a->store, &top, platform, NULL) == 0) {
		descriptor_copy(chosen, &image->descriptor);
		return 0;
	}
	descriptor_release(&top);
	top = (struct descriptor){0};
	if (app_registry(a, err) < 0)
		return -1;
	if (registry_fetch_image(a->registry, a->store, ref, platform, &top, chosen, err) < 0)
		return -1;
	remember_base(a, ref, &top);
	return 0;
}

static int fetch_layer(void *arg, const struct image_ref *ref, const struct descriptor *blob,
		       int step, struct error *err)
{
	struct app *a = arg;

	if (app_registry(a, err) < 0)
		return -1;
	return registry_fetch_layer(a->registry, a->store, ref, blob, step, err);
}

struct image_source app_image_source(struct app *a)
{
	return (struct image_source){.resolve = resolve_image, .fetch = fetch_layer, .arg = a};
}
