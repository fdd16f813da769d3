/* slipway registry serve: the embedded registry in the foreground. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/limits.h"
#include "cli/cmd.h"
#include "net/url.h"
#include "oci/repository.h"
#include "server/htpasswd.h"
#include "server/registry_server.h"

#define DEFAULT_LISTEN "127.0.0.1:5000"
/* What is being sent or received when the signal comes; docker gives a container 10 s. */
#define GRACE_MS          5000
#define MAX_TOKEN_SECONDS 43200 /* ECR's own */
#define MAX_THROTTLE      1000000

static const struct command_usage usage = {
	.name = "registry",
	.args = "serve [OPTIONS]",
	.summary = "Run a registry here",
	.min_args = 1,
	.max_args = 1,
};

struct serving {
	const char *listen, *root, *htpasswd, *certificate, *key;
	struct strlist repositories;
	bool ecr_quirks, immutable_tags, insecure;
	int64_t token_seconds, throttle; /* of ECR's mode; 0: not so */
	char *address;                   /* of listen */
	int port;
	struct strbuf certificate_text, key_text;
	struct store *store;
	struct htpasswd *logins;
	struct registry_server *registry;
	struct server *server;
};

static void serving_release(struct serving *s)
{
	server_free(s->server);
	registry_server_free(s->registry);
	htpasswd_free(s->logins);
	store_free(s->store);
	wipe(s->key_text.buf, s->key_text.len);
	strbuf_release(&s->key_text);
	strbuf_release(&s->certificate_text);
	strlist_release(&s->repositories);
	free(s->address);
}
CLEANUP_RELEASE(serving)

/* ADDRESS:PORT, [ADDRESS]:PORT or :PORT, which is every address. */
static int parse_listen(struct serving *s, struct error *err)
{
	const char *colon = strrchr(s->listen, ':');
	size_t digits = colon ? strspn(colon + 1, "0123456789") : 0;
	size_t n = colon ? (size_t)(colon - s->listen) : 0;

	if (!colon || !digits || digits > 5 || colon[1 + digits])
		return error_set(err, ERROR_USAGE, "invalid --listen \"%s\": ADDRESS:PORT",
				 s->listen);
	s->port = (int)strtol(colon + 1, NULL, 10);
	if (s->port > 65535)
		return error_set(err, ERROR_USAGE, "invalid --listen \"%s\": no port %d", s->listen,
				 s->port);
	if (n > 1 && s->listen[0] == '[' && s->listen[n - 1] == ']')
		s->address = xstrndup(s->listen + 1, n - 2);
	else
		s->address = n ? xstrndup(s->listen, n) : xstrdup("0.0.0.0");
	if (strcmp(s->address, "localhost") == 0) {
		free(s->address);
		s->address = xstrdup("127.0.0.1");
	}
	return 0;
}

/* Beyond this machine a password must not be read on the way, and without one everybody could write. */
static int check_exposure(struct app *a, const struct serving *s, struct error *err)
{
	bool safe = s->certificate && s->htpasswd;

	if (safe || url_host_is_loopback(s->address))
		return 0;
	if (s->insecure) {
		report_log(a->reporter, LOG_WARNING,
			   "everybody who reaches %s can %s: there is no %s", s->listen,
			   s->htpasswd ? "read passwords on their way" : "push to this registry",
			   s->htpasswd ? "TLS" : "login");
		return 0;
	}
	error_set(err, ERROR_USAGE, "refusing to listen on %s, beyond this machine, without %s",
		  s->listen,
		  s->htpasswd      ? "TLS"
		  : s->certificate ? "a login"
				   : "TLS and a login");
	return error_hint(err, "give --tls-cert, --tls-key and --htpasswd, or --insecure where the "
			       "network is trusted");
}

static int read_tls(struct serving *s, struct error *err)
{
	if (!s->certificate != !s->key)
		return error_set(err, ERROR_USAGE, "--tls-cert and --tls-key need each other");
	if (!s->certificate)
		return 0;
	if (fs_read_file(s->certificate, &s->certificate_text, LIMIT_CA_BYTES, err) < 0 ||
	    fs_read_file(s->key, &s->key_text, LIMIT_CA_BYTES, err) < 0)
		return -1;
	return 0;
}

static bool check_htpasswd(void *arg, const char *user, const char *password)
{
	return htpasswd_check(arg, user, password);
}

/* Without a file of logins, ECR's mode takes every token: who tests a client has no real one. */
static bool check_ecr_token(void *arg, const char *user, const char *password)
{
	(void)arg;
	return strcmp(user, "AWS") == 0 && *password;
}

static int check_ecr(const struct serving *s, struct error *err)
{
	if ((s->token_seconds || s->throttle) && !s->ecr_quirks)
		return error_set(err, ERROR_USAGE,
				 "--ecr-token-seconds and --ecr-throttle need --ecr-quirks");
	if (s->token_seconds < 0 || s->token_seconds > MAX_TOKEN_SECONDS)
		return error_set(err, ERROR_USAGE, "invalid --ecr-token-seconds: 1 to %d",
				 MAX_TOKEN_SECONDS);
	/* Of every request none would be left. */
	if (s->throttle < 0 || s->throttle == 1 || s->throttle > MAX_THROTTLE)
		return error_set(err, ERROR_USAGE, "invalid --ecr-throttle: 2 to %d", MAX_THROTTLE);
	return 0;
}

