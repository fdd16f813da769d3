#include "cli/fetching.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "net/fetch.h"
#include "net/git.h"
#include "net/url.h"
#include "base/base64.h"

/* A connection of its own a download, since stages run at the same time. */
static int fetch_file(void *arg, const char *url, const struct fetch_answer *known, int out_fd,
		      struct fetch_answer *out, struct error *err)
{
	struct fetching *f = arg;
	struct app *a = f->app;
	AUTO(fetched) got = {0};
	AUTO_PTR(http) http = NULL;
	struct http_options o = {
		.user_agent = "slipway/" SLIPWAY_VERSION,
		.ca_file = a->env.ca_file,
		.ca_dir = a->env.ca_dir,
		.cancel = a->cancel,
	};
	const struct fetch_known conditions = {
		.etag = known ? known->etag : NULL,
		.last_modified = known ? known->last_modified : NULL,
	};

	if (http_new(&http, &o, err) < 0 ||
	    fetch_url(http, url, known ? &conditions : NULL, out_fd, &got, err) < 0)
		return -1;
	*out = (struct fetch_answer){
		.etag = take_ptr(got.etag),
		.last_modified = take_ptr(got.last_modified),
		.mtime = got.mtime,
		.unchanged = got.unchanged,
	};
	return 0;
}

static const struct build_secret *find_secret(const struct fetching *f, const char *id)
{
	for (size_t i = 0; i < f->inputs->n_secrets; i++)
		if (strcmp(f->inputs->secrets[i].id, id) == 0)
			return &f->inputs->secrets[i];
	return NULL;
}

/* Files of tokens end in a newline; a header has none inside. */
static int secret_text(struct strbuf *out, const struct build_secret *s, struct error *err)
{
	const char *text = s->data;
	size_t len = s->len;

	while (len && strchr(" \t\r\n", text[len - 1]))
		len--;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			return error_set(err, ERROR_USAGE,
					 "--secret id=%s: a header cannot hold control characters",
					 s->id);
	strbuf_add(out, text, len);
	return 0;
}

/* "basic " and Base64 of user:password. */
static char *basic(const char *user, const char *password)
{
	AUTO(strbuf) plain = STRBUF_INIT;
	AUTO(strbuf) out = STRBUF_INIT;

	strbuf_printf(&plain, "%s%s%s", user, password ? ":" : "", password ? password : "");
	strbuf_puts(&out, "basic ");
	base64_encode(&out, plain.buf, plain.len);
	wipe(plain.buf, plain.len);
	return strbuf_detach(&out, NULL);
}

/* docker's secrets, those of the host first: GIT_AUTH_HEADER.HOST, GIT_AUTH_TOKEN.HOST, then without the host. */
static int find_authorization(const struct fetching *f, const char *host, char **out,
			      struct error *err)
{
	for (int i = 0; i < 4; i++) {
		bool token = i % 2, named = i < 2;
		AUTO_FREE char *id = xstrfmt("GIT_AUTH_%s%s%s", token ? "TOKEN" : "HEADER",
					     named ? "." : "", named ? host : "");
		const struct build_secret *s = find_secret(f, id);
		AUTO(strbuf) text = STRBUF_INIT;

		if (!s)
			continue;
		if (secret_text(&text, s, err) < 0)
			return -1;
		*out = token ? basic("x-access-token", text.buf) : xstrdup(text.buf);
		wipe(text.buf, text.len);
		return 0;
	}
	return 0;
}

/* What git sends to the repository's own origin; never in the clear over a network. */
static int find_credential(const struct fetching *f, const struct git_ref *ref, char **out,
			   struct error *err)
{
	AUTO(url) url = {0};
	AUTO_FREE char *host = NULL;

