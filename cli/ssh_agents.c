#include "cli/ssh_agents.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/process.h"
#include "dockerfile/value.h"

#define START_MS 10000 /* for an agent to listen, or to take a key */
#define SOCKET   "agent"

struct ssh_child {
	struct ssh_child *next;
	pid_t pid;
	char *dir; /* of its socket; its working folder, since names of sockets are short */
};

void ssh_agents_release(struct ssh_agents *s)
{
	while (s->children) {
		struct ssh_child *c = s->children;

		s->children = c->next;
		if (c->pid > 0) {
			kill(c->pid, SIGTERM);
			process_wait(c->pid, &(int){0}, NULL);
		}
		if (c->dir)
			fs_remove_tree(AT_FDCWD, c->dir, NULL);
		free(c->dir);
		free(c);
	}
	free(s->items);
	strlist_release(&s->texts);
	*s = (struct ssh_agents){.items = NULL};
}

static int program_failed(const char *name, struct error *err)
{
	if (err && err->kind == ERROR_NOT_FOUND) {
		error_clear(err);
		error_set(err, ERROR_NOT_FOUND, "key files need the program %s, which is not here",
			  name);
		return error_hint(err, "install openssh-client, or give the socket of an agent");
	}
	return error_wrap(err, "start %s", name);
}

/* It writes where it listens once it does. */
static int wait_until_ready(int fd, const struct cancel *cancel, struct error *err)
{
	int ready = cancel_poll(cancel, fd, START_MS * 1000000ll, err);
	char byte;

	if (ready < 0)
		return -1;
	if (!ready || read(fd, &byte, 1) != 1)
		return error_set(err, ERROR_SYSTEM, "ssh-agent did not begin to listen");
	return 0;
}

static int start_agent(struct ssh_agents *s, struct app *a, struct error *err)
{
	char *argv[] = {(char[]){"ssh-agent"}, (char[]){"-D"}, (char[]){"-a"}, (char[]){SOCKET},
			NULL};
	struct process_options p = {.path = "ssh-agent",
				    .argv = argv,
				    .envp = a->env.envp,
				    .stdin_fd = -1,
				    .stderr_fd = -1,
				    .death_signal = SIGTERM,
				    .no_new_privileges = true};
	struct ssh_child *c = xcalloc(1, sizeof(*c));
	AUTO_FREE char *ingest = store_path(a->store, "ingest");
	AUTO_FD int ours = -1, theirs = -1;
	int fds[2];

	c->next = s->children;
	s->children = c;
	if (fs_make_temp_dir(ingest, "ssh-", &c->dir, err) < 0)
		return -1;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return error_errno(err, "make a pipe");
	ours = fds[0];
	theirs = fds[1];
	p.cwd = c->dir;
	p.stdout_fd = theirs;
	if (process_spawn(&c->pid, &p, err) < 0)
		return program_failed("ssh-agent", err);
	close(take_fd(theirs));
	return wait_until_ready(ours, a->cancel, err);
}

/* Without a terminal to ask on: a passphrase cannot be typed in the middle of a build's output. */
static int add_key(struct ssh_agents *s, struct app *a, const char *path, struct error *err)
{
	char *argv[] = {(char[]){"ssh-add"}, (char[]){"-q"}, (char[]){"-"}, NULL};
	AUTO(strlist) env = STRLIST_INIT;
	AUTO(strbuf) key = STRBUF_INIT;
	AUTO(strbuf) words = STRBUF_LIMIT(LIMIT_HELPER_OUTPUT);
	struct process_options p = {.path = "ssh-add", .argv = argv, .cwd = s->children->dir};
	int status = 0, done;

	strlist_add(&env, "SSH_AUTH_SOCK=" SOCKET);
	strlist_add(&env, "SSH_ASKPASS=/bin/false");
	strlist_add(&env, "SSH_ASKPASS_REQUIRE=force");
	p.envp = env.items;
	if (fs_read_file(path, &key, LIMIT_SECRET_BYTES, err) < 0)
		return -1;
	done = process_capture(&p, key.buf, key.len, NULL, &words, START_MS, a->cancel, &status,
			       err);
	if (key.cap)
		wipe(key.buf, key.len);
	if (done < 0)
		return program_failed("ssh-add", err);
	if (status == 0)
		return 0;
	strbuf_trim(&words);
	error_set(err, ERROR_DENIED, "add the key %s to the agent: %s", path, words.buf);
	return error_hint(
		err,
		"a key with a passphrase is for an agent of your own: \"ssh-add %s\", then "
		"--ssh default",
		path);
}