static int make_repositories(struct serving *s, struct error *err)
{
	for (size_t i = 0; i < s->repositories.n; i++) {
		if (!repository_is_name(s->repositories.items[i]))
			return error_set(err, ERROR_USAGE, "invalid --repository \"%s\"",
					 s->repositories.items[i]);
		if (repository_make(s->store, s->repositories.items[i], err) < 0)
			return -1;
	}
	return 0;
}

static int start(struct app *a, struct serving *s, struct error *err)
{
	struct registry_server_options o = {
		.reporter = a->reporter,
		.any_host = s->htpasswd || s->certificate || !url_host_is_loopback(s->address),
		.immutable_tags = s->immutable_tags,
		.ecr_quirks = s->ecr_quirks,
		.ecr_token_seconds = (int)s->token_seconds,
		.ecr_throttle = (int)s->throttle,
	};
	struct server_options listen = {
		.address = s->address,
		.port = s->port,
		.certificate = s->certificate ? s->certificate_text.buf : NULL,
		.key = s->certificate ? s->key_text.buf : NULL,
		.reporter = a->reporter,
	};

	if (s->htpasswd && htpasswd_open(&s->logins, s->htpasswd, err) < 0)
		return -1;
	o.check_login = s->htpasswd ? check_htpasswd : s->ecr_quirks ? check_ecr_token : NULL;
	o.login_arg = s->logins;
	/* No lease for as long as it runs: prune may work meanwhile, and each request that needs one has its own. */
	if (store_open(&s->store, s->root ? s->root : a->env.root, err) < 0)
		return -1;
	store_set_wait(s->store, a->cancel, a->reporter, 0);
	o.store = s->store;
	if (make_repositories(s, err) < 0 || registry_server_new(&s->registry, &o, err) < 0)
		return -1;
	listen.handler = registry_server_handler(s->registry);
	return server_listen(&s->server, &listen, err);
}

int cmd_registry(struct app *a, int argc, char **argv, struct error *err)
{
	AUTO(strlist) args = STRLIST_INIT;
	AUTO(serving)
	s = {.listen = DEFAULT_LISTEN, .certificate_text = STRBUF_INIT, .key_text = STRBUF_INIT};
	struct option options[] = {
		{0, "listen", OPTION_STRING, "ADDRESS:PORT",
		 "Where to listen (default " DEFAULT_LISTEN ")", &s.listen},
		{0, "root", OPTION_STRING, "DIR", "State folder (default: slipway's own)", &s.root},
		{0, "htpasswd", OPTION_STRING, "FILE", "Ask for a login of this file (bcrypt)",
		 &s.htpasswd},
		{0, "tls-cert", OPTION_STRING, "FILE", "Serve TLS with this certificate (PEM)",
		 &s.certificate},
		{0, "tls-key", OPTION_STRING, "FILE", "Its key", &s.key},
		{0, "insecure", OPTION_FLAG, NULL,
		 "Listen beyond this machine without TLS and login", &s.insecure},
		{0, "repository", OPTION_LIST, "NAME", "Make this repository first",
		 &s.repositories},
		{0, "immutable-tags", OPTION_FLAG, NULL, "Never move a tag", &s.immutable_tags},
		{0, "ecr-quirks", OPTION_FLAG, NULL,
		 "Behave as Amazon ECR does where it differs from the specification",
		 &s.ecr_quirks},
		{0, "ecr-token-seconds", OPTION_INT, "N",
		 "Of --ecr-quirks: a token ends N seconds after its first use (403)",
		 &s.token_seconds},
		{0, "ecr-throttle", OPTION_INT, "N",
		 "Of --ecr-quirks: refuse every Nth request as one too many (429)", &s.throttle},
	};
	int parsed = options_parse(&usage, options, ARRAY_SIZE(options), argc, argv, &args, err);

	if (parsed != 0)
		return parsed < 0 ? -1 : 0;
	if (strcmp(args.items[0], "serve") != 0)
		return error_set(err, ERROR_USAGE,
				 "'slipway registry %s' is no command; there is "
				 "'slipway registry serve'",
				 args.items[0]);
	if (parse_listen(&s, err) < 0 || check_ecr(&s, err) < 0 || read_tls(&s, err) < 0 ||
	    check_exposure(a, &s, err) < 0 || start(a, &s, err) < 0)
		return -1;
	printf("listening on %s://%s%s%s:%d\n", s.certificate ? "https" : "http",
	       strchr(s.address, ':') ? "[" : "", s.address, strchr(s.address, ':') ? "]" : "",
	       server_port(s.server));
	fflush(stdout);
	server_wait(s.server, a->cancel);
	server_stop(s.server, GRACE_MS, a->cancel);
	return 0;
}