	if (!str_starts(ref->remote, "http"))
		return 0;
	if (url_parse(&url, ref->remote, err) < 0)
		return -1;
	host = url_host_port(&url);
	if (strcmp(url.scheme, "https") != 0 && !url_host_is_loopback(url.host)) {
		if (ref->userinfo)
			return error_set(err, ERROR_DENIED,
					 "%s: a password is not sent over http: use https",
					 ref->remote);
		return 0;
	}
	if (ref->userinfo) {
		*out = basic(ref->userinfo, NULL);
		return 0;
	}
	return find_authorization(f, host, out, err);
}

static bool is_ssh(const struct git_ref *ref)
{
	return !str_starts(ref->remote, "http") && !str_starts(ref->remote, "git:");
}

static int make_client(const struct fetching *f, const struct git_ref *ref, enum fetch_for who,
		       struct git_client *out, struct error *err)
{
	const struct environment *env = &f->app->env;
	bool own = who == FETCH_FOR_CONTEXT;

	*out = (struct git_client){
		.environ = env->envp,
		.proxy = &env->proxy,
		.ca_file = env->ca_file,
		.home = env->home,
		.ssh_command = environment_get(env, "GIT_SSH_COMMAND"),
		.ssh_socket = f->inputs->ssh_socket,
		.cancel = f->app->cancel,
	};
	if (own && !out->ssh_socket)
		out->ssh_socket = environment_get(env, "SSH_AUTH_SOCK");
	if (own || !is_ssh(ref) || f->inputs->ssh_socket)
		return 0;
	error_set(err, ERROR_DENIED, "%s: no ssh key \"default\" is given to this build",
		  ref->remote);
	return error_hint(err, "Add --ssh default, or use the https address of the repository.");
}

static void fill_request(struct git_request *r, const struct git_ref *ref, bool keep_git_dir,
			 const char *authorization)
{
	*r = (struct git_request){
		.remote = ref->remote,
		.ref = ref->ref,
		.subdir = ref->subdir,
		.checksum = ref->checksum,
		.authorization = authorization,
		.keep_git_dir = keep_git_dir,
		.no_submodules = ref->submodules == GIT_NO,
		.checkout_times = ref->checkout_times,
	};
}

static int resolve_git(void *arg, const struct git_ref *ref, enum fetch_for who,
		       struct fetch_commit *out, struct error *err)
{
	struct fetching *f = arg;
	char *authorization = NULL;
	AUTO(git_commit) found = {.ref = NULL};
	struct git_client client;
	struct git_request request;
	int result;

	if (make_client(f, ref, who, &client, err) < 0 ||
	    find_credential(f, ref, &authorization, err) < 0)
		return -1;
	fill_request(&request, ref, false, authorization);
	result = git_resolve(&found, &client, &request, err);
	wipe_free(authorization);
	if (result < 0)
		return -1;
	memcpy(out->id, found.id, sizeof(out->id));
	memcpy(out->commit, found.commit, sizeof(out->commit));
	out->ref = take_ptr(found.ref);
	return 0;
}

static int checkout_git(void *arg, const struct git_ref *ref, enum fetch_for who, bool keep_git_dir,
			const struct fetch_commit *commit, const char *folder, char **root,
			struct error *err)
{
	struct fetching *f = arg;
	char *authorization = NULL;
	struct git_commit what = {.ref = commit->ref};
	struct git_client client;
	struct git_request request;
	int result;

	if (make_client(f, ref, who, &client, err) < 0 ||
	    find_credential(f, ref, &authorization, err) < 0)
		return -1;
	memcpy(what.id, commit->id, sizeof(what.id));
	memcpy(what.commit, commit->commit, sizeof(what.commit));
	fill_request(&request, ref, keep_git_dir, authorization);
	result = git_checkout(&client, &request, &what, folder, root, err);
	wipe_free(authorization);
	return result;
}

struct fetch_source fetching_source(struct fetching *f)
{
	return (struct fetch_source){
		.url = fetch_file,
		.git_resolve = resolve_git,
		.git_checkout = checkout_git,
		.arg = f,
	};
}