static int add_keys(struct ssh_agents *s, struct app *a, const struct strlist *paths,
		    struct error *err)
{
	if (app_store(a, err) < 0 || start_agent(s, a, err) < 0)
		return -1;
	for (size_t i = 0; i < paths->n; i++)
		if (add_key(s, a, paths->items[i], err) < 0)
			return -1;
	strlist_addf(&s->texts, "%s/" SOCKET, s->children->dir);
	return 0;
}

/* One socket, or keys. */
static int add_paths(struct ssh_agents *s, struct app *a, const struct strlist *paths,
		     struct error *err)
{
	size_t n_sockets = 0;

	for (size_t i = 0; i < paths->n; i++) {
		struct stat st;

		if (stat(paths->items[i], &st) < 0)
			return error_errno(err, "open %s", paths->items[i]);
		n_sockets += S_ISSOCK(st.st_mode);
	}
	if (n_sockets == 0)
		return add_keys(s, a, paths, err);
	if (paths->n > 1)
		return error_set(err, ERROR_USAGE, "one socket, or key files, but not both");
	strlist_add(&s->texts, paths->items[0]);
	return 0;
}

static int add_own(struct ssh_agents *s, struct app *a, struct error *err)
{
	const char *path = environment_get(&a->env, "SSH_AUTH_SOCK");
	AUTO(strlist) paths = STRLIST_INIT;

	if (!path || !*path) {
		error_set(err, ERROR_NOT_FOUND, "SSH_AUTH_SOCK is not set: there is no agent");
		return error_hint(err,
				  "start one (eval $(ssh-agent) && ssh-add), or name key files: "
				  "--ssh default=$HOME/.ssh/id_ed25519");
	}
	strlist_add(&paths, path);
	return add_paths(s, a, &paths, err);
}

/* BuildKit's raw=BOOL among the paths: false is what there is, and is taken out. */
static int take_raw(struct strlist *paths, struct error *err)
{
	AUTO(strlist) all = *paths;
	bool raw = false;

	*paths = (struct strlist)STRLIST_INIT;
	for (size_t i = 0; i < all.n; i++) {
		if (!str_starts(all.items[i], "raw="))
			strlist_add(paths, all.items[i]);
		else if (!value_bool(&raw, all.items[i] + strlen("raw=")))
			return error_set(err, ERROR_USAGE, "invalid value in \"%s\": true or false",
					 all.items[i]);
	}
	if (!raw)
		return 0;
	error_set(
		err, ERROR_UNSUPPORTED,
		"raw=true is not supported: a step may list the keys of an agent and sign with them, "
		"and nothing else");
	return error_hint(err, "A service of this machine is reached over the network that steps "
			       "share with it.");
}

int ssh_agents_add(struct ssh_agents *s, struct app *a, const char *text, struct error *err)
{
	const char *equals = strchr(text, '=');
	AUTO_FREE char *id = equals ? xstrndup(text, (size_t)(equals - text)) : xstrdup(text);
	AUTO(strlist) paths = STRLIST_INIT;

	if (equals)
		strlist_split(&paths, equals + 1, ',');
	if (take_raw(&paths, err) < 0)
		return error_wrap(err, "--ssh %s", text);
	if (!*id || (equals && !paths.n))
		return error_set(err, ERROR_USAGE, "--ssh %s: want ID[=SOCKET|KEY[,KEY]]", text);
	for (size_t i = 0; i < s->n; i++)
		if (strcmp(s->items[i].id, id) == 0)
			return error_set(err, ERROR_USAGE, "--ssh %s: given twice", id);
	if ((equals ? add_paths(s, a, &paths, err) : add_own(s, a, err)) < 0)
		return error_wrap(err, "--ssh %s", id);
	strlist_add(&s->texts, id);
	s->items = xreallocarray(s->items, s->n + 1, sizeof(*s->items));
	s->items[s->n++] = (struct build_ssh){.socket = s->texts.items[s->texts.n - 2],
					      .id = s->texts.items[s->texts.n - 1]};
	return 0;
}
