#include "cli/fetching.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "net/fetch.h"
#include "net/git.h"
#include "net/url.h"
#include "base/base64.h"

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

/* The header's value from the secret of this name; a token becomes one by its kind. */
enum secret_kind { SECRET_HEADER, SECRET_BASIC_TOKEN, SECRET_BEARER_TOKEN };
static int use_secret(const struct fetching *f, const char *id, enum secret_kind kind, char **out,
		      struct error *err)
{
	const struct build_secret *s = find_secret(f, id);
	AUTO(strbuf) text = STRBUF_INIT;
	int result;

	if (!s || *out)
		return 0;
	result = secret_text(&text, s, err);
	if (result == 0)
		*out = kind == SECRET_BASIC_TOKEN    ? basic("x-access-token", text.buf)
		       : kind == SECRET_BEARER_TOKEN ? xstrfmt("Bearer %s", text.buf)
						     : xstrdup(text.buf);
	if (text.cap)
		wipe(text.buf, text.len);
	return result;
}

/* docker's secrets, those of the host first: GIT_AUTH_HEADER.HOST, GIT_AUTH_TOKEN.HOST, then without the host. */
static int find_git_secret(const struct fetching *f, const char *host, char **out,
			   struct error *err)
{
	AUTO_FREE char *header = xstrfmt("GIT_AUTH_HEADER.%s", host);
	AUTO_FREE char *token = xstrfmt("GIT_AUTH_TOKEN.%s", host);

	if (use_secret(f, header, SECRET_HEADER, out, err) < 0 ||
	    use_secret(f, token, SECRET_BASIC_TOKEN, out, err) < 0 ||
	    use_secret(f, "GIT_AUTH_HEADER", SECRET_HEADER, out, err) < 0)
		return -1;
	return use_secret(f, "GIT_AUTH_TOKEN", SECRET_BASIC_TOKEN, out, err);
}

/* docker's secrets for files: HTTP_AUTH_HEADER_HOST, HTTP_AUTH_TOKEN_HOST. There are none for all hosts. */
static int find_url_credential(const struct fetching *f, const char *text, char **out,
			       struct error *err)
{
	AUTO(url) url = {0};
	AUTO_FREE char *host = NULL, *header = NULL, *token = NULL;

	if (url_parse(&url, text, err) < 0)
		return -1;
	if (!url_is_http(&url))
		return 0;
	host = url_host_port(&url);
	header = xstrfmt("HTTP_AUTH_HEADER_%s", host);
	token = xstrfmt("HTTP_AUTH_TOKEN_%s", host);
	if (use_secret(f, header, SECRET_HEADER, out, err) < 0)
		return -1;
	return use_secret(f, token, SECRET_BEARER_TOKEN, out, err);
}

static void hint_login(const char *text, struct error *err)
{
	AUTO(url) url = {0};
	AUTO_FREE char *host = NULL;

	if (url_parse(&url, text, NULL) < 0)
		return;
	host = url_host_port(&url);
	error_hint(
		err,
		"A token for this server is given as --secret id=HTTP_AUTH_TOKEN_%s,env=VARIABLE.",
		host);
}

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
	char *authorization = NULL;
	int result;

	if (find_url_credential(f, url, &authorization, err) < 0)
		return -1;
	result = http_new(&http, &o, err);
	if (result == 0)
		result = fetch_url(http, url, known ? &conditions : NULL, authorization, out_fd,
				   &got, err);
	if (result < 0 && err && !authorization &&
	    (err->status == 401 || err->status == 403 || err->kind == ERROR_DENIED))
		hint_login(url, err);
	wipe_free(authorization);
	if (result < 0)
		return -1;
	*out = (struct fetch_answer){
		.etag = take_ptr(got.etag),
		.last_modified = take_ptr(got.last_modified),
		.mtime = got.mtime,
		.unchanged = got.unchanged,
	};
	return 0;
}

/* "http@host:path" is ssh. */
static bool is_http(const struct git_ref *ref)
{
	return str_starts(ref->remote, "http://") || str_starts(ref->remote, "https://");
}

/* What git sends to the repository's own origin; never in the clear over a network. */
static int find_credential(const struct fetching *f, const struct git_ref *ref, char **out,
			   struct error *err)
{
	AUTO(url) url = {0};
	AUTO_FREE char *host = NULL;

	if (!is_http(ref))
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
	return find_git_secret(f, host, out, err);
}

static bool is_ssh(const struct git_ref *ref)
{
	return !is_http(ref) && !str_starts(ref->remote, "git://");
}

/* The user's own keys are for a context that the user names over ssh; all others have what --ssh gives. */
static int make_client(const struct fetching *f, const struct git_ref *ref, enum fetch_for who,
		       struct git_client *out, struct error *err)
{
	const struct environment *env = &f->app->env;
	bool ssh = is_ssh(ref), own = ssh && who == FETCH_FOR_CONTEXT;

	*out = (struct git_client){
		.environ = env->envp,
		.proxy = &env->proxy,
		.ca_file = env->ca_file,
		.ssh_allowed = ssh || f->inputs->ssh_socket,
		.ssh_agent_only = !own,
		.home = env->home,
		.ssh_command = environment_get(env, "GIT_SSH_COMMAND"),
		.ssh_socket = f->inputs->ssh_socket,
		.cancel = f->app->cancel,
	};
	if (own && !out->ssh_socket)
		out->ssh_socket = environment_get(env, "SSH_AUTH_SOCK");
	if (own || !ssh || f->inputs->ssh_socket)
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

/* One call of git, with what it may know. */
struct git_call {
	struct git_client client;
	struct git_request request;
	char *authorization; /* secret */
};

static void git_call_release(struct git_call *c)
{
	wipe_free(c->authorization);
}
CLEANUP_RELEASE(git_call)

static int git_call_init(struct git_call *c, const struct fetching *f, const struct git_ref *ref,
			 enum fetch_for who, bool keep_git_dir, struct error *err)
{
	*c = (struct git_call){.authorization = NULL};
	if (make_client(f, ref, who, &c->client, err) < 0 ||
	    find_credential(f, ref, &c->authorization, err) < 0)
		return -1;
	fill_request(&c->request, ref, keep_git_dir, c->authorization);
	return 0;
}

static int resolve_git(void *arg, const struct git_ref *ref, enum fetch_for who,
		       struct fetch_commit *out, struct error *err)
{
	AUTO(git_commit) found = {.ref = NULL};
	AUTO(git_call) call;

	if (git_call_init(&call, arg, ref, who, false, err) < 0 ||
	    git_resolve(&found, &call.client, &call.request, err) < 0)
		return -1;
	memcpy(out->id, found.id, sizeof(out->id));
	memcpy(out->commit, found.commit, sizeof(out->commit));
	out->ref = take_ptr(found.ref);
	return 0;
}

static int checkout_git(void *arg, const struct git_ref *ref, enum fetch_for who, bool keep_git_dir,
			const struct fetch_commit *commit, const char *folder, char **root,
			int64_t *time, struct error *err)
{
	struct git_commit what = {.ref = commit->ref};
	AUTO(git_call) call;

	if (git_call_init(&call, arg, ref, who, keep_git_dir, err) < 0)
		return -1;
	memcpy(what.id, commit->id, sizeof(what.id));
	memcpy(what.commit, commit->commit, sizeof(what.commit));
	return git_checkout(&call.client, &call.request, &what, folder, root, time, err);
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
