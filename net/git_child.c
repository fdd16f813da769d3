#include "net/git_child.h"

#include <signal.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/process.h"
#include "base/strlist.h"

/* Half an hour: of a transfer that moves nothing git itself gives up sooner, over http. */
#define TIMEOUT_MS (30 * 60 * 1000)
#define ANSWER_MS  (2 * 60 * 1000) /* for the list of refs */
#define SSH                                                                              \
	"ssh -o BatchMode=yes -o StrictHostKeyChecking=accept-new -o ConnectTimeout=30 " \
	"-o ServerAliveInterval=15 -o ServerAliveCountMax=4"
/* Neither the user's configuration nor keys in files: what the agent has. */
#define SSH_OF_AGENT SSH " -F none -o IdentityFile=none"

/* Whatever a repository brings, none of it may run or reach outside. */
static const char *const settings[][2] = {
	{"advice.detachedHead", "false"},
	{"core.attributesFile", "/dev/null"},
	{"core.askPass", ""},
	{"core.excludesFile", "/dev/null"},
	{"core.fsmonitor", "false"},
	{"core.hooksPath", "/dev/null"},
	{"credential.helper", ""},
	{"gc.auto", "0"},
	{"http.lowSpeedLimit", "1"},
	{"http.lowSpeedTime", "60"},
	{"init.defaultBranch", "master"},
	{"maintenance.auto", "false"},
	{"protocol.allow", "never"},
	{"protocol.git.allow", "always"},
	{"protocol.http.allow", "always"},
	{"protocol.https.allow", "always"},
	{"protocol.ssh.allow", "always"},
	{"submodule.fetchJobs", "1"},
};

static const char *find(char *const *env, const char *name)
{
	size_t n = strlen(name);

	for (; env && *env; env++)
		if (strncmp(*env, name, n) == 0 && (*env)[n] == '=')
			return *env + n + 1;
	return NULL;
}

static void add_setting(struct strlist *env, size_t *n, const char *key, const char *value)
{
	strlist_addf(env, "GIT_CONFIG_KEY_%zu=%s", *n, key);
	strlist_addf(env, "GIT_CONFIG_VALUE_%zu=%s", *n, value);
	++*n;
}

/* "https://host:port" */
static size_t origin_len(const char *remote)
{
	const char *host = strstr(remote, "://");

	return host ? (size_t)(host + 3 - remote) + strcspn(host + 3, "/") : 0;
}

/* With a credential a redirect is refused: git would send it along to wherever it leads. */
static void add_settings(const struct git_run *run, struct strlist *env)
{
	const struct git_request *r = run->request;
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
		add_setting(env, &n, settings[i][0], settings[i][1]);
	if (run->client->ca_file)
		add_setting(env, &n, "http.sslCAInfo", run->client->ca_file);
	if (r->authorization) {
		AUTO_FREE char *key = xstrfmt("http.%.*s/.extraHeader", (int)origin_len(r->remote),
					      r->remote);
		AUTO_FREE char *value = xstrfmt("Authorization: %s", r->authorization);

		add_setting(env, &n, key, value);
		add_setting(env, &n, "http.followRedirects", "false");
		wipe(value, strlen(value));
	}
	strlist_addf(env, "GIT_CONFIG_COUNT=%zu", n);
}

static void add_ssh(const struct git_client *c, struct strlist *env)
{
	if (c->home)
		strlist_addf(env, "HOME=%s", c->home);
	if (c->ssh_socket)
		strlist_addf(env, "SSH_AUTH_SOCK=%s", c->ssh_socket);
	strlist_addf(env, "GIT_SSH_COMMAND=%s",
		     c->ssh_command      ? c->ssh_command
		     : c->ssh_agent_only ? SSH_OF_AGENT
					 : SSH);
}

static void make_environment(const struct git_run *run, struct strlist *env)
{
	static const char *const fixed[] = {
		"GIT_ATTR_NOSYSTEM=1",
		"GIT_CONFIG_GLOBAL=/dev/null",
		"GIT_CONFIG_NOSYSTEM=1",
		"GIT_PROTOCOL_FROM_USER=0",
		"GIT_TERMINAL_PROMPT=0",
		"LC_ALL=C",
		"TZ=UTC",
	};
	const struct git_client *c = run->client;
	const char *path = find(c->environ, "PATH");

	strlist_addf(env, "PATH=%s", path ? path : "/usr/local/bin:/usr/bin:/bin");
	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
		strlist_add(env, fixed[i]);
	for (size_t i = 0; c->proxy && i < c->proxy->n; i++)
		strlist_addf(env, "%s=%s", c->proxy->entries[i].key, c->proxy->entries[i].value);
	if (c->ssh_allowed)
		add_ssh(c, env);
	else
		strlist_add(env, "HOME=/nonexistent");
	strlist_addf(env, "GIT_ALLOW_PROTOCOL=http:https:git%s", c->ssh_allowed ? ":ssh" : "");
	add_settings(run, env);
}

