#include "local/local.h"

#include <string.h>

#include "base/alloc.h"
#include "base/path.h"
#include "base/random.h"
#include "base/time.h"
#include "local/ecr.h"
#include "local/front.h"
#include "local/token.h"
#include "local/vpc.h"
#include "net/server.h"
#include "server/registry_server.h"

#define GRACE_MS       3000
#define STOP_REASON    "The local target was stopped"
#define REGION         "us-east-1"
#define KEY_LETTERS    "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
#define SECRET_LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
#define TARGET         "target" /* of STATE_SETTINGS */

static json_t *make_target(const char *region)
{
	char key[17], secret[41];
	AUTO_FREE char *id = NULL;
	json_t *target;

	random_letters(key, sizeof(key) - 1, KEY_LETTERS);
	random_letters(secret, sizeof(secret) - 1, SECRET_LETTERS);
	id = xstrfmt("AKIA%s", key);
	target = json_pack("{s:s, s:s, s:s}", "region", region ? region : REGION, "accessKey", id,
			   "secretKey", secret);
	wipe(secret, sizeof(secret));
	return target;
}

/* The region and key pair, which are made when the target is first started. */
static int read_target(struct local *l, const struct local_options *o, struct error *err)
{
	const char *region, *key, *secret;
	json_t *target;
	int r = 0;

	state_lock(l->state);
	if (!state_get(l->state, STATE_SETTINGS, TARGET))
		r = state_put(l->state, STATE_SETTINGS, TARGET, make_target(o->region), err);
	target = state_get(l->state, STATE_SETTINGS, TARGET);
	if (r == 0 && (json_get_string(target, "region", &region, o->folder, err) < 0 ||
		       json_get_string(target, "accessKey", &key, o->folder, err) < 0 ||
		       json_get_string(target, "secretKey", &secret, o->folder, err) < 0))
		r = -1;
	if (r == 0) {
		l->region = xstrdup(region);
		l->access_key = xstrdup(key);
		l->secret_key = xstrdup(secret);
	}
	state_unlock(l->state);
	return r;
}

/* As docker login has it from "aws ecr get-login-password". */
static bool check_login(void *arg, const char *user, const char *password)
{
	const struct local *l = arg;

	return l->no_auth ||
	       (strcmp(user, "AWS") == 0 && token_check(l->secret_key, TOKEN_REGISTRY, password,
							time_now(), NULL) == TOKEN_GOOD);
}

static int listen_here(struct local *l, const struct local_options *o, struct error *err)
{
	const struct server_options listen = {
		.address = "127.0.0.1",
		.port = o->port,
		.handler = front_handler(l),
		.reporter = o->reporter,
	};

	if (server_listen(&l->server, &listen, err) < 0)
		return -1;
	l->port = server_port(l->server);
	return 0;
}

static int open_registry(struct local *l, struct error *err)
{
	const struct registry_server_options o = {
		.store = l->store,
		.reporter = l->reporter,
		.check_login = check_login,
		.login_arg = l,
		.is_immutable = ecr_keeps_tag,
		.immutable_arg = l,
		.only_made = true,
		.lends_store = true,
	};

	return registry_server_new(&l->registry, &o, err);
}

/* The network asks for it before the runner, which needs the network, is there. */
static void metadata(void *arg, const char *task_id, const char *path, int *status, char **json)
{
	struct local *l = arg;

	runner_metadata(l->runner, task_id, path, status, json);
}

/* What makes documents true; tasks begin at once, so it comes last. */
static int open_tasks(struct local *l, const struct local_options *o, struct error *err)
{
	const struct network_options network = {
		.state = l->state,
		.sandbox = l->sandbox,
		.reporter = l->reporter,
		.api_port = l->port,
		.metadata = metadata,
		.arg = l,
	};
	struct runner_options runner = {
		.state = l->state,
		.sandbox = l->sandbox,
		.store = l->store,
		.images = &l->images,
		.logs = l->logs,
		.reporter = l->reporter,
		.folder = l->folder,
		.region = l->region,
		.api_port = l->port,
	};
	struct reconciler_options reconciler = {
		.state = l->state,
		.reporter = l->reporter,
		.settle_ms = o->settle_ms,
	};

	l->host = xstrfmt("127.0.0.1:%d", l->port);
	l->images.registry = l->host;
	if (network_open(&l->network, &network, err) < 0)
		return -1;
	runner.network = l->network;
	if (runner_open(&l->runner, &runner, err) < 0)
		return -1;
	reconciler.network = l->network;
	reconciler.runner = l->runner;
	if (exec_socket_open(&l->exec, l->folder, l->runner, err) < 0)
		return -1;
	return reconciler_start(&l->reconciler, &reconciler, err);
}

static int open_parts(struct local *l, const struct local_options *o, struct error *err)
{
	AUTO_FREE char *state = path_join(o->folder, STATE_FOLDER);
	AUTO_FREE char *logs = path_join(o->folder, LOGS_FOLDER);

	if (state_open(&l->state, state, err) < 0 || read_target(l, o, err) < 0 ||
	    vpc_prepare(l->state, LOCAL_ACCOUNT, err) < 0 ||
	    log_store_open(&l->logs, logs, err) < 0)
		return -1;
	/* The port first: who finds it taken has started nothing. */
	if (listen_here(l, o, err) < 0 || open_registry(l, err) < 0)
		return -1;
	return open_tasks(l, o, err);
}

int local_open(struct local **out, const struct local_options *o, struct error *err)
{
	struct local *l = xcalloc(1, sizeof(*l));

	l->store = o->store;
	l->sandbox = o->sandbox;
	l->images = o->images;
	l->reporter = o->reporter;
	l->folder = xstrdup(o->folder);
	l->no_auth = o->no_auth;
	l->started_ns = time_now_ns();
	if (open_parts(l, o, err) < 0) {
		local_close(l);
		return error_wrap(err, "start the local target");
	}
	l->ready = true;
	*out = l;
	return 0;
}

void local_serve(struct local *l, const struct cancel *cancel)
{
	l->cancel = cancel;
	server_wait(l->server, cancel);
}

void local_close(struct local *l)
{
	if (!l)
		return;
	/* Nothing is begun any more, then what runs ends, and is asked about meanwhile; then its network goes. */
	reconciler_free(l->reconciler);
	if (l->runner)
		runner_stop_all(l->runner, STOP_REASON, l->cancel);
	exec_socket_free(l->exec);
	if (l->server)
		server_stop(l->server, GRACE_MS, NULL);
	runner_free(l->runner);
	network_free(l->network);
	server_free(l->server);
	registry_server_free(l->registry);
	log_store_free(l->logs);
	state_free(l->state);
	wipe_free(l->secret_key);
	free(l->access_key);
	free(l->region);
	free(l->folder);
	free(l->host);
	free(l);
}