static void wipe_list(struct strlist *l)
{
	for (size_t i = 0; i < l->n; i++)
		wipe(l->items[i], strlen(l->items[i]));
}

int git_child(const struct git_run *run, const char *const *args, struct strbuf *out,
	      struct strbuf *errors, bool *ok, struct error *err)
{
	AUTO(strlist) argv = STRLIST_INIT;
	AUTO(strlist) env = STRLIST_INIT;
	AUTO(error) local = ERROR_INIT;
	struct process_options o = {
		.path = "git",
		.cwd = run->folder ? run->folder : "/",
		.death_signal = SIGTERM,
		.new_session = true,
	};
	int timeout_ms = strcmp(*args, "ls-remote") == 0 ? ANSWER_MS : TIMEOUT_MS;
	int status = 0, result;

	strlist_add(&argv, "git");
	for (; *args; args++)
		strlist_add(&argv, *args);
	make_environment(run, &env);
	o.argv = argv.items;
	o.envp = env.items;
	result = process_capture(&o, NULL, 0, out, errors, timeout_ms, run->client->cancel, &status,
				 &local);
	wipe_list(&env);
	*ok = result == 0 && status == 0;
	if (result == 0)
		return 0;
	if (local.kind == ERROR_NOT_FOUND) {
		error_set(err, ERROR_NOT_FOUND,
			  "git repositories need the git program, which is not installed");
		return error_hint(err, "Install it (Debian, Ubuntu: apt-get install git), or give "
				       "a folder or a tar archive instead.");
	}
	if (local.kind != ERROR_CANCELLED)
		error_wrap(&local, "%s", run->request->remote);
	return error_move(err, &local);
}

/* Blank, or what git says of every failure over ssh. */
static bool says_nothing(const char *line)
{
	return !*line || str_starts(line, "Please make sure you have the correct access rights") ||
	       strcmp(line, "and the repository exists.") == 0;
}

/* The last lines that say something. */
static void last_words(const struct strbuf *errors, struct strbuf *out)
{
	AUTO(strlist) lines = STRLIST_INIT;
	size_t first;

	strlist_split(&lines, errors->len ? errors->buf : "", '\n');
	for (size_t i = lines.n; i > 0; i--)
		if (says_nothing(lines.items[i - 1]))
			strlist_remove(&lines, i - 1);
	first = lines.n > 3 ? lines.n - 3 : 0;
	for (size_t i = first; i < lines.n; i++)
		strbuf_printf(out, "%s%s", out->len ? "; " : "", lines.items[i]);
	if (!out->len)
		strbuf_puts(out, "git gave no reason");
}

static const char *find_hint(const struct git_request *r, const char *text)
{
	if (strstr(text, "could not read Username") || strstr(text, "Authentication failed") ||
	    strstr(text, "returned error: 401") || strstr(text, "returned error: 403"))
		return r->authorization
			       ? "The credential given (--secret id=GIT_AUTH_TOKEN) was refused."
			       : "If the repository is private, give a token: --secret "
				 "id=GIT_AUTH_TOKEN,env=GIT_AUTH_TOKEN.";
	if (r->authorization && strstr(text, "returned error: 30"))
		return "The server redirects, and a credential is not sent elsewhere: use the "
		       "new address.";
	if (strstr(text, "Permission denied (publickey"))
		return "Is the key loaded in the ssh agent (ssh-add -l)?";
	if (strstr(text, "Host key verification failed"))
		return "The host's key is not the one in ~/.ssh/known_hosts.";
	if (strstr(text, "transport 'ssh' not allowed"))
		return "A submodule over ssh needs --ssh default, which lends the build an agent; leave "
		       "it out with ?submodules=false.";
	if (strstr(text, "not allowed"))
		return "Submodules can only be fetched over http, https, ssh and git; leave them "
		       "out with ?submodules=false.";
	return NULL;
}

int git_child_failed(const struct git_run *run, const char *what, const struct strbuf *errors,
		     struct error *err)
{
	AUTO(strbuf) words = STRBUF_INIT;
	const char *hint;

	last_words(errors, &words);
	hint = find_hint(run->request, errors->len ? errors->buf : "");
	error_set(err, ERROR_REMOTE, "%s %s: %s", what, run->request->remote, words.buf);
	return hint ? error_hint(err, "%s", hint) : -1;
}

int git_child_must(const struct git_run *run, const char *const *args, struct strbuf *out,
		   struct error *err)
{
	AUTO(strbuf) errors = STRBUF_LIMIT(LIMIT_HELPER_OUTPUT);
	AUTO_FREE char *what = xstrfmt("git %s of", args[0]);
	bool ok;

	if (git_child(run, args, out, &errors, &ok, err) < 0)
		return -1;
	return ok ? 0 : git_child_failed(run, what, &errors, err);
}
